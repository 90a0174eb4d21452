/* SPDX-License-Identifier: MIT */
/* test_verdict.c: what hides between the lines: sources that lie, replies that
 * come too early or in halves, servers that take what they had refused. */
#include "host.h"

/* ------------------------------------------------------------- sources */

/* Plays a list of answers: a text, NULL for the end, or an error. */
typedef struct answer_s {
  int status;
  const char* text;
} answer_t;

typedef struct player_s {
  uvsmtp_source_t source;
  const answer_t* next;
  uvsmtp_proto_t* p;
  int released;
  int resumes; /* at release */
} player_t;

static int player_peek(uvsmtp_source_t* s, uvsmtp_slice_t* out) {
  player_t* self = (player_t*)s;
  if (self->next->status != UVSMTP_SOURCE_MORE) return (self->next++)->status;
  out->base = self->next->text;
  out->len = strlen(self->next->text);
  return UVSMTP_SOURCE_MORE;
}

static void player_consumed(uvsmtp_source_t* s, size_t n) {
  (void)n;
  ((player_t*)s)->next++;
}

static void player_release(uvsmtp_source_t* s) {
  player_t* self = (player_t*)s;
  self->released++;
  if (self->resumes) uvsmtp_proto_resume(self->p);
}

static void play(player_t* s, host_t* h, const answer_t* answers,
                 int64_t length) {
  uvsmtp_source_t source = UVSMTP_SOURCE_INIT;
  memset(s, 0, sizeof(*s));
  s->source = source;
  s->source.length = length;
  s->source.peek = player_peek;
  s->source.consumed = player_consumed;
  s->source.release = player_release;
  s->next = answers;
  s->p = h->p;
}

static const uvsmtp_result_t* finished(host_t* h) {
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  assert_int_equal(uvsmtp_proto_next(h->p, &e), 1);
  return e.result;
}

static void expect_outcome(host_t* h, int status, int outcome) {
  const uvsmtp_result_t* r = finished(h);
  assert_int_equal(uvsmtp_result_status(r), status);
  assert_int_equal(uvsmtp_result_outcome(r), outcome);
}

/* Such a source fails its message before anything is sent. */
static void expect_nothing_sent(const answer_t* answers, int64_t length) {
  player_t s;
  host_t h;
  host_open(&h, 0);
  greet(&h, "250-h\r\n250 SIZE 0\r\n");
  play(&s, &h, answers, length);
  send_body(&h, &s.source);
  drain(&h);
  assert_int_equal(h.len, 0);
  expect_outcome(&h, UVSMTP_ESOURCE, UVSMTP_OUTCOME_DEFERRED);
  host_close(&h);
}

/* --------------------------------------------------------------- tests */

/* It said 5000 and has nothing: no empty message may go in its place. */
static void short_source_is_no_message(void** state) {
  static const answer_t answers[] = {{UVSMTP_SOURCE_EOF, NULL},
                                     {UVSMTP_SOURCE_EOF, NULL}};
  (void)state;
  expect_nothing_sent(answers, 5000);
}

/* What comes after an error has lost its beginning. */
static void failed_source_stays_failed(void** state) {
  static const answer_t answers[] = {
      {-EIO, NULL}, {UVSMTP_SOURCE_MORE, "tail"}, {UVSMTP_SOURCE_EOF, NULL}};
  (void)state;
  expect_nothing_sent(answers, 4);
}

/* A host may send all, read the verdict, and only then look for more. */
static void verdict_before_the_next_look(void** state) {
  static char text[70000];
  uvsmtp_memory_source_t body;
  uvsmtp_slice_t s[8];
  size_t all = 0;
  size_t n;
  size_t i;
  host_t h;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250-h\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
  memset(text, 'x', sizeof(text));
  memcpy(text + sizeof(text) - 2, "\r\n", 2);
  uvsmtp_source_memory(&body, text, sizeof(text));
  send_body(&h, &body.source);
  n = uvsmtp_proto_peek(h.p, s, 8);
  for (i = 0; i < n; i++) all += s[i].len;
  uvsmtp_proto_sent(h.p, all);
  uvsmtp_proto_feed(h.p, "250 1\r\n250 2\r\n", 14);
  n = uvsmtp_proto_peek(h.p, s, 8);
  for (all = 0, i = 0; i < n; i++) all += s[i].len;
  assert_int_equal(all, sizeof("BDAT 70000 LAST\r\n") - 1 + sizeof(text));
  uvsmtp_proto_sent(h.p, all);
  uvsmtp_proto_feed(h.p, "250 3\r\n", 7);
  (void)uvsmtp_proto_peek(h.p, s, 8);
  expect_outcome(&h, 0, UVSMTP_OUTCOME_ACCEPTED);
  host_close(&h);
}

