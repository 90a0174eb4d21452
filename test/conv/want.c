/* SPDX-License-Identifier: MIT */
/* want.c: reads what is expected of results: "status=OK code=250 ...". */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conv.h"

typedef struct reading_s {
  const char* file;
  int line;
} reading_t;

static int read_enhanced(const char* value) {
  int a = 0;
  int b = 0;
  int c = 0;

  if (sscanf(value, "%d.%d.%d", &a, &b, &c) != 3) return -1;
  return a * 1000000 + b * 1000 + c;
}

static void read_want_word(const reading_t* r, want_t* w, const bytes_t* word) {
  const char* v;

  if (script_value(word, "status", &v))
    w->status = script_named(r->file, r->line, error_number(v), v);
  else if (script_value(word, "cause", &v))
    w->cause = script_named(r->file, r->line, error_number(v), v);
  else if (script_value(word, "stage", &v))
    w->stage = script_named(r->file, r->line, state_number(v), v);
  else if (script_value(word, "outcome", &v))
    w->outcome = script_named(r->file, r->line, outcome_number(v), v);
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
  } else if (script_value(word, "detail", &v)) {
    w->detail = keep_text(v, strlen(v));
  } else {
    script_error(r->file, r->line, "\"%s\"?", word->at);
  }
}

/* A call fails for no deeper reason, and carries no message, unless said. */
void want_read(const dialogue_t* d, int line, want_t* w, char* at,
               int outcome) {
  reading_t r;
  bytes_t word;

  r.file = d->file;
  r.line = line;
  memset(w, 0, sizeof(*w));
  w->line = line;
  w->status = w->stage = w->code = w->rcpt_code = w->lines = ANY;
  w->enhanced = ANY;
  w->octets = ANY;
  w->outcome = outcome;
  while (script_word(&at, &word)) read_want_word(&r, w, &word);
  if (w->status == ANY) script_error(r.file, line, "a result without status");
}
