/* SPDX-License-Identifier: MIT */
/* external.c: EXTERNAL (RFC 4422 appendix A): the server knows already who this
 * is, by a certificate say, and only hears whom to act as. */
#include <errno.h>

#include "sasl/sasl.h"

/* Said once more if asked once more, as in plain.c. */
static int step(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x,
                const uvsmtp_slice_t* challenge) {
  uvsmtp_slice_t authzid = uvsmtp_exchange_authzid(x);
  int err = uvsmtp__mech_begin(self, x);
  (void)challenge;
  if (err != 0) return err;
  if (uvsmtp__mech_turn(x) > 1) return -EPROTO;
  if ((err = uvsmtp_exchange_respond(x, authzid.base, authzid.len)) != 0)
    return err;
  return UVSMTP_MECH_SEND;
}

const uvsmtp_mech_t uvsmtp__mech_external =
    UVSMTP_MECH_INIT("EXTERNAL", UVSMTP_MECH_CLIENT_FIRST, step);
