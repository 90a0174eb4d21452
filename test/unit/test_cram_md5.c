/* SPDX-License-Identifier: MIT */
/* test_cram_md5.c: CRAM-MD5 by the vector of its RFC, and what it refuses. */
#include <errno.h>

#include "watched.h"

static void test_cram_md5(void** state) {
  uvsmtp_credentials_t* c = credentials("tim", "tanstaaftanstaaf", NULL);
  driven_t d;
  (void)state;
  begin(&d, c, &uvsmtp__mech_cram_md5);
  assert_int_equal(
      driven_told(&d, "<1896.697170952@postoffice.reston.mci.net>"),
      UVSMTP_MECH_SEND);
  SAID(&d, "tim b913a602c7eda7a495b4e6e7334d3890");
  /* One challenge is all there is. */
  assert_int_equal(
      driven_told(&d, "<1897.697170952@postoffice.reston.mci.net>"),
      UVSMTP_EPROTOCOL);
  explained(&d, "second");
  SAID(&d, "");
  /* A new run is a new one. */
  driven_end(&d);
  driven_begin(&d, &uvsmtp__mech_cram_md5, 0);
  assert_int_equal(
      driven_told(&d, "<1896.697170952@postoffice.reston.mci.net>"),
      UVSMTP_MECH_SEND);
  end(&d);
  done(c);
}

/* A password longer than a block is its hash; a name may have blanks. */
static void test_cram_md5_long(void** state) {
  uvsmtp_credentials_t* c = credentials(
      "ada l\303\266velace",
      "0123456789012345678901234567890123456789012345678901234567890123456789",
      NULL);
  static const char octets[] = "\0\377<x>\r\n";
  driven_t d;
  (void)state;
  begin(&d, c, &uvsmtp__mech_cram_md5);
  assert_int_equal(driven_step(&d, octets, 7), UVSMTP_MECH_SEND);
  SAID(&d, "ada l\303\266velace 218b5d8ae8e00c6ce3b871a668c8eb5a");
  end(&d);
  done(c);
}

static void test_cram_md5_bad(void** state) {
  uvsmtp_credentials_t* c = credentials("tim", "tanstaaf", NULL);
  uvsmtp_credentials_t* no = credentials("tim", "tanstaaf", "boss");
  driven_t d;
  size_t i;
  (void)state;
  begin(&d, c, &uvsmtp__mech_cram_md5);
  assert_int_equal(driven_told(&d, ""), UVSMTP_EPROTOCOL);
  explained(&d, "empty");
  SAID(&d, "");
  end(&d);
  begin(&d, no, &uvsmtp__mech_cram_md5);
  assert_int_equal(driven_told(&d, "<1@x>"), -EINVAL);
  explained(&d, "authzid");
  SAID(&d, "");
  end(&d);
  for (i = 1; i <= 2; i++) {
    begin(&d, c, &uvsmtp__mech_cram_md5);
    watch.alloc.fail_at = watch.alloc.requests + i;
    assert_int_equal(driven_told(&d, "<1@x>"), -ENOMEM);
    end(&d);
  }
  uvsmtp_credentials_unref(no);
  done(c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      WATCHED_TEST(test_cram_md5),
      WATCHED_TEST(test_cram_md5_long),
      WATCHED_TEST(test_cram_md5_bad),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
