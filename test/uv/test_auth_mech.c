/* SPDX-License-Identifier: MIT */
/* test_auth_mech.c: mechanisms of the caller's own: that wait, that compute in
 * pieces, that fail, and that are closed at any time. */
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "login.h"

/* ping, and what is asked before. */
#define PING "L AUTH X-OWN cGluZw==\n"
#define PONG "S 334 cG9uZw==\n"
#define START GREETED OFFERS("PLAIN X-OWN")

/* A peer with this script, a session that is connected to it, and a mechanism
 * by which to log in. */
typedef struct scene_s {
  fixture_t* f;
  peer_t* peer;
  uvsmtp_session_t* session;
  uvsmtp_credentials_t* who;
  own_t own;
  call_t login;
} scene_t;

static uvsmtp_credentials_t* owner(fixture_t* f, own_t* own,
                                   const char* password) {
  uvsmtp_credentials_config_t config = UVSMTP_CREDENTIALS_CONFIG_INIT;
  const uvsmtp_mech_t* list = &own->mech;
  config.user = "joe";
  config.password = password;
  config.own = &list;
  config.nown = 1;
  config.flags = UVSMTP_AUTH_ALLOW_PLAINTEXT;
  return someone(f, &config);
}

static void set_up(scene_t* c, fixture_t* f, unsigned int flags,
                   const char* script) {
  memset(c, 0, sizeof(*c));
  c->f = f;
  c->peer = peer_play(0, script);
  own_init(&c->own, flags);
  c->own.arg = c;
  c->session = session_for(f, c->peer, UVSMTP_TLS_NONE, NULL, NULL);
  c->who = owner(f, &c->own, NULL);
  connect_to(f, c->session);
}

static void begin(scene_t* c) {
  assert_int_equal(0,
                   CALL(&c->login, c->f,
                        uvsmtp_login(c->session, c->who, on_call, &c->login)));
  assert_int_equal(0, c->own.steps); /* not from within the call */
}

static void leave(scene_t* c) {
  uvsmtp_credentials_unref(c->who);
  close_session(c->f, c->session);
  assert_peer_done(c->peer);
  assert_int_equal(c->own.begun, c->own.finished);
  assert_null(c->own.exchange);
}

static void wake(void* arg) {
  scene_t* c = arg;
  assert_non_null(c->own.exchange);
  uvsmtp_exchange_wake(c->own.exchange);
}

/* -------------------------------------------------------------- what it says
 */

static void look(own_t* own) {
  scene_t* c = own->arg;
  uvsmtp_exchange_t* x = own->exchange;
  uvsmtp_slice_t s;
  unsigned char buf[32];
  if (x == NULL) return;
  s = uvsmtp_exchange_user(x);
  assert_int_equal(3, s.len);
  assert_memory_equal("joe", s.base, 3);
  assert_int_equal(0, uvsmtp_exchange_password(x).len);
  assert_int_equal(0, uvsmtp_exchange_authzid(x).len);
  assert_string_equal(peer_host(c->peer), uvsmtp_exchange_host(x));
  assert_int_equal(peer_port(c->peer), uvsmtp_exchange_port(x));
  assert_int_equal(1, uvsmtp_exchange_offers(x, "x-own"));
  assert_int_equal(1, uvsmtp_exchange_offers(x, "PLAIN"));
  assert_int_equal(0, uvsmtp_exchange_offers(x, "X-OW"));
  assert_int_equal(UV_ENOTSUP, uvsmtp_exchange_binding(x, buf, sizeof(buf)));
}

