/* SPDX-License-Identifier: MIT */
/* test_bad_input.c: what makes no sense is refused within the call, with
 * UV_EINVAL. Nothing of it was taken: no completion, no octet at the server, no
 * body released; and the session is as good as before. Targets are in
 * test_connect. */
#include "fixture.h"

#define LONGEST 3000 /* beyond any line */

static char endless[LONGEST + 1];

/* As sender and as recipient. NULL is one more. */
static const char* const addresses[] = {
    "a@x\r\nRSET",
    "a\r\n@x",
    "a@x\n",
    "a@x\r",
    "\na@x",
    "a\x01@x",
    "a\x7f@x",
    "a@x\x1f",
    "\"a\nb\"@x",
    "A\nB <a@x>",
    "<a@x",
    "a@x>",
    "<<a@x>>",
    "<a@x>b",
    "<a@x> ",
    "<a@x> SIZE=1",
    "a@x> SIZE=1",
    "a b@x",
    "a@x y",
    " a@x",
    "a@",
    "@x",
    "@",
    "a@@x",
    "a@x@y",
    "a@x..y",
    "a@.x",
    "a@[]",
    "a@[192.0.2.1",
    "a@192.0.2.1]",
    "a@[192.0.2.1] x",
    "\"a@x",
    "\"\"@x",
    "\"a\"b@x",
    "a\"b@x",
    "a@x,b@y",
    "a@x, b@y",
    "A <a@x>, B <b@y>",
    "all: a@x, b@y;",
    "@relay:a@x",
    "a(b)@x",
    "a@x(b)",
    "a@x!y",
    "\xff@x",
    "\xc0\x80@x",     /* an over-long NUL */
    "\xed\xa0\x80@x", /* a surrogate */
    "a@\xe2\x82",     /* half a character */
    endless,
};

static const char* const options[] = {
    "",      " ",        "X Y",     "X=",    "=Y",     "X= ", "X=a b",
    "-X",    "X\r\nY",   "X=\r\nY", "X=a\n", "X=\x7f", "X\t", "X=\xff",
    "X_Y=1", "\xc3\xa9", "X>",      endless, NULL,
};

/* For EHLO and HELO. NULL is the configured one. */
static const char* const names[] = {
    "",    " ",      "a b",  "a\r\nNOOP",        "a\n",   "a\r",
    "a\t", "a\x01b", "\x7f", "\xc3\xa9.example", endless,
};

static const char* const commands[] = {
    NULL,         "",
    " ",          " NOOP",
    "\r\n",       "X\r\nNOOP",
    "X\n",        "X\r",
    "X\x01",      "X \x7f",
    "X \xff",     "EHLO a",
    "ehlo a",     "HELO a",
    "LHLO a",     "STARTTLS",
    "AUTH PLAIN", "MAIL FROM:<a@x>",
    "mail",       "RCPT TO:<a@x>",
    "DATA",       "data",
    "BDAT 1",     "BURL x",
    "RSET",       "QUIT",
    "quit now",   "TURN",
    "ATRN",       endless,
};

/* What the first version of the struct had. */
#define RCPT_SIZE_MIN (offsetof(uvsmtp_rcpt_t, noptions) + sizeof(size_t))

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* A struct of a later version, of which this one knows only the beginning. */
typedef struct later_message_s {
  uvsmtp_message_t message;
  int more;
} later_message_t;
typedef struct later_rcpt_s {
  uvsmtp_rcpt_t rcpt;
  int more;
} later_rcpt_t;

static void never(uvsmtp_session_t* s, const uvsmtp_result_t* result,
                  void* data) {
  (void)s;
  (void)result;
  (void)data;
  fail_msg("a completion");
}

static void assert_refused(int err, const char* what) {
  if (err != UV_EINVAL) fail_msg("%s: %d, not UV_EINVAL", what, err);
}

static int try_send(uvsmtp_session_t* s, const letter_t* letter) {
  return uvsmtp_send(s, &letter->message, never, NULL);
}

/* ------------------------------------------------------------------ strings */

static void bad_addresses(uvsmtp_session_t* s, letter_t* letter) {
  size_t i;
  for (i = 0; i <= COUNT(addresses); i++) {
    const char* bad = i < COUNT(addresses) ? addresses[i] : NULL;
    const char* what = bad == NULL ? "no address" : bad;
    assert_refused(uvsmtp_mail(s, bad, NULL, 0, never, NULL), what);
    assert_refused(uvsmtp_rcpt(s, bad, NULL, 0, never, NULL), what);
    letter->message.from = bad;
    assert_refused(try_send(s, letter), what);
    letter->message.from = "a@x";
    /* The second of two, so that the first was looked at. */
    letter->rcpt[1] = letter->rcpt[0];
    letter->rcpt[1].address = bad;
    letter->list[1] = &letter->rcpt[1];
    letter->message.nrcpts = 2;
    assert_refused(try_send(s, letter), what);
    letter->message.nrcpts = 1;
  }
  /* Nobody can be the sender of a bounce, but not its recipient. */
  assert_refused(uvsmtp_rcpt(s, "", NULL, 0, never, NULL), "nobody");
  assert_refused(uvsmtp_rcpt(s, "<>", NULL, 0, never, NULL), "nobody");
  letter->rcpt[0].address = "<>";
  assert_refused(try_send(s, letter), "nobody");
  letter->rcpt[0].address = "b@y";
}

