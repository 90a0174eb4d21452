/* SPDX-License-Identifier: MIT */
/* credentials.c: who one is: copied into one block, checked, wiped. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "core/ascii.h"
#include "sasl/sasl.h"

/* More than anybody has; sums of sizes don't overflow below it. */
enum { OWN_MAX = 256 };

static void destroy(uvsmtp_credentials_t* credentials) {
  uvsmtp__sasl_t* sasl = (uvsmtp__sasl_t*)credentials;
  uvsmtp__mem_t mem = sasl->mem;
  size_t block = sasl->block;
  uvsmtp__derived_free(sasl);
  uvsmtp__wipe(sasl, block);
  uvsmtp__free(&mem, sasl, block);
}

static int fits(const uvsmtp_credentials_t* credentials,
                const uvsmtp_mech_t* mech) {
  return uvsmtp__mech_has_secret(mech, (const uvsmtp__sasl_t*)credentials);
}

static const uvsmtp__secrets_t secrets = {uvsmtp__wipe, uvsmtp__base64_encode,
                                          uvsmtp__base64_decode, fits, destroy};

/* A string of the config's: its length, or up to its NUL. */
static uvsmtp_slice_t given(const char* text, size_t len) {
  uvsmtp_slice_t s = {text, len};
  if (text == NULL)
    s.len = 0;
  else if (len == 0)
    s.len = strlen(text);
  return s;
}

/* ------------------------------------------------------------------ checks */

static const char* own_unfit(const uvsmtp_credentials_config_t* c) {
  size_t i;
  if (c->nown > OWN_MAX) return "more mechanisms than there can be";
  if (c->nown != 0 && c->own == NULL) return "nown without own";
  for (i = 0; i < c->nown; i++)
    if (c->own[i] == NULL || uvsmtp__check_mech(c->own[i]) != 0)
      return "a mechanism of the caller's own that is not filled in, or whose "
             "name is none";
  return NULL;
}

static const char* config_unfit(const uvsmtp_credentials_config_t* c) {
  uvsmtp__mem_t ignored;
  if ((c->flags & ~UVSMTP__AUTH_FLAGS) != 0) return "a flag that there is not";
  if (uvsmtp__mem_set(&ignored, c->mem) != 0)
    return "memory functions that are not filled in";
  if (c->token != NULL && c->token_cb != NULL)
    return "a token, and a function that finds one";
  if ((c->flags & UVSMTP_AUTH_FORCE) != 0 && c->mechs == NULL && c->nown == 0)
    return "mechanisms are forced, but none is named";
  return own_unfit(c);
}

/* ------------------------------------------------------------ the mechanisms
 */

static void add(uvsmtp__sasl_t* sasl, const uvsmtp_mech_t** list,
                const uvsmtp_mech_t* mech) {
  list[sasl->base.nmechs++] = mech;
}

/* The next of the names in *at, which moves behind it; len 0: no more. */
static uvsmtp_slice_t next_name(const char** at) {
  static const char between[] = " \t,";
  uvsmtp_slice_t name;
  *at += strspn(*at, between);
  name.base = *at;
  name.len = strcspn(*at, between);
  *at += name.len;
  return name;
}

static int is_named(const char* names, const char* name) {
  uvsmtp_slice_t s;
  while ((s = next_name(&names)).len != 0)
    if (uvsmtp__same(s.base, s.len, name, strlen(name))) return 1;
  return 0;
}

/* One of the caller's own stands for one of ours that has its name. */
static int is_own(const uvsmtp__sasl_t* sasl, size_t nown, const char* name,
                  size_t len) {
  size_t i;
  for (i = 0; i < nown; i++) {
    const char* own = sasl->base.mechs[i]->name;
    if (uvsmtp__same(own, strlen(own), name, len)) return 1;
  }
  return 0;
}

static const char* unknown_name(const uvsmtp__sasl_t* sasl, size_t nown,
                                const char* names) {
  uvsmtp_slice_t s;
  while ((s = next_name(&names)).len != 0)
    if (uvsmtp__mech_named(s.base, s.len) == NULL &&
        !is_own(sasl, nown, s.base, s.len))
      return "a mechanism is named that there is not";
  return NULL;
}

/* Those that were asked for: each of them must be able to say this. */
static const char* choose_named(uvsmtp__sasl_t* sasl,
                                const uvsmtp_mech_t** list, const char* names) {
  size_t nown = sasl->base.nmechs;
  const uvsmtp_mech_t* mech;
  const char* why = unknown_name(sasl, nown, names);
  size_t i;
  for (i = 0; why == NULL && (mech = uvsmtp_mech_at(i)) != NULL; i++) {
    if (!is_named(names, mech->name) ||
        is_own(sasl, nown, mech->name, strlen(mech->name)))
      continue;
    why = uvsmtp__mech_unfit(mech, sasl);
    add(sasl, list, mech);
  }
  if (why != NULL) return why;
  return sasl->base.nmechs == 0 ? "no mechanism is named" : NULL;
}

/* All that can say this. EXTERNAL needs no secret and so always could: it is
 * meant where there is nothing else to say. */
