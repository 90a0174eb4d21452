/* SPDX-License-Identifier: MIT */
/* needle.h: finds a secret wherever it could have been left: in text, or in all
 * of this process's memory that can be written to, its stack included, in the
 * forms in which it is kept, computed with and sent. It is never whole in the
 * searcher's own memory, so that he does not find himself. */
#ifndef UVSMTP_TEST_NEEDLE_H
#define UVSMTP_TEST_NEEDLE_H

#include <stddef.h>

/* Sanitizers have shadows and quarantines, where freed octets live on. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NEEDLE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NEEDLE_SANITIZED 1
#endif
#endif
#ifndef NEEDLE_SANITIZED
#define NEEDLE_SANITIZED 0
#endif

/* The secret: it can be a password and a token. Into the caller's buffer, which
 * he wipes. */
enum { SECRET_LEN = 60 };
void secret_put(char secret[SECRET_LEN + 1]);
void secret_wipe(void* p, size_t n);

/* Octets that are searched for, and veiled here. */
typedef struct needle_s {
  const char* name;
  size_t len;
  unsigned char veiled[512];
} needle_t;

enum needle_form {
  NEEDLE_RAW,
  NEEDLE_BASE64_0, /* from the secret on; LOGIN's is this */
  NEEDLE_BASE64_1, /* behind one octet, and 4, 7 ...: PLAIN's, for one */
  NEEDLE_BASE64_2,
  NEEDLE_HEX,
  NEEDLE_HEX_UPPER,
  NEEDLE_INNER, /* HMAC's keys, as CRAM-MD5 and SCRAM begin with */
  NEEDLE_OUTER,
  NEEDLE_FORMS
};
void needle_form(needle_t* needle, int form);
/* Of octets that the caller wipes. */
void needle_of(needle_t* needle, const char* name, const void* data,
               size_t len);

/* How often pieces of it occur. One that was left and overwritten in part, as
 * malloc does, is found by what remains. */
size_t needle_in_text(const needle_t* needle, const char* text, size_t len);
size_t needle_in_memory(const needle_t* needle);
/* How often its last octets occur: how many copies there are. */
size_t needle_copies(const needle_t* needle);

#endif
