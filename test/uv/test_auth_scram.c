/* SPDX-License-Identifier: MIT */
/* test_auth_scram.c: SCRAM with a server of the tests' own: both have to prove
 * themselves; and the work that a password is made of leaves the loop to
 * others. */
#include "clock.h"
#include "login.h"

/* So many iterations take more turns than MANY, if each piece of the work uses
 * up its turn; and no login takes as many if there is no such work. A piece is
 * of 64 at this time. */
#define LONG "SCRAM SHA-256 20000 sesame\n"
enum {
  ITERATIONS = 20000,
  PIECE_MIN = 50,
  PIECE_MAX = 250,
  MANY = ITERATIONS / PIECE_MAX
};

static void both_prove_themselves(void** state) {
  fixture_t* f = *state;
  static const struct {
    const char* script;
    const char* mech;
    int tls;
  } cases[] = {
      {GREETED OFFERS(
           "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN") "SCRAM SHA-256 4096 sesame\n" SENT
           QUIT,
       "SCRAM-SHA-256", 0},
      {GREETED OFFERS(
           "PLAIN SCRAM-SHA-1") "SCRAM SHA-1 10000 sesame\n" SENT QUIT,
       "SCRAM-SHA-1", 0},
      {"TLS\n" GREETED OFFERS(
           "PLAIN SCRAM-SHA-256") "SCRAM SHA-256 4096 sesame\n" SENT QUIT,
       "SCRAM-SHA-256", 1},
  };
  size_t i;
  for (i = 0; i < 3; i++) {
    peer_t* peer = peer_play(0, cases[i].script);
    uvsmtp_tls_t* tls = cases[i].tls ? trust(peer, 0) : NULL;
    uvsmtp_credentials_t* who = joe_anywhere(f);
    uvsmtp_session_t* s = session_for(
        f, peer, cases[i].tls ? UVSMTP_TLS_IMPLICIT : UVSMTP_TLS_NONE, tls,
        who);
    uvsmtp_tls_unref(tls);
    uvsmtp_credentials_unref(who);
    connect_to(f, s);
    assert_int_equal(0, deliver(f, s).status);
    assert_string_equal(cases[i].mech, uvsmtp_session_auth(s));
    quit(f, s);
    part(f, s, peer);
  }
}

/* What the server does not like is tried by other means; what the client does
 * not like is the end of it. */
static void one_does_not(void** state) {
  fixture_t* f = *state;
  static const struct {
    const char* script;
    int status;
    int code;
    int explained;
  } cases[] = {
      {GREETED OFFERS(
           "SCRAM-SHA-256 PLAIN") "SCRAM SHA-256 4096 other\n" AUTH_PLAIN
           WELCOME QUIT,
       0, 235, 0},
      {GREETED OFFERS("SCRAM-SHA-256") "SCRAM SHA-256 4096 other\n" QUIT,
       UVSMTP_EAUTH, 535, 0},
      {GREETED OFFERS("SCRAM-SHA-256 PLAIN") "LIE SHA-256 4096 sesame\n" QUIT,
       UVSMTP_EAUTH, 0, 1},
      {GREETED OFFERS("SCRAM-SHA-1 PLAIN") "LIE SHA-1 4096 sesame\n" QUIT,
       UVSMTP_EAUTH, 0, 1},
      /* It has accepted what it had not seen, and proven nothing. */
      {GREETED OFFERS(
           "SCRAM-SHA-256 PLAIN") "C AUTH SCRAM-SHA-256 \n" WELCOME QUIT,
       UVSMTP_EAUTH, 235, 0},
  };
  size_t i;
  for (i = 0; i < 5; i++) {
    peer_t* peer = peer_play(0, cases[i].script);
    uvsmtp_credentials_t* who = joe_anywhere(f);
    uvsmtp_session_t* s = clear_session(f, peer);
    call_t login;
    login = log_in(f, s, who);
    assert_int_equal(cases[i].status, login.status);
    if (cases[i].code != 0) assert_int_equal(cases[i].code, login.code);
    if (cases[i].explained) assert_true(strlen(login.detail) > 0);
    assert_int_equal(cases[i].status == 0, uvsmtp_session_auth(s) != NULL);
    if (cases[i].status != 0) {
      assert_int_equal(UVSMTP_EAUTH, deliver(f, s).status);
    }
    quit(f, s);
    uvsmtp_credentials_unref(who);
    part(f, s, peer);
  }
}

/* A session whose login has begun. */
typedef struct one_s {
  peer_t* peer;
  uvsmtp_session_t* session;
  call_t login;
  int challenged; /* there is something to compute */
  int answered;   /* it has been computed */
} one_t;

static void on_trace(void* arg, int kind, const char* text, size_t len) {
  one_t* one = arg;
  if (kind == UVSMTP_TRACE_RECEIVED && len > 4 &&
      memcmp(text, "334 ", 4) == 0) {
    one->challenged++;
  }
  if (kind == UVSMTP_TRACE_SENT && len == 3 && memcmp(text, "***", 3) == 0) {
    one->answered++;
  }
}

