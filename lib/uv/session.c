/* SPDX-License-Identifier: MIT */
/* session.c: the public calls of a session: each is a request to the engine
 * that the pump works off later. And its end. */
#include <string.h>

#include "idn.h"
#include "uv/file_int.h"

/* Of a command without its CRLF (RFC 5321 4.5.3.1.4). */
enum { LINE_MAX_OCTETS = 510 };

/* --------------------------------------------------------------- timeouts */

int64_t uvsmtp__phase_timeout(const uvsmtp_session_t* s, int phase) {
  static const int64_t defaults[UVSMTP_PHASE_END] = {
      [UVSMTP_PHASE_NONE] = -1,         [UVSMTP_PHASE_CONNECT] = 30000,
      [UVSMTP_PHASE_GREETING] = 300000, [UVSMTP_PHASE_HELLO] = 300000,
      [UVSMTP_PHASE_MAIL] = 300000,     [UVSMTP_PHASE_RCPT] = 300000,
      [UVSMTP_PHASE_DATA] = 120000,     [UVSMTP_PHASE_TEXT] = 180000,
      [UVSMTP_PHASE_DOT] = 600000,      [UVSMTP_PHASE_COMMAND] = 300000,
      [UVSMTP_PHASE_QUIT] = 10000,      [UVSMTP_PHASE_TLS] = 60000,
      [UVSMTP_PHASE_AUTH] = 120000,
  };
  if (phase <= UVSMTP_PHASE_NONE || phase >= UVSMTP_PHASE_END) return -1;
  if (s->timeouts == NULL || s->timeouts[phase] == 0) return defaults[phase];
  return s->timeouts[phase];
}

int uvsmtp_timeouts_all(uvsmtp_timeouts_t* t, int64_t ms) {
  if (t == NULL || t->size < UVSMTP__UP_TO(uvsmtp_timeouts_t, quit))
    return UV_EINVAL;
  if (ms == 0 || ms < -1) return UV_EINVAL;
  t->connect = t->greeting = t->hello = t->mail = t->rcpt = ms;
  t->data = t->text = t->dot = t->command = t->quit = ms;
  if (t->size >= UVSMTP__UP_TO(uvsmtp_timeouts_t, tls)) t->tls = ms;
  if (t->size >= UVSMTP__UP_TO(uvsmtp_timeouts_t, auth)) t->auth = ms;
  return 0;
}

/* Checks all, then takes all. */
static int copy_timeouts(uvsmtp_session_t* s, const uvsmtp_timeouts_t* from) {
  uvsmtp_timeouts_t t = UVSMTP_TIMEOUTS_INIT;
  int64_t to[UVSMTP_PHASE_END];
  int phase;
  if (uvsmtp__take(&t, sizeof(t), from, sizeof(size_t)) != 0) return UV_EINVAL;
  to[UVSMTP_PHASE_NONE] = -1;
  to[UVSMTP_PHASE_CONNECT] = t.connect;
  to[UVSMTP_PHASE_GREETING] = t.greeting;
  to[UVSMTP_PHASE_HELLO] = t.hello;
  to[UVSMTP_PHASE_MAIL] = t.mail;
  to[UVSMTP_PHASE_RCPT] = t.rcpt;
  to[UVSMTP_PHASE_DATA] = t.data;
  to[UVSMTP_PHASE_TEXT] = t.text;
  to[UVSMTP_PHASE_DOT] = t.dot;
  to[UVSMTP_PHASE_COMMAND] = t.command;
  to[UVSMTP_PHASE_QUIT] = t.quit;
  to[UVSMTP_PHASE_TLS] = t.tls;
  to[UVSMTP_PHASE_AUTH] = t.auth;
  for (phase = 0; phase < UVSMTP_PHASE_END; phase++) {
    if (to[phase] < -1) return UV_EINVAL;
    if (to[phase] > UVSMTP__FAR_MS) to[phase] = -1;
  }
  if (s->timeouts == NULL) {
    s->timeouts = uvsmtp__alloc(&s->env->mem, sizeof(to));
  }
  if (s->timeouts == NULL) return UV_ENOMEM;
  memcpy(s->timeouts, to, sizeof(to));
  return 0;
}

