/* SPDX-License-Identifier: MIT */
/* test_params.c: the typed parameters of MAIL and RCPT: their form, what a
 * server offers, and how they are written. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "core/params.h"
#include "ehlo.h"
#include "uvsmtp/errors.h"

/* Fifty letters, and ten. */
#define L10 "abcdefghij"
#define L50 L10 L10 L10 L10 L10
#define E_ACUTE "\xc3\xa9"       /* U+00E9 */
#define A_MACRON "\xc4\x80"      /* U+0100 */
#define KANJI "\xe6\xbc\xa2"     /* U+6F22 */
#define EMOJI "\xf0\x9f\x98\x80" /* U+1F600 */

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* The parameters' members, with short names that a table can set. */
#define M(...) \
  { .size = sizeof(uvsmtp_mail_params_t), __VA_ARGS__ }

/* -------------------------------------------------------------- raw options */

static void test_raw(void** state) {
  static const struct {
    const char* option;
    unsigned int raw;
  } cases[] = {
      {"BODY=7BIT", UVSMTP__RAW_BODY},
      {"SMTPUTF8", UVSMTP__RAW_SMTPUTF8},
      {"RET=FULL", UVSMTP__RAW_RET},
      {"envid=x", UVSMTP__RAW_ENVID},
      {"RequireTLS", UVSMTP__RAW_REQUIRETLS},
      {"BY=1;R", UVSMTP__RAW_BY},
      {"HOLDFOR=1", UVSMTP__RAW_HOLD},
      {"HOLDUNTIL=x", UVSMTP__RAW_HOLD},
      {"mt-priority=1", UVSMTP__RAW_PRIORITY},
      {"AUTH=<>", UVSMTP__RAW_AUTH},
      {"SIZE=1", UVSMTP__RAW_SIZE},
      {"NOTIFY=NEVER", UVSMTP__RAW_NOTIFY},
      {"ORCPT=rfc822;a", UVSMTP__RAW_ORCPT},
      {"XVERP", 0},
      {"BODYX=1", 0},
      {"BOD", 0},
      {"XBY=1", 0},
      {"X=BY=1", 0},
      {"REQUIRETLSS", 0},
      {"A-KEYWORD-LONGER-THAN-ANY=1", 0},
  };
  const char* all[COUNT(cases)];
  unsigned int together = 0;
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); i++) {
    all[i] = cases[i].option;
    assert_int_equal(uvsmtp__raw_keywords(&cases[i].option, 1), cases[i].raw);
    together |= cases[i].raw;
  }
  assert_int_equal(uvsmtp__raw_keywords(all, COUNT(all)), together);
  assert_int_equal(together, (1u << 12) - 1);
  assert_int_equal(uvsmtp__raw_keywords(NULL, 0), 0);
}

/* --------------------------------------------------- well formed and written
 */

/* What goes out, in a block of the size that callers have. */
static void assert_mail(const uvsmtp_mail_params_t* m, unsigned int raw,
                        unsigned int omitted, const char* expected) {
  char* buf = malloc(UVSMTP__MAIL_PARAMS_MAX);
  size_t len;

  assert_non_null(buf);
  assert_int_equal(uvsmtp__params_check(m), 0);
  len = uvsmtp__params_put(m, raw, omitted, buf);
  assert_int_equal(len, strlen(buf));
  assert_string_equal(buf, expected);
  free(buf);
}

