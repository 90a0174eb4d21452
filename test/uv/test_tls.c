/* SPDX-License-Identifier: MIT */
/* TLS over real sockets: policies, what is verified, resumption, and the ends
 * that a session can come to. What certificates are good for is tested with
 * lib/tls itself, and in test/server. */
#include "clock.h"
#include "fixture.h"

/* Finds a remark of a trace. */
typedef struct remark_s {
  const char* want;
  int found;
} remark_t;

static void on_trace(void* arg, int kind, const char* text, size_t len) {
  remark_t* r = arg;
  size_t n = strlen(r->want);
  if (kind != UVSMTP_TRACE_INFO) return;
  assert_null(memchr(text, '\n', len));
  if (len >= n && memcmp(text, r->want, n) == 0) r->found++;
}

/* A session to a peer, with this policy and this name in the certificate. */
static uvsmtp_session_t* session_to(fixture_t* f, const peer_t* peer,
                                    uvsmtp_tls_t* tls, int policy,
                                    const char* name) {
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  target.tls = policy;
  target.tls_settings = tls;
  target.tls_name = name;
  return session_of(f, peer, &target, 0);
}

/* All that a test has made; the peer has played its script. */
static void leave(fixture_t* f, uvsmtp_session_t* s, uvsmtp_tls_t* tls,
                  peer_t* peer) {
  close_session(f, s);
  uvsmtp_tls_unref(tls);
  assert_peer_done(peer);
}

/* Connects; what that came to. */
static call_t reach(fixture_t* f, uvsmtp_session_t* s) {
  call_t connect = {0};
  assert_int_equal(
      0, CALL(&connect, f, uvsmtp_connect(s, NULL, on_call, &connect)));
  wait_for(&connect);
  return connect;
}

/* Connects and sends a message; what the latter came to. */
static call_t deliver(fixture_t* f, uvsmtp_session_t* s) {
  call_t connect = {0};
  call_t send = {0};
  letter_t letter;
  letter_init(&letter, "a@example.org", "b@example.net", "hi\r\n", 4);
  assert_int_equal(
      0, CALL(&connect, f, uvsmtp_connect(s, NULL, on_call, &connect)));
  assert_int_equal(
      0, CALL(&send, f, uvsmtp_send(s, &letter.message, on_call, &send)));
  wait_for(&send);
  assert_int_equal(1, connect.times);
  assert_int_equal(1, letter.released);
  return send;
}

#define GREETED "S 220 peer\n"
#define OFFERS "C EHLO client.example\n S 250-peer\n S 250 STARTTLS\n"
#define HELLO "C EHLO client.example\n S 250 peer\n"
#define MESSAGE                                                          \
  "C MAIL FROM:<a@example.org>\n S 250 ok\n C RCPT TO:<b@example.net>\n" \
  "S 250 ok\n C DATA\n S 354 go\n T\n S 250 2.0.0 taken\n"
#define ASKED "C STARTTLS\n S 220 go\n"

static void a_message_by_starttls(void** state) {
  fixture_t* f = *state;
  peer_t* peer = peer_play(
      0, GREETED OFFERS ASKED "TLS\n" HELLO MESSAGE "C QUIT\n S 221 bye\n EOF");
  uvsmtp_tls_t* tls = trust(peer, 0);
  uvsmtp_session_t* s =
      session_to(f, peer, tls, UVSMTP_TLS_REQUIRED, "localhost");
  const uvsmtp_tls_info_t* info;
  call_t quit = {0};
  call_t send = deliver(f, s);
  assert_int_equal(0, send.status);
  assert_int_equal(UVSMTP_OUTCOME_ACCEPTED, send.outcome);
  info = uvsmtp_session_tls(s);
  assert_non_null(info);
  assert_true(uvsmtp_tls_info_established(info));
  assert_true(uvsmtp_tls_info_verified(info));
  assert_int_equal(0, uvsmtp_tls_info_problems(info));
  assert_true(uvsmtp_tls_info_version(info) >= UVSMTP_TLS_1_2);
  assert_string_equal("localhost", uvsmtp_tls_info_name(info));
  assert_true(uvsmtp_tls_info_certificate(info).len > 100);
  assert_null(uvsmtp_session_extn(s, "STARTTLS"));
  assert_int_equal(0, CALL(&quit, f, uvsmtp_quit(s, on_call, &quit)));
  wait_for(&quit);
  /* The facts stay when the connection goes. */
  assert_ptr_equal(info, uvsmtp_session_tls(s));
  assert_true(uvsmtp_tls_info_certificate(info).len > 100);
  leave(f, s, tls, peer);
}

