/* SPDX-License-Identifier: MIT */
/* play.c: plays the steps of a dialogue over the engine. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conv.h"

enum { SLICES = 8 };

void play_fail(play_t* p, const char* format, ...) {
  va_list args;

  va_start(args, format);
  printf("# %s:%d: [%s %zu] ", p->d->file, p->line, p->label, p->at);
  vprintf(format, args);
  printf(" (server octets %zu, client octets %zu)\n", p->fed, p->said);
  va_end(args);
  p->failed = 1;
  longjmp(p->over, 1);
}

void play_trace(void* arg, int kind, const char* text, size_t len) {
  play_t* p = arg;

  (void)kind;
  check_hook(p);
  if (kind != UVSMTP_TRACE_TEXT && memchr(text, '\n', len) != NULL)
    play_fail(p, "a traced line with a line end in it");
  if (kind == UVSMTP_TRACE_SENT) secret_traced(p, text, len);
  secret_text(p, "a trace", text, len);
}

/* ------------------------------------------------- after each call */

/* Events come in the order of the calls, once each, with what was given. */
static void take_event(play_t* p, const uvsmtp_event_t* event) {
  size_t i = (size_t)((const call_t*)event->data - p->d->calls);
  const call_t* call = &p->d->calls[i];

  while (p->next < p->d->ncalls && !p->taken[p->next]) p->next++;
  if (i != p->next) play_fail(p, "an event of call %zu is out of turn", i);
  p->next++;
  if (p->snaps[i].taken) play_fail(p, "two events of call %zu", i);
  if (event->op != call->op) play_fail(p, "call %zu: wrong operation", i);
  if (call->has_body && p->sources[i].released != 1)
    play_fail(p, "call %zu: an event before the release", i);
  snap_take(&p->snaps[i], event);
  watch_event(p, event);
  /* What is queued behind it begins another session than the script's. */
  if (call->op == UVSMTP_OP_CONNECT &&
      uvsmtp_result_status(event->result) == -ENOMEM)
    (void)play_lacks(p);
  p->snaps[i].fed = p->fed;
  judge_shape(p, i);
}

/* Nothing hangs: who waits has a deadline, or waits for the host. A new wait
 * has a new serial. */
static void look_at_wait(play_t* p) {
  unsigned int serial = 0;
  int phase = uvsmtp_proto_wait(p->proto, &serial);
  int wants = uvsmtp_proto_wants(p->proto);

  if (uvsmtp_proto_pending(p->proto) > 0 && phase == UVSMTP_PHASE_NONE &&
      !(wants & UVSMTP_WANTS_CLOSE))
    play_fail(p, "calls are pending, but no deadline runs");
  if (p->looked && phase != p->phase && phase != UVSMTP_PHASE_NONE &&
      serial == p->serial)
    play_fail(p, "a new phase, %s, without a new serial", phase_name(phase));
  p->looked = 1;
  p->phase = phase;
  p->serial = serial;
}

static void take_events(play_t* p) {
  uvsmtp_event_t event = UVSMTP_EVENT_INIT;

  while (uvsmtp_proto_next(p->proto, &event)) take_event(p, &event);
  look_at_wait(p);
  secret_blocks(p);
}

/* What the host does for a mechanism at once: 1 when there was something. */
static int help(play_t* p) {
  if (p->woken) {
    p->woken = 0;
    uvsmtp_proto_resume(p->proto);
    return 1;
  }
  if (!(uvsmtp_proto_wants(p->proto) & UVSMTP_WANTS_WORK)) return 0;
  if (uvsmtp_proto_wait(p->proto, NULL) != UVSMTP_PHASE_AUTH)
    play_fail(p, "work without its deadline");
  if (++p->works > 1000000) play_fail(p, "work without end");
  if (p->mode == MODE_WORK && p->works == p->at) {
    p->cut = 1;
    return 0;
  }
  uvsmtp_proto_work(p->proto);
  return 1;
}

void play_collect(play_t* p) {
  take_events(p);
  while (!p->cut && !p->winding && help(p)) take_events(p);
}

/* ------------------------------------------------------ the two sides */

static void show_octets(const char* side, const char* at, size_t len) {
  size_t i;

  printf("# %s: ", side);
  for (i = 0; i < len && i < 200; i++) {
    unsigned char c = (unsigned char)at[i];

    if (c >= 32 && c < 127)
      putchar(c);
    else if (c == '\r' || c == '\n')
      printf("\\%c", c == '\r' ? 'r' : 'n');
    else
      printf("\\x%02x", c);
  }
  putchar('\n');
}

