/* SPDX-License-Identifier: MIT */
/* login.c: see login.h. */
#include "login.h"

#include <sys/socket.h>

/* ------------------------------------------------------------ credentials */

uvsmtp_credentials_t* someone(fixture_t* f,
                              const uvsmtp_credentials_config_t* config) {
  uvsmtp_credentials_config_t c = *config;
  uvsmtp_credentials_t* who = NULL;
  const char* why = NULL;
  int err;
  c.mem = &f->mem;
  err = uvsmtp_credentials_new(&who, &c, &why);
  if (err != 0) fail_msg("%s: %s", uvsmtp_err_name(err), why);
  return who;
}

uvsmtp_credentials_t* joe(fixture_t* f, const char* password, const char* mechs,
                          unsigned int flags) {
  uvsmtp_credentials_config_t config = UVSMTP_CREDENTIALS_CONFIG_INIT;
  config.user = "joe";
  config.password = password;
  config.mechs = mechs;
  config.flags = flags;
  return someone(f, &config);
}

uvsmtp_credentials_t* joe_anywhere(fixture_t* f) {
  return joe(f, "sesame", NULL, UVSMTP_AUTH_ALLOW_PLAINTEXT);
}

/* --------------------------------------------------------------- sessions */

uvsmtp_session_t* session_for(fixture_t* f, const peer_t* peer, int policy,
                              uvsmtp_tls_t* tls,
                              uvsmtp_credentials_t* credentials) {
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  target.tls = policy;
  target.tls_settings = tls;
  target.credentials = credentials;
  return session_of(f, peer, &target, 0);
}

uvsmtp_session_t* clear_session(fixture_t* f, const peer_t* peer) {
  uvsmtp_session_t* s = session_for(f, peer, UVSMTP_TLS_NONE, NULL, NULL);
  connect_to(f, s);
  return s;
}

void connect_to(fixture_t* f, uvsmtp_session_t* s) {
  call_t call = {0};
  assert_int_equal(0, CALL(&call, f, uvsmtp_connect(s, NULL, on_call, &call)));
  wait_for(&call);
  assert_int_equal(0, call.status);
}

call_t log_in(fixture_t* f, uvsmtp_session_t* s, uvsmtp_credentials_t* who) {
  call_t call = {0};
  assert_int_equal(0, CALL(&call, f, uvsmtp_login(s, who, on_call, &call)));
  wait_for(&call);
  return call;
}

call_t log_in_by(fixture_t* f, uvsmtp_session_t* s, const uvsmtp_mech_t* mech,
                 uvsmtp_credentials_t* who, unsigned int flags) {
  call_t call = {0};
  assert_int_equal(
      0, CALL(&call, f, uvsmtp_auth(s, mech, who, flags, on_call, &call)));
  wait_for(&call);
  return call;
}

call_t deliver(fixture_t* f, uvsmtp_session_t* s) {
  call_t call = {0};
  letter_t letter;
  letter_init(&letter, "a@example.org", "b@example.net", "hi\r\n", 4);
  assert_int_equal(
      0, CALL(&call, f, uvsmtp_send(s, &letter.message, on_call, &call)));
  wait_for(&call);
  assert_int_equal(1, letter.released);
  return call;
}

void pair_say(int fd, const char* text) {
  assert_int_equal(strlen(text), send(fd, text, strlen(text), MSG_NOSIGNAL));
}

size_t pair_hear(fixture_t* f, int fd, char* to, size_t cap) {
  ssize_t n;
  while ((n = recv(fd, to, cap, MSG_DONTWAIT)) < 0) run_for(f, 1);
  return (size_t)n;
}

void part(fixture_t* f, uvsmtp_session_t* s, peer_t* peer) {
  close_session(f, s);
  assert_peer_done(peer);
}

call_t quit(fixture_t* f, uvsmtp_session_t* s) {
  call_t call = {0};
  assert_int_equal(0, CALL(&call, f, uvsmtp_quit(s, on_call, &call)));
  wait_for(&call);
  return call;
}

/* -------------------------------------------------------------- mechanism */

