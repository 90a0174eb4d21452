/* SPDX-License-Identifier: MIT */
/* test_mechs.c: PLAIN, LOGIN, EXTERNAL, OAUTHBEARER and XOAUTH2 step by step,
 * tokens that come at any time, and that nothing secret is left behind. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "exchange.h"
#include "sasl/sasl.h"

#define LIT(text) (text), (sizeof(text) - 1)

static const char user[] = "someone@example.org";
static const char password[] = "correct horse battery";
static const char token[] = "ya29.A0AfH6SMBx";
static const char second[] = "ya29.B1BgI7TNCy";
static const char* const secrets[] = {password, token, second, NULL};

/* What each test has: memory that is watched, credentials, an exchange. */
typedef struct world_s {
  test_alloc_t a;
  uvsmtp_mem_t mem;
  uvsmtp_credentials_config_t config;
  uvsmtp_credentials_t* credentials;
  driven_t d;
  /* Of the hook. */
  uvsmtp_token_query_t* query;
  const char* answer; /* said before it returns, or NULL */
  int answer_status;
  int hook_status;
  int done; /* what token_done returned */
  unsigned int asked;
  int refresh;
} world_t;

static int find_token(void* arg, uvsmtp_token_query_t* query) {
  world_t* w = arg;
  w->asked++;
  w->query = query;
  w->refresh = uvsmtp_token_query_refresh(query);
  if (w->answer != NULL || w->answer_status != 0) {
    size_t len = w->answer == NULL ? 0 : strlen(w->answer);
    w->done = uvsmtp_token_done(query, w->answer_status, w->answer, len);
    w->query = NULL;
  }
  return w->hook_status;
}

static void world_init(world_t* w) {
  static const uvsmtp_credentials_config_t init =
      UVSMTP_CREDENTIALS_CONFIG_INIT;
  memset(w, 0, sizeof(*w));
  w->a.secrets = secrets;
  w->mem.size = sizeof(w->mem);
  w->mem.alloc = test_alloc;
  w->mem.data = &w->a;
  w->config = init;
  w->config.mem = &w->mem;
  w->config.user = user;
  w->config.token_arg = w;
}

/* From what is in config; the exchange has the only reference. */
static int world_open(world_t* w, const char* host, int port) {
  int rc = uvsmtp_credentials_new(&w->credentials, &w->config, NULL);
  if (rc == 0) rc = driven_new(&w->d, &w->a, w->credentials, host, port);
  uvsmtp_credentials_unref(w->credentials);
  return rc;
}

static void world_close(world_t* w) {
  driven_free(&w->d);
  assert_int_equal(w->a.blocks, 0);
  assert_int_equal(w->a.leaks, 0);
}

/* With a password. */
static void open_password(world_t* w) {
  world_init(w);
  w->config.password = password;
  assert_int_equal(world_open(w, "", 0), 0);
}

static void open_hook(world_t* w) {
  world_init(w);
  w->config.token_cb = find_token;
  assert_int_equal(world_open(w, "", 0), 0);
}

static const char* detail(const world_t* w) {
  return w->d.x->detail == NULL ? "(none)" : w->d.x->detail;
}

/* A run begins: what its first step comes to. */
static void first(world_t* w, const uvsmtp_mech_t* mech, int rc) {
  driven_begin(&w->d, mech, 0);
  assert_int_equal(driven_first(&w->d), rc);
}

/* A run begins, and this is what it says. */
static void opens(world_t* w, const uvsmtp_mech_t* mech, const char* said,
                  size_t len) {
  first(w, mech, UVSMTP_MECH_SEND);
  assert_true(driven_said(&w->d, said, len));
}

/* A challenge, what it comes to, and what is said. */
static void told(world_t* w, const char* challenge, int rc, const char* said,
                 size_t len) {
  assert_int_equal(driven_told(&w->d, challenge), rc);
  assert_true(driven_said(&w->d, said, len));
}

/* ------------------------------------------------------- PLAIN and the like */

#define PLAIN_SAID "\0someone@example.org\0correct horse battery"

