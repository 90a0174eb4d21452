/* SPDX-License-Identifier: MIT */
/* test_address.c: address lists of RFC 5322 3.4 and 4.4. */
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
#include "core/command.h"
#include "message/message.h"

#define TEN(x) x x x x x x x x x x
#define SIXTY(x) TEN(x) TEN(x) TEN(x) TEN(x) TEN(x) TEN(x)

/* A list, and what it stands for: each address and a "|", or "!" and a word of
 * the sentence. */
typedef struct want_s {
  const char* text;
  const char* addresses;
} want_t;

static const want_t wants[] = {
    /* 3.4.1: addr-spec */
    {"", ""},
    {"a@b", "a@b|"},
    {"a@b,c@d", "a@b|c@d|"},
    {" a@b , c@d ", "a@b|c@d|"},
    {"a.b-c+d/e=f@g-h.i", "a.b-c+d/e=f@g-h.i|"},
    {"!#$%&'*+-/=?^_`{|}~@b", "!#$%&'*+-/=?^_`{|}~@b|"},
    {"a@b_c", "a@b_c|"},
    {"a@b.", "a@b.|"},
    {"a..b@c, .a@b, a.@b", "a..b@c|.a@b|a.@b|"},
    /* a local part alone */
    {"root", "root|"},
    {"root, <postmaster>, X <a.b>", "root|postmaster|a.b|"},
    {"\"x y\"", "\"x y\"|"},
    {"a . b", "a.b|"},
    /* quoted strings: 3.2.4 */
    {"\"a b\"@c", "\"a b\"@c|"},
    {"\"plain\"@c", "\"plain\"@c|"},
    {"\"a@b,c;<d>:(e)\"@f", "\"a@b,c;<d>:(e)\"@f|"},
    {"\"a\\\"b\"@c", "\"a\\\"b\"@c|"},
    {"\"a\\\\b\"@c", "\"a\\\\b\"@c|"},
    {"\"\\a\\b\"@c", "\"ab\"@c|"},
    {"\"a\r\n b\"@c", "\"a b\"@c|"},
    {"\"a\\\r\n b\"@c", "\"a b\"@c|"},
    /* obs-local-part: 4.4 */
    {"a . b @ c . d", "a.b@c.d|"},
    {"a\r\n .b\r\n @\r\n\tc\r\n .d\r\n ", "a.b@c.d|"},
    {"\"a\".b@c", "\"a.b\"@c|"},
    {"a.\"b c\"@d", "\"a.b c\"@d|"},
    {"\"a\".\"b\"@c", "\"a.b\"@c|"},
    {"a.\"\\\"\"@c", "\"a.\\\"\"@c|"},
    /* domain literals */
    {"a@[192.0.2.1]", "a@[192.0.2.1]|"},
    {"a@[IPv6:2001:db8::1]", "a@[IPv6:2001:db8::1]|"},
    {"a @ [ 192.0\r\n .2.1 ] ", "a@[192.0.2.1]|"},
    {"a@[\\x]", "a@[x]|"},
    /* names */
    {"Ada <a@b>", "a@b|"},
    {"Ada Lovelace <a@b>", "a@b|"},
    {"Ada B. Lovelace <a@b>", "a@b|"},
    {"\"Lovelace, Ada\" <a@b>", "a@b|"},
    {"\"a\\\"b\" c. \"d\" <a@b>", "a@b|"},
    {"<a@b>", "a@b|"},
    {"Ada<a@b>", "a@b|"},
    {"Ada < a@b >", "a@b|"},
    {"Zo\xc3\xab <a@b>", "a@b|"},
    {"Zo\xeb <a@b>", "a@b|"},
    {"\x1b$B\x01 <a@b>", "a@b|"},
    {"DOMAIN\\ada <a@b>", "a@b|"},
    {"=?utf-8?q?Zo=C3=AB?= <a@b>", "a@b|"},
    /* UTF-8: RFC 6532 3.2 */
    {"zo\xc3\xab@b", "zo\xc3\xab@b|"},
    {"\xe7\x94\xa8@b\xc3\xbc.\xe4\xbe\x8b",
     "\xe7\x94\xa8@b\xc3\xbc.\xe4\xbe\x8b|"},
    {"\"zo\xc3\xab x\"@b", "\"zo\xc3\xab x\"@b|"},
    {"\"\\\xc3\xab\"@b", "\"\xc3\xab\"@b|"},
    /* comments: 3.2.2 */
    {"(a)b(c)@(d)e(f)", "b@e|"},
    {"a(x).(y)b@c(x).(y)d", "a.b@c.d|"},
    {"(a(b(c))d)e@f", "e@f|"},
    {"(\\))a@b", "a@b|"},
    {"(\\(\\\\)a@b", "a@b|"},
    {"(\r\n )a@b(\r\n\t)", "a@b|"},
    {"(a@b, c@d;)", ""},
    {"a(,)b <c@d>", "c@d|"},
    {"a@b (Ada)", "a@b|"},
    {"(\")a@b(\")", "a@b|"},
    /* groups */
    {"undisclosed-recipients:;", ""},
    {"A:b@c;", "b@c|"},
    {"A: b@c, d <e@f>; , g@h", "b@c|e@f|g@h|"},
    {"A B. \"C\" : b@c (x) ; (y)", "b@c|"},
    {"A:;, B: ;", ""},
    {"A:,, b@c, ;", "b@c|"},
    {"A: b@c; d@e", "b@c|d@e|"},
    {"A: B: c@d; e@f;", "c@d|e@f|"},
    {"A: B: C:;;; a@b", "a@b|"},
    /* routes and empty elements: 4.4 */
    {"<@a:b@c>", "b@c|"},
    {"X <@a,@b.c:d@e>", "d@e|"},
    {"< @ a , , @ [b] (x) : c@d >", "c@d|"},
    {"<,@a:b@c>", "b@c|"},
    {",, a@b ,\r\n , c@d,", "a@b|c@d|"},
    {",", ""},
    /* lengths of RFC 5321 4.5.3.1 */
    {SIXTY("a") "bcde@f", SIXTY("a") "bcde@f|"},
    {SIXTY("a") "bcdef@g", "!SMTP takes"},
    {"ab@" SIXTY("c") "." SIXTY("d") "." SIXTY("e") "." SIXTY("f") "ghijklmn",
     "ab@" SIXTY("c") "." SIXTY("d") "." SIXTY("e") "." SIXTY("f") "ghijklmn|"},
    {"abc@" SIXTY("c") "." SIXTY("d") "." SIXTY("e") "." SIXTY("f") "ghijklmn",
     "!too long"},
    {"\"" SIXTY("\\\"") SIXTY("\\\"") SIXTY("\\\"") "\"@b", "!too long"},
    {SIXTY(SIXTY("a")) ".\"b\"@c", "!too long"},
    /* none */
    {"(", "!comment"},
    {"a@b (c (d)", "!comment"},
    {"(\\", "!comment"},
    {"(\\)", "!comment"},
    {"<a@b(", "!comment"},
    {"<@a(", "!comment"},
    {"A:(", "!comment"},
    {"\"a", "!quoted string"},
    {"\"a\\\"", "!quoted string"},
    {"\"a\\", "!quoted string"},
    {"a@b, \"c", "a@b|!quoted string"},
    {"a@[b", "!literal"},
    {"a@[b\\]", "!literal"},
    {"a@[", "!literal"},
    {"A:", "!semicolon"},
    {"A: b@c", "b@c|!no semicolon"},
    {"A: B: c@d;", "c@d|!no semicolon"},
    {"a@b;", "a@b|!outside"},
    {";", "!outside"},
    {"A:;;", "!outside"},
    {"a@b; c@d", "a@b|!outside"},
    {":a@b;", "!no name"},
    {"a b", "!words"},
    {"a \"b\"", "!words"},
    {"\"a\"b@c", "!local part"},
    {"a b@c", "!local part"},
    {"<a b@c>", "!local part"},
    {"@b", "!no local part"},
    {"<>", "!no local part"},
    {"<@a:>", "!no local part"},
    {"<@b>", "!route"},
    {"<@a b@c>", "!route"},
    {"<@a", "!route"},
    {"<@a,", "!route"},
    {"<,b@c>", "!route"},
    {"<@:a@b>", "!domain"},
    {"a@", "!domain"},
    {"a@,b@c", "!domain"},
    {"<a@>", "!domain"},
    {"a@@b", "!domain"},
    {"a@\"b\"", "!domain"},
    {"<a@b", "!closing bracket"},
    {"<a@b c>", "!closing bracket"},
    {"<<a@b>>", "!no local part"},
    {"a@b c", "!comma"},
    {"a@b c@d", "!comma"},
    {"a@b@c", "!comma"},
    {"a@b <c@d>", "!comma"},
    {"<a@b> c", "!comma"},
    {"<a@b> <c@d>", "!comma"},
    {"<a@b>>", "!comma"},
    {"a@[b]c", "!comma"},
    {"a@b[c]", "!comma"},
    {"a:b@c:d@e;", "!comma"},
    {"x [y] <a@b>", "!comma"},
    {"[x] <a@b>", "!no local part"},
    {")", "!no local part"},
    {"a\\b@c", "!backslash"},
    {"a@b\\c", "!backslash"},
    {"a\\\"b\"@c", "!local part"},
    {"a\x01@b", "!SMTP takes"},
    {"a\x7f@b", "!SMTP takes"},
    {"\"a\tb\"@c", "!SMTP takes"},
    {"\"\"@c", "!SMTP takes"},
    {"a@b..c", "!SMTP takes"},
    {"a@.b", "!SMTP takes"},
    {"a@b!c", "!SMTP takes"},
    {"a@[b[c]", "!SMTP takes"},
    {"a@[]", "!SMTP takes"},
    {"a\xc3@b", "!SMTP takes"},
    {"a@b\xff", "!SMTP takes"},
};

