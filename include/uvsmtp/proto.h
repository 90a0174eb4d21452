/* SPDX-License-Identifier: MIT */
/* uvsmtp/proto.h: the protocol engine, without I/O: server octets in, client
 * octets out, events out. No socket, clock, TLS, thread or global. The session
 * of uvsmtp.h is a shell around it; use it directly to put SMTP on another
 * event loop or to replay a dialogue. UNSTABLE until version 1.0.0.
 *
 * The host's loop, in short:
 *   submit requests; while uvsmtp_proto_wants says OPEN: connect, then _up;
 *   give received octets to _feed, an end of file or error to _lost;
 *   write what _peek shows and report with _sent;
 *   take finished requests with _next until it returns 0;
 *   when uvsmtp_proto_wants says CLOSE: drop the connection;
 *   keep one timer for the phase of _wait, and call _timeout when it expires.
 * After any call that changes the engine, look at peek, next, wants and wait
 * again. Not thread-safe; nothing here calls back into the host but the hooks
 * of the configuration and the functions of body sources. */
#ifndef UVSMTP_PROTO_H
#define UVSMTP_PROTO_H

#include "uvsmtp/auth.h"
#include "uvsmtp/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An engine: one side of one conversation. */
typedef struct uvsmtp_proto_s uvsmtp_proto_t;

typedef struct uvsmtp_proto_config_s {
  size_t size;
  const uvsmtp_mem_t* mem; /* required; copied */
  unsigned int flags;      /* uvsmtp_session_flags */
  const char* local_name;  /* argument of EHLO, copied; NULL: to be set before
                              the first EHLO, else "[127.0.0.1]" */
  /* Caps on what the server may say, 0 for the defaults: */
  uint32_t max_reply_line;   /* octets in a line (16384: RFC 4954 4
                                wants room for challenges of 12288) */
  uint32_t max_reply_octets; /* octets of text in a reply (65536) */
  uint32_t max_reply_lines;  /* lines in a reply (512) */
  uvsmtp_trace_cb trace;     /* may be NULL */
  void* trace_arg;
  /* Writes the A-label form (RFC 5890) of a domain in UTF-8, of len octets, to
   * out, NUL-terminated: 0, UV_EINVAL (there is none, or not in cap octets),
   * UV_ENOTSUP, UV_ENOMEM. For servers without SMTPUTF8. A hook; NULL:
   * UV_ENOTSUP. */
  int (*to_ascii)(const char* domain, size_t len, char* out, size_t cap);
} uvsmtp_proto_config_t;
#define UVSMTP_PROTO_CONFIG_INIT \
  { sizeof(uvsmtp_proto_config_t), NULL, 0, NULL, 0, 0, 0, NULL, NULL, NULL }

/* What a request asks for. */
enum uvsmtp_op {
  UVSMTP_OP_CONNECT = 1, /* transport and greeting */
  UVSMTP_OP_HELLO = 2,   /* EHLO, then HELO if refused; nothing when done.
                            STARTTLS, a handshake and EHLO again where the
                            policy asks for TLS, LOGIN where CONNECT had
                            credentials: MAIL and SEND do all that, too */
  UVSMTP_OP_EHLO = 3,    /* EHLO, or LHLO under LMTP */
  UVSMTP_OP_HELO = 4,    /* UV_EINVAL under LMTP */
  UVSMTP_OP_MAIL = 5,    /* MAIL; HELLO first if needed. This and the next three
                            are the commands of a transaction, one by one: none
                            sends RSET by itself */
  UVSMTP_OP_RCPT = 6,    /* RCPT */
  UVSMTP_OP_DATA = 7,    /* DATA and the text */
  UVSMTP_OP_BDAT = 8,    /* BDAT and one chunk */
  UVSMTP_OP_RSET = 9,    /* RSET */
  UVSMTP_OP_NOOP = 10,   /* NOOP */
  UVSMTP_OP_QUIT = 11,   /* QUIT */
  UVSMTP_OP_COMMAND = 12,  /* any other command of one line and one reply */
  UVSMTP_OP_SEND = 13,     /* a whole message; HELLO first if needed */
  UVSMTP_OP_STARTTLS = 14, /* STARTTLS and a handshake; HELLO first if needed */
  UVSMTP_OP_LOGIN = 15,    /* AUTH, by one mechanism after the other until one
                              succeeds; HELLO first if needed */
  UVSMTP_OP_EXTENSION = 16, /* as COMMAND, of an extension that has to be
                              offered; HELLO first if needed */
  UVSMTP_OP_XCLIENT = 17,   /* likewise, after which the session begins anew */
  UVSMTP_OP_BURL = 18       /* BURL and a URL, in the place of a BDAT */
};

