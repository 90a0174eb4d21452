/* SPDX-License-Identifier: MIT */
/* test_derive.c: SCRAM's keys: made in slices, shared and kept, without memory;
 * and what is left of them on the stack and in memory, which is nothing. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "watched.h"

/* ---------------------------------------------------------- made once, kept */

/* server-first with salt number n. */
static const char* salted(size_t n, const char* count) {
  static char text[128];
  char salt[5] = {0};
  unsigned char raw[3] = {0, 0, (unsigned char)n};
  uvsmtp__base64_encode(salt, raw, 3);
  sprintf(text, NONCE ",s=%s,i=%s", salt, count);
  return text;
}

/* A login's work with this: how many slices. */
static size_t work(uvsmtp_credentials_t* c, const vector_t* v,
                   const char* first) {
  char text[128];
  driven_t d;
  size_t slices;
  begin(&d, c, v->mech);
  assert_int_equal(uvsmtp__scram_first(d.x, v->alg, 0, rfc7677.nonce),
                   UVSMTP_MECH_CONTINUE);
  uvsmtp__veil_drop(d.x, &d.x->response);
  strcpy(text, first);
  assert_int_equal(told(&d, text, strlen(text), &slices), UVSMTP_MECH_CONTINUE);
  assert_true(d.x->response.len > 0);
  end(&d);
  return slices;
}

static size_t kept(uvsmtp_credentials_t* c) {
  const uvsmtp__link_t* head = &((uvsmtp__sasl_t*)c)->derived;
  const uvsmtp__link_t* link;
  size_t n = 0;
  for (link = head->next; link != head; link = link->next) n++;
  return n;
}

static void test_kept(void** state) {
  uvsmtp_credentials_t* c = *state;
  uvsmtp_credentials_t* other = user_credentials();
  size_t i;
  /* By salt, count and hash, and for these credentials. */
  assert_int_equal(work(c, &rfc7677, salted(1, "4096")), 64);
  assert_int_equal(work(c, &rfc7677, salted(1, "4096")), 0);
  assert_int_equal(work(c, &rfc7677, salted(2, "4096")), 64);
  assert_int_equal(work(c, &rfc7677, salted(1, "4097")), 64);
  assert_int_equal(work(c, &rfc7677, salted(1, "4098")), 65);
  assert_int_equal(work(c, &rfc5802, salted(1, "4096")), 64);
  assert_int_equal(work(c, &rfc7677, NONCE ",s=AAABAA==,i=4096"), 64);
  assert_int_equal(work(other, &rfc7677, salted(1, "4096")), 64);
  assert_int_equal(work(c, &rfc7677, salted(1, "4096")), 0);
  assert_int_equal(kept(c), 6);
  uvsmtp_credentials_unref(other);
  /* Eight, of which the one that was used longest ago goes. */
  for (i = 10; i < 18; i++)
    assert_int_equal(work(c, &rfc7677, salted(i, "4096")), 64);
  assert_int_equal(kept(c), 8);
  for (i = 10; i < 18; i++)
    assert_int_equal(work(c, &rfc7677, salted(i, "4096")), 0);
  assert_int_equal(work(c, &rfc7677, salted(10, "4096")), 0);
  assert_int_equal(work(c, &rfc7677, salted(18, "4096")), 64);
  assert_int_equal(kept(c), 8);
  assert_int_equal(work(c, &rfc7677, salted(10, "4096")), 0);
  assert_int_equal(work(c, &rfc7677, salted(12, "4096")), 0);
  assert_int_equal(work(c, &rfc7677, salted(11, "4096")), 64);
  assert_int_equal(work(c, &rfc7677, salted(13, "4096")), 64);
  assert_int_equal(kept(c), 8);
}

