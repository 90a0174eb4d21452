/* SPDX-License-Identifier: MIT */
/* crypto.c: hashes, HMAC, random, base64, and comparing and wiping secrets:
 * what differs between the versions of Mbed TLS is in the first half.
 *
 * PSA keeps keys in a table of the process, which under 2.28 threads must not
 * share; and two loops in two threads share nothing here. So HMAC is md.h's for
 * as long as there is one, and PSA's from 4.0 on. */
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
#else
#include <psa/crypto.h>
#endif
#if MBEDTLS_VERSION_MAJOR < 4
#include <mbedtls/md.h>
#endif

#include "sasl/sasl.h"

size_t uvsmtp__hash_size(int alg) {
  static const unsigned char sizes[] = {16, 20, 32};
  return sizes[alg];
}

/* ----------------------------------------------------------------- random */

#if MBEDTLS_VERSION_MAJOR < 3

int uvsmtp__crypto_init(void) { return 0; }

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

/* Undone by nobody: the host may be using it as well. */
int uvsmtp__crypto_init(void) {
  return psa_crypto_init() == PSA_SUCCESS ? 0 : UVSMTP_ETLS;
}

int uvsmtp__random(void* buf, size_t len) {
  return psa_generate_random(buf, len) == PSA_SUCCESS ? 0 : UVSMTP_ETLS;
}

#endif

/* ------------------------------------------------------------- hash, HMAC */

#if MBEDTLS_VERSION_MAJOR < 4

struct uvsmtp__hmac_s {
  uvsmtp__mem_t mem;
  mbedtls_md_context_t md;
};

static int error_of(int rc) {
  if (rc == 0) return 0;
  return rc == MBEDTLS_ERR_MD_ALLOC_FAILED ? -ENOMEM : UVSMTP_ETLS;
}

static const mbedtls_md_info_t* info_of(int alg) {
  static const mbedtls_md_type_t types[] = {
      MBEDTLS_MD_MD5,
      MBEDTLS_MD_SHA1,
      MBEDTLS_MD_SHA256,
  };
  return mbedtls_md_info_from_type(types[alg]);
}

int uvsmtp__hash(int alg, const void* data, size_t len, unsigned char* out) {
  return error_of(mbedtls_md(info_of(alg), data, len, out));
}

static int set_key(uvsmtp__hmac_t* h, int alg, const void* key, size_t len) {
  int rc;
  mbedtls_md_init(&h->md);
  rc = mbedtls_md_setup(&h->md, info_of(alg), 1);
  if (rc == 0) rc = mbedtls_md_hmac_starts(&h->md, key, len);
  return error_of(rc);
}

static void forget_key(uvsmtp__hmac_t* h) { mbedtls_md_free(&h->md); }

int uvsmtp__hmac(uvsmtp__hmac_t* h, const uvsmtp_slice_t* parts, size_t n,
                 unsigned char* out) {
  size_t i;
  int rc = mbedtls_md_hmac_reset(&h->md);
  for (i = 0; rc == 0 && i < n; i++)
    rc = mbedtls_md_hmac_update(&h->md, parts[i].base, parts[i].len);
  if (rc == 0) rc = mbedtls_md_hmac_finish(&h->md, out);
  return error_of(rc);
}

#else

struct uvsmtp__hmac_s {
  uvsmtp__mem_t mem;
  psa_key_id_t key;
  int alg;
};

static int error_of(psa_status_t rc) {
  if (rc == PSA_SUCCESS) return 0;
  return rc == PSA_ERROR_INSUFFICIENT_MEMORY ? -ENOMEM : UVSMTP_ETLS;
}

static psa_algorithm_t hash_of(int alg) {
  static const psa_algorithm_t algs[] = {
      PSA_ALG_MD5,
      PSA_ALG_SHA_1,
      PSA_ALG_SHA_256,
  };
  return algs[alg];
}

int uvsmtp__hash(int alg, const void* data, size_t len, unsigned char* out) {
  size_t made;
  return error_of(psa_hash_compute(hash_of(alg), data, len, out,
                                   uvsmtp__hash_size(alg), &made));
}

static int set_key(uvsmtp__hmac_t* h, int alg, const void* key, size_t len) {
  psa_key_attributes_t a = PSA_KEY_ATTRIBUTES_INIT;
  h->alg = alg;
  psa_set_key_type(&a, PSA_KEY_TYPE_HMAC);
  psa_set_key_usage_flags(&a, PSA_KEY_USAGE_SIGN_MESSAGE);
  psa_set_key_algorithm(&a, PSA_ALG_HMAC(hash_of(alg)));
  /* PSA has no empty keys; but zeros at the end make no other (RFC 2104 2). */
  if (len == 0) key = "";
  return error_of(psa_import_key(&a, key, len == 0 ? 1 : len, &h->key));
}

static void forget_key(uvsmtp__hmac_t* h) { (void)psa_destroy_key(h->key); }

/* What it is told to be room may be written to, all of it. */
int uvsmtp__hmac(uvsmtp__hmac_t* h, const uvsmtp_slice_t* parts, size_t n,
                 unsigned char* out) {
  psa_mac_operation_t op = PSA_MAC_OPERATION_INIT;
  psa_status_t rc =
      psa_mac_sign_setup(&op, h->key, PSA_ALG_HMAC(hash_of(h->alg)));
  size_t made;
  size_t i;
  for (i = 0; rc == PSA_SUCCESS && i < n; i++)
    rc = psa_mac_update(&op, parts[i].base, parts[i].len);
  if (rc == PSA_SUCCESS)
    rc = psa_mac_sign_finish(&op, out, uvsmtp__hash_size(h->alg), &made);
  psa_mac_abort(&op);
  return error_of(rc);
}

#endif

int uvsmtp__hmac_new(uvsmtp__hmac_t** hmac, const uvsmtp__mem_t* mem, int alg,
                     const void* key, size_t len) {
  uvsmtp__hmac_t* h = uvsmtp__alloc(mem, sizeof(*h));
  int rc;
  *hmac = NULL;
  if (h == NULL) return -ENOMEM;
  memset(h, 0, sizeof(*h));
  h->mem = *mem;
  rc = set_key(h, alg, key, len);
  if (rc == 0)
    *hmac = h;
  else
    uvsmtp__hmac_free(h);
  return rc;
}

void uvsmtp__hmac_free(uvsmtp__hmac_t* h) {
  uvsmtp__mem_t mem;
  if (h == NULL) return;
  mem = h->mem;
  forget_key(h);
  uvsmtp__wipe(h, sizeof(*h));
  uvsmtp__free(&mem, h, sizeof(*h));
}

/* ---------------------------------------------------------------- secrets */

int uvsmtp__equal(const void* a, const void* b, size_t n) {
  return mbedtls_ct_memcmp(a, b, n) == 0;
}

void uvsmtp__wipe(void* p, size_t n) { mbedtls_platform_zeroize(p, n); }

/* ----------------------------------------------------------------- base64 */

enum { PIECE = 64 };

/* Mbed TLS ends what it makes with a NUL, for which there is no room here. */
void uvsmtp__base64_encode(char* to, const void* from, size_t n) {
  const unsigned char* p = from;
  unsigned char piece[PIECE + 1];
  while (n > 0) {
    size_t take = n < PIECE / 4 * 3 ? n : PIECE / 4 * 3;
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
