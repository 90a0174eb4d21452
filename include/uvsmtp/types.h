/* SPDX-License-Identifier: MIT */
/* uvsmtp/types.h: what the engine and the session share: states, outcomes,
 * replies, results, body sources, messages, memory.
 *
 * Layout rules, which hold for every public type:
 *  - handles, replies and results are opaque and read through functions, so
 *    that they may grow;
 *  - structs that the caller fills begin with `size`, set by their init macro
 *    or function, and only ever grow at the end: a library newer than the
 *    caller reads no further than `size`, an older one refuses with UV_EINVAL
 *    a struct whose unknown tail is not all zero;
 *  - a body source is part of a struct of the caller's and never grows;
 *  - arrays of such structs are arrays of pointers, since an array of structs
 *    would freeze their size.
 * Nothing here is thread-safe: an object belongs to the thread of its loop. */
#ifndef UVSMTP_TYPES_H
#define UVSMTP_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "uvsmtp/errors.h"
#include "uvsmtp/params.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------- states */

/* Where a session stands (its resting places), and what it is waiting for (the
 * commands in flight). Also the `stage` of a result: the command whose failure
 * decided. XX(name, value, text); values are part of the ABI. */
#define UVSMTP_STATE_MAP(XX)                              \
  XX(CONNECT, 0, "not connected")                         \
  XX(OPEN, 1, "connected, before the greeting")           \
  XX(GREETED, 2, "greeted, before EHLO")                  \
  XX(READY, 3, "ready for a message")                     \
  XX(ENVELOPE, 4, "in a transaction")                     \
  XX(CHUNKING, 5, "in a transaction, after a BDAT chunk") \
  XX(BODY, 6, "the server awaits the message text")       \
  XX(CLOSED, 7, "session over")                           \
  XX(SECURING, 8, "STARTTLS was granted")                 \
  XX(OPENING, 16, "connect")                              \
  XX(GREETING, 17, "greeting")                            \
  XX(EHLO, 18, "EHLO")                                    \
  XX(HELO, 19, "HELO")                                    \
  XX(MAIL, 20, "MAIL")                                    \
  XX(RCPT, 21, "RCPT")                                    \
  XX(DATA, 22, "DATA")                                    \
  XX(TEXT, 23, "message text")                            \
  XX(DOT, 24, "end of data")                              \
  XX(VOID_DOT, 25, "end of no data")                      \
  XX(BDAT, 26, "BDAT")                                    \
  XX(LAST_TEXT, 27, "last chunk")                         \
  XX(BDAT_LAST, 28, "BDAT LAST")                          \
  XX(RSET, 29, "RSET")                                    \
  XX(NOOP, 30, "NOOP")                                    \
  XX(QUIT, 31, "QUIT")                                    \
  XX(COMMAND, 32, "command")                              \
  XX(CHUNK_TEXT, 33, "chunk")                             \
  XX(STARTTLS, 34, "STARTTLS")                            \
  XX(HANDSHAKE, 35, "TLS handshake")                      \
  XX(WRAP, 36, "TLS handshake before the greeting")       \
  XX(AUTH, 37, "AUTH")                                    \
  XX(AUTH_THINK, 38, "AUTH, at work")                     \
  XX(AUTH_STEP, 39, "response to a challenge")            \
  XX(AUTH_CANCEL, 40, "AUTH, cancelled")                  \
  XX(XCLIENT, 41, "XCLIENT")                              \
  XX(EXTENSION, 42, "extension command")

/* The states. */
enum uvsmtp_state {
#define XX(name, value, text) UVSMTP_STATE_##name = value,
  UVSMTP_STATE_MAP(XX)
#undef XX
      UVSMTP_STATE_END = 64 /* none is above */
};

/* "MAIL", "READY" ...; "?" for a number that is no state. Static. */
UVSMTP_EXTERN const char* uvsmtp_state_name(int state);

