/* SPDX-License-Identifier: MIT */
/* test_hooks.c: sources that wait and are resumed; and that no call is taken
 * from within a source, a trace or an allocator. */
#include "fixture.h"

/* ------------------------------------------------------- a source that waits
 */

typedef struct slow_s {
  uvsmtp_source_t source;
  uvsmtp_session_t* session;
  const char* text;
  size_t len;
  size_t off;
  size_t allowed;   /* octets that may be taken so far */
  int resume_early; /* resumes from within peek, then has more */
  int waits;
  int released;
  void (*in_peek)(struct slow_s* slow);
} slow_t;

static int slow_peek(uvsmtp_source_t* self, uvsmtp_slice_t* out) {
  slow_t* slow = (slow_t*)self;
  if (slow->in_peek != NULL) slow->in_peek(slow);
  if (slow->off == slow->len) return UVSMTP_SOURCE_EOF;
  if (slow->off == slow->allowed) {
    slow->waits++;
    if (slow->resume_early) {
      slow->allowed++;
      uvsmtp_session_resume(slow->session);
    }
    return UVSMTP_SOURCE_WAIT;
  }
  out->base = slow->text + slow->off;
  out->len = slow->allowed - slow->off;
  return UVSMTP_SOURCE_MORE;
}

static void slow_consumed(uvsmtp_source_t* self, size_t n) {
  slow_t* slow = (slow_t*)self;
  slow->off += n;
}

static void slow_release(uvsmtp_source_t* self) {
  slow_t* slow = (slow_t*)self;
  slow->released++;
  if (slow->in_peek != NULL) slow->in_peek(slow);
}

static void slow_init(slow_t* slow, uvsmtp_session_t* s, const char* text,
                      int known) {
  memset(slow, 0, sizeof(*slow));
  slow->source.size = sizeof(slow->source);
  slow->source.length = known ? (int64_t)strlen(text) : -1;
  slow->source.peek = slow_peek;
  slow->source.consumed = slow_consumed;
  slow->source.release = slow_release;
  slow->session = s;
  slow->text = text;
  slow->len = strlen(text);
}

static const char text[] = "A: b\r\n\r\nline\r\n";

static void resumed(int flags, int early, int known) {
  fixture_t f;
  call_t call;
  letter_t letter;
  slow_t slow;
  int messages = 0;
  int waits = 0;
  size_t i;
  peer_t* peer = peer_answer(flags);
  uvsmtp_session_t* s;
  memset(&call, 0, sizeof(call));
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  letter_init(&letter, "a@example.com", "b@example.org", "", 0);
  slow_init(&slow, s, text, known);
  slow.resume_early = early;
  letter.message.body = &slow.source;
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  assert_int_equal(
      0, CALL(&call, &f, uvsmtp_send(s, &letter.message, on_call, &call)));
  if (!early) {
    for (i = 0; i < sizeof(text) - 1; i++) {
      run_until(&f, &slow.waits, waits + 1);
      waits = slow.waits;
      assert_int_equal(0, call.times);
      slow.allowed++;
      uvsmtp_session_resume(s);
    }
  }
  wait_for(&call);
  assert_int_equal(0, call.status);
  assert_int_equal(1, slow.released);
  assert_true(slow.waits >= (int)sizeof(text) - 1);
  uvsmtp_session_resume(s); /* nothing waits: nothing happens */
  close_session(&f, s);
  fixture_finish(&f);
  assert_null(peer_finish(peer, &messages));
  assert_int_equal(1, messages);
}

static void test_resume(void** state) {
  (void)state;
  resumed(0, 0, 0);
  resumed(PEER_PIPELINING, 0, 0);
  resumed(PEER_PIPELINING | PEER_CHUNKING, 0, 0);
}

static void test_resume_within_peek(void** state) {
  (void)state;
  resumed(0, 1, 0);
  resumed(PEER_PIPELINING, 1, 0);
  resumed(PEER_PIPELINING | PEER_CHUNKING, 1, 0);
}

/* A source that never has more is bound by the deadline of its phase. */
static void test_source_that_waits_for_ever(void** state) {
  fixture_t f;
  call_t call;
  letter_t letter;
  slow_t slow;
  uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  peer_t* peer = peer_answer(PEER_PIPELINING);
  uvsmtp_session_t* s;
  (void)state;
  memset(&call, 0, sizeof(call));
  fixture_start(&f);
  timeouts.text = 30;
  config.timeouts = &timeouts;
  s = open_session(&f, peer, &config);
  letter_init(&letter, "a@example.com", "b@example.org", "", 0);
  slow_init(&slow, s, text, 0);
  slow.allowed = 3;
  letter.message.body = &slow.source;
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  assert_int_equal(
      0, CALL(&call, &f, uvsmtp_send(s, &letter.message, on_call, &call)));
  wait_for(&call);
  assert_int_equal(UV_ETIMEDOUT, call.status);
  assert_int_equal(UVSMTP_OUTCOME_DEFERRED, call.outcome);
  assert_int_equal(1, slow.released);
  close_session(&f, s);
  fixture_finish(&f);
  assert_null(peer_finish(peer, NULL));
}

