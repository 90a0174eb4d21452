/* SPDX-License-Identifier: MIT */
/* filter.c: a message from anybody through the source that keeps Bcc back, in
 * pieces that the message's own octets say. */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "message/message.h"

enum { PIECES = 64 };

/* What has to go out: all but what is blind, by the fields. */
static size_t expect(char* to, const char* base, size_t size) {
  uvsmtp__fields_t fields = {base, base, base + size};
  uvsmtp__field_t field;
  size_t n = 0;

  while (uvsmtp__field_next(&fields, &field)) {
    size_t len = (size_t)(field.stop - field.start);

    if (uvsmtp__field_is_blind(&field)) continue;
    memcpy(to + n, field.start, len);
    n += len;
  }
  memcpy(to + n, fields.at, (size_t)(fields.end - fields.at));
  return n + (size_t)(fields.end - fields.at);
}

/* Into pieces, of which some are empty, and the last has all that is left. */
static size_t cut(uvsmtp_slice_t* slices, const char* base, size_t size) {
  size_t pieces = size == 0 ? 0 : (unsigned char)base[size / 2] % PIECES;
  size_t at = 0;
  size_t n;

  for (n = 0; n < pieces && at < size; n++) {
    size_t len = (unsigned char)base[at] % 17;

    slices[n].base = base + at;
    slices[n].len = len > size - at ? size - at : len;
    at += slices[n].len;
  }
  slices[n].base = base + at;
  slices[n].len = size - at;
  return n + 1;
}

static void check_out(uvsmtp_source_t* source, const char* want, size_t len) {
  uvsmtp_slice_t s;
  size_t have = 0;
  int rc;

  while ((rc = source->peek(source, &s)) == UVSMTP_SOURCE_MORE) {
    /* Not all of it at once, now and then. */
    size_t n = s.len > 5 && have % 3 == 0 ? s.len / 2 : s.len;

    MUST(s.len > 0 && s.len <= len - have);
    MUST(memcmp(s.base, want + have, s.len) == 0);
    source->consumed(source, n);
    have += n;
  }
  MUST(rc == UVSMTP_SOURCE_EOF && have == len);
  MUST(source->length < 0 || (size_t)source->length == len);
}

static void check_envelope(const uvsmtp_source_t* source, const char* base,
                           size_t size) {
  const uvsmtp_envelope_t* said;
  uvsmtp_envelope_t* envelope;
  const char* reason;
  const char* reason2;
  int status = uvsmtp_envelope_new(&envelope, NULL, base, size, &reason);
  size_t n;
  size_t n2;

  MUST(uvsmtp_source_envelope(source, &said, &reason2) == status);
  MUST(reason == reason2);
  if (status != 0) return;
  MUST((uvsmtp_envelope_from(envelope) == NULL) ==
       (uvsmtp_envelope_from(said) == NULL));
  (void)uvsmtp_envelope_rcpts(envelope, &n);
  (void)uvsmtp_envelope_rcpts(said, &n2);
  MUST(n == n2);
  uvsmtp_envelope_free(envelope);
}

int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size) {
  const char* base = (const char*)data;
  uvsmtp_slice_t slices[PIECES];
  uvsmtp_slices_source_t inner;
  uvsmtp_source_t* source;
  uvsmtp_slice_t s;
  char* want = malloc(size + 1);
  size_t len;
  int round;

  MUST(want != NULL);
  len = expect(want, base, size);
  MUST(uvsmtp_source_slices(&inner, slices, cut(slices, base, size)) == 0);
  MUST(uvsmtp_source_message(&source, NULL, &inner.source, 0) == 0);
  MUST(source->peek(source, &s) >= 0);
  check_envelope(source, base, size);
  for (round = 0; round < 2; round++) {
    check_out(source, want, len);
    MUST(source->rewind(source) == 0);
  }
  check_envelope(source, base, size);
  source->release(source);
  free(want);
  return 0;
}
