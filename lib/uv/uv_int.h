/* SPDX-License-Identifier: MIT */
/* uv_int.h: what the files of the shell share: the environment, the session and
 * the way they divide the work.
 *
 *   env.c      read buffer, free lists, deadlines, fresh stacks
 *   session.c  the public calls of a session, its end
 *   look.c     what can be asked of a session, and set
 *   file.c     body sources over files, with stream.c
 *   printer.c  the ready-made trace function
 *   connect.c  from a target to a transport that is up, and its closing
 *   write.c    the only writer to a socket
 *   pump.c     moves the octets, calls the completions */
#ifndef UVSMTP_UV_INT_H
#define UVSMTP_UV_INT_H

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "core/mem.h"
#include "core/queue.h"
#include "uvsmtp.h"

/* Free blocks that an environment keeps of each size, at most. Builds that hunt
 * for uses of freed memory set it to 0. */
#ifndef UVSMTP__CACHE_BLOCKS
#define UVSMTP__CACHE_BLOCKS 32
#endif

enum {
  UVSMTP__READ_MAX = 65536,
  UVSMTP__CLASSES = 32,
  UVSMTP__CLASS_MAX = 16384
};

#define UVSMTP__NEVER UINT64_MAX
#define UVSMTP__NOWHERE UINT32_MAX

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
  char* read_buffer;       /* UVSMTP__READ_MAX octets, consumed at once */
  uv_timer_t timer;        /* over all deadlines */
  uv_idle_t kick;          /* active while a list below has a session */
  uv_check_t check;        /* runs after a poll, for the late ones */
  uvsmtp__link_t kicked;   /* sessions to pump on a fresh stack */
  uvsmtp__link_t late;     /* deadline passed; one poll may still save them */
  uvsmtp_session_t** heap; /* by key; room for every session */
  uint32_t heap_len;
  uint32_t heap_cap;
  uint64_t armed;       /* when the timer fires, or UVSMTP__NEVER */
  uint32_t sessions;    /* open or closing */
  uint32_t files;       /* sources over files that were not released */
  uint32_t orphans;     /* released, of which libuv has yet to report */
  unsigned int busy;    /* a hook of the caller's may be running */
  unsigned int handles; /* while closing: those not yet closed */
  unsigned int closing : 1;
  uvsmtp_env_cb close_cb;
  void* close_data;
};

/* Puts a session on the list of those to be pumped before the next poll. */
void uvsmtp__kick(uvsmtp_session_t* s);

/* The loop's clock, read anew: the host may have worked for long since the loop
 * did, and that is not the server's fault. */
uint64_t uvsmtp__now(uvsmtp_env_t* env);

/* Sets the deadline of a session to an absolute time of the loop's clock, or to
 * UVSMTP__NEVER. Cannot fail: the room was reserved with the session. */
void uvsmtp__deadline(uvsmtp_session_t* s, uint64_t due);

/* Room in the heap for one more session. 0 or UV_ENOMEM. */
int uvsmtp__heap_reserve(uvsmtp_env_t* env);

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
  const char* host;
  const char* bind_host; /* NULL: any */
} uvsmtp__target_t;

typedef union uvsmtp__addr_u {
  struct sockaddr sa;
  struct sockaddr_in in;
  struct sockaddr_in6 in6;
} uvsmtp__addr_t;

/* What connecting needs and an idle session does not. Lives from
 * uvsmtp__open to the last callback of its request. */
typedef struct uvsmtp__connect_s {
  uvsmtp_session_t* session;
  struct addrinfo* found; /* what the resolver said, or NULL */
  struct addrinfo* next;  /* the next of them to try */
  unsigned int tries;
  int error;   /* of the attempts: what to tell when no other succeeds */
  int aborted; /* nobody waits for the outcome any more */
  unsigned short port;
  uvsmtp__addr_t literal; /* the only address, when family is not 0 */
  uvsmtp__addr_t bind;    /* family 0: any */
  unsigned short bind_port;
  union {
    uv_getaddrinfo_t resolve;
    uv_connect_t connect;
  } req; /* one after the other */
} uvsmtp__connect_t;

/* A wait for room in the socket's buffer. */
typedef struct uvsmtp__writable_s {
  uv_poll_t poll;
  uvsmtp_session_t* session;
  int fd; /* a duplicate: libuv allows one watcher a descriptor */
} uvsmtp__writable_t;

enum uvsmtp__conn {
  UVSMTP__IDLE,       /* no transport */
  UVSMTP__RESOLVING,  /* no handle yet, a name lookup */
  UVSMTP__CONNECTING, /* handle open, request pending */
  UVSMTP__UP,
  UVSMTP__CLOSING /* handle closing: the end, or another address is next */
};

struct uvsmtp_session_s {
  uvsmtp_env_t* env;
  uvsmtp_proto_t* proto;
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
  } transport; /* its data points back here */
  uvsmtp__connect_t* connect;
  uvsmtp__writable_t* writable;
  uvsmtp__target_t* target; /* configured; NULL: the defaults */
  uvsmtp__target_t* once;   /* of the connect under way; NULL: the former */
  int64_t* timeouts;        /* by phase; NULL: the defaults */
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
  unsigned char phase;
  unsigned char conn;     /* enum uvsmtp__conn */
  unsigned short handles; /* handles and lookups that have yet to report */
  int write_error; /* writing is over; what is there to read may tell why */
  unsigned int lmtp : 1;
  unsigned int named : 1;    /* the caller configured a local name */
  unsigned int opening : 1;  /* a connect was accepted and not completed */
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

/* Frees a closed session once everything has reported. s may be gone after. */
void uvsmtp__session_done(uvsmtp_session_t* s);

/* Begins to close a session that the caller ended once all has completed. */
void uvsmtp__end_if_done(uvsmtp_session_t* s);

/* A remark for the trace: `what`, then `detail` and `port` unless NULL and 0.
 */
void uvsmtp__info(uvsmtp_session_t* s, const char* what, const char* detail,
                  int port);

/* file.c */

/* A source over a file is for one call of one session. 0 for all other sources;
 * UV_EINVAL when it is another session's, or a call has it. */
int uvsmtp__file_claim(uvsmtp_source_t* source, const uvsmtp_session_t* s);
/* The call was not accepted after all. */
void uvsmtp__file_unclaim(uvsmtp_source_t* source);
/* The session goes; its unused sources stay, to be discarded. */
void uvsmtp__files_orphan(uvsmtp_session_t* s);

/* connect.c */

/* Checks and copies a target. 0, UV_EINVAL or UV_ENOMEM. */
int uvsmtp__target_new(uvsmtp_env_t* env, const uvsmtp_target_t* from,
                       uvsmtp__target_t** to);
void uvsmtp__target_free(uvsmtp_env_t* env, uvsmtp__target_t* target);

/* Begins to connect an idle session. The outcome is told to the engine, maybe
 * before this returns. */
void uvsmtp__open(uvsmtp_session_t* s);

/* Closes the transport, or gives up what is to become one; the engine is not
 * told. */
void uvsmtp__shut(uvsmtp_session_t* s);

/* write.c */

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

/* Tells the engine that the transport is gone, and closes it. s may be gone
 * after. */
void uvsmtp__lost(uvsmtp_session_t* s, int cause);

#endif
