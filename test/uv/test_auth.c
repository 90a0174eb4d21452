/* SPDX-License-Identifier: MIT */
/* test_auth.c: logins over real sockets and real TLS: who may be told a
 * password, and whose credentials are used when. */
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "login.h"
#include "net.h"

/* --------------------------------------------------------- who may be told */

/* Nothing is said of anybody in clear text, by no mechanism. */
static void clear_text_is_for_nobody(void** state) {
  fixture_t* f = *state;
  static const char* const mechs[] = {NULL, "PLAIN", "LOGIN", "CRAM-MD5",
                                      "SCRAM-SHA-256"};
  size_t i;
  for (i = 0; i < 5; i++) {
    peer_t* peer = peer_play(
        0,
        GREETED OFFERS(
            "SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN") "L NOOP\n S 250 ok\n" QUIT);
    uvsmtp_credentials_t* who = joe(f, "sesame", mechs[i], 0);
    uvsmtp_session_t* s = clear_session(f, peer);
    call_t call = {0};
    call = log_in(f, s, who);
    assert_int_equal(UVSMTP_EAUTH, call.status);
    assert_int_equal(UVSMTP_ETLS, call.cause);
    assert_int_equal(UVSMTP_STATE_AUTH, call.stage);
    assert_int_equal(0, call.code);
    assert_null(uvsmtp_session_auth(s));
    /* And no message goes out under no name. */
    call = deliver(f, s);
    assert_int_equal(UVSMTP_EAUTH, call.status);
    assert_int_equal(UVSMTP_OUTCOME_NOT_ATTEMPTED, call.outcome);
    assert_int_equal(UVSMTP_OUTCOME_NOT_ATTEMPTED, call.rcpts[0]);
    memset(&call, 0, sizeof(call));
    assert_int_equal(0, CALL(&call, f, uvsmtp_noop(s, on_call, &call)));
    wait_for(&call);
    assert_int_equal(0, call.status);
    quit(f, s);
    uvsmtp_credentials_unref(who);
    part(f, s, peer);
  }
}

static void clear_text_by_permission(void** state) {
  fixture_t* f = *state;
  peer_t* peer =
      peer_play(0, GREETED OFFERS("LOGIN PLAIN") AUTH_PLAIN WELCOME SENT QUIT);
  uvsmtp_credentials_t* who = joe_anywhere(f);
  uvsmtp_session_t* s = clear_session(f, peer);
  call_t login;
  login = log_in(f, s, who);
  assert_int_equal(0, login.status);
  assert_int_equal(0, login.cause);
  assert_int_equal(235, login.code);
  assert_int_equal(UVSMTP_STATE_AUTH, login.stage);
  assert_int_equal(UVSMTP_OUTCOME_NONE, login.outcome);
  assert_string_equal("", login.detail);
  assert_string_equal("PLAIN", uvsmtp_session_auth(s));
  assert_int_equal(0, deliver(f, s).status);
  quit(f, s);
  assert_null(uvsmtp_session_auth(s));
  uvsmtp_credentials_unref(who);
  part(f, s, peer);
}

/* The flag may also be that one call's. */
static void clear_text_for_once(void** state) {
  fixture_t* f = *state;
  peer_t* peer = peer_play(
      0, GREETED OFFERS("PLAIN LOGIN") "L AUTH LOGIN am9l\n S 334 next\n"
                                       "L c2VzYW1l\n" WELCOME QUIT);
  uvsmtp_credentials_t* who = joe(f, "sesame", "PLAIN", 0);
  uvsmtp_session_t* s = clear_session(f, peer);
  call_t call = log_in_by(f, s, uvsmtp_mech("login"), who, 0);
  assert_int_equal(UVSMTP_EAUTH, call.status);
  assert_int_equal(UVSMTP_ETLS, call.cause);
  call =
      log_in_by(f, s, uvsmtp_mech("login"), who, UVSMTP_AUTH_ALLOW_PLAINTEXT);
  assert_int_equal(0, call.status);
  assert_int_equal(UVSMTP_STATE_AUTH_STEP, call.stage);
  assert_string_equal("LOGIN", uvsmtp_session_auth(s));
  quit(f, s);
  uvsmtp_credentials_unref(who);
  part(f, s, peer);
}

