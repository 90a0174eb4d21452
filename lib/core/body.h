/* SPDX-License-Identifier: MIT */
/* body.h: the encoding of message text: line ends, dot-stuffing (RFC 5321
 * 4.5.2), the end. A filter that keeps two facts between calls, so that it
 * works across any split; clean runs come out by reference. */
#ifndef UVSMTP_CORE_BODY_H
#define UVSMTP_CORE_BODY_H

#include "core/buf.h"

typedef struct uvsmtp__body_s {
  unsigned char line_ends; /* enum uvsmtp_line_ends */
  unsigned char stuff;     /* 1: DATA, dots doubled; 0: BDAT */
  unsigned char bol;       /* at the beginning of a line */
  unsigned char cr;        /* the octet before was a CR: NORMALISE has already
                              written CRLF for it, STRICT waits for the LF */
} uvsmtp__body_t;

void uvsmtp__body_init(uvsmtp__body_t* b, unsigned int line_ends, int stuff);

/* The next piece of the encoding of in[0..len): *used octets of in were taken
 * (at least 1 when len is not 0), *piece is what they become: a part of in, a
 * constant ("." or CRLF), or nothing. 0, or -EINVAL: STRICT met a bare CR or
 * LF. NORMALISE: CRLF stays, a CR or LF alone becomes CRLF. BINARY: as it is,
 * stuff must be 0. */
int uvsmtp__body_next(uvsmtp__body_t* b, const char* in, size_t len,
                      size_t* used, uvsmtp_slice_t* piece);

/* What ends the text: a CRLF unless at the beginning of a line (BINARY: never),
 * then, when stuff is set, "." CRLF. An empty DATA is just "." CRLF: the CRLF
 * of the DATA line counts (RFC 5321 4.1.1.4). *piece is a constant. -EINVAL:
 * STRICT, and the text is not empty and does not end with CRLF. */
int uvsmtp__body_end(uvsmtp__body_t* b, uvsmtp_slice_t* piece);

/* Octets that in[0..len) becomes, added to *encoded, continuing from and
 * updating b as uvsmtp__body_next would; *clean is set to 0 when the encoding
 * differs from in. 0 or -EINVAL as above. */
int uvsmtp__body_measure(uvsmtp__body_t* b, const char* in, size_t len,
                         uint64_t* encoded, int* clean);

#endif