/* ------------------------------------------------------------ coming, going */

static void session_free(uvsmtp_session_t* s) {
  uvsmtp_env_t* env = s->env;
  uvsmtp__enter(env);
  uvsmtp_proto_free(s->proto);
  uvsmtp__leave(env);
  uvsmtp__files_orphan(s);
  uvsmtp__secure_forget(s);
  uvsmtp__target_free(env, s->once);
  uvsmtp__target_free(env, s->target);
  uvsmtp__free(&env->mem, s->timeouts, UVSMTP_PHASE_END * sizeof(int64_t));
  uvsmtp__free(&env->mem, s, sizeof(*s));
}

void uvsmtp__session_done(uvsmtp_session_t* s) {
  if (!s->drained || s->handles != 0) return;
  uvsmtp__forget(s);
  s->env->sessions--;
  if (s->end_cb != NULL) s->end_cb(s, s->end_data);
  if (s->close_cb != NULL) s->close_cb(s, s->close_data);
  session_free(s);
}

static int make_proto(uvsmtp_session_t* s, const uvsmtp_session_config_t* cfg) {
  uvsmtp_proto_config_t proto = UVSMTP_PROTO_CONFIG_INIT;
  uvsmtp_mem_t mem;
  int err;
  mem.size = sizeof(mem);
  mem.alloc = s->env->mem.alloc;
  mem.data = s->env->mem.data;
  proto.mem = &mem;
  proto.flags = cfg->flags;
  proto.local_name = cfg->local_name;
  proto.max_reply_line = cfg->max_reply_line;
  proto.max_reply_octets = cfg->max_reply_octets;
  proto.max_reply_lines = cfg->max_reply_lines;
  proto.trace = cfg->trace;
  proto.trace_arg = cfg->trace_arg;
  proto.to_ascii = uvsmtp__to_ascii;
  uvsmtp__enter(s->env);
  err = uvsmtp_proto_new(&s->proto, &proto);
  uvsmtp__leave(s->env);
  return err;
}

int uvsmtp_session_new(uvsmtp_session_t** out, uvsmtp_env_t* env,
                       const uvsmtp_session_config_t* config) {
  uvsmtp_session_config_t cfg = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_session_t* s;
  int err;
  if (out == NULL || env == NULL) return UV_EINVAL;
  if (config != NULL &&
      uvsmtp__take(&cfg, sizeof(cfg), config, sizeof(size_t)) != 0) {
    return UV_EINVAL;
  }
  if (env->busy != 0) return UV_EBUSY;
  if (env->closing) return UV_EINVAL;
  err = uvsmtp__heap_reserve(env);
  if (err != 0) return err;
  s = uvsmtp__alloc(&env->mem, sizeof(*s));
  if (s == NULL) return UV_ENOMEM;
  memset(s, 0, sizeof(*s));
  s->env = env;
  s->slot = UVSMTP__NOWHERE;
  s->wait_due = UVSMTP__NEVER;
  s->due = UVSMTP__NEVER;
  s->phase = UVSMTP_PHASE_END;
  s->lmtp = (cfg.flags & UVSMTP_SESSION_LMTP) != 0;
  s->named = cfg.local_name != NULL;
  s->trace = cfg.trace;
  s->trace_arg = cfg.trace_arg;
  s->data = cfg.data;
  uvsmtp__queue_init(&s->kicked);
  uvsmtp__queue_init(&s->late);
  uvsmtp__queue_init(&s->files);
  err = make_proto(s, &cfg);
  if (err == 0 && cfg.target != NULL) {
    err = uvsmtp__target_new(env, cfg.target, &s->target);
  }
  if (err == 0 && cfg.timeouts != NULL) err = copy_timeouts(s, cfg.timeouts);
  if (err != 0) {
    session_free(s);
    return err;
  }
  env->sessions++;
  *out = s;
  return 0;
}

static void begin_close(uvsmtp_session_t* s) {
  s->closing = 1;
  uvsmtp__deadline(s, UVSMTP__NEVER);
  if (s->conn == UVSMTP__UP) {
    uv_read_stop(&s->transport->stream);
  } else {
    uvsmtp__shut(s); /* no lookup or attempt goes on to the next step */
  }
  uvsmtp__kick(s);
}

