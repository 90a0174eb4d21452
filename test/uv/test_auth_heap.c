/* SPDX-License-Identifier: MIT */
/* test_auth_heap.c: where a secret is left. After each kind of login, and each
 * kind of end of one, all memory of this process that can be written to is
 * searched for it: while the credentials live there is the one copy that is
 * theirs, and after them there is none. Nor is it in a trace, or in the words
 * of an error. The server is another process. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "apart.h"
#include "clock.h"
#include "login.h"

/* -------------------------------------------------------- a slow connection */

/* Octets that leave with each call, 0: none, and it is full; -1: any. */
static int narrow = -1;

/* Instead of the C library's. */
ssize_t sendmsg(int fd, const struct msghdr* message, int flags) {
  struct iovec first;
  struct msghdr some = *message;
  if (narrow == 0) {
    errno = EAGAIN;
    return -1;
  }
  if (narrow > 0) {
    first = message->msg_iov[0];
    if (first.iov_len > (size_t)narrow) first.iov_len = (size_t)narrow;
    some.msg_iov = &first;
    some.msg_iovlen = 1;
  }
  return syscall(SYS_sendmsg, fd, &some, flags);
}

/* ---------------------------------------------------------------- searching */

/* In all its forms. */
static size_t traces_left(void) {
  size_t found = 0;
  int form;
  for (form = 0; form < NEEDLE_FORMS; form++) {
    needle_t needle;
    needle_form(&needle, form);
    found += needle_in_memory(&needle);
  }
  return found;
}

static size_t copies(void) {
  needle_t needle;
  needle_form(&needle, NEEDLE_RAW);
  return needle_copies(&needle);
}

/* No form but the one in which the credentials have it, once. */
static void assert_one(void) {
  needle_t needle;
  int form;
  for (form = 0; form < NEEDLE_FORMS; form++) {
    needle_form(&needle, form);
    if (form != NEEDLE_RAW && needle_in_memory(&needle) != 0) {
      fail_msg("%s is there", needle.name);
    }
  }
  if (!NEEDLE_SANITIZED) assert_int_equal(1, copies());
}

static void assert_none(const apart_t* apart) {
  needle_t needle;
  int form;
  for (form = 0; form < NEEDLE_FORMS; form++) {
    needle_form(&needle, form);
    if (needle_in_memory(&needle) != 0) fail_msg("%s is there", needle.name);
  }
  if (apart->salted.len == 0) return;
  assert_int_equal(0, needle_in_memory(&apart->salted));
  assert_int_equal(0, needle_in_memory(&apart->key));
}

/* The searcher does find what is there: whole, encoded, or what is left of
 * it when malloc has written over the beginning. */
static void the_search_can_fail(void** state) {
  char* found;
  char here[SECRET_LEN + 1];
  needle_t needle;
  size_t i;
  (void)state;
  if (NEEDLE_SANITIZED) skip();
  found = malloc(2 * SECRET_LEN + 1);
  assert_non_null(found);
  assert_int_equal(0, traces_left());
  secret_put(found);
  assert_int_equal(1, copies());
  needle_form(&needle, NEEDLE_RAW);
  assert_int_equal(SECRET_LEN / 12, needle_in_memory(&needle));
  secret_wipe(found, 40);
  assert_true(needle_in_memory(&needle) > 0);
  secret_wipe(found, SECRET_LEN);
  assert_int_equal(0, traces_left());
  secret_put(here);
  assert_int_equal(1, copies());
  for (i = 0; i < SECRET_LEN; i++) {
    snprintf(found + 2 * i, 3, "%02x", (unsigned)here[i]);
  }
  secret_wipe(here, sizeof(here));
  needle_form(&needle, NEEDLE_HEX);
  assert_int_equal(2 * SECRET_LEN / 12, needle_in_memory(&needle));
  secret_wipe(found, 2 * SECRET_LEN);
  assert_int_equal(0, traces_left());
  free(found);
}

/* ----------------------------------------------------------------- scenes */

