/* SPDX-License-Identifier: MIT */
/* test_reply.c: the parser of replies. */
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
#include "core/reply.h"

/* What was read, as text: "250/1[ok]" for a reply of one line, "(2.1.5)" before
 * the bracket for an enhanced code, "|" for a line of a trace, "!" for an
 * error, "+" for an unfinished reply at the end. */
typedef struct log_s {
  char text[2000];
  size_t len;
} log_t;

static void put(log_t* log, const char* text, size_t len) {
  assert_true(len < sizeof(log->text) - log->len);
  memcpy(log->text + log->len, text, len);
  log->len += len;
  log->text[log->len] = '\0';
}

static void put_reply(log_t* log, const uvsmtp_reply_t* reply) {
  unsigned short code[3];
  char head[60];
  const char* text;
  size_t len;

  snprintf(head, sizeof(head), "%d/%zu", uvsmtp_reply_code(reply),
           uvsmtp_reply_lines(reply));
  put(log, head, strlen(head));
  if (uvsmtp_reply_enhanced(reply, code)) {
    snprintf(head, sizeof(head), "(%d.%d.%d)", code[0], code[1], code[2]);
    put(log, head, strlen(head));
  }
  text = uvsmtp__reply_text(reply, &len);
  put(log, "[", 1);
  put(log, text, len);
  put(log, "]", 1);
}

/* Feeds one chunk, from a block of its own size so that reading beyond
 * it is found. 0 once there was an error. */
static int feed(uvsmtp__reader_t* r, const uvsmtp__mem_t* mem, const char* in,
                size_t len, log_t* log) {
  char* chunk = malloc(len);
  size_t at = 0;
  int status = 0;

  assert_non_null(chunk);
  memcpy(chunk, in, len);
  while (at < len) {
    size_t used;

    status = uvsmtp__reader_feed(r, mem, chunk + at, len - at, &used);
    at += used;
    if (status < 0) break;
    if (status == 0) assert_int_equal(at, len);
    if (status == 1) put_reply(log, &r->reply);
  }
  free(chunk);
  if (status >= 0) return 1;
  assert_int_equal(status, UVSMTP_EPROTOCOL);
  put(log, "!", 1);
  return 0;
}

/* Feeds in[0..len) in pieces: `first` octets, then `rest` at a time. */
static void run(const uvsmtp__limits_t* limits, const char* in, size_t len,
                size_t first, size_t rest, log_t* log) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__reader_t r;
  size_t n = first;
  size_t at;

  log->len = 0;
  log->text[0] = '\0';
  uvsmtp__reader_init(&r, limits);
  for (at = 0; at < len; at += n, n = rest) {
    if (n > len - at) n = len - at;
    if (!feed(&r, &mem, in + at, n, log)) break;
  }
  if (r.error == 0 && uvsmtp__reader_partial(&r)) put(log, "+", 1);
  uvsmtp__reader_reset(&r, &mem);
  assert_int_equal(a.blocks, 0);
  assert_int_equal(a.octets, 0);
}

static void check_all_ways(const uvsmtp__limits_t* limits, const char* in,
                           size_t len, const char* expected) {
  log_t log;
  size_t i;

  run(limits, in, len, len, len, &log);
  assert_string_equal(log.text, expected);
  for (i = 1; i < len; i++) {
    run(limits, in, len, i, len, &log);
    assert_string_equal(log.text, expected);
  }
  for (i = 1; i < 4; i++) {
    run(limits, in, len, i, i, &log);
    assert_string_equal(log.text, expected);
  }
}

