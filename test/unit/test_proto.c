/* SPDX-License-Identifier: MIT */
/* test_proto.c: the engine's calls as a host makes them: what is refused, who
 * owns what, which wait is on. The dialogues are in test/conv. */
#include "host.h"

/* --------------------------------------------------------------- tests */

static void refuses_bad_configurations(void** state) {
  uvsmtp_proto_config_t c = UVSMTP_PROTO_CONFIG_INIT;
  test_alloc_t alloc = {0};
  uvsmtp_mem_t mem = {sizeof(mem), test_alloc, NULL};
  uvsmtp_proto_t* p = NULL;
  (void)state;
  mem.data = &alloc;
  assert_int_equal(uvsmtp_proto_new(&p, NULL), -EINVAL);
  assert_int_equal(uvsmtp_proto_new(&p, &c), -EINVAL); /* no memory */
  c.mem = &mem;
  c.size = 0;
  assert_int_equal(uvsmtp_proto_new(&p, &c), -EINVAL);
  c.size = sizeof(c);
  c.flags = 1u << 30;
  assert_int_equal(uvsmtp_proto_new(&p, &c), -EINVAL);
  c.flags = 0;
  c.local_name = "a b";
  assert_int_equal(uvsmtp_proto_new(&p, &c), -EINVAL);
  c.local_name = "a.example\r\nMAIL FROM:<x@y>";
  assert_int_equal(uvsmtp_proto_new(&p, &c), -EINVAL);
  c.local_name = "a.example";
  alloc.fail_at = 1;
  assert_int_equal(uvsmtp_proto_new(&p, &c), -ENOMEM);
  alloc.fail_at = alloc.requests + 2;
  assert_int_equal(uvsmtp_proto_new(&p, &c), -ENOMEM);
  assert_null(p);
  assert_int_equal(alloc.blocks, 0);
}

/* A caller built against a later header may pass a longer struct as long as it
 * asks for nothing that we do not know. */
static void later_structs_pass_when_empty(void** state) {
  struct {
    uvsmtp_request_t r;
    long later;
  } big;
  host_t h;
  (void)state;
  host_open(&h, 0);
  memset(&big, 0, sizeof(big));
  big.r.size = sizeof(big);
  big.r.op = UVSMTP_OP_NOOP;
  assert_int_equal(uvsmtp_proto_submit(h.p, &big.r), 0);
  big.later = 1;
  assert_int_equal(uvsmtp_proto_submit(h.p, &big.r), -EINVAL);
  big.later = 0;
  big.r.size = 8;
  assert_int_equal(uvsmtp_proto_submit(h.p, &big.r), -EINVAL);
  host_close(&h);
}

static void refuses_bad_requests(void** state) {
  static const struct {
    int op;
    const char* text;
  } bad[] = {
      {0, NULL},
      {99, NULL},
      {UVSMTP_OP_EHLO, "a\r\nb"},
      {UVSMTP_OP_EHLO, ""},
      {UVSMTP_OP_MAIL, NULL},
      {UVSMTP_OP_MAIL, "a@b\r\nRCPT TO:<c@d>"},
      {UVSMTP_OP_MAIL, "a@b> SIZE=1"},
      {UVSMTP_OP_RCPT, ""},
      {UVSMTP_OP_RCPT, "<>"},
      {UVSMTP_OP_RCPT, "a b@c"},
      {UVSMTP_OP_COMMAND, NULL},
      {UVSMTP_OP_COMMAND, ""},
      {UVSMTP_OP_COMMAND, "VRFY a\nRSET"},
      {UVSMTP_OP_COMMAND, "data"},
      {UVSMTP_OP_COMMAND, "STARTTLS"},
      {UVSMTP_OP_DATA, NULL},
      {UVSMTP_OP_BDAT, NULL},
      {UVSMTP_OP_SEND, NULL},
  };
  host_t h;
  size_t i;
  (void)state;
  host_open(&h, 0);
  for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    size_t blocks = h.alloc.blocks;
    assert_int_equal(submit(&h, bad[i].op, bad[i].text), -EINVAL);
    assert_int_equal(h.alloc.blocks, blocks);
    assert_int_equal(uvsmtp_proto_pending(h.p), 0);
  }
  host_close(&h);
  host_open(&h, UVSMTP_SESSION_LMTP);
  assert_int_equal(submit(&h, UVSMTP_OP_HELO, NULL), -EINVAL);
  host_close(&h);
}

