/* SPDX-License-Identifier: MIT */
/* test_credentials.c: what uvsmtp_credentials_new takes and refuses, which
 * mechanisms it finds for it, and that nothing of it is left behind. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "sasl/sasl.h"
#include "uvsmtp/errors.h"

/* A string literal and its length, NULs inside included. */
#define LIT(text) (text), (sizeof(text) - 1)

#define SCRAMS "SCRAM-SHA-256-PLUS SCRAM-SHA-256 SCRAM-SHA-1 "

static int any_token(void* arg, uvsmtp_token_query_t* query) {
  (void)arg;
  (void)query;
  return -ENOENT;
}

static int own_step(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x,
                    const uvsmtp_slice_t* challenge) {
  (void)self;
  (void)x;
  (void)challenge;
  return UVSMTP_MECH_SEND;
}

/* The names, separated by blanks. */
static const char* names_of(const uvsmtp_credentials_t* c) {
  static char text[512];
  size_t i;
  text[0] = '\0';
  for (i = 0; i < c->nmechs; i++) {
    if (i > 0) strcat(text, " ");
    strcat(text, c->mechs[i]->name);
  }
  return text;
}

/* What may be given, and which mechanisms come of it, or which words the reason
 * has why nothing does. */
typedef struct case_s {
  const char* user;
  size_t user_len;
  const char* password;
  size_t password_len;
  const char* authzid;
  size_t authzid_len;
  const char* token;
  size_t token_len;
  const char* mechs;
  const char* names;
  const char* why;
} case_t;

#define NONE NULL, 0

