/* SPDX-License-Identifier: MIT */
/* test_deadline.c: deadlines of whole phases; silent, dripping and slow peers;
 * loops that are held up. Short deadlines mean "now", long ones "never": no
 * test measures time. */
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "uv/uv_int.h"

enum { SOON = 40, NEVER = -1 };

static const char body[] = "Subject: x\r\n\r\nHello\r\n";

typedef struct ending_s {
  int status;
  int cause;
  int stage;
  int outcome;
} ending_t;

static uvsmtp_timeouts_t all(int64_t ms) {
  uvsmtp_timeouts_t t = UVSMTP_TIMEOUTS_INIT;
  t.connect = t.greeting = t.hello = t.mail = t.rcpt = t.data = t.text = t.dot =
      t.command = t.quit = ms;
  return t;
}

/* Connects and sends a message to a peer that plays the script; what became of
 * it. */
static ending_t send_with(const char* script, int flags,
                          const uvsmtp_timeouts_t* timeouts) {
  fixture_t f;
  call_t calls[2];
  letter_t letter;
  ending_t ending;
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  peer_t* peer = peer_play(flags, script);
  uvsmtp_session_t* s;
  memset(calls, 0, sizeof(calls));
  fixture_start(&f);
  config.timeouts = timeouts;
  s = open_session(&f, peer, &config);
  letter_init(&letter, "a@example.com", "b@example.org", body,
              sizeof(body) - 1);
  assert_int_equal(
      0, CALL(&calls[0], &f, uvsmtp_connect(s, NULL, on_call, &calls[0])));
  assert_int_equal(
      0,
      CALL(&calls[1], &f, uvsmtp_send(s, &letter.message, on_call, &calls[1])));
  wait_for(&calls[1]);
  assert_int_equal(1, letter.released);
  ending.status = calls[1].status;
  ending.cause = calls[1].cause;
  ending.stage = calls[1].stage;
  ending.outcome = calls[1].outcome;
  if (calls[0].status != 0) ending.stage = calls[0].stage;
  close_session(&f, s);
  fixture_finish(&f);
  peer_finish(peer, NULL);
  return ending;
}

#define HELLO "S 220 hi\n C EHLO\n S 250 peer\n"

/* Each phase has its own deadline: the peer is silent in that phase, all other
 * deadlines are off. */
static void test_silence_in_each_phase(void** state) {
  struct {
    size_t timeout;
    int stage;
    int status;
    int outcome;
    const char* script;
  } const phases[] = {
      {offsetof(uvsmtp_timeouts_t, greeting), UVSMTP_STATE_GREETING,
       UV_ETIMEDOUT, UVSMTP_OUTCOME_DEFERRED, "EOF"},
      {offsetof(uvsmtp_timeouts_t, hello), UVSMTP_STATE_EHLO, UV_ETIMEDOUT,
       UVSMTP_OUTCOME_DEFERRED, "S 220 hi\n EOF"},
      {offsetof(uvsmtp_timeouts_t, mail), UVSMTP_STATE_MAIL, UV_ETIMEDOUT,
       UVSMTP_OUTCOME_DEFERRED, HELLO "EOF"},
      {offsetof(uvsmtp_timeouts_t, rcpt), UVSMTP_STATE_RCPT, UV_ETIMEDOUT,
       UVSMTP_OUTCOME_DEFERRED, HELLO "C MAIL\n S 250 ok\n EOF"},
      {offsetof(uvsmtp_timeouts_t, data), UVSMTP_STATE_DATA, UV_ETIMEDOUT,
       UVSMTP_OUTCOME_DEFERRED,
       HELLO "C MAIL\n S 250 ok\n C RCPT\n S 250 ok\n EOF"},
      {offsetof(uvsmtp_timeouts_t, dot), UVSMTP_STATE_DOT, UVSMTP_EUNKNOWN,
       UVSMTP_OUTCOME_UNKNOWN,
       HELLO "C MAIL\n S 250 ok\n C RCPT\n S 250 ok\n C DATA\n S 354 go\n"
             "EOF"},
  };
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
    uvsmtp_timeouts_t t = all(NEVER);
    ending_t ending;
    *(int64_t*)(void*)((char*)&t + phases[i].timeout) = SOON;
    ending = send_with(phases[i].script, 0, &t);
    assert_int_equal(phases[i].stage, ending.stage);
    if (i > 0) assert_int_equal(phases[i].status, ending.status);
    assert_int_equal(phases[i].outcome, ending.outcome);
    if (phases[i].status == UVSMTP_EUNKNOWN) {
      assert_int_equal(UV_ETIMEDOUT, ending.cause);
    }
  }
}