/* A command that has a request of its own is no extension's. */
static void extensions_are_no_other_command(void** state) {
  static const struct {
    int op;
    const char* text;
    int status;
  } lines[] = {{UVSMTP_OP_EXTENSION, "ETRN x", 0},
               {UVSMTP_OP_EXTENSION, NULL, -EINVAL},
               {UVSMTP_OP_EXTENSION, "MAIL FROM:<a@x>", -EINVAL},
               {UVSMTP_OP_EXTENSION, "bdat 5 LAST", -EINVAL},
               {UVSMTP_OP_EXTENSION, " DATA", -EINVAL},
               {UVSMTP_OP_EXTENSION, "XCLIENT NAME=x", -EINVAL},
               {UVSMTP_OP_EXTENSION, "ETRN x\r\nDATA", -EINVAL},
               {UVSMTP_OP_XCLIENT, "xclient NAME=x", 0},
               {UVSMTP_OP_XCLIENT, NULL, -EINVAL},
               {UVSMTP_OP_XCLIENT, "ETRN x", -EINVAL}};
  host_t h;
  size_t i;
  (void)state;
  host_open(&h, 0);
  for (i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
    uvsmtp_request_t r = UVSMTP_REQUEST_INIT(0);
    r.op = lines[i].op;
    r.text = lines[i].text;
    r.keyword = "ETRN";
    assert_int_equal(uvsmtp_proto_submit(h.p, &r), lines[i].status);
  }
  host_close(&h);
}

static const char* other_text;

static int rewind_to_other(uvsmtp_source_t* s) {
  ((uvsmtp_memory_source_t*)(void*)s)->off = 0;
  ((uvsmtp_memory_source_t*)(void*)s)->base = other_text;
  return 0;
}

/* A file may have been written to between two transactions: what is announced
 * of it is what goes. */
static void what_is_sent_again_is_measured_again(void** state) {
  static const uvsmtp_rcpt_t rcpts[2] = {UVSMTP_RCPT_INIT("b@y"),
                                         UVSMTP_RCPT_INIT("c@y")};
  static const char texts[2][5] = {"a\nb\n", "\xc3\xa9\r\n"};
  const uvsmtp_rcpt_t* const list[2] = {&rcpts[0], &rcpts[1]};
  uvsmtp_message_t m = UVSMTP_MESSAGE_INIT;
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(UVSMTP_OP_SEND);
  uvsmtp_memory_source_t body;
  host_t h;
  (void)state;
  host_open(&h, 0);
  greet(&h,
        "250-mx\r\n250-PIPELINING\r\n250-SIZE\r\n250-8BITMIME\r\n"
        "250-LIMITS RCPTMAX=1\r\n250 CHUNKING\r\n");
  uvsmtp_source_memory(&body, texts[0], 4);
  body.source.rewind = rewind_to_other;
  other_text = texts[1];
  m.from = "a@x";
  m.rcpts = list;
  m.nrcpts = 2;
  m.body = &body.source;
  r.message = &m;
  assert_int_equal(uvsmtp_proto_submit(h.p, &r), 0);
  drain(&h);
  assert_string_equal(h.out,
                      "MAIL FROM:<a@x> SIZE=6\r\nRCPT TO:<b@y>\r\n"
                      "BDAT 6 LAST\r\na\r\nb\r\n");
  say(&h, "250 ok\r\n250 ok\r\n250 ok\r\n");
  assert_string_equal(h.out,
                      "MAIL FROM:<a@x> SIZE=4 BODY=8BITMIME\r\n"
                      "RCPT TO:<c@y>\r\nBDAT 4 LAST\r\n\xc3\xa9\r\n");
  say(&h, "250 ok\r\n250 ok\r\n250 ok\r\n");
  expect(&h, UVSMTP_OP_SEND, 0);
  host_close(&h);
}

enum { MANY = 60 };

/* Sends a message to MANY recipients by a server that takes the first and the
 * third of each transaction: how much memory it takes at the most. */
