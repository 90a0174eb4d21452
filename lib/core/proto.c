/* SPDX-License-Identifier: MIT */
/* proto.c: the engine's public calls: octets in, octets out, events out. */
#include <string.h>

#include "core/proto_int.h"

void uvsmtp__trace(uvsmtp_proto_t* p, int kind, const char* text, size_t len) {
  if (p->trace != NULL) p->trace(p->trace_arg, kind, text, len);
}

/* --------------------------------------------------------- life */

static void* no_memory(void* data, void* ptr, size_t old_size,
                       size_t new_size) {
  (void)data;
  (void)ptr;
  (void)old_size;
  (void)new_size;
  return NULL;
}

static void init(uvsmtp_proto_t* p, const uvsmtp_proto_config_t* c) {
  uvsmtp__limits_t limits;
  memset(p, 0, sizeof(*p));
  p->mem.alloc = no_memory;
  p->flags = c->flags;
  p->trace = c->trace;
  p->trace_arg = c->trace_arg;
  p->to_ascii = c->to_ascii;
  limits.line = c->max_reply_line;
  limits.octets = c->max_reply_octets;
  limits.lines = c->max_reply_lines;
  uvsmtp__reader_init(&p->reader, &limits);
  p->reader.trace = c->trace;
  p->reader.trace_arg = c->trace_arg;
  uvsmtp__queue_init(&p->ops);
  uvsmtp__queue_init(&p->done);
  p->rest = S_CONNECT;
  p->ahead = S_CONNECT;
  p->down_status = UVSMTP_EDISCONNECTED;
  p->down_cause = -ENOTCONN;
  p->down_outcome = UVSMTP_OUTCOME_NOT_ATTEMPTED;
}

int uvsmtp_proto_new(uvsmtp_proto_t** proto,
                     const uvsmtp_proto_config_t* config) {
  uvsmtp_proto_config_t c;
  uvsmtp__mem_t mem;
  uvsmtp_proto_t* p;
  if (proto == NULL || config == NULL ||
      uvsmtp__take(&c, sizeof(c), config,
                   UVSMTP__UP_TO(uvsmtp_proto_config_t, trace_arg)) != 0)
    return -EINVAL;
  if (c.mem == NULL || uvsmtp__mem_set(&mem, c.mem) != 0) return -EINVAL;
  if (c.flags &
      ~(unsigned int)(UVSMTP_SESSION_LMTP | UVSMTP_SESSION_NO_PIPELINING |
                      UVSMTP_SESSION_NO_CHUNKING))
    return -EINVAL;
  if (c.local_name != NULL && uvsmtp__check_name(c.local_name) != 0)
    return -EINVAL;
  p = uvsmtp__alloc(&mem, sizeof(*p));
  if (p == NULL) return -ENOMEM;
  init(p, &c);
  p->mem = mem;
  if (c.local_name != NULL &&
      uvsmtp_proto_set_local_name(p, c.local_name) != 0) {
    uvsmtp_proto_free(p);
    return -ENOMEM;
  }
  *proto = p;
  return 0;
}

static void drop(uvsmtp_proto_t* p, uvsmtp__link_t* list, int release) {
  uvsmtp__link_t* link;
  while ((link = uvsmtp__queue_first(list)) != NULL) {
    uvsmtp__op_t* op = UVSMTP__CONTAINER(link, uvsmtp__op_t, link);
    uvsmtp_source_t* s = op->text.source;
    uvsmtp__queue_remove(link);
    if (release && s != NULL && s->release != NULL) s->release(s);
    uvsmtp__op_free(&p->mem, op);
  }
}

static void forget_local_name(uvsmtp_proto_t* p) {
  if (p->local_name == NULL) return;
  uvsmtp__free(&p->mem, p->local_name, strlen(p->local_name) + 1);
}

void uvsmtp_proto_free(uvsmtp_proto_t* p) {
  uvsmtp__mem_t mem;
  if (p == NULL) return;
  mem = p->mem;
  p->busy = 1;
  /* A release may resume, which looks at these. */
  p->current = NULL;
  p->texting = NULL;
  drop(p, &p->ops, 1);
  drop(p, &p->done, 0);
  if (p->delivered != NULL) uvsmtp__op_free(&mem, p->delivered);
  uvsmtp__free(&mem, p->fifo, p->fifo_cap * sizeof(*p->fifo));
  uvsmtp__exchange_free(p->auth);
  uvsmtp__buf_free(&mem, &p->addresses);
  uvsmtp__out_clear(&mem, &p->out);
  uvsmtp__reader_reset(&p->reader, &mem);
  uvsmtp__forget_server(p);
  forget_local_name(p);
  uvsmtp__free(&mem, p, sizeof(*p));
}

