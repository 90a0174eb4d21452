/* SPDX-License-Identifier: MIT */
/* test_tls.c: what a host has to do with the engine's TLS: when it is wanted
 * and when not, what is forgotten, and messages whose time is over meanwhile.
 * The dialogues are in test/conv/tls.conv. */
#include "core/op.h"
#include "host.h"
#include "uvsmtp/tls.h"

static int submit_connect(host_t* h, int policy) {
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(UVSMTP_OP_CONNECT);
  r.tls = policy;
  return uvsmtp_proto_submit(h->p, &r);
}

static void connect_with(host_t* h, int policy) {
  assert_int_equal(submit_connect(h, policy), 0);
  uvsmtp_proto_up(h->p);
  say(h, "220 mx\r\n");
  expect(h, UVSMTP_OP_CONNECT, 0);
}

static void sent(const host_t* h, const char* text) {
  assert_string_equal(h->out, text);
}

static void wants(const host_t* h, int set) {
  assert_int_equal(uvsmtp_proto_wants(h->p), set);
}

/* -------------------------------------------------------------- requests */

static void policies_are_checked(void** state) {
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(UVSMTP_OP_CONNECT);
  host_t h;
  int policy;
  (void)state;
  host_open(&h, 0);
  assert_int_equal(submit_connect(&h, UVSMTP_TLS_DEFAULT - 1), -EINVAL);
  assert_int_equal(submit_connect(&h, UVSMTP_TLS_IMPLICIT + 1), -EINVAL);
  assert_int_equal(submit_connect(&h, 256 + UVSMTP_TLS_REQUIRED), -EINVAL);
  assert_int_equal(uvsmtp_proto_pending(h.p), 0);
  for (policy = UVSMTP_TLS_DEFAULT; policy <= UVSMTP_TLS_IMPLICIT; policy++)
    assert_int_equal(submit_connect(&h, policy), 0);
  host_close(&h);
  /* A caller built before there was TLS: what stands behind its struct is not
   * looked at. */
  host_open(&h, 0);
  r.size = offsetof(uvsmtp_request_t, tls);
  r.tls = UVSMTP_TLS_IMPLICIT;
  assert_int_equal(uvsmtp_proto_submit(h.p, &r), 0);
  uvsmtp_proto_up(h.p);
  wants(&h, 0);
  say(&h, "220 mx\r\n");
  expect(&h, UVSMTP_OP_CONNECT, 0);
  host_close(&h);
}

/* Who says secured when nobody asked is not heard. */
static void secured_only_when_wanted(void** state) {
  unsigned int before;
  unsigned int after;
  host_t h;
  (void)state;
  host_open(&h, 0);
  uvsmtp_proto_secured(h.p, 1);
  assert_int_equal(uvsmtp_proto_state(h.p), UVSMTP_STATE_CONNECT);
  assert_int_equal(submit_connect(&h, UVSMTP_TLS_REQUIRED), 0);
  wants(&h, UVSMTP_WANTS_OPEN);
  uvsmtp_proto_secured(h.p, 1);
  wants(&h, UVSMTP_WANTS_OPEN);
  uvsmtp_proto_up(h.p);
  wants(&h, 0);
  uvsmtp_proto_secured(h.p, 1);
  assert_int_equal(uvsmtp_proto_state(h.p), UVSMTP_STATE_OPEN);
  say(&h, "220 mx\r\n");
  expect(&h, UVSMTP_OP_CONNECT, 0);
  assert_int_equal(submit(&h, UVSMTP_OP_STARTTLS, NULL), 0);
  drain(&h);
  say(&h, "250-mx\r\n250 STARTTLS\r\n");
  sent(&h, "STARTTLS\r\n");
  uvsmtp_proto_secured(h.p, 1);
  assert_int_equal(uvsmtp_proto_state(h.p), UVSMTP_STATE_READY);
  assert_int_equal(uvsmtp_proto_wait(h.p, &before), UVSMTP_PHASE_COMMAND);
  say(&h, "220 go\r\n");
  assert_int_equal(uvsmtp_proto_wait(h.p, &after), UVSMTP_PHASE_TLS);
  assert_int_not_equal(before, after);
  wants(&h, UVSMTP_WANTS_TLS | UVSMTP_WANTS_TRUST);
  uvsmtp_proto_up(h.p); /* nor is this an answer to it */
  wants(&h, UVSMTP_WANTS_TLS | UVSMTP_WANTS_TRUST);
  uvsmtp_proto_secured(h.p, 1);
  expect(&h, UVSMTP_OP_STARTTLS, 0);
  assert_int_equal(uvsmtp_proto_state(h.p), UVSMTP_STATE_GREETED);
  wants(&h, 0);
  uvsmtp_proto_secured(h.p, 1);
  assert_int_equal(uvsmtp_proto_state(h.p), UVSMTP_STATE_GREETED);
  uvsmtp_proto_lost(h.p, UVSMTP_ETLS);
  uvsmtp_proto_secured(h.p, 1);
  assert_int_equal(uvsmtp_proto_state(h.p), UVSMTP_STATE_CLOSED);
  host_close(&h);
}

