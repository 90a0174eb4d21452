/* SPDX-License-Identifier: MIT */
/* letter.c: writing a plain text message. Nothing is written as it came: text
 * without controls in UTF-8 is folded or encoded, and addresses are taken apart
 * and put together again. */
#include <errno.h>
#include <string.h>

#include "core/ascii.h"
#include "core/command.h"
#include "core/date.h"
#include "message/message.h"
#include "message/writer.h"

enum {
  QUOTED_MAX = 70, /* octets of a quoted name, which is not folded */
  ID_MAX = 900,    /* a line has 998 octets at most (RFC 5322 2.1.1) */
  TEXT_LINE_MAX = 78,
  YEAR_MIN = 1900 /* RFC 5322 3.3 */
};

typedef struct letter_s {
  const uvsmtp__mem_t* mem;
  uvsmtp__writer_t w;
  uvsmtp__buf_t address; /* of the mailbox at hand, with a NUL */
  uvsmtp__buf_t name;    /* its name, as people read it */
} letter_t;

/* ------------------------------------------------------------------- checks */

/* UTF-8 without controls but those in `but`. NULL is fine. */
static int check(const char* text, const char* but) {
  size_t len = text == NULL ? 0 : strlen(text);
  size_t n;
  for (; len > 0; text += n, len -= n) {
    n = uvsmtp__utf8_octets(text, len);
    if (n == 0) return -EINVAL;
    if (((unsigned char)*text < 32 || *text == 127) &&
        strchr(but, *text) == NULL)
      return -EINVAL;
  }
  return 0;
}

