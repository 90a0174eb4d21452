/* SPDX-License-Identifier: MIT */
/* peer.c: the fake server. Blocking sockets in a thread; every wait also
 * watches a pipe whose closing means "stop", so that no test hangs on it. */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "scram.h"
#include "secure.h"

enum { LINE_MAX_OCTETS = 4096, CLIENTS_MAX = 4096 };

struct peer_s {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  int flags;
  char* script; /* NULL: answers */
  int listener;
  int fd;              /* of the script's connection, or -1 */
  secure_t* secure;    /* the script has a TLS step; else NULL */
  secure_conn_t* conn; /* TLS on fd, or NULL */
  int stop[2];         /* closing the write end stops the thread */
  int port;
  char host[sizeof(((struct sockaddr_un*)0)->sun_path)];
  char dir[64];
  char in[65536];
  size_t in_len;
  peer_record_t* record; /* or NULL */
  int stalls;            /* reached */
  int finishing;
  int gos;
  int messages;
  const char* error;
};

static void die(const char* what) {
  perror(what);
  abort();
}

/* 1 when fd is ready, 0 when it is not and the time is over or the peer is
 * stopped. */
static int await(peer_t* p, int fd, short events, int timeout) {
  struct pollfd fds[2];
  int n;
  fds[0].fd = fd;
  fds[0].events = events;
  fds[1].fd = p->stop[0];
  fds[1].events = POLLIN;
  do {
    fds[0].revents = 0;
    fds[1].revents = 0;
    n = poll(fds, 2, timeout);
  } while (n < 0 && errno == EINTR);
  if (n < 0) die("poll");
  return fds[0].revents != 0;
}

/* ----------------------------------------------------------------- scripts */

/* As recv, but that it waits; -1 also when stopped. */
static int wait_and_recv(void* arg, unsigned char* buf, size_t len) {
  peer_t* p = arg;
  if (!await(p, p->fd, POLLIN, -1)) return -1;
  return (int)recv(p->fd, buf, len, 0);
}

static int wait_and_send(void* arg, const unsigned char* buf, size_t len) {
  peer_t* p = arg;
  if (!await(p, p->fd, POLLOUT, -1)) return -1;
  return (int)send(p->fd, buf, len, MSG_NOSIGNAL);
}

/* A handshake as the server; what follows goes through TLS. One that fails is
 * the client's affair: the script goes on, to see the connection's end. */
static int begin_tls(peer_t* p) {
  secure_io_t io = {wait_and_recv, wait_and_send, p};
  p->conn = secure_accept(p->secure, &io);
  return 0;
}

static int end_tls(peer_t* p, int notify) {
  if (p->conn != NULL) secure_close(p->conn, notify);
  p->conn = NULL;
  return 0;
}

/* Reads more. 0, or -1 at the end or an error, or when stopped. */
static int fill(peer_t* p) {
  char* to = p->in + p->in_len;
  size_t room = sizeof(p->in) - p->in_len;
  ssize_t n;
  if (room == 0) return -1;
  n = p->conn != NULL ? secure_recv(p->conn, to, room)
                      : wait_and_recv(p, (unsigned char*)to, room);
  if (n <= 0) return -1;
  p->in_len += (size_t)n;
  return 0;
}

static void keep(peer_t* p, const char* text, size_t n) {
  peer_record_t* r;
  pthread_mutex_lock(&p->lock);
  r = p->record;
  pthread_mutex_unlock(&p->lock);
  if (r == NULL || n == 0) return;
  if (r->len + n > r->cap) {
    r->cap = (r->len + n) * 2;
    r->text = realloc(r->text, r->cap);
    if (r->text == NULL) die("realloc");
  }
  memcpy(r->text + r->len, text, n);
  r->len += n;
}

static void drop(peer_t* p, size_t n) {
  p->in_len -= n;
  memmove(p->in, p->in + n, p->in_len);
}

static void take(peer_t* p, size_t n) {
  keep(p, p->in, n);
  drop(p, n);
}

/* A line without its CRLF. 0 or -1. */
static int read_line(peer_t* p, char* line, size_t cap) {
  for (;;) {
    char* end = memchr(p->in, '\n', p->in_len);
    if (end != NULL) {
      size_t len = (size_t)(end - p->in);
      if (len == 0 || end[-1] != '\r' || len > cap) return -1;
      memcpy(line, p->in, len - 1);
      line[len - 1] = '\0';
      drop(p, len + 1);
      return 0;
    }
    if (fill(p) != 0) return -1;
  }
}

