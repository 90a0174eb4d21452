/* SPDX-License-Identifier: MIT */
/* test_open.c: connections that were made elsewhere: by descriptor or by
 * stream, with what was read from them already. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "double.h"
#include "net.h"

/* A socket that is connected to the peer. */
static int dial(const peer_t* peer) {
  struct sockaddr_storage addr;
  struct sockaddr_un* un = (struct sockaddr_un*)&addr;
  socklen_t len;
  int fd;
  if (peer_host(peer)[0] == '/') {
    memset(&addr, 0, sizeof(addr));
    un->sun_family = AF_UNIX;
    snprintf(un->sun_path, sizeof(un->sun_path), "%s", peer_host(peer));
    len = sizeof(*un);
  } else {
    len = net_address(&addr, peer_host(peer), peer_port(peer));
  }
  fd = socket(addr.ss_family, SOCK_STREAM, 0);
  assert_true(fd > 2);
  assert_int_equal(0, connect(fd, (struct sockaddr*)&addr, len));
  return fd;
}

static int open_fd(call_t* call, fixture_t* f, uvsmtp_session_t* s, int fd,
                   const char* early) {
  uvsmtp_connection_t connection = UVSMTP_CONNECTION_INIT;
  char copy[256] = "";
  int err;
  connection.fd = fd;
  if (early != NULL) {
    connection.early.base = strcpy(copy, early);
    connection.early.len = strlen(early);
  }
  err = CALL(call, f, uvsmtp_open(s, &connection, on_call, call));
  memset(copy, 'x', sizeof(copy)); /* it was copied */
  return err;
}

/* ------------------------------------------------------------- descriptors */

static void test_fd(void** state) {
  static const int flags[] = {0, PEER_UNIX};
  size_t i;
  (void)state;
  for (i = 0; i < 2; i++) {
    peer_t* peer = peer_answer(flags[i]);
    call_t call, noop;
    uv_os_fd_t mine = -1;
    fixture_t f;
    uvsmtp_session_t* s;
    int fd = dial(peer);
    memset(&call, 0, sizeof(call));
    memset(&noop, 0, sizeof(noop));
    fixture_start(&f);
    s = open_session(&f, NULL, NULL);
    assert_int_equal(0, open_fd(&call, &f, s, fd, NULL));
    assert_int_equal(UV_EALREADY, open_fd(&noop, &f, s, fd, NULL));
    assert_int_equal(UV_EALREADY, uvsmtp_connect(s, NULL, NULL, NULL));
    assert_int_equal(0, CALL(&noop, &f, uvsmtp_hello(s, on_call, &noop)));
    wait_for(&call);
    assert_int_equal(0, call.status);
    assert_int_equal(220, call.code);
    assert_int_equal(0, uvsmtp_session_attempt_count(s));
    wait_for(&noop);
    assert_int_equal(0, noop.status);
    assert_int_equal(UV_EISCONN, open_fd(&noop, &f, s, fd, NULL));
    /* Taken as it is, but for what a child must not inherit. */
    assert_int_equal(0, uvsmtp_session_fileno(s, &mine));
    assert_int_equal(fd, mine);
    assert_int_equal(FD_CLOEXEC, fcntl(fd, F_GETFD));
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    close_session(&f, s);
    assert_int_equal(-1, fcntl(fd, F_GETFD));
    fixture_finish(&f);
    assert_null(peer_finish(peer, NULL));
  }
}

/* Both ends are ours: nobody listens anywhere. */
static void test_socketpair(void** state) {
  static const char greeting[] = "220 pair\r\n";
  char line[64] = "";
  fixture_t f;
  call_t call;
  uvsmtp_session_t* s;
  int fds[2];
  (void)state;
  memset(&call, 0, sizeof(call));
  assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  fixture_start(&f);
  s = open_session(&f, NULL, NULL);
  assert_int_equal(0, open_fd(&call, &f, s, fds[0], NULL));
  assert_int_equal(sizeof(greeting) - 1,
                   write(fds[1], greeting, sizeof(greeting) - 1));
  wait_for(&call);
  assert_int_equal(0, call.status);
  assert_string_equal("pair", call.text);
  assert_int_equal(0, CALL(&call, &f, uvsmtp_noop(s, on_call, &call)));
  run_for(&f, 1);
  assert_int_equal(6, read(fds[1], line, sizeof(line)));
  assert_string_equal("NOOP\r\n", line);
  close_session(&f, s);
  assert_int_equal(1, call.times);
  assert_int_equal(0, read(fds[1], line, sizeof(line)));
  close(fds[1]);
  fixture_finish(&f);
}

