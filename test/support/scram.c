/* SPDX-License-Identifier: MIT */
/* scram.c: see scram.h. */
#include "scram.h"

#include <mbedtls/base64.h>
#include <mbedtls/md.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Each the same for everybody: nobody is protected here. */
static const char salt[] = "W22ZaJ0SNY7soEsUEjb6gQ==";
static const char ours[] = "peer-3rfcNHYJY1ZVvWVs7j";

typedef unsigned char digest_t[SCRAM_HASH_MAX];

static void must(int ok) {
  if (!ok) abort();
}

static const mbedtls_md_info_t* md_of(const scram_t* s) {
  const mbedtls_md_info_t* md = mbedtls_md_info_from_type(
      strcmp(s->hash, "SHA-1") == 0 ? MBEDTLS_MD_SHA1 : MBEDTLS_MD_SHA256);
  must(md != NULL);
  return md;
}

static void hmac(const scram_t* s, const unsigned char* key, size_t key_len,
                 const void* data, size_t len, unsigned char* out) {
  must(mbedtls_md_hmac(md_of(s), key, key_len, data, len, out) == 0);
}

static int decode(const char* line, char* out, size_t cap) {
  size_t n = 0;
  if (mbedtls_base64_decode((unsigned char*)out, cap - 1, &n,
                            (const unsigned char*)line, strlen(line)) != 0) {
    return -1;
  }
  out[n] = '\0';
  return strlen(out) == n ? 0 : -1;
}

static void encode(const void* data, size_t len, char* out, size_t cap) {
  size_t n = 0;
  must(mbedtls_base64_encode((unsigned char*)out, cap, &n, data, len) == 0);
}

/* Hi() of RFC 5802 2.2. */
unsigned int scram_salted(const scram_t* s, unsigned char* salted) {
  unsigned int size = mbedtls_md_get_size(md_of(s));
  unsigned char block[64];
  digest_t u;
  size_t n = 0;
  unsigned int i;
  unsigned int j;
  must(mbedtls_base64_decode(block, sizeof(block) - 4, &n,
                             (const unsigned char*)salt, strlen(salt)) == 0);
  memcpy(block + n, "\0\0\0\1", 4);
  hmac(s, (const unsigned char*)s->password, strlen(s->password), block, n + 4,
       u);
  memcpy(salted, u, size);
  for (i = 1; i < s->iterations; i++) {
    hmac(s, (const unsigned char*)s->password, strlen(s->password), u, size, u);
    for (j = 0; j < size; j++) salted[j] ^= u[j];
  }
  return size;
}

void scram_client_key(const scram_t* s, unsigned char* key) {
  digest_t salted;
  unsigned int size = scram_salted(s, salted);
  hmac(s, salted, size, "Client Key", 10, key);
}

int scram_first(scram_t* s, const char* line, char answer[SCRAM_LINE]) {
  char text[SCRAM_LINE];
  const char* nonce;
  if (decode(line, text, sizeof(text)) != 0) return -1;
  /* "n,," or "y,," and no name to act for: then "n=NAME,r=NONCE". */
  if ((text[0] != 'n' && text[0] != 'y') || strncmp(text + 1, ",,n=", 4) != 0) {
    return -1;
  }
  s->header = text[0] == 'n' ? "c=biws,r=" : "c=eSws,r=";
  strcpy(s->bare, text + 3);
  nonce = strstr(s->bare, ",r=");
  if (nonce == NULL || strlen(nonce) < 3 + 18) return -1;
  snprintf(s->nonce, sizeof(s->nonce), "%.*s%s", 512, nonce + 3, ours);
  must(snprintf(s->first, sizeof(s->first), "r=%.*s,s=%s,i=%u", 600, s->nonce,
                salt, s->iterations) < 760);
  encode(s->first, strlen(s->first), answer, SCRAM_LINE);
  return 0;
}

int scram_final(scram_t* s, const char* line, char answer[SCRAM_LINE]) {
  char text[SCRAM_LINE];
  char all[3 * SCRAM_LINE];
  char* at;
  digest_t salted;
  digest_t key;
  digest_t stored;
  digest_t mac;
  digest_t proof;
  unsigned int size = scram_salted(s, salted);
  unsigned int i;
  size_t n = 0;
  int differs = 0;
  if (decode(line, text, sizeof(text)) != 0) return -1;
  at = strstr(text, ",p=");
  if (strncmp(text, s->header, 9) != 0 || at == NULL) return -1;
  *at = '\0';
  if (strcmp(text + 9, s->nonce) != 0) return -1;
  at += 3;
  if (mbedtls_base64_decode(proof, sizeof(proof), &n, (unsigned char*)at,
                            strlen(at)) != 0 ||
      n != size) {
    return -1;
  }
  snprintf(all, sizeof(all), "%s,%s,%s", s->bare, s->first, text);
  scram_client_key(s, key);
  must(mbedtls_md(md_of(s), key, size, stored) == 0);
  hmac(s, stored, size, all, strlen(all), mac);
  for (i = 0; i < size; i++) differs |= (mac[i] ^ key[i]) != proof[i];
  hmac(s, salted, size, "Server Key", 10, key);
  hmac(s, key, size, all, strlen(all), mac);
  mac[0] ^= s->lies != 0;
  strcpy(text, "v=");
  encode(mac, size, text + 2, sizeof(text) - 2);
  encode(text, strlen(text), answer, SCRAM_LINE);
  return differs ? -1 : 0;
}