/* How a session speaks. */
enum uvsmtp_session_flags {
  UVSMTP_SESSION_LMTP = 1u << 0, /* RFC 2033: LHLO, a final reply a recipient */
  UVSMTP_SESSION_NO_PIPELINING = 1u << 1, /* as if it were not offered */
  UVSMTP_SESSION_NO_CHUNKING = 1u << 2    /* as if it were not offered */
};

/* -------------------------------------------------------------- outcomes */

/* What became of a message, or of one recipient of it. A bulk sender sends
 * again what is DEFERRED or NOT_ATTEMPTED, never ACCEPTED or REJECTED, and
 * decides for itself about UNKNOWN: it may have been delivered (RFC 1047). */
enum uvsmtp_outcome {
  UVSMTP_OUTCOME_NONE = 0,     /* the call carried no message */
  UVSMTP_OUTCOME_ACCEPTED = 1, /* a 2yz final reply was read whole */
  UVSMTP_OUTCOME_DEFERRED = 2, /* 4yz, 421, or lost before the end of data */
  UVSMTP_OUTCOME_REJECTED = 3, /* 5yz, or refused locally: sending again
                                  unchanged is pointless */
  UVSMTP_OUTCOME_NOT_ATTEMPTED = 4, /* its transaction had not begun */
  UVSMTP_OUTCOME_UNKNOWN = 5 /* the end of data went out, no whole verdict
                                came back */
};

/* "accepted", "deferred", "rejected", "not-attempted", "unknown"; "none". */
UVSMTP_EXTERN const char* uvsmtp_outcome_name(int outcome);

/* --------------------------------------------------------------- replies */

/* Bytes that someone else owns; not terminated. */
typedef struct uvsmtp_slice_s {
  const void* base; /* the first of them */
  size_t len;       /* how many */
} uvsmtp_slice_t;

/* A reply of the server, read whole. Lives as long as what it was got from. */
typedef struct uvsmtp_reply_s uvsmtp_reply_t;

/* 200 to 599. */
UVSMTP_EXTERN int uvsmtp_reply_code(const uvsmtp_reply_t* reply);

/* The enhanced status code (RFC 2034, RFC 3463): fills class, subject, detail
 * and returns 1, or returns 0 when the reply has none, or one whose class
 * contradicts the code. */
UVSMTP_EXTERN int uvsmtp_reply_enhanced(const uvsmtp_reply_t* reply,
                                        unsigned short code[3]);

/* The text: all lines without code and separator, joined by one LF, as
 * smtplib's. Any octet but NUL, CR and LF may occur in a line: escape before
 * showing it to a terminal. *len (may be NULL) gets its length; also
 * NUL-terminated, so never NULL. */
UVSMTP_EXTERN const char* uvsmtp_reply_text(const uvsmtp_reply_t* reply,
                                            size_t* len);

/* The number of lines, at least 1. */
UVSMTP_EXTERN size_t uvsmtp_reply_lines(const uvsmtp_reply_t* reply);

/* --------------------------------------------------------------- results */

/* What a call came to. Lives until the completion that got it returns. */
typedef struct uvsmtp_result_s uvsmtp_result_t;
/* One recipient of it. */
typedef struct uvsmtp_rcpt_result_s uvsmtp_rcpt_result_t;

/* 0, or the class of the failure: a uvsmtp or libuv error. A message with at
 * least one accepted recipient and none unknown succeeds; look at the
 * recipients for the refused ones. */
UVSMTP_EXTERN int uvsmtp_result_status(const uvsmtp_result_t* result);

/* Why, underneath: such as UV_ECONNREFUSED below UVSMTP_ECONNECT, UV_EOF below
 * UVSMTP_EDISCONNECTED, UV_ECANCELED below UVSMTP_EUNKNOWN; 0 when there is no
 * deeper reason. */
UVSMTP_EXTERN int uvsmtp_result_cause(const uvsmtp_result_t* result);

/* An enum uvsmtp_state: the command that decided (the one that failed first, or
 * the last one when all went well). */