/* Any function, to be cast back to what it is. */
typedef void (*uvsmtp_fn)(void);

/* What mechanisms may want of the host. Functions run from within the engine's
 * work. */
typedef struct uvsmtp_auth_host_s {
  size_t size;
  const char* name; /* of the server, "" if unknown: copied */
  int port;         /* 0 if unknown */
  /* A mechanism that said WAIT can go on: call uvsmtp_proto_resume soon. NULL:
   * never. */
  void (*wake)(void* arg);
  /* See uvsmtp_exchange_binding. NULL: UV_ENOTSUP. */
  int (*binding)(void* arg, void* buf, size_t len);
  void* arg; /* of both: lives until the session's end */
} uvsmtp_auth_host_t;
#define UVSMTP_AUTH_HOST_INIT \
  { sizeof(uvsmtp_auth_host_t), "", 0, NULL, NULL, NULL }

/* One of them, and what it needs. */
typedef struct uvsmtp_request_s {
  size_t size;
  int op;           /* uvsmtp_op */
  const char* text; /* EHLO, HELO: the name, NULL for the configured one; MAIL,
                       RCPT: the address; COMMAND: the line without CRLF */
  const char* const* options; /* MAIL, RCPT: raw ESMTP parameters */
  size_t noptions;
  uvsmtp_source_t* body;           /* DATA, BDAT */
  unsigned int line_ends;          /* DATA: uvsmtp_line_ends, not BINARY */
  int last;                        /* BDAT: is this the LAST chunk */
  const uvsmtp_message_t* message; /* SEND */
  uvsmtp_fn fn;                    /* given back with the event: for the */
  void* data;                      /* host's completion */
  uint64_t due; /* SEND: a time of the host's clock, see uvsmtp_proto_overdue;
                   0: none. message->timeout is the host's business */
  int tls;      /* CONNECT: a uvsmtp_tls_policy, for the session that begins;
                   DEFAULT is NONE here */
  int local;    /* CONNECT: nobody is on the way who could listen */
  uvsmtp_credentials_t* credentials; /* CONNECT, or NULL; LOGIN: counted */
  const uvsmtp_mech_t* mech; /* LOGIN: this mechanism and no other; NULL: those
                                of the credentials */
  unsigned int auth_flags;   /* LOGIN: uvsmtp_auth_flags beside theirs */
  const uvsmtp_auth_host_t* auth_host; /* CONNECT, LOGIN; or NULL */
  /* EXTENSION, XCLIENT: what has to be offered for the line `text`; options are
   * names of attributes, each of which has to be among its parameters. */
  const char* keyword;
  /* SEND: says the envelope where message->from or rcpts is NULL, once
   * the body has shown its first octets. Strings that live until the source's
   * release. 0, or an error (UVSMTP_EMESSAGE ...) with *reason, a static
   * sentence or NULL. A hook; NULL: the message says all itself. */
  int (*envelope)(uvsmtp_source_t* body, const char** from,
                  const char* const** rcpts, size_t* nrcpts,
                  const char** reason);
} uvsmtp_request_t;
#define UVSMTP_REQUEST_INIT(o)                                            \
  {                                                                       \
    sizeof(uvsmtp_request_t), (o), NULL, NULL, 0, NULL, 0, 0, NULL, NULL, \
        NULL, 0, 0, 0, NULL, NULL, 0, NULL, NULL, NULL                    \
  }

/* A finished request. */
typedef struct uvsmtp_event_s {
  size_t size;                   /* set by the host before uvsmtp_proto_next */
  int op;                        /* of the request */
  const uvsmtp_result_t* result; /* until the next call of next or free */
  uvsmtp_fn fn;                  /* of the request */
  void* data;                    /* of the request */
} uvsmtp_event_t;
#define UVSMTP_EVENT_INIT \
  { sizeof(uvsmtp_event_t), 0, NULL, NULL, NULL }

/* What the engine is waiting for, so which deadline runs: the phases of RFC
 * 5321 4.5.3.2. A deadline covers a phase as a whole. */
