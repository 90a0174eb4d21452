/* SPDX-License-Identifier: MIT */
/* test_tls_verify.c: what is wrong with certificates, each for its reason, on
 * whichever version of Mbed TLS there is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "tls/tls_int.h"
#include "tls_peer.h"

/* The certificates of a chain but the root, the server's own last. */
typedef struct case_s {
  const char* title;
  peer_want_t want[3];
  const char* name;
  unsigned int problems;
  const char* words; /* in the problem's text */
  int other_root;    /* than the one that is trusted */
} case_t;

#define LEAF(...)                                         \
  {                                                       \
    { "CN=leaf.example", {__VA_ARGS__, NULL}, 0, -1, 90 } \
  }

static const case_t cases[] = {
    {"right", LEAF("DNS:mx.example.net"), "mx.example.net", 0, "", 0},
    {"second name", LEAF("DNS:a.example", "DNS:mx.example.net"),
     "mx.example.net", 0, "", 0},
    {"case of letters", LEAF("DNS:MX.Example.NET"), "mx.example.net", 0, "", 0},
    {"absolute name", LEAF("DNS:mx.example.net"), "mx.example.net.", 0, "", 0},
    {"other name", LEAF("DNS:other.example.net"), "mx.example.net",
     UVSMTP_TLS_WRONG_NAME,
     "not issued for mx.example.net (but for other.example.net)", 0},
    {"prefix", LEAF("DNS:mx.example"), "mx.example.net", UVSMTP_TLS_WRONG_NAME,
     "", 0},
    {"longer", LEAF("DNS:mx.example.net.evil.example"), "mx.example.net",
     UVSMTP_TLS_WRONG_NAME, "", 0},
    {"suffix", LEAF("DNS:example.net"), "mx.example.net", UVSMTP_TLS_WRONG_NAME,
     "", 0},
    {"NUL", LEAF("DNS:mx.example.net|.evil.example"), "mx.example.net",
     UVSMTP_TLS_WRONG_NAME, "mx.example.net\\x00.evil.example", 0},
    {"wildcard", LEAF("DNS:*.example.net"), "mx.example.net", 0, "", 0},
    {"wildcard, two levels", LEAF("DNS:*.example.net"), "a.mx.example.net",
     UVSMTP_TLS_WRONG_NAME, "", 0},
    {"wildcard, bare domain", LEAF("DNS:*.example.net"), "example.net",
     UVSMTP_TLS_WRONG_NAME, "", 0},
    {"wildcard, partial", LEAF("DNS:m*.example.net"), "mx.example.net",
     UVSMTP_TLS_WRONG_NAME, "", 0},
    {"wildcard, inside", LEAF("DNS:mx.*.net"), "mx.example.net",
     UVSMTP_TLS_WRONG_NAME, "", 0},
    {"wildcard, top level", LEAF("DNS:*.net"), "example.net",
     UVSMTP_TLS_WRONG_NAME, "", 0},
    {"common name only",
     {{"CN=mx.example.net", {NULL}, 0, -1, 90}},
     "mx.example.net",
     UVSMTP_TLS_WRONG_NAME,
     "",
     0},
    {"URI", LEAF("URI:mx.example.net"), "mx.example.net", UVSMTP_TLS_WRONG_NAME,
     "", 0},
    {"address", LEAF("IP4:ABCD"), "65.66.67.68", 0, "", 0},
    {"IPv6", LEAF("IP6:ABCDEFGHIJKLMNOP"),
     "4142:4344:4546:4748:494a:4b4c:4d4e:4f50", 0, "", 0},
    {"other address", LEAF("IP4:ABCE"), "65.66.67.68", UVSMTP_TLS_WRONG_NAME,
     "65.66.67.69", 0},
    {"address as a name", LEAF("DNS:65.66.67.68"), "65.66.67.68",
     UVSMTP_TLS_WRONG_NAME, "", 0},
    {"address in a name's octets", LEAF("DNS:ABCD"), "65.66.67.68",
     UVSMTP_TLS_WRONG_NAME, "", 0},
    {"address by a wildcard", LEAF("DNS:*.66.67.68"), "65.66.67.68",
     UVSMTP_TLS_WRONG_NAME, "", 0},
    {"name as an address", LEAF("IP6:mx.example.netxx"), "mx.example.netxx",
     UVSMTP_TLS_WRONG_NAME, "", 0},
    {"old form of an address", LEAF("DNS:*.66.17220"), "65.66.17220",
     UVSMTP_TLS_WRONG_NAME, "", 0},
    {"expired",
     {{"CN=leaf", {"DNS:mx.example.net", NULL}, 0, -90, -2}},
     "mx.example.net",
     UVSMTP_TLS_EXPIRED,
     "expired 20",
     0},
    {"future",
     {{"CN=leaf", {"DNS:mx.example.net", NULL}, 0, 2, 90}},
     "mx.example.net",
     UVSMTP_TLS_FUTURE,
     "not valid before 20",
     0},
    {"expired, and another's",
     {{"CN=leaf", {"DNS:a\033[2J\x7f\x9b.example", NULL}, 0, -90, -2}},
     "mx.example.net",
     UVSMTP_TLS_EXPIRED | UVSMTP_TLS_WRONG_NAME,
     "but for a\\x1B[2J\\x7F\\x9B.example",
     0},
    {"other root", LEAF("DNS:mx.example.net"), "mx.example.net",
     UVSMTP_TLS_UNKNOWN_CA, "issuer not trusted: Other Root", 1},
    {"three",
     {{"CN=Middle", {NULL}, PEER_CA, -1, 90},
      {"CN=leaf", {"DNS:mx.example.net", NULL}, 0, -1, 90}},
     "mx.example.net",
     0,
     "",
     0},
    {"expired issuer",
     {{"CN=Middle", {NULL}, PEER_CA, -90, -2},
      {"CN=leaf", {"DNS:mx.example.net", NULL}, 0, -1, 90}},
     "mx.example.net",
     UVSMTP_TLS_EXPIRED,
     "issuer Middle expired 20",
     0},
    {"issuer that may not",
     {{"CN=Middle", {"DNS:evil.example", NULL}, 0, -1, 90},
      {"CN=leaf", {"DNS:mx.example.net", NULL}, 0, -1, 90}},
     "mx.example.net",
     UVSMTP_TLS_NOT_A_CA,
     "issuer Middle may not issue certificates",
     0},
    {"SHA-1",
     {{"CN=leaf", {"DNS:mx.example.net", NULL}, PEER_SHA1, -1, 90}},
     "mx.example.net",
     UVSMTP_TLS_WEAK,
     "weak",
     0},
    {"issuer on a curve of 192 bits",
     {{"CN=Middle", {NULL}, PEER_CA | PEER_P192, -1, 90},
      {"CN=leaf", {"DNS:mx.example.net", NULL}, 0, -1, 90}},
     "mx.example.net",
     UVSMTP_TLS_WEAK,
     "weak",
     0},
    {"RSA with 1024 bits",
     {{"CN=leaf", {"DNS:mx.example.net", NULL}, PEER_RSA_1024, -1, 90}},
     "mx.example.net",
     UVSMTP_TLS_WEAK,
     "weak",
     0},
};