static void test_table(void** state) {
  static const struct {
    const char* in;
    const char* expected;
  } cases[] = {
      {"250 ok\r\n", "250/1[ok]"},
      {"250\r\n", "250/1[]"},
      {"250 \r\n", "250/1[]"},
      {"250 ok\n", "250/1[ok]"},
      {"250\n", "250/1[]"},
      {"220  two  blanks \r\n", "220/1[ two  blanks ]"},
      {"250-a\r\n250-b\r\n250 c\r\n", "250/3[a\nb\nc]"},
      {"250-a\n250-b\r\n250 c\n", "250/3[a\nb\nc]"},
      {"250-\r\n250-\r\n250 \r\n", "250/3[\n\n]"},
      {"250-\r\n250\r\n", "250/2[\n]"},
      {"250-a\r\n250\r\n", "250/2[a\n]"},
      {"250 a\r\n354 b\r\n550-c\r\n550 d\r\n221 e\r\n",
       "250/1[a]354/1[b]550/2[c\nd]221/1[e]"},
      {"250 2.1.5 ok\r\n", "250/1(2.1.5)[2.1.5 ok]"},
      {"550-5.7.708 no\r\n550 5.7.1 x\r\n",
       "550/2(5.7.708)[5.7.708 no\n5.7.1 x]"},
      {"250-no\r\n250 2.0.0 x\r\n", "250/2[no\n2.0.0 x]"},
      {"250 5.0.0 wrong class\r\n", "250/1[5.0.0 wrong class]"},
      {"250 \xc3\xa4 \xff\x1b[1m\tx\r\n", "250/1[\xc3\xa4 \xff\x1b[1m\tx]"},
      {"100 a\r\n599 b\r\n", "100/1[a]599/1[b]"},
      {"250-not", "+"},
      {"250-not\r\n", "+"},
      {"250-not\r\n250 ye", "+"},
      {"250 ok\r", "+"},
      {"2", "+"},
      {"250 a\r\n250", "250/1[a]+"},
      /* Errors, each with and without replies before it. */
      {"\r\n", "!"},
      {"\n", "!"},
      {"2\r\n", "!"},
      {"25\r\n", "!"},
      {"25 ok\r\n", "!"},
      {"2500 ok\r\n", "!"},
      {"2500\r\n", "!"},
      {"250_ok\r\n", "!"},
      {"250\tok\r\n", "!"},
      {" 250 ok\r\n", "!"},
      {"050 ok\r\n", "!"},
      {"650 ok\r\n", "!"},
      {"999 ok\r\n", "!"},
      {"25x ok\r\n", "!"},
      {"2x0 ok\r\n", "!"},
      {"x50 ok\r\n", "!"},
      {"SSH-2.0-x\r\n", "!"},
      {"250 o\rk\r\n", "!"},
      {"250 ok\r\r\n", "!"},
      {"250 ok\r\n\r\n", "250/1[ok]!"},
      {"250 ok\r250 ok\r\n", "!"},
      {"250\r ok\n", "!"},
      {"\r250 ok\r\n", "!"},
      {"250-a\r\n251 b\r\n", "!"},
      {"250-a\r\n350 b\r\n", "!"},
      {"250-a\r\n\r\n", "!"},
      {"250-a\r\nb\r\n250 c\r\n", "!"},
      {"250-a\r\n251-b\r\n250 c\r\n", "!"},
      {"250 a\r\n250-b\r\n550 c\r\n250 d\r\n", "250/1[a]!"},
  };
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    check_all_ways(NULL, cases[i].in, strlen(cases[i].in), cases[i].expected);
}

/* Wherever it stands, and in a line that is held as in one that is not. */
static void test_nul(void** state) {
  static const char in[] = "250-ab\r\n250 c\r\n";
  size_t len = sizeof(in) - 1;
  char bad[sizeof(in)];
  size_t i;

  (void)state;
  for (i = 0; i < len; i++) {
    memcpy(bad, in, len);
    bad[i] = '\0';
    /* Before an LF in place of the CR; in place of the last LF the line has
     * not ended. */
    check_all_ways(NULL, bad, len, i == len - 1 ? "+" : "!");
  }
}