static size_t most_memory(const char* limits, const char* refusal,
                          const char* final) {
  uvsmtp_rcpt_t rcpts[MANY];
  const uvsmtp_rcpt_t* list[MANY];
  uvsmtp_message_t m = UVSMTP_MESSAGE_INIT;
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(UVSMTP_OP_SEND);
  uvsmtp_memory_source_t body;
  host_t h;
  size_t i;
  host_open(&h, 0);
  greet(&h, limits);
  uvsmtp_source_memory(&body, "hi\r\n", 4);
  for (i = 0; i < MANY; i++) {
    rcpts[i] = (uvsmtp_rcpt_t)UVSMTP_RCPT_INIT("b@y");
    list[i] = &rcpts[i];
  }
  m.from = "a@x";
  m.rcpts = list;
  m.nrcpts = MANY;
  m.body = &body.source;
  r.message = &m;
  assert_int_equal(uvsmtp_proto_submit(h.p, &r), 0);
  drain(&h);
  for (i = 0; h.len > 0; i = h.out[0] == 'M' ? 0 : i + 1) {
    if (h.out[0] == 'D')
      say(&h, "354 go\r\n");
    else if (h.out[0] == 'h')
      say(&h, final);
    else
      say(&h, i == 0 || i == 1 || i == 3 ? "250 ok\r\n" : refusal);
  }
  expect(&h, UVSMTP_OP_SEND, 0);
  host_close(&h);
  return h.alloc.peak;
}

/* What a server says again and again is not kept again and again. */
static void many_transactions_take_little_memory(void** state) {
  static char refusal[1100] = "452 ";
  static char final[60000];
  size_t at;
  (void)state;
  memset(refusal + 4, 'x', 1000);
  memcpy(refusal + 1004, "\r\n", 3);
  assert_in_range(
      most_memory("250-mx\r\n250 LIMITS RCPTMAX=99\r\n", refusal, "250 ok\r\n"),
      1, 512 * 1024);
  for (at = 0; at < 58000; at += 1006) {
    memcpy(final + at, "250-", 4);
    memset(final + at + 4, 'x', 1000);
    memcpy(final + at + 1004, "\r\n", 2);
  }
  memcpy(final + at, "250 ok\r\n", 9);
  assert_in_range(
      most_memory("250-mx\r\n250 LIMITS RCPTMAX=1\r\n", "452 no\r\n", final), 1,
      512 * 1024);
}

/* One that is accepted fits into a line, with LAST, too. */
static void urls_have_a_longest(void** state) {
  enum { LONGEST = 2048 - sizeof("BURL  LAST\r\n") + 1 };
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(UVSMTP_OP_BURL);
  char url[LONGEST + 2];
  host_t h;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250-mx\r\n250 BURL\r\n");
  assert_int_equal(submit(&h, UVSMTP_OP_MAIL, "a@b"), 0);
  drain(&h);
  say(&h, "250 ok\r\n");
  expect(&h, UVSMTP_OP_MAIL, 0);
  memset(url, 'u', LONGEST + 1);
  url[LONGEST + 1] = '\0';
  r.text = url;
  r.last = 1;
  assert_int_equal(uvsmtp_proto_submit(h.p, &r), -EINVAL);
  url[LONGEST] = '\0';
  assert_int_equal(uvsmtp_proto_submit(h.p, &r), 0);
  drain(&h);
  assert_int_equal(h.len, 2048);
  host_close(&h);
}

static void refuses_bad_messages(void** state) {
  static const char* const bad_option[] = {"SIZE=1\r\nDATA"};
  static const char* const blank_option[] = {"RET=FULL ENVID=x"};
  uvsmtp_message_t m = UVSMTP_MESSAGE_INIT;
  uvsmtp_memory_source_t body;
  host_t h;
  (void)state;
  host_open(&h, 0);
  uvsmtp_source_memory(&body, "x", 1);
  m.from = "a@x.example";
  m.rcpts = one_list;
  m.body = &body.source;
  assert_int_equal(submit_message(&h, &m), -EINVAL); /* no recipient */
  m.nrcpts = 1;
  m.body = NULL;
  assert_int_equal(submit_message(&h, &m), -EINVAL);
  m.body = &body.source;
  m.from = NULL;
  assert_int_equal(submit_message(&h, &m), -EINVAL);
  m.from = "a@x.example";
  m.flags = 1u << 30;
  assert_int_equal(submit_message(&h, &m), -EINVAL);
  m.flags = 0;
  m.line_ends = 7;
  assert_int_equal(submit_message(&h, &m), -EINVAL);
  m.line_ends = 0;
  m.mail_options = bad_option;
  m.nmail_options = 1;
  assert_int_equal(submit_message(&h, &m), -EINVAL);
  m.mail_options = blank_option;
  assert_int_equal(submit_message(&h, &m), -EINVAL);
  m.nmail_options = 0;
  body.source.length = -3;
  assert_int_equal(submit_message(&h, &m), -EINVAL);
  body.source.length = 1;
  assert_int_equal(submit_message(&h, &m), 0);
  host_close(&h);
}