/* Two challenges, with what the client may say first and without. */
static void challenges_are_answered(void** state) {
  int first;
  for (first = 0; first < 2; first++) {
    scene_t c;
    set_up(&c, *state, first ? UVSMTP_MECH_CLIENT_FIRST : 0,
           first ? START PING PONG
               "L cGluZw==\n S 334 \n L cGluZw==\n" WELCOME SENT QUIT
                 : START
               "L AUTH X-OWN\n" PONG
               "L cGluZw==\n S 334 \n L cGluZw==\n" WELCOME SENT QUIT);
    c.own.hook = look;
    begin(&c);
    wait_for(&c.login);
    assert_int_equal(0, c.login.status);
    assert_int_equal(2 + first, c.own.steps);
    assert_string_equal("", c.own.last);
    assert_string_equal("X-OWN", uvsmtp_session_auth(c.session));
    assert_int_equal(1, c.own.finished);
    assert_int_equal(0, c.own.refused);
    assert_int_equal(0, deliver(c.f, c.session).status);
    quit(c.f, c.session);
    leave(&c);
  }
}

/* By uvsmtp_auth, with the secrets of credentials that do not name it: where
 * the struct is a part of another it knows its own. */
static void by_auth(void** state) {
  fixture_t* f = *state;
  peer_t* peer = peer_play(0, START PING WELCOME QUIT);
  uvsmtp_credentials_t* who = joe(f, "sesame", NULL, 0);
  uvsmtp_session_t* s = clear_session(f, peer);
  call_t call = {0};
  own_t own;
  own_init(&own, UVSMTP_MECH_CLIENT_FIRST);
  assert_int_equal(
      0, CALL(&call, f,
              uvsmtp_auth(s, &own.mech, who, UVSMTP_AUTH_ALLOW_PLAINTEXT,
                          on_call, &call)));
  uvsmtp_credentials_unref(who);
  wait_for(&call);
  assert_int_equal(0, call.status);
  assert_int_equal(1, own.finished);
  assert_string_equal("X-OWN", uvsmtp_session_auth(s));
  quit(f, s);
  close_session(f, s);
  assert_peer_done(peer);
}

/* What it says first waits for the server's word where it may not stand in the
 * command, and is not asked for again. */
static void it_may_not_speak_first(void** state) {
  scene_t c;
  set_up(&c, *state, UVSMTP_MECH_CLIENT_FIRST,
         START "L AUTH X-OWN\n S 334 \n L cGluZw==\n" WELCOME QUIT);
  assert_int_equal(
      0, CALL(&c.login, c.f,
              uvsmtp_auth(c.session, &c.own.mech, c.who,
                          UVSMTP_AUTH_NO_INITIAL_RESPONSE, on_call, &c.login)));
  wait_for(&c.login);
  assert_int_equal(0, c.login.status);
  assert_int_equal(1, c.own.steps);
  quit(c.f, c.session);
  leave(&c);
}

static void not_a_mechanism(void** state) {
  fixture_t* f = *state;
  static const char* const names[] = {NULL,
                                      "",
                                      "x-own",
                                      "X OWN",
                                      "X.OWN",
                                      "X-23456789-123456789"
                                      "-"};
  uvsmtp_credentials_t* who = joe(f, "sesame", NULL, 0);
  uvsmtp_session_t* s = open_session(f, NULL, NULL);
  own_t own;
  size_t i;
  own_init(&own, 0);
  for (i = 0; i < 6; i++) {
    own.mech.name = names[i];
    assert_int_equal(UV_EINVAL, uvsmtp_auth(s, &own.mech, who, 0, NULL, NULL));
  }
  own.mech.name = "X-OWN";
  own.mech.flags = 1u << 10;
  assert_int_equal(UV_EINVAL, uvsmtp_auth(s, &own.mech, who, 0, NULL, NULL));
  own.mech.flags = 0;
  own.mech.size--;
  assert_int_equal(UV_EINVAL, uvsmtp_auth(s, &own.mech, who, 0, NULL, NULL));
  own.mech.size++;
  own.mech.step = NULL;
  assert_int_equal(UV_EINVAL, uvsmtp_auth(s, &own.mech, who, 0, NULL, NULL));
  uvsmtp_credentials_unref(who);
  close_session(f, s);
}

