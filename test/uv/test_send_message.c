/* SPDX-License-Identifier: MIT */
/* test_send_message.c: messages whose header says the envelope, from memory,
 * files, pipes and sources of a program's own, on real loops and sockets. Short
 * times mean "now", those of others are off: no test measures time. */
#include <fcntl.h>
#include <unistd.h>

#include "fixture.h"

enum { SOON = 40 };

/* Where the message comes from. */
enum way { MEMORY, SOURCE, PATH, FD, PIPE, WAYS };

#define TEXT "one\r\n.two\r\n"
#define SEEN                                                           \
  "From: Ada <ada@a.example>, eve@a.example\r\nsender: sec@a.example " \
  "(her secretary)\r\nTo: Bob\r\n <bob@b.example>\r\n"
static const char message[] = SEEN
    "Bcc: hidden@c.example,\r\n\tother@c.example\r\n"
    "CC: team: carol@d.example, bob@b.example;\r\n\r\n" TEXT;
static const char received[] = SEEN
    "CC: team: carol@d.example, bob@b.example;\r\n\r\n"
    "one\r\n..two\r\n.\r\n";
static const char* const recipients[] = {"bob@b.example", "hidden@c.example",
                                         "other@c.example", "carol@d.example",
                                         "bob@b.example"};
enum { RECIPIENTS = 5 };

#define HELLO "S 220 hi\n C EHLO\n S 250 peer\n"
#define TO(address) "L RCPT TO:<" address ">\n S 250 ok\n"
#define REST "L DATA\n S 354 go\n T\n S 250 2.0.0 taken\n"
#define ENVELOPE                                                         \
  "L MAIL FROM:<sec@a.example>\n S 250 ok\n" TO("bob@b.example")         \
      TO("hidden@c.example") TO("other@c.example") TO("carol@d.example") \
          TO("bob@b.example")
/* A message of uvsmtp_send's. */
#define OTHER "L MAIL FROM:<x@x.example>\n S 250 ok\n" TO("y@y.example") REST

/* A source of a program's own: pieces of some octets, with waits between. */
typedef struct own_s {
  uvsmtp_source_t source; /* first */
  uvsmtp_session_t* s;
  uv_timer_t timer;
  const char* text;
  size_t len;
  size_t at;
  int dry;  /* WAIT comes next */
  int mute; /* from here on only WAIT */
  int released;
} own_t;

/* One message of the scene. */
typedef struct mail_s {
  uvsmtp_message_t message;
  uvsmtp_rcpt_t rcpt;
  const uvsmtp_rcpt_t* list[1];
  letter_t letter; /* MEMORY */
  own_t own;       /* SOURCE */
  char path[64];   /* PATH, FD */
  int fd;          /* -1: none */
  int feed;        /* the pipe's end to write to, -1: none */
  call_t call;
} mail_t;

typedef struct scene_s {
  fixture_t f;
  peer_t* peer;
  peer_record_t record;
  uvsmtp_session_t* s;
  call_t connect;
  mail_t mails[4];
} scene_t;

/* ------------------------------------------------------------- own sources */

static void on_own_time(uv_timer_t* timer) {
  own_t* own = timer->data;
  own->dry = 0;
  uvsmtp_session_resume(own->s);
}

static int own_peek(uvsmtp_source_t* self, uvsmtp_slice_t* out) {
  own_t* own = (own_t*)self;
  if (own->mute) return UVSMTP_SOURCE_WAIT;
  if (own->dry) {
    uv_timer_start(&own->timer, on_own_time, 0, 0);
    return UVSMTP_SOURCE_WAIT;
  }
  if (own->at == own->len) return UVSMTP_SOURCE_EOF;
  out->base = own->text + own->at;
  out->len = own->len - own->at < 7 ? own->len - own->at : 7;
  return UVSMTP_SOURCE_MORE;
}

static void own_consumed(uvsmtp_source_t* self, size_t n) {
  own_t* own = (own_t*)self;
  own->at += n;
  own->dry = n > 0;
}

static void own_release(uvsmtp_source_t* self) {
  own_t* own = (own_t*)self;
  own->released++;
  uv_close((uv_handle_t*)&own->timer, NULL);
}

