/* SPDX-License-Identifier: MIT */
/* test_write.c: peers that vanish while they are written to, with the default
 * disposition of SIGPIPE; replies that explain why; slow readers. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"

enum { BIG = 48 * 1024 * 1024 };

#define ENVELOPE                                                             \
  "S 220 hi\n C EHLO\n S 250 peer\n C MAIL\n S 250 ok\n C RCPT\n S 250 ok\n" \
  "C DATA\n S 354 go\n"

static char* text;

static char* make_text(void) {
  static const char line[] =
      "Zwoelf Boxkaempfer jagen Viktor quer ueber den grossen Sylter Deich\r\n";
  size_t n = sizeof(line) - 1;
  size_t i;
  char* p = malloc(BIG);
  if (p == NULL) abort();
  for (i = 0; i < BIG; i++) p[i] = line[i % n];
  return p;
}

typedef struct ending_s {
  int status;
  int cause;
  int outcome;
  int code;
} ending_t;

/* Sends the big text to a peer that plays the script; it may go on from its
 * STALL once nothing moves any more. */
static ending_t send_to(const char* script, int flags) {
  fixture_t f;
  call_t call;
  letter_t letter;
  ending_t ending;
  peer_t* peer = peer_play(flags, script);
  uvsmtp_session_t* s;
  memset(&call, 0, sizeof(call));
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  letter_init(&letter, "a@example.com", "b@example.org", text, BIG);
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  assert_int_equal(
      0, CALL(&call, &f, uvsmtp_send(s, &letter.message, on_call, &call)));
  if (strstr(script, "STALL") != NULL) {
    run_to_stall(&f, peer, 1);
    assert_int_equal(0, call.times); /* blocked */
    peer_go(peer);
  }
  wait_for(&call);
  assert_int_equal(1, letter.released);
  ending.status = call.status;
  ending.cause = call.cause;
  ending.outcome = call.outcome;
  ending.code = call.code;
  close_session(&f, s);
  fixture_finish(&f);
  peer_finish(peer, NULL);
  return ending;
}

static void assert_lost(ending_t ending) {
  assert_int_equal(UVSMTP_EDISCONNECTED, ending.status);
  assert_int_equal(UVSMTP_OUTCOME_DEFERRED, ending.outcome);
  /* EPIPE is no news to anyone. */
  assert_true(ending.cause == UV_EOF || ending.cause == UV_ECONNRESET);
}

/* -------------------------------------- in a child with the default SIGPIPE */

static void nap(void) {
  struct timespec ts = {0, 1000000};
  nanosleep(&ts, NULL);
}

/* The greeting's completion returns only when the peer has gone. */
static void until_gone(call_t* call) {
  peer_go(call->arg);
  while (peer_stalled(call->arg) < 2) nap();
}

static void first_write(int flags, const char* how) {
  fixture_t f;
  call_t connect, hello;
  char script[64];
  peer_t* peer;
  uvsmtp_session_t* s;
  snprintf(script, sizeof(script), "S 220 hi\n STALL\n %s\n STALL", how);
  peer = peer_play(flags, script);
  memset(&connect, 0, sizeof(connect));
  memset(&hello, 0, sizeof(hello));
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  connect.then = until_gone;
  connect.arg = peer;
  assert_int_equal(
      0, CALL(&connect, &f, uvsmtp_connect(s, NULL, on_call, &connect)));
  /* Queued, so that the same turn writes it. */
  assert_int_equal(0, CALL(&hello, &f, uvsmtp_hello(s, on_call, &hello)));
  wait_for(&hello);
  assert_int_equal(0, connect.status);
  assert_int_not_equal(0, hello.status);
  close_session(&f, s);
  fixture_finish(&f);
  peer_finish(peer, NULL);
}

static void test_first_write(void** state) {
  (void)state;
  first_write(0, "CLOSE");
  first_write(0, "RESET");
  first_write(PEER_UNIX, "CLOSE");
}

static void test_later_write(void** state) {
  (void)state;
  assert_lost(send_to(ENVELOPE "CLOSE", 0));
  assert_lost(send_to(ENVELOPE "CLOSE", PEER_UNIX));
  assert_lost(send_to(ENVELOPE "B 100000\n RESET", 0));
}

