/* SPDX-License-Identifier: MIT */
/* peer.h: a fake server in a thread of its own, over TCP on the loopback or a
 * Unix socket. Either it plays a script, or it answers whatever comes. */
#ifndef UVSMTP_TEST_PEER_H
#define UVSMTP_TEST_PEER_H

#include <stddef.h>

typedef struct peer_s peer_t;

enum peer_flags {
  PEER_UNIX = 1 << 0, /* else TCP on 127.0.0.1 */
  PEER_IPV6 = 1 << 1, /* TCP on ::1 */
  /* For the peer that answers: what it offers after EHLO. */
  PEER_PIPELINING = 1 << 2,
  PEER_CHUNKING = 1 << 3
};

/* Plays a script, one line a step; blanks at the beginning of a line do not
 * count:
 *   S text    sends the line and CRLF
 *   R text    sends the text without CRLF
 *   C text    reads a line, which must begin with the text
 *   L text    reads a line, which must be the text
 *   T         reads lines up to and including "."
 *   B n       reads n octets
 *   I n text  sends the octets of text one by one, n milliseconds apart, then
 *             CRLF; ends early when the client goes
 *   CLOSE     closes the connection (after which only NEXT makes sense)
 *   RESET     closes it with a reset
 *   SHUT      refuses to be written to (Unix), and stays readable
 *   EOF       reads and drops everything up to the client's end, which within
 *             TLS has to be a proper one (close_notify)
 *   STALL     neither reads nor writes until peer_go or peer_finish
 *   NEXT      accepts another connection
 *   TLS       a handshake, as the server; what follows goes through TLS (not
 *             I, SHUT). The certificate is that of peer_certificate
 *   NOTIFY    says that TLS is over (close_notify), and ends it
 *   SCRAM hash n password  AUTH by SCRAM with this hash (SHA-1, SHA-256), n
 *             iterations and this password, up to the 235; or 535, where the
 *             client has another one
 *   LIE hash n password  the same, but that the server has not known it: what
 *             it proves itself with is wrong; the client must then say "*"
 * The first connection is accepted before the first step. After the last step
 * the connection is kept until peer_finish, which is the same as STALL. Aborts
 * the program when there is no socket to be had. */
peer_t* peer_play(int flags, const char* script);

/* What T, B and EOF have read, one after the other: whole as it came. To be
 * freed by the test. */
typedef struct peer_record_s {
  char* text;
  size_t len;
  size_t cap;
} peer_record_t;

/* From now on; before the client connects. Look at it after peer_finish. */
void peer_keep(peer_t* peer, peer_record_t* record);

/* Answers any number of connections as an obliging server would: 220, 250,
 * 354, 250 ... until peer_finish. */
peer_t* peer_answer(int flags);

/* Where it listens: a port, and a host to connect to (a path for PEER_UNIX).
 */
int peer_port(const peer_t* peer);
const char* peer_host(const peer_t* peer);

/* In PEM, for localhost and 127.0.0.1; signed by itself, so that who trusts it
 * trusts the peer. NULL when the script has no TLS. Lives until peer_finish. */
const char* peer_certificate(const peer_t* peer);

/* Lets it continue from a STALL. */
void peer_go(peer_t* peer);

/* How many STALLs the script has come to so far. */
int peer_stalled(peer_t* peer);

/* Stops the thread and frees all. NULL when every step went as written, else
 * what went wrong: a static text. *messages (may be NULL) gets the number of
 * messages the answering peer took. */
const char* peer_finish(peer_t* peer, int* messages);

#endif
