/* SPDX-License-Identifier: MIT */
/* uvsmtp.h: SMTP and LMTP sessions on a libuv loop.
 *
 * In the order you meet them: an environment per loop, sessions on it, calls
 * that queue commands or whole messages, one completion for each, close.
 *
 * Rules for every call, unless its comment says otherwise:
 *  - on the thread of the loop, and not from within a source's, allocator's or
 *    trace function (UV_EBUSY there);
 *  - 0 means accepted: exactly one completion follows, never before the call
 *    returns; a negative status means refused: nothing was taken, no
 * completion;
 *  - on a session that is being closed every such call is refused with
 *    UV_ECANCELED;
 *  - strings and structs are copied before the call returns; body sources are
 *    borrowed until their release, which precedes the completion;
 *  - calls may be made at once, without waiting for the completion of earlier
 *    ones: they are queued and complete in order;
 *  - from within a completion every call is allowed, closing included;
 *  - a NULL completion is allowed: the result is dropped. */
#ifndef UVSMTP_H
#define UVSMTP_H

#include <uv.h>

#include "uvsmtp/errors.h"
#include "uvsmtp/proto.h"
#include "uvsmtp/types.h"
#include "uvsmtp/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ----------------------------------------------------------- environment */

/* What the sessions of one loop share: read buffer, timer, free lists. */
typedef struct uvsmtp_env_s uvsmtp_env_t;

typedef struct uvsmtp_env_config_s {
  size_t size;
  const uvsmtp_mem_t* mem; /* NULL: malloc and free. Copied */
} uvsmtp_env_config_t;
#define UVSMTP_ENV_CONFIG_INIT \
  { sizeof(uvsmtp_env_config_t), NULL }

typedef void (*uvsmtp_env_cb)(uvsmtp_env_t* env, void* data);

/* Makes an environment on loop, which must outlive it. config may be NULL. 0,
 * UV_EINVAL or UV_ENOMEM. Keeps the loop alive only while sessions do. */
UVSMTP_EXTERN int uvsmtp_env_new(uvsmtp_env_t** env, uv_loop_t* loop,
                                 const uvsmtp_env_config_t* config);

/* Closes it: cb runs once all its handles are closed; after that env is gone.
 * UV_EBUSY while sessions are open or still closing, UV_EALREADY the second
 * time. */
UVSMTP_EXTERN int uvsmtp_env_close(uvsmtp_env_t* env, uvsmtp_env_cb cb,
                                   void* data);

UVSMTP_EXTERN uv_loop_t* uvsmtp_env_loop(const uvsmtp_env_t* env);

/* --------------------------------------------------------------- session */

/* One conversation with one server at a time. */
typedef struct uvsmtp_session_s uvsmtp_session_t;

/* Where to connect to. */
typedef struct uvsmtp_target_s {
  size_t size;
  const char* host; /* a name, an IPv4 or IPv6 literal (brackets allowed), or,
                       beginning with "/", the path of a Unix socket. NULL:
                       "localhost" */
  int port;         /* 1 to 65535; 0: 25, or 2003 for LMTP */
  const char* bind_host; /* the local address to connect from, a literal; NULL:
                            any */
  int bind_port;         /* the local port, 0: any */
  unsigned int flags;    /* must be 0 */
} uvsmtp_target_t;
#define UVSMTP_TARGET_INIT \
  { sizeof(uvsmtp_target_t), NULL, 0, NULL, 0, 0 }

/* Deadlines in milliseconds for each phase as a whole, however slowly octets
 * drip; 0: the default, -1: none. Defaults are the minima of RFC 5321 4.5.3.2.
 */