/* Sessions at the same keys at the same time do the work of one, in turn. */
static void test_shared(void** state) {
  uvsmtp_credentials_t* c = *state;
  driven_t d[3];
  size_t i, slices = 0, open = 3;
  int over[3] = {0};
  for (i = 0; i < 3; i++) begin_vector(&d[i], c, &rfc7677);
  while (open > 0) {
    for (i = 0; i < 3; i++) {
      int rc;
      if (over[i]) continue;
      rc = driven_told(&d[i], rfc7677.server_first);
      if (rc == UVSMTP_MECH_AGAIN) {
        slices++;
        continue;
      }
      assert_int_equal(rc, UVSMTP_MECH_CONTINUE);
      over[i] = 1;
      open--;
    }
  }
  assert_int_equal(slices, 64);
  assert_int_equal(kept(c), 1);
  for (i = 0; i < 3; i++) {
    SAID(&d[i], rfc7677.final);
    assert_int_equal(tell(&d[i], rfc7677.server_final), UVSMTP_MECH_SEND);
    end(&d[i]);
  }
}

/* Who began goes away, another goes on; when nobody is left, what is not
 * finished goes too. */
static void test_left_alone(void** state) {
  uvsmtp_credentials_t* c = *state;
  driven_t d[2];
  size_t i, slices;
  begin_vector(&d[0], c, &rfc7677);
  begin_vector(&d[1], c, &rfc7677);
  for (i = 0; i < 40; i++)
    assert_int_equal(driven_told(&d[0], rfc7677.server_first),
                     UVSMTP_MECH_AGAIN);
  assert_int_equal(driven_told(&d[1], rfc7677.server_first), UVSMTP_MECH_AGAIN);
  end(&d[0]);
  assert_int_equal(kept(c), 1);
  assert_int_equal(
      told(&d[1], rfc7677.server_first, strlen(rfc7677.server_first), &slices),
      UVSMTP_MECH_CONTINUE);
  assert_int_equal(slices, 23);
  SAID(&d[1], rfc7677.final);
  end(&d[1]);
  assert_int_equal(kept(c), 1);
  begin_vector(&d[0], c, &rfc5802);
  assert_int_equal(driven_told(&d[0], rfc5802.server_first), UVSMTP_MECH_AGAIN);
  assert_int_equal(kept(c), 2);
  end(&d[0]);
  assert_int_equal(kept(c), 1);
}

/* What is in use stays, however much that is. */
static void test_in_use(void** state) {
  enum { MANY = 12 };
  uvsmtp_credentials_t* c = *state;
  driven_t d[MANY];
  size_t i;
  assert_int_equal(work(c, &rfc7677, salted(200, "4096")), 64);
  for (i = 0; i < MANY; i++) {
    begin_vector(&d[i], c, &rfc7677);
    assert_int_equal(driven_told(&d[i], salted(i, "4096")), UVSMTP_MECH_AGAIN);
  }
  assert_int_equal(kept(c), MANY);
  for (i = 0; i < MANY; i++)
    assert_int_equal(tell(&d[i], ""), UVSMTP_MECH_CONTINUE);
  for (i = 0; i < MANY; i++) end(&d[i]);
  assert_int_equal(kept(c), 8);
  for (i = MANY - 8; i < MANY; i++)
    assert_int_equal(work(c, &rfc7677, salted(i, "4096")), 0);
}

/* ----------------------------------------------------------------- memory */

/* One whole login; 0: content, else the error. */
static int login(uvsmtp_credentials_t* c, const vector_t* v) {
  driven_t d;
  int rc;
  begin(&d, c, v->mech);
  rc = uvsmtp__scram_first(d.x, v->alg, 0, v->nonce);
  uvsmtp__veil_drop(d.x, &d.x->response);
  if (rc == UVSMTP_MECH_CONTINUE) rc = tell(&d, v->server_first);
  uvsmtp__veil_drop(d.x, &d.x->response);
  if (rc == UVSMTP_MECH_CONTINUE) rc = tell(&d, v->server_final);
  end(&d);
  return rc;
}