/* ---------------------------------------------------------------- it waits */

/* Each step waits for a timer; another session is served meanwhile. */
static void it_is_woken(void** state) {
  fixture_t* f = *state;
  peer_t* answering = peer_answer(0);
  uvsmtp_session_t* other = open_session(f, answering, NULL);
  scene_t c;
  set_up(&c, f, UVSMTP_MECH_CLIENT_FIRST,
         START PING PONG "L cGluZw==\n" WELCOME QUIT);
  c.own.wait = 2;
  connect_to(f, other);
  begin(&c);
  run_until(f, &c.own.steps, 1);
  assert_int_equal(0, deliver(f, other).status);
  assert_int_equal(1, c.own.steps);
  later(f, 1, wake, &c);
  run_until(f, &c.own.steps, 2);
  later(f, 1, wake, &c);
  run_until(f, &c.own.steps, 4);
  assert_string_equal("pong", c.own.last);
  assert_int_equal(0, deliver(f, other).status);
  assert_int_equal(4, c.own.steps);
  /* More than once is once. */
  wake(&c);
  wake(&c);
  run_until(f, &c.own.steps, 5);
  assert_string_equal("pong", c.own.last); /* the same challenge */
  assert_int_equal(0, c.login.times);
  wake(&c);
  wait_for(&c.login);
  assert_int_equal(6, c.own.steps);
  assert_int_equal(0, c.login.status);
  quit(f, c.session);
  leave(&c);
  close_session(f, other);
  (void)peer_finish(answering, NULL);
}

static void wake_within(own_t* own) {
  if (own->exchange != NULL) uvsmtp_exchange_wake(own->exchange);
}

/* Woken before it has said that it waits; and when it does not. */
static void it_is_woken_early(void** state) {
  int waits;
  for (waits = 0; waits < 2; waits++) {
    scene_t c;
    set_up(&c, *state, UVSMTP_MECH_CLIENT_FIRST,
           START PING PONG "L cGluZw==\n" WELCOME QUIT);
    c.own.wait = waits * 3;
    c.own.hook = wake_within;
    begin(&c);
    wait_for(&c.login);
    assert_int_equal(0, c.login.status);
    assert_int_equal(2 + 2 * c.own.wait, c.own.steps);
    quit(c.f, c.session);
    leave(&c);
  }
}

/* Nobody wakes it. */
static void it_is_never_woken(void** state) {
  int again;
  for (again = 0; again < 2; again++) {
    scene_t c;
    uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
    set_up(&c, *state, UVSMTP_MECH_CLIENT_FIRST, START "EOF\n");
    timeouts.auth = 30;
    assert_int_equal(0, uvsmtp_session_set_timeouts(c.session, &timeouts));
    /* Or it computes for ever. */
    c.own.wait = again ? 0 : 1;
    c.own.again = again ? 1 << 30 : 0;
    begin(&c);
    wait_for(&c.login);
    assert_int_equal(UV_ETIMEDOUT, c.login.status);
    assert_int_equal(UVSMTP_STATE_AUTH_THINK, c.login.stage);
    assert_int_equal(1, c.own.finished);
    assert_int_equal(UVSMTP_STATE_CLOSED, uvsmtp_session_state(c.session));
    leave(&c);
  }
}

/* The server says something while it is not its turn. */
static void it_is_interrupted(void** state) {
  static const struct {
    const char* script;
    int status;
  } cases[] = {
      {START "STALL\n S 250 hm\n EOF\n", UVSMTP_EPROTOCOL},
      {START "STALL\n S 421 bye\n CLOSE\n", UVSMTP_EAUTH},
      {START "STALL\n CLOSE\n", UVSMTP_EDISCONNECTED},
  };
  size_t i;
  for (i = 0; i < 3; i++) {
    scene_t c;
    set_up(&c, *state, UVSMTP_MECH_CLIENT_FIRST, cases[i].script);
    c.own.wait = 1;
    begin(&c);
    run_until(c.f, &c.own.steps, 1);
    peer_go(c.peer);
    wait_for(&c.login);
    assert_int_equal(cases[i].status, c.login.status);
    assert_int_equal(1, c.own.finished);
    leave(&c);
  }
}

