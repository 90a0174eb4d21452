/* SPDX-License-Identifier: MIT */
/* address.c: addresses of RFC 5322. */
#include "message/message.h"
