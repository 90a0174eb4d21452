/* SPDX-License-Identifier: MIT */
/* guards.c: the questions of plans.def. A guard is asked when the rules of
 * pipelining would let its command go: it says TAKE, SKIP or HOLD, and may find
 * that the request has failed before anything was sent. */
#include <string.h>

#include "core/ascii.h"
#include "core/proto_int.h"

static int alive(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  (void)p;
  return op->failed ? GUARD_SKIP : GUARD_TAKE;
}

static int hello_missing(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  return op->failed || p->helloed ? GUARD_SKIP : GUARD_TAKE;
}

/* HELO takes the place of the EHLO that failed. */
static int ehlo_refused(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  if (!op->ehlo_refused || op->expired) return GUARD_SKIP;
  op->ehlo_refused = 0;
  uvsmtp__op_revive(&p->mem, op);
  return GUARD_TAKE;
}

static int refuse(uvsmtp__op_t* op, int error, int cause, int stage) {
  if (op->verdict == UVSMTP_OUTCOME_NONE) op->verdict = UVSMTP_OUTCOME_REJECTED;
  uvsmtp__op_fail(op, error, cause, stage);
  return GUARD_SKIP;
}

/* Whether a state's command has a place where the send cursor is: where it has
 * none, that is the reason why the request fails, and no other. */
static int has_place(const uvsmtp_proto_t* p, int state) {
  return (uvsmtp__states[state].starts >> p->ahead) & 1u;
}

/* A text that can't be had fails its request before anything is said of it. */
static int text_known(uvsmtp_proto_t* p, uvsmtp__op_t* op, int stage) {
  int rc = uvsmtp__text_known(p, op);
  if (rc >= 0) return rc;
  if (op->headed && rc == -EMSGSIZE) {
    op->result.reason = "the header is longer than it may be";
    return refuse(op, UVSMTP_EMESSAGE, rc, stage);
  }
  op->verdict = UVSMTP_OUTCOME_DEFERRED;
  return refuse(op, UVSMTP_ESOURCE, rc, stage);
}

/* ----------------------------------------------------------------- TLS */

static int tls_at_once(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  if (op->failed || p->policy != UVSMTP_TLS_IMPLICIT) return GUARD_SKIP;
  return GUARD_TAKE;
}

/* STARTTLS and AUTH could stand at the end of a group (RFC 2920 3.1, RFC 4954
 * 4), but then they would share a piece with replies that are no concern of
 * theirs. */
static int alone(const uvsmtp_proto_t* p) {
  return p->fifo_count > 0 ? GUARD_HOLD : GUARD_TAKE;
}

static int is_offered(const uvsmtp_proto_t* p) {
  return (p->caps.bits & UVSMTP__CAP_STARTTLS) != 0;
}

/* STARTTLS that a policy asks for. One that is offered within TLS is ignored
 * (RFC 3207 4.2), and an opportunistic session is refused only once. */
static int tls_due(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  if (op->failed || p->tls) return GUARD_SKIP;
  if (p->policy == UVSMTP_TLS_OPPORTUNISTIC)
    return is_offered(p) && !p->tls_refused ? alone(p) : GUARD_SKIP;
  if (p->policy != UVSMTP_TLS_REQUIRED) return GUARD_SKIP;
  if (is_offered(p)) return alone(p);
  /* It may have been cut out on the way: another time it may be there. */
  op->verdict = UVSMTP_OUTCOME_DEFERRED;
  return refuse(op, UVSMTP_ETLS, UVSMTP_ENOTSUPPORTED, S_STARTTLS);
}

/* The hello before a STARTTLS of the caller's own, unless that can't be. */
static int tls_missing(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  if (p->tls) return refuse(op, -EALREADY, 0, S_STARTTLS);
  return hello_missing(p, op);
}

static int tls_asked(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  if (op->failed) return GUARD_SKIP;
  if (!has_place(p, S_STARTTLS) || is_offered(p)) return alone(p);
  return refuse(op, UVSMTP_ENOTSUPPORTED, 0, S_STARTTLS);
}

/* A server that said 220 waits for a handshake, whatever has become of the
 * request meanwhile. A refusal is the answer to who asked for STARTTLS, but a
 * failure of TLS to a policy. */
