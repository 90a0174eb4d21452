/* SPDX-License-Identifier: MIT */
/* test_calls.c: commands that ask the server something, deadlines and trace
 * that are changed on the way, what a session says of its server, and
 * connecting again. */
#include "fixture.h"

/* Command lines that were sent, each with an LF, and how much else was told. */
typedef struct record_s {
  char sent[2048];
  int received;
  int others;
  uvsmtp_session_t* session;
  int refusals; /* of calls from within, as they should be */
} record_t;

static void on_trace(void* arg, int kind, const char* line, size_t len) {
  record_t* r = arg;
  if (kind == UVSMTP_TRACE_SENT) {
    strncat(r->sent, line, len);
    strcat(r->sent, "\n");
  } else if (kind == UVSMTP_TRACE_RECEIVED) {
    r->received++;
  } else {
    r->others++;
  }
  if (r->session == NULL) return;
  assert_int_equal(UV_EBUSY, uvsmtp_session_end(r->session, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_session_set_trace(r->session, NULL, NULL));
  assert_int_equal(UV_EBUSY,
                   uvsmtp_verify(r->session, "ada@example.org", NULL, NULL));
  r->refusals++;
}

static uvsmtp_session_t* open_recorded(fixture_t* f, const peer_t* peer,
                                       record_t* record) {
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  memset(record, 0, sizeof(*record));
  config.trace = on_trace;
  config.trace_arg = record;
  config.local_name = "here.example";
  return open_session(f, peer, &config);
}

/* ------------------------------------------------------------------- verbs */

/* With CRLF a command line has 512 octets at most (RFC 5321 4.5.3.1.4). */
enum { ARGUMENT_MAX = 510 - 5 };

static void test_verbs(void** state) {
  fixture_t f;
  record_t record;
  call_t calls[10];
  char longest[ARGUMENT_MAX + 1];
  char expected[2048];
  peer_t* peer = peer_play(
      0,
      "S 220 hi\nC VRFY\nS 250 Ada <ada@example.org>\nC VRFY\nS 252 perhaps\n"
      "C VRFY\nS 252 perhaps\nC VRFY\nS 252 perhaps\n"
      "C EXPN\nS 550 5.7.1 no\nC EXPN\nS 250-a@example.org\nS 250 b\n"
      "C HELP\nS 214 read RFC 5321\nC HELP\nS 502 no\nC HELP\nS 214 yes\n"
      "C VRFY\nS 553 who?\nEOF");
  uvsmtp_session_t* s;
  call_t* c = calls;
  int i;
  (void)state;
  memset(calls, 0, sizeof(calls));
  memset(longest, 'x', ARGUMENT_MAX);
  longest[ARGUMENT_MAX] = '\0';
  fixture_start(&f);
  s = open_recorded(&f, peer, &record);
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  assert_int_equal(0, CALL(c, &f, uvsmtp_verify(s, "ada", on_call, c)));
  c++;
  assert_int_equal(
      0, CALL(c, &f, uvsmtp_verify(s, "Ada <ada@example.org>", on_call, c)));
  c++;
  /* A bracket within quotes is none. */
  assert_int_equal(
      0, CALL(c, &f, uvsmtp_verify(s, "<\"a<b\"@example.org>", on_call, c)));
  c++;
  assert_int_equal(
      0,
      CALL(c, &f, uvsmtp_verify(s, "\"\\\"<\" <ada@example.org>", on_call, c)));
  c++;
  assert_int_equal(0, CALL(c, &f, uvsmtp_expn(s, "staff", on_call, c)));
  c++;
  assert_int_equal(0, CALL(c, &f, uvsmtp_expn(s, "<staff>", on_call, c)));
  c++;
  assert_int_equal(0, CALL(c, &f, uvsmtp_help(s, NULL, on_call, c)));
  c++;
  assert_int_equal(0, CALL(c, &f, uvsmtp_help(s, "", on_call, c)));
  c++;
  /* A topic is no address. */
  assert_int_equal(0, CALL(c, &f, uvsmtp_help(s, "<RCPT>", on_call, c)));
  c++;
  assert_int_equal(0, CALL(c, &f, uvsmtp_verify(s, longest, on_call, c)));
  wait_for(c);
  snprintf(expected, sizeof(expected),
           "VRFY ada\nVRFY ada@example.org\nVRFY \"a<b\"@example.org\n"
           "VRFY ada@example.org\nEXPN staff\nEXPN staff\nHELP\n"
           "HELP\nHELP <RCPT>\nVRFY %s\n",
           longest);
  assert_string_equal(expected, record.sent);
  for (i = 0; i < 10; i++) {
    static const int codes[] = {250, 252, 252, 252, 550,
                                250, 214, 502, 214, 553};
    assert_int_equal(1, calls[i].times);
    assert_int_equal(i + 1, calls[i].order);
    assert_int_equal(0, calls[i].status); /* whatever the code */
    assert_int_equal(codes[i], calls[i].code);
    assert_int_equal(UVSMTP_OUTCOME_NONE, calls[i].outcome);
  }
  assert_string_equal("Ada <ada@example.org>", calls[0].text);
  assert_string_equal("a@example.org\nb", calls[5].text);
  close_session(&f, s);
  fixture_finish(&f);
  assert_peer_done(peer);
}

typedef int (*verb_t)(uvsmtp_session_t*, const char*, uvsmtp_cb, void*);

/* Nothing is taken, nothing is sent. */
static void test_verbs_refused(void** state) {
  static const verb_t verbs[] = {uvsmtp_verify, uvsmtp_expn, uvsmtp_help};
  static const char* const bad[] = {"a\r\nRSET", "a\n",   "\r",   "a\rb",
                                    "a\tb",      "<a\n>", "\x7f", "\x01"};
  fixture_t f;
  record_t record;
  call_t call;
  char too_long[ARGUMENT_MAX + 2];
  char huge[5000];
  peer_t* peer = peer_play(0, "S 220 hi\nC NOOP\nS 250 ok\nEOF");
  uvsmtp_session_t* s;
  size_t i;
  size_t k;
  (void)state;
  memset(&call, 0, sizeof(call));
  memset(too_long, 'x', sizeof(too_long));
  memset(huge, 'x', sizeof(huge));
  too_long[sizeof(too_long) - 1] = huge[sizeof(huge) - 1] = '\0';
  fixture_start(&f);
  s = open_recorded(&f, peer, &record);
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  for (k = 0; k < 3; k++) {
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
      assert_int_equal(UV_EINVAL, verbs[k](s, bad[i], on_call, &call));
    }
    assert_int_equal(UV_EINVAL, verbs[k](s, too_long, on_call, &call));
    assert_int_equal(UV_EINVAL, verbs[k](s, huge, on_call, &call));
    if (verbs[k] == uvsmtp_help) continue;
    assert_int_equal(UV_EINVAL, verbs[k](s, NULL, on_call, &call));
    assert_int_equal(UV_EINVAL, verbs[k](s, "", on_call, &call));
    assert_int_equal(UV_EINVAL, verbs[k](s, "<>", on_call, &call));
    assert_int_equal(UV_EINVAL, verbs[k](s, "Ada <>", on_call, &call));
  }
  assert_int_equal(0, CALL(&call, &f, uvsmtp_noop(s, on_call, &call)));
  wait_for(&call);
  assert_string_equal("NOOP\n", record.sent);
  close_session(&f, s);
  fixture_finish(&f);
  assert_peer_done(peer);
}

