/* SPDX-License-Identifier: MIT */
/* cram_md5.c: CRAM-MD5 (RFC 2195): the server's challenge, hashed with the
 * password. It proves nothing of the server. */
#include "sasl/sasl.h"

static int digest(uvsmtp_exchange_t* x, const uvsmtp_slice_t* challenge,
                  unsigned char* out) {
  uvsmtp_slice_t password = uvsmtp_exchange_password(x);
  uvsmtp__hmac_t* hmac;
  int rc = uvsmtp__hmac_new(&hmac, &x->mem, UVSMTP__MD5, password.base,
                            password.len);
  if (rc == 0) rc = uvsmtp__hmac(hmac, challenge, 1, out);
  uvsmtp__hmac_free(hmac);
  return rc;
}

static int step(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x,
                const uvsmtp_slice_t* challenge) {
  static const char digits[] = "0123456789abcdef";
  uvsmtp_slice_t user = uvsmtp_exchange_user(x);
  unsigned char raw[UVSMTP__HASH_MAX];
  char text[1 + 32]; /* a blank and sixteen octets */
  size_t i;
  int rc = uvsmtp__mech_begin(self, x);
  if (rc != 0) return rc;
  if (challenge->len == 0)
    return uvsmtp__mech_fail(x, UVSMTP_EPROTOCOL,
                             "CRAM-MD5: the challenge is empty");
  /* Nothing is kept, so anything but NULL says that this was done. */
  if (uvsmtp_exchange_data(x) != NULL)
    return uvsmtp__mech_fail(x, UVSMTP_EPROTOCOL,
                             "CRAM-MD5: there is a second challenge");
  uvsmtp_exchange_set_data(x, x);
  rc = digest(x, challenge, raw);
  if (rc == 0) {
    text[0] = ' ';
    for (i = 0; i < 16; i++) {
      text[1 + 2 * i] = digits[raw[i] >> 4];
      text[2 + 2 * i] = digits[raw[i] & 15];
    }
    rc = uvsmtp_exchange_respond(x, user.base, user.len);
    if (rc == 0) rc = uvsmtp_exchange_respond(x, text, sizeof(text));
  }
  uvsmtp__wipe(raw, sizeof(raw));
  uvsmtp__wipe(text, sizeof(text));
  return rc == 0 ? UVSMTP_MECH_SEND : rc;
}

const uvsmtp_mech_t uvsmtp__mech_cram_md5 =
    UVSMTP_MECH_INIT("CRAM-MD5", 0, step);
