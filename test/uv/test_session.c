/* SPDX-License-Identifier: MIT */
/* test_session.c: calls and their completions: one each, later, in order, and
 * what may be called from where. */
#include "fixture.h"

static const char body[] = "Subject: x\r\n\r\nHello\r\n.dot\r\n";

static const char one_of_each[] =
    "S 220 hi\n C EHLO\n S 250-peer\n S 250 SIZE 1000\n"
    "C NOOP\n S 250 ok\n"
    "C MAIL FROM:<a@example.com>\n S 250 ok\n"
    "C RCPT TO:<b@example.org>\n S 250 ok\n"
    "C DATA\n S 354 go\n T\n S 250 2.0.0 queued as 1\n"
    "C VRFY b\n S 252 perhaps\n"
    "C RSET\n S 250 ok\n"
    "C QUIT\n S 221 bye\n EOF";

enum { CONNECT, EHLO, NOOP, SEND, COMMAND, RSET, QUIT, CALLS };

/* Submits the calls that one_of_each answers. */
static void submit_all(fixture_t* f, uvsmtp_session_t* s, call_t* calls,
                       letter_t* letter) {
  call_t* c = calls;
  assert_int_equal(0, CALL(c, f, uvsmtp_connect(s, NULL, on_call, c)));
  c++;
  assert_int_equal(0, CALL(c, f, uvsmtp_ehlo(s, NULL, on_call, c)));
  c++;
  assert_int_equal(0, CALL(c, f, uvsmtp_noop(s, on_call, c)));
  c++;
  assert_int_equal(0, CALL(c, f, uvsmtp_send(s, &letter->message, on_call, c)));
  c++;
  assert_int_equal(0, CALL(c, f, uvsmtp_command(s, "VRFY b", on_call, c)));
  c++;
  assert_int_equal(0, CALL(c, f, uvsmtp_rset(s, on_call, c)));
  c++;
  assert_int_equal(0, CALL(c, f, uvsmtp_quit(s, on_call, c)));
}

static void all_at_once(int flags) {
  fixture_t f;
  call_t calls[CALLS];
  letter_t letter;
  peer_t* peer = peer_play(flags, one_of_each);
  uvsmtp_session_t* s;
  int i;
  memset(calls, 0, sizeof(calls));
  letter_init(&letter, "a@example.com", "b@example.org", body,
              sizeof(body) - 1);
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  submit_all(&f, s, calls, &letter);
  assert_int_equal(0, f.order);
  wait_for(&calls[QUIT]);
  for (i = 0; i < CALLS; i++) {
    assert_int_equal(1, calls[i].times);
    assert_int_equal(i + 1, calls[i].order);
    assert_int_equal(0, calls[i].status);
    assert_ptr_equal(s, calls[i].session);
  }
  assert_int_equal(220, calls[CONNECT].code);
  assert_int_equal(250, calls[SEND].code);
  assert_string_equal("2.0.0 queued as 1", calls[SEND].text);
  assert_int_equal(UVSMTP_OUTCOME_ACCEPTED, calls[SEND].outcome);
  assert_int_equal(252, calls[COMMAND].code);
  assert_int_equal(221, calls[QUIT].code);
  assert_int_equal(1, letter.released);
  assert_int_equal(UVSMTP_STATE_CLOSED, uvsmtp_session_state(s));
  close_session(&f, s);
  fixture_finish(&f);
  assert_peer_done(peer);
}

static void test_all_at_once_tcp(void** state) {
  (void)state;
  all_at_once(0);
}

static void test_all_at_once_unix(void** state) {
  (void)state;
  all_at_once(PEER_UNIX);
}

/* ------------------------------------------------ closing in completions */

typedef struct closing_s {
  fixture_t* f;
  int at_close; /* completions when close was reported */
  int err;
  int again;
} closing_t;

static void note_close(uvsmtp_session_t* s, void* arg) {
  closing_t* closing = arg;
  (void)s;
  closing->at_close = closing->f->order;
  closing->f->closed++;
}

