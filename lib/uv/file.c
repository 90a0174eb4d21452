/* SPDX-License-Identifier: MIT */
/* file.c: body sources over files.
 *
 * There are two ways to read, since neither fits all. A regular file is always
 * ready for poll, and yet may take its time: it is read in libuv's pool, a
 * block ahead of what is being sent. A pipe, terminal or socket would hold a
 * thread of the pool for as long as it is silent, which nobody can call off,
 * and with four of them no name is looked up any more: those are polled (see
 * stream.c). */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "uv/file_int.h"

/* ---------------------------------------------------------------- the end */

static void file_free(uvsmtp__file_t* f) {
  uvsmtp_env_t* env = f->env;
  /* Nothing was written, so that there is nothing that closing waits for. */
  if (f->fd >= 0) close(f->fd);
  uvsmtp__free(&env->mem, f->buffer, f->cap * f->blocks);
  uvsmtp__free(&env->mem, f, f->size);
}

void uvsmtp__file_gone(uvsmtp__file_t* f) {
  uvsmtp_env_t* env = f->env;
  file_free(f);
  env->orphans--;
  uvsmtp__env_done(env);
}

/* A thread that has begun can't be called off, and may be stuck in the system:
 * what it says is heard by the environment. The session need not wait. */
static void let_go(uvsmtp__file_t* f) {
  uvsmtp__queue_remove(&f->link);
  f->session = NULL;
  f->released = 1;
  f->env->files--;
  if (f->job == UVSMTP__NO_JOB && !f->stream) {
    file_free(f);
    return;
  }
  f->env->orphans++;
  if (f->stream) {
    uvsmtp__stream_close(f);
  } else {
    (void)uv_cancel((uv_req_t*)&f->req);
  }
}

/* --------------------------------------------------------------- the pool */

void uvsmtp__file_wake(uvsmtp__file_t* f) {
  if (!f->waiting || f->session == NULL) return;
  f->waiting = 0;
  uvsmtp_session_resume(f->session);
}

/* What fstat said: how to read it, and how much. */
static int examine(uvsmtp__file_t* f, uint64_t mode, uint64_t size) {
  size_t cap = UVSMTP__FILE_BLOCK;
  int err = 0;
  if (S_ISDIR(mode)) return UV_EISDIR; /* some systems would read it */
  f->seekable = S_ISREG(mode) || S_ISBLK(mode);
  f->socket = S_ISSOCK(mode);
  if (!f->seekable) {
    /* What needs the text a second time sees that before it begins. */
    f->source.rewind = NULL;
    /* Poll would say of it that it is silent. */
    if ((fcntl(f->fd, F_GETFL) & O_ACCMODE) == O_WRONLY) return UV_EBADF;
    err = uvsmtp__stream_open(f);
    if (err != 0 && err != UV_EPERM) return err;
  }
  /* Those of /proc say that they are empty, and are not: to be seen when they
   * were read. */
  if (S_ISREG(mode) && size > 0) {
    f->end = (int64_t)size > f->start ? (int64_t)size : f->start;
    if (f->end - f->start < UVSMTP__FILE_BLOCK)
      cap = (size_t)(f->end - f->start);
  }
  f->over = f->end == f->start;
  if (f->over) return 0;
  /* Read ahead pays for what is known to be long. */
  f->blocks = f->end - f->start > (int64_t)cap ? UVSMTP__FILE_BLOCKS : 1;
  f->cap = cap;
  f->buffer = uvsmtp__alloc(&f->env->mem, cap * f->blocks);
  return f->buffer == NULL ? UV_ENOMEM : 0;
}

void uvsmtp__file_took(uvsmtp__file_t* f, size_t n) {
  f->len[f->next] = n;
  f->at += (int64_t)n;
  if (n > 0) {
    f->next = (unsigned char)((f->next + 1u) % f->blocks);
    /* What was added since its length was taken does not count. */
    f->over = f->at == f->end;
    return;
  }
  /* Should it be shorter than its length, the engine sees that it is. */
  f->over = 1;
  if (f->end < 0 && f->at == f->start) f->end = f->start;
}

static void on_job(uv_fs_t* req);

