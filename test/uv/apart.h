/* SPDX-License-Identifier: MIT */
/* apart.h: the fake server of peer.h in a process of its own, so that what it
 * is told is not in this one's memory. */
#ifndef UVSMTP_TEST_APART_H
#define UVSMTP_TEST_APART_H

#include <sys/types.h>

#include "needle.h"

typedef struct apart_s {
  int port; /* of 127.0.0.1 */
  char certificate[4096];
  /* The password as SCRAM's steps (the script's first) compute with it; of no
   * length where there is none. */
  needle_t salted;
  needle_t key;
  pid_t pid; /* private from here */
  int to;
  int from;
} apart_t;

/* Plays a script, in which "@" is the secret. Aborts the program when it can't.
 */
void apart_play(apart_t* apart, const char* script);
/* peer_go, and peer_stalled. */
void apart_go(apart_t* apart);
int apart_stalled(apart_t* apart);
/* 0 when every step went as written. */
int apart_finish(apart_t* apart);

#endif
