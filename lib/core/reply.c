/* SPDX-License-Identifier: MIT */
/* reply.c: the incremental parser of replies. New input is searched for LF
 * only, so that octets arriving one at a time cost no more than once each; the
 * other checks run over each line when it is whole. */
#include "core/reply.h"

#include <errno.h>
#include <string.h>

#include "core/ascii.h"

enum { LINE_DEFAULT = 16384, OCTETS_DEFAULT = 65536, LINES_DEFAULT = 512 };

void uvsmtp__reader_init(uvsmtp__reader_t* r, const uvsmtp__limits_t* limits) {
  memset(r, 0, sizeof(*r));
  if (limits != NULL) r->limits = *limits;
  if (r->limits.line == 0) r->limits.line = LINE_DEFAULT;
  if (r->limits.octets == 0) r->limits.octets = OCTETS_DEFAULT;
  if (r->limits.lines == 0) r->limits.lines = LINES_DEFAULT;
}

/* Up to three digits of text at *at, or -1. */
static int number(const char* text, size_t len, size_t* at) {
  size_t start = *at;
  int n = 0;

  while (*at < len && *at - start < 3 && uvsmtp__is_digit(text[*at]))
    n = n * 10 + (text[(*at)++] - '0');
  return *at == start ? -1 : n;
}

void uvsmtp__enhanced_parse(unsigned short code, const char* text, size_t len,
                            unsigned short out[3]) {
  int parts[3];
  size_t at = 0;
  int i;

  memset(out, 0, 3 * sizeof(*out));
  for (i = 0; i < 3; i++) {
    if (i > 0 && (at == len || text[at++] != '.')) return;
    parts[i] = number(text, len, &at);
    if (parts[i] < 0) return;
  }
  if (at < len && !uvsmtp__is_blank(text[at])) return;
  if (parts[0] != 2 && parts[0] != 4 && parts[0] != 5) return;
  if (parts[0] != code / 100) return;
  for (i = 0; i < 3; i++) out[i] = (unsigned short)parts[i];
}

