/* SPDX-License-Identifier: MIT */
/* uvsmtp/tls.h: TLS: whom to trust, how to show who we are, what came of it.
 *
 * Settings (uvsmtp_tls_t) are made once and shared by any number of sessions of
 * one loop: they hold the trusted certificates, which take milliseconds to
 * read, and the cache of sessions that can be resumed. When a session secures
 * its connection is said in its target: a policy. See docs/tls.md. */
#ifndef UVSMTP_TLS_H
#define UVSMTP_TLS_H

#include "uvsmtp/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ----------------------------------------------------------- TLS policies */

/* When a connection is secured (RFC 3207, RFC 8314). */
enum uvsmtp_tls_policy {
  /* IMPLICIT for port 465, REQUIRED for port 587, NONE for a Unix socket, else
   * OPPORTUNISTIC. */
  UVSMTP_TLS_DEFAULT = 0,
  /* Clear text; uvsmtp_starttls may still be called. */
  UVSMTP_TLS_NONE = 1,
  /* STARTTLS where it is offered, else clear text. Whoever answers is taken for
   * the server: what is wrong with the certificate is only reported (a wrong
   * pin, or a hook that refuses, still fails), so that this keeps out
   * listeners, not those who can change what is sent. When the handshake fails
   * the session ends: to go on in clear text is the caller's decision, by a new
   * connect. */
  UVSMTP_TLS_OPPORTUNISTIC = 2,
  /* STARTTLS, or nothing: without TLS only EHLO, STARTTLS, NOOP and QUIT leave,
   * and the certificate has to be right. */
  UVSMTP_TLS_REQUIRED = 3,
  /* TLS before the greeting, and the certificate has to be right. */
  UVSMTP_TLS_IMPLICIT = 4
};

/* Versions, as they stand on the wire. */
enum uvsmtp_tls_version {
  UVSMTP_TLS_1_2 = 0x0303, /* RFC 5246 */
  UVSMTP_TLS_1_3 = 0x0304  /* RFC 8446: needs Mbed TLS 3.6 or later */
};

/* ----------------------------------------------------------- TLS settings */

/* Settings, counted by reference. They never change, so that a session that is
 * resumed was made under the same trust. Of one loop's thread, like all that
 * uses them. */
typedef struct uvsmtp_tls_s uvsmtp_tls_t;

/* The certificates that the server sent, its own first, while a verify hook
 * looks at them. What is behind the first is what the server says of itself:
 * anybody may send anybody's certificate, so that one is there does not mean
 * that it signed anything. */
typedef struct uvsmtp_tls_chain_s uvsmtp_tls_chain_t;
/* How many there are, at least 1. */
UVSMTP_EXTERN size_t uvsmtp_tls_chain_count(const uvsmtp_tls_chain_t* chain);
/* Certificate i in DER; an empty slice past the end. Lives until the hook
 * returns. */
UVSMTP_EXTERN uvsmtp_slice_t
uvsmtp_tls_chain_certificate(const uvsmtp_tls_chain_t* chain, size_t i);
/* The name that the server is to have, as an A-label or address; NULL: there
 * was none to check. Lives until the hook returns. */
UVSMTP_EXTERN const char* uvsmtp_tls_chain_name(
    const uvsmtp_tls_chain_t* chain);
/* What the library finds wrong, a set of uvsmtp_tls_problem; 0: nothing. */
UVSMTP_EXTERN unsigned int uvsmtp_tls_chain_problems(
    const uvsmtp_tls_chain_t* chain);

/* Judges a certificate chain, after the library has: the place for DANE (RFC
 * 7672) or MTA-STS (RFC 8461). UVSMTP_TLS_VERDICT_OWN leaves the library's
 * verdict as it is, UVSMTP_TLS_VERDICT_TRUST sets it aside, and a negative
 * error refuses the server, whatever the policy: it is the cause of the
 * failure. Called once in each full handshake, from within the library's work:
 * the rules of a source's functions hold. It is not asked again when a session
 * is resumed: see uvsmtp_tls_forget. */