static int read_text(peer_t* p) {
  static const char end[] = "\r\n.\r\n";
  int first = 1;
  for (;;) {
    char* at = memmem(p->in, p->in_len, end, 5);
    if (at != NULL) {
      take(p, (size_t)(at - p->in) + 5);
      return 0;
    }
    if (first && p->in_len >= 3 && memcmp(p->in, ".\r\n", 3) == 0) {
      take(p, 3);
      return 0;
    }
    if (p->in_len > 4) {
      take(p, p->in_len - 4);
      first = 0;
    }
    if (fill(p) != 0) return -1;
  }
}

static int read_octets(peer_t* p, size_t n) {
  for (;;) {
    size_t have = p->in_len < n ? p->in_len : n;
    take(p, have);
    n -= have;
    if (n == 0) return 0;
    if (fill(p) != 0) return -1;
  }
}

static int send_all(peer_t* p, const char* text, size_t len) {
  if (p->conn != NULL) return secure_send(p->conn, text, len);
  while (len > 0) {
    int n = wait_and_send(p, (const unsigned char*)text, len);
    if (n <= 0) return -1;
    text += n;
    len -= (size_t)n;
  }
  return 0;
}

static int send_line(peer_t* p, const char* text) {
  char line[LINE_MAX_OCTETS];
  int n = snprintf(line, sizeof(line), "%s\r\n", text);
  return send_all(p, line, (size_t)n);
}

/* The client may have had enough at any octet. */
static int drip(peer_t* p, const char* arg) {
  char* text;
  int gap = (int)strtol(arg, &text, 10);
  while (*++text != '\0') {
    if (send(p->fd, text, 1, MSG_NOSIGNAL) != 1) return 0;
    if (await(p, p->fd, POLLIN, gap)) return 0;
  }
  send(p->fd, "\r\n", 2, MSG_NOSIGNAL);
  return 0;
}

static void hang_up(peer_t* p, int reset) {
  struct linger linger = {1, 0};
  end_tls(p, 0);
  if (reset) {
    setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
  }
  close(p->fd);
  p->fd = -1;
}

/* What is sent shall not wait for what was sent before it: the client's kernel
 * takes 40 ms to acknowledge that. */
static int accept_one(const peer_t* p) {
  int one = 1;
  int fd = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
  if ((p->flags & PEER_UNIX) == 0 && fd >= 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  }
  return fd;
}

static int accept_next(peer_t* p) {
  end_tls(p, 0);
  if (!await(p, p->listener, POLLIN, -1)) return -1;
  p->fd = accept_one(p);
  p->in_len = 0;
  return p->fd < 0 ? -1 : 0;
}

/* 0 to go on, -1 when stopped. */
static int stall(peer_t* p) {
  int err;
  pthread_mutex_lock(&p->lock);
  p->stalls++;
  while (p->gos < p->stalls && !p->finishing) {
    pthread_cond_wait(&p->changed, &p->lock);
  }
  err = p->gos < p->stalls ? -1 : 0;
  pthread_mutex_unlock(&p->lock);
  return err;
}

static int swallow(peer_t* p) {
  char sink[4096];
  take(p, p->in_len);
  while (p->conn != NULL) {
    ssize_t n = secure_recv(p->conn, sink, sizeof(sink));
    if (n <= 0) return n == 0 ? 0 : -1;
    keep(p, sink, (size_t)n);
  }
  while (await(p, p->fd, POLLIN, -1)) {
    ssize_t n = recv(p->fd, sink, sizeof(sink), 0);
    if (n <= 0) return 0;
    keep(p, sink, (size_t)n);
  }
  return -1;
}

static int expect(peer_t* p, const char* want, int whole) {
  char line[LINE_MAX_OCTETS];
  if (read_line(p, line, sizeof(line)) != 0) {
    p->error = "no line from the client";
    return -1;
  }
  if (strncmp(line, want, strlen(want)) == 0 &&
      (!whole || strlen(line) == strlen(want))) {
    return 0;
  }
  fprintf(stderr, "peer: got \"%s\", want \"%s\"\n", line, want);
  p->error = "another line than expected";
  return -1;
}

