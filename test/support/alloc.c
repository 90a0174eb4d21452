/* SPDX-License-Identifier: MIT */
/* alloc.c: the allocator of the tests. */
#include "alloc.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRESH = 0xa5, FREED = 0x5a, MAGIC = 0x75767374 };

/* In front of each block, as large as malloc's alignment. */
typedef union header_u {
  struct {
    size_t size;
    uint32_t magic;
  } is;
  max_align_t align;
} header_t;

static void die(const char* why, size_t a, size_t b) {
  fprintf(stderr, "test allocator: %s (%zu, %zu)\n", why, a, b);
  abort();
}

static header_t* header_of(void* ptr, size_t size) {
  header_t* h = (header_t*)ptr - 1;

  if (h->is.magic != MAGIC) die("not a block", 0, 0);
  if (h->is.size != size) die("wrong old size", h->is.size, size);
  return h;
}

static void give_back(test_alloc_t* a, header_t* h) {
  size_t size = h->is.size;

  if (a->blocks == 0 || a->octets < size) die("freed twice", a->blocks, size);
  a->blocks--;
  a->octets -= size;
  memset(h, FREED, sizeof(*h) + size);
  free(h);
}

void* test_alloc(void* data, void* ptr, size_t old_size, size_t new_size) {
  test_alloc_t* a = data;
  header_t* old = NULL;
  header_t* h;

  if (ptr != NULL) old = header_of(ptr, old_size);
  if (ptr == NULL && old_size != 0) die("size of nothing", old_size, 0);
  if (new_size == 0) {
    if (old != NULL) give_back(a, old);
    return NULL;
  }

  a->requests++;
  if (a->fail_at != 0 &&
      (a->requests == a->fail_at || (a->fail_on && a->requests > a->fail_at))) {
    a->failed++;
    return NULL;
  }
  h = malloc(sizeof(*h) + new_size);
  if (h == NULL) die("out of memory", new_size, 0);
  h->is.size = new_size;
  h->is.magic = MAGIC;
  memset(h + 1, FRESH, new_size);
  a->blocks++;
  a->octets += new_size;
  if (a->octets > a->peak) a->peak = a->octets;
  if (old != NULL) {
    memcpy(h + 1, ptr, old_size < new_size ? old_size : new_size);
    give_back(a, old);
  }
  return h + 1;
}