/* ------------------------------------------------------------- it computes */

enum { PIECES = 40 };

/* The first piece of a login, where each takes so long; the turn it was in. */
static int compute(scene_t* c, fixture_t* f, turns_t* turns, uint64_t each) {
  set_up(c, f, UVSMTP_MECH_CLIENT_FIRST,
         START PING PONG "L cGluZw==\n" WELCOME QUIT);
  c->own.again = PIECES;
  turns_start(turns, f);
  ticks = each;
  begin(c);
  run_until(f, &c->own.steps, 1);
  return turns->n;
}

static void computed(scene_t* c, turns_t* turns) {
  ticks = 0;
  assert_int_equal(0, c->login.status);
  assert_int_equal(2 * (PIECES + 1), c->own.steps);
  quit(c->f, c->session);
  turns_stop(turns);
  leave(c);
}

/* A piece that uses up its turn has it for itself; the first one begins in that
 * of the reply before it. */
static void pieces_take_turns(void** state) {
  scene_t c;
  turns_t turns;
  int before = compute(&c, *state, &turns, 2000000);
  run_until(c.f, &c.own.steps, PIECES + 1);
  assert_true(turns.n - before >= PIECES - 1);
  wait_for(&c.login);
  computed(&c, &turns);
}

/* One that is quick is not made to wait. */
static void quick_pieces_share_a_turn(void** state) {
  scene_t c;
  turns_t turns;
  /* Some real time passes, too. */
  int before = compute(&c, *state, &turns, 1);
  wait_for(&c.login);
  assert_true(turns.n - before < PIECES);
  computed(&c, &turns);
}

/* However long it takes, another session makes progress. */
static void others_go_on(void** state) {
  fixture_t* f = *state;
  peer_t* answering = peer_answer(0);
  uvsmtp_session_t* other = open_session(f, answering, NULL);
  int real;
  connect_to(f, other);
  for (real = 0; real < 2; real++) {
    scene_t c;
    int i;
    set_up(&c, f, UVSMTP_MECH_CLIENT_FIRST, START PING WELCOME QUIT);
    c.own.again = 1 << 30;
    ticks = real ? 0 : 600000;
    begin(&c);
    run_until(f, &c.own.steps, 1);
    for (i = 0; i < 5; i++) assert_int_equal(0, deliver(f, other).status);
    assert_int_equal(0, c.login.times);
    c.own.again = 0; /* enough */
    wait_for(&c.login);
    ticks = 0;
    assert_int_equal(0, c.login.status);
    quit(f, c.session);
    leave(&c);
  }
  close_session(f, other);
  (void)peer_finish(answering, NULL);
}

/* --------------------------------------------------------- it fails, or ends
 */

/* What fails before anything was said is left out, and later is cancelled; the
 * next one has its turn, but for one whose server had to prove itself. */