static const case_t cases[] = {
    {LIT("u"), LIT("p"), NONE, NONE, NULL, SCRAMS "CRAM-MD5 PLAIN LOGIN", NULL},
    /* No length: up to the NUL. */
    {"user", 0, "pass", 0, NONE, NONE, NULL, SCRAMS "CRAM-MD5 PLAIN LOGIN",
     NULL},
    {LIT("u"), LIT("p"), LIT("z"), NONE, NULL, SCRAMS "PLAIN", NULL},
    {NONE, NONE, NONE, LIT("t0k"), NULL, "OAUTHBEARER", NULL},
    {LIT("u"), NONE, NONE, LIT("t0k"), NULL, "OAUTHBEARER XOAUTH2", NULL},
    {LIT("u"), NONE, LIT("z"), LIT("t0k"), NULL, "OAUTHBEARER", NULL},
    {LIT("u"), LIT("p"), NONE, LIT("t0k"), NULL,
     SCRAMS "CRAM-MD5 OAUTHBEARER XOAUTH2 PLAIN LOGIN", NULL},
    {NONE, NONE, NONE, NONE, NULL, "EXTERNAL", NULL},
    {NONE, NONE, LIT("z"), NONE, NULL, "EXTERNAL", NULL},

    /* Not enough. */
    {LIT("u"), NONE, NONE, NONE, NULL, NULL, "nor a token"},
    {NONE, LIT("p"), NONE, NONE, NULL, NULL, "needs a user name and"},
    {"", 0, LIT("p"), NONE, NONE, NULL, NULL, "needs a user name and"},
    {LIT("u"), "", 0, NONE, NONE, NULL, NULL, "nor a token"},

    {"", 0, "", 0, NONE, NONE, NULL, NULL, "nor a token"},
    {"", 0, NONE, NONE, NONE, NULL, NULL, "nor a token"},
    {NONE, "", 0, NONE, NONE, NULL, NULL, "nor a token"},
    {NONE, NONE, NONE, "", 0, NULL, NULL, "nor a token"},
    {NONE, NONE, "", 0, NONE, NULL, "EXTERNAL", NULL},

    /* NUL: explicit lengths carry it where a length can. */
    {LIT("u\0v"), LIT("p"), NONE, NONE, NULL, "LOGIN", NULL},
    {LIT("u"), LIT("p\0q"), NONE, NONE, NULL, "CRAM-MD5 LOGIN", NULL},
    {LIT("u"), LIT("p"), LIT("z\0"), NONE, NULL, NULL, "PLAIN can't carry a N"},
    {LIT("u\0v"), NONE, NONE, LIT("t"), NULL, NULL, "NUL or 0x01"},
    {NONE, NONE, LIT("z\0"), NONE, NULL, NULL, "EXTERNAL can't carry a NUL"},

    /* CR, LF, octets above 126. */
    {LIT("u\r"), LIT("p"), NONE, NONE, NULL, "PLAIN LOGIN", NULL},
    {LIT("u\n"), LIT("p"), NONE, NONE, NULL, "PLAIN LOGIN", NULL},
    {LIT("u"), LIT("p\r\n"), NONE, NONE, NULL, "CRAM-MD5 PLAIN LOGIN", NULL},
    {LIT("u\xc3\xbc"), LIT("p"), NONE, NONE, NULL, "CRAM-MD5 PLAIN LOGIN",
     NULL},
    {LIT("u"), LIT("p\xfc"), NONE, NONE, NULL, "CRAM-MD5 PLAIN LOGIN", NULL},
    {LIT("u"), LIT("p"), LIT("z\xfc"), NONE, NULL, "PLAIN", NULL},
    {LIT("u"), LIT("p\x7f"), NONE, NONE, NULL, "CRAM-MD5 PLAIN LOGIN", NULL},
    {LIT("u"), LIT("p\x1f"), NONE, NONE, NULL, "CRAM-MD5 PLAIN LOGIN", NULL},
    {LIT(" ~"), LIT("~ "), NONE, NONE, NULL, SCRAMS "CRAM-MD5 PLAIN LOGIN",
     NULL},

    /* What a token and its user can be. */
    {LIT("u\001"), NONE, NONE, LIT("t"), NULL, NULL, "NUL or 0x01"},
    {LIT("u"), NONE, LIT("z\001"), LIT("t"), NULL, NULL, "NUL or 0x01"},
    {LIT("u"), NONE, LIT("z\0"), LIT("t"), NULL, NULL, "NUL or 0x01"},
    {LIT("u\001"), LIT("p"), NONE, LIT("t"), NULL, "CRAM-MD5 PLAIN LOGIN",
     NULL},
    {LIT("u"), NONE, NONE, LIT("t k"), NULL, NULL, "controls, blanks"},
    {LIT("u"), NONE, NONE, LIT("t\n"), NULL, NULL, "controls, blanks"},
    {LIT("u"), NONE, NONE, LIT("t\x7f"), NULL, NULL, "controls, blanks"},
    {LIT("u"), NONE, NONE, LIT("t\0"), NULL, NULL, "controls, blanks"},
    {LIT("u"), NONE, NONE, LIT("\x80"), NULL, NULL, "controls, blanks"},
    {LIT("u"), NONE, NONE, LIT("!~"), NULL, "OAUTHBEARER XOAUTH2", NULL},

    /* Named: in the order of their strength, each once, in any case. */
    {LIT("u"), LIT("p"), NONE, NONE, "plain", "PLAIN", NULL},
    {LIT("u"), LIT("p"), NONE, NONE, " LOGIN,\tscram-sha-1  , PLAIN login",
     "SCRAM-SHA-1 PLAIN LOGIN", NULL},
    {LIT("u"), LIT("p"), NONE, NONE, "EXTERNAL PLAIN", "PLAIN EXTERNAL", NULL},
    {LIT("u"), LIT("p"), NONE, NONE, "", NULL, "no mechanism is named"},
    {LIT("u"), LIT("p"), NONE, NONE, " ,", NULL, "no mechanism is named"},
    {LIT("u"), LIT("p"), NONE, NONE, "PLAIN,NTLM", NULL, "that there is not"},
    {LIT("u"), LIT("p"), NONE, NONE, "PLAI", NULL, "that there is not"},
    {LIT("u"), LIT("p"), NONE, NONE, "PLAIN2", NULL, "that there is not"},
    {LIT("u"), LIT("p"), NONE, NONE, "PLAIN;LOGIN", NULL, "that there is not"},
    {LIT("u"), LIT("p"), NONE, NONE, "XOAUTH2", NULL, "need a token"},
    {LIT("u"), NONE, NONE, NONE, "LOGIN", NULL, "LOGIN needs"},
    {LIT("u"), NONE, NONE, NONE, "EXTERNAL", "EXTERNAL", NULL},
    {LIT("u"), NONE, NONE, NONE, "CRAM-MD5", NULL, "CRAM-MD5 needs"},
    {NONE, LIT("p"), NONE, NONE, "CRAM-MD5", NULL, "CRAM-MD5 needs"},
    {NONE, LIT("p"), NONE, NONE, "LOGIN", NULL, "LOGIN needs"},
    {NONE, LIT("p"), NONE, NONE, "SCRAM-SHA-256", NULL, "SCRAM needs"},
    {LIT("u"), NONE, NONE, NONE, "SCRAM-SHA-1", NULL, "SCRAM needs"},
    {NONE, NONE, NONE, LIT("t"), "XOAUTH2", NULL, "XOAUTH2 needs a user"},
    {LIT("u"), LIT("p"), LIT("z"), NONE, "LOGIN", NULL, "carry an authzid"},
    {LIT("u"), LIT("p"), LIT("z"), NONE, "CRAM-MD5", NULL, "carry an authzid"},
    {LIT("u"), NONE, LIT("z"), LIT("t"), "XOAUTH2", NULL, "carry an authzid"},
    {LIT("u\0v"), LIT("p"), NONE, NONE, "PLAIN", NULL, "PLAIN can't carry a N"},
    {LIT("u"), LIT("\0v"), NONE, NONE, "PLAIN", NULL, "PLAIN can't carry a N"},
    {LIT("u"), LIT("p"), NONE, NONE, "PLAIN LOGIN", "PLAIN LOGIN", NULL},
    {LIT("u\0v"), LIT("p"), NONE, NONE, "PLAIN LOGIN", NULL, "carry a NUL"},
    {LIT("u\0v"), LIT("p"), NONE, NONE, "CRAM-MD5", NULL, "a NUL, CR or LF"},
    {LIT("u\r"), LIT("p"), NONE, NONE, "CRAM-MD5", NULL, "a NUL, CR or LF"},
    {LIT("u\n"), LIT("p"), NONE, NONE, "CRAM-MD5", NULL, "a NUL, CR or LF"},
    {LIT("u\xff"), LIT("p"), NONE, NONE, "SCRAM-SHA-1", NULL, "ASCII only"},
    {LIT("u"), LIT("\tp"), NONE, NONE, "SCRAM-SHA-256", NULL, "ASCII only"},
    {LIT("u"), LIT("p"), LIT("\x80"), NONE, "SCRAM-SHA-256-PLUS", NULL,
     "ASCII only"},
};