static void test_plain(void** state) {
  world_t w;
  (void)state;
  open_password(&w);
  opens(&w, &uvsmtp__mech_plain, LIT(PLAIN_SAID));
  /* Asked for, though it was there: once more, and no more than that. */
  told(&w, "", UVSMTP_MECH_SEND, LIT(PLAIN_SAID));
  told(&w, "", -EPROTO, LIT(""));
  driven_end(&w.d);

  /* Each run counts anew. */
  opens(&w, &uvsmtp__mech_plain, LIT(PLAIN_SAID));
  assert_int_equal(driven_told(&w.d, "go on, then"), UVSMTP_MECH_SEND);
  driven_end(&w.d);
  world_close(&w);
}

static void test_plain_authzid(void** state) {
  world_t w;
  (void)state;
  world_init(&w);
  w.config.authzid = "boss";
  w.config.user = "u\r\n\xfc";
  w.config.password = " \xff\n";
  assert_int_equal(world_open(&w, "", 0), 0);
  opens(&w, &uvsmtp__mech_plain, LIT("boss\0u\r\n\xfc\0 \xff\n"));
  world_close(&w);
}

static void test_login(void** state) {
  world_t w;
  (void)state;
  open_password(&w);
  opens(&w, &uvsmtp__mech_login, LIT(user));
  told(&w, "Username:", UVSMTP_MECH_SEND, LIT(password));
  told(&w, "Password:", -EPROTO, LIT(""));
  driven_end(&w.d);
  opens(&w, &uvsmtp__mech_login, LIT(user));
  driven_end(&w.d);
  world_close(&w);
}

static void test_external(void** state) {
  world_t w;
  (void)state;
  world_init(&w);
  w.config.user = NULL;
  assert_int_equal(world_open(&w, "", 0), 0);
  opens(&w, &uvsmtp__mech_external, LIT(""));
  told(&w, "", UVSMTP_MECH_SEND, LIT(""));
  assert_int_equal(driven_told(&w.d, ""), -EPROTO);
  world_close(&w);

  world_init(&w);
  w.config.user = NULL;
  w.config.authzid = "boss";
  assert_int_equal(world_open(&w, "", 0), 0);
  opens(&w, &uvsmtp__mech_external, LIT("boss"));
  world_close(&w);
}

/* Asked for by name later, whatever the credentials were made for. */
static void test_unfit(void** state) {
  static const struct {
    const uvsmtp_mech_t* mech;
    const char* why;
  } t[] = {
      {&uvsmtp__mech_plain, "PLAIN can't carry a NUL"},
      {&uvsmtp__mech_login, "LOGIN can't carry an authzid"},
      {&uvsmtp__mech_external, "EXTERNAL can't carry a NUL"},
      {&uvsmtp__mech_oauthbearer, "OAUTHBEARER and XOAUTH2 need a token"},
      {&uvsmtp__mech_xoauth2, "OAUTHBEARER and XOAUTH2 need a token"},
  };
  uvsmtp_mech_t own = UVSMTP_MECH_INIT("OWN", 0, uvsmtp__mech_plain.step);
  const uvsmtp_mech_t* list[] = {&own};
  world_t w;
  size_t i;
  (void)state;
  world_init(&w);
  w.config.password = password;
  w.config.authzid = "a\0b";
  w.config.authzid_len = 3;
  w.config.own = list;
  w.config.nown = 1;
  assert_int_equal(world_open(&w, "", 0), 0);
  for (i = 0; i < sizeof(t) / sizeof(*t); i++) {
    first(&w, t[i].mech, -EINVAL);
    assert_string_equal(detail(&w), t[i].why);
    assert_true(driven_said(&w.d, LIT("")));
    driven_end(&w.d);
  }
  world_close(&w);
}

/* ------------------------------------------------------------------- OAuth */

/* With a token of its own. */
static void open_token(world_t* w, const char* authzid, const char* host,
                       int port) {
  world_init(w);
  w->config.token = token;
  w->config.authzid = authzid;
  assert_int_equal(world_open(w, host, port), 0);
}

#define AUTH_SAID "auth=Bearer ya29.A0AfH6SMBx\001\001"
#define BEARER_SAID "n,a=someone@example.org,\001" AUTH_SAID
#define XOAUTH2_SAID "user=someone@example.org\001" AUTH_SAID