/* Half of the reply was there before the last octets of the text had left. */
static void early_in_halves_is_early(void** state) {
  uvsmtp_memory_source_t body;
  uvsmtp_slice_t s[4];
  host_t h;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250-h\r\n250 CHUNKING\r\n");
  uvsmtp_source_memory(&body, "hello\r\n", 7);
  send_body(&h, &body.source);
  drain(&h);
  say(&h, "250 1\r\n");
  uvsmtp_proto_feed(h.p, "250 2\r\n", 7);
  assert_true(uvsmtp_proto_peek(h.p, s, 4) > 0);
  uvsmtp_proto_sent(h.p, sizeof("BDAT 7 LAST\r\nhel") - 1);
  uvsmtp_proto_feed(h.p, "25", 2);
  drain(&h);
  say(&h, "0 ok\r\n");
  expect_outcome(&h, UVSMTP_EUNKNOWN, UVSMTP_OUTCOME_UNKNOWN);
  host_close(&h);
}

/* A release may resume, whichever request is freed first. */
static void release_may_resume(void** state) {
  static const answer_t answers[] = {{UVSMTP_SOURCE_EOF, NULL}};
  player_t s[2];
  host_t h;
  int i;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250 h\r\n");
  for (i = 0; i < 2; i++) {
    play(&s[i], &h, answers, -1);
    s[i].resumes = 1;
    send_body(&h, &s[i].source);
  }
  drain(&h);
  host_close(&h);
  assert_int_equal(s[0].released, 1);
  assert_int_equal(s[1].released, 1);
}

/* The sender was refused, yet the text is taken: under whose name? */
static void taken_after_a_refusal_is_unknown(void** state) {
  uvsmtp_memory_source_t body;
  const uvsmtp_result_t* r;
  host_t h;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250-h\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
  uvsmtp_source_memory(&body, "x\r\n", 3);
  send_body(&h, &body.source);
  drain(&h);
  say(&h, "451 no\r\n250 b\r\n250 taken\r\n");
  r = finished(&h);
  assert_int_equal(uvsmtp_result_status(r), UVSMTP_EUNKNOWN);
  assert_int_equal(uvsmtp_result_cause(r), UVSMTP_ESENDER);
  assert_int_equal(uvsmtp_result_outcome(r), UVSMTP_OUTCOME_UNKNOWN);
  assert_int_equal(uvsmtp_rcpt_result_status(uvsmtp_result_rcpt(r, 0)),
                   UVSMTP_EUNKNOWN);
  assert_int_equal(uvsmtp_proto_state(h.p), UVSMTP_STATE_CLOSED);
  host_close(&h);
}

static int submit_chunk(host_t* h, uvsmtp_memory_source_t* chunk,
                        const char* text, int last) {
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(UVSMTP_OP_BDAT);
  uvsmtp_source_memory(chunk, text, strlen(text));
  r.body = &chunk->source;
  r.last = last;
  return uvsmtp_proto_submit(h->p, &r);
}

/* RSET is on its way: the chunk behind it belongs to another transaction, and
 * were it left out, the last one would be taken for the whole message. */
static void refusal_ends_with_its_transaction(void** state) {
  uvsmtp_memory_source_t chunks[3];
  host_t h;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250-h\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
  assert_int_equal(submit(&h, UVSMTP_OP_MAIL, "a@x.example"), 0);
  assert_int_equal(submit(&h, UVSMTP_OP_RCPT, "b@y.example"), 0);
  assert_int_equal(submit_chunk(&h, &chunks[0], "1", 0), 0);
  drain(&h);
  say(&h, "250 1\r\n250 2\r\n452 full\r\n");
  assert_int_equal(submit(&h, UVSMTP_OP_RSET, NULL), 0);
  assert_int_equal(submit(&h, UVSMTP_OP_MAIL, "c@x.example"), 0);
  assert_int_equal(submit(&h, UVSMTP_OP_RCPT, "d@y.example"), 0);
  assert_int_equal(submit_chunk(&h, &chunks[1], "2", 0), 0);
  assert_int_equal(submit_chunk(&h, &chunks[2], "3", 1), 0);
  drain(&h);
  assert_string_equal(h.out,
                      "RSET\r\nMAIL FROM:<c@x.example>\r\n"
                      "RCPT TO:<d@y.example>\r\n");
  say(&h, "250 reset\r\n");
  assert_string_equal(h.out, "BDAT 1\r\n2BDAT 1 LAST\r\n3");
  say(&h, "250 1\r\n250 2\r\n250 3\r\n250 4\r\n");
  expect(&h, UVSMTP_OP_MAIL, 0);
  expect(&h, UVSMTP_OP_RCPT, 0);
  expect(&h, UVSMTP_OP_BDAT, UVSMTP_EDATA);
  expect(&h, UVSMTP_OP_RSET, 0);
  expect(&h, UVSMTP_OP_MAIL, 0);
  expect(&h, UVSMTP_OP_RCPT, 0);
  expect(&h, UVSMTP_OP_BDAT, 0);
  expect_outcome(&h, 0, UVSMTP_OUTCOME_ACCEPTED);
  host_close(&h);
}

