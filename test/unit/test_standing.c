/* SPDX-License-Identifier: MIT */
/* test_standing.c: what lies between requests: what the server said of itself,
 * messages whose turn has come but not their text, or whose time is over, and
 * how far they are. */
#include "host.h"

static void says(const uvsmtp_reply_t* reply, int code, const char* text) {
  assert_non_null(reply);
  assert_int_equal(uvsmtp_reply_code(reply), code);
  assert_string_equal(uvsmtp_reply_text(reply, NULL), text);
}

static void connect_to(host_t* h) {
  assert_int_equal(submit(h, UVSMTP_OP_CONNECT, NULL), 0);
  uvsmtp_proto_up(h->p);
  say(h, "220 mx.example\r\n");
  expect(h, UVSMTP_OP_CONNECT, 0);
}

static void ask(host_t* h, int op, const char* answer, int status) {
  assert_int_equal(submit(h, op, NULL), 0);
  drain(h);
  say(h, answer);
  expect(h, op, status);
}

/* Replies to a hello outlive their requests, refusals included, and one does
 * not push the other out: smtplib's ehlo_resp and helo_resp. */
static void hellos_are_kept(void** state) {
  host_t h;
  (void)state;
  host_open(&h, 0);
  assert_null(uvsmtp_proto_ehlo_reply(h.p));
  assert_null(uvsmtp_proto_helo_reply(h.p));
  greet(&h, "250-mx at your service\r\n250-SIZE 1000\r\n250 HELP\r\n");
  says(uvsmtp_proto_ehlo_reply(h.p), 250,
       "mx at your service\nSIZE 1000\nHELP");
  assert_int_equal(uvsmtp_reply_lines(uvsmtp_proto_ehlo_reply(h.p)), 3);
  assert_null(uvsmtp_proto_helo_reply(h.p));
  assert_int_equal(uvsmtp_proto_does_esmtp(h.p), 1);

  ask(&h, UVSMTP_OP_HELO, "501 5.5.4 whose?\r\n", UVSMTP_EHELO);
  says(uvsmtp_proto_helo_reply(h.p), 501, "5.5.4 whose?");
  says(uvsmtp_proto_ehlo_reply(h.p), 250,
       "mx at your service\nSIZE 1000\nHELP");

  ask(&h, UVSMTP_OP_EHLO, "502 no\r\n", UVSMTP_EHELO);
  says(uvsmtp_proto_ehlo_reply(h.p), 502, "no");
  assert_int_equal(uvsmtp_proto_does_esmtp(h.p), 0);
  ask(&h, UVSMTP_OP_HELO, "250 mx\r\n", 0);
  says(uvsmtp_proto_helo_reply(h.p), 250, "mx");
  says(uvsmtp_proto_ehlo_reply(h.p), 502, "no");

  ask(&h, UVSMTP_OP_QUIT, "221 bye\r\n", 0);
  assert_null(uvsmtp_proto_ehlo_reply(h.p));
  assert_null(uvsmtp_proto_helo_reply(h.p));
  host_close(&h);
}

/* The implicit hello of a message is kept as well, both halves of it. */
static void implicit_hello_is_kept(void** state) {
  uvsmtp_memory_source_t body;
  host_t h;
  (void)state;
  host_open(&h, 0);
  connect_to(&h);
  uvsmtp_source_memory(&body, "x\r\n", 3);
  send_body(&h, &body.source);
  drain(&h);
  assert_string_equal(h.out, "EHLO client.example\r\n");
  say(&h, "502 what?\r\n");
  assert_string_equal(h.out, "HELO client.example\r\n");
  say(&h, "250 mx\r\n");
  says(uvsmtp_proto_ehlo_reply(h.p), 502, "what?");
  says(uvsmtp_proto_helo_reply(h.p), 250, "mx");
  assert_int_equal(uvsmtp_proto_does_esmtp(h.p), 0);
  /* A new connection begins with nothing. */
  uvsmtp_proto_lost(h.p, -4095);
  assert_null(uvsmtp_proto_ehlo_reply(h.p));
  expect(&h, UVSMTP_OP_SEND, UVSMTP_EDISCONNECTED);
  host_close(&h);
}

