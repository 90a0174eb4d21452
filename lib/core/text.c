/* SPDX-License-Identifier: MIT */
/* text.c: the message text, from its source through the encoder into the
 * output. DATA streams until the source ends; BDAT announces only octets that
 * are at hand, so that nothing waits inside a chunk (RFC 3030 2). */
#include <string.h>

#include "core/proto_int.h"

/* -------------------------------------------------------------- source */

/* Asks the source for its next slice. */
static int next_slice(uvsmtp_proto_t* p, uvsmtp__text_t* t) {
  uvsmtp_slice_t s = {NULL, 0};
  int rc;
  p->resumed = 0;
  rc = t->source->peek(t->source, &s);
  if (rc < 0) return rc;
  if (rc == UVSMTP_SOURCE_WAIT) {
    /* Unless it has resumed while it was asked. */
    t->waiting = !p->resumed;
    return TEXT_WAIT;
  }
  if (t->source->length < -1) return -EINVAL; /* it had to say by now */
  if (rc == UVSMTP_SOURCE_EOF) {
    t->eof = 1;
    if (t->source->length >= 0 && t->taken != (uint64_t)t->source->length)
      return UVSMTP__EOF;
    return TEXT_OVER;
  }
  if (s.len == 0 || s.base == NULL) return -EINVAL;
  if (t->source->length >= 0 && s.len > (uint64_t)t->source->length - t->taken)
    return -EINVAL;
  t->base = s.base;
  t->len = s.len;
  t->off = 0;
  return TEXT_HAVE;
}

int uvsmtp__text_peek(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  uvsmtp__text_t* t = &op->text;
  int rc;
  if (t->error != 0) return t->error;
  if (t->base != NULL) {
    if (t->off < t->len) return TEXT_HAVE;
    /* What went by reference stays the source's until it has left. */
    if (p->out.sent < p->out.ref_end) return TEXT_WAIT;
    t->source->consumed(t->source, t->len);
    t->taken += t->len;
    t->base = NULL;
  }
  if (t->eof) return TEXT_OVER;
  if (t->waiting) return TEXT_WAIT;
  rc = next_slice(p, t);
  if (rc == TEXT_HAVE && op->ascii && uvsmtp__is_high(t->base, t->len)) {
    t->high = UVSMTP__HIGH_SOME;
    op->result.reason = "the text is not ASCII, as was seen only within it";
    rc = -EILSEQ;
  }
  if (rc < 0) t->error = rc;
  return rc;
}

static void begin_encoder(uvsmtp__op_t* op, int stuff) {
  if (op->text.begun) return;
  op->text.begun = 1;
  uvsmtp__body_init(&op->text.body, op->line_ends, stuff);
}

int uvsmtp__text_measure(uvsmtp__text_t* t, uint64_t n, int ends) {
  uvsmtp_slice_t piece;
  int clean = 1;
  int rc;
  t->ahead = 0;
  t->after = t->body;
  rc = uvsmtp__body_measure(&t->after, t->base + t->off, (size_t)n, &t->ahead,
                            &clean);
  if (rc != 0) return rc;
  t->clean = (uint8_t)clean;
  t->ends = (uint8_t)ends;
  if (ends) {
    uvsmtp__body_t end = t->after;
    rc = uvsmtp__body_end(&end, &piece);
    if (rc != 0) return rc;
    t->ahead += piece.len;
  }
  return 0;
}

/* -------------------------------------------------------------- chunks */

static int chunk_ready(uvsmtp__text_t* t, int staged, int last) {
  t->ready = 1;
  t->staged = (uint8_t)staged;
  t->last = (uint8_t)last;
  if (staged) t->ahead = t->stage.len;
  return GUARD_TAKE;
}

/* A chunk from the slice in hand, by reference where it is clean. */
static int measured_chunk(uvsmtp__op_t* op) {
  uvsmtp__text_t* t = &op->text;
  uint64_t n = t->len - t->off;
  int last;
  int rc;
  if (n > UVSMTP__CHUNK_MAX) n = UVSMTP__CHUNK_MAX;
  last = t->source->length >= 0 &&
         t->taken + t->off + n == (uint64_t)t->source->length;
  t->region = n;
  if (t->size_known == 3 && last && t->off == 0 && t->taken == 0) {
    t->ahead = t->size;
    t->clean = t->size_clean;
    t->ends = op->line_ends != UVSMTP_LINES_BINARY;
    return chunk_ready(t, 0, 1);
  }
  rc = uvsmtp__text_measure(t, n, last && op->line_ends != UVSMTP_LINES_BINARY);
  if (rc != 0) return rc;
  return chunk_ready(t, 0, last);
}