/* Nobody is connected: the request ends by itself, but not within submit. */
static void without_connection(void** state) {
  host_t h;
  (void)state;
  host_open(&h, 0);
  assert_int_equal(submit(&h, UVSMTP_OP_NOOP, NULL), 0);
  assert_int_equal(uvsmtp_proto_pending(h.p), 1);
  expect(&h, UVSMTP_OP_NOOP, UVSMTP_EDISCONNECTED);
  assert_int_equal(uvsmtp_proto_pending(h.p), 0);
  host_close(&h);
}

static void hooks_are_refused(void** state) {
  source_t s;
  host_t h;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250-mx\r\n250 CHUNKING\r\n");
  source_init(&s, &h, "hello\n");
  send_body(&h, &s.source);
  drain(&h);
  say(&h, "250 ok\r\n");
  say(&h, "250 ok\r\n");
  assert_string_equal(h.out, "BDAT 7 LAST\r\nhello\r\n");
  assert_true(s.busy >= 2);
  assert_int_equal(s.released, 0);
  say(&h, "250 2.6.0 as 17\r\n");
  assert_int_equal(s.released, 1); /* before the event is taken */
  expect(&h, UVSMTP_OP_SEND, 0);
  host_close(&h);
  assert_int_equal(s.released, 1);
}

/* What fails at once does not release the source before the call returns. */
static void release_comes_later(void** state) {
  uvsmtp_message_t m = UVSMTP_MESSAGE_INIT;
  source_t s;
  host_t h;
  (void)state;
  host_open(&h, 0);
  source_init(&s, &h, "x");
  send_body(&h, &s.source);
  assert_int_equal(s.released, 0);
  expect(&h, UVSMTP_OP_SEND, UVSMTP_EDISCONNECTED);
  assert_int_equal(s.released, 1);
  s.source.reserved[3] = &s;
  assert_int_equal(submit_message(&h, &m), -EINVAL);
  host_close(&h);
  assert_int_equal(s.released, 1);
}

/* Freeing the engine releases what it borrowed, once. */
static void free_releases(void** state) {
  source_t s;
  host_t h;
  (void)state;
  host_open(&h, 0);
  source_init(&s, &h, "x");
  greet(&h, "250 mx\r\n");
  send_body(&h, &s.source);
  host_close(&h);
  assert_int_equal(s.released, 1);
}

/* Names many more recipients than there are, and than there can be rows for. */
static int crowd(uvsmtp_source_t* body, const char** from,
                 const char* const** rcpts, size_t* nrcpts,
                 const char** reason) {
  static const char* const some[] = {"b@y.example"};
  (void)body;
  (void)reason;
  *from = "a@x.example";
  *rcpts = some;
  *nrcpts = SIZE_MAX / 2;
  return 0;
}

/* One that names more than there can be rows for ends before its list is read.
 */
static void headers_name_only_so_many(void** state) {
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(UVSMTP_OP_SEND);
  uvsmtp_message_t m = UVSMTP_MESSAGE_INIT;
  source_t s;
  host_t h;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250 x\r\n");
  source_init(&s, &h, "x");
  m.body = &s.source;
  r.message = &m;
  r.envelope = crowd;
  assert_int_equal(uvsmtp_proto_submit(h.p, &r), 0);
  expect(&h, UVSMTP_OP_SEND, -ENOMEM);
  assert_int_equal(s.released, 1);
  drain(&h);
  assert_int_equal(h.len, 0);
  host_close(&h);
}

/* Each wait has a phase and a serial of its own; a source that makes the
 * session wait does so under the deadline of the text. */
