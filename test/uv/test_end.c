/* SPDX-License-Identifier: MIT */
/* test_end.c: uvsmtp_session_end in every state: QUIT where there is somebody
 * to say it to, then close. */
#include "fixture.h"

static const char text[] = "Subject: x\r\n\r\nHello\r\n";

/* A second end, and everything else that a session could be asked to do. */
static void assert_ending(uvsmtp_session_t* s) {
  uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
  letter_t letter;
  letter_init(&letter, "a@example.com", "b@example.org", text,
              sizeof(text) - 1);
  assert_int_equal(UV_EALREADY, uvsmtp_session_end(s, NULL, NULL));
  assert_int_equal(UV_ECANCELED, uvsmtp_connect(s, NULL, NULL, NULL));
  assert_int_equal(UV_ECANCELED, uvsmtp_hello(s, NULL, NULL));
  assert_int_equal(UV_ECANCELED, uvsmtp_send(s, &letter.message, NULL, NULL));
  assert_int_equal(UV_ECANCELED, uvsmtp_noop(s, NULL, NULL));
  assert_int_equal(UV_ECANCELED, uvsmtp_quit(s, NULL, NULL));
  assert_int_equal(UV_ECANCELED, uvsmtp_verify(s, "a", NULL, NULL));
  assert_int_equal(UV_ECANCELED, uvsmtp_session_set_timeouts(s, &timeouts));
  assert_int_equal(0, letter.released);
  uvsmtp_session_resume(s);
}

/* Ends it, and waits until it is gone. */
static void end_session(fixture_t* f, uvsmtp_session_t* s) {
  int n = f->closed;
  assert_int_equal(0, uvsmtp_session_end(s, on_session_closed, f));
  assert_ending(s);
  assert_int_equal(n, f->closed);
  run_until(f, &f->closed, n + 1);
  assert_int_equal(0, uv_run(&f->loop, UV_RUN_DEFAULT));
  assert_int_equal(n + 1, f->closed);
}

static void test_end_unconnected(void** state) {
  fixture_t f;
  peer_t* peer = peer_play(0, "");
  (void)state;
  fixture_start(&f);
  end_session(&f, open_session(&f, peer, NULL));
  fixture_finish(&f);
  /* Nobody came. */
  assert_non_null(peer_finish(peer, NULL));
}

/* A session with a connect that was just called. */
static uvsmtp_session_t* start_connecting(fixture_t* f, const peer_t* peer,
                                          call_t* call) {
  uvsmtp_session_t* s;
  memset(call, 0, sizeof(*call));
  fixture_start(f);
  s = open_session(f, peer, NULL);
  assert_int_equal(0, CALL(call, f, uvsmtp_connect(s, NULL, on_call, call)));
  return s;
}

static void end_connecting(const char* script, int status) {
  fixture_t f;
  call_t call;
  peer_t* peer = peer_play(0, script);
  end_session(&f, start_connecting(&f, peer, &call));
  assert_int_equal(1, call.times);
  assert_int_equal(status, call.status);
  fixture_finish(&f);
  assert_peer_done(peer);
}

static void test_end_connecting(void** state) {
  (void)state;
  end_connecting("S 220 hi\nC QUIT\nS 221 bye\nEOF", 0);
  /* There is nobody to say QUIT to. */
  end_connecting("S 554 no\nEOF", UVSMTP_ECONNECT);
}

/* A session that keeps no loop alive ends with the loop's help all the same. */
static void test_end_unreferenced(void** state) {
  fixture_t f;
  call_t call;
  peer_t* peer = peer_play(0, "S 220 hi\nC QUIT\nS 221 bye\nEOF");
  uvsmtp_session_t* s = start_connecting(&f, peer, &call);
  (void)state;
  uvsmtp_session_unref(s);
  assert_int_equal(0, uv_run(&f.loop, UV_RUN_DEFAULT));
  assert_int_equal(1, call.times);
  end_session(&f, s);
  fixture_finish(&f);
  assert_peer_done(peer);
}

static const char busy[] =
    "S 220 hi\nC EHLO\nS 250 peer\nC MAIL\nS 250 ok\nC RCPT\nS 250 ok\n"
    "C DATA\nS 354 go\nSTALL\nT\nS 250 taken\nC NOOP\nS 250 ok\nC QUIT\n"
    "S 221 bye\nEOF";

enum { CONNECT, SEND, NOOP, CALLS };