static void own_init(own_t* own, scene_t* t, const char* text, size_t len) {
  uvsmtp_source_t source = UVSMTP_SOURCE_INIT;
  own->source = source;
  own->source.length = -1;
  own->source.peek = own_peek;
  own->source.consumed = own_consumed;
  own->source.release = own_release;
  own->s = t->s;
  own->text = text;
  own->len = len;
  own->dry = 1;
  assert_int_equal(0, uv_timer_init(&t->f.loop, &own->timer));
  own->timer.data = own;
}

/* ---------------------------------------------------------------- the scene */

/* script NULL: a peer that answers. text: the deadline of the text, 0: none. */
static void scene_start(scene_t* t, const char* script, int64_t text) {
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
  size_t i;
  memset(t, 0, sizeof(*t));
  assert_int_equal(0, uvsmtp_timeouts_all(&timeouts, -1));
  if (text > 0) timeouts.text = text;
  config.timeouts = &timeouts;
  fixture_start(&t->f);
  t->peer = script == NULL ? peer_answer(0) : peer_play(0, script);
  peer_keep(t->peer, &t->record);
  t->s = open_session(&t->f, t->peer, &config);
  for (i = 0; i < 4; i++) t->mails[i].fd = t->mails[i].feed = -1;
}

static void scene_connect(scene_t* t) {
  assert_int_equal(0, CALL(&t->connect, &t->f,
                           uvsmtp_connect(t->s, NULL, on_call, &t->connect)));
}

static void write_all(int fd, const char* text, size_t n) {
  assert_int_equal((int)n, (int)write(fd, text, n));
}

static void make_body(scene_t* t, mail_t* m, enum way way, const char* text,
                      size_t len) {
  uvsmtp_message_t init = UVSMTP_MESSAGE_INIT;
  int fds[2];
  m->message = init;
  switch (way) {
    case MEMORY:
      letter_init(&m->letter, "", "", text, len);
      m->message.body = &m->letter.body.source;
      break;
    case SOURCE:
      own_init(&m->own, t, text, len);
      m->message.body = &m->own.source;
      break;
    case PATH:
      m->fd = make_file(m->path, "", text, len);
      assert_int_equal(0, uvsmtp_source_path(&m->message.body, t->s, m->path));
      break;
    case FD:
      /* What it stands behind is not part of the message. */
      m->fd = make_file(m->path, "To: no@no\r\n", text, len);
      assert_int_equal(0, uvsmtp_source_fd(&m->message.body, t->s, m->fd));
      break;
    default:
      assert_int_equal(0, pipe2(fds, O_CLOEXEC));
      m->fd = fds[0];
      m->feed = fds[1];
      assert_int_equal(0, uvsmtp_source_fd(&m->message.body, t->s, m->fd));
  }
}

static int call_send(scene_t* t, mail_t* m) {
  return CALL(&m->call, &t->f,
              uvsmtp_send_message(t->s, &m->message, on_call, &m->call));
}

static void end_feed(mail_t* m) {
  close(m->feed);
  m->feed = -1;
}

/* What is given to a pipe at once. */
static void feed(mail_t* m, const char* text, size_t len) {
  if (m->feed < 0) return;
  write_all(m->feed, text, len);
  end_feed(m);
}

/* The i-th message, from memory or wherever; pipes get it at once. */
static mail_t* send_text(scene_t* t, int i, enum way way, const char* text) {
  mail_t* m = &t->mails[i];
  make_body(t, m, way, text, strlen(text));
  assert_int_equal(0, call_send(t, m));
  feed(m, text, strlen(text));
  return m;
}

/* One of uvsmtp_send's. */
static mail_t* send_other(scene_t* t, int i) {
  mail_t* m = &t->mails[i];
  letter_init(&m->letter, "x@x.example", "y@y.example", "hi\r\n", 4);
  assert_int_equal(
      0, CALL(&m->call, &t->f,
              uvsmtp_send(t->s, &m->letter.message, on_call, &m->call)));
  return m;
}

