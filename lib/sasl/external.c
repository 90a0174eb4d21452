/* SPDX-License-Identifier: MIT */
/* external.c: to come. */
#include <errno.h>

#include "sasl/sasl.h"

static int step(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x,
                const uvsmtp_slice_t* challenge) {
  (void)self;
  (void)x;
  (void)challenge;
  return -ENOSYS;
}

const uvsmtp_mech_t uvsmtp__mech_external =
    UVSMTP_MECH_INIT("EXTERNAL", 0, step);