/* The run's own, to see that it is there from first to last. */
static char here;

static int own_step(const uvsmtp_mech_t* self, uvsmtp_exchange_t* exchange,
                    const uvsmtp_slice_t* challenge) {
  own_t* own = (own_t*)(uintptr_t)self;
  int err;
  if (uvsmtp_exchange_data(exchange) == NULL) {
    assert_null(own->exchange); /* one run after the other */
    own->exchange = exchange;
    own->begun++;
    uvsmtp_exchange_set_data(exchange, &here);
  }
  assert_ptr_equal(exchange, own->exchange);
  assert_ptr_equal(&here, uvsmtp_exchange_data(exchange));
  own->steps++;
  if (challenge != NULL) {
    snprintf(own->last, sizeof(own->last), "%.*s", (int)challenge->len,
             (const char*)challenge->base);
  }
  if (own->hook != NULL) own->hook(own);
  if (own->waits < own->wait) {
    own->waits++;
    return UVSMTP_MECH_WAIT;
  }
  if (own->agains < own->again) {
    own->agains++;
    return UVSMTP_MECH_AGAIN;
  }
  own->waits = 0;
  own->agains = 0;
  if (own->error != 0 && (own->error_at == 0 || own->error_at == own->steps)) {
    return own->error;
  }
  err = uvsmtp_exchange_respond(exchange, "ping", 4);
  return err == 0 ? UVSMTP_MECH_SEND : err;
}

static int own_refused(const uvsmtp_mech_t* self, uvsmtp_exchange_t* exchange) {
  own_t* own = (own_t*)(uintptr_t)self;
  assert_ptr_equal(exchange, own->exchange);
  own->refused++;
  if (own->hook != NULL) own->hook(own);
  return own->retry;
}

static void own_finish(const uvsmtp_mech_t* self, uvsmtp_exchange_t* exchange) {
  own_t* own = (own_t*)(uintptr_t)self;
  assert_ptr_equal(exchange, own->exchange);
  assert_ptr_equal(&here, uvsmtp_exchange_data(exchange));
  if (own->hook != NULL) own->hook(own);
  own->finished++;
  own->exchange = NULL;
}

void own_init(own_t* own, unsigned int flags) {
  uvsmtp_mech_t mech = UVSMTP_MECH_INIT("X-OWN", flags, own_step);
  memset(own, 0, sizeof(*own));
  own->mech = mech;
  own->mech.refused = own_refused;
  own->mech.finish = own_finish;
}

/* ------------------------------------------------------------------- time */

static void on_prepare(uv_prepare_t* prepare) {
  ((turns_t*)prepare->data)->n++;
}

void turns_start(turns_t* turns, fixture_t* f) {
  turns->n = 0;
  assert_int_equal(0, uv_prepare_init(&f->loop, &turns->prepare));
  turns->prepare.data = turns;
  assert_int_equal(0, uv_prepare_start(&turns->prepare, on_prepare));
  uv_unref((uv_handle_t*)&turns->prepare);
}

void turns_stop(turns_t* turns) {
  uv_close((uv_handle_t*)&turns->prepare, NULL);
  (void)uv_run(turns->prepare.loop, UV_RUN_NOWAIT);
}

typedef struct later_s {
  uv_timer_t timer;
  void (*cb)(void* arg);
  void* arg;
} later_t;

static void on_later_closed(uv_handle_t* handle) { free(handle->data); }

static void on_later(uv_timer_t* timer) {
  later_t* l = timer->data;
  l->cb(l->arg);
  uv_close((uv_handle_t*)timer, on_later_closed);
}

void later(fixture_t* f, uint64_t ms, void (*cb)(void* arg), void* arg) {
  later_t* l = calloc(1, sizeof(*l));
  assert_non_null(l);
  l->cb = cb;
  l->arg = arg;
  uv_update_time(&f->loop);
  assert_int_equal(0, uv_timer_init(&f->loop, &l->timer));
  l->timer.data = l;
  assert_int_equal(0, uv_timer_start(&l->timer, on_later, ms, 0));
}
