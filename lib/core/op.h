/* SPDX-License-Identifier: MIT */
/* op.h: a request in the engine, and its result: one block of memory holding
 * the struct, its recipients and its strings, but for recipients that are known
 * only later. */
#ifndef UVSMTP_CORE_OP_H
#define UVSMTP_CORE_OP_H

#include "core/auth.h"
#include "core/body.h"
#include "core/buf.h"
#include "core/params.h"
#include "core/queue.h"
#include "core/reply.h"
#include "uvsmtp/proto.h"

struct uvsmtp_result_s {
  int status;
  int cause;
  uint8_t stage;
  uint8_t outcome;
  uint8_t has_reply;
  uvsmtp_reply_t reply;
  const char* sender;
  uint64_t octets;
  uvsmtp_rcpt_result_t* rcpts;
  size_t nrcpts;
  const uvsmtp_tls_info_t* tls; /* set by the host; or NULL */
  char* detail;                 /* a block of detail_size octets, or NULL */
  size_t detail_size;
  const char* reason;   /* in its place: a static sentence, or NULL */
  unsigned int omitted; /* uvsmtp_omitted */
};

enum {
  RCPT_REPLIED = 1u << 0,  /* rcpt_reply is there */
  RCPT_ACCEPTED = 1u << 1, /* by its RCPT */
  RCPT_FINAL = 1u << 2,    /* final is there: its own final reply */
  RCPT_SENT = 1u << 3,     /* in the transaction that is under way */
  RCPT_AGAIN = 1u << 4,    /* one too many there: for another transaction */
  RCPT_MANY = 1u << 5      /* ... in one before; rcpt_reply still says so */
};

struct uvsmtp_rcpt_result_s {
  const char* address;
  const char* const* options;
  size_t noptions;
  uvsmtp_slice_t path;
  const char* orcpt;             /* or NULL */
  const uvsmtp_result_t* result; /* whose final reply counts for all */
  int status;
  uint8_t stage;
  uint8_t outcome; /* OUTCOME_NONE: undecided */
  uint8_t flags;
  uint8_t notify; /* uvsmtp_dsn_notify */
  uvsmtp_reply_t rcpt_reply;
  uvsmtp_reply_t final;
};

/* The message text on its way from the source: what is in hand, what of it is
 * announced. */
typedef struct uvsmtp__text_s {
  uvsmtp_source_t* source;
  uvsmtp__body_t body;
  const char* base; /* the slice in hand: base NULL when there is none */
  size_t len;
  size_t off;      /* encoded octets of it */
  uint64_t taken;  /* octets of the source in slices before it */
  uint64_t region; /* octets of the source still to encode for this command */
  uint64_t queued; /* octets of encoding queued so far */
  uint64_t ahead;  /* encoded octets of the chunk being prepared */
  uint64_t size;   /* of the whole text, or a lower bound */
  uvsmtp__buf_t stage;  /* a chunk that is gathered from small pieces */
  uvsmtp__body_t after; /* the encoder behind what was measured */
  int error;            /* of the source: it stays */
  uint8_t size_known;   /* 0: not looked at, 1: unknown, 2: bound, 3: exact */
  uint8_t size_clean;   /* 3: the text goes as it is */
  uint8_t begun;        /* body is initialised */
  uint8_t eof;
  uint8_t waiting; /* the source said WAIT */
  uint8_t ready;   /* a chunk is prepared: */
  uint8_t last;    /*   it is the LAST one */
  uint8_t staged;  /*   its octets are in stage, else in the slice */
  uint8_t busy;    /* stage is on its way out by reference */
  uint8_t clean;   /* what is announced goes as it is */
  uint8_t ends;    /* this command's text ends the message */
  uint8_t high;    /* octets above 127: UVSMTP__HIGH_* */
} uvsmtp__text_t;

/* UNSEEN: not looked for; UNKNOWN: none in what there was to look at. */
enum {
  UVSMTP__HIGH_UNSEEN,
  UVSMTP__HIGH_UNKNOWN,
  UVSMTP__HIGH_NONE,
  UVSMTP__HIGH_SOME
};

/* The transaction that is under way, of maybe several of a message. */
typedef struct uvsmtp__round_s {
  size_t rcpts;    /* how many are to be in it; 0: none has begun */
  size_t sent;     /* RCPTs of it that have gone out */
  size_t replied;  /* ... that were answered */
  size_t again;    /* ... that were too many */
  size_t many;     /* ... that had been too many before */
  size_t open;     /* recipients of the message that no transaction has decided,
                      those of this one included */
  size_t limit;    /* what the server was seen to take; 0: not known */
  size_t start;    /* index of the first recipient that it may hold */
  uint64_t before; /* octets of text in the transactions before */
  size_t taken; /* RCPTs answered before the first that was too many; 0: there
                   is none, or one behind it was taken, so that it says no
                   limit */
  uint8_t several; /* it is not the first */
  uint8_t first;   /* the first one that was accepted has been kept: */
  uint8_t stage;
  uint8_t has_reply;
  uvsmtp_reply_t reply;
} uvsmtp__round_t;