static void test_blocked_write(void** state) {
  (void)state;
  assert_lost(send_to(ENVELOPE "STALL\n CLOSE", 0));
  assert_lost(send_to(ENVELOPE "STALL\n RESET", 0));
  assert_lost(send_to(ENVELOPE "STALL\n CLOSE", PEER_UNIX));
}

static void test_close_while_blocked(void** state) {
  int flags;
  (void)state;
  for (flags = 0; flags <= PEER_UNIX; flags += PEER_UNIX) {
    fixture_t f;
    call_t call;
    letter_t letter;
    peer_t* peer = peer_play(flags, ENVELOPE "STALL");
    uvsmtp_session_t* s;
    memset(&call, 0, sizeof(call));
    fixture_start(&f);
    s = open_session(&f, peer, NULL);
    letter_init(&letter, "a@example.com", "b@example.org", text, BIG);
    assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
    assert_int_equal(
        0, CALL(&call, &f, uvsmtp_send(s, &letter.message, on_call, &call)));
    run_to_stall(&f, peer, 1);
    assert_int_equal(0, call.times);
    close_session(&f, s);
    assert_int_equal(UV_ECANCELED, call.status);
    assert_int_equal(UVSMTP_OUTCOME_DEFERRED, call.outcome);
    assert_int_equal(1, letter.released);
    fixture_finish(&f);
    peer_finish(peer, NULL);
  }
}

static int run_child(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_first_write),
      TEST(test_later_write),
      TEST(test_blocked_write),
      TEST(test_close_while_blocked),
  };
  return cmocka_run_group_tests_name("with default SIGPIPE", tests, NULL, NULL);
}

/* The same again in a program that is killed by SIGPIPE, as all are that do not
 * care. */
static void test_no_sigpipe(void** state) {
  int status = 0;
  pid_t pid;
  (void)state;
  fflush(NULL);
  pid = fork();
  assert_int_not_equal(-1, pid);
  if (pid == 0) {
    signal(SIGPIPE, SIG_DFL);
    execl("/proc/self/exe", "test_write", "child", (char*)NULL);
    _exit(99);
  }
  assert_int_equal(pid, waitpid(pid, &status, 0));
  assert_false(WIFSIGNALED(status));
  assert_int_equal(0, WEXITSTATUS(status));
}

/* ---------------------------------------------- the server said why it went */

static void test_reply_then_close(void** state) {
  int flags;
  (void)state;
  for (flags = 0; flags <= PEER_UNIX; flags += PEER_UNIX) {
    ending_t e =
        send_to(ENVELOPE "B 100000\n S 554 5.3.4 too much\n CLOSE", flags);
    assert_int_equal(UVSMTP_EDATA, e.status);
    assert_int_equal(UVSMTP_OUTCOME_REJECTED, e.outcome);
    assert_int_equal(554, e.code);
    /* Before anything was read, into a full socket. */
    e = send_to(ENVELOPE "STALL\n S 452 4.3.1 full\n CLOSE", flags);
    assert_int_equal(UVSMTP_EDATA, e.status);
    assert_int_equal(UVSMTP_OUTCOME_DEFERRED, e.outcome);
    assert_int_equal(452, e.code);
  }
}

/* Writing fails, reading neither ends nor fails: the reply still counts, and
 * without one it is not for long. */
#define ONE_WAY                                                   \
  "S 220 hi\n C EHLO\n S 250 peer\n C MAIL\n S 250 ok\n C RCPT\n" \
  "S 250 ok\n C DATA\n SHUT\n S 354 go\n STALL\n"

static void test_only_writing_fails(void** state) {
  ending_t e;
  (void)state;
  e = send_to(ONE_WAY "S 554 5.3.4 too much", PEER_UNIX);
  assert_int_equal(UVSMTP_EDATA, e.status);
  assert_int_equal(554, e.code);
  e = send_to(ONE_WAY, PEER_UNIX);
  assert_int_equal(UVSMTP_EDISCONNECTED, e.status);
  assert_int_equal(UV_EPIPE, e.cause);
  assert_int_equal(UVSMTP_OUTCOME_DEFERRED, e.outcome);
}

/* Waiting for room takes a descriptor. Without one the connection is lost, and
 * the reason is told. */
