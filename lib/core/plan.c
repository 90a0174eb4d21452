/* SPDX-License-Identifier: MIT */
/* plan.c: the send cursor. It walks the steps of the current request as far as
 * the rules of pipelining and the guards let it, by predicting the place each
 * command leads to; replies prove the prediction or correct the course. */
#include <string.h>

#include "core/proto_int.h"

int uvsmtp__at_end(const uvsmtp__op_t* op) {
  return uvsmtp__steps[op->step].plan != op->plan;
}

static int pipelines(const uvsmtp_proto_t* p, const uvsmtp__op_t* op) {
  return (p->caps.bits & UVSMTP__CAP_PIPELINING) &&
         !(p->flags & UVSMTP_SESSION_NO_PIPELINING) &&
         (op == NULL || !(op->flags & UVSMTP_MESSAGE_NO_PIPELINING));
}

int uvsmtp__uses_chunking(const uvsmtp_proto_t* p, const uvsmtp__op_t* op) {
  return (p->caps.bits & UVSMTP__CAP_CHUNKING) &&
         !(p->flags & UVSMTP_SESSION_NO_CHUNKING) &&
         !(op->flags & UVSMTP_MESSAGE_NO_CHUNKING);
}

/* May a command in this state go out behind what is in flight? RFC 2920 3.1;
 * without PIPELINING one command is outstanding at a time. */
static int may_go(uvsmtp_proto_t* p, const uvsmtp__op_t* op, int state) {
  const uvsmtp__entry_t* tail;
  if (p->texting != NULL) return 0;
  if (p->fifo_count == 0) return 1;
  if (!pipelines(p, op)) return 0;
  if (p->fifo_count >= UVSMTP__FIFO_MAX) return 0;
  if (uvsmtp__out_pending(&p->out) >= UVSMTP__AHEAD_MAX) return 0;
  if (uvsmtp__states[state].group == GROUP_FIRST) return 0;
  tail = uvsmtp__fifo_at(p, p->fifo_count - 1);
  /* How many replies a text gets under LMTP hangs on what the server thinks of
   * the transaction: nothing may follow whose reply could be taken for one. */
  if ((p->flags & UVSMTP_SESSION_LMTP) &&
      uvsmtp__states[tail->state].replies == REPLIES_PER_RCPT)
    return 0;
  return uvsmtp__states[tail->state].group != GROUP_LAST;
}

/* ------------------------------------------------------------- sending */

/* A path as this server takes it: see uvsmtp__fit_utf8. */
static int said_path(const uvsmtp_proto_t* p, const uvsmtp__op_t* op,
                     uvsmtp_slice_t* path, char* buf) {
  if (!op->utf8 || op->smtputf8) return 0;
  return uvsmtp__path_ascii(p, *path, buf, path);
}

static int build_mail(uvsmtp_proto_t* p, uvsmtp__op_t* op,
                      const char* const* options, size_t noptions) {
  char params[UVSMTP__PARAMS_MAX];
  char buf[UVSMTP__PATH_MAX];
  uvsmtp_slice_t path = op->path;
  int ignored;
  int rc = uvsmtp__mail_params(p, op, params, &ignored);
  if (rc == 0) rc = said_path(p, op, &path, buf);
  if (rc != 0) return rc;
  return uvsmtp__put_path(&p->mem, &p->out.bytes, "MAIL FROM:", path, params,
                          options, noptions, NULL, 0);
}

static int build_rcpt(uvsmtp_proto_t* p, uvsmtp__op_t* op,
                      const char* const* options, size_t noptions) {
  char params[UVSMTP__RCPT_PARAMS_MAX];
  char buf[UVSMTP__PATH_MAX];
  const uvsmtp_rcpt_result_t* r = NULL;
  uvsmtp_slice_t path = op->path;
  int rc;
  *params = '\0';
  if (op->plan == PLAN_SEND) {
    r = &op->result.rcpts[op->next_rcpt];
    path = r->path;
    options = op->rcpt_options;
    noptions = p->esmtp ? op->nrcpt_options : 0;
    uvsmtp__rcpt_params(op, r, params);
  }
  rc = said_path(p, op, &path, buf);
  if (rc != 0) return rc;
  return uvsmtp__put_path(&p->mem, &p->out.bytes, "RCPT TO:", path, params,
                          options, noptions, r == NULL ? NULL : r->options,
                          r == NULL || !p->esmtp ? 0 : r->noptions);
}