static void submit(fixture_t* f, uvsmtp_session_t* s, call_t* c,
                   letter_t* letter) {
  memset(c, 0, CALLS * sizeof(*c));
  letter_init(letter, "a@example.com", "b@example.org", text, sizeof(text) - 1);
  assert_int_equal(
      0, CALL(&c[CONNECT], f, uvsmtp_connect(s, NULL, on_call, &c[CONNECT])));
  assert_int_equal(
      0,
      CALL(&c[SEND], f, uvsmtp_send(s, &letter->message, on_call, &c[SEND])));
  assert_int_equal(0, CALL(&c[NOOP], f, uvsmtp_noop(s, on_call, &c[NOOP])));
}

/* All that was called before is done before. */
static void test_end_busy(void** state) {
  fixture_t f;
  call_t calls[CALLS];
  letter_t letter;
  peer_t* peer = peer_play(0, busy);
  uvsmtp_session_t* s;
  int i;
  (void)state;
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  submit(&f, s, calls, &letter);
  assert_int_equal(0, uvsmtp_session_end(s, on_session_closed, &f));
  run_to_stall(&f, peer, 1);
  assert_int_equal(0, f.closed);
  assert_ending(s);
  peer_go(peer);
  run_until(&f, &f.closed, 1);
  for (i = 0; i < CALLS; i++) {
    assert_int_equal(1, calls[i].times);
    assert_int_equal(i + 1, calls[i].order);
    assert_int_equal(0, calls[i].status);
  }
  assert_int_equal(1, letter.released);
  fixture_finish(&f);
  assert_peer_done(peer);
}

/* A close makes it short, and both are told, the end first. */
typedef struct both_s {
  int ended;
  int closed;
} both_t;

static void on_both_ended(uvsmtp_session_t* s, void* arg) {
  both_t* both = arg;
  (void)s;
  assert_int_equal(0, both->closed);
  both->ended++;
}

static void on_both_closed(uvsmtp_session_t* s, void* arg) {
  both_t* both = arg;
  (void)s;
  assert_int_equal(1, both->ended);
  both->closed++;
}

static void test_end_then_close(void** state) {
  fixture_t f;
  call_t calls[CALLS];
  letter_t letter;
  both_t both = {0, 0};
  peer_t* peer = peer_play(0, busy);
  uvsmtp_session_t* s;
  (void)state;
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  submit(&f, s, calls, &letter);
  assert_int_equal(0, uvsmtp_session_end(s, on_both_ended, &both));
  run_to_stall(&f, peer, 1);
  assert_int_equal(0, uvsmtp_session_close(s, on_both_closed, &both));
  assert_int_equal(UV_EALREADY, uvsmtp_session_close(s, NULL, NULL));
  assert_ending(s);
  assert_int_equal(0, calls[SEND].times);
  run_until(&f, &both.closed, 1);
  assert_int_equal(1, both.ended);
  assert_int_equal(1, both.closed);
  assert_int_equal(1, calls[SEND].times);
  assert_int_equal(UVSMTP_OUTCOME_UNKNOWN, calls[SEND].outcome);
  assert_int_equal(1, calls[NOOP].times);
  assert_int_equal(UV_ECANCELED, calls[NOOP].status);
  fixture_finish(&f);
  peer_finish(peer, NULL);
}

/* The server does not answer QUIT; a close then, or the deadline of QUIT. */
static void test_end_unanswered(void** state) {
  fixture_t f;
  both_t both = {0, 0};
  int way;
  (void)state;
  for (way = 0; way < 2; way++) {
    uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
    uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
    peer_t* peer = peer_play(0, "S 220 hi\nC QUIT\nSTALL");
    uvsmtp_session_t* s;
    both.ended = both.closed = 0;
    timeouts.quit = way == 0 ? 20 : -1;
    config.timeouts = &timeouts;
    fixture_start(&f);
    s = open_session(&f, peer, &config);
    assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
    assert_int_equal(0, uvsmtp_session_end(s, on_both_ended, &both));
    if (way == 1) {
      run_to_stall(&f, peer, 1);
      assert_int_equal(0, both.ended);
      assert_int_equal(0, uvsmtp_session_close(s, on_both_closed, &both));
    }
    run_until(&f, &both.ended, 1);
    assert_int_equal(way, both.closed);
    fixture_finish(&f);
    peer_finish(peer, NULL);
  }
}

static void test_close_then_end(void** state) {
  fixture_t f;
  peer_t* peer = peer_play(0, "");
  uvsmtp_session_t* s;
  (void)state;
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  assert_int_equal(0, uvsmtp_session_close(s, on_session_closed, &f));
  assert_ending(s);
  run_until(&f, &f.closed, 1);
  fixture_finish(&f);
  peer_finish(peer, NULL);
}

