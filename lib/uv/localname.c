/* SPDX-License-Identifier: MIT */
/* localname.c: what EHLO says when the caller did not configure it (RFC 5321
 * 4.1.4): the machine's full name if it has one, else the address literal of
 * the socket's own address. */
#include <string.h>

#include "uv/uv_int.h"

enum {
  NAME_WAIT = 1000 /* milliseconds */
};

enum name_state { UNASKED, ASKED, KNOWN };

/* ------------------------------------------------------ names and literals */

int uvsmtp__plausible(const char* name) {
  static const char loopback[] = "localhost.";
  const char* dot = NULL;
  int letters = 0; /* since the last dot */
  const char* p;
  for (p = name; *p != '\0'; p++) {
    int alpha = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');
    int digit = *p >= '0' && *p <= '9';
    if (!alpha && !digit && (p == name || (*p != '.' && *p != '-'))) return 0;
    if (*p == '.' && (p[-1] == '.' || p[-1] == '-')) return 0;
    if (*p == '-' && p[-1] == '.') return 0;
    letters = *p == '.' ? 0 : letters + alpha;
    if (*p == '.') dot = p;
  }
  if (dot == NULL || p[-1] == '-' || p - name > UVSMTP__HOST_MAX) return 0;
  /* The last label of an address is a number; it says nothing as a name. */
  if (letters == 0) return 0;
  return strncmp(name, loopback, sizeof(loopback) - 1) != 0;
}

void uvsmtp__address_literal(const struct sockaddr* addr, char* out) {
  static const unsigned char mapped[12] = {0, 0, 0, 0, 0,    0,
                                           0, 0, 0, 0, 0xff, 0xff};
  const struct sockaddr_in6* six = (const void*)addr;
  const struct sockaddr_in* four = (const void*)addr;
  char text[INET6_ADDRSTRLEN] = "127.0.0.1";
  int v6 = 0;
  if (addr->sa_family == AF_INET6) {
    const unsigned char* octets = six->sin6_addr.s6_addr;
    v6 = memcmp(octets, mapped, sizeof(mapped)) != 0;
    uv_inet_ntop(v6 ? AF_INET6 : AF_INET, v6 ? octets : octets + 12, text,
                 sizeof(text));
  } else if (addr->sa_family == AF_INET) {
    uv_inet_ntop(AF_INET, &four->sin_addr, text, sizeof(text));
  }
  /* A Unix socket has no address; both ends are on this machine. */
  strcpy(out, v6 ? "[IPv6:" : "[");
  strcat(out, text);
  strcat(out, "]");
}

/* ------------------------------------------------------- the machine's name */

static void on_found(uv_getaddrinfo_t* req, int status, struct addrinfo* list) {
  uvsmtp_env_t* env = req->data;
  const char* name = status == 0 && list != NULL ? list->ai_canonname : NULL;
  uvsmtp__link_t waiting;
  if (name != NULL && uvsmtp__plausible(name)) strcpy(env->name, name);
  uv_freeaddrinfo(list);
  env->name_state = KNOWN;
  if (env->closing) {
    env->handles--;
    uvsmtp__env_done(env);
    return;
  }
  uvsmtp__queue_move(&env->naming, &waiting);
  while (!uvsmtp__queue_empty(&waiting)) {
    uvsmtp__connect_t* c =
        UVSMTP__CONTAINER(waiting.next, uvsmtp__connect_t, naming);
    uvsmtp__up(c->session); /* which takes it off the list */
  }
}

/* A host name without a dot is looked up, as smtplib does, but by one of
 * libuv's threads and once; the system's resolver knows /etc/hosts. */
void uvsmtp__name_ask(uvsmtp_env_t* env) {
  char host[UV_MAXHOSTNAMESIZE];
  size_t len = sizeof(host);
  struct addrinfo hints;
  if (env->name_state != UNASKED) return;
  env->name_state = KNOWN;
  if (uv_os_gethostname(host, &len) != 0 || host[0] == '\0') return;
  if (uvsmtp__plausible(host)) {
    strcpy(env->name, host);
    return;
  }
  memset(&hints, 0, sizeof(hints));
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_CANONNAME;
  env->name_lookup.data = env;
  if (uv_getaddrinfo(env->loop, &env->name_lookup, on_found, host, NULL,
                     &hints) != 0) {
    return;
  }
  env->name_state = ASKED;
  env->name_due = uvsmtp__now(env) + NAME_WAIT;
}

unsigned int uvsmtp__name_stop(uvsmtp_env_t* env) {
  if (env->name_state != ASKED) return 0;
  uv_cancel((uv_req_t*)&env->name_lookup);
  return 1;
}

/* ------------------------------------------------------------- a session's */

static void on_late(uv_timer_t* timer) {
  uvsmtp__connect_t* c = timer->data;
  uvsmtp__up(c->session);
}

int uvsmtp__name_wait(uvsmtp_session_t* s) {
  uvsmtp_env_t* env = s->env;
  uint64_t now;
  if (s->named || env->name_state != ASKED) return 0;
  now = uvsmtp__now(env);
  if (now >= env->name_due) return 0;
  uvsmtp__queue_insert_tail(&env->naming, &s->connect->naming);
  uvsmtp__connect_timer(s->connect, env->name_due - now, on_late);
  return 1;
}

/* Anew for each connection, since its own address may be another. */
int uvsmtp__name_set(uvsmtp_session_t* s) {
  char literal[UVSMTP__LITERAL_MAX];
  uvsmtp__addr_t addr;
  const char* name = s->env->name;
  int len = sizeof(addr);
  int err;
  if (s->named) return 0;
  if (name[0] == '\0') {
    memset(&addr, 0, sizeof(addr));
    if (s->transport->handle.type == UV_TCP) {
      uv_tcp_getsockname(&s->transport->tcp, &addr.sa, &len);
    }
    uvsmtp__address_literal(&addr.sa, literal);
    name = literal;
  }
  uvsmtp__enter(s->env);
  err = uvsmtp_proto_set_local_name(s->proto, name);
  uvsmtp__leave(s->env);
  return err;
}