static void mail_end(mail_t* m) {
  if (m->feed >= 0) close(m->feed);
  if (m->fd >= 0) close(m->fd);
  if (m->path[0] != '\0') unlink(m->path);
}

/* script: whether the peer's must have come to its end. */
static void scene_end(scene_t* t, int script) {
  size_t i;
  if (t->s != NULL) close_session(&t->f, t->s);
  fixture_finish(&t->f);
  if (script) {
    assert_peer_done(t->peer);
  } else {
    peer_finish(t->peer, NULL);
  }
  for (i = 0; i < 4; i++) {
    mail_t* m = &t->mails[i];
    if (m->message.body == &m->letter.body.source)
      assert_int_equal(1, m->letter.released);
    if (m->message.body == &m->own.source) assert_int_equal(1, m->own.released);
    mail_end(m);
  }
  free(t->record.text);
}

static void assert_taken(const mail_t* m) {
  assert_int_equal(0, m->call.status);
  assert_int_equal(UVSMTP_OUTCOME_ACCEPTED, m->call.outcome);
}

static void assert_failed(const mail_t* m, int status, int cause, int outcome) {
  assert_string_equal(uvsmtp_err_name(status), uvsmtp_err_name(m->call.status));
  assert_int_equal(cause, m->call.cause);
  assert_int_equal(outcome, m->call.outcome);
}

static void assert_received(const scene_t* t, const char* text) {
  assert_int_equal(strlen(text), t->record.len);
  assert_memory_equal(text, t->record.text, t->record.len);
}

/* ------------------------------------------------------------- the envelope */

static void check_list(uvsmtp_session_t* s, const uvsmtp_result_t* result,
                       void* arg) {
  size_t i;
  assert_string_equal("sec@a.example", uvsmtp_result_sender(result));
  assert_int_equal(RECIPIENTS, uvsmtp_result_rcpt_count(result));
  for (i = 0; i < RECIPIENTS; i++) {
    const uvsmtp_rcpt_result_t* rcpt = uvsmtp_result_rcpt(result, i);
    assert_string_equal(recipients[i], uvsmtp_rcpt_result_address(rcpt));
    assert_int_equal(UVSMTP_OUTCOME_ACCEPTED, uvsmtp_rcpt_result_outcome(rcpt));
  }
  on_call(s, result, arg);
}

/* The same wherever it comes from; nobody is told of before the header is
 * there, and Bcc does not leave. */
static void test_header_says(void** state) {
  int way;
  (void)state;
  for (way = 0; way < WAYS; way++) {
    scene_t t;
    mail_t* m = &t.mails[0];
    size_t header = strlen(message) - strlen(TEXT);
    size_t i;
    scene_start(&t, HELLO ENVELOPE REST, 0);
    scene_connect(&t);
    make_body(&t, m, (enum way)way, message, strlen(message));
    assert_int_equal(
        0, CALL(&m->call, &t.f,
                uvsmtp_send_message(t.s, &m->message, check_list, &m->call)));
    for (i = 0; m->feed >= 0 && i < header; i++) {
      write_all(m->feed, message + i, 1);
      /* The empty line is one as soon as it begins to end. */
      if (i + 4 >= header && i + 2 < header) assert_only_hello(&t.f, t.s);
      if (i % 5 == 0) run_for(&t.f, 1);
    }
    feed(m, TEXT, strlen(TEXT));
    wait_for(&m->call);
    assert_taken(m);
    scene_end(&t, 1);
  }
}

static void test_on_the_wire(void** state) {
  int way;
  (void)state;
  for (way = 0; way < WAYS; way++) {
    scene_t t;
    scene_start(&t, HELLO ENVELOPE REST, 0);
    scene_connect(&t);
    wait_for(&send_text(&t, 0, (enum way)way, message)->call);
    assert_taken(&t.mails[0]);
    peer_finish(t.peer, NULL);
    assert_received(&t, received);
    t.peer = peer_play(0, "STALL\n");
    scene_end(&t, 0);
  }
}

/* What is given stands in the place of the header's, each for itself, and what
 * is not asked for may be as wrong as it likes. */