static void a_message_by_implicit_tls(void** state) {
  fixture_t* f = *state;
  peer_t* peer =
      peer_play(0, "TLS\n" GREETED HELLO MESSAGE "C QUIT\n S 221 bye\n EOF");
  uvsmtp_tls_t* tls = trust(peer, 0);
  uvsmtp_session_t* s = session_to(f, peer, tls, UVSMTP_TLS_IMPLICIT, NULL);
  call_t send = deliver(f, s);
  assert_int_equal(0, send.status);
  /* By its address. */
  assert_string_equal("127.0.0.1", uvsmtp_tls_info_name(uvsmtp_session_tls(s)));
  assert_true(uvsmtp_tls_info_verified(uvsmtp_session_tls(s)));
  assert_int_equal(0, uvsmtp_session_end(s, on_session_closed, f));
  run_until(f, &f->closed, 1);
  uvsmtp_tls_unref(tls);
  assert_peer_done(peer);
}

static void traces_tell_of_it(void** state) {
  fixture_t* f = *state;
  static const char* const wants[] = {"TLSv1.", "certificate: ", "TLS failed"};
  static const int found[2][3] = {{1, 1, 0}, {0, 1, 1}};
  size_t i;
  for (i = 0; i < 6; i++) {
    peer_t* peer = peer_play(0, "TLS\n" GREETED HELLO MESSAGE);
    uvsmtp_tls_t* tls = trust(peer, 0);
    uvsmtp_session_t* s = session_to(f, peer, tls, UVSMTP_TLS_IMPLICIT,
                                     i < 3 ? NULL : "mx.example");
    remark_t remark = {wants[i % 3], 0};
    assert_int_equal(0, uvsmtp_session_set_trace(s, on_trace, &remark));
    assert_int_equal(i < 3 ? 0 : UVSMTP_ETLS, deliver(f, s).status);
    assert_int_equal(found[i / 3][i % 3], remark.found > 0);
    close_session(f, s);
    uvsmtp_tls_unref(tls);
    (void)peer_finish(peer, NULL);
  }
}

/* Handshakes that fail say why, and the server gets an alert: it sees an end,
 * not a silence. */
static void nobody_trusts_a_stranger(void** state) {
  fixture_t* f = *state;
  peer_t* other = peer_play(0, "TLS\n");
  peer_t* peer = peer_play(0, GREETED OFFERS ASKED "TLS\n EOF");
  uvsmtp_tls_t* tls = trust(other, 0);
  uvsmtp_session_t* s =
      session_to(f, peer, tls, UVSMTP_TLS_REQUIRED, "localhost");
  const uvsmtp_tls_info_t* info;
  call_t send = deliver(f, s);
  assert_int_equal(UVSMTP_ETLS, send.status);
  assert_int_equal(UVSMTP_STATE_HANDSHAKE, send.stage);
  assert_int_equal(UVSMTP_OUTCOME_DEFERRED, send.outcome);
  info = uvsmtp_session_tls(s);
  assert_non_null(info);
  assert_false(uvsmtp_tls_info_established(info));
  assert_false(uvsmtp_tls_info_verified(info));
  assert_true(uvsmtp_tls_info_problems(info) & UVSMTP_TLS_SELF_SIGNED);
  assert_true(strlen(uvsmtp_tls_info_problem_text(info)) > 0);
  assert_true(uvsmtp_tls_info_certificate(info).len > 100);
  leave(f, s, tls, peer);
  (void)peer_finish(other, NULL);
}

static void opportunistic_tls_takes_anybody(void** state) {
  fixture_t* f = *state;
  peer_t* other = peer_play(0, "TLS\n");
  peer_t* peer = peer_play(0, GREETED OFFERS ASKED "TLS\n" HELLO MESSAGE "EOF");
  uvsmtp_tls_t* tls = trust(other, 0);
  /* The default, on a port that has no meaning. */
  uvsmtp_session_t* s =
      session_to(f, peer, tls, UVSMTP_TLS_DEFAULT, "mx.example");
  call_t send = deliver(f, s);
  const uvsmtp_tls_info_t* info = uvsmtp_session_tls(s);
  assert_int_equal(0, send.status);
  assert_true(uvsmtp_tls_info_established(info));
  assert_false(uvsmtp_tls_info_verified(info));
  assert_true(uvsmtp_tls_info_problems(info) & UVSMTP_TLS_WRONG_NAME);
  leave(f, s, tls, peer);
  (void)peer_finish(other, NULL);
}

/* The caller's own STARTTLS verifies, whatever the policy. */
static void asked_for_it_is_strict(void** state) {
  fixture_t* f = *state;
  peer_t* peer = peer_play(0, GREETED OFFERS ASKED "TLS\n EOF");
  uvsmtp_tls_t* tls = trust(peer, 0);
  uvsmtp_session_t* s = session_to(f, peer, tls, UVSMTP_TLS_NONE, "mx.example");
  call_t connect = {0};
  call_t secure = {0};
  assert_int_equal(
      0, CALL(&connect, f, uvsmtp_connect(s, NULL, on_call, &connect)));
  assert_int_equal(0, CALL(&secure, f, uvsmtp_starttls(s, on_call, &secure)));
  wait_for(&secure);
  assert_int_equal(UVSMTP_ETLS, secure.status);
  assert_true(uvsmtp_tls_info_problems(uvsmtp_session_tls(s)) &
              UVSMTP_TLS_WRONG_NAME);
  leave(f, s, tls, peer);
}

