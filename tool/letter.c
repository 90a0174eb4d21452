/* SPDX-License-Identifier: MIT */
/* letter.c: writes a message, or makes what a sendmail gets whole: who sends
 * it, who gets it, and the fields that every message must have. */
#include "letter.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

int letter_wanted(const options_t* o) {
  return o->draft.wanted || o->sendmail.wanted;
}

static int fail(char* error, size_t cap, int exit_status, const char* text) {
  snprintf(error, cap, "%s", text);
  return exit_status;
}

/* --------------------------------------------------------------- writing */

/* "BEFORE a, b" of a list; NULL for no memory. */
static char* join(const char* before, const strings_t* list) {
  size_t len = strlen(before) + 1;
  size_t i;
  char* text;
  for (i = 0; i < list->n; i++) len += strlen(list->list[i]) + 2;
  text = malloc(len);
  if (text == NULL) return NULL;
  len = (size_t)sprintf(text, "%s", before);
  for (i = 0; i < list->n; i++)
    len +=
        (size_t)sprintf(text + len, "%s%s", i > 0 ? ", " : "", list->list[i]);
  return text;
}

/* 0 or an error. *to is the caller's. */
static int compose(const uvsmtp_draft_t* draft, char** to, size_t* len) {
  size_t cap = 1024;
  int rc = UV_ENOBUFS;
  *to = NULL;
  while (rc == UV_ENOBUFS) {
    char* more = realloc(*to, cap);
    rc = more == NULL ? UV_ENOMEM : 0;
    if (rc != 0) break;
    *to = more;
    *len = 0;
    rc = uvsmtp_compose(draft, *to, cap, len);
    /* Another date may be longer. */
    cap = *len + 64;
  }
  if (rc == 0) return 0;
  free(*to);
  *to = NULL;
  return rc;
}

/* Would it be taken, with this in the place of what has not been given? */
static int is_bad(uvsmtp_draft_t draft) {
  char* text;
  size_t len;
  int rc;
  if (draft.from == NULL) draft.from = "a@b";
  rc = compose(&draft, &text, &len);
  free(text);
  return rc == UV_EINVAL;
}

static const char* bad_in(const strings_t* s) {
  uvsmtp_draft_t draft = UVSMTP_DRAFT_INIT;
  size_t i;
  for (i = 0; i < s->n; i++) {
    draft.to = s->list[i];
    if (*draft.to == '\0' || is_bad(draft)) return draft.to;
  }
  return NULL;
}

const char* letter_check(const options_t* o) {
  const draft_options_t* d = &o->draft;
  const struct {
    const char* name;
    const strings_t* list;
  } lists[] = {{"--to", &o->to}, {"--cc", &d->cc}, {"--bcc", &d->bcc}};
  uvsmtp_draft_t from = UVSMTP_DRAFT_INIT;
  uvsmtp_draft_t subject = UVSMTP_DRAFT_INIT;
  uvsmtp_draft_t text = UVSMTP_DRAFT_INIT;
  size_t i;
  if (!d->wanted) return NULL;
  from.from = o->from;
  subject.subject = d->subject;
  text.text = d->text;
  if (is_bad(from))
    return options_complain("--from", o->from, "it is no mailbox");
  for (i = 0; i < 3; i++) {
    const char* bad = bad_in(lists[i].list);
    if (bad != NULL)
      return options_complain(lists[i].name, bad, "it is no list of mailboxes");
  }
  if (is_bad(subject))
    return options_complain("--subject", d->subject,
                            "not in UTF-8, or with a control character");
  if (is_bad(text))
    return options_complain("--text", d->text,
                            "not in UTF-8, or with a control character");
  return NULL;
}

