/* SPDX-License-Identifier: MIT */
/* exchange.c: what a mechanism sees of its exchange, and how its secrets are
 * kept: in blocks that never move without being wiped. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "core/ascii.h"
#include "core/auth.h"

/* ------------------------------------------------------------------ veils */

static void wipe(const uvsmtp_exchange_t* x, void* p, size_t n) {
  if (n > 0) x->credentials->secrets->wipe(p, n);
}

char* uvsmtp__veil_reserve(const uvsmtp_exchange_t* x, uvsmtp__veil_t* v,
                           size_t n) {
  size_t cap = v->len + n;
  char* base;
  if (cap <= v->cap) return v->base + v->len;
  if (cap < (size_t)v->cap * 2) cap = (size_t)v->cap * 2;
  base = uvsmtp__alloc(&x->mem, cap);
  if (base == NULL) return NULL;
  if (v->len > 0) memcpy(base, v->base, v->len);
  wipe(x, v->base, v->cap);
  uvsmtp__free(&x->mem, v->base, v->cap);
  v->base = base;
  v->cap = (uint32_t)cap;
  return base + v->len;
}

void uvsmtp__veil_drop(const uvsmtp_exchange_t* x, uvsmtp__veil_t* v) {
  wipe(x, v->base, v->cap);
  uvsmtp__free(&x->mem, v->base, v->cap);
  memset(v, 0, sizeof(*v));
}

/* ------------------------------------------------------------------- life */

int uvsmtp__check_mech(const uvsmtp_mech_t* m) {
  size_t n;
  if (m->size < UVSMTP__UP_TO(uvsmtp_mech_t, finish)) return -EINVAL;
  if (m->name == NULL || m->step == NULL) return -EINVAL;
  if (m->flags & ~(unsigned int)(UVSMTP_MECH_CLIENT_FIRST | UVSMTP_MECH_MUTUAL |
                                 UVSMTP_MECH_ANY_CHALLENGE | UVSMTP_MECH_BINDS))
    return -EINVAL;
  for (n = 0; m->name[n] != '\0'; n++) {
    char c = m->name[n];
    int upper = c >= 'A' && c <= 'Z';
    if (!upper && !uvsmtp__is_digit(c) && c != '-' && c != '_') return -EINVAL;
  }
  return n >= 1 && n <= 20 ? 0 : -EINVAL; /* RFC 4422 3.1 */
}

int uvsmtp__check_auth(const uvsmtp_request_t* r) {
  uvsmtp_auth_host_t host;
  if (r->auth_flags & ~UVSMTP__AUTH_FLAGS) return -EINVAL;
  if (r->mech == NULL && (r->auth_flags & UVSMTP_AUTH_FORCE)) return -EINVAL;
  if (r->mech != NULL &&
      (uvsmtp__check_mech(r->mech) != 0 ||
       !r->credentials->secrets->fits(r->credentials, r->mech)))
    return -EINVAL;
  if (r->auth_host == NULL) return 0;
  return uvsmtp__take(&host, sizeof(host), r->auth_host, sizeof(size_t));
}

/* name: octets of the host's, with its NUL. No less than the struct, which is
 * set to zero as a whole. */
static size_t block_size(size_t name) {
  size_t size = offsetof(uvsmtp_exchange_t, host_name) + name;
  return size < sizeof(uvsmtp_exchange_t) ? sizeof(uvsmtp_exchange_t) : size;
}

uvsmtp_exchange_t* uvsmtp__exchange_new(const uvsmtp__mem_t* mem,
                                        const uvsmtp_request_t* r) {
  uvsmtp_auth_host_t host = UVSMTP_AUTH_HOST_INIT;
  uvsmtp_exchange_t* x;
  size_t name;
  if (r->auth_host != NULL)
    (void)uvsmtp__take(&host, sizeof(host), r->auth_host, sizeof(size_t));
  if (host.name == NULL) host.name = "";
  name = strlen(host.name) + 1;
  x = uvsmtp__alloc(mem, block_size(name));
  if (x == NULL) return NULL;
  memset(x, 0, sizeof(*x));
  x->mem = *mem;
  x->credentials = r->credentials;
  x->credentials->refs++;
  x->only = r->mech;
  x->flags = r->auth_flags;
  /* Of the flags of credentials, FORCE is about the mechanisms they name. */
  x->flags |= r->credentials->flags &
              ~(r->mech == NULL ? 0u : (unsigned int)UVSMTP_AUTH_FORCE);
  x->host.wake = host.wake;
  x->host.binding = host.binding;
  x->host.arg = host.arg;
  x->port = host.port;
  memcpy(x->host_name, host.name, name);
  return x;
}