static void asked_for_it_goes_on(void** state) {
  fixture_t* f = *state;
  peer_t* peer = peer_play(0, GREETED OFFERS ASKED "TLS\n" HELLO "EOF");
  uvsmtp_tls_t* tls = trust(peer, 0);
  uvsmtp_session_t* s = session_to(f, peer, tls, UVSMTP_TLS_NONE, NULL);
  call_t connect = {0};
  call_t secure = {0};
  call_t again = {0};
  call_t hello = {0};
  assert_int_equal(
      0, CALL(&connect, f, uvsmtp_connect(s, NULL, on_call, &connect)));
  assert_int_equal(0, CALL(&secure, f, uvsmtp_starttls(s, on_call, &secure)));
  wait_for(&secure);
  assert_int_equal(0, secure.status);
  assert_int_equal(220, secure.code);
  assert_null(uvsmtp_session_ehlo_reply(s));
  assert_int_equal(UVSMTP_STATE_GREETED, uvsmtp_session_state(s));
  assert_int_equal(0, CALL(&hello, f, uvsmtp_hello(s, on_call, &hello)));
  assert_int_equal(0, CALL(&again, f, uvsmtp_starttls(s, on_call, &again)));
  wait_for(&again);
  assert_int_equal(0, hello.status);
  assert_int_equal(UV_EALREADY, again.status);
  leave(f, s, tls, peer);
}

/* A second connection resumes, the certificate is known all the same. */
static void a_session_is_resumed(void** state) {
  fixture_t* f = *state;
  static const char once[] =
      "TLS\n" GREETED HELLO MESSAGE "C QUIT\n S 221 bye\n EOF\n CLOSE\n NEXT\n";
  char script[2048];
  uvsmtp_tls_stats_t stats = UVSMTP_TLS_STATS_INIT;
  uvsmtp_session_t* s;
  uvsmtp_tls_t* tls;
  peer_t* peer;
  int i;
  snprintf(script, sizeof(script), "%s%s%sEOF", once, once, "TLS\n" GREETED);
  peer = peer_play(0, script);
  tls = trust(peer, 0);
  for (i = 0; i < 2; i++) {
    s = session_to(f, peer, tls, UVSMTP_TLS_IMPLICIT, NULL);
    assert_int_equal(0, deliver(f, s).status);
    assert_int_equal(i, uvsmtp_tls_info_resumed(uvsmtp_session_tls(s)));
    assert_true(uvsmtp_tls_info_verified(uvsmtp_session_tls(s)));
    assert_true(uvsmtp_tls_info_certificate(uvsmtp_session_tls(s)).len > 100);
    assert_int_equal(0, uvsmtp_session_end(s, on_session_closed, f));
    run_until(f, &f->closed, i + 1);
  }
  /* Another name is another server, and nobody's session fits. */
  s = session_to(f, peer, tls, UVSMTP_TLS_IMPLICIT, "localhost");
  {
    call_t connect = {0};
    connect = reach(f, s);
    assert_int_equal(0, connect.status);
    assert_false(uvsmtp_tls_info_resumed(uvsmtp_session_tls(s)));
  }
  close_session(f, s);
  assert_int_equal(0, uvsmtp_tls_stats(tls, &stats));
  assert_int_equal(2, stats.full);
  assert_int_equal(1, stats.resumed);
  assert_int_equal(0, stats.failed);
  uvsmtp_tls_unref(tls);
  assert_peer_done(peer);
}

/* The end without close_notify is a cut; with it, it is an end. */
static void truncation_is_told_from_an_end(void** state) {
  fixture_t* f = *state;
  static const char* const ends[] = {"CLOSE", "NOTIFY\n CLOSE",
                                     "R 250-half\n CLOSE"};
  static const int causes[] = {UVSMTP_ETLS, UV_EOF, UVSMTP_ETLS};
  size_t i;
  for (i = 0; i < 3; i++) {
    char script[512];
    call_t connect = {0};
    call_t noop = {0};
    uvsmtp_session_t* s;
    uvsmtp_tls_t* tls;
    peer_t* peer;
    snprintf(script, sizeof(script), "TLS\n" GREETED "C NOOP\n %s", ends[i]);
    peer = peer_play(0, script);
    tls = trust(peer, 0);
    s = session_to(f, peer, tls, UVSMTP_TLS_IMPLICIT, NULL);
    assert_int_equal(
        0, CALL(&connect, f, uvsmtp_connect(s, NULL, on_call, &connect)));
    assert_int_equal(0, CALL(&noop, f, uvsmtp_noop(s, on_call, &noop)));
    wait_for(&noop);
    assert_int_equal(UVSMTP_EDISCONNECTED, noop.status);
    assert_int_equal(causes[i], noop.cause);
    leave(f, s, tls, peer);
  }
}

