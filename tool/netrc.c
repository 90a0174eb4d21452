/* SPDX-License-Identifier: MIT */
/* netrc.c: the file in which ftp, curl, msmtp and others look passwords up:
 *
 *   machine HOST [port PORT] login USER password SECRET
 *   default login USER password SECRET
 *
 * Words with blanks or line ends between them, in quotation marks where they
 * have some of their own. The first entry that fits counts. Read in one go over
 * the text, which is changed on the way. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tool.h"

typedef struct reader_s {
  char* at;
  char* end;
  unsigned int line;
  const char* wrong; /* NULL: nothing yet */
} reader_t;

typedef struct entry_s {
  unsigned int line;
  int begun;
  int host; /* it is for this host, */
  int port; /* and for this port */
  int has_login;
  uvsmtp_slice_t login;
  uvsmtp_slice_t password;
} entry_t;

static int is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int is(uvsmtp_slice_t word, const char* text) {
  return word.len == strlen(text) && memcmp(word.base, text, word.len) == 0;
}

/* As is, but in any case. */
static int is_like(uvsmtp_slice_t word, const char* text) {
  return word.len == strlen(text) &&
         strncasecmp(word.base, text, word.len) == 0;
}

/* ----------------------------------------------------------------- words */

static void skip_line(reader_t* r) {
  while (r->at < r->end && *r->at != '\n') r->at++;
}

static void skip_blanks(reader_t* r) {
  for (; r->at < r->end && is_blank(*r->at); r->at++) r->line += *r->at == '\n';
}

/* Behind a backslash. */
static char escaped(char c) {
  return c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
}

/* What is quoted becomes what is meant, in place. */
static int quoted(reader_t* r, uvsmtp_slice_t* word) {
  char* to = ++r->at;
  word->base = to;
  while (r->at < r->end && *r->at != '"' && *r->at != '\n') {
    if (*r->at == '\\' && r->at + 1 < r->end && r->at[1] != '\n') {
      *to++ = escaped(r->at[1]);
      r->at += 2;
    } else {
      *to++ = *r->at++;
    }
  }
  word->len = (size_t)(to - (char*)word->base);
  if (r->at == r->end || *r->at != '"') {
    r->wrong = "a quotation mark is not closed";
    return 0;
  }
  r->at++;
  if (r->at < r->end && !is_blank(*r->at))
    r->wrong = "text follows a quotation mark";
  return r->wrong == NULL;
}

/* The next word; 0 at the end or where something is wrong. A value may begin
 * with "#", which elsewhere begins a comment. */
static int next(reader_t* r, int value, uvsmtp_slice_t* word) {
  skip_blanks(r);
  while (!value && r->at < r->end && *r->at == '#') {
    skip_line(r);
    skip_blanks(r);
  }
  if (r->at == r->end) {
    if (value) r->wrong = "it ends where a value should be";
    return 0;
  }
  if (*r->at == '"') return quoted(r, word);
  word->base = r->at;
  while (r->at < r->end && !is_blank(*r->at)) r->at++;
  word->len = (size_t)(r->at - (const char*)word->base);
  return 1;
}

/* Commands of ftp's, up to an empty line. */
static void skip_macro(reader_t* r) {
  skip_line(r);
  while (r->at < r->end) {
    const char* begin;
    r->at++; /* the line end */
    r->line++;
    begin = r->at;
    skip_line(r);
    if (r->at == begin || (r->at == begin + 1 && *begin == '\r')) return;
  }
}

/* --------------------------------------------------------------- entries */

/* Brackets around an IPv6 address are not part of it. */
static int names_host(uvsmtp_slice_t word, const char* host) {
  size_t n = strlen(host);
  uvsmtp_slice_t bare = word;
  if (host[0] == '/') return is(word, host);
  if (n > 1 && host[0] == '[') {
    host++;
    n -= 2;
  }
  if (bare.len > 1 && ((const char*)bare.base)[0] == '[') {
    bare.base = (const char*)bare.base + 1;
    bare.len -= 2;
  }
  return bare.len == n && strncasecmp(bare.base, host, n) == 0;
}

/* A number, or as in Emacs the name of a service, where the protocol's own is
 * that of all its ports. */
static int names_port(uvsmtp_slice_t word, const netrc_query_t* q) {
  char text[8];
  if (is_like(word, "smtp")) return !q->lmtp;
  if (is_like(word, "lmtp")) return q->lmtp;
  if (is_like(word, "submission")) return q->port == UVSMTP_PORT_SUBMISSION;
  if (is_like(word, "smtps") || is_like(word, "submissions"))
    return q->port == UVSMTP_PORT_SMTPS;
  snprintf(text, sizeof(text), "%d", q->port);
  return q->port != 0 && is(word, text);
}

static int fits(const entry_t* e, const netrc_query_t* q) {
  return e->begun && e->host && e->port &&
         (q->user == NULL || !e->has_login || is(e->login, q->user));
}

static void begin(entry_t* e, unsigned int line, int host) {
  memset(e, 0, sizeof(*e));
  e->begun = 1;
  e->line = line;
  e->host = host;
  e->port = 1;
}

/* A keyword and its value. */
static void take(reader_t* r, entry_t* e, uvsmtp_slice_t keyword,
                 const netrc_query_t* q) {
  uvsmtp_slice_t value;
  if (!next(r, 1, &value)) return;
  if (is(keyword, "login") || is(keyword, "user")) {
    e->login = value;
    e->has_login = 1;
  } else if (is(keyword, "password")) {
    e->password = value;
  } else if (is(keyword, "port")) {
    e->port = names_port(value, q);
  }
}

static int has_value(uvsmtp_slice_t keyword) {
  static const char* const keywords[] = {"login", "user",    "password",
                                         "port",  "account", "force"};
  size_t i;
  for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
    if (is(keyword, keywords[i])) return 1;
  return 0;
}

/* What other programs have added to entries that are not ours is none of our
 * business. What stands in ours without belonging there may be half of a
 * password with a blank in it. */
static int is_foreign(const entry_t* e) { return e->begun && !e->host; }

int netrc_find(char* text, size_t len, const netrc_query_t* q,
               netrc_entry_t* found) {
  reader_t r = {text, text + len, 1, NULL};
  entry_t e;
  uvsmtp_slice_t word;
  memset(&e, 0, sizeof(e));
  memset(found, 0, sizeof(*found));
  if (memchr(text, '\0', len) != NULL) r.wrong = "there is a NUL in it";
  while (r.wrong == NULL && next(&r, 0, &word)) {
    int machine = is(word, "machine");
    if (machine || is(word, "default")) {
      if (fits(&e, q)) break;
      begin(&e, r.line, !machine);
      if (machine && next(&r, 1, &word)) e.host = names_host(word, q->host);
    } else if (is(word, "macdef")) {
      if (next(&r, 1, &word)) skip_macro(&r);
    } else if (has_value(word) && e.begun) {
      take(&r, &e, word, q);
    } else if (!is_foreign(&e)) {
      r.wrong =
          "there is a word that does not belong there; one with a blank "
          "in it needs quotation marks";
    }
  }
  found->line = r.wrong != NULL ? r.line : e.line;
  found->wrong = r.wrong;
  if (r.wrong != NULL || !fits(&e, q)) return 0;
  found->login = e.login;
  found->password = e.password;
  return 1;
}
