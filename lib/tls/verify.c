/* SPDX-License-Identifier: MIT */
/* verify.c: the verdict on a chain of certificates. Mbed TLS asks from the
 * root down to the server's own; what it found about each is collected, and
 * judged with the last, together with name, pins and the caller's hook. */
#include <string.h>

#include "tls/tls_int.h"

/* The flags that say what is wrong with the chain, for the alert, when only we
 * found it. */
static const struct {
  uint32_t flag;
  unsigned int problem;
} meanings[] = {
    {MBEDTLS_X509_BADCERT_EXPIRED, UVSMTP_TLS_EXPIRED},
    {MBEDTLS_X509_BADCERT_FUTURE, UVSMTP_TLS_FUTURE},
    {MBEDTLS_X509_BADCERT_REVOKED, UVSMTP_TLS_REVOKED},
    {MBEDTLS_X509_BADCERT_CN_MISMATCH, UVSMTP_TLS_WRONG_NAME},
    {MBEDTLS_X509_BADCERT_NOT_TRUSTED, UVSMTP_TLS_UNKNOWN_CA},
    {MBEDTLS_X509_BADCERT_KEY_USAGE, UVSMTP_TLS_WRONG_USE},
    {MBEDTLS_X509_BADCERT_EXT_KEY_USAGE, UVSMTP_TLS_WRONG_USE},
    {MBEDTLS_X509_BADCERT_NS_CERT_TYPE, UVSMTP_TLS_WRONG_USE},
    {MBEDTLS_X509_BADCERT_BAD_MD, UVSMTP_TLS_WEAK},
    {MBEDTLS_X509_BADCERT_BAD_PK, UVSMTP_TLS_WEAK},
    {MBEDTLS_X509_BADCERT_BAD_KEY, UVSMTP_TLS_WEAK},
};

/* 1.3.6.1.5.5.7.3.1, id-kp-serverAuth. */
static const char server_auth[] = "\x2B\x06\x01\x05\x05\x07\x03\x01";

unsigned int uvsmtp__tls_problems_of(uint32_t flags) {
  unsigned int problems = 0;
  size_t i;
  for (i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
    if ((flags & meanings[i].flag) == 0) continue;
    problems |= meanings[i].problem;
    flags &= ~meanings[i].flag;
  }
  return flags == 0 ? problems : problems | UVSMTP_TLS_OTHER;
}

/* ------------------------------------------------------------------ issuer */

/* A certificate whose version or signature Mbed TLS does not know has nothing
 * in it, when it is the first one. */
static int same_name(const mbedtls_x509_buf* a, const mbedtls_x509_buf* b) {
  return a->len == b->len && a->len > 0 && memcmp(a->p, b->p, a->len) == 0;
}

static int may_issue(const mbedtls_x509_crt* crt) {
  return uvsmtp__mbed_is_ca(crt) &&
         mbedtls_x509_crt_check_key_usage(crt, MBEDTLS_X509_KU_KEY_CERT_SIGN) ==
             0;
}

/* 1 when the list has an issuer for it, but only such as may not issue. */
static int only_idle_issuers(const mbedtls_x509_crt* crt,
                             const mbedtls_x509_crt* list) {
  int found = 0;
  for (; list != NULL && list->version != 0; list = list->next) {
    if (list == crt || !same_name(&crt->issuer_raw, &list->subject_raw))
      continue;
    if (may_issue(list)) return 0;
    found = 1;
  }
  return found;
}

/* Mbed TLS says no more than that nobody who is trusted signed it. */
static unsigned int untrusted(const uvsmtp__tls_conn_t* conn,
                              const mbedtls_x509_crt* leaf) {
  const mbedtls_x509_crt* top = conn->judge.top;
  if (!conn->tls->trusts) return UVSMTP_TLS_NO_TRUST;
  if (top == leaf && same_name(&leaf->issuer_raw, &leaf->subject_raw))
    return UVSMTP_TLS_SELF_SIGNED;
  if (only_idle_issuers(top, leaf) || only_idle_issuers(top, &conn->tls->ca))
    return UVSMTP_TLS_NOT_A_CA;
  return UVSMTP_TLS_UNKNOWN_CA;
}

/* ------------------------------------------------------------------- words */

static void next(uvsmtp__words_t* w) {
  if (w->len > 0) uvsmtp__words_add(w, "; ");
}

/* "expired 2024-03-01", or whose it is that has. */
static void dated(uvsmtp__words_t* w, const char* what,
                  const mbedtls_x509_crt* crt, const mbedtls_x509_crt* leaf,
                  int end) {
  next(w);
  if (crt != NULL && crt != leaf) {
    uvsmtp__words_add(w, "issuer ");
    uvsmtp__words_name(w, &crt->subject);
    uvsmtp__words_add(w, " ");
  }
  uvsmtp__words_add(w, what);
  if (crt == NULL) return;
  uvsmtp__words_add(w, " ");
  uvsmtp__words_date(w, end ? &crt->valid_to : &crt->valid_from);
}

