/* SPDX-License-Identifier: MIT */
/* needle.c: see needle.h. */
#include "needle.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* PIECE octets are no accident. */
enum { VEIL = 0xa7, PIECE = 12, RANGES = 512 };

/* No octet of it occurs twice. */
static unsigned char at(size_t i) {
  static const char alphabet[] =
      "pw-.kQ7vZb2Xm9RtJ4LhYs0dGfNcUe3Ta5SiHoBxVjqMyEKrnWAuDFg1z8P6";
  return (unsigned char)alphabet[i];
}

void secret_put(char secret[SECRET_LEN + 1]) {
  size_t i;
  for (i = 0; i < SECRET_LEN; i++) secret[i] = (char)at(i);
  secret[SECRET_LEN] = '\0';
}

/* Not left out by a compiler that sees nobody look at it. */
void secret_wipe(void* p, size_t n) {
  volatile unsigned char* octets = p;
  while (n-- > 0) octets[n] = 0;
}

/* ------------------------------------------------------------------ needles */

static void add(needle_t* n, unsigned int octet) {
  if (n->len >= sizeof(n->veiled)) abort();
  n->veiled[n->len++] = (unsigned char)(octet ^ VEIL);
}

/* Base64 of the secret behind `before` octets: the digits that it alone
 * decides. */
static void add_base64(needle_t* n, size_t before) {
  static const char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t bit = (before * 8 + 5) / 6 * 6;
  size_t end = (before + SECRET_LEN) * 8;
  for (; bit + 6 <= end; bit += 6) {
    size_t i = bit / 8 - before;
    unsigned int two = (unsigned int)at(i) << 8;
    if (i + 1 < SECRET_LEN) two |= at(i + 1);
    add(n, (unsigned char)digits[(two >> (10 - bit % 8)) & 63]);
  }
}

static void add_hex(needle_t* n, const char* digits) {
  size_t i;
  for (i = 0; i < SECRET_LEN; i++) {
    add(n, (unsigned char)digits[at(i) >> 4]);
    add(n, (unsigned char)digits[at(i) & 15]);
  }
}

void needle_form(needle_t* n, int form) {
  static const char* const names[NEEDLE_FORMS] = {
      "the secret",
      "its base64",
      "its base64 behind one octet",
      "its base64 behind two octets",
      "its hexadecimal digits",
      "its hexadecimal digits in capitals",
      "the inner key of HMAC",
      "the outer key of HMAC"};
  size_t i;
  memset(n, 0, sizeof(*n));
  n->name = names[form];
  switch (form) {
    case NEEDLE_BASE64_0:
    case NEEDLE_BASE64_1:
    case NEEDLE_BASE64_2:
      add_base64(n, (size_t)(form - NEEDLE_BASE64_0));
      return;
    case NEEDLE_HEX:
      add_hex(n, "0123456789abcdef");
      return;
    case NEEDLE_HEX_UPPER:
      add_hex(n, "0123456789ABCDEF");
      return;
  }
  for (i = 0; i < SECRET_LEN; i++) {
    add(n, form == NEEDLE_RAW     ? at(i)
           : form == NEEDLE_INNER ? at(i) ^ 0x36u
                                  : at(i) ^ 0x5cu);
  }
}

void needle_of(needle_t* n, const char* name, const void* data, size_t len) {
  const unsigned char* octets = data;
  size_t i;
  memset(n, 0, sizeof(*n));
  n->name = name;
  for (i = 0; i < len; i++) add(n, octets[i]);
}

/* ---------------------------------------------------------------- searching */

static int is_here(const unsigned char* hay, const unsigned char* veiled) {
  size_t i;
  for (i = 0; i < PIECE; i++) {
    if ((hay[i] ^ VEIL) != veiled[i]) return 0;
  }
  return 1;
}

static size_t count(const unsigned char* piece, const unsigned char* hay,
                    size_t len) {
  const unsigned char* p = hay;
  size_t found = 0;
  while (len - (size_t)(p - hay) >= PIECE) {
    p = memchr(p, piece[0] ^ VEIL, len - PIECE + 1 - (size_t)(p - hay));
    if (p == NULL) break;
    found += (size_t)is_here(p, piece);
    p++;
  }
  return found;
}

/* All pieces of a needle; the last one may overlap the one before. */
static size_t count_all(const needle_t* n, const unsigned char* hay,
                        size_t len) {
  size_t found = 0;
  size_t i;
  for (i = 0; i + PIECE <= n->len; i += PIECE) {
    found += count(n->veiled + i, hay, len);
  }
  if (n->len % PIECE != 0 && n->len > PIECE) {
    found += count(n->veiled + n->len - PIECE, hay, len);
  }
  return found;
}

size_t needle_in_text(const needle_t* n, const char* text, size_t len) {
  return count_all(n, (const unsigned char*)text, len);
}

typedef struct range_s {
  uintptr_t from;
  uintptr_t to;
} range_t;

/* What can be read and written. The list is made before anything is looked at,
 * since to make it moves the heap's end. */
static size_t ranges(range_t* list) {
  FILE* maps = fopen("/proc/self/maps", "r");
  char line[512];
  char may[8];
  size_t n = 0;
  if (maps == NULL) abort();
  while (fgets(line, sizeof(line), maps) != NULL) {
    unsigned long from;
    unsigned long to;
    if (sscanf(line, "%lx-%lx %7s", &from, &to, may) != 3) abort();
    if (may[0] != 'r' || may[1] != 'w') continue;
    if (n == RANGES) abort();
    list[n].from = from;
    list[n].to = to;
    n++;
  }
  fclose(maps);
  return n;
}

static size_t search(const needle_t* n, int copies) {
  static range_t list[RANGES];
  size_t all = ranges(list);
  size_t found = 0;
  size_t i;
  if (NEEDLE_SANITIZED) return 0;
  for (i = 0; i < all; i++) {
    const unsigned char* from = (const unsigned char*)list[i].from;
    size_t len = list[i].to - list[i].from;
    found += copies ? count(n->veiled + n->len - PIECE, from, len)
                    : count_all(n, from, len);
  }
  return found;
}

size_t needle_in_memory(const needle_t* n) { return search(n, 0); }

size_t needle_copies(const needle_t* n) { return search(n, 1); }