/* Without memory for them there is no session, rather than one that forgot. */
static void no_memory_for_a_hello(void** state) {
  host_t h;
  (void)state;
  host_open(&h, 0);
  connect_to(&h);
  assert_int_equal(submit(&h, UVSMTP_OP_HELO, NULL), 0);
  drain(&h);
  h.alloc.fail_at = h.alloc.requests + 2; /* behind that of the result */
  say(&h, "250 mx\r\n");
  expect(&h, UVSMTP_OP_HELO, -ENOMEM);
  assert_int_equal(uvsmtp_proto_state(h.p), UVSMTP_STATE_CLOSED);
  host_close(&h);
}

/* ------------------------------------------------- lengths that come later */

/* Not yet known how long: the source says so when it has been opened. */
static void later_init(source_t* s, host_t* h, const char* text, int waits) {
  source_init(s, h, text);
  s->source.length = UVSMTP_LENGTH_LATER;
  s->waits = waits;
}

/* MAIL waits for the length, since it carries it; the deadline of the text is
 * on meanwhile. */
static void mail_waits_for_the_length(void** state) {
  source_t s;
  host_t h;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250-mx\r\n250-SIZE\r\n250 PIPELINING\r\n");
  later_init(&s, &h, "hello\r\n", 1);
  send_body(&h, &s.source);
  drain(&h);
  assert_int_equal(h.len, 0);
  assert_int_equal(uvsmtp_proto_wait(h.p, NULL), UVSMTP_PHASE_TEXT);
  s.source.length = 7;
  uvsmtp_proto_resume(h.p);
  drain(&h);
  assert_string_equal(h.out,
                      "MAIL FROM:<a@x.example> SIZE=7\r\n"
                      "RCPT TO:<b@y.example>\r\nDATA\r\n");
  say(&h, "250 1\r\n250 2\r\n354 3\r\n");
  assert_string_equal(h.out, "hello\r\n.\r\n");
  say(&h, "250 4\r\n");
  expect(&h, UVSMTP_OP_SEND, 0);
  host_close(&h);
}

/* A host that looks at the serial alone starts its timer for that wait too, and
 * not anew for a source that resumes and has nothing. */
static void waiting_for_the_length_is_a_wait(void** state) {
  unsigned int serials[3];
  source_t s;
  host_t h;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250 mx\r\n");
  assert_int_equal(uvsmtp_proto_wait(h.p, &serials[0]), UVSMTP_PHASE_NONE);
  later_init(&s, &h, "x", 1000);
  send_body(&h, &s.source);
  drain(&h);
  assert_int_equal(uvsmtp_proto_wait(h.p, &serials[1]), UVSMTP_PHASE_TEXT);
  assert_int_not_equal(serials[0], serials[1]);
  uvsmtp_proto_resume(h.p);
  drain(&h);
  assert_int_equal(uvsmtp_proto_wait(h.p, &serials[2]), UVSMTP_PHASE_TEXT);
  assert_int_equal(serials[1], serials[2]);
  host_close(&h);
}

/* Nothing is said of a message whose text can't be had, and the session is
 * there for the next. */
static void failing_before_mail(void** state) {
  static const int errors[] = {-ENOENT, -EISDIR};
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  source_t s;
  host_t h;
  size_t i;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250-mx\r\n250 SIZE\r\n");
  for (i = 0; i < 2; i++) {
    later_init(&s, &h, "x", 1);
    send_body(&h, &s.source);
    s.fails = errors[i];
    uvsmtp_proto_resume(h.p);
    drain(&h);
    assert_int_equal(h.len, 0);
    assert_int_equal(uvsmtp_proto_next(h.p, &e), 1);
    assert_int_equal(uvsmtp_result_status(e.result), UVSMTP_ESOURCE);
    assert_int_equal(uvsmtp_result_cause(e.result), errors[i]);
    assert_int_equal(uvsmtp_result_stage(e.result), UVSMTP_STATE_MAIL);
    assert_int_equal(uvsmtp_result_outcome(e.result), UVSMTP_OUTCOME_DEFERRED);
    assert_int_equal(s.released, 1);
  }
  /* One that forgets to say its length breaks the rules. */
  later_init(&s, &h, "x", 0);
  send_body(&h, &s.source);
  assert_int_equal(uvsmtp_proto_next(h.p, &e), 1);
  assert_int_equal(uvsmtp_result_status(e.result), UVSMTP_ESOURCE);
  assert_int_equal(uvsmtp_result_cause(e.result), -EINVAL);
  assert_int_equal(uvsmtp_proto_state(h.p), UVSMTP_STATE_READY);
  host_close(&h);
}

