/* SPDX-License-Identifier: MIT */
/* model.h: a caller, a server and an engine between them, all driven by one row
 * of random numbers. The server is a model that knows what it took, so that
 * what the engine reports can be held against it. One world at a time: the
 * program begins it anew for each seed. */
#ifndef TEST_MODEL_MODEL_H
#define TEST_MODEL_MODEL_H

#include <stddef.h>
#include <stdint.h>

#include "alloc.h"
#include "uvsmtp/message.h"
#include "uvsmtp/proto.h"

enum {
  LETTERS = 6,           /* messages of a seed at most */
  RCPTS = 40,            /* recipients of a message at most */
  PARTS = 2,             /* chunks of a message that is sent by hand */
  TEXT_MAX = 160 * 1024, /* several chunks of the engine's own */
  NONE = -1
};

/* ------------------------------------------------------------------ run.c */

/* A number below n; the same ones for the same seed. */
unsigned int any(unsigned int n);
/* True once in n times. */
int once_in(unsigned int n);
/* Says which seed, and what is wrong, and ends the program. */
_Noreturn void wrong(const char* format, ...)
    __attribute__((format(printf, 1, 2)));
/* Part of the dialogue, with -v. */
void show(const char* format, ...) __attribute__((format(printf, 1, 2)));

/* What was reached, over all seeds: a test that never gets there proves
 * nothing. */
typedef struct reached_s {
  long delivered; /* texts */
  long further;   /* transactions of a message behind its first */
  long crowded;   /* recipients that were one too many */
  long by_hand;   /* texts of single commands */
  long headed;    /* messages whose header said the envelope */
  long timeouts;
  long no_memory; /* seeds in which an allocation was refused */
  long outcomes[UVSMTP_OUTCOME_UNKNOWN + 1]; /* of recipients */
} reached_t;
extern reached_t reached;

/* What all take part in. */
typedef struct world_s {
  uvsmtp_proto_t* proto;
  test_alloc_t alloc;
  uvsmtp_mem_t mem;
  size_t pending; /* calls accepted without an event so far */
  int connecting; /* a CONNECT is among them */
  int canceled;
  uint64_t now;
} world_t;
extern world_t world;

/* --------------------------------------------------------------- letter.c */

typedef struct source_s {
  uvsmtp_source_t source; /* first */
  const char* base;
  size_t len;
  size_t off;
  size_t shown;
  size_t fails_at; /* SIZE_MAX: never */
  int64_t later;   /* the length that the first peek says, if `says_later` */
  int says_later;
  int waits;
  int busy; /* it said WAIT: it is to be resumed */
  int rewind_failed;
  int claimed; /* a call with it was accepted */
  int released;
} source_t;

typedef struct rcpt_s {
  char address[32];
  int said;    /* the last reply to its RCPT, in the peer's log, or NONE */
  int txn;     /* in which transaction that was; 0: never asked for */
  int crowded; /* the transaction in which it was one too many, or 0 */
  int taken;   /* the final reply by which it has the text, or NONE */
  int status;  /* by hand: what its RCPT came to */
} rcpt_t;

/* A message, and what the peer knows of it. */
typedef struct letter_s {
  char from[16];
  rcpt_t rcpts[RCPTS];
  int nrcpts;
  source_t parts[PARTS];
  int nparts;
  const char* text; /* as the peer has to get it */
  size_t len;
  int headed;              /* the header says the envelope */
  uvsmtp_source_t* filter; /* then: the source that reads it */
  unsigned int flags;      /* uvsmtp_message_flags */
  int by_hand;             /* by single commands */
  int submitted;           /* the call that says its outcome was accepted */
  int done;                /* ... and has had its event */
  int first_txn;           /* its first transaction, 0: none yet */
  int last_txn;
  int first_taken; /* a final reply of the first one that was 2yz, or NONE */
  int cut;         /* the 421 to one of its RCPTs, or NONE */
  int ended;       /* the peer saw the end of its text */
  int broken;      /* its session ended, or its time was over */
  int doubt;       /* ... before the peer had looked at all that was sent */
} letter_t;
extern letter_t letters[LETTERS];
extern int nletters;

/* Makes letter i up, without sending it. */
void letter_make(int i, int by_hand);
/* All of them are: see above. */
void letters_break(int doubt);
/* Resumes the engine for sources that wait; did any? */
int sources_wake(void);
int sources_busy(void);

/* ---------------------------------------------------------------- calls.c */

/* What an event is of. */
enum tag { TAG_OTHER, TAG_CONNECT, TAG_SEND, TAG_RCPT, TAG_CHUNK, TAG_LAST };
typedef struct tag_s {
  int kind;
  int letter;
  int rcpt;
  int events;
} tag_t;

void calls_begin(void);
void call_connect(void);
/* Sends the next letter, as a message or by hand. */
void call_letter(void);
/* Something without a message. */
void call_other(void);
/* Every accepted call has had its event, unless the engine was freed early. */
void calls_end(int early);

/* ---------------------------------------------------------------- check.c */

/* Holds an event against what the peer knows. */
void check_event(const uvsmtp_event_t* event);
/* When the engine is gone. */
void check_end(void);

#endif