/* What was given several times as one list each. */
static int fields(const options_t* o, char** to, char** cc) {
  *to = o->to.n == 0 ? NULL : join("", &o->to);
  *cc = o->draft.cc.n == 0 ? NULL : join("", &o->draft.cc);
  return (o->to.n > 0 && *to == NULL) || (o->draft.cc.n > 0 && *cc == NULL)
             ? UV_ENOMEM
             : 0;
}

/* Takes the recipients of a header but for those that are in `but`. */
static int take_all(letter_t* l, const uvsmtp_envelope_t* envelope,
                    const strings_t* but) {
  size_t n;
  const char* const* rcpts = uvsmtp_envelope_rcpts(envelope, &n);
  size_t i;
  size_t k;
  for (i = 0; i < n; i++) {
    for (k = 0; k < but->n && strcmp(but->list[k], rcpts[i]) != 0; k++)
      continue;
    if (k == but->n && options_add(&l->rcpts, rcpts[i]) != NULL)
      return UV_ENOMEM;
  }
  return 0;
}

static int write_letter(letter_t* l, const options_t* o, const char* text,
                        char** to, char** cc, const char** reason) {
  static const strings_t nobody = {NULL, 0};
  uvsmtp_draft_t draft = UVSMTP_DRAFT_INIT;
  size_t len;
  int rc = fields(o, to, cc);
  if (rc != 0) return rc;
  draft.from = o->from;
  draft.to = *to;
  draft.cc = *cc;
  draft.subject = o->draft.subject;
  draft.text = o->draft.text != NULL ? o->draft.text : text;
  rc = compose(&draft, &l->written, &len);
  if (rc != 0) return rc;
  l->slices[0].base = l->written;
  l->slices[0].len = len;
  rc = uvsmtp_envelope_new(&l->envelope, NULL, l->written, len, reason);
  if (rc != 0) return rc;
  l->from = uvsmtp_envelope_from(l->envelope);
  rc = take_all(l, l->envelope, &nobody);
  if (rc != 0 || o->draft.bcc.n == 0) return rc;
  l->blind = join("Bcc: ", &o->draft.bcc);
  if (l->blind == NULL) return UV_ENOMEM;
  rc =
      uvsmtp_envelope_new(&l->unseen, NULL, l->blind, strlen(l->blind), reason);
  return rc == 0 ? take_all(l, l->unseen, &nobody) : rc;
}

static int written(letter_t* l, const options_t* o, const char* text,
                   size_t len, char* error, size_t cap) {
  const char* reason = NULL;
  char* to;
  char* cc;
  int rc;
  if (o->draft.text == NULL && strlen(text) != len)
    return fail(error, cap, EXIT_BAD_MESSAGE, "there is a NUL in the text");
  rc = write_letter(l, o, text, &to, &cc, &reason);
  free(to);
  free(cc);
  if (rc == 0 && (l->from == NULL || l->rcpts.n == 0))
    return fail(error, cap, EXIT_BAD_USAGE,
                l->from == NULL ? "no sender" : "no recipient");
  if (rc == 0) return 0;
  if (rc == UV_EINVAL)
    return fail(error, cap, EXIT_BAD_MESSAGE,
                "the text is not in UTF-8, or has a control character");
  if (rc == UVSMTP_EMESSAGE)
    return fail(error, cap, EXIT_BAD_USAGE,
                reason != NULL ? reason : uvsmtp_strerror(rc));
  return fail(error, cap, EXIT_OS, uvsmtp_strerror(rc));
}

/* --------------------------------------------------------------- sendmail */

/* Fields without which a message is none (RFC 5322 3.6), or can't be told from
 * others. */
enum { HAS_FROM = 1u << 0, HAS_DATE = 1u << 1, HAS_MESSAGE_ID = 1u << 2 };

/* The length of a field's name, or 0: it is no field (RFC 5322 2.2, 4.5). */
static size_t name_length(const char* line, size_t len) {
  size_t n = 0;
  size_t colon;
  while (n < len && line[n] > 32 && line[n] < 127 && line[n] != ':') n++;
  colon = n;
  while (colon < len && (line[colon] == ' ' || line[colon] == '\t')) colon++;
  return colon < len && line[colon] == ':' ? n : 0;
}