static void test_mail(void** state) {
  static const struct {
    uvsmtp_mail_params_t m;
    const char* expected;
  } cases[] = {
      {UVSMTP_MAIL_PARAMS_INIT, ""},
      {M(.flags = UVSMTP_MAIL_OPTIONAL), ""},
      /* BODY and SMTPUTF8 are the engine's. */
      {M(.body = UVSMTP_BODY_7BIT, .flags = UVSMTP_MAIL_SMTPUTF8), ""},
      {M(.body = UVSMTP_BODY_8BITMIME), ""},
      /* That of recipients is said at RCPT. */
      {M(.notify = UVSMTP_DSN_NEVER), ""},
      {M(.ret = UVSMTP_DSN_RET_FULL), " RET=FULL"},
      {M(.ret = UVSMTP_DSN_RET_HDRS), " RET=HDRS"},
      {M(.envid = "QQ314159"), " ENVID=QQ314159"},
      {M(.envid = "a b+c=d\\~!"), " ENVID=a+20b+2Bc+3Dd\\~!"},
      {M(.envid = L50 L50), " ENVID=" L50 L50},
      {M(.flags = UVSMTP_MAIL_REQUIRETLS), " REQUIRETLS"},
      {M(.by = UVSMTP_BY_NOTIFY, .by_seconds = 120), " BY=120;N"},
      {M(.by = UVSMTP_BY_NOTIFY), " BY=0;N"},
      {M(.by = UVSMTP_BY_NOTIFY, .by_seconds = -5), " BY=-5;N"},
      {M(.by = UVSMTP_BY_NOTIFY, .by_seconds = -999999999,
         .flags = UVSMTP_MAIL_BY_TRACE),
       " BY=-999999999;NT"},
      {M(.by = UVSMTP_BY_RETURN, .by_seconds = 1), " BY=1;R"},
      {M(.by = UVSMTP_BY_RETURN, .by_seconds = 999999999,
         .flags = UVSMTP_MAIL_BY_TRACE),
       " BY=999999999;RT"},
      {M(.hold_for = 1), " HOLDFOR=1"},
      {M(.hold_for = 999999999), " HOLDFOR=999999999"},
      {M(.hold_until = "2027-01-31T09:00:00Z"),
       " HOLDUNTIL=2027-01-31T09:00:00Z"},
      {M(.hold_until = "2027-01-01t00:30:00.75+01:00"),
       " HOLDUNTIL=2026-12-31T23:30:00Z"},
      {M(.hold_until = "1990-12-31T23:59:60Z"),
       " HOLDUNTIL=1991-01-01T00:00:00Z"},
      {M(.flags = UVSMTP_MAIL_PRIORITY), " MT-PRIORITY=0"},
      {M(.flags = UVSMTP_MAIL_PRIORITY, .priority = 9), " MT-PRIORITY=9"},
      {M(.flags = UVSMTP_MAIL_PRIORITY, .priority = -9), " MT-PRIORITY=-9"},
      {M(.auth = "a@b.example"), " AUTH=a@b.example"},
      {M(.auth = "Zoe <zoe@b.example>"), " AUTH=zoe@b.example"},
      {M(.auth = ""), " AUTH=<>"},
      {M(.auth = "<>"), " AUTH=<>"},
      {M(.auth = "e=mc2+x@example.com"), " AUTH=e+3Dmc2+2Bx@example.com"},
      {M(.auth = "\"a b\"@b.example"), " AUTH=\"a+20b\"@b.example"},
      {M(.auth = "z" E_ACUTE "@b.example"), " AUTH=z+C3+A9@b.example"},
      {M(.ret = UVSMTP_DSN_RET_HDRS, .envid = "x",
         .flags = UVSMTP_MAIL_REQUIRETLS | UVSMTP_MAIL_PRIORITY |
                  UVSMTP_MAIL_OPTIONAL | UVSMTP_MAIL_SMTPUTF8,
         .by = UVSMTP_BY_RETURN, .by_seconds = 60, .hold_for = 5, .priority = 3,
         .auth = "a@b"),
       " RET=HDRS ENVID=x REQUIRETLS BY=60;R HOLDFOR=5 MT-PRIORITY=3 AUTH=a@b"},
  };
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); i++)
    assert_mail(&cases[i].m, 0, 0, cases[i].expected);
}

/* Each is left out alone. */
static void test_left_out(void** state) {
  static const uvsmtp_mail_params_t m =
      M(.ret = UVSMTP_DSN_RET_FULL, .envid = "x",
        .flags = UVSMTP_MAIL_REQUIRETLS | UVSMTP_MAIL_PRIORITY,
        .by = UVSMTP_BY_NOTIFY, .by_seconds = 6, .hold_for = 5, .auth = "a@b");
  static const uvsmtp_mail_params_t until =
      M(.hold_until = "2027-01-31T09:00:00Z");
  static const struct {
    unsigned int raw;
    unsigned int omitted;
    const char* expected;
  } cases[] = {
      {0, 0,
       " RET=FULL ENVID=x REQUIRETLS BY=6;N HOLDFOR=5 MT-PRIORITY=0 AUTH=a@b"},
      {UVSMTP__RAW_RET, 0,
       " ENVID=x REQUIRETLS BY=6;N HOLDFOR=5 MT-PRIORITY=0 AUTH=a@b"},
      {UVSMTP__RAW_ENVID, 0,
       " RET=FULL REQUIRETLS BY=6;N HOLDFOR=5 MT-PRIORITY=0 AUTH=a@b"},
      {UVSMTP__RAW_REQUIRETLS, 0,
       " RET=FULL ENVID=x BY=6;N HOLDFOR=5 MT-PRIORITY=0 AUTH=a@b"},
      {UVSMTP__RAW_BY, 0,
       " RET=FULL ENVID=x REQUIRETLS HOLDFOR=5 MT-PRIORITY=0 AUTH=a@b"},
      {UVSMTP__RAW_HOLD, 0,
       " RET=FULL ENVID=x REQUIRETLS BY=6;N MT-PRIORITY=0 AUTH=a@b"},
      {UVSMTP__RAW_PRIORITY, 0,
       " RET=FULL ENVID=x REQUIRETLS BY=6;N HOLDFOR=5 AUTH=a@b"},
      {UVSMTP__RAW_AUTH, 0,
       " RET=FULL ENVID=x REQUIRETLS BY=6;N HOLDFOR=5 MT-PRIORITY=0"},
      {0, UVSMTP_OMITTED_DSN,
       " REQUIRETLS BY=6;N HOLDFOR=5 MT-PRIORITY=0 AUTH=a@b"},
      {0, UVSMTP_OMITTED_DELIVERBY,
       " RET=FULL ENVID=x REQUIRETLS HOLDFOR=5 MT-PRIORITY=0 AUTH=a@b"},
      {0, UVSMTP_OMITTED_PRIORITY,
       " RET=FULL ENVID=x REQUIRETLS BY=6;N HOLDFOR=5 AUTH=a@b"},
      {0, UVSMTP_OMITTED_AUTH,
       " RET=FULL ENVID=x REQUIRETLS BY=6;N HOLDFOR=5 MT-PRIORITY=0"},
      {UVSMTP__RAW_BODY | UVSMTP__RAW_SMTPUTF8 | UVSMTP__RAW_SIZE |
           UVSMTP__RAW_NOTIFY | UVSMTP__RAW_ORCPT,
       0,
       " RET=FULL ENVID=x REQUIRETLS BY=6;N HOLDFOR=5 MT-PRIORITY=0 AUTH=a@b"},
      {~0u, ~0u, ""},
  };
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); i++)
    assert_mail(&m, cases[i].raw, cases[i].omitted, cases[i].expected);
  assert_mail(&until, UVSMTP__RAW_HOLD, 0, "");
}

