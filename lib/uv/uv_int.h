/* SPDX-License-Identifier: MIT */
/* uv_int.h: what the files of the shell share: the environment, the session and
 * the way they divide the work.
 *
 *   env.c        read buffer, free lists, deadlines, fresh stacks
 *   session.c    the public calls of a session, its end
 *   send.c       messages and commands of extensions
 *   compose.c    a message of now
 *   look.c       what can be asked of a session, and set
 *   file.c       body sources over files, with stream.c
 *   printer.c    the ready-made trace function
 *   target.c     what a caller may say of where to connect to
 *   connect.c    from a target to a transport, by one of three ways:
 *   resolve.c      a name becomes addresses,
 *   race.c         addresses, or a path, become attempts, one of which wins,
 *   open.c         or the caller has a connection already
 *   localname.c  what EHLO says when the caller does not
 *   transport.c  a transport goes up, is read, and is closed
 *   secure.c     TLS between a transport and the engine
 *   auth.c       login, and what its mechanisms want
 *   write.c      the only writer to a socket
 *   pump.c       moves the octets, calls the completions */
#ifndef UVSMTP_UV_INT_H
#define UVSMTP_UV_INT_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "core/mem.h"
#include "core/queue.h"
#include "tls/tls.h"
#include "uvsmtp.h"

/* Free blocks that an environment keeps of each size, at most. Builds that hunt
 * for uses of freed memory set it to 0. */
#ifndef UVSMTP__CACHE_BLOCKS
#define UVSMTP__CACHE_BLOCKS 32
#endif

enum {
  UVSMTP__READ_MAX = 65536,
  UVSMTP__HOST_MAX = 255,     /* octets of a name (RFC 1035 2.3.4) */
  UVSMTP__ADDRESSES_MAX = 16, /* of a name */
  UVSMTP__CLASSES = 32,
  UVSMTP__CLASS_MAX = 16384
};

#define UVSMTP__NEVER UINT64_MAX
/* Milliseconds beyond this (35 years) are never, and sums could overflow. */
#define UVSMTP__FAR_MS (INT64_C(1) << 40)
#define UVSMTP__NOWHERE UINT32_MAX

/* What handshakes and mechanisms of AUTH may take of one turn of the loop, in
 * nanoseconds. A step of one may take longer, and can't be divided: it is the
 * last of its turn. */
#define UVSMTP__SPENT_MAX (UINT64_C(1000) * 1000)

/* ------------------------------------------------------------ environment */

typedef struct uvsmtp__free_s {
  struct uvsmtp__free_s* next;
} uvsmtp__free_t;

struct uvsmtp_env_s {
  uv_loop_t* loop;
  uvsmtp__mem_t user; /* the caller's allocator */
  uvsmtp__mem_t mem;  /* the same behind free lists: all that sessions need */
  uvsmtp__free_t* blocks[UVSMTP__CLASSES];
  unsigned short counts[UVSMTP__CLASSES];
  char* read_buffer;         /* UVSMTP__READ_MAX octets, consumed at once */
  char* plain;               /* a record's, decrypted; NULL: no TLS yet */
  uvsmtp_tls_t* tls;         /* NULL: the defaults, not made yet */
  uint64_t spent;            /* nanoseconds of what can wait, in this turn */
  uvsmtp_session_t* spender; /* who used it up, or NULL */
  uv_timer_t timer;          /* over all deadlines */
  uv_idle_t kick;            /* active while a list below has a session */
  uv_check_t check;          /* runs after a poll, for the late ones */
  uvsmtp__link_t kicked;     /* sessions to pump on a fresh stack */
  uvsmtp__link_t late;       /* deadline passed; one poll may still save them */
  uvsmtp_session_t** heap;   /* by key; room for every session */
  uint32_t heap_len;
  uint32_t heap_cap;
  uint64_t armed;              /* when the timer fires, or UVSMTP__NEVER */
  uint32_t sessions;           /* open or closing */
  uint32_t files;              /* sources over files, not released */
  uint32_t orphans;            /* released; libuv has yet to report */
  uint32_t lookups;            /* that a session waits for */
  uvsmtp_resolver_t* resolver; /* the caller's, or the next one */
  uvsmtp_resolver_t system;
  uvsmtp__link_t naming; /* connects that wait for the machine's name */
  uv_getaddrinfo_t name_lookup;
  uint64_t name_due; /* until when they do */
  unsigned char name_state;
  char name[UVSMTP__HOST_MAX + 1]; /* of the machine; empty: it has none */
  unsigned int busy;               /* a hook of the caller's may be running */
  unsigned int handles;            /* while closing: those not yet closed */
  unsigned int closing : 1;
  uvsmtp_env_cb close_cb;
  void* close_data;
};

