/* SPDX-License-Identifier: MIT */
/* test_auth_life.c: how long a login may take and credentials live, and in
 * which ways both can come to an end. */
#include "login.h"

/* ----------------------------------------------------------------- in time */

/* The server takes its time, at each place where it has the word. */
static void a_login_ends_in_time(void** state) {
  fixture_t* f = *state;
  static const char* const scripts[] = {
      GREETED OFFERS("LOGIN") "C AUTH LOGIN\n",
      GREETED OFFERS("LOGIN") "C AUTH LOGIN\n S 334 so\n L c2VzYW1l\n ",
      GREETED OFFERS("LOGIN") "C AUTH LOGIN\n S 334 so\n L c2VzYW1l\n"
                              "S 334 !\n L *\n ",
  };
  /* What was cancelled had failed before. */
  static const int statuses[] = {UV_ETIMEDOUT, UV_ETIMEDOUT, UVSMTP_EAUTH};
  static const int stages[] = {UVSMTP_STATE_AUTH, UVSMTP_STATE_AUTH_STEP,
                               UVSMTP_STATE_AUTH_THINK};
  size_t i;
  for (i = 0; i < 6; i++) {
    peer_t* peer = peer_play(0, scripts[i / 2]);
    uvsmtp_credentials_t* who = joe_anywhere(f);
    uvsmtp_session_t* s = clear_session(f, peer);
    uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
    call_t login = {0};
    if (i % 2 == 0) {
      timeouts.auth = 30;
      assert_int_equal(0, uvsmtp_session_set_timeouts(s, &timeouts));
    } else {
      call_t hello = {0};
      assert_int_equal(0, CALL(&hello, f, uvsmtp_hello(s, on_call, &hello)));
      wait_for(&hello);
      assert_int_equal(0, uvsmtp_timeouts_all(&timeouts, 30));
      assert_int_equal(30, timeouts.auth);
      assert_int_equal(0, uvsmtp_session_set_timeouts(s, &timeouts));
    }
    login = log_in(f, s, who);
    assert_int_equal(statuses[i / 2], login.status);
    assert_int_equal(stages[i / 2], login.stage);
    assert_int_equal(UVSMTP_STATE_CLOSED, uvsmtp_session_state(s));
    assert_null(uvsmtp_session_auth(s));
    uvsmtp_credentials_unref(who);
    close_session(f, s);
    (void)peer_finish(peer, NULL);
  }
}

/* The default, and never, both are long. */
static void a_login_may_take_long(void** state) {
  fixture_t* f = *state;
  int never;
  for (never = 0; never < 2; never++) {
    peer_t* peer =
        peer_play(0, GREETED OFFERS("PLAIN") AUTH_PLAIN "STALL\n" WELCOME QUIT);
    uvsmtp_credentials_t* who = joe_anywhere(f);
    uvsmtp_session_t* s = clear_session(f, peer);
    uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
    call_t login = {0};
    timeouts.command = 20;
    timeouts.auth = never ? -1 : 0;
    assert_int_equal(0, uvsmtp_session_set_timeouts(s, &timeouts));
    timeouts.auth = -2;
    assert_int_equal(UV_EINVAL, uvsmtp_session_set_timeouts(s, &timeouts));
    assert_int_equal(0, CALL(&login, f, uvsmtp_login(s, who, on_call, &login)));
    run_to_stall(f, peer, 1);
    run_for(f, 60);
    assert_int_equal(0, login.times);
    peer_go(peer);
    wait_for(&login);
    assert_int_equal(0, login.status);
    quit(f, s);
    uvsmtp_credentials_unref(who);
    part(f, s, peer);
  }
}

/* ------------------------------------------------------------- references */

/* The caller's reference goes at once: each call, target and session keeps its
 * own. */
static void credentials_outlive_their_maker(void** state) {
  fixture_t* f = *state;
  enum { SESSIONS = 20 };
  uvsmtp_session_t* s[SESSIONS];
  peer_t* peer[SESSIONS];
  call_t login[SESSIONS];
  int i;
  uvsmtp_credentials_t* who = joe_anywhere(f);
  memset(login, 0, sizeof(login));
  for (i = 0; i < SESSIONS; i++) {
    uvsmtp_target_t target = UVSMTP_TARGET_INIT;
    peer[i] = peer_play(0, GREETED OFFERS("PLAIN") AUTH_PLAIN WELCOME QUIT);
    target.host = peer_host(peer[i]);
    target.port = peer_port(peer[i]);
    target.tls = UVSMTP_TLS_NONE;
    target.credentials = who;
    /* Configured, for once, or for a call. */
    s[i] =
        session_for(f, peer[i], UVSMTP_TLS_NONE, NULL, i % 3 == 0 ? who : NULL);
    assert_int_equal(
        0, uvsmtp_connect(s[i], i % 3 == 1 ? &target : NULL, NULL, NULL));
    assert_int_equal(
        0, CALL(&login[i], f,
                i % 3 == 2 ? uvsmtp_login(s[i], who, on_call, &login[i])
                           : uvsmtp_hello(s[i], on_call, &login[i])));
  }
  uvsmtp_credentials_unref(who);
  for (i = 0; i < SESSIONS; i++) {
    wait_for(&login[i]);
    assert_int_equal(0, login[i].status);
    assert_string_equal("PLAIN", uvsmtp_session_auth(s[i]));
  }
  for (i = 0; i < SESSIONS; i++) {
    quit(f, s[i]);
    part(f, s[i], peer[i]);
  }
}

