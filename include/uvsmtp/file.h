/* SPDX-License-Identifier: MIT */
/* uvsmtp/file.h: sources over files and descriptors. Part of uvsmtp.h. */
#ifndef UVSMTP_FILE_H
#define UVSMTP_FILE_H

#include "uvsmtp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A source over a file, read in the background by uv_fs while the session
 * works: for one message of this session; a call with one of another session,
 * or one that a call has already, is refused with UV_EINVAL. It is made by the
 * library, and freed by it when the message's call releases it. By path: opened
 * when the message's turn comes. By descriptor: duplicated at once, and read
 * from its current offset, which stays where it is if the file is a regular
 * one. Errors of opening and reading fail the message with UVSMTP_ESOURCE and
 * the error as cause: before anything of it was sent if the file can't be read
 * at all (UV_ENOENT, UV_EISDIR ...). As many octets are sent as the file had
 * when it was opened: one that became shorter meanwhile is an error too
 * (UV_EOF), what was added is not sent. Pipes, terminals and sockets are read
 * as their octets come, under the deadline of the text, and are never made
 * non-blocking; a message from one begins with its first octet. 0, UV_EINVAL,
 * UV_ENOMEM, UV_EBUSY, UV_ECANCELED, and for a descriptor that can't be
 * duplicated UV_EBADF or UV_EMFILE. */
UVSMTP_EXTERN int uvsmtp_source_path(uvsmtp_source_t** source,
                                     uvsmtp_session_t* session,
                                     const char* path);
UVSMTP_EXTERN int uvsmtp_source_fd(uvsmtp_source_t** source,
                                   uvsmtp_session_t* session, uv_file fd);

/* Frees such a source that no call has accepted, also after its session has
 * gone; one that a call has accepted is left alone. NULL is fine. */
UVSMTP_EXTERN void uvsmtp_source_discard(uvsmtp_source_t* source);

#ifdef __cplusplus
}
#endif
#endif