/* Puts a session on the list of those to be pumped before the next poll. */
void uvsmtp__kick(uvsmtp_session_t* s);

/* Has this turn time left for what can wait? */
int uvsmtp__can_spend(const uvsmtp_env_t* env);
/* The session has spent what has passed since, by uv_hrtime. */
void uvsmtp__spend(uvsmtp_session_t* s, uint64_t since);

/* The loop's clock, read anew: the host may have worked for long since the loop
 * did, and that is not the server's fault. */
uint64_t uvsmtp__now(uvsmtp_env_t* env);

/* Sets the deadline of a session to an absolute time of the loop's clock, or to
 * UVSMTP__NEVER. Cannot fail: the room was reserved with the session. */
void uvsmtp__deadline(uvsmtp_session_t* s, uint64_t due);

/* Room in the heap for one more session. 0 or UV_ENOMEM. */
int uvsmtp__heap_reserve(uvsmtp_env_t* env);

/* Makes sure that there is room for decrypted octets. 0 or UV_ENOMEM. */
int uvsmtp__plain_reserve(uvsmtp_env_t* env);

/* Takes a session off all lists and the heap. */
void uvsmtp__forget(uvsmtp_session_t* s);

/* Ends a closing environment once everything has reported. */
void uvsmtp__env_done(uvsmtp_env_t* env);

/* Between these two, hooks of the caller's may run: calls are refused. */
static inline void uvsmtp__enter(uvsmtp_env_t* env) { env->busy++; }
static inline void uvsmtp__leave(uvsmtp_env_t* env) { env->busy--; }

/* ---------------------------------------------------------------- session */

/* A checked copy of a uvsmtp_target_t, in one block. */
typedef struct uvsmtp__target_s {
  size_t block;        /* octets allocated */
  unsigned short port; /* 0: the default */
  unsigned short bind_port;
  unsigned short keepalive;
  unsigned short flags;
  unsigned char tls;                 /* uvsmtp_tls_policy */
  unsigned int attempt_delay;        /* 0: the default */
  uvsmtp_tls_t* tls_settings;        /* counted; NULL: the environment's */
  uvsmtp_credentials_t* credentials; /* counted; NULL: none */
  const char* tls_name;              /* NULL: the settings', or host */
  const char* host;
  const char* bind_host; /* NULL: any */
} uvsmtp__target_t;

typedef union uvsmtp__addr_u {
  struct sockaddr sa;
  struct sockaddr_in in;
  struct sockaddr_in6 in6;
} uvsmtp__addr_t;

/* A socket, in a block of its own, which ends where its handle does: of those
 * that raced, the winner is handed to the session. */
typedef union uvsmtp__transport_u {
  uv_handle_t handle; /* its data: the session, or an attempt */
  uv_stream_t stream;
  uv_tcp_t tcp;
  uv_pipe_t pipe;
} uvsmtp__transport_t;

typedef struct uvsmtp__connect_s uvsmtp__connect_t;

struct uvsmtp_attempt_s {
  uvsmtp__connect_t* connect;
  uvsmtp__transport_t* transport; /* while it runs */
  uint64_t began;                 /* a time of the loop's clock */
  uint64_t took;
  int status;
  int waiting;         /* for room in a local server's queue */
  uvsmtp__addr_t addr; /* family 0: a Unix socket */
  uv_connect_t req;
};

/* What connecting needs and an idle session does not. It outlives the
 * completion of its connect until the last handle that it began has closed. */
struct uvsmtp__connect_s {
  uvsmtp_session_t* session;
  unsigned int users;    /* the session, and handles not yet closed */
  uvsmtp_query_t* query; /* that this waits for */
  int error;             /* what came of it */
  unsigned short port;
  unsigned char answered;     /* the query is over */
  unsigned char decided;      /* the attempts are over */
  unsigned char timing;       /* the timer is a handle */
  uvsmtp__addr_t bind;        /* family 0: any */
  uvsmtp__target_t target;    /* a copy; its host is the original's */
  uvsmtp_attempt_t* attempts; /* in the order of their beginning */
  size_t count;               /* room for these */
  size_t begun;
  size_t running;
  uv_timer_t timer; /* until the next attempt, or for the machine's name */
  uvsmtp__link_t naming;
};

