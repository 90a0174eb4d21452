/* SPDX-License-Identifier: MIT */
/* test_connect.c: targets, failures to connect, local addresses. */
#include <arpa/inet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"
#include "net.h"

typedef struct log_s {
  char text[4096];
} log_t;

static void on_trace(void* arg, int kind, const char* text, size_t len) {
  log_t* log = arg;
  size_t n = strlen(log->text);
  if (n + len + 4 > sizeof(log->text)) return;
  snprintf(log->text + n, sizeof(log->text) - n, "%d %.*s\n", kind, (int)len,
           text);
}

static void connect_to(const char* host, int port, const char* bind_host,
                       call_t* call, log_t* log) {
  fixture_t f;
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_session_t* s;
  memset(call, 0, sizeof(*call));
  memset(log, 0, sizeof(*log));
  fixture_start(&f);
  config.trace = on_trace;
  config.trace_arg = log;
  s = open_session(&f, NULL, &config);
  target.host = host;
  target.port = port;
  target.bind_host = bind_host;
  assert_int_equal(0,
                   CALL(call, &f, uvsmtp_connect(s, &target, on_call, call)));
  wait_for(call);
  close_session(&f, s);
  fixture_finish(&f);
}

static void test_refused(void** state) {
  call_t call;
  log_t log;
  char want[64];
  int fd;
  int port = net_closed_port(&fd);
  (void)state;
  connect_to("127.0.0.1", port, NULL, &call, &log);
  assert_int_equal(UVSMTP_ECONNECT, call.status);
  assert_int_equal(UV_ECONNREFUSED, call.cause);
  assert_int_equal(0, call.code);
  snprintf(want, sizeof(want), "4 connecting to 127.0.0.1 port %d\n", port);
  assert_non_null(strstr(log.text, want));
  connect_to("[127.0.0.1]", port, NULL, &call, &log);
  assert_int_equal(UV_ECONNREFUSED, call.cause);
  /* All addresses of a name. */
  connect_to("localhost", port, NULL, &call, &log);
  assert_int_equal(UVSMTP_ECONNECT, call.status);
  assert_true(call.cause == UV_ECONNREFUSED || call.cause == UV_EADDRNOTAVAIL);
  assert_non_null(strstr(log.text, "4 looking up localhost\n"));
  assert_non_null(strstr(log.text, want));
  close(fd);
}

/* scenario: 16, with test_invalid. */
static void test_no_such_name(void** state) {
  call_t call;
  log_t log;
  (void)state;
  connect_to("nonexistent.invalid", 25, NULL, &call, &log);
  assert_int_equal(UVSMTP_ECONNECT, call.status);
  assert_true(call.cause == UV_EAI_NONAME || call.cause == UV_EAI_AGAIN ||
              call.cause == UV_EAI_FAIL || call.cause == UV_EAI_NODATA);
}

/* scenario: 126 */
static void test_no_such_path(void** state) {
  call_t call;
  log_t log;
  (void)state;
  connect_to("/nonexistent/a socket", 0, NULL, &call, &log);
  assert_int_equal(UVSMTP_ECONNECT, call.status);
  assert_int_equal(UV_ENOENT, call.cause);
  assert_non_null(strstr(log.text, "4 connecting to /nonexistent/a socket\n"));
}

static void test_default_target(void** state) {
  fixture_t f;
  log_t log;
  call_t call;
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_session_t* s;
  unsigned int flags;
  (void)state;
  for (flags = 0; flags <= UVSMTP_SESSION_LMTP; flags++) {
    memset(&call, 0, sizeof(call));
    memset(&log, 0, sizeof(log));
    fixture_start(&f);
    config.flags = flags;
    config.trace = on_trace;
    config.trace_arg = &log;
    s = open_session(&f, NULL, &config);
    assert_int_equal(0,
                     CALL(&call, &f, uvsmtp_connect(s, NULL, on_call, &call)));
    /* Whether anybody listens there is not ours to say. */
    while (strstr(log.text, " port ") == NULL && call.times == 0) {
      uv_run(&f.loop, UV_RUN_ONCE);
    }
    assert_non_null(strstr(log.text, "4 looking up localhost\n"));
    assert_non_null(
        strstr(log.text, flags == 0 ? " port 25\n" : " port 2003\n"));
    close_session(&f, s);
    fixture_finish(&f);
  }
}

