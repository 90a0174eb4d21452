/* SPDX-License-Identifier: MIT */
/* op.c: requests checked and copied into one block; their failures noted. */
#include "core/op.h"

#include <errno.h>
#include <string.h>

#include "core/ascii.h"
#include "core/command.h"
#include "core/table.h"
#include "uvsmtp/tls.h"

/* Recipients of a message: where size_t is short, too, there is one for the
 * octets of all rows. */
#define RCPTS_MAX (UINT32_MAX / sizeof(uvsmtp_rcpt_result_t))

/* The structs as version 0.1 had them. */
#define RCPT_MIN UVSMTP__UP_TO(uvsmtp_rcpt_t, noptions)
#define MESSAGE_MIN UVSMTP__UP_TO(uvsmtp_message_t, line_ends)
#define PARAMS_MIN UVSMTP__UP_TO(uvsmtp_mail_params_t, auth)
#define REQUEST_MIN UVSMTP__UP_TO(uvsmtp_request_t, data)

/* ------------------------------------------------------------- copying */

/* Lays things out in a block, or, while base is NULL, only measures. */
typedef struct slab_s {
  char* base;
  size_t used;
} slab_t;

static void* put(slab_t* s, const void* data, size_t n, size_t align) {
  void* at;
  s->used = (s->used + align - 1) & ~(align - 1);
  at = s->base == NULL ? NULL : s->base + s->used;
  if (at != NULL && data != NULL && n > 0) memcpy(at, data, n);
  s->used += n;
  return at;
}

static const char* put_string(slab_t* s, const char* text, int borrow) {
  if (text == NULL || borrow) return text;
  return put(s, text, strlen(text) + 1, 1);
}

static const char* const* put_strings(slab_t* s, const char* const* list,
                                      size_t n, int borrow) {
  const char** to;
  size_t i;
  if (n == 0 || borrow) return list;
  to = put(s, NULL, n * sizeof(*to), sizeof(*to));
  for (i = 0; i < n; i++) {
    const char* text = put_string(s, list[i], 0);
    if (to != NULL) to[i] = text;
  }
  return to;
}

/* ------------------------------------------------------------ checking */

static int check_params(const char* const* list, size_t n, size_t* octets) {
  size_t i;
  if (n > 0 && list == NULL) return -EINVAL;
  for (i = 0; i < n; i++) {
    if (list[i] == NULL || uvsmtp__check_param(list[i]) != 0) return -EINVAL;
    *octets += 1 + strlen(list[i]);
    if (*octets > UVSMTP__LINE_MAX) return -EINVAL;
  }
  return 0;
}

/* An address and its parameters, `own` octets of which are the library's: will
 * the line be short enough? */
static int check_path(const char* address, int sender, size_t own,
                      const char* const* options, size_t noptions,
                      const char* const* more, size_t nmore) {
  uvsmtp_slice_t path;
  unsigned int flags;
  size_t octets = sizeof("MAIL FROM:<>\r\n") - 1 + UVSMTP__OWN_PARAMS_MAX + own;
  if (address == NULL) return -EINVAL;
  if (uvsmtp__parse_path(address, sender, &path, &flags) != 0) return -EINVAL;
  octets += path.len;
  if (check_params(options, noptions, &octets) != 0) return -EINVAL;
  if (check_params(more, nmore, &octets) != 0) return -EINVAL;
  return octets > UVSMTP__LINE_MAX ? -EINVAL : 0;
}

/* What is asked for a recipient: its own, or the message's. */
static unsigned int notify_of(const uvsmtp_rcpt_t* r,
                              const uvsmtp_mail_params_t* params) {
  if (r->notify != 0 || params == NULL) return r->notify;
  return params->notify;
}

