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
 *    returns; a negative status means refused: nothing was taken, and no
 *    completion follows;
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

#include "uvsmtp/auth.h"
#include "uvsmtp/errors.h"
#include "uvsmtp/message.h"
#include "uvsmtp/printer.h"
#include "uvsmtp/proto.h"
#include "uvsmtp/tls.h"
#include "uvsmtp/types.h"
#include "uvsmtp/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ----------------------------------------------------------- environment */

/* What the sessions of one loop share: read buffer, timer, free lists. */
typedef struct uvsmtp_env_s uvsmtp_env_t;

/* How names become addresses. The default asks the system by uv_getaddrinfo; a
 * resolver of the caller's may ask c-ares, a cache, or a test's own list. It is
 * borrowed until the environment is closed. Both functions run on the loop's
 * thread, from within the library's work: the rules of a source's hold. */
typedef struct uvsmtp_resolver_s uvsmtp_resolver_t;
/* One lookup under way. */
typedef struct uvsmtp_query_s uvsmtp_query_t;
struct uvsmtp_resolver_s {
  size_t size;
  /* Begins to look host up (a name, never a literal) and returns 0; from then
   * on query waits for uvsmtp_query_done, which may come before this returns.
   * Or a negative error, and no more is heard of query. host lives until
   * uvsmtp_query_done. The deadline of connecting keeps the loop alive
   * meanwhile; where there is none, handles of the resolver's have to. */
  int (*resolve)(uvsmtp_resolver_t* self, uv_loop_t* loop, const char* host,
                 uvsmtp_query_t* query);
  /* Nobody waits for the answer any more; uvsmtp_query_done is still due, with
   * any status, now or later. May be NULL. */
  void (*cancel)(uvsmtp_resolver_t* self, uvsmtp_query_t* query);
  void* data; /* the resolver's own */
};
#define UVSMTP_RESOLVER_INIT(resolve) \
  { sizeof(uvsmtp_resolver_t), (resolve), NULL, NULL }

/* The answer to a query, exactly once: 0 and n addresses, best first, or an
 * error (UV_EAI_NONAME ...). From anywhere, the resolver's functions and
 * completions included: it is only noted here, and used in the loop's next
 * turn. They are copied; those of other families than
 * AF_INET and AF_INET6 are skipped, as are all behind the 16th, and their ports
 * don't count. On the loop's thread. query is gone after. */
UVSMTP_EXTERN void uvsmtp_query_done(uvsmtp_query_t* query, int status,
                                     const struct sockaddr* const* addresses,
                                     size_t n);

typedef struct uvsmtp_env_config_s {
  size_t size;
  const uvsmtp_mem_t* mem;     /* NULL: malloc and free. Copied */
  uvsmtp_resolver_t* resolver; /* NULL: the system's */
  uvsmtp_tls_t* tls; /* for sessions whose target has none; counted. NULL: ones
                        with all defaults are made when they are first needed */
} uvsmtp_env_config_t;
#define UVSMTP_ENV_CONFIG_INIT \
  { sizeof(uvsmtp_env_config_t), NULL, NULL, NULL }

/* The environment has closed, and is gone when this returns. */
typedef void (*uvsmtp_env_cb)(uvsmtp_env_t* env, void* data);

/* Makes an environment on loop, which must outlive it. config may be NULL. 0,
 * UV_EINVAL or UV_ENOMEM. Keeps the loop alive only while sessions do, or while
 * the machine's name is being looked up (see local_name). */
UVSMTP_EXTERN int uvsmtp_env_new(uvsmtp_env_t** env, uv_loop_t* loop,
                                 const uvsmtp_env_config_t* config);

/* Closes it: cb runs once all its handles are closed and the lookup of the
 * machine's name, if there was one, has ended; after that env is gone.
 * UV_EBUSY while sessions are open or still closing or a file source has not
 * been released, UV_EALREADY the second time. cb waits for a read of a file
 * that the system has not come back from. */
UVSMTP_EXTERN int uvsmtp_env_close(uvsmtp_env_t* env, uvsmtp_env_cb cb,
                                   void* data);

/* The loop that it was made on. */
UVSMTP_EXTERN uv_loop_t* uvsmtp_env_loop(const uvsmtp_env_t* env);

/* --------------------------------------------------------------- session */

/* One conversation with one server at a time. */
typedef struct uvsmtp_session_s uvsmtp_session_t;

