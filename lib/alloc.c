/* SPDX-License-Identifier: MIT */
/* alloc.c: where memory comes from when the caller does not say. */
#include <stdlib.h>

#include "core/mem.h"

void* uvsmtp__default_alloc(void* data, void* ptr, size_t old_size,
                            size_t new_size) {
  (void)data;
  (void)old_size;
  if (new_size == 0) {
    free(ptr);
    return NULL;
  }
  return realloc(ptr, new_size);
}
