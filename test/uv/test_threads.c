/* SPDX-License-Identifier: MIT */
/* test_threads.c: two loops in two threads, each with an environment of its
 * own, have nothing in common. Meant for the thread sanitizer. */
#include <pthread.h>

#include "fixture.h"

enum { THREADS = 2, SESSIONS = 8, MESSAGES = 10 };

static const char body[] = "Subject: x\r\n\r\nHello\r\n.dot\r\n";

typedef struct worker_s {
  pthread_t thread;
  int flags;
  int accepted;
  int closed;
  int wrong; /* calls that went otherwise */
  int left_open;
} worker_t;

static void on_sent(uvsmtp_session_t* s, const uvsmtp_result_t* result,
                    void* arg) {
  worker_t* w = arg;
  (void)s;
  if (uvsmtp_result_status(result) == 0 &&
      uvsmtp_result_outcome(result) == UVSMTP_OUTCOME_ACCEPTED) {
    w->accepted++;
  } else {
    w->wrong++;
  }
}

static void on_closed(uvsmtp_session_t* s, void* arg) {
  worker_t* w = arg;
  (void)s;
  w->closed++;
}

static void on_quit(uvsmtp_session_t* s, const uvsmtp_result_t* result,
                    void* arg) {
  worker_t* w = arg;
  (void)result;
  if (uvsmtp_session_close(s, on_closed, w) != 0) w->wrong++;
}

/* Checks by counting: assertions are for the main thread. */
static void* work(void* arg) {
  worker_t* w = arg;
  peer_t* peer = peer_answer(w->flags);
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  letter_t* letters = calloc(SESSIONS * MESSAGES, sizeof(*letters));
  uvsmtp_env_t* env = NULL;
  uv_loop_t loop;
  int i;
  int j;
  if (letters == NULL || uv_loop_init(&loop) != 0 ||
      uvsmtp_env_new(&env, &loop, NULL) != 0) {
    abort();
  }
  target.host = (w->flags & PEER_UNIX) != 0 ? peer_host(peer) : "localhost";
  target.port = peer_port(peer);
  config.target = &target;
  for (i = 0; i < SESSIONS; i++) {
    uvsmtp_session_t* s = NULL;
    if (uvsmtp_session_new(&s, env, &config) != 0) abort();
    w->wrong += uvsmtp_connect(s, NULL, NULL, NULL) != 0;
    for (j = 0; j < MESSAGES; j++) {
      letter_t* letter = &letters[i * MESSAGES + j];
      letter_init(letter, "a@example.com", "b@example.org", body,
                  sizeof(body) - 1);
      w->wrong += uvsmtp_send(s, &letter->message, on_sent, w) != 0;
    }
    w->wrong += uvsmtp_quit(s, on_quit, w) != 0;
  }
  uv_run(&loop, UV_RUN_DEFAULT);
  w->wrong += uvsmtp_env_close(env, NULL, NULL) != 0;
  uv_run(&loop, UV_RUN_DEFAULT);
  w->left_open = uv_loop_close(&loop);
  if (peer_finish(peer, NULL) != NULL) w->wrong++;
  free(letters);
  return NULL;
}

static void test_two_loops(void** state) {
  worker_t workers[THREADS];
  int i;
  (void)state;
  memset(workers, 0, sizeof(workers));
  for (i = 0; i < THREADS; i++) {
    workers[i].flags = i == 0 ? PEER_PIPELINING : PEER_UNIX | PEER_PIPELINING;
    assert_int_equal(
        0, pthread_create(&workers[i].thread, NULL, work, &workers[i]));
  }
  for (i = 0; i < THREADS; i++) {
    assert_int_equal(0, pthread_join(workers[i].thread, NULL));
    assert_int_equal(SESSIONS * MESSAGES, workers[i].accepted);
    assert_int_equal(SESSIONS, workers[i].closed);
    assert_int_equal(0, workers[i].wrong);
    assert_int_equal(0, workers[i].left_open);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_two_loops),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
