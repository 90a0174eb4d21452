/* SPDX-License-Identifier: MIT */
/* test_login.c: whole logins: the engine with the library's own mechanisms, and
 * that no block of either is given back with a secret inside. */
#include "host.h"

#include "core/auth.h"
#include "sasl/sasl.h"
#include "uvsmtp/errors.h"

static const char user[] = "someone@example.org";
static const char password[] = "correct horse battery";
static const char* const tokens[] = {"ya29.A0AfH6SMBx", "ya29.B1BgI7TNCy"};
static const char* const secrets[] = {password, "ya29.A0AfH6SMBx",
                                      "ya29.B1BgI7TNCy", NULL};

typedef struct world_s {
  host_t h;
  uvsmtp_credentials_config_t config;
  uvsmtp_credentials_t* credentials;
  unsigned int asked;
  unsigned int wakes;
  int at_once;
  int token_status;
  int done;
  uvsmtp_token_query_t* query;
} world_t;

static void wake(void* arg) { ((world_t*)arg)->wakes++; }

static int find_token(void* arg, uvsmtp_token_query_t* query) {
  world_t* w = arg;
  const char* token = tokens[w->asked % 2];
  w->asked++;
  assert_int_equal(uvsmtp_token_query_refresh(query), w->asked == 2);
  if (w->token_status != 0) return w->token_status;
  if (w->at_once)
    w->done = uvsmtp_token_done(query, 0, token, strlen(token));
  else
    w->query = query;
  return 0;
}

static void begin(world_t* w) {
  static const uvsmtp_credentials_config_t init =
      UVSMTP_CREDENTIALS_CONFIG_INIT;
  memset(w, 0, sizeof(*w));
  host_open(&w->h, 0);
  w->h.alloc.secrets = secrets;
  w->config = init;
  w->config.mem = &w->h.mem;
  w->config.user = user;
  w->config.flags = UVSMTP_AUTH_ALLOW_PLAINTEXT;
}

/* Makes the credentials, and a session with a server that offers these. */
static void start_greeted(world_t* w, const char* offered) {
  char ehlo[256];
  assert_int_equal(uvsmtp_credentials_new(&w->credentials, &w->config, NULL),
                   0);
  strcpy(ehlo, "250-mx.example\r\n250 AUTH ");
  strcat(ehlo, offered);
  strcat(ehlo, "\r\n");
  greet(&w->h, ehlo);
}

/* The session then has the only reference. */
static int start_login(world_t* w) {
  uvsmtp_auth_host_t host = UVSMTP_AUTH_HOST_INIT;
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(UVSMTP_OP_LOGIN);
  int rc;
  host.name = "mx.example";
  host.port = 587;
  host.wake = wake;
  host.arg = w;
  r.credentials = w->credentials;
  r.auth_host = &host;
  rc = uvsmtp_proto_submit(w->h.p, &r);
  uvsmtp_credentials_unref(w->credentials);
  return rc;
}

/* As far as AUTH. */
static void start(world_t* w, const char* offered) {
  start_greeted(w, offered);
  assert_int_equal(start_login(w), 0);
  drain(&w->h);
}

/* A password, for this mechanism of two that the server offers. */
static void begin_password(world_t* w, const char* mech, unsigned int flags) {
  begin(w);
  w->config.password = password;
  w->config.mechs = mech;
  w->config.flags |= flags;
  start(w, "PLAIN LOGIN");
}

/* A token that is asked for. */
static void begin_hook(world_t* w) {
  begin(w);
  w->config.token_cb = find_token;
  w->config.token_arg = w;
}

/* Decodes what follows `before` in the flight, which has to be one line. */
static const char* said(world_t* w, const char* before) {
  static char text[1024];
  size_t n = strlen(before);
  ptrdiff_t len;
  assert_true(w->h.len >= n + 2);
  assert_memory_equal(w->h.out, before, n);
  assert_string_equal(w->h.out + w->h.len - 2, "\r\n");
  len = uvsmtp__base64_decode(text, w->h.out + n, w->h.len - n - 2);
  assert_true(len >= 0);
  /* NULs would end it. */
  for (n = 0; n < (size_t)len; n++)
    if (text[n] == '\0') text[n] = '|';
  text[len] = '\0';
  return text;
}

static void finish(world_t* w, int status) {
  expect(&w->h, UVSMTP_OP_LOGIN, status);
  /* The credentials were the login's alone: nobody has it any more. */
  assert_int_equal(test_alloc_holding(&w->h.alloc), 0);
  host_close(&w->h);
  assert_int_equal(w->h.alloc.leaks, 0);
}

