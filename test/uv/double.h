/* SPDX-License-Identifier: MIT */
/* double.h: a resolver of the tests' own. */
#ifndef UVSMTP_TEST_DOUBLE_H
#define UVSMTP_TEST_DOUBLE_H

#include "fixture.h"

enum double_mode {
  DOUBLE_HOLD,   /* until double_answer */
  DOUBLE_AT_ONCE /* before resolve has returned */
};

typedef struct double_s {
  uvsmtp_resolver_t resolver;
  int mode;
  int refuse; /* what resolve returns, if not 0 */
  int status; /* of the answer */
  const char* addresses[24];
  size_t n;
  int answer_in_cancel;
  void (*hook)(struct double_s* d); /* called within both functions */
  void* arg;
  /* what happened */
  int asked;
  int canceled;
  char host[300];
  const char* borrowed; /* the last query's */
  uvsmtp_query_t* queries[64];
  int waiting; /* queries that are held */
} double_t;

/* One that answers at once, with the addresses up to a NULL. */
void double_init(double_t* d, ...);

/* Answers the i-th held query. */
void double_answer(double_t* d, int i);

#endif
