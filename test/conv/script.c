/* SPDX-License-Identifier: MIT */
/* script.c: reads scripts, line by line. */
#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conv.h"

static char* skip(char* at) {
  while (*at == ' ' || *at == '\t') at++;
  return at;
}

step_t* script_step(reader_t* r, int kind) {
  dialogue_t* d = r->d;
  step_t* s;

  d->steps = keep_more(d->steps, d->nsteps, sizeof(*d->steps));
  s = &d->steps[d->nsteps++];
  memset(s, 0, sizeof(*s));
  s->kind = kind;
  s->line = r->line;
  return s;
}

call_t* script_call(reader_t* r, size_t i) {
  if (i >= r->d->ncalls) script_error(r->file, r->line, "there is no %zu", i);
  return &r->d->calls[i];
}

rcpt_t* script_rcpt(reader_t* r, call_t* call, size_t i) {
  /* Those of LMTP's own DATA are not in the call. */
  while (call->op != UVSMTP_OP_SEND && i >= call->nrcpts)
    (void)call_rcpt(call, NULL);

  if (i >= call->nrcpts)
    script_error(r->file, r->line, "there is no recipient %zu", i);
  return &call->rcpts[i];
}

size_t script_range(char** at, size_t* last) {
  size_t first = strtoul(*at, at, 10);

  *last = first;
  if ((*at)[0] == '.' && (*at)[1] == '.') *last = strtoul(*at + 2, at, 10);
  return first;
}

/* --------------------------------------------------- what is expected */

static int named(const reader_t* r, int number, const char* name) {
  return script_named(r->file, r->line, number, name);
}

static void read_result(reader_t* r, char* at) {
  call_t* call = script_call(r, strtoul(at, &at, 10));

  if (*at++ != ':') script_error(r->file, r->line, "result of what?");
  if (call->refusal != 0)
    script_error(r->file, r->line, "the result of a refused call");
  want_read(r->d, r->line, &call->want, at, UVSMTP_OUTCOME_NONE);
}

static void read_rcpt_result(reader_t* r, char* at) {
  call_t* call = script_call(r, strtoul(at, &at, 10));
  size_t i;
  size_t last;

  if (*at++ != '.') script_error(r->file, r->line, "recipient of what?");
  i = script_range(&at, &last);
  if (*at++ != ':') script_error(r->file, r->line, "which recipient?");
  for (; i <= last; i++)
    want_read(r->d, r->line, &script_rcpt(r, call, i)->want, at, ANY);
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
  call_read(d, call, r->line, at);
  call->refusal = refusal;
  script_step(r, STEP_CALL)->number = (int)d->ncalls++;
}

static void read_refused(reader_t* r, char* at) {
  bytes_t word;

  if (!script_word(&at, &word)) script_error(r->file, r->line, "refused how?");
  read_call(r, at, named(r, error_number(word.at), word.at));
}

static void read_extn(reader_t* r, char* at) {
  step_t* s = script_step(r, STEP_EXTN);
  bytes_t word;

  if (!script_word(&at, &word)) script_error(r->file, r->line, "extension?");
  s->text = word.at;
  if (script_word(&at, &word) && strcmp(word.at, "none") != 0)
    s->params = word.at;
}

/* "to-ascii: none", "to-ascii: UV_ENOTSUP": no hook, or one that fails so. */
static void read_ascii(reader_t* r, const char* name) {
  r->d->no_ascii =
      strcmp(name, "none") == 0 ? ANY : named(r, error_number(name), name);
}

