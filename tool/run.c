/* SPDX-License-Identifier: MIT */
/* run.c: what every command does: a loop, one session, signals, the end. */
#include <netdb.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "tool.h"

/* Turns of the loop in which a session closes, unless the system is stuck. */
enum { TURNS = 64 };

/* ------------------------------------------------------------- the end */

int run_fail(const run_t* run, const char* status, int exit_status,
             const char* error) {
  verdict_t v = {status, exit_status, 0};
  if (run->o.json) {
    json_t* j;
    if (run->o.command == PROBE) {
      facts_t none;
      facts_init(&none);
      j = facts_json(run, &v, &none, error);
    } else {
      j = report_json_local(&v, error);
    }
    json_print(j);
    json_decref(j);
  } else {
    fputs("uvsmtp: ", stderr);
    text_print(stderr, error, strlen(error));
    fputc('\n', stderr);
  }
  return exit_status;
}

int run_fail_stopped(const run_t* run) {
  return run_fail(run, "cancelled", EXIT_INTERRUPTED,
                  "interrupted before anything was sent");
}

void run_end(run_t* run) {
  size_t i;
  if (run->session == NULL ||
      uvsmtp_session_close(run->session, NULL, NULL) != 0)
    return;
  run->session = NULL;
  for (i = 0; i < 2 && run->watching; i++)
    uv_close((uv_handle_t*)&run->signals[i], NULL);
  if (run->watching) uv_close((uv_handle_t*)&run->turn, NULL);
  run->watching = 0;
  if (run->ended != NULL) run->ended(run);
}

static void gone(uvsmtp_env_t* env, void* data) {
  run_t* run = data;
  (void)env;
  run->env = NULL;
}

/* The environment can be closed once its sessions have gone. They go, and it
 * does, unless they wait for a name lookup or a read that the system is stuck
 * in, which can't be cancelled. */
void run_loop(run_t* run) {
  int turns;
  int err = UV_EBUSY;
  if (!run->looping) return;
  while (!run->over && uv_run(&run->loop, UV_RUN_ONCE) != 0) continue;
  for (turns = 0; run->env != NULL && turns < TURNS; turns++) {
    (void)uv_run(&run->loop, UV_RUN_NOWAIT);
    if (err == UV_EBUSY) err = uvsmtp_env_close(run->env, gone, run);
  }
  if (run->env == NULL) (void)uv_run(&run->loop, UV_RUN_DEFAULT);
  run->stuck = uv_loop_close(&run->loop) != 0;
}

int run_exit(run_t* run, int status, int settled) {
  options_free(&run->o);
  if (!run->stuck) {
    uvsmtp_tls_unref(run->tls);
    uvsmtp_credentials_unref(run->credentials);
  }
  json_decref(run->auth);
  free(run->offered);
  status = finish(status, settled);
  /* At an orderly exit libuv waits for its threads. */
  if (run->stuck) _exit(status);
  return status;
}

/* --------------------------------------------------------------- set-up */

static void interrupted(uv_signal_t* handle, int signum) {
  (void)signum;
  run_end(handle->data);
}

/* A login has no completion of its own where a message has it done, and is
 * forgotten when the session is lost: so it is looked for after each turn of
 * the loop. */
static void turned(uv_check_t* turn) {
  run_t* run = turn->data;
  if (run->session != NULL) run_keep_login(run, run->session);
}

void run_watch(run_t* run) {
  static const int signums[2] = {SIGINT, SIGTERM};
  size_t i;
  for (i = 0; i < 2; i++) {
    (void)uv_signal_init(&run->loop, &run->signals[i]);
    run->signals[i].data = run;
    (void)uv_signal_start(&run->signals[i], interrupted, signums[i]);
    uv_unref((uv_handle_t*)&run->signals[i]);
  }
  (void)uv_check_init(&run->loop, &run->turn);
  run->turn.data = run;
  (void)uv_check_start(&run->turn, turned);
  uv_unref((uv_handle_t*)&run->turn);
  run->watching = 1;
}

