/* SPDX-License-Identifier: MIT */
/* params.c: the typed parameters of MAIL and RCPT. What a caller gives is
 * refused when it is malformed. What a server says of its limits is believed
 * where it is well formed, and counts as nothing said where it is not: the
 * server can still refuse. */
#include "core/params.h"

#include <errno.h>
#include <string.h>

#include "core/ascii.h"
#include "core/command.h"
#include "core/date.h"
#include "core/line.h"
#include "uvsmtp/errors.h"

/* Numbers of nine digits, as RFC 2852 4 and RFC 4865 4 have them. */
#define SECONDS_MAX 999999999
#define PRIORITY_MAX 9
/* RFC 3461 4.4 and 5.4; a value of AUTH is held to what that RFC allows for
 * ORCPT, so that a line with all of them stays below UVSMTP__LINE_MAX. */
#define ENVID_MAX 100u
#define XTEXT_MAX 500u

static int all_printable(const char* text, size_t len) {
  size_t i;

  for (i = 0; i < len; i++)
    if (text[i] < 32 || text[i] > 126) return 0;
  return 1;
}

/* ------------------------------------------------------------ raw options */

unsigned int uvsmtp__raw_keywords(const char* const* options, size_t n) {
  static const struct {
    char keyword[12];
    unsigned int bit;
  } known[] = {
      {"BODY", UVSMTP__RAW_BODY},
      {"SMTPUTF8", UVSMTP__RAW_SMTPUTF8},
      {"RET", UVSMTP__RAW_RET},
      {"ENVID", UVSMTP__RAW_ENVID},
      {"REQUIRETLS", UVSMTP__RAW_REQUIRETLS},
      {"BY", UVSMTP__RAW_BY},
      {"HOLDFOR", UVSMTP__RAW_HOLD},
      {"HOLDUNTIL", UVSMTP__RAW_HOLD},
      {"MT-PRIORITY", UVSMTP__RAW_PRIORITY},
      {"AUTH", UVSMTP__RAW_AUTH},
      {"SIZE", UVSMTP__RAW_SIZE},
      {"NOTIFY", UVSMTP__RAW_NOTIFY},
      {"ORCPT", UVSMTP__RAW_ORCPT},
  };
  unsigned int raw = 0;
  size_t i;
  size_t k;

  for (i = 0; i < n; i++) {
    size_t len = strcspn(options[i], "=");

    for (k = 0; k < sizeof(known) / sizeof(known[0]); k++)
      if (len < sizeof(known[k].keyword) &&
          uvsmtp__same(options[i], len, known[k].keyword,
                       strlen(known[k].keyword)))
        raw |= known[k].bit;
  }
  return raw;
}

/* ----------------------------------------------------------------- ORCPT */

typedef struct orcpt_s {
  uvsmtp_slice_t type;
  uvsmtp_slice_t address;
  int is_utf8; /* the type is utf-8 */
} orcpt_t;

/* An atom (RFC 3461 4.2), without the "=" that no esmtp-value may have. */
static int is_atom(const char* text, size_t len) {
  size_t i;

  for (i = 0; i < len; i++)
    if (!uvsmtp__is_alnum(text[i]) &&
        strchr("!#$%&'*+-/?^_`{|}~", text[i]) == NULL)
      return 0;
  return len > 0;
}

/* The type and the address. Without a type it has to be one that a RCPT could
 * name; what else there may be has a type that says what it is. */
static int parse_orcpt(const char* text, orcpt_t* o) {
  size_t before = strcspn(text, ";@\"<");
  unsigned int flags;

  if (text[before] != ';') {
    if (uvsmtp__parse_path(text, 0, &o->address, &flags) != 0) return -EINVAL;
    o->is_utf8 = (flags & UVSMTP__PATH_UTF8) != 0;
    o->type.base = o->is_utf8 ? "utf-8" : "rfc822";
    o->type.len = strlen(o->type.base);
    return 0;
  }
  if (!is_atom(text, before)) return -EINVAL;
  o->type.base = text;
  o->type.len = before;
  o->is_utf8 = uvsmtp__same(text, before, "utf-8", 5);
  text += before + 1;
  o->address.base = text;
  o->address.len = strlen(text);
  if (o->address.len == 0) return -EINVAL;
  if (o->is_utf8) return uvsmtp__check_utf8(text, o->address.len);
  return all_printable(text, o->address.len) ? 0 : -EINVAL;
}