static void bad_options(uvsmtp_session_t* s, letter_t* letter) {
  size_t i;
  for (i = 0; i < COUNT(options); i++) {
    const char* list[2] = {"GOOD=1", options[i]};
    const char* what = options[i] == NULL ? "no option" : options[i];
    assert_refused(uvsmtp_mail(s, "a@x", list, 2, never, NULL), what);
    assert_refused(uvsmtp_rcpt(s, "a@x", list, 2, never, NULL), what);
    letter->message.mail_options = list;
    letter->message.nmail_options = 2;
    assert_refused(try_send(s, letter), what);
    letter->message.nmail_options = 0;
    letter->message.rcpt_options = list;
    letter->message.nrcpt_options = 2;
    assert_refused(try_send(s, letter), what);
    letter->message.nrcpt_options = 0;
    letter->rcpt[0].options = list;
    letter->rcpt[0].noptions = 2;
    assert_refused(try_send(s, letter), what);
    letter->rcpt[0].noptions = 0;
  }
  assert_refused(uvsmtp_mail(s, "a@x", NULL, 1, never, NULL), "no list");
  letter->message.mail_options = NULL;
  letter->message.nmail_options = 1;
  assert_refused(try_send(s, letter), "no list");
  letter->message.nmail_options = 0;
}

/* Each fits a line, all of them don't. */
static void many_options(uvsmtp_session_t* s, letter_t* letter) {
  const char* list[300];
  size_t i;
  for (i = 0; i < COUNT(list); i++) list[i] = "ABCDEFGH=1";
  assert_refused(uvsmtp_mail(s, "a@x", list, COUNT(list), never, NULL),
                 "many options");
  assert_refused(uvsmtp_rcpt(s, "a@x", list, COUNT(list), never, NULL),
                 "many options");
  letter->message.rcpt_options = list;
  letter->message.nrcpt_options = COUNT(list) / 2;
  letter->rcpt[0].options = list;
  letter->rcpt[0].noptions = COUNT(list) / 2;
  assert_refused(try_send(s, letter), "many options");
  letter->message.nrcpt_options = letter->rcpt[0].noptions = 0;
}

static void bad_lines(uvsmtp_session_t* s, letter_t* letter) {
  size_t i;
  (void)letter;
  for (i = 0; i < COUNT(names); i++) {
    assert_refused(uvsmtp_ehlo(s, names[i], never, NULL), names[i]);
    assert_refused(uvsmtp_helo(s, names[i], never, NULL), names[i]);
  }
  for (i = 0; i < COUNT(commands); i++) {
    assert_refused(uvsmtp_command(s, commands[i], never, NULL),
                   commands[i] == NULL ? "no command" : commands[i]);
  }
  assert_refused(uvsmtp_verify(s, endless, never, NULL), "verify");
  assert_refused(uvsmtp_expn(s, "a\nb", never, NULL), "expn");
  assert_refused(uvsmtp_help(s, endless, never, NULL), "help");
}

/* ------------------------------------------------------------------ structs */

static void bad_message(uvsmtp_session_t* s, letter_t* letter) {
  uvsmtp_message_t* m = &letter->message;
  const uvsmtp_message_t good = *m;
  later_message_t later;
  memset(&later, 0, sizeof(later));
  assert_refused(uvsmtp_send(s, NULL, never, NULL), "no message");
  m->nrcpts = 0;
  assert_refused(try_send(s, letter), "an empty list");
  *m = good;
  m->rcpts = NULL;
  assert_refused(try_send(s, letter), "no list");
  *m = good;
  m->body = NULL;
  assert_refused(try_send(s, letter), "no body");
  *m = good;
  m->line_ends = UVSMTP_LINES_BINARY + 1;
  assert_refused(try_send(s, letter), "line ends");
  *m = good;
  m->flags = 1u << 31;
  assert_refused(try_send(s, letter), "a flag of a later version");
  m->flags = UVSMTP_SESSION_LMTP;
  assert_refused(try_send(s, letter), "a session's flag");
  *m = good;
  m->timeout = -1;
  assert_refused(try_send(s, letter), "a time before now");
  *m = good;
  for (m->size = 0; m->size < offsetof(uvsmtp_message_t, timeout); m->size++)
    assert_refused(try_send(s, letter), "a size");
  *m = good;
  later.message = good;
  later.message.size = sizeof(later);
  later.more = 1;
  assert_refused(uvsmtp_send(s, &later.message, never, NULL),
                 "a field of a later version");
}