/* TCP_NODELAY, as on connections of our own. */
static void test_no_delay(void** state) {
  peer_t* peer = peer_answer(0);
  fixture_t f;
  call_t call;
  uvsmtp_session_t* s;
  int fd = dial(peer);
  int on = 0;
  socklen_t len = sizeof(on);
  (void)state;
  memset(&call, 0, sizeof(call));
  fixture_start(&f);
  s = open_session(&f, NULL, NULL);
  assert_int_equal(0, open_fd(&call, &f, s, fd, NULL));
  wait_for(&call);
  assert_int_equal(0, getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len));
  assert_true(on != 0);
  close_session(&f, s);
  fixture_finish(&f);
  assert_null(peer_finish(peer, NULL));
}

/* Another target afterwards, and another descriptor. */
static void test_again(void** state) {
  peer_t* peer = peer_answer(0);
  fixture_t f;
  call_t call;
  uvsmtp_session_t* s;
  int i;
  (void)state;
  memset(&call, 0, sizeof(call));
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  for (i = 0; i < 4; i++) {
    if (i % 2 == 0) {
      assert_int_equal(0, open_fd(&call, &f, s, dial(peer), NULL));
    } else {
      assert_int_equal(
          0, CALL(&call, &f, uvsmtp_connect(s, NULL, on_call, &call)));
    }
    wait_for(&call);
    assert_int_equal(0, call.status);
    assert_int_equal(0, CALL(&call, &f, uvsmtp_quit(s, on_call, &call)));
    wait_for(&call);
  }
  close_session(&f, s);
  fixture_finish(&f);
  assert_null(peer_finish(peer, NULL));
}

/* The number of a standard stream, as inetd gives it: it ends up on /dev/null,
 * and the connection ends with the session. */
static void test_standard_stream(void** state) {
  static const char greeting[] = "220 pair\r\n";
  struct stat null, now;
  fixture_t f;
  call_t call;
  uvsmtp_session_t* s;
  char end[8];
  int fds[2];
  int saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
  int i;
  (void)state;
  assert_true(saved >= 0);
  assert_int_equal(0, stat("/dev/null", &null));
  for (i = 0; i < 2; i++) {
    memset(&call, 0, sizeof(call));
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    assert_int_equal(STDIN_FILENO, dup2(fds[0], STDIN_FILENO));
    close(fds[0]);
    fixture_start(&f);
    s = open_session(&f, NULL, NULL);
    assert_int_equal(0, open_fd(&call, &f, s, STDIN_FILENO, NULL));
    assert_int_equal(0, fstat(STDIN_FILENO, &now));
    assert_int_equal(null.st_rdev, now.st_rdev);
    if (i == 0) {
      assert_int_equal(sizeof(greeting) - 1,
                       write(fds[1], greeting, sizeof(greeting) - 1));
      wait_for(&call);
      assert_int_equal(0, call.status);
    }
    close_session(&f, s);
    assert_int_equal(1, call.times);
    assert_int_equal(0, read(fds[1], end, sizeof(end)));
    close(fds[1]);
    fixture_finish(&f);
  }
  assert_int_equal(STDIN_FILENO, dup2(saved, STDIN_FILENO));
  close(saved);
}

/* ------------------------------------------------------------ early octets */

