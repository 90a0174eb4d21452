/* SPDX-License-Identifier: MIT */
/* mbedtls.c: what differs between the versions of Mbed TLS: all of it is here,
 * behind functions that are the same for all. */
#include <mbedtls/version.h>

#if MBEDTLS_VERSION_NUMBER < 0x021c0000
#error "uvsmtp needs Mbed TLS 2.28, 3.6.6 or later, or 4.1 or later"
#elif MBEDTLS_VERSION_NUMBER >= 0x03000000 && \
    MBEDTLS_VERSION_NUMBER < 0x03060600
#error \
    "this Mbed TLS accepts signatures that were not offered (CVE-2026-25834): use 3.6.6 or later"
#elif MBEDTLS_VERSION_NUMBER >= 0x04000000 && \
    MBEDTLS_VERSION_NUMBER < 0x04010000
#error \
    "this Mbed TLS accepts signatures that were not offered (CVE-2026-25834): use 4.1 or later"
#endif

#include <errno.h>
#include <string.h>
#if MBEDTLS_VERSION_MAJOR < 4
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#endif
#if MBEDTLS_VERSION_MAJOR >= 3
#include <psa/crypto.h>
#endif

#include "tls/tls_int.h"

/* Fields that are private from 3.0 on and for which there is no function. */
#if MBEDTLS_VERSION_MAJOR < 3
#define FIELD(name) name
#else
#define FIELD(name) MBEDTLS_PRIVATE(name)
#endif

const char* uvsmtp_tls_library(void) {
#if MBEDTLS_VERSION_MAJOR < 3
  return "Mbed TLS " MBEDTLS_VERSION_STRING;
#else
  return MBEDTLS_VERSION_STRING_FULL;
#endif
}

int uvsmtp_tls_library_version(void) {
#if defined(MBEDTLS_SSL_PROTO_TLS1_3)
  return UVSMTP_TLS_1_3;
#else
  return UVSMTP_TLS_1_2;
#endif
}

/* ---------------------------------------------------------- random source */

#if MBEDTLS_VERSION_MAJOR < 4

struct uvsmtp__tls_rng_s {
  mbedtls_entropy_context entropy;
  mbedtls_ctr_drbg_context drbg;
};

static int open_rng(uvsmtp_tls_t* tls) {
  uvsmtp__tls_rng_t* rng = uvsmtp__alloc(&tls->mem, sizeof(*rng));
  if (rng == NULL) return -ENOMEM;
  mbedtls_entropy_init(&rng->entropy);
  mbedtls_ctr_drbg_init(&rng->drbg);
  tls->rng = rng;
  if (mbedtls_ctr_drbg_seed(&rng->drbg, mbedtls_entropy_func, &rng->entropy,
                            (const unsigned char*)"uvsmtp", 6) != 0)
    return UVSMTP_ETLS;
  return 0;
}

void uvsmtp__mbed_close(uvsmtp_tls_t* tls) {
  uvsmtp__tls_rng_t* rng = tls->rng;
  if (rng == NULL) return;
  mbedtls_ctr_drbg_free(&rng->drbg);
  mbedtls_entropy_free(&rng->entropy);
  uvsmtp__free(&tls->mem, rng, sizeof(*rng));
  tls->rng = NULL;
}

#else

static int open_rng(uvsmtp_tls_t* tls) {
  (void)tls;
  return 0;
}

void uvsmtp__mbed_close(uvsmtp_tls_t* tls) { (void)tls; }

#endif

int uvsmtp__mbed_open(uvsmtp_tls_t* tls) {
#if MBEDTLS_VERSION_MAJOR >= 3
  /* Undone by nobody: the host may be using it as well. */
  if (psa_crypto_init() != PSA_SUCCESS) return UVSMTP_ETLS;
#endif
  return open_rng(tls);
}

/* ----------------------------------------------------------- configuration */

/* X25519 costs least on both sides; what Mbed TLS 2.28 would offer first are
 * the dearest. */
#if MBEDTLS_VERSION_MAJOR < 3
static const mbedtls_ecp_group_id groups[] = {
    MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1,
    MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_SECP521R1, MBEDTLS_ECP_DP_NONE};

static const int hashes[] = {MBEDTLS_MD_SHA256, MBEDTLS_MD_SHA384,
                             MBEDTLS_MD_SHA512, MBEDTLS_MD_NONE};
#else
static const uint16_t groups[] = {
    MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_SECP521R1,
    MBEDTLS_SSL_IANA_TLS_GROUP_NONE};

