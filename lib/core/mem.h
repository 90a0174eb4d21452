/* SPDX-License-Identifier: MIT */
/* mem.h: the allocator calls of the pure layers, and structs that callers have
 * filled in. No malloc here: every block comes from the host's uvsmtp_mem_t,
 * which is told sizes both ways. */
#ifndef UVSMTP_CORE_MEM_H
#define UVSMTP_CORE_MEM_H

#include <stddef.h>

#include "uvsmtp/types.h"

typedef struct uvsmtp__mem_s {
  uvsmtp_alloc_cb alloc;
  void* data;
} uvsmtp__mem_t;

/* malloc and free, for hosts that bring no functions of their own: a
 * uvsmtp_alloc_cb that stands outside of the pure layers (lib/alloc.c). */
void* uvsmtp__default_alloc(void* data, void* ptr, size_t old_size,
                            size_t new_size);

static inline void* uvsmtp__resize(const uvsmtp__mem_t* mem, void* ptr,
                                   size_t old_size, size_t new_size) {
  return mem->alloc(mem->data, ptr, old_size, new_size);
}

static inline void* uvsmtp__alloc(const uvsmtp__mem_t* mem, size_t size) {
  return mem->alloc(mem->data, NULL, 0, size);
}

static inline void uvsmtp__free(const uvsmtp__mem_t* mem, void* ptr,
                                size_t size) {
  if (ptr != NULL) mem->alloc(mem->data, ptr, size, 0);
}

/* Octets of a struct up to and including a member: what the first version of a
 * public struct had, and so the least that a caller may pass for ever. */
#define UVSMTP__UP_TO(type, member) \
  (offsetof(type, member) + sizeof(((type*)0)->member))

/* Copies a caller's struct of `size` octets (its leading member) into one of
 * ours: what the caller did not know of becomes zero; -EINVAL when size is
 * smaller than `min`, or when the caller set something that we do not know. */
int uvsmtp__take(void* to, size_t to_size, const void* from, size_t min);

/* A caller's functions in the place of what there is; NULL: it brings none. 0
 * or -EINVAL. */
int uvsmtp__mem_set(uvsmtp__mem_t* mem, const uvsmtp_mem_t* given);

/* Is a caller's source filled in? 0 or -EINVAL. */
int uvsmtp__check_source(const uvsmtp_source_t* source);

#endif