static void early(const char* octets, const char* script, int status,
                  const char* text) {
  peer_t* peer = peer_play(0, script);
  fixture_t f;
  call_t call, hello;
  uvsmtp_session_t* s;
  memset(&call, 0, sizeof(call));
  memset(&hello, 0, sizeof(hello));
  fixture_start(&f);
  s = open_session(&f, NULL, NULL);
  assert_int_equal(0, open_fd(&call, &f, s, dial(peer), octets));
  assert_int_equal(0, CALL(&hello, &f, uvsmtp_hello(s, on_call, &hello)));
  wait_for(&call);
  assert_int_equal(status, call.status);
  assert_string_equal(text, call.text);
  wait_for(&hello);
  if (status == 0) assert_int_equal(0, hello.status);
  close_session(&f, s);
  fixture_finish(&f);
  if (status == 0) assert_null(peer_finish(peer, NULL));
  if (status != 0) peer_finish(peer, NULL);
}

static void test_early(void** state) {
  (void)state;
  early("220 all of it\r\n", "C EHLO\n S 250 peer", 0, "all of it");
  early("220 all", "S  of it\n C EHLO\n S 250 peer", 0, "all of it");
  early("220-two\r\n22", "S 0 lines\n C EHLO\n S 250 peer", 0, "two\nlines");
  early("2", "S 20 it\n C EHLO\n S 250 peer", 0, "it");
  early("", "S 220 it\n C EHLO\n S 250 peer", 0, "it");
  early("554 go away\r\n", "EOF", UVSMTP_ECONNECT, "go away");
  early("SSH-2.0-x\r\n", "EOF", UVSMTP_EPROTOCOL, "");
}

/* A server that speaks before it is spoken to is no better for having done so
 * early. */
static void test_early_too_much(void** state) {
  peer_t* peer = peer_play(0, "EOF");
  fixture_t f;
  call_t call, hello;
  uvsmtp_session_t* s;
  (void)state;
  memset(&call, 0, sizeof(call));
  memset(&hello, 0, sizeof(hello));
  fixture_start(&f);
  s = open_session(&f, NULL, NULL);
  assert_int_equal(0,
                   open_fd(&call, &f, s, dial(peer), "220 hi\r\n250 peer\r\n"));
  assert_int_equal(0, CALL(&hello, &f, uvsmtp_hello(s, on_call, &hello)));
  wait_for(&hello);
  assert_int_not_equal(0, hello.status);
  close_session(&f, s);
  fixture_finish(&f);
  peer_finish(peer, NULL);
}

/* ----------------------------------------------------------------- streams */

typedef struct handle_s {
  uv_tcp_t tcp;
  uv_pipe_t pipe;
  uv_connect_t req;
  uv_stream_t* stream;
  int connected;
  int closed;
} handle_t;

static void on_connected(uv_connect_t* req, int status) {
  handle_t* h = req->data;
  assert_int_equal(0, status);
  h->connected = 1;
}

static void on_handle_closed(uv_handle_t* handle) {
  ((handle_t*)handle->data)->closed = 1;
}

static void no_read(uv_stream_t* stream, ssize_t n, const uv_buf_t* buf) {
  (void)stream;
  (void)n;
  (void)buf;
  fail();
}

static void no_alloc(uv_handle_t* handle, size_t size, uv_buf_t* buf) {
  (void)handle;
  (void)size;
  (void)buf;
}

static void handle_connect(handle_t* h, fixture_t* f, const peer_t* peer) {
  memset(h, 0, sizeof(*h));
  h->req.data = h;
  if (peer_host(peer)[0] == '/') {
    h->stream = (uv_stream_t*)&h->pipe;
    uv_pipe_init(&f->loop, &h->pipe, 0);
    uv_pipe_connect(&h->req, &h->pipe, peer_host(peer), on_connected);
  } else {
    struct sockaddr_storage addr;
    net_address(&addr, peer_host(peer), peer_port(peer));
    h->stream = (uv_stream_t*)&h->tcp;
    uv_tcp_init(&f->loop, &h->tcp);
    assert_int_equal(
        0, uv_tcp_connect(&h->req, &h->tcp, (const struct sockaddr*)&addr,
                          on_connected));
  }
  h->stream->data = h;
}