/* A session that is closed before its login had a turn, or in it. */
static void closed_with_a_login_in_the_queue(void** state) {
  fixture_t* f = *state;
  int when;
  for (when = 0; when < 3; when++) {
    peer_t* peer =
        peer_play(0, when < 2 ? "STALL\n" GREETED
                              : GREETED OFFERS("PLAIN") AUTH_PLAIN "STALL\n");
    uvsmtp_credentials_t* who = joe_anywhere(f);
    uvsmtp_session_t* s = session_for(f, peer, UVSMTP_TLS_NONE, NULL, NULL);
    call_t login = {0};
    assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
    assert_int_equal(0, CALL(&login, f, uvsmtp_login(s, who, on_call, &login)));
    assert_int_equal(0, uvsmtp_login(s, who, NULL, NULL));
    uvsmtp_credentials_unref(who);
    if (when > 0) run_to_stall(f, peer, 1);
    assert_int_equal(0, login.times);
    f->calling++;
    assert_int_equal(0, uvsmtp_session_close(s, on_session_closed, f));
    f->calling--;
    assert_int_equal(0, login.times);
    run_until(f, &f->closed, when + 1);
    assert_int_equal(1, login.times);
    assert_int_equal(UV_ECANCELED, login.status);
    (void)peer_finish(peer, NULL);
  }
}

/* Each connection of a session logs in anew, until the target is another. */
static void reconnects_log_in_again(void** state) {
  fixture_t* f = *state;
  static const char once[] =
      GREETED OFFERS("PLAIN") AUTH_PLAIN WELCOME SENT QUIT "CLOSE\n NEXT\n";
  char script[2048];
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_credentials_t* who = joe_anywhere(f);
  uvsmtp_session_t* s;
  peer_t* peer;
  call_t call = {0};
  int i;
  snprintf(script, sizeof(script), "%s%s%s%s", once, once,
           GREETED OFFERS("PLAIN") SENT QUIT "CLOSE\n NEXT\n", once);
  *strrchr(script, 'C') = '\0'; /* the last CLOSE */
  peer = peer_play(0, script);
  s = session_for(f, peer, UVSMTP_TLS_NONE, NULL, who);
  uvsmtp_credentials_unref(who);
  target.host = peer_host(peer);
  target.port = peer_port(peer);
  for (i = 0; i < 4; i++) {
    assert_int_equal(
        0, CALL(&call, f,
                uvsmtp_connect(s, i == 2 ? &target : NULL, on_call, &call)));
    wait_for(&call);
    assert_null(uvsmtp_session_auth(s));
    assert_int_equal(0, deliver(f, s).status);
    assert_int_equal(i == 2, uvsmtp_session_auth(s) == NULL);
    quit(f, s);
  }
  part(f, s, peer);
}

/* Nobody wants to know how it went. */
static void no_completion(void** state) {
  fixture_t* f = *state;
  peer_t* peer =
      peer_play(0, GREETED OFFERS("PLAIN") AUTH_PLAIN WELCOME SENT QUIT);
  uvsmtp_credentials_t* who = joe_anywhere(f);
  uvsmtp_session_t* s = session_for(f, peer, UVSMTP_TLS_NONE, NULL, NULL);
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  assert_int_equal(0, uvsmtp_login(s, who, NULL, NULL));
  uvsmtp_credentials_unref(who);
  assert_int_equal(0, deliver(f, s).status);
  quit(f, s);
  part(f, s, peer);
}

/* From within a completion: another login, and the session's end. */
static void then_again(call_t* call) {
  uvsmtp_credentials_t* who = call->arg;
  assert_string_equal("PLAIN", uvsmtp_session_auth(call->session));
  assert_int_equal(0, uvsmtp_login(call->session, who, NULL, NULL));
  uvsmtp_credentials_unref(who);
  assert_int_equal(
      0, uvsmtp_session_close(call->session, on_session_closed, call->f));
}

