/* SPDX-License-Identifier: MIT */
/* test_localname.c: how a session introduces itself when nobody told it. The
 * machine is one of our own: libuv finds these functions before those of the C
 * library. */
#include <netdb.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "double.h"
#include "net.h"
#include "uv/uv_int.h"

/* ------------------------------------------------------------- the machine */

static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  const char* host;  /* what gethostname says; NULL: an error */
  const char* canon; /* what looking it up says; NULL: an error */
  int held;          /* lookups last until it is 0 */
  int asked;
  int flags;
} machine = {.lock = PTHREAD_MUTEX_INITIALIZER,
             .changed = PTHREAD_COND_INITIALIZER};

static void set_machine(const char* host, const char* canon, int held) {
  pthread_mutex_lock(&machine.lock);
  machine.host = host;
  machine.canon = canon;
  machine.held = held;
  machine.asked = 0;
  pthread_mutex_unlock(&machine.lock);
}

static void release(void) {
  pthread_mutex_lock(&machine.lock);
  machine.held = 0;
  pthread_cond_broadcast(&machine.changed);
  pthread_mutex_unlock(&machine.lock);
}

static int asked(void) {
  int n;
  pthread_mutex_lock(&machine.lock);
  n = machine.asked;
  pthread_mutex_unlock(&machine.lock);
  return n;
}

int gethostname(char* name, size_t len) {
  if (machine.host == NULL) return -1;
  snprintf(name, len, "%s", machine.host);
  return 0;
}

/* Called by one of libuv's threads. */
int getaddrinfo(const char* name, const char* service,
                const struct addrinfo* hints, struct addrinfo** list) {
  struct addrinfo* info;
  const char* canon;
  int same;
  (void)service;
  pthread_mutex_lock(&machine.lock);
  machine.asked++;
  machine.flags = hints->ai_flags;
  same = strcmp(name, machine.host) == 0;
  while (machine.held) pthread_cond_wait(&machine.changed, &machine.lock);
  canon = machine.canon;
  pthread_mutex_unlock(&machine.lock);
  if (!same || canon == NULL) return EAI_NONAME;
  info = calloc(1, sizeof(*info));
  if (info == NULL) return EAI_MEMORY;
  info->ai_canonname = strdup(canon);
  *list = info;
  return 0;
}

void freeaddrinfo(struct addrinfo* list) {
  free(list->ai_canonname);
  free(list);
}

/* -------------------------------------------------------------- pure rules */

static void test_plausible(void** state) {
  static const char* const good[] = {
      "a.b", "mail.example.com", "a-b.example", "1.example", "0xa.b0", "A.B"};
  static const char* const bad[] = {"",
                                    "localhost",
                                    "host",
                                    ".example",
                                    "a..b",
                                    "a.b.",
                                    "a.-b",
                                    "-a.b",
                                    "a-.b",
                                    "a.b-",
                                    "a_b.c",
                                    "a b.c",
                                    "a.b\n",
                                    "10.0.0.1",
                                    "a.1",
                                    "[::1].b",
                                    "localhost.localdomain",
                                    "localhost.example",
                                    "a\xc3\xa9.b"};
  char longest[300];
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
    if (!uvsmtp__plausible(good[i])) fail_msg("refused: %s", good[i]);
  }
  for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    if (uvsmtp__plausible(bad[i])) fail_msg("accepted: %s", bad[i]);
  }
  memset(longest, 'a', sizeof(longest));
  longest[1] = '.';
  longest[255] = '\0';
  assert_true(uvsmtp__plausible(longest));
  longest[255] = 'a';
  longest[256] = '\0';
  assert_false(uvsmtp__plausible(longest));
}

