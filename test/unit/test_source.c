/* SPDX-License-Identifier: MIT */
/* test_source.c: body sources over memory, in one piece or several, and
 * over a reading function. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "uvsmtp/types.h"

static void test_memory(void** state) {
  static const char text[] = "one two";
  uvsmtp_memory_source_t m;
  uvsmtp_source_t* s = &m.source;
  uvsmtp_slice_t out;

  (void)state;
  uvsmtp_source_memory(&m, text, 7);
  assert_int_equal(s->size, sizeof(*s));
  assert_int_equal(s->length, 7);
  assert_null(s->release);
  assert_int_equal(s->peek(s, &out), UVSMTP_SOURCE_MORE);
  assert_ptr_equal(out.base, text);
  assert_int_equal(out.len, 7);
  s->consumed(s, 4);
  assert_int_equal(s->peek(s, &out), UVSMTP_SOURCE_MORE);
  assert_ptr_equal(out.base, text + 4);
  assert_int_equal(out.len, 3);
  s->consumed(s, 3);
  assert_int_equal(s->peek(s, &out), UVSMTP_SOURCE_EOF);
  assert_int_equal(s->peek(s, &out), UVSMTP_SOURCE_EOF);
  assert_int_equal(s->rewind(s), 0);
  assert_int_equal(s->peek(s, &out), UVSMTP_SOURCE_MORE);
  assert_ptr_equal(out.base, text);
  assert_int_equal(out.len, 7);
}

static void test_no_memory_at_all(void** state) {
  uvsmtp_memory_source_t m;
  uvsmtp_slice_t out;

  (void)state;
  uvsmtp_source_memory(&m, NULL, 0);
  assert_int_equal(m.source.length, 0);
  assert_int_equal(m.source.peek(&m.source, &out), UVSMTP_SOURCE_EOF);
  assert_int_equal(m.source.rewind(&m.source), 0);
  assert_int_equal(m.source.peek(&m.source, &out), UVSMTP_SOURCE_EOF);
}

/* What the reading function is to do next. */
typedef struct script_s {
  int status;
  const char* text;
  size_t n;
  int calls;
  size_t cap;
} script_t;

static int read_script(void* arg, void* buf, size_t cap, size_t* n) {
  script_t* script = arg;

  script->calls++;
  script->cap = cap;
  if (script->text != NULL) memcpy(buf, script->text, strlen(script->text));
  *n = script->n;
  return script->status;
}

static void test_callback(void** state) {
  script_t script = {UVSMTP_SOURCE_MORE, "abcd", 4, 0, 0};
  uvsmtp_callback_source_t c;
  uvsmtp_source_t* s = &c.source;
  uvsmtp_slice_t out;
  char buf[4];

  (void)state;
  uvsmtp_source_callback(&c, read_script, &script, buf, sizeof(buf), -1);
  assert_int_equal(s->size, sizeof(*s));
  assert_int_equal(s->length, -1);
  assert_null(s->rewind);
  assert_null(s->release);
  assert_int_equal(script.calls, 0);

  assert_int_equal(s->peek(s, &out), UVSMTP_SOURCE_MORE);
  assert_int_equal(script.cap, 4);
  assert_ptr_equal(out.base, buf);
  assert_int_equal(out.len, 4);
  s->consumed(s, 3);
  assert_int_equal(s->peek(s, &out), UVSMTP_SOURCE_MORE);
  assert_ptr_equal(out.base, buf + 3);
  assert_int_equal(out.len, 1);
  assert_int_equal(script.calls, 1);
  s->consumed(s, 1);

  script.status = UVSMTP_SOURCE_WAIT;
  script.text = NULL;
  script.n = 0;
  assert_int_equal(s->peek(s, &out), UVSMTP_SOURCE_WAIT);
  script.status = UVSMTP_SOURCE_MORE;
  script.text = "e";
  script.n = 1;
  assert_int_equal(s->peek(s, &out), UVSMTP_SOURCE_MORE);
  assert_int_equal(out.len, 1);
  assert_memory_equal(out.base, "e", 1);
  s->consumed(s, 1);
  script.status = UVSMTP_SOURCE_EOF;
  assert_int_equal(s->peek(s, &out), UVSMTP_SOURCE_EOF);
  assert_int_equal(script.calls, 4);
}

