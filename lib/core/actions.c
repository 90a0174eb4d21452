/* SPDX-License-Identifier: MIT */
/* actions.c: what the rows of transitions.def record. An action returns nothing
 * and changes no state. */
#include <string.h>

#include "core/proto_int.h"

void uvsmtp__end_transaction(uvsmtp_proto_t* p) {
  p->accepted = 0;
  p->mail_refused = 0;
  p->chunk_refused = 0;
  p->naddresses = 0;
  uvsmtp__buf_free(&p->mem, &p->addresses);
}

void uvsmtp__forget_server(uvsmtp_proto_t* p) {
  uvsmtp__caps_clear(&p->caps, &p->mem);
  uvsmtp__reply_forget(&p->mem, &p->ehlo);
  uvsmtp__reply_forget(&p->mem, &p->helo);
}

static void none(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                 const uvsmtp__cause_t* why) {
  (void)p;
  (void)e;
  (void)why;
}

/* Ends the session once the row is done with; who asked is told why. */
static void no_memory(uvsmtp_proto_t* p, uvsmtp__entry_t* e) {
  p->oom = 1;
  uvsmtp__op_fail(e->op, -ENOMEM, 0, e->state);
}

/* A hello is to be looked at after its request has long completed. */
static void keep_hello(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                       const uvsmtp__cause_t* why) {
  uvsmtp__kept_t** to = e->state == S_HELO ? &p->helo : &p->ehlo;
  if (uvsmtp__reply_keep(&p->mem, why->reply, to) != 0) no_memory(p, e);
}

/* EHLO is also a RSET (RFC 5321 4.1.4). */
static void learn_extensions(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                             const uvsmtp__cause_t* why) {
  keep_hello(p, e, why);
  uvsmtp__end_transaction(p);
  p->helloed = 1;
  p->esmtp = 1;
  uvsmtp__caps_clear(&p->caps, &p->mem);
  if (uvsmtp__caps_parse(&p->caps, &p->mem, why->reply) != 0) no_memory(p, e);
}

static void forget_extensions(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                              const uvsmtp__cause_t* why) {
  keep_hello(p, e, why);
  p->esmtp = 0;
  uvsmtp__caps_clear(&p->caps, &p->mem);
}

static void note_no_ehlo(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                         const uvsmtp__cause_t* why) {
  forget_extensions(p, e, why);
  e->op->ehlo_refused = 1;
}

static void note_helo(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                      const uvsmtp__cause_t* why) {
  forget_extensions(p, e, why);
  uvsmtp__end_transaction(p);
  p->helloed = 1;
}

static void note_no_tls(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                        const uvsmtp__cause_t* why) {
  (void)e;
  (void)why;
  p->tls_refused = 1;
}

/* The session is as behind a greeting: what was learned before is forgotten. */
static void begin_anew(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                       const uvsmtp__cause_t* why) {
  (void)e;
  (void)why;
  uvsmtp__forget_server(p);
  p->helloed = 0;
  p->esmtp = 0;
  p->authed = NULL;
  /* The target's login is made anew, or at last. One of the caller's own that
   * failed is still what those behind it waited for. */
  if (p->auth == NULL) return;
  p->login_failed = 0;
  uvsmtp__auth_reset(p->auth);
}

/* RFC 3207 4.2. */
static void note_tls(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                     const uvsmtp__cause_t* why) {
  p->tls = 1;
  begin_anew(p, e, why);
}

/* ------------------------------------------------------------------ AUTH */

/* What a mechanism had to say of its failure goes to who is told of that. */
static void give_detail(uvsmtp__op_t* op, uvsmtp_exchange_t* x) {
  if (op->result.detail != NULL || op->result.status != UVSMTP_EAUTH) return;
  op->result.detail = x->detail;
  op->result.detail_size = x->detail_size;
  x->detail = NULL;
  x->detail_size = 0;
}

/* Another mechanism takes the place of the one that failed. */
static void begin_auth(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                       const uvsmtp__cause_t* why) {
  uvsmtp_exchange_t* x = uvsmtp__exchange_of(p, e->op);
  (void)why;
  if (e->op->result.status == UVSMTP_EAUTH && !e->op->expired)
    uvsmtp__op_revive(&p->mem, e->op);
  x->refused = 0;
}

static void take_challenge(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                           const uvsmtp__cause_t* why) {
  uvsmtp_exchange_t* x = uvsmtp__exchange_of(p, e->op);
  if (uvsmtp__auth_challenge(x, why->reply) != 0) no_memory(p, e);
}

static void accept_auth(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                        const uvsmtp__cause_t* why) {
  uvsmtp_exchange_t* x = uvsmtp__exchange_of(p, e->op);
  (void)why;
  p->authed = x->mech;
  p->login_failed = 0;
  x->accepted = 1;
  /* The target's own credentials need not be said again. */
  if (p->auth != NULL && p->auth->credentials == x->credentials)
    p->auth->accepted = 1;
}

static void refuse_mech(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                        const uvsmtp__cause_t* why) {
  uvsmtp_exchange_t* x = uvsmtp__exchange_of(p, e->op);
  x->refused = 1;
  if (x->mech->flags & UVSMTP_MECH_BINDS)
    x->stop = 1;
  else if (why->reply->code == 535)
    uvsmtp__auth_refused(x);
  give_detail(e->op, x);
}

