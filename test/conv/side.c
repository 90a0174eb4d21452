/* SPDX-License-Identifier: MIT */
/* side.c: reads what either side says, and the marks in it. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conv.h"

/* Lines of one side that follow each other are one step. */
static step_t* side_step(reader_t* r, int kind, int early) {
  const dialogue_t* d = r->d;
  step_t* s = d->nsteps > 0 ? &d->steps[d->nsteps - 1] : NULL;

  if (s == NULL || s->kind != kind || early) {
    s = script_step(r, kind);
    s->early = early;
    s->burst = early;
    s->begin = kind == STEP_SAY ? d->say.len : d->hear.len;
  }
  return s;
}

/* "0", "0.1", "0.1..2": whose fates a mark is about, which next_fate gives. */
typedef struct marked_s {
  call_t* call;
  size_t first; /* of the recipients, the next one */
  size_t last;
  int whole; /* the message's own fate, not that of some recipients */
} marked_t;

static marked_t marked(reader_t* r, char** at) {
  marked_t m = {NULL, 0, 0, 1};

  m.call = script_call(r, strtoul(*at, at, 10));
  if (**at != '.') return m;
  ++*at;
  m.whole = 0;
  m.first = script_range(at, &m.last);
  (void)script_rcpt(r, m.call, m.last);
  return m;
}

/* The next one's fate; NULL: that was all. */
static fate_t* next_fate(marked_t* m) {
  if (m->first > m->last) return NULL;
  m->first++;
  return m->whole ? &m->call->fate : &m->call->rcpts[m->first - 1].fate;
}

/* "{0}", "{0.1}": the final reply of a message, of a recipient of it. "{many
 * 0.1}": it is one too many there. */
static void mark_final(reader_t* r, char* mark, size_t at) {
  int many = strncmp(mark, "many ", 5) == 0;
  marked_t m;
  fate_t* f;

  if (many) mark += 5;
  m = marked(r, &mark);
  while ((f = next_fate(&m)) != NULL) {
    if (many)
      f->many_at = at;
    else
      f->final_at = at;
  }
}

/* "* 3 text%d": the line for 0, 1 and 2. "* 1..2 text%d": for 1 and 2. The
 * mark "{0.%d}" is for each of them. */
static void add_many(reader_t* r, char* at, const char* mark, bytes_t* out) {
  long i = 0;
  long n = strtol(at, &at, 10);
  const char* text;
  const char* place;
  char number[24];

  if (at[0] == '.' && at[1] == '.') {
    i = n;
    n = strtol(at + 2, &at, 10) + 1;
  }
  text = *at == ' ' ? at + 1 : at;
  place = strstr(text, "%d");
  if (n <= i) script_error(r->file, r->line, "how many?");
  for (; i < n; i++) {
    if (place == NULL) {
      bytes_add(out, text, strlen(text));
    } else {
      bytes_add(out, text, (size_t)(place - text));
      snprintf(number, sizeof(number), "%ld", i);
      bytes_add(out, number, strlen(number));
      bytes_add(out, place + 2, strlen(place + 2));
    }
    bytes_add(out, "\r\n", 2);
    if (mark == NULL) continue;
    snprintf(number, sizeof(number), "%.*s%ld",
             (int)(strstr(mark, "%d") - mark), mark, i);
    mark_final(r, number, out->len);
  }
}

/* Where the text begins that ends at n: behind the last `command`. */
static size_t text_before(const bytes_t* say, size_t n, const char* command) {
  size_t len = strlen(command);

  while (n > len && memcmp(say->at + n - len, command, len) != 0) n--;
  return n;
}

static void set_doubt(marked_t m, size_t from, size_t at) {
  fate_t* f;

  if (!m.whole) m.call->divided = 1;
  while ((f = next_fate(&m)) != NULL) {
    f->doubt_from = from;
    f->doubt_at = at;
  }
}

/* "{mail 0.2..3}": the transaction of some recipients begins. */
static void mark_begin(reader_t* r, char* mark) {
  marked_t m = marked(r, &mark);
  fate_t* f;

  /* The first one, with which the message is under way. */
  if (m.call->fate.begin_at == NEVER) m.call->fate.begin_at = r->d->hear.len;
  /* Those that the server had too many of are in another one by then. */
  while ((f = next_fate(&m)) != NULL)
    if (f->begin_at == NEVER) f->begin_at = r->d->hear.len;
}

/* "{doubt 0 2}": the doubt begins with the last two octets so far.
 * "{dot 0}", "{last 0}": the end of a message's data. The doubt begins with
 * the first octet of CRLF.CRLF, or with the last one of the last chunk.
 * "{far-dot 0}": with the dot, since the text before it goes by reference, so
 * that its CRLF leaves before anybody knows that it is the last one.
 * "{dot 0.1..2}": of the transaction of some recipients. */
