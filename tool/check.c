/* SPDX-License-Identifier: MIT */
/* check.c: are the arguments of a message any good? The library is asked, by a
 * session that is never connected: what it takes ends unheard. */
#include <string.h>

#include "letter.h"

/* The first of these that the library would not take. */
static const char* first_bad(uvsmtp_session_t* session, const strings_t* s,
                             int is_recipient) {
  size_t i;
  for (i = 0; i < s->n; i++) {
    const char* const* value = &s->list[i];
    int rc = is_recipient ? uvsmtp_rcpt(session, *value, NULL, 0, NULL, NULL)
                          : uvsmtp_mail(session, "", value, 1, NULL, NULL);
    if (rc == UV_EINVAL) return *value;
  }
  return NULL;
}

/* An option, and its value. */
typedef struct bad_s {
  const char* name;
  const char* value; /* NULL: there is nothing bad */
} bad_t;

static bad_t bad_raw(uvsmtp_session_t* session, const options_t* o) {
  int as_sendmail = o->sendmail.wanted;
  bad_t bad = {as_sendmail ? "-f" : "--from", o->from};
  /* Of a draft these are mailboxes. */
  if (o->draft.wanted || o->from == NULL ||
      uvsmtp_mail(session, o->from, NULL, 0, NULL, NULL) != UV_EINVAL)
    bad.value = NULL;
  if (bad.value == NULL && !o->draft.wanted) {
    bad.name = as_sendmail ? "recipient" : "--to";
    bad.value = first_bad(session, &o->to, 1);
  }
  if (bad.value == NULL) {
    bad.name = "--mail-option";
    bad.value = first_bad(session, &o->mail_options, 0);
  }
  if (bad.value == NULL) {
    bad.name = "--rcpt-option";
    bad.value = first_bad(session, &o->rcpt_options, 0);
  }
  return bad;
}

/* One parameter at a time, with a message of nothing. */
static bad_t bad_param(uvsmtp_session_t* session, const options_t* o) {
  enum { N = 3 };
  /* Until the session has ended; there is one such session. */
  static uvsmtp_memory_source_t empty[N];
  static const uvsmtp_rcpt_t somebody = UVSMTP_RCPT_INIT("a@b.example");
  const uvsmtp_rcpt_t* const rcpts[1] = {&somebody};
  const uvsmtp_mail_params_t* all = &o->params;
  const bad_t list[N] = {{"--envid", all->envid},
                         {"--hold-until", all->hold_until},
                         {"--submitter", all->auth}};
  const bad_t none = {NULL, NULL};
  size_t i;
  for (i = 0; i < N; i++) {
    uvsmtp_mail_params_t params = UVSMTP_MAIL_PARAMS_INIT;
    uvsmtp_message_t m = UVSMTP_MESSAGE_INIT;
    if (list[i].value == NULL) continue;
    if (i == 0) params.envid = list[i].value;
    if (i == 1) params.hold_until = list[i].value;
    if (i == 2) params.auth = list[i].value;
    uvsmtp_source_memory(&empty[i], "", 0);
    m.from = "";
    m.rcpts = rcpts;
    m.nrcpts = 1;
    m.params = &params;
    m.body = &empty[i].source;
    if (uvsmtp_send(session, &m, NULL, NULL) == UV_EINVAL) return list[i];
  }
  return none;
}

int check_arguments(run_t* run) {
  const options_t* o = &run->o;
  const char* wrong = letter_check(o);
  uvsmtp_session_t* session;
  bad_t bad;
  if (wrong == NULL && run_scratch(run, &session) == 0) {
    bad = bad_raw(session, o);
    if (bad.value != NULL) {
      wrong =
          options_complain(bad.name, bad.value,
                           "malformed, too long, or with a control character");
    } else {
      bad = bad_param(session, o);
      if (bad.value != NULL)
        wrong = options_complain(bad.name, bad.value,
                                 strcmp(bad.name, "--hold-until") == 0
                                     ? "not a time such as 2027-01-31T09:00:00Z"
                                     : "malformed, or too long");
    }
    (void)uvsmtp_session_close(session, NULL, NULL);
  }
  return wrong == NULL
             ? 0
             : run_fail(run, "invalid-argument", EXIT_BAD_USAGE, wrong);
}
