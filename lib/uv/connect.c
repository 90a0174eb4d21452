/* SPDX-License-Identifier: MIT */
/* connect.c: from a target to a transport that is up: a literal address, a name
 * with its addresses in turn, or a Unix socket; and its closing. */
#include <net/if.h>
#include <string.h>
#include <sys/un.h>

#include "uv/uv_int.h"

enum {
  HOST_MAX = 255,
  TRIES_MAX = 16, /* addresses of one name */
  PATH_MAX_OCTETS = sizeof(((struct sockaddr_un*)0)->sun_path) - 1
};

/* ---------------------------------------------------------------- targets */

/* The scope of an IPv6 address (RFC 4007 11): an interface by its name, or by
 * its number. 0: neither. */
static unsigned int parse_scope(const char* text) {
  unsigned int scope = if_nametoindex(text);
  const char* p;
  if (scope != 0) return scope;
  for (p = text; *p >= '0' && *p <= '9'; p++) {
    unsigned int digit = (unsigned int)(*p - '0');
    if (scope > (UINT32_MAX - digit) / 10) return 0;
    scope = scope * 10 + digit;
  }
  return *p == '\0' ? scope : 0;
}

/* An IPv4 or IPv6 literal, in brackets or not. 0 or UV_EINVAL. */
static int parse_literal(const char* text, int port, uvsmtp__addr_t* addr) {
  char bare[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
  char* percent;
  size_t len = strlen(text);
  if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
    text++;
    len -= 2;
  }
  if (len >= sizeof(bare)) return UV_EINVAL;
  memcpy(bare, text, len);
  bare[len] = '\0';
  memset(addr, 0, sizeof(*addr));
  if (uv_ip4_addr(bare, port, &addr->in) == 0) return 0;
  memset(addr, 0, sizeof(*addr));
  /* libuv takes a scope that it does not know for none. */
  percent = strchr(bare, '%');
  if (percent != NULL) *percent = '\0';
  if (uv_ip6_addr(bare, port, &addr->in6) != 0) return UV_EINVAL;
  if (percent == NULL) return 0;
  addr->in6.sin6_scope_id = parse_scope(percent + 1);
  return addr->in6.sin6_scope_id != 0 ? 0 : UV_EINVAL;
}

/* A blank, a control or a colon in a name is a mistake that no resolver should
 * see. */
static int check_host(const char* host) {
  int path = host[0] == '/';
  size_t len = strlen(host);
  uvsmtp__addr_t addr;
  size_t i;
  if (len == 0 || len > (size_t)(path ? PATH_MAX_OCTETS : HOST_MAX)) {
    return UV_EINVAL;
  }
  for (i = 0; i < len; i++) {
    unsigned char c = (unsigned char)host[i];
    if (c < 32 || c == 127 || (c == 32 && !path)) return UV_EINVAL;
  }
  if (path || (host[0] != '[' && strchr(host, ':') == NULL)) return 0;
  return parse_literal(host, 0, &addr);
}

static int check_target(const uvsmtp_target_t* t) {
  uvsmtp__addr_t addr;
  if (t->flags != 0) return UV_EINVAL;
  if (t->port < 0 || t->port > 65535) return UV_EINVAL;
  if (t->bind_port < 0 || t->bind_port > 65535) return UV_EINVAL;
  if (t->host != NULL && check_host(t->host) != 0) return UV_EINVAL;
  if (t->bind_host == NULL) return 0;
  return parse_literal(t->bind_host, 0, &addr);
}

int uvsmtp__target_new(uvsmtp_env_t* env, const uvsmtp_target_t* from,
                       uvsmtp__target_t** to) {
  uvsmtp_target_t t = UVSMTP_TARGET_INIT;
  uvsmtp__target_t* target;
  size_t host;
  size_t bind_host;
  if (uvsmtp__take(&t, sizeof(t), from, sizeof(size_t)) != 0 ||
      check_target(&t) != 0) {
    return UV_EINVAL;
  }
  if (t.host == NULL) t.host = "localhost";
  host = strlen(t.host) + 1;
  bind_host = t.bind_host == NULL ? 0 : strlen(t.bind_host) + 1;
  target = uvsmtp__alloc(&env->mem, sizeof(*target) + host + bind_host);
  if (target == NULL) return UV_ENOMEM;
  target->block = sizeof(*target) + host + bind_host;
  target->port = (unsigned short)t.port;
  target->bind_port = (unsigned short)t.bind_port;
  target->host = memcpy(target + 1, t.host, host);
  target->bind_host = NULL;
  if (bind_host != 0) {
    target->bind_host =
        memcpy((char*)(target + 1) + host, t.bind_host, bind_host);
  }
  *to = target;
  return 0;
}

