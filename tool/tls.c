/* SPDX-License-Identifier: MIT */
/* tls.c: what is known of a connection's TLS, for scripts and for people. */
#include <stdlib.h>
#include <string.h>

#include "tool.h"

enum { TEXT_MAX = 16384, PIN_MAX = 100 };

static const struct {
  unsigned int problem;
  const char* word;
} words[] = {
    {UVSMTP_TLS_EXPIRED, "expired"},
    {UVSMTP_TLS_FUTURE, "future"},
    {UVSMTP_TLS_WRONG_NAME, "wrong-name"},
    {UVSMTP_TLS_SELF_SIGNED, "self-signed"},
    {UVSMTP_TLS_UNKNOWN_CA, "unknown-ca"},
    {UVSMTP_TLS_NOT_A_CA, "not-a-ca"},
    {UVSMTP_TLS_WRONG_USE, "wrong-use"},
    {UVSMTP_TLS_WEAK, "weak"},
    {UVSMTP_TLS_REVOKED, "revoked"},
    {UVSMTP_TLS_WRONG_PIN, "wrong-pin"},
    {UVSMTP_TLS_NO_TRUST, "no-trust"},
    {UVSMTP_TLS_REFUSED, "refused"},
    {UVSMTP_TLS_OTHER, "other"},
};

static json_t* string_json(const char* text) {
  return text == NULL || *text == '\0' ? json_null()
                                       : text_json(text, strlen(text));
}

static json_t* problems_json(unsigned int problems) {
  json_t* list = json_array();
  size_t i;
  for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
    if (problems & words[i].problem)
      json_array_append_new(list, json_string(words[i].word));
  return list;
}

/* RFC 7468, so that it can be written to a file that other programs read. */
static json_t* pem_json(uvsmtp_slice_t der) {
  static const char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static const char head[] = "-----BEGIN CERTIFICATE-----";
  static const char tail[] = "\n-----END CERTIFICATE-----\n";
  const unsigned char* from = der.base;
  char* pem = malloc(sizeof(head) + sizeof(tail) + der.len * 2 + 8);
  char* to = pem;
  size_t i;
  json_t* out;
  if (pem == NULL) return NULL;
  memcpy(to, head, sizeof(head) - 1);
  to += sizeof(head) - 1;
  for (i = 0; i < der.len; i += 3) {
    size_t n = der.len - i;
    unsigned int group = (unsigned int)from[i] << 16;
    if (n > 1) group |= (unsigned int)from[i + 1] << 8;
    if (n > 2) group |= from[i + 2];
    if (i % 48 == 0) *to++ = '\n';
    *to++ = digits[group >> 18];
    *to++ = digits[group >> 12 & 63];
    *to++ = n > 1 ? digits[group >> 6 & 63] : '=';
    *to++ = n > 2 ? digits[group & 63] : '=';
  }
  memcpy(to, tail, sizeof(tail) - 1);
  to += sizeof(tail) - 1;
  out = json_stringn(pem, (size_t)(to - pem));
  free(pem);
  return out;
}

static json_t* certificate_json(const uvsmtp_tls_info_t* info) {
  uvsmtp_slice_t der = uvsmtp_tls_info_certificate(info);
  char pins[2][PIN_MAX] = {"", ""};
  char text[TEXT_MAX];
  int i;
  if (der.len == 0) return json_null();
  for (i = 0; i < 2; i++)
    if (uvsmtp_tls_certificate_pin(der, i, pins[i], sizeof(pins[i])) != 0)
      pins[i][0] = '\0';
  if (uvsmtp_tls_certificate_text(der, text, sizeof(text)) < 0) text[0] = '\0';
  return json_pack("{s:o, s:o, s:o, s:o}", "pin", string_json(pins[1]),
                   "fingerprint", string_json(pins[0]), "text",
                   string_json(text), "pem", pem_json(der));
}

json_t* tls_json(const uvsmtp_tls_info_t* info) {
  if (info == NULL) return json_null();
  return json_pack("{s:b, s:o, s:o, s:b, s:b, s:o, s:o, s:o, s:o}",
                   "established", uvsmtp_tls_info_established(info), "version",
                   string_json(uvsmtp_tls_info_version_name(info)), "cipher",
                   string_json(uvsmtp_tls_info_cipher(info)), "resumed",
                   uvsmtp_tls_info_resumed(info), "verified",
                   uvsmtp_tls_info_verified(info), "name",
                   string_json(uvsmtp_tls_info_name(info)), "problems",
                   problems_json(uvsmtp_tls_info_problems(info)), "error",
                   string_json(uvsmtp_tls_info_error_text(info)), "certificate",
                   certificate_json(info));
}

/* -------------------------------------------------------------- people */

void tls_text(const uvsmtp_tls_info_t* info, char* to, size_t cap) {
  const char* name = uvsmtp_tls_info_name(info);
  const char* problems = uvsmtp_tls_info_problem_text(info);
  char trust[512];
  if (!uvsmtp_tls_info_established(info)) {
    snprintf(to, cap, "failed: %s", uvsmtp_tls_info_error_text(info));
    return;
  }
  if (uvsmtp_tls_info_verified(info))
    snprintf(trust, sizeof(trust), "verified%s%s", name == NULL ? "" : " as ",
             name == NULL ? "" : name);
  else
    snprintf(trust, sizeof(trust), "not verified%s%s",
             *problems == '\0' ? "" : ": ", problems);
  snprintf(to, cap, "%s, %s, %s%s", uvsmtp_tls_info_version_name(info),
           uvsmtp_tls_info_cipher(info),
           uvsmtp_tls_info_resumed(info) ? "resumed, " : "", trust);
}

static void print_lines(const char* text) {
  while (*text != '\0') {
    size_t n = strcspn(text, "\n");
    fputs("  ", stdout);
    text_print(stdout, text, n);
    putchar('\n');
    text += n + (text[n] == '\n');
  }
}

void tls_print_certificate(const uvsmtp_tls_info_t* info) {
  static const char* const what[2] = {"this certificate", "its key"};
  uvsmtp_slice_t der = {NULL, 0};
  char text[TEXT_MAX];
  int i;
  if (info != NULL) der = uvsmtp_tls_info_certificate(info);
  if (der.len == 0) return;
  fputs("\nCertificate\n", stdout);
  if (uvsmtp_tls_certificate_text(der, text, sizeof(text)) >= 0)
    print_lines(text);
  for (i = 1; i >= 0; i--)
    if (uvsmtp_tls_certificate_pin(der, i, text, sizeof(text)) == 0)
      printf("  %s is --pin %s\n", what[i], text);
}