static int stage_piece(uvsmtp_proto_t* p, uvsmtp__text_t* t,
                       const uvsmtp_slice_t* piece) {
  if (piece->len == 0) return 0;
  return uvsmtp__buf_append(&p->mem, &t->stage, piece->base, piece->len,
                            UVSMTP__STAGE_MAX * 2 + 8);
}

/* Encodes what is in hand into the chunk being gathered. */
static int stage_more(uvsmtp_proto_t* p, uvsmtp__text_t* t) {
  while (t->off < t->len && t->stage.len < UVSMTP__STAGE_MAX) {
    size_t n = t->len - t->off;
    size_t used = 0;
    uvsmtp_slice_t piece;
    int rc;
    if (n > UVSMTP__STAGE_MAX - t->stage.len)
      n = UVSMTP__STAGE_MAX - t->stage.len;
    rc = uvsmtp__body_next(&t->body, t->base + t->off, n, &used, &piece);
    if (rc != 0) return rc;
    rc = stage_piece(p, t, &piece);
    if (rc != 0) return rc;
    t->off += used;
  }
  return 0;
}

static int stage_end(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  uvsmtp_slice_t piece;
  int rc = uvsmtp__body_end(&op->text.body, &piece);
  if (rc != 0) return rc;
  rc = stage_piece(p, &op->text, &piece);
  if (rc != 0) return rc;
  op->text.ends = 0;
  return chunk_ready(&op->text, 1, 1);
}

/* A chunk of the caller's own is what the source says it is. */
static int callers_chunk(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  uvsmtp__text_t* t = &op->text;
  /* Behind a BURL there is nothing. */
  if (t->source != NULL) {
    int rc = uvsmtp__text_known(p, op);
    if (rc != GUARD_TAKE) return rc;
    if (t->source->length < 0) return t->error = -EINVAL;
    t->ahead = (uint64_t)t->source->length;
  }
  begin_encoder(op, 0);
  t->region = t->ahead;
  t->ends = 0;
  t->clean = 1;
  t->after = t->body;
  return chunk_ready(t, 0, op->last);
}

int uvsmtp__text_prepare(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  uvsmtp__text_t* t = &op->text;
  if (t->ready) return GUARD_TAKE;
  if (op->plan != PLAN_SEND) return callers_chunk(p, op);
  begin_encoder(op, 0);
  if (t->busy) {
    if (p->out.sent < p->out.ref_end) return GUARD_HOLD;
    t->busy = 0;
    uvsmtp__buf_consume(&t->stage, t->stage.len);
  }
  for (;;) {
    int rc = uvsmtp__text_peek(p, op);
    if (rc < 0) return rc;
    if (rc == TEXT_WAIT) return GUARD_HOLD;
    if (rc == TEXT_OVER) return stage_end(p, op);
    /* Announced only once it is known that more follows: the last chunk is
     * then never an empty one, which some servers do not take. */
    if (t->stage.len >= UVSMTP__STAGE_MAX) {
      t->ends = 0;
      return chunk_ready(t, 1, 0);
    }
    if (t->stage.len == 0 &&
        (t->len - t->off >= UVSMTP__STAGE_MAX ||
         (t->source->length >= 0 &&
          t->taken + t->len == (uint64_t)t->source->length)))
      return measured_chunk(op);
    rc = stage_more(p, t);
    if (rc != 0) return rc;
  }
}

/* --------------------------------------------------------------- output */

/* Under LMTP the final replies to DATA or BDAT of the caller's own are those of
 * the recipients accepted so far: rows for them, before it is too late to say
 * that there is no memory. */
static int expect_rcpts(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  size_t octets = p->naddresses * sizeof(uvsmtp_rcpt_result_t);
  size_t i;
  char* text;
  uvsmtp_rcpt_result_t* rows;
  if (op->plan == PLAN_SEND || p->naddresses == 0) return 0;
  if (!(p->flags & UVSMTP_SESSION_LMTP)) return 0;
  rows = uvsmtp__alloc(&p->mem, octets + p->addresses.len);
  if (rows == NULL) return -ENOMEM;
  memset(rows, 0, octets);
  text = (char*)rows + octets;
  memcpy(text, uvsmtp__buf_data(&p->addresses), p->addresses.len);
  for (i = 0; i < p->naddresses; i++) {
    rows[i].address = text;
    rows[i].result = &op->result;
    rows[i].flags = RCPT_ACCEPTED;
    text += strlen(text) + 1;
  }
  op->rows = rows;
  op->rows_size = octets + p->addresses.len;
  op->result.rcpts = rows;
  op->result.nrcpts = p->naddresses;
  return 0;
}