/* Octets that come one by one do not prolong it. */
static void test_dripping(void** state) {
  uvsmtp_timeouts_t t = all(NEVER);
  ending_t ending;
  (void)state;
  t.mail = SOON;
  ending = send_with(HELLO
                     "C MAIL\n I 5 250-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                     0, &t);
  assert_int_equal(UV_ETIMEDOUT, ending.status);
  assert_int_equal(UVSMTP_STATE_MAIL, ending.stage);
}

/* A reply that takes its time, within the deadline, is fine. */
static void test_slow_is_fine(void** state) {
  uvsmtp_timeouts_t t = all(60000);
  ending_t ending;
  (void)state;
  ending = send_with(
      "I 2 220 hi\n C EHLO\n I 2 250 peer\n C MAIL\n I 2 250 ok\n C RCPT\n"
      "I 2 250 ok\n C DATA\n I 2 354 go\n T\n I 2 250 taken\n EOF",
      PEER_UNIX, &t);
  assert_int_equal(0, ending.status);
  assert_int_equal(UVSMTP_OUTCOME_ACCEPTED, ending.outcome);
}

/* --------------------------------------------------- loops that are held up */

static void nap(int ms) {
  struct timespec ts;
  ts.tv_sec = ms / 1000;
  ts.tv_nsec = (long)(ms % 1000) * 1000000;
  while (nanosleep(&ts, &ts) != 0) continue;
}

static void nap_to_stall(peer_t* peer, int n) {
  while (peer_stalled(peer) < n) nap(1);
}

/* The loop sleeps past the deadline, while the reply lies in the socket. The
 * host may run it in any mode. */
static void held_up(uv_run_mode mode) {
  fixture_t f;
  call_t hello, noop;
  uvsmtp_timeouts_t t = all(NEVER);
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  peer_t* peer = peer_play(0,
                           "S 220 hi\n C EHLO\n S 250 peer\n C NOOP\n STALL\n"
                           "S 250 ok\n STALL");
  uvsmtp_session_t* s;
  memset(&hello, 0, sizeof(hello));
  memset(&noop, 0, sizeof(noop));
  t.command = SOON;
  fixture_start(&f);
  config.timeouts = &t;
  s = open_session(&f, peer, &config);
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  assert_int_equal(0, CALL(&hello, &f, uvsmtp_hello(s, on_call, &hello)));
  wait_for(&hello);
  assert_int_equal(0, CALL(&noop, &f, uvsmtp_noop(s, on_call, &noop)));
  /* One turn writes it. Nothing runs while the reply comes and the deadline
   * passes. */
  uv_run(&f.loop, UV_RUN_NOWAIT);
  nap_to_stall(peer, 1);
  peer_go(peer);
  nap_to_stall(peer, 2);
  nap(2 * SOON);
  assert_int_equal(0, noop.times);
  while (noop.times == 0) {
    uv_run(&f.loop, mode);
    if (noop.times == 0) nap(5);
  }
  assert_int_equal(0, noop.status);
  close_session(&f, s);
  fixture_finish(&f);
  peer_finish(peer, NULL);
}

static void test_held_up(void** state) {
  (void)state;
  held_up(UV_RUN_ONCE);
  held_up(UV_RUN_NOWAIT);
}

/* A completion that takes longer than the next deadline: the time is not taken
 * from the server's. */
static void sleepy(call_t* call) {
  call_t* next = call->arg;
  assert_int_equal(
      0, CALL(next, call->f, uvsmtp_noop(call->session, on_call, next)));
  nap(600);
}

static void test_slow_completion(void** state) {
  fixture_t f;
  call_t hello, noop;
  uvsmtp_timeouts_t t = all(NEVER);
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  peer_t* peer =
      peer_play(0, "S 220 hi\n C EHLO\n S 250 peer\n C NOOP\n S 250 ok");
  uvsmtp_session_t* s;
  (void)state;
  memset(&hello, 0, sizeof(hello));
  memset(&noop, 0, sizeof(noop));
  t.command = 500;
  fixture_start(&f);
  config.timeouts = &t;
  s = open_session(&f, peer, &config);
  hello.then = sleepy;
  hello.arg = &noop;
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  assert_int_equal(0, CALL(&hello, &f, uvsmtp_hello(s, on_call, &hello)));
  wait_for(&hello);
  wait_for(&noop);
  assert_int_equal(0, noop.status);
  close_session(&f, s);
  fixture_finish(&f);
  peer_finish(peer, NULL);
}

typedef struct busy_s {
  uv_timer_t timer;
  call_t* call;
  uvsmtp_session_t* session;
  int ms;
  int over;
} busy_t;

/* The host's own work, and then a call: the loop's clock was read before. */
static void on_busy(uv_timer_t* timer) {
  busy_t* busy = timer->data;
  call_t* call = busy->call;
  nap(busy->ms);
  assert_int_equal(
      0, CALL(call, call->f, uvsmtp_noop(busy->session, on_call, call)));
  uv_close((uv_handle_t*)timer, NULL);
  busy->over = 1;
}

/* Runs the loop until the host has been busy, called, and the peer has come to
 * its n-th STALL. */
static void be_busy(call_t* call, fixture_t* f, uvsmtp_session_t* s, int ms,
                    peer_t* peer, int n) {
  busy_t busy;
  call->f = f;
  busy.call = call;
  busy.session = s;
  busy.ms = ms;
  busy.over = 0;
  uv_timer_init(&f->loop, &busy.timer);
  busy.timer.data = &busy;
  uv_timer_start(&busy.timer, on_busy, 0, 0);
  run_until(f, &busy.over, 1);
  run_to_stall(f, peer, n);
}

/* Work of the host that takes longer than the deadline of what it then asks
 * for: neither is this time taken from the server's. */
static void test_busy_host(void** state) {
  fixture_t f;
  call_t noop;
  uvsmtp_timeouts_t t = all(NEVER);
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  peer_t* peer = peer_play(0,
                           "S 220 hi\n C EHLO\n S 250 peer\n STALL\n"
                           "C NOOP\n STALL\n S 250 ok");
  uvsmtp_session_t* s;
  (void)state;
  memset(&noop, 0, sizeof(noop));
  t.command = 1000;
  fixture_start(&f);
  config.timeouts = &t;
  s = open_session(&f, peer, &config);
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  assert_int_equal(0, uvsmtp_hello(s, NULL, NULL));
  run_to_stall(&f, peer, 1);
  peer_go(peer);
  be_busy(&noop, &f, s, 1100, peer, 2);
  assert_int_equal(0, noop.times);
  peer_go(peer);
  wait_for(&noop);
  assert_int_equal(0, noop.status);
  close_session(&f, s);
  fixture_finish(&f);
  peer_finish(peer, NULL);
}

/* The second that is left for reading when writing fails begins with the
 * failure, not with the host's work before it. */
static void test_busy_host_failing_write(void** state) {
  fixture_t f;
  call_t hello, noop;
  peer_t* peer = peer_play(PEER_UNIX,
                           "S 220 hi\n C EHLO\n SHUT\n S 250 peer\n STALL\n"
                           "S 421 4.3.2 too much");
  uvsmtp_session_t* s;
  (void)state;
  memset(&hello, 0, sizeof(hello));
  memset(&noop, 0, sizeof(noop));
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  assert_int_equal(0, CALL(&hello, &f, uvsmtp_hello(s, on_call, &hello)));
  wait_for(&hello);
  be_busy(&noop, &f, s, 1100, peer, 1);
  assert_int_equal(0, noop.times);
  peer_go(peer);
  wait_for(&noop);
  assert_int_equal(421, noop.code);
  close_session(&f, s);
  fixture_finish(&f);
  peer_finish(peer, NULL);
}

/* ----------------------------------------------------------- many deadlines */

/* Sessions with all kinds of deadlines on one timer: each ends by its own, and
 * one without does not. */
static void test_many(void** state) {
  enum { N = 60 };
  fixture_t f;
  call_t calls[N];
  call_t patient;
  uvsmtp_session_t* s[N + 1];
  peer_t* peers[N + 1];
  int i;
  (void)state;
  memset(calls, 0, sizeof(calls));
  memset(&patient, 0, sizeof(patient));
  fixture_start(&f);
  for (i = 0; i <= N; i++) {
    uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
    uvsmtp_timeouts_t t = all(NEVER);
    call_t* c = i < N ? &calls[i] : &patient;
    /* A permutation of the first N multiples. */
    if (i < N) t.greeting = 60 + (i * 37 % N) * 3;
    config.timeouts = &t;
    peers[i] = peer_play(0, "EOF");
    s[i] = open_session(&f, peers[i], &config);
    assert_int_equal(0, CALL(c, &f, uvsmtp_connect(s[i], NULL, on_call, c)));
  }
  run_until(&f, &f.order, N);
  for (i = 0; i < N; i++) {
    assert_int_equal(1, calls[i].times);
    assert_int_equal(UV_ETIMEDOUT, calls[i].status);
  }
  assert_int_equal(0, patient.times);
  for (i = 0; i <= N; i++) {
    assert_int_equal(0, uvsmtp_session_close(s[i], on_session_closed, &f));
  }
  run_until(&f, &f.closed, N + 1);
  fixture_finish(&f);
  for (i = 0; i <= N; i++) peer_finish(peers[i], NULL);
}

/* A deadline that was met gives way to a later one, which the timer learns of
 * only when the first would have passed: that must not be too early. */
static void test_later_deadlines(void** state) {
  enum { N = 5 };
  fixture_t f;
  call_t calls[N];
  uvsmtp_session_t* s[N];
  uint64_t start;
  peer_t* peers[N];
  int i;
  (void)state;
  memset(calls, 0, sizeof(calls));
  fixture_start(&f);
  start = uv_now(&f.loop);
  for (i = 0; i < N; i++) {
    uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
    uvsmtp_timeouts_t t = all(NEVER);
    t.greeting = 300 + i;
    t.hello = 600 - 20 * i;
    config.timeouts = &t;
    peers[i] = peer_play(0, "S 220 hi\n EOF");
    s[i] = open_session(&f, peers[i], &config);
    assert_int_equal(0, uvsmtp_connect(s[i], NULL, NULL, NULL));
    assert_int_equal(
        0, CALL(&calls[i], &f, uvsmtp_hello(s[i], on_call, &calls[i])));
  }
  run_until(&f, &f.order, 1);
  assert_true(uv_now(&f.loop) - start >= 600 - 20 * (N - 1));
  run_until(&f, &f.order, N);
  assert_true(uv_now(&f.loop) - start >= 600);
  for (i = 0; i < N; i++) {
    assert_int_equal(UV_ETIMEDOUT, calls[i].status);
    assert_int_equal(UVSMTP_STATE_EHLO, calls[i].stage);
    close_session(&f, s[i]);
  }
  fixture_finish(&f);
  for (i = 0; i < N; i++) peer_finish(peers[i], NULL);
}

/* Connecting itself is bound. A listener whose backlog is full lets further
 * connections hang. */
static void test_connect(void** state) {
  enum { FILLERS = 4 };
  fixture_t f;
  call_t call;
  uvsmtp_timeouts_t t = all(NEVER);
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_session_t* s;
  struct sockaddr_in addr;
  socklen_t len = sizeof(addr);
  int fillers[FILLERS];
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  int i;
  (void)state;
  memset(&addr, 0, sizeof(addr));
  addr.sin_family = AF_INET;
  addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  assert_int_equal(0, bind(listener, (struct sockaddr*)&addr, len));
  assert_int_equal(0, getsockname(listener, (struct sockaddr*)&addr, &len));
  assert_int_equal(0, listen(listener, 0));
  for (i = 0; i < FILLERS; i++) {
    fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connect(fillers[i], (struct sockaddr*)&addr, len) != 0) {
      assert_int_equal(EINPROGRESS, errno);
    }
  }
  memset(&call, 0, sizeof(call));
  t.connect = SOON;
  fixture_start(&f);
  config.timeouts = &t;
  s = open_session(&f, NULL, &config);
  target.host = "127.0.0.1";
  target.port = ntohs(addr.sin_port);
  for (i = 0; i < 2; i++) { /* it can be tried again */
    assert_int_equal(
        0, CALL(&call, &f, uvsmtp_connect(s, &target, on_call, &call)));
    wait_for(&call);
    assert_int_equal(UV_ETIMEDOUT, call.status);
    assert_int_equal(UVSMTP_STATE_OPENING, call.stage);
  }
  close_session(&f, s);
  fixture_finish(&f);
  for (i = 0; i < FILLERS; i++) close(fillers[i]);
  close(listener);
}

