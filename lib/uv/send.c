/* SPDX-License-Identifier: MIT */
/* send.c: messages with the envelope of their header, and small extensions. */
#include "uv/uv_int.h"
