/* SPDX-License-Identifier: MIT */
/* compose.c: a message of now, with a Message-ID that no other has. */
#include <uv.h>

#include "core/mem.h"
#include "message/message.h"
#include "uvsmtp.h"

int uvsmtp_compose(const uvsmtp_draft_t* draft, char* buf, size_t cap,
                   size_t* len) {
  uvsmtp__mem_t mem = {uvsmtp__default_alloc, NULL};
  unsigned char random[UVSMTP__RANDOM];
  uvsmtp_draft_t d;
  uv_timeval64_t now;
  int err =
      uvsmtp__take(&d, sizeof(d), draft, UVSMTP__UP_TO(uvsmtp_draft_t, date));
  if (err != 0) return err;
  if (len == NULL || (buf == NULL && cap != 0)) return UV_EINVAL;
  if (d.date == 0) {
    err = uv_gettimeofday(&now);
    if (err != 0) return err;
    d.date = now.tv_sec;
  }
  if (d.message_id == NULL) {
    err = uv_random(NULL, NULL, random, sizeof(random), 0, NULL);
    if (err != 0) return err;
  }
  return uvsmtp__letter(&mem, &d, random, buf, cap, len);
}