/* Begins to read the next block. */
static int read_block(uvsmtp__file_t* f) {
  int64_t left = f->end - f->at;
  uv_buf_t buf =
      uv_buf_init(f->buffer + f->next * f->cap, (unsigned int)f->cap);
  if (f->end >= 0 && left < (int64_t)f->cap) buf.len = (size_t)left;
  /* At an offset of our own: that of a descriptor stays where it is. */
  return uv_fs_read(f->env->loop, &f->req, f->fd, &buf, 1,
                    f->seekable ? f->at : -1, on_job);
}

/* Gives the pool its next job, unless there is none. */
static void go_on(uvsmtp__file_t* f) {
  uv_loop_t* loop = f->env->loop;
  int err;
  if (f->job != UVSMTP__NO_JOB || f->error != 0 || f->over || f->stream) return;
  if (f->fd < 0) {
    f->job = UVSMTP__OPEN_JOB;
    /* A FIFO without a writer, and a line without a carrier, would block the
     * thread; to a regular file NONBLOCK does nothing. And no terminal is to
     * become the one of this process. */
    err = uv_fs_open(loop, &f->req, f->path,
                     O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0, on_job);
  } else if (f->buffer == NULL) {
    f->job = UVSMTP__STAT_JOB;
    err = uv_fs_fstat(loop, &f->req, f->fd, on_job);
  } else if (f->len[f->next] == 0) {
    f->job = UVSMTP__READ_JOB;
    err = read_block(f);
  } else {
    return;
  }
  if (err < 0) {
    f->job = UVSMTP__NO_JOB;
    f->error = err;
  }
}

static void on_job(uv_fs_t* req) {
  uvsmtp__file_t* f = req->data;
  int job = f->job;
  ssize_t rc = req->result;
  uv_fs_req_cleanup(req);
  f->job = UVSMTP__NO_JOB;
  if (job == UVSMTP__OPEN_JOB && rc >= 0) f->fd = (int)rc;
  if (f->released) {
    uvsmtp__file_gone(f);
    return;
  }
  if (f->stale) {
    f->stale = 0;
  } else if (rc < 0) {
    f->error = (int)rc;
  } else if (job == UVSMTP__STAT_JOB) {
    f->error = examine(f, req->statbuf.st_mode, req->statbuf.st_size);
  } else if (job == UVSMTP__READ_JOB) {
    uvsmtp__file_took(f, (size_t)rc);
  }
  go_on(f);
  if (f->error != 0 || f->over || f->stream || f->len[f->shown] > 0)
    uvsmtp__file_wake(f);
}

/* ------------------------------------------------------------- the source */

/* What there is to show: a status, or an error. */
static int look(uvsmtp__file_t* f) {
  if (f->len[f->shown] > 0) return UVSMTP_SOURCE_MORE;
  if (f->error != 0) return f->error;
  if (f->over) return UVSMTP_SOURCE_EOF;
  return UVSMTP_SOURCE_WAIT;
}

static int file_peek(uvsmtp_source_t* source, uvsmtp_slice_t* out) {
  uvsmtp__file_t* f = (uvsmtp__file_t*)source;
  int rc = look(f);
  if (rc == UVSMTP_SOURCE_WAIT) {
    if (f->stream)
      uvsmtp__stream_read(f);
    else
      go_on(f);
    rc = look(f);
  }
  f->waiting = rc == UVSMTP_SOURCE_WAIT;
  if (rc < 0 || f->waiting) return rc;
  /* Said only when the first octets are there: a file that can't be read then
   * fails before its message has begun. */
  if (source->length == UVSMTP_LENGTH_LATER)
    source->length = f->end < 0 ? -1 : f->end - f->start;
  if (rc == UVSMTP_SOURCE_MORE) {
    out->base = f->buffer + f->shown * f->cap + f->off;
    out->len = f->len[f->shown] - f->off;
  }
  return rc;
}

static void file_consumed(uvsmtp_source_t* source, size_t n) {
  uvsmtp__file_t* f = (uvsmtp__file_t*)source;
  f->off += n;
  if (n == 0 || f->off < f->len[f->shown]) return;
  f->len[f->shown] = 0;
  f->off = 0;
  f->shown = (unsigned char)((f->shown + 1u) % f->blocks);
  go_on(f);
}

