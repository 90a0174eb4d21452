/* SPDX-License-Identifier: MIT */
/* send.c: uvsmtp send: one message, one session, one report. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

typedef struct send_s {
  run_t run; /* first: what is given to a run's callbacks is this */
  input_t input;
  uvsmtp_memory_source_t typed;
  progress_t progress;
  json_t* json; /* the report, once there is one */
  verdict_t verdict;
  verdict_t connect; /* of a failed connect, with its report: */
  json_t* connect_json;
  int silent;  /* said all there is to say */
  int settled; /* the message was taken, or may have been */
} send_t;

/* ---------------------------------------------------------- completions */

/* The failure to connect is the reason for all that follows: its own result
 * has the greeting and the cause. */
static void connected(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                      void* data) {
  send_t* s = data;
  (void)session;
  run_keep_attempts(&s->run, session);
  if (s->silent || uvsmtp_result_status(result) == 0) return;
  run_flush_trace(&s->run);
  s->connect = verdict_of(result, s->run.o.server.named);
  s->connect_json = report_json(&s->run, &s->connect, result, NULL);
  if (!s->run.o.json) report_text(&s->run, &s->connect, result);
}

/* The recipients come from the message's result, all else from the connect's.
 */
static json_t* merge(send_t* s, const uvsmtp_result_t* result) {
  json_t* sent = report_json(&s->run, &s->verdict, NULL, result);
  json_t* j = s->connect_json;
  if (j == NULL || sent == NULL) return sent;
  json_object_set(j, "recipients", json_object_get(sent, "recipients"));
  json_object_set(j, "outcome", json_object_get(sent, "outcome"));
  json_decref(sent);
  s->connect_json = NULL;
  return j;
}

static void sent(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                 void* data) {
  send_t* s = data;
  int outcome = uvsmtp_result_outcome(result);
  run_keep_login(&s->run, session);
  progress_end(&s->progress);
  if (s->silent) return;
  run_flush_trace(&s->run);
  s->settled =
      outcome == UVSMTP_OUTCOME_ACCEPTED || outcome == UVSMTP_OUTCOME_UNKNOWN;
  s->verdict = verdict_of(result, s->run.o.server.named);
  if (s->run.o.json)
    s->json = merge(s, result);
  else if (s->connect.status == NULL)
    report_text(&s->run, &s->verdict, result);
  if (s->connect.status != NULL) s->verdict = s->connect;
  if (!s->run.o.json && s->verdict.exit_status != EXIT_SENT)
    report_advice(&s->run, &s->verdict, result);
}

/* The last completion. */
static void quit(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                 void* data) {
  send_t* s = data;
  (void)session;
  (void)result;
  s->run.over = 1;
  run_end(&s->run);
}

static void ended(run_t* run) { progress_end(&((send_t*)run)->progress); }

/* -------------------------------------------------------------- message */

/* Standard input is read as it comes, and a file as it goes out; only what was
 * typed is here already. */
static int open_source(send_t* s, uvsmtp_source_t** source) {
  const input_t* in = &s->input;
  if (in->path != NULL)
    return uvsmtp_source_path(source, s->run.session, in->path);
  if (!in->typing)
    return uvsmtp_source_fd(source, s->run.session, STDIN_FILENO);
  uvsmtp_source_memory(&s->typed, in->typed, in->len);
  *source = &s->typed.source;
  return 0;
}

static void fill(send_t* s, uvsmtp_message_t* m) {
  const options_t* o = &s->run.o;
  m->from = o->from;
  m->nrcpts = o->to.n;
  m->mail_options = o->mail_options.list;
  m->nmail_options = o->mail_options.n;
  m->rcpt_options = o->rcpt_options.list;
  m->nrcpt_options = o->rcpt_options.n;
  m->timeout = o->message_timeout;
  if (s->progress.wanted) {
    m->progress = progress_note;
    m->progress_arg = &s->progress;
  }
}

static int submit_message(send_t* s, uvsmtp_message_t* m) {
  uvsmtp_session_t* session = s->run.session;
  int rc = open_source(s, &m->body);
  if (rc != 0) return rc;
  rc = run_connect(&s->run, connected, s);
  if (rc == 0) rc = uvsmtp_send(session, m, sent, s);
  if (rc != 0) {
    if (!s->input.typing) uvsmtp_source_discard(m->body);
    return rc;
  }
  return uvsmtp_quit(session, quit, s);
}