int uvsmtp_proto_set_local_name(uvsmtp_proto_t* p, const char* name) {
  size_t size;
  char* copy;
  if (name == NULL || uvsmtp__check_name(name) != 0) return -EINVAL;
  size = strlen(name) + 1;
  copy = uvsmtp__alloc(&p->mem, size);
  if (copy == NULL) return -ENOMEM;
  memcpy(copy, name, size);
  forget_local_name(p);
  p->local_name = copy;
  return 0;
}

int uvsmtp_proto_has_local_name(const uvsmtp_proto_t* p) {
  return p->local_name != NULL;
}

/* ------------------------------------------------------ requests, events */

int uvsmtp_proto_submit(uvsmtp_proto_t* p, const uvsmtp_request_t* request) {
  uvsmtp__op_t* op = NULL;
  int rc;
  if (p->busy) return -EBUSY;
  p->busy = 1;
  rc = uvsmtp__op_new(&p->mem, request, p->flags & UVSMTP_SESSION_LMTP, &op);
  if (rc == 0) {
    uvsmtp__queue_insert_tail(&p->ops, &op->link);
    p->pending++;
    if (op->due != 0 && (p->due == 0 || op->due < p->due)) p->due = op->due;
    /* What fails at once does so later: the source is not released before the
     * caller knows that it was taken. */
    p->submitting = 1;
    uvsmtp__run(p);
    p->submitting = 0;
  }
  p->busy = 0;
  return rc;
}

int uvsmtp_proto_next(uvsmtp_proto_t* p, uvsmtp_event_t* event) {
  uvsmtp__link_t* link;
  uvsmtp__op_t* op;
  if (p->busy || event->size < UVSMTP__UP_TO(uvsmtp_event_t, data)) return 0;
  p->busy = 1;
  if (p->delivered != NULL) uvsmtp__op_free(&p->mem, p->delivered);
  p->delivered = NULL;
  uvsmtp__run(p);
  link = uvsmtp__queue_first(&p->done);
  if (link != NULL) {
    op = UVSMTP__CONTAINER(link, uvsmtp__op_t, link);
    uvsmtp__queue_remove(link);
    p->delivered = op;
    p->pending--;
    event->op = op->plan;
    event->result = &op->result;
    event->fn = op->fn;
    event->data = op->data;
  }
  p->busy = 0;
  return link != NULL;
}

size_t uvsmtp_proto_pending(const uvsmtp_proto_t* p) { return p->pending; }

/* ------------------------------------------------------------- inputs */

/* A handshake is to be made, or under way. */
static int is_shaking(const uvsmtp_proto_t* p) {
  int head = p->fifo_count > 0 ? p->fifo[p->fifo_head].state : p->rest;
  return head == S_HANDSHAKE || head == S_WRAP;
}

static void go_on(uvsmtp_proto_t* p) {
  p->busy = 1;
  uvsmtp__run(p);
  p->busy = 0;
}

void uvsmtp_proto_up(uvsmtp_proto_t* p) {
  const uvsmtp__entry_t* e = uvsmtp__fifo_at(p, 0);
  if (p->busy || e == NULL || e->state != S_OPENING) return;
  p->busy = 1;
  p->up = 1;
  uvsmtp__on_input(p, I_UP, 0);
  uvsmtp__run(p);
  p->busy = 0;
}

void uvsmtp_proto_secured(uvsmtp_proto_t* p, int proof) {
  if (p->busy || !is_shaking(p)) return;
  p->busy = 1;
  p->trusted = proof != UVSMTP_PROOF_NONE ||
               !uvsmtp__is_optional(p, p->fifo[p->fifo_head].op);
  p->proven = proof == UVSMTP_PROOF_GIVEN;
  uvsmtp__on_input(p, I_UP, 0);
  uvsmtp__run(p);
  p->busy = 0;
}

void uvsmtp_proto_work(uvsmtp_proto_t* p) {
  uvsmtp_exchange_t* x = uvsmtp__auth_working(p);
  if (p->busy || x == NULL) return;
  x->works = 0;
  go_on(p);
}

void uvsmtp_proto_lost(uvsmtp_proto_t* p, int cause) {
  if (p->busy) return;
  p->busy = 1;
  p->up = 0;
  if (p->rest != S_CLOSED || p->fifo_count > 0)
    uvsmtp__on_input(p, I_EOF, cause);
  uvsmtp__run(p);
  p->busy = 0;
}