#define PLAIN_SAID "|someone@example.org|correct horse battery"

static void test_plain(void** state) {
  world_t w;
  (void)state;
  begin(&w);
  w.config.password = password;
  start(&w, "LOGIN plain");
  assert_string_equal(said(&w, "AUTH PLAIN "), PLAIN_SAID);
  /* Until it is answered, what was sent. */
  assert_int_equal(test_alloc_holding(&w.h.alloc), 2);
  say(&w.h, "235 ok\r\n");
  finish(&w, 0);
}

/* A server that does not heed the initial response, and one that never has
 * enough. */
static void test_plain_again(void** state) {
  world_t w;
  (void)state;
  begin_password(&w, "PLAIN", 0);
  say(&w.h, "334 \r\n");
  assert_string_equal(said(&w, ""), PLAIN_SAID);
  say(&w.h, "235 ok\r\n");
  finish(&w, 0);

  begin_password(&w, "PLAIN", 0);
  say(&w.h, "334 what?\r\n");
  assert_string_equal(said(&w, ""), PLAIN_SAID);
  say(&w.h, "334\r\n");
  assert_string_equal(w.h.out, "*\r\n");
  say(&w.h, "501 as you like\r\n");
  finish(&w, UVSMTP_EAUTH);
}

static void test_plain_held(void** state) {
  world_t w;
  (void)state;
  begin_password(&w, "PLAIN", UVSMTP_AUTH_NO_INITIAL_RESPONSE);
  assert_string_equal(w.h.out, "AUTH PLAIN\r\n");
  say(&w.h, "334 not base64!\r\n");
  assert_string_equal(said(&w, ""), PLAIN_SAID);
  say(&w.h, "235 ok\r\n");
  finish(&w, 0);
}

/* The name with AUTH or at a prompt, the password at the one after. */
static void test_login(void** state) {
  world_t w;
  (void)state;
  begin_password(&w, "LOGIN", 0);
  assert_string_equal(said(&w, "AUTH LOGIN "), user);
  say(&w.h, "334 Kennwort bitte\r\n");
  assert_string_equal(said(&w, ""), password);
  say(&w.h, "235 ok\r\n");
  finish(&w, 0);

  begin_password(&w, "LOGIN", UVSMTP_AUTH_NO_INITIAL_RESPONSE);
  assert_string_equal(w.h.out, "AUTH LOGIN\r\n");
  say(&w.h, "334 VXNlcm5hbWU6\r\n");
  assert_string_equal(said(&w, ""), user);
  say(&w.h, "334 UGFzc3dvcmQ6\r\n");
  assert_string_equal(said(&w, ""), password);
  say(&w.h, "334 UGFzc3dvcmQ6\r\n");
  assert_string_equal(w.h.out, "*\r\n");
  say(&w.h, "501 as you like\r\n");
  finish(&w, UVSMTP_EAUTH);
}

static void test_external(void** state) {
  world_t w;
  (void)state;
  begin(&w);
  w.config.user = NULL;
  start(&w, "EXTERNAL");
  assert_string_equal(w.h.out, "AUTH EXTERNAL =\r\n");
  say(&w.h, "235 ok\r\n");
  finish(&w, 0);
}

#define TOKEN_SAID(token) \
  "user=someone@example.org\001auth=Bearer " token "\001\001"

/* Refused, with a reason; fetched anew, later; accepted. */
static void test_refresh(void** state) {
  world_t w;
  (void)state;
  begin_hook(&w);
  w.at_once = 1;
  start(&w, "XOAUTH2");
  assert_string_equal(said(&w, "AUTH XOAUTH2 "), TOKEN_SAID("ya29.A0AfH6SMBx"));
  say(&w.h, "334 e30=\r\n");
  assert_string_equal(w.h.out, "\r\n");
  w.at_once = 0;
  say(&w.h, "535 no\r\n");
  assert_string_equal(w.h.out, "");
  assert_int_equal(w.asked, 2);
  assert_int_equal(w.wakes, 0);
  assert_int_equal(uvsmtp_token_done(w.query, 0, tokens[1], strlen(tokens[1])),
                   0);
  assert_int_equal(w.wakes, 1);
  uvsmtp_proto_resume(w.h.p);
  drain(&w.h);
  assert_string_equal(said(&w, "AUTH XOAUTH2 "), TOKEN_SAID("ya29.B1BgI7TNCy"));
  say(&w.h, "235 ok\r\n");
  finish(&w, 0);
}

