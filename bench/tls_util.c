/* SPDX-License-Identifier: MIT */
/* tls_util.c: clocks, medians, children. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tls_bench.h"

void die(const char* format, ...) {
  va_list args;
  va_start(args, format);
  fputs("uvsmtp-tls-bench: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  exit(1);
}

static double clock_us(clockid_t clock) {
  struct timespec t;
  if (clock_gettime(clock, &t) != 0) die("no clock");
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

double cpu_us(void) { return clock_us(CLOCK_PROCESS_CPUTIME_ID); }

double wall_us(void) { return clock_us(CLOCK_MONOTONIC); }

size_t heap_octets(void) {
  struct mallinfo2 m = mallinfo2();
  return m.uordblks + m.hblkhd;
}

static int by_value(const void* a, const void* b) {
  double x = *(const double*)a;
  double y = *(const double*)b;
  return x < y ? -1 : x > y;
}

spread_t spread_of(const double* values, int n) {
  double sorted[ROUNDS_MAX];
  spread_t s;
  if (n < 1 || n > ROUNDS_MAX) die("%d rounds", n);
  memcpy(sorted, values, (size_t)n * sizeof(*values));
  qsort(sorted, (size_t)n, sizeof(*sorted), by_value);
  s.median =
      n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
  s.min = sorted[0];
  s.max = sorted[n - 1];
  return s;
}

static int word_number(const char* line, const char* name) {
  char key[32];
  const char* at;
  snprintf(key, sizeof(key), " %s=", name);
  at = strstr(line, key);
  return at == NULL ? 0 : atoi(at + strlen(key));
}

void child_of(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(70);
}

static void become(const char* const* argv, int out) {
  dup2(out, STDOUT_FILENO);
  execv(argv[0], (char* const*)argv);
  fprintf(stderr, "uvsmtp-tls-bench: %s: %s\n", argv[0], strerror(errno));
  _exit(127);
}

void server_start(server_t* s, const char* const* argv) {
  char line[512];
  int ends[2];
  pid_t parent = getpid();
  memset(s, 0, sizeof(*s));
  if (pipe(ends) != 0) die("pipe: %s", strerror(errno));
  fflush(NULL);
  s->pid = fork();
  if (s->pid < 0) die("fork: %s", strerror(errno));
  if (s->pid == 0) {
    close(ends[0]);
    child_of(parent);
    become(argv, ends[1]);
  }
  close(ends[1]);
  s->out = fdopen(ends[0], "r");
  if (s->out == NULL || fgets(line, sizeof(line), s->out) == NULL ||
      strncmp(line, "READY", 5) != 0)
    die("%s did not start", argv[0]);
  s->smtp = word_number(line, "smtp");
  s->smtps = word_number(line, "smtps");
}

void server_stop(server_t* s) {
  kill(s->pid, SIGTERM);
  while (fgets(s->summary, sizeof(s->summary), s->out) != NULL) continue;
  fclose(s->out);
  waitpid(s->pid, NULL, 0);
}

uint64_t server_count(const server_t* s, const char* name) {
  return (uint64_t)word_number(s->summary, name);
}

const char* message_text(size_t octets) {
  static char* text;
  static size_t have;
  size_t i;
  if (octets < 2) die("a message of %zu octets", octets);
  if (have == octets) return text;
  free(text);
  text = malloc(octets);
  if (text == NULL) die("no memory");
  have = octets;
  for (i = 0; i < octets; i++) {
    size_t column = i % 78;
    text[i] = (char)(column == 76   ? '\r'
                     : column == 77 ? '\n'
                                    : 'a' + (int)(i / 78 + column) % 26);
  }
  text[octets - 2] = '\r';
  text[octets - 1] = '\n';
  if (octets > 2 && text[octets - 3] == '\r') text[octets - 3] = 'x';
  return text;
}
