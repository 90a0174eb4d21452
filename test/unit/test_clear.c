/* SPDX-License-Identifier: MIT */
/* test_clear.c: what leaves in clear text, and what without a login, whatever
 * caller, server and network do. Walks at random, the same ones each time:
 * calls, replies that fit and replies that do not, in pieces and together,
 * handshakes that succeed, fail or are talked into, mechanisms that wait, work
 * and fail, deadlines, losses. After each step it must hold what the policies
 * say of the octets that have left. */
#include <stdio.h>
#include <stdlib.h>

#include "core/auth.h"
#include "host.h"
#include "uvsmtp/tls.h"

enum { WALKS = 20000, STEPS = 250, BODIES = 32 };

typedef struct walk_s {
  host_t h;
  uint32_t random;
  int policy;
  int local;   /* nobody can listen */
  int target;  /* connections come with credentials */
  int secured; /* the connection, as the host knows */
  int trusted; /* ... and by whom it should be */
  int failed;  /* the last login did */
  uvsmtp_credentials_t credentials;
  uvsmtp_exchange_t* waits; /* a mechanism does */
  int woken;
  int asked;    /* STARTTLS is out and has no reply yet */
  int requests; /* STARTTLS sent on this connection */
  int calls;    /* uvsmtp_starttls, so far */
  char line[256];
  size_t len;
  source_t bodies[BODIES];
  int nbodies;
} walk_t;

/* How often something happened in all walks: that the walks lead anywhere. */
static struct {
  unsigned int handshakes;
  unsigned int lines_in_clear;
  unsigned int lines_in_tls;
  unsigned int messages;
  unsigned int kept_back;
  unsigned int secrets_in_clear;
  unsigned int secrets_in_tls;
  unsigned int logins;
  unsigned int failures;
  unsigned int unsaid;
} seen;

static unsigned int pick(walk_t* w, unsigned int n) {
  w->random ^= w->random << 13;
  w->random ^= w->random >> 17;
  w->random ^= w->random << 5;
  return w->random % n;
}

/* ------------------------------------------------------------ credentials */

#define SECRET "the secret of it"
#define SECRET_CODED "dGhlIHNlY3JldCBvZiBpdA=="

static void wipe(void* p, size_t n) { memset(p, 0, n); }

/* All that is ever said is the secret, or nothing. */
static void encode(char* to, const void* from, size_t n) {
  if (n == 0) return;
  assert_int_equal(n, strlen(SECRET));
  assert_memory_equal(from, SECRET, n);
  memcpy(to, SECRET_CODED, strlen(SECRET_CODED));
}

static ptrdiff_t decode(void* to, const char* from, size_t n) {
  if (n % 4 != 0) return -EINVAL;
  memcpy(to, from, n / 4 * 3);
  return (ptrdiff_t)(n / 4 * 3);
}

static int fits(const uvsmtp_credentials_t* credentials,
                const uvsmtp_mech_t* mech) {
  (void)credentials;
  (void)mech;
  return 1;
}

static void gone(uvsmtp_credentials_t* credentials) {
  (void)credentials;
  fail_msg("credentials that are still in use are given back");
}

static const uvsmtp__secrets_t secrets = {wipe, encode, decode, fits, gone};

/* The walk that is under way: mechanisms have no other way to it. */
static walk_t* walking;

static int step(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x,
                const uvsmtp_slice_t* challenge) {
  walk_t* w = walking;
  (void)challenge;
  assert_null(w->waits);
  switch (pick(w, 16)) {
    case 0:
      w->waits = x;
      return UVSMTP_MECH_WAIT;
    case 1:
      return UVSMTP_MECH_AGAIN;
    case 2:
      return -EINVAL;
    case 3:
      return UVSMTP_MECH_SEND; /* nothing */
    default:
      assert_int_equal(uvsmtp_exchange_respond(x, SECRET, strlen(SECRET)), 0);
      return (self->flags & UVSMTP_MECH_MUTUAL) && pick(w, 2) == 0
                 ? UVSMTP_MECH_CONTINUE
                 : UVSMTP_MECH_SEND;
  }
}

static int refused(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x) {
  (void)self;
  (void)x;
  return pick(walking, 2) == 0;
}

static void finish(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x) {
  (void)self;
  (void)x;
  walking->waits = NULL;
}

