/* SPDX-License-Identifier: MIT */
/* check.c: what must be true of each result, whatever happened. */
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "peer.h"

/* The reply as the peer's log has it, or NULL where it can't be told: there was
 * no memory to keep its text. */
static const said_t* find_said(const uvsmtp_reply_t* reply) {
  const char* mark = strrchr(uvsmtp_reply_text(reply, NULL), '#');
  const said_t* said;
  int i;

  if (mark == NULL) {
    /* A refused greeting has no number. */
    if (world.alloc.failed == 0 && uvsmtp_reply_code(reply) != 554)
      wrong("a reply of nobody: %s", uvsmtp_reply_text(reply, NULL));
    return NULL;
  }
  i = atoi(mark + 1);
  if (i >= peer_count() || !peer_heard(i))
    wrong("a reply that was not read: %s", uvsmtp_reply_text(reply, NULL));
  said = peer_said(i);
  if (said->code != uvsmtp_reply_code(reply))
    wrong("%d as %d", said->code, uvsmtp_reply_code(reply));
  return said;
}

/* ------------------------------------------------------------ recipients */

/* The reply to its RCPT is that. */
static void check_rcpt_reply(int letter, int rcpt,
                             const uvsmtp_rcpt_result_t* row) {
  const uvsmtp_reply_t* reply = uvsmtp_rcpt_result_rcpt_reply(row);
  const said_t* said = reply == NULL ? NULL : find_said(reply);

  if (said == NULL) return;
  /* A server may give up at any command. */
  if (said->kind == SAID_OTHER && said->code == 421) return;
  if (said->kind != SAID_RCPT || said->letter != letter || said->rcpt != rcpt)
    wrong("m%dr%d has another's RCPT: #%d", letter, rcpt,
          (int)(said - peer_said(0)));
}

/* Who accepted a text has accepted it by these two replies. */
static void check_accepted(int letter, int rcpt,
                           const uvsmtp_rcpt_result_t* row) {
  const rcpt_t* r = &letters[letter].rcpts[rcpt];
  const uvsmtp_reply_t* reply = uvsmtp_rcpt_result_reply(row);
  const uvsmtp_reply_t* its = uvsmtp_rcpt_result_rcpt_reply(row);
  const said_t* said;

  if (!peer_heard(r->taken)) wrong("%s is accepted by nobody", r->address);
  if (reply == NULL || its == NULL) wrong("%s lacks a reply", r->address);
  said = find_said(reply);
  if (said != NULL && said != peer_said(r->taken))
    wrong("%s is accepted by another reply", r->address);
  said = find_said(its);
  if (said != NULL && said != peer_said(r->said))
    wrong("%s has another reply to its RCPT", r->address);
}

/* A reply that refuses is one of its own transaction, and to itself where the
 * command was one for each. */
static void check_refusal(int letter, int rcpt,
                          const uvsmtp_rcpt_result_t* row) {
  const letter_t* l = &letters[letter];
  const rcpt_t* r = &l->rcpts[rcpt];
  const uvsmtp_reply_t* reply = uvsmtp_rcpt_result_reply(row);
  const said_t* said = reply == NULL ? NULL : find_said(reply);
  int outcome = uvsmtp_rcpt_result_outcome(row);

  if (reply != NULL && (outcome == UVSMTP_OUTCOME_UNKNOWN ||
                        outcome == UVSMTP_OUTCOME_NOT_ATTEMPTED))
    wrong("%s is %s, and has a reply", r->address,
          uvsmtp_outcome_name(outcome));
  if (said == NULL) return;
  if (said->kind == SAID_OTHER && said->code == 421) return;
  if (said->code < 400) wrong("%s is refused by %d", r->address, said->code);
  if (outcome == UVSMTP_OUTCOME_REJECTED && said->code < 500)
    wrong("%s is rejected by %d", r->address, said->code);
  /* Behind a refused MAIL a RCPT's reply says nothing of the recipient. */
  if (said->kind == SAID_RCPT && said->code == 503)
    wrong("%s is refused for want of a sender", r->address);
  if (said->letter != letter) wrong("%s has another's reply", r->address);
  /* One too many keeps the reply that said so first. */
  if (said->txn < r->txn && !(said->kind == SAID_RCPT && r->crowded > 0))
    wrong("%s has the reply of a transaction before its own", r->address);
  if (said->rcpt == NONE || said->rcpt == rcpt || said->code == 421) return;
  if (said->kind == SAID_RCPT && (l->flags & UVSMTP_MESSAGE_ALL_OR_NOTHING))
    return;
  wrong("%s is refused by the reply to another", r->address);
}