/* ------------------------------------------------------ calls within hooks */

typedef struct prober_s {
  uvsmtp_env_t* env;
  uvsmtp_session_t* session;
  letter_t* letter;
  int armed;
  int probes;
} prober_t;

/* Everything that changes a session is refused. */
static void probe(prober_t* p) {
  uvsmtp_session_t* s = p->session;
  uvsmtp_session_t* other = NULL;
  if (!p->armed) return;
  p->probes++;
  assert_int_equal(UV_EBUSY, uvsmtp_session_new(&other, p->env, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_env_close(p->env, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_session_close(s, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_connect(s, NULL, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_ehlo(s, NULL, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_helo(s, NULL, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_hello(s, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_send(s, &p->letter->message, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_mail(s, "a@b", NULL, 0, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_rcpt(s, "a@b", NULL, 0, NULL, NULL));
  assert_int_equal(UV_EBUSY,
                   uvsmtp_data(s, &p->letter->body.source, 0, NULL, NULL));
  assert_int_equal(UV_EBUSY,
                   uvsmtp_bdat(s, &p->letter->body.source, 1, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_rset(s, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_noop(s, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_quit(s, NULL, NULL));
  assert_int_equal(UV_EBUSY, uvsmtp_command(s, "X", NULL, NULL));
  uvsmtp_session_resume(s);
  (void)uvsmtp_session_state(s);
}

static prober_t* prober_of(slow_t* slow) {
  return uvsmtp_session_data(slow->session);
}

static void probe_in_source(slow_t* slow) { probe(prober_of(slow)); }

static void probe_in_trace(void* arg, int kind, const char* line, size_t len) {
  (void)kind;
  (void)line;
  (void)len;
  probe(arg);
}

static void probe_in_allocator(void* arg) { probe(arg); }

enum { IN_SOURCE, IN_TRACE, IN_ALLOCATOR };

static void probed(int where, int flags) {
  fixture_t f;
  call_t call, quit;
  letter_t letter;
  slow_t slow;
  prober_t prober;
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  peer_t* peer = peer_answer(flags);
  uvsmtp_session_t* s;
  memset(&call, 0, sizeof(call));
  memset(&quit, 0, sizeof(quit));
  memset(&prober, 0, sizeof(prober));
  fixture_start(&f);
  if (where == IN_TRACE) {
    config.trace = probe_in_trace;
    config.trace_arg = &prober;
  }
  config.data = &prober;
  s = open_session(&f, peer, &config);
  letter_init(&letter, "a@example.com", "b@example.org", "x\r\n", 3);
  prober.env = f.env;
  prober.session = s;
  prober.letter = &letter;
  slow_init(&slow, s, text, 1);
  slow.allowed = slow.len;
  if (where == IN_SOURCE) slow.in_peek = probe_in_source;
  if (where == IN_ALLOCATOR) {
    f.heap.hook = probe_in_allocator;
    f.heap.hook_arg = &prober;
  }
  letter.message.body = &slow.source;
  prober.armed = 1;
  assert_int_equal(0, uvsmtp_connect(s, NULL, NULL, NULL));
  assert_int_equal(
      0, CALL(&call, &f, uvsmtp_send(s, &letter.message, on_call, &call)));
  assert_int_equal(0, CALL(&quit, &f, uvsmtp_quit(s, on_call, &quit)));
  wait_for(&quit);
  assert_int_equal(0, call.status);
  assert_int_equal(1, slow.released);
  prober.armed = 0; /* at the end it frees the session itself */
  close_session(&f, s);
  assert_true(prober.probes > 0);
  fixture_finish(&f);
  assert_null(peer_finish(peer, NULL));
}

static void test_calls_within_sources(void** state) {
  (void)state;
  probed(IN_SOURCE, 0);
  probed(IN_SOURCE, PEER_PIPELINING | PEER_CHUNKING);
}

static void test_calls_within_trace(void** state) {
  (void)state;
  probed(IN_TRACE, 0);
  probed(IN_TRACE, PEER_PIPELINING);
}

static void test_calls_within_allocator(void** state) {
  (void)state;
  probed(IN_ALLOCATOR, 0);
  probed(IN_ALLOCATOR, PEER_PIPELINING | PEER_CHUNKING);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_resume),
      TEST(test_resume_within_peek),
      TEST(test_source_that_waits_for_ever),
      TEST(test_calls_within_sources),
      TEST(test_calls_within_trace),
      TEST(test_calls_within_allocator),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
