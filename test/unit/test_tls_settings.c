/* SPDX-License-Identifier: MIT */
/* test_tls_settings.c: what uvsmtp_tls_new takes and refuses, our own
 * certificate, the cache by itself, certificates in words. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <mbedtls/pem.h>

#include "alloc.h"
#include "tls/tls_int.h"
#include "tls_peer.h"

static peer_cert_t root;
static peer_cert_t leaf;
static char root_pem[4096];
static char leaf_pem[4096];
static char key_pem[4096];
static char dir[] = "/tmp/uvsmtp-tls-XXXXXX";

static void to_pem(const peer_cert_t* cert, char* out, size_t cap) {
  size_t len;
  assert_int_equal(
      mbedtls_pem_write_buffer("-----BEGIN CERTIFICATE-----\n",
                               "-----END CERTIFICATE-----\n", cert->der,
                               cert->len, (unsigned char*)out, cap, &len),
      0);
}

static const char* path_of(const char* name) {
  static char path[4][128];
  static int i;
  i = (i + 1) % 4;
  snprintf(path[i], sizeof(path[i]), "%s/%s", dir, name);
  return path[i];
}

static void write_file(const char* name, const void* data, size_t len) {
  FILE* f = fopen(path_of(name), "w");
  assert_non_null(f);
  assert_int_equal(fwrite(data, 1, len, f), len);
  assert_int_equal(fclose(f), 0);
}

static int make_files(void** state) {
  static const char junk[] =
      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  peer_want_t want = {"CN=Test Root", {NULL}, PEER_CA, -1, 365};
  char both[8192];
  (void)state;
  assert_non_null(mkdtemp(dir));
  peer_cert_make(&root, &want, NULL);
  want.subject = "CN=client";
  want.sans[0] = "DNS:client.example";
  want.sans[1] = "IP4:ABCD";
  want.flags = 0;
  peer_cert_make(&leaf, &want, &root);
  to_pem(&root, root_pem, sizeof(root_pem));
  to_pem(&leaf, leaf_pem, sizeof(leaf_pem));
  assert_int_equal(mbedtls_pk_write_key_pem(&leaf.key, (unsigned char*)key_pem,
                                            sizeof(key_pem)),
                   0);
  write_file("root.pem", root_pem, strlen(root_pem));
  write_file("root.der", root.der, root.len);
  write_file("leaf.pem", leaf_pem, strlen(leaf_pem));
  write_file("key.pem", key_pem, strlen(key_pem));
  write_file("empty", "", 0);
  write_file("junk.pem", junk, strlen(junk));
  snprintf(both, sizeof(both), "%s%s", junk, root_pem);
  write_file("mixed.pem", both, strlen(both));
  snprintf(both, sizeof(both), "%s%s", leaf_pem, key_pem);
  write_file("both.pem", both, strlen(both));
  assert_int_equal(mkdir(path_of("certs"), 0700), 0);
  assert_int_equal(mkdir(path_of("certs/sub"), 0700), 0);
  assert_int_equal(mkdir(path_of("none"), 0700), 0);
  write_file("certs/a.pem", root_pem, strlen(root_pem));
  write_file("certs/b.txt", "hello", 5);
  return 0;
}

static int remove_files(void** state) {
  static const char* const files[] = {
      "root.pem", "root.der",  "leaf.pem", "key.pem",     "empty",
      "junk.pem", "mixed.pem", "both.pem", "certs/a.pem", "certs/b.txt"};
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(files) / sizeof(files[0]); i++)
    assert_int_equal(unlink(path_of(files[i])), 0);
  assert_int_equal(rmdir(path_of("certs/sub")), 0);
  assert_int_equal(rmdir(path_of("certs")), 0);
  assert_int_equal(rmdir(path_of("none")), 0);
  assert_int_equal(rmdir(dir), 0);
  peer_cert_free(&root);
  peer_cert_free(&leaf);
  return 0;
}

static uvsmtp_tls_config_t trusting(void) {
  uvsmtp_tls_config_t c = UVSMTP_TLS_CONFIG_INIT;
  c.ca.base = root_pem;
  c.ca.len = strlen(root_pem);
  return c;
}

/* What becomes of a config; with a counting allocator. */
static int try_config(const uvsmtp_tls_config_t* config, const char** reason) {
  uvsmtp_tls_config_t c = *config;
  test_alloc_t a = {0};
  uvsmtp_mem_t mem = {sizeof(mem), test_alloc, &a};
  uvsmtp_tls_t* tls = NULL;
  int err;
  c.mem = &mem;
  *reason = NULL;
  err = uvsmtp_tls_new(&tls, &c, reason);
  assert_int_equal(tls != NULL, err == 0);
  assert_int_equal(*reason != NULL, err != 0);
  uvsmtp_tls_unref(tls);
  assert_int_equal(a.blocks, 0);
  return err;
}