static void check_taken(int letter, int rcpt, int outcome) {
  const letter_t* l = &letters[letter];
  const rcpt_t* r = &l->rcpts[rcpt];

  switch (outcome) {
    case UVSMTP_OUTCOME_ACCEPTED:
      return;
    case UVSMTP_OUTCOME_UNKNOWN:
      if (!l->ended && !l->doubt)
        wrong("%s is unknown, and its text has not gone out", r->address);
      if (peer_heard(r->taken) && world.alloc.failed == 0)
        wrong("%s is unknown, and its reply was read", r->address);
      return;
    default:
      /* RFC 5321 3.8: behind a 421 nothing was executed. */
      if (outcome == UVSMTP_OUTCOME_DEFERRED && peer_heard(l->cut) &&
          !peer_heard(r->said))
        wrong("%s is deferred by the 421 to another", r->address);
      if (r->taken != NONE)
        wrong("%s has the text, and is %s", r->address,
              uvsmtp_outcome_name(outcome));
  }
}

static void check_row(int letter, int rcpt, const uvsmtp_rcpt_result_t* row) {
  const letter_t* l = &letters[letter];
  int outcome = uvsmtp_rcpt_result_outcome(row);
  int status = uvsmtp_rcpt_result_status(row);

  show("   %s %s, %s\n", l->rcpts[rcpt].address, uvsmtp_outcome_name(outcome),
       uvsmtp_err_name(status));
  if (strcmp(uvsmtp_rcpt_result_address(row), l->rcpts[rcpt].address) != 0)
    wrong("m%dr%d is %s", letter, rcpt, uvsmtp_rcpt_result_address(row));
  if (outcome == UVSMTP_OUTCOME_NONE)
    wrong("m%dr%d is undecided", letter, rcpt);
  if ((outcome == UVSMTP_OUTCOME_ACCEPTED) != (status == 0))
    wrong("m%dr%d: %s with status %d", letter, rcpt,
          uvsmtp_outcome_name(outcome), status);
  reached.outcomes[outcome]++;
  check_taken(letter, rcpt, outcome);
  check_rcpt_reply(letter, rcpt, row);
  if (outcome == UVSMTP_OUTCOME_ACCEPTED)
    check_accepted(letter, rcpt, row);
  else
    check_refusal(letter, rcpt, row);
}

/* -------------------------------------------------------------- messages */

/* The rule of uvsmtp_result_outcome. */
static int whole(const int* have) {
  static const int order[] = {UVSMTP_OUTCOME_UNKNOWN, UVSMTP_OUTCOME_ACCEPTED,
                              UVSMTP_OUTCOME_DEFERRED,
                              UVSMTP_OUTCOME_NOT_ATTEMPTED};
  size_t i;

  for (i = 0; i < sizeof(order) / sizeof(*order); i++)
    if (have[order[i]] > 0) return order[i];
  return UVSMTP_OUTCOME_REJECTED;
}

/* Behind a first transaction that went well there is another for who is left,
 * unless that can't be. */
static void check_tried(int letter) {
  const letter_t* l = &letters[letter];
  const source_t* s = &l->parts[0];
  int i;

  if (!peer_heard(l->first_taken) || l->last_txn != l->first_txn) return;
  if (l->broken || (l->flags & UVSMTP_MESSAGE_ALL_OR_NOTHING)) return;
  if (s->source.rewind == NULL || s->rewind_failed) return;
  if (world.alloc.failed > 0) return;
  for (i = 0; i < l->nrcpts; i++)
    if (l->rcpts[i].txn == 0 || l->rcpts[i].crowded == l->first_txn)
      wrong("%s is not tried again", l->rcpts[i].address);
}

static void check_message(int letter, const uvsmtp_result_t* result) {
  letter_t* l = &letters[letter];
  size_t n = uvsmtp_result_rcpt_count(result);
  int outcome = uvsmtp_result_outcome(result);
  int status = uvsmtp_result_status(result);
  int have[UVSMTP_OUTCOME_UNKNOWN + 1] = {0};
  size_t i;

  show("== m%d %s, %s at %s\n", letter, uvsmtp_outcome_name(outcome),
       uvsmtp_err_name(status), uvsmtp_state_name(uvsmtp_result_stage(result)));
  if (!l->parts[0].released) wrong("m%d: the source is not released", letter);
  if (n == 0 && l->headed) {
    /* The header was not read. */
    if (outcome == UVSMTP_OUTCOME_ACCEPTED || l->first_txn != 0)
      wrong("m%d went to nobody", letter);
    return;
  }
  if (n != (size_t)l->nrcpts) wrong("m%d has %zu recipients", letter, n);
  for (i = 0; i < n; i++) {
    const uvsmtp_rcpt_result_t* row = uvsmtp_result_rcpt(result, i);

    check_row(letter, (int)i, row);
    have[uvsmtp_rcpt_result_outcome(row)]++;
  }
  if (outcome != whole(have))
    wrong("m%d is %s", letter, uvsmtp_outcome_name(outcome));
  if ((status == 0) != (outcome == UVSMTP_OUTCOME_ACCEPTED))
    wrong("m%d: %s with status %d", letter, uvsmtp_outcome_name(outcome),
          status);
  check_tried(letter);
}

