/* SPDX-License-Identifier: MIT */
/* uvsmtp-sink: transactions, and what is kept of a message. With --store each
 * accepted message becomes N.eml, its octets as received, and N.env, JSON that
 * describes its envelope. N.env appears last and whole, so who sees it may
 * read both. Without, nothing is kept but counts. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sink.h"

#define SPARE_CAP 256
#define SPARE_BUF_CAP 4096

struct sink_txn* sink_txn_new(struct sink* s) {
  struct sink_txn* t = s->spare;

  if (t != NULL) {
    s->spare = t->next;
    s->nspare--;
    return t;
  }
  t = sink_alloc(sizeof(*t));
  memset(t, 0, sizeof(*t));
  return t;
}

static void make_name(const struct sink* s, uint64_t number, const char* ending,
                      char* out, size_t cap) {
  snprintf(out, cap, "%s/%llu.%s", s->opt.store, (unsigned long long)number,
           ending);
}

/* The name of the text while the message is not accepted. */
static void make_draft(const struct sink* s, const struct sink_conn* c,
                       char* out, size_t cap) {
  snprintf(out, cap, "%s/.%ld-%llu.tmp", s->opt.store, (long)getpid(),
           (unsigned long long)c->id);
}

static void clear(struct sink_buf* b) {
  b->len = 0;
  if (b->cap > SPARE_BUF_CAP) sink_buf_free(b);
}

static void txn_free(struct sink_txn* t) {
  sink_buf_free(&t->from);
  sink_buf_free(&t->rcpts);
  sink_buf_free(&t->finals);
  free(t);
}

/* Ends the transaction of a connection, if it has one. */
void sink_txn_end(struct sink* s, struct sink_conn* c) {
  struct sink_txn* t = c->txn;
  char name[4200];

  if (t == NULL) return;
  c->txn = NULL;
  if (t->file != NULL) {
    fclose(t->file);
    make_draft(s, c, name, sizeof(name));
    unlink(name);
  }
  if (s->nspare == SPARE_CAP) {
    txn_free(t);
    return;
  }
  clear(&t->from);
  clear(&t->rcpts);
  clear(&t->finals);
  t->file = NULL;
  t->octets = 0;
  t->chunks = 0;
  t->nrcpt = 0;
  t->special = 0;
  t->tried = false;
  t->utf8 = false;
  t->broken = false;
  t->next = s->spare;
  s->spare = t;
  s->nspare++;
}

void sink_txn_free_all(struct sink* s) {
  while (s->spare != NULL) {
    struct sink_txn* t = s->spare;

    s->spare = t->next;
    txn_free(t);
  }
}

static void add_path(struct sink_buf* b, const struct sink_path* path) {
  sink_buf_add(b, path->address, path->naddress);
  sink_buf_add(b, "", 1);
  sink_buf_add(b, path->params, path->nparams);
  sink_buf_add(b, "", 1);
}

void sink_txn_from(struct sink* s, struct sink_txn* t,
                   const struct sink_path* path) {
  if (s->opt.store != NULL) add_path(&t->from, path);
}

void sink_txn_rcpt(struct sink* s, struct sink_txn* t,
                   const struct sink_path* path, unsigned char final) {
  if (s->opt.store != NULL) add_path(&t->rcpts, path);
  sink_buf_add(&t->finals, &final, 1);
  if (t->special == 0) t->special = final;
  t->nrcpt++;
}

/* Opens the draft; a failure is told once, and refuses the message. */
static bool open_draft(struct sink* s, struct sink_conn* c) {
  struct sink_txn* t = c->txn;
  char name[4200];

  if (t->file != NULL) return true;
  make_draft(s, c, name, sizeof(name));
  t->file = fopen(name, "wb");
  if (t->file == NULL) {
    perror(name);
    t->broken = true;
  }
  return t->file != NULL;
}

/* Takes text of the message, already without the dots that DATA adds. */
void sink_txn_text(struct sink* s, struct sink_conn* c, const char* p,
                   size_t n) {
  struct sink_txn* t = c->txn;

  /* A script can say 354 where there is no transaction. */
  if (t == NULL || n == 0) return;
  t->octets += n;
  if (s->opt.store == NULL || t->broken) return;
  if (s->opt.size_limit > 0 && t->octets > s->opt.size_limit) return;
  if (open_draft(s, c) && fwrite(p, 1, n, t->file) != n) t->broken = true;
}