static void test_given(void** state) {
  static const struct {
    const char* from;
    const char* rcpt;
    const char* text;
    const char* script;
  } cases[] = {
      {"m@m.example", NULL, message,
       HELLO "L MAIL FROM:<m@m.example>\n S 250 ok\n" TO("bob@b.example")
           TO("hidden@c.example") TO("other@c.example") TO("carol@d.example")
               TO("bob@b.example") REST},
      {"", NULL, "To: a@a.example\r\n\r\n",
       HELLO "L MAIL FROM:<>\n S 250 ok\n" TO("a@a.example") REST},
      {NULL, "n@n.example", message,
       HELLO "L MAIL FROM:<sec@a.example>\n S 250 ok\n" TO("n@n.example") REST},
      {"m@m.example", "n@n.example", "From: <\r\nTo: two words\r\n\r\n",
       HELLO "L MAIL FROM:<m@m.example>\n S 250 ok\n" TO("n@n.example") REST},
      {NULL, "n@n.example", "From: a@a.example\r\nTo: two words\r\n\r\n",
       HELLO "L MAIL FROM:<a@a.example>\n S 250 ok\n" TO("n@n.example") REST},
  };
  size_t i;
  int way;
  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    for (way = MEMORY; way <= PATH; way += PATH - MEMORY) {
      scene_t t;
      mail_t* m = &t.mails[0];
      scene_start(&t, cases[i].script, 0);
      scene_connect(&t);
      make_body(&t, m, (enum way)way, cases[i].text, strlen(cases[i].text));
      m->message.from = cases[i].from;
      if (cases[i].rcpt != NULL) {
        uvsmtp_rcpt_t rcpt = UVSMTP_RCPT_INIT(cases[i].rcpt);
        m->rcpt = rcpt;
        m->list[0] = &m->rcpt;
        m->message.rcpts = m->list;
        m->message.nrcpts = 1;
      }
      assert_int_equal(0, call_send(&t, m));
      wait_for(&m->call);
      assert_taken(m);
      scene_end(&t, 1);
    }
  }
}

/* ----------------------------------------------------------------- refusals */

/* It fails before anything is said of it, and the session goes on. */
static void test_bad_headers(void** state) {
  static const char* const texts[] = {
      "",
      "\r\nTo: a@a.example\r\nFrom: a@a.example\r\n",
      "From: a@a.example\r\nSubject: x\r\n\r\nhi\r\n",
      "To: a@a.example\r\nSubject: x\r\n\r\nhi\r\n",
      "From: a@a.example\r\nTo: two words\r\n\r\nhi\r\n",
      ("Resent-Date: x\r\nResent-Date: y\r\nResent-From: a@a.example\r\n"
       "Resent-To: a@a.example\r\n\r\nhi\r\n"),
  };
  size_t i;
  int way;
  (void)state;
  for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    for (way = 0; way < WAYS; way++) {
      scene_t t;
      mail_t* m;
      scene_start(&t, HELLO OTHER, 0);
      scene_connect(&t);
      m = send_text(&t, 0, (enum way)way, texts[i]);
      wait_for(&send_other(&t, 1)->call);
      assert_failed(m, UVSMTP_EMESSAGE, 0, UVSMTP_OUTCOME_REJECTED);
      assert_string_not_equal("", m->call.detail);
      assert_int_equal(1, m->call.order - t.connect.order);
      assert_taken(&t.mails[1]);
      scene_end(&t, 1);
    }
  }
}

/* One octet more than the cap is too many, the cap is not. The empty line does
 * not count. */
static void test_long_header(void** state) {
  int way;
  (void)state;
  for (way = 0; way < WAYS; way++) {
    size_t header = strlen(message) - strlen("\r\n" TEXT);
    int fits;
    for (fits = 0; fits < 2; fits++) {
      scene_t t;
      mail_t* m = &t.mails[0];
      scene_start(&t, fits ? HELLO ENVELOPE REST OTHER : HELLO OTHER, 0);
      scene_connect(&t);
      make_body(&t, m, (enum way)way, message, strlen(message));
      m->message.max_header = header - !fits;
      assert_int_equal(0, call_send(&t, m));
      feed(m, message, strlen(message));
      wait_for(&send_other(&t, 1)->call);
      if (fits) {
        assert_taken(m);
      } else {
        assert_failed(m, UVSMTP_EMESSAGE, UV_EMSGSIZE, UVSMTP_OUTCOME_REJECTED);
      }
      assert_taken(&t.mails[1]);
      scene_end(&t, 1);
    }
  }
}