/* See uvsmtp_request_t.envelope. */
typedef int (*uvsmtp__envelope_fn)(uvsmtp_source_t* body, const char** from,
                                   const char* const** rcpts, size_t* nrcpts,
                                   const char** reason);

typedef struct uvsmtp__op_s {
  uvsmtp__link_t link;
  size_t slab; /* octets of this block */
  void* rows;  /* a block of its own for recipients that came later, or NULL */
  size_t rows_size;
  uvsmtp_fn fn;
  void* data;
  uvsmtp_result_t result;
  uvsmtp__buf_t arena; /* text of the replies */
  uvsmtp__text_t text;
  const char* arg; /* name, address or line */
  uvsmtp_slice_t path;
  const char* const* options;
  size_t noptions;
  const char* const* rcpt_options;
  size_t nrcpt_options;
  const uvsmtp_mail_params_t* params; /* or NULL */
  const char* keyword;                /* EXTENSION, XCLIENT: to be offered */
  uvsmtp__envelope_fn envelope;       /* still to be asked, or NULL */
  uvsmtp__round_t round;
  uvsmtp_exchange_t* auth;     /* CONNECT, LOGIN: or NULL */
  uvsmtp_progress_cb progress; /* or NULL */
  void* progress_arg;
  uint64_t reported;     /* octets that it was last told */
  uint64_t due;          /* by the host's clock; 0: none */
  size_t next_rcpt;      /* index of the next RCPT to send */
  size_t final;          /* index of the row that the next final reply is for */
  unsigned int step;     /* in uvsmtp__steps */
  unsigned int inflight; /* its commands on the FIFO */
  unsigned int flags;    /* uvsmtp_message_flags */
  uint8_t plan;
  uint8_t line_ends;
  uint8_t begun;   /* MAIL has been sent: the transaction has begun */
  uint8_t started; /* a step of it has been taken */
  uint8_t ended;   /* nothing more will be sent for it */
  uint8_t failed;
  uint8_t verdict;      /* outcome of all undecided recipients */
  uint8_t verdict_lost; /* ... by a loss, so a worse one may follow */
  uint8_t cut;          /* 421 to a RCPT: the rest was not attempted */
  uint8_t ehlo_refused;
  uint8_t tls;         /* CONNECT: the policy of the session that begins */
  uint8_t local;       /* CONNECT: nobody can listen */
  uint8_t go;          /* 354: the text may go */
  uint8_t void_go;     /* 354 without a recipient */
  uint8_t utf8;        /* UVSMTP__PATH_UTF8 of some path, and _LOCAL */
  uint8_t smtputf8;    /* its MAIL says SMTPUTF8 */
  uint8_t rcpt_params; /* some recipient has parameters of its own */
  uint8_t headed;      /* its source reads the header */
  uint8_t ascii;       /* octets above 127 fail its text */
  uint8_t last;        /* BDAT op: LAST */
  uint8_t carries;     /* it carries a message: outcomes count */
  uint8_t expired;     /* its due time has passed */
  uint8_t held;        /* it has waited for the length of its text */
} uvsmtp__op_t;

/* The rows of a message whose header said who gets it, and its sender where
 * that is still to be said, in a block of their own. 0, -ENOMEM, or
 * UVSMTP_EMESSAGE. */
int uvsmtp__op_set_envelope(const uvsmtp__mem_t* mem, uvsmtp__op_t* op,
                            const char* from, const char* const* rcpts,
                            size_t nrcpts);

/* The TLS that a result is to tell of: for its host, before it is shown. */
void uvsmtp__result_set_tls(const uvsmtp_result_t* result,
                            const uvsmtp_tls_info_t* tls);

/* Records a failure unless there is one. No reply says why, so far. */
void uvsmtp__op_fail(uvsmtp__op_t* op, int error, int cause, int stage);

/* The failure is none, so far: something else is tried. */
void uvsmtp__op_revive(const uvsmtp__mem_t* mem, uvsmtp__op_t* op);

/* Frees an op's memory; the source has been released. */
void uvsmtp__op_free(const uvsmtp__mem_t* mem, uvsmtp__op_t* op);

/* Copies a request into a block of its own, checked: 0, -EINVAL, -ENOMEM.
 * lmtp: under LMTP. */
int uvsmtp__op_new(const uvsmtp__mem_t* mem, const uvsmtp_request_t* request,
                   int lmtp, uvsmtp__op_t** out);

/* ---- settle.c ---- */

/* Decides the outcome of every recipient, the status and the outcome of the
 * whole. Once, when the last of its commands is answered or lost. */
void uvsmtp__op_settle(uvsmtp__op_t* op);
/* Decides those of the transaction that is over, before another begins. */
void uvsmtp__op_settle_round(uvsmtp__op_t* op);

#endif
