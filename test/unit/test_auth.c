/* SPDX-License-Identifier: MIT */
/* test_auth.c: what the engine makes of credentials and mechanisms, as far as
 * no dialogue can say it: requests that are no such, what a mechanism sees, and
 * whom things belong to. The credentials are the test's own, so that the engine
 * is alone here. */
#include <stdio.h>

#include "core/auth.h"
#include "host.h"

/* ------------------------------------------------------------ credentials */

static int given_back;

static void wipe(void* p, size_t n) { memset(p, 0, n); }

/* Not base64, but as long. */
static void encode(char* to, const void* from, size_t n) {
  (void)from;
  memset(to, 'e', (n + 2) / 3 * 4);
}

static ptrdiff_t decode(void* to, const char* from, size_t n) {
  memcpy(to, from, n / 4 * 3);
  return (ptrdiff_t)(n / 4 * 3);
}

static void gone(uvsmtp_credentials_t* credentials) {
  (void)credentials;
  given_back++;
}

static int does_fit = 1;

static int fits(const uvsmtp_credentials_t* credentials,
                const uvsmtp_mech_t* m) {
  (void)credentials;
  (void)m;
  return does_fit;
}

static const uvsmtp__secrets_t secrets = {wipe, encode, decode, fits, gone};

/* What the mechanism is to do, and what became of it. */
static struct {
  int returns;
  size_t respond;
  const char* explain;
  int waits;
  int steps;
  int finished;
  uvsmtp_exchange_t* x;
  char host[32];
  int port;
  int binding;
  int too_much;
} mech;

static int step(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x,
                const uvsmtp_slice_t* challenge) {
  char octet = 0;
  size_t i;
  (void)self;
  (void)challenge;
  mech.steps++;
  mech.x = x;
  snprintf(mech.host, sizeof(mech.host), "%s", uvsmtp_exchange_host(x));
  mech.port = uvsmtp_exchange_port(x);
  mech.binding = uvsmtp_exchange_binding(x, &octet, 1);
  if (mech.waits-- > 0) return UVSMTP_MECH_WAIT;
  for (i = 0; i < mech.respond && mech.too_much == 0; i++)
    mech.too_much = uvsmtp_exchange_respond(x, "r", 1);
  if (mech.explain != NULL)
    uvsmtp_exchange_explain(x, mech.explain, strlen(mech.explain));
  return mech.returns;
}

static void finish(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x) {
  (void)self;
  assert_ptr_equal(x, mech.x);
  mech.finished++;
}

static const uvsmtp_mech_t test_mech = {sizeof(uvsmtp_mech_t),
                                        "TEST",
                                        UVSMTP_MECH_CLIENT_FIRST,
                                        step,
                                        NULL,
                                        finish};
static const uvsmtp_mech_t* const list[] = {&test_mech};

static void credentials_init(uvsmtp_credentials_t* c) {
  memset(c, 0, sizeof(*c));
  c->secrets = &secrets;
  c->mechs = list;
  c->nmechs = 1;
  c->refs = 1;
  given_back = 0;
  memset(&mech, 0, sizeof(mech));
  mech.respond = 3;
}

/* A session that offers the mechanism, where nobody can listen. */
static void greet_locally(host_t* h) {
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(UVSMTP_OP_CONNECT);
  r.local = 1;
  assert_int_equal(uvsmtp_proto_submit(h->p, &r), 0);
  uvsmtp_proto_up(h->p);
  say(h, "220 mx.example\r\n");
  expect(h, UVSMTP_OP_CONNECT, 0);
  assert_int_equal(submit(h, UVSMTP_OP_HELLO, NULL), 0);
  drain(h);
  say(h, "250-mx.example\r\n250 AUTH TEST\r\n");
  expect(h, UVSMTP_OP_HELLO, 0);
}

static int submit_login(host_t* h, uvsmtp_credentials_t* c,
                        const uvsmtp_auth_host_t* host) {
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(UVSMTP_OP_LOGIN);
  int rc;
  r.credentials = c;
  r.auth_host = host;
  rc = uvsmtp_proto_submit(h->p, &r);
  drain(h);
  return rc;
}

/* What each test has: a session, and whose it is to be. */
static host_t session;
static uvsmtp_credentials_t joe;

static int fresh(void** state) {
  (void)state;
  host_open(&session, 0);
  credentials_init(&joe);
  return 0;
}

/* Where the mechanism is offered already. */
static int ready(void** state) {
  (void)fresh(state);
  greet_locally(&session);
  return 0;
}

/* ---------------------------------------------------------------- requests */

