/* SPDX-License-Identifier: MIT */
/* crypto.c: hashes, HMAC, random, base64, and comparing and wiping secrets:
 * what differs between the versions of Mbed TLS is in the first half.
 *
 * 2.28 has md.h for it: its PSA keeps keys in a table that threads must not
 * share, and two loops in two threads share nothing here. Later versions have
 * PSA, of which only hashes are used: a hash that is under way can be copied,
 * so HMAC's two hashes of its key are made once, which halves the time of a
 * salted password, and no key is in anybody's table. */
#include <mbedtls/version.h>

#include <errno.h>
#include <mbedtls/base64.h>
#include <mbedtls/constant_time.h>
#include <mbedtls/platform_util.h>
#include <string.h>
#if MBEDTLS_VERSION_MAJOR < 3
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/entropy_poll.h>
#include <mbedtls/md.h>
#else
#include <psa/crypto.h>
#endif

#include "sasl/sasl.h"

enum { BLOCK = 64 }; /* octets in a block of each of the hashes */

/* ------------------------------------------------- by version of Mbed TLS */

#if MBEDTLS_VERSION_MAJOR < 3

typedef mbedtls_md_context_t state_t;

int uvsmtp__crypto_init(void) { return 0; }

static int state_init(state_t* s, int alg) {
  static const mbedtls_md_type_t types[] = {
      MBEDTLS_MD_MD5,
      MBEDTLS_MD_SHA1,
      MBEDTLS_MD_SHA256,
  };
  mbedtls_md_init(s);
  return mbedtls_md_setup(s, mbedtls_md_info_from_type(types[alg]), 0);
}

static int state_start(state_t* s, int alg) {
  (void)alg;
  return mbedtls_md_starts(s);
}

static int state_copy(state_t* to, const state_t* from) {
  return mbedtls_md_clone(to, from);
}

static int state_update(state_t* s, const void* data, size_t len) {
  return mbedtls_md_update(s, data, len);
}

static int state_finish(state_t* s, int alg, unsigned char* out) {
  (void)alg;
  return mbedtls_md_finish(s, out);
}

static void state_free(state_t* s) { mbedtls_md_free(s); }

#if defined(MBEDTLS_NO_PLATFORM_ENTROPY)

typedef mbedtls_entropy_context source_t;

static void source_init(source_t* source) { mbedtls_entropy_init(source); }

static void source_free(source_t* source) { mbedtls_entropy_free(source); }

static int source_get(void* source, unsigned char* out, size_t len) {
  return mbedtls_entropy_func(source, out, len);
}

#else

/* What the system has. Mbed TLS's own collection asks that too, and all else
 * that it was built with, which can take a millisecond. */
typedef int source_t;

static void source_init(source_t* source) { *source = 0; }

static void source_free(source_t* source) { (void)source; }

static int source_get(void* source, unsigned char* out, size_t len) {
  size_t got = 0;
  int rc = mbedtls_platform_entropy_poll(source, out, len, &got);
  return rc == 0 && got == len ? 0 : MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
}

#endif

/* A generator for once: nothing to keep, and nothing to share. */
int uvsmtp__random(void* buf, size_t len) {
  source_t source;
  mbedtls_ctr_drbg_context drbg;
  int rc;
  source_init(&source);
  mbedtls_ctr_drbg_init(&drbg);
  rc = mbedtls_ctr_drbg_seed(&drbg, source_get, &source,
                             (const unsigned char*)"uvsmtp sasl", 11);
  if (rc == 0) rc = mbedtls_ctr_drbg_random(&drbg, buf, len);
  mbedtls_ctr_drbg_free(&drbg);
  source_free(&source);
  return rc == 0 ? 0 : UVSMTP_ETLS;
}

#else

typedef psa_hash_operation_t state_t;

/* Undone by nobody: the host may be using it as well. */
int uvsmtp__crypto_init(void) {
  return psa_crypto_init() == PSA_SUCCESS ? 0 : UVSMTP_ETLS;
}

static int state_init(state_t* s, int alg) {
  (void)alg;
  *s = psa_hash_operation_init();
  return 0;
}

static int state_start(state_t* s, int alg) {
  static const psa_algorithm_t algs[] = {
      PSA_ALG_MD5,
      PSA_ALG_SHA_1,
      PSA_ALG_SHA_256,
  };
  return psa_hash_setup(s, algs[alg]) != PSA_SUCCESS;
}

static int state_copy(state_t* to, const state_t* from) {
  psa_hash_abort(to);
  return psa_hash_clone(from, to) != PSA_SUCCESS;
}

static int state_update(state_t* s, const void* data, size_t len) {
  return psa_hash_update(s, data, len) != PSA_SUCCESS;
}

/* What it is told to be room may be written to, all of it. */
static int state_finish(state_t* s, int alg, unsigned char* out) {
  size_t len;
  return psa_hash_finish(s, out, uvsmtp__hash_size(alg), &len) != PSA_SUCCESS;
}

static void state_free(state_t* s) { psa_hash_abort(s); }

int uvsmtp__random(void* buf, size_t len) {
  return psa_generate_random(buf, len) == PSA_SUCCESS ? 0 : UVSMTP_ETLS;
}

#endif

/* ------------------------------------------------------------- hash, HMAC */

size_t uvsmtp__hash_size(int alg) {
  static const unsigned char sizes[] = {16, 20, 32};
  return sizes[alg];
}