static int tls_granted(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  if (p->rest == S_SECURING) return GUARD_TAKE;
  if (op->plan != PLAN_STARTTLS && op->result.status == UVSMTP_ERESPONSE)
    op->result.status = UVSMTP_ETLS;
  return GUARD_SKIP;
}

/* ---------------------------------------------------------------- login */

static int no_login(uvsmtp_proto_t* p, uvsmtp__op_t* op, int error, int cause) {
  p->login_failed = 1;
  /* It says nothing of the message. */
  op->verdict = UVSMTP_OUTCOME_NOT_ATTEMPTED;
  return refuse(op, error, cause, S_AUTH);
}

/* AUTH by the next mechanism that there is, unless that can't be: its secrets
 * may be read, or be given to somebody else (RFC 4954 4). */
static int login(uvsmtp_proto_t* p, uvsmtp__op_t* op, uvsmtp_exchange_t* x) {
  int exposed = !p->local && !(p->tls && p->trusted);
  if (!has_place(p, S_AUTH_THINK)) return GUARD_TAKE;
  if (p->fifo_count > 0) return GUARD_HOLD;
  if (exposed && !(x->flags & UVSMTP_AUTH_ALLOW_PLAINTEXT))
    return no_login(p, op, UVSMTP_EAUTH, UVSMTP_ETLS);
  if (uvsmtp__auth_next(p, x) != NULL) return GUARD_TAKE;
  if (!op->failed)
    /* One whose time was over may have had the last of them refused. */
    return no_login(p, op, x->refused ? UVSMTP_EAUTH : UVSMTP_ENOTSUPPORTED, 0);
  p->login_failed = 1;
  return GUARD_SKIP;
}

/* Has op failed, and not by what a mechanism came to? */
static int is_past_login(const uvsmtp__op_t* op, const uvsmtp_exchange_t* x) {
  if (!op->failed) return 0;
  return x == NULL || !x->refused || op->expired ||
         op->result.status != UVSMTP_EAUTH;
}

/* The login that comes before all else where the target has credentials. One
 * that failed is not tried again: for a thousand messages that would be a
 * thousand wrong passwords. */
static int login_due(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  uvsmtp_exchange_t* x = p->auth;
  if (p->authed != NULL || is_past_login(op, x)) return GUARD_SKIP;
  if (p->login_failed && (x != NULL || op->plan != PLAN_HELLO)) {
    if (op->failed || !has_place(p, S_MAIL)) return GUARD_SKIP;
    return no_login(p, op, UVSMTP_EAUTH, 0);
  }
  return x == NULL ? GUARD_SKIP : login(p, op, x);
}

/* A login of the caller's own: one is all that a session can have (RFC 4954 4).
 */
static int login_asked(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  uvsmtp_exchange_t* x = op->auth;
  if (is_past_login(op, x) || x->accepted) return GUARD_SKIP;
  if (p->authed == NULL) return login(p, op, x);
  if (p->auth != NULL && p->auth->accepted && x->only == NULL &&
      p->auth->credentials == x->credentials)
    return GUARD_SKIP;
  op->verdict = UVSMTP_OUTCOME_NOT_ATTEMPTED;
  return refuse(op, -EALREADY, 0, S_AUTH);
}

/* ------------------------------------------------------------- messages */

/* RFC 9422 4.1: the server would refuse this one, and maybe with 421. It is for
 * another session, and completes when this one is over, so that who sent it can
 * connect again at once. */
static int no_more(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  p->quit_owed = 1;
  op->result.reason = "the server takes no more messages in this session";
  return GUARD_HOLD;
}

/* What the message needs and the server does not offer fails it here, before
 * anything is sent. */
