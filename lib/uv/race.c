/* SPDX-License-Identifier: MIT */
/* race.c: addresses become attempts, the first that connects wins (RFC 8305),
 * and what became of each can be asked. */
#include <string.h>

#include "uv/uv_int.h"

enum {
  DELAY_DEFAULT = 250, /* RFC 8305 8, in milliseconds */
  DELAY_MIN = 10,      /* RFC 8305 5 */
  FULL_DELAY = 50
};

/* ------------------------------------------------------------- who may run */

/* RFC 8305 4: the families take turns, and the first one is that of the first
 * address. Puts the address that comes next at place i of the list, and keeps
 * the order of the others. */
static void choose(const struct sockaddr** list, size_t n, size_t i) {
  const struct sockaddr* next;
  size_t at = i;
  if (i > 0) {
    while (at < n && list[at]->sa_family == list[i - 1]->sa_family) at++;
    if (at == n) return;
  }
  next = list[at];
  memmove(&list[i + 1], &list[i], (at - i) * sizeof(list[0]));
  list[i] = next;
}

static void fill(uvsmtp__connect_t* c, uvsmtp_attempt_t* a,
                 const struct sockaddr* addr) {
  a->connect = c;
  a->req.data = a;
  if (addr == NULL) return;
  if (addr->sa_family == AF_INET) {
    memcpy(&a->addr, addr, sizeof(a->addr.in));
    a->addr.in.sin_port = htons(c->port);
  } else {
    memcpy(&a->addr, addr, sizeof(a->addr.in6));
    a->addr.in6.sin6_port = htons(c->port);
  }
}

int uvsmtp__race_new(uvsmtp__connect_t* c,
                     const struct sockaddr* const* addresses, size_t n) {
  const struct sockaddr* list[UVSMTP__ADDRESSES_MAX];
  int family = c->bind.sa.sa_family;
  size_t count = n == 0;
  size_t i;
  list[0] = NULL; /* the path */
  for (i = 0; i < n; i++) {
    /* From an address of one family nothing leads to the other. */
    if (family != AF_UNSPEC && addresses[i]->sa_family != family) continue;
    list[count++] = addresses[i];
  }
  if (count == 0) return UV_EAFNOSUPPORT;
  c->attempts =
      uvsmtp__alloc(&c->session->env->mem, count * sizeof(c->attempts[0]));
  if (c->attempts == NULL) return UV_ENOMEM;
  memset(c->attempts, 0, count * sizeof(c->attempts[0]));
  c->count = count;
  for (i = 0; i < count; i++) {
    if ((c->target.flags & UVSMTP_TARGET_IN_TURN) == 0) choose(list, count, i);
    fill(c, &c->attempts[i], list[i]);
  }
  return 0;
}

/* ------------------------------------------------------------ one attempt */

static void tell(const uvsmtp_attempt_t* a, const char* what,
                 const char* reason) {
  uvsmtp__connect_t* c = a->connect;
  char address[INET6_ADDRSTRLEN] = "";
  if (a->addr.sa.sa_family == AF_INET) {
    uv_ip4_name(&a->addr.in, address, sizeof(address));
  } else if (a->addr.sa.sa_family == AF_INET6) {
    uv_ip6_name(&a->addr.in6, address, sizeof(address));
  } else {
    uvsmtp__info(c->session, what, c->target.host, 0, reason);
    return;
  }
  uvsmtp__info(c->session, what, address, c->port, reason);
}

static void on_attempt_closed(uv_handle_t* handle) {
  uvsmtp_attempt_t* a = handle->data;
  uvsmtp_session_t* s = a->connect->session;
  uvsmtp__connect_release(a->connect);
  uvsmtp__transport_closed(s, handle);
}

static void end(uvsmtp_attempt_t* a, int status) {
  uvsmtp_env_t* env = a->connect->session->env;
  a->waiting = 0;
  a->status = status;
  a->took = uvsmtp__now(env) - a->began;
  if (a->transport == NULL) return;
  a->connect->running--;
  uv_close(&a->transport->handle, on_attempt_closed);
  a->transport = NULL;
}

static int bind_to(const uvsmtp__connect_t* c, uv_tcp_t* tcp, int family) {
  uvsmtp__addr_t addr = c->bind;
  unsigned short port = c->target.bind_port;
  if (addr.sa.sa_family == AF_UNSPEC) {
    if (port == 0) return 0;
    addr.sa.sa_family = (sa_family_t)family;
  }
  if (family == AF_INET) {
    addr.in.sin_port = htons(port);
  } else {
    addr.in6.sin6_port = htons(port);
  }
  return uv_tcp_bind(tcp, &addr.sa, 0);
}

static void on_connect(uv_connect_t* req, int status);

static int start(uvsmtp_attempt_t* a) {
  uvsmtp__connect_t* c = a->connect;
  int family = a->addr.sa.sa_family;
  int type = family == AF_UNSPEC ? UV_NAMED_PIPE : UV_TCP;
  uvsmtp__transport_t* t = uvsmtp__transport_new(c->session, type, a);
  int err;
  if (t == NULL) return UV_ENOMEM;
  a->transport = t;
  c->users++;
  c->running++;
  if (type == UV_NAMED_PIPE) {
    uv_pipe_connect(&a->req, &t->pipe, c->target.host, on_connect);
    return 0;
  }
  err = bind_to(c, &t->tcp, family);
  if (err != 0) return err;
  return uv_tcp_connect(&a->req, &t->tcp, &a->addr.sa, on_connect);
}

