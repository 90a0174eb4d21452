/* SPDX-License-Identifier: MIT */
/* want.c: reads what is expected of results: "status=OK code=250 ...". */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conv.h"

static unsigned int read_omitted(const dialogue_t* d, int line,
                                 const char* value) {
  static const flag_name_t names[] = {{"dsn", UVSMTP_OMITTED_DSN},
                                      {"deliver-by", UVSMTP_OMITTED_DELIVERBY},
                                      {"priority", UVSMTP_OMITTED_PRIORITY},
                                      {"auth", UVSMTP_OMITTED_AUTH},
                                      {NULL, 0}};

  return script_flags(d, line, names, value);
}

static int read_enhanced(const char* value) {
  int a = 0;
  int b = 0;
  int c = 0;

  if (sscanf(value, "%d.%d.%d", &a, &b, &c) != 3) return -1;
  return a * 1000000 + b * 1000 + c;
}

static int read_want_text(want_t* w, const bytes_t* word) {
  const char* v;

  if (script_value(word, "text", &v))
    w->text = keep_text(v, strlen(v));
  else if (script_value(word, "rcpt-text", &v))
    w->rcpt_text = keep_text(v, strlen(v));
  else if (script_value(word, "address", &v) ||
           script_value(word, "sender", &v))
    w->address = keep_text(v, strlen(v));
  else if (script_value(word, "detail", &v))
    w->detail = keep_text(v, strlen(v));
  else
    return 0;
  return 1;
}

static void read_want_word(const dialogue_t* d, int line, want_t* w,
                           const bytes_t* word) {
  const char* v;

  if (script_value(word, "status", &v))
    w->status = script_named(d->file, line, error_number(v), v);
  else if (script_value(word, "cause", &v))
    w->cause = script_named(d->file, line, error_number(v), v);
  else if (script_value(word, "stage", &v))
    w->stage = script_named(d->file, line, state_number(v), v);
  else if (script_value(word, "outcome", &v))
    w->outcome = script_named(d->file, line, outcome_number(v), v);
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
  else if (script_value(word, "total", &v))
    w->total = atoll(v);
  else if (script_value(word, "omitted", &v))
    w->omitted = read_omitted(d, line, v);
  else if (!read_want_text(w, word))
    script_error(d->file, line, "\"%s\"?", word->at);
}

/* A call fails for no deeper reason, and carries no message, unless said. */
void want_read(const dialogue_t* d, int line, want_t* w, char* at,
               int outcome) {
  bytes_t word;

  memset(w, 0, sizeof(*w));
  w->line = line;
  w->status = w->stage = w->code = w->rcpt_code = w->lines = ANY;
  w->enhanced = ANY;
  w->octets = w->total = ANY;
  w->outcome = outcome;
  while (script_word(&at, &word)) read_want_word(d, line, w, &word);
  if (w->status == ANY) script_error(d->file, line, "a result without status");
}
