/* SPDX-License-Identifier: MIT */
/* target.c: what a caller may say of where to connect to, checked and copied.
 */
#include <net/if.h>
#include <string.h>
#include <sys/un.h>

#include "core/auth.h"
#include "uv/uv_int.h"

enum {
  PATH_MAX_OCTETS = sizeof(((struct sockaddr_un*)0)->sun_path) - 1,
  PORT_MAX = 65535,
  KEEPALIVE_MAX = 32767, /* Linux takes no more */
  FLAGS = UVSMTP_TARGET_DELAY | UVSMTP_TARGET_IN_TURN
};

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

int uvsmtp__literal(const char* text, size_t len, uvsmtp__addr_t* addr) {
  char bare[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
  char* percent;
  if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
    text++;
    len -= 2;
  }
  if (len >= sizeof(bare)) return UV_EINVAL;
  memcpy(bare, text, len);
  bare[len] = '\0';
  memset(addr, 0, sizeof(*addr));
  if (uv_ip4_addr(bare, 0, &addr->in) == 0) return 0;
  memset(addr, 0, sizeof(*addr));
  /* libuv takes a scope that it does not know for none. */
  percent = strchr(bare, '%');
  if (percent != NULL) *percent = '\0';
  if (uv_ip6_addr(bare, 0, &addr->in6) != 0) return UV_EINVAL;
  if (percent == NULL) return 0;
  addr->in6.sin6_scope_id = parse_scope(percent + 1);
  return addr->in6.sin6_scope_id != 0 ? 0 : UV_EINVAL;
}

/* smtplib's rule: the port may stand behind the only colon; and behind brackets
 * too. Other hosts with colons are left alone, since they are IPv6 literals. */
static int split_port(const char* host, size_t* len, int* port) {
  const char* colon = strrchr(host, ':');
  const char* p;
  int value = 0;
  if (*port != 0 || colon == NULL || host[0] == '/') return 0;
  if (host[0] == '[' ? colon[-1] != ']' : strchr(host, ':') != colon) return 0;
  for (p = colon + 1; *p != '\0'; p++) {
    if (*p < '0' || *p > '9') return UV_EINVAL;
    value = value * 10 + (*p - '0');
    if (value > PORT_MAX) return UV_EINVAL;
  }
  if (value == 0) return UV_EINVAL;
  *port = value;
  *len = (size_t)(colon - host);
  return 0;
}

/* A blank, a control, a bracket or a colon in a name is a mistake that no
 * resolver should see. */
static int check_host(const char* host, size_t len) {
  int path = host[0] == '/';
  uvsmtp__addr_t addr;
  size_t i;
  if (len == 0 || len > (size_t)(path ? PATH_MAX_OCTETS : UVSMTP__HOST_MAX)) {
    return UV_EINVAL;
  }
  for (i = 0; i < len; i++) {
    unsigned char c = (unsigned char)host[i];
    if (c < 32 || c == 127 || (c == 32 && !path)) return UV_EINVAL;
  }
  if (path) return 0;
  if (memchr(host, ':', len) == NULL && memchr(host, '[', len) == NULL &&
      memchr(host, ']', len) == NULL) {
    return 0;
  }
  return uvsmtp__literal(host, len, &addr);
}

/* *len gets how much of the host is left when its port is taken off. */
static int check_target(uvsmtp_target_t* t, size_t* len) {
  uvsmtp__addr_t addr;
  if ((t->flags & ~(unsigned int)FLAGS) != 0) return UV_EINVAL;
  if (t->port < 0 || t->port > PORT_MAX) return UV_EINVAL;
  if (t->bind_port < 0 || t->bind_port > PORT_MAX) return UV_EINVAL;
  if (t->keepalive > KEEPALIVE_MAX) return UV_EINVAL;
  if (t->host == NULL) t->host = "localhost";
  *len = strlen(t->host);
  if (split_port(t->host, len, &t->port) != 0) return UV_EINVAL;
  if (check_host(t->host, *len) != 0) return UV_EINVAL;
  if (t->tls < UVSMTP_TLS_DEFAULT || t->tls > UVSMTP_TLS_IMPLICIT) {
    return UV_EINVAL;
  }
  if (t->tls_name != NULL &&
      (t->tls_name[0] == '/' || check_host(t->tls_name, strlen(t->tls_name)))) {
    return UV_EINVAL;
  }
  if (t->bind_host == NULL) return 0;
  return uvsmtp__literal(t->bind_host, strlen(t->bind_host), &addr);
}

