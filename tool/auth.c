/* SPDX-License-Identifier: MIT */
/* auth.c: what became of a login, for scripts and for people. */
#include <string.h>

#include "tool.h"

json_t* auth_json(const run_t* run) {
  return run->auth == NULL ? json_null() : json_incref(run->auth);
}

json_t* auth_detail_json(const uvsmtp_result_t* r) {
  const char* detail = uvsmtp_result_detail(r);
  return detail == NULL ? json_null() : text_json(detail, strlen(detail));
}

int auth_is_stage(int stage) {
  return stage == UVSMTP_STATE_AUTH || stage == UVSMTP_STATE_AUTH_THINK ||
         stage == UVSMTP_STATE_AUTH_STEP || stage == UVSMTP_STATE_AUTH_CANCEL;
}

int auth_failed(const uvsmtp_result_t* r) {
  int status = uvsmtp_result_status(r);
  return status == UVSMTP_EAUTH || (status == UVSMTP_ENOTSUPPORTED &&
                                    auth_is_stage(uvsmtp_result_stage(r)));
}

/* The first digit of the reply that decided, 0 without one. */
static int reply_class(const uvsmtp_result_t* r) {
  const uvsmtp_reply_t* reply = uvsmtp_result_reply(r);
  return reply == NULL ? 0 : uvsmtp_reply_code(reply) / 100;
}

void auth_sentence(const run_t* run, const uvsmtp_result_t* r, char* to,
                   size_t cap) {
  const char* offered = run->offered == NULL ? "" : run->offered;
  int cause = uvsmtp_result_cause(r);
  if (uvsmtp_result_status(r) == UVSMTP_ENOTSUPPORTED && *offered == '\0')
    snprintf(to, cap, "%s does not offer AUTH", run->where);
  else if (uvsmtp_result_status(r) == UVSMTP_ENOTSUPPORTED)
    snprintf(to, cap, "%s offers no mechanism that can be used, only %.300s",
             run->where, offered);
  else if (cause == UVSMTP_ETLS)
    snprintf(to, cap, "nobody logs in at %s without TLS", run->where);
  else if (reply_class(r) == 5)
    snprintf(to, cap, "%s refused the login", run->where);
  else if (reply_class(r) == 4)
    snprintf(to, cap, "%s refused the login for now", run->where);
  else
    snprintf(to, cap, "the login at %s failed%s%s", run->where,
             cause == 0 ? "" : ": ", cause == 0 ? "" : uvsmtp_strerror(cause));
}

const char* auth_advice(const run_t* run, const uvsmtp_result_t* r) {
  int status = uvsmtp_result_status(r);
  const uvsmtp_reply_t* reply = uvsmtp_result_reply(r);
  if (run->credentials == NULL) return NULL;
  if (status == UVSMTP_ETLS)
    return uvsmtp_result_stage(r) == UVSMTP_STATE_STARTTLS &&
                   settings_raised(&run->o)
               ? "A login wants TLS; --allow-plaintext-auth does without, for\n"
                 "all to read who are on the way."
               : NULL;
  if (!auth_failed(r)) return NULL;
  if (status == UVSMTP_ENOTSUPPORTED)
    return uvsmtp_result_tls(r) == NULL ? "Many servers offer it only within "
                                          "TLS."
                                        : "";
  if (uvsmtp_result_cause(r) == UVSMTP_ETLS)
    return "--tls required secures it; --allow-plaintext-auth does without,\n"
           "for all to read who are on the way.";
  if (reply_class(r) == 4) return NULL;
  if (reply == NULL || uvsmtp_reply_code(reply) != 535) return "";
  return run->o.login.token_file != NULL ? "Is the token still good?"
                                         : "Are the user and password right?";
}

void auth_detail_print(const uvsmtp_result_t* r, FILE* to) {
  const char* detail = uvsmtp_result_detail(r);
  if (detail == NULL || *detail == '\0') return;
  fputs("  reason: ", to);
  text_print(to, detail, strlen(detail));
  fputc('\n', to);
}

void auth_print(const run_t* run, FILE* to) {
  const char* mech = json_string_value(json_object_get(run->auth, "mechanism"));
  if (*run->who != '\0') {
    text_print(to, run->who, strlen(run->who));
    fputc(' ', to);
  }
  fprintf(to, "by %s\n", mech == NULL ? "" : mech);
}
