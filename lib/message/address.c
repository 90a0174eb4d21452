/* SPDX-License-Identifier: MIT */
/* address.c: address lists of RFC 5322 3.4, with the obsolete syntax of 4.4 and
 * UTF-8 (RFC 6532 3.2) in every word. What is lexed is lexed once, or twice
 * where an "@" tells late that words were a local part; comments are counted,
 * not descended into. */
#include "message/message.h"

#include <errno.h>
#include <string.h>

#include "core/ascii.h"
#include "core/command.h"

typedef struct span_s {
  const char* at;
  const char* end;
} span_t;

/* An address that is written: as much of it as SMTP has room for, and how long
 * all of it is. */
typedef struct out_s {
  char text[UVSMTP__PATH_MAX + 1];
  size_t len;
} out_t;

/* Words and dots in a row. */
typedef struct words_s {
  const char* last; /* behind the last of them */
  size_t n;         /* both together; 0: none */
  int apart;        /* two stand beside each other: no local part */
  int quoted;       /* one has quotes */
} words_t;

static int fail(const char** reason, const char* sentence) {
  *reason = sentence;
  return UVSMTP_EMESSAGE;
}

static void put(out_t* out, char c) {
  if (out == NULL) return;
  if (out->len < sizeof(out->text)) out->text[out->len] = c;
  out->len++;
}

static int is_fold(char c) { return c == '\r' || c == '\n'; }

static int is_space(char c) { return uvsmtp__is_blank(c) || is_fold(c); }

/* What ends an atom. Controls and backslashes don't: real display names have
 * them. In an address they are refused when it is written. */
static int is_special(char c) {
  switch (c) {
    case '(':
    case ')':
    case '<':
    case '>':
    case '[':
    case ']':
    case ':':
    case ';':
    case '@':
    case ',':
    case '.':
    case '"':
      return 1;
    default:
      return is_space(c);
  }
}

static int starts_with(const span_t* s, char c) {
  return s->at < s->end && *s->at == c;
}

const char* uvsmtp__comment_end(const char* at, const char* end) {
  size_t depth = 0;

  for (; at < end; at++) {
    if (*at == '(') depth++;
    if (*at == ')' && --depth == 0) return at + 1;
    if (*at == '\\' && end - at > 1) at++;
  }
  return NULL;
}

static int skip_comment(span_t* s, const char** reason) {
  const char* stop = uvsmtp__comment_end(s->at, s->end);

  if (stop == NULL)
    return fail(reason, "a comment in an address list has no end");
  s->at = stop;
  return 0;
}

static int skip_cfws(span_t* s, const char** reason) {
  int status = 0;

  while (s->at < s->end && status == 0) {
    if (*s->at == '(')
      status = skip_comment(s, reason);
    else if (is_space(*s->at))
      s->at++;
    else
      break;
  }
  return status;
}

/* From the quote to behind the one that closes it: what it stands for, with a
 * backslash where it needs one. */
static int quoted(span_t* s, out_t* out, const char** reason) {
  for (s->at++; s->at < s->end; s->at++) {
    if (*s->at == '"') {
      s->at++;
      return 0;
    }
    if (*s->at == '\\' && s->end - s->at > 1) s->at++;
    if (is_fold(*s->at)) continue;
    if (*s->at == '"' || *s->at == '\\') put(out, '\\');
    put(out, *s->at);
  }
  return fail(reason, "a quoted string in an address list has no end");
}

static int atom(span_t* s, out_t* out, const char** reason) {
  for (; s->at < s->end && !is_special(*s->at); s->at++) {
    if (out != NULL && *s->at == '\\')
      return fail(reason, "a backslash in an address is not in quotes");
    put(out, *s->at);
  }
  return 0;
}

/* Words, dots, and what may stand between them. */
static int words(span_t* s, out_t* out, words_t* w, const char** reason) {
  int joined = 1;
  int status;

  memset(w, 0, sizeof(*w));
  w->last = s->at;
  for (;;) {
    status = skip_cfws(s, reason);
    if (status != 0 || s->at == s->end) return status;
    if (*s->at == '.') {
      put(out, '.');
      s->at++;
      joined = 1;
    } else if (*s->at == '"' || !is_special(*s->at)) {
      if (!joined) w->apart = 1;
      joined = 0;
      if (*s->at == '"') w->quoted = 1;
      status = *s->at == '"' ? quoted(s, out, reason) : atom(s, out, reason);
      if (status != 0) return status;
    } else {
      return 0;
    }
    w->last = s->at;
    w->n++;
  }
}

/* What blanks there are in it is not part of it (RFC 5322 3.4.1). */
static int literal(span_t* s, out_t* out, const char** reason) {
  put(out, *s->at);
  for (s->at++; s->at < s->end; s->at++) {
    if (*s->at == ']') {
      put(out, *s->at++);
      return 0;
    }
    if (is_space(*s->at)) continue;
    if (*s->at == '\\' && s->end - s->at > 1) s->at++;
    put(out, *s->at);
  }
  return fail(reason, "a domain literal in an address list has no end");
}

/* A domain and the blanks behind it; *last: behind the domain. */
static int domain(span_t* s, out_t* out, const char** last,
                  const char** reason) {
  const char* start;
  int joined = 1;
  int status = skip_cfws(s, reason);

  start = s->at;
  *last = start;
  if (status == 0 && starts_with(s, '[')) {
    status = literal(s, out, reason);
    *last = s->at;
    return status != 0 ? status : skip_cfws(s, reason);
  }
  while (status == 0 && s->at < s->end) {
    if (*s->at == '.') {
      put(out, *s->at++);
      joined = 1;
    } else if (joined && !is_special(*s->at)) {
      status = atom(s, out, reason);
      joined = 0;
    } else {
      break;
    }
    *last = s->at;
    if (status == 0) status = skip_cfws(s, reason);
  }
  if (status == 0 && *last == start)
    return fail(reason, "an address in the header has no domain");
  return status;
}