static const uvsmtp_mech_t mechs[] = {
    {sizeof(uvsmtp_mech_t), "ONE", UVSMTP_MECH_CLIENT_FIRST, step, refused,
     finish},
    {sizeof(uvsmtp_mech_t), "TWO",
     UVSMTP_MECH_CLIENT_FIRST | UVSMTP_MECH_MUTUAL, step, NULL, finish},
    {sizeof(uvsmtp_mech_t), "THREE", UVSMTP_MECH_ANY_CHALLENGE, step, refused,
     finish}};
static const uvsmtp_mech_t* const mech_list[] = {&mechs[0], &mechs[1],
                                                 &mechs[2]};

static void wake(void* arg) { ((walk_t*)arg)->woken = 1; }

static const uvsmtp_auth_host_t no_host = UVSMTP_AUTH_HOST_INIT;

static void add_login(walk_t* w, uvsmtp_request_t* r,
                      uvsmtp_auth_host_t* host) {
  *host = no_host;
  host->wake = wake;
  host->arg = w;
  r->credentials = &w->credentials;
  r->auth_host = host;
}

/* May a secret be said now? */
static int may_log_in(const walk_t* w) {
  return w->local || (w->secured && w->trusted) ||
         (w->credentials.flags & UVSMTP_AUTH_ALLOW_PLAINTEXT);
}

/* ------------------------------------------------------------- what leaves */

static int begins(const char* line, const char* verb) {
  return strncmp(line, verb, strlen(verb)) == 0;
}

/* A secret leaves where it may, and nothing of a message behind a login that
 * failed, or before the one that the target wants. */
static void look_at_login(const walk_t* w) {
  static const char* const verbs[] = {"MAIL ", "RCPT ", "DATA", "BDAT "};
  const char* by = uvsmtp_proto_auth(w->h.p);
  size_t i;
  assert_null(strstr(w->line, SECRET));
  if (begins(w->line, "AUTH ") || strstr(w->line, SECRET_CODED) != NULL) {
    assert_true(may_log_in(w));
    if (strstr(w->line, SECRET_CODED) != NULL && w->secured)
      seen.secrets_in_tls++;
    else if (strstr(w->line, SECRET_CODED) != NULL)
      seen.secrets_in_clear++;
  }
  for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
    if (!begins(w->line, verbs[i])) continue;
    if (by == NULL && (w->failed || w->target)) fail_msg("%s", w->line);
  }
}

