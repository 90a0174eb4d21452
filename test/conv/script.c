/* SPDX-License-Identifier: MIT */
/* script.c: reads scripts, line by line. */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conv.h"

typedef struct reader_s {
  const char* file;
  int line;
  dialogue_t* first;
  dialogue_t* d; /* the one being read */
} reader_t;

static char* skip(char* at) {
  while (*at == ' ' || *at == '\t') at++;
  return at;
}

static step_t* add_step(reader_t* r, int kind) {
  dialogue_t* d = r->d;
  step_t* s;

  d->steps = keep_more(d->steps, d->nsteps, sizeof(*d->steps));
  s = &d->steps[d->nsteps++];
  memset(s, 0, sizeof(*s));
  s->kind = kind;
  s->line = r->line;
  return s;
}

static call_t* call_at(reader_t* r, size_t i) {
  if (i >= r->d->ncalls) script_error(r->file, r->line, "there is no %zu", i);
  return &r->d->calls[i];
}

static rcpt_t* rcpt_at(reader_t* r, call_t* call, size_t i) {
  /* Those of LMTP's own DATA are not in the call. */
  while (call->op != UVSMTP_OP_SEND && i >= call->nrcpts) {
    call->rcpts = keep_more(call->rcpts, call->nrcpts, sizeof(rcpt_t));
    memset(&call->rcpts[call->nrcpts], 0, sizeof(rcpt_t));
    call->rcpts[call->nrcpts++].final_at = NEVER;
  }
  if (i >= call->nrcpts)
    script_error(r->file, r->line, "there is no recipient %zu", i);
  return &call->rcpts[i];
}

/* ------------------------------------------------------- what is said */

/* Lines of one side that follow each other are one step. */
static step_t* side_step(reader_t* r, int kind, int early) {
  const dialogue_t* d = r->d;
  step_t* s = d->nsteps > 0 ? &d->steps[d->nsteps - 1] : NULL;

  if (s == NULL || s->kind != kind || early) {
    s = add_step(r, kind);
    s->early = early;
    s->burst = early;
    s->begin = kind == STEP_SAY ? d->say.len : d->hear.len;
  }
  return s;
}