static void test_no_memory(void** state) {
  size_t i, k, begun = 0;
  int rc = 0;
  (void)state;
  for (k = 0; k < 2; k++) {
    for (i = 1; i < 100; i++) {
      uvsmtp_credentials_t* c = user_credentials();
      /* Not the exchange's own block. */
      watch.alloc.fail_at = watch.alloc.requests + 1 + i;
      rc = login(c, vectors[k]);
      begun = watch.alloc.failed;
      watch.alloc.fail_at = 0;
      watch.alloc.failed = 0;
      if (begun == 0) {
        assert_int_equal(rc, UVSMTP_MECH_SEND);
        uvsmtp_credentials_unref(c);
        break;
      }
      assert_int_equal(rc, -ENOMEM);
      /* Nothing broken is kept. */
      assert_int_equal(login(c, vectors[k]), UVSMTP_MECH_SEND);
      uvsmtp_credentials_unref(c);
      assert_int_equal(watch.alloc.blocks, 0);
    }
    assert_in_range(i, 8, 99);
  }
  assert_int_equal(watch.dirty, 0);
}

/* The last slice has no memory: who shares it fails likewise, who comes later
 * begins anew. */
static void test_no_memory_shared(void** state) {
  uvsmtp_credentials_t* c = *state;
  driven_t d[2];
  size_t i;
  begin_vector(&d[0], c, &rfc7677);
  begin_vector(&d[1], c, &rfc7677);
  for (i = 0; i < 63; i++)
    assert_int_equal(driven_told(&d[i % 2], rfc7677.server_first),
                     UVSMTP_MECH_AGAIN);
  watch.alloc.fail_at = watch.alloc.requests + 1;
  assert_int_equal(driven_told(&d[0], rfc7677.server_first), -ENOMEM);
  assert_int_equal(driven_told(&d[1], rfc7677.server_first), -ENOMEM);
  assert_int_equal(kept(c), 0);
  assert_int_equal(login(c, &rfc7677), UVSMTP_MECH_SEND);
  end(&d[0]);
  end(&d[1]);
  assert_int_equal(kept(c), 1);
}

/* Closed at every place of a login. */
static void test_cut(void** state) {
  size_t stop;
  (void)state;
  for (stop = 0; stop < 4; stop++) {
    uvsmtp_credentials_t* c = user_credentials();
    driven_t d;
    begin(&d, c, rfc7677.mech);
    if (stop > 0)
      assert_int_equal(
          uvsmtp__scram_first(d.x, UVSMTP__SHA256, 0, rfc7677.nonce),
          UVSMTP_MECH_CONTINUE);
    if (stop > 1)
      assert_int_equal(driven_told(&d, rfc7677.server_first),
                       UVSMTP_MECH_AGAIN);
    if (stop > 2) {
      uvsmtp__veil_drop(d.x, &d.x->response);
      assert_int_equal(tell(&d, rfc7677.server_first), UVSMTP_MECH_CONTINUE);
    }
    end(&d);
    done(c);
  }
}

/* --------------------------------------------------------------- the stack */

enum { STACK = 256 * 1024 };

/* Only the calls that are looked at: what this test itself says or compares
 * stays off that stack. */
static driven_t walker;
static int walked[3];

static void* walk(void* arg) {
  (void)arg;
  walked[0] = driven_first(&walker);
  return NULL;
}

static void* walk_on(void* arg) {
  walked[1] = tell(&walker, arg);
  return NULL;
}