/* The three digits at the start of a line, or -1. */
static int code_of(const char* line, size_t len) {
  if (len < 3 || line[0] < '1' || line[0] > '5') return -1;
  if (!uvsmtp__is_digit(line[1]) || !uvsmtp__is_digit(line[2])) return -1;
  return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

/* Appends a line's text to those before it, LF between. */
static int collect(uvsmtp__reader_t* r, const uvsmtp__mem_t* mem,
                   const char* text, size_t len) {
  size_t joint = r->lines > 0;
  char* at;

  if (joint + len > r->limits.octets - r->text.len) return UVSMTP_EPROTOCOL;
  if (joint + len == 0) return 0;
  at = uvsmtp__buf_reserve(mem, &r->text, joint + len, r->limits.octets);
  if (at == NULL) return -ENOMEM;
  if (joint) *at = '\n';
  memcpy(at + joint, text, len);
  uvsmtp__buf_commit(&r->text, joint + len);
  return 0;
}

/* The reply is whole. Its text may be in a buffer that is empty from here on:
 * the octets stay in place until the next append. */
static int finish(uvsmtp__reader_t* r, const char* text, size_t len) {
  r->reply.text = text;
  r->reply.len = (uint32_t)len;
  r->reply.lines = r->lines + 1;
  r->reply.code = r->code;
  r->lines = 0;
  return 1;
}

/* Judges one line, its line end included. 1 when it ends a reply. */
static int take_line(uvsmtp__reader_t* r, const uvsmtp__mem_t* mem,
                     const char* line, size_t len) {
  const char* text;
  int code;
  int last;
  int status;

  len--;
  if (len > 0 && line[len - 1] == '\r') len--;
  if (memchr(line, '\r', len) != NULL) return UVSMTP_EPROTOCOL;
  if (r->trace != NULL)
    r->trace(r->trace_arg, UVSMTP_TRACE_RECEIVED, line, len);
  if (memchr(line, '\0', len) != NULL) return UVSMTP_EPROTOCOL;

  code = code_of(line, len);
  if (code < 0) return UVSMTP_EPROTOCOL;
  last = len == 3 || line[3] == ' ';
  if (!last && line[3] != '-') return UVSMTP_EPROTOCOL;
  text = line + (len == 3 ? 3 : 4);
  len -= (size_t)(text - line);

  if (r->lines >= r->limits.lines) return UVSMTP_EPROTOCOL;
  if (r->lines == 0) {
    r->code = (unsigned short)code;
    uvsmtp__enhanced_parse(r->code, text, len, r->reply.enhanced);
    if (last && len > r->limits.octets) return UVSMTP_EPROTOCOL;
    if (last) return finish(r, text, len);
  } else if (code != r->code) {
    return UVSMTP_EPROTOCOL;
  }

  status = collect(r, mem, text, len);
  if (status != 0) return status;
  if (last) {
    text = uvsmtp__buf_data(&r->text);
    len = r->text.len;
    uvsmtp__buf_consume(&r->text, len);
    return finish(r, text, len);
  }
  r->lines++;
  return 0;
}

/* Keeps the beginning of a line. That many octets without a line end mean that
 * the line will be too long. */
static int hold(uvsmtp__reader_t* r, const uvsmtp__mem_t* mem, const char* in,
                size_t len) {
  if (len >= r->limits.line - r->line.len) return UVSMTP_EPROTOCOL;
  return uvsmtp__buf_append(mem, &r->line, in, len, r->limits.line);
}

/* in[0..len) ends with the LF of a line whose beginning may be held. */
static int end_line(uvsmtp__reader_t* r, const uvsmtp__mem_t* mem,
                    const char* in, size_t len) {
  int status;

  if (len > r->limits.line - r->line.len) return UVSMTP_EPROTOCOL;
  if (r->line.len == 0) return take_line(r, mem, in, len);

  status = uvsmtp__buf_append(mem, &r->line, in, len, r->limits.line);
  if (status != 0) return status;
  in = uvsmtp__buf_data(&r->line);
  len = r->line.len;
  uvsmtp__buf_consume(&r->line, len);
  return take_line(r, mem, in, len);
}

int uvsmtp__reader_feed(uvsmtp__reader_t* r, const uvsmtp__mem_t* mem,
                        const char* in, size_t len, size_t* used) {
  *used = 0;
  if (r->error != 0) return r->error;

  while (*used < len) {
    const char* at = in + *used;
    const char* lf = memchr(at, '\n', len - *used);
    size_t n = lf == NULL ? len - *used : (size_t)(lf - at) + 1;
    int status = lf == NULL ? hold(r, mem, at, n) : end_line(r, mem, at, n);

    *used += n;
    if (status < 0) r->error = status;
    if (status != 0) return status;
  }
  return 0;
}

int uvsmtp__reader_partial(const uvsmtp__reader_t* r) {
  return r->line.len != 0 || r->lines != 0;
}

void uvsmtp__reader_reset(uvsmtp__reader_t* r, const uvsmtp__mem_t* mem) {
  uvsmtp__buf_free(mem, &r->line);
  uvsmtp__buf_free(mem, &r->text);
  memset(&r->reply, 0, sizeof(r->reply));
  r->lines = 0;
  r->error = 0;
}

void uvsmtp__reply_store(const uvsmtp__mem_t* mem, uvsmtp__buf_t* arena,
                         const uvsmtp_reply_t* r, size_t cap,
                         uvsmtp_reply_t* to) {
  size_t len = r->len < cap ? r->len : cap;
  char* at = uvsmtp__buf_reserve(mem, arena, len + 1, SIZE_MAX);
  const char* text = uvsmtp__reply_text(r, NULL);

  *to = *r;
  to->arena = NULL;
  to->text = "";
  to->len = 0;
  if (at == NULL) return;

  memcpy(at, text, len);
  at[len] = '\0';
  uvsmtp__buf_commit(arena, len + 1);
  to->arena = arena;
  to->off = (size_t)(at - arena->base);
  to->len = (uint32_t)len;
}

int uvsmtp__reply_keep(const uvsmtp__mem_t* mem, const uvsmtp_reply_t* r,
                       uvsmtp__kept_t** to) {
  size_t len;
  const char* text = uvsmtp__reply_text(r, &len);
  size_t size = sizeof(uvsmtp__kept_t) + len + 1;
  uvsmtp__kept_t* kept;
  char* copy;

  uvsmtp__reply_forget(mem, to);
  kept = uvsmtp__alloc(mem, size);
  if (kept == NULL) return -ENOMEM;
  copy = (char*)(kept + 1);
  memcpy(copy, text, len);
  copy[len] = '\0';
  kept->size = size;
  kept->reply = *r;
  kept->reply.arena = NULL;
  kept->reply.text = copy;
  *to = kept;
  return 0;
}

void uvsmtp__reply_forget(const uvsmtp__mem_t* mem, uvsmtp__kept_t** kept) {
  if (*kept != NULL) uvsmtp__free(mem, *kept, (*kept)->size);
  *kept = NULL;
}

const char* uvsmtp__reply_text(const uvsmtp_reply_t* r, size_t* len) {
  if (len != NULL) *len = r->len;
  return r->arena != NULL ? r->arena->base + r->off : r->text;
}

int uvsmtp_reply_code(const uvsmtp_reply_t* reply) { return reply->code; }

int uvsmtp_reply_enhanced(const uvsmtp_reply_t* reply, unsigned short code[3]) {
  memcpy(code, reply->enhanced, sizeof(reply->enhanced));
  return reply->enhanced[0] != 0;
}

const char* uvsmtp_reply_text(const uvsmtp_reply_t* reply, size_t* len) {
  return uvsmtp__reply_text(reply, len);
}

size_t uvsmtp_reply_lines(const uvsmtp_reply_t* reply) { return reply->lines; }