static peer_cert_t root;
static peer_cert_t other_root;

static int make_roots(void** state) {
  peer_want_t want = {"CN=Test Root", {NULL}, PEER_CA, -1, 365};
  (void)state;
  peer_cert_make(&root, &want, NULL);
  want.subject = "CN=Other Root";
  peer_cert_make(&other_root, &want, NULL);
  return 0;
}

static int free_roots(void** state) {
  (void)state;
  peer_cert_free(&root);
  peer_cert_free(&other_root);
  return 0;
}

/* ------------------------------------------------------------- one meeting */

typedef struct meeting_s {
  uvsmtp_tls_config_t config;
  uvsmtp_tls_t* tls;
  uvsmtp__tls_conn_t* conn;
  uvsmtp_tls_info_t* info;
  peer_t* peer;
  peer_cert_t certs[3];
  size_t ncerts;
  int version;
  test_alloc_t alloc;
  uvsmtp_mem_t mem;
  uvsmtp__mem_t own;
} meeting_t;

static void prepare(meeting_t* m) {
  uvsmtp_tls_config_t c = UVSMTP_TLS_CONFIG_INIT;
  memset(m, 0, sizeof(*m));
  m->config = c;
  m->mem.size = sizeof(m->mem);
  m->mem.alloc = test_alloc;
  m->mem.data = &m->alloc;
  m->own.alloc = test_alloc;
  m->own.data = &m->alloc;
  m->config.mem = &m->mem;
  m->config.ca.base = root.der;
  m->config.ca.len = root.len;
}

