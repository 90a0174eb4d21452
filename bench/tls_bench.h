/* SPDX-License-Identifier: MIT */
/* tls_bench.h: what the files of uvsmtp-tls-bench share.
 *
 *   tls.c        options, and the table
 *   tls_figures.c  what is compared with what
 *   tls_util.c   clocks, medians, the sink as a child
 *   tls_bare.c   the floor: Mbed TLS on blocking sockets, and between two ends
 *                in memory
 *   tls_own.c    the same dialogues by uvsmtp
 *   tls_stall.c  how long a loop is held up by handshakes
 *
 * Only the client's time counts: the sink is another process. It is CPU time,
 * user and system, so that it matters little what else the machine does. */
#ifndef UVSMTP_BENCH_TLS_BENCH_H
#define UVSMTP_BENCH_TLS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "mbed.h"

/* Prints a message and ends the program: a benchmark has nobody to tell. */
_Noreturn void die(const char* format, ...)
    __attribute__((format(printf, 1, 2)));

/* ------------------------------------------------------------- tls_util.c */

/* Microseconds of CPU time of this process, and of the clock on the wall. */
double cpu_us(void);
double wall_us(void);
/* Octets that malloc has given out. */
size_t heap_octets(void);

enum { ROUNDS_MAX = 99 };
typedef struct spread_s {
  double median;
  double min;
  double max;
} spread_t;
spread_t spread_of(const double* values, int n);

/* In a child: it goes when its parent does, however that is. */
void child_of(pid_t parent);

/* A child: the sink, or another server that prints a READY line. */
typedef struct server_s {
  pid_t pid;
  FILE* out;
  int smtp;
  int smtps;
  char summary[512];
} server_t;
/* argv ends with NULL. */
void server_start(server_t* s, const char* const* argv);
void server_stop(server_t* s);
/* A number of the summary. */
uint64_t server_count(const server_t* s, const char* name);

/* ---------------------------------------------------------------- tls.c */

typedef struct bench_s {
  const char* sink;  /* the program */
  const char* certs; /* the folder that certificates.py has filled */
  const char* curl;  /* the program uvsmtp-peer-curl, or NULL */
  char ca[512];
  bool quick; /* small numbers: does it work at all? */
  int rounds;
} bench_t;

/* A line of the table: what is measured in which unit, ours and the floor's,
 * and how they compare. A limit of 0 is none: it is there to be read. */
typedef struct row_s {
  const char* what;
  const char* unit;
  spread_t own;
  spread_t floor;
  spread_t ratio;
  double limit;
  bool least; /* the limit is the least, not the most */
} row_t;
void print_row(const row_t* row);
void print_title(const char* title, const char* own, const char* floor);
/* "met", or "missed", which is counted. */
const char* note_limit(bool met);
/* Something beside the tables. */
void print_note(const char* format, ...) __attribute__((format(printf, 1, 2)));

/* ------------------------------------------------------- tls_figures.c */

typedef struct figure_s {
  const char* name;
  void (*run)(const bench_t* b);
} figure_t;
extern const figure_t figures[];

/* ------------------------------------------------------------ what is done */

enum way { WAY_CLEAR, WAY_STARTTLS, WAY_IMPLICIT };

typedef struct suite_s {
  const char* iana;
  const char* mbed;
} suite_t;

/* One kind of session, for both sides. */
typedef struct job_s {
  enum way way;
  int port;
  const char* ca;          /* file */
  int version;             /* the latest to be offered */
  const suite_t* suite;    /* the only one offered; NULL: what each likes */
  enum mbed_curves curves; /* of the bare client */
  bool resume;
  bool forget;   /* what could be resumed, before each session */
  size_t octets; /* of a message in each session; 0: none */
} job_t;

/* Text of 76 columns, with a final CRLF; lives for ever. */
const char* message_text(size_t octets);

/* ------------------------------------------------------------- tls_bare.c */

typedef struct bare_s bare_t;
bare_t* bare_new(const job_t* job);
void bare_free(bare_t* b);
/* Runs n sessions one after the other. */
void bare_sessions(bare_t* b, int n);
/* Holds n sessions open, says EHLO on each; then lets them go. */
void bare_hold(bare_t* b, int n);
void bare_release(bare_t* b);
/* Sends one message of the job's size; how long it took. */
typedef struct cost_s {
  double cpu;
  double wall;
} cost_t;
cost_t bare_message(bare_t* b);
/* The suite and version of the last session. */
const char* bare_suite(const bare_t* b);

/* Microseconds of the client in a handshake between two ends in memory, the
 * context's making and end included; folder has the certificates of kind. */
double memory_handshake(const job_t* job, const char* folder, const char* kind,
                        int n);

/* -------------------------------------------------------------- tls_own.c */

typedef struct own_s own_t;
own_t* own_new(const job_t* job);
void own_free(own_t* o);
void own_sessions(own_t* o, int n);
void own_hold(own_t* o, int n);
void own_release(own_t* o);
cost_t own_message(own_t* o);
const char* own_suite(const own_t* o);
/* Of all sessions so far, those that were resumed. */
uint64_t own_resumed(const own_t* o);

/* ------------------------------------------------------------ tls_stall.c */

typedef struct stall_job_s {
  int busy; /* sessions in clear text that send without a pause */
  int busy_port;
  int guests;   /* sessions that shake hands beside them, all at once, */
  int burst_ms; /* and again after so long */
  int guest_port;
  const char* ca;
  int warm_ms; /* that don't count */
  int ms;
} stall_job_t;

typedef struct stall_s {
  double turn;     /* microseconds: the most CPU time of a turn of the loop */
  double typical;  /* the median */
  double lateness; /* of a timer of a millisecond, at most, by the wall */
  double cpu;      /* in all */
  long messages;   /* of the busy sessions */
  long handshakes; /* of the guests, those that were finished */
} stall_t;
stall_t stall_run(const stall_job_t* job);

/* A child that stands before a server, and passes on what that says by one
 * octet each ms milliseconds; one connection at a time. */
pid_t dripper_start(int server_port, int ms, int* port);
void dripper_stop(pid_t pid);

#endif
