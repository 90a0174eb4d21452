/* SPDX-License-Identifier: MIT */
/* message.h: what the files of lib/message share. Pure: memory in, memory out.
 * Whatever is parsed here comes from outside: linear time, no recursion, any
 * octet. */
#ifndef UVSMTP_MESSAGE_MESSAGE_H
#define UVSMTP_MESSAGE_MESSAGE_H

#include "core/buf.h"
#include "uvsmtp/message.h"

/* ------------------------------------------------------------ address.c */

/* A mailbox of an address list, by reference to the text. */
typedef struct uvsmtp__mailbox_s {
  uvsmtp_slice_t name; /* the display name as written, quotes and comments and
                          folds included; len 0: none */
  uvsmtp_slice_t spec; /* the addr-spec as written, from the first to the last
                          octet: may hold comments, blanks and folds */
} uvsmtp__mailbox_t;

/* Where in a list the next mailbox is looked for. */
typedef struct uvsmtp__list_s {
  const char* at;
  const char* end;
  size_t in_group; /* how many are open; 0 at first */
} uvsmtp__list_t;

/* The next mailbox of an address-list of RFC 5322 3.4 and 4.4: groups opened,
 * empty elements passed over. 1, 0 at the end, or UVSMTP_EMESSAGE with *reason,
 * behind which there is nothing more to ask for. */
int uvsmtp__list_next(uvsmtp__list_t* list, uvsmtp__mailbox_t* mailbox,
                      const char** reason);

/* Appends the bare address of a mailbox and a NUL to b: comments, blanks, folds
 * and the route gone. A local part that was quoted, or had a quoted word, is
 * one quoted string. 0, -ENOMEM, or UVSMTP_EMESSAGE with *reason for one that
 * uvsmtp_send would refuse (see uvsmtp__parse_path). */
int uvsmtp__mailbox_put(const uvsmtp__mem_t* mem, uvsmtp__buf_t* b,
                        const uvsmtp__mailbox_t* mailbox, const char** reason);

/* Behind the comment, with those in it, that begins at `at` with "("; NULL: it
 * has no end. What uvsmtp__list_next took has ends. */
const char* uvsmtp__comment_end(const char* at, const char* end);

/* ------------------------------------------------------------- header.c */

/* What a header block consists of, by reference: a field, or lines that are
 * none and don't end the block either, as Python's feedparser has them: the
 * "From " of a mbox, folded lines before any field, a field without a name. */
typedef struct uvsmtp__field_s {
  uvsmtp_slice_t name; /* without blanks before the colon (obsolete syntax);
                          len 0: no field */
  uvsmtp_slice_t body; /* behind the colon, folds included, without the last
                          line end */
  const char* start;   /* its first octet */
  const char* stop;    /* behind its last line end */
} uvsmtp__field_t;

/* Where in a header block the next field is looked for. */
typedef struct uvsmtp__fields_s {
  const char* base; /* the first octet of the message */
  const char* at;   /* at first the same */
  const char* end;
} uvsmtp__fields_t;

/* The next one: 1; 0: the header block is over, and fields->at is its end: an
 * empty line, the first line that can't be one of it, or fields->end. A line
 * ends with CRLF, CR or LF. */
int uvsmtp__field_next(uvsmtp__fields_t* fields, uvsmtp__field_t* field);

/* 1 when it is to be kept back: Bcc, Resent-Bcc, and what is no field. */
int uvsmtp__field_is_blind(const uvsmtp__field_t* field);

/* How far the end of a header block has been looked for. Zeroed at first. */
typedef struct uvsmtp__over_s {
  size_t at;   /* the next octet to look at; in the end, where the block ends */
  size_t line; /* where the line began */
  size_t held; /* a line "From " that may be the body's first; 0: none */
  int state;
} uvsmtp__over_t;

/* Is a header that so far goes from base to end over, whatever comes behind?
 * For one that arrives in pieces: each octet is looked at once. 1: over->at is
 * where uvsmtp__field_next would stop. base may be another one each time. */
int uvsmtp__header_over(const char* base, const char* end,
                        uvsmtp__over_t* over);

/* ----------------------------------------------------------- envelope.c */

/* What is wanted of a header: what the caller says himself may be as wrong in
 * there as it likes. */
enum { UVSMTP__WANT_FROM = 1, UVSMTP__WANT_RCPTS = 2 };

/* uvsmtp_envelope_new of a part of the envelope; the rest of it is empty. */
int uvsmtp__envelope_read(uvsmtp_envelope_t** envelope,
                          const uvsmtp__mem_t* mem, const char* message,
                          size_t len, unsigned int wants, const char** reason);

/* ------------------------------------------------------------- source.c */

/* What one of uvsmtp_source_message is to read; both unless it is said here,
 * before its first peek. */
void uvsmtp__source_want(uvsmtp_source_t* source, unsigned int wants);

/* ------------------------------------------------------------- letter.c */

/* Octets of a random Message-ID. */
#define UVSMTP__RANDOM 16u

/* uvsmtp_compose with everything that it asks others for: all of the draft is
 * there, its date is its date, and `random` is used where it has no message_id.
 * 0, -ENOBUFS, -EINVAL, -ENOMEM; *len is set with the first two. */
int uvsmtp__letter(const uvsmtp__mem_t* mem, const uvsmtp_draft_t* draft,
                   const unsigned char* random, char* buf, size_t cap,
                   size_t* len);

#endif