static void secure_in_a_hook(void* arg, int kind, const char* text,
                             size_t len) {
  host_t* h = arg;
  (void)kind;
  (void)text;
  (void)len;
  uvsmtp_proto_secured(h->p, 1);
}

static void hooks_secure_nothing(void** state) {
  host_t h;
  (void)state;
  host_open(&h, 0);
  assert_int_equal(submit_connect(&h, UVSMTP_TLS_IMPLICIT), 0);
  uvsmtp_proto_up(h.p);
  wants(&h, UVSMTP_WANTS_TLS | UVSMTP_WANTS_TRUST);
  uvsmtp_proto_set_trace(h.p, secure_in_a_hook, &h);
  uvsmtp_proto_lost(h.p, UVSMTP_ETLS); /* is traced while it is still wanted */
  expect(&h, UVSMTP_OP_CONNECT, UVSMTP_ETLS);
  assert_int_equal(uvsmtp_proto_state(h.p), UVSMTP_STATE_CLOSED);
  host_close(&h);
}

/* RFC 3207 4.2: extensions and the replies to the hellos. */
static void clear_text_is_forgotten(void** state) {
  host_t h;
  (void)state;
  host_open(&h, 0);
  connect_with(&h, UVSMTP_TLS_NONE);
  assert_int_equal(submit(&h, UVSMTP_OP_HELO, NULL), 0);
  drain(&h);
  say(&h, "250 mx\r\n");
  expect(&h, UVSMTP_OP_HELO, 0);
  assert_int_equal(submit(&h, UVSMTP_OP_EHLO, NULL), 0);
  drain(&h);
  say(&h, "250-mx\r\n250-SIZE 1000\r\n250 STARTTLS\r\n");
  expect(&h, UVSMTP_OP_EHLO, 0);
  assert_int_equal(submit(&h, UVSMTP_OP_STARTTLS, NULL), 0);
  drain(&h);
  say(&h, "220 go\r\n");
  assert_non_null(uvsmtp_proto_extn(h.p, "SIZE"));
  assert_non_null(uvsmtp_proto_ehlo_reply(h.p));
  assert_non_null(uvsmtp_proto_helo_reply(h.p));
  assert_int_equal(uvsmtp_proto_does_esmtp(h.p), 1);
  assert_int_equal(submit(&h, UVSMTP_OP_HELLO, NULL), 0);
  uvsmtp_proto_secured(h.p, 1);
  /* The next deadline is on before anybody asks for events or output. */
  assert_int_equal(uvsmtp_proto_wait(h.p, NULL), UVSMTP_PHASE_HELLO);
  expect(&h, UVSMTP_OP_STARTTLS, 0);
  assert_null(uvsmtp_proto_extn(h.p, "SIZE"));
  assert_null(uvsmtp_proto_ehlo_reply(h.p));
  assert_null(uvsmtp_proto_helo_reply(h.p));
  assert_int_equal(uvsmtp_proto_does_esmtp(h.p), 0);
  host_close(&h);
}

/* The host says which TLS a result tells of. */
static void results_tell_of_tls(void** state) {
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  const uvsmtp_tls_info_t* info = (const uvsmtp_tls_info_t*)(const void*)&e;
  host_t h;
  (void)state;
  host_open(&h, 0);
  assert_int_equal(submit(&h, UVSMTP_OP_NOOP, NULL), 0);
  assert_int_equal(uvsmtp_proto_next(h.p, &e), 1);
  assert_null(uvsmtp_result_tls(e.result));
  uvsmtp__result_set_tls(e.result, info);
  assert_ptr_equal(uvsmtp_result_tls(e.result), info);
  host_close(&h);
}

/* ------------------------------------------------------- its time is over */

static void send_due(host_t* h, uvsmtp_memory_source_t* body) {
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(UVSMTP_OP_SEND);
  uvsmtp_message_t m = UVSMTP_MESSAGE_INIT;
  uvsmtp_source_memory(body, "x\r\n", 3);
  m.from = "a@x.example";
  m.rcpts = one_list;
  m.nrcpts = 1;
  m.body = &body->source;
  r.message = &m;
  r.due = 100;
  assert_int_equal(uvsmtp_proto_submit(h->p, &r), 0);
}

/* A message that has asked for STARTTLS. */
static void ask_for_tls(host_t* h, uvsmtp_memory_source_t* body, int policy) {
  host_open(h, 0);
  connect_with(h, policy);
  send_due(h, body);
  drain(h);
  say(h, "250-mx\r\n250 STARTTLS\r\n");
  sent(h, "STARTTLS\r\n");
}

