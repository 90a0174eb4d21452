/* SPDX-License-Identifier: MIT */
/* open.c: a connection that was made elsewhere. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "uv/uv_int.h"

/* ------------------------------------------------------------------ checks */

static int failed(void) { return uv_translate_sys_error(errno); }

/* A connected stream socket, over TCP or local. */
static int check_fd(int fd, int* local) {
  union {
    struct sockaddr_storage any;
    struct sockaddr_un un;
  } addr;
  socklen_t len = sizeof(addr);
  int type = 0;
  socklen_t size = sizeof(type);
  if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return failed();
  if (type != SOCK_STREAM) return UV_EINVAL;
  memset(&addr, 0, sizeof(addr));
  if (getpeername(fd, (struct sockaddr*)&addr.any, &len) != 0) return failed();
  *local = UVSMTP__REMOTE;
  if (addr.any.ss_family == AF_INET || addr.any.ss_family == AF_INET6) return 0;
  if (addr.any.ss_family != AF_UNIX) return UV_EINVAL;
  /* Not every system says it by len; and anybody may have Linux's abstract
   * names, which begin with a NUL. */
  *local = addr.un.sun_path[0] != '\0' ? UVSMTP__LOCAL : UVSMTP__PAIRED;
  return 0;
}

/* The descriptor of a stream that the caller has done with. */
static int check_stream(const uvsmtp_env_t* env, const uv_stream_t* stream,
                        int* fd) {
  const uv_handle_t* handle = (const uv_handle_t*)stream;
  if (handle->type != UV_TCP && handle->type != UV_NAMED_PIPE) return UV_EINVAL;
  if (handle->loop != env->loop || uv_is_closing(handle)) return UV_EINVAL;
  if (uv_is_active(handle)) return UV_EINVAL; /* it is being read */
  if (uv_stream_get_write_queue_size(stream) > 0) return UV_EINVAL;
  return uv_fileno(handle, fd) == 0 ? 0 : UV_ENOTCONN;
}

static int check(const uvsmtp_env_t* env, const uvsmtp_connection_t* c, int* fd,
                 int* local) {
  int err;
  if ((c->fd == -1) == (c->stream == NULL)) return UV_EINVAL;
  if (c->early.base == NULL && c->early.len > 0) return UV_EINVAL;
  *fd = c->fd;
  if (c->stream != NULL) {
    err = check_stream(env, c->stream, fd);
    if (err != 0) return err;
  }
  return check_fd(*fd, local);
}

/* --------------------------------------------------------------- ownership */

static int given_new(uvsmtp_env_t* env, const uvsmtp_slice_t* early,
                     uvsmtp__given_t** out) {
  uvsmtp__given_t* g;
  size_t head = offsetof(uvsmtp__given_t, early);
  if (early->len > SIZE_MAX - head) return UV_ENOMEM;
  g = uvsmtp__alloc(&env->mem, head + early->len);
  if (g == NULL) return UV_ENOMEM;
  g->block = head + early->len;
  g->fd = -1;
  g->local = UVSMTP__REMOTE;
  g->len = early->len;
  if (early->len > 0) memcpy(g->early, early->base, early->len);
  *out = g;
  return 0;
}

static void given_free(uvsmtp_env_t* env, uvsmtp__given_t* g) {
  if (g->fd != -1) close(g->fd);
  uvsmtp__free(&env->mem, g, g->block);
}

void uvsmtp__given_drop(uvsmtp_session_t* s) {
  uvsmtp__given_t* g = s->given;
  s->given = NULL;
  if (g != NULL) given_free(s->env, g);
}

/* Neither the descriptor of a caller's handle nor the number of a standard
 * stream can be ours, since libuv does not close the latter. So there is a
 * duplicate, and what had the number is put on /dev/null: were it free, the
 * next file to be opened would be somebody's standard output. *null is -1 where
 * that does not matter. */
static int duplicate(const uvsmtp_connection_t* c, int fd, int* own,
                     int* null) {
  int err = 0;
  *own = fd;
  *null = -1;
  if (c->stream == NULL && fd > STDERR_FILENO) return 0;
  *own = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (*own < 0) return failed();
  if (c->stream != NULL) return 0;
  *null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (*null >= 0) return 0;
  err = failed();
  close(*own);
  return err;
}

/* The call was accepted: what was the caller's is ours. */
static void take_over(int fd, int own, int null) {
  if (own == fd) fcntl(own, F_SETFD, FD_CLOEXEC);
  if (null == -1) return;
  dup2(null, fd);
  close(null);
}

int uvsmtp_open(uvsmtp_session_t* s, const uvsmtp_connection_t* connection,
                uvsmtp_cb cb, void* data) {
  uvsmtp_connection_t c = UVSMTP_CONNECTION_INIT;
  uvsmtp__given_t* g = NULL;
  int fd = -1;
  int own = -1;
  int null = -1;
  int local = UVSMTP__REMOTE;
  int err = uvsmtp__may_connect(s);
  if (err != 0) return err;
  /* Less than the whole first version would leave descriptor 0. */
  if (connection == NULL ||
      uvsmtp__take(&c, sizeof(c), connection,
                   UVSMTP__UP_TO(uvsmtp_connection_t, early)) != 0) {
    return UV_EINVAL;
  }
  err = check(s->env, &c, &fd, &local);
  if (err == 0) err = given_new(s->env, &c.early, &g);
  if (err != 0) return err;
  err = duplicate(&c, fd, &own, &null);
  if (err == 0) {
    g->local = local;
    err = uvsmtp__submit_connect(s, NULL, g, cb, data);
    if (err != 0 && own != fd) close(own);
    if (err != 0 && null != -1) close(null);
  }
  if (err != 0) {
    given_free(s->env, g);
    return err;
  }
  take_over(fd, own, null);
  g->fd = own;
  return 0;
}

/* ----------------------------------------------------------------- its turn */

void uvsmtp__given_open(uvsmtp_session_t* s) {
  uvsmtp__given_t* g = s->given;
  uvsmtp__transport_t* t =
      uvsmtp__transport_new(s, g->local ? UV_NAMED_PIPE : UV_TCP, s);
  int err;
  if (t == NULL) {
    uvsmtp__lost(s, UV_ENOMEM);
    return;
  }
  s->transport = t;
  uvsmtp__info(s, "taking over a connection", NULL, 0, NULL);
  err = g->local ? uv_pipe_open(&t->pipe, g->fd) : uv_tcp_open(&t->tcp, g->fd);
  if (err != 0) {
    uvsmtp__lost(s, err);
    return;
  }
  g->fd = -1;
  if (!g->local) uv_tcp_nodelay(&t->tcp, 1);
  uvsmtp__connected(s);
}