static void assert_rcpt(unsigned int notify, const char* orcpt,
                        unsigned int raw, int utf8, const char* expected) {
  char* buf = malloc(UVSMTP__RCPT_PARAMS_MAX);
  size_t len;

  assert_non_null(buf);
  assert_int_equal(uvsmtp__rcpt_params_check(notify, orcpt), 0);
  len = uvsmtp__rcpt_params_put(notify, orcpt, raw, utf8, buf);
  assert_int_equal(len, strlen(buf));
  assert_string_equal(buf, expected);
  free(buf);
}

static void test_notify(void** state) {
  static const struct {
    unsigned int notify;
    const char* expected;
  } cases[] = {
      {0, ""},
      {UVSMTP_DSN_NEVER, " NOTIFY=NEVER"},
      {UVSMTP_DSN_SUCCESS, " NOTIFY=SUCCESS"},
      {UVSMTP_DSN_FAILURE, " NOTIFY=FAILURE"},
      {UVSMTP_DSN_DELAY, " NOTIFY=DELAY"},
      {UVSMTP_DSN_DELAY | UVSMTP_DSN_SUCCESS, " NOTIFY=SUCCESS,DELAY"},
      {UVSMTP_DSN_DELAY | UVSMTP_DSN_FAILURE, " NOTIFY=FAILURE,DELAY"},
      {UVSMTP_DSN_FAILURE | UVSMTP_DSN_SUCCESS, " NOTIFY=SUCCESS,FAILURE"},
      {UVSMTP_DSN_DELAY | UVSMTP_DSN_FAILURE | UVSMTP_DSN_SUCCESS,
       " NOTIFY=SUCCESS,FAILURE,DELAY"},
  };
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); i++) {
    assert_rcpt(cases[i].notify, NULL, 0, 0, cases[i].expected);
    assert_rcpt(cases[i].notify, NULL, UVSMTP__RAW_NOTIFY, 0, "");
  }
  assert_rcpt(UVSMTP_DSN_NEVER, "a@b", 0, 0, " NOTIFY=NEVER ORCPT=rfc822;a@b");
  assert_rcpt(UVSMTP_DSN_NEVER, "a@b", UVSMTP__RAW_ORCPT, 0, " NOTIFY=NEVER");
  assert_rcpt(UVSMTP_DSN_NEVER, "a@b", UVSMTP__RAW_NOTIFY, 0,
              " ORCPT=rfc822;a@b");
}

