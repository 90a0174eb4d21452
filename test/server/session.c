/* SPDX-License-Identifier: MIT */
/* session.c: the calls of a session, one by one, for tests in other languages.
 *
 * Reads a JSON array from each line of standard input, such as ["rcpt",
 * "a@example.org", ["NOTIFY=NEVER"]], makes the call, runs the loop until it
 * has completed, and answers with a JSON object on a line of its own: so a test
 * can do between two calls what it likes to the server. Octets of the server's
 * are written as the characters of their numbers. The first call is "session".
 *
 * What is called is the public interface alone, and what is printed is what it
 * says: the test is to see what any program would. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "own.h"
#include "parcel.h"
#include "uvsmtp.h"

enum {
  LIST_MAX = 64,
  LIFETIME = 120 /* seconds: nobody waits for ever for a call that hangs */
};

typedef struct run_s {
  uv_loop_t loop;
  uvsmtp_env_t* env;
  uvsmtp_session_t* session;         /* NULL: none, or gone */
  uvsmtp_tls_t* tls;                 /* NULL: the environment's */
  uvsmtp_credentials_t* credentials; /* NULL: none */
  json_t* tokens;                    /* what the credentials' hook answers */
  json_t* asked;                     /* when it was asked: was it for another */
  uvsmtp_token_query_t* query;       /* to be answered by the timer */
  uv_timer_t timer;
  json_t* config;
  json_t* out;
  int done;
  uvsmtp_memory_source_t body;
  uvsmtp_printer_t printer;
  own_t* own;      /* mechanisms */
  parcel_t parcel; /* what is being sent */
} run_t;

/* A list of strings, as the library takes them. */
typedef struct list_s {
  const char* list[LIST_MAX];
  size_t n;
} list_t;

static void die(const char* why) {
  fprintf(stderr, "session: %s\n", why);
  exit(64);
}

/* --------------------------------------------------------------- arguments */

static const char* text_at(const json_t* op, size_t i) {
  return json_string_value(json_array_get(op, i));
}

static void list_at(const json_t* op, size_t i, list_t* list) {
  const json_t* from = json_array_get(op, i);
  size_t at;
  list->n = json_array_size(from);
  if (list->n > LIST_MAX) die("too many");
  for (at = 0; at < list->n; at++)
    list->list[at] = json_string_value(json_array_get(from, at));
}

/* A string that may have a NUL in it. */
static const char* octets_of(const json_t* object, const char* key,
                             size_t* len) {
  const json_t* value = json_object_get(object, key);
  *len = value != NULL ? json_string_length(value) : 0;
  return json_string_value(value);
}

static int policy_of(const json_t* from) {
  static const char* const names[] = {"none", "opportunistic", "required",
                                      "implicit"};
  const char* name = string_of(from, "tls");
  int i;
  if (name == NULL) return UVSMTP_TLS_DEFAULT;
  for (i = 0; i < 4; i++)
    if (strcmp(name, names[i]) == 0) return UVSMTP_TLS_NONE + i;
  die("no such policy");
  return 0;
}

static void read_target(const run_t* run, const json_t* from,
                        uvsmtp_target_t* target) {
  target->host = string_of(from, "host");
  target->port = (int)number_of(from, "port");
  target->tls = policy_of(from);
  target->tls_settings = run->tls;
  target->tls_name = string_of(from, "tls_name");
  target->bind_host = string_of(from, "bind_host");
  target->bind_port = (int)number_of(from, "bind_port");
  if (json_is_true(json_object_get(from, "credentials")))
    target->credentials = run->credentials;
}

static uvsmtp_source_t* text_source(run_t* run, const json_t* op, size_t i) {
  const json_t* text = json_array_get(op, i);
  uvsmtp_source_memory(&run->body, json_string_value(text),
                       json_string_length(text));
  return &run->body.source;
}

/* ----------------------------------------------------------------- results */

static json_t* reply_json(const uvsmtp_reply_t* reply) {
  size_t len;
  const char* text;
  if (reply == NULL) return json_null();
  text = uvsmtp_reply_text(reply, &len);
  return json_pack("[io]", uvsmtp_reply_code(reply), octets_json(text, len));
}

/* The map of those whose RCPT was refused, as smtplib has it: a key has one
 * value, so what counts for an address that was given twice is the library's
 * word for the first of them. */
