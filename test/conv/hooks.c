/* SPDX-License-Identifier: MIT */
/* hooks.c: the hooks of the engine and of messages, but for sources and
 * mechanisms. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "conv.h"

/* The hook for domains is told of no play: plays come one after the other. */
static play_t* now;

void hook_begin(play_t* p) { now = p; }

int hook_to_ascii(const char* domain, size_t len, char* out, size_t cap) {
  static const char* const table[][2] = {
      {"\xc3\xa9.example", "xn--9ca.example"},
      {"b\xc3\xbc"
       "cher.example",
       "xn--bcher-kva.example"},
      {"mail.b\xc3\xbc"
       "cher.example",
       "mail.xn--bcher-kva.example"}};
  size_t i;

  check_hook(now);
  if (now->d->no_ascii != 0) return now->d->no_ascii;
  for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
    size_t n = strlen(table[i][1]);

    if (strlen(table[i][0]) != len || memcmp(table[i][0], domain, len) != 0)
      continue;
    if (n >= cap) return -EINVAL;
    memcpy(out, table[i][1], n + 1);
    return 0;
  }
  return -EINVAL;
}

int hook_envelope(uvsmtp_source_t* body, const char** from,
                  const char* const** rcpts, size_t* nrcpts,
                  const char** reason) {
  const uvsmtp_envelope_t* envelope = NULL;
  int rc = uvsmtp_source_envelope(body, &envelope, reason);

  check_hook(now);
  if (rc != 0) return rc;
  *from = uvsmtp_envelope_from(envelope);
  *rcpts = uvsmtp_envelope_rcpts(envelope, nrcpts);
  return 0;
}

void hook_progress(void* arg, uint64_t sent, int64_t total) {
  source_t* s = arg;

  check_hook(s->play);
  if (s->released) play_fail(s->play, "progress behind the release");
  if (sent <= s->sent)
    play_fail(s->play, "the progress is %llu behind %llu",
              (unsigned long long)sent, s->sent);
  if (total < -1 || (total >= 0 && total < s->total))
    play_fail(s->play, "the total is %lld behind %lld", (long long)total,
              s->total);
  s->sent = sent;
  s->total = total;
}
