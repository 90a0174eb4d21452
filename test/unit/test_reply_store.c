/* SPDX-License-Identifier: MIT */
/* test_reply_store.c: enhanced codes, and replies that are kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "core/reply.h"

static void test_enhanced(void** state) {
  static const struct {
    unsigned short code;
    const char* text;
    const char* expected;
  } cases[] = {
      {250, "2.1.5", "2.1.5"},
      {250, "2.1.5 ok", "2.1.5"},
      {250, "2.1.5\tok", "2.1.5"},
      {550, "5.7.708 x", "5.7.708"},
      {450, "4.999.999", "4.999.999"},
      {221, "2.0.0", "2.0.0"},
      {250, "2.01.005 ", "2.1.5"},
      {250, "", ""},
      {250, "2", ""},
      {250, "2.", ""},
      {250, "2.1", ""},
      {250, "2.1.", ""},
      {250, "2.1. 5", ""},
      {250, "2..5", ""},
      {250, ".1.5", ""},
      {250, "2.1.5x", ""},
      {250, "2.1.5.1", ""},
      {250, "2.1.5-", ""},
      {250, "2.1.1000", ""},
      {250, "2.1000.1", ""},
      {250, "5.1.1", ""},
      {550, "2.1.1", ""},
      {450, "5.1.1", ""},
      {354, "3.0.0", ""},
      {150, "1.0.0", ""},
      {250, "22.1.5", ""},
      {250, " 2.1.5", ""},
      {250, "2-1-5", ""},
      {250, "a.b.c", ""},
  };
  size_t i;
  size_t len;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    unsigned short out[3] = {7, 7, 7};
    char got[40] = "";

    uvsmtp__enhanced_parse(cases[i].code, cases[i].text, strlen(cases[i].text),
                           out);
    if (out[0] != 0)
      snprintf(got, sizeof(got), "%d.%d.%d", out[0], out[1], out[2]);
    assert_string_equal(got, cases[i].expected);
  }
  /* No octet behind the text is looked at. */
  for (len = 0; len < 5; len++) {
    unsigned short out[3];

    uvsmtp__enhanced_parse(250, "2.1.5", len, out);
    assert_int_equal(out[0], 0);
  }
}

static void read_one(uvsmtp__reader_t* r, const uvsmtp__mem_t* mem,
                     const char* in) {
  size_t used;

  assert_int_equal(uvsmtp__reader_feed(r, mem, in, strlen(in), &used), 1);
}

static void test_store(void** state) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__buf_t arena = {NULL, 0, 0, 0};
  uvsmtp__reader_t r;
  uvsmtp_reply_t stored[4];
  unsigned short code[3];
  size_t len;

  (void)state;
  uvsmtp__reader_init(&r, NULL);
  read_one(&r, &mem, "250-2.1.5 one\r\n250 two\r\n");
  uvsmtp__reply_store(&mem, &arena, &r.reply, 100, &stored[0]);
  read_one(&r, &mem, "550 no\r\n");
  uvsmtp__reply_store(&mem, &arena, &r.reply, 100, &stored[1]);
  read_one(&r, &mem, "451 a long text, of which the beginning must do\r\n");
  uvsmtp__reply_store(&mem, &arena, &r.reply, 10, &stored[2]);
  read_one(&r, &mem, "220\r\n");
  uvsmtp__reply_store(&mem, &arena, &r.reply, 0, &stored[3]);
  uvsmtp__reader_reset(&r, &mem);
  /* The arena moves. */
  assert_non_null(uvsmtp__buf_reserve(&mem, &arena, 10000, SIZE_MAX));

  assert_string_equal(uvsmtp_reply_text(&stored[0], &len), "2.1.5 one\ntwo");
  assert_int_equal(len, 13);
  assert_int_equal(uvsmtp_reply_code(&stored[0]), 250);
  assert_int_equal(uvsmtp_reply_lines(&stored[0]), 2);
  assert_int_equal(uvsmtp_reply_enhanced(&stored[0], code), 1);
  assert_int_equal(code[0], 2);
  assert_int_equal(code[1], 1);
  assert_int_equal(code[2], 5);
  assert_string_equal(uvsmtp_reply_text(&stored[1], NULL), "no");
  assert_int_equal(uvsmtp_reply_code(&stored[1]), 550);
  assert_int_equal(uvsmtp_reply_enhanced(&stored[1], code), 0);
  assert_string_equal(uvsmtp_reply_text(&stored[2], &len), "a long tex");
  assert_int_equal(len, 10);
  assert_string_equal(uvsmtp_reply_text(&stored[3], &len), "");
  assert_int_equal(len, 0);

  /* Text as long as the arena's smallest block: the NUL needs room too. */
  uvsmtp__buf_free(&mem, &arena);
  read_one(&r, &mem,
           "250 0123456789abcdef0123456789abcdef0123456789abcdef"
           "0123456789abcdef\r\n");
  uvsmtp__reply_store(&mem, &arena, &r.reply, 100, &stored[0]);
  assert_int_equal(strlen(uvsmtp_reply_text(&stored[0], &len)), 64);
  assert_int_equal(len, 64);

  /* From the arena into the arena, and onto itself. */
  uvsmtp__buf_free(&mem, &arena);
  read_one(&r, &mem, "250 the text to be copied again and again and again\r\n");
  uvsmtp__reply_store(&mem, &arena, &r.reply, 100, &stored[0]);
  uvsmtp__reply_store(&mem, &arena, &stored[0], 100, &stored[1]);
  uvsmtp__reply_store(&mem, &arena, &stored[1], 8, &stored[1]);
  assert_string_equal(uvsmtp_reply_text(&stored[0], NULL),
                      "the text to be copied again and again and again");
  assert_string_equal(uvsmtp_reply_text(&stored[1], NULL), "the text");
  uvsmtp__buf_free(&mem, &arena);
  assert_int_equal(a.blocks, 0);
}

static void test_store_without_memory(void** state) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__buf_t arena = {NULL, 0, 0, 0};
  uvsmtp__reader_t r;
  uvsmtp_reply_t stored;
  unsigned short code[3];
  size_t len = 1;

  (void)state;
  uvsmtp__reader_init(&r, NULL);
  read_one(&r, &mem, "550 5.1.1 no\r\n");
  a.fail_at = 1;
  uvsmtp__reply_store(&mem, &arena, &r.reply, 100, &stored);
  assert_int_equal(a.failed, 1);
  assert_string_equal(uvsmtp_reply_text(&stored, &len), "");
  assert_int_equal(len, 0);
  assert_int_equal(uvsmtp_reply_code(&stored), 550);
  assert_int_equal(uvsmtp_reply_lines(&stored), 1);
  assert_int_equal(uvsmtp_reply_enhanced(&stored, code), 1);
  assert_int_equal(arena.len, 0);
  assert_int_equal(a.blocks, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_enhanced),
      cmocka_unit_test(test_store),
      cmocka_unit_test(test_store_without_memory),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
