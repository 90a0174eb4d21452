/* SPDX-License-Identifier: MIT */
/* plain.c: PLAIN (RFC 4616): all that there is to say, in one response. */
#include <errno.h>

#include "sasl/sasl.h"

static int respond(uvsmtp_exchange_t* x, uvsmtp_slice_t s) {
  return uvsmtp_exchange_respond(x, s.base, s.len);
}

/* There are servers that ignore what comes with AUTH, and ask for it: they get
 * it once more. One that goes on asking does not speak PLAIN. */
static int step(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x,
                const uvsmtp_slice_t* challenge) {
  static const uvsmtp_slice_t nul = {"", 1};
  int err = uvsmtp__mech_begin(self, x);
  (void)challenge;
  if (err != 0) return err;
  if (uvsmtp__mech_turn(x) > 1) return -EPROTO;
  if ((err = respond(x, uvsmtp_exchange_authzid(x))) != 0 ||
      (err = respond(x, nul)) != 0 ||
      (err = respond(x, uvsmtp_exchange_user(x))) != 0 ||
      (err = respond(x, nul)) != 0 ||
      (err = respond(x, uvsmtp_exchange_password(x))) != 0)
    return err;
  return UVSMTP_MECH_SEND;
}

/* What a server says with its 334 does not matter, and so may be anything. */
const uvsmtp_mech_t uvsmtp__mech_plain = UVSMTP_MECH_INIT(
    "PLAIN", UVSMTP_MECH_CLIENT_FIRST | UVSMTP_MECH_ANY_CHALLENGE, step);