/* What is in clear text where a handshake should be. */
static void garbage_is_no_handshake(void** state) {
  fixture_t* f = *state;
  peer_t* peer = peer_play(0, "S 220 this is not TLS\n EOF");
  peer_t* trusted = peer_play(0, "TLS\n");
  uvsmtp_tls_t* tls = trust(trusted, 0);
  uvsmtp_session_t* s = session_to(f, peer, tls, UVSMTP_TLS_IMPLICIT, NULL);
  call_t send = deliver(f, s);
  assert_int_equal(UVSMTP_ETLS, send.status);
  assert_int_equal(UVSMTP_STATE_WRAP, send.stage);
  assert_true(strlen(uvsmtp_tls_info_error_text(uvsmtp_session_tls(s))) > 0);
  leave(f, s, tls, peer);
  (void)peer_finish(trusted, NULL);
}

/* A handshake has its own deadline; and it can be closed at any time. */
static void a_handshake_ends_in_time(void** state) {
  fixture_t* f = *state;
  peer_t* peer = peer_play(0, "STALL\n");
  uvsmtp_tls_t* tls = trust(NULL, UVSMTP_TLS_INSECURE);
  uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
  uvsmtp_session_t* s = session_to(f, peer, tls, UVSMTP_TLS_IMPLICIT, NULL);
  call_t connect = {0};
  timeouts.tls = 50;
  assert_int_equal(0, uvsmtp_session_set_timeouts(s, &timeouts));
  connect = reach(f, s);
  assert_int_equal(UV_ETIMEDOUT, connect.status);
  assert_int_equal(UVSMTP_STATE_WRAP, connect.stage);
  close_session(f, s);
  (void)peer_finish(peer, NULL);

  peer = peer_play(0, "STALL\n");
  s = session_to(f, peer, tls, UVSMTP_TLS_IMPLICIT, NULL);
  assert_int_equal(
      0, CALL(&connect, f, uvsmtp_connect(s, NULL, on_call, &connect)));
  run_to_stall(f, peer, 1);
  close_session(f, s);
  assert_int_equal(UV_ECANCELED, connect.status);
  uvsmtp_tls_unref(tls);
  (void)peer_finish(peer, NULL);
}

static int connect_to(const peer_t* peer) {
  struct sockaddr_in addr;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  assert_int_equal(0, uv_ip4_addr("127.0.0.1", peer_port(peer), &addr));
  assert_int_equal(0, connect(fd, (struct sockaddr*)&addr, sizeof(addr)));
  return fd;
}

/* A connection handed over is secured as any other. */
static void a_given_connection_is_secured(void** state) {
  fixture_t* f = *state;
  peer_t* peer = peer_play(0, "TLS\n" GREETED "EOF");
  uvsmtp_tls_t* tls = trust(peer, 0);
  uvsmtp_session_t* s =
      session_to(f, peer, tls, UVSMTP_TLS_IMPLICIT, "localhost");
  uvsmtp_connection_t connection = UVSMTP_CONNECTION_INIT;
  call_t opened = {0};
  connection.fd = connect_to(peer);
  assert_int_equal(
      0, CALL(&opened, f, uvsmtp_open(s, &connection, on_call, &opened)));
  wait_for(&opened);
  assert_int_equal(0, opened.status);
  assert_int_equal(220, opened.code);
  assert_true(uvsmtp_tls_info_verified(uvsmtp_session_tls(s)));
  leave(f, s, tls, peer);
}

/* What was read before is looked at before the session's first step: who has
 * to prove who it is has to all the same. The octets are an alert that TLS
 * passes over (RFC 5246 7.2.2: a warning, user_canceled). */
static void early_octets_make_nobody_trusted(void** state) {
  fixture_t* f = *state;
  int right;
  for (right = 0; right < 2; right++) {
    peer_t* peer = peer_play(0, "TLS\n" GREETED);
    uvsmtp_tls_t* tls = trust(peer, 0);
    uvsmtp_session_t* s = session_to(f, peer, tls, UVSMTP_TLS_IMPLICIT,
                                     right ? "localhost" : "mx.example");
    uvsmtp_connection_t connection = UVSMTP_CONNECTION_INIT;
    call_t opened = {0};
    connection.fd = connect_to(peer);
    connection.early.base = "\x15\x03\x03\x00\x02\x01\x5a";
    connection.early.len = 7;
    assert_int_equal(
        0, CALL(&opened, f, uvsmtp_open(s, &connection, on_call, &opened)));
    wait_for(&opened);
    /* TLS 1.3 takes no alert in clear text there. */
    if (!right || uvsmtp_tls_library_version() == UVSMTP_TLS_1_2)
      assert_int_equal(right ? 0 : UVSMTP_ETLS, opened.status);
    close_session(f, s);
    uvsmtp_tls_unref(tls);
    (void)peer_finish(peer, NULL);
  }
}

/* A connection handed over to a session that has no target is with nobody in
 * particular, and proves nothing. */
