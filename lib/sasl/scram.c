/* SPDX-License-Identifier: MIT */
/* scram.c: SCRAM-SHA-256-PLUS, SCRAM-SHA-256 and SCRAM-SHA-1 (RFC 5802, 7677):
 * each side proves to the other that it knows the password, or what was made of
 * it, and neither says it.
 *
 *   ->  client-first: flag and name, nonce
 *   <-  server-first: nonce, salt, count
 *   ->  client-final: proof
 *   <-  server-final: the server's proof, or why not
 *   ->  nothing
 *
 * Names and passwords are printable ASCII: for those SASLprep (RFC 4013)
 * changes nothing, and tables for all others there are none here. */
#include <errno.h>
#include <string.h>

#include "sasl/scram.h"

enum {
  NONCE_OCTETS = 24,
  NONCE_LEN = NONCE_OCTETS / 3 * 4,
  BINDING_LEN = 32 /* RFC 9266 */
};

/* Whose turn it is, or what for. */
enum { SERVER_FIRST, KEYS, SERVER_FINAL, OVER };

typedef struct run_s {
  uvsmtp__mem_t mem;
  size_t size; /* octets of this block */
  int alg;
  int next;
  uvsmtp__derived_t* derived;
  size_t header_len; /* gs2-header */
  size_t bind_len;   /* cbind-input: header and what binds */
  size_t first_len;  /* client-first-message */
  size_t nonce_len;  /* its end */
  char* auth;        /* AuthMessage */
  size_t auth_len;
  size_t final_len; /* its end: client-final-message-without-proof */
  unsigned char verifier[UVSMTP__HASH_MAX]; /* that the server has to say */
  char text[];                              /* client-first, cbind-input */
} run_t;

static char* put(char* to, const char* from, size_t len) {
  memcpy(to, from, len);
  return to + len;
}

/* ----------------------------------------------------------- client-first */

/* The flag of the gs2-header (RFC 5802 6), NULL where -PLUS can't be. "y" tells
 * a server that does bind that somebody has hidden that from us. Where it says
 * so and we were told to do without, or where there is nothing to bind to, it
 * is "n". */
static const char* flag_of(uvsmtp_exchange_t* x, int alg, int binds,
                           unsigned char* binding) {
  int can = uvsmtp_exchange_binding(x, binding, BINDING_LEN) == 0;
  /* There is no SCRAM-SHA-1-PLUS here; but whoever offers the other one does
   * bind. */
  int offered = uvsmtp_exchange_offers(x, "SCRAM-SHA-256-PLUS");
  if (binds) return can ? "p=tls-exporter," : NULL;
  if (alg == UVSMTP__SHA1 && uvsmtp_exchange_offers(x, "SCRAM-SHA-1-PLUS"))
    offered = 1;
  return can && !offered ? "y," : "n,";
}

/* Puts the message, and cbind-input behind it. */
static void set_first(run_t* run, const uvsmtp_exchange_t* x, const char* flag,
                      const char* nonce) {
  uvsmtp_slice_t authzid = uvsmtp_exchange_authzid(x);
  char* p = put(run->text, flag, strlen(flag));
  if (authzid.len > 0) p = uvsmtp__scram_name(put(p, "a=", 2), authzid);
  *p++ = ',';
  run->header_len = (size_t)(p - run->text);
  p = uvsmtp__scram_name(put(p, "n=", 2), uvsmtp_exchange_user(x));
  run->nonce_len = strlen(nonce);
  p = put(put(p, ",r=", 3), nonce, run->nonce_len);
  run->first_len = (size_t)(p - run->text);
  p = put(p, run->text, run->header_len);
  run->bind_len = (size_t)(p - run->text) - run->first_len;
}

static const uvsmtp_mech_t* mech_of(int alg, int binds) {
  if (alg == UVSMTP__SHA1) return &uvsmtp__mech_scram_sha1;
  return binds ? &uvsmtp__mech_scram_sha256_plus : &uvsmtp__mech_scram_sha256;
}

