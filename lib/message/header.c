/* SPDX-License-Identifier: MIT */
/* header.c: header blocks of RFC 5322. */
#include "message/message.h"
