/* SPDX-License-Identifier: MIT */
/* calls.c: what the caller does: messages, messages by single commands, and
 * commands in between. Each call has a tag, to count its events by. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model.h"
#include "peer.h"

enum { TAGS = 4096 };

static tag_t tags[TAGS];
static int ntags;

void calls_begin(void) { ntags = 0; }

/* 1: the engine took it. A refused call takes nothing, and there is but one
 * reason to refuse one of these. */
static int submit(uvsmtp_request_t* request, int kind, int letter, int rcpt) {
  tag_t* tag = &tags[ntags];
  int rc;

  if (ntags == TAGS) wrong("the model has no room for calls");
  tag->kind = kind;
  tag->letter = letter;
  tag->rcpt = rcpt;
  tag->events = 0;
  request->data = tag;
  rc = uvsmtp_proto_submit(world.proto, request);
  if (rc != 0) {
    if (rc != -ENOMEM || world.alloc.failed == 0)
      wrong("operation %d is refused with %d", request->op, rc);
    return 0;
  }
  ntags++;
  world.pending++;
  show("** m%d: operation %d\n", letter, request->op);
  return 1;
}

void call_connect(void) {
  uvsmtp_request_t q = UVSMTP_REQUEST_INIT(UVSMTP_OP_CONNECT);

  world.connecting = submit(&q, TAG_CONNECT, 0, 0);
}

void call_other(void) {
  uvsmtp_request_t q = UVSMTP_REQUEST_INIT(UVSMTP_OP_NOOP);

  if (once_in(3)) q.op = UVSMTP_OP_RSET;
  if (once_in(6)) q.op = UVSMTP_OP_EHLO;
  (void)submit(&q, TAG_OTHER, 0, 0);
}

/* --------------------------------------------------------------- messages */

static int envelope(uvsmtp_source_t* body, const char** from,
                    const char* const** rcpts, size_t* n, const char** reason) {
  const uvsmtp_envelope_t* e;
  int rc = uvsmtp_source_envelope(body, &e, reason);

  if (rc != 0) return rc;
  *from = uvsmtp_envelope_from(e);
  *rcpts = uvsmtp_envelope_rcpts(e, n);
  return 0;
}

/* The envelope, or a part of it, is the header's. */
static int take_header(letter_t* l, uvsmtp_message_t* m, uvsmtp_request_t* q) {
  int part = (int)any(3);

  if (uvsmtp_source_message(&l->filter, &world.mem, &l->parts[0].source, 0)) {
    if (world.alloc.failed == 0) wrong("no source for a header");
    return 0;
  }
  m->body = l->filter;
  q->envelope = envelope;
  if (part != 1) m->from = NULL;
  if (part != 2) {
    m->rcpts = NULL;
    m->nrcpts = 0;
  }
  reached.headed++;
  return 1;
}

static void send_whole(int i) {
  letter_t* l = &letters[i];
  uvsmtp_request_t q = UVSMTP_REQUEST_INIT(UVSMTP_OP_SEND);
  uvsmtp_message_t m = UVSMTP_MESSAGE_INIT;
  uvsmtp_rcpt_t rcpts[RCPTS];
  const uvsmtp_rcpt_t* list[RCPTS];
  int j;

  for (j = 0; j < l->nrcpts; j++) {
    rcpts[j] = (uvsmtp_rcpt_t)UVSMTP_RCPT_INIT(l->rcpts[j].address);
    list[j] = &rcpts[j];
  }
  m.from = l->from;
  m.rcpts = list;
  m.nrcpts = (size_t)l->nrcpts;
  m.body = &l->parts[0].source;
  m.flags = l->flags;
  q.message = &m;
  if (once_in(30)) q.due = world.now + 1 + any(60);
  if (l->headed && !take_header(l, &m, &q)) return;
  l->submitted = submit(&q, TAG_SEND, i, 0);
  l->parts[0].claimed = l->submitted;
  if (!l->submitted && l->headed) uvsmtp_source_message_free(l->filter);
}

/* ---------------------------------------------------------- single commands */

/* The text in one piece or in chunks. Who can't have one of them sent does not
 * go on with the next: it would be a message with a hole. */
static void say_text(int i) {
  letter_t* l = &letters[i];
  int whole = !peer_has_chunking() || (l->nparts == 1 && once_in(2));
  int j;

  for (j = 0; j < l->nparts; j++) {
    uvsmtp_request_t q =
        UVSMTP_REQUEST_INIT(whole ? UVSMTP_OP_DATA : UVSMTP_OP_BDAT);
    int last = j == l->nparts - 1;

    q.body = &l->parts[j].source;
    q.last = !whole && last;
    if (!submit(&q, last ? TAG_LAST : TAG_CHUNK, i, 0)) return;
    l->parts[j].claimed = 1;
    if (last) l->submitted = 1;
  }
}

static void send_by_hand(int i) {
  letter_t* l = &letters[i];
  uvsmtp_request_t q = UVSMTP_REQUEST_INIT(UVSMTP_OP_MAIL);
  int j;

  q.text = l->from;
  if (submit(&q, TAG_OTHER, i, 0)) {
    for (j = 0; j < l->nrcpts; j++) {
      q = (uvsmtp_request_t)UVSMTP_REQUEST_INIT(UVSMTP_OP_RCPT);
      q.text = l->rcpts[j].address;
      l->rcpts[j].status = -EAGAIN;
      (void)submit(&q, TAG_RCPT, i, j);
    }
    say_text(i);
  }
  /* Without it the next message would be within this transaction. But one
   * allocation is refused, so that this ends. */
  q = (uvsmtp_request_t)UVSMTP_REQUEST_INIT(UVSMTP_OP_RSET);
  while (!submit(&q, TAG_OTHER, i, 0)) continue;
}

void call_letter(void) {
  int i = nletters;
  int by_hand = once_in(4);

  if (i == LETTERS) return;
  letter_make(i, by_hand);
  nletters++;
  if (by_hand)
    send_by_hand(i);
  else
    send_whole(i);
  if (once_in(4)) call_other();
}

void calls_end(int early) {
  int i;

  for (i = 0; i < ntags; i++)
    if (tags[i].events != 1 && !(early && tags[i].events == 0))
      wrong("a call has had %d events", tags[i].events);
}