static void test_line_limit(void** state) {
  uvsmtp__limits_t limits = {12, 1000, 1000};

  (void)state;
  check_all_ways(&limits, "250 sixxxx\r\n", 12, "250/1[sixxxx]");
  check_all_ways(&limits, "250 sevenxx\n", 12, "250/1[sevenxx]");
  check_all_ways(&limits, "250 sevenxx\r\n", 13, "!");
  check_all_ways(&limits, "250 eightxxx\n", 13, "!");
  check_all_ways(&limits, "250-sixxxx\r\n250-sixxxx\r\n250 x\r\n", 31,
                 "250/3[sixxxx\nsixxxx\nx]");
  check_all_ways(&limits, "250-x\r\n250-sevenxx\r\n250 x\r\n", 27, "!");
  /* Twelve octets, none of them LF, can't become a line of twelve. */
  check_all_ways(&limits, "250 elevenx", 11, "+");
  check_all_ways(&limits, "250 twelvexx", 12, "!");
}

static void test_text_limit(void** state) {
  uvsmtp__limits_t limits = {1000, 6, 1000};

  (void)state;
  check_all_ways(&limits, "250 sixxxx\r\n", 12, "250/1[sixxxx]");
  check_all_ways(&limits, "250 sevenxx\r\n", 13, "!");
  check_all_ways(&limits, "250-sixxxx\r\n", 12, "+");
  check_all_ways(&limits, "250-sevenxx\r\n", 13, "!");
  check_all_ways(&limits, "250-a\r\n250-b\r\n250 cd\r\n", 22,
                 "250/3[a\nb\ncd]");
  check_all_ways(&limits, "250-a\r\n250-b\r\n250 cde\r\n", 23, "!");
  check_all_ways(&limits, "250-sixxxx\r\n250\r\n", 17, "!");
  /* Each reply anew. */
  check_all_ways(&limits, "250-a\r\n250 bcde\r\n250-a\r\n250 bcde\r\n", 34,
                 "250/2[a\nbcde]250/2[a\nbcde]");
}

static void test_lines_limit(void** state) {
  uvsmtp__limits_t limits = {1000, 1000, 3};

  (void)state;
  check_all_ways(&limits, "250-a\r\n250-b\r\n250 c\r\n", 21, "250/3[a\nb\nc]");
  check_all_ways(&limits, "250-a\r\n250-b\r\n250-c\r\n", 21, "+");
  check_all_ways(&limits, "250-a\r\n250-b\r\n250-c\r\n250 d\r\n", 28, "!");
  limits.lines = 1;
  check_all_ways(&limits, "250 a\r\n250 b\r\n", 14, "250/1[a]250/1[b]");
  check_all_ways(&limits, "250-a\r\n250 b\r\n", 14, "!");
}

/* Feeds n octets c, all at once or one by one, and what follows. */
static int flood(uvsmtp__reader_t* r, const uvsmtp__mem_t* mem, char c,
                 size_t n, size_t step) {
  char chunk[1000];
  size_t used;
  int status = 0;

  memset(chunk, c, sizeof(chunk));
  while (n > 0 && status == 0) {
    size_t some = n < step ? n : step;

    status = uvsmtp__reader_feed(r, mem, chunk, some, &used);
    n -= some;
  }
  return status;
}

