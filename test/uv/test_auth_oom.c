/* SPDX-License-Identifier: MIT */
/* test_auth_oom.c: every allocation of a login fails once, then that one and
 * all after it: calls complete once, nothing leaks, nobody is called logged in
 * who is not, and no message goes out under no name. */
#include "login.h"

typedef struct how_s {
  const char* mechs;
  const char* dialogue; /* up to the 235 */
  char with;            /* p: a password, t: a token, c: one that is asked for,
                           l: and comes later, o: a mechanism of our own */
} how_t;

static const how_t ways[] = {
    {"PLAIN", "C AUTH PLAIN \n" WELCOME, 'p'},
    {"LOGIN", "C AUTH LOGIN am9l\n S 334 UGFzc3dvcmQ6\n L c2VzYW1l\n" WELCOME,
     'p'},
    {"CRAM-MD5",
     "L AUTH CRAM-MD5\n S 334 PDEuMkBwZWVyPg==\n"
     "L am9lIDE2NDZjYzlhYWI4NjE3MmU4ZWM4YzJjMjUzOWIxZWU2\n" WELCOME,
     'p'},
    {"XOAUTH2", "C AUTH XOAUTH2 \n" WELCOME, 'c'},
    {"OAUTHBEARER", "C AUTH OAUTHBEARER \n" WELCOME, 'l'},
    {"SCRAM-SHA-256", "SCRAM SHA-256 4096 sesame\n", 'p'},
    {"SCRAM-SHA-1", "SCRAM SHA-1 4096 sesame\n", 'p'},
    {"X-OWN", "C AUTH X-OWN \n S 334 cG9uZw==\n L cGluZw==\n" WELCOME, 'o'},
    /* The second after the first has been refused, and the token anew. */
    {"OAUTHBEARER XOAUTH2",
     "C AUTH OAUTHBEARER\n S 334 e30=\n L AQ==\n" WRONG
     "C AUTH OAUTHBEARER\n S 535 no\n C AUTH XOAUTH2 \n" WELCOME,
     'c'},
    {NULL, "SCRAM SHA-256 4096 other\n C AUTH PLAIN \n" WELCOME, 'p'},
};
enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

typedef struct scene_s {
  fixture_t fixture;
  peer_t* peer;
  uvsmtp_session_t* session;
  uvsmtp_credentials_t* who;
  uvsmtp_token_query_t* query;
  const how_t* how;
  own_t own;
  call_t connect;
  call_t login;
  call_t send;
  letter_t letter;
} scene_t;

static void answer(void* arg) {
  scene_t* c = arg;
  (void)uvsmtp_token_done(c->query, 0, "tok-1", 5);
}

static int on_token(void* arg, uvsmtp_token_query_t* query) {
  scene_t* c = arg;
  if (c->how->with == 'l') {
    c->query = query;
    later(&c->fixture, 1, answer, c);
  } else {
    (void)uvsmtp_token_done(query, 0, "tok-1", 5);
  }
  return 0;
}

/* NULL: no memory. */
static uvsmtp_credentials_t* keeper(scene_t* c) {
  uvsmtp_credentials_config_t config = UVSMTP_CREDENTIALS_CONFIG_INIT;
  const uvsmtp_mech_t* own = &c->own.mech;
  uvsmtp_credentials_t* who = NULL;
  int err;
  own_init(&c->own, UVSMTP_MECH_CLIENT_FIRST);
  config.mem = &c->fixture.mem;
  config.user = "joe";
  if (c->how->with == 'p') config.password = "sesame";
  if (c->how->with == 'c' || c->how->with == 'l') {
    config.token_cb = on_token;
    config.token_arg = c;
  }
  if (c->how->with == 'o') {
    config.own = &own;
    config.nown = 1;
  } else {
    config.mechs = c->how->mechs;
  }
  config.flags = UVSMTP_AUTH_ALLOW_PLAINTEXT;
  err = uvsmtp_credentials_new(&who, &config, NULL);
  assert_true(err == 0 || err == UV_ENOMEM);
  assert_int_equal(err == 0, who != NULL);
  return who;
}

