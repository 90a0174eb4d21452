/* SPDX-License-Identifier: MIT */
/* test_threads.c: two loops in two threads, each with an environment of its
 * own, have nothing in common. Meant for the thread sanitizer. */
#include <pthread.h>

#include "fixture.h"

enum { THREADS = 2, SESSIONS = 8, MESSAGES = 10 };

static const char body[] = "Subject: x\r\n\r\nHello\r\n.dot\r\n";

/* No descriptor is closed in one thread while another still makes some: libuv
 * closes them with syscall(2), which the thread sanitizer does not see, so that
 * whoever is given the number next seems to race with who had it before. */
static pthread_barrier_t all_sent;

typedef struct worker_s {
  pthread_t thread;
  uv_loop_t loop;
  int flags;
  int sent;
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
  if (++w->sent == SESSIONS * MESSAGES) uv_stop(&w->loop);
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

/* When its sessions are closed. */
static void go(worker_t* w, uvsmtp_env_t* env, peer_t* peer) {
  w->wrong += uvsmtp_env_close(env, NULL, NULL) != 0;
  uv_run(&w->loop, UV_RUN_DEFAULT);
  w->left_open = uv_loop_close(&w->loop);
  if (peer_finish(peer, NULL) != NULL) w->wrong++;
}

/* Checks by counting: assertions are for the main thread. */
static void* work(void* arg) {
  worker_t* w = arg;
  peer_t* peer = peer_answer(w->flags);
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  letter_t* letters = calloc(SESSIONS * MESSAGES, sizeof(*letters));
  uvsmtp_session_t* sessions[SESSIONS];
  uvsmtp_env_t* env = NULL;
  int i;
  int j;
  if (letters == NULL || uv_loop_init(&w->loop) != 0 ||
      uvsmtp_env_new(&env, &w->loop, NULL) != 0) {
    abort();
  }
  target.host = (w->flags & PEER_UNIX) != 0 ? peer_host(peer) : "localhost";
  target.port = peer_port(peer);
  config.target = &target;
  for (i = 0; i < SESSIONS; i++) {
    uvsmtp_session_t* s = NULL;
    if (uvsmtp_session_new(&s, env, &config) != 0) abort();
    sessions[i] = s;
    w->wrong += uvsmtp_connect(s, NULL, NULL, NULL) != 0;
    for (j = 0; j < MESSAGES; j++) {
      letter_t* letter = &letters[i * MESSAGES + j];
      letter_init(letter, "a@example.com", "b@example.org", body,
                  sizeof(body) - 1);
      w->wrong += uvsmtp_send(s, &letter->message, on_sent, w) != 0;
    }
  }
  uv_run(&w->loop, UV_RUN_DEFAULT);
  pthread_barrier_wait(&all_sent);
  for (i = 0; i < SESSIONS; i++)
    w->wrong += uvsmtp_quit(sessions[i], on_quit, w) != 0;
  uv_run(&w->loop, UV_RUN_DEFAULT);
  go(w, env, peer);
  free(letters);
  return NULL;
}

/* The workers, each with its flags; how many messages each is to deliver over
 * how many sessions. */
static void run_workers(void* (*job)(void*), const int* flags, int accepted,
                        int closed) {
  worker_t workers[THREADS];
  int i;
  memset(workers, 0, sizeof(workers));
  assert_int_equal(0, pthread_barrier_init(&all_sent, NULL, THREADS));
  for (i = 0; i < THREADS; i++) {
    workers[i].flags = flags[i];
    assert_int_equal(
        0, pthread_create(&workers[i].thread, NULL, job, &workers[i]));
  }
  for (i = 0; i < THREADS; i++) {
    assert_int_equal(0, pthread_join(workers[i].thread, NULL));
    assert_int_equal(accepted, workers[i].accepted);
    assert_int_equal(closed, workers[i].closed);
    assert_int_equal(0, workers[i].wrong);
    assert_int_equal(0, workers[i].left_open);
  }
  assert_int_equal(0, pthread_barrier_destroy(&all_sent));
}

static void test_two_loops(void** state) {
  static const int flags[THREADS] = {PEER_PIPELINING,
                                     PEER_UNIX | PEER_PIPELINING};
  (void)state;
  run_workers(work, flags, SESSIONS * MESSAGES, SESSIONS);
}

/* ------------------------------------------------------------------- TLS */

static void on_delivered(uvsmtp_session_t* s, const uvsmtp_result_t* result,
                         void* arg) {
  worker_t* w = arg;
  (void)s;
  if (uvsmtp_result_status(result) != 0 || uvsmtp_result_tls(result) == NULL ||
      !uvsmtp_tls_info_verified(uvsmtp_result_tls(result))) {
    w->wrong++;
  } else {
    w->accepted++;
  }
}

#define DELIVERED                                                              \
  "C MAIL\n S 250 ok\n C RCPT\n S 250 ok\n C DATA\n S 354 go\n T\n S 250 ok\n" \
  "C QUIT\n S 221 bye\n EOF"

/* A message within TLS; the credentials may be NULL. */
static void deliver_by_tls(worker_t* w, const char* script,
                           uvsmtp_credentials_t* credentials) {
  peer_t* peer = peer_play(0, script);
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_tls_config_t trust = UVSMTP_TLS_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_session_t* s = NULL;
  uvsmtp_env_t* env = NULL;
  uvsmtp_tls_t* tls = NULL;
  letter_t letter;
  trust.ca.base = peer_certificate(peer);
  trust.ca.len = strlen(peer_certificate(peer));
  target.host = peer_host(peer);
  target.port = peer_port(peer);
  target.tls = UVSMTP_TLS_IMPLICIT;
  target.credentials = credentials;
  config.target = &target;
  config.local_name = "client.example";
  if (uv_loop_init(&w->loop) != 0 ||
      uvsmtp_env_new(&env, &w->loop, NULL) != 0 ||
      uvsmtp_tls_new(&tls, &trust, NULL) != 0) {
    abort();
  }
  target.tls_settings = tls;
  if (uvsmtp_session_new(&s, env, &config) != 0) abort();
  uvsmtp_tls_unref(tls); /* the session has both */
  uvsmtp_credentials_unref(credentials);
  letter_init(&letter, "a@example.com", "b@example.org", body,
              sizeof(body) - 1);
  w->wrong += uvsmtp_connect(s, NULL, NULL, NULL) != 0;
  w->wrong += uvsmtp_send(s, &letter.message, on_delivered, w) != 0;
  w->wrong += uvsmtp_quit(s, NULL, NULL) != 0;
  uv_run(&w->loop, UV_RUN_DEFAULT);
  pthread_barrier_wait(&all_sent);
  w->wrong += uvsmtp_session_close(s, on_closed, w) != 0;
  uv_run(&w->loop, UV_RUN_DEFAULT);
  go(w, env, peer);
}

/* Settings are of one loop, and so is what Mbed TLS has behind them. */
static void* work_with_tls(void* arg) {
  deliver_by_tls(arg, "TLS\n S 220 hi\n C EHLO\n S 250 hi\n" DELIVERED, NULL);
  return NULL;
}

/* So are credentials, and what is computed with them. */
static void* work_with_scram(void* arg) {
  uvsmtp_credentials_config_t config = UVSMTP_CREDENTIALS_CONFIG_INIT;
  uvsmtp_credentials_t* credentials = NULL;
  config.user = "joe";
  config.password = "sesame";
  if (uvsmtp_credentials_new(&credentials, &config, NULL) != 0) abort();
  deliver_by_tls(
      arg,
      "TLS\n S 220 hi\n C EHLO\n S 250-hi\n"
      "S 250 AUTH SCRAM-SHA-256\n SCRAM SHA-256 10000 sesame\n" DELIVERED,
      credentials);
  return NULL;
}

static void test_two_loops_with_tls(void** state) {
  static const int flags[THREADS] = {0};
  (void)state;
  run_workers(work_with_tls, flags, 1, 1);
}

static void test_two_loops_with_scram(void** state) {
  static const int flags[THREADS] = {0};
  (void)state;
  run_workers(work_with_scram, flags, 1, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_two_loops),
      TEST(test_two_loops_with_tls),
      TEST(test_two_loops_with_scram),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
