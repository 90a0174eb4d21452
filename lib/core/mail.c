/* SPDX-License-Identifier: MIT */
/* mail.c: what a MAIL says beside its sender, and whether this server can do
 * what the message needs. */
#include <string.h>

#include "core/line.h"
#include "core/proto_int.h"

/* Why the message can't go to this server. */
static int unfit(uvsmtp__op_t* op, int error, const char* reason) {
  op->result.reason = reason;
  return error;
}

/* RFC 1870: the size is known or well estimated; more than the limit is refused
 * here, since the lower bound is already too much. */
static int put_size(uvsmtp_proto_t* p, uvsmtp__op_t* op, unsigned int raw,
                    uvsmtp__line_t* line, int* cause) {
  uint64_t size = 0;
  int known;
  if (!(p->caps.bits & UVSMTP__CAP_SIZE) || op->text.source == NULL) return 0;
  known = uvsmtp__text_size(p, op, &size);
  if (op->text.error != 0) {
    *cause = op->text.error;
    return UVSMTP_ESOURCE;
  }
  if (known < 0) return 0;
  if (p->caps.size_limit > 0 && size > p->caps.size_limit) {
    *cause = -EMSGSIZE;
    return unfit(op, UVSMTP_ENOTSUPPORTED,
                 "the message is larger than the server takes");
  }
  if (raw & UVSMTP__RAW_SIZE) return 0;
  uvsmtp__line_string(line, " SIZE=");
  uvsmtp__line_number(line, size);
  return 0;
}

/* RFC 6152. What is not seen before it goes is better announced in vain than
 * not at all. */
static int put_eight(uvsmtp_proto_t* p, uvsmtp__op_t* op, uvsmtp__line_t* line,
                     int* cause) {
  int asked = op->params == NULL ? UVSMTP_BODY_AUTO : op->params->body;
  int offered = (p->caps.bits & UVSMTP__CAP_8BITMIME) != 0;
  int high = UVSMTP__HIGH_UNKNOWN;
  if (op->text.source == NULL) return 0;
  if (!offered && !(op->flags & UVSMTP_MESSAGE_REFUSE_8BIT)) return 0;
  /* What is in hand is not looked at again when it goes. */
  if (asked == UVSMTP_BODY_AUTO || !offered)
    high = uvsmtp__text_high(p, op, !offered);
  if (op->text.error != 0) {
    *cause = op->text.error;
    return UVSMTP_ESOURCE;
  }
  if (!offered) {
    op->ascii = 1;
    if (high != UVSMTP__HIGH_SOME) return 0;
    *cause = -EILSEQ;
    return unfit(
        op, UVSMTP_ENOTSUPPORTED,
        "the text is not ASCII, and the server does not offer 8BITMIME");
  }
  if (asked == UVSMTP_BODY_7BIT)
    uvsmtp__line_string(line, " BODY=7BIT");
  else if (asked == UVSMTP_BODY_8BITMIME || high != UVSMTP__HIGH_NONE)
    uvsmtp__line_string(line, " BODY=8BITMIME");
  return 0;
}

static int put_body(uvsmtp_proto_t* p, uvsmtp__op_t* op, unsigned int raw,
                    uvsmtp__line_t* line, int* cause) {
  if (op->plan == PLAN_SEND && op->line_ends == UVSMTP_LINES_BINARY) {
    /* RFC 3030 3: only by BDAT. */
    if (!(p->caps.bits & UVSMTP__CAP_BINARYMIME) ||
        !uvsmtp__uses_chunking(p, op))
      return unfit(op, UVSMTP_ENOTSUPPORTED,
                   "the server does not offer BINARYMIME with CHUNKING");
    if (!(raw & UVSMTP__RAW_BODY))
      uvsmtp__line_string(line, " BODY=BINARYMIME");
    return 0;
  }
  if (raw & UVSMTP__RAW_BODY) return 0;
  if (op->smtputf8 && !(raw & UVSMTP__RAW_SMTPUTF8) &&
      (p->caps.bits & UVSMTP__CAP_8BITMIME)) {
    uvsmtp__line_string(line, " BODY=8BITMIME");
    return 0;
  }
  return put_eight(p, op, line, cause);
}

/* ----------------------------------------------------------------- UTF-8 */

int uvsmtp__path_ascii(const uvsmtp_proto_t* p, uvsmtp_slice_t path, char* buf,
                       uvsmtp_slice_t* ascii) {
  uvsmtp_slice_t domain = uvsmtp__path_domain(path);
  size_t local = path.len - domain.len;
  int rc;
  *ascii = path;
  if (!uvsmtp__is_high(path.base, path.len)) return 0;
  if (p->to_ascii == NULL) return -ENOTSUP;
  memcpy(buf, path.base, local);
  rc = p->to_ascii(domain.base, domain.len, buf + local,
                   UVSMTP__PATH_MAX - local);
  if (rc != 0) return rc;
  ascii->base = buf;
  ascii->len = local + strlen(buf + local);
  /* What comes from outside gets no further than what callers write. */
  if (ascii->len > UVSMTP__PATH_MAX - 2 ||
      uvsmtp__check_name(buf + local) != 0 ||
      buf[local + strcspn(buf + local, "<>")] != '\0')
    return -EINVAL;
  return 0;
}

