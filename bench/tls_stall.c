/* SPDX-License-Identifier: MIT */
/* tls_stall.c: how long a loop is held up by handshakes. Sessions in clear text
 * send message after message, to a server of their own; beside them, on the
 * same loop, run handshakes with another server. What counts is the CPU time of
 * each turn of the loop: for so long nobody else was looked at. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tls_bench.h"
#include "uvsmtp.h"

enum { OCTETS = 1024 };

typedef struct loop_s {
  const stall_job_t* job;
  uv_loop_t loop;
  uv_prepare_t prepare;
  uv_timer_t tick;
  uv_timer_t over;
  uv_timer_t burst;
  uvsmtp_env_t* env;
  uvsmtp_tls_t* tls;
  struct worker_s* workers;
  uvsmtp_session_t** guests; /* that shake hands */
  int unfinished;
  bool measuring;
  bool stopping;
  double turn_began;
  double tick_due;
  double* turns;
  size_t nturns;
  size_t room;
  stall_t result;
} loop_t;

typedef struct worker_s {
  loop_t* l;
  uvsmtp_session_t* session;
  uvsmtp_memory_source_t body;
} worker_t;

static void check(int err, const char* what) {
  if (err != 0) die("%s: %s", what, uvsmtp_strerror(err));
}

/* ------------------------------------------------------------------- clocks */

static void note_turn(loop_t* l, double took) {
  if (l->nturns == l->room) {
    l->room = l->room == 0 ? 65536 : l->room * 2;
    l->turns = realloc(l->turns, l->room * sizeof(*l->turns));
    if (l->turns == NULL) die("no memory");
  }
  l->turns[l->nturns++] = took;
}

/* From one wait for the kernel to the next; the wait itself costs nothing. */
static void on_prepare(uv_prepare_t* handle) {
  loop_t* l = handle->data;
  double now = cpu_us();
  if (l->measuring) note_turn(l, now - l->turn_began);
  l->turn_began = now;
}

static void on_tick(uv_timer_t* handle) {
  loop_t* l = handle->data;
  double now = wall_us();
  double late = now - l->tick_due;
  if (l->measuring && late > l->result.lateness) l->result.lateness = late;
  l->tick_due = now + 1000;
}

static int by_value(const void* a, const void* b) {
  double x = *(const double*)a;
  double y = *(const double*)b;
  return x < y ? -1 : x > y;
}

/* ------------------------------------------------------------- busy sessions
 */

static void next_message(worker_t* w);

static void on_sent(uvsmtp_session_t* s, const uvsmtp_result_t* r, void* data) {
  worker_t* w = data;
  if (w->l->stopping) return;
  check(uvsmtp_result_status(r), "a busy session");
  if (w->l->measuring) w->l->result.messages++;
  (void)s;
  next_message(w);
}

static void next_message(worker_t* w) {
  static const uvsmtp_rcpt_t to = UVSMTP_RCPT_INIT("b@bench.example");
  static const uvsmtp_rcpt_t* const rcpts[] = {&to};
  uvsmtp_message_t message = UVSMTP_MESSAGE_INIT;
  uvsmtp_source_memory(&w->body, message_text(OCTETS), OCTETS);
  message.from = "a@bench.example";
  message.rcpts = rcpts;
  message.nrcpts = 1;
  message.body = &w->body.source;
  check(uvsmtp_send(w->session, &message, on_sent, w), "send");
}

static uvsmtp_session_t* open_session(loop_t* l, int port, int policy) {
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_session_t* s;
  target.host = "127.0.0.1";
  target.port = port;
  target.tls = policy;
  target.tls_name = "localhost";
  config.target = &target;
  config.local_name = "bench.example";
  check(uvsmtp_session_new(&s, l->env, &config), "session");
  check(uvsmtp_connect(s, NULL, NULL, NULL), "connect");
  return s;
}

/* ------------------------------------------------------------------- guests */

static void on_greeted(uvsmtp_session_t* s, const uvsmtp_result_t* r,
                       void* data) {
  loop_t* l = data;
  (void)s;
  if (l->stopping) return;
  check(uvsmtp_result_status(r), "a handshake");
  l->result.handshakes++;
  l->unfinished--;
}

static void on_burst(uv_timer_t* handle) {
  loop_t* l = handle->data;
  int i;
  if (l->unfinished > 0) return; /* where others need the machine, too */
  l->unfinished = l->job->guests;
  for (i = 0; i < l->job->guests; i++) {
    if (l->guests[i] != NULL)
      check(uvsmtp_session_close(l->guests[i], NULL, NULL), "close");
    l->guests[i] = open_session(l, l->job->guest_port, UVSMTP_TLS_IMPLICIT);
    check(uvsmtp_hello(l->guests[i], on_greeted, l), "hello");
  }
}

/* ---------------------------------------------------------------- the whole */

