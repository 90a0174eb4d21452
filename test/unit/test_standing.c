/* SPDX-License-Identifier: MIT */
/* test_standing.c: what lies between requests: what the server said of itself,
 * and messages whose turn has come but not their text. */
#include "host.h"

static void says(const uvsmtp_reply_t* reply, int code, const char* text) {
  assert_non_null(reply);
  assert_int_equal(uvsmtp_reply_code(reply), code);
  assert_string_equal(uvsmtp_reply_text(reply, NULL), text);
}

static void connect_to(host_t* h) {
  assert_int_equal(submit(h, UVSMTP_OP_CONNECT, NULL), 0);
  uvsmtp_proto_up(h->p);
  say(h, "220 mx.example\r\n");
  expect(h, UVSMTP_OP_CONNECT, 0);
}

static void ask(host_t* h, int op, const char* answer, int status) {
  assert_int_equal(submit(h, op, NULL), 0);
  drain(h);
  say(h, answer);
  expect(h, op, status);
}

/* Replies to a hello outlive their requests, refusals included, and one does
 * not push the other out: smtplib's ehlo_resp and helo_resp. */
static void hellos_are_kept(void** state) {
  host_t h;
  (void)state;
  host_open(&h, 0);
  assert_null(uvsmtp_proto_ehlo_reply(h.p));
  assert_null(uvsmtp_proto_helo_reply(h.p));
  greet(&h, "250-mx at your service\r\n250-SIZE 1000\r\n250 HELP\r\n");
  says(uvsmtp_proto_ehlo_reply(h.p), 250,
       "mx at your service\nSIZE 1000\nHELP");
  assert_int_equal(uvsmtp_reply_lines(uvsmtp_proto_ehlo_reply(h.p)), 3);
  assert_null(uvsmtp_proto_helo_reply(h.p));
  assert_int_equal(uvsmtp_proto_does_esmtp(h.p), 1);

  ask(&h, UVSMTP_OP_HELO, "501 5.5.4 whose?\r\n", UVSMTP_EHELO);
  says(uvsmtp_proto_helo_reply(h.p), 501, "5.5.4 whose?");
  says(uvsmtp_proto_ehlo_reply(h.p), 250,
       "mx at your service\nSIZE 1000\nHELP");

  ask(&h, UVSMTP_OP_EHLO, "502 no\r\n", UVSMTP_EHELO);
  says(uvsmtp_proto_ehlo_reply(h.p), 502, "no");
  assert_int_equal(uvsmtp_proto_does_esmtp(h.p), 0);
  ask(&h, UVSMTP_OP_HELO, "250 mx\r\n", 0);
  says(uvsmtp_proto_helo_reply(h.p), 250, "mx");
  says(uvsmtp_proto_ehlo_reply(h.p), 502, "no");

  ask(&h, UVSMTP_OP_QUIT, "221 bye\r\n", 0);
  assert_null(uvsmtp_proto_ehlo_reply(h.p));
  assert_null(uvsmtp_proto_helo_reply(h.p));
  host_close(&h);
}

/* The implicit hello of a message is kept as well, both halves of it. */
static void implicit_hello_is_kept(void** state) {
  uvsmtp_memory_source_t body;
  host_t h;
  (void)state;
  host_open(&h, 0);
  connect_to(&h);
  uvsmtp_source_memory(&body, "x\r\n", 3);
  send_body(&h, &body.source);
  drain(&h);
  assert_string_equal(h.out, "EHLO client.example\r\n");
  say(&h, "502 what?\r\n");
  assert_string_equal(h.out, "HELO client.example\r\n");
  say(&h, "250 mx\r\n");
  says(uvsmtp_proto_ehlo_reply(h.p), 502, "what?");
  says(uvsmtp_proto_helo_reply(h.p), 250, "mx");
  assert_int_equal(uvsmtp_proto_does_esmtp(h.p), 0);
  /* A new connection begins with nothing. */
  uvsmtp_proto_lost(h.p, -4095);
  assert_null(uvsmtp_proto_ehlo_reply(h.p));
  expect(&h, UVSMTP_OP_SEND, UVSMTP_EDISCONNECTED);
  host_close(&h);
}

