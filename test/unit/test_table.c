/* SPDX-License-Identifier: MIT */
/* test_table.c: sentences about the machine that its data must make true:
 * nothing missing, nothing unreachable, nothing that goes on after a loss, and
 * doubt about a delivery exactly where there is doubt. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/table.h"

enum {
  ALL_FACTS = FACT_LMTP | FACT_MAIL_REFUSED | FACT_NO_RCPT | FACT_EARLY |
              FACT_CHUNK_REFUSED | FACT_FOLLOWED | FACT_OPTIONAL |
              FACT_EXPOSED | FACT_UNPROVEN
};

/* SAME and HOME are no states. */
static int named(int state) {
  return state < S_COUNT && uvsmtp__states[state].name[0] != '\0';
}

static int is_rest(int state) {
  return state < S_COUNT && uvsmtp__states[state].kind == KIND_REST;
}

static const uvsmtp__row_t* row(int state, int input) {
  return &uvsmtp__rows[state][input];
}

static int never(int state, int input) {
  return (row(state, input)->effects & FX_NEVER) != 0;
}

/* Waits in which no reply is read: for a transport, or for TLS. */
static int is_deaf(int state) {
  return state == S_OPENING || state == S_WRAP || state == S_HANDSHAKE;
}

/* Says which cell is wrong before the assertion that follows. */
#define ASSERT_CELL(ok, state, input)                           \
  do {                                                          \
    if (!(ok))                                                  \
      fail_msg("%s: row %s, %s", #ok, uvsmtp_state_name(state), \
               uvsmtp__input_names[input]);                     \
  } while (0)

/* ------------------------------------------------------------- the cells */

static void every_state_has_every_row(void** context) {
  int rows = 0;
  int s;
  int i;
  (void)context;
  for (s = 0; s < S_COUNT; s++) {
    for (i = 0; i < I_COUNT; i++) {
      int there = (row(s, i)->effects & FX_ROW) != 0;
      ASSERT_CELL(there == named(s), s, i);
      rows += there;
    }
  }
  assert_true(rows > 0);
}

/* Should the impossible happen, it is taken for a broken protocol, and nothing
 * is said to be known of what was being delivered. */
static void the_impossible_closes(void** context) {
  int seen = 0;
  int s;
  int i;
  (void)context;
  for (s = 0; s < S_COUNT; s++) {
    for (i = 0; i < I_COUNT; i++) {
      const uvsmtp__row_t* r = row(s, i);
      if (!never(s, i)) continue;
      seen++;
      ASSERT_CELL(r->next == S_CLOSED, s, i);
      ASSERT_CELL(r->error == UVSMTP_EPROTOCOL, s, i);
      ASSERT_CELL(r->outcome == UVSMTP_OUTCOME_UNKNOWN, s, i);
      ASSERT_CELL(r->effects & FX_FAILS, s, i);
      ASSERT_CELL(r->effects & FX_CLOSES, s, i);
    }
  }
  assert_true(seen > 0);
}

static void every_row_does_something(void** context) {
  int s;
  int i;
  (void)context;
  for (s = 0; s < S_COUNT; s++) {
    if (!named(s) || s == S_CLOSED) continue;
    for (i = 0; i < I_COUNT; i++) {
      const uvsmtp__row_t* r = row(s, i);
      if (never(s, i)) continue;
      ASSERT_CELL((r->effects & ~FX_ROW) != 0 || r->action != A_none ||
                      r->next != S_SAME,
                  s, i);
    }
  }
}

/* What the fields of a row say of each other. */
static void rows_agree_with_themselves(void** context) {
  int s;
  int i;
  (void)context;
  for (s = 0; s < S_COUNT; s++) {
    if (!named(s) || s == S_CLOSED) continue;
    for (i = 0; i < I_COUNT; i++) {
      const uvsmtp__row_t* r = row(s, i);
      int fails = (r->effects & FX_FAILS) != 0;
      int closes = (r->effects & FX_CLOSES) != 0;
      int resets = (r->effects & FX_RESETS) != 0;
      int done = (r->effects & FX_DONE) != 0;
      if (never(s, i)) continue;
      ASSERT_CELL(closes == (r->next == S_CLOSED), s, i);
      ASSERT_CELL(!resets || (fails && !closes), s, i);
      ASSERT_CELL(!fails || r->error != 0, s, i);
      if (is_rest(s)) {
        /* No command, so none that could be done or fail. */
        ASSERT_CELL(!fails && !done && !resets, s, i);
        continue;
      }
      /* A recipient's refusal is an error of its own; it fails nothing. */
      if (s != S_RCPT) ASSERT_CELL(fails == (r->error != 0), s, i);
      /* The command leaves the FIFO, turns into another, or is judged again
       * after it left (the last refused recipient). */
      ASSERT_CELL(done || closes || !is_rest(r->next) || i == I_NONE_OK, s, i);
      if (r->outcome == UVSMTP_OUTCOME_ACCEPTED) ASSERT_CELL(i == I_OK, s, i);
    }
  }
}