static int build(uvsmtp_proto_t* p, uvsmtp__op_t* op, int state) {
  uvsmtp__buf_t* b = &p->out.bytes;
  const char* const* options;
  const char* name = p->local_name;
  size_t noptions;
  if (op == NULL)
    return uvsmtp__put_line(&p->mem, b, uvsmtp__states[state].wire);
  options = p->esmtp ? op->options : NULL;
  noptions = p->esmtp ? op->noptions : 0;
  if (op->arg != NULL && (op->plan == PLAN_EHLO || op->plan == PLAN_HELO))
    name = op->arg;
  if (name == NULL) name = "[127.0.0.1]";
  switch (state) {
    case S_EHLO:
      return uvsmtp__put_hello(
          &p->mem, b, p->flags & UVSMTP_SESSION_LMTP ? "LHLO" : "EHLO", name);
    case S_HELO:
      return uvsmtp__put_hello(&p->mem, b, "HELO", name);
    case S_MAIL:
      return build_mail(p, op, options, noptions);
    case S_RCPT:
      return build_rcpt(p, op, options, noptions);
    case S_CHUNK_TEXT:
    case S_LAST_TEXT:
      if (op->plan == PLAN_BURL)
        return uvsmtp__put_burl(&p->mem, b, op->arg, state == S_LAST_TEXT);
      return uvsmtp__put_bdat(&p->mem, b, op->text.ahead, state == S_LAST_TEXT);
    case S_COMMAND:
    case S_EXTENSION:
    case S_XCLIENT:
      return uvsmtp__put_line(&p->mem, b, op->arg);
    default:
      if (uvsmtp__states[state].kind == KIND_WAIT) return 0;
      return uvsmtp__put_line(&p->mem, b, uvsmtp__states[state].wire);
  }
}

static void predict(uvsmtp_proto_t* p, int state) {
  uint8_t ahead = uvsmtp__states[state].ahead;
  if (ahead == S_HOME) ahead = p->helloed ? S_READY : S_GREETED;
  if (ahead == S_SAME) return;
  p->ahead = ahead;
  /* What could lead there within the old transaction was refused, so another
   * has begun, or may begin. */
  p->misled = 0;
  p->holed = 0;
}

/* A new connection: nothing of the last one may show through. */
static void begin_session(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  uvsmtp__out_clear(&p->mem, &p->out);
  uvsmtp__reader_reset(&p->reader, &p->mem);
  uvsmtp__forget_server(p);
  p->policy = op->tls;
  p->tls_refused = 0;
  p->local = op->local & 1u;
  p->mails = 0;
  p->login_failed = 0;
  uvsmtp__exchange_free(p->auth);
  p->auth = op->auth;
  op->auth = NULL;
}

/* Puts the step's command into flight. 0 or an error: nothing was queued. */
static int issue(uvsmtp_proto_t* p, uvsmtp__op_t* op, int state) {
  uvsmtp__entry_t* e;
  size_t before;
  int rc;
  if (state == S_OPENING) begin_session(p, op);
  before = p->out.bytes.len;
  rc = build(p, op, state);
  if (rc != 0) return rc;
  if (p->out.bytes.len > before) {
    size_t n = p->out.bytes.len - before;
    uvsmtp__trace(p, UVSMTP_TRACE_SENT,
                  uvsmtp__buf_data(&p->out.bytes) + before, n - 2);
    rc = uvsmtp__out_built(&p->mem, &p->out, before);
    if (rc != 0) return rc;
  }
  e = uvsmtp__fifo_push(p);
  if (e == NULL) return -ENOMEM;
  e->op = op;
  e->state = (uint8_t)state;
  e->whole_at = p->out.queued;
  e->mark = UINT64_MAX;
  predict(p, state);
  if (op == NULL) return 0;
  e->rcpt = (uint32_t)op->next_rcpt;
  if (op->plan == PLAN_SEND && state == S_RCPT) {
    uvsmtp_rcpt_result_t* r = &op->result.rcpts[op->next_rcpt++];
    if (r->flags & RCPT_MANY) op->round.many++;
    r->flags |= RCPT_SENT;
    op->round.sent++;
  }
  if (state == S_MAIL) {
    op->begun = 1;
    p->mails++;
    if (op->plan == PLAN_SEND) uvsmtp__round_begin(p, op);
  }
  op->inflight++;
  op->started = 1;
  if (state == S_AUTH_THINK) uvsmtp__auth_begin(p, uvsmtp__exchange_of(p, op));
  if (state == S_TEXT || state == S_CHUNK_TEXT || state == S_LAST_TEXT)
    return uvsmtp__text_begin(p, op, e);
  return 0;
}