int uvsmtp__hash(int alg, const void* data, size_t len, unsigned char* out) {
  state_t s;
  int rc = state_init(&s, alg);
  if (rc == 0) rc = state_start(&s, alg);
  if (rc == 0) rc = state_update(&s, data, len);
  if (rc == 0) rc = state_finish(&s, alg, out);
  state_free(&s);
  return rc == 0 ? 0 : UVSMTP_ETLS;
}

struct uvsmtp__hmac_s {
  uvsmtp__mem_t mem;
  int alg;
  state_t inner; /* have hashed the key */
  state_t outer;
  state_t work;
  unsigned char pad[BLOCK];
};

/* Starts a hash of the key, of one block, under a pad (RFC 2104 2). */
static int start_pad(uvsmtp__hmac_t* h, state_t* s, unsigned char pad) {
  size_t i;
  int rc = state_start(s, h->alg);
  for (i = 0; i < BLOCK; i++) h->pad[i] ^= pad;
  if (rc == 0) rc = state_update(s, h->pad, BLOCK);
  for (i = 0; i < BLOCK; i++) h->pad[i] ^= pad;
  return rc;
}

static int set_key(uvsmtp__hmac_t* h, const void* key, size_t len) {
  if (len > BLOCK) {
    int rc = uvsmtp__hash(h->alg, key, len, h->pad);
    if (rc != 0) return rc;
  } else if (len > 0) {
    memcpy(h->pad, key, len);
  }
  if (start_pad(h, &h->inner, 0x36) != 0) return UVSMTP_ETLS;
  return start_pad(h, &h->outer, 0x5c) == 0 ? 0 : UVSMTP_ETLS;
}

int uvsmtp__hmac_new(uvsmtp__hmac_t** hmac, const uvsmtp__mem_t* mem, int alg,
                     const void* key, size_t len) {
  uvsmtp__hmac_t* h = uvsmtp__alloc(mem, sizeof(*h));
  int rc;
  *hmac = NULL;
  if (h == NULL) return -ENOMEM;
  memset(h, 0, sizeof(*h));
  h->mem = *mem;
  h->alg = alg;
  /* All three, so that they can be freed. */
  rc = state_init(&h->inner, alg);
  rc |= state_init(&h->outer, alg);
  rc |= state_init(&h->work, alg);
  rc = rc == 0 ? set_key(h, key, len) : UVSMTP_ETLS;
  uvsmtp__wipe(h->pad, sizeof(h->pad));
  if (rc == 0)
    *hmac = h;
  else
    uvsmtp__hmac_free(h);
  return rc;
}

/* pad has the hash of the inner one meanwhile. */
int uvsmtp__hmac(uvsmtp__hmac_t* h, const uvsmtp_slice_t* parts, size_t n,
                 unsigned char* out) {
  size_t i;
  int rc = state_copy(&h->work, &h->inner);
  for (i = 0; rc == 0 && i < n; i++)
    if (parts[i].len > 0)
      rc = state_update(&h->work, parts[i].base, parts[i].len);
  if (rc == 0) rc = state_finish(&h->work, h->alg, h->pad);
  if (rc == 0) rc = state_copy(&h->work, &h->outer);
  if (rc == 0) rc = state_update(&h->work, h->pad, uvsmtp__hash_size(h->alg));
  if (rc == 0) rc = state_finish(&h->work, h->alg, out);
  return rc == 0 ? 0 : UVSMTP_ETLS;
}

void uvsmtp__hmac_free(uvsmtp__hmac_t* h) {
  uvsmtp__mem_t mem;
  if (h == NULL) return;
  mem = h->mem;
  state_free(&h->inner);
  state_free(&h->outer);
  state_free(&h->work);
  uvsmtp__wipe(h, sizeof(*h));
  uvsmtp__free(&mem, h, sizeof(*h));
}

/* ---------------------------------------------------------------- secrets */

int uvsmtp__equal(const void* a, const void* b, size_t n) {
  return mbedtls_ct_memcmp(a, b, n) == 0;
}

void uvsmtp__wipe(void* p, size_t n) { mbedtls_platform_zeroize(p, n); }

/* ----------------------------------------------------------------- base64 */

/* Mbed TLS ends what it makes with a NUL, for which there is no room here. */
void uvsmtp__base64_encode(char* to, const void* from, size_t n) {
  const unsigned char* p = from;
  unsigned char piece[BLOCK + 1];
  while (n > 0) {
    size_t take = n < BLOCK / 4 * 3 ? n : BLOCK / 4 * 3;
    size_t made = 0;
    (void)mbedtls_base64_encode(piece, sizeof(piece), &made, p, take);
    memcpy(to, piece, made);
    to += made;
    p += take;
    n -= take;
  }
  uvsmtp__wipe(piece, sizeof(piece));
}

/* Mbed TLS leaves out line ends and blanks before them, takes what lacks its
 * padding, and bits that say nothing (RFC 4648 3.5). */
ptrdiff_t uvsmtp__base64_decode(void* to, const char* from, size_t n) {
  unsigned char* out = to;
  size_t i, made = 0, rest;
  char last[4];
  if (n == 0) return 0;
  if (n % 4 != 0) return -EINVAL;
  for (i = 0; i < n; i++)
    if (from[i] == ' ' || from[i] == '\r' || from[i] == '\n') return -EINVAL;
  if (mbedtls_base64_decode(out, n / 4 * 3, &made, (const unsigned char*)from,
                            n) != 0)
    return -EINVAL;
  rest = made - (n / 4 - 1) * 3; /* octets in the last four characters */
  uvsmtp__base64_encode(last, out + made - rest, rest);
  i = memcmp(last, from + n - 4, 4) == 0;
  uvsmtp__wipe(last, sizeof(last));
  return i ? (ptrdiff_t)made : -EINVAL;
}
