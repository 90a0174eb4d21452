/* SPDX-License-Identifier: MIT */
/* peer.h: a server of SMTP or LMTP as the RFCs have it, with faults. It ends
 * the program when the client breaks a rule, and remembers each reply that it
 * gave, and whether the client has read it. */
#ifndef TEST_MODEL_PEER_H
#define TEST_MODEL_PEER_H

#include <stddef.h>

/* What a reply was to. */
enum said_kind {
  SAID_OTHER,
  SAID_MAIL,
  SAID_RCPT,
  SAID_DATA, /* DATA, and a chunk that is not the last */
  SAID_TEXT, /* a text that was not over */
  SAID_FINAL
};

/* A reply. Its text ends with "#" and its place in the log. */
typedef struct said_s {
  size_t end; /* octets said up to its end; SIZE_MAX: it never got there */
  int kind;
  int code;
  int txn;    /* transactions are counted from 1, over all sessions */
  int letter; /* of that transaction */
  int rcpt;   /* RCPT, and a final reply of LMTP: whose; else NONE */
} said_t;

/* A server as it will be for all sessions of a seed. */
void peer_make(void);
int peer_is_lmtp(void);
int peer_has_chunking(void);

/* A connection, and its end: what was not handed over by then is lost. */
void peer_open(void);
void peer_close(void);

/* Takes octets of the client's. */
void peer_take(const void* data, size_t n);
/* Does what they ask for, all of it. */
void peer_serve(void);
/* Likewise, before the connection ends, or the caller has had enough. */
void peer_drain(void);
/* Hands over some of its replies: how many octets, at most cap. */
size_t peer_hand(char* buf, size_t cap);

/* Is there anything to serve, or to hand over? */
int peer_busy(void);
/* Has it said its last word? It closes when that is handed over. */
int peer_is_done(void);
/* Will it never answer? */
int peer_is_mute(void);

/* A reply of the log; whether the client has read it whole. */
const said_t* peer_said(int i);
int peer_heard(int i);
int peer_count(void);

#endif