static void close_it(call_t* call) {
  closing_t* closing = call->arg;
  call_t late;
  memset(&late, 0, sizeof(late));
  closing->err = uvsmtp_session_close(call->session, note_close, closing);
  closing->again = uvsmtp_session_close(call->session, note_close, closing);
  assert_int_equal(UV_ECANCELED, uvsmtp_noop(call->session, on_call, &late));
  assert_int_equal(UV_ECANCELED,
                   uvsmtp_connect(call->session, NULL, on_call, &late));
  uvsmtp_session_resume(call->session);
}

/* Whichever completion closes the session: those before it are as they were,
 * those after it come exactly once, before the close is reported. */
static void test_close_in_each_completion(void** state) {
  int which;
  (void)state;
  for (which = 0; which < CALLS; which++) {
    fixture_t f;
    call_t calls[CALLS];
    letter_t letter;
    closing_t closing;
    peer_t* peer = peer_play(0, one_of_each);
    int i;
    memset(calls, 0, sizeof(calls));
    memset(&closing, 0, sizeof(closing));
    letter_init(&letter, "a@example.com", "b@example.org", body,
                sizeof(body) - 1);
    fixture_start(&f);
    closing.f = &f;
    calls[which].then = close_it;
    calls[which].arg = &closing;
    submit_all(&f, open_session(&f, peer, NULL), calls, &letter);
    run_until(&f, &f.closed, 1);
    assert_int_equal(0, closing.err);
    assert_int_equal(UV_EALREADY, closing.again);
    assert_int_equal(CALLS, closing.at_close);
    for (i = 0; i < CALLS; i++) {
      assert_int_equal(1, calls[i].times);
      assert_int_equal(i + 1, calls[i].order);
      if (i <= which) {
        assert_int_equal(0, calls[i].status);
      } else if (i != QUIT) {
        assert_true(calls[i].status == UV_ECANCELED ||
                    calls[i].cause == UV_ECANCELED);
      }
    }
    if (which < NOOP) {
      assert_int_equal(UVSMTP_OUTCOME_NOT_ATTEMPTED, calls[SEND].outcome);
    }
    assert_int_equal(1, letter.released);
    fixture_finish(&f);
    peer_finish(peer, NULL);
  }
}

/* ------------------------------------------- submitting from completions */

typedef struct chain_s {
  call_t connect;
  call_t hello;
  call_t noop;
  call_t quit;
} chain_t;

static void chain_quit(call_t* call) {
  chain_t* chain = call->arg;
  fixture_t* f = call->f;
  assert_int_equal(0, CALL(&chain->quit, f,
                           uvsmtp_quit(call->session, on_call, &chain->quit)));
}

static void chain_noop(call_t* call) {
  chain_t* chain = call->arg;
  fixture_t* f = call->f;
  chain->noop.then = chain_quit;
  chain->noop.arg = chain;
  assert_int_equal(0, CALL(&chain->noop, f,
                           uvsmtp_noop(call->session, on_call, &chain->noop)));
}

static void chain_hello(call_t* call) {
  chain_t* chain = call->arg;
  fixture_t* f = call->f;
  chain->hello.then = chain_noop;
  chain->hello.arg = chain;
  assert_int_equal(0,
                   CALL(&chain->hello, f,
                        uvsmtp_hello(call->session, on_call, &chain->hello)));
}

static const char chained[] =
    "S 220 hi\n C EHLO\n S 250 peer\n C NOOP\n S 250 ok\n C QUIT\n S 221 bye\n"
    "EOF";

static void test_submit_in_completions(void** state) {
  fixture_t f;
  chain_t chain;
  peer_t* peer = peer_play(0, chained);
  uvsmtp_session_t* s;
  (void)state;
  memset(&chain, 0, sizeof(chain));
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  chain.connect.then = chain_hello;
  chain.connect.arg = &chain;
  assert_int_equal(0, CALL(&chain.connect, &f,
                           uvsmtp_connect(s, NULL, on_call, &chain.connect)));
  wait_for(&chain.connect);
  wait_for(&chain.hello);
  wait_for(&chain.noop);
  wait_for(&chain.quit);
  assert_int_equal(0, chain.quit.status);
  assert_int_equal(4, f.order);
  close_session(&f, s);
  fixture_finish(&f);
  assert_peer_done(peer);
}