int uvsmtp__target_new(uvsmtp_env_t* env, const uvsmtp_target_t* from,
                       uvsmtp__target_t** to) {
  uvsmtp_target_t t = UVSMTP_TARGET_INIT;
  uvsmtp__target_t* target;
  size_t host;
  size_t bind_host;
  size_t tls_name;
  size_t block;
  char* text;
  if (uvsmtp__take(&t, sizeof(t), from, sizeof(size_t)) != 0 ||
      check_target(&t, &host) != 0) {
    return UV_EINVAL;
  }
  bind_host = t.bind_host == NULL ? 0 : strlen(t.bind_host) + 1;
  tls_name = t.tls_name == NULL ? 0 : strlen(t.tls_name) + 1;
  block = sizeof(*target) + host + 1 + bind_host + tls_name;
  target = uvsmtp__alloc(&env->mem, block);
  if (target == NULL) return UV_ENOMEM;
  memset(target, 0, sizeof(*target));
  target->block = block;
  target->port = (unsigned short)t.port;
  target->bind_port = (unsigned short)t.bind_port;
  target->keepalive = (unsigned short)t.keepalive;
  target->flags = (unsigned short)t.flags;
  target->attempt_delay = t.attempt_delay;
  target->tls = (unsigned char)t.tls;
  if (t.tls_settings != NULL) {
    target->tls_settings = uvsmtp_tls_ref(t.tls_settings);
  }
  target->credentials = uvsmtp_credentials_ref(t.credentials);
  text = (char*)(target + 1);
  memcpy(text, t.host, host);
  text[host] = '\0';
  target->host = text;
  if (bind_host != 0) {
    target->bind_host = memcpy(text + host + 1, t.bind_host, bind_host);
  }
  if (tls_name != 0) {
    target->tls_name =
        memcpy(text + host + 1 + bind_host, t.tls_name, tls_name);
  }
  *to = target;
  return 0;
}

void uvsmtp__target_free(uvsmtp_env_t* env, uvsmtp__target_t* target) {
  if (target == NULL) return;
  uvsmtp__enter(env); /* their allocator is a hook as well */
  uvsmtp_tls_unref(target->tls_settings);
  uvsmtp_credentials_unref(target->credentials);
  uvsmtp__leave(env);
  uvsmtp__free(&env->mem, target, target->block);
}

const uvsmtp__target_t* uvsmtp__target_now(const uvsmtp_session_t* s) {
  return s->once != NULL ? s->once : s->target;
}

unsigned short uvsmtp__target_port(const uvsmtp__target_t* t, int lmtp) {
  if (t != NULL && t->port != 0) return t->port;
  if (lmtp) return UVSMTP_PORT_LMTP;
  if (t != NULL && t->tls == UVSMTP_TLS_IMPLICIT) return UVSMTP_PORT_SMTPS;
  return UVSMTP_PORT_SMTP;
}

static int default_policy(const uvsmtp_session_t* s,
                          const uvsmtp__target_t* t) {
  if (t != NULL && t->tls != UVSMTP_TLS_DEFAULT) return t->tls;
  if (uvsmtp__target_local(s)) return UVSMTP_TLS_NONE;
  if (s->given != NULL && s->given->local == UVSMTP__PAIRED &&
      (t == NULL || t->credentials == NULL)) {
    return UVSMTP_TLS_NONE;
  }
  switch (uvsmtp__target_port(t, s->lmtp)) {
    case UVSMTP_PORT_SMTPS:
      return UVSMTP_TLS_IMPLICIT;
    case UVSMTP_PORT_SUBMISSION:
      return UVSMTP_TLS_REQUIRED;
    default:
      return UVSMTP_TLS_OPPORTUNISTIC;
  }
}

/* With secrets to say, TLS that may be left out, or that anybody may answer, is
 * none. */
int uvsmtp__target_policy(const uvsmtp_session_t* s) {
  const uvsmtp__target_t* t = uvsmtp__target_now(s);
  int policy = default_policy(s, t);
  if (policy != UVSMTP_TLS_OPPORTUNISTIC || t == NULL ||
      t->credentials == NULL ||
      (t->credentials->flags & UVSMTP_AUTH_ALLOW_PLAINTEXT) != 0) {
    return policy;
  }
  return UVSMTP_TLS_REQUIRED;
}

int uvsmtp__target_local(const uvsmtp_session_t* s) {
  const uvsmtp__target_t* t = uvsmtp__target_now(s);
  if (s->given != NULL) return s->given->local == UVSMTP__LOCAL;
  return t != NULL && t->host[0] == '/';
}

uvsmtp_credentials_t* uvsmtp__target_credentials(const uvsmtp_session_t* s) {
  const uvsmtp__target_t* t = uvsmtp__target_now(s);
  return t == NULL ? NULL : t->credentials;
}
