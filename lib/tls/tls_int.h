/* SPDX-License-Identifier: MIT */
/* tls_int.h: what the files of lib/tls know of each other. */
#ifndef UVSMTP_TLS_TLS_INT_H
#define UVSMTP_TLS_TLS_INT_H

#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

#include "core/queue.h"
#include "tls/tls.h"

/* libuv's UV_EOF; all its other numbers are negative errno values. */
#define UVSMTP__TLS_EOF (-4095)

enum {
  UVSMTP__TLS_CIPHER_MAX = 56,  /* the longest registered name is 45 */
  UVSMTP__TLS_CIPHERS_MAX = 64, /* suites in a list */
  UVSMTP__TLS_WORDS_MAX = 640,  /* of problems, for people */
  UVSMTP__TLS_PIN_SIZE = 32     /* SHA-256 */
};

/* ---------------------------------------------------------------- octets */

/* Octets that several hold: a certificate, a text. They never change, and a
 * NUL is behind them. */
typedef struct uvsmtp__blob_s {
  uvsmtp__mem_t mem;
  size_t refs;
  size_t len;
  char octets[];
} uvsmtp__blob_t;

/* NULL: no memory. */
uvsmtp__blob_t* uvsmtp__blob_new(const uvsmtp__mem_t* mem, const void* data,
                                 size_t len);
uvsmtp__blob_t* uvsmtp__blob_ref(uvsmtp__blob_t* blob); /* NULL is fine */
void uvsmtp__blob_unref(uvsmtp__blob_t* blob);          /* NULL is fine */

/* ----------------------------------------------------------------- words */

/* Text that is put together; what does not fit is left out, with "..." for
 * it. */
typedef struct uvsmtp__words_s {
  char* buf;
  size_t cap;
  size_t len;
  int full;
} uvsmtp__words_t;

void uvsmtp__words_init(uvsmtp__words_t* w, char* buf, size_t cap);
void uvsmtp__words_add(uvsmtp__words_t* w, const char* text);
/* Octets from a certificate: those that a terminal could obey are written as
 * \xNN. */
void uvsmtp__words_octets(uvsmtp__words_t* w, const unsigned char* data,
                          size_t len);
void uvsmtp__words_number(uvsmtp__words_t* w, int value, int digits);
void uvsmtp__words_date(uvsmtp__words_t* w, const mbedtls_x509_time* when);
/* The common name, or else all of it. */
void uvsmtp__words_name(uvsmtp__words_t* w, const mbedtls_x509_name* name);
/* The names and addresses that a certificate is for; how many there were. */
size_t uvsmtp__words_sans(uvsmtp__words_t* w, const mbedtls_x509_crt* crt,
                          size_t max);

/* ------------------------------------------------------------------ name */

/* The name that a server is to have. */
typedef struct uvsmtp__tls_name_s {
  char text[UVSMTP__TLS_NAME_MAX + 1]; /* A-label or address */
  unsigned char address[16];
  size_t address_len; /* 4, 16, or 0 for a name */
} uvsmtp__tls_name_t;

/* Makes one of what a caller wrote. 0, -EINVAL, -ENOTSUP, -ENOMEM. */
int uvsmtp__tls_name_set(uvsmtp__tls_name_t* name, const char* text);
/* 1 when a dNSName of a certificate is this name (RFC 9525 6.3). */
int uvsmtp__tls_name_is(const char* name, const unsigned char* pattern,
                        size_t len);
/* 1 when the certificate is for it: dNSName for names, iPAddress for
 * addresses, and nothing else. */
int uvsmtp__tls_name_in(const uvsmtp__tls_name_t* name,
                        const mbedtls_x509_crt* crt);

/* ----------------------------------------------------------------- cache */

typedef struct uvsmtp__tls_entry_s {
  struct uvsmtp__tls_entry_s* next; /* in its bucket */
  uvsmtp__link_t link;              /* by use, the oldest first */
  mbedtls_ssl_session session;
  uint64_t until;
  uint32_t hash;
  int verified;
  unsigned int problems;
  uvsmtp__blob_t* problem_text;
  uvsmtp__blob_t* certificate;
  size_t key_len;
  char key[];
} uvsmtp__tls_entry_t;

typedef struct uvsmtp__tls_cache_s {
  uvsmtp__mem_t mem;
  uvsmtp__tls_entry_t** buckets;
  size_t nbuckets; /* a power of two */
  size_t count;
  size_t max;
  uint32_t age;
  uvsmtp__link_t used;
} uvsmtp__tls_cache_t;

