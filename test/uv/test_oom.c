/* SPDX-License-Identifier: MIT */
/* test_oom.c: every allocation of a whole session fails once, then that one and
 * all after it: calls complete once, nothing leaks, and what failed is not
 * called a success. */
#include "fixture.h"

static const char body[] = "Subject: x\r\n\r\nbare\nline ends\n.dot\r\n";

enum { CONNECT, SEND, NOOP, MAIL, RCPT, DATA, QUIT, CALLS };

typedef struct scene_s {
  uv_loop_t loop;
  heap_t heap;
  uvsmtp_mem_t mem;
  uvsmtp_env_t* env;
  uvsmtp_session_t* session;
  struct {
    int accepted;
    int times;
    int status;
    int outcome;
  } calls[CALLS];
  int accepted;
  int done;
  int closed;
  int ends; /* the session ends by itself, without a quit and a close */
  letter_t letters[2];
  int messages; /* that the peer took */
} scene_t;

/* The completion of call i has data &calls[i]. */
static void on_done(uvsmtp_session_t* s, const uvsmtp_result_t* result,
                    void* arg) {
  scene_t* scene = uvsmtp_session_data(s);
  size_t i =
      (size_t)((char*)arg - (char*)scene->calls) / sizeof(scene->calls[0]);
  scene->calls[i].times++;
  scene->calls[i].status = uvsmtp_result_status(result);
  scene->calls[i].outcome = uvsmtp_result_outcome(result);
  scene->done++;
}

static void submit(scene_t* scene) {
  uvsmtp_session_t* s = scene->session;
  letter_t* letters = scene->letters;
  int i;
  for (i = 0; i < (scene->ends ? QUIT : CALLS); i++) {
    void* data = &scene->calls[i];
    int err = 0;
    switch (i) {
      case CONNECT:
        err = uvsmtp_connect(s, NULL, on_done, data);
        break;
      case SEND:
        err = uvsmtp_send(s, &letters[0].message, on_done, data);
        break;
      case NOOP:
        err = uvsmtp_noop(s, on_done, data);
        break;
      case MAIL:
        err = uvsmtp_mail(s, "a@example.com", NULL, 0, on_done, data);
        break;
      case RCPT:
        err = uvsmtp_rcpt(s, "b@example.org", NULL, 0, on_done, data);
        break;
      case DATA:
        err = uvsmtp_data(s, &letters[1].body.source, 0, on_done, data);
        break;
      default:
        err = uvsmtp_quit(s, on_done, data);
    }
    scene->calls[i].accepted = err == 0;
    scene->accepted += err == 0;
    assert_true(err == 0 || err == UV_ENOMEM);
  }
}

static void count_close(uvsmtp_session_t* s, void* arg) {
  (void)s;
  ++*(int*)arg;
}

static int start(scene_t* scene, const peer_t* peer) {
  uvsmtp_env_config_t env_config = UVSMTP_ENV_CONFIG_INIT;
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
  scene->mem.size = sizeof(scene->mem);
  scene->mem.alloc = heap_alloc;
  scene->mem.data = &scene->heap;
  env_config.mem = &scene->mem;
  if (uvsmtp_env_new(&scene->env, &scene->loop, &env_config) != 0) return -1;
  target.host = peer_host(peer);
  target.port = peer_port(peer);
  config.target = &target;
  config.timeouts = &timeouts;
  config.data = scene;
  return uvsmtp_session_new(&scene->session, scene->env, &config);
}

static void check(const scene_t* scene) {
  int sure = 0;
  int maybe = 0;
  int i;
  for (i = 0; i < CALLS; i++) {
    int text = i == SEND || i == DATA;
    assert_int_equal(scene->calls[i].accepted, scene->calls[i].times);
    if (!text || !scene->calls[i].accepted) continue;
    assert_int_equal(scene->calls[i].status == 0,
                     scene->calls[i].outcome == UVSMTP_OUTCOME_ACCEPTED);
    sure += scene->calls[i].outcome == UVSMTP_OUTCOME_ACCEPTED;
    maybe += scene->calls[i].outcome == UVSMTP_OUTCOME_UNKNOWN;
  }
  assert_int_equal(scene->calls[SEND].accepted, scene->letters[0].released);
  assert_int_equal(scene->calls[DATA].accepted, scene->letters[1].released);
  /* What was called deferred or rejected was not taken. */
  assert_in_range(scene->messages, sure, sure + maybe);
}

static void end(scene_t* scene) {
  uvsmtp_session_t* s = scene->session;
  int ends = scene->ends;
  int alive = 1;
  if (ends) {
    assert_int_equal(0, uvsmtp_session_end(s, count_close, &scene->closed));
  }
  for (;;) {
    int over = ends ? scene->closed : scene->done == scene->accepted;
    if (over) break;
    assert_int_equal(1, alive);
    alive = uv_run(&scene->loop, UV_RUN_ONCE) != 0;
  }
  if (!ends) {
    assert_int_equal(0, uvsmtp_session_close(s, count_close, &scene->closed));
  }
  uv_run(&scene->loop, UV_RUN_DEFAULT);
  assert_int_equal(1, scene->closed);
  assert_int_equal(scene->accepted, scene->done);
}

/* One whole life in which allocation n fails. 0 when there is no such. */
static int live(long n, int all, int flags, int ends) {
  scene_t scene;
  peer_t* peer = peer_answer(flags);
  int i;
  memset(&scene, 0, sizeof(scene));
  for (i = 0; i < 2; i++) {
    letter_init(&scene.letters[i], "a@example.com", "b@example.org", body,
                sizeof(body) - 1);
  }
  scene.ends = ends;
  scene.heap.fail_at = n;
  scene.heap.fail_all = all;
  assert_int_equal(0, uv_loop_init(&scene.loop));
  if (start(&scene, peer) == 0) {
    submit(&scene);
    end(&scene);
  }
  if (scene.env != NULL) {
    assert_int_equal(0, uvsmtp_env_close(scene.env, NULL, NULL));
    uv_run(&scene.loop, UV_RUN_DEFAULT);
  }
  assert_int_equal(0, uv_loop_close(&scene.loop));
  assert_int_equal(0, scene.heap.blocks);
  assert_null(peer_finish(peer, &scene.messages));
  check(&scene);
  if (scene.heap.calls < n) assert_int_equal(2, scene.messages);
  return scene.heap.calls >= n;
}

static void each_fails(int flags) {
  long n = 0;
  int way;
  for (way = 0; way < 4; way++) {
    for (n = 1; live(n, way & 1, flags, way >> 1); n++) continue;
    assert_true(n > 10);
  }
}

static void test_plain(void** state) {
  (void)state;
  each_fails(PEER_UNIX);
}

static void test_pipelined(void** state) {
  (void)state;
  each_fails(PEER_PIPELINING);
}

static void test_chunked(void** state) {
  (void)state;
  each_fails(PEER_UNIX | PEER_PIPELINING | PEER_CHUNKING);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_plain),
      TEST(test_pipelined),
      TEST(test_chunked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