/* Whether a connection that the caller made leaves the machine. */
enum uvsmtp__local {
  UVSMTP__REMOTE,
  UVSMTP__PAIRED, /* one end of a pair: the other may be a program that goes on
                     over the net; or a server without a path, where anybody
                     may be */
  UVSMTP__LOCAL   /* with a server that has its place in the file system */
};

/* A connection that the caller made, until it is the session's transport. */
typedef struct uvsmtp__given_s {
  size_t block; /* octets allocated */
  int fd;       /* -1: handed to a transport */
  int local;    /* a Unix socket: enum uvsmtp__local */
  size_t len;   /* of what was read from it already */
  char early[];
} uvsmtp__given_t;

/* A wait for room in the socket's buffer. */
typedef struct uvsmtp__writable_s {
  uv_poll_t poll;
  uvsmtp_session_t* session;
  int fd; /* a duplicate: libuv allows one watcher a descriptor */
} uvsmtp__writable_t;

enum uvsmtp__conn {
  UVSMTP__IDLE,       /* no transport */
  UVSMTP__RESOLVING,  /* a name lookup */
  UVSMTP__CONNECTING, /* attempts are running */
  UVSMTP__NAMING,     /* connected, but how to introduce ourselves? */
  UVSMTP__UP
};

struct uvsmtp_session_s {
  uvsmtp_env_t* env;
  uvsmtp_proto_t* proto;
  uvsmtp__transport_t* transport; /* NULL: none */
  uvsmtp__connect_t* connect; /* until the completion of the connect is over */
  uvsmtp__given_t* given;     /* by the uvsmtp_open under way */
  uvsmtp__writable_t* writable;
  uvsmtp__target_t* target; /* configured; NULL: the defaults */
  uvsmtp__target_t* once;   /* of the last connect; NULL: the former */
  uvsmtp__tls_conn_t* tls;  /* between transport and engine; NULL: nothing is */
  uvsmtp_tls_info_t* tls_info; /* of this connection or the last; or NULL */
  int64_t* timeouts;           /* by phase; NULL: the defaults */
  uvsmtp_trace_cb trace;
  void* trace_arg;
  void* data;
  uvsmtp_close_cb end_cb; /* of uvsmtp_session_end */
  void* end_data;
  uvsmtp_close_cb close_cb;
  void* close_data;
  uvsmtp__link_t kicked;
  uvsmtp__link_t late;
  uvsmtp__link_t files; /* sources made for it and not released */
  uint64_t wait_due;    /* the deadline of the wait */
  uint64_t due;         /* that, or an earlier one of a message */
  uint64_t key;         /* its place in the heap: due or earlier */
  uint32_t slot;        /* in the heap, or UVSMTP__NOWHERE */
  unsigned int serial;  /* of the wait that wait_due belongs to */
  unsigned int handles; /* handles and lookups that have yet to report */
  unsigned char phase;
  unsigned char conn; /* enum uvsmtp__conn */
  int write_error;    /* writing is over; what is there to read may tell why */
  unsigned int lmtp : 1;
  unsigned int named : 1;    /* the caller configured a local name */
  unsigned int opening : 1;  /* a connect was accepted and not completed */
  unsigned int handed : 1;   /* the last one was an uvsmtp_open */
  unsigned int shaking : 1;  /* a TLS handshake is under way */
  unsigned int shakes : 1;   /* ... and has something to do */
  unsigned int unwanted : 1; /* the caller called unref */
  unsigned int blocked : 1;  /* the socket's buffer is full */
  unsigned int pumping : 1;
  unsigned int again : 1;   /* something happened while pumping */
  unsigned int resumed : 1; /* the caller called resume */
  unsigned int ending : 1;  /* the caller called end */
  unsigned int closed : 1;  /* the caller called close */
  unsigned int closing : 1; /* either's close has begun */
  unsigned int drained : 1; /* and everything has been completed since */
};

/* session.c */

/* Milliseconds that a phase may take, -1 for any time. */
int64_t uvsmtp__phase_timeout(const uvsmtp_session_t* s, int phase);

/* May anything be asked of it now? 0, UV_EBUSY or UV_ECANCELED. */
int uvsmtp__admit(const uvsmtp_session_t* s);

