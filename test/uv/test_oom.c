/* SPDX-License-Identifier: MIT */
/* test_oom.c: every allocation of a whole session fails once, then that one and
 * all after it: calls complete once, nothing leaks, and what failed is not
 * called a success. */
#include <unistd.h>

#include "double.h"
#include "net.h"

/* How the session comes by its connection: to the address of the peer; by a
 * name, whose first address refuses; or it is handed over. */
enum way { BY_ADDRESS, BY_NAME, BY_HAND };

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
  enum way way;
  double_t names;
  const peer_t* peer;
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

static int call_connect(scene_t* scene, void* data) {
  uvsmtp_connection_t connection = UVSMTP_CONNECTION_INIT;
  struct sockaddr_storage addr;
  socklen_t len;
  int err;
  if (scene->way != BY_HAND) {
    return uvsmtp_connect(scene->session, NULL, on_done, data);
  }
  len = net_address(&addr, peer_host(scene->peer), peer_port(scene->peer));
  connection.fd = socket(addr.ss_family, SOCK_STREAM, 0);
  assert_int_equal(0, connect(connection.fd, (struct sockaddr*)&addr, len));
  err = uvsmtp_open(scene->session, &connection, on_done, data);
  if (err != 0) assert_int_equal(0, close(connection.fd)); /* not taken */
  return err;
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
        err = call_connect(scene, data);
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

static int start(scene_t* scene) {
  const peer_t* peer = scene->peer;
  uvsmtp_env_config_t env_config = UVSMTP_ENV_CONFIG_INIT;
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
  scene->mem.size = sizeof(scene->mem);
  scene->mem.alloc = heap_alloc;
  scene->mem.data = &scene->heap;
  env_config.mem = &scene->mem;
  double_init(&scene->names, "127.0.0.2", "127.0.0.1", NULL);
  env_config.resolver = &scene->names.resolver;
  if (uvsmtp_env_new(&scene->env, &scene->loop, &env_config) != 0) return -1;
  target.host = scene->way == BY_NAME ? "peer.example" : peer_host(peer);
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
static int live(long n, int all, int flags, enum way way, int ends) {
  scene_t scene;
  peer_t* peer = peer_answer(flags);
  int i;
  memset(&scene, 0, sizeof(scene));
  for (i = 0; i < 2; i++) {
    letter_init(&scene.letters[i], "a@example.com", "b@example.org", body,
                sizeof(body) - 1);
  }
  scene.ends = ends;
  scene.way = way;
  scene.peer = peer;
  scene.heap.fail_at = n;
  scene.heap.fail_all = all;
  assert_int_equal(0, uv_loop_init(&scene.loop));
  if (start(&scene) == 0) {
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

static void each_fails(int flags, enum way way) {
  long n = 0;
  int kind;
  for (kind = 0; kind < 4; kind++) {
    for (n = 1; live(n, kind & 1, flags, way, kind >> 1); n++) continue;
    assert_true(n > 10);
  }
}

static void test_plain(void** state) {
  (void)state;
  each_fails(PEER_UNIX, BY_ADDRESS);
}

static void test_pipelined(void** state) {
  (void)state;
  each_fails(PEER_PIPELINING, BY_ADDRESS);
}

static void test_chunked(void** state) {
  (void)state;
  each_fails(PEER_UNIX | PEER_PIPELINING | PEER_CHUNKING, BY_ADDRESS);
}

static void test_by_name(void** state) {
  (void)state;
  each_fails(PEER_PIPELINING, BY_NAME);
}

static void test_by_hand(void** state) {
  (void)state;
  each_fails(PEER_PIPELINING, BY_HAND);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_plain),   TEST(test_pipelined), TEST(test_chunked),
      TEST(test_by_name), TEST(test_by_hand),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