static void test_choice(void** state) {
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
    uvsmtp_credentials_config_t c = UVSMTP_CREDENTIALS_CONFIG_INIT;
    uvsmtp_credentials_t* made = (uvsmtp_credentials_t*)&c;
    const case_t* t = &cases[i];
    const char* why = "(none)";
    int rc;
    c.user = t->user;
    c.user_len = t->user_len;
    c.password = t->password;
    c.password_len = t->password_len;
    c.authzid = t->authzid;
    c.authzid_len = t->authzid_len;
    c.token = t->token;
    c.token_len = t->token_len;
    c.mechs = t->mechs;
    rc = uvsmtp_credentials_new(&made, &c, &why);
    if (t->names != NULL) {
      if (rc != 0) fail_msg("case %zu: %s", i, why);
      if (strcmp(names_of(made), t->names) != 0)
        fail_msg("case %zu: %s", i, names_of(made));
      assert_string_equal(why, "(none)");
      uvsmtp_credentials_unref(made);
      continue;
    }
    if (rc != -EINVAL) fail_msg("case %zu: %d", i, rc);
    assert_null(made);
    if (strstr(why, t->why) == NULL) fail_msg("case %zu: %s", i, why);
  }
}

/* One octet more than a response may have. */
static void test_lengths(void** state) {
  static char text[UVSMTP__AUTH_RAW_MAX + 1];
  static const struct {
    const char* mech;
    size_t user;
    size_t password;
    size_t authzid;
    size_t token;
    int rc;
  } t[] = {
      {"PLAIN", 1, UVSMTP__AUTH_RAW_MAX - 3, 0, 0, 0},
      {"PLAIN", 1, UVSMTP__AUTH_RAW_MAX - 2, 0, 0, -EINVAL},
      {"PLAIN", 1, UVSMTP__AUTH_RAW_MAX - 4, 1, 0, 0},
      {"PLAIN", 1, UVSMTP__AUTH_RAW_MAX - 3, 1, 0, -EINVAL},
      {"LOGIN", UVSMTP__AUTH_RAW_MAX, UVSMTP__AUTH_RAW_MAX, 0, 0, 0},
      {"LOGIN", UVSMTP__AUTH_RAW_MAX + 1, 1, 0, 0, -EINVAL},
      {"LOGIN", 1, UVSMTP__AUTH_RAW_MAX + 1, 0, 0, -EINVAL},
      {"CRAM-MD5", UVSMTP__AUTH_RAW_MAX - 33, 1, 0, 0, 0},
      {"CRAM-MD5", UVSMTP__AUTH_RAW_MAX - 32, 1, 0, 0, -EINVAL},
      {"CRAM-MD5", 1, UVSMTP__AUTH_RAW_MAX + 1, 0, 0, 0},
      {"EXTERNAL", 0, 0, UVSMTP__AUTH_RAW_MAX, 0, 0},
      {"EXTERNAL", 0, 0, UVSMTP__AUTH_RAW_MAX + 1, 0, -EINVAL},
      {"OAUTHBEARER", 0, 0, 0, UVSMTP__AUTH_RAW_MAX, 0},
      {"OAUTHBEARER", 0, 0, 0, UVSMTP__AUTH_RAW_MAX + 1, -EINVAL},
      {"OAUTHBEARER", UVSMTP__AUTH_RAW_MAX + 1, 0, 0, 1, -EINVAL},
      {"OAUTHBEARER", 0, 0, UVSMTP__AUTH_RAW_MAX + 1, 1, -EINVAL},
  };
  size_t i;
  (void)state;
  memset(text, 'x', sizeof(text));
  for (i = 0; i < sizeof(t) / sizeof(*t); i++) {
    uvsmtp_credentials_config_t c = UVSMTP_CREDENTIALS_CONFIG_INIT;
    uvsmtp_credentials_t* made = NULL;
    int rc;
    c.user = t[i].user == 0 ? NULL : text;
    c.user_len = t[i].user;
    c.password = t[i].password == 0 ? NULL : text;
    c.password_len = t[i].password;
    c.authzid = t[i].authzid == 0 ? NULL : text;
    c.authzid_len = t[i].authzid;
    c.token = t[i].token == 0 ? NULL : text;
    c.token_len = t[i].token;
    c.mechs = t[i].mech;
    rc = uvsmtp_credentials_new(&made, &c, NULL);
    if (rc != t[i].rc) fail_msg("case %zu: %d", i, rc);
    uvsmtp_credentials_unref(made);
  }
}

