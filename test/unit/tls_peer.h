/* SPDX-License-Identifier: MIT */
/* tls_peer.h: a server in memory for the tests of lib/tls, and certificates
 * for it. What differs between the versions of Mbed TLS is in tls_peer.c. */
#ifndef UVSMTP_TEST_TLS_PEER_H
#define UVSMTP_TEST_TLS_PEER_H

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "tls/tls.h"

/* ------------------------------------------------------------ certificates */

enum {
  PEER_CA = 1u << 0,
  PEER_CLIENT_ONLY = 1u << 1, /* clientAuth as the only extended usage */
  PEER_SHA1 = 1u << 2,
  PEER_RSA_1024 = 1u << 3,
  PEER_P192 = 1u << 4
};

typedef struct peer_cert_s {
  mbedtls_pk_context key;
  unsigned char der[4096];
  size_t len;
  char subject[64];
} peer_cert_t;

/* sans: entries "DNS:x", "IP4:abcd" (octets), "URI:x", NULL at the end; a '|'
 * in one stands for a NUL. Days are from now. issuer NULL: itself. */
typedef struct peer_want_s {
  const char* subject;
  const char* sans[4];
  unsigned int flags;
  int from_days;
  int to_days;
} peer_want_t;

void peer_cert_make(peer_cert_t* out, const peer_want_t* want,
                    const peer_cert_t* issuer);
void peer_cert_free(peer_cert_t* cert);

/* ------------------------------------------------------------------ server */

typedef struct peer_s peer_t;

typedef struct peer_config_s {
  const peer_cert_t* chain[4];  /* the server's own first */
  int version;                  /* enum uvsmtp_tls_version */
  int tickets;                  /* else session ids, for TLS 1.2 */
  int suite;                    /* the only one, or 0 */
  const peer_cert_t* client_ca; /* asks for a certificate */
  int renegotiates;
  int many;          /* tickets of TLS 1.3 in a handshake; 0: one */
  uint32_t lifetime; /* of tickets, in seconds; 0: a day */
} peer_config_t;

peer_t* peer_new(const peer_config_t* config);
void peer_free(peer_t* peer);
/* A new connection, keys and sessions as before. */
void peer_accept(peer_t* peer);
/* From now on tickets of before are of no use. */
void peer_forget(peer_t* peer);
mbedtls_ssl_context* peer_ssl(peer_t* peer);
/* 1 when there was a certificate of the client's, and it was right. */
int peer_knows_client(peer_t* peer);

/* Moves what there is in both directions, in pieces of `piece` octets (0: all),
 * and has both work on it, until neither has anything to say. The result of the
 * client's handshake. */
int peer_shake(peer_t* peer, uvsmtp__tls_conn_t* conn, size_t piece);
/* Moves what the client has to say. */
void peer_take(peer_t* peer, uvsmtp__tls_conn_t* conn);
/* Moves what the server has to say, in one piece. */
void peer_give(peer_t* peer, uvsmtp__tls_conn_t* conn);
/* The same, for a client that may have no memory: 0, or its error. */
int peer_hand(peer_t* peer, uvsmtp__tls_conn_t* conn);
/* Takes what the server has to say away from it; how many octets. */
size_t peer_lift(peer_t* peer, void* buf, size_t cap);
/* The server says it, encrypted; and reads up to cap octets. */
void peer_say(peer_t* peer, const void* data, size_t len);
int peer_hear(peer_t* peer, void* buf, size_t cap);
void peer_close(peer_t* peer);
/* Application records that came from the client so far. */
size_t peer_records(const peer_t* peer);
/* Asks the client to renegotiate. */
void peer_renegotiate(peer_t* peer);
/* 1: there is an exporter (RFC 5705); and len octets of the server's. */
int peer_can_export(void);
void peer_export(peer_t* peer, const char* label, unsigned char* out,
                 size_t len);
/* 1: there is TLS 1.3. */
int peer_has_tls13(void);

#endif
