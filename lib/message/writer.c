/* SPDX-License-Identifier: MIT */
/* writer.c: folded fields, encoded-words, quoted-printable. */
#include "message/writer.h"

#include <string.h>

#include "core/ascii.h"
#include "core/command.h"

enum {
  PLAIN_MAX = 78,   /* RFC 5322 2.1.1 */
  ENCODED_MAX = 76, /* RFC 2047 2, RFC 2045 6.7 (5) */
  WORD_EXTRA = 12   /* =?utf-8?q??= */
};

void uvsmtp__write(uvsmtp__writer_t* w, const char* text, size_t len) {
  if (w->len < w->cap && len > 0) {
    size_t room = w->cap - w->len;
    memcpy(w->buf + w->len, text, len < room ? len : room);
  }
  w->len += len;
  w->column += len;
}

void uvsmtp__write_string(uvsmtp__writer_t* w, const char* text) {
  uvsmtp__write(w, text, strlen(text));
}

void uvsmtp__write_line_end(uvsmtp__writer_t* w) {
  uvsmtp__write(w, "\r\n", 2);
  w->column = w->start = 0;
  w->encoded = 0;
}

void uvsmtp__write_name(uvsmtp__writer_t* w, const char* name) {
  uvsmtp__write_string(w, name);
  uvsmtp__write(w, ":", 1);
  w->start = w->column;
}

void uvsmtp__write_blank(uvsmtp__writer_t* w, size_t n) {
  /* What fits into no line may as well stand behind the field's name. */
  int hopeless = w->column == w->start && n >= PLAIN_MAX;
  size_t most = w->encoded ? ENCODED_MAX : PLAIN_MAX;
  if (w->column + 1 + n > most && !hopeless) uvsmtp__write_line_end(w);
  uvsmtp__write(w, " ", 1);
}

/* ----------------------------------------------------------------- as it is */

/* The blanks that text begins with and the word behind them. */
static size_t word_of(const char* text, size_t len) {
  size_t n = 0;
  while (n < len && uvsmtp__is_blank(text[n])) n++;
  while (n < len && !uvsmtp__is_blank(text[n])) n++;
  return n;
}

int uvsmtp__foldable(const char* text, size_t len, size_t first) {
  size_t i;
  size_t n;
  if (len == 0) return 1;
  if (uvsmtp__is_blank(text[0]) || uvsmtp__is_blank(text[len - 1])) return 0;
  for (i = 0; i < len; i += n) {
    n = word_of(text + i, len - i);
    if ((i == 0 ? first + 1 : 0) + n > PLAIN_MAX) return 0;
  }
  return 1;
}

void uvsmtp__write_words(uvsmtp__writer_t* w, const char* text, size_t len) {
  size_t n = word_of(text, len);
  if (len == 0) return;
  uvsmtp__write_blank(w, n);
  uvsmtp__write(w, text, n);
  for (text += n, len -= n; len > 0; text += n, len -= n) {
    n = word_of(text, len);
    if (w->column + n > PLAIN_MAX) uvsmtp__write_line_end(w);
    uvsmtp__write(w, text, n);
  }
}

/* ------------------------------------------------------------ encoded-words */

static const char hex[] = "0123456789ABCDEF";
static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* An octet as "=XX". */
static void write_escaped(uvsmtp__writer_t* w, char c) {
  char text[3] = {'='};
  text[1] = hex[(unsigned char)c >> 4];
  text[2] = hex[(unsigned char)c & 15];
  uvsmtp__write(w, text, sizeof(text));
}

/* What stands for itself in a word of any place (RFC 2047 5 (3)). */
static int q_safe(char c) {
  return uvsmtp__is_alnum(c) || (c != '\0' && strchr("!*+-/", c) != NULL);
}

static size_t q_octets(const char* text, size_t len) {
  size_t n = 0;
  size_t i;
  for (i = 0; i < len; i++) n += q_safe(text[i]) || text[i] == ' ' ? 1 : 3;
  return n;
}

static size_t b_octets(size_t len) { return (len + 2) / 3 * 4; }