static void make_chain(meeting_t* m, const peer_want_t* want, size_t n,
                       const peer_cert_t* issuer) {
  size_t i;
  for (i = 0; i < n && want[i].subject != NULL; i++) {
    peer_cert_make(&m->certs[i], &want[i], issuer);
    issuer = &m->certs[i];
  }
  m->ncerts = i;
}

static int meet(meeting_t* m, int version, const char* name, int strict) {
  uvsmtp__tls_peer_t whom = {name, "192.0.2.1", 25, strict};
  peer_config_t pc;
  size_t i;
  memset(&pc, 0, sizeof(pc));
  for (i = 0; i < m->ncerts; i++) pc.chain[i] = &m->certs[m->ncerts - 1 - i];
  pc.version = m->version = version;
  if (m->tls == NULL)
    assert_int_equal(uvsmtp_tls_new(&m->tls, &m->config, NULL), 0);
  m->peer = peer_new(&pc);
  assert_int_equal(uvsmtp__tls_conn_new(&m->conn, &m->own, m->tls, &whom), 0);
  m->info = uvsmtp__tls_conn_info(m->conn);
  return peer_shake(m->peer, m->conn, 0);
}

static void leave(meeting_t* m) {
  uvsmtp__tls_conn_free(m->conn);
  m->conn = NULL;
  if (m->peer != NULL) peer_free(m->peer);
  m->peer = NULL;
}

static void finish(meeting_t* m) {
  size_t i;
  leave(m);
  uvsmtp_tls_unref(m->tls);
  for (i = 0; i < m->ncerts; i++) peer_cert_free(&m->certs[i]);
  assert_int_equal(m->alloc.blocks, 0);
}

static int versions(void) { return peer_has_tls13() ? 2 : 1; }
static int version_of(int i) {
  return i == 0 ? UVSMTP_TLS_1_2 : UVSMTP_TLS_1_3;
}

/* ------------------------------------------------------------------- cases */

static void assert_case(const case_t* c, const meeting_t* m, int rc,
                        int strict) {
  const char* text = uvsmtp_tls_info_problem_text(m->info);
  unsigned int found = uvsmtp_tls_info_problems(m->info);
  int ends = strict && c->problems != 0;
  uvsmtp_slice_t der = uvsmtp_tls_info_certificate(m->info);
  const peer_cert_t* leaf = &m->certs[m->ncerts - 1];
  if (rc != (ends ? UVSMTP_ETLS : UVSMTP__TLS_DONE) || found != c->problems ||
      strstr(text, c->words) == NULL)
    fail_msg("%s: %d, problems %#x, \"%s\", \"%s\"", c->title, rc, found, text,
             uvsmtp_tls_info_error_text(m->info));
  assert_int_equal(uvsmtp_tls_info_verified(m->info), c->problems == 0);
  assert_int_equal(uvsmtp_tls_info_established(m->info), !ends);
  assert_int_equal(uvsmtp_tls_info_version(m->info), m->version);
  assert_int_equal(der.len, leaf->len);
  assert_memory_equal(der.base, leaf->der, der.len);
  if (!ends) return;
  assert_non_null(strstr(uvsmtp_tls_info_error_text(m->info),
                         "the certificate is not accepted: "));
  assert_non_null(strstr(uvsmtp_tls_info_error_text(m->info), text));
}

static void test_cases(void** state) {
  size_t k;
  int i;
  (void)state;
  for (k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
    meeting_t m;
    prepare(&m);
    make_chain(&m, cases[k].want, 3, cases[k].other_root ? &other_root : &root);
    for (i = 0; i < 2 * versions(); i++) {
      int rc;
      /* A server with so small a key can't sign as TLS 1.3 wants it. */
      if (i > 1 && (cases[k].want[0].flags & PEER_RSA_1024) != 0) break;
      rc = meet(&m, version_of(i / 2), cases[k].name, i % 2);
      assert_case(&cases[k], &m, rc, i % 2);
      leave(&m);
      uvsmtp_tls_forget(m.tls);
    }
    finish(&m);
  }
}

