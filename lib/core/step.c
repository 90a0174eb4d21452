/* SPDX-License-Identifier: MIT */
/* step.c: the table at work: the FIFO of commands in flight, step(), replies
 * matched by counting, and the loss of a session. */
#include <string.h>

#include "core/proto_int.h"

/* ---------------------------------------------------------------- FIFO */

uvsmtp__entry_t* uvsmtp__fifo_at(uvsmtp_proto_t* p, uint32_t i) {
  if (i >= p->fifo_count) return NULL;
  return &p->fifo[(p->fifo_head + i) & (p->fifo_cap - 1)];
}

static int fifo_grow(uvsmtp_proto_t* p) {
  uint32_t cap = p->fifo_cap == 0 ? 4 : p->fifo_cap * 2;
  uint32_t i;
  uvsmtp__entry_t* to = uvsmtp__alloc(&p->mem, cap * sizeof(*to));
  if (to == NULL) return -ENOMEM;
  for (i = 0; i < p->fifo_count; i++) to[i] = *uvsmtp__fifo_at(p, i);
  uvsmtp__free(&p->mem, p->fifo, p->fifo_cap * sizeof(*p->fifo));
  p->fifo = to;
  p->fifo_cap = cap;
  p->fifo_head = 0;
  return 0;
}

uvsmtp__entry_t* uvsmtp__fifo_push(uvsmtp_proto_t* p) {
  uvsmtp__entry_t* e;
  if (p->fifo_count == p->fifo_cap && fifo_grow(p) != 0) return NULL;
  e = &p->fifo[(p->fifo_head + p->fifo_count) & (p->fifo_cap - 1)];
  memset(e, 0, sizeof(*e));
  p->fifo_count++;
  if (p->fifo_count == 1) p->serial++;
  return e;
}

/* Takes the head off; gives the memory back when nothing is in flight, so that
 * an idle session holds none. */
static void fifo_pop(uvsmtp_proto_t* p) {
  uvsmtp__entry_t* e = uvsmtp__fifo_at(p, 0);
  if (e->op != NULL) e->op->inflight--;
  p->fifo_head = (p->fifo_head + 1) & (p->fifo_cap - 1);
  p->fifo_count--;
  p->serial++;
  if (p->fifo_count > 0) return;
  uvsmtp__free(&p->mem, p->fifo, p->fifo_cap * sizeof(*p->fifo));
  p->fifo = NULL;
  p->fifo_cap = 0;
  p->fifo_head = 0;
  /* All predictions are judged: the send cursor starts from the facts. */
  p->ahead = p->rest;
}

/* --------------------------------------------------------------- rows */

static int is_loss(int input) {
  switch (input) {
    case I_GONE:
    case I_GONE_MID:
    case I_BAD:
    case I_EOF:
    case I_TIMEOUT:
    case I_CANCEL:
    case I_OOM:
    case I_MOOT:
      return 1;
    default:
      return 0;
  }
}

static int is_auth(int state) {
  return uvsmtp__states[state].phase == UVSMTP_PHASE_AUTH;
}

/* Does the command, having gone well, leave the answer to others? Of a message
 * only the final reply counts, and to a hello a login, or a STARTTLS that is
 * done without, is none, unless another mechanism's refusal stood in for it. */
static int is_passed_over(const uvsmtp__op_t* op, int state) {
  if (op->plan == PLAN_HELLO)
    return state == S_STARTTLS ||
           (is_auth(state) && !is_auth(op->result.stage));
  return op->plan == PLAN_SEND && state != S_DOT && state != S_BDAT_LAST;
}

/* The reply that the result shows is the deciding one: the first failure's, if
 * it was a reply, else the last. */
static void decide(uvsmtp_proto_t* p, uvsmtp__op_t* op, int state,
                   const uvsmtp__row_t* row, const uvsmtp__cause_t* why) {
  if (op->failed) return;
  if (row->effects & FX_FAILS)
    uvsmtp__op_fail(op, row->error, why->cause == row->error ? 0 : why->cause,
                    state);
  else if (is_passed_over(op, state))
    return;
  op->result.stage = (uint8_t)state;
  if (why->reply == NULL) return;
  /* Of many transactions each recipient's own is kept: no more than a RCPT's.
   */
  uvsmtp__reply_store(
      &p->mem, &op->arena, why->reply,
      op->round.several ? UVSMTP__RCPT_TEXT_MAX : UVSMTP__TEXT_MAX,
      &op->result.reply);
  op->result.has_reply = 1;
}

