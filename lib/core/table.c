/* SPDX-License-Identifier: MIT */
/* table.c: expands the .def files. See table.h. */
#include "core/table.h"

#include <errno.h>
#include <stddef.h>

/* -------------------------------------------------------------- states */

#define IN(place) (1u << S_##place)
#define IN_SESSION (IN(GREETED) | IN(READY) | IN(ENVELOPE) | IN(CHUNKING))

const uvsmtp__state_row_t uvsmtp__states[S_COUNT] = {
#define S(state, kind, wire, starts, ahead, group, replies, phase, needs) \
  [S_##state] = {#state,                                                  \
                 wire,                                                    \
                 starts,                                                  \
                 KIND_##kind,                                             \
                 S_##ahead,                                               \
                 GROUP_##group,                                           \
                 REPLIES_##replies,                                       \
                 UVSMTP_PHASE_##phase,                                    \
                 NEEDS_##needs},
#include "core/states.def"
#undef S
};

/* --------------------------------------------------------- transitions */

enum {
  E_OK = 0,
#define XX(name, value, parent, class_name, text) E_##name = value,
  UVSMTP_ERROR_MAP(XX)
#undef XX
  /* libuv's own numbers are the negative errno on Unix (see error.c). */
  E_ETIMEDOUT = -ETIMEDOUT,
  E_ECANCELED = -ECANCELED,
  E_ENOMEM = -ENOMEM
};

enum {
  O_NONE = UVSMTP_OUTCOME_NONE,
  O_ACCEPTED = UVSMTP_OUTCOME_ACCEPTED,
  O_DEFERRED = UVSMTP_OUTCOME_DEFERRED,
  O_REJECTED = UVSMTP_OUTCOME_REJECTED,
  O_NOT_ATTEMPTED = UVSMTP_OUTCOME_NOT_ATTEMPTED,
  O_UNKNOWN = UVSMTP_OUTCOME_UNKNOWN
};

#define DONE FX_DONE
#define FAILS FX_FAILS
#define RESETS FX_RESETS
#define CLOSES FX_CLOSES
#define NOTHING FX_NOTHING

#define T(state, input, next, action, error, outcome, effects)            \
  [S_##state][I_##input] = {E_##error, S_##next, A_##action, O_##outcome, \
                            (effects) | FX_ROW},
#define X(state, input)                                               \
  [S_##state][I_##input] = {E_EPROTOCOL, S_CLOSED, A_none, O_UNKNOWN, \
                            FX_FAILS | FX_CLOSES | FX_NEVER | FX_ROW},

#define X_REPLY(state) X(state, OK) X(state, TEMP) X(state, PERM)
#define X_NOVERB(state) X(state, NOVERB)
#define X_GO(state) X(state, GO) X(state, GO_NONE) X(state, GO_STALE)
#define X_354(state) X(state, GO)
#define X_UP(state) X(state, UP)
#define X_TEXT(state) X(state, SENT) X(state, SRC_FAIL)
#define X_MANY(state) \
  X(state, ALL_OK) X(state, SOME_OK) X(state, NONE_OK) X(state, GONE_MID)

#define X_AUTH_REPLY(state) X(state, CHALLENGE) X(state, NEXT)
#define X_MECH(state)  \
  X(state, MECH_BEGIN) \
  X(state, MECH_SEND) X(state, MECH_FAIL) X(state, MECH_SKIP)
#define X_AUTH(state) X_AUTH_REPLY(state) X_MECH(state) X(state, UNPROVEN)

#define LOSS(state, gone, action, outcome)                            \
  T(state, GONE, CLOSED, action, gone, DEFERRED, FAILS | CLOSES)      \
  T(state, EOF, CLOSED, none, EDISCONNECTED, outcome, FAILS | CLOSES) \
  T(state, BAD, CLOSED, none, EPROTOCOL, outcome, FAILS | CLOSES)     \
  T(state, TIMEOUT, CLOSED, none, ETIMEDOUT, outcome, FAILS | CLOSES) \
  T(state, CANCEL, CLOSED, none, ECANCELED, outcome, FAILS | CLOSES)  \
  T(state, OOM, CLOSED, none, ENOMEM, outcome, FAILS | CLOSES)        \
  T(state, MOOT, CLOSED, none, EDISCONNECTED, NOT_ATTEMPTED, FAILS | CLOSES)

#define SHAKING(state)                                                 \
  T(state, EOF, CLOSED, none, ETLS, DEFERRED, FAILS | CLOSES)          \
  T(state, BAD, CLOSED, none, EPROTOCOL, DEFERRED, FAILS | CLOSES)     \
  T(state, TIMEOUT, CLOSED, none, ETIMEDOUT, DEFERRED, FAILS | CLOSES) \
  T(state, CANCEL, CLOSED, none, ECANCELED, DEFERRED, FAILS | CLOSES)  \
  T(state, OOM, CLOSED, none, ENOMEM, DEFERRED, FAILS | CLOSES)        \
  X(state, GONE)                                                       \
  X(state, MOOT)                                                       \
  X_REPLY(state)                                                       \
  X_NOVERB(state)                                                      \
  X_GO(state)                                                          \
  X_TEXT(state)                                                        \
  X_MANY(state)                                                        \
  X_AUTH(state)

#define VERDICT_LOST(state)                                           \
  T(state, GONE, CLOSED, end_text, EDATA, DEFERRED, FAILS | CLOSES)   \
  T(state, GONE_MID, CLOSED, none, EUNKNOWN, UNKNOWN, FAILS | CLOSES) \
  T(state, EOF, CLOSED, none, EUNKNOWN, UNKNOWN, FAILS | CLOSES)      \
  T(state, BAD, CLOSED, none, EUNKNOWN, UNKNOWN, FAILS | CLOSES)      \
  T(state, TIMEOUT, CLOSED, none, EUNKNOWN, UNKNOWN, FAILS | CLOSES)  \
  T(state, CANCEL, CLOSED, none, EUNKNOWN, UNKNOWN, FAILS | CLOSES)   \
  T(state, OOM, CLOSED, none, EUNKNOWN, UNKNOWN, FAILS | CLOSES)      \
  T(state, MOOT, CLOSED, none, EDISCONNECTED, NOT_ATTEMPTED, FAILS | CLOSES)

#define REST(state)                                         \
  T(state, GONE, CLOSED, none, EDISCONNECTED, NONE, CLOSES) \
  T(state, BAD, CLOSED, none, EPROTOCOL, NONE, CLOSES)      \
  T(state, EOF, CLOSED, none, EDISCONNECTED, NONE, CLOSES)  \
  T(state, CANCEL, CLOSED, none, ECANCELED, NONE, CLOSES)   \
  T(state, OOM, CLOSED, none, ENOMEM, NONE, CLOSES)         \
  T(state, TIMEOUT, CLOSED, none, ETIMEDOUT, NONE, CLOSES)  \
  X(state, MOOT)                                            \
  X_REPLY(state)                                            \
  X_NOVERB(state)                                           \
  X_GO(state)                                               \
  X_UP(state)                                               \
  X_TEXT(state)                                             \
  X_MANY(state)                                             \
  X_AUTH(state)

const uvsmtp__row_t uvsmtp__rows[S_COUNT][I_COUNT] = {
#include "core/transitions.def"
};

#undef T
#undef X

/* --------------------------------------------------------------- plans */

const uvsmtp__step_row_t uvsmtp__steps[] = {
#define P(plan, step, state, guard, times) \
  {#step, PLAN_##plan, S_##state, G_##guard, TIMES_##times},
#define INTRODUCE(plan)                        \
  P(plan, ehlo, EHLO, hello_missing, ONCE)     \
  P(plan, helo, HELO, ehlo_refused, ONCE)      \
  P(plan, tls, STARTTLS, tls_due, ONCE)        \
  P(plan, shake, HANDSHAKE, tls_granted, ONCE) \
  P(plan, ehlo2, EHLO, hello_missing, ONCE)    \
  P(plan, helo2, HELO, ehlo_refused, ONCE)
#include "core/plans.def"
#undef INTRODUCE
#undef P
    {"", 0, 0, 0, 0}};

unsigned int uvsmtp__plan_start(int plan) {
  unsigned int i = 0;
  while (uvsmtp__steps[i].plan != 0 && uvsmtp__steps[i].plan != plan) i++;
  return i;
}

unsigned int uvsmtp__plan_step(int plan, int state) {
  unsigned int i = uvsmtp__plan_start(plan);
  while (uvsmtp__steps[i].state != state) i++;
  return i;
}

/* --------------------------------------------------------------- codes */

typedef struct code_s {
  uint8_t state;
  uint8_t input;
  uint16_t code; /* a first digit when below 10 */
} code_t;

static const code_t codes[] = {
#define C(state, code, input) {S_##state, I_##input, code},
#define K(state, class, input) {S_##state, I_##input, class},
#include "core/codes.def"
#undef C
#undef K
};

static int by_code(int state, int code) {
  size_t i;
  for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
    if (codes[i].state != state) continue;
    if (codes[i].code == code || codes[i].code == code / 100)
      return codes[i].input;
  }
  if (code / 100 == 4) return I_TEMP;
  if (code / 100 == 5) return I_PERM;
  return I_BAD;
}

/* A refusal may come before the end of the text has left, and is the verdict.
 */
static int refuses_text(int state, int code) {
  return code >= 400 && (state == S_TEXT || state == S_DOT || state == S_BDAT ||
                         state == S_BDAT_LAST);
}

/* LMTP has no HELO (RFC 2033 4.1), and HELO no STARTTLS; clear text is for who
 * did not insist. */
static int has_other_way(int state, unsigned int facts) {
  if (state == S_EHLO) return !(facts & (FACT_LMTP | FACT_EXPOSED));
  return (facts & FACT_OPTIONAL) != 0;
}

int uvsmtp__classify(int state, int code, unsigned int facts) {
  int input;
  if (uvsmtp__states[state].kind == KIND_REST)
    return code == 421 ? I_GONE : I_BAD;
  /* 421 may come at any time, also before a command (RFC 5321 3.8). */
  if (code == 421) return I_GONE;
  /* Nor is one awaited while it is we who are to speak. */
  if (state == S_AUTH_THINK) return I_BAD;
  /* A reply to what has not been said yet: the two sides have lost count, or
   * somebody has put replies in. */
  if ((facts & FACT_EARLY) && !refuses_text(state, code)) return I_BAD;
  /* Granted or refused, nothing in clear text comes behind STARTTLS: it would
   * be taken for what the server says later (CVE-2011-0411, CVE-2021-38371 and
   * many more). */
  if ((facts & FACT_FOLLOWED) && state == S_STARTTLS) return I_BAD;
  input = by_code(state, code);
  if (input == I_NOVERB && !has_other_way(state, facts))
    return code / 100 == 4 ? I_TEMP : I_PERM;
  /* "Already authenticated" (503) may be so by other means, such as a
   * certificate; but whoever has to prove itself must not get around it. */
  if (input == I_OK && (facts & FACT_UNPROVEN) &&
      (state == S_AUTH_STEP || state == S_AUTH))
    return I_UNPROVEN;
  if (input == I_GO && (facts & FACT_NO_RCPT))
    /* RFC 2033 4.2: without a recipient DATA must fail under LMTP, and there
     * is no reply to count on after a dot. */
    return (facts & (FACT_LMTP)) ? I_GO_STALE : I_GO_NONE;
  if (input == I_GO && (facts & FACT_MAIL_REFUSED)) return I_GO_STALE;
  if (input == I_OK && state == S_BDAT_LAST) {
    if (facts & FACT_NO_RCPT) return I_GO_NONE;
    if (facts & (FACT_MAIL_REFUSED | FACT_CHUNK_REFUSED)) return I_GO_STALE;
  }
  return input;
}

/* --------------------------------------------------------------- names */

const char uvsmtp__input_names[I_COUNT][12] = {
#define XX(name, text) #name,
    UVSMTP__INPUT_MAP(XX)
#undef XX
};

const char uvsmtp__input_texts[I_COUNT][64] = {
#define XX(name, text) text,
    UVSMTP__INPUT_MAP(XX)
#undef XX
};

const char uvsmtp__action_names[A_COUNT][24] = {
#define XX(name) #name,
    UVSMTP__ACTION_MAP(XX)
#undef XX
};

const char uvsmtp__guard_names[G_COUNT][16] = {
#define XX(name) #name,
    UVSMTP__GUARD_MAP(XX)
#undef XX
};

const char uvsmtp__plan_names[PLAN_COUNT][12] = {
#define XX(name, value) [value] = #name,
    UVSMTP__PLAN_MAP(XX)
#undef XX
};

const char* uvsmtp_state_name(int state) {
  if (state < 0 || state >= S_COUNT || uvsmtp__states[state].name[0] == '\0')
    return "?";
  return uvsmtp__states[state].name;
}

const char* uvsmtp_outcome_name(int outcome) {
  static const char names[][16] = {"none",     "accepted",      "deferred",
                                   "rejected", "not-attempted", "unknown"};
  if (outcome < 0 || outcome > UVSMTP_OUTCOME_UNKNOWN) return "?";
  return names[outcome];
}