int uvsmtp__scram_first(uvsmtp_exchange_t* x, int alg, int binds,
                        const char* nonce) {
  unsigned char binding[BINDING_LEN];
  const char* flag;
  size_t size;
  run_t* run;
  int rc = uvsmtp__mech_begin(mech_of(alg, binds), x);
  if (rc != 0) return rc;
  flag = flag_of(x, alg, binds, binding);
  if (flag == NULL)
    return uvsmtp__mech_fail(x, -ENOTSUP,
                             "SCRAM: this connection can't be bound to");
  size = sizeof(*run) +
         2 * (strlen(flag) + 3 +
              uvsmtp__scram_name_size(uvsmtp_exchange_authzid(x))) +
         uvsmtp__scram_name_size(uvsmtp_exchange_user(x)) + 5 + strlen(nonce) +
         BINDING_LEN;
  run = uvsmtp__alloc(&x->mem, size);
  if (run == NULL) {
    uvsmtp__wipe(binding, sizeof(binding));
    return -ENOMEM;
  }
  memset(run, 0, sizeof(*run));
  run->mem = x->mem;
  run->size = size;
  run->alg = alg;
  uvsmtp_exchange_set_data(x, run);
  set_first(run, x, flag, nonce);
  if (binds) {
    put(run->text + run->first_len + run->bind_len, (const char*)binding,
        BINDING_LEN);
    run->bind_len += BINDING_LEN;
  }
  uvsmtp__wipe(binding, sizeof(binding));
  rc = uvsmtp_exchange_respond(x, run->text, run->first_len);
  return rc == 0 ? UVSMTP_MECH_CONTINUE : rc;
}

static int first(uvsmtp_exchange_t* x, int alg, int binds) {
  unsigned char octets[NONCE_OCTETS];
  char nonce[NONCE_LEN + 1];
  int rc = uvsmtp__random(octets, sizeof(octets));
  uvsmtp__base64_encode(nonce, octets, sizeof(octets));
  nonce[NONCE_LEN] = '\0';
  if (rc == 0) rc = uvsmtp__scram_first(x, alg, binds, nonce);
  uvsmtp__wipe(octets, sizeof(octets));
  uvsmtp__wipe(nonce, sizeof(nonce));
  return rc;
}

/* ------------------------------------------- server-first to client-final */

/* AuthMessage (RFC 5802 3): what both have said, but the proof. */
static int set_auth(run_t* run, const uvsmtp_slice_t* said,
                    const uvsmtp_slice_t* nonce) {
  size_t bare_len = run->first_len - run->header_len;
  size_t bind_len = (run->bind_len + 2) / 3 * 4;
  char* p;
  run->final_len = 2 + bind_len + 3 + nonce->len;
  run->auth_len = bare_len + 1 + said->len + 1 + run->final_len;
  run->auth = uvsmtp__alloc(&run->mem, run->auth_len);
  if (run->auth == NULL) return -ENOMEM;
  p = put(run->auth, run->text + run->header_len, bare_len);
  *p++ = ',';
  p = put(p, said->base, said->len);
  p = put(p, ",c=", 3);
  uvsmtp__base64_encode(p, run->text + run->first_len, run->bind_len);
  p = put(p + bind_len, ",r=", 3);
  put(p, nonce->base, nonce->len);
  return 0;
}

/* "e=": an error in the server's words, which go no further than a terminal
 * bears. */
static int refused(uvsmtp_exchange_t* x, const uvsmtp_slice_t* said) {
  static const char begin[] = "SCRAM: the server says ";
  const char* octets = said->base;
  char text[128];
  size_t i, n = sizeof(begin) - 1;
  memcpy(text, begin, n);
  for (i = 2; i < said->len && octets[i] != ',' && n < sizeof(text); i++, n++) {
    char c = octets[i];
    text[n] = c < 0x20 || c > 0x7e ? '?' : c;
  }
  uvsmtp_exchange_explain(x, text, n);
  return UVSMTP_EAUTH;
}