enum uvsmtp_phase {
  UVSMTP_PHASE_NONE = 0,     /* nothing: an idle session */
  UVSMTP_PHASE_CONNECT = 1,  /* the transport */
  UVSMTP_PHASE_GREETING = 2, /* the initial 220 */
  UVSMTP_PHASE_HELLO = 3,    /* the reply to EHLO, LHLO or HELO */
  UVSMTP_PHASE_MAIL = 4,     /* the reply to MAIL */
  UVSMTP_PHASE_RCPT = 5,     /* the reply to RCPT */
  UVSMTP_PHASE_DATA = 6,     /* the 354 */
  UVSMTP_PHASE_TEXT = 7,     /* 64 KiB more of the message text to leave */
  UVSMTP_PHASE_DOT = 8,      /* a final reply, or the reply to a BDAT chunk */
  UVSMTP_PHASE_COMMAND = 9,  /* RSET, NOOP and other commands */
  UVSMTP_PHASE_QUIT = 10,    /* the reply to QUIT, and the connection's end */
  UVSMTP_PHASE_TLS = 11,     /* a TLS handshake */
  UVSMTP_PHASE_AUTH = 12,    /* each reply to AUTH, and a mechanism's work */
  UVSMTP_PHASE_END = 13      /* how many there are */
};

/* What the engine may want of its transport. */
enum uvsmtp_wants {
  UVSMTP_WANTS_OPEN = 1,  /* connect the transport, then _up or _lost */
  UVSMTP_WANTS_CLOSE = 2, /* the session is over: drop the connection, then say
                             so with _lost (any cause): only then may a later
                             CONNECT begin */
  UVSMTP_WANTS_TLS = 4,   /* what is sent and received from now on goes through
                             TLS: begin a handshake, then _secured, or _lost
                             when it fails. What is fed before is an error */
  UVSMTP_WANTS_TRUST = 8, /* with TLS: and the server has to prove who it is */
  UVSMTP_WANTS_WORK = 16  /* a mechanism has something to compute: call _work,
                             maybe after others have had their turn */
};

/* 0, UV_EINVAL (no memory functions, bad name or size) or UV_ENOMEM. */
UVSMTP_EXTERN int uvsmtp_proto_new(uvsmtp_proto_t** proto,
                                   const uvsmtp_proto_config_t* config);

/* Frees the engine and its requests without events; releases sources. Not from
 * within a hook. NULL is fine. */
UVSMTP_EXTERN void uvsmtp_proto_free(uvsmtp_proto_t* proto);

/* Queues a request; requests finish in the order of their submission. Strings
 * are copied (but see UVSMTP_MESSAGE_BORROW_STRINGS), sources borrowed until
 * their release. 0: exactly one event will come from uvsmtp_proto_next.
 * Otherwise nothing was taken: UV_EINVAL (control character, malformed or
 * over-long argument, a verb that COMMAND refuses, no recipient's pointer ...),
 * UV_ENOMEM, UV_EBUSY from within a hook. */
UVSMTP_EXTERN int uvsmtp_proto_submit(uvsmtp_proto_t* proto,
                                      const uvsmtp_request_t* request);

/* The transport is connected. Only when wants said OPEN. */
UVSMTP_EXTERN void uvsmtp_proto_up(uvsmtp_proto_t* proto);

/* Has a server proven who it is? */
enum uvsmtp_proof {
  UVSMTP_PROOF_NONE = 0,   /* no */
  UVSMTP_PROOF_WAIVED = 1, /* no, but the caller does not want it to */
  UVSMTP_PROOF_GIVEN = 2   /* yes: REQUIRETLS wants no less */
};

/* The TLS handshake has succeeded. Only when wants said TLS. proof: an enum
 * uvsmtp_proof; where wants said TRUST, NONE counts as WAIVED. */
UVSMTP_EXTERN void uvsmtp_proto_secured(uvsmtp_proto_t* proto, int proof);

/* Computes a piece. Only when wants says WORK. */
UVSMTP_EXTERN void uvsmtp_proto_work(uvsmtp_proto_t* proto);

/* The transport failed to connect, ended (cause UV_EOF) or broke. cause is a
 * negative libuv error. */
UVSMTP_EXTERN void uvsmtp_proto_lost(uvsmtp_proto_t* proto, int cause);

/* Octets from the server, split anywhere. Octets after the session's end are
 * ignored. */
UVSMTP_EXTERN void uvsmtp_proto_feed(uvsmtp_proto_t* proto, const void* data,
                                     size_t len);

/* The deadline of the current phase has passed. In the phase CONNECT: drop the
 * attempt first, since wants may ask for another at once. */
UVSMTP_EXTERN void uvsmtp_proto_timeout(uvsmtp_proto_t* proto);

/* The earliest due time of requests not finished, or an earlier one; 0: none.
 */
UVSMTP_EXTERN uint64_t uvsmtp_proto_due(const uvsmtp_proto_t* proto);

/* It is now by the host's clock. Requests that were due by now and have not
 * begun will fail with UV_ETIMEDOUT in their turn, not attempted; if one is
 * under way, the session ends as by uvsmtp_proto_timeout. */
