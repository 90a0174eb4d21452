/* SPDX-License-Identifier: MIT */
/* signals.c: signals while there is no loop yet to hear of them: they are held
 * back but where ppoll lets them in, so that none comes just before a read that
 * would wait. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "tool.h"

/* The first two end a run, whenever they come; the others belong to somebody
 * who is asked on a terminal. */
static const int signums[SIGNALS] = {SIGINT,  SIGTERM, SIGHUP,
                                     SIGQUIT, SIGTSTP, SIGCONT};
enum { ENDING = 2 };

static volatile sig_atomic_t caught[SIGNALS];

static void note(int signum) {
  size_t i;
  for (i = 0; i < SIGNALS; i++)
    if (signums[i] == signum) caught[i] = 1;
}

void signals_hold(signals_t* held, int asking) {
  struct sigaction act;
  sigset_t set;
  size_t i;
  memset(&act, 0, sizeof(act));
  act.sa_handler = note;
  sigemptyset(&act.sa_mask);
  sigemptyset(&set);
  held->n = asking ? SIGNALS : ENDING;
  for (i = 0; i < held->n; i++) {
    (void)sigaddset(&set, signums[i]);
    (void)sigaction(signums[i], NULL, &held->actions[i]);
    /* Whoever started us may not want us to hear of it. */
    if (held->actions[i].sa_handler != SIG_IGN)
      (void)sigaction(signums[i], &act, NULL);
  }
  (void)sigprocmask(SIG_BLOCK, &set, &held->before);
}

void signals_release(const signals_t* held) {
  size_t i;
  for (i = ENDING; i < held->n; i++)
    (void)sigaction(signums[i], &held->actions[i], NULL);
  (void)sigprocmask(SIG_SETMASK, &held->before, NULL);
}

int signals_caught(void) {
  size_t i;
  for (i = 0; i < SIGNALS; i++)
    if (caught[i]) return signums[i];
  return 0;
}

void signals_forget(void) {
  size_t i;
  for (i = ENDING; i < SIGNALS; i++) caught[i] = 0;
}

int signals_stopped(void) { return caught[0] || caught[1]; }

int signals_await(int fd, const sigset_t* mask) {
  struct pollfd poll_fd = {fd, POLLIN, 0};
  while (signals_caught() == 0) {
    if (ppoll(&poll_fd, 1, NULL, mask) >= 0) return 0;
    if (errno != EINTR && errno != EAGAIN) return errno;
  }
  return EINTR;
}