static void streamed(int flags, int close_at_once) {
  peer_t* peer = peer_answer(flags);
  uvsmtp_connection_t connection = UVSMTP_CONNECTION_INIT;
  handle_t h;
  fixture_t f;
  call_t call, hello;
  uvsmtp_session_t* s;
  memset(&call, 0, sizeof(call));
  memset(&hello, 0, sizeof(hello));
  fixture_start(&f);
  s = open_session(&f, NULL, NULL);
  handle_connect(&h, &f, peer);
  connection.stream = h.stream;
  run_until(&f, &h.connected, 1);
  /* Not while it is read. */
  uv_read_start(h.stream, no_alloc, no_read);
  assert_int_equal(UV_EINVAL, uvsmtp_open(s, &connection, NULL, NULL));
  uv_read_stop(h.stream);
  assert_int_equal(
      0, CALL(&call, &f, uvsmtp_open(s, &connection, on_call, &call)));
  if (close_at_once) uv_close((uv_handle_t*)h.stream, on_handle_closed);
  assert_int_equal(0, CALL(&hello, &f, uvsmtp_hello(s, on_call, &hello)));
  wait_for(&hello);
  assert_int_equal(0, call.status);
  assert_int_equal(0, hello.status);
  close_session(&f, s);
  if (!close_at_once) uv_close((uv_handle_t*)h.stream, on_handle_closed);
  run_until(&f, &h.closed, 1);
  fixture_finish(&f);
  assert_null(peer_finish(peer, NULL));
}

static void test_stream(void** state) {
  (void)state;
  streamed(0, 0);
  streamed(0, 1);
  streamed(PEER_UNIX, 0);
  streamed(PEER_UNIX, 1);
}

/* ----------------------------------------------------------------- nonsense */

static void refused(fixture_t* f, uvsmtp_session_t* s, int fd, int err) {
  call_t call;
  memset(&call, 0, sizeof(call));
  assert_int_equal(err, open_fd(&call, f, s, fd, NULL));
  run_for(f, 1);
  assert_int_equal(0, call.times);
}