/* Without memory for them there is no session, rather than one that forgot. */
static void no_memory_for_a_hello(void** state) {
  host_t h;
  (void)state;
  host_open(&h, 0);
  connect_to(&h);
  assert_int_equal(submit(&h, UVSMTP_OP_HELO, NULL), 0);
  drain(&h);
  h.alloc.fail_at = h.alloc.requests + 2; /* behind that of the result */
  say(&h, "250 mx\r\n");
  expect(&h, UVSMTP_OP_HELO, -ENOMEM);
  assert_int_equal(uvsmtp_proto_state(h.p), UVSMTP_STATE_CLOSED);
  host_close(&h);
}

/* ------------------------------------------------- lengths that come later */

/* Not yet known how long: the source says so when it has been opened. */
static void later_init(source_t* s, host_t* h, const char* text, int waits) {
  source_init(s, h, text);
  s->source.length = UVSMTP_LENGTH_LATER;
  s->waits = waits;
}

/* MAIL waits for the length, since it carries it; the deadline of the text is
 * on meanwhile. */
static void mail_waits_for_the_length(void** state) {
  source_t s;
  host_t h;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250-mx\r\n250-SIZE\r\n250 PIPELINING\r\n");
  later_init(&s, &h, "hello\r\n", 1);
  send_body(&h, &s.source);
  drain(&h);
  assert_int_equal(h.len, 0);
  assert_int_equal(uvsmtp_proto_wait(h.p, NULL), UVSMTP_PHASE_TEXT);
  s.source.length = 7;
  uvsmtp_proto_resume(h.p);
  drain(&h);
  assert_string_equal(h.out,
                      "MAIL FROM:<a@x.example> SIZE=7\r\n"
                      "RCPT TO:<b@y.example>\r\nDATA\r\n");
  say(&h, "250 1\r\n250 2\r\n354 3\r\n");
  assert_string_equal(h.out, "hello\r\n.\r\n");
  say(&h, "250 4\r\n");
  expect(&h, UVSMTP_OP_SEND, 0);
  host_close(&h);
}

/* Nothing is said of a message whose text can't be had, and the session is
 * there for the next. */
static void failing_before_mail(void** state) {
  static const int errors[] = {-ENOENT, -EISDIR};
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  source_t s;
  host_t h;
  size_t i;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250-mx\r\n250 SIZE\r\n");
  for (i = 0; i < 2; i++) {
    later_init(&s, &h, "x", 1);
    send_body(&h, &s.source);
    s.fails = errors[i];
    uvsmtp_proto_resume(h.p);
    drain(&h);
    assert_int_equal(h.len, 0);
    assert_int_equal(uvsmtp_proto_next(h.p, &e), 1);
    assert_int_equal(uvsmtp_result_status(e.result), UVSMTP_ESOURCE);
    assert_int_equal(uvsmtp_result_cause(e.result), errors[i]);
    assert_int_equal(uvsmtp_result_stage(e.result), UVSMTP_STATE_MAIL);
    assert_int_equal(uvsmtp_result_outcome(e.result), UVSMTP_OUTCOME_DEFERRED);
    assert_int_equal(s.released, 1);
  }
  /* One that forgets to say its length breaks the rules. */
  later_init(&s, &h, "x", 0);
  send_body(&h, &s.source);
  assert_int_equal(uvsmtp_proto_next(h.p, &e), 1);
  assert_int_equal(uvsmtp_result_status(e.result), UVSMTP_ESOURCE);
  assert_int_equal(uvsmtp_result_cause(e.result), -EINVAL);
  assert_int_equal(uvsmtp_proto_state(h.p), UVSMTP_STATE_READY);
  host_close(&h);
}

