/* SPDX-License-Identifier: MIT */
/* tls_peer.c: a server in memory, and certificates for it; with the #ifs on
 * versions of Mbed TLS that the tests need. */
#include "tls_peer.h"

#include <mbedtls/asn1.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/rsa.h>
#include <mbedtls/ssl_cache.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/version.h>
#if MBEDTLS_VERSION_MAJOR >= 3
#include <psa/crypto.h>
#endif
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { QUEUE_MAX = 1 << 20 };

/* ------------------------------------------------------------ random source */

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context drbg;
static int seeded;

static void seed(void) {
  if (seeded) return;
  seeded = 1;
#if MBEDTLS_VERSION_MAJOR >= 3
  assert_int_equal(psa_crypto_init(), PSA_SUCCESS);
#endif
  mbedtls_entropy_init(&entropy);
  mbedtls_ctr_drbg_init(&drbg);
  assert_int_equal(
      mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0), 0);
}

int peer_can_export(void) {
#if defined(MBEDTLS_SSL_KEYING_MATERIAL_EXPORT)
  return 1;
#else
  return 0;
#endif
}

int peer_has_tls13(void) {
#if defined(MBEDTLS_SSL_PROTO_TLS1_3)
  return 1;
#else
  return 0;
#endif
}

/* ------------------------------------------------------------ certificates */