static const peer_want_t good = {
    "CN=leaf", {"DNS:mx.example.net", NULL}, 0, -1, 90};
static const peer_want_t bad = {"CN=leaf", {"DNS:a.example", NULL}, 0, -1, 90};

static void test_self_signed(void** state) {
  meeting_t m;
  int i;
  (void)state;
  for (i = 0; i < 2 * versions(); i++) {
    prepare(&m);
    make_chain(&m, &good, 1, NULL);
    assert_int_equal(meet(&m, version_of(i / 2), "mx.example.net", i % 2),
                     i % 2 ? UVSMTP_ETLS : UVSMTP__TLS_DONE);
    assert_int_equal(uvsmtp_tls_info_problems(m.info), UVSMTP_TLS_SELF_SIGNED);
    assert_string_equal(uvsmtp_tls_info_problem_text(m.info), "self-signed");
    finish(&m);
  }
  /* Unless it is just the one that is trusted. */
  prepare(&m);
  make_chain(&m, &good, 1, NULL);
  m.config.ca.base = m.certs[0].der;
  m.config.ca.len = m.certs[0].len;
  assert_int_equal(meet(&m, UVSMTP_TLS_1_2, "mx.example.net", 1), 0);
  assert_int_equal(uvsmtp_tls_info_verified(m.info), 1);
  finish(&m);
}

static void test_names_asked_for(void** state) {
  static const char* const wrong[] = {
      "",           ".",          "a..b",        ".a",           "a.",
      "-a.example", "a-.example", "a b",         "a_\nb",        "1.2.3.4.5",
      "a.256",      "[::1]",      "127.0.0.1 x", "*.example.net"};
  uvsmtp__tls_peer_t whom = {NULL, "192.0.2.1", 25, 1};
  char label[70];
  meeting_t m;
  size_t i;
  (void)state;
  prepare(&m);
  assert_int_equal(uvsmtp_tls_new(&m.tls, &m.config, NULL), 0);
  /* None at all: nothing could be verified. */
  assert_int_equal(uvsmtp__tls_conn_new(&m.conn, &m.own, m.tls, &whom),
                   -EINVAL);
  assert_null(m.conn);
  for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    if (strcmp(wrong[i], "a.") == 0) continue; /* absolute, and fine */
    whom.name = wrong[i];
    assert_int_equal(uvsmtp__tls_conn_new(&m.conn, &m.own, m.tls, &whom),
                     -EINVAL);
  }
  memset(label, 'a', sizeof(label));
  label[64] = '\0';
  whom.name = label;
  assert_int_equal(uvsmtp__tls_conn_new(&m.conn, &m.own, m.tls, &whom),
                   -EINVAL);
  label[63] = '\0';
  assert_int_equal(uvsmtp__tls_conn_new(&m.conn, &m.own, m.tls, &whom), 0);
  finish(&m);
}

static void test_without_a_name(void** state) {
  meeting_t m;
  (void)state;
  prepare(&m);
  make_chain(&m, &good, 1, &root);
  assert_int_equal(meet(&m, UVSMTP_TLS_1_2, NULL, 0), 0);
  assert_int_equal(uvsmtp_tls_info_problems(m.info), 0);
  assert_int_equal(uvsmtp_tls_info_verified(m.info), 0); /* who is it? */
  assert_null(uvsmtp_tls_info_name(m.info));
  finish(&m);
}

