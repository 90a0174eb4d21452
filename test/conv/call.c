/* SPDX-License-Identifier: MIT */
/* call.c: reads what the caller submits: "send from=a@x rcpt=b@y body=...". */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conv.h"

typedef struct reading_s {
  dialogue_t* d;
  call_t* call;
  const char* file;
  int line;
  int has_creds;
  creds_t creds; /* as far as they are read */
} reading_t;

static const struct {
  const char* name;
  int op;
} ops[] = {
    {"connect", UVSMTP_OP_CONNECT}, {"hello", UVSMTP_OP_HELLO},
    {"ehlo", UVSMTP_OP_EHLO},       {"helo", UVSMTP_OP_HELO},
    {"mail", UVSMTP_OP_MAIL},       {"rcpt", UVSMTP_OP_RCPT},
    {"data", UVSMTP_OP_DATA},       {"bdat", UVSMTP_OP_BDAT},
    {"rset", UVSMTP_OP_RSET},       {"noop", UVSMTP_OP_NOOP},
    {"quit", UVSMTP_OP_QUIT},       {"command", UVSMTP_OP_COMMAND},
    {"send", UVSMTP_OP_SEND},       {"starttls", UVSMTP_OP_STARTTLS},
    {"login", UVSMTP_OP_LOGIN},     {"auth", UVSMTP_OP_LOGIN},
    {"xclient", UVSMTP_OP_XCLIENT}, {"extension", UVSMTP_OP_EXTENSION},
    {"burl", UVSMTP_OP_BURL},
};

void add_name(names_t* names, const char* text) {
  names->list = keep_more(names->list, names->n, sizeof(*names->list));
  names->list[names->n++] = keep_text(text, strlen(text));
}

static void no_fate(fate_t* f) {
  f->begin_at = f->many_at = f->doubt_from = f->doubt_at = f->final_at = NEVER;
}

rcpt_t* call_rcpt(call_t* call, char* address) {
  rcpt_t* r;

  call->rcpts = keep_more(call->rcpts, call->nrcpts, sizeof(*call->rcpts));
  r = &call->rcpts[call->nrcpts++];
  memset(r, 0, sizeof(*r));
  r->address = address;
  no_fate(&r->fate);
  return r;
}

static rcpt_t* add_rcpt(call_t* call, const char* address) {
  call->nnamed++;
  return call_rcpt(call, keep_text(address, strlen(address)));
}

/* "b@y" or "b@y;NOTIFY=NEVER;ORCPT=rfc822\;b@y" with options of its own. */
static void read_rcpt(call_t* call, const char* value) {
  const char* end = strchr(value, ';');
  rcpt_t* r;

  if (end == NULL) end = value + strlen(value);
  r = add_rcpt(call, keep_text(value, (size_t)(end - value)));
  while (*end == ';') {
    const char* start = end + 1;

    end = strchr(start, ';');
    if (end == NULL) end = start + strlen(start);
    add_name(&r->options, keep_text(start, (size_t)(end - start)));
  }
}

static void read_rcpts(call_t* call, const char* value) {
  int n = atoi(value);
  char address[32];
  int i;

  for (i = 0; i < n; i++) {
    snprintf(address, sizeof(address), "r%d@y", i);
    (void)add_rcpt(call, address);
  }
}

static void read_pieces(call_t* call, const char* value) {
  while (*value != '\0') {
    char* end;

    call->pieces =
        keep_more(call->pieces, call->npieces, sizeof(*call->pieces));
    call->pieces[call->npieces++] = strtoul(value, &end, 10);
    value = *end == ',' ? end + 1 : end;
  }
}

/* The body so far, n times. */
static void repeat(call_t* call, const char* value) {
  long n = strtol(value, NULL, 10);
  bytes_t all = {NULL, 0, 0};

  for (; n > 0; n--) bytes_add(&all, call->body.at, call->body.len);
  call->body = all;
  if (call->length >= 0) call->length = (long long)all.len;
}

/* The header says the envelope, with so many recipients. */
static void read_header(call_t* call, const char* value) {
  int n = atoi(value);

  call->envelope = 1;
  for (; n > 0; n--) (void)call_rcpt(call, NULL);
}