static void closed_in_its_completion(void** state) {
  fixture_t* f = *state;
  peer_t* peer = peer_play(0, GREETED OFFERS("PLAIN") AUTH_PLAIN WELCOME "EOF");
  uvsmtp_session_t* s = session_for(f, peer, UVSMTP_TLS_NONE, NULL, NULL);
  call_t login = {0};
  login.arg = joe_anywhere(f);
  login.then = then_again;
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  assert_int_equal(
      0, CALL(&login, f, uvsmtp_login(s, login.arg, on_call, &login)));
  run_until(f, &f->closed, 1);
  assert_int_equal(1, login.times);
  assert_int_equal(0, login.status);
  assert_peer_done(peer);
}

/* The server leaves in the middle of it. */
static void the_connection_is_lost(void** state) {
  fixture_t* f = *state;
  static const char* const ends[] = {
      "CLOSE\n", "RESET\n", "S 421 too much\n CLOSE\n",
      "S 334 next\n C \nCLOSE\n", "S 250 not what it says\n"};
  static const int statuses[] = {UVSMTP_EDISCONNECTED, UVSMTP_EDISCONNECTED,
                                 UVSMTP_EAUTH, UVSMTP_EDISCONNECTED,
                                 UVSMTP_EAUTH};
  size_t i;
  for (i = 0; i < 5; i++) {
    char script[512];
    peer_t* peer;
    uvsmtp_credentials_t* who =
        joe(f, "sesame", "LOGIN", UVSMTP_AUTH_ALLOW_PLAINTEXT);
    uvsmtp_session_t* s;
    call_t login;
    call_t send;
    snprintf(script, sizeof(script), "%s%s",
             GREETED OFFERS("LOGIN") "C AUTH LOGIN\n", ends[i]);
    peer = peer_play(0, script);
    s = session_for(f, peer, UVSMTP_TLS_NONE, NULL, NULL);
    connect_to(f, s);
    login = log_in(f, s, who);
    assert_int_equal(statuses[i], login.status);
    send = deliver(f, s);
    assert_true(send.status != 0);
    assert_int_equal(UVSMTP_OUTCOME_NOT_ATTEMPTED, send.outcome);
    uvsmtp_credentials_unref(who);
    part(f, s, peer);
  }
}

/* ------------------------------------------------------------------- sizes */

/* What one more session costs that waits behind its EHLO, in the library's
 * octets: logged in or not, the same small number. */
static void an_idle_session_is_small(void** state) {
  enum { SESSIONS = 32, ALLOWED = 1536, LOGIN = 96 };
  static const char* const scripts[] = {
      GREETED HELLO, GREETED OFFERS("PLAIN") AUTH_PLAIN WELCOME,
      GREETED OFFERS("SCRAM-SHA-256") "SCRAM SHA-256 4096 sesame\n",
      GREETED OFFERS("PLAIN") AUTH_PLAIN WELCOME};
  size_t cost[4];
  int i;
  (void)state;
  for (i = 0; i < 4; i++) {
    fixture_t fixture; /* nothing is on its free lists */
    fixture_t* f = &fixture;
    uvsmtp_session_t* s[SESSIONS];
    peer_t* peer[SESSIONS];
    uvsmtp_credentials_t* who;
    size_t before;
    int n;
    fixture_start(f);
    who = joe_anywhere(f);
    before = f->heap.octets;
    for (n = 0; n < SESSIONS; n++) {
      call_t hello = {0};
      peer[n] = peer_play(0, scripts[i]);
      /* The last are the target's. */
      s[n] = session_for(f, peer[n], UVSMTP_TLS_NONE, NULL, i < 3 ? NULL : who);
      connect_to(f, s[n]);
      if (i == 1 || i == 2) {
        assert_int_equal(0, log_in(f, s[n], who).status);
      } else {
        assert_int_equal(0,
                         CALL(&hello, f, uvsmtp_hello(s[n], on_call, &hello)));
        wait_for(&hello);
        assert_int_equal(0, hello.status);
      }
    }
    cost[i] = (f->heap.octets - before) / SESSIONS;
    assert_in_range(cost[i], 1, ALLOWED);
    for (n = 0; n < SESSIONS; n++) {
      close_session(f, s[n]);
      assert_peer_done(peer[n]);
    }
    uvsmtp_credentials_unref(who);
    fixture_finish(f);
  }
  /* Nothing stays of a login by call. The rest is what the server offers. */
  assert_true(cost[1] <= cost[0] + LOGIN);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      LOGIN_TEST(a_login_ends_in_time),
      LOGIN_TEST(a_login_may_take_long),
      LOGIN_TEST(credentials_outlive_their_maker),
      LOGIN_TEST(closed_with_a_login_in_the_queue),
      LOGIN_TEST(reconnects_log_in_again),
      LOGIN_TEST(no_completion),
      LOGIN_TEST(closed_in_its_completion),
      LOGIN_TEST(the_connection_is_lost),
      LOGIN_TEST(an_idle_session_is_small),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
