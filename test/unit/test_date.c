/* SPDX-License-Identifier: MIT */
/* test_date.c: dates and seconds. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/date.h"

/* In a block of its own size, since the text of a date ends without a NUL. */
static int parse(const char* text, int64_t* seconds) {
  size_t len = strlen(text);
  char* copy = malloc(len + (len == 0));
  int status;

  assert_non_null(copy);
  memcpy(copy, text, len);
  status = uvsmtp__date_parse(copy, len, seconds);
  free(copy);
  return status;
}

static void test_parses(void** state) {
  static const struct {
    const char* text;
    int64_t seconds;
  } cases[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"1970-01-01T00:00:01z", 1},
      {"1969-12-31T23:59:59Z", -1},
      {"2027-01-31T09:00:00Z", 1801386000},
      {"2027-01-31t10:00:00+01:00", 1801386000},
      {"2027-01-31T03:30:00-05:30", 1801386000},
      {"2027-02-01T08:59:00+23:59", 1801386000},
      {"2027-01-30T09:01:00-23:59", 1801386000},
      {"2027-01-31T09:00:00-00:00", 1801386000},
      {"2027-01-31T09:00:00.0Z", 1801386000},
      {"2027-01-31T09:00:00.999999999999999999999999Z", 1801386000},
      {"2027-01-31T10:00:00.5+01:00", 1801386000},
      /* Leap years. */
      {"2024-02-29T00:00:00Z", 1709164800},
      {"2000-02-29T12:00:00Z", 951825600},
      {"2000-03-01T00:00:00Z", 951868800},
      {"2100-02-28T23:59:59Z", 4107542399},
      {"2100-03-01T00:00:00Z", 4107542400},
      /* Leap seconds are the last of a day in UTC. */
      {"1990-12-31T23:59:60Z", 662688000},
      {"1990-12-31T15:59:60-08:00", 662688000},
      /* The first and last that can be written. */
      {"0000-01-01T00:00:00Z", UVSMTP__DATE_MIN},
      {"9999-12-31T23:59:59Z", UVSMTP__DATE_MAX},
      {"0000-01-01T01:00:00+01:00", UVSMTP__DATE_MIN},
      {"9999-12-31T22:59:59-01:00", UVSMTP__DATE_MAX},
  };
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    int64_t seconds = -2;

    assert_int_equal(parse(cases[i].text, &seconds), 0);
    assert_int_equal(seconds, cases[i].seconds);
  }
}

static void test_refuses(void** state) {
  static const char* const cases[] = {
      "",
      "2027",
      "2027-01-31",
      "2027-01-31T09:00:00",
      "2027-01-31T09:00Z",
      "2027-01-31T09:00:0",
      "2027-01-31 09:00:00Z",
      "20270131T090000Z",
      "27-01-31T09:00:00Z",
      "12027-01-31T09:00:00Z",
      "+2027-01-31T09:00:00Z",
      " 2027-01-31T09:00:00Z",
      "2027-01-31T09:00:00Z ",
      "2027-01-31T09:00:00ZZ",
      "2027-01-31T09:00:00X",
      "2027/01/31T09:00:00Z",
      "2027-01-31T09.00.00Z",
      "2027-1-31T09:00:00Z",
      "2027-0a-31T09:00:00Z",
      "Sun, 31 Jan 2027 09:00:00 +0000",
      /* Out of the calendar. */
      "2027-00-31T09:00:00Z",
      "2027-13-01T09:00:00Z",
      "2027-01-00T09:00:00Z",
      "2027-02-29T09:00:00Z",
      "2028-02-30T09:00:00Z",
      "2100-02-29T09:00:00Z",
      "1900-02-29T09:00:00Z",
      /* Out of the day. */
      "2027-01-31T24:00:00Z",
      "2027-01-31T09:60:00Z",
      "2027-01-31T09:00:61Z",
      "2027-01-31T09:00:60Z",
      "2027-01-31T23:59:60+01:00",
      /* Fractions and offsets. */
      "2027-01-31T09:00:00.Z",
      "2027-01-31T09:00:00.",
      "2027-01-31T09:00:00.5",
      "2027-01-31T09:00:00,5Z",
      "2027-01-31T09:00:00.5.5Z",
      "2027-01-31T09:00:00+01",
      "2027-01-31T09:00:00+0100",
      "2027-01-31T09:00:00+01:0",
      "2027-01-31T09:00:00+01:000",
      "2027-01-31T09:00:00+24:00",
      "2027-01-31T09:00:00+01:60",
      "2027-01-31T09:00:00 01:00",
      "2027-01-31T09:00:00+01-00",
      "2027-01-31T09:00:00+a1:00",
      "2027-01-31T09:00:00+",
      "2027-01-31T09:00:00Z+01:00",
      /* Out of four digits. */
      "0000-01-01T00:00:00+00:01",
      "9999-12-31T23:59:59-00:01",
      "9999-12-31T23:59:60Z",
  };
  int64_t seconds;
  size_t i;

  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
    assert_int_equal(parse(cases[i], &seconds), -EINVAL);
}

