/* SPDX-License-Identifier: MIT */
/* test_out.c: the queue of octets on their way to the transport. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "alloc.h"
#include "core/out.h"

/* Everything queued, joined; at most size octets. */
static size_t gather(const uvsmtp__out_t* o, char* text, size_t size) {
  uvsmtp_slice_t slices[64];
  size_t n = uvsmtp__out_peek(o, slices, 64);
  size_t len = 0;
  size_t i;

  for (i = 0; i < n; i++) {
    assert_true(slices[i].len > 0);
    assert_true(slices[i].len <= size - len);
    memcpy(text + len, slices[i].base, slices[i].len);
    len += slices[i].len;
  }
  return len;
}

static void assert_queued(const uvsmtp__out_t* o, const char* text) {
  char got[1000];
  size_t len = gather(o, got, sizeof(got));

  assert_int_equal(len, strlen(text));
  assert_memory_equal(got, text, len);
  assert_int_equal(uvsmtp__out_pending(o), len);
}

static void test_order(void** state) {
  static const char big[] = "by reference";
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__out_t o = {0};
  uvsmtp_slice_t slices[4];

  (void)state;
  assert_int_equal(uvsmtp__out_peek(&o, slices, 4), 0);
  assert_int_equal(uvsmtp__out_copy(&mem, &o, "ab", 2), 0);
  assert_int_equal(uvsmtp__out_copy(&mem, &o, "cd", 2), 0);
  assert_int_equal(o.ref_end, 0);
  assert_int_equal(uvsmtp__out_ref(&mem, &o, big, 12), 0);
  assert_int_equal(o.ref_end, 16);
  assert_int_equal(uvsmtp__out_copy(&mem, &o, "ef", 2), 0);
  assert_int_equal(uvsmtp__out_copy(&mem, &o, NULL, 0), 0);
  assert_int_equal(uvsmtp__out_ref(&mem, &o, NULL, 0), 0);
  assert_int_equal(o.queued, 18);
  assert_int_equal(o.ref_end, 16);

  assert_int_equal(uvsmtp__out_peek(&o, slices, 4), 3);
  assert_int_equal(slices[0].len, 4);
  assert_ptr_equal(slices[1].base, big);
  assert_int_equal(slices[2].len, 2);
  assert_memory_equal(slices[2].base, "ef", 2);
  assert_int_equal(uvsmtp__out_peek(&o, slices, 2), 2);
  assert_queued(&o, "abcdby referenceef");

  /* Into the first, over the border, into the reference, all of the rest. */
  uvsmtp__out_sent(&mem, &o, 1);
  assert_queued(&o, "bcdby referenceef");
  uvsmtp__out_sent(&mem, &o, 5);
  assert_queued(&o, " referenceef");
  assert_int_equal(uvsmtp__out_peek(&o, slices, 4), 2);
  assert_ptr_equal(slices[0].base, big + 2);
  assert_int_equal(o.sent, 6);
  assert_int_equal(uvsmtp__out_copy(&mem, &o, "g", 1), 0);
  assert_queued(&o, " referenceefg");
  uvsmtp__out_sent(&mem, &o, 13);
  assert_int_equal(o.sent, 19);
  assert_int_equal(o.queued, 19);
  assert_int_equal(uvsmtp__out_pending(&o), 0);
  assert_int_equal(a.blocks, 0);
  assert_null(o.segs);
}

/* Every cut of the same three segments. */
static void test_every_cut(void** state) {
  static const char big[] = "REF";
  static const char all[] = "copyREFmore";
  size_t cut;

  (void)state;
  for (cut = 0; cut <= strlen(all); cut++) {
    test_alloc_t a = {0};
    uvsmtp__mem_t mem = {test_alloc, &a};
    uvsmtp__out_t o = {0};

    assert_int_equal(uvsmtp__out_copy(&mem, &o, "copy", 4), 0);
    assert_int_equal(uvsmtp__out_ref(&mem, &o, big, 3), 0);
    assert_int_equal(uvsmtp__out_copy(&mem, &o, "more", 4), 0);
    uvsmtp__out_sent(&mem, &o, cut);
    assert_queued(&o, all + cut);
    assert_int_equal(o.sent, cut);
    uvsmtp__out_sent(&mem, &o, strlen(all) - cut);
    assert_int_equal(a.blocks, 0);
  }
}