static int is_error(const uvsmtp_slice_t* said) {
  return said->len > 2 && memcmp(said->base, "e=", 2) == 0;
}

static int server_first(uvsmtp_exchange_t* x, run_t* run,
                        const uvsmtp_slice_t* said) {
  unsigned char raw[UVSMTP__SCRAM_MESSAGE_MAX / 4 * 3];
  uvsmtp__scram_challenge_t c;
  uvsmtp_slice_t ours, salt;
  const char* why;
  ptrdiff_t n;
  int rc;
  if (is_error(said)) return refused(x, said);
  ours.base = run->text + run->first_len - run->nonce_len;
  ours.len = run->nonce_len;
  why = uvsmtp__scram_read_first(&c, *said, ours);
  if (why != NULL) return uvsmtp__mech_fail(x, UVSMTP_EPROTOCOL, why);
  n = uvsmtp__base64_decode(raw, c.salt.base, c.salt.len);
  if (n <= 0 || n > UVSMTP__SCRAM_SALT_MAX)
    return uvsmtp__mech_fail(x, UVSMTP_EPROTOCOL,
                             "SCRAM: the server's salt is malformed");
  salt.base = (const char*)raw;
  salt.len = (size_t)n;
  rc = set_auth(run, said, &c.nonce);
  if (rc == 0)
    rc = uvsmtp__derived_get(&run->derived, uvsmtp__sasl_of(x), run->alg, salt,
                             c.iterations);
  run->next = KEYS;
  return rc;
}

/* What the key makes of the AuthMessage. */
static int sign(const run_t* run, const unsigned char* key,
                unsigned char* signature) {
  uvsmtp_slice_t auth;
  uvsmtp__hmac_t* hmac;
  int rc = uvsmtp__hmac_new(&hmac, &run->mem, run->alg, key,
                            uvsmtp__hash_size(run->alg));
  auth.base = run->auth;
  auth.len = run->auth_len;
  if (rc == 0) rc = uvsmtp__hmac(hmac, &auth, 1, signature);
  uvsmtp__hmac_free(hmac);
  return rc;
}

/* RFC 5802 3: ClientProof, and the signature that the server will have to
 * show. */
static int client_final(uvsmtp_exchange_t* x, run_t* run,
                        const uvsmtp__scram_keys_t* keys) {
  size_t i, size = uvsmtp__hash_size(run->alg);
  unsigned char stored[UVSMTP__HASH_MAX];
  unsigned char proof[UVSMTP__HASH_MAX];
  char text[(UVSMTP__HASH_MAX + 2) / 3 * 4];
  int rc = uvsmtp__hash(run->alg, keys->client, size, stored);
  if (rc == 0) rc = sign(run, stored, proof);
  if (rc == 0) rc = sign(run, keys->server, run->verifier);
  if (rc == 0) {
    for (i = 0; i < size; i++) proof[i] ^= keys->client[i];
    uvsmtp__base64_encode(text, proof, size);
    rc = uvsmtp_exchange_respond(x, run->auth + run->auth_len - run->final_len,
                                 run->final_len);
  }
  if (rc == 0) rc = uvsmtp_exchange_respond(x, ",p=", 3);
  if (rc == 0) rc = uvsmtp_exchange_respond(x, text, (size + 2) / 3 * 4);
  uvsmtp__wipe(stored, sizeof(stored));
  uvsmtp__wipe(proof, sizeof(proof));
  uvsmtp__wipe(text, sizeof(text));
  run->next = SERVER_FINAL;
  return rc == 0 ? UVSMTP_MECH_CONTINUE : rc;
}

static int with_keys(uvsmtp_exchange_t* x, run_t* run) {
  const uvsmtp__scram_keys_t* keys;
  int rc = uvsmtp__derived_step(run->derived, &keys);
  return rc == 0 ? client_final(x, run, keys) : rc;
}

