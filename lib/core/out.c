/* SPDX-License-Identifier: MIT */
/* out.c: the octets on their way to the transport. */
#include "core/out.h"

#include <errno.h>
#include <string.h>

/* SEGS_MAX bounds what a caller that never stops queueing can take. */
enum { SEGS_FIRST = 8, SEGS_MAX = 1 << 20 };

static uvsmtp__seg_t* seg_at(const uvsmtp__out_t* o, uint32_t i) {
  return &o->segs[(o->head + i) & (o->cap - 1)];
}

static void free_segs(const uvsmtp__mem_t* mem, uvsmtp__out_t* o) {
  uvsmtp__free(mem, o->segs, o->cap * sizeof(*o->segs));
  o->segs = NULL;
  o->head = 0;
  o->count = 0;
  o->cap = 0;
}

/* Room for one more segment. */
static int seg_room(const uvsmtp__mem_t* mem, uvsmtp__out_t* o) {
  uint32_t cap = o->cap == 0 ? SEGS_FIRST : o->cap * 2;
  uvsmtp__seg_t* segs;
  uint32_t i;

  if (o->count < o->cap) return 0;
  if (cap > SEGS_MAX) return -ENOMEM;
  /* A new block: the ring has to be unrolled while it is copied. */
  segs = uvsmtp__alloc(mem, cap * sizeof(*segs));
  if (segs == NULL) return -ENOMEM;
  for (i = 0; i < o->count; i++) segs[i] = *seg_at(o, i);
  uvsmtp__free(mem, o->segs, o->cap * sizeof(*segs));
  o->segs = segs;
  o->head = 0;
  o->cap = cap;
  return 0;
}

static void push(uvsmtp__out_t* o, const char* ref, size_t len) {
  uvsmtp__seg_t* seg = seg_at(o, o->count++);

  seg->ref = ref;
  seg->len = len;
  o->queued += len;
}

/* The last segment when it is one of copied octets, which may grow. */
static uvsmtp__seg_t* open_seg(const uvsmtp__out_t* o) {
  uvsmtp__seg_t* seg;

  if (o->count == 0) return NULL;
  seg = seg_at(o, o->count - 1);
  return seg->ref == NULL ? seg : NULL;
}

/* Queues n octets that are in bytes already, behind those of earlier
 * segments. */
static int claim(const uvsmtp__mem_t* mem, uvsmtp__out_t* o, size_t n) {
  uvsmtp__seg_t* seg = open_seg(o);
  int status;

  if (seg != NULL) {
    seg->len += n;
    o->queued += n;
    return 0;
  }
  status = seg_room(mem, o);
  if (status == 0) push(o, NULL, n);
  return status;
}

int uvsmtp__out_copy(const uvsmtp__mem_t* mem, uvsmtp__out_t* o,
                     const void* data, size_t n) {
  size_t before = o->bytes.len;
  int status = uvsmtp__buf_append(mem, &o->bytes, data, n, SIZE_MAX);

  /* The address space was the cap. */
  if (status != 0) return -ENOMEM;
  return uvsmtp__out_built(mem, o, before);
}

int uvsmtp__out_ref(const uvsmtp__mem_t* mem, uvsmtp__out_t* o,
                    const void* data, size_t n) {
  int status;

  if (n == 0) return 0;
  status = seg_room(mem, o);
  if (status != 0) return status;
  push(o, data, n);
  o->ref_end = o->queued;
  return 0;
}

int uvsmtp__out_built(const uvsmtp__mem_t* mem, uvsmtp__out_t* o,
                      size_t before) {
  size_t n = o->bytes.len - before;
  int status;

  if (n == 0) return 0;
  status = claim(mem, o, n);
  if (status != 0) o->bytes.len = before;
  return status;
}

size_t uvsmtp__out_peek(const uvsmtp__out_t* o, uvsmtp_slice_t* slices,
                        size_t n) {
  size_t at = 0;
  uint32_t i;

  for (i = 0; i < o->count && i < n; i++) {
    const uvsmtp__seg_t* seg = seg_at(o, i);

    slices[i].len = seg->len;
    slices[i].base = seg->ref;
    if (seg->ref != NULL) continue;
    slices[i].base = uvsmtp__buf_data(&o->bytes) + at;
    at += seg->len;
  }
  return i;
}

void uvsmtp__out_sent(const uvsmtp__mem_t* mem, uvsmtp__out_t* o, size_t n) {
  while (n > 0 && o->count > 0) {
    uvsmtp__seg_t* seg = seg_at(o, 0);
    size_t some = n < seg->len ? n : seg->len;

    if (seg->ref == NULL)
      uvsmtp__buf_consume(&o->bytes, some);
    else
      seg->ref += some;
    seg->len -= some;
    o->sent += some;
    n -= some;
    if (seg->len > 0) break;
    o->head = (o->head + 1) & (o->cap - 1);
    o->count--;
  }
  if (o->count > 0) return;
  free_segs(mem, o);
  uvsmtp__buf_free(mem, &o->bytes);
}

void uvsmtp__out_clear(const uvsmtp__mem_t* mem, uvsmtp__out_t* o) {
  free_segs(mem, o);
  uvsmtp__buf_free(mem, &o->bytes);
  o->queued = 0;
  o->sent = 0;
  o->ref_end = 0;
}
