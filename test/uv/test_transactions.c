/* SPDX-License-Identifier: MIT */
/* test_transactions.c: a message that takes several transactions, sessions that
 * end after so many of them, and what else a server's extensions make of a
 * session, on real loops and sockets. */
#include <fcntl.h>
#include <unistd.h>

#include "login.h"

enum { BLOCK = 65536, RCPTS = 5 };

static const char* const names[RCPTS] = {"b0@x.example", "b1@x.example",
                                         "b2@x.example", "b3@x.example",
                                         "b4@x.example"};

#define OFFERING(extension) \
  GREETED "C EHLO client.example\n S 250-peer\n S 250 " extension "\n"
/* What a NEXT may follow. */
#define QUIT_CLOSE "C QUIT\n S 221 bye\n EOF\n CLOSE\n"
/* Behind XCLIENT. */
#define OFFERING_AGAIN "C EHLO client.example\n S 250 peer\n"
#define OFFERS_STARTTLS \
  "C EHLO client.example\n S 250-peer\n S 250-REQUIRETLS\n S 250 STARTTLS\n"
#define OFFERS_REQUIRETLS \
  "C EHLO client.example\n S 250-peer\n S 250 REQUIRETLS\n"
#define FROM "C MAIL FROM:<a@x.example>\n S 250 ok\n"
#define TO(n) "L RCPT TO:<b" n "@x.example>\n S 250 ok\n"
#define TEXT(reply) "L DATA\n S 354 go\n T\n S 250 2.0.0 " reply "\n"

/* ---------------------------------------------------------------- messages */

/* Where the text comes from. */
enum way { MEMORY, PATH, FD, HEADER_PATH, HEADER_FD, FILES, PIPE, HEADER_PIPE };

/* A text of n octets that begins with a header for all of RCPTS. */
static char* make_text(size_t n) {
  static const char header[] =
      "From: a@x.example\r\nTo: b0@x.example, b1@x.example\r\n"
      "Cc: b2@x.example, b3@x.example,\r\n b4@x.example\r\n\r\n";
  char* text = malloc(n + sizeof(header));
  size_t i = strlen(header);
  assert_non_null(text);
  memcpy(text, header, i);
  for (; i < n; i++)
    text[i] = i % 64 == 62 ? '\r' : i % 64 == 63 ? '\n' : (char)('a' + i % 26);
  memcpy(text + i - 2, "\r\n", 2);
  text[i] = '\0';
  return text;
}

typedef struct mail_s {
  uvsmtp_message_t message;
  uvsmtp_rcpt_t rcpts[RCPTS];
  const uvsmtp_rcpt_t* list[RCPTS];
  letter_t letter;
  char path[64];
  int fd; /* -1: none */
  call_t call;
  char seen[256]; /* addresses of the results, in their order */
} mail_t;

static void mail_make(mail_t* m, uvsmtp_session_t* s, enum way way,
                      const char* text) {
  uvsmtp_message_t init = UVSMTP_MESSAGE_INIT;
  size_t len = strlen(text);
  int fds[2];
  size_t i;
  memset(m, 0, sizeof(*m));
  m->message = init;
  m->fd = -1;
  if (way != HEADER_PATH && way != HEADER_FD && way != HEADER_PIPE) {
    m->message.from = "a@x.example";
    m->message.rcpts = m->list;
    m->message.nrcpts = RCPTS;
  }
  for (i = 0; i < RCPTS; i++) {
    uvsmtp_rcpt_t rcpt = UVSMTP_RCPT_INIT(names[i]);
    m->rcpts[i] = rcpt;
    m->list[i] = &m->rcpts[i];
  }
  if (way == MEMORY) {
    letter_init(&m->letter, "", "", text, len);
    m->message.body = &m->letter.body.source;
    return;
  }
  if (way > FILES) {
    assert_int_equal(0, pipe2(fds, O_CLOEXEC));
    assert_int_equal((int)len, (int)write(fds[1], text, len));
    close(fds[1]);
    m->fd = fds[0];
    assert_int_equal(0, uvsmtp_source_fd(&m->message.body, s, m->fd));
    return;
  }
  if (way == PATH || way == HEADER_PATH) {
    m->fd = make_file(m->path, "", text, len);
    assert_int_equal(0, uvsmtp_source_path(&m->message.body, s, m->path));
    return;
  }
  m->fd = make_file(m->path, "To:", text, len);
  assert_int_equal(0, uvsmtp_source_fd(&m->message.body, s, m->fd));
}

