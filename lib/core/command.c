/* SPDX-License-Identifier: MIT */
/* command.c: judging what the caller wants to say, and writing command lines.
 * What is refused here can't break out of its place in a command. */
#include "core/command.h"

#include <errno.h>
#include <string.h>

#include "core/ascii.h"
#include "core/line.h"

static int is_control(char c) {
  return (unsigned char)c < 32 || (unsigned char)c == 127;
}

static int is_high(char c) { return (unsigned char)c > 127; }

/* What a scanner has still to read. */
typedef struct span_s {
  const char* at;
  const char* end;
} span_t;

size_t uvsmtp__utf8_octets(const char* s, size_t len) {
  const unsigned char* u = (const unsigned char*)s;
  unsigned char low = 0x80; /* bounds of the second octet */
  unsigned char high = 0xbf;
  size_t n;
  size_t i;

  if (u[0] < 0x80) return 1;
  if (u[0] < 0xc2 || u[0] > 0xf4) return 0;
  n = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
  if (u[0] == 0xe0) low = 0xa0;
  if (u[0] == 0xed) high = 0x9f;
  if (u[0] == 0xf0) low = 0x90;
  if (u[0] == 0xf4) high = 0x8f;
  if (len < n || u[1] < low || u[1] > high) return 0;
  for (i = 2; i < n; i++)
    if ((u[i] & 0xc0) != 0x80) return 0;
  return n;
}

int uvsmtp__check_utf8(const char* text, size_t len) {
  size_t n;

  for (; len > 0; text += n, len -= n) {
    n = uvsmtp__utf8_octets(text, len);
    if (n == 0 || is_control(*text)) return -EINVAL;
  }
  return 0;
}

int uvsmtp__check_text(const char* text, size_t len) {
  size_t i;

  for (i = 0; i < len; i++)
    if (is_control(text[i])) return -EINVAL;
  return 0;
}

int uvsmtp__check_param(const char* text) {
  const char* at = text;

  if (text == NULL || !uvsmtp__is_alnum(*at)) return -EINVAL;
  while (uvsmtp__is_alnum(*at) || *at == '-') at++;
  if (*at == '\0') return 0;
  /* RFC 5321 allows no second "=", but Postfix's XVERP takes it as a value. */
  if (at[0] != '=' || at[1] == '\0') return -EINVAL;
  if (strchr(at, ' ') != NULL) return -EINVAL;
  return uvsmtp__check_utf8(at, strlen(at));
}

int uvsmtp__check_name(const char* text) {
  size_t len;
  size_t i;

  if (text == NULL) return -EINVAL;
  len = strlen(text);
  if (len == 0 || len > UVSMTP__DOMAIN_MAX) return -EINVAL;
  /* Before the reply to EHLO the client can't know whether the server takes
   * UTF-8 (RFC 6531 3.7.1). */
  for (i = 0; i < len; i++)
    if (is_control(text[i]) || text[i] == ' ' || is_high(text[i]))
      return -EINVAL;
  return 0;
}

/* Skips the quoted string that begins at s->at (RFC 5321 4.1.2 Quoted-string).
 * Controls and malformed UTF-8 have been ruled out. */
static int skip_quoted(span_t* s) {
  for (s->at++; s->at < s->end; s->at++) {
    if (*s->at == '"') {
      s->at++;
      return 0;
    }
    if (*s->at != '\\') continue;
    s->at++;
    if (s->at == s->end || is_high(*s->at)) return -EINVAL;
  }
  return -EINVAL;
}

/* Skips an unquoted local part: all up to "@" or the end. Dots are not looked
 * at: addresses with two in a row exist. */
static int skip_local(span_t* s) {
  for (; s->at < s->end && *s->at != '@'; s->at++)
    if (strchr(" ()<>[]:;,\\\"", *s->at) != NULL) return -EINVAL;
  return 0;
}

static int check_literal(const char* text, size_t len) {
  size_t i;

  if (len < 3 || text[len - 1] != ']') return -EINVAL;
  for (i = 1; i < len - 1; i++)
    if (is_high(text[i]) || strchr(" []\\", text[i]) != NULL) return -EINVAL;
  return 0;
}