static void a_given_connection_has_no_name(void** state) {
  fixture_t* f = *state;
  peer_t* peer = peer_play(0, GREETED OFFERS ASKED "TLS\n" HELLO "EOF");
  uvsmtp_env_config_t config = UVSMTP_ENV_CONFIG_INIT;
  uvsmtp_session_config_t session = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_connection_t connection = UVSMTP_CONNECTION_INIT;
  uvsmtp_tls_t* tls = trust(peer, 0);
  uvsmtp_env_t* env = NULL;
  uvsmtp_session_t* s = NULL;
  call_t hello = {0};
  config.tls = tls;
  assert_int_equal(0, uvsmtp_env_new(&env, &f->loop, &config));
  session.local_name = "client.example";
  assert_int_equal(0, uvsmtp_session_new(&s, env, &session));
  connection.fd = connect_to(peer);
  assert_int_equal(0, uvsmtp_open(s, &connection, NULL, NULL));
  assert_int_equal(0, CALL(&hello, f, uvsmtp_hello(s, on_call, &hello)));
  wait_for(&hello);
  assert_int_equal(0, hello.status);
  assert_true(uvsmtp_tls_info_established(uvsmtp_session_tls(s)));
  assert_null(uvsmtp_tls_info_name(uvsmtp_session_tls(s)));
  assert_false(uvsmtp_tls_info_verified(uvsmtp_session_tls(s)));
  close_session(f, s);
  assert_int_equal(0, uvsmtp_env_close(env, NULL, NULL));
  uvsmtp_tls_unref(tls);
  assert_peer_done(peer);
}

/* The target's name counts more than the settings', and that more than the
 * host; an address may stand in brackets. */
static void which_name_counts(void** state) {
  fixture_t* f = *state;
  static const struct {
    const char* settings;
    const char* target;
    const char* name;
  } v[] = {{"mx.example", "localhost", "localhost"},
           {"localhost", NULL, "localhost"},
           {NULL, "[127.0.0.1]", "127.0.0.1"},
           {NULL, NULL, "127.0.0.1"}};
  size_t i;
  for (i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
    peer_t* peer = peer_play(0, "TLS\n" GREETED "EOF");
    uvsmtp_tls_config_t config = UVSMTP_TLS_CONFIG_INIT;
    uvsmtp_tls_t* tls = NULL;
    uvsmtp_session_t* s;
    call_t connected = {0};
    config.ca.base = peer_certificate(peer);
    config.ca.len = strlen(peer_certificate(peer));
    config.name = v[i].settings;
    assert_int_equal(0, uvsmtp_tls_new(&tls, &config, NULL));
    s = session_to(f, peer, tls, UVSMTP_TLS_IMPLICIT, v[i].target);
    connected = reach(f, s);
    assert_int_equal(0, connected.status);
    assert_string_equal(v[i].name, uvsmtp_tls_info_name(uvsmtp_session_tls(s)));
    assert_true(uvsmtp_tls_info_verified(uvsmtp_session_tls(s)));
    leave(f, s, tls, peer);
  }
}

/* With so much time between two turns of the loop the end of the handshake and
 * the greeting come in one piece. */