static int check_rcpt(const uvsmtp_rcpt_t* from, const uvsmtp_message_t* m) {
  char text[UVSMTP__RCPT_PARAMS_MAX];
  uvsmtp_rcpt_t r;
  unsigned int notify;
  size_t own = 0;
  if (from == NULL || uvsmtp__take(&r, sizeof(r), from, RCPT_MIN) != 0)
    return -EINVAL;
  notify = notify_of(&r, m->params);
  if (notify != 0 || r.orcpt != NULL) {
    if (uvsmtp__rcpt_params_check(notify, r.orcpt) != 0) return -EINVAL;
    own = uvsmtp__rcpt_params_put(notify, r.orcpt, 0, 0, text);
  }
  return check_path(r.address, 0, own, r.options, r.noptions, m->rcpt_options,
                    m->nrcpt_options);
}

/* The sender and its parameters. */
static int check_sender(const uvsmtp_message_t* m, int headed) {
  char text[UVSMTP__MAIL_PARAMS_MAX];
  const char* from = m->from == NULL && headed ? "" : m->from;
  size_t own = 0;
  if (m->params != NULL) {
    if (uvsmtp__params_check(m->params) != 0) return -EINVAL;
    own = uvsmtp__params_put(m->params, 0, 0, text);
  }
  return check_path(from, 1, own, m->mail_options, m->nmail_options, NULL, 0);
}

/* headed: a header says what the message does not. */
static int check_message(const uvsmtp_message_t* m, int headed) {
  size_t i;
  /* A list that has become empty means nobody, and not all whom the header
   * names. */
  if (m->nrcpts == 0 ? !headed || m->rcpts != NULL : m->rcpts == NULL)
    return -EINVAL;
  if (m->nrcpts > RCPTS_MAX) return -EINVAL;
  if (m->line_ends > UVSMTP_LINES_BINARY || m->timeout < 0) return -EINVAL;
  if (m->flags & ~(unsigned int)(UVSMTP_MESSAGE_BORROW_STRINGS |
                                 UVSMTP_MESSAGE_NO_PIPELINING |
                                 UVSMTP_MESSAGE_NO_CHUNKING |
                                 UVSMTP_MESSAGE_ALL_OR_NOTHING |
                                 UVSMTP_MESSAGE_REFUSE_8BIT))
    return -EINVAL;
  if (uvsmtp__check_source(m->body) != 0 || check_sender(m, headed) != 0)
    return -EINVAL;
  for (i = 0; i < m->nrcpts; i++)
    if (check_rcpt(m->rcpts[i], m) != 0) return -EINVAL;
  return 0;
}

/* A whole command of an extension. */
static int check_extension(const uvsmtp_request_t* r) {
  size_t octets = 0;
  if (r->keyword == NULL || uvsmtp__check_param(r->keyword) != 0 ||
      check_params(r->options, r->noptions, &octets) != 0)
    return -EINVAL;
  /* The verbs of others are theirs here, too. */
  if (r->op == UVSMTP_OP_EXTENSION)
    return r->text == NULL ? -EINVAL : uvsmtp__check_command(r->text);
  if (uvsmtp__check_line(r->text) != 0) return -EINVAL;
  return uvsmtp__same(r->text, strcspn(r->text, " "), "XCLIENT", 7) ? 0
                                                                    : -EINVAL;
}

static int check_url(const char* url) {
  static const char around[] = "BURL  LAST";
  if (uvsmtp__check_line(url) != 0 || strchr(url, ' ') != NULL) return -EINVAL;
  return strlen(url) > UVSMTP__LINE_MAX - 1 - sizeof(around) ? -EINVAL : 0;
}

