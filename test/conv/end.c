/* SPDX-License-Identifier: MIT */
/* end.c: a play as a whole: its engine, its end, and what must hold then. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "conv.h"

static int loss_of(const play_t* p) {
  if (p->mode == MODE_OOM) return -4095;
  return p->ending == END_TIMEOUT ? -ETIMEDOUT : -4095;
}

static void lose(play_t* p) {
  if (p->ending == END_CANCEL)
    uvsmtp_proto_cancel(p->proto);
  else if (loss_of(p) == -ETIMEDOUT &&
           uvsmtp_proto_wait(p->proto, NULL) != UVSMTP_PHASE_NONE)
    uvsmtp_proto_timeout(p->proto);
  else
    uvsmtp_proto_lost(p->proto, -4095);
  play_collect(p);
}

/* The host does what the engine wants until that is nothing. */
static void wind_up(play_t* p) {
  uvsmtp_slice_t slice;
  int wants;
  int i;

  p->winding = 1;
  lose(p);
  for (i = 0; (wants = uvsmtp_proto_wants(p->proto)) != 0; i++) {
    if (i == 100) play_fail(p, "wants something again and again");
    if (wants & UVSMTP_WANTS_CLOSE) {
      uvsmtp_proto_lost(p->proto, -4095);
      play_collect(p);
    } else {
      lose(p);
    }
  }
  if (uvsmtp_proto_pending(p->proto) != 0)
    play_fail(p, "%zu calls are still pending", uvsmtp_proto_pending(p->proto));
  if (uvsmtp_proto_wait(p->proto, NULL) != UVSMTP_PHASE_NONE)
    play_fail(p, "still waits: %s",
              phase_name(uvsmtp_proto_wait(p->proto, NULL)));
  if (uvsmtp_proto_peek(p->proto, &slice, 1) != 0)
    play_fail(p, "still has something to say");
}

/* The script is over, and all that it began. */
static void check_rest(play_t* p) {
  size_t i;

  if (!p->blocked) play_drain(p, p->said, 0);
  for (i = 0; i < p->d->ncalls; i++) {
    p->line = p->d->calls[i].line;
    if (p->taken[i] && !p->snaps[i].taken)
      play_fail(p, "call %zu has not ended with the script", i);
  }
  if (uvsmtp_proto_wait(p->proto, NULL) != UVSMTP_PHASE_NONE)
    play_fail(p, "waits for something behind the script: %s",
              phase_name(uvsmtp_proto_wait(p->proto, NULL)));
}

static void check_calls(play_t* p, int short_play) {
  size_t i;

  for (i = 0; i < p->d->ncalls; i++) {
    p->line = p->d->calls[i].line;
    if (p->sources[i].released != (p->taken[i] && p->d->calls[i].has_body))
      play_fail(p, "call %zu: released %d times", i, p->sources[i].released);
    if (!p->taken[i] || p->ending == END_FREE) continue;
    if (p->snaps[i].taken != 1) play_fail(p, "call %zu: no event", i);
    if (short_play)
      judge_cut(p, i);
    else if (p->refs == NULL)
      judge_wanted(p, i);
    else
      judge_same(p, i);
  }
}

static void begin(play_t* p) {
  const dialogue_t* d = p->d;
  uvsmtp_proto_config_t config = UVSMTP_PROTO_CONFIG_INIT;
  uvsmtp_mem_t mem = {sizeof(mem), secret_alloc, NULL};

  p->snaps = calloc(d->ncalls + 1, sizeof(*p->snaps));
  p->taken = calloc(d->ncalls + 1, sizeof(*p->taken));
  p->sources = calloc(d->ncalls + 1, sizeof(*p->sources));
  if (p->snaps == NULL || p->taken == NULL || p->sources == NULL) abort();
  mem.data = p;
  config.mem = &mem;
  config.flags = d->flags;
  config.local_name = d->local_name;
  config.max_reply_line = d->limits[0];
  config.max_reply_octets = d->limits[1];
  config.max_reply_lines = d->limits[2];
  config.trace = play_trace;
  config.trace_arg = p;
  if (d->no_ascii != ANY) config.to_ascii = hook_to_ascii;
  hook_begin(p);
  if (p->mode == MODE_OOM) {
    p->alloc.fail_at = p->at;
    p->alloc.fail_on = p->oom_on;
  }
  if (creds_begin(p) != 0) return;
  if (uvsmtp_proto_new(&p->proto, &config) == 0) return;
  p->proto = NULL;
  if (p->mode != MODE_OOM) play_fail(p, "no engine");
}

static void run(play_t* p) {
  size_t i;
  int short_play = p->mode == MODE_CUT || p->mode == MODE_STOP ||
                   p->mode == MODE_SHAKE || p->mode == MODE_WORK ||
                   p->mode == MODE_OOM;

  begin(p);
  if (p->proto == NULL) {
    creds_end(p);
    return;
  }
  for (i = 0; i < p->d->nsteps && !p->cut; i++) play_step(p, i);
  if (!short_play) check_rest(p);
  if (p->ending != END_FREE) wind_up(p);
  p->freed = 1;
  uvsmtp_proto_free(p->proto);
  p->proto = NULL;
  creds_end(p);
  if (!short_play) secret_masked(p);
  check_calls(p, short_play);
}

int play_run(play_t* p) {
  if (setjmp(p->over) != 0) return 0;
  run(p);
  if (p->alloc.blocks == 0 && p->alloc.octets == 0) return 1;
  printf("# %s:%d: [%s %zu] %zu blocks leak\n", p->d->file, p->d->line,
         p->label, p->at, p->alloc.blocks);
  return 0;
}

void play_free(play_t* p) {
  size_t i;

  /* Not again, should it have failed within. */
  if (!p->freed) uvsmtp_proto_free(p->proto);
  p->proto = NULL;
  for (i = 0; p->snaps != NULL && i < p->d->ncalls; i++) {
    snap_free(&p->snaps[i]);
    source_free(&p->sources[i]);
  }
  creds_free(p);
  free(p->traced.at);
  free(p->snaps);
  free(p->taken);
  free(p->sources);
}