static void test_slices(void** state) {
  static const uvsmtp_slice_t list[] = {{NULL, 0}, {"ab", 2},  {"", 0},
                                        {NULL, 0}, {"cde", 3}, {"x", 0}};
  uvsmtp_slices_source_t m;
  uvsmtp_source_t* s = &m.source;
  uvsmtp_slice_t out;
  int round;

  (void)state;
  assert_int_equal(uvsmtp_source_slices(&m, list, 6), 0);
  assert_int_equal(s->size, sizeof(*s));
  assert_int_equal(s->length, 5);
  assert_null(s->release);
  for (round = 0; round < 2; round++) {
    assert_int_equal(s->peek(s, &out), UVSMTP_SOURCE_MORE);
    assert_ptr_equal(out.base, list[1].base);
    assert_int_equal(out.len, 2);
    s->consumed(s, 1);
    assert_int_equal(s->peek(s, &out), UVSMTP_SOURCE_MORE);
    assert_int_equal(out.len, 1);
    assert_memory_equal(out.base, "b", 1);
    s->consumed(s, 1);
    assert_int_equal(s->peek(s, &out), UVSMTP_SOURCE_MORE);
    assert_ptr_equal(out.base, list[4].base);
    assert_int_equal(out.len, 3);
    s->consumed(s, 3);
    assert_int_equal(s->peek(s, &out), UVSMTP_SOURCE_EOF);
    assert_int_equal(s->peek(s, &out), UVSMTP_SOURCE_EOF);
    assert_int_equal(s->rewind(s), 0);
  }
}

static void test_slices_refused(void** state) {
  static const uvsmtp_slice_t hollow[] = {{"ab", 2}, {NULL, 1}};
  static const uvsmtp_slice_t huge[] = {{"a", SIZE_MAX / 2}, {"b", 1}};
  uvsmtp_slices_source_t m;
  uvsmtp_slice_t out;

  (void)state;
  assert_int_equal(uvsmtp_source_slices(&m, NULL, 1), -EINVAL);
  assert_int_equal(uvsmtp_source_slices(&m, hollow, 2), -EINVAL);
  assert_int_equal(uvsmtp_source_slices(&m, huge, 2), -EINVAL);
  assert_int_equal(uvsmtp_source_slices(&m, huge, 1), 0);
  assert_int_equal(uvsmtp_source_slices(&m, NULL, 0), 0);
  assert_int_equal(m.source.length, 0);
  assert_int_equal(m.source.peek(&m.source, &out), UVSMTP_SOURCE_EOF);
}

/* Forgets to say how many. */
static int read_none(void* arg, void* buf, size_t cap, size_t* n) {
  (void)arg;
  (void)cap;
  (void)n;
  *(char*)buf = 'x';
  return UVSMTP_SOURCE_MORE;
}

static void test_callback_fails(void** state) {
  script_t script = {-EIO, NULL, 0, 0, 0};
  uvsmtp_callback_source_t c;
  uvsmtp_source_t* s = &c.source;
  uvsmtp_slice_t out;
  char buf[4];

  (void)state;
  uvsmtp_source_callback(&c, read_script, &script, buf, sizeof(buf), 10);
  assert_int_equal(s->length, 10);
  assert_int_equal(s->peek(s, &out), -EIO);
  /* Counts that can't be. */
  script.status = UVSMTP_SOURCE_MORE;
  assert_int_equal(s->peek(s, &out), -EINVAL);
  script.n = 5;
  assert_int_equal(s->peek(s, &out), -EINVAL);
  script.n = SIZE_MAX;
  assert_int_equal(s->peek(s, &out), -EINVAL);
  script.n = 4;
  script.text = "abcd";
  assert_int_equal(s->peek(s, &out), UVSMTP_SOURCE_MORE);
  assert_int_equal(out.len, 4);

  uvsmtp_source_callback(&c, read_none, NULL, buf, sizeof(buf), -1);
  assert_int_equal(s->peek(s, &out), -EINVAL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_memory),   cmocka_unit_test(test_no_memory_at_all),
      cmocka_unit_test(test_slices),   cmocka_unit_test(test_slices_refused),
      cmocka_unit_test(test_callback), cmocka_unit_test(test_callback_fails),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
