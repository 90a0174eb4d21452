/* SPDX-License-Identifier: MIT */
/* buf.c: a byte queue with a cap. */
#include "core/buf.h"

#include <errno.h>
#include <string.h>

enum { SMALLEST = 64 };

static void to_front(uvsmtp__buf_t* b) {
  if (b->off == 0) return;
  memmove(b->base, b->base + b->off, b->len);
  b->off = 0;
}

/* At least need octets, by doubling, and never more than max unless there is
 * no other way to hold what is there. */
static size_t next_cap(size_t cap, size_t need, size_t max) {
  size_t n = cap > SIZE_MAX / 2 ? SIZE_MAX : cap * 2;

  if (n < SMALLEST) n = SMALLEST;
  if (n > max) n = max;
  return n < need ? need : n;
}

char* uvsmtp__buf_reserve(const uvsmtp__mem_t* mem, uvsmtp__buf_t* b, size_t n,
                          size_t max) {
  size_t need;
  size_t cap;
  char* base;

  if (b->len > max || n > max - b->len) return NULL;
  need = b->len + n;

  if (b->base != NULL && need <= b->cap - b->off)
    return b->base + b->off + b->len;

  /* Moving the live octets pays when at least as many are dead; doing it for
   * less would cost a move for every few octets. At the cap it is the only
   * way. */
  if (need <= b->cap && (b->off >= b->len || b->cap >= max)) {
    to_front(b);
    return b->base + b->len;
  }

  to_front(b);
  cap = next_cap(b->cap, need, max);
  base = uvsmtp__resize(mem, b->base, b->cap, cap);
  if (base == NULL) return NULL;
  b->base = base;
  b->cap = cap;
  return b->base + b->len;
}

void uvsmtp__buf_commit(uvsmtp__buf_t* b, size_t n) { b->len += n; }

int uvsmtp__buf_append(const uvsmtp__mem_t* mem, uvsmtp__buf_t* b,
                       const void* data, size_t n, size_t max) {
  char* at;

  if (n == 0) return 0;
  if (b->len > max || n > max - b->len) return -ENOBUFS;
  at = uvsmtp__buf_reserve(mem, b, n, max);
  if (at == NULL) return -ENOMEM;
  memcpy(at, data, n);
  uvsmtp__buf_commit(b, n);
  return 0;
}

void uvsmtp__buf_consume(uvsmtp__buf_t* b, size_t n) {
  b->off += n;
  b->len -= n;
  if (b->len == 0) b->off = 0;
}

void uvsmtp__buf_free(const uvsmtp__mem_t* mem, uvsmtp__buf_t* b) {
  uvsmtp__free(mem, b->base, b->cap);
  memset(b, 0, sizeof(*b));
}
