/* SPDX-License-Identifier: MIT */
/* derive.c: the keys that SCRAM makes of a password (RFC 5802 3). That takes
 * thousands of hashes on purpose, so it is done in slices between which others
 * have their turn, once for all sessions that need the same keys, and the keys
 * are kept with the credentials: never the password's salted form, and never
 * beyond its owner. */
#include <errno.h>
#include <string.h>

#include "sasl/scram.h"

enum {
  SLICE = 64, /* iterations in a step: see docs/performance.md */
  KEPT = 8    /* keys, besides those that are in use */
};

struct uvsmtp__derived_s {
  uvsmtp__link_t link; /* in its credentials', the one used last at the end */
  uvsmtp__sasl_t* sasl;
  size_t size; /* octets of this block */
  unsigned int refs;
  int error;
  int alg;
  unsigned long iterations;
  unsigned long left;
  uvsmtp__hmac_t* hmac;              /* of the password, until it is done */
  unsigned char u[UVSMTP__HASH_MAX]; /* RFC 5802 2.2, Hi */
  unsigned char salted[UVSMTP__HASH_MAX]; /* all of them, added */
  uvsmtp__scram_keys_t keys;
  size_t salt_len;
  unsigned char salt[];
};

static uvsmtp__derived_t* of_link(uvsmtp__link_t* link) {
  return UVSMTP__CONTAINER(link, uvsmtp__derived_t, link);
}

static void discard(uvsmtp__derived_t* d) {
  const uvsmtp__mem_t* mem = &d->sasl->mem;
  size_t size = d->size;
  uvsmtp__queue_remove(&d->link);
  uvsmtp__hmac_free(d->hmac);
  uvsmtp__wipe(d, size);
  uvsmtp__free(mem, d, size);
}

/* The oldest that are not in use go. */
static void trim(uvsmtp__sasl_t* sasl) {
  uvsmtp__link_t* link;
  uvsmtp__link_t* next;
  size_t n = 0;
  for (link = sasl->derived.next; link != &sasl->derived; link = link->next)
    n++;
  for (link = sasl->derived.next; n > KEPT && link != &sasl->derived;
       link = next) {
    next = link->next;
    if (of_link(link)->refs > 0) continue;
    discard(of_link(link));
    n--;
  }
}

static uvsmtp__derived_t* find(uvsmtp__sasl_t* sasl, int alg,
                               uvsmtp_slice_t salt, unsigned long iterations) {
  uvsmtp__link_t* link;
  for (link = sasl->derived.next; link != &sasl->derived; link = link->next) {
    uvsmtp__derived_t* d = of_link(link);
    if (d->alg == alg && d->iterations == iterations &&
        d->salt_len == salt.len && memcmp(d->salt, salt.base, salt.len) == 0)
      return d;
  }
  return NULL;
}

/* The first iteration (RFC 5802 2.2): of the salt and INT(1). */
static int start(uvsmtp__derived_t* d) {
  uvsmtp_slice_t parts[2];
  int rc =
      uvsmtp__hmac_new(&d->hmac, &d->sasl->mem, d->alg,
                       d->sasl->base.password.base, d->sasl->base.password.len);
  if (rc != 0) return rc;
  parts[0].base = (const char*)d->salt;
  parts[0].len = d->salt_len;
  parts[1].base = "\0\0\0\1";
  parts[1].len = 4;
  rc = uvsmtp__hmac(d->hmac, parts, 2, d->u);
  memcpy(d->salted, d->u, sizeof(d->u));
  d->left = d->iterations - 1;
  return rc;
}

int uvsmtp__derived_get(uvsmtp__derived_t** out, uvsmtp__sasl_t* sasl, int alg,
                        uvsmtp_slice_t salt, unsigned long iterations) {
  uvsmtp__derived_t* d = find(sasl, alg, salt, iterations);
  *out = NULL;
  if (d == NULL) {
    size_t size = sizeof(*d) + salt.len;
    int rc;
    d = uvsmtp__alloc(&sasl->mem, size);
    if (d == NULL) return -ENOMEM;
    memset(d, 0, sizeof(*d));
    uvsmtp__queue_init(&d->link);
    d->sasl = sasl;
    d->size = size;
    d->alg = alg;
    d->iterations = iterations;
    d->salt_len = salt.len;
    memcpy(d->salt, salt.base, salt.len);
    rc = start(d);
    if (rc != 0) {
      discard(d);
      return rc;
    }
  }
  uvsmtp__queue_remove(&d->link);
  uvsmtp__queue_insert_tail(&sasl->derived, &d->link);
  d->refs++;
  trim(sasl);
  *out = d;
  return 0;
}

static int slice(uvsmtp__derived_t* d) {
  size_t i, size = uvsmtp__hash_size(d->alg);
  unsigned int n;
  uvsmtp_slice_t u;
  u.base = (const char*)d->u;
  u.len = size;
  for (n = 0; n < SLICE && d->left > 0; n++, d->left--) {
    int rc = uvsmtp__hmac(d->hmac, &u, 1, d->u);
    if (rc != 0) return rc;
    for (i = 0; i < size; i++) d->salted[i] ^= d->u[i];
  }
  return 0;
}

/* What they are all for; nothing else is kept. */
static int finish(uvsmtp__derived_t* d) {
  static const uvsmtp_slice_t client = {"Client Key", 10};
  static const uvsmtp_slice_t server = {"Server Key", 10};
  uvsmtp__hmac_t* hmac;
  int rc = uvsmtp__hmac_new(&hmac, &d->sasl->mem, d->alg, d->salted,
                            uvsmtp__hash_size(d->alg));
  if (rc == 0) rc = uvsmtp__hmac(hmac, &client, 1, d->keys.client);
  if (rc == 0) rc = uvsmtp__hmac(hmac, &server, 1, d->keys.server);
  uvsmtp__hmac_free(hmac);
  uvsmtp__hmac_free(d->hmac);
  d->hmac = NULL;
  uvsmtp__wipe(d->u, sizeof(d->u));
  uvsmtp__wipe(d->salted, sizeof(d->salted));
  return rc;
}

int uvsmtp__derived_step(uvsmtp__derived_t* d,
                         const uvsmtp__scram_keys_t** keys) {
  if (d->error != 0) return d->error;
  if (d->hmac == NULL) {
    *keys = &d->keys;
    return 0;
  }
  d->error = slice(d);
  if (d->error == 0 && d->left == 0) d->error = finish(d);
  if (d->error == 0) return UVSMTP_MECH_AGAIN;
  /* Nobody else finds it; whoever has it already fails with it. */
  uvsmtp__queue_remove(&d->link);
  return d->error;
}

void uvsmtp__derived_put(uvsmtp__derived_t* d) {
  uvsmtp__sasl_t* sasl;
  if (d == NULL || --d->refs > 0) return;
  sasl = d->sasl;
  if (d->error != 0 || d->hmac != NULL)
    discard(d);
  else
    trim(sasl);
}

void uvsmtp__derived_free(uvsmtp__sasl_t* sasl) {
  while (!uvsmtp__queue_empty(&sasl->derived))
    discard(of_link(sasl->derived.next));
}