/* --------------------------------------------------------------- deadlines */

static void test_timeouts_all(void** state) {
  uvsmtp_timeouts_t blank = {0};
  uvsmtp_timeouts_t t = UVSMTP_TIMEOUTS_INIT;
  const int64_t* phases[] = {&t.connect, &t.greeting, &t.hello, &t.mail,
                             &t.rcpt,    &t.data,     &t.text,  &t.dot,
                             &t.command, &t.quit};
  size_t i;
  (void)state;
  assert_int_equal(UV_EINVAL, uvsmtp_timeouts_all(&t, 0));
  assert_int_equal(UV_EINVAL, uvsmtp_timeouts_all(&t, -2));
  assert_int_equal(UV_EINVAL, uvsmtp_timeouts_all(&t, INT64_MIN));
  assert_int_equal(UV_EINVAL, uvsmtp_timeouts_all(NULL, 1));
  assert_int_equal(UV_EINVAL, uvsmtp_timeouts_all(&blank, 1));
  for (i = 0; i < 10; i++) assert_int_equal(0, *phases[i]);
  assert_int_equal(0, uvsmtp_timeouts_all(&t, 1234));
  for (i = 0; i < 10; i++) assert_int_equal(1234, *phases[i]);
  assert_int_equal(0, uvsmtp_timeouts_all(&t, -1));
  for (i = 0; i < 10; i++) assert_int_equal(-1, *phases[i]);
  assert_int_equal(sizeof(t), t.size);
}

