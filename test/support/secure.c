/* SPDX-License-Identifier: MIT */
/* secure.c: the server's side of TLS. What differs between versions of Mbed TLS
 * is in this file only. */
#include "secure.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/ecp.h>
#include <mbedtls/entropy.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ticket.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct secure_s {
  mbedtls_entropy_context entropy;
  mbedtls_ctr_drbg_context random;
  mbedtls_pk_context key;
  mbedtls_x509_crt certificate;
  mbedtls_ssl_config config;
  mbedtls_ssl_ticket_context tickets;
  char pem[4096];
};

struct secure_conn_s {
  mbedtls_ssl_context ssl;
  secure_io_t io;
};

/* Of the certificate: localhost and 127.0.0.1, as a GeneralNames. */
static const unsigned char names[] = {0x30, 17,  0x82, 9,   'l', 'o', 'c',
                                      'a',  'l', 'h',  'o', 's', 't', 0x87,
                                      4,    127, 0,    0,   1};

static void must(int rc, const char* what) {
  if (rc == 0) return;
  fprintf(stderr, "secure: %s: -0x%x\n", what, (unsigned int)-rc);
  abort();
}

static void set_serial(mbedtls_x509write_cert* crt) {
#if MBEDTLS_VERSION_NUMBER >= 0x03040000
  unsigned char serial[] = {1};
  must(mbedtls_x509write_crt_set_serial_raw(crt, serial, 1), "serial");
#else
  mbedtls_mpi serial;
  mbedtls_mpi_init(&serial);
  must(mbedtls_mpi_lset(&serial, 1), "serial");
  must(mbedtls_x509write_crt_set_serial(crt, &serial), "serial");
  mbedtls_mpi_free(&serial);
#endif
}

static void make_certificate(secure_t* s) {
  mbedtls_x509write_cert crt;
  must(mbedtls_pk_setup(&s->key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)),
       "key");
  must(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(s->key),
                           mbedtls_ctr_drbg_random, &s->random),
       "key");
  mbedtls_x509write_crt_init(&crt);
  mbedtls_x509write_crt_set_subject_key(&crt, &s->key);
  mbedtls_x509write_crt_set_issuer_key(&crt, &s->key);
  mbedtls_x509write_crt_set_md_alg(&crt, MBEDTLS_MD_SHA256);
  mbedtls_x509write_crt_set_version(&crt, MBEDTLS_X509_CRT_VERSION_3);
  set_serial(&crt);
  must(mbedtls_x509write_crt_set_subject_name(&crt, "CN=peer"), "subject");
  must(mbedtls_x509write_crt_set_issuer_name(&crt, "CN=peer"), "issuer");
  must(mbedtls_x509write_crt_set_validity(&crt, "20200101000000",
                                          "20491231235959"),
       "validity");
  must(mbedtls_x509write_crt_set_extension(
           &crt, MBEDTLS_OID_SUBJECT_ALT_NAME,
           MBEDTLS_OID_SIZE(MBEDTLS_OID_SUBJECT_ALT_NAME), 0, names,
           sizeof(names)),
       "names");
  must(mbedtls_x509write_crt_pem(&crt, (unsigned char*)s->pem, sizeof(s->pem),
                                 mbedtls_ctr_drbg_random, &s->random),
       "certificate");
  mbedtls_x509write_crt_free(&crt);
  must(mbedtls_x509_crt_parse(&s->certificate, (unsigned char*)s->pem,
                              strlen(s->pem) + 1),
       "certificate");
}

static void configure(secure_t* s) {
  must(mbedtls_ssl_config_defaults(&s->config, MBEDTLS_SSL_IS_SERVER,
                                   MBEDTLS_SSL_TRANSPORT_STREAM,
                                   MBEDTLS_SSL_PRESET_DEFAULT),
       "settings");
  mbedtls_ssl_conf_rng(&s->config, mbedtls_ctr_drbg_random, &s->random);
  must(mbedtls_ssl_conf_own_cert(&s->config, &s->certificate, &s->key),
       "settings");
  must(mbedtls_ssl_ticket_setup(&s->tickets, mbedtls_ctr_drbg_random,
                                &s->random, MBEDTLS_CIPHER_AES_256_GCM, 3600),
       "tickets");
  mbedtls_ssl_conf_session_tickets_cb(&s->config, mbedtls_ssl_ticket_write,
                                      mbedtls_ssl_ticket_parse, &s->tickets);
}

secure_t* secure_new(void) {
  secure_t* s = calloc(1, sizeof(*s));
  if (s == NULL) abort();
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
  must(psa_crypto_init() == PSA_SUCCESS ? 0 : -1, "PSA");
#endif
  mbedtls_entropy_init(&s->entropy);
  mbedtls_ctr_drbg_init(&s->random);
  mbedtls_pk_init(&s->key);
  mbedtls_x509_crt_init(&s->certificate);
  mbedtls_ssl_config_init(&s->config);
  mbedtls_ssl_ticket_init(&s->tickets);
  must(mbedtls_ctr_drbg_seed(&s->random, mbedtls_entropy_func, &s->entropy,
                             NULL, 0),
       "random");
  make_certificate(s);
  configure(s);
  return s;
}

void secure_free(secure_t* s) {
  if (s == NULL) return;
  mbedtls_ssl_ticket_free(&s->tickets);
  mbedtls_ssl_config_free(&s->config);
  mbedtls_x509_crt_free(&s->certificate);
  mbedtls_pk_free(&s->key);
  mbedtls_ctr_drbg_free(&s->random);
  mbedtls_entropy_free(&s->entropy);
  free(s);
}

const char* secure_certificate(const secure_t* s) { return s->pem; }

static int on_recv(void* arg, unsigned char* buf, size_t len) {
  secure_conn_t* c = arg;
  int n = c->io.recv(c->io.arg, buf, len);
  return n > 0 ? n : MBEDTLS_ERR_SSL_CONN_EOF;
}

static int on_send(void* arg, const unsigned char* buf, size_t len) {
  secure_conn_t* c = arg;
  int n = c->io.send(c->io.arg, buf, len);
  return n > 0 ? n : MBEDTLS_ERR_SSL_CONN_EOF;
}

secure_conn_t* secure_accept(secure_t* s, const secure_io_t* io) {
  secure_conn_t* c = calloc(1, sizeof(*c));
  if (c == NULL) abort();
  c->io = *io;
  mbedtls_ssl_init(&c->ssl);
  must(mbedtls_ssl_setup(&c->ssl, &s->config), "connection");
  mbedtls_ssl_set_bio(&c->ssl, c, on_send, on_recv, NULL);
  if (mbedtls_ssl_handshake(&c->ssl) == 0) return c;
  secure_close(c, 0);
  return NULL;
}

ssize_t secure_recv(secure_conn_t* c, void* buf, size_t len) {
  int n = mbedtls_ssl_read(&c->ssl, buf, len);
  if (n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) return 0;
  return n <= 0 ? -1 : n; /* 0: it was cut off */
}

int secure_send(secure_conn_t* c, const void* data, size_t len) {
  const unsigned char* at = data;
  while (len > 0) {
    int n = mbedtls_ssl_write(&c->ssl, at, len);
    if (n <= 0) return -1;
    at += n;
    len -= (size_t)n;
  }
  return 0;
}

void secure_close(secure_conn_t* c, int notify) {
  if (notify) (void)mbedtls_ssl_close_notify(&c->ssl);
  mbedtls_ssl_free(&c->ssl);
  free(c);
}
