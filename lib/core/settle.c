/* SPDX-License-Identifier: MIT */
/* settle.c: what became of a message and of each of its recipients, over one
 * transaction or several. */
#include <errno.h>

#include "core/op.h"
#include "core/table.h"

/* The worst case first: see uvsmtp_result_outcome. */
static int weigh(int outcome) {
  static const unsigned char weights[] = {0, 4, 3, 1, 2, 5};
  return weights[outcome];
}

static void settle_rcpt(const uvsmtp__op_t* op, uvsmtp_rcpt_result_t* r,
                        int outcome) {
  r->outcome = (uint8_t)outcome;
  /* After a 421 to one RCPT the server did not execute the next ones. */
  if (op->cut && !(r->flags & RCPT_REPLIED) &&
      r->outcome != UVSMTP_OUTCOME_UNKNOWN)
    r->outcome = UVSMTP_OUTCOME_NOT_ATTEMPTED;
  r->stage = op->result.stage;
  if (r->outcome == UVSMTP_OUTCOME_ACCEPTED) return;
  r->status = op->result.status;
  if (r->outcome == UVSMTP_OUTCOME_UNKNOWN)
    r->status = UVSMTP_EUNKNOWN;
  else if (r->status == UVSMTP_EUNKNOWN)
    /* As for a message that was still to come: nothing of it is in doubt. */
    r->status =
        op->result.cause == -ECANCELED ? -ECANCELED : UVSMTP_EDISCONNECTED;
  else if (r->status == 0)
    r->status = UVSMTP_ERECIPIENTS;
}

/* The reply to the text was for those of this transaction only. */
static void keep_reply(const uvsmtp__op_t* op, uvsmtp_rcpt_result_t* r) {
  if (!op->result.has_reply || (r->flags & RCPT_FINAL)) return;
  if (r->outcome == UVSMTP_OUTCOME_UNKNOWN ||
      r->outcome == UVSMTP_OUTCOME_NOT_ATTEMPTED)
    return;
  r->final = op->result.reply;
  r->flags |= RCPT_FINAL;
}

/* The message shows what its first accepted transaction came to. */
static void keep_first(uvsmtp__op_t* op) {
  uvsmtp__round_t* round = &op->round;
  if (round->first) return;
  round->first = 1;
  round->stage = op->result.stage;
  round->has_reply = op->result.has_reply;
  round->reply = op->result.reply;
}

void uvsmtp__op_settle_round(uvsmtp__op_t* op) {
  uvsmtp__round_t* round = &op->round;
  size_t end = op->next_rcpt;
  size_t from = end;
  size_t i;
  for (i = round->start; i < end; i++) {
    uvsmtp_rcpt_result_t* r = &op->result.rcpts[i];
    if (!(r->flags & RCPT_SENT)) continue;
    r->flags &= (uint8_t)~RCPT_SENT;
    if (r->flags & RCPT_AGAIN) {
      r->flags &= (uint8_t) ~(RCPT_AGAIN | RCPT_REPLIED);
      r->flags |= RCPT_MANY;
      r->outcome = UVSMTP_OUTCOME_NONE;
      r->status = 0;
      if (from == end) from = i;
      continue;
    }
    round->open--;
    if (r->outcome == UVSMTP_OUTCOME_NONE) {
      settle_rcpt(op, r, op->verdict);
      keep_reply(op, r);
    }
    if (r->outcome == UVSMTP_OUTCOME_ACCEPTED) keep_first(op);
  }
  round->start = from;
  op->round.several = 1;
}

/* Is it one of the transaction that is under way? *unsent: RCPTs of that which
 * have not gone out. */
static int is_of_round(const uvsmtp__op_t* op, const uvsmtp_rcpt_result_t* r,
                       size_t* unsent) {
  if (op->round.rcpts == 0) return 0;
  if (r->flags & RCPT_SENT) return 1;
  if (*unsent == 0) return 0;
  --*unsent;
  return 1;
}

/* The outcome of a recipient that nothing has decided. Those whose transaction
 * had not begun have no part in how this one ended, but for a refused sender.
 */
static int verdict_for(const uvsmtp__op_t* op, int of_round) {
  if (of_round || op->round.rcpts == 0 || op->result.status == UVSMTP_ESENDER)
    return op->verdict;
  /* All went well, but the text could not go out once more. */
  return op->failed ? UVSMTP_OUTCOME_NOT_ATTEMPTED : UVSMTP_OUTCOME_DEFERRED;
}

/* One too many, for which there was no other transaction. */
static void settle_many(uvsmtp_rcpt_result_t* r) {
  r->flags |= RCPT_REPLIED;
  r->outcome = UVSMTP_OUTCOME_DEFERRED;
  r->status = UVSMTP_ERECIPIENTS;
  r->stage = S_RCPT;
}

static void settle_undecided(const uvsmtp__op_t* op, uvsmtp_rcpt_result_t* r,
                             size_t* unsent) {
  int of_round = is_of_round(op, r, unsent);
  if (!of_round && (r->flags & RCPT_MANY)) {
    settle_many(r);
    return;
  }
  settle_rcpt(op, r, verdict_for(op, of_round));
  if (op->round.several) keep_reply(op, r);
}

static void settle_rcpts(uvsmtp__op_t* op) {
  uvsmtp_result_t* res = &op->result;
  const uvsmtp__round_t* round = &op->round;
  size_t unsent = round->rcpts > round->sent ? round->rcpts - round->sent : 0;
  size_t i;
  res->outcome = UVSMTP_OUTCOME_NONE;
  for (i = 0; i < res->nrcpts; i++) {
    uvsmtp_rcpt_result_t* r = &res->rcpts[i];
    if (r->outcome == UVSMTP_OUTCOME_NONE) settle_undecided(op, r, &unsent);
    if (weigh(r->outcome) > weigh(res->outcome)) res->outcome = r->outcome;
  }
}

void uvsmtp__op_settle(uvsmtp__op_t* op) {
  uvsmtp_result_t* res = &op->result;
  if (!op->carries) return;
  if (op->verdict == UVSMTP_OUTCOME_NONE && op->failed)
    op->verdict = UVSMTP_OUTCOME_NOT_ATTEMPTED;
  res->outcome = op->verdict;
  if (res->nrcpts == 0) return;
  settle_rcpts(op);
  if (res->outcome == UVSMTP_OUTCOME_UNKNOWN &&
      res->status != UVSMTP_EUNKNOWN) {
    /* What came first is the reason now: the loss is what the caller must
     * decide about. */
    if (res->status != UVSMTP_EDISCONNECTED) res->cause = res->status;
    res->status = UVSMTP_EUNKNOWN;
  } else if (res->outcome == UVSMTP_OUTCOME_ACCEPTED) {
    res->status = 0;
    res->cause = 0;
    if (!op->round.first) return;
    res->stage = op->round.stage;
    res->has_reply = op->round.has_reply;
    res->reply = op->round.reply;
  }
}
