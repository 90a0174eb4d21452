/* SPDX-License-Identifier: MIT */
/* judge.c: what results must be: as the script says, and in each way of playing
 * it the same. */
#include <limits.h>
#include <string.h>

#include "conv.h"

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

int judge_carries(const call_t* call) {
  return call->has_body || call->op == UVSMTP_OP_BURL;
}

/* What the last progress said is what the result says. */
static void check_progress(play_t* p, size_t i) {
  const snap_t* s = &p->snaps[i];

  if ((long long)p->sources[i].sent != s->octets)
    play_fail(p, "call %zu: %lld octets, but the progress was %llu", i,
              s->octets, p->sources[i].sent);
}

/* As many recipients as were named; those of a header that makes no envelope
 * are none. */
static void check_count(play_t* p, size_t i) {
  const call_t* call = &p->d->calls[i];
  const snap_t* s = &p->snaps[i];

  if (s->nrcpts == call->nrcpts) return;
  if (call->envelope && s->nrcpts == call->nnamed && s->status != 0 &&
      s->octets == 0)
    return;
  play_fail(p, "call %zu: %zu recipients", i, s->nrcpts);
}

void judge_shape(play_t* p, size_t i) {
  const call_t* call = &p->d->calls[i];
  const snap_t* s = &p->snaps[i];
  size_t j;

  if ((s->status == UVSMTP_EUNKNOWN) != (s->outcome == UVSMTP_OUTCOME_UNKNOWN))
    play_fail(p, "call %zu: %s, but outcome %s", i, error_name(s->status),
              uvsmtp_outcome_name(s->outcome));
  if (!judge_carries(call) && s->outcome != UVSMTP_OUTCOME_NONE)
    play_fail(p, "call %zu: an outcome without a message", i);
  if (s->nrcpts > 0 && s->outcome != whole_outcome(s))
    play_fail(p, "call %zu: outcome %s, but recipients' is %s", i,
              uvsmtp_outcome_name(s->outcome),
              uvsmtp_outcome_name(whole_outcome(s)));
  if (s->octets < 0) play_fail(p, "call %zu: %lld octets", i, s->octets);
  if (call->op != UVSMTP_OP_SEND) return;
  check_count(p, i);
  check_progress(p, i);
  if ((s->status == 0) != (s->outcome == UVSMTP_OUTCOME_ACCEPTED))
    play_fail(p, "call %zu: status %s, but outcome %s", i,
              error_name(s->status), uvsmtp_outcome_name(s->outcome));
  for (j = 0; j < s->nrcpts; j++) {
    if (s->rcpts[j].outcome == UVSMTP_OUTCOME_NONE)
      play_fail(p, "recipient %zu.%zu: no outcome", i, j);
    if ((s->rcpts[j].status == 0) !=
            (s->rcpts[j].outcome == UVSMTP_OUTCOME_ACCEPTED) ||
        (s->rcpts[j].status == UVSMTP_EUNKNOWN) !=
            (s->rcpts[j].outcome == UVSMTP_OUTCOME_UNKNOWN))
      play_fail(p, "recipient %zu.%zu: status %s, but outcome %s", i, j,
                error_name(s->rcpts[j].status),
                uvsmtp_outcome_name(s->rcpts[j].outcome));
  }
}

/* ------------------------------------------------- as the script says */

void judge_number(play_t* p, const char* what, long long want, long long got) {
  if (want != ANY && want != got)
    play_fail(p, "%s: expected %lld, got %lld", what, want, got);
}

static void name_is(play_t* p, const char* what, const char* want,
                    const char* got) {
  if (strcmp(want, got) != 0)
    play_fail(p, "%s: expected %s, got %s", what, want, got);
}

void judge_outcome(play_t* p, const char* what, int want, int got) {
  if (want != ANY)
    name_is(p, what, uvsmtp_outcome_name(want), uvsmtp_outcome_name(got));
}

static void stage_is(play_t* p, int want, int got) {
  if (want != ANY)
    name_is(p, "stage", uvsmtp_state_name(want), uvsmtp_state_name(got));
}

static void status_is(play_t* p, const char* what, int want, int got) {
  if (want != got)
    play_fail(p, "%s: expected %s, got %s (%d)", what, error_name(want),
              error_name(got), got);
}

/* want NULL: whatever it is; "*": something. */
static void text_is(play_t* p, const char* what, const char* want,
                    const char* got) {
  if (want == NULL || (strcmp(want, "*") == 0 && got[0] != '\0')) return;
  name_is(p, what, want, got);
}

