/* SPDX-License-Identifier: MIT */
/* exchange.c: a mechanism, driven by a test. */
#include "exchange.h"

#include <errno.h>
#include <string.h>

static void wake(void* arg) {
  driven_t* d = arg;
  d->wakes++;
}

int driven_new(driven_t* d, test_alloc_t* alloc, uvsmtp_credentials_t* c,
               const char* host, int port) {
  uvsmtp__mem_t mem = {test_alloc, alloc};
  uvsmtp_auth_host_t h = UVSMTP_AUTH_HOST_INIT;
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(UVSMTP_OP_LOGIN);
  memset(d, 0, sizeof(*d));
  d->alloc = alloc;
  h.name = host;
  h.port = port;
  h.wake = wake;
  h.arg = d;
  r.credentials = c;
  r.auth_host = &h;
  d->x = uvsmtp__exchange_new(&mem, &r);
  return d->x == NULL ? -ENOMEM : 0;
}

void driven_free(driven_t* d) {
  if (d->x != NULL) uvsmtp__exchange_free(d->x);
  d->x = NULL;
}

void driven_begin(driven_t* d, const uvsmtp_mech_t* mech, int retry) {
  d->mech = mech;
  d->x->mech = mech;
  d->x->data = NULL;
  d->x->running = 1;
  d->x->waits = 0;
  d->x->stop = 0;
  d->x->retries = retry != 0;
}

void driven_end(driven_t* d) { uvsmtp__auth_over(d->x); }

int driven_step(driven_t* d, const char* challenge, size_t len) {
  uvsmtp_slice_t s = {challenge, len};
  int rc = d->mech->step(d->mech, d->x, challenge == NULL ? NULL : &s);
  d->x->waits = rc == UVSMTP_MECH_WAIT;
  return rc;
}

int driven_first(driven_t* d) { return driven_step(d, NULL, 0); }

int driven_told(driven_t* d, const char* text) {
  return driven_step(d, text, strlen(text));
}

int driven_said(driven_t* d, const char* octets, size_t len) {
  const uvsmtp__veil_t* v = &d->x->response;
  int same = v->len == len && (len == 0 || memcmp(v->base, octets, len) == 0);
  uvsmtp__veil_drop(d->x, &d->x->response);
  return same;
}
