/* SPDX-License-Identifier: MIT */
/* report.c: what is said about a result, to scripts and to people. */
#include <string.h>

#include "tool.h"

/* ------------------------------------------------------------- verdict */

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
  verdict_t v = {status, exit_status, NULL};
  return v;
}

/* 69 for what the server will never take, 75 for what it may take later. */
static verdict_t by_outcome(const char* status, int outcome) {
  return make(status, outcome == UVSMTP_OUTCOME_REJECTED ? EXIT_UNAVAILABLE
                                                         : EXIT_TRY_LATER);
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

verdict_t verdict_of(const uvsmtp_result_t* r, int named) {
  int outcome = uvsmtp_result_outcome(r);
  if (outcome == UVSMTP_OUTCOME_UNKNOWN)
    return make("delivery-unknown", EXIT_UNSURE);
  switch (uvsmtp_result_status(r)) {
    case 0:
      return success(r);
    case UVSMTP_ERECIPIENTS:
      return refused_recipients(r);
    case UVSMTP_ESENDER:
      return by_outcome("sender-refused", outcome);
    case UVSMTP_EDATA:
      return by_outcome("data-error", outcome);
    case UVSMTP_EHELO:
      return by_outcome("helo-error", outcome);
    case UVSMTP_ECONNECT:
      return unconnected(r, named);
    case UVSMTP_EDISCONNECTED:
      return make("disconnected", EXIT_TRY_LATER);
    case UV_ETIMEDOUT:
      return make("timeout", EXIT_TRY_LATER);
    case UVSMTP_EAUTH:
      return make("auth-error", EXIT_NO_PERMISSION);
    case UVSMTP_ETLS:
      return make("tls-error", EXIT_PROTOCOL);
    case UVSMTP_EPROTOCOL:
      return make("protocol-error", EXIT_PROTOCOL);
    case UVSMTP_ENOTSUPPORTED:
      return make("not-supported", EXIT_UNAVAILABLE);
    case UVSMTP_EUNKNOWN:
      return make("delivery-unknown", EXIT_UNSURE);
    case UVSMTP_ESOURCE:
      return make("local-error", EXIT_IO);
    case UV_EINVAL:
      return make("invalid-argument", EXIT_BAD_USAGE);
    case UV_ECANCELED:
      return make("cancelled", EXIT_INTERRUPTED);
    default:
      return make("local-error", EXIT_OS);
  }
}

/* ------------------------------------------------------------- scripts */

/* The command at which it was decided; NULL when none had a part in it. */
static const char* stage_name(int stage) {
  if (stage == UVSMTP_STATE_OPENING) return "CONNECT";
  return stage < UVSMTP_STATE_OPENING ? NULL : uvsmtp_state_name(stage);
}

static json_t* stage_json(int stage) {
  const char* name = stage_name(stage);
  return name == NULL ? json_null() : json_string(name);
}

static json_t* enhanced_json(const uvsmtp_reply_t* reply) {
  unsigned short e[3];
  if (!uvsmtp_reply_enhanced(reply, e)) return json_null();
  return json_sprintf("%d.%d.%d", e[0], e[1], e[2]);
}

static json_t* reply_text_json(const uvsmtp_reply_t* reply) {
  size_t len;
  const char* text = uvsmtp_reply_text(reply, &len);
  return text_json(text, len);
}

static json_t* reply_json(const uvsmtp_reply_t* reply) {
  if (reply == NULL) return json_null();
  return json_pack("{s:i, s:o, s:o}", "code", uvsmtp_reply_code(reply),
                   "enhanced", enhanced_json(reply), "text",
                   reply_text_json(reply));
}

static json_t* rcpt_json(const uvsmtp_rcpt_result_t* r) {
  const char* address = uvsmtp_rcpt_result_address(r);
  const uvsmtp_reply_t* reply = uvsmtp_rcpt_result_reply(r);
  return json_pack(
      "{s:o, s:s, s:o, s:o, s:o, s:o}", "address",
      text_json(address, strlen(address)), "outcome",
      uvsmtp_outcome_name(uvsmtp_rcpt_result_outcome(r)), "stage",
      stage_json(uvsmtp_rcpt_result_stage(r)), "code",
      reply == NULL ? json_null() : json_integer(uvsmtp_reply_code(reply)),
      "enhanced", reply == NULL ? json_null() : enhanced_json(reply), "text",
      reply == NULL ? json_null() : reply_text_json(reply));
}

static void error_text(const verdict_t* v, const uvsmtp_result_t* r, char* to,
                       size_t cap) {
  int cause = uvsmtp_result_cause(r);
  const char* what = uvsmtp_strerror(uvsmtp_result_status(r));
  size_t i;
  size_t refused = 0;
  size_t n = uvsmtp_result_rcpt_count(r);
  if (strcmp(v->status, "partial") == 0) {
    for (i = 0; i < n; i++)
      refused += uvsmtp_rcpt_result_outcome(uvsmtp_result_rcpt(r, i)) !=
                 UVSMTP_OUTCOME_ACCEPTED;
    snprintf(to, cap, "%zu of %zu recipients were not accepted", refused, n);
  } else if (cause != 0) {
    snprintf(to, cap, "%s%s%s: %s", what, v->where == NULL ? "" : " with ",
             v->where == NULL ? "" : v->where, uvsmtp_strerror(cause));
  } else {
    snprintf(to, cap, "%s%s%s", what, v->where == NULL ? "" : ": ",
             v->where == NULL ? "" : v->where);
  }
}

json_t* report_json(const verdict_t* v, const uvsmtp_result_t* connect,
                    const uvsmtp_result_t* sent) {
  const uvsmtp_result_t* r = connect != NULL ? connect : sent;
  int outcome = uvsmtp_result_outcome(sent != NULL ? sent : connect);
  char error[256];
  json_t* rcpts = json_array();
  size_t i;
  error_text(v, r, error, sizeof(error));
  for (i = 0; sent != NULL && i < uvsmtp_result_rcpt_count(sent); i++)
    json_array_append_new(rcpts, rcpt_json(uvsmtp_result_rcpt(sent, i)));
  return json_pack(
      "{s:s, s:s, s:o, s:o, s:o, s:o, s:n, s:I}", "status", v->status,
      "outcome", uvsmtp_outcome_name(outcome), "error",
      strcmp(v->status, "ok") == 0 ? json_null() : json_string(error), "stage",
      stage_json(uvsmtp_result_stage(r)), "reply",
      reply_json(uvsmtp_result_reply(r)), "recipients", rcpts, "tls", "bytes",
      (json_int_t)(sent == NULL ? 0 : uvsmtp_result_octets(sent)));
}

json_t* report_json_local(const verdict_t* v, const char* error) {
  return json_pack("{s:s, s:s, s:o, s:n, s:n, s:[], s:n, s:i}", "status",
                   v->status, "outcome",
                   uvsmtp_outcome_name(UVSMTP_OUTCOME_NOT_ATTEMPTED), "error",
                   text_json(error, strlen(error)), "stage", "reply",
                   "recipients", "tls", "bytes", 0);
}

/* -------------------------------------------------------------- people */

static void print_reply(FILE* to, const uvsmtp_reply_t* reply) {
  size_t len;
  const char* text;
  if (reply == NULL) return;
  text = uvsmtp_reply_text(reply, &len);
  fprintf(to, ": %d ", uvsmtp_reply_code(reply));
  text_print(to, text, len);
}

void report_text(const verdict_t* v, const uvsmtp_result_t* connect,
                 const uvsmtp_result_t* sent, FILE* out, FILE* err) {
  const uvsmtp_result_t* r = connect != NULL ? connect : sent;
  int ok = uvsmtp_result_status(r) == 0;
  FILE* to = ok ? out : err;
  const char* stage = stage_name(uvsmtp_result_stage(r));
  char error[256];
  size_t i;
  error_text(v, r, error, sizeof(error));
  if (strcmp(v->status, "ok") == 0)
    fputs("accepted", to);
  else if (stage != NULL)
    fprintf(to, "%s (at %s): %s", v->status, stage, error);
  else
    fprintf(to, "%s: %s", v->status, error);
  print_reply(to, uvsmtp_result_reply(r));
  fputc('\n', to);
  if (strcmp(v->status, "ok") == 0 || sent == NULL) return;
  for (i = 0; i < uvsmtp_result_rcpt_count(sent); i++) {
    const uvsmtp_rcpt_result_t* rcpt = uvsmtp_result_rcpt(sent, i);
    const char* address = uvsmtp_rcpt_result_address(rcpt);
    fputs("  ", to);
    text_print(to, address, strlen(address));
    fprintf(to, " %s", uvsmtp_outcome_name(uvsmtp_rcpt_result_outcome(rcpt)));
    print_reply(to, uvsmtp_rcpt_result_reply(rcpt));
    fputc('\n', to);
  }
}