static int refused_mech(host_t* h, uvsmtp_credentials_t* c, size_t size,
                        const char* name, unsigned int flags, int with_step) {
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(UVSMTP_OP_LOGIN);
  uvsmtp_mech_t m = {0, NULL, 0, NULL, NULL, NULL};
  m.size = size;
  m.name = name;
  m.flags = flags;
  m.step = with_step ? step : NULL;
  r.credentials = c;
  r.mech = &m;
  return uvsmtp_proto_submit(h->p, &r) == -EINVAL;
}

static void requests_that_are_none(void** state) {
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(UVSMTP_OP_LOGIN);
  uvsmtp_auth_host_t host = UVSMTP_AUTH_HOST_INIT;
  size_t size = sizeof(uvsmtp_mech_t);
  (void)state;
  assert_int_equal(uvsmtp_proto_submit(session.p, &r), -EINVAL);
  r.credentials = &joe;
  r.auth_flags = 1u << 9;
  assert_int_equal(uvsmtp_proto_submit(session.p, &r), -EINVAL);
  /* It is about mechanisms that are named. */
  r.auth_flags = UVSMTP_AUTH_FORCE;
  assert_int_equal(uvsmtp_proto_submit(session.p, &r), -EINVAL);
  r.auth_flags = 0;
  host.size = 0;
  r.auth_host = &host;
  assert_int_equal(uvsmtp_proto_submit(session.p, &r), -EINVAL);
  r.op = UVSMTP_OP_CONNECT;
  assert_int_equal(uvsmtp_proto_submit(session.p, &r), -EINVAL);
  assert_true(refused_mech(&session, &joe, 0, "TEST", 0, 1));
  assert_true(refused_mech(&session, &joe, size, NULL, 0, 1));
  assert_true(refused_mech(&session, &joe, size, "TEST", 0, 0));
  assert_true(refused_mech(&session, &joe, size, "TEST", 1u << 7, 1));
  assert_true(refused_mech(&session, &joe, size, "", 0, 1));
  assert_true(refused_mech(&session, &joe, size, "test", 0, 1));
  assert_true(refused_mech(&session, &joe, size, "TE ST", 0, 1));
  assert_true(refused_mech(&session, &joe, size, "TEST\r\nMAIL", 0, 1));
  assert_true(
      refused_mech(&session, &joe, size, "ABCDEFGHIJKLMNOPQRSTU", 0, 1));
  does_fit = 0;
  assert_true(refused_mech(&session, &joe, size, "ABCDEFGHIJ-_0123456Z", 0, 1));
  does_fit = 1;
  assert_false(
      refused_mech(&session, &joe, size, "ABCDEFGHIJ-_0123456Z", 0, 1));
  assert_int_equal(joe.refs, 2);
  uvsmtp_proto_cancel(session.p);
  expect(&session, UVSMTP_OP_LOGIN, UVSMTP_EDISCONNECTED);
  assert_int_equal(joe.refs, 1);
  host_close(&session);
  assert_int_equal(given_back, 0);
}

/* Who was compiled before there was AUTH knows of no credentials. */
static void older_requests_have_none(void** state) {
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(UVSMTP_OP_CONNECT);
  (void)state;
  r.size = offsetof(uvsmtp_request_t, credentials);
  r.credentials = &joe;
  assert_int_equal(uvsmtp_proto_submit(session.p, &r), 0);
  assert_int_equal(joe.refs, 1);
  host_close(&session);
}

/* ------------------------------------------------------ what it is given */

static int bind_to_that(void* arg, void* buf, size_t len) {
  assert_int_equal(len, 1);
  *(char*)buf = 'b';
  return *(int*)arg;
}

static void a_mechanism_sees_its_host(void** state) {
  uvsmtp_auth_host_t host = UVSMTP_AUTH_HOST_INIT;
  char name[] = "mx.example";
  int returns = -EIO;
  (void)state;
  host.name = name;
  host.port = 587;
  host.binding = bind_to_that;
  host.arg = &returns;
  mech.waits = 1;
  assert_int_equal(submit_login(&session, &joe, &host), 0);
  /* Copied: neither the struct nor the name is needed any more. */
  memset(name, 'x', sizeof(name) - 1);
  memset(&host, 0, sizeof(host));
  uvsmtp_exchange_wake(mech.x);
  uvsmtp_proto_resume(session.p);
  assert_int_equal(mech.steps, 2);
  assert_string_equal(mech.host, "mx.example");
  assert_int_equal(mech.port, 587);
  assert_int_equal(mech.binding, -EIO);
  host_close(&session);
  assert_int_equal(mech.finished, 1);
  assert_int_equal(joe.refs, 1);
}