static int on_token(void* arg, uvsmtp_token_query_t* query) {
  char secret[SECRET_LEN + 1];
  int err;
  (void)arg;
  secret_put(secret);
  err = uvsmtp_token_done(query, 0, secret, SECRET_LEN);
  secret_wipe(secret, sizeof(secret));
  assert_true(err == 0 || err == UV_ENOMEM);
  return 0;
}

/* What a login is made with. */
typedef struct how_s {
  const char* mechs;
  const char* dialogue; /* after EHLO */
  unsigned int flags;
  char with; /* p: a password, t: a token, c: a function that finds one */
  int status;
} how_t;

static const how_t ways[] = {
    {"PLAIN", "C AUTH PLAIN \n" WELCOME, 0, 'p', 0},
    {"PLAIN", "L AUTH PLAIN\n S 334 \n C \n" WELCOME,
     UVSMTP_AUTH_NO_INITIAL_RESPONSE, 'p', 0},
    {"PLAIN", "C AUTH PLAIN \n" WRONG, 0, 'p', UVSMTP_EAUTH},
    {"LOGIN", "C AUTH LOGIN am9l\n S 334 UGFzc3dvcmQ6\n C \n" WELCOME, 0, 'p',
     0},
    {"LOGIN",
     "C AUTH LOGIN am9l\n S 334 UGFzc3dvcmQ6\n C \n S 334 UGFzc3dvcmQ6\n"
     "L *\n S 501 ok\n",
     0, 'p', UVSMTP_EAUTH},
    {"CRAM-MD5", "L AUTH CRAM-MD5\n S 334 PDEuMkBwZWVyPg==\n C \n" WELCOME, 0,
     'p', 0},
    {"XOAUTH2", "C AUTH XOAUTH2 \n" WELCOME, 0, 't', 0},
    {"XOAUTH2", "C AUTH XOAUTH2 \n" WELCOME, 0, 'c', 0},
    {"XOAUTH2",
     "C AUTH XOAUTH2 \n S 334 e30=\n L \n" WRONG "C AUTH XOAUTH2 \n" WRONG, 0,
     'c', UVSMTP_EAUTH},
    {"OAUTHBEARER", "C AUTH OAUTHBEARER \n" WELCOME, 0, 't', 0},
    {"OAUTHBEARER", "C AUTH OAUTHBEARER \n" WELCOME, 0, 'c', 0},
    {"SCRAM-SHA-256", "SCRAM SHA-256 4096 @\n", 0, 'p', 0},
    {"SCRAM-SHA-1", "SCRAM SHA-1 4096 @\n", 0, 'p', 0},
    {"SCRAM-SHA-256", "LIE SHA-256 4096 @\n", 0, 'p', UVSMTP_EAUTH},
    {"SCRAM-SHA-256", "SCRAM SHA-256 4096 another\n", 0, 'p', UVSMTP_EAUTH},
};
enum { WAYS = sizeof(ways) / sizeof(ways[0]) };

static uvsmtp_credentials_t* keeper(fixture_t* f, const how_t* how) {
  uvsmtp_credentials_config_t config = UVSMTP_CREDENTIALS_CONFIG_INIT;
  uvsmtp_credentials_t* who;
  char secret[SECRET_LEN + 1];
  secret_put(secret);
  config.user = "joe";
  if (how->with == 'p') config.password = secret;
  if (how->with == 't') config.token = secret;
  if (how->with == 'c') config.token_cb = on_token;
  config.mechs = how->mechs;
  config.flags = how->flags | UVSMTP_AUTH_ALLOW_PLAINTEXT;
  who = someone(f, &config);
  secret_wipe(secret, sizeof(secret));
  return who;
}

/* What a trace was told, in one line. */
typedef struct record_s {
  char text[65536];
  size_t len;
} record_t;

static void keep(record_t* r, const char* text, size_t len) {
  assert_true(len < sizeof(r->text) - r->len - 1);
  memcpy(r->text + r->len, text, len);
  r->len += len;
  r->text[r->len++] = '\n';
  r->text[r->len] = '\0';
}

static void on_trace(void* arg, int kind, const char* text, size_t len) {
  if (kind != UVSMTP_TRACE_TEXT) keep(arg, text, len);
}

