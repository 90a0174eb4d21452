/* SPDX-License-Identifier: MIT */
/* clock.h: how long a piece of work takes is the test's to say. */
#ifndef UVSMTP_TEST_CLOCK_H
#define UVSMTP_TEST_CLOCK_H

#include <stdint.h>

/* Nanoseconds that pass for the library each time that it asks uv_hrtime,
 * beside those that do. */
extern uint64_t ticks;

#endif
