/* SPDX-License-Identifier: MIT */
/* sasl.h: credentials, and the mechanisms that say them. Nothing here knows of
 * SMTP, and nothing waits.
 *
 *   credentials.c  who one is: copied, checked, wiped
 *   mech.c         the list of mechanisms
 *   token.c        tokens that are asked for
 *   plain.c, login.c, external.c, oauth.c, cram_md5.c, scram.c  mechanisms
 *   scram_text.c   SCRAM's messages
 *   derive.c       SCRAM's keys: made in slices, kept
 *   crypto.c       hashes, HMAC, random, by what Mbed TLS has */
#ifndef UVSMTP_SASL_SASL_H
#define UVSMTP_SASL_SASL_H

#include "core/auth.h"
#include "core/mem.h"
#include "core/queue.h"
#include "uvsmtp/auth.h"

typedef struct uvsmtp__sasl_s {
  uvsmtp_credentials_t base; /* first */
  uvsmtp__mem_t mem;
  uvsmtp_slice_t token; /* empty: none, or token_cb's */
  uvsmtp_token_cb token_cb;
  void* token_arg;
  size_t block;           /* octets allocated: this, its list, its strings */
  uvsmtp__link_t derived; /* derive.c's */
} uvsmtp__sasl_t;

/* The credentials of an exchange. */
static inline uvsmtp__sasl_t* uvsmtp__sasl_of(const uvsmtp_exchange_t* x) {
  return (uvsmtp__sasl_t*)x->credentials;
}

/* The mechanisms. */
extern const uvsmtp_mech_t uvsmtp__mech_scram_sha256_plus;
extern const uvsmtp_mech_t uvsmtp__mech_scram_sha256;
extern const uvsmtp_mech_t uvsmtp__mech_scram_sha1;
extern const uvsmtp_mech_t uvsmtp__mech_cram_md5;
extern const uvsmtp_mech_t uvsmtp__mech_oauthbearer;
extern const uvsmtp_mech_t uvsmtp__mech_xoauth2;
extern const uvsmtp_mech_t uvsmtp__mech_plain;
extern const uvsmtp_mech_t uvsmtp__mech_login;
extern const uvsmtp_mech_t uvsmtp__mech_external;

/* ---- mech.c ---- */

enum { UVSMTP__MECHS = 9 }; /* how many there are */

/* uvsmtp_mech for a name without its NUL. */
const uvsmtp_mech_t* uvsmtp__mech_named(const char* name, size_t len);
/* Why mech, one of the library's, can't say these credentials: a sentence,
 * static; or NULL: it can, or is somebody else's. */
const char* uvsmtp__mech_unfit(const uvsmtp_mech_t* mech,
                               const uvsmtp__sasl_t* sasl);
/* 1 when the password or the token that it needs is there. What it can't carry
 * of it, it says itself, in a sentence. */
int uvsmtp__mech_has_secret(const uvsmtp_mech_t* mech,
                            const uvsmtp__sasl_t* sasl);
/* Explains a step's failure in a sentence; returns error. */
int uvsmtp__mech_fail(uvsmtp_exchange_t* x, int error, const char* why);
/* As uvsmtp__mech_unfit, for a step: a mechanism may be asked for that the
 * credentials were not made for. 0, or -EINVAL, explained. */
int uvsmtp__mech_begin(const uvsmtp_mech_t* mech, uvsmtp_exchange_t* x);
/* How many steps the run has had before this one; for a mechanism that has no
 * other use for the exchange's data. */
size_t uvsmtp__mech_turn(uvsmtp_exchange_t* x);
/* 1 when there is nothing but printable ASCII, as SCRAM needs it: what SASLprep
 * (RFC 4013) leaves as it is. */
int uvsmtp__sasl_printable(uvsmtp_slice_t s);
/* Why it is no token (RFC 6750 2.1), or NULL. */
const char* uvsmtp__token_unfit(uvsmtp_slice_t token);

/* ---- token.c ---- */

/* The token of this exchange. *query is NULL at first: then token_cb is called,
 * if there is one. UVSMTP_MECH_SEND: *token holds it; UVSMTP_MECH_WAIT: the
 * exchange will be woken, ask again then; or an error. *token lives until
 * uvsmtp__token_drop. */
int uvsmtp__token_get(uvsmtp_exchange_t* x, uvsmtp_token_query_t** query,
                      uvsmtp_slice_t* token);
/* The exchange ends: wipes the token, or lets an unanswered query go. NULL is
 * fine. */
void uvsmtp__token_drop(uvsmtp_token_query_t* query);

/* ---- derive.c ---- */

/* Frees all that is kept. */
void uvsmtp__derived_free(uvsmtp__sasl_t* sasl);

/* ---- crypto.c ---- */

enum { UVSMTP__MD5, UVSMTP__SHA1, UVSMTP__SHA256 };
enum { UVSMTP__HASH_MAX = 32 };

/* What has to be done before anything else here, as often as one likes. 0 or
 * UVSMTP_ETLS. */
int uvsmtp__crypto_init(void);
size_t uvsmtp__hash_size(int alg);
/* 0, -ENOMEM or UVSMTP_ETLS, as all below. */
int uvsmtp__hash(int alg, const void* data, size_t len, unsigned char* out);
/* HMAC (RFC 2104) with a key that is set up once. */
typedef struct uvsmtp__hmac_s uvsmtp__hmac_t;
int uvsmtp__hmac_new(uvsmtp__hmac_t** hmac, const uvsmtp__mem_t* mem, int alg,
                     const void* key, size_t len);
int uvsmtp__hmac(uvsmtp__hmac_t* hmac, const uvsmtp_slice_t* parts, size_t n,
                 unsigned char* out);
/* Wipes and frees. NULL is fine. */
void uvsmtp__hmac_free(uvsmtp__hmac_t* hmac);
int uvsmtp__random(void* buf, size_t len);
/* 1 when equal; takes as long whether they are or not. */
int uvsmtp__equal(const void* a, const void* b, size_t n);
void uvsmtp__wipe(void* p, size_t n);
void uvsmtp__base64_encode(char* to, const void* from, size_t n);
/* Strictly (RFC 4648 4): nothing but the alphabet, padded, spare bits zero.
 * -EINVAL for anything else. `to` has room for n / 4 * 3. */
ptrdiff_t uvsmtp__base64_decode(void* to, const char* from, size_t n);

#endif