static unsigned int read_flags(const reading_t* r, const char* value) {
  static const flag_name_t names[] = {
      {"borrow", UVSMTP_MESSAGE_BORROW_STRINGS},
      {"no-pipelining", UVSMTP_MESSAGE_NO_PIPELINING},
      {"no-chunking", UVSMTP_MESSAGE_NO_CHUNKING},
      {"all-or-nothing", UVSMTP_MESSAGE_ALL_OR_NOTHING},
      {"refuse-8bit", UVSMTP_MESSAGE_REFUSE_8BIT},
      {NULL, 0}};

  return script_flags(r->d, r->line, names, value);
}

static unsigned int read_line_ends(const reading_t* r, const char* value) {
  if (strcmp(value, "strict") == 0) return UVSMTP_LINES_STRICT;
  if (strcmp(value, "binary") == 0) return UVSMTP_LINES_BINARY;
  if (strcmp(value, "normalise") != 0)
    script_error(r->file, r->line, "line ends %s", value);
  return UVSMTP_LINES_NORMALISE;
}

static int read_policy(const reading_t* r, const char* value) {
  static const char* const names[] = {"default", "none", "opportunistic",
                                      "required", "implicit"};
  int i;

  for (i = 0; i < (int)(sizeof(names) / sizeof(names[0])); i++)
    if (strcmp(names[i], value) == 0) return i;
  script_error(r->file, r->line, "policy %s?", value);
}

static int read_body(const reading_t* r, const bytes_t* word) {
  call_t* call = r->call;
  const char* value;

  if (script_value(word, "body", &value)) {
    call->has_body = 1;
    bytes_add(&call->body, value, word->len - (size_t)(value - word->at));
    call->length = (long long)call->body.len;
  } else if (script_value(word, "repeat", &value)) {
    repeat(call, value);
  } else if (script_value(word, "length", &value)) {
    call->length = strcmp(value, "unknown") == 0 ? -1 : atoll(value);
  } else if (script_value(word, "pieces", &value)) {
    read_pieces(call, value);
  } else if (script_value(word, "wait-at", &value)) {
    call->wait_at = strtoul(value, NULL, 10);
  } else if (script_value(word, "wakes-at", &value)) {
    call->wait_at = strtoul(value, NULL, 10);
    call->wakes = 1;
  } else if (script_value(word, "fails-at", &value)) {
    call->fails_at = strtoul(value, NULL, 10);
  } else if (script_value(word, "line-ends", &value)) {
    call->line_ends = read_line_ends(r, value);
  } else {
    return 0;
  }
  return 1;
}

/* What becomes of a body that is to go out once more. */
static int read_again(const reading_t* r, const bytes_t* word) {
  call_t* call = r->call;
  const char* value;

  if (strcmp(word->at, "fixed") == 0)
    call->fixed = 1;
  else if (strcmp(word->at, "rewind-waits") == 0)
    call->rewind_waits = 1;
  else if (script_value(word, "rewind-fails", &value))
    call->rewind_error =
        script_named(r->file, r->line, error_number(value), value);
  else if (script_value(word, "again-fails-at", &value))
    call->again_fails_at = strtoul(value, NULL, 10);
  else
    return 0;
  return 1;
}

/* Who logs in, and what its mechanisms are told. */
static int read_login(reading_t* r, const bytes_t* word) {
  call_t* call = r->call;
  const char* value;

  if (call->mech != NULL && script_value(word, "flags", &value)) {
    call->auth_flags = creds_flags(r->d, r->line, value);
  } else if (creds_word(r->d, &r->creds, r->line, word)) {
    r->has_creds = 1;
  } else if (script_value(word, "host", &value)) {
    call->host = keep_text(value, strlen(value));
  } else if (script_value(word, "port", &value)) {
    call->port = atoi(value);
  } else if (script_value(word, "binding", &value)) {
    call->binding = keep_text(value, strlen(value));
  } else if (strcmp(word->at, "local") == 0) {
    call->local = 1;
  } else {
    return 0;
  }
  return 1;
}

/* "auth PLAIN", "auth X-TEST,rounds=2". */
static void read_mech(reading_t* r, const bytes_t* word) {
  call_t* call = r->call;

  call->mech = word->at;
  if (strncmp(word->at, "X-", 2) != 0) return;
  call->own_mech = keep(sizeof(*call->own_mech));
  own_read(r->d, r->line, call->own_mech, word->at);
}

