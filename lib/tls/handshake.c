/* SPDX-License-Identifier: MIT */
/* handshake.c: how a connection gets there, what is kept of it for the next
 * one, and in which words it fails. */
#include <errno.h>
#include <mbedtls/error.h>
#include <mbedtls/platform_util.h>
#include <string.h>

#include "tls/conn_int.h"

/* Tickets that are taken of a connection: each costs a copy of the session,
 * and a server may send any number. */
enum { TICKETS_MAX = 4 };

/* ------------------------------------------------------------------- words */

/* RFC 8446 6.2, RFC 5246 7.2.2. */
static const struct {
  int number;
  char text[32];
} alerts[] = {
    {0, "close notify"},
    {10, "unexpected message"},
    {20, "bad record MAC"},
    {22, "record overflow"},
    {40, "handshake failure"},
    {42, "bad certificate"},
    {43, "unsupported certificate"},
    {44, "certificate revoked"},
    {45, "certificate expired"},
    {46, "certificate unknown"},
    {47, "illegal parameter"},
    {48, "unknown CA"},
    {49, "access denied"},
    {50, "decode error"},
    {51, "decrypt error"},
    {70, "protocol version"},
    {71, "insufficient security"},
    {80, "internal error"},
    {86, "inappropriate fallback"},
    {90, "user canceled"},
    {109, "missing extension"},
    {110, "unsupported extension"},
    {112, "unrecognized name"},
    {113, "bad certificate status response"},
    {115, "unknown PSK identity"},
    {116, "certificate required"},
    {120, "no application protocol"},
};

static const char* alert_text(int number) {
  size_t i;
  for (i = 0; i < sizeof(alerts) / sizeof(alerts[0]); i++)
    if (alerts[i].number == number) return alerts[i].text;
  return "an alert without a name";
}

static void say(uvsmtp__tls_conn_t* conn, const char* text, int code) {
  uvsmtp__tls_info_error(conn->info, &conn->tls->mem, text, code);
}

static void say_mbedtls(uvsmtp__tls_conn_t* conn, int rc) {
  uvsmtp_tls_info_t* info = conn->info;
  char buf[UVSMTP__TLS_WORDS_MAX + 32];
  uvsmtp__words_t w;
  uvsmtp__words_init(&w, buf, sizeof(buf));
  if (!info->established && info->problems != 0 &&
      (conn->strict ||
       (info->problems & (UVSMTP_TLS_WRONG_PIN | UVSMTP_TLS_REFUSED)) != 0) &&
      !conn->judge.trusted) {
    uvsmtp__words_add(&w, "the certificate is not accepted: ");
    uvsmtp__words_add(&w, uvsmtp_tls_info_problem_text(info));
  } else if (rc == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE) {
    uvsmtp__words_add(&w, "the server refused: ");
    uvsmtp__words_add(&w, alert_text(uvsmtp__mbed_alert(&conn->ssl)));
  } else if (rc == MBEDTLS_ERR_SSL_CONN_EOF && info->established) {
    uvsmtp__words_add(&w, "the connection ended without close_notify");
  } else if (rc == MBEDTLS_ERR_SSL_CONN_EOF) {
    uvsmtp__words_add(&w, "the connection ended in the handshake");
  } else if (conn->send_error == -ENOBUFS) {
    uvsmtp__words_add(&w, "the server has us answer, and does not read");
  } else {
    char text[160];
    mbedtls_strerror(rc, text, sizeof(text));
    uvsmtp__words_add(&w, text);
  }
  say(conn, buf, rc);
}

/* ----------------------------------------------------------------- the end */

static void note_suite(uvsmtp__tls_conn_t* conn) {
  const char* version = mbedtls_ssl_get_version(&conn->ssl);
  const char* cipher = mbedtls_ssl_get_ciphersuite(&conn->ssl);
  if (strcmp(version, "TLSv1.3") == 0)
    conn->info->version = UVSMTP_TLS_1_3;
  else if (strcmp(version, "TLSv1.2") == 0)
    conn->info->version = UVSMTP_TLS_1_2;
  if (cipher != NULL)
    uvsmtp__tls_cipher_name(cipher, conn->info->cipher,
                            sizeof(conn->info->cipher));
}

static int is_no_memory(const uvsmtp__tls_conn_t* conn, int rc) {
  return conn->send_error == -ENOMEM || rc == MBEDTLS_ERR_SSL_ALLOC_FAILED ||
         rc == MBEDTLS_ERR_X509_ALLOC_FAILED ||
         rc == MBEDTLS_ERR_PK_ALLOC_FAILED;
}