static void expect_late(host_t* h) {
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  assert_int_equal(uvsmtp_proto_next(h->p, &e), 1);
  assert_int_equal(e.op, UVSMTP_OP_SEND);
  assert_int_equal(uvsmtp_result_status(e.result), -ETIMEDOUT);
  assert_int_equal(uvsmtp_result_cause(e.result), 0);
  assert_int_equal(uvsmtp_result_outcome(e.result),
                   UVSMTP_OUTCOME_NOT_ATTEMPTED);
  assert_null(uvsmtp_result_reply(e.result));
}

/* A hello of it goes on, and what might follow does not. */
static void overdue_in_its_hello(void** state) {
  static const int policies[] = {UVSMTP_TLS_OPPORTUNISTIC, UVSMTP_TLS_REQUIRED};
  uvsmtp_memory_source_t body;
  host_t h;
  size_t i;
  (void)state;
  for (i = 0; i < 2; i++) {
    host_open(&h, 0);
    connect_with(&h, policies[i]);
    send_due(&h, &body);
    drain(&h);
    uvsmtp_proto_overdue(h.p, 100);
    say(&h, "250-mx\r\n250 STARTTLS\r\n");
    assert_int_equal(h.len, 0);
    expect_late(&h);
    assert_int_equal(submit(&h, UVSMTP_OP_MAIL, "a@x.example"), 0);
    drain(&h);
    sent(&h, "STARTTLS\r\n");
    host_close(&h);
  }
}

/* The server that says 220 gets its handshake; it is the session's. */
static void overdue_before_the_220(void** state) {
  uvsmtp_memory_source_t body;
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  host_t h;
  (void)state;
  ask_for_tls(&h, &body, UVSMTP_TLS_REQUIRED);
  uvsmtp_proto_overdue(h.p, 100);
  assert_int_equal(uvsmtp_proto_next(h.p, &e), 0);
  say(&h, "220 go\r\n");
  wants(&h, UVSMTP_WANTS_TLS | UVSMTP_WANTS_TRUST);
  assert_int_equal(uvsmtp_proto_wait(h.p, NULL), UVSMTP_PHASE_TLS);
  uvsmtp_proto_secured(h.p, 1);
  drain(&h);
  assert_int_equal(h.len, 0);
  expect_late(&h);
  assert_int_equal(submit(&h, UVSMTP_OP_MAIL, "a@x.example"), 0);
  drain(&h);
  sent(&h, "EHLO client.example\r\n");
  say(&h, "250 mx\r\n");
  sent(&h, "MAIL FROM:<a@x.example>\r\n");
  say(&h, "250 ok\r\n");
  expect(&h, UVSMTP_OP_MAIL, 0);
  host_close(&h);
}

static void overdue_in_the_handshake(void** state) {
  uvsmtp_memory_source_t body;
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  host_t h;
  int fails;
  (void)state;
  for (fails = 0; fails < 2; fails++) {
    ask_for_tls(&h, &body, UVSMTP_TLS_OPPORTUNISTIC);
    say(&h, "220 go\r\n");
    uvsmtp_proto_overdue(h.p, 100);
    wants(&h, UVSMTP_WANTS_TLS);
    assert_int_equal(uvsmtp_proto_next(h.p, &e), 0);
    if (fails)
      uvsmtp_proto_lost(h.p, UVSMTP_ETLS);
    else
      uvsmtp_proto_secured(h.p, 1);
    drain(&h);
    assert_int_equal(h.len, 0);
    expect_late(&h);
    assert_int_equal(uvsmtp_proto_state(h.p),
                     fails ? UVSMTP_STATE_CLOSED : UVSMTP_STATE_GREETED);
    host_close(&h);
  }
}

/* A refusal does not bring it back to life, nor make it one of TLS. */
static void overdue_and_refused(void** state) {
  static const int policies[] = {UVSMTP_TLS_OPPORTUNISTIC, UVSMTP_TLS_REQUIRED};
  uvsmtp_memory_source_t body;
  host_t h;
  size_t i;
  (void)state;
  for (i = 0; i < 2; i++) {
    ask_for_tls(&h, &body, policies[i]);
    uvsmtp_proto_overdue(h.p, 100);
    say(&h, "454 not now\r\n");
    assert_int_equal(h.len, 0);
    expect_late(&h);
    assert_int_equal(uvsmtp_proto_state(h.p), UVSMTP_STATE_READY);
    host_close(&h);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(policies_are_checked),
      cmocka_unit_test(secured_only_when_wanted),
      cmocka_unit_test(hooks_secure_nothing),
      cmocka_unit_test(clear_text_is_forgotten),
      cmocka_unit_test(results_tell_of_tls),
      cmocka_unit_test(overdue_in_its_hello),
      cmocka_unit_test(overdue_before_the_220),
      cmocka_unit_test(overdue_in_the_handshake),
      cmocka_unit_test(overdue_and_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
