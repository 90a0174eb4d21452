/* SPDX-License-Identifier: MIT */
/* idn.c: domains that are not ASCII (RFC 5891), by libidn2. */
#include "idn.h"

#include <errno.h>
#include <string.h>
#if defined(UVSMTP__IDN)
#include <idn2.h>
#endif

/* A name of the DNS has 253 octets; in UTF-8 it takes four times that at most.
 */
#define DOMAIN_MAX 1012u

#if defined(UVSMTP__IDN)
int uvsmtp__to_ascii(const char* domain, size_t len, char* out, size_t cap) {
  uint8_t text[DOMAIN_MAX + 1];
  uint8_t* ascii = NULL;
  size_t n;
  int rc;
  if (len > DOMAIN_MAX) return -EINVAL;
  memcpy(text, domain, len);
  text[len] = '\0';
  rc = idn2_lookup_u8(text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
  if (rc == IDN2_MALLOC) return -ENOMEM;
  if (rc != IDN2_OK) return -EINVAL;
  n = strlen((const char*)ascii);
  if (n < cap) memcpy(out, ascii, n + 1);
  idn2_free(ascii);
  return n < cap ? 0 : -EINVAL;
}
#else
int uvsmtp__to_ascii(const char* domain, size_t len, char* out, size_t cap) {
  (void)domain;
  (void)len;
  (void)out;
  (void)cap;
  return -ENOTSUP;
}
#endif