UVSMTP_EXTERN void uvsmtp_proto_overdue(uvsmtp_proto_t* proto, uint64_t now);

/* Ends the engine's work here and now: every request not finished does so with
 * status or cause UV_ECANCELED, and every later one too. What is left is to
 * take the events and to free. */
UVSMTP_EXTERN void uvsmtp_proto_cancel(uvsmtp_proto_t* proto);

/* A source that said WAIT has octets again, or a mechanism can go on. May be
 * called within hooks. */
UVSMTP_EXTERN void uvsmtp_proto_resume(uvsmtp_proto_t* proto);

/* Fills up to n slices with the octets to write next and returns how many; 0
 * when there is nothing to write now. They stay valid until the next call that
 * changes the engine, submit and next included: write them, or copy them, at
 * once. Pulls from the message's source, so it may enter hooks. */
UVSMTP_EXTERN size_t uvsmtp_proto_peek(uvsmtp_proto_t* proto,
                                       uvsmtp_slice_t* slices, size_t n);

/* The first n octets of the last peek have been written: the transport will do
 * what it can to deliver them. */
UVSMTP_EXTERN void uvsmtp_proto_sent(uvsmtp_proto_t* proto, size_t n);

/* Takes the next finished request: 1 and *event filled, or 0. */
UVSMTP_EXTERN int uvsmtp_proto_next(uvsmtp_proto_t* proto,
                                    uvsmtp_event_t* event);

/* The phase whose deadline runs. *serial (may be NULL) changes whenever a new
 * wait begins: restart the timer then, and only then. */
UVSMTP_EXTERN int uvsmtp_proto_wait(const uvsmtp_proto_t* proto,
                                    unsigned int* serial);

/* A set of uvsmtp_wants. */
UVSMTP_EXTERN int uvsmtp_proto_wants(const uvsmtp_proto_t* proto);

/* An enum uvsmtp_state: the resting place, as the replies read so far say. */
UVSMTP_EXTERN int uvsmtp_proto_state(const uvsmtp_proto_t* proto);

/* Requests accepted whose event has not been taken. */
UVSMTP_EXTERN size_t uvsmtp_proto_pending(const uvsmtp_proto_t* proto);

/* Sets the argument of later EHLO, LHLO and HELO. Copied; UV_EINVAL, UV_ENOMEM.
 */
UVSMTP_EXTERN int uvsmtp_proto_set_local_name(uvsmtp_proto_t* proto,
                                              const char* name);
/* 1 if a name was configured or set. */
UVSMTP_EXTERN int uvsmtp_proto_has_local_name(const uvsmtp_proto_t* proto);

/* The last reply to EHLO or LHLO, and to HELO, refusals included, or NULL: none
 * since the session began. Valid until the next reply to one of them or the
 * session's end. smtplib's ehlo_resp and helo_resp. */
UVSMTP_EXTERN const uvsmtp_reply_t* uvsmtp_proto_ehlo_reply(
    const uvsmtp_proto_t* proto);
UVSMTP_EXTERN const uvsmtp_reply_t* uvsmtp_proto_helo_reply(
    const uvsmtp_proto_t* proto);

/* 1 when the last EHLO or LHLO of this session succeeded and no HELO came after
 * it, so that extensions and their parameters may be used, else 0. */
UVSMTP_EXTERN int uvsmtp_proto_does_esmtp(const uvsmtp_proto_t* proto);

/* The mechanism of the login that succeeded in this session, or NULL: none did.
 */
UVSMTP_EXTERN const char* uvsmtp_proto_auth(const uvsmtp_proto_t* proto);

/* Another trace function from now on; NULL: none. Not from within a hook. */
UVSMTP_EXTERN void uvsmtp_proto_set_trace(uvsmtp_proto_t* proto,
                                          uvsmtp_trace_cb trace, void* arg);

/* Extensions of the last successful EHLO or LHLO; keywords in any case. extn:
 * the parameters (a string, empty if none; the lines of AUTH and the old AUTH=
 * form merged), or NULL when not offered. Valid until the next EHLO or the
 * session's end. */
UVSMTP_EXTERN const char* uvsmtp_proto_extn(const uvsmtp_proto_t* proto,
                                            const char* keyword);

/* Iterates: *cursor 0 to begin. 1 and both slices filled, or 0 at the end. */
UVSMTP_EXTERN int uvsmtp_proto_next_extn(const uvsmtp_proto_t* proto,
                                         size_t* cursor,
                                         uvsmtp_slice_t* keyword,
                                         uvsmtp_slice_t* params);

#ifdef __cplusplus
}
#endif
#endif