int uvsmtp__tls_conn_fail(uvsmtp__tls_conn_t* conn, int rc) {
  conn->error = UVSMTP_ETLS;
  if (is_no_memory(conn, rc)) {
    conn->error = -ENOMEM;
    say(conn, "no memory", 0);
  } else {
    if (conn->judge.error != 0) conn->error = conn->judge.error;
    say_mbedtls(conn, rc);
  }
  if (conn->info->established) return conn->error;
  conn->tls->failed++;
  conn->info->verified = 0;
  if (conn->judge.judged) note_suite(conn);
  /* Whatever it was, the next try should not meet it again. */
  if (conn->offered)
    uvsmtp__tls_cache_drop(&conn->tls->cache, conn->key, conn->key_len);
  return conn->error;
}

/* Ours, for what Mbed TLS would have let pass. */
static int refuse(uvsmtp__tls_conn_t* conn, unsigned char alert, int rc) {
  (void)mbedtls_ssl_send_alert_message(&conn->ssl,
                                       MBEDTLS_SSL_ALERT_LEVEL_FATAL, alert);
  return uvsmtp__tls_conn_fail(conn, rc);
}

/* ---------------------------------------------------------------- sessions */

/* How long to keep it, in seconds, 0: as long as the settings want; or -1: not
 * at all. A ticket that came in a session that was resumed itself is good for
 * as long as the one before it: there is a full handshake now and then. */
static int64_t time_left(const uvsmtp__tls_conn_t* conn,
                         const mbedtls_ssl_session* session, uint64_t now) {
  uint32_t lifetime;
  if (!uvsmtp__mbed_resumable(session, &lifetime)) return -1;
  /* RFC 8446 4.6.1: to be thrown away at once. */
  if (lifetime == 0 && conn->info->version == UVSMTP_TLS_1_3) return -1;
  if (!conn->info->resumed) return lifetime;
  if (conn->earlier.until <= now) return -1;
  if (lifetime == 0 || lifetime > conn->earlier.until - now)
    return (int64_t)(conn->earlier.until - now);
  return lifetime;
}

/* Keeps what Mbed TLS has for the next connection. No memory: then not. */
static void keep_session(uvsmtp__tls_conn_t* conn) {
  uvsmtp_tls_t* tls = conn->tls;
  uvsmtp_tls_info_t* info = conn->info;
  uvsmtp_slice_t der = uvsmtp_tls_info_certificate(info);
  mbedtls_ssl_session session;
  uvsmtp__tls_entry_t* e = NULL;
  uvsmtp__blob_t* certificate;
  uint64_t now = uvsmtp__tls_now();
  int64_t left = -1;
  if ((tls->flags & UVSMTP_TLS_NO_RESUMPTION) != 0) return;
  /* What was found of this one has been forgotten meanwhile. */
  if (conn->forgotten != tls->forgotten) return;
  certificate = info->certificate != NULL
                    ? uvsmtp__blob_ref(info->certificate)
                    : uvsmtp__blob_new(&tls->mem, der.base, der.len);
  mbedtls_ssl_session_init(&session);
  if (certificate != NULL && mbedtls_ssl_get_session(&conn->ssl, &session) == 0)
    left = time_left(conn, &session, now);
  if (left >= 0)
    e = uvsmtp__tls_cache_add(&tls->cache, conn->key, conn->key_len, now,
                              (uint32_t)left);
  if (e == NULL) {
    mbedtls_ssl_session_free(&session);
    uvsmtp__blob_unref(certificate);
    return;
  }
  /* It moves, which Mbed TLS's structs may: what it points to is its own. */
  e->session = session;
  mbedtls_platform_zeroize(&session, sizeof(session));
  e->verified = info->verified;
  e->problems = info->problems;
  e->problem_text = uvsmtp__blob_ref(info->problem_text);
  e->certificate = certificate;
}

void uvsmtp__tls_conn_ticket(uvsmtp__tls_conn_t* conn) {
  if (conn->tickets == TICKETS_MAX) return;
  conn->tickets++;
  keep_session(conn);
}

/* A session that goes on is as good as it was when it began. */
static void take_earlier(uvsmtp__tls_conn_t* conn) {
  uvsmtp_tls_info_t* info = conn->info;
  info->resumed = 1;
  info->verified = conn->earlier.verified != 0;
  info->problems = conn->earlier.problems;
  info->problem_text = conn->earlier.problem_text;
  info->certificate = conn->earlier.certificate;
  conn->earlier.problem_text = NULL;
  conn->earlier.certificate = NULL;
  conn->tls->resumed++;
}