/* What the row says of the recipients that this decides. */
static void apply_outcome(uvsmtp__op_t* op, int state, int input, int outcome) {
  if (outcome == UVSMTP_OUTCOME_NONE) return;
  if (is_loss(input)) {
    /* A refusal read whole stands whatever comes after; of several losses the
     * one that leaves a doubt counts. */
    if (op->verdict == UVSMTP_OUTCOME_NONE ||
        (op->verdict_lost && outcome == UVSMTP_OUTCOME_UNKNOWN)) {
      op->verdict = (uint8_t)outcome;
      op->verdict_lost = 1;
    }
    return;
  }
  /* A refused RCPT decides its own recipient only: refuse_rcpt did. */
  if (state == S_RCPT) return;
  /* Taken all the same: no refusal from before makes that undone. */
  if (outcome == UVSMTP_OUTCOME_UNKNOWN) op->verdict = (uint8_t)outcome;
  if (op->verdict == UVSMTP_OUTCOME_NONE) op->verdict = (uint8_t)outcome;
}

/* Applies a row to a command's request. */
static void judge(uvsmtp_proto_t* p, uvsmtp__op_t* op, int state, int input,
                  const uvsmtp__row_t* row, const uvsmtp__cause_t* why) {
  decide(p, op, state, row, why);
  apply_outcome(op, state, input, row->outcome);
  /* Who takes recipients behind a refused MAIL may take the text as well. */
  if (row->outcome == UVSMTP_OUTCOME_UNKNOWN && p->mail_refused &&
      p->accepted > 0)
    op->verdict = UVSMTP_OUTCOME_UNKNOWN;
  if ((row->effects & FX_RESETS) && op->plan == PLAN_SEND) p->reset_owed = 1;
}

static void apply(uvsmtp_proto_t* p, uvsmtp__entry_t* e, int input,
                  const uvsmtp__cause_t* why) {
  int state = e == NULL ? p->rest : e->state;
  const uvsmtp__row_t* row = &uvsmtp__rows[state][input];
  if (e != NULL && e->op != NULL) judge(p, e->op, state, input, row, why);
  uvsmtp__act(p, row->action, e, why);
  if (row->next == S_HOME)
    p->rest = p->helloed ? S_READY : S_GREETED;
  else if (row->next != S_SAME && uvsmtp__states[row->next].kind == KIND_REST)
    p->rest = row->next;
  else if (row->next != S_SAME && e != NULL) {
    e->state = row->next;
    if (e == uvsmtp__fifo_at(p, 0)) p->serial++;
  }
  /* A failing source closes the session from behind the head: shut() then
   * tells all that is in flight, this one again, which changes nothing. */
  if (e != NULL && (row->effects & (FX_DONE | FX_CLOSES)) &&
      e == uvsmtp__fifo_at(p, 0)) {
    if (is_auth(state)) uvsmtp__auth_over(uvsmtp__exchange_of(p, e->op));
    fifo_pop(p);
  }
}

/* ------------------------------------------------------- losing it all */

/* Why those who come later find no session. */
static void remember_loss(uvsmtp_proto_t* p, int state, int input,
                          const uvsmtp__cause_t* why) {
  const uvsmtp__row_t* row = &uvsmtp__rows[state][input];
  p->down_stage = (uint8_t)state;
  if (input == I_CANCEL) {
    p->down_status = -ECANCELED;
    p->down_cause = 0;
    p->down_outcome = UVSMTP_OUTCOME_NOT_ATTEMPTED;
  } else if (state == S_OPENING || state == S_WRAP || state == S_GREETING) {
    p->down_status = row->error;
    p->down_cause = (int16_t)(why->cause == row->error ? 0 : why->cause);
    p->down_outcome = row->outcome;
  } else {
    p->down_status = UVSMTP_EDISCONNECTED;
    p->down_cause = (int16_t)why->cause;
    p->down_outcome = UVSMTP_OUTCOME_NOT_ATTEMPTED;
  }
}

