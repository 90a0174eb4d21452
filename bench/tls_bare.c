/* SPDX-License-Identifier: MIT */
/* tls_bare.c: the floor. The least that a client can do with Mbed TLS: blocking
 * sockets, one configuration for all, certificates verified, a session kept
 * for resumption. It says to the server what uvsmtp says. */
#include <arpa/inet.h>
#include <errno.h>
#include <mbedtls/error.h>
#include <mbedtls/x509_crt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls_bench.h"

#define SERVER_NAME "localhost"

typedef struct conn_s {
  mbedtls_ssl_context ssl;
  int fd;
  bool tls;
} conn_t;

struct bare_s {
  job_t job;
  mbedtls_ssl_config conf;
  mbedtls_x509_crt ca;
  mbedtls_ssl_session session;
  bool saved;
  int suites[2];
  char suite[64];
  conn_t** held;
  int nheld;
};

static _Noreturn void mbed_die(const char* what, int err) {
  char text[160];
  mbedtls_strerror(err, text, sizeof(text));
  die("%s: %s (-0x%04x)", what, text, (unsigned)-err);
}

/* ------------------------------------------------------------ a connection */

static int fd_send(void* arg, const unsigned char* p, size_t n) {
  ssize_t k = send(((conn_t*)arg)->fd, p, n, MSG_NOSIGNAL);
  return k < 0 ? MBEDTLS_ERR_SSL_INTERNAL_ERROR : (int)k;
}

static int fd_recv(void* arg, unsigned char* p, size_t n) {
  ssize_t k = recv(((conn_t*)arg)->fd, p, n, 0);
  return k < 0 ? MBEDTLS_ERR_SSL_INTERNAL_ERROR : (int)k;
}

/* Keeps what a later session can be resumed from. A ticket of TLS 1.3 is for
 * one use, so the last one counts; that of TLS 1.2 may be kept. */
static void keep(bare_t* b, conn_t* c) {
  mbedtls_ssl_session_free(&b->session);
  mbedtls_ssl_session_init(&b->session);
  b->saved = mbedtls_ssl_get_session(&c->ssl, &b->session) == 0;
}

static void put(conn_t* c, const char* p, size_t n) {
  while (n > 0) {
    int k = c->tls ? mbedtls_ssl_write(&c->ssl, (const unsigned char*)p, n)
                   : fd_send(c, (const unsigned char*)p, n);
    if (k <= 0) mbed_die("write", k);
    p += k;
    n -= (size_t)k;
  }
}

static size_t get(bare_t* b, conn_t* c, char* p, size_t cap) {
  for (;;) {
    int k = c->tls ? mbedtls_ssl_read(&c->ssl, (unsigned char*)p, cap)
                   : fd_recv(c, (unsigned char*)p, cap);
    if (k > 0) return (size_t)k;
    /* Nothing to wait for: a ticket has come, and is told the next time. */
    if (c->tls && k == MBEDTLS_ERR_SSL_WANT_READ) continue;
    if (!mbed_is_ticket(k)) mbed_die("read", k);
    if (b->job.resume) keep(b, c);
  }
}

/* Sends a command, or nothing, and reads a reply to its end. */
static void ask(bare_t* b, conn_t* c, const char* command, char expected) {
  char text[2048];
  size_t n = 0;
  const char* line = text;
  if (command != NULL) put(c, command, strlen(command));
  for (;;) {
    const char* end;
    n += get(b, c, text + n, sizeof(text) - 1 - n);
    text[n] = '\0';
    while ((end = strstr(line, "\r\n")) != NULL && line[3] == '-')
      line = end + 2;
    if (end != NULL) break;
  }
  if (text[0] != expected) die("%s: %s", command, text);
}

static void secure(bare_t* b, conn_t* c) {
  int err = mbedtls_ssl_setup(&c->ssl, &b->conf);
  if (err == 0) err = mbedtls_ssl_set_hostname(&c->ssl, SERVER_NAME);
  if (err == 0 && b->saved && b->job.resume)
    err = mbedtls_ssl_set_session(&c->ssl, &b->session);
  if (err != 0) mbed_die("setup", err);
  mbedtls_ssl_set_bio(&c->ssl, c, fd_send, fd_recv, NULL);
  do {
    err = mbedtls_ssl_handshake(&c->ssl);
  } while (mbed_is_ticket(err));
  if (err != 0) mbed_die("handshake", err);
  c->tls = true;
  if (b->job.resume && !b->saved && b->job.version == MBED_TLS_1_2) keep(b, c);
}

