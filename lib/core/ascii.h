/* SPDX-License-Identifier: MIT */
/* ascii.h: letters and digits as the protocol knows them. <ctype.h> would ask
 * the process's locale. */
#ifndef UVSMTP_CORE_ASCII_H
#define UVSMTP_CORE_ASCII_H

#include <stddef.h>

static inline char uvsmtp__lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline int uvsmtp__is_digit(char c) { return c >= '0' && c <= '9'; }

static inline int uvsmtp__is_alnum(char c) {
  return uvsmtp__is_digit(c) ||
         (uvsmtp__lower(c) >= 'a' && uvsmtp__lower(c) <= 'z');
}

static inline int uvsmtp__is_blank(char c) { return c == ' ' || c == '\t'; }

/* 1 when both are the same but for the case of letters. */
static inline int uvsmtp__same(const char* a, size_t alen, const char* b,
                               size_t blen) {
  size_t i;

  if (alen != blen) return 0;
  for (i = 0; i < alen; i++)
    if (uvsmtp__lower(a[i]) != uvsmtp__lower(b[i])) return 0;
  return 1;
}

#endif