/* A challenge, and what the client makes of it. */
static int challenge(peer_t* p, const char* text, char* line) {
  if (send_all(p, "334 ", 4) != 0 || send_line(p, text) != 0) return -1;
  return read_line(p, line, LINE_MAX_OCTETS);
}

/* lies: the proof of the server is one of somebody else. */
static int scram(peer_t* p, const char* arg, int lies) {
  char words[3][256];
  char line[LINE_MAX_OCTETS];
  char answer[SCRAM_LINE];
  const char* said;
  scram_t s;
  memset(&s, 0, sizeof(s));
  if (sscanf(arg, "%255s %255s %255s", words[0], words[1], words[2]) != 3) {
    abort();
  }
  s.hash = words[0];
  s.iterations = (unsigned int)strtoul(words[1], NULL, 10);
  s.password = words[2];
  s.lies = lies;
  p->error = "that is not SCRAM";
  if (read_line(p, line, sizeof(line)) != 0) return -1;
  said = line + strlen("AUTH SCRAM-") + strlen(s.hash) + 1;
  if (strncmp(line, "AUTH SCRAM-", 11) != 0 ||
      strncmp(line + 11, s.hash, strlen(s.hash)) != 0 || said[-1] != ' ') {
    return -1;
  }
  if (scram_first(&s, said, answer) != 0) return -1;
  if (challenge(p, answer, line) != 0) return -1;
  p->error = NULL;
  if (scram_final(&s, line, answer) != 0) return send_line(p, "535 wrong");
  p->error = "that is not SCRAM's end";
  if (challenge(p, answer, line) != 0) return -1;
  if (strcmp(line, lies ? "*" : "") != 0) return -1;
  p->error = NULL;
  return send_line(p, lies ? "501 as you like" : "235 welcome");
}

static int step(peer_t* p, const char* line) {
  const char* arg = strchr(line, ' ');
  arg = arg == NULL ? "" : arg + 1;
  if (line[0] == '\0') return 0;
  if (strcmp(line, "CLOSE") == 0) return hang_up(p, 0), 0;
  if (strcmp(line, "RESET") == 0) return hang_up(p, 1), 0;
  if (strcmp(line, "SHUT") == 0) return shutdown(p->fd, SHUT_RD);
  if (strcmp(line, "EOF") == 0) return swallow(p);
  if (strcmp(line, "STALL") == 0) return stall(p);
  if (strcmp(line, "NEXT") == 0) return accept_next(p);
  if (strcmp(line, "TLS") == 0) return begin_tls(p);
  if (strcmp(line, "NOTIFY") == 0) return end_tls(p, 1);
  if (strncmp(line, "SCRAM ", 6) == 0) return scram(p, arg, 0);
  if (strncmp(line, "LIE ", 4) == 0) return scram(p, arg, 1);
  switch (line[0]) {
    case 'S':
      return send_line(p, arg);
    case 'R':
      return send_all(p, arg, strlen(arg));
    case 'C':
      return expect(p, arg, 0);
    case 'L':
      return expect(p, arg, 1);
    case 'T':
      return read_text(p);
    case 'B':
      return read_octets(p, (size_t)strtoul(arg, NULL, 10));
    case 'I':
      return drip(p, arg);
  }
  fprintf(stderr, "peer: what is \"%s\"?\n", line);
  abort();
}

static void* play(void* arg) {
  peer_t* p = arg;
  char* rest = p->script;
  char* line;
  int err = accept_next(p);
  while (err == 0 && (line = strsep(&rest, "\n")) != NULL) {
    while (*line == ' ') line++;
    err = step(p, line);
    if (err != 0 && p->error == NULL) {
      fprintf(stderr, "peer: stopped at \"%s\"\n", line);
      p->error = "the script did not come to its end";
    }
  }
  if (err != 0 && p->error == NULL) p->error = "nobody connected";
  await(p, -1, 0, -1);
  end_tls(p, 0);
  if (p->fd >= 0) close(p->fd);
  return NULL;
}

/* --------------------------------------------------------------- answering */

typedef struct client_s {
  int fd;
  size_t len;
  size_t skip; /* octets of a BDAT chunk still to come */
  int text;    /* in DATA */
  int rcpts;   /* of this transaction */
  int last;    /* the chunk is the last one */
  char in[4096];
} client_t;

static void say(const client_t* c, const char* text) {
  if (send(c->fd, text, strlen(text), MSG_NOSIGNAL) < 0) return;
}

