/* SPDX-License-Identifier: MIT */
/* write.c: the only writer to a socket.
 *
 * libuv writes with write(2) and writev(2), which raise SIGPIPE when the peer
 * has gone, and nothing but the process-wide disposition of that signal, which
 * is the host's own, keeps that from killing it. sendmsg(2) can be told not to.
 * When the socket's buffer is full, a poll handle waits for room: on a
 * duplicate of the descriptor, since libuv watches each only once. */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "uv/uv_int.h"

enum {
  SLICES = 32,
  CALL_MAX = 1024 * 1024, /* octets in one call */
  TURN_MAX = 4 * 1024 * 1024,
  TURN_TLS = 256 * 1024, /* to encrypt takes its time */
  TURN_CALLS = 64
};

/* ------------------------------------------------------- waiting for room */

static void on_writable_closed(uv_handle_t* handle) {
  uvsmtp__writable_t* w = handle->data;
  uvsmtp_session_t* s = w->session;
  close(w->fd);
  uvsmtp__free(&s->env->mem, w, sizeof(*w));
  s->handles--;
  uvsmtp__session_done(s);
}

void uvsmtp__writable_drop(uvsmtp_session_t* s) {
  uvsmtp__writable_t* w = s->writable;
  if (w == NULL) return;
  s->writable = NULL;
  s->blocked = 0;
  uv_close((uv_handle_t*)&w->poll, on_writable_closed);
}

/* The status is not looked at: sendmsg knows the real error. */
static void on_writable(uv_poll_t* poll, int status, int events) {
  uvsmtp__writable_t* w = poll->data;
  (void)status;
  (void)events;
  w->session->blocked = 0;
  uvsmtp__pump(w->session);
}

static int writable_new(uvsmtp_session_t* s, int fd) {
  uvsmtp__writable_t* w = uvsmtp__alloc(&s->env->mem, sizeof(*w));
  int err;
  if (w == NULL) return UV_ENOMEM;
  w->session = s;
  /* Not a standard stream's number, should the host have closed one: what it
   * writes there would go to the server. */
  w->fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  err = w->fd < 0 ? uv_translate_sys_error(errno)
                  : uv_poll_init(s->env->loop, &w->poll, w->fd);
  if (err != 0) {
    if (w->fd >= 0) close(w->fd);
    uvsmtp__free(&s->env->mem, w, sizeof(*w));
    return err;
  }
  w->poll.data = w;
  s->writable = w;
  s->handles++;
  return 0;
}

/* Waits until the socket takes octets again. 0 or an error. */
static int wait_for_room(uvsmtp_session_t* s, int fd) {
  int err = 0;
  if (s->writable == NULL) err = writable_new(s, fd);
  /* libuv stops the handle itself when it reports an error. */
  if (err == 0 && !uv_is_active((uv_handle_t*)&s->writable->poll)) {
    err = uv_poll_start(&s->writable->poll, UV_WRITABLE, on_writable);
  }
  if (err == 0) s->blocked = 1;
  return err;
}

/* ---------------------------------------------------------------- writing */

/* Offers slices to the socket, CALL_MAX octets at most. How many it took, or a
 * negative error. *offered gets how many there were. */
static ssize_t offer(int fd, const uvsmtp_slice_t* slices, size_t n,
                     size_t* offered) {
  struct iovec iov[SLICES];
  struct msghdr msg = {0};
  size_t total = 0;
  size_t i;
  ssize_t sent;
  for (i = 0; i < n && total < CALL_MAX; i++) {
    size_t len = slices[i].len;
    if (len > CALL_MAX - total) len = CALL_MAX - total;
    iov[i].iov_base = (void*)(uintptr_t)slices[i].base;
    iov[i].iov_len = len;
    total += len;
  }
  msg.msg_iov = iov;
  msg.msg_iovlen = i;
  *offered = total;
  do {
    sent = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return sent;
  return errno == EWOULDBLOCK ? UV_EAGAIN : uv_translate_sys_error(errno);
}

/* The peer may have said why before it went: "554 too much" and a reset. So
 * nothing more is written, but what it sent is still read, until the end, the
 * deadline, or for a second. */
static void write_failed(uvsmtp_session_t* s, int err) {
  uint64_t due = uvsmtp__now(s->env) + 1000;
  uvsmtp__info(s, "writing failed", NULL, 0, uvsmtp_strerror(err));
  s->write_error = err;
  uvsmtp__writable_drop(s);
  if (due < s->wait_due) s->wait_due = due;
}

/* Encrypts what the engine has to say, as far as there is room: for the engine
 * those octets have left. 0 or an error. */
static int encrypt(uvsmtp_session_t* s) {
  uvsmtp_slice_t slices[SLICES];
  ptrdiff_t taken;
  size_t n;
  if (s->shaking) return 0;
  do {
    n = uvsmtp_proto_peek(s->proto, slices, SLICES);
    if (n == 0) return 0;
    taken = uvsmtp__tls_conn_write(s->tls, slices, n);
    if (taken > 0) uvsmtp_proto_sent(s->proto, (size_t)taken);
  } while (taken > 0);
  return (int)taken;
}

/* What to write now: how many slices, or an error. */
static int next_out(uvsmtp_session_t* s, uvsmtp_slice_t* slices) {
  int n;
  int err = 0;
  uvsmtp__enter(s->env);
  if (s->tls == NULL) {
    n = (int)uvsmtp_proto_peek(s->proto, slices, SLICES);
  } else {
    err = encrypt(s);
    slices[0] = uvsmtp__tls_conn_peek(s->tls);
    n = slices[0].len > 0;
  }
  uvsmtp__leave(s->env);
  return n == 0 ? err : n;
}

static void took(uvsmtp_session_t* s, size_t n) {
  uvsmtp__enter(s->env);
  if (s->tls == NULL) {
    uvsmtp_proto_sent(s->proto, n);
  } else {
    uvsmtp__tls_conn_sent(s->tls, n);
  }
  uvsmtp__leave(s->env);
}

void uvsmtp__flush_last(uvsmtp_session_t* s) {
  uvsmtp_slice_t slice = uvsmtp__tls_conn_peek(s->tls);
  uv_os_fd_t fd = -1;
  size_t offered;
  if (slice.len == 0 || s->transport == NULL || s->write_error != 0) return;
  uv_fileno(&s->transport->handle, &fd);
  (void)offer(fd, &slice, 1, &offered);
}

int uvsmtp__flush(uvsmtp_session_t* s) {
  uvsmtp_slice_t slices[SLICES];
  size_t budget = s->tls == NULL ? TURN_MAX : TURN_TLS;
  unsigned int calls = 0;
  uv_os_fd_t fd = -1;
  if (s->conn != UVSMTP__UP || s->blocked || s->write_error != 0) return 0;
  uv_fileno(&s->transport->handle, &fd);
  for (;;) {
    size_t offered;
    ssize_t sent;
    int n = next_out(s, slices);
    if (n <= 0) {
      if (n < 0) write_failed(s, n);
      uvsmtp__writable_drop(s);
      return 0;
    }
    if (budget == 0 || calls++ == TURN_CALLS) return 1;
    sent = offer(fd, slices, (size_t)n, &offered);
    if (sent > 0) {
      budget -= (size_t)sent < budget ? (size_t)sent : budget;
      took(s, (size_t)sent);
      if ((size_t)sent == offered) continue;
      sent = UV_EAGAIN; /* it took what it had room for */
    }
    if (sent == 0 || sent == UV_EAGAIN) sent = wait_for_room(s, fd);
    if (sent != 0) write_failed(s, (int)sent);
    return 0;
  }
}
