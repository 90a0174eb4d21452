/* SPDX-License-Identifier: MIT */
/* resolve.c: a name becomes addresses, by the system's resolver or one of the
 * caller's. An answer is only noted, whenever and wherever it comes; the pump
 * goes on with it on a fresh stack. */
#include <string.h>

#include "uv/uv_int.h"

struct uvsmtp_query_s {
  uvsmtp_session_t* session;
  uvsmtp__connect_t* connect; /* NULL: nobody waits any more */
  size_t block;               /* octets allocated */
  int beginning;              /* the resolver has not returned yet */
  int over;                   /* and has answered already */
  uv_getaddrinfo_t system;
  char host[];
};

static void query_free(uvsmtp_query_t* q) {
  uvsmtp__free(&q->session->env->mem, q, q->block);
}

/* While somebody waits for an answer, deadlines keep the loop alive: a resolver
 * may have no handle of its own. */
static void wait_begins(uvsmtp_env_t* env) {
  if (env->lookups++ == 0) uv_ref((uv_handle_t*)&env->timer);
}

static void wait_ends(uvsmtp_env_t* env) {
  if (--env->lookups == 0) uv_unref((uv_handle_t*)&env->timer);
}

/* ----------------------------------------------------------- the answer */

/* 0, or why there is no address to try. */
static int take_answer(uvsmtp__connect_t* c, int status,
                       const struct sockaddr* const* addresses, size_t n) {
  const struct sockaddr* usable[UVSMTP__ADDRESSES_MAX];
  size_t found = 0;
  size_t i;
  if (status != 0) return status < 0 ? status : UV_EINVAL;
  if (n == 0) return UV_EAI_NODATA;
  for (i = 0; i < n && found < UVSMTP__ADDRESSES_MAX; i++) {
    const struct sockaddr* a = addresses[i];
    if (a == NULL) continue;
    if (a->sa_family != AF_INET && a->sa_family != AF_INET6) continue;
    usable[found++] = a;
  }
  if (found == 0) return UV_EAI_ADDRFAMILY;
  return uvsmtp__race_new(c, usable, found);
}

void uvsmtp_query_done(uvsmtp_query_t* q, int status,
                       const struct sockaddr* const* addresses, size_t n) {
  uvsmtp_session_t* s = q->session;
  uvsmtp__connect_t* c = q->connect;
  if (c != NULL) {
    q->connect = NULL;
    c->query = NULL;
    c->answered = 1;
    c->error = take_answer(c, status, addresses, n);
    wait_ends(s->env);
  }
  if (q->beginning) {
    q->over = 1;
  } else {
    query_free(q);
    s->handles--;
  }
  if (c != NULL || s->closing) uvsmtp__kick(s);
}

/* --------------------------------------------------------------- the query */

int uvsmtp__resolve(uvsmtp__connect_t* c, const char* host) {
  uvsmtp_session_t* s = c->session;
  uvsmtp_env_t* env = s->env;
  uvsmtp_resolver_t* resolver = env->resolver;
  size_t len = strlen(host) + 1;
  size_t block = offsetof(uvsmtp_query_t, host) + len;
  uvsmtp_query_t* q = uvsmtp__alloc(&env->mem, block);
  int err;
  if (q == NULL) return UV_ENOMEM;
  memset(q, 0, offsetof(uvsmtp_query_t, host));
  memcpy(q->host, host, len);
  q->session = s;
  q->connect = c;
  q->block = block;
  q->beginning = 1;
  c->query = q;
  wait_begins(env);
  uvsmtp__enter(env);
  err = resolver->resolve(resolver, env->loop, q->host, q);
  uvsmtp__leave(env);
  q->beginning = 0;
  if (err == 0 && !q->over) {
    s->handles++;
    return 0;
  }
  if (!q->over) {
    c->query = NULL;
    wait_ends(env);
  }
  query_free(q);
  return err < 0 ? err : err == 0 ? 0 : UV_EINVAL;
}

void uvsmtp__resolve_stop(uvsmtp__connect_t* c) {
  uvsmtp_query_t* q = c->query;
  uvsmtp_env_t* env = c->session->env;
  uvsmtp_resolver_t* resolver = env->resolver;
  if (q == NULL) return;
  c->query = NULL;
  q->connect = NULL;
  wait_ends(env);
  /* Whatever becomes of it, it reports later, maybe much later; it needs
   * nothing but its own block, so another may begin. */
  if (resolver->cancel == NULL) return;
  uvsmtp__enter(env);
  resolver->cancel(resolver, q);
  uvsmtp__leave(env);
}

/* ---------------------------------------------------- the system's resolver */

static void on_resolved(uv_getaddrinfo_t* req, int status,
                        struct addrinfo* list) {
  const struct sockaddr* addresses[4 * UVSMTP__ADDRESSES_MAX];
  const struct addrinfo* a;
  size_t n = 0;
  for (a = list; a != NULL; a = a->ai_next) {
    if (n == sizeof(addresses) / sizeof(addresses[0])) break;
    addresses[n++] = a->ai_addr;
  }
  uvsmtp_query_done(req->data, status, addresses, n);
  uv_freeaddrinfo(list);
}

static int resolve(uvsmtp_resolver_t* self, uv_loop_t* loop, const char* host,
                   uvsmtp_query_t* q) {
  struct addrinfo hints;
  (void)self;
  memset(&hints, 0, sizeof(hints));
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  q->system.data = q;
  return uv_getaddrinfo(loop, &q->system, on_resolved, host, NULL, &hints);
}

/* Works while it waits for one of libuv's threads. */
static void cancel(uvsmtp_resolver_t* self, uvsmtp_query_t* q) {
  (void)self;
  uv_cancel((uv_req_t*)&q->system);
}

void uvsmtp__resolver_init(uvsmtp_resolver_t* resolver) {
  resolver->size = sizeof(*resolver);
  resolver->resolve = resolve;
  resolver->cancel = cancel;
  resolver->data = NULL;
}
