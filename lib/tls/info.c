/* SPDX-License-Identifier: MIT */
/* info.c: the facts of a connection's TLS, which outlive it. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tls/tls_int.h"

/* ---------------------------------------------------------------- octets */

uvsmtp__blob_t* uvsmtp__blob_new(const uvsmtp__mem_t* mem, const void* data,
                                 size_t len) {
  uvsmtp__blob_t* blob;
  if (len > SIZE_MAX - sizeof(*blob) - 1) return NULL;
  blob = uvsmtp__alloc(mem, sizeof(*blob) + len + 1);
  if (blob == NULL) return NULL;
  blob->mem = *mem;
  blob->refs = 1;
  blob->len = len;
  if (len > 0) memcpy(blob->octets, data, len);
  blob->octets[len] = '\0';
  return blob;
}

uvsmtp__blob_t* uvsmtp__blob_ref(uvsmtp__blob_t* blob) {
  if (blob != NULL) blob->refs++;
  return blob;
}

void uvsmtp__blob_unref(uvsmtp__blob_t* blob) {
  uvsmtp__mem_t mem;
  if (blob == NULL || --blob->refs > 0) return;
  mem = blob->mem;
  uvsmtp__free(&mem, blob, sizeof(*blob) + blob->len + 1);
}

/* ------------------------------------------------------------------ facts */

uvsmtp_tls_info_t* uvsmtp__tls_info_new(const uvsmtp__mem_t* mem,
                                        const char* name) {
  size_t len = name == NULL ? 0 : strlen(name);
  size_t size = sizeof(uvsmtp_tls_info_t) + len + 1;
  uvsmtp_tls_info_t* info = uvsmtp__alloc(mem, size);
  if (info == NULL) return NULL;
  memset(info, 0, sizeof(*info));
  info->mem = *mem;
  info->refs = 1;
  info->size = size;
  info->error = "";
  if (len > 0) memcpy(info->name, name, len);
  info->name[len] = '\0';
  if (name != NULL) info->named = info->name;
  return info;
}

void uvsmtp__tls_info_ref(uvsmtp_tls_info_t* info) { info->refs++; }

void uvsmtp__tls_info_unref(uvsmtp_tls_info_t* info) {
  uvsmtp__mem_t mem;
  if (info == NULL || --info->refs > 0) return;
  uvsmtp__blob_unref(info->error_text);
  uvsmtp__blob_unref(info->problem_text);
  uvsmtp__blob_unref(info->certificate);
  mem = info->mem;
  uvsmtp__free(&mem, info, info->size);
}

void uvsmtp__tls_info_error(uvsmtp_tls_info_t* info, const uvsmtp__mem_t* mem,
                            const char* text, int code) {
  char buf[UVSMTP__TLS_WORDS_MAX + 64];
  int len;
  if (info->error[0] != '\0') return;
  if (code == 0)
    len = snprintf(buf, sizeof(buf), "%s", text);
  else
    len = snprintf(buf, sizeof(buf), "%s (-0x%04X)", text, (unsigned int)-code);
  if (len < 0) len = 0;
  if ((size_t)len >= sizeof(buf)) len = (int)sizeof(buf) - 1;
  info->error_text = uvsmtp__blob_new(mem, buf, (size_t)len);
  info->error = info->error_text == NULL ? "no memory to say what failed"
                                         : info->error_text->octets;
}

/* ------------------------------------------------------------ public calls */

int uvsmtp_tls_info_established(const uvsmtp_tls_info_t* info) {
  return info != NULL && info->established;
}

int uvsmtp_tls_info_version(const uvsmtp_tls_info_t* info) {
  return info == NULL ? 0 : info->version;
}

const char* uvsmtp_tls_info_version_name(const uvsmtp_tls_info_t* info) {
  switch (uvsmtp_tls_info_version(info)) {
    case UVSMTP_TLS_1_2:
      return "TLSv1.2";
    case UVSMTP_TLS_1_3:
      return "TLSv1.3";
    default:
      return "";
  }
}

const char* uvsmtp_tls_info_cipher(const uvsmtp_tls_info_t* info) {
  return info == NULL ? "" : info->cipher;
}

int uvsmtp_tls_info_resumed(const uvsmtp_tls_info_t* info) {
  return info != NULL && info->resumed;
}

const char* uvsmtp_tls_info_name(const uvsmtp_tls_info_t* info) {
  return info == NULL ? NULL : info->named;
}

int uvsmtp_tls_info_verified(const uvsmtp_tls_info_t* info) {
  return info != NULL && info->verified;
}

unsigned int uvsmtp_tls_info_problems(const uvsmtp_tls_info_t* info) {
  return info == NULL ? 0 : info->problems;
}

const char* uvsmtp_tls_info_problem_text(const uvsmtp_tls_info_t* info) {
  if (info == NULL || info->problem_text == NULL) return "";
  return info->problem_text->octets;
}

const char* uvsmtp_tls_info_error_text(const uvsmtp_tls_info_t* info) {
  return info == NULL ? "" : info->error;
}

uvsmtp_slice_t uvsmtp_tls_info_certificate(const uvsmtp_tls_info_t* info) {
  uvsmtp_slice_t none = {NULL, 0};
  if (info == NULL) return none;
  if (info->certificate == NULL) return info->borrowed;
  none.base = info->certificate->octets;
  none.len = info->certificate->len;
  return none;
}