static void expect_refused(const uvsmtp_credentials_config_t* c,
                           const char* words) {
  uvsmtp_credentials_t* made = NULL;
  const char* why = "(none)";
  assert_int_equal(uvsmtp_credentials_new(&made, c, &why), -EINVAL);
  assert_null(made);
  if (strstr(why, words) == NULL) fail_msg("%s", why);
}

static void test_config(void** state) {
  uvsmtp_credentials_config_t c = UVSMTP_CREDENTIALS_CONFIG_INIT;
  uvsmtp_credentials_t* made = NULL;
  uvsmtp_mem_t mem = {sizeof(mem), test_alloc, NULL};
  struct {
    uvsmtp_credentials_config_t c;
    char more[8];
  } newer = {UVSMTP_CREDENTIALS_CONFIG_INIT, {0}};
  (void)state;
  c.user = "u";
  c.password = "p";
  assert_int_equal(uvsmtp_credentials_new(NULL, &c, NULL), -EINVAL);
  assert_int_equal(uvsmtp_credentials_new(&made, NULL, NULL), -EINVAL);
  expect_refused(NULL, "config");
  c.size = offsetof(uvsmtp_credentials_config_t, flags);
  expect_refused(&c, "config");
  c.size = sizeof(c);

  newer.c.size = sizeof(newer);
  assert_int_equal(uvsmtp_credentials_new(&made, &newer.c, NULL), 0);
  uvsmtp_credentials_unref(made);
  newer.more[0] = 1;
  expect_refused(&newer.c, "config");

  c.flags = 1u << 3;
  expect_refused(&c, "flag");
  c.flags = UVSMTP_AUTH_FORCE;
  expect_refused(&c, "forced");
  c.mechs = "PLAIN";
  c.flags |= UVSMTP_AUTH_ALLOW_PLAINTEXT | UVSMTP_AUTH_NO_INITIAL_RESPONSE;
  assert_int_equal(uvsmtp_credentials_new(&made, &c, NULL), 0);
  assert_int_equal(made->flags, 7);
  uvsmtp_credentials_unref(made);

  c.mem = &mem;
  mem.alloc = NULL;
  expect_refused(&c, "memory");
  mem.alloc = test_alloc;
  mem.size--;
  expect_refused(&c, "memory");
  c.mem = NULL;

  c.mechs = NULL;
  c.flags = 0;
  c.token = "t";
  c.token_cb = any_token;
  expect_refused(&c, "a token, and a function");
  c.token = NULL;
  assert_int_equal(uvsmtp_credentials_new(&made, &c, NULL), 0);
  assert_string_equal(names_of(made),
                      SCRAMS "CRAM-MD5 OAUTHBEARER XOAUTH2 PLAIN LOGIN");
  uvsmtp_credentials_unref(made);
  c.user = NULL;
  c.password = NULL;
  assert_int_equal(uvsmtp_credentials_new(&made, &c, NULL), 0);
  assert_string_equal(names_of(made), "OAUTHBEARER");
  uvsmtp_credentials_unref(made);
  /* Lengths that no memory has. */
  c.user = "u";
  c.user_len = SIZE_MAX;
  assert_int_equal(uvsmtp_credentials_new(&made, &c, NULL), -ENOMEM);
}

