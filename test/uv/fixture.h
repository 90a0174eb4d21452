/* SPDX-License-Identifier: MIT */
/* fixture.h: what every test of sessions needs: a loop with an environment
 * whose allocator counts and can fail, a record of completions, and an end that
 * proves that nothing was left. */
#ifndef UVSMTP_TEST_FIXTURE_H
#define UVSMTP_TEST_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fds.h"
#include "peer.h"
#include "uvsmtp.h"

#include <cmocka.h>

/* An allocator that checks the sizes it is given back. */
typedef struct heap_s {
  size_t blocks; /* live */
  size_t octets; /* live */
  size_t peak;   /* of octets */
  long calls;    /* requests for memory so far */
  long fail_at;  /* the call that fails, from 1; 0: none */
  int fail_all;  /* and all after it */
  void (*hook)(void* arg);
  void* hook_arg;
} heap_t;

typedef struct fixture_s {
  uv_loop_t loop;
  uvsmtp_env_t* env;
  heap_t heap;
  uvsmtp_mem_t mem;
  int order;   /* completions so far */
  int calling; /* a call of the library is running */
  int closed;  /* sessions whose close has been reported */
} fixture_t;

/* What a completion said. */
typedef struct call_s {
  fixture_t* f;
  uvsmtp_session_t* session;
  int times;
  int order; /* 1 for the first completion of the fixture */
  int status;
  int cause;
  int stage;
  int outcome;
  int code; /* of the reply, 0 for none */
  char text[128];
  char detail[256]; /* uvsmtp_result_detail, "" for none */
  int rcpts[8];     /* outcomes */
  /* Called last, from the completion. */
  void (*then)(struct call_s* call);
  void* arg;
} call_t;

/* A test after which as many descriptors must be open as before. */
#define TEST(name) \
  cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
int fixture_setup(void** state);
int fixture_teardown(void** state);

void fixture_start(fixture_t* f);
/* With a resolver of the test's own. */
void fixture_start_with(fixture_t* f, uvsmtp_resolver_t* resolver);
/* Runs the loop to its end, closes all and checks that nothing was left. Every
 * session must have been closed. */
void fixture_finish(fixture_t* f);
/* For a test that has a loop and an environment to itself, in *state, and
 * leaves nothing behind. */
int fixture_begin(void** state);
int fixture_end(void** state);

/* A session to a peer; config may be NULL. */
uvsmtp_session_t* open_session(fixture_t* f, const peer_t* peer,
                               const uvsmtp_session_config_t* config);
/* The same of client.example's, for a target that gets the peer's port, and its
 * host unless it has one; peer may be NULL. */
uvsmtp_session_t* session_of(fixture_t* f, const peer_t* peer,
                             const uvsmtp_target_t* target, unsigned int flags);
/* Settings that trust the peer's certificate (NULL: nobody's), with
 * uvsmtp_tls_flags. */
uvsmtp_tls_t* trust(const peer_t* peer, unsigned int flags);
/* Closes it and runs the loop until that is done. */
void close_session(fixture_t* f, uvsmtp_session_t* session);
void on_session_closed(uvsmtp_session_t* session, void* fixture);

/* A completion for call_t. */
void on_call(uvsmtp_session_t* session, const uvsmtp_result_t* result,
             void* call);
/* Prepares a call; use as CALL(&call, f, uvsmtp_noop(s, on_call, &call)). */
void call_begin(call_t* call, fixture_t* f);
int call_end(call_t* call, int err);
#define CALL(call, f, expr) (call_begin((call), (f)), call_end((call), (expr)))
/* Runs the loop until the call has completed. */
void wait_for(call_t* call);
/* Runs the loop for some milliseconds. */
void run_for(fixture_t* f, uint64_t ms);
/* Runs the loop until *flag is at least n. */
void run_until(fixture_t* f, const int* flag, int n);

/* Runs the loop until the peer has come to its n-th STALL, and then until
 * nothing moves. */
void run_to_stall(fixture_t* f, peer_t* peer, int n);
/* Runs the loop until the session has said hello, and sees that it says no more
 * than that. */
void assert_only_hello(fixture_t* f, const uvsmtp_session_t* s);

/* A file of these octets behind those of before, where its descriptor stands.
 * Its path goes into path; the caller closes and unlinks it. */
int make_file(char path[64], const char* before, const char* text, size_t len);

/* A message over memory, at first to one recipient. */
typedef struct letter_s {
  uvsmtp_message_t message;
  uvsmtp_memory_source_t body;
  uvsmtp_rcpt_t rcpt[8];
  const uvsmtp_rcpt_t* list[8];
  int released;
} letter_t;
void letter_init(letter_t* letter, const char* from, const char* to,
                 const void* text, size_t len);

void assert_peer_done(peer_t* peer);

void* heap_alloc(void* heap, void* ptr, size_t old_size, size_t new_size);

#endif
