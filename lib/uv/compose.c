/* SPDX-License-Identifier: MIT */
/* compose.c: a draft's time and name, from the system. */
#include "uv/uv_int.h"
