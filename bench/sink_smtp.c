/* SPDX-License-Identifier: MIT */
/* uvsmtp-sink: commands and the state machine (RFC 5321, 2033, 2920, 3030). */
#include <stdlib.h>
#include <string.h>

#include "sink.h"

static const struct sink_reply ok = SINK_REPLY("250", "2.0.0", "Ok");
static const struct sink_reply sender_ok =
    SINK_REPLY("250", "2.1.0", "Sender ok");
static const struct sink_reply rcpt_ok =
    SINK_REPLY("250", "2.1.5", "Recipient ok");
static const struct sink_reply go_ahead =
    SINK_BARE("354", "End data with <CR><LF>.<CR><LF>");
static const struct sink_reply bye = SINK_REPLY("221", "2.0.0", "Bye");
static const struct sink_reply cannot_verify =
    SINK_REPLY("252", "2.0.0", "Send some mail, I'll try my best");
static const struct sink_reply help =
    SINK_REPLY("214", "2.0.0", "See RFC 5321");
static const struct sink_reply unknown =
    SINK_REPLY("500", "5.5.2", "Command not recognized");
static const struct sink_reply too_long =
    SINK_REPLY("500", "5.5.2", "Line too long");
static const struct sink_reply bare_lf =
    SINK_REPLY("500", "5.5.2", "Lines end with CRLF");
static const struct sink_reply not_offered =
    SINK_REPLY("502", "5.5.1", "Command not implemented");
static const struct sink_reply syntax =
    SINK_REPLY("501", "5.5.4", "Syntax error in arguments");
static const struct sink_reply hello_first =
    SINK_REPLY("503", "5.5.1", "Say hello first");
static const struct sink_reply nested =
    SINK_REPLY("503", "5.5.1", "Nested MAIL command");
static const struct sink_reply mail_first =
    SINK_REPLY("503", "5.5.1", "MAIL first");
static const struct sink_reply in_chunks =
    SINK_REPLY("503", "5.5.1", "The message is being sent by BDAT");
static const struct sink_reply no_rcpt =
    SINK_REPLY("503", "5.5.1", "RCPT first");
static const struct sink_reply no_valid =
    SINK_REPLY("554", "5.5.1", "No valid recipients");
static const struct sink_reply needs_utf8 =
    SINK_REPLY("553", "5.6.7", "The address needs SMTPUTF8");
static const struct sink_reply too_many =
    SINK_REPLY("452", "4.5.3", "Too many recipients");
static const struct sink_reply no_more =
    SINK_REPLY("421", "4.7.0", "Too many messages in a session");
static const struct sink_reply go_secure =
    SINK_REPLY("220", "2.0.0", "Ready to start TLS");
static const struct sink_reply is_secure =
    SINK_REPLY("503", "5.5.1", "TLS is on already");
static const struct sink_reply not_alone =
    SINK_REPLY("501", "5.5.4", "Nothing may follow STARTTLS");

/* Puts octets among the replies of this batch. */
void sink_put(struct sink* s, struct sink_conn* c, const char* text, size_t n) {
  if (c->mode < MODE_QUIT) sink_buf_add(&s->out, text, n);
}

static void say_rule(struct sink* s, struct sink_conn* c) {
  const struct sink_rule* r = c->rule;

  sink_put(s, c, r->text, r->ntext);
  if (r->action != MODE_COMMAND && c->mode < MODE_QUIT) c->mode = r->action;
}

/* Gives a reply, or what the script has in its place. */
void sink_say(struct sink* s, struct sink_conn* c, const struct sink_reply* r) {
  if (c->rule != NULL)
    say_rule(s, c);
  else if (s->opt.enhanced)
    sink_put(s, c, r->full, r->nfull);
  else
    sink_put(s, c, r->plain, r->nplain);
}

void sink_greet(struct sink* s, struct sink_conn* c) {
  c->rule = sink_script_find(s, "GREETING", 8);
  if (c->rule != NULL) {
    say_rule(s, c);
    c->rule = NULL;
    return;
  }
  sink_put(s, c, "220 ", 4);
  sink_put(s, c, s->opt.greeting, strlen(s->opt.greeting));
  sink_put(s, c, "\r\n", 2);
}

static void keep_helo(struct sink* s, struct sink_conn* c, const char* arg,
                      size_t n) {
  if (s->opt.store == NULL) return;
  free(c->helo);
  c->helo = sink_alloc(n + 1);
  memcpy(c->helo, arg, n);
  c->helo[n] = '\0';
}

