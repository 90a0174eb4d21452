/* SPDX-License-Identifier: MIT */
/* test_look.c: the ends of a connection, as its owner may ask for them. */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "fixture.h"
#include "net.h"

typedef int (*ask_t)(const uvsmtp_session_t*, struct sockaddr*, int*);

static void none(const uvsmtp_session_t* s) {
  struct sockaddr_storage addr;
  int len = sizeof(addr);
  uv_os_fd_t fd = -1;
  assert_int_equal(UV_ENOTCONN, uvsmtp_session_fileno(s, &fd));
  assert_int_equal(-1, fd);
  assert_int_equal(UV_ENOTCONN, uvsmtp_session_local_address(
                                    s, (struct sockaddr*)&addr, &len));
  assert_int_equal(UV_ENOTCONN, uvsmtp_session_peer_address(
                                    s, (struct sockaddr*)&addr, &len));
  assert_int_equal(sizeof(addr), len);
}

static struct sockaddr_storage ask(const uvsmtp_session_t* s, ask_t f,
                                   int* len) {
  struct sockaddr_storage addr;
  struct sockaddr_storage part;
  int room = -1;
  memset(&addr, 0, sizeof(addr));
  memset(&part, 0, sizeof(part));
  assert_int_equal(UV_EINVAL, f(s, (struct sockaddr*)&addr, &room));
  *len = sizeof(addr);
  assert_int_equal(0, f(s, (struct sockaddr*)&addr, len));
  /* With too little room: as much as fits, and how much there is. */
  room = 2;
  assert_int_equal(0, f(s, (struct sockaddr*)&part, &room));
  assert_int_equal(*len, room);
  assert_int_equal(addr.ss_family, part.ss_family);
  return addr;
}

static void looked_at(int flags) {
  peer_t* peer = peer_answer(flags);
  struct sockaddr_storage here;
  struct sockaddr_storage there;
  struct sockaddr_storage want;
  uv_os_fd_t fd = -1;
  fixture_t f;
  call_t call;
  uvsmtp_session_t* s;
  int len = 0;
  memset(&call, 0, sizeof(call));
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  none(s);
  assert_int_equal(0, CALL(&call, &f, uvsmtp_connect(s, NULL, on_call, &call)));
  none(s);
  wait_for(&call);
  assert_int_equal(0, uvsmtp_session_fileno(s, &fd));
  assert_true(fd > 2);
  here = ask(s, uvsmtp_session_local_address, &len);
  there = ask(s, uvsmtp_session_peer_address, &len);
  if ((flags & PEER_UNIX) != 0) {
    const struct sockaddr_un* un = (const void*)&there;
    assert_int_equal(AF_UNIX, here.ss_family);
    assert_int_equal(AF_UNIX, un->sun_family);
    assert_string_equal(peer_host(peer), un->sun_path);
  } else {
    assert_int_equal(net_address(&want, peer_host(peer), peer_port(peer)), len);
    assert_memory_equal(&want, &there, len);
    assert_int_equal(want.ss_family, here.ss_family);
    assert_memory_not_equal(&want, &here, len); /* it has a port of its own */
  }
  assert_int_equal(0, CALL(&call, &f, uvsmtp_quit(s, on_call, &call)));
  wait_for(&call);
  none(s);
  close_session(&f, s);
  fixture_finish(&f);
  assert_null(peer_finish(peer, NULL));
}

static void test_ipv4(void** state) {
  (void)state;
  looked_at(0);
}

static void test_ipv6(void** state) {
  (void)state;
  if (!net_have_ipv6()) skip();
  looked_at(PEER_IPV6);
}

static void test_unix(void** state) {
  (void)state;
  looked_at(PEER_UNIX);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_ipv4),
      TEST(test_ipv6),
      TEST(test_unix),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