static int answer_line(peer_t* p, client_t* c, const char* line) {
  if (c->text) {
    if (strcmp(line, ".") != 0) return 0;
    c->text = 0;
    p->messages++;
    say(c, "250 2.0.0 taken\r\n");
  } else if (strncmp(line, "EHLO", 4) == 0) {
    say(c, "250-peer\r\n");
    if ((p->flags & PEER_PIPELINING) != 0) say(c, "250-PIPELINING\r\n");
    if ((p->flags & PEER_CHUNKING) != 0) say(c, "250-CHUNKING\r\n");
    say(c, "250 SIZE\r\n");
  } else if (strncmp(line, "MAIL", 4) == 0 || strncmp(line, "RSET", 4) == 0) {
    c->rcpts = 0;
    say(c, "250 ok\r\n");
  } else if (strncmp(line, "RCPT", 4) == 0) {
    c->rcpts++;
    say(c, "250 ok\r\n");
  } else if (strncmp(line, "DATA", 4) == 0 && c->rcpts == 0) {
    say(c, "503 to whom?\r\n");
  } else if (strncmp(line, "DATA", 4) == 0) {
    c->text = 1;
    say(c, "354 go\r\n");
  } else if (strncmp(line, "BDAT", 4) == 0) {
    c->skip = (size_t)strtoul(line + 5, NULL, 10);
    c->last = strstr(line, "LAST") != NULL;
    if (c->skip == 0) say(c, "250 2.0.0 taken\r\n");
    if (c->skip == 0 && c->last) p->messages++;
  } else if (strncmp(line, "QUIT", 4) == 0) {
    say(c, "221 bye\r\n");
    return -1;
  } else {
    say(c, "250 ok\r\n");
  }
  return 0;
}

/* Works off what has come. -1 when the connection is over. */
static int answer(peer_t* p, client_t* c) {
  for (;;) {
    char* end;
    size_t n;
    if (c->skip > 0) {
      n = c->skip < c->len ? c->skip : c->len;
      c->skip -= n;
      if (c->skip == 0 && n > 0) {
        say(c, "250 2.0.0 taken\r\n");
        p->messages += c->last;
      }
    } else {
      end = memchr(c->in, '\n', c->len);
      if (end == NULL) return c->len < sizeof(c->in) ? 0 : -1;
      n = (size_t)(end - c->in) + 1;
      *end = '\0';
      if (end > c->in && end[-1] == '\r') end[-1] = '\0';
      if (answer_line(p, c, c->in) != 0) return -1;
    }
    if (n == 0) return 0;
    c->len -= n;
    memmove(c->in, c->in + n, c->len);
  }
}

static void* serve(void* arg) {
  peer_t* p = arg;
  client_t** clients = calloc(CLIENTS_MAX, sizeof(*clients));
  struct pollfd* fds = calloc(CLIENTS_MAX + 2, sizeof(*fds));
  size_t n = 0;
  size_t i;
  if (clients == NULL || fds == NULL) die("calloc");
  fds[0].fd = p->stop[0];
  fds[1].fd = p->listener;
  fds[0].events = fds[1].events = POLLIN;
  for (;;) {
    if (poll(fds, n + 2, -1) < 0) {
      if (errno == EINTR) continue;
      die("poll");
    }
    if (fds[0].revents != 0) break;
    for (i = n; i-- > 0;) {
      client_t* c = clients[i];
      ssize_t got;
      if (fds[i + 2].revents == 0) continue;
      got = recv(c->fd, c->in + c->len, sizeof(c->in) - c->len, 0);
      if (got > 0) c->len += (size_t)got;
      if (got > 0 && answer(p, c) == 0) continue;
      close(c->fd);
      free(c);
      clients[i] = clients[--n];
      fds[i + 2] = fds[n + 2];
    }
    if (fds[1].revents != 0 && n < CLIENTS_MAX) {
      client_t* c = calloc(1, sizeof(*c));
      if (c == NULL) die("calloc");
      c->fd = accept_one(p);
      if (c->fd < 0) die("accept");
      fds[n + 2].fd = c->fd;
      fds[n + 2].events = POLLIN;
      fds[n + 2].revents = 0;
      clients[n++] = c;
      say(c, "220 peer\r\n");
    }
  }
  for (i = 0; i < n; i++) {
    close(clients[i]->fd);
    free(clients[i]);
  }
  free(clients);
  free(fds);
  return NULL;
}