/* wide: with SMTPUTF8, where that is different. */
static void test_orcpt(void** state) {
  static const struct {
    const char* orcpt;
    const char* expected;
    const char* wide;
  } cases[] = {
      {"a@b.example", " ORCPT=rfc822;a@b.example", NULL},
      {"Zoe <zoe@b.example>", " ORCPT=rfc822;zoe@b.example", NULL},
      {"postmaster", " ORCPT=rfc822;postmaster", NULL},
      {"a+b=c@d.example", " ORCPT=rfc822;a+2Bb+3Dc@d.example", NULL},
      {"\"a b;c\"@d.example", " ORCPT=rfc822;\"a+20b;c\"@d.example", NULL},
      {"rfc822;a+b@c", " ORCPT=rfc822;a+2Bb@c", NULL},
      {"RFC822;a@b", " ORCPT=RFC822;a@b", NULL},
      {"rfc822;not an address", " ORCPT=rfc822;not+20an+20address", NULL},
      {"rfc822;<a@b>\\", " ORCPT=rfc822;<a@b>\\", NULL},
      {"rfc822;;", " ORCPT=rfc822;;", NULL},
      {"x400;/G=Z/S=Y/", " ORCPT=x400;/G+3DZ/S+3DY/", NULL},
      {"x;c", " ORCPT=x;c", NULL},
      {"x-a.b;c", NULL, NULL}, /* "." is no part of an atom */
      {"!#$%&'*+-/?^_`{|}~;c", " ORCPT=!#$%&'*+-/?^_`{|}~;c", NULL},
      /* RFC 6533 3 */
      {"z" E_ACUTE "@b.example", " ORCPT=utf-8;z\\x{E9}@b.example",
       " ORCPT=utf-8;z" E_ACUTE "@b.example"},
      {"a@b" A_MACRON KANJI ".example",
       " ORCPT=utf-8;a@b\\x{100}\\x{6F22}.example",
       " ORCPT=utf-8;a@b" A_MACRON KANJI ".example"},
      {EMOJI "+=\\@b", NULL, NULL},
      {EMOJI "+=@b", " ORCPT=utf-8;\\x{1F600}\\x{2B}\\x{3D}@b",
       " ORCPT=utf-8;" EMOJI "\\x{2B}\\x{3D}@b"},
      {"utf-8;" EMOJI "\\ x", " ORCPT=utf-8;\\x{1F600}\\x{5C}\\x{20}x",
       " ORCPT=utf-8;" EMOJI "\\x{5C}\\x{20}x"},
      {"UTF-8;plain@b+c", " ORCPT=UTF-8;plain@b\\x{2B}c", NULL},
      {"utf-8;\xf4\x8f\xbf\xbf\xc2\x80", " ORCPT=utf-8;\\x{10FFFF}\\x{80}",
       " ORCPT=utf-8;\xf4\x8f\xbf\xbf\xc2\x80"},
      {"utf-8;\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf",
       " ORCPT=utf-8;\\x{7FF}\\x{800}\\x{FFFF}",
       " ORCPT=utf-8;\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"},
  };
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); i++) {
    if (cases[i].expected == NULL) {
      assert_int_equal(uvsmtp__rcpt_params_check(0, cases[i].orcpt), -EINVAL);
      continue;
    }
    assert_rcpt(0, cases[i].orcpt, 0, 0, cases[i].expected);
    assert_rcpt(0, cases[i].orcpt, 0, 1,
                cases[i].wide != NULL ? cases[i].wide : cases[i].expected);
  }
}

/* ------------------------------------------------------------- malformed */

static void test_malformed(void** state) {
  static const uvsmtp_mail_params_t cases[] = {
      M(.flags = 1u << 5),
      M(.flags = 1u << 31),
      M(.body = -1),
      M(.body = 3),
      M(.ret = -1),
      M(.ret = 3),
      M(.notify = UVSMTP_DSN_NEVER | UVSMTP_DSN_SUCCESS),
      M(.notify = UVSMTP_DSN_NEVER | UVSMTP_DSN_FAILURE | UVSMTP_DSN_DELAY),
      M(.notify = 1u << 4),
      M(.notify = UVSMTP_DSN_NEVER | 1u << 4),
      M(.notify = UVSMTP_DSN_SUCCESS | 1u << 31),
      M(.envid = ""),
      M(.envid = L50 L50 "x"),
      M(.envid = "a\tb"),
      M(.envid = "\tb"),
      M(.envid = "a\r\nRCPT TO:<x>"),
      M(.envid = "a\x7f"),
      M(.envid = E_ACUTE),
      M(.by = -1),
      M(.by = 3, .by_seconds = 5),
      M(.by_seconds = 5),
      M(.flags = UVSMTP_MAIL_BY_TRACE),
      M(.by = UVSMTP_BY_NOTIFY, .by_seconds = 1000000000),
      M(.by = UVSMTP_BY_NOTIFY, .by_seconds = -1000000000),
      M(.by = UVSMTP_BY_NOTIFY, .by_seconds = INT32_MIN),
      M(.by = UVSMTP_BY_RETURN, .by_seconds = 1000000000),
      M(.by = UVSMTP_BY_RETURN),
      M(.by = UVSMTP_BY_RETURN, .by_seconds = -1),
      M(.hold_for = 1000000000),
      M(.hold_for = UINT32_MAX),
      M(.hold_for = 1, .hold_until = "2027-01-31T09:00:00Z"),
      M(.hold_until = ""),
      M(.hold_until = "tomorrow"),
      M(.hold_until = "2027-02-29T09:00:00Z"),
      M(.hold_until = "2027-01-31T09:00:00"),
      M(.hold_until = "2027-01-31T09:00:00Z\r\nX"),
      M(.priority = 1),
      M(.flags = UVSMTP_MAIL_PRIORITY, .priority = 10),
      M(.flags = UVSMTP_MAIL_PRIORITY, .priority = -10),
      M(.auth = "a b@c"),
      M(.auth = "a@b\r\nDATA"),
      M(.auth = "a@b>"),
      M(.auth = "a@b, c@d"),
      M(.auth = "\xc3@b"),
  };
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); i++)
    assert_int_equal(uvsmtp__params_check(&cases[i]), -EINVAL);
}

