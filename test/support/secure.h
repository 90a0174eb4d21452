/* SPDX-License-Identifier: MIT */
/* secure.h: the server's side of TLS, for the fake server of peer.h: with a
 * certificate for localhost and 127.0.0.1 that nobody has signed but itself, so
 * that it is its own CA. */
#ifndef UVSMTP_TEST_SECURE_H
#define UVSMTP_TEST_SECURE_H

#include <stddef.h>
#include <sys/types.h>

/* A certificate with its key, and the settings of a server. */
typedef struct secure_s secure_t;
/* One connection of it. */
typedef struct secure_conn_s secure_conn_t;

/* Octets to and from a connection: as recv and send, but that they wait. */
typedef struct secure_io_s {
  int (*recv)(void* arg, unsigned char* buf, size_t len); /* 0: the end */
  int (*send)(void* arg, const unsigned char* buf, size_t len);
  void* arg;
} secure_io_t;

/* Both abort the program when there is no memory. */
secure_t* secure_new(void);
void secure_free(secure_t* secure);
/* The certificate in PEM, NUL-terminated, to be trusted. */
const char* secure_certificate(const secure_t* secure);

/* A handshake. NULL when it failed. */
secure_conn_t* secure_accept(secure_t* secure, const secure_io_t* io);
/* As recv: 0 when the client has closed (close_notify), -1 for an error, as is
 * an end without. */
ssize_t secure_recv(secure_conn_t* conn, void* buf, size_t len);
/* 0, or -1. */
int secure_send(secure_conn_t* conn, const void* data, size_t len);
/* Says close_notify if so wanted, and frees it. */
void secure_close(secure_conn_t* conn, int notify);

#endif