void uvsmtp__tls_cache_init(uvsmtp__tls_cache_t* cache,
                            const uvsmtp__mem_t* mem, size_t max, uint32_t age);
/* The entry, if there is one that is not too old; the caller may use it until
 * the next call. */
uvsmtp__tls_entry_t* uvsmtp__tls_cache_find(uvsmtp__tls_cache_t* cache,
                                            const char* key, size_t len,
                                            uint64_t now);
/* Room for a session, in place of an older one of that key, which stays if
 * there is no memory (NULL). lifetime: the server's limit, 0 for none. */
uvsmtp__tls_entry_t* uvsmtp__tls_cache_add(uvsmtp__tls_cache_t* cache,
                                           const char* key, size_t len,
                                           uint64_t now, uint32_t lifetime);
void uvsmtp__tls_cache_drop(uvsmtp__tls_cache_t* cache, const char* key,
                            size_t len);
void uvsmtp__tls_cache_clear(uvsmtp__tls_cache_t* cache);

/* -------------------------------------------------------------- settings */

typedef struct uvsmtp__tls_pin_s {
  unsigned char hash[UVSMTP__TLS_PIN_SIZE];
  int key; /* of the public key, not of the certificate */
} uvsmtp__tls_pin_t;

typedef struct uvsmtp__tls_rng_s uvsmtp__tls_rng_t;

struct uvsmtp_tls_s {
  uvsmtp__mem_t mem;
  size_t refs;
  unsigned int flags;
  int min_version;
  int max_version;
  uvsmtp__tls_rng_t* rng; /* NULL where Mbed TLS has its own */
  mbedtls_ssl_config strict;
  mbedtls_ssl_config lenient;
  mbedtls_x509_crt ca;
  mbedtls_x509_crt cert;
  mbedtls_pk_context key;
  int trusts; /* there is someone in ca */
  int ciphers[UVSMTP__TLS_CIPHERS_MAX + 1];
  uvsmtp__blob_t* name;
  uvsmtp__tls_pin_t* pins;
  size_t npins;
  uvsmtp_tls_verify_cb verify;
  void* verify_arg;
  char*
      staging; /* RECORD_MAX octets, or NULL: small slices become one record */
  uvsmtp__tls_cache_t cache;
  uint64_t forgotten; /* times that all sessions were dropped */
  uint64_t full;
  uint64_t resumed;
  uint64_t refused;
  uint64_t failed;
};

/* Seconds of a clock that is not set. */
uint64_t uvsmtp__tls_now(void);

/* The whole contents of a file, with a NUL behind, which is not counted. 0 or
 * a negative errno. */
int uvsmtp__tls_file_read(const uvsmtp__mem_t* mem, const char* path,
                          uvsmtp__buf_t* out);
void uvsmtp__tls_buf_wipe(const uvsmtp__mem_t* mem, uvsmtp__buf_t* buf);

/* Fill in tls from a config; errors and reasons as uvsmtp_tls_new's. */
int uvsmtp__tls_load_trust(uvsmtp_tls_t* tls, const uvsmtp_tls_config_t* c,
                           const char** reason);
int uvsmtp__tls_load_own(uvsmtp_tls_t* tls, const uvsmtp_tls_config_t* c,
                         const char** reason);
int uvsmtp__tls_load_ciphers(uvsmtp_tls_t* tls, const char* names,
                             const char** reason);
int uvsmtp__tls_load_pins(uvsmtp_tls_t* tls, const uvsmtp_tls_config_t* c,
                          const char** reason);
/* 1: one of the pins is this certificate's. */
int uvsmtp__tls_pinned(const uvsmtp_tls_t* tls, const mbedtls_x509_crt* crt);
/* The registered name of a suite from Mbed TLS's. */
void uvsmtp__tls_cipher_name(const char* mbed, char* out, size_t cap);

/* ----------------------------------------------------------------- facts */

struct uvsmtp_tls_info_s {
  uvsmtp__mem_t mem;
  size_t refs;
  size_t size;
  int version;
  unsigned int problems;
  unsigned char established;
  unsigned char resumed;
  unsigned char verified;
  const char* error; /* "", static, or error_text's */
  uvsmtp__blob_t* error_text;
  uvsmtp__blob_t* problem_text;
  uvsmtp__blob_t* certificate;
  uvsmtp_slice_t borrowed; /* the certificate while it is Mbed TLS's */
  const char* named;       /* name, or NULL */
  char cipher[UVSMTP__TLS_CIPHER_MAX];
  char name[];
};