static int check_request(const uvsmtp_request_t* r, int lmtp) {
  switch (r->op) {
    case UVSMTP_OP_CONNECT:
      if (r->tls < UVSMTP_TLS_DEFAULT || r->tls > UVSMTP_TLS_IMPLICIT)
        return -EINVAL;
      return r->credentials == NULL ? 0 : uvsmtp__check_auth(r);
    case UVSMTP_OP_LOGIN:
      return r->credentials == NULL ? -EINVAL : uvsmtp__check_auth(r);
    case UVSMTP_OP_STARTTLS:
    case UVSMTP_OP_HELLO:
    case UVSMTP_OP_RSET:
    case UVSMTP_OP_NOOP:
    case UVSMTP_OP_QUIT:
      return 0;
    case UVSMTP_OP_HELO:
      /* RFC 2033 4.1: LHLO alone says hello under LMTP. */
      if (lmtp) return -EINVAL;
      return r->text == NULL ? 0 : uvsmtp__check_name(r->text);
    case UVSMTP_OP_EHLO:
      return r->text == NULL ? 0 : uvsmtp__check_name(r->text);
    case UVSMTP_OP_MAIL:
    case UVSMTP_OP_RCPT:
      return check_path(r->text, r->op == UVSMTP_OP_MAIL, 0, r->options,
                        r->noptions, NULL, 0);
    case UVSMTP_OP_DATA:
      if (r->line_ends > UVSMTP_LINES_STRICT) return -EINVAL;
      return uvsmtp__check_source(r->body);
    case UVSMTP_OP_BDAT:
      if (uvsmtp__check_source(r->body) != 0) return -EINVAL;
      return r->body->length == -1 ? -EINVAL : 0;
    case UVSMTP_OP_COMMAND:
      return r->text == NULL ? -EINVAL : uvsmtp__check_command(r->text);
    case UVSMTP_OP_EXTENSION:
    case UVSMTP_OP_XCLIENT:
      return check_extension(r);
    case UVSMTP_OP_BURL:
      return check_url(r->text);
    default:
      return -EINVAL;
  }
}

/* ----------------------------------------------------------- layout */

/* The path of an address that was checked. */
static uvsmtp_slice_t path_of(uvsmtp__op_t* op, const char* address,
                              int sender) {
  uvsmtp_slice_t path;
  unsigned int flags;
  (void)uvsmtp__parse_path(address, sender, &path, &flags);
  op->utf8 |= (uint8_t)(flags & (UVSMTP__PATH_UTF8 | UVSMTP__PATH_UTF8_LOCAL));
  return path;
}

static void fill_row(uvsmtp_rcpt_result_t* row, uvsmtp__op_t* op,
                     const char* address) {
  memset(row, 0, sizeof(*row));
  row->address = address;
  row->result = &op->result;
  row->path = path_of(op, address, 0);
}

static void set_rows(uvsmtp__op_t* op, uvsmtp_rcpt_result_t* rows, size_t n) {
  op->result.rcpts = rows;
  op->result.nrcpts = n;
  op->round.open = n;
}

/* Has it a parameter of its own that the raw options leave to us? */
static uint8_t is_own(const uvsmtp_rcpt_t* r, const uvsmtp_message_t* m) {
  unsigned int raw = uvsmtp__raw_keywords(m->rcpt_options, m->nrcpt_options) |
                     uvsmtp__raw_keywords(r->options, r->noptions);
  return (r->notify != 0 && !(raw & UVSMTP__RAW_NOTIFY)) ||
         (r->orcpt != NULL && !(raw & UVSMTP__RAW_ORCPT));
}

static void lay_rcpts(slab_t* s, uvsmtp__op_t* op, const uvsmtp_message_t* m,
                      int borrow) {
  size_t i;
  uvsmtp_rcpt_result_t* rows =
      put(s, NULL, m->nrcpts * sizeof(*rows), sizeof(void*));
  for (i = 0; i < m->nrcpts; i++) {
    uvsmtp_rcpt_t r;
    const char* address;
    const char* orcpt;
    const char* const* options;
    (void)uvsmtp__take(&r, sizeof(r), m->rcpts[i], RCPT_MIN);
    options = put_strings(s, r.options, r.noptions, borrow);
    orcpt = put_string(s, r.orcpt, borrow);
    address = put_string(s, r.address, borrow);
    if (op == NULL) continue;
    fill_row(&rows[i], op, address);
    rows[i].options = options;
    rows[i].noptions = r.noptions;
    rows[i].orcpt = orcpt;
    rows[i].notify = (uint8_t)notify_of(&r, m->params);
    if (r.notify != 0 || orcpt != NULL) op->rcpt_params |= is_own(&r, m);
  }
  if (op != NULL) set_rows(op, rows, m->nrcpts);
}