void uvsmtp__target_free(uvsmtp_env_t* env, uvsmtp__target_t* target) {
  if (target != NULL) uvsmtp__free(&env->mem, target, target->block);
}

/* ------------------------------------------------------------- local name */

/* Letters, digits, hyphens and dots, one of them in the middle. */
static int plausible(const char* name) {
  const char* dot = NULL;
  const char* p;
  for (p = name; *p != '\0'; p++) {
    int alnum = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                (*p >= '0' && *p <= '9');
    if (!alnum && (p == name || (*p != '.' && *p != '-'))) return 0;
    if (*p == '.' && (p[-1] == '.' || p[-1] == '-')) return 0;
    if (*p == '.') dot = p;
  }
  return dot != NULL && p[-1] != '.' && p[-1] != '-' && p - name <= HOST_MAX;
}

/* An address literal (RFC 5321 4.1.3) of the socket's own end, at most
 * INET6_ADDRSTRLEN + 8 octets. */
static void literal_name(uvsmtp_session_t* s, char* out) {
  static const unsigned char mapped[12] = {0, 0, 0, 0, 0,    0,
                                           0, 0, 0, 0, 0xff, 0xff};
  uvsmtp__addr_t addr;
  int len = sizeof(addr);
  char text[INET6_ADDRSTRLEN];
  int v6 = 0;
  int err = UV_EINVAL;
  memset(&addr, 0, sizeof(addr));
  if (s->transport.handle.type == UV_TCP) {
    err = uv_tcp_getsockname(&s->transport.tcp, &addr.sa, &len);
  }
  if (err == 0 && addr.sa.sa_family == AF_INET6) {
    const unsigned char* octets = addr.in6.sin6_addr.s6_addr;
    v6 = memcmp(octets, mapped, sizeof(mapped)) != 0;
    err = v6 ? uv_ip6_name(&addr.in6, text, sizeof(text))
             : uv_inet_ntop(AF_INET, octets + 12, text, sizeof(text));
  } else if (err == 0) {
    err = uv_ip4_name(&addr.in, text, sizeof(text));
  }
  /* A Unix socket has no address; both ends are on this machine. */
  if (err != 0) strcpy(text, "127.0.0.1");
  strcpy(out, err == 0 && v6 ? "[IPv6:" : "[");
  strcat(out, text);
  strcat(out, "]");
}

/* What to say in EHLO when the caller did not: anew for each connection, since
 * its own address may be another. */
static int set_local_name(uvsmtp_session_t* s) {
  char name[UV_MAXHOSTNAMESIZE + INET6_ADDRSTRLEN];
  size_t len = sizeof(name);
  int err;
  if (s->named) return 0;
  if (uv_os_gethostname(name, &len) != 0 || !plausible(name)) {
    literal_name(s, name);
  }
  uvsmtp__enter(s->env);
  err = uvsmtp_proto_set_local_name(s->proto, name);
  uvsmtp__leave(s->env);
  return err;
}

/* ---------------------------------------------------------------- the end */

static void connect_free(uvsmtp__connect_t* c) {
  if (c->found != NULL) uv_freeaddrinfo(c->found);
  uvsmtp__free(&c->session->env->mem, c, sizeof(*c));
}

static void next_address(uvsmtp_session_t* s);

static void on_transport_closed(uv_handle_t* handle) {
  uvsmtp_session_t* s = handle->data;
  uvsmtp__connect_t* c = s->connect;
  s->handles--;
  s->conn = UVSMTP__IDLE;
  if (c != NULL && !c->aborted) {
    next_address(s);
    return;
  }
  s->connect = NULL;
  if (c != NULL) connect_free(c);
  /* There may be another connect to begin, or a closed session to end. */
  uvsmtp__pump(s);
}

static void close_transport(uvsmtp_session_t* s) {
  s->conn = UVSMTP__CLOSING;
  uv_close(&s->transport.handle, on_transport_closed);
}

