/* SPDX-License-Identifier: MIT */
/* tls_own.c: the same dialogues by uvsmtp, as a program would have them. */
#include <stdlib.h>
#include <string.h>

#include "tls_bench.h"
#include "uvsmtp.h"

struct own_s {
  job_t job;
  uv_loop_t loop;
  uvsmtp_tls_t* tls;
  uvsmtp_env_t* env;
  uvsmtp_memory_source_t body;
  uvsmtp_session_t** held;
  int nheld;
  int left; /* sessions to be begun */
  char suite[64];
  cost_t
      cost; /* when the message was given to the library, then what it took */
};

static void check(int err, const char* what) {
  if (err != 0) die("%s: %s", what, uvsmtp_strerror(err));
}

static void check_result(uvsmtp_session_t* s, const uvsmtp_result_t* r) {
  int status = uvsmtp_result_status(r);
  int cause = uvsmtp_result_cause(r);
  const uvsmtp_tls_info_t* tls = uvsmtp_session_tls(s);
  if (status == 0) return;
  die("%s: %s: %s %s", uvsmtp_state_name(uvsmtp_result_stage(r)),
      uvsmtp_strerror(status), uvsmtp_strerror(cause),
      tls == NULL ? "" : uvsmtp_tls_info_error_text(tls));
}

own_t* own_new(const job_t* job) {
  uvsmtp_tls_config_t config = UVSMTP_TLS_CONFIG_INIT;
  uvsmtp_env_config_t env = UVSMTP_ENV_CONFIG_INIT;
  const char* reason = NULL;
  own_t* o = calloc(1, sizeof(*o));
  if (o == NULL) die("no memory");
  o->job = *job;
  config.ca_file = job->ca;
  config.max_version = job->version;
  if (job->suite != NULL) config.ciphers = job->suite->iana;
  if (!job->resume) config.flags = UVSMTP_TLS_NO_RESUMPTION;
  if (uvsmtp_tls_new(&o->tls, &config, &reason) != 0) die("TLS: %s", reason);
  env.tls = o->tls;
  check(uv_loop_init(&o->loop), "loop");
  check(uvsmtp_env_new(&o->env, &o->loop, &env), "environment");
  return o;
}

void own_free(own_t* o) {
  check(uvsmtp_env_close(o->env, NULL, NULL), "closing");
  (void)uv_run(&o->loop, UV_RUN_DEFAULT);
  check(uv_loop_close(&o->loop), "closing the loop");
  uvsmtp_tls_unref(o->tls);
  free(o);
}

static uvsmtp_session_t* open_session(own_t* o) {
  static const int policies[] = {
      [WAY_CLEAR] = UVSMTP_TLS_NONE,
      [WAY_STARTTLS] = UVSMTP_TLS_REQUIRED,
      [WAY_IMPLICIT] = UVSMTP_TLS_IMPLICIT,
  };
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_session_t* s;
  target.host = "127.0.0.1";
  target.port = o->job.port;
  target.tls = policies[o->job.way];
  target.tls_name = "localhost";
  config.target = &target;
  config.local_name = "bench.example";
  config.data = o;
  check(uvsmtp_session_new(&s, o->env, &config), "session");
  check(uvsmtp_connect(s, NULL, NULL, NULL), "connect");
  return s;
}

static void note_suite(own_t* o, const uvsmtp_session_t* s) {
  const uvsmtp_tls_info_t* tls = uvsmtp_session_tls(s);
  if (tls == NULL) return;
  snprintf(o->suite, sizeof(o->suite), "%s %s",
           uvsmtp_tls_info_version_name(tls), uvsmtp_tls_info_cipher(tls));
}

/* ------------------------------------------------------------ in succession */

static void next_session(own_t* o);

static void on_end(uvsmtp_session_t* s, void* data) {
  (void)s;
  next_session(data);
}

static void on_done(uvsmtp_session_t* s, const uvsmtp_result_t* r, void* data) {
  own_t* o = data;
  check_result(s, r);
  if (o->left == 0) note_suite(o, s);
  o->cost.cpu = cpu_us() - o->cost.cpu;
  o->cost.wall = wall_us() - o->cost.wall;
}

static void send_message(own_t* o, uvsmtp_session_t* s) {
  static const uvsmtp_rcpt_t to = UVSMTP_RCPT_INIT("b@bench.example");
  static const uvsmtp_rcpt_t* const rcpts[] = {&to};
  uvsmtp_message_t message = UVSMTP_MESSAGE_INIT;
  uvsmtp_source_memory(&o->body, message_text(o->job.octets), o->job.octets);
  message.from = "a@bench.example";
  message.rcpts = rcpts;
  message.nrcpts = 1;
  message.body = &o->body.source;
  check(uvsmtp_send(s, &message, on_done, o), "send");
}

static void next_session(own_t* o) {
  uvsmtp_session_t* s;
  if (o->left == 0) return;
  o->left--;
  if (o->job.forget) uvsmtp_tls_forget(o->tls);
  s = open_session(o);
  if (o->job.octets > 0)
    send_message(o, s);
  else
    check(uvsmtp_hello(s, on_done, o), "hello");
  check(uvsmtp_session_end(s, on_end, o), "end");
}

void own_sessions(own_t* o, int n) {
  o->left = n;
  next_session(o);
  (void)uv_run(&o->loop, UV_RUN_DEFAULT);
}

/* ------------------------------------------------------------- one message */

static void on_ready(uvsmtp_session_t* s, const uvsmtp_result_t* r,
                     void* data) {
  own_t* o = data;
  check_result(s, r);
  o->cost.cpu = cpu_us();
  o->cost.wall = wall_us();
  send_message(o, s);
  check(uvsmtp_session_end(s, NULL, NULL), "end");
}

cost_t own_message(own_t* o) {
  uvsmtp_session_t* s = open_session(o);
  check(uvsmtp_hello(s, on_ready, o), "hello");
  (void)uv_run(&o->loop, UV_RUN_DEFAULT);
  return o->cost;
}

/* ------------------------------------------------------------ at a standstill
 */

static void on_idle(uvsmtp_session_t* s, const uvsmtp_result_t* r, void* data) {
  own_t* o = data;
  check_result(s, r);
  note_suite(o, s);
  uv_stop(&o->loop);
}

void own_hold(own_t* o, int n) {
  o->held = calloc((size_t)n, sizeof(*o->held));
  if (o->held == NULL) die("no memory");
  for (o->nheld = 0; o->nheld < n; o->nheld++) {
    o->held[o->nheld] = open_session(o);
    check(uvsmtp_hello(o->held[o->nheld], on_idle, o), "hello");
    (void)uv_run(&o->loop, UV_RUN_DEFAULT);
  }
}

void own_release(own_t* o) {
  while (o->nheld > 0)
    check(uvsmtp_session_end(o->held[--o->nheld], NULL, NULL), "end");
  (void)uv_run(&o->loop, UV_RUN_DEFAULT);
  free(o->held);
  o->held = NULL;
}

const char* own_suite(const own_t* o) { return o->suite; }

uint64_t own_resumed(const own_t* o) {
  uvsmtp_tls_stats_t stats = UVSMTP_TLS_STATS_INIT;
  check(uvsmtp_tls_stats(o->tls, &stats), "statistics");
  return stats.resumed;
}
