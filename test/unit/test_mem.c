/* SPDX-License-Identifier: MIT */
/* test_mem.c: taking over callers' structs, the allocator calls, the list. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "core/mem.h"
#include "core/queue.h"

/* One struct in three ages of the library. */
typedef struct first_s {
  size_t size;
  int a;
  int b;
} first_t;

typedef struct second_s {
  size_t size;
  int a;
  int b;
  void* c;
} second_t;

typedef struct third_s {
  size_t size;
  int a;
  int b;
  void* c;
  char d[3];
} third_t;

static void test_same_age(void** state) {
  second_t from = {sizeof(from), 1, 2, &from};
  second_t to;

  (void)state;
  assert_int_equal(uvsmtp__take(&to, sizeof(to), &from, sizeof(first_t)), 0);
  assert_int_equal(to.size, sizeof(to));
  assert_int_equal(to.a, 1);
  assert_int_equal(to.b, 2);
  assert_ptr_equal(to.c, &from);
}

static void test_older_caller(void** state) {
  first_t from = {sizeof(from), 1, 2};
  second_t to;

  (void)state;
  memset(&to, 0xff, sizeof(to));
  assert_int_equal(uvsmtp__take(&to, sizeof(to), &from, sizeof(from)), 0);
  assert_int_equal(to.size, sizeof(to));
  assert_int_equal(to.a, 1);
  assert_int_equal(to.b, 2);
  assert_null(to.c);
}

static void test_newer_caller(void** state) {
  third_t from;
  second_t to;
  size_t i;

  (void)state;
  memset(&from, 0, sizeof(from));
  from.size = sizeof(from);
  from.a = 1;
  from.c = &to;
  assert_int_equal(uvsmtp__take(&to, sizeof(to), &from, sizeof(first_t)), 0);
  assert_int_equal(to.size, sizeof(to));
  assert_int_equal(to.a, 1);
  assert_ptr_equal(to.c, &to);

  for (i = sizeof(to); i < sizeof(from); i++) {
    ((char*)&from)[i] = 1;
    assert_int_equal(uvsmtp__take(&to, sizeof(to), &from, sizeof(first_t)),
                     -EINVAL);
    ((char*)&from)[i] = 0;
  }
}

static void test_refused(void** state) {
  first_t from = {sizeof(from) - 1, 1, 2};
  first_t to;

  (void)state;
  assert_int_equal(uvsmtp__take(&to, sizeof(to), &from, sizeof(from)), -EINVAL);
  from.size = 0;
  assert_int_equal(uvsmtp__take(&to, sizeof(to), &from, 0), -EINVAL);
  from.size = sizeof(size_t);
  assert_int_equal(uvsmtp__take(&to, sizeof(to), &from, 0), 0);
  assert_int_equal(to.a, 0);
  assert_int_equal(uvsmtp__take(&to, sizeof(to), NULL, 0), -EINVAL);
}

static void test_calls(void** state) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  char* p;
  char* q;

  (void)state;
  p = uvsmtp__alloc(&mem, 3);
  assert_non_null(p);
  memcpy(p, "abc", 3);
  q = uvsmtp__resize(&mem, p, 3, 5);
  assert_non_null(q);
  assert_memory_equal(q, "abc", 3);
  assert_int_equal(a.blocks, 1);
  assert_int_equal(a.octets, 5);
  a.fail_at = a.requests + 1;
  assert_null(uvsmtp__resize(&mem, q, 5, 6));
  assert_null(uvsmtp__resize(&mem, NULL, 0, 0));
  assert_memory_equal(q, "abc", 3);
  uvsmtp__free(&mem, q, 5);
  uvsmtp__free(&mem, NULL, 0);
  assert_int_equal(a.blocks, 0);
  assert_int_equal(a.octets, 0);
  assert_int_equal(a.peak, 8);
  assert_int_equal(a.failed, 1);
}

typedef struct element_s {
  int number;
  uvsmtp__link_t link;
} element_t;

static int first_number(const uvsmtp__link_t* head) {
  uvsmtp__link_t* link = uvsmtp__queue_first(head);

  return link == NULL ? -1 : UVSMTP__CONTAINER(link, element_t, link)->number;
}

static void test_queue(void** state) {
  uvsmtp__link_t head;
  element_t e[4];
  int i;

  (void)state;
  uvsmtp__queue_init(&head);
  assert_true(uvsmtp__queue_empty(&head));
  assert_int_equal(first_number(&head), -1);
  for (i = 0; i < 4; i++) {
    e[i].number = i;
    uvsmtp__queue_init(&e[i].link);
    assert_true(uvsmtp__queue_empty(&e[i].link));
    uvsmtp__queue_insert_tail(&head, &e[i].link);
    assert_false(uvsmtp__queue_empty(&head));
    assert_false(uvsmtp__queue_empty(&e[i].link));
    assert_int_equal(first_number(&head), 0);
  }

  /* In the middle, twice, at the front, at the end, the last one. */
  uvsmtp__queue_remove(&e[1].link);
  uvsmtp__queue_remove(&e[1].link);
  assert_true(uvsmtp__queue_empty(&e[1].link));
  assert_int_equal(first_number(&head), 0);
  uvsmtp__queue_remove(&e[0].link);
  assert_int_equal(first_number(&head), 2);
  uvsmtp__queue_remove(&e[3].link);
  assert_int_equal(first_number(&head), 2);
  assert_ptr_equal(head.prev, &e[2].link);
  uvsmtp__queue_insert_tail(&head, &e[1].link);
  uvsmtp__queue_remove(&e[2].link);
  assert_int_equal(first_number(&head), 1);
  uvsmtp__queue_remove(&e[1].link);
  assert_true(uvsmtp__queue_empty(&head));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_same_age),     cmocka_unit_test(test_older_caller),
      cmocka_unit_test(test_newer_caller), cmocka_unit_test(test_refused),
      cmocka_unit_test(test_calls),        cmocka_unit_test(test_queue),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