static void test_default_limits(void** state) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__limits_t none = {0, 0, 0};
  uvsmtp__reader_t r;
  size_t used;
  size_t i;

  (void)state;
  for (i = 1; i <= 1000; i *= 10) {
    uvsmtp__reader_init(&r, &none);
    assert_int_equal(flood(&r, &mem, '2', 16382, i), 0);
    assert_int_equal(uvsmtp__reader_feed(&r, &mem, "2", 1, &used), 0);
    assert_int_equal(uvsmtp__reader_feed(&r, &mem, "2", 1, &used),
                     UVSMTP_EPROTOCOL);
    uvsmtp__reader_reset(&r, &mem);

    assert_int_equal(uvsmtp__reader_feed(&r, &mem, "250 ", 4, &used), 0);
    assert_int_equal(flood(&r, &mem, 'x', 16378, i), 0);
    assert_int_equal(uvsmtp__reader_feed(&r, &mem, "\r\n", 2, &used), 1);
    assert_int_equal(r.reply.len, 16378);
    uvsmtp__reader_reset(&r, &mem);
    assert_int_equal(uvsmtp__reader_feed(&r, &mem, "250 ", 4, &used), 0);
    assert_int_equal(flood(&r, &mem, 'x', 16379, i), 0);
    assert_int_equal(uvsmtp__reader_feed(&r, &mem, "\r\n", 2, &used),
                     UVSMTP_EPROTOCOL);
    uvsmtp__reader_reset(&r, &mem);
  }

  for (i = 0; i < 512; i++)
    assert_int_equal(uvsmtp__reader_feed(&r, &mem, "250-\r\n", 6, &used), 0);
  assert_int_equal(uvsmtp__reader_feed(&r, &mem, "250 \r\n", 6, &used),
                   UVSMTP_EPROTOCOL);
  uvsmtp__reader_reset(&r, &mem);
  assert_int_equal(a.blocks, 0);
  /* The buffer that grows may be there twice for a moment. */
  assert_true(a.peak <= 2 * 16384);
}

static void test_default_octets(void** state) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__reader_t r;
  char line[4 + 4095 + 2];
  size_t used;
  int i;

  (void)state;
  memset(line, 'x', sizeof(line));
  memcpy(line, "250-", 4);
  memcpy(line + 4 + 4095, "\r\n", 2);
  uvsmtp__reader_init(&r, NULL);
  /* 16 lines of 4095 octets and the LFs between them: 65535. */
  for (i = 0; i < 16; i++)
    assert_int_equal(uvsmtp__reader_feed(&r, &mem, line, sizeof(line), &used),
                     0);
  assert_int_equal(uvsmtp__reader_feed(&r, &mem, "250\r\n", 5, &used), 1);
  assert_int_equal(r.reply.len, 65536);
  for (i = 0; i < 16; i++)
    assert_int_equal(uvsmtp__reader_feed(&r, &mem, line, sizeof(line), &used),
                     0);
  assert_int_equal(uvsmtp__reader_feed(&r, &mem, "250 x\r\n", 7, &used),
                   UVSMTP_EPROTOCOL);
  uvsmtp__reader_reset(&r, &mem);
  assert_int_equal(a.blocks, 0);
}

/* A single-line reply that arrives whole costs no memory and no copy. */
static void test_in_place(void** state) {
  static const char in[] = "250 ok\r\n550 no\r\n25";
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__reader_t r;
  size_t used;

  (void)state;
  uvsmtp__reader_init(&r, NULL);
  assert_int_equal(uvsmtp__reader_feed(&r, &mem, NULL, 0, &used), 0);
  assert_int_equal(uvsmtp__reader_feed(&r, &mem, in, 18, &used), 1);
  assert_int_equal(used, 8);
  assert_ptr_equal(r.reply.text, in + 4);
  assert_false(uvsmtp__reader_partial(&r));
  assert_int_equal(uvsmtp__reader_feed(&r, &mem, in + 8, 10, &used), 1);
  assert_int_equal(used, 8);
  assert_ptr_equal(r.reply.text, in + 12);
  assert_int_equal(a.requests, 0);
  assert_int_equal(uvsmtp__reader_feed(&r, &mem, in + 16, 2, &used), 0);
  assert_int_equal(used, 2);
  assert_true(uvsmtp__reader_partial(&r));
  uvsmtp__reader_reset(&r, &mem);
  assert_int_equal(a.blocks, 0);
}