static unsigned int which(const char* name, size_t n) {
  if (n == 4 && strncasecmp(name, "From", n) == 0) return HAS_FROM;
  if (n == 4 && strncasecmp(name, "Date", n) == 0) return HAS_DATE;
  if (n == 10 && strncasecmp(name, "Message-ID", n) == 0) return HAS_MESSAGE_ID;
  return 0;
}

/* The octets of a line with its end. */
static size_t line_length(const char* at, const char* end) {
  const char* p = at;
  while (p < end && *p != '\r' && *p != '\n') p++;
  if (p < end && *p++ == '\r' && p < end && *p == '\n') p++;
  return (size_t)(p - at);
}

/* The next field with what it is folded into, or 0: the header is over. */
static size_t field_length(const char* at, const char* end) {
  size_t n = line_length(at, end);
  if (name_length(at, n) == 0) return 0;
  while (at + n < end && (at[n] == ' ' || at[n] == '\t'))
    n += line_length(at + n, end);
  return n;
}

static unsigned int fields_there(const char* at, const char* end) {
  unsigned int there = 0;
  size_t n;
  for (; (n = field_length(at, end)) > 0; at += n)
    there |= which(at, name_length(at, n));
  return there;
}

/* "NAME <ADDR>" or <ADDR>, with a domain: that of the login where there is
 * none. name may be NULL. */
static char* mailbox(const char* name, const char* address, const char* login) {
  size_t len = strlen(address);
  int bracketed = len > 1 && *address == '<' && address[len - 1] == '>';
  char* text =
      malloc(2 * (name == NULL ? 0 : strlen(name)) + len + strlen(login) + 6);
  char* p = text;
  if (text == NULL) return NULL;
  if (name != NULL) {
    *p++ = '"';
    for (; *name != '\0'; name++) {
      if (*name == '"' || *name == '\\') *p++ = '\\';
      *p++ = *name;
    }
    *p++ = '"';
    *p++ = ' ';
  }
  (void)sprintf(p, "<%.*s%s>", (int)(bracketed ? len - 2 : len),
                address + bracketed,
                strchr(address, '@') == NULL ? strchr(login, '@') : "");
  return text;
}

/* Of a message that is composed for it, keeps the fields that are missing. What
 * has no header at all gets an empty line behind them. */
static int add_missing(letter_t* l, const char* author, unsigned int there,
                       int bare) {
  uvsmtp_draft_t draft = UVSMTP_DRAFT_INIT;
  size_t len;
  size_t n;
  size_t kept = 0;
  char* at;
  char* end;
  int rc;
  draft.from = author;
  rc = compose(&draft, &l->written, &len);
  if (rc != 0) return rc;
  at = l->written;
  end = at + len;
  for (; (n = field_length(at, end)) > 0; at += n) {
    unsigned int field = which(at, name_length(at, n));
    if (field == 0 || (there & field)) continue;
    memmove(l->written + kept, at, n);
    kept += n;
  }
  /* Others are behind those three, and an empty line. */
  if (bare) memcpy(l->written + kept, "\r\n", 2);
  l->slices[0].base = l->written;
  l->slices[0].len = kept + (bare ? 2 : 0);
  return 0;
}

/* Who runs this program, at this machine, as sendmail has it. */
static int find_login(letter_t* l) {
  const struct passwd* user = getpwuid(getuid());
  const char* name = user != NULL ? user->pw_name : "nobody";
  char host[256];
  if (gethostname(host, sizeof(host)) != 0) return UV_EINVAL;
  host[sizeof(host) - 1] = '\0';
  l->login = malloc(strlen(name) + strlen(host) + 2);
  if (l->login == NULL) return UV_ENOMEM;
  (void)sprintf(l->login, "%s@%s", name, host);
  return 0;
}

