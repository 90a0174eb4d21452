/* SPDX-License-Identifier: MIT */
/* test_close.c: the end in every state: the session is closed, the server goes,
 * or goes with a reset, after each step of a dialogue. */
#include "fixture.h"

enum { HERE, PEER, RESET, ENDS };
enum { CONNECT, SEND, NOOP, QUIT, CALLS };

typedef struct dialogue_s {
  unsigned int flags; /* of the session */
  int accepted;       /* steps after which the message has been accepted */
  const char* steps[32];
} dialogue_t;

static const dialogue_t plain = {
    0,
    14,
    {"S 220 hi", "C EHLO", "S 250 peer", "C MAIL", "S 250 ok", "C RCPT", "R 25",
     "S 0 ok", "C DATA", "S 354 go", "T", "R 250-2.0.0 al", "S most",
     "S 250 2.0.0 taken", "C NOOP", "S 250 ok", "C QUIT", "S 221 bye", NULL}};

static const dialogue_t pipelined = {
    0,
    15,
    {"S 220 hi", "C EHLO", "S 250-peer", "S 250 PIPELINING", "C MAIL", "C RCPT",
     "C DATA", "S 250 ok", "S 250 ok", "R 354 ", "S go", "T", "R 25",
     "R 0 2.0.0 taken", "S", "C NOOP", "S 250 ok", "C QUIT", NULL}};

static const dialogue_t chunked = {
    0,
    13,
    {"S 220 hi", "C EHLO", "S 250-peer", "S 250-PIPELINING", "S 250 CHUNKING",
     "C MAIL", "C RCPT", "S 250 ok", "S 250 ok", "C BDAT", "B 25", "R 250",
     "S  2.0.0 taken", "C NOOP", "S 250 ok", "C QUIT", NULL}};

static const dialogue_t lmtp = {
    UVSMTP_SESSION_LMTP,
    12,
    {"S 220 hi", "C LHLO", "S 250 peer", "C MAIL", "S 250 ok", "C RCPT",
     "S 250 ok", "C DATA", "S 354 go", "T", "R 250 2.0.0 ta", "S ken", "C NOOP",
     NULL}};

static const char body[] = "Subject: x\r\n\r\nHello\r\n.x\r\n";

static void submit(fixture_t* f, uvsmtp_session_t* s, call_t* c,
                   letter_t* letter) {
  letter_init(letter, "a@example.com", "b@example.org", body, sizeof(body) - 1);
  assert_int_equal(
      0, CALL(&c[CONNECT], f, uvsmtp_connect(s, NULL, on_call, &c[CONNECT])));
  assert_int_equal(
      0,
      CALL(&c[SEND], f, uvsmtp_send(s, &letter->message, on_call, &c[SEND])));
  assert_int_equal(0, CALL(&c[NOOP], f, uvsmtp_noop(s, on_call, &c[NOOP])));
  assert_int_equal(0, CALL(&c[QUIT], f, uvsmtp_quit(s, on_call, &c[QUIT])));
}

static void end_after(const dialogue_t* d, int steps, int how, int flags) {
  fixture_t f;
  call_t calls[CALLS];
  letter_t letter;
  char script[1024] = "";
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_session_t* s;
  peer_t* peer;
  int i;
  for (i = 0; i < steps; i++) {
    strcat(script, d->steps[i]);
    strcat(script, "\n");
  }
  strcat(script, how == PEER    ? "STALL\nCLOSE"
                 : how == RESET ? "STALL\nRESET"
                                : "STALL");
  memset(calls, 0, sizeof(calls));
  peer = peer_play(flags, script);
  fixture_start(&f);
  config.flags = d->flags;
  s = open_session(&f, peer, &config);
  submit(&f, s, calls, &letter);
  run_to_stall(&f, peer, 1);
  if (steps >= d->accepted) wait_for(&calls[SEND]);
  if (how != HERE) {
    peer_go(peer);
    wait_for(&calls[QUIT]);
  }
  close_session(&f, s);
  for (i = 0; i < CALLS; i++) {
    assert_int_equal(1, calls[i].times);
    assert_int_equal(i + 1, calls[i].order);
  }
  assert_int_equal(1, letter.released);
  if (steps >= d->accepted) {
    assert_int_equal(0, calls[SEND].status);
    assert_int_equal(UVSMTP_OUTCOME_ACCEPTED, calls[SEND].outcome);
  } else {
    assert_int_not_equal(0, calls[SEND].status);
    assert_int_not_equal(UVSMTP_OUTCOME_ACCEPTED, calls[SEND].outcome);
    assert_int_not_equal(UVSMTP_OUTCOME_REJECTED, calls[SEND].outcome);
    assert_int_not_equal(0, calls[NOOP].status);
  }
  /* From the moment that the server has read the end of the text. */
  if (steps >= d->accepted - 3 && steps < d->accepted) {
    assert_int_equal(UVSMTP_OUTCOME_UNKNOWN, calls[SEND].outcome);
    assert_int_equal(UVSMTP_EUNKNOWN, calls[SEND].status);
    if (how == HERE) assert_int_equal(UV_ECANCELED, calls[SEND].cause);
  }
  fixture_finish(&f);
  peer_finish(peer, NULL);
}