/* name may be NULL. NULL: no memory. */
uvsmtp_tls_info_t* uvsmtp__tls_info_new(const uvsmtp__mem_t* mem,
                                        const char* name);
/* Sets the text unless there is one: the first error is the cause. */
void uvsmtp__tls_info_error(uvsmtp_tls_info_t* info, const uvsmtp__mem_t* mem,
                            const char* text, int code);

/* ------------------------------------------------------------ connection */

/* What the chain's judgement has come to, certificate by certificate. */
typedef struct uvsmtp__tls_judge_s {
  int judged;   /* the server's own certificate was seen */
  int trusted;  /* the hook set our verdict aside */
  int error;    /* of the hook */
  uint32_t raw; /* Mbed TLS's flags, of all certificates */
  unsigned int problems;
  const mbedtls_x509_crt* top; /* its issuer is not known or trusted */
  const mbedtls_x509_crt* expired;
  const mbedtls_x509_crt* future;
} uvsmtp__tls_judge_t;

/* What was found when the session that is to be resumed began. */
typedef struct uvsmtp__tls_earlier_s {
  uint64_t until;
  int verified;
  unsigned int problems;
  uvsmtp__blob_t* problem_text;
  uvsmtp__blob_t* certificate;
} uvsmtp__tls_earlier_t;

struct uvsmtp__tls_conn_s {
  mbedtls_ssl_context ssl;
  uvsmtp__mem_t mem;
  uvsmtp_tls_t* tls;
  uvsmtp_tls_info_t* info;
  uvsmtp__tls_judge_t judge;
  uvsmtp__tls_earlier_t earlier;
  const char* in; /* borrowed input, behind what was kept */
  size_t in_len;
  uvsmtp__buf_t kept;
  uvsmtp__buf_t out;
  char* key; /* of the cache */
  size_t key_len;
  uint64_t forgotten; /* the settings', when this began */
  int error;          /* stays */
  int send_error;     /* why output could not be taken */
  unsigned char address[16];
  unsigned char address_len;
  unsigned char strict; /* what is wrong ends the handshake */
  unsigned char begun;
  unsigned char ended;
  unsigned char starved; /* Mbed TLS asked for input, and there was none */
  unsigned char closed;
  unsigned char offered; /* an earlier session */
  unsigned char tickets; /* taken */
};

/* Mbed TLS's question for each certificate of the chain; arg: the filter. */
int uvsmtp__tls_verify(void* arg, mbedtls_x509_crt* crt, int depth,
                       uint32_t* flags);
/* The problems that Mbed TLS's flags stand for. */
unsigned int uvsmtp__tls_problems_of(uint32_t flags);
/* The words for what was found. */
void uvsmtp__tls_explain(uvsmtp__tls_conn_t* conn,
                         const mbedtls_x509_crt* leaf);

struct uvsmtp_tls_chain_s {
  const mbedtls_x509_crt* leaf;
  const char* name;
  unsigned int problems;
};

/* ------------------------------------ what differs between the versions */

/* The random source, and what else has to be there before any call. 0,
 * -ENOMEM, UVSMTP_ETLS. */
int uvsmtp__mbed_open(uvsmtp_tls_t* tls);
void uvsmtp__mbed_close(uvsmtp_tls_t* tls);
/* Versions, groups, signatures, tickets. 0 or Mbed TLS's error. */
int uvsmtp__mbed_configure(uvsmtp_tls_t* tls, mbedtls_ssl_config* conf);
int uvsmtp__mbed_parse_key(uvsmtp_tls_t* tls, const unsigned char* data,
                           size_t len, const unsigned char* pwd,
                           size_t pwd_len);
int uvsmtp__mbed_check_pair(uvsmtp_tls_t* tls);
/* 1: may issue, as far as the basic constraints say. */
int uvsmtp__mbed_is_ca(const mbedtls_x509_crt* crt);
int uvsmtp__mbed_over(const mbedtls_ssl_context* ssl);
/* 1: the step that comes next computes with public keys. signs: we have a
 * certificate. */
int uvsmtp__mbed_costly(const mbedtls_ssl_context* ssl, int signs);
/* The description in the fatal alert that came, or -1. */
int uvsmtp__mbed_alert(const mbedtls_ssl_context* ssl);
/* 1: the code says that a ticket came. */
int uvsmtp__mbed_is_ticket(int rc);
/* 1: it can be resumed at all. *lifetime: seconds, 0 when not known. */
int uvsmtp__mbed_resumable(const mbedtls_ssl_session* session,
                           uint32_t* lifetime);

#endif