static void rcpt_wanted(play_t* p, const call_t* call, const snap_t* s,
                        size_t j) {
  const rcpt_snap_t* got = &s->rcpts[j];
  const want_t* want = j < call->nrcpts ? &call->rcpts[j].want : NULL;
  size_t i = (size_t)(call - p->d->calls);

  if (got->outcome == UVSMTP_OUTCOME_ACCEPTED && call->fate.final_at == NEVER &&
      (j >= call->nrcpts || call->rcpts[j].fate.final_at == NEVER))
    play_fail(p, "recipient %zu.%zu: accepted, but no final reply is marked", i,
              j);
  if (want == NULL || want->line == 0) {
    /* All alike. */
    judge_outcome(p, "a recipient's outcome", s->outcome, got->outcome);
    return;
  }
  p->line = want->line;
  status_is(p, "status", want->status, got->status);
  judge_outcome(p, "outcome", want->outcome, got->outcome);
  stage_is(p, want->stage, got->stage);
  judge_number(p, "code", want->code, got->code);
  judge_number(p, "rcpt-code", want->rcpt_code, got->rcpt_code);
  text_is(p, "text", want->text, got->text);
  text_is(p, "rcpt-text", want->rcpt_text, got->rcpt_text);
  text_is(p, "address", want->address, got->address);
}

void judge_wanted(play_t* p, size_t i) {
  const call_t* call = &p->d->calls[i];
  const want_t* want = &call->want;
  const snap_t* s = &p->snaps[i];
  size_t j;

  p->line = want->line;
  status_is(p, "status", want->status, s->status);
  status_is(p, "cause", want->cause, s->cause);
  judge_outcome(p, "outcome", want->outcome, s->outcome);
  stage_is(p, want->stage, s->stage);
  judge_number(p, "code", want->code, s->code);
  judge_number(p, "enhanced code", want->enhanced, s->enhanced);
  judge_number(p, "lines", want->lines, s->lines);
  judge_number(p, "octets", want->octets, s->octets);
  judge_number(p, "total", want->total, p->sources[i].total);
  judge_number(p, "omitted", want->omitted, s->omitted);
  text_is(p, "text", want->text, s->text);
  text_is(p, "sender", want->address, s->sender);
  text_is(p, "detail", want->detail, s->detail);
  if (s->outcome == UVSMTP_OUTCOME_ACCEPTED && s->nrcpts == 0 &&
      call->fate.final_at == NEVER)
    play_fail(p, "accepted, but no final reply is marked");
  for (j = 0; j < s->nrcpts; j++) rcpt_wanted(p, call, s, j);
}

static void rcpt_same(play_t* p, const rcpt_snap_t* ref, const rcpt_snap_t* s,
                      size_t i, size_t j) {
  if (ref->status != s->status || ref->stage != s->stage ||
      ref->outcome != s->outcome || ref->code != s->code ||
      ref->rcpt_code != s->rcpt_code || strcmp(ref->address, s->address) != 0 ||
      strcmp(ref->text, s->text) != 0 ||
      strcmp(ref->rcpt_text, s->rcpt_text) != 0)
    play_fail(p, "recipient %zu.%zu is not as in the first play", i, j);
}

void judge_same(play_t* p, size_t i) {
  const snap_t* ref = &p->refs[i];
  const snap_t* s = &p->snaps[i];
  size_t j;

  p->line = p->d->calls[i].want.line;
  status_is(p, "status", ref->status, s->status);
  status_is(p, "cause", ref->cause, s->cause);
  stage_is(p, ref->stage, s->stage);
  judge_outcome(p, "outcome", ref->outcome, s->outcome);
  judge_number(p, "code", ref->code, s->code);
  judge_number(p, "enhanced code", ref->enhanced, s->enhanced);
  judge_number(p, "lines", ref->lines, s->lines);
  judge_number(p, "octets", ref->octets, s->octets);
  judge_number(p, "recipients", (long long)ref->nrcpts, (long long)s->nrcpts);
  judge_number(p, "omitted", ref->omitted, s->omitted);
  text_is(p, "text", ref->text, s->text);
  text_is(p, "sender", ref->sender, s->sender);
  text_is(p, "detail", ref->detail, s->detail);
  for (j = 0; j < s->nrcpts; j++)
    rcpt_same(p, &ref->rcpts[j], &s->rcpts[j], i, j);
}