static void on_over(uv_timer_t* handle) {
  loop_t* l = handle->data;
  int i;
  if (!l->measuring) {
    /* All are under way: now it counts. */
    l->measuring = true;
    l->result.cpu = l->turn_began = cpu_us();
    l->tick_due = wall_us() + 1000;
    check(uv_timer_start(&l->tick, on_tick, 1, 1), "timer");
    if (l->job->guests > 0)
      check(uv_timer_start(&l->burst, on_burst, 0, l->job->burst_ms), "timer");
    check(uv_timer_start(&l->over, on_over, l->job->ms, 0), "timer");
    return;
  }
  l->measuring = false;
  l->stopping = true;
  l->result.cpu = cpu_us() - l->result.cpu;
  for (i = 0; i < l->job->busy; i++)
    check(uvsmtp_session_close(l->workers[i].session, NULL, NULL), "close");
  for (i = 0; i < l->job->guests; i++)
    if (l->guests[i] != NULL)
      check(uvsmtp_session_close(l->guests[i], NULL, NULL), "close");
  uv_close((uv_handle_t*)&l->prepare, NULL);
  uv_close((uv_handle_t*)&l->tick, NULL);
  uv_close((uv_handle_t*)&l->over, NULL);
  uv_close((uv_handle_t*)&l->burst, NULL);
}

static void begin(loop_t* l) {
  uvsmtp_tls_config_t tls = UVSMTP_TLS_CONFIG_INIT;
  uvsmtp_env_config_t env = UVSMTP_ENV_CONFIG_INIT;
  const char* reason = NULL;
  int i;
  tls.ca_file = l->job->ca;
  tls.flags = UVSMTP_TLS_NO_RESUMPTION;
  if (uvsmtp_tls_new(&l->tls, &tls, &reason) != 0) die("TLS: %s", reason);
  env.tls = l->tls;
  check(uv_loop_init(&l->loop), "loop");
  check(uvsmtp_env_new(&l->env, &l->loop, &env), "environment");
  (void)uv_prepare_init(&l->loop, &l->prepare);
  (void)uv_timer_init(&l->loop, &l->tick);
  (void)uv_timer_init(&l->loop, &l->over);
  (void)uv_timer_init(&l->loop, &l->burst);
  l->prepare.data = l->tick.data = l->over.data = l->burst.data = l;
  check(uv_prepare_start(&l->prepare, on_prepare), "prepare");
  check(uv_timer_start(&l->over, on_over, l->job->warm_ms, 0), "timer");
  l->workers = calloc((size_t)l->job->busy, sizeof(*l->workers));
  l->guests = calloc((size_t)l->job->guests + 1, sizeof(*l->guests));
  if (l->workers == NULL || l->guests == NULL) die("no memory");
  for (i = 0; i < l->job->busy; i++) {
    l->workers[i].l = l;
    l->workers[i].session = open_session(l, l->job->busy_port, UVSMTP_TLS_NONE);
    next_message(&l->workers[i]);
  }
}

stall_t stall_run(const stall_job_t* job) {
  static loop_t l;
  memset(&l, 0, sizeof(l));
  l.job = job;
  begin(&l);
  (void)uv_run(&l.loop, UV_RUN_DEFAULT);
  check(uvsmtp_env_close(l.env, NULL, NULL), "closing");
  (void)uv_run(&l.loop, UV_RUN_DEFAULT);
  check(uv_loop_close(&l.loop), "closing the loop");
  uvsmtp_tls_unref(l.tls);
  if (l.nturns == 0) die("the loop did not turn");
  qsort(l.turns, l.nturns, sizeof(*l.turns), by_value);
  l.result.typical = l.turns[l.nturns / 2];
  l.result.turn = l.turns[l.nturns - 1];
  free(l.turns);
  free(l.workers);
  free(l.guests);
  return l.result;
}

/* ------------------------------------------------- a server that drips */

static int listener(int* port) {
  struct sockaddr_in sa;
  socklen_t n = sizeof(sa);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  memset(&sa, 0, sizeof(sa));
  sa.sin_family = AF_INET;
  sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || bind(fd, (struct sockaddr*)&sa, n) != 0 ||
      listen(fd, 64) != 0 || getsockname(fd, (struct sockaddr*)&sa, &n) != 0)
    die("listen: %s", strerror(errno));
  *port = ntohs(sa.sin_port);
  return fd;
}

static int dial(int port) {
  struct sockaddr_in sa;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  memset(&sa, 0, sizeof(sa));
  sa.sin_family = AF_INET;
  sa.sin_port = htons((uint16_t)port);
  sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, (struct sockaddr*)&sa, sizeof(sa)) != 0) _exit(1);
  return fd;
}

/* Passes on what the client says, and of what the server says an octet at a
 * time. */
static void drip(int client, int server, int ms) {
  const struct timespec pause = {ms / 1000, (long)(ms % 1000) * 1000000};
  struct pollfd fds[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
  char data[4096];
  ssize_t n;
  for (;;) {
    if (poll(fds, 2, -1) < 0) return;
    if (fds[0].revents != 0) {
      n = recv(client, data, sizeof(data), 0);
      if (n <= 0 || send(server, data, (size_t)n, MSG_NOSIGNAL) != n) return;
    }
    if (fds[1].revents != 0) {
      n = recv(server, data, 1, 0);
      if (n <= 0 || send(client, data, 1, MSG_NOSIGNAL) != 1) return;
      nanosleep(&pause, NULL);
    }
  }
}

pid_t dripper_start(int server_port, int ms, int* port) {
  int fd = listener(port);
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid < 0) die("fork: %s", strerror(errno));
  if (pid > 0) {
    close(fd);
    return pid;
  }
  child_of(parent);
  for (;;) {
    int client = accept(fd, NULL, NULL);
    int server;
    if (client < 0) _exit(1);
    server = dial(server_port);
    drip(client, server, ms);
    close(client);
    close(server);
  }
}

void dripper_stop(pid_t pid) {
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
}