UVSMTP_EXTERN int uvsmtp_result_stage(const uvsmtp_result_t* result);

/* An enum uvsmtp_outcome: for the message as a whole UNKNOWN when that is any
 * recipient's, else ACCEPTED when any was, else DEFERRED when any was, else
 * NOT_ATTEMPTED when any was, else REJECTED. OUTCOME_NONE for calls that
 * carry no message. */
UVSMTP_EXTERN int uvsmtp_result_outcome(const uvsmtp_result_t* result);

/* The deciding reply (final reply of a message, else that of the command), or
 * NULL when no reply decided. */
UVSMTP_EXTERN const uvsmtp_reply_t* uvsmtp_result_reply(
    const uvsmtp_result_t* result);

/* The TLS of its connection, or NULL: it has, or had, none. Lives as long as
 * the result. See uvsmtp/tls.h. */
typedef struct uvsmtp_tls_info_s uvsmtp_tls_info_t;
UVSMTP_EXTERN const uvsmtp_tls_info_t* uvsmtp_result_tls(
    const uvsmtp_result_t* result);

/* More about a failure that no reply explains, or NULL: what a mechanism of
 * AUTH had to say of it (the error that a server sent before it refused a
 * token, JSON, RFC 7628 3.2.2: escape it before showing it), or, in a sentence,
 * why a message was refused here. NUL-terminated; lives as long as the result.
 */
UVSMTP_EXTERN const char* uvsmtp_result_detail(const uvsmtp_result_t* result);

/* Parameters that the server does not offer and that were left out: a set of
 * uvsmtp_omitted, see UVSMTP_MAIL_OPTIONAL. */
UVSMTP_EXTERN unsigned int uvsmtp_result_omitted(const uvsmtp_result_t* result);

/* The sender as the caller, or the header, wrote it, or NULL for calls without
 * one. */
UVSMTP_EXTERN const char* uvsmtp_result_sender(const uvsmtp_result_t* result);

/* Octets of message text as encoded on the wire that were given to the
 * transport: dot-stuffing and line ends included, the final "." CRLF and BDAT
 * command lines not. */
UVSMTP_EXTERN uint64_t uvsmtp_result_octets(const uvsmtp_result_t* result);

/* Recipients in the caller's order, repeated addresses kept apart. For
 * uvsmtp_data and uvsmtp_bdat under LMTP: those the server had accepted. */
UVSMTP_EXTERN size_t uvsmtp_result_rcpt_count(const uvsmtp_result_t* result);

/* Recipient i, or NULL past the end. */
UVSMTP_EXTERN const uvsmtp_rcpt_result_t* uvsmtp_result_rcpt(
    const uvsmtp_result_t* result, size_t i);

/* The first recipient whose address is written like this one, octet for octet,
 * or NULL: the map of smtplib's SMTPRecipientsRefused. */
UVSMTP_EXTERN const uvsmtp_rcpt_result_t* uvsmtp_result_find_rcpt(
    const uvsmtp_result_t* result, const char* address);

/* The address as the caller wrote it. */
UVSMTP_EXTERN const char* uvsmtp_rcpt_result_address(
    const uvsmtp_rcpt_result_t* rcpt);
/* As of the result, for this recipient. */
UVSMTP_EXTERN int uvsmtp_rcpt_result_status(const uvsmtp_rcpt_result_t* rcpt);
UVSMTP_EXTERN int uvsmtp_rcpt_result_stage(const uvsmtp_rcpt_result_t* rcpt);
UVSMTP_EXTERN int uvsmtp_rcpt_result_outcome(const uvsmtp_rcpt_result_t* rcpt);
/* The reply that decided, or NULL: the refusal of its RCPT, or the final reply
 * (under LMTP its own; under SMTP the one for all). */
UVSMTP_EXTERN const uvsmtp_reply_t* uvsmtp_rcpt_result_reply(
    const uvsmtp_rcpt_result_t* rcpt);