typedef struct uvsmtp_timeouts_s {
  size_t size;
  int64_t connect;  /* 30,000: name lookup and all addresses together */
  int64_t greeting; /* 300,000 */
  int64_t hello;    /* 300,000 */
  int64_t mail;     /* 300,000 */
  int64_t rcpt;     /* 300,000 */
  int64_t data;     /* 120,000: the 354 */
  int64_t text;     /* 180,000: each 64 KiB of message text */
  int64_t dot;      /* 600,000: each final reply */
  int64_t command;  /* 300,000: RSET, NOOP and others */
  int64_t quit;     /* 10,000 */
} uvsmtp_timeouts_t;
#define UVSMTP_TIMEOUTS_INIT \
  { sizeof(uvsmtp_timeouts_t), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

typedef struct uvsmtp_session_config_s {
  size_t size;
  unsigned int flags;                /* uvsmtp_session_flags: LMTP ... */
  const uvsmtp_target_t* target;     /* NULL: all defaults */
  const uvsmtp_timeouts_t* timeouts; /* NULL: all defaults */
  const char* local_name;  /* argument of EHLO; NULL: the machine's name if it
                              has a dot, else the address literal of the socket's
                              own address */
  uint32_t max_reply_line; /* as in uvsmtp_proto_config_t */
  uint32_t max_reply_octets;
  uint32_t max_reply_lines;
  uvsmtp_trace_cb trace;
  void* trace_arg;
  void* data; /* the caller's own: uvsmtp_session_data */
} uvsmtp_session_config_t;
#define UVSMTP_SESSION_CONFIG_INIT                                             \
  {                                                                            \
    sizeof(uvsmtp_session_config_t), 0, NULL, NULL, NULL, 0, 0, 0, NULL, NULL, \
        NULL                                                                   \
  }

/* Every command's completion. result lives until it returns. */
typedef void (*uvsmtp_cb)(uvsmtp_session_t* session,
                          const uvsmtp_result_t* result, void* data);
typedef void (*uvsmtp_close_cb)(uvsmtp_session_t* session, void* data);

/* Makes a session; connects nothing. config may be NULL. 0, UV_EINVAL,
 * UV_ENOMEM. */
UVSMTP_EXTERN int uvsmtp_session_new(uvsmtp_session_t** session,
                                     uvsmtp_env_t* env,
                                     const uvsmtp_session_config_t* config);

/* Ends the session without QUIT. Calls not yet completed do so in order, with
 * UV_ECANCELED as status or cause (a message whose end of data went out is
 * UVSMTP_OUTCOME_UNKNOWN), then cb runs, then the session is gone. Required for
 * every session, also after the connection was lost. UV_EALREADY the second
 * time. cb and the session's end wait for a name lookup that is under way: the
 * system can't cancel one, and it may take as long as its resolver likes. The
 * completions don't wait. */
UVSMTP_EXTERN int uvsmtp_session_close(uvsmtp_session_t* session,
                                       uvsmtp_close_cb cb, void* data);

/* Resolves, connects, reads the greeting. target NULL: the configured one.
 * Failures: UVSMTP_ECONNECT with the reason as cause (UV_ECONNREFUSED,
 * UV_EAI_NONAME ...) or the greeting as reply, UV_ETIMEDOUT, UVSMTP_EPROTOCOL.
 * Addresses are tried in turn. UV_EALREADY while an earlier connect is pending,
 * UV_EISCONN while connected, UV_EINVAL for a bad port, host or address. */
UVSMTP_EXTERN int uvsmtp_connect(uvsmtp_session_t* session,
                                 const uvsmtp_target_t* target, uvsmtp_cb cb,
                                 void* data);

/* EHLO (LHLO under LMTP), HELO, and EHLO with HELO as the fallback unless
 * either has already succeeded. name NULL: the configured one. All other
 * commands of a transaction do the latter by themselves where needed.
 * UVSMTP_EHELO when refused. */
UVSMTP_EXTERN int uvsmtp_ehlo(uvsmtp_session_t* session, const char* name,
                              uvsmtp_cb cb, void* data);
UVSMTP_EXTERN int uvsmtp_helo(uvsmtp_session_t* session, const char* name,
                              uvsmtp_cb cb, void* data);
UVSMTP_EXTERN int uvsmtp_hello(uvsmtp_session_t* session, uvsmtp_cb cb,
                               void* data);

/* Sends a message: MAIL, RCPTs, DATA or BDAT; RSET after a refusal. The pointed
 * to structs need not outlive the call; message->body is borrowed until its
 * release. See uvsmtp_result_* for what comes back. UVSMTP_ESENDER,
 * UVSMTP_ERECIPIENTS, UVSMTP_EDATA, UVSMTP_EHELO, UVSMTP_ENOTSUPPORTED,
 * UVSMTP_EDISCONNECTED, UVSMTP_EUNKNOWN, UVSMTP_ESOURCE, UVSMTP_EPROTOCOL,
 * UV_ETIMEDOUT, UV_ECANCELED, UV_ENOMEM. */
UVSMTP_EXTERN int uvsmtp_send(uvsmtp_session_t* session,
                              const uvsmtp_message_t* message, uvsmtp_cb cb,
                              void* data);

/* The commands of a transaction one by one, as smtplib's mail, rcpt and data:
 * none sends RSET when refused. Out of sequence (RCPT without MAIL ...) they
 * complete with UV_EPERM and nothing is sent; after a MAIL that was out of
 * sequence so do the RCPT, DATA and BDAT behind it. options: raw ESMTP
 * parameters, noptions of them. */
UVSMTP_EXTERN int uvsmtp_mail(uvsmtp_session_t* session, const char* from,
                              const char* const* options, size_t noptions,
                              uvsmtp_cb cb, void* data);
UVSMTP_EXTERN int uvsmtp_rcpt(uvsmtp_session_t* session, const char* to,
                              const char* const* options, size_t noptions,
                              uvsmtp_cb cb, void* data);
/* DATA and the text; under LMTP the result lists a verdict per accepted
 * recipient. line_ends: UVSMTP_LINES_NORMALISE or UVSMTP_LINES_STRICT. */
UVSMTP_EXTERN int uvsmtp_data(uvsmtp_session_t* session, uvsmtp_source_t* body,
                              unsigned int line_ends, uvsmtp_cb cb, void* data);
/* One BDAT chunk: the source's octets as they are; its length must be known.
 */
UVSMTP_EXTERN int uvsmtp_bdat(uvsmtp_session_t* session, uvsmtp_source_t* chunk,
                              int last, uvsmtp_cb cb, void* data);

UVSMTP_EXTERN int uvsmtp_rset(uvsmtp_session_t* session, uvsmtp_cb cb,
                              void* data);
UVSMTP_EXTERN int uvsmtp_noop(uvsmtp_session_t* session, uvsmtp_cb cb,
                              void* data);

/* QUIT; the connection is closed after its reply, or without one. Whatever the
 * server makes of it, the status is 0. */
UVSMTP_EXTERN int uvsmtp_quit(uvsmtp_session_t* session, uvsmtp_cb cb,
                              void* data);

/* Any other command of one line and one reply (smtplib's docmd): line without
 * CRLF. The status is 0 whatever code the reply has, but for 421. UV_EINVAL
 * for verbs with a call of their own: EHLO HELO LHLO STARTTLS AUTH MAIL RCPT
 * DATA BDAT BURL RSET QUIT, and for TURN and ATRN, which turn the roles. */
UVSMTP_EXTERN int uvsmtp_command(uvsmtp_session_t* session, const char* line,
                                 uvsmtp_cb cb, void* data);

/* A source that said UVSMTP_SOURCE_WAIT has octets again. May be called from
 * within hooks; no completion. */
UVSMTP_EXTERN void uvsmtp_session_resume(uvsmtp_session_t* session);

/* Extensions: see uvsmtp_proto_extn and uvsmtp_proto_next_extn. has_extn: 1 or
 * 0. */
UVSMTP_EXTERN int uvsmtp_session_has_extn(const uvsmtp_session_t* session,
                                          const char* keyword);
UVSMTP_EXTERN const char* uvsmtp_session_extn(const uvsmtp_session_t* session,
                                              const char* keyword);
UVSMTP_EXTERN int uvsmtp_session_next_extn(const uvsmtp_session_t* session,
                                           size_t* cursor,
                                           uvsmtp_slice_t* keyword,
                                           uvsmtp_slice_t* params);

/* An enum uvsmtp_state: where the session rests, as far as replies were read.
 */
UVSMTP_EXTERN int uvsmtp_session_state(const uvsmtp_session_t* session);

/* The caller's own pointer. */
UVSMTP_EXTERN void* uvsmtp_session_data(const uvsmtp_session_t* session);
UVSMTP_EXTERN void uvsmtp_session_set_data(uvsmtp_session_t* session,
                                           void* data);
UVSMTP_EXTERN uvsmtp_env_t* uvsmtp_session_env(const uvsmtp_session_t* session);

/* As uv_ref and uv_unref, for the session's connection: an unreferenced idle
 * session does not keep the loop alive. Work in progress does. Idempotent. */
UVSMTP_EXTERN void uvsmtp_session_ref(uvsmtp_session_t* session);
UVSMTP_EXTERN void uvsmtp_session_unref(uvsmtp_session_t* session);

#ifdef __cplusplus
}
#endif
#endif