/* ------------------------------------------------------- coming and going */

static void listen_unix(peer_t* p) {
  struct sockaddr_un addr;
  memset(&addr, 0, sizeof(addr));
  strcpy(p->dir, "/tmp/uvsmtp-peer-XXXXXX");
  if (mkdtemp(p->dir) == NULL) die("mkdtemp");
  addr.sun_family = AF_UNIX;
  snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/s", p->dir);
  strcpy(p->host, addr.sun_path);
  p->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (p->listener < 0 ||
      bind(p->listener, (struct sockaddr*)&addr, sizeof(addr)) != 0) {
    die("bind");
  }
}

static void listen_tcp(peer_t* p) {
  struct sockaddr_storage ss;
  struct sockaddr_in* in = (struct sockaddr_in*)&ss;
  struct sockaddr_in6* in6 = (struct sockaddr_in6*)&ss;
  socklen_t len = sizeof(ss);
  int v6 = (p->flags & PEER_IPV6) != 0;
  memset(&ss, 0, sizeof(ss));
  ss.ss_family = v6 ? AF_INET6 : AF_INET;
  if (v6) {
    in6->sin6_addr = in6addr_loopback;
  } else {
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  }
  strcpy(p->host, v6 ? "::1" : "127.0.0.1");
  p->listener = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (p->listener < 0 ||
      bind(p->listener, (struct sockaddr*)&ss,
           v6 ? sizeof(*in6) : sizeof(*in)) != 0 ||
      getsockname(p->listener, (struct sockaddr*)&ss, &len) != 0) {
    die("bind");
  }
  p->port = ntohs(v6 ? in6->sin6_port : in->sin_port);
}

static peer_t* start(int flags, const char* script) {
  peer_t* p = calloc(1, sizeof(*p));
  if (p == NULL) die("calloc");
  p->flags = flags;
  p->fd = -1;
  if (script != NULL && (p->script = strdup(script)) == NULL) die("strdup");
  if (script != NULL && strstr(script, "TLS\n") != NULL) {
    p->secure = secure_new();
  }
  if ((flags & PEER_UNIX) != 0) {
    listen_unix(p);
  } else {
    listen_tcp(p);
  }
  if (listen(p->listener, 1024) != 0) die("listen");
  if (pipe2(p->stop, O_CLOEXEC) != 0) die("pipe2");
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->changed, NULL);
  if (pthread_create(&p->thread, NULL, script != NULL ? play : serve, p) != 0) {
    die("pthread_create");
  }
  return p;
}

peer_t* peer_play(int flags, const char* script) {
  return start(flags, script);
}

void peer_keep(peer_t* p, peer_record_t* record) {
  pthread_mutex_lock(&p->lock);
  p->record = record;
  pthread_mutex_unlock(&p->lock);
}

peer_t* peer_answer(int flags) { return start(flags, NULL); }

int peer_port(const peer_t* p) { return p->port; }

const char* peer_host(const peer_t* p) { return p->host; }

const char* peer_certificate(const peer_t* p) {
  return p->secure == NULL ? NULL : secure_certificate(p->secure);
}

void peer_go(peer_t* p) {
  pthread_mutex_lock(&p->lock);
  p->gos++;
  pthread_cond_broadcast(&p->changed);
  pthread_mutex_unlock(&p->lock);
}

int peer_stalled(peer_t* p) {
  int n;
  pthread_mutex_lock(&p->lock);
  n = p->stalls;
  pthread_mutex_unlock(&p->lock);
  return n;
}

const char* peer_finish(peer_t* p, int* messages) {
  const char* error;
  pthread_mutex_lock(&p->lock);
  p->finishing = 1;
  pthread_cond_broadcast(&p->changed);
  pthread_mutex_unlock(&p->lock);
  close(p->stop[1]);
  pthread_join(p->thread, NULL);
  secure_free(p->secure);
  error = p->error;
  if (messages != NULL) *messages = p->messages;
  close(p->stop[0]);
  close(p->listener);
  if (p->dir[0] != '\0') {
    unlink(p->host);
    rmdir(p->dir);
  }
  pthread_mutex_destroy(&p->lock);
  pthread_cond_destroy(&p->changed);
  free(p->script);
  free(p);
  return error;
}
