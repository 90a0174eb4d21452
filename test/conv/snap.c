/* SPDX-License-Identifier: MIT */
/* snap.c: copies of results, which live no longer than until the next one. */
#include <stdlib.h>
#include <string.h>

#include "conv.h"

static int enhanced_of(const uvsmtp_reply_t* reply) {
  unsigned short e[3];

  if (!uvsmtp_reply_enhanced(reply, e)) return -1;
  return e[0] * 1000000 + e[1] * 1000 + e[2];
}

static int code_of(const uvsmtp_reply_t* reply) {
  return reply == NULL ? 0 : uvsmtp_reply_code(reply);
}

/* NULL: "". */
static char* copy_of(const char* text) {
  size_t n = text == NULL ? 0 : strlen(text);
  char* to = malloc(n + 1);

  if (to == NULL) abort();
  if (n > 0) memcpy(to, text, n);
  to[n] = '\0';
  return to;
}

static char* text_of(const uvsmtp_reply_t* reply) {
  size_t len = 0;
  const char* text = reply == NULL ? "" : uvsmtp_reply_text(reply, &len);

  /* There is no NUL in a reply, and one behind it. */
  if (strlen(text) != len) abort();
  return copy_of(text);
}

static void take_rcpt(rcpt_snap_t* to, const uvsmtp_rcpt_result_t* r) {
  const uvsmtp_reply_t* reply = uvsmtp_rcpt_result_reply(r);
  const uvsmtp_reply_t* own = uvsmtp_rcpt_result_rcpt_reply(r);

  to->status = uvsmtp_rcpt_result_status(r);
  to->stage = uvsmtp_rcpt_result_stage(r);
  to->outcome = uvsmtp_rcpt_result_outcome(r);
  to->code = code_of(reply);
  to->rcpt_code = code_of(own);
  to->address = copy_of(uvsmtp_rcpt_result_address(r));
  to->text = text_of(reply);
  to->rcpt_text = text_of(own);
}

void snap_take(snap_t* to, const uvsmtp_event_t* event) {
  const uvsmtp_result_t* r = event->result;
  const uvsmtp_reply_t* reply = uvsmtp_result_reply(r);
  size_t i;

  to->taken++;
  to->status = uvsmtp_result_status(r);
  to->cause = uvsmtp_result_cause(r);
  to->stage = uvsmtp_result_stage(r);
  to->outcome = uvsmtp_result_outcome(r);
  to->octets = (long long)uvsmtp_result_octets(r);
  to->code = code_of(reply);
  to->enhanced = reply == NULL ? -1 : enhanced_of(reply);
  to->lines = reply == NULL ? 0 : (int)uvsmtp_reply_lines(reply);
  to->text = text_of(reply);
  to->sender = copy_of(uvsmtp_result_sender(r));
  to->detail = copy_of(uvsmtp_result_detail(r));
  to->omitted = uvsmtp_result_omitted(r);
  to->nrcpts = uvsmtp_result_rcpt_count(r);
  if (to->nrcpts == 0) return;
  to->rcpts = calloc(to->nrcpts, sizeof(*to->rcpts));
  if (to->rcpts == NULL) abort();
  for (i = 0; i < to->nrcpts; i++)
    take_rcpt(&to->rcpts[i], uvsmtp_result_rcpt(r, i));
}

void snap_free(snap_t* s) {
  size_t i;

  free(s->text);
  free(s->sender);
  free(s->detail);
  for (i = 0; i < s->nrcpts; i++) {
    free(s->rcpts[i].address);
    free(s->rcpts[i].text);
    free(s->rcpts[i].rcpt_text);
  }
  free(s->rcpts);
}
