/* SPDX-License-Identifier: MIT */
/* alloc.h: the allocator of the tests. It counts what is in use, ends the
 * program when a size it is told is not the one it was asked for, fills fresh
 * and freed octets so that nobody can live on what they happen to hold, moves
 * every block that is resized, can refuse the n-th request, and tells whether
 * a secret was left in a block that is given back. */
#ifndef TEST_SUPPORT_ALLOC_H
#define TEST_SUPPORT_ALLOC_H

#include <stddef.h>

typedef struct test_alloc_s {
  size_t blocks;              /* in use */
  size_t octets;              /* in use */
  size_t peak;                /* the most octets ever in use */
  size_t requests;            /* allocations and resizes asked for so far */
  size_t fail_at;             /* the request to refuse, from 1; 0: none */
  int fail_on;                /* refuse all requests after that one too */
  size_t failed;              /* requests refused */
  const char* const* secrets; /* NULL, or texts up to a NULL */
  void* live;                 /* of the allocator */
  size_t leaks; /* blocks given back with one of them inside, as it is or in
                   Base64 */
} test_alloc_t;

/* A uvsmtp_alloc_cb; data is a zeroed test_alloc_t. */
void* test_alloc(void* data, void* ptr, size_t old_size, size_t new_size);

/* How many blocks in use have one of the secrets inside. */
size_t test_alloc_holding(const test_alloc_t* alloc);

/* 1 when the block holds the text, as it is or in Base64, wherever it began in
 * what was encoded. At least 6 octets of text. */
int test_holds(const void* block, size_t size, const char* text);

#endif