static void named(uvsmtp__words_t* w, const char* name,
                  const mbedtls_x509_crt* leaf) {
  char buf[160];
  uvsmtp__words_t sans;
  next(w);
  uvsmtp__words_add(w, "not issued for ");
  uvsmtp__words_add(w, name);
  uvsmtp__words_init(&sans, buf, sizeof(buf));
  if (uvsmtp__words_sans(&sans, leaf, 3) == 0) return;
  uvsmtp__words_add(w, " (but for ");
  uvsmtp__words_add(w, buf);
  uvsmtp__words_add(w, ")");
}

static void issued(uvsmtp__words_t* w, const char* before,
                   const mbedtls_x509_crt* top, const char* behind) {
  next(w);
  uvsmtp__words_add(w, before);
  if (top != NULL) {
    uvsmtp__words_add(w, " ");
    uvsmtp__words_name(w, &top->issuer);
  }
  uvsmtp__words_add(w, behind);
}

static void plain(uvsmtp__words_t* w, const char* text) {
  next(w);
  uvsmtp__words_add(w, text);
}

void uvsmtp__tls_explain(uvsmtp__tls_conn_t* conn,
                         const mbedtls_x509_crt* leaf) {
  const uvsmtp__tls_judge_t* j = &conn->judge;
  uvsmtp_tls_info_t* info = conn->info;
  unsigned int p = info->problems;
  char buf[UVSMTP__TLS_WORDS_MAX];
  uvsmtp__words_t w;
  uvsmtp__words_init(&w, buf, sizeof(buf));
  if ((p & UVSMTP_TLS_NO_TRUST) != 0)
    plain(&w, "no trusted certificate is configured");
  if ((p & UVSMTP_TLS_EXPIRED) != 0) dated(&w, "expired", j->expired, leaf, 1);
  if ((p & UVSMTP_TLS_FUTURE) != 0)
    dated(&w, "not valid before", j->future, leaf, 0);
  if ((p & UVSMTP_TLS_WRONG_NAME) != 0)
    named(&w, info->named == NULL ? "this server" : info->named, leaf);
  if ((p & UVSMTP_TLS_SELF_SIGNED) != 0) plain(&w, "self-signed");
  if ((p & UVSMTP_TLS_UNKNOWN_CA) != 0)
    issued(&w, "issuer not trusted:", j->top, "");
  if ((p & UVSMTP_TLS_NOT_A_CA) != 0)
    issued(&w, "issuer", j->top, " may not issue certificates");
  if ((p & UVSMTP_TLS_WRONG_USE) != 0) plain(&w, "not meant for a server");
  if ((p & UVSMTP_TLS_WEAK) != 0)
    plain(&w, "signed with a weak hash, or a weak key");
  if ((p & UVSMTP_TLS_REVOKED) != 0) plain(&w, "revoked");
  if ((p & UVSMTP_TLS_WRONG_PIN) != 0) plain(&w, "none of the pins is its");
  if ((p & UVSMTP_TLS_REFUSED) != 0) plain(&w, "refused by the application");
  if ((p & UVSMTP_TLS_OTHER) != 0) plain(&w, "not accepted by Mbed TLS");
  uvsmtp__blob_unref(info->problem_text);
  info->problem_text =
      p == 0 ? NULL : uvsmtp__blob_new(&conn->tls->mem, w.buf, w.len);
}

/* ----------------------------------------------------------------- verdict */

static unsigned int check_name(const uvsmtp__tls_conn_t* conn,
                               const mbedtls_x509_crt* leaf) {
  uvsmtp__tls_name_t name;
  if (conn->info->named == NULL) return 0;
  memset(&name, 0, sizeof(name));
  memcpy(name.text, conn->info->named, strlen(conn->info->named));
  memcpy(name.address, conn->address, sizeof(name.address));
  name.address_len = conn->address_len;
  return uvsmtp__tls_name_in(&name, leaf) ? 0 : UVSMTP_TLS_WRONG_NAME;
}

/* Mbed TLS looks at it only after this, and the hook wants to know. */
static unsigned int check_use(const mbedtls_x509_crt* leaf) {
  if (mbedtls_x509_crt_check_extended_key_usage(leaf, server_auth,
                                                sizeof(server_auth) - 1) == 0 &&
      mbedtls_x509_crt_check_key_usage(leaf,
                                       MBEDTLS_X509_KU_DIGITAL_SIGNATURE) == 0)
    return 0;
  return UVSMTP_TLS_WRONG_USE;
}

