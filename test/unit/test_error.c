/* SPDX-License-Identifier: MIT */
/* test_error.c: the tree of errors, their names and texts; the version. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include <cmocka.h>

#include "uvsmtp/errors.h"
#include "uvsmtp/version.h"

static void kinship(void** state) {
  (void)state;
  assert_true(uvsmtp_error_is(UVSMTP_ESENDER, UVSMTP_ESENDER));
  assert_true(uvsmtp_error_is(UVSMTP_ESENDER, UVSMTP_ERESPONSE));
  assert_true(uvsmtp_error_is(UVSMTP_ESENDER, UVSMTP_EGENERIC));
  assert_true(uvsmtp_error_is(UVSMTP_ERECIPIENTS, UVSMTP_EGENERIC));
  /* As in smtplib, where refused recipients are no response exception. */
  assert_false(uvsmtp_error_is(UVSMTP_ERECIPIENTS, UVSMTP_ERESPONSE));
  assert_false(uvsmtp_error_is(UVSMTP_ERESPONSE, UVSMTP_ESENDER));
  assert_false(uvsmtp_error_is(UVSMTP_ESENDER, UVSMTP_EDATA));
}

static void numbers_without_relatives(void** state) {
  (void)state;
  assert_true(uvsmtp_error_is(UV_ETIMEDOUT, UV_ETIMEDOUT));
  assert_false(uvsmtp_error_is(UV_ETIMEDOUT, UVSMTP_EGENERIC));
  assert_false(uvsmtp_error_is(UVSMTP_EGENERIC, UV_ETIMEDOUT));
  assert_true(uvsmtp_error_is(0, 0));
  assert_false(uvsmtp_error_is(0, UVSMTP_EGENERIC));
  /* 0 is no root, although the roots have it for a parent. */
  assert_false(uvsmtp_error_is(UVSMTP_EGENERIC, 0));
  assert_false(uvsmtp_error_is(-4999, UVSMTP_EGENERIC));
  assert_false(uvsmtp_error_is(INT32_MIN, INT32_MAX));
  assert_true(uvsmtp_error_is(INT32_MIN, INT32_MIN));
}

static void every_error_reaches_the_root(void** state) {
  (void)state;
  int count = 0;
#define XX(name, value, parent, class_name, text)                     \
  assert_true(uvsmtp_error_is(UVSMTP_##name, UVSMTP_EGENERIC));       \
  assert_true(parent == 0 || uvsmtp_error_is(UVSMTP_##name, parent)); \
  assert_string_equal(uvsmtp_err_name(UVSMTP_##name), #name);         \
  assert_string_equal(uvsmtp_strerror(UVSMTP_##name), text);          \
  assert_true(text[sizeof(text) - 2] != '.');                         \
  if (uvsmtp_err_class(UVSMTP_##name) != NULL)                        \
    assert_string_equal(uvsmtp_err_class(UVSMTP_##name), class_name); \
  else                                                                \
    assert_null(class_name);                                          \
  count++;
  UVSMTP_ERROR_MAP(XX)
#undef XX
  assert_int_equal(count, UVSMTP_EGENERIC - UVSMTP_EMESSAGE + 1);
}

static void libuv_passes_through(void** state) {
  (void)state;
  char buf[64];
#define XX(name, text)                                             \
  assert_string_equal(uvsmtp_err_name(UV_##name),                  \
                      uv_err_name_r(UV_##name, buf, sizeof(buf))); \
  assert_string_equal(uvsmtp_strerror(UV_##name),                  \
                      uv_strerror_r(UV_##name, buf, sizeof(buf))); \
  assert_null(uvsmtp_err_class(UV_##name));
  UV_ERRNO_MAP(XX)
#undef XX
}

static void strangers(void** state) {
  (void)state;
  static const int numbers[] = {1,     -4999,     UVSMTP_EMESSAGE - 1,
                                -5999, INT32_MAX, INT32_MIN};
  for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
    assert_string_equal(uvsmtp_err_name(numbers[i]), "UNKNOWN");
    assert_string_equal(uvsmtp_strerror(numbers[i]), "unknown error");
    assert_null(uvsmtp_err_class(numbers[i]));
  }
  assert_string_equal(uvsmtp_err_name(0), "OK");
  assert_string_equal(uvsmtp_strerror(0), "success");
  assert_null(uvsmtp_err_class(0));
}

static void version(void** state) {
  (void)state;
  char text[32];
  unsigned int hex = uvsmtp_version();
  snprintf(text, sizeof(text), "%u.%u.%u", hex >> 16, hex >> 8 & 0xff,
           hex & 0xff);
  assert_string_equal(text, uvsmtp_version_string());
  assert_int_equal(hex, UVSMTP_VERSION_HEX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(kinship),
      cmocka_unit_test(numbers_without_relatives),
      cmocka_unit_test(every_error_reaches_the_root),
      cmocka_unit_test(libuv_passes_through),
      cmocka_unit_test(strangers),
      cmocka_unit_test(version),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
