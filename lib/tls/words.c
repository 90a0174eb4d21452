/* SPDX-License-Identifier: MIT */
/* words.c: certificates in words for people. What is in one was written by
 * whoever made it, and ends up on terminals and in logs: every octet that is
 * not plain ASCII is escaped. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "tls/tls_int.h"

enum {
  TAG_DNS = 0x82, /* GeneralName [2] and [7], primitive (RFC 5280 4.2.1.6) */
  TAG_ADDRESS = 0x87
};

void uvsmtp__words_init(uvsmtp__words_t* w, char* buf, size_t cap) {
  w->buf = buf;
  w->cap = cap;
  w->len = 0;
  w->full = 0;
  if (cap > 0) buf[0] = '\0';
}

/* All of it or nothing, with room for "..." and NUL kept. */
static void put(uvsmtp__words_t* w, const char* text, size_t len) {
  if (w->full) return;
  if (w->cap < 4 || len > w->cap - 4 - w->len) {
    w->full = 1;
    if (w->cap < 4) return;
    text = "...";
    len = 3;
  }
  memcpy(w->buf + w->len, text, len);
  w->len += len;
  w->buf[w->len] = '\0';
}

void uvsmtp__words_add(uvsmtp__words_t* w, const char* text) {
  put(w, text, strlen(text));
}

void uvsmtp__words_octets(uvsmtp__words_t* w, const unsigned char* data,
                          size_t len) {
  static const char hex[] = "0123456789ABCDEF";
  size_t i;
  for (i = 0; i < len && !w->full; i++) {
    char text[4];
    if (data[i] >= 0x20 && data[i] < 0x7f && data[i] != '\\') {
      text[0] = (char)data[i];
      put(w, text, 1);
      continue;
    }
    text[0] = '\\';
    text[1] = 'x';
    text[2] = hex[data[i] >> 4];
    text[3] = hex[data[i] & 15];
    put(w, text, 4);
  }
}

void uvsmtp__words_number(uvsmtp__words_t* w, int value, int digits) {
  char text[12];
  size_t at = sizeof(text);
  unsigned int v = value < 0 ? 0 : (unsigned int)value;
  while (at > 0 && (v > 0 || digits > 0)) {
    text[--at] = (char)('0' + v % 10);
    v /= 10;
    digits--;
  }
  put(w, text + at, sizeof(text) - at);
}

void uvsmtp__words_date(uvsmtp__words_t* w, const mbedtls_x509_time* when) {
  uvsmtp__words_number(w, when->year, 4);
  uvsmtp__words_add(w, "-");
  uvsmtp__words_number(w, when->mon, 2);
  uvsmtp__words_add(w, "-");
  uvsmtp__words_number(w, when->day, 2);
}

void uvsmtp__words_name(uvsmtp__words_t* w, const mbedtls_x509_name* name) {
  static const unsigned char common_name[] = {0x55, 0x04, 0x03}; /* 2.5.4.3 */
  char text[512];
  const mbedtls_x509_name* n;
  for (n = name; n != NULL; n = n->next) {
    if (n->oid.len != sizeof(common_name) ||
        memcmp(n->oid.p, common_name, sizeof(common_name)) != 0)
      continue;
    uvsmtp__words_octets(w, n->val.p, n->val.len);
    return;
  }
  if (name->oid.p == NULL || mbedtls_x509_dn_gets(text, sizeof(text), name) < 0)
    return;
  uvsmtp__words_octets(w, (const unsigned char*)text, strlen(text));
}

static void address(uvsmtp__words_t* w, const unsigned char* data, size_t len) {
  static const char hex[] = "0123456789abcdef";
  size_t i;
  for (i = 0; i < len; i++) {
    if (len == 4) {
      uvsmtp__words_number(w, data[i], 1);
      if (i < 3) uvsmtp__words_add(w, ".");
    } else {
      char text[2];
      text[0] = hex[data[i] >> 4];
      text[1] = hex[data[i] & 15];
      put(w, text, 2);
      if (i % 2 == 1 && i < 15) uvsmtp__words_add(w, ":");
    }
  }
}