static void begin(one_t* one, fixture_t* f, uvsmtp_credentials_t* who) {
  memset(one, 0, sizeof(*one));
  one->peer = peer_play(0, GREETED OFFERS("SCRAM-SHA-256") LONG QUIT);
  one->session = session_for(f, one->peer, UVSMTP_TLS_NONE, NULL, NULL);
  assert_int_equal(0, uvsmtp_session_set_trace(one->session, on_trace, one));
  connect_to(f, one->session);
  assert_int_equal(0,
                   CALL(&one->login, f,
                        uvsmtp_login(one->session, who, on_call, &one->login)));
}

static void end(one_t* one, fixture_t* f) {
  wait_for(&one->login);
  assert_int_equal(0, one->login.status);
  quit(f, one->session);
  part(f, one->session, one->peer);
}

/* Turns that pass from the first challenge to the next. */
static int turns_of(fixture_t* f, uvsmtp_credentials_t* who) {
  turns_t turns;
  one_t one;
  int before;
  turns_start(&turns, f);
  begin(&one, f, who);
  run_until(f, &one.challenged, 1);
  before = turns.n;
  run_until(f, &one.challenged, 2);
  before = turns.n - before;
  end(&one, f);
  turns_stop(&turns);
  return before;
}

/* The loop turns while a password is made a key; the next time it is there. */
static void the_loop_turns_between_pieces(void** state) {
  fixture_t* f = *state;
  uvsmtp_credentials_t* who = joe_anywhere(f);
  ticks = 2000000;
  assert_true(turns_of(f, who) >= MANY);
  assert_true(turns_of(f, who) < MANY / 2);
  ticks = 0;
  uvsmtp_credentials_unref(who);
  /* Other credentials, another key. */
  who = joe_anywhere(f);
  ticks = 2000000;
  assert_true(turns_of(f, who) >= MANY);
  ticks = 0;
  uvsmtp_credentials_unref(who);
}

/* Many sessions that need the same key make it once, together; those that are
 * closed meanwhile leave the work to the others. */
static void together(void** state) {
  fixture_t* f = *state;
  enum { SESSIONS = 6 };
  int closed;
  for (closed = 0; closed <= SESSIONS; closed += 3) {
    one_t all[SESSIONS];
    turns_t turns;
    int before;
    int i;
    uvsmtp_credentials_t* who = joe_anywhere(f);
    ticks = 2000000;
    for (i = 0; i < SESSIONS; i++) begin(&all[i], f, who);
    turns_start(&turns, f);
    uvsmtp_credentials_unref(who);
    before = turns.n;
    for (i = 0; i < SESSIONS; i++) run_until(f, &all[i].challenged, 1);
    for (i = 0; i < closed; i++) {
      close_session(f, all[i].session);
      assert_int_equal(1, all[i].login.times);
      /* The first may have been done with it before the last began. */
      if (all[i].login.status != 0)
        assert_int_equal(UV_ECANCELED, all[i].login.status);
      (void)peer_finish(all[i].peer, NULL);
    }
    for (i = closed; i < SESSIONS; i++) {
      run_until(f, &all[i].challenged, 2);
    }
    /* Some of it may be done already; one after the other it would take
     * SESSIONS times as many. */
    assert_true(turns.n - before < 2 * (ITERATIONS / PIECE_MIN));
    for (i = closed; i < SESSIONS; i++) end(&all[i], f);
    ticks = 0;
    turns_stop(&turns);
  }
}

/* One that has much to compute takes turns with the others. */
static void in_turn(void** state) {
  fixture_t* f = *state;
  peer_t* peer = peer_play(
      0, GREETED OFFERS("X-OWN") "C AUTH X-OWN cGluZw==\n" WELCOME QUIT);
  uvsmtp_session_t* s = clear_session(f, peer);
  uvsmtp_credentials_t* who = joe_anywhere(f);
  call_t call = {0};
  call_t login = {0};
  own_t own;
  one_t one;
  own_init(&own, UVSMTP_MECH_CLIENT_FIRST);
  own.again = 4;
  assert_int_equal(0, CALL(&call, f, uvsmtp_hello(s, on_call, &call)));
  wait_for(&call);
  ticks = 2000000;
  begin(&one, f, who);
  run_until(f, &one.challenged, 1);
  assert_int_equal(
      0, CALL(&login, f, uvsmtp_auth(s, &own.mech, who, 0, on_call, &login)));
  run_until(f, &own.agains, own.again);
  assert_int_equal(0, one.answered);
  ticks = 0;
  wait_for(&login);
  assert_int_equal(0, login.status);
  end(&one, f);
  uvsmtp_credentials_unref(who);
  quit(f, s);
  part(f, s, peer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      LOGIN_TEST(both_prove_themselves),
      LOGIN_TEST(one_does_not),
      LOGIN_TEST(the_loop_turns_between_pieces),
      LOGIN_TEST(together),
      LOGIN_TEST(in_turn),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