static void look_at_line(walk_t* w) {
  static const char* const harmless[] = {"EHLO ", "LHLO ", "STARTTLS\r\n",
                                         "NOOP\r\n", "QUIT\r\n"};
  int fine = 0;
  size_t i;
  look_at_login(w);
  if (w->secured) {
    seen.lines_in_tls++;
    assert_false(begins(w->line, "STARTTLS"));
    return;
  }
  seen.lines_in_clear++;
  assert_int_not_equal(w->policy, UVSMTP_TLS_IMPLICIT);
  assert_false(w->asked);
  for (i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
    fine |= begins(w->line, harmless[i]);
  if (w->policy == UVSMTP_TLS_REQUIRED && !fine) fail_msg("%s", w->line);
  if (!begins(w->line, "STARTTLS")) return;
  w->asked = 1;
  w->requests++;
  if (w->policy == UVSMTP_TLS_OPPORTUNISTIC)
    assert_true(w->requests <= w->calls + 1);
  if (w->policy == UVSMTP_TLS_NONE) assert_true(w->requests <= w->calls);
}

static void take_output(walk_t* w, size_t most) {
  uvsmtp_slice_t s[4];
  size_t count;
  while (most > 0 && (count = uvsmtp_proto_peek(w->h.p, s, 4)) > 0) {
    size_t n = 0;
    size_t i;
    size_t k;
    assert_false(uvsmtp_proto_wants(w->h.p) & UVSMTP_WANTS_TLS);
    for (i = 0; i < count; i++) {
      const char* text = s[i].base;
      for (k = 0; k < s[i].len && n < most; k++, n++) {
        if (w->len < sizeof(w->line) - 1) w->line[w->len++] = text[k];
        w->line[w->len] = '\0';
        if (text[k] != '\n') continue;
        look_at_line(w);
        w->len = 0;
      }
    }
    uvsmtp_proto_sent(w->h.p, n);
    most -= n;
  }
}

static void take_events(walk_t* w) {
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  while (uvsmtp_proto_next(w->h.p, &e)) {
    int status = uvsmtp_result_status(e.result);
    if (e.op == UVSMTP_OP_SEND && status == 0) seen.messages++;
    if (e.op == UVSMTP_OP_LOGIN && status == 0) seen.logins++;
    if (status == UVSMTP_EAUTH) {
      w->failed = 1;
      seen.failures++;
      if (uvsmtp_result_cause(e.result) == UVSMTP_ETLS) {
        seen.unsaid++;
        assert_false(may_log_in(w) && w->secured);
      }
    }
    if (status == UVSMTP_ETLS && uvsmtp_result_cause(e.result) == -EPERM)
      seen.kept_back++;
    /* Nobody gets mail in clear text where TLS is a must. */
    if (status == 0 && e.op == UVSMTP_OP_SEND &&
        w->policy >= UVSMTP_TLS_REQUIRED)
      assert_true(w->secured);
  }
  if (uvsmtp_proto_auth(w->h.p) != NULL) w->failed = 0;
  assert_true(uvsmtp_proto_pending(w->h.p) == 0 ||
              uvsmtp_proto_wait(w->h.p, NULL) != UVSMTP_PHASE_NONE ||
              (uvsmtp_proto_wants(w->h.p) & UVSMTP_WANTS_CLOSE));
}

/* --------------------------------------------------------------- the steps */

static void call_send(walk_t* w, int op) {
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(0);
  uvsmtp_message_t m = UVSMTP_MESSAGE_INIT;
  source_t* s = &w->bodies[w->nbodies];
  if (w->nbodies == BODIES) return;
  source_init(s, &w->h, "hello\r\n");
  s->source.length = 7;
  r.op = op;
  if (op == UVSMTP_OP_SEND) {
    m.from = "a@x.example";
    m.rcpts = one_list;
    m.nrcpts = 1;
    m.body = &s->source;
    r.message = &m;
    r.due = pick(w, 3) == 0 ? 1 + pick(w, STEPS) : 0;
  } else {
    r.body = &s->source;
    r.last = 1;
  }
  if (uvsmtp_proto_submit(w->h.p, &r) == 0) w->nbodies++;
}

static void call_something(walk_t* w) {
  static const struct {
    int op;
    const char* text;
  } calls[] = {{UVSMTP_OP_HELLO, NULL},       {UVSMTP_OP_EHLO, NULL},
               {UVSMTP_OP_HELO, NULL},        {UVSMTP_OP_STARTTLS, NULL},
               {UVSMTP_OP_MAIL, "a@x"},       {UVSMTP_OP_RCPT, "b@y"},
               {UVSMTP_OP_RSET, NULL},        {UVSMTP_OP_NOOP, NULL},
               {UVSMTP_OP_COMMAND, "VRFY a"}, {UVSMTP_OP_QUIT, NULL},
               {UVSMTP_OP_CONNECT, NULL},     {UVSMTP_OP_CONNECT, NULL},
               {UVSMTP_OP_SEND, NULL},        {UVSMTP_OP_SEND, NULL},
               {UVSMTP_OP_DATA, NULL},        {UVSMTP_OP_BDAT, NULL},
               {UVSMTP_OP_LOGIN, NULL},       {UVSMTP_OP_LOGIN, NULL}};
  uvsmtp_auth_host_t host;
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(0);
  unsigned int i = pick(w, sizeof(calls) / sizeof(calls[0]));
  int state = uvsmtp_proto_state(w->h.p);
  int over = state == UVSMTP_STATE_CONNECT || state == UVSMTP_STATE_CLOSED;
  if (uvsmtp_proto_pending(w->h.p) > 4) return;
  /* Mostly of use. */
  if (over && pick(w, 10) > 0) i = 10;
  if (uvsmtp_proto_extn(w->h.p, "AUTH") != NULL && pick(w, 3) == 0) i = 16;
  r.op = calls[i].op;
  r.text = calls[i].text;
  r.tls = r.op == UVSMTP_OP_CONNECT ? w->policy : 0;
  r.local = w->local;
  if (r.op == UVSMTP_OP_LOGIN || (r.op == UVSMTP_OP_CONNECT && w->target))
    add_login(w, &r, &host);
  if (r.op == UVSMTP_OP_LOGIN && pick(w, 3) == 0)
    r.mech = mech_list[pick(w, 3)];
  if (r.op == UVSMTP_OP_SEND || r.op == UVSMTP_OP_DATA ||
      r.op == UVSMTP_OP_BDAT) {
    call_send(w, r.op);
  } else if (uvsmtp_proto_submit(w->h.p, &r) == 0) {
    w->calls += r.op == UVSMTP_OP_STARTTLS;
  }
}

static const char* reply_to_auth(walk_t* w) {
  static const char* const replies[] = {
      "235 in\r\n", "235 in\r\n",      "334 \r\n",      "334 YWJj\r\n",
      "334 a?\r\n", "501 what?\r\n",   "504 what?\r\n", "535 no\r\n",
      "535 no\r\n", "454 not now\r\n", "503 in\r\n",    "534 weak\r\n",
      "250 hm\r\n"};
  return replies[pick(w, sizeof(replies) / sizeof(replies[0]))];
}

/* A reply that may be the one that is waited for. */
static const char* reply_for(walk_t* w) {
  int phase = uvsmtp_proto_wait(w->h.p, NULL);
  switch (phase) {
    case UVSMTP_PHASE_HELLO: {
      static const char* const hellos[] = {
          "250-mx\r\n250 STARTTLS\r\n",
          "250-mx\r\n250-PIPELINING\r\n250 STARTTLS\r\n",
          "250-mx\r\n250-STARTTLS\r\n250-PIPELINING\r\n250 CHUNKING\r\n",
          "250-mx\r\n250 PIPELINING\r\n",
          "250-mx\r\n250-STARTTLS\r\n250 AUTH ONE TWO THREE\r\n",
          "250-mx\r\n250-PIPELINING\r\n250 AUTH THREE TWO\r\n",
          "250-mx\r\n250 AUTH ONE TWO THREE\r\n",
          "250-mx\r\n250-CHUNKING\r\n250-PIPELINING\r\n250 AUTH ONE\r\n",
          "250-mx\r\n250-STARTTLS\r\n250 AUTH ONE TWO THREE\r\n",
          "250-mx\r\n250-AUTH TWO\r\n250 STARTTLS\r\n",
          "250-mx\r\n250-AUTH THREE ONE\r\n250 PIPELINING\r\n",
          "502 what?\r\n"};
      return hellos[pick(w, sizeof(hellos) / sizeof(hellos[0]))];
    }
    case UVSMTP_PHASE_AUTH:
      return reply_to_auth(w);
    case UVSMTP_PHASE_GREETING:
      return "220 mx\r\n";
    case UVSMTP_PHASE_DATA:
      return "354 go\r\n";
    case UVSMTP_PHASE_COMMAND:
      if (!w->asked) return "250 ok\r\n";
      return pick(w, 3) > 0 ? "220 go\r\n" : "454 not now\r\n";
    default:
      return "250 ok\r\n";
  }
}

/* In one piece with more, or in two. */
static void feed_something(walk_t* w) {
  static const char* const odd[] = {"220 go\r\n", "250 ok\r\n",  "454 no\r\n",
                                    "550 no\r\n", "421 bye\r\n", "235 in\r\n",
                                    "334 \r\n",   "25",          "\r\n"};
  char text[256];
  size_t len;
  size_t first;
  snprintf(text, sizeof(text), "%s%s",
           pick(w, 25) > 0 ? reply_for(w) : odd[pick(w, 9)],
           pick(w, 40) > 0 ? "" : odd[pick(w, 9)]);
  len = strlen(text);
  first = pick(w, 4) > 0 ? len : 1 + pick(w, (unsigned int)len);
  uvsmtp_proto_feed(w->h.p, text, first);
  if (first < len) uvsmtp_proto_feed(w->h.p, text + first, len - first);
  w->asked = 0;
}

static void answer_wants(walk_t* w) {
  int wants = uvsmtp_proto_wants(w->h.p);
  if (wants & UVSMTP_WANTS_OPEN) {
    w->secured = w->asked = w->requests = 0;
    w->trusted = w->failed = 0;
    w->len = 0;
    if (pick(w, 10) > 0)
      uvsmtp_proto_up(w->h.p);
    else
      uvsmtp_proto_lost(w->h.p, -ECONNREFUSED);
  } else if (wants & UVSMTP_WANTS_TLS) {
    if (w->policy >= UVSMTP_TLS_REQUIRED)
      assert_true(wants & UVSMTP_WANTS_TRUST);
    if (pick(w, 8) > 0) {
      seen.handshakes++;
      w->secured = 1;
      w->trusted = pick(w, 2) > 0;
      uvsmtp_proto_secured(w->h.p, w->trusted);
      w->trusted |= (wants & UVSMTP_WANTS_TRUST) != 0;
    } else if (pick(w, 2) > 0) {
      uvsmtp_proto_lost(w->h.p, UVSMTP_ETLS);
    } else {
      feed_something(w);
    }
  } else if (wants & UVSMTP_WANTS_CLOSE) {
    uvsmtp_proto_lost(w->h.p, -4095);
  } else if (wants & UVSMTP_WANTS_WORK) {
    uvsmtp_proto_work(w->h.p);
  }
}

/* Whom a mechanism waits for. */
static void wake_up(walk_t* w) {
  uvsmtp_exchange_t* x = w->waits;
  if (pick(w, 8) == 0) uvsmtp_proto_resume(w->h.p);
  if (w->waits == NULL) return;
  w->waits = NULL;
  uvsmtp_exchange_wake(x);
  assert_int_equal(w->woken, 1);
  w->woken = 0;
  uvsmtp_proto_resume(w->h.p);
}

/* Does the engine listen? While a mechanism is at work it mostly gets to. */
static int may_hear(walk_t* w) {
  if (uvsmtp_proto_wait(w->h.p, NULL) == UVSMTP_PHASE_NONE ||
      w->waits != NULL || (uvsmtp_proto_wants(w->h.p) & UVSMTP_WANTS_WORK))
    return pick(w, 30) == 0;
  return 1;
}

static void one_step(walk_t* w, unsigned int now) {
  switch (pick(w, 16)) {
    case 0:
    case 1:
    case 2:
      call_something(w);
      break;
    case 3:
      take_output(w, 1 + pick(w, 12));
      break;
    case 4:
      if (pick(w, 4) == 0) uvsmtp_proto_overdue(w->h.p, now);
      break;
    case 5:
      if (pick(w, 10) == 0 &&
          uvsmtp_proto_wait(w->h.p, NULL) != UVSMTP_PHASE_NONE)
        uvsmtp_proto_timeout(w->h.p);
      break;
    case 6:
      if (pick(w, 30) == 0) uvsmtp_proto_lost(w->h.p, -4095);
      break;
    case 7:
    case 8:
    case 9:
      answer_wants(w);
      break;
    case 10:
    case 11:
      take_output(w, SIZE_MAX);
      break;
    case 12:
      wake_up(w);
      break;
    default:
      if (may_hear(w)) feed_something(w);
      break;
  }
  take_events(w);
}

static void walk(unsigned int number) {
  static walk_t w;
  unsigned int i;
  int k;
  memset(&w, 0, sizeof(w));
  w.random = number * 2654435761u + 1u;
  walking = &w;
  w.policy = UVSMTP_TLS_NONE + (int)(number % 4);
  w.local = pick(&w, 4) == 0;
  w.target = pick(&w, 3) == 0;
  w.credentials.secrets = &secrets;
  w.credentials.mechs = mech_list;
  w.credentials.nmechs = sizeof(mech_list) / sizeof(mech_list[0]);
  w.credentials.refs = 1;
  if (pick(&w, 3) == 0) w.credentials.flags = UVSMTP_AUTH_ALLOW_PLAINTEXT;
  if (pick(&w, 4) == 0) w.credentials.flags |= UVSMTP_AUTH_NO_INITIAL_RESPONSE;
  host_open(&w.h, pick(&w, 4) == 0 ? UVSMTP_SESSION_LMTP : 0);
  for (i = 1; i <= STEPS; i++) one_step(&w, i);
  uvsmtp_proto_cancel(w.h.p);
  take_events(&w);
  assert_int_equal(uvsmtp_proto_pending(w.h.p), 0);
  for (k = 0; k < w.nbodies; k++) assert_int_equal(w.bodies[k].released, 1);
  host_close(&w.h);
  assert_int_equal(w.credentials.refs, 1);
  assert_null(w.waits);
}

static void nothing_leaves_that_must_not(void** state) {
  unsigned int i;
  (void)state;
  for (i = 0; i < WALKS; i++) walk(i);
  print_message("%u handshakes, %u and %u lines, %u messages, %u kept back\n",
                seen.handshakes, seen.lines_in_clear, seen.lines_in_tls,
                seen.messages, seen.kept_back);
  assert_true(seen.handshakes > WALKS / 10);
  assert_true(seen.lines_in_clear > WALKS);
  assert_true(seen.lines_in_tls > WALKS / 4);
  assert_true(seen.messages > 100);
  assert_true(seen.kept_back > 100);
  print_message("%u and %u secrets, %u logins, %u failures, %u unsaid\n",
                seen.secrets_in_clear, seen.secrets_in_tls, seen.logins,
                seen.failures, seen.unsaid);
  assert_true(seen.secrets_in_clear > 200);
  assert_true(seen.secrets_in_tls > 200);
  assert_true(seen.logins > 200);
  assert_true(seen.failures > 500);
  assert_true(seen.unsaid > 500);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_leaves_that_must_not),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
