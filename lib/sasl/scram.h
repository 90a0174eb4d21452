/* SPDX-License-Identifier: MIT */
/* scram.h: what the files of SCRAM (RFC 5802) have between them. */
#ifndef UVSMTP_SASL_SCRAM_H
#define UVSMTP_SASL_SCRAM_H

#include "sasl/sasl.h"

/* ---- scram.c ---- */

/* The first step with a nonce that is given: printable, no comma. binds: it is
 * -PLUS. All further ones are the mechanism's own. */
int uvsmtp__scram_first(uvsmtp_exchange_t* x, int alg, int binds,
                        const char* nonce);

/* ---- scram_text.c ---- */

enum {
  UVSMTP__SCRAM_MESSAGE_MAX = 2048, /* octets of a server's: real ones have a
                                       hundred; they are hashed in one turn of
                                       the loop */
  UVSMTP__SCRAM_SALT_MAX = 1024,    /* decoded */
  UVSMTP__SCRAM_MIN = 4096,         /* iterations (RFC 7677 4) */
  UVSMTP__SCRAM_MAX = 100000        /* a tenth of a second of computing */
};

typedef struct uvsmtp__scram_challenge_s {
  uvsmtp_slice_t nonce; /* whole: ours and the server's */
  uvsmtp_slice_t salt;  /* in base64 */
  unsigned long iterations;
} uvsmtp__scram_challenge_t;

/* Octets of a saslname (RFC 5802 7). */
size_t uvsmtp__scram_name_size(uvsmtp_slice_t name);
/* Puts it; where it ends. */
char* uvsmtp__scram_name(char* to, uvsmtp_slice_t name);
/* server-first-message; ours is the client's nonce. NULL, or what is wrong: a
 * static sentence. */
const char* uvsmtp__scram_read_first(uvsmtp__scram_challenge_t* out,
                                     uvsmtp_slice_t message,
                                     uvsmtp_slice_t ours);
/* server-final-message with a verifier, in base64; likewise. */
const char* uvsmtp__scram_read_final(uvsmtp_slice_t* verifier,
                                     uvsmtp_slice_t message);

/* ---- derive.c ---- */

/* What a password becomes by a salt (RFC 5802 3). */
typedef struct uvsmtp__scram_keys_s {
  unsigned char client[UVSMTP__HASH_MAX];
  unsigned char server[UVSMTP__HASH_MAX];
} uvsmtp__scram_keys_t;

typedef struct uvsmtp__derived_s uvsmtp__derived_t;

/* The keys for a salt: those that are kept, those that another session is at,
 * or new ones. 0, UV_ENOMEM, UVSMTP_ETLS. */
int uvsmtp__derived_get(uvsmtp__derived_t** out, uvsmtp__sasl_t* sasl, int alg,
                        uvsmtp_slice_t salt, unsigned long iterations);
/* A slice of the work. 0: *keys are there, and nothing was computed;
 * UVSMTP_MECH_AGAIN; or an error, which stays. */
int uvsmtp__derived_step(uvsmtp__derived_t* derived,
                         const uvsmtp__scram_keys_t** keys);
/* No longer needed here. What nobody finished is dropped. NULL is fine. */
void uvsmtp__derived_put(uvsmtp__derived_t* derived);

#endif
