/* SPDX-License-Identifier: MIT */
/* send.c: uvsmtp send: one message, one session, one report. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

/* Turns of the loop in which a session closes, unless the system is stuck. */
enum { TURNS = 16 };

typedef struct run_s {
  options_t o;
  uv_loop_t loop;
  uvsmtp_env_t* env;
  uvsmtp_session_t* session;
  uv_signal_t signals[2];
  uvsmtp_printer_t trace;
  char where[300];
  char* text;
  size_t len;
  uvsmtp_memory_source_t source;
  json_t* json; /* the report, once there is one */
  verdict_t verdict;
  verdict_t connect; /* of a failed connect, with its report: */
  json_t* connect_json;
  int silent;  /* said all there is to say */
  int settled; /* the message was taken, or may have been */
  int over;    /* every call has completed */
  int closed;  /* the session has gone */
} run_t;

/* ------------------------------------------------------------- the end */

static void closed(uvsmtp_session_t* session, void* data) {
  run_t* run = data;
  (void)session;
  run->closed = 1;
  (void)uvsmtp_env_close(run->env, NULL, NULL);
}

static void end(run_t* run) {
  size_t i;
  if (uvsmtp_session_close(run->session, closed, run) != 0) return;
  for (i = 0; i < 2; i++) uv_close((uv_handle_t*)&run->signals[i], NULL);
}

static int fail(const options_t* o, const char* status, int exit_status,
                const char* error) {
  verdict_t v = {status, exit_status, NULL};
  if (o->json) {
    json_t* j = report_json_local(&v, error);
    json_print(j);
    json_decref(j);
  } else {
    fputs("uvsmtp: ", stderr);
    text_print(stderr, error, strlen(error));
    fputc('\n', stderr);
  }
  return exit_status;
}

/* ---------------------------------------------------------- completions */

/* The failure to connect is the reason for all that follows: its own result
 * has the greeting and the cause. */
static void connected(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                      void* data) {
  run_t* run = data;
  (void)session;
  if (run->silent || uvsmtp_result_status(result) == 0) return;
  run->connect = verdict_of(result, run->o.named);
  run->connect.where = run->where;
  run->connect_json = report_json(&run->connect, result, NULL);
  if (!run->o.json) {
    uvsmtp_printer_flush(&run->trace);
    report_text(&run->connect, result, NULL, stdout, stderr);
  }
}

/* The recipients come from the message's result, all else from the connect's.
 */
static json_t* merge(run_t* run, const uvsmtp_result_t* result) {
  json_t* sent = report_json(&run->verdict, NULL, result);
  json_t* j = run->connect_json;
  if (j == NULL || sent == NULL) return sent;
  json_object_set(j, "recipients", json_object_get(sent, "recipients"));
  json_object_set(j, "outcome", json_object_get(sent, "outcome"));
  json_decref(sent);
  run->connect_json = NULL;
  return j;
}

static void sent(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                 void* data) {
  run_t* run = data;
  int outcome = uvsmtp_result_outcome(result);
  (void)session;
  if (run->silent) return;
  uvsmtp_printer_flush(&run->trace);
  run->settled =
      outcome == UVSMTP_OUTCOME_ACCEPTED || outcome == UVSMTP_OUTCOME_UNKNOWN;
  run->verdict = verdict_of(result, run->o.named);
  if (run->o.json)
    run->json = merge(run, result);
  else if (run->connect.status == NULL)
    report_text(&run->verdict, NULL, result, stdout, stderr);
  if (run->connect.status != NULL) run->verdict = run->connect;
}

/* The last completion. */
static void quit(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                 void* data) {
  run_t* run = data;
  (void)session;
  (void)result;
  run->over = 1;
  end(run);
}

static void interrupted(uv_signal_t* handle, int signum) {
  (void)signum;
  end(handle->data);
}

/* --------------------------------------------------------------- set-up */

/* While the message is read there is no loop yet to hear of signals. */
static volatile sig_atomic_t stopped;

static void stop(int signum) {
  (void)signum;
  stopped = 1;
}

/* Holds the signals back but where ppoll lets them in, so that none comes just
 * before a read that would wait. *before gets the mask to wait with. */
