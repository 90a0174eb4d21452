/* SPDX-License-Identifier: MIT */
/* auth.c: a mechanism's run: AUTH, challenges and responses (RFC 4954 4). What
 * it says leaves by reference, from a block that is wiped once it is answered:
 * the queues of the engine never hold a secret. */
#include <string.h>

#include "core/ascii.h"
#include "core/proto_int.h"

uvsmtp_exchange_t* uvsmtp__exchange_of(const uvsmtp_proto_t* p,
                                       const uvsmtp__op_t* op) {
  return op->plan == PLAN_LOGIN ? op->auth : p->auth;
}

/* ----------------------------------------------------------------- choice */

static const uvsmtp_mech_t* mech_at(const uvsmtp_exchange_t* x, size_t i) {
  if (x->only != NULL) return i == 0 ? x->only : NULL;
  return i < x->credentials->nmechs ? x->credentials->mechs[i] : NULL;
}

/* The index of the next one that the server offers. */
static size_t next_index(const uvsmtp_proto_t* p, uvsmtp_exchange_t* x) {
  size_t i = x->next;
  const uvsmtp_mech_t* m;
  x->caps = &p->caps;
  while ((m = mech_at(x, i)) != NULL && !(x->flags & UVSMTP_AUTH_FORCE) &&
         !uvsmtp_exchange_offers(x, m->name))
    i++;
  return i;
}

const uvsmtp_mech_t* uvsmtp__auth_next(const uvsmtp_proto_t* p,
                                       uvsmtp_exchange_t* x) {
  return x->stop ? NULL : mech_at(x, next_index(p, x));
}

void uvsmtp__auth_reset(uvsmtp_exchange_t* x) {
  x->next = 0;
  x->stop = 0;
  x->refused = 0;
  x->retried = 0;
  x->accepted = 0;
}

/* ---------------------------------------------------------- begin and end */

void uvsmtp__auth_begin(uvsmtp_proto_t* p, uvsmtp_exchange_t* x) {
  size_t i = next_index(p, x);
  x->mech = mech_at(x, i);
  x->next = (uint32_t)(i + 1);
  x->data = NULL;
  x->rounds = 0;
  x->begun = 0;
  x->held = 0;
  x->woken = 0;
  x->challenged = 0;
  x->fault = 0;
  x->unproven = (x->mech->flags & UVSMTP_MECH_MUTUAL) != 0;
  x->retries = x->redo;
  x->redo = 0;
}

void uvsmtp__auth_over(uvsmtp_exchange_t* x) {
  if (x->running && x->mech->finish != NULL) x->mech->finish(x->mech, x);
  x->running = 0;
  x->waits = 0;
  x->works = 0;
  uvsmtp__veil_drop(x, &x->challenge);
  uvsmtp__veil_drop(x, &x->response);
  uvsmtp__veil_drop(x, &x->line);
  uvsmtp__free(&x->mem, x->detail, x->detail_size);
  x->detail = NULL;
  x->detail_size = 0;
}

void uvsmtp__auth_refused(uvsmtp_exchange_t* x) {
  /* One that has said nothing yet has not been refused. */
  if (!x->running || x->retried || x->mech->refused == NULL) return;
  if (x->mech->refused(x->mech, x) != 1) return;
  x->retried = 1;
  x->redo = 1;
  x->next--;
}

/* ------------------------------------------------------------- challenges */

/* A challenge that is not in base64: some mechanisms do not care. */
static int undecoded(uvsmtp_exchange_t* x, const char* text, size_t len) {
  char* at;
  if (!(x->mech->flags & UVSMTP_MECH_ANY_CHALLENGE)) {
    x->fault = UVSMTP_EPROTOCOL;
    return 0;
  }
  if (len > UVSMTP__AUTH_RAW_MAX) len = UVSMTP__AUTH_RAW_MAX;
  at = uvsmtp__veil_reserve(x, &x->challenge, len);
  if (at == NULL && len > 0) return -ENOMEM;
  if (len > 0) memcpy(at, text, len);
  x->challenge.len = (uint32_t)len;
  return 0;
}