typedef int (*uvsmtp_tls_verify_cb)(void* arg, const uvsmtp_tls_chain_t* chain);
/* What a verify hook may say, beside a negative error. */
enum uvsmtp_tls_verdict {
  UVSMTP_TLS_VERDICT_OWN = 0,  /* what the library has found counts */
  UVSMTP_TLS_VERDICT_TRUST = 1 /* the certificate is right all the same */
};

/* Puts the passphrase of the private key into buf, at most cap octets, and
 * returns its length, or a negative error. Called by uvsmtp_tls_new, and only
 * for a key that is encrypted; buf is wiped after. */
typedef int (*uvsmtp_tls_passphrase_cb)(void* arg, char* buf, size_t cap);

enum uvsmtp_tls_flags {
  /* Whoever answers is taken for the server, also where the policy says that
   * the certificate has to be right. Pins and the verify hook still count. */
  UVSMTP_TLS_INSECURE = 1u << 0,
  /* Each handshake is a full one. */
  UVSMTP_TLS_NO_RESUMPTION = 1u << 1
};

typedef struct uvsmtp_tls_config_s {
  size_t size;
  const uvsmtp_mem_t* mem; /* NULL: malloc and free; copied. Mbed TLS itself
                              uses calloc, unless it was built otherwise */
  unsigned int flags;      /* uvsmtp_tls_flags */
  /* Whom to trust: all that is given here together, or, when nothing is, the
   * certificates that the system trusts. */
  const char* ca_file; /* a file of certificates in PEM, or one in DER */
  const char* ca_dir;  /* a directory of such files; those that are none are
                          skipped */
  uvsmtp_slice_t ca;   /* as a file's contents */
  /* Who we are, if the server asks: a certificate, with the ones it was signed
   * by behind it, and its private key; in a file or in memory, PEM or DER. The
   * key may be NULL when it is in the certificate's file. */
  const char* cert_file;
  const char* key_file; /* the private key's file, if it is another */
  uvsmtp_slice_t cert;  /* as the contents of cert_file */
  uvsmtp_slice_t key;   /* as those of key_file */
  uvsmtp_tls_passphrase_cb passphrase; /* NULL: the key is not encrypted */
  void* passphrase_arg;
  int min_version; /* uvsmtp_tls_version; 0: 1.2. None below can be had */
  int max_version; /* 0: the latest that there is */
  const char*
      ciphers;      /* names of cipher suites, best first, with colons, commas
                       or blanks between them, as the IANA registers them
                       ("TLS_AES_128_GCM_SHA256"), or as Mbed TLS writes them
                       ("TLS1-3-AES-128-GCM-SHA256"); NULL: those that give
                       forward secrecy by elliptic curves and are not broken,
                       fast ones first */
  const char* name; /* what the server is to be called, instead of the target's
                       host; a target's tls_name counts more */
  /* The server's own certificate or key has to be one of these, beside all
   * else: "sha256//" and Base64 is the SHA-256 of its public key (DER
   * SubjectPublicKeyInfo, as curl's and RFC 7469's), "sha256:" and 64
   * hexadecimal digits, with colons or without, that of its certificate. With
   * UVSMTP_TLS_INSECURE it is all that counts. */
  const char* const* pins;
  size_t npins;
  uvsmtp_tls_verify_cb verify; /* or NULL */
  void* verify_arg;
  uint32_t cache_size; /* sessions kept for resumption; 0: 256 */
  uint32_t cache_age;  /* seconds that one is kept at most; 0: 7200. A server's
                          own limit may be lower */
} uvsmtp_tls_config_t;
#define UVSMTP_TLS_CONFIG_INIT                                               \
  {                                                                          \
    sizeof(uvsmtp_tls_config_t), NULL, 0, NULL, NULL, {NULL, 0}, NULL, NULL, \
        {NULL, 0}, {NULL, 0}, NULL, NULL, 0, 0, NULL, NULL, NULL, 0, NULL,   \
        NULL, 0, 0                                                           \
  }

