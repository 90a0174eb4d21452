/* SPDX-License-Identifier: MIT */
/* test_race.c: the addresses of a name raced (RFC 8305), and what is told of
 * each attempt. Addresses that are silent are real ones: see net.h. */
#include <arpa/inet.h>
#include <sys/un.h>
#include <unistd.h>

#include "double.h"
#include "net.h"

enum { LONG = 60000 }; /* milliseconds that no test waits for */

typedef struct seen_s {
  char address[64];
  int port;
  int status;
  uint64_t duration;
} seen_t;

typedef struct race_s {
  fixture_t f;
  double_t names;
  uvsmtp_target_t target;
  uvsmtp_timeouts_t timeouts;
  uvsmtp_session_config_t config;
  uvsmtp_session_t* s;
  call_t call;
  size_t n; /* attempts as they were told in the completion */
  seen_t seen[24];
} race_t;

/* Notes the attempts, where they are to be asked for. */
static void look(call_t* call) {
  race_t* r = call->arg;
  size_t i;
  r->n = uvsmtp_session_attempt_count(call->session);
  assert_null(uvsmtp_session_attempt(call->session, r->n));
  for (i = 0; i < r->n; i++) {
    const uvsmtp_attempt_t* a = uvsmtp_session_attempt(call->session, i);
    const struct sockaddr* sa = uvsmtp_attempt_address(a);
    seen_t* seen = &r->seen[i];
    memset(seen, 0, sizeof(*seen));
    seen->status = uvsmtp_attempt_status(a);
    seen->duration = uvsmtp_attempt_duration(a);
    if (sa == NULL) continue;
    if (sa->sa_family == AF_INET) {
      const struct sockaddr_in* in = (const void*)sa;
      inet_ntop(AF_INET, &in->sin_addr, seen->address, sizeof(seen->address));
      seen->port = ntohs(in->sin_port);
    } else {
      const struct sockaddr_in6* in6 = (const void*)sa;
      inet_ntop(AF_INET6, &in6->sin6_addr, seen->address,
                sizeof(seen->address));
      seen->port = ntohs(in6->sin6_port);
    }
  }
}

/* A name with these addresses; call double_init again for others. */
static void begin(race_t* r, const char* one, const char* two, int port) {
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
  memset(r, 0, sizeof(*r));
  double_init(&r->names, one, two, NULL);
  fixture_start_with(&r->f, &r->names.resolver);
  r->target = target;
  r->target.host = "raced.example";
  r->target.port = port;
  r->timeouts = timeouts;
  r->config = config;
  r->config.target = &r->target;
  r->config.timeouts = &r->timeouts;
  r->config.local_name = "client.example";
  r->call.then = look;
  r->call.arg = r;
}

static void call_connect(race_t* r) {
  assert_int_equal(0, uvsmtp_session_new(&r->s, r->f.env, &r->config));
  assert_int_equal(0, uvsmtp_session_attempt_count(r->s));
  assert_int_equal(
      0, CALL(&r->call, &r->f, uvsmtp_connect(r->s, NULL, on_call, &r->call)));
}

static void run(race_t* r) {
  call_connect(r);
  wait_for(&r->call);
  /* Later there are none. */
  assert_int_equal(0, uvsmtp_session_attempt_count(r->s));
  assert_null(uvsmtp_session_attempt(r->s, 0));
}

static void end(race_t* r) {
  close_session(&r->f, r->s);
  fixture_finish(&r->f);
}

static void expect(const race_t* r, size_t i, const char* address, int status) {
  assert_true(i < r->n);
  assert_string_equal(address, r->seen[i].address);
  assert_int_equal(status, r->seen[i].status);
  assert_int_equal(r->target.port, r->seen[i].port);
}

/* ------------------------------------------------------- the first is dead */

/* scenario: 15. It refuses: the next one does not wait for the delay. */
static void first_refuses(unsigned int flags) {
  peer_t* peer = peer_answer(0);
  race_t r;
  begin(&r, "127.0.0.2", "127.0.0.1", peer_port(peer));
  r.target.flags = flags;
  r.target.attempt_delay = LONG;
  r.timeouts.connect = -1;
  run(&r);
  assert_int_equal(0, r.call.status);
  assert_int_equal(2, r.n);
  expect(&r, 0, "127.0.0.2", UV_ECONNREFUSED);
  expect(&r, 1, "127.0.0.1", 0);
  end(&r);
  assert_null(peer_finish(peer, NULL));
}