/* Its deadline costs the message alone. */
static void waiting_before_mail_times_out(void** state) {
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  unsigned int serials[2];
  source_t s[2];
  host_t h;
  size_t i;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250-mx\r\n250 SIZE\r\n");
  for (i = 0; i < 2; i++) {
    later_init(&s[i], &h, "x", 1000);
    send_body(&h, &s[i].source);
  }
  for (i = 0; i < 2; i++) {
    drain(&h);
    /* Each waits anew: the timer is to be restarted. */
    assert_int_equal(uvsmtp_proto_wait(h.p, &serials[i]), UVSMTP_PHASE_TEXT);
    uvsmtp_proto_timeout(h.p);
    assert_int_equal(uvsmtp_proto_next(h.p, &e), 1);
    assert_int_equal(uvsmtp_result_status(e.result), -ETIMEDOUT);
    assert_int_equal(uvsmtp_result_outcome(e.result), UVSMTP_OUTCOME_DEFERRED);
    assert_int_equal(s[i].released, 1);
  }
  assert_int_not_equal(serials[0], serials[1]);
  assert_int_equal(h.len, 0);
  assert_int_equal(uvsmtp_proto_wait(h.p, NULL), UVSMTP_PHASE_NONE);
  ask(&h, UVSMTP_OP_NOOP, "250 ok\r\n", 0);
  host_close(&h);
}

/* A session that ends meanwhile is the reason then, and whoever comes later
 * does not wait for a source in vain. */
static void lost_before_mail(void** state) {
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  source_t s;
  host_t h;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250-mx\r\n250 SIZE\r\n");
  later_init(&s, &h, "x", 1000);
  send_body(&h, &s.source);
  assert_int_equal(submit(&h, UVSMTP_OP_NOOP, NULL), 0);
  drain(&h);
  say(&h, "421 bye\r\n");
  assert_int_equal(uvsmtp_proto_next(h.p, &e), 1);
  assert_int_equal(uvsmtp_result_status(e.result), UVSMTP_EDISCONNECTED);
  assert_int_equal(uvsmtp_result_outcome(e.result),
                   UVSMTP_OUTCOME_NOT_ATTEMPTED);
  expect(&h, UVSMTP_OP_NOOP, UVSMTP_EDISCONNECTED);
  host_close(&h);
}

static int submit_body(host_t* h, int op, uvsmtp_source_t* body) {
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(0);
  r.op = op;
  r.body = body;
  r.last = 1;
  return uvsmtp_proto_submit(h->p, &r);
}

/* DATA and BDAT of the caller's own wait as well, and fail as early. */
static void commands_wait_for_the_length(void** state) {
  source_t s;
  host_t h;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250-mx\r\n250 CHUNKING\r\n");
  assert_int_equal(submit(&h, UVSMTP_OP_MAIL, "a@x.example"), 0);
  assert_int_equal(submit(&h, UVSMTP_OP_RCPT, "b@y.example"), 0);
  drain(&h);
  say(&h, "250 ok\r\n");
  say(&h, "250 ok\r\n");
  expect(&h, UVSMTP_OP_MAIL, 0);
  expect(&h, UVSMTP_OP_RCPT, 0);

  later_init(&s, &h, "x", 1);
  assert_int_equal(submit_body(&h, UVSMTP_OP_DATA, &s.source), 0);
  s.fails = -EIO;
  uvsmtp_proto_resume(h.p);
  drain(&h);
  expect(&h, UVSMTP_OP_DATA, UVSMTP_ESOURCE);
  assert_int_equal(h.len, 0);

  later_init(&s, &h, "abc", 1);
  assert_int_equal(submit_body(&h, UVSMTP_OP_BDAT, &s.source), 0);
  drain(&h);
  assert_int_equal(h.len, 0);
  s.source.length = -1; /* a chunk needs one */
  uvsmtp_proto_resume(h.p);
  drain(&h);
  expect(&h, UVSMTP_OP_BDAT, UVSMTP_ESOURCE);
  assert_int_equal(h.len, 0);

  later_init(&s, &h, "abc", 1);
  assert_int_equal(submit_body(&h, UVSMTP_OP_BDAT, &s.source), 0);
  s.source.length = 3;
  uvsmtp_proto_resume(h.p);
  drain(&h);
  assert_string_equal(h.out, "BDAT 3 LAST\r\nabc");
  say(&h, "250 ok\r\n");
  expect(&h, UVSMTP_OP_BDAT, 0);
  host_close(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hellos_are_kept),
      cmocka_unit_test(implicit_hello_is_kept),
      cmocka_unit_test(no_memory_for_a_hello),
      cmocka_unit_test(mail_waits_for_the_length),
      cmocka_unit_test(failing_before_mail),
      cmocka_unit_test(waiting_before_mail_times_out),
      cmocka_unit_test(lost_before_mail),
      cmocka_unit_test(commands_wait_for_the_length),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
