/* SPDX-License-Identifier: MIT */
/* test_target.c: what a target may say: where the port stands, and options of
 * the socket. */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "double.h"
#include "net.h"
#include "uv/uv_int.h"

/* -------------------------------------------------------- host and port */

typedef struct form_s {
  const char* host;
  int port;
  const char* want; /* NULL: UV_EINVAL */
  int want_port;    /* 0: the default */
} form_t;

static const form_t forms[] = {
    {NULL, 0, "localhost", 0},
    {NULL, 2525, "localhost", 2525},
    {"name", 0, "name", 0},
    {"name", 587, "name", 587},
    {"name:587", 0, "name", 587},
    {"name.example.:1", 0, "name.example.", 1},
    {"name:65535", 0, "name", 65535},
    {"name:00025", 0, "name", 25},
    {"192.0.2.1:2525", 0, "192.0.2.1", 2525},
    {"192.0.2.1", 0, "192.0.2.1", 0},
    {"[192.0.2.1]:26", 0, "[192.0.2.1]", 26},
    {"[2001:db8::1]:2525", 0, "[2001:db8::1]", 2525},
    {"[::1]", 0, "[::1]", 0},
    {"[::1]", 25, "[::1]", 25},
    /* Several colons: a literal, whatever it ends with. */
    {"::1", 0, "::1", 0},
    {"2001:db8::25", 0, "2001:db8::25", 0},
    {"2001:db8::25", 26, "2001:db8::25", 26},
    {"/run/a:25", 0, "/run/a:25", 0},
    /* A port twice, or none that is one. */
    {"name:587", 587, NULL, 0},
    {"192.0.2.1:25", 25, NULL, 0},
    {"[::1]:25", 25, NULL, 0},
    {"name:", 0, NULL, 0},
    {"name:smtp", 0, NULL, 0},
    {"name:25x", 0, NULL, 0},
    {"name: 25", 0, NULL, 0},
    {"name:+25", 0, NULL, 0},
    {"name:-1", 0, NULL, 0},
    {"name:0", 0, NULL, 0},
    {"name:65536", 0, NULL, 0},
    {"name:70000", 0, NULL, 0},
    {"name:99999999999999999999", 0, NULL, 0},
    {"[::1]:", 0, NULL, 0},
    {"[::1]:x", 0, NULL, 0},
    {"[::1]:70000", 0, NULL, 0},
    {"[::1]25", 0, NULL, 0},
    {"[::1", 0, NULL, 0},
    {"::1]", 0, NULL, 0},
    {"[name]:25", 0, NULL, 0},
    {"[]:25", 0, NULL, 0},
    {"]:25", 0, NULL, 0},
    {":25", 0, NULL, 0},
    {":", 0, NULL, 0},
    {"two words:25", 0, NULL, 0},
    {"a:b:c", 0, NULL, 0},
    {"name:25:25", 0, NULL, 0},
};

static void test_forms(void** state) {
  fixture_t f;
  uvsmtp_session_t* s;
  size_t i;
  (void)state;
  fixture_start(&f);
  s = open_session(&f, NULL, NULL);
  for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
    uvsmtp_target_t target = UVSMTP_TARGET_INIT;
    uvsmtp__target_t* copy = NULL;
    int err;
    target.host = forms[i].host;
    target.port = forms[i].port;
    err = uvsmtp__target_new(f.env, &target, &copy);
    if (forms[i].want == NULL) {
      if (err != UV_EINVAL) fail_msg("accepted: %s", forms[i].host);
      /* And by the call: no completion follows. */
      assert_int_equal(UV_EINVAL, uvsmtp_connect(s, &target, NULL, NULL));
      continue;
    }
    if (err != 0) fail_msg("refused: %s", forms[i].host);
    assert_string_equal(forms[i].want, copy->host);
    assert_int_equal(forms[i].want_port, copy->port);
    uvsmtp__target_free(f.env, copy);
  }
  close_session(&f, s);
  fixture_finish(&f);
}

/* Bad input calls nobody, not even later. scenario: 16 */
static void test_bad_input(void** state) {
  static const struct {
    const char* host;
    int port;
  } bad[] = {{"name", 70000}, {"name:x", 0}, {"name:70000", 0}, {"", 0}};
  fixture_t f;
  double_t names;
  call_t call;
  uvsmtp_session_t* s;
  size_t i;
  (void)state;
  double_init(&names, "127.0.0.1", NULL);
  fixture_start_with(&f, &names.resolver);
  s = open_session(&f, NULL, NULL);
  memset(&call, 0, sizeof(call));
  for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    uvsmtp_target_t target = UVSMTP_TARGET_INIT;
    target.host = bad[i].host;
    target.port = bad[i].port;
    assert_int_equal(
        UV_EINVAL, CALL(&call, &f, uvsmtp_connect(s, &target, on_call, &call)));
  }
  run_for(&f, 5);
  close_session(&f, s);
  assert_int_equal(0, call.times);
  assert_int_equal(0, names.asked);
  fixture_finish(&f);
}

