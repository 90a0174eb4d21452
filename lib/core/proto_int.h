/* SPDX-License-Identifier: MIT */
/* proto_int.h: the engine from inside.
 *
 *   proto.c    the public calls: feed, peek, sent, next ...
 *   step.c     step(), the only place that changes state; losing a session
 *   actions.c  what a row of the table records
 *   plan.c     the send cursor: which command may go next, and sending it
 *   guards.c   the questions of plans.def
 *   auth.c     a mechanism's run, and exchange.c what it sees of it
 *   mail.c     what MAIL and RCPT say beside an address
 *   rounds.c   a message in several transactions
 *   text.c     the message text: from the source through the encoder
 *   look.c     what is known of it before
 *   op.c       requests, and settle.c what becomes of them
 *
 * The receive cursor is the head of the FIFO, judged by `rest`; the send cursor
 * is `current` with its step, judged by `ahead`. */
#ifndef UVSMTP_CORE_PROTO_INT_H
#define UVSMTP_CORE_PROTO_INT_H

#include <errno.h>

#include "core/auth.h"
#include "core/caps.h"
#include "core/command.h"
#include "core/op.h"
#include "core/out.h"
#include "core/table.h"
#include "uvsmtp/tls.h"

/* Commands in flight at the most: bounds memory, not speed. */
#define UVSMTP__FIFO_MAX 1024u
/* Octets queued by copy or reference before more text is encoded. */
#define UVSMTP__AHEAD_MAX (64u * 1024u)
/* A piece of text at least this long is sent by reference. */
#define UVSMTP__REF_MIN 4096u
/* Octets encoded at a time: bounds the time of one peek. */
#define UVSMTP__WINDOW (256u * 1024u)
/* A chunk gathered from small pieces, and one announced from a large slice. */
#define UVSMTP__STAGE_MAX (64u * 1024u)
#define UVSMTP__CHUNK_MAX (1024u * 1024u)
/* Text kept of a reply to RCPT, and of any other. */
#define UVSMTP__RCPT_TEXT_MAX 1024u
#define UVSMTP__TEXT_MAX 65536u
/* The deadline of the text covers this much of it. */
#define UVSMTP__BLOCK 65536u
/* Addresses remembered for the final replies of LMTP's own DATA. */
#define UVSMTP__ADDRESSES_MAX (1024u * 1024u)
/* libuv's UV_EOF, which no errno stands for (see error.c). */
#define UVSMTP__EOF (-4095)

/* A command in flight. */
typedef struct uvsmtp__entry_s {
  uvsmtp__op_t* op;  /* NULL: the engine's own RSET */
  uint64_t whole_at; /* the stream offset behind its last octet */
  uint64_t mark;     /* SENT comes when the stream has passed this */
  uint32_t rcpt;     /* RCPT: which */
  uint32_t left;     /* final replies still to come, 0: not counted yet */
  uint8_t state;
  uint8_t some_ok; /* of several final replies */
  uint8_t some_bad;
} uvsmtp__entry_t;

/* See uvsmtp_proto_config_t. */
typedef int (*uvsmtp__to_ascii_fn)(const char* domain, size_t len, char* out,
                                   size_t cap);

struct uvsmtp_proto_s {
  uvsmtp__mem_t mem;
  unsigned int flags;
  unsigned int serial; /* of waits */
  uvsmtp_trace_cb trace;
  void* trace_arg;
  uvsmtp__to_ascii_fn to_ascii; /* or NULL */
  char* local_name;

  uvsmtp__reader_t reader;
  uvsmtp__caps_t caps;
  uvsmtp__kept_t* ehlo; /* the last reply to EHLO or LHLO of this session */
  uvsmtp__kept_t* helo; /* ... to HELO; NULL: none */
  uvsmtp__out_t out;
  uint64_t heard_at; /* octets sent when the reply being read began */

  uvsmtp__entry_t* fifo; /* ring of fifo_cap entries, a power of two */
  uint32_t fifo_head;
  uint32_t fifo_count;
  uint32_t fifo_cap;
  uint32_t texts; /* in flight, whose deciding octet has not left */

