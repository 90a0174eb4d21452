/* SPDX-License-Identifier: MIT */
/* cut.c: what results must be when a dialogue is cut short anywhere: what the
 * script's marks say of that place. */
#include <errno.h>
#include <limits.h>

#include "conv.h"

/* A reply to RCPT or an earlier command decided, not the final one. */
static int decided_early(int stage) {
  return stage != UVSMTP_STATE_DOT && stage != UVSMTP_STATE_BDAT_LAST;
}

/* The failure is there that the whole play has below its EUNKNOWN. */
static int failed_before(const play_t* p, size_t i) {
  return p->refs[i].status == UVSMTP_EUNKNOWN && p->refs[i].cause != 0 &&
         p->refs[i].cause == p->snaps[i].status;
}

/* The outcome of a recipient (or of the whole when there are none): never
 * accepted before its final reply was whole, unknown if and only if the end of
 * the data had gone out and the verdict had not come. */
static void cut_outcome(play_t* p, const call_t* call, const fate_t* fate,
                        int stage, int full, int got) {
  size_t i = (size_t)(call - p->d->calls);
  size_t due = p->refs[i].fed;
  const char* name = uvsmtp_outcome_name(got);

  if (p->mode == MODE_OOM && p->fed >= fate->final_at &&
      got == UVSMTP_OUTCOME_UNKNOWN)
    return; /* There was no memory to read it. */
  if (p->fed >= fate->final_at) {
    judge_outcome(p, "outcome behind the final reply", full, got);
  } else if (p->said >= fate->doubt_at) {
    if (got == UVSMTP_OUTCOME_UNKNOWN) return;
    /* All was read that the whole play could read. */
    if (got != UVSMTP_OUTCOME_ACCEPTED &&
        (failed_before(p, i) || (p->fed >= due && got == full)))
      return;
    if (decided_early(stage) && got == full && got != UVSMTP_OUTCOME_ACCEPTED)
      return;
    play_fail(p, "outcome: expected unknown, got %s", name);
  } else if (got == UVSMTP_OUTCOME_ACCEPTED ||
             (got == UVSMTP_OUTCOME_UNKNOWN && p->said < fate->doubt_from)) {
    play_fail(p, "outcome %s, but the end of the data has not gone out", name);
  }
}

/* Those whose transaction had not begun are not attempted; the others are.
 * Before the first one it is the session that failed. */
static void cut_begun(play_t* p, const call_t* call, const fate_t* fate,
                      int full, int got) {
  if (fate->begin_at == NEVER || p->mode == MODE_OOM) return;
  if (p->fed < call->fate.begin_at) return;
  if (p->fed < fate->begin_at)
    judge_outcome(p, "outcome before its transaction",
                  UVSMTP_OUTCOME_NOT_ATTEMPTED, got);
  else if (got == UVSMTP_OUTCOME_NOT_ATTEMPTED && got != full)
    play_fail(p, "not attempted, but its transaction had begun");
}

static int loss_of(const play_t* p) {
  if (p->ending == END_TIMEOUT) return -ETIMEDOUT;
  if (p->ending == END_CANCEL) return -ECANCELED;
  return -4095;
}

/* The class of a failure that the end of the session brought. */
static void cut_status(play_t* p, size_t i) {
  const snap_t* s = &p->snaps[i];
  int loss = loss_of(p);

  if (s->status == p->refs[i].status && s->status != 0) return;
  /* Refused already, by what the whole play then casts doubt on. */
  if (failed_before(p, i)) return;
  switch (s->status) {
    case 0:
      /* The end of a session is what QUIT asks for. */
      if (p->d->calls[i].op == UVSMTP_OP_QUIT) return;
      /* It was accepted for some, in a transaction of their own. */
      if (p->d->calls[i].divided && s->outcome == UVSMTP_OUTCOME_ACCEPTED)
        return;
      break;
    case UVSMTP_ERECIPIENTS:
      /* Those of one transaction, behind which another was to follow. */
      if (p->d->calls[i].divided && s->stage == UVSMTP_STATE_RCPT) return;
      break;
    case UVSMTP_EAUTH:
      /* Refused, or cancelled, and nothing else tried so far. */
      if (s->cause == loss || s->code != 0 || secret_cancelled(p)) return;
      break;
    case UVSMTP_EDISCONNECTED:
    case UVSMTP_EUNKNOWN:
    case UVSMTP_ECONNECT:
    case UVSMTP_ETLS:
      if (s->cause == loss) return;
      break;
    default:
      if (s->status == loss && s->cause == 0) return;
      break;
  }
  play_fail(p, "call %zu: the end gave status %s, cause %s, stage %s", i,
            error_name(s->status), error_name(s->cause),
            uvsmtp_state_name(s->stage));
}