static void ask_hook(uvsmtp__tls_conn_t* conn, const mbedtls_x509_crt* leaf) {
  uvsmtp__tls_judge_t* j = &conn->judge;
  struct uvsmtp_tls_chain_s chain;
  int verdict;
  if (conn->tls->verify == NULL) return;
  chain.leaf = leaf;
  chain.name = conn->info->named;
  chain.problems = j->problems;
  verdict = conn->tls->verify(conn->tls->verify_arg, &chain);
  if (verdict == UVSMTP_TLS_VERDICT_TRUST) {
    j->trusted = 1;
  } else if (verdict != UVSMTP_TLS_VERDICT_OWN) {
    j->problems |= UVSMTP_TLS_REFUSED;
    j->error = verdict < 0 ? verdict : UVSMTP_ETLS;
  }
}

/* 0, or what ends the handshake at once, whatever was asked of Mbed TLS. */
static int judge(uvsmtp__tls_conn_t* conn, const mbedtls_x509_crt* leaf,
                 uint32_t* flags) {
  static const unsigned int fatal = UVSMTP_TLS_WRONG_PIN | UVSMTP_TLS_REFUSED;
  uvsmtp__tls_judge_t* j = &conn->judge;
  uvsmtp_tls_info_t* info = conn->info;
  j->judged = 1;
  /* 2.28 has us judge a list without any certificate as well. */
  if (leaf->raw.len == 0) {
    info->problems = UVSMTP_TLS_OTHER;
    uvsmtp__tls_explain(conn, leaf);
    return MBEDTLS_ERR_X509_FATAL_ERROR;
  }
  j->problems |= check_name(conn, leaf) | check_use(leaf);
  if (j->top != NULL) {
    j->problems &= ~(unsigned int)UVSMTP_TLS_UNKNOWN_CA;
    j->problems |= untrusted(conn, leaf);
  }
  if (conn->tls->npins > 0 && !uvsmtp__tls_pinned(conn->tls, leaf))
    j->problems |= UVSMTP_TLS_WRONG_PIN;
  ask_hook(conn, leaf);
  info->problems = j->problems;
  info->certificate =
      uvsmtp__blob_new(&conn->tls->mem, leaf->raw.p, leaf->raw.len);
  uvsmtp__tls_explain(conn, leaf);
  if ((j->problems & fatal) != 0) return MBEDTLS_ERR_X509_FATAL_ERROR;
  if (!conn->strict || j->trusted || j->problems == 0) return 0;
  if (conn->tls->verify != NULL) return MBEDTLS_ERR_X509_FATAL_ERROR;
  *flags = j->raw;
  if ((j->problems & UVSMTP_TLS_WRONG_NAME) != 0)
    *flags |= MBEDTLS_X509_BADCERT_CN_MISMATCH;
  if ((j->problems & UVSMTP_TLS_WRONG_USE) != 0)
    *flags |= MBEDTLS_X509_BADCERT_EXT_KEY_USAGE;
  return 0;
}

int uvsmtp__tls_verify(void* arg, mbedtls_x509_crt* crt, int depth,
                       uint32_t* flags) {
  uvsmtp__tls_conn_t* conn = arg;
  uvsmtp__tls_judge_t* j = &conn->judge;
  uint32_t found = *flags;
  j->raw |= found;
  j->problems |= uvsmtp__tls_problems_of(found);
  if ((found & MBEDTLS_X509_BADCERT_NOT_TRUSTED) != 0) j->top = crt;
  if ((found & MBEDTLS_X509_BADCERT_EXPIRED) != 0) j->expired = crt;
  if ((found & MBEDTLS_X509_BADCERT_FUTURE) != 0) j->future = crt;
  *flags = 0;
  return depth > 0 ? 0 : judge(conn, crt, flags);
}

/* ------------------------------------------------------------ public calls */

size_t uvsmtp_tls_chain_count(const uvsmtp_tls_chain_t* chain) {
  const mbedtls_x509_crt* crt;
  size_t n = 0;
  for (crt = chain->leaf; crt != NULL; crt = crt->next) n++;
  return n;
}

uvsmtp_slice_t uvsmtp_tls_chain_certificate(const uvsmtp_tls_chain_t* chain,
                                            size_t i) {
  const mbedtls_x509_crt* crt = chain->leaf;
  uvsmtp_slice_t der = {NULL, 0};
  while (crt != NULL && i-- > 0) crt = crt->next;
  if (crt == NULL) return der;
  der.base = (const char*)crt->raw.p;
  der.len = crt->raw.len;
  return der;
}

const char* uvsmtp_tls_chain_name(const uvsmtp_tls_chain_t* chain) {
  return chain->name;
}

unsigned int uvsmtp_tls_chain_problems(const uvsmtp_tls_chain_t* chain) {
  return chain->problems;
}
