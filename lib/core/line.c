/* SPDX-License-Identifier: MIT */
/* line.c: writing command lines. */
#include "core/line.h"

#include "core/command.h"

/* In upper case, at least so many digits. */
static void put_digits(uvsmtp__line_t* line, uint64_t n, unsigned int base,
                       int least) {
  char digits[20];
  char* end = digits + sizeof(digits);
  char* at = end;

  for (; n > 0 || at > end - least; n /= base)
    *--at = "0123456789ABCDEF"[n % base];
  uvsmtp__line_put(line, at, (size_t)(end - at));
}

void uvsmtp__line_number(uvsmtp__line_t* line, uint64_t n) {
  put_digits(line, n, 10, 1);
}

/* May this one stand in xtext as it is? */
static int is_xchar(char c) {
  return c >= 33 && c <= 126 && c != '+' && c != '=';
}

void uvsmtp__line_xtext(uvsmtp__line_t* line, const char* text, size_t len) {
  size_t i;

  for (i = 0; i < len; i++) {
    if (is_xchar(text[i])) {
      uvsmtp__line_put(line, text + i, 1);
      continue;
    }
    uvsmtp__line_string(line, "+");
    put_digits(line, (unsigned char)text[i], 16, 2);
  }
}

static unsigned int code_point(const char* text, size_t octets) {
  unsigned int n = (unsigned char)text[0];
  size_t i;

  if (octets > 1) n &= 0x7fu >> octets;
  for (i = 1; i < octets; i++) n = n << 6 | ((unsigned char)text[i] & 0x3fu);
  return n;
}

void uvsmtp__line_unitext(uvsmtp__line_t* line, const char* text, size_t len,
                          int utf8) {
  while (len > 0) {
    size_t n = uvsmtp__utf8_octets(text, len);

    if (n > 1 ? utf8 : is_xchar(*text) && *text != '\\') {
      uvsmtp__line_put(line, text, n);
    } else {
      uvsmtp__line_string(line, "\\x{");
      put_digits(line, code_point(text, n), 16, 2);
      uvsmtp__line_string(line, "}");
    }
    text += n;
    len -= n;
  }
}
