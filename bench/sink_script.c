/* SPDX-License-Identifier: MIT */
/* uvsmtp-sink: scripted replies, and the words that refuse.
 *
 * A script has a rule a line: PREFIX REPLY. The first rule whose prefix, in any
 * case, begins the command line gives the reply. GREETING, and DOT for the end
 * of a DATA text, are commands too. PREFIX ends before the first word that is a
 * code or an action, or, where there is none, at the first blank; in quotes it
 * may be anything. In REPLY \r \n \t \\ and \xHH are escapes, CRLF is added at
 * its end unless it is there or the reply ends in \c; a last word !close,
 * !reset, !hang or !stall is an action. With a 2yz or 3yz reply the command
 * takes effect as if it were valid, with any other it has none. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sink.h"

static const struct {
  const char* name;
  enum sink_mode mode;
} actions[] = {
    {"!close", MODE_DROP},
    {"!reset", MODE_RESET},
    {"!hang", MODE_HANG},
    {"!stall", MODE_STALL},
};

static enum sink_mode find_action(const char* p, size_t n) {
  for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
    if (sink_is(p, n, actions[i].name)) return actions[i].mode;
  return MODE_COMMAND;
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* True if a reply can begin here: a code, or an action. */
static bool begins_reply(const char* p) {
  if (*p == '!') return find_action(p, strcspn(p, " \t")) != MODE_COMMAND;
  return is_digit(p[0]) && is_digit(p[1]) && is_digit(p[2]) &&
         (p[3] == '\0' || p[3] == '\\' || p[3] == '-' || is_blank(p[3]));
}

/* Splits a line in place; returns the reply, or NULL. */
static char* split(char* line, char** prefix) {
  char* p;
  char* blank = NULL;

  if (*line == '"') {
    char* end = strchr(line + 1, '"');

    if (end == NULL || end == line + 1 || !is_blank(end[1])) return NULL;
    *end = '\0';
    *prefix = line + 1;
    return end + 1 + strspn(end + 1, " \t");
  }
  *prefix = line;
  for (p = line; *p != '\0'; p++) {
    if (!is_blank(*p)) continue;
    if (blank == NULL) blank = p;
    if (!is_blank(p[1]) && begins_reply(p + 1)) {
      blank = p;
      break;
    }
  }
  if (blank == NULL) return NULL;
  p = blank + strspn(blank, " \t");
  while (blank > line && is_blank(blank[-1])) blank--;
  *blank = '\0';
  return *p == '\0' ? NULL : p;
}

