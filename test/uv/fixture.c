/* SPDX-License-Identifier: MIT */
/* fixture.c: see fixture.h. */
#include "fixture.h"

#include <fcntl.h>
#include <unistd.h>

/* -------------------------------------------------------------- allocator */

/* The size stands before each block, so that a wrong old_size is noticed. */
enum { HEAD = 16 };

void* heap_alloc(void* heap, void* ptr, size_t old_size, size_t new_size) {
  heap_t* h = heap;
  char* block = ptr == NULL ? NULL : (char*)ptr - HEAD;
  size_t known = 0;
  if (h->hook != NULL) h->hook(h->hook_arg);
  if (block != NULL) memcpy(&known, block, sizeof(known));
  if (known != old_size) {
    fprintf(stderr, "heap: %zu octets given back as %zu\n", known, old_size);
    abort();
  }
  if (new_size == 0) {
    if (block != NULL) {
      h->blocks--;
      h->octets -= known;
    }
    free(block);
    return NULL;
  }
  h->calls++;
  if (h->fail_at != 0 &&
      (h->calls == h->fail_at || (h->fail_all && h->calls > h->fail_at))) {
    return NULL;
  }
  block = realloc(block, new_size + HEAD);
  if (block == NULL) abort();
  memcpy(block, &new_size, sizeof(new_size));
  if (ptr == NULL) h->blocks++;
  h->octets += new_size - known;
  if (h->octets > h->peak) h->peak = h->octets;
  return block + HEAD;
}

/* ------------------------------------------------------------------- life */

static int descriptors;

int fixture_setup(void** state) {
  uv_loop_t loop;
  (void)state;
  /* The first loop of a process opens what libuv keeps for good. */
  if (uv_loop_init(&loop) != 0 || uv_loop_close(&loop) != 0) return -1;
  descriptors = fds_open();
  return 0;
}

int fixture_teardown(void** state) {
  (void)state;
  assert_int_equal(descriptors, fds_open());
  return 0;
}

void fixture_start(fixture_t* f) { fixture_start_with(f, NULL); }

void fixture_start_with(fixture_t* f, uvsmtp_resolver_t* resolver) {
  uvsmtp_env_config_t config = UVSMTP_ENV_CONFIG_INIT;
  memset(f, 0, sizeof(*f));
  assert_int_equal(0, uv_loop_init(&f->loop));
  f->mem.size = sizeof(f->mem);
  f->mem.alloc = heap_alloc;
  f->mem.data = &f->heap;
  config.mem = &f->mem;
  config.resolver = resolver;
  assert_int_equal(0, uvsmtp_env_new(&f->env, &f->loop, &config));
}

static void on_env_closed(uvsmtp_env_t* env, void* flag) {
  (void)env;
  *(int*)flag = 1;
}

void fixture_finish(fixture_t* f) {
  int closed = 0;
  assert_int_equal(0, uvsmtp_env_close(f->env, on_env_closed, &closed));
  assert_int_equal(0, closed);
  assert_int_equal(0, uv_run(&f->loop, UV_RUN_DEFAULT));
  assert_int_equal(1, closed);
  assert_int_equal(0, uv_loop_close(&f->loop));
  assert_int_equal(0, f->heap.blocks);
  assert_int_equal(0, f->heap.octets);
}

int fixture_begin(void** state) {
  static fixture_t fixture;
  if (fixture_setup(state) != 0) return -1;
  fixture_start(&fixture);
  *state = &fixture;
  return 0;
}

int fixture_end(void** state) {
  fixture_finish(*state);
  return fixture_teardown(state);
}

uvsmtp_session_t* open_session(fixture_t* f, const peer_t* peer,
                               const uvsmtp_session_config_t* config) {
  uvsmtp_session_config_t cfg = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_session_t* session = NULL;
  if (config != NULL) cfg = *config;
  if (peer != NULL) {
    target.host = peer_host(peer);
    target.port = peer_port(peer);
    cfg.target = &target;
  }
  assert_int_equal(0, uvsmtp_session_new(&session, f->env, &cfg));
  return session;
}

uvsmtp_session_t* session_of(fixture_t* f, const peer_t* peer,
                             const uvsmtp_target_t* target,
                             unsigned int flags) {
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t t = *target;
  if (peer != NULL) {
    if (t.host == NULL) t.host = peer_host(peer);
    t.port = peer_port(peer);
  }
  config.target = &t;
  config.local_name = "client.example";
  config.flags = flags;
  return open_session(f, NULL, &config);
}

uvsmtp_tls_t* trust(const peer_t* peer, unsigned int flags) {
  uvsmtp_tls_config_t config = UVSMTP_TLS_CONFIG_INIT;
  const char* reason = NULL;
  uvsmtp_tls_t* tls = NULL;
  if (peer != NULL) {
    config.ca.base = peer_certificate(peer);
    config.ca.len = strlen(peer_certificate(peer));
  }
  config.flags = flags;
  if (uvsmtp_tls_new(&tls, &config, &reason) != 0) fail_msg("%s", reason);
  return tls;
}

void on_session_closed(uvsmtp_session_t* session, void* fixture) {
  (void)session;
  ((fixture_t*)fixture)->closed++;
}