/* ----------------------------------------------------------- server-final */

static int server_final(uvsmtp_exchange_t* x, run_t* run,
                        const uvsmtp_slice_t* said) {
  unsigned char raw[UVSMTP__SCRAM_MESSAGE_MAX / 4 * 3];
  uvsmtp_slice_t verifier;
  const char* why;
  size_t size = uvsmtp__hash_size(run->alg);
  ptrdiff_t n;
  int right;
  run->next = OVER;
  if (is_error(said)) return refused(x, said);
  why = uvsmtp__scram_read_final(&verifier, *said);
  if (why != NULL) return uvsmtp__mech_fail(x, UVSMTP_EPROTOCOL, why);
  n = uvsmtp__base64_decode(raw, verifier.base, verifier.len);
  right = n == (ptrdiff_t)size && uvsmtp__equal(raw, run->verifier, size);
  uvsmtp__wipe(raw, sizeof(raw));
  if (!right)
    return uvsmtp__mech_fail(
        x, UVSMTP_EAUTH,
        "SCRAM: the server did not prove that it knows the password");
  return UVSMTP_MECH_SEND;
}

/* -------------------------------------------------------------- mechanism */

static int step(uvsmtp_exchange_t* x, int alg, int binds,
                const uvsmtp_slice_t* challenge) {
  run_t* run = uvsmtp_exchange_data(x);
  int rc;
  if (run == NULL) return first(x, alg, binds);
  switch (run->next) {
    case SERVER_FIRST:
      rc = server_first(x, run, challenge);
      return rc == 0 ? with_keys(x, run) : rc;
    case KEYS:
      return with_keys(x, run);
    case SERVER_FINAL:
      return server_final(x, run, challenge);
    default:
      return uvsmtp__mech_fail(x, UVSMTP_EPROTOCOL,
                               "SCRAM: the server goes on behind the end");
  }
}

static int step_sha256_plus(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x,
                            const uvsmtp_slice_t* challenge) {
  (void)self;
  return step(x, UVSMTP__SHA256, 1, challenge);
}

static int step_sha256(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x,
                       const uvsmtp_slice_t* challenge) {
  (void)self;
  return step(x, UVSMTP__SHA256, 0, challenge);
}

static int step_sha1(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x,
                     const uvsmtp_slice_t* challenge) {
  (void)self;
  return step(x, UVSMTP__SHA1, 0, challenge);
}

static void finish(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x) {
  run_t* run = uvsmtp_exchange_data(x);
  uvsmtp__mem_t mem;
  (void)self;
  if (run == NULL) return;
  uvsmtp_exchange_set_data(x, NULL);
  mem = run->mem;
  uvsmtp__derived_put(run->derived);
  if (run->auth != NULL) uvsmtp__wipe(run->auth, run->auth_len);
  uvsmtp__free(&mem, run->auth, run->auth_len);
  {
    size_t size = run->size;
    uvsmtp__wipe(run, size);
    uvsmtp__free(&mem, run, size);
  }
}

#define MECH(name, step, more)                                              \
  {                                                                         \
    sizeof(uvsmtp_mech_t), (name),                                          \
        UVSMTP_MECH_CLIENT_FIRST | UVSMTP_MECH_MUTUAL | (more), step, NULL, \
        finish                                                              \
  }

const uvsmtp_mech_t uvsmtp__mech_scram_sha256_plus =
    MECH("SCRAM-SHA-256-PLUS", step_sha256_plus, UVSMTP_MECH_BINDS);
const uvsmtp_mech_t uvsmtp__mech_scram_sha256 =
    MECH("SCRAM-SHA-256", step_sha256, 0);
const uvsmtp_mech_t uvsmtp__mech_scram_sha1 = MECH("SCRAM-SHA-1", step_sha1, 0);
