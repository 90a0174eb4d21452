/* SPDX-License-Identifier: MIT */
/* stream.c: body sources over what has no length: pipes, terminals, sockets.
 * They are polled for as long as they are silent, and read when they are not;
 * their own buffer in the system is all the reading ahead there is.
 *
 * What belongs to the caller is shared with him, and a standard input with who
 * knows which processes: their end must not become non-blocking, for that is a
 * property of what they share. uv_poll_init makes it so. Hence on Linux libuv
 * watches an epoll instance that watches the descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif

#include "uv/file_int.h"

#ifdef __linux__
static int watch(uvsmtp__file_t* f) {
  struct epoll_event event = {0};
  f->watched = epoll_create1(EPOLL_CLOEXEC);
  if (f->watched < 0) return uv_translate_sys_error(errno);
  event.events = EPOLLIN;
  if (epoll_ctl(f->watched, EPOLL_CTL_ADD, f->fd, &event) != 0)
    return uv_translate_sys_error(errno);
  return uv_poll_init(f->env->loop, &f->poll, f->watched);
}
#else
/* The next best: to take it back at once. */
static int watch(uvsmtp__file_t* f) {
  int flags = fcntl(f->fd, F_GETFL);
  int err = uv_poll_init(f->env->loop, &f->poll, f->fd);
  if (flags >= 0) (void)fcntl(f->fd, F_SETFL, flags);
  return err;
}
#endif

int uvsmtp__stream_open(uvsmtp__file_t* f) {
  int err = watch(f);
  f->poll.data = f;
  f->stream = err == 0;
  if (err == 0 || f->watched < 0) return err;
  close(f->watched);
  f->watched = -1;
  return err;
}

static void on_closed(uv_handle_t* handle) {
  uvsmtp__file_t* f = handle->data;
  if (f->watched >= 0) close(f->watched);
  uvsmtp__file_gone(f);
}

void uvsmtp__stream_close(uvsmtp__file_t* f) {
  uv_close((uv_handle_t*)&f->poll, on_closed);
}

/* The status is not looked at: reading knows the real error. */
static void on_readable(uv_poll_t* poll, int status, int events) {
  (void)status;
  (void)events;
  uv_poll_stop(poll);
  uvsmtp__file_wake(poll->data);
}

/* Is there anything to read, be it the end or an error? A FIFO to which nobody
 * has written yet reads as ended, and is only empty: poll knows. And who is
 * blocking must not be read while it is empty. */
static int ready(uvsmtp__file_t* f) {
  struct pollfd fds = {f->fd, POLLIN, 0};
  int n;
  do {
    n = poll(&fds, 1, 0);
  } while (n < 0 && errno == EINTR);
  return n < 0 ? uv_translate_sys_error(errno) : n;
}

static ssize_t read_some(uvsmtp__file_t* f) {
  ssize_t n;
  do {
    n = f->socket ? recv(f->fd, f->buffer, f->cap, MSG_DONTWAIT)
                  : read(f->fd, f->buffer, f->cap);
  } while (n < 0 && errno == EINTR);
  if (n >= 0) return n;
  return errno == EWOULDBLOCK ? UV_EAGAIN : uv_translate_sys_error(errno);
}

void uvsmtp__stream_read(uvsmtp__file_t* f) {
  ssize_t n = ready(f);
  if (n > 0)
    n = read_some(f);
  else if (n == 0)
    n = UV_EAGAIN;
  if (n == UV_EAGAIN) {
    n = uv_poll_start(&f->poll, UV_READABLE, on_readable);
    if (n == 0) return;
  }
  if (n < 0)
    f->error = (int)n;
  else
    uvsmtp__file_took(f, (size_t)n);
}
