/* SPDX-License-Identifier: MIT */
/* test_caps.c: the extensions of an EHLO reply. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "core/caps.h"
#include "ehlo.h"

/* All of it as "KEYWORD=params;". */
static void list(const uvsmtp__caps_t* caps, char* out, size_t size) {
  uvsmtp_slice_t keyword;
  uvsmtp_slice_t params;
  size_t cursor = 0;
  size_t len = 0;

  out[0] = '\0';
  while (uvsmtp__caps_next(caps, &cursor, &keyword, &params)) {
    assert_true(keyword.len + params.len + 3 < size - len);
    len += (size_t)snprintf(out + len, size - len, "%.*s=%.*s;",
                            (int)keyword.len, (const char*)keyword.base,
                            (int)params.len, (const char*)params.base);
  }
  assert_int_equal(uvsmtp__caps_next(caps, &cursor, &keyword, &params), 0);
}

static void test_lists(void** state) {
  static const struct {
    const char* text;
    const char* expected;
  } cases[] = {
      {"", ""},
      {"host hello", ""},
      {"host\n", ""},
      {"PIPELINING", ""}, /* the greeting line */
      {"h\nPIPELINING", "PIPELINING=;"},
      {"h\nPIPELINING\nSIZE 1000\n8BITMIME",
       "PIPELINING=;SIZE=1000;8BITMIME=;"},
      {"h\npipelining \nSize\t 10  20 \t", "pipelining=;Size=10  20;"},
      {"h\nX-FOO_BAR\nX-FOO a=b _", "X-FOO=a=b _;"},
      {"h\n\n\nDSN\n\n", "DSN=;"},
      {"h\n-X\n X\n=X\n+X y\nX=Y\nX:Y\n\xc3\xa4\n1X-", "1X-=;"},
      {"h\nA\nB b\na aa\nC\nB bb", "a=aa;C=;B=bb;"},
      {"h\nSIZE 1\nSIZE", "SIZE=;"},
      {"h\nX \xff\x1b\x01", "X=\xff\x1b\x01;"},
      /* AUTH and its old form. */
      {"h\nAUTH PLAIN LOGIN", "AUTH=PLAIN LOGIN;"},
      {"h\nAUTH=LOGIN PLAIN", "AUTH=LOGIN PLAIN;"},
      {"h\nauth=LOGIN PLAIN", "auth=LOGIN PLAIN;"},
      {"h\nAUTH", "AUTH=;"},
      {"h\nAUTH=", "AUTH=;"},
      {"h\nAUTH= LOGIN ", "AUTH=LOGIN;"},
      {"h\nAUTH  A \t B\nDSN\nAUTH=b C a\nAuth  D", "AUTH=A B C D;DSN=;"},
      {"h\nAUTH\nAUTH=X", "AUTH=X;"},
      {"h\nAUTHX=Y\nAUTHX Y", "AUTHX=Y;"},
      {"h\nAUTH A AB ABC AB A", "AUTH=A AB ABC;"},
  };
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__caps_t caps = {NULL, 0, 0, 0, 0, 0};
  char got[300];
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    assert_int_equal(ehlo(&caps, &mem, cases[i].text), 0);
    list(&caps, got, sizeof(got));
    assert_string_equal(got, cases[i].expected);
    /* One exact block, none when there is nothing. */
    assert_int_equal(a.blocks, caps.len != 0);
    assert_int_equal(a.octets, caps.len);
  }
  uvsmtp__caps_clear(&caps, &mem);
  uvsmtp__caps_clear(&caps, &mem);
  assert_int_equal(a.blocks, 0);
}

static void test_find(void** state) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__caps_t caps = {NULL, 0, 0, 0, 0, 0};

  (void)state;
  assert_null(uvsmtp__caps_find(&caps, "SIZE"));
  assert_int_equal(ehlo(&caps, &mem, "h\nSize 10\nXSIZE 1\nSIZEX 2\nX y"), 0);
  assert_string_equal(uvsmtp__caps_find(&caps, "SIZE"), "10");
  assert_string_equal(uvsmtp__caps_find(&caps, "size"), "10");
  assert_string_equal(uvsmtp__caps_find(&caps, "xsize"), "1");
  assert_string_equal(uvsmtp__caps_find(&caps, "x"), "y");
  assert_null(uvsmtp__caps_find(&caps, "y"));
  assert_null(uvsmtp__caps_find(&caps, ""));
  assert_null(uvsmtp__caps_find(&caps, "SIZ"));
  uvsmtp__caps_clear(&caps, &mem);
  assert_null(uvsmtp__caps_find(&caps, "SIZE"));
  assert_int_equal(a.blocks, 0);
}