/* Has every domain that is not ASCII an A-label form? */
static int check_ascii(uvsmtp_proto_t* p, uvsmtp__op_t* op, int* cause) {
  char buf[UVSMTP__PATH_MAX];
  uvsmtp_slice_t ascii;
  size_t i;
  *cause = uvsmtp__path_ascii(p, op->path, buf, &ascii);
  for (i = 0; *cause == 0 && i < op->result.nrcpts; i++)
    *cause = uvsmtp__path_ascii(p, op->result.rcpts[i].path, buf, &ascii);
  if (*cause == 0) return 0;
  if (*cause == -ENOMEM) return -ENOMEM;
  return unfit(
      op, UVSMTP_ENOTSUPPORTED,
      *cause == -ENOTSUP
          ? "a domain that is not ASCII, to a server without SMTPUTF8, "
            "in a build without IDN"
          : "a domain that is not ASCII and has no ASCII form");
}

/* RFC 6531 3.1, 3.2. A domain alone can do without (RFC 5891). */
int uvsmtp__fit_utf8(uvsmtp_proto_t* p, uvsmtp__op_t* op, int asked,
                     int* cause) {
  if (p->caps.bits & UVSMTP__CAP_SMTPUTF8) {
    op->smtputf8 = asked || op->utf8;
    return 0;
  }
  if (asked || (op->utf8 & UVSMTP__PATH_UTF8_LOCAL))
    return unfit(op, UVSMTP_ENOTSUPPORTED,
                 asked ? "the server does not offer SMTPUTF8"
                       : "the server does not offer SMTPUTF8, which an address "
                         "needs");
  return op->utf8 ? check_ascii(p, op, cause) : 0;
}

/* ------------------------------------------------------------- the whole */

static int fit_params(uvsmtp_proto_t* p, uvsmtp__op_t* op, unsigned int raw,
                      int* cause) {
  const uvsmtp_mail_params_t* m = op->params;
  if (m == NULL && !op->rcpt_params) return 0;
  /* RFC 8689 4.1: who has not proven itself may be anybody. It comes first,
   * since servers offer the extension within TLS only. */
  if (m != NULL && (m->flags & UVSMTP_MAIL_REQUIRETLS) &&
      !(raw & UVSMTP__RAW_REQUIRETLS) && !(p->tls && p->proven))
    return unfit(op, UVSMTP_ETLS,
                 "REQUIRETLS without TLS whose server has proven who it is");
  raw |= uvsmtp__raw_keywords(op->rcpt_options, op->nrcpt_options);
  return uvsmtp__params_fit(&p->caps, m, op->rcpt_params, raw,
                            &op->result.omitted, cause, &op->result.reason);
}

static int fit_rounds(uvsmtp_proto_t* p, uvsmtp__op_t* op, int* cause) {
  if (!(op->flags & UVSMTP_MESSAGE_ALL_OR_NOTHING) || p->caps.rcpt_max == 0 ||
      op->result.nrcpts <= p->caps.rcpt_max)
    return 0;
  *cause = -ERANGE;
  return unfit(op, UVSMTP_ENOTSUPPORTED,
               "more recipients than the server takes in one transaction");
}

int uvsmtp__mail_params(uvsmtp_proto_t* p, uvsmtp__op_t* op, char* buf,
                        int* cause) {
  const uvsmtp_mail_params_t* m = op->params;
  unsigned int raw = uvsmtp__raw_keywords(op->options, op->noptions);
  int asked = (raw & UVSMTP__RAW_SMTPUTF8) != 0 ||
              (m != NULL && (m->flags & UVSMTP_MAIL_SMTPUTF8));
  uvsmtp__line_t line = {buf, 0};
  int rc;
  rc = fit_rounds(p, op, cause);
  if (rc == 0) rc = uvsmtp__fit_utf8(p, op, asked, cause);
  if (rc == 0) rc = fit_params(p, op, raw, cause);
  if (rc == 0) rc = put_size(p, op, raw, &line, cause);
  if (rc == 0) rc = put_body(p, op, raw, &line, cause);
  if (rc != 0) return rc;
  if (op->smtputf8 && !(raw & UVSMTP__RAW_SMTPUTF8))
    uvsmtp__line_string(&line, " SMTPUTF8");
  buf[line.len] = '\0';
  if (m != NULL)
    (void)uvsmtp__params_put(m, raw, op->result.omitted, buf + line.len);
  return 0;
}

void uvsmtp__rcpt_params(uvsmtp__op_t* op, const uvsmtp_rcpt_result_t* r,
                         char* buf) {
  unsigned int raw;
  *buf = '\0';
  if (r->notify == 0 && r->orcpt == NULL) return;
  if (op->result.omitted & UVSMTP_OMITTED_DSN) return;
  raw = uvsmtp__raw_keywords(op->rcpt_options, op->nrcpt_options) |
        uvsmtp__raw_keywords(r->options, r->noptions);
  (void)uvsmtp__rcpt_params_put(r->notify, r->orcpt, raw, op->smtputf8, buf);
}

int uvsmtp__take_envelope(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  const char* from = NULL;
  const char* const* rcpts = NULL;
  size_t n = 0;
  int rc = op->envelope(op->text.source, &from, &rcpts, &n, &op->result.reason);
  if (rc != 0) return rc;
  op->envelope = NULL;
  if (op->result.sender == NULL && from == NULL)
    return unfit(op, UVSMTP_EMESSAGE, "the header names no sender");
  if (op->result.nrcpts > 0) n = 0;
  if (op->result.nrcpts == 0 && n == 0)
    return unfit(op, UVSMTP_EMESSAGE, "the header names no recipient");
  rc = uvsmtp__op_set_envelope(&p->mem, op, from, rcpts, n);
  if (rc == UVSMTP_EMESSAGE)
    op->result.reason = "the header names an address that can't be sent to";
  return rc;
}