/* Makes settings; config NULL: all defaults. Reads the files, which takes some
 * milliseconds for a system's certificates: do it when the program begins. Of
 * a file with several certificates those that can't be read are skipped, as
 * long as one can. A system without any is no error here, but every server
 * that has to prove who it is fails then. 0; UV_EINVAL (what is given
 * contradicts itself or can't be understood: unknown cipher, bad pin, a key
 * without certificate, versions out of order), UV_ENOTSUP (a version or name
 * that this build can't do), UV_ENOMEM, an error of reading (UV_ENOENT,
 * UV_EACCES ...), an error of the passphrase function, UVSMTP_ETLS (no
 * certificate or key in it, wrong passphrase, key of another certificate). On
 * failure *reason, if reason is not NULL, is a static text that says which of
 * these. */
UVSMTP_EXTERN int uvsmtp_tls_new(uvsmtp_tls_t** tls,
                                 const uvsmtp_tls_config_t* config,
                                 const char** reason);

/* One more, or one less, who uses them: uvsmtp_tls_new counts as one, and
 * environments and sessions count by themselves. The last one frees. NULL is
 * fine for unref. */
UVSMTP_EXTERN uvsmtp_tls_t* uvsmtp_tls_ref(uvsmtp_tls_t* tls);
UVSMTP_EXTERN void uvsmtp_tls_unref(uvsmtp_tls_t* tls);

/* Drops all sessions that could be resumed, those of connections that are open
 * now too: what the verify hook would say has changed. Not from within a hook
 * or an allocator. */
UVSMTP_EXTERN void uvsmtp_tls_forget(uvsmtp_tls_t* tls);

/* How handshakes went, since the settings were made. */
typedef struct uvsmtp_tls_stats_s {
  size_t size;      /* set by the caller */
  uint64_t full;    /* full handshakes that succeeded */
  uint64_t resumed; /* sessions that were resumed */
  uint64_t refused; /* sessions offered for resumption that the server did not
                       take: those became full ones */
  uint64_t failed;  /* handshakes that failed */
  uint64_t cached;  /* sessions in the cache now */
} uvsmtp_tls_stats_t;
#define UVSMTP_TLS_STATS_INIT \
  { sizeof(uvsmtp_tls_stats_t), 0, 0, 0, 0, 0 }
/* UV_EINVAL for a wrong size. */
UVSMTP_EXTERN int uvsmtp_tls_stats(const uvsmtp_tls_t* tls,
                                   uvsmtp_tls_stats_t* stats);

/* The library that does TLS, such as "Mbed TLS 3.6.6", and the latest version
 * of TLS that it can do (uvsmtp_tls_version). Static; any thread. */
UVSMTP_EXTERN const char* uvsmtp_tls_library(void);
UVSMTP_EXTERN int uvsmtp_tls_library_version(void);

/* ---------------------------------------------------- TLS of a connection */

/* What can be wrong with a server's certificate. */
enum uvsmtp_tls_problem {
  UVSMTP_TLS_EXPIRED = 1u << 0,     /* it, or one it hangs on */
  UVSMTP_TLS_FUTURE = 1u << 1,      /* not valid yet */
  UVSMTP_TLS_WRONG_NAME = 1u << 2,  /* it is another server's (RFC 9525) */
  UVSMTP_TLS_SELF_SIGNED = 1u << 3, /* by nobody but itself, and not trusted */
  UVSMTP_TLS_UNKNOWN_CA = 1u << 4,  /* it leads to nobody who is trusted */
  UVSMTP_TLS_NOT_A_CA = 1u << 5,    /* its issuer may not issue */
  UVSMTP_TLS_WRONG_USE = 1u << 6,   /* not for a server: (extended) key usage */
  UVSMTP_TLS_WEAK = 1u << 7, /* hash, signature or key below what is accepted */
  UVSMTP_TLS_REVOKED = 1u << 8,   /* by a list of revocations */
  UVSMTP_TLS_WRONG_PIN = 1u << 9, /* none of the pins is its */
  UVSMTP_TLS_NO_TRUST = 1u << 10, /* no trusted certificate is configured */
  UVSMTP_TLS_REFUSED = 1u << 11,  /* by the verify hook */
  UVSMTP_TLS_OTHER = 1u << 12     /* something else that Mbed TLS names */
};

