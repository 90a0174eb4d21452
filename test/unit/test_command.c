/* SPDX-License-Identifier: MIT */
/* test_command.c: what may be said in a command, and how it is written. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "core/command.h"

/* "path" with "8:" before it for UTF-8, "null" for the null path, NULL for
 * refused. */
static void check_path(const char* text, int sender, const char* expected) {
  uvsmtp_slice_t path;
  unsigned int flags = 77;
  char got[400];
  int status = uvsmtp__parse_path(text, sender, &path, &flags);

  if (expected == NULL) {
    if (status != -EINVAL) fail_msg("taken: %s", text);
    return;
  }
  if (status != 0) fail_msg("refused: %s", text);
  if (flags & UVSMTP__PATH_NULL) {
    assert_int_equal(flags, UVSMTP__PATH_NULL);
    assert_int_equal(path.len, 0);
    assert_string_equal("null", expected);
    return;
  }
  snprintf(got, sizeof(got), "%s%.*s", flags & UVSMTP__PATH_UTF8 ? "8:" : "",
           (int)path.len, (const char*)path.base);
  assert_string_equal(got, expected);
}

static void test_paths(void** state) {
  static const struct {
    const char* text;
    const char* expected;
  } cases[] = {
      {"a@b", "a@b"},
      {"<a@b>", "a@b"},
      {"a.b+c@d-e_f.example", "a.b+c@d-e_f.example"},
      {"!#$%&'*+-/=?^_`{|}~@x", "!#$%&'*+-/=?^_`{|}~@x"},
      {"a..b.@example.", "a..b.@example."},
      {"Postmaster", "Postmaster"},
      {"<postmaster>", "postmaster"},
      {"a@[127.0.0.1]", "a@[127.0.0.1]"},
      {"a@[1]", "a@[1]"},
      {"a@[IPv6:::1]", "a@[IPv6:::1]"},
      {"\"a b\"@c", "\"a b\"@c"},
      {"\"a@b\"@c", "\"a@b\"@c"},
      {"\"<a>\"@c", "\"<a>\"@c"},
      {"<\"<a>\"@c>", "\"<a>\"@c"},
      {"\"a\\\"b\\\\\"@c", "\"a\\\"b\\\\\"@c"},
      {"\"a b\"", "\"a b\""},
      /* Display names. */
      {"A B <a@b>", "a@b"},
      {"a@b <a@b>", "a@b"},
      {"A.B.(C) [D]<a@b>", "a@b"},
      {"\"A <x@y>\" <a@b>", "a@b"},
      {"\"A, B; \\\" < \" <a@b>", "a@b"},
      {"\xc3\x84 <a@b>", "a@b"},
      {"\"\xc3\x84\" <\"a>\"@b>", "\"a>\"@b"},
      /* UTF-8 in the address itself. */
      {"\xc3\xa4@b", "8:\xc3\xa4@b"},
      {"a@\xc3\xa4.example", "8:a@\xc3\xa4.example"},
      {"\"\xc3\xa4\"@b", "8:\"\xc3\xa4\"@b"},
      {"X <\xf0\x9f\x98\x80@b>", "8:\xf0\x9f\x98\x80@b"},
      /* Refused. */
      {" ", NULL},
      {" a@b", NULL},
      {"a@b ", NULL},
      {"a b@c", NULL},
      {"a @b", NULL},
      {"a@ b", NULL},
      {"a@", NULL},
      {"@b", NULL},
      {"@", NULL},
      {"\"\"@b", NULL},
      {"\"\"", NULL},
      {"a@b@c", NULL},
      {"a@.b", NULL},
      {"a@.", NULL},
      {"a@b..c", NULL},
      {"a@b,c", NULL},
      {"a@b/c", NULL},
      {"a@b c", NULL},
      {"a(x)@b", NULL},
      {"a(@b", NULL},
      {"a)@b", NULL},
      {"a[@b", NULL},
      {"a]@b", NULL},
      {"a:@b", NULL},
      {"a;@b", NULL},
      {"a,@b", NULL},
      {"a\\@b", NULL},
      {"a\"@b", NULL},
      {"a>@b", NULL},
      {"a@b>", NULL},
      {"a@[", NULL},
      {"a@[]", NULL},
      {"a@[1", NULL},
      {"a@[1]x", NULL},
      {"a@[[1]", NULL},
      {"a@[1]]", NULL},
      {"a@[1\\]", NULL},
      {"a@[1 2]", NULL},
      {"a@[\xc3\xa4]", NULL},
      {"\"a", NULL},
      {"\"a\\\"@b", NULL},
      {"\"a\\", NULL},
      {"\"a\"b@c", NULL},
      {"\"a\\\xc3\xa4\"@b", NULL},
      {"<", NULL},
      {">", NULL},
      {"<a@b", NULL},
      {"<a@b> ", NULL},
      {"<a@b>x", NULL},
      {"<a@b> SIZE=1", NULL},
      {"<a@b>,<c@d>", NULL},
      {"<a@b><c@d>", NULL},
      {"<<a@b>>", NULL},
      {"<a<b@c>", NULL},
      {"< a@b>", NULL},
      {"<a@b >", NULL},
      {"<@x:a@b>", NULL},
      {"<@x,@y:a@b>", NULL},
      {"@x:a@b", NULL},
      {"A <>", NULL},
      {"A <a@b> B", NULL},
      {"A> <a@b>", NULL},
      {"\"A <a@b>", NULL},
      {"A\" <a@b>", NULL},
      {"\"a\\\xc3\xa4\" <a@b>", NULL},
      {"A, B <a@b>", NULL},
      {"a@b, <c@d>", NULL},
      {"group: <a@b>", NULL},
      {"a@b; <c@d>", NULL},
      {NULL, NULL},
  };
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    check_path(cases[i].text, 0, cases[i].expected);
    check_path(cases[i].text, 1, cases[i].expected);
  }
  check_path("", 1, "null");
  check_path("<>", 1, "null");
  check_path("", 0, NULL);
  check_path("<>", 0, NULL);
}