static void test_bits(void** state) {
  static const struct {
    const char* text;
    uint32_t bits;
  } cases[] = {
      {"h\nX", 0},
      {"h\nPIPELINING", UVSMTP__CAP_PIPELINING},
      {"h\npipelining x", UVSMTP__CAP_PIPELINING},
      {"h\nCHUNKING", UVSMTP__CAP_CHUNKING},
      {"h\nSIZE", UVSMTP__CAP_SIZE},
      {"h\n8bitmime", UVSMTP__CAP_8BITMIME},
      {"h\nSMTPUTF8", UVSMTP__CAP_SMTPUTF8},
      {"h\nBINARYMIME", UVSMTP__CAP_BINARYMIME},
      {"h\nENHANCEDSTATUSCODES", UVSMTP__CAP_ENHANCED},
      {"h\nDSN", UVSMTP__CAP_DSN},
      {"h\nSTARTTLS", UVSMTP__CAP_STARTTLS},
      {"h\nlimits", UVSMTP__CAP_LIMITS},
      {"h\nDSNX\nXDSN", 0},
      {"h\nDSN\nX\nSIZE 1\nCHUNKING",
       UVSMTP__CAP_DSN | UVSMTP__CAP_SIZE | UVSMTP__CAP_CHUNKING},
  };
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__caps_t caps = {NULL, 0, 0, 0, 0, 0};
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    assert_int_equal(ehlo(&caps, &mem, cases[i].text), 0);
    assert_int_equal(caps.bits, cases[i].bits);
  }
  /* Those of an earlier reply are forgotten. */
  assert_int_equal(ehlo(&caps, &mem, "h"), 0);
  assert_int_equal(caps.bits, 0);
  assert_int_equal(caps.size_limit, 0);
  assert_int_equal(a.blocks, 0);
}

static void test_size(void** state) {
  static const struct {
    const char* text;
    uint64_t limit;
  } cases[] = {
      {"h\nSIZE", 0},
      {"h\nSIZE 0", 0},
      {"h\nSIZE 1", 1},
      {"h\nSIZE 52428800", 52428800},
      {"h\nSIZE 000010", 10},
      {"h\nSIZE 10 20", 10},
      {"h\nSIZE abc", 0},
      {"h\nSIZE 10x", 0},
      {"h\nSIZE -1", 0},
      {"h\nSIZE +1", 0},
      {"h\nSIZE 18446744073709551614", UINT64_MAX - 1},
      {"h\nSIZE 18446744073709551615", UINT64_MAX},
      {"h\nSIZE 18446744073709551616", UINT64_MAX},
      {"h\nSIZE 99999999999999999999", UINT64_MAX},
      {"h\nSIZE 99999999999999999999999999999999", UINT64_MAX},
      {"h\nSIZE 5\nSIZE 7", 7},
      {"h\nXSIZE 5", 0},
  };
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__caps_t caps = {NULL, 0, 0, 0, 0, 0};
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    assert_int_equal(ehlo(&caps, &mem, cases[i].text), 0);
    assert_true(caps.size_limit == cases[i].limit);
  }
  uvsmtp__caps_clear(&caps, &mem);
  assert_int_equal(a.blocks, 0);
}

