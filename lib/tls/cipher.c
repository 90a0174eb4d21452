/* SPDX-License-Identifier: MIT */
/* cipher.c: cipher suites: which, in which order, and their names. Mbed TLS
 * writes the registered names with hyphens, and TLS 1.3's with a prefix. */
#include <errno.h>
#include <string.h>

#include "core/ascii.h"
#include "tls/tls_int.h"

/* Forward secrecy only. AEAD first, and of these the fastest here: see
 * docs/architecture.md for the figures. No DHE: the server would choose how
 * large its numbers are, that is, for how long the loop stands still (RFC 9325
 * 4.1 is against it, too). */
static const unsigned short preferred[] = {
    0x1303, /* TLS_CHACHA20_POLY1305_SHA256 */
    0x1301, /* TLS_AES_128_GCM_SHA256 */
    0x1302, /* TLS_AES_256_GCM_SHA384 */
    0xCCA9, /* TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 */
    0xCCA8, /* TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 */
    0xC02B, /* TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 */
    0xC02F, /* TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 */
    0xC02C, /* TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 */
    0xC030, /* TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 */
    0xC023, /* TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256 */
    0xC027, /* TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256 */
    0xC009, /* TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA */
    0xC013, /* TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA */
    0xC024, /* TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384 */
    0xC028, /* TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384 */
    0xC00A, /* TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA */
    0xC014, /* TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA */
};

/* Parts of Mbed TLS's names. */
static const char broken[][8] = {"NULL", "PSK",    "RC4",    "DES",
                                 "anon", "EXPORT", "ECJPAKE"};
static const char prefix13[] = "TLS1-3-";

void uvsmtp__tls_cipher_name(const char* mbed, char* out, size_t cap) {
  size_t at = 0;
  if (strncmp(mbed, prefix13, sizeof(prefix13) - 1) == 0) {
    memcpy(out, "TLS_", 4);
    at = 4;
    mbed += sizeof(prefix13) - 1;
  }
  for (; *mbed != '\0' && at + 1 < cap; mbed++)
    out[at++] = *mbed == '-' ? '_' : *mbed;
  out[at] = '\0';
}

static int is_known(int id) {
  return strcmp(mbedtls_ssl_get_ciphersuite_name(id), "unknown") != 0;
}

/* The number of a name in either spelling, 0 when there is none. */
static int id_of(const char* name, size_t len) {
  char mbed[UVSMTP__TLS_CIPHER_MAX + sizeof(prefix13)];
  size_t i;
  int id;
  if (len < 5 || len >= UVSMTP__TLS_CIPHER_MAX) return 0;
  for (i = 0; i < len; i++) {
    char c = name[i];
    if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
    mbed[i] = c == '_' ? '-' : c;
  }
  mbed[len] = '\0';
  id = mbedtls_ssl_get_ciphersuite_id(mbed);
  if (id != 0 || strncmp(mbed, "TLS-", 4) != 0) return id;
  memmove(mbed + sizeof(prefix13) - 1, mbed + 4, len - 3);
  memcpy(mbed, prefix13, sizeof(prefix13) - 1);
  return mbedtls_ssl_get_ciphersuite_id(mbed);
}

static int is_sound(int id) {
  const char* name = mbedtls_ssl_get_ciphersuite_name(id);
  size_t i;
  for (i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
    if (strstr(name, broken[i]) != NULL) return 0;
  return strncmp(name, prefix13, sizeof(prefix13) - 1) == 0 ||
         strncmp(name, "TLS-ECDHE-", 10) == 0 ||
         strncmp(name, "TLS-DHE-", 8) == 0;
}

static int parse(uvsmtp_tls_t* tls, const char* names, const char** reason) {
  static const char between[] = ":, \t";
  size_t n = 0;
  for (;;) {
    size_t len;
    int id;
    names += strspn(names, between);
    if (*names == '\0') break;
    len = strcspn(names, between);
    id = id_of(names, len);
    names += len;
    if (id == 0) {
      *reason = "a cipher suite that this build does not know";
      return -EINVAL;
    }
    if (!is_sound(id)) {
      *reason = "a cipher suite that is broken or without forward secrecy";
      return -EINVAL;
    }
    if (n == UVSMTP__TLS_CIPHERS_MAX) {
      *reason = "too many cipher suites";
      return -EINVAL;
    }
    tls->ciphers[n++] = id;
  }
  tls->ciphers[n] = 0;
  if (n > 0) return 0;
  *reason = "an empty list of cipher suites";
  return -EINVAL;
}

int uvsmtp__tls_load_ciphers(uvsmtp_tls_t* tls, const char* names,
                             const char** reason) {
  size_t n = 0;
  size_t i;
  if (names != NULL) return parse(tls, names, reason);
  for (i = 0; i < sizeof(preferred) / sizeof(preferred[0]); i++)
    if (is_known(preferred[i])) tls->ciphers[n++] = preferred[i];
  tls->ciphers[n] = 0;
  return 0;
}