static void places_and_commands_are_well_formed(void** context) {
  int s;
  (void)context;
  for (s = 0; s < S_COUNT; s++) {
    const uvsmtp__state_row_t* st = &uvsmtp__states[s];
    int place;
    if (!named(s)) {
      assert_int_equal(st->kind, KIND_NONE);
      continue;
    }
    if (is_rest(s)) {
      assert_int_equal(st->starts, 0);
      assert_int_equal(st->ahead, S_SAME);
      assert_int_equal(st->phase, UVSMTP_PHASE_NONE);
      continue;
    }
    assert_true(st->kind == KIND_CMD || st->kind == KIND_WAIT);
    assert_true(st->wire[0] != '\0');
    assert_true(st->phase > UVSMTP_PHASE_NONE && st->phase < UVSMTP_PHASE_END);
    assert_true(st->ahead == S_SAME || st->ahead == S_HOME ||
                is_rest(st->ahead));
    /* A command starts in places, and only in places. */
    for (place = 0; place < 32; place++)
      if ((st->starts >> place) & 1u)
        assert_true(named(place) && is_rest(place));
  }
}

/* ----------------------------------------------------------- what is lost */

static const int losses[] = {I_GONE,    I_GONE_MID, I_BAD, I_EOF,
                             I_TIMEOUT, I_CANCEL,   I_OOM, I_MOOT};
enum { LOSSES = sizeof(losses) / sizeof(losses[0]) };

/* From everywhere, CLOSED itself included. */
static void every_loss_ends_closed(void** context) {
  int s;
  int k;
  (void)context;
  for (s = 0; s < S_COUNT; s++) {
    if (!named(s)) continue;
    for (k = 0; k < LOSSES; k++) {
      const uvsmtp__row_t* r = row(s, losses[k]);
      if (s == S_CLOSED && !never(s, losses[k])) {
        ASSERT_CELL(r->next == S_SAME, s, losses[k]);
        continue;
      }
      ASSERT_CELL(r->next == S_CLOSED, s, losses[k]);
      ASSERT_CELL(r->effects & FX_CLOSES, s, losses[k]);
    }
  }
}

/* The losses that come from outside can come at any time: only a reply needs
 * somebody who listens, octets need a connection, and only a wait needs a
 * deadline. */
static void losses_can_come_everywhere(void** context) {
  int s;
  (void)context;
  for (s = 0; s < S_COUNT; s++) {
    if (!named(s)) continue;
    ASSERT_CELL(!never(s, I_EOF), s, I_EOF);
    ASSERT_CELL(!never(s, I_CANCEL), s, I_CANCEL);
    ASSERT_CELL(!never(s, I_OOM), s, I_OOM);
    ASSERT_CELL(never(s, I_GONE) == is_deaf(s), s, I_GONE);
    ASSERT_CELL(never(s, I_BAD) == (s == S_OPENING), s, I_BAD);
    ASSERT_CELL(never(s, I_TIMEOUT) == (s == S_CLOSED), s, I_TIMEOUT);
    /* Behind a 421 there are commands, but no connects, no handshakes and no
     * places. */
    ASSERT_CELL(never(s, I_MOOT) == (is_rest(s) || is_deaf(s)), s, I_MOOT);
  }
}

/* A loss is never good news, but for QUIT, which wanted it. */
static void a_loss_fails_its_command(void** context) {
  int s;
  int k;
  (void)context;
  for (s = 0; s < S_COUNT; s++) {
    if (!named(s) || is_rest(s)) continue;
    for (k = 0; k < LOSSES; k++) {
      const uvsmtp__row_t* r = row(s, losses[k]);
      if (never(s, losses[k])) continue;
      ASSERT_CELL(r->outcome != UVSMTP_OUTCOME_ACCEPTED, s, losses[k]);
      ASSERT_CELL(((r->effects & FX_FAILS) != 0) == (s != S_QUIT), s,
                  losses[k]);
      ASSERT_CELL((r->outcome == UVSMTP_OUTCOME_NONE) == (s == S_QUIT), s,
                  losses[k]);
    }
  }
}

/* Doubt begins with the end of the data, and there with every loss but those in
 * which the server says that it did not take the message; and with a 2yz to
 * what had been refused before. */
static void doubt_is_where_it_belongs(void** context) {
  int s;
  int i;
  (void)context;
  for (s = 0; s < S_COUNT; s++) {
    for (i = 0; i < I_COUNT; i++) {
      int verdict = s == S_DOT || s == S_BDAT_LAST;
      int lost = i == I_EOF || i == I_BAD || i == I_TIMEOUT || i == I_CANCEL ||
                 i == I_OOM || i == I_GONE_MID || i == I_GO_STALE;
      if (!named(s) || never(s, i)) continue;
      ASSERT_CELL(
          (row(s, i)->outcome == UVSMTP_OUTCOME_UNKNOWN) == (verdict && lost),
          s, i);
      ASSERT_CELL((row(s, i)->error == UVSMTP_EUNKNOWN) == (verdict && lost), s,
                  i);
      if (row(s, i)->outcome == UVSMTP_OUTCOME_ACCEPTED)
        ASSERT_CELL(verdict, s, i);
    }
  }
}

/* ------------------------------------------------------- errors, outcomes */

static int error_appears(int error) {
  int s;
  int i;
  for (s = 0; s < S_COUNT; s++)
    for (i = 0; i < I_COUNT; i++)
      if (named(s) && !never(s, i) && row(s, i)->error == error) return 1;
  return 0;
}