static void test_malformed_rcpt(void** state) {
  static const char* const cases[] = {
      "",
      "<>",
      ";",
      ";a@b",
      "rfc822;",
      "utf-8;",
      "rfc 822;a@b",
      " rfc822;a@b",
      "rfc822 ;a@b",
      "a=b;c",
      "(x);c",
      "r\xc3\xa9;c",
      "rfc822;" E_ACUTE "@b",
      "x400;\xc3\xa9",
      "rfc822;a\tb",
      "rfc822;\tb",
      "rfc822;a\r\nDATA",
      "rfc822;a\x7f",
      "utf-8;a\n",
      "utf-8;a\x7f",
      "utf-8;\xc3",
      "utf-8;\xc3(",
      "utf-8;\xed\xa0\x80",
      "utf-8;\xc0\x80",
      "utf-8;\xf4\x90\x80\x80",
      "a@b\r\nDATA",
      "a b@c",
      "a@b, c@d",
      "a@",
      "@b",
      "z\xe9@b",
  };
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); i++)
    assert_int_equal(uvsmtp__rcpt_params_check(0, cases[i]), -EINVAL);
  assert_int_equal(
      uvsmtp__rcpt_params_check(UVSMTP_DSN_NEVER | UVSMTP_DSN_DELAY, NULL),
      -EINVAL);
  assert_int_equal(uvsmtp__rcpt_params_check(1u << 4, "a@b"), -EINVAL);
  assert_int_equal(uvsmtp__rcpt_params_check(0, NULL), 0);
}

/* RFC 3461 5.4: 500 octets as encoded. */
static void test_longest(void** state) {
  static const char utf8[] = "utf-8;";
  uvsmtp_mail_params_t m = UVSMTP_MAIL_PARAMS_INIT;
  char text[600];
  char buf[UVSMTP__MAIL_PARAMS_MAX];
  size_t i;

  (void)state;
  /* 7 + 493 = 500 */
  memset(text, 'a', sizeof(text));
  memcpy(text, "rfc822;", 7);
  text[500] = '\0';
  assert_int_equal(uvsmtp__rcpt_params_check(0, text), 0);
  assert_int_equal(uvsmtp__rcpt_params_put(14, text, 0, 0, buf),
                   sizeof(" NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=") - 1 + 500);
  text[500] = 'a';
  text[501] = '\0';
  assert_int_equal(uvsmtp__rcpt_params_check(0, text), -EINVAL);
  text[500] = '\0';
  text[499] = '+';
  assert_int_equal(uvsmtp__rcpt_params_check(0, text), -EINVAL);

  /* 6 + 6 + 61 * 8 = 500, as escapes, whatever the server can. */
  memcpy(text, utf8, 6);
  memset(text + 6, 'a', 6);
  for (i = 0; i < 61; i++) memcpy(text + 12 + i * 3, KANJI, 4);
  assert_int_equal(uvsmtp__rcpt_params_check(0, text), 0);
  assert_int_equal(uvsmtp__rcpt_params_put(0, text, 0, 0, buf), 7 + 500);
  memcpy(text + 12 + 61 * 3, "a", 2);
  assert_int_equal(uvsmtp__rcpt_params_check(0, text), -EINVAL);

  /* All that a MAIL can have, with an address in AUTH= as long as there is. */
  for (i = 0; i < 64; i++) text[i] = '+';
  text[64] = '@';
  for (i = 65; i < 254; i++) text[i] = i % 60 == 59 ? '.' : 'a';
  text[254] = '\0';
  m.auth = text;
  assert_int_equal(uvsmtp__params_check(&m), 0);
  m.envid =
      "++++++++++++++++++++++++++++++++++++++++++++++++++"
      "++++++++++++++++++++++++++++++++++++++++++++++++++";
  m.ret = UVSMTP_DSN_RET_FULL;
  m.flags =
      UVSMTP_MAIL_REQUIRETLS | UVSMTP_MAIL_PRIORITY | UVSMTP_MAIL_BY_TRACE;
  m.by = UVSMTP_BY_NOTIFY;
  m.by_seconds = -999999999;
  m.hold_until = "2027-01-31T09:00:00Z";
  m.priority = -9;
  assert_int_equal(uvsmtp__params_check(&m), 0);
  assert_int_equal(
      uvsmtp__params_put(&m, 0, 0, buf),
      sizeof(" RET=FULL ENVID= REQUIRETLS BY=-999999999;NT"
             " HOLDUNTIL=2027-01-31T09:00:00Z MT-PRIORITY=-9 AUTH=") -
          1 + 300 + 64 * 3 + 190);
  /* 64 * 3 + 1 + 102 * 3 + 1 = 500, and one more. */
  for (i = 65; i < 65 + 102; i++) text[i] = (char)(i % 2 == 1 ? 0xc3 : 0xa9);
  text[65 + 102] = 'a';
  text[65 + 103] = '\0';
  assert_int_equal(uvsmtp__params_check(&m), 0);
  assert_true(uvsmtp__params_put(&m, 0, 0, buf) < UVSMTP__MAIL_PARAMS_MAX);
  text[65 + 103] = 'a';
  text[65 + 104] = '\0';
  assert_int_equal(uvsmtp__params_check(&m), -EINVAL);
}