static void test_first_refuses(void** state) {
  (void)state;
  first_refuses(0);
  first_refuses(UVSMTP_TARGET_IN_TURN);
}

/* scenario: 15. It is silent: the next one begins after the delay, and wins. */
static void first_is_silent(const char* silent, unsigned int delay) {
  peer_t* peer = peer_answer(0);
  net_silent_t* hole = net_silent(silent, peer_port(peer));
  race_t r;
  begin(&r, silent, "127.0.0.1", peer_port(peer));
  r.target.attempt_delay = delay;
  r.timeouts.connect = -1;
  run(&r);
  assert_int_equal(0, r.call.status);
  assert_int_equal(2, r.n);
  expect(&r, 0, silent, UV_ECANCELED);
  expect(&r, 1, "127.0.0.1", 0);
  if (delay < 10) delay = 10;
  assert_true(r.seen[0].duration >= delay);
  assert_true(r.seen[0].duration >= r.seen[1].duration + delay);
  end(&r);
  net_silent_free(hole);
  assert_null(peer_finish(peer, NULL));
}

static void test_first_is_silent(void** state) {
  (void)state;
  first_is_silent("127.0.0.2", 1); /* counts as 10 */
  first_is_silent("127.0.0.2", 30);
}

/* scenario: 15. A dead IPv6 and a live IPv4. */
static void test_dead_ipv6(void** state) {
  (void)state;
  if (!net_have_ipv6()) skip();
  first_is_silent("::1", 20);
}

/* Without a delay of the caller's it is a quarter of a second. */
static void test_default_delay(void** state) {
  peer_t* peer = peer_answer(0);
  net_silent_t* hole = net_silent("127.0.0.2", peer_port(peer));
  race_t r;
  (void)state;
  begin(&r, "127.0.0.2", "127.0.0.1", peer_port(peer));
  run(&r);
  assert_int_equal(0, r.call.status);
  expect(&r, 0, "127.0.0.2", UV_ECANCELED);
  assert_true(r.seen[0].duration >= 250);
  end(&r);
  net_silent_free(hole);
  assert_null(peer_finish(peer, NULL));
}

/* The one that was slow may still win, when the others fail. */
static void test_slow_wins(void** state) {
  net_silent_t* hole = net_silent("127.0.0.1", 0);
  race_t r;
  (void)state;
  begin(&r, "127.0.0.1", "127.0.0.2", net_silent_port(hole));
  r.target.attempt_delay = 10;
  r.timeouts.connect = LONG;
  r.timeouts.greeting = 1;
  call_connect(&r);
  while (r.names.asked == 0) uv_run(&r.f.loop, UV_RUN_ONCE);
  run_for(&r.f, 50);
  assert_int_equal(0, r.call.times);
  /* The system asks again after a second, and then there is room. */
  net_silent_open(hole);
  wait_for(&r.call);
  assert_int_equal(UVSMTP_STATE_GREETING, r.call.stage);
  assert_int_equal(2, r.n);
  expect(&r, 0, "127.0.0.1", 0);
  expect(&r, 1, "127.0.0.2", UV_ECONNREFUSED);
  end(&r);
  net_silent_free(hole);
}

/* ------------------------------------------------------------- all are dead */

static void test_all_refuse(void** state) {
  race_t r;
  int fd;
  (void)state;
  begin(&r, "127.0.0.2", "127.0.0.3", net_closed_port(&fd));
  r.target.attempt_delay = LONG;
  run(&r);
  assert_int_equal(UVSMTP_ECONNECT, r.call.status);
  assert_int_equal(UV_ECONNREFUSED, r.call.cause);
  assert_int_equal(2, r.n);
  expect(&r, 0, "127.0.0.2", UV_ECONNREFUSED);
  expect(&r, 1, "127.0.0.3", UV_ECONNREFUSED);
  /* The next connect has attempts of its own. */
  double_init(&r.names, "127.0.0.4", NULL);
  assert_int_equal(
      0, CALL(&r.call, &r.f, uvsmtp_connect(r.s, NULL, on_call, &r.call)));
  assert_int_equal(0, uvsmtp_session_attempt_count(r.s));
  wait_for(&r.call);
  assert_int_equal(1, r.n);
  expect(&r, 0, "127.0.0.4", UV_ECONNREFUSED);
  end(&r);
  close(fd);
}