void close_session(fixture_t* f, uvsmtp_session_t* session) {
  int n = f->closed;
  assert_int_equal(0, uvsmtp_session_close(session, on_session_closed, f));
  assert_int_equal(n, f->closed);
  run_until(f, &f->closed, n + 1);
}

/* ------------------------------------------------------------------ calls */

void on_call(uvsmtp_session_t* session, const uvsmtp_result_t* result,
             void* arg) {
  call_t* call = arg;
  const uvsmtp_reply_t* reply = uvsmtp_result_reply(result);
  size_t i;
  assert_int_equal(0, call->f->calling); /* never before the call returns */
  call->session = session;
  call->times++;
  call->order = ++call->f->order;
  call->status = uvsmtp_result_status(result);
  call->cause = uvsmtp_result_cause(result);
  call->stage = uvsmtp_result_stage(result);
  call->outcome = uvsmtp_result_outcome(result);
  call->code = reply == NULL ? 0 : uvsmtp_reply_code(reply);
  snprintf(call->text, sizeof(call->text), "%s",
           reply == NULL ? "" : uvsmtp_reply_text(reply, NULL));
  snprintf(
      call->detail, sizeof(call->detail), "%s",
      uvsmtp_result_detail(result) == NULL ? "" : uvsmtp_result_detail(result));
  for (i = 0; i < 8 && i < uvsmtp_result_rcpt_count(result); i++) {
    call->rcpts[i] = uvsmtp_rcpt_result_outcome(uvsmtp_result_rcpt(result, i));
  }
  assert_int_equal(1, call->times); /* exactly one */
  if (call->then != NULL) call->then(call);
}

void call_begin(call_t* call, fixture_t* f) {
  void (*then)(call_t*) = call->then;
  void* arg = call->arg;
  memset(call, 0, sizeof(*call));
  call->f = f;
  call->then = then;
  call->arg = arg;
  f->calling++;
}

int call_end(call_t* call, int err) {
  call->f->calling--;
  return err;
}

void run_until(fixture_t* f, const int* flag, int n) {
  while (*flag < n) {
    if (uv_run(&f->loop, UV_RUN_ONCE) == 0 && *flag < n) {
      fail_msg("the loop ended before it happened");
    }
  }
}

void wait_for(call_t* call) { run_until(call->f, &call->times, 1); }

static void on_timer_closed(uv_handle_t* timer) { *(int*)timer->data = 1; }

static void on_time(uv_timer_t* timer) {
  uv_close((uv_handle_t*)timer, on_timer_closed);
}

void run_for(fixture_t* f, uint64_t ms) {
  uv_timer_t timer;
  int over = 0;
  uv_update_time(&f->loop);
  uv_timer_init(&f->loop, &timer);
  timer.data = &over;
  uv_timer_start(&timer, on_time, ms, 0);
  run_until(f, &over, 1);
}

void run_to_stall(fixture_t* f, peer_t* peer, int n) {
  int i;
  for (i = 0; peer_stalled(peer) < n; i++) {
    if (i == 10000) fail_msg("the peer does not come to its STALL");
    run_for(f, 1);
  }
  for (i = 0; i < 5; i++) run_for(f, 1);
}

void assert_only_hello(fixture_t* f, const uvsmtp_session_t* s) {
  int i;
  for (i = 0; uvsmtp_session_state(s) != UVSMTP_STATE_READY; i++) {
    assert_true(i < 10000);
    run_for(f, 1);
  }
  run_for(f, 20);
  assert_int_equal(UVSMTP_STATE_READY, uvsmtp_session_state(s));
}

/* ---------------------------------------------------------------- messages */

int make_file(char path[64], const char* before, const char* text, size_t len) {
  size_t n = strlen(before);
  int fd;
  strcpy(path, "/tmp/uvsmtp-send-XXXXXX");
  fd = mkostemp(path, O_CLOEXEC);
  assert_true(fd >= 0);
  assert_int_equal((int)n, (int)write(fd, before, n));
  assert_int_equal((int)len, (int)write(fd, text, len));
  assert_int_equal((int)n, (int)lseek(fd, (off_t)n, SEEK_SET));
  return fd;
}

static void on_release(uvsmtp_source_t* self) {
  letter_t* letter = (letter_t*)((char*)self - offsetof(letter_t, body));
  letter->released++;
}

void letter_init(letter_t* letter, const char* from, const char* to,
                 const void* text, size_t len) {
  uvsmtp_message_t message = UVSMTP_MESSAGE_INIT;
  uvsmtp_rcpt_t rcpt = UVSMTP_RCPT_INIT(to);
  memset(letter, 0, sizeof(*letter));
  uvsmtp_source_memory(&letter->body, text, len);
  letter->body.source.release = on_release;
  letter->rcpt[0] = rcpt;
  letter->list[0] = &letter->rcpt[0];
  letter->message = message;
  letter->message.from = from;
  letter->message.rcpts = letter->list;
  letter->message.nrcpts = 1;
  letter->message.body = &letter->body.source;
}

void assert_peer_done(peer_t* peer) {
  const char* error = peer_finish(peer, NULL);
  if (error != NULL) fail_msg("peer: %s", error);
}
