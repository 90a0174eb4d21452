/* SPDX-License-Identifier: MIT */
/* uvsmtp/auth.h: AUTH (RFC 4954): who one is, how that is proven, and by which
 * mechanisms (RFC 4422).
 *
 * Credentials are made once and shared by any number of sessions of one loop.
 * They are used where a target has them, by every hello, MAIL and message of
 * its sessions; or by uvsmtp_login. After a login that failed nothing of a
 * message leaves that session until one succeeds. See docs/auth.md. */
#ifndef UVSMTP_AUTH_H
#define UVSMTP_AUTH_H

#include "uvsmtp/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Credentials, counted by reference. Of one loop's thread, like all that uses
 * them. */
typedef struct uvsmtp_credentials_s uvsmtp_credentials_t;

/* One run of a mechanism: what it is given, and where it puts what it has to
 * say. Lives from its mechanism's first step until its finish returns. */
typedef struct uvsmtp_exchange_s uvsmtp_exchange_t;

/* ------------------------------------------------------------- mechanisms */

enum uvsmtp_mech_flags {
  /* The client may speak first: step is called before there is a challenge, and
   * what it says goes into the AUTH command where that is allowed and short
   * enough, else behind the server's first, empty challenge. */
  UVSMTP_MECH_CLIENT_FIRST = 1u << 0,
  /* The server has to prove itself too: if it does not, no other mechanism is
   * tried. */
  UVSMTP_MECH_MUTUAL = 1u << 1,
  /* Challenges are prompts for people: one that is not in base64 is handed to
   * step as it is. */
  UVSMTP_MECH_ANY_CHALLENGE = 1u << 2,
  /* It is bound to its TLS connection. When the server refuses it, however that
   * is, no other mechanism is tried: whoever is in between can't have bound it,
   * and would be glad of another (RFC 5802 6). */
  UVSMTP_MECH_BINDS = 1u << 3
};

/* What step returns besides a negative error. */
enum uvsmtp_mech_status {
  /* The response is there (maybe an empty one). If the server now says that all
   * is well, it is. */
  UVSMTP_MECH_SEND = 0,
  /* The response is there, but to accept it would be premature: the server has
   * something to prove yet, or has said already that it refuses. */
  UVSMTP_MECH_CONTINUE = 1,
  /* Not yet: step is called again, with the same challenge, after
   * uvsmtp_exchange_wake. The deadline of the phase runs. */
  UVSMTP_MECH_WAIT = 2,
  /* There is more to compute: step is called again, with the same challenge,
   * after others have had their turn. A call should take less than a quarter of
   * a millisecond. */
  UVSMTP_MECH_AGAIN = 3
};

/* A mechanism: one of the library's (uvsmtp_mech), or of the caller's own:
 * smtplib's authobject. It is often part of a struct of the caller's, never
 * changes, and lives as long as any credentials that name it and any session
 * that uses it. Its functions run on the loop's thread from within the
 * library's work, and may call nothing but uvsmtp_exchange_*; they must not
 * longjmp or throw. */
typedef struct uvsmtp_mech_s uvsmtp_mech_t;
struct uvsmtp_mech_s {
  size_t size;        /* sizeof(uvsmtp_mech_t) */
  const char* name;   /* as in EHLO: 1 to 20 of A-Z, 0-9, "-" and "_" (RFC 4422
                         3.1); found there in any case */
  unsigned int flags; /* uvsmtp_mech_flags */
  /* The next response, raw: put it with uvsmtp_exchange_respond. challenge is
   * decoded and not terminated, NULL only for the first step of CLIENT_FIRST,
   * and lives until this returns. A uvsmtp_mech_status, or a negative error:
   * the exchange is cancelled, and the next mechanism tried, but for MUTUAL
   * once the server has spoken. Such an error before anything was sent means
   * that these credentials can't be said by this mechanism. */
  int (*step)(const uvsmtp_mech_t* self, uvsmtp_exchange_t* exchange,
              const uvsmtp_slice_t* challenge);
  /* The server has refused the credentials (535). 1: begin anew, once a login,
   * as with a token that is fetched anew; 0: don't. May be NULL. */
  int (*refused)(const uvsmtp_mech_t* self, uvsmtp_exchange_t* exchange);
  /* The run is over, whatever came of it: free what uvsmtp_exchange_set_data
   * keeps. Once for each run. May be NULL. */
  void (*finish)(const uvsmtp_mech_t* self, uvsmtp_exchange_t* exchange);
};
#define UVSMTP_MECH_INIT(name, flags, step) \
  { sizeof(uvsmtp_mech_t), (name), (flags), (step), NULL, NULL }

