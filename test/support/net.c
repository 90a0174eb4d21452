/* SPDX-License-Identifier: MIT */
/* net.c: see net.h. */
#include "net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILLERS = 8 };

struct net_silent_s {
  int listener;
  int port;
  int n;
  int fillers[FILLERS];
};

static void die(const char* what) {
  perror(what);
  abort();
}

socklen_t net_address(struct sockaddr_storage* addr, const char* text,
                      int port) {
  struct sockaddr_in* four = (struct sockaddr_in*)addr;
  struct sockaddr_in6* six = (struct sockaddr_in6*)addr;
  memset(addr, 0, sizeof(*addr));
  if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons((in_port_t)port);
    return sizeof(*four);
  }
  if (inet_pton(AF_INET6, text, &six->sin6_addr) != 1) die(text);
  six->sin6_family = AF_INET6;
  six->sin6_port = htons((in_port_t)port);
  return sizeof(*six);
}

/* A socket bound to it, or -1. */
static int bound(const char* text, int port, int* out) {
  struct sockaddr_storage addr;
  socklen_t len = net_address(&addr, text, port);
  int off = 0;
  int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (addr.ss_family == AF_INET6) {
    (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
  }
  if (bind(fd, (struct sockaddr*)&addr, len) != 0 ||
      getsockname(fd, (struct sockaddr*)&addr, &len) != 0) {
    close(fd);
    return -1;
  }
  *out = ntohs(addr.ss_family == AF_INET
                   ? ((struct sockaddr_in*)&addr)->sin_port
                   : ((struct sockaddr_in6*)&addr)->sin6_port);
  return fd;
}

int net_have_ipv6(void) {
  int port;
  int fd = bound("::1", 0, &port);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

int net_closed_port(int* fd) {
  int port = 0;
  *fd = bound(net_have_ipv6() ? "::" : "0.0.0.0", 0, &port);
  if (*fd < 0) die("bind");
  return port;
}

/* Linux says of a listening socket how many wait and how many may. */
static int full(int listener) {
  struct tcp_info info;
  socklen_t len = sizeof(info);
  if (getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &len) != 0) {
    die("TCP_INFO");
  }
  return info.tcpi_unacked > info.tcpi_sacked;
}

net_silent_t* net_silent(const char* text, int port) {
  struct sockaddr_storage addr;
  net_silent_t* s = calloc(1, sizeof(*s));
  socklen_t len;
  int turns;
  if (s == NULL) die("calloc");
  s->listener = bound(text, port, &s->port);
  if (s->listener < 0 || listen(s->listener, 0) != 0) die("listen");
  len = net_address(&addr, text, s->port);
  while (!full(s->listener)) {
    int fd = socket(addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || s->n == FILLERS) die("a full queue");
    if (connect(fd, (struct sockaddr*)&addr, len) != 0) die("connect");
    s->fillers[s->n++] = fd;
    for (turns = 0; turns < 100 && !full(s->listener); turns++) {
      (void)poll(NULL, 0, 10);
    }
  }
  return s;
}

int net_silent_port(const net_silent_t* s) { return s->port; }

void net_silent_open(net_silent_t* s) {
  int i;
  if (listen(s->listener, 16) != 0) die("listen");
  for (i = 0; i < s->n; i++) close(accept(s->listener, NULL, NULL));
}

void net_silent_free(net_silent_t* s) {
  int i;
  for (i = 0; i < s->n; i++) close(s->fillers[i]);
  close(s->listener);
  free(s);
}
