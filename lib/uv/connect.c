/* SPDX-License-Identifier: MIT */
/* connect.c: from a target to a transport that is up: which way to go, and the
 * end of what is needed on the way. */
#include <string.h>

#include "uv/uv_int.h"

/* ------------------------------------------------------------ what it needs */

static uvsmtp__connect_t* connect_new(uvsmtp_session_t* s) {
  const uvsmtp__target_t* t = uvsmtp__target_now(s);
  uvsmtp__connect_t* c = uvsmtp__alloc(&s->env->mem, sizeof(*c));
  if (c == NULL) return NULL;
  memset(c, 0, sizeof(*c));
  c->session = s;
  c->users = 1;
  uvsmtp__queue_init(&c->naming);
  c->target.host = "localhost";
  if (t != NULL) c->target = *t;
  c->port = uvsmtp__target_port(t, s->lmtp);
  if (c->target.bind_host != NULL) {
    uvsmtp__literal(c->target.bind_host, strlen(c->target.bind_host), &c->bind);
  }
  return c;
}

void uvsmtp__connect_release(uvsmtp__connect_t* c) {
  uvsmtp_env_t* env = c->session->env;
  if (--c->users != 0) return;
  uvsmtp__free(&env->mem, c->attempts, c->count * sizeof(c->attempts[0]));
  uvsmtp__free(&env->mem, c, sizeof(*c));
}

/* A timer of libuv's for each session that connects: that is rare beside what
 * the deadlines of sessions at work do, and one that races has several handles
 * anyway. A session's place in the heap of deadlines stays that of its only
 * deadline. */
void uvsmtp__connect_timer(uvsmtp__connect_t* c, uint64_t ms, uv_timer_cb cb) {
  if (!c->timing) {
    uv_timer_init(c->session->env->loop, &c->timer);
    c->timer.data = c;
    c->timing = 1;
    c->users++;
    c->session->handles++;
  }
  uv_timer_start(&c->timer, cb, ms, 0);
}

static void on_timer_closed(uv_handle_t* handle) {
  uvsmtp__connect_t* c = handle->data;
  uvsmtp_session_t* s = c->session;
  uvsmtp__connect_release(c);
  s->handles--;
  uvsmtp__session_done(s);
}

void uvsmtp__connect_stop(uvsmtp_session_t* s, int status) {
  uvsmtp__connect_t* c = s->connect;
  if (c == NULL) return;
  uvsmtp__queue_remove(&c->naming);
  uvsmtp__resolve_stop(c);
  uvsmtp__race_stop(c, status);
  if (c->timing) {
    c->timing = 0;
    uv_close((uv_handle_t*)&c->timer, on_timer_closed);
  }
}

void uvsmtp__connect_done(uvsmtp_session_t* s) {
  s->opening = 0;
  uvsmtp__given_drop(s);
}

void uvsmtp__connect_told(uvsmtp_session_t* s) {
  uvsmtp__connect_t* c = s->connect;
  s->connect = NULL;
  if (c != NULL) uvsmtp__connect_release(c);
}

/* ------------------------------------------------------------------ the way */

void uvsmtp__connected(uvsmtp_session_t* s) {
  s->conn = UVSMTP__NAMING;
  if (!uvsmtp__name_wait(s)) uvsmtp__up(s);
}

/* The attempts are known, unless err says why there are none. */
static void run(uvsmtp__connect_t* c, int err) {
  if (err != 0) {
    uvsmtp__lost(c->session, err);
    return;
  }
  c->session->conn = UVSMTP__CONNECTING;
  uvsmtp__race(c);
}

static void begin(uvsmtp_session_t* s) {
  uvsmtp__connect_t* c = connect_new(s);
  const struct sockaddr* only;
  uvsmtp__addr_t addr;
  const char* host;
  int err;
  s->connect = c;
  uvsmtp__secure_forget(s);
  if (c == NULL) {
    uvsmtp__lost(s, UV_ENOMEM);
    return;
  }
  if (!s->named) uvsmtp__name_ask(s->env);
  host = c->target.host;
  if (s->given != NULL) {
    uvsmtp__given_open(s);
  } else if (host[0] == '/') {
    run(c, uvsmtp__race_new(c, NULL, 0));
  } else if (uvsmtp__literal(host, strlen(host), &addr) == 0) {
    only = &addr.sa;
    run(c, uvsmtp__race_new(c, &only, 1));
  } else {
    uvsmtp__info(s, "looking up ", host, 0, NULL);
    s->conn = UVSMTP__RESOLVING;
    err = uvsmtp__resolve(c, host);
    if (err != 0) uvsmtp__lost(s, err);
  }
}

void uvsmtp__connect(uvsmtp_session_t* s) {
  if (s->conn == UVSMTP__IDLE) {
    begin(s);
  } else if (s->conn == UVSMTP__RESOLVING && s->connect->answered) {
    run(s->connect, s->connect->error);
  }
}