/* TLS from the first octet has a port of its own (RFC 8314 7.3). */
static void test_default_port(void** state) {
  static const struct {
    unsigned int flags;
    int tls;
    const char* port;
  } cases[] = {
      {0, UVSMTP_TLS_DEFAULT, " port 25\n"},
      {0, UVSMTP_TLS_REQUIRED, " port 25\n"},
      {0, UVSMTP_TLS_IMPLICIT, " port 465\n"},
      {UVSMTP_SESSION_LMTP, UVSMTP_TLS_IMPLICIT, " port 2003\n"},
  };
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    fixture_t f;
    log_t log;
    call_t call;
    uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
    uvsmtp_target_t target = UVSMTP_TARGET_INIT;
    uvsmtp_session_t* s;
    memset(&call, 0, sizeof(call));
    memset(&log, 0, sizeof(log));
    fixture_start(&f);
    target.host = "127.0.0.1";
    target.tls = cases[i].tls;
    config.flags = cases[i].flags;
    config.trace = on_trace;
    config.trace_arg = &log;
    s = open_session(&f, NULL, &config);
    assert_int_equal(
        0, CALL(&call, &f, uvsmtp_connect(s, &target, on_call, &call)));
    while (strstr(log.text, " port ") == NULL && call.times == 0) {
      uv_run(&f.loop, UV_RUN_ONCE);
    }
    assert_non_null(strstr(log.text, cases[i].port));
    close_session(&f, s);
    fixture_finish(&f);
  }
}

/* ------------------------------------------------------------- nonsense */

static void test_invalid(void** state) {
  static const struct {
    const char* host;
    int port;
    const char* bind_host;
    int bind_port;
  } bad[] = {
      {"127.0.0.1", -1, NULL, 0},
      {"127.0.0.1", 65536, NULL, 0},
      {"127.0.0.1", 25, NULL, -1},
      {"127.0.0.1", 25, NULL, 65536},
      {"", 25, NULL, 0},
      {" ", 25, NULL, 0},
      {"two words", 25, NULL, 0},
      {"a\nb", 25, NULL, 0},
      {"/a\nb", 25, NULL, 0},
      {"a\x7f", 25, NULL, 0},
      {"[name]", 25, NULL, 0},
      {"[::1", 25, NULL, 0},
      {"[1.2.3]", 25, NULL, 0},
      {"127.0.0.1", 25, "localhost", 0},
      {"127.0.0.1", 25, "", 0},
      {"host:25", 25, NULL, 0},
      {"host:25:", 25, NULL, 0},
      {"::1%none", 25, NULL, 0},
      {"[::1%none]", 25, NULL, 0},
      {"[::1%]", 25, NULL, 0},
      {"[::1%0]", 25, NULL, 0},
      {"[::1%1x]", 25, NULL, 0},
      {"[::1%+1]", 25, NULL, 0},
      {"[::1%4294967296]", 25, NULL, 0},
      {"[127.0.0.1%1]", 25, NULL, 0},
      {"::1", 25, "::1%none", 0},
  };
  fixture_t f;
  uvsmtp_session_t* s;
  uvsmtp_session_t* other = NULL;
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  char longest[300];
  size_t i;
  (void)state;
  fixture_start(&f);
  s = open_session(&f, NULL, NULL);
  config.target = &target;
  for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    target.host = bad[i].host;
    target.port = bad[i].port;
    target.bind_host = bad[i].bind_host;
    target.bind_port = bad[i].bind_port;
    assert_int_equal(UV_EINVAL, uvsmtp_connect(s, &target, NULL, NULL));
    assert_int_equal(UV_EINVAL, uvsmtp_session_new(&other, f.env, &config));
  }
  memset(longest, 'a', sizeof(longest));
  longest[256] = '\0';
  target.host = longest;
  target.bind_host = NULL;
  target.bind_port = 0;
  assert_int_equal(UV_EINVAL, uvsmtp_connect(s, &target, NULL, NULL));
  longest[0] = '/';
  longest[108] = '\0';
  assert_int_equal(UV_EINVAL, uvsmtp_connect(s, &target, NULL, NULL));
  target.host = NULL;
  target.flags = 1 << 2; /* of a later version */
  assert_int_equal(UV_EINVAL, uvsmtp_connect(s, &target, NULL, NULL));
  assert_int_equal(UV_EINVAL, uvsmtp_session_new(&other, f.env, &config));
  config.target = NULL;
  config.timeouts = &timeouts;
  timeouts.dot = -2;
  assert_int_equal(UV_EINVAL, uvsmtp_session_new(&other, f.env, &config));
  timeouts.dot = 0;
  timeouts.size = 3;
  assert_int_equal(UV_EINVAL, uvsmtp_session_new(&other, f.env, &config));
  close_session(&f, s);
  fixture_finish(&f);
}