/* atext of RFC 5322 3.2.3, in ASCII. */
static int is_atext(char c) {
  return uvsmtp__is_alnum(c) ||
         (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

/* A dot-atom-text, "@", and another or a literal, in angle brackets (RFC 5322
 * 3.6.4). */
static int check_id(const char* id) {
  size_t len = strlen(id);
  const char* at;
  size_t i;
  if (len > ID_MAX || len < 5 || id[0] != '<' || id[len - 1] != '>')
    return -EINVAL;
  at = strchr(id, '@');
  if (at == NULL || at == id + 1 || at == id + len - 2) return -EINVAL;
  for (i = 1; i < len - 1; i++) {
    int literal = id + i > at && strchr("[]:", id[i]) != NULL;
    if (id + i == at || literal || is_atext(id[i])) continue;
    if (id[i] != '.' || id[i - 1] == '.' || id[i - 1] == '@' || i == 1 ||
        id + i + 1 == at || i + 2 == len)
      return -EINVAL;
  }
  return 0;
}

/* ---------------------------------------------------------------- mailboxes */

/* Appends what a quoted string stands for. */
static const char* read_quoted(uvsmtp__buf_t* b, const char* at,
                               const char* end) {
  for (at++; at < end && *at != '"'; at++) {
    if (*at == '\\' && end - at > 1) at++;
    uvsmtp__buf_data(b)[b->len++] = *at;
  }
  return at < end ? at + 1 : at;
}

/* A display name as people read it: without quotes and comments, and with one
 * blank between words. *atoms: there were neither quotes nor other than atoms.
 */
static int read_name(letter_t* l, uvsmtp_slice_t written, int* atoms) {
  uvsmtp__buf_t* b = &l->name;
  const char* at = written.base;
  const char* end = at + written.len;
  int apart = 0;
  uvsmtp__buf_consume(b, b->len);
  *atoms = 1;
  if (written.len > 0 &&
      uvsmtp__buf_reserve(l->mem, b, written.len, SIZE_MAX) == NULL)
    return -ENOMEM;
  while (at < end) {
    if (uvsmtp__is_blank(*at) || *at == '(') {
      at = *at == '(' ? uvsmtp__comment_end(at, end) : at + 1;
      apart = 1;
      continue;
    }
    /* There was an octet for it. */
    if (apart && b->len > 0) uvsmtp__buf_data(b)[b->len++] = ' ';
    apart = 0;
    if (*at == '"') {
      *atoms = 0;
      at = read_quoted(b, at, end);
    } else {
      if (!is_atext(*at)) *atoms = 0;
      uvsmtp__buf_data(b)[b->len++] = *at++;
    }
  }
  return 0;
}

/* The octets of a name in quotes; w may be NULL. */
static size_t write_quoted(uvsmtp__writer_t* w, const char* name, size_t len) {
  size_t n = len + 2;
  size_t i;
  if (w != NULL) uvsmtp__write(w, "\"", 1);
  for (i = 0; i < len; i++) {
    int escaped = name[i] == '"' || name[i] == '\\';
    n += escaped ? 1 : 0;
    if (w != NULL && escaped) uvsmtp__write(w, "\\", 1);
    if (w != NULL) uvsmtp__write(w, name + i, 1);
  }
  if (w != NULL) uvsmtp__write(w, "\"", 1);
  return n;
}

/* Can it stand in a field without being encoded? What looks like an
 * encoded-word would be read as one, in quotes too. */
static int is_literal(const char* text, size_t len) {
  size_t i;
  for (i = 0; i < len; i++) {
    if ((unsigned char)text[i] > 127) return 0;
    if (i > 0 && text[i - 1] == '=' && text[i] == '?') return 0;
  }
  return 1;
}

static void write_display_name(uvsmtp__writer_t* w, const char* name,
                               size_t len, int atoms) {
  if (atoms && uvsmtp__foldable(name, len, 0)) {
    uvsmtp__write_words(w, name, len);
  } else if (is_literal(name, len) &&
             write_quoted(NULL, name, len) <= QUOTED_MAX) {
    uvsmtp__write_blank(w, write_quoted(NULL, name, len));
    write_quoted(w, name, len);
  } else {
    uvsmtp__write_encoded(w, name, len);
  }
}

/* Leaves room for a comma. */
static int write_mailbox(letter_t* l, const uvsmtp__mailbox_t* mailbox) {
  const char* reason;
  const char* address;
  size_t len;
  int atoms;
  int rc;
  uvsmtp__buf_consume(&l->address, l->address.len);
  rc = uvsmtp__mailbox_put(l->mem, &l->address, mailbox, &reason);
  if (rc == 0) rc = read_name(l, mailbox->name, &atoms);
  if (rc != 0) return rc;
  address = uvsmtp__buf_data(&l->address);
  len = l->address.len - 1;
  if (l->name.len == 0) {
    uvsmtp__write_blank(&l->w, len + 1);
    uvsmtp__write(&l->w, address, len);
    return 0;
  }
  write_display_name(&l->w, uvsmtp__buf_data(&l->name), l->name.len, atoms);
  uvsmtp__write_blank(&l->w, len + 3);
  uvsmtp__write(&l->w, "<", 1);
  uvsmtp__write(&l->w, address, len);
  uvsmtp__write(&l->w, ">", 1);
  return 0;
}

/* A field with the mailboxes of a list; none where there are none. *n: how
 * many. The last address stays in l->address. */
static int write_list(letter_t* l, const char* name, const char* text,
                      size_t most, size_t* n) {
  uvsmtp__list_t list = {text, text, 0};
  uvsmtp__mailbox_t mailbox;
  const char* reason;
  int rc = 0;
  *n = 0;
  if (text == NULL) return 0;
  list.end = text + strlen(text);
  while (*n < most && (rc = uvsmtp__list_next(&list, &mailbox, &reason)) == 1) {
    if (*n == 0)
      uvsmtp__write_name(&l->w, name);
    else
      uvsmtp__write(&l->w, ",", 1);
    rc = write_mailbox(l, &mailbox);
    if (rc != 0) return rc;
    ++*n;
  }
  if (*n > 0) uvsmtp__write_line_end(&l->w);
  return rc;
}

/* Where there are several authors, it is the first who sends (RFC 5322 3.6.2).
 */
static int write_from(letter_t* l, const char* from) {
  size_t n;
  int rc = write_list(l, "From", from, SIZE_MAX, &n);
  if (rc != 0) return rc;
  if (n == 0) return -EINVAL;
  return n == 1 ? 0 : write_list(l, "Sender", from, 1, &n);
}

/* ------------------------------------------------------------- other fields */

/* Two digits. */
static void write_two(uvsmtp__writer_t* w, int n, char behind) {
  char text[3];
  text[0] = (char)('0' + n / 10 % 10);
  text[1] = (char)('0' + n % 10);
  text[2] = behind;
  uvsmtp__write(w, text, sizeof(text));
}

static int write_date(uvsmtp__writer_t* w, int64_t seconds) {
  static const char days[] = "Sun, Mon, Tue, Wed, Thu, Fri, Sat, ";
  static const char months[] =
      "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec ";
  uvsmtp__date_t date;
  char year[5];
  size_t i;
  if (uvsmtp__date_of(seconds, &date) != 0 || date.year < YEAR_MIN)
    return -EINVAL;
  for (i = 0; i < 4; i++) {
    year[3 - i] = (char)('0' + date.year % 10);
    date.year /= 10;
  }
  year[4] = ' ';
  uvsmtp__write_string(w, "Date: ");
  uvsmtp__write(w, days + date.weekday * 5, 5);
  write_two(w, date.day, ' ');
  uvsmtp__write(w, months + (date.month - 1) * 4, 4);
  uvsmtp__write(w, year, sizeof(year));
  write_two(w, date.hour, ':');
  write_two(w, date.minute, ':');
  write_two(w, date.second, ' ');
  uvsmtp__write_string(w, "+0000");
  uvsmtp__write_line_end(w);
  return 0;
}

/* One that nobody has, in the domain of an address. */
static void write_random_id(uvsmtp__writer_t* w, const char* address,
                            const unsigned char* random) {
  static const char hex[] = "0123456789abcdef";
  uvsmtp_slice_t path = {address, strlen(address)};
  const char* domain;
  size_t n;
  size_t i;
  path = uvsmtp__path_domain(path);
  domain = path.len == 0 ? "localhost" : path.base;
  n = strlen(domain);
  if (domain[n - 1] == '.') n--;
  uvsmtp__write_name(w, "Message-ID");
  uvsmtp__write_blank(w, 2 * UVSMTP__RANDOM + n + 3);
  uvsmtp__write(w, "<", 1);
  for (i = 0; i < UVSMTP__RANDOM; i++) {
    uvsmtp__write(w, hex + (random[i] >> 4), 1);
    uvsmtp__write(w, hex + (random[i] & 15), 1);
  }
  uvsmtp__write(w, "@", 1);
  uvsmtp__write(w, domain, n);
  uvsmtp__write(w, ">", 1);
  uvsmtp__write_line_end(w);
}

static void write_subject(uvsmtp__writer_t* w, const char* subject) {
  size_t len;
  if (subject == NULL) return;
  len = strlen(subject);
  uvsmtp__write_name(w, "Subject");
  if (is_literal(subject, len) && uvsmtp__foldable(subject, len, w->start))
    uvsmtp__write_words(w, subject, len);
  else
    uvsmtp__write_encoded(w, subject, len);
  uvsmtp__write_line_end(w);
}

/* Can a text go as it is? As Python's email decides it. */
static int needs_encoding(const char* text) {
  size_t column = 0;
  for (; *text != '\0'; text++) {
    column = *text == '\r' || *text == '\n' ? 0 : column + 1;
    if (column > TEXT_LINE_MAX || (unsigned char)*text > 127) return 1;
  }
  return 0;
}

static void write_body(uvsmtp__writer_t* w, const char* text) {
  int quoted = needs_encoding(text);
  uvsmtp__write_string(w,
                       "MIME-Version: 1.0\r\n"
                       "Content-Type: text/plain; charset=utf-8\r\n"
                       "Content-Transfer-Encoding: ");
  uvsmtp__write_string(w, quoted ? "quoted-printable" : "7bit");
  uvsmtp__write_string(w, "\r\n\r\n");
  w->column = 0;
  uvsmtp__write_text(w, text, quoted);
}

/* ---------------------------------------------------------------- the whole */

static int check_draft(const uvsmtp_draft_t* draft) {
  const char* const fields[] = {draft->from, draft->to, draft->cc,
                                draft->reply_to, draft->subject};
  size_t i;
  if (draft->from == NULL) return -EINVAL;
  for (i = 0; i < sizeof(fields) / sizeof(*fields); i++)
    if (check(fields[i], "\t") != 0) return -EINVAL;
  if (check(draft->text, "\t\r\n") != 0) return -EINVAL;
  return draft->message_id == NULL ? 0 : check_id(draft->message_id);
}

static int write_letter(letter_t* l, const uvsmtp_draft_t* draft,
                        const unsigned char* random) {
  uvsmtp__writer_t* w = &l->w;
  size_t n;
  int rc = write_date(w, draft->date);
  if (rc == 0) rc = write_from(l, draft->from);
  if (rc != 0) return rc;
  /* The address that is at hand is the sender's: the only one of From, or of
   * Sender. */
  if (draft->message_id == NULL) {
    write_random_id(w, uvsmtp__buf_data(&l->address), random);
  } else {
    uvsmtp__write_name(w, "Message-ID");
    uvsmtp__write_blank(w, strlen(draft->message_id));
    uvsmtp__write_string(w, draft->message_id);
    uvsmtp__write_line_end(w);
  }
  rc = write_list(l, "Reply-To", draft->reply_to, SIZE_MAX, &n);
  if (rc == 0) rc = write_list(l, "To", draft->to, SIZE_MAX, &n);
  if (rc == 0) rc = write_list(l, "Cc", draft->cc, SIZE_MAX, &n);
  if (rc != 0) return rc;
  write_subject(w, draft->subject);
  write_body(w, draft->text == NULL ? "" : draft->text);
  return 0;
}

int uvsmtp__letter(const uvsmtp__mem_t* mem, const uvsmtp_draft_t* draft,
                   const unsigned char* random, char* buf, size_t cap,
                   size_t* len) {
  letter_t l;
  int rc = check_draft(draft);
  if (rc != 0) return rc;
  memset(&l, 0, sizeof(l));
  l.mem = mem;
  l.w.buf = buf;
  l.w.cap = cap;
  rc = write_letter(&l, draft, random);
  uvsmtp__buf_free(mem, &l.address);
  uvsmtp__buf_free(mem, &l.name);
  if (rc == UVSMTP_EMESSAGE) return -EINVAL; /* there is no message yet */
  if (rc != 0) return rc;
  *len = l.w.len;
  return l.w.len > cap ? -ENOBUFS : 0;
}