static void mark_doubt(reader_t* r, char* mark) {
  const bytes_t* say = &r->d->say;
  size_t n = say->len;
  size_t from;
  int far = strncmp(mark, "far-", 4) == 0;
  marked_t m;

  if (strncmp(mark, "mail ", 5) == 0) {
    mark_begin(r, mark + 5);
    return;
  }
  if (strncmp(mark, "last ", 5) == 0) {
    mark += 5;
    m = marked(r, &mark);
    set_doubt(m, n, n);
    m.call->text_at = text_before(say, n, " LAST\r\n");
    return;
  }
  if (strncmp(mark, "doubt ", 6) == 0) {
    mark += 6;
    m = marked(r, &mark);
    n -= strtoul(mark, NULL, 10) - 1;
    set_doubt(m, n, n);
    return;
  }
  if (far) mark += 4;
  if (strncmp(mark, "dot ", 4) != 0)
    script_error(r->file, r->line, "mark %s?", mark);
  mark += 4;
  m = marked(r, &mark);
  if (n < 9 || memcmp(say->at + n - 3, ".\r\n", 3) != 0)
    script_error(r->file, r->line, "that is no dot");
  /* Without any text the CRLF is that of the DATA line. */
  from = memcmp(say->at + n - 9, "DATA\r\n", 6) == 0 ? n - 2 : n - 4;
  set_doubt(m, from, far ? n - 2 : from);
  m.call->text_at = text_before(say, n - 3, "DATA\r\n");
}

/* "S+": one read with the last octet of the line before. */
static void begin_one(reader_t* r, step_t* s, size_t from) {
  if (s->kind != STEP_HEAR || from == s->begin)
    script_error(r->file, r->line, "one read with what?");
  if (s->one_to != from) s->one_from = from - 1;
}

/* What stands in <<here>>: "text", or "20:text" with dots behind it up to 20
 * octets. */
static void add_base64(const char* at, const char* end, bytes_t* out) {
  bytes_t raw = {NULL, 0, 0};
  size_t len = strspn(at, "0123456789");

  if (len > 0 && at[len] == ':') {
    size_t most = strtoul(at, NULL, 10);

    script_unescape(at + len + 1, end, &raw);
    while (raw.len < most) bytes_add(&raw, ".", 1);
  } else {
    script_unescape(at, end, &raw);
  }
  base64_add(out, raw.at, raw.len);
}

/* Text, in which <<this>> stands for its base64. */
static void add_text(const reader_t* r, const char* at, bytes_t* out) {
  const char* open;

  while ((open = strstr(at, "<<")) != NULL) {
    const char* close = strstr(open, ">>");

    if (close == NULL) script_error(r->file, r->line, "<< without >>");
    bytes_add(out, at, (size_t)(open - at));
    add_base64(open + 2, close, out);
    at = close + 2;
  }
  bytes_add(out, at, strlen(at));
}

/* What a line says of an exchange: which octets of the client's are secret, and
 * how traces show them. */
static void note_line(reader_t* r, int kind, const char* line) {
  dialogue_t* d = r->d;
  const char* space;

  if (kind == STEP_HEAR) {
    r->challenged = strncmp(line, "334", 3) == 0;
    return;
  }
  if (strncmp(line, "AUTH ", 5) == 0) {
    space = strchr(line + 5, ' ');
    bytes_add(&d->masked, line,
              space == NULL ? strlen(line) : (size_t)(space - line));
    if (space != NULL) {
      bytes_add(&d->masked, " ***", 4);
      secret_wire(d, space + 1, strlen(space + 1));
    }
    bytes_add(&d->masked, "\n", 1);
  } else if (r->challenged) {
    if (strcmp(line, "*") == 0) {
      bytes_add(&d->masked, "*\n", 2);
    } else {
      bytes_add(&d->masked, "***\n", 4);
      secret_wire(d, line, strlen(line));
    }
  }
  r->challenged = 0;
}

/* A line of either side: S: C: S- C- S* C*, with marks. */
void script_side(reader_t* r, char* at) {
  int kind = *at++ == 'C' ? STEP_SAY : STEP_HEAR;
  bytes_t* side = kind == STEP_SAY ? &r->d->say : &r->d->hear;
  char* mark = NULL;
  const char* each = NULL;
  size_t from = side->len;
  int early = 0;
  int burst = 0;
  int one = 0;
  step_t* s;

  if (*at == '!') early = *at++ == '!';
  if (*at == '&') burst = *at++ == '&';
  if (*at == '+') one = *at++ == '+';
  if (*at == '{') {
    mark = at + 1;
    at = strchr(at, '}');
    if (at == NULL) script_error(r->file, r->line, "an open mark");
    *at++ = '\0';
  }
  s = side_step(r, kind, early);
  if (burst) s->burst = r->d->masked_part = 1;
  if (one) begin_one(r, s, from);
  if (*at == ':') {
    add_text(r, at + (at[1] == ' ' ? 2 : 1), side);
    note_line(r, kind, side->at + from);
    bytes_add(side, "\r\n", 2);
  } else if (*at == '-') {
    at += at[1] == ' ' ? 2 : 1;
    script_unescape(at, at + strlen(at), side);
    if (kind == STEP_HEAR) note_line(r, kind, side->at + from);
    if (kind == STEP_SAY) r->d->masked_part = 1;
  } else if (*at == '*') {
    if (mark != NULL && strstr(mark, "%d") != NULL) each = mark;
    add_many(r, at + 1, each, side);
    if (each != NULL) mark = NULL;
  } else {
    script_error(r->file, r->line, "neither : nor - nor *");
  }
  bytes_add(&s->octets, side->at + from, side->len - from);
  s->end = side->len;
  if (one) s->one_to = side->len;
  if (mark == NULL) return;
  if (kind == STEP_HEAR)
    mark_final(r, mark, side->len);
  else
    mark_doubt(r, mark);
}