static void test_literal(void** state) {
  static const struct {
    const char* address;
    const char* literal;
  } cases[] = {
      {"192.0.2.7", "[192.0.2.7]"},
      {"2001:db8::7", "[IPv6:2001:db8::7]"},
      {"::1", "[IPv6:::1]"},
      {"::ffff:192.0.2.7", "[192.0.2.7]"},
      {"1111:2222:3333:4444:5555:6666:7777:8888",
       "[IPv6:1111:2222:3333:4444:5555:6666:7777:8888]"},
  };
  struct sockaddr_storage addr;
  char out[UVSMTP__LITERAL_MAX];
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    net_address(&addr, cases[i].address, 25);
    uvsmtp__address_literal((struct sockaddr*)&addr, out);
    assert_string_equal(cases[i].literal, out);
  }
  addr.ss_family = AF_UNIX;
  uvsmtp__address_literal((struct sockaddr*)&addr, out);
  assert_string_equal("[127.0.0.1]", out);
}

/* ------------------------------------------------------------ introductions */

typedef struct log_s {
  char name[300]; /* that EHLO said */
} log_t;

static void on_trace(void* arg, int kind, const char* text, size_t len) {
  log_t* log = arg;
  if (kind != UVSMTP_TRACE_SENT || len < 5) return;
  if (memcmp(text, "EHLO ", 5) != 0 && memcmp(text, "LHLO ", 5) != 0) return;
  snprintf(log->name, sizeof(log->name), "%.*s", (int)len - 5, text + 5);
}

typedef struct one_s {
  uvsmtp_session_t* s;
  uvsmtp_timeouts_t timeouts;
  call_t connect;
  call_t hello;
  log_t log;
} one_t;

static void greet(one_t* one, fixture_t* f, const peer_t* peer,
                  const char* local_name, int64_t timeout) {
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
  memset(one, 0, sizeof(*one));
  config.local_name = local_name;
  config.timeouts = &timeouts;
  config.trace = on_trace;
  config.trace_arg = &one->log;
  timeouts.connect = timeout;
  one->s = open_session(f, peer, &config);
  assert_int_equal(0,
                   CALL(&one->connect, f,
                        uvsmtp_connect(one->s, NULL, on_call, &one->connect)));
  assert_int_equal(
      0, CALL(&one->hello, f, uvsmtp_hello(one->s, on_call, &one->hello)));
}

static void said(one_t* one, const char* name) {
  wait_for(&one->hello);
  assert_int_equal(0, one->connect.status);
  assert_int_equal(0, one->hello.status);
  assert_string_equal(name, one->log.name);
}

/* Two sessions, at once and one after the other; how often it was looked up. */
static int introduced(const char* host, const char* canon, int flags,
                      const char* local_name, const char* want) {
  peer_t* peer = peer_answer(flags);
  fixture_t f;
  one_t one[3];
  int i;
  set_machine(host, canon, 0);
  fixture_start(&f);
  for (i = 0; i < 2; i++) greet(&one[i], &f, peer, local_name, -1);
  for (i = 0; i < 2; i++) said(&one[i], want);
  greet(&one[2], &f, peer, local_name, -1);
  said(&one[2], want);
  for (i = 0; i < 3; i++) close_session(&f, one[i].s);
  fixture_finish(&f);
  assert_null(peer_finish(peer, NULL));
  return asked();
}

static void test_full_name(void** state) {
  (void)state;
  assert_int_equal(0, introduced("mx.example.org", "other.example", 0, NULL,
                                 "mx.example.org"));
}

static void test_looked_up(void** state) {
  (void)state;
  assert_int_equal(
      1, introduced("mx", "mx.example.org", 0, NULL, "mx.example.org"));
  assert_true((machine.flags & AI_CANONNAME) != 0);
  assert_int_equal(1, introduced("under_score.example", "mx.example.org", 0,
                                 NULL, "mx.example.org"));
}