static void it_fails(void** state) {
  static const struct {
    unsigned int flags;
    int at; /* the step that fails */
    int error;
    const char* script;
    int status;
    int cause;
  } cases[] = {
      {UVSMTP_MECH_CLIENT_FIRST, 1, UV_EIO, START AUTH_PLAIN WELCOME QUIT, 0,
       0},
      {UVSMTP_MECH_CLIENT_FIRST, 2, UV_EIO,
       START PING PONG "L *\n S 501 ok\n" AUTH_PLAIN WELCOME QUIT, 0, 0},
      {0, 1, UV_EIO,
       START "L AUTH X-OWN\n" PONG "L *\n S 501 ok\n" AUTH_PLAIN WELCOME QUIT,
       0, 0},
      {UVSMTP_MECH_CLIENT_FIRST | UVSMTP_MECH_MUTUAL, 1, UV_EIO,
       START AUTH_PLAIN WELCOME QUIT, 0, 0},
      {UVSMTP_MECH_CLIENT_FIRST | UVSMTP_MECH_MUTUAL, 2, UV_EIO,
       START PING PONG "L *\n S 501 ok\n" QUIT, UVSMTP_EAUTH, UV_EIO},
      /* What is no answer at all. */
      {UVSMTP_MECH_CLIENT_FIRST, 1, 77, START AUTH_PLAIN WELCOME QUIT, 0, 0},
      {UVSMTP_MECH_CLIENT_FIRST | UVSMTP_MECH_MUTUAL, 2, 77,
       START PING PONG "L *\n S 501 ok\n" QUIT, UVSMTP_EAUTH, UV_EINVAL},
  };
  size_t i;
  for (i = 0; i < 7; i++) {
    scene_t c;
    set_up(&c, *state, cases[i].flags, cases[i].script);
    uvsmtp_credentials_unref(c.who);
    c.who = owner(c.f, &c.own, "sesame");
    c.own.error = cases[i].error;
    c.own.error_at = cases[i].at;
    begin(&c);
    wait_for(&c.login);
    assert_int_equal(cases[i].status, c.login.status);
    assert_int_equal(cases[i].cause, c.login.cause);
    assert_int_equal(1, c.own.finished);
    if (cases[i].status == 0) {
      assert_string_equal("PLAIN", uvsmtp_session_auth(c.session));
    } else {
      assert_null(uvsmtp_session_auth(c.session));
    }
    quit(c.f, c.session);
    leave(&c);
  }
}

/* An answer before the mechanism has had a step: it hears nothing of that. A
 * server that has to prove itself can't accept before it has been asked. */
static void it_is_accepted_early(void** state) {
  static const struct {
    unsigned int flags;
    const char* script;
    int status;
  } cases[] = {
      {0, START "L AUTH X-OWN\n" WELCOME QUIT, 0},
      {0, START "L AUTH X-OWN\n" WRONG AUTH_PLAIN WELCOME QUIT, 0},
      {UVSMTP_MECH_MUTUAL, START "L AUTH X-OWN\n" WELCOME QUIT, UVSMTP_EAUTH},
      /* It says that it knows us by other means. */
      {0, START "L AUTH X-OWN\n S 503 you are\n" QUIT, 0},
      {UVSMTP_MECH_MUTUAL, START "L AUTH X-OWN\n S 503 you are\n" QUIT,
       UVSMTP_EAUTH},
      /* It says itself that this is enough. */
      {UVSMTP_MECH_MUTUAL | UVSMTP_MECH_CLIENT_FIRST, START PING WELCOME QUIT,
       0},
  };
  size_t i;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    scene_t c;
    set_up(&c, *state, cases[i].flags, cases[i].script);
    uvsmtp_credentials_unref(c.who);
    c.who = owner(c.f, &c.own, "sesame");
    c.own.retry = 1; /* there is nothing to do again */
    begin(&c);
    wait_for(&c.login);
    assert_int_equal(cases[i].status, c.login.status);
    assert_int_equal(cases[i].status != 0,
                     uvsmtp_session_auth(c.session) == NULL);
    quit(c.f, c.session);
    leave(&c);
  }
}

static void explain(own_t* own) {
  if (own->exchange == NULL) return;
  uvsmtp_exchange_explain(own->exchange, "not that", 8);
  uvsmtp_exchange_explain(own->exchange, "no idea", 7);
}