static void errors_appear(void** context) {
  (void)context;
  /* A branch of the tree that nothing is by itself, and what the guards find
   * before a command goes out. */
  static const int elsewhere[] = {UVSMTP_EGENERIC, UVSMTP_ENOTSUPPORTED,
                                  UVSMTP_EMESSAGE};
  static const int libuvs[] = {-ETIMEDOUT, -ECANCELED, -ENOMEM};
  size_t k;
#define XX(name, value, parent, class_name, text)                     \
  {                                                                   \
    int listed = 0;                                                   \
    for (k = 0; k < sizeof(elsewhere) / sizeof(elsewhere[0]); k++)    \
      listed |= elsewhere[k] == (value);                              \
    if (error_appears(value) == listed) fail_msg("UVSMTP_%s", #name); \
  }
  UVSMTP_ERROR_MAP(XX)
#undef XX
  for (k = 0; k < sizeof(libuvs) / sizeof(libuvs[0]); k++)
    assert_true(error_appears(libuvs[k]));
}

static void outcomes_appear(void** context) {
  int outcome;
  (void)context;
  for (outcome = UVSMTP_OUTCOME_NONE; outcome <= UVSMTP_OUTCOME_UNKNOWN;
       outcome++) {
    int found = 0;
    int s;
    int i;
    for (s = 0; s < S_COUNT; s++)
      for (i = 0; i < I_COUNT; i++)
        if (named(s) && !never(s, i) && row(s, i)->outcome == outcome)
          found = 1;
    if (!found) fail_msg("%s", uvsmtp_outcome_name(outcome));
  }
}

static void actions_are_used(void** context) {
  int action;
  (void)context;
  for (action = 0; action < A_COUNT; action++) {
    int found = 0;
    int s;
    int i;
    for (s = 0; s < S_COUNT; s++)
      for (i = 0; i < I_COUNT; i++)
        if (named(s) && !never(s, i) && row(s, i)->action == action) found = 1;
    if (!found) fail_msg("%s", uvsmtp__action_names[action]);
  }
}

static void inputs_are_used(void** context) {
  int i;
  (void)context;
  for (i = 0; i < I_COUNT; i++) {
    int found = 0;
    int s;
    for (s = 0; s < S_COUNT; s++) found |= named(s) && !never(s, i);
    if (!found) fail_msg("%s", uvsmtp__input_names[i]);
  }
}

/* ------------------------------------------------------------------ codes */

static void every_code_has_a_row(void** context) {
  int s;
  int code;
  unsigned int facts;
  (void)context;
  for (s = 0; s < S_COUNT; s++) {
    if (!named(s) || is_deaf(s)) continue;
    for (code = 100; code <= 599; code++) {
      for (facts = 0; facts <= ALL_FACTS; facts++) {
        int input = uvsmtp__classify(s, code, facts);
        if (input < 0 || input >= I_COUNT || never(s, input))
          fail_msg("%s, %d, facts %u: input %d", uvsmtp_state_name(s), code,
                   facts, input);
      }
    }
  }
}

static void service_closing_is_always_so(void** context) {
  int s;
  unsigned int facts;
  (void)context;
  for (s = 0; s < S_COUNT; s++)
    for (facts = 0; named(s) && facts <= ALL_FACTS; facts++)
      assert_int_equal(uvsmtp__classify(s, 421, facts), I_GONE);
}

static int has_text(int state) {
  return state == S_TEXT || state == S_DOT || state == S_CHUNK_TEXT ||
         state == S_BDAT || state == S_LAST_TEXT || state == S_BDAT_LAST;
}

/* Whatever the code, a reply to what has not been said is not one; but a text
 * may be refused, never accepted, before its end has left. */
static void early_replies_are_bad(void** context) {
  int s;
  int code;
  (void)context;
  for (s = 0; s < S_COUNT; s++) {
    for (code = 100; named(s) && code <= 599; code++) {
      int input = uvsmtp__classify(s, code, FACT_EARLY);
      if (code == 421) continue;
      if (has_text(s) && code >= 400 && input != I_BAD)
        assert_int_equal(input, code < 500 ? I_TEMP : I_PERM);
      else
        assert_int_equal(input, I_BAD);
    }
  }
}

/* RFC 3207 4: nothing comes behind the reply to STARTTLS but a handshake,
 * whatever the reply is. To all other commands it makes no difference. */
static void nothing_follows_the_reply_to_starttls(void** context) {
  int s;
  int code;
  (void)context;
  for (s = 0; s < S_COUNT; s++) {
    for (code = 100; named(s) && code <= 599; code++) {
      int input = uvsmtp__classify(s, code, FACT_FOLLOWED);
      if (code == 421 || s != S_STARTTLS)
        assert_int_equal(input, uvsmtp__classify(s, code, 0));
      else
        assert_int_equal(input, I_BAD);
    }
  }
}

static void expect(int state, int code, unsigned int facts, int input) {
  int got = uvsmtp__classify(state, code, facts);
  if (got != input)
    fail_msg("%s, %d, facts %u: %s, not %s", uvsmtp_state_name(state), code,
             facts, uvsmtp__input_names[got], uvsmtp__input_names[input]);
}

static void codes_mean_what_the_standards_say(void** context) {
  (void)context;
  expect(S_GREETING, 220, 0, I_OK);
  expect(S_GREETING, 250, 0, I_BAD);
  expect(S_GREETING, 554, 0, I_PERM);
  expect(S_EHLO, 250, 0, I_OK);
  expect(S_EHLO, 502, 0, I_NOVERB);
  expect(S_EHLO, 550, 0, I_NOVERB);
  expect(S_EHLO, 451, 0, I_NOVERB);
  /* No HELO to fall back to. */
  expect(S_EHLO, 502, FACT_LMTP, I_PERM);
  expect(S_EHLO, 451, FACT_LMTP, I_TEMP);
  /* ... that could lead to TLS. */
  expect(S_EHLO, 502, FACT_EXPOSED, I_PERM);
  expect(S_EHLO, 451, FACT_EXPOSED, I_TEMP);
  expect(S_HELO, 502, 0, I_PERM);
  expect(S_STARTTLS, 220, 0, I_OK);
  expect(S_STARTTLS, 250, 0, I_BAD);
  expect(S_STARTTLS, 334, 0, I_BAD);
  expect(S_STARTTLS, 454, 0, I_TEMP);
  expect(S_STARTTLS, 454, FACT_OPTIONAL, I_NOVERB);
  expect(S_STARTTLS, 501, FACT_OPTIONAL | FACT_LMTP, I_NOVERB);
  expect(S_STARTTLS, 250, FACT_OPTIONAL, I_BAD);
  expect(S_EHLO, 502, FACT_OPTIONAL, I_NOVERB);
  expect(S_EHLO, 502, FACT_OPTIONAL | FACT_LMTP, I_PERM);
  expect(S_MAIL, 454, FACT_OPTIONAL, I_TEMP);
  expect(S_STARTTLS, 501, 0, I_PERM);
  expect(S_STARTTLS, 502, FACT_LMTP, I_PERM);
  expect(S_MAIL, 250, 0, I_OK);
  expect(S_MAIL, 251, 0, I_BAD);
  expect(S_RCPT, 251, 0, I_OK);
  expect(S_RCPT, 252, 0, I_OK);
  expect(S_RCPT, 354, 0, I_BAD);
  expect(S_RCPT, 450, 0, I_TEMP);
  expect(S_DATA, 250, 0, I_BAD);
  expect(S_DATA, 354, 0, I_GO);
  expect(S_DATA, 354, FACT_NO_RCPT, I_GO_NONE);
  expect(S_DATA, 354, FACT_NO_RCPT | FACT_MAIL_REFUSED, I_GO_NONE);
  expect(S_DATA, 354, FACT_MAIL_REFUSED, I_GO_STALE);
  expect(S_DATA, 354, FACT_LMTP | FACT_NO_RCPT, I_GO_STALE);
  expect(S_DATA, 554, FACT_NO_RCPT, I_PERM);
  /* Half a message is never accepted. */
  expect(S_TEXT, 250, 0, I_BAD);
  expect(S_TEXT, 354, 0, I_BAD);
  expect(S_TEXT, 552, 0, I_PERM);
  expect(S_DOT, 250, 0, I_OK);
  expect(S_DOT, 354, 0, I_BAD);
  expect(S_DOT, 452, 0, I_TEMP);
  expect(S_VOID_DOT, 250, 0, I_OK);
  expect(S_CHUNK_TEXT, 250, 0, I_BAD);
  expect(S_LAST_TEXT, 250, 0, I_BAD);
  expect(S_BDAT, 250, 0, I_OK);
  expect(S_BDAT_LAST, 250, 0, I_OK);
  expect(S_COMMAND, 214, 0, I_OK);
  expect(S_COMMAND, 334, 0, I_BAD);
  expect(S_QUIT, 221, 0, I_OK);
  expect(S_QUIT, 500, 0, I_OK);
  expect(S_BDAT_LAST, 250, FACT_CHUNK_REFUSED, I_GO_STALE);
  expect(S_BDAT_LAST, 250, FACT_MAIL_REFUSED, I_GO_STALE);
  expect(S_BDAT_LAST, 250, FACT_MAIL_REFUSED | FACT_NO_RCPT, I_GO_NONE);
  expect(S_BDAT_LAST, 554, FACT_MAIL_REFUSED | FACT_NO_RCPT, I_PERM);
  expect(S_TEXT, 552, FACT_EARLY, I_PERM);
  expect(S_TEXT, 250, FACT_EARLY, I_BAD);
  expect(S_DOT, 552, FACT_EARLY, I_PERM);
  expect(S_BDAT, 452, FACT_EARLY, I_TEMP);
  expect(S_BDAT_LAST, 552, FACT_EARLY, I_PERM);
  expect(S_READY, 250, 0, I_BAD);
  expect(S_SECURING, 250, 0, I_BAD);
  expect(S_CLOSED, 250, 0, I_BAD);
}

/* ------------------------------------------------------------------- AUTH */

/* What a login consists of, beside the mechanism's work. */
static int is_auth(int state) {
  return state == S_AUTH || state == S_AUTH_STEP || state == S_AUTH_CANCEL;
}

static void codes_of_auth(void** context) {
  static const int states[] = {S_AUTH, S_AUTH_STEP};
  size_t k;
  (void)context;
  for (k = 0; k < 2; k++) {
    expect(states[k], 235, 0, I_OK);
    expect(states[k], 503, 0, I_OK);
    expect(states[k], 334, 0, I_CHALLENGE);
    expect(states[k], 501, 0, I_NEXT);
    expect(states[k], 504, 0, I_NEXT);
    expect(states[k], 535, 0, I_NEXT);
    expect(states[k], 534, 0, I_PERM);
    expect(states[k], 538, 0, I_PERM);
    expect(states[k], 530, 0, I_PERM);
    expect(states[k], 500, 0, I_PERM);
    expect(states[k], 454, 0, I_TEMP);
    expect(states[k], 432, 0, I_TEMP);
    expect(states[k], 250, 0, I_PERM);
    expect(states[k], 354, 0, I_BAD);
    expect(states[k], 235, FACT_UNPROVEN, I_UNPROVEN);
    /* By other means, such as a certificate? That would be easy to say. */
    expect(states[k], 503, FACT_UNPROVEN, I_UNPROVEN);
    expect(states[k], 334, FACT_UNPROVEN, I_CHALLENGE);
    expect(states[k], 535, FACT_UNPROVEN, I_NEXT);
  }
  expect(S_AUTH_CANCEL, 501, 0, I_PERM);
  expect(S_AUTH_CANCEL, 454, 0, I_TEMP);
  expect(S_AUTH_CANCEL, 235, 0, I_BAD);
  expect(S_AUTH_CANCEL, 334, 0, I_BAD);
  expect(S_AUTH_THINK, 235, 0, I_BAD);
  expect(S_AUTH_THINK, 334, 0, I_BAD);
  expect(S_AUTH_THINK, 535, 0, I_BAD);
  expect(S_MAIL, 235, 0, I_BAD);
  expect(S_EHLO, 235, 0, I_BAD);
}

/* 235, or 503, to AUTH or a response, when nothing is left to be proven: there
 * is no other way in. */
static void one_way_to_log_in(void** context) {
  int found = 0;
  int s;
  int i;
  int code;
  unsigned int facts;
  (void)context;
  for (s = 0; s < S_COUNT; s++) {
    for (i = 0; named(s) && i < I_COUNT; i++) {
      int in = !never(s, i) && row(s, i)->action == A_accept_auth;
      ASSERT_CELL(in == ((s == S_AUTH || s == S_AUTH_STEP) && i == I_OK), s, i);
      found += in;
    }
  }
  assert_int_equal(found, 2);
  for (code = 100; code <= 599; code++) {
    for (facts = 0; facts <= ALL_FACTS; facts++) {
      int ok = (code == 235 || code == 503) && !(facts & FACT_UNPROVEN);
      if (uvsmtp__classify(S_AUTH, code, facts) == I_OK) assert_true(ok);
      if (uvsmtp__classify(S_AUTH_STEP, code, facts) == I_OK) assert_true(ok);
      assert_int_not_equal(uvsmtp__classify(S_AUTH_CANCEL, code, facts), I_OK);
    }
  }
}

/* A refusal of AUTH fails what it is for, leaves the session where it was, and
 * says nothing of a message. */
static void refused_logins_attempt_nothing(void** context) {
  static const int refusals[] = {I_NEXT, I_TEMP, I_PERM, I_UNPROVEN,
                                 I_MECH_SKIP};
  int found = 0;
  int s;
  size_t k;
  (void)context;
  for (s = 0; s < S_COUNT; s++) {
    if (!is_auth(s) && s != S_AUTH_THINK) continue;
    for (k = 0; k < sizeof(refusals) / sizeof(refusals[0]); k++) {
      const uvsmtp__row_t* r = row(s, refusals[k]);
      if (never(s, refusals[k])) continue;
      found++;
      ASSERT_CELL(r->next == S_SAME, s, refusals[k]);
      ASSERT_CELL(r->error == UVSMTP_EAUTH, s, refusals[k]);
      ASSERT_CELL(r->outcome == UVSMTP_OUTCOME_NOT_ATTEMPTED, s, refusals[k]);
      ASSERT_CELL((r->effects & (FX_DONE | FX_FAILS | FX_RESETS | FX_CLOSES)) ==
                      (FX_DONE | FX_FAILS),
                  s, refusals[k]);
    }
  }
  assert_int_equal(found, 1 + 4 + 4 + 2);
}

/* RFC 4954 4: AUTH is the last of its group, and its responses are no commands
 * that others could follow. */
static void nothing_follows_auth(void** context) {
  int s;
  (void)context;
  for (s = 0; s < S_COUNT; s++)
    if (is_auth(s) || s == S_AUTH_THINK) {
      assert_int_equal(uvsmtp__states[s].group, GROUP_LAST);
      assert_int_equal(uvsmtp__states[s].phase, UVSMTP_PHASE_AUTH);
      assert_int_equal(uvsmtp__states[s].needs, NEEDS_TLS);
    }
  /* Not within a transaction (RFC 4954 4), and not before EHLO. */
  assert_int_equal(uvsmtp__states[S_AUTH_THINK].starts, 1u << S_READY);
}

/* Who logs in does so behind the last hello, and before the first MAIL. */
static void plans_log_in_behind_the_hello(void** context) {
  static const int plans[] = {PLAN_HELLO, PLAN_MAIL, PLAN_SEND, PLAN_LOGIN};
  const uvsmtp__step_row_t* s;
  int logins = 0;
  size_t k;
  (void)context;
  for (k = 0; k < sizeof(plans) / sizeof(plans[0]); k++) {
    s = &uvsmtp__steps[uvsmtp__plan_start(plans[k])];
    assert_int_equal(s[5].state, S_HELO);
    assert_int_equal(s[6].plan, plans[k]);
    assert_int_equal(s[6].state, S_AUTH_THINK);
    assert_int_equal(s[6].times, TIMES_MANY);
    assert_int_equal(s[6].guard,
                     plans[k] == PLAN_LOGIN ? G_login_asked : G_login_due);
  }
  for (s = uvsmtp__steps; s->plan != 0; s++) {
    logins += s->state == S_AUTH_THINK;
    if (s->state != S_MAIL) continue;
    assert_int_equal(s[-1].plan, s->plan);
    assert_int_equal(s[-1].state, S_AUTH_THINK);
  }
  assert_int_equal(logins, 6);
}

/* ------------------------------------------------------------------ plans */

static void plans_are_whole(void** context) {
  uint8_t seen[PLAN_COUNT] = {0};
  uint8_t guards[G_COUNT] = {0};
  const uvsmtp__step_row_t* s = uvsmtp__steps;
  int plan;
  int guard;
  (void)context;
  for (; s->plan != 0; s++) {
    assert_true(s->plan < PLAN_COUNT);
    assert_true(s->guard < G_COUNT);
    assert_true(s->times == TIMES_ONCE || s->times == TIMES_MANY);
    assert_true(named(s->state) && !is_rest(s->state));
    /* What no place lets begin would fail each time. */
    assert_true(uvsmtp__states[s->state].starts != 0);
    if (s == uvsmtp__steps || s[-1].plan != s->plan) {
      if (seen[s->plan]) fail_msg("%s in pieces", uvsmtp__plan_names[s->plan]);
      assert_int_equal(uvsmtp__plan_start(s->plan), s - uvsmtp__steps);
    }
    seen[s->plan] = 1;
    guards[s->guard] = 1;
  }
  for (plan = 1; plan < PLAN_COUNT; plan++)
    if (!seen[plan]) fail_msg("%s has no steps", uvsmtp__plan_names[plan]);
  for (guard = 0; guard < G_COUNT; guard++)
    if (!guards[guard]) fail_msg("%s is unused", uvsmtp__guard_names[guard]);
}

static int comes_later(const uvsmtp__step_row_t* step, int state) {
  const uvsmtp__step_row_t* s;
  for (s = step; s->plan == step->plan; s++)
    if (s->state == state) return 1;
  return 0;
}

/* Nobody may leave a session between a 354 and its dot: a plan with DATA has
 * the text, and the lone dot for when nobody is to get it. */
static void after_data_comes_a_dot(void** context) {
  const uvsmtp__step_row_t* s;
  int found = 0;
  (void)context;
  for (s = uvsmtp__steps; s->plan != 0; s++) {
    if (uvsmtp__states[s->state].ahead != S_BODY) continue;
    assert_true(comes_later(s, S_TEXT));
    assert_true(comes_later(s, S_VOID_DOT));
    found++;
  }
  assert_true(found > 0);
}

/* A server that granted STARTTLS waits for a handshake and nothing else, and
 * each plan that asks for it goes on with one at once. */
static void after_starttls_comes_a_handshake(void** context) {
  const uvsmtp__step_row_t* step;
  int found = 0;
  int s;
  (void)context;
  for (s = 0; s < S_COUNT; s++)
    if (named(s) && ((uvsmtp__states[s].starts >> S_SECURING) & 1u))
      assert_int_equal(s, S_HANDSHAKE);
  for (step = uvsmtp__steps; step->plan != 0; step++) {
    if (uvsmtp__states[step->state].ahead != S_SECURING) continue;
    assert_int_equal(step[1].plan, step->plan);
    assert_int_equal(step[1].state, S_HANDSHAKE);
    found++;
  }
  assert_int_equal(found, 7);
}

/* Where a policy has a say, it is asked behind each hello in clear text, and
 * what it brought about is followed by another one (RFC 3207 4.2). */
static void policies_are_asked_behind_a_hello(void** context) {
  static const int states[] = {S_EHLO,      S_HELO, S_STARTTLS,
                               S_HANDSHAKE, S_EHLO, S_HELO};
  static const int guards[] = {G_hello_missing, G_ehlo_refused,
                               G_tls_due,       G_tls_granted,
                               G_hello_missing, G_ehlo_refused};
  static const int plans[] = {PLAN_HELLO, PLAN_LOGIN, PLAN_MAIL, PLAN_SEND};
  size_t k;
  size_t i;
  (void)context;
  for (k = 0; k < sizeof(plans) / sizeof(plans[0]); k++) {
    const uvsmtp__step_row_t* s = &uvsmtp__steps[uvsmtp__plan_start(plans[k])];
    for (i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
      assert_int_equal(s[i].plan, plans[k]);
      assert_int_equal(s[i].state, states[i]);
      assert_int_equal(s[i].guard, guards[i]);
    }
  }
}

/* Where TLS is required nothing leaves before it but this. */
static void little_leaves_without_tls(void** context) {
  static const int free_to_go[] = {S_OPENING,  S_WRAP,      S_GREETING, S_EHLO,
                                   S_STARTTLS, S_HANDSHAKE, S_NOOP,     S_QUIT};
  int s;
  (void)context;
  for (s = 0; s < S_COUNT; s++) {
    int goes = 0;
    size_t k;
    if (!named(s) || is_rest(s)) continue;
    for (k = 0; k < sizeof(free_to_go) / sizeof(free_to_go[0]); k++)
      goes |= free_to_go[k] == s;
    if (goes != (uvsmtp__states[s].needs == NEEDS_NONE))
      fail_msg("%s", uvsmtp_state_name(s));
  }
}

static void a_plan_that_is_none_is_empty(void** context) {
  (void)context;
  assert_int_equal(uvsmtp__steps[uvsmtp__plan_start(PLAN_COUNT)].plan, 0);
}

static void names_are_unique(void** context) {
  const uvsmtp__step_row_t* a;
  const uvsmtp__step_row_t* b;
  int i;
  int j;
  (void)context;
  for (a = uvsmtp__steps; a->plan != 0; a++)
    for (b = a + 1; b->plan == a->plan; b++)
      assert_string_not_equal(a->name, b->name);
  for (i = 1; i < PLAN_COUNT; i++)
    for (j = i + 1; j < PLAN_COUNT; j++)
      assert_string_not_equal(uvsmtp__plan_names[i], uvsmtp__plan_names[j]);
}

static void plans_are_the_public_requests(void** context) {
  (void)context;
  static const struct {
    int plan;
    int op;
  } same[] = {
      {PLAN_CONNECT, UVSMTP_OP_CONNECT}, {PLAN_HELLO, UVSMTP_OP_HELLO},
      {PLAN_EHLO, UVSMTP_OP_EHLO},       {PLAN_HELO, UVSMTP_OP_HELO},
      {PLAN_MAIL, UVSMTP_OP_MAIL},       {PLAN_RCPT, UVSMTP_OP_RCPT},
      {PLAN_DATA, UVSMTP_OP_DATA},       {PLAN_BDAT, UVSMTP_OP_BDAT},
      {PLAN_RSET, UVSMTP_OP_RSET},       {PLAN_NOOP, UVSMTP_OP_NOOP},
      {PLAN_QUIT, UVSMTP_OP_QUIT},       {PLAN_COMMAND, UVSMTP_OP_COMMAND},
      {PLAN_SEND, UVSMTP_OP_SEND},       {PLAN_STARTTLS, UVSMTP_OP_STARTTLS},
      {PLAN_LOGIN, UVSMTP_OP_LOGIN},
  };
  size_t k;
  for (k = 0; k < sizeof(same) / sizeof(same[0]); k++)
    assert_int_equal(same[k].plan, same[k].op);
}

/* --------------------------------------------------------- reachable */

static int mark(uint8_t* reached, int state) {
  if (state == S_SAME || reached[state]) return 0;
  reached[state] = 1;
  return 1;
}

static int mark_next(uint8_t* reached, int next) {
  if (next != S_HOME) return mark(reached, next);
  return mark(reached, S_GREETED) + mark(reached, S_READY);
}

static int in_a_plan(int state) {
  const uvsmtp__step_row_t* s;
  for (s = uvsmtp__steps; s->plan != 0; s++)
    if (s->state == state) return 1;
  return 0;
}

static int walk(uint8_t* reached) {
  int moved = 0;
  int s;
  int i;
  for (s = 0; s < S_COUNT; s++) {
    uint32_t starts = uvsmtp__states[s].starts;
    int place;
    if (!named(s)) continue;
    for (place = 0; place < 32; place++)
      if (((starts >> place) & 1u) && reached[place] && in_a_plan(s))
        moved += mark(reached, s);
    if (!reached[s]) continue;
    for (i = 0; i < I_COUNT; i++)
      if (!never(s, i)) moved += mark_next(reached, row(s, i)->next);
  }
  return moved;
}

static void everything_is_reachable(void** context) {
  uint8_t reached[S_COUNT] = {0};
  int s;
  (void)context;
  reached[S_CONNECT] = 1;
  while (walk(reached) > 0) continue;
  for (s = 0; s < S_COUNT; s++)
    if (named(s) && !reached[s]) fail_msg("%s", uvsmtp_state_name(s));
}

/* What a command in flight may turn into. */
static int turns_into(int from, int to) {
  int i;
  for (i = 0; i < I_COUNT; i++)
    if (!never(from, i) && row(from, i)->next == to) return 1;
  return 0;
}

/* A command goes out by a plan, or is what another turns into when its deciding
 * octet has left or its mechanism has spoken: never both, but for the thinking
 * that AUTH begins with and comes back to. */
static void commands_come_from_somewhere(void** context) {
  int s;
  (void)context;
  for (s = 0; s < S_COUNT; s++) {
    int successor = 0;
    int from;
    if (!named(s) || is_rest(s)) continue;
    for (from = 0; from < S_COUNT; from++)
      if (named(from) && s != S_AUTH_THINK) successor |= turns_into(from, s);
    if (successor == in_a_plan(s)) fail_msg("%s", uvsmtp_state_name(s));
    assert_int_equal(in_a_plan(s), uvsmtp__states[s].starts != 0);
  }
}

/* The send cursor must predict what the reply hoped for will bring about, else
 * pipelining would go wrong when all goes well. */
static void predictions_come_true(void** context) {
  int s;
  int checked = 0;
  (void)context;
  for (s = 0; s < S_COUNT; s++) {
    int ahead = uvsmtp__states[s].ahead;
    int last = s;
    int next;
    if (!named(s) || is_rest(s)) continue;
    if (!never(s, I_SENT)) last = row(s, I_SENT)->next;
    if (!never(s, I_MECH_BEGIN)) last = row(s, I_MECH_BEGIN)->next;
    if (s == S_AUTH_CANCEL) continue; /* it hopes for nothing */
    next = !never(last, I_OK)   ? row(last, I_OK)->next
           : !never(last, I_GO) ? row(last, I_GO)->next
                                : row(last, I_UP)->next;
    if (next != ahead) fail_msg("%s", uvsmtp_state_name(s));
    checked++;
  }
  assert_true(checked > 0);
}

/* ------------------------------------------------------------------ names */

static void public_names_are_those_of_the_data(void** context) {
  int count = 0;
  int s;
  (void)context;
#define XX(name, value, text)                                         \
  assert_int_equal(S_##name, value);                                  \
  assert_true(named(value));                                          \
  assert_string_equal(uvsmtp_state_name(UVSMTP_STATE_##name), #name); \
  assert_true(is_rest(value) == ((value) < UVSMTP_STATE_OPENING));    \
  count++;
  UVSMTP_STATE_MAP(XX)
#undef XX
  for (s = 0; s < S_COUNT; s++) count -= named(s);
  assert_int_equal(count, 0);
  assert_string_equal(uvsmtp_state_name(-1), "?");
  assert_string_equal(uvsmtp_state_name(9), "?");
  assert_string_equal(uvsmtp_state_name(S_COUNT), "?");
}

static void outcomes_have_names(void** context) {
  (void)context;
  assert_string_equal(uvsmtp_outcome_name(UVSMTP_OUTCOME_NONE), "none");
  assert_string_equal(uvsmtp_outcome_name(UVSMTP_OUTCOME_ACCEPTED), "accepted");
  assert_string_equal(uvsmtp_outcome_name(UVSMTP_OUTCOME_DEFERRED), "deferred");
  assert_string_equal(uvsmtp_outcome_name(UVSMTP_OUTCOME_REJECTED), "rejected");
  assert_string_equal(uvsmtp_outcome_name(UVSMTP_OUTCOME_NOT_ATTEMPTED),
                      "not-attempted");
  assert_string_equal(uvsmtp_outcome_name(UVSMTP_OUTCOME_UNKNOWN), "unknown");
  assert_string_equal(uvsmtp_outcome_name(-1), "?");
  assert_string_equal(uvsmtp_outcome_name(UVSMTP_OUTCOME_UNKNOWN + 1), "?");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_state_has_every_row),
      cmocka_unit_test(the_impossible_closes),
      cmocka_unit_test(every_row_does_something),
      cmocka_unit_test(rows_agree_with_themselves),
      cmocka_unit_test(places_and_commands_are_well_formed),
      cmocka_unit_test(every_loss_ends_closed),
      cmocka_unit_test(losses_can_come_everywhere),
      cmocka_unit_test(a_loss_fails_its_command),
      cmocka_unit_test(doubt_is_where_it_belongs),
      cmocka_unit_test(errors_appear),
      cmocka_unit_test(outcomes_appear),
      cmocka_unit_test(actions_are_used),
      cmocka_unit_test(inputs_are_used),
      cmocka_unit_test(every_code_has_a_row),
      cmocka_unit_test(service_closing_is_always_so),
      cmocka_unit_test(early_replies_are_bad),
      cmocka_unit_test(nothing_follows_the_reply_to_starttls),
      cmocka_unit_test(codes_mean_what_the_standards_say),
      cmocka_unit_test(codes_of_auth),
      cmocka_unit_test(one_way_to_log_in),
      cmocka_unit_test(refused_logins_attempt_nothing),
      cmocka_unit_test(nothing_follows_auth),
      cmocka_unit_test(plans_log_in_behind_the_hello),
      cmocka_unit_test(plans_are_whole),
      cmocka_unit_test(after_data_comes_a_dot),
      cmocka_unit_test(after_starttls_comes_a_handshake),
      cmocka_unit_test(policies_are_asked_behind_a_hello),
      cmocka_unit_test(little_leaves_without_tls),
      cmocka_unit_test(a_plan_that_is_none_is_empty),
      cmocka_unit_test(names_are_unique),
      cmocka_unit_test(plans_are_the_public_requests),
      cmocka_unit_test(everything_is_reachable),
      cmocka_unit_test(commands_come_from_somewhere),
      cmocka_unit_test(predictions_come_true),
      cmocka_unit_test(public_names_are_those_of_the_data),
      cmocka_unit_test(outcomes_have_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