int uvsmtp_session_close(uvsmtp_session_t* s, uvsmtp_close_cb cb, void* data) {
  if (s->env->busy != 0) return UV_EBUSY;
  if (s->closed) return UV_EALREADY;
  s->closed = 1;
  s->close_cb = cb;
  s->close_data = data;
  if (!s->closing) begin_close(s);
  return 0;
}

/* --------------------------------------------------------------- requests */

int uvsmtp__admit(const uvsmtp_session_t* s) {
  if (s->env->busy != 0) return UV_EBUSY;
  return s->closing || s->ending ? UV_ECANCELED : 0;
}

int uvsmtp__submit_body(uvsmtp_session_t* s, uvsmtp_request_t* request,
                        uvsmtp_source_t* body, uvsmtp_cb cb, void* data) {
  int err = uvsmtp__admit(s);
  if (err != 0) return err;
  err = uvsmtp__file_claim(body, s);
  if (err != 0) return err;
  request->fn = (uvsmtp_fn)cb;
  request->data = data;
  uvsmtp__enter(s->env);
  err = uvsmtp_proto_submit(s->proto, request);
  uvsmtp__leave(s->env);
  if (err != 0) {
    uvsmtp__file_unclaim(body);
    return err;
  }
  if (s->pumping) {
    s->again = 1; /* from a completion: the pump comes by anyway */
  } else {
    uvsmtp__kick(s);
  }
  return 0;
}

int uvsmtp__submit(uvsmtp_session_t* s, uvsmtp_request_t* request, uvsmtp_cb cb,
                   void* data) {
  return uvsmtp__submit_body(s, request, request->body, cb, data);
}

void uvsmtp__end_if_done(uvsmtp_session_t* s) {
  if (!s->ending || s->closing || uvsmtp_proto_pending(s->proto) != 0) return;
  begin_close(s);
}

int uvsmtp_session_end(uvsmtp_session_t* s, uvsmtp_close_cb cb, void* data) {
  uvsmtp_request_t request = UVSMTP_REQUEST_INIT(UVSMTP_OP_QUIT);
  if (s->env->busy != 0) return UV_EBUSY;
  if (s->ending || s->closing) return UV_EALREADY;
  /* No memory for a QUIT: then without. */
  if (uvsmtp__submit(s, &request, NULL, NULL) != 0) uvsmtp__kick(s);
  s->ending = 1;
  s->end_cb = cb;
  s->end_data = data;
  return 0;
}

int uvsmtp__may_connect(const uvsmtp_session_t* s) {
  int state = uvsmtp_proto_state(s->proto);
  int err = uvsmtp__admit(s);
  if (err != 0) return err;
  if (s->opening) return UV_EALREADY;
  if (state != UVSMTP_STATE_CONNECT && state != UVSMTP_STATE_CLOSED) {
    return UV_EISCONN;
  }
  return 0;
}

int uvsmtp__submit_connect(uvsmtp_session_t* s, uvsmtp__target_t* once,
                           uvsmtp__given_t* given, uvsmtp_cb cb, void* data) {
  uvsmtp_request_t request = UVSMTP_REQUEST_INIT(UVSMTP_OP_CONNECT);
  uvsmtp__target_t* before = s->once;
  unsigned int handed = s->handed;
  uvsmtp_auth_host_t host;
  int err;
  s->once = once;
  s->given = given;
  s->handed = given != NULL;
  request.tls = uvsmtp__target_policy(s);
  request.local = uvsmtp__target_local(s);
  request.credentials = uvsmtp__target_credentials(s);
  uvsmtp__auth_host(s, &host);
  request.auth_host = &host;
  err = uvsmtp__submit(s, &request, cb, data);
  if (err != 0) {
    s->once = before;
    s->given = NULL;
    s->handed = handed & 1u;
    return err;
  }
  uvsmtp__target_free(s->env, before);
  s->opening = 1;
  return 0;
}

