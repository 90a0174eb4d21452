/* SPDX-License-Identifier: MIT */
/* test_crypto.c: hashes and HMAC by their RFCs' vectors, base64 by the letter,
 * and keys that are gone when they are freed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "alloc.h"
#include "sasl/sasl.h"

static const char* hex(const unsigned char* p, size_t n) {
  static char text[2 * UVSMTP__HASH_MAX + 1];
  static const char digits[] = "0123456789abcdef";
  size_t i;
  for (i = 0; i < n; i++) {
    text[2 * i] = digits[p[i] >> 4];
    text[2 * i + 1] = digits[p[i] & 15];
  }
  text[2 * n] = '\0';
  return text;
}

/* ----------------------------------------------------------------- hashes */

static void hash_is(int alg, const char* text, const char* expected) {
  unsigned char out[UVSMTP__HASH_MAX + 1];
  size_t size = uvsmtp__hash_size(alg);
  size_t i;
  memset(out, '#', sizeof(out));
  assert_int_equal(strlen(expected), 2 * size);
  assert_int_equal(uvsmtp__hash(alg, text, strlen(text), out), 0);
  for (i = size; i < sizeof(out); i++) assert_int_equal(out[i], '#');
  assert_string_equal(hex(out, size), expected);
}

/* RFC 1321 A.5, FIPS 180. */
static void test_hash(void** state) {
  (void)state;
  hash_is(UVSMTP__MD5, "", "d41d8cd98f00b204e9800998ecf8427e");
  hash_is(UVSMTP__MD5, "abc", "900150983cd24fb0d6963f7d28e17f72");
  hash_is(UVSMTP__SHA1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  hash_is(UVSMTP__SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
  hash_is(UVSMTP__SHA256, "",
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  hash_is(UVSMTP__SHA256, "abc",
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* ------------------------------------------------------------------- HMAC */

typedef struct vector_s {
  int alg;
  size_t key_len;
  const char* key; /* NULL: key_len times fill */
  int fill;
  const char* data; /* NULL: 50 times 0xdd */
  const char* expected;
} vector_t;

#define LARGER "Test Using Larger Than Block-Size Key - Hash Key First"

/* RFC 2202, 4231; keys of a block and one more octet are Python's. */
static const vector_t vectors[] = {
    {UVSMTP__MD5, 16, NULL, 0x0b, "Hi There",
     "9294727a3638bb1c13f48ef8158bfc9d"},
    {UVSMTP__MD5, 4, "Jefe", 0, "what do ya want for nothing?",
     "750c783e6ab0b503eaa86e310a5db738"},
    {UVSMTP__MD5, 16, NULL, 0xaa, NULL, "56be34521d144c88dbb8c733f0e8b3f6"},
    {UVSMTP__MD5, 80, NULL, 0xaa, LARGER, "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd"},
    {UVSMTP__SHA1, 20, NULL, 0x0b, "Hi There",
     "b617318655057264e28bc0b6fb378c8ef146be00"},
    {UVSMTP__SHA1, 4, "Jefe", 0, "what do ya want for nothing?",
     "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
    {UVSMTP__SHA1, 80, NULL, 0xaa, LARGER,
     "aa4ae5e15272d00e95705637ce8a3b55ed402112"},
    {UVSMTP__SHA256, 20, NULL, 0x0b, "Hi There",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {UVSMTP__SHA256, 4, "Jefe", 0, "what do ya want for nothing?",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {UVSMTP__SHA256, 20, NULL, 0xaa, NULL,
     "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
    {UVSMTP__SHA256, 131, NULL, 0xaa, LARGER,
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    {UVSMTP__SHA256, 64, NULL, 0x61, "b",
     "cdb6d0987bc7bc99f08f0fd9801628955d1f965f486bef737f8bb1fb5648d8e7"},
    {UVSMTP__SHA256, 65, NULL, 0x61, "b",
     "2eb58c0728b549a487f55d4824a97f874d7b740940cc74dfc96ebebaa3273260"},
    {UVSMTP__SHA256, 0, "", 0, "b",
     "6303a85bb6ce539d45aac0daf7cde7a248051feb5ac86499ca4f5159e2886ea2"},
};

/* In one piece, split in two at every place, and again with the same key. */
static void check_vector(const vector_t* v) {
  test_alloc_t alloc = {0};
  uvsmtp__mem_t mem = {test_alloc, &alloc};
  size_t size = uvsmtp__hash_size(v->alg);
  unsigned char out[UVSMTP__HASH_MAX];
  char key[256];
  char data[64];
  size_t len, i;
  uvsmtp__hmac_t* hmac;
  if (v->key == NULL)
    memset(key, v->fill, v->key_len);
  else
    memcpy(key, v->key, v->key_len);
  len = v->data == NULL ? 50 : strlen(v->data);
  if (v->data == NULL)
    memset(data, 0xdd, len);
  else
    memcpy(data, v->data, len);
  assert_int_equal(uvsmtp__hmac_new(&hmac, &mem, v->alg, key, v->key_len), 0);
  for (i = 0; i <= len; i++) {
    uvsmtp_slice_t parts[2] = {{data, i}, {data + i, len - i}};
    memset(out, 0, sizeof(out));
    assert_int_equal(uvsmtp__hmac(hmac, parts, 2, out), 0);
    assert_string_equal(hex(out, size), v->expected);
  }
  uvsmtp__hmac_free(hmac);
  assert_int_equal(alloc.blocks, 0);
}

static void test_hmac(void** state) {
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
    check_vector(&vectors[i]);
}

static size_t dirty; /* octets that were not wiped */

static void* watch_alloc(void* data, void* ptr, size_t old_size,
                         size_t new_size) {
  size_t i;
  for (i = 0; i < old_size; i++) dirty += ((char*)ptr)[i] != 0;
  return test_alloc(data, ptr, old_size, new_size);
}

static void test_hmac_memory(void** state) {
  test_alloc_t alloc = {0};
  uvsmtp__mem_t mem = {watch_alloc, &alloc};
  uvsmtp_slice_t part = {"text", 4};
  unsigned char out[UVSMTP__HASH_MAX];
  static const char* const secrets[] = {"secret", NULL};
  uvsmtp__hmac_t* hmac = (uvsmtp__hmac_t*)out;
  (void)state;
  alloc.fail_at = 1;
  assert_int_equal(uvsmtp__hmac_new(&hmac, &mem, UVSMTP__SHA1, "key", 3),
                   -ENOMEM);
  assert_null(hmac);
  uvsmtp__hmac_free(NULL);
  assert_int_equal(uvsmtp__hmac_new(&hmac, &mem, UVSMTP__SHA1, "secret", 6), 0);
  alloc.secrets = secrets;
  assert_int_equal(test_alloc_holding(&alloc), 0);
  assert_int_equal(uvsmtp__hmac(hmac, &part, 1, out), 0);
  dirty = 0;
  uvsmtp__hmac_free(hmac);
  assert_int_equal(dirty, 0);
  assert_int_equal(alloc.blocks, 0);
}

/* ------------------------------------------------- random, equal, and wipe */

static void test_random(void** state) {
  unsigned char a[64], b[64];
  (void)state;
  memset(a, 0, sizeof(a));
  memset(b, 0, sizeof(b));
  assert_int_equal(uvsmtp__random(a, sizeof(a)), 0);
  assert_int_equal(uvsmtp__random(b, sizeof(b)), 0);
  assert_memory_not_equal(a, b, 32);
  assert_memory_not_equal(a + 32, b + 32, 32);
  assert_memory_not_equal(a, a + 32, 32);
}

static void test_equal(void** state) {
  char a[32] = {0};
  char b[32] = {0};
  size_t i;
  (void)state;
  assert_int_equal(uvsmtp__equal(a, b, sizeof(a)), 1);
  for (i = 0; i < sizeof(a); i++) {
    b[i] = (char)0x80;
    assert_int_equal(uvsmtp__equal(a, b, sizeof(a)), 0);
    assert_int_equal(uvsmtp__equal(a, b, i), 1);
    b[i] = 0;
  }
}

static void test_wipe(void** state) {
  char a[8] = "abcdefg";
  (void)state;
  uvsmtp__wipe(a + 1, 3);
  assert_memory_equal(a, "a\0\0\0efg", 8);
}

/* ----------------------------------------------------------------- base64 */

/* RFC 4648 10. */
static void test_base64(void** state) {
  static const char* const pairs[][2] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {"\377\376\375\373\357\277", "//79+++/"},
  };
  char out[32];
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
    size_t plain = strlen(pairs[i][0]);
    size_t coded = strlen(pairs[i][1]);
    memset(out, '#', sizeof(out));
    uvsmtp__base64_encode(out, pairs[i][0], plain);
    assert_memory_equal(out, pairs[i][1], coded);
    assert_int_equal(out[coded], '#'); /* no NUL */
    memset(out, '#', sizeof(out));
    assert_int_equal(uvsmtp__base64_decode(out, pairs[i][1], coded), plain);
    assert_memory_equal(out, pairs[i][0], plain);
  }
}

/* All lengths, every octet, into blocks of just the size. */
static void test_base64_lengths(void** state) {
  size_t n, i;
  (void)state;
  for (n = 1; n < 400; n++) {
    size_t coded = (n + 2) / 3 * 4;
    unsigned char* from = malloc(n);
    char* text = malloc(coded);
    unsigned char* to = malloc(coded / 4 * 3);
    assert_non_null(from);
    assert_non_null(text);
    assert_non_null(to);
    for (i = 0; i < n; i++) from[i] = (unsigned char)(i * 7 + n * 13);
    uvsmtp__base64_encode(text, from, n);
    assert_int_equal(uvsmtp__base64_decode(to, text, coded), n);
    assert_memory_equal(to, from, n);
    free(from);
    free(text);
    free(to);
  }
}

static void test_base64_strict(void** state) {
  static const char* const bad[] = {
      "Z",
      "Zm",
      "Zm9",
      "Zg=",
      "Zm9vY",
      "AAAAA",
      "AAAAAA",
      "====",
      "Z===",
      "Zm=v",
      "=m9v",
      "Zg==Zg==",
      "Zm9v====",
      "Zm9v\n\n\n\n\n\n\n\n",
      "Zm9v\r\n\r\n\r\n\r\n",
      "Zm9v        ",
      "Zm9v       \n",
      "Zm9v\r\n",
      "Zm9\n",
      " Zm9",
      "Zm9 ",
      "Zm 9vY==",
      "Zm9vYg= ",
      "Zm9\rvYmF",
      "Zm9-",
      "Zm9_",
      "Zm9*",
      "Zm9\200",
      "Zh==",
      "Zn==",
      "Zm9=",
      "Zm+=",
      "Zm9vYh==",
      "Zm9vYmH=",
      "\r\n\r\n",
      "    ",
  };
  char out[16];
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    assert_int_equal(uvsmtp__base64_decode(out, bad[i], strlen(bad[i])),
                     -EINVAL);
  assert_int_equal(uvsmtp__base64_decode(out, "Zm\0v", 4), -EINVAL);
}

/* ----------------------------------------------------------------- memory */

static int refuse_in = -1; /* that many more of them succeed; -1: all */
static int refused;

/* Stands for the library's own, which asks malloc for a hash's memory; declared
 * here since not all versions of Mbed TLS have it. */
int mbedtls_md_setup(void* ctx, const void* info, int hmac);
int mbedtls_md_setup(void* ctx, const void* info, int hmac) {
  int (*next)(void*, const void*, int);
  void* found = dlsym(RTLD_NEXT, "mbedtls_md_setup");
  memcpy(&next, &found, sizeof(next));
  if (refuse_in == 0) {
    refused = 1;
    return -0x5180; /* MBEDTLS_ERR_MD_ALLOC_FAILED */
  }
  if (refuse_in > 0) refuse_in--;
  return next(ctx, info, hmac);
}

/* Want of memory is no want of a hash: whoever takes it for one tries a weaker
 * mechanism. Some versions of Mbed TLS need none. */
static void test_memory_of_hashes(void** state) {
  static const uvsmtp__mem_t mem = {uvsmtp__default_alloc, NULL};
  unsigned char out[UVSMTP__HASH_MAX];
  uvsmtp__hmac_t* hmac;
  int i;
  (void)state;
  for (i = 0; i < 3; i++) {
    int rc;
    refused = 0;
    refuse_in = i;
    rc = uvsmtp__hmac_new(&hmac, &mem, UVSMTP__MD5, "k", 1);
    refuse_in = -1;
    assert_int_equal(rc, refused ? -ENOMEM : 0);
    uvsmtp__hmac_free(hmac);
  }
  refused = 0;
  refuse_in = 0;
  i = uvsmtp__hash(UVSMTP__SHA1, "a", 1, out);
  refuse_in = -1;
  assert_int_equal(i, refused ? -ENOMEM : 0);
}

static int setup(void** state) {
  (void)state;
  return uvsmtp__crypto_init();
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_hash),
      cmocka_unit_test(test_hmac),
      cmocka_unit_test(test_hmac_memory),
      cmocka_unit_test(test_memory_of_hashes),
      cmocka_unit_test(test_random),
      cmocka_unit_test(test_equal),
      cmocka_unit_test(test_wipe),
      cmocka_unit_test(test_base64),
      cmocka_unit_test(test_base64_lengths),
      cmocka_unit_test(test_base64_strict),
  };
  return cmocka_run_group_tests(tests, setup, NULL);
}
