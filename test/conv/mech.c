/* SPDX-License-Identifier: MIT */
/* mech.c: mechanisms of the test's own. They do what a script says, and check
 * what the contract promises to one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conv.h"
#include "sasl/scram.h"

/* --------------------------------------------------------------- scripts */

static unsigned int flag_of(const char* word) {
  if (strcmp(word, "first") == 0) return UVSMTP_MECH_CLIENT_FIRST;
  if (strcmp(word, "mutual") == 0) return UVSMTP_MECH_MUTUAL;
  if (strcmp(word, "any") == 0) return UVSMTP_MECH_ANY_CHALLENGE;
  return 0;
}

static void read_word(const dialogue_t* d, int line, own_t* own,
                      const bytes_t* word) {
  const char* v;

  own->flags |= flag_of(word->at);
  if (flag_of(word->at) != 0) return;
  if (script_value(word, "rounds", &v)) {
    own->rounds = atoi(v);
  } else if (script_value(word, "proves", &v)) {
    own->proves = atoi(v);
  } else if (script_value(word, "waits", &v)) {
    own->waits_at = atoi(v);
  } else if (script_value(word, "wakes", &v)) {
    own->waits_at = atoi(v);
    own->wakes = 1;
  } else if (script_value(word, "agains", &v)) {
    own->agains = atoi(v);
  } else if (script_value(word, "fails", &v)) {
    own->fails_at = atoi(v);
  } else if (script_value(word, "error", &v)) {
    own->error = script_named(d->file, line, error_number(v), v);
  } else if (script_value(word, "len", &v)) {
    own->len = strtoul(v, NULL, 10);
  } else if (script_value(word, "says", &v)) {
    own->explains = keep_text(v, strlen(v));
  } else if (strcmp(word->at, "empty") == 0) {
    own->empty = 1;
  } else if (strcmp(word->at, "retries") == 0) {
    own->retries = 1;
  } else {
    script_error(d->file, line, "a mechanism that %s?", word->at);
  }
}

void own_read(const dialogue_t* d, int line, own_t* own, const char* text) {
  size_t n = strcspn(text, ",");

  own->name = keep_text(text, n);
  own->rounds = 1;
  own->error = error_number("UV_EINVAL");
  while (text[n] == ',') {
    bytes_t word = {NULL, 0, 0};

    text += n + 1;
    n = strcspn(text, ",");
    bytes_add(&word, text, n);
    read_word(d, line, own, &word);
  }
}

/* -------------------------------------------------------------- in plays */

/* A run, from its first step to finish. */
typedef struct run_s {
  int round;  /* the response that comes next, from 1 */
  int agains; /* so far, for this one */
  int waited; /* for this one */
  int came;   /* step is called again for what it has: */
  int has_challenge;
  bytes_t challenge; /* grown by realloc */
} run_t;

/* What is kept behind finish. */
static run_t over;

/* The struct that the vtable is the beginning of; it is never changed by the
 * library. */
static own_mech_t* self_of(const uvsmtp_mech_t* self) {
  return (own_mech_t*)(void*)(uintptr_t)self;
}

static run_t* run_of(own_mech_t* m, uvsmtp_exchange_t* x) {
  play_t* p = *m->play;
  run_t* run = uvsmtp_exchange_data(x);

  if (run == &over) play_fail(p, "%s: a step behind finish", m->own->name);
  if (run != NULL) return run;
  run = calloc(1, sizeof(*run));
  if (run == NULL) abort();
  run->round = 1;
  p->runs++;
  uvsmtp_exchange_set_data(x, run);
  return run;
}

/* A mechanism that waits, or has more to do, gets the same challenge again;
 * only the first step of one that speaks first is without. */
static void check_challenge(own_mech_t* m, run_t* run,
                            const uvsmtp_slice_t* challenge) {
  play_t* p = *m->play;
  int none = challenge == NULL;

  if (none && (run->round != 1 || !(m->own->flags & UVSMTP_MECH_CLIENT_FIRST)))
    play_fail(p, "%s: a step without a challenge", m->own->name);
  if (!none && run->round == 1 && (m->own->flags & UVSMTP_MECH_CLIENT_FIRST))
    play_fail(p, "%s: a challenge before its first word", m->own->name);
  if (run->came) {
    if (none != !run->has_challenge ||
        (!none &&
         (challenge->len != run->challenge.len ||
          memcmp(challenge->base, run->challenge.at, challenge->len) != 0)))
      play_fail(p, "%s: another challenge than before", m->own->name);
    return;
  }
  run->came = 1;
  run->has_challenge = !none;
  if (none) return;
  run->challenge.at = realloc(run->challenge.at, challenge->len + 1);
  if (run->challenge.at == NULL) abort();
  memcpy(run->challenge.at, challenge->base, challenge->len);
  run->challenge.len = challenge->len;
}