void uvsmtp_proto_feed(uvsmtp_proto_t* p, const void* data, size_t len) {
  const char* in = data;
  if (p->busy) return;
  p->busy = 1;
  while (len > 0 && p->rest != S_CLOSED && p->up) {
    size_t used = 0;
    int rc;
    /* Clear text where a handshake is due: it is not even looked at. */
    if (is_shaking(p)) {
      uvsmtp__on_input(p, I_BAD, UVSMTP_EPROTOCOL);
      break;
    }
    if (!uvsmtp__reader_partial(&p->reader)) p->heard_at = p->out.sent;
    rc = uvsmtp__reader_feed(&p->reader, &p->mem, in, len, &used);
    in += used;
    len -= used;
    if (rc == 0) break;
    if (rc < 0) {
      uvsmtp__on_input(p, rc == -ENOMEM ? I_OOM : I_BAD, rc);
      break;
    }
    uvsmtp__on_reply(p, &p->reader.reply, len > 0);
    if (p->oom) {
      p->oom = 0;
      uvsmtp__on_input(p, I_OOM, -ENOMEM);
    }
    uvsmtp__run(p);
  }
  /* An idle session needs no parser's buffers. */
  if (p->fifo_count == 0 && !uvsmtp__reader_partial(&p->reader))
    uvsmtp__reader_reset(&p->reader, &p->mem);
  p->busy = 0;
}

static void input(uvsmtp_proto_t* p, int what, int cause) {
  if (p->busy) return;
  p->busy = 1;
  if (p->rest != S_CLOSED || p->fifo_count > 0)
    uvsmtp__on_input(p, what, cause);
  uvsmtp__run(p);
  p->busy = 0;
}

/* The time of a request is over before its command went out: that is its own
 * affair, not the session's. */
static void expire(uvsmtp_proto_t* p, uvsmtp__op_t* op, int stage) {
  if (op->verdict == UVSMTP_OUTCOME_NONE)
    op->verdict = UVSMTP_OUTCOME_NOT_ATTEMPTED;
  uvsmtp__op_fail(op, -ETIMEDOUT, 0, stage);
  if (op != p->current) return;
  op->text.waiting = 0;
  /* What waits next waits anew; a hello of it still does. */
  if (p->fifo_count == 0) p->serial++;
}

/* The request that waits for its source with nothing in flight and nothing
 * begun, or NULL: the session is in order. */
static uvsmtp__op_t* waiting_idly(const uvsmtp_proto_t* p) {
  uvsmtp__op_t* op = p->current;
  if (p->fifo_count > 0 || op == NULL || op->ended || op->begun) return NULL;
  return op->text.waiting && p->rest != S_CLOSED ? op : NULL;
}

void uvsmtp_proto_timeout(uvsmtp_proto_t* p) {
  uvsmtp__op_t* op = p->busy ? NULL : waiting_idly(p);
  if (op == NULL) {
    input(p, I_TIMEOUT, -ETIMEDOUT);
    return;
  }
  op->verdict = UVSMTP_OUTCOME_DEFERRED;
  if (op->plan == PLAN_BDAT) p->holed = 1;
  expire(p, op, uvsmtp__steps[op->step].state);
  go_on(p);
}

void uvsmtp_proto_overdue(uvsmtp_proto_t* p, uint64_t now) {
  uvsmtp__link_t* link;
  int under_way = 0;
  if (p->busy) return;
  p->due = 0;
  for (link = p->ops.next; link != &p->ops; link = link->next) {
    uvsmtp__op_t* op = UVSMTP__CONTAINER(link, uvsmtp__op_t, link);
    if (op->due == 0 || op->expired) continue;
    if (op->due > now) {
      if (p->due == 0 || op->due < p->due) p->due = op->due;
      continue;
    }
    op->expired = 1;
    if (op->begun)
      under_way = 1;
    else
      expire(p, op, p->rest); /* a hello of it goes on: it is the session's */
  }
  if (under_way)
    input(p, I_TIMEOUT, -ETIMEDOUT);
  else
    go_on(p);
}

void uvsmtp_proto_cancel(uvsmtp_proto_t* p) {
  if (p->busy) return;
  p->canceled = 1;
  input(p, I_CANCEL, -ECANCELED);
}

void uvsmtp_proto_resume(uvsmtp_proto_t* p) {
  p->resumed = 1;
  if (p->texting != NULL) p->texting->text.waiting = 0;
  if (p->current != NULL) p->current->text.waiting = 0;
  /* From within a hook the work in progress goes on by itself. */
  if (!p->busy) go_on(p);
}

