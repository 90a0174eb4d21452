/* SPDX-License-Identifier: MIT */
/* envelope.c: the envelope that a header says. */
#include "message/message.h"