/* EHLO and LHLO also act as RSET (RFC 5321, 4.1.4). Their replies have no
 * enhanced codes (RFC 2034, 4). */
static void do_hello(struct sink* s, struct sink_conn* c, const char* arg,
                     size_t n, bool esmtp) {
  static const char plain[] = "250 sink.localhost\r\n";

  if (n == 0) {
    sink_say(s, c, &syntax);
    return;
  }
  for (size_t i = 0; i < n; i++) {
    if (arg[i] > ' ' && arg[i] <= '~') continue;
    sink_say(s, c, &syntax);
    return;
  }
  sink_txn_end(s, c);
  c->greeted = true;
  c->esmtp = esmtp;
  keep_helo(s, c, arg, n);
  if (c->rule != NULL)
    say_rule(s, c);
  else if (esmtp && c->tls == NULL)
    sink_put(s, c, s->ehlo_tls, s->nehlo_tls);
  else if (esmtp)
    sink_put(s, c, s->ehlo, s->nehlo);
  else
    sink_put(s, c, plain, sizeof(plain) - 1);
}

static void do_mail(struct sink* s, struct sink_conn* c, const char* arg,
                    size_t n) {
  struct sink_path path;
  const struct sink_reply* bad = NULL;
  unsigned char word;
  bool utf8 = false;

  if (!c->greeted)
    bad = &hello_first;
  else if (c->txn != NULL)
    bad = &nested;
  else if (!sink_path_parse(arg, n, "FROM:", &path))
    bad = &syntax;
  else if (c->rule == NULL)
    bad = sink_params(s, c, &path, false, &utf8);
  if (bad == NULL && c->rule == NULL) {
    word = sink_word_find(path.address, path.nlocal, true);
    if (path.utf8 && !utf8)
      bad = &needs_utf8;
    else if (word != 0)
      bad = &sink_word(word)->reply;
  }
  if (bad == NULL && s->opt.mail_limit > 0 && c->mails >= s->opt.mail_limit)
    bad = &no_more;
  if (bad != NULL) {
    sink_say(s, c, bad);
    if (bad == &no_more && c->mode < MODE_QUIT) c->mode = MODE_DROP;
    return;
  }
  c->mails++;
  c->txn = sink_txn_new(s);
  c->txn->utf8 = utf8 || c->rule != NULL;
  sink_txn_from(s, c->txn, &path);
  sink_say(s, c, &sender_ok);
}

/* Why a recipient is refused, or NULL; its word is told too. */
static const struct sink_reply* judge_rcpt(const struct sink* s,
                                           struct sink_conn* c,
                                           const struct sink_path* path,
                                           unsigned char* word) {
  struct sink_txn* t = c->txn;
  const struct sink_reply* bad;

  t->tried = true;
  if (t->nrcpt >= SINK_RCPT_CAP) return &too_many;
  if (c->rule != NULL) return NULL;
  bad = sink_params(s, c, path, true, NULL);
  if (bad != NULL) return bad;
  if (path->utf8 && !t->utf8) return &needs_utf8;
  *word = sink_word_find(path->address, path->nlocal, false);
  if (*word != 0 && sink_word(*word)->effect <= WORD_CLOSE)
    return &sink_word(*word)->reply;
  if (s->opt.rcpt_limit > 0 && t->nrcpt >= s->opt.rcpt_limit) return &too_many;
  return NULL;
}

static void do_rcpt(struct sink* s, struct sink_conn* c, const char* arg,
                    size_t n) {
  struct sink_path path;
  const struct sink_reply* bad = NULL;
  enum sink_effect effect = WORD_REFUSE;
  unsigned char word = 0;

  if (c->txn == NULL)
    bad = c->greeted ? &mail_first : &hello_first;
  else if (c->txn->chunks > 0)
    bad = &in_chunks;
  else if (!sink_path_parse(arg, n, "TO:", &path) || path.naddress == 0)
    bad = &syntax;
  else
    bad = judge_rcpt(s, c, &path, &word);
  if (word != 0) effect = sink_word(word)->effect;
  if (bad != NULL) {
    sink_say(s, c, bad);
    if (effect == WORD_CLOSE && c->mode < MODE_QUIT) c->mode = MODE_DROP;
    return;
  }
  sink_txn_rcpt(s, c->txn, &path, effect == WORD_FINAL ? word : 0);
  if (effect == WORD_SLOW) {
    c->verdict = &sink_word(word)->reply;
    sink_pause(s, c);
    return;
  }
  sink_say(s, c, &rcpt_ok);
}

