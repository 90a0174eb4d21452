/* SPDX-License-Identifier: MIT */
/* test_header.c: what a header block consists of, and where it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "message/message.h"

/* A message, its items as "name=body|", and what is left of it. */
typedef struct want_s {
  const char* text;
  const char* items;
  const char* rest;
} want_t;

static const want_t wants[] = {
    {"", "", ""},
    {"A: b\r\n\r\nbody", "A= b|", "\r\nbody"},
    {"A: b\nC:d\n\nbody", "A= b|C=d|", "\nbody"},
    {"A: b\rC:d\r\rbody", "A= b|C=d|", "\rbody"},
    {"A: b\rC:d\nE:f\r\nG:h\r\n\nbody", "A= b|C=d|E=f|G=h|", "\nbody"},
    {"A: b\n\rC: d\n", "A= b|", "\rC: d\n"},
    {"A: b\r\r\nC: d\n", "A= b|", "\r\nC: d\n"},
    {"\r\nA: b\r\n", "", "\r\nA: b\r\n"},
    {"\nA: b", "", "\nA: b"},
    /* the end without an empty line, and without a line end */
    {"A: b\r\n", "A= b|", ""},
    {"A: b", "A= b|", ""},
    {"A: b\r", "A= b|", ""},
    {"A:", "A=|", ""},
    {"A:\n", "A=|", ""},
    /* folds */
    {"A: b\r\n c\r\n\td\r\nE: f\r\n\r\n", "A= b\r\n c\r\n\td|E= f|", "\r\n"},
    {"A:\n b\n", "A=\n b|", ""},
    {"A: b\n \nC: d\n\n", "A= b\n |C= d|", "\n"},
    {"A: b\r \r\t\r\r", "A= b\r \r\t|", "\r"},
    /* names: RFC 5322 3.6.8, blanks of 4.5 */
    {"!~\"Z9-_: b\n", "!~\"Z9-_= b|", ""},
    {"A : b\nC\t \t: d\n", "A= b|C= d|", ""},
    {"A: b: c\n", "A= b: c|", ""},
    {"A b: c\n", "", "A b: c\n"},
    {"A: b\nC\nD: e\n", "A= b|", "C\nD: e\n"},
    {"A: b\nC \nD: e\n", "A= b|", "C \nD: e\n"},
    {"A: b\nC", "A= b|", "C"},
    {"A: b\nT\xc3\xb6: c\n", "A= b|", "T\xc3\xb6: c\n"},
    {"A: b\nT\x7f: c\n", "A= b|", "T\x7f: c\n"},
    {"A: b\nT\x01: c\n", "A= b|", "T\x01: c\n"},
    {"A: \x01\x7f\xff\n", "A= \x01\x7f\xff|", ""},
    /* what is no field, and does not end it */
    {"From a b\nA: b\n\n", "=From a b|A= b|", "\n"},
    {"From a b\r\n\tc\r\nA: b\r\n", "=From a b\r\n\tc|A= b|", ""},
    {"From a b\n\n", "=From a b|", "\n"},
    {"From a b\nbody", "=From a b|", "body"},
    {"From ", "=From |", ""},
    {" a\n b\nC: d\n", "= a\n b|C= d|", ""},
    {": a\n b\nC: d\n", "=: a\n b|C= d|", ""},
    {"A: b\n: c\n d\nE: f\n", "A= b|=: c\n d|E= f|", ""},
    {"A: b\nFrom c\n d\nE: f\n", "A= b|=From c\n d|E= f|", ""},
    {"A: b\nFrom c\nFrom d\nE: f\n", "A= b|=From c|=From d|E= f|", ""},
    /* "From " as text */
    {"A: b\nFrom c\n\nd", "A= b|", "From c\n\nd"},
    {"A: b\nFrom c\nd e\n", "A= b|", "From c\nd e\n"},
    {"A: b\nFrom c", "A= b|", "From c"},
    {"A: b\nFrom c\nFrom d\n\n", "A= b|=From c|", "From d\n\n"},
    {"A: b\nFrom c\n d\n\n", "A= b|=From c\n d|", "\n"},
    {"A: b\nFrom\tc\n", "A= b|", "From\tc\n"},
    {"A: b\nFrom\n", "A= b|", "From\n"},
    {"A: b\nfrom c\n", "A= b|", "from c\n"},
    {"From : a\nFrom: b\nFrom\t: c\n", "From= a|From= b|From= c|", ""},
};
enum { WANTS = sizeof(wants) / sizeof(wants[0]) };