static void test_no_descriptor(void** state) {
  fixture_t f;
  call_t call;
  letter_t letter;
  struct rlimit old;
  struct rlimit none;
  int first; /* descriptor that is free */
  peer_t* peer = peer_play(PEER_UNIX, ENVELOPE "STALL");
  uvsmtp_session_t* s;
  (void)state;
  memset(&call, 0, sizeof(call));
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  assert_int_equal(0, CALL(&call, &f, uvsmtp_hello(s, on_call, &call)));
  wait_for(&call);
  assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &old));
  none = old;
  first = dup(STDIN_FILENO);
  close(first);
  none.rlim_cur = (rlim_t)first;
  assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &none));
  letter_init(&letter, "a@example.com", "b@example.org", text, BIG);
  assert_int_equal(
      0, CALL(&call, &f, uvsmtp_send(s, &letter.message, on_call, &call)));
  wait_for(&call);
  assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &old));
  assert_int_equal(UVSMTP_EDISCONNECTED, call.status);
  assert_int_equal(UV_EMFILE, call.cause);
  assert_int_equal(UVSMTP_OUTCOME_DEFERRED, call.outcome);
  close_session(&f, s);
  fixture_finish(&f);
  peer_finish(peer, NULL);
}

/* A host may have closed its standard streams: what it then writes there must
 * not go to a server. */
static void test_standard_streams(void** state) {
  fixture_t f;
  call_t call;
  letter_t letter;
  int kept;
  peer_t* peer = peer_play(PEER_UNIX, ENVELOPE "STALL");
  uvsmtp_session_t* s;
  (void)state;
  memset(&call, 0, sizeof(call));
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  letter_init(&letter, "a@example.com", "b@example.org", text, BIG);
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  assert_int_equal(0, CALL(&call, &f, uvsmtp_hello(s, on_call, &call)));
  wait_for(&call);
  kept = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
  assert_true(kept >= 3);
  close(STDIN_FILENO);
  assert_int_equal(
      0, CALL(&call, &f, uvsmtp_send(s, &letter.message, on_call, &call)));
  run_to_stall(&f, peer, 1);
  assert_int_equal(0, call.times); /* blocked */
  assert_int_equal(-1, fcntl(STDIN_FILENO, F_GETFD));
  close_session(&f, s);
  assert_int_equal(STDIN_FILENO, dup2(kept, STDIN_FILENO));
  close(kept);
  fixture_finish(&f);
  peer_finish(peer, NULL);
}

/* ------------------------------------------------------------ slow readers */

static void test_big_message(void** state) {
  static const int flags[] = {0, PEER_UNIX, PEER_PIPELINING | PEER_CHUNKING,
                              PEER_UNIX | PEER_PIPELINING | PEER_CHUNKING};
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
    fixture_t f;
    call_t call;
    letter_t letter;
    int messages = 0;
    peer_t* peer = peer_answer(flags[i]);
    uvsmtp_session_t* s;
    memset(&call, 0, sizeof(call));
    fixture_start(&f);
    s = open_session(&f, peer, NULL);
    letter_init(&letter, "a@example.com", "b@example.org", text, BIG);
    assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
    assert_int_equal(
        0, CALL(&call, &f, uvsmtp_send(s, &letter.message, on_call, &call)));
    wait_for(&call);
    assert_int_equal(0, call.status);
    assert_int_equal(UVSMTP_OUTCOME_ACCEPTED, call.outcome);
    /* However much there is to send, little of it is ever held. */
    assert_true(f.heap.peak < 512 * 1024);
    close_session(&f, s);
    fixture_finish(&f);
    assert_null(peer_finish(peer, &messages));
    assert_int_equal(1, messages);
  }
}

int main(int argc, char** argv) {
  const struct CMUnitTest tests[] = {
      TEST(test_no_sigpipe),         TEST(test_reply_then_close),
      TEST(test_only_writing_fails), TEST(test_no_descriptor),
      TEST(test_standard_streams),   TEST(test_big_message),
  };
  int failed;
  text = make_text();
  if (argc > 1 && strcmp(argv[1], "child") == 0) {
    failed = run_child();
  } else {
    failed = cmocka_run_group_tests(tests, NULL, NULL);
  }
  free(text);
  return failed;
}
