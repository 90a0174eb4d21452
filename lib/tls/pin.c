/* SPDX-License-Identifier: MIT */
/* pin.c: certificates and keys that were agreed upon beforehand. */
#include <errno.h>
#include <mbedtls/base64.h>
#include <mbedtls/md.h>
#include <stdint.h>
#include <string.h>

#include "tls/tls_int.h"

static const char of_key[] = "sha256//";
static const char of_certificate[] = "sha256:";

static int hash_of(const unsigned char* data, size_t len,
                   unsigned char out[UVSMTP__TLS_PIN_SIZE]) {
  const mbedtls_md_info_t* sha256 =
      mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
  return sha256 == NULL ? -1 : mbedtls_md(sha256, data, len, out);
}

static int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

static int from_hex(const char* text, unsigned char out[UVSMTP__TLS_PIN_SIZE]) {
  size_t i;
  for (i = 0; i < UVSMTP__TLS_PIN_SIZE; i++) {
    int high;
    int low;
    if (i > 0 && *text == ':') text++;
    if ((high = digit(text[0])) < 0 || (low = digit(text[1])) < 0) return 0;
    out[i] = (unsigned char)(high * 16 + low);
    text += 2;
  }
  return *text == '\0';
}

static int parse(const char* text, uvsmtp__tls_pin_t* pin) {
  unsigned char octets[UVSMTP__TLS_PIN_SIZE + 2];
  size_t len;
  if (text == NULL) return 0;
  if (strncmp(text, of_key, sizeof(of_key) - 1) == 0) {
    text += sizeof(of_key) - 1;
    if (mbedtls_base64_decode(octets, sizeof(octets), &len,
                              (const unsigned char*)text, strlen(text)) != 0 ||
        len != UVSMTP__TLS_PIN_SIZE)
      return 0;
    memcpy(pin->hash, octets, UVSMTP__TLS_PIN_SIZE);
    pin->key = 1;
    return 1;
  }
  if (strncmp(text, of_certificate, sizeof(of_certificate) - 1) != 0) return 0;
  pin->key = 0;
  return from_hex(text + sizeof(of_certificate) - 1, pin->hash);
}

int uvsmtp__tls_load_pins(uvsmtp_tls_t* tls, const uvsmtp_tls_config_t* c,
                          const char** reason) {
  size_t i;
  if (c->npins == 0) return 0;
  *reason =
      "a pin that is neither \"sha256//\" and Base64 nor \"sha256:\" "
      "and hexadecimal digits";
  if (c->pins == NULL || c->npins > SIZE_MAX / sizeof(*tls->pins))
    return -EINVAL;
  tls->pins = uvsmtp__alloc(&tls->mem, c->npins * sizeof(*tls->pins));
  if (tls->pins == NULL) return -ENOMEM;
  tls->npins = c->npins;
  for (i = 0; i < c->npins; i++)
    if (!parse(c->pins[i], &tls->pins[i])) return -EINVAL;
  return 0;
}

int uvsmtp__tls_pinned(const uvsmtp_tls_t* tls, const mbedtls_x509_crt* crt) {
  unsigned char key[UVSMTP__TLS_PIN_SIZE];
  unsigned char whole[UVSMTP__TLS_PIN_SIZE];
  size_t i;
  if (hash_of(crt->pk_raw.p, crt->pk_raw.len, key) != 0 ||
      hash_of(crt->raw.p, crt->raw.len, whole) != 0)
    return 0;
  for (i = 0; i < tls->npins; i++)
    if (memcmp(tls->pins[i].hash, tls->pins[i].key ? key : whole,
               UVSMTP__TLS_PIN_SIZE) == 0)
      return 1;
  return 0;
}

/* -------------------------------------------------------------- public call */

static void to_hex(const unsigned char* hash, char* out) {
  static const char hex[] = "0123456789abcdef";
  size_t i;
  for (i = 0; i < UVSMTP__TLS_PIN_SIZE; i++) {
    *out++ = hex[hash[i] >> 4];
    *out++ = hex[hash[i] & 15];
  }
  *out = '\0';
}

int uvsmtp_tls_certificate_pin(uvsmtp_slice_t certificate, int key, char* buf,
                               size_t cap) {
  unsigned char hash[UVSMTP__TLS_PIN_SIZE];
  const char* prefix = key ? of_key : of_certificate;
  size_t at = strlen(prefix);
  mbedtls_x509_crt crt;
  size_t len;
  int rc = UVSMTP_ETLS;
  if (buf == NULL || cap < 72) return -ENOBUFS;
  mbedtls_x509_crt_init(&crt);
  if (mbedtls_x509_crt_parse_der(&crt, (const unsigned char*)certificate.base,
                                 certificate.len) == 0 &&
      hash_of(key ? crt.pk_raw.p : crt.raw.p,
              key ? crt.pk_raw.len : crt.raw.len, hash) == 0) {
    memcpy(buf, prefix, at);
    rc = 0;
    if (!key)
      to_hex(hash, buf + at);
    else if (mbedtls_base64_encode((unsigned char*)buf + at, cap - at, &len,
                                   hash, sizeof(hash)) != 0)
      rc = UVSMTP_ETLS;
  }
  mbedtls_x509_crt_free(&crt);
  return rc;
}
