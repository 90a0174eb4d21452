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

/* What a mechanism needs: a user name and a password, or a token. */
enum { NOTHING, A_PASSWORD, A_TOKEN };

/* What goes into its responses. */
enum { USER = 1, PASSWORD = 2, AUTHZID = 4 };

/* What mechanisms of a kind need, and what they can't carry. The reasons are
 * sentences; NULL is for what does not happen. */
typedef struct limits_s {
  int needs;
  unsigned int says;
  int apart;           /* each in a response of its own; else all in one, ... */
  size_t beside;       /* ... beside so many octets */
  const char* octets;  /* that can't be there, as NUL can't; NULL: all but
                        * printable ASCII */
  const char* missing; /* what it needs */
  const char* no_user;
  const char* authzid; /* where there is one and it says none */
  const char* octet;
  const char* length;
} limits_t;

#define NEEDS(name) name " needs a user name and a password"
#define NO_AUTHZID(name) name " can't carry an authzid"
#define NO_NUL(name) name " can't carry a NUL"
#define TOO_LONG(name) name " can't carry what is longer than a response may be"
#define OAUTH "OAUTHBEARER and XOAUTH2"

static const limits_t scram = {.needs = A_PASSWORD,
                               .says = USER | PASSWORD | AUTHZID,
                               .apart = 1,
                               .missing = NEEDS("SCRAM"),
                               .octet = "SCRAM can carry printable ASCII only"};

/* The name ends at a blank before 32 hexadecimal digits (RFC 2195 2), so that
 * it may hold blanks. The password is a key: any octets. */
static const limits_t cram_md5 = {
    .needs = A_PASSWORD,
    .says = USER,
    .beside = 33,
    .octets = "\r\n",
    .missing = NEEDS("CRAM-MD5"),
    .authzid = NO_AUTHZID("CRAM-MD5"),
    .octet = "CRAM-MD5 can't carry a NUL, CR or LF in a user name",
    .length = TOO_LONG("CRAM-MD5")};

/* RFC 4616 2. UTF-8 is not insisted on: a server that keeps its names and
 * passwords in something older compares octets. */
static const limits_t plain = {.needs = A_PASSWORD,
                               .says = USER | PASSWORD | AUTHZID,
                               .beside = 2,
                               .octets = "",
                               .missing = NEEDS("PLAIN"),
                               .octet = NO_NUL("PLAIN"),
                               .length = TOO_LONG("PLAIN")};

/* Any octets, since nothing else is in a response. */
static const limits_t login = {.needs = A_PASSWORD,
                               .says = USER | PASSWORD,
                               .apart = 1,
                               .missing = NEEDS("LOGIN"),
                               .authzid = NO_AUTHZID("LOGIN"),
                               .length = TOO_LONG("LOGIN")};

static const limits_t external = {.says = AUTHZID,
                                  .octets = "",
                                  .octet = NO_NUL("EXTERNAL"),
                                  .length = TOO_LONG("EXTERNAL")};

/* RFC 7628 3.1: 0x01 ends a field, and a name has no NUL (RFC 5801 4). What is
 * too long together is found out when it is put together. */
static const limits_t oauthbearer = {.needs = A_TOKEN,
                                     .says = USER | AUTHZID,
                                     .apart = 1,
                                     .octets = "\001",
                                     .missing = OAUTH " need a token",
                                     .octet = NO_NUL(OAUTH) " or 0x01",
                                     .length = TOO_LONG(OAUTH)};

static const limits_t xoauth2 = {.needs = A_TOKEN,
                                 .says = USER,
                                 .apart = 1,
                                 .octets = "\001",
                                 .missing = OAUTH " need a token",
                                 .no_user = "XOAUTH2 needs a user name",
                                 .authzid = NO_AUTHZID("XOAUTH2"),
                                 .octet = NO_NUL(OAUTH) " or 0x01",
                                 .length = TOO_LONG(OAUTH)};

static int has(int needs, const uvsmtp__sasl_t* s) {
  if (needs == A_TOKEN) return s->token_cb != NULL || s->token.len != 0;
  return needs == NOTHING ||
         (s->base.user.len != 0 && s->base.password.len != 0);
}