static void on_print(void* arg, const char* text, size_t len) {
  keep(arg, text, len);
}

typedef struct scene_s {
  fixture_t fixture;
  apart_t apart;
  uvsmtp_tls_t* tls;
  uvsmtp_credentials_t* who;
  uvsmtp_session_t* session;
  call_t login;
} scene_t;

/* Everything up to the login; tls: within TLS; held: the target has the
 * credentials. */
static void set_up(scene_t* c, const how_t* how, const char* end, int tls,
                   int held) {
  fixture_t* f = &c->fixture;
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  char script[1024];
  memset(c, 0, sizeof(*c));
  snprintf(script, sizeof(script), "%s%sS 250 AUTH %s\n%s%s",
           tls ? "TLS\n" : "", GREETED "C EHLO client.example\n S 250-peer\n",
           how->mechs, how->dialogue, end);
  apart_play(&c->apart, script);
  fixture_start(f);
  c->who = keeper(f, how);
  target.host = "127.0.0.1";
  target.port = c->apart.port;
  target.tls = tls ? UVSMTP_TLS_IMPLICIT : UVSMTP_TLS_NONE;
  if (tls) {
    uvsmtp_tls_config_t trusted = UVSMTP_TLS_CONFIG_INIT;
    trusted.ca.base = c->apart.certificate;
    trusted.ca.len = strlen(c->apart.certificate);
    assert_int_equal(0, uvsmtp_tls_new(&c->tls, &trusted, NULL));
    target.tls_settings = c->tls;
  }
  if (held) target.credentials = c->who;
  config.target = &target;
  config.local_name = "client.example";
  assert_int_equal(0, uvsmtp_session_new(&c->session, f->env, &config));
  connect_to(f, c->session);
}

static void begin(scene_t* c) {
  assert_int_equal(0,
                   CALL(&c->login, &c->fixture,
                        uvsmtp_login(c->session, c->who, on_call, &c->login)));
}

static void run_apart(scene_t* c, int n) {
  int i;
  for (i = 0; apart_stalled(&c->apart) < n; i++) {
    if (i == 10000) fail_msg("the peer does not come to its STALL");
    run_for(&c->fixture, 1);
  }
  for (i = 0; i < 5; i++) run_for(&c->fixture, 1);
}

/* The rest of its life, with nothing left at any time. */
static void leave(scene_t* c) {
  close_session(&c->fixture, c->session);
  assert_none(&c->apart);
  uvsmtp_tls_unref(c->tls);
  fixture_finish(&c->fixture);
  assert_none(&c->apart);
}

/* ---------------------------------------------------------------- searches */

/* After the login the credentials have it; when they go, while the session
 * lives, nobody has. */
static void logged_in(const how_t* how, int tls, int slow) {
  scene_t c;
  size_t most = how->with == 'c' ? 0 : 1;
  set_up(&c, how, "C QUIT\n S 221 bye\n EOF\n", tls, 0);
  narrow = slow ? 1 : -1;
  begin(&c);
  wait_for(&c.login);
  narrow = -1;
  assert_int_equal(how->status, c.login.status);
  if (most == 1) {
    assert_one();
  } else {
    assert_none(&c.apart);
  }
  uvsmtp_credentials_unref(c.who);
  assert_none(&c.apart);
  quit(&c.fixture, c.session);
  leave(&c);
  assert_int_equal(0, apart_finish(&c.apart));
}

static void in_clear_text(void** state) {
  size_t i;
  (void)state;
  for (i = 0; i < WAYS; i++) logged_in(&ways[i], 0, 0);
}

static void within_tls(void** state) {
  size_t i;
  (void)state;
  for (i = 0; i < WAYS; i++) logged_in(&ways[i], 1, 0);
}

/* Octet by octet. */
static void by_and_by(void** state) {
  size_t i;
  (void)state;
  for (i = 0; i < WAYS; i++) logged_in(&ways[i], i % 2 != 0, 1);
}

static void let_go(call_t* call) {
  scene_t* c = call->arg;
  assert_int_equal(0, call->status);
  uvsmtp_credentials_unref(c->who);
  assert_none(&c->apart);
}