static void test_oauthbearer(void** state) {
  static const char problem[] = "{\"status\":\"invalid_token\"}";
  world_t w;
  (void)state;
  open_token(&w, NULL, "", 0);
  opens(&w, &uvsmtp__mech_oauthbearer, LIT(BEARER_SAID));
  /* Its refusal is a challenge that wants an answer. */
  told(&w, problem, UVSMTP_MECH_CONTINUE, LIT("\001"));
  assert_string_equal(detail(&w), problem);
  /* Nobody can ask for another such token. */
  assert_int_equal(w.d.mech->refused(w.d.mech, w.d.x), 0);
  told(&w, problem, -EPROTO, LIT(""));
  driven_end(&w.d);

  opens(&w, &uvsmtp__mech_oauthbearer, LIT(BEARER_SAID));
  /* One who did not listen: once more. */
  told(&w, "", UVSMTP_MECH_SEND, LIT(BEARER_SAID));
  told(&w, "", UVSMTP_MECH_CONTINUE, LIT("\001"));
  assert_int_equal(driven_told(&w.d, ""), -EPROTO);
  driven_end(&w.d);
  world_close(&w);
}

/* RFC 7628 3.1: with all that can be known; RFC 5801 4: quoted. */
static void test_oauthbearer_fields(void** state) {
  world_t w;
  (void)state;
  open_token(&w, "=a,b=,c", "mx.example.org", 587);
  opens(&w, &uvsmtp__mech_oauthbearer,
        LIT("n,a==3Da=2Cb=3D=2Cc,\001host=mx.example.org\001"
            "port=587\001" AUTH_SAID));
  world_close(&w);

  open_token(&w, NULL, "", 1);
  opens(&w, &uvsmtp__mech_oauthbearer,
        LIT("n,a=someone@example.org,\001port=1\001" AUTH_SAID));
  world_close(&w);

  world_init(&w);
  w.config.token = token;
  w.config.user = NULL;
  assert_int_equal(world_open(&w, "h", 0), 0);
  opens(&w, &uvsmtp__mech_oauthbearer, LIT("n,,\001host=h\001" AUTH_SAID));
  world_close(&w);
}

static void test_xoauth2(void** state) {
  world_t w;
  (void)state;
  open_token(&w, NULL, "mx.example.org", 587);
  opens(&w, &uvsmtp__mech_xoauth2, LIT(XOAUTH2_SAID));
  told(&w, "{\"status\":\"400\"}", UVSMTP_MECH_CONTINUE, LIT(""));
  assert_string_equal(detail(&w), "{\"status\":\"400\"}");
  assert_int_equal(driven_told(&w.d, ""), -EPROTO);
  driven_end(&w.d);
  world_close(&w);
}

/* ------------------------------------------------------------------ tokens */

static void test_token_at_once(void** state) {
  world_t w;
  (void)state;
  open_hook(&w);
  w.answer = token;
  opens(&w, &uvsmtp__mech_xoauth2, LIT(XOAUTH2_SAID));
  assert_int_equal(w.done, 0);
  assert_int_equal(w.refresh, 0);
  assert_int_equal(w.d.wakes, 0);
  /* Said once more without a question. */
  told(&w, "", UVSMTP_MECH_SEND, LIT(XOAUTH2_SAID));
  assert_int_equal(w.asked, 1);
  /* Refused: a new one is asked for, once. */
  assert_int_equal(w.d.mech->refused(w.d.mech, w.d.x), 1);
  driven_end(&w.d);
  assert_null(uvsmtp_exchange_data(w.d.x));
  driven_begin(&w.d, &uvsmtp__mech_xoauth2, 1);
  assert_int_equal(driven_first(&w.d), UVSMTP_MECH_SEND);
  assert_int_equal(w.asked, 2);
  assert_int_equal(w.refresh, 1);
  assert_int_equal(w.d.mech->refused(w.d.mech, w.d.x), 0);
  driven_end(&w.d);
  world_close(&w);
}

static void test_token_later(void** state) {
  world_t w;
  (void)state;
  open_hook(&w);
  first(&w, &uvsmtp__mech_oauthbearer, UVSMTP_MECH_WAIT);
  /* Woken for nothing. */
  assert_int_equal(driven_first(&w.d), UVSMTP_MECH_WAIT);
  assert_int_equal(w.asked, 1);
  assert_int_equal(uvsmtp_token_done(w.query, 0, LIT(token)), 0);
  assert_int_equal(w.d.wakes, 1);
  assert_int_equal(uvsmtp_token_done(w.query, 0, LIT(token)), -EINVAL);
  assert_int_equal(w.d.wakes, 1);
  assert_int_equal(driven_first(&w.d), UVSMTP_MECH_SEND);
  assert_true(driven_said(&w.d, LIT(BEARER_SAID)));
  driven_end(&w.d);
  world_close(&w);
}