size_t uvsmtp__words_sans(uvsmtp__words_t* w, const mbedtls_x509_crt* crt,
                          size_t max) {
  const mbedtls_x509_sequence* s;
  size_t n = 0;
  for (s = &crt->subject_alt_names; s != NULL && s->buf.p != NULL;
       s = s->next) {
    int dns = s->buf.tag == TAG_DNS;
    if (!dns &&
        (s->buf.tag != TAG_ADDRESS || (s->buf.len != 4 && s->buf.len != 16)))
      continue;
    if (n++ >= max) continue;
    if (n > 1) uvsmtp__words_add(w, ", ");
    if (dns)
      uvsmtp__words_octets(w, s->buf.p, s->buf.len);
    else
      address(w, s->buf.p, s->buf.len);
  }
  if (n > max) uvsmtp__words_add(w, " ...");
  return n;
}

/* ------------------------------------------------------------ certificates */

static void line(uvsmtp__words_t* w, const char* what,
                 const mbedtls_x509_name* name) {
  char text[1024];
  uvsmtp__words_add(w, what);
  if (name->oid.p != NULL &&
      mbedtls_x509_dn_gets(text, sizeof(text), name) >= 0)
    uvsmtp__words_octets(w, (const unsigned char*)text, strlen(text));
  uvsmtp__words_add(w, "\n");
}

static void moment(uvsmtp__words_t* w, const char* what,
                   const mbedtls_x509_time* when) {
  uvsmtp__words_add(w, what);
  uvsmtp__words_date(w, when);
  uvsmtp__words_add(w, " ");
  uvsmtp__words_number(w, when->hour, 2);
  uvsmtp__words_add(w, ":");
  uvsmtp__words_number(w, when->min, 2);
  uvsmtp__words_add(w, ":");
  uvsmtp__words_number(w, when->sec, 2);
  uvsmtp__words_add(w, " UTC\n");
}

/* By the algorithm's number in the SubjectPublicKeyInfo (RFC 3279 2.3): not all
 * versions have a function that says it. */
static const char* kind_of_key(const mbedtls_x509_crt* crt) {
  static const char rsa[] = "\x2A\x86\x48\x86\xF7\x0D\x01\x01\x01";
  static const char ec[] = "\x2A\x86\x48\xCE\x3D\x02\x01";
  size_t len = crt->pk_raw.len < 24 ? crt->pk_raw.len : 24;
  if (memmem(crt->pk_raw.p, len, rsa, sizeof(rsa) - 1) != NULL) return "RSA ";
  if (memmem(crt->pk_raw.p, len, ec, sizeof(ec) - 1) != NULL) return "EC ";
  return "";
}

int uvsmtp_tls_certificate_text(uvsmtp_slice_t certificate, char* buf,
                                size_t cap) {
  mbedtls_x509_crt crt;
  uvsmtp__words_t w;
  char serial[128];
  int rc = UVSMTP_ETLS;
  if (buf == NULL) return -ENOBUFS;
  mbedtls_x509_crt_init(&crt);
  if (mbedtls_x509_crt_parse_der(&crt, (const unsigned char*)certificate.base,
                                 certificate.len) == 0) {
    uvsmtp__words_init(&w, buf, cap);
    line(&w, "subject: ", &crt.subject);
    line(&w, "issuer: ", &crt.issuer);
    if (mbedtls_x509_serial_gets(serial, sizeof(serial), &crt.serial) > 0) {
      uvsmtp__words_add(&w, "serial: ");
      uvsmtp__words_add(&w, serial);
      uvsmtp__words_add(&w, "\n");
    }
    moment(&w, "not before: ", &crt.valid_from);
    moment(&w, "not after: ", &crt.valid_to);
    uvsmtp__words_add(&w, "key: ");
    uvsmtp__words_add(&w, kind_of_key(&crt));
    uvsmtp__words_number(&w, (int)mbedtls_pk_get_bitlen(&crt.pk), 1);
    uvsmtp__words_add(&w, " bits\nnames: ");
    (void)uvsmtp__words_sans(&w, &crt, SIZE_MAX);
    uvsmtp__words_add(&w, "\n");
    rc = w.full ? -ENOBUFS : (int)w.len;
  }
  mbedtls_x509_crt_free(&crt);
  return rc;
}
