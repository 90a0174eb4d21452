/* SPDX-License-Identifier: MIT */
/* test_command_put.c: command lines as they are written. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "core/command.h"

typedef struct fixture_s {
  test_alloc_t alloc;
  uvsmtp__mem_t mem;
  uvsmtp__buf_t buf;
} fixture_t;

static void begin(fixture_t* f) {
  memset(f, 0, sizeof(*f));
  f->mem.alloc = test_alloc;
  f->mem.data = &f->alloc;
}

static void end(fixture_t* f) {
  uvsmtp__buf_free(&f->mem, &f->buf);
  assert_int_equal(f->alloc.blocks, 0);
}

static void assert_written(const fixture_t* f, const char* text) {
  assert_int_equal(f->buf.len, strlen(text));
  assert_memory_equal(uvsmtp__buf_data(&f->buf), text, strlen(text));
}

static uvsmtp_slice_t slice(const char* text) {
  uvsmtp_slice_t s = {text, strlen(text)};

  return s;
}

static void test_lines(void** state) {
  fixture_t f;

  (void)state;
  begin(&f);
  assert_int_equal(uvsmtp__put_hello(&f.mem, &f.buf, "EHLO", "host.example"),
                   0);
  assert_written(&f, "EHLO host.example\r\n");
  assert_int_equal(uvsmtp__put_line(&f.mem, &f.buf, "NOOP"), 0);
  assert_written(&f, "EHLO host.example\r\nNOOP\r\n");
  end(&f);
}

static void test_bdat(void** state) {
  static const struct {
    uint64_t n;
    int last;
    const char* expected;
  } cases[] = {
      {0, 0, "BDAT 0\r\n"},
      {0, 1, "BDAT 0 LAST\r\n"},
      {9, 0, "BDAT 9\r\n"},
      {10, 1, "BDAT 10 LAST\r\n"},
      {1234567890, 0, "BDAT 1234567890\r\n"},
      {UINT64_MAX, 1, "BDAT 18446744073709551615 LAST\r\n"},
  };
  fixture_t f;
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    begin(&f);
    assert_int_equal(
        uvsmtp__put_bdat(&f.mem, &f.buf, cases[i].n, cases[i].last), 0);
    assert_written(&f, cases[i].expected);
    end(&f);
  }
}

static void test_paths(void** state) {
  static const char* const one[] = {"BODY=8BITMIME"};
  static const char* const two[] = {"RET=HDRS", "ENVID=x"};
  fixture_t f;

  (void)state;
  begin(&f);
  assert_int_equal(uvsmtp__put_path(&f.mem, &f.buf, "MAIL FROM:", slice(""),
                                    NULL, NULL, 0, NULL, 0),
                   0);
  assert_written(&f, "MAIL FROM:<>\r\n");
  uvsmtp__buf_consume(&f.buf, f.buf.len);
  assert_int_equal(uvsmtp__put_path(&f.mem, &f.buf, "MAIL FROM:", slice("a@b"),
                                    " SIZE=10", one, 1, two, 2),
                   0);
  assert_written(&f,
                 "MAIL FROM:<a@b> SIZE=10 BODY=8BITMIME RET=HDRS ENVID=x\r\n");
  uvsmtp__buf_consume(&f.buf, f.buf.len);
  assert_int_equal(uvsmtp__put_path(&f.mem, &f.buf, "RCPT TO:", slice("a@b"),
                                    NULL, NULL, 0, two, 1),
                   0);
  assert_written(&f, "RCPT TO:<a@b> RET=HDRS\r\n");
  end(&f);
}

/* A line of UVSMTP__LINE_MAX octets and one of one more. */
static void test_longest(void** state) {
  char text[UVSMTP__LINE_MAX + 1];
  const char* const options[] = {text};
  fixture_t f;
  size_t over;

  (void)state;
  for (over = 0; over < 2; over++) {
    int expected = over ? -EINVAL : 0;

    begin(&f);
    memset(text, 'x', sizeof(text));
    assert_int_equal(uvsmtp__put_line(&f.mem, &f.buf, "first"), 0);

    text[UVSMTP__LINE_MAX - 2 + over] = '\0';
    assert_int_equal(uvsmtp__put_line(&f.mem, &f.buf, text), expected);
    assert_int_equal(f.buf.len, 7 + (over ? 0 : UVSMTP__LINE_MAX));

    text[UVSMTP__LINE_MAX - 7 + over] = '\0';
    assert_int_equal(uvsmtp__put_hello(&f.mem, &f.buf, "EHLO", text), expected);
    assert_int_equal(f.buf.len, 7 + (over ? 0 : 2 * UVSMTP__LINE_MAX));

    text[UVSMTP__LINE_MAX - 16 + over] = '\0';
    assert_int_equal(uvsmtp__put_path(&f.mem, &f.buf, "RCPT TO:", slice("a@b"),
                                      NULL, options, 1, NULL, 0),
                     expected);
    assert_int_equal(f.buf.len, 7 + (over ? 0 : 3 * UVSMTP__LINE_MAX));
    assert_memory_equal(uvsmtp__buf_data(&f.buf), "first\r\n", 7);
    end(&f);
  }
}

static void test_no_memory(void** state) {
  fixture_t f;
  int i;

  (void)state;
  begin(&f);
  assert_int_equal(uvsmtp__put_line(&f.mem, &f.buf, "first"), 0);
  f.alloc.fail_at = 2;
  f.alloc.fail_on = 1;
  for (i = 0; i < 60; i++) {
    size_t len = f.buf.len;

    if (uvsmtp__put_bdat(&f.mem, &f.buf, 1, 0) == 0) continue;
    assert_int_equal(uvsmtp__put_bdat(&f.mem, &f.buf, 1, 0), -ENOMEM);
    assert_int_equal(uvsmtp__put_line(&f.mem, &f.buf, "a long line"), -ENOMEM);
    assert_int_equal(uvsmtp__put_hello(&f.mem, &f.buf, "EHLO", "x.example"),
                     -ENOMEM);
    assert_int_equal(uvsmtp__put_path(&f.mem, &f.buf, "RCPT TO:", slice("a@b"),
                                      NULL, NULL, 0, NULL, 0),
                     -ENOMEM);
    assert_int_equal(f.buf.len, len);
    assert_memory_equal(uvsmtp__buf_data(&f.buf), "first\r\nBDAT 1\r\n", 15);
    break;
  }
  assert_true(i < 60);
  assert_int_equal(f.alloc.failed, 5);
  end(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lines),     cmocka_unit_test(test_bdat),
      cmocka_unit_test(test_paths),     cmocka_unit_test(test_longest),
      cmocka_unit_test(test_no_memory),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
