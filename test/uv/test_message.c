/* SPDX-License-Identifier: MIT */
/* test_message.c: the time of a message, and how far it is, on real sockets.
 * Short times mean "now", those of others are off: no test measures time. */
#include "fixture.h"

enum { SOON = 40 };

static const char body[] = "Subject: x\r\n\r\nHello\r\n";

#define HELLO "S 220 hi\n C EHLO\n S 250 peer\n"
#define MAIL "C MAIL\n S 250 ok\n C RCPT\n S 250 ok\n"
#define MESSAGE MAIL "C DATA\n S 354 go\n T\n S 250 done\n"

typedef struct scene_s {
  fixture_t f;
  peer_t* peer;
  uvsmtp_session_t* s;
  call_t connect;
  call_t calls[3];
  letter_t letters[3];
} scene_t;

/* A session that has no deadline of its own but, if given, that of the text. */
static void scene_start(scene_t* t, const char* script, int64_t text) {
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
  size_t i;
  memset(t, 0, sizeof(*t));
  assert_int_equal(0, uvsmtp_timeouts_all(&timeouts, -1));
  if (text > 0) timeouts.text = text;
  config.timeouts = &timeouts;
  fixture_start(&t->f);
  t->peer = peer_play(0, script);
  t->s = open_session(&t->f, t->peer, &config);
  for (i = 0; i < 3; i++) {
    letter_init(&t->letters[i], "a@example.com", "b@example.org", body,
                sizeof(body) - 1);
  }
  assert_int_equal(0, CALL(&t->connect, &t->f,
                           uvsmtp_connect(t->s, NULL, on_call, &t->connect)));
}

static int scene_send(scene_t* t, int i, int64_t timeout) {
  call_t* call = &t->calls[i];
  t->letters[i].message.timeout = timeout;
  return CALL(call, &t->f,
              uvsmtp_send(t->s, &t->letters[i].message, on_call, call));
}

static void scene_finish(scene_t* t) {
  close_session(&t->f, t->s);
  fixture_finish(&t->f);
  peer_finish(t->peer, NULL);
}

/* One under way takes the session along; what became of it is as for any loss
 * at that point. */
static void test_under_way(void** state) {
  static const struct {
    const char* script;
    int status;
    int stage;
    int outcome;
  } cases[] = {
      {HELLO "C MAIL\n EOF", UV_ETIMEDOUT, UVSMTP_STATE_MAIL,
       UVSMTP_OUTCOME_DEFERRED},
      {HELLO MAIL "EOF", UV_ETIMEDOUT, UVSMTP_STATE_DATA,
       UVSMTP_OUTCOME_DEFERRED},
      {HELLO MAIL "C DATA\n S 354 go\n EOF", UVSMTP_EUNKNOWN, UVSMTP_STATE_DOT,
       UVSMTP_OUTCOME_UNKNOWN},
  };
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    scene_t t;
    scene_start(&t, cases[i].script, 0);
    assert_int_equal(0, scene_send(&t, 0, SOON));
    assert_int_equal(0, scene_send(&t, 1, 0));
    wait_for(&t.calls[1]);
    assert_int_equal(cases[i].status, t.calls[0].status);
    assert_int_equal(cases[i].stage, t.calls[0].stage);
    assert_int_equal(cases[i].outcome, t.calls[0].outcome);
    if (i == 2) assert_int_equal(UV_ETIMEDOUT, t.calls[0].cause);
    assert_int_equal(1, t.letters[0].released);
    /* The next had not begun. */
    assert_int_equal(UVSMTP_EDISCONNECTED, t.calls[1].status);
    assert_int_equal(UVSMTP_OUTCOME_NOT_ATTEMPTED, t.calls[1].outcome);
    scene_finish(&t);
  }
}

/* One whose time is over before its turn is left out in its turn, and the
 * session goes on. */
static void test_before_its_turn(void** state) {
  scene_t t;
  (void)state;
  scene_start(&t,
              HELLO
              "C MAIL\n STALL\n S 250 ok\n C RCPT\n S 250 ok\n"
              "C DATA\n S 354 go\n T\n S 250 done\n" MESSAGE,
              0);
  assert_int_equal(0, scene_send(&t, 0, 0));
  assert_int_equal(0, scene_send(&t, 1, SOON));
  assert_int_equal(0, scene_send(&t, 2, INT64_MAX));
  run_to_stall(&t.f, t.peer, 1);
  run_for(&t.f, 2 * SOON);
  assert_int_equal(0, t.calls[1].times);
  peer_go(t.peer);
  wait_for(&t.calls[2]);
  assert_int_equal(0, t.calls[0].status);
  assert_int_equal(UV_ETIMEDOUT, t.calls[1].status);
  assert_int_equal(UVSMTP_OUTCOME_NOT_ATTEMPTED, t.calls[1].outcome);
  assert_int_equal(0, t.calls[2].status);
  assert_int_equal(UVSMTP_OUTCOME_ACCEPTED, t.calls[2].outcome);
  assert_true(t.calls[0].order < t.calls[1].order);
  assert_true(t.calls[1].order < t.calls[2].order);
  scene_finish(&t);
}

