/* SPDX-License-Identifier: MIT */
/* uvsmtp-sink: message text by DATA and BDAT, and the verdict at its end. */
#include <string.h>

#include "sink.h"

static const struct sink_reply too_big =
    SINK_REPLY("552", "5.3.4", "Message too big");
static const struct sink_reply no_storage =
    SINK_REPLY("452", "4.3.1", "Can't store the message");
static const struct sink_reply no_valid =
    SINK_REPLY("554", "5.5.1", "No valid recipients");
static const struct sink_reply not_now =
    SINK_REPLY("503", "5.5.1", "Bad sequence of commands");
static const struct sink_reply bad_bdat =
    SINK_REPLY("501", "5.5.4", "Syntax: BDAT count [LAST]");
static const struct sink_reply chunk_ok =
    SINK_REPLY("250", "2.0.0", "Octets received");

static void say_queued(struct sink* s, struct sink_conn* c) {
  static const struct sink_reply queued =
      SINK_REPLY("250", "2.0.0", "Ok: queued as ");
  /* Both forms end in a CRLF that has to come behind the number. */
  size_t n = (s->opt.enhanced ? queued.nfull : queued.nplain) - (size_t)2;
  char text[64];

  memcpy(text, s->opt.enhanced ? queued.full : queued.plain, n);
  n += sink_digits(s->queued, text + n);
  text[n++] = '\r';
  text[n++] = '\n';
  sink_put(s, c, text, n);
}

static bool is_too_big(const struct sink* s, const struct sink_txn* t) {
  return s->opt.size_limit > 0 && t->octets > s->opt.size_limit;
}

/* Why a whole message is refused, or NULL. */
static const struct sink_reply* refusal(const struct sink* s,
                                        const struct sink_conn* c) {
  const struct sink_txn* t = c->txn;

  if (t == NULL || t->nrcpt == 0) return &no_valid;
  if (is_too_big(s, t)) return &too_big;
  if (c->rule != NULL) return sink_rule_positive(c->rule) ? NULL : &no_valid;
  if (!c->lmtp && t->special != 0) return &sink_word(t->special)->reply;
  return NULL;
}

static size_t count_taken(const struct sink_conn* c) {
  const struct sink_txn* t = c->txn;
  size_t n = 0;

  if (c->rule != NULL || t->special == 0) return t->nrcpt;
  for (size_t i = 0; i < t->nrcpt; i++) n += t->finals.base[i] == 0;
  return n;
}

/* The end of a message: one reply, or under LMTP one for each recipient that
 * was accepted, in their order (RFC 2033, 4.2). */
static void finish(struct sink* s, struct sink_conn* c) {
  struct sink_txn* t = c->txn;
  const struct sink_reply* bad = refusal(s, c);
  size_t replies = c->lmtp && t != NULL && t->nrcpt > 0 ? t->nrcpt : 1;
  size_t taken = bad == NULL ? count_taken(c) : 0;

  if (taken > 0 && !sink_txn_keep(s, c, c->rule != NULL)) {
    bad = &no_storage;
    taken = 0;
  }
  if (taken > 0) {
    s->messages++;
    s->recipients += taken;
    s->octets += t->octets;
    s->last_at = s->now;
  }
  for (size_t i = 0; i < replies; i++) {
    unsigned char final =
        bad == NULL ? (unsigned char)t->finals.base[i] : (unsigned char)0;

    if (bad != NULL)
      sink_say(s, c, bad);
    else if (c->rule != NULL || final != 0)
      sink_say(s, c, final == 0 ? &chunk_ok : &sink_word(final)->reply);
    else
      say_queued(s, c);
  }
  sink_txn_end(s, c);
}

void sink_text_begin(struct sink_conn* c) {
  c->mode = MODE_TEXT;
  /* The text begins at the beginning of a line. */
  c->tail[0] = '\r';
  c->tail[1] = '\n';
}

/* Only CRLF ends a line: a dot behind a bare LF is a dot like any other. */
static bool line_begins(const struct sink_conn* c, const char* p, size_t i) {
  char before = i >= 1 ? p[i - 1] : c->tail[1];
  char two_before = i >= 2 ? p[i - 2] : c->tail[i];

  return before == '\n' && two_before == '\r';
}