/* A header without end, from a pipe that never closes, is given up. */
static void test_endless_header(void** state) {
  scene_t t;
  mail_t* m = &t.mails[0];
  int i;
  (void)state;
  scene_start(&t, HELLO OTHER, 0);
  scene_connect(&t);
  make_body(&t, m, PIPE, "", 0);
  m->message.max_header = 1000;
  assert_int_equal(0, call_send(&t, m));
  for (i = 0; i < 300; i++) write_all(m->feed, "X: y\r\n", 6);
  wait_for(&send_other(&t, 1)->call);
  assert_failed(m, UVSMTP_EMESSAGE, UV_EMSGSIZE, UVSMTP_OUTCOME_REJECTED);
  scene_end(&t, 1);
}

/* A file that can't be read is the source's failure, not the header's. */
static void test_no_file(void** state) {
  scene_t t;
  mail_t* m = &t.mails[0];
  (void)state;
  scene_start(&t, HELLO OTHER, 0);
  scene_connect(&t);
  make_body(&t, m, PATH, message, strlen(message));
  assert_int_equal(0, unlink(m->path));
  m->path[0] = '\0';
  assert_int_equal(0, call_send(&t, m));
  wait_for(&send_other(&t, 1)->call);
  assert_int_equal(UVSMTP_ESOURCE, m->call.status);
  assert_int_equal(UV_ENOENT, m->call.cause);
  assert_int_not_equal(UVSMTP_OUTCOME_UNKNOWN, m->call.outcome);
  assert_taken(&t.mails[1]);
  scene_end(&t, 1);
}

/* What makes no sense is refused by the call, and its source is the caller's
 * still. */
static void test_misuse(void** state) {
  static const char* const bad[] = {"a b", "a@b\r\nRSET", "a@"};
  scene_t t;
  mail_t* m = &t.mails[0];
  mail_t* again = &t.mails[1];
  size_t i;
  (void)state;
  scene_start(&t, HELLO ENVELOPE REST, 0);
  scene_connect(&t);
  assert_int_equal(
      UV_EINVAL,
      CALL(&m->call, &t.f, uvsmtp_send_message(t.s, NULL, on_call, &m->call)));
  make_body(&t, m, PATH, message, strlen(message));
  for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    m->message.from = bad[i];
    assert_int_equal(UV_EINVAL, call_send(&t, m));
  }
  m->message.from = NULL;
  m->message.timeout = -1;
  assert_int_equal(UV_EINVAL, call_send(&t, m));
  m->message.timeout = 0;
  m->message.size = 3;
  assert_int_equal(UV_EINVAL, call_send(&t, m));
  m->message.size = sizeof(m->message);
  assert_int_equal(0, call_send(&t, m));
  /* It is for one call. */
  again->message = m->message;
  assert_int_equal(UV_EINVAL, call_send(&t, again));
  again->message.body = NULL;
  assert_int_equal(UV_EINVAL, call_send(&t, again));
  uvsmtp_source_discard(m->message.body); /* it is not the caller's any more */
  wait_for(&m->call);
  assert_taken(m);
  scene_end(&t, 1);
}

/* ------------------------------------------------------------- one by one */

/* Called before there is a connection; each in its turn, whatever comes of the
 * one before. */
