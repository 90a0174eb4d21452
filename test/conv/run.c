/* SPDX-License-Identifier: MIT */
/* run.c: plays scripts in all modes; TAP on standard output.
 *
 * usage: conv_run SCRIPT... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conv.h"

/* Plays of one mode over one dialogue, and octets in them: of what is longer,
 * samples are taken. Where UVSMTP_TEST_SHORT is set, plays are fewer: there it
 * counts that each mode was, not where. */
enum { PLAYS_MAX = 2500, PLAYS_MIN = 25, OCTETS_MAX = 2 * 1024 * 1024 };

static size_t plays_max = PLAYS_MAX;

typedef struct plan_s {
  const char* label;
  int mode;
  int ending;
  int oom_on;
} plan_t;

/* scenario: 132. Every dialogue is one more of its kind. */
static const plan_t plans[] = {
    {"octet by octet", MODE_OCTETS, END_EOF, 0},
    {"split", MODE_SPLIT, END_EOF, 0},
    {"cut: end of file", MODE_CUT, END_EOF, 0},
    {"cut: deadline", MODE_CUT, END_TIMEOUT, 0},
    {"cut: cancel", MODE_CUT, END_CANCEL, 0},
    {"cut: free", MODE_CUT, END_FREE, 0},
    {"wait: end of file", MODE_SHAKE, END_EOF, 0},
    {"wait: deadline", MODE_SHAKE, END_TIMEOUT, 0},
    {"wait: cancel", MODE_SHAKE, END_CANCEL, 0},
    {"wait: free", MODE_SHAKE, END_FREE, 0},
    {"work: end of file", MODE_WORK, END_EOF, 0},
    {"work: deadline", MODE_WORK, END_TIMEOUT, 0},
    {"work: cancel", MODE_WORK, END_CANCEL, 0},
    {"work: free", MODE_WORK, END_FREE, 0},
    {"stop: end of file", MODE_STOP, END_EOF, 0},
    {"stop: deadline", MODE_STOP, END_TIMEOUT, 0},
    {"stop: cancel", MODE_STOP, END_CANCEL, 0},
    {"one allocation fails", MODE_OOM, END_EOF, 0},
    {"allocations fail from one on", MODE_OOM, END_EOF, 1},
};

static unsigned int tests;
static unsigned int failures;

static void report(const dialogue_t* d, const char* label, size_t plays,
                   int ok) {
  const char* name = strrchr(d->file, '/');

  tests++;
  if (!ok) failures++;
  printf("%s %u - %s: %s [%s, %zu]\n", ok ? "ok" : "not ok", tests,
         name == NULL ? d->file : name + 1, d->title, label, plays);
}

static void prepare(play_t* p, const dialogue_t* d, const plan_t* plan) {
  memset(p, 0, sizeof(*p));
  p->d = d;
  p->label = plan->label;
  p->mode = plan->mode;
  p->ending = plan->ending;
  p->oom_on = plan->oom_on;
  p->line = d->line;
}

static int play_at(const dialogue_t* d, const plan_t* plan, size_t at,
                   const snap_t* refs) {
  play_t p;
  int ok;

  prepare(&p, d, plan);
  p.at = at;
  p.refs = refs;
  ok = play_run(&p);
  play_free(&p);
  return ok;
}

/* How long a play is, in octets: a recipient takes time as some of them do. */
static size_t length_of(const dialogue_t* d) {
  size_t n = d->hear.len + d->say.len + 1;
  size_t i;

  for (i = 0; i < d->ncalls; i++) n += 40 * d->calls[i].nrcpts;
  return n;
}

/* The places to try; last is one of them. */
static int play_places(const dialogue_t* d, const plan_t* plan,
                       const snap_t* refs, size_t first, size_t last,
                       size_t* plays) {
  size_t most = OCTETS_MAX / length_of(d);
  size_t stride;
  size_t at;

  if (most > plays_max) most = plays_max;
  if (most < PLAYS_MIN) most = PLAYS_MIN;
  stride = 1 + (last - first) / most;
  for (at = first; at < last; at += stride) {
    ++*plays;
    if (!play_at(d, plan, at, refs)) return 0;
  }
  ++*plays;
  return play_at(d, plan, last, refs);
}