/* A connection to the peer that the caller has made. */
static void open_given(uvsmtp_session_t* s, const peer_t* peer) {
  uvsmtp_connection_t connection = UVSMTP_CONNECTION_INIT;
  struct sockaddr_storage addr;
  socklen_t len = sizeof(struct sockaddr_un);
  if (peer_host(peer)[0] == '/') {
    struct sockaddr_un* path = (struct sockaddr_un*)&addr;
    memset(&addr, 0, sizeof(addr));
    path->sun_family = AF_UNIX;
    strcpy(path->sun_path, peer_host(peer));
  } else {
    len = net_address(&addr, peer_host(peer), peer_port(peer));
  }
  connection.fd = socket(addr.ss_family, SOCK_STREAM, 0);
  assert_int_equal(0, connect(connection.fd, (struct sockaddr*)&addr, len));
  assert_int_equal(0, uvsmtp_open(s, &connection, NULL, NULL));
}

/* Nobody listens between the ends of a Unix socket. Of a connection that was
 * handed over it counts what it is, not what the target would have been. */
static void a_local_server_may_be_told(void** state) {
  fixture_t* f = *state;
  static const struct {
    int flags;
    int given;
    const char* host; /* of the target; NULL: the peer's */
    int told;
  } cases[] = {
      {PEER_UNIX, 0, NULL, 1},         {PEER_UNIX, 1, NULL, 1},
      {PEER_UNIX, 1, "mx.example", 1}, {0, 1, NULL, 0},
      {0, 1, "/run/smtp", 0},
  };
  size_t i;
  for (i = 0; i < 5; i++) {
    peer_t* peer =
        peer_play(cases[i].flags, cases[i].told ? GREETED OFFERS("PLAIN")
                                                      AUTH_PLAIN WELCOME QUIT
                                                : GREETED OFFERS("PLAIN") QUIT);
    uvsmtp_credentials_t* who = joe(f, "sesame", NULL, 0);
    uvsmtp_target_t target = UVSMTP_TARGET_INIT;
    uvsmtp_session_t* s;
    call_t login;
    target.host = cases[i].host;
    s = session_of(f, peer, &target, 0);
    if (cases[i].given) {
      open_given(s, peer);
    } else {
      connect_to(f, s);
    }
    login = log_in(f, s, who);
    assert_int_equal(cases[i].told ? 0 : UVSMTP_EAUTH, login.status);
    assert_int_equal(cases[i].told ? 0 : UVSMTP_ETLS, login.cause);
    quit(f, s);
    uvsmtp_credentials_unref(who);
    part(f, s, peer);
  }
}

/* Connects by a name that is no path, as Linux has them. */
static void make_abstract(int fds[2]) {
  struct sockaddr_un addr = {0};
  socklen_t len = sizeof(addr);
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  addr.sun_family = AF_UNIX;
  /* What is bound to no name is given one. */
  assert_int_equal(
      0, bind(listener, (struct sockaddr*)&addr, sizeof(addr.sun_family)));
  assert_int_equal(0, getsockname(listener, (struct sockaddr*)&addr, &len));
  assert_int_equal(0, listen(listener, 1));
  fds[0] = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal(0, connect(fds[0], (struct sockaddr*)&addr, len));
  fds[1] = accept(listener, NULL, NULL);
  assert_true(fds[1] >= 0);
  close(listener);
}

/* Whose other end may be a program that goes on over the net, or anybody's: it
 * gets nothing without TLS, by the call or by the target. */
