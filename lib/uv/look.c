/* SPDX-License-Identifier: MIT */
/* look.c: what can be asked of a session, and set, without a completion. */
#include <errno.h>
#include <sys/socket.h>

#include "uv/uv_int.h"

int uvsmtp_session_has_extn(const uvsmtp_session_t* s, const char* keyword) {
  return uvsmtp_proto_extn(s->proto, keyword) != NULL;
}

const char* uvsmtp_session_extn(const uvsmtp_session_t* s,
                                const char* keyword) {
  return uvsmtp_proto_extn(s->proto, keyword);
}

int uvsmtp_session_next_extn(const uvsmtp_session_t* s, size_t* cursor,
                             uvsmtp_slice_t* keyword, uvsmtp_slice_t* params) {
  return uvsmtp_proto_next_extn(s->proto, cursor, keyword, params);
}

const uvsmtp_reply_t* uvsmtp_session_ehlo_reply(const uvsmtp_session_t* s) {
  return uvsmtp_proto_ehlo_reply(s->proto);
}

const uvsmtp_reply_t* uvsmtp_session_helo_reply(const uvsmtp_session_t* s) {
  return uvsmtp_proto_helo_reply(s->proto);
}

int uvsmtp_session_does_esmtp(const uvsmtp_session_t* s) {
  return uvsmtp_proto_does_esmtp(s->proto);
}

int uvsmtp_session_state(const uvsmtp_session_t* s) {
  return uvsmtp_proto_state(s->proto);
}

/* libuv has two functions for TCP and two for pipes; the system has one for
 * all, and knows how much room there is. */
static int address_of(const uvsmtp_session_t* s,
                      int (*ask)(int, struct sockaddr*, socklen_t*),
                      struct sockaddr* address, int* len) {
  socklen_t n;
  uv_os_fd_t fd;
  int err = uvsmtp_session_fileno(s, &fd);
  if (err != 0) return err;
  if (*len < 0) return UV_EINVAL;
  n = (socklen_t)*len;
  if (ask(fd, address, &n) != 0) return uv_translate_sys_error(errno);
  *len = (int)n;
  return 0;
}

int uvsmtp_session_local_address(const uvsmtp_session_t* s,
                                 struct sockaddr* address, int* len) {
  return address_of(s, getsockname, address, len);
}

int uvsmtp_session_peer_address(const uvsmtp_session_t* s,
                                struct sockaddr* address, int* len) {
  return address_of(s, getpeername, address, len);
}

int uvsmtp_session_fileno(const uvsmtp_session_t* s, uv_os_fd_t* fd) {
  if (s->conn != UVSMTP__UP) return UV_ENOTCONN;
  return uv_fileno(&s->transport->handle, fd);
}

int uvsmtp_session_set_trace(uvsmtp_session_t* s, uvsmtp_trace_cb trace,
                             void* arg) {
  if (s->env->busy != 0) return UV_EBUSY;
  s->trace = trace;
  s->trace_arg = arg;
  uvsmtp_proto_set_trace(s->proto, trace, arg);
  return 0;
}

const uvsmtp_tls_info_t* uvsmtp_session_tls(const uvsmtp_session_t* s) {
  return s->tls_info;
}

void* uvsmtp_session_data(const uvsmtp_session_t* s) { return s->data; }

void uvsmtp_session_set_data(uvsmtp_session_t* s, void* data) {
  s->data = data;
}

uvsmtp_env_t* uvsmtp_session_env(const uvsmtp_session_t* s) { return s->env; }

static void set_ref(uvsmtp_session_t* s, int wanted) {
  s->unwanted = !wanted;
  uvsmtp__hold(s);
}

void uvsmtp_session_ref(uvsmtp_session_t* s) { set_ref(s, 1); }

void uvsmtp_session_unref(uvsmtp_session_t* s) { set_ref(s, 0); }