/* Nobody waits for it any more: not the run, nor the credentials' others. */
static void test_token_too_late(void** state) {
  static const int statuses[] = {0, -ECANCELED};
  size_t i;
  (void)state;
  for (i = 0; i < 2; i++) {
    world_t w;
    open_hook(&w);
    first(&w, &uvsmtp__mech_oauthbearer, UVSMTP_MECH_WAIT);
    driven_end(&w.d);
    driven_free(&w.d);
    assert_int_equal(w.a.blocks, 2); /* the query, and the credentials */
    assert_int_equal(uvsmtp_token_query_refresh(w.query), 0);
    /* It is not copied for nobody. */
    w.a.fail_at = w.a.requests + 1;
    assert_int_equal(uvsmtp_token_done(w.query, statuses[i], LIT(token)), 0);
    assert_int_equal(w.d.wakes, 0);
    world_close(&w);
  }
}

static void test_token_too_late_and_bad(void** state) {
  world_t w;
  (void)state;
  open_hook(&w);
  first(&w, &uvsmtp__mech_oauthbearer, UVSMTP_MECH_WAIT);
  driven_free(&w.d);
  assert_int_equal(uvsmtp_token_done(w.query, 0, "a b", 3), -EINVAL);
  world_close(&w);
}

/* It came, and then the login ended before it was looked at. */
static void test_token_unused(void** state) {
  world_t w;
  (void)state;
  open_hook(&w);
  first(&w, &uvsmtp__mech_oauthbearer, UVSMTP_MECH_WAIT);
  assert_int_equal(uvsmtp_token_done(w.query, 0, LIT(token)), 0);
  world_close(&w);
}

static void test_token_errors(void** state) {
  world_t w;
  (void)state;
  open_hook(&w);
  /* The hook has none. */
  w.hook_status = -ENOENT;
  first(&w, &uvsmtp__mech_oauthbearer, -ENOENT);
  assert_int_equal(w.d.x->stop, 1);
  assert_string_equal(detail(&w), "no token to be had");
  assert_int_equal(w.d.mech->refused(w.d.mech, w.d.x), 0);
  driven_end(&w.d);
  /* It answered, and then thinks better of it. */
  w.answer = token;
  first(&w, &uvsmtp__mech_oauthbearer, -ENOENT);
  driven_end(&w.d);
  /* An error, at once and later. */
  w.hook_status = 0;
  w.answer = NULL;
  w.answer_status = -ECANCELED;
  first(&w, &uvsmtp__mech_xoauth2, -ECANCELED);
  assert_int_equal(w.done, 0);
  assert_int_equal(w.d.x->stop, 1);
  assert_string_equal(detail(&w), "no token to be had");
  driven_end(&w.d);
  w.answer_status = 0;
  first(&w, &uvsmtp__mech_xoauth2, UVSMTP_MECH_WAIT);
  assert_int_equal(w.d.x->stop, 0);
  assert_int_equal(uvsmtp_token_done(w.query, -ECANCELED, NULL, 0), 0);
  assert_int_equal(w.d.wakes, 1);
  assert_int_equal(driven_first(&w.d), -ECANCELED);
  assert_string_equal(detail(&w), "no token to be had");
  driven_end(&w.d);
  /* What is no status. */
  w.answer_status = 1;
  first(&w, &uvsmtp__mech_xoauth2, -EINVAL);
  assert_int_equal(w.done, -EINVAL);
  driven_end(&w.d);
  assert_int_equal(uvsmtp_token_done(NULL, 0, "t", 1), -EINVAL);
  world_close(&w);
}

