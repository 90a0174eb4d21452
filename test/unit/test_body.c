/* SPDX-License-Identifier: MIT */
/* test_body.c: the encoding of message text, against one that is written octet
 * by octet. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/body.h"

enum { LONGEST = 7, NAIVE_ROOM = 3 * LONGEST + 5 };

typedef struct text_s {
  char* octets;
  size_t len;
  size_t room;
} text_t;

static void put(text_t* t, const void* data, size_t len) {
  if (len > t->room - t->len) fail();
  if (len > 0) memcpy(t->octets + t->len, data, len);
  t->len += len;
}

/* The encoding as the headers describe it: 0 or -EINVAL. */
static int naive(unsigned int line_ends, int stuff, const char* in, size_t len,
                 text_t* out) {
  int bol = 1;
  size_t i;

  for (i = 0; i < len; i++) {
    if (line_ends == UVSMTP_LINES_BINARY) {
      put(out, in + i, 1);
    } else if (in[i] == '\r' || in[i] == '\n') {
      int whole = in[i] == '\r' && i + 1 < len && in[i + 1] == '\n';

      if (!whole && line_ends == UVSMTP_LINES_STRICT) return -EINVAL;
      put(out, "\r\n", 2);
      i += (size_t)whole;
      bol = 1;
    } else {
      if (in[i] == '.' && bol && stuff) put(out, ".", 1);
      put(out, in + i, 1);
      bol = 0;
    }
  }
  if (line_ends == UVSMTP_LINES_BINARY) return 0;
  if (!bol && line_ends == UVSMTP_LINES_STRICT) return -EINVAL;
  if (!bol) put(out, "\r\n", 2);
  if (stuff) put(out, ".\r\n", 3);
  return 0;
}

/* Encodes one chunk, from a block of its own; appends to out and adds up what
 * it measures. */
static int encode(uvsmtp__body_t* b, const char* in, size_t len, text_t* out) {
  char* chunk = malloc(len);
  uvsmtp__body_t measured = *b;
  size_t before = out->len;
  uint64_t encoded = 0;
  int clean = 1;
  size_t at = 0;
  int status = 0;
  int same;

  if (chunk == NULL) fail();
  memcpy(chunk, in, len);
  while (at < len && status == 0) {
    uvsmtp_slice_t piece;
    size_t used = 0;

    status = uvsmtp__body_next(b, chunk + at, len - at, &used, &piece);
    if (status != 0) break;
    if (used == 0 || used > len - at) fail();
    put(out, piece.base, piece.len);
    at += used;
  }

  if (uvsmtp__body_measure(&measured, chunk, len, &encoded, &clean) != status)
    fail();
  same =
      out->len - before == len && memcmp(out->octets + before, chunk, len) == 0;
  free(chunk);
  if (status != 0) return status;
  if (encoded != out->len - before || clean != same) fail();
  if (measured.bol != b->bol || measured.cr != b->cr) fail();
  return 0;
}

/* The whole encoding: a first chunk, then chunks of `rest` octets. */
static int encode_split(unsigned int line_ends, int stuff, const char* in,
                        size_t len, size_t first, size_t rest, text_t* out) {
  uvsmtp__body_t b;
  uvsmtp_slice_t piece;
  size_t n = first;
  size_t at;
  int status;

  out->len = 0;
  uvsmtp__body_init(&b, line_ends, stuff);
  for (at = 0; at < len; at += n, n = rest) {
    if (n > len - at) n = len - at;
    status = encode(&b, in + at, n, out);
    if (status != 0) return status;
  }
  status = uvsmtp__body_end(&b, &piece);
  if (status == 0) put(out, piece.base, piece.len);
  return status;
}

static void compare(unsigned int line_ends, int stuff, const char* in,
                    size_t len) {
  char wanted_octets[NAIVE_ROOM];
  char got_octets[NAIVE_ROOM];
  text_t wanted = {wanted_octets, 0, sizeof(wanted_octets)};
  text_t got = {got_octets, 0, sizeof(got_octets)};
  int status = naive(line_ends, stuff, in, len, &wanted);
  size_t i;

  for (i = 0; i <= len; i++) {
    /* Split after i octets; at the last turn one by one. */
    size_t first = i == 0 ? len : i == len ? 1 : i;
    size_t rest = i == len ? 1 : len;

    if (encode_split(line_ends, stuff, in, len, first, rest, &got) != status)
      fail();
    if (status != 0) continue;
    assert_int_equal(got.len, wanted.len);
    assert_memory_equal(got.octets, wanted.octets, wanted.len);
  }
}