static void mail_drop(mail_t* m) {
  if (m->fd >= 0) close(m->fd);
  if (m->path[0] != '\0') unlink(m->path);
}

static void on_mail(uvsmtp_session_t* s, const uvsmtp_result_t* result,
                    void* arg) {
  mail_t* m = arg;
  size_t n = uvsmtp_result_rcpt_count(result);
  size_t i;
  for (i = 0; i < n; i++) {
    strcat(m->seen, uvsmtp_rcpt_result_address(uvsmtp_result_rcpt(result, i)));
    strcat(m->seen, " ");
  }
  on_call(s, result, &m->call);
}

static int mail_call(mail_t* m, fixture_t* f, uvsmtp_session_t* s) {
  call_t* call = &m->call;
  return m->message.from == NULL
             ? CALL(call, f, uvsmtp_send_message(s, &m->message, on_mail, m))
             : CALL(call, f, uvsmtp_send(s, &m->message, on_mail, m));
}

static void mail_send(mail_t* m, fixture_t* f, uvsmtp_session_t* s) {
  assert_int_equal(0, mail_call(m, f, s));
}

/* One list in the caller's order; outcomes as one letter each: accepted,
 * deferred, rejected, not attempted. */
static void assert_outcomes(const mail_t* m, const char* letters) {
  static const char names_of[] = {[UVSMTP_OUTCOME_ACCEPTED] = 'a',
                                  [UVSMTP_OUTCOME_DEFERRED] = 'd',
                                  [UVSMTP_OUTCOME_REJECTED] = 'r',
                                  [UVSMTP_OUTCOME_NOT_ATTEMPTED] = 'n',
                                  [UVSMTP_OUTCOME_UNKNOWN] = 'u'};
  char got[RCPTS + 1] = "";
  size_t i;
  for (i = 0; i < RCPTS; i++) got[i] = names_of[m->call.rcpts[i]];
  assert_string_equal(letters, got);
  assert_string_equal(
      "b0@x.example b1@x.example b2@x.example b3@x.example b4@x.example ",
      m->seen);
}

/* --------------------------------------------------------------- the rounds */

/* Sends text by a script; the outcomes, and that the server got the text so
 * many times, each time whole. */
static void deliver_by(const char* script, enum way way, size_t size,
                       const char* outcomes, size_t times) {
  fixture_t f;
  peer_record_t record = {NULL, 0, 0};
  char* text = make_text(size);
  mail_t m;
  uvsmtp_session_t* s;
  peer_t* peer = peer_play(0, script);
  size_t i;
  peer_keep(peer, &record);
  fixture_start(&f);
  s = session_for(&f, peer, UVSMTP_TLS_NONE, NULL, NULL);
  mail_make(&m, s, way, text);
  connect_to(&f, s);
  mail_send(&m, &f, s);
  wait_for(&m.call);
  assert_outcomes(&m, outcomes);
  assert_int_equal(0, quit(&f, s).status);
  part(&f, s, peer);
  fixture_finish(&f);
  /* All has lines, and no dots: what went out is it with its end. */
  assert_int_equal(times * (size + 3), record.len);
  for (i = 0; i < times; i++) {
    char* one = record.text + i * (size + 3);
    assert_memory_equal(text, one, size);
    assert_memory_equal(".\r\n", one + size, 3);
  }
  mail_drop(&m);
  free(record.text);
  free(text);
}

static const size_t sizes[] = {200, BLOCK, 3 * BLOCK + 64};

static void each_delivers(const char* script, const char* outcomes,
                          size_t times) {
  size_t i;
  int way;
  for (way = 0; way < FILES; way++) {
    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
      deliver_by(script, (enum way)way, sizes[i], outcomes, times);
  }
}

/* The server says how many. */
static void test_limit(void** state) {
  (void)state;
  each_delivers(OFFERING("LIMITS RCPTMAX=2") FROM TO("0") TO("1") TEXT("one")
                    FROM TO("2") TO("3") TEXT("two") FROM TO("4") TEXT("three")
                        QUIT,
                "aaaaa", 3);
}

