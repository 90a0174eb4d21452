/* SPDX-License-Identifier: MIT */
/* mech.c: the list of mechanisms, and what each of them can say. Octets that a
 * mechanism has no way to quote are refused: left out or changed, they would
 * make it say something else than was asked. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "core/ascii.h"
#include "sasl/sasl.h"

static int holds(uvsmtp_slice_t s, char c) {
  return s.len != 0 && memchr(s.base, c, s.len) != NULL;
}

int uvsmtp__sasl_printable(uvsmtp_slice_t s) {
  const unsigned char* octets = s.base;
  size_t i;
  for (i = 0; i < s.len; i++)
    if (octets[i] < 0x20 || octets[i] > 0x7e) return 0;
  return 1;
}

const char* uvsmtp__token_unfit(uvsmtp_slice_t token) {
  if (token.len == 0) return "an empty token";
  if (token.len > UVSMTP__AUTH_RAW_MAX)
    return "a token that is longer than a response may be";
  if (!uvsmtp__sasl_printable(token) || holds(token, ' '))
    return "a token can't hold controls, blanks or octets above 126";
  return NULL;
}

/* A function for each kind of mechanism: what keeps it from saying these, or
 * NULL. */
typedef const char* (*unfit_t)(const uvsmtp__sasl_t* s);

static const char* scram_unfit(const uvsmtp__sasl_t* s) {
  if (s->base.user.len == 0 || s->base.password.len == 0)
    return "SCRAM needs a user name and a password";
  if (!uvsmtp__sasl_printable(s->base.user) ||
      !uvsmtp__sasl_printable(s->base.password) ||
      !uvsmtp__sasl_printable(s->base.authzid))
    return "SCRAM can carry printable ASCII only";
  return NULL;
}

/* The name ends at a blank before 32 hexadecimal digits (RFC 2195 2), so that
 * it may hold blanks. The password is a key: any octets. */
static const char* cram_md5_unfit(const uvsmtp__sasl_t* s) {
  if (s->base.user.len == 0 || s->base.password.len == 0)
    return "CRAM-MD5 needs a user name and a password";
  if (s->base.authzid.len != 0) return "CRAM-MD5 can't carry an authzid";
  if (holds(s->base.user, '\0') || holds(s->base.user, '\r') ||
      holds(s->base.user, '\n'))
    return "CRAM-MD5 can't carry a NUL, CR or LF in a user name";
  if (s->base.user.len > UVSMTP__AUTH_RAW_MAX - 33)
    return "a user name that is longer than a response may be";
  return NULL;
}

/* RFC 4616 2. UTF-8 is not insisted on: a server that keeps its names and
 * passwords in something older compares octets. */
static const char* plain_unfit(const uvsmtp__sasl_t* s) {
  if (s->base.user.len == 0 || s->base.password.len == 0)
    return "PLAIN needs a user name and a password";
  if (holds(s->base.user, '\0') || holds(s->base.password, '\0') ||
      holds(s->base.authzid, '\0'))
    return "PLAIN can't carry a NUL";
  if (s->base.user.len > UVSMTP__AUTH_RAW_MAX ||
      s->base.password.len > UVSMTP__AUTH_RAW_MAX ||
      s->base.authzid.len > UVSMTP__AUTH_RAW_MAX ||
      s->base.user.len + s->base.password.len + s->base.authzid.len + 2 >
          UVSMTP__AUTH_RAW_MAX)
    return "PLAIN can't carry what is longer than a response may be";
  return NULL;
}

/* Each goes in a response of its own, and so may hold anything. */
static const char* login_unfit(const uvsmtp__sasl_t* s) {
  if (s->base.user.len == 0 || s->base.password.len == 0)
    return "LOGIN needs a user name and a password";
  if (s->base.authzid.len != 0) return "LOGIN can't carry an authzid";
  if (s->base.user.len > UVSMTP__AUTH_RAW_MAX ||
      s->base.password.len > UVSMTP__AUTH_RAW_MAX)
    return "LOGIN can't carry what is longer than a response may be";
  return NULL;
}

