/* SPDX-License-Identifier: MIT */
/* creds.c: credentials: as scripts describe them, and in a play, with the
 * answers to their token hook. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conv.h"
#include "core/auth.h"

/* --------------------------------------------------------------- scripts */

unsigned int creds_flags(const dialogue_t* d, int line, const char* value) {
  static const flag_name_t names[] = {
      {"allow-plaintext", UVSMTP_AUTH_ALLOW_PLAINTEXT},
      {"no-initial", UVSMTP_AUTH_NO_INITIAL_RESPONSE},
      {"force", UVSMTP_AUTH_FORCE},
      {NULL, 0}};

  return script_flags(d, line, names, value);
}

static bytes_t* octets(const bytes_t* word, const char* value) {
  bytes_t* b = keep(sizeof(*b));

  bytes_add(b, value, word->len - (size_t)(value - word->at));
  return b;
}

/* What is secret. One that is too short would be found where it is not. */
static bytes_t* secret(dialogue_t* d, int line, const bytes_t* word,
                       const char* value) {
  bytes_t* b = octets(word, value);

  if (b->len < 6) script_error(d->file, line, "a secret that is too short");
  secret_add(d, b);
  return b;
}

static void add_own(dialogue_t* d, creds_t* c, int line, const char* value) {
  c->owns = keep_more(c->owns, c->nowns, sizeof(*c->owns));
  memset(&c->owns[c->nowns], 0, sizeof(*c->owns));
  own_read(d, line, &c->owns[c->nowns++], value);
}

static int hook_word(dialogue_t* d, creds_t* c, int line, const bytes_t* word) {
  const char* v;

  if (script_value(word, "token-now", &v)) {
    c->hook = TOKEN_NOW;
    c->token = secret(d, line, word, v);
  } else if (script_value(word, "fresh-now", &v)) {
    c->fresh = secret(d, line, word, v);
  } else if (strcmp(word->at, "token-later") == 0) {
    c->hook = TOKEN_LATER;
  } else if (script_value(word, "token-fails", &v)) {
    c->hook = TOKEN_ERROR;
    c->hook_error = script_named(d->file, line, error_number(v), v);
  } else {
    return 0;
  }
  return 1;
}

int creds_word(dialogue_t* d, creds_t* c, int line, const bytes_t* word) {
  const char* v;

  if (script_value(word, "user", &v)) {
    c->user = octets(word, v);
  } else if (script_value(word, "password", &v)) {
    c->password = secret(d, line, word, v);
  } else if (script_value(word, "authzid", &v)) {
    c->authzid = octets(word, v);
  } else if (script_value(word, "token", &v)) {
    c->token = secret(d, line, word, v);
  } else if (script_value(word, "mechs", &v)) {
    c->mechs = keep_text(v, strlen(v));
  } else if (script_value(word, "flags", &v)) {
    c->flags = creds_flags(d, line, v);
  } else if (script_value(word, "own", &v)) {
    add_own(d, c, line, v);
  } else if (script_value(word, "nonce", &v)) {
    c->nonce = keep_text(v, strlen(v));
  } else if (strcmp(word->at, "keeps") == 0) {
    c->keeps = 1;
  } else if (!hook_word(d, c, line, word) && !script_value(word, "id", &v)) {
    return 0;
  }
  c->line = line;
  bytes_add(&c->words, word->at, word->len + 1);
  return 1;
}

size_t creds_find(dialogue_t* d, const creds_t* c) {
  size_t i;

  for (i = 0; i < d->ncreds; i++)
    if (d->creds[i].words.len == c->words.len &&
        memcmp(d->creds[i].words.at, c->words.at, c->words.len) == 0)
      return i + 1;
  d->creds = keep_more(d->creds, d->ncreds, sizeof(*d->creds));
  d->creds[d->ncreds++] = *c;
  return d->ncreds;
}

/* ---------------------------------------------------------------- tokens */

static int answer(identity_t* id, int status, const bytes_t* token) {
  uvsmtp_token_query_t* query = id->query;
  char* copy = malloc(token->len + 1);
  int rc;

  if (copy == NULL) abort();
  id->query = NULL;
  /* A block of its own, so that nobody keeps it. */
  if (token->len > 0) memcpy(copy, token->at, token->len);
  rc = uvsmtp_token_done(query, status, copy, token->len);
  free(copy);
  return rc;
}

static int ask(void* arg, uvsmtp_token_query_t* query) {
  identity_t* id = arg;
  const creds_t* c = id->creds;
  const bytes_t* token = c->token;

  check_hook(id->play);
  if (id->query != NULL) play_fail(id->play, "two tokens wanted at once");
  if (c->hook == TOKEN_ERROR) return c->hook_error;
  id->query = query;
  if (c->hook == TOKEN_LATER) return 0;
  if (c->fresh != NULL && uvsmtp_token_query_refresh(query)) token = c->fresh;
  (void)answer(id, 0, token);
  return 0;
}