/* It finds too many, each time one more than it took. */
static void test_too_many(void** state) {
  (void)state;
  each_delivers(
      OFFERING("SIZE") FROM TO("0") TO(
          "1") "L RCPT TO:<b2@x.example>\n S 452 4.5.3 too many\n" TEXT("one")
          FROM TO("2") TO("3") TEXT("two") FROM TO("4") TEXT("three") QUIT,
      "aaaaa", 3);
}

/* All of a transaction are refused by themselves while the file is being read
 * ahead: the text begins anew in the next. */
static void test_refused_before(void** state) {
  (void)state;
  each_delivers(OFFERING("LIMITS RCPTMAX=2") FROM
                "L RCPT TO:<b0@x.example>\n S 550 no\n"
                "L RCPT TO:<b1@x.example>\n S 550 no\n"
                "L RSET\n S 250 ok\n" FROM TO("2") TO("3") TEXT("one")
                    FROM TO("4") TEXT("two") QUIT,
                "rraaa", 2);
}

/* What can't be read again goes out once, and who was too many is deferred: a
 * pipe is told from a file when it is opened. */
static void test_pipe(void** state) {
  int way;
  (void)state;
  for (way = PIPE; way <= HEADER_PIPE; way++) {
    deliver_by(OFFERING("LIMITS RCPTMAX=2") FROM TO("0") TO("1") TEXT("one")
                   QUIT,
               (enum way)way, 200, "aaddd", 1);
    deliver_by(
        OFFERING("SIZE") FROM TO(
            "0") "L RCPT TO:<b1@x.example>\n S 452 4.5.3 too many\n" TO("2")
            TO("3") TO("4") TEXT("one") QUIT,
        (enum way)way, 200, "adaaa", 1);
  }
}

/* Closed, or lost, while a further transaction is under way: what was accepted
 * stays so. */
static void test_cut_off(void** state) {
  int lost;
  for (lost = 0; lost < 2; lost++) {
    fixture_t* f = *state;
    char* text = make_text(3 * BLOCK);
    mail_t m;
    peer_t* peer =
        peer_play(0, OFFERING("LIMITS RCPTMAX=2") FROM TO("0") TO("1")
                         TEXT("one") "C MAIL\n STALL\n CLOSE\n");
    uvsmtp_session_t* s = session_for(f, peer, UVSMTP_TLS_NONE, NULL, NULL);
    mail_make(&m, s, PATH, text);
    connect_to(f, s);
    mail_send(&m, f, s);
    run_to_stall(f, peer, 1);
    assert_int_equal(0, m.call.times);
    if (lost) {
      peer_go(peer);
      wait_for(&m.call);
    }
    close_session(f, s);
    assert_int_equal(1, m.call.times);
    assert_outcomes(&m, "aaddn");
    if (!lost) peer_go(peer);
    assert_peer_done(peer);
    mail_drop(&m);
    free(text);
  }
}

/* Allocation n fails, or all from there on. 0 when there is no such. */
static int live(long n, int all, const char* text) {
  fixture_t f;
  mail_t m;
  peer_t* peer = peer_play(0, OFFERING("LIMITS RCPTMAX=2") FROM TO("0") TO("1")
                                  TEXT("one") FROM TO("2") TO("3") TEXT("two")
                                      FROM TO("4") TEXT("three"));
  uvsmtp_session_t* s;
  int more;
  int i;
  fixture_start(&f);
  s = session_for(&f, peer, UVSMTP_TLS_NONE, NULL, NULL);
  mail_make(&m, s, HEADER_PATH, text);
  connect_to(&f, s);
  f.heap.calls = 0;
  f.heap.fail_at = n;
  f.heap.fail_all = all;
  if (mail_call(&m, &f, s) == 0) {
    wait_for(&m.call);
    /* Whoever comes later can't have it when one before was not asked. */
    for (i = 0; m.call.status == 0 && i + 1 < RCPTS; i++)
      assert_true(m.call.rcpts[i] == UVSMTP_OUTCOME_ACCEPTED ||
                  m.call.rcpts[i + 1] != UVSMTP_OUTCOME_ACCEPTED);
  } else {
    uvsmtp_source_discard(m.message.body);
  }
  more = f.heap.calls >= n;
  if (!more) assert_outcomes(&m, "aaaaa");
  close_session(&f, s);
  fixture_finish(&f);
  peer_finish(peer, NULL);
  mail_drop(&m);
  return more;
}

