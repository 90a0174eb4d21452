/* SPDX-License-Identifier: MIT */
/* send.c: uvsmtp send: one message, one session, one report. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "letter.h"

typedef struct send_s {
  run_t run; /* first: what is given to a run's callbacks is this */
  input_t input;
  letter_t letter;               /* where there is one */
  uvsmtp_memory_source_t source; /* where all of it was read before */
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
  json_object_set(j, "sender", json_object_get(sent, "sender"));
  json_decref(sent);
  s->connect_json = NULL;
  return j;
}

/* A sendmail has nothing to say of what went well. */
static int is_quiet(const send_t* s) {
  return s->run.o.sendmail.wanted && s->verdict.exit_status == EXIT_SENT;
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
  else if (s->connect.status == NULL && !is_quiet(s))
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

/* Standard input is read as it comes, and a file as it goes out; what was typed
 * is here already, and so is a letter. */
static int open_source(send_t* s, uvsmtp_source_t** source) {
  const input_t* in = &s->input;
  if (!in->whole && in->path != NULL)
    return uvsmtp_source_path(source, s->run.session, in->path);
  if (!in->whole) return uvsmtp_source_fd(source, s->run.session, STDIN_FILENO);
  if (letter_wanted(&s->run.o)) {
    *source = &s->letter.source.source;
    return 0;
  }
  uvsmtp_source_memory(&s->source, in->text, in->len);
  *source = &s->source.source;
  return 0;
}

static void fill(send_t* s, uvsmtp_message_t* m) {
  const options_t* o = &s->run.o;
  m->from = letter_wanted(o) ? s->letter.from : o->from;
  m->mail_options = o->mail_options.list;
  m->nmail_options = o->mail_options.n;
  m->rcpt_options = o->rcpt_options.list;
  m->nrcpt_options = o->rcpt_options.n;
  m->params = &o->params;
  m->flags = o->message_flags;
  m->timeout = o->message_timeout;
  if (s->progress.wanted) {
    m->progress = progress_note;
    m->progress_arg = &s->progress;
  }
}

/* Whoever says all of the envelope has the message sent as it is; a header that
 * says some of it may have a Bcc. */
static int as_it_is(const options_t* o, const uvsmtp_message_t* m) {
  return !o->sendmail.wanted && m->from != NULL && m->nrcpts > 0;
}

static int submit_message(send_t* s, uvsmtp_message_t* m) {
  uvsmtp_session_t* session = s->run.session;
  int rc = open_source(s, &m->body);
  if (rc != 0) return rc;
  rc = run_connect(&s->run, connected, s);
  if (rc == 0)
    rc = as_it_is(&s->run.o, m) ? uvsmtp_send(session, m, sent, s)
                                : uvsmtp_send_message(session, m, sent, s);
  if (rc != 0) {
    if (!s->input.whole) uvsmtp_source_discard(m->body);
    return rc;
  }
  return uvsmtp_quit(session, quit, s);
}

static int submit(send_t* s) {
  const options_t* o = &s->run.o;
  const strings_t* to = letter_wanted(o) ? &s->letter.rcpts : &o->to;
  uvsmtp_message_t m = UVSMTP_MESSAGE_INIT;
  /* None is not no memory. */
  uvsmtp_rcpt_t* rcpts = calloc(to->n + 1, sizeof(*rcpts));
  const uvsmtp_rcpt_t** list = calloc(to->n + 1, sizeof(*list));
  size_t i;
  int rc = UV_ENOMEM;
  if (rcpts != NULL && list != NULL) {
    for (i = 0; i < to->n; i++) {
      rcpts[i] = (uvsmtp_rcpt_t)UVSMTP_RCPT_INIT(to->list[i]);
      list[i] = &rcpts[i];
    }
    fill(s, &m);
    m.rcpts = to->n > 0 ? list : NULL;
    m.nrcpts = to->n;
    rc = submit_message(s, &m);
  }
  free(rcpts);
  free(list);
  return rc;
}

/* --------------------------------------------------------------- errors */

static int refuse(send_t* s, int rc) {
  /* What was accepted before the refusal ends unheard. */
  s->silent = 1;
  if (rc == UV_EINVAL)
    return run_fail(&s->run, "invalid-argument", EXIT_BAD_USAGE,
                    "the addresses and options are too long together");
  return run_fail(&s->run, "local-error", EXIT_OS, uvsmtp_strerror(rc));
}

/* ----------------------------------------------------------------- main */

static int fail_by(const run_t* run, int exit_status, const char* error) {
  return run_fail(run,
                  exit_status == EXIT_BAD_USAGE     ? "invalid-argument"
                  : exit_status == EXIT_BAD_MESSAGE ? "invalid-message"
                                                    : "local-error",
                  exit_status, error);
}

/* Reads or awaits the message, and makes it a letter if it is to be one. */
static int fetch(send_t* s) {
  run_t* run = &s->run;
  const options_t* o = &run->o;
  int letter = letter_wanted(o);
  char text[512];
  int rc = 0;
  if (o->draft.text != NULL)
    s->input.whole = 1;
  else
    rc = input_prepare(&s->input, o->file, letter, text, sizeof(text));
  run->source = s->input.name;
  if (signals_stopped()) return run_fail_stopped(run);
  if (rc == 0 && letter)
    rc = letter_make(&s->letter, o, s->input.text != NULL ? s->input.text : "",
                     s->input.len, text, sizeof(text));
  return rc == 0 ? 0 : fail_by(run, rc, text);
}

/* Everything up to the point where the loop takes over. */
static int begin(send_t* s) {
  run_t* run = &s->run;
  int here = input_is_file(run->o.file) || run->o.draft.text != NULL;
  int rc = run_open(run);
  if (rc == 0) rc = check_arguments(run);
  /* Nobody is asked for a password for what is not there, and what is typed or
   * piped is not waited for while somebody could be asked. */
  if (rc == 0 && !here) rc = run_log_in(run);
  if (rc == 0) rc = fetch(s);
  if (rc == 0 && here) rc = run_log_in(run);
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

int send_main(int by_name, int argc, char** argv) {
  static send_t s;
  const char* error = NULL;
  int rc = options_parse(&s.run.o, SEND, by_name, argc, argv, &error);
  if (rc < 0) return run_exit(&s.run, EXIT_SENT, 0);
  if (rc != 0)
    rc = run_fail(&s.run, "invalid-argument", rc, error);
  else
    rc = go(&s);
  if (s.json != NULL) json_print(s.json);
  json_decref(s.json);
  json_decref(s.connect_json);
  letter_free(&s.letter);
  input_free(&s.input);
  return run_exit(&s.run, rc, s.settled);
}