/* All texts of up to LONGEST octets over four letters. */
static void all_texts(unsigned int line_ends, int stuff) {
  static const char alphabet[4] = {'\r', '\n', '.', 'a'};
  char in[LONGEST];
  size_t len;
  uint32_t number;
  size_t i;

  for (len = 0; len <= LONGEST; len++) {
    for (number = 0; number < 1u << (2 * len); number++) {
      for (i = 0; i < len; i++) in[i] = alphabet[number >> (2 * i) & 3];
      compare(line_ends, stuff, in, len);
    }
  }
}

static void test_normalise_data(void** state) {
  (void)state;
  all_texts(UVSMTP_LINES_NORMALISE, 1);
}

static void test_normalise_bdat(void** state) {
  (void)state;
  all_texts(UVSMTP_LINES_NORMALISE, 0);
}

static void test_strict_data(void** state) {
  (void)state;
  all_texts(UVSMTP_LINES_STRICT, 1);
}

static void test_strict_bdat(void** state) {
  (void)state;
  all_texts(UVSMTP_LINES_STRICT, 0);
}

static void test_binary(void** state) {
  (void)state;
  all_texts(UVSMTP_LINES_BINARY, 0);
}

enum { LONG_ROOM = 13000 };

static void compare_long(const char* in, size_t len) {
  static char wanted_octets[LONG_ROOM + 100];
  static char got_octets[LONG_ROOM + 100];
  text_t wanted = {wanted_octets, 0, sizeof(wanted_octets)};
  text_t got = {got_octets, 0, sizeof(got_octets)};
  unsigned int mode;

  for (mode = 0; mode < 4; mode++) {
    unsigned int line_ends =
        mode & 1 ? UVSMTP_LINES_STRICT : UVSMTP_LINES_NORMALISE;
    int stuff = mode < 2;
    int status;

    wanted.len = 0;
    status = naive(line_ends, stuff, in, len, &wanted);
    assert_int_equal(encode_split(line_ends, stuff, in, len, len, 1, &got),
                     status);
    if (status != 0) continue;
    assert_int_equal(got.len, wanted.len);
    assert_memory_equal(got.octets, wanted.octets, wanted.len);
  }
}

/* Long texts with line ends, dots and odd ones around the places where the
 * search pauses, which are 4096 octets apart. */
static void test_long_texts(void** state) {
  static const char* const odd[] = {"\r\n",      "\n",     "\r", "\r\n.", "\r.",
                                    "\r\n.\r\n", "\r\n\r", ".",  "\n\r"};
  static const size_t places[] = {4096, 2 * 4096, 3 * 4096 - 100};
  static char in[LONG_ROOM];
  size_t before;
  size_t i;
  size_t p;

  (void)state;
  for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
    for (p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
      for (before = 0; before < 8; before++) {
        char* at = in + places[p] - before;

        memset(in, 'a', sizeof(in));
        memcpy(at, odd[i], strlen(odd[i]));
        compare_long(in, (size_t)(at - in) + strlen(odd[i]));
        memcpy(in + 100, odd[i], strlen(odd[i]));
        memcpy(in + sizeof(in) - 2, "\r\n", 2);
        compare_long(in, sizeof(in));
      }
    }
  }
}

