/* SPDX-License-Identifier: MIT */
/* test_auth_token.c: tokens that are asked for: at once, later, too late, anew
 * after a refusal, and not at all. */
#include "login.h"

#define ONE "L AUTH XOAUTH2 dXNlcj1qb2UBYXV0aD1CZWFyZXIgdG9rLTEBAQ==\n"
#define TWO "L AUTH XOAUTH2 dXNlcj1qb2UBYXV0aD1CZWFyZXIgdG9rLTIBAQ==\n"
/* {"status":"401"}, to which the answer is empty. */
#define JSON "S 334 eyJzdGF0dXMiOiI0MDEifQ==\n L \n"
#define START GREETED OFFERS("XOAUTH2")

enum { QUERIES = 8 };

/* Where tokens come from. */
typedef struct shop_s {
  int at_once;       /* the answer comes before the hook returns */
  int returns;       /* what the hook does, if not 0 */
  int status;        /* of the answer */
  const char* token; /* NULL: tok-1, then tok-2 ... */
  void (*hook)(struct shop_s* shop);
  uvsmtp_session_t* session; /* for hook */
  uvsmtp_credentials_t* who;
  fixture_t* f;
  int done; /* what token_done returned last */
  /* what happened */
  int asked;
  int refreshes;
  int answered;
  uvsmtp_token_query_t* queries[QUERIES];
} shop_t;

static void answer(shop_t* shop, int i) {
  char text[16];
  const char* token = shop->token;
  uvsmtp_token_query_t* query = shop->queries[i];
  assert_non_null(query);
  shop->queries[i] = NULL;
  shop->answered++;
  snprintf(text, sizeof(text), "tok-%d", i + 1);
  if (token == NULL) token = text;
  shop->done = uvsmtp_token_done(query, shop->status, token, strlen(token));
  memset(text, 'x', sizeof(text)); /* it was copied */
}

static void answer_next(void* arg) {
  shop_t* shop = arg;
  answer(shop, shop->answered);
}

static int on_token(void* arg, uvsmtp_token_query_t* query) {
  shop_t* shop = arg;
  int i = shop->asked++;
  assert_true(i < QUERIES);
  shop->refreshes += uvsmtp_token_query_refresh(query);
  if (shop->hook != NULL) shop->hook(shop);
  if (shop->returns != 0) return shop->returns;
  shop->queries[i] = query;
  if (shop->at_once) answer(shop, i);
  return 0;
}

static uvsmtp_credentials_t* customer(fixture_t* f, shop_t* shop,
                                      const char* mechs) {
  uvsmtp_credentials_config_t config = UVSMTP_CREDENTIALS_CONFIG_INIT;
  config.user = "joe";
  config.token_cb = on_token;
  config.token_arg = shop;
  config.mechs = mechs;
  config.flags = UVSMTP_AUTH_ALLOW_PLAINTEXT;
  return someone(f, &config);
}

/* A peer with this script, a session that is connected to it. */
typedef struct scene_s {
  fixture_t* f;
  peer_t* peer;
  uvsmtp_session_t* session;
  uvsmtp_credentials_t* who;
  shop_t shop;
  call_t login;
} scene_t;

static void set_up(scene_t* c, fixture_t* f, const char* script) {
  memset(c, 0, sizeof(*c));
  c->f = f;
  c->shop.f = f;
  c->peer = peer_play(0, script);
  c->session = session_for(f, c->peer, UVSMTP_TLS_NONE, NULL, NULL);
  c->who = customer(f, &c->shop, NULL);
  c->shop.session = c->session;
  c->shop.who = c->who;
  connect_to(f, c->session);
}

static void begin(scene_t* c) {
  assert_int_equal(0,
                   CALL(&c->login, c->f,
                        uvsmtp_login(c->session, c->who, on_call, &c->login)));
}

/* Until the hook has been asked n times. */
static void run_to_query(scene_t* c, int n) {
  run_until(c->f, &c->shop.asked, n);
}

static void leave(scene_t* c) {
  uvsmtp_credentials_unref(c->who);
  close_session(c->f, c->session);
  assert_peer_done(c->peer);
}

static void a_token_at_once(void** state) {
  scene_t c;
  set_up(&c, *state, START ONE WELCOME QUIT);
  c.shop.at_once = 1;
  begin(&c);
  /* Never from within the call. */
  assert_int_equal(0, c.shop.asked);
  wait_for(&c.login);
  assert_int_equal(0, c.login.status);
  assert_int_equal(0, c.shop.done);
  assert_int_equal(1, c.shop.asked);
  assert_int_equal(0, c.shop.refreshes);
  assert_string_equal("XOAUTH2", uvsmtp_session_auth(c.session));
  quit(c.f, c.session);
  leave(&c);
}