static void end_everywhere(const dialogue_t* d, int flags) {
  int steps;
  int how;
  for (steps = 0; d->steps[steps] != NULL; steps++) {
    for (how = 0; how < ENDS; how++) end_after(d, steps, how, flags);
  }
}

static void test_plain(void** state) {
  (void)state;
  end_everywhere(&plain, 0);
  end_everywhere(&plain, PEER_UNIX);
}

static void test_pipelined(void** state) {
  (void)state;
  end_everywhere(&pipelined, 0);
}

static void test_chunked(void** state) {
  (void)state;
  end_everywhere(&chunked, 0);
}

static void test_lmtp(void** state) {
  (void)state;
  end_everywhere(&lmtp, PEER_UNIX);
}

/* ------------------------------------------------- before the connection */

static void close_before(const char* host, int turns) {
  fixture_t f;
  call_t connect, send;
  letter_t letter;
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_session_t* s;
  int canceled;
  memset(&connect, 0, sizeof(connect));
  memset(&send, 0, sizeof(send));
  letter_init(&letter, "a@example.com", "b@example.org", body,
              sizeof(body) - 1);
  fixture_start(&f);
  target.host = host;
  target.port = 1; /* nobody listens */
  config.target = &target;
  s = open_session(&f, NULL, &config);
  assert_int_equal(
      0, CALL(&connect, &f, uvsmtp_connect(s, NULL, on_call, &connect)));
  assert_int_equal(
      0, CALL(&send, &f, uvsmtp_send(s, &letter.message, on_call, &send)));
  while (turns-- > 0) uv_run(&f.loop, UV_RUN_NOWAIT);
  close_session(&f, s);
  assert_int_equal(1, connect.times);
  assert_int_not_equal(0, connect.status);
  assert_int_equal(1, send.times);
  assert_int_not_equal(0, send.status);
  /* The attempt may have failed by itself in these turns. */
  canceled = connect.status == UV_ECANCELED || connect.cause == UV_ECANCELED;
  assert_int_equal(
      canceled ? UVSMTP_OUTCOME_NOT_ATTEMPTED : UVSMTP_OUTCOME_DEFERRED,
      send.outcome);
  assert_int_equal(1, letter.released);
  fixture_finish(&f);
}

/* scenario: 17 */
static void test_while_resolving(void** state) {
  int turns;
  (void)state;
  for (turns = 0; turns < 4; turns++) {
    close_before("nonexistent.invalid", turns);
    close_before("localhost", turns);
  }
}

static void test_while_connecting(void** state) {
  int turns;
  (void)state;
  for (turns = 0; turns < 4; turns++) {
    close_before("127.0.0.1", turns);
    close_before("/nonexistent/socket", turns);
  }
}

/* Many lookups at once, more than libuv has threads: some have not begun when
 * they are cancelled. */
static void test_many_lookups(void** state) {
  enum { N = 40 };
  fixture_t f;
  call_t calls[N];
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_session_t* s[N];
  int i;
  (void)state;
  memset(calls, 0, sizeof(calls));
  fixture_start(&f);
  target.host = "nonexistent.invalid";
  config.target = &target;
  for (i = 0; i < N; i++) {
    s[i] = open_session(&f, NULL, &config);
    assert_int_equal(
        0, CALL(&calls[i], &f, uvsmtp_connect(s[i], NULL, on_call, &calls[i])));
  }
  uv_run(&f.loop, UV_RUN_NOWAIT);
  for (i = 0; i < N; i++) {
    assert_int_equal(0, uvsmtp_session_close(s[i], on_session_closed, &f));
  }
  run_until(&f, &f.closed, N);
  for (i = 0; i < N; i++) assert_int_equal(1, calls[i].times);
  fixture_finish(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_plain),           TEST(test_pipelined),
      TEST(test_chunked),         TEST(test_lmtp),
      TEST(test_while_resolving), TEST(test_while_connecting),
      TEST(test_many_lookups),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
