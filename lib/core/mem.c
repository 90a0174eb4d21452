/* SPDX-License-Identifier: MIT */
/* mem.c: taking over structs that the caller filled. */
#include "core/mem.h"

#include <errno.h>
#include <string.h>

int uvsmtp__take(void* to, size_t to_size, const void* from, size_t min) {
  const char* octets = from;
  size_t size;
  size_t i;

  if (from == NULL) return -EINVAL;
  memcpy(&size, from, sizeof(size));
  if (size < sizeof(size) || size < min) return -EINVAL;

  /* A caller newer than this library may only have set what we know of: to
   * ignore the rest would quietly do something else than was asked. */
  for (i = to_size; i < size; i++)
    if (octets[i] != 0) return -EINVAL;

  memset(to, 0, to_size);
  memcpy(to, from, size < to_size ? size : to_size);
  memcpy(to, &to_size, sizeof(to_size));
  return 0;
}

int uvsmtp__mem_set(uvsmtp__mem_t* mem, const uvsmtp_mem_t* given) {
  uvsmtp_mem_t m;

  if (given == NULL) return 0;
  if (uvsmtp__take(&m, sizeof(m), given, UVSMTP__UP_TO(uvsmtp_mem_t, data)) !=
          0 ||
      m.alloc == NULL)
    return -EINVAL;
  mem->alloc = m.alloc;
  mem->data = m.data;
  return 0;
}

int uvsmtp__check_source(const uvsmtp_source_t* source) {
  size_t i;

  if (source == NULL || source->size != sizeof(uvsmtp_source_t)) return -EINVAL;
  for (i = 0; i < sizeof(source->reserved) / sizeof(source->reserved[0]); i++)
    if (source->reserved[i] != NULL) return -EINVAL;
  if (source->peek == NULL || source->consumed == NULL) return -EINVAL;
  return source->length < UVSMTP_LENGTH_LATER ? -EINVAL : 0;
}
