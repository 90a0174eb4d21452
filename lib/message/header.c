/* SPDX-License-Identifier: MIT */
/* header.c: header blocks of RFC 5322. What is a line of one, and what ends it,
 * is as Python's email.feedparser has it, but for obsolete blanks before a
 * colon (RFC 5322 4.5), which it doesn't know. */
#include "message/message.h"

#include <string.h>

#include "core/ascii.h"

/* What a line is by how it begins. */
enum { LINE_END, LINE_FIELD, LINE_FOLDED, LINE_FROM, LINE_NAMELESS };

static int is_line_end(char c) { return c == '\r' || c == '\n'; }

/* ftext of RFC 5322 3.6.8. */
static int is_name(char c) {
  return (unsigned char)c > 32 && (unsigned char)c < 127 && c != ':';
}

/* Up to the colon that it is known by. */
static const char* name_end(const char* at, const char* end) {
  while (at < end && is_name(*at)) at++;
  return at;
}

static int is_from(const char* at, const char* end) {
  return end - at >= 5 && memcmp(at, "From ", 5) == 0;
}

static int line_kind(const char* at, const char* end) {
  const char* p;

  if (at == end) return LINE_END;
  if (uvsmtp__is_blank(*at)) return LINE_FOLDED;
  p = name_end(at, end);
  while (p < end && uvsmtp__is_blank(*p)) p++;
  if (p < end && *p == ':') return p == at ? LINE_NAMELESS : LINE_FIELD;
  return is_from(at, end) ? LINE_FROM : LINE_END;
}

/* The line end, or the end. Not by memchr: looking for the nearest CR and the
 * nearest LF in turn takes quadratic time where there are only lines of the one
 * kind. */
static const char* text_end(const char* at, const char* end) {
  while (at < end && !is_line_end(*at)) at++;
  return at;
}

static const char* next_line(const char* at, const char* end) {
  at = text_end(at, end);
  if (at == end) return at;
  return at[0] == '\r' && end - at > 1 && at[1] == '\n' ? at + 2 : at + 1;
}

static const char* without_line_end(const char* start, const char* stop) {
  if (stop > start && stop[-1] == '\n') stop--;
  if (stop > start && stop[-1] == '\r') stop--;
  return stop;
}

int uvsmtp__field_next(uvsmtp__fields_t* fields, uvsmtp__field_t* field) {
  const char* at = fields->at;
  const char* end = fields->end;
  const char* body = at;
  int kind = line_kind(at, end);

  if (kind == LINE_END) return 0;
  field->start = at;
  field->name.base = at;
  field->name.len = 0;
  if (kind == LINE_FIELD) {
    body = name_end(at, end);
    field->name.len = (size_t)(body - at);
    while (*body != ':') body++;
    body++;
  }

  at = next_line(body, end);
  /* Right before the body a "From " is text of it rather than of a mbox, but
   * for the message's first line. */
  if (kind == LINE_FROM && field->start != fields->base &&
      line_kind(at, end) == LINE_END)
    return 0;
  while (at < end && uvsmtp__is_blank(*at)) at = next_line(at, end);

  field->stop = at;
  field->body.base = body;
  field->body.len = (size_t)(without_line_end(body, at) - body);
  fields->at = at;
  return 1;
}

int uvsmtp__field_is_blind(const uvsmtp__field_t* field) {
  const char* name = field->name.base;
  size_t len = field->name.len;

  return len == 0 || uvsmtp__same(name, len, "Bcc", 3) ||
         uvsmtp__same(name, len, "Resent-Bcc", 10);
}

/* ------------------------------------------------------- piece by piece */

enum { AT_START, AT_NAME, AT_BLANKS, AT_TEXT, AT_LF };

/* The line belongs to the block, and so does one before it that was held. */
static int belongs(uvsmtp__over_t* over) {
  over->held = 0;
  return AT_TEXT;
}

static int over_at_start(uvsmtp__over_t* over, char c) {
  over->line = over->at;
  if (uvsmtp__is_blank(c) || c == ':') return belongs(over);
  return is_name(c) ? AT_NAME : -1;
}

/* No colon and no blank: it is none of the block, unless it is of a mbox. */
static int over_at_other(const char* base, uvsmtp__over_t* over) {
  const char* line = base + over->line;

  if (over->state != AT_BLANKS || !is_from(line, base + over->at)) return -1;
  over->held = over->line;
  return AT_TEXT;
}

static int over_at_name(const char* base, uvsmtp__over_t* over, char c) {
  if (c == ':') return belongs(over);
  if (uvsmtp__is_blank(c)) return AT_BLANKS;
  if (is_name(c) && over->state == AT_NAME) return AT_NAME;
  return over_at_other(base, over);
}

/* What is next behind the octet c; -1: the block is over. */
static int over_step(const char* base, uvsmtp__over_t* over, char c) {
  int state = over->state;

  if (state == AT_LF) {
    if (c == '\n') return AT_START;
    state = AT_START;
  }
  if (state == AT_START) return over_at_start(over, c);
  if (state != AT_TEXT) state = over_at_name(base, over, c);
  if (state == AT_TEXT && is_line_end(c)) return c == '\r' ? AT_LF : AT_START;
  return state;
}

int uvsmtp__header_over(const char* base, const char* end,
                        uvsmtp__over_t* over) {
  size_t len = (size_t)(end - base);

  for (; over->at < len; over->at++) {
    int state;

    /* Most of a header is this. */
    if (over->state == AT_TEXT)
      over->at = (size_t)(text_end(base + over->at, end) - base);
    if (over->at == len) break;
    state = over_step(base, over, base[over->at]);
    if (state < 0) {
      over->at = over->held != 0 ? over->held : over->line;
      return 1;
    }
    over->state = state;
  }
  return 0;
}