/* They count from the next wait on; the one under way keeps its own. */
static void test_set_timeouts(void** state) {
  fixture_t f;
  call_t calls[2];
  uvsmtp_timeouts_t t = UVSMTP_TIMEOUTS_INIT;
  peer_t* peer = peer_play(0, "S 220 hi\nC NOOP\nSTALL\nS 250 ok\nC NOOP");
  uvsmtp_session_t* s;
  (void)state;
  memset(calls, 0, sizeof(calls));
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  assert_int_equal(0, CALL(&calls[0], &f, uvsmtp_noop(s, on_call, &calls[0])));
  assert_int_equal(0, CALL(&calls[1], &f, uvsmtp_noop(s, on_call, &calls[1])));
  run_to_stall(&f, peer, 1);
  assert_int_equal(0, uvsmtp_timeouts_all(&t, 30));
  assert_int_equal(0, uvsmtp_session_set_timeouts(s, &t));
  /* Nothing of what is refused is taken. */
  assert_int_equal(UV_EINVAL, uvsmtp_session_set_timeouts(s, NULL));
  t.command = -1;
  t.quit = -2;
  assert_int_equal(UV_EINVAL, uvsmtp_session_set_timeouts(s, &t));
  t.quit = 30;
  t.size = 1;
  assert_int_equal(UV_EINVAL, uvsmtp_session_set_timeouts(s, &t));
  run_for(&f, 100);
  assert_int_equal(0, calls[0].times);
  peer_go(peer);
  wait_for(&calls[1]);
  assert_int_equal(0, calls[0].status);
  assert_int_equal(UV_ETIMEDOUT, calls[1].status);
  close_session(&f, s);
  fixture_finish(&f);
  assert_peer_done(peer);
}

/* To none, and back to the defaults, which are longer than this test. */
static void test_set_timeouts_back(void** state) {
  fixture_t f;
  call_t calls[2];
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_timeouts_t t = UVSMTP_TIMEOUTS_INIT;
  peer_t* peer = peer_play(0,
                           "S 220 hi\nC NOOP\nSTALL\nS 250 ok\nC NOOP\n"
                           "STALL\nS 250 ok\nEOF");
  uvsmtp_session_t* s;
  int i;
  (void)state;
  memset(calls, 0, sizeof(calls));
  t.command = 30;
  config.timeouts = &t;
  fixture_start(&f);
  s = open_session(&f, peer, &config);
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  for (i = 0; i < 2; i++) {
    t.command = i == 0 ? -1 : 0;
    assert_int_equal(0, uvsmtp_session_set_timeouts(s, &t));
    assert_int_equal(0,
                     CALL(&calls[i], &f, uvsmtp_noop(s, on_call, &calls[i])));
    run_to_stall(&f, peer, i + 1);
    run_for(&f, 100);
    assert_int_equal(0, calls[i].times);
    peer_go(peer);
    wait_for(&calls[i]);
    assert_int_equal(0, calls[i].status);
  }
  close_session(&f, s);
  fixture_finish(&f);
  assert_peer_done(peer);
}

/* ------------------------------------------------------------ trace, data */

static void noop(fixture_t* f, uvsmtp_session_t* s) {
  call_t call;
  memset(&call, 0, sizeof(call));
  assert_int_equal(0, CALL(&call, f, uvsmtp_noop(s, on_call, &call)));
  wait_for(&call);
  assert_int_equal(0, call.status);
}

