/* SPDX-License-Identifier: MIT */
/* pump.c: the one place where octets move and completions are called. */
#include "core/op.h"
#include "uv/uv_int.h"

/* Completions called in one go, so that a session whose calls fail at once and
 * are made again from their completions leaves the loop to others. */
enum { DISPATCH_MAX = 256 };

/* The only place that calls completions. Stops after one that closed the
 * session, since what remains completes on a fresh stack; unless it is that
 * which is going on. Returns how many were taken. */
static unsigned int dispatch(uvsmtp_session_t* s, unsigned int max) {
  unsigned int n = 0;
  int was_closing = s->closing;
  while (n < max && s->closing == was_closing) {
    uvsmtp_event_t event = UVSMTP_EVENT_INIT;
    uvsmtp_cb cb;
    int got;
    uvsmtp__enter(s->env);
    got = uvsmtp_proto_next(s->proto, &event);
    uvsmtp__leave(s->env);
    if (!got) break;
    n++;
    if (event.op == UVSMTP_OP_CONNECT) uvsmtp__connect_done(s);
    uvsmtp__result_set_tls(event.result, s->tls_info);
    cb = (uvsmtp_cb)event.fn;
    if (cb != NULL) cb(s, event.result, event.data);
    if (event.op == UVSMTP_OP_CONNECT) uvsmtp__connect_told(s);
  }
  return n;
}

/* The connection goes; the engine may begin another session. */
static void drop(uvsmtp_session_t* s, int cause) {
  uvsmtp__shut(s);
  uvsmtp__enter(s->env);
  uvsmtp_proto_lost(s->proto, cause);
  uvsmtp__leave(s->env);
  s->again = 1;
}

/* Does what the engine wants of the transport. */
static void obey(uvsmtp_session_t* s) {
  int wants = uvsmtp_proto_wants(s->proto);
  if ((wants & UVSMTP_WANTS_CLOSE) != 0) {
    drop(s, UV_EOF);
  } else if ((wants & UVSMTP_WANTS_TLS) != 0) {
    int err = uvsmtp__secure(s, (wants & UVSMTP_WANTS_TRUST) != 0);
    if (err != 0) drop(s, err);
  } else if ((wants & UVSMTP_WANTS_WORK) != 0) {
    uvsmtp__work(s);
  } else if ((wants & UVSMTP_WANTS_OPEN) != 0) {
    uvsmtp__connect(s);
  }
}

/* The deadline belongs to a wait: it is set when another one begins. */
static void watch_wait(uvsmtp_session_t* s) {
  unsigned int serial = 0;
  int phase = uvsmtp_proto_wait(s->proto, &serial);
  int64_t timeout;
  if (phase == s->phase && serial == s->serial) return;
  s->phase = (unsigned char)phase;
  s->serial = serial;
  if (s->write_error != 0) return; /* it has a second, whatever happens */
  timeout = uvsmtp__phase_timeout(s, phase);
  s->wait_due =
      timeout < 0 ? UVSMTP__NEVER : uvsmtp__now(s->env) + (uint64_t)timeout;
}

/* A message may be due before the wait is. */
static void watch(uvsmtp_session_t* s) {
  uint64_t due = uvsmtp_proto_due(s->proto);
  watch_wait(s);
  if (due == 0 || due > s->wait_due) due = s->wait_due;
  if (due != s->due) uvsmtp__deadline(s, due);
}

/* Work keeps the loop alive, an idle session does if the caller wants. */
void uvsmtp__hold(uvsmtp_session_t* s) {
  if (s->conn != UVSMTP__UP) return;
  if (s->unwanted && uvsmtp_proto_pending(s->proto) == 0) {
    uv_unref(&s->transport->handle);
  } else {
    uv_ref(&s->transport->handle);
  }
}

/* The end of a session that the caller closed. */
static void wind_up(uvsmtp_session_t* s) {
  if (!s->drained) {
    s->pumping = 1;
    uvsmtp__enter(s->env);
    uvsmtp_proto_cancel(s->proto);
    uvsmtp__leave(s->env);
    while (dispatch(s, DISPATCH_MAX) != 0) continue;
    s->pumping = 0;
    s->drained = 1;
    uvsmtp__forget(s);
    uvsmtp__shut(s);
  }
  uvsmtp__session_done(s);
}

void uvsmtp__pump(uvsmtp_session_t* s) {
  unsigned int left = DISPATCH_MAX;
  if (s->pumping) {
    s->again = 1;
    return;
  }
  s->pumping = 1;
  if (s->resumed) {
    s->resumed = 0;
    uvsmtp__enter(s->env);
    uvsmtp_proto_resume(s->proto);
    uvsmtp__leave(s->env);
  }
  do {
    unsigned int n;
    s->again = 0;
    n = dispatch(s, left);
    left -= n;
    if (s->closing) break;
    if (uvsmtp__flush(s) != 0 || left == 0) {
      uvsmtp__kick(s);
      break;
    }
    /* A source may have failed, or what was sent may have completed a call. */
    n = dispatch(s, left);
    left -= n;
    if (s->closing) break;
    if (n != 0) s->again = 1;
    if (!s->again) obey(s);
  } while (s->again);
  s->pumping = 0;
  uvsmtp__end_if_done(s);
  if (s->closing) {
    wind_up(s);
    return;
  }
  watch(s);
  uvsmtp__hold(s);
}

void uvsmtp__lost(uvsmtp_session_t* s, int cause) {
  uvsmtp__enter(s->env);
  uvsmtp_proto_lost(s->proto, cause);
  uvsmtp__leave(s->env);
  uvsmtp__shut(s);
  uvsmtp__pump(s);
}

/* The deadline of the wait passed. */
static void wait_expired(uvsmtp_session_t* s) {
  uvsmtp__enter(s->env);
  uvsmtp_proto_timeout(s->proto);
  uvsmtp__leave(s->env);
  if (s->conn != UVSMTP__UP) { /* nobody waits for it now */
    uvsmtp__connect_stop(s, UV_ETIMEDOUT);
    uvsmtp__shut(s);
  }
}

void uvsmtp__expired(uvsmtp_session_t* s) {
  uint64_t now = uvsmtp__now(s->env);
  uint64_t due = uvsmtp_proto_due(s->proto);
  unsigned int serial;
  s->due = UVSMTP__NEVER; /* it is not among the deadlines any more */
  if (s->wait_due <= now && s->write_error != 0 && s->conn == UVSMTP__UP) {
    uvsmtp__lost(s, s->write_error);
    return;
  }
  if (s->wait_due <= now && s->conn == UVSMTP__NAMING) {
    uvsmtp__up(s); /* connected in time: an address will do for a name */
    return;
  }
  if (due != 0 && due <= now) {
    uvsmtp__enter(s->env);
    uvsmtp_proto_overdue(s->proto, now);
    uvsmtp__leave(s->env);
  }
  /* Without that message the session may be waiting for something else. */
  (void)uvsmtp_proto_wait(s->proto, &serial);
  if (s->wait_due <= now && serial == s->serial) wait_expired(s);
  uvsmtp__pump(s);
}