/* The completion may be the last that anybody has to do with it. */
static void gone_in_the_completion(void** state) {
  size_t i;
  (void)state;
  for (i = 0; i < WAYS; i++) {
    scene_t c;
    if (ways[i].status != 0) continue;
    set_up(&c, &ways[i], "C QUIT\n S 221 bye\n EOF\n", i % 2 != 0, 0);
    c.login.then = let_go;
    c.login.arg = &c;
    begin(&c);
    wait_for(&c.login);
    quit(&c.fixture, c.session);
    leave(&c);
    assert_int_equal(0, apart_finish(&c.apart));
  }
}

/* The target has them as long as the session lives, and no longer. */
static void held_by_the_target(void** state) {
  int tls;
  (void)state;
  for (tls = 0; tls < 2; tls++) {
    scene_t c;
    call_t hello = {0};
    set_up(&c, &ways[0], "C QUIT\n S 221 bye\n EOF\n", tls, 1);
    uvsmtp_credentials_unref(c.who);
    assert_int_equal(
        0, CALL(&hello, &c.fixture, uvsmtp_hello(c.session, on_call, &hello)));
    wait_for(&hello);
    assert_int_equal(0, hello.status);
    assert_one();
    quit(&c.fixture, c.session);
    assert_one();
    leave(&c);
    assert_int_equal(0, apart_finish(&c.apart));
  }
}

/* A login that does not come to its end: closed while the server has the word,
 * while a line of it can't leave, or when the server has gone. */
static void cut_short(void** state) {
  static const struct {
    how_t how;
    int full; /* nothing of it can be sent */
    int lost;
  } cases[] = {
      {{"PLAIN", "C AUTH PLAIN \n STALL\n", 0, 'p', 0}, 0, 0},
      {{"PLAIN", "C AUTH PLAIN \n STALL\n CLOSE\n", 0, 'p', 0}, 0, 1},
      {{"PLAIN", "STALL\n", 0, 'p', 0}, 1, 0},
      {{"LOGIN", "C AUTH LOGIN\n S 334 so\n C \n STALL\n", 0, 'p', 0}, 0, 0},
      {{"LOGIN", "STALL\n", 0, 'p', 0}, 1, 0},
      {{"CRAM-MD5", "C AUTH\n S 334 PDEuMkBwZWVyPg==\n C \n STALL\n", 0, 'p',
        0},
       0,
       0},
      {{"XOAUTH2", "C AUTH XOAUTH2 \n STALL\n", 0, 'c', 0}, 0, 0},
      {{"XOAUTH2", "STALL\n", 0, 'c', 0}, 1, 0},
      {{"OAUTHBEARER", "STALL\n", 0, 'c', 0}, 1, 0},
      {{"SCRAM-SHA-256", "C AUTH SCRAM-SHA-256 \n STALL\n", 0, 'p', 0}, 0, 0},
  };
  size_t i;
  (void)state;
  for (i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
    scene_t c;
    call_t hello = {0};
    set_up(&c, &cases[i / 2].how, "", i % 2 != 0, 0);
    assert_int_equal(
        0, CALL(&hello, &c.fixture, uvsmtp_hello(c.session, on_call, &hello)));
    wait_for(&hello);
    if (cases[i / 2].full) narrow = 0;
    begin(&c);
    uvsmtp_credentials_unref(c.who);
    run_apart(&c, 1);
    if (cases[i / 2].lost) {
      apart_go(&c.apart);
      wait_for(&c.login);
      assert_int_equal(UVSMTP_EDISCONNECTED, c.login.status);
      assert_none(&c.apart);
    }
    leave(&c);
    narrow = -1;
    assert_int_equal(1, c.login.times);
    (void)apart_finish(&c.apart);
  }
}

static void on_challenge(void* arg, int kind, const char* text, size_t len) {
  if (kind != UVSMTP_TRACE_RECEIVED || len < 4) return;
  if (memcmp(text, "334 ", 4) == 0) ++*(int*)arg;
}

