/* SPDX-License-Identifier: MIT */
/* params.c: what is asked of the server beyond delivery, as words. What these
 * words don't decide, the library looks at (see check.c). */
#include <string.h>

#include "rows.h"
#include "tool.h"

static int is_word(const char* text, size_t len, const char* word) {
  return strlen(word) == len && strncmp(text, word, len) == 0;
}

static const char* parse_notify(const char* text, unsigned int* notify) {
  static const struct {
    const char* word;
    unsigned int bit;
  } words[] = {{"never", UVSMTP_DSN_NEVER},
               {"success", UVSMTP_DSN_SUCCESS},
               {"failure", UVSMTP_DSN_FAILURE},
               {"delay", UVSMTP_DSN_DELAY}};
  static const char wrong[] =
      "it can be never, or some of success,failure,delay";
  *notify = 0;
  for (;;) {
    size_t len = strcspn(text, ",");
    size_t i = 0;
    while (i < 4 && !is_word(text, len, words[i].word)) i++;
    if (i == 4) return wrong;
    *notify |= words[i].bit;
    if (text[len] == '\0') break;
    text += len + 1;
  }
  return (*notify & UVSMTP_DSN_NEVER) && *notify != UVSMTP_DSN_NEVER ? wrong
                                                                     : NULL;
}

static const char* parse_ret(const char* text, int* ret) {
  if (strcmp(text, "full") == 0)
    *ret = UVSMTP_DSN_RET_FULL;
  else if (strcmp(text, "hdrs") == 0)
    *ret = UVSMTP_DSN_RET_HDRS;
  else
    return "it can be full or hdrs";
  return NULL;
}

/* SECONDS[:notify|:return][:trace]. Nobody loses a message who asked for
 * nothing but to hear of it. */
static const char* parse_deliver_by(const char* text, uvsmtp_mail_params_t* m) {
  enum { MOST = 999999999 }; /* RFC 2852 4 */
  char number[16];
  size_t len = strcspn(text, ":");
  const char* wrong;
  long n;
  if (len >= sizeof(number)) return "the time is too long";
  memcpy(number, text, len);
  number[len] = '\0';
  wrong = parse_whole(number, -MOST, MOST, &n);
  if (wrong != NULL) return wrong;
  m->by = UVSMTP_BY_NOTIFY;
  m->by_seconds = (int32_t)n;
  m->flags &= ~(unsigned int)UVSMTP_MAIL_BY_TRACE;
  text += len;
  len = *text == '\0' ? 0 : strcspn(text + 1, ":");
  if (is_word(text, len + 1, ":notify") || is_word(text, len + 1, ":return")) {
    if (text[1] == 'r') m->by = UVSMTP_BY_RETURN;
    text += len + 1;
  }
  if (strcmp(text, ":trace") == 0)
    m->flags |= UVSMTP_MAIL_BY_TRACE;
  else if (*text != '\0')
    return "behind the seconds come :notify or :return, and :trace";
  return m->by == UVSMTP_BY_RETURN && n <= 0
             ? "what is to come back needs a time above 0"
             : NULL;
}

static const char* parse_hold_for(const char* text, uint32_t* seconds) {
  long n;
  const char* wrong = parse_whole(text, 1, 999999999, &n); /* RFC 4865 4 */
  if (wrong == NULL) *seconds = (uint32_t)n;
  return wrong;
}

static const char* parse_priority(const char* text, uvsmtp_mail_params_t* m) {
  long n;
  const char* wrong = parse_whole(text, -9, 9, &n); /* RFC 6710 */
  if (wrong != NULL) return wrong;
  m->priority = (int)n;
  m->flags |= UVSMTP_MAIL_PRIORITY;
  return NULL;
}

static void set_flag(options_t* o, int option) {
  if (option == OPT_REQUIRE_TLS) o->params.flags |= UVSMTP_MAIL_REQUIRETLS;
  if (option == OPT_SMTPUTF8) o->params.flags |= UVSMTP_MAIL_SMTPUTF8;
  if (option == OPT_OPTIONAL_PARAMS) o->params.flags |= UVSMTP_MAIL_OPTIONAL;
  if (option == OPT_ALL_OR_NOTHING)
    o->message_flags |= UVSMTP_MESSAGE_ALL_OR_NOTHING;
  if (option == OPT_REFUSE_8BIT) o->message_flags |= UVSMTP_MESSAGE_REFUSE_8BIT;
}

const char* parse_param(options_t* o, int option, const char* arg) {
  uvsmtp_mail_params_t* m = &o->params;
  /* sendmail passes its own on where it can. */
  if (option < OPT_SERVER) m->flags |= UVSMTP_MAIL_OPTIONAL;
  switch (option) {
    case OPT_DSN_NOTIFY:
    case 'N':
      return parse_notify(arg, &m->notify);
    case OPT_DSN_RET:
    case 'R':
      return parse_ret(arg, &m->ret);
    case OPT_ENVID:
    case 'V':
      m->envid = arg;
      return NULL;
    case OPT_DELIVER_BY:
      return parse_deliver_by(arg, m);
    case OPT_HOLD_FOR:
      return parse_hold_for(arg, &m->hold_for);
    case OPT_HOLD_UNTIL:
      m->hold_until = arg;
      return NULL;
    case OPT_PRIORITY:
      return parse_priority(arg, m);
    case OPT_SUBMITTER:
      m->auth = arg;
      return NULL;
    default:
      set_flag(o, option);
      return NULL;
  }
}

const char* params_check(const options_t* o) {
  return o->params.hold_for != 0 && o->params.hold_until != NULL
             ? "--hold-for and --hold-until are two times: give one"
             : NULL;
}