/* What is known of a connection's TLS: uvsmtp_tls_info_t of types.h. Lives as
 * long as what it was got from says. */

/* 1 while or once the handshake has succeeded, 0 before and if it failed. */
UVSMTP_EXTERN int uvsmtp_tls_info_established(const uvsmtp_tls_info_t* info);
/* An enum uvsmtp_tls_version, 0 before there is one; and its name, "TLSv1.2",
 * "TLSv1.3" or "". */
UVSMTP_EXTERN int uvsmtp_tls_info_version(const uvsmtp_tls_info_t* info);
UVSMTP_EXTERN const char* uvsmtp_tls_info_version_name(
    const uvsmtp_tls_info_t* info);
/* The suite's name in the registry of the IANA; "" before there is one. */
UVSMTP_EXTERN const char* uvsmtp_tls_info_cipher(const uvsmtp_tls_info_t* info);
/* 1: an earlier session was resumed, without certificates. */
UVSMTP_EXTERN int uvsmtp_tls_info_resumed(const uvsmtp_tls_info_t* info);
/* The name that was looked for in the certificate (A-label or address); NULL:
 * none. */
UVSMTP_EXTERN const char* uvsmtp_tls_info_name(const uvsmtp_tls_info_t* info);
/* 1: the server has proven that it has this name, to someone who trusts what
 * the settings do, now or when the session that was resumed began; 0: it has
 * not, and where the policy or the settings allow that, the session goes on
 * all the same. */
UVSMTP_EXTERN int uvsmtp_tls_info_verified(const uvsmtp_tls_info_t* info);
/* A set of uvsmtp_tls_problem, 0 for none found; and in words, such as
 * "expired; not issued for mx.example.net", "" for none. */
UVSMTP_EXTERN unsigned int uvsmtp_tls_info_problems(
    const uvsmtp_tls_info_t* info);
UVSMTP_EXTERN const char* uvsmtp_tls_info_problem_text(
    const uvsmtp_tls_info_t* info);
/* Why the handshake failed or the connection broke, in words, such as "the
 * server refused: handshake failure (-0x7780)"; "" if neither did. */
UVSMTP_EXTERN const char* uvsmtp_tls_info_error_text(
    const uvsmtp_tls_info_t* info);
/* The server's own certificate in DER, also of a session that was resumed; an
 * empty slice: not known. */
UVSMTP_EXTERN uvsmtp_slice_t
uvsmtp_tls_info_certificate(const uvsmtp_tls_info_t* info);

/* ------------------------------------------------------------- certificates */

/* A certificate (DER) in words for people, several lines: subject, issuer,
 * validity, names. At most cap octets with the final NUL; returns the length
 * without it, UV_ENOBUFS, or UVSMTP_ETLS for what is no certificate. Any
 * octet from the certificate that a terminal could obey is escaped. */
UVSMTP_EXTERN int uvsmtp_tls_certificate_text(uvsmtp_slice_t certificate,
                                              char* buf, size_t cap);
/* What to write as a pin for it (see uvsmtp_tls_config_t): its key's
 * ("sha256//...") when key is 1, its own ("sha256:...") when key is 0. 0,
 * UV_ENOBUFS (cap is less than 72), UVSMTP_ETLS. */
UVSMTP_EXTERN int uvsmtp_tls_certificate_pin(uvsmtp_slice_t certificate,
                                             int key, char* buf, size_t cap);

#ifdef __cplusplus
}
#endif
#endif