/* "{0}", "{0.1}": the final reply of a message, of a recipient of it. */
static void mark_final(reader_t* r, const char* mark, size_t at) {
  char* end;
  call_t* call = call_at(r, strtoul(mark, &end, 10));

  if (*end == '.')
    rcpt_at(r, call, strtoul(end + 1, NULL, 10))->final_at = at;
  else
    call->final_at = at;
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

/* "{doubt 0 2}": the doubt begins with the last two octets so far.
 * "{dot 0}", "{last 0}": the end of a message's data. The doubt begins with
 * the first octet of CRLF.CRLF, or with the last one of the last chunk.
 * "{far-dot 0}": with the dot, since the text before it goes by reference, so
 * that its CRLF leaves before anybody knows that it is the last one. */
static void mark_doubt(reader_t* r, const char* mark) {
  const bytes_t* say = &r->d->say;
  size_t n = say->len;
  int far = strncmp(mark, "far-", 4) == 0;
  call_t* call;

  if (strncmp(mark, "last ", 5) == 0) {
    call = call_at(r, strtoul(mark + 5, NULL, 10));
    call->doubt_from = call->doubt_at = n;
    call->text_at = text_before(say, n, " LAST\r\n");
    return;
  }
  if (strncmp(mark, "doubt ", 6) == 0) {
    char* end;
    call = call_at(r, strtoul(mark + 6, &end, 10));
    call->doubt_from = call->doubt_at = n - strtoul(end, NULL, 10) + 1;
    return;
  }
  if (far) mark += 4;
  if (strncmp(mark, "dot ", 4) != 0)
    script_error(r->file, r->line, "mark %s?", mark);
  call = call_at(r, strtoul(mark + 4, NULL, 10));
  if (n < 9 || memcmp(say->at + n - 3, ".\r\n", 3) != 0)
    script_error(r->file, r->line, "that is no dot");
  /* Without any text the CRLF is that of the DATA line. */
  call->doubt_from =
      memcmp(say->at + n - 9, "DATA\r\n", 6) == 0 ? n - 2 : n - 4;
  call->doubt_at = far ? n - 2 : call->doubt_from;
  call->text_at = text_before(say, n - 3, "DATA\r\n");
}

/* "S+": one read with the last octet of the line before. */
static void begin_one(reader_t* r, step_t* s, size_t from) {
  if (s->kind != STEP_HEAR || from == s->begin)
    script_error(r->file, r->line, "one read with what?");
  if (s->one_to != from) s->one_from = from - 1;
}

/* A line of either side: S: C: S- C- S* C*, with marks. */
static void read_side(reader_t* r, char* at) {
  int kind = *at++ == 'C' ? STEP_SAY : STEP_HEAR;
  bytes_t* side = kind == STEP_SAY ? &r->d->say : &r->d->hear;
  const char* mark = NULL;
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
  if (burst) s->burst = 1;
  if (one) begin_one(r, s, from);
  if (*at == ':') {
    at += at[1] == ' ' ? 2 : 1;
    bytes_add(side, at, strlen(at));
    bytes_add(side, "\r\n", 2);
  } else if (*at == '-') {
    at += at[1] == ' ' ? 2 : 1;
    script_unescape(at, at + strlen(at), side);
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

/* --------------------------------------------------- what is expected */

static int named(const reader_t* r, int number, const char* name) {
  if (number == ANY) script_error(r->file, r->line, "%s?", name);
  return number;
}

static int read_enhanced(const char* value) {
  int a = 0;
  int b = 0;
  int c = 0;

  if (sscanf(value, "%d.%d.%d", &a, &b, &c) != 3) return -1;
  return a * 1000000 + b * 1000 + c;
}

static void read_want_word(const reader_t* r, want_t* w, const bytes_t* word) {
  const char* v;

  if (script_value(word, "status", &v))
    w->status = named(r, error_number(v), v);
  else if (script_value(word, "cause", &v))
    w->cause = named(r, error_number(v), v);
  else if (script_value(word, "stage", &v))
    w->stage = named(r, state_number(v), v);
  else if (script_value(word, "outcome", &v))
    w->outcome = named(r, outcome_number(v), v);
  else if (script_value(word, "code", &v))
    w->code = atoi(v);
  else if (script_value(word, "rcpt-code", &v))
    w->rcpt_code = atoi(v);
  else if (script_value(word, "enhanced", &v))
    w->enhanced = read_enhanced(v);
  else if (script_value(word, "lines", &v))
    w->lines = atoi(v);
  else if (script_value(word, "octets", &v))
    w->octets = atoll(v);
  else if (script_value(word, "text", &v)) {
    w->has_text = 1;
    bytes_add(&w->text, v, word->len - (size_t)(v - word->at));
  } else {
    script_error(r->file, r->line, "\"%s\"?", word->at);
  }
}

/* A call fails for no deeper reason, and carries no message, unless said. */
static void read_want(const reader_t* r, want_t* w, char* at, int outcome) {
  bytes_t word;

  memset(w, 0, sizeof(*w));
  w->line = r->line;
  w->status = w->stage = w->code = w->rcpt_code = w->lines = ANY;
  w->enhanced = ANY;
  w->octets = ANY;
  w->outcome = outcome;
  while (script_word(&at, &word)) read_want_word(r, w, &word);
  if (w->status == ANY)
    script_error(r->file, r->line, "a result without status");
}

static void read_result(reader_t* r, char* at) {
  call_t* call = call_at(r, strtoul(at, &at, 10));

  if (*at++ != ':') script_error(r->file, r->line, "result of what?");
  if (call->refusal != 0)
    script_error(r->file, r->line, "the result of a refused call");
  read_want(r, &call->want, at, UVSMTP_OUTCOME_NONE);
}

static void read_rcpt_result(reader_t* r, char* at) {
  call_t* call = call_at(r, strtoul(at, &at, 10));
  size_t i;
  size_t last;

  if (*at++ != '.') script_error(r->file, r->line, "recipient of what?");
  last = i = strtoul(at, &at, 10);
  if (at[0] == '.' && at[1] == '.') last = strtoul(at + 2, &at, 10);
  if (*at++ != ':') script_error(r->file, r->line, "which recipient?");
  for (; i <= last; i++) read_want(r, &rcpt_at(r, call, i)->want, at, ANY);
}

/* ------------------------------------------------------------- lines */

static void read_flags(reader_t* r, char* at) {
  bytes_t word;

  while (script_word(&at, &word)) {
    if (strcmp(word.at, "lmtp") == 0)
      r->d->flags |= UVSMTP_SESSION_LMTP;
    else if (strcmp(word.at, "no-pipelining") == 0)
      r->d->flags |= UVSMTP_SESSION_NO_PIPELINING;
    else if (strcmp(word.at, "no-chunking") == 0)
      r->d->flags |= UVSMTP_SESSION_NO_CHUNKING;
    else
      script_error(r->file, r->line, "flag %s?", word.at);
  }
}

static void read_limits(reader_t* r, char* at) {
  static const char* const names[3] = {"line", "octets", "lines"};
  const char* value;
  bytes_t word;
  int i;

  while (script_word(&at, &word))
    for (i = 0; i < 3; i++)
      if (script_value(&word, names[i], &value))
        r->d->limits[i] = (uint32_t)strtoul(value, NULL, 10);
}

static void read_call(reader_t* r, char* at, int refusal) {
  dialogue_t* d = r->d;
  call_t* call;

  d->calls = keep_more(d->calls, d->ncalls, sizeof(*d->calls));
  call = &d->calls[d->ncalls];
  memset(call, 0, sizeof(*call));
  call_read(call, r->file, r->line, at);
  call->refusal = refusal;
  add_step(r, STEP_CALL)->number = (int)d->ncalls++;
}

static void read_refused(reader_t* r, char* at) {
  bytes_t word;

  if (!script_word(&at, &word)) script_error(r->file, r->line, "refused how?");
  read_call(r, at, named(r, error_number(word.at), word.at));
}

static void read_extn(reader_t* r, char* at) {
  step_t* s = add_step(r, STEP_EXTN);
  bytes_t word;

  if (!script_word(&at, &word)) script_error(r->file, r->line, "extension?");
  s->text = word.at;
  if (script_word(&at, &word) && strcmp(word.at, "none") != 0)
    s->params = word.at;
}

static void read_title(reader_t* r, char* at) {
  dialogue_t* d = keep(sizeof(*d));

  d->file = r->file;
  d->line = r->line;
  d->title = keep_text(at, strlen(at));
  if (r->d == NULL)
    r->first = d;
  else
    r->d->next = d;
  r->d = d;
}

static int is_side(const char* at) {
  return (*at == 'S' || *at == 'C') && strchr(":-*!&+{", at[1]) != NULL;
}

/* Words that begin a line; the rest of it. */
static char* begins(char* at, const char* word) {
  size_t n = strlen(word);

  if (strncmp(at, word, n) != 0) return NULL;
  if (at[n] != '\0' && at[n] != ' ' && word[n - 1] != ':') return NULL;
  return skip(at + n);
}

/* "secure", "secure trust", "no-secure NAME": what is wanted, and its answer.
 */
static int read_handshake(reader_t* r, char* at) {
  char* rest;
  bytes_t word;

  if ((rest = begins(at, "secure")) != NULL) {
    int trust = script_word(&rest, &word);

    if (trust && strcmp(word.at, "trust") != 0)
      script_error(r->file, r->line, "secure %s?", word.at);
    add_step(r, STEP_SECURE)->number =
        UVSMTP_WANTS_TLS | (trust ? UVSMTP_WANTS_TRUST : 0);
  } else if ((rest = begins(at, "no-secure")) != NULL) {
    add_step(r, STEP_NO_TLS)->number = named(r, error_number(rest), rest);
  } else {
    return 0;
  }
  r->d->nshakes++;
  return 1;
}

static int read_event(reader_t* r, char* at) {
  char* rest;

  if (begins(at, "close") != NULL)
    add_step(r, STEP_LOST)->number = error_number("UV_EOF");
  else if ((rest = begins(at, "lost")) != NULL)
    add_step(r, STEP_LOST)->number = named(r, error_number(rest), rest);
  else if ((rest = begins(at, "no-open")) != NULL)
    add_step(r, STEP_OPEN)->number = named(r, error_number(rest), rest);
  else if ((rest = begins(at, "timeout")) != NULL)
    add_step(r, STEP_TIMEOUT)->number = named(r, phase_number(rest), rest);
  else if (begins(at, "cancel") != NULL)
    add_step(r, STEP_CANCEL);
  else if (begins(at, "drop") != NULL)
    add_step(r, STEP_DROP);
  else if (begins(at, "resume") != NULL)
    add_step(r, STEP_RESUME);
  else if (begins(at, "blocked") != NULL)
    add_step(r, STEP_BLOCKED);
  else if ((rest = begins(at, "state")) != NULL)
    add_step(r, STEP_STATE)->number = named(r, state_number(rest), rest);
  else if ((rest = begins(at, "phase")) != NULL)
    add_step(r, STEP_PHASE)->number = named(r, phase_number(rest), rest);
  else
    return 0;
  return 1;
}

static void read_line(reader_t* r, char* at) {
  char* rest;

  if (*at == '#' || *at == '\0') return;
  if ((rest = begins(at, "title:")) != NULL) {
    read_title(r, rest);
    return;
  }
  if (r->d == NULL) script_error(r->file, r->line, "a title comes first");
  if (is_side(at))
    read_side(r, at);
  else if ((rest = begins(at, "flags:")) != NULL)
    read_flags(r, rest);
  else if ((rest = begins(at, "limits:")) != NULL)
    read_limits(r, rest);
  else if ((rest = begins(at, "local-name:")) != NULL)
    r->d->local_name = keep_text(rest, strlen(rest));
  else if ((rest = begins(at, "call")) != NULL)
    read_call(r, rest, 0);
  else if ((rest = begins(at, "refused")) != NULL)
    read_refused(r, rest);
  else if ((rest = begins(at, "result")) != NULL)
    read_result(r, rest);
  else if ((rest = begins(at, "rcpt")) != NULL)
    read_rcpt_result(r, rest);
  else if ((rest = begins(at, "extn")) != NULL)
    read_extn(r, rest);
  else if (!read_handshake(r, at) && !read_event(r, at))
    script_error(r->file, r->line, "\"%s\"?", at);
}

/* What would let a test pass by saying nothing. */
static void check(const dialogue_t* d) {
  size_t i;

  for (; d != NULL; d = d->next) {
    if (d->nsteps == 0) script_error(d->file, d->line, "nothing happens");
    for (i = 0; i < d->ncalls; i++) {
      const call_t* call = &d->calls[i];

      if (call->refusal == 0 && call->want.line == 0)
        script_error(d->file, call->line, "a call without a result");
    }
  }
}

dialogue_t* script_read(const char* path) {
  reader_t r = {path, 0, NULL, NULL};
  FILE* in = fopen(path, "r");
  char* line = NULL;
  size_t cap = 0;
  ssize_t n;

  if (in == NULL) script_error(path, 0, "can't be read");
  while ((n = getline(&line, &cap, in)) > 0) {
    r.line++;
    if (line[n - 1] == '\n') line[n - 1] = '\0';
    read_line(&r, line);
  }
  free(line);
  fclose(in);
  if (r.first == NULL) script_error(path, 0, "no dialogue");
  check(r.first);
  return r.first;
}