/* ----------------------------------------------------------------- configs */

static void test_defaults(void** state) {
  uvsmtp_tls_t* tls;
  (void)state;
  assert_int_equal(uvsmtp_tls_new(&tls, NULL, NULL), 0);
  assert_ptr_equal(uvsmtp_tls_ref(tls), tls);
  uvsmtp_tls_unref(tls);
  uvsmtp_tls_unref(tls);
  uvsmtp_tls_unref(NULL);
  {
    uvsmtp_tls_config_t nowhere = UVSMTP_TLS_CONFIG_INIT;
    uvsmtp_tls_t* none = NULL;
    nowhere.ca.len = 1; /* not: the system's, then */
    assert_int_equal(uvsmtp_tls_new(&none, &nowhere, NULL), -EINVAL);
  }
  assert_int_equal(uvsmtp_tls_new(NULL, NULL, NULL), -EINVAL);
  assert_int_equal(strncmp(uvsmtp_tls_library(), "Mbed TLS ", 9), 0);
  assert_int_equal(uvsmtp_tls_library_version(),
                   peer_has_tls13() ? UVSMTP_TLS_1_3 : UVSMTP_TLS_1_2);
}

static void test_versions(void** state) {
  static const struct {
    int min, max, err, err13;
  } v[] = {
      {0, 0, 0, 0},
      {UVSMTP_TLS_1_2, UVSMTP_TLS_1_2, 0, 0},
      {0x0302, 0, -EINVAL, -EINVAL},
      {0, 0x0305, -EINVAL, -EINVAL},
      {UVSMTP_TLS_1_3, UVSMTP_TLS_1_2, -EINVAL, -EINVAL},
      {UVSMTP_TLS_1_3, 0, -ENOTSUP, 0},
      {0, UVSMTP_TLS_1_3, -ENOTSUP, 0},
  };
  const char* reason;
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
    uvsmtp_tls_config_t c = trusting();
    c.min_version = v[i].min;
    c.max_version = v[i].max;
    assert_int_equal(try_config(&c, &reason),
                     peer_has_tls13() ? v[i].err13 : v[i].err);
  }
}

/* A server can't have us compute with numbers of its own size. */
static void test_default_ciphers(void** state) {
  uvsmtp_tls_config_t c = trusting();
  uvsmtp_tls_t* tls;
  size_t n;
  (void)state;
  assert_int_equal(uvsmtp_tls_new(&tls, &c, NULL), 0);
  for (n = 0; tls->ciphers[n] != 0; n++) {
    const char* name = mbedtls_ssl_get_ciphersuite_name(tls->ciphers[n]);
    assert_true(strncmp(name, "TLS-ECDHE-", 10) == 0 ||
                strncmp(name, "TLS1-3-", 7) == 0);
  }
  assert_true(n >= 10);
  uvsmtp_tls_unref(tls);
}