/* 3.6.6 offers PSS to servers of TLS 1.2 as well, and then does not take it
 * from them: PKCS#1 first, since most go by our order. TLS 1.3 has no PKCS#1 in
 * its handshake (RFC 8446 4.2.3), so there it says something of certificates
 * only. */
static const uint16_t signatures[] = {MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
                                      MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
                                      MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512,
                                      MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,
                                      MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,
                                      MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,
                                      MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA256,
                                      MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA384,
                                      MBEDTLS_TLS1_3_SIG_RSA_PSS_RSAE_SHA512,
                                      MBEDTLS_TLS1_3_SIG_NONE};

/* For those that go by their own order there is max_version. */
static const uint16_t signatures12[] = {
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP256R1_SHA256,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP384R1_SHA384,
    MBEDTLS_TLS1_3_SIG_ECDSA_SECP521R1_SHA512,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA256,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA384,
    MBEDTLS_TLS1_3_SIG_RSA_PKCS1_SHA512,
    MBEDTLS_TLS1_3_SIG_NONE};
#endif

/* Curves from 256 bits on; 4.0 has no others. */
#if MBEDTLS_VERSION_MAJOR < 4
#define CURVES                                      \
  (MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP256R1) | \
   MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP384R1) | \
   MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_SECP521R1) | \
   MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_BP256R1) |   \
   MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_BP384R1) |   \
   MBEDTLS_X509_ID_FLAG(MBEDTLS_ECP_DP_BP512R1))
#else
#define CURVES 0xFFFFFFF
#endif

/* Hashes from SHA-256 on, RSA from 2048 bits on. */
static const mbedtls_x509_crt_profile profile = {
    MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA256) |
        MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA384) |
        MBEDTLS_X509_ID_FLAG(MBEDTLS_MD_SHA512),
    0xFFFFFFF, CURVES, 2048};

int uvsmtp__mbed_configure(uvsmtp_tls_t* tls, mbedtls_ssl_config* conf) {
  int rc = mbedtls_ssl_config_defaults(conf, MBEDTLS_SSL_IS_CLIENT,
                                       MBEDTLS_SSL_TRANSPORT_STREAM,
                                       MBEDTLS_SSL_PRESET_DEFAULT);
  int resume = (tls->flags & UVSMTP_TLS_NO_RESUMPTION) == 0;
  if (rc != 0) return rc;
#if MBEDTLS_VERSION_MAJOR < 4
  mbedtls_ssl_conf_rng(conf, mbedtls_ctr_drbg_random, &tls->rng->drbg);
#if defined(MBEDTLS_DHM_C)
  mbedtls_ssl_conf_dhm_min_bitlen(conf, 2048);
#endif
#endif
#if MBEDTLS_VERSION_MAJOR < 3
  mbedtls_ssl_conf_min_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3,
                               tls->min_version & 0xff);
  mbedtls_ssl_conf_max_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3,
                               tls->max_version & 0xff);
  mbedtls_ssl_conf_curves(conf, groups);
  mbedtls_ssl_conf_sig_hashes(conf, hashes);
#else
  mbedtls_ssl_conf_min_tls_version(
      conf, (mbedtls_ssl_protocol_version)tls->min_version);
  mbedtls_ssl_conf_max_tls_version(
      conf, (mbedtls_ssl_protocol_version)tls->max_version);
  mbedtls_ssl_conf_groups(conf, groups);
  mbedtls_ssl_conf_sig_algs(
      conf, tls->max_version == UVSMTP_TLS_1_2 ? signatures12 : signatures);
#endif
#if defined(MBEDTLS_SSL_PROTO_TLS1_3)
  /* Resumed or not, with a key exchange: forward secrecy. */
  mbedtls_ssl_conf_tls13_key_exchange_modes(
      conf, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ALL);