int uvsmtp_connect(uvsmtp_session_t* s, const uvsmtp_target_t* target,
                   uvsmtp_cb cb, void* data) {
  uvsmtp__target_t* once = NULL;
  int err = uvsmtp__may_connect(s);
  if (err != 0) return err;
  if (target != NULL) {
    err = uvsmtp__target_new(s->env, target, &once);
    if (err != 0) return err;
  }
  err = uvsmtp__submit_connect(s, once, NULL, cb, data);
  if (err != 0) uvsmtp__target_free(s->env, once);
  return err;
}

static int submit_text(uvsmtp_session_t* s, int op, const char* text,
                       uvsmtp_cb cb, void* data) {
  uvsmtp_request_t request = UVSMTP_REQUEST_INIT(op);
  request.text = text;
  return uvsmtp__submit(s, &request, cb, data);
}

int uvsmtp_ehlo(uvsmtp_session_t* s, const char* name, uvsmtp_cb cb,
                void* data) {
  return submit_text(s, UVSMTP_OP_EHLO, name, cb, data);
}

int uvsmtp_helo(uvsmtp_session_t* s, const char* name, uvsmtp_cb cb,
                void* data) {
  return submit_text(s, UVSMTP_OP_HELO, name, cb, data);
}

int uvsmtp_hello(uvsmtp_session_t* s, uvsmtp_cb cb, void* data) {
  return submit_text(s, UVSMTP_OP_HELLO, NULL, cb, data);
}

int uvsmtp_starttls(uvsmtp_session_t* s, uvsmtp_cb cb, void* data) {
  return submit_text(s, UVSMTP_OP_STARTTLS, NULL, cb, data);
}

int uvsmtp_rset(uvsmtp_session_t* s, uvsmtp_cb cb, void* data) {
  return submit_text(s, UVSMTP_OP_RSET, NULL, cb, data);
}

int uvsmtp_noop(uvsmtp_session_t* s, uvsmtp_cb cb, void* data) {
  return submit_text(s, UVSMTP_OP_NOOP, NULL, cb, data);
}

int uvsmtp_quit(uvsmtp_session_t* s, uvsmtp_cb cb, void* data) {
  return submit_text(s, UVSMTP_OP_QUIT, NULL, cb, data);
}

int uvsmtp_command(uvsmtp_session_t* s, const char* line, uvsmtp_cb cb,
                   void* data) {
  return submit_text(s, UVSMTP_OP_COMMAND, line, cb, data);
}

static int submit_path(uvsmtp_session_t* s, int op, const char* path,
                       const char* const* options, size_t noptions,
                       uvsmtp_cb cb, void* data) {
  uvsmtp_request_t request = UVSMTP_REQUEST_INIT(op);
  request.text = path;
  request.options = options;
  request.noptions = noptions;
  return uvsmtp__submit(s, &request, cb, data);
}

int uvsmtp_mail(uvsmtp_session_t* s, const char* from,
                const char* const* options, size_t noptions, uvsmtp_cb cb,
                void* data) {
  return submit_path(s, UVSMTP_OP_MAIL, from, options, noptions, cb, data);
}

int uvsmtp_rcpt(uvsmtp_session_t* s, const char* to, const char* const* options,
                size_t noptions, uvsmtp_cb cb, void* data) {
  return submit_path(s, UVSMTP_OP_RCPT, to, options, noptions, cb, data);
}

int uvsmtp_data(uvsmtp_session_t* s, uvsmtp_source_t* body,
                unsigned int line_ends, uvsmtp_cb cb, void* data) {
  uvsmtp_request_t request = UVSMTP_REQUEST_INIT(UVSMTP_OP_DATA);
  request.body = body;
  request.line_ends = line_ends;
  return uvsmtp__submit(s, &request, cb, data);
}

int uvsmtp_bdat(uvsmtp_session_t* s, uvsmtp_source_t* chunk, int last,
                uvsmtp_cb cb, void* data) {
  uvsmtp_request_t request = UVSMTP_REQUEST_INIT(UVSMTP_OP_BDAT);
  request.body = chunk;
  request.last = last;
  return uvsmtp__submit(s, &request, cb, data);
}