static void test_out_of_memory(void** state) {
  char* text = make_text(2 * BLOCK);
  int all;
  (void)state;
  for (all = 0; all < 2; all++) {
    long n;
    for (n = 1; live(n, all, text); n++) continue;
    assert_true(n > 10);
  }
  free(text);
}

/* ----------------------------------------------------- so many in a session */

/* A server that takes two: the third is not said, QUIT is, and those behind
 * have not begun. The session connects again, and goes on. */
static void test_mail_max(void** state) {
  fixture_t* f = *state;
  char script[4096];
  letter_t letters[4];
  call_t calls[4];
  uvsmtp_session_t* s;
  peer_t* peer;
  int i;
  snprintf(script, sizeof(script), "%s%s%s%s%s%s%s",
           OFFERING("LIMITS MAILMAX=2"), SENT, SENT, QUIT_CLOSE,
           "NEXT\n" OFFERING("LIMITS MAILMAX=2"), SENT, QUIT);
  peer = peer_play(0, script);
  s = clear_session(f, peer);
  memset(calls, 0, sizeof(calls));
  for (i = 0; i < 4; i++) {
    letter_init(&letters[i], "a@example.org", "b@example.net", "hi\r\n", 4);
    assert_int_equal(
        0, CALL(&calls[i], f,
                uvsmtp_send(s, &letters[i].message, on_call, &calls[i])));
  }
  wait_for(&calls[3]);
  for (i = 0; i < 4; i++) {
    assert_int_equal(f->order - 3 + i, calls[i].order);
    assert_int_equal(1, letters[i].released);
    assert_int_equal(i < 2 ? 0 : UVSMTP_EDISCONNECTED, calls[i].status);
    assert_int_equal(i < 2 ? 0 : UV_EAGAIN, calls[i].cause);
    assert_int_equal(
        i < 2 ? UVSMTP_OUTCOME_ACCEPTED : UVSMTP_OUTCOME_NOT_ATTEMPTED,
        calls[i].outcome);
  }
  assert_int_equal(UVSMTP_STATE_CLOSED, uvsmtp_session_state(s));
  connect_to(f, s);
  assert_int_equal(0, deliver(f, s).status);
  assert_int_equal(0, quit(f, s).status);
  part(f, s, peer);
}

/* One message over its transactions is as many as those: it ends where the
 * session does. */
static void test_mail_max_within(void** state) {
  fixture_t* f = *state;
  char* text = make_text(200);
  mail_t m;
  peer_t* peer =
      peer_play(0, OFFERING("LIMITS MAILMAX=2 RCPTMAX=2") FROM TO("0") TO("1")
                       TEXT("one") FROM TO("2") TO("3") TEXT("two") QUIT);
  uvsmtp_session_t* s = clear_session(f, peer);
  mail_make(&m, s, PATH, text);
  mail_send(&m, f, s);
  wait_for(&m.call);
  assert_outcomes(&m, "aaaan");
  assert_int_equal(0, m.call.status);
  part(f, s, peer);
  mail_drop(&m);
  free(text);
}

/* --------------------------------------------------------------- extensions */