static void make_key(mbedtls_pk_context* key, unsigned int flags) {
  mbedtls_pk_init(key);
  if ((flags & PEER_RSA_1024) != 0) {
    assert_int_equal(
        mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)), 0);
    assert_int_equal(
        mbedtls_rsa_gen_key(mbedtls_pk_rsa(*key), mbedtls_ctr_drbg_random,
                            &drbg, 1024, 65537),
        0);
    return;
  }
  assert_int_equal(
      mbedtls_pk_setup(key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
  assert_int_equal(
      mbedtls_ecp_gen_key((flags & PEER_P192) != 0 ? MBEDTLS_ECP_DP_SECP192R1
                                                   : MBEDTLS_ECP_DP_SECP256R1,
                          mbedtls_pk_ec(*key), mbedtls_ctr_drbg_random, &drbg),
      0);
}

static void extension(mbedtls_x509write_cert* w, const char* oid,
                      size_t oid_len, const unsigned char* der, size_t len) {
  assert_int_equal(
      mbedtls_x509write_crt_set_extension(w, oid, oid_len, 0, der, len), 0);
}

/* SEQUENCE of GeneralName, all lengths below 128. */
static void add_names(mbedtls_x509write_cert* w, const peer_want_t* want) {
  unsigned char der[128];
  size_t at = 2;
  size_t i;
  for (i = 0; i < 4 && want->sans[i] != NULL; i++) {
    const char* text = want->sans[i];
    size_t len = strlen(text + 4);
    size_t k;
    der[at++] = strncmp(text, "DNS:", 4) == 0   ? 0x82
                : strncmp(text, "URI:", 4) == 0 ? 0x86
                                                : 0x87;
    der[at++] = (unsigned char)len;
    for (k = 0; k < len; k++)
      der[at++] = text[4 + k] == '|' ? 0 : (unsigned char)text[4 + k];
  }
  if (at == 2) return;
  assert_true(at < sizeof(der));
  der[0] = 0x30;
  der[1] = (unsigned char)(at - 2);
  extension(w, "\x55\x1D\x11", 3, der, at);
}

static void add_validity(mbedtls_x509write_cert* w, const peer_want_t* want) {
  char text[2][16];
  int i;
  for (i = 0; i < 2; i++) {
    time_t when = time(NULL) + (i ? want->to_days : want->from_days) * 86400L;
    struct tm tm;
    gmtime_r(&when, &tm);
    strftime(text[i], sizeof(text[i]), "%Y%m%d%H%M%S", &tm);
  }
  assert_int_equal(mbedtls_x509write_crt_set_validity(w, text[0], text[1]), 0);
}

static void add_serial(mbedtls_x509write_cert* w) {
#if MBEDTLS_VERSION_MAJOR < 3
  mbedtls_mpi serial;
  mbedtls_mpi_init(&serial);
  assert_int_equal(mbedtls_mpi_lset(&serial, 17), 0);
  assert_int_equal(mbedtls_x509write_crt_set_serial(w, &serial), 0);
  mbedtls_mpi_free(&serial);
#else
  unsigned char serial[] = {17};
  assert_int_equal(mbedtls_x509write_crt_set_serial_raw(w, serial, 1), 0);
#endif
}

void peer_cert_make(peer_cert_t* out, const peer_want_t* want,
                    const peer_cert_t* issuer) {
  static const unsigned char client_auth[] = {
      0x30, 0x0A, 0x06, 0x08, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02};
  mbedtls_x509write_cert w;
  unsigned char buf[4096];
  int len;
  seed();
  memset(out, 0, sizeof(*out));
  make_key(&out->key, want->flags);
  strcpy(out->subject, want->subject);
  if (issuer == NULL) issuer = out;
  mbedtls_x509write_crt_init(&w);
  mbedtls_x509write_crt_set_version(&w, MBEDTLS_X509_CRT_VERSION_3);
  mbedtls_x509write_crt_set_md_alg(
      &w, (want->flags & PEER_SHA1) != 0 ? MBEDTLS_MD_SHA1 : MBEDTLS_MD_SHA256);
  assert_int_equal(mbedtls_x509write_crt_set_subject_name(&w, out->subject), 0);
  assert_int_equal(mbedtls_x509write_crt_set_issuer_name(&w, issuer->subject),
                   0);
  mbedtls_x509write_crt_set_subject_key(&w, &out->key);
  mbedtls_x509write_crt_set_issuer_key(&w, (mbedtls_pk_context*)&issuer->key);
  add_serial(&w);
  add_validity(&w, want);
  assert_int_equal(mbedtls_x509write_crt_set_basic_constraints(
                       &w, (want->flags & PEER_CA) != 0, -1),
                   0);
  if ((want->flags & PEER_CA) != 0)
    assert_int_equal(
        mbedtls_x509write_crt_set_key_usage(&w, MBEDTLS_X509_KU_KEY_CERT_SIGN),
        0);
  if ((want->flags & PEER_CLIENT_ONLY) != 0)
    extension(&w, "\x55\x1D\x25", 3, client_auth, sizeof(client_auth));
  add_names(&w, want);
  len = mbedtls_x509write_crt_der(&w, buf, sizeof(buf), mbedtls_ctr_drbg_random,
                                  &drbg);
  assert_true(len > 0);
  memcpy(out->der, buf + sizeof(buf) - len, (size_t)len);
  out->len = (size_t)len;
  mbedtls_x509write_crt_free(&w);
}

void peer_cert_free(peer_cert_t* cert) { mbedtls_pk_free(&cert->key); }

/* ------------------------------------------------------------------ server */

struct peer_s {
  mbedtls_ssl_config conf;
  mbedtls_ssl_context ssl;
  mbedtls_x509_crt chain;
  mbedtls_x509_crt client_ca;
  mbedtls_ssl_ticket_context tickets;
  mbedtls_ssl_cache_context cache;
  int suites[2];
  int started;
  int done; /* the handshake */
  int lost;
  int has_tickets;
  uint32_t lifetime;
  unsigned char* in;
  size_t in_len;
  unsigned char* out;
  size_t out_len;
  size_t records;
  unsigned char head[5]; /* of the record that is on its way in */
  size_t head_len;
  size_t body;
};

static int srv_send(void* arg, const unsigned char* data, size_t len) {
  peer_t* p = arg;
  assert_true(len <= QUEUE_MAX - p->out_len);
  memcpy(p->out + p->out_len, data, len);
  p->out_len += len;
  return (int)len;
}

static int srv_recv(void* arg, unsigned char* buf, size_t cap) {
  peer_t* p = arg;
  if (p->in_len == 0) return MBEDTLS_ERR_SSL_WANT_READ;
  if (cap > p->in_len) cap = p->in_len;
  memcpy(buf, p->in, cap);
  memmove(p->in, p->in + cap, p->in_len - cap);
  p->in_len -= cap;
  return (int)cap;
}

static void configure(peer_t* p, const peer_config_t* c) {
  assert_int_equal(mbedtls_ssl_config_defaults(&p->conf, MBEDTLS_SSL_IS_SERVER,
                                               MBEDTLS_SSL_TRANSPORT_STREAM,
                                               MBEDTLS_SSL_PRESET_DEFAULT),
                   0);
  mbedtls_ssl_conf_rng(&p->conf, mbedtls_ctr_drbg_random, &drbg);
#if MBEDTLS_VERSION_MAJOR < 3
  mbedtls_ssl_conf_min_version(&p->conf, 3, c->version & 0xff);
  mbedtls_ssl_conf_max_version(&p->conf, 3, c->version & 0xff);
#else
  mbedtls_ssl_conf_min_tls_version(&p->conf,
                                   (mbedtls_ssl_protocol_version)c->version);
  mbedtls_ssl_conf_max_tls_version(&p->conf,
                                   (mbedtls_ssl_protocol_version)c->version);
#endif
  if (c->suite != 0) {
    p->suites[0] = c->suite;
    mbedtls_ssl_conf_ciphersuites(&p->conf, p->suites);
  }
  if (c->client_ca != NULL) {
    assert_int_equal(mbedtls_x509_crt_parse_der(
                         &p->client_ca, c->client_ca->der, c->client_ca->len),
                     0);
    mbedtls_ssl_conf_ca_chain(&p->conf, &p->client_ca, NULL);
    mbedtls_ssl_conf_authmode(&p->conf, MBEDTLS_SSL_VERIFY_REQUIRED);
  }
#if defined(MBEDTLS_SSL_PROTO_TLS1_3)
  if (c->many > 0)
    mbedtls_ssl_conf_new_session_tickets(&p->conf, (uint16_t)c->many);
#endif
  if (c->renegotiates)
    mbedtls_ssl_conf_renegotiation(&p->conf, MBEDTLS_SSL_RENEGOTIATION_ENABLED);
  p->has_tickets = c->tickets;
  p->lifetime = c->lifetime == 0 ? 86400 : c->lifetime;
  if (c->tickets)
    mbedtls_ssl_conf_session_tickets_cb(&p->conf, mbedtls_ssl_ticket_write,
                                        mbedtls_ssl_ticket_parse, &p->tickets);
  else
    mbedtls_ssl_conf_session_cache(&p->conf, &p->cache, mbedtls_ssl_cache_get,
                                   mbedtls_ssl_cache_set);
}

void peer_forget(peer_t* p) {
  if (p->has_tickets) {
    mbedtls_ssl_ticket_free(&p->tickets);
    mbedtls_ssl_ticket_init(&p->tickets);
    assert_int_equal(
        mbedtls_ssl_ticket_setup(&p->tickets, mbedtls_ctr_drbg_random, &drbg,
                                 MBEDTLS_CIPHER_AES_256_GCM, p->lifetime),
        0);
  } else {
    mbedtls_ssl_cache_free(&p->cache);
    mbedtls_ssl_cache_init(&p->cache);
  }
}

peer_t* peer_new(const peer_config_t* c) {
  peer_t* p = calloc(1, sizeof(*p));
  size_t i;
  seed();
  assert_non_null(p);
  p->in = malloc(QUEUE_MAX);
  p->out = malloc(QUEUE_MAX);
  mbedtls_ssl_config_init(&p->conf);
  mbedtls_x509_crt_init(&p->chain);
  mbedtls_x509_crt_init(&p->client_ca);
  mbedtls_ssl_ticket_init(&p->tickets);
  mbedtls_ssl_cache_init(&p->cache);
  configure(p, c);
  peer_forget(p);
  for (i = 0; i < 4 && c->chain[i] != NULL; i++)
    assert_int_equal(mbedtls_x509_crt_parse_der(&p->chain, c->chain[i]->der,
                                                c->chain[i]->len),
                     0);
  assert_int_equal(
      mbedtls_ssl_conf_own_cert(&p->conf, &p->chain,
                                (mbedtls_pk_context*)&c->chain[0]->key),
      0);
  peer_accept(p);
  return p;
}

void peer_accept(peer_t* p) {
  if (p->started) mbedtls_ssl_free(&p->ssl);
  p->started = 1;
  p->done = p->lost = 0;
  p->in_len = p->out_len = p->records = p->head_len = p->body = 0;
  mbedtls_ssl_init(&p->ssl);
  assert_int_equal(mbedtls_ssl_setup(&p->ssl, &p->conf), 0);
  mbedtls_ssl_set_bio(&p->ssl, p, srv_send, srv_recv, NULL);
}

void peer_free(peer_t* p) {
  mbedtls_ssl_free(&p->ssl);
  mbedtls_ssl_config_free(&p->conf);
  mbedtls_x509_crt_free(&p->chain);
  mbedtls_x509_crt_free(&p->client_ca);
  mbedtls_ssl_ticket_free(&p->tickets);
  mbedtls_ssl_cache_free(&p->cache);
  free(p->in);
  free(p->out);
  free(p);
}

mbedtls_ssl_context* peer_ssl(peer_t* p) { return &p->ssl; }

int peer_knows_client(peer_t* p) {
  return mbedtls_ssl_get_peer_cert(&p->ssl) != NULL &&
         mbedtls_ssl_get_verify_result(&p->ssl) == 0;
}

static void count_records(peer_t* p, const unsigned char* data, size_t len) {
  while (len > 0) {
    size_t n = p->body < len ? p->body : len;
    p->body -= n;
    data += n;
    len -= n;
    if (len == 0) break;
    p->head[p->head_len++] = *data++;
    len--;
    if (p->head_len < 5) continue;
    p->head_len = 0;
    p->body = (size_t)p->head[3] << 8 | p->head[4];
    if (p->head[0] == 23) p->records++;
  }
}

size_t peer_records(const peer_t* p) { return p->records; }

void peer_take(peer_t* p, uvsmtp__tls_conn_t* conn) {
  uvsmtp_slice_t s = uvsmtp__tls_conn_peek(conn);
  if (s.len == 0) return;
  assert_true(s.len <= QUEUE_MAX - p->in_len);
  memcpy(p->in + p->in_len, s.base, s.len);
  p->in_len += s.len;
  count_records(p, s.base, s.len);
  uvsmtp__tls_conn_sent(conn, s.len);
}

void peer_give(peer_t* p, uvsmtp__tls_conn_t* conn) {
  size_t len = p->out_len;
  if (len == 0) return;
  assert_int_equal(uvsmtp__tls_conn_input(conn, p->out, len), 0);
  assert_int_equal(uvsmtp__tls_conn_keep(conn), 0);
  p->out_len = 0;
}

int peer_hand(peer_t* p, uvsmtp__tls_conn_t* conn) {
  size_t len = p->out_len;
  int err = uvsmtp__tls_conn_input(conn, p->out, len);
  if (err == 0) err = uvsmtp__tls_conn_keep(conn);
  p->out_len = 0;
  return err;
}

size_t peer_lift(peer_t* p, void* buf, size_t cap) {
  size_t len = p->out_len;
  assert_true(len <= cap);
  memcpy(buf, p->out, len);
  p->out_len = 0;
  return len;
}

int peer_shake(peer_t* p, uvsmtp__tls_conn_t* conn, size_t piece) {
  int idle = 0;
  int rc = UVSMTP__TLS_WAIT;
  while (idle < 2) {
    idle++;
    rc = uvsmtp__tls_conn_handshake(conn);
    if (rc == UVSMTP__TLS_MORE) idle = 0;
    if (uvsmtp__tls_conn_peek(conn).len > 0) idle = 0;
    peer_take(p, conn);
    if (p->done || p->lost) {
      /* Nothing that it would have to do now. */
    } else {
      int err = mbedtls_ssl_handshake(&p->ssl);
      p->done = err == 0;
      p->lost = err != 0 && err != MBEDTLS_ERR_SSL_WANT_READ;
    }
    if (rc < 0) return rc;
    if (p->out_len > 0) {
      size_t n = piece == 0 || piece > p->out_len ? p->out_len : piece;
      idle = 0;
      assert_int_equal(uvsmtp__tls_conn_input(conn, p->out, n), 0);
      rc = uvsmtp__tls_conn_handshake(conn);
      if (rc == UVSMTP__TLS_WAIT)
        assert_int_equal(uvsmtp__tls_conn_left(conn), 0);
      assert_int_equal(uvsmtp__tls_conn_keep(conn), 0);
      memmove(p->out, p->out + n, p->out_len - n);
      p->out_len -= n;
      if (rc < 0) {
        peer_take(p, conn);
        return rc;
      }
    }
  }
  return rc;
}

void peer_say(peer_t* p, const void* data, size_t len) {
  assert_int_equal(mbedtls_ssl_write(&p->ssl, data, len), (int)len);
}

int peer_hear(peer_t* p, void* buf, size_t cap) {
  size_t at = 0;
  while (at < cap) {
    int rc = mbedtls_ssl_read(&p->ssl, (unsigned char*)buf + at, cap - at);
    if (rc == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) return -1;
    if (rc <= 0) break;
    at += (size_t)rc;
  }
  return (int)at;
}

void peer_renegotiate(peer_t* p) {
  assert_int_equal(mbedtls_ssl_renegotiate(&p->ssl), 0);
}

void peer_close(peer_t* p) {
  assert_int_equal(mbedtls_ssl_close_notify(&p->ssl), 0);
}

void peer_export(peer_t* p, const char* label, unsigned char* out, size_t len) {
#if defined(MBEDTLS_SSL_KEYING_MATERIAL_EXPORT)
  assert_int_equal(mbedtls_ssl_export_keying_material(
                       &p->ssl, out, len, label, strlen(label), NULL, 0, 0),
                   0);
#else
  (void)p;
  (void)label;
  memset(out, 0, len);
#endif
}