static void test_ciphers(void** state) {
  static const struct {
    const char* names;
    int err;
  } v[] = {
      {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0},
      {"TLS-ECDHE-RSA-WITH-AES-128-GCM-SHA256", 0},
      {" tls_ecdhe_rsa_with_aes_128_gcm_sha256, "
       "TLS-ECDHE-ECDSA-WITH-AES-256-CBC-SHA:",
       0},
      {"", -EINVAL},
      {":,", -EINVAL},
      {"TLS_NO_SUCH_SUITE", -EINVAL},
      {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256:HIGH", -EINVAL},
      {"TLS_RSA_WITH_AES_128_GCM_SHA256", -EINVAL},
      {"TLS_RSA_WITH_NULL_SHA", -EINVAL},
      {"TLS_ECDHE_RSA_WITH_NULL_SHA", -EINVAL},
      {"TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", -EINVAL},
      {"TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256", -EINVAL},
  };
  const char* reason;
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
    uvsmtp_tls_config_t c = trusting();
    c.ciphers = v[i].names;
    assert_int_equal(try_config(&c, &reason), v[i].err);
  }
  if (peer_has_tls13()) {
    uvsmtp_tls_config_t c = trusting();
    c.ciphers = "TLS_AES_128_GCM_SHA256 TLS1-3-AES-256-GCM-SHA384";
    assert_int_equal(try_config(&c, &reason), 0);
  }
}

static void test_pins(void** state) {
  static const char* const wrong[] = {
      "",
      "sha256//",
      "sha1//AAAA",
      "sha256//AAAA",
      "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
      "sha256:",
      "sha256:00",
      "sha256:0000000000000000000000000000000000000000000000000000000000000g0",
      ("sha256:"
       "000000000000000000000000000000000000000000000000000000000000000000")};
  static const char* const right[] = {
      "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
      "sha256:"
      "0a0b0C0D0000000000000000000000000000000000000000000000000000ffFF",
      "sha256:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00:00"
      ":00:00:00:00:00:00:00:00:00:00"};
  uvsmtp_tls_config_t c = trusting();
  const char* reason;
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    c.pins = &wrong[i];
    c.npins = 1;
    assert_int_equal(try_config(&c, &reason), -EINVAL);
    assert_non_null(strstr(reason, "pin"));
  }
  c.pins = right;
  c.npins = 3;
  assert_int_equal(try_config(&c, &reason), 0);
  c.pins = NULL;
  assert_int_equal(try_config(&c, &reason), -EINVAL);
}

static void test_flags_and_sizes(void** state) {
  uvsmtp_tls_config_t c = trusting();
  uvsmtp_tls_stats_t stats = UVSMTP_TLS_STATS_INIT;
  uvsmtp_tls_t* tls;
  const char* reason;
  (void)state;
  c.flags = 1u << 9;
  assert_int_equal(try_config(&c, &reason), -EINVAL);
  c = trusting();
  c.size = 8;
  assert_int_equal(try_config(&c, &reason), -EINVAL);
  c = trusting();
  c.name = "a..b";
  assert_int_equal(try_config(&c, &reason), -EINVAL);
  c.name = "MX.example.net.";
  assert_int_equal(uvsmtp_tls_new(&tls, &c, NULL), 0);
  assert_string_equal(uvsmtp__tls_name(tls), "mx.example.net");
  stats.size = 3;
  assert_int_equal(uvsmtp_tls_stats(tls, &stats), -EINVAL);
  stats.size = sizeof(stats);
  assert_int_equal(uvsmtp_tls_stats(tls, &stats), 0);
  assert_int_equal(uvsmtp_tls_stats(tls, NULL), -EINVAL);
  uvsmtp_tls_unref(tls);
}

/* Says whether a block that is given back has a private key in it. */
typedef struct leak_s {
  test_alloc_t alloc;
  int leaks;
} leak_t;

static void* watch_alloc(void* data, void* ptr, size_t old_size,
                         size_t new_size) {
  leak_t* l = data;
  if (ptr != NULL && memmem(ptr, old_size, "PRIVATE KEY", 11) != NULL)
    l->leaks++;
  return test_alloc(&l->alloc, ptr, old_size, new_size);
}

/* A file of any size, or memory: no copy of a key is left behind. */
static void test_keys_are_wiped(void** state) {
  static char big[40000];
  uvsmtp_tls_config_t c = trusting();
  leak_t leak = {{0}, 0};
  uvsmtp_mem_t mem = {sizeof(mem), watch_alloc, &leak};
  uvsmtp_tls_t* tls;
  (void)state;
  c.mem = &mem;
  c.cert.base = leaf_pem;
  c.cert.len = strlen(leaf_pem);
  c.key.base = key_pem;
  c.key.len = strlen(key_pem);
  assert_int_equal(uvsmtp_tls_new(&tls, &c, NULL), 0);
  uvsmtp_tls_unref(tls);
  memset(big, '\n', sizeof(big));
  memcpy(big, key_pem, strlen(key_pem));
  write_file("big.pem", big, sizeof(big));
  c.key.base = NULL;
  c.key_file = path_of("big.pem");
  assert_int_equal(uvsmtp_tls_new(&tls, &c, NULL), 0);
  uvsmtp_tls_unref(tls);
  assert_int_equal(unlink(path_of("big.pem")), 0);
  assert_int_equal(leak.leaks, 0);
  assert_int_equal(leak.alloc.blocks, 0);
}

