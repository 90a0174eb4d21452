/* SPDX-License-Identifier: MIT */
/* test_resolve.c: the caller's own resolver: every way to answer, and none. */
#include <unistd.h>

#include "double.h"
#include "net.h"

typedef struct scene_s {
  fixture_t f;
  double_t names;
  uvsmtp_timeouts_t timeouts;
  uvsmtp_session_t* s;
  call_t call;
} scene_t;

static void begin(scene_t* t, const char* address, int port) {
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
  memset(t, 0, sizeof(*t));
  double_init(&t->names, address, NULL);
  fixture_start_with(&t->f, &t->names.resolver);
  t->timeouts = timeouts;
  t->timeouts.connect = -1;
  target.host = "server.example";
  target.port = port;
  config.target = &target;
  config.timeouts = &t->timeouts;
  config.local_name = "client.example";
  assert_int_equal(0, uvsmtp_session_new(&t->s, t->f.env, &config));
}

static void call_connect(scene_t* t) {
  assert_int_equal(
      0, CALL(&t->call, &t->f, uvsmtp_connect(t->s, NULL, on_call, &t->call)));
}

/* Until the resolver has been asked n times. */
static void asked(scene_t* t, int n) { run_until(&t->f, &t->names.asked, n); }

static void end(scene_t* t) {
  close_session(&t->f, t->s);
  fixture_finish(&t->f);
}

/* ----------------------------------------------------------------- answers */

/* Within resolve, or later from the loop. */
static void test_answers(void** state) {
  peer_t* peer = peer_answer(0);
  int mode;
  (void)state;
  for (mode = DOUBLE_HOLD; mode <= DOUBLE_AT_ONCE; mode++) {
    scene_t t;
    begin(&t, "127.0.0.1", peer_port(peer));
    t.names.mode = mode;
    call_connect(&t);
    asked(&t, 1);
    assert_string_equal("server.example", t.names.host);
    assert_int_equal(0, t.call.times);
    if (mode == DOUBLE_HOLD) {
      double_answer(&t.names, 0);
      assert_int_equal(0, t.call.times); /* nothing happens within */
    }
    wait_for(&t.call);
    assert_int_equal(0, t.call.status);
    assert_int_equal(1, t.names.asked);
    assert_int_equal(0, t.names.canceled);
    end(&t);
  }
  assert_null(peer_finish(peer, NULL));
}

/* What comes of an answer without an address. scenario: 16 */
static int cause(int mode, int refuse, int status, const char* one,
                 const char* two) {
  scene_t t;
  begin(&t, NULL, 25);
  t.names.mode = mode;
  t.names.refuse = refuse;
  t.names.status = status;
  t.names.addresses[0] = one;
  t.names.addresses[1] = two;
  t.names.n = two != NULL ? 2 : one != NULL;
  call_connect(&t);
  asked(&t, 1);
  if (refuse == 0 && mode == DOUBLE_HOLD) double_answer(&t.names, 0);
  wait_for(&t.call);
  assert_int_equal(UVSMTP_ECONNECT, t.call.status);
  assert_int_equal(0, uvsmtp_session_attempt_count(t.s));
  assert_int_equal(0, t.names.canceled);
  end(&t);
  return t.call.cause;
}

static void test_errors(void** state) {
  int mode;
  (void)state;
  for (mode = DOUBLE_HOLD; mode <= DOUBLE_AT_ONCE; mode++) {
    assert_int_equal(UV_EAI_NONAME, cause(mode, 0, UV_EAI_NONAME, NULL, NULL));
    assert_int_equal(UV_EAI_AGAIN,
                     cause(mode, 0, UV_EAI_AGAIN, "127.0.0.1", NULL));
    assert_int_equal(UV_EAI_NODATA, cause(mode, 0, 0, NULL, NULL));
    assert_int_equal(UV_EAI_ADDRFAMILY, cause(mode, 0, 0, "/", NULL));
    assert_int_equal(UV_EAI_ADDRFAMILY, cause(mode, 0, 0, "/", "/"));
    assert_int_equal(UV_EINVAL, cause(mode, 0, 17, NULL, NULL));
    assert_int_equal(UV_ENOTSUP, cause(mode, UV_ENOTSUP, 0, NULL, NULL));
    assert_int_equal(UV_EINVAL, cause(mode, 17, 0, NULL, NULL));
  }
}