static void test_idn(void** state) {
  peer_want_t want = {
      "CN=leaf", {"DNS:xn--bcher-kva.example", NULL}, 0, -1, 90};
  uvsmtp__tls_peer_t whom = {
      "b\xc3\xbc"
      "cher.example",
      "192.0.2.1", 25, 1};
  uvsmtp__tls_conn_t* conn;
  meeting_t m;
  int rc;
  (void)state;
  prepare(&m);
  make_chain(&m, &want, 1, &root);
  assert_int_equal(uvsmtp_tls_new(&m.tls, &m.config, NULL), 0);
  rc = uvsmtp__tls_conn_new(&conn, &m.own, m.tls, &whom);
  if (rc == 0) {
    uvsmtp__tls_conn_free(conn);
    assert_int_equal(meet(&m, UVSMTP_TLS_1_2,
                          "B\xc3\x9c"
                          "CHER.example.",
                          1),
                     0);
    assert_string_equal(uvsmtp_tls_info_name(m.info), "xn--bcher-kva.example");
    assert_int_equal(uvsmtp_tls_info_verified(m.info), 1);
    whom.name = "a\xff.example";
    assert_int_equal(uvsmtp__tls_conn_new(&conn, &m.own, m.tls, &whom),
                     -EINVAL);
  } else {
    assert_int_equal(rc, -ENOTSUP);
  }
  finish(&m);
}

/* --------------------------------------------------- trust, pins, the hook */

static void test_insecure(void** state) {
  meeting_t m;
  (void)state;
  prepare(&m);
  m.config.flags = UVSMTP_TLS_INSECURE;
  make_chain(&m, &bad, 1, &other_root);
  assert_int_equal(meet(&m, UVSMTP_TLS_1_2, "mx.example.net", 1), 0);
  assert_int_equal(uvsmtp_tls_info_problems(m.info),
                   UVSMTP_TLS_UNKNOWN_CA | UVSMTP_TLS_WRONG_NAME);
  assert_int_equal(uvsmtp_tls_info_verified(m.info), 0);
  /* And it is resumed as what it was. */
  finish(&m);
}

/* A system without certificates: it can't be had here, and is made of settings
 * that had one. */
static void test_system_without_trust(void** state) {
  meeting_t m;
  (void)state;
  prepare(&m);
  make_chain(&m, &good, 1, &other_root);
  assert_int_equal(uvsmtp_tls_new(&m.tls, &m.config, NULL), 0);
  m.tls->trusts = 0;
  assert_int_equal(meet(&m, UVSMTP_TLS_1_2, "mx.example.net", 0), 0);
  assert_int_equal(uvsmtp_tls_info_problems(m.info), UVSMTP_TLS_NO_TRUST);
  assert_int_equal(uvsmtp_tls_info_verified(m.info), 0);
  leave(&m);
  assert_int_equal(meet(&m, UVSMTP_TLS_1_2, "mx.example.net", 1), UVSMTP_ETLS);
  assert_int_equal(uvsmtp_tls_info_problems(m.info), UVSMTP_TLS_NO_TRUST);
  assert_int_equal(peer_records(m.peer), 0);
  assert_int_equal(uvsmtp__tls_conn_peek(m.conn).len, 0);
  assert_non_null(strstr(uvsmtp_tls_info_error_text(m.info),
                         "no trusted certificate is configured"));
  finish(&m);
}

static void test_no_trust(void** state) {
  static const char none[] = "";
  uvsmtp_tls_t* tls;
  const char* reason = NULL;
  meeting_t m;
  (void)state;
  prepare(&m);
  m.config.ca.base = none;
  m.config.ca.len = 0;
  assert_int_equal(uvsmtp_tls_new(&tls, &m.config, &reason), UVSMTP_ETLS);
  assert_null(tls);
  assert_non_null(reason);
  finish(&m);
}

