/* SPDX-License-Identifier: MIT */
/* date.h: dates of the Gregorian calendar and seconds since 1970, without the
 * C library's, which would ask the process's time zone. */
#ifndef UVSMTP_CORE_DATE_H
#define UVSMTP_CORE_DATE_H

#include <stddef.h>
#include <stdint.h>

/* A moment in UTC. */
typedef struct uvsmtp__date_s {
  int64_t year;
  int month; /* from 1 */
  int day;   /* from 1 */
  int hour;
  int minute;
  int second;
  int weekday; /* 0: Sunday */
} uvsmtp__date_t;

/* The years in which a moment can be written with four digits. */
#define UVSMTP__DATE_MIN (-62167219200) /* 0000-01-01T00:00:00Z */
#define UVSMTP__DATE_MAX 253402300799   /* 9999-12-31T23:59:59Z */

/* Seconds since 1970-01-01T00:00:00Z as a date. 0, or -EINVAL outside of
 * UVSMTP__DATE_MIN and UVSMTP__DATE_MAX. */
int uvsmtp__date_of(int64_t seconds, uvsmtp__date_t* date);

/* Reads a date-time of RFC 3339 5.6, all of text: "2027-01-31T09:00:00Z",
 * "2027-01-31t10:00:00.25+01:00". A fraction of a second is dropped; a leap
 * second counts as the one behind it. 0 or -EINVAL. */
int uvsmtp__date_parse(const char* text, size_t len, int64_t* seconds);

/* Writes "2027-01-31T09:00:00Z" and a NUL: a moment that can be written. */
#define UVSMTP__DATE_SIZE 21u
void uvsmtp__date_put(int64_t seconds, char buf[UVSMTP__DATE_SIZE]);

#endif