/* Under LMTP DATA without a recipient must fail with 503 (RFC 2033, 4.2). A
 * scripted 354 is as good as a true one: the client sends its text. */
static void do_data(struct sink* s, struct sink_conn* c) {
  const struct sink_reply* bad = NULL;
  const struct sink_txn* t = c->txn;

  if (t == NULL)
    bad = c->greeted ? &mail_first : &hello_first;
  else if (t->chunks > 0)
    bad = &in_chunks;
  else if (t->nrcpt == 0)
    bad = t->tried && !c->lmtp ? &no_valid : &no_rcpt;
  if (c->rule != NULL) bad = c->rule->text[0] == '3' ? NULL : &no_valid;
  if (bad == NULL) sink_text_begin(c);
  sink_say(s, c, bad == NULL ? &go_ahead : bad);
}

static void do_simple(struct sink* s, struct sink_conn* c, bool has_arg,
                      const struct sink_reply* r) {
  sink_say(s, c, has_arg ? &syntax : r);
}

/* What came behind it in clear text could be anybody's (RFC 3207, 5): it is not
 * even dropped, but ends the session. Whoever was greeted in clear text has to
 * greet again (4.2). */
static void do_starttls(struct sink* s, struct sink_conn* c, bool has_arg) {
  if (s->tls == NULL || c->tls != NULL || has_arg) {
    sink_say(s, c,
             s->tls == NULL   ? &unknown
             : c->tls != NULL ? &is_secure
                              : &syntax);
    return;
  }
  if (c->more) {
    c->rule = NULL;
    sink_say(s, c, &not_alone);
    if (c->mode < MODE_QUIT) c->mode = MODE_DROP;
    return;
  }
  sink_say(s, c, &go_secure);
  if (c->mode >= MODE_QUIT) return;
  sink_txn_end(s, c);
  c->greeted = false;
  c->starting = true;
}

static void do_verb(struct sink* s, struct sink_conn* c, const char* verb,
                    const char* arg, size_t n) {
  if (memcmp(verb, "MAIL", 4) == 0) {
    do_mail(s, c, arg, n);
  } else if (memcmp(verb, "RCPT", 4) == 0) {
    do_rcpt(s, c, arg, n);
  } else if (memcmp(verb, "BDAT", 4) == 0 && s->opt.chunking) {
    sink_bdat(s, c, arg, n);
  } else if (memcmp(verb, "DATA", 4) == 0) {
    if (n > 0)
      sink_say(s, c, &syntax);
    else
      do_data(s, c);
  } else if (memcmp(verb, "RSET", 4) == 0) {
    if (n == 0) sink_txn_end(s, c);
    do_simple(s, c, n > 0, &ok);
  } else if (memcmp(verb, "EHLO", 4) == 0 && !c->lmtp) {
    do_hello(s, c, arg, n, true);
  } else if (memcmp(verb, "LHLO", 4) == 0 && c->lmtp) {
    do_hello(s, c, arg, n, true);
  } else if (memcmp(verb, "HELO", 4) == 0 && !c->lmtp) {
    do_hello(s, c, arg, n, false);
  } else if (memcmp(verb, "QUIT", 4) == 0) {
    do_simple(s, c, n > 0, &bye);
    if (n == 0 && c->mode < MODE_QUIT) c->mode = MODE_QUIT;
  } else if (memcmp(verb, "NOOP", 4) == 0) {
    sink_say(s, c, &ok);
  } else if (memcmp(verb, "VRFY", 4) == 0) {
    do_simple(s, c, n == 0, &cannot_verify);
  } else if (memcmp(verb, "HELP", 4) == 0) {
    sink_say(s, c, &help);
  } else if (memcmp(verb, "EXPN", 4) == 0 || memcmp(verb, "AUTH", 4) == 0) {
    sink_say(s, c, &not_offered);
  } else {
    sink_say(s, c, &unknown);
  }
}

/* A scripted reply that is no success leaves the command without effect,
 * except that QUIT still ends the session and that the octets of a chunk are
 * still to come. */