static void put_orcpt(uvsmtp__line_t* line, const orcpt_t* o, int utf8) {
  uvsmtp__line_put(line, o->type.base, o->type.len);
  uvsmtp__line_string(line, ";");
  if (o->is_utf8)
    uvsmtp__line_unitext(line, o->address.base, o->address.len, utf8);
  else
    uvsmtp__line_xtext(line, o->address.base, o->address.len);
}

/* ------------------------------------------------------------------ form */

static int check_notify(unsigned int notify) {
  if (notify & UVSMTP_DSN_NEVER)
    return notify == UVSMTP_DSN_NEVER ? 0 : -EINVAL;
  return notify & ~(unsigned int)(UVSMTP_DSN_SUCCESS | UVSMTP_DSN_FAILURE |
                                  UVSMTP_DSN_DELAY)
             ? -EINVAL
             : 0;
}

static int check_dsn(const uvsmtp_mail_params_t* m) {
  size_t len;

  if (m->ret < UVSMTP_DSN_RET_DEFAULT || m->ret > UVSMTP_DSN_RET_HDRS)
    return -EINVAL;
  if (check_notify(m->notify) != 0) return -EINVAL;
  if (m->envid == NULL) return 0;
  len = strlen(m->envid);
  if (len == 0 || len > ENVID_MAX) return -EINVAL;
  return all_printable(m->envid, len) ? 0 : -EINVAL;
}

/* What would be left unsaid is a mistake as well. */
static int check_by(const uvsmtp_mail_params_t* m) {
  if (m->by == UVSMTP_BY_NONE)
    return m->by_seconds != 0 || (m->flags & UVSMTP_MAIL_BY_TRACE) ? -EINVAL
                                                                   : 0;
  if (m->by_seconds < -SECONDS_MAX || m->by_seconds > SECONDS_MAX)
    return -EINVAL;
  if (m->by == UVSMTP_BY_NOTIFY) return 0;
  /* RFC 2852 4 */
  return m->by == UVSMTP_BY_RETURN && m->by_seconds > 0 ? 0 : -EINVAL;
}

static int parse_date(const char* text, int64_t* seconds) {
  return uvsmtp__date_parse(text, strlen(text), seconds);
}

static int check_hold(const uvsmtp_mail_params_t* m) {
  int64_t ignored;

  if (m->hold_for > SECONDS_MAX) return -EINVAL;
  if (m->hold_until == NULL) return 0;
  /* RFC 4865 4 */
  if (m->hold_for != 0) return -EINVAL;
  return parse_date(m->hold_until, &ignored);
}

static int check_priority(const uvsmtp_mail_params_t* m) {
  if (!(m->flags & UVSMTP_MAIL_PRIORITY)) return m->priority == 0 ? 0 : -EINVAL;
  return m->priority < -PRIORITY_MAX || m->priority > PRIORITY_MAX ? -EINVAL
                                                                   : 0;
}

static int check_auth(const char* auth) {
  uvsmtp_slice_t path;
  unsigned int flags;
  uvsmtp__line_t line = {NULL, 0};

  if (auth == NULL) return 0;
  if (uvsmtp__parse_path(auth, 1, &path, &flags) != 0) return -EINVAL;
  uvsmtp__line_xtext(&line, path.base, path.len);
  return line.len > XTEXT_MAX ? -EINVAL : 0;
}

int uvsmtp__params_check(const uvsmtp_mail_params_t* m) {
  if (m->flags & ~(unsigned int)(UVSMTP_MAIL_REQUIRETLS | UVSMTP_MAIL_SMTPUTF8 |
                                 UVSMTP_MAIL_PRIORITY | UVSMTP_MAIL_BY_TRACE |
                                 UVSMTP_MAIL_OPTIONAL))
    return -EINVAL;
  if (m->body < UVSMTP_BODY_AUTO || m->body > UVSMTP_BODY_8BITMIME)
    return -EINVAL;
  if (check_dsn(m) != 0 || check_by(m) != 0) return -EINVAL;
  if (check_hold(m) != 0 || check_priority(m) != 0) return -EINVAL;
  return check_auth(m->auth);
}

