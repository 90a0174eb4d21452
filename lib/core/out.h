/* SPDX-License-Identifier: MIT */
/* out.h: the octets on their way to the transport, in order: small ones copied
 * into one buffer, large ones by reference to the message's source. Offsets
 * count all octets ever queued or sent, so that a place in the stream can be
 * named before it has left. */
#ifndef UVSMTP_CORE_OUT_H
#define UVSMTP_CORE_OUT_H

#include "core/buf.h"

typedef struct uvsmtp__seg_s {
  const char* ref; /* NULL: the next `len` octets of bytes */
  size_t len;
} uvsmtp__seg_t;

typedef struct uvsmtp__out_s {
  uvsmtp__buf_t bytes;
  uvsmtp__seg_t* segs; /* ring of cap entries, a power of two; NULL when idle */
  uint32_t head;
  uint32_t count;
  uint32_t cap;
  uint64_t queued;  /* offset of the next octet to queue */
  uint64_t sent;    /* offset of the next octet to send */
  uint64_t ref_end; /* offset behind the last octet queued by reference */
} uvsmtp__out_t;

/* 0 or -ENOMEM (nothing was queued). Runs of copied octets share a segment. */
int uvsmtp__out_copy(const uvsmtp__mem_t* mem, uvsmtp__out_t* o,
                     const void* data, size_t n);
int uvsmtp__out_ref(const uvsmtp__mem_t* mem, uvsmtp__out_t* o,
                    const void* data, size_t n);
/* A buffer to build a command in: appends what was put into bytes after
 * `before` (its len then) to the queue. 0 or -ENOMEM (bytes is cut back). */
int uvsmtp__out_built(const uvsmtp__mem_t* mem, uvsmtp__out_t* o,
                      size_t before);
size_t uvsmtp__out_peek(const uvsmtp__out_t* o, uvsmtp_slice_t* slices,
                        size_t n);
/* n octets have left. Gives the memory back when the queue is empty. */
void uvsmtp__out_sent(const uvsmtp__mem_t* mem, uvsmtp__out_t* o, size_t n);
/* Forgets what is queued (offsets included: both 0) and gives memory back. */
void uvsmtp__out_clear(const uvsmtp__mem_t* mem, uvsmtp__out_t* o);
/* Octets queued and not sent. */
static inline uint64_t uvsmtp__out_pending(const uvsmtp__out_t* o) {
  return o->queued - o->sent;
}

#endif
