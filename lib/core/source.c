/* SPDX-License-Identifier: MIT */
/* source.c: body sources over memory, in one piece or several, and over a
 * reading function. */
#include <errno.h>
#include <string.h>

#include "uvsmtp/types.h"

/* The source is the first member of both structs, so that a pointer to it is a
 * pointer to the whole. */
static int memory_peek(uvsmtp_source_t* source, uvsmtp_slice_t* out) {
  uvsmtp_memory_source_t* self = (uvsmtp_memory_source_t*)source;

  if (self->off == self->len) return UVSMTP_SOURCE_EOF;
  out->base = self->base + self->off;
  out->len = self->len - self->off;
  return UVSMTP_SOURCE_MORE;
}

static void memory_consumed(uvsmtp_source_t* source, size_t n) {
  ((uvsmtp_memory_source_t*)source)->off += n;
}

static int memory_rewind(uvsmtp_source_t* source) {
  ((uvsmtp_memory_source_t*)source)->off = 0;
  return 0;
}

void uvsmtp_source_memory(uvsmtp_memory_source_t* self, const void* base,
                          size_t len) {
  memset(self, 0, sizeof(*self));
  self->source.size = sizeof(self->source);
  self->source.length = (int64_t)len;
  self->source.peek = memory_peek;
  self->source.consumed = memory_consumed;
  self->source.rewind = memory_rewind;
  self->base = base;
  self->len = len;
}

static int callback_peek(uvsmtp_source_t* source, uvsmtp_slice_t* out) {
  uvsmtp_callback_source_t* self = (uvsmtp_callback_source_t*)source;

  if (self->off == self->len) {
    size_t n = 0;
    int status = self->read(self->arg, self->buf, self->cap, &n);

    if (status != UVSMTP_SOURCE_MORE) return status;
    /* More than cap has overrun the buffer or is a negative count that was
     * cast; none at all would be asked for forever. */
    if (n == 0 || n > self->cap) return -EINVAL;
    self->off = 0;
    self->len = n;
  }
  out->base = self->buf + self->off;
  out->len = self->len - self->off;
  return UVSMTP_SOURCE_MORE;
}

static void callback_consumed(uvsmtp_source_t* source, size_t n) {
  ((uvsmtp_callback_source_t*)source)->off += n;
}

void uvsmtp_source_callback(uvsmtp_callback_source_t* self, uvsmtp_read_cb read,
                            void* arg, void* buf, size_t cap, int64_t length) {
  memset(self, 0, sizeof(*self));
  self->source.size = sizeof(self->source);
  self->source.length = length;
  self->source.peek = callback_peek;
  self->source.consumed = callback_consumed;
  self->read = read;
  self->arg = arg;
  self->buf = buf;
  self->cap = cap;
}

/* Empty pieces are passed over, so that what is shown has octets. */
static int slices_peek(uvsmtp_source_t* source, uvsmtp_slice_t* out) {
  uvsmtp_slices_source_t* self = (uvsmtp_slices_source_t*)source;
  const uvsmtp_slice_t* piece;

  while (self->at < self->n && self->off == self->slices[self->at].len) {
    self->at++;
    self->off = 0;
  }
  if (self->at == self->n) return UVSMTP_SOURCE_EOF;
  piece = &self->slices[self->at];
  out->base = (const char*)piece->base + self->off;
  out->len = piece->len - self->off;
  return UVSMTP_SOURCE_MORE;
}

static void slices_consumed(uvsmtp_source_t* source, size_t n) {
  ((uvsmtp_slices_source_t*)source)->off += n;
}

static int slices_rewind(uvsmtp_source_t* source) {
  uvsmtp_slices_source_t* self = (uvsmtp_slices_source_t*)source;

  self->at = 0;
  self->off = 0;
  return 0;
}

int uvsmtp_source_slices(uvsmtp_slices_source_t* self,
                         const uvsmtp_slice_t* slices, size_t n) {
  uint64_t total = 0;
  size_t i;

  if (n > 0 && slices == NULL) return -EINVAL;
  for (i = 0; i < n; i++) {
    if (slices[i].base == NULL && slices[i].len != 0) return -EINVAL;
    if (slices[i].len > (uint64_t)INT64_MAX - total) return -EINVAL;
    total += slices[i].len;
  }
  memset(self, 0, sizeof(*self));
  self->source.size = sizeof(self->source);
  self->source.length = (int64_t)total;
  self->source.peek = slices_peek;
  self->source.consumed = slices_consumed;
  self->source.rewind = slices_rewind;
  self->slices = slices;
  self->n = n;
  return 0;
}