static void test_built(void** state) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__out_t o = {0};
  size_t before;

  (void)state;
  assert_int_equal(uvsmtp__out_built(&mem, &o, 0), 0);
  assert_int_equal(o.queued, 0);
  before = o.bytes.len;
  assert_int_equal(uvsmtp__buf_append(&mem, &o.bytes, "MAIL", 4, 100), 0);
  assert_int_equal(uvsmtp__out_pending(&o), 0);
  assert_int_equal(uvsmtp__out_built(&mem, &o, before), 0);
  assert_queued(&o, "MAIL");
  assert_int_equal(uvsmtp__out_ref(&mem, &o, "text", 4), 0);
  before = o.bytes.len;
  assert_int_equal(uvsmtp__buf_append(&mem, &o.bytes, "RCPT", 4, 100), 0);
  assert_queued(&o, "MAILtext");
  assert_int_equal(uvsmtp__out_built(&mem, &o, before), 0);
  assert_queued(&o, "MAILtextRCPT");
  assert_int_equal(o.ref_end, 8);
  uvsmtp__out_clear(&mem, &o);
  assert_int_equal(o.queued, 0);
  assert_int_equal(o.sent, 0);
  assert_int_equal(o.ref_end, 0);
  assert_int_equal(a.blocks, 0);
  uvsmtp__out_clear(&mem, &o);
}

/* The ring runs around its end many times while its depth rises and falls. */
static void test_wraparound(void** state) {
  static const char refs[] = "0123456789";
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__out_t o = {0};
  char model[4000];
  char got[400];
  size_t queued = 0;
  size_t sent = 0;
  size_t wraps = 0;
  size_t i;

  (void)state;
  for (i = 0; i < 600; i++) {
    uint32_t head = o.head;
    size_t goal = i % 100 < 50 ? i % 50 : 50 - i % 50;
    size_t n = 1 + i % 4;

    model[queued] = (char)('a' + i % 26);
    assert_int_equal(uvsmtp__out_copy(&mem, &o, model + queued, 1), 0);
    memcpy(model + queued + 1, refs + i % 6, n);
    assert_int_equal(uvsmtp__out_ref(&mem, &o, refs + i % 6, n), 0);
    queued += 1 + n;
    while (queued - sent > goal + 1) {
      n = queued - sent - goal < 7 ? queued - sent - goal : 7;
      uvsmtp__out_sent(&mem, &o, n);
      sent += n;
    }
    wraps += o.head < head;
    n = gather(&o, got, sizeof(got));
    assert_int_equal(n, queued - sent);
    assert_memory_equal(got, model + sent, n);
    assert_int_equal(o.queued, queued);
    assert_int_equal(o.sent, sent);
  }
  assert_true(wraps > 10);
  uvsmtp__out_sent(&mem, &o, queued - sent);
  assert_int_equal(a.blocks, 0);
}

/* A full ring whose head is not at its beginning. */
static void test_growth_when_wrapped(void** state) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__out_t o = {0};
  const char* text = "abcdefghijkl";
  size_t i;

  (void)state;
  for (i = 0; i < 8; i++)
    assert_int_equal(uvsmtp__out_ref(&mem, &o, text + i, 1), 0);
  assert_int_equal(o.cap, 8);
  uvsmtp__out_sent(&mem, &o, 3);
  for (; i < 11; i++)
    assert_int_equal(uvsmtp__out_ref(&mem, &o, text + i, 1), 0);
  assert_int_equal(o.cap, 8);
  assert_int_equal(o.head, 3);
  assert_queued(&o, "defghijk");
  assert_int_equal(uvsmtp__out_ref(&mem, &o, text + i, 1), 0);
  assert_int_equal(o.cap, 16);
  assert_queued(&o, "defghijkl");
  uvsmtp__out_clear(&mem, &o);
  assert_int_equal(a.blocks, 0);
}