static void test_pins(void** state) {
  meeting_t m;
  char pins[3][80];
  const char* list[2];
  uvsmtp_slice_t der;
  int i;
  (void)state;
  for (i = 0; i < 5 * versions(); i++) {
    int right = i % 5 < 3;
    prepare(&m);
    make_chain(&m, &bad, 1, &other_root);
    der.base = m.certs[0].der;
    der.len = m.certs[0].len;
    assert_int_equal(uvsmtp_tls_certificate_pin(der, 1, pins[0], 80), 0);
    assert_int_equal(uvsmtp_tls_certificate_pin(der, 0, pins[1], 80), 0);
    der.base = root.der;
    der.len = root.len;
    assert_int_equal(uvsmtp_tls_certificate_pin(der, 1, pins[2], 80), 0);
    /* Neither another's nor one that is nearly its: one of several is enough.
     */
    if (i % 3 == 2) {
      memcpy(pins[2], pins[1], 80);
      pins[2][70] = pins[2][70] == '0' ? '1' : '0';
    }
    list[0] = pins[2];
    list[1] = right ? pins[i % 2] : pins[2];
    m.config.pins = list;
    m.config.npins = 2;
    m.config.flags = i % 2 ? UVSMTP_TLS_INSECURE : 0;
    assert_int_equal(meet(&m, version_of(i / 5), "mx.example.net", i % 2),
                     right ? UVSMTP__TLS_DONE : UVSMTP_ETLS);
    assert_int_equal(uvsmtp_tls_info_problems(m.info) & UVSMTP_TLS_WRONG_PIN,
                     right ? 0 : UVSMTP_TLS_WRONG_PIN);
    if (!right)
      assert_non_null(strstr(uvsmtp_tls_info_error_text(m.info),
                             "none of the pins is its"));
    finish(&m);
  }
}

typedef struct hook_s {
  int verdict;
  int calls;
  size_t count;
  unsigned int problems;
  char name[64];
  size_t len[3];
} hook_t;

static int on_verify(void* arg, const uvsmtp_tls_chain_t* chain) {
  hook_t* h = arg;
  size_t i;
  h->calls++;
  h->count = uvsmtp_tls_chain_count(chain);
  h->problems = uvsmtp_tls_chain_problems(chain);
  strcpy(h->name, uvsmtp_tls_chain_name(chain));
  for (i = 0; i < 3; i++)
    h->len[i] = uvsmtp_tls_chain_certificate(chain, i).len;
  return h->verdict;
}

static void test_hook(void** state) {
  static const int verdicts[] = {UVSMTP_TLS_VERDICT_OWN,
                                 UVSMTP_TLS_VERDICT_TRUST, -EPERM};
  const peer_want_t chain[2] = {
      {"CN=Middle", {NULL}, PEER_CA, -1, 90},
      {"CN=leaf", {"DNS:a.example", NULL}, 0, -1, 90}};
  int i;
  (void)state;
  for (i = 0; i < 6 * versions(); i++) {
    int verdict = verdicts[i % 3];
    int strict = i % 6 / 3;
    hook_t h;
    meeting_t m;
    int rc;
    memset(&h, 0, sizeof(h));
    h.verdict = verdict;
    prepare(&m);
    m.config.verify = on_verify;
    m.config.verify_arg = &h;
    make_chain(&m, chain, 2, &root);
    rc = meet(&m, version_of(i / 6), "mx.example.net", strict);
    assert_int_equal(h.calls, 1);
    assert_int_equal(h.count, 2);
    assert_int_equal(h.problems, UVSMTP_TLS_WRONG_NAME);
    assert_string_equal(h.name, "mx.example.net");
    assert_int_equal(h.len[0], m.certs[1].len);
    assert_int_equal(h.len[1], m.certs[0].len);
    assert_int_equal(h.len[2], 0);
    if (verdict < 0) {
      assert_int_equal(rc, -EPERM);
      assert_true((uvsmtp_tls_info_problems(m.info) & UVSMTP_TLS_REFUSED) != 0);
    } else if (verdict == UVSMTP_TLS_VERDICT_TRUST) {
      assert_int_equal(rc, UVSMTP__TLS_DONE);
    } else {
      assert_int_equal(rc, strict ? UVSMTP_ETLS : UVSMTP__TLS_DONE);
    }
    assert_int_equal(uvsmtp_tls_info_verified(m.info),
                     verdict == UVSMTP_TLS_VERDICT_TRUST);
    finish(&m);
  }
}

/* A server of Mbed TLS's would not even show it: it is put before the verdict
 * as Mbed TLS's client does. */