static void test_etrn(void** state) {
  fixture_t* f = *state;
  call_t call = {0};
  peer_t* peer = peer_play(
      0, OFFERING("ETRN") "L ETRN @x.example\n S 253 two\n"
                          "L ETRN #q\n S 459 no\n" SENT
                          QUIT_CLOSE "NEXT\n" OFFERING("SIZE") SENT QUIT);
  uvsmtp_session_t* s = clear_session(f, peer);
  assert_int_equal(UV_EINVAL, uvsmtp_etrn(s, "x y", on_call, &call));
  assert_int_equal(UV_EINVAL, uvsmtp_etrn(s, "x\r\nNOOP", on_call, &call));
  assert_int_equal(UV_EINVAL, uvsmtp_etrn(s, NULL, on_call, &call));
  assert_int_equal(
      0, CALL(&call, f, uvsmtp_etrn(s, "@x.example", on_call, &call)));
  wait_for(&call);
  assert_int_equal(0, call.status);
  assert_int_equal(253, call.code);
  assert_int_equal(0, CALL(&call, f, uvsmtp_etrn(s, "#q", on_call, &call)));
  wait_for(&call);
  assert_int_equal(UVSMTP_ERESPONSE, call.status);
  assert_int_equal(459, call.code);
  assert_int_equal(0, deliver(f, s).status);
  assert_int_equal(0, quit(f, s).status);
  /* Who does not offer it is not asked. */
  connect_to(f, s);
  assert_int_equal(0, CALL(&call, f, uvsmtp_etrn(s, "x", on_call, &call)));
  wait_for(&call);
  assert_int_equal(UVSMTP_ENOTSUPPORTED, call.status);
  assert_int_equal(0, deliver(f, s).status);
  assert_int_equal(0, quit(f, s).status);
  part(f, s, peer);
}

/* Behind XCLIENT the server greets anew, what it offered is forgotten, and a
 * message behind it says EHLO itself. */
static void test_xclient(void** state) {
  static const uvsmtp_attribute_t attributes[] = {
      {"ADDR", "192.0.2.1"}, {"NAME", NULL}, {"LOGIN", "a=b+ c"}};
  static const uvsmtp_attribute_t proto = {"PROTO", "SMTP"};
  fixture_t* f = *state;
  call_t calls[3];
  letter_t letter;
  peer_t* peer = peer_play(
      0, OFFERING("XCLIENT NAME ADDR LOGIN")
             "L XCLIENT ADDR=192.0.2.1 NAME=[UNAVAILABLE] "
             "LOGIN=a+3Db+2B+20c\n S 220 anew\n" OFFERING_AGAIN SENT QUIT);
  uvsmtp_session_t* s = clear_session(f, peer);
  memset(calls, 0, sizeof(calls));
  assert_int_equal(UV_EINVAL,
                   uvsmtp_xclient(s, attributes, 0, on_call, &calls[0]));
  assert_int_equal(
      0, CALL(&calls[0], f, uvsmtp_xclient(s, &proto, 1, on_call, &calls[0])));
  assert_int_equal(
      0,
      CALL(&calls[1], f, uvsmtp_xclient(s, attributes, 3, on_call, &calls[1])));
  letter_init(&letter, "a@example.org", "b@example.net", "hi\r\n", 4);
  assert_int_equal(
      0,
      CALL(&calls[2], f, uvsmtp_send(s, &letter.message, on_call, &calls[2])));
  wait_for(&calls[2]);
  assert_int_equal(UVSMTP_ENOTSUPPORTED, calls[0].status);
  assert_int_equal(UV_ERANGE, calls[0].cause);
  assert_int_equal(0, calls[1].status);
  assert_int_equal(220, calls[1].code);
  assert_int_equal(0, calls[2].status);
  assert_null(uvsmtp_session_extn(s, "XCLIENT"));
  assert_int_equal(0, quit(f, s).status);
  part(f, s, peer);
}

/* --------------------------------------------------------------- REQUIRETLS */

/* Settings for a peer: those of trust, with a pin or without. */
static uvsmtp_tls_t* settings_for(const peer_t* peer, int trusted,
                                  unsigned int flags, const char* pin) {
  uvsmtp_tls_config_t config = UVSMTP_TLS_CONFIG_INIT;
  uvsmtp_tls_t* tls = NULL;
  if (pin == NULL) return trust(trusted ? peer : NULL, flags);
  if (trusted) {
    config.ca.base = peer_certificate(peer);
    config.ca.len = strlen(peer_certificate(peer));
  }
  config.flags = flags;
  config.pins = &pin;
  config.npins = 1;
  assert_int_equal(0, uvsmtp_tls_new(&tls, &config, NULL));
  return tls;
}