/* Literals and paths are no names; of a port and brackets it is not told. */
static void test_not_asked(void** state) {
  static const char* const hosts[] = {"127.0.0.2", "[127.0.0.2]", "::1",
                                      "[::1]", "/nonexistent/socket"};
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  scene_t t;
  size_t i;
  int fd;
  int port = net_closed_port(&fd);
  char host[64];
  (void)state;
  begin(&t, "127.0.0.2", 0);
  for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
    target.host = hosts[i];
    target.port = port;
    assert_int_equal(
        0, CALL(&t.call, &t.f, uvsmtp_connect(t.s, &target, on_call, &t.call)));
    wait_for(&t.call);
    assert_int_equal(0, t.names.asked);
  }
  snprintf(host, sizeof(host), "other.example:%d", port);
  target.host = host;
  target.port = 0;
  assert_int_equal(
      0, CALL(&t.call, &t.f, uvsmtp_connect(t.s, &target, on_call, &t.call)));
  wait_for(&t.call);
  assert_string_equal("other.example", t.names.host);
  assert_int_equal(UV_ECONNREFUSED, t.call.cause);
  end(&t);
  close(fd);
}

/* --------------------------------------------------------------- no answer */

/* scenario: 17. The completions don't wait for the lookup, the session's end
 * does; no socket is opened. */
static void test_close(void** state) {
  int descriptors;
  int i;
  (void)state;
  for (i = 0; i < 2; i++) {
    scene_t t;
    begin(&t, "127.0.0.1", 25);
    t.names.mode = DOUBLE_HOLD;
    if (i == 1) t.names.resolver.cancel = NULL;
    call_connect(&t);
    asked(&t, 1);
    descriptors = fds_open();
    assert_int_equal(0, uvsmtp_session_close(t.s, on_session_closed, &t.f));
    assert_int_equal(i == 0, t.names.canceled);
    assert_int_equal(0, t.call.times); /* never within a call */
    wait_for(&t.call);
    assert_int_equal(UV_ECANCELED, t.call.status);
    run_for(&t.f, 5);
    assert_int_equal(0, t.f.closed);
    assert_int_equal(UV_EBUSY, uvsmtp_env_close(t.f.env, NULL, NULL));
    double_answer(&t.names, 0);
    assert_int_equal(0, t.f.closed);
    run_until(&t.f, &t.f.closed, 1);
    assert_int_equal(1, t.call.times);
    assert_int_equal(i == 0, t.names.canceled);
    assert_int_equal(descriptors, fds_open());
    fixture_finish(&t.f);
  }
}

/* The answer comes within cancel. */
static void test_answer_in_cancel(void** state) {
  scene_t t;
  (void)state;
  begin(&t, "127.0.0.1", 25);
  t.names.mode = DOUBLE_HOLD;
  t.names.answer_in_cancel = 1;
  call_connect(&t);
  asked(&t, 1);
  end(&t);
  assert_int_equal(1, t.names.canceled);
  assert_int_equal(UV_ECANCELED, t.call.status);
}

static void count_close(uvsmtp_session_t* s, void* arg) {
  (void)s;
  ++*(int*)arg;
}

