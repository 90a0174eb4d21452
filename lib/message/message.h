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
  int in_group;
} uvsmtp__list_t;

/* The next mailbox of an address-list of RFC 5322 3.4 and 4.4: groups opened,
 * empty elements passed over. 1, 0 at the end, or UVSMTP_EMESSAGE with *reason.
 */
int uvsmtp__list_next(uvsmtp__list_t* list, uvsmtp__mailbox_t* mailbox,
                      const char** reason);

/* Appends the bare address of a mailbox and a NUL to b: comments, blanks, folds
 * and the route gone, quoted strings kept where the local part needs them. 0,
 * -ENOMEM, or UVSMTP_EMESSAGE with *reason for one that uvsmtp_send would
 * refuse (see uvsmtp__parse_path). */
int uvsmtp__mailbox_put(const uvsmtp__mem_t* mem, uvsmtp__buf_t* b,
                        const uvsmtp__mailbox_t* mailbox, const char** reason);

/* ------------------------------------------------------------- header.c */

/* A field of a header block, by reference. */
typedef struct uvsmtp__field_s {
  uvsmtp_slice_t name; /* without blanks before the colon (obsolete syntax) */
  uvsmtp_slice_t body; /* behind the colon, folds included, without the last
                          line end */
  const char* start;   /* its first octet */
  const char* stop;    /* behind its last line end */
} uvsmtp__field_t;

/* The next field at *at: 1, *at behind it; 0: the header block is over. A line
 * ends with CRLF, CR or LF. */
int uvsmtp__field_next(const char** at, const char* end,
                       uvsmtp__field_t* field);

/* Is a header that ends at `end` over, whatever comes behind? For one that
 * arrives in pieces. *from: where to look from, and where to go on the next
 * time: each octet is looked at once. 1: *from is the first octet behind the
 * header block. */
int uvsmtp__header_over(const char* base, const char* end, size_t* from);

/* 1 when a field is one of Bcc and Resent-Bcc. */
int uvsmtp__field_is_blind(const uvsmtp__field_t* field);

#endif