static int queue(uvsmtp_proto_t* p, uvsmtp__op_t* op,
                 const uvsmtp_slice_t* piece, int by_ref) {
  int rc;
  if (piece->len == 0) return 0;
  rc = by_ref && piece->len >= UVSMTP__REF_MIN
           ? uvsmtp__out_ref(&p->mem, &p->out, piece->base, piece->len)
           : uvsmtp__out_copy(&p->mem, &p->out, piece->base, piece->len);
  if (rc != 0) return rc;
  op->text.queued += piece->len;
  uvsmtp__trace(p, UVSMTP_TRACE_TEXT, piece->base, piece->len);
  return 0;
}

/* A gathered chunk goes out whole. */
static int queue_stage(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  uvsmtp__text_t* t = &op->text;
  uvsmtp_slice_t all = {NULL, t->stage.len};
  int rc;
  if (all.len == 0) return 0;
  all.base = uvsmtp__buf_data(&t->stage);
  rc = queue(p, op, &all, 1);
  if (rc != 0) return rc;
  if (all.len >= UVSMTP__REF_MIN)
    t->busy = 1;
  else
    uvsmtp__buf_consume(&t->stage, all.len);
  return 0;
}

int uvsmtp__text_begin(uvsmtp_proto_t* p, uvsmtp__op_t* op,
                       uvsmtp__entry_t* e) {
  uvsmtp__text_t* t = &op->text;
  t->ready = 0;
  p->texts++;
  if (e->state == S_TEXT) {
    begin_encoder(op, 1);
    t->region = UINT64_MAX;
    t->clean = 0;
    t->ends = 1;
    p->texting = op;
    return expect_rcpts(p, op);
  }
  e->mark = p->out.queued + t->ahead;
  if (t->staged) {
    int rc = queue_stage(p, op);
    if (rc != 0) return rc;
  } else {
    p->texting = op;
  }
  return e->state == S_LAST_TEXT ? expect_rcpts(p, op) : 0;
}

/* The text is over: the end of DATA, or of the last chunk. */
static int text_end(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  uvsmtp__text_t* t = &op->text;
  uvsmtp__entry_t* e = uvsmtp__fifo_at(p, p->fifo_count - 1);
  uint64_t start = p->out.queued;
  uvsmtp_slice_t piece = {NULL, 0};
  int rc;
  if (t->clean) t->body = t->after;
  if (t->ends) {
    int empty = t->queued == 0;
    rc = uvsmtp__body_end(&t->body, &piece);
    if (rc != 0) return rc;
    rc = queue(p, op, &piece, 0);
    if (rc != 0) return rc;
    if (e->state == S_TEXT) {
      /* The final CRLF.CRLF begins with the CRLF of the last line (RFC 5321
       * 4.1.1.4): with its first octet the doubt begins. The three octets of
       * the terminator are not text. */
      t->queued -= 3;
      if (piece.len == 3 && !empty) start -= 2;
      e->mark = start + 1;
      e->whole_at = p->out.queued;
    }
  }
  p->texting = NULL;
  uvsmtp__text_sent(p);
  return 0;
}

/* Encodes some more. 0, or an error of the source or of memory; p->texting is
 * NULL when all is queued, *stuck is set when there is nothing to do now. */
static int produce(uvsmtp_proto_t* p, uvsmtp__op_t* op, int* stuck) {
  uvsmtp__text_t* t = &op->text;
  uvsmtp_slice_t piece;
  size_t used = 0;
  size_t n;
  int rc;
  if (t->region == 0) return text_end(p, op);
  rc = uvsmtp__text_peek(p, op);
  if (rc < 0) return rc;
  if (rc == TEXT_WAIT) {
    *stuck = 1;
    return 0;
  }
  if (rc == TEXT_OVER) {
    if (t->region != UINT64_MAX) return UVSMTP__EOF;
    t->region = 0;
    return 0;
  }
  n = t->len - t->off;
  if (n > t->region) n = (size_t)t->region;
  if (n > UVSMTP__WINDOW) n = UVSMTP__WINDOW;
  if (t->clean) {
    piece.base = t->base + t->off;
    piece.len = used = n;
  } else {
    rc = uvsmtp__body_next(&t->body, t->base + t->off, n, &used, &piece);
    if (rc != 0) return rc;
  }
  rc = queue(p, op, &piece,
             (const char*)piece.base >= t->base &&
                 (const char*)piece.base < t->base + t->len);
  if (rc != 0) return rc;
  t->off += used;
  if (t->region != UINT64_MAX) t->region -= used;
  return 0;
}