/* By one mechanism, whose credentials have no token yet. */
static void a_token_by_auth(void** state) {
  scene_t c;
  set_up(&c, *state, START ONE WELCOME QUIT);
  c.shop.at_once = 1;
  assert_int_equal(0, CALL(&c.login, c.f,
                           uvsmtp_auth(c.session, uvsmtp_mech("XOAUTH2"), c.who,
                                       0, on_call, &c.login)));
  wait_for(&c.login);
  assert_int_equal(0, c.login.status);
  quit(c.f, c.session);
  leave(&c);
}

/* Meanwhile the loop is free, and another session is served. */
static void a_token_later(void** state) {
  fixture_t* f = *state;
  scene_t c;
  peer_t* answering = peer_answer(0);
  uvsmtp_session_t* other = open_session(f, answering, NULL);
  set_up(&c, f, START ONE WELCOME QUIT);
  connect_to(f, other);
  begin(&c);
  run_to_query(&c, 1);
  assert_int_equal(0, deliver(f, other).status);
  assert_int_equal(0, c.login.times);
  later(f, 5, answer_next, &c.shop);
  wait_for(&c.login);
  assert_int_equal(0, c.login.status);
  assert_int_equal(1, c.shop.answered);
  quit(f, c.session);
  leave(&c);
  close_session(f, other);
  (void)peer_finish(answering, NULL);
}

/* Each login asks for itself; the answers come in any order. */
static void many_wait(void** state) {
  fixture_t* f = *state;
  enum { SESSIONS = 5 };
  static const char* const lines[] = {
      "L AUTH XOAUTH2 dXNlcj1qb2UBYXV0aD1CZWFyZXIgdG9rLTEBAQ==\n",
      "L AUTH XOAUTH2 dXNlcj1qb2UBYXV0aD1CZWFyZXIgdG9rLTIBAQ==\n",
      "L AUTH XOAUTH2 dXNlcj1qb2UBYXV0aD1CZWFyZXIgdG9rLTMBAQ==\n",
      "L AUTH XOAUTH2 dXNlcj1qb2UBYXV0aD1CZWFyZXIgdG9rLTQBAQ==\n",
      "L AUTH XOAUTH2 dXNlcj1qb2UBYXV0aD1CZWFyZXIgdG9rLTUBAQ==\n"};
  shop_t shop = {0};
  uvsmtp_credentials_t* who = customer(f, &shop, NULL);
  uvsmtp_session_t* s[SESSIONS];
  peer_t* peer[SESSIONS];
  call_t login[SESSIONS];
  int i;
  memset(login, 0, sizeof(login));
  for (i = 0; i < SESSIONS; i++) {
    char script[512];
    snprintf(script, sizeof(script), "%s%s%s", START, lines[i], WELCOME QUIT);
    peer[i] = peer_play(0, script);
    s[i] = session_for(f, peer[i], UVSMTP_TLS_NONE, NULL, who);
    connect_to(f, s[i]);
    assert_int_equal(
        0, CALL(&login[i], f, uvsmtp_hello(s[i], on_call, &login[i])));
    run_until(f, &shop.asked, i + 1);
  }
  uvsmtp_credentials_unref(who);
  for (i = SESSIONS - 1; i >= 0; i--) {
    answer(&shop, i);
    assert_int_equal(0, login[i].times);
    wait_for(&login[i]);
    assert_int_equal(0, login[i].status);
  }
  for (i = 0; i < SESSIONS; i++) {
    quit(f, s[i]);
    close_session(f, s[i]);
    assert_peer_done(peer[i]);
  }
}

/* The phase has its deadline while a token is waited for; the answer that
 * comes after goes nowhere. */
static void a_token_too_late(void** state) {
  int gone;
  for (gone = 0; gone < 3; gone++) {
    scene_t c;
    uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
    set_up(&c, *state, START "EOF\n");
    timeouts.auth = 30;
    assert_int_equal(0, uvsmtp_session_set_timeouts(c.session, &timeouts));
    begin(&c);
    wait_for(&c.login);
    assert_int_equal(UV_ETIMEDOUT, c.login.status);
    assert_int_equal(UVSMTP_STATE_AUTH_THINK, c.login.stage);
    assert_int_equal(1, c.shop.asked);
    assert_null(uvsmtp_session_auth(c.session));
    if (gone == 0) answer(&c.shop, 0);
    close_session(c.f, c.session);
    if (gone == 1) answer(&c.shop, 0);
    uvsmtp_credentials_unref(c.who);
    if (gone == 2) answer(&c.shop, 0);
    assert_int_equal(0, c.shop.done);
    run_for(c.f, 1);
    assert_int_equal(1, c.login.times);
    assert_peer_done(c.peer);
  }
}

