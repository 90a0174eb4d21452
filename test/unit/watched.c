/* SPDX-License-Identifier: MIT */
/* watched.c: see watched.h. */
#include "watched.h"

watch_t watch;

static void* watch_alloc(void* data, void* ptr, size_t old_size,
                         size_t new_size) {
  const char* octets = ptr;
  size_t i;
  /* Sentences for people need not be wiped; the exchange itself is no secret,
   * but is not the mechanisms' either. */
  if (old_size >= 5 && memcmp(octets, "SCRAM", 5) != 0 &&
      memcmp(octets, "CRAM-", 5) != 0)
    for (i = 0; i < old_size; i++)
      if (octets[i] != 0) {
        watch.dirty++;
        break;
      }
  return test_alloc(data, ptr, old_size, new_size);
}

static const uvsmtp_mem_t watched = {sizeof(uvsmtp_mem_t), watch_alloc, &watch};

uvsmtp_credentials_t* credentials(const char* user, const char* password,
                                  const char* authzid) {
  uvsmtp_credentials_config_t c = UVSMTP_CREDENTIALS_CONFIG_INIT;
  uvsmtp_credentials_t* made = NULL;
  c.mem = &watched;
  c.user = user;
  c.password = password;
  c.authzid = authzid;
  assert_int_equal(uvsmtp_credentials_new(&made, &c, NULL), 0);
  return made;
}

void begin(driven_t* d, uvsmtp_credentials_t* c, const uvsmtp_mech_t* mech) {
  assert_int_equal(driven_new(d, &watch.alloc, c, "", 0), 0);
  d->x->mem.alloc = watch_alloc;
  driven_begin(d, mech, 0);
}

void end(driven_t* d) {
  driven_end(d);
  d->x->mem.alloc = test_alloc;
  driven_free(d);
}

void done(uvsmtp_credentials_t* c) {
  uvsmtp_credentials_unref(c);
  assert_int_equal(watch.alloc.blocks, 0);
  assert_int_equal(watch.dirty, 0);
}

int watch_begin(void** state) {
  (void)state;
  memset(&watch, 0, sizeof(watch));
  return 0;
}

uvsmtp_credentials_t* user_credentials(void) {
  return credentials("user", "pencil", NULL);
}

int user_begin(void** state) {
  (void)watch_begin(state);
  *state = user_credentials();
  return 0;
}

int user_end(void** state) {
  done(*state);
  return 0;
}

int told(driven_t* d, const char* text, size_t len, size_t* slices) {
  int rc;
  *slices = 0;
  while ((rc = driven_step(d, text, len)) == UVSMTP_MECH_AGAIN) ++*slices;
  return rc;
}

int tell(driven_t* d, const char* text) {
  size_t slices;
  return told(d, text, strlen(text), &slices);
}

void explained(const driven_t* d, const char* words) {
  assert_non_null(d->x->detail);
  if (strstr(d->x->detail, words) == NULL)
    fail_msg("\"%s\" is not in \"%s\"", words, d->x->detail);
}

/* ---------------------------------------------------------------- vectors */

const vector_t rfc5802 = {
    &uvsmtp__mech_scram_sha1,
    UVSMTP__SHA1,
    "fyko+d2lbbFgONRv9qkxdawL",
    "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
    "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
};

const vector_t rfc7677 = {
    &uvsmtp__mech_scram_sha256,
    UVSMTP__SHA256,
    "rOprNGfwEbeRWgbNEkqO",
    "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
};

const vector_t* const vectors[2] = {&rfc5802, &rfc7677};

void begin_vector(driven_t* d, uvsmtp_credentials_t* c, const vector_t* v) {
  begin(d, c, v->mech);
  assert_int_equal(uvsmtp__scram_first(d->x, v->alg, 0, v->nonce),
                   UVSMTP_MECH_CONTINUE);
  SAID(d, v->first);
}