  uvsmtp__link_t ops;      /* accepted, in order, until finished */
  uvsmtp__link_t done;     /* finished, until taken */
  uvsmtp__op_t* current;   /* whose step the send cursor is at */
  uvsmtp__op_t* texting;   /* whose text is being produced */
  uvsmtp__op_t* delivered; /* whose result the host is looking at */
  size_t pending;
  uint64_t due; /* the earliest of ops, or an earlier one; 0: none */

  uvsmtp_exchange_t* auth;     /* of the session: or NULL */
  const uvsmtp_mech_t* authed; /* by which the session has logged in, or NULL */

  uvsmtp__buf_t addresses; /* LMTP: accepted by rcpt of its own, NUL-ended */
  uint32_t naddresses;
  uint32_t accepted;   /* recipients of the open transaction */
  uint32_t mails;      /* said in this session */
  int16_t down_status; /* why there is no session, for those who want one; both
                          ranges of errors fit, as in the table's rows */
  int16_t down_cause;
  uint8_t down_outcome;
  uint8_t down_stage;
  uint8_t rest;
  uint8_t ahead;
  uint8_t policy;                 /* uvsmtp_tls_policy of the session */
  unsigned int tls : 1;           /* the transport is secured */
  unsigned int trusted : 1;       /* ... by who has proven who it is */
  unsigned int proven : 1;        /* ... and really has */
  unsigned int local : 1;         /* nobody can listen */
  unsigned int login_failed : 1;  /* and none has succeeded since */
  unsigned int tls_refused : 1;   /* STARTTLS was, in this session */
  unsigned int chunk_refused : 1; /* of the open transaction */
  unsigned int mail_refused : 1;  /* likewise */
  unsigned int misled : 1;        /* a MAIL or login had no place */
  unsigned int holed : 1; /* a chunk of the caller's own could not be had */
  unsigned int helloed : 1;
  unsigned int esmtp : 1;
  unsigned int reset_owed : 1;
  unsigned int quit_owed : 1; /* the server takes no more messages */
  unsigned int up : 1;        /* the host has a transport for us */
  unsigned int canceled : 1;
  unsigned int oom : 1;  /* noted in an action; step(OOM) follows */
  unsigned int busy : 1; /* within a call: hooks may not call back */
  unsigned int running : 1;
  unsigned int submitting : 1; /* nothing finishes now */
  unsigned int resumed : 1;    /* a source's octets may be there again */
};

/* ---- step.c ---- */

/* What comes with an input. */
typedef struct uvsmtp__cause_s {
  const uvsmtp_reply_t* reply; /* or NULL */
  int cause;                   /* libuv or uvsmtp error, or 0 */
} uvsmtp__cause_t;

/* The table applied to the command e (NULL: to the resting place). The only
 * place that changes a state. */
void uvsmtp__step(uvsmtp_proto_t* p, uvsmtp__entry_t* e, int input,
                  const uvsmtp__cause_t* why);
/* A whole reply for the head of the FIFO. followed: more octets came with it.
 */
void uvsmtp__on_reply(uvsmtp_proto_t* p, const uvsmtp_reply_t* reply,
                      int followed);
/* An input for the head, or for the resting place when nothing is in flight. */
void uvsmtp__on_input(uvsmtp_proto_t* p, int input, int cause);

uvsmtp__entry_t* uvsmtp__fifo_at(uvsmtp_proto_t* p, uint32_t i);
/* Appends; NULL for no memory. */
uvsmtp__entry_t* uvsmtp__fifo_push(uvsmtp_proto_t* p);

/* ---- actions.c ---- */
void uvsmtp__act(uvsmtp_proto_t* p, int action, uvsmtp__entry_t* e,
                 const uvsmtp__cause_t* why);
/* Forgets the transaction. */
void uvsmtp__end_transaction(uvsmtp_proto_t* p);
/* Forgets what the server said of itself. */
void uvsmtp__forget_server(uvsmtp_proto_t* p);

