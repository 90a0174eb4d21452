/* SPDX-License-Identifier: MIT */
/* message.c: a message from anybody, given to all that reads headers. */
#include "message/message.h"
#include "core/command.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

static const uvsmtp__mem_t mem = {uvsmtp__default_alloc, NULL};

static int is_inside(uvsmtp_slice_t s, const char* base, const char* end) {
  const char* at = s.base;

  return at >= base && at <= end && s.len <= (size_t)(end - at);
}

/* What comes out can be sent, and means itself. */
static void check_address(const char* text) {
  uvsmtp__buf_t b = {NULL, 0, 0, 0};
  uvsmtp__list_t list = {text, text + strlen(text), 0};
  uvsmtp__mailbox_t mailbox;
  uvsmtp_slice_t path;
  unsigned int flags;
  const char* reason;

  MUST(uvsmtp__parse_path(text, 0, &path, &flags) == 0);
  MUST(path.base == text && path.len == strlen(text));
  MUST(strpbrk(text, "\r\n") == NULL);
  MUST(uvsmtp__list_next(&list, &mailbox, &reason) == 1);
  MUST(mailbox.name.len == 0);
  MUST(uvsmtp__mailbox_put(&mem, &b, &mailbox, &reason) == 0);
  MUST(strcmp(uvsmtp__buf_data(&b), text) == 0);
  MUST(uvsmtp__list_next(&list, &mailbox, &reason) == 0);
  uvsmtp__buf_free(&mem, &b);
}

static void read_list(const char* at, const char* end) {
  uvsmtp__buf_t b = {NULL, 0, 0, 0};
  uvsmtp__list_t list = {at, end, 0};
  uvsmtp__mailbox_t mailbox;
  const char* reason = NULL;
  const char* before = at;
  int status;

  while ((status = uvsmtp__list_next(&list, &mailbox, &reason)) == 1) {
    MUST(list.at > before && list.at <= end);
    MUST(is_inside(mailbox.name, before, list.at));
    MUST(is_inside(mailbox.spec, before, list.at));
    MUST(mailbox.spec.len > 0);
    before = list.at;
    status = uvsmtp__mailbox_put(&mem, &b, &mailbox, &reason);
    MUST(status == 0 || status == UVSMTP_EMESSAGE);
    if (status != 0) {
      MUST(reason != NULL);
      continue;
    }
    MUST(b.len == strlen(uvsmtp__buf_data(&b)) + 1);
    MUST(b.len <= mailbox.spec.len + 1);
    check_address(uvsmtp__buf_data(&b));
    uvsmtp__buf_consume(&b, b.len);
  }
  MUST(status == 0 ? list.at == end : status == UVSMTP_EMESSAGE && reason);
  uvsmtp__buf_free(&mem, &b);
}

/* Where the header block ends. */
static size_t read_fields(const char* base, size_t len) {
  uvsmtp__fields_t fields = {base, base, base + len};
  uvsmtp__field_t field;
  const char* before = base;

  while (uvsmtp__field_next(&fields, &field)) {
    MUST(field.start == before && field.stop == fields.at);
    MUST(field.stop > field.start);
    MUST(is_inside(field.name, field.start, field.stop));
    MUST(is_inside(field.body, field.start, field.stop));
    MUST(field.name.len > 0 || uvsmtp__field_is_blind(&field));
    before = field.stop;
    read_list(field.body.base, (const char*)field.body.base + field.body.len);
  }
  MUST(fields.at == before);
  return (size_t)(fields.at - base);
}

/* In pieces, cut where the message's own octets say. */
static void read_pieces(const char* base, size_t len, size_t end) {
  uvsmtp__over_t over;
  size_t have = 0;

  memset(&over, 0, sizeof(over));
  while (have < len) {
    size_t n = 1 + (unsigned char)base[have] % 7;
    /* The end of this block is the end of what may be looked at. */
    char* piece;

    have = n > len - have ? len : have + n;
    piece = malloc(have);
    MUST(piece != NULL);
    memcpy(piece, base, have);
    n = (size_t)uvsmtp__header_over(piece, piece + have, &over);
    free(piece);
    MUST(over.at <= have);
    if (n == 0) {
      MUST(over.at == have);
      continue;
    }
    MUST(over.at == end);
    return;
  }
  MUST(end == len || over.held == end || over.line == end);
}

int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  const char* base = (const char*)data;
  uvsmtp_envelope_t* envelope;
  const char* const* rcpts;
  const char* reason = NULL;
  size_t end = read_fields(base, size);
  size_t n;
  size_t i;
  int status;

  if (size < 4096) read_pieces(base, size, end);
  status = uvsmtp_envelope_new(&envelope, NULL, data, size, &reason);
  if (status != 0) {
    MUST(status == UVSMTP_EMESSAGE && reason != NULL);
    return 0;
  }
  if (uvsmtp_envelope_from(envelope) != NULL)
    check_address(uvsmtp_envelope_from(envelope));
  rcpts = uvsmtp_envelope_rcpts(envelope, &n);
  for (i = 0; i < n; i++) check_address(rcpts[i]);
  uvsmtp_envelope_free(envelope);
  return 0;
}