/* The envelope: what was given, what the header says, and who we are. */
static int address(letter_t* l, const options_t* o, const char* text,
                   size_t len, const char** reason) {
  size_t i;
  int rc = find_login(l);
  if (rc != 0) return rc;
  for (i = 0; i < o->to.n; i++)
    if (options_add(&l->rcpts, o->to.list[i]) != NULL) return UV_ENOMEM;
  l->from = o->from;
  if (l->from != NULL && !o->sendmail.header) return 0;
  rc = uvsmtp_envelope_new(&l->envelope, NULL, text, len, reason);
  /* Where nothing else is asked of a header it may be none. */
  if (rc == UVSMTP_EMESSAGE && !o->sendmail.header) rc = 0;
  if (rc != 0) return rc;
  if (l->from == NULL && l->envelope != NULL)
    l->from = uvsmtp_envelope_from(l->envelope);
  if (l->from == NULL) l->from = l->login;
  return o->sendmail.header ? take_all(l, l->envelope, &o->to) : 0;
}

/* A name that is no text is left out, and so are all fields if there is an
 * address that is none in a header: then the server may do it. */
static int complete(letter_t* l, const options_t* o, const char* text,
                    size_t len) {
  const char* name = o->sendmail.full_name;
  unsigned int there = fields_there(text, text + len);
  int null = *l->from == '\0' || strcmp(l->from, "<>") == 0;
  int bare = len > 0 && *text != '\r' && *text != '\n' &&
             field_length(text, text + len) == 0;
  int rc;
  l->slices[1].base = text;
  l->slices[1].len = len;
  if (name != NULL && *name == '\0') name = NULL;
  for (;;) {
    char* author = mailbox(name, null ? l->login : l->from, l->login);
    if (author == NULL) return UV_ENOMEM;
    rc = add_missing(l, author, there, bare);
    free(author);
    if (rc != UV_EINVAL) return rc;
    if (name == NULL) break;
    name = NULL;
  }
  l->slices[0].base = "\r\n";
  l->slices[0].len = bare ? 2 : 0;
  return 0;
}

static int received(letter_t* l, const options_t* o, const char* text,
                    size_t len, char* error, size_t cap) {
  const char* reason = NULL;
  int rc;
  /* What a mailbox has between its messages is not part of one. */
  if (strncmp(text, "From ", 5) == 0) {
    size_t n = line_length(text, text + len);
    if (field_length(text + n, text + len) > 0) {
      text += n;
      len -= n;
    }
  }
  rc = address(l, o, text, len, &reason);
  if (rc == 0 && l->rcpts.n == 0)
    return fail(error, cap, EXIT_BAD_MESSAGE,
                "the message's header names no recipient");
  if (rc == 0) rc = complete(l, o, text, len);
  if (rc == 0) return 0;
  if (rc == UVSMTP_EMESSAGE)
    return fail(error, cap, EXIT_BAD_MESSAGE,
                reason != NULL ? reason : uvsmtp_strerror(rc));
  return fail(error, cap, EXIT_OS, uvsmtp_strerror(rc));
}

/* ------------------------------------------------------------------- both */

int letter_make(letter_t* l, const options_t* o, const char* text, size_t len,
                char* error, size_t cap) {
  int rc = o->draft.wanted ? written(l, o, text, len, error, cap)
                           : received(l, o, text, len, error, cap);
  if (rc != 0) return rc;
  /* The lengths are those of what is in memory: they don't overflow. */
  (void)uvsmtp_source_slices(&l->source, l->slices, 2);
  return 0;
}

void letter_free(letter_t* l) {
  free(l->rcpts.list);
  free(l->written);
  free(l->blind);
  free(l->login);
  uvsmtp_envelope_free(l->envelope);
  uvsmtp_envelope_free(l->unseen);
  memset(l, 0, sizeof(*l));
}