/* --------------------------------------------------------- what is offered */

#define LACKS(keyword) "the server does not offer " keyword

typedef struct fit_s {
  int status;
  unsigned int omitted;
  int cause;
  const char* reason;
} fit_t;

/* What a server makes possible that offers these lines. */
static fit_t fit(const char* offer, const uvsmtp_mail_params_t* m, int rcpts,
                 unsigned int raw) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__caps_t caps = {NULL, 0, 0, 0, 0, 0};
  fit_t f = {1, ~0u, 1, NULL};

  if (m != NULL) assert_int_equal(uvsmtp__params_check(m), 0);
  assert_int_equal(ehlo(&caps, &mem, offer), 0);
  f.status =
      uvsmtp__params_fit(&caps, m, rcpts, raw, &f.omitted, &f.cause, &f.reason);
  uvsmtp__caps_clear(&caps, &mem);
  assert_int_equal(a.blocks, 0);
  return f;
}

static void assert_fits(fit_t f, unsigned int omitted) {
  assert_int_equal(f.status, 0);
  assert_int_equal(f.omitted, omitted);
  assert_int_equal(f.cause, 0);
}

static void assert_refused(fit_t f, int cause, const char* reason) {
  assert_int_equal(f.status, UVSMTP_ENOTSUPPORTED);
  assert_int_equal(f.cause, cause);
  assert_string_equal(f.reason, reason);
}

/* What becomes of one kind of parameter: without its extension, with it, and
 * under OPTIONAL. */
static void test_offered(void** state) {
  static const struct {
    uvsmtp_mail_params_t m;
    const char* offer;
    const char* reason;
    unsigned int raw;
    unsigned int omitted; /* 0: not even under OPTIONAL */
  } cases[] = {
      {M(.body = UVSMTP_BODY_8BITMIME), "h\n8BITMIME", LACKS("8BITMIME"),
       UVSMTP__RAW_BODY, 0},
      {M(.ret = UVSMTP_DSN_RET_FULL), "h\nDSN", LACKS("DSN"), UVSMTP__RAW_RET,
       UVSMTP_OMITTED_DSN},
      {M(.envid = "x"), "h\ndsn", LACKS("DSN"), UVSMTP__RAW_ENVID,
       UVSMTP_OMITTED_DSN},
      {M(.notify = UVSMTP_DSN_NEVER), "h\nDSN x", LACKS("DSN"),
       UVSMTP__RAW_NOTIFY, UVSMTP_OMITTED_DSN},
      {M(.flags = UVSMTP_MAIL_REQUIRETLS), "h\nREQUIRETLS", LACKS("REQUIRETLS"),
       UVSMTP__RAW_REQUIRETLS, 0},
      {M(.by = UVSMTP_BY_NOTIFY), "h\nDELIVERBY", LACKS("DELIVERBY"),
       UVSMTP__RAW_BY, UVSMTP_OMITTED_DELIVERBY},
      {M(.by = UVSMTP_BY_RETURN, .by_seconds = 5), "h\nDELIVERBY",
       LACKS("DELIVERBY"), UVSMTP__RAW_BY, UVSMTP_OMITTED_DELIVERBY},
      {M(.hold_for = 5), "h\nFUTURERELEASE 60 2030-01-01T00:00:00Z",
       LACKS("FUTURERELEASE"), UVSMTP__RAW_HOLD, 0},
      {M(.hold_until = "2027-01-31T09:00:00Z"),
       "h\nFUTURERELEASE 60 2030-01-01T00:00:00Z", LACKS("FUTURERELEASE"),
       UVSMTP__RAW_HOLD, 0},
      {M(.flags = UVSMTP_MAIL_PRIORITY), "h\nMT-PRIORITY NSEP",
       LACKS("MT-PRIORITY"), UVSMTP__RAW_PRIORITY, UVSMTP_OMITTED_PRIORITY},
      {M(.auth = ""), "h\nAUTH PLAIN", LACKS("AUTH"), UVSMTP__RAW_AUTH,
       UVSMTP_OMITTED_AUTH},
  };
  static const char nothing[] =
      "h\n8BITMIMES\nDSNX\nXDSN\nREQUIRETL\nDELIVER\nFUTURE\nMT\nAUTHX\nSIZE 1";
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); i++) {
    uvsmtp_mail_params_t m = cases[i].m;

    assert_fits(fit(cases[i].offer, &m, 0, 0), 0);
    assert_refused(fit(nothing, &m, 0, 0), 0, cases[i].reason);
    /* Raw ones are not looked at, those of another keyword are. */
    assert_fits(fit(nothing, &m, 0, cases[i].raw), 0);
    assert_refused(fit(nothing, &m, 0, ~cases[i].raw), 0, cases[i].reason);

    m.flags |= UVSMTP_MAIL_OPTIONAL;
    assert_fits(fit(cases[i].offer, &m, 0, 0), 0);
    if (cases[i].omitted == 0) {
      assert_refused(fit(nothing, &m, 0, 0), 0, cases[i].reason);
      continue;
    }
    assert_fits(fit(nothing, &m, 0, 0), cases[i].omitted);
    assert_mail(&m, 0, cases[i].omitted, "");
  }
}