/* As a want says it, in `said`, of which there is enough. */
static void say(const char* text, size_t len, char* said, test_alloc_t* alloc) {
  uvsmtp__mem_t mem = {test_alloc, alloc};
  uvsmtp__buf_t b = {NULL, 0, 0, 0};
  uvsmtp__mailbox_t mailbox;
  const char* reason = NULL;
  /* In a block of its own: sanitizers see its end. */
  char* copy = malloc(len + 1);
  uvsmtp__list_t list = {copy, copy + len, 0};
  int status;

  assert_non_null(copy);
  memcpy(copy, text, len);
  *said = '\0';
  while ((status = uvsmtp__list_next(&list, &mailbox, &reason)) == 1) {
    status = uvsmtp__mailbox_put(&mem, &b, &mailbox, &reason);
    if (status != 0) break;
    sprintf(said + strlen(said), "%s|", uvsmtp__buf_data(&b));
    uvsmtp__buf_consume(&b, b.len);
  }
  if (status != 0) {
    assert_int_equal(status, UVSMTP_EMESSAGE);
    sprintf(said + strlen(said), "!%s", reason);
  } else {
    assert_ptr_equal(list.at, list.end);
  }
  uvsmtp__buf_free(&mem, &b);
  free(copy);
}

static int is_wanted(const char* said, const char* want) {
  const char* sentence = strchr(want, '!');

  if (sentence == NULL || strchr(sentence, '|') != NULL)
    return strcmp(said, want) == 0;
  return strncmp(said, want, (size_t)(sentence - want) + 1) == 0 &&
         strstr(said + (sentence - want), sentence + 1) != NULL;
}