/* A second MAIL has no place in a transaction, and what was queued behind it
 * must not go under the first one's sender. */
static void nothing_goes_under_the_wrong_sender(void** state) {
  uvsmtp_memory_source_t chunk;
  host_t h;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250-h\r\n250 CHUNKING\r\n");
  assert_int_equal(submit(&h, UVSMTP_OP_MAIL, "a@x.example"), 0);
  assert_int_equal(submit(&h, UVSMTP_OP_RCPT, "b@y.example"), 0);
  assert_int_equal(submit(&h, UVSMTP_OP_MAIL, "c@x.example"), 0);
  assert_int_equal(submit(&h, UVSMTP_OP_RCPT, "d@y.example"), 0);
  assert_int_equal(submit_chunk(&h, &chunk, "x\r\n", 1), 0);
  assert_int_equal(submit(&h, UVSMTP_OP_RSET, NULL), 0);
  assert_int_equal(submit(&h, UVSMTP_OP_MAIL, "e@x.example"), 0);
  assert_int_equal(submit(&h, UVSMTP_OP_RCPT, "f@y.example"), 0);
  drain(&h);
  say(&h, "250 1\r\n");
  say(&h, "250 2\r\n");
  assert_string_equal(h.out, "RSET\r\n");
  say(&h, "250 3\r\n");
  say(&h, "250 4\r\n");
  assert_string_equal(h.out, "RCPT TO:<f@y.example>\r\n");
  say(&h, "250 5\r\n");
  expect(&h, UVSMTP_OP_MAIL, 0);
  expect(&h, UVSMTP_OP_RCPT, 0);
  expect(&h, UVSMTP_OP_MAIL, -EPERM);
  expect(&h, UVSMTP_OP_RCPT, -EPERM);
  expect(&h, UVSMTP_OP_BDAT, -EPERM);
  expect(&h, UVSMTP_OP_RSET, 0);
  expect(&h, UVSMTP_OP_MAIL, 0);
  expect(&h, UVSMTP_OP_RCPT, 0);
  host_close(&h);
}

/* The hello that MAIL said by itself is not MAIL's answer. */
static void hello_is_not_the_answer(void** state) {
  const uvsmtp_result_t* r;
  host_t h;
  (void)state;
  host_open(&h, 0);
  assert_int_equal(submit(&h, UVSMTP_OP_CONNECT, NULL), 0);
  uvsmtp_proto_up(h.p);
  say(&h, "220 x\r\n");
  expect(&h, UVSMTP_OP_CONNECT, 0);
  assert_int_equal(submit(&h, UVSMTP_OP_MAIL, "a@x.example"), 0);
  drain(&h);
  say(&h, "250 hello\r\n");
  assert_string_equal(h.out, "MAIL FROM:<a@x.example>\r\n");
  uvsmtp_proto_lost(h.p, -4095);
  r = finished(&h);
  assert_int_equal(uvsmtp_result_status(r), UVSMTP_EDISCONNECTED);
  assert_null(uvsmtp_result_reply(r));
  host_close(&h);
}

/* No memory for the extensions: the call does not claim that all is well. */
static void hello_without_memory_fails(void** state) {
  host_t h;
  (void)state;
  host_open(&h, 0);
  assert_int_equal(submit(&h, UVSMTP_OP_CONNECT, NULL), 0);
  uvsmtp_proto_up(h.p);
  say(&h, "220 x\r\n");
  expect(&h, UVSMTP_OP_CONNECT, 0);
  assert_int_equal(submit(&h, UVSMTP_OP_EHLO, NULL), 0);
  drain(&h);
  uvsmtp_proto_feed(h.p, "250-h\r\n", 7);
  h.alloc.fail_at = h.alloc.requests + 1;
  h.alloc.fail_on = 1;
  uvsmtp_proto_feed(h.p, "250 SIZE 7\r\n", 12);
  h.alloc.fail_on = 0;
  h.alloc.fail_at = 0;
  expect(&h, UVSMTP_OP_EHLO, -ENOMEM);
  assert_int_equal(uvsmtp_proto_state(h.p), UVSMTP_STATE_CLOSED);
  host_close(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(short_source_is_no_message),
      cmocka_unit_test(failed_source_stays_failed),
      cmocka_unit_test(verdict_before_the_next_look),
      cmocka_unit_test(early_in_halves_is_early),
      cmocka_unit_test(release_may_resume),
      cmocka_unit_test(taken_after_a_refusal_is_unknown),
      cmocka_unit_test(refusal_ends_with_its_transaction),
      cmocka_unit_test(nothing_goes_under_the_wrong_sender),
      cmocka_unit_test(hello_is_not_the_answer),
      cmocka_unit_test(hello_without_memory_fails),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