/* Ports that are meant when none is given. */
enum uvsmtp_port {
  UVSMTP_PORT_SMTP = 25,   /* of relays */
  UVSMTP_PORT_SMTPS = 465, /* smtplib's SMTP_SSL_PORT: TLS from the first octet
                              (RFC 8314) */
  UVSMTP_PORT_SUBMISSION = 587, /* RFC 6409 */
  UVSMTP_PORT_LMTP = 2003       /* smtplib's; no port is registered for LMTP */
};

enum uvsmtp_target_flags {
  /* Leaves Nagle's algorithm on: TCP_NODELAY is set otherwise, since a session
   * writes what it has to say in one go. */
  UVSMTP_TARGET_DELAY = 1u << 0,
  /* One address after the other, each until it fails: no race. */
  UVSMTP_TARGET_IN_TURN = 1u << 1
};

/* Where to connect to, and how. */
typedef struct uvsmtp_target_s {
  size_t size;
  const char* host; /* a name, an IPv4 or IPv6 literal (brackets allowed), or,
                       beginning with "/", the path of a Unix socket. NULL:
                       "localhost". While port is 0 "name:port", "1.2.3.4:port"
                       and "[v6]:port" say it here, from 1 to 65535 in digits;
                       what has several colons and no brackets is IPv6 */
  int port;         /* 1 to 65535; 0: 25, or 465 if tls is IMPLICIT, or 2003
                       for LMTP */
  const char* bind_host;  /* the local address to connect from, a literal; NULL:
                             any */
  int bind_port;          /* the local port, 0: any */
  unsigned int flags;     /* uvsmtp_target_flags */
  unsigned int keepalive; /* seconds idle, at most 32767, before TCP asks
                             whether the peer is still there; 0: it does not */
  unsigned int attempt_delay; /* RFC 8305 5: milliseconds until the next address
                                 is tried beside those that have not answered;
                                 0: 250; less than 10 counts as 10 */
  int tls; /* uvsmtp_tls_policy: when the connection is secured */
  uvsmtp_tls_t* tls_settings; /* counted; NULL: the environment's */
  const char* tls_name;       /* what the server's certificate is to say; NULL:
                                 the settings' name, or host. A name or an
                                 address literal, at most 255 octets */
  uvsmtp_credentials_t* credentials; /* counted; NULL: none. Every hello, MAIL
                             and message logs in first. tls then is REQUIRED
                             where it would be OPPORTUNISTIC, unless they say
                             UVSMTP_AUTH_ALLOW_PLAINTEXT */
} uvsmtp_target_t;
#define UVSMTP_TARGET_INIT \
  { sizeof(uvsmtp_target_t), NULL, 0, NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }

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
  int64_t tls;      /* 60,000: a TLS handshake */
  int64_t auth;     /* 120,000: each reply to AUTH, and each response's making:
                       a token that is waited for */
} uvsmtp_timeouts_t;
#define UVSMTP_TIMEOUTS_INIT \
  { sizeof(uvsmtp_timeouts_t), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* One value for every phase, as smtplib's timeout: milliseconds, or -1 for none
 * at all. timeouts is initialised already. UV_EINVAL if not, for 0 and below
 * -1. */
UVSMTP_EXTERN int uvsmtp_timeouts_all(uvsmtp_timeouts_t* timeouts, int64_t ms);

typedef struct uvsmtp_session_config_s {
  size_t size;
  unsigned int flags;                /* uvsmtp_session_flags: LMTP ... */
  const uvsmtp_target_t* target;     /* NULL: all defaults */
  const uvsmtp_timeouts_t* timeouts; /* NULL: all defaults */
  const char* local_name;  /* argument of EHLO; NULL: the machine's full name if
                              it has one, else the address literal of the
                              socket's own address. That name is looked up once
                              for an environment, in the background, which
                              delays the first sessions by a second at most */
  uint32_t max_reply_line; /* as in uvsmtp_proto_config_t */
  uint32_t max_reply_octets; /* likewise */
  uint32_t max_reply_lines;  /* likewise */
  uvsmtp_trace_cb trace;     /* NULL: none */
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
/* The session has closed, and is gone when this returns. */
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

/* QUIT, once all that was called before has completed, then close: smtplib's
 * "with". A session without a connection is closed at once. Always succeeds,
 * with the exceptions of uvsmtp_session_close, which may still be called to
 * make it short: both callbacks then run, this one first. Later calls are
 * refused with UV_ECANCELED. */
UVSMTP_EXTERN int uvsmtp_session_end(uvsmtp_session_t* session,
                                     uvsmtp_close_cb cb, void* data);

/* Resolves, connects, reads the greeting. target NULL: the configured one.
 * Failures: UVSMTP_ECONNECT with the reason as cause (UV_ECONNREFUSED,
 * UV_EAI_NONAME ...) or the greeting as reply, UV_ETIMEDOUT, UVSMTP_EPROTOCOL.
 * The addresses of a name are raced as RFC 8305 says: families in turn, the
 * next one when an attempt fails or attempt_delay is over, the first that
 * connects wins and the others are closed. An address bound to leaves only
 * those of its family (UV_EAFNOSUPPORT if there are none). When all fail the
 * cause is the last one's, in the order of their beginning; but that this
 * machine has no way to an address (UV_ENETUNREACH, UV_EADDRNOTAVAIL,
 * UV_EAFNOSUPPORT) counts only where nothing else is known. A Unix socket whose
 * queue is full is tried again until the deadline. May be called again after
 * the session's end, for the same target or another. UV_EALREADY while an
 * earlier connect is pending, UV_EISCONN while connected, UV_EINVAL for a bad
 * port, host or address. */
UVSMTP_EXTERN int uvsmtp_connect(uvsmtp_session_t* session,
                                 const uvsmtp_target_t* target, uvsmtp_cb cb,
                                 void* data);

/* A connection that was made elsewhere: through a SOCKS or HTTP proxy, by a
 * socket pair, by inetd. One of fd and stream. */
typedef struct uvsmtp_connection_s {
  size_t size;
  uv_os_sock_t fd;     /* a connected stream socket, over TCP or local, the
                          library's from the accepted call on; the number of a
                          standard stream is left open on /dev/null. -1: none */
  uv_stream_t* stream; /* a connected uv_tcp_t or uv_pipe_t of this loop that is
                          not being read and has written all: the library takes
                          a duplicate of its descriptor, the handle stays the
                          caller's, to be closed at once or later. NULL: none */
  uvsmtp_slice_t
      early; /* what was read from it already, if anything: the server
                may have greeted behind a proxy's answer. Copied */
} uvsmtp_connection_t;
#define UVSMTP_CONNECTION_INIT                         \
  {                                                    \
    sizeof(uvsmtp_connection_t), -1, NULL, { NULL, 0 } \
  }

/* As uvsmtp_connect, over a connection that is up: reads the greeting. It is
 * closed with the session, or before, as one that was made here; TCP_NODELAY is
 * set. UV_EALREADY and UV_EISCONN as there; UV_EBADF, UV_ENOTSOCK, UV_ENOTCONN,
 * UV_EINVAL (not a stream, or one that is in use; none or both given),
 * UV_ENOMEM, and a failure to duplicate the descriptor: then it is still the
 * caller's. */
UVSMTP_EXTERN int uvsmtp_open(uvsmtp_session_t* session,
                              const uvsmtp_connection_t* connection,
                              uvsmtp_cb cb, void* data);

/* The attempts of a connect, in the order of their beginning: to be asked in
 * its completion, later there are none (0, NULL). Successful ones count too; an
 * address that was not tried does not, and a connection handed over has none.
 * They live until the completion returns. */
typedef struct uvsmtp_attempt_s uvsmtp_attempt_t;
UVSMTP_EXTERN size_t
uvsmtp_session_attempt_count(const uvsmtp_session_t* session);
UVSMTP_EXTERN const uvsmtp_attempt_t* uvsmtp_session_attempt(
    const uvsmtp_session_t* session, size_t i);
/* 0: connected; UV_ECANCELED: another one was faster; UV_ETIMEDOUT: the
 * deadline came first; else why it failed. */
UVSMTP_EXTERN int uvsmtp_attempt_status(const uvsmtp_attempt_t* attempt);
/* Where to; NULL for a Unix socket. */
UVSMTP_EXTERN const struct sockaddr* uvsmtp_attempt_address(
    const uvsmtp_attempt_t* attempt);
/* Milliseconds that it took. */
UVSMTP_EXTERN uint64_t uvsmtp_attempt_duration(const uvsmtp_attempt_t* attempt);

/* EHLO (LHLO under LMTP), HELO, and EHLO with HELO as the fallback unless
 * either has already succeeded. name NULL: the configured one. The last one
 * also says STARTTLS, and EHLO again within TLS, where the target's policy asks
 * for that; uvsmtp_mail and uvsmtp_send do what it does by themselves.
 * UVSMTP_EHELO when refused. With UVSMTP_TLS_REQUIRED: UVSMTP_ETLS when there
 * is no TLS to be had (as cause UVSMTP_ENOTSUPPORTED when it is not offered, or
 * STARTTLS's refusal as reply), and of calls that would leave without it (cause
 * UV_EPERM); and there is no fallback to HELO. */
UVSMTP_EXTERN int uvsmtp_ehlo(uvsmtp_session_t* session, const char* name,
                              uvsmtp_cb cb, void* data);
UVSMTP_EXTERN int uvsmtp_helo(uvsmtp_session_t* session, const char* name,
                              uvsmtp_cb cb, void* data);
UVSMTP_EXTERN int uvsmtp_hello(uvsmtp_session_t* session, uvsmtp_cb cb,
                               void* data);

/* STARTTLS (RFC 3207) and the handshake, with EHLO before if there was none: as
 * smtplib's, whatever the policy says, and the certificate has to be right
 * unless the settings are insecure. What the server said before is forgotten:
 * the next command that needs it, or uvsmtp_hello, says EHLO again.
 * UVSMTP_ENOTSUPPORTED when it is not offered, UVSMTP_ERESPONSE when it is
 * refused: then the session goes on in clear text, if its policy allows that.
 * UVSMTP_ETLS when the handshake fails, which ends the session:
 * uvsmtp_session_tls says why. UV_EALREADY within TLS. */
UVSMTP_EXTERN int uvsmtp_starttls(uvsmtp_session_t* session, uvsmtp_cb cb,
                                  void* data);

/* AUTH with these credentials (counted), strongest mechanism first, until one
 * succeeds; EHLO before if there was none: smtplib's login. A session logs in
 * once (RFC 4954 4): then it is 0 at once for the target's own credentials, if
 * it was they, else UV_EALREADY.
 * UVSMTP_EAUTH when the server refuses (the last reply is the result's), when
 * none of the mechanisms can say what the credentials hold, or when the server
 * does not prove itself; with cause UVSMTP_ETLS, and nothing said, when there
 * is no TLS (see UVSMTP_AUTH_ALLOW_PLAINTEXT). UVSMTP_ENOTSUPPORTED when the
 * server offers none of the mechanisms. After a failure messages and MAIL
 * complete with UVSMTP_EAUTH, not attempted, until a login succeeds or the
 * session ends. */
UVSMTP_EXTERN int uvsmtp_login(uvsmtp_session_t* session,
                               uvsmtp_credentials_t* credentials, uvsmtp_cb cb,
                               void* data);

/* The same by one mechanism, of the library's or of the caller's own: smtplib's
 * auth(mechanism, authobject). flags: uvsmtp_auth_flags, beside those of the
 * credentials, of which only the secrets count here. UV_EINVAL when they hold
 * nothing that the mechanism could use. UV_EALREADY whoever has logged in. */
UVSMTP_EXTERN int uvsmtp_auth(uvsmtp_session_t* session,
                              const uvsmtp_mech_t* mech,
                              uvsmtp_credentials_t* credentials,
                              unsigned int flags, uvsmtp_cb cb, void* data);

/* The mechanism by which the session is logged in, or NULL: it is not. */
UVSMTP_EXTERN const char* uvsmtp_session_auth(const uvsmtp_session_t* session);

/* The TLS of the connection, or of the last one until the next begins; NULL:
 * it had none. Lives as long as that. In a completion it is there also when a
 * handshake has failed. */
UVSMTP_EXTERN const uvsmtp_tls_info_t* uvsmtp_session_tls(
    const uvsmtp_session_t* session);

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
/* One BDAT chunk: the source's octets as they are; its length must be known, or
 * come later. Behind one that was refused, or whose source failed, the others
 * complete with UV_EPERM until RSET: the message would have a hole. */
UVSMTP_EXTERN int uvsmtp_bdat(uvsmtp_session_t* session, uvsmtp_source_t* chunk,
                              int last, uvsmtp_cb cb, void* data);

/* RSET: the transaction is forgotten. */
UVSMTP_EXTERN int uvsmtp_rset(uvsmtp_session_t* session, uvsmtp_cb cb,
                              void* data);
/* NOOP: is the server still there? */
UVSMTP_EXTERN int uvsmtp_noop(uvsmtp_session_t* session, uvsmtp_cb cb,
                              void* data);

/* QUIT; the connection is closed after its reply, or without one. Whatever the
 * server makes of it, the status is 0. */
UVSMTP_EXTERN int uvsmtp_quit(uvsmtp_session_t* session, uvsmtp_cb cb,
                              void* data);

/* Any other command of one line and one reply (smtplib's docmd): line without
 * CRLF. The status is 0 whatever code the reply has, but for 421. UV_EINVAL
 * for verbs with a call of their own: EHLO HELO LHLO STARTTLS AUTH MAIL RCPT
 * DATA BDAT BURL RSET QUIT XCLIENT, and for TURN and ATRN, which turn the
 * roles. */
UVSMTP_EXTERN int uvsmtp_command(uvsmtp_session_t* session, const char* line,
                                 uvsmtp_cb cb, void* data);

/* VRFY and EXPN (a user name or an address; of "Name <a@b.example>" only what
 * is in the brackets goes out), HELP (topic NULL: in general): as
 * uvsmtp_command. Servers commonly refuse the first two, or answer 252: "cannot
 * say". */
UVSMTP_EXTERN int uvsmtp_verify(uvsmtp_session_t* session, const char* address,
                                uvsmtp_cb cb, void* data);
UVSMTP_EXTERN int uvsmtp_expn(uvsmtp_session_t* session, const char* list,
                              uvsmtp_cb cb, void* data);
UVSMTP_EXTERN int uvsmtp_help(uvsmtp_session_t* session, const char* topic,
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

/* See uvsmtp_proto_ehlo_reply, uvsmtp_proto_helo_reply,
 * uvsmtp_proto_does_esmtp.
 */
UVSMTP_EXTERN const uvsmtp_reply_t* uvsmtp_session_ehlo_reply(
    const uvsmtp_session_t* session);
UVSMTP_EXTERN const uvsmtp_reply_t* uvsmtp_session_helo_reply(
    const uvsmtp_session_t* session);
UVSMTP_EXTERN int uvsmtp_session_does_esmtp(const uvsmtp_session_t* session);

/* The connection's descriptor, and the addresses of its ends as getsockname and
 * getpeername put them (*len: room in, length out). UV_ENOTCONN when there is
 * no connection. Reading or writing the descriptor is the library's alone. */
UVSMTP_EXTERN int uvsmtp_session_fileno(const uvsmtp_session_t* session,
                                        uv_os_fd_t* fd);
UVSMTP_EXTERN int uvsmtp_session_local_address(const uvsmtp_session_t* session,
                                               struct sockaddr* address,
                                               int* len);
UVSMTP_EXTERN int uvsmtp_session_peer_address(const uvsmtp_session_t* session,
                                              struct sockaddr* address,
                                              int* len);

/* Other deadlines for the waits that begin from now on. UV_EINVAL, UV_ENOMEM,
 * and as every call on a session that is closing or from within a hook. */
UVSMTP_EXTERN int uvsmtp_session_set_timeouts(
    uvsmtp_session_t* session, const uvsmtp_timeouts_t* timeouts);

/* Another trace function from now on; NULL: none. smtplib's set_debuglevel is
 * this with uvsmtp_printer_trace. UV_EBUSY from within a hook. */
UVSMTP_EXTERN int uvsmtp_session_set_trace(uvsmtp_session_t* session,
                                           uvsmtp_trace_cb trace, void* arg);

/* An enum uvsmtp_state: where the session rests, as far as replies were read.
 */
UVSMTP_EXTERN int uvsmtp_session_state(const uvsmtp_session_t* session);

/* The caller's own pointer. */
UVSMTP_EXTERN void* uvsmtp_session_data(const uvsmtp_session_t* session);
UVSMTP_EXTERN void uvsmtp_session_set_data(uvsmtp_session_t* session,
                                           void* data);
/* The environment it was made on. */
UVSMTP_EXTERN uvsmtp_env_t* uvsmtp_session_env(const uvsmtp_session_t* session);

/* As uv_ref and uv_unref, for the session's connection: an unreferenced idle
 * session does not keep the loop alive. Work in progress does. Idempotent. */
UVSMTP_EXTERN void uvsmtp_session_ref(uvsmtp_session_t* session);
UVSMTP_EXTERN void uvsmtp_session_unref(uvsmtp_session_t* session);

#ifdef __cplusplus
}
#endif

#include "uvsmtp/file.h"
#include "uvsmtp/send.h"

#endif