/* RFC 9422 3.2 and 4 */
static void test_limits(void** state) {
  static const struct {
    const char* text;
    uint32_t rcpt_max;
    uint32_t mail_max;
  } cases[] = {
      {"h\nLIMITS", 0, 0},
      {"h\nLIMITS RCPTMAX=20", 20, 0},
      {"h\nLIMITS MAILMAX=3", 0, 3},
      {"h\nLIMITS RCPTMAX=20 MAILMAX=3", 20, 3},
      {"h\nlimits mailmax=3 RcptMax=20", 20, 3},
      {"h\nLIMITS  RCPTMAX=20 \t MAILMAX=3\t", 20, 3},
      /* What is unknown is passed over. */
      {"h\nLIMITS RCPTDOMAINMAX=1 FOO BAR=x=y RCPTMAX=20 MAILMAX", 20, 0},
      {"h\nLIMITS XRCPTMAX=1 RCPTMAXX=2 RCPTMA=3 RCPTMAX-=4", 0, 0},
      /* What is no number says nothing. */
      {"h\nLIMITS RCPTMAX= MAILMAX=3", 0, 3},
      {"h\nLIMITS RCPTMAX MAILMAX=3", 0, 3},
      {"h\nLIMITS RCPTMAX=abc MAILMAX=3x", 0, 0},
      {"h\nLIMITS RCPTMAX=-1 MAILMAX=+1", 0, 0},
      {"h\nLIMITS RCPTMAX=1,000 MAILMAX=1.5", 0, 0},
      {"h\nLIMITS RCPTMAX=0 MAILMAX=00", 0, 0},
      {"h\nLIMITS RCPTMAX:5,MAILMAX=7", 0, 0},
      {"h\nLIMITS RCPTMAX = 5", 0, 0},
      {"h\nLIMITS RCPTMAX=007", 7, 0},
      {"h\nLIMITS RCPTMAX=4294967295", UINT32_MAX, 0},
      {"h\nLIMITS RCPTMAX=4294967296 MAILMAX=99999999999999999999", UINT32_MAX,
       UINT32_MAX},
      /* Twice in a line: the lower; two lines: the last one. */
      {"h\nLIMITS RCPTMAX=5 RCPTMAX=9 MAILMAX=9 MAILMAX=5", 5, 5},
      {"h\nLIMITS RCPTMAX=x RCPTMAX=9 MAILMAX=9 MAILMAX=0", 9, 9},
      {"h\nLIMITS RCPTMAX=5\nLIMITS MAILMAX=9", 0, 9},
      {"h\nXLIMITS RCPTMAX=5\nSIZE 5", 0, 0},
  };
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__caps_t caps = {NULL, 0, 0, 0, 0, 0};
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    assert_int_equal(ehlo(&caps, &mem, cases[i].text), 0);
    assert_int_equal(caps.rcpt_max, cases[i].rcpt_max);
    assert_int_equal(caps.mail_max, cases[i].mail_max);
  }
  uvsmtp__caps_clear(&caps, &mem);
  assert_int_equal(a.blocks, 0);
}

/* Thousands of mechanisms: the first 64 different ones are kept. */
static void test_many_mechanisms(void** state) {
  static char text[65536];
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__caps_t caps = {NULL, 0, 0, 0, 0, 0};
  char expected[1000] = "";
  size_t len = 0;
  size_t used = 0;
  int i;

  (void)state;
  memcpy(text, "h\nAUTH", 6);
  len = 6;
  for (i = 0; len < sizeof(text) - 10; i++) {
    len += (size_t)snprintf(text + len, sizeof(text) - len, " M%d", i);
    if (i >= 64) continue;
    used += (size_t)snprintf(expected + used, sizeof(expected) - used, "%sM%d",
                             i > 0 ? " " : "", i);
  }
  assert_int_equal(ehlo(&caps, &mem, text), 0);
  assert_string_equal(uvsmtp__caps_find(&caps, "AUTH"), expected);
  uvsmtp__caps_clear(&caps, &mem);
  assert_int_equal(a.blocks, 0);
}