static int play_doubt(const dialogue_t* d, const plan_t* plan,
                      const snap_t* refs, size_t doubt, size_t* plays) {
  size_t at;

  if (doubt == NEVER) return 1;
  for (at = doubt < 8 ? 0 : doubt - 8; at <= doubt + 8; at++) {
    if (at > d->say.len) break;
    ++*plays;
    if (!play_at(d, plan, at, refs)) return 0;
  }
  return 1;
}

/* Where what the client says decides, however long it is. */
static int play_doubts(const dialogue_t* d, const plan_t* plan,
                       const snap_t* refs, size_t* plays) {
  size_t i;

  for (i = 0; i < d->ncalls; i++) {
    const call_t* call = &d->calls[i];
    size_t last = NEVER;
    size_t j;

    if (!play_doubt(d, plan, refs, call->fate.doubt_at, plays)) return 0;
    for (j = 0; j < call->nrcpts; j++) {
      size_t doubt = call->rcpts[j].fate.doubt_at;

      /* Those of one transaction have the same. */
      if (doubt != last && !play_doubt(d, plan, refs, doubt, plays)) return 0;
      last = doubt;
    }
  }
  return 1;
}

static int play_plan(const dialogue_t* d, const plan_t* plan,
                     const play_t* first, size_t* plays) {
  const snap_t* refs = first->snaps;

  switch (plan->mode) {
    case MODE_SPLIT:
      if (d->hear.len < 2) return 1;
      return play_places(d, plan, refs, 1, d->hear.len - 1, plays);
    case MODE_CUT:
      return play_places(d, plan, refs, 0, d->hear.len, plays);
    case MODE_SHAKE:
      return play_places(d, plan, refs, 1, d->nshakes, plays);
    case MODE_WORK:
      return play_places(d, plan, refs, 1, first->works, plays);
    case MODE_STOP:
      if (d->say.len == 0) return 1;
      return play_places(d, plan, refs, 0, d->say.len, plays) &&
             play_doubts(d, plan, refs, plays);
    default:
      return play_places(d, plan, refs, 1, first->alloc.requests, plays);
  }
}

/* The first play, against the script; then octet by octet, which tells when
 * each result was due; then the rest, against both. */
static void play_all(const dialogue_t* d) {
  static const plan_t whole = {"whole", MODE_WHOLE, END_EOF, 0};
  play_t first;
  play_t second;
  size_t i;
  int ok;

  prepare(&first, d, &whole);
  ok = play_run(&first);
  report(d, whole.label, 1, ok);
  if (!ok) {
    play_free(&first);
    return;
  }
  prepare(&second, d, &plans[0]);
  second.refs = first.snaps;
  ok = play_run(&second);
  report(d, plans[0].label, 1, ok);
  for (i = 0; i < d->ncalls; i++) first.snaps[i].fed = second.snaps[i].fed;
  play_free(&second);
  for (i = 1; ok && i < sizeof(plans) / sizeof(plans[0]); i++) {
    size_t plays = 0;
    int fine;

    if (plans[i].mode == MODE_SHAKE && d->nshakes == 0) continue;
    if (plans[i].mode == MODE_WORK && first.works == 0) continue;
    fine = play_plan(d, &plans[i], &first, &plays);
    report(d, plans[i].label, plays, fine);
  }
  play_free(&first);
}

int main(int argc, char** argv) {
  size_t dialogues = 0;
  int i;

  if (getenv("UVSMTP_TEST_SHORT") != NULL) plays_max = PLAYS_MIN;
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (i = 1; i < argc; i++) {
    dialogue_t* first = script_read(argv[i]);
    dialogue_t* d;

    for (d = first; d != NULL; d = d->next) {
      play_all(d);
      creds_drop(d);
      dialogues++;
    }
    script_free(first);
  }
  printf("1..%u\n# %zu dialogues, %u tests, %u failed\n", tests, dialogues,
         tests, failures);
  return failures > 0 || tests == 0;
}
