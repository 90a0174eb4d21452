/* SPDX-License-Identifier: MIT */
/* text.c: DATA, BDAT and what comes behind them: the text that the caller
 * wrote, octet for octet, and who gets it. */
#include <stdlib.h>
#include <string.h>

#include "server.h"

/* A transaction is over by a refusal, or should be. */
static void refuse_transaction(void) {
  txn.len = 0;
  if (!is.keeps_open) forget();
}

/* Octets of text as they were meant: of those that the caller wrote, the next
 * ones. */
static void hear(const char* text, size_t n) {
  const letter_t* l = letter();

  if (n > l->len - txn.len || memcmp(l->text + txn.len, text, n) != 0)
    wrong("m%d has another text from octet %zu on: %.*s", txn.letter, txn.len,
          (int)n, text);
  txn.len += n;
}

static void take_text(int i, int said) {
  rcpt_t* r = &letter()->rcpts[i];

  if (r->taken != NONE) wrong("%s has the text twice", r->address);
  r->taken = said;
}

/* LMTP: each recipient has a reply of its own. */
static int judge_each(void) {
  int good = 0;
  int i;

  for (i = 0; i < txn.ntaken; i++) {
    int rcpt = txn.taken[i];
    int said;

    if (trouble(12)) {
      (void)say(SAID_FINAL, rcpt, 452, "4.2.2 full");
    } else if (trouble(12)) {
      (void)say(SAID_FINAL, rcpt, 550, "not here");
    } else if (trouble(60)) {
      say_goodbye(SAID_FINAL, rcpt);
      return 1;
    } else {
      said = say(SAID_FINAL, rcpt, 250, "2.0.0 has it");
      take_text(rcpt, said);
      if (letter()->first_txn == txn.serial) letter()->first_taken = said;
      good = 1;
    }
  }
  return good;
}

static int judge_all(void) {
  int said;
  int i;

  if (trouble(16)) {
    (void)say(SAID_FINAL, NONE, 451, "later");
    return 0;
  }
  if (trouble(16)) {
    (void)say(SAID_FINAL, NONE, 554, "5.6.0 no");
    return 0;
  }
  if (trouble(40)) {
    say_goodbye(SAID_FINAL, NONE);
    return 0;
  }
  said = say(SAID_FINAL, NONE, 250, "2.0.0 queued");
  for (i = 0; i < txn.ntaken; i++) take_text(txn.taken[i], said);
  if (letter()->first_txn == txn.serial) letter()->first_taken = said;
  return 1;
}

/* The text is over, and there is somebody to have it. */
static void deliver(void) {
  letter_t* l = letter();

  if (txn.len != l->len)
    wrong("m%d is %zu octets, and %zu came", txn.letter, l->len, txn.len);
  if ((l->flags & UVSMTP_MESSAGE_ALL_OR_NOTHING) && txn.ntaken != l->nrcpts)
    wrong("m%d goes to %d of %d, and was for all or nobody", txn.letter,
          txn.ntaken, l->nrcpts);
  l->ended = 1;
  reached.delivered++;
  if (l->by_hand) reached.by_hand++;
  if (is.lmtp ? judge_each() : judge_all())
    forget();
  else
    refuse_transaction();
}

void text_line(const char* line, size_t n) {
  int nobody = at.mode == NO_TEXT;

  if (n == 3 && memcmp(line, ".\r\n", 3) == 0) {
    at.mode = COMMANDS;
    if (!nobody) {
      deliver();
      return;
    }
    /* It handed out the 354: it may take the nothing as well. */
    (void)say(SAID_OTHER, NONE, once_in(2) ? 250 : 554, "nothing for nobody");
    forget();
    return;
  }
  if (nobody) wrong("m%d: text that nobody gets", txn.letter);
  if (trouble(300)) {
    (void)say(SAID_TEXT, NONE, once_in(2) ? 552 : 421, "enough of this");
    end_session(DONE);
    return;
  }
  hear(line + (*line == '.'), n - (*line == '.'));
}

void chunk_over(void) {
  at.mode = COMMANDS;
  if (at.last) letter()->ended = 1;
  if (!txn.open || txn.ntaken == 0) {
    (void)say(SAID_DATA, NONE, 503, "for nobody");
    txn.refused_chunk = 1;
    if (at.last) refuse_transaction();
  } else if (txn.refused_chunk) {
    /* RFC 3030 4.1: all behind a refused one fail, up to a RSET. */
    (void)say(SAID_DATA, NONE, 503, "not behind that one");
  } else if (at.last) {
    deliver();
  } else if (trouble(10)) {
    (void)say(SAID_DATA, NONE, 552, "no more of this");
    txn.refused_chunk = 1;
  } else {
    (void)say(SAID_DATA, NONE, 250, "2.0.0 go on");
  }
}

void chunk(const char* octets, size_t n) {
  if (txn.open && txn.ntaken > 0 && !txn.refused_chunk) hear(octets, n);
}

/* RFC 5321 4.1.4: a client that is in order asks for somebody first. Who sends
 * by hand may do as he likes. */
static void check_asked(void) {
  if (txn.open && txn.asked == 0 && !letter()->by_hand)
    wrong("a text of m%d for nobody", txn.letter);
}

void data(void) {
  check_asked();
  if (!txn.open || txn.ntaken == 0) {
    if (txn.open && is.goes_anyway) {
      (void)say(SAID_OTHER, NONE, 354, "go anyway");
      at.mode = NO_TEXT;
    } else {
      (void)say(SAID_DATA, NONE, 503, "for nobody");
    }
  } else if (trouble(14)) {
    (void)say(SAID_DATA, NONE, once_in(2) ? 451 : 554, "no text");
    refuse_transaction();
  } else {
    (void)say(SAID_OTHER, NONE, 354, "go");
    at.mode = TEXT;
    txn.len = 0;
  }
}

void bdat(const char* line) {
  char* end;

  if (!is.chunking) wrong("not offered: %s", line);
  check_asked();
  if (letter()->flags & UVSMTP_MESSAGE_NO_CHUNKING)
    wrong("a chunk of m%d", txn.letter);
  at.left = strtoul(line + 5, &end, 10);
  at.last = strcmp(end, " LAST") == 0;
  if (!at.last && *end != '\0') wrong("not a chunk: %s", line);
  at.mode = CHUNK;
}
