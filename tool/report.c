/* SPDX-License-Identifier: MIT */
/* report.c: what is said about a message's result, to scripts and to people. */
#include <stdarg.h>
#include <string.h>

#include "tool.h"

/* ------------------------------------------------------------ sentences */

typedef struct text_s {
  char* to;
  size_t cap;
  size_t len;
} text_t;

static void put(text_t* t, const char* format, ...) {
  va_list args;
  int n;
  if (t->len + 1 >= t->cap) return;
  va_start(args, format);
  n = vsnprintf(t->to + t->len, t->cap - t->len, format, args);
  va_end(args);
  if (n > 0) t->len += (size_t)n;
  if (t->len >= t->cap) t->len = t->cap - 1;
}

static size_t accepted(const uvsmtp_result_t* r) {
  size_t n = 0;
  size_t i;
  for (i = 0; i < uvsmtp_result_rcpt_count(r); i++)
    n += uvsmtp_rcpt_result_outcome(uvsmtp_result_rcpt(r, i)) ==
         UVSMTP_OUTCOME_ACCEPTED;
  return n;
}

/* With --all-or-nothing the refusal of one is that of all: this is what was
 * said to this one's own RCPT, if that was said. */
static const uvsmtp_reply_t* own_reply(const uvsmtp_rcpt_result_t* r) {
  return uvsmtp_rcpt_result_status(r) == UVSMTP_ERECIPIENTS &&
                 uvsmtp_rcpt_result_stage(r) == UVSMTP_STATE_RCPT
             ? uvsmtp_rcpt_result_rcpt_reply(r)
             : uvsmtp_rcpt_result_reply(r);
}

static int is_withheld(const uvsmtp_rcpt_result_t* r) {
  return own_reply(r) != uvsmtp_rcpt_result_reply(r);
}

static size_t withheld(const uvsmtp_result_t* r) {
  size_t n = 0;
  size_t i;
  for (i = 0; i < uvsmtp_result_rcpt_count(r); i++)
    n += (size_t)is_withheld(uvsmtp_result_rcpt(r, i));
  return n;
}

/* Of several addresses each has a reason of its own. */
static void put_attempts(text_t* t, const run_t* run, int cause) {
  size_t i;
  if (run->nattempts < 2 && (run->nattempts == 0 || !run->o.server.named)) {
    put(t, ": %s", uvsmtp_strerror(cause));
    return;
  }
  for (i = 0; i < run->nattempts; i++) {
    const attempt_t* a = &run->attempts[i];
    char address[160];
    address_text(run, (const struct sockaddr*)&a->address, 1, address,
                 sizeof(address));
    put(t, "%s %s: %s", i == 0 ? ":" : ";", address,
        uvsmtp_strerror(a->status));
  }
}

static void put_unconnected(text_t* t, const run_t* run, const verdict_t* v,
                            const uvsmtp_result_t* r) {
  int cause = uvsmtp_result_cause(r);
  if (uvsmtp_result_reply(r) != NULL) {
    put(t, "%s does not serve us", run->where);
  } else if (strcmp(v->status, "unknown-host") == 0) {
    put(t, "%s has no address: %s", run->o.server.host, uvsmtp_strerror(cause));
  } else {
    put(t, "connecting to %s failed", run->where);
    put_attempts(t, run, cause != 0 ? cause : uvsmtp_result_status(r));
  }
}

static void put_timeout(text_t* t, const run_t* run, const uvsmtp_result_t* r) {
  int stage = uvsmtp_result_stage(r);
  if (stage != UVSMTP_STATE_OPENING) {
    put(t, "%s took too long", run->where);
    return;
  }
  put(t, "connecting to %s took too long", run->where);
  if (run->nattempts > 1) put_attempts(t, run, UV_ETIMEDOUT);
}