static void test_queue(void** state) {
  scene_t t;
  mail_t* slow = &t.mails[0];
  int i;
  (void)state;
  scene_start(&t, HELLO ENVELOPE REST OTHER ENVELOPE REST, 0);
  scene_connect(&t);
  make_body(&t, slow, PIPE, message, strlen(message));
  assert_int_equal(0, call_send(&t, slow));
  send_text(&t, 1, PATH, "Subject: nobody's\r\n\r\n");
  send_other(&t, 2);
  send_text(&t, 3, FD, message);
  assert_only_hello(&t.f, t.s);
  for (i = 0; i < 4; i++) assert_int_equal(0, t.mails[i].call.times);
  feed(slow, message, strlen(message));
  wait_for(&t.mails[3].call);
  assert_taken(slow);
  assert_failed(&t.mails[1], UVSMTP_EMESSAGE, 0, UVSMTP_OUTCOME_REJECTED);
  assert_taken(&t.mails[2]);
  assert_taken(&t.mails[3]);
  for (i = 0; i < 4; i++)
    assert_int_equal(t.connect.order + 1 + i, t.mails[i].call.order);
  scene_end(&t, 1);
}

/* Without a connection nothing is read. */
static void test_no_connection(void** state) {
  scene_t t;
  (void)state;
  scene_start(&t, HELLO, 0);
  send_text(&t, 0, SOURCE, message);
  wait_for(&t.mails[0].call);
  assert_int_equal(UVSMTP_OUTCOME_NOT_ATTEMPTED, t.mails[0].call.outcome);
  assert_int_equal(0, t.mails[0].own.at);
  scene_end(&t, 0);
}

/* ------------------------------------------------------------------ the end */

/* A message whose header is awaited, and one behind it. */
static mail_t* await_header(scene_t* t, enum way way, const char* some) {
  mail_t* m = &t->mails[0];
  scene_connect(t);
  make_body(t, m, way, some, strlen(some));
  if (way == SOURCE) m->own.mute = 1;
  assert_int_equal(0, call_send(t, m));
  if (way == PIPE) write_all(m->feed, some, strlen(some));
  send_other(t, 1);
  return m;
}

/* Closed while the header is awaited: nothing was begun. The environment is
 * busy until the last of it is gone. */
static void test_close(void** state) {
  static const enum way ways[] = {SOURCE, PIPE};
  size_t i;
  (void)state;
  for (i = 0; i < 2; i++) {
    scene_t t;
    mail_t* m;
    scene_start(&t, HELLO "EOF\n", 0);
    m = await_header(&t, ways[i], "From: a@a.example\r\nTo:");
    assert_only_hello(&t.f, t.s);
    assert_int_equal(UV_EBUSY, uvsmtp_env_close(t.f.env, NULL, NULL));
    assert_int_equal(0, uvsmtp_session_close(t.s, on_session_closed, &t.f));
    assert_int_equal(UV_ECANCELED, call_send(&t, &t.mails[2]));
    assert_int_equal(UV_EBUSY, uvsmtp_env_close(t.f.env, NULL, NULL));
    run_until(&t.f, &t.f.closed, 1);
    t.s = NULL;
    assert_int_equal(UV_ECANCELED,
                     m->call.cause != 0 ? m->call.cause : m->call.status);
    assert_int_equal(UVSMTP_OUTCOME_NOT_ATTEMPTED, m->call.outcome);
    assert_int_equal(UVSMTP_OUTCOME_NOT_ATTEMPTED, t.mails[1].call.outcome);
    assert_true(m->call.order < t.mails[1].call.order);
    scene_end(&t, 1);
  }
}

static void close_now(call_t* call) {
  scene_t* t = call->arg;
  assert_int_equal(
      0, uvsmtp_session_close(call->session, on_session_closed, &t->f));
}

/* Closed from within the completion of one whose header was wrong. */
static void test_close_within(void** state) {
  scene_t t;
  (void)state;
  scene_start(&t, HELLO "EOF\n", 0);
  scene_connect(&t);
  t.mails[0].call.then = close_now;
  t.mails[0].call.arg = &t;
  send_text(&t, 0, MEMORY, "Subject: x\r\n\r\n");
  send_text(&t, 1, PATH, message);
  run_until(&t.f, &t.f.closed, 1);
  t.s = NULL;
  assert_failed(&t.mails[0], UVSMTP_EMESSAGE, 0, UVSMTP_OUTCOME_REJECTED);
  assert_int_equal(1, t.mails[1].call.times);
  assert_int_equal(UVSMTP_OUTCOME_NOT_ATTEMPTED, t.mails[1].call.outcome);
  scene_end(&t, 1);
}