/* ---------------------------------------------------------------- the race */

/* What to say when nobody won: that this machine has no way to an address tells
 * less than what others met on theirs. */
static int weight(int err) {
  switch (err) {
    case UV_EAFNOSUPPORT:
      return 0;
    case UV_EADDRNOTAVAIL:
    case UV_ENETUNREACH:
      return 1;
    default:
      return 2;
  }
}

static int reason(const uvsmtp__connect_t* c) {
  int err = c->attempts[0].status;
  size_t i;
  for (i = 1; i < c->begun; i++) {
    int other = c->attempts[i].status;
    if (weight(other) >= weight(err)) err = other;
  }
  return err;
}

/* 0 when the attempt runs. */
static int begin(uvsmtp_attempt_t* a) {
  int err = start(a);
  if (err == 0) return 0;
  tell(a, "cannot connect to ", uvsmtp_strerror(err));
  end(a, err);
  return err;
}

static void on_delay(uv_timer_t* timer) { uvsmtp__race(timer->data); }

void uvsmtp__race(uvsmtp__connect_t* c) {
  unsigned int delay = c->target.attempt_delay;
  if (delay == 0) delay = DELAY_DEFAULT;
  if (delay < DELAY_MIN) delay = DELAY_MIN;
  while (c->begun < c->count) {
    uvsmtp_attempt_t* a = &c->attempts[c->begun++];
    tell(a, "connecting to ", NULL);
    a->began = uvsmtp__now(c->session->env);
    if (begin(a) != 0) continue;
    if (c->begun == c->count) return;
    if ((c->target.flags & UVSMTP_TARGET_IN_TURN) != 0) return;
    uvsmtp__connect_timer(c, delay, on_delay);
    return;
  }
  if (c->running > 0) return;
  c->decided = 1;
  uvsmtp__lost(c->session, reason(c));
}

void uvsmtp__race_stop(uvsmtp__connect_t* c, int status) {
  size_t i;
  c->decided = 1;
  for (i = 0; i < c->begun; i++) {
    uvsmtp_attempt_t* a = &c->attempts[i];
    if (a->transport != NULL || a->waiting) end(a, status);
  }
}

static void won(uvsmtp_attempt_t* a) {
  uvsmtp__connect_t* c = a->connect;
  uvsmtp_session_t* s = c->session;
  uvsmtp__transport_t* t = a->transport;
  /* It is the session's handle from now on, and not closed with the others. */
  s->transport = t;
  t->handle.data = s;
  a->transport = NULL;
  a->status = 0;
  a->took = uvsmtp__now(s->env) - a->began;
  c->running--;
  c->users--;
  if (c->begun > 1) tell(a, "connected to ", NULL);
  uvsmtp__race_stop(c, UV_ECANCELED);
  if (c->timing) uv_timer_stop(&c->timer);
  if (t->handle.type == UV_TCP) {
    /* What the system refuses here is an optimisation. */
    if ((c->target.flags & UVSMTP_TARGET_DELAY) == 0) {
      uv_tcp_nodelay(&t->tcp, 1);
    }
    if (c->target.keepalive != 0) {
      uv_tcp_keepalive(&t->tcp, 1, c->target.keepalive);
    }
  }
  uvsmtp__connected(s);
}

static void on_room(uv_timer_t* timer) {
  uvsmtp__connect_t* c = timer->data;
  c->attempts[0].waiting = 0;
  if (begin(&c->attempts[0]) != 0) uvsmtp__race(c);
}

/* The queue of a local server is full. Over TCP the system asks again by
 * itself; here the deadline is the only end too. */
static void ask_again(uvsmtp_attempt_t* a) {
  end(a, UV_EAGAIN);
  a->waiting = 1;
  uvsmtp__connect_timer(a->connect, FULL_DELAY, on_room);
}

static void on_connect(uv_connect_t* req, int status) {
  uvsmtp_attempt_t* a = req->data;
  if (a->transport == NULL) return; /* it is being closed */
  if (status == 0) {
    won(a);
  } else if (status == UV_EAGAIN && a->addr.sa.sa_family == AF_UNSPEC) {
    ask_again(a);
  } else {
    tell(a, "cannot connect to ", uvsmtp_strerror(status));
    end(a, status);
    /* RFC 8305 5: the next one need not wait any longer. */
    uvsmtp__race(a->connect);
  }
}

/* -------------------------------------------------------- what became of it */

size_t uvsmtp_session_attempt_count(const uvsmtp_session_t* s) {
  return s->connect == NULL || !s->connect->decided ? 0 : s->connect->begun;
}

const uvsmtp_attempt_t* uvsmtp_session_attempt(const uvsmtp_session_t* s,
                                               size_t i) {
  return i < uvsmtp_session_attempt_count(s) ? &s->connect->attempts[i] : NULL;
}

int uvsmtp_attempt_status(const uvsmtp_attempt_t* a) { return a->status; }

const struct sockaddr* uvsmtp_attempt_address(const uvsmtp_attempt_t* a) {
  return a->addr.sa.sa_family == AF_UNSPEC ? NULL : &a->addr.sa;
}

uint64_t uvsmtp_attempt_duration(const uvsmtp_attempt_t* a) { return a->took; }
