/* SPDX-License-Identifier: MIT */
/* mbed.h: what differs between versions of Mbed TLS in the sink's server side
 * and in the bare clients that benchmarks measure against. Every #if on a
 * version that bench/ has is in mbed.c. All of it returns 0 or Mbed TLS's own
 * error. */
#ifndef UVSMTP_BENCH_MBED_H
#define UVSMTP_BENCH_MBED_H

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <stdbool.h>

enum { MBED_TLS_1_2 = 0x0303, MBED_TLS_1_3 = 0x0304 };

/* Whose order of curves: the library's, or X25519 and P-256 first. */
enum mbed_curves { MBED_CURVES_LIBRARY, MBED_CURVES_FAST };

/* Once in each process, before anything else. */
int mbed_start(void);
void mbed_stop(void);

/* A configuration with random numbers, for stream sockets. TLS 1.2 is the least
 * and max the most, where it is not 0. */
int mbed_conf(mbedtls_ssl_config* conf, int endpoint, int max,
              enum mbed_curves curves);
/* The latest version that this build has. */
int mbed_latest(void);

int mbed_key(mbedtls_pk_context* key, const char* path);

/* Lets a server resume sessions, by tickets, and by a cache for those who have
 * none: libcurl does not ask for tickets. One server to a process. */
int mbed_server_sessions(mbedtls_ssl_config* conf);
/* How many good tickets came back, and sessions were found in the cache. */
unsigned long mbed_sessions_found(void);

/* Has the client told when a ticket comes in TLS 1.3. */
void mbed_client_tickets(mbedtls_ssl_config* conf);
/* True for the "error" that tells so. */
bool mbed_is_ticket(int err);

#endif
