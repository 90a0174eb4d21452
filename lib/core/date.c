/* SPDX-License-Identifier: MIT */
/* date.c: dates and seconds. Years are counted from March, so that the day that
 * leap years have more is the last of one. */
#include "core/date.h"

#include <errno.h>
#include <string.h>

#include "core/ascii.h"

#define DAY 86400
/* Days of 400 years, after which the calendar repeats itself. */
#define ERA 146097
/* Days from 0000-03-01 to 1970-01-01. */
#define EPOCH 719468

static int is_leap(int64_t year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_in(int64_t year, int month) {
  static const unsigned char days[] = {31, 28, 31, 30, 31, 30,
                                       31, 31, 30, 31, 30, 31};

  return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days of the months before this one, March being 0. */
static int64_t days_before(int64_t month) { return (153 * month + 2) / 5; }

/* Days since 1970-01-01 of a date from year 0 on. */
static int64_t days_since(const uvsmtp__date_t* date) {
  int64_t month = (date->month + 9) % 12;
  int64_t year = date->year + 400 - (month >= 10);

  return year * 365 + year / 4 - year / 100 + year / 400 + days_before(month) +
         date->day - 1 - ERA - EPOCH;
}

int uvsmtp__date_of(int64_t seconds, uvsmtp__date_t* date) {
  int64_t days; /* since 400 years before 0000-03-01: never negative */
  int64_t time;
  int64_t year; /* of the era */
  int64_t month;
  int64_t era;

  if (seconds < UVSMTP__DATE_MIN || seconds > UVSMTP__DATE_MAX) return -EINVAL;
  seconds += (int64_t)(EPOCH + ERA) * DAY;
  days = seconds / DAY;
  time = seconds % DAY;
  date->hour = (int)(time / 3600);
  date->minute = (int)(time / 60 % 60);
  date->second = (int)(time % 60);
  /* 0000-03-01, and so what lies whole eras before it, was a Wednesday. */
  date->weekday = (int)((days + 3) % 7);

  era = days / ERA;
  days %= ERA;
  /* Without the days that leap years have more, and with those that centuries
   * lack. */
  year = (days - days / 1460 + days / 36524 - days / 146096) / 365;
  days -= year * 365 + year / 4 - year / 100;
  month = (5 * days + 2) / 153;
  date->day = (int)(days - days_before(month) + 1);
  date->month = (int)(month < 10 ? month + 3 : month - 9);
  date->year = (era - 1) * 400 + year + (month >= 10);
  return 0;
}

/* The number of two or four digits, which have been seen. */
static int number(const char* at, size_t digits) {
  int n = 0;

  for (; digits > 0; digits--, at++) n = n * 10 + (*at - '0');
  return n;
}

/* Does text look like the form: a digit for each 0, else the same? */
static int has_form(const char* text, size_t len, const char* form) {
  for (; *form != '\0'; text++, form++, len--) {
    if (len == 0) return 0;
    if (*form == '0' ? !uvsmtp__is_digit(*text) : uvsmtp__lower(*text) != *form)
      return 0;
  }
  return 1;
}

/* The offset that ends a date-time, in seconds. */
static int parse_offset(const char* text, size_t len, int64_t* offset) {
  int hours;
  int minutes;

  *offset = 0;
  if (len == 1 && uvsmtp__lower(*text) == 'z') return 0;
  if (len != 6 || (*text != '+' && *text != '-')) return -EINVAL;
  if (!has_form(text + 1, len - 1, "00:00")) return -EINVAL;
  hours = number(text + 1, 2);
  minutes = number(text + 4, 2);
  if (hours > 23 || minutes > 59) return -EINVAL;
  *offset = (hours * 60 + minutes) * (*text == '-' ? -60 : 60);
  return 0;
}

int uvsmtp__date_parse(const char* text, size_t len, int64_t* seconds) {
  static const char form[] = "0000-00-00t00:00:00";
  uvsmtp__date_t date;
  int64_t offset;
  size_t at = sizeof(form) - 1;

  if (!has_form(text, len, form)) return -EINVAL;
  date.year = number(text, 4);
  date.month = number(text + 5, 2);
  date.day = number(text + 8, 2);
  date.hour = number(text + 11, 2);
  date.minute = number(text + 14, 2);
  date.second = number(text + 17, 2);
  if (date.month < 1 || date.month > 12 || date.day < 1) return -EINVAL;
  if (date.day > days_in(date.year, date.month)) return -EINVAL;
  if (date.hour > 23 || date.minute > 59 || date.second > 60) return -EINVAL;

  if (at < len && text[at] == '.') {
    size_t digits = ++at;

    while (at < len && uvsmtp__is_digit(text[at])) at++;
    if (at == digits) return -EINVAL;
  }
  if (parse_offset(text + at, len - at, &offset) != 0) return -EINVAL;

  *seconds = days_since(&date) * DAY + date.hour * 3600 + date.minute * 60 +
             date.second - offset;
  /* A leap second is the last of a day in UTC (RFC 3339 5.7). */
  if (date.second == 60 && *seconds % DAY != 0) return -EINVAL;
  return *seconds < UVSMTP__DATE_MIN || *seconds > UVSMTP__DATE_MAX ? -EINVAL
                                                                    : 0;
}

static char* put_digits(char* to, int64_t n, size_t digits) {
  size_t i;

  for (i = digits; i > 0; i--, n /= 10) to[i - 1] = (char)('0' + n % 10);
  return to + digits + 1;
}

void uvsmtp__date_put(int64_t seconds, char buf[UVSMTP__DATE_SIZE]) {
  uvsmtp__date_t date;

  memcpy(buf, "0000-00-00T00:00:00Z", UVSMTP__DATE_SIZE);
  if (uvsmtp__date_of(seconds, &date) != 0) return;
  buf = put_digits(buf, date.year, 4);
  buf = put_digits(buf, date.month, 2);
  buf = put_digits(buf, date.day, 2);
  buf = put_digits(buf, date.hour, 2);
  buf = put_digits(buf, date.minute, 2);
  (void)put_digits(buf, date.second, 2);
}