static void waits_have_phases(void** state) {
  uvsmtp_message_t m = UVSMTP_MESSAGE_INIT;
  unsigned int serial[3];
  source_t s;
  host_t h;
  (void)state;
  host_open(&h, 0);
  assert_int_equal(uvsmtp_proto_wait(h.p, NULL), UVSMTP_PHASE_NONE);
  assert_int_equal(submit(&h, UVSMTP_OP_CONNECT, NULL), 0);
  assert_int_equal(uvsmtp_proto_wait(h.p, NULL), UVSMTP_PHASE_CONNECT);
  uvsmtp_proto_up(h.p);
  assert_int_equal(uvsmtp_proto_wait(h.p, &serial[0]), UVSMTP_PHASE_GREETING);
  uvsmtp_proto_feed(h.p, "220", 3);
  assert_int_equal(uvsmtp_proto_wait(h.p, &serial[1]), UVSMTP_PHASE_GREETING);
  assert_int_equal(serial[0], serial[1]); /* octets do not restart it */
  say(&h, " x\r\n");
  expect(&h, UVSMTP_OP_CONNECT, 0);
  assert_int_equal(uvsmtp_proto_wait(h.p, NULL), UVSMTP_PHASE_NONE);
  source_init(&s, &h, "x");
  s.waits = 1;
  m.from = "";
  m.rcpts = one_list;
  m.nrcpts = 1;
  m.body = &s.source;
  assert_int_equal(submit_message(&h, &m), 0);
  drain(&h);
  assert_int_equal(uvsmtp_proto_wait(h.p, NULL), UVSMTP_PHASE_HELLO);
  say(&h, "250-x\r\n250 CHUNKING\r\n");
  assert_int_equal(uvsmtp_proto_wait(h.p, &serial[0]), UVSMTP_PHASE_MAIL);
  say(&h, "250 x\r\n");
  assert_int_equal(uvsmtp_proto_wait(h.p, &serial[1]), UVSMTP_PHASE_RCPT);
  assert_int_not_equal(serial[0], serial[1]);
  say(&h, "250 x\r\n");
  assert_int_equal(h.len, 0);
  assert_int_equal(uvsmtp_proto_wait(h.p, NULL), UVSMTP_PHASE_TEXT);
  uvsmtp_proto_resume(h.p);
  drain(&h);
  assert_string_equal(h.out, "BDAT 3 LAST\r\nx\r\n");
  assert_int_equal(uvsmtp_proto_wait(h.p, NULL), UVSMTP_PHASE_DOT);
  uvsmtp_proto_timeout(h.p);
  assert_int_equal(uvsmtp_proto_wants(h.p), UVSMTP_WANTS_CLOSE);
  expect(&h, UVSMTP_OP_SEND, UVSMTP_EUNKNOWN);
  host_close(&h);
}

/* Octets may come while the source is about to say that there are none. */
static void resume_within_peek_counts(void** state) {
  source_t s;
  host_t h;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250-x\r\n250 CHUNKING\r\n");
  source_init(&s, &h, "x");
  s.waits = 2;
  s.resumes = 1;
  send_body(&h, &s.source);
  drain(&h);
  say(&h, "250 x\r\n");
  say(&h, "250 x\r\n");
  drain(&h);
  drain(&h);
  assert_int_equal(s.waits, 0);
  assert_int_equal(uvsmtp_proto_wait(h.p, NULL), UVSMTP_PHASE_DOT);
  say(&h, "250 x\r\n");
  expect(&h, UVSMTP_OP_SEND, 0);
  host_close(&h);
}

/* A source that never resumes ends by its deadline, safely: no chunk of it was
 * announced. */
static void waiting_source_times_out(void** state) {
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  source_t s;
  host_t h;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250-x\r\n250 CHUNKING\r\n");
  source_init(&s, &h, "x");
  s.waits = 1000;
  send_body(&h, &s.source);
  drain(&h);
  say(&h, "250 x\r\n");
  say(&h, "250 x\r\n");
  assert_int_equal(uvsmtp_proto_wait(h.p, NULL), UVSMTP_PHASE_TEXT);
  uvsmtp_proto_timeout(h.p);
  assert_int_equal(uvsmtp_proto_next(h.p, &e), 1);
  assert_int_equal(uvsmtp_result_status(e.result), -ETIMEDOUT);
  assert_int_equal(uvsmtp_result_outcome(e.result), UVSMTP_OUTCOME_DEFERRED);
  assert_int_equal(s.released, 1);
  host_close(&h);
}