/* A FIFO among the certificates would have us wait for its writer. */
static void test_fifo_among_files(void** state) {
  uvsmtp_tls_config_t c = UVSMTP_TLS_CONFIG_INIT;
  const char* reason;
  (void)state;
  assert_int_equal(mkfifo(path_of("certs/fifo"), 0600), 0);
  c.ca_dir = path_of("certs");
  assert_int_equal(try_config(&c, &reason), 0);
  assert_int_equal(unlink(path_of("certs/fifo")), 0);
}

static void test_trust_files(void** state) {
  static const struct {
    const char* file;
    const char* directory;
    int err;
  } v[] = {{"root.pem", NULL, 0},
           {"root.der", NULL, 0},
           {"mixed.pem", NULL, 0},
           {"none.pem", NULL, -ENOENT},
           {"empty", NULL, UVSMTP_ETLS},
           {"junk.pem", NULL, UVSMTP_ETLS},
           {"key.pem", NULL, UVSMTP_ETLS},
           {"certs", NULL, -EISDIR},
           {NULL, "certs", 0},
           {NULL, "none", UVSMTP_ETLS},
           {NULL, "nowhere", -ENOENT},
           {NULL, "root.pem", -ENOTDIR},
           {"leaf.pem", "certs", 0},
           {"leaf.pem", "none", UVSMTP_ETLS}};
  const char* reason;
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
    uvsmtp_tls_config_t c = UVSMTP_TLS_CONFIG_INIT;
    int err;
    c.ca_file = v[i].file == NULL ? NULL : path_of(v[i].file);
    c.ca_dir = v[i].directory == NULL ? NULL : path_of(v[i].directory);
    err = try_config(&c, &reason);
    if (err != v[i].err)
      fail_msg("%s %s: %d (%s)", v[i].file, v[i].directory, err, reason);
  }
}

/* ---------------------------------------------------------- our certificate */

static void test_own_certificate(void** state) {
  static const struct {
    const char* cert;
    const char* key;
    int err;
    const char* words;
  } v[] = {
      {"leaf.pem", "key.pem", 0, ""},
      {"both.pem", NULL, 0, ""},
      {"both.pem", "key.pem", 0, ""},
      {NULL, "key.pem", -EINVAL, "without a certificate"},
      {"leaf.pem", NULL, UVSMTP_ETLS, "no private key"},
      {"leaf.pem", "root.pem", UVSMTP_ETLS, "no private key"},
      {"root.pem", "key.pem", UVSMTP_ETLS, "another certificate's"},
      {"key.pem", "key.pem", UVSMTP_ETLS, "no certificate"},
      {"nowhere", "key.pem", -ENOENT, "can't be read"},
      {"leaf.pem", "nowhere", -ENOENT, "can't be read"},
  };
  const char* reason;
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
    uvsmtp_tls_config_t c = trusting();
    int err;
    c.cert_file = v[i].cert == NULL ? NULL : path_of(v[i].cert);
    c.key_file = v[i].key == NULL ? NULL : path_of(v[i].key);
    err = try_config(&c, &reason);
    if (err != v[i].err || (err != 0 && strstr(reason, v[i].words) == NULL))
      fail_msg("%s %s: %d (%s)", v[i].cert, v[i].key, err, reason);
  }
}

