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
};

static void add_name(names_t* names, const char* text) {
  names->list = keep_more(names->list, names->n, sizeof(*names->list));
  names->list[names->n++] = keep_text(text, strlen(text));
}

static rcpt_t* add_rcpt(call_t* call, const char* address) {
  rcpt_t* r;

  call->rcpts = keep_more(call->rcpts, call->nrcpts, sizeof(*call->rcpts));
  r = &call->rcpts[call->nrcpts++];
  memset(r, 0, sizeof(*r));
  r->address = keep_text(address, strlen(address));
  r->final_at = NEVER;
  return r;
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

static void read_flags(const reading_t* r, const char* value) {
  while (*value != '\0') {
    size_t n = strcspn(value, ",");
    unsigned int flag = 0;

    if (strncmp(value, "borrow", n) == 0) flag = UVSMTP_MESSAGE_BORROW_STRINGS;
    if (strncmp(value, "no-pipelining", n) == 0)
      flag = UVSMTP_MESSAGE_NO_PIPELINING;
    if (strncmp(value, "no-chunking", n) == 0)
      flag = UVSMTP_MESSAGE_NO_CHUNKING;
    if (flag == 0) script_error(r->file, r->line, "flag %s", value);
    r->call->flags |= flag;
    value += n;
    if (*value == ',') value++;
  }
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

static void read_word(reading_t* r, const bytes_t* word) {
  call_t* call = r->call;
  int message = call->op == UVSMTP_OP_SEND;
  const char* value;

  if (read_body(r, word)) return;
  if ((call->op == UVSMTP_OP_CONNECT || call->op == UVSMTP_OP_LOGIN) &&
      read_login(r, word))
    return;
  if (message && script_value(word, "from", &value))
    call->text = keep_text(value, strlen(value));
  else if (message && script_value(word, "rcpt", &value))
    read_rcpt(call, value);
  else if (message && script_value(word, "rcpts", &value))
    read_rcpts(call, value);
  else if (message && script_value(word, "mail-option", &value))
    add_name(&call->options, value);
  else if (message && script_value(word, "rcpt-option", &value))
    add_name(&call->rcpt_options, value);
  else if (message && script_value(word, "due", &value))
    call->due = (unsigned int)strtoul(value, NULL, 10);
  else if (message && script_value(word, "flags", &value))
    read_flags(r, value);
  else if (call->op == UVSMTP_OP_CONNECT && script_value(word, "tls", &value))
    call->tls = read_policy(r, value);
  else if (!message && script_value(word, "option", &value))
    add_name(&call->options, value);
  else if (call->op == UVSMTP_OP_BDAT && strcmp(word->at, "last") == 0)
    call->last = 1;
  else if (!message && call->text == NULL)
    call->text = word->at;
  else
    script_error(r->file, r->line, "\"%s\"?", word->at);
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
  call->wait_at = NEVER;
  call->fails_at = NEVER;
  call->text_at = NEVER;
  call->doubt_from = NEVER;
  call->doubt_at = NEVER;
  call->final_at = NEVER;
  if (!script_word(&text, &word)) script_error(r.file, line, "call of what?");
  for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
    if (strcmp(ops[i].name, word.at) == 0) call->op = ops[i].op;
  if (call->op == 0) script_error(r.file, line, "call of %s?", word.at);
  if (strcmp(word.at, "auth") == 0) {
    if (!script_word(&text, &word)) script_error(r.file, line, "auth how?");
    read_mech(&r, &word);
  }
  while (script_word(&text, &word)) read_word(&r, &word);
  if (r.has_creds) call->creds = creds_find(d, &r.creds);
}