/* The deadline covers them all. */
static void test_all_silent(void** state) {
  net_silent_t* one = net_silent("127.0.0.2", 0);
  net_silent_t* two = net_silent("127.0.0.3", net_silent_port(one));
  race_t r;
  (void)state;
  begin(&r, "127.0.0.2", "127.0.0.3", net_silent_port(one));
  r.target.attempt_delay = 10;
  r.timeouts.connect = 100;
  run(&r);
  assert_int_equal(UV_ETIMEDOUT, r.call.status);
  assert_int_equal(2, r.n);
  expect(&r, 0, "127.0.0.2", UV_ETIMEDOUT);
  expect(&r, 1, "127.0.0.3", UV_ETIMEDOUT);
  assert_true(r.seen[0].duration >= r.seen[1].duration);
  end(&r);
  /* One after the other: the second is never begun. */
  begin(&r, "127.0.0.2", "127.0.0.3", net_silent_port(one));
  r.target.attempt_delay = 10;
  r.target.flags = UVSMTP_TARGET_IN_TURN;
  r.timeouts.connect = 100;
  run(&r);
  assert_int_equal(UV_ETIMEDOUT, r.call.status);
  assert_int_equal(1, r.n);
  expect(&r, 0, "127.0.0.2", UV_ETIMEDOUT);
  end(&r);
  net_silent_free(one);
  net_silent_free(two);
}

/* One fails, the other is silent to the end. */
static void test_some_silent(void** state) {
  net_silent_t* one = net_silent("127.0.0.2", 0);
  race_t r;
  (void)state;
  begin(&r, "127.0.0.2", "127.0.0.3", net_silent_port(one));
  r.target.attempt_delay = 10;
  r.timeouts.connect = 100;
  run(&r);
  assert_int_equal(UV_ETIMEDOUT, r.call.status);
  assert_int_equal(2, r.n);
  expect(&r, 0, "127.0.0.2", UV_ETIMEDOUT);
  expect(&r, 1, "127.0.0.3", UV_ECONNREFUSED);
  end(&r);
  net_silent_free(one);
}

/* That this machine has no way to an address is the least of reasons: here a
 * broadcast address that no stream socket may connect to. */
static void test_reason(void** state) {
  race_t r;
  int fd;
  int port = net_closed_port(&fd);
  (void)state;
  begin(&r, "127.0.0.2", "255.255.255.255", port);
  run(&r);
  assert_int_equal(UV_ECONNREFUSED, r.seen[0].status);
  assert_int_equal(UV_ENETUNREACH, r.seen[1].status);
  assert_int_equal(UV_ECONNREFUSED, r.call.cause);
  end(&r);
  begin(&r, "255.255.255.255", NULL, port);
  run(&r);
  assert_int_equal(UVSMTP_ECONNECT, r.call.status);
  assert_int_equal(UV_ENETUNREACH, r.call.cause);
  assert_int_equal(1, r.n);
  end(&r);
  close(fd);
}

/* Of reasons that weigh the same it is the last one's. A link-local address
 * without its link is one that the system refuses to look at. */
static void test_last_reason(void** state) {
  race_t r;
  int fd;
  int port = net_closed_port(&fd);
  (void)state;
  if (!net_have_ipv6()) skip();
  begin(&r, "fe80::1", "127.0.0.2", port);
  run(&r);
  expect(&r, 0, "fe80::1", UV_EINVAL);
  assert_int_equal(UV_ECONNREFUSED, r.call.cause);
  end(&r);
  begin(&r, "127.0.0.2", "fe80::1", port);
  run(&r);
  expect(&r, 0, "127.0.0.2", UV_ECONNREFUSED);
  assert_int_equal(UV_EINVAL, r.call.cause);
  end(&r);
  close(fd);
}

/* ------------------------------------------------------------------- order */

