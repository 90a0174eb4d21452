/* SPDX-License-Identifier: MIT */
/* open.c: a connection that was made elsewhere, and the attempts of one that
 * is made here. */
#include "uv/uv_int.h"

int uvsmtp_open(uvsmtp_session_t* s, const uvsmtp_connection_t* connection,
                uvsmtp_cb cb, void* data) {
  (void)s;
  (void)connection;
  (void)cb;
  (void)data;
  return UV_ENOSYS;
}
size_t uvsmtp_session_attempt_count(const uvsmtp_session_t* s) {
  (void)s;
  return 0;
}
const uvsmtp_attempt_t* uvsmtp_session_attempt(const uvsmtp_session_t* s,
                                               size_t i) {
  (void)s;
  (void)i;
  return NULL;
}
int uvsmtp_attempt_status(const uvsmtp_attempt_t* a) {
  (void)a;
  return 0;
}
const struct sockaddr* uvsmtp_attempt_address(const uvsmtp_attempt_t* a) {
  (void)a;
  return NULL;
}
uint64_t uvsmtp_attempt_duration(const uvsmtp_attempt_t* a) {
  (void)a;
  return 0;
}
void uvsmtp_query_done(uvsmtp_query_t* q, int status,
                       const struct sockaddr* const* a, size_t n) {
  (void)q;
  (void)status;
  (void)a;
  (void)n;
}