static void test_errors_stay(void** state) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__limits_t limits = {100, 0, 0};
  uvsmtp__reader_t r;
  size_t used;

  (void)state;
  uvsmtp__reader_init(&r, &limits);
  assert_int_equal(uvsmtp__reader_feed(&r, &mem, "250-a\r\nx\r\n", 10, &used),
                   UVSMTP_EPROTOCOL);
  assert_int_equal(uvsmtp__reader_feed(&r, &mem, "250 ok\r\n", 8, &used),
                   UVSMTP_EPROTOCOL);
  assert_int_equal(used, 0);
  uvsmtp__reader_reset(&r, &mem);
  assert_int_equal(a.blocks, 0);
  assert_false(uvsmtp__reader_partial(&r));
  assert_int_equal(r.limits.line, 100);
  assert_int_equal(uvsmtp__reader_feed(&r, &mem, "350 ok\r\n", 8, &used), 1);
  assert_int_equal(r.reply.code, 350);
  assert_int_equal(r.reply.lines, 1);
}

static void log_line(void* arg, int kind, const char* text, size_t len) {
  log_t* log = arg;

  assert_int_equal(kind, UVSMTP_TRACE_RECEIVED);
  put(log, text, len);
  put(log, "|", 1);
}

/* Every line is shown once, however it came, and also the one that is wrong,
 * unless it can't be shown as a line. */
static void test_trace(void** state) {
  static const char in[] = "250-a\r\n250 b\n220\r\nhello\r\n";
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__reader_t r;
  log_t log = {"", 0};
  size_t used;
  size_t i;

  (void)state;
  uvsmtp__reader_init(&r, NULL);
  r.trace = log_line;
  r.trace_arg = &log;
  for (i = 0; i < sizeof(in) - 1; i++)
    uvsmtp__reader_feed(&r, &mem, in + i, 1, &used);
  assert_string_equal(log.text, "250-a|250 b|220|hello|");
  assert_int_equal(r.error, UVSMTP_EPROTOCOL);
  uvsmtp__reader_reset(&r, &mem);
  assert_int_equal(uvsmtp__reader_feed(&r, &mem, "250 \r\r\n", 7, &used),
                   UVSMTP_EPROTOCOL);
  assert_string_equal(log.text, "250-a|250 b|220|hello|");
  assert_int_equal(a.blocks, 0);
}

/* One octet at a time, with each allocation refused in turn. */
static void test_no_memory(void** state) {
  static const char in[] =
      "250-a line of 64 octets, so that its LF needs a larger block ..\r\n"
      "250-and another one, so that the text grows too, and not just once\r\n"
      "250 end\r\n";
  size_t fail_at = 0;
  size_t failed;

  (void)state;
  do {
    test_alloc_t a = {0};
    uvsmtp__mem_t mem = {test_alloc, &a};
    uvsmtp__reader_t r;
    size_t i = 0;
    size_t used;
    int status = 0;

    a.fail_at = ++fail_at;
    uvsmtp__reader_init(&r, NULL);
    while (status == 0 && i < sizeof(in) - 1)
      status = uvsmtp__reader_feed(&r, &mem, in + i++, 1, &used);
    failed = a.failed;
    assert_int_equal(status, failed ? -ENOMEM : 1);
    if (failed)
      assert_int_equal(uvsmtp__reader_feed(&r, &mem, "2", 1, &used), -ENOMEM);
    uvsmtp__reader_reset(&r, &mem);
    assert_int_equal(a.blocks, 0);
  } while (failed);
  assert_true(fail_at > 4);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_table),
      cmocka_unit_test(test_nul),
      cmocka_unit_test(test_line_limit),
      cmocka_unit_test(test_text_limit),
      cmocka_unit_test(test_lines_limit),
      cmocka_unit_test(test_default_limits),
      cmocka_unit_test(test_default_octets),
      cmocka_unit_test(test_in_place),
      cmocka_unit_test(test_errors_stay),
      cmocka_unit_test(test_trace),
      cmocka_unit_test(test_no_memory),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
