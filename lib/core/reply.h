/* SPDX-License-Identifier: MIT */
/* reply.h: the incremental parser of replies (RFC 5321 4.2), and what a reply
 * is. Takes input split at any octet; a single-line reply that arrives whole is
 * parsed in place, without a copy. */
#ifndef UVSMTP_CORE_REPLY_H
#define UVSMTP_CORE_REPLY_H

#include "core/buf.h"

/* Text is at arena->base + off when arena is set (the arena may still move),
 * else at text. */
struct uvsmtp_reply_s {
  union {
    const char* text;
    size_t off;
  };
  const uvsmtp__buf_t* arena;
  uint32_t len;
  uint32_t lines;
  unsigned short code;
  unsigned short enhanced[3]; /* class 0: none */
};

typedef struct uvsmtp__limits_s {
  uint32_t line;   /* octets in a line, line end included */
  uint32_t octets; /* octets of text in a reply, the joining LFs included */
  uint32_t lines;  /* lines in a reply */
} uvsmtp__limits_t;

typedef struct uvsmtp__reader_s {
  uvsmtp__limits_t limits;
  uvsmtp__buf_t line;    /* a line that is not whole yet */
  uvsmtp__buf_t text;    /* text of the lines before it */
  uint32_t lines;        /* how many those were */
  unsigned short code;   /* their code */
  int error;             /* sticky */
  uvsmtp_reply_t reply;  /* the last whole one */
  uvsmtp_trace_cb trace; /* each whole line, as it came; may be NULL */
  void* trace_arg;
} uvsmtp__reader_t;

/* Zeroes a reader and sets limits (0: the defaults 16384, 65536, 512). */
void uvsmtp__reader_init(uvsmtp__reader_t* r, const uvsmtp__limits_t* limits);

/* Takes octets up to the end of one reply and sets *used. 1: r->reply is whole
 * (its text is NOT NUL-terminated and valid until the next call or until `in`
 * goes); 0: all of in was taken and more is needed; negative: a protocol error
 * (UVSMTP_EPROTOCOL) or -ENOMEM, which stays.
 * Errors: a line or reply over its limit, NUL, a bare CR (a CR not followed by
 * LF), fewer or more than three digits or a first one not in 1..5, a separator
 * that is not SP, HYPHEN-MINUS or the line's end, an empty line, codes that
 * differ within one reply. A bare LF ends a line. */
int uvsmtp__reader_feed(uvsmtp__reader_t* r, const uvsmtp__mem_t* mem,
                        const char* in, size_t len, size_t* used);

/* 1 when octets of an unfinished reply are held. */
int uvsmtp__reader_partial(const uvsmtp__reader_t* r);

/* Gives the buffers back; r->reply is then invalid. Keeps limits and trace,
 * clears error and partial input. */
void uvsmtp__reader_reset(uvsmtp__reader_t* r, const uvsmtp__mem_t* mem);

/* Parses "class.subject.detail" at the start of text, followed by a blank or
 * the end: class 2, 4 or 5 and equal to code / 100, up to three digits each
 * for subject and detail (RFC 3463 2). Else sets class 0. */
void uvsmtp__enhanced_parse(unsigned short code, const char* text, size_t len,
                            unsigned short out[3]);

/* Copies r into a reply whose text lives in arena, appended there with a NUL;
 * text beyond `cap` octets is cut. When there is no memory the text is empty
 * and the rest stays. */
void uvsmtp__reply_store(const uvsmtp__mem_t* mem, uvsmtp__buf_t* arena,
                         const uvsmtp_reply_t* r, size_t cap,
                         uvsmtp_reply_t* to);

/* A reply in a block of its own. */
typedef struct uvsmtp__kept_s {
  size_t size; /* octets allocated */
  uvsmtp_reply_t reply;
} uvsmtp__kept_t;

/* Keeps a copy of r in *to, in the place of the one before, whole whatever its
 * length. 0 or -ENOMEM: *to is then NULL. */
int uvsmtp__reply_keep(const uvsmtp__mem_t* mem, const uvsmtp_reply_t* r,
                       uvsmtp__kept_t** to);
/* Frees it and sets it to NULL. */
void uvsmtp__reply_forget(const uvsmtp__mem_t* mem, uvsmtp__kept_t** kept);

/* The text of r, arena or not; *len is set. */
const char* uvsmtp__reply_text(const uvsmtp_reply_t* r, size_t* len);

#endif