/* Its deadline costs the message alone. */
static void waiting_before_mail_times_out(void** state) {
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  unsigned int serials[2];
  source_t s[2];
  host_t h;
  size_t i;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250-mx\r\n250 SIZE\r\n");
  for (i = 0; i < 2; i++) {
    later_init(&s[i], &h, "x", 1000);
    send_body(&h, &s[i].source);
  }
  for (i = 0; i < 2; i++) {
    drain(&h);
    /* Each waits anew: the timer is to be restarted. */
    assert_int_equal(uvsmtp_proto_wait(h.p, &serials[i]), UVSMTP_PHASE_TEXT);
    uvsmtp_proto_timeout(h.p);
    assert_int_equal(uvsmtp_proto_next(h.p, &e), 1);
    assert_int_equal(uvsmtp_result_status(e.result), -ETIMEDOUT);
    assert_int_equal(uvsmtp_result_outcome(e.result), UVSMTP_OUTCOME_DEFERRED);
    assert_int_equal(s[i].released, 1);
  }
  assert_int_not_equal(serials[0], serials[1]);
  assert_int_equal(h.len, 0);
  assert_int_equal(uvsmtp_proto_wait(h.p, NULL), UVSMTP_PHASE_NONE);
  ask(&h, UVSMTP_OP_NOOP, "250 ok\r\n", 0);
  host_close(&h);
}

/* A session that ends meanwhile is the reason then, and whoever comes later
 * does not wait for a source in vain. */
static void lost_before_mail(void** state) {
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  source_t s;
  host_t h;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250-mx\r\n250 SIZE\r\n");
  later_init(&s, &h, "x", 1000);
  send_body(&h, &s.source);
  assert_int_equal(submit(&h, UVSMTP_OP_NOOP, NULL), 0);
  drain(&h);
  say(&h, "421 bye\r\n");
  assert_int_equal(uvsmtp_proto_next(h.p, &e), 1);
  assert_int_equal(uvsmtp_result_status(e.result), UVSMTP_EDISCONNECTED);
  assert_int_equal(uvsmtp_result_outcome(e.result),
                   UVSMTP_OUTCOME_NOT_ATTEMPTED);
  expect(&h, UVSMTP_OP_NOOP, UVSMTP_EDISCONNECTED);
  host_close(&h);
}

static int submit_body(host_t* h, int op, uvsmtp_source_t* body) {
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(0);
  r.op = op;
  r.body = body;
  r.last = 1;
  return uvsmtp_proto_submit(h->p, &r);
}

static int submit_chunk(host_t* h, uvsmtp_source_t* chunk, int last) {
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(UVSMTP_OP_BDAT);
  r.body = chunk;
  r.last = last;
  return uvsmtp_proto_submit(h->p, &r);
}

/* A transaction with one recipient. */
static void open_envelope(host_t* h) {
  assert_int_equal(submit(h, UVSMTP_OP_MAIL, "a@x.example"), 0);
  assert_int_equal(submit(h, UVSMTP_OP_RCPT, "b@y.example"), 0);
  drain(h);
  say(h, "250 ok\r\n");
  say(h, "250 ok\r\n");
  expect(h, UVSMTP_OP_MAIL, 0);
  expect(h, UVSMTP_OP_RCPT, 0);
}

/* DATA and BDAT of the caller's own wait as well, and fail as early. */
static void commands_wait_for_the_length(void** state) {
  source_t s;
  host_t h;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250-mx\r\n250 CHUNKING\r\n");
  open_envelope(&h);

  later_init(&s, &h, "x", 1);
  assert_int_equal(submit_body(&h, UVSMTP_OP_DATA, &s.source), 0);
  s.fails = -EIO;
  uvsmtp_proto_resume(h.p);
  drain(&h);
  expect(&h, UVSMTP_OP_DATA, UVSMTP_ESOURCE);
  assert_int_equal(h.len, 0);

  later_init(&s, &h, "abc", 1);
  assert_int_equal(submit_body(&h, UVSMTP_OP_BDAT, &s.source), 0);
  s.source.length = 3;
  uvsmtp_proto_resume(h.p);
  drain(&h);
  assert_string_equal(h.out, "BDAT 3 LAST\r\nabc");
  say(&h, "250 ok\r\n");
  expect(&h, UVSMTP_OP_BDAT, 0);

  open_envelope(&h);
  later_init(&s, &h, "abc", 1);
  assert_int_equal(submit_body(&h, UVSMTP_OP_BDAT, &s.source), 0);
  drain(&h);
  assert_int_equal(h.len, 0);
  s.source.length = -1; /* a chunk needs one */
  uvsmtp_proto_resume(h.p);
  drain(&h);
  expect(&h, UVSMTP_OP_BDAT, UVSMTP_ESOURCE);
  assert_int_equal(h.len, 0);
  host_close(&h);
}

