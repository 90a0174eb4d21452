/* SPDX-License-Identifier: MIT */
/* login.c: LOGIN, which no RFC has: the name, then the password, at a prompt
 * each. What the prompts say differs from server to server ("Username:", "User
 * Name", nothing at all), and so it is their order that counts. */
#include <errno.h>

#include "sasl/sasl.h"

static int step(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x,
                const uvsmtp_slice_t* challenge) {
  uvsmtp_slice_t said;
  size_t turn;
  int err = uvsmtp__mech_begin(self, x);
  (void)challenge;
  if (err != 0) return err;
  turn = uvsmtp__mech_turn(x);
  if (turn > 1) return -EPROTO;
  said = turn == 0 ? uvsmtp_exchange_user(x) : uvsmtp_exchange_password(x);
  err = uvsmtp_exchange_respond(x, said.base, said.len);
  return err != 0 ? err : UVSMTP_MECH_SEND;
}

const uvsmtp_mech_t uvsmtp__mech_login = UVSMTP_MECH_INIT(
    "LOGIN", UVSMTP_MECH_CLIENT_FIRST | UVSMTP_MECH_ANY_CHALLENGE, step);
