/* SPDX-License-Identifier: MIT */
/* uvsmtp-sink: the arguments of MAIL and RCPT (RFC 5321, 4.1.1 and 4.1.2). It
 * is strict where a client's mistake would otherwise pass unseen, but takes an
 * address without a domain. */
#include <string.h>
#include <strings.h>

#include "sink.h"

static const struct sink_reply unsupported =
    SINK_REPLY("555", "5.5.4", "Unsupported parameter");
static const struct sink_reply bad_value =
    SINK_REPLY("501", "5.5.4", "Bad value of a parameter");
static const struct sink_reply too_big =
    SINK_REPLY("552", "5.3.4", "Message too big");

/* Finds the end of the path that begins at p, behind its "<". Returns the
 * place of the ">", or 0; "at" becomes the place of the last "@", or n. */
static size_t scan_path(const char* p, size_t n, size_t* at, bool* utf8) {
  bool quoted = false;

  *at = n;
  for (size_t i = 0; i < n; i++) {
    unsigned char c = (unsigned char)p[i];

    if (c < 0x20 || c == 0x7f) return 0;
    if (c >= 0x80) *utf8 = true;
    if (quoted) {
      if (c == '\\') {
        if (++i == n || (unsigned char)p[i] < 0x20) return 0;
      } else if (c == '"') {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == '@') {
      *at = i;
    } else if (c == '>') {
      return i + 1;
    } else if (c == ' ' || c == '<') {
      return 0;
    }
  }
  return 0;
}

/* Takes "FROM:<address> parameters". An old source route before the address is
 * skipped (RFC 5321, appendix C). */
bool sink_path_parse(const char* p, size_t n, const char* keyword,
                     struct sink_path* out) {
  size_t nkeyword = strlen(keyword);
  size_t end;
  size_t at;

  memset(out, 0, sizeof(*out));
  if (n < nkeyword + 2 || strncasecmp(p, keyword, nkeyword) != 0 ||
      p[nkeyword] != '<')
    return false;
  p += nkeyword + 1;
  n -= nkeyword + 1;
  if (*p == '@') {
    const char* colon = memchr(p, ':', n);

    if (colon == NULL) return false;
    n -= (size_t)(colon + 1 - p);
    p = colon + 1;
  }
  end = scan_path(p, n, &at, &out->utf8);
  if (end == 0) return false;
  out->address = p;
  out->naddress = end - 1;
  out->nlocal = at < end ? at : end - 1;
  if (out->naddress > 0 && out->nlocal == 0) return false;
  if (at + 2 == end) return false;
  if (out->utf8 && !sink_utf8(p, end)) return false;
  p += end;
  n -= end;
  if (n > 0 && *p != ' ') return false;
  for (size_t i = 0; i < n; i++) {
    if ((unsigned char)p[i] < ' ' || p[i] == 0x7f) return false;
    if ((unsigned char)p[i] >= 0x80) out->utf8 = true;
  }
  if (out->utf8 && !sink_utf8(p, n)) return false;
  for (; n > 0 && *p == ' '; n--) p++;
  for (; n > 0 && p[n - 1] == ' '; n--) continue;
  out->params = p;
  out->nparams = n;
  return true;
}

static const struct sink_reply* one_param(const struct sink* s, const char* p,
                                          size_t n, bool rcpt, bool* utf8) {
  const char* eq = memchr(p, '=', n);
  size_t nkey = eq == NULL ? n : (size_t)(eq - p);
  const char* value = eq == NULL ? p + n : eq + 1;
  size_t nvalue = n - (size_t)(value - p);
  uint64_t size;

  if (sink_offer_has(s, rcpt, p, nkey)) return NULL;
  if (rcpt) return &unsupported;
  if (s->opt.size && sink_is(p, nkey, "SIZE")) {
    if (!sink_number(value, nvalue, &size)) return &bad_value;
    if (s->opt.size_limit > 0 && size > s->opt.size_limit) return &too_big;
    return NULL;
  }
  if (s->opt.eightbit && sink_is(p, nkey, "BODY")) {
    if (sink_is(value, nvalue, "7BIT") || sink_is(value, nvalue, "8BITMIME"))
      return NULL;
    return &bad_value;
  }
  if (s->opt.smtputf8 && sink_is(p, n, "SMTPUTF8")) {
    *utf8 = true;
    return NULL;
  }
  return &unsupported;
}

/* NULL, or why MAIL or RCPT is refused. A client that said HELO has no
 * parameters. */
const struct sink_reply* sink_params(const struct sink* s,
                                     const struct sink_conn* c,
                                     const struct sink_path* path, bool rcpt,
                                     bool* utf8) {
  const char* p = path->params;
  size_t n = path->nparams;
  const struct sink_reply* bad = NULL;

  if (n > 0 && !c->esmtp) return &unsupported;
  while (n > 0 && bad == NULL) {
    const char* blank = memchr(p, ' ', n);
    size_t used = blank == NULL ? n : (size_t)(blank - p);

    if (used > 0) bad = one_param(s, p, used, rcpt, utf8);
    if (blank != NULL) used++;
    p += used;
    n -= used;
  }
  return bad;
}