/* The octets of text that have left, the dot's line not among them. */
static void cut_octets(play_t* p, size_t i) {
  const call_t* call = &p->d->calls[i];
  size_t n = 0;

  if (call->text_at == NEVER || call->divided) return;
  /* More than one chunk. */
  if (p->refs[i].octets > (long long)(call->fate.doubt_at - call->text_at))
    return;
  if (p->said > call->text_at) n = p->said - call->text_at;
  if ((long long)n > p->refs[i].octets) n = (size_t)p->refs[i].octets;
  judge_number(p, "octets", (long long)n, p->snaps[i].octets);
}

/* Where the fate of a recipient is decided: by marks of its own, or all; by
 * those of the first transaction until it is one too many in that. */
static fate_t fate_of(const play_t* p, const call_t* call, size_t j) {
  fate_t fate = call->fate;
  const fate_t* own;

  fate.begin_at = NEVER;
  if (j >= call->nrcpts) return fate;
  own = &call->rcpts[j].fate;
  fate.begin_at = own->begin_at;
  fate.many_at = own->many_at;
  if (own->many_at != NEVER && p->fed < own->many_at) return fate;
  if (own->final_at != NEVER) fate.final_at = own->final_at;
  if (own->doubt_at != NEVER) {
    fate.doubt_from = own->doubt_from;
    fate.doubt_at = own->doubt_at;
  }
  return fate;
}

/* One too many is deferred until another transaction says otherwise. */
static void cut_many(play_t* p, const fate_t* fate, int full, int got) {
  if (fate->many_at == NEVER || p->fed < fate->many_at) return;
  if (p->fed >= fate->final_at || p->said >= fate->doubt_from) return;
  if (got != full && p->mode != MODE_OOM)
    judge_outcome(p, "outcome of one too many", UVSMTP_OUTCOME_DEFERRED, got);
}

static void cut_rcpt(play_t* p, const call_t* call, size_t j) {
  size_t i = (size_t)(call - p->d->calls);
  const rcpt_snap_t* ref = &p->refs[i].rcpts[j];
  int got = p->snaps[i].rcpts[j].outcome;
  fate_t fate = fate_of(p, call, j);

  cut_outcome(p, call, &fate, ref->stage, ref->outcome, got);
  cut_begun(p, call, &fate, ref->outcome, got);
  cut_many(p, &fate, ref->outcome, got);
}

void judge_cut(play_t* p, size_t i) {
  const call_t* call = &p->d->calls[i];
  const snap_t* ref = &p->refs[i];
  const snap_t* s = &p->snaps[i];
  size_t j;

  p->line = call->line;
  if (p->mode != MODE_OOM) {
    /* What came with the last octet before a handshake may have been its end.
     */
    int pause = p->mode == MODE_SHAKE || p->mode == MODE_WORK;

    if ((ref->fed <= p->fed && p->mode == MODE_CUT) ||
        (ref->fed < p->fed && pause) ||
        (ref->fed == p->fed && pause && s->status == 0)) {
      judge_same(p, i);
      return;
    }
    if (ref->fed > p->fed || s->status != 0 || pause) cut_status(p, i);
    if (call->has_body) cut_octets(p, i);
  }
  if (judge_carries(call) && s->nrcpts == 0)
    cut_outcome(p, call, &call->fate, ref->stage, ref->outcome, s->outcome);
  for (j = 0; j < s->nrcpts && j < ref->nrcpts; j++) cut_rcpt(p, call, j);
}