/* It is shown to a server that asks for one. */
static void test_client_certificate(void** state) {
  uvsmtp__tls_peer_t whom = {"client.example", "192.0.2.1", 25, 1};
  uvsmtp_tls_config_t c = trusting();
  uvsmtp__mem_t mem;
  test_alloc_t a = {0};
  uvsmtp__tls_conn_t* conn;
  uvsmtp_tls_t* tls;
  peer_config_t pc;
  int i;
  (void)state;
  mem.alloc = test_alloc;
  mem.data = &a;
  c.cert.base = leaf_pem;
  c.cert.len = strlen(leaf_pem);
  c.key.base = key_pem;
  c.key.len = strlen(key_pem);
  for (i = 0; i < (peer_has_tls13() ? 2 : 1); i++) {
    peer_t* peer;
    char buf[8];
    memset(&pc, 0, sizeof(pc));
    pc.chain[0] = &leaf;
    pc.version = i == 0 ? UVSMTP_TLS_1_2 : UVSMTP_TLS_1_3;
    pc.client_ca = &root;
    peer = peer_new(&pc);
    assert_int_equal(uvsmtp_tls_new(&tls, &c, NULL), 0);
    assert_int_equal(uvsmtp__tls_conn_new(&conn, &mem, tls, &whom), 0);
    assert_int_equal(peer_shake(peer, conn, 0), UVSMTP__TLS_DONE);
    assert_int_equal(peer_knows_client(peer), 1);
    uvsmtp__tls_conn_free(conn);
    uvsmtp_tls_unref(tls);
    /* Without one such a server goes: in TLS 1.3 after our handshake. */
    c.cert.base = NULL;
    c.key.base = NULL;
    peer_accept(peer);
    assert_int_equal(uvsmtp_tls_new(&tls, &c, NULL), 0);
    assert_int_equal(uvsmtp__tls_conn_new(&conn, &mem, tls, &whom), 0);
    if (peer_shake(peer, conn, 0) >= 0) {
      uvsmtp__tls_conn_end(conn);
      if (i == 0)
        assert_int_equal(uvsmtp__tls_conn_handshake(conn), UVSMTP_ETLS);
      else
        assert_int_equal(uvsmtp__tls_conn_read(conn, buf, sizeof(buf)),
                         UVSMTP_ETLS);
    }
    assert_int_equal(peer_knows_client(peer), 0);
    uvsmtp__tls_conn_free(conn);
    uvsmtp_tls_unref(tls);
    peer_free(peer);
    c.cert.base = leaf_pem;
    c.key.base = key_pem;
  }
  assert_int_equal(a.blocks, 0);
}

/* EC key, AES-128-CBC, passphrase "secret"; and the certificate of that key
 * is not here, so that the pair is what is found wrong at the end. */
static const char encrypted[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-128-CBC,B8487A42A82C705C6512CCB96204F9E1\n"
    "\n"
    "G0s1/pXuzHZJ9/MUVchPS91ao5EE26PNqpXpiUUMK5GdMnpa8gDk+a7W2/yHiOTY\n"
    "svZj/odUv9U8O/TzT1u6ryZgL1i8gsBwt2XMbr04oiNNYGfYYMB7af2svaYaogCz\n"
    "MMnu7W5vSZ72WnGYSaOLYew5mym/JOQvdn4JddonAFM=\n"
    "-----END EC PRIVATE KEY-----\n";

typedef struct asked_s {
  int calls;
  const char* answer;
} asked_t;

static int on_passphrase(void* arg, char* buf, size_t cap) {
  asked_t* a = arg;
  size_t len;
  a->calls++;
  if (a->answer == NULL) return -ECANCELED;
  len = strlen(a->answer);
  assert_true(len <= cap);
  memcpy(buf, a->answer, len);
  return (int)len;
}

static void test_passphrase(void** state) {
  static const struct {
    const char* answer;
    int err;
    const char* words;
  } v[] = {{"secret", UVSMTP_ETLS, "another certificate's"},
           {"wrong", UVSMTP_ETLS, "passphrase is wrong"},
           {"", UVSMTP_ETLS, "passphrase is wrong"},
           {NULL, -ECANCELED, "no passphrase"}};
  uvsmtp_tls_config_t c = trusting();
  asked_t asked = {0, NULL};
  const char* reason;
  size_t i;
  (void)state;
  c.cert.base = leaf_pem;
  c.cert.len = strlen(leaf_pem);
  c.key.base = encrypted;
  c.key.len = strlen(encrypted);
  assert_int_equal(try_config(&c, &reason), UVSMTP_ETLS);
  assert_non_null(strstr(reason, "is encrypted"));
  c.passphrase = on_passphrase;
  c.passphrase_arg = &asked;
  for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
    asked.calls = 0;
    asked.answer = v[i].answer;
    assert_int_equal(try_config(&c, &reason), v[i].err);
    assert_int_equal(asked.calls, 1);
    assert_non_null(strstr(reason, v[i].words));
  }
  /* A key in the clear: nobody is asked. */
  asked.calls = 0;
  c.key.base = key_pem;
  c.key.len = strlen(key_pem);
  assert_int_equal(try_config(&c, &reason), 0);
  assert_int_equal(asked.calls, 0);
}