/* From within a completion: another session, which does all its work, while
 * this one is closed. */
static void open_other(call_t* call) {
  chain_t* chain = call->arg;
  fixture_t* f = call->f;
  peer_t* other = (peer_t*)uvsmtp_session_data(call->session);
  uvsmtp_session_t* s = open_session(f, other, NULL);
  chain->connect.then = chain_hello;
  chain->connect.arg = chain;
  assert_int_equal(0, CALL(&chain->connect, f,
                           uvsmtp_connect(s, NULL, on_call, &chain->connect)));
  assert_int_equal(0,
                   uvsmtp_session_close(call->session, on_session_closed, f));
}

static void test_new_session_in_completion(void** state) {
  fixture_t f;
  chain_t chain;
  call_t first;
  peer_t* peer = peer_play(0, "S 220 hi\n EOF");
  peer_t* other = peer_play(PEER_UNIX, chained);
  uvsmtp_session_t* s;
  (void)state;
  memset(&chain, 0, sizeof(chain));
  memset(&first, 0, sizeof(first));
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  uvsmtp_session_set_data(s, other);
  first.then = open_other;
  first.arg = &chain;
  assert_int_equal(0,
                   CALL(&first, &f, uvsmtp_connect(s, NULL, on_call, &first)));
  wait_for(&first);
  wait_for(&chain.connect);
  wait_for(&chain.hello);
  wait_for(&chain.noop);
  wait_for(&chain.quit);
  run_until(&f, &f.closed, 1);
  close_session(&f, chain.quit.session);
  fixture_finish(&f);
  assert_peer_done(peer);
  assert_peer_done(other);
}

/* ---------------------------------------------------------- reconnecting */

static void test_again_after_quit(void** state) {
  fixture_t f;
  chain_t chain;
  peer_t* peer =
      peer_play(0,
                "S 220 one\n C QUIT\n S 221 bye\n EOF\n CLOSE\n NEXT\n"
                "S 220 two\n CLOSE\n NEXT\n"
                "S 220 three\n C NOOP\n S 250 ok\n EOF");
  uvsmtp_session_t* s;
  call_t* c = &chain.connect;
  (void)state;
  memset(&chain, 0, sizeof(chain));
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  assert_int_equal(UVSMTP_STATE_CONNECT, uvsmtp_session_state(s));
  assert_int_equal(0, CALL(c, &f, uvsmtp_connect(s, NULL, on_call, c)));
  assert_int_equal(UV_EALREADY, uvsmtp_connect(s, NULL, on_call, c));
  wait_for(c);
  assert_string_equal("one", c->text);
  assert_int_equal(UV_EISCONN, uvsmtp_connect(s, NULL, on_call, c));
  c = &chain.quit;
  assert_int_equal(0, CALL(c, &f, uvsmtp_quit(s, on_call, c)));
  wait_for(c);
  /* At once, though the old socket may not be closed yet. */
  c = &chain.hello;
  assert_int_equal(0, CALL(c, &f, uvsmtp_connect(s, NULL, on_call, c)));
  wait_for(c);
  assert_int_equal(0, c->status);
  assert_string_equal("two", c->text);
  /* The server goes; what is submitted then fails, and connecting works. */
  while (uvsmtp_session_state(s) != UVSMTP_STATE_CLOSED) {
    uv_run(&f.loop, UV_RUN_ONCE);
  }
  c = &chain.noop;
  assert_int_equal(0, CALL(c, &f, uvsmtp_noop(s, on_call, c)));
  wait_for(c);
  assert_int_equal(UVSMTP_EDISCONNECTED, c->status);
  c = &chain.connect;
  assert_int_equal(0, CALL(c, &f, uvsmtp_connect(s, NULL, on_call, c)));
  c = &chain.noop;
  assert_int_equal(0, CALL(c, &f, uvsmtp_noop(s, on_call, c)));
  wait_for(c);
  assert_string_equal("three", chain.connect.text);
  assert_int_equal(0, c->status);
  close_session(&f, s);
  fixture_finish(&f);
  assert_peer_done(peer);
}

