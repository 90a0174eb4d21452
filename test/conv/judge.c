/* SPDX-License-Identifier: MIT */
/* judge.c: what results must be: as the script says, and, when the dialogue is
 * cut short anywhere, what the script's marks say of that place. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "conv.h"

/* ------------------------------------------------------------- copies */

static int enhanced_of(const uvsmtp_reply_t* reply) {
  unsigned short e[3];

  if (!uvsmtp_reply_enhanced(reply, e)) return -1;
  return e[0] * 1000000 + e[1] * 1000 + e[2];
}

static int code_of(const uvsmtp_reply_t* reply) {
  return reply == NULL ? 0 : uvsmtp_reply_code(reply);
}

static void take_reply(snap_t* to, const uvsmtp_reply_t* reply) {
  const char* text;

  to->code = code_of(reply);
  to->enhanced = -1;
  if (reply == NULL) return;
  to->enhanced = enhanced_of(reply);
  to->lines = (int)uvsmtp_reply_lines(reply);
  text = uvsmtp_reply_text(reply, &to->text.len);
  to->text.at = malloc(to->text.len + 1);
  if (to->text.at == NULL) abort();
  /* The NUL behind it is part of the promise. */
  memcpy(to->text.at, text, to->text.len + 1);
}

void snap_take(snap_t* to, const uvsmtp_event_t* event) {
  const uvsmtp_result_t* r = event->result;
  const char* detail = uvsmtp_result_detail(r);
  size_t i;

  to->taken++;
  if (detail != NULL) {
    to->detail = malloc(strlen(detail) + 1);
    if (to->detail == NULL) abort();
    memcpy(to->detail, detail, strlen(detail) + 1);
  }
  to->status = uvsmtp_result_status(r);
  to->cause = uvsmtp_result_cause(r);
  to->stage = uvsmtp_result_stage(r);
  to->outcome = uvsmtp_result_outcome(r);
  to->octets = (long long)uvsmtp_result_octets(r);
  take_reply(to, uvsmtp_result_reply(r));
  to->nrcpts = uvsmtp_result_rcpt_count(r);
  if (to->nrcpts == 0) return;
  to->rcpts = calloc(to->nrcpts, sizeof(*to->rcpts));
  if (to->rcpts == NULL) abort();
  for (i = 0; i < to->nrcpts; i++) {
    const uvsmtp_rcpt_result_t* x = uvsmtp_result_rcpt(r, i);
    rcpt_snap_t* s = &to->rcpts[i];

    s->status = uvsmtp_rcpt_result_status(x);
    s->stage = uvsmtp_rcpt_result_stage(x);
    s->outcome = uvsmtp_rcpt_result_outcome(x);
    s->code = code_of(uvsmtp_rcpt_result_reply(x));
    s->rcpt_code = code_of(uvsmtp_rcpt_result_rcpt_reply(x));
  }
}

void snap_free(snap_t* s) {
  free(s->text.at);
  free(s->detail);
  free(s->rcpts);
}

/* -------------------------------------------------- what always holds */

/* See uvsmtp_result_outcome. */
static int whole_outcome(const snap_t* s) {
  static const int order[] = {UVSMTP_OUTCOME_UNKNOWN, UVSMTP_OUTCOME_ACCEPTED,
                              UVSMTP_OUTCOME_DEFERRED,
                              UVSMTP_OUTCOME_NOT_ATTEMPTED};
  size_t o;
  size_t i;

  for (o = 0; o < sizeof(order) / sizeof(order[0]); o++)
    for (i = 0; i < s->nrcpts; i++)
      if (s->rcpts[i].outcome == order[o]) return order[o];
  return UVSMTP_OUTCOME_REJECTED;
}

