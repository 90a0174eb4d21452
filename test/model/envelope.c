/* SPDX-License-Identifier: MIT */
/* envelope.c: MAIL and RCPT: only what the caller wrote, to whom it is, in the
 * order and the numbers that the server said. */
#include <stdio.h>
#include <string.h>

#include "server.h"

void mail(const char* line) {
  letter_t* l;
  int i;

  if (!at.helloed) wrong("MAIL before a hello");
  if (txn.open) wrong("MAIL within a transaction");
  if (++at.mails > is.mail_max && is.mail_max > 0) wrong("more than MAILMAX");
  if (sscanf(line, "MAIL FROM:<s%d@x>", &i) != 1 || i >= nletters)
    wrong("a sender of nobody: %s", line);
  if (strstr(line, "BODY=") != NULL && !is.eight)
    wrong("not offered: %s", line);
  if (strstr(line, "SIZE=") != NULL && !is.size) wrong("not offered: %s", line);

  forget();
  txn.serial++;
  txn.letter = i;
  l = letter();
  if (l->first_txn == 0)
    l->first_txn = txn.serial;
  else
    reached.further++;
  l->last_txn = txn.serial;
  if (trouble(15)) {
    (void)say(SAID_MAIL, NONE, once_in(2) ? 550 : 451, "not from there");
    return;
  }
  txn.open = 1;
  (void)say(SAID_MAIL, NONE, 250, "2.1.0 go on");
}

/* As one too many is refused, by those who say so. */
static int say_crowded(int rcpt) {
  static const struct {
    int code;
    const char* text;
  } ways[] = {{452, "too many"},       {452, "4.5.3 too many"},
              {552, "too many"},       {451, "4.5.3 too many"},
              {550, "5.5.3 too many"}, {452, "4.5.3 too\n4.5.3 many"}};

  return say(SAID_RCPT, rcpt, ways[is.crowded].code, ways[is.crowded].text);
}

/* A refusal, or NONE. *many: one that is of their number, by RFC 5321
 * 4.5.3.1.10 and by x.5.3. */
static int refuse_rcpt(int rcpt, int* many) {
  *many = is.room > 0 && txn.ntaken >= is.room;
  if (*many) return say_crowded(rcpt);
  if (trouble(14)) return say(SAID_RCPT, rcpt, 550, "5.1.1 who");
  if (trouble(14)) return say(SAID_RCPT, rcpt, 450, "4.2.1 busy");
  if (trouble(14)) return say(SAID_RCPT, rcpt, 452, "4.2.2 full");
  if (!trouble(20)) return NONE;
  /* Full, too, but who could know. */
  *many = 1;
  return say(SAID_RCPT, rcpt, once_in(2) ? 452 : 552, "full");
}

void rcpt(const char* line) {
  letter_t* l = letter();
  rcpt_t* r;
  int many;
  int i;
  int j;

  if (sscanf(line, "RCPT TO:<m%dr%d@x>", &i, &j) != 2 || i >= nletters)
    wrong("a recipient of nobody: %s", line);
  if (txn.serial == 0 || i != txn.letter || j >= l->nrcpts)
    wrong("m%d goes to another's recipient: %s", txn.letter, line);
  r = &l->rcpts[j];
  if (txn.open && ++txn.asked > is.rcpt_max && is.rcpt_max > 0 && !l->by_hand)
    wrong("more than RCPTMAX");
  if (r->taken != NONE) wrong("%s has it already", r->address);
  if (r->txn == txn.serial) wrong("%s twice in a transaction", r->address);

  r->txn = txn.serial;
  if (!txn.open) {
    r->said = say(SAID_RCPT, j, 503, "no sender");
    return;
  }
  if (trouble(150) || (is.patience > 0 && at.refused >= is.patience)) {
    r->said = peer_count();
    l->cut = r->said;
    say_goodbye(SAID_RCPT, j);
    return;
  }
  r->said = refuse_rcpt(j, &many);
  if (r->said != NONE) {
    at.refused++;
    /* There is another transaction only behind one that delivers something. */
    if (!many || txn.ntaken == 0) return;
    r->crowded = txn.serial;
    reached.crowded++;
    return;
  }
  r->said = say(SAID_RCPT, j, once_in(9) ? 251 : 250, "2.1.5 go on");
  txn.taken[txn.ntaken++] = j;
}