/* A mechanism of the library's, in any case, or NULL: SCRAM-SHA-256-PLUS,
 * SCRAM-SHA-256, SCRAM-SHA-1, CRAM-MD5, OAUTHBEARER, XOAUTH2, PLAIN, LOGIN,
 * EXTERNAL. Static; any thread. */
UVSMTP_EXTERN const uvsmtp_mech_t* uvsmtp_mech(const char* name);
/* The i-th of them, strongest first, or NULL past the end. */
UVSMTP_EXTERN const uvsmtp_mech_t* uvsmtp_mech_at(size_t i);

/* ---------------------------------------------- for a mechanism's functions */

/* What the credentials say; empty where they say nothing. They live as long as
 * the exchange; not terminated. */
UVSMTP_EXTERN uvsmtp_slice_t
uvsmtp_exchange_user(const uvsmtp_exchange_t* exchange);
UVSMTP_EXTERN uvsmtp_slice_t
uvsmtp_exchange_password(const uvsmtp_exchange_t* exchange);
UVSMTP_EXTERN uvsmtp_slice_t
uvsmtp_exchange_authzid(const uvsmtp_exchange_t* exchange);
/* The server as the target has it, without port ("" for what is local, or was
 * handed over to a session without a target), and its port, 0 if unknown. */
UVSMTP_EXTERN const char* uvsmtp_exchange_host(
    const uvsmtp_exchange_t* exchange);
UVSMTP_EXTERN int uvsmtp_exchange_port(const uvsmtp_exchange_t* exchange);
/* 1 when the server offers this mechanism, in any case, else 0. */
UVSMTP_EXTERN int uvsmtp_exchange_offers(const uvsmtp_exchange_t* exchange,
                                         const char* mech);
/* 1 in the run that refused asked for, else 0. */
UVSMTP_EXTERN int uvsmtp_exchange_retries(const uvsmtp_exchange_t* exchange);
/* Octets that bind the exchange to its TLS connection: len of them from RFC
 * 9266's exporter into buf. UV_ENOTSUP: no TLS, or its library can't. */
UVSMTP_EXTERN int uvsmtp_exchange_binding(const uvsmtp_exchange_t* exchange,
                                          void* buf, size_t len);

/* Appends to the response. Copied, and wiped when it has been answered. 0,
 * UV_EMSGSIZE (over 9,216 octets, RFC 4954 4), UV_ENOMEM. */
UVSMTP_EXTERN int uvsmtp_exchange_respond(uvsmtp_exchange_t* exchange,
                                          const void* data, size_t len);

/* Why it fails, should it: for uvsmtp_result_detail. Copied, up to 4,096
 * octets; the last one counts. No secrets here. */
UVSMTP_EXTERN void uvsmtp_exchange_explain(uvsmtp_exchange_t* exchange,
                                           const char* text, size_t len);

/* What said WAIT can go on. From anywhere on the loop's thread, until
 * finish. */
UVSMTP_EXTERN void uvsmtp_exchange_wake(uvsmtp_exchange_t* exchange);

/* The mechanism's own pointer, NULL at first. */
UVSMTP_EXTERN void* uvsmtp_exchange_data(const uvsmtp_exchange_t* exchange);
UVSMTP_EXTERN void uvsmtp_exchange_set_data(uvsmtp_exchange_t* exchange,
                                            void* data);

/* ----------------------------------------------------------------- tokens */

/* A token is wanted. */
typedef struct uvsmtp_token_query_s uvsmtp_token_query_t;

/* Finds the token of OAUTHBEARER and XOAUTH2, as an application has it in a
 * cache or fetches it over HTTP. Returns 0: uvsmtp_token_done will be called
 * for query, maybe before this returns; the deadline of the phase runs
 * meanwhile. Or a negative error, and no more is heard of query. Runs from
 * within the library's work: the rules of a source's functions hold. */
typedef int (*uvsmtp_token_cb)(void* arg, uvsmtp_token_query_t* query);

/* 1 when the server has refused the one before to this mechanism, so that a new
 * one is needed: once in a login. */
UVSMTP_EXTERN int uvsmtp_token_query_refresh(const uvsmtp_token_query_t* query);