static void test_set_trace(void** state) {
  fixture_t f;
  record_t first;
  record_t second;
  uvsmtp_session_t* s;
  peer_t* peer = peer_answer(0);
  (void)state;
  memset(&second, 0, sizeof(second));
  fixture_start(&f);
  s = open_recorded(&f, peer, &first);
  assert_int_equal(0, uvsmtp_session_set_trace(s, NULL, NULL));
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  noop(&f, s);
  assert_string_equal("", first.sent);
  assert_int_equal(0, first.received + first.others);
  assert_int_equal(0, uvsmtp_session_set_trace(s, on_trace, &second));
  noop(&f, s);
  assert_string_equal("NOOP\n", second.sent);
  assert_int_equal(1, second.received);
  assert_int_equal(0, uvsmtp_session_set_trace(s, on_trace, &first));
  first.session = s;
  noop(&f, s);
  first.session = NULL;
  assert_string_equal("NOOP\n", first.sent);
  assert_int_equal(1, first.received);
  assert_int_equal(2, first.refusals);
  assert_int_equal(0, uvsmtp_session_set_trace(s, NULL, NULL));
  noop(&f, s);
  assert_string_equal("NOOP\n", first.sent);
  assert_string_equal("NOOP\n", second.sent);
  close_session(&f, s);
  fixture_finish(&f);
  assert_null(peer_finish(peer, NULL));
}

static void check_data(uvsmtp_session_t* s, void* data) {
  assert_ptr_equal(data, uvsmtp_session_data(s));
}

static void test_data(void** state) {
  fixture_t f;
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_session_t* s;
  int a;
  int b;
  (void)state;
  fixture_start(&f);
  s = open_session(&f, NULL, NULL);
  assert_null(uvsmtp_session_data(s));
  close_session(&f, s);
  config.data = &a;
  s = open_session(&f, NULL, &config);
  assert_ptr_equal(&a, uvsmtp_session_data(s));
  uvsmtp_session_set_data(s, &b);
  assert_ptr_equal(&b, uvsmtp_session_data(s));
  assert_ptr_equal(f.env, uvsmtp_session_env(s));
  assert_int_equal(0, uvsmtp_session_end(s, check_data, &b));
  assert_int_equal(0, uv_run(&f.loop, UV_RUN_DEFAULT));
  fixture_finish(&f);
}

/* ------------------------------------------------------------- the server */

static void assert_nothing_known(const uvsmtp_session_t* s) {
  uvsmtp_slice_t keyword;
  uvsmtp_slice_t params;
  size_t cursor = 0;
  assert_int_equal(0, uvsmtp_session_does_esmtp(s));
  assert_int_equal(0, uvsmtp_session_has_extn(s, "SIZE"));
  assert_null(uvsmtp_session_extn(s, "SIZE"));
  assert_int_equal(0, uvsmtp_session_next_extn(s, &cursor, &keyword, &params));
}

static void greet(fixture_t* f, uvsmtp_session_t* s,
                  int (*hello)(uvsmtp_session_t*, uvsmtp_cb, void*)) {
  call_t call;
  memset(&call, 0, sizeof(call));
  assert_int_equal(0, CALL(&call, f, hello(s, on_call, &call)));
  wait_for(&call);
  assert_int_equal(0, call.status);
}

static int ehlo(uvsmtp_session_t* s, uvsmtp_cb cb, void* data) {
  return uvsmtp_ehlo(s, NULL, cb, data);
}

/* One server speaks ESMTP and goes, the other one does not. */
static void test_esmtp(void** state) {
  fixture_t f;
  call_t call;
  uvsmtp_slice_t keyword;
  uvsmtp_slice_t params;
  size_t cursor = 0;
  peer_t* peer =
      peer_play(0,
                "S 220 hi\nC EHLO\nS 250-peer at your service\nS 250-size 77\n"
                "S 250 X-ODD a b\nC QUIT\nS 221 bye\nEOF\nCLOSE\nNEXT\n"
                "S 220 hi\nC EHLO\nS 502 what?\nC HELO\nS 250 old peer\nEOF");
  uvsmtp_session_t* s;
  (void)state;
  memset(&call, 0, sizeof(call));
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  assert_nothing_known(s);
  assert_null(uvsmtp_session_ehlo_reply(s));
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  greet(&f, s, ehlo);
  assert_int_equal(1, uvsmtp_session_does_esmtp(s));
  assert_int_equal(1, uvsmtp_session_has_extn(s, "Size"));
  assert_string_equal("77", uvsmtp_session_extn(s, "SIZE"));
  assert_int_equal(0, uvsmtp_session_has_extn(s, "PEER"));
  assert_int_equal(1, uvsmtp_session_next_extn(s, &cursor, &keyword, &params));
  assert_int_equal(1, uvsmtp_session_next_extn(s, &cursor, &keyword, &params));
  assert_int_equal(5, keyword.len);
  assert_memory_equal("X-ODD", keyword.base, 5);
  assert_int_equal(3, params.len);
  assert_memory_equal("a b", params.base, 3);
  assert_int_equal(0, uvsmtp_session_next_extn(s, &cursor, &keyword, &params));
  assert_int_equal(250, uvsmtp_reply_code(uvsmtp_session_ehlo_reply(s)));
  assert_string_equal("peer at your service\nsize 77\nX-ODD a b",
                      uvsmtp_reply_text(uvsmtp_session_ehlo_reply(s), NULL));
  assert_null(uvsmtp_session_helo_reply(s));
  assert_int_equal(UVSMTP_STATE_READY, uvsmtp_session_state(s));
  assert_int_equal(0, CALL(&call, &f, uvsmtp_quit(s, on_call, &call)));
  wait_for(&call);
  assert_int_equal(UVSMTP_STATE_CLOSED, uvsmtp_session_state(s));
  assert_nothing_known(s);
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  greet(&f, s, uvsmtp_hello);
  assert_nothing_known(s);
  assert_int_equal(502, uvsmtp_reply_code(uvsmtp_session_ehlo_reply(s)));
  assert_string_equal("old peer",
                      uvsmtp_reply_text(uvsmtp_session_helo_reply(s), NULL));
  close_session(&f, s);
  fixture_finish(&f);
  assert_peer_done(peer);
}

