/* SPDX-License-Identifier: MIT */
/* letter.c: writing a plain text message. */
#include "message/message.h"
