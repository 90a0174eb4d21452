/* SPDX-License-Identifier: MIT */
/* scram_text.c: SCRAM's messages (RFC 5802 7): names as they stand in them, and
 * what a server may say. */
#include <string.h>

#include "sasl/scram.h"

size_t uvsmtp__scram_name_size(uvsmtp_slice_t name) {
  const char* octets = name.base;
  size_t i, n = name.len;
  for (i = 0; i < name.len; i++)
    if (octets[i] == ',' || octets[i] == '=') n += 2;
  return n;
}

char* uvsmtp__scram_name(char* to, uvsmtp_slice_t name) {
  const char* octets = name.base;
  size_t i;
  for (i = 0; i < name.len; i++) {
    char c = octets[i];
    if (c == ',' || c == '=') {
      memcpy(to, c == ',' ? "=2C" : "=3D", 3);
      to += 3;
    } else {
      *to++ = c;
    }
  }
  return to;
}

static int is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Takes an attr-val from the front of what is left, and the comma behind it,
 * which something must follow. 0: there is none. */
static int take(uvsmtp_slice_t* rest, char* name, uvsmtp_slice_t* value) {
  const char* p = rest->base;
  const char* comma;
  if (rest->len < 3 || !is_letter(p[0]) || p[1] != '=') return 0;
  *name = p[0];
  value->base = p + 2;
  value->len = rest->len - 2;
  comma = memchr(value->base, ',', value->len);
  if (comma == NULL) {
    rest->len = 0;
  } else {
    value->len = (size_t)(comma - p - 2);
    rest->len -= value->len + 3;
    rest->base = comma + 1;
    if (rest->len == 0) return 0;
  }
  return value->len > 0 && memchr(value->base, '\0', value->len) == NULL;
}

static int take_named(uvsmtp_slice_t* rest, char name, uvsmtp_slice_t* value) {
  char found;
  return take(rest, &found, value) && found == name;
}

/* What nobody has to understand; but what has a meaning has its place, too. */
static int only_extensions(uvsmtp_slice_t* rest) {
  while (rest->len > 0) {
    char name;
    uvsmtp_slice_t value;
    if (!take(rest, &name, &value) || memchr("aceimnprsv", name, 10) != NULL)
      return 0;
  }
  return 1;
}

/* 1*(%x21-2B / %x2D-7E), and more of it than we gave. */
static int is_nonce(uvsmtp_slice_t nonce, uvsmtp_slice_t ours) {
  const char* octets = nonce.base;
  size_t i;
  for (i = 0; i < nonce.len; i++)
    if (octets[i] < 0x21 || octets[i] > 0x7e) return 0;
  return nonce.len > ours.len && memcmp(nonce.base, ours.base, ours.len) == 0;
}

/* A posit-number; 0: it is none. Ends at what is too much anyway. */
static unsigned long number(const uvsmtp_slice_t* text) {
  const char* digits = text->base;
  unsigned long n = 0;
  size_t i;
  if (digits[0] == '0') return 0;
  for (i = 0; i < text->len; i++) {
    char c = digits[i];
    if (c < '0' || c > '9') return 0;
    if (n <= UVSMTP__SCRAM_MAX) n = n * 10 + (unsigned long)(c - '0');
  }
  return n;
}

const char* uvsmtp__scram_read_first(uvsmtp__scram_challenge_t* out,
                                     uvsmtp_slice_t message,
                                     uvsmtp_slice_t ours) {
  uvsmtp_slice_t rest = message;
  uvsmtp_slice_t iterations;
  if (rest.len > UVSMTP__SCRAM_MESSAGE_MAX)
    return "SCRAM: the server's first message is too long";
  if (rest.len > 1 && memcmp(rest.base, "m=", 2) == 0)
    return "SCRAM: the server wants an extension that there is not";
  if (!take_named(&rest, 'r', &out->nonce) ||
      !take_named(&rest, 's', &out->salt) ||
      !take_named(&rest, 'i', &iterations) || !only_extensions(&rest))
    return "SCRAM: the server's first message is malformed";
  if (!is_nonce(out->nonce, ours))
    return "SCRAM: the server's nonce does not continue ours";
  out->iterations = number(&iterations);
  if (out->iterations == 0)
    return "SCRAM: the server's count of iterations is no number";
  if (out->iterations < UVSMTP__SCRAM_MIN)
    return "SCRAM: the server wants less than 4096 iterations, which protects "
           "the password too little";
  if (out->iterations > UVSMTP__SCRAM_MAX)
    return "SCRAM: the server wants more than 100000 iterations";
  return NULL;
}

const char* uvsmtp__scram_read_final(uvsmtp_slice_t* verifier,
                                     uvsmtp_slice_t message) {
  uvsmtp_slice_t rest = message;
  if (rest.len > UVSMTP__SCRAM_MESSAGE_MAX ||
      !take_named(&rest, 'v', verifier) || !only_extensions(&rest))
    return "SCRAM: the server's last message is malformed";
  return NULL;
}
