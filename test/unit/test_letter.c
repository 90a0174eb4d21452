/* SPDX-License-Identifier: MIT */
/* Composing, without the time and the random octets of others: the message as
 * it stands, too little room, and no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "alloc.h"
#include "message/message.h"

static const unsigned char octets[UVSMTP__RANDOM] = {
    0, 1, 0xff, 0x80, 4, 5, 6, 7, 8, 9, 0x10, 0xa, 0xb, 0xc, 0xd, 0xef};

static const char wanted[] =
    "Date: Tue, 29 Feb 2028 23:59:58 +0000\r\n"
    "From: Zoe <zoe@a.example>, =?utf-8?q?Jos=C3=A9?= <jose@b.example>\r\n"
    "Sender: Zoe <zoe@a.example>\r\n"
    "Message-ID: <0001ff8004050607080910"
    "0a0b0c0def@a.example>\r\n"
    "Reply-To: desk@a.example\r\n"
    "To: one@long.example, two@long.example, three@long.example, "
    "\"The Fourth, Jr.\"\r\n"
    " <four@long.example>\r\n"
    "Cc: c@d.example\r\n"
    "Subject: The disk of the machine that you asked about is full, and "
    "nothing has\r\n"
    " been written to it since\r\n"
    "MIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n"
    "\r\n"
    "Gr=C3=BC=C3=9Fe\r\n"
    "=2E\r\n"
    "=46rom here\r\n"
    "end=20\r\n";

static uvsmtp_draft_t draft(void) {
  uvsmtp_draft_t d = UVSMTP_DRAFT_INIT;
  d.from = "Zoe <zoe@a.example>, Jos\xc3\xa9 <jose@b.example>";
  d.to =
      "one@long.example,two@long.example,three@long.example,"
      "\"The Fourth, Jr.\" <four@long.example>";
  d.cc = "list: c@d.example;";
  d.reply_to = "<desk@a.example>";
  d.subject =
      "The disk of the machine that you asked about is full, and "
      "nothing has been written to it since";
  d.text =
      "Gr\xc3\xbc\xc3\x9f"
      "e\n.\rFrom here\r\nend ";
  d.date = 1835481598;
  return d;
}

/* Whatever room there is: no more is used, and the length is the same. */
static void test_room(void** state) {
  test_alloc_t alloc = {0};
  uvsmtp__mem_t mem = {test_alloc, &alloc};
  uvsmtp_draft_t d = draft();
  char buf[sizeof(wanted) + 10];
  size_t cap;
  (void)state;
  for (cap = 0; cap < sizeof(buf); cap++) {
    size_t len = 0;
    size_t used = cap < sizeof(wanted) - 1 ? cap : sizeof(wanted) - 1;
    int rc;
    memset(buf, '#', sizeof(buf));
    rc = uvsmtp__letter(&mem, &d, octets, buf, cap, &len);
    assert_int_equal(rc, cap < sizeof(wanted) - 1 ? -ENOBUFS : 0);
    assert_int_equal(len, sizeof(wanted) - 1);
    assert_memory_equal(buf, wanted, used);
    assert_int_equal(buf[used], '#');
    assert_int_equal(alloc.blocks, 0);
  }
}

static void test_no_memory(void** state) {
  uvsmtp_draft_t d = draft();
  char buf[sizeof(wanted)];
  size_t fail_at;
  int rc = -ENOMEM;
  (void)state;
  for (fail_at = 1; rc != 0; fail_at++) {
    test_alloc_t alloc = {0};
    uvsmtp__mem_t mem = {test_alloc, &alloc};
    size_t len = 7;
    alloc.fail_at = fail_at;
    rc = uvsmtp__letter(&mem, &d, octets, buf, sizeof(buf), &len);
    assert_int_equal(rc, alloc.failed != 0 ? -ENOMEM : 0);
    assert_int_equal(len, rc == 0 ? sizeof(wanted) - 1 : 7);
    assert_int_equal(alloc.blocks, 0);
  }
  assert_true(fail_at > 3);
}

/* The least that there can be. */
static void test_least(void** state) {
  static const char least[] =
      "Date: Thu, 01 Jan 1970 00:00:01 +0000\r\n"
      "From: a@b\r\n"
      "Message-ID: <x@y>\r\n"
      "MIME-Version: 1.0\r\n"
      "Content-Type: text/plain; charset=utf-8\r\n"
      "Content-Transfer-Encoding: 7bit\r\n"
      "\r\n";
  uvsmtp_draft_t d = UVSMTP_DRAFT_INIT;
  char buf[sizeof(least)];
  size_t len = 0;
  (void)state;
  d.from = "a@b";
  d.message_id = "<x@y>";
  d.date = 1;
  assert_int_equal(uvsmtp_compose(&d, buf, sizeof(buf), &len), 0);
  assert_int_equal(len, sizeof(least) - 1);
  assert_memory_equal(buf, least, len);
  assert_int_equal(uvsmtp_compose(&d, buf, sizeof(buf), NULL), -EINVAL);
  assert_int_equal(uvsmtp_compose(&d, NULL, sizeof(buf), &len), -EINVAL);
  assert_int_equal(uvsmtp_compose(NULL, buf, sizeof(buf), &len), -EINVAL);
  d.size = offsetof(uvsmtp_draft_t, date);
  assert_int_equal(uvsmtp_compose(&d, buf, sizeof(buf), &len), -EINVAL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_room),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_least),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