static void without_a_host_little_is_known(void** state) {
  (void)state;
  mech.waits = 1;
  assert_int_equal(submit_login(&session, &joe, NULL), 0);
  assert_string_equal(mech.host, "");
  assert_int_equal(mech.port, 0);
  assert_int_equal(mech.binding, -ENOTSUP);
  /* Nobody can be told that it is awake, but it is. */
  uvsmtp_proto_resume(session.p);
  assert_int_equal(mech.steps, 1);
  uvsmtp_exchange_wake(mech.x);
  uvsmtp_proto_resume(session.p);
  assert_int_equal(mech.steps, 2);
  drain(&session);
  assert_string_equal(session.out, "AUTH TEST eeee\r\n");
  say(&session, "235 in\r\n");
  expect(&session, UVSMTP_OP_LOGIN, 0);
  host_close(&session);
}

/* ------------------------------------------------------------ what it says */

static void responses_have_a_cap(void** state) {
  (void)state;
  mech.respond = UVSMTP__AUTH_RAW_MAX;
  assert_int_equal(submit_login(&session, &joe, NULL), 0);
  assert_int_equal(mech.too_much, 0);
  assert_string_equal(session.out, "AUTH TEST\r\n");
  say(&session, "334 \r\n");
  assert_int_equal(session.len, UVSMTP__AUTH_RAW_MAX / 3 * 4 + 2);
  say(&session, "454 no\r\n");
  expect(&session, UVSMTP_OP_LOGIN, UVSMTP_EAUTH);
  mech.respond++;
  mech.returns = -EINVAL;
  assert_int_equal(submit_login(&session, &joe, NULL), 0);
  assert_int_equal(mech.too_much, -EMSGSIZE);
  assert_int_equal(session.len, 0);
  expect(&session, UVSMTP_OP_LOGIN, UVSMTP_EAUTH);
  host_close(&session);
}

static void explanations_have_a_cap(void** state) {
  static char text[UVSMTP__AUTH_DETAIL_MAX + 100];
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  (void)state;
  memset(text, 'd', sizeof(text) - 1);
  mech.explain = text;
  mech.returns = -EINVAL;
  assert_int_equal(submit_login(&session, &joe, NULL), 0);
  assert_int_equal(uvsmtp_proto_next(session.p, &e), 1);
  assert_int_equal(uvsmtp_result_status(e.result), UVSMTP_EAUTH);
  assert_int_equal(uvsmtp_result_cause(e.result), -EINVAL);
  assert_int_equal(strlen(uvsmtp_result_detail(e.result)),
                   UVSMTP__AUTH_DETAIL_MAX);
  host_close(&session);
}

/* Statuses that are none: an error of the mechanism's. */
static void odd_statuses_are_errors(void** state) {
  (void)state;
  mech.returns = UVSMTP_MECH_AGAIN + 1;
  assert_int_equal(submit_login(&session, &joe, NULL), 0);
  expect(&session, UVSMTP_OP_LOGIN, UVSMTP_EAUTH);
  assert_int_equal(session.len, 0);
  mech.returns = UVSMTP_MECH_SEND;
  assert_int_equal(submit_login(&session, &joe, NULL), 0);
  mech.returns = UVSMTP_MECH_AGAIN + 1;
  say(&session, "334 \r\n");
  assert_string_equal(session.out, "*\r\n");
  say(&session, "501 fine\r\n");
  expect(&session, UVSMTP_OP_LOGIN, UVSMTP_EAUTH);
  host_close(&session);
  assert_int_equal(mech.finished, 2);
}

static void work_only_when_wanted(void** state) {
  (void)state;
  uvsmtp_proto_work(session.p);
  greet_locally(&session);
  uvsmtp_proto_work(session.p);
  mech.returns = UVSMTP_MECH_AGAIN;
  assert_int_equal(submit_login(&session, &joe, NULL), 0);
  assert_int_equal(mech.steps, 1);
  assert_int_equal(uvsmtp_proto_wants(session.p), UVSMTP_WANTS_WORK);
  assert_int_equal(uvsmtp_proto_wait(session.p, NULL), UVSMTP_PHASE_AUTH);
  uvsmtp_proto_resume(session.p);
  drain(&session);
  assert_int_equal(mech.steps, 1);
  mech.respond = 0;
  uvsmtp_proto_work(session.p);
  assert_int_equal(mech.steps, 2);
  mech.returns = UVSMTP_MECH_SEND;
  uvsmtp_proto_work(session.p);
  assert_int_equal(mech.steps, 3);
  assert_int_equal(uvsmtp_proto_wants(session.p), 0);
  uvsmtp_proto_work(session.p);
  assert_int_equal(mech.steps, 3);
  host_close(&session);
  assert_int_equal(mech.finished, 1);
}