/* What a source calls its own failure says nothing of the text. */
static void sources_may_fail_of_encodings(void** state) {
  static const char* const offers[] = {"250 x\r\n",
                                       "250-x\r\n250 CHUNKING\r\n"};
  uvsmtp_message_t m = UVSMTP_MESSAGE_INIT;
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  source_t s;
  host_t h;
  int i;
  (void)state;
  for (i = 0; i < 2; i++) {
    host_open(&h, 0);
    greet(&h, offers[i]);
    source_init(&s, &h, "x");
    s.fails = -EILSEQ;
    m.from = "a@x.example";
    m.rcpts = one_list;
    m.nrcpts = 1;
    m.body = &s.source;
    m.flags = UVSMTP_MESSAGE_REFUSE_8BIT;
    assert_int_equal(submit_message(&h, &m), 0);
    drain(&h);
    say(&h, "250 x\r\n");
    drain(&h);
    say(&h, "250 x\r\n");
    drain(&h);
    if (i == 0) say(&h, "354 x\r\n");
    assert_int_equal(uvsmtp_proto_next(h.p, &e), 1);
    assert_int_equal(uvsmtp_result_status(e.result), UVSMTP_ESOURCE);
    assert_int_equal(uvsmtp_result_cause(e.result), -EILSEQ);
    assert_int_equal(uvsmtp_result_outcome(e.result), UVSMTP_OUTCOME_DEFERRED);
    assert_null(uvsmtp_result_detail(e.result));
    assert_int_equal(s.released, 1);
    host_close(&h);
  }
}

static void borrows_strings_when_told(void** state) {
  char from[] = "a@x.example";
  uvsmtp_message_t m = UVSMTP_MESSAGE_INIT;
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  uvsmtp_memory_source_t body;
  host_t h;
  int borrow;
  (void)state;
  for (borrow = 0; borrow < 2; borrow++) {
    host_open(&h, 0);
    uvsmtp_source_memory(&body, "x", 1);
    m.from = from;
    m.rcpts = one_list;
    m.nrcpts = 1;
    m.body = &body.source;
    m.flags = borrow ? UVSMTP_MESSAGE_BORROW_STRINGS : 0;
    assert_int_equal(submit_message(&h, &m), 0);
    assert_int_equal(uvsmtp_proto_next(h.p, &e), 1);
    assert_string_equal(uvsmtp_result_sender(e.result), from);
    assert_int_equal(uvsmtp_result_sender(e.result) == from, borrow);
    assert_int_equal(uvsmtp_result_rcpt_count(e.result), 1);
    assert_null(uvsmtp_result_rcpt(e.result, 1));
    assert_null(uvsmtp_result_reply(e.result));
    assert_int_equal(uvsmtp_result_outcome(e.result),
                     UVSMTP_OUTCOME_NOT_ATTEMPTED);
    host_close(&h);
  }
}

/* The first one counts when an address is given twice. */
static void recipients_are_found(void** state) {
  static const uvsmtp_rcpt_t two = UVSMTP_RCPT_INIT("<c@z.example>");
  static const uvsmtp_rcpt_t* const list[] = {&one, &two, &one};
  uvsmtp_message_t m = UVSMTP_MESSAGE_INIT;
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  uvsmtp_memory_source_t body;
  host_t h;
  (void)state;
  host_open(&h, 0);
  uvsmtp_source_memory(&body, "x", 1);
  m.from = "a@x.example";
  m.rcpts = list;
  m.nrcpts = 3;
  m.body = &body.source;
  assert_int_equal(submit_message(&h, &m), 0);
  assert_int_equal(uvsmtp_proto_next(h.p, &e), 1);
  assert_ptr_equal(uvsmtp_result_find_rcpt(e.result, "b@y.example"),
                   uvsmtp_result_rcpt(e.result, 0));
  assert_ptr_equal(uvsmtp_result_find_rcpt(e.result, "<c@z.example>"),
                   uvsmtp_result_rcpt(e.result, 1));
  assert_null(uvsmtp_result_find_rcpt(e.result, "c@z.example"));
  assert_null(uvsmtp_result_find_rcpt(e.result, ""));
  host_close(&h);
}