/* Frees a closed session once everything has reported. s may be gone after. */
void uvsmtp__session_done(uvsmtp_session_t* s);

/* Begins to close a session that the caller ended once all has completed. */
void uvsmtp__end_if_done(uvsmtp_session_t* s);

/* Appends to text, which holds *len octets and no NUL, as far as there is room.
 */
void uvsmtp__append(char* text, size_t cap, size_t* len, const char* more);

/* A remark for the trace: `what`, then `detail`, `port` and `reason` unless
 * NULL and 0. */
void uvsmtp__info(uvsmtp_session_t* s, const char* what, const char* detail,
                  int port, const char* reason);

/* A request to the engine, for the pump to work off. 0 or an error. */
int uvsmtp__submit(uvsmtp_session_t* s, uvsmtp_request_t* request, uvsmtp_cb cb,
                   void* data);
/* The same for one whose source is in another place of the request: `body`, or
 * NULL. */
int uvsmtp__submit_body(uvsmtp_session_t* s, uvsmtp_request_t* request,
                        uvsmtp_source_t* body, uvsmtp_cb cb, void* data);

/* May a connect be called now? 0, or the error that says why not. */
int uvsmtp__may_connect(const uvsmtp_session_t* s);

/* Asks the engine for a connect, to this target (NULL: the configured one) or
 * over a given connection (or NULL), which are the session's if this succeeds.
 * 0 or an error. */
int uvsmtp__submit_connect(uvsmtp_session_t* s, uvsmtp__target_t* once,
                           uvsmtp__given_t* given, uvsmtp_cb cb, void* data);

/* target.c */

/* Checks and copies a target. 0, UV_EINVAL or UV_ENOMEM. */
int uvsmtp__target_new(uvsmtp_env_t* env, const uvsmtp_target_t* from,
                       uvsmtp__target_t** to);
void uvsmtp__target_free(uvsmtp_env_t* env, uvsmtp__target_t* target);

/* What the session is connected to, or is to be next; NULL: all defaults, or,
 * of a connection handed over, nothing is known. */
const uvsmtp__target_t* uvsmtp__target_now(const uvsmtp_session_t* s);

/* Its port, and its policy: a uvsmtp_tls_policy, never DEFAULT. */
unsigned short uvsmtp__target_port(const uvsmtp__target_t* t, int lmtp);
int uvsmtp__target_policy(const uvsmtp_session_t* s);

/* 1 when what is said to it does not leave the machine. */
int uvsmtp__target_local(const uvsmtp_session_t* s);

/* Whom to log in as, or NULL. */
uvsmtp_credentials_t* uvsmtp__target_credentials(const uvsmtp_session_t* s);

/* An IPv4 or IPv6 literal of len octets, in brackets or not. 0 or UV_EINVAL. */
int uvsmtp__literal(const char* text, size_t len, uvsmtp__addr_t* addr);

/* connect.c */

/* Goes on with what the engine wants: connects an idle session, or takes the
 * next step. The outcome is told to the engine, maybe before this returns. */
void uvsmtp__connect(uvsmtp_session_t* s);

/* The transport is connected; it goes up as soon as our name is known. */
void uvsmtp__connected(uvsmtp_session_t* s);

/* Nobody waits for one any more; attempts that run end with this status. */
void uvsmtp__connect_stop(uvsmtp_session_t* s, int status);

/* Before and after the completion of a connect: drops what was only for it. */
void uvsmtp__connect_done(uvsmtp_session_t* s);
void uvsmtp__connect_told(uvsmtp_session_t* s);

/* One user less; the last one frees it. */
void uvsmtp__connect_release(uvsmtp__connect_t* c);

/* Calls cb in ms milliseconds, unless it is started again or stopped. */
void uvsmtp__connect_timer(uvsmtp__connect_t* c, uint64_t ms, uv_timer_cb cb);

/* resolve.c */

/* Asks for the addresses of a host. c->answered tells when c->error and the
 * attempts hold the answer, maybe when this returns. 0 or an error. */
int uvsmtp__resolve(uvsmtp__connect_t* c, const char* host);

/* Nobody waits for the answer any more. */
void uvsmtp__resolve_stop(uvsmtp__connect_t* c);

/* The system's resolver. */
void uvsmtp__resolver_init(uvsmtp_resolver_t* resolver);

/* race.c */

