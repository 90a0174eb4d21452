/* SPDX-License-Identifier: MIT */
/* idle.c: what a session costs while it waits. Opens N sessions to a server on
 * loopback, says EHLO on each and stops there; prints the heap that the library
 * holds for one (by its own allocator hook) and what the process holds (by the
 * C library and by the kernel).
 *
 *   uvsmtp-idle PORT [SESSIONS]
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "uvsmtp.h"

typedef struct bench_s {
  uvsmtp_session_t** sessions;
  long wanted;
  long started;
  long ready;
  long failed;
  int port;
  size_t heap; /* octets that the library has asked for and not given back */
} bench_t;

/* Sessions being opened at a time: the server's backlog is finite. */
enum { AT_ONCE = 64 };

static void* counted(void* data, void* ptr, size_t old_size, size_t new_size) {
  bench_t* b = data;
  void* to;
  if (new_size == 0) {
    free(ptr);
    b->heap -= old_size;
    return NULL;
  }
  to = realloc(ptr, new_size);
  if (to == NULL) return NULL;
  if (ptr == NULL) old_size = 0;
  b->heap += new_size - old_size;
  return to;
}

/* Resident octets of this process. */
static size_t resident(void) {
  unsigned long size = 0;
  unsigned long pages = 0;
  FILE* in = fopen("/proc/self/statm", "r");
  if (in == NULL) return 0;
  if (fscanf(in, "%lu %lu", &size, &pages) != 2) pages = 0;
  fclose(in);
  return pages * 4096;
}

static size_t process_heap(void) {
  struct mallinfo2 m = mallinfo2();
  return m.uordblks + m.hblkhd;
}

static void open_next(bench_t* b, uvsmtp_env_t* env);

static void greeted(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                    void* data) {
  bench_t* b = data;
  if (uvsmtp_result_status(result) != 0) {
    if (b->failed++ == 0)
      fprintf(stderr, "a session failed: %s\n",
              uvsmtp_strerror(uvsmtp_result_status(result)));
  } else {
    b->ready++;
  }
  open_next(b, uvsmtp_session_env(session));
  if (b->ready + b->failed == b->wanted)
    uv_stop(uvsmtp_env_loop(uvsmtp_session_env(session)));
}

static void open_next(bench_t* b, uvsmtp_env_t* env) {
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_session_t* s;
  if (b->started == b->wanted) return;
  target.host = "127.0.0.1";
  target.port = b->port;
  config.target = &target;
  config.local_name = "bench.example";
  if (uvsmtp_session_new(&s, env, &config) != 0 ||
      uvsmtp_connect(s, NULL, NULL, NULL) != 0 ||
      uvsmtp_ehlo(s, NULL, greeted, b) != 0) {
    fprintf(stderr, "no memory\n");
    exit(1);
  }
  b->sessions[b->started++] = s;
}

static void raise_limit(long sessions) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < (rlim_t)sessions + 64)
    fprintf(stderr, "only %lu descriptors may be open\n",
            (unsigned long)limit.rlim_cur);
}

static void print(const bench_t* b, size_t heap, size_t process, size_t rss) {
  double n = (double)b->ready;
  printf("%ld idle sessions after EHLO\n", b->ready);
  printf("  heap of the library    %8.0f octets a session\n",
         (double)(b->heap - heap) / n);
  printf("  heap of the process    %8.0f octets a session (libuv included)\n",
         (double)(process_heap() - process) / n);
  printf("  resident memory        %8.0f octets a session\n",
         (double)(resident() - rss) / n);
}

int main(int argc, char** argv) {
  static bench_t b;
  uvsmtp_mem_t mem = {sizeof(mem), counted, &b};
  uvsmtp_env_config_t config = UVSMTP_ENV_CONFIG_INIT;
  uvsmtp_env_t* env;
  uv_loop_t loop;
  size_t heap;
  size_t process;
  size_t rss;
  long i;
  if (argc < 2) {
    fprintf(stderr, "usage: uvsmtp-idle PORT [SESSIONS]\n");
    return 64;
  }
  b.port = atoi(argv[1]);
  b.wanted = argc > 2 ? atol(argv[2]) : 9000;
  if (b.wanted < 1) return 64;
  raise_limit(b.wanted);
  b.sessions = calloc((size_t)b.wanted, sizeof(*b.sessions));
  config.mem = &mem;
  if (b.sessions == NULL || uv_loop_init(&loop) != 0 ||
      uvsmtp_env_new(&env, &loop, &config) != 0)
    return 71;
  heap = b.heap;
  process = process_heap();
  rss = resident();
  for (i = 0; i < AT_ONCE; i++) open_next(&b, env);
  (void)uv_run(&loop, UV_RUN_DEFAULT);
  if (b.ready > 0) print(&b, heap, process, rss);
  for (i = 0; i < b.started; i++)
    (void)uvsmtp_session_close(b.sessions[i], NULL, NULL);
  (void)uv_run(&loop, UV_RUN_DEFAULT);
  (void)uvsmtp_env_close(env, NULL, NULL);
  (void)uv_run(&loop, UV_RUN_DEFAULT);
  if (uv_loop_close(&loop) != 0 || b.heap != 0) {
    fprintf(stderr, "something was left behind\n");
    return 70;
  }
  free(b.sessions);
  return b.failed == 0 ? 0 : 69;
}
