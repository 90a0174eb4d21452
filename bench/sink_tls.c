/* SPDX-License-Identifier: MIT */
/* uvsmtp-sink: TLS, as a pair of functions in the place of recv and send. They
 * do the handshake on their way, and tell by EAGAIN that the socket has to be
 * waited for, like their models. */
#include <errno.h>
#include <mbedtls/error.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "mbed.h"
#include "sink.h"

struct sink_tls_server {
  mbedtls_ssl_config conf;
  mbedtls_x509_crt chain;
  mbedtls_pk_context key;
};

struct sink_tls {
  mbedtls_ssl_context ssl;
  int fd;
  bool done;      /* the handshake is over */
  bool blocked;   /* the socket has to take more first */
  bool counted;   /* in the summary */
  size_t pending; /* octets of a write that has to be repeated as it was */
  struct sink_buf flight; /* of the handshake, as far as it is not sent */
};

static int complain(const char* what, int err) {
  char text[128];

  mbedtls_strerror(err, text, sizeof(text));
  fprintf(stderr, "uvsmtp-sink: %s: %s (-0x%04x)\n", what, text,
          (unsigned)-err);
  return 65;
}

int sink_tls_load(struct sink* s) {
  struct sink_tls_server* t;
  int err = mbed_start();

  if (err != 0) return complain("TLS", err);
  s->tls = t = sink_alloc(sizeof(*t));
  mbedtls_ssl_config_init(&t->conf);
  mbedtls_x509_crt_init(&t->chain);
  mbedtls_pk_init(&t->key);
  err = mbedtls_x509_crt_parse_file(&t->chain, s->opt.tls_cert);
  if (err != 0) return complain(s->opt.tls_cert, err);
  err = mbed_key(&t->key, s->opt.tls_key);
  if (err != 0) return complain(s->opt.tls_key, err);
  err = mbed_conf(&t->conf, MBEDTLS_SSL_IS_SERVER, 0, MBED_CURVES_FAST);
  if (err == 0) err = mbed_server_sessions(&t->conf);
  if (err == 0) err = mbedtls_ssl_conf_own_cert(&t->conf, &t->chain, &t->key);
  return err == 0 ? 0 : complain("TLS", err);
}

void sink_tls_unload(struct sink* s) {
  if (s->tls == NULL) return;
  mbedtls_ssl_config_free(&s->tls->conf);
  mbedtls_x509_crt_free(&s->tls->chain);
  mbedtls_pk_free(&s->tls->key);
  free(s->tls);
  mbed_stop();
}

/* Sends what is left of the last flight. */
static int send_flight(struct sink_tls* t) {
  ssize_t sent;

  if (t->flight.len == 0) return 0;
  sent =
      send(t->fd, t->flight.base, t->flight.len, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && errno != EAGAIN && errno != EINTR)
    return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
  if (sent > 0) sink_buf_drop(&t->flight, (size_t)sent);
  if (t->flight.len == 0) return 0;
  t->blocked = true;
  return MBEDTLS_ERR_SSL_WANT_WRITE;
}

/* Mbed TLS writes each message of the handshake by itself. Other servers send a
 * flight in one piece, and so do we: it is what clients are used to. */
static int bio_send(void* arg, const unsigned char* p, size_t n) {
  struct sink_tls* t = arg;
  ssize_t sent;
  int err;

  if (!t->done) {
    sink_buf_add(&t->flight, p, n);
    return (int)n;
  }
  err = send_flight(t);
  if (err != 0) return err;
  sent = send(t->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent >= 0) return (int)sent;
  if (errno != EAGAIN && errno != EINTR) return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
  t->blocked = true;
  return MBEDTLS_ERR_SSL_WANT_WRITE;
}