/* The certificate is Mbed TLS's while the connection lives. */
static void borrow_certificate(uvsmtp__tls_conn_t* conn) {
  const mbedtls_x509_crt* crt = mbedtls_ssl_get_peer_cert(&conn->ssl);
  uvsmtp_tls_info_t* info = conn->info;
  if (crt == NULL) return;
  info->borrowed.base = (const char*)crt->raw.p;
  info->borrowed.len = crt->raw.len;
  uvsmtp__blob_unref(info->certificate);
  info->certificate = NULL;
}

/* -------------------------------------------------------------- the steps */

/* What Mbed TLS saw after it had asked us; 0 or the error. */
static int look_again(uvsmtp__tls_conn_t* conn) {
  uint32_t flags = mbedtls_ssl_get_verify_result(&conn->ssl);
  const mbedtls_x509_crt* leaf = mbedtls_ssl_get_peer_cert(&conn->ssl);
  uvsmtp_tls_info_t* info = conn->info;
  unsigned int more = uvsmtp__tls_problems_of(flags) & ~info->problems;
  info->problems |= more;
  /* Without MBEDTLS_SSL_KEEP_PEER_CERTIFICATE the chain has gone by now. */
  if (more != 0 && leaf != NULL) uvsmtp__tls_explain(conn, leaf);
  if (info->problems == 0 || conn->judge.trusted) {
    info->verified = info->named != NULL;
    return 0;
  }
  if (!conn->strict) return 0;
  return refuse(conn, MBEDTLS_SSL_ALERT_MSG_BAD_CERT,
                MBEDTLS_ERR_X509_CERT_VERIFY_FAILED);
}

static int finish(uvsmtp__tls_conn_t* conn) {
  uvsmtp_tls_t* tls = conn->tls;
  int err;
  note_suite(conn);
  if (!conn->judge.judged) {
    /* Nobody asked us about a certificate: it is the session that we offered,
     * or else something that can't be. */
    if (!conn->offered)
      return refuse(conn, MBEDTLS_SSL_ALERT_MSG_INTERNAL_ERROR,
                    MBEDTLS_ERR_SSL_INTERNAL_ERROR);
    take_earlier(conn);
    conn->info->established = 1;
    return UVSMTP__TLS_DONE;
  }
  if (conn->offered) tls->refused++;
  err = look_again(conn);
  if (err != 0) return err;
  conn->info->established = 1;
  tls->full++;
  /* TLS 1.3 has nothing to keep before there is a ticket. */
  if (conn->info->version == UVSMTP_TLS_1_2) keep_session(conn);
  borrow_certificate(conn);
  return UVSMTP__TLS_DONE;
}

/* Strict, and nobody to trust: no need to trouble the server. */
static int begin(uvsmtp__tls_conn_t* conn) {
  conn->begun = 1;
  if (!conn->strict || conn->tls->trusts || conn->tls->verify != NULL) return 0;
  conn->info->problems = UVSMTP_TLS_NO_TRUST;
  uvsmtp__tls_explain(conn, NULL);
  return uvsmtp__tls_conn_fail(conn, MBEDTLS_ERR_SSL_CA_CHAIN_REQUIRED);
}

int uvsmtp__tls_conn_handshake(uvsmtp__tls_conn_t* conn) {
  int spent = 0;
  if (conn->error != 0) return conn->error;
  if (conn->info->established) return UVSMTP__TLS_DONE;
  if (!conn->begun && begin(conn) != 0) return conn->error;
  for (;;) {
    int costly = uvsmtp__mbed_costly(&conn->ssl, conn->tls->cert.version != 0);
    int rc;
    /* Before the next one, so that what costs little goes out with the last. */
    if (costly && spent) return UVSMTP__TLS_MORE;
    conn->starved = 0;
    rc = mbedtls_ssl_handshake_step(&conn->ssl);
    if (rc == MBEDTLS_ERR_SSL_WANT_READ) {
      if (!conn->starved) continue;
      return UVSMTP__TLS_WAIT;
    }
    if (rc != 0 && !uvsmtp__mbed_is_ticket(rc))
      return uvsmtp__tls_conn_fail(conn, rc);
    if (uvsmtp__mbed_over(&conn->ssl)) return finish(conn);
    spent |= costly;
  }
}