int uvsmtp__text_is_unfit(const uvsmtp__op_t* op) {
  return op->ascii && op->text.high == UVSMTP__HIGH_SOME;
}

int uvsmtp__text_fault(const uvsmtp__op_t* op, int error) {
  /* The encoder's, not the source's: the same octets will fail again. */
  if (error == -EINVAL && op->text.error == 0) return UVSMTP_OUTCOME_REJECTED;
  return uvsmtp__text_is_unfit(op) ? UVSMTP_OUTCOME_REJECTED
                                   : UVSMTP_OUTCOME_DEFERRED;
}

void uvsmtp__text_pump(uvsmtp_proto_t* p) {
  int stuck = 0;
  /* What is all encoded is ended at once: its reply may be there before the
   * queue is asked for more. */
  while (p->texting != NULL && !stuck &&
         (p->texting->text.region == 0 ||
          uvsmtp__out_pending(&p->out) < UVSMTP__AHEAD_MAX)) {
    int rc = produce(p, p->texting, &stuck);
    if (rc == -ENOMEM) {
      uvsmtp__on_input(p, I_OOM, rc);
    } else if (rc != 0) {
      uvsmtp__cause_t why = {NULL, rc};
      uvsmtp__op_t* op = p->texting;
      if (op->verdict == UVSMTP_OUTCOME_NONE)
        op->verdict = (uint8_t)uvsmtp__text_fault(op, rc);
      if (uvsmtp__text_is_unfit(op))
        uvsmtp__op_fail(op, UVSMTP_ENOTSUPPORTED, rc, S_TEXT);
      uvsmtp__step(p, uvsmtp__fifo_at(p, p->fifo_count - 1), I_SRC_FAIL, &why);
    }
  }
}

uint64_t uvsmtp__text_unsent(const uvsmtp_proto_t* p,
                             const uvsmtp__entry_t* e) {
  uint64_t from = p->out.sent;
  uint64_t to = p->out.queued;
  switch (e->state) {
    case S_TEXT:
    case S_DOT:
      /* The dot's line, which is not text, is behind it. */
      if (p->texting != e->op) to = e->whole_at - 3;
      break;
    case S_CHUNK_TEXT:
    case S_LAST_TEXT:
      if (from < e->whole_at) from = e->whole_at;
      if (to > e->mark) to = e->mark;
      break;
    default:
      return 0;
  }
  return to > from ? to - from : 0;
}

void uvsmtp__report(uvsmtp__op_t* op, uint64_t sent) {
  const uvsmtp__text_t* t = &op->text;
  int64_t total = t->size_known >= 2 ? (int64_t)t->size : t->source->length;
  sent += op->round.before;
  if (op->progress == NULL || sent <= op->reported) return;
  op->reported = sent;
  /* A bound that was passed is none: line ends and dots have been added. */
  if (total >= 0 && (uint64_t)total < sent) total = (int64_t)sent;
  op->progress(op->progress_arg, sent, total < 0 ? -1 : total);
}

void uvsmtp__text_progress(uvsmtp_proto_t* p) {
  uvsmtp__op_t* op = p->current;
  uint64_t unsent = 0;
  uint32_t i;
  if (op == NULL || op->progress == NULL) return;
  for (i = 0; i < p->fifo_count; i++) {
    const uvsmtp__entry_t* e = uvsmtp__fifo_at(p, i);
    if (e->op == op) unsent += uvsmtp__text_unsent(p, e);
  }
  uvsmtp__report(op, op->text.queued - unsent);
}

void uvsmtp__text_sent(uvsmtp_proto_t* p) {
  uint32_t i;
  uint32_t left = p->texts;
  /* From the end, since text is near it: RSET and others may be behind. */
  for (i = p->fifo_count; left > 0 && i-- > 0;) {
    uvsmtp__entry_t* e = uvsmtp__fifo_at(p, i);
    uvsmtp__cause_t why = {NULL, 0};
    if (e->state != S_TEXT && e->state != S_CHUNK_TEXT &&
        e->state != S_LAST_TEXT)
      continue;
    left--;
    if (p->out.sent < e->mark) continue;
    /* A reply whose first octets came before this is none to it. */
    if (e->state != S_TEXT) e->whole_at = e->mark;
    uvsmtp__step(p, e, I_SENT, &why);
    p->texts--;
  }
}