/* Only this session waits for it. */
static void test_close_is_last(void** state) {
  scene_t t;
  uvsmtp_session_t* other = NULL;
  int closed = 0;
  (void)state;
  begin(&t, "127.0.0.1", 25);
  t.names.mode = DOUBLE_HOLD;
  call_connect(&t);
  asked(&t, 1);
  assert_int_equal(0, uvsmtp_session_close(t.s, count_close, &closed));
  wait_for(&t.call);
  /* Another session of the environment goes on meanwhile. */
  assert_int_equal(0, uvsmtp_session_new(&other, t.f.env, NULL));
  close_session(&t.f, other);
  assert_int_equal(0, closed);
  double_answer(&t.names, 0);
  run_until(&t.f, &closed, 1);
  fixture_finish(&t.f);
}

/* The deadline of connecting covers the lookup, and keeps the loop alive when
 * the resolver has nothing that does. */
static void test_deadline(void** state) {
  scene_t t;
  (void)state;
  begin(&t, "127.0.0.1", 25);
  t.names.mode = DOUBLE_HOLD;
  t.timeouts.connect = 30;
  assert_int_equal(0, uvsmtp_session_set_timeouts(t.s, &t.timeouts));
  call_connect(&t);
  uv_run(&t.f.loop, UV_RUN_DEFAULT);
  assert_int_equal(1, t.call.times);
  assert_int_equal(UV_ETIMEDOUT, t.call.status);
  assert_int_equal(1, t.names.canceled);
  assert_int_equal(0, uvsmtp_session_attempt_count(t.s));
  double_answer(&t.names, 0);
  end(&t);
}

/* A query that outlives its connect: the next connect has one of its own, and
 * the late answer is nobody's. */
static void test_outlived(void** state) {
  peer_t* peer = peer_answer(0);
  scene_t t;
  int i;
  (void)state;
  for (i = 0; i < 3; i++) {
    begin(&t, "127.0.0.2", peer_port(peer)); /* nobody is there */
    t.names.mode = DOUBLE_HOLD;
    t.timeouts.connect = 20;
    assert_int_equal(0, uvsmtp_session_set_timeouts(t.s, &t.timeouts));
    call_connect(&t);
    wait_for(&t.call);
    assert_int_equal(UV_ETIMEDOUT, t.call.status);
    t.timeouts.connect = -1;
    assert_int_equal(0, uvsmtp_session_set_timeouts(t.s, &t.timeouts));
    call_connect(&t);
    asked(&t, 2);
    if (i == 0) double_answer(&t.names, 0);
    run_for(&t.f, 2);
    assert_int_equal(0, t.call.times);
    t.names.addresses[0] = "127.0.0.1";
    double_answer(&t.names, 1);
    wait_for(&t.call);
    assert_int_equal(0, t.call.status);
    if (i == 1) double_answer(&t.names, 0);
    /* Or it comes when the session is being closed. */
    assert_int_equal(0, uvsmtp_session_close(t.s, on_session_closed, &t.f));
    if (i == 2) {
      run_for(&t.f, 2);
      assert_int_equal(0, t.f.closed);
      double_answer(&t.names, 0);
    }
    run_until(&t.f, &t.f.closed, 1);
    fixture_finish(&t.f);
  }
  assert_null(peer_finish(peer, NULL));
}

/* Some sessions, one answer for each, in another order. */
static void test_several(void** state) {
  enum { N = 5 };
  peer_t* peer = peer_answer(0);
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_session_t* s[N];
  call_t calls[N];
  scene_t t;
  int i;
  (void)state;
  memset(calls, 0, sizeof(calls));
  begin(&t, "127.0.0.1", peer_port(peer));
  t.names.mode = DOUBLE_HOLD;
  target.host = "server.example";
  target.port = peer_port(peer);
  config.target = &target;
  for (i = 0; i < N; i++) {
    s[i] = open_session(&t.f, NULL, &config);
    assert_int_equal(0, CALL(&calls[i], &t.f,
                             uvsmtp_connect(s[i], NULL, on_call, &calls[i])));
  }
  asked(&t, N);
  assert_int_equal(0, uvsmtp_session_close(s[1], on_session_closed, &t.f));
  for (i = N - 1; i >= 0; i--) double_answer(&t.names, i);
  for (i = 0; i < N; i++) {
    wait_for(&calls[i]);
    assert_int_equal(i == 1 ? UV_ECANCELED : 0, calls[i].status);
    if (i != 1) {
      assert_int_equal(0, uvsmtp_session_close(s[i], on_session_closed, &t.f));
    }
  }
  run_until(&t.f, &t.f.closed, N);
  end(&t);
  assert_null(peer_finish(peer, NULL));
}