/* Closed while it waits: the query outlives all. */
static void closed_while_waiting(void** state) {
  int gone;
  for (gone = 0; gone < 4; gone++) {
    scene_t c;
    set_up(&c, *state, START "EOF\n");
    begin(&c);
    run_to_query(&c, 1);
    if (gone == 3) c.shop.status = UV_ECONNREFUSED;
    c.f->calling++;
    assert_int_equal(0,
                     uvsmtp_session_close(c.session, on_session_closed, c.f));
    c.f->calling--;
    assert_int_equal(0, c.login.times);
    if (gone == 0) answer(&c.shop, 0);
    assert_int_equal(0, c.login.times);
    run_until(c.f, &c.f->closed, gone + 1);
    assert_int_equal(1, c.login.times);
    assert_int_equal(UV_ECANCELED, c.login.status);
    if (gone == 1) answer(&c.shop, 0);
    uvsmtp_credentials_unref(c.who);
    if (gone >= 2) answer(&c.shop, 0);
    run_for(c.f, 1);
    assert_int_equal(1, c.login.times);
    assert_peer_done(c.peer);
  }
}

/* The server goes while it waits. */
static void lost_while_waiting(void** state) {
  scene_t c;
  set_up(&c, *state, START "STALL\n CLOSE\n");
  begin(&c);
  run_to_query(&c, 1);
  peer_go(c.peer);
  wait_for(&c.login);
  assert_int_equal(UVSMTP_EDISCONNECTED, c.login.status);
  answer(&c.shop, 0);
  assert_int_equal(0, c.shop.done);
  leave(&c);
}

/* No token is to be had, or one that nobody could send: nothing is said to the
 * server, and that is the cause. */
static void no_token(void** state) {
  static const struct {
    int returns;
    int status;
    const char* token;
    int done;
    int cause;
  } cases[] = {
      {UV_ECONNREFUSED, 0, NULL, 0, UV_ECONNREFUSED},
      {0, UV_ETIMEDOUT, NULL, 0, UV_ETIMEDOUT},
      {0, 0, "to ken", UV_EINVAL, UV_EINVAL},
      {0, 0, "tok\001en", UV_EINVAL, UV_EINVAL},
      {0, 0, "tok\177", UV_EINVAL, UV_EINVAL},
      {0, 0, "tok\303\251", UV_EINVAL, UV_EINVAL},
      {0, 0, "", UV_EINVAL, UV_EINVAL},
  };
  size_t i;
  for (i = 0; i < 14; i++) {
    size_t n = i / 2;
    scene_t c;
    set_up(&c, *state, START "L NOOP\n S 250 ok\n" QUIT);
    c.shop.returns = cases[n].returns;
    c.shop.status = cases[n].status;
    c.shop.token = cases[n].token;
    c.shop.at_once = i % 2 == 0;
    begin(&c);
    run_to_query(&c, 1);
    if (!c.shop.at_once && cases[n].returns == 0) answer(&c.shop, 0);
    wait_for(&c.login);
    assert_int_equal(cases[n].done, c.shop.done);
    assert_int_equal(UVSMTP_EAUTH, c.login.status);
    assert_int_equal(cases[n].cause, c.login.cause);
    assert_int_equal(0, c.login.code);
    assert_int_equal(1, c.shop.asked);
    assert_int_equal(UVSMTP_EAUTH, deliver(c.f, c.session).status);
    {
      call_t noop = {0};
      assert_int_equal(
          0, CALL(&noop, c.f, uvsmtp_noop(c.session, on_call, &noop)));
      wait_for(&noop);
      assert_int_equal(0, noop.status);
    }
    quit(c.f, c.session);
    leave(&c);
  }
}