/* Up to the reply to the EHLO that counts. */
static void begin(bare_t* b, conn_t* c) {
  static const char ehlo[] = "EHLO bench.example\r\n";
  struct sockaddr_in sa;
  int one = 1;
  memset(c, 0, sizeof(*c));
  mbedtls_ssl_init(&c->ssl);
  memset(&sa, 0, sizeof(sa));
  sa.sin_family = AF_INET;
  sa.sin_port = htons((uint16_t)b->job.port);
  sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (c->fd < 0 || connect(c->fd, (struct sockaddr*)&sa, sizeof(sa)) != 0)
    die("connect: %s", strerror(errno));
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  if (b->job.way == WAY_IMPLICIT) secure(b, c);
  ask(b, c, NULL, '2');
  ask(b, c, ehlo, '2');
  if (b->job.way != WAY_STARTTLS) return;
  ask(b, c, "STARTTLS\r\n", '2');
  secure(b, c);
  ask(b, c, ehlo, '2');
}

static void end(bare_t* b, conn_t* c) {
  ask(b, c, "QUIT\r\n", '2');
  if (c->tls) {
    snprintf(b->suite, sizeof(b->suite), "%s %s",
             mbedtls_ssl_get_version(&c->ssl),
             mbedtls_ssl_get_ciphersuite(&c->ssl));
    mbedtls_ssl_close_notify(&c->ssl);
  }
  close(c->fd);
  mbedtls_ssl_free(&c->ssl);
}

/* ---------------------------------------------------------------- sessions */

static void configure(bare_t* b) {
  int err =
      mbed_conf(&b->conf, MBEDTLS_SSL_IS_CLIENT, b->job.version, b->job.curves);
  if (err == 0) err = mbedtls_x509_crt_parse_file(&b->ca, b->job.ca);
  if (err != 0) mbed_die(b->job.ca, err);
  mbedtls_ssl_conf_authmode(&b->conf, MBEDTLS_SSL_VERIFY_REQUIRED);
  mbedtls_ssl_conf_ca_chain(&b->conf, &b->ca, NULL);
  mbed_client_tickets(&b->conf);
  if (b->job.suite == NULL) return;
  b->suites[0] = mbedtls_ssl_get_ciphersuite_id(b->job.suite->mbed);
  if (b->suites[0] == 0) die("no suite %s", b->job.suite->mbed);
  mbedtls_ssl_conf_ciphersuites(&b->conf, b->suites);
}

bare_t* bare_new(const job_t* job) {
  bare_t* b = calloc(1, sizeof(*b));
  if (b == NULL) die("no memory");
  b->job = *job;
  b->job.resume = job->resume && !job->forget;
  mbedtls_ssl_config_init(&b->conf);
  mbedtls_x509_crt_init(&b->ca);
  mbedtls_ssl_session_init(&b->session);
  if (job->way != WAY_CLEAR) configure(b);
  return b;
}

void bare_free(bare_t* b) {
  mbedtls_ssl_session_free(&b->session);
  mbedtls_ssl_config_free(&b->conf);
  mbedtls_x509_crt_free(&b->ca);
  free(b);
}

static void envelope(bare_t* b, conn_t* c) {
  char text[128];
  size_t octets = b->job.octets;
  snprintf(text, sizeof(text), "BDAT %zu LAST\r\n", octets);
  ask(b, c, "MAIL FROM:<a@bench.example>\r\n", '2');
  ask(b, c, "RCPT TO:<b@bench.example>\r\n", '2');
  put(c, text, strlen(text));
  put(c, message_text(octets), octets);
  ask(b, c, NULL, '2');
}

void bare_sessions(bare_t* b, int n) {
  conn_t c;
  for (; n > 0; n--) {
    begin(b, &c);
    if (b->job.octets > 0) envelope(b, &c);
    end(b, &c);
  }
}

cost_t bare_message(bare_t* b) {
  conn_t c;
  cost_t cost;
  begin(b, &c);
  cost.cpu = cpu_us();
  cost.wall = wall_us();
  envelope(b, &c);
  cost.cpu = cpu_us() - cost.cpu;
  cost.wall = wall_us() - cost.wall;
  end(b, &c);
  return cost;
}

void bare_hold(bare_t* b, int n) {
  b->held = calloc((size_t)n, sizeof(conn_t*));
  if (b->held == NULL) die("no memory");
  for (b->nheld = 0; b->nheld < n; b->nheld++) {
    conn_t* c = malloc(sizeof(*c));
    if (c == NULL) die("no memory");
    begin(b, c);
    b->held[b->nheld] = c;
  }
}

void bare_release(bare_t* b) {
  while (b->nheld > 0) {
    conn_t* c = b->held[--b->nheld];
    end(b, c);
    free(c);
  }
  free(b->held);
  b->held = NULL;
}