static const uvsmtp_mail_params_t* put_params(slab_t* s,
                                              const uvsmtp_mail_params_t* from,
                                              int borrow) {
  uvsmtp_mail_params_t* to;
  const char* envid;
  const char* until;
  const char* auth;
  if (from == NULL) return NULL;
  to = put(s, from, sizeof(*from), sizeof(void*));
  envid = put_string(s, from->envid, borrow);
  until = put_string(s, from->hold_until, borrow);
  auth = put_string(s, from->auth, borrow);
  if (to == NULL) return NULL;
  to->envid = envid;
  to->hold_until = until;
  to->auth = auth;
  return to;
}

int uvsmtp__op_set_envelope(const uvsmtp__mem_t* mem, uvsmtp__op_t* op,
                            const char* from, const char* const* rcpts,
                            size_t nrcpts) {
  uvsmtp_rcpt_result_t* rows;
  slab_t s = {NULL, nrcpts * sizeof(*rows)};
  size_t i;
  if (nrcpts > RCPTS_MAX) return -ENOMEM;
  if (op->result.sender == NULL) {
    if (check_path(from, 1, 0, NULL, 0, NULL, 0) != 0) return UVSMTP_EMESSAGE;
    (void)put_string(&s, from, 0);
  }
  for (i = 0; i < nrcpts; i++) {
    if (check_path(rcpts[i], 0, 0, NULL, 0, NULL, 0) != 0)
      return UVSMTP_EMESSAGE;
    (void)put_string(&s, rcpts[i], 0);
  }
  s.base = uvsmtp__alloc(mem, s.used);
  if (s.base == NULL) return -ENOMEM;
  op->rows = rows = (void*)s.base;
  op->rows_size = s.used;
  s.used = nrcpts * sizeof(*rows);
  if (op->result.sender == NULL) {
    op->arg = op->result.sender = put_string(&s, from, 0);
    op->path = path_of(op, op->arg, 1);
  }
  for (i = 0; i < nrcpts; i++) {
    fill_row(&rows[i], op, put_string(&s, rcpts[i], 0));
    if (op->params != NULL) rows[i].notify = (uint8_t)op->params->notify;
  }
  if (nrcpts > 0) set_rows(op, rows, nrcpts);
  return 0;
}

/* Lays the whole request out; op NULL while measuring. */
static void lay(slab_t* s, uvsmtp__op_t* op, const uvsmtp_request_t* r,
                const uvsmtp_message_t* m) {
  int borrow = m != NULL && (m->flags & UVSMTP_MESSAGE_BORROW_STRINGS);
  const char* const* options;
  const char* const* rcpt_options = NULL;
  const uvsmtp_mail_params_t* params = NULL;
  const char* keyword = NULL;
  const char* arg;
  if (m == NULL) {
    options = put_strings(s, r->options, r->noptions, 0);
    keyword = put_string(s, r->keyword, 0);
    arg = put_string(s, r->text, 0);
  } else {
    params = put_params(s, m->params, borrow);
    options = put_strings(s, m->mail_options, m->nmail_options, borrow);
    rcpt_options = put_strings(s, m->rcpt_options, m->nrcpt_options, borrow);
    lay_rcpts(s, op, m, borrow);
    arg = put_string(s, m->from, borrow);
  }
  if (op == NULL) return;
  op->options = options;
  op->noptions = m == NULL ? r->noptions : m->nmail_options;
  op->rcpt_options = rcpt_options;
  op->nrcpt_options = m == NULL ? 0 : m->nrcpt_options;
  op->params = params;
  op->keyword = keyword;
  op->arg = arg;
}