static void a_pair_is_not_a_local_server(void** state) {
  fixture_t* f = *state;
#if defined(__linux__)
  enum { KINDS = 4 };
#else
  enum { KINDS = 2 };
#endif
  int kind;
  for (kind = 0; kind < KINDS; kind++) {
    int targeted = kind % 2;
    uvsmtp_credentials_t* who = joe(f, "sesame", NULL, 0);
    uvsmtp_connection_t connection = UVSMTP_CONNECTION_INIT;
    uvsmtp_target_t target = UVSMTP_TARGET_INIT;
    uvsmtp_session_t* s;
    call_t call;
    char heard[128];
    size_t n;
    int fds[2];
    if (kind < 2)
      assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    else
      make_abstract(fds);
    target.tls_name = "mx.example";
    target.credentials = targeted ? who : NULL;
    s = session_of(f, NULL, &target, 0);
    connection.fd = fds[0];
    assert_int_equal(0, uvsmtp_open(s, &connection, NULL, NULL));
    memset(&call, 0, sizeof(call));
    assert_int_equal(0, CALL(&call, f,
                             targeted ? uvsmtp_hello(s, on_call, &call)
                                      : uvsmtp_login(s, who, on_call, &call)));
    pair_say(fds[1], "220 pair\r\n");
    n = pair_hear(f, fds[1], heard, sizeof(heard));
    assert_int_equal(strlen("EHLO client.example\r\n"), n);
    pair_say(fds[1], "250-pair\r\n250 AUTH PLAIN\r\n");
    run_until(f, &call.times, 1);
    assert_int_equal(targeted ? UVSMTP_ETLS : UVSMTP_EAUTH, call.status);
    assert_int_equal(targeted ? UVSMTP_ENOTSUPPORTED : UVSMTP_ETLS, call.cause);
    close_session(f, s);
    assert_int_equal(0, read(fds[1], heard, sizeof(heard)));
    close(fds[1]);
    uvsmtp_credentials_unref(who);
  }
}

/* TLS alone does not say whom one talks to. */
static void a_stranger_within_tls(void** state) {
  fixture_t* f = *state;
  static const struct {
    const char* name; /* that the certificate is to say */
    unsigned int tls;
    unsigned int auth;
    int told;
  } cases[] = {
      {"mx.example", 0, 0, 0},
      {"mx.example", 0, UVSMTP_AUTH_ALLOW_PLAINTEXT, 1},
      {"localhost", 0, 0, 1},
      /* Whoever does not want to know is not asked. */
      {"mx.example", UVSMTP_TLS_INSECURE, 0, 1},
  };
  size_t i;
  for (i = 0; i < 4; i++) {
    char script[1024];
    uvsmtp_credentials_t* who = joe(f, "sesame", NULL, cases[i].auth);
    uvsmtp_target_t target = UVSMTP_TARGET_INIT;
    uvsmtp_session_t* s;
    uvsmtp_tls_t* tls;
    call_t login;
    peer_t* peer;
    snprintf(script, sizeof(script), "%s%s%s",
             GREETED OFFERS_TLS("PLAIN") STARTTLS OFFERS("PLAIN"),
             cases[i].told ? AUTH_PLAIN WELCOME : "", QUIT);
    peer = peer_play(0, script);
    tls = trust(peer, cases[i].tls);
    target.tls_settings = tls;
    target.tls_name = cases[i].name;
    s = session_of(f, peer, &target, 0);
    connect_to(f, s);
    login = log_in(f, s, who);
    assert_int_equal(cases[i].told ? 0 : UVSMTP_EAUTH, login.status);
    assert_int_equal(cases[i].told ? 0 : UVSMTP_ETLS, login.cause);
    quit(f, s);
    uvsmtp_credentials_unref(who);
    uvsmtp_tls_unref(tls);
    part(f, s, peer);
  }
}

/* ------------------------------------------------------ those of the target */

/* Sends a message by a target that has these, and lets go of them; what that
 * came to, when the session has ended. */
static call_t deliver_as(fixture_t* f, peer_t* peer, int policy,
                         uvsmtp_credentials_t* who) {
  uvsmtp_session_t* s = session_for(f, peer, policy, NULL, who);
  call_t send;
  uvsmtp_credentials_unref(who);
  connect_to(f, s);
  send = deliver(f, s);
  quit(f, s);
  part(f, s, peer);
  return send;
}

/* Where TLS would be as it comes, it is required. */
static void credentials_want_tls(void** state) {
  fixture_t* f = *state;
  static const int policies[] = {UVSMTP_TLS_DEFAULT, UVSMTP_TLS_OPPORTUNISTIC,
                                 UVSMTP_TLS_REQUIRED};
  size_t i;
  for (i = 0; i < 3; i++) {
    peer_t* peer = peer_play(0, GREETED OFFERS("PLAIN") QUIT);
    call_t send = deliver_as(f, peer, policies[i], joe(f, "sesame", NULL, 0));
    assert_int_equal(UVSMTP_ETLS, send.status);
    assert_int_equal(UVSMTP_ENOTSUPPORTED, send.cause);
  }
}

