/* SPDX-License-Identifier: MIT */
/* conn_int.h: the filter's own. */
#ifndef UVSMTP_TLS_CONN_INT_H
#define UVSMTP_TLS_CONN_INT_H

#include "tls/tls_int.h"

enum {
  UVSMTP__TLS_WAIT_READ = 0, /* how read says that it waits */
  /* Room in the output for what surrounds a record's text, and for alerts and
   * answers that are not ours to time. */
  UVSMTP__TLS_RESERVE = 2048
};

/* Ends it for Mbed TLS's reason; the error, which stays. */
int uvsmtp__tls_conn_fail(uvsmtp__tls_conn_t* conn, int rc);
/* The server gave something to resume the session by. */
void uvsmtp__tls_conn_ticket(uvsmtp__tls_conn_t* conn);

#endif