/* Was there no memory for a message whose header was to say its envelope? */
static int lost_one(const play_t* p) {
  size_t i;

  for (i = 0; i < p->d->ncalls; i++)
    if (p->d->calls[i].envelope && p->snaps[i].taken &&
        (p->snaps[i].status == -ENOMEM || p->snaps[i].cause == -ENOMEM))
      return 1;
  return 0;
}

/* Without memory for a chunk a message fails, and the session goes on: what
 * differs then begins with RSET, or there is nothing. So it does, with the next
 * call, without memory for a header. The play ends here. */
static int gives_up(play_t* p, const char* want, const char* got, size_t n) {
  size_t i = 0;

  if (p->mode != MODE_OOM || p->alloc.failed == 0) return 0;
  if (lost_one(p)) {
    p->cut = 1;
    return 1;
  }
  while (i < n && want[i] != '\0' && got[i] == want[i]) i++;
  while (i > 0 && got[i - 1] != '\n') i--;
  if (n > 0 && (n - i < 6 || memcmp(got + i, "RSET\r\n", 6) != 0)) return 0;
  p->cut = 1;
  return 1;
}

/* Compares and takes up to n octets of the slices. */
static void take_output(play_t* p, const uvsmtp_slice_t* slices, size_t count,
                        size_t n) {
  size_t done = 0;
  size_t i;

  for (i = 0; i < count && done < n; i++) {
    size_t some = slices[i].len < n - done ? slices[i].len : n - done;
    const char* want = p->d->say.at + p->said + done;

    if (memcmp(slices[i].base, want, some) != 0) {
      if (gives_up(p, want, slices[i].base, some)) return;
      show_octets("expected", want, n - done);
      show_octets("got     ", slices[i].base, slices[i].len);
      play_fail(p, "the client says something else");
    }
    done += some;
  }
  watch_said(p, p->d->say.at + p->said, n);
  uvsmtp_proto_sent(p->proto, n);
  p->said += n;
  play_collect(p);
}

/* Takes what the client says now, which must be what the script says up to
 * `limit`. More is an error unless `soft`. */
void play_drain(play_t* p, size_t limit, int soft) {
  uvsmtp_slice_t slices[SLICES];

  while (!p->cut) {
    size_t max = p->mode == MODE_OCTETS ? 1 : SLICES;
    size_t count = uvsmtp_proto_peek(p->proto, slices, max);
    size_t n = 0;
    size_t i;

    play_collect(p);
    if (count == 0) return;
    for (i = 0; i < count; i++) n += slices[i].len;
    if (p->said == limit) {
      if (soft || gives_up(p, "", slices[0].base, slices[0].len)) return;
      show_octets("got     ", slices[0].base, slices[0].len);
      play_fail(p, "the client says more than it may");
    }
    if (n > limit - p->said) n = limit - p->said;
    if (p->mode == MODE_OCTETS) n = 1;
    if (p->mode == MODE_STOP && n >= p->at - p->said) {
      n = p->at - p->said;
      p->cut = 1;
    }
    if (n > 0) take_output(p, slices, count, n);
  }
}

int play_lacks(play_t* p) {
  if (p->mode != MODE_OOM || p->alloc.failed == 0) return 0;
  p->cut = 1;
  return 1;
}

/* The engine may have had to give up: the play then ends here. */
static int out_of_memory(play_t* p) {
  if (p->mode == MODE_OOM && p->alloc.failed > 0 &&
      uvsmtp_proto_state(p->proto) == UVSMTP_STATE_CLOSED)
    p->cut = 1;
  return p->cut;
}

/* How far the client may go after step i: to the end of what it says next. */
static size_t limit_after(const play_t* p, size_t i, int* soft) {
  const step_t* s = &p->d->steps[i];
  size_t limit = p->said;

  if (s->kind != STEP_SAY && ++i < p->d->nsteps) s++;
  if (i < p->d->nsteps && s->kind == STEP_SAY) {
    limit = s->end;
    i++;
    s++;
  }
  *soft = i < p->d->nsteps &&
          ((s->kind == STEP_HEAR && s->early) || s->kind == STEP_BLOCKED);
  return limit;
}