static void test_own(void** state) {
  uvsmtp_credentials_config_t c = UVSMTP_CREDENTIALS_CONFIG_INIT;
  uvsmtp_mech_t a = UVSMTP_MECH_INIT("X-A_9", 0, own_step);
  uvsmtp_mech_t b = UVSMTP_MECH_INIT("PLAIN", 0, own_step);
  const uvsmtp_mech_t* list[2];
  static const char* const bad[] = {"",      "x-a", "X A",
                                    "X\xc3", "X=",  "ABCDEFGHIJKLMNOPQRSTU"};
  uvsmtp_credentials_t* made = NULL;
  size_t i;
  (void)state;
  list[0] = &a;
  list[1] = &b;
  c.own = list;
  c.nown = 1;
  assert_int_equal(uvsmtp_credentials_new(&made, &c, NULL), 0);
  assert_string_equal(names_of(made), "X-A_9");
  uvsmtp_credentials_unref(made);
  c.flags = UVSMTP_AUTH_FORCE;
  assert_int_equal(uvsmtp_credentials_new(&made, &c, NULL), 0);
  uvsmtp_credentials_unref(made);
  c.mechs = "";
  assert_int_equal(uvsmtp_credentials_new(&made, &c, NULL), 0);
  uvsmtp_credentials_unref(made);
  c.flags = 0;

  /* What is not named is not forced. */
  c.flags = UVSMTP_AUTH_FORCE;
  c.mechs = NULL;
  c.user = "u";
  c.password = "p";
  assert_int_equal(uvsmtp_credentials_new(&made, &c, NULL), 0);
  assert_string_equal(names_of(made), "X-A_9");
  uvsmtp_credentials_unref(made);
  c.mechs = "PLAIN";
  assert_int_equal(uvsmtp_credentials_new(&made, &c, NULL), 0);
  assert_string_equal(names_of(made), "X-A_9 PLAIN");
  uvsmtp_credentials_unref(made);
  c.flags = 0;

  /* Before all others, and instead of one of that name. */
  c.mechs = NULL;
  c.nown = 2;
  c.user = "u";
  c.password = "p";
  assert_int_equal(uvsmtp_credentials_new(&made, &c, NULL), 0);
  list[0] = NULL; /* it has its own list */
  assert_string_equal(names_of(made), "X-A_9 PLAIN " SCRAMS "CRAM-MD5 LOGIN");
  assert_ptr_equal(made->mechs[1], &b);
  uvsmtp_credentials_unref(made);
  list[0] = &a;
  c.mechs = "login,plain,x-a_9";
  assert_int_equal(uvsmtp_credentials_new(&made, &c, NULL), 0);
  assert_string_equal(names_of(made), "X-A_9 PLAIN LOGIN");
  assert_ptr_equal(made->mechs[1], &b);
  uvsmtp_credentials_unref(made);
  c.mechs = "X-A_8";
  expect_refused(&c, "that there is not");
  /* They may carry what others can't. */
  c.mechs = NULL;
  c.user = "u\001";
  c.password = NULL;
  assert_int_equal(uvsmtp_credentials_new(&made, &c, NULL), 0);
  assert_string_equal(names_of(made), "X-A_9 PLAIN");
  uvsmtp_credentials_unref(made);

  for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
    a.name = bad[i];
    expect_refused(&c, "whose name");
  }
  a.name = NULL;
  expect_refused(&c, "whose name");
  a.name = "ABCDEFGHIJKLMNOPQRST";
  assert_int_equal(uvsmtp_credentials_new(&made, &c, NULL), 0);
  uvsmtp_credentials_unref(made);
  a.step = NULL;
  expect_refused(&c, "not filled in");
  a.step = own_step;
  a.size--;
  expect_refused(&c, "not filled in");
  a.size++;
  a.flags = 1u << 4;
  expect_refused(&c, "not filled in");
  a.flags = 7;
  list[1] = NULL;
  expect_refused(&c, "not filled in");
  c.nown = 257;
  expect_refused(&c, "more mechanisms");
  c.nown = 1;
  c.own = NULL;
  expect_refused(&c, "nown without own");
}

