/* SPDX-License-Identifier: MIT */
/* file_int.h: a body source over a file, from inside.
 *
 *   file.c    its life, and files that are read in libuv's pool
 *   stream.c  pipes, terminals and sockets, which are polled */
#ifndef UVSMTP_UV_FILE_INT_H
#define UVSMTP_UV_FILE_INT_H

#include "uv/uv_int.h"

enum {
  UVSMTP__FILE_BLOCK = 65536, /* octets read at a time */
  UVSMTP__FILE_BLOCKS = 2     /* one is sent while the next is read */
};

/* What libuv's pool does for us just now. */
enum uvsmtp__job {
  UVSMTP__NO_JOB,
  UVSMTP__OPEN_JOB,
  UVSMTP__STAT_JOB,
  UVSMTP__READ_JOB
};

typedef struct uvsmtp__file_s {
  uvsmtp_source_t source; /* first: a pointer to it is one to the whole */
  uvsmtp_env_t* env;
  uvsmtp_session_t* session; /* NULL once it has gone, or nobody asks */
  uvsmtp__link_t link;       /* among the sources of the session */
  uv_fs_t req;               /* of the job */
  uv_poll_t poll;            /* initialised when stream is set */
  int fd;                    /* -1: not yet open */
  int watched;               /* what poll watches in the place of fd, or -1 */
  int error;                 /* stays: the place in the file is lost */
  int64_t start;             /* offset of the first octet */
  int64_t at;                /* of the next octet to read */
  int64_t end;               /* behind the last one, -1: unknown */
  char* buffer;              /* NULL until it was examined */
  size_t cap;                /* octets of each block in it */
  size_t blocks;             /* 1 or 2 */
  size_t len[UVSMTP__FILE_BLOCKS]; /* octets in each; 0: free */
  size_t off;                      /* consumed of the block shown */
  unsigned char shown;             /* the block to be sent */
  unsigned char next;              /* the block to read into */
  unsigned char job;               /* enum uvsmtp__job */
  unsigned int seekable : 1;
  unsigned int socket : 1;
  unsigned int stream : 1;   /* polled, not read in the pool */
  unsigned int over : 1;     /* all has been read */
  unsigned int stale : 1;    /* what is being read is not wanted any more */
  unsigned int waiting : 1;  /* peek has said WAIT */
  unsigned int taken : 1;    /* a call has accepted it */
  unsigned int released : 1; /* to be freed once libuv has reported */
  size_t size;               /* of this, with the path */
  char path[];               /* empty: there is only the descriptor */
} uvsmtp__file_t;

/* Prepares to poll what is open. UV_EPERM: it can't be polled, which is how the
 * system says that reading it never waits. */
int uvsmtp__stream_open(uvsmtp__file_t* f);

/* Reads what is there into the block, which is free, or notes an error. When
 * there is nothing it sees to it that uvsmtp__file_wake is called later. */
void uvsmtp__stream_read(uvsmtp__file_t* f);

/* Stops polling; uvsmtp__file_gone follows. */
void uvsmtp__stream_close(uvsmtp__file_t* f);

/* Whoever was told to wait is to ask again. */
void uvsmtp__file_wake(uvsmtp__file_t* f);

/* n octets were read into the next block, 0: there are no more. */
void uvsmtp__file_took(uvsmtp__file_t* f, size_t n);

/* libuv has nothing of a released file any more: frees it. */
void uvsmtp__file_gone(uvsmtp__file_t* f);

/* What the rest of the shell needs of file.c. */

/* A source over a file is for one call of one session. 0 for all other sources;
 * UV_EINVAL when it is another session's, or a call has it. */
int uvsmtp__file_claim(uvsmtp_source_t* source, const uvsmtp_session_t* s);
/* The call was not accepted after all. */
void uvsmtp__file_unclaim(uvsmtp_source_t* source);
/* The session goes; its unused sources stay, to be discarded. */
void uvsmtp__files_orphan(uvsmtp_session_t* s);

#endif