void uvsmtp__shut(uvsmtp_session_t* s) {
  uvsmtp__connect_t* c = s->connect;
  s->write_error = 0;
  s->phase = UVSMTP_PHASE_END; /* whatever comes, it is another wait */
  s->wait_due = UVSMTP__NEVER;
  uvsmtp__writable_drop(s);
  if (c != NULL) c->aborted = 1;
  if (s->conn == UVSMTP__RESOLVING) {
    /* The lookup reports later, maybe much later; it needs nothing of ours but
     * its own block, so another may begin. */
    s->connect = NULL;
    s->conn = UVSMTP__IDLE;
    uv_cancel((uv_req_t*)&c->req.resolve);
  } else if (s->conn == UVSMTP__CONNECTING || s->conn == UVSMTP__UP) {
    close_transport(s);
  }
}

/* No address was of any use. */
static void give_up(uvsmtp_session_t* s, int err) {
  connect_free(s->connect);
  s->connect = NULL;
  s->conn = UVSMTP__IDLE;
  uvsmtp__lost(s, err);
}

/* ---------------------------------------------------------------- reading */

static void on_alloc(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  uvsmtp_session_t* s = handle->data;
  (void)suggested;
  *buf = uv_buf_init(s->env->read_buffer, UVSMTP__READ_MAX);
}

static void on_read(uv_stream_t* stream, ssize_t n, const uv_buf_t* buf) {
  uvsmtp_session_t* s = stream->data;
  if (n == 0) return;
  if (n < 0) {
    /* A write may have used up the socket's error; the end of file that is left
     * is then the smaller truth. EPIPE says no more than that end. */
    int err = (int)n;
    if (err == UV_EOF && s->write_error != 0 && s->write_error != UV_EPIPE) {
      err = s->write_error;
    }
    uvsmtp__lost(s, err);
    return;
  }
  uvsmtp__enter(s->env);
  uvsmtp_proto_feed(s->proto, buf->base, (size_t)n);
  uvsmtp__leave(s->env);
  uvsmtp__pump(s);
}

/* ------------------------------------------------------------- connecting */

static void up(uvsmtp_session_t* s) {
  int err;
  connect_free(s->connect);
  s->connect = NULL;
  uvsmtp__target_free(s->env, s->once);
  s->once = NULL;
  s->conn = UVSMTP__UP;
  if (s->transport.handle.type == UV_TCP) {
    uv_tcp_nodelay(&s->transport.tcp, 1);
  }
  err = set_local_name(s);
  if (err == 0) err = uv_read_start(&s->transport.stream, on_alloc, on_read);
  if (err != 0) {
    uvsmtp__lost(s, err);
    return;
  }
  uvsmtp__enter(s->env);
  uvsmtp_proto_up(s->proto);
  uvsmtp__leave(s->env);
  uvsmtp__pump(s);
}

/* The last reason is as good as any, but for a family that can't be used, or
 * not from the address to connect from: that says nothing of the server. */
static void attempt_failed(uvsmtp_session_t* s, int err) {
  uvsmtp__connect_t* c = s->connect;
  if (err != UV_EAFNOSUPPORT || c->error == 0) c->error = err;
  uvsmtp__info(s, "connecting failed: ", uvsmtp_strerror(err), 0);
  close_transport(s);
}

static void on_connect(uv_connect_t* req, int status) {
  uvsmtp_session_t* s = req->handle->data;
  if (s->conn != UVSMTP__CONNECTING) return; /* it is being closed */
  if (status < 0) {
    attempt_failed(s, status);
  } else {
    up(s);
  }
}

static int bind_to(uvsmtp_session_t* s, const uvsmtp__connect_t* c,
                   int family) {
  uvsmtp__addr_t addr = c->bind;
  if (addr.sa.sa_family == AF_UNSPEC) {
    if (c->bind_port == 0) return 0;
    addr.sa.sa_family = (sa_family_t)family;
  }
  if (addr.sa.sa_family != family) return UV_EAFNOSUPPORT;
  if (family == AF_INET) {
    addr.in.sin_port = htons(c->bind_port);
  } else {
    addr.in6.sin6_port = htons(c->bind_port);
  }
  return uv_tcp_bind(&s->transport.tcp, &addr.sa, 0);
}