/* Prepares the attempts: one for each address that may be tried, or one for a
 * path when n is 0. 0 or an error. */
int uvsmtp__race_new(uvsmtp__connect_t* c,
                     const struct sockaddr* const* addresses, size_t n);

/* Begins the next attempt, if any. s may be gone after. */
void uvsmtp__race(uvsmtp__connect_t* c);

/* Ends those that run. */
void uvsmtp__race_stop(uvsmtp__connect_t* c, int status);

/* open.c */

/* Makes what the caller gave the transport. */
void uvsmtp__given_open(uvsmtp_session_t* s);
void uvsmtp__given_drop(uvsmtp_session_t* s);

/* localname.c */

/* A name that EHLO can say: letters, digits, hyphens and dots, one of them in
 * the middle; neither a number nor one of this machine's own. */
int uvsmtp__plausible(const char* name);

/* The address literal of an address (RFC 5321 4.1.3), that of the loopback if
 * it has none. */
enum { UVSMTP__LITERAL_MAX = INET6_ADDRSTRLEN + 8 };
void uvsmtp__address_literal(const struct sockaddr* addr, char* out);

/* Begins to look for the machine's name, once. */
void uvsmtp__name_ask(uvsmtp_env_t* env);

/* Nobody will need it any more: how many lookups there are to wait for. */
unsigned int uvsmtp__name_stop(uvsmtp_env_t* env);

/* 1 when s has to wait for it; it goes up when the wait is over. */
int uvsmtp__name_wait(uvsmtp_session_t* s);

/* Tells the engine what to say in EHLO. 0 or an error. */
int uvsmtp__name_set(uvsmtp_session_t* s);

/* transport.c */

/* A handle of the session's, UV_TCP or UV_NAMED_PIPE. NULL: no memory. */
uvsmtp__transport_t* uvsmtp__transport_new(uvsmtp_session_t* s, int type,
                                           void* data);

/* Frees it when libuv has closed it. s may be gone after. */
void uvsmtp__transport_closed(uvsmtp_session_t* s, uv_handle_t* handle);

/* Reads, and tells the engine that its transport is there. s may be gone after.
 */
void uvsmtp__up(uvsmtp_session_t* s);

/* Closes the transport, or gives up what is to become one; the engine is not
 * told. */
void uvsmtp__shut(uvsmtp_session_t* s);

/* secure.c */

/* Octets from the transport, for the engine or for TLS. 0 or an error: the
 * connection is to be lost. */
int uvsmtp__received(uvsmtp_session_t* s, const char* data, size_t len);

/* The transport has ended, for this cause: what to tell the engine. */
int uvsmtp__received_end(uvsmtp_session_t* s, int cause);

/* The engine wants TLS: begins or goes on with the handshake. 0 or an error. */
int uvsmtp__secure(uvsmtp_session_t* s, int strict);

/* Says what is left to say, as far as the socket takes it, and ends TLS. */
void uvsmtp__secure_end(uvsmtp_session_t* s);

/* Drops what is known of the last connection's. */
void uvsmtp__secure_forget(uvsmtp_session_t* s);

/* auth.c */

/* What mechanisms may know of the session's target and want of the shell. */
void uvsmtp__auth_host(uvsmtp_session_t* s, uvsmtp_auth_host_t* host);

/* Lets a mechanism compute. */
void uvsmtp__work(uvsmtp_session_t* s);

/* write.c */

/* Offers the socket what TLS has left, once. */
void uvsmtp__flush_last(uvsmtp_session_t* s);

/* Writes what the engine has to say, as far as the socket takes it now. 1 when
 * there may be more to do but others should have their turn first, else 0. */
int uvsmtp__flush(uvsmtp_session_t* s);

/* Ends the wait for room, if there is one. */
void uvsmtp__writable_drop(uvsmtp_session_t* s);

/* pump.c */

/* Moves octets and completes calls until nothing moves. s may be gone after.
 */
void uvsmtp__pump(uvsmtp_session_t* s);

/* The engine's deadline passed, and a poll has found nothing since. s may be
 * gone after. */
void uvsmtp__expired(uvsmtp_session_t* s);

/* Lets the transport keep the loop alive, or not. */
void uvsmtp__hold(uvsmtp_session_t* s);

/* Tells the engine that the transport is gone, or that there will be none, and
 * closes it. s may be gone after. */
void uvsmtp__lost(uvsmtp_session_t* s, int cause);

#endif
