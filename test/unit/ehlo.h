/* SPDX-License-Identifier: MIT */
/* ehlo.h: what a server offers, out of the text of its reply to EHLO. */
#ifndef TEST_UNIT_EHLO_H
#define TEST_UNIT_EHLO_H

#include <stdlib.h>
#include <string.h>

#include "core/caps.h"

/* text as a reply: its lines are joined by LF, the first is the greeting. In a
 * block of its own size, since a reply's text ends without a NUL. */
static inline int ehlo(uvsmtp__caps_t* caps, const uvsmtp__mem_t* mem,
                       const char* text) {
  uvsmtp_reply_t reply;
  size_t len = strlen(text);
  char* copy = malloc(len + (len == 0));
  int status;

  if (copy == NULL) abort();
  memcpy(copy, text, len);
  memset(&reply, 0, sizeof(reply));
  reply.text = copy;
  reply.len = (uint32_t)len;
  reply.code = 250;
  status = uvsmtp__caps_parse(caps, mem, &reply);
  free(copy);
  return status;
}

#endif