const char* bare_suite(const bare_t* b) { return b->suite; }

/* --------------------------------------------------------------- in memory */

/* What one end has written and the other not yet read. */
typedef struct queue_s {
  unsigned char data[32768];
  size_t from;
  size_t to;
} queue_t;

typedef struct end_s {
  mbedtls_ssl_context ssl;
  queue_t* in;
  queue_t* out;
  bool done;
} end_t;

static int queue_send(void* arg, const unsigned char* p, size_t n) {
  queue_t* q = ((end_t*)arg)->out;
  if (sizeof(q->data) - q->to < n) return MBEDTLS_ERR_SSL_INTERNAL_ERROR;
  memcpy(q->data + q->to, p, n);
  q->to += n;
  return (int)n;
}

static int queue_recv(void* arg, unsigned char* p, size_t n) {
  queue_t* q = ((end_t*)arg)->in;
  size_t k = q->to - q->from;
  if (k == 0) return MBEDTLS_ERR_SSL_WANT_READ;
  if (k > n) k = n;
  memcpy(p, q->data + q->from, k);
  q->from += k;
  if (q->from == q->to) q->from = q->to = 0;
  return (int)k;
}

static void step(bare_t* b, end_t* e) {
  int err = e->done ? 0 : mbedtls_ssl_handshake(&e->ssl);
  if (err == MBEDTLS_ERR_SSL_WANT_READ) return;
  if (err != 0) mbed_die("handshake in memory", err);
  if (e->done) return;
  e->done = true;
  if (b != NULL && b->job.resume && !b->saved) {
    mbedtls_ssl_session_init(&b->session);
    b->saved = mbedtls_ssl_get_session(&e->ssl, &b->session) == 0;
  }
}

static double meet(bare_t* b, const mbedtls_ssl_config* server) {
  static queue_t there;
  static queue_t back;
  end_t us = {.in = &back, .out = &there};
  end_t them = {.in = &there, .out = &back};
  double took = 0;
  double began;
  int err;
  there.from = there.to = back.from = back.to = 0;
  mbedtls_ssl_init(&them.ssl);
  err = mbedtls_ssl_setup(&them.ssl, server);
  mbedtls_ssl_set_bio(&them.ssl, &them, queue_send, queue_recv, NULL);
  began = cpu_us();
  mbedtls_ssl_init(&us.ssl);
  if (err == 0) err = mbedtls_ssl_setup(&us.ssl, &b->conf);
  if (err == 0) err = mbedtls_ssl_set_hostname(&us.ssl, SERVER_NAME);
  if (err == 0 && b->saved) err = mbedtls_ssl_set_session(&us.ssl, &b->session);
  if (err != 0) mbed_die("setup in memory", err);
  mbedtls_ssl_set_bio(&us.ssl, &us, queue_send, queue_recv, NULL);
  took += cpu_us() - began;
  while (!us.done || !them.done) {
    began = cpu_us();
    step(b, &us);
    took += cpu_us() - began;
    step(NULL, &them);
  }
  began = cpu_us();
  mbedtls_ssl_free(&us.ssl);
  took += cpu_us() - began;
  mbedtls_ssl_free(&them.ssl);
  return took;
}

double memory_handshake(const job_t* job, const char* folder, const char* kind,
                        int n) {
  bare_t* b = bare_new(job);
  mbedtls_ssl_config server;
  mbedtls_x509_crt chain;
  mbedtls_pk_context key;
  char path[512];
  double took = 0;
  int i;
  int err;
  mbedtls_ssl_config_init(&server);
  mbedtls_x509_crt_init(&chain);
  mbedtls_pk_init(&key);
  err = mbed_conf(&server, MBEDTLS_SSL_IS_SERVER, job->version, job->curves);
  if (err == 0 && job->resume) err = mbed_server_sessions(&server);
  snprintf(path, sizeof(path), "%s/%s.pem", folder, kind);
  if (err == 0) err = mbedtls_x509_crt_parse_file(&chain, path);
  snprintf(path, sizeof(path), "%s/%s.key", folder, kind);
  if (err == 0) err = mbed_key(&key, path);
  if (err == 0) err = mbedtls_ssl_conf_own_cert(&server, &chain, &key);
  if (err != 0) mbed_die("server in memory", err);
  if (job->resume) (void)meet(b, &server);
  for (i = 0; i < n; i++) took += meet(b, &server);
  mbedtls_ssl_config_free(&server);
  mbedtls_x509_crt_free(&chain);
  mbedtls_pk_free(&key);
  bare_free(b);
  return took / n;
}