static bool has_effect(const struct sink* s, const struct sink_conn* c,
                       const char* verb) {
  if (c->rule == NULL || sink_rule_positive(c->rule)) return true;
  return memcmp(verb, "QUIT", 4) == 0 ||
         (memcmp(verb, "BDAT", 4) == 0 && s->opt.chunking);
}

static void do_line(struct sink* s, struct sink_conn* c, const char* p,
                    size_t n) {
  char verb[4];

  c->rule = s->nrules > 0 ? sink_script_find(s, p, n) : NULL;
  for (; n > 0 && p[n - 1] == ' '; n--) continue;
  if (n >= 8 && sink_is(p, 8, "STARTTLS") && (n == 8 || p[8] == ' ')) {
    if (c->rule == NULL || sink_rule_positive(c->rule))
      do_starttls(s, c, n > 8);
    else
      sink_say(s, c, &unknown);
    c->rule = NULL;
    return;
  }
  if (n < 4 || (n > 4 && p[4] != ' ')) {
    sink_say(s, c, &unknown);
    c->rule = NULL;
    return;
  }
  for (int i = 0; i < 4; i++)
    verb[i] = (char)(p[i] >= 'a' && p[i] <= 'z' ? p[i] - 'a' + 'A' : p[i]);
  p += 4;
  n -= 4;
  if (n > 0) {
    p++;
    n--;
  }
  if (!has_effect(s, c, verb))
    sink_say(s, c, &unknown);
  else
    do_verb(s, c, verb, p, n);
  /* The rule for a chunk is needed at its end. */
  if (c->mode != MODE_CHUNK) c->rule = NULL;
}

/* Takes one command line, if it is whole. A part that is longer than a line
 * may be is dropped at once, so that no more of it need be kept. */
static size_t take_line(struct sink* s, struct sink_conn* c, const char* p,
                        size_t n) {
  const char* lf = memchr(p, '\n', n);
  size_t len = lf == NULL ? n : (size_t)(lf - p);
  bool skipped = c->mode == MODE_SKIP;

  if (lf == NULL) {
    if (!skipped && n < SINK_LINE_CAP) return 0;
    c->mode = MODE_SKIP;
    return n;
  }
  c->mode = MODE_COMMAND;
  c->more = len + 1 < n;
  if (skipped || len >= SINK_LINE_CAP)
    sink_say(s, c, &too_long);
  else if (len == 0 || lf[-1] != '\r')
    sink_say(s, c, &bare_lf);
  else
    do_line(s, c, p, len - 1);
  return len + 1;
}

/* The reply to these must be waited for before anything else is sent, whether
 * PIPELINING is offered or not (RFC 2920, 3.1). */
static bool must_be_last(const char* p, size_t n) {
  static const char* const verbs[] = {"DATA", "EHLO", "LHLO", "HELO", "QUIT",
                                      "NOOP", "VRFY", "EXPN", "STAR"};

  for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
    if (n >= 4 && sink_is(p, 4, verbs[i])) return true;
  return false;
}

/* Works through what was read, until there is no more, too many replies wait
 * to be sent, or the connection has to pause or end. */
enum sink_step sink_parse(struct sink* s, struct sink_conn* c, const char* p,
                          size_t n, size_t* used) {
  size_t at = 0;

  while (at < n) {
    bool command = c->mode == MODE_COMMAND;
    bool chunk = c->mode == MODE_CHUNK;
    size_t replies = s->out.len;
    size_t k;

    *used = at;
    if (s->out.len + c->out.len > SINK_OUT_LIMIT) return STEP_FULL;
    if (c->mode == MODE_TEXT)
      k = sink_text(s, c, p + at, n - at);
    else if (chunk)
      k = sink_chunk(s, c, p + at, n - at);
    else if (c->mode == MODE_HANG)
      k = n - at;
    else
      k = take_line(s, c, p + at, n - at);
    if (k == 0) return STEP_MORE;
    /* Count what was sent before a reply that it had to wait for. */
    if (s->out.len > replies && at + k < n &&
        ((command && must_be_last(p + at, k)) ||
         (!s->opt.pipelining && c->mode != MODE_CHUNK)))
      s->early++;
    at += k;
    if (c->paused || c->starting ||
        (c->mode >= MODE_QUIT && c->mode != MODE_HANG)) {
      *used = at;
      return STEP_HOLD;
    }
  }
  *used = at;
  return STEP_MORE;
}
