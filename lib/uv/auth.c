/* SPDX-License-Identifier: MIT */
/* auth.c: login and auth, and what mechanisms want of the shell: to be woken,
 * their share of the loop's turn, and a binding to the connection's TLS. */
#include <string.h>

#include "core/auth.h"
#include "uv/uv_int.h"

/* ------------------------------------------------------------- for mechanisms
 */

static void wake(void* arg) { uvsmtp_session_resume(arg); }

static int binding(void* arg, void* buf, size_t len) {
  uvsmtp_session_t* s = arg;
  if (s->tls == NULL || s->shaking) return UV_ENOTSUP;
  return uvsmtp__tls_conn_export(s->tls, buf, len);
}

void uvsmtp__auth_host(uvsmtp_session_t* s, uvsmtp_auth_host_t* host) {
  const uvsmtp__target_t* t = uvsmtp__target_now(s);
  uvsmtp_auth_host_t h = UVSMTP_AUTH_HOST_INIT;
  *host = h;
  host->wake = wake;
  host->binding = binding;
  host->arg = s;
  if (t != NULL ? t->host[0] == '/' : s->handed) return;
  host->name = t != NULL ? t->host : "localhost";
  host->port = uvsmtp__target_port(t, s->lmtp);
}

/* Pieces of a mechanism's work, as many as this turn has time for beside the
 * handshakes: a password's salting takes tens of milliseconds in all. */
void uvsmtp__work(uvsmtp_session_t* s) {
  uvsmtp_env_t* env = s->env;
  do {
    uint64_t began = uv_hrtime();
    if (!uvsmtp__can_spend(env)) {
      uvsmtp__kick(s);
      return;
    }
    uvsmtp__enter(env);
    uvsmtp_proto_work(s->proto);
    uvsmtp__leave(env);
    uvsmtp__spend(s, began);
  } while ((uvsmtp_proto_wants(s->proto) & UVSMTP_WANTS_WORK) != 0);
  s->again = 1;
}

/* ---------------------------------------------------------------- the calls */

static int submit_login(uvsmtp_session_t* s, const uvsmtp_mech_t* mech,
                        uvsmtp_credentials_t* credentials, unsigned int flags,
                        uvsmtp_cb cb, void* data) {
  uvsmtp_request_t request = UVSMTP_REQUEST_INIT(UVSMTP_OP_LOGIN);
  uvsmtp_auth_host_t host;
  uvsmtp__auth_host(s, &host);
  request.credentials = credentials;
  request.mech = mech;
  request.auth_flags = flags;
  request.auth_host = &host;
  return uvsmtp__submit(s, &request, cb, data);
}

int uvsmtp_login(uvsmtp_session_t* s, uvsmtp_credentials_t* credentials,
                 uvsmtp_cb cb, void* data) {
  return submit_login(s, NULL, credentials, 0, cb, data);
}

int uvsmtp_auth(uvsmtp_session_t* s, const uvsmtp_mech_t* mech,
                uvsmtp_credentials_t* credentials, unsigned int flags,
                uvsmtp_cb cb, void* data) {
  if (mech == NULL) return UV_EINVAL;
  return submit_login(s, mech, credentials, flags, cb, data);
}

const char* uvsmtp_session_auth(const uvsmtp_session_t* s) {
  return uvsmtp_proto_auth(s->proto);
}
