/* SPDX-License-Identifier: MIT */
/* source.c: a source that reads the header on the way. */
#include "message/message.h"