static void set_timeouts(const options_t* o, uvsmtp_timeouts_t* t) {
  if (o->timeout > 0) (void)uvsmtp_timeouts_all(t, o->timeout);
  if (o->connect_timeout > 0) t->connect = o->connect_timeout;
}

static void set_where(run_t* run) {
  const server_t* s = &run->o.server;
  if (s->host[0] == '/')
    snprintf(run->where, sizeof(run->where), "%s", s->host);
  else
    snprintf(run->where, sizeof(run->where), "%s port %d", s->host,
             settings_port(&run->o));
}

enum { WITH_BIND = 1, WITH_HELO = 2, WITH_TRACE = 4 };

static void fill_target(const run_t* run, uvsmtp_target_t* target, int with) {
  const options_t* o = &run->o;
  target->host = o->server.host;
  target->port = settings_port(o);
  target->tls = settings_policy(o);
  target->tls_settings = run->tls;
  target->keepalive = o->keepalive;
  if (o->in_turn) target->flags |= UVSMTP_TARGET_IN_TURN;
  if (o->bind != NULL && (with & WITH_BIND)) {
    target->bind_host = o->bind_host;
    target->bind_port = o->bind_port;
  }
}

/* A probe tells its login from its hello: it has a call for each. */
int run_connect(run_t* run, uvsmtp_cb cb, void* data) {
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  fill_target(run, &target, WITH_BIND);
  if (run->o.command == SEND) target.credentials = run->credentials;
  return uvsmtp_connect(run->session, &target, cb, data);
}

static int make_session(run_t* run, uvsmtp_session_t** session, int with) {
  const options_t* o = &run->o;
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
  fill_target(run, &target, with);
  set_timeouts(o, &timeouts);
  config.target = &target;
  config.timeouts = &timeouts;
  if (with & WITH_HELO) config.local_name = o->helo;
  if (o->server.lmtp) config.flags |= UVSMTP_SESSION_LMTP;
  if (o->no_pipelining) config.flags |= UVSMTP_SESSION_NO_PIPELINING;
  if (o->no_chunking) config.flags |= UVSMTP_SESSION_NO_CHUNKING;
  if (o->trace && (with & WITH_TRACE)) {
    uvsmtp_printer_init(&run->printer, o->trace_flags, NULL, NULL);
    config.trace = uvsmtp_printer_trace;
    config.trace_arg = &run->printer;
  }
  return uvsmtp_session_new(session, run->env, &config);
}

int run_scratch(run_t* run, uvsmtp_session_t** session) {
  return make_session(run, session, WITH_BIND | WITH_HELO);
}

/* Which of the arguments the library would not take: they are offered to it
 * one after the other. */
static void culprit(run_t* run, char* text, size_t cap) {
  const options_t* o = &run->o;
  uvsmtp_session_t* s;
  char masked[512] = "";
  int with;
  for (with = 0; with <= (WITH_BIND | WITH_HELO); with++) {
    if (make_session(run, &s, with) != 0) break;
    (void)uvsmtp_session_close(s, NULL, NULL);
  }
  if (o->url != NULL) url_masked(o->url, masked, sizeof(masked));
  if (with == 0)
    snprintf(text, cap, "%s %.100s: the host can't be used",
             o->url_name != NULL ? o->url_name : "--server", masked);
  else if (with == WITH_BIND)
    snprintf(text, cap, "--bind %.100s: not an address to connect from",
             o->bind);
  else
    snprintf(text, cap,
             "--helo %.100s: not one word of printable characters, or too long",
             *o->helo == '\0' ? "''" : o->helo);
}

int run_log_in(run_t* run) {
  char text[1024];
  int rc = login_make(&run->o, run->where, &run->credentials, run->who, text,
                      sizeof(text));
  if (rc == EXIT_INTERRUPTED || (rc == 0 && signals_stopped()))
    return run_fail_stopped(run);
  if (rc == 0) return 0;
  return run_fail(
      run, rc == EXIT_BAD_USAGE ? "invalid-argument" : "local-error", rc, text);
}