static json_t* refused_json(const uvsmtp_result_t* result) {
  json_t* map = json_object();
  size_t n = uvsmtp_result_rcpt_count(result);
  size_t i;
  for (i = 0; i < n; i++) {
    const uvsmtp_rcpt_result_t* rcpt = uvsmtp_result_rcpt(result, i);
    const char* address = uvsmtp_rcpt_result_address(rcpt);
    const uvsmtp_reply_t* reply = uvsmtp_rcpt_result_rcpt_reply(rcpt);
    if (uvsmtp_result_find_rcpt(result, address) == NULL)
      die("find_rcpt does not find a recipient");
    if (reply == NULL || uvsmtp_reply_code(reply) / 100 == 2) continue;
    json_object_set_new(map, address, reply_json(reply));
  }
  return map;
}

static json_t* recipients_json(const uvsmtp_result_t* result) {
  json_t* list = json_array();
  size_t n = uvsmtp_result_rcpt_count(result);
  size_t i;
  for (i = 0; i < n; i++) {
    const uvsmtp_rcpt_result_t* rcpt = uvsmtp_result_rcpt(result, i);
    json_array_append_new(
        list, json_pack("[sssso]", uvsmtp_rcpt_result_address(rcpt),
                        uvsmtp_err_name(uvsmtp_rcpt_result_status(rcpt)),
                        uvsmtp_outcome_name(uvsmtp_rcpt_result_outcome(rcpt)),
                        uvsmtp_state_name(uvsmtp_rcpt_result_stage(rcpt)),
                        reply_json(uvsmtp_rcpt_result_reply(rcpt))));
  }
  return list;
}

static void set_status(run_t* run, int status) {
  const char* class_name = uvsmtp_err_class(status);
  json_object_set_new(run->out, "error", json_string(uvsmtp_err_name(status)));
  json_object_set_new(
      run->out, "class",
      class_name == NULL ? json_null() : json_string(class_name));
}

static void on_result(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                      void* data) {
  run_t* run = data;
  json_t* out = run->out;
  const char* sender = uvsmtp_result_sender(result);
  const char* detail = uvsmtp_result_detail(result);
  unsigned short code[3];
  const uvsmtp_reply_t* reply = uvsmtp_result_reply(result);
  (void)session;
  if (run->done++) die("a second completion");
  set_status(run, uvsmtp_result_status(result));
  json_object_set_new(
      out, "cause", json_string(uvsmtp_err_name(uvsmtp_result_cause(result))));
  json_object_set_new(
      out, "stage",
      json_string(uvsmtp_state_name(uvsmtp_result_stage(result))));
  json_object_set_new(
      out, "outcome",
      json_string(uvsmtp_outcome_name(uvsmtp_result_outcome(result))));
  json_object_set_new(out, "reply", reply_json(reply));
  if (reply != NULL && uvsmtp_reply_enhanced(reply, code))
    json_object_set_new(out, "enhanced",
                        json_pack("[iii]", code[0], code[1], code[2]));
  if (sender != NULL) json_object_set_new(out, "sender", json_string(sender));
  if (detail != NULL)
    json_object_set_new(out, "detail", octets_json(detail, strlen(detail)));
  json_object_set_new(out, "omitted",
                      json_integer(uvsmtp_result_omitted(result)));
  if (uvsmtp_result_rcpt_count(result) > 0) {
    json_object_set_new(out, "refused", refused_json(result));
    json_object_set_new(out, "recipients", recipients_json(result));
  }
}

static json_t* extensions_json(const uvsmtp_session_t* s) {
  json_t* map = json_object();
  size_t cursor = 0;
  uvsmtp_slice_t keyword;
  uvsmtp_slice_t params;
  while (uvsmtp_session_next_extn(s, &cursor, &keyword, &params)) {
    char key[256];
    snprintf(key, sizeof(key), "%.*s", (int)keyword.len,
             (const char*)keyword.base);
    json_object_set_new(map, key, octets_json(params.base, params.len));
  }
  return map;
}

/* The TLS of the connection; null: none. */
static json_t* tls_json(const uvsmtp_tls_info_t* info) {
  if (info == NULL) return json_null();
  return json_pack("{sb sb sb ss ss ss ss si}", "established",
                   uvsmtp_tls_info_established(info), "resumed",
                   uvsmtp_tls_info_resumed(info), "verified",
                   uvsmtp_tls_info_verified(info), "version",
                   uvsmtp_tls_info_version_name(info), "cipher",
                   uvsmtp_tls_info_cipher(info), "problems",
                   uvsmtp_tls_info_problem_text(info), "failure",
                   uvsmtp_tls_info_error_text(info), "certificate",
                   (int)uvsmtp_tls_info_certificate(info).len);
}