static void test_bad_descriptors(void** state) {
  peer_t* peer = peer_answer(0);
  fixture_t f;
  uvsmtp_session_t* s;
  int pipes[2];
  int pair[2];
  int fd;
  (void)state;
  fixture_start(&f);
  s = open_session(&f, NULL, NULL);
  refused(&f, s, -1, UV_EINVAL);
  refused(&f, s, -2, UV_EBADF);
  refused(&f, s, 100000, UV_EBADF);
  assert_int_equal(0, pipe(pipes));
  refused(&f, s, pipes[0], UV_ENOTSOCK);
  close(pipes[0]);
  close(pipes[1]);
  fd = socket(AF_INET, SOCK_STREAM, 0);
  refused(&f, s, fd, UV_ENOTCONN);
  assert_int_equal(0, listen(fd, 1));
  refused(&f, s, fd, UV_ENOTCONN);
  assert_int_equal(0, close(fd)); /* it was not taken */
  assert_int_equal(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
  refused(&f, s, pair[0], UV_EINVAL);
  close(pair[0]);
  close(pair[1]);
  /* A session that is being closed takes nothing. */
  fd = dial(peer);
  assert_int_equal(0, uvsmtp_session_close(s, on_session_closed, &f));
  refused(&f, s, fd, UV_ECANCELED);
  assert_int_equal(0, close(fd));
  run_until(&f, &f.closed, 1);
  fixture_finish(&f);
  assert_null(peer_finish(peer, NULL));
}

static void test_bad_connections(void** state) {
  peer_t* peer = peer_answer(0);
  uvsmtp_connection_t connection = UVSMTP_CONNECTION_INIT;
  uv_loop_t elsewhere;
  uv_tcp_t foreign;
  uv_timer_t timer;
  handle_t h;
  fixture_t f;
  uvsmtp_session_t* s;
  int fd = dial(peer);
  (void)state;
  fixture_start(&f);
  s = open_session(&f, NULL, NULL);
  assert_int_equal(UV_EINVAL, uvsmtp_open(s, NULL, NULL, NULL));
  assert_int_equal(UV_EINVAL, uvsmtp_open(s, &connection, NULL, NULL));
  uv_tcp_init(&f.loop, &foreign);
  connection.stream = (uv_stream_t*)&foreign;
  assert_int_equal(UV_ENOTCONN, uvsmtp_open(s, &connection, NULL, NULL));
  uv_close((uv_handle_t*)&foreign, NULL);
  run_for(&f, 1);
  handle_connect(&h, &f, peer);
  connection.stream = h.stream;
  run_until(&f, &h.connected, 1);
  connection.fd = fd; /* both */
  assert_int_equal(UV_EINVAL, uvsmtp_open(s, &connection, NULL, NULL));
  connection.stream = NULL;
  connection.size = offsetof(uvsmtp_connection_t, early);
  assert_int_equal(UV_EINVAL, uvsmtp_open(s, &connection, NULL, NULL));
  connection.size = sizeof(connection);
  connection.early.len = 1;
  assert_int_equal(UV_EINVAL, uvsmtp_open(s, &connection, NULL, NULL));
  connection.early.len = 0;
  connection.fd = -1;
  uv_timer_init(&f.loop, &timer);
  connection.stream = (uv_stream_t*)&timer;
  assert_int_equal(UV_EINVAL, uvsmtp_open(s, &connection, NULL, NULL));
  uv_close((uv_handle_t*)&timer, NULL);
  assert_int_equal(0, uv_loop_init(&elsewhere));
  uv_tcp_init(&elsewhere, &foreign);
  connection.stream = (uv_stream_t*)&foreign;
  assert_int_equal(UV_EINVAL, uvsmtp_open(s, &connection, NULL, NULL));
  uv_close((uv_handle_t*)&foreign, NULL);
  uv_run(&elsewhere, UV_RUN_DEFAULT);
  assert_int_equal(0, uv_loop_close(&elsewhere));
  uv_close((uv_handle_t*)h.stream, on_handle_closed);
  connection.stream = h.stream;
  assert_int_equal(UV_EINVAL, uvsmtp_open(s, &connection, NULL, NULL));
  run_until(&f, &h.closed, 1);
  close(fd);
  close_session(&f, s);
  fixture_finish(&f);
  assert_null(peer_finish(peer, NULL));
}

/* ----------------------------------------------------------------- closing */

/* Closed before its turn comes, and in each of the first turns. */
static void test_close(void** state) {
  int turns;
  (void)state;
  for (turns = 0; turns < 6; turns++) {
    fixture_t f;
    call_t call;
    uvsmtp_session_t* s;
    char end;
    int fds[2];
    int i;
    memset(&call, 0, sizeof(call));
    assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
    fixture_start(&f);
    s = open_session(&f, NULL, NULL);
    assert_int_equal(0, open_fd(&call, &f, s, fds[0], "220 ear"));
    for (i = 0; i < turns; i++) uv_run(&f.loop, UV_RUN_NOWAIT);
    assert_int_equal(0, call.times);
    close_session(&f, s);
    assert_int_equal(1, call.times);
    assert_int_equal(UV_ECANCELED,
                     call.status == UVSMTP_ECONNECT ? call.cause : call.status);
    assert_int_equal(0, read(fds[1], &end, 1));
    close(fds[1]);
    fixture_finish(&f);
  }
}

/* The other end has gone: that is noticed in its turn. */
static void test_gone(void** state) {
  fixture_t f;
  call_t call;
  uvsmtp_session_t* s;
  int fds[2];
  (void)state;
  memset(&call, 0, sizeof(call));
  assert_int_equal(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  close(fds[1]);
  fixture_start(&f);
  s = open_session(&f, NULL, NULL);
  assert_int_equal(0, open_fd(&call, &f, s, fds[0], NULL));
  wait_for(&call);
  assert_int_not_equal(0, call.status);
  assert_int_equal(UVSMTP_STATE_GREETING, call.stage);
  close_session(&f, s);
  fixture_finish(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_fd),
      TEST(test_socketpair),
      TEST(test_no_delay),
      TEST(test_again),
      TEST(test_standard_stream),
      TEST(test_early),
      TEST(test_early_too_much),
      TEST(test_stream),
      TEST(test_bad_descriptors),
      TEST(test_bad_connections),
      TEST(test_close),
      TEST(test_gone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
