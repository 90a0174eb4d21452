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

/* ------------------------------------------------------ MAIL's parameters */

static size_t put_text(char* to, size_t at, size_t cap, const char* text) {
  size_t n = strlen(text);
  if (at + n >= cap) return at;
  memcpy(to + at, text, n);
  to[at + n] = '\0';
  return at + n;
}

static size_t put_number(char* to, size_t at, size_t cap, uint64_t n) {
  char digits[24];
  size_t i = sizeof(digits) - 1;
  digits[i] = '\0';
  do {
    digits[--i] = (char)('0' + n % 10);
    n /= 10;
  } while (n > 0);
  return put_text(to, at, cap, digits + i);
}

/* RFC 1870: the size is known or well estimated; more than the limit is refused
 * here, since the lower bound is already too much. */
static int size_param(uvsmtp_proto_t* p, uvsmtp__op_t* op, char* buf,
                      size_t* at, size_t cap, int* cause) {
  uint64_t size = 0;
  int known;
  if (!(p->caps.bits & UVSMTP__CAP_SIZE) || op->text.source == NULL) return 0;
  known = uvsmtp__text_size(p, op, &size);
  if (op->text.error != 0) {
    *cause = op->text.error;
    return UVSMTP_ESOURCE;
  }
  if (known < 0) return 0;
  if (p->caps.size_limit > 0 && size > p->caps.size_limit) {
    *cause = -EMSGSIZE;
    return UVSMTP_ENOTSUPPORTED;
  }
  if (uvsmtp__has_param(op->options, op->noptions, "SIZE")) return 0;
  *at = put_text(buf, *at, cap, " SIZE=");
  *at = put_number(buf, *at, cap, size);
  return 0;
}

int uvsmtp__mail_params(uvsmtp_proto_t* p, uvsmtp__op_t* op, char* buf,
                        size_t cap, int* cause) {
  int asked = uvsmtp__has_param(op->options, op->noptions, "SMTPUTF8");
  int has_body = uvsmtp__has_param(op->options, op->noptions, "BODY");
  size_t at = 0;
  int rc;
  buf[0] = '\0';
  /* RFC 6531 3.1, 3.2 */
  if ((op->utf8 || asked) && !(p->caps.bits & UVSMTP__CAP_SMTPUTF8))
    return UVSMTP_ENOTSUPPORTED;
  rc = size_param(p, op, buf, &at, cap, cause);
  if (rc != 0) return rc;
  if (op->plan == PLAN_SEND && op->line_ends == UVSMTP_LINES_BINARY) {
    /* RFC 3030 3: only by BDAT. */
    if (!(p->caps.bits & UVSMTP__CAP_BINARYMIME) ||
        !uvsmtp__uses_chunking(p, op))
      return UVSMTP_ENOTSUPPORTED;
    if (!has_body) at = put_text(buf, at, cap, " BODY=BINARYMIME");
    has_body = 1;
  }
  if (op->utf8 && !asked) {
    if (!has_body && (p->caps.bits & UVSMTP__CAP_8BITMIME))
      at = put_text(buf, at, cap, " BODY=8BITMIME");
    put_text(buf, at, cap, " SMTPUTF8");
  }
  return 0;
}

/* ------------------------------------------------------------- sending */

static int build(uvsmtp_proto_t* p, uvsmtp__op_t* op, int state) {
  uvsmtp__buf_t* b = &p->out.bytes;
  const char* const* options;
  const char* name = p->local_name;
  size_t noptions;
  char params[80];
  int ignored;
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
      (void)uvsmtp__mail_params(p, op, params, sizeof(params), &ignored);
      return uvsmtp__put_path(&p->mem, b, "MAIL FROM:", op->path, params,
                              options, noptions, NULL, 0);
    case S_RCPT:
      if (op->plan == PLAN_SEND) {
        const uvsmtp_rcpt_result_t* r = &op->result.rcpts[op->next_rcpt];
        return uvsmtp__put_path(&p->mem, b, "RCPT TO:", r->path, NULL,
                                op->rcpt_options,
                                p->esmtp ? op->nrcpt_options : 0, r->options,
                                p->esmtp ? r->noptions : 0);
      }
      return uvsmtp__put_path(&p->mem, b, "RCPT TO:", op->path, NULL, options,
                              noptions, NULL, 0);
    case S_CHUNK_TEXT:
    case S_LAST_TEXT:
      return uvsmtp__put_bdat(&p->mem, b, op->text.ahead, state == S_LAST_TEXT);
    case S_COMMAND:
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
  if (state == S_RCPT && op->plan == PLAN_SEND) op->next_rcpt++;
  if (state == S_MAIL) op->begun = 1;
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
  if (p->holed && op->plan == PLAN_BDAT) return 1;
  return p->misled && (op->plan == PLAN_RCPT || op->plan == PLAN_DATA ||
                       op->plan == PLAN_BDAT);
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
  op->result.octets = op->text.queued;
  if (op->text.source != NULL) uvsmtp__report(op, op->result.octets);
  uvsmtp__op_settle(op);
  /* The caller may want the secrets gone. */
  uvsmtp__exchange_free(op->auth);
  op->auth = NULL;
  if (op->text.source != NULL && op->text.source->release != NULL)
    op->text.source->release(op->text.source);
  uvsmtp__queue_remove(&op->link);
  uvsmtp__queue_insert_tail(&p->done, &op->link);
}

/* Nothing more will be sent for it. What is queued behind a login was meant for
 * whom it would have been, whatever it failed of. */
static void end(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  op->ended = 1;
  if (op->plan != PLAN_LOGIN || !op->failed || p->authed != NULL) return;
  p->login_failed = 1;
  p->misled = 1; /* within a transaction, too */
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

/* The engine's own RSET goes before the next request. It has no request of its
 * own, so that nobody hears of it. Returns 1 when the cursor moved. */
static int run_reset(uvsmtp_proto_t* p) {
  int state;
  int rc;
  if (!p->reset_owed || (p->current != NULL && !p->current->ended)) return 0;
  state = uvsmtp__steps[uvsmtp__plan_start(PLAN_RESET)].state;
  if (!may_go(p, NULL, state)) return 0;
  p->reset_owed = 0;
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
    uvsmtp__op_t* op;
    moved = 0;
    if (p->current != NULL && !p->current->ended && uvsmtp__at_end(p->current))
      end(p, p->current);
    if (uvsmtp__is_thinking(p) && uvsmtp__auth_run(p)) {
      moved = 1;
      continue;
    }
    reap(p);
    if (run_reset(p)) {
      moved = 1;
      continue;
    }
    if (p->reset_owed && (p->current == NULL || p->current->ended)) break;
    op = advance(p);
    if (op == NULL) break;
    if (uvsmtp__at_end(op))
      moved = 1;
    else
      moved = next_step(p, op);
  }
  p->running = 0;
}
