/* SPDX-License-Identifier: MIT */
/* test_buf.c: the byte queue. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "core/buf.h"

static void assert_holds(const uvsmtp__buf_t* b, const char* text) {
  assert_int_equal(b->len, strlen(text));
  assert_memory_equal(uvsmtp__buf_data(b), text, strlen(text));
}

static void test_append_consume(void** state) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__buf_t b = {NULL, 0, 0, 0};

  (void)state;
  assert_int_equal(uvsmtp__buf_append(&mem, &b, NULL, 0, 0), 0);
  assert_null(b.base);
  assert_int_equal(uvsmtp__buf_append(&mem, &b, "abc", 3, 100), 0);
  assert_int_equal(uvsmtp__buf_append(&mem, &b, "def", 3, 100), 0);
  assert_holds(&b, "abcdef");
  uvsmtp__buf_consume(&b, 2);
  assert_holds(&b, "cdef");
  assert_int_equal(uvsmtp__buf_append(&mem, &b, "g", 1, 100), 0);
  assert_holds(&b, "cdefg");
  uvsmtp__buf_consume(&b, 5);
  assert_int_equal(b.len, 0);
  assert_int_equal(b.off, 0);
  uvsmtp__buf_free(&mem, &b);
  assert_null(b.base);
  assert_int_equal(b.cap, 0);
  uvsmtp__buf_free(&mem, &b);
  assert_int_equal(a.blocks, 0);
}

static void test_cap(void** state) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__buf_t b = {NULL, 0, 0, 0};
  char octets[200];

  (void)state;
  memset(octets, 'x', sizeof(octets));
  assert_int_equal(uvsmtp__buf_append(&mem, &b, octets, 151, 150), -ENOBUFS);
  assert_null(b.base);
  assert_int_equal(uvsmtp__buf_append(&mem, &b, octets, 149, 150), 0);
  assert_int_equal(uvsmtp__buf_append(&mem, &b, octets, 2, 150), -ENOBUFS);
  assert_int_equal(b.len, 149);
  assert_int_equal(uvsmtp__buf_append(&mem, &b, octets, 1, 150), 0);
  assert_int_equal(uvsmtp__buf_append(&mem, &b, octets, 1, 150), -ENOBUFS);
  assert_null(uvsmtp__buf_reserve(&mem, &b, 1, 150));
  assert_null(uvsmtp__buf_reserve(&mem, &b, SIZE_MAX, SIZE_MAX));
  /* A cap that was lowered meanwhile. */
  assert_int_equal(uvsmtp__buf_append(&mem, &b, octets, 1, 100), -ENOBUFS);
  assert_null(uvsmtp__buf_reserve(&mem, &b, 1, 100));
  assert_int_equal(b.len, 150);
  assert_int_equal(b.cap, 150);
  uvsmtp__buf_free(&mem, &b);
  assert_int_equal(a.blocks, 0);
}

/* At the cap the dead octets in front are the only room there is. */
static void test_at_the_cap_moves(void** state) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__buf_t b = {NULL, 0, 0, 0};
  char octets[100];
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(octets); i++) octets[i] = (char)i;
  assert_int_equal(uvsmtp__buf_append(&mem, &b, octets, 100, 100), 0);
  for (i = 0; i < 1000; i++) {
    char next = (char)(i % 100);

    uvsmtp__buf_consume(&b, 1);
    assert_int_equal(uvsmtp__buf_append(&mem, &b, &next, 1, 100), 0);
    assert_int_equal(*uvsmtp__buf_data(&b), (i + 1) % 100);
    assert_int_equal(uvsmtp__buf_data(&b)[99], next);
  }
  assert_int_equal(b.cap, 100);
  assert_int_equal(a.requests, 1);
  uvsmtp__buf_free(&mem, &b);
  assert_int_equal(a.blocks, 0);
}

