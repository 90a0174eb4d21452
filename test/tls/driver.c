/* SPDX-License-Identifier: MIT */
/* driver.c: sessions with TLS, many on one loop, for tests in Python.
 *
 * Reads a JSON object from each line of standard input and answers each with
 * one. {"settings": {...}} makes the settings that later sessions use,
 * {"jobs": [...], "at_once": N} runs sessions, N of them at a time, {"forget":
 * true} drops those that could be resumed. A job is a target and a list of
 * calls, made all at once; its session is closed when they have completed.
 *
 * What is called is the public interface alone. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "uvsmtp.h"

enum {
  OPS_MAX = 16,
  LIFETIME = 300 /* seconds: nobody waits for ever for one that hangs */
};

typedef struct world_s {
  uv_loop_t loop;
  uvsmtp_env_t* env;
  uvsmtp_tls_t* tls;
  int verdict; /* what the verify hook says */
  json_t* seen;
  const json_t* jobs;
  json_t* results;
  size_t next;
  size_t running;
} world_t;

typedef struct job_s {
  world_t* world;
  uvsmtp_session_t* session;
  json_t* out;
  json_t* ops;
  size_t called;
  size_t done;
  int closing;
  char* text;
  uvsmtp_memory_source_t body[OPS_MAX];
} job_t;

/* Octets that a read of a socket gives at most; 0: as many as there are. */
static size_t read_max;

/* As on a system that has no certificates. */
static int bare;

static void die(const char* why) {
  fprintf(stderr, "driver: %s\n", why);
  exit(64);
}

/* Instead of the C library's: what arrives is to come in pieces, however fast
 * it came. */
ssize_t read(int fd, void* buf, size_t n) {
  int type;
  socklen_t len = sizeof(type);
  if (read_max != 0 && n > read_max &&
      getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0)
    n = read_max;
  return syscall(SYS_read, fd, buf, n);
}