static void say(play_t* p, size_t i) {
  const step_t* s = &p->d->steps[i];
  int soft;
  size_t limit = limit_after(p, i, &soft);

  play_drain(p, limit, soft);
  if (p->cut || p->said >= s->end) return;
  if (out_of_memory(p) || gives_up(p, "", "", 0)) return;
  show_octets("expected", p->d->say.at + p->said, s->end - p->said);
  play_fail(p, "the client says nothing");
}

/* In a block of its own, so that nobody reads beyond or keeps it. */
static void feed(play_t* p, const char* at, size_t n) {
  char* copy = malloc(n);
  unsigned int serial = p->serial;

  if (copy == NULL) abort();
  memcpy(copy, at, n);
  watch_heard(p, at, n);
  uvsmtp_proto_feed(p->proto, copy, n);
  /* A deadline covers a whole reply, however slowly it comes. */
  if (memchr(at, '\n', n) == NULL &&
      uvsmtp_proto_state(p->proto) != UVSMTP_STATE_CLOSED &&
      uvsmtp_proto_wait(p->proto, &serial) == p->phase && serial != p->serial)
    play_fail(p, "a part of a reply restarts the deadline");
  free(copy);
  p->fed += n;
  play_collect(p);
}

/* What the script says comes in one read is not split: a piece that would end
 * within it has all of it, or, when it is to be the last, nothing. */
static size_t one_read(const play_t* p, const step_t* s, size_t here,
                       size_t n) {
  if (here > s->one_from || here + n <= s->one_from || here + n >= s->one_to)
    return n;
  return p->mode == MODE_CUT ? s->one_from - here : s->one_to - here;
}

static void hear(play_t* p, size_t i) {
  const step_t* s = &p->d->steps[i];
  size_t at = 0;

  while (at < s->octets.len && !p->cut) {
    size_t n = s->octets.len - at;
    size_t here = s->begin + at;
    int soft;
    size_t limit;

    if (p->mode == MODE_OCTETS) n = 1;
    if (p->mode == MODE_SPLIT && here < p->at && p->at - here < n)
      n = p->at - here;
    if (p->mode == MODE_CUT && p->at - here < n) n = p->at - here;
    n = one_read(p, s, here, n);
    if (n == 0) {
      p->cut = 1;
      return;
    }
    feed(p, s->octets.at + at, n);
    at += n;
    if (at == s->octets.len || s->burst) continue;
    limit = limit_after(p, i, &soft);
    play_drain(p, limit, soft);
  }
}

/* -------------------------------------------------------------- steps */

static void check_extn(play_t* p, const step_t* s) {
  const char* params = uvsmtp_proto_extn(p->proto, s->text);

  if (params == NULL && s->params == NULL) return;
  if (params == NULL || s->params == NULL || strcmp(params, s->params) != 0)
    play_fail(p, "extension %s: expected %s, got %s", s->text,
              s->params == NULL ? "none" : s->params,
              params == NULL ? "none" : params);
}

static void expect_wants(play_t* p, int wants) {
  int got = uvsmtp_proto_wants(p->proto);

  if (got != wants) play_fail(p, "wants: expected %d, got %d", wants, got);
}

int play_pauses(play_t* p) {
  if (p->mode == MODE_SHAKE && ++p->shakes == p->at) p->cut = 1;
  return p->cut;
}

static void shake(play_t* p, const step_t* s) {
  int proof = s->proof;

  if (uvsmtp_proto_wait(p->proto, NULL) != UVSMTP_PHASE_TLS)
    play_fail(p, "a handshake without its deadline");
  if (play_pauses(p)) return;
  if (s->kind == STEP_SECURE) {
    expect_wants(p, s->number);
    /* Where trust was wanted, nobody asks again. */
    if (p->mode != MODE_WHOLE && (s->number & UVSMTP_WANTS_TRUST) &&
        proof == UVSMTP_PROOF_WAIVED)
      proof = UVSMTP_PROOF_NONE;
    uvsmtp_proto_secured(p->proto, proof);
  } else {
    if (!(uvsmtp_proto_wants(p->proto) & UVSMTP_WANTS_TLS))
      play_fail(p, "no handshake is wanted");
    uvsmtp_proto_lost(p->proto, s->number);
  }
}