static void a_greeting_with_the_handshake(void** state) {
  fixture_t* f = *state;
  peer_t* peer = peer_play(0, "TLS\n" GREETED "EOF");
  uvsmtp_tls_config_t config = UVSMTP_TLS_CONFIG_INIT;
  uvsmtp_tls_t* tls = NULL;
  uvsmtp_session_t* s;
  call_t connected = {0};
  int turns;
  config.flags = UVSMTP_TLS_INSECURE;
  config.max_version = UVSMTP_TLS_1_2; /* its last word is the server's */
  assert_int_equal(0, uvsmtp_tls_new(&tls, &config, NULL));
  s = session_to(f, peer, tls, UVSMTP_TLS_IMPLICIT, NULL);
  assert_int_equal(
      0, CALL(&connected, f, uvsmtp_connect(s, NULL, on_call, &connected)));
  for (turns = 0; connected.times == 0 && turns < 400; turns++) {
    (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    usleep(25 * 1000);
  }
  assert_int_equal(1, connected.times);
  assert_int_equal(0, connected.status);
  leave(f, s, tls, peer);
}

/* What no certificate could be for: nobody has to prove it, or nobody can. */
static void a_name_that_is_none(void** state) {
  fixture_t* f = *state;
  static const int policies[] = {UVSMTP_TLS_OPPORTUNISTIC, UVSMTP_TLS_REQUIRED};
  int i;
  for (i = 0; i < 2; i++) {
    peer_t* peer = peer_play(
        0, i == 0 ? GREETED OFFERS ASKED "TLS\n" HELLO MESSAGE
                  : GREETED OFFERS ASKED "EOF\n CLOSE\n NEXT\n TLS\n");
    uvsmtp_tls_t* tls = trust(peer, 0);
    uvsmtp_session_t* s = session_to(f, peer, tls, policies[i], "mx..example");
    call_t send = deliver(f, s);
    if (i == 0) {
      assert_int_equal(0, send.status);
      assert_null(uvsmtp_tls_info_name(uvsmtp_session_tls(s)));
      assert_false(uvsmtp_tls_info_verified(uvsmtp_session_tls(s)));
    } else {
      assert_int_equal(UVSMTP_ETLS, send.status);
      assert_int_equal(UV_EINVAL, send.cause);
    }
    close_session(f, s);
    uvsmtp_tls_unref(tls);
    (void)peer_finish(peer, NULL);
  }
}

typedef struct hook_s {
  uvsmtp_session_t* session;
  int verdict;
  int asked;
  int busy; /* what a call from within came to */
  unsigned int problems;
  size_t certificates;
  size_t first; /* octets of the server's own */
  char name[64];
} hook_t;

static int on_verify(void* arg, const uvsmtp_tls_chain_t* chain) {
  hook_t* h = arg;
  const char* name = uvsmtp_tls_chain_name(chain);
  h->asked++;
  h->busy = uvsmtp_noop(h->session, NULL, NULL);
  h->problems = uvsmtp_tls_chain_problems(chain);
  h->certificates = uvsmtp_tls_chain_count(chain);
  h->first = uvsmtp_tls_chain_certificate(chain, 0).len;
  assert_int_equal(0, uvsmtp_tls_chain_certificate(chain, h->certificates).len);
  snprintf(h->name, sizeof(h->name), "%s", name == NULL ? "" : name);
  return h->verdict;
}

/* The hook has the last word, either way, whatever the policy. */
static void a_hook_judges(void** state) {
  fixture_t* f = *state;
  static const struct {
    int policy;
    const char* name; /* right or wrong */
    int verdict;
    int status;
    int cause;
  } cases[] = {
      {UVSMTP_TLS_IMPLICIT, NULL, UVSMTP_TLS_VERDICT_OWN, 0, 0},
      {UVSMTP_TLS_IMPLICIT, "mx.example", UVSMTP_TLS_VERDICT_OWN, UVSMTP_ETLS,
       0},
      {UVSMTP_TLS_IMPLICIT, "mx.example", UVSMTP_TLS_VERDICT_TRUST, 0, 0},
      {UVSMTP_TLS_IMPLICIT, NULL, UV_EPERM, UVSMTP_ETLS, UV_EPERM},
      {UVSMTP_TLS_OPPORTUNISTIC, "mx.example", UVSMTP_TLS_VERDICT_OWN, 0, 0},
      {UVSMTP_TLS_OPPORTUNISTIC, NULL, UV_EPERM, UVSMTP_ETLS, UV_EPERM},
  };
  size_t i;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    int implicit = cases[i].policy == UVSMTP_TLS_IMPLICIT;
    peer_t* peer = peer_play(
        0, implicit ? "TLS\n" GREETED "C EHLO\n S 250 hi\n EOF"
                    : GREETED OFFERS ASKED "TLS\n C EHLO\n S 250 hi\n EOF");
    uvsmtp_tls_config_t config = UVSMTP_TLS_CONFIG_INIT;
    uvsmtp_tls_t* tls = NULL;
    call_t connect = {0};
    call_t hello = {0};
    hook_t hook = {0};
    hook.verdict = cases[i].verdict;
    config.ca.base = peer_certificate(peer);
    config.ca.len = strlen(peer_certificate(peer));
    config.verify = on_verify;
    config.verify_arg = &hook;
    assert_int_equal(0, uvsmtp_tls_new(&tls, &config, NULL));
    hook.session = session_to(f, peer, tls, cases[i].policy, cases[i].name);
    assert_int_equal(
        0, CALL(&connect, f,
                uvsmtp_connect(hook.session, NULL, on_call, &connect)));
    assert_int_equal(
        0, CALL(&hello, f, uvsmtp_hello(hook.session, on_call, &hello)));
    wait_for(&hello);
    assert_int_equal(1, hook.asked);
    assert_int_equal(UV_EBUSY, hook.busy);
    assert_int_equal(1, hook.certificates);
    assert_true(hook.first > 100);
    assert_int_equal(cases[i].name == NULL ? 0 : UVSMTP_TLS_WRONG_NAME,
                     hook.problems);
    assert_string_equal(cases[i].name == NULL ? "127.0.0.1" : cases[i].name,
                        hook.name);
    assert_int_equal(cases[i].status, implicit ? connect.status : hello.status);
    assert_int_equal(cases[i].cause, implicit ? connect.cause : hello.cause);
    close_session(f, hook.session);
    uvsmtp_tls_unref(tls);
    (void)peer_finish(peer, NULL);
  }
}

typedef struct turns_s {
  uv_check_t check;
  int judged; /* certificates, in this turn of the loop */
  int most;   /* in any turn */
  int all;
} turns_t;

static int on_judged(void* arg, const uvsmtp_tls_chain_t* chain) {
  turns_t* t = arg;
  assert_int_equal(1, uvsmtp_tls_chain_count(chain));
  t->all++;
  if (++t->judged > t->most) t->most = t->judged;
  return UVSMTP_TLS_VERDICT_OWN;
}

static void on_turn(uv_check_t* check) { ((turns_t*)check->data)->judged = 0; }