/* The reply to its RCPT command, or NULL: a 251's text names the new path. */
UVSMTP_EXTERN const uvsmtp_reply_t* uvsmtp_rcpt_result_rcpt_reply(
    const uvsmtp_rcpt_result_t* rcpt);

/* ---------------------------------------------------------- body sources */

typedef struct uvsmtp_source_s uvsmtp_source_t;

/* What peek returns besides a negative error. */
enum uvsmtp_source_status {
  UVSMTP_SOURCE_MORE = 0, /* out holds at least one octet */
  UVSMTP_SOURCE_EOF = 1,  /* the text is over */
  UVSMTP_SOURCE_WAIT = 2  /* nothing yet: resume the session when there is */
};

/* A length that the source sets by itself before its first peek returns
 * anything but WAIT. A message waits with its MAIL until then, so that what
 * can't be read fails before anything is said of it. */
#define UVSMTP_LENGTH_LATER (-2)

/* Where the octets of a message come from. All functions run on the loop's
 * thread from within the library's own work, and may call nothing of the
 * session but resume, which only notes it; every other call returns UV_EBUSY.
 * They must not longjmp or throw.
 *
 * A source is borrowed from the accepted call until release, which comes
 * exactly once for each accepted call, before its completion; a call that
 * returned an error took nothing and releases nothing. A source knows where it
 * is: it is for one call at a time, and for another one after its release it is
 * rewound or filled anew. */
struct uvsmtp_source_s {
  size_t size;    /* sizeof(uvsmtp_source_t) */
  int64_t length; /* octets in all, -1 when unknown, or UVSMTP_LENGTH_LATER. A
                     source that ends before, or hands over a slice that goes
                     beyond, fails the message with UVSMTP_ESOURCE; it may not
                     be asked for more */
  /* The octets to send next, by reference: they must stay where they are until
   * consumed covers them. A status above or a negative error, which fails the
   * message with UVSMTP_ESOURCE and, once some of it has been sent or
   * announced, ends the session: a partial message must not look whole. */
  int (*peek)(uvsmtp_source_t* self, uvsmtp_slice_t* out);
  /* The first n octets of the last peek are no longer needed. */
  void (*consumed)(uvsmtp_source_t* self, size_t n);
  /* Back to the first octet, 0 or a negative error. NULL: not possible, which a
   * source may also find out in the first peek that returns anything but WAIT.
   */
  int (*rewind)(uvsmtp_source_t* self);
  /* The library is done with the source. May be NULL. */
  void (*release)(uvsmtp_source_t* self);
  /* NULL. Sources are embedded in structs of the caller's, so that this struct
   * can't grow: what comes later comes here. */
  void* reserved[4];
};
#define UVSMTP_SOURCE_INIT                                        \
  {                                                               \
    sizeof(uvsmtp_source_t), -1, NULL, NULL, NULL, NULL, { NULL } \
  }

/* A source over memory of the caller, which is neither copied nor changed and
 * must live until release. Fill with uvsmtp_source_memory. */
typedef struct uvsmtp_memory_source_s {
  uvsmtp_source_t source; /* pass &source */
  const char* base;       /* private from here */
  size_t len;
  size_t off;
  void* reserved[2];
} uvsmtp_memory_source_t;

/* Makes *self a source over len octets at base. */
UVSMTP_EXTERN void uvsmtp_source_memory(uvsmtp_memory_source_t* self,
                                        const void* base, size_t len);

/* A source over several pieces of memory, one after the other, as writev takes
 * them: a header block here, a body there. The list and what it points to are
 * borrowed until release. */
typedef struct uvsmtp_slices_source_s {
  uvsmtp_source_t source;       /* pass &source */
  const uvsmtp_slice_t* slices; /* private from here */
  size_t n;
  size_t at;
  size_t off;
  void* reserved[2];
} uvsmtp_slices_source_t;

/* Empty slices are allowed. UV_EINVAL when a base is NULL and its len is not 0,
 * or when the lengths overflow. */