static unsigned int serial_of(const host_t* h) {
  unsigned int serial = 0;
  assert_int_equal(uvsmtp_proto_wait(h->p, &serial), UVSMTP_PHASE_AUTH);
  return serial;
}

static void wake_up(host_t* h) {
  mech.waits = 0;
  uvsmtp_exchange_wake(mech.x);
  uvsmtp_proto_resume(h->p);
  drain(h);
}

/* A response's making has a deadline of its own, as a whole; so has each reply.
 */
static void each_turn_has_its_deadline(void** state) {
  unsigned int serials[5];
  size_t i;
  (void)state;
  mech.returns = UVSMTP_MECH_AGAIN;
  assert_int_equal(submit_login(&session, &joe, NULL), 0);
  serials[0] = serial_of(&session);
  mech.respond = 0;
  mech.waits = 1;
  uvsmtp_proto_work(session.p);
  assert_int_equal(serial_of(&session), serials[0]);
  mech.returns = UVSMTP_MECH_SEND;
  wake_up(&session);
  serials[1] = serial_of(&session);
  mech.waits = 1;
  say(&session, "334 \r\n");
  serials[2] = serial_of(&session);
  wake_up(&session);
  serials[3] = serial_of(&session);
  mech.returns = -EINVAL;
  say(&session, "334 \r\n");
  assert_string_equal(session.out, "*\r\n");
  serials[4] = serial_of(&session);
  for (i = 1; i < 5; i++) assert_int_not_equal(serials[i], serials[i - 1]);
  host_close(&session);
}

/* ------------------------------------------------------------- whose it is */

/* The caller lets go at once; the session when it is done. */
static void the_last_one_gives_them_back(void** state) {
  (void)state;
  assert_int_equal(submit_login(&session, &joe, NULL), 0);
  assert_int_equal(--joe.refs, 1);
  assert_int_equal(given_back, 0);
  say(&session, "235 in\r\n");
  /* Not only when its event is taken. */
  assert_int_equal(given_back, 1);
  expect(&session, UVSMTP_OP_LOGIN, 0);
  assert_string_equal(uvsmtp_proto_auth(session.p), "TEST");
  host_close(&session);
  assert_int_equal(given_back, 1);
  assert_int_equal(mech.finished, 1);
}

static void freed_in_the_middle(void** state) {
  (void)state;
  mech.waits = 1;
  assert_int_equal(submit_login(&session, &joe, NULL), 0);
  assert_int_equal(joe.refs--, 2);
  host_close(&session);
  assert_int_equal(given_back, 1);
  assert_int_equal(mech.finished, 1);
}

/* An idle session that is logged in holds no more than one that is not. */
static void a_login_leaves_no_memory_behind(void** state) {
  size_t blocks;
  size_t octets;
  (void)state;
  /* The event that was taken last is still there to be looked at. */
  assert_int_equal(submit(&session, UVSMTP_OP_HELLO, NULL), 0);
  expect(&session, UVSMTP_OP_HELLO, 0);
  blocks = session.alloc.blocks;
  octets = session.alloc.octets;
  assert_int_equal(submit_login(&session, &joe, NULL), 0);
  assert_true(session.alloc.blocks > blocks);
  say(&session, "235 in\r\n");
  expect(&session, UVSMTP_OP_LOGIN, 0);
  assert_int_equal(submit(&session, UVSMTP_OP_HELLO, NULL), 0);
  expect(&session, UVSMTP_OP_HELLO, 0);
  assert_int_equal(session.alloc.blocks, blocks);
  assert_int_equal(session.alloc.octets, octets);
  host_close(&session);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(requests_that_are_none, fresh),
      cmocka_unit_test_setup(older_requests_have_none, fresh),
      cmocka_unit_test_setup(a_mechanism_sees_its_host, ready),
      cmocka_unit_test_setup(without_a_host_little_is_known, ready),
      cmocka_unit_test_setup(responses_have_a_cap, ready),
      cmocka_unit_test_setup(explanations_have_a_cap, ready),
      cmocka_unit_test_setup(odd_statuses_are_errors, ready),
      cmocka_unit_test_setup(work_only_when_wanted, fresh),
      cmocka_unit_test_setup(each_turn_has_its_deadline, ready),
      cmocka_unit_test_setup(the_last_one_gives_them_back, ready),
      cmocka_unit_test_setup(freed_in_the_middle, ready),
      cmocka_unit_test_setup(a_login_leaves_no_memory_behind, ready),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