static int respond(const own_mech_t* m, const run_t* run,
                   uvsmtp_exchange_t* x) {
  uvsmtp_slice_t password = uvsmtp_exchange_password(x);
  size_t len = 2 + password.len;
  char number[2] = {(char)('0' + run->round % 10), ' '};
  int rc;

  if (m->own->empty) return 0;
  rc = uvsmtp_exchange_respond(x, number, 2);
  if (rc == 0) rc = uvsmtp_exchange_respond(x, password.base, password.len);
  for (; rc == 0 && len < m->own->len; len++)
    rc = uvsmtp_exchange_respond(x, ".", 1);
  return rc;
}

static int step(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x,
                const uvsmtp_slice_t* challenge) {
  own_mech_t* m = self_of(self);
  const own_t* own = m->own;
  run_t* run = run_of(m, x);
  int rc;

  check_hook(*m->play);
  if (m->waits != NULL)
    play_fail(*m->play, "%s: a step, but nobody woke it", own->name);
  check_challenge(m, run, challenge);
  if (own->explains != NULL)
    uvsmtp_exchange_explain(x, own->explains, strlen(own->explains));
  if (run->agains < own->agains) {
    run->agains++;
    return UVSMTP_MECH_AGAIN;
  }
  if (run->round == own->waits_at && !run->waited) {
    run->waited = 1;
    if (own->wakes)
      uvsmtp_exchange_wake(x);
    else
      m->waits = x;
    return UVSMTP_MECH_WAIT;
  }
  if (run->round == own->fails_at) return own->error;
  if (run->round > own->rounds) return -EINVAL;
  rc = respond(m, run, x);
  run->came = run->agains = run->waited = 0;
  run->round++;
  if (rc != 0) return rc;
  return run->round <= own->proves ? UVSMTP_MECH_CONTINUE : UVSMTP_MECH_SEND;
}

static int refused(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x) {
  own_mech_t* m = self_of(self);

  check_hook(*m->play);
  if (uvsmtp_exchange_retries(x) && m->own->retries)
    play_fail(*m->play, "%s: asked to begin anew twice", m->own->name);
  return m->own->retries;
}

static void finish(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x) {
  own_mech_t* m = self_of(self);
  run_t* run = uvsmtp_exchange_data(x);

  check_hook(*m->play);
  if (run == &over) play_fail(*m->play, "%s: finished twice", m->own->name);
  if (run == NULL) play_fail(*m->play, "%s: finished, not begun", m->own->name);
  uvsmtp_exchange_set_data(x, &over);
  (*m->play)->finished++;
  m->waits = NULL;
  free(run->challenge.at);
  free(run);
}

void own_begin(own_mech_t* m, play_t** play, const own_t* own) {
  memset(m, 0, sizeof(*m));
  m->mech.size = sizeof(m->mech);
  m->mech.name = own->name;
  m->mech.flags = own->flags;
  m->mech.step = step;
  m->mech.refused = own->retries ? refused : NULL;
  m->mech.finish = finish;
  m->own = own;
  m->play = play;
}

static int wake(own_mech_t* m) {
  uvsmtp_exchange_t* x = m->waits;

  if (x == NULL) return 0;
  m->waits = NULL;
  uvsmtp_exchange_wake(x);
  return 1;
}

void own_wake(play_t* p) {
  int found = 0;
  size_t i;
  size_t k;

  for (i = 0; i < p->d->ncreds; i++)
    for (k = 0; k < p->d->creds[i].nowns; k++)
      found |= wake(&p->identities[i]->mechs[k]);
  for (i = 0; i < p->d->ncalls; i++) found |= wake(&p->told[i].mech);
  if (!found && !play_lacks(p)) play_fail(p, "nothing to wake");
}

/* ------------------------------------------- SCRAM, with a nonce of ours */

static const struct {
  const uvsmtp_mech_t* mech;
  int alg;
  int binds;
} scrams[SCRAMS] = {{&uvsmtp__mech_scram_sha256_plus, UVSMTP__SHA256, 1},
                    {&uvsmtp__mech_scram_sha256, UVSMTP__SHA256, 0},
                    {&uvsmtp__mech_scram_sha1, UVSMTP__SHA1, 0}};

static int which_of(const uvsmtp_mech_t* self) {
  int i = 0;

  while (strcmp(scrams[i].mech->name, self->name) != 0) i++;
  return i;
}

static int scram_step(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x,
                      const uvsmtp_slice_t* challenge) {
  const scram_t* m = (const scram_t*)(const void*)self;
  int i = which_of(self);
  int rc;

  if (uvsmtp_exchange_data(x) != NULL)
    return scrams[i].mech->step(scrams[i].mech, x, challenge);
  rc = uvsmtp__scram_first(x, scrams[i].alg, scrams[i].binds, m->nonce);
  if (uvsmtp_exchange_data(x) != NULL) (*m->play)->runs++;
  return rc;
}

static void scram_finish(const uvsmtp_mech_t* self, uvsmtp_exchange_t* x) {
  const scram_t* m = (const scram_t*)(const void*)self;

  if (uvsmtp_exchange_data(x) != NULL) (*m->play)->finished++;
  scrams[which_of(self)].mech->finish(self, x);
}

void scram_begin(scram_t* m, int which, play_t** play, const char* nonce) {
  m->mech = *scrams[which].mech;
  m->mech.step = scram_step;
  m->mech.finish = scram_finish;
  m->nonce = nonce;
  m->play = play;
}