/* Alone: it is the login's failure, and its own words are told. */
static void it_explains(void** state) {
  static const char* const scripts[] = {
      START "L NOOP\n S 250 ok\n" QUIT,
      START PING PONG "L *\n S 501 ok\n L NOOP\n S 250 ok\n" QUIT,
      START PING WRONG "L NOOP\n S 250 ok\n" QUIT};
  int at;
  for (at = 1; at <= 3; at++) {
    scene_t c;
    call_t noop = {0};
    set_up(&c, *state, UVSMTP_MECH_CLIENT_FIRST, scripts[at - 1]);
    c.own.hook = explain;
    c.own.error = UV_EIO;
    c.own.error_at = at;
    begin(&c);
    wait_for(&c.login);
    assert_int_equal(UVSMTP_EAUTH, c.login.status);
    assert_int_equal(at < 3 ? UV_EIO : 0, c.login.cause);
    assert_int_equal(at < 3 ? 0 : 535, c.login.code);
    assert_string_equal("no idea", c.login.detail);
    assert_int_equal(UVSMTP_EAUTH, deliver(c.f, c.session).status);
    assert_int_equal(0,
                     CALL(&noop, c.f, uvsmtp_noop(c.session, on_call, &noop)));
    wait_for(&noop);
    assert_int_equal(0, noop.status);
    assert_string_equal("", noop.detail);
    quit(c.f, c.session);
    leave(&c);
  }
}

static void note_retry(own_t* own) {
  if (own->exchange == NULL) return;
  /* In its second run, and not in the first. */
  assert_int_equal(own->begun - 1, uvsmtp_exchange_retries(own->exchange));
}

/* It may begin anew after a 535, once. */
static void it_is_refused(void** state) {
  static const struct {
    int retry;
    const char* script;
    int status;
    int begun;
    int refused;
  } cases[] = {
      {0, START PING WRONG QUIT, UVSMTP_EAUTH, 1, 1},
      {1, START PING WRONG PING WELCOME QUIT, 0, 2, 1},
      {1, START PING WRONG PING WRONG QUIT, UVSMTP_EAUTH, 2, 1},
      {1, START PING "S 504 what\n" QUIT, UVSMTP_EAUTH, 1, 0},
      {1, START PING "S 454 later\n" QUIT, UVSMTP_EAUTH, 1, 0},
  };
  size_t i;
  for (i = 0; i < 5; i++) {
    scene_t c;
    set_up(&c, *state, UVSMTP_MECH_CLIENT_FIRST, cases[i].script);
    c.own.retry = cases[i].retry;
    c.own.hook = note_retry;
    begin(&c);
    wait_for(&c.login);
    assert_int_equal(cases[i].status, c.login.status);
    assert_int_equal(cases[i].begun, c.own.begun);
    assert_int_equal(cases[i].begun, c.own.finished);
    assert_int_equal(cases[i].refused, c.own.refused);
    quit(c.f, c.session);
    leave(&c);
  }
}

/* No function but step is needed. */
static void step_is_enough(void** state) {
  scene_t c;
  own_t own;
  fixture_t* f = *state;
  set_up(&c, f, UVSMTP_MECH_CLIENT_FIRST, START PING WRONG QUIT);
  c.own.mech.refused = NULL;
  c.own.mech.finish = NULL;
  begin(&c);
  wait_for(&c.login);
  assert_int_equal(UVSMTP_EAUTH, c.login.status);
  quit(f, c.session);
  own = c.own;
  assert_int_equal(0, own.finished);
  c.own.begun = 0;
  c.own.exchange = NULL;
  leave(&c);
}

/* ------------------------------------------------------------------- closed */

/* Where the session is when it is closed. */
enum place { QUEUED, WAITING, WORKING, SAID, ANSWERING, CANCELLING, PLACES };

