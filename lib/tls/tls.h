/* SPDX-License-Identifier: MIT */
/* tls.h: a connection's TLS, as the shell sees it: a filter between two queues
 * of octets. Nothing here reads or writes a socket, waits, or knows of libuv.
 *
 *   socket --> input --> [ f_recv  Mbed TLS  read  ] --> plain text in
 *   socket <-- peek, sent <-- [ f_send  Mbed TLS  write ] <-- plain text out
 *
 * Output is there to be flushed after every call, also after one that failed:
 * the alert tells the server why. Errors are negative libuv or uvsmtp numbers;
 * Mbed TLS's own are kept as text in the facts.
 *
 *   conn.c           the filter: queues, records
 *   handshake.c      its beginning, sessions kept, failures in words
 *   verify.c         the verdict on a chain
 *   name.c           names and addresses in certificates
 *   pin.c, words.c   pins; certificates in words
 *   session_cache.c  sessions that can be resumed
 *   info.c           the facts for the caller
 *   settings.c       uvsmtp_tls_t; load.c its files, cipher.c its suites
 *   mbedtls.c        what differs between the versions: every #if on one */
#ifndef UVSMTP_TLS_TLS_H
#define UVSMTP_TLS_TLS_H

#include "core/buf.h"
#include "core/mem.h"
#include "uvsmtp/tls.h"

enum {
  UVSMTP__TLS_RECORD_MAX = 16384,  /* octets of plain text in a record */
  UVSMTP__TLS_INPUT_MAX = 131072,  /* ciphertext not yet looked at */
  UVSMTP__TLS_OUTPUT_MAX = 131072, /* ciphertext not yet written: what is
                                      encrypted ahead of the socket */
  UVSMTP__TLS_NAME_MAX = 255
};

/* What a handshake, or a read, came to, beside errors. */
enum {
  UVSMTP__TLS_DONE = 0, /* the handshake is over */
  UVSMTP__TLS_WAIT = 1, /* octets from the socket are needed */
  UVSMTP__TLS_MORE = 2  /* there is more to do at once: call again, maybe after
                           others have had their turn */
};

/* The name that all servers of these settings are to have, or NULL. */
const char* uvsmtp__tls_name(const uvsmtp_tls_t* tls);

/* 1 when whoever answers is good enough for these settings. */
int uvsmtp__tls_is_insecure(const uvsmtp_tls_t* tls);

typedef struct uvsmtp__tls_conn_s uvsmtp__tls_conn_t;

/* Whom a connection is with. */
typedef struct uvsmtp__tls_peer_s {
  const char* name; /* to be verified and said in SNI, as the caller wrote it:
                       name, address literal (no brackets), or NULL */
  const char* host; /* with port: where to; part of the cache's key */
  int port;
  int strict; /* the certificate has to be right */
} uvsmtp__tls_peer_t;

/* Makes the filter; takes a reference to tls. 0, UV_ENOMEM, UV_EINVAL (strict
 * and no name; a name that can't be one), UV_ENOTSUP (a U-label, built without
 * IDN), UVSMTP_ETLS. mem must outlive it. */
int uvsmtp__tls_conn_new(uvsmtp__tls_conn_t** out, const uvsmtp__mem_t* mem,
                         uvsmtp_tls_t* tls, const uvsmtp__tls_peer_t* peer);
/* Wipes and frees it. NULL is fine. */
void uvsmtp__tls_conn_free(uvsmtp__tls_conn_t* conn);

/* The name that these settings say instead of the host's, or NULL. */
const char* uvsmtp__tls_name(const uvsmtp_tls_t* tls);

/* Ciphertext from the socket: borrowed until the next call of handshake or read
 * that says WAIT, or copied by uvsmtp__tls_conn_keep. Only when the last was
 * used up or kept. 0, UV_ENOBUFS (over UVSMTP__TLS_INPUT_MAX), UV_ENOMEM. */
int uvsmtp__tls_conn_input(uvsmtp__tls_conn_t* conn, const void* data,
                           size_t len);
/* Copies what of the input is not used up, since its memory goes. 0,
 * UV_ENOBUFS, UV_ENOMEM. */
int uvsmtp__tls_conn_keep(uvsmtp__tls_conn_t* conn);
/* Octets of input not used up. */
size_t uvsmtp__tls_conn_left(const uvsmtp__tls_conn_t* conn);
/* The socket has ended: what is missing will not come. */
void uvsmtp__tls_conn_end(uvsmtp__tls_conn_t* conn);

/* A piece of the handshake: of the steps that cost much there is one in a call.
 * DONE, WAIT, MORE or an error, which stays. */
int uvsmtp__tls_conn_handshake(uvsmtp__tls_conn_t* conn);

/* Decrypts up to cap octets into buf. More than 0: so many; UVSMTP__TLS_WAIT
 * is told by 0. UV_EOF: the peer has closed properly (close_notify).
 * UVSMTP_ETLS: a broken record, an alert, or the socket ended without
 * close_notify. An error stays. Tickets for resumption are kept on the way. */
ptrdiff_t uvsmtp__tls_conn_read(uvsmtp__tls_conn_t* conn, void* buf,
                                size_t cap);

/* Encrypts from the front of these n slices, as much as fits in the output:
 * small slices share a record, large ones fill records. How many octets were
 * taken (0: no room), or a negative error, which stays. */
ptrdiff_t uvsmtp__tls_conn_write(uvsmtp__tls_conn_t* conn,
                                 const uvsmtp_slice_t* slices, size_t n);

/* Ciphertext to write next, in one piece, valid until the next call but sent;
 * and how much of it was written. */
uvsmtp_slice_t uvsmtp__tls_conn_peek(const uvsmtp__tls_conn_t* conn);
void uvsmtp__tls_conn_sent(uvsmtp__tls_conn_t* conn, size_t n);

/* RFC 9266: len octets that only the two ends of this connection can have. 0,
 * UV_ENOTSUP (this Mbed TLS has no exporter, the handshake is not done, or it
 * is TLS 1.2), or UVSMTP_ETLS. */
int uvsmtp__tls_conn_export(uvsmtp__tls_conn_t* conn, void* buf, size_t len);

/* Adds close_notify to the output, once, if the handshake is done and nothing
 * failed. */
void uvsmtp__tls_conn_close(uvsmtp__tls_conn_t* conn);

/* The facts; they live until uvsmtp__tls_info_unref, and outlive the filter. */
uvsmtp_tls_info_t* uvsmtp__tls_conn_info(uvsmtp__tls_conn_t* conn);
void uvsmtp__tls_info_ref(uvsmtp_tls_info_t* info);
void uvsmtp__tls_info_unref(uvsmtp_tls_info_t* info);

#endif
