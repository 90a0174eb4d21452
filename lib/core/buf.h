/* SPDX-License-Identifier: MIT */
/* buf.h: a byte queue with a cap. Appended at the end, consumed at the front;
 * the octets are contiguous. */
#ifndef UVSMTP_CORE_BUF_H
#define UVSMTP_CORE_BUF_H

#include "core/mem.h"

typedef struct uvsmtp__buf_s {
  char* base; /* NULL when cap is 0 */
  size_t off; /* consumed octets before the first live one */
  size_t len; /* live octets */
  size_t cap;
} uvsmtp__buf_t;

static inline char* uvsmtp__buf_data(const uvsmtp__buf_t* b) {
  return b->base == NULL ? NULL : b->base + b->off;
}

/* Room for n more octets at the end, growing (at least by doubling) to at most
 * max live octets: the place to write them, or NULL: over the cap, or no
 * memory. Follow with uvsmtp__buf_commit. Moves earlier octets. */
char* uvsmtp__buf_reserve(const uvsmtp__mem_t* mem, uvsmtp__buf_t* b, size_t n,
                          size_t max);
void uvsmtp__buf_commit(uvsmtp__buf_t* b, size_t n);

/* 0, -ENOBUFS over max, -ENOMEM. */
int uvsmtp__buf_append(const uvsmtp__mem_t* mem, uvsmtp__buf_t* b,
                       const void* data, size_t n, size_t max);
/* Drops n octets at the front. */
void uvsmtp__buf_consume(uvsmtp__buf_t* b, size_t n);
/* Empties it and gives the memory back. */
void uvsmtp__buf_free(const uvsmtp__mem_t* mem, uvsmtp__buf_t* b);

#endif