/* More handshakes at once than a turn of the loop has time for, where each step
 * takes two milliseconds: one in a turn. */
static void handshakes_take_turns(void** state) {
  fixture_t* f = *state;
  enum { SESSIONS = 24 };
  uvsmtp_tls_config_t config = UVSMTP_TLS_CONFIG_INIT;
  uvsmtp_tls_t* tls = NULL;
  uvsmtp_session_t* s[SESSIONS];
  peer_t* peer[SESSIONS];
  call_t connect[SESSIONS];
  turns_t turns = {0};
  int i;
  memset(connect, 0, sizeof(connect));
  turns.check.data = &turns;
  assert_int_equal(0, uv_check_init(&f->loop, &turns.check));
  assert_int_equal(0, uv_check_start(&turns.check, on_turn));
  config.flags = UVSMTP_TLS_INSECURE;
  config.verify = on_judged;
  config.verify_arg = &turns;
  assert_int_equal(0, uvsmtp_tls_new(&tls, &config, NULL));
  ticks = 2000000;
  for (i = 0; i < SESSIONS; i++) {
    peer[i] = peer_play(0, "TLS\n" GREETED "EOF");
    s[i] = session_to(f, peer[i], tls, UVSMTP_TLS_IMPLICIT, NULL);
    assert_int_equal(0, CALL(&connect[i], f,
                             uvsmtp_connect(s[i], NULL, on_call, &connect[i])));
  }
  for (i = 0; i < SESSIONS; i++) {
    wait_for(&connect[i]);
    assert_int_equal(0, connect[i].status);
    /* Nobody to trust, and nobody was asked for. */
    assert_false(uvsmtp_tls_info_verified(uvsmtp_session_tls(s[i])));
  }
  ticks = 0;
  assert_int_equal(SESSIONS, turns.all);
  assert_int_equal(1, turns.most);
  uv_close((uv_handle_t*)&turns.check, NULL);
  for (i = 0; i < SESSIONS; i++) {
    close_session(f, s[i]);
    assert_peer_done(peer[i]);
  }
  uvsmtp_tls_unref(tls);
}

/* An allocator that takes longer than a turn has for handshakes. */
static void dawdle(void* arg) {
  (void)arg;
  usleep(11 * 1000);
}

typedef struct mute_s {
  fixture_t* f;
  uvsmtp_session_t* session;
} mute_t;

/* From now on there is no writing, and each step uses up its turn. */
static int on_verify_mute(void* arg, const uvsmtp_tls_chain_t* chain) {
  mute_t* m = arg;
  uv_os_fd_t fd = -1;
  (void)chain;
  assert_int_equal(0, uvsmtp_session_fileno(m->session, &fd));
  assert_int_equal(0, shutdown(fd, SHUT_WR));
  m->f->heap.hook = dawdle;
  return UVSMTP_TLS_VERDICT_OWN;
}

/* A handshake that can't write waits a little for what there is to read, and
 * does not keep the loop from reading it. */
static void a_handshake_that_cannot_write(void** state) {
  fixture_t* f = *state;
  peer_t* peer = peer_play(0, "TLS\n");
  uvsmtp_tls_config_t config = UVSMTP_TLS_CONFIG_INIT;
  uvsmtp_tls_t* tls = NULL;
  call_t connect = {0};
  mute_t mute = {f, NULL};
  config.flags = UVSMTP_TLS_INSECURE;
  /* Where what was said is written when the next dear step begins. */
  config.max_version = UVSMTP_TLS_1_2;
  config.verify = on_verify_mute;
  config.verify_arg = &mute;
  assert_int_equal(0, uvsmtp_tls_new(&tls, &config, NULL));
  mute.session = session_to(f, peer, tls, UVSMTP_TLS_IMPLICIT, NULL);
  connect = reach(f, mute.session);
  f->heap.hook = NULL;
  assert_int_equal(UVSMTP_ETLS, connect.status);
  assert_int_equal(UVSMTP_STATE_WRAP, connect.stage);
  close_session(f, mute.session);
  uvsmtp_tls_unref(tls);
  (void)peer_finish(peer, NULL);
}

typedef struct probe_s {
  uvsmtp_session_t* session;
  int probes;
  int taken; /* calls that were not refused */
} probe_t;

static void on_heap(void* arg) {
  probe_t* p = arg;
  p->probes++;
  p->taken += uvsmtp_session_set_timeouts(p->session, NULL) != UV_EBUSY;
}

/* The allocator of the settings is a hook as well: no call is taken from it,
 * in the handshake, at the end, and when the next connection has other ones. */