/* Its length needs no look: no path has room for UVSMTP__DOMAIN_MAX octets. */
static int check_domain(const char* text, size_t len) {
  size_t i;

  if (len == 0) return -EINVAL;
  if (text[0] == '[') return check_literal(text, len);
  for (i = 0; i < len; i++) {
    if (text[i] == '.' && (i == 0 || text[i - 1] == '.')) return -EINVAL;
    if (!uvsmtp__is_alnum(text[i]) && !is_high(text[i]) &&
        strchr("-._", text[i]) == NULL)
      return -EINVAL;
  }
  return 0;
}

static int check_mailbox(const char* text, size_t len) {
  span_t s;
  size_t local;
  int status;

  if (len == 0 || len > UVSMTP__PATH_MAX - 2) return -EINVAL;
  s.at = text;
  s.end = text + len;
  status = *text == '"' ? skip_quoted(&s) : skip_local(&s);
  if (status != 0) return status;

  local = (size_t)(s.at - text);
  if (local == 0 || local > UVSMTP__LOCAL_MAX) return -EINVAL;
  if (*text == '"' && local == 2) return -EINVAL;
  if (s.at == s.end) return 0;
  if (*s.at != '@') return -EINVAL;
  return check_domain(s.at + 1, (size_t)(s.end - s.at) - 1);
}

/* Moves s to the first "<" outside quotes, or to the end. Before a "<" only
 * what can be a display name is allowed: a separator there means a list or a
 * group, of which one address would be picked silently. */
static int skip_name(span_t* s) {
  const char* separator = NULL;

  while (s->at < s->end && *s->at != '<') {
    if (*s->at == '"') {
      if (skip_quoted(s) != 0) return -EINVAL;
      continue;
    }
    if (strchr(">,:;", *s->at) != NULL) separator = s->at;
    s->at++;
  }
  return s->at < s->end && separator != NULL ? -EINVAL : 0;
}

int uvsmtp__parse_path(const char* text, int sender, uvsmtp_slice_t* path,
                       unsigned int* flags) {
  span_t s;
  size_t len;
  size_t i;

  *flags = 0;
  path->base = text;
  path->len = 0;
  if (text == NULL) return -EINVAL;
  len = strlen(text);
  if (sender && (len == 0 || strcmp(text, "<>") == 0)) {
    *flags = UVSMTP__PATH_NULL;
    return 0;
  }
  if (uvsmtp__check_utf8(text, len) != 0) return -EINVAL;

  s.at = text;
  s.end = text + len;
  if (skip_name(&s) != 0) return -EINVAL;
  if (s.at < s.end) {
    if (s.end[-1] != '>') return -EINVAL;
    text = s.at + 1;
    len = (size_t)(s.end - text) - 1;
  }
  if (check_mailbox(text, len) != 0) return -EINVAL;

  path->base = text;
  path->len = len;
  for (i = 0; i < len && !is_high(text[i]); i++) continue;
  if (i == len) return 0;
  *flags |= UVSMTP__PATH_UTF8;
  /* The first of them is the one that counts. */
  if (i < len - uvsmtp__path_domain(*path).len)
    *flags |= UVSMTP__PATH_UTF8_LOCAL;
  return 0;
}

/* No domain holds "@" or a quote. */
uvsmtp_slice_t uvsmtp__path_domain(uvsmtp_slice_t path) {
  const char* base = path.base;
  size_t at = path.len;

  while (at > 0 && base[at - 1] != '@' && base[at - 1] != '"') at--;
  if (at == 0 || base[at - 1] == '"') at = path.len;
  path.base = base + at;
  path.len -= at;
  return path;
}

int uvsmtp__check_line(const char* line) {
  size_t len;

  if (line == NULL) return -EINVAL;
  len = strlen(line);
  if (len == 0 || len > UVSMTP__LINE_MAX - 2) return -EINVAL;
  return uvsmtp__check_utf8(line, len);
}