/* The session is over: everything in flight is told, in order. */
static void shut(uvsmtp_proto_t* p, int input, const uvsmtp__cause_t* why) {
  uvsmtp__cause_t rest = {NULL, why->cause};
  uvsmtp__op_t* op = p->current;
  if (input == I_GONE || input == I_GONE_MID) input = I_MOOT;
  /* A final reply that ends a session, as 554 to the text, leaves what is
   * behind it without one. */
  else if (!is_loss(input))
    input = I_EOF;
  while (p->fifo_count > 0) apply(p, uvsmtp__fifo_at(p, 0), input, &rest);
  /* A request that waits for its own source has nothing in flight. */
  if (op != NULL && op->started && !uvsmtp__at_end(op)) {
    int error = uvsmtp__rows[S_TEXT][input].error;
    apply_outcome(
        op, S_TEXT, I_EOF,
        op->begun ? UVSMTP_OUTCOME_DEFERRED : UVSMTP_OUTCOME_NOT_ATTEMPTED);
    uvsmtp__op_fail(op, error, rest.cause == error ? 0 : rest.cause, p->rest);
  }
  p->rest = S_CLOSED;
  p->ahead = S_CLOSED;
  p->texting = NULL;
  p->texts = 0;
  p->reset_owed = 0;
  p->quit_owed = 0;
  p->helloed = 0;
  p->esmtp = 0;
  p->tls = 0;
  p->authed = NULL;
  p->serial++;
  uvsmtp__end_transaction(p);
  uvsmtp__out_clear(&p->mem, &p->out);
  uvsmtp__reader_reset(&p->reader, &p->mem);
  uvsmtp__forget_server(p);
}

/* Octets of text that never left do not count as given to the transport. */
static void discount_unsent(uvsmtp_proto_t* p) {
  uint32_t i;
  for (i = 0; i < p->fifo_count; i++) {
    uvsmtp__entry_t* e = uvsmtp__fifo_at(p, i);
    uint64_t unsent = uvsmtp__text_unsent(p, e);
    if (unsent > 0) e->op->text.queued -= unsent;
  }
}

static size_t put(char* to, size_t at, const char* text) {
  size_t n = strlen(text);
  memcpy(to + at, text, n);
  return at + n;
}

/* Where and why, for the trace: both are words of the tables, so they fit. */
static void say_over(uvsmtp_proto_t* p, int state, int input) {
  char text[128];
  size_t n = put(text, 0, "session over at ");
  n = put(text, n, uvsmtp__states[state].name);
  if (is_loss(input)) {
    n = put(text, n, ": ");
    n = put(text, n, uvsmtp__input_texts[input]);
  }
  uvsmtp__trace(p, UVSMTP_TRACE_INFO, text, n);
}

void uvsmtp__step(uvsmtp_proto_t* p, uvsmtp__entry_t* e, int input,
                  const uvsmtp__cause_t* why) {
  int state = e == NULL ? p->rest : e->state;
  int closes = (uvsmtp__rows[state][input].effects & FX_CLOSES) != 0;
  if (closes) {
    say_over(p, state, input);
    discount_unsent(p);
    remember_loss(p, state, input, why);
    /* The engine's own: what is behind it is for another session, however this
     * one ends. */
    if (state == S_QUIT && e != NULL && e->op == NULL &&
        p->down_status == UVSMTP_EDISCONNECTED)
      p->down_cause = -EAGAIN;
  }
  apply(p, e, input, why);
  if (closes) shut(p, input, why);
}

void uvsmtp__on_input(uvsmtp_proto_t* p, int input, int cause) {
  uvsmtp__cause_t why = {NULL, cause};
  uvsmtp__step(p, uvsmtp__fifo_at(p, 0), input, &why);
}

/* ------------------------------------------------------------- replies */

static unsigned int facts(const uvsmtp_proto_t* p, const uvsmtp__entry_t* e,
                          int followed) {
  unsigned int f = followed ? FACT_FOLLOWED : 0;
  if (p->flags & UVSMTP_SESSION_LMTP) f |= FACT_LMTP;
  if (p->mail_refused) f |= FACT_MAIL_REFUSED;
  if (p->chunk_refused) f |= FACT_CHUNK_REFUSED;
  if (p->accepted == 0) f |= FACT_NO_RCPT;
  if (uvsmtp__is_exposed(p, S_HELO)) f |= FACT_EXPOSED;
  if (e != NULL && e->whole_at > p->heard_at) f |= FACT_EARLY;
  if (e != NULL && e->op != NULL && uvsmtp__is_optional(p, e->op))
    f |= FACT_OPTIONAL;
  if (e != NULL && is_auth(e->state) && uvsmtp__exchange_of(p, e->op)->unproven)
    f |= FACT_UNPROVEN;
  return f;
}

