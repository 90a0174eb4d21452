/* SPDX-License-Identifier: MIT */
/* letter.c: messages, and the sources of their texts, with all that a source
 * may do by its contract, failing included. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model.h"
#include "peer.h"

letter_t letters[LETTERS];
int nletters;

/* As the caller has them, and as the peer has to get them. */
static char texts[LETTERS][TEXT_MAX];
static char wants[LETTERS][TEXT_MAX];

/* ---------------------------------------------------------------- sources */

/* Hooks may call nothing but resume. */
static void check_hook(const source_t* s) {
  uvsmtp_request_t request = UVSMTP_REQUEST_INIT(UVSMTP_OP_NOOP);

  if (s->released) wrong("a source is used behind its release");
  if (once_in(20) && uvsmtp_proto_submit(world.proto, &request) != -EBUSY)
    wrong("submit from within a hook is not refused");
}

static int source_peek(uvsmtp_source_t* self, uvsmtp_slice_t* out) {
  source_t* s = (source_t*)self;
  size_t n = s->len - s->off;

  check_hook(s);
  if (s->waits && once_in(3)) {
    s->busy = 1;
    return UVSMTP_SOURCE_WAIT;
  }
  if (s->says_later) self->length = s->later;
  if (s->off >= s->fails_at) return -EIO;
  if (n == 0) return UVSMTP_SOURCE_EOF;

  if (s->waits) n = 1 + any((unsigned int)n);
  if (n > s->fails_at - s->off) n = s->fails_at - s->off;
  out->base = s->base + s->off;
  out->len = n;
  s->shown = n;
  return UVSMTP_SOURCE_MORE;
}

static void source_consumed(uvsmtp_source_t* self, size_t n) {
  source_t* s = (source_t*)self;

  check_hook(s);
  if (n > s->shown) wrong("consumed %zu octets of %zu", n, s->shown);
  s->shown -= n;
  s->off += n;
}

static int source_rewind(uvsmtp_source_t* self) {
  source_t* s = (source_t*)self;

  check_hook(s);
  if (once_in(30)) {
    s->rewind_failed = 1;
    return -EIO;
  }
  s->off = 0;
  s->shown = 0;
  return 0;
}

static void source_release(uvsmtp_source_t* self) {
  source_t* s = (source_t*)self;

  check_hook(s);
  s->released = 1;
}

/* known: a chunk's length has to be. */
static void source_make(source_t* s, const char* base, size_t len, int known) {
  memset(s, 0, sizeof(*s));
  s->source.size = sizeof(s->source);
  s->source.peek = source_peek;
  s->source.consumed = source_consumed;
  s->source.rewind = once_in(6) ? NULL : source_rewind;
  s->source.release = source_release;
  s->base = base;
  s->len = len;
  s->waits = once_in(3);
  s->fails_at = once_in(25) ? any((unsigned int)len + 1) : SIZE_MAX;
  s->source.length = !known && once_in(4) ? -1 : (int64_t)len;
  if (once_in(8)) {
    s->says_later = 1;
    s->later = s->source.length;
    s->source.length = UVSMTP_LENGTH_LATER;
  }
}

int sources_busy(void) {
  int i;
  int j;

  for (i = 0; i < nletters; i++)
    for (j = 0; j < letters[i].nparts; j++)
      if (letters[i].parts[j].busy && !letters[i].parts[j].released) return 1;
  return 0;
}

int sources_wake(void) {
  int woken = 0;
  int i;
  int j;

  for (i = 0; i < nletters; i++)
    for (j = 0; j < letters[i].nparts; j++)
      if (letters[i].parts[j].busy && once_in(2)) {
        letters[i].parts[j].busy = 0;
        uvsmtp_proto_resume(world.proto);
        woken = 1;
      }
  return woken;
}

/* ---------------------------------------------------------------- letters */

typedef struct pen_s {
  char* text;
  char* want;
  const char* line_end;
} pen_t;

/* A line of the text, as it is here and as it is there. */
static void put(pen_t* pen, const char* line) {
  pen->text += sprintf(pen->text, "%s%s", line, pen->line_end);
  pen->want += sprintf(pen->want, "%s\r\n", line);
}

/* The envelope in the header, the recipients as blind ones: the peer must not
 * see them. */
static void put_envelope(pen_t* pen, const letter_t* l) {
  char line[64];
  int i;

  sprintf(line, "From: %s", l->from);
  put(pen, line);
  pen->text += sprintf(pen->text, "Bcc: ");
  for (i = 0; i < l->nrcpts; i++)
    pen->text += sprintf(pen->text, "%s%s%s", i > 0 ? "," : "",
                         i % 8 == 7 ? "\n " : " ", l->rcpts[i].address);
  pen->text += sprintf(pen->text, "\n");
}

static void write_text(letter_t* l, int i) {
  pen_t pen = {texts[i], wants[i], l->by_hand || once_in(3) ? "\r\n" : "\n"};
  /* Some take several chunks. */
  size_t lines = once_in(60) ? 1500 : any(4);
  char line[128];
  size_t len;

  if (l->headed) {
    pen.line_end = "\n";
    put_envelope(&pen, l);
  }
  sprintf(line, "Subject: letter %d", i);
  put(&pen, line);
  put(&pen, "");
  put(&pen, ".dot");
  if (once_in(4)) put(&pen, ".");
  if (once_in(4)) put(&pen, "\xc3\xa9");
  while (lines-- > 0) {
    sprintf(line, "%sline %zu of letter %d, which is as long as many another",
            lines % 5 == 0 ? "." : "", lines, i);
    put(&pen, line);
  }

  len = (size_t)(pen.text - texts[i]);
  l->text = wants[i];
  l->len = (size_t)(pen.want - wants[i]);
  l->nparts = l->by_hand && peer_has_chunking() && once_in(2) ? 2 : 1;
  if (l->nparts == 2) {
    size_t first = any((unsigned int)len);

    source_make(&l->parts[0], texts[i], first, 1);
    source_make(&l->parts[1], texts[i] + first, len - first, 1);
  } else {
    source_make(&l->parts[0], texts[i], len, l->by_hand);
  }
}

void letter_make(int i, int by_hand) {
  letter_t* l = &letters[i];
  int j;

  memset(l, 0, sizeof(*l));
  l->by_hand = by_hand;
  l->first_taken = NONE;
  l->cut = NONE;
  l->nrcpts = 1 + (int)any(once_in(3) && !by_hand ? RCPTS : 6);
  sprintf(l->from, "s%d@x", i);
  for (j = 0; j < l->nrcpts; j++) {
    rcpt_t* r = &l->rcpts[j];

    sprintf(r->address, "m%dr%d@x", i, j);
    r->said = NONE;
    r->taken = NONE;
  }
  if (!by_hand) {
    if (once_in(5)) l->flags |= UVSMTP_MESSAGE_ALL_OR_NOTHING;
    if (once_in(6)) l->flags |= UVSMTP_MESSAGE_NO_PIPELINING;
    if (once_in(4)) l->flags |= UVSMTP_MESSAGE_NO_CHUNKING;
  }
  l->headed = !by_hand && once_in(4);
  write_text(l, i);
}

void letters_break(int doubt) {
  int i;

  for (i = 0; i < nletters; i++) {
    if (letters[i].done) continue;
    letters[i].broken = 1;
    letters[i].doubt |= doubt;
  }
}
