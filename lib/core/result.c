/* SPDX-License-Identifier: MIT */
/* result.c: results read through functions, so that they may grow. */
#include <stdint.h>
#include <string.h>

#include "core/op.h"

int uvsmtp_result_status(const uvsmtp_result_t* result) {
  return result->status;
}

int uvsmtp_result_cause(const uvsmtp_result_t* result) { return result->cause; }

int uvsmtp_result_stage(const uvsmtp_result_t* result) { return result->stage; }

int uvsmtp_result_outcome(const uvsmtp_result_t* result) {
  return result->outcome;
}

const uvsmtp_reply_t* uvsmtp_result_reply(const uvsmtp_result_t* result) {
  return result->has_reply ? &result->reply : NULL;
}

const uvsmtp_tls_info_t* uvsmtp_result_tls(const uvsmtp_result_t* result) {
  return result->tls;
}

void uvsmtp__result_set_tls(const uvsmtp_result_t* result,
                            const uvsmtp_tls_info_t* tls) {
  ((uvsmtp_result_t*)(uintptr_t)result)->tls = tls;
}

const char* uvsmtp_result_detail(const uvsmtp_result_t* result) {
  return result->detail != NULL ? result->detail : result->reason;
}

unsigned int uvsmtp_result_omitted(const uvsmtp_result_t* result) {
  return result->omitted;
}

const char* uvsmtp_result_sender(const uvsmtp_result_t* result) {
  return result->sender;
}

uint64_t uvsmtp_result_octets(const uvsmtp_result_t* result) {
  return result->octets;
}

size_t uvsmtp_result_rcpt_count(const uvsmtp_result_t* result) {
  return result->nrcpts;
}

const uvsmtp_rcpt_result_t* uvsmtp_result_rcpt(const uvsmtp_result_t* result,
                                               size_t i) {
  return i < result->nrcpts ? &result->rcpts[i] : NULL;
}

const char* uvsmtp_rcpt_result_address(const uvsmtp_rcpt_result_t* rcpt) {
  return rcpt->address;
}

int uvsmtp_rcpt_result_status(const uvsmtp_rcpt_result_t* rcpt) {
  return rcpt->status;
}

int uvsmtp_rcpt_result_stage(const uvsmtp_rcpt_result_t* rcpt) {
  return rcpt->stage;
}

int uvsmtp_rcpt_result_outcome(const uvsmtp_rcpt_result_t* rcpt) {
  return rcpt->outcome;
}

const uvsmtp_reply_t* uvsmtp_rcpt_result_reply(
    const uvsmtp_rcpt_result_t* rcpt) {
  if (rcpt->flags & RCPT_FINAL) return &rcpt->final;
  /* Refused by itself. */
  if ((rcpt->flags & RCPT_REPLIED) && !(rcpt->flags & RCPT_ACCEPTED) &&
      rcpt->stage == UVSMTP_STATE_RCPT)
    return &rcpt->rcpt_reply;
  /* That by which others have it says nothing of this one. */
  if (rcpt->outcome != UVSMTP_OUTCOME_ACCEPTED &&
      rcpt->result->outcome == UVSMTP_OUTCOME_ACCEPTED)
    return NULL;
  if (rcpt->outcome == UVSMTP_OUTCOME_ACCEPTED ||
      rcpt->outcome == UVSMTP_OUTCOME_REJECTED ||
      rcpt->outcome == UVSMTP_OUTCOME_DEFERRED)
    return uvsmtp_result_reply(rcpt->result);
  return NULL;
}

const uvsmtp_reply_t* uvsmtp_rcpt_result_rcpt_reply(
    const uvsmtp_rcpt_result_t* rcpt) {
  return rcpt->flags & RCPT_REPLIED ? &rcpt->rcpt_reply : NULL;
}

const uvsmtp_rcpt_result_t* uvsmtp_result_find_rcpt(
    const uvsmtp_result_t* result, const char* address) {
  size_t i;
  for (i = 0; i < result->nrcpts; i++)
    if (strcmp(result->rcpts[i].address, address) == 0)
      return &result->rcpts[i];
  return NULL;
}