/* A control anywhere, and in a quoted string too. */
static void test_controls_in_paths(void** state) {
  static const char* const shapes[] = {
      "a@b", "<a@b>", "A <a@b>", "\"a b\"@c", "\"a\\ \"@c", "\"A\" <a@[1]>"};
  char text[40];
  size_t i;
  size_t k;
  int c;

  (void)state;
  for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
    size_t len = strlen(shapes[i]);

    for (k = 0; k <= len; k++) {
      for (c = 1; c < 128; c = c == 31 ? 127 : c + 1) {
        memcpy(text, shapes[i], k);
        text[k] = (char)c;
        memcpy(text + k + 1, shapes[i] + k, len - k + 1);
        check_path(text, 0, NULL);
        check_path(text, 1, NULL);
      }
    }
  }
}

/* before, then n letters with a "@" behind the first `local` ones, after. */
static const char* long_path(const char* before, size_t local, size_t n,
                             const char* after) {
  static char text[400];
  char* at = text + strlen(before);

  assert_true(strlen(before) + n + strlen(after) < sizeof(text));
  strcpy(text, before);
  memset(at, 'a', n);
  if (local < n) at[local] = '@';
  strcpy(at + n, after);
  return text;
}

static void test_path_lengths(void** state) {
  static const char* const shapes[][2] = {{"", ""}, {"<", ">"}, {"A <", ">"}};
  size_t i;

  (void)state;
  /* RFC 5321 4.5.3.1.1: 64 octets of local part, quotes included. */
  check_path(long_path("", 64, 66, ""), 0, long_path("", 64, 66, ""));
  check_path(long_path("", 65, 67, ""), 0, NULL);
  check_path(long_path("", 64, 64, ""), 0, long_path("", 64, 64, ""));
  check_path(long_path("", 65, 65, ""), 0, NULL);
  check_path(long_path("\"", 62, 62, "\"@b"), 0,
             long_path("\"", 62, 62, "\"@b"));
  check_path(long_path("\"", 63, 63, "\"@b"), 0, NULL);

  /* 4.5.3.1.3: 256 octets of path, angle brackets included. */
  for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
    char expected[255];

    strcpy(expected, long_path("", 40, 254, ""));
    check_path(long_path(shapes[i][0], 40, 254, shapes[i][1]), 0, expected);
    check_path(long_path(shapes[i][0], 40, 255, shapes[i][1]), 0, NULL);
  }
}