/* Twice refused is refused, and no third one is asked for. */
static void test_refused(void** state) {
  world_t w;
  (void)state;
  begin_hook(&w);
  w.at_once = 1;
  start(&w, "XOAUTH2");
  say(&w.h, "535 no\r\n");
  assert_string_equal(said(&w, "AUTH XOAUTH2 "), TOKEN_SAID("ya29.B1BgI7TNCy"));
  say(&w.h, "535 no\r\n");
  assert_string_equal(w.h.out, "");
  assert_int_equal(w.asked, 2);
  finish(&w, UVSMTP_EAUTH);
}

/* To accept a token after refusing it makes no sense. */
static void test_accepted_after_all(void** state) {
  world_t w;
  (void)state;
  begin(&w);
  w.config.token = tokens[0];
  w.config.mechs = "OAUTHBEARER";
  start(&w, "XOAUTH2 OAUTHBEARER");
  say(&w.h, "334 e30=\r\n");
  assert_string_equal(w.h.out, "AQ==\r\n");
  say(&w.h, "235 ok\r\n");
  finish(&w, UVSMTP_EAUTH);
}

/* No token: nothing is said, by no mechanism, and the login fails with what
 * the hook said. */
static void test_no_token(void** state) {
  world_t w;
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  (void)state;
  begin(&w);
  w.config.password = password;
  w.config.token_cb = find_token;
  w.config.token_arg = &w;
  w.token_status = -ENOENT;
  start(&w, "OAUTHBEARER XOAUTH2 PLAIN");
  assert_string_equal(w.h.out, "");
  assert_int_equal(w.asked, 1);
  assert_int_equal(uvsmtp_proto_next(w.h.p, &e), 1);
  assert_int_equal(e.op, UVSMTP_OP_LOGIN);
  assert_int_equal(uvsmtp_result_status(e.result), UVSMTP_EAUTH);
  assert_int_equal(uvsmtp_result_cause(e.result), -ENOENT);
  host_close(&w.h);
  assert_int_equal(w.h.alloc.leaks, 0);
}

/* The session goes while a token is fetched: its answer meets nobody. */
static void test_gone(void** state) {
  world_t w;
  (void)state;
  begin_hook(&w);
  start(&w, "OAUTHBEARER");
  assert_int_equal(w.asked, 1);
  uvsmtp_proto_free(w.h.p);
  assert_int_equal(w.h.alloc.blocks, 2);
  assert_int_equal(uvsmtp_token_done(w.query, 0, tokens[0], strlen(tokens[0])),
                   0);
  assert_int_equal(w.wakes, 0);
  assert_int_equal(w.h.alloc.blocks, 0);
  assert_int_equal(w.h.alloc.leaks, 0);
}

/* Memory is refused at each place in turn; the server says the same each
 * time. */
static void test_no_memory(void** state) {
  static const char* const lines[] = {"334 e30=\r\n", "535 no\r\n",
                                      "235 ok\r\n"};
  size_t at;
  (void)state;
  for (at = 1;; at++) {
    world_t w;
    uvsmtp_event_t e = UVSMTP_EVENT_INIT;
    size_t i;
    int rc;
    begin_hook(&w);
    w.at_once = 1;
    start_greeted(&w, "XOAUTH2");
    w.h.alloc.fail_at = w.h.alloc.requests + at;
    rc = start_login(&w);
    if (rc != 0) assert_int_equal(rc, -ENOMEM);
    for (i = 0; rc == 0 && i < 3; i++) {
      drain(&w.h);
      say(&w.h, lines[i]);
    }
    if (rc == 0) {
      assert_int_equal(uvsmtp_proto_next(w.h.p, &e), 1);
      assert_int_equal(e.op, UVSMTP_OP_LOGIN);
      if (w.h.alloc.failed == 0)
        assert_int_equal(uvsmtp_result_status(e.result), 0);
    }
    rc = w.h.alloc.failed == 0;
    host_close(&w.h);
    assert_int_equal(w.h.alloc.leaks, 0);
    if (rc) break;
  }
  assert_true(at > 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain),
      cmocka_unit_test(test_plain_again),
      cmocka_unit_test(test_plain_held),
      cmocka_unit_test(test_login),
      cmocka_unit_test(test_external),
      cmocka_unit_test(test_refresh),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_accepted_after_all),
      cmocka_unit_test(test_no_token),
      cmocka_unit_test(test_gone),
      cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
