/* SPDX-License-Identifier: MIT */
/* sendmail.c: being called like sendmail(8): options of one letter, recipients
 * as arguments, the message on standard input. */
#include <string.h>

#include "rows.h"
#include "tool.h"

/* What sendmails of others know. Else than by their name -h is ours, and -o has
 * its value in the same word: "-to" is a mistake. */
const char* sendmail_letters(int by_name) {
  return by_name ? "-:A:B:C:F:GIL:N:O:R:UV:X:b:ce:f:h:imno:p:q::r:tvx"
                 : "-:hA:B:C:F:GIL:N:O:R:UV:X:b:ce:f:imno::p:q::r:tvx";
}

static const char* parse_mode(const char* mode) {
  if (strcmp(mode, "m") == 0) return NULL;
  if (strcmp(mode, "s") == 0 || strcmp(mode, "d") == 0 ||
      strcmp(mode, "D") == 0)
    return "this is no server: it can't receive mail";
  if (strcmp(mode, "p") == 0) return "there is no queue: mail is sent at once";
  return "only -bm, which sends a message, can be had";
}

const char* sendmail_option(options_t* o, int letter, const char* arg) {
  /* Whoever wants to see more may not mean a sendmail. */
  if (letter == 'v') {
    o->trace = 1;
    return NULL;
  }
  o->sendmail.wanted = 1;
  switch (letter) {
    case 'b':
      return parse_mode(arg);
    case 'q':
      return "there is no queue: mail is sent at once";
    case 'I':
      return "only sending a message can be had";
    case 'f':
    case 'r':
      o->from = arg;
      return NULL;
    case 'F':
      o->sendmail.full_name = arg;
      return NULL;
    case 't':
      o->sendmail.header = 1;
      return NULL;
    case 'o':
      return arg == NULL ? "its value is missing" : NULL;
    case 'N':
    case 'R':
    case 'V':
      return parse_param(o, letter, arg);
    default: /* how a queue or an aliases file is to be dealt with */
      return NULL;
  }
}

/* No address that a server could take has a slash and no "@". */
static int is_path(const char* word) {
  return strchr(word, '/') != NULL && strchr(word, '@') == NULL;
}

const char* sendmail_arguments(options_t* o) {
  size_t i;
  if (o->progress < 0) o->progress = 0;
  for (i = 0; i < o->words.n; i++) {
    const char* word = o->words.list[i];
    const char* wrong;
    if (!o->sendmail.by_name && o->file == NULL && is_path(word)) {
      o->file = word;
      continue;
    }
    wrong = options_add(&o->to, word);
    if (wrong != NULL) return wrong;
  }
  if (o->to.n == 0 && !o->sendmail.header)
    return "no recipient: give some as arguments, or -t for those of the "
           "header";
  return NULL;
}