/* Those behind a chunk that could not be had would make a message with a hole:
 * they are refused until the transaction is over. */
static void chunk_behind_a_hole(void** state) {
  source_t s[3];
  host_t h;
  int late;
  (void)state;
  for (late = 0; late < 2; late++) {
    host_open(&h, 0);
    greet(&h, "250-mx\r\n250-PIPELINING\r\n250 CHUNKING\r\n");
    open_envelope(&h);
    later_init(&s[0], &h, "one", 0);
    s[0].source.length = 3;
    later_init(&s[1], &h, "two", late ? 1000 : 0);
    if (!late) s[1].fails = -ENOENT;
    later_init(&s[2], &h, "three", 0);
    s[2].source.length = 5;
    assert_int_equal(submit_chunk(&h, &s[0].source, 0), 0);
    assert_int_equal(submit_chunk(&h, &s[1].source, 0), 0);
    drain(&h);
    assert_string_equal(h.out, "BDAT 3\r\none");
    say(&h, "250 ok\r\n");
    if (late) uvsmtp_proto_timeout(h.p);
    expect(&h, UVSMTP_OP_BDAT, 0);
    expect(&h, UVSMTP_OP_BDAT, late ? -ETIMEDOUT : UVSMTP_ESOURCE);
    ask(&h, UVSMTP_OP_NOOP, "250 ok\r\n", 0);
    assert_int_equal(submit_chunk(&h, &s[2].source, 1), 0);
    drain(&h);
    assert_int_equal(h.len, 0);
    expect(&h, UVSMTP_OP_BDAT, -EPERM);
    ask(&h, UVSMTP_OP_RSET, "250 ok\r\n", 0);
    open_envelope(&h);
    assert_int_equal(submit_chunk(&h, &s[2].source, 1), 0);
    drain(&h);
    assert_string_equal(h.out, "BDAT 5 LAST\r\nthree");
    say(&h, "250 ok\r\n");
    expect(&h, UVSMTP_OP_BDAT, 0);
    host_close(&h);
  }
}

/* A chunk that has no place does not wait for its source to say so: without a
 * session there is no deadline either. */
static void chunk_without_a_place(void** state) {
  source_t s;
  host_t h;
  int lost;
  (void)state;
  for (lost = 0; lost < 2; lost++) {
    host_open(&h, 0);
    greet(&h, "250-mx\r\n250 CHUNKING\r\n");
    if (lost) open_envelope(&h);
    later_init(&s, &h, "x", 1000);
    assert_int_equal(submit_body(&h, UVSMTP_OP_BDAT, &s.source), 0);
    drain(&h);
    if (lost) {
      assert_int_equal(uvsmtp_proto_wait(h.p, NULL), UVSMTP_PHASE_TEXT);
      uvsmtp_proto_lost(h.p, -ECONNRESET);
    }
    expect(&h, UVSMTP_OP_BDAT, lost ? UVSMTP_EDISCONNECTED : -EPERM);
    assert_int_equal(s.released, 1);
    host_close(&h);
  }
}

/* ----------------------------------------------------- time of a message */

static void send_due(host_t* h, uvsmtp_source_t* body, uint64_t due) {
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(UVSMTP_OP_SEND);
  uvsmtp_message_t m = UVSMTP_MESSAGE_INIT;
  m.from = "a@x.example";
  m.rcpts = one_list;
  m.nrcpts = 1;
  m.body = body;
  r.message = &m;
  r.due = due;
  assert_int_equal(uvsmtp_proto_submit(h->p, &r), 0);
}

static void expect_message(host_t* h, int status, int cause, int outcome) {
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  assert_int_equal(uvsmtp_proto_next(h->p, &e), 1);
  assert_int_equal(e.op, UVSMTP_OP_SEND);
  assert_int_equal(uvsmtp_result_status(e.result), status);
  assert_int_equal(uvsmtp_result_cause(e.result), cause);
  assert_int_equal(uvsmtp_result_outcome(e.result), outcome);
}

/* Those whose time is over before their turn are left out, in their turn; the
 * others go as if they had not been there. */