/* ------------------------------------------------------------------ scopes */

/* A link-local address of this machine, and its interface. */
static int link_local(char* name, char* address, size_t cap) {
  uv_interface_address_t* list;
  int found = 0;
  int n;
  int i;
  assert_int_equal(0, uv_interface_addresses(&list, &n));
  for (i = 0; i < n && !found; i++) {
    const struct sockaddr_in6* a = &list[i].address.address6;
    if (a->sin6_family != AF_INET6) continue;
    if (!IN6_IS_ADDR_LINKLOCAL(&a->sin6_addr)) continue;
    assert_int_equal(0, uv_ip6_name(a, address, cap));
    snprintf(name, IF_NAMESIZE, "%s", list[i].name);
    found = 1;
  }
  uv_free_interface_addresses(list, n);
  return found;
}

/* The scope of an address by its interface's name and by its number. */
static void test_scopes(void** state) {
  char name[IF_NAMESIZE];
  char digits[16];
  char address[INET6_ADDRSTRLEN];
  char host[128];
  call_t call;
  log_t log;
  int fd;
  int port = net_closed_port(&fd);
  (void)state;
  if (!link_local(name, address, sizeof(address))) {
    close(fd);
    skip();
  }
  snprintf(digits, sizeof(digits), "%u", if_nametoindex(name));
  snprintf(host, sizeof(host), "[%s%%%s]", address, name);
  connect_to(host, port, NULL, &call, &log);
  assert_int_equal(UV_ECONNREFUSED, call.cause);
  snprintf(host, sizeof(host), "[%s%%%s]", address, digits);
  connect_to(host, port, host, &call, &log);
  assert_int_equal(UV_ECONNREFUSED, call.cause);
  snprintf(host, sizeof(host), "%s%%%s", address, digits);
  connect_to(host, port, NULL, &call, &log);
  assert_int_equal(UV_ECONNREFUSED, call.cause);
  /* Without a scope it isn't known where that is. */
  connect_to(address, port, NULL, &call, &log);
  assert_int_equal(UV_EINVAL, call.cause);
  close(fd);
}

/* ---------------------------------------------------------- binding */

