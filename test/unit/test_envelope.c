/* SPDX-License-Identifier: MIT */
/* test_envelope.c: the envelope that a header says. */
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
#include "uvsmtp/errors.h"
#include "uvsmtp/message.h"

/* A message, and its envelope as "sender>recipient|recipient|", or "!" and a
 * word of the sentence. */
typedef struct want_s {
  const char* text;
  const char* envelope;
} want_t;

static const want_t wants[] = {
    {"", "->"},
    {"From: a@b\r\nTo: c@d\r\n\r\nTo: e@f\r\n", "a@b>c@d|"},
    {"From: A <a@b>\nTo: C <c@d>\n\n", "a@b>c@d|"},
    {"Subject: x\n\n", "->"},
    {"From: a@b\n\n", "a@b>"},
    {"To: a@b\n\n", "->a@b|"},
    /* Sender, else the first of From */
    {"From: a@b\nSender: c@d\n\n", "c@d>"},
    {"Sender: c@d, e@f\nFrom: a@b\n\n", "c@d>"},
    {"From: a@b, c@d\nFrom: e@f\n\n", "a@b>"},
    {"From:\nFrom: e@f\n\n", "e@f>"},
    {"Sender:\nFrom: e@f\n\n", "e@f>"},
    {"Sender: (nobody)\nFrom: , e@f\n\n", "e@f>"},
    {"From: Team: a@b, c@d;\n\n", "a@b>"},
    {"From: Nobody:;\n\n", "->"},
    {"From: a@b, c d e\n\n", "a@b>"},
    {"From: root\n\n", "root>"},
    /* To, Bcc, Cc, in this order, all of each name */
    {"Cc: a@b\nBcc: c@d\nTo: e@f\n\n", "->e@f|c@d|a@b|"},
    {"To: a@b, c@d\nBcc: e@f\nTO: g@h\nbcc: i@j\nto: k@l\n\n",
     "->a@b|c@d|g@h|k@l|e@f|i@j|"},
    {"To: a@b, a@b\nCc: a@b\n\n", "->a@b|a@b|a@b|"},
    {"To: G: a@b, c@d;, e@f\n\n", "->a@b|c@d|e@f|"},
    {"To:\nCc: undisclosed:;\n\n", "->"},
    {"To: a@b,\r\n c@d\r\nCc:\r\n\te@f\r\n\r\n", "->a@b|c@d|e@f|"},
    {"tO : a@b\ncC\t: c@d\n\n", "->a@b|c@d|"},
    {"Too: a@b\nT: c@d\nX-To: e@f\nReply-To: g@h\n\n", "->"},
    {"To: a@b\nFrom x y\n Cc: c@d\n: e@f\nCc: g@h\n\n", "->a@b|g@h|"},
    {"From a@b Thu Jan  1\nFrom: c@d\nTo: e@f\n\n", "c@d>e@f|"},
    /* Resent- */
    {"From: a@b\nTo: c@d\nResent-Date: x\nResent-From: e@f\nResent-To: g@h\n\n",
     "e@f>g@h|"},
    {"RESENT-DATE: x\nresent-sender: a@b\nResent-From: c@d\n\n", "a@b>"},
    {"Resent-Date: x\nResent-Cc: a@b\nResent-Bcc: c@d\nResent-To: e@f\n"
     "Resent-Cc: g@h\n\n",
     "->e@f|c@d|a@b|g@h|"},
    {"Resent-Date: x\nFrom: a@b\nTo: c@d\n\n", "->"},
    {"Resent-From: e@f\nResent-To: g@h\nFrom: a@b\nTo: c@d\n\n", "a@b>c@d|"},
    {"Resent-Date: x\nTo: (\nResent-To: a@b\n\n", "->a@b|"},
    {"Resent-To: (\nTo: a@b\n\n", "->a@b|"},
    {"Resent-Date: x\n\nResent-Date: y\n", "->"},
    {"Resent-: x\nResent-Dat: x\nResent-Date2: x\nTo: a@b\n\n", "->a@b|"},
    {"Resent-Date: x\nTo: a@b\nResent-date: y\n\n", "!Resent-Date"},
    {"Resent-Date: x\nResent-Date: y\nResent-Date: z\n\n", "!Resent-Date"},
    /* errors, wherever they are */
    {"From: a@\n\n", "!domain"},
    {"From: <>\n\n", "!local part"},
    {"From: a b\n\n", "!words"},
    {"Sender: (\nFrom: a@b\n\n", "!comment"},
    {"From: (\nSender: a@b\n\n", "a@b>"},
    {"To: a@b c@d\n\n", "!comma"},
    {"From: a@b\nTo: c@d\nBcc: e@f, <\n\n", "!local part"},
    {"Cc: a@b\nCc: \"\n\n", "!quoted string"},
    {"To: a@b..c\n\n", "!SMTP takes"},
    {"To: a@b\nReply-To: (\nX: <\n\n", "->a@b|"},
};
enum { WANTS = sizeof(wants) / sizeof(wants[0]) };

static void say(const uvsmtp_envelope_t* e, char* said) {
  const char* from = uvsmtp_envelope_from(e);
  size_t n = 99;
  const char* const* rcpts = uvsmtp_envelope_rcpts(e, &n);
  size_t i;

  said += sprintf(said, "%s>", from == NULL ? "-" : from);
  for (i = 0; i < n; i++) said += sprintf(said, "%s|", rcpts[i]);
}