static void test_for_clients(void** state) {
  peer_want_t want = {
      "CN=leaf", {"DNS:mx.example.net", NULL}, PEER_CLIENT_ONLY, -1, 90};
  int i;
  (void)state;
  for (i = 0; i < 2; i++) {
    uvsmtp__tls_peer_t whom = {"mx.example.net", "192.0.2.1", 25, i};
    mbedtls_x509_crt chain;
    uint32_t flags;
    meeting_t m;
    prepare(&m);
    make_chain(&m, &want, 1, &root);
    assert_int_equal(uvsmtp_tls_new(&m.tls, &m.config, NULL), 0);
    assert_int_equal(uvsmtp__tls_conn_new(&m.conn, &m.own, m.tls, &whom), 0);
    m.info = uvsmtp__tls_conn_info(m.conn);
    mbedtls_x509_crt_init(&chain);
    assert_int_equal(
        mbedtls_x509_crt_parse_der(&chain, m.certs[0].der, m.certs[0].len), 0);
    assert_int_equal(
        mbedtls_x509_crt_verify(&chain, &m.tls->ca, NULL, "mx.example.net",
                                &flags, uvsmtp__tls_verify, m.conn),
        i ? MBEDTLS_ERR_X509_CERT_VERIFY_FAILED : 0);
    assert_int_equal(uvsmtp_tls_info_problems(m.info), UVSMTP_TLS_WRONG_USE);
    assert_string_equal(uvsmtp_tls_info_problem_text(m.info),
                        "not meant for a server");
    mbedtls_x509_crt_free(&chain);
    finish(&m);
  }
}

/* A list without any, which 2.28 has judged too. */
static void test_no_certificate(void** state) {
  uvsmtp__tls_peer_t whom = {"mx.example.net", "192.0.2.1", 25, 0};
  mbedtls_x509_crt chain;
  uint32_t flags = MBEDTLS_X509_BADCERT_NOT_TRUSTED;
  meeting_t m;
  (void)state;
  prepare(&m);
  assert_int_equal(uvsmtp_tls_new(&m.tls, &m.config, NULL), 0);
  assert_int_equal(uvsmtp__tls_conn_new(&m.conn, &m.own, m.tls, &whom), 0);
  mbedtls_x509_crt_init(&chain);
  assert_int_equal(uvsmtp__tls_verify(m.conn, &chain, 0, &flags),
                   MBEDTLS_ERR_X509_FATAL_ERROR);
  assert_int_equal(uvsmtp_tls_info_problems(uvsmtp__tls_conn_info(m.conn)),
                   UVSMTP_TLS_OTHER);
  finish(&m);
}

/* A session goes on with what was found when it began. */
static void test_resumed_facts(void** state) {
  uvsmtp__tls_peer_t whom = {"mx.example.net", "192.0.2.1", 25, 0};
  meeting_t m;
  (void)state;
  prepare(&m);
  make_chain(&m, &bad, 1, &root);
  assert_int_equal(meet(&m, UVSMTP_TLS_1_2, "mx.example.net", 0), 0);
  assert_int_equal(uvsmtp_tls_info_resumed(m.info), 0);
  uvsmtp__tls_conn_free(m.conn);
  peer_accept(m.peer);
  assert_int_equal(uvsmtp__tls_conn_new(&m.conn, &m.own, m.tls, &whom), 0);
  assert_int_equal(peer_shake(m.peer, m.conn, 0), 0);
  m.info = uvsmtp__tls_conn_info(m.conn);
  assert_int_equal(uvsmtp_tls_info_resumed(m.info), 1);
  assert_int_equal(uvsmtp_tls_info_verified(m.info), 0);
  assert_int_equal(uvsmtp_tls_info_problems(m.info), UVSMTP_TLS_WRONG_NAME);
  assert_non_null(strstr(uvsmtp_tls_info_problem_text(m.info), "a.example"));
  finish(&m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cases),
      cmocka_unit_test(test_self_signed),
      cmocka_unit_test(test_names_asked_for),
      cmocka_unit_test(test_without_a_name),
      cmocka_unit_test(test_idn),
      cmocka_unit_test(test_insecure),
      cmocka_unit_test(test_system_without_trust),
      cmocka_unit_test(test_no_trust),
      cmocka_unit_test(test_pins),
      cmocka_unit_test(test_hook),
      cmocka_unit_test(test_for_clients),
      cmocka_unit_test(test_no_certificate),
      cmocka_unit_test(test_resumed_facts),
  };
  return cmocka_run_group_tests(tests, make_roots, free_roots);
}