void uvsmtp__exchange_free(uvsmtp_exchange_t* x) {
  uvsmtp_credentials_t* c;
  uvsmtp__mem_t mem;
  if (x == NULL) return;
  uvsmtp__auth_over(x);
  c = x->credentials;
  mem = x->mem;
  uvsmtp__free(&mem, x, block_size(strlen(x->host_name) + 1));
  if (--c->refs == 0) c->secrets->gone(c);
}

/* ------------------------------------------------------- for a mechanism */

uvsmtp_slice_t uvsmtp_exchange_user(const uvsmtp_exchange_t* x) {
  return x->credentials->user;
}

uvsmtp_slice_t uvsmtp_exchange_password(const uvsmtp_exchange_t* x) {
  return x->credentials->password;
}

uvsmtp_slice_t uvsmtp_exchange_authzid(const uvsmtp_exchange_t* x) {
  return x->credentials->authzid;
}

const char* uvsmtp_exchange_host(const uvsmtp_exchange_t* x) {
  return x->host_name;
}

int uvsmtp_exchange_port(const uvsmtp_exchange_t* x) { return x->port; }

int uvsmtp_exchange_offers(const uvsmtp_exchange_t* x, const char* mech) {
  const char* at = x->caps == NULL ? NULL : uvsmtp__caps_find(x->caps, "AUTH");
  size_t len = strlen(mech);
  while (at != NULL && *at != '\0') {
    size_t n = strcspn(at, " \t");
    if (uvsmtp__same(at, n, mech, len)) return 1;
    at += n;
    at += strspn(at, " \t");
  }
  return 0;
}

int uvsmtp_exchange_retries(const uvsmtp_exchange_t* x) { return x->retries; }

int uvsmtp_exchange_binding(const uvsmtp_exchange_t* x, void* buf, size_t len) {
  if (x->host.binding == NULL) return -ENOTSUP;
  return x->host.binding(x->host.arg, buf, len);
}

int uvsmtp_exchange_respond(uvsmtp_exchange_t* x, const void* data,
                            size_t len) {
  char* at;
  if (len > UVSMTP__AUTH_RAW_MAX - x->response.len) return -EMSGSIZE;
  if (len == 0) return 0;
  at = uvsmtp__veil_reserve(x, &x->response, len);
  if (at == NULL) return -ENOMEM;
  memcpy(at, data, len);
  x->response.len += (uint32_t)len;
  return 0;
}

void uvsmtp_exchange_explain(uvsmtp_exchange_t* x, const char* text,
                             size_t len) {
  char* copy;
  if (len > UVSMTP__AUTH_DETAIL_MAX) len = UVSMTP__AUTH_DETAIL_MAX;
  copy = uvsmtp__alloc(&x->mem, len + 1);
  if (copy == NULL) return;
  memcpy(copy, text, len);
  copy[len] = '\0';
  uvsmtp__free(&x->mem, x->detail, x->detail_size);
  x->detail = copy;
  x->detail_size = (uint32_t)(len + 1);
}

void uvsmtp_exchange_wake(uvsmtp_exchange_t* x) {
  x->woken = 1;
  if (!x->waits) return;
  x->waits = 0;
  if (x->host.wake != NULL) x->host.wake(x->host.arg);
}

void* uvsmtp_exchange_data(const uvsmtp_exchange_t* x) { return x->data; }

void uvsmtp_exchange_set_data(uvsmtp_exchange_t* x, void* data) {
  x->data = data;
}