static void hold_signals(sigset_t* before) {
  static const int signums[2] = {SIGINT, SIGTERM};
  struct sigaction act;
  struct sigaction old;
  sigset_t held;
  size_t i;
  memset(&act, 0, sizeof(act));
  act.sa_handler = stop;
  sigemptyset(&held);
  for (i = 0; i < 2; i++) {
    (void)sigaddset(&held, signums[i]);
    if (sigaction(signums[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
      (void)sigaction(signums[i], &act, NULL);
  }
  (void)sigprocmask(SIG_BLOCK, &held, before);
}

/* Octets read, 0 at the end, -1 with errno. */
static ssize_t read_some(int fd, const sigset_t* mask, char* to, size_t n) {
  struct pollfd poll_fd = {fd, POLLIN, 0};
  while (!stopped) {
    ssize_t got = ppoll(&poll_fd, 1, NULL, mask);
    if (got >= 0) got = read(fd, to, n);
    if (got >= 0 || (errno != EINTR && errno != EAGAIN)) return got;
  }
  errno = EINTR;
  return -1;
}

/* 0 or an errno. */
static int read_all(int fd, const sigset_t* mask, char** text, size_t* len) {
  size_t cap = 0;
  *text = NULL;
  *len = 0;
  for (;;) {
    ssize_t n;
    if (*len == cap) {
      char* more;
      cap = cap == 0 ? 65536 : cap * 2;
      more = realloc(*text, cap);
      if (more == NULL) return ENOMEM;
      *text = more;
    }
    n = read_some(fd, mask, *text + *len, cap - *len);
    if (n <= 0) return n == 0 ? 0 : errno;
    *len += (size_t)n;
  }
}

static int read_message(run_t* run, char* error, size_t cap) {
  const char* file = run->o.file;
  int fd = STDIN_FILENO;
  sigset_t before;
  int rc;
  if (file != NULL && strcmp(file, "-") != 0) {
    fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
      snprintf(error, cap, "%.100s: %s", file, strerror(errno));
      return EXIT_NO_INPUT;
    }
  }
  hold_signals(&before);
  rc = read_all(fd, &before, &run->text, &run->len);
  (void)sigprocmask(SIG_SETMASK, &before, NULL);
  if (fd != STDIN_FILENO) (void)close(fd);
  if (stopped) {
    snprintf(error, cap, "interrupted before anything was sent");
    return EXIT_INTERRUPTED;
  }
  if (rc == 0) return 0;
  snprintf(error, cap, "%.100s: %s", file == NULL ? "standard input" : file,
           strerror(rc));
  return rc == ENOMEM ? EXIT_OS : EXIT_NO_INPUT;
}

static void set_timeouts(const options_t* o, uvsmtp_timeouts_t* t) {
  int64_t ms = o->timeout;
  if (ms > 0) {
    t->connect = t->greeting = t->hello = t->mail = t->rcpt = ms;
    t->data = t->text = t->dot = t->command = t->quit = ms;
  }
  if (o->connect_timeout > 0) t->connect = o->connect_timeout;
}

static int open_session(run_t* run) {
  const options_t* o = &run->o;
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
  target.host = o->host;
  target.port = o->port;
  if (o->host[0] == '/')
    snprintf(run->where, sizeof(run->where), "%s", o->host);
  else
    snprintf(run->where, sizeof(run->where), "%s port %d", o->host,
             o->port != 0 ? o->port
             : o->lmtp    ? 2003
                          : 25);
  if (o->bind_host[0] != '\0') target.bind_host = o->bind_host;
  target.bind_port = o->bind_port;
  set_timeouts(o, &timeouts);
  config.target = &target;
  config.timeouts = &timeouts;
  config.local_name = o->helo;
  if (o->lmtp) config.flags |= UVSMTP_SESSION_LMTP;
  if (o->no_pipelining) config.flags |= UVSMTP_SESSION_NO_PIPELINING;
  if (o->no_chunking) config.flags |= UVSMTP_SESSION_NO_CHUNKING;
  if (o->trace) {
    uvsmtp_printer_init(&run->trace, 0, NULL, NULL);
    config.trace = uvsmtp_printer_trace;
    config.trace_arg = &run->trace;
  }
  return uvsmtp_session_new(&run->session, run->env, &config);
}

static int submit(run_t* run) {
  const options_t* o = &run->o;
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
    uvsmtp_source_memory(&run->source, run->text, run->len);
    m.from = o->from;
    m.rcpts = list;
    m.nrcpts = o->to.n;
    m.body = &run->source.source;
    m.mail_options = o->mail_options.list;
    m.nmail_options = o->mail_options.n;
    m.rcpt_options = o->rcpt_options.list;
    m.nrcpt_options = o->rcpt_options.n;
    rc = uvsmtp_connect(run->session, NULL, connected, run);
    if (rc == 0) rc = uvsmtp_send(run->session, &m, sent, run);
    if (rc == 0) rc = uvsmtp_quit(run->session, quit, run);
  }
  free(rcpts);
  free(list);
  return rc;
}

static void watch_signals(run_t* run) {
  static const int signums[2] = {SIGINT, SIGTERM};
  size_t i;
  for (i = 0; i < 2; i++) {
    (void)uv_signal_init(&run->loop, &run->signals[i]);
    run->signals[i].data = run;
    (void)uv_signal_start(&run->signals[i], interrupted, signums[i]);
    uv_unref((uv_handle_t*)&run->signals[i]);
  }
}

/* Which of the arguments the library would not take: each is offered to it by
 * itself. What it does take ends unheard. */
static const char* culprit(run_t* run, const char** value) {
  const options_t* o = &run->o;
  size_t i;
  *value = o->from;
  if (uvsmtp_mail(run->session, o->from, NULL, 0, NULL, NULL) == UV_EINVAL)
    return "--from";
  for (i = 0; i < o->to.n; i++) {
    *value = o->to.list[i];
    if (uvsmtp_rcpt(run->session, *value, NULL, 0, NULL, NULL) == UV_EINVAL)
      return "--to";
  }
  for (i = 0; i < o->mail_options.n; i++) {
    *value = o->mail_options.list[i];
    if (uvsmtp_mail(run->session, "", value, 1, NULL, NULL) == UV_EINVAL)
      return "--mail-option";
  }
  for (i = 0; i < o->rcpt_options.n; i++) {
    *value = o->rcpt_options.list[i];
    if (uvsmtp_mail(run->session, "", value, 1, NULL, NULL) == UV_EINVAL)
      return "--rcpt-option";
  }
  return NULL;
}

static const char* complaint(int rc, run_t* run, char* text, size_t cap) {
  const char* value = NULL;
  const char* name;
  if (rc != UV_EINVAL) return uvsmtp_strerror(rc);
  if (run->session == NULL)
    return "the host, the port, --bind or --helo can't be used";
  name = culprit(run, &value);
  if (name == NULL) return "the addresses and options are too long together";
  snprintf(text, cap,
           "%s %.150s: malformed, too long, or with a control character", name,
           value);
  return text;
}

static int refuse(run_t* run, int rc) {
  char text[256];
  /* What was accepted before the refusal ends unheard. */
  run->silent = 1;
  return fail(&run->o, rc == UV_EINVAL ? "invalid-argument" : "local-error",
              rc == UV_EINVAL ? EXIT_BAD_USAGE : EXIT_OS,
              complaint(rc, run, text, sizeof(text)));
}

/* Runs the loop until every call has completed, and on until the session has
 * gone: unless it waits for a name lookup that the system is stuck in, which
 * can't be cancelled. */
static void run_loop(run_t* run) {
  int turns;
  while (!run->over && uv_run(&run->loop, UV_RUN_ONCE) != 0) continue;
  for (turns = 0; !run->closed && turns < TURNS; turns++)
    (void)uv_run(&run->loop, UV_RUN_NOWAIT);
  if (run->closed) (void)uv_run(&run->loop, UV_RUN_DEFAULT);
}

static int go(run_t* run) {
  int status = 0;
  int rc = uvsmtp_env_new(&run->env, &run->loop, NULL);
  if (rc != 0) return refuse(run, rc);
  rc = open_session(run);
  if (rc != 0) {
    status = refuse(run, rc);
    closed(NULL, run);
  } else {
    watch_signals(run);
    rc = submit(run);
    if (rc != 0) {
      status = refuse(run, rc);
      end(run);
    }
  }
  run->over = rc != 0;
  run_loop(run);
  return rc != 0 ? status : run->verdict.exit_status;
}

int send_main(int argc, char** argv) {
  static run_t run;
  const char* error = NULL;
  char text[256];
  int stuck = 0;
  int rc = options_parse(&run.o, argc, argv, &error);
  if (rc < 0) return finish(EXIT_SENT, 0);
  if (rc != 0) return finish(fail(&run.o, "invalid-argument", rc, error), 0);
  rc = read_message(&run, text, sizeof(text));
  if (rc != 0) {
    rc = fail(&run.o, rc == EXIT_INTERRUPTED ? "cancelled" : "local-error", rc,
              text);
  } else if (uv_loop_init(&run.loop) != 0) {
    rc = fail(&run.o, "local-error", EXIT_OS, "no event loop");
  } else {
    rc = go(&run);
    stuck = uv_loop_close(&run.loop) != 0;
  }
  if (run.json != NULL) json_print(run.json);
  json_decref(run.json);
  json_decref(run.connect_json);
  options_free(&run.o);
  free(run.text);
  rc = finish(rc, run.settled);
  /* At an orderly exit libuv waits for its threads. */
  if (stuck) _exit(rc);
  return rc;
}