static void refuse_auth(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                        const uvsmtp__cause_t* why) {
  uvsmtp_exchange_t* x = uvsmtp__exchange_of(p, e->op);
  (void)why;
  x->stop = 1;
  p->login_failed = 1;
  give_detail(e->op, x);
}

/* Who could not prove itself is given nothing weaker. */
static void cancel_auth(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                        const uvsmtp__cause_t* why) {
  uvsmtp_exchange_t* x = uvsmtp__exchange_of(p, e->op);
  (void)why;
  if (x->mech->flags & UVSMTP_MECH_MUTUAL) x->stop = 1;
  x->refused = 1;
  give_detail(e->op, x);
  uvsmtp__auth_over(x);
}

static void skip_mech(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                      const uvsmtp__cause_t* why) {
  uvsmtp_exchange_t* x = uvsmtp__exchange_of(p, e->op);
  (void)why;
  x->refused = 1;
  give_detail(e->op, x);
}

/* -------------------------------------------------------------- envelope */

static void accept_mail(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                        const uvsmtp__cause_t* why) {
  (void)e;
  (void)why;
  uvsmtp__end_transaction(p);
}

static void refuse_mail(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                        const uvsmtp__cause_t* why) {
  accept_mail(p, e, why);
  p->mail_refused = 1;
}

static uvsmtp_rcpt_result_t* rcpt_row(const uvsmtp__entry_t* e) {
  if (e->op->plan != PLAN_SEND) return NULL;
  return &e->op->result.rcpts[e->rcpt];
}

static void keep_rcpt_reply(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                            const uvsmtp__cause_t* why) {
  uvsmtp_rcpt_result_t* r = rcpt_row(e);
  if (r == NULL) return;
  r->flags |= RCPT_REPLIED;
  uvsmtp__reply_store(&p->mem, &e->op->arena, why->reply, UVSMTP__RCPT_TEXT_MAX,
                      &r->rcpt_reply);
}

static void accept_rcpt(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                        const uvsmtp__cause_t* why) {
  keep_rcpt_reply(p, e, why);
  p->accepted++;
  if (e->op->plan == PLAN_SEND) {
    e->op->result.rcpts[e->rcpt].flags |= RCPT_ACCEPTED;
    e->op->round.taken = 0;
  } else if (p->flags & UVSMTP_SESSION_LMTP) {
    /* DATA's final replies will be these recipients'. */
    const char* address = e->op->arg;
    if (uvsmtp__buf_append(&p->mem, &p->addresses, address, strlen(address) + 1,
                           UVSMTP__ADDRESSES_MAX) != 0)
      no_memory(p, e);
    else
      p->naddresses++;
  }
}

static void refuse_rcpt(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                        const uvsmtp__cause_t* why) {
  uvsmtp_rcpt_result_t* r = rcpt_row(e);
  int many = r != NULL && why->reply->code != 421 &&
             uvsmtp__is_too_many(p, e->op, why->reply);
  /* One is too many as often as the server likes: the first time is kept. */
  if (many && (r->flags & RCPT_MANY))
    r->flags |= RCPT_REPLIED;
  else
    keep_rcpt_reply(p, e, why);
  /* Behind a refused MAIL it is about the order of commands and says nothing of
   * the recipient: the sender's refusal is the verdict. */
  if (p->mail_refused) return;
  if (why->reply->code == 421) e->op->cut = 1;
  if (r == NULL) return;
  r->status = UVSMTP_ERECIPIENTS;
  r->stage = S_RCPT;
  r->outcome = uvsmtp__classify(S_RCPT, why->reply->code, 0) == I_PERM
                   ? UVSMTP_OUTCOME_REJECTED
                   : UVSMTP_OUTCOME_DEFERRED;
  if (many) {
    r->outcome = UVSMTP_OUTCOME_DEFERRED;
    r->flags |= RCPT_AGAIN;
    uvsmtp__round_full(&e->op->round, why->reply);
  }
  /* The refusal of one is that of all. */
  if ((e->op->flags & UVSMTP_MESSAGE_ALL_OR_NOTHING) &&
      e->op->verdict == UVSMTP_OUTCOME_NONE)
    e->op->verdict = r->outcome;
}

static void refuse_chunk(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                         const uvsmtp__cause_t* why) {
  (void)e;
  (void)why;
  p->chunk_refused = 1;
}

static void open_text(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                      const uvsmtp__cause_t* why) {
  (void)p;
  (void)why;
  e->op->go = 1;
}

static void open_void(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                      const uvsmtp__cause_t* why) {
  (void)p;
  (void)why;
  e->op->void_go = 1;
}

static void end_text(uvsmtp_proto_t* p, uvsmtp__entry_t* e,
                     const uvsmtp__cause_t* why) {
  (void)e;
  (void)why;
  uvsmtp__end_transaction(p);
}

/* A switch, not a table of pointers: see table.h. */
void uvsmtp__act(uvsmtp_proto_t* p, int action, uvsmtp__entry_t* e,
                 const uvsmtp__cause_t* why) {
  switch (action) {
#define XX(name)     \
  case A_##name:     \
    name(p, e, why); \
    break;
    UVSMTP__ACTION_MAP(XX)
#undef XX
  }
}