int uvsmtp__auth_challenge(uvsmtp_exchange_t* x, const uvsmtp_reply_t* reply) {
  size_t len = 0;
  const char* text = uvsmtp__reply_text(reply, &len);
  ptrdiff_t n;
  char* at;
  uvsmtp__veil_drop(x, &x->line);
  uvsmtp__veil_drop(x, &x->challenge);
  if (x->rounds++ >= UVSMTP__AUTH_ROUNDS_MAX) x->fault = UVSMTP_EPROTOCOL;
  if (x->held || x->fault != 0) return 0;
  x->challenged = 1;
  if (len > UVSMTP__AUTH_LINE_MAX) x->fault = -EMSGSIZE;
  if (len == 0 || x->fault != 0) return 0;
  at = uvsmtp__veil_reserve(x, &x->challenge, len / 4 * 3 + 3);
  if (at == NULL) return -ENOMEM;
  n = x->credentials->secrets->decode(at, text, len);
  if (n < 0) return undecoded(x, text, len);
  x->challenge.len = (uint32_t)n;
  return 0;
}

/* -------------------------------------------------------------- responses */

static size_t encoded(size_t n) { return (n + 2) / 3 * 4; }

static void put(uvsmtp__veil_t* v, const char* text, size_t n) {
  memcpy(v->base + v->len, text, n);
  v->len += (uint32_t)n;
}

/* The response as it goes over the wire, into the line. */
static void put_response(uvsmtp_exchange_t* x) {
  uvsmtp__veil_t* v = &x->line;
  size_t n = encoded(x->response.len);
  x->credentials->secrets->encode(v->base + v->len, x->response.base,
                                  x->response.len);
  v->len += (uint32_t)n;
}

/* "AUTH NAME", and the initial response if it may stand there and the line is
 * short enough; an empty one is "=" (RFC 4954 4). */
static int build_command(uvsmtp_exchange_t* x, int spoken) {
  size_t name = strlen(x->mech->name);
  size_t n = x->response.len > 0 ? encoded(x->response.len) : 1;
  size_t all = 5 + name + 1 + n + 2;
  int fits = all <= UVSMTP__AUTH_COMMAND_MAX &&
             !(x->flags & UVSMTP_AUTH_NO_INITIAL_RESPONSE);
  if (uvsmtp__veil_reserve(x, &x->line, UVSMTP__AUTH_COMMAND_MAX) == NULL)
    return -ENOMEM;
  put(&x->line, "AUTH ", 5);
  put(&x->line, x->mech->name, name);
  x->held = spoken && !fits;
  if (spoken && fits) {
    put(&x->line, " ", 1);
    if (x->response.len > 0)
      put_response(x);
    else
      put(&x->line, "=", 1);
  }
  put(&x->line, "\r\n", 2);
  if (!x->held) uvsmtp__veil_drop(x, &x->response);
  return 0;
}

static int build_response(uvsmtp_exchange_t* x) {
  size_t n = encoded(x->response.len) + 2;
  if (uvsmtp__veil_reserve(x, &x->line, n) == NULL) return -ENOMEM;
  if (x->response.len > 0) put_response(x);
  put(&x->line, "\r\n", 2);
  x->held = 0;
  uvsmtp__veil_drop(x, &x->response);
  return 0;
}

/* What people may see of what is sent. */
static void trace_line(uvsmtp_proto_t* p, const uvsmtp_exchange_t* x) {
  char text[5 + 20 + 4];
  size_t n;
  if (x->begun) {
    uvsmtp__trace(p, UVSMTP_TRACE_SENT, "***", 3);
    return;
  }
  n = 5 + strlen(x->mech->name);
  memcpy(text, x->line.base, n);
  if (x->line.len > n + 2) {
    memcpy(text + n, " ***", 4);
    n += 4;
  }
  uvsmtp__trace(p, UVSMTP_TRACE_SENT, text, n);
}

/* Sends the line. */
static int send_line(uvsmtp_proto_t* p, uvsmtp_exchange_t* x) {
  int rc = uvsmtp__out_ref(&p->mem, &p->out, x->line.base, x->line.len);
  if (rc != 0) return rc;
  trace_line(p, x);
  x->begun = 1;
  return 0;
}