/* What can be asked of the session after the call. */
static void look(run_t* run) {
  const uvsmtp_session_t* s = run->session;
  const char* auth;
  uv_os_fd_t fd;
  json_t* out = run->out;
  if (s == NULL) return;
  auth = uvsmtp_session_auth(s);
  json_object_set_new(out, "auth",
                      auth == NULL ? json_null() : json_string(auth));
  json_object_set(out, "asked", run->asked);
  json_object_set_new(out, "state",
                      json_string(uvsmtp_state_name(uvsmtp_session_state(s))));
  json_object_set_new(out, "open",
                      json_boolean(uvsmtp_session_fileno(s, &fd) == 0));
  json_object_set_new(out, "esmtp", json_boolean(uvsmtp_session_does_esmtp(s)));
  json_object_set_new(out, "ehlo", reply_json(uvsmtp_session_ehlo_reply(s)));
  json_object_set_new(out, "helo", reply_json(uvsmtp_session_helo_reply(s)));
  json_object_set_new(out, "extensions", extensions_json(s));
  json_object_set_new(out, "tls", tls_json(uvsmtp_session_tls(s)));
}

/* ------------------------------------------------------------------- calls */

static int new_session(run_t* run, const json_t* from) {
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
  const json_t* timeout = json_object_get(from, "timeout");
  int err;
  read_target(run, from, &target);
  config.target = &target;
  config.local_name = string_of(from, "name");
  config.max_reply_line = (uint32_t)number_of(from, "max_reply_line");
  config.flags = (unsigned int)number_of(from, "flags");
  if (json_is_true(json_object_get(from, "lmtp")))
    config.flags |= UVSMTP_SESSION_LMTP;
  if (json_is_false(json_object_get(from, "pipelining")))
    config.flags |= UVSMTP_SESSION_NO_PIPELINING;
  if (json_is_false(json_object_get(from, "chunking")))
    config.flags |= UVSMTP_SESSION_NO_CHUNKING;
  if (timeout != NULL) {
    err = uvsmtp_timeouts_all(&timeouts, json_integer_value(timeout));
    if (err != 0) return err;
    config.timeouts = &timeouts;
  }
  return uvsmtp_session_new(&run->session, run->env, &config);
}

static int call_session(run_t* run, const json_t* op) {
  json_decref(run->config);
  run->config = json_incref(json_array_get(op, 1));
  set_status(run, 0);
  run->done = 1;
  return new_session(run, run->config);
}

/* ["tls", {...}]: settings for all sessions that come, none of which has a
 * cache yet. */
static int call_tls(run_t* run, const json_t* op) {
  uvsmtp_tls_config_t config = UVSMTP_TLS_CONFIG_INIT;
  const json_t* from = json_array_get(op, 1);
  const char* reason = NULL;
  int err;
  config.ca_file = string_of(from, "ca");
  config.flags = (unsigned int)number_of(from, "flags");
  config.min_version = (int)number_of(from, "min_version");
  config.max_version = (int)number_of(from, "max_version");
  config.cache_size = (uint32_t)number_of(from, "cache_size");
  config.cache_age = (uint32_t)number_of(from, "cache_age");
  uvsmtp_tls_unref(run->tls);
  run->tls = NULL;
  err = uvsmtp_tls_new(&run->tls, &config, &reason);
  if (err != 0 && reason != NULL) fprintf(stderr, "tls: %s\n", reason);
  set_status(run, err);
  run->done = 1;
  return err;
}

/* What can be asked of the settings. */
static int call_stats(run_t* run, const json_t* op) {
  uvsmtp_tls_stats_t stats = UVSMTP_TLS_STATS_INIT;
  int err;
  (void)op;
  if (run->tls == NULL) die("no settings");
  err = uvsmtp_tls_stats(run->tls, &stats);
  json_object_set_new(
      run->out, "stats",
      json_pack("{sI sI sI sI sI}", "full", (json_int_t)stats.full, "resumed",
                (json_int_t)stats.resumed, "refused", (json_int_t)stats.refused,
                "failed", (json_int_t)stats.failed, "cached",
                (json_int_t)stats.cached));
  json_object_set_new(run->out, "newest",
                      json_integer(uvsmtp_tls_library_version()));
  set_status(run, err);
  run->done = 1;
  return err;
}