static void answer_other(call_t* call) {
  double_answer(call->arg, 0);
  assert_int_equal(
      0, uvsmtp_session_close(call->session, on_session_closed, call->f));
}

/* The answer to one session's query comes from another's completion. */
static void test_answer_in_completion(void** state) {
  peer_t* peer = peer_answer(0);
  uvsmtp_session_t* other;
  call_t call;
  scene_t t;
  (void)state;
  memset(&call, 0, sizeof(call));
  begin(&t, "127.0.0.1", peer_port(peer));
  t.names.mode = DOUBLE_HOLD;
  call_connect(&t);
  asked(&t, 1);
  other = open_session(&t.f, peer, NULL);
  call.then = answer_other;
  call.arg = &t.names;
  assert_int_equal(
      0, CALL(&call, &t.f, uvsmtp_connect(other, NULL, on_call, &call)));
  wait_for(&t.call);
  assert_int_equal(0, t.call.status);
  run_until(&t.f, &t.f.closed, 1);
  end(&t);
  assert_null(peer_finish(peer, NULL));
}

/* --------------------------------------------------------------- the rules */

/* Within the resolver's functions no call is taken. */
static void probe(double_t* d) {
  scene_t* t = d->arg;
  uvsmtp_connection_t connection = UVSMTP_CONNECTION_INIT;
  uvsmtp_session_t* other = NULL;
  assert_int_equal(UV_EBUSY, uvsmtp_noop(t->s, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_connect(t->s, NULL, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_open(t->s, &connection, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_session_close(t->s, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_session_end(t->s, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_session_new(&other, t->f.env, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_env_close(t->f.env, NULL, NULL));
  uvsmtp_session_resume(t->s);
  t->f.order++;
}

static void test_busy(void** state) {
  scene_t t;
  (void)state;
  begin(&t, "127.0.0.1", 25);
  t.names.mode = DOUBLE_HOLD;
  t.names.hook = probe;
  t.names.arg = &t;
  t.names.answer_in_cancel = 1;
  call_connect(&t);
  asked(&t, 1);
  assert_int_equal(1, t.f.order);
  end(&t);
  assert_int_equal(3, t.f.order); /* and the completion */
}

static void test_invalid(void** state) {
  uvsmtp_env_config_t config = UVSMTP_ENV_CONFIG_INIT;
  uvsmtp_env_t* env = NULL;
  uv_loop_t loop;
  double_t names;
  (void)state;
  assert_int_equal(0, uv_loop_init(&loop));
  double_init(&names, NULL);
  config.resolver = &names.resolver;
  names.resolver.size--;
  assert_int_equal(UV_EINVAL, uvsmtp_env_new(&env, &loop, &config));
  names.resolver.size = 0;
  assert_int_equal(UV_EINVAL, uvsmtp_env_new(&env, &loop, &config));
  names.resolver.size = sizeof(names.resolver);
  names.resolver.resolve = NULL;
  assert_int_equal(UV_EINVAL, uvsmtp_env_new(&env, &loop, &config));
  assert_null(env);
  assert_int_equal(0, uv_loop_close(&loop));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_answers),
      TEST(test_errors),
      TEST(test_not_asked),
      TEST(test_close),
      TEST(test_answer_in_cancel),
      TEST(test_close_is_last),
      TEST(test_deadline),
      TEST(test_outlived),
      TEST(test_several),
      TEST(test_answer_in_completion),
      TEST(test_busy),
      TEST(test_invalid),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
