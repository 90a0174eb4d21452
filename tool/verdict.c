/* SPDX-License-Identifier: MIT */
/* verdict.c: results as the words and exit statuses of the README. */
#include <string.h>

#include "tool.h"

/* libuv says UV_EINVAL of what can't be a name at all. */
static int is_name_error(int cause, int named) {
  switch (cause) {
    case UV_EAI_ADDRFAMILY:
    case UV_EAI_AGAIN:
    case UV_EAI_BADFLAGS:
    case UV_EAI_BADHINTS:
    case UV_EAI_CANCELED:
    case UV_EAI_FAIL:
    case UV_EAI_FAMILY:
    case UV_EAI_MEMORY:
    case UV_EAI_NODATA:
    case UV_EAI_NONAME:
    case UV_EAI_OVERFLOW:
    case UV_EAI_PROTOCOL:
    case UV_EAI_SERVICE:
    case UV_EAI_SOCKTYPE:
      return 1;
    case UV_EINVAL:
      return named;
    default:
      return 0;
  }
}

static verdict_t make(const char* status, int exit_status) {
  verdict_t v = {status, exit_status, 0};
  return v;
}

/* 69 for what the server will never take, 75 for what it may take later. A
 * result without a message has no outcome, but a reply. */
static verdict_t by_outcome(const char* status, const uvsmtp_result_t* r) {
  const uvsmtp_reply_t* reply = uvsmtp_result_reply(r);
  int outcome = uvsmtp_result_outcome(r);
  int never = outcome == UVSMTP_OUTCOME_NONE
                  ? reply != NULL && uvsmtp_reply_code(reply) / 100 == 5
                  : outcome == UVSMTP_OUTCOME_REJECTED;
  return make(status, never ? EXIT_UNAVAILABLE : EXIT_TRY_LATER);
}

static int has_outcome(const uvsmtp_result_t* r, int outcome) {
  size_t i;
  for (i = 0; i < uvsmtp_result_rcpt_count(r); i++)
    if (uvsmtp_rcpt_result_outcome(uvsmtp_result_rcpt(r, i)) == outcome)
      return 1;
  return 0;
}

static verdict_t refused_recipients(const uvsmtp_result_t* r) {
  return make("recipients-refused", has_outcome(r, UVSMTP_OUTCOME_REJECTED)
                                        ? EXIT_NO_USER
                                        : EXIT_TRY_LATER);
}

static verdict_t success(const uvsmtp_result_t* r) {
  size_t i;
  for (i = 0; i < uvsmtp_result_rcpt_count(r); i++)
    if (uvsmtp_rcpt_result_outcome(uvsmtp_result_rcpt(r, i)) !=
        UVSMTP_OUTCOME_ACCEPTED)
      return make("partial", EXIT_NO_USER);
  return make("ok", EXIT_SENT);
}

static verdict_t unconnected(const uvsmtp_result_t* r, int named) {
  const uvsmtp_reply_t* reply = uvsmtp_result_reply(r);
  if (is_name_error(uvsmtp_result_cause(r), named))
    return make("unknown-host", EXIT_NO_HOST);
  if (reply != NULL && uvsmtp_reply_code(reply) / 100 == 5)
    return make("connect-error", EXIT_UNAVAILABLE);
  return make("connect-error", EXIT_TRY_LATER);
}

/* A handshake may also fail over something else than the certificate, whatever
 * is wrong with that: where it is the reason, the reason's words have it. */
static verdict_t insecure(const uvsmtp_result_t* r) {
  const uvsmtp_tls_info_t* info = uvsmtp_result_tls(r);
  verdict_t v = make("tls-error", EXIT_PROTOCOL);
  v.untrusted = info != NULL && uvsmtp_tls_info_problems(info) != 0 &&
                strstr(uvsmtp_tls_info_error_text(info),
                       uvsmtp_tls_info_problem_text(info)) != NULL;
  return v;
}

/* A server that can't look a password up just now says nothing of it (RFC 4954
 * 6: 454). */
static verdict_t unauthenticated(const uvsmtp_result_t* r) {
  const uvsmtp_reply_t* reply = uvsmtp_result_reply(r);
  return make("auth-error", reply != NULL && uvsmtp_reply_code(reply) / 100 == 4
                                ? EXIT_TRY_LATER
                                : EXIT_NO_PERMISSION);
}

/* A message waits with its MAIL until something of it has been read. */
static int unreadable(const uvsmtp_result_t* r) {
  return uvsmtp_result_stage(r) == UVSMTP_STATE_MAIL;
}

verdict_t verdict_of(const uvsmtp_result_t* r, int named) {
  if (uvsmtp_result_outcome(r) == UVSMTP_OUTCOME_UNKNOWN)
    return make("delivery-unknown", EXIT_UNSURE);
  switch (uvsmtp_result_status(r)) {
    case 0:
      return success(r);
    case UVSMTP_ERECIPIENTS:
      return refused_recipients(r);
    case UVSMTP_ESENDER:
      return by_outcome("sender-refused", r);
    case UVSMTP_EDATA:
      return by_outcome("data-error", r);
    case UVSMTP_EHELO:
      return by_outcome("helo-error", r);
    case UVSMTP_ECONNECT:
      return unconnected(r, named);
    case UVSMTP_EDISCONNECTED:
      return make("disconnected", EXIT_TRY_LATER);
    case UV_ETIMEDOUT:
      return make("timeout", EXIT_TRY_LATER);
    case UVSMTP_EAUTH:
      return unauthenticated(r);
    case UVSMTP_ETLS:
      return insecure(r);
    case UVSMTP_EPROTOCOL:
      return make("protocol-error", EXIT_PROTOCOL);
    case UVSMTP_ENOTSUPPORTED:
      return make("not-supported", EXIT_UNAVAILABLE);
    case UVSMTP_EMESSAGE:
      return make("invalid-message", EXIT_BAD_MESSAGE);
    case UVSMTP_EUNKNOWN:
      return make("delivery-unknown", EXIT_UNSURE);
    case UVSMTP_ESOURCE:
      return make("local-error", unreadable(r) ? EXIT_NO_INPUT : EXIT_IO);
    case UV_EINVAL:
      return make("invalid-argument", EXIT_BAD_USAGE);
    case UV_ECANCELED:
      return make("cancelled", EXIT_INTERRUPTED);
    default:
      return make("local-error", EXIT_OS);
  }
}

const char* stage_name(int stage) {
  if (stage == UVSMTP_STATE_OPENING) return "CONNECT";
  return stage < UVSMTP_STATE_OPENING ? NULL : uvsmtp_state_name(stage);
}

const char* stage_words(int stage) {
  if (stage == UVSMTP_STATE_HANDSHAKE) return "TLS handshake";
  if (stage == UVSMTP_STATE_WRAP) return "TLS handshake before the greeting";
  return auth_is_stage(stage) ? "AUTH" : stage_name(stage);
}

json_t* stage_json(int stage) {
  const char* name = stage_name(stage);
  return name == NULL ? json_null() : json_string(name);
}