static void settings_allocate_undisturbed(void** state) {
  fixture_t* f = *state;
  peer_t* peer =
      peer_play(0, "TLS\n" GREETED HELLO MESSAGE
                   "C QUIT\n S 221 bye\n EOF\n CLOSE\n NEXT\n" GREETED
                   "C NOOP\n S 250 ok\n EOF");
  uvsmtp_tls_config_t config = UVSMTP_TLS_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_tls_t* tls = NULL;
  uvsmtp_session_config_t session = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_session_t* s;
  probe_t probe = {NULL, 0, 0};
  letter_t letter;
  call_t send = {0};
  call_t quit = {0};
  call_t noop = {0};
  session.local_name = "client.example";
  probe.session = s = open_session(f, NULL, &session);
  config.mem = &f->mem;
  config.ca.base = peer_certificate(peer);
  config.ca.len = strlen(peer_certificate(peer));
  assert_int_equal(0, uvsmtp_tls_new(&tls, &config, NULL));
  target.host = peer_host(peer);
  target.port = peer_port(peer);
  target.tls = UVSMTP_TLS_IMPLICIT;
  target.tls_settings = tls;
  letter_init(&letter, "a@example.org", "b@example.net", "hi\r\n", 4);
  assert_int_equal(0, uvsmtp_connect(s, &target, NULL, NULL));
  uvsmtp_tls_unref(tls);
  assert_int_equal(
      0, CALL(&send, f, uvsmtp_send(s, &letter.message, on_call, &send)));
  assert_int_equal(0, CALL(&quit, f, uvsmtp_quit(s, on_call, &quit)));
  f->heap.hook = on_heap;
  f->heap.hook_arg = &probe;
  wait_for(&quit);
  run_for(f, 1);
  target.tls = UVSMTP_TLS_NONE;
  target.tls_settings = NULL;
  assert_int_equal(0, uvsmtp_connect(s, &target, NULL, NULL));
  f->heap.hook = NULL;
  assert_int_equal(0, CALL(&noop, f, uvsmtp_noop(s, on_call, &noop)));
  f->heap.hook = on_heap;
  wait_for(&noop);
  f->heap.hook = NULL;
  assert_int_equal(0, send.status);
  assert_int_equal(0, noop.status);
  assert_true(probe.probes > 10);
  assert_int_equal(0, probe.taken);
  close_session(f, s);
  assert_peer_done(peer);
}

/* Every allocation of the session fails once: never a hang, a leak, or an
 * acceptance without a message. */
static void out_of_memory_at_any_time(void** state) {
  long n;
  int through = 0;
  for (n = 1; !through; n++) {
    fixture_t fixture; /* nothing is on its free lists */
    fixture_t* f = &fixture;
    peer_t* peer = peer_play(
        0, GREETED OFFERS ASKED "TLS\n" HELLO MESSAGE "C QUIT\n S 221 bye\n");
    uvsmtp_tls_t* tls = trust(peer, 0);
    uvsmtp_session_t* s;
    call_t connect = {0};
    call_t send = {0};
    letter_t letter;
    int err;
    fixture_start(f);
    s = session_to(f, peer, tls, UVSMTP_TLS_REQUIRED, "localhost");
    letter_init(&letter, "a@example.org", "b@example.net", "hi\r\n", 4);
    f->heap.fail_at = f->heap.calls + n;
    err = CALL(&connect, f, uvsmtp_connect(s, NULL, on_call, &connect));
    if (err == 0) {
      err = CALL(&send, f, uvsmtp_send(s, &letter.message, on_call, &send));
    }
    if (err == 0) {
      wait_for(&send);
      assert_int_equal(send.status == 0,
                       send.outcome == UVSMTP_OUTCOME_ACCEPTED);
    } else {
      assert_int_equal(UV_ENOMEM, err);
    }
    through = f->heap.calls < f->heap.fail_at;
    f->heap.fail_at = 0;
    if (through) assert_int_equal(0, send.status);
    close_session(f, s);
    uvsmtp_tls_unref(tls);
    (void)peer_finish(peer, NULL);
    fixture_finish(f);
  }
  assert_true(n > 10);
  (void)state;
}

#define TLS_TEST(name) \
  cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)

int main(void) {
  const struct CMUnitTest tests[] = {
      TLS_TEST(a_message_by_starttls),
      TLS_TEST(a_message_by_implicit_tls),
      TLS_TEST(traces_tell_of_it),
      TLS_TEST(nobody_trusts_a_stranger),
      TLS_TEST(opportunistic_tls_takes_anybody),
      TLS_TEST(asked_for_it_is_strict),
      TLS_TEST(asked_for_it_goes_on),
      TLS_TEST(a_session_is_resumed),
      TLS_TEST(truncation_is_told_from_an_end),
      TLS_TEST(garbage_is_no_handshake),
      TLS_TEST(a_handshake_ends_in_time),
      TLS_TEST(a_given_connection_is_secured),
      TLS_TEST(early_octets_make_nobody_trusted),
      TLS_TEST(a_given_connection_has_no_name),
      TLS_TEST(which_name_counts),
      TLS_TEST(a_greeting_with_the_handshake),
      TLS_TEST(a_name_that_is_none),
      TLS_TEST(a_hook_judges),
      TLS_TEST(handshakes_take_turns),
      TLS_TEST(a_handshake_that_cannot_write),
      TLS_TEST(settings_allocate_undisturbed),
      TEST(out_of_memory_at_any_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