UVSMTP_EXTERN int uvsmtp_source_slices(uvsmtp_slices_source_t* self,
                                       const uvsmtp_slice_t* slices, size_t n);

/* A source that calls read for the next octets: it puts 1 to cap octets into
 * buf, sets *n and returns UVSMTP_SOURCE_MORE, or returns another status as
 * peek does. buf (cap octets, at least 1) is the caller's and lives until
 * release. */
typedef int (*uvsmtp_read_cb)(void* arg, void* buf, size_t cap, size_t* n);
typedef struct uvsmtp_callback_source_s {
  uvsmtp_source_t source; /* pass &source */
  uvsmtp_read_cb read;    /* private from here */
  void* arg;
  char* buf;
  size_t cap;
  size_t len;
  size_t off;
  void* reserved[2];
} uvsmtp_callback_source_t;

/* length: octets in all, or -1 when unknown. */
UVSMTP_EXTERN void uvsmtp_source_callback(uvsmtp_callback_source_t* self,
                                          uvsmtp_read_cb read, void* arg,
                                          void* buf, size_t cap,
                                          int64_t length);

/* -------------------------------------------------------------- messages */

/* A recipient. */
typedef struct uvsmtp_rcpt_s {
  size_t size;
  const char* address;        /* "a@b.example" or "<a@b.example>" */
  const char* const* options; /* raw ESMTP parameters such as "NOTIFY=NEVER",
                                 sent as they are after an EHLO session only */
  size_t noptions;
  unsigned int notify; /* DSN: uvsmtp_dsn_notify; 0: the message's */
  const char* orcpt; /* DSN: whom the sender wrote to, before aliases: "a@b", or
                        with its type "rfc822;a@b", "x400;...", in UTF-8 with
                        none or with "utf-8"; at most 500 octets as encoded here
                        (RFC 3461 5.4); NULL: nothing is said */
} uvsmtp_rcpt_t;
#define UVSMTP_RCPT_INIT(addr) \
  { sizeof(uvsmtp_rcpt_t), (addr), NULL, 0, 0, NULL }

/* How line ends of the body are treated. */
enum uvsmtp_line_ends {
  UVSMTP_LINES_NORMALISE = 0, /* each bare CR or LF becomes CRLF */
  UVSMTP_LINES_STRICT = 1,    /* a bare CR or LF fails the message */
  UVSMTP_LINES_BINARY = 2     /* octets as they are: needs CHUNKING */
};

/* No bit of these is one of a session's. */
enum uvsmtp_message_flags {
  /* The strings and arrays of the message live until the completion: not
   * copied. */
  UVSMTP_MESSAGE_BORROW_STRINGS = 1u << 8,
  /* One command at a time for this message, whatever the server offers. */
  UVSMTP_MESSAGE_NO_PIPELINING = 1u << 9,
  /* DATA even where CHUNKING is offered. */
  UVSMTP_MESSAGE_NO_CHUNKING = 1u << 10,
  /* The text goes out only if every recipient was accepted: the refusal of one
   * is that of all (UVSMTP_ERECIPIENTS, and its outcome is everybody's who was
   * not refused; uvsmtp_rcpt_result_rcpt_reply tells who was). Not divided into
   * several transactions. Under LMTP the final replies may still differ. */
  UVSMTP_MESSAGE_ALL_OR_NOTHING = 1u << 11,
  /* A text that is not ASCII does not go to a server without 8BITMIME:
   * UVSMTP_ENOTSUPPORTED with cause UV_EILSEQ. Where it is not seen before, the
   * session ends with the text cut short. Otherwise it is sent as it is, as
   * smtplib and curl do. */
  UVSMTP_MESSAGE_REFUSE_8BIT = 1u << 12
};

/* Octets of message text, as uvsmtp_result_octets counts them, that have been
 * given to the transport; called when there are more, from within the library's
 * work: the rules of a source's functions hold. total: how many there will be
 * where that is known before (a clean text of known length), else a lower
 * bound, or -1. The last call of a message that was sent whole has sent equal
 * to its uvsmtp_result_octets. */
