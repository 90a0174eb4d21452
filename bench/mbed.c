/* SPDX-License-Identifier: MIT */
/* mbed.c: the versions of Mbed TLS, in one place. 4.x has no random source but
 * PSA's, and ties tickets to PSA's names. */
#include "mbed.h"

#include <mbedtls/ssl_cache.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/version.h>
#include <psa/crypto.h>

#if MBEDTLS_VERSION_MAJOR < 4
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context drbg;
#endif

enum { TICKET_SECONDS = 3600 };

static mbedtls_ssl_ticket_context tickets;
static mbedtls_ssl_cache_context cache;
static unsigned long taken;

int mbed_start(void) {
  mbedtls_ssl_ticket_init(&tickets);
  mbedtls_ssl_cache_init(&cache);
#if MBEDTLS_VERSION_MAJOR < 4
  mbedtls_entropy_init(&entropy);
  mbedtls_ctr_drbg_init(&drbg);
  int err =
      mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0);
  if (err != 0) return err;
#endif
  return psa_crypto_init() == PSA_SUCCESS ? 0 : MBEDTLS_ERR_SSL_INTERNAL_ERROR;
}

void mbed_stop(void) {
  mbedtls_ssl_cache_free(&cache);
  mbedtls_ssl_ticket_free(&tickets);
#if MBEDTLS_VERSION_MAJOR < 4
  mbedtls_ctr_drbg_free(&drbg);
  mbedtls_entropy_free(&entropy);
#endif
}

/* The order is that of a client's wishes, and of a server's. */
static void set_curves(mbedtls_ssl_config* conf) {
#if MBEDTLS_VERSION_NUMBER < 0x03010000
  static const mbedtls_ecp_group_id fast[] = {
      MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1,
      MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_NONE};
  mbedtls_ssl_conf_curves(conf, fast);
#else
  static const uint16_t fast[] = {
      MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
      MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
  mbedtls_ssl_conf_groups(conf, fast);
#endif
}

static void set_versions(mbedtls_ssl_config* conf, int max) {
#if MBEDTLS_VERSION_NUMBER < 0x03020000
  (void)max;
  mbedtls_ssl_conf_min_version(conf, MBEDTLS_SSL_MAJOR_VERSION_3,
                               MBEDTLS_SSL_MINOR_VERSION_3);
#else
  mbedtls_ssl_conf_min_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
  if (max == MBED_TLS_1_2)
    mbedtls_ssl_conf_max_tls_version(conf, MBEDTLS_SSL_VERSION_TLS1_2);
#endif
}

int mbed_conf(mbedtls_ssl_config* conf, int endpoint, int max,
              enum mbed_curves curves) {
  int err = mbedtls_ssl_config_defaults(
      conf, endpoint, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);

  if (err != 0) return err;
#if MBEDTLS_VERSION_MAJOR < 4
  mbedtls_ssl_conf_rng(conf, mbedtls_ctr_drbg_random, &drbg);
#endif
  set_versions(conf, max);
  if (curves == MBED_CURVES_FAST) set_curves(conf);
  return 0;
}

int mbed_latest(void) {
#if defined(MBEDTLS_SSL_PROTO_TLS1_3)
  return MBED_TLS_1_3;
#else
  return MBED_TLS_1_2;
#endif
}

int mbed_key(mbedtls_pk_context* key, const char* path) {
#if MBEDTLS_VERSION_MAJOR == 3
  return mbedtls_pk_parse_keyfile(key, path, NULL, mbedtls_ctr_drbg_random,
                                  &drbg);
#else
  return mbedtls_pk_parse_keyfile(key, path, NULL);
#endif
}

static int parse_ticket(void* arg, mbedtls_ssl_session* session,
                        unsigned char* buf, size_t len) {
  int err = mbedtls_ssl_ticket_parse(arg, session, buf, len);

  if (err == 0) taken++;
  return err;
}

#if MBEDTLS_VERSION_MAJOR < 3
static int find_session(void* arg, mbedtls_ssl_session* session) {
  int err = mbedtls_ssl_cache_get(arg, session);
#else
static int find_session(void* arg, const unsigned char* id, size_t n,
                        mbedtls_ssl_session* session) {
  int err = mbedtls_ssl_cache_get(arg, id, n, session);
#endif
  if (err == 0) taken++;
  return err;
}

int mbed_server_sessions(mbedtls_ssl_config* conf) {
  int err;
  mbedtls_ssl_ticket_free(&tickets);
  mbedtls_ssl_ticket_init(&tickets);
#if MBEDTLS_VERSION_MAJOR < 4
  err = mbedtls_ssl_ticket_setup(&tickets, mbedtls_ctr_drbg_random, &drbg,
                                 MBEDTLS_CIPHER_AES_256_GCM, TICKET_SECONDS);
#else
  err = mbedtls_ssl_ticket_setup(&tickets, PSA_ALG_GCM, PSA_KEY_TYPE_AES, 256,
                                 TICKET_SECONDS);
#endif
  if (err != 0) return err;
  mbedtls_ssl_conf_session_tickets_cb(conf, mbedtls_ssl_ticket_write,
                                      parse_ticket, &tickets);
  mbedtls_ssl_conf_session_cache(conf, &cache, find_session,
                                 mbedtls_ssl_cache_set);
  return 0;
}

unsigned long mbed_sessions_found(void) { return taken; }

void mbed_client_tickets(mbedtls_ssl_config* conf) {
#if defined(MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED)
  mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
      conf, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_ENABLED);
#else
  (void)conf;
#endif
}

bool mbed_is_ticket(int err) {
#if defined(MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
  return err == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET;
#else
  (void)err;
  return false;
#endif
}
