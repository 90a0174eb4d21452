/* SPDX-License-Identifier: MIT */
/* writer.h: the octets of a message that is being written: folded fields,
 * encoded-words, encodings of text. What is written was checked before: UTF-8
 * without controls. */
#ifndef UVSMTP_MESSAGE_WRITER_H
#define UVSMTP_MESSAGE_WRITER_H

#include <stddef.h>

/* What is beyond cap is only counted. */
typedef struct uvsmtp__writer_s {
  char* buf;
  size_t cap;
  size_t len;    /* octets in all */
  size_t column; /* octets of the line */
  size_t start;  /* column behind the name of the field */
  int encoded;   /* there is an encoded-word in the line */
} uvsmtp__writer_t;

void uvsmtp__write(uvsmtp__writer_t* w, const char* text, size_t len);
void uvsmtp__write_string(uvsmtp__writer_t* w, const char* text);
void uvsmtp__write_line_end(uvsmtp__writer_t* w);

/* The name of a field, and its colon. */
void uvsmtp__write_name(uvsmtp__writer_t* w, const char* name);

/* A blank before n octets that stay together, in a new line if they don't fit
 * into this one. */
void uvsmtp__write_blank(uvsmtp__writer_t* w, size_t n);

/* Can text without line ends be folded so that no line is too long, with
 * `first` octets in the first line? Words that are short enough, and no blanks
 * but between them. */
int uvsmtp__foldable(const char* text, size_t len, size_t first);
/* Writes one like that as it is, behind a blank. */
void uvsmtp__write_words(uvsmtp__writer_t* w, const char* text, size_t len);

/* Writes encoded-words (RFC 2047), each behind a blank. */
void uvsmtp__write_encoded(uvsmtp__writer_t* w, const char* text, size_t len);

/* Writes lines with CRLF, the last one too: as they are, or quoted-printable
 * (RFC 2045 6.7). */
void uvsmtp__write_text(uvsmtp__writer_t* w, const char* text, int quoted);

#endif