static int bio_recv(void* arg, unsigned char* p, size_t n) {
  struct sink_tls* t = arg;
  ssize_t got = recv(t->fd, p, n, MSG_DONTWAIT);

  if (got >= 0) return (int)got;
  return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ
                                           : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

/* Out of memory ends the program, as everywhere in the sink. */
void sink_tls_begin(struct sink* s, struct sink_conn* c) {
  struct sink_tls* t = sink_alloc(sizeof(*t));

  memset(t, 0, sizeof(*t));
  t->fd = c->watch.fd;
  mbedtls_ssl_init(&t->ssl);
  if (mbedtls_ssl_setup(&t->ssl, &s->tls->conf) != 0) {
    fputs("uvsmtp-sink: out of memory\n", stderr);
    exit(71);
  }
  mbedtls_ssl_set_bio(&t->ssl, t, bio_send, bio_recv, NULL);
  c->tls = t;
}

void sink_tls_end(struct sink_conn* c) {
  if (c->tls == NULL) return;
  mbedtls_ssl_free(&c->tls->ssl);
  sink_buf_free(&c->tls->flight);
  free(c->tls);
  c->tls = NULL;
}

/* What a peer needs to tell our end from a cut. Nobody waits for it to leave:
 * it is short, and a socket that has no room for it is not being read. */
void sink_tls_bye(struct sink_conn* c) {
  if (c->tls != NULL && c->tls->done) mbedtls_ssl_close_notify(&c->tls->ssl);
}

bool sink_tls_blocked(const struct sink_conn* c) {
  return c->tls != NULL && c->tls->blocked;
}

const char* sink_tls_version(const struct sink_conn* c) {
  return mbedtls_ssl_get_version(&c->tls->ssl);
}

/* Turns what Mbed TLS says into what recv and send would. */
static ssize_t outcome(int err) {
  if (err == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) return 0;
  errno = err == MBEDTLS_ERR_SSL_WANT_READ || err == MBEDTLS_ERR_SSL_WANT_WRITE
              ? EAGAIN
              : ECONNABORTED;
  return -1;
}

static int handshake(struct sink* s, struct sink_tls* t) {
  unsigned long before = mbed_sessions_found();
  int err = mbedtls_ssl_handshake(&t->ssl);
  int sent = send_flight(t);

  if (mbed_sessions_found() != before && !t->counted) {
    t->counted = true;
    s->resumed++;
  }
  /* An alert is sent, too. */
  if (err != 0) return err;
  if (sent != 0 && sent != MBEDTLS_ERR_SSL_WANT_WRITE) return sent;
  t->done = true;
  s->secured++;
  return 0;
}

ssize_t sink_tls_recv(struct sink* s, struct sink_conn* c, void* buf,
                      size_t cap) {
  struct sink_tls* t = c->tls;
  size_t got = 0;

  t->blocked = false;
  if (!t->done) {
    int err = handshake(s, t);

    if (err != 0) return outcome(err);
    /* The greeting of implicit TLS may be due. */
    if (c->greeting_due) return outcome(MBEDTLS_ERR_SSL_WANT_READ);
  }
  /* Records are taken while there is room for a whole one: what is decrypted
   * already would not be told by epoll. */
  while (cap - got >= MBEDTLS_SSL_IN_CONTENT_LEN) {
    int n = mbedtls_ssl_read(&t->ssl, (unsigned char*)buf + got, cap - got);

    if (n > 0) {
      got += (size_t)n;
      continue;
    }
    if (got == 0) return outcome(n);
    /* It won't say so again: have the socket say it. */
    if (n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) shutdown(t->fd, SHUT_RD);
    break;
  }
  return (ssize_t)got;
}

bool sink_tls_done(const struct sink_conn* c) {
  return c->tls == NULL || c->tls->done;
}

/* A write that was cut short has its record half in the socket: it is gone on
 * with by the same call. */
ssize_t sink_tls_send(struct sink_conn* c, const void* buf, size_t n) {
  struct sink_tls* t = c->tls;
  size_t sent = 0;

  t->blocked = false;
  while (sent < n) {
    size_t want = t->pending > 0 ? t->pending : n - sent;
    int k = mbedtls_ssl_write(&t->ssl, (const unsigned char*)buf + sent, want);

    if (k == MBEDTLS_ERR_SSL_WANT_WRITE) {
      t->pending = want;
      break;
    }
    t->pending = 0;
    if (k < 0) return outcome(k);
    sent += (size_t)k;
  }
  if (sent == 0 && n > 0) return outcome(MBEDTLS_ERR_SSL_WANT_WRITE);
  return (ssize_t)sent;
}