int uvsmtp__is_exposed(const uvsmtp_proto_t* p, int state) {
  return p->policy == UVSMTP_TLS_REQUIRED && !p->tls &&
         uvsmtp__states[state].needs == NEEDS_TLS;
}

int uvsmtp__is_optional(const uvsmtp_proto_t* p, const uvsmtp__op_t* op) {
  return p->policy == UVSMTP_TLS_OPPORTUNISTIC && op->plan != PLAN_STARTTLS;
}

/* There is no place for this command. */
static void misplaced(uvsmtp_proto_t* p, uvsmtp__op_t* op, int state) {
  int connecting = state == S_OPENING || state == S_GREETING;
  if (!connecting && (p->ahead == S_CLOSED || p->ahead == S_CONNECT)) {
    /* For what never began it is where the session ended that tells most. */
    if (!op->started) op->verdict = p->down_outcome;
    uvsmtp__op_fail(op, p->down_status, p->down_cause,
                    op->started ? state : p->down_stage);
    return;
  }
  uvsmtp__op_fail(op, connecting ? -EISCONN : -EPERM, 0, state);
  if (state == S_MAIL && op->plan == PLAN_MAIL) p->misled = 1;
}

/* The caller's MAIL, or login, found no place, within a transaction that is
 * still open: the commands queued behind it were meant for another. And a chunk
 * behind one that is missing would make the message look whole. */
static int is_misled(const uvsmtp_proto_t* p, const uvsmtp__op_t* op) {
  int chunk = op->plan == PLAN_BDAT || op->plan == PLAN_BURL;
  if (p->holed && chunk) return 1;
  return p->misled && (op->plan == PLAN_RCPT || op->plan == PLAN_DATA || chunk);
}

/* Tries the request's next step: 1 when the cursor moved. */
static int next_step(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  const uvsmtp__step_row_t* step = &uvsmtp__steps[op->step];
  int rc;
  if (!may_go(p, op, step->state)) return 0;
  if (p->canceled) uvsmtp__op_fail(op, -ECANCELED, 0, p->rest);
  if (!op->started && is_misled(p, op))
    uvsmtp__op_fail(op, -EPERM, 0, step->state);
  /* The host has not dropped the old connection yet. */
  if (step->state == S_OPENING && p->up && p->rest == S_CLOSED && !p->canceled)
    return 0;
  rc = uvsmtp__ask(p, step->guard, op);
  if (rc == GUARD_HOLD) return 0;
  if (rc == GUARD_SKIP) {
    op->step++;
    return 1;
  }
  if (!((uvsmtp__states[step->state].starts >> p->ahead) & 1u)) {
    misplaced(p, op, step->state);
    /* Not again: some guards do not ask whether the request has failed. */
    op->step++;
    return 1;
  }
  if (uvsmtp__is_exposed(p, step->state)) {
    uvsmtp__op_fail(op, UVSMTP_ETLS, -EPERM, step->state);
    op->step++;
    return 1;
  }
  rc = issue(p, op, step->state);
  if (rc == -EINVAL) {
    uvsmtp__op_fail(op, rc, 0, step->state);
    if (op->begun) p->reset_owed = 1;
    op->step++;
    return 1;
  }
  if (rc != 0) {
    uvsmtp__op_fail(op, rc, 0, step->state);
    uvsmtp__on_input(p, I_OOM, rc);
    return 1;
  }
  if (step->times == TIMES_ONCE) op->step++;
  return 1;
}

/* ------------------------------------------------------------ requests */

