/* SPDX-License-Identifier: MIT */
/* names.c: names as they stand in scripts. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "conv.h"

typedef struct pair_s {
  const char* name;
  int number;
} pair_t;

static const pair_t errors[] = {
    {"OK", 0},
#define XX(name, value, parent, class_name, text) {#name, value},
    UVSMTP_ERROR_MAP(XX)
#undef XX
    /* As libuv spells them; its UV_EOF has no errno. */
    {"UV_EOF", -4095},
    {"UV_EALREADY", -EALREADY},
    {"UV_EBUSY", -EBUSY},
    {"UV_ECANCELED", -ECANCELED},
    {"UV_ECONNREFUSED", -ECONNREFUSED},
    {"UV_ECONNRESET", -ECONNRESET},
    {"UV_EAGAIN", -EAGAIN},
    {"UV_EILSEQ", -EILSEQ},
    {"UV_EINVAL", -EINVAL},
    {"UV_EIO", -EIO},
    {"UV_EISCONN", -EISCONN},
    {"UV_EMSGSIZE", -EMSGSIZE},
    {"UV_ENOMEM", -ENOMEM},
    {"UV_ENOTCONN", -ENOTCONN},
    {"UV_ENOTSUP", -ENOTSUP},
    {"UV_EPERM", -EPERM},
    {"UV_EPROTO", -EPROTO},
    {"UV_ERANGE", -ERANGE},
    {"UV_ETIMEDOUT", -ETIMEDOUT},
    {NULL, 0}};

static const pair_t states[] = {
#define XX(name, value, text) {#name, value},
    UVSMTP_STATE_MAP(XX)
#undef XX
        {NULL, 0}};

static const pair_t phases[] = {
    {"NONE", UVSMTP_PHASE_NONE},         {"CONNECT", UVSMTP_PHASE_CONNECT},
    {"GREETING", UVSMTP_PHASE_GREETING}, {"HELLO", UVSMTP_PHASE_HELLO},
    {"MAIL", UVSMTP_PHASE_MAIL},         {"RCPT", UVSMTP_PHASE_RCPT},
    {"DATA", UVSMTP_PHASE_DATA},         {"TEXT", UVSMTP_PHASE_TEXT},
    {"DOT", UVSMTP_PHASE_DOT},           {"COMMAND", UVSMTP_PHASE_COMMAND},
    {"QUIT", UVSMTP_PHASE_QUIT},         {"TLS", UVSMTP_PHASE_TLS},
    {"AUTH", UVSMTP_PHASE_AUTH},         {NULL, 0}};

static int number_of(const pair_t* list, const char* name) {
  for (; list->name != NULL; list++)
    if (strcmp(list->name, name) == 0) return list->number;
  return ANY;
}

static const char* name_of(const pair_t* list, int number) {
  for (; list->name != NULL; list++)
    if (list->number == number) return list->name;
  return "?";
}

int error_number(const char* name) { return number_of(errors, name); }

int state_number(const char* name) { return number_of(states, name); }

int phase_number(const char* name) { return number_of(phases, name); }

int outcome_number(const char* name) {
  int i;

  for (i = UVSMTP_OUTCOME_NONE; i <= UVSMTP_OUTCOME_UNKNOWN; i++)
    if (strcmp(uvsmtp_outcome_name(i), name) == 0) return i;
  return ANY;
}

const char* error_name(int error) { return name_of(errors, error); }

const char* phase_name(int phase) { return name_of(phases, phase); }
