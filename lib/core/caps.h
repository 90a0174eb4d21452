/* SPDX-License-Identifier: MIT */
/* caps.h: the extensions of an EHLO reply (RFC 5321 4.1.1.1). The reply's own
 * text is the store; the bits answer what the engine asks often. */
#ifndef UVSMTP_CORE_CAPS_H
#define UVSMTP_CORE_CAPS_H

#include "core/buf.h"
#include "core/reply.h"

enum {
  UVSMTP__CAP_PIPELINING = 1u << 0,
  UVSMTP__CAP_CHUNKING = 1u << 1,
  UVSMTP__CAP_SIZE = 1u << 2,
  UVSMTP__CAP_8BITMIME = 1u << 3,
  UVSMTP__CAP_SMTPUTF8 = 1u << 4,
  UVSMTP__CAP_BINARYMIME = 1u << 5,
  UVSMTP__CAP_ENHANCED = 1u << 6,
  UVSMTP__CAP_DSN = 1u << 7,
  UVSMTP__CAP_STARTTLS = 1u << 8,
  UVSMTP__CAP_LIMITS = 1u << 9
};

typedef struct uvsmtp__caps_s {
  char* text; /* keyword NUL parameters NUL, repeated; one exact block */
  uint32_t len;
  uint32_t bits;
  uint64_t size_limit; /* of SIZE: 0 for none given, "0" or not a number;
                          saturates at UINT64_MAX */
  uint32_t rcpt_max;   /* of LIMITS (RFC 9422): RCPTMAX, MAILMAX; 0: none given,
                          0, or not a number; saturate at UINT32_MAX; of several
                          the lowest */
  uint32_t mail_max;
} uvsmtp__caps_t;

/* Reads the lines after the first. Keywords are kept as the server wrote them;
 * a line whose keyword is not ALPHA/DIGIT then ALPHA/DIGIT/HYPHEN is skipped; a
 * keyword given again replaces the earlier one (of the first 512 different
 * ones, which is as many as a reply has lines by default), but lines of AUTH
 * and of the old form "AUTH=..." are merged into one AUTH, joined by blanks,
 * each mechanism once. Parameters lose blanks at both ends. 0 or -ENOMEM (the
 * caps are then empty). */
int uvsmtp__caps_parse(uvsmtp__caps_t* caps, const uvsmtp__mem_t* mem,
                       const uvsmtp_reply_t* reply);
void uvsmtp__caps_clear(uvsmtp__caps_t* caps, const uvsmtp__mem_t* mem);

/* The parameters of a keyword, in any case, or NULL. */
const char* uvsmtp__caps_find(const uvsmtp__caps_t* caps, const char* keyword);
/* As uvsmtp_proto_next_extn. */
int uvsmtp__caps_next(const uvsmtp__caps_t* caps, size_t* cursor,
                      uvsmtp_slice_t* keyword, uvsmtp_slice_t* params);

#endif