/* STARTTLS that is not to be had, or a handshake that failed. */
static void put_insecure(text_t* t, const run_t* run,
                         const uvsmtp_result_t* r) {
  const uvsmtp_tls_info_t* info = uvsmtp_result_tls(r);
  const char* reason = info == NULL ? "" : uvsmtp_tls_info_error_text(info);
  int cause = uvsmtp_result_cause(r);
  if (uvsmtp_result_stage(r) == UVSMTP_STATE_STARTTLS) {
    put(t, "%s %s", run->where,
        cause == UVSMTP_ENOTSUPPORTED ? "does not offer STARTTLS"
                                      : "refused STARTTLS");
    return;
  }
  if (*reason == '\0')
    reason = uvsmtp_strerror(cause != 0 ? cause : UVSMTP_ETLS);
  put(t, "TLS with %s failed: %s", run->where, reason);
  /* Nothing that it said was TLS, an alert neither. */
  if (uvsmtp_result_stage(r) == UVSMTP_STATE_WRAP && info != NULL &&
      uvsmtp_tls_info_version(info) == 0 && cause != UV_EOF &&
      strstr(reason, "the server refused") == NULL)
    put(t, "; if it wants STARTTLS, that is smtp:// and --tls required");
}

/* TLS knows more of what broke it than its error does. */
static void put_cause(text_t* t, const uvsmtp_result_t* r) {
  const uvsmtp_tls_info_t* info = uvsmtp_result_tls(r);
  int cause = uvsmtp_result_cause(r);
  if (cause == UVSMTP_ETLS && info != NULL)
    put(t, ": %s", uvsmtp_tls_info_error_text(info));
  else if (cause != 0)
    put(t, ": %s", uvsmtp_strerror(cause));
}

static const char* sentence_of(int status) {
  switch (status) {
    case UVSMTP_ERECIPIENTS:
      return "%s refused every recipient";
    case UVSMTP_ESENDER:
      return "%s refused the sender";
    case UVSMTP_EDATA:
      return "%s refused the message";
    case UVSMTP_EHELO:
      return "%s refused our greeting";
    case UVSMTP_EDISCONNECTED:
      return "the connection to %s was lost";
    case UVSMTP_EPROTOCOL:
      return "what %s says is not the protocol";
    default:
      return NULL;
  }
}

void report_sentence(const run_t* run, const verdict_t* v,
                     const uvsmtp_result_t* r, char* to, size_t cap) {
  text_t t = {to, cap, 0};
  int status = uvsmtp_result_status(r);
  int cause = uvsmtp_result_cause(r);
  size_t n = uvsmtp_result_rcpt_count(r);
  *to = '\0';
  if (strcmp(v->status, "ok") == 0) return;
  if (strcmp(v->status, "partial") == 0) {
    put(&t, "%zu of %zu recipients were not accepted by %s", n - accepted(r), n,
        run->where);
    if (uvsmtp_result_detail(r) != NULL)
      put(&t, ": %.300s", uvsmtp_result_detail(r));
  } else if (strcmp(v->status, "delivery-unknown") == 0) {
    put(&t, "the message had left for %s, but no verdict came", run->where);
    put_cause(&t, r);
  } else if (auth_failed(r)) {
    auth_sentence(run, r, to, cap);
  } else if (uvsmtp_result_detail(r) != NULL) {
    /* What is refused here has its reason in it. */
    put(&t, "%.900s", uvsmtp_result_detail(r));
  } else if (status == UVSMTP_ECONNECT) {
    put_unconnected(&t, run, v, r);
  } else if (status == UVSMTP_ETLS) {
    put_insecure(&t, run, r);
  } else if (status == UV_ETIMEDOUT) {
    put_timeout(&t, run, r);
  } else if (status == UV_ECANCELED) {
    put(&t, "interrupted");
  } else if (status == UVSMTP_ESOURCE) {
    put(&t, "reading %.200s failed: %s", run->source, uvsmtp_strerror(cause));
  } else if (withheld(r) > 0) {
    put(&t, "%s refused %zu of %zu recipients, so that nobody gets it",
        run->where, n - withheld(r), n);
  } else if (sentence_of(status) != NULL) {
    put(&t, sentence_of(status), run->where);
    put_cause(&t, r);
  } else {
    put(&t, "%s", uvsmtp_strerror(status));
    put_cause(&t, r);
  }
}

/* ------------------------------------------------------------- scripts */

static json_t* enhanced_json(const uvsmtp_reply_t* reply) {
  unsigned short e[3];
  if (!uvsmtp_reply_enhanced(reply, e)) return json_null();
  return json_sprintf("%d.%d.%d", e[0], e[1], e[2]);
}

static json_t* reply_text_json(const uvsmtp_reply_t* reply) {
  size_t len;
  const char* text = uvsmtp_reply_text(reply, &len);
  return text_json(text, len);
}