static void try_address(uvsmtp_session_t* s, uvsmtp__addr_t* addr) {
  uvsmtp__connect_t* c = s->connect;
  char text[INET6_ADDRSTRLEN] = "";
  int err;
  if (addr->sa.sa_family == AF_INET) {
    addr->in.sin_port = htons(c->port);
    uv_ip4_name(&addr->in, text, sizeof(text));
  } else {
    addr->in6.sin6_port = htons(c->port);
    uv_ip6_name(&addr->in6, text, sizeof(text));
  }
  uvsmtp__info(s, "connecting to ", text, c->port);
  uv_tcp_init(s->env->loop, &s->transport.tcp);
  s->transport.handle.data = s;
  s->handles++;
  s->conn = UVSMTP__CONNECTING;
  err = bind_to(s, c, addr->sa.sa_family);
  if (err == 0) {
    err = uv_tcp_connect(&c->req.connect, &s->transport.tcp, &addr->sa,
                         on_connect);
  }
  if (err != 0) attempt_failed(s, err);
}

/* Tries the next address; the one before has been closed. */
static void next_address(uvsmtp_session_t* s) {
  uvsmtp__connect_t* c = s->connect;
  uvsmtp__addr_t addr;
  if (c->literal.sa.sa_family != AF_UNSPEC) {
    addr = c->literal;
    c->literal.sa.sa_family = AF_UNSPEC;
    try_address(s, &addr);
    return;
  }
  while (c->next != NULL && c->tries < TRIES_MAX) {
    const struct addrinfo* a = c->next;
    c->next = a->ai_next;
    if (a->ai_family != AF_INET && a->ai_family != AF_INET6) continue;
    if (a->ai_addrlen > sizeof(addr)) continue;
    memset(&addr, 0, sizeof(addr));
    memcpy(&addr, a->ai_addr, a->ai_addrlen);
    c->tries++;
    try_address(s, &addr);
    return;
  }
  give_up(s, c->error != 0 ? c->error : UV_EAI_ADDRFAMILY);
}

static void on_resolved(uv_getaddrinfo_t* req, int status,
                        struct addrinfo* found) {
  uvsmtp__connect_t* c = req->data;
  uvsmtp_session_t* s = c->session;
  c->found = found;
  s->handles--;
  if (c->aborted) {
    connect_free(c);
    uvsmtp__session_done(s);
    return;
  }
  s->conn = UVSMTP__IDLE;
  if (status != 0) {
    give_up(s, status);
    return;
  }
  c->next = found;
  next_address(s);
}

static void resolve(uvsmtp_session_t* s, const char* host) {
  uvsmtp__connect_t* c = s->connect;
  struct addrinfo hints;
  int err;
  memset(&hints, 0, sizeof(hints));
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  uvsmtp__info(s, "looking up ", host, 0);
  c->req.resolve.data = c;
  err = uv_getaddrinfo(s->env->loop, &c->req.resolve, on_resolved, host, NULL,
                       &hints);
  if (err != 0) {
    give_up(s, err);
    return;
  }
  s->handles++;
  s->conn = UVSMTP__RESOLVING;
}

static void open_path(uvsmtp_session_t* s, const char* path) {
  uvsmtp__info(s, "connecting to ", path, 0);
  uv_pipe_init(s->env->loop, &s->transport.pipe, 0);
  s->transport.handle.data = s;
  s->handles++;
  s->conn = UVSMTP__CONNECTING;
  uv_pipe_connect(&s->connect->req.connect, &s->transport.pipe, path,
                  on_connect);
}

void uvsmtp__open(uvsmtp_session_t* s) {
  const uvsmtp__target_t* t = s->once != NULL ? s->once : s->target;
  const char* host = t == NULL ? "localhost" : t->host;
  uvsmtp__connect_t* c = uvsmtp__alloc(&s->env->mem, sizeof(*c));
  if (c == NULL) {
    uvsmtp__lost(s, UV_ENOMEM);
    return;
  }
  memset(c, 0, sizeof(*c));
  c->session = s;
  c->port = t == NULL ? 0 : t->port;
  if (c->port == 0) c->port = s->lmtp ? 2003 : 25;
  if (t != NULL) {
    c->bind_port = t->bind_port;
    if (t->bind_host != NULL) parse_literal(t->bind_host, 0, &c->bind);
  }
  s->connect = c;
  if (host[0] == '/') {
    open_path(s, host);
  } else if (parse_literal(host, c->port, &c->literal) == 0) {
    next_address(s);
  } else {
    memset(&c->literal, 0, sizeof(c->literal));
    resolve(s, host);
  }
}