/* ------------------------------------------------------------------ memory */

static const char user[] = "someone@example.org";
static const char password[] = "correct horse battery";
static const char authzid[] = "somebody-else";
static const char token[] = "ya29.A0AfH6SMBx";
static const char* const secrets[] = {user, password, authzid, token, NULL};

static void fill(uvsmtp_credentials_config_t* c, const uvsmtp_mem_t* mem) {
  static const uvsmtp_credentials_config_t init =
      UVSMTP_CREDENTIALS_CONFIG_INIT;
  *c = init;
  c->mem = mem;
  c->user = user;
  c->password = password;
  c->authzid = authzid;
  c->token = token;
}

/* Where a secret can be, a test can find it. */
static void test_search(void** state) {
  static const char* const found[] = {
      "xxhunter22x", "aHVudGVyMjI=",      /* hunter22 */
      "eGh1bnRlcjIy", "eHhodW50ZXIyMng=", /* x.., xx..x */
      "==eHh4aHVudGVyMjJ4"                /* xxx..x */
  };
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(found) / sizeof(*found); i++)
    if (!test_holds(found[i], strlen(found[i]), "hunter22"))
      fail_msg("not found in %s", found[i]);
  assert_false(test_holds("hunter2hunter", 13, "hunter22"));
  assert_false(test_holds("aHVudGVyMTI=", 12, "hunter22"));
}

static void test_copies(void** state) {
  test_alloc_t a = {0};
  uvsmtp_mem_t mem = {sizeof(mem), test_alloc, &a};
  uvsmtp_credentials_config_t c;
  uvsmtp_credentials_t* made = NULL;
  char text[] = "octets of the caller's";
  uvsmtp__sasl_t* sasl;
  (void)state;
  fill(&c, &mem);
  c.user = text;
  assert_int_equal(uvsmtp_credentials_new(&made, &c, NULL), 0);
  mem.alloc = NULL; /* copied */
  memset(text, 'x', sizeof(text) - 1);
  assert_int_equal(a.requests, 1); /* one block, so that one wipe is enough */
  assert_int_equal(made->user.len, sizeof(text) - 1);
  assert_memory_equal(made->user.base, "octets of the caller's",
                      sizeof(text) - 1);
  assert_int_equal(made->password.len, sizeof(password) - 1);
  assert_memory_equal(made->password.base, password, sizeof(password) - 1);
  assert_int_equal(made->authzid.len, sizeof(authzid) - 1);
  assert_memory_equal(made->authzid.base, authzid, sizeof(authzid) - 1);
  sasl = (uvsmtp__sasl_t*)made;
  assert_int_equal(sasl->token.len, sizeof(token) - 1);
  assert_memory_equal(sasl->token.base, token, sizeof(token) - 1);

  /* Counted. */
  assert_ptr_equal(uvsmtp_credentials_ref(made), made);
  uvsmtp_credentials_unref(made);
  assert_int_equal(a.blocks, 1);
  a.secrets = secrets;
  uvsmtp_credentials_unref(made);
  assert_int_equal(a.blocks, 0);
  assert_int_equal(a.leaks, 0);
  assert_null(uvsmtp_credentials_ref(NULL));
  uvsmtp_credentials_unref(NULL);
}