int uvsmtp__rcpt_params_check(unsigned int notify, const char* orcpt) {
  orcpt_t o;
  uvsmtp__line_t line = {NULL, 0};

  if (check_notify(notify) != 0) return -EINVAL;
  if (orcpt == NULL) return 0;
  if (parse_orcpt(orcpt, &o) != 0) return -EINVAL;
  put_orcpt(&line, &o, 0);
  return line.len > XTEXT_MAX ? -EINVAL : 0;
}

/* ---------------------------------------------------------- what is offered */

/* The number that is a word of len octets, at most nine digits; -1 for what is
 * none, or none that RFC 2852 or RFC 4865 know. */
static int64_t number(const char* word, size_t len) {
  int64_t n = 0;
  size_t i;

  if (len == 0 || len > 9) return -1;
  for (i = 0; i < len; i++) {
    if (!uvsmtp__is_digit(word[i])) return -1;
    n = n * 10 + (word[i] - '0');
  }
  return n;
}

/* RFC 2852 3: "DELIVERBY [min-by-time *("," extension)]", which is a minimum
 * for RETURN alone; 0 is none. */
static const char* misfit_by(const char* offered,
                             const uvsmtp_mail_params_t* m) {
  int64_t min = number(offered, strcspn(offered, ", \t"));

  if (m->by != UVSMTP_BY_RETURN || m->by_seconds >= min) return NULL;
  return "the server's minimum for DELIVERBY is higher";
}

/* RFC 4865 3: "FUTURERELEASE interval date-time", the most that each of the two
 * parameters may be. A server that leaves them out breaks the RFC, but has the
 * extension. */
static const char* misfit_hold(const char* offered,
                               const uvsmtp_mail_params_t* m) {
  size_t len = strcspn(offered, " \t");
  int64_t limit = number(offered, len);
  int64_t until;

  if (m->hold_until == NULL) {
    if (limit <= 0 || m->hold_for <= limit) return NULL;
    return "the server's maximum for HOLDFOR is lower";
  }
  offered += len;
  offered += strspn(offered, " \t");
  len = strcspn(offered, " \t");
  if (uvsmtp__date_parse(offered, len, &limit) != 0) return NULL;
  if (parse_date(m->hold_until, &until) == 0 && until <= limit) return NULL;
  return "the server's maximum for HOLDUNTIL is earlier";
}

/* The extensions that are asked for, in the order of their parameters. */
enum {
  NEED_8BITMIME = 1u << 0,
  NEED_DSN = 1u << 1,
  NEED_REQUIRETLS = 1u << 2,
  NEED_DELIVERBY = 1u << 3,
  NEED_FUTURERELEASE = 1u << 4,
  NEED_PRIORITY = 1u << 5,
  NEED_AUTH = 1u << 6
};

static unsigned int needs_of(const uvsmtp_mail_params_t* m, int rcpts,
                             unsigned int raw) {
  unsigned int needs = rcpts ? NEED_DSN : 0;

  if (m == NULL) return needs;
  if (m->body == UVSMTP_BODY_8BITMIME && !(raw & UVSMTP__RAW_BODY))
    needs |= NEED_8BITMIME;
  if (m->ret != UVSMTP_DSN_RET_DEFAULT && !(raw & UVSMTP__RAW_RET))
    needs |= NEED_DSN;
  if (m->envid != NULL && !(raw & UVSMTP__RAW_ENVID)) needs |= NEED_DSN;
  if (m->notify != 0 && !(raw & UVSMTP__RAW_NOTIFY)) needs |= NEED_DSN;
  if ((m->flags & UVSMTP_MAIL_REQUIRETLS) && !(raw & UVSMTP__RAW_REQUIRETLS))
    needs |= NEED_REQUIRETLS;
  if (m->by != UVSMTP_BY_NONE && !(raw & UVSMTP__RAW_BY))
    needs |= NEED_DELIVERBY;
  if ((m->hold_for != 0 || m->hold_until != NULL) && !(raw & UVSMTP__RAW_HOLD))
    needs |= NEED_FUTURERELEASE;
  if ((m->flags & UVSMTP_MAIL_PRIORITY) && !(raw & UVSMTP__RAW_PRIORITY))
    needs |= NEED_PRIORITY;
  if (m->auth != NULL && !(raw & UVSMTP__RAW_AUTH)) needs |= NEED_AUTH;
  return needs;
}