/* RFC 3629 4, through the only eye that sees it. */
static void test_utf8(void** state) {
  static const struct {
    const char* text;
    int good;
  } cases[] = {
      {"\xc2\x80", 1},
      {"\xdf\xbf", 1},
      {"\xe0\xa0\x80", 1},
      {"\xed\x9f\xbf", 1},
      {"\xee\x80\x80", 1},
      {"\xef\xbf\xbf", 1},
      {"\xf0\x90\x80\x80", 1},
      {"\xf4\x8f\xbf\xbf", 1},
      {"\xf1\x80\x80\x80", 1},
      {"\xc3\xa4\xe2\x82\xac", 1},
      {"\x80", 0},
      {"\xbf", 0},
      {"\xc0\x80", 0},
      {"\xc1\xbf", 0},
      {"\xc2", 0},
      {"\xc2\x7f", 0},
      {"\xc2\xc0", 0},
      {"\xe0\x9f\xbf", 0},
      {"\xe0\xa0", 0},
      {"\xe1\x80", 0},
      {"\xe1\x80\xc0", 0},
      {"\xe1\x80-", 0},
      {"\xed\xa0\x80", 0},
      {"\xed\xbf\xbf", 0},
      {"\xf0\x8f\xbf\xbf", 0},
      {"\xf0\x90\x80", 0},
      {"\xf0\x90\x80-", 0},
      {"\xf4\x90\x80\x80", 0},
      {"\xf5\x80\x80\x80", 0},
      {"\xff", 0},
  };
  char text[40];
  char expected[40];
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    const char* c = cases[i].text;

    snprintf(text, sizeof(text), "%s@b", c);
    snprintf(expected, sizeof(expected), "8:%s@b", c);
    check_path(text, 0, cases[i].good ? expected : NULL);
    snprintf(text, sizeof(text), "a@%s", c);
    snprintf(expected, sizeof(expected), "8:a@%s", c);
    check_path(text, 0, cases[i].good ? expected : NULL);
    snprintf(text, sizeof(text), "%s <a@b>", c);
    check_path(text, 0, cases[i].good ? "a@b" : NULL);
    snprintf(text, sizeof(text), "HELP %s", c);
    assert_int_equal(uvsmtp__check_command(text), cases[i].good ? 0 : -EINVAL);
    snprintf(text, sizeof(text), "X=%s", c);
    assert_int_equal(uvsmtp__check_param(text), cases[i].good ? 0 : -EINVAL);
  }
}

static void test_text(void** state) {
  char octet;
  int c;

  (void)state;
  assert_int_equal(uvsmtp__check_text("", 0), 0);
  assert_int_equal(uvsmtp__check_text("a b", 3), 0);
  assert_int_equal(uvsmtp__check_text("a\r\nb", 4), -EINVAL);
  assert_int_equal(uvsmtp__check_text("a\r\nb", 1), 0);
  assert_int_equal(uvsmtp__check_text("ab\0", 3), -EINVAL);
  for (c = 0; c < 256; c++) {
    octet = (char)c;
    assert_int_equal(uvsmtp__check_text(&octet, 1),
                     c < 32 || c == 127 ? -EINVAL : 0);
  }
}

static void test_params(void** state) {
  static const char* const good[] = {
      "SIZE=10",  "BODY=8BITMIME", "SMTPUTF8", "x-1",
      "AUTH=<>",  "NOTIFY=NEVER",  "1",        "ORCPT=rfc822;a+2Bb@c",
      "XVERP=+=", "X=\xc3\xa4"};
  static const char* const bad[] = {
      "",       "=",           "=a",    "A=",     "A B",      "A=B C",
      " A",     "A ",          "-A",    "A_B",    "A_B=1",    "A\t",
      "A=\t",   "A=1\r\nRSET", "A\r\n", "A=\x7f", "\xc3\xa4", "A\xc3\xa4=1",
      "A=\xc3", "<A>",         "A;"};
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
    if (uvsmtp__check_param(good[i]) != 0) fail_msg("refused: %s", good[i]);
  for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    if (uvsmtp__check_param(bad[i]) != -EINVAL) fail_msg("taken: %s", bad[i]);
  assert_int_equal(uvsmtp__check_param(NULL), -EINVAL);
}