static int make_session(scene_t* c, uvsmtp_tls_t* tls, int held) {
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  target.host = peer_host(c->peer);
  target.port = peer_port(c->peer);
  target.tls = tls != NULL ? UVSMTP_TLS_IMPLICIT : UVSMTP_TLS_NONE;
  target.tls_settings = tls;
  if (held) target.credentials = c->who;
  config.target = &target;
  config.local_name = "client.example";
  return uvsmtp_session_new(&c->session, c->fixture.env, &config);
}

/* Calls everything at once. 0 or UV_ENOMEM. */
static int call_all(scene_t* c, int held) {
  fixture_t* f = &c->fixture;
  int err = CALL(&c->connect, f,
                 uvsmtp_connect(c->session, NULL, on_call, &c->connect));
  if (err == 0) {
    err = CALL(&c->login, f,
               held ? uvsmtp_hello(c->session, on_call, &c->login)
                    : uvsmtp_login(c->session, c->who, on_call, &c->login));
    /* A caller that got no login sends nothing. */
    if (err == 0) {
      err =
          CALL(&c->send, f,
               uvsmtp_send(c->session, &c->letter.message, on_call, &c->send));
    }
    if (err == 0) {
      wait_for(&c->send);
      assert_int_equal(1, c->letter.released);
      assert_int_equal(1, c->connect.times);
      assert_int_equal(1, c->login.times);
    }
  }
  return err;
}

static void check(const scene_t* c) {
  assert_int_equal(c->send.status == 0,
                   c->send.outcome == UVSMTP_OUTCOME_ACCEPTED);
  if (c->login.status == 0) return;
  assert_true(c->send.status != 0);
  assert_int_not_equal(UVSMTP_OUTCOME_UNKNOWN, c->send.outcome);
  assert_null(uvsmtp_session_auth(c->session));
}

/* One whole life in which allocation n fails. 0 when there is no such. */
static int live(const how_t* how, long n, int all, int secured, int held) {
  char script[1024];
  scene_t c;
  fixture_t* f = &c.fixture;
  uvsmtp_tls_t* tls;
  int over;
  int err = UV_ENOMEM;
  memset(&c, 0, sizeof(c));
  c.how = how;
  snprintf(script, sizeof(script), "%s%s%s\n%s%s", secured ? "TLS\n" : "",
           GREETED "C EHLO client.example\n S 250-peer\n S 250 AUTH ",
           how->mechs == NULL ? "SCRAM-SHA-256 PLAIN" : how->mechs,
           how->dialogue, SENT);
  c.peer = peer_play(0, script);
  tls = secured ? trust(c.peer, 0) : NULL;
  fixture_start(f); /* nothing is on its free lists */
  letter_init(&c.letter, "a@example.org", "b@example.net", "hi\r\n", 4);
  f->heap.fail_at = f->heap.calls + n;
  f->heap.fail_all = all;
  c.who = keeper(&c);
  if (c.who != NULL) err = make_session(&c, tls, held);
  if (err == 0) err = call_all(&c, held);
  assert_true(err == 0 || err == UV_ENOMEM);
  if (err == 0) check(&c);
  uvsmtp_credentials_unref(c.who);
  if (c.session != NULL) close_session(f, c.session);
  over = f->heap.calls < f->heap.fail_at;
  f->heap.fail_at = 0;
  if (over) assert_int_equal(0, c.send.status);
  uvsmtp_tls_unref(tls);
  fixture_finish(f);
  assert_int_equal(c.own.begun, c.own.finished);
  (void)peer_finish(c.peer, NULL);
  return !over;
}

static void each_fails(const how_t* how, int all, int secured, int held) {
  long n;
  for (n = 1; live(how, n, all, secured, held); n++) continue;
  assert_true(n > 15);
}

static void in_clear_text(void** state) {
  size_t i;
  (void)state;
  for (i = 0; i < 2 * WAYS; i++) each_fails(&ways[i / 2], i % 2, 0, 0);
}

/* Not all of them: where there is no memory to encrypt, a second passes in
 * which the server may say something yet. */
static void within_tls(void** state) {
  (void)state;
  each_fails(&ways[0], 0, 1, 0);
  each_fails(&ways[3], 0, 1, 0);
  each_fails(&ways[5], 0, 1, 0);
}

static void of_the_target(void** state) {
  size_t i;
  (void)state;
  for (i = 0; i < 2 * WAYS; i++) each_fails(&ways[i / 2], i % 2, 0, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(in_clear_text),
      TEST(within_tls),
      TEST(of_the_target),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
