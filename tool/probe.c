/* SPDX-License-Identifier: MIT */
/* probe.c: uvsmtp probe: says hello, looks around, and leaves. */
#include <string.h>

#include "tool.h"

typedef struct probe_s {
  run_t run; /* first: what is given to a run's callbacks is this */
  uv_check_t check;
  uint64_t since;   /* by uv_hrtime: the beginning of what is waited for */
  uint64_t shaking; /* that of the handshake; 0: not yet */
  facts_t facts;
  verdict_t verdict;
  char error[1024];
} probe_t;

static double lap(probe_t* p) {
  uint64_t now = uv_hrtime();
  double ms = (double)(now - p->since) / 1e6;
  p->since = now;
  return ms;
}

static void look_at_tls(probe_t* p, const uvsmtp_session_t* session) {
  const uvsmtp_tls_info_t* info = uvsmtp_session_tls(session);
  if (info == NULL || p->facts.ms[SHAKE] >= 0) return;
  if (p->shaking == 0) p->shaking = uv_hrtime();
  if (uvsmtp_tls_info_established(info))
    p->facts.ms[SHAKE] = (double)(uv_hrtime() - p->shaking) / 1e6;
}

/* The completion of a connect comes with the greeting: when the connection
 * itself came up is seen by looking after each turn of the loop, and so is a
 * handshake, which no completion is about. */
static void look(uv_check_t* check) {
  probe_t* p = check->data;
  if (p->run.session != NULL) look_at_tls(p, p->run.session);
  if (p->run.session == NULL || p->facts.ms[CONNECT] >= 0 ||
      uvsmtp_session_state(p->run.session) != UVSMTP_STATE_OPEN)
    return;
  p->facts.ms[CONNECT] = lap(p);
}

static void ended(run_t* run) {
  probe_t* p = (probe_t*)run;
  uv_close((uv_handle_t*)&p->check, NULL);
}

/* The other end's is that of the attempt: the connection itself may be lost
 * already. */
static void keep_addresses(probe_t* p, uvsmtp_session_t* session) {
  struct sockaddr_storage storage;
  struct sockaddr* a = (struct sockaddr*)&storage;
  int len = sizeof(storage);
  size_t n;
  int i;
  for (n = 0; n < p->run.nattempts; n++)
    for (i = 0; i < 2 && p->run.attempts[n].status == 0; i++)
      address_text(&p->run, (const struct sockaddr*)&p->run.attempts[n].address,
                   i, p->facts.address[i], sizeof(p->facts.address[i]));
  memset(&storage, 0, sizeof(storage));
  if (uvsmtp_session_local_address(session, a, &len) != 0 ||
      (a->sa_family != AF_INET && a->sa_family != AF_INET6))
    return;
  for (i = 0; i < 2; i++)
    address_text(&p->run, a, i, p->facts.local[i], sizeof(p->facts.local[i]));
}

/* The run is decided: by its first failure, or by the reply to hello. */
static void conclude(probe_t* p, const uvsmtp_result_t* r) {
  const uvsmtp_tls_info_t* info = uvsmtp_result_tls(r);
  const char* advice;
  if (info != NULL && settings_policy(&p->run.o) != UVSMTP_TLS_IMPLICIT)
    p->facts.starttls = 1;
  p->facts.tls = tls_json(info);
  p->verdict = verdict_of(r, p->run.o.server.named);
  p->facts.stage = stage_name(uvsmtp_result_stage(r));
  p->facts.reply = reply_json(uvsmtp_result_reply(r));
  p->facts.detail = auth_detail_json(r);
  report_sentence(&p->run, &p->verdict, r, p->error, sizeof(p->error));
  run_flush_trace(&p->run);
  if (p->run.o.json) return;
  facts_print(&p->run, &p->facts, info);
  if (p->verdict.exit_status == EXIT_SENT) return;
  report_line(&p->run, &p->verdict, r, stderr);
  /* The reply to EHLO has been shown already. */
  if (uvsmtp_result_cause(r) != UVSMTP_ENOTSUPPORTED &&
      uvsmtp_result_status(r) != UVSMTP_ENOTSUPPORTED)
    reply_print(stderr, uvsmtp_result_reply(r));
  fputc('\n', stderr);
  auth_detail_print(r, stderr);
  advice = auth_advice(&p->run, r);
  if (advice != NULL && *advice != '\0') fprintf(stderr, "%s\n", advice);
}