static void bad_rcpt(uvsmtp_session_t* s, letter_t* letter) {
  uvsmtp_rcpt_t* r = &letter->rcpt[0];
  later_rcpt_t later;
  memset(&later, 0, sizeof(later));
  for (r->size = 0; r->size < RCPT_SIZE_MIN; r->size++)
    assert_refused(try_send(s, letter), "a recipient's size");
  letter->list[0] = NULL;
  assert_refused(try_send(s, letter), "no recipient");
  later.rcpt = *r;
  later.rcpt.size = sizeof(later);
  later.more = 1;
  letter->list[0] = &later.rcpt;
  assert_refused(try_send(s, letter), "a recipient of a later version");
  letter->list[0] = r;
}

/* Wherever a source may be given. */
static void refuse_source(uvsmtp_session_t* s, letter_t* letter,
                          const char* what) {
  uvsmtp_source_t* source = &letter->body.source;
  assert_refused(try_send(s, letter), what);
  assert_refused(uvsmtp_data(s, source, UVSMTP_LINES_NORMALISE, never, NULL),
                 what);
  assert_refused(uvsmtp_bdat(s, source, 1, never, NULL), what);
}

static void bad_source(uvsmtp_session_t* s, letter_t* letter) {
  uvsmtp_source_t* source = &letter->body.source;
  const uvsmtp_source_t good = *source;
  source->size--;
  refuse_source(s, letter, "a source's size");
  *source = good;
  source->peek = NULL;
  refuse_source(s, letter, "a source that shows nothing");
  *source = good;
  source->consumed = NULL;
  refuse_source(s, letter, "a source that forgets nothing");
  *source = good;
  source->length = -3;
  refuse_source(s, letter, "a source's length");
  *source = good;
  source->reserved[3] = source;
  refuse_source(s, letter, "a source of a later version");
  *source = good;
  source->length = -1;
  assert_refused(uvsmtp_bdat(s, source, 1, never, NULL), "unknown length");
  *source = good;
  assert_refused(uvsmtp_data(s, NULL, 0, never, NULL), "no source");
  assert_refused(uvsmtp_bdat(s, NULL, 1, never, NULL), "no source");
  assert_refused(uvsmtp_data(s, source, UVSMTP_LINES_BINARY, never, NULL),
                 "octets as they are");
  assert_refused(uvsmtp_data(s, source, 7, never, NULL), "line ends");
}

static void bad_timeouts(uvsmtp_session_t* s, letter_t* letter) {
  uvsmtp_timeouts_t t = UVSMTP_TIMEOUTS_INIT;
  (void)letter;
  assert_refused(uvsmtp_session_set_timeouts(s, NULL), "no timeouts");
  t.quit = -2;
  assert_refused(uvsmtp_session_set_timeouts(s, &t), "a time before now");
  t.quit = 0;
  t.size = sizeof(size_t) - 1;
  assert_refused(uvsmtp_session_set_timeouts(s, &t), "a size");
  assert_refused(uvsmtp_timeouts_all(NULL, 1000), "no timeouts");
  assert_refused(uvsmtp_timeouts_all(&t, 0), "no time at all");
  assert_refused(uvsmtp_timeouts_all(&t, -2), "a time before now");
}

/* ---------------------------------------------------------------- the whole */

typedef void (*group_t)(uvsmtp_session_t* s, letter_t* letter);

static const group_t groups[] = {bad_addresses, bad_options, many_options,
                                 bad_lines,     bad_message, bad_rcpt,
                                 bad_source,    bad_timeouts};

static const char script[] =
    "S 220 hi\n"
    "C NOOP\n S 250 ok\n"
    "C EHLO\n S 250 hi\n"
    "C MAIL FROM:<a@x>\n S 250 ok\n"
    "C RCPT TO:<b@y>\n S 250 ok\n"
    "C DATA\n S 354 go\n T\n S 250 ok\n"
    "C QUIT\n S 221 bye\n EOF";