/* A verb and an argument. */
static int submit_verb(uvsmtp_session_t* s, const char* verb, const char* arg,
                       size_t len, uvsmtp_cb cb, void* data) {
  char line[LINE_MAX_OCTETS + 1];
  size_t used = strlen(verb);
  memcpy(line, verb, used);
  if (len > LINE_MAX_OCTETS - used - 1) return UV_EINVAL;
  if (len > 0) {
    line[used++] = ' ';
    memcpy(line + used, arg, len);
    used += len;
  }
  line[used] = '\0';
  return submit_text(s, UVSMTP_OP_COMMAND, line, cb, data);
}

/* The last "<" that is not part of a quoted string, or NULL. */
static const char* last_bracket(const char* text) {
  const char* found = NULL;
  int quoted = 0;
  for (; *text != '\0'; text++) {
    if (quoted && *text == '\\' && text[1] != '\0')
      text++;
    else if (*text == '"')
      quoted = !quoted;
    else if (*text == '<' && !quoted)
      found = text;
  }
  return found;
}

/* As smtplib's: an address loses its display name and its angle brackets, which
 * belong to MAIL and RCPT alone (RFC 5321 4.1.1.6). */
static int submit_address(uvsmtp_session_t* s, const char* verb,
                          const char* address, uvsmtp_cb cb, void* data) {
  const char* bracket;
  size_t len;
  if (address == NULL) return UV_EINVAL;
  len = strlen(address);
  bracket = last_bracket(address);
  if (bracket != NULL && address[len - 1] == '>') {
    len -= (size_t)(bracket - address) + 2;
    address = bracket + 1;
  }
  if (len == 0) return UV_EINVAL;
  return submit_verb(s, verb, address, len, cb, data);
}

int uvsmtp_verify(uvsmtp_session_t* s, const char* address, uvsmtp_cb cb,
                  void* data) {
  return submit_address(s, "VRFY", address, cb, data);
}

int uvsmtp_expn(uvsmtp_session_t* s, const char* list, uvsmtp_cb cb,
                void* data) {
  return submit_address(s, "EXPN", list, cb, data);
}

int uvsmtp_help(uvsmtp_session_t* s, const char* topic, uvsmtp_cb cb,
                void* data) {
  size_t len = topic == NULL ? 0 : strlen(topic);
  return submit_verb(s, "HELP", topic, len, cb, data);
}

int uvsmtp_session_set_timeouts(uvsmtp_session_t* s,
                                const uvsmtp_timeouts_t* timeouts) {
  int err = uvsmtp__admit(s);
  if (err == 0 && timeouts == NULL) err = UV_EINVAL;
  return err != 0 ? err : copy_timeouts(s, timeouts);
}

/* Only noted, since the source may be saying WAIT just now; and worked off in
 * the loop's next turn, so that one that does so each time leaves room. */
void uvsmtp_session_resume(uvsmtp_session_t* s) {
  if (s->closing) return;
  s->resumed = 1;
  uvsmtp__kick(s);
}

/* ------------------------------------------------------------------- trace */

void uvsmtp__append(char* text, size_t cap, size_t* len, const char* more) {
  size_t n = strlen(more);
  if (n > cap - *len) n = cap - *len;
  memcpy(text + *len, more, n);
  *len += n;
}

void uvsmtp__info(uvsmtp_session_t* s, const char* what, const char* detail,
                  int port, const char* reason) {
  char text[512];
  char digits[12];
  size_t len = 0;
  size_t n = sizeof(digits) - 1;
  if (s->trace == NULL) return;
  uvsmtp__append(text, sizeof(text), &len, what);
  if (detail != NULL) uvsmtp__append(text, sizeof(text), &len, detail);
  if (port != 0) {
    digits[n] = '\0';
    for (; port != 0; port /= 10) digits[--n] = (char)('0' + port % 10);
    uvsmtp__append(text, sizeof(text), &len, " port ");
    uvsmtp__append(text, sizeof(text), &len, digits + n);
  }
  if (reason != NULL) {
    uvsmtp__append(text, sizeof(text), &len, ": ");
    uvsmtp__append(text, sizeof(text), &len, reason);
  }
  uvsmtp__enter(s->env);
  s->trace(s->trace_arg, UVSMTP_TRACE_INFO, text, len);
  uvsmtp__leave(s->env);
}