static void test_lists(void** state) {
  test_alloc_t alloc = {0};
  char said[8192];
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(wants) / sizeof(wants[0]); i++) {
    say(wants[i].text, strlen(wants[i].text), said, &alloc);
    if (!is_wanted(said, wants[i].addresses))
      fail_msg("%s\nis      %s\nand not %s", wants[i].text, said,
               wants[i].addresses);
  }
  assert_int_equal(alloc.blocks, 0);
}

/* NUL is an octet as any other, and may not end an address early. */
static void test_nul(void** state) {
  test_alloc_t alloc = {0};
  char said[256];

  (void)state;
  say("a\0b@c", 5, said, &alloc);
  assert_true(is_wanted(said, "!SMTP takes"));
  say("a@b\0", 4, said, &alloc);
  assert_true(is_wanted(said, "!SMTP takes"));
  say("\"a\0b\"@c", 7, said, &alloc);
  assert_true(is_wanted(said, "!SMTP takes"));
  say("\0@c", 3, said, &alloc);
  assert_true(is_wanted(said, "!SMTP takes"));
  say("(\0)\0 <a@b>", 10, said, &alloc);
  assert_string_equal(said, "a@b|");
}

/* What is named is where it was written. */
static void test_places(void** state) {
  static const char text[] =
      " (w) Ada (x) \"L\"\r\n (y) < (z) @r:a . b@c (v)>, d@e (u) , <f@g>";
  uvsmtp__list_t list = {text, text + sizeof(text) - 1, 0};
  uvsmtp__mailbox_t m;
  const char* reason = NULL;

  (void)state;
  assert_int_equal(uvsmtp__list_next(&list, &m, &reason), 1);
  assert_ptr_equal(m.name.base, strstr(text, "Ada"));
  assert_int_equal(m.name.len, strlen("Ada (x) \"L\""));
  assert_ptr_equal(m.spec.base, strstr(text, "a . b"));
  assert_int_equal(m.spec.len, strlen("a . b@c"));
  assert_int_equal(uvsmtp__list_next(&list, &m, &reason), 1);
  assert_int_equal(m.name.len, 0);
  assert_ptr_equal(m.spec.base, strstr(text, "d@e"));
  assert_int_equal(m.spec.len, 3);
  assert_int_equal(uvsmtp__list_next(&list, &m, &reason), 1);
  assert_int_equal(m.name.len, 0);
  assert_ptr_equal(m.spec.base, strstr(text, "f@g"));
  assert_int_equal(uvsmtp__list_next(&list, &m, &reason), 0);
  assert_null(reason);
}