static int file_rewind(uvsmtp_source_t* source) {
  uvsmtp__file_t* f = (uvsmtp__file_t*)source;
  if (f->error != 0) return f->error;
  if (f->buffer == NULL) return 0; /* nothing was read yet */
  f->stale = f->job == UVSMTP__READ_JOB;
  f->at = f->start;
  f->over = 0;
  f->len[0] = f->len[1] = 0;
  f->off = 0;
  f->shown = f->next = 0;
  return 0;
}

static void file_release(uvsmtp_source_t* source) {
  let_go((uvsmtp__file_t*)source);
}

/* ------------------------------------------------------------ public calls */

static int file_new(uvsmtp_session_t* s, const char* path, int fd,
                    uvsmtp_source_t** out) {
  size_t len = strlen(path) + 1;
  size_t size = sizeof(uvsmtp__file_t) + len;
  uvsmtp__file_t* f = uvsmtp__alloc(&s->env->mem, size);
  if (f == NULL) return UV_ENOMEM;
  memset(f, 0, sizeof(*f));
  f->source.size = sizeof(f->source);
  f->source.length = UVSMTP_LENGTH_LATER;
  f->source.peek = file_peek;
  f->source.consumed = file_consumed;
  f->source.rewind = file_rewind;
  f->source.release = file_release;
  f->env = s->env;
  f->session = s;
  f->size = size;
  f->fd = fd;
  f->watched = -1;
  f->end = -1;
  f->req.data = f;
  memcpy(f->path, path, len);
  uvsmtp__queue_init(&f->link);
  uvsmtp__queue_insert_tail(&s->files, &f->link);
  s->env->files++;
  *out = &f->source;
  return 0;
}

int uvsmtp_source_path(uvsmtp_source_t** source, uvsmtp_session_t* s,
                       const char* path) {
  int err = uvsmtp__admit(s);
  if (err != 0) return err;
  if (source == NULL || path == NULL) return UV_EINVAL;
  return file_new(s, path, -1, source);
}

int uvsmtp_source_fd(uvsmtp_source_t** source, uvsmtp_session_t* s,
                     uv_file fd) {
  off_t offset;
  int err = uvsmtp__admit(s);
  int own;
  if (err != 0) return err;
  if (source == NULL) return UV_EINVAL;
  /* Not a standard stream's number, should the host have closed one. */
  own = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (own < 0) return uv_translate_sys_error(errno);
  err = file_new(s, "", own, source);
  if (err != 0) {
    close(own);
    return err;
  }
  offset = lseek(own, 0, SEEK_CUR); /* a pipe has none */
  if (offset > 0) {
    uvsmtp__file_t* f = (uvsmtp__file_t*)*source;
    f->start = f->at = offset;
  }
  return 0;
}

static uvsmtp__file_t* file_of(uvsmtp_source_t* source) {
  if (source == NULL || source->peek != file_peek) return NULL;
  return (uvsmtp__file_t*)source;
}

void uvsmtp_source_discard(uvsmtp_source_t* source) {
  uvsmtp__file_t* f = file_of(source);
  if (f != NULL && !f->taken) let_go(f);
}

int uvsmtp__file_claim(uvsmtp_source_t* source, const uvsmtp_session_t* s) {
  uvsmtp__file_t* f = file_of(source);
  if (f == NULL) return 0;
  if (f->session != s || f->taken) return UV_EINVAL;
  f->taken = 1;
  return 0;
}

void uvsmtp__file_unclaim(uvsmtp_source_t* source) {
  uvsmtp__file_t* f = file_of(source);
  if (f != NULL) f->taken = 0;
}

void uvsmtp__files_orphan(uvsmtp_session_t* s) {
  uvsmtp__link_t* link;
  while ((link = uvsmtp__queue_first(&s->files)) != NULL) {
    uvsmtp__file_t* f = UVSMTP__CONTAINER(link, uvsmtp__file_t, link);
    uvsmtp__queue_remove(link);
    f->session = NULL;
  }
}