static int hex(char c) {
  if (is_digit(c)) return c - '0';
  c = (char)tolower((unsigned char)c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Resolves the escapes of text into out; false if one is unknown. */
static bool unescape(const char* text, size_t n, struct sink_buf* out) {
  bool bare = false;

  for (size_t i = 0; i < n; i++) {
    char c = text[i];

    if (c == '\\') {
      if (++i == n) return false;
      switch (text[i]) {
        case 'r':
          c = '\r';
          break;
        case 'n':
          c = '\n';
          break;
        case 't':
          c = '\t';
          break;
        case '\\':
          break;
        case 'x':
          if (n - i < 3 || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0)
            return false;
          c = (char)(hex(text[i + 1]) * 16 + hex(text[i + 2]));
          i += 2;
          break;
        case 'c':
          if (i + 1 != n) return false;
          bare = true;
          continue;
        default:
          return false;
      }
    }
    sink_buf_add(out, &c, 1);
  }
  if (!bare && n > 0 && (out->len == 0 || out->base[out->len - 1] != '\n'))
    sink_buf_add(out, "\r\n", 2);
  return true;
}

static bool add_rule(struct sink* s, char* line) {
  struct sink_rule* rules;
  struct sink_rule* r;
  struct sink_buf text = {NULL, 0, 0};
  char* prefix;
  char* reply = split(line, &prefix);
  char* word;
  size_t n;
  bool ok;

  if (reply == NULL) return false;
  rules = sink_alloc((s->nrules + 1) * sizeof(*rules));
  if (s->nrules > 0) memcpy(rules, s->rules, s->nrules * sizeof(*rules));
  free(s->rules);
  s->rules = rules;
  r = &rules[s->nrules++];
  n = strlen(reply);
  while (n > 0 && is_blank(reply[n - 1])) n--;
  reply[n] = '\0';
  word = reply + n;
  while (word > reply && !is_blank(word[-1])) word--;
  r->action = find_action(word, strlen(word));
  if (r->action != MODE_COMMAND) {
    n = (size_t)(word - reply);
    while (n > 0 && is_blank(reply[n - 1])) n--;
  }
  r->nprefix = strlen(prefix);
  r->prefix = sink_alloc(r->nprefix + 1);
  memcpy(r->prefix, prefix, r->nprefix + 1);
  ok = unescape(reply, n, &text);
  r->text = text.base;
  r->ntext = text.len;
  return ok;
}

int sink_script_load(struct sink* s, const char* path) {
  FILE* f = fopen(path, "r");
  char* line = NULL;
  size_t cap = 0;
  int number = 0;
  int status = 0;

  if (f == NULL) {
    fprintf(stderr, "uvsmtp-sink: %s: %s\n", path, strerror(errno));
    return 66;
  }
  while (status == 0 && getline(&line, &cap, f) > 0) {
    char* p = line + strspn(line, " \t");

    number++;
    p[strcspn(p, "\r\n")] = '\0';
    if (*p == '\0' || *p == '#') continue;
    if (!add_rule(s, p)) {
      fprintf(stderr, "uvsmtp-sink: %s:%d: not PREFIX REPLY\n", path, number);
      status = 65;
    }
  }
  free(line);
  fclose(f);
  return status;
}

void sink_script_free(struct sink* s) {
  for (size_t i = 0; i < s->nrules; i++) {
    free(s->rules[i].prefix);
    free(s->rules[i].text);
  }
  free(s->rules);
}

const struct sink_rule* sink_script_find(const struct sink* s, const char* line,
                                         size_t n) {
  for (size_t i = 0; i < s->nrules; i++) {
    const struct sink_rule* r = &s->rules[i];

    if (r->nprefix <= n && strncasecmp(line, r->prefix, r->nprefix) == 0)
      return r;
  }
  return NULL;
}

bool sink_rule_positive(const struct sink_rule* r) {
  return r->ntext > 0 && (r->text[0] == '2' || r->text[0] == '3');
}

static const struct sink_word rcpt_words[] = {
    {"tempfail", WORD_REFUSE,
     SINK_REPLY("450", "4.2.1", "Mailbox busy, try again")},
    {"greylist", WORD_REFUSE,
     SINK_REPLY("451", "4.7.1", "Greylisted, try again")},
    {"full", WORD_REFUSE, SINK_REPLY("452", "4.2.2", "Mailbox full")},
    {"nouser", WORD_REFUSE, SINK_REPLY("550", "5.1.1", "No such user")},
    {"policy", WORD_REFUSE, SINK_REPLY("554", "5.7.1", "Refused by policy")},
    {"closing", WORD_CLOSE, SINK_REPLY("421", "4.3.2", "Closing")},
    {"datatemp", WORD_FINAL,
     SINK_REPLY("451", "4.3.0", "Message refused for now")},
    {"spam", WORD_FINAL, SINK_REPLY("550", "5.7.1", "Message refused")},
    {"slow", WORD_SLOW, SINK_REPLY("250", "2.1.5", "Recipient ok, at last")},
};

static const struct sink_word from_words[] = {
    {"badsender", WORD_REFUSE, SINK_REPLY("550", "5.7.1", "Sender refused")},
    {"tempsender", WORD_REFUSE,
     SINK_REPLY("451", "4.7.1", "Sender refused for now")},
};

#define NRCPT_WORDS (sizeof(rcpt_words) / sizeof(rcpt_words[0]))
#define NFROM_WORDS (sizeof(from_words) / sizeof(from_words[0]))

/* A word may have a "+" and anything behind it, so that a message can have
 * several different recipients of a kind. */
unsigned char sink_word_find(const char* local, size_t n, bool sender) {
  const struct sink_word* words = sender ? from_words : rcpt_words;
  size_t count = sender ? NFROM_WORDS : NRCPT_WORDS;
  const char* plus = memchr(local, '+', n);

  if (plus != NULL) n = (size_t)(plus - local);
  for (size_t i = 0; i < count; i++)
    if (sink_is(local, n, words[i].name))
      return (unsigned char)(i + 1 + (sender ? NRCPT_WORDS : 0));
  return 0;
}

const struct sink_word* sink_word(unsigned char number) {
  return number <= NRCPT_WORDS ? &rcpt_words[number - 1]
                               : &from_words[number - 1 - NRCPT_WORDS];
}