/* Room for as many octets as are waiting is made by moving, not by growing. */
static void test_steady_state(void** state) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__buf_t b = {NULL, 0, 0, 0};
  size_t i;

  (void)state;
  for (i = 0; i < 1000; i++) {
    assert_int_equal(uvsmtp__buf_append(&mem, &b, "0123456789", 10, SIZE_MAX),
                     0);
    if (i > 0) uvsmtp__buf_consume(&b, 10);
    assert_holds(&b, "0123456789");
  }
  assert_int_equal(a.requests, 1);
  uvsmtp__buf_free(&mem, &b);
  assert_int_equal(a.blocks, 0);
}

/* Appending one at a time asks for memory a logarithmic number of times. */
static void test_growth(void** state) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__buf_t b = {NULL, 0, 0, 0};
  size_t i;

  (void)state;
  for (i = 0; i < 100000; i++) {
    char* at = uvsmtp__buf_reserve(&mem, &b, 1, 100000);

    assert_non_null(at);
    *at = (char)(i % 251);
    uvsmtp__buf_commit(&b, 1);
  }
  for (i = 0; i < 100000; i++)
    if ((unsigned char)uvsmtp__buf_data(&b)[i] != i % 251) fail();
  assert_int_equal(b.cap, 100000);
  assert_true(a.requests < 14);
  uvsmtp__buf_free(&mem, &b);
  /* The first block is filled to its end before there is a second one. */
  a.requests = 0;
  for (i = 0; i < 64; i++)
    assert_int_equal(uvsmtp__buf_append(&mem, &b, "x", 1, SIZE_MAX), 0);
  assert_int_equal(a.requests, 1);
  uvsmtp__buf_free(&mem, &b);
  assert_int_equal(a.blocks, 0);
}

static void test_no_memory(void** state) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__buf_t b = {NULL, 0, 0, 0};
  char octets[64];

  (void)state;
  memset(octets, 'x', sizeof(octets));
  a.fail_at = 1;
  assert_int_equal(uvsmtp__buf_append(&mem, &b, "abc", 3, 1000), -ENOMEM);
  assert_null(b.base);
  assert_int_equal(uvsmtp__buf_append(&mem, &b, "abc", 3, 1000), 0);
  uvsmtp__buf_consume(&b, 1);
  a.fail_at = a.requests + 1;
  assert_int_equal(uvsmtp__buf_append(&mem, &b, octets, 64, 1000), -ENOMEM);
  assert_holds(&b, "bc");
  assert_null(uvsmtp__buf_reserve(&mem, &b, 1000, 1000));
  a.fail_at = a.requests + 1;
  assert_null(uvsmtp__buf_reserve(&mem, &b, 900, 1000));
  assert_holds(&b, "bc");
  assert_int_equal(uvsmtp__buf_append(&mem, &b, octets, 64, 1000), 0);
  assert_int_equal(b.len, 66);
  assert_memory_equal(uvsmtp__buf_data(&b), "bcx", 3);
  assert_int_equal(a.failed, 3);
  uvsmtp__buf_free(&mem, &b);
  assert_int_equal(a.blocks, 0);
}

/* What was asked for, and no memory. */
static void* refuse(void* data, void* ptr, size_t old_size, size_t new_size) {
  (void)ptr;
  (void)old_size;
  *(size_t*)data = new_size;
  return NULL;
}

/* A size that can't be doubled any more. */
static void test_huge(void** state) {
  size_t asked = 0;
  uvsmtp__mem_t mem = {refuse, &asked};
  uvsmtp__buf_t b = {NULL, 0, 0, 0};

  (void)state;
  assert_null(uvsmtp__buf_reserve(&mem, &b, SIZE_MAX, SIZE_MAX));
  assert_int_equal(asked, SIZE_MAX);
  b.cap = SIZE_MAX / 2 + 1;
  b.len = b.cap;
  assert_null(uvsmtp__buf_reserve(&mem, &b, 1, SIZE_MAX));
  assert_int_equal(asked, SIZE_MAX);
  assert_int_equal(b.len, b.cap);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_append_consume),
      cmocka_unit_test(test_cap),
      cmocka_unit_test(test_at_the_cap_moves),
      cmocka_unit_test(test_steady_state),
      cmocka_unit_test(test_growth),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_huge),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