/* RFC 4954 4: "If the client wishes to cancel", a line with a single "*". */
static int send_cancel(uvsmtp_proto_t* p) {
  size_t before = p->out.bytes.len;
  int rc = uvsmtp__put_line(&p->mem, &p->out.bytes, "*");
  if (rc == 0) rc = uvsmtp__out_built(&p->mem, &p->out, before);
  if (rc == 0) uvsmtp__trace(p, UVSMTP_TRACE_SENT, "*", 1);
  return rc;
}

/* ------------------------------------------------------------ the mechanism */

/* Asks the mechanism for what comes next: a uvsmtp_mech_status or an error. */
static int ask(uvsmtp_exchange_t* x) {
  uvsmtp_slice_t challenge = {x->challenge.base, x->challenge.len};
  int rc;
  if (x->fault != 0) return x->fault;
  if (x->held) return x->unproven ? UVSMTP_MECH_CONTINUE : UVSMTP_MECH_SEND;
  if (challenge.base == NULL) challenge.base = "";
  x->woken = 0;
  x->running = 1;
  rc = x->mech->step(x->mech, x, x->challenged ? &challenge : NULL);
  /* Woken before it said that it waits. */
  return rc == UVSMTP_MECH_WAIT && x->woken ? UVSMTP_MECH_AGAIN : rc;
}

/* Says the first line of a run. 0, or -ENOMEM. */
static int begin(uvsmtp_proto_t* p, uvsmtp_exchange_t* x, int spoken) {
  int rc = build_command(x, spoken);
  return rc != 0 ? rc : send_line(p, x);
}

static int go_on(uvsmtp_proto_t* p, uvsmtp_exchange_t* x) {
  int rc = build_response(x);
  uvsmtp__veil_drop(x, &x->challenge);
  return rc != 0 ? rc : send_line(p, x);
}

/* Says what came of it. The input that this is to the table; *rc is its cause.
 */
static int say(uvsmtp_proto_t* p, uvsmtp_exchange_t* x, int spoken, int* rc) {
  int input;
  /* No other mechanism would fare better, and none is to take its place for
   * that. */
  if (*rc == -ENOMEM) return I_OOM;
  if (*rc < 0) {
    if (!x->begun) return I_MECH_SKIP;
    input = I_MECH_FAIL;
    uvsmtp__veil_drop(x, &x->line);
  } else {
    if (spoken) x->unproven = *rc == UVSMTP_MECH_CONTINUE;
    input = x->begun ? I_MECH_SEND : I_MECH_BEGIN;
  }
  if (input == I_MECH_BEGIN) *rc = begin(p, x, spoken);
  if (input == I_MECH_SEND) *rc = go_on(p, x);
  if (input == I_MECH_FAIL && send_cancel(p) != 0) *rc = -ENOMEM;
  return *rc == -ENOMEM ? I_OOM : input;
}

/* The exchange of the command in flight, if it is a mechanism's turn. */
static uvsmtp_exchange_t* thinking(const uvsmtp_proto_t* p) {
  if (!uvsmtp__is_thinking(p)) return NULL;
  return uvsmtp__exchange_of(p, p->fifo[p->fifo_head].op);
}

uvsmtp_exchange_t* uvsmtp__auth_working(const uvsmtp_proto_t* p) {
  uvsmtp_exchange_t* x = thinking(p);
  return x != NULL && x->works ? x : NULL;
}

int uvsmtp__auth_run(uvsmtp_proto_t* p) {
  uvsmtp_exchange_t* x = thinking(p);
  uvsmtp__cause_t why = {NULL, 0};
  uvsmtp__entry_t* e;
  int spoken;
  int input;
  int rc = UVSMTP_MECH_SEND;
  if (x == NULL || x->waits || x->works) return 0;
  spoken = x->begun || (x->mech->flags & UVSMTP_MECH_CLIENT_FIRST);
  if (spoken) rc = ask(x);
  if (rc == UVSMTP_MECH_WAIT || rc == UVSMTP_MECH_AGAIN) {
    x->waits = rc == UVSMTP_MECH_WAIT;
    x->works = rc == UVSMTP_MECH_AGAIN;
    return 0;
  }
  if (rc > UVSMTP_MECH_AGAIN) rc = -EINVAL;
  input = say(p, x, spoken, &rc);
  e = uvsmtp__fifo_at(p, 0);
  e->whole_at = p->out.queued;
  if (rc < 0) why.cause = rc;
  uvsmtp__step(p, e, input, &why);
  return 1;
}