void creds_token(play_t* p, const step_t* s) {
  identity_t* id = NULL;
  size_t i;
  int rc;

  for (i = 0; i < p->d->ncreds; i++)
    if (p->identities[i]->query != NULL) id = p->identities[i];
  if (id == NULL) {
    if (play_lacks(p)) return;
    play_fail(p, "no token is wanted");
  }
  if (s->number == 0 &&
      uvsmtp_token_query_refresh(id->query) != (s->fresh != 0))
    play_fail(p, "a new token is wanted, or is not");
  rc = answer(id, s->number, &s->octets);
  if (rc != s->refused && !play_lacks(p))
    play_fail(p, "the token: expected %s, got %s", error_name(s->refused),
              error_name(rc));
}

/* -------------------------------------------------------------- in plays */

static void put(const char** to, size_t* len, const bytes_t* from) {
  if (from == NULL) return;
  *to = from->at;
  *len = from->len;
}

/* The mechanisms of its own: how many. */
static size_t list_mechs(identity_t* id, const creds_t* c) {
  size_t n = 0;
  size_t i;

  id->mechs = calloc(c->nowns + 1, sizeof(*id->mechs));
  id->list = calloc(c->nowns + SCRAMS + 1, sizeof(*id->list));
  if (id->mechs == NULL || id->list == NULL) abort();
  for (i = 0; i < c->nowns; i++) {
    own_begin(&id->mechs[i], &id->play, &c->owns[i]);
    id->list[n++] = &id->mechs[i].mech;
  }
  for (i = 0; c->nonce != NULL && i < SCRAMS; i++) {
    scram_begin(&id->scrams[i], (int)i, &id->play, c->nonce);
    id->list[n++] = &id->scrams[i].mech;
  }
  return n;
}

static int make(play_t* p, identity_t* id, const creds_t* c) {
  uvsmtp_credentials_config_t config = UVSMTP_CREDENTIALS_CONFIG_INIT;
  uvsmtp_mem_t mem = {sizeof(mem), secret_alloc_own, NULL};
  const char* why = "";
  int rc;

  id->creds = c;
  id->play = p;
  config.nown = list_mechs(id, c);
  config.own = config.nown > 0 ? id->list : NULL;
  mem.data = p;
  if (!c->keeps) config.mem = &mem;
  put(&config.user, &config.user_len, c->user);
  put(&config.password, &config.password_len, c->password);
  put(&config.authzid, &config.authzid_len, c->authzid);
  if (c->hook == TOKEN_NONE) {
    put(&config.token, &config.token_len, c->token);
  } else {
    config.token_cb = ask;
    config.token_arg = id;
  }
  config.mechs = c->mechs;
  config.flags = c->flags;
  rc = uvsmtp_credentials_new(&id->it, &config, &why);
  if (rc == 0 || (rc == -ENOMEM && p->alloc.failed > 0)) return rc;
  p->line = c->line;
  play_fail(p, "credentials: %s: %s", error_name(rc), why);
}

static void unmake(identity_t* id) {
  if (id == NULL) return;
  uvsmtp_credentials_unref(id->it);
  free(id->mechs);
  free(id->list);
  free(id);
}

/* Those that live as long as the dialogue are made by its first play. */
static int begin(play_t* p, size_t i) {
  const creds_t* c = &p->d->creds[i];
  identity_t* id = c->keeps ? p->d->kept[i] : NULL;

  if (id == NULL) id = calloc(1, sizeof(*id));
  if (id == NULL) abort();
  id->play = p;
  p->identities[i] = id;
  if (c->keeps) p->d->kept[i] = id;
  return id->it == NULL ? make(p, id, c) : 0;
}

int creds_begin(play_t* p) {
  size_t i;
  int rc = 0;

  p->identities = calloc(p->d->ncreds + 1, sizeof(*p->identities));
  p->told = calloc(p->d->ncalls + 1, sizeof(*p->told));
  if (p->identities == NULL || p->told == NULL) abort();
  for (i = 0; rc == 0 && i < p->d->ncreds; i++) rc = begin(p, i);
  return rc;
}

void creds_end(play_t* p) {
  static char text[] = "too-late-for-that";
  static const bytes_t late = {text, sizeof(text) - 1, 0};
  size_t i;

  if (p->runs != p->finished)
    play_fail(p, "%d runs of mechanisms, but %d have finished", p->runs,
              p->finished);
  for (i = 0; i < p->d->ncreds; i++) {
    identity_t* id = p->identities[i];

    if (id == NULL || id->it == NULL) continue;
    /* A query that waits for its answer keeps them. */
    if (id->it->refs != 1u + (id->query != NULL))
      play_fail(p, "credentials with %u references", id->it->refs);
    /* What answers a query may outlive whatever asked for it. */
    if (id->query != NULL && p->at % 2 == 0) (void)answer(id, 0, &late);
    if (!id->creds->keeps) uvsmtp_credentials_unref(id->it);
    if (!id->creds->keeps) id->it = NULL;
    if (id->query != NULL) (void)answer(id, p->at % 4 == 1 ? -EIO : 0, &late);
  }
}

void creds_free(play_t* p) {
  size_t i;

  for (i = 0; p->identities != NULL && i < p->d->ncreds; i++)
    if (!p->d->creds[i].keeps) unmake(p->identities[i]);
  free(p->identities);
  free(p->told);
}

void creds_drop(dialogue_t* d) {
  size_t i;

  for (i = 0; i < d->ncreds; i++) unmake(d->kept[i]);
}