/* The pin of the peer, which plays a first connection for that. */
static void find_pin(fixture_t* f, const peer_t* peer, char* pin, size_t cap) {
  uvsmtp_tls_t* tls = trust(NULL, UVSMTP_TLS_INSECURE);
  uvsmtp_session_t* s = session_for(f, peer, UVSMTP_TLS_REQUIRED, tls, NULL);
  connect_to(f, s);
  assert_int_equal(0, deliver(f, s).status);
  assert_int_equal(
      0, uvsmtp_tls_certificate_pin(
             uvsmtp_tls_info_certificate(uvsmtp_session_tls(s)), 1, pin, cap));
  assert_int_equal(0, quit(f, s).status);
  close_session(f, s);
  uvsmtp_tls_unref(tls);
}

/* Only a server that has proven who it is gets such a message. Others hear
 * nothing of it, and the session goes on. */
static void test_requiretls(void** state) {
  static const struct {
    int policy;
    int trusted;
    unsigned int flags;
    int pinned;
    int proven;
  } cases[] = {
      {UVSMTP_TLS_REQUIRED, 1, 0, 0, 1},
      {UVSMTP_TLS_REQUIRED, 1, 0, 1, 1},
      {UVSMTP_TLS_OPPORTUNISTIC, 1, 0, 0, 1},
      {UVSMTP_TLS_OPPORTUNISTIC, 0, 0, 0, 0},
      {UVSMTP_TLS_REQUIRED, 0, UVSMTP_TLS_INSECURE, 0, 0},
      {UVSMTP_TLS_REQUIRED, 0, UVSMTP_TLS_INSECURE, 1, 0},
      {UVSMTP_TLS_NONE, 1, 0, 0, 0},
  };
  fixture_t* f = *state;
  size_t i;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    uvsmtp_mail_params_t params = UVSMTP_MAIL_PARAMS_INIT;
    int clear = cases[i].policy == UVSMTP_TLS_NONE;
    uvsmtp_session_t* s;
    uvsmtp_tls_t* tls;
    letter_t letter;
    call_t call = {0};
    char script[2048];
    char pin[80];
    peer_t* peer;
    snprintf(script, sizeof(script), "%s%s%s%s%s",
             GREETED OFFERS_STARTTLS STARTTLS HELLO SENT QUIT_CLOSE
             "NEXT\n" GREETED OFFERS_STARTTLS,
             clear ? "" : STARTTLS OFFERS_REQUIRETLS,
             cases[i].proven ? "L MAIL FROM:<a@example.org> REQUIRETLS\n"
                               "S 250 ok\n C RCPT\n S 250 ok\n C DATA\n"
                               "S 354 go\n T\n S 250 taken\n"
                             : "",
             SENT, QUIT);
    peer = peer_play(0, script);
    find_pin(f, peer, pin, sizeof(pin));
    tls = settings_for(peer, cases[i].trusted, cases[i].flags,
                       cases[i].pinned ? pin : NULL);
    s = session_for(f, peer, cases[i].policy, tls, NULL);
    connect_to(f, s);
    letter_init(&letter, "a@example.org", "b@example.net", "hi\r\n", 4);
    params.flags = UVSMTP_MAIL_REQUIRETLS;
    letter.message.params = &params;
    assert_int_equal(
        0, CALL(&call, f, uvsmtp_send(s, &letter.message, on_call, &call)));
    wait_for(&call);
    assert_int_equal(cases[i].proven ? 0 : UVSMTP_ETLS, call.status);
    assert_int_equal(
        cases[i].proven ? UVSMTP_OUTCOME_ACCEPTED : UVSMTP_OUTCOME_REJECTED,
        call.outcome);
    assert_int_equal(cases[i].proven, call.detail[0] == '\0');
    assert_int_equal(0, deliver(f, s).status);
    assert_int_equal(0, quit(f, s).status);
    part(f, s, peer);
    uvsmtp_tls_unref(tls);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_limit),
      TEST(test_too_many),
      TEST(test_refused_before),
      TEST(test_pipe),
      LOGIN_TEST(test_cut_off),
      TEST(test_out_of_memory),
      LOGIN_TEST(test_mail_max),
      LOGIN_TEST(test_mail_max_within),
      LOGIN_TEST(test_etrn),
      LOGIN_TEST(test_xclient),
      LOGIN_TEST(test_requiretls),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