/* The engine asks for these. */
static void test_functions(void** state) {
  uvsmtp_credentials_config_t c;
  uvsmtp_credentials_t* made = NULL;
  char text[16];
  (void)state;
  fill(&c, NULL);
  assert_int_equal(uvsmtp_credentials_new(&made, &c, NULL), 0);
  made->secrets->encode(text, "any \xff", 5);
  assert_memory_equal(text, "YW55IP8=", 8);
  assert_int_equal(made->secrets->decode(text + 8, text, 8), 5);
  assert_memory_equal(text + 8, "any \xff", 5);
  assert_int_equal(made->secrets->decode(text + 8, "YW55IP8", 7), -EINVAL);
  made->secrets->wipe(text, 8);
  assert_memory_equal(text, "\0\0\0\0\0\0\0\0", 8);
  assert_ptr_equal(((uvsmtp__sasl_t*)made)->derived.next,
                   &((uvsmtp__sasl_t*)made)->derived);
  made->secrets->gone(made);
}

static void test_failures(void** state) {
  test_alloc_t a = {0};
  uvsmtp_mem_t mem = {sizeof(mem), test_alloc, &a};
  uvsmtp_credentials_config_t c;
  uvsmtp_credentials_t* made = NULL;
  const char* why = "(none)";
  (void)state;
  a.secrets = secrets;
  fill(&c, &mem);
  a.fail_at = 1;
  assert_int_equal(uvsmtp_credentials_new(&made, &c, &why), -ENOMEM);
  assert_string_equal(why, "no memory");
  assert_null(made);
  assert_int_equal(a.failed, 1);
  /* Copied, then found not to be sayable. */
  c.mechs = "LOGIN";
  assert_int_equal(uvsmtp_credentials_new(&made, &c, &why), -EINVAL);
  assert_int_equal(a.requests, 2);
  assert_int_equal(a.blocks, 0);
  assert_int_equal(a.leaks, 0);
}

static void test_list(void** state) {
  static const char* const names[] = {"SCRAM-SHA-256-PLUS",
                                      "SCRAM-SHA-256",
                                      "SCRAM-SHA-1",
                                      "CRAM-MD5",
                                      "OAUTHBEARER",
                                      "XOAUTH2",
                                      "PLAIN",
                                      "LOGIN",
                                      "EXTERNAL"};
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(names) / sizeof(*names); i++) {
    const uvsmtp_mech_t* m = uvsmtp_mech_at(i);
    char lower[32];
    size_t j;
    assert_non_null(m);
    assert_int_equal(m->size, sizeof(*m));
    assert_non_null(m->step);
    assert_string_equal(m->name, names[i]);
    for (j = 0; j <= strlen(m->name); j++)
      lower[j] = (char)(m->name[j] >= 'A' ? m->name[j] | 0x20 : m->name[j]);
    assert_ptr_equal(uvsmtp_mech(m->name), m);
    assert_ptr_equal(uvsmtp_mech(lower), m);
    /* Only what proves itself is MUTUAL. */
    assert_int_equal((m->flags & UVSMTP_MECH_MUTUAL) != 0, i < 3);
    assert_int_equal((m->flags & UVSMTP_MECH_CLIENT_FIRST) == 0, i == 3);
    assert_int_equal((m->flags & UVSMTP_MECH_ANY_CHALLENGE) != 0,
                     i == 6 || i == 7);
  }
  assert_null(uvsmtp_mech_at(i));
  assert_null(uvsmtp_mech_at(SIZE_MAX));
  assert_null(uvsmtp_mech(NULL));
  assert_null(uvsmtp_mech(""));
  assert_null(uvsmtp_mech("SCRAM-SHA-25"));
  assert_null(uvsmtp_mech("SCRAM-SHA-256-"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_choice),    cmocka_unit_test(test_lengths),
      cmocka_unit_test(test_config),    cmocka_unit_test(test_own),
      cmocka_unit_test(test_search),    cmocka_unit_test(test_copies),
      cmocka_unit_test(test_functions), cmocka_unit_test(test_failures),
      cmocka_unit_test(test_list),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