static void test_bound(void** state) {
  fixture_t f;
  log_t log;
  call_t call;
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_session_t* s;
  peer_t* peer = peer_answer(0);
  (void)state;
  memset(&call, 0, sizeof(call));
  memset(&log, 0, sizeof(log));
  fixture_start(&f);
  config.trace = on_trace;
  config.trace_arg = &log;
  s = open_session(&f, NULL, &config);
  target.host = "127.0.0.1";
  target.port = peer_port(peer);
  target.bind_host = "127.0.0.2";
  assert_int_equal(0, uvsmtp_connect(s, &target, NULL, NULL));
  assert_int_equal(0, CALL(&call, &f, uvsmtp_hello(s, on_call, &call)));
  wait_for(&call);
  assert_int_equal(0, call.status);
  /* The literal of its own address tells (unless the machine has a name). */
  if (strstr(log.text, "EHLO [") != NULL) {
    assert_non_null(strstr(log.text, "EHLO [127.0.0.2]\n"));
  }
  close_session(&f, s);
  fixture_finish(&f);
  assert_null(peer_finish(peer, NULL));
}

/* Only a port: it is the one that the connection comes from. */
static void bound_port(int flags) {
  fixture_t f;
  call_t call;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_session_t* s;
  struct sockaddr_storage here;
  int len = sizeof(here);
  int fd;
  peer_t* peer = peer_answer(flags);
  memset(&call, 0, sizeof(call));
  memset(&here, 0, sizeof(here));
  fixture_start(&f);
  s = open_session(&f, NULL, NULL);
  target.host = peer_host(peer);
  target.port = peer_port(peer);
  target.bind_port = net_closed_port(&fd);
  close(fd);
  assert_int_equal(0,
                   CALL(&call, &f, uvsmtp_connect(s, &target, on_call, &call)));
  wait_for(&call);
  assert_int_equal(0, call.status);
  assert_int_equal(
      0, uvsmtp_session_local_address(s, (struct sockaddr*)&here, &len));
  /* At the same place in both families. */
  assert_int_equal(target.bind_port,
                   ntohs(((struct sockaddr_in*)&here)->sin_port));
  close_session(&f, s);
  fixture_finish(&f);
  assert_null(peer_finish(peer, NULL));
}

static void test_bound_port(void** state) {
  (void)state;
  bound_port(0);
  if (net_have_ipv6()) bound_port(PEER_IPV6);
}

static void test_bound_to_the_other_family(void** state) {
  call_t call;
  log_t log;
  (void)state;
  connect_to("127.0.0.1", 25, "::1", &call, &log);
  assert_int_equal(UVSMTP_ECONNECT, call.status);
  assert_int_equal(UV_EAFNOSUPPORT, call.cause);
  connect_to("127.0.0.1", 25, "192.0.2.1", &call, &log);
  assert_int_equal(UVSMTP_ECONNECT, call.status);
  assert_int_equal(UV_EADDRNOTAVAIL, call.cause);
}

/* ---------------------------------------------------------------- greeting */

static void greeted_with(const char* script, int status, int code) {
  fixture_t f;
  call_t call;
  uvsmtp_session_t* s;
  peer_t* peer = peer_play(0, script);
  memset(&call, 0, sizeof(call));
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  assert_int_equal(0, CALL(&call, &f, uvsmtp_connect(s, NULL, on_call, &call)));
  wait_for(&call);
  assert_int_equal(status, call.status);
  assert_int_equal(code, call.code);
  close_session(&f, s);
  fixture_finish(&f);
  peer_finish(peer, NULL);
}

static void test_greetings(void** state) {
  (void)state;
  greeted_with("S 220 hi", 0, 220);
  greeted_with("S 554 go away", UVSMTP_ECONNECT, 554);
  greeted_with("S 421 later\n CLOSE", UVSMTP_ECONNECT, 421);
  greeted_with("S SSH-2.0-x", UVSMTP_EPROTOCOL, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_refused),      TEST(test_no_such_name),
      TEST(test_no_such_path), TEST(test_default_target),
      TEST(test_default_port), TEST(test_invalid),
      TEST(test_scopes),       TEST(test_bound),
      TEST(test_bound_port),   TEST(test_bound_to_the_other_family),
      TEST(test_greetings),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