static const char* choose_all(uvsmtp__sasl_t* sasl, const uvsmtp_mech_t** list,
                              const uvsmtp_credentials_config_t* config) {
  const uvsmtp_credentials_t* c = &sasl->base;
  size_t nown = c->nmechs;
  int has_token = uvsmtp__mech_has_secret(&uvsmtp__mech_oauthbearer, sasl);
  const uvsmtp_mech_t* mech;
  size_t i;
  /* An empty password is none, but hardly meant to be so. */
  if (nown == 0 && config->user == NULL && config->password == NULL &&
      config->token == NULL && !has_token) {
    add(sasl, list, &uvsmtp__mech_external);
    return uvsmtp__mech_unfit(&uvsmtp__mech_external, sasl);
  }
  for (i = 0; (mech = uvsmtp_mech_at(i)) != NULL; i++)
    if (mech != &uvsmtp__mech_external &&
        !is_own(sasl, nown, mech->name, strlen(mech->name)) &&
        uvsmtp__mech_unfit(mech, sasl) == NULL)
      add(sasl, list, mech);
  if (c->nmechs != 0) return NULL;
  if (c->password.len != 0)
    return uvsmtp__mech_unfit(&uvsmtp__mech_plain, sasl);
  if (has_token) return uvsmtp__mech_unfit(&uvsmtp__mech_oauthbearer, sasl);
  return "neither a user name and a password, nor a token";
}

static const char* choose(uvsmtp__sasl_t* sasl, const uvsmtp_mech_t** list,
                          const uvsmtp_credentials_config_t* c) {
  size_t i;
  for (i = 0; i < c->nown; i++) add(sasl, list, c->own[i]);
  if (c->mechs != NULL) return choose_named(sasl, list, c->mechs);
  /* What nobody has named is not forced on a server. */
  if ((c->flags & UVSMTP_AUTH_FORCE) != 0) return NULL;
  return choose_all(sasl, list, c);
}

/* --------------------------------------------------------------- the block */

/* Octets of the block, or 0 when they are more than can be counted. */
static size_t block_size(const uvsmtp_slice_t* strings, size_t n, size_t nown) {
  size_t size = sizeof(uvsmtp__sasl_t) +
                (nown + UVSMTP__MECHS) * sizeof(const uvsmtp_mech_t*);
  size_t i;
  for (i = 0; i < n; i++) {
    if (strings[i].len > SIZE_MAX - size) return 0;
    size += strings[i].len;
  }
  return size;
}

static int create(uvsmtp__sasl_t** out, const uvsmtp_credentials_config_t* c,
                  const char** why) {
  uvsmtp_slice_t strings[] = {
      given(c->user, c->user_len), given(c->password, c->password_len),
      given(c->authzid, c->authzid_len), given(c->token, c->token_len)};
  size_t n = sizeof(strings) / sizeof(*strings);
  uvsmtp__mem_t mem = {uvsmtp__default_alloc, NULL};
  size_t size = block_size(strings, n, c->nown);
  const uvsmtp_mech_t** list;
  uvsmtp__sasl_t* sasl;
  char* at;
  size_t i;

  *why = "no memory";
  (void)uvsmtp__mem_set(&mem, c->mem);
  sasl = size == 0 ? NULL : uvsmtp__alloc(&mem, size);
  if (sasl == NULL) return -ENOMEM;
  memset(sasl, 0, sizeof(*sasl));
  list = (const uvsmtp_mech_t**)(void*)(sasl + 1);
  at = (char*)(list + c->nown + UVSMTP__MECHS);
  for (i = 0; i < n; i++) {
    if (strings[i].len != 0) memcpy(at, strings[i].base, strings[i].len);
    strings[i].base = at;
    at += strings[i].len;
  }
  sasl->base.secrets = &secrets;
  sasl->base.mechs = list;
  sasl->base.refs = 1;
  sasl->base.flags = c->flags;
  sasl->base.user = strings[0];
  sasl->base.password = strings[1];
  sasl->base.authzid = strings[2];
  sasl->mem = mem;
  sasl->token = strings[3];
  sasl->token_cb = c->token_cb;
  sasl->token_arg = c->token_arg;
  sasl->block = size;
  uvsmtp__queue_init(&sasl->derived);
  *out = sasl;
  *why = choose(sasl, list, c);
  return *why == NULL ? 0 : -EINVAL;
}

/* ------------------------------------------------------------ public calls */

int uvsmtp_credentials_new(uvsmtp_credentials_t** credentials,
                           const uvsmtp_credentials_config_t* config,
                           const char** why) {
  uvsmtp_credentials_config_t c;
  const char* sentence = "a config that is not valid";
  uvsmtp__sasl_t* sasl = NULL;
  int err = uvsmtp__take(&c, sizeof(c), config,
                         UVSMTP__UP_TO(uvsmtp_credentials_config_t, flags));
  if (credentials == NULL) err = -EINVAL;
  if (err == 0 && (sentence = config_unfit(&c)) != NULL) err = -EINVAL;
  if (err == 0 && (err = uvsmtp__crypto_init()) != 0)
    sentence = "no cryptography to be had";
  if (err == 0) err = create(&sasl, &c, &sentence);
  if (err != 0) {
    uvsmtp_credentials_unref(sasl == NULL ? NULL : &sasl->base);
    sasl = NULL;
    if (why != NULL) *why = sentence;
  }
  if (credentials != NULL) *credentials = sasl == NULL ? NULL : &sasl->base;
  return err;
}

uvsmtp_credentials_t* uvsmtp_credentials_ref(uvsmtp_credentials_t* c) {
  if (c != NULL) c->refs++;
  return c;
}

void uvsmtp_credentials_unref(uvsmtp_credentials_t* c) {
  if (c != NULL && --c->refs == 0) c->secrets->gone(c);
}