/* ------------------------------------------------------------------- cache */

static void test_cache(void** state) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__tls_cache_t cache;
  char key[16];
  int i;
  (void)state;
  uvsmtp__tls_cache_init(&cache, &mem, 100, 50);
  assert_null(uvsmtp__tls_cache_find(&cache, "x", 1, 0));
  uvsmtp__tls_cache_drop(&cache, "x", 1);
  for (i = 0; i < 300; i++) {
    int len = snprintf(key, sizeof(key), "host%d", i);
    assert_non_null(uvsmtp__tls_cache_add(&cache, key, (size_t)len, 1000, 0));
    assert_true(cache.count <= 100);
    /* This one is always in use. */
    assert_non_null(uvsmtp__tls_cache_find(&cache, "host0", 5, 1000));
  }
  assert_int_equal(cache.count, 100);
  assert_null(uvsmtp__tls_cache_find(&cache, "host200", 7, 1000));
  assert_non_null(uvsmtp__tls_cache_find(&cache, "host201", 7, 1000));
  assert_non_null(uvsmtp__tls_cache_find(&cache, "host201", 7, 1049));
  assert_null(uvsmtp__tls_cache_find(&cache, "host201", 7, 1050));
  assert_int_equal(cache.count, 99);
  /* The server's limit, if it is lower; the newer one counts. */
  assert_non_null(uvsmtp__tls_cache_add(&cache, "host202", 7, 1000, 10));
  assert_int_equal(cache.count, 99);
  assert_non_null(uvsmtp__tls_cache_find(&cache, "host202", 7, 1009));
  assert_null(uvsmtp__tls_cache_find(&cache, "host202", 7, 1010));
  assert_non_null(uvsmtp__tls_cache_add(&cache, "host203", 7, 1000, 100));
  assert_null(uvsmtp__tls_cache_find(&cache, "host203", 7, 1050));
  uvsmtp__tls_cache_drop(&cache, "host204", 7);
  assert_null(uvsmtp__tls_cache_find(&cache, "host204", 7, 1000));
  a.fail_at = a.requests + 1;
  assert_null(uvsmtp__tls_cache_add(&cache, "host205", 7, 1000, 0));
  assert_non_null(uvsmtp__tls_cache_find(&cache, "host205", 7, 1000));
  uvsmtp__tls_cache_clear(&cache);
  assert_int_equal(cache.count, 0);
  assert_null(uvsmtp__tls_cache_find(&cache, "host0", 5, 1000));
  assert_non_null(uvsmtp__tls_cache_add(&cache, "a", 1, 1000, 0));
  uvsmtp__tls_cache_clear(&cache);
  assert_int_equal(a.blocks, 0);
}

/* ------------------------------------------------------------------- names */

