/* SPDX-License-Identifier: MIT */
/* scram.c: to come. */
#include <errno.h>

#include "sasl/sasl.h"

static int step(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x,
                const uvsmtp_slice_t* challenge) {
  (void)self;
  (void)x;
  (void)challenge;
  return -ENOSYS;
}

const uvsmtp_mech_t uvsmtp__mech_scram_sha256_plus =
    UVSMTP_MECH_INIT("SCRAM-SHA-256-PLUS", 0, step);
const uvsmtp_mech_t uvsmtp__mech_scram_sha256 =
    UVSMTP_MECH_INIT("SCRAM-SHA-256", 0, step);
const uvsmtp_mech_t uvsmtp__mech_scram_sha1 =
    UVSMTP_MECH_INIT("SCRAM-SHA-1", 0, step);