/* A final reply of several: the next accepted recipient's own. */
static void final_reply(uvsmtp_proto_t* p, uvsmtp__op_t* op, int state,
                        int input, const uvsmtp_reply_t* reply) {
  uvsmtp_rcpt_result_t* r;
  while (op->final < op->result.nrcpts &&
         (op->result.rcpts[op->final].flags & (RCPT_ACCEPTED | RCPT_FINAL)) !=
             RCPT_ACCEPTED)
    op->final++;
  if (op->final >= op->result.nrcpts) return;
  r = &op->result.rcpts[op->final++];
  uvsmtp__reply_store(&p->mem, &op->arena, reply, UVSMTP__RCPT_TEXT_MAX,
                      &r->final);
  r->flags |= RCPT_FINAL;
  r->stage = (uint8_t)state;
  if (input == I_OK) {
    r->outcome = UVSMTP_OUTCOME_ACCEPTED;
    return;
  }
  r->status = UVSMTP_EDATA;
  r->outcome =
      input == I_PERM ? UVSMTP_OUTCOME_REJECTED : UVSMTP_OUTCOME_DEFERRED;
}

/* RFC 2033 4.2: as many final replies as accepted recipients, in order. They
 * are counted when the first comes: by then every RCPT has been answered. */
static void several_replies(uvsmtp_proto_t* p, uvsmtp__entry_t* e, int input,
                            const uvsmtp__cause_t* why) {
  if (input == I_BAD || input == I_GO_STALE) {
    uvsmtp__step(p, e, input, why);
    return;
  }
  if (e->left == 0) e->left = p->accepted;
  final_reply(p, e->op, e->state, input, why->reply);
  if (input == I_OK)
    e->some_ok = 1;
  else
    e->some_bad = 1;
  e->left--;
  if (input == I_GONE) {
    uvsmtp__step(p, e, e->left > 0 ? I_GONE_MID : I_GONE, why);
  } else if (e->left > 0) {
    p->serial++;
  } else {
    input = !e->some_bad ? I_ALL_OK : e->some_ok ? I_SOME_OK : I_NONE_OK;
    uvsmtp__step(p, e, input, why);
  }
}

void uvsmtp__on_reply(uvsmtp_proto_t* p, const uvsmtp_reply_t* reply,
                      int followed) {
  uvsmtp__entry_t* e = uvsmtp__fifo_at(p, 0);
  uvsmtp__cause_t why = {reply, 0};
  int state = e == NULL ? p->rest : e->state;
  uvsmtp__op_t* op = e == NULL ? NULL : e->op;
  int input = uvsmtp__classify(state, reply->code, facts(p, e, followed));
  if (input == I_BAD) why.cause = UVSMTP_EPROTOCOL;
  if (e != NULL && (state == S_DOT || state == S_BDAT_LAST) &&
      uvsmtp__states[state].replies == REPLIES_PER_RCPT &&
      (p->flags & UVSMTP_SESSION_LMTP) && p->accepted > 0) {
    several_replies(p, e, input, &why);
    return;
  }
  if (state == S_RCPT && op->plan == PLAN_SEND) {
    int spoilt = (input == I_TEMP || input == I_PERM) &&
                 (op->flags & UVSMTP_MESSAGE_ALL_OR_NOTHING);
    op->round.replied++;
    uvsmtp__step(p, e, input, &why);
    if (op->round.replied == op->round.rcpts && p->accepted == 0) spoilt = 1;
    if (spoilt && !op->failed && p->rest != S_CLOSED) {
      /* The command is answered and gone: its request alone is judged. */
      const uvsmtp__row_t* row = &uvsmtp__rows[S_RCPT][I_NONE_OK];
      judge(p, op, S_RCPT, I_NONE_OK, row, &why);
    }
    return;
  }
  uvsmtp__step(p, e, input, &why);
  if (state == S_RCPT && (input == I_TEMP || input == I_PERM))
    judge(p, op, S_RCPT, I_NONE_OK, &uvsmtp__rows[S_RCPT][I_NONE_OK], &why);
}