static void read_title(reader_t* r, char* at) {
  dialogue_t* d = keep(sizeof(*d));

  d->file = r->file;
  d->line = r->line;
  d->title = keep_text(at, strlen(at));
  r->challenged = 0;
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

/* "secure", "secure waived", "secure trusted"; with "secure trust" and "secure
 * trust proven" the engine must want it: what is wanted, and its answer. */
static void read_secure(reader_t* r, char* at) {
  step_t* s = script_step(r, STEP_SECURE);
  bytes_t word;

  s->number = UVSMTP_WANTS_TLS;
  s->proof = UVSMTP_PROOF_NONE;
  if (!script_word(&at, &word) || strcmp(word.at, "untrusted") == 0) return;
  s->proof = UVSMTP_PROOF_GIVEN;
  if (strcmp(word.at, "trusted") == 0) return;
  s->proof = UVSMTP_PROOF_WAIVED;
  if (strcmp(word.at, "waived") == 0) return;
  if (strcmp(word.at, "trust") != 0)
    script_error(r->file, r->line, "secure %s?", word.at);
  s->number |= UVSMTP_WANTS_TRUST;
  if (script_word(&at, &word) && strcmp(word.at, "proven") == 0)
    s->proof = UVSMTP_PROOF_GIVEN;
}

/* "token TEXT", "fresh-token TEXT", "bad-token TEXT", "token-error NAME"; and
 * "late-token TEXT", when nobody waits for it any more. */
static int read_token(reader_t* r, char* at) {
  static const char* const words[] = {"token", "fresh-token", "bad-token",
                                      "late-token", "token-error"};
  char* rest = NULL;
  step_t* s;
  bytes_t word;
  int i;

  for (i = 0; i < 5 && rest == NULL; i++) rest = begins(at, words[i]);
  if (rest == NULL) return 0;
  s = script_step(r, STEP_TOKEN);
  if (!script_word(&rest, &word)) script_error(r->file, r->line, "token?");
  s->late = i == 4;
  if (!s->late) r->d->nshakes++;
  if (i == 5) {
    s->number = named(r, error_number(word.at), word.at);
    return 1;
  }
  s->fresh = i == 2;
  s->refused = i == 3 ? error_number("UV_EINVAL") : 0;
  s->octets = word;
  secret_add(r->d, &word);
  return 1;
}

/* What ends a wait of the engine's that is neither for the server nor for the
 * transport. */
static int read_wait(reader_t* r, char* at) {
  char* rest;

  if ((rest = begins(at, "secure")) != NULL)
    read_secure(r, rest);
  else if ((rest = begins(at, "no-secure")) != NULL)
    script_step(r, STEP_NO_TLS)->number = named(r, error_number(rest), rest);
  else if (begins(at, "wake") != NULL)
    script_step(r, STEP_WAKE);
  else
    return read_token(r, at);
  r->d->nshakes++;
  return 1;
}

static int read_event(reader_t* r, char* at) {
  char* rest;

  if (begins(at, "close") != NULL)
    script_step(r, STEP_LOST)->number = error_number("UV_EOF");
  else if ((rest = begins(at, "lost")) != NULL)
    script_step(r, STEP_LOST)->number = named(r, error_number(rest), rest);
  else if ((rest = begins(at, "no-open")) != NULL)
    script_step(r, STEP_OPEN)->number = named(r, error_number(rest), rest);
  else if ((rest = begins(at, "timeout")) != NULL)
    script_step(r, STEP_TIMEOUT)->number = named(r, phase_number(rest), rest);
  else if ((rest = begins(at, "overdue")) != NULL)
    script_step(r, STEP_OVERDUE)->number = atoi(rest);
  else if (begins(at, "cancel") != NULL)
    script_step(r, STEP_CANCEL);
  else if (begins(at, "drop") != NULL)
    script_step(r, STEP_DROP);
  else if (begins(at, "resume") != NULL)
    script_step(r, STEP_RESUME);
  else if (begins(at, "blocked") != NULL)
    script_step(r, STEP_BLOCKED);
  else if ((rest = begins(at, "state")) != NULL)
    script_step(r, STEP_STATE)->number = named(r, state_number(rest), rest);
  else if ((rest = begins(at, "phase")) != NULL)
    script_step(r, STEP_PHASE)->number = named(r, phase_number(rest), rest);
  else if ((rest = begins(at, "auth")) != NULL)
    script_step(r, STEP_AUTH)->text =
        strcmp(rest, "none") == 0 ? NULL : keep_text(rest, strlen(rest));
  else
    return 0;
  return 1;
}

static int read_setting(reader_t* r, char* at) {
  char* rest;

  if ((rest = begins(at, "flags:")) != NULL)
    read_flags(r, rest);
  else if ((rest = begins(at, "limits:")) != NULL)
    read_limits(r, rest);
  else if ((rest = begins(at, "local-name:")) != NULL)
    r->d->local_name = keep_text(rest, strlen(rest));
  else if ((rest = begins(at, "to-ascii:")) != NULL)
    read_ascii(r, rest);
  else
    return 0;
  return 1;
}

static int read_call_line(reader_t* r, char* at) {
  char* rest;

  if ((rest = begins(at, "call")) != NULL)
    read_call(r, rest, 0);
  else if ((rest = begins(at, "refused")) != NULL)
    read_refused(r, rest);
  else if ((rest = begins(at, "result")) != NULL)
    read_result(r, rest);
  else if ((rest = begins(at, "rcpt")) != NULL)
    read_rcpt_result(r, rest);
  else if ((rest = begins(at, "extn")) != NULL)
    read_extn(r, rest);
  else
    return 0;
  return 1;
}

static void read_line(reader_t* r, char* at);

/* "as NAME TITLE": the dialogue of that title, above in the file, begins this
 * one: up to its line "mark NAME". */
static void read_as(reader_t* r, char* at) {
  size_t title = 0;
  size_t mark = 0;
  size_t n = r->lines.n - 1;
  bytes_t name;
  size_t i;

  if (!script_word(&at, &name)) script_error(r->file, r->line, "as what?");
  at = skip(at);
  for (i = 0; i < n && mark == 0; i++) {
    const char* line = r->lines.list[i];

    if (strncmp(line, "title: ", 7) == 0)
      title = strcmp(line + 7, at) == 0 ? i + 1 : 0;
    else if (title > 0 && strncmp(line, "mark ", 5) == 0 &&
             strcmp(line + 5, name.at) == 0)
      mark = i;
  }
  if (mark == 0) script_error(r->file, r->line, "no %s in %s", name.at, at);
  for (i = title; i < mark; i++) {
    const char* line = r->lines.list[i];

    read_line(r, keep_text(line, strlen(line)));
  }
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
    script_side(r, at);
  else if ((rest = begins(at, "as")) != NULL)
    read_as(r, rest);
  else if (begins(at, "mark") == NULL && !read_setting(r, at) &&
           !read_call_line(r, at) && !read_wait(r, at) && !read_event(r, at))
    script_error(r->file, r->line, "\"%s\"?", at);
}

/* What would let a test pass by saying nothing. */
static void check(dialogue_t* d) {
  size_t i;

  for (; d != NULL; d = d->next) {
    d->kept = keep((d->ncreds + 1) * sizeof(*d->kept));
    if (d->nsteps == 0) script_error(d->file, d->line, "nothing happens");
    for (i = 0; i < d->ncalls; i++) {
      const call_t* call = &d->calls[i];

      if (call->refusal == 0 && call->want.line == 0)
        script_error(d->file, call->line, "a call without a result");
    }
  }
}

dialogue_t* script_read(const char* path) {
  reader_t r = {path, 0, {NULL, 0}, NULL, NULL, 0};
  FILE* in = fopen(path, "r");
  char* line = NULL;
  size_t cap = 0;
  ssize_t n;

  if (in == NULL) script_error(path, 0, "can't be read");
  while ((n = getline(&line, &cap, in)) > 0) {
    r.line++;
    if (line[n - 1] == '\n') line[n - 1] = '\0';
    add_name(&r.lines, line);
    read_line(&r, line);
  }
  free(line);
  fclose(in);
  if (r.first == NULL) script_error(path, 0, "no dialogue");
  check(r.first);
  return r.first;
}
