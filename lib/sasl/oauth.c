/* SPDX-License-Identifier: MIT */
/* oauth.c: to come. */
#include <errno.h>

#include "sasl/sasl.h"

static int step(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x,
                const uvsmtp_slice_t* challenge) {
  (void)self;
  (void)x;
  (void)challenge;
  return -ENOSYS;
}

const uvsmtp_mech_t uvsmtp__mech_oauthbearer =
    UVSMTP_MECH_INIT("OAUTHBEARER", 0, step);
const uvsmtp_mech_t uvsmtp__mech_xoauth2 = UVSMTP_MECH_INIT("XOAUTH2", 0, step);