static void overdue_before_its_turn(void** state) {
  uvsmtp_memory_source_t body[3];
  host_t h;
  size_t i;
  (void)state;
  host_open(&h, 0);
  greet(&h, "250 mx\r\n");
  assert_int_equal(uvsmtp_proto_due(h.p), 0);
  for (i = 0; i < 3; i++) uvsmtp_source_memory(&body[i], "x\r\n", 3);
  send_due(&h, &body[0].source, 300);
  send_due(&h, &body[1].source, 100);
  send_due(&h, &body[2].source, 0);
  assert_int_equal(uvsmtp_proto_due(h.p), 100);
  drain(&h);
  uvsmtp_proto_overdue(h.p, 99);
  assert_int_equal(uvsmtp_proto_due(h.p), 100);
  uvsmtp_proto_overdue(h.p, 100);
  assert_int_equal(uvsmtp_proto_due(h.p), 300);
  say(&h, "250 1\r\n");
  say(&h, "250 2\r\n");
  say(&h, "354 3\r\n");
  say(&h, "250 4\r\n");
  /* The second is passed over: this is the third's. */
  assert_string_equal(h.out, "MAIL FROM:<a@x.example>\r\n");
  expect_message(&h, 0, 0, UVSMTP_OUTCOME_ACCEPTED);
  expect_message(&h, -ETIMEDOUT, 0, UVSMTP_OUTCOME_NOT_ATTEMPTED);
  uvsmtp_proto_overdue(h.p, 1000); /* the first is over, the third has time */
  assert_int_equal(uvsmtp_proto_due(h.p), 0);
  say(&h, "550 no\r\n");
  expect_message(&h, UVSMTP_ESENDER, 0, UVSMTP_OUTCOME_REJECTED);
  host_close(&h);
}

/* One under way takes the session with it; what it came to depends on how far
 * it was. */
static void overdue_under_way(void** state) {
  uvsmtp_memory_source_t body;
  host_t h;
  int replies;
  (void)state;
  for (replies = 0; replies < 4; replies++) {
    static const char* const script[] = {"250 1\r\n", "250 2\r\n", "354 3\r\n"};
    int i;
    host_open(&h, 0);
    greet(&h, "250 mx\r\n");
    uvsmtp_source_memory(&body, "x\r\n", 3);
    send_due(&h, &body.source, 100);
    drain(&h);
    for (i = 0; i < replies; i++) say(&h, script[i]);
    uvsmtp_proto_overdue(h.p, 100);
    assert_int_equal(uvsmtp_proto_wants(h.p), UVSMTP_WANTS_CLOSE);
    if (replies < 3)
      expect_message(&h, -ETIMEDOUT, 0, UVSMTP_OUTCOME_DEFERRED);
    else
      expect_message(&h, UVSMTP_EUNKNOWN, -ETIMEDOUT, UVSMTP_OUTCOME_UNKNOWN);
    host_close(&h);
  }
}

/* Its hello is the session's: it goes on, but not to HELO for its sake, nor to
 * wait for a source. */
static void overdue_in_its_hello(void** state) {
  uvsmtp_memory_source_t body;
  unsigned int serials[2];
  source_t s;
  host_t h;
  int refused;
  (void)state;
  for (refused = 0; refused < 2; refused++) {
    host_open(&h, 0);
    connect_to(&h);
    uvsmtp_source_memory(&body, "x\r\n", 3);
    send_due(&h, &body.source, 100);
    drain(&h);
    assert_string_equal(h.out, "EHLO client.example\r\n");
    assert_int_equal(uvsmtp_proto_wait(h.p, &serials[0]), UVSMTP_PHASE_HELLO);
    uvsmtp_proto_overdue(h.p, 500);
    /* The server has no more time for that. */
    assert_int_equal(uvsmtp_proto_wait(h.p, &serials[1]), UVSMTP_PHASE_HELLO);
    assert_int_equal(serials[0], serials[1]);
    say(&h, refused ? "502 what?\r\n" : "250-mx\r\n250 SIZE\r\n");
    assert_int_equal(h.len, 0);
    expect_message(&h, -ETIMEDOUT, 0, UVSMTP_OUTCOME_NOT_ATTEMPTED);
    assert_int_equal(uvsmtp_proto_state(h.p),
                     refused ? UVSMTP_STATE_GREETED : UVSMTP_STATE_READY);
    host_close(&h);
  }
  host_open(&h, 0);
  greet(&h, "250 mx\r\n");
  later_init(&s, &h, "x", 1000);
  send_due(&h, &s.source, 100);
  drain(&h);
  assert_int_equal(uvsmtp_proto_wait(h.p, NULL), UVSMTP_PHASE_TEXT);
  uvsmtp_proto_overdue(h.p, 100);
  expect_message(&h, -ETIMEDOUT, 0, UVSMTP_OUTCOME_NOT_ATTEMPTED);
  assert_int_equal(s.released, 1);
  assert_int_equal(uvsmtp_proto_state(h.p), UVSMTP_STATE_READY);
  host_close(&h);
}