/* In the middle of the work that SCRAM is, which takes many turns here. */
static void closed_while_it_computes(void** state) {
  static const how_t how = {"SCRAM-SHA-256", "SCRAM SHA-256 20000 @\n", 0, 'p',
                            0};
  int unref_first;
  (void)state;
  for (unref_first = 0; unref_first < 2; unref_first++) {
    scene_t c;
    int challenged = 0;
    set_up(&c, &how, "", 0, 0);
    assert_int_equal(
        0, uvsmtp_session_set_trace(c.session, on_challenge, &challenged));
    ticks = 2000000;
    begin(&c);
    run_until(&c.fixture, &challenged, 1);
    (void)uv_run(&c.fixture.loop, UV_RUN_NOWAIT);
    (void)uv_run(&c.fixture.loop, UV_RUN_NOWAIT);
    assert_int_equal(0, c.login.times);
    assert_int_equal(1, challenged);
    /* At work, HMAC has the key in its own form. */
    if (!NEEDLE_SANITIZED) assert_int_equal(1, copies());
    if (unref_first) uvsmtp_credentials_unref(c.who);
    close_session(&c.fixture, c.session);
    if (!unref_first) {
      assert_one();
      uvsmtp_credentials_unref(c.who);
    }
    assert_int_equal(UV_ECANCELED, c.login.status);
    ticks = 0;
    assert_none(&c.apart);
    fixture_finish(&c.fixture);
    assert_none(&c.apart);
    (void)apart_finish(&c.apart);
  }
}

/* Each allocation of a login fails in turn. */
static void no_memory_for_it(void** state) {
  static const size_t some[] = {0, 3, 5, 7, 11};
  size_t i;
  (void)state;
  for (i = 0; i < 5; i++) {
    const how_t* how = &ways[some[i]];
    int over = 0;
    long n;
    for (n = 1; !over; n++) {
      scene_t c;
      int err;
      set_up(&c, how, "EOF\n", 0, 0);
      c.fixture.heap.fail_at = c.fixture.heap.calls + n;
      err = CALL(&c.login, &c.fixture,
                 uvsmtp_login(c.session, c.who, on_call, &c.login));
      if (err == 0) wait_for(&c.login);
      over = c.fixture.heap.calls < c.fixture.heap.fail_at;
      c.fixture.heap.fail_at = 0;
      assert_true(err == 0 || err == UV_ENOMEM);
      if (over) assert_int_equal(0, c.login.status);
      uvsmtp_credentials_unref(c.who);
      assert_none(&c.apart);
      leave(&c);
      (void)apart_finish(&c.apart);
    }
    assert_true(n > 3);
  }
}

/* ---------------------------------------------------------------- and text */

static void assert_silent(const char* text, size_t len) {
  int form;
  for (form = 0; form < NEEDLE_FORMS; form++) {
    needle_t needle;
    needle_form(&needle, form);
    if (needle_in_text(&needle, text, len) != 0) {
      fail_msg("%s is told: %s", needle.name, text);
    }
  }
}

/* By each mechanism, well and not, and closed before its end. */
static void nothing_is_told(void** state) {
  static record_t record;
  size_t i;
  (void)state;
  for (i = 0; i < 2 * WAYS; i++) {
    const how_t* how = &ways[i / 2];
    uvsmtp_printer_t printer;
    scene_t c;
    set_up(&c, how, "C QUIT\n S 221 bye\n EOF\n", 1, 0);
    record.len = 0;
    if (i % 2 == 0) {
      assert_int_equal(0,
                       uvsmtp_session_set_trace(c.session, on_trace, &record));
    } else {
      uvsmtp_printer_init(&printer, UVSMTP_PRINT_TEXT, on_print, &record);
      assert_int_equal(0, uvsmtp_session_set_trace(
                              c.session, uvsmtp_printer_trace, &printer));
    }
    begin(&c);
    wait_for(&c.login);
    assert_int_equal(how->status, c.login.status);
    assert_silent(c.login.text, strlen(c.login.text));
    assert_silent(c.login.detail, strlen(c.login.detail));
    quit(&c.fixture, c.session);
    if (i % 2 == 1) uvsmtp_printer_flush(&printer);
    /* It was there, and it was masked. */
    assert_non_null(strstr(record.text, "AUTH "));
    assert_non_null(strstr(record.text, "***"));
    assert_non_null(strstr(record.text, "QUIT"));
    assert_silent(record.text, record.len);
    uvsmtp_credentials_unref(c.who);
    leave(&c);
    assert_int_equal(0, apart_finish(&c.apart));
  }
}