static void json_string(FILE* f, const char* p, size_t n) {
  putc('"', f);
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)p[i];

    if (c == '"' || c == '\\')
      fprintf(f, "\\%c", c);
    else if (c < 0x20 || c == 0x7f)
      fprintf(f, "\\u%04x", c);
    else
      putc(c, f);
  }
  putc('"', f);
}

static void json_params(FILE* f, const char* p) {
  const char* comma = "";

  putc('[', f);
  while (*p != '\0') {
    size_t n = strcspn(p, " ");

    if (n > 0) {
      fputs(comma, f);
      json_string(f, p, n);
      comma = ", ";
    }
    p += n;
    p += strspn(p, " ");
  }
  putc(']', f);
}

/* One list over the recipients: addresses, parameters, or those whose own
 * verdict was a refusal. */
static void json_rcpts(FILE* f, const struct sink_txn* t, const char* name,
                       bool params, bool refused, bool all) {
  const char* p = t->rcpts.base;
  const char* comma = "";

  fprintf(f, ", \"%s\": [", name);
  for (size_t i = 0; i < t->nrcpt; i++) {
    const char* extra = p + strlen(p) + 1;
    bool taken = all || t->finals.base[i] == 0;

    if (taken != refused) {
      fputs(comma, f);
      comma = ", ";
      if (params)
        json_params(f, extra);
      else
        json_string(f, p, strlen(p));
    }
    p = extra + strlen(extra) + 1;
  }
  putc(']', f);
}

static bool write_env(const struct sink* s, const struct sink_conn* c,
                      uint64_t number, bool all) {
  const struct sink_txn* t = c->txn;
  const char* from = t->from.base;
  char draft[4200];
  char name[4200];
  FILE* f;
  bool ok;

  make_draft(s, c, draft, sizeof(draft));
  make_name(s, number, "env", name, sizeof(name));
  f = fopen(draft, "wb");
  if (f == NULL) return false;
  fprintf(f, "{\"protocol\": \"%s\", \"helo\": ",
          c->lmtp    ? "LMTP"
          : c->esmtp ? "ESMTP"
                     : "SMTP");
  json_string(f, c->helo, strlen(c->helo));
  fputs(", \"mail_from\": ", f);
  json_string(f, from, strlen(from));
  fputs(", \"mail_params\": ", f);
  json_params(f, from + strlen(from) + 1);
  json_rcpts(f, t, "recipients", false, false, all);
  json_rcpts(f, t, "recipient_params", true, false, all);
  json_rcpts(f, t, "refused", false, true, all);
  if (c->tls != NULL) fprintf(f, ", \"tls\": \"%s\"", sink_tls_version(c));
  fprintf(f, ", \"via\": \"%s\", \"chunks\": %llu, \"octets\": %llu}\n",
          t->chunks > 0 ? "BDAT" : "DATA", (unsigned long long)t->chunks,
          (unsigned long long)t->octets);
  ok = ferror(f) == 0;
  ok = fclose(f) == 0 && ok;
  ok = ok && rename(draft, name) == 0;
  if (!ok) unlink(draft);
  return ok;
}

/* Keeps the message of a connection's transaction and numbers it; false if it
 * can't be stored. "all" tells that no recipient's word counts. */
bool sink_txn_keep(struct sink* s, struct sink_conn* c, bool all) {
  struct sink_txn* t = c->txn;
  char draft[4200];
  char name[4200];
  bool ok;

  if (s->opt.store == NULL) {
    s->queued = s->messages + 1;
    return true;
  }
  if (t->broken || !open_draft(s, c)) return false;
  /* What an earlier run stored stays. */
  do {
    make_name(s, ++s->next_file, "eml", name, sizeof(name));
  } while (access(name, F_OK) == 0);
  make_draft(s, c, draft, sizeof(draft));
  ok = fclose(t->file) == 0;
  t->file = NULL;
  ok = ok && rename(draft, name) == 0 && write_env(s, c, s->next_file, all);
  if (!ok) {
    unlink(draft);
    unlink(name);
    perror(name);
  }
  s->queued = s->next_file;
  return ok;
}