/* smtplib: 5 */
static void test_no_full_name(void** state) {
  static const char* const canon[] = {
      "mx", NULL, "localhost.localdomain", "10.1.2.3", "bad name.example", ""};
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(canon) / sizeof(canon[0]); i++) {
    assert_int_equal(1, introduced("mx", canon[i], 0, NULL, "[127.0.0.1]"));
  }
  assert_int_equal(1, introduced("mx", NULL, PEER_UNIX, NULL, "[127.0.0.1]"));
  assert_int_equal(0, introduced("", NULL, 0, NULL, "[127.0.0.1]"));
  assert_int_equal(0, introduced(NULL, NULL, 0, NULL, "[127.0.0.1]"));
  if (!net_have_ipv6()) return;
  assert_int_equal(1, introduced("mx", NULL, PEER_IPV6, NULL, "[IPv6:::1]"));
}

static void test_configured(void** state) {
  (void)state;
  assert_int_equal(
      0, introduced("mx", "mx.example.org", 0, "me.example", "me.example"));
}

/* A connection of the caller's: its own address. */
static void test_opened(void** state) {
  peer_t* peer = peer_answer(0);
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_connection_t connection = UVSMTP_CONNECTION_INIT;
  struct sockaddr_storage addr;
  socklen_t len;
  fixture_t f;
  call_t call;
  log_t log;
  uvsmtp_session_t* s;
  int i;
  (void)state;
  for (i = 0; i < 2; i++) {
    memset(&call, 0, sizeof(call));
    memset(&log, 0, sizeof(log));
    set_machine("mx", i == 0 ? NULL : "mx.example.org", 0);
    fixture_start(&f);
    config.trace = on_trace;
    config.trace_arg = &log;
    s = open_session(&f, NULL, &config);
    connection.fd = socket(AF_INET, SOCK_STREAM, 0);
    len = net_address(&addr, "127.0.0.5", 0);
    assert_int_equal(0, bind(connection.fd, (struct sockaddr*)&addr, len));
    len = net_address(&addr, "127.0.0.1", peer_port(peer));
    assert_int_equal(0, connect(connection.fd, (struct sockaddr*)&addr, len));
    assert_int_equal(0, uvsmtp_open(s, &connection, NULL, NULL));
    assert_int_equal(0, CALL(&call, &f, uvsmtp_hello(s, on_call, &call)));
    wait_for(&call);
    assert_int_equal(0, call.status);
    assert_string_equal(i == 0 ? "[127.0.0.5]" : "mx.example.org", log.name);
    close_session(&f, s);
    fixture_finish(&f);
  }
  assert_null(peer_finish(peer, NULL));
}

/* --------------------------------------------------------- a slow lookup */

/* It takes too long: the first sessions go on without, later ones do not wait,
 * and those that come when it is there use it. */
static void test_slow(void** state) {
  peer_t* peer = peer_answer(0);
  fixture_t f;
  one_t one[4];
  int i;
  (void)state;
  set_machine("mx", "mx.example.org", 1);
  fixture_start(&f);
  for (i = 0; i < 2; i++) greet(&one[i], &f, peer, NULL, -1);
  for (i = 0; i < 2; i++) said(&one[i], "[127.0.0.1]");
  greet(&one[2], &f, peer, NULL, -1);
  said(&one[2], "[127.0.0.1]");
  release();
  while (f.env->name[0] == '\0') run_for(&f, 1);
  greet(&one[3], &f, peer, NULL, -1);
  said(&one[3], "mx.example.org");
  assert_int_equal(1, asked());
  for (i = 0; i < 4; i++) close_session(&f, one[i].s);
  fixture_finish(&f);
  assert_null(peer_finish(peer, NULL));
}

/* Whether one with a name of its own was there before another's wait was over.
 */
static int named_first(void) {
  peer_t* peer = peer_answer(0);
  fixture_t f;
  one_t one[2];
  int first;
  set_machine("mx", "mx.example.org", 1);
  fixture_start(&f);
  greet(&one[0], &f, peer, NULL, -1);
  greet(&one[1], &f, peer, "me.example", -1);
  said(&one[1], "me.example");
  first = one[0].connect.times == 0;
  release();
  close_session(&f, one[0].s);
  close_session(&f, one[1].s);
  fixture_finish(&f);
  assert_null(peer_finish(peer, NULL));
  return first;
}

