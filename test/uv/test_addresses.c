/* SPDX-License-Identifier: MIT */
/* test_addresses.c: names with several addresses, as the system's resolver
 * gives them: one of our own, so that no machine's names matter. */
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fixture.h"
#include "net.h"

/* A name is the list of its addresses: 4 is 127.0.0.1, 6 is ::1, and 5 is
 * 127.0.0.2, where nobody listens. libuv finds these two before those of the C
 * library. */

typedef struct answer_s {
  struct addrinfo info;
  struct sockaddr_storage addr;
} answer_t;

static void fill(answer_t* answer, char what) {
  struct sockaddr_in* four = (struct sockaddr_in*)&answer->addr;
  struct sockaddr_in6* six = (struct sockaddr_in6*)&answer->addr;
  memset(answer, 0, sizeof(*answer));
  answer->info.ai_socktype = SOCK_STREAM;
  answer->info.ai_addr = (struct sockaddr*)&answer->addr;
  if (what == '6') {
    six->sin6_family = AF_INET6;
    six->sin6_addr = in6addr_loopback;
    answer->info.ai_addrlen = sizeof(*six);
  } else {
    four->sin_family = AF_INET;
    four->sin_addr.s_addr = htonl(INADDR_LOOPBACK + (what == '5'));
    answer->info.ai_addrlen = sizeof(*four);
  }
  answer->info.ai_family = answer->addr.ss_family;
}

int getaddrinfo(const char* name, const char* service,
                const struct addrinfo* hints, struct addrinfo** list) {
  size_t n = strlen(name);
  size_t i;
  answer_t* answers = calloc(n, sizeof(*answers));
  (void)service;
  (void)hints;
  if (answers == NULL) return EAI_MEMORY;
  for (i = 0; i < n; i++) {
    fill(&answers[i], name[i]);
    if (i > 0) answers[i - 1].info.ai_next = &answers[i].info;
  }
  *list = &answers[0].info;
  return 0;
}

void freeaddrinfo(struct addrinfo* list) { free(list); }

/* ------------------------------------------------------------------- tests */

/* Why connecting to the name from the address failed. */
static int cause(const char* name, int port, const char* bind_host) {
  fixture_t f;
  call_t call;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_session_t* s;
  memset(&call, 0, sizeof(call));
  fixture_start(&f);
  s = open_session(&f, NULL, NULL);
  target.host = name;
  target.port = port;
  target.bind_host = bind_host;
  assert_int_equal(0,
                   CALL(&call, &f, uvsmtp_connect(s, &target, on_call, &call)));
  wait_for(&call);
  assert_int_equal(UVSMTP_ECONNECT, call.status);
  close_session(&f, s);
  fixture_finish(&f);
  return call.cause;
}

typedef struct attempts_s {
  int made;
  int failed;
} attempts_t;

static void count_attempts(void* arg, int kind, const char* text, size_t len) {
  static const char made[] = "connecting to ";
  static const char failed[] = "cannot connect to ";
  attempts_t* a = arg;
  if (kind != UVSMTP_TRACE_INFO) return;
  a->made +=
      len > sizeof(made) - 1 && memcmp(text, made, sizeof(made) - 1) == 0;
  a->failed +=
      len > sizeof(failed) - 1 && memcmp(text, failed, sizeof(failed) - 1) == 0;
}

/* Connects to the peer by a name, and counts the attempts. */
static void connect_to(const char* name, const peer_t* peer, call_t* call,
                       attempts_t* attempts) {
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_session_t* s;
  fixture_t f;
  memset(call, 0, sizeof(*call));
  memset(attempts, 0, sizeof(*attempts));
  fixture_start(&f);
  target.host = name;
  target.port = peer_port(peer);
  config.trace = count_attempts;
  config.trace_arg = attempts;
  assert_int_equal(0, uvsmtp_session_new(&s, f.env, &config));
  assert_int_equal(0,
                   CALL(call, &f, uvsmtp_connect(s, &target, on_call, call)));
  wait_for(call);
  close_session(&f, s);
  fixture_finish(&f);
}

/* scenario: 15. The first address refuses, the second is the server's; the
 * trace tells of both. */
static void test_second_works(void** state) {
  peer_t* peer = peer_answer(0);
  attempts_t attempts;
  call_t call;
  (void)state;
  connect_to("54", peer, &call, &attempts);
  assert_int_equal(0, call.status);
  assert_int_equal(2, attempts.made);
  assert_int_equal(1, attempts.failed);
  assert_null(peer_finish(peer, NULL));
}

/* scenario: 2. A server that refuses has answered: its other address would do
 * no better. */
static void test_refused_by_the_first(void** state) {
  peer_t* peer = peer_play(0, "S 554 no\n EOF");
  attempts_t attempts;
  call_t call;
  (void)state;
  connect_to("44", peer, &call, &attempts);
  assert_int_equal(UVSMTP_ECONNECT, call.status);
  assert_int_equal(554, call.code);
  assert_int_equal(1, attempts.made);
  assert_int_equal(0, attempts.failed);
  assert_peer_done(peer);
}

/* That an address isn't of the family that we connect from is the least of all
 * reasons: the last other one is told. */
static void test_reason(void** state) {
  int fd;
  int port;
  (void)state;
  if (!net_have_ipv6()) skip();
  port = net_closed_port(&fd);
  assert_int_equal(UV_ECONNREFUSED, cause("46", port, NULL));
  assert_int_equal(UV_ECONNREFUSED, cause("46", port, "127.0.0.1"));
  assert_int_equal(UV_ECONNREFUSED, cause("64", port, "127.0.0.1"));
  assert_int_equal(UV_ECONNREFUSED, cause("46", port, "::1"));
  assert_int_equal(UV_ECONNREFUSED, cause("64", port, "::1"));
  assert_int_equal(UV_ECONNREFUSED, cause("6464", port, "::1"));
  assert_int_equal(UV_EAFNOSUPPORT, cause("44", port, "::1"));
  assert_int_equal(UV_EAFNOSUPPORT, cause("6", port, "127.0.0.1"));
  close(fd);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_reason), TEST(test_second_works),
                                     TEST(test_refused_by_the_first)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