static void finish(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  if (p->current == op) p->current = NULL;
  op->result.octets = op->round.before + op->text.queued;
  if (op->text.source != NULL) uvsmtp__report(op, op->text.queued);
  uvsmtp__op_settle(op);
  /* The caller may want the secrets gone. */
  uvsmtp__exchange_free(op->auth);
  op->auth = NULL;
  if (op->text.source != NULL && op->text.source->release != NULL)
    op->text.source->release(op->text.source);
  uvsmtp__queue_remove(&op->link);
  uvsmtp__queue_insert_tail(&p->done, &op->link);
}

/* All steps have been taken: 0 while it is not known whether that is all. What
 * is queued behind a login was meant for whom it would have been, whatever it
 * failed of. */
static int end(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  int rounds = ROUNDS_OVER;
  if (op->plan == PLAN_SEND) rounds = uvsmtp__round_over(p, op);
  if (rounds != ROUNDS_OVER) return rounds == ROUNDS_MORE;
  op->ended = 1;
  if (op->plan != PLAN_LOGIN || !op->failed || p->authed != NULL) return 1;
  p->login_failed = 1;
  p->misled = 1; /* within a transaction, too */
  return 1;
}

/* Requests finish in order: one that failed early waits for those before it. */
static void reap(uvsmtp_proto_t* p) {
  uvsmtp__link_t* first;
  if (p->submitting) return;
  while ((first = uvsmtp__queue_first(&p->ops)) != NULL) {
    uvsmtp__op_t* op = UVSMTP__CONTAINER(first, uvsmtp__op_t, link);
    if (!op->ended || op->inflight > 0 || p->texting == op) break;
    finish(p, op);
  }
}

/* The next request whose turn it is. Behind a message the cursor waits until
 * that is over: the window is one message. */
static uvsmtp__op_t* advance(uvsmtp_proto_t* p) {
  uvsmtp__link_t* link;
  if (p->current != NULL && !p->current->ended) return p->current;
  if (p->current != NULL && p->current->plan == PLAN_SEND &&
      p->current->inflight > 0)
    return NULL;
  link = p->current == NULL ? &p->ops : &p->current->link;
  for (link = link->next; link != &p->ops; link = link->next) {
    uvsmtp__op_t* op = UVSMTP__CONTAINER(link, uvsmtp__op_t, link);
    if (op->ended) continue;
    p->current = op;
    return op;
  }
  return NULL;
}

/* Has no request begun that is not over? Between the transactions of a message
 * none has, and one that no session will see any more waits for this one's end.
 */
static int is_between(const uvsmtp_proto_t* p) {
  const uvsmtp__op_t* op = p->current;
  if (op == NULL || op->ended || p->quit_owed) return 1;
  return op->round.several && op->round.rcpts == 0;
}

/* The engine's own RSET, or QUIT, goes before the next request. It has no
 * request of its own, so that nobody hears of it. Returns 1 when the cursor
 * moved. */
static int run_own(uvsmtp_proto_t* p) {
  int state;
  int rc;
  if (!(p->reset_owed | p->quit_owed) || !is_between(p)) return 0;
  state = p->quit_owed ? S_QUIT : S_RSET;
  if (!may_go(p, NULL, state)) return 0;
  p->reset_owed = 0;
  p->quit_owed = 0;
  if (!((uvsmtp__states[state].starts >> p->ahead) & 1u)) return 1;
  rc = issue(p, NULL, state);
  if (rc != 0) uvsmtp__on_input(p, I_OOM, rc);
  return 1;
}

void uvsmtp__run(uvsmtp_proto_t* p) {
  int moved = 1;
  /* A source's hook may resume, which comes back here. */
  if (p->running) return;
  p->running = 1;
  while (moved) {
    uvsmtp__op_t* op = p->current;
    moved = 0;
    if (op != NULL && !op->ended && uvsmtp__at_end(op) && !end(p, op)) {
      reap(p); /* those before it need not wait for what it waits for */
      break;
    }
    if (uvsmtp__is_thinking(p) && uvsmtp__auth_run(p)) {
      moved = 1;
      continue;
    }
    reap(p);
    if (run_own(p)) {
      moved = 1;
      continue;
    }
    if ((p->reset_owed | p->quit_owed) && is_between(p)) break;
    op = advance(p);
    if (op == NULL) break;
    if (uvsmtp__at_end(op))
      moved = 1;
    else
      moved = next_step(p, op);
  }
  p->running = 0;
}