typedef void (*uvsmtp_progress_cb)(void* arg, uint64_t sent, int64_t total);

/* A message and its envelope: what smtplib's sendmail takes.
 *
 * It goes out in one transaction, or in several on the same session: where the
 * server says how many recipients it takes in one (LIMITS, RFC 9422), and where
 * it refuses some as too many (452, 552, or an enhanced code x.5.3) after it
 * took others. Each but the first needs a body that can be rewound (memory,
 * files), else those recipients are deferred (UVSMTP_ERECIPIENTS). The first
 * transaction in which none is accepted, of those the server had called too
 * many, is the last. The results are one list in any case, each recipient with
 * the replies of its own transaction; the message's reply is that of the first
 * that was accepted. */
typedef struct uvsmtp_message_s {
  size_t size;
  const char* from; /* "" or "<>": the null reverse-path of a bounce; NULL, for
                       uvsmtp_send_message: the header's */
  const uvsmtp_rcpt_t* const* rcpts; /* at least one; or NULL, likewise */
  size_t nrcpts;
  uvsmtp_source_t* body;           /* required */
  const char* const* mail_options; /* raw MAIL parameters, as for recipients */
  size_t nmail_options;
  const char* const* rcpt_options; /* raw RCPT parameters for every recipient */
  size_t nrcpt_options;
  unsigned int flags;     /* uvsmtp_message_flags */
  unsigned int line_ends; /* uvsmtp_line_ends */
  /* Milliseconds from the accepted call to the verdict, 0: no limit but the
   * deadlines of the phases. One whose time is over before its turn comes is
   * not attempted (UV_ETIMEDOUT) and completes in its turn; one under way takes
   * the connection with it, since SMTP can't call it back. */
  int64_t timeout;
  uvsmtp_progress_cb progress; /* or NULL */
  void* progress_arg;
  const uvsmtp_mail_params_t* params; /* or NULL; copied */
  size_t max_header; /* uvsmtp_send_message: octets that the header may have; 0:
                        1 MiB */
} uvsmtp_message_t;
#define UVSMTP_MESSAGE_INIT                                                   \
  {                                                                           \
    sizeof(uvsmtp_message_t), NULL, NULL, 0, NULL, NULL, 0, NULL, 0, 0, 0, 0, \
        NULL, NULL, NULL, 0                                                   \
  }

/* ---------------------------------------------------------------- memory */

/* All memory of the library's own: ptr NULL allocates, new_size 0 frees (and
 * returns NULL), else resizes, keeping the contents. old_size is what was last
 * asked for. NULL for "no memory" when new_size is not 0: the old block then
 * stays valid. */
typedef void* (*uvsmtp_alloc_cb)(void* data, void* ptr, size_t old_size,
                                 size_t new_size);
typedef struct uvsmtp_mem_s {
  size_t size;           /* sizeof(uvsmtp_mem_t) */
  uvsmtp_alloc_cb alloc; /* required */
  void* data;            /* its first argument */
} uvsmtp_mem_t;

/* ----------------------------------------------------------------- trace */

/* What a trace function is told of. */
enum uvsmtp_trace_kind {
  UVSMTP_TRACE_SENT = 1,     /* a command line, without CRLF, secrets masked */
  UVSMTP_TRACE_RECEIVED = 2, /* a line of a reply, without CRLF */
  UVSMTP_TRACE_TEXT = 3,     /* a piece of message text as encoded, the final
                                "." CRLF of DATA included: for its length; show
                                it if you must */
  UVSMTP_TRACE_INFO = 4      /* a remark of the library: connecting to ...,
                                timed out, state names */
};

/* text is not terminated and may hold any octet but CR and LF (TRACE_TEXT: any
 * octet). Called from within the library's work: the rules of a source's
 * functions hold. */
typedef void (*uvsmtp_trace_cb)(void* arg, int kind, const char* text,
                                size_t len);

#ifdef __cplusplus
}
#endif
#endif