static void order(unsigned int flags, const char* bind_host,
                  const char* const* in, const char* const* out, size_t n) {
  race_t r;
  size_t i;
  int fd;
  int port = net_closed_port(&fd);
  begin(&r, NULL, NULL, port);
  for (i = 0; in[i] != NULL; i++) r.names.addresses[i] = in[i];
  r.names.n = i;
  r.target.flags = flags;
  r.target.bind_host = bind_host;
  run(&r);
  assert_int_equal(UVSMTP_ECONNECT, r.call.status);
  assert_int_equal(n, r.n);
  for (i = 0; i < n; i++) assert_string_equal(out[i], r.seen[i].address);
  end(&r);
  close(fd);
}

/* The families take turns; within one the order is the resolver's. */
static void test_order(void** state) {
  static const char* const six[] = {"::1",       "::ffff:127.0.0.9", "::1",
                                    "127.0.0.2", "127.0.0.3",        NULL};
  static const char* const six_out[] = {"::1", "127.0.0.2", "::ffff:127.0.0.9",
                                        "127.0.0.3", "::1"};
  static const char* const four[] = {"127.0.0.2", "127.0.0.3", "127.0.0.4",
                                     "::1", NULL};
  static const char* const four_out[] = {"127.0.0.2", "::1", "127.0.0.3",
                                         "127.0.0.4"};
  static const char* const first[] = {"127.0.0.2", "127.0.0.3", "127.0.0.4"};
  (void)state;
  if (!net_have_ipv6()) skip();
  order(0, NULL, six, six_out, 5);
  order(0, NULL, four, four_out, 4);
  order(UVSMTP_TARGET_IN_TURN, NULL, six, six, 5);
  /* From an address of one family the other one's are not tried. */
  order(0, "127.0.0.1", four, first, 3);
  order(0, "::1", four, four + 3, 1);
}

/* What is behind the sixteenth address does not count; nor do others that can't
 * be connected to. */
static void test_sixteen(void** state) {
  race_t r;
  size_t i;
  int fd;
  (void)state;
  begin(&r, NULL, NULL, net_closed_port(&fd));
  for (i = 0; i < 20; i++) r.names.addresses[i] = "127.0.0.2";
  r.names.addresses[0] = "/";
  r.names.addresses[1] = NULL;
  r.names.addresses[17] = "127.0.0.3";
  r.names.n = 20;
  run(&r);
  assert_int_equal(16, r.n);
  expect(&r, 14, "127.0.0.2", UV_ECONNREFUSED);
  expect(&r, 15, "127.0.0.3", UV_ECONNREFUSED);
  end(&r);
  close(fd);
}

/* ------------------------------------------------------- without a resolver */

static void test_single(void** state) {
  peer_t* peer = peer_answer(0);
  race_t r;
  (void)state;
  begin(&r, NULL, NULL, peer_port(peer));
  r.target.host = "127.0.0.1";
  run(&r);
  assert_int_equal(0, r.call.status);
  assert_int_equal(1, r.n);
  expect(&r, 0, "127.0.0.1", 0);
  end(&r);
  begin(&r, NULL, NULL, peer_port(peer));
  r.target.host = "127.0.0.2";
  run(&r);
  assert_int_equal(UVSMTP_ECONNECT, r.call.status);
  assert_int_equal(1, r.n);
  expect(&r, 0, "127.0.0.2", UV_ECONNREFUSED);
  assert_int_equal(0, r.names.asked);
  end(&r);
  assert_null(peer_finish(peer, NULL));
}

static void test_path(void** state) {
  peer_t* peer = peer_answer(PEER_UNIX);
  race_t r;
  (void)state;
  begin(&r, NULL, NULL, 0);
  r.target.host = peer_host(peer);
  run(&r);
  assert_int_equal(0, r.call.status);
  assert_int_equal(1, r.n);
  expect(&r, 0, "", 0);
  end(&r);
  begin(&r, NULL, NULL, 0);
  r.target.host = "/nonexistent/socket";
  run(&r);
  assert_int_equal(UV_ENOENT, r.call.cause);
  assert_int_equal(1, r.n);
  expect(&r, 0, "", UV_ENOENT);
  end(&r);
  assert_null(peer_finish(peer, NULL));
}

/* A local server whose queue is full refuses with EAGAIN, where TCP would wait:
 * here it waits too. */
