/* SPDX-License-Identifier: MIT */
/* name.c: the name that a server is to have, and whether a certificate is for
 * it. Mbed TLS compares names as well, and both have to agree; alone it would
 * take the subject's common name, and 2.28 knows no addresses (RFC 9525). */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "core/ascii.h"
#include "idn.h"
#include "tls/tls_int.h"

enum {
  TAG_DNS = 0x82,
  TAG_ADDRESS = 0x87,
  LABEL_MAX = 63, /* RFC 1035 2.3.4 */
  DNS_MAX = 253
};

/* ------------------------------------------------------- reference names */

/* Old ways to write an IPv4 address, such as "127.1", lead the resolver to
 * that address: it is what has to be in the certificate. */
static int set_address(uvsmtp__tls_name_t* name, const char* text) {
  struct in_addr v4;
  size_t len = strcspn(text, "%"); /* "fe80::1%eth0": the zone is local */
  /* It would pass over whatever is behind a blank. */
  if (strpbrk(text, " \t\n\v\f\r") != NULL) return 0;
  if (inet_aton(text, &v4) != 0) {
    memcpy(name->address, &v4, 4);
    name->address_len = 4;
    return inet_ntop(AF_INET, &v4, name->text, sizeof(name->text)) != NULL;
  }
  if (len >= INET6_ADDRSTRLEN) return 0;
  memcpy(name->text, text, len);
  name->text[len] = '\0';
  if (inet_pton(AF_INET6, name->text, name->address) != 1) return 0;
  name->address_len = 16;
  return inet_ntop(AF_INET6, name->address, name->text, sizeof(name->text)) !=
         NULL;
}

/* Letters, digits, hyphens, and the underscores that some hosts have. The last
 * label is no number: what looks like an address and is none would otherwise
 * be covered by a wildcard. */
static int is_name(const char* text, size_t len) {
  size_t i;
  size_t label = 0;
  int digits = 1;
  if (len == 0 || len > DNS_MAX) return 0;
  for (i = 0; i < len; i++) {
    char c = text[i];
    if (c == '.') {
      if (label == 0 || text[i - 1] == '-') return 0;
      label = 0;
      digits = 1;
      continue;
    }
    if (!uvsmtp__is_alnum(c) && c != '_' && (c != '-' || label == 0)) return 0;
    if (!uvsmtp__is_digit(c)) digits = 0;
    if (++label > LABEL_MAX) return 0;
  }
  return label > 0 && !digits && text[len - 1] != '-';
}

static int set_ascii(uvsmtp__tls_name_t* name, const char* text) {
  size_t len = strlen(text);
  size_t i;
  if (len > 0 && text[len - 1] == '.') len--; /* "mx.example." is absolute */
  if (!is_name(text, len)) return -EINVAL;
  for (i = 0; i < len; i++) name->text[i] = uvsmtp__lower(text[i]);
  name->text[len] = '\0';
  return 0;
}

static int set_idn(uvsmtp__tls_name_t* name, const char* text) {
  char ascii[DNS_MAX + 2];
  int rc = uvsmtp__to_ascii(text, strlen(text), ascii, sizeof(ascii));
  return rc == 0 ? set_ascii(name, ascii) : rc;
}

int uvsmtp__tls_name_set(uvsmtp__tls_name_t* name, const char* text) {
  const char* p;
  memset(name, 0, sizeof(*name));
  if (strlen(text) > 4u * UVSMTP__TLS_NAME_MAX) return -EINVAL;
  if (set_address(name, text)) return 0;
  name->address_len = 0;
  for (p = text; *p != '\0'; p++)
    if ((unsigned char)*p >= 0x80) return set_idn(name, text);
  return set_ascii(name, text);
}

/* ---------------------------------------------------------- certificates */

int uvsmtp__tls_name_is(const char* name, const unsigned char* pattern,
                        size_t len) {
  const char* p = (const char*)pattern;
  size_t name_len = strlen(name);
  size_t label;
  if (len == 0 || memchr(p, '\0', len) != NULL) return 0;
  if (uvsmtp__same(p, len, name, name_len)) return 1;
  /* A whole label, the leftmost, and not all of a zone of the root's. */
  if (len < 3 || p[0] != '*' || p[1] != '.') return 0;
  if (memchr(p + 2, '.', len - 2) == NULL) return 0;
  label = strcspn(name, ".");
  return label > 0 &&
         uvsmtp__same(p + 1, len - 1, name + label, name_len - label);
}

int uvsmtp__tls_name_in(const uvsmtp__tls_name_t* name,
                        const mbedtls_x509_crt* crt) {
  const mbedtls_x509_sequence* s;
  for (s = &crt->subject_alt_names; s != NULL && s->buf.p != NULL;
       s = s->next) {
    if (name->address_len == 0) {
      if (s->buf.tag == TAG_DNS &&
          uvsmtp__tls_name_is(name->text, s->buf.p, s->buf.len))
        return 1;
    } else if (s->buf.tag == TAG_ADDRESS && s->buf.len == name->address_len &&
               memcmp(s->buf.p, name->address, s->buf.len) == 0) {
      return 1;
    }
  }
  return 0;
}