/* By itself, since Mbed TLS's own comparison would hide what is wrong. */
static void test_dns_names(void** state) {
  static const struct {
    const char* name;
    const char* pattern;
    int len; /* of the pattern, 0: all */
    int is;
  } v[] = {
      {"mx.example.net", "mx.example.net", 0, 1},
      {"mx.example.net", "MX.EXAMPLE.net", 0, 1},
      {"mx.example.net", "*.example.net", 0, 1},
      {"mx.example.net", "*.EXAMPLE.net", 0, 1},
      {"mx.example.net", "mx.example.net\0", 15, 0},
      {"mx.example.net", "mx.example.net\0.evil.example", 28, 0},
      {"mx.example.net", "\0mx.example.net", 15, 0},
      {"mx.example.net", "", 0, 0},
      {"mx.example.net", "mx.example.ne", 0, 0},
      {"mx.example.net", "x.example.net", 0, 0},
      {"mx.example.net", "mx.example.net.", 0, 0},
      {"mx.example.net", ".example.net", 0, 0},
      {"mx.example.net", "*", 0, 0},
      {"mx.example.net", "*.", 0, 0},
      {"mx.example.net", "*.net", 0, 0},
      {"mx.example.net", "*.*.net", 0, 0},
      {"mx.example.net", "*mx.example.net", 0, 0},
      {"mx.example.net", "m*.example.net", 0, 0},
      {"mx.example.net", "*x.example.net", 0, 0},
      {"a.mx.example.net", "*.example.net", 0, 0},
      {"example.net", "*.example.net", 0, 0},
      {"example.net", "*.net", 0, 0},
      {"localhost", "localhost", 0, 1},
      {"localhost", "*", 0, 0},
  };
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
    size_t len = v[i].len == 0 ? strlen(v[i].pattern) : (size_t)v[i].len;
    if (uvsmtp__tls_name_is(v[i].name, (const unsigned char*)v[i].pattern,
                            len) != v[i].is)
      fail_msg("%s by %s", v[i].name, v[i].pattern);
  }
}

/* ------------------------------------------------------------------- words */

static void test_text(void** state) {
  uvsmtp_slice_t der = {leaf.der, leaf.len};
  uvsmtp_slice_t cut = {leaf.der, leaf.len - 1};
  uvsmtp_slice_t none = {NULL, 0};
  char buf[2048];
  char small[40];
  int len;
  (void)state;
  len = uvsmtp_tls_certificate_text(der, buf, sizeof(buf));
  assert_int_equal(len, (int)strlen(buf));
  assert_non_null(strstr(buf, "subject: CN=client\n"));
  assert_non_null(strstr(buf, "issuer: CN=Test Root\n"));
  assert_non_null(strstr(buf, "serial: 11\n"));
  assert_non_null(strstr(buf, "not before: 20"));
  assert_non_null(strstr(buf, " UTC\nnot after: 20"));
  assert_non_null(strstr(buf, "names: client.example, 65.66.67.68\n"));
  assert_non_null(strstr(buf, "key: EC 256 bits\n"));
  assert_int_equal(uvsmtp_tls_certificate_text(der, small, sizeof(small)),
                   -ENOBUFS);
  assert_int_equal(uvsmtp_tls_certificate_text(der, small, 0), -ENOBUFS);
  assert_int_equal(uvsmtp_tls_certificate_text(der, NULL, 0), -ENOBUFS);
  assert_int_equal(uvsmtp_tls_certificate_text(cut, buf, sizeof(buf)),
                   UVSMTP_ETLS);
  assert_int_equal(uvsmtp_tls_certificate_text(none, buf, sizeof(buf)),
                   UVSMTP_ETLS);
  assert_int_equal(uvsmtp_tls_certificate_pin(der, 0, buf, 71), -ENOBUFS);
  assert_int_equal(uvsmtp_tls_certificate_pin(none, 0, buf, 80), UVSMTP_ETLS);
  assert_int_equal(uvsmtp_tls_certificate_pin(der, 0, buf, 72), 0);
  assert_int_equal(strlen(buf), 71);
  assert_int_equal(uvsmtp_tls_certificate_pin(der, 1, buf, 72), 0);
  assert_int_equal(strlen(buf), 52);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults),
      cmocka_unit_test(test_versions),
      cmocka_unit_test(test_default_ciphers),
      cmocka_unit_test(test_ciphers),
      cmocka_unit_test(test_pins),
      cmocka_unit_test(test_flags_and_sizes),
      cmocka_unit_test(test_trust_files),
      cmocka_unit_test(test_fifo_among_files),
      cmocka_unit_test(test_keys_are_wiped),
      cmocka_unit_test(test_own_certificate),
      cmocka_unit_test(test_client_certificate),
      cmocka_unit_test(test_passphrase),
      cmocka_unit_test(test_cache),
      cmocka_unit_test(test_dns_names),
      cmocka_unit_test(test_text),
  };
  return cmocka_run_group_tests(tests, make_files, remove_files);
}