/* They may be let off that; and NONE is NONE, but then nothing is told. */
static void credentials_without_tls(void** state) {
  fixture_t* f = *state;
  static const struct {
    int policy;
    unsigned int flags;
  } cases[] = {
      {UVSMTP_TLS_DEFAULT, UVSMTP_AUTH_ALLOW_PLAINTEXT},
      {UVSMTP_TLS_OPPORTUNISTIC, UVSMTP_AUTH_ALLOW_PLAINTEXT},
      {UVSMTP_TLS_NONE, UVSMTP_AUTH_ALLOW_PLAINTEXT},
      {UVSMTP_TLS_NONE, 0},
  };
  size_t i;
  for (i = 0; i < 4; i++) {
    int told = cases[i].flags != 0;
    peer_t* peer =
        peer_play(0, told ? GREETED OFFERS("PLAIN") AUTH_PLAIN WELCOME SENT QUIT
                          : GREETED OFFERS("PLAIN") QUIT);
    uvsmtp_credentials_t* who = joe(f, "sesame", NULL, cases[i].flags);
    call_t send = deliver_as(f, peer, cases[i].policy, who);
    assert_int_equal(told ? 0 : UVSMTP_EAUTH, send.status);
    assert_int_equal(told ? 0 : UVSMTP_ETLS, send.cause);
    assert_int_equal(
        told ? UVSMTP_OUTCOME_ACCEPTED : UVSMTP_OUTCOME_NOT_ATTEMPTED,
        send.outcome);
  }
}

/* A local server is told without TLS, and not asked for it. */
static void credentials_of_a_local_target(void** state) {
  fixture_t* f = *state;
  peer_t* peer = peer_play(
      PEER_UNIX, GREETED OFFERS("PLAIN") AUTH_PLAIN WELCOME SENT QUIT);
  uvsmtp_credentials_t* who = joe(f, "sesame", NULL, 0);
  assert_int_equal(0, deliver_as(f, peer, UVSMTP_TLS_DEFAULT, who).status);
}

/* hello, MAIL and a message each log in first, once. */
static void every_way_in_logs_in(void** state) {
  fixture_t* f = *state;
  int way;
  for (way = 0; way < 3; way++) {
    peer_t* peer = peer_play(
        0, way == 1 ? GREETED OFFERS_TLS("PLAIN") STARTTLS OFFERS("PLAIN")
                          AUTH_PLAIN WELCOME
               "C MAIL\n S 250 ok\n C RSET\n S 250 ok\n" SENT QUIT
                    : GREETED OFFERS_TLS("PLAIN") STARTTLS OFFERS("PLAIN")
                          AUTH_PLAIN WELCOME SENT QUIT);
    uvsmtp_tls_t* tls = trust(peer, 0);
    uvsmtp_credentials_t* who = joe(f, "sesame", NULL, 0);
    uvsmtp_session_t* s = session_for(f, peer, UVSMTP_TLS_DEFAULT, tls, who);
    call_t first = {0};
    uvsmtp_credentials_unref(who);
    uvsmtp_tls_unref(tls);
    assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
    if (way == 0) {
      assert_int_equal(0, CALL(&first, f, uvsmtp_hello(s, on_call, &first)));
    } else if (way == 1) {
      assert_int_equal(
          0, CALL(&first, f,
                  uvsmtp_mail(s, "a@example.org", NULL, 0, on_call, &first)));
      assert_int_equal(0, uvsmtp_rset(s, NULL, NULL));
    }
    assert_int_equal(0, deliver(f, s).status);
    if (way < 2) assert_int_equal(0, first.status);
    assert_string_equal("PLAIN", uvsmtp_session_auth(s));
    quit(f, s);
    part(f, s, peer);
  }
}