/* A text that no list has handed over. */
static void test_any_mailbox(void** state) {
  static const char* const texts[] = {"a@b>", "a@b, c@d", "a <b@c>", "a:b"};
  test_alloc_t alloc = {0};
  uvsmtp__mem_t mem = {test_alloc, &alloc};
  uvsmtp__buf_t b = {NULL, 0, 0, 0};
  uvsmtp__mailbox_t m = {{NULL, 0}, {"", 0}};
  const char* reason = NULL;
  size_t i;

  (void)state;
  assert_int_equal(uvsmtp__mailbox_put(&mem, &b, &m, &reason), UVSMTP_EMESSAGE);
  for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    m.spec.base = texts[i];
    m.spec.len = strlen(texts[i]);
    reason = NULL;
    assert_int_equal(uvsmtp__mailbox_put(&mem, &b, &m, &reason),
                     UVSMTP_EMESSAGE);
    assert_non_null(strstr(reason, "special character"));
  }
  assert_int_equal(alloc.requests, 0);
}

static void test_no_memory(void** state) {
  test_alloc_t alloc = {0};
  uvsmtp__mem_t mem = {test_alloc, &alloc};
  uvsmtp__buf_t b = {NULL, 0, 0, 0};
  uvsmtp__mailbox_t m = {{NULL, 0}, {"a@b", 3}};
  const char* reason = NULL;

  (void)state;
  alloc.fail_at = 1;
  assert_int_equal(uvsmtp__mailbox_put(&mem, &b, &m, &reason), -ENOMEM);
  assert_int_equal(b.len, 0);
  assert_int_equal(uvsmtp__mailbox_put(&mem, &b, &m, &reason), 0);
  assert_int_equal(b.len, 4);
  assert_string_equal(uvsmtp__buf_data(&b), "a@b");
  uvsmtp__buf_free(&mem, &b);
  assert_int_equal(alloc.blocks, 0);
}

/* A million levels need no stack, closed or not. */
static void test_deep(void** state) {
  enum { DEPTH = 1000000 };
  test_alloc_t alloc = {0};
  char* text = malloc(2 * DEPTH + 3);
  char said[256];

  (void)state;
  assert_non_null(text);
  memset(text, '(', DEPTH);
  memset(text + DEPTH, ')', DEPTH);
  memcpy(text + 2 * DEPTH, "a@b", 3);
  say(text, 2 * DEPTH + 3, said, &alloc);
  assert_string_equal(said, "a@b|");
  say(text, 2 * DEPTH - 1, said, &alloc);
  assert_true(is_wanted(said, "!comment"));

  memset(text, ':', DEPTH);
  memset(text + DEPTH, ';', DEPTH);
  say(text, 2 * DEPTH, said, &alloc);
  assert_true(is_wanted(said, "!no name"));
  for (size_t i = 0; i < DEPTH; i += 2) text[i] = 'g';
  for (size_t i = 0; i < DEPTH; i += 2) text[DEPTH + i] = ',';
  say(text, 2 * DEPTH, said, &alloc);
  assert_string_equal(said, "");
  say(text, 2 * DEPTH - 2, said, &alloc);
  assert_true(is_wanted(said, "!no semicolon"));
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lists),     cmocka_unit_test(test_nul),
      cmocka_unit_test(test_places),    cmocka_unit_test(test_any_mailbox),
      cmocka_unit_test(test_no_memory), cmocka_unit_test(test_deep),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