/* Says nothing until it is released. */
static int mute_peek(uvsmtp_source_t* self, uvsmtp_slice_t* out) {
  (void)self;
  (void)out;
  return UVSMTP_SOURCE_WAIT;
}

static void mute_consumed(uvsmtp_source_t* self, size_t n) {
  (void)self;
  (void)n;
}

/* A source that never comes costs its own message, whichever deadline is first
 * and also when both are there at once: nothing of it was begun. */
static void test_text_never_comes(void** state) {
  static const struct {
    int64_t text;
    int64_t message;
  } cases[] = {{SOON, 0}, {0, SOON}, {SOON, SOON}};
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    uvsmtp_source_t mute = UVSMTP_SOURCE_INIT;
    scene_t t;
    mute.length = UVSMTP_LENGTH_LATER;
    mute.peek = mute_peek;
    mute.consumed = mute_consumed;
    scene_start(&t, HELLO MESSAGE, cases[i].text);
    t.letters[0].message.body = &mute;
    assert_int_equal(0, scene_send(&t, 0, cases[i].message));
    assert_int_equal(0, scene_send(&t, 1, 0));
    wait_for(&t.calls[1]);
    assert_int_equal(UV_ETIMEDOUT, t.calls[0].status);
    assert_int_not_equal(UVSMTP_OUTCOME_UNKNOWN, t.calls[0].outcome);
    assert_int_equal(0, t.calls[1].status);
    scene_finish(&t);
  }
}

/* A wait that is over as late as its message belongs to what waits next by
 * then; both passed while the loop was held up. */
static void test_loop_held_up(void** state) {
  uvsmtp_source_t mute = UVSMTP_SOURCE_INIT;
  scene_t t;
  (void)state;
  mute.length = UVSMTP_LENGTH_LATER;
  mute.peek = mute_peek;
  mute.consumed = mute_consumed;
  scene_start(&t, HELLO MESSAGE, SOON);
  wait_for(&t.connect);
  t.letters[0].message.body = &mute;
  assert_int_equal(0, scene_send(&t, 0, SOON));
  assert_int_equal(0, scene_send(&t, 1, 0));
  while (uvsmtp_session_state(t.s) != UVSMTP_STATE_READY) {
    (void)uv_run(&t.f.loop, UV_RUN_ONCE);
  }
  uv_sleep(2 * SOON);
  wait_for(&t.calls[1]);
  assert_int_equal(UV_ETIMEDOUT, t.calls[0].status);
  assert_int_equal(0, t.calls[1].status);
  scene_finish(&t);
}

static void test_bad_times(void** state) {
  scene_t t;
  (void)state;
  scene_start(&t, HELLO MESSAGE, 0);
  assert_int_equal(UV_EINVAL, scene_send(&t, 0, -1));
  assert_int_equal(UV_EINVAL, scene_send(&t, 0, INT64_MIN));
  assert_int_equal(0, t.letters[0].released);
  assert_int_equal(0, scene_send(&t, 0, 3600 * 1000));
  wait_for(&t.calls[0]);
  assert_int_equal(0, t.calls[0].status);
  scene_finish(&t);
}

/* --------------------------------------------------------------- progress */

typedef struct watch_s {
  uvsmtp_session_t* s;
  uint64_t sent;
  int64_t total;
  int calls;
  int refused;
} watch_t;

static void watch(void* arg, uint64_t sent, int64_t total) {
  watch_t* w = arg;
  assert_true(sent > w->sent);
  assert_true(total >= (int64_t)sent);
  w->sent = sent;
  w->total = total;
  w->calls++;
  if (uvsmtp_noop(w->s, NULL, NULL) == UV_EBUSY) w->refused++;
}

/* More than a socket takes at once: told in steps, to the last octet. */
static void test_progress(void** state) {
  enum { LINES = 400000, LINE = 20 };
  static const char line[LINE + 1] = "0123456789abcdefgh\r\n";
  char* text = malloc((size_t)LINES * LINE);
  watch_t w = {0};
  scene_t t;
  size_t i;
  (void)state;
  assert_non_null(text);
  for (i = 0; i < LINES; i++) memcpy(text + i * LINE, line, LINE);
  scene_start(&t, HELLO MESSAGE, 0);
  w.s = t.s;
  uvsmtp_source_memory(&t.letters[0].body, text, (size_t)LINES * LINE);
  t.letters[0].message.progress = watch;
  t.letters[0].message.progress_arg = &w;
  assert_int_equal(0, scene_send(&t, 0, 0));
  wait_for(&t.calls[0]);
  assert_int_equal(0, t.calls[0].status);
  assert_int_equal(LINES * LINE, w.sent);
  assert_int_equal(LINES * LINE, w.total);
  assert_true(w.calls > 1);
  assert_int_equal(w.calls, w.refused);
  scene_finish(&t);
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_under_way),        TEST(test_before_its_turn),
      TEST(test_text_never_comes), TEST(test_loop_held_up),
      TEST(test_bad_times),        TEST(test_progress),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
