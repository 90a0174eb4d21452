/* SPDX-License-Identifier: MIT */
/* auth.h: AUTH as the engine sees it: credentials are mechanisms in an order,
 * and an exchange runs one of them after the other. How a mechanism computes
 * what it says, and how secrets are kept, is lib/sasl's: the engine is pure, so
 * what needs a library comes with the credentials, as functions. */
#ifndef UVSMTP_CORE_AUTH_H
#define UVSMTP_CORE_AUTH_H

#include "core/buf.h"
#include "core/caps.h"
#include "uvsmtp/proto.h"

enum {
  UVSMTP__AUTH_LINE_MAX = 12288,  /* base64 of a challenge or a response (RFC
                                     4954 4) */
  UVSMTP__AUTH_RAW_MAX = 9216,    /* the same decoded */
  UVSMTP__AUTH_COMMAND_MAX = 512, /* AUTH with an initial response and CRLF (RFC
                                     4954 4, RFC 5321 4.5.3.1.4) */
  UVSMTP__AUTH_ROUNDS_MAX = 5,    /* challenges answered: as smtplib's */
  UVSMTP__AUTH_DETAIL_MAX = 4096
};

/* All that there are. */
#define UVSMTP__AUTH_FLAGS                      \
  ((unsigned int)(UVSMTP_AUTH_ALLOW_PLAINTEXT | \
                  UVSMTP_AUTH_NO_INITIAL_RESPONSE | UVSMTP_AUTH_FORCE))

/* What the engine needs of others where secrets are concerned. */
typedef struct uvsmtp__secrets_s {
  void (*wipe)(void* p, size_t n);
  /* Base64 (RFC 4648 4) of n octets, which is (n + 2) / 3 * 4 octets without
   * NUL, to `to`. */
  void (*encode)(char* to, const void* from, size_t n);
  /* Decodes n octets, strictly: no blank, all padding. `to` has room for n / 4
   * * 3. How many it made, or -EINVAL. */
  ptrdiff_t (*decode)(void* to, const char* from, size_t n);
  /* Do the credentials hold what this mechanism needs? 1, or 0. */
  int (*fits)(const uvsmtp_credentials_t* credentials,
              const uvsmtp_mech_t* mech);
  /* Nobody refers to the credentials any more. */
  void (*gone)(uvsmtp_credentials_t* credentials);
} uvsmtp__secrets_t;

/* The part of credentials that the engine knows; lib/sasl's begin with it. */
struct uvsmtp_credentials_s {
  const uvsmtp__secrets_t* secrets;
  const uvsmtp_mech_t* const* mechs; /* that can say these, in the order in
                                        which to try them */
  size_t nmechs;
  unsigned int refs;
  unsigned int flags; /* uvsmtp_auth_flags */
  uvsmtp_slice_t user;
  uvsmtp_slice_t password;
  uvsmtp_slice_t authzid;
};

/* Octets that may be secret: never left behind when they move. */
typedef struct uvsmtp__veil_s {
  char* base;
  uint32_t len;
  uint32_t cap;
} uvsmtp__veil_t;

/* Credentials at work in one session. It is small, since it stays where the
 * target has them. */
struct uvsmtp_exchange_s {
  uvsmtp__mem_t mem;
  uvsmtp_credentials_t* credentials; /* counted */
  const uvsmtp_mech_t* only;         /* instead of the credentials' list */
  const uvsmtp_mech_t* mech;         /* of the run, or of the last */
  const uvsmtp__caps_t* caps;        /* what the server offers */
  void* data;                        /* the mechanism's own */
  unsigned int flags;                /* uvsmtp_auth_flags */
  uint32_t next; /* index of the mechanism to try, or of an earlier one */
  int fault;     /* what was wrong with a challenge, or 0 */
  uvsmtp__veil_t challenge; /* decoded, until it is answered */
  uvsmtp__veil_t response;  /* raw */
  uvsmtp__veil_t line;      /* as it is sent, by reference: until its reply */
  char* detail;             /* or NULL */
  uint32_t detail_size;
  int port; /* this and the next of uvsmtp_auth_host_t */
  struct {
    void (*wake)(void* arg);
    int (*binding)(void* arg, void* buf, size_t len);
    void* arg;
  } host;
  unsigned int rounds : 8;     /* challenges in this run */
  unsigned int running : 1;    /* between a first step and finish */
  unsigned int challenged : 1; /* challenge is there */
  unsigned int held : 1;       /* response waits for an empty challenge */
  unsigned int waits : 1;      /* step said WAIT */
  unsigned int works : 1;      /* ... AGAIN */
  unsigned int unproven : 1;   /* ... CONTINUE: not to be accepted yet */
  unsigned int retries : 1;    /* this run is a second one */
  unsigned int redo : 1;       /* the next one will be */
  unsigned int retried : 1;    /* there has been one in this login */
  unsigned int stop : 1;       /* no other mechanism */
  unsigned int begun : 1;      /* AUTH has been said */
  unsigned int woken : 1;      /* within step, already */
  unsigned int refused : 1;    /* the last run failed */
  unsigned int accepted : 1;   /* the login has succeeded */
  char host_name[];            /* host.name's copy */
};

/* Is a mechanism of the caller's filled in? 0 or -EINVAL. */
int uvsmtp__check_mech(const uvsmtp_mech_t* mech);

/* Is what request says of AUTH possible? 0 or -EINVAL. */
int uvsmtp__check_auth(const uvsmtp_request_t* request);

/* Credentials at rest, from a checked request; NULL: no memory. */
uvsmtp_exchange_t* uvsmtp__exchange_new(const uvsmtp__mem_t* mem,
                                        const uvsmtp_request_t* request);
/* Ends a run, wipes and frees. NULL is fine. */
void uvsmtp__exchange_free(uvsmtp_exchange_t* x);
/* A run is over, if there is one: nothing secret stays. */
void uvsmtp__auth_over(uvsmtp_exchange_t* x);

/* Room for n octets at the end: where to put them, or NULL. */
char* uvsmtp__veil_reserve(const uvsmtp_exchange_t* x, uvsmtp__veil_t* v,
                           size_t n);
/* Wipes it and gives the memory back. */
void uvsmtp__veil_drop(const uvsmtp_exchange_t* x, uvsmtp__veil_t* v);

#endif
