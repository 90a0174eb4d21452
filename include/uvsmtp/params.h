/* SPDX-License-Identifier: MIT */
/* uvsmtp/params.h: what a message asks of the server beyond its delivery, by
 * the extensions that define parameters of MAIL and RCPT.
 *
 * What is malformed is refused at once (UV_EINVAL). What the server does not
 * offer, or not in that range, fails the message before anything of it is sent:
 * UVSMTP_ENOTSUPPORTED, UVSMTP_OUTCOME_REJECTED, and uvsmtp_result_detail says
 * in a sentence what was missing; the cause is UV_ERANGE for a value outside of
 * what the server allows. Raw options of a message that name the same keyword
 * are sent in the place of these, unchecked. */
#ifndef UVSMTP_PARAMS_H
#define UVSMTP_PARAMS_H

#include <stddef.h>
#include <stdint.h>

#include "uvsmtp/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* When a recipient's delivery is to be reported on (RFC 3461 4.1): a set, NEVER
 * alone; 0: nothing is said, so that the server reports failures. */
enum uvsmtp_dsn_notify {
  UVSMTP_DSN_NEVER = 1u << 0,   /* whatever happens */
  UVSMTP_DSN_SUCCESS = 1u << 1, /* it was delivered */
  UVSMTP_DSN_FAILURE = 1u << 2, /* it can't be */
  UVSMTP_DSN_DELAY = 1u << 3    /* it has not been yet */
};

/* What a report on a failure brings back (RFC 3461 4.3). */
enum uvsmtp_dsn_ret {
  UVSMTP_DSN_RET_DEFAULT = 0, /* nothing is said */
  UVSMTP_DSN_RET_FULL = 1,    /* the message */
  UVSMTP_DSN_RET_HDRS = 2     /* its header */
};

/* BODY (RFC 6152). Octets as they are, BODY=BINARYMIME, are line ends: see
 * UVSMTP_LINES_BINARY. */
enum uvsmtp_mail_body {
  UVSMTP_BODY_AUTO = 0,    /* 8BITMIME when offered, unless the text is seen to
                              be ASCII before anything is sent */
  UVSMTP_BODY_7BIT = 1,    /* the caller knows better */
  UVSMTP_BODY_8BITMIME = 2 /* or not at all */
};

/* What is done when the time of DELIVERBY has passed (RFC 2852 4). */
enum uvsmtp_deliver_by {
  UVSMTP_BY_NONE = 0,   /* no such parameter */
  UVSMTP_BY_NOTIFY = 1, /* the sender hears of the delay; the time may be 0 or
                           negative: it has passed */
  UVSMTP_BY_RETURN = 2  /* the message comes back; the time must be positive,
                           and not below the server's minimum */
};

enum uvsmtp_mail_flags {
  /* RFC 8689: every relay on the way must use verified TLS, or the message
   * comes back. Needs TLS whose server has proven who it is (else UVSMTP_ETLS).
   */
  UVSMTP_MAIL_REQUIRETLS = 1u << 0,
  /* RFC 6531, whatever the addresses: for a header in UTF-8. */
  UVSMTP_MAIL_SMTPUTF8 = 1u << 1,
  /* `priority` counts. */
  UVSMTP_MAIL_PRIORITY = 1u << 2,
  /* DELIVERBY is to be traced: each relay reports ("T"). */
  UVSMTP_MAIL_BY_TRACE = 1u << 3,
  /* DSN, DELIVERBY, MT-PRIORITY and AUTH= are left out where the server does
   * not offer them; uvsmtp_result_omitted says which were. Never the others:
   * without them the message would be another. */
  UVSMTP_MAIL_OPTIONAL = 1u << 4
};

/* Extensions whose parameters were left out. */
enum uvsmtp_omitted {
  UVSMTP_OMITTED_DSN = 1u << 0,       /* RET, ENVID, NOTIFY, ORCPT */
  UVSMTP_OMITTED_DELIVERBY = 1u << 1, /* BY */
  UVSMTP_OMITTED_PRIORITY = 1u << 2,  /* MT-PRIORITY */
  UVSMTP_OMITTED_AUTH = 1u << 3       /* AUTH= */
};

/* Parameters of MAIL. Strings as people write them: they are encoded here. */
typedef struct uvsmtp_mail_params_s {
  size_t size;
  unsigned int flags;  /* uvsmtp_mail_flags */
  int body;            /* uvsmtp_mail_body */
  int ret;             /* DSN: uvsmtp_dsn_ret */
  unsigned int notify; /* DSN: uvsmtp_dsn_notify for every recipient that has
                          none of its own */
  const char* envid;   /* DSN: the sender's name for this transmission, 1 to 100
                          printable ASCII characters; NULL: none */
  int by;              /* DELIVERBY: uvsmtp_deliver_by */
  int32_t by_seconds;  /* from now, -999,999,999 to 999,999,999; 0 without by */
  uint32_t hold_for;   /* FUTURERELEASE (RFC 4865): seconds, at most
                          999,999,999; 0: none */
  const char* hold_until; /* FUTURERELEASE: a date-time of RFC 3339, such as
                             "2027-01-31T09:00:00Z" or "...T10:00:00+01:00" (it
                             goes out in UTC, without fractions of a second);
                             NULL: none. One of both at most */
  int priority;     /* MT-PRIORITY (RFC 6710): -9 to 9; 0 without its flag */
  const char* auth; /* AUTH= (RFC 4954 5): who submitted the message, "a@b", or
                       "" for "not known"; at most 500 octets as xtext; NULL:
                       none */
} uvsmtp_mail_params_t;
#define UVSMTP_MAIL_PARAMS_INIT \
  { sizeof(uvsmtp_mail_params_t), 0, 0, 0, 0, NULL, 0, 0, 0, NULL, 0, NULL }

#ifdef __cplusplus
}
#endif
#endif
