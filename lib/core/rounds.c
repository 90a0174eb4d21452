/* SPDX-License-Identifier: MIT */
/* rounds.c: a message in several transactions: where the server says how many
 * recipients it takes in one (RFC 9422), and where it finds too many in this
 * one (RFC 5321 4.5.3.1.10). */
#include <string.h>

#include "core/proto_int.h"

enum {
  RCPTS_SURE = 100, /* RFC 5321 4.5.3.1.8: every server takes as many */
  RCPTS_AHEAD = 16
};

int uvsmtp__is_too_many(const uvsmtp_proto_t* p, const uvsmtp__op_t* op,
                        const uvsmtp_reply_t* reply) {
  /* There is another transaction only behind one that delivers something. */
  if (p->accepted == 0 || op->text.source->rewind == NULL ||
      (op->flags & UVSMTP_MESSAGE_ALL_OR_NOTHING))
    return 0;
  if (reply->enhanced[0] != 0)
    return reply->enhanced[1] == 5 && reply->enhanced[2] == 3;
  return reply->code == 452 || reply->code == 552;
}

/* One too many counts as an error, and after some of those servers end the
 * session with 421, which would leave all recipients without the message:
 * Postfix after 20, others after 3. So where the limit may be, the ground is
 * tried before more are sent. */
size_t uvsmtp__rcpts_ahead(const uvsmtp_proto_t* p, const uvsmtp__round_t* r) {
  size_t well = r->replied;
  if (p->caps.rcpt_max > 0 || r->limit > 0) return SIZE_MAX;
  if (r->sent < RCPTS_SURE) return SIZE_MAX;
  well = well > RCPTS_SURE ? well - RCPTS_SURE : 0;
  return well < RCPTS_AHEAD ? well + 1 : RCPTS_AHEAD;
}

/* What refuses one recipient by 452, without more, may take the next: its
 * mailbox was full. Else the rest has a better chance in the next transaction.
 */
void uvsmtp__round_full(uvsmtp__round_t* round, const uvsmtp_reply_t* reply) {
  if (round->again++ == 0) round->taken = round->replied - 1;
  if (reply->enhanced[0] != 0 || round->replied > RCPTS_SURE)
    round->rcpts = round->sent;
}

void uvsmtp__round_begin(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  uvsmtp__round_t* round = &op->round;
  round->rcpts = round->open;
  if (p->caps.rcpt_max > 0 && round->rcpts > p->caps.rcpt_max)
    round->rcpts = p->caps.rcpt_max;
  if (round->limit > 0 && round->rcpts > round->limit)
    round->rcpts = round->limit;
  round->sent = 0;
  round->replied = 0;
  round->again = 0;
  round->many = 0;
  round->taken = 0;
  op->next_rcpt = round->start;
  op->final = round->start;
}

/* Is there to be another transaction behind the one that is answered? One that
 * failed otherwise than by its recipients says something of the message. (One
 * that is all or nothing is the only one: it has all recipients, and none is
 * called one too many.) */
static int is_more_due(const uvsmtp_proto_t* p, const uvsmtp__op_t* op) {
  const uvsmtp__round_t* round = &op->round;
  if (round->open - round->rcpts + round->again == 0) return 0;
  if (op->failed && op->result.status != UVSMTP_ERECIPIENTS) return 0;
  /* Too many even among themselves: it is not their number. */
  if (op->failed && round->many > 0) return 0;
  return op->text.source->rewind != NULL && !op->expired && !p->canceled;
}

static void begin_next(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  if (op->round.taken > 0) op->round.limit = op->round.taken;
  uvsmtp__op_settle_round(op);
  uvsmtp__op_revive(&p->mem, op);
  op->round.before += op->text.queued;
  op->text.queued = 0;
  op->round.rcpts = 0;
  op->verdict_lost = 0;
  op->begun = 0;
  op->cut = 0;
  op->go = 0;
  op->void_go = 0;
  op->step = uvsmtp__plan_step(PLAN_SEND, S_MAIL);
  if (uvsmtp__text_rewind(op) == 0) return;
  op->verdict = UVSMTP_OUTCOME_NOT_ATTEMPTED;
  uvsmtp__op_fail(op, UVSMTP_ESOURCE, op->text.error, S_MAIL);
}

int uvsmtp__round_over(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  const uvsmtp__round_t* round = &op->round;
  if (op->result.nrcpts < 2 || round->rcpts == 0 || p->rest == S_CLOSED)
    return ROUNDS_OVER;
  /* A lone dot is still to be answered: RSET may follow it, another MAIL not.
   */
  if (op->inflight > 0 && round->open > round->rcpts) return ROUNDS_HOLD;
  if (!is_more_due(p, op)) return ROUNDS_OVER;
  begin_next(p, op);
  return ROUNDS_MORE;
}
