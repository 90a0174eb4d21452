/* SPDX-License-Identifier: MIT */
/* token.c: tokens that are asked for. A query is a block of its own, since its
 * answer may come when nobody waits for it any more; it keeps the credentials,
 * whose memory it is made of. */
#include <errno.h>
#include <string.h>

#include "sasl/sasl.h"

struct uvsmtp_token_query_s {
  uvsmtp__sasl_t* sasl; /* counted */
  uvsmtp_exchange_t* x; /* who asks; NULL: gone */
  char* token;          /* the answer, or NULL */
  size_t len;
  int status;
  unsigned int refresh : 1;
  unsigned int answered : 1;
};

static const char no_token[] = "no token to be had";

static void explain(uvsmtp_exchange_t* x, const char* why) {
  if (x != NULL) uvsmtp_exchange_explain(x, why, strlen(why));
}

static void release(uvsmtp_token_query_t* q) {
  uvsmtp__sasl_t* sasl = q->sasl;
  if (q->token != NULL) uvsmtp__wipe(q->token, q->len);
  uvsmtp__free(&sasl->mem, q->token, q->len);
  uvsmtp__free(&sasl->mem, q, sizeof(*q));
  uvsmtp_credentials_unref(&sasl->base);
}

static int look(uvsmtp_token_query_t* q, uvsmtp_slice_t* token) {
  if (!q->answered) return UVSMTP_MECH_WAIT;
  if (q->status != 0) return q->status;
  token->base = q->token;
  token->len = q->len;
  return UVSMTP_MECH_SEND;
}

int uvsmtp__token_get(uvsmtp_exchange_t* x, uvsmtp_token_query_t** query,
                      uvsmtp_slice_t* token) {
  uvsmtp__sasl_t* sasl = uvsmtp__sasl_of(x);
  uvsmtp_token_query_t* q = *query;
  int err;
  if (q != NULL) return look(q, token);
  if (sasl->token_cb == NULL) {
    *token = sasl->token;
    return UVSMTP_MECH_SEND;
  }

  q = uvsmtp__alloc(&sasl->mem, sizeof(*q));
  if (q == NULL) return -ENOMEM;
  memset(q, 0, sizeof(*q));
  q->sasl = uvsmtp__sasl_of(x);
  uvsmtp_credentials_ref(&sasl->base);
  q->x = x;
  q->refresh = uvsmtp_exchange_retries(x) != 0;
  err = sasl->token_cb(sasl->token_arg, q);
  if (err < 0) {
    explain(x, no_token);
    release(q);
    return err;
  }
  *query = q;
  return look(q, token);
}

void uvsmtp__token_drop(uvsmtp_token_query_t* query) {
  if (query == NULL) return;
  query->x = NULL;
  if (query->answered) release(query);
}

int uvsmtp_token_query_refresh(const uvsmtp_token_query_t* query) {
  return query->refresh;
}

/* Takes the token over, if somebody still wants it. */
static int keep(uvsmtp_token_query_t* q, const char* token, size_t len) {
  uvsmtp_slice_t given = {token, token == NULL ? 0 : len};
  const char* why = uvsmtp__token_unfit(given);
  if (why != NULL) {
    explain(q->x, why);
    return -EINVAL;
  }
  if (q->x == NULL) return 0;
  q->token = uvsmtp__alloc(&q->sasl->mem, len);
  if (q->token == NULL) return -ENOMEM;
  memcpy(q->token, token, len);
  q->len = len;
  return 0;
}

int uvsmtp_token_done(uvsmtp_token_query_t* query, int status,
                      const char* token, size_t len) {
  int err;
  if (query == NULL || query->answered) return -EINVAL;
  err = status > 0 ? -EINVAL : 0;
  if (status == 0)
    err = keep(query, token, len);
  else
    explain(query->x, no_token);
  query->status = status < 0 ? status : err;
  query->answered = 1;
  if (query->x == NULL)
    release(query);
  else
    uvsmtp_exchange_wake(query->x);
  return err;
}
