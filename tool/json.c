/* SPDX-License-Identifier: MIT */
/* json.c: text that a stranger wrote, made fit for JSON and for terminals. */
#include <stdlib.h>
#include <string.h>

#include "tool.h"

/* Octets of the well-formed UTF-8 sequence at s (RFC 3629 4), 0 if none. */
static size_t sequence(const unsigned char* s, size_t len) {
  size_t n = s[0] < 0x80                    ? 1
             : s[0] >= 0xC2 && s[0] <= 0xDF ? 2
             : (s[0] & 0xF0) == 0xE0        ? 3
             : s[0] >= 0xF0 && s[0] <= 0xF4 ? 4
                                            : 0;
  size_t i;
  if (n == 0 || n > len) return 0;
  for (i = 1; i < n; i++)
    if ((s[i] & 0xC0) != 0x80) return 0;
  if (s[0] == 0xE0 && s[1] < 0xA0) return 0; /* over-long */
  if (s[0] == 0xED && s[1] > 0x9F) return 0; /* a surrogate */
  if (s[0] == 0xF0 && s[1] < 0x90) return 0;
  if (s[0] == 0xF4 && s[1] > 0x8F) return 0;
  return n;
}

/* What jansson escapes, asked for ASCII, is everything that a terminal might
 * take for more than a character, but for DEL: that becomes U+FFFD here. */
json_t* text_json(const char* text, size_t len) {
  char* copy = malloc(len * 3 + 1);
  size_t at = 0;
  size_t i = 0;
  json_t* out;
  if (copy == NULL) return NULL;
  while (i < len) {
    size_t n = sequence((const unsigned char*)text + i, len - i);
    if (n == 0 || text[i] == 0x7F) {
      memcpy(copy + at, "\xEF\xBF\xBD", 3);
      at += 3;
      i++;
    } else {
      memcpy(copy + at, text + i, n);
      at += n;
      i += n;
    }
  }
  out = json_stringn(copy, at);
  free(copy);
  return out;
}

void json_print(const json_t* json) {
  if (json != NULL)
    json_dumpf(json, stdout,
               JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9));
  fputc('\n', stdout);
}

void text_print(FILE* to, const char* text, size_t len) {
  size_t i;
  for (i = 0; i < len; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c == '\n')
      fputs(" / ", to);
    else if (c < 32 || c > 126)
      fprintf(to, "\\x%02X", c);
    else
      fputc(c, to);
  }
}