static void test_names(void** state) {
  char name[300];

  (void)state;
  assert_int_equal(uvsmtp__check_name("host.example"), 0);
  assert_int_equal(uvsmtp__check_name("[127.0.0.1]"), 0);
  assert_int_equal(uvsmtp__check_name("[IPv6:::1]"), 0);
  assert_int_equal(uvsmtp__check_name(NULL), -EINVAL);
  assert_int_equal(uvsmtp__check_name(""), -EINVAL);
  assert_int_equal(uvsmtp__check_name("a b"), -EINVAL);
  assert_int_equal(uvsmtp__check_name(" a"), -EINVAL);
  assert_int_equal(uvsmtp__check_name("\na"), -EINVAL);
  assert_int_equal(uvsmtp__check_name("a\tb"), -EINVAL);
  assert_int_equal(uvsmtp__check_name("a\r\nRSET"), -EINVAL);
  assert_int_equal(uvsmtp__check_name("a\x7f"), -EINVAL);
  assert_int_equal(uvsmtp__check_name("\xc3\xa4.example"), -EINVAL);
  memset(name, 'a', sizeof(name));
  name[255] = '\0';
  assert_int_equal(uvsmtp__check_name(name), 0);
  name[255] = 'a';
  name[256] = '\0';
  assert_int_equal(uvsmtp__check_name(name), -EINVAL);
}

static void test_commands(void** state) {
  static const char* const verbs[] = {
      "EHLO", "HELO", "LHLO", "STARTTLS", "AUTH", "MAIL", "RCPT",   "DATA",
      "BDAT", "BURL", "RSET", "QUIT",     "TURN", "ATRN", "XCLIENT"};
  static const char* const good[] = {
      "NOOP",      "VRFY root", "EXPN list", "HELP",    "XFORWARD NAME=x",
      "noop data", "DATAX",     "QUI",       "ETRN #q", "X  two  blanks ",
      "MAIL:x"};
  static const char* const bad[] = {
      "", " ", " NOOP", " DATA", "NOOP\r\nDATA", "NOOP\tx", "NOOP\n", "\x7f"};
  char line[UVSMTP__LINE_MAX + 10];
  size_t i;
  size_t k;

  (void)state;
  for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
    if (uvsmtp__check_command(good[i]) != 0) fail_msg("refused: %s", good[i]);
  for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
    if (uvsmtp__check_command(bad[i]) != -EINVAL) fail_msg("taken: %s", bad[i]);
  assert_int_equal(uvsmtp__check_command(NULL), -EINVAL);

  for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
    assert_int_equal(uvsmtp__check_command(verbs[i]), -EINVAL);
    snprintf(line, sizeof(line), "%s ", verbs[i]);
    assert_int_equal(uvsmtp__check_command(line), -EINVAL);
    snprintf(line, sizeof(line), "%s x y", verbs[i]);
    for (k = 0; k < 4; k++) line[k] = (char)(line[k] | 0x20);
    assert_int_equal(uvsmtp__check_command(line), -EINVAL);
    snprintf(line, sizeof(line), "%sX", verbs[i]);
    assert_int_equal(uvsmtp__check_command(line), 0);
  }

  memset(line, 'X', sizeof(line));
  line[UVSMTP__LINE_MAX - 2] = '\0';
  assert_int_equal(uvsmtp__check_command(line), 0);
  line[UVSMTP__LINE_MAX - 2] = 'X';
  line[UVSMTP__LINE_MAX - 1] = '\0';
  assert_int_equal(uvsmtp__check_command(line), -EINVAL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_paths),
      cmocka_unit_test(test_controls_in_paths),
      cmocka_unit_test(test_path_lengths),
      cmocka_unit_test(test_utf8),
      cmocka_unit_test(test_text),
      cmocka_unit_test(test_params),
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_commands),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
