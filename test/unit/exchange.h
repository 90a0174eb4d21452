/* SPDX-License-Identifier: MIT */
/* exchange.h: a mechanism, driven by a test: each step by itself, with what it
 * said. */
#ifndef TEST_UNIT_EXCHANGE_H
#define TEST_UNIT_EXCHANGE_H

#include "alloc.h"
#include "core/auth.h"
#include "core/mem.h"

typedef struct driven_s {
  uvsmtp_exchange_t* x;
  const uvsmtp_mech_t* mech;
  test_alloc_t* alloc;
  unsigned int wakes;
} driven_t;

/* At rest, with a reference to the credentials. An empty host and port 0 are
 * unknown. 0, or -ENOMEM. */
int driven_new(driven_t* d, test_alloc_t* alloc, uvsmtp_credentials_t* c,
               const char* host, int port);
void driven_free(driven_t* d);

/* A run begins: retry as uvsmtp_exchange_retries. */
void driven_begin(driven_t* d, const uvsmtp_mech_t* mech, int retry);
/* ... and ends: the mechanism's finish, and all that is secret is wiped. */
void driven_end(driven_t* d);

/* One step, with a challenge, or NULL. */
int driven_step(driven_t* d, const char* challenge, size_t len);
int driven_first(driven_t* d);
int driven_told(driven_t* d, const char* text);

/* 1 when the response is these octets; forgets it. */
int driven_said(driven_t* d, const char* octets, size_t len);

#endif
