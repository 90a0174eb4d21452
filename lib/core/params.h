/* SPDX-License-Identifier: MIT */
/* params.h: the typed parameters of MAIL and RCPT: whether they are well
 * formed, whether the server can do that, and writing them. */
#ifndef UVSMTP_CORE_PARAMS_H
#define UVSMTP_CORE_PARAMS_H

#include "core/caps.h"
#include "uvsmtp/params.h"

/* What the raw options of a message say already, which typed ones leave to
 * them: a set of the keywords. */
enum {
  UVSMTP__RAW_BODY = 1u << 0,
  UVSMTP__RAW_SMTPUTF8 = 1u << 1,
  UVSMTP__RAW_RET = 1u << 2,
  UVSMTP__RAW_ENVID = 1u << 3,
  UVSMTP__RAW_REQUIRETLS = 1u << 4,
  UVSMTP__RAW_BY = 1u << 5,
  UVSMTP__RAW_HOLD = 1u << 6, /* HOLDFOR or HOLDUNTIL */
  UVSMTP__RAW_PRIORITY = 1u << 7,
  UVSMTP__RAW_AUTH = 1u << 8,
  UVSMTP__RAW_SIZE = 1u << 9,
  UVSMTP__RAW_NOTIFY = 1u << 10,
  UVSMTP__RAW_ORCPT = 1u << 11
};
unsigned int uvsmtp__raw_keywords(const char* const* options, size_t n);

/* Is their form right? 0 or -EINVAL. `m` is whole: uvsmtp__take has been over
 * it. */
int uvsmtp__params_check(const uvsmtp_mail_params_t* m);
/* Likewise for those of a recipient. orcpt may be NULL. */
int uvsmtp__rcpt_params_check(unsigned int notify, const char* orcpt);

/* Can the server do what they ask for? What is in `raw` is not looked at: the
 * caller sends it. `rcpts`: some recipient has parameters of its own, so that
 * DSN is needed. 0 and *omitted (a set of uvsmtp_omitted), or
 * UVSMTP_ENOTSUPPORTED with *cause (0 or -ERANGE) and *reason, a static
 * sentence. SIZE, SMTPUTF8, the BODY that AUTO says and the TLS of REQUIRETLS
 * are the engine's business; that REQUIRETLS, and the 8BITMIME of
 * UVSMTP_BODY_8BITMIME, are offered is looked at here. m may be NULL: none but
 * the recipients'. */
int uvsmtp__params_fit(const uvsmtp__caps_t* caps,
                       const uvsmtp_mail_params_t* m, int rcpts,
                       unsigned int raw, unsigned int* omitted, int* cause,
                       const char** reason);

/* Room for what a MAIL says that no typed parameter does: SIZE with twenty
 * digits, BODY and SMTPUTF8. */
#define UVSMTP__OWN_PARAMS_MAX 80u
/* Octets that the parameters of a MAIL, or of a RCPT, can take at the most, and
 * a NUL. */
#define UVSMTP__MAIL_PARAMS_MAX 1024u
#define UVSMTP__RCPT_PARAMS_MAX 1024u

/* Writes " RET=HDRS ENVID=..." to buf, NUL-terminated, without those that are
 * raw or omitted and without BODY and SMTPUTF8: its length, which is below
 * UVSMTP__MAIL_PARAMS_MAX. m is checked. */
size_t uvsmtp__params_put(const uvsmtp_mail_params_t* m, unsigned int raw,
                          unsigned int omitted, char* buf);
/* Likewise " NOTIFY=... ORCPT=...". utf8: the transaction has SMTPUTF8 (RFC
 * 6533 3: then an address in UTF-8 may stand as it is). */
size_t uvsmtp__rcpt_params_put(unsigned int notify, const char* orcpt,
                               unsigned int raw, int utf8, char* buf);

#endif