/* The same for files: the system's can be away. */
int open(const char* path, int flags, ...) {
  va_list list;
  int mode = 0;
  va_start(list, flags);
  if ((flags & O_CREAT) != 0) mode = va_arg(list, int);
  va_end(list);
  if (bare && (strncmp(path, "/etc/", 5) == 0 ||
               strncmp(path, "/usr/local/share/certs/", 23) == 0)) {
    errno = ENOENT;
    return -1;
  }
  return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

static const char* text_of(const json_t* object, const char* key) {
  return json_string_value(json_object_get(object, key));
}

static int64_t number_of(const json_t* object, const char* key) {
  return json_integer_value(json_object_get(object, key));
}

/* ---------------------------------------------------------------- settings */

static int verify(void* arg, const uvsmtp_tls_chain_t* chain) {
  world_t* world = arg;
  const char* name = uvsmtp_tls_chain_name(chain);
  json_t* lengths = json_array();
  size_t i;
  for (i = 0; i < uvsmtp_tls_chain_count(chain); i++)
    json_array_append_new(
        lengths,
        json_integer((json_int_t)uvsmtp_tls_chain_certificate(chain, i).len));
  if (uvsmtp_tls_chain_certificate(chain, i).len != 0) die("one too many");
  json_array_append_new(
      world->seen,
      json_pack("{s:s?,s:i,s:o}", "name", name, "problems",
                (int)uvsmtp_tls_chain_problems(chain), "chain", lengths));
  return world->verdict;
}

static uvsmtp_slice_t octets_of(const json_t* object, const char* key) {
  const json_t* value = json_object_get(object, key);
  uvsmtp_slice_t slice = {json_string_value(value), json_string_length(value)};
  return slice;
}

static void read_config(world_t* world, const json_t* from,
                        uvsmtp_tls_config_t* config, const char** pins) {
  const json_t* list = json_object_get(from, "pins");
  size_t i;
  config->flags = (unsigned int)number_of(from, "flags");
  config->ca_file = text_of(from, "ca_file");
  config->ca_dir = text_of(from, "ca_dir");
  config->ca = octets_of(from, "ca");
  config->cert_file = text_of(from, "cert_file");
  config->key_file = text_of(from, "key_file");
  config->cert = octets_of(from, "cert");
  config->key = octets_of(from, "key");
  config->min_version = (int)number_of(from, "min_version");
  config->max_version = (int)number_of(from, "max_version");
  config->ciphers = text_of(from, "ciphers");
  config->name = text_of(from, "name");
  config->cache_size = (uint32_t)number_of(from, "cache_size");
  config->cache_age = (uint32_t)number_of(from, "cache_age");
  if (json_array_size(list) > OPS_MAX) die("too many pins");
  for (i = 0; i < json_array_size(list); i++)
    pins[i] = json_string_value(json_array_get(list, i));
  config->pins = pins;
  config->npins = json_array_size(list);
  if (json_object_get(from, "verdict") != NULL) {
    config->verify = verify;
    config->verify_arg = world;
    world->verdict = (int)number_of(from, "verdict");
  }
}

static json_t* make_settings(world_t* world, const json_t* from) {
  uvsmtp_tls_config_t config = UVSMTP_TLS_CONFIG_INIT;
  const char* pins[OPS_MAX];
  const char* reason = NULL;
  int err;
  uvsmtp_tls_unref(world->tls);
  world->tls = NULL;
  read_config(world, from, &config, pins);
  read_max = (size_t)number_of(from, "read_max");
  bare = json_is_true(json_object_get(from, "bare"));
  err = uvsmtp_tls_new(&world->tls, &config, &reason);
  bare = 0;
  if (err != 0 && reason == NULL) die("no reason");
  return json_pack("{s:s,s:s?}", "error", uvsmtp_err_name(err), "reason",
                   err == 0 ? NULL : reason);
}

/* ----------------------------------------------------------------- results */

static json_t* tls_json(const uvsmtp_tls_info_t* info) {
  if (info == NULL) return json_null();
  return json_pack("{s:b,s:s,s:s,s:b,s:s?,s:b,s:i,s:s,s:s,s:i}", "established",
                   uvsmtp_tls_info_established(info), "version",
                   uvsmtp_tls_info_version_name(info), "cipher",
                   uvsmtp_tls_info_cipher(info), "resumed",
                   uvsmtp_tls_info_resumed(info), "name",
                   uvsmtp_tls_info_name(info), "verified",
                   uvsmtp_tls_info_verified(info), "problems",
                   (int)uvsmtp_tls_info_problems(info), "words",
                   uvsmtp_tls_info_problem_text(info), "error",
                   uvsmtp_tls_info_error_text(info), "certificate",
                   (int)uvsmtp_tls_info_certificate(info).len);
}

static void on_closed(uvsmtp_session_t* session, void* data);

static void close_if_done(job_t* job) {
  if (job->done < job->called || job->closing) return;
  job->closing = 1;
  if (uvsmtp_session_close(job->session, on_closed, job) != 0)
    die("the session does not close");
}

static void on_result(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                      void* data) {
  job_t* job = data;
  json_t* op = json_array_get(job->ops, job->done++);
  const uvsmtp_reply_t* reply = uvsmtp_result_reply(result);
  if (op == NULL) die("a completion of nothing");
  json_object_update_new(
      op,
      json_pack("{s:s,s:s,s:s,s:s,s:i,s:o}", "status",
                uvsmtp_err_name(uvsmtp_result_status(result)), "cause",
                uvsmtp_err_name(uvsmtp_result_cause(result)), "stage",
                uvsmtp_state_name(uvsmtp_result_stage(result)), "outcome",
                uvsmtp_outcome_name(uvsmtp_result_outcome(result)), "code",
                reply == NULL ? 0 : uvsmtp_reply_code(reply), "starttls",
                json_boolean(uvsmtp_session_has_extn(session, "STARTTLS"))));
  json_object_set_new(job->out, "tls", tls_json(uvsmtp_session_tls(session)));
  close_if_done(job);
}

/* ------------------------------------------------------------------- calls */

static int call_send(job_t* job) {
  uvsmtp_message_t message = UVSMTP_MESSAGE_INIT;
  uvsmtp_rcpt_t rcpt = UVSMTP_RCPT_INIT("recipient@example.net");
  const uvsmtp_rcpt_t* list[] = {&rcpt};
  uvsmtp_memory_source_t* body = &job->body[job->called];
  uvsmtp_source_memory(body, job->text, strlen(job->text));
  message.from = "sender@example.org";
  message.rcpts = list;
  message.nrcpts = 1;
  message.body = &body->source;
  return uvsmtp_send(job->session, &message, on_result, job);
}

static int call_open(job_t* job, const json_t* from) {
  uvsmtp_connection_t connection = UVSMTP_CONNECTION_INIT;
  connection.fd = (uv_os_sock_t)number_of(from, "fd");
  return uvsmtp_open(job->session, &connection, on_result, job);
}

static int call(job_t* job, const char* op, const json_t* from) {
  uvsmtp_session_t* s = job->session;
  if (strcmp(op, "connect") == 0)
    return uvsmtp_connect(s, NULL, on_result, job);
  if (strcmp(op, "open") == 0) return call_open(job, from);
  if (strcmp(op, "starttls") == 0) return uvsmtp_starttls(s, on_result, job);
  if (strcmp(op, "hello") == 0) return uvsmtp_hello(s, on_result, job);
  if (strcmp(op, "helo") == 0) return uvsmtp_helo(s, NULL, on_result, job);
  if (strcmp(op, "mail") == 0)
    return uvsmtp_mail(s, "a@example.org", NULL, 0, on_result, job);
  if (strcmp(op, "noop") == 0) return uvsmtp_noop(s, on_result, job);
  if (strcmp(op, "send") == 0) return call_send(job);
  if (strcmp(op, "quit") == 0) return uvsmtp_quit(s, on_result, job);
  die(op);
  return 0;
}

static char* text_for(const json_t* from) {
  size_t size = (size_t)number_of(from, "size");
  char* text = malloc(size + 32);
  size_t at;
  if (text == NULL) die("no memory");
  strcpy(text, "Subject: x\r\n\r\n");
  for (at = strlen(text); at < size; at++)
    text[at] = "0123456789abcdefghijklmnopqrstuvwxyz.\r\n"[at % 39];
  if (size > 0) text[at] = 0;
  return text;
}

static int new_session(job_t* job, const json_t* from) {
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
  target.host = text_of(from, "host");
  target.port = (int)number_of(from, "port");
  target.bind_host = text_of(from, "bind");
  target.tls = (int)number_of(from, "tls");
  target.tls_name = text_of(from, "name");
  target.tls_settings = job->world->tls;
  config.target = &target;
  config.local_name = "driver.example";
  config.flags = (unsigned int)number_of(from, "flags");
  timeouts.tls = number_of(from, "timeout"); /* of a handshake alone */
  config.timeouts = &timeouts;
  return uvsmtp_session_new(&job->session, job->world->env, &config);
}

static void begin(world_t* world);

static void on_closed(uvsmtp_session_t* session, void* data) {
  job_t* job = data;
  world_t* world = job->world;
  (void)session;
  if (job->done != job->called) die("not one completion for each call");
  free(job->text);
  free(job);
  world->running--;
  begin(world);
}

/* Begins the next job: its calls are all made at once. One that is refused is
 * told as "refused", and those behind it are not made. */
static void begin(world_t* world) {
  const json_t* from = json_array_get(world->jobs, world->next);
  const json_t* calls = json_object_get(from, "calls");
  job_t* job;
  size_t i;
  int err;
  if (from == NULL) return;
  world->next++;
  job = calloc(1, sizeof(*job));
  if (job == NULL || json_array_size(calls) > OPS_MAX) die("too much");
  job->world = world;
  job->text = text_for(from);
  job->ops = json_array();
  job->out = json_pack("{s:o,s:n}", "calls", job->ops, "tls");
  json_array_append_new(world->results, job->out);
  world->running++;
  err = new_session(job, from);
  if (err != 0) {
    json_object_set_new(job->out, "refused", json_string(uvsmtp_err_name(err)));
    on_closed(NULL, job);
    return;
  }
  for (i = 0; i < json_array_size(calls); i++) {
    const char* op = json_string_value(json_array_get(calls, i));
    err = call(job, op, from);
    if (err != 0) break;
    json_array_append_new(job->ops, json_pack("{s:s}", "call", op));
    job->called++;
  }
  if (err != 0)
    json_object_set_new(job->out, "refused", json_string(uvsmtp_err_name(err)));
  close_if_done(job);
}

/* -------------------------------------------------------------------- runs */

static json_t* stats_json(world_t* world) {
  uvsmtp_tls_stats_t stats = UVSMTP_TLS_STATS_INIT;
  if (world->tls == NULL) return json_null();
  if (uvsmtp_tls_stats(world->tls, &stats) != 0) die("no stats");
  return json_pack(
      "{s:I,s:I,s:I,s:I,s:I}", "full", (json_int_t)stats.full, "resumed",
      (json_int_t)stats.resumed, "refused", (json_int_t)stats.refused, "failed",
      (json_int_t)stats.failed, "cached", (json_int_t)stats.cached);
}

static json_t* run(world_t* world, const json_t* line) {
  size_t n = (size_t)number_of(line, "at_once");
  world->jobs = json_object_get(line, "jobs");
  world->results = json_array();
  world->seen = json_array();
  world->next = 0;
  do begin(world);
  while (world->running < n && world->next < json_array_size(world->jobs));
  uv_run(&world->loop, UV_RUN_DEFAULT);
  if (world->running != 0 || world->next < json_array_size(world->jobs))
    die("the loop ended, the sessions did not");
  return json_pack("{s:o,s:o,s:o}", "jobs", world->results, "stats",
                   stats_json(world), "seen", world->seen);
}

static json_t* serve(world_t* world, const json_t* line) {
  const json_t* settings = json_object_get(line, "settings");
  if (settings != NULL) return make_settings(world, settings);
  if (json_object_get(line, "forget") != NULL) {
    uvsmtp_tls_forget(world->tls);
    return json_pack("{s:o}", "stats", stats_json(world));
  }
  if (json_object_get(line, "library") != NULL)
    return json_pack("{s:s,s:i}", "library", uvsmtp_tls_library(), "version",
                     uvsmtp_tls_library_version());
  return run(world, line);
}

int main(void) {
  static world_t world;
  char* line = NULL;
  size_t cap = 0;
  alarm(LIFETIME);
  if (uv_loop_init(&world.loop) != 0 ||
      uvsmtp_env_new(&world.env, &world.loop, NULL) != 0)
    die("no environment");
  while (getline(&line, &cap, stdin) > 0) {
    json_error_t error;
    json_t* in = json_loads(line, 0, &error);
    json_t* out;
    if (in == NULL) die(error.text);
    out = serve(&world, in);
    json_dumpf(out, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
    putchar('\n');
    fflush(stdout);
    json_decref(in);
    json_decref(out);
  }
  free(line);
  uvsmtp_tls_unref(world.tls);
  if (uvsmtp_env_close(world.env, NULL, NULL) != 0) die("a session is left");
  uv_run(&world.loop, UV_RUN_DEFAULT);
  if (uv_loop_close(&world.loop) != 0) die("handles are left");
  return 0;
}