static int sender_fits(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  char params[UVSMTP__PARAMS_MAX];
  int cause = 0;
  int rc;
  if (op->failed) return GUARD_SKIP;
  if (!has_place(p, S_MAIL)) return GUARD_TAKE;
  if (p->caps.mail_max > 0 && p->mails >= p->caps.mail_max)
    return no_more(p, op);
  rc = op->plan == PLAN_SEND ? text_known(p, op, S_MAIL) : GUARD_TAKE;
  if (rc != GUARD_TAKE) return rc;
  rc = op->envelope != NULL ? uvsmtp__take_envelope(p, op) : 0;
  if (rc == 0) rc = uvsmtp__mail_params(p, op, params, &cause);
  if (rc == 0) return GUARD_TAKE;
  if (rc == UVSMTP_ESOURCE || rc == -ENOMEM)
    op->verdict = UVSMTP_OUTCOME_DEFERRED;
  return refuse(op, rc, cause, S_MAIL);
}

static int rcpt_fits(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  int cause = 0;
  int rc;
  if (op->failed) return GUARD_SKIP;
  if (!has_place(p, S_RCPT)) return GUARD_TAKE;
  rc = uvsmtp__fit_utf8(p, op, 0, &cause);
  return rc == 0 ? GUARD_TAKE : refuse(op, rc, cause, S_RCPT);
}

/* Those that a transaction has decided are passed over. */
static int more_rcpts(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  const uvsmtp_rcpt_result_t* rows = op->result.rcpts;
  const uvsmtp__round_t* r = &op->round;
  if (op->failed || r->sent >= r->rcpts) return GUARD_SKIP;
  if (r->sent - r->replied >= uvsmtp__rcpts_ahead(p, r)) return GUARD_HOLD;
  while (rows[op->next_rcpt].flags & RCPT_REPLIED) op->next_rcpt++;
  return GUARD_TAKE;
}

/* Does the text have to wait until all recipients are known? */
static int awaits_rcpts(const uvsmtp__op_t* op) {
  return (op->flags & UVSMTP_MESSAGE_ALL_OR_NOTHING) &&
         op->round.replied < op->round.rcpts;
}

/* A DATA of the caller's own. */
static int data_asked(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  if (op->failed) return GUARD_SKIP;
  return has_place(p, S_DATA) ? text_known(p, op, S_DATA) : GUARD_TAKE;
}

static int data_due(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  if (op->failed || uvsmtp__uses_chunking(p, op)) return GUARD_SKIP;
  return awaits_rcpts(op) ? GUARD_HOLD : GUARD_TAKE;
}

/* Asked with nothing in flight: DATA is the last of its group. */
static int text_awaited(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  (void)p;
  return op->failed || !op->go ? GUARD_SKIP : GUARD_TAKE;
}

static int void_awaited(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  (void)p;
  return op->void_go ? GUARD_TAKE : GUARD_SKIP;
}

static int prepare(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  int rc = uvsmtp__text_prepare(p, op);
  if (rc >= 0) return rc;
  /* Nothing of this chunk is announced: the session is in order. */
  op->verdict = (uint8_t)uvsmtp__text_fault(op, rc);
  uvsmtp__op_fail(op,
                  rc == -ENOMEM               ? -ENOMEM
                  : uvsmtp__text_is_unfit(op) ? UVSMTP_ENOTSUPPORTED
                                              : UVSMTP_ESOURCE,
                  rc, S_CHUNK_TEXT);
  if (op->begun) p->reset_owed = 1;
  if (op->plan == PLAN_BDAT) p->holed = 1;
  return GUARD_SKIP;
}

/* RFC 3030 4.1: after a refused chunk only RSET makes sense. What is in flight
 * may be just that, or the next transaction already: its replies will tell. */
static int after_refusal(const uvsmtp_proto_t* p, uvsmtp__op_t* op, int stage) {
  if (p->fifo_count > 0) return GUARD_HOLD;
  uvsmtp__op_fail(op, -EPERM, 0, stage);
  return GUARD_SKIP;
}

/* RFC 4468: the URL takes the place of a chunk, and without it the chunks that
 * are queued behind it would be a message cut short. */
static int has_burl(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  if (op->plan != PLAN_BURL || uvsmtp__caps_find(&p->caps, "BURL") != NULL)
    return 1;
  op->result.reason = "the server does not offer BURL";
  p->holed = 1;
  (void)refuse(op, UVSMTP_ENOTSUPPORTED, 0, S_CHUNK_TEXT);
  return 0;
}