static void test_token_bad(void** state) {
  static const char* const bad[] = {"", "a b", "a\n", "\x80", "\x7f"};
  world_t w;
  size_t i;
  (void)state;
  open_hook(&w);
  for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
    first(&w, &uvsmtp__mech_xoauth2, UVSMTP_MECH_WAIT);
    assert_int_equal(uvsmtp_token_done(w.query, 0, bad[i], strlen(bad[i])),
                     -EINVAL);
    assert_int_equal(w.d.wakes, i + 1);
    assert_int_equal(driven_first(&w.d), -EINVAL);
    assert_true(driven_said(&w.d, LIT("")));
    assert_non_null(strstr(detail(&w), "token"));
    driven_end(&w.d);
  }
  first(&w, &uvsmtp__mech_xoauth2, UVSMTP_MECH_WAIT);
  assert_int_equal(uvsmtp_token_done(w.query, 0, NULL, 5), -EINVAL);
  driven_end(&w.d);
  /* Fits as a token, and not with what stands beside it. */
  first(&w, &uvsmtp__mech_xoauth2, UVSMTP_MECH_WAIT);
  {
    static char large[UVSMTP__AUTH_RAW_MAX];
    memset(large, 'x', sizeof(large));
    assert_int_equal(uvsmtp_token_done(w.query, 0, large, sizeof(large)), 0);
  }
  assert_int_equal(driven_first(&w.d), -EMSGSIZE);
  driven_end(&w.d);
  world_close(&w);
}

/* ------------------------------------------------------------------ memory */

/* A refused token and another one, over an answer at once and one later. */
static int all_of_oauth(world_t* w) {
  int rc;
  w->answer = token;
  driven_begin(&w->d, &uvsmtp__mech_oauthbearer, 0);
  rc = driven_first(&w->d);
  if (rc == UVSMTP_MECH_SEND) {
    driven_said(&w->d, "", 0);
    rc = driven_told(&w->d, "{}");
  }
  driven_end(&w->d);
  if (rc < 0) return rc;
  w->answer = NULL;
  driven_begin(&w->d, &uvsmtp__mech_oauthbearer, 1);
  rc = driven_first(&w->d);
  if (rc == UVSMTP_MECH_WAIT) {
    rc = uvsmtp_token_done(w->query, 0, LIT(second));
    if (driven_first(&w->d) != (rc == 0 ? UVSMTP_MECH_SEND : rc) &&
        w->a.failed == 0)
      rc = -EFAULT;
    if (rc == 0 && w->d.x->response.len == 0) rc = -ENOMEM;
  }
  driven_end(&w->d);
  return rc;
}

static int all_of_password(world_t* w) {
  static const uvsmtp_mech_t* const mechs[] = {
      &uvsmtp__mech_plain, &uvsmtp__mech_login, &uvsmtp__mech_external};
  size_t i;
  int rc = 0;
  for (i = 0; i < 3 && rc == 0; i++) {
    driven_begin(&w->d, mechs[i], 0);
    rc = driven_first(&w->d);
    if (rc == 0) rc = driven_told(&w->d, "");
    driven_end(&w->d);
  }
  return rc;
}

/* Each request in turn, until none is refused any more. */
static void refuse_each(int (*all)(world_t*), uvsmtp_token_cb hook) {
  size_t at;
  for (at = 1;; at++) {
    world_t w;
    int rc;
    world_init(&w);
    w.config.password = password;
    w.config.token_cb = hook;
    w.a.fail_at = at;
    rc = world_open(&w, "mx.example.org", 587);
    if (rc == 0) rc = all(&w);
    /* An explanation may be missing. */
    if (w.a.failed == 0) assert_true(rc >= 0);
    if (rc < 0) assert_int_equal(rc, -ENOMEM);
    world_close(&w);
    if (w.a.failed == 0) break;
  }
  assert_true(at > 3);
}

static void test_no_memory(void** state) {
  (void)state;
  refuse_each(all_of_oauth, find_token);
  refuse_each(all_of_password, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain),
      cmocka_unit_test(test_plain_authzid),
      cmocka_unit_test(test_login),
      cmocka_unit_test(test_external),
      cmocka_unit_test(test_unfit),
      cmocka_unit_test(test_oauthbearer),
      cmocka_unit_test(test_oauthbearer_fields),
      cmocka_unit_test(test_xoauth2),
      cmocka_unit_test(test_token_at_once),
      cmocka_unit_test(test_token_later),
      cmocka_unit_test(test_token_too_late),
      cmocka_unit_test(test_token_too_late_and_bad),
      cmocka_unit_test(test_token_unused),
      cmocka_unit_test(test_token_errors),
      cmocka_unit_test(test_token_bad),
      cmocka_unit_test(test_no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
