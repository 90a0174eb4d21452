/* SPDX-License-Identifier: MIT */
/* oauth.c: OAUTHBEARER (RFC 7628) and XOAUTH2, its elder: a token instead of a
 * password. A refusal comes as a challenge with the reason, which wants an
 * answer before the server says no. */
#include <errno.h>
#include <string.h>

#include "sasl/sasl.h"

/* What a run keeps. */
typedef struct run_s {
  uvsmtp_token_query_t* query;
  unsigned int said; /* how often the token was */
  unsigned int refused : 1;
} run_t;

static int put(uvsmtp_exchange_t* x, const char* text) {
  return uvsmtp_exchange_respond(x, text, strlen(text));
}

static int put_slice(uvsmtp_exchange_t* x, uvsmtp_slice_t s) {
  return uvsmtp_exchange_respond(x, s.base, s.len);
}

/* A name in the header before the fields: "," and "=" end what stands there
 * (RFC 5801 4). */
static int put_name(uvsmtp_exchange_t* x, uvsmtp_slice_t name) {
  const char* c = name.base;
  size_t from = 0;
  size_t i;
  int err;
  for (i = 0; i < name.len; i++) {
    if (c[i] != ',' && c[i] != '=') continue;
    if ((err = uvsmtp_exchange_respond(x, c + from, i - from)) != 0 ||
        (err = put(x, c[i] == ',' ? "=2C" : "=3D")) != 0)
      return err;
    from = i + 1;
  }
  return uvsmtp_exchange_respond(x, c + from, name.len - from);
}

static int put_port(uvsmtp_exchange_t* x, int port) {
  char text[12];
  size_t at = sizeof(text);
  text[--at] = '\0';
  for (; port > 0; port /= 10) text[--at] = (char)('0' + port % 10);
  return put(x, text + at);
}

static int put_token(uvsmtp_exchange_t* x, uvsmtp_slice_t token) {
  int err;
  if ((err = put(x, "auth=Bearer ")) != 0 || (err = put_slice(x, token)) != 0)
    return err;
  return put(x, "\001\001");
}

/* "n,a=user@example.com,^Ahost=...^Aport=...^Aauth=Bearer ...^A^A". Whose the
 * token is, is said as whom to act as: there is no other place for it. */
static int say_oauthbearer(uvsmtp_exchange_t* x, uvsmtp_slice_t token) {
  uvsmtp_slice_t name = uvsmtp_exchange_authzid(x);
  const char* host = uvsmtp_exchange_host(x);
  int port = uvsmtp_exchange_port(x);
  int err;
  if (name.len == 0) name = uvsmtp_exchange_user(x);
  if ((err = put(x, "n,")) != 0) return err;
  if (name.len != 0 &&
      ((err = put(x, "a=")) != 0 || (err = put_name(x, name)) != 0))
    return err;
  if ((err = put(x, ",\001")) != 0) return err;
  if (host[0] != '\0' &&
      ((err = put(x, "host=")) != 0 || (err = put(x, host)) != 0 ||
       (err = put(x, "\001")) != 0))
    return err;
  if (port > 0 &&
      ((err = put(x, "port=")) != 0 || (err = put_port(x, port)) != 0 ||
       (err = put(x, "\001")) != 0))
    return err;
  return put_token(x, token);
}

/* "user=...^Aauth=Bearer ...^A^A" */
static int say_xoauth2(uvsmtp_exchange_t* x, uvsmtp_slice_t token) {
  int err;
  if ((err = put(x, "user=")) != 0 ||
      (err = put_slice(x, uvsmtp_exchange_user(x))) != 0 ||
      (err = put(x, "\001")) != 0)
    return err;
  return put_token(x, token);
}

static int begin(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x, run_t** run) {
  int err = uvsmtp__mech_begin(self, x);
  if (err != 0) return err;
  *run = uvsmtp__alloc(&uvsmtp__sasl_of(x)->mem, sizeof(**run));
  if (*run == NULL) return -ENOMEM;
  memset(*run, 0, sizeof(**run));
  uvsmtp_exchange_set_data(x, *run);
  return 0;
}

/* The server refuses the token, and says why. */
static int answer(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x, run_t* run,
                  const uvsmtp_slice_t* challenge) {
  int err;
  if (run->refused) return -EPROTO;
  run->refused = 1;
  uvsmtp_exchange_explain(x, challenge->base, challenge->len);
  /* RFC 7628 3.2.3; XOAUTH2 has an empty one. */
  err = self == &uvsmtp__mech_xoauth2 ? uvsmtp_exchange_respond(x, "", 0)
                                      : uvsmtp_exchange_respond(x, "\001", 1);
  return err != 0 ? err : UVSMTP_MECH_CONTINUE;
}

static int step(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x,
                const uvsmtp_slice_t* challenge) {
  run_t* run = uvsmtp_exchange_data(x);
  uvsmtp_slice_t token = {"", 0};
  int rc = 0;
  if (run == NULL && (rc = begin(self, x, &run)) != 0) return rc;
  /* A challenge that says nothing is no refusal: the server did not heed what
   * came with AUTH, and gets it once more. */
  if (run->said > 1 || run->refused ||
      (run->said == 1 && challenge != NULL && challenge->len != 0))
    return answer(self, x, run, challenge);

  rc = uvsmtp__token_get(x, &run->query, &token);
  if (rc != UVSMTP_MECH_SEND) {
    /* Whoever has no token for this mechanism has none for the other. */
    if (rc < 0) x->stop = 1;
    return rc;
  }
  rc = self == &uvsmtp__mech_xoauth2 ? say_xoauth2(x, token)
                                     : say_oauthbearer(x, token);
  if (rc != 0) return rc;
  run->said++;
  return UVSMTP_MECH_SEND;
}

/* What was asked for can be asked for anew. */
static int refused(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x) {
  const run_t* run = uvsmtp_exchange_data(x);
  (void)self;
  return run != NULL && run->query != NULL && !uvsmtp_exchange_retries(x);
}

static void finish(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x) {
  run_t* run = uvsmtp_exchange_data(x);
  (void)self;
  if (run == NULL) return;
  uvsmtp_exchange_set_data(x, NULL);
  uvsmtp__token_drop(run->query);
  uvsmtp__free(&uvsmtp__sasl_of(x)->mem, run, sizeof(*run));
}

const uvsmtp_mech_t uvsmtp__mech_oauthbearer = {sizeof(uvsmtp_mech_t),
                                                "OAUTHBEARER",
                                                UVSMTP_MECH_CLIENT_FIRST,
                                                step,
                                                refused,
                                                finish};
const uvsmtp_mech_t uvsmtp__mech_xoauth2 = {sizeof(uvsmtp_mech_t),
                                            "XOAUTH2",
                                            UVSMTP_MECH_CLIENT_FIRST,
                                            step,
                                            refused,
                                            finish};