static int read_message(const reading_t* r, const bytes_t* word) {
  call_t* call = r->call;
  const char* value;

  if (script_value(word, "from", &value))
    call->text = keep_text(value, strlen(value));
  else if (script_value(word, "rcpt", &value))
    read_rcpt(call, value);
  else if (script_value(word, "rcpts", &value))
    read_rcpts(call, value);
  else if (script_value(word, "header", &value))
    read_header(call, value);
  else if (script_value(word, "max-header", &value))
    call->max_header = strtoul(value, NULL, 10);
  else if (script_value(word, "mail-option", &value))
    add_name(&call->options, value);
  else if (script_value(word, "rcpt-option", &value))
    add_name(&call->rcpt_options, value);
  else if (script_value(word, "due", &value))
    call->due = (unsigned int)strtoul(value, NULL, 10);
  else if (script_value(word, "flags", &value))
    call->flags |= read_flags(r, value);
  else
    return params_word(r->d, call, r->line, word);
  return 1;
}

/* Calls that are a command with an argument, or several. */
static int read_command(const reading_t* r, const bytes_t* word) {
  call_t* call = r->call;
  int chunk = call->op == UVSMTP_OP_BDAT || call->op == UVSMTP_OP_BURL;
  const char* value;

  if (script_value(word, "option", &value))
    add_name(&call->options, value);
  else if (call->op == UVSMTP_OP_CONNECT && script_value(word, "tls", &value))
    call->tls = read_policy(r, value);
  else if (chunk && strcmp(word->at, "last") == 0)
    call->last = 1;
  else if (call->op == UVSMTP_OP_EXTENSION && call->keyword == NULL)
    call->keyword = word->at;
  else if (call->text == NULL)
    call->text = word->at;
  else
    return 0;
  return 1;
}

static void read_word(reading_t* r, const bytes_t* word) {
  call_t* call = r->call;
  int ok;

  if (call->has_body && read_again(r, word)) return;
  if (read_body(r, word)) return;
  if ((call->op == UVSMTP_OP_CONNECT || call->op == UVSMTP_OP_LOGIN) &&
      read_login(r, word))
    return;
  ok = call->op == UVSMTP_OP_SEND ? read_message(r, word)
                                  : read_command(r, word);
  if (!ok) script_error(r->file, r->line, "\"%s\"?", word->at);
}

/* The line of an extension: its keyword, and an argument or attributes, of
 * which the names are told apart. */
static void add_keyword(call_t* call) {
  bytes_t line = {NULL, 0, 0};
  size_t i;

  if (call->keyword == NULL) return;
  bytes_add(&line, call->keyword, strlen(call->keyword));
  if (call->text != NULL) {
    bytes_add(&line, " ", 1);
    bytes_add(&line, call->text, strlen(call->text));
  }
  for (i = 0; i < call->options.n; i++) {
    const char* option = call->options.list[i];

    bytes_add(&line, " ", 1);
    bytes_add(&line, option, strlen(option));
    call->options.list[i] = keep_text(option, strcspn(option, "="));
  }
  call->text = line.at;
}

static void begin_call(call_t* call) {
  static const uvsmtp_mail_params_t none = UVSMTP_MAIL_PARAMS_INIT;

  call->wait_at = NEVER;
  call->fails_at = NEVER;
  call->again_fails_at = NEVER;
  call->text_at = NEVER;
  no_fate(&call->fate);
  call->params = none;
}

void call_read(dialogue_t* d, call_t* call, int line, char* text) {
  reading_t r;
  bytes_t word;
  size_t i;

  memset(&r, 0, sizeof(r));
  r.d = d;
  r.call = call;
  r.file = d->file;
  r.line = line;
  call->line = line;
  begin_call(call);
  if (!script_word(&text, &word)) script_error(r.file, line, "call of what?");
  for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
    if (strcmp(ops[i].name, word.at) == 0) call->op = ops[i].op;
  if (call->op == 0) script_error(r.file, line, "call of %s?", word.at);
  if (call->op == UVSMTP_OP_XCLIENT) call->keyword = keep_text("XCLIENT", 7);
  if (strcmp(word.at, "auth") == 0) {
    if (!script_word(&text, &word)) script_error(r.file, line, "auth how?");
    read_mech(&r, &word);
  }
  while (script_word(&text, &word)) read_word(&r, &word);
  add_keyword(call);
  if (r.has_creds) call->creds = creds_find(d, &r.creds);
}