static void connect_again(call_t* call) {
  call_t* next = call->arg;
  assert_int_equal(0, CALL(next, call->f,
                           uvsmtp_connect(call->session, NULL, on_call, next)));
}

static void test_again_in_the_completion_of_quit(void** state) {
  fixture_t f;
  call_t connect, quit, second;
  peer_t* peer = peer_play(
      0, "S 220 one\n C QUIT\n S 221 bye\n EOF\n CLOSE\n NEXT\n S 220 two");
  uvsmtp_session_t* s;
  (void)state;
  memset(&connect, 0, sizeof(connect));
  memset(&quit, 0, sizeof(quit));
  memset(&second, 0, sizeof(second));
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  quit.then = connect_again;
  quit.arg = &second;
  assert_int_equal(
      0, CALL(&connect, &f, uvsmtp_connect(s, NULL, on_call, &connect)));
  assert_int_equal(0, CALL(&quit, &f, uvsmtp_quit(s, on_call, &quit)));
  wait_for(&quit);
  wait_for(&second);
  assert_int_equal(0, second.status);
  assert_string_equal("two", second.text);
  close_session(&f, s);
  fixture_finish(&f);
  assert_peer_done(peer);
}

/* ------------------------------------------------------------ small things */

static void test_without_completions(void** state) {
  fixture_t f;
  letter_t letter;
  call_t quit;
  peer_t* peer = peer_answer(PEER_PIPELINING);
  uvsmtp_session_t* s;
  int messages = 0;
  (void)state;
  memset(&quit, 0, sizeof(quit));
  letter_init(&letter, "", "b@example.org", body, sizeof(body) - 1);
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  assert_int_equal(0, uvsmtp_send(s, &letter.message, NULL, NULL));
  assert_int_equal(0, CALL(&quit, &f, uvsmtp_quit(s, on_call, &quit)));
  wait_for(&quit);
  assert_int_equal(0, uvsmtp_session_close(s, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_env_close(f.env, NULL, NULL));
  assert_int_equal(0, uv_run(&f.loop, UV_RUN_DEFAULT));
  fixture_finish(&f);
  assert_null(peer_finish(peer, &messages));
  assert_int_equal(1, messages);
}

static void test_environment(void** state) {
  fixture_t f;
  uvsmtp_env_t* env = NULL;
  uvsmtp_session_t* s = NULL;
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_env_config_t env_config = UVSMTP_ENV_CONFIG_INIT;
  uvsmtp_mem_t mem;
  int data = 0;
  (void)state;
  fixture_start(&f);
  assert_ptr_equal(&f.loop, uvsmtp_env_loop(f.env));
  assert_int_equal(UV_EINVAL, uvsmtp_env_new(NULL, &f.loop, NULL));
  assert_int_equal(UV_EINVAL, uvsmtp_env_new(&env, NULL, NULL));
  memset(&mem, 0, sizeof(mem));
  mem.size = sizeof(mem);
  env_config.mem = &mem; /* without its function */
  assert_int_equal(UV_EINVAL, uvsmtp_env_new(&env, &f.loop, &env_config));
  assert_int_equal(UV_EINVAL, uvsmtp_session_new(NULL, f.env, NULL));
  assert_int_equal(UV_EINVAL, uvsmtp_session_new(&s, NULL, NULL));
  config.size = 1;
  assert_int_equal(UV_EINVAL, uvsmtp_session_new(&s, f.env, &config));
  config.size = sizeof(config);
  config.local_name = "two words";
  assert_int_equal(UV_EINVAL, uvsmtp_session_new(&s, f.env, &config));
  config.local_name = NULL;
  config.data = &data;
  assert_int_equal(0, uvsmtp_session_new(&s, f.env, &config));
  assert_ptr_equal(&data, uvsmtp_session_data(s));
  assert_ptr_equal(f.env, uvsmtp_session_env(s));
  assert_int_equal(UV_EBUSY, uvsmtp_env_close(f.env, NULL, NULL));
  /* An idle environment and an unconnected session keep no loop alive. */
  assert_int_equal(0, uv_run(&f.loop, UV_RUN_DEFAULT));
  close_session(&f, s);
  /* A second one on the same loop, with the default allocator. */
  assert_int_equal(0, uvsmtp_env_new(&env, &f.loop, NULL));
  assert_int_equal(0, uvsmtp_session_new(&s, env, NULL));
  close_session(&f, s);
  assert_int_equal(0, uvsmtp_env_close(env, NULL, NULL));
  assert_int_equal(UV_EALREADY, uvsmtp_env_close(env, NULL, NULL));
  assert_int_equal(UV_EINVAL, uvsmtp_session_new(&s, env, NULL));
  fixture_finish(&f);
}

static void close_env(uvsmtp_session_t* s, void* flag) {
  assert_int_equal(0, uvsmtp_env_close(uvsmtp_session_env(s), NULL, NULL));
  *(int*)flag = 1;
}

static void test_close_env_in_close(void** state) {
  uv_loop_t loop;
  uvsmtp_env_t* env;
  uvsmtp_session_t* s;
  int closed = 0;
  (void)state;
  assert_int_equal(0, uv_loop_init(&loop));
  assert_int_equal(0, uvsmtp_env_new(&env, &loop, NULL));
  assert_int_equal(0, uvsmtp_session_new(&s, env, NULL));
  assert_int_equal(0, uvsmtp_session_close(s, close_env, &closed));
  assert_int_equal(0, uv_run(&loop, UV_RUN_DEFAULT));
  assert_int_equal(1, closed);
  assert_int_equal(0, uv_loop_close(&loop));
}

static void test_extensions(void** state) {
  fixture_t f;
  call_t call;
  size_t cursor = 0;
  uvsmtp_slice_t keyword, params;
  peer_t* peer =
      peer_play(0,
                "S 220 hi\n C EHLO me.example\n S 250-peer\n S 250-SIZE 99\n"
                "S 250 X-Y z");
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_session_t* s;
  (void)state;
  memset(&call, 0, sizeof(call));
  fixture_start(&f);
  config.local_name = "me.example";
  s = open_session(&f, peer, &config);
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  assert_int_equal(0, CALL(&call, &f, uvsmtp_hello(s, on_call, &call)));
  wait_for(&call);
  assert_int_equal(0, call.status);
  assert_int_equal(UVSMTP_STATE_READY, uvsmtp_session_state(s));
  assert_int_equal(1, uvsmtp_session_has_extn(s, "size"));
  assert_int_equal(0, uvsmtp_session_has_extn(s, "CHUNKING"));
  assert_string_equal("99", uvsmtp_session_extn(s, "SIZE"));
  assert_int_equal(1, uvsmtp_session_next_extn(s, &cursor, &keyword, &params));
  assert_int_equal(4, keyword.len);
  assert_int_equal(1, uvsmtp_session_next_extn(s, &cursor, &keyword, &params));
  assert_memory_equal("X-Y", keyword.base, 3);
  assert_memory_equal("z", params.base, 1);
  assert_int_equal(0, uvsmtp_session_next_extn(s, &cursor, &keyword, &params));
  close_session(&f, s);
  fixture_finish(&f);
  assert_peer_done(peer);
}

static void test_unref(void** state) {
  fixture_t f;
  call_t call;
  peer_t* peer = peer_answer(0);
  uvsmtp_session_t* s;
  (void)state;
  memset(&call, 0, sizeof(call));
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  uvsmtp_session_unref(s);
  uvsmtp_session_unref(s);
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  assert_int_equal(0, CALL(&call, &f, uvsmtp_hello(s, on_call, &call)));
  /* Runs while there is work, and no longer. */
  assert_int_equal(0, uv_run(&f.loop, UV_RUN_DEFAULT));
  assert_int_equal(1, call.times);
  assert_int_equal(0, call.status);
  assert_int_equal(0, CALL(&call, &f, uvsmtp_noop(s, on_call, &call)));
  assert_int_equal(0, uv_run(&f.loop, UV_RUN_DEFAULT));
  assert_int_equal(1, call.times);
  assert_int_equal(0, uv_loop_alive(&f.loop));
  uvsmtp_session_ref(s);
  assert_int_not_equal(0, uv_loop_alive(&f.loop));
  close_session(&f, s);
  fixture_finish(&f);
  assert_null(peer_finish(peer, NULL));
}

/* A busy session takes everything from the free lists. */
static void test_steady_state_allocates_nothing(void** state) {
  fixture_t f;
  call_t call;
  letter_t letter;
  peer_t* peer = peer_answer(PEER_PIPELINING);
  uvsmtp_session_t* s;
  long calls = 0;
  int i;
  (void)state;
  memset(&call, 0, sizeof(call));
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  for (i = 0; i < 40; i++) {
    letter_init(&letter, "a@example.com", "b@example.org", body,
                sizeof(body) - 1);
    assert_int_equal(
        0, CALL(&call, &f, uvsmtp_send(s, &letter.message, on_call, &call)));
    wait_for(&call);
    assert_int_equal(0, call.status);
    if (i == 3) calls = f.heap.calls;
  }
#if !defined(UVSMTP__CACHE_BLOCKS) || UVSMTP__CACHE_BLOCKS > 0
  assert_int_equal(calls, f.heap.calls);
#else
  assert_true(calls < f.heap.calls);
#endif
  close_session(&f, s);
  fixture_finish(&f);
  assert_null(peer_finish(peer, NULL));
}

/* Calls that fail at once and are made again from their completions do not
 * keep the loop from others. */
static void fail_again(call_t* call) {
  fixture_t* f = call->f;
  uvsmtp_session_t* s = call->session;
  if (f->order >= 5000) return;
  assert_int_equal(0, CALL(call, f, uvsmtp_noop(s, on_call, call)));
}

static void on_turn(uv_prepare_t* prepare) { ++*(int*)prepare->data; }

static void test_failing_calls_leave_turns(void** state) {
  fixture_t f;
  call_t call;
  uv_prepare_t prepare;
  uvsmtp_session_t* s;
  int turns = 0;
  (void)state;
  memset(&call, 0, sizeof(call));
  fixture_start(&f);
  uv_prepare_init(&f.loop, &prepare);
  prepare.data = &turns;
  uv_prepare_start(&prepare, on_turn);
  uv_unref((uv_handle_t*)&prepare);
  s = open_session(&f, NULL, NULL);
  call.then = fail_again;
  assert_int_equal(0, CALL(&call, &f, uvsmtp_noop(s, on_call, &call)));
  assert_int_equal(0, uv_run(&f.loop, UV_RUN_DEFAULT));
  assert_int_equal(5000, f.order);
  assert_true(turns > 5);
  close_session(&f, s);
  uv_close((uv_handle_t*)&prepare, NULL);
  fixture_finish(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_all_at_once_tcp),
      TEST(test_all_at_once_unix),
      TEST(test_close_in_each_completion),
      TEST(test_submit_in_completions),
      TEST(test_new_session_in_completion),
      TEST(test_again_after_quit),
      TEST(test_again_in_the_completion_of_quit),
      TEST(test_without_completions),
      TEST(test_environment),
      TEST(test_close_env_in_close),
      TEST(test_extensions),
      TEST(test_unref),
      TEST(test_steady_state_allocates_nothing),
      TEST(test_failing_calls_leave_turns),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