/* A port within the host is that which is connected to. */
static void test_port_in_host(void** state) {
  peer_t* peer = peer_answer(0);
  fixture_t f;
  double_t names;
  call_t call;
  uvsmtp_session_t* s;
  size_t i;
  static const char* const hosts[] = {"127.0.0.1:%d", "[127.0.0.1]:%d",
                                      "some.example:%d"};
  (void)state;
  memset(&call, 0, sizeof(call));
  double_init(&names, "127.0.0.1", NULL);
  fixture_start_with(&f, &names.resolver);
  s = open_session(&f, NULL, NULL);
  for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
    uvsmtp_target_t target = UVSMTP_TARGET_INIT;
    char host[64];
    snprintf(host, sizeof(host), hosts[i], peer_port(peer));
    target.host = host;
    assert_int_equal(
        0, CALL(&call, &f, uvsmtp_connect(s, &target, on_call, &call)));
    memset(host, 'x', sizeof(host)); /* it was copied */
    wait_for(&call);
    assert_int_equal(0, call.status);
    assert_int_equal(0, CALL(&call, &f, uvsmtp_quit(s, on_call, &call)));
    wait_for(&call);
  }
  close_session(&f, s);
  fixture_finish(&f);
  assert_null(peer_finish(peer, NULL));
}

/* ------------------------------------------------------------------ options */

static void test_flags(void** state) {
  fixture_t f;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp__target_t* copy = NULL;
  unsigned int bit;
  (void)state;
  fixture_start(&f);
  for (bit = 0; bit < 32; bit++) {
    int err;
    target.flags = 1u << bit;
    err = uvsmtp__target_new(f.env, &target, &copy);
    assert_int_equal(bit < 2 ? 0 : UV_EINVAL, err);
    if (err == 0) uvsmtp__target_free(f.env, copy);
  }
  target.flags = 0;
  target.keepalive = 32768;
  assert_int_equal(UV_EINVAL, uvsmtp__target_new(f.env, &target, &copy));
  target.keepalive = 32767;
  assert_int_equal(0, uvsmtp__target_new(f.env, &target, &copy));
  uvsmtp__target_free(f.env, copy);
  fixture_finish(&f);
}

static int option(uvsmtp_session_t* s, int level, int name) {
  uv_os_fd_t fd;
  int value = 0;
  socklen_t len = sizeof(value);
  assert_int_equal(0, uvsmtp_session_fileno(s, &fd));
  assert_int_equal(0, getsockopt(fd, level, name, &value, &len));
  return value;
}

/* Of the connection that won, not of the first attempt. */
static void socket_options(unsigned int flags, unsigned int keepalive) {
  peer_t* peer = peer_answer(0);
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  fixture_t f;
  double_t names;
  call_t call;
  uvsmtp_session_t* s;
  memset(&call, 0, sizeof(call));
  double_init(&names, "127.0.0.2", "127.0.0.1", NULL);
  fixture_start_with(&f, &names.resolver);
  target.host = "server.example";
  target.port = peer_port(peer);
  target.flags = flags;
  target.keepalive = keepalive;
  config.target = &target;
  s = open_session(&f, NULL, &config);
  assert_int_equal(0, CALL(&call, &f, uvsmtp_connect(s, NULL, on_call, &call)));
  wait_for(&call);
  assert_int_equal(0, call.status);
  assert_int_equal((flags & UVSMTP_TARGET_DELAY) == 0,
                   option(s, IPPROTO_TCP, TCP_NODELAY) != 0);
  assert_int_equal(keepalive != 0, option(s, SOL_SOCKET, SO_KEEPALIVE) != 0);
  if (keepalive != 0) {
    assert_int_equal(keepalive, option(s, IPPROTO_TCP, TCP_KEEPIDLE));
  }
  close_session(&f, s);
  fixture_finish(&f);
  assert_null(peer_finish(peer, NULL));
}

static void test_socket_options(void** state) {
  (void)state;
  socket_options(0, 0);
  socket_options(UVSMTP_TARGET_DELAY, 77);
  socket_options(UVSMTP_TARGET_IN_TURN, 32767);
}

/* Ports that are meant when none is given. smtplib: 3 */
static void test_ports(void** state) {
  (void)state;
  assert_int_equal(25, UVSMTP_PORT_SMTP);
  assert_int_equal(465, UVSMTP_PORT_SMTPS);
  assert_int_equal(2003, UVSMTP_PORT_LMTP);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_forms), TEST(test_bad_input),      TEST(test_port_in_host),
      TEST(test_flags), TEST(test_socket_options), TEST(test_ports),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
