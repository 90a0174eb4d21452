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
    union header_u* next; /* of those in use */
    union header_u* prev;
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

static int found(const char* in, size_t n, const char* what, size_t len) {
  size_t i;
  for (i = 0; i + len <= n; i++)
    if (memcmp(in + i, what, len) == 0) return 1;
  return 0;
}

/* The characters of Base64 that depend on nothing but the text, when `before`
 * octets came before it in a group of three; how many. */
static size_t encode(char* out, const char* text, size_t len, size_t before) {
  static const char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t bits = 0;
  size_t n = 0;
  unsigned int held = 0;
  size_t i;
  /* The first digit that begins in the text. */
  size_t skip = before == 0 ? 0 : 6 - before * 8 % 6;
  for (i = 0; i < len; i++) {
    held = held << 8 | (unsigned char)text[i];
    bits += 8;
    if (i == 0) bits -= skip;
    while (bits >= 6) {
      bits -= 6;
      out[n++] = digits[held >> bits & 63];
    }
  }
  return n;
}

int test_holds(const void* block, size_t size, const char* text) {
  char encoded[256];
  size_t len = strlen(text);
  size_t before;
  if (len < 6 || len * 4 / 3 + 4 > sizeof(encoded)) die("secret", len, 0);
  if (found(block, size, text, len)) return 1;
  for (before = 0; before < 3; before++)
    if (found(block, size, encoded, encode(encoded, text, len, before)))
      return 1;
  return 0;
}

static int holds_secret(const test_alloc_t* a, const header_t* h) {
  size_t i;
  for (i = 0; a->secrets != NULL && a->secrets[i] != NULL; i++)
    if (test_holds(h + 1, h->is.size, a->secrets[i])) return 1;
  return 0;
}

size_t test_alloc_holding(const test_alloc_t* a) {
  const header_t* h;
  size_t n = 0;
  for (h = a->live; h != NULL; h = h->is.next) n += holds_secret(a, h) != 0;
  return n;
}

static void take(test_alloc_t* a, header_t* h) {
  h->is.next = a->live;
  h->is.prev = NULL;
  if (h->is.next != NULL) h->is.next->is.prev = h;
  a->live = h;
}

static void give_back(test_alloc_t* a, header_t* h) {
  size_t size = h->is.size;

  if (holds_secret(a, h)) a->leaks++;
  if (h->is.next != NULL) h->is.next->is.prev = h->is.prev;
  if (h->is.prev != NULL)
    h->is.prev->is.next = h->is.next;
  else
    a->live = h->is.next;

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
  take(a, h);
  a->blocks++;
  a->octets += new_size;
  if (a->octets > a->peak) a->peak = a->octets;
  if (old != NULL) {
    memcpy(h + 1, ptr, old_size < new_size ? old_size : new_size);
    give_back(a, old);
  }
  return h + 1;
}