/* A header that never ends costs its own message, by the deadline of the text
 * and by the message's own. */
static void test_timeout(void** state) {
  static const struct {
    enum way way;
    int64_t text;
    int64_t message;
  } cases[] = {{SOURCE, SOON, 0}, {PIPE, SOON, 0}, {PIPE, 0, SOON}};
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    scene_t t;
    mail_t* m = &t.mails[0];
    const char* some = "From: a@a.example\r\nTo: b@b.example\r\n";
    scene_start(&t, HELLO OTHER, cases[i].text);
    scene_connect(&t);
    make_body(&t, m, cases[i].way, some, strlen(some));
    m->own.mute = 1;
    m->message.timeout = cases[i].message;
    assert_int_equal(0, call_send(&t, m));
    if (m->feed >= 0) write_all(m->feed, some, strlen(some));
    wait_for(&send_other(&t, 1)->call);
    assert_int_equal(UV_ETIMEDOUT, m->call.status);
    assert_int_not_equal(UVSMTP_OUTCOME_UNKNOWN, m->call.outcome);
    assert_taken(&t.mails[1]);
    scene_end(&t, 1);
  }
}

/* The server goes while the header is awaited. */
static void test_lost(void** state) {
  scene_t t;
  mail_t* m;
  (void)state;
  scene_start(&t, HELLO "STALL\n CLOSE\n", 0);
  m = await_header(&t, PIPE, "From: a@a.example\r\n");
  run_to_stall(&t.f, t.peer, 1);
  assert_only_hello(&t.f, t.s);
  peer_go(t.peer);
  wait_for(&t.mails[1].call);
  assert_int_equal(UVSMTP_EDISCONNECTED, m->call.status);
  assert_int_equal(UVSMTP_OUTCOME_NOT_ATTEMPTED, m->call.outcome);
  assert_int_equal(UVSMTP_OUTCOME_NOT_ATTEMPTED, t.mails[1].call.outcome);
  scene_end(&t, 1);
}

/* ------------------------------------------------------------ out of memory */

/* One life in which allocation n fails, or all from there on. 0 when there is
 * no such. */
static int live(long n, int all, enum way way) {
  scene_t t;
  mail_t* m = &t.mails[0];
  uvsmtp_session_t* s;
  int err;
  scene_start(&t, NULL, 0);
  s = t.s;
  make_body(&t, m, way, message, strlen(message));
  if (m->feed >= 0) feed(m, message, strlen(message));
  t.f.heap.calls = 0;
  t.f.heap.fail_at = n;
  t.f.heap.fail_all = all;
  (void)uvsmtp_connect(s, NULL, NULL, NULL);
  err = call_send(&t, m);
  assert_true(err == 0 || err == UV_ENOMEM);
  if (err == 0) {
    wait_for(&m->call);
    assert_int_equal(m->call.status == 0,
                     m->call.outcome == UVSMTP_OUTCOME_ACCEPTED);
  } else if (way == SOURCE || way == MEMORY) {
    m->message.body->release(m->message.body); /* the caller's */
  } else {
    uvsmtp_source_discard(m->message.body);
  }
  if (t.f.heap.calls < n) assert_taken(m);
  n = t.f.heap.calls >= n;
  scene_end(&t, 0);
  return (int)n;
}

static void test_out_of_memory(void** state) {
  int kind;
  (void)state;
  for (kind = 0; kind < 2 * WAYS; kind++) {
    long n;
    for (n = 1; live(n, kind & 1, (enum way)(kind >> 1)); n++) continue;
    assert_true(n > 10);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_header_says),   TEST(test_on_the_wire),
      TEST(test_given),         TEST(test_bad_headers),
      TEST(test_long_header),   TEST(test_endless_header),
      TEST(test_no_file),       TEST(test_misuse),
      TEST(test_queue),         TEST(test_no_connection),
      TEST(test_close),         TEST(test_close_within),
      TEST(test_timeout),       TEST(test_lost),
      TEST(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