/* A local part, "@" and a domain, or a local part alone. */
static int spec(span_t* s, out_t* out, const char** last, const char** reason) {
  words_t w;
  int status = words(s, out, &w, reason);

  if (status != 0) return status;
  if (w.n == 0)
    return fail(reason, "an address in the header has no local part");
  if (w.apart)
    return fail(reason, starts_with(s, '@')
                            ? "an address in the header has a blank in its "
                              "local part"
                            : "words in an address list are no address");
  *last = w.last;
  if (w.quoted && out != NULL) {
    /* A quoted word among others is more than SMTP knows (RFC 5321 4.1.2): all
     * of it is quoted then, which means the same. */
    if (out->len < sizeof(out->text))
      memmove(out->text + 1, out->text, out->len);
    out->text[0] = '"';
    out->len++;
    put(out, '"');
  }
  if (!starts_with(s, '@')) return 0;
  put(out, *s->at++);
  return domain(s, out, last, reason);
}

/* obs-route of RFC 5322 4.4, up to behind its colon. */
static int skip_route(span_t* s, const char** reason) {
  const char* last;
  int status = 0;

  if (!starts_with(s, '@') && !starts_with(s, ',')) return 0;
  while (status == 0 && s->at < s->end) {
    char c = *s->at++;

    if (c == ':') return 0;
    if (c == '@')
      status = domain(s, NULL, &last, reason);
    else if (c == ',')
      status = skip_cfws(s, reason);
    else
      break;
  }
  if (status != 0) return status;
  return fail(reason, "a route in an address list makes no sense");
}

/* Between angle brackets. */
static int angle(span_t* s, uvsmtp__mailbox_t* mailbox, const char** reason) {
  const char* start;
  const char* last = s->at;
  int status;

  s->at++;
  status = skip_cfws(s, reason);
  if (status == 0) status = skip_route(s, reason);
  if (status == 0) status = skip_cfws(s, reason);
  if (status != 0) return status;
  start = s->at;
  status = spec(s, NULL, &last, reason);
  if (status != 0) return status;
  mailbox->spec.base = start;
  mailbox->spec.len = (size_t)(last - start);
  if (!starts_with(s, '>'))
    return fail(reason, "an address in the header has no closing bracket");
  s->at++;
  return skip_cfws(s, reason);
}

/* What begins at s->at: 1: a mailbox, up to what has to separate it from the
 * next; 0: a group was opened. */
static int element(uvsmtp__list_t* list, span_t* s, uvsmtp__mailbox_t* mailbox,
                   const char** reason) {
  const char* start = s->at;
  const char* last = start;
  words_t w;
  int status = words(s, NULL, &w, reason);

  if (status != 0) return status;
  mailbox->name.base = start;
  mailbox->name.len = 0;
  if (starts_with(s, ':')) {
    if (w.n == 0) return fail(reason, "a group of addresses has no name");
    s->at++;
    list->in_group++;
    return 0;
  }
  if (starts_with(s, '<')) {
    mailbox->name.len = (size_t)(w.last - start);
    status = angle(s, mailbox, reason);
  } else {
    s->at = start;
    mailbox->spec.base = start;
    status = spec(s, NULL, &last, reason);
    mailbox->spec.len = (size_t)(last - start);
  }
  if (status != 0) return status;
  if (s->at < s->end && *s->at != ',' && *s->at != ';')
    return fail(reason, "no comma is between two addresses in the header");
  return 1;
}

int uvsmtp__list_next(uvsmtp__list_t* list, uvsmtp__mailbox_t* mailbox,
                      const char** reason) {
  span_t s;
  int status;

  s.at = list->at;
  s.end = list->end;
  do {
    status = skip_cfws(&s, reason);
    if (status != 0) return status;
    if (s.at == s.end) {
      list->at = s.at;
      return list->in_group == 0
                 ? 0
                 : fail(reason, "a group of addresses has no semicolon");
    }
    if (*s.at == ';') {
      if (list->in_group == 0)
        return fail(reason, "a semicolon is outside of a group of addresses");
      list->in_group--;
      s.at++;
    } else if (*s.at == ',') {
      s.at++;
    } else {
      status = element(list, &s, mailbox, reason);
    }
  } while (status == 0);
  list->at = s.at;
  return status;
}

int uvsmtp__mailbox_put(const uvsmtp__mem_t* mem, uvsmtp__buf_t* b,
                        const uvsmtp__mailbox_t* mailbox, const char** reason) {
  span_t s;
  out_t out;
  uvsmtp_slice_t path;
  unsigned int flags;
  const char* last;
  int status;

  s.at = mailbox->spec.base;
  s.end = s.at + mailbox->spec.len;
  out.len = 0;
  status = spec(&s, &out, &last, reason);
  if (status != 0) return status;
  if (s.at != s.end)
    return fail(reason, "an address in the header has a special character");
  if (out.len > UVSMTP__PATH_MAX - 2)
    return fail(reason, "an address in the header is too long for SMTP");
  out.text[out.len] = '\0';
  if (uvsmtp__parse_path(out.text, 0, &path, &flags) != 0 ||
      path.len != out.len)
    return fail(reason, "an address in the header is none that SMTP takes");
  return uvsmtp__buf_append(mem, b, out.text, out.len + 1, SIZE_MAX);
}
