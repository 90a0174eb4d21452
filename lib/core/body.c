/* SPDX-License-Identifier: MIT */
/* body.c: the encoding of message text. Clean text, that is lines ending with
 * CRLF that need no dot, is found by memchr and passed on by reference in runs
 * as long as possible. */
#include "core/body.h"

#include <errno.h>
#include <string.h>

/* A search goes no further than this at once: text without any LF would
 * otherwise be searched to its end again for each CR that is replaced. */
enum { WINDOW = 4096 };

/* As an octet that begins a line: none does. */
enum { NO_DOT = 256 };

static const char crlf[] = "\r\n";
static const char dots[] = "..";

static void set(uvsmtp_slice_t* piece, const void* base, size_t len) {
  piece->base = base;
  piece->len = len;
}

void uvsmtp__body_init(uvsmtp__body_t* b, unsigned int line_ends, int stuff) {
  b->line_ends = (unsigned char)line_ends;
  b->stuff = stuff && line_ends != UVSMTP_LINES_BINARY;
  b->bol = 1;
  b->cr = 0;
}

/* The end of the clean text that starts at `at`: before a CR or LF that is not
 * part of a CRLF, a CR that is the last octet, or a `dot` that begins a line.
 * *bol is kept up to date but at a CR or LF, whose replacement sets it. */
static const char* clean_end(const char* at, const char* end, int dot,
                             unsigned char* bol) {
  while (at < end) {
    const char* stop = end - at < WINDOW ? end : at + WINDOW;
    const char* lf = memchr(at, '\n', (size_t)(stop - at));
    const char* line = at;
    const char* cr;

    for (; lf != NULL; lf = memchr(line, '\n', (size_t)(stop - line))) {
      cr = memchr(line, '\r', (size_t)(lf - line));
      if (cr == NULL || cr + 1 != lf) {
        return cr == NULL ? lf : cr;
      }
      line = lf + 1;
      if (line == end || *line == dot) {
        *bol = 1;
        return line;
      }
    }

    /* The last line goes beyond the window, or its LF does. */
    cr = memchr(line, '\r', (size_t)(stop - line));
    if (cr == NULL) {
      at = stop;
      *bol = 0;
    } else if (end - cr < 2 || cr[1] != '\n') {
      return cr;
    } else {
      at = cr + 2;
      *bol = 1;
      if (at < end && *at == dot) return at;
    }
  }
  return at;
}

/* in[0] is a CR or LF by itself, or a CR whose next octet is not known. */
static int odd_end(uvsmtp__body_t* b, const char* in, size_t len, size_t* used,
                   uvsmtp_slice_t* piece) {
  int open = *in == '\r' && len == 1;

  if (b->line_ends == UVSMTP_LINES_STRICT) {
    if (!open) return -EINVAL;
    set(piece, in, 1);
  } else {
    set(piece, crlf, 2);
  }
  *used = 1;
  b->cr = (unsigned char)open;
  b->bol = b->line_ends != UVSMTP_LINES_STRICT;
  return 0;
}

int uvsmtp__body_next(uvsmtp__body_t* b, const char* in, size_t len,
                      size_t* used, uvsmtp_slice_t* piece) {
  const char* start = in;
  const char* stop;

  *used = len;
  set(piece, in, len);
  if (len == 0 || b->line_ends == UVSMTP_LINES_BINARY) return 0;

  if (b->cr) {
    b->cr = 0;
    if (*in == '\n' && b->line_ends == UVSMTP_LINES_STRICT) {
      *used = 1;
      set(piece, in, 1);
      b->bol = 1;
      return 0;
    }
    if (b->line_ends == UVSMTP_LINES_STRICT) return -EINVAL;
    /* The CRLF for this LF is already out. */
    if (*in == '\n') start++;
  }

  if (b->bol && b->stuff && start < in + len && *start == '.') {
    *used = (size_t)(start - in) + 1;
    set(piece, dots, 2);
    b->bol = 0;
    return 0;
  }

  stop = clean_end(start, in + len, b->stuff ? '.' : NO_DOT, &b->bol);
  if (stop == in) return odd_end(b, in, len, used, piece);
  *used = (size_t)(stop - in);
  set(piece, start, (size_t)(stop - start));
  return 0;
}

int uvsmtp__body_end(uvsmtp__body_t* b, uvsmtp_slice_t* piece) {
  static const char last[] = "\r\n.\r\n";

  set(piece, last, 0);
  if (b->line_ends == UVSMTP_LINES_BINARY) return 0;
  if (b->line_ends == UVSMTP_LINES_STRICT && !b->bol) return -EINVAL;
  /* From the CRLF, or from the dot on; with or without the dot's line. */
  if (b->bol)
    set(piece, last + 2, b->stuff ? 3 : 0);
  else
    set(piece, last, b->stuff ? 5 : 2);
  return 0;
}

int uvsmtp__body_measure(uvsmtp__body_t* b, const char* in, size_t len,
                         uint64_t* encoded, int* clean) {
  while (len > 0) {
    uvsmtp_slice_t piece;
    size_t used;
    int status = uvsmtp__body_next(b, in, len, &used, &piece);

    if (status != 0) return status;
    *encoded += piece.len;
    if (piece.base != in) *clean = 0;
    in += used;
    len -= used;
  }
  return 0;
}