int uvsmtp__check_command(const char* line) {
  static const char refused[][9] = {
      "EHLO", "HELO", "LHLO", "STARTTLS", "AUTH", "MAIL", "RCPT",   "DATA",
      "BDAT", "BURL", "RSET", "QUIT",     "TURN", "ATRN", "XCLIENT"};
  size_t verb;
  size_t i;

  if (uvsmtp__check_line(line) != 0) return -EINVAL;
  /* Servers skip blanks before a verb: " DATA" would be one of those below. */
  if (*line == ' ') return -EINVAL;

  verb = strcspn(line, " ");
  for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
    if (uvsmtp__same(line, verb, refused[i], strlen(refused[i])))
      return -EINVAL;
  return 0;
}

/* Reserves what a counted line takes and turns it into one to be written, so
 * that nothing is reserved for one that is too long. */
static int begin(const uvsmtp__mem_t* mem, uvsmtp__buf_t* b,
                 uvsmtp__line_t* line) {
  if (line->len > UVSMTP__LINE_MAX) return -EINVAL;
  line->out = uvsmtp__buf_reserve(mem, b, line->len, SIZE_MAX);
  if (line->out == NULL) return -ENOMEM;
  line->len = 0;
  return 0;
}

/* One line of up to four strings. */
static int put_strings(const uvsmtp__mem_t* mem, uvsmtp__buf_t* b,
                       const char* const* strings, size_t n) {
  uvsmtp__line_t line = {NULL, 0};
  size_t i;
  int status;

  for (i = 0; i < n; i++) uvsmtp__line_string(&line, strings[i]);
  status = begin(mem, b, &line);
  if (status != 0) return status;
  for (i = 0; i < n; i++) uvsmtp__line_string(&line, strings[i]);
  uvsmtp__buf_commit(b, line.len);
  return 0;
}

int uvsmtp__put_hello(const uvsmtp__mem_t* mem, uvsmtp__buf_t* b,
                      const char* verb, const char* name) {
  const char* strings[4] = {verb, " ", name, "\r\n"};

  return put_strings(mem, b, strings, 4);
}

int uvsmtp__put_line(const uvsmtp__mem_t* mem, uvsmtp__buf_t* b,
                     const char* line) {
  const char* strings[2] = {line, "\r\n"};

  return put_strings(mem, b, strings, 2);
}

int uvsmtp__put_bdat(const uvsmtp__mem_t* mem, uvsmtp__buf_t* b, uint64_t n,
                     int last) {
  char digits[21];
  uvsmtp__line_t number = {digits, 0};
  const char* strings[3] = {"BDAT ", digits, last ? " LAST\r\n" : "\r\n"};

  uvsmtp__line_number(&number, n);
  digits[number.len] = '\0';
  return put_strings(mem, b, strings, 3);
}

int uvsmtp__put_burl(const uvsmtp__mem_t* mem, uvsmtp__buf_t* b,
                     const char* url, int last) {
  const char* strings[3] = {"BURL ", url, last ? " LAST\r\n" : "\r\n"};

  return put_strings(mem, b, strings, 3);
}

static void put_options(uvsmtp__line_t* line, const char* const* options,
                        size_t n) {
  size_t i;

  for (i = 0; i < n; i++) {
    uvsmtp__line_put(line, " ", 1);
    uvsmtp__line_string(line, options[i]);
  }
}

int uvsmtp__put_path(const uvsmtp__mem_t* mem, uvsmtp__buf_t* b,
                     const char* prefix, uvsmtp_slice_t path, const char* more,
                     const char* const* options, size_t noptions,
                     const char* const* options2, size_t noptions2) {
  uvsmtp__line_t line = {NULL, 0};
  int status;

  for (;;) {
    uvsmtp__line_string(&line, prefix);
    uvsmtp__line_put(&line, "<", 1);
    uvsmtp__line_put(&line, path.base, path.len);
    uvsmtp__line_put(&line, ">", 1);
    if (more != NULL) uvsmtp__line_string(&line, more);
    put_options(&line, options, noptions);
    put_options(&line, options2, noptions2);
    uvsmtp__line_put(&line, "\r\n", 2);
    if (line.out != NULL) break;
    status = begin(mem, b, &line);
    if (status != 0) return status;
  }
  uvsmtp__buf_commit(b, line.len);
  return 0;
}
