/* SPDX-License-Identifier: MIT */
/* look.c: what can be known of a message text before any of it goes out, and
 * its way back to the first octet. */
#include <string.h>

#include "core/proto_int.h"

int uvsmtp__text_known(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  int rc;
  if (op->text.source->length != UVSMTP_LENGTH_LATER) return GUARD_TAKE;
  rc = uvsmtp__text_peek(p, op);
  if (rc < 0) return rc;
  if (rc != TEXT_WAIT) return GUARD_TAKE;
  /* A wait that no command in flight begins. */
  if (!op->held && p->fifo_count == 0) p->serial++;
  op->held = 1;
  return GUARD_HOLD;
}

/* Is all of the text in the slice in hand, and short enough to scan now? */
static int whole_in_hand(const uvsmtp__text_t* t) {
  return t->taken == 0 && t->off == 0 &&
         t->len == (uint64_t)t->source->length && t->len <= UVSMTP__CHUNK_MAX;
}

int uvsmtp__text_size(uvsmtp_proto_t* p, uvsmtp__op_t* op, uint64_t* size) {
  uvsmtp__text_t* t = &op->text;
  if (t->size_known == 0) {
    t->size_known = 1;
    if (t->source->length >= 0) {
      uvsmtp__text_t m;
      t->size_known = 2;
      t->size = (uint64_t)t->source->length;
      if (uvsmtp__text_peek(p, op) == TEXT_HAVE && whole_in_hand(t)) {
        m = *t;
        uvsmtp__body_init(&m.body, op->line_ends, 0);
        if (uvsmtp__text_measure(&m, t->len,
                                 op->line_ends != UVSMTP_LINES_BINARY) == 0) {
          t->size_known = 3;
          t->size = m.ahead;
          t->size_clean = m.clean;
          t->after = m.after;
        }
      }
    }
  }
  *size = t->size;
  return t->size_known - 2;
}

/* Sixty-four octets at a time: it is done for every message in memory. */
int uvsmtp__is_high(const char* text, size_t len) {
  uint64_t all = 0;
  uint64_t w[8];
  unsigned char last = 0;
  for (; len >= sizeof(w); text += sizeof(w), len -= sizeof(w)) {
    memcpy(w, text, sizeof(w));
    all |= w[0] | w[1] | w[2] | w[3] | w[4] | w[5] | w[6] | w[7];
  }
  for (; len > 0; text++, len--) last |= (unsigned char)*text;
  return (all & UINT64_C(0x8080808080808080)) != 0 || last > 127;
}

int uvsmtp__text_high(uvsmtp_proto_t* p, uvsmtp__op_t* op, int all) {
  uvsmtp__text_t* t = &op->text;
  /* One look: MAIL is written to what was found when it was found to fit. */
  if (t->high != UVSMTP__HIGH_UNSEEN) return t->high;
  t->high = UVSMTP__HIGH_UNKNOWN;
  if (t->base == NULL && t->source->length >= 0 &&
      uvsmtp__text_peek(p, op) == TEXT_OVER)
    t->high = UVSMTP__HIGH_NONE;
  if (t->base == NULL) return t->high;
  if (uvsmtp__is_high(t->base, all || t->len < UVSMTP__CHUNK_MAX
                                   ? t->len
                                   : UVSMTP__CHUNK_MAX))
    t->high = UVSMTP__HIGH_SOME;
  else if (whole_in_hand(t))
    t->high = UVSMTP__HIGH_NONE;
  return t->high;
}

int uvsmtp__text_rewind(uvsmtp__op_t* op) {
  uvsmtp__text_t* t = &op->text;
  int rc = t->source->rewind(t->source);
  if (rc < 0) return t->error = rc;
  t->base = NULL;
  t->taken = 0;
  t->queued = 0;
  t->begun = 0;
  t->eof = 0;
  t->waiting = 0;
  t->ready = 0;
  t->busy = 0;
  /* A file may not be what it was: what is said of it would not be what goes.
   */
  t->size_known = 0;
  t->high = UVSMTP__HIGH_UNSEEN;
  uvsmtp__buf_consume(&t->stage, t->stage.len);
  return 0;
}
