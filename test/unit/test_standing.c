/* SPDX-License-Identifier: MIT */
/* test_standing.c: what an engine remembers between its requests: what the
 * server said of itself. */
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hellos_are_kept),
      cmocka_unit_test(implicit_hello_is_kept),
      cmocka_unit_test(no_memory_for_a_hello),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