/* A BDAT or BURL of the caller's own. Under LMTP the last one waits until it is
 * known how many final replies there will be, so that they have a place. */
static int chunk_asked(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  if (op->failed || op->last) return GUARD_SKIP;
  if (!has_place(p, S_CHUNK_TEXT)) return GUARD_TAKE;
  if (!has_burl(p, op)) return GUARD_SKIP;
  if (p->chunk_refused) return after_refusal(p, op, S_CHUNK_TEXT);
  return prepare(p, op);
}

static int last_asked(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  if (op->failed || !op->last) return GUARD_SKIP;
  if ((p->flags & UVSMTP_SESSION_LMTP) && p->fifo_count > 0) return GUARD_HOLD;
  if (!has_place(p, S_LAST_TEXT)) return GUARD_TAKE;
  if (!has_burl(p, op)) return GUARD_SKIP;
  if (p->chunk_refused) return after_refusal(p, op, S_LAST_TEXT);
  return prepare(p, op);
}

/* A large body, or one of unknown length, waits until the recipients are known:
 * a refused message then costs no bandwidth. */
static int envelope_open(uvsmtp_proto_t* p, const uvsmtp__op_t* op) {
  const uvsmtp__entry_t* e = uvsmtp__fifo_at(p, 0);
  int64_t length = op->text.source->length;
  if (e == NULL || (e->state != S_MAIL && e->state != S_RCPT)) return 0;
  return length < 0 || length > (int64_t)UVSMTP__STAGE_MAX;
}

static int chunk_due(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  int rc;
  if (op->failed || !uvsmtp__uses_chunking(p, op)) return GUARD_SKIP;
  if (awaits_rcpts(op) || envelope_open(p, op)) return GUARD_HOLD;
  rc = prepare(p, op);
  if (rc != GUARD_TAKE) return rc;
  return op->text.last ? GUARD_SKIP : GUARD_TAKE;
}

static int last_due(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  const uvsmtp__entry_t* tail = uvsmtp__fifo_at(p, p->fifo_count - 1);
  if (op->failed || !uvsmtp__uses_chunking(p, op)) return GUARD_SKIP;
  /* Behind a chunk that is refused the LAST one gets one reply or one for each
   * recipient: not to be told apart, so under LMTP it waits. */
  if ((p->flags & UVSMTP_SESSION_LMTP) && tail != NULL &&
      (tail->state == S_CHUNK_TEXT || tail->state == S_BDAT))
    return GUARD_HOLD;
  return GUARD_TAKE;
}

/* ------------------------------------------------------------ extensions */

static int is_word_of(const char* words, const char* word, size_t len) {
  while (*words != '\0') {
    size_t n = strcspn(words, " ");
    if (uvsmtp__same(words, n, word, len)) return 1;
    words += n + strspn(words + n, " ");
  }
  return 0;
}

/* The command is one of an extension, and its attributes of those that the
 * server names. */
static int keyword_fits(uvsmtp_proto_t* p, uvsmtp__op_t* op) {
  int state = op->plan == PLAN_XCLIENT ? S_XCLIENT : S_EXTENSION;
  const char* offered;
  size_t i;
  if (op->failed) return GUARD_SKIP;
  if (!has_place(p, state)) return GUARD_TAKE;
  offered = uvsmtp__caps_find(&p->caps, op->keyword);
  op->result.reason = "the server does not offer this extension";
  if (offered == NULL) return refuse(op, UVSMTP_ENOTSUPPORTED, 0, state);
  op->result.reason = "an attribute that the server does not take";
  for (i = 0; i < op->noptions; i++)
    if (!is_word_of(offered, op->options[i], strcspn(op->options[i], "=")))
      return refuse(op, UVSMTP_ENOTSUPPORTED, -ERANGE, state);
  op->result.reason = NULL;
  return GUARD_TAKE;
}

/* A switch, not a table of pointers: see table.h. */
int uvsmtp__ask(uvsmtp_proto_t* p, int guard, uvsmtp__op_t* op) {
  switch (guard) {
#define XX(name) \
  case G_##name: \
    return name(p, op);
    UVSMTP__GUARD_MAP(XX)
#undef XX
    default:
      return GUARD_SKIP;
  }
}