/* Several at once, none at all, and those of recipients alone. */
static void test_together(void** state) {
  uvsmtp_mail_params_t m = UVSMTP_MAIL_PARAMS_INIT;

  (void)state;
  m.body = UVSMTP_BODY_7BIT;
  m.flags = UVSMTP_MAIL_SMTPUTF8;
  assert_fits(fit("h", &m, 0, 0), 0);
  assert_fits(fit("h", NULL, 0, 0), 0);
  assert_refused(fit("h", NULL, 1, 0), 0, LACKS("DSN"));
  assert_refused(fit("h", &m, 1, ~0u), 0, LACKS("DSN"));
  assert_fits(fit("h\nDSN", NULL, 1, 0), 0);
  m.flags = UVSMTP_MAIL_OPTIONAL;
  assert_fits(fit("h", &m, 1, 0), UVSMTP_OMITTED_DSN);

  m.flags |= UVSMTP_MAIL_PRIORITY;
  m.envid = "x";
  m.by = UVSMTP_BY_NOTIFY;
  m.auth = "a@b";
  assert_fits(fit("h", &m, 0, 0),
              UVSMTP_OMITTED_DSN | UVSMTP_OMITTED_DELIVERBY |
                  UVSMTP_OMITTED_PRIORITY | UVSMTP_OMITTED_AUTH);
  assert_fits(fit("h\nDELIVERBY\nAUTH PLAIN\nDSN", &m, 1, 0),
              UVSMTP_OMITTED_PRIORITY);
  /* Not all can be left out. */
  m.hold_for = 1;
  assert_refused(fit("h\nDELIVERBY\nAUTH PLAIN\nDSN", &m, 1, 0), 0,
                 LACKS("FUTURERELEASE"));
}

#define BY_MIN "the server's minimum for DELIVERBY is higher"
#define FOR_MAX "the server's maximum for HOLDFOR is lower"
#define UNTIL_MAX "the server's maximum for HOLDUNTIL is earlier"
#define RETURN(n) M(.by = UVSMTP_BY_RETURN, .by_seconds = (n))
#define UNTIL(text) M(.hold_until = (text))

