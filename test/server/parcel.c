/* SPDX-License-Identifier: MIT */
#include "parcel.h"

#include <stdlib.h>
#include <string.h>

static void* zeroed(size_t n, size_t size) {
  void* p = calloc(n + 1, size);
  if (p == NULL) abort();
  return p;
}

const char* string_of(const json_t* object, const char* key) {
  return json_string_value(json_object_get(object, key));
}

int64_t number_of(const json_t* object, const char* key) {
  return json_integer_value(json_object_get(object, key));
}

/* *n of them, NULL where there are none. To be freed, but for the strings. */
static const char** strings_of(const json_t* array, size_t* n) {
  const char** strings;
  size_t i;
  *n = json_array_size(array);
  if (*n == 0) return NULL;
  strings = zeroed(*n, sizeof(*strings));
  for (i = 0; i < *n; i++)
    strings[i] = json_string_value(json_array_get(array, i));
  return strings;
}

uvsmtp_attribute_t* attributes_of(const json_t* array, size_t* n) {
  uvsmtp_attribute_t* attributes;
  size_t i;
  *n = json_array_size(array);
  attributes = zeroed(*n, sizeof(*attributes));
  for (i = 0; i < *n; i++) {
    const json_t* pair = json_array_get(array, i);
    attributes[i].name = json_string_value(json_array_get(pair, 0));
    attributes[i].value = json_string_value(json_array_get(pair, 1));
  }
  return attributes;
}

static uvsmtp_rcpt_t rcpt_of(const json_t* from) {
  uvsmtp_rcpt_t rcpt = UVSMTP_RCPT_INIT(json_string_value(from));
  if (!json_is_object(from)) return rcpt;
  rcpt.address = string_of(from, "address");
  rcpt.options = strings_of(json_object_get(from, "options"), &rcpt.noptions);
  rcpt.notify = (unsigned int)number_of(from, "notify");
  rcpt.orcpt = string_of(from, "orcpt");
  return rcpt;
}

static void read_rcpts(parcel_t* parcel, const json_t* to) {
  size_t n = json_array_size(to);
  size_t i;
  parcel->rcpts = zeroed(n, sizeof(*parcel->rcpts));
  parcel->list = zeroed(n, sizeof(*parcel->list));
  for (i = 0; i < n; i++) {
    parcel->rcpts[i] = rcpt_of(json_array_get(to, i));
    parcel->list[i] = &parcel->rcpts[i];
  }
  parcel->message.rcpts = json_is_array(to) ? parcel->list : NULL;
  parcel->message.nrcpts = n;
}

static void read_params(parcel_t* parcel, const json_t* from) {
  uvsmtp_mail_params_t* params = &parcel->params;
  *params = (uvsmtp_mail_params_t)UVSMTP_MAIL_PARAMS_INIT;
  if (!json_is_object(from)) return;
  params->flags = (unsigned int)number_of(from, "flags");
  params->body = (int)number_of(from, "body");
  params->ret = (int)number_of(from, "ret");
  params->notify = (unsigned int)number_of(from, "notify");
  params->envid = string_of(from, "envid");
  params->by = (int)number_of(from, "by");
  params->by_seconds = (int32_t)number_of(from, "by_seconds");
  params->hold_for = (uint32_t)number_of(from, "hold_for");
  params->hold_until = string_of(from, "hold_until");
  params->priority = (int)number_of(from, "priority");
  params->auth = string_of(from, "auth");
  parcel->message.params = params;
}

/* The octets that the characters up to U+00FF stand for. */
static size_t octets_of(char* to, const char* text, size_t len) {
  size_t n = 0;
  size_t i;
  for (i = 0; i < len; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c >= 0xC0 && i + 1 < len)
      c = (unsigned char)((c & 0x03) << 6 | ((unsigned char)text[++i] & 0x3F));
    to[n++] = (char)c;
  }
  return n;
}

static void read_text(parcel_t* parcel, const json_t* from) {
  const json_t* text = json_object_get(from, "text");
  const char* base = json_string_value(text);
  size_t len = json_string_length(text);
  if (json_is_true(json_object_get(from, "octets"))) {
    parcel->octets = zeroed(len, 1);
    len = octets_of(parcel->octets, base, len);
    base = parcel->octets;
  }
  uvsmtp_source_memory(&parcel->body, base, len);
  parcel->message.body = &parcel->body.source;
}

void parcel_read(parcel_t* parcel, const json_t* from) {
  uvsmtp_message_t* message = &parcel->message;
  memset(parcel, 0, sizeof(*parcel));
  *message = (uvsmtp_message_t)UVSMTP_MESSAGE_INIT;
  message->from = string_of(from, "from");
  message->flags = (unsigned int)number_of(from, "flags");
  message->line_ends = (unsigned int)number_of(from, "line_ends");
  message->max_header = (size_t)number_of(from, "max_header");
  message->mail_options = strings_of(json_object_get(from, "mail_options"),
                                     &message->nmail_options);
  message->rcpt_options = strings_of(json_object_get(from, "rcpt_options"),
                                     &message->nrcpt_options);
  read_rcpts(parcel, json_object_get(from, "to"));
  read_params(parcel, json_object_get(from, "params"));
  read_text(parcel, from);
}

void parcel_clear(parcel_t* parcel) {
  size_t i;
  for (i = 0; i < parcel->message.nrcpts; i++)
    free((void*)parcel->rcpts[i].options);
  free((void*)parcel->message.mail_options);
  free((void*)parcel->message.rcpt_options);
  free((void*)parcel->list);
  free(parcel->rcpts);
  free(parcel->octets);
  memset(parcel, 0, sizeof(*parcel));
}