static void go_to(scene_t* c, fixture_t* f, int place) {
  static const char* const scripts[PLACES] = {GREETED "STALL\n",
                                              START "EOF\n",
                                              START "EOF\n",
                                              START PING "STALL\n",
                                              START PING PONG
                                              "L cGluZw==\n STALL\n",
                                              START PING PONG "L *\n STALL\n"};
  set_up(c, f, UVSMTP_MECH_CLIENT_FIRST, scripts[place]);
  c->own.wait = place == WAITING;
  c->own.again = place == WORKING ? 1 << 30 : 0;
  c->own.error = place == CANCELLING ? UV_EIO : 0;
  c->own.error_at = 2;
  ticks = 2000000;
  begin(c);
  if (place == WAITING || place == WORKING) {
    run_until(f, &c->own.steps, 1 + (place == WORKING));
  } else if (place != QUEUED) {
    run_to_stall(f, c->peer, 1);
  }
  assert_int_equal(0, c->login.times);
}

/* Exactly one completion, never before the call has returned. */
static void closed_at_any_time(void** state) {
  fixture_t* f = *state;
  int place;
  int how;
  for (place = 0; place < PLACES; place++) {
    for (how = 0; how < 3; how++) {
      scene_t c;
      int n = f->closed;
      go_to(&c, f, place);
      if (how == 0) uvsmtp_credentials_unref(c.who);
      if (how == 2) {
        assert_int_equal(0,
                         uvsmtp_session_end(c.session, on_session_closed, f));
        n++;
      }
      f->calling++;
      assert_int_equal(0,
                       uvsmtp_session_close(c.session, on_session_closed, f));
      f->calling--;
      assert_int_equal(0, c.login.times);
      if (place == WAITING && how != 0) wake(&c);
      assert_int_equal(0, c.login.times);
      run_until(f, &f->closed, n + 1);
      ticks = 0;
      assert_int_equal(1, c.login.times);
      /* What had failed before has that for its status. */
      assert_int_equal(place == CANCELLING ? UVSMTP_EAUTH : UV_ECANCELED,
                       c.login.status);
      assert_int_equal(c.own.begun, c.own.finished);
      assert_int_equal(place == QUEUED ? 0 : 1, c.own.begun);
      if (how != 0) uvsmtp_credentials_unref(c.who);
      run_for(f, 1);
      assert_int_equal(1, c.login.times);
      (void)peer_finish(c.peer, NULL);
    }
  }
}

/* The same with no completion. */
static void closed_and_nobody_asks(void** state) {
  fixture_t* f = *state;
  int place;
  for (place = 0; place < PLACES; place++) {
    scene_t c;
    go_to(&c, f, place);
    close_session(f, c.session);
    ticks = 0;
    assert_int_equal(0, uvsmtp_session_new(&c.session, f->env, NULL));
    assert_int_equal(0, uvsmtp_login(c.session, c.who, NULL, NULL));
    uvsmtp_credentials_unref(c.who);
    close_session(f, c.session);
    assert_int_equal(c.own.begun, c.own.finished);
    (void)peer_finish(c.peer, NULL);
  }
}