/* What is asked for is offered, but does it fit? NULL or why not. */
static const char* misfit(unsigned int need, const char* offered,
                          const uvsmtp_mail_params_t* m) {
  if (need == NEED_DELIVERBY) return misfit_by(offered, m);
  return need == NEED_FUTURERELEASE ? misfit_hold(offered, m) : NULL;
}

int uvsmtp__params_fit(const uvsmtp__caps_t* caps,
                       const uvsmtp_mail_params_t* m, int rcpts,
                       unsigned int raw, unsigned int* omitted, int* cause,
                       const char** reason) {
  static const struct {
    unsigned int need;
    unsigned int omitted; /* what it is called when it may be left out */
    char keyword[14];
    char reason[40];
  } known[] = {
#define KNOWN(need, omitted, keyword) \
  {need, omitted, keyword, "the server does not offer " keyword}
      KNOWN(NEED_8BITMIME, 0, "8BITMIME"),
      KNOWN(NEED_DSN, UVSMTP_OMITTED_DSN, "DSN"),
      KNOWN(NEED_REQUIRETLS, 0, "REQUIRETLS"),
      KNOWN(NEED_DELIVERBY, UVSMTP_OMITTED_DELIVERBY, "DELIVERBY"),
      KNOWN(NEED_FUTURERELEASE, 0, "FUTURERELEASE"),
      KNOWN(NEED_PRIORITY, UVSMTP_OMITTED_PRIORITY, "MT-PRIORITY"),
      KNOWN(NEED_AUTH, UVSMTP_OMITTED_AUTH, "AUTH"),
#undef KNOWN
  };
  unsigned int needs = needs_of(m, rcpts, raw);
  int optional = m != NULL && (m->flags & UVSMTP_MAIL_OPTIONAL);
  size_t i;

  *omitted = 0;
  *cause = 0;
  for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
    const char* offered;

    if (!(needs & known[i].need)) continue;
    offered = uvsmtp__caps_find(caps, known[i].keyword);
    if (offered != NULL) {
      *reason = misfit(known[i].need, offered, m);
      if (*reason == NULL) continue;
      *cause = -ERANGE;
      return UVSMTP_ENOTSUPPORTED;
    }
    if (!optional || known[i].omitted == 0) {
      *reason = known[i].reason;
      return UVSMTP_ENOTSUPPORTED;
    }
    *omitted |= known[i].omitted;
  }
  return 0;
}

/* --------------------------------------------------------------- writing */

static size_t finish(uvsmtp__line_t* line) {
  line->out[line->len] = '\0';
  return line->len;
}

static void put_signed(uvsmtp__line_t* line, int64_t n) {
  if (n < 0) uvsmtp__line_string(line, "-");
  uvsmtp__line_number(line, (uint64_t)(n < 0 ? -n : n));
}

static void put_dsn(uvsmtp__line_t* line, const uvsmtp_mail_params_t* m,
                    unsigned int raw) {
  if (m->ret != UVSMTP_DSN_RET_DEFAULT && !(raw & UVSMTP__RAW_RET))
    uvsmtp__line_string(
        line, m->ret == UVSMTP_DSN_RET_FULL ? " RET=FULL" : " RET=HDRS");
  if (m->envid != NULL && !(raw & UVSMTP__RAW_ENVID)) {
    uvsmtp__line_string(line, " ENVID=");
    uvsmtp__line_xtext(line, m->envid, strlen(m->envid));
  }
}

