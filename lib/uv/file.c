/* SPDX-License-Identifier: MIT */
/* file.c: body sources over files, read in the background by uv_fs. */
#include "uv/uv_int.h"

int uvsmtp_source_path(uvsmtp_source_t** source, uvsmtp_session_t* s,
                       const char* path) {
  (void)source;
  (void)s;
  (void)path;
  return UV_ENOSYS;
}

int uvsmtp_source_fd(uvsmtp_source_t** source, uvsmtp_session_t* s,
                     uv_file fd) {
  (void)source;
  (void)s;
  (void)fd;
  return UV_ENOSYS;
}

void uvsmtp_source_discard(uvsmtp_source_t* source) { (void)source; }
