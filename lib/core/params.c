/* SPDX-License-Identifier: MIT */
/* params.c: the typed parameters of MAIL and RCPT. */
#include "core/params.h"
