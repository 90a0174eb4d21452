/* SPDX-License-Identifier: MIT */
/* submit.c: submits a call of a dialogue. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conv.h"

typedef struct lists_s {
  uvsmtp_rcpt_t* rcpts;
  const uvsmtp_rcpt_t** list;
} lists_t;

static void list_rcpts(lists_t* to, const call_t* call) {
  size_t j;

  to->rcpts = calloc(call->nrcpts + 1, sizeof(*to->rcpts));
  to->list = calloc(call->nrcpts + 1, sizeof(*to->list));
  if (to->rcpts == NULL || to->list == NULL) abort();
  for (j = 0; j < call->nnamed; j++) {
    to->rcpts[j].size = sizeof(to->rcpts[j]);
    to->rcpts[j].address = call->rcpts[j].address;
    to->rcpts[j].options = call->rcpts[j].options.list;
    to->rcpts[j].noptions = call->rcpts[j].options.n;
    to->rcpts[j].notify = call->rcpts[j].notify;
    to->rcpts[j].orcpt = call->rcpts[j].orcpt;
    to->list[j] = &to->rcpts[j];
  }
}

static void fill_message(uvsmtp_message_t* m, const call_t* call,
                         source_t* source) {
  m->from = call->text;
  m->nrcpts = call->nnamed;
  m->mail_options = call->options.list;
  m->nmail_options = call->options.n;
  m->rcpt_options = call->rcpt_options.list;
  m->nrcpt_options = call->rcpt_options.n;
  m->flags = call->flags;
  m->line_ends = call->line_ends;
  m->progress = hook_progress;
  m->progress_arg = source;
  if (call->has_params) m->params = &call->params;
}

/* A source around the call's own that reads the header: 1; 0: no memory. */
static int wrap(play_t* p, source_t* s, const call_t* call) {
  uvsmtp_mem_t mem = {sizeof(mem), secret_alloc, NULL};
  int rc;

  mem.data = p;
  rc = uvsmtp_source_message(&s->header, &mem, &s->source, call->max_header);
  if (rc != 0 && (rc != -ENOMEM || !play_lacks(p)))
    play_fail(p, "a source that reads the header: %s", error_name(rc));
  return rc == 0;
}

/* The call has refused it, and releases nothing. */
static void unwrap(source_t* s) {
  uvsmtp_source_message_free(s->header);
  s->header = NULL;
}

/* ----------------------------------------------------------------- logins */

static void wake(void* arg) {
  told_t* told = arg;

  told->play->woken = 1;
}

static int bind_to(void* arg, void* buf, size_t len) {
  const told_t* told = arg;
  const char* text = told->call->binding;
  size_t i;

  for (i = 0; i < len; i++) ((char*)buf)[i] = text[i % strlen(text)];
  return 0;
}

static void fill_login(play_t* p, size_t i, uvsmtp_request_t* r,
                       uvsmtp_auth_host_t* host) {
  const call_t* call = &p->d->calls[i];
  told_t* told = &p->told[i];

  told->play = p;
  told->call = call;
  host->name = call->host == NULL ? "" : call->host;
  host->port = call->port;
  host->wake = wake;
  host->binding = call->binding == NULL ? NULL : bind_to;
  host->arg = told;
  r->auth_host = host;
  r->local = call->local;
  r->auth_flags = call->auth_flags;
  if (call->creds > 0) r->credentials = p->identities[call->creds - 1]->it;
  if (call->own_mech != NULL) {
    own_begin(&told->mech, &told->play, call->own_mech);
    r->mech = &told->mech.mech;
  } else if (call->mech != NULL) {
    r->mech = uvsmtp_mech(call->mech);
    if (r->mech == NULL) play_fail(p, "there is no %s", call->mech);
  }
}

static void fill_request(play_t* p, size_t i, uvsmtp_request_t* r) {
  const call_t* call = &p->d->calls[i];
  source_t* s = &p->sources[i];

  if (call->has_body) r->body = s->header != NULL ? s->header : &s->source;
  if (call->op != UVSMTP_OP_SEND) {
    r->text = call->text;
    r->options = call->options.list;
    r->noptions = call->options.n;
  }
  r->keyword = call->keyword;
  r->line_ends = call->line_ends;
  r->due = call->due;
  r->last = call->last;
  r->tls = call->tls;
  r->data = (void*)call;
}

void play_submit(play_t* p, size_t i) {
  const call_t* call = &p->d->calls[i];
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(call->op);
  uvsmtp_message_t m = UVSMTP_MESSAGE_INIT;
  uvsmtp_auth_host_t host = UVSMTP_AUTH_HOST_INIT;
  lists_t lists;
  int rc;

  source_begin(&p->sources[i], p, call);
  if (call->envelope && !wrap(p, &p->sources[i], call)) return;
  fill_request(p, i, &r);
  list_rcpts(&lists, call);
  fill_message(&m, call, &p->sources[i]);
  m.rcpts = call->nnamed > 0 ? lists.list : NULL;
  m.body = r.body;
  if (call->op == UVSMTP_OP_SEND) r.message = &m;
  if (call->envelope) r.envelope = hook_envelope;
  if (call->op == UVSMTP_OP_CONNECT || call->op == UVSMTP_OP_LOGIN)
    fill_login(p, i, &r, &host);
  rc = uvsmtp_proto_submit(p->proto, &r);
  free(lists.rcpts);
  free(lists.list);
  if (rc != 0) unwrap(&p->sources[i]);
  if (rc == -ENOMEM && play_lacks(p)) return;
  if (rc != call->refusal)
    play_fail(p, "submit: expected %s, got %s", error_name(call->refusal),
              error_name(rc));
  p->taken[i] = rc == 0;
  play_collect(p);
}