/* It is given more than one second to show it. */
static void test_named_is_not_held_up(void** state) {
  int tries = 1;
  (void)state;
  while (!named_first()) assert_in_range(++tries, 1, 5);
}

/* It comes while they wait. How many milliseconds all that took: whoever is not
 * given the second in which that is to be seen has seen nothing. */
static uint64_t in_time(void) {
  peer_t* peer = peer_answer(0);
  uint64_t began = uv_hrtime();
  uint64_t took;
  fixture_t f;
  one_t one[3];
  int waited;
  int i;
  set_machine("mx", "mx.example.org", 1);
  fixture_start(&f);
  for (i = 0; i < 3; i++) greet(&one[i], &f, peer, NULL, -1);
  run_for(&f, 20);
  waited = one[0].connect.times + one[1].connect.times + one[2].connect.times;
  /* One of them is closed while it waits. */
  close_session(&f, one[1].s);
  release();
  wait_for(&one[0].hello);
  wait_for(&one[2].hello);
  took = (uv_hrtime() - began) / 1000000;
  if (took < 900) {
    assert_int_equal(0, waited);
    assert_int_equal(UV_ECANCELED, one[1].connect.status);
    said(&one[0], "mx.example.org");
    said(&one[2], "mx.example.org");
  }
  close_session(&f, one[0].s);
  close_session(&f, one[2].s);
  fixture_finish(&f);
  assert_null(peer_finish(peer, NULL));
  return took;
}

static void test_in_time(void** state) {
  (void)state;
  while (in_time() >= 900) continue;
}

/* The deadline of connecting is not missed for a name's sake. */
static void test_deadline(void** state) {
  peer_t* peer = peer_answer(0);
  fixture_t f;
  one_t one;
  (void)state;
  set_machine("mx", "mx.example.org", 1);
  fixture_start(&f);
  greet(&one, &f, peer, NULL, 50);
  said(&one, "[127.0.0.1]");
  close_session(&f, one.s);
  /* The environment's end waits for the lookup. */
  release();
  fixture_finish(&f);
  assert_null(peer_finish(peer, NULL));
}

static void on_env_closed(uvsmtp_env_t* env, void* flag) {
  (void)env;
  *(int*)flag = 1;
}

static void test_env_close(void** state) {
  peer_t* peer = peer_answer(0);
  uv_loop_t loop;
  uvsmtp_env_t* env = NULL;
  uvsmtp_session_t* s = NULL;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  int closed = 0;
  int i;
  (void)state;
  set_machine("mx", "mx.example.org", 1);
  target.host = peer_host(peer);
  target.port = peer_port(peer);
  assert_int_equal(0, uv_loop_init(&loop));
  assert_int_equal(0, uvsmtp_env_new(&env, &loop, NULL));
  assert_int_equal(0, uvsmtp_session_new(&s, env, NULL));
  assert_int_equal(0, uvsmtp_connect(s, &target, NULL, NULL));
  while (asked() == 0) uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(0, uvsmtp_session_close(s, NULL, NULL));
  while (uvsmtp_env_close(env, on_env_closed, &closed) == UV_EBUSY) {
    uv_run(&loop, UV_RUN_NOWAIT);
  }
  for (i = 0; i < 20; i++) uv_run(&loop, UV_RUN_NOWAIT);
  assert_int_equal(0, closed);
  release();
  uv_run(&loop, UV_RUN_DEFAULT);
  assert_int_equal(1, closed);
  assert_int_equal(0, uv_loop_close(&loop));
  assert_null(peer_finish(peer, NULL));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_plausible),
      TEST(test_literal),
      TEST(test_full_name),
      TEST(test_looked_up),
      TEST(test_no_full_name),
      TEST(test_configured),
      TEST(test_opened),
      TEST(test_slow),
      TEST(test_named_is_not_held_up),
      TEST(test_in_time),
      TEST(test_deadline),
      TEST(test_env_close),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