/* Clean text, however long, is one run by reference. */
static void test_by_reference(void** state) {
  static char in[78 * 1000];
  uvsmtp__body_t b;
  uvsmtp_slice_t piece;
  uint64_t encoded = 5;
  int clean = 1;
  size_t used;
  size_t i;

  (void)state;
  memset(in, 'a', sizeof(in));
  for (i = 76; i < sizeof(in); i += 78) memcpy(in + i, "\r\n", 2);
  uvsmtp__body_init(&b, UVSMTP_LINES_NORMALISE, 1);
  assert_int_equal(uvsmtp__body_next(&b, in, sizeof(in), &used, &piece), 0);
  assert_int_equal(used, sizeof(in));
  assert_ptr_equal(piece.base, in);
  assert_int_equal(piece.len, sizeof(in));
  assert_int_equal(uvsmtp__body_end(&b, &piece), 0);
  assert_int_equal(piece.len, 3);
  assert_memory_equal(piece.base, ".\r\n", 3);

  uvsmtp__body_init(&b, UVSMTP_LINES_NORMALISE, 1);
  assert_int_equal(uvsmtp__body_measure(&b, in, sizeof(in), &encoded, &clean),
                   0);
  assert_int_equal(encoded, sizeof(in) + 5);
  assert_int_equal(clean, 1);

  /* A dot at the start of a line splits it; without stuffing it does not. */
  in[780] = '.';
  uvsmtp__body_init(&b, UVSMTP_LINES_NORMALISE, 1);
  assert_int_equal(uvsmtp__body_next(&b, in, sizeof(in), &used, &piece), 0);
  assert_int_equal(used, 780);
  assert_int_equal(piece.len, 780);
  uvsmtp__body_init(&b, UVSMTP_LINES_STRICT, 0);
  assert_int_equal(uvsmtp__body_next(&b, in, sizeof(in), &used, &piece), 0);
  assert_int_equal(used, sizeof(in));
  assert_ptr_equal(piece.base, in);
}

/* The end of data (RFC 5321 4.1.1.4), and nothing from nothing. */
static void test_end(void** state) {
  static const struct {
    unsigned int line_ends;
    int stuff;
    const char* in;
    int status;
    const char* end;
  } cases[] = {
      {UVSMTP_LINES_NORMALISE, 1, "", 0, ".\r\n"},
      {UVSMTP_LINES_NORMALISE, 1, "a", 0, "\r\n.\r\n"},
      {UVSMTP_LINES_NORMALISE, 1, "a\r\n", 0, ".\r\n"},
      {UVSMTP_LINES_NORMALISE, 1, "a\r", 0, ".\r\n"},
      {UVSMTP_LINES_NORMALISE, 0, "", 0, ""},
      {UVSMTP_LINES_NORMALISE, 0, "a", 0, "\r\n"},
      {UVSMTP_LINES_NORMALISE, 0, "a\n", 0, ""},
      {UVSMTP_LINES_STRICT, 1, "", 0, ".\r\n"},
      {UVSMTP_LINES_STRICT, 1, "a\r\n", 0, ".\r\n"},
      {UVSMTP_LINES_STRICT, 1, "a", -EINVAL, ""},
      {UVSMTP_LINES_STRICT, 1, "a\r", -EINVAL, ""},
      {UVSMTP_LINES_STRICT, 1, "\r", -EINVAL, ""},
      {UVSMTP_LINES_STRICT, 0, "", 0, ""},
      {UVSMTP_LINES_BINARY, 0, "a", 0, ""},
      {UVSMTP_LINES_BINARY, 1, ".", 0, ""},
  };
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    uvsmtp__body_t b;
    uvsmtp_slice_t piece;
    size_t len = strlen(cases[i].in);
    size_t at = 0;
    size_t used = 7;

    uvsmtp__body_init(&b, cases[i].line_ends, cases[i].stuff);
    assert_int_equal(uvsmtp__body_next(&b, cases[i].in, 0, &used, &piece), 0);
    assert_int_equal(used, 0);
    assert_int_equal(piece.len, 0);
    for (; at < len; at += used)
      assert_int_equal(
          uvsmtp__body_next(&b, cases[i].in + at, len - at, &used, &piece), 0);
    assert_int_equal(uvsmtp__body_end(&b, &piece), cases[i].status);
    assert_int_equal(piece.len, strlen(cases[i].end));
    assert_memory_equal(piece.base, cases[i].end, piece.len);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_normalise_data),
      cmocka_unit_test(test_normalise_bdat),
      cmocka_unit_test(test_strict_data),
      cmocka_unit_test(test_strict_bdat),
      cmocka_unit_test(test_binary),
      cmocka_unit_test(test_long_texts),
      cmocka_unit_test(test_by_reference),
      cmocka_unit_test(test_end),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