/* The answer, exactly once: 0 and a token, which is copied and later wiped, or
 * an error, which is then the login's cause. From anywhere on the loop's
 * thread, also when the session is long gone: query is what has to be kept, and
 * is gone after. UV_EINVAL for an empty token, or one with controls, blanks or
 * octets above 126 (RFC 6750 2.1); UV_ENOMEM: the login then fails with that.
 */
UVSMTP_EXTERN int uvsmtp_token_done(uvsmtp_token_query_t* query, int status,
                                    const char* token, size_t len);

/* ------------------------------------------------------------ credentials */

enum uvsmtp_auth_flags {
  /* Log in without TLS, or within TLS whose server has not proven who it is
   * (see UVSMTP_TLS_OPPORTUNISTIC): PLAIN, LOGIN and tokens then are there for
   * all to read. Without it no mechanism is used there. A Unix socket with a
   * server's path needs no such flag. */
  UVSMTP_AUTH_ALLOW_PLAINTEXT = 1u << 0,
  /* Nothing in the AUTH command itself: smtplib's initial_response_ok=False. */
  UVSMTP_AUTH_NO_INITIAL_RESPONSE = 1u << 1,
  /* The mechanisms named, or of the caller's own, are tried whether or not the
   * server offers them; no others are. */
  UVSMTP_AUTH_FORCE = 1u << 2
};

/* What is copied, and wiped when the last reference goes. Any octets that the
 * mechanism can carry: SCRAM printable ASCII only; CRAM-MD5 no NUL, CR or LF in
 * the name; PLAIN no NUL; LOGIN all. PLAIN, LOGIN and CRAM-MD5 say them as they
 * are given: a server of today expects UTF-8. OAUTHBEARER and XOAUTH2 take a
 * name without NUL and 0x01. */
typedef struct uvsmtp_credentials_config_s {
  size_t size;
  const uvsmtp_mem_t* mem;  /* NULL: malloc and free. Copied */
  const char* user;         /* the name; NULL or empty: none */
  size_t user_len;          /* octets of it; 0: up to its NUL */
  const char* password;     /* likewise */
  size_t password_len;      /* likewise */
  const char* authzid;      /* RFC 4422: whom to act as; NULL: oneself. PLAIN,
                               SCRAM, EXTERNAL and OAUTHBEARER can say it */
  size_t authzid_len;       /* likewise */
  const char* token;        /* for OAUTHBEARER and XOAUTH2; NULL: none. Or: */
  size_t token_len;         /* likewise */
  uvsmtp_token_cb token_cb; /* asked for it at each login; NULL */
  void* token_arg;
  const char* mechs; /* only these, separated by blanks or commas, in any case:
                        strongest first, whatever their order here; each must
                        be able to say what is given above. NULL: all that
                        can; EXTERNAL only if there is no user, password, token
                        or mechanism of the caller's own */
  const uvsmtp_mech_t* const* own; /* mechanisms of the caller's own, tried
                                      before all others, in this order, whether
                                      or not mechs names them; instead of one of
                                      the library's that has the same name */
  size_t nown;
  unsigned int flags; /* uvsmtp_auth_flags; FORCE needs mechs or own */
} uvsmtp_credentials_config_t;
#define UVSMTP_CREDENTIALS_CONFIG_INIT                                    \
  {                                                                       \
    sizeof(uvsmtp_credentials_config_t), NULL, NULL, 0, NULL, 0, NULL, 0, \
        NULL, 0, NULL, NULL, NULL, NULL, 0, 0                             \
  }

/* Makes credentials with one reference, the caller's. 0, UV_ENOMEM, UVSMTP_ETLS
 * (no cryptography to be had), or UV_EINVAL: a mechanism named that there is
 * not, or one that can't carry what was given (a NUL in PLAIN, a control or
 * blank in a token, a name without password where it needs both ...), or
 * nothing that any mechanism could use. *why, if why is not NULL, then says so
 * in a sentence: static, never a secret. */
UVSMTP_EXTERN int uvsmtp_credentials_new(
    uvsmtp_credentials_t** credentials,
    const uvsmtp_credentials_config_t* config, const char** why);

/* One reference more (returns its argument), or less: the last one wipes and
 * frees. NULL is fine. Not from within a hook. */
UVSMTP_EXTERN uvsmtp_credentials_t* uvsmtp_credentials_ref(
    uvsmtp_credentials_t* credentials);
UVSMTP_EXTERN void uvsmtp_credentials_unref(uvsmtp_credentials_t* credentials);

#ifdef __cplusplus
}
#endif
#endif