static void extensions_can_be_read(void** state) {
  uvsmtp_slice_t keyword;
  uvsmtp_slice_t params;
  size_t cursor = 0;
  size_t n = 0;
  host_t h;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250-mx hello\r\n250-Size 1000\r\n250-X-OTHER a b\r\n250 NOOP\r\n");
  assert_string_equal(uvsmtp_proto_extn(h.p, "SIZE"), "1000");
  assert_string_equal(uvsmtp_proto_extn(h.p, "x-other"), "a b");
  assert_string_equal(uvsmtp_proto_extn(h.p, "noop"), "");
  assert_null(uvsmtp_proto_extn(h.p, "mx"));
  while (uvsmtp_proto_next_extn(h.p, &cursor, &keyword, &params)) n++;
  assert_int_equal(n, 3);
  uvsmtp_proto_lost(h.p, -4095);
  assert_null(uvsmtp_proto_extn(h.p, "SIZE"));
  host_close(&h);
}

/* The steady state: the second message costs as many allocations as the third,
 * and after each the engine holds what it held before. */
static void messages_leave_nothing(void** state) {
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  uvsmtp_memory_source_t body;
  size_t octets = 0;
  host_t h;
  int i;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250-x\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
  assert_int_equal(uvsmtp_proto_next(h.p, &e), 0);
  octets = h.alloc.octets;
  for (i = 0; i < 3; i++) {
    uvsmtp_source_memory(&body, "x\r\n", 3);
    send_body(&h, &body.source);
    drain(&h);
    assert_string_equal(h.out,
                        "MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\n"
                        "BDAT 3 LAST\r\nx\r\n");
    say(&h, "250 1\r\n250 2\r\n250 3\r\n");
    expect(&h, UVSMTP_OP_SEND, 0);
    assert_int_equal(uvsmtp_proto_next(h.p, &e), 0);
    assert_int_equal(h.alloc.octets, octets);
  }
  host_close(&h);
}

static void cancel_is_final(void** state) {
  host_t h;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250 x\r\n");
  assert_int_equal(submit(&h, UVSMTP_OP_NOOP, NULL), 0);
  assert_int_equal(submit(&h, UVSMTP_OP_QUIT, NULL), 0);
  assert_int_equal(submit(&h, UVSMTP_OP_CONNECT, NULL), 0);
  uvsmtp_proto_cancel(h.p);
  expect(&h, UVSMTP_OP_NOOP, -ECANCELED);
  expect(&h, UVSMTP_OP_QUIT, -ECANCELED);
  expect(&h, UVSMTP_OP_CONNECT, -ECANCELED);
  assert_int_equal(submit(&h, UVSMTP_OP_NOOP, NULL), 0);
  expect(&h, UVSMTP_OP_NOOP, -ECANCELED);
  host_close(&h);
}

static void names_are_known(void** state) {
  (void)state;
  assert_string_equal(uvsmtp_state_name(UVSMTP_STATE_RCPT), "RCPT");
  assert_string_equal(uvsmtp_state_name(-1), "?");
  assert_string_equal(uvsmtp_state_name(12), "?");
  assert_string_equal(uvsmtp_state_name(1000), "?");
  assert_string_equal(uvsmtp_outcome_name(UVSMTP_OUTCOME_UNKNOWN), "unknown");
  assert_string_equal(uvsmtp_outcome_name(99), "?");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(refuses_bad_configurations),
      cmocka_unit_test(later_structs_pass_when_empty),
      cmocka_unit_test(refuses_bad_requests),
      cmocka_unit_test(what_is_sent_again_is_measured_again),
      cmocka_unit_test(many_transactions_take_little_memory),
      cmocka_unit_test(extensions_are_no_other_command),
      cmocka_unit_test(urls_have_a_longest),
      cmocka_unit_test(refuses_bad_messages),
      cmocka_unit_test(without_connection),
      cmocka_unit_test(hooks_are_refused),
      cmocka_unit_test(release_comes_later),
      cmocka_unit_test(free_releases),
      cmocka_unit_test(headers_name_only_so_many),
      cmocka_unit_test(waits_have_phases),
      cmocka_unit_test(resume_within_peek_counts),
      cmocka_unit_test(waiting_source_times_out),
      cmocka_unit_test(sources_may_fail_of_encodings),
      cmocka_unit_test(borrows_strings_when_told),
      cmocka_unit_test(recipients_are_found),
      cmocka_unit_test(extensions_can_be_read),
      cmocka_unit_test(messages_leave_nothing),
      cmocka_unit_test(cancel_is_final),
      cmocka_unit_test(names_are_known),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
