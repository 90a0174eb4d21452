/* SPDX-License-Identifier: MIT */
/* line.h: a command line, or a part of one, under construction, and the
 * encodings of what may not stand in it as it is. */
#ifndef UVSMTP_CORE_LINE_H
#define UVSMTP_CORE_LINE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Where out is NULL, only the length is counted. */
typedef struct uvsmtp__line_s {
  char* out;
  size_t len;
} uvsmtp__line_t;

static inline void uvsmtp__line_put(uvsmtp__line_t* line, const void* data,
                                    size_t len) {
  if (line->out != NULL) memcpy(line->out + line->len, data, len);
  line->len += len;
}

static inline void uvsmtp__line_string(uvsmtp__line_t* line, const char* text) {
  uvsmtp__line_put(line, text, strlen(text));
}

void uvsmtp__line_number(uvsmtp__line_t* line, uint64_t n);

/* Octets as xtext (RFC 3461 4). */
void uvsmtp__line_xtext(uvsmtp__line_t* line, const char* text, size_t len);

/* An address in well-formed UTF-8 as RFC 6533 3 has it in ORCPT:
 * utf-8-addr-xtext, or, where there is SMTPUTF8, utf-8-addr-unitext, which is
 * the address as it is but for what xtext doesn't allow, and for the backslash
 * that begins an escape. */
void uvsmtp__line_unitext(uvsmtp__line_t* line, const char* text, size_t len,
                          int utf8);

#endif
