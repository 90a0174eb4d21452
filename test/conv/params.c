/* SPDX-License-Identifier: MIT */
/* params.c: reads what a message and its recipients ask for beyond delivery:
 * "ret=hdrs envid=x rcpt=b@y notify-of=never". */
#include <stdlib.h>
#include <string.h>

#include "conv.h"

static const flag_name_t notifies[] = {{"never", UVSMTP_DSN_NEVER},
                                       {"success", UVSMTP_DSN_SUCCESS},
                                       {"failure", UVSMTP_DSN_FAILURE},
                                       {"delay", UVSMTP_DSN_DELAY},
                                       {"bad", 1u << 20},
                                       {NULL, 0}};

static const flag_name_t flags[] = {{"requiretls", UVSMTP_MAIL_REQUIRETLS},
                                    {"smtputf8", UVSMTP_MAIL_SMTPUTF8},
                                    {"trace", UVSMTP_MAIL_BY_TRACE},
                                    {"optional", UVSMTP_MAIL_OPTIONAL},
                                    {"bad", 1u << 20},
                                    {NULL, 0}};

/* A number, or a name out of a list, whose place is its number. */
static int one_of(const dialogue_t* d, int line, const char* const* names,
                  const char* value) {
  int i;

  for (i = 0; names[i] != NULL; i++)
    if (strcmp(names[i], value) == 0) return i;
  if (strspn(value, "-0123456789") == 0)
    script_error(d->file, line, "%s?", value);
  return atoi(value);
}

/* "120", "120,return", "120,notify": seconds, and what then. */
static void read_by(const dialogue_t* d, call_t* call, int line,
                    const char* value) {
  static const char* const modes[] = {"none", "notify", "return", NULL};
  char* end;

  call->params.by_seconds = (int32_t)strtol(value, &end, 10);
  if (*end != ',') script_error(d->file, line, "by %s?", value);
  call->params.by = one_of(d, line, modes, end + 1);
}

/* Of the recipient that was named last. */
static int rcpt_word(const dialogue_t* d, call_t* call, int line,
                     const bytes_t* word) {
  rcpt_t* r = call->nrcpts > 0 ? &call->rcpts[call->nrcpts - 1] : NULL;
  const char* v;

  if (script_value(word, "its-notify", &v) && r != NULL)
    r->notify = script_flags(d, line, notifies, v);
  else if (script_value(word, "its-orcpt", &v) && r != NULL)
    r->orcpt = keep_text(v, strlen(v));
  else
    return 0;
  return 1;
}

static int dsn_word(const dialogue_t* d, call_t* call, int line,
                    const bytes_t* word) {
  static const char* const rets[] = {"default", "full", "hdrs", NULL};
  uvsmtp_mail_params_t* m = &call->params;
  const char* v;

  if (script_value(word, "ret", &v))
    m->ret = one_of(d, line, rets, v);
  else if (script_value(word, "notify", &v))
    m->notify = script_flags(d, line, notifies, v);
  else if (script_value(word, "envid", &v))
    m->envid = keep_text(v, strlen(v));
  else
    return 0;
  return 1;
}

static int mail_word(const dialogue_t* d, call_t* call, int line,
                     const bytes_t* word) {
  static const char* const bodies[] = {"auto", "7bit", "8bitmime", NULL};
  uvsmtp_mail_params_t* m = &call->params;
  const char* v;

  if (script_value(word, "params", &v)) {
    m->flags |= script_flags(d, line, flags, v);
  } else if (script_value(word, "params-size", &v)) {
    m->size = strtoul(v, NULL, 10);
  } else if (script_value(word, "mail-body", &v)) {
    m->body = one_of(d, line, bodies, v);
  } else if (script_value(word, "by", &v)) {
    read_by(d, call, line, v);
  } else if (script_value(word, "hold-for", &v)) {
    m->hold_for = (uint32_t)strtoul(v, NULL, 10);
  } else if (script_value(word, "hold-until", &v)) {
    m->hold_until = keep_text(v, strlen(v));
  } else if (script_value(word, "priority", &v)) {
    m->flags |= UVSMTP_MAIL_PRIORITY;
    m->priority = atoi(v);
  } else if (script_value(word, "submitter", &v)) {
    m->auth = keep_text(v, strlen(v));
  } else {
    return 0;
  }
  return 1;
}

int params_word(const dialogue_t* d, call_t* call, int line,
                const bytes_t* word) {
  if (rcpt_word(d, call, line, word)) return 1;
  if (!dsn_word(d, call, line, word) && !mail_word(d, call, line, word))
    return 0;
  call->has_params = 1;
  return 1;
}