static void on_stack(char* stack, void* (*run)(void*), void* arg) {
  pthread_attr_t attr;
  pthread_t thread;
  assert_int_equal(pthread_attr_init(&attr), 0);
  assert_int_equal(pthread_attr_setstack(&attr, stack, STACK), 0);
  assert_int_equal(pthread_create(&thread, &attr, run, arg), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  pthread_attr_destroy(&attr);
}

static int holds(const char* in, size_t n, const void* what, size_t len) {
  size_t i;
  for (i = 0; i + len <= n; i++)
    if (memcmp(in + i, what, len) == 0) return 1;
  return 0;
}

/* What the password becomes on the way, as its owner can compute it. */
static void compute(unsigned char keys[5][32]) {
  uvsmtp__mem_t mem = {test_alloc, &watch.alloc};
  uvsmtp__hmac_t* hmac;
  unsigned char u[32];
  char salt[32];
  uvsmtp_slice_t part = {salt, 20};
  int i, k;
  assert_int_equal(uvsmtp__base64_decode(salt, "W22ZaJ0SNY7soEsUEjb6gQ==", 24),
                   16);
  memcpy(salt + 16, "\0\0\0\1", 4);
  memset(keys, 0, 5 * 32);
  assert_int_equal(uvsmtp__hmac_new(&hmac, &mem, UVSMTP__SHA256, "pencil", 6),
                   0);
  for (i = 0; i < 4096; i++) {
    assert_int_equal(uvsmtp__hmac(hmac, &part, 1, u), 0);
    for (k = 0; k < 32; k++) keys[0][k] ^= u[k];
    part.base = u;
    part.len = 32;
  }
  memcpy(keys[4], u, 32);
  uvsmtp__hmac_free(hmac);
  assert_int_equal(uvsmtp__hmac_new(&hmac, &mem, UVSMTP__SHA256, keys[0], 32),
                   0);
  part.base = "Client Key";
  part.len = 10;
  assert_int_equal(uvsmtp__hmac(hmac, &part, 1, keys[1]), 0);
  part.base = "Server Key";
  assert_int_equal(uvsmtp__hmac(hmac, &part, 1, keys[2]), 0);
  uvsmtp__hmac_free(hmac);
  assert_int_equal(uvsmtp__hash(UVSMTP__SHA256, keys[1], 32, keys[3]), 0);
}

/* How many blocks in use have the octets in them. */
static size_t holding(const unsigned char* octets) {
  static const char* secrets[2];
  char text[9] = {0};
  size_t at, n;
  /* Without a NUL: some eight of them. */
  for (at = 0; memchr(octets + at, 0, 8) != NULL; at++) assert_true(at < 24);
  memcpy(text, octets + at, 8);
  secrets[0] = text;
  watch.alloc.secrets = secrets;
  n = test_alloc_holding(&watch.alloc);
  watch.alloc.secrets = NULL;
  return n;
}

/* Neither the salted password nor a key is on the stack, or in any block but
 * where the keys are kept. */
static void test_stack(void** state) {
  static const char* const names[] = {"SaltedPassword", "ClientKey",
                                      "ServerKey", "StoredKey", "U"};
  uvsmtp_credentials_t* c = *state;
  unsigned char keys[5][32];
  char text[256];
  char* stack = NULL;
  size_t i, at;
  compute(keys);
  assert_int_equal(posix_memalign((void**)&stack, 4096, STACK), 0);
  memset(stack, 0, STACK);
  begin(&walker, c, rfc7677.mech);
  on_stack(stack, walk, NULL);
  assert_int_equal(walked[0], UVSMTP_MECH_CONTINUE);
  /* Our nonce, and the rest of the vector. */
  at = (size_t)sprintf(text, "r=%.32s!", (char*)walker.x->response.base + 12);
  strcpy(text + at, ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
  uvsmtp__veil_drop(walker.x, &walker.x->response);
  on_stack(stack, walk_on, text);
  assert_int_equal(walked[1], UVSMTP_MECH_CONTINUE);
  for (i = 0; i < 5; i++)
    for (at = 0; at + 8 <= 32; at += 8)
      if (holds(stack, STACK, keys[i] + at, 8))
        fail_msg("%s is on the stack", names[i]);
  assert_int_equal(holds((const char*)keys, sizeof(keys), keys[2] + 8, 8), 1);
  assert_int_equal(holding(keys[0]), 0);
  assert_int_equal(holding(keys[1]), 1);
  assert_int_equal(holding(keys[2]), 1);
  assert_int_equal(holding(keys[3]), 0);
  assert_int_equal(holding(keys[4]), 0);
  end(&walker);
  free(stack);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      USER_TEST(test_kept),         USER_TEST(test_shared),
      USER_TEST(test_left_alone),   USER_TEST(test_in_use),
      WATCHED_TEST(test_no_memory), USER_TEST(test_no_memory_shared),
      WATCHED_TEST(test_cut),       USER_TEST(test_stack),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