static void test_full_path(void** state) {
  struct sockaddr_un addr;
  char dir[] = "/tmp/uvsmtp-race-XXXXXX";
  int filler[8];
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  int n = 0;
  int i;
  race_t r;
  (void)state;
  assert_non_null(mkdtemp(dir));
  memset(&addr, 0, sizeof(addr));
  addr.sun_family = AF_UNIX;
  snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/s", dir);
  assert_int_equal(0, bind(listener, (struct sockaddr*)&addr, sizeof(addr)));
  assert_int_equal(0, listen(listener, 0));
  for (;;) {
    assert_true(n < 8);
    filler[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (connect(filler[n++], (struct sockaddr*)&addr, sizeof(addr)) != 0) break;
  }
  /* There is no room before the deadline. */
  begin(&r, NULL, NULL, 0);
  r.target.host = addr.sun_path;
  r.timeouts.connect = 120;
  run(&r);
  assert_int_equal(UV_ETIMEDOUT, r.call.status);
  assert_int_equal(1, r.n);
  expect(&r, 0, "", UV_ETIMEDOUT);
  end(&r);
  /* The session is closed while it waits. */
  begin(&r, NULL, NULL, 0);
  r.target.host = addr.sun_path;
  call_connect(&r);
  run_for(&r.f, 20);
  assert_int_equal(0, r.call.times);
  end(&r);
  assert_int_equal(1, r.call.times);
  assert_int_equal(1, r.n);
  expect(&r, 0, "", UV_ECANCELED);
  /* There is some at last. */
  begin(&r, NULL, NULL, 0);
  r.target.host = addr.sun_path;
  r.timeouts.greeting = 1;
  call_connect(&r);
  run_for(&r.f, 60);
  assert_int_equal(0, r.call.times);
  for (i = 1; i < n; i++) close(accept(listener, NULL, NULL));
  wait_for(&r.call);
  assert_int_equal(UVSMTP_STATE_GREETING, r.call.stage);
  assert_int_equal(1, r.n);
  expect(&r, 0, "", 0);
  assert_true(r.seen[0].duration >= 60);
  end(&r);
  for (i = 0; i < n; i++) close(filler[i]);
  close(listener);
  unlink(addr.sun_path);
  rmdir(dir);
}

/* ------------------------------------------------------------------ closing */

/* After so many turns of the loop, whatever has come to pass by then. */
static void close_after(int turns, const char* one, const char* two, int port) {
  race_t r;
  begin(&r, one, two, port);
  r.target.attempt_delay = 10;
  call_connect(&r);
  while (turns-- > 0) uv_run(&r.f.loop, UV_RUN_NOWAIT);
  end(&r);
  assert_int_equal(1, r.call.times);
}

static void test_close(void** state) {
  peer_t* peer = peer_answer(0);
  int port = peer_port(peer);
  net_silent_t* hole = net_silent("127.0.0.2", port);
  int turns;
  (void)state;
  for (turns = 0; turns < 8; turns++) {
    close_after(turns, "127.0.0.3", "127.0.0.4", port);
    close_after(turns, "127.0.0.3", "127.0.0.1", port);
    close_after(turns, "127.0.0.3", "127.0.0.2", port);
    close_after(turns, "127.0.0.2", "127.0.0.1", port);
  }
  net_silent_free(hole);
  assert_null(peer_finish(peer, NULL));
}

/* While one, two attempts run; the completion tells of them. */
static void test_close_in_the_race(void** state) {
  net_silent_t* one = net_silent("127.0.0.2", 0);
  net_silent_t* two = net_silent("127.0.0.3", net_silent_port(one));
  race_t r;
  (void)state;
  begin(&r, "127.0.0.2", "127.0.0.3", net_silent_port(one));
  r.target.attempt_delay = LONG;
  call_connect(&r);
  run_for(&r.f, 5);
  assert_int_equal(0, uvsmtp_session_attempt_count(r.s)); /* not over */
  end(&r);
  assert_int_equal(1, r.call.times);
  assert_int_equal(UV_ECANCELED, r.call.status);
  assert_int_equal(1, r.n);
  expect(&r, 0, "127.0.0.2", UV_ECANCELED);
  begin(&r, "127.0.0.2", "127.0.0.3", net_silent_port(one));
  r.target.attempt_delay = 10;
  call_connect(&r);
  run_for(&r.f, 50);
  assert_int_equal(0, r.call.times);
  end(&r);
  assert_int_equal(UV_ECANCELED, r.call.status);
  assert_int_equal(2, r.n);
  expect(&r, 0, "127.0.0.2", UV_ECANCELED);
  expect(&r, 1, "127.0.0.3", UV_ECANCELED);
  net_silent_free(one);
  net_silent_free(two);
}

static void close_here(call_t* call) {
  look(call);
  assert_int_equal(
      0, uvsmtp_session_close(call->session, on_session_closed, call->f));
  /* They last until the completion returns. */
  assert_int_equal(2, uvsmtp_session_attempt_count(call->session));
}

/* From the completion, of a race lost and of one won. */
static void test_close_in_completion(void** state) {
  peer_t* peer = peer_answer(0);
  const char* second;
  int i;
  (void)state;
  for (i = 0; i < 2; i++) {
    race_t r;
    second = i == 0 ? "127.0.0.1" : "127.0.0.3";
    begin(&r, "127.0.0.2", second, peer_port(peer));
    r.call.then = close_here;
    call_connect(&r);
    run_until(&r.f, &r.f.closed, 1);
    assert_int_equal(1, r.call.times);
    assert_int_equal(2, r.n);
    expect(&r, 1, second, i == 0 ? 0 : UV_ECONNREFUSED);
    fixture_finish(&r.f);
  }
  assert_null(peer_finish(peer, NULL));
}

static void again(call_t* call) {
  race_t* r = call->arg;
  call_t* next = r->names.arg;
  look(call);
  double_init(&r->names, "127.0.0.4", NULL);
  assert_int_equal(0, CALL(next, call->f,
                           uvsmtp_connect(call->session, NULL, on_call, next)));
  assert_int_equal(2, uvsmtp_session_attempt_count(call->session));
}

/* The next connect from within the completion: each tells of its own. */
static void test_again_in_completion(void** state) {
  race_t r;
  race_t later;
  int fd;
  (void)state;
  begin(&r, "127.0.0.2", "127.0.0.3", net_closed_port(&fd));
  memset(&later, 0, sizeof(later));
  later.target.port = r.target.port;
  later.call.f = &r.f;
  later.call.then = look;
  later.call.arg = &later;
  r.names.arg = &later.call;
  r.call.then = again;
  call_connect(&r);
  wait_for(&later.call);
  assert_int_equal(2, r.n);
  assert_int_equal(1, later.n);
  expect(&later, 0, "127.0.0.4", UV_ECONNREFUSED);
  assert_int_equal(0, uvsmtp_session_attempt_count(r.s));
  end(&r);
  close(fd);
}

/* Nobody asks for the outcome: it is forgotten all the same. */
static void test_no_completion(void** state) {
  peer_t* peer = peer_answer(0);
  call_t hello;
  race_t r;
  (void)state;
  memset(&hello, 0, sizeof(hello));
  begin(&r, "127.0.0.2", "127.0.0.1", peer_port(peer));
  assert_int_equal(0, uvsmtp_session_new(&r.s, r.f.env, &r.config));
  assert_int_equal(0, uvsmtp_connect(r.s, NULL, NULL, NULL));
  assert_int_equal(0, CALL(&hello, &r.f, uvsmtp_hello(r.s, on_call, &hello)));
  wait_for(&hello);
  assert_int_equal(0, hello.status);
  assert_int_equal(0, uvsmtp_session_attempt_count(r.s));
  end(&r);
  assert_null(peer_finish(peer, NULL));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_first_refuses),
      TEST(test_first_is_silent),
      TEST(test_dead_ipv6),
      TEST(test_default_delay),
      TEST(test_slow_wins),
      TEST(test_all_refuse),
      TEST(test_all_silent),
      TEST(test_some_silent),
      TEST(test_reason),
      TEST(test_last_reason),
      TEST(test_order),
      TEST(test_sixteen),
      TEST(test_single),
      TEST(test_path),
      TEST(test_full_path),
      TEST(test_close),
      TEST(test_close_in_the_race),
      TEST(test_close_in_completion),
      TEST(test_again_in_completion),
      TEST(test_no_completion),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
