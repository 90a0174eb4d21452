/* SPDX-License-Identifier: MIT */
/* server.h: what the files of the server share: what it is like, its session,
 * its transaction. */
#ifndef TEST_MODEL_SERVER_H
#define TEST_MODEL_SERVER_H

#include "model.h"
#include "peer.h"
#include "wire.h"

enum mode { COMMANDS, TEXT, NO_TEXT, CHUNK };
enum mood { ALIVE, MUTE, DONE };

/* What the server is like. */
typedef struct traits_s {
  int lmtp;
  int pipelining;
  int chunking;
  int eight;
  int size;
  int rcpt_max; /* LIMITS; 0: not said */
  int mail_max;
  int room;        /* recipients that it takes, unsaid; 0: all */
  int crowded;     /* how it says so */
  int patience;    /* refused recipients before it says 421; 0: any number */
  int calm;        /* it refuses nobody and nothing by chance */
  int keeps_open;  /* a refusal leaves the transaction as it was */
  int goes_anyway; /* 354 where nobody was accepted */
} traits_t;
extern traits_t is;

/* The session. */
typedef struct session_s {
  int mood;
  int mode;
  int helloed;
  int mails;
  int refused;  /* recipients */
  size_t floor; /* octets that the client has to have read before it sends the
                   next command */
  size_t left;  /* of the chunk */
  int last;     /* it is the last one */
} session_t;
extern session_t at;

/* The transaction. Its number and its letter stay when it is over, since
 * commands behind a refusal may still belong to it. */
typedef struct transaction_s {
  int serial;
  int letter;
  int open;
  int asked;        /* RCPTs */
  int taken[RCPTS]; /* recipients */
  int ntaken;
  int refused_chunk;
  size_t len; /* octets of text so far */
} transaction_t;
extern transaction_t txn;

/* ----------------------------------------------------------------- peer.c */

/* Once in n times, where the server is one that has troubles. */
int trouble(unsigned int n);
/* The message of the transaction. */
letter_t* letter(void);
/* Replies, about the transaction: the place in the log. rcpt: whose, or NONE.
 */
int say(int kind, int rcpt, int code, const char* text);
/* It looks at nothing more, so that what was sent is not known. */
void end_session(int mood);
/* By 421. */
void say_goodbye(int kind, int rcpt);
/* There is no transaction. */
void forget(void);

/* ------------------------------------------------------------- envelope.c */

void mail(const char* line);
void rcpt(const char* line);

/* ----------------------------------------------------------------- text.c */

void data(void);
void bdat(const char* line);
/* A line of the text behind a 354, CRLF included. */
void text_line(const char* line, size_t n);
/* Octets of the text, where it is heard at all. */
void chunk(const char* octets, size_t n);
/* All octets of a chunk have come. */
void chunk_over(void);

#endif