static void check(const want_t* want, const uvsmtp_mem_t* mem) {
  size_t len = strlen(want->text);
  char* copy = malloc(len + 1);
  uvsmtp_envelope_t* e = (uvsmtp_envelope_t*)copy;
  const char* reason = "before";
  char said[256];
  int status;

  assert_non_null(copy);
  memcpy(copy, want->text, len);
  status = uvsmtp_envelope_new(&e, mem, copy, len, &reason);
  assert_memory_equal(copy, want->text, len);
  /* Nothing of it is needed any more. */
  memset(copy, '#', len);
  free(copy);
  if (want->envelope[0] == '!') {
    assert_int_equal(status, UVSMTP_EMESSAGE);
    assert_null(e);
    assert_non_null(strstr(reason, want->envelope + 1));
    return;
  }
  assert_int_equal(status, 0);
  assert_null(reason);
  say(e, said);
  assert_string_equal(said, want->envelope);
  uvsmtp_envelope_free(e);
}

static void test_envelopes(void** state) {
  test_alloc_t alloc = {0};
  uvsmtp_mem_t mem = {sizeof(mem), test_alloc, &alloc};
  size_t i;

  (void)state;
  for (i = 0; i < WANTS; i++) check(&wants[i], i % 2 ? &mem : NULL);
  for (i = 0; i < WANTS; i++) check(&wants[i], i % 2 ? NULL : &mem);
  assert_int_equal(alloc.blocks, 0);
}

static void test_no_memory(void** state) {
  static const char text[] =
      "From: sender@a.example\nTo: b@c\nCc: "
      "a-name-that-is-longer-than-the-first-block@d.example, "
      "another-name-that-is-longer@d.example\n\n";
  test_alloc_t alloc = {0};
  uvsmtp_mem_t mem = {sizeof(mem), test_alloc, &alloc};
  uvsmtp_envelope_t* e;
  const char* reason = "before";
  size_t n;
  int status;

  (void)state;
  for (n = 1;; n++) {
    alloc.requests = 0;
    alloc.fail_at = n;
    status = uvsmtp_envelope_new(&e, &mem, text, strlen(text), &reason);
    if (status == 0) break;
    assert_int_equal(status, -ENOMEM);
    assert_null(e);
    assert_null(reason);
    assert_int_equal(alloc.blocks, 0);
  }
  /* The envelope, its text, which grows, and its list. */
  assert_true(n > 4);
  uvsmtp_envelope_free(e);
  assert_int_equal(alloc.blocks, 0);
}

static void test_arguments(void** state) {
  test_alloc_t alloc = {0};
  uvsmtp_mem_t mem = {sizeof(mem), test_alloc, &alloc};
  struct {
    uvsmtp_mem_t mem;
    size_t more;
  } later = {mem, 1};
  uvsmtp_envelope_t* e;
  const char* reason = "before";

  (void)state;
  assert_int_equal(uvsmtp_envelope_new(NULL, NULL, "", 0, &reason), -EINVAL);
  assert_null(reason);
  assert_int_equal(uvsmtp_envelope_new(&e, NULL, NULL, 1, NULL), -EINVAL);
  assert_null(e);
  mem.size--;
  assert_int_equal(uvsmtp_envelope_new(&e, &mem, "", 0, NULL), -EINVAL);
  mem.size++;
  mem.alloc = NULL;
  assert_int_equal(uvsmtp_envelope_new(&e, &mem, "", 0, NULL), -EINVAL);
  /* Of a later version, with something that this one does not know. */
  later.mem.size = sizeof(later);
  assert_int_equal(uvsmtp_envelope_new(&e, &later.mem, "", 0, NULL), -EINVAL);
  assert_int_equal(alloc.requests, 0);
  mem.alloc = test_alloc;
  assert_int_equal(uvsmtp_envelope_new(&e, &mem, NULL, 0, NULL), 0);
  uvsmtp_envelope_free(e);
  uvsmtp_envelope_free(NULL);
  /* The reason may be of no interest. */
  assert_int_equal(uvsmtp_envelope_new(&e, &mem, "To: (", 5, NULL),
                   UVSMTP_EMESSAGE);
  assert_int_equal(alloc.blocks, 0);
}

/* More than any cap of ours but the caller's: what a message says, it says. */
static void test_many(void** state) {
  enum { MANY = 100000 };
  test_alloc_t alloc = {0};
  uvsmtp_mem_t mem = {sizeof(mem), test_alloc, &alloc};
  char* text = malloc(MANY * 16);
  char* at = text;
  uvsmtp_envelope_t* e;
  const char* const* rcpts;
  char address[16];
  size_t n;
  size_t i;

  (void)state;
  assert_non_null(text);
  at += sprintf(at, "To:");
  for (i = 0; i < MANY; i++)
    at += sprintf(at, "%su%zu@b", i == 0 ? " " : i % 8 ? "," : ",\n ", i);
  assert_int_equal(
      uvsmtp_envelope_new(&e, &mem, text, (size_t)(at - text), NULL), 0);
  rcpts = uvsmtp_envelope_rcpts(e, &n);
  assert_int_equal(n, MANY);
  for (i = 0; i < MANY; i++) {
    sprintf(address, "u%zu@b", i);
    assert_string_equal(rcpts[i], address);
  }
  uvsmtp_envelope_free(e);
  assert_int_equal(alloc.blocks, 0);
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_envelopes),
      cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_arguments),
      cmocka_unit_test(test_many),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