/* The sentences about what credentials can't be. */
static void errors_are_silent(void** state) {
  static const char bad[] = {'\0', '\1', '\r', '\n', ' ', '\177', '\377'};
  static const char* const mechs[] = {
      NULL,          "PLAIN",       "LOGIN",   "CRAM-MD5", "SCRAM-SHA-256",
      "SCRAM-SHA-1", "OAUTHBEARER", "XOAUTH2", "X-NONE"};
  char secret[SECRET_LEN + 1];
  size_t i;
  size_t j;
  int token;
  int refused = 0;
  apart_t nobody;
  (void)state;
  memset(&nobody, 0, sizeof(nobody));
  for (i = 0; i < sizeof(bad); i++) {
    for (j = 0; j < sizeof(mechs) / sizeof(mechs[0]); j++) {
      for (token = 0; token < 2; token++) {
        uvsmtp_credentials_config_t config = UVSMTP_CREDENTIALS_CONFIG_INIT;
        uvsmtp_credentials_t* who = NULL;
        const char* why = NULL;
        secret_put(secret);
        secret[30] = bad[i];
        config.user = "joe";
        config.mechs = mechs[j];
        if (token) {
          config.token = secret;
          config.token_len = SECRET_LEN;
        } else {
          config.password = secret;
          config.password_len = SECRET_LEN;
        }
        if (uvsmtp_credentials_new(&who, &config, &why) != 0) {
          refused++;
          assert_non_null(why);
          assert_silent(why, strlen(why));
        }
        uvsmtp_credentials_unref(who);
        secret_wipe(secret, sizeof(secret));
        assert_none(&nobody);
      }
    }
  }
  assert_true(refused > 60);
}

/* ------------------------------------------------------ a careless mechanism
 */

static char* left;

static int careless(const uvsmtp_mech_t* self, uvsmtp_exchange_t* exchange,
                    const uvsmtp_slice_t* challenge) {
  uvsmtp_slice_t password = uvsmtp_exchange_password(exchange);
  (void)self;
  (void)challenge;
  left = malloc(password.len);
  assert_non_null(left);
  memcpy(left, password.base, password.len);
  return uvsmtp_exchange_respond(exchange, password.base, password.len);
}

/* What a mechanism leaves behind is noticed in the same way. */
static void the_scene_can_fail(void** state) {
  static const uvsmtp_mech_t mech =
      UVSMTP_MECH_INIT("X-OWN", UVSMTP_MECH_CLIENT_FIRST, careless);
  static const how_t how = {"PLAIN", "C AUTH X-OWN \n" WELCOME, 0, 'p', 0};
  scene_t c;
  (void)state;
  if (NEEDLE_SANITIZED) skip();
  set_up(&c, &how, "EOF\n", 0, 0);
  assert_int_equal(
      0, CALL(&c.login, &c.fixture,
              uvsmtp_auth(c.session, &mech, c.who,
                          UVSMTP_AUTH_FORCE | UVSMTP_AUTH_ALLOW_PLAINTEXT,
                          on_call, &c.login)));
  wait_for(&c.login);
  assert_int_equal(0, c.login.status);
  assert_int_equal(2, copies());
  uvsmtp_credentials_unref(c.who);
  assert_int_equal(1, copies());
  assert_true(traces_left() > 0);
  secret_wipe(left, SECRET_LEN);
  free(left);
  leave(&c);
  assert_int_equal(0, apart_finish(&c.apart));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(the_search_can_fail), TEST(the_scene_can_fail),
      TEST(in_clear_text),       TEST(within_tls),
      TEST(by_and_by),           TEST(gone_in_the_completion),
      TEST(held_by_the_target),  TEST(closed_while_it_computes),
      TEST(cut_short),           TEST(no_memory_for_it),
      TEST(nothing_is_told),     TEST(errors_are_silent),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