json_t* reply_json(const uvsmtp_reply_t* reply) {
  if (reply == NULL) return json_null();
  return json_pack("{s:i, s:o, s:o}", "code", uvsmtp_reply_code(reply),
                   "enhanced", enhanced_json(reply), "text",
                   reply_text_json(reply));
}

static json_t* rcpt_json(const uvsmtp_rcpt_result_t* r) {
  const char* address = uvsmtp_rcpt_result_address(r);
  const uvsmtp_reply_t* reply = own_reply(r);
  return json_pack(
      "{s:o, s:s, s:o, s:o, s:o, s:o}", "address",
      text_json(address, strlen(address)), "outcome",
      uvsmtp_outcome_name(uvsmtp_rcpt_result_outcome(r)), "stage",
      stage_json(uvsmtp_rcpt_result_stage(r)), "code",
      reply == NULL ? json_null() : json_integer(uvsmtp_reply_code(reply)),
      "enhanced", reply == NULL ? json_null() : enhanced_json(reply), "text",
      reply == NULL ? json_null() : reply_text_json(reply));
}

/* "MT-PRIORITY" ... of what was left out, or NULL behind the last. */
static const char* omitted_name(const uvsmtp_result_t* r, size_t i) {
  static const struct {
    unsigned int bit;
    const char* name;
  } names[] = {{UVSMTP_OMITTED_DSN, "DSN"},
               {UVSMTP_OMITTED_DELIVERBY, "DELIVERBY"},
               {UVSMTP_OMITTED_PRIORITY, "MT-PRIORITY"},
               {UVSMTP_OMITTED_AUTH, "AUTH"}};
  size_t k;
  for (k = 0; k < sizeof(names) / sizeof(names[0]); k++)
    if ((uvsmtp_result_omitted(r) & names[k].bit) && i-- == 0)
      return names[k].name;
  return NULL;
}

static json_t* omitted_json(const uvsmtp_result_t* r) {
  json_t* list = json_array();
  const char* name;
  size_t i;
  for (i = 0; r != NULL && (name = omitted_name(r, i)) != NULL; i++)
    json_array_append_new(list, json_string(name));
  return list;
}

static json_t* sender_json(const uvsmtp_result_t* r) {
  const char* sender = r == NULL ? NULL : uvsmtp_result_sender(r);
  return sender == NULL ? json_null() : text_json(sender, strlen(sender));
}

json_t* report_json(const run_t* run, const verdict_t* v,
                    const uvsmtp_result_t* connect,
                    const uvsmtp_result_t* sent) {
  const uvsmtp_result_t* r = connect != NULL ? connect : sent;
  int outcome = uvsmtp_result_outcome(sent != NULL ? sent : connect);
  char error[1024];
  json_t* rcpts = json_array();
  size_t i;
  report_sentence(run, v, r, error, sizeof(error));
  for (i = 0; sent != NULL && i < uvsmtp_result_rcpt_count(sent); i++)
    json_array_append_new(rcpts, rcpt_json(uvsmtp_result_rcpt(sent, i)));
  return json_pack(
      "{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I}",
      "status", v->status, "outcome", uvsmtp_outcome_name(outcome), "error",
      *error == '\0' ? json_null() : text_json(error, strlen(error)), "stage",
      stage_json(uvsmtp_result_stage(r)), "reply",
      reply_json(uvsmtp_result_reply(r)), "sender", sender_json(sent),
      "recipients", rcpts, "omitted", omitted_json(sent), "tls",
      tls_json(uvsmtp_result_tls(r)), "auth", auth_json(run), "detail",
      auth_detail_json(r), "attempts", run_attempts_json(run), "bytes",
      (json_int_t)(sent == NULL ? 0 : uvsmtp_result_octets(sent)));
}

json_t* report_json_local(const verdict_t* v, const char* error) {
  return json_pack(
      "{s:s, s:s, s:o, s:n, s:n, s:n, s:[], s:[], s:n, s:n, s:n, s:[], s:i}",
      "status", v->status, "outcome",
      uvsmtp_outcome_name(UVSMTP_OUTCOME_NOT_ATTEMPTED), "error",
      text_json(error, strlen(error)), "stage", "reply", "sender", "recipients",
      "omitted", "tls", "auth", "detail", "attempts", "bytes", 0);
}

/* -------------------------------------------------------------- people */