/* --------------------------------------------------------------- progress */

typedef struct watch_s {
  host_t* h;
  int calls;
  int refused; /* calls of the engine from within */
  uint64_t sent;
  int64_t total;
} watch_t;

static void watch(void* arg, uint64_t sent, int64_t total) {
  watch_t* w = arg;
  assert_true(sent > w->sent);
  assert_true(total == -1 || sent <= (uint64_t)total);
  w->calls++;
  w->sent = sent;
  w->total = total;
  if (submit(w->h, UVSMTP_OP_NOOP, NULL) == -EBUSY) w->refused++;
}

static void send_watched(host_t* h, uvsmtp_source_t* body, watch_t* w) {
  uvsmtp_message_t m = UVSMTP_MESSAGE_INIT;
  memset(w, 0, sizeof(*w));
  w->h = h;
  m.from = "a@x.example";
  m.rcpts = one_list;
  m.nrcpts = 1;
  m.body = body;
  m.progress = watch;
  m.progress_arg = w;
  assert_int_equal(submit_message(h, &m), 0);
}

/* Lets the engine write n octets at a time; the terminator is not text. */
static void write_slowly(host_t* h, size_t n) {
  uvsmtp_slice_t s;
  while (uvsmtp_proto_peek(h->p, &s, 1) > 0)
    uvsmtp_proto_sent(h->p, s.len < n ? s.len : n);
}

static void expect_sent(host_t* h, const watch_t* w, uint64_t octets) {
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  assert_int_equal(uvsmtp_proto_next(h->p, &e), 1);
  assert_int_equal(uvsmtp_result_octets(e.result), octets);
  assert_int_equal(w->sent, octets);
  assert_int_equal(w->refused, w->calls);
}

static void progress_is_told(void** state) {
  static const char* const hello[] = {"250 mx\r\n", "250-mx\r\n250 SIZE\r\n",
                                      "250-mx\r\n250-SIZE\r\n250 CHUNKING\r\n"};
  uvsmtp_memory_source_t body;
  watch_t w;
  host_t h;
  int kind;
  (void)state;
  for (kind = 0; kind < 3; kind++) {
    host_open(&h, 0);
    greet(&h, hello[kind]);
    /* 12 octets: with their line ends 16, by DATA with a dot more 17. */
    uvsmtp_source_memory(&body, "ab\n.cd\n\r\nefg", 12);
    send_watched(&h, &body.source, &w);
    write_slowly(&h, 1000);
    uvsmtp_proto_feed(h.p, "250 1\r\n", 7);
    write_slowly(&h, 1000);
    uvsmtp_proto_feed(h.p, "250 2\r\n", 7);
    write_slowly(&h, 1);
    if (kind < 2) {
      assert_int_equal(w.calls, 0);
      uvsmtp_proto_feed(h.p, "354 3\r\n", 7);
      write_slowly(&h, 1);
    }
    uvsmtp_proto_feed(h.p, "250 4\r\n", 7);
    expect_sent(&h, &w, kind < 2 ? 17 : 16);
    assert_int_equal(w.calls, kind < 2 ? 17 : 16);
    host_close(&h);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hellos_are_kept),
      cmocka_unit_test(implicit_hello_is_kept),
      cmocka_unit_test(no_memory_for_a_hello),
      cmocka_unit_test(mail_waits_for_the_length),
      cmocka_unit_test(waiting_for_the_length_is_a_wait),
      cmocka_unit_test(failing_before_mail),
      cmocka_unit_test(waiting_before_mail_times_out),
      cmocka_unit_test(lost_before_mail),
      cmocka_unit_test(commands_wait_for_the_length),
      cmocka_unit_test(chunk_behind_a_hole),
      cmocka_unit_test(chunk_without_a_place),
      cmocka_unit_test(overdue_before_its_turn),
      cmocka_unit_test(overdue_under_way),
      cmocka_unit_test(overdue_in_its_hello),
      cmocka_unit_test(progress_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