/* As many lines as a reply may have, all different, then all the same. */
static void test_many_lines(void** state) {
  static char text[65536];
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__caps_t caps = {NULL, 0, 0, 0, 0, 0};
  uvsmtp_slice_t keyword;
  uvsmtp_slice_t params;
  size_t cursor = 0;
  size_t len = 1;
  size_t n = 0;
  int i;

  (void)state;
  text[0] = 'h';
  for (i = 0; i < 511; i++)
    len += (size_t)snprintf(text + len, sizeof(text) - len, "\nX%d %d", i, i);
  assert_int_equal(ehlo(&caps, &mem, text), 0);
  while (uvsmtp__caps_next(&caps, &cursor, &keyword, &params)) {
    assert_int_equal(keyword.len, params.len + 1);
    n++;
  }
  assert_int_equal(n, 511);
  assert_string_equal(uvsmtp__caps_find(&caps, "x510"), "510");

  len = 1;
  for (i = 0; i < 511; i++)
    len += (size_t)snprintf(text + len, sizeof(text) - len, "\nX %d", i);
  assert_int_equal(ehlo(&caps, &mem, text), 0);
  assert_int_equal(caps.len, 6);
  assert_string_equal(uvsmtp__caps_find(&caps, "X"), "510");
  uvsmtp__caps_clear(&caps, &mem);
  assert_int_equal(a.blocks, 0);
}

/* Each keyword twice, far apart and in another case: the second ones stand, in
 * their own order. Then more different ones than are kept. */
static void test_many_keywords(void** state) {
  static char text[65536];
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__caps_t caps = {NULL, 0, 0, 0, 0, 0};
  uvsmtp_slice_t keyword;
  uvsmtp_slice_t params;
  size_t cursor = 0;
  size_t len = 1;
  char expected[20];
  int i;

  (void)state;
  text[0] = 'h';
  for (i = 0; i < 512; i++)
    len += (size_t)snprintf(text + len, sizeof(text) - len, "\n%c%d %d",
                            i < 256 ? 'x' : 'X', i * 37 % 256, i);
  assert_int_equal(ehlo(&caps, &mem, text), 0);
  for (i = 256; i < 512; i++) {
    assert_int_equal(uvsmtp__caps_next(&caps, &cursor, &keyword, &params), 1);
    (void)snprintf(expected, sizeof(expected), "X%d", i * 37 % 256);
    assert_string_equal(keyword.base, expected);
    (void)snprintf(expected, sizeof(expected), "%d", i);
    assert_string_equal(params.base, expected);
  }
  assert_int_equal(uvsmtp__caps_next(&caps, &cursor, &keyword, &params), 0);

  len = 1;
  for (i = 0; i < 600; i++)
    len += (size_t)snprintf(text + len, sizeof(text) - len, "\nX%d %d", i, i);
  (void)snprintf(text + len, sizeof(text) - len, "\nx7 again\nAUTH PLAIN");
  assert_int_equal(ehlo(&caps, &mem, text), 0);
  assert_string_equal(uvsmtp__caps_find(&caps, "X511"), "511");
  assert_null(uvsmtp__caps_find(&caps, "X512"));
  assert_string_equal(uvsmtp__caps_find(&caps, "X7"), "again");
  assert_string_equal(uvsmtp__caps_find(&caps, "AUTH"), "PLAIN");
  uvsmtp__caps_clear(&caps, &mem);
  assert_int_equal(a.blocks, 0);
}

static void test_no_memory(void** state) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__caps_t caps = {NULL, 0, 0, 0, 0, 0};

  (void)state;
  assert_int_equal(ehlo(&caps, &mem, "h\nDSN\nSIZE 10"), 0);
  assert_int_equal(a.requests, 1);
  a.fail_at = 2;
  caps.rcpt_max = 5;
  assert_int_equal(ehlo(&caps, &mem, "h\nDSN\nSIZE 10"), -ENOMEM);
  assert_int_equal(caps.rcpt_max, 0);
  assert_int_equal(caps.len, 0);
  assert_int_equal(caps.bits, 0);
  assert_int_equal(caps.size_limit, 0);
  assert_null(uvsmtp__caps_find(&caps, "DSN"));
  assert_int_equal(a.blocks, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lists),
      cmocka_unit_test(test_find),
      cmocka_unit_test(test_bits),
      cmocka_unit_test(test_size),
      cmocka_unit_test(test_many_lines),
      cmocka_unit_test(test_many_mechanisms),
      cmocka_unit_test(test_many_keywords),
      cmocka_unit_test(test_limits),
      cmocka_unit_test(test_no_memory),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