/* Calls from its functions are not taken, from any of them. */
static void probe(own_t* own) {
  scene_t* c = own->arg;
  uvsmtp_session_t* s = c->session;
  assert_int_equal(UV_EBUSY, uvsmtp_noop(s, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_login(s, c->who, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_auth(s, &own->mech, c->who, 0, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_session_set_timeouts(s, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_session_end(s, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_session_close(s, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_env_close(c->f->env, NULL, NULL));
}

static void calls_from_its_functions(void** state) {
  fixture_t* f = *state;
  static const char* const scripts[] = {START PING WRONG PING PONG
                                        "L cGluZw==\n" WELCOME QUIT,
                                        START PING "STALL\n", START "STALL\n"};
  int i;
  for (i = 0; i < 3; i++) {
    scene_t c;
    set_up(&c, f, UVSMTP_MECH_CLIENT_FIRST, scripts[i]);
    c.own.hook = probe;
    c.own.retry = 1;
    c.own.again = 1;
    c.own.wait = i == 2;
    begin(&c);
    if (i == 0) {
      wait_for(&c.login);
      assert_int_equal(0, c.login.status);
      assert_int_equal(1, c.own.refused);
      quit(f, c.session);
    } else {
      run_to_stall(f, c.peer, 1);
    }
    close_session(f, c.session); /* finish is called from there */
    assert_int_equal(1, c.login.times);
    uvsmtp_credentials_unref(c.who);
    assert_int_equal(c.own.begun, c.own.finished);
    (void)peer_finish(c.peer, NULL);
  }
}

/* ------------------------------------------------------------ handed over */

typedef struct whom_s {
  const char* host;
  int port;
  int seen;
} whom_t;

static void look_whom(own_t* own) {
  whom_t* w = own->arg;
  if (own->exchange == NULL) return;
  assert_string_equal(w->host, uvsmtp_exchange_host(own->exchange));
  assert_int_equal(w->port, uvsmtp_exchange_port(own->exchange));
  w->seen = 1;
}

/* Of a connection that was made elsewhere only the target can say with whom it
 * is. */
static void whom_a_connection_is_with(void** state) {
  fixture_t* f = *state;
  int named;
  for (named = 0; named < 2; named++) {
    uvsmtp_credentials_t* who = joe_anywhere(f);
    uvsmtp_connection_t connection = UVSMTP_CONNECTION_INIT;
    uvsmtp_target_t target = UVSMTP_TARGET_INIT;
    uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
    whom_t whom = {named ? "mx.example" : "", named ? 587 : 0, 0};
    uvsmtp_session_t* s = NULL;
    own_t own;
    call_t call;
    char line[128];
    int fds[2];
    own_init(&own, UVSMTP_MECH_CLIENT_FIRST);
    own.hook = look_whom;
    own.arg = &whom;
    target.host = "mx.example";
    target.port = 587;
    target.tls = UVSMTP_TLS_NONE;
    config.target = named ? &target : NULL;
    assert_int_equal(0, uvsmtp_session_new(&s, f->env, &config));
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    connection.fd = fds[0];
    assert_int_equal(0, uvsmtp_open(s, &connection, NULL, NULL));
    memset(&call, 0, sizeof(call));
    assert_int_equal(
        0, CALL(&call, f,
                uvsmtp_auth(s, &own.mech, who, UVSMTP_AUTH_ALLOW_PLAINTEXT,
                            on_call, &call)));
    pair_say(fds[1], "220 pair\r\n");
    (void)pair_hear(f, fds[1], line, sizeof(line));
    pair_say(fds[1], "250-pair\r\n250 AUTH X-OWN\r\n");
    (void)pair_hear(f, fds[1], line, sizeof(line));
    pair_say(fds[1], "235 welcome\r\n");
    run_until(f, &call.times, 1);
    assert_int_equal(0, call.status);
    assert_int_equal(1, whom.seen);
    close_session(f, s);
    close(fds[1]);
    uvsmtp_credentials_unref(who);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      LOGIN_TEST(challenges_are_answered),
      LOGIN_TEST(by_auth),
      LOGIN_TEST(it_may_not_speak_first),
      LOGIN_TEST(not_a_mechanism),
      LOGIN_TEST(it_is_woken),
      LOGIN_TEST(it_is_woken_early),
      LOGIN_TEST(it_is_never_woken),
      LOGIN_TEST(it_is_interrupted),
      LOGIN_TEST(pieces_take_turns),
      LOGIN_TEST(quick_pieces_share_a_turn),
      LOGIN_TEST(others_go_on),
      LOGIN_TEST(it_fails),
      LOGIN_TEST(it_is_accepted_early),
      LOGIN_TEST(it_explains),
      LOGIN_TEST(it_is_refused),
      LOGIN_TEST(step_is_enough),
      LOGIN_TEST(closed_at_any_time),
      LOGIN_TEST(closed_and_nobody_asks),
      LOGIN_TEST(calls_from_its_functions),
      LOGIN_TEST(whom_a_connection_is_with),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
