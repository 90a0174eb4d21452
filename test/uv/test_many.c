/* SPDX-License-Identifier: MIT */
/* test_many.c: a thousand sessions on one loop. */
#include <sys/resource.h>

#include "fixture.h"

enum { SESSIONS = 1000, MESSAGES = 3 };

static const char body[] = "Subject: x\r\n\r\nHello\r\n.dot\r\n";

typedef struct one_s {
  call_t call;
  fixture_t* f;
  uvsmtp_session_t* session;
  letter_t letter;
  int left;
  int accepted;
  int released;
  int* done;
} one_t;

static void send_next(call_t* call) {
  one_t* one = call->arg;
  if (call->status == 0 && call->outcome == UVSMTP_OUTCOME_ACCEPTED)
    one->accepted++;
  one->released += one->letter.released;
  if (one->left-- == 0) {
    ++*one->done;
    assert_int_equal(0, uvsmtp_quit(one->session, NULL, NULL));
    assert_int_equal(
        0, uvsmtp_session_close(one->session, on_session_closed, one->f));
    return;
  }
  letter_init(&one->letter, "a@example.com", "b@example.org", body,
              sizeof(body) - 1);
  assert_int_equal(0, CALL(&one->call, one->f,
                           uvsmtp_send(one->session, &one->letter.message,
                                       on_call, &one->call)));
}

static void run_sessions(int flags) {
  fixture_t f;
  int done = 0;
  int messages = 0;
  int i;
  one_t* all = calloc(SESSIONS, sizeof(*all));
  peer_t* peer = peer_answer(flags);
  assert_non_null(all);
  fixture_start(&f);
  for (i = 0; i < SESSIONS; i++) {
    one_t* one = &all[i];
    one->f = &f;
    one->done = &done;
    one->left = MESSAGES;
    one->call.then = send_next;
    one->call.arg = one;
    one->session = open_session(&f, peer, NULL);
    assert_int_equal(
        0, CALL(&one->call, &f,
                uvsmtp_connect(one->session, NULL, on_call, &one->call)));
  }
  run_until(&f, &f.closed, SESSIONS);
  assert_int_equal(SESSIONS, done);
  for (i = 0; i < SESSIONS; i++) {
    assert_int_equal(MESSAGES, all[i].accepted);
    assert_int_equal(MESSAGES, all[i].released);
  }
  assert_int_equal(SESSIONS * (MESSAGES + 1), f.order);
  fixture_finish(&f);
  assert_null(peer_finish(peer, &messages));
  assert_int_equal(SESSIONS * MESSAGES, messages);
  free(all);
}

static void test_unix(void** state) {
  (void)state;
  run_sessions(PEER_UNIX | PEER_PIPELINING);
}

static void test_tcp(void** state) {
  (void)state;
  run_sessions(PEER_PIPELINING | PEER_CHUNKING);
}

/* Both ends are in this process. */
static int raise_limit(void** state) {
  struct rlimit limit;
  (void)state;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -1;
  limit.rlim_cur = limit.rlim_max;
  return setrlimit(RLIMIT_NOFILE, &limit);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_unix),
      TEST(test_tcp),
  };
  return cmocka_run_group_tests(tests, raise_limit, NULL);
}
