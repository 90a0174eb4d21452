/* SPDX-License-Identifier: MIT */
/* source.c: the message source of the plays. Each slice is a block of its own
 * that is freed as soon as it is consumed, so that the address sanitizer sees
 * whoever holds on to it; every rule of the contract is checked. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conv.h"

void check_hook(play_t* p) {
  uvsmtp_request_t request = UVSMTP_REQUEST_INIT(UVSMTP_OP_NOOP);
  uvsmtp_event_t event = UVSMTP_EVENT_INIT;
  uvsmtp_slice_t slice;

  if (p->proto == NULL) return;
  if (uvsmtp_proto_submit(p->proto, &request) != -EBUSY)
    play_fail(p, "submit from within a hook is not refused");
  if (uvsmtp_proto_next(p->proto, &event) != 0 ||
      uvsmtp_proto_peek(p->proto, &slice, 1) != 0)
    play_fail(p, "next or peek from within a hook gives something");
}

static size_t piece_size(const source_t* s) {
  const call_t* call = s->call;
  size_t left = call->body.len - s->off;
  size_t n = left;

  if (call->npieces > 0) n = call->pieces[s->piece % call->npieces];
  if (n == 0 || n > left) n = left;
  /* Up to where something happens. */
  if (s->off < s->wait_at && !s->resumed && n > s->wait_at - s->off)
    n = s->wait_at - s->off;
  if (s->off < s->fails_at && n > s->fails_at - s->off)
    n = s->fails_at - s->off;
  return n;
}

static int source_peek(uvsmtp_source_t* self, uvsmtp_slice_t* out) {
  source_t* s = (source_t*)self;

  check_hook(s->play);
  if (s->released) play_fail(s->play, "peek behind release");
  if (s->slice == NULL) {
    if (s->off == s->fails_at) return -EIO;
    if (s->off == s->wait_at && !s->resumed) {
      if (!s->call->wakes) return UVSMTP_SOURCE_WAIT;
      s->resumed = 1;
      uvsmtp_proto_resume(s->play->proto);
      return UVSMTP_SOURCE_WAIT;
    }
    if (s->off == s->call->body.len) return UVSMTP_SOURCE_EOF;
    s->len = piece_size(s);
    s->piece++;
    s->slice = malloc(s->len);
    if (s->slice == NULL) abort();
    memcpy(s->slice, s->call->body.at + s->off, s->len);
  }
  out->base = s->slice + s->skip;
  out->len = s->len - s->skip;
  return UVSMTP_SOURCE_MORE;
}

static void source_consumed(uvsmtp_source_t* self, size_t n) {
  source_t* s = (source_t*)self;
  size_t left = s->len - s->skip;

  check_hook(s->play);
  if (s->released) play_fail(s->play, "consumed behind release");
  /* The engine is done with all of a slice, or with none. */
  if (s->slice == NULL || n > left || (n < left && s->header == NULL))
    play_fail(s->play, "consumed %zu octets of a slice of %zu", n, left);
  s->off += n;
  s->skip += n;
  if (n == left) source_free(s);
}

/* From the first octet on, in other slices. */
static int source_rewind(uvsmtp_source_t* self) {
  source_t* s = (source_t*)self;

  check_hook(s->play);
  if (s->released) play_fail(s->play, "rewound behind release");
  if (s->call->rewind_error != 0) return s->call->rewind_error;
  source_free(s);
  s->off = 0;
  s->fails_at = s->call->again_fails_at;
  s->wait_at = s->call->rewind_waits ? 0 : NEVER;
  s->resumed = 0;
  return 0;
}

static void source_release(uvsmtp_source_t* self) {
  source_t* s = (source_t*)self;

  check_hook(s->play);
  if (s->released++) play_fail(s->play, "released twice");
  source_free(s);
}

void source_begin(source_t* s, play_t* p, const call_t* call) {
  memset(s, 0, sizeof(*s));
  s->source.size = sizeof(s->source);
  s->source.length = call->length;
  s->source.peek = source_peek;
  s->source.consumed = source_consumed;
  s->source.rewind = call->fixed ? NULL : source_rewind;
  s->source.release = source_release;
  s->play = p;
  s->call = call;
  s->wait_at = call->wait_at;
  s->fails_at = call->fails_at;
  s->total = ANY;
}

void source_free(source_t* s) {
  free(s->slice);
  s->slice = NULL;
  s->len = s->skip = 0;
}
