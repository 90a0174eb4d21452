/* SPDX-License-Identifier: MIT */
/* secure.c: TLS between the socket and the engine: whose, the handshake, and
 * what comes in. What goes out goes through write.c, as everything does. */
#include <string.h>

#include "uv/uv_int.h"

/* ---------------------------------------------------------------- with whom */

static uvsmtp_tls_t* settings_of(const uvsmtp_session_t* s) {
  const uvsmtp__target_t* t = uvsmtp__target_now(s);
  if (t != NULL && t->tls_settings != NULL) return t->tls_settings;
  return s->env->tls;
}

/* The environment's own, for whom nobody has made any. Reading the system's
 * certificates takes some milliseconds, once. */
static int default_settings(uvsmtp_env_t* env) {
  uvsmtp_tls_config_t config = UVSMTP_TLS_CONFIG_INIT;
  uvsmtp_mem_t mem;
  int err;
  mem.size = sizeof(mem);
  mem.alloc = env->user.alloc;
  mem.data = env->user.data;
  config.mem = &mem;
  uvsmtp__enter(env);
  err = uvsmtp_tls_new(&env->tls, &config, NULL);
  uvsmtp__leave(env);
  return err;
}

/* As it may stand in a certificate: without brackets and scope. A local server
 * has no name. */
static const char* bare(const char* name, char* buf) {
  size_t len;
  if (name == NULL || name[0] == '\0' || name[0] == '/') return NULL;
  if (name[0] == '[') name++;
  len = strcspn(name, "]%");
  if (len > UVSMTP__HOST_MAX) len = UVSMTP__HOST_MAX; /* target.c sees to it */
  memcpy(buf, name, len);
  buf[len] = '\0';
  return buf;
}

static int make_filter(uvsmtp_session_t* s, int strict) {
  const uvsmtp__target_t* t = uvsmtp__target_now(s);
  char name[UVSMTP__HOST_MAX + 1];
  uvsmtp__tls_peer_t peer;
  uvsmtp_tls_t* tls;
  int err = 0;
  if (settings_of(s) == NULL) err = default_settings(s->env);
  if (err == 0) err = uvsmtp__plain_reserve(s->env);
  if (err != 0) return err;
  tls = settings_of(s);
  peer.host = t != NULL ? t->host : s->handed ? "" : "localhost";
  peer.port = uvsmtp__target_port(t, s->lmtp);
  peer.strict = strict;
  peer.name = uvsmtp__tls_name(tls);
  if (t != NULL && t->tls_name != NULL) peer.name = bare(t->tls_name, name);
  if (peer.name == NULL) peer.name = bare(peer.host, name);
  uvsmtp__enter(s->env);
  err = uvsmtp__tls_conn_new(&s->tls, &s->env->mem, tls, &peer);
  if (!strict && (err == UV_EINVAL || err == UV_ENOTSUP)) {
    peer.name = NULL; /* none that a certificate could have, and none needed */
    err = uvsmtp__tls_conn_new(&s->tls, &s->env->mem, tls, &peer);
  }
  uvsmtp__leave(s->env);
  if (err != 0) {
    uvsmtp__info(s, "no TLS with this server", NULL, 0, uvsmtp_strerror(err));
    return err;
  }
  uvsmtp__secure_forget(s);
  s->tls_info = uvsmtp__tls_conn_info(s->tls);
  uvsmtp__tls_info_ref(s->tls_info);
  s->shaking = 1;
  s->shakes = 1;
  return 0;
}

void uvsmtp__secure_forget(uvsmtp_session_t* s) {
  uvsmtp__enter(s->env);
  uvsmtp__tls_info_unref(s->tls_info);
  uvsmtp__leave(s->env);
  s->tls_info = NULL;
}

/* ------------------------------------------------------------- what comes */

/* Decrypts what is there for the engine. 0 or an error. */
static int drain(uvsmtp_session_t* s) {
  char* plain = s->env->plain;
  ptrdiff_t n;
  uvsmtp__enter(s->env);
  do {
    n = uvsmtp__tls_conn_read(s->tls, plain, UVSMTP__TLS_RECORD_MAX);
    if (n > 0) uvsmtp_proto_feed(s->proto, plain, (size_t)n);
  } while (n > 0);
  uvsmtp__leave(s->env);
  return (int)n;
}

int uvsmtp__received(uvsmtp_session_t* s, const char* data, size_t len) {
  int err = 0;
  if (s->tls == NULL) {
    int wants = uvsmtp_proto_wants(s->proto);
    if ((wants & UVSMTP_WANTS_TLS) != 0) {
      err = make_filter(s, (wants & UVSMTP_WANTS_TRUST) != 0);
      if (err != 0) return err;
    }
  }
  if (s->tls == NULL) {
    uvsmtp__enter(s->env);
    uvsmtp_proto_feed(s->proto, data, len);
    uvsmtp__leave(s->env);
    return 0;
  }
  err = uvsmtp__tls_conn_input(s->tls, data, len);
  if (err == 0 && !s->shaking) return drain(s);
  /* The handshake goes on in the pump, when its turn comes. */
  if (err == 0) err = uvsmtp__tls_conn_keep(s->tls);
  s->shakes = 1;
  return err;
}

/* ---------------------------------------------------------- the handshake */