static int submit(send_t* s) {
  const options_t* o = &s->run.o;
  uvsmtp_message_t m = UVSMTP_MESSAGE_INIT;
  uvsmtp_rcpt_t* rcpts = calloc(o->to.n, sizeof(*rcpts));
  const uvsmtp_rcpt_t** list = calloc(o->to.n, sizeof(*list));
  size_t i;
  int rc = UV_ENOMEM;
  if (rcpts != NULL && list != NULL) {
    for (i = 0; i < o->to.n; i++) {
      rcpts[i] = (uvsmtp_rcpt_t)UVSMTP_RCPT_INIT(o->to.list[i]);
      list[i] = &rcpts[i];
    }
    fill(s, &m);
    m.rcpts = list;
    rc = submit_message(s, &m);
  }
  free(rcpts);
  free(list);
  return rc;
}

/* --------------------------------------------------------------- errors */

/* The first of these that the library would not take, offered to it one by one.
 * What it does take ends unheard. */
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

/* Before anybody types a message: are the arguments any good? */
static int check_arguments(send_t* s) {
  const options_t* o = &s->run.o;
  uvsmtp_session_t* session;
  const char* name = "--from";
  const char* value = o->from;
  char text[256];
  if (run_scratch(&s->run, &session) != 0) return 0;
  if (uvsmtp_mail(session, o->from, NULL, 0, NULL, NULL) != UV_EINVAL) {
    name = "--to";
    value = first_bad(session, &o->to, 1);
  }
  if (value == NULL) {
    name = "--mail-option";
    value = first_bad(session, &o->mail_options, 0);
  }
  if (value == NULL) {
    name = "--rcpt-option";
    value = first_bad(session, &o->rcpt_options, 0);
  }
  (void)uvsmtp_session_close(session, NULL, NULL);
  if (value == NULL) return 0;
  snprintf(text, sizeof(text),
           "%s %.100s%s: malformed, too long, or with a control character",
           name, *value == '\0' ? "''" : value,
           strlen(value) > 100 ? "..." : "");
  return run_fail(&s->run, "invalid-argument", EXIT_BAD_USAGE, text);
}

static int refuse(send_t* s, int rc) {
  /* What was accepted before the refusal ends unheard. */
  s->silent = 1;
  if (rc == UV_EINVAL)
    return run_fail(&s->run, "invalid-argument", EXIT_BAD_USAGE,
                    "the addresses and options are too long together");
  return run_fail(&s->run, "local-error", EXIT_OS, uvsmtp_strerror(rc));
}

/* ----------------------------------------------------------------- main */

/* Everything up to the point where the loop takes over. */
static int begin(send_t* s) {
  run_t* run = &s->run;
  char text[256];
  int named = input_is_file(run->o.file);
  int rc = run_open(run);
  if (rc == 0) rc = check_arguments(s);
  if (rc != 0) return rc;
  /* Nobody is asked for a password for what is not there, and what is typed or
   * piped is not waited for while somebody could be asked. */
  if (!named) rc = run_log_in(run);
  if (rc != 0) return rc;
  rc = input_prepare(&s->input, run->o.file, text, sizeof(text));
  run->source = s->input.name;
  if (signals_stopped()) return run_fail_stopped(run);
  if (rc != 0) return run_fail(run, "local-error", rc, text);
  if (named) rc = run_log_in(run);
  if (rc != 0) return rc;
  run_watch(run);
  if (signals_stopped()) return run_fail_stopped(run);
  rc = progress_init(&s->progress, &run->loop, &run->o);
  if (rc == 0) rc = submit(s);
  return rc == 0 ? 0 : refuse(s, rc);
}

static int go(send_t* s) {
  int rc;
  s->run.ended = ended;
  rc = begin(s);
  if (rc != 0) {
    s->run.over = 1;
    run_end(&s->run);
  }
  run_loop(&s->run);
  return rc != 0 ? rc : s->verdict.exit_status;
}

int send_main(int argc, char** argv) {
  static send_t s;
  const char* error = NULL;
  int rc = options_parse(&s.run.o, SEND, argc, argv, &error);
  if (rc < 0) return run_exit(&s.run, EXIT_SENT, 0);
  if (rc != 0)
    rc = run_fail(&s.run, "invalid-argument", rc, error);
  else
    rc = go(&s);
  if (s.json != NULL) json_print(s.json);
  json_decref(s.json);
  json_decref(s.connect_json);
  input_free(&s.input);
  return run_exit(&s.run, rc, s.settled);
}