/* Lost, or left by QUIT: it is over already. */
static void test_end_after_the_end(void** state) {
  static const char* const scripts[] = {
      "S 220 hi\nC NOOP\nCLOSE", "S 220 hi\nC NOOP\nRESET",
      "S 220 hi\nC NOOP\nS 250 ok\nC QUIT\nS 221 bye\nEOF"};
  size_t i;
  (void)state;
  for (i = 0; i < 3; i++) {
    fixture_t f;
    call_t calls[2];
    peer_t* peer = peer_play(0, scripts[i]);
    uvsmtp_session_t* s;
    memset(calls, 0, sizeof(calls));
    fixture_start(&f);
    s = open_session(&f, peer, NULL);
    assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
    assert_int_equal(0,
                     CALL(&calls[0], &f, uvsmtp_noop(s, on_call, &calls[0])));
    assert_int_equal(0,
                     CALL(&calls[1], &f, uvsmtp_quit(s, on_call, &calls[1])));
    if (i != 1) wait_for(&calls[1]); /* else while all that is queued */
    end_session(&f, s);
    assert_int_equal(i == 2 ? 0 : UVSMTP_EDISCONNECTED, calls[0].status);
    assert_int_equal(1, calls[1].times);
    fixture_finish(&f);
    assert_peer_done(peer);
  }
}

static void end_in_completion(call_t* call) {
  assert_int_equal(
      0, uvsmtp_session_end(call->session, on_session_closed, call->f));
  assert_ending(call->session);
}

/* From the completion of a call with another one behind it. */
static void test_end_in_completion(void** state) {
  fixture_t f;
  call_t calls[2];
  peer_t* peer = peer_play(
      0, "S 220 hi\nC NOOP\nS 250 ok\nC NOOP\nS 250 ok\nC QUIT\nS 221 b\nEOF");
  uvsmtp_session_t* s;
  (void)state;
  memset(calls, 0, sizeof(calls));
  calls[0].then = end_in_completion;
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  assert_int_equal(0, CALL(&calls[0], &f, uvsmtp_noop(s, on_call, &calls[0])));
  assert_int_equal(0, CALL(&calls[1], &f, uvsmtp_noop(s, on_call, &calls[1])));
  run_until(&f, &f.closed, 1);
  assert_int_equal(0, calls[1].status);
  assert_int_equal(1, calls[1].times);
  fixture_finish(&f);
  assert_peer_done(peer);
}

static void count_quit(void* arg, int kind, const char* line, size_t len) {
  if (kind == UVSMTP_TRACE_SENT && len == 4 && memcmp(line, "QUIT", 4) == 0)
    ++*(int*)arg;
}

static void count_good(uvsmtp_session_t* s, const uvsmtp_result_t* result,
                       void* arg) {
  (void)s;
  assert_int_equal(0, uvsmtp_result_status(result));
  --*(int*)arg;
}

/* Without memory for a QUIT it ends all the same, and as late. */
static void test_end_without_memory(void** state) {
  fixture_t f;
  call_t call;
  int quits = 0;
  int left = 0;
  peer_t* peer = peer_answer(0);
  uvsmtp_session_t* s = start_connecting(&f, peer, &call);
  (void)state;
  assert_int_equal(0, uvsmtp_session_set_trace(s, count_quit, &quits));
  wait_for(&call);
  assert_int_equal(0, uvsmtp_noop(s, count_good, &left));
  left++;
  f.heap.fail_at = f.heap.calls + 1;
  f.heap.fail_all = 1;
  /* They wait for the first one, in what the free lists hold. */
  while (uvsmtp_noop(s, count_good, &left) == 0) left++;
  assert_int_equal(0, uvsmtp_session_end(s, on_session_closed, &f));
  assert_ending(s);
  f.heap.fail_all = 0;
  f.heap.fail_at = 0;
  run_until(&f, &f.closed, 1);
  assert_int_equal(0, left);
  assert_int_equal(0, quits);
  fixture_finish(&f);
  assert_null(peer_finish(peer, NULL));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_end_unconnected),   TEST(test_end_connecting),
      TEST(test_end_unreferenced),  TEST(test_end_busy),
      TEST(test_end_then_close),    TEST(test_end_unanswered),
      TEST(test_close_then_end),    TEST(test_end_after_the_end),
      TEST(test_end_in_completion), TEST(test_end_without_memory),
  };
  return cmocka_run_group_tests_name("end", tests, NULL, NULL);
}