/* The last day of each month, and the one behind it. */
static void test_months(void** state) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  char text[] = "2027-01-31T00:00:00Z";
  int64_t seconds;
  int month;
  int more;

  (void)state;
  for (month = 0; month < 12; month++)
    for (more = 0; more < 2; more++) {
      int day = days[month] + more;

      text[5] = (char)('0' + (month + 1) / 10);
      text[6] = (char)('0' + (month + 1) % 10);
      text[8] = (char)('0' + day / 10);
      text[9] = (char)('0' + day % 10);
      assert_int_equal(parse(text, &seconds), more ? -EINVAL : 0);
    }
}

/* Against the C library, on days eleven apart and at all times of day. */
static void test_calendar(void** state) {
  int64_t seconds;

  (void)state;
  for (seconds = UVSMTP__DATE_MIN; seconds <= UVSMTP__DATE_MAX;
       seconds += 86399 * 11) {
    time_t when = (time_t)seconds;
    uvsmtp__date_t date;
    struct tm tm;
    char text[UVSMTP__DATE_SIZE];
    int64_t back = -2;

    assert_non_null(gmtime_r(&when, &tm));
    assert_int_equal(uvsmtp__date_of(seconds, &date), 0);
    assert_int_equal(date.year, tm.tm_year + 1900);
    assert_int_equal(date.month, tm.tm_mon + 1);
    assert_int_equal(date.day, tm.tm_mday);
    assert_int_equal(date.hour, tm.tm_hour);
    assert_int_equal(date.minute, tm.tm_min);
    assert_int_equal(date.second, tm.tm_sec);
    assert_int_equal(date.weekday, tm.tm_wday);
    uvsmtp__date_put(seconds, text);
    assert_int_equal(uvsmtp__date_parse(text, strlen(text), &back), 0);
    assert_int_equal(back, seconds);
  }
}

static void test_range(void** state) {
  uvsmtp__date_t date;
  char text[UVSMTP__DATE_SIZE];

  (void)state;
  assert_int_equal(uvsmtp__date_of(UVSMTP__DATE_MIN - 1, &date), -EINVAL);
  assert_int_equal(uvsmtp__date_of(UVSMTP__DATE_MAX + 1, &date), -EINVAL);
  assert_int_equal(uvsmtp__date_of(INT64_MIN, &date), -EINVAL);
  assert_int_equal(uvsmtp__date_of(INT64_MAX, &date), -EINVAL);
  uvsmtp__date_put(UVSMTP__DATE_MIN, text);
  assert_string_equal(text, "0000-01-01T00:00:00Z");
  uvsmtp__date_put(UVSMTP__DATE_MAX, text);
  assert_string_equal(text, "9999-12-31T23:59:59Z");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parses), cmocka_unit_test(test_refuses),
      cmocka_unit_test(test_months), cmocka_unit_test(test_calendar),
      cmocka_unit_test(test_range),
  };

  return cmocka_run_group_tests(tests, NULL, NULL);
}