/* -------------------------------------------------------- connecting again */

static void quit(fixture_t* f, uvsmtp_session_t* s) {
  call_t call;
  memset(&call, 0, sizeof(call));
  assert_int_equal(0, CALL(&call, f, uvsmtp_quit(s, on_call, &call)));
  wait_for(&call);
  assert_int_equal(0, call.status);
}

static void connect_to(fixture_t* f, uvsmtp_session_t* s, const peer_t* peer) {
  call_t call;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  memset(&call, 0, sizeof(call));
  if (peer != NULL) {
    target.host = peer_host(peer);
    target.port = peer_port(peer);
  }
  assert_int_equal(0, CALL(&call, f,
                           uvsmtp_connect(s, peer == NULL ? NULL : &target,
                                          on_call, &call)));
  assert_int_equal(UV_EALREADY, uvsmtp_connect(s, NULL, NULL, NULL));
  assert_int_equal(UV_EALREADY, uvsmtp_connect(s, &target, NULL, NULL));
  wait_for(&call);
  assert_int_equal(0, call.status);
  assert_int_equal(UV_EISCONN, uvsmtp_connect(s, NULL, NULL, NULL));
}

/* To the configured target, another one, over a Unix socket, and back. */
static void test_connect_again(void** state) {
  static const char script[] =
      "S 220 hi\nC NOOP\nS 250 ok\nC QUIT\nS 221 b\nEOF";
  static const char twice[] =
      "S 220 hi\nC NOOP\nS 250 ok\nC QUIT\nS 221 b\nEOF\nCLOSE\n"
      "NEXT\nS 220 hi\nC NOOP\nCLOSE\nNEXT\nS 220 hi\nC NOOP\nS 250 ok\nEOF";
  fixture_t f;
  call_t call;
  peer_t* first = peer_play(0, twice);
  peer_t* second = peer_play(PEER_UNIX, script);
  uvsmtp_session_t* s;
  (void)state;
  memset(&call, 0, sizeof(call));
  fixture_start(&f);
  s = open_session(&f, first, NULL);
  connect_to(&f, s, NULL);
  noop(&f, s);
  quit(&f, s);
  connect_to(&f, s, second);
  noop(&f, s);
  quit(&f, s);
  connect_to(&f, s, NULL);
  assert_int_equal(0, CALL(&call, &f, uvsmtp_noop(s, on_call, &call)));
  wait_for(&call);
  assert_int_equal(UVSMTP_EDISCONNECTED, call.status);
  connect_to(&f, s, NULL);
  noop(&f, s);
  close_session(&f, s);
  fixture_finish(&f);
  assert_peer_done(first);
  assert_peer_done(second);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_verbs),
      TEST(test_verbs_refused),
      TEST(test_timeouts_all),
      TEST(test_set_timeouts),
      TEST(test_set_timeouts_back),
      TEST(test_set_trace),
      TEST(test_data),
      TEST(test_esmtp),
      TEST(test_connect_again),
  };
  return cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}