static void fill(uvsmtp__op_t* op, const uvsmtp_request_t* r,
                 const uvsmtp_message_t* m) {
  op->fn = r->fn;
  op->data = r->data;
  op->plan = (uint8_t)r->op;
  op->step = uvsmtp__plan_start(r->op);
  op->carries = r->op == UVSMTP_OP_SEND || r->op == UVSMTP_OP_DATA ||
                r->op == UVSMTP_OP_BDAT || r->op == UVSMTP_OP_BURL;
  op->text.source = m == NULL ? r->body : m->body;
  op->line_ends = (uint8_t)(r->op == UVSMTP_OP_BDAT ? UVSMTP_LINES_BINARY
                            : m == NULL             ? r->line_ends
                                                    : m->line_ends);
  if (m != NULL) {
    op->flags = m->flags;
    op->progress = m->progress;
    op->progress_arg = m->progress_arg;
    op->due = r->due;
    op->headed = r->envelope != NULL;
    if (m->from == NULL || m->nrcpts == 0) op->envelope = r->envelope;
  }
  op->last = r->last != 0;
  op->tls = (uint8_t)r->tls;
  op->local = r->local != 0;
  if (r->op == UVSMTP_OP_MAIL || r->op == UVSMTP_OP_SEND)
    op->result.sender = op->arg;
  if (op->arg != NULL && (r->op == UVSMTP_OP_MAIL || r->op == UVSMTP_OP_RCPT ||
                          r->op == UVSMTP_OP_SEND))
    op->path = path_of(op, op->arg, r->op != UVSMTP_OP_RCPT);
  uvsmtp__queue_init(&op->link);
}

int uvsmtp__op_new(const uvsmtp__mem_t* mem, const uvsmtp_request_t* request,
                   int lmtp, uvsmtp__op_t** out) {
  uvsmtp_request_t r;
  uvsmtp_message_t message;
  uvsmtp_mail_params_t params;
  const uvsmtp_message_t* m = NULL;
  slab_t s = {NULL, sizeof(uvsmtp__op_t)};
  uvsmtp__op_t* op;
  int rc;
  if (request == NULL || uvsmtp__take(&r, sizeof(r), request, REQUEST_MIN) != 0)
    return -EINVAL;
  if (r.op == UVSMTP_OP_SEND) {
    if (r.message == NULL ||
        uvsmtp__take(&message, sizeof(message), r.message, MESSAGE_MIN))
      return -EINVAL;
    if (message.params != NULL) {
      if (uvsmtp__take(&params, sizeof(params), message.params, PARAMS_MIN))
        return -EINVAL;
      message.params = &params;
    }
    m = &message;
    rc = check_message(m, r.envelope != NULL);
  } else {
    rc = check_request(&r, lmtp);
  }
  if (rc != 0) return rc;
  lay(&s, NULL, &r, m);
  op = uvsmtp__alloc(mem, s.used);
  if (op == NULL) return -ENOMEM;
  memset(op, 0, sizeof(*op));
  op->slab = s.used;
  s.base = (char*)op;
  s.used = sizeof(*op);
  lay(&s, op, &r, m);
  fill(op, &r, m);
  if (r.credentials != NULL) {
    op->auth = uvsmtp__exchange_new(mem, &r);
    if (op->auth == NULL) {
      uvsmtp__op_free(mem, op);
      return -ENOMEM;
    }
  }
  *out = op;
  return 0;
}

void uvsmtp__op_free(const uvsmtp__mem_t* mem, uvsmtp__op_t* op) {
  uvsmtp__exchange_free(op->auth);
  uvsmtp__free(mem, op->result.detail, op->result.detail_size);
  uvsmtp__buf_free(mem, &op->arena);
  uvsmtp__buf_free(mem, &op->text.stage);
  uvsmtp__free(mem, op->rows, op->rows_size);
  uvsmtp__free(mem, op, op->slab);
}

/* -------------------------------------------------------- failures */

void uvsmtp__op_revive(const uvsmtp__mem_t* mem, uvsmtp__op_t* op) {
  op->failed = 0;
  op->result.has_reply = 0;
  op->result.status = 0;
  op->result.cause = 0;
  op->verdict = UVSMTP_OUTCOME_NONE;
  uvsmtp__free(mem, op->result.detail, op->result.detail_size);
  op->result.detail = NULL;
  op->result.detail_size = 0;
}

void uvsmtp__op_fail(uvsmtp__op_t* op, int error, int cause, int stage) {
  if (op->failed) return;
  op->failed = 1;
  op->result.has_reply = 0;
  op->result.status = error;
  op->result.cause = cause;
  op->result.stage = (uint8_t)stage;
}
