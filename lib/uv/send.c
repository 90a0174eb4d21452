/* SPDX-License-Identifier: MIT */
/* send.c: messages, with the envelope of their header or without, and the
 * commands of small extensions. */
#include <string.h>

#include "core/command.h"
#include "core/line.h"
#include "message/message.h"
#include "uv/uv_int.h"

/* -------------------------------------------------------------- messages */

/* Submits a message whose body the caller knows as `body`. */
static int submit_message(uvsmtp_session_t* s, uvsmtp_request_t* request,
                          int64_t timeout, uvsmtp_source_t* body, uvsmtp_cb cb,
                          void* data) {
  if (timeout > 0 && timeout <= UVSMTP__FAR_MS)
    request->due = uvsmtp__now(s->env) + (uint64_t)timeout;
  return uvsmtp__submit_body(s, request, body, cb, data);
}

int uvsmtp_send(uvsmtp_session_t* s, const uvsmtp_message_t* message,
                uvsmtp_cb cb, void* data) {
  uvsmtp_request_t request = UVSMTP_REQUEST_INIT(UVSMTP_OP_SEND);
  uvsmtp_message_t m = UVSMTP_MESSAGE_INIT;
  /* What is wrong with it, the engine says. */
  (void)uvsmtp__take(&m, sizeof(m), message,
                     UVSMTP__UP_TO(uvsmtp_message_t, body));
  request.message = message;
  return submit_message(s, &request, m.timeout, m.body, cb, data);
}

/* The engine's hook. */
static int read_envelope(uvsmtp_source_t* body, const char** from,
                         const char* const** rcpts, size_t* nrcpts,
                         const char** reason) {
  const uvsmtp_envelope_t* envelope;
  int err = uvsmtp_source_envelope(body, &envelope, reason);
  if (err != 0) return err;
  *from = uvsmtp_envelope_from(envelope);
  *rcpts = uvsmtp_envelope_rcpts(envelope, nrcpts);
  return 0;
}

int uvsmtp_send_message(uvsmtp_session_t* s, const uvsmtp_message_t* message,
                        uvsmtp_cb cb, void* data) {
  uvsmtp_request_t request = UVSMTP_REQUEST_INIT(UVSMTP_OP_SEND);
  uvsmtp_message_t m;
  uvsmtp_mem_t mem = {sizeof(mem), s->env->mem.alloc, s->env->mem.data};
  uvsmtp_source_t* body;
  int err = uvsmtp__admit(s);
  if (err != 0) return err;
  if (uvsmtp__take(&m, sizeof(m), message,
                   UVSMTP__UP_TO(uvsmtp_message_t, body)) != 0)
    return UV_EINVAL;
  body = m.body;
  uvsmtp__enter(s->env);
  err = uvsmtp_source_message(&m.body, &mem, body, m.max_header);
  uvsmtp__leave(s->env);
  if (err != 0) return err;
  uvsmtp__source_want(m.body, (m.from == NULL ? UVSMTP__WANT_FROM : 0u) |
                                  (m.nrcpts == 0 ? UVSMTP__WANT_RCPTS : 0u));
  request.message = &m;
  request.envelope = read_envelope;
  err = submit_message(s, &request, m.timeout, body, cb, data);
  if (err == 0) return 0;
  uvsmtp__enter(s->env);
  uvsmtp_source_message_free(m.body);
  uvsmtp__leave(s->env);
  return err;
}

/* ------------------------------------------------------------ extensions */

int uvsmtp_etrn(uvsmtp_session_t* s, const char* node, uvsmtp_cb cb,
                void* data) {
  uvsmtp_request_t request = UVSMTP_REQUEST_INIT(UVSMTP_OP_EXTENSION);
  char text[UVSMTP__LINE_MAX];
  uvsmtp__line_t line = {text, 0};
  if (node == NULL || *node == '\0' || strchr(node, ' ') != NULL ||
      strlen(node) > UVSMTP__LINE_MAX - sizeof("ETRN "))
    return UV_EINVAL;
  uvsmtp__line_string(&line, "ETRN ");
  uvsmtp__line_put(&line, node, strlen(node) + 1);
  request.keyword = "ETRN";
  request.text = text;
  return uvsmtp__submit(s, &request, cb, data);
}

enum { ATTRIBUTES_MAX = 16 };

/* Writes " NAME=value" for each attribute, as xtext; where out is NULL it only
 * measures. UV_EINVAL: a name that can't be one. */
static int put_attributes(uvsmtp__line_t* line,
                          const uvsmtp_attribute_t* attributes, size_t n) {
  size_t i;
  for (i = 0; i < n; i++) {
    const char* value = attributes[i].value;
    const char* name = attributes[i].name;
    if (name == NULL || strchr(name, '=') != NULL ||
        uvsmtp__check_param(name) != 0)
      return UV_EINVAL;
    uvsmtp__line_put(line, " ", 1);
    uvsmtp__line_string(line, name);
    uvsmtp__line_put(line, "=", 1);
    if (value == NULL)
      uvsmtp__line_string(line, "[UNAVAILABLE]");
    else
      uvsmtp__line_xtext(line, value, strlen(value));
    if (line->len > UVSMTP__LINE_MAX - 2) return UV_EINVAL;
  }
  return n == 0 ? UV_EINVAL : 0;
}

/* A command of attributes, which the server has to know by their names. */
static int submit_attributes(uvsmtp_session_t* s, int op, const char* keyword,
                             const uvsmtp_attribute_t* attributes, size_t n,
                             uvsmtp_cb cb, void* data) {
  uvsmtp_request_t request = UVSMTP_REQUEST_INIT(op);
  const char* names[ATTRIBUTES_MAX];
  char text[UVSMTP__LINE_MAX];
  uvsmtp__line_t line = {NULL, strlen(keyword)};
  size_t i;
  if (attributes == NULL || n > ATTRIBUTES_MAX ||
      put_attributes(&line, attributes, n) != 0)
    return UV_EINVAL;
  line.out = text;
  line.len = 0;
  uvsmtp__line_string(&line, keyword);
  (void)put_attributes(&line, attributes, n);
  text[line.len] = '\0';
  for (i = 0; i < n; i++) names[i] = attributes[i].name;
  request.keyword = keyword;
  request.text = text;
  request.options = names;
  request.noptions = n;
  return uvsmtp__submit(s, &request, cb, data);
}

int uvsmtp_xforward(uvsmtp_session_t* s, const uvsmtp_attribute_t* attributes,
                    size_t n, uvsmtp_cb cb, void* data) {
  return submit_attributes(s, UVSMTP_OP_EXTENSION, "XFORWARD", attributes, n,
                           cb, data);
}

int uvsmtp_xclient(uvsmtp_session_t* s, const uvsmtp_attribute_t* attributes,
                   size_t n, uvsmtp_cb cb, void* data) {
  return submit_attributes(s, UVSMTP_OP_XCLIENT, "XCLIENT", attributes, n, cb,
                           data);
}

int uvsmtp_burl(uvsmtp_session_t* s, const char* url, int last, uvsmtp_cb cb,
                void* data) {
  uvsmtp_request_t request = UVSMTP_REQUEST_INIT(UVSMTP_OP_BURL);
  request.text = url;
  request.last = last;
  return uvsmtp__submit(s, &request, cb, data);
}