static int carries(const limits_t* l, uvsmtp_slice_t s) {
  size_t i;
  if (l->octet == NULL) return 1;
  if (l->octets == NULL) return uvsmtp__sasl_printable(s);
  for (i = 0; i <= strlen(l->octets); i++)
    if (holds(s, l->octets[i])) return 0;
  return 1;
}

static const char* unfit(const limits_t* l, const uvsmtp__sasl_t* s) {
  const uvsmtp_slice_t said[] = {s->base.user, s->base.password,
                                 s->base.authzid};
  size_t room = UVSMTP__AUTH_RAW_MAX - l->beside;
  size_t i;
  if (!has(l->needs, s)) return l->missing;
  if (l->no_user != NULL && s->base.user.len == 0) return l->no_user;
  if (l->authzid != NULL && s->base.authzid.len != 0) return l->authzid;
  for (i = 0; i < sizeof(said) / sizeof(*said); i++) {
    if ((l->says >> i & 1) == 0) continue;
    if (!carries(l, said[i])) return l->octet;
    if (l->length != NULL && said[i].len > room) return l->length;
    if (!l->apart) room -= said[i].len;
  }
  if (l->needs != A_TOKEN || s->token_cb != NULL) return NULL;
  return uvsmtp__token_unfit(s->token);
}

typedef struct row_s {
  const uvsmtp_mech_t* mech;
  const limits_t* limits;
} row_t;

/* Strongest first: a server that proves itself, then none that hears the
 * password, then a secret that is good for little else, then the password. */
static const row_t rows[UVSMTP__MECHS] = {
    {&uvsmtp__mech_scram_sha256_plus, &scram},
    {&uvsmtp__mech_scram_sha256, &scram},
    {&uvsmtp__mech_scram_sha1, &scram},
    {&uvsmtp__mech_cram_md5, &cram_md5},
    {&uvsmtp__mech_oauthbearer, &oauthbearer},
    {&uvsmtp__mech_xoauth2, &xoauth2},
    {&uvsmtp__mech_plain, &plain},
    {&uvsmtp__mech_login, &login},
    {&uvsmtp__mech_external, &external},
};

const uvsmtp_mech_t* uvsmtp_mech_at(size_t i) {
  return i < UVSMTP__MECHS ? rows[i].mech : NULL;
}

const uvsmtp_mech_t* uvsmtp__mech_named(const char* name, size_t len) {
  size_t i;
  for (i = 0; i < UVSMTP__MECHS; i++)
    if (uvsmtp__same(rows[i].mech->name, strlen(rows[i].mech->name), name, len))
      return rows[i].mech;
  return NULL;
}

const uvsmtp_mech_t* uvsmtp_mech(const char* name) {
  return name == NULL ? NULL : uvsmtp__mech_named(name, strlen(name));
}

static const limits_t* limits_of(const uvsmtp_mech_t* mech) {
  size_t i;
  for (i = 0; i < UVSMTP__MECHS; i++)
    if (rows[i].mech == mech) return rows[i].limits;
  return NULL;
}

const char* uvsmtp__mech_unfit(const uvsmtp_mech_t* mech,
                               const uvsmtp__sasl_t* sasl) {
  const limits_t* limits = limits_of(mech);
  return limits == NULL ? NULL : unfit(limits, sasl);
}

int uvsmtp__mech_has_secret(const uvsmtp_mech_t* mech,
                            const uvsmtp__sasl_t* sasl) {
  const limits_t* limits = limits_of(mech);
  return limits == NULL || has(limits->needs, sasl);
}

int uvsmtp__mech_fail(uvsmtp_exchange_t* x, int error, const char* why) {
  uvsmtp_exchange_explain(x, why, strlen(why));
  return error;
}

int uvsmtp__mech_begin(const uvsmtp_mech_t* mech, uvsmtp_exchange_t* x) {
  const char* why = uvsmtp__mech_unfit(mech, uvsmtp__sasl_of(x));
  return why == NULL ? 0 : uvsmtp__mech_fail(x, -EINVAL, why);
}

size_t uvsmtp__mech_turn(uvsmtp_exchange_t* x) {
  /* No memory for a number that fits into the pointer to it. */
  size_t turn = (size_t)(uintptr_t)uvsmtp_exchange_data(x);
  uvsmtp_exchange_set_data(x, (void*)(uintptr_t)(turn + 1));
  return turn;
}