void reply_print(FILE* to, const uvsmtp_reply_t* reply) {
  size_t len;
  const char* text;
  if (reply == NULL) return;
  text = uvsmtp_reply_text(reply, &len);
  fprintf(to, ": %d ", uvsmtp_reply_code(reply));
  text_print(to, text, len);
}

void report_line(const run_t* run, const verdict_t* v, const uvsmtp_result_t* r,
                 FILE* to) {
  const char* stage = stage_words(uvsmtp_result_stage(r));
  char sentence[1024];
  report_sentence(run, v, r, sentence, sizeof(sentence));
  if (to == stderr) fputs("uvsmtp: ", to);
  fputs(v->status, to);
  if (stage != NULL && uvsmtp_result_status(r) != 0)
    fprintf(to, " (at %s)", stage);
  fputs(": ", to);
  text_print(to, sentence, strlen(sentence));
}

/* Octets that an address takes, escaped. */
static size_t shown_length(const char* text) {
  size_t n = 0;
  for (; *text != '\0'; text++)
    n += (unsigned char)*text < 32 || (unsigned char)*text > 126 ? 4 : 1;
  return n;
}

static void list_recipients(const uvsmtp_result_t* r, FILE* to) {
  enum { WIDEST = 40 };
  size_t n = uvsmtp_result_rcpt_count(r);
  size_t width = 0;
  size_t i;
  for (i = 0; i < n; i++) {
    size_t len =
        shown_length(uvsmtp_rcpt_result_address(uvsmtp_result_rcpt(r, i)));
    if (len > width && len <= WIDEST) width = len;
  }
  for (i = 0; i < n; i++) {
    const uvsmtp_rcpt_result_t* rcpt = uvsmtp_result_rcpt(r, i);
    const char* address = uvsmtp_rcpt_result_address(rcpt);
    size_t len = shown_length(address);
    fputs("  ", to);
    text_print(to, address, strlen(address));
    fprintf(to, "%*s  %s", len < width ? (int)(width - len) : 0, "",
            uvsmtp_outcome_name(uvsmtp_rcpt_result_outcome(rcpt)));
    if (is_withheld(rcpt))
      fputs(", since not everybody was accepted", to);
    else
      reply_print(to, uvsmtp_rcpt_result_reply(rcpt));
    fputc('\n', to);
  }
}

static int same_reply(const uvsmtp_reply_t* a, const uvsmtp_reply_t* b) {
  if (a == NULL || b == NULL) return a == b;
  return uvsmtp_reply_code(a) == uvsmtp_reply_code(b) &&
         strcmp(uvsmtp_reply_text(a, NULL), uvsmtp_reply_text(b, NULL)) == 0;
}

/* Whether the server had one and the same to say of everybody. */
static int all_say_the_same(const uvsmtp_result_t* r) {
  size_t i;
  for (i = 0; i < uvsmtp_result_rcpt_count(r); i++)
    if (!same_reply(uvsmtp_rcpt_result_reply(uvsmtp_result_rcpt(r, i)),
                    uvsmtp_result_reply(r)))
      return 0;
  return 1;
}

/* Addresses that failed before another one was connected to. */
static void list_unreached(const run_t* run, FILE* to) {
  size_t i;
  int reached = 0;
  for (i = 0; i < run->nattempts; i++) reached |= run->attempts[i].status == 0;
  for (i = 0; i < run->nattempts && reached; i++) {
    const attempt_t* a = &run->attempts[i];
    char address[160];
    if (a->status == 0 || a->status == UV_ECANCELED) continue;
    address_text(run, (const struct sockaddr*)&a->address, 1, address,
                 sizeof(address));
    fprintf(to, "  not reached: %s: %s\n", address, uvsmtp_strerror(a->status));
  }
}

/* Good news, if only for some, and all other news; a sendmail has bad ones
 * only. */
static FILE* stream_of(const run_t* run, const uvsmtp_result_t* r) {
  return uvsmtp_result_status(r) == 0 && !run->o.sendmail.wanted ? stdout
                                                                 : stderr;
}

/* What the outcomes of a message come to, a set. */
enum { LATER = 1u << 0, UNTRIED = 1u << 1, NEVER = 1u << 2 };

static unsigned int to_do(int outcome) {
  if (outcome == UVSMTP_OUTCOME_DEFERRED) return LATER;
  if (outcome == UVSMTP_OUTCOME_NOT_ATTEMPTED) return LATER | UNTRIED;
  return outcome == UVSMTP_OUTCOME_REJECTED ? NEVER : 0;
}