void judge_shape(play_t* p, size_t i) {
  const call_t* call = &p->d->calls[i];
  const snap_t* s = &p->snaps[i];
  size_t j;

  if ((s->status == UVSMTP_EUNKNOWN) != (s->outcome == UVSMTP_OUTCOME_UNKNOWN))
    play_fail(p, "call %zu: %s, but outcome %s", i, error_name(s->status),
              uvsmtp_outcome_name(s->outcome));
  if (!call->has_body && s->outcome != UVSMTP_OUTCOME_NONE)
    play_fail(p, "call %zu: an outcome without a message", i);
  if (s->nrcpts > 0 && s->outcome != whole_outcome(s))
    play_fail(p, "call %zu: outcome %s, but recipients' is %s", i,
              uvsmtp_outcome_name(s->outcome),
              uvsmtp_outcome_name(whole_outcome(s)));
  if (s->octets < 0) play_fail(p, "call %zu: %lld octets", i, s->octets);
  if (call->op != UVSMTP_OP_SEND) return;
  if (s->nrcpts != call->nrcpts)
    play_fail(p, "call %zu: %zu recipients", i, s->nrcpts);
  if ((s->status == 0) != (s->outcome == UVSMTP_OUTCOME_ACCEPTED))
    play_fail(p, "call %zu: status %s, but outcome %s", i,
              error_name(s->status), uvsmtp_outcome_name(s->outcome));
  for (j = 0; j < s->nrcpts; j++) {
    if (s->rcpts[j].outcome == UVSMTP_OUTCOME_NONE)
      play_fail(p, "recipient %zu.%zu: no outcome", i, j);
    if ((s->rcpts[j].status == 0) !=
        (s->rcpts[j].outcome == UVSMTP_OUTCOME_ACCEPTED))
      play_fail(p, "recipient %zu.%zu: status %s, but outcome %s", i, j,
                error_name(s->rcpts[j].status),
                uvsmtp_outcome_name(s->rcpts[j].outcome));
  }
}

/* ------------------------------------------------- as the script says */

static void number_is(play_t* p, const char* what, long long want,
                      long long got) {
  if (want != ANY && want != got)
    play_fail(p, "%s: expected %lld, got %lld", what, want, got);
}

static void name_is(play_t* p, const char* what, const char* want,
                    const char* got) {
  if (strcmp(want, got) != 0)
    play_fail(p, "%s: expected %s, got %s", what, want, got);
}

static void status_is(play_t* p, const char* what, int want, int got) {
  if (want != got)
    play_fail(p, "%s: expected %s, got %s (%d)", what, error_name(want),
              error_name(got), got);
}

static void text_is(play_t* p, const bytes_t* want, const snap_t* got) {
  if (want->len != got->text.len ||
      (want->len > 0 && memcmp(want->at, got->text.at, want->len) != 0))
    play_fail(p, "text: expected \"%s\", got \"%s\"", want->at,
              got->text.at == NULL ? "" : got->text.at);
}

static void detail_is(play_t* p, const char* want, const char* got) {
  if (want == NULL) want = "";
  if (got == NULL) got = "";
  name_is(p, "detail", want, got);
}

static void rcpt_wanted(play_t* p, const call_t* call, const snap_t* s,
                        size_t j) {
  const rcpt_snap_t* got = &s->rcpts[j];
  const want_t* want = j < call->nrcpts ? &call->rcpts[j].want : NULL;
  size_t i = (size_t)(call - p->d->calls);

  if (got->outcome == UVSMTP_OUTCOME_ACCEPTED && call->final_at == NEVER &&
      (j >= call->nrcpts || call->rcpts[j].final_at == NEVER))
    play_fail(p, "recipient %zu.%zu: accepted, but no final reply is marked", i,
              j);
  if (want == NULL || want->line == 0) {
    /* All alike. */
    name_is(p, "a recipient's outcome", uvsmtp_outcome_name(s->outcome),
            uvsmtp_outcome_name(got->outcome));
    return;
  }
  p->line = want->line;
  status_is(p, "status", want->status, got->status);
  if (want->outcome != ANY)
    name_is(p, "outcome", uvsmtp_outcome_name(want->outcome),
            uvsmtp_outcome_name(got->outcome));
  if (want->stage != ANY)
    name_is(p, "stage", uvsmtp_state_name(want->stage),
            uvsmtp_state_name(got->stage));
  number_is(p, "code", want->code, got->code);
  number_is(p, "rcpt-code", want->rcpt_code, got->rcpt_code);
}

