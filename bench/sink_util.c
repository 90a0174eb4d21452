/* SPDX-License-Identifier: MIT */
/* uvsmtp-sink: buffers, numbers, listening sockets. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "sink.h"

void* sink_alloc(size_t n) {
  void* p = malloc(n);

  if (p == NULL) {
    fputs("uvsmtp-sink: out of memory\n", stderr);
    exit(71);
  }
  return p;
}

void sink_buf_add(struct sink_buf* b, const void* data, size_t n) {
  if (n == 0) return;
  if (b->cap - b->len < n) {
    size_t cap = b->cap == 0 ? 64 : b->cap;
    char* base;

    while (cap - b->len < n) cap *= 2;
    base = sink_alloc(cap);
    if (b->len > 0) memcpy(base, b->base, b->len);
    free(b->base);
    b->base = base;
    b->cap = cap;
  }
  memcpy(b->base + b->len, data, n);
  b->len += n;
}

void sink_buf_drop(struct sink_buf* b, size_t n) {
  b->len -= n;
  if (b->len == 0)
    sink_buf_free(b);
  else
    memmove(b->base, b->base + n, b->len);
}

void sink_buf_free(struct sink_buf* b) {
  free(b->base);
  b->base = NULL;
  b->len = 0;
  b->cap = 0;
}

/* Decimal digits only; what is too large for 64 bits becomes the largest. */
bool sink_number(const char* p, size_t n, uint64_t* out) {
  uint64_t v = 0;

  if (n == 0 || n > 40) return false;
  for (size_t i = 0; i < n; i++) {
    unsigned digit = (unsigned)(unsigned char)p[i] - '0';

    if (digit > 9) return false;
    v = v > (UINT64_MAX - digit) / 10 ? UINT64_MAX : v * 10 + digit;
  }
  *out = v;
  return true;
}

size_t sink_digits(uint64_t v, char out[24]) {
  char reversed[24];
  size_t n = 0;

  do {
    reversed[n++] = (char)('0' + v % 10);
    v /= 10;
  } while (v > 0);
  for (size_t i = 0; i < n; i++) out[i] = reversed[n - 1 - i];
  return n;
}

/* True for well-formed UTF-8 (RFC 3629): no overlong form, no surrogate. */
bool sink_utf8(const char* p, size_t n) {
  const unsigned char* u = (const unsigned char*)p;
  size_t i = 0;

  while (i < n) {
    unsigned char c = u[i++];
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    int more;

    if (c < 0x80) continue;
    if (c < 0xc2 || c > 0xf4) return false;
    more = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    if (c == 0xe0) low = 0xa0;
    if (c == 0xed) high = 0x9f;
    if (c == 0xf0) low = 0x90;
    if (c == 0xf4) high = 0x8f;
    for (; more > 0; more--) {
      if (i == n || u[i] < low || u[i] > high) return false;
      low = 0x80;
      high = 0xbf;
      i++;
    }
  }
  return true;
}

bool sink_is(const char* p, size_t n, const char* word) {
  return strlen(word) == n && strncasecmp(p, word, n) == 0;
}

int64_t sink_clock(void) {
  struct timespec t;

  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int refuse(const char* what, const char* where) {
  fprintf(stderr, "uvsmtp-sink: %s: %s\n", where, what);
  return 64;
}

static int add_listener(struct sink* s, int fd, bool lmtp, const char* path,
                        int port) {
  struct sink_listener* l;

  if (listen(fd, 4096) != 0) {
    perror("uvsmtp-sink: listen");
    close(fd);
    return 71;
  }
  l = &s->listeners[s->nlisteners++];
  l->watch.fd = fd;
  l->watch.kind = KIND_LISTEN;
  l->lmtp = lmtp || s->opt.lmtp;
  l->path = path;
  l->port = port;
  return 0;
}

/* Reads HOST:PORT. Only loopback addresses are taken: the sink takes any mail
 * from anybody, and that must not be seen from outside. */
static int parse_loopback(const char* where, struct sockaddr_storage* sa,
                          socklen_t* nsa) {
  struct sockaddr_in* in4 = (struct sockaddr_in*)sa;
  struct sockaddr_in6* in6 = (struct sockaddr_in6*)sa;
  const char* colon = strrchr(where, ':');
  const char* host = where;
  char text[64];
  size_t n;
  uint64_t port;

  if (colon == NULL || !sink_number(colon + 1, strlen(colon + 1), &port) ||
      port > 65535)
    return refuse("not HOST:PORT", where);
  n = (size_t)(colon - where);
  if (n >= 2 && host[0] == '[' && host[n - 1] == ']') {
    host++;
    n -= 2;
  }
  if (n >= sizeof(text)) return refuse("not a loopback address", where);
  memcpy(text, host, n);
  text[n] = '\0';
  if (strcmp(text, "localhost") == 0) strcpy(text, "127.0.0.1");
  memset(sa, 0, sizeof(*sa));
  if (inet_pton(AF_INET, text, &in4->sin_addr) == 1 &&
      ntohl(in4->sin_addr.s_addr) >> 24 == 127) {
    in4->sin_family = AF_INET;
    in4->sin_port = htons((uint16_t)port);
    *nsa = sizeof(*in4);
    return 0;
  }
  if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1 &&
      IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr)) {
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons((uint16_t)port);
    *nsa = sizeof(*in6);
    return 0;
  }
  return refuse("not a loopback address", where);
}

int sink_listen_tcp(struct sink* s, const char* where, bool lmtp) {
  struct sockaddr_storage sa;
  socklen_t nsa = 0;
  int one = 1;
  int fd;
  int err = parse_loopback(where, &sa, &nsa);

  if (err != 0) return err;
  if (s->nlisteners == SINK_LISTENERS)
    return refuse("too many listeners", where);
  fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    perror("uvsmtp-sink: socket");
    return 71;
  }
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  /* Accepted sockets inherit this one, which saves a call for each. */
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  if (bind(fd, (struct sockaddr*)&sa, nsa) != 0 ||
      getsockname(fd, (struct sockaddr*)&sa, &nsa) != 0) {
    fprintf(stderr, "uvsmtp-sink: %s: %s\n", where, strerror(errno));
    close(fd);
    return 71;
  }
  return add_listener(
      s, fd, lmtp, NULL,
      ntohs(sa.ss_family == AF_INET ? ((struct sockaddr_in*)&sa)->sin_port
                                    : ((struct sockaddr_in6*)&sa)->sin6_port));
}

int sink_listen_unix(struct sink* s, const char* path, bool lmtp) {
  struct sockaddr_un sa;
  struct stat st;
  int fd;

  memset(&sa, 0, sizeof(sa));
  sa.sun_family = AF_UNIX;
  if (path[0] == '\0' || strlen(path) >= sizeof(sa.sun_path))
    return refuse("bad length of a socket path", path);
  if (s->nlisteners == SINK_LISTENERS)
    return refuse("too many listeners", path);
  strcpy(sa.sun_path, path);
  /* A socket that an earlier run left behind is in the way. */
  if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) unlink(path);
  fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr*)&sa, sizeof(sa)) != 0) {
    fprintf(stderr, "uvsmtp-sink: %s: %s\n", path, strerror(errno));
    if (fd >= 0) close(fd);
    return 71;
  }
  return add_listener(s, fd, lmtp, path, 0);
}