static void over_implicit_tls(fixture_t* f, int given) {
  peer_t* peer = peer_play(
      0, "TLS\n" GREETED OFFERS("PLAIN") AUTH_PLAIN WELCOME SENT QUIT);
  uvsmtp_tls_t* tls = trust(peer, 0);
  uvsmtp_credentials_t* who = joe(f, "sesame", NULL, 0);
  uvsmtp_session_t* s = session_for(f, peer, UVSMTP_TLS_IMPLICIT, tls, who);
  uvsmtp_credentials_unref(who);
  uvsmtp_tls_unref(tls);
  if (given) {
    open_given(s, peer);
  } else {
    connect_to(f, s);
  }
  assert_int_equal(0, deliver(f, s).status);
  assert_string_equal("PLAIN", uvsmtp_session_auth(s));
  quit(f, s);
  part(f, s, peer);
}

static void implicit_tls_is_enough(void** state) {
  over_implicit_tls(*state, 0);
}

/* Over a connection of the caller's own, too. */
static void a_given_connection_logs_in(void** state) {
  over_implicit_tls(*state, 1);
}

/* After LHLO as well (RFC 2033 5). */
static void lmtp_logs_in(void** state) {
  fixture_t* f = *state;
  peer_t* peer = peer_play(0, GREETED
                           "C LHLO client.example\n S 250-peer\n"
                           "S 250 AUTH PLAIN\n" AUTH_PLAIN WELCOME SENT QUIT);
  uvsmtp_credentials_t* who = joe_anywhere(f);
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_session_t* s;
  target.credentials = who;
  s = session_of(f, peer, &target, UVSMTP_SESSION_LMTP);
  uvsmtp_credentials_unref(who);
  connect_to(f, s);
  assert_int_equal(0, deliver(f, s).status);
  quit(f, s);
  part(f, s, peer);
}

/* ------------------------------------------------------------- what follows */

/* What the server refused stays refused, until somebody else is let in. */
static void nothing_leaves_after_a_refusal(void** state) {
  fixture_t* f = *state;
  peer_t* peer = peer_play(
      0, GREETED OFFERS(
             "PLAIN") "L AUTH PLAIN AGpvZQB3cm9uZw==\n" WRONG
                      "L NOOP\n S 250 ok\n" AUTH_PLAIN WELCOME SENT QUIT);
  uvsmtp_credentials_t* bad =
      joe(f, "wrong", NULL, UVSMTP_AUTH_ALLOW_PLAINTEXT);
  uvsmtp_credentials_t* good = joe_anywhere(f);
  uvsmtp_session_t* s = clear_session(f, peer);
  call_t call;
  call_t mail = {0};
  call = log_in(f, s, bad);
  assert_int_equal(UVSMTP_EAUTH, call.status);
  assert_int_equal(0, call.cause);
  assert_int_equal(UVSMTP_STATE_AUTH, call.stage);
  assert_int_equal(535, call.code);
  assert_string_equal("wrong", call.text);
  assert_null(uvsmtp_session_auth(s));
  call = deliver(f, s);
  assert_int_equal(UVSMTP_EAUTH, call.status);
  assert_int_equal(UVSMTP_OUTCOME_NOT_ATTEMPTED, call.outcome);
  assert_int_equal(
      0,
      CALL(&mail, f, uvsmtp_mail(s, "a@example.org", NULL, 0, on_call, &mail)));
  wait_for(&mail);
  assert_int_equal(UVSMTP_EAUTH, mail.status);
  assert_int_equal(0, CALL(&call, f, uvsmtp_noop(s, on_call, &call)));
  wait_for(&call);
  assert_int_equal(0, call.status);
  assert_int_equal(0, log_in(f, s, good).status);
  assert_int_equal(0, deliver(f, s).status);
  quit(f, s);
  uvsmtp_credentials_unref(bad);
  uvsmtp_credentials_unref(good);
  part(f, s, peer);
}

/* ... and in the next session nobody remembers. */
static void a_refusal_ends_with_the_session(void** state) {
  fixture_t* f = *state;
  peer_t* peer = peer_play(
      0, GREETED OFFERS("PLAIN") "C AUTH PLAIN\n" WRONG QUIT
                                 "CLOSE\n NEXT\n" GREETED OFFERS("PLAIN")
                                     SENT QUIT);
  uvsmtp_credentials_t* bad =
      joe(f, "wrong", NULL, UVSMTP_AUTH_ALLOW_PLAINTEXT);
  uvsmtp_session_t* s = clear_session(f, peer);
  assert_int_equal(UVSMTP_EAUTH, log_in(f, s, bad).status);
  assert_int_equal(UVSMTP_EAUTH, deliver(f, s).status);
  uvsmtp_credentials_unref(bad);
  quit(f, s);
  connect_to(f, s);
  assert_int_equal(0, deliver(f, s).status);
  quit(f, s);
  part(f, s, peer);
}