/* Reporting more than there is sends what there is. */
static void test_too_much_sent(void** state) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__out_t o = {0};

  (void)state;
  uvsmtp__out_sent(&mem, &o, 5);
  assert_int_equal(o.sent, 0);
  assert_int_equal(uvsmtp__out_copy(&mem, &o, "abc", 3), 0);
  uvsmtp__out_sent(&mem, &o, 5);
  assert_int_equal(o.sent, 3);
  assert_int_equal(o.queued, 3);
  assert_int_equal(a.blocks, 0);
}

/* A scenario that needs memory at each of its steps; each step that fails
 * leaves the queue as it was. */
static size_t run_with_failure(size_t fail_at) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__out_t o = {0};
  char expected[200] = "";
  char line[60];
  size_t i;

  a.fail_at = fail_at;
  memset(line, 'x', sizeof(line));
  line[sizeof(line) - 1] = '\0';
  for (i = 0; i < 12; i++) {
    size_t before = o.bytes.len;
    uint64_t queued = o.queued;
    const char* text = i % 6 == 5 ? line : "copied";
    int status;

    if (i % 2 == 0) {
      text = "ref";
      status = uvsmtp__out_ref(&mem, &o, text, strlen(text));
    } else if (i % 4 == 1) {
      status = uvsmtp__out_copy(&mem, &o, text, strlen(text));
    } else {
      status = uvsmtp__buf_append(&mem, &o.bytes, text, strlen(text), SIZE_MAX);
      if (status == 0) status = uvsmtp__out_built(&mem, &o, before);
    }
    if (status == 0) {
      strcat(expected, text);
    } else {
      assert_int_equal(status, -ENOMEM);
      assert_int_equal(o.bytes.len, before);
      assert_int_equal(o.queued, queued);
    }
    assert_queued(&o, expected);
  }
  assert_int_equal(a.failed, fail_at != 0);
  uvsmtp__out_sent(&mem, &o, strlen(expected));
  assert_int_equal(a.blocks, 0);
  return a.requests;
}

static void test_no_memory(void** state) {
  size_t requests = run_with_failure(0);
  size_t i;

  (void)state;
  assert_true(requests >= 4);
  for (i = 1; i <= requests; i++) run_with_failure(i);
}

/* The number of segments has a cap, and the octets of all buffers an end. */
static void test_caps(void** state) {
  test_alloc_t a = {0};
  uvsmtp__mem_t mem = {test_alloc, &a};
  uvsmtp__out_t o = {0};
  size_t i;

  (void)state;
  for (i = 0; i < 1 << 20; i++)
    if (uvsmtp__out_ref(&mem, &o, "x", 1) != 0) fail();
  assert_int_equal(uvsmtp__out_ref(&mem, &o, "x", 1), -ENOMEM);
  assert_int_equal(uvsmtp__out_copy(&mem, &o, "x", 1), -ENOMEM);
  assert_int_equal(o.bytes.len, 0);
  assert_int_equal(uvsmtp__out_pending(&o), 1 << 20);
  uvsmtp__out_sent(&mem, &o, 1);
  assert_int_equal(uvsmtp__out_copy(&mem, &o, "x", 1), 0);
  assert_int_equal(uvsmtp__out_copy(&mem, &o, "y", SIZE_MAX), -ENOMEM);
  assert_int_equal(uvsmtp__out_pending(&o), 1 << 20);
  uvsmtp__out_clear(&mem, &o);
  assert_int_equal(a.blocks, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order),
      cmocka_unit_test(test_every_cut),
      cmocka_unit_test(test_built),
      cmocka_unit_test(test_wraparound),
      cmocka_unit_test(test_growth_when_wrapped),
      cmocka_unit_test(test_too_much_sent),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_caps),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