static void test_range(void** state) {
  static const struct {
    const char* offer;
    uvsmtp_mail_params_t m;
    const char* reason; /* NULL: it fits */
  } cases[] = {
      /* RFC 2852 3: of RETURN alone. */
      {"h\nDELIVERBY 240", RETURN(240), NULL},
      {"h\nDELIVERBY 240", RETURN(239), BY_MIN},
      {"h\nDELIVERBY 2", RETURN(1), BY_MIN},
      {"h\nDELIVERBY 240,foo", RETURN(239), BY_MIN},
      {"h\nDELIVERBY 240 foo", RETURN(239), BY_MIN},
      {"h\ndeliverby 00000240", RETURN(239), BY_MIN},
      {"h\nDELIVERBY 240", M(.by = UVSMTP_BY_NOTIFY, .by_seconds = 239), NULL},
      {"h\nDELIVERBY 240", M(.by = UVSMTP_BY_NOTIFY, .by_seconds = -1), NULL},
      {"h\nDELIVERBY 999999999", RETURN(999999998), BY_MIN},
      {"h\nDELIVERBY 999999999", RETURN(999999999), NULL},
      /* Malformed, or none. */
      {"h\nDELIVERBY", RETURN(1), NULL},
      {"h\nDELIVERBY 0", RETURN(1), NULL},
      {"h\nDELIVERBY ,foo", RETURN(1), NULL},
      {"h\nDELIVERBY -5", RETURN(1), NULL},
      {"h\nDELIVERBY 240s", RETURN(1), NULL},
      {"h\nDELIVERBY 1000000000", RETURN(1), NULL},
      {"h\nDELIVERBY 99999999999999999999", RETURN(1), NULL},
      /* RFC 4865 3 */
      {"h\nFUTURERELEASE 60 2030-01-01T00:00:00Z", M(.hold_for = 60), NULL},
      {"h\nFUTURERELEASE 60 2030-01-01T00:00:00Z", M(.hold_for = 61), FOR_MAX},
      {"h\nFUTURERELEASE 1", M(.hold_for = 2), FOR_MAX},
      {"h\nFUTURERELEASE 60", M(.hold_for = 61), FOR_MAX},
      {"h\nFUTURERELEASE 999999999", M(.hold_for = 999999999), NULL},
      {"h\nFUTURERELEASE", M(.hold_for = 999999999), NULL},
      {"h\nFUTURERELEASE 0 x", M(.hold_for = 999999999), NULL},
      {"h\nFUTURERELEASE x 2030-01-01T00:00:00Z", M(.hold_for = 999999999),
       NULL},
      {"h\nFUTURERELEASE 60s", M(.hold_for = 61), NULL},
      {"h\nFUTURERELEASE 9999999999", M(.hold_for = 999999999), NULL},
      {"h\nFUTURERELEASE 60 2030-01-01T00:00:00Z",
       UNTIL("2030-01-01T00:00:00Z"), NULL},
      {"h\nFUTURERELEASE 60 \t 2030-01-01T00:00:00Z",
       UNTIL("2030-01-01T00:00:01Z"), UNTIL_MAX},
      {"h\nFUTURERELEASE x 2030-01-01T00:00:00Z x",
       UNTIL("2030-01-01T00:00:01Z"), UNTIL_MAX},
      /* As instants, not as text. */
      {"h\nFUTURERELEASE 60 2030-01-01T00:00:00Z",
       UNTIL("2030-01-01T05:00:00+06:00"), NULL},
      {"h\nFUTURERELEASE 60 2030-01-01T00:00:00Z",
       UNTIL("2029-12-31T23:00:00-06:00"), UNTIL_MAX},
      {"h\nFUTURERELEASE 60 2030-01-01T06:00:00+06:00",
       UNTIL("2030-01-01T00:00:00Z"), NULL},
      {"h\nFUTURERELEASE 60 2030-01-01T06:00:00+06:00",
       UNTIL("2030-01-01T00:00:01Z"), UNTIL_MAX},
      /* Malformed, or none. */
      {"h\nFUTURERELEASE", UNTIL("2099-01-01T00:00:00Z"), NULL},
      {"h\nFUTURERELEASE 60", UNTIL("2099-01-01T00:00:00Z"), NULL},
      {"h\nFUTURERELEASE 60 2030-01-01", UNTIL("2099-01-01T00:00:00Z"), NULL},
      {"h\nFUTURERELEASE 60 2030-02-30T00:00:00Z",
       UNTIL("2099-01-01T00:00:00Z"), NULL},
      {"h\nFUTURERELEASE 60 2030-01-01T00:00:00Zx",
       UNTIL("2099-01-01T00:00:00Z"), NULL},
  };
  size_t i;

  (void)state;
  for (i = 0; i < COUNT(cases); i++) {
    uvsmtp_mail_params_t m = cases[i].m;

    /* Out of range is not the same as not offered. */
    if (i % 2 == 1) m.flags |= UVSMTP_MAIL_OPTIONAL;
    if (cases[i].reason == NULL) {
      assert_fits(fit(cases[i].offer, &m, 0, 0), 0);
      continue;
    }
    assert_refused(fit(cases[i].offer, &m, 0, 0), -ERANGE, cases[i].reason);
    assert_fits(fit(cases[i].offer, &m, 0, UVSMTP__RAW_BY | UVSMTP__RAW_HOLD),
                0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_raw),
      cmocka_unit_test(test_mail),
      cmocka_unit_test(test_left_out),
      cmocka_unit_test(test_notify),
      cmocka_unit_test(test_orcpt),
      cmocka_unit_test(test_malformed),
      cmocka_unit_test(test_malformed_rcpt),
      cmocka_unit_test(test_longest),
      cmocka_unit_test(test_offered),
      cmocka_unit_test(test_together),
      cmocka_unit_test(test_range),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