/* One login is enough; a second one of the same says so at once, one of others
 * is an error. */
static void logged_in_already(void** state) {
  fixture_t* f = *state;
  peer_t* peer =
      peer_play(0, GREETED OFFERS("PLAIN") AUTH_PLAIN WELCOME SENT QUIT);
  uvsmtp_credentials_t* who = joe_anywhere(f);
  uvsmtp_credentials_t* other = joe_anywhere(f);
  uvsmtp_session_t* s = session_for(f, peer, UVSMTP_TLS_NONE, NULL, who);
  connect_to(f, s);
  assert_int_equal(0, log_in(f, s, who).status);
  assert_int_equal(0, log_in(f, s, who).status);
  assert_int_equal(UV_EALREADY, log_in(f, s, other).status);
  assert_string_equal("PLAIN", uvsmtp_session_auth(s));
  assert_int_equal(0, deliver(f, s).status);
  quit(f, s);
  uvsmtp_credentials_unref(who);
  uvsmtp_credentials_unref(other);
  part(f, s, peer);
}

/* Those that are gone are never taken for others at the same address. */
static void nobody_inherits_a_login(void** state) {
  fixture_t* f = *state;
  peer_t* peer = peer_play(0, GREETED OFFERS("PLAIN") AUTH_PLAIN WELCOME QUIT);
  uvsmtp_session_t* s = clear_session(f, peer);
  int i;
  uvsmtp_credentials_t* who = joe_anywhere(f);
  assert_int_equal(0, log_in(f, s, who).status);
  uvsmtp_credentials_unref(who);
  for (i = 0; i < 8; i++) {
    who = joe_anywhere(f);
    assert_int_equal(UV_EALREADY, log_in(f, s, who).status);
    uvsmtp_credentials_unref(who);
  }
  quit(f, s);
  part(f, s, peer);
}

/* ------------------------------------------------- by one mechanism, or none
 */

static void a_mechanism_that_is_not_offered(void** state) {
  fixture_t* f = *state;
  peer_t* peer = peer_play(
      0,
      GREETED OFFERS("PLAIN LOGIN") "L AUTH CRAM-MD5\n S 504 no such\n"
                               "L AUTH CRAM-MD5\n S 504 no such\n" QUIT);
  uvsmtp_credentials_t* who =
      joe(f, "sesame", "CRAM-MD5", UVSMTP_AUTH_ALLOW_PLAINTEXT);
  uvsmtp_credentials_t* forced = joe(
      f, "sesame", "CRAM-MD5", UVSMTP_AUTH_ALLOW_PLAINTEXT | UVSMTP_AUTH_FORCE);
  uvsmtp_session_t* s = clear_session(f, peer);
  call_t call;
  call = log_in(f, s, who);
  assert_int_equal(UVSMTP_ENOTSUPPORTED, call.status);
  assert_int_equal(UVSMTP_STATE_AUTH, call.stage);
  call = log_in_by(f, s, uvsmtp_mech("CRAM-MD5"), who,
                   UVSMTP_AUTH_ALLOW_PLAINTEXT);
  assert_int_equal(UVSMTP_ENOTSUPPORTED, call.status);
  /* Asked for by force, the server says it. */
  call = log_in_by(f, s, uvsmtp_mech("CRAM-MD5"), who,
                   UVSMTP_AUTH_ALLOW_PLAINTEXT | UVSMTP_AUTH_FORCE);
  assert_int_equal(UVSMTP_EAUTH, call.status);
  assert_int_equal(504, call.code);
  /* That credentials are forced is about the mechanisms that they name. */
  call = log_in_by(f, s, uvsmtp_mech("SCRAM-SHA-1"), forced, 0);
  assert_int_equal(UVSMTP_ENOTSUPPORTED, call.status);
  call = log_in(f, s, forced);
  assert_int_equal(UVSMTP_EAUTH, call.status);
  assert_int_equal(504, call.code);
  quit(f, s);
  uvsmtp_credentials_unref(who);
  uvsmtp_credentials_unref(forced);
  part(f, s, peer);
}

