/* SPDX-License-Identifier: MIT */
/* uvsmtp-sink: extensions that it offers when told to. Of most it takes the
 * parameters and does nothing about them; it holds to LIMITS (RFC 9422). */
#include <string.h>
#include <strings.h>

#include "sink.h"

/* The parameters that come with an extension, each between blanks. */
static const struct {
  const char* keyword;
  const char* mail;
  const char* rcpt;
} known[] = {
    {"DSN", " RET ENVID ", " NOTIFY ORCPT "},
    {"DELIVERBY", " BY ", ""},
    {"FUTURERELEASE", " HOLDFOR HOLDUNTIL ", ""},
    {"MT-PRIORITY", " MT-PRIORITY ", ""},
    {"REQUIRETLS", " REQUIRETLS ", ""},
    {"AUTH", " AUTH ", ""},
};

/* Takes the number behind a name in the line, if there is one. */
static void number_in(const char* line, const char* name, uint64_t* out) {
  for (const char* p = strchr(line, ' '); p != NULL; p = strchr(p, ' ')) {
    size_t n = strcspn(++p, " ");
    size_t nname = strlen(name);

    if (n > nname && sink_is(p, nname, name))
      sink_number(p + nname, n - nname, out);
  }
}

/* Takes a line of the reply to EHLO. */
int sink_offer(struct sink* s, const char* line) {
  size_t n = strlen(line);
  bool good = n > 0 && n < SINK_OFFER_CAP && line[0] != ' ';

  for (size_t i = 0; i < n; i++)
    if (line[i] < ' ' || line[i] > '~') good = false;
  if (!good) {
    fprintf(stderr, "uvsmtp-sink: --offer: can't be said: %s\n", line);
    return 64;
  }
  if (s->opt.noffers == SINK_OFFERS) {
    fputs("uvsmtp-sink: --offer: too many\n", stderr);
    return 64;
  }
  s->opt.offers[s->opt.noffers++] = line;
  if (sink_is(line, strcspn(line, " "), "LIMITS")) {
    number_in(line, "RCPTMAX=", &s->opt.rcpt_limit);
    number_in(line, "MAILMAX=", &s->opt.mail_limit);
  }
  return 0;
}

static bool offered(const struct sink* s, const char* keyword) {
  for (size_t i = 0; i < s->opt.noffers; i++)
    if (sink_is(s->opt.offers[i], strcspn(s->opt.offers[i], " "), keyword))
      return true;
  return false;
}

static bool listed(const char* list, const char* p, size_t n) {
  while (*list == ' ' && *++list != '\0') {
    size_t nword = strcspn(list, " ");

    if (nword == n && strncasecmp(list, p, n) == 0) return true;
    list += nword;
  }
  return false;
}

/* Whether a parameter of MAIL, or of RCPT, is one of an extension that is
 * offered. */
bool sink_offer_has(const struct sink* s, bool rcpt, const char* p, size_t n) {
  for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
    if (listed(rcpt ? known[i].rcpt : known[i].mail, p, n))
      return offered(s, known[i].keyword);
  return false;
}