static void set_tail(struct sink_conn* c, const char* p, size_t n) {
  if (n == 0) return;
  c->tail[0] = n >= 2 ? p[n - 2] : c->tail[1];
  c->tail[1] = p[n - 1];
}

/* Takes text of DATA and returns how much of it; what it leaves, at most two
 * octets, may be the beginning of the final CRLF.CRLF. It looks for dots: most
 * texts have fewer of them than lines. */
size_t sink_text(struct sink* s, struct sink_conn* c, const char* p, size_t n) {
  size_t taken = 0;
  size_t at = 0;

  for (;;) {
    const char* dot = memchr(p + at, '.', n - at);
    size_t i;
    size_t behind;

    if (dot == NULL) break;
    i = (size_t)(dot - p);
    behind = n - i - 1;
    at = i + 1;
    if (!line_begins(c, p, i)) continue;
    if (behind == 0 || (behind == 1 && p[i + 1] == '\r')) {
      n = i;
      break;
    }
    sink_txn_text(s, c, p + taken, i - taken);
    if (p[i + 1] == '\r' && p[i + 2] == '\n') {
      c->mode = MODE_COMMAND;
      c->rule = sink_script_find(s, "DOT", 3);
      finish(s, c);
      c->rule = NULL;
      return i + 3;
    }
    /* The dot was put there for transport (RFC 5321, 4.5.2). */
    taken = at;
  }
  sink_txn_text(s, c, p + taken, n - taken);
  set_tail(c, p, n);
  return n;
}

static void chunk_end(struct sink* s, struct sink_conn* c) {
  c->mode = MODE_COMMAND;
  if (c->verdict != NULL) {
    sink_say(s, c, c->verdict);
    sink_txn_end(s, c);
  } else if (c->last) {
    finish(s, c);
  } else if (is_too_big(s, c->txn)) {
    sink_say(s, c, &too_big);
    sink_txn_end(s, c);
  } else {
    sink_say(s, c, &chunk_ok);
  }
  c->verdict = NULL;
  c->rule = NULL;
}

/* Takes octets of a chunk and returns how many. Those of a refused one are
 * swallowed, since the client can't take them back (RFC 3030, 2). */
size_t sink_chunk(struct sink* s, struct sink_conn* c, const char* p,
                  size_t n) {
  if (n > c->left) n = (size_t)c->left;
  if (c->verdict == NULL) sink_txn_text(s, c, p, n);
  c->left -= n;
  if (c->left == 0) chunk_end(s, c);
  return n;
}

/* Reads "count [LAST]"; false if there is not even a count. */
static bool parse_bdat(const char* arg, size_t n, struct sink_conn* c,
                       bool* valid) {
  const char* blank = memchr(arg, ' ', n);
  size_t ncount = blank == NULL ? n : (size_t)(blank - arg);

  if (!sink_number(arg, ncount, &c->left) || c->left == UINT64_MAX)
    return false;
  if (blank != NULL) ncount++;
  c->last = sink_is(arg + ncount, n - ncount, "LAST");
  *valid = c->last || blank == NULL;
  return true;
}

/* The verdict on a refused chunk ends the transaction, so that the chunks in
 * flight behind it are refused too, and a MAIL behind them is not. */
void sink_bdat(struct sink* s, struct sink_conn* c, const char* arg, size_t n) {
  bool valid = false;

  if (!parse_bdat(arg, n, c, &valid)) {
    sink_say(s, c, &bad_bdat);
    c->rule = NULL;
    return;
  }
  c->verdict = NULL;
  if (!valid)
    c->verdict = &bad_bdat;
  else if (c->txn == NULL)
    c->verdict = &not_now;
  else if (c->txn->nrcpt == 0)
    c->verdict = c->txn->tried ? &no_valid : &not_now;
  else if (c->rule != NULL && !sink_rule_positive(c->rule) && !c->last)
    c->verdict = &no_valid; /* The rule says it in its own words. */
  else
    c->txn->chunks++;
  c->mode = MODE_CHUNK;
  if (c->left == 0) chunk_end(s, c);
}
