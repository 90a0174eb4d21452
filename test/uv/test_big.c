/* SPDX-License-Identifier: MIT */
/* test_big.c: a message of 100 MiB from memory costs at most 2 MiB beside the
 * caller's buffer, by DATA and by BDAT, clean or with every line to be changed.
 *
 *   test_big SINK: the path of the loopback server
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "uvsmtp.h"

/* Sanitizers keep shadows and quarantines: the kernel's figure then says
 * nothing about us. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define MIB (1024u * 1024u)
#define SIZE (100u * MIB)
#define ALLOWED (2u * MIB)

static const char* sink_path;

typedef struct heap_s {
  size_t now;
  size_t peak;
} heap_t;

static void* counted(void* data, void* ptr, size_t old_size, size_t new_size) {
  heap_t* h = data;
  void* to = NULL;
  if (ptr == NULL) old_size = 0;
  if (new_size == 0)
    free(ptr);
  else if ((to = realloc(ptr, new_size)) == NULL)
    return NULL;
  h->now += new_size - old_size;
  if (h->now > h->peak) h->peak = h->now;
  return to;
}

/* The most memory that this process has had resident, in octets. */
static size_t high_water(void) {
  char line[256];
  unsigned long kib = 0;
  FILE* in = fopen("/proc/self/status", "r");
  assert_non_null(in);
  while (fgets(line, sizeof(line), in) != NULL)
    if (sscanf(line, "VmHWM: %lu", &kib) == 1) break;
  fclose(in);
  return (size_t)kib * 1024;
}

static pid_t start_sink(int* port) {
  int fds[2];
  char ready[256] = "";
  const char* at;
  pid_t pid;
  ssize_t n;
  assert_int_equal(pipe(fds), 0);
  pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    (void)dup2(fds[1], 1);
    close(fds[0]);
    close(fds[1]);
    execl(sink_path, sink_path, "--size", "200000000", (char*)NULL);
    _exit(127);
  }
  close(fds[1]);
  n = read(fds[0], ready, sizeof(ready) - 1);
  close(fds[0]);
  assert_true(n > 0);
  at = strstr(ready, "smtp=");
  assert_non_null(at);
  *port = atoi(at + 5);
  return pid;
}

typedef struct outcome_s {
  int status;
  uint64_t octets;
} outcome_t;

static void sent(uvsmtp_session_t* s, const uvsmtp_result_t* r, void* data) {
  outcome_t* o = data;
  (void)s;
  o->status = uvsmtp_result_status(r);
  o->octets = uvsmtp_result_octets(r);
}

static void quit(uvsmtp_session_t* s, const uvsmtp_result_t* r, void* data) {
  (void)r;
  (void)data;
  assert_int_equal(uvsmtp_session_close(s, NULL, NULL), 0);
}

static void send_it(const char* text, unsigned int flags, int port,
                    uint64_t octets) {
  heap_t heap = {0, 0};
  uvsmtp_mem_t mem = {sizeof(mem), counted, &heap};
  uvsmtp_env_config_t env_config = UVSMTP_ENV_CONFIG_INIT;
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_message_t m = UVSMTP_MESSAGE_INIT;
  const uvsmtp_rcpt_t rcpt = UVSMTP_RCPT_INIT("b@y.example");
  const uvsmtp_rcpt_t* const list[] = {&rcpt};
  uvsmtp_memory_source_t body;
  outcome_t outcome = {-1, 0};
  uvsmtp_env_t* env;
  uvsmtp_session_t* s;
  uv_loop_t loop;
  size_t before = high_water();
  env_config.mem = &mem;
  target.host = "127.0.0.1";
  target.port = port;
  config.target = &target;
  uvsmtp_source_memory(&body, text, SIZE);
  m.from = "a@x.example";
  m.rcpts = list;
  m.nrcpts = 1;
  m.body = &body.source;
  m.flags = flags;
  assert_int_equal(uv_loop_init(&loop), 0);
  assert_int_equal(uvsmtp_env_new(&env, &loop, &env_config), 0);
  assert_int_equal(uvsmtp_session_new(&s, env, &config), 0);
  assert_int_equal(uvsmtp_connect(s, NULL, NULL, NULL), 0);
  assert_int_equal(uvsmtp_send(s, &m, sent, &outcome), 0);
  assert_int_equal(uvsmtp_quit(s, quit, NULL), 0);
  assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(uvsmtp_env_close(env, NULL, NULL), 0);
  assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
  assert_int_equal(uv_loop_close(&loop), 0);
  assert_int_equal(outcome.status, 0);
  assert_true(outcome.octets == octets);
  printf("# heap %zu, resident %zu octets beside the text\n", heap.peak,
         high_water() - before);
  assert_true(heap.peak <= ALLOWED);
  assert_int_equal(heap.now, 0);
  if (!SANITIZED) assert_true(high_water() - before <= ALLOWED);
}

static void fill(char* text, const char* line) {
  size_t n = strlen(line);
  size_t at;
  for (at = 0; at < SIZE; at += n)
    memcpy(text + at, line, at + n <= SIZE ? n : SIZE - at);
  memcpy(text + SIZE - 2, "\r\n", 2);
}

static uint64_t count_dots(const char* text) {
  uint64_t n = text[0] == '.';
  const char* at = text;
  const char* end = text + SIZE;
  while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL && ++at < end)
    n += *at == '.';
  return n;
}

static void at_most_two_mebibytes(void** state) {
  static const char clean[] =
      "An ordinary line of seventy-six octets, as most of the mail there is: "
      "x\r\n";
  static const char dotted[] =
      ".A line that begins with a dot, and so must be changed on its way out."
      "\r\n";
  char* text = malloc(SIZE);
  int port = 0;
  pid_t pid;
  (void)state;
  assert_non_null(text);
  pid = start_sink(&port);
  fill(text, clean);
  send_it(text, UVSMTP_MESSAGE_NO_CHUNKING, port, SIZE);
  send_it(text, 0, port, SIZE);
  fill(text, dotted);
  send_it(text, UVSMTP_MESSAGE_NO_CHUNKING, port, SIZE + count_dots(text));
  send_it(text, 0, port, SIZE);
  assert_int_equal(kill(pid, SIGTERM), 0);
  assert_int_equal(waitpid(pid, NULL, 0), pid);
  free(text);
}

int main(int argc, char** argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(at_most_two_mebibytes),
  };
  if (argc != 2) return 64;
  sink_path = argv[1];
  return cmocka_run_group_tests(tests, NULL, NULL);
}
