/* SPDX-License-Identifier: MIT */
/* cram_md5.c: to come. */
#include <errno.h>

#include "sasl/sasl.h"

static int step(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x,
                const uvsmtp_slice_t* challenge) {
  (void)self;
  (void)x;
  (void)challenge;
  return -ENOSYS;
}

const uvsmtp_mech_t uvsmtp__mech_cram_md5 =
    UVSMTP_MECH_INIT("CRAM-MD5", 0, step);