static void put_by(uvsmtp__line_t* line, const uvsmtp_mail_params_t* m) {
  uvsmtp__line_string(line, " BY=");
  put_signed(line, m->by_seconds);
  uvsmtp__line_string(line, m->by == UVSMTP_BY_RETURN ? ";R" : ";N");
  if (m->flags & UVSMTP_MAIL_BY_TRACE) uvsmtp__line_string(line, "T");
}

/* RFC 4865 4 wants the date in UTC. */
static void put_hold(uvsmtp__line_t* line, const uvsmtp_mail_params_t* m) {
  char date[UVSMTP__DATE_SIZE];
  int64_t seconds;

  if (m->hold_for != 0) {
    uvsmtp__line_string(line, " HOLDFOR=");
    uvsmtp__line_number(line, m->hold_for);
  } else if (m->hold_until != NULL &&
             parse_date(m->hold_until, &seconds) == 0) {
    uvsmtp__date_put(seconds, date);
    uvsmtp__line_string(line, " HOLDUNTIL=");
    uvsmtp__line_string(line, date);
  }
}

/* RFC 4954 5 */
static void put_auth(uvsmtp__line_t* line, const char* auth) {
  uvsmtp_slice_t path;
  unsigned int flags;

  if (uvsmtp__parse_path(auth, 1, &path, &flags) != 0) return;
  uvsmtp__line_string(line, " AUTH=");
  if (flags & UVSMTP__PATH_NULL) uvsmtp__line_string(line, "<>");
  uvsmtp__line_xtext(line, path.base, path.len);
}

size_t uvsmtp__params_put(const uvsmtp_mail_params_t* m, unsigned int raw,
                          unsigned int omitted, char* buf) {
  uvsmtp__line_t line = {buf, 0};

  if (!(omitted & UVSMTP_OMITTED_DSN)) put_dsn(&line, m, raw);
  if ((m->flags & UVSMTP_MAIL_REQUIRETLS) && !(raw & UVSMTP__RAW_REQUIRETLS))
    uvsmtp__line_string(&line, " REQUIRETLS");
  if (m->by != UVSMTP_BY_NONE && !(raw & UVSMTP__RAW_BY) &&
      !(omitted & UVSMTP_OMITTED_DELIVERBY))
    put_by(&line, m);
  if (!(raw & UVSMTP__RAW_HOLD)) put_hold(&line, m);
  if ((m->flags & UVSMTP_MAIL_PRIORITY) && !(raw & UVSMTP__RAW_PRIORITY) &&
      !(omitted & UVSMTP_OMITTED_PRIORITY)) {
    uvsmtp__line_string(&line, " MT-PRIORITY=");
    put_signed(&line, m->priority);
  }
  if (m->auth != NULL && !(raw & UVSMTP__RAW_AUTH) &&
      !(omitted & UVSMTP_OMITTED_AUTH))
    put_auth(&line, m->auth);
  return finish(&line);
}

static void put_notify(uvsmtp__line_t* line, unsigned int notify) {
  static const struct {
    unsigned int bit;
    char name[9];
  } names[] = {
      {UVSMTP_DSN_NEVER, "NEVER"},
      {UVSMTP_DSN_SUCCESS, "SUCCESS"},
      {UVSMTP_DSN_FAILURE, "FAILURE"},
      {UVSMTP_DSN_DELAY, "DELAY"},
  };
  const char* before = " NOTIFY=";
  size_t i;

  for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if (!(notify & names[i].bit)) continue;
    uvsmtp__line_string(line, before);
    uvsmtp__line_string(line, names[i].name);
    before = ",";
  }
}

size_t uvsmtp__rcpt_params_put(unsigned int notify, const char* orcpt,
                               unsigned int raw, int utf8, char* buf) {
  uvsmtp__line_t line = {buf, 0};
  orcpt_t o;

  if (!(raw & UVSMTP__RAW_NOTIFY)) put_notify(&line, notify);
  if (orcpt != NULL && !(raw & UVSMTP__RAW_ORCPT) &&
      parse_orcpt(orcpt, &o) == 0) {
    uvsmtp__line_string(&line, " ORCPT=");
    put_orcpt(&line, &o, utf8);
  }
  return finish(&line);
}