static void test_calls(void** state) {
  peer_t* peer = peer_play(0, script);
  fixture_t f;
  call_t call;
  letter_t letter;
  uvsmtp_session_t* s;
  size_t i;
  (void)state;
  memset(&call, 0, sizeof(call));
  memset(endless, 'a', LONGEST);
  letter_init(&letter, "a@x", "b@y", "one\r\n", 5);
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  /* Before there is a connection, and with one. */
  for (i = 0; i < COUNT(groups); i++) groups[i](s, &letter);
  assert_int_equal(0, CALL(&call, &f, uvsmtp_connect(s, NULL, on_call, &call)));
  wait_for(&call);
  for (i = 0; i < COUNT(groups); i++) {
    groups[i](s, &letter);
    run_for(&f, 1);
  }
  assert_int_equal(0, letter.released);
  assert_int_equal(UVSMTP_STATE_GREETED, uvsmtp_session_state(s));
  /* The first octets that the server sees. */
  assert_int_equal(0, CALL(&call, &f, uvsmtp_noop(s, on_call, &call)));
  wait_for(&call);
  assert_int_equal(0, call.status);
  assert_int_equal(
      0, CALL(&call, &f, uvsmtp_send(s, &letter.message, on_call, &call)));
  wait_for(&call);
  assert_int_equal(0, call.status);
  assert_int_equal(UVSMTP_OUTCOME_ACCEPTED, call.outcome);
  assert_int_equal(1, letter.released);
  assert_int_equal(0, CALL(&call, &f, uvsmtp_quit(s, on_call, &call)));
  wait_for(&call);
  close_session(&f, s);
  fixture_finish(&f);
  assert_peer_done(peer);
}

/* --------------------------------------------------------------- making one */

static void refuse_session(fixture_t* f, const uvsmtp_session_config_t* config,
                           const char* what) {
  uvsmtp_session_t* s = NULL;
  assert_refused(uvsmtp_session_new(&s, f->env, config), what);
  assert_null(s);
}

static void test_sessions(void** state) {
  const uvsmtp_session_config_t good = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_session_config_t config = good;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_session_t* s = NULL;
  fixture_t f;
  size_t i;
  (void)state;
  memset(endless, 'a', LONGEST);
  fixture_start(&f);
  assert_refused(uvsmtp_session_new(NULL, f.env, NULL), "nowhere");
  assert_refused(uvsmtp_session_new(&s, NULL, NULL), "no environment");
  for (i = 0; i < COUNT(names); i++) {
    config.local_name = names[i];
    refuse_session(&f, &config, names[i]);
  }
  config = good;
  config.size = sizeof(size_t) - 1;
  refuse_session(&f, &config, "a size");
  config = good;
  config.flags = 1u << 31;
  refuse_session(&f, &config, "a flag of a later version");
  config.flags = UVSMTP_MESSAGE_NO_PIPELINING;
  refuse_session(&f, &config, "a message's flag");
  config = good;
  config.target = &target;
  target.port = 70000;
  refuse_session(&f, &config, "port 70000");
  target.port = 0;
  target.flags = 1u << 31;
  refuse_session(&f, &config, "a target of a later version");
  target.flags = 0;
  target.size = 1;
  refuse_session(&f, &config, "a target's size");
  fixture_finish(&f);
}

static void test_targets(void** state) {
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  fixture_t f;
  uvsmtp_session_t* s;
  (void)state;
  fixture_start(&f);
  s = open_session(&f, NULL, NULL);
  target.port = 70000;
  assert_refused(uvsmtp_connect(s, &target, never, NULL), "port 70000");
  target.port = 0;
  target.bind_port = 70000;
  assert_refused(uvsmtp_connect(s, &target, never, NULL), "port 70000");
  target.bind_port = 0;
  target.flags = 1u << 31;
  assert_refused(uvsmtp_connect(s, &target, never, NULL),
                 "a flag of a later version");
  target.flags = 0;
  target.size = 1;
  assert_refused(uvsmtp_connect(s, &target, never, NULL), "a size");
  assert_int_equal(UVSMTP_STATE_CONNECT, uvsmtp_session_state(s));
  close_session(&f, s);
  fixture_finish(&f);
}

static void test_environments(void** state) {
  const uvsmtp_env_config_t good = UVSMTP_ENV_CONFIG_INIT;
  uvsmtp_env_config_t config = good;
  uvsmtp_mem_t mem = {sizeof(mem), NULL, NULL};
  uvsmtp_env_t* env = NULL;
  uv_loop_t loop;
  (void)state;
  assert_int_equal(0, uv_loop_init(&loop));
  assert_refused(uvsmtp_env_new(NULL, &loop, NULL), "nowhere");
  assert_refused(uvsmtp_env_new(&env, NULL, NULL), "no loop");
  config.size = sizeof(size_t) - 1;
  assert_refused(uvsmtp_env_new(&env, &loop, &config), "a size");
  config = good;
  config.mem = &mem;
  assert_refused(uvsmtp_env_new(&env, &loop, &config), "no allocator");
  mem.alloc = heap_alloc;
  mem.size = 1;
  assert_refused(uvsmtp_env_new(&env, &loop, &config), "an allocator's size");
  assert_null(env);
  assert_int_equal(0, uv_loop_close(&loop));
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_calls), TEST(test_sessions),
                                     TEST(test_targets),
                                     TEST(test_environments)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