static int call_forget(run_t* run, const json_t* op) {
  (void)op;
  uvsmtp_tls_forget(run->tls);
  set_status(run, 0);
  run->done = 1;
  return 0;
}

/* The session with its connection is gone, and what comes next finds a new one:
 * smtplib's object can be used again after its close. */
static void on_closed(uvsmtp_session_t* session, void* data) {
  run_t* run = data;
  (void)session;
  set_status(run, 0);
  run->session = NULL;
  run->done++;
}

static int call_close(run_t* run, const json_t* op) {
  (void)op;
  return uvsmtp_session_close(run->session, on_closed, run);
}

static int call_end(run_t* run, const json_t* op) {
  (void)op;
  return uvsmtp_session_end(run->session, on_closed, run);
}

static int call_connect(run_t* run, const json_t* op) {
  const json_t* from = json_array_get(op, 1);
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  if (from == NULL) return uvsmtp_connect(run->session, NULL, on_result, run);
  read_target(run, from, &target);
  return uvsmtp_connect(run->session, &target, on_result, run);
}

static int call_starttls(run_t* run, const json_t* op) {
  (void)op;
  return uvsmtp_starttls(run->session, on_result, run);
}

/* The hook's answer comes when it is not expected any more. */
static void on_timer(uv_timer_t* timer) {
  run_t* run = timer->data;
  uvsmtp_token_query_t* query = run->query;
  const json_t* token =
      json_array_get(run->tokens, json_array_size(run->asked) - 1);
  run->query = NULL;
  if (json_is_string(token))
    uvsmtp_token_done(query, 0, json_string_value(token),
                      json_string_length(token));
  else
    uvsmtp_token_done(query, UV_ENOENT, NULL, 0);
}

static int on_token(void* arg, uvsmtp_token_query_t* query) {
  run_t* run = arg;
  if (run->query != NULL) die("a second query");
  json_array_append_new(run->asked,
                        json_integer(uvsmtp_token_query_refresh(query)));
  run->query = query;
  return uv_timer_start(&run->timer, on_timer, 1, 0);
}

/* ["credentials", {...}]: for login and auth, and for targets that say that
 * they have them. With "tokens" a hook is asked, which answers with one after
 * the other; null is an error. */
static int call_credentials(run_t* run, const json_t* op) {
  uvsmtp_credentials_config_t config = UVSMTP_CREDENTIALS_CONFIG_INIT;
  const json_t* from = json_array_get(op, 1);
  json_t* tokens = json_object_get(from, "tokens");
  const char* why = NULL;
  int err;
  config.user = octets_of(from, "user", &config.user_len);
  config.password = octets_of(from, "password", &config.password_len);
  config.authzid = string_of(from, "authzid");
  config.token = string_of(from, "token");
  config.mechs = string_of(from, "mechs");
  config.flags = (unsigned int)number_of(from, "flags");
  json_decref(run->tokens);
  run->tokens = json_incref(tokens);
  json_array_clear(run->asked);
  if (tokens != NULL) {
    config.token_cb = on_token;
    config.token_arg = run;
  }
  uvsmtp_credentials_unref(run->credentials);
  run->credentials = NULL;
  err = uvsmtp_credentials_new(&run->credentials, &config, &why);
  if (why != NULL) json_object_set_new(run->out, "why", json_string(why));
  set_status(run, err);
  run->done = 1;
  return err;
}

static int call_login(run_t* run, const json_t* op) {
  (void)op;
  return uvsmtp_login(run->session, run->credentials, on_result, run);
}

/* ["auth", mechanism, flags]: see own.h for one of a test's own. */
static int call_auth(run_t* run, const json_t* op) {
  unsigned int flags = (unsigned int)json_integer_value(json_array_get(op, 2));
  const json_t* from = json_array_get(op, 1);
  const uvsmtp_mech_t* mech = json_is_object(from)
                                  ? own_mech(&run->own, from)
                                  : uvsmtp_mech(json_string_value(from));
  if (mech == NULL) die("no such mechanism");
  if (json_is_object(from))
    json_object_set_new(run->out, "heard", own_heard(run->own));
  return uvsmtp_auth(run->session, mech, run->credentials, flags, on_result,
                     run);
}

static int call_ehlo(run_t* run, const json_t* op) {
  return uvsmtp_ehlo(run->session, text_at(op, 1), on_result, run);
}

static int call_helo(run_t* run, const json_t* op) {
  return uvsmtp_helo(run->session, text_at(op, 1), on_result, run);
}

static int call_hello(run_t* run, const json_t* op) {
  (void)op;
  return uvsmtp_hello(run->session, on_result, run);
}