/* Nobody waits that long for a test: what the header promises of each phase is
 * asked of the library. */
static void test_defaults(void** state) {
  static const struct {
    int phase;
    int64_t ms;
  } want[] = {
      {UVSMTP_PHASE_CONNECT, 30000},  {UVSMTP_PHASE_GREETING, 300000},
      {UVSMTP_PHASE_HELLO, 300000},   {UVSMTP_PHASE_MAIL, 300000},
      {UVSMTP_PHASE_RCPT, 300000},    {UVSMTP_PHASE_DATA, 120000},
      {UVSMTP_PHASE_TEXT, 180000},    {UVSMTP_PHASE_DOT, 600000},
      {UVSMTP_PHASE_COMMAND, 300000}, {UVSMTP_PHASE_QUIT, 10000},
      {UVSMTP_PHASE_TLS, 60000},      {UVSMTP_PHASE_AUTH, 120000},
      {UVSMTP_PHASE_NONE, NEVER},
  };
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_timeouts_t t = UVSMTP_TIMEOUTS_INIT;
  uvsmtp_session_t* s;
  fixture_t f;
  size_t i;
  int given;
  (void)state;
  assert_int_equal(UVSMTP_PHASE_END, sizeof(want) / sizeof(want[0]));
  fixture_start(&f);
  for (given = 0; given < 2; given++) { /* 0 in a struct is the same */
    if (given) config.timeouts = &t;
    s = open_session(&f, NULL, &config);
    for (i = 0; i < sizeof(want) / sizeof(want[0]); i++)
      assert_int_equal(want[i].ms, uvsmtp__phase_timeout(s, want[i].phase));
    close_session(&f, s);
  }
  fixture_finish(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_silence_in_each_phase),
      TEST(test_dripping),
      TEST(test_slow_is_fine),
      TEST(test_held_up),
      TEST(test_slow_completion),
      TEST(test_busy_host),
      TEST(test_busy_host_failing_write),
      TEST(test_many),
      TEST(test_later_deadlines),
      TEST(test_connect),
      TEST(test_defaults),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