static void connected(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                      void* data) {
  probe_t* p = data;
  const uvsmtp_reply_t* reply = uvsmtp_result_reply(result);
  run_keep_attempts(&p->run, session);
  /* The turn may not be over, and it is part of what follows. */
  look_at_tls(p, session);
  if (reply != NULL) {
    if (p->facts.ms[CONNECT] < 0) p->facts.ms[CONNECT] = lap(p);
    p->facts.ms[GREETING] = lap(p);
    p->facts.greeting = reply_json(reply);
  }
  keep_addresses(p, session);
  if (uvsmtp_result_status(result) != 0) conclude(p, result);
}

static void keep_extensions(probe_t* p, uvsmtp_session_t* session) {
  uvsmtp_slice_t keyword;
  uvsmtp_slice_t params;
  size_t cursor = 0;
  p->facts.extensions = json_object();
  while (uvsmtp_session_next_extn(session, &cursor, &keyword, &params)) {
    json_t* name = text_json(keyword.base, keyword.len);
    if (name != NULL)
      json_object_set_new(p->facts.extensions, json_string_value(name),
                          text_json(params.base, params.len));
    json_decref(name);
  }
}

static json_t* optional_json(const uvsmtp_reply_t* reply) {
  return reply == NULL ? NULL : reply_json(reply);
}

static void greeted(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                    void* data) {
  probe_t* p = data;
  if (p->verdict.status != NULL) return;
  look_at_tls(p, session);
  p->facts.ehlo = optional_json(uvsmtp_session_ehlo_reply(session));
  p->facts.helo = optional_json(uvsmtp_session_helo_reply(session));
  if (p->facts.ehlo != NULL || p->facts.helo != NULL)
    p->facts.ms[HELLO] = lap(p);
  p->facts.esmtp = uvsmtp_session_does_esmtp(session);
  if (p->facts.esmtp) keep_extensions(p, session);
  /* Within TLS it is offered no more. */
  if (p->facts.ehlo != NULL && uvsmtp_session_tls(session) == NULL)
    p->facts.starttls = uvsmtp_session_has_extn(session, "STARTTLS");
  if (p->run.credentials == NULL || uvsmtp_result_status(result) != 0)
    conclude(p, result);
}

static void logged_in(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                      void* data) {
  probe_t* p = data;
  if (p->verdict.status != NULL) return;
  p->facts.ms[LOGIN] = lap(p);
  run_keep_login(&p->run, session);
  conclude(p, result);
}

static void quit(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                 void* data) {
  probe_t* p = data;
  (void)session;
  (void)result;
  p->run.over = 1;
  run_end(&p->run);
}

static int submit(probe_t* p) {
  uvsmtp_session_t* session = p->run.session;
  int rc = uv_check_init(&p->run.loop, &p->check);
  if (rc != 0) return rc;
  p->check.data = p;
  p->run.ended = ended;
  (void)uv_check_start(&p->check, look);
  uv_unref((uv_handle_t*)&p->check);
  run_watch(&p->run);
  p->since = uv_hrtime();
  rc = run_connect(&p->run, connected, p);
  if (rc == 0) rc = uvsmtp_hello(session, greeted, p);
  if (rc == 0 && p->run.credentials != NULL)
    rc = uvsmtp_login(session, p->run.credentials, logged_in, p);
  if (rc == 0) rc = uvsmtp_quit(session, quit, p);
  return rc;
}

static int go(probe_t* p) {
  run_t* run = &p->run;
  int rc = run_open(run);
  if (rc == 0) rc = run_log_in(run);
  if (rc != 0) {
    run->over = 1;
    run_end(run);
    run_loop(run);
    return rc;
  }
  rc = submit(p);
  if (rc != 0) {
    rc = run_fail(run, "local-error", EXIT_OS, uvsmtp_strerror(rc));
    run->over = 1;
    run_end(run);
    run_loop(run);
    return rc;
  }
  run_loop(run);
  if (run->o.json) {
    json_t* j = facts_json(run, &p->verdict, &p->facts,
                           p->verdict.exit_status == 0 ? NULL : p->error);
    json_print(j);
    json_decref(j);
  }
  return p->verdict.exit_status;
}

int probe_main(int argc, char** argv) {
  static probe_t p;
  const char* error = NULL;
  int rc = options_parse(&p.run.o, PROBE, 0, argc, argv, &error);
  facts_init(&p.facts);
  if (rc < 0) return run_exit(&p.run, EXIT_SENT, 0);
  if (rc != 0)
    rc = run_fail(&p.run, "invalid-argument", rc, error);
  else
    rc = go(&p);
  facts_free(&p.facts);
  return run_exit(&p.run, rc, 0);
}