static void test_fields(void** state) {
  size_t i;

  (void)state;
  for (i = 0; i < WANTS; i++) {
    size_t len = strlen(wants[i].text);
    char* copy = malloc(len + 1);
    uvsmtp__fields_t fields = {copy, copy, copy + len};
    uvsmtp__field_t f;
    const char* before = copy;
    char said[256] = "";

    assert_non_null(copy);
    memcpy(copy, wants[i].text, len);
    while (uvsmtp__field_next(&fields, &f)) {
      assert_ptr_equal(f.start, before);
      assert_ptr_equal(f.stop, fields.at);
      before = f.stop;
      sprintf(said + strlen(said), "%.*s=%.*s|", (int)f.name.len,
              (const char*)f.name.base, (int)f.body.len,
              (const char*)f.body.base);
    }
    assert_string_equal(said, wants[i].items);
    assert_ptr_equal(fields.at, before);
    assert_int_equal(fields.end - fields.at, strlen(wants[i].rest));
    /* It stays so. */
    assert_int_equal(uvsmtp__field_next(&fields, &f), 0);
    free(copy);
  }
}

/* Asks for the end of a text that comes in three pieces; -1: it did not say. */
static long end_of(const char* text, size_t len, size_t cut, size_t cut2) {
  size_t upto[3];
  uvsmtp__over_t over;
  size_t i;

  memset(&over, 0, sizeof(over));
  upto[0] = cut;
  upto[1] = cut2;
  upto[2] = len;
  for (i = 0; i < 3; i++) {
    /* Elsewhere each time, with nothing behind. */
    char* copy = malloc(upto[i] + 1);
    int said;

    assert_non_null(copy);
    memcpy(copy, text, upto[i]);
    said = uvsmtp__header_over(copy, copy + upto[i], &over);
    free(copy);
    if (said) return (long)over.at;
    assert_int_equal(over.at, upto[i]);
  }
  return -1;
}

static void test_pieces(void** state) {
  size_t i;

  (void)state;
  for (i = 0; i < WANTS; i++) {
    const char* text = wants[i].text;
    size_t len = strlen(text);
    size_t rest = strlen(wants[i].rest);
    long want = end_of(text, len, len, len);
    size_t cut;
    size_t cut2;

    /* With something behind that settles it, it is where the fields end. */
    if (want >= 0) assert_int_equal(want, len - rest);
    for (cut = 0; cut <= len; cut++)
      for (cut2 = cut; cut2 <= len; cut2++)
        assert_int_equal(end_of(text, len, cut, cut2), want);
  }
}

/* As soon as it can be known, and not before. */
static void test_soon(void** state) {
  static const struct {
    const char* text;
    size_t known; /* by how many octets */
    size_t end;
  } soon[] = {
      {"A: b\r\n\r\nx", 7, 6},
      {"A: b\n\nx", 6, 5},
      {"A: b\r\rx", 6, 5},
      {"A: b\nC d", 8, 5},
      {"A: b\nC\n", 7, 5},
      {"\n", 1, 0},
      {"\r\n", 1, 0},
      {"\xc3", 1, 0},
      {"A: b\nFrom c\n\n", 13, 5},
      {"A: b\nFrom c\nd e", 15, 5},
      {"From a\n\n", 8, 7},
      {"Ab\xc3", 3, 0},
  };
  size_t i;
  size_t n;

  (void)state;
  for (i = 0; i < sizeof(soon) / sizeof(soon[0]); i++)
    for (n = 0; n <= strlen(soon[i].text); n++) {
      uvsmtp__over_t over;

      memset(&over, 0, sizeof(over));
      assert_int_equal(
          uvsmtp__header_over(soon[i].text, soon[i].text + n, &over),
          n >= soon[i].known);
      if (n >= soon[i].known) assert_int_equal(over.at, soon[i].end);
    }
}

static void test_nul(void** state) {
  static const char text[] = "A\0: b\n";
  static const char text2[] = "A: \0\n B\0: c\n\n";
  uvsmtp__fields_t fields = {text, text, text + sizeof(text) - 1};
  uvsmtp__fields_t fields2 = {text2, text2, text2 + sizeof(text2) - 1};
  uvsmtp__field_t f;

  (void)state;
  assert_int_equal(uvsmtp__field_next(&fields, &f), 0);
  assert_int_equal(uvsmtp__field_next(&fields2, &f), 1);
  assert_int_equal(f.body.len, 9);
  assert_int_equal(end_of(text, sizeof(text) - 1, 1, 2), 0);
}

static void test_blind(void** state) {
  static const char text[] =
      "Bcc: a\nBCC : b\nresent-bcc: c\nrEsEnT-bCc:\n: d\n"
      "To: e\nBcc2: f\nXBcc: g\nResent-Bc: h\nBc: i\n";
  uvsmtp__fields_t fields = {text, text, text + sizeof(text) - 1};
  uvsmtp__field_t f;
  int i;

  (void)state;
  for (i = 0; uvsmtp__field_next(&fields, &f); i++)
    assert_int_equal(uvsmtp__field_is_blind(&f), i < 5);
  assert_int_equal(i, 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fields), cmocka_unit_test(test_pieces),
      cmocka_unit_test(test_soon),   cmocka_unit_test(test_nul),
      cmocka_unit_test(test_blind),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