/* ---- plan.c, guards.c ---- */
enum { GUARD_SKIP, GUARD_TAKE, GUARD_HOLD };
int uvsmtp__ask(uvsmtp_proto_t* p, int guard, uvsmtp__op_t* op);
/* Moves the send cursor as far as it goes and finishes what is finished. */
void uvsmtp__run(uvsmtp_proto_t* p);
/* 1 when the op has no step left to consider. */
int uvsmtp__at_end(const uvsmtp__op_t* op);
/* 1 when the policy keeps a state's command back until there is TLS. */
int uvsmtp__is_exposed(const uvsmtp_proto_t* p, int state);
/* 1 when op needs no TLS: an opportunistic policy alone asks for it. */
int uvsmtp__is_optional(const uvsmtp_proto_t* p, const uvsmtp__op_t* op);
int uvsmtp__uses_chunking(const uvsmtp_proto_t* p, const uvsmtp__op_t* op);

/* ---- mail.c ---- */
/* Room for all parameters that the library writes. */
#define UVSMTP__PARAMS_MAX (UVSMTP__OWN_PARAMS_MAX + UVSMTP__MAIL_PARAMS_MAX)
/* Parameters of MAIL that the library adds, into buf: "" or " SIZE=..." ...; 0,
 * or the reason why the message can't go to this server. */
int uvsmtp__mail_params(uvsmtp_proto_t* p, uvsmtp__op_t* op, char* buf,
                        int* cause);
/* Likewise of a RCPT; the message has been found to fit. */
void uvsmtp__rcpt_params(uvsmtp__op_t* op, const uvsmtp_rcpt_result_t* r,
                         char* buf);
/* Whether the paths can go to this server, and how; asked: SMTPUTF8 is wanted
 * in any case. 0 or an error as above. */
int uvsmtp__fit_utf8(uvsmtp_proto_t* p, uvsmtp__op_t* op, int asked,
                     int* cause);
/* A path whose domain is an A-label: itself, or in buf (UVSMTP__PATH_MAX
 * octets). 0 or an error of uvsmtp_proto_config_t.to_ascii. */
int uvsmtp__path_ascii(const uvsmtp_proto_t* p, uvsmtp_slice_t path, char* buf,
                       uvsmtp_slice_t* ascii);
/* The envelope that the header of a message says, in the place of what is not
 * said. 0 or an error. */
int uvsmtp__take_envelope(uvsmtp_proto_t* p, uvsmtp__op_t* op);

/* ---- rounds.c ---- */
/* 1 for a refused RCPT whose recipient another transaction may hold. */
int uvsmtp__is_too_many(const uvsmtp_proto_t* p, const uvsmtp__op_t* op,
                        const uvsmtp_reply_t* reply);
/* One of its RCPTs was too many. */
void uvsmtp__round_full(uvsmtp__round_t* round, const uvsmtp_reply_t* reply);
/* How many RCPTs may be in flight. */
size_t uvsmtp__rcpts_ahead(const uvsmtp_proto_t* p, const uvsmtp__round_t* r);
/* A transaction of a message begins: its MAIL has just been put into flight. */
void uvsmtp__round_begin(uvsmtp_proto_t* p, uvsmtp__op_t* op);
/* All steps of a message have been taken: is that all? HOLD: not before they
 * are answered; MORE: its cursor is at the beginning of another transaction. */
enum { ROUNDS_OVER, ROUNDS_HOLD, ROUNDS_MORE };
int uvsmtp__round_over(uvsmtp_proto_t* p, uvsmtp__op_t* op);

/* ---- auth.c ---- */
/* The exchange that op's AUTH runs. */
uvsmtp_exchange_t* uvsmtp__exchange_of(const uvsmtp_proto_t* p,
                                       const uvsmtp__op_t* op);
/* The mechanism that is to be tried next, or NULL. */
const uvsmtp_mech_t* uvsmtp__auth_next(const uvsmtp_proto_t* p,
                                       uvsmtp_exchange_t* x);