/* A line of the trace for each of its text's. */
static void tell_certificate(uvsmtp_session_t* s) {
  uvsmtp_slice_t der = uvsmtp_tls_info_certificate(s->tls_info);
  char text[2048];
  char* line = text;
  char* end;
  if (der.len == 0) return;
  if (uvsmtp_tls_certificate_text(der, text, sizeof(text)) < 0) return;
  for (; *line != '\0'; line = end) {
    end = line + strcspn(line, "\n");
    if (*end == '\n') *end++ = '\0';
    uvsmtp__info(s, "certificate: ", line, 0, NULL);
  }
}

static void tell(uvsmtp_session_t* s) {
  const uvsmtp_tls_info_t* info = s->tls_info;
  const char* problem = uvsmtp_tls_info_problem_text(info);
  char what[160];
  size_t cap = sizeof(what) - 1;
  size_t len = 0;
  if (s->trace == NULL) return;
  uvsmtp__append(what, cap, &len, uvsmtp_tls_info_version_name(info));
  uvsmtp__append(what, cap, &len, ", ");
  uvsmtp__append(what, cap, &len, uvsmtp_tls_info_cipher(info));
  if (uvsmtp_tls_info_resumed(info)) {
    uvsmtp__append(what, cap, &len, ", resumed");
  }
  uvsmtp__append(
      what, cap, &len,
      uvsmtp_tls_info_verified(info) ? ", verified" : ", not verified");
  what[len] = '\0';
  uvsmtp__info(s, what, NULL, 0, problem[0] != '\0' ? problem : NULL);
  tell_certificate(s);
}

static void failed(uvsmtp_session_t* s) {
  const char* problem = uvsmtp_tls_info_problem_text(s->tls_info);
  const char* error = uvsmtp_tls_info_error_text(s->tls_info);
  if (s->trace == NULL) return;
  uvsmtp__info(s, "TLS failed", NULL, 0, problem[0] != '\0' ? problem : error);
  tell_certificate(s);
}

/* One step, if there is time for it in this turn. */
static int step(uvsmtp_session_t* s) {
  uvsmtp_env_t* env = s->env;
  uint64_t began = uv_hrtime();
  int rc;
  if (!uvsmtp__can_spend(env)) return UVSMTP__TLS_MORE;
  uvsmtp__enter(env);
  rc = uvsmtp__tls_conn_handshake(s->tls);
  uvsmtp__leave(env);
  uvsmtp__spend(s, began);
  return rc;
}

/* Has the server proven who it is? */
static int proof_of(const uvsmtp_session_t* s) {
  if (uvsmtp_tls_info_verified(s->tls_info)) return UVSMTP_PROOF_GIVEN;
  return uvsmtp__tls_is_insecure(settings_of(s)) ? UVSMTP_PROOF_WAIVED
                                                 : UVSMTP_PROOF_NONE;
}

/* The handshake is over, well (0) or not. */
static int shaken(uvsmtp_session_t* s, int rc) {
  s->shaking = 0;
  if (rc != 0) {
    failed(s);
    return rc;
  }
  tell(s);
  uvsmtp__enter(s->env);
  uvsmtp_proto_secured(s->proto, proof_of(s));
  uvsmtp__leave(s->env);
  s->again = 1;
  /* What came with the last of it. */
  return drain(s);
}

/* As far as it goes in this turn: of what is dear there is one step in a turn,
 * and all sessions together have their limit, since others wait too. 0, or an
 * error. */
static int shake(uvsmtp_session_t* s) {
  int rc = step(s);
  s->shakes = rc == UVSMTP__TLS_MORE;
  if (rc == UVSMTP__TLS_MORE) {
    uvsmtp__kick(s);
    return 0;
  }
  return rc == UVSMTP__TLS_WAIT ? 0 : shaken(s, rc);
}

/* The connection has ended: cut off, unless the server has said before that it
 * would (RFC 8446 6.1). In a handshake, what came before may wait for its turn,
 * and say why: there is no turn after this one. */
int uvsmtp__received_end(uvsmtp_session_t* s, int cause) {
  int err = 0;
  if (s->tls == NULL) return cause;
  if (cause == UV_EOF) uvsmtp__tls_conn_end(s->tls);
  if (s->shaking) {
    uvsmtp__enter(s->env);
    do {
      err = uvsmtp__tls_conn_handshake(s->tls);
    } while (err == UVSMTP__TLS_MORE);
    uvsmtp__leave(s->env);
    err = err == UVSMTP__TLS_WAIT ? 0 : shaken(s, err);
  } else if (cause == UV_EOF) {
    err = drain(s);
  }
  return err != 0 ? err : cause;
}

int uvsmtp__secure(uvsmtp_session_t* s, int strict) {
  int err = 0;
  if (s->tls == NULL) err = make_filter(s, strict);
  if (err == 0 && s->shakes) {
    err = shake(s);
    /* What it has to say goes out at once, if anything still can. */
    s->again |= uvsmtp__tls_conn_peek(s->tls).len > 0 && !s->blocked &&
                s->write_error == 0;
  }
  return err;
}

void uvsmtp__secure_end(uvsmtp_session_t* s) {
  if (s->tls == NULL) return;
  /* Best effort: the alert that says what was wrong with the certificate, or
   * that this is the end and no cut. */
  uvsmtp__enter(s->env);
  uvsmtp__tls_conn_close(s->tls);
  uvsmtp__flush_last(s);
  uvsmtp__tls_conn_free(s->tls);
  uvsmtp__leave(s->env);
  s->tls = NULL;
  s->shaking = 0;
  s->shakes = 0;
}