/* -------------------------------------------------------------- output */

static void produce(uvsmtp_proto_t* p) {
  uvsmtp__run(p);
  while (p->texting != NULL) {
    uvsmtp__text_pump(p);
    if (p->texting != NULL) break;
    uvsmtp__run(p);
  }
}

size_t uvsmtp_proto_peek(uvsmtp_proto_t* p, uvsmtp_slice_t* slices, size_t n) {
  if (p->busy) return 0;
  p->busy = 1;
  p->resumed = 0;
  produce(p);
  /* A source that resumed while it was asked is asked once more: the host may
   * have no other reason to come again. */
  if (p->resumed && uvsmtp__out_pending(&p->out) == 0) produce(p);
  p->busy = 0;
  if (p->rest == S_CLOSED) return 0;
  return uvsmtp__out_peek(&p->out, slices, n);
}

void uvsmtp_proto_sent(uvsmtp_proto_t* p, size_t n) {
  uint64_t block;
  if (p->busy || n > uvsmtp__out_pending(&p->out)) return;
  p->busy = 1;
  block = p->out.sent / UVSMTP__BLOCK;
  uvsmtp__out_sent(&p->mem, &p->out, n);
  /* RFC 5321 4.5.3.2.5: a deadline for each block of the text. */
  if (p->out.sent / UVSMTP__BLOCK != block &&
      uvsmtp_proto_wait(p, NULL) == UVSMTP_PHASE_TEXT)
    p->serial++;
  uvsmtp__text_progress(p);
  uvsmtp__text_sent(p);
  uvsmtp__run(p);
  p->busy = 0;
}

/* -------------------------------------------------------------- looks */

int uvsmtp_proto_wait(const uvsmtp_proto_t* p, unsigned int* serial) {
  const uvsmtp__op_t* op = p->current;
  if (serial != NULL) *serial = p->serial;
  if (p->fifo_count > 0)
    return uvsmtp__states[p->fifo[p->fifo_head].state].phase;
  /* In a session nothing in flight, but a request under way: its source makes
   * it wait, maybe before it has begun. */
  if (op != NULL && (op->started || op->text.waiting) && !op->ended &&
      p->rest != S_CLOSED)
    return UVSMTP_PHASE_TEXT;
  return UVSMTP_PHASE_NONE;
}

int uvsmtp_proto_wants(const uvsmtp_proto_t* p) {
  if (p->fifo_count > 0 && p->fifo[p->fifo_head].state == S_OPENING)
    return UVSMTP_WANTS_OPEN;
  if (p->rest == S_CLOSED && p->up) return UVSMTP_WANTS_CLOSE;
  if (uvsmtp__auth_working(p) != NULL) return UVSMTP_WANTS_WORK;
  if (!is_shaking(p)) return 0;
  if (uvsmtp__is_optional(p, p->fifo[p->fifo_head].op)) return UVSMTP_WANTS_TLS;
  return UVSMTP_WANTS_TLS | UVSMTP_WANTS_TRUST;
}

int uvsmtp_proto_state(const uvsmtp_proto_t* p) { return p->rest; }

const char* uvsmtp_proto_extn(const uvsmtp_proto_t* p, const char* keyword) {
  return uvsmtp__caps_find(&p->caps, keyword);
}

int uvsmtp_proto_next_extn(const uvsmtp_proto_t* p, size_t* cursor,
                           uvsmtp_slice_t* keyword, uvsmtp_slice_t* params) {
  return uvsmtp__caps_next(&p->caps, cursor, keyword, params);
}

uint64_t uvsmtp_proto_due(const uvsmtp_proto_t* p) { return p->due; }

const uvsmtp_reply_t* uvsmtp_proto_ehlo_reply(const uvsmtp_proto_t* p) {
  return p->ehlo == NULL ? NULL : &p->ehlo->reply;
}

const uvsmtp_reply_t* uvsmtp_proto_helo_reply(const uvsmtp_proto_t* p) {
  return p->helo == NULL ? NULL : &p->helo->reply;
}

const char* uvsmtp_proto_auth(const uvsmtp_proto_t* p) {
  return p->authed == NULL ? NULL : p->authed->name;
}

int uvsmtp_proto_does_esmtp(const uvsmtp_proto_t* p) { return p->esmtp; }

void uvsmtp_proto_set_trace(uvsmtp_proto_t* p, uvsmtp_trace_cb trace,
                            void* arg) {
  p->trace = trace;
  p->trace_arg = arg;
  p->reader.trace = trace;
  p->reader.trace_arg = arg;
}