/* A session without a login may have one anew. */
void uvsmtp__auth_reset(uvsmtp_exchange_t* x);
/* A run begins: AUTH_THINK has just been put into flight. */
void uvsmtp__auth_begin(uvsmtp_proto_t* p, uvsmtp_exchange_t* x);
/* Is it a mechanism's turn? Asked at each turn of the cursor, so it is here. */
static inline int uvsmtp__is_thinking(const uvsmtp_proto_t* p) {
  return p->fifo_count > 0 && p->fifo[p->fifo_head].state == S_AUTH_THINK;
}
/* Lets the mechanism go on whose turn it is: 1 when that moved something. */
int uvsmtp__auth_run(uvsmtp_proto_t* p);
/* The head of the FIFO if a mechanism has work to do, else NULL. */
uvsmtp_exchange_t* uvsmtp__auth_working(const uvsmtp_proto_t* p);
/* The decoded challenge of a 334. 0 or -ENOMEM. */
int uvsmtp__auth_challenge(uvsmtp_exchange_t* x, const uvsmtp_reply_t* reply);
/* 535: asks the mechanism whether to begin anew. */
void uvsmtp__auth_refused(uvsmtp_exchange_t* x);

/* ---- text.c, look.c ---- */
enum { TEXT_HAVE = 1, TEXT_OVER = 2, TEXT_WAIT = 3 };
/* A slice with octets left, the end, or nothing now; or a negative error, which
 * stays: a source that has failed once has lost its place. */
int uvsmtp__text_peek(uvsmtp_proto_t* p, uvsmtp__op_t* op);
/* The encoded size of octets in hand, the end of the text included if asked. */
int uvsmtp__text_measure(uvsmtp__text_t* t, uint64_t n, int ends);
/* 1 when an octet is above 127. */
int uvsmtp__is_high(const char* text, size_t len);
/* Whether the text has such, as far as it is known without reading on; all: the
 * piece in hand is looked through however long it is. */
int uvsmtp__text_high(uvsmtp_proto_t* p, uvsmtp__op_t* op, int all);
/* Back to the first octet, by a source that can. 0 or its error. */
int uvsmtp__text_rewind(uvsmtp__op_t* op);
/* The text of a command just put into flight begins; e is its entry. 0 or
 * -ENOMEM. */
int uvsmtp__text_begin(uvsmtp_proto_t* p, uvsmtp__op_t* op, uvsmtp__entry_t* e);
/* Prepares the next chunk. GUARD_TAKE when ready, GUARD_HOLD, or an error. */
int uvsmtp__text_prepare(uvsmtp_proto_t* p, uvsmtp__op_t* op);
/* Is it known by now how long the text is, or that nobody knows? GUARD_TAKE,
 * GUARD_HOLD while its source waits, or an error of the source. */
int uvsmtp__text_known(uvsmtp_proto_t* p, uvsmtp__op_t* op);
/* Encoded size of the whole text, without dot-stuffing, as far as it is known
 * without reading on: 1 exact, 0 a lower bound, -1 unknown. */
int uvsmtp__text_size(uvsmtp_proto_t* p, uvsmtp__op_t* op, uint64_t* size);
/* What becomes of a message whose text could not be had: an error of the
 * source, of memory, or -EINVAL for line ends that STRICT refuses. */
int uvsmtp__text_fault(const uvsmtp__op_t* op, int error);
/* 1 when octets above 127 were seen within a text that must have none here. */
int uvsmtp__text_is_unfit(const uvsmtp__op_t* op);
/* Produces text for the command in flight, as far as the queue has room. */
void uvsmtp__text_pump(uvsmtp_proto_t* p);
/* Looks for commands in flight whose deciding octet has left. */
void uvsmtp__text_sent(uvsmtp_proto_t* p);
/* Octets of text queued for a command in flight that have not left. */
uint64_t uvsmtp__text_unsent(const uvsmtp_proto_t* p, const uvsmtp__entry_t* e);
/* Tells the observer of the message under way how much of it has left. */
void uvsmtp__text_progress(uvsmtp_proto_t* p);
/* Tells op's observer, if there is one and it does not know yet. */
void uvsmtp__report(uvsmtp__op_t* op, uint64_t sent);

/* ---- proto.c ---- */
void uvsmtp__trace(uvsmtp_proto_t* p, int kind, const char* text, size_t len);

#endif