#endif
#if defined(MBEDTLS_SSL_RENEGOTIATION)
  mbedtls_ssl_conf_renegotiation(conf, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
#endif
#if defined(MBEDTLS_SSL_SESSION_TICKETS)
  mbedtls_ssl_conf_session_tickets(
      conf, resume ? MBEDTLS_SSL_SESSION_TICKETS_ENABLED
                   : MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
#endif
#if defined(MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED)
  if (resume)
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        conf, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
#endif
  (void)resume;
  mbedtls_ssl_conf_cert_profile(conf, &profile);
  return 0;
}

/* ------------------------------------------------------------------- keys */

int uvsmtp__mbed_parse_key(uvsmtp_tls_t* tls, const unsigned char* data,
                           size_t len, const unsigned char* pwd,
                           size_t pwd_len) {
#if MBEDTLS_VERSION_MAJOR == 3
  return mbedtls_pk_parse_key(&tls->key, data, len, pwd, pwd_len,
                              mbedtls_ctr_drbg_random, &tls->rng->drbg);
#else
  return mbedtls_pk_parse_key(&tls->key, data, len, pwd, pwd_len);
#endif
}

int uvsmtp__mbed_check_pair(uvsmtp_tls_t* tls) {
#if MBEDTLS_VERSION_MAJOR == 3
  return mbedtls_pk_check_pair(&tls->cert.pk, &tls->key,
                               mbedtls_ctr_drbg_random, &tls->rng->drbg);
#else
  return mbedtls_pk_check_pair(&tls->cert.pk, &tls->key);
#endif
}

int uvsmtp__mbed_is_ca(const mbedtls_x509_crt* crt) {
#if MBEDTLS_VERSION_MAJOR < 3
  return crt->ca_istrue;
#else
  return mbedtls_x509_crt_get_ca_istrue(crt) == 1;
#endif
}

/* -------------------------------------------------------------- connection */

int uvsmtp__mbed_over(const mbedtls_ssl_context* ssl) {
#if MBEDTLS_VERSION_MAJOR < 3
  return ssl->state == MBEDTLS_SSL_HANDSHAKE_OVER;
#else
  return mbedtls_ssl_is_handshake_over((mbedtls_ssl_context*)ssl);
#endif
}

int uvsmtp__mbed_costly(const mbedtls_ssl_context* ssl, int signs) {
  switch (ssl->FIELD(state)) {
    case MBEDTLS_SSL_SERVER_CERTIFICATE:  /* its chain is verified */
    case MBEDTLS_SSL_SERVER_KEY_EXCHANGE: /* its signature */
    case MBEDTLS_SSL_CLIENT_KEY_EXCHANGE:
#if MBEDTLS_VERSION_MAJOR >= 3
    case MBEDTLS_SSL_CLIENT_HELLO: /* our key share */
    case MBEDTLS_SSL_SERVER_HELLO: /* the secret from both */
#endif
      return 1;
    case MBEDTLS_SSL_CERTIFICATE_VERIFY: /* ours; the server's in TLS 1.3 */
#if MBEDTLS_VERSION_MAJOR < 3
      return signs;
#else
      return signs ||
             mbedtls_ssl_get_version_number(ssl) == MBEDTLS_SSL_VERSION_TLS1_3;
    case MBEDTLS_SSL_CLIENT_CERTIFICATE_VERIFY:
      return signs;
#endif
    default:
      return 0;
  }
}

int uvsmtp__mbed_alert(const mbedtls_ssl_context* ssl) {
#if MBEDTLS_VERSION_MAJOR >= 4
  return mbedtls_ssl_get_fatal_alert(ssl);
#else
  const unsigned char* message = ssl->FIELD(in_msg);
  return message == NULL ? -1 : message[1];
#endif
}

int uvsmtp__mbed_is_ticket(int rc) {
#if defined(MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
  return rc == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET;
#else
  (void)rc;
  return 0;
#endif
}

int uvsmtp__mbed_resumable(const mbedtls_ssl_session* session,
                           uint32_t* lifetime) {
  *lifetime = 0;
#if defined(MBEDTLS_SSL_SESSION_TICKETS)
  if (session->FIELD(ticket_len) > 0) {
    *lifetime = session->FIELD(ticket_lifetime);
    return 1;
  }
#endif
  return session->FIELD(id_len) > 0;
}

/* Under TLS 1.2 it would be right with the session hash only (RFC 7677 4), and
 * whether there is one can't be asked. */
int uvsmtp__tls_conn_export(uvsmtp__tls_conn_t* conn, void* buf, size_t len) {
#if defined(MBEDTLS_SSL_KEYING_MATERIAL_EXPORT)
  static const char label[] = "EXPORTER-Channel-Binding";
  if (!conn->info->established || conn->error != 0 ||
      mbedtls_ssl_get_version_number(&conn->ssl) != MBEDTLS_SSL_VERSION_TLS1_3)
    return -ENOTSUP;
  return mbedtls_ssl_export_keying_material(&conn->ssl, buf, len, label,
                                            sizeof(label) - 1, NULL, 0, 0) == 0
             ? 0
             : UVSMTP_ETLS;
#else
  (void)conn;
  (void)buf;
  (void)len;
  return -ENOTSUP;
#endif
}