/* A mechanism waits for the host, or for who has its token. */
static void go_on(play_t* p, const step_t* s) {
  if (!s->late) {
    if (uvsmtp_proto_wait(p->proto, NULL) != UVSMTP_PHASE_AUTH &&
        !play_lacks(p))
      play_fail(p, "a mechanism that waits without its deadline");
    if (play_pauses(p)) return;
    /* It is no source's octets that it waits for. */
    uvsmtp_proto_resume(p->proto);
    play_collect(p);
  }
  if (s->kind == STEP_TOKEN)
    creds_token(p, s);
  else
    own_wake(p);
}

static void check_auth(play_t* p, const step_t* s) {
  const char* want = s->text == NULL ? "none" : s->text;
  const char* got = uvsmtp_proto_auth(p->proto);

  if (got == NULL) got = "none";
  if (strcmp(want, got) != 0)
    play_fail(p, "logged in by: expected %s, got %s", want, got);
}

static void timeout(play_t* p, const step_t* s) {
  int phase = uvsmtp_proto_wait(p->proto, NULL);

  if (phase != s->number)
    play_fail(p, "phase: expected %s, got %s", phase_name(s->number),
              phase_name(phase));
  uvsmtp_proto_timeout(p->proto);
}

static void resume(play_t* p) {
  size_t i;

  for (i = 0; i < p->d->ncalls; i++) p->sources[i].resumed = 1;
  uvsmtp_proto_resume(p->proto);
}

/* The transport connects before all that needs it. */
static int opens(const step_t* s) {
  switch (s->kind) {
    case STEP_CALL:
    case STEP_OPEN:
    case STEP_CANCEL:
      return 0;
    case STEP_PHASE:
    case STEP_TIMEOUT:
      return s->number != UVSMTP_PHASE_CONNECT;
    default:
      return 1;
  }
}

void play_step(play_t* p, size_t i) {
  const step_t* s = &p->d->steps[i];

  p->line = s->line;
  if (opens(s) && (uvsmtp_proto_wants(p->proto) & UVSMTP_WANTS_OPEN)) {
    memset(&p->watch, 0, sizeof(p->watch));
    uvsmtp_proto_up(p->proto);
    play_collect(p);
  }
  /* Whatever happens, the client has said what it can before. */
  p->blocked = s->kind != STEP_SAY && (p->blocked || s->kind == STEP_BLOCKED);
  if (s->kind != STEP_SAY && s->kind != STEP_HEAR && !p->blocked)
    play_drain(p, p->said, 0);
  if (out_of_memory(p)) return;
  switch (s->kind) {
    case STEP_CALL:
      play_submit(p, (size_t)s->number);
      return;
    case STEP_SAY:
      say(p, i);
      return;
    case STEP_HEAR:
      hear(p, i);
      return;
    case STEP_OPEN:
      expect_wants(p, UVSMTP_WANTS_OPEN);
      uvsmtp_proto_lost(p->proto, s->number);
      break;
    case STEP_LOST:
      uvsmtp_proto_lost(p->proto, s->number);
      break;
    case STEP_DROP:
      expect_wants(p, UVSMTP_WANTS_CLOSE);
      uvsmtp_proto_lost(p->proto, -4095);
      break;
    case STEP_SECURE:
    case STEP_NO_TLS:
      shake(p, s);
      break;
    case STEP_TOKEN:
    case STEP_WAKE:
      go_on(p, s);
      break;
    case STEP_AUTH:
      check_auth(p, s);
      return;
    case STEP_TIMEOUT:
      timeout(p, s);
      break;
    case STEP_CANCEL:
      uvsmtp_proto_cancel(p->proto);
      break;
    case STEP_OVERDUE:
      uvsmtp_proto_overdue(p->proto, (uint64_t)s->number);
      break;
    case STEP_RESUME:
      resume(p);
      break;
    case STEP_BLOCKED:
      return;
    case STEP_STATE:
      if (uvsmtp_proto_state(p->proto) != s->number)
        play_fail(p, "state: expected %s, got %s", uvsmtp_state_name(s->number),
                  uvsmtp_state_name(uvsmtp_proto_state(p->proto)));
      return;
    case STEP_PHASE:
      if (uvsmtp_proto_wait(p->proto, NULL) != s->number)
        play_fail(p, "phase: expected %s, got %s", phase_name(s->number),
                  phase_name(uvsmtp_proto_wait(p->proto, NULL)));
      return;
    default:
      check_extn(p, s);
      return;
  }
  play_collect(p);
}
