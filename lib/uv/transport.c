/* SPDX-License-Identifier: MIT */
/* transport.c: a transport that is connected goes up, is read, and is closed.
 */
#include "uv/uv_int.h"

/* ------------------------------------------------------------------- blocks */

/* A TCP handle is the smaller one, and the only one that many sessions have: it
 * gets no more than it needs. */
static size_t block_of(int type) {
  return type == UV_TCP ? sizeof(uv_tcp_t) : sizeof(uvsmtp__transport_t);
}

uvsmtp__transport_t* uvsmtp__transport_new(uvsmtp_session_t* s, int type,
                                           void* data) {
  uv_loop_t* loop = s->env->loop;
  uvsmtp__transport_t* t = uvsmtp__alloc(&s->env->mem, block_of(type));
  if (t == NULL) return NULL;
  if (type == UV_TCP) {
    uv_tcp_init(loop, &t->tcp);
  } else {
    uv_pipe_init(loop, &t->pipe, 0);
  }
  t->handle.data = data;
  s->handles++;
  return t;
}

void uvsmtp__transport_closed(uvsmtp_session_t* s, uv_handle_t* handle) {
  uvsmtp__free(&s->env->mem, handle, block_of(handle->type));
  s->handles--;
  uvsmtp__session_done(s);
}

/* -------------------------------------------------------------- its life */

static void on_alloc(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  uvsmtp_session_t* s = handle->data;
  (void)suggested;
  *buf = uv_buf_init(s->env->read_buffer, UVSMTP__READ_MAX);
}

/* s may be gone after. */
static void receive(uvsmtp_session_t* s, const char* data, size_t len) {
  int err = uvsmtp__received(s, data, len);
  if (err != 0) {
    uvsmtp__lost(s, err);
  } else {
    uvsmtp__pump(s);
  }
}

static void on_read(uv_stream_t* stream, ssize_t n, const uv_buf_t* buf) {
  uvsmtp_session_t* s = stream->data;
  if (n == 0) return;
  if (n < 0) {
    /* A write may have used up the socket's error; the end of file that is left
     * is then the smaller truth. EPIPE says no more than that end. */
    int err = (int)n;
    if (err == UV_EOF && s->write_error != 0 && s->write_error != UV_EPIPE) {
      err = s->write_error;
    }
    uvsmtp__lost(s, uvsmtp__received_end(s, err));
    return;
  }
  receive(s, buf->base, (size_t)n);
}

void uvsmtp__up(uvsmtp_session_t* s) {
  const uvsmtp__given_t* given = s->given;
  int err;
  uvsmtp__connect_stop(s, UV_ECANCELED);
  s->conn = UVSMTP__UP;
  err = uvsmtp__name_set(s);
  if (err == 0) err = uv_read_start(&s->transport->stream, on_alloc, on_read);
  if (err != 0) {
    uvsmtp__lost(s, err);
    return;
  }
  uvsmtp__enter(s->env);
  uvsmtp_proto_up(s->proto);
  uvsmtp__leave(s->env);
  if (given != NULL && given->len > 0) {
    receive(s, given->early, given->len);
  } else {
    uvsmtp__pump(s);
  }
}

static void on_transport_closed(uv_handle_t* handle) {
  uvsmtp__transport_closed(handle->data, handle);
}

void uvsmtp__shut(uvsmtp_session_t* s) {
  s->write_error = 0;
  s->phase = UVSMTP_PHASE_END; /* whatever comes, it is another wait */
  s->wait_due = UVSMTP__NEVER;
  uvsmtp__secure_end(s);
  uvsmtp__writable_drop(s);
  uvsmtp__connect_stop(s, UV_ECANCELED);
  if (s->transport != NULL) {
    uv_close(&s->transport->handle, on_transport_closed);
    s->transport = NULL;
  }
  s->conn = UVSMTP__IDLE;
}