static unsigned int all_to_do(const uvsmtp_result_t* r) {
  size_t n = uvsmtp_result_rcpt_count(r);
  unsigned int all = 0;
  size_t i;
  /* Of those in a header that was not read nobody knows. */
  if (n == 0) return to_do(uvsmtp_result_outcome(r));
  for (i = 0; i < n; i++)
    all |= to_do(uvsmtp_rcpt_result_outcome(uvsmtp_result_rcpt(r, i)));
  return all;
}

void report_advice(const run_t* run, const verdict_t* v,
                   const uvsmtp_result_t* r) {
  FILE* to = stream_of(run, r);
  const char* advice = auth_advice(run, r);
  unsigned int all = all_to_do(r);
  int later = (all & LATER) != 0;
  int never = (all & NEVER) != 0;
  if (uvsmtp_result_outcome(r) == UVSMTP_OUTCOME_UNKNOWN)
    fputs("It may have been delivered: sent again, it may arrive twice.\n", to);
  else if (advice != NULL)
    fprintf(to, "Nothing was delivered.%s%s\n", *advice == '\0' ? "" : " ",
            advice);
  else if (v->exit_status == EXIT_INTERRUPTED)
    fputs("Nothing was delivered.\n", to);
  else if (v->exit_status == EXIT_NO_HOST)
    fputs("Nothing was delivered. Is the name right?\n", to);
  else if (v->untrusted)
    fputs(
        "Nothing was delivered. Is it the right server? uvsmtp probe "
        "--insecure shows its\ncertificate; --ca or --pin trusts it.\n",
        to);
  else if (v->exit_status == EXIT_NO_INPUT || v->exit_status == EXIT_IO ||
           v->exit_status == EXIT_BAD_MESSAGE)
    fputs("Nothing was delivered.\n", to);
  else if (later && !never && uvsmtp_result_status(r) != 0)
    fputs("Nothing was delivered. It can be sent again later.\n", to);
  else if (never && !later && uvsmtp_result_status(r) != 0)
    fputs("Nothing was delivered. As it is, it would be refused again.\n", to);
  else
    fprintf(to, "%s%s%s\n",
            !later          ? ""
            : all & UNTRIED ? "To those deferred or not attempted it can be "
                              "sent again later."
                            : "To those deferred it can be sent again later.",
            later && never ? "\n" : "",
            never ? "For those rejected it would be refused again." : "");
}

static void print_tls(const uvsmtp_tls_info_t* info, FILE* to) {
  char text[1024];
  /* A failure is the report's first line already. */
  if (info == NULL || !uvsmtp_tls_info_established(info)) return;
  tls_text(info, text, sizeof(text));
  fputs("  TLS: ", to);
  text_print(to, text, strlen(text));
  fputc('\n', to);
}

static void print_omitted(const uvsmtp_result_t* r, FILE* to) {
  const char* name;
  size_t i;
  for (i = 0; (name = omitted_name(r, i)) != NULL; i++)
    fprintf(to, "%s%s", i == 0 ? "  not offered, left out: " : ", ", name);
  if (i > 0) fputc('\n', to);
}

void report_text(const run_t* run, const verdict_t* v,
                 const uvsmtp_result_t* r) {
  size_t n = uvsmtp_result_rcpt_count(r);
  FILE* to = stream_of(run, r);
  /* Of a login that failed nobody in particular has heard. */
  int list = (!all_say_the_same(r) && !auth_failed(r)) ||
             (n > 0 && strcmp(v->status, "recipients-refused") == 0);
  if (strcmp(v->status, "ok") == 0) {
    fputs("accepted by ", to);
    text_print(to, run->where, strlen(run->where));
    if (n > 1) fprintf(to, " for %zu recipients", n);
  } else {
    report_line(run, v, r, to);
  }
  if (!list) reply_print(to, uvsmtp_result_reply(r));
  fputc('\n', to);
  if (list) list_recipients(r, to);
  if (auth_failed(r)) auth_detail_print(r, to);
  print_omitted(r, to);
  print_tls(uvsmtp_result_tls(r), to);
  if (run->auth != NULL) {
    fputs("  AUTH: ", to);
    auth_print(run, to);
  }
  list_unreached(run, to);
}