static void write_q(uvsmtp__writer_t* w, const char* text, size_t len) {
  size_t i;
  for (i = 0; i < len; i++) {
    if (text[i] == ' ')
      uvsmtp__write(w, "_", 1);
    else if (q_safe(text[i]))
      uvsmtp__write(w, text + i, 1);
    else
      write_escaped(w, text[i]);
  }
}

static void write_b(uvsmtp__writer_t* w, const char* text, size_t len) {
  size_t i;
  for (i = 0; i < len; i += 3) {
    char out[4] = "===";
    size_t n = len - i < 3 ? len - i : 3;
    unsigned int bits = 0;
    size_t k;
    for (k = 0; k < 3; k++)
      bits = bits << 8 | (k < n ? (unsigned char)text[i + k] : 0u);
    for (k = 0; k < 4; k++)
      out[k] = k <= n ? digits[bits >> (18 - 6 * k) & 63] : '=';
    uvsmtp__write(w, out, 4);
  }
}

/* How much of text, in whole characters, makes a word of at most `room` octets.
 */
static size_t fitting(const char* text, size_t len, size_t room, int b) {
  size_t taken = 0;
  size_t used = WORD_EXTRA;
  while (taken < len) {
    size_t n = uvsmtp__utf8_octets(text + taken, len - taken);
    if (n == 0) n = 1;
    used += b ? 0 : q_octets(text + taken, n);
    if ((b ? WORD_EXTRA + b_octets(taken + n) : used) > room) break;
    taken += n;
  }
  return taken;
}

void uvsmtp__write_encoded(uvsmtp__writer_t* w, const char* text, size_t len) {
  /* For a few octets Q is preferred: people can read it. */
  int b = b_octets(len) + 4 < q_octets(text, len);
  while (len > 0) {
    size_t column = w->column + 1;
    size_t n =
        column < ENCODED_MAX ? fitting(text, len, ENCODED_MAX - column, b) : 0;
    if (n == 0) {
      uvsmtp__write_line_end(w);
      n = fitting(text, len, ENCODED_MAX - 1, b);
    }
    uvsmtp__write_string(w, b ? " =?utf-8?b?" : " =?utf-8?q?");
    if (b)
      write_b(w, text, n);
    else
      write_q(w, text, n);
    uvsmtp__write(w, "?=", 2);
    w->encoded = 1;
    text += n;
    len -= n;
  }
}

/* --------------------------------------------------------------------- text */

/* Has octet i of a line to be written as "=XX"? What a gateway or a mailbox
 * could take for something else, at either end of a line, has (RFC 2045 6.7
 * (3), and RFC 5322's dot and mbox's "From "). */
static int qp_escapes(const char* line, size_t len, size_t i, size_t column) {
  char c = line[i];
  if (c == '=' || (unsigned char)c > 126) return 1;
  if (uvsmtp__is_blank(c)) return i + 1 == len;
  if (column > 0) return 0;
  return c == '.' || (len - i >= 5 && memcmp(line + i, "From ", 5) == 0);
}

static void write_qp(uvsmtp__writer_t* w, const char* line, size_t len) {
  size_t i;
  for (i = 0; i < len; i++) {
    /* Room for the "=" of a soft line break, unless the line is over. */
    size_t most = i + 1 < len ? ENCODED_MAX - 1 : ENCODED_MAX;
    size_t n = qp_escapes(line, len, i, w->column) ? 3 : 1;
    if (w->column + n > most) {
      uvsmtp__write(w, "=", 1);
      uvsmtp__write_line_end(w);
    }
    if (qp_escapes(line, len, i, w->column))
      write_escaped(w, line[i]);
    else
      uvsmtp__write(w, line + i, 1);
  }
}

void uvsmtp__write_text(uvsmtp__writer_t* w, const char* text, int quoted) {
  while (*text != '\0') {
    size_t n = strcspn(text, "\r\n");
    if (quoted)
      write_qp(w, text, n);
    else
      uvsmtp__write(w, text, n);
    uvsmtp__write_line_end(w);
    text += n;
    if (text[0] == '\r' && text[1] == '\n') text++;
    if (*text != '\0') text++;
  }
}
