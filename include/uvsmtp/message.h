/* SPDX-License-Identifier: MIT */
/* uvsmtp/message.h: messages as RFC 5322 has them: the envelope that a header
 * says, and writing a simple one. Of the header's fields only those that make
 * the envelope are looked at: what else a message holds goes out as it is. */
#ifndef UVSMTP_MESSAGE_H
#define UVSMTP_MESSAGE_H

#include "uvsmtp/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* -------------------------------------------------------------- envelope */

/* Who sends a message and who is to get it, as its own header says: what
 * smtplib's send_message does. The sender is Sender's mailbox, else the first
 * of From; the recipients are those of To, Bcc and Cc, in this order, of all
 * fields of that name. Where there is exactly one Resent-Date it is Resent-
 * Sender, Resent-From, Resent-To, Resent-Bcc and Resent-Cc instead. Addresses
 * are written bare ("a@b"); comments, display names, group names and routes are
 * gone, and encoded-words in them are nobody's concern. */
typedef struct uvsmtp_envelope_s uvsmtp_envelope_t;

/* Reads the header block at the beginning of a message: up to the first empty
 * line, the first line that is no field, or the end. Any line end will do; no
 * memory of the caller's is changed or kept. mem NULL: malloc and free. 0;
 * UVSMTP_EMESSAGE and a sentence in *reason (static; reason may be NULL): more
 * than one Resent-Date, or an address that can't be understood or is none that
 * SMTP could take; UV_ENOMEM; UV_EINVAL. A header that names no sender or no
 * recipient is none of that: see below. */
UVSMTP_EXTERN int uvsmtp_envelope_new(uvsmtp_envelope_t** envelope,
                                      const uvsmtp_mem_t* mem,
                                      const void* message, size_t len,
                                      const char** reason);
/* NULL is fine. */
UVSMTP_EXTERN void uvsmtp_envelope_free(uvsmtp_envelope_t* envelope);

/* The sender, or NULL: the header names none. Lives as long as the envelope. */
UVSMTP_EXTERN const char* uvsmtp_envelope_from(
    const uvsmtp_envelope_t* envelope);
/* The recipients, *n of them (maybe 0), repeated ones kept. */
UVSMTP_EXTERN const char* const* uvsmtp_envelope_rcpts(
    const uvsmtp_envelope_t* envelope, size_t* n);

/* A source over a message that another source holds: it hands over all of it
 * but for the fields Bcc and Resent-Bcc, folded lines included, and lines of
 * the header that are no field (a mbox's "From "), and reads the envelope on
 * the way. The header is held in memory where it comes in pieces or
 * has such a field, at most max_header octets (0: 1 MiB; more fails the message
 * with UV_EMSGSIZE); the body goes through as it comes. inner is borrowed until
 * the release of this one, which frees it. For one message; to be rewound only
 * if inner can be. UV_EINVAL, UV_ENOMEM. mem as above: copied. */
UVSMTP_EXTERN int uvsmtp_source_message(uvsmtp_source_t** source,
                                        const uvsmtp_mem_t* mem,
                                        uvsmtp_source_t* inner,
                                        size_t max_header);
/* The envelope that such a source has read: 0 and *envelope, which lives until
 * the source's release; the errors of uvsmtp_envelope_new with their reason;
 * UV_EAGAIN before its peek first returned anything but UVSMTP_SOURCE_WAIT. */
UVSMTP_EXTERN int uvsmtp_source_envelope(const uvsmtp_source_t* source,
                                         const uvsmtp_envelope_t** envelope,
                                         const char** reason);
/* Frees one that no call has accepted, without releasing inner. NULL is fine.
 */
UVSMTP_EXTERN void uvsmtp_source_message_free(uvsmtp_source_t* source);

/* ------------------------------------------------------------- composing */

/* A plain text message. For attachments, HTML, reading or changing messages
 * there are MIME libraries (GMime, libetpan, vmime); this is for the notice
 * that a program sends. Nothing that is put in can become a field or an address
 * of its own: control characters are refused, addresses parsed and written
 * anew. */
typedef struct uvsmtp_draft_s {
  size_t size;
  const char* from; /* mailboxes as RFC 5322 writes them in a field, with names
                       in UTF-8: "Zoe <zoe@a.example>"; required */
  const char* to;   /* likewise, separated by commas; NULL: none */
  const char* cc;   /* likewise */
  const char* reply_to;   /* likewise */
  const char* subject;    /* UTF-8; NULL: none */
  const char* text;       /* UTF-8, lines ended by LF or CRLF; NULL: empty */
  const char* message_id; /* "<left@right>"; NULL: a random one in the domain of
                             from */
  int64_t date;           /* seconds since 1970-01-01 UTC; 0: now */
} uvsmtp_draft_t;
#define UVSMTP_DRAFT_INIT \
  { sizeof(uvsmtp_draft_t), NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0 }

/* Writes it to buf (cap octets), CRLF throughout, and its length to *len, as
 * uv_os_getenv does: UV_ENOBUFS when there is too little room, with the length
 * that there has to be in *len; there is no NUL. Names and subjects that are
 * not ASCII become encoded-words (RFC 2047); a text that is not, or has lines
 * of more than 78 octets, quoted-printable; its last line gets an end if it has
 * none. Fields are folded. Groups are opened, and a list with nobody in it is
 * no field; of several in `from` the first is Sender. An address in UTF-8
 * stays: such a message needs SMTPUTF8. There is no field Bcc: give those
 * recipients to uvsmtp_send. Asks for the time and for random octets where it
 * needs them. UV_EINVAL: no sender, a control character (a tab is none, and in
 * the text no line end), malformed UTF-8, an address that can't be understood,
 * a message_id that is none, a date before 1900 or after 9999; UV_ENOMEM. */
UVSMTP_EXTERN int uvsmtp_compose(const uvsmtp_draft_t* draft, char* buf,
                                 size_t cap, size_t* len);

#ifdef __cplusplus
}
#endif
#endif