static const char* external_unfit(const uvsmtp__sasl_t* s) {
  if (holds(s->base.authzid, '\0')) return "EXTERNAL can't carry a NUL";
  if (s->base.authzid.len > UVSMTP__AUTH_RAW_MAX)
    return "EXTERNAL can't carry what is longer than a response may be";
  return NULL;
}

/* RFC 7628 3.1: 0x01 ends a field, and a name has no NUL (RFC 5801 4). */
static const char* oauth_unfit(const uvsmtp__sasl_t* s) {
  if (s->token_cb == NULL && s->token.len == 0)
    return "OAUTHBEARER and XOAUTH2 need a token";
  if (holds(s->base.user, '\001') || holds(s->base.user, '\0') ||
      holds(s->base.authzid, '\001') || holds(s->base.authzid, '\0'))
    return "OAUTHBEARER and XOAUTH2 can't carry a NUL or 0x01";
  if (s->base.user.len > UVSMTP__AUTH_RAW_MAX ||
      s->base.authzid.len > UVSMTP__AUTH_RAW_MAX)
    return "a user name that is longer than a response may be";
  return s->token_cb != NULL ? NULL : uvsmtp__token_unfit(s->token);
}

static const char* xoauth2_unfit(const uvsmtp__sasl_t* s) {
  const char* why = oauth_unfit(s);
  if (why != NULL) return why;
  if (s->base.user.len == 0) return "XOAUTH2 needs a user name";
  if (s->base.authzid.len != 0) return "XOAUTH2 can't carry an authzid";
  return NULL;
}

typedef struct row_s {
  const uvsmtp_mech_t* mech;
  unfit_t unfit;
} row_t;

/* Strongest first: a server that proves itself, then none that hears the
 * password, then a secret that is good for little else, then the password. */
static const row_t rows[UVSMTP__MECHS] = {
    {&uvsmtp__mech_scram_sha256_plus, scram_unfit},
    {&uvsmtp__mech_scram_sha256, scram_unfit},
    {&uvsmtp__mech_scram_sha1, scram_unfit},
    {&uvsmtp__mech_cram_md5, cram_md5_unfit},
    {&uvsmtp__mech_oauthbearer, oauth_unfit},
    {&uvsmtp__mech_xoauth2, xoauth2_unfit},
    {&uvsmtp__mech_plain, plain_unfit},
    {&uvsmtp__mech_login, login_unfit},
    {&uvsmtp__mech_external, external_unfit},
};

const uvsmtp_mech_t* uvsmtp_mech_at(size_t i) {
  return i < UVSMTP__MECHS ? rows[i].mech : NULL;
}

const uvsmtp_mech_t* uvsmtp_mech(const char* name) {
  size_t i;
  if (name == NULL) return NULL;
  for (i = 0; i < UVSMTP__MECHS; i++)
    if (uvsmtp__same(rows[i].mech->name, strlen(rows[i].mech->name), name,
                     strlen(name)))
      return rows[i].mech;
  return NULL;
}

const char* uvsmtp__mech_unfit(const uvsmtp_mech_t* mech,
                               const uvsmtp__sasl_t* sasl) {
  size_t i;
  for (i = 0; i < UVSMTP__MECHS; i++)
    if (rows[i].mech == mech) return rows[i].unfit(sasl);
  return NULL;
}

int uvsmtp__mech_begin(const uvsmtp_mech_t* mech, uvsmtp_exchange_t* x) {
  const char* why = uvsmtp__mech_unfit(mech, uvsmtp__sasl_of(x));
  if (why == NULL) return 0;
  uvsmtp_exchange_explain(x, why, strlen(why));
  return -EINVAL;
}

size_t uvsmtp__mech_turn(uvsmtp_exchange_t* x) {
  /* No memory for a number that fits into the pointer to it. */
  size_t turn = (size_t)(uintptr_t)uvsmtp_exchange_data(x);
  uvsmtp_exchange_set_data(x, (void*)(uintptr_t)(turn + 1));
  return turn;
}