int run_open(run_t* run) {
  char text[512];
  int rc;
  if (uv_loop_init(&run->loop) != 0)
    return run_fail(run, "local-error", EXIT_OS, "no event loop");
  run->looping = 1;
  run->over = 1;
  set_where(run);
  rc = settings_make(&run->o, &run->tls, text, sizeof(text));
  if (rc != 0)
    return run_fail(run,
                    rc == EXIT_BAD_USAGE ? "invalid-argument" : "local-error",
                    rc, text);
  rc = uvsmtp_env_new(&run->env, &run->loop, NULL);
  if (rc == 0)
    rc = make_session(run, &run->session, WITH_BIND | WITH_HELO | WITH_TRACE);
  run->over = rc != 0;
  if (rc == 0) return 0;
  if (rc == UV_EINVAL) {
    culprit(run, text, sizeof(text));
    return run_fail(run, "invalid-argument", EXIT_BAD_USAGE, text);
  }
  return run_fail(run, "local-error", EXIT_OS, uvsmtp_strerror(rc));
}

/* ------------------------------------------------------------- addresses */

void address_text(const run_t* run, const struct sockaddr* address, int people,
                  char* to, size_t cap) {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  socklen_t len = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                 : sizeof(struct sockaddr_in);
  if (address->sa_family == AF_UNIX || address->sa_family == AF_UNSPEC) {
    snprintf(to, cap, "%s", run->o.server.host);
    return;
  }
  /* Unlike uv_ip6_name this tells the zone of a link-local address. */
  if (getnameinfo(address, len, host, sizeof(host), port, sizeof(port),
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    snprintf(to, cap, "?");
  else if (people)
    snprintf(to, cap, "%s port %s", host, port);
  else
    snprintf(to, cap, address->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
             host, port);
}

void run_flush_trace(run_t* run) {
  if (run->o.trace) uvsmtp_printer_flush(&run->printer);
}

/* What the server offers is forgotten with the session's end. */
void run_keep_login(run_t* run, const uvsmtp_session_t* session) {
  const char* mech = uvsmtp_session_auth(session);
  if (run->credentials == NULL) return;
  if (mech != NULL && run->auth == NULL)
    run->auth =
        json_pack("{s:s, s:o}", "mechanism", mech, "user",
                  *run->who == '\0' ? json_null()
                                    : text_json(run->who, strlen(run->who)));
  if (run->offered == NULL && uvsmtp_session_ehlo_reply(session) != NULL) {
    const char* mechs = uvsmtp_session_extn(session, "AUTH");
    run->offered = strdup(mechs == NULL ? "" : mechs);
  }
}

void run_keep_attempts(run_t* run, const uvsmtp_session_t* session) {
  size_t n = uvsmtp_session_attempt_count(session);
  size_t i;
  for (i = 0; i < n && i < ATTEMPTS; i++) {
    const uvsmtp_attempt_t* from = uvsmtp_session_attempt(session, i);
    const struct sockaddr* address = uvsmtp_attempt_address(from);
    attempt_t* to = &run->attempts[i];
    memset(to, 0, sizeof(*to));
    if (address != NULL)
      memcpy(&to->address, address,
             address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                            : sizeof(struct sockaddr_in));
    to->status = uvsmtp_attempt_status(from);
    to->ms = uvsmtp_attempt_duration(from);
  }
  run->nattempts = i;
}

json_t* run_attempts_json(const run_t* run) {
  json_t* list = json_array();
  size_t i;
  for (i = 0; i < run->nattempts; i++) {
    const attempt_t* a = &run->attempts[i];
    char address[NI_MAXHOST + NI_MAXSERV];
    address_text(run, (const struct sockaddr*)&a->address, 0, address,
                 sizeof(address));
    json_array_append_new(
        list, json_pack("{s:o, s:s, s:I}", "address",
                        text_json(address, strlen(address)), "status",
                        uvsmtp_err_name(a->status), "ms", (json_int_t)a->ms));
  }
  return list;
}
