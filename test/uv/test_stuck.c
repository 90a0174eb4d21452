/* SPDX-License-Identifier: MIT */
/* test_stuck.c: a file system that does not come back from a read, as one of a
 * server that has gone: neither the completion nor the session's close wait for
 * it; the environment's does. The system call is replaced by one that can be
 * stopped. */
#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fixture.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int gate; /* 1: the next reads are stuck */
static int inside;

static ssize_t slow_read(int fd, void* buf, size_t n, off_t offset) {
  pthread_mutex_lock(&lock);
  inside += gate;
  while (gate) pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
  return syscall(SYS_pread64, fd, buf, n, offset);
}

/* What libuv calls, by both of the names that it has. */
ssize_t small_pread(int fd, void* buf, size_t n, off_t offset) __asm__("pread");
ssize_t large_pread(int fd, void* buf, size_t n,
                    off_t offset) __asm__("pread64");
ssize_t small_pread(int fd, void* buf, size_t n, off_t offset) {
  return slow_read(fd, buf, n, offset);
}
ssize_t large_pread(int fd, void* buf, size_t n, off_t offset) {
  return slow_read(fd, buf, n, offset);
}

static void set_gate(int shut) {
  pthread_mutex_lock(&lock);
  gate = shut;
  if (shut) inside = 0;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

static int is_inside(void) {
  int n;
  pthread_mutex_lock(&lock);
  n = inside;
  pthread_mutex_unlock(&lock);
  return n;
}

static void on_env_closed(uvsmtp_env_t* env, void* flag) {
  (void)env;
  *(int*)flag = 1;
}

static void test_stuck(void** state) {
  fixture_t f;
  call_t connect, send;
  letter_t letter;
  uvsmtp_session_t* s;
  uvsmtp_source_t* source = NULL;
  peer_t* peer = peer_answer(PEER_UNIX);
  int closed = 0;
  int i;
  (void)state;
  memset(&connect, 0, sizeof(connect));
  memset(&send, 0, sizeof(send));
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  assert_int_equal(
      0, CALL(&connect, &f, uvsmtp_connect(s, NULL, on_call, &connect)));
  wait_for(&connect);
  set_gate(1);
  assert_int_equal(0, uvsmtp_source_path(&source, s, "/proc/self/exe"));
  letter_init(&letter, "a@example.com", "b@example.org", "", 0);
  letter.message.body = source;
  assert_int_equal(
      0, CALL(&send, &f, uvsmtp_send(s, &letter.message, on_call, &send)));
  while (!is_inside() && send.times == 0) run_for(&f, 1);
  if (!is_inside()) {
    /* Another libuv, which reads in another way: it has sent the file. */
    set_gate(0);
    close_session(&f, s);
    fixture_finish(&f);
    peer_finish(peer, NULL);
    skip();
  }
  close_session(&f, s);
  assert_int_equal(UV_ECANCELED, send.status);
  assert_int_equal(0, uvsmtp_env_close(f.env, on_env_closed, &closed));
  for (i = 0; i < 100; i++) uv_run(&f.loop, UV_RUN_NOWAIT);
  assert_int_equal(0, closed);
  set_gate(0);
  run_until(&f, &closed, 1);
  assert_int_equal(0, uv_run(&f.loop, UV_RUN_DEFAULT));
  assert_int_equal(0, uv_loop_close(&f.loop));
  assert_int_equal(0, f.heap.blocks);
  assert_null(peer_finish(peer, NULL));
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_stuck)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
