/* SPDX-License-Identifier: MIT */
/* letter.h: a message that is in memory with its envelope before anything is
 * connected: one that is written here, or one that a sendmail gets. */
#ifndef UVSMTP_TOOL_LETTER_H
#define UVSMTP_TOOL_LETTER_H

#include "tool.h"

typedef struct letter_s {
  const char* from;
  strings_t rcpts;
  uvsmtp_slices_source_t source;
  uvsmtp_slice_t slices[2]; /* private from here */
  char* written;            /* all of it, or fields that were missing */
  char* blind;              /* the recipients whom nobody sees, as a field */
  char* login;              /* who runs this program, as an address */
  uvsmtp_envelope_t* envelope;
  uvsmtp_envelope_t* unseen;
} letter_t;

/* Whether there is to be one. */
int letter_wanted(const options_t* o);
/* Before anybody types its text: which of the options makes no sense? NULL, or
 * a sentence in a buffer of its own. */
const char* letter_check(const options_t* o);
/* Makes the letter of what was read, which it borrows, and which ends with a
 * NUL behind its len octets. 0, or an exit status with a sentence in error. */
int letter_make(letter_t* l, const options_t* o, const char* text, size_t len,
                char* error, size_t cap);
void letter_free(letter_t* l);

#endif
