/* SPDX-License-Identifier: MIT */
/* watched.h: SCRAM and CRAM-MD5 in memory that is watched: no block is given
 * back with something in it. */
#ifndef TEST_UNIT_WATCHED_H
#define TEST_UNIT_WATCHED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "exchange.h"
#include "sasl/scram.h"

/* What a block held when it was given back. */
typedef struct watch_s {
  test_alloc_t alloc; /* first */
  size_t dirty;       /* blocks with something in them */
} watch_t;
extern watch_t watch;

/* Nothing is left after a test, neither blocks nor secrets in those that were
 * given back: asserted by done, or after a test of the vectors' user, whose
 * credentials are in *state. */
#define WATCHED_TEST(name) cmocka_unit_test_setup(name, watch_begin)
#define USER_TEST(name) \
  cmocka_unit_test_setup_teardown(name, user_begin, user_end)
int watch_begin(void** state);
int user_begin(void** state);
int user_end(void** state);
void done(uvsmtp_credentials_t* c);

uvsmtp_credentials_t* credentials(const char* user, const char* password,
                                  const char* authzid);
/* The vectors'. */
uvsmtp_credentials_t* user_credentials(void);

void begin(driven_t* d, uvsmtp_credentials_t* c, const uvsmtp_mech_t* mech);
void end(driven_t* d);

/* A step and the slices that come of it; how many, in *slices. */
int told(driven_t* d, const char* text, size_t len, size_t* slices);
int tell(driven_t* d, const char* text);

#define SAID(d, text) assert_int_equal(driven_said(d, text, strlen(text)), 1)

/* These words are in the explanation. */
void explained(const driven_t* d, const char* words);

/* ---- the vectors of the RFCs ---- */

typedef struct vector_s {
  const uvsmtp_mech_t* mech;
  int alg;
  const char* nonce;
  const char* first;
  const char* server_first;
  const char* final;
  const char* server_final;
} vector_t;

extern const vector_t rfc5802;
extern const vector_t rfc7677;
extern const vector_t* const vectors[2];

/* The first message, with the vector's nonce. */
void begin_vector(driven_t* d, uvsmtp_credentials_t* c, const vector_t* v);

/* What the second begins with: rfc7677's nonce and a server's. */
#define NONCE "r=rOprNGfwEbeRWgbNEkqOserver"

#endif