void judge_wanted(play_t* p, size_t i) {
  const call_t* call = &p->d->calls[i];
  const want_t* want = &call->want;
  const snap_t* s = &p->snaps[i];
  size_t j;

  p->line = want->line;
  status_is(p, "status", want->status, s->status);
  status_is(p, "cause", want->cause, s->cause);
  name_is(p, "outcome", uvsmtp_outcome_name(want->outcome),
          uvsmtp_outcome_name(s->outcome));
  if (want->stage != ANY)
    name_is(p, "stage", uvsmtp_state_name(want->stage),
            uvsmtp_state_name(s->stage));
  number_is(p, "code", want->code, s->code);
  number_is(p, "enhanced code", want->enhanced, s->enhanced);
  number_is(p, "lines", want->lines, s->lines);
  number_is(p, "octets", want->octets, s->octets);
  if (want->has_text) text_is(p, &want->text, s);
  if (want->detail != NULL) detail_is(p, want->detail, s->detail);
  if (s->outcome == UVSMTP_OUTCOME_ACCEPTED && s->nrcpts == 0 &&
      call->final_at == NEVER)
    play_fail(p, "accepted, but no final reply is marked");
  for (j = 0; j < s->nrcpts; j++) rcpt_wanted(p, call, s, j);
}

void judge_same(play_t* p, size_t i) {
  const snap_t* ref = &p->refs[i];
  const snap_t* s = &p->snaps[i];

  p->line = p->d->calls[i].want.line;
  status_is(p, "status", ref->status, s->status);
  status_is(p, "cause", ref->cause, s->cause);
  name_is(p, "stage", uvsmtp_state_name(ref->stage),
          uvsmtp_state_name(s->stage));
  name_is(p, "outcome", uvsmtp_outcome_name(ref->outcome),
          uvsmtp_outcome_name(s->outcome));
  number_is(p, "code", ref->code, s->code);
  number_is(p, "enhanced code", ref->enhanced, s->enhanced);
  number_is(p, "lines", ref->lines, s->lines);
  number_is(p, "octets", ref->octets, s->octets);
  number_is(p, "recipients", (long long)ref->nrcpts, (long long)s->nrcpts);
  text_is(p, &ref->text, s);
  detail_is(p, ref->detail, s->detail);
  if (s->nrcpts > 0 &&
      memcmp(ref->rcpts, s->rcpts, s->nrcpts * sizeof(*s->rcpts)) != 0)
    play_fail(p, "call %zu: recipients differ from those of the first play", i);
}

/* ----------------------------------------------------- when cut short */

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
static void cut_outcome(play_t* p, const call_t* call, size_t final_at,
                        int stage, int full, int got) {
  size_t i = (size_t)(call - p->d->calls);
  size_t due = p->refs[i].fed;
  const char* name = uvsmtp_outcome_name(got);

  if (p->mode == MODE_OOM && p->fed >= final_at &&
      got == UVSMTP_OUTCOME_UNKNOWN)
    return; /* There was no memory to read it. */
  if (p->fed >= final_at) {
    name_is(p, "outcome behind the final reply", uvsmtp_outcome_name(full),
            name);
  } else if (p->said >= call->doubt_at) {
    if (got == UVSMTP_OUTCOME_UNKNOWN) return;
    /* All was read that the whole play could read. */
    if (got != UVSMTP_OUTCOME_ACCEPTED &&
        (failed_before(p, i) || (p->fed >= due && got == full)))
      return;
    if (decided_early(stage) && got == full && got != UVSMTP_OUTCOME_ACCEPTED)
      return;
    play_fail(p, "outcome: expected unknown, got %s", name);
  } else if (got == UVSMTP_OUTCOME_ACCEPTED ||
             (got == UVSMTP_OUTCOME_UNKNOWN && p->said < call->doubt_from)) {
    play_fail(p, "outcome %s, but the end of the data has not gone out", name);
  }
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

  if (call->text_at == NEVER) return;
  /* More than one chunk. */
  if (p->refs[i].octets > (long long)(call->doubt_at - call->text_at)) return;
  if (p->said > call->text_at) n = p->said - call->text_at;
  if ((long long)n > p->refs[i].octets) n = (size_t)p->refs[i].octets;
  number_is(p, "octets", (long long)n, p->snaps[i].octets);
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
  if (call->has_body && s->nrcpts == 0)
    cut_outcome(p, call, call->final_at, ref->stage, ref->outcome, s->outcome);
  for (j = 0; j < s->nrcpts && j < ref->nrcpts; j++) {
    size_t final_at = call->final_at;

    if (j < call->nrcpts && call->rcpts[j].final_at != NEVER)
      final_at = call->rcpts[j].final_at;
    cut_outcome(p, call, final_at, ref->rcpts[j].stage, ref->rcpts[j].outcome,
                s->rcpts[j].outcome);
  }
}