static void a_server_without_auth(void** state) {
  fixture_t* f = *state;
  peer_t* peer = peer_play(0, GREETED HELLO QUIT);
  call_t send = deliver_as(f, peer, UVSMTP_TLS_NONE, joe_anywhere(f));
  assert_int_equal(UVSMTP_ENOTSUPPORTED, send.status);
  assert_int_equal(UVSMTP_STATE_AUTH, send.stage);
  assert_int_equal(UVSMTP_OUTCOME_NOT_ATTEMPTED, send.outcome);
}

static void calls_that_are_refused(void** state) {
  fixture_t* f = *state;
  peer_t* peer = peer_play(0, GREETED QUIT);
  uvsmtp_credentials_config_t config = UVSMTP_CREDENTIALS_CONFIG_INIT;
  uvsmtp_credentials_t* who;
  uvsmtp_credentials_t* bearer;
  uvsmtp_session_t* s = session_for(f, peer, UVSMTP_TLS_NONE, NULL, NULL);
  call_t hello = {0};
  call_t login;
  call_t dead = {0};
  config.user = "joe";
  config.token = "tok-1";
  bearer = someone(f, &config);
  who = joe_anywhere(f);
  /* Without a connection: as any call. */
  assert_int_equal(0, CALL(&hello, f, uvsmtp_hello(s, on_call, &hello)));
  wait_for(&hello);
  login = log_in(f, s, who);
  assert_true(hello.status != 0);
  assert_int_equal(hello.status, login.status);
  connect_to(f, s);
  assert_int_equal(UV_EINVAL, uvsmtp_login(s, NULL, on_call, &dead));
  assert_int_equal(UV_EINVAL, uvsmtp_auth(s, NULL, who, 0, on_call, &dead));
  assert_int_equal(
      UV_EINVAL, uvsmtp_auth(s, uvsmtp_mech("PLAIN"), NULL, 0, on_call, &dead));
  /* There is no password, or no token. */
  assert_int_equal(UV_EINVAL, uvsmtp_auth(s, uvsmtp_mech("PLAIN"), bearer, 0,
                                          on_call, &dead));
  assert_int_equal(UV_EINVAL, uvsmtp_auth(s, uvsmtp_mech("XOAUTH2"), who, 0,
                                          on_call, &dead));
  quit(f, s);
  assert_int_equal(0, uvsmtp_session_close(s, on_session_closed, f));
  assert_int_equal(UV_ECANCELED, uvsmtp_login(s, who, on_call, &dead));
  assert_int_equal(UV_ECANCELED, uvsmtp_auth(s, uvsmtp_mech("PLAIN"), who, 0,
                                             on_call, &dead));
  run_until(f, &f->closed, 1);
  assert_int_equal(0, dead.times);
  uvsmtp_credentials_unref(who);
  uvsmtp_credentials_unref(bearer);
  assert_peer_done(peer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      LOGIN_TEST(clear_text_is_for_nobody),
      LOGIN_TEST(clear_text_by_permission),
      LOGIN_TEST(clear_text_for_once),
      LOGIN_TEST(a_local_server_may_be_told),
      LOGIN_TEST(a_pair_is_not_a_local_server),
      LOGIN_TEST(a_stranger_within_tls),
      LOGIN_TEST(credentials_want_tls),
      LOGIN_TEST(credentials_without_tls),
      LOGIN_TEST(credentials_of_a_local_target),
      LOGIN_TEST(every_way_in_logs_in),
      LOGIN_TEST(implicit_tls_is_enough),
      LOGIN_TEST(a_given_connection_logs_in),
      LOGIN_TEST(lmtp_logs_in),
      LOGIN_TEST(nothing_leaves_after_a_refusal),
      LOGIN_TEST(a_refusal_ends_with_the_session),
      LOGIN_TEST(logged_in_already),
      LOGIN_TEST(nobody_inherits_a_login),
      LOGIN_TEST(a_mechanism_that_is_not_offered),
      LOGIN_TEST(a_server_without_auth),
      LOGIN_TEST(calls_that_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