static int call_mail(run_t* run, const json_t* op) {
  list_t options;
  list_at(op, 2, &options);
  return uvsmtp_mail(run->session, text_at(op, 1), options.list, options.n,
                     on_result, run);
}

static int call_rcpt(run_t* run, const json_t* op) {
  list_t options;
  list_at(op, 2, &options);
  return uvsmtp_rcpt(run->session, text_at(op, 1), options.list, options.n,
                     on_result, run);
}

static int call_data(run_t* run, const json_t* op) {
  return uvsmtp_data(run->session, text_source(run, op, 1),
                     UVSMTP_LINES_NORMALISE, on_result, run);
}

/* ["message", {...}]: see parcel.h for its members; by_header: what it does not
 * say is in the message's header. */
static int call_message(run_t* run, const json_t* op) {
  const json_t* from = json_array_get(op, 1);
  parcel_read(&run->parcel, from);
  return json_is_true(json_object_get(from, "by_header"))
             ? uvsmtp_send_message(run->session, &run->parcel.message,
                                   on_result, run)
             : uvsmtp_send(run->session, &run->parcel.message, on_result, run);
}

/* ["sendmail", from, [to ...], text, [mail option ...], [rcpt option ...]] */
static int call_sendmail(run_t* run, const json_t* op) {
  json_t* from = json_object();
  size_t i;
  int err;
  static const char* const names[] = {"from", "to", "text", "mail_options",
                                      "rcpt_options"};
  for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
    json_object_set(from, names[i], json_array_get(op, i + 1));
  parcel_read(&run->parcel, from);
  err = uvsmtp_send(run->session, &run->parcel.message, on_result, run);
  /* Its strings are those of op. */
  json_decref(from);
  return err;
}

static int call_rset(run_t* run, const json_t* op) {
  (void)op;
  return uvsmtp_rset(run->session, on_result, run);
}

static int call_noop(run_t* run, const json_t* op) {
  (void)op;
  return uvsmtp_noop(run->session, on_result, run);
}

static int call_quit(run_t* run, const json_t* op) {
  (void)op;
  return uvsmtp_quit(run->session, on_result, run);
}

static int call_docmd(run_t* run, const json_t* op) {
  return uvsmtp_command(run->session, text_at(op, 1), on_result, run);
}

/* ["burl", URL, is it the last] */
static int call_burl(run_t* run, const json_t* op) {
  return uvsmtp_burl(run->session, text_at(op, 1),
                     json_is_true(json_array_get(op, 2)), on_result, run);
}

static int call_etrn(run_t* run, const json_t* op) {
  return uvsmtp_etrn(run->session, text_at(op, 1), on_result, run);
}

/* ["xforward", [[name, value or null], ...]]; xclient likewise. */
static int call_attributes(run_t* run, const json_t* op,
                           int (*call)(uvsmtp_session_t*,
                                       const uvsmtp_attribute_t*, size_t,
                                       uvsmtp_cb, void*)) {
  size_t n;
  uvsmtp_attribute_t* attributes = attributes_of(json_array_get(op, 1), &n);
  int err = call(run->session, attributes, n, on_result, run);
  free(attributes);
  return err;
}

static int call_xforward(run_t* run, const json_t* op) {
  return call_attributes(run, op, uvsmtp_xforward);
}

static int call_xclient(run_t* run, const json_t* op) {
  return call_attributes(run, op, uvsmtp_xclient);
}

static int call_verify(run_t* run, const json_t* op) {
  return uvsmtp_verify(run->session, text_at(op, 1), on_result, run);
}

static int call_expn(run_t* run, const json_t* op) {
  return uvsmtp_expn(run->session, text_at(op, 1), on_result, run);
}

static int call_help(run_t* run, const json_t* op) {
  return uvsmtp_help(run->session, text_at(op, 1), on_result, run);
}

static int call_has_extn(run_t* run, const json_t* op) {
  int has = uvsmtp_session_has_extn(run->session, text_at(op, 1));
  set_status(run, 0);
  json_object_set_new(run->out, "has", json_boolean(has));
  run->done = 1;
  return 0;
}

static int call_debug(run_t* run, const json_t* op) {
  json_int_t level = json_integer_value(json_array_get(op, 1));
  uvsmtp_printer_init(&run->printer, level > 1 ? UVSMTP_PRINT_TIMES : 0, NULL,
                      NULL);
  set_status(run, 0);
  run->done = 1;
  return uvsmtp_session_set_trace(
      run->session, level > 0 ? uvsmtp_printer_trace : NULL, &run->printer);
}