/* The rules of a source's functions hold. */
static void probe(shop_t* shop) {
  uvsmtp_session_t* s = shop->session;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_session_t* another = NULL;
  assert_int_equal(UV_EBUSY, uvsmtp_noop(s, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_login(s, shop->who, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_auth(s, uvsmtp_mech("XOAUTH2"), shop->who,
                                         0, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_connect(s, &target, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_session_set_timeouts(s, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_session_set_trace(s, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_session_end(s, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_session_close(s, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_session_new(&another, shop->f->env, NULL));
  assert_null(uvsmtp_session_auth(s));
}

static void calls_from_the_hook(void** state) {
  int at_once;
  for (at_once = 0; at_once < 2; at_once++) {
    scene_t c;
    set_up(&c, *state, START ONE WELCOME QUIT);
    c.shop.at_once = at_once;
    c.shop.hook = probe;
    begin(&c);
    run_to_query(&c, 1);
    if (!at_once) answer(&c.shop, 0);
    wait_for(&c.login);
    assert_int_equal(0, c.login.status);
    quit(c.f, c.session);
    leave(&c);
  }
}

/* One that the server has refused is asked for anew, once. */
static void refreshed(void** state) {
  static const struct {
    const char* script;
    int status;
    int asked;
    const char* detail;
  } cases[] = {
      {START ONE JSON WRONG TWO WELCOME QUIT, 0, 2, ""},
      {START ONE WRONG TWO WELCOME QUIT, 0, 2, ""},
      {START ONE JSON WRONG TWO JSON WRONG QUIT, UVSMTP_EAUTH, 2,
       "{\"status\":\"401\"}"},
      {START ONE WRONG TWO WRONG QUIT, UVSMTP_EAUTH, 2, ""},
      /* 454 says nothing of the token. */
      {START ONE "S 454 later\n" QUIT, UVSMTP_EAUTH, 1, ""},
  };
  size_t i;
  for (i = 0; i < 10; i++) {
    const int at_once = i % 2 == 0;
    scene_t c;
    set_up(&c, *state, cases[i / 2].script);
    c.shop.at_once = at_once;
    begin(&c);
    if (!at_once) {
      int n;
      for (n = 0; n < cases[i / 2].asked; n++) {
        run_to_query(&c, n + 1);
        assert_int_equal(n, c.shop.refreshes);
        answer(&c.shop, n);
      }
    }
    wait_for(&c.login);
    assert_int_equal(cases[i / 2].status, c.login.status);
    assert_int_equal(cases[i / 2].asked, c.shop.asked);
    assert_int_equal(cases[i / 2].asked - 1, c.shop.refreshes);
    assert_string_equal(cases[i / 2].detail, c.login.detail);
    quit(c.f, c.session);
    leave(&c);
  }
}

/* A token that the credentials hold is what it is. */
static void a_token_that_stays(void** state) {
  fixture_t* f = *state;
  uvsmtp_credentials_config_t config = UVSMTP_CREDENTIALS_CONFIG_INIT;
  peer_t* peer = peer_play(0, START ONE JSON WRONG QUIT);
  uvsmtp_session_t* s = clear_session(f, peer);
  uvsmtp_credentials_t* who;
  call_t login;
  config.user = "joe";
  config.token = "tok-1";
  config.flags = UVSMTP_AUTH_ALLOW_PLAINTEXT;
  who = someone(f, &config);
  login = log_in(f, s, who);
  assert_int_equal(UVSMTP_EAUTH, login.status);
  assert_int_equal(535, login.code);
  assert_string_equal("{\"status\":\"401\"}", login.detail);
  quit(f, s);
  uvsmtp_credentials_unref(who);
  close_session(f, s);
  assert_peer_done(peer);
}

/* OAUTHBEARER comes first, and answers an error its own way (RFC 7628 3.2.3).
 */
static void oauthbearer(void** state) {
  fixture_t* f = *state;
  shop_t shop = {0};
  uvsmtp_credentials_t* who = customer(f, &shop, "XOAUTH2 OAUTHBEARER");
  peer_t* peer = peer_play(
      0, "TLS\n" GREETED OFFERS("XOAUTH2 OAUTHBEARER")
         "C AUTH OAUTHBEARER \n S 334 eyJzdGF0dXMiOiI0MDEifQ==\n L AQ==\n" WRONG
         "C AUTH OAUTHBEARER \n" WELCOME SENT QUIT);
  uvsmtp_tls_t* tls = trust(peer, 0);
  uvsmtp_session_t* s = session_for(f, peer, UVSMTP_TLS_IMPLICIT, tls, who);
  uvsmtp_tls_unref(tls);
  uvsmtp_credentials_unref(who);
  shop.at_once = 1;
  connect_to(f, s);
  assert_int_equal(0, deliver(f, s).status);
  assert_int_equal(2, shop.asked);
  assert_int_equal(1, shop.refreshes);
  assert_string_equal("OAUTHBEARER", uvsmtp_session_auth(s));
  quit(f, s);
  close_session(f, s);
  assert_peer_done(peer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      LOGIN_TEST(a_token_at_once),     LOGIN_TEST(a_token_by_auth),
      LOGIN_TEST(a_token_later),       LOGIN_TEST(many_wait),
      LOGIN_TEST(a_token_too_late),    LOGIN_TEST(closed_while_waiting),
      LOGIN_TEST(lost_while_waiting),  LOGIN_TEST(no_token),
      LOGIN_TEST(calls_from_the_hook), LOGIN_TEST(refreshed),
      LOGIN_TEST(a_token_that_stays),  LOGIN_TEST(oauthbearer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