/* -------------------------------------------------------- single commands */

static void check_rcpt(int letter, int rcpt, const uvsmtp_result_t* result) {
  rcpt_t* r = &letters[letter].rcpts[rcpt];
  const uvsmtp_reply_t* reply = uvsmtp_result_reply(result);
  const said_t* said = reply == NULL ? NULL : find_said(reply);

  r->status = uvsmtp_result_status(result);
  if (said != NULL && said->kind == SAID_RCPT && said != peer_said(r->said))
    wrong("%s has another's reply", r->address);
  if (r->status != 0) return;
  if (reply == NULL) wrong("%s is accepted without a reply", r->address);
  if (!peer_heard(r->said) || peer_said(r->said)->code >= 300)
    wrong("%s was not accepted", r->address);
}

/* LMTP: the rows are the recipients that were accepted, in their order. */
static void check_last_rows(int letter, const uvsmtp_result_t* result) {
  const letter_t* l = &letters[letter];
  size_t n = uvsmtp_result_rcpt_count(result);
  size_t i = 0;
  int j;

  for (j = 0; j < l->nrcpts; j++) {
    const uvsmtp_rcpt_result_t* row = uvsmtp_result_rcpt(result, i);

    if (row == NULL ||
        strcmp(uvsmtp_rcpt_result_address(row), l->rcpts[j].address) != 0) {
      check_taken(letter, j, UVSMTP_OUTCOME_NOT_ATTEMPTED);
      continue;
    }
    i++;
    if (uvsmtp_rcpt_result_outcome(row) == UVSMTP_OUTCOME_ACCEPTED &&
        !peer_heard(l->rcpts[j].taken))
      wrong("%s is accepted by nobody", l->rcpts[j].address);
    check_taken(letter, j, uvsmtp_rcpt_result_outcome(row));
  }
  if (i < n) wrong("m%d has %zu rows, and %zu are its own", letter, n, i);
}

static void check_last(int letter, const uvsmtp_result_t* result) {
  const letter_t* l = &letters[letter];
  int outcome = uvsmtp_result_outcome(result);
  int i;

  show("== m%d by hand %s, %s\n", letter, uvsmtp_outcome_name(outcome),
       uvsmtp_err_name(uvsmtp_result_status(result)));
  if (!l->parts[l->nparts - 1].released)
    wrong("m%d: the source is not released", letter);
  if (peer_is_lmtp() && uvsmtp_result_rcpt_count(result) > 0) {
    check_last_rows(letter, result);
    return;
  }
  for (i = 0; i < l->nrcpts; i++) {
    const rcpt_t* r = &l->rcpts[i];

    check_taken(letter, i, outcome);
    if (outcome == UVSMTP_OUTCOME_ACCEPTED &&
        (r->status == 0) != peer_heard(r->taken))
      wrong("%s: RCPT came to %d, and the text %s", r->address, r->status,
            r->taken == NONE ? "did not come" : "came");
  }
}

/* ------------------------------------------------------------------ events */

void check_event(const uvsmtp_event_t* event) {
  tag_t* tag = event->data;
  letter_t* l = &letters[tag->letter];

  if (tag->events++ > 0) wrong("a second event");
  if (world.pending-- == 0) wrong("an event of no call");
  switch (tag->kind) {
    case TAG_CONNECT:
      world.connecting = 0;
      break;
    case TAG_SEND:
      check_message(tag->letter, event->result);
      l->done = 1;
      break;
    case TAG_RCPT:
      check_rcpt(tag->letter, tag->rcpt, event->result);
      break;
    case TAG_LAST:
      check_last(tag->letter, event->result);
      l->done = 1;
      break;
    default:
      break;
  }
}

void check_end(void) {
  int i;
  int j;

  for (i = 0; i < nletters; i++)
    for (j = 0; j < letters[i].nparts; j++)
      if (letters[i].parts[j].released != letters[i].parts[j].claimed)
        wrong("m%d: a source is released %d times, and %d calls had it", i,
              letters[i].parts[j].released, letters[i].parts[j].claimed);
  if (world.alloc.blocks > 0) wrong("%zu blocks leak", world.alloc.blocks);
}