/* Runs the loop until the session has noticed that it is over. */
static int call_idle(run_t* run, const json_t* op) {
  (void)op;
  while (uvsmtp_session_state(run->session) != UVSMTP_STATE_CLOSED) {
    if (uv_run(&run->loop, UV_RUN_ONCE) == 0) break;
  }
  set_status(run, 0);
  run->done = 1;
  return 0;
}

typedef struct verb_s {
  const char* name;
  int (*call)(run_t* run, const json_t* op);
} verb_t;

static const verb_t verbs[] = {
    {"session", call_session},   {"connect", call_connect},
    {"ehlo", call_ehlo},         {"helo", call_helo},
    {"hello", call_hello},       {"mail", call_mail},
    {"rcpt", call_rcpt},         {"data", call_data},
    {"sendmail", call_sendmail}, {"rset", call_rset},
    {"noop", call_noop},         {"quit", call_quit},
    {"docmd", call_docmd},       {"verify", call_verify},
    {"expn", call_expn},         {"help", call_help},
    {"has_extn", call_has_extn}, {"debug", call_debug},
    {"idle", call_idle},         {"close", call_close},
    {"end", call_end},           {"starttls", call_starttls},
    {"tls", call_tls},           {"stats", call_stats},
    {"forget", call_forget},     {"credentials", call_credentials},
    {"login", call_login},       {"auth", call_auth},
    {"message", call_message},   {"etrn", call_etrn},
    {"xforward", call_xforward}, {"xclient", call_xclient},
    {"burl", call_burl},
};

static int needs_session(const char* name) {
  static const char* const without[] = {"session", "tls", "stats", "forget",
                                        "credentials"};
  size_t i;
  for (i = 0; i < sizeof(without) / sizeof(without[0]); i++)
    if (strcmp(name, without[i]) == 0) return 0;
  return 1;
}

static void serve(run_t* run, const json_t* op) {
  const char* name = text_at(op, 0);
  size_t i;
  int err = 0;
  if (name == NULL) die("no call");
  run->out = json_object();
  run->done = 0;
  if (run->session == NULL && needs_session(name) &&
      (run->config == NULL || new_session(run, run->config) != 0))
    die("no session");
  for (i = 0; strcmp(name, verbs[i].name) != 0;)
    if (++i == sizeof(verbs) / sizeof(verbs[0])) die(name);
  err = verbs[i].call(run, op);
  if (err != 0) set_status(run, err);
  json_object_set_new(run->out, "accepted", json_boolean(err == 0));
  while (err == 0 && run->done == 0 && uv_run(&run->loop, UV_RUN_ONCE) != 0) {
  }
  if (err == 0 && run->done != 1) die("not one completion");
  parcel_clear(&run->parcel);
  look(run);
  json_dumpf(run->out, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
  putchar('\n');
  fflush(stdout);
  json_decref(run->out);
}

static void tidy(run_t* run) {
  run->out = json_object();
  if (run->session != NULL) uvsmtp_session_close(run->session, on_closed, run);
  uv_run(&run->loop, UV_RUN_DEFAULT);
  if (uvsmtp_env_close(run->env, NULL, NULL) != 0) die("the session is left");
  uvsmtp_tls_unref(run->tls);
  uvsmtp_credentials_unref(run->credentials);
  own_clear(run->own);
  uv_close((uv_handle_t*)&run->timer, NULL);
  uv_run(&run->loop, UV_RUN_DEFAULT);
  if (uv_loop_close(&run->loop) != 0) die("handles are left");
  json_decref(run->out);
  json_decref(run->config);
  json_decref(run->tokens);
  json_decref(run->asked);
}

int main(void) {
  static run_t run;
  char* line = NULL;
  size_t cap = 0;
  alarm(LIFETIME);
  if (uv_loop_init(&run.loop) != 0 || uv_timer_init(&run.loop, &run.timer) ||
      uvsmtp_env_new(&run.env, &run.loop, NULL) != 0)
    die("no environment");
  run.timer.data = &run;
  run.asked = json_array();
  while (getline(&line, &cap, stdin) > 0) {
    json_error_t error;
    json_t* op = json_loads(line, JSON_ALLOW_NUL, &error);
    if (op == NULL) die(error.text);
    serve(&run, op);
    json_decref(op);
  }
  free(line);
  tidy(&run);
  return 0;
}
