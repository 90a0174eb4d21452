/* SPDX-License-Identifier: MIT */
/* facts.c: what a probe has learnt, for scripts and for people. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tool.h"

void facts_init(facts_t* f) {
  memset(f, 0, sizeof(*f));
  f->starttls = -1;
  f->ms[CONNECT] = f->ms[GREETING] = f->ms[HELLO] = f->ms[SHAKE] = -1;
  f->ms[LOGIN] = -1;
}

void facts_free(facts_t* f) {
  json_decref(f->greeting);
  json_decref(f->ehlo);
  json_decref(f->helo);
  json_decref(f->reply);
  json_decref(f->extensions);
  json_decref(f->tls);
  json_decref(f->detail);
  facts_init(f);
}

/* ------------------------------------------------------------- scripts */

static json_t* borrowed(json_t* j) {
  return j == NULL ? json_null() : json_incref(j);
}

static json_t* address_json(const char* text) {
  return *text == '\0' ? json_null() : text_json(text, strlen(text));
}

static json_t* ms_json(double ms) {
  return ms < 0 ? json_null() : json_real((double)(int64_t)(ms * 1e3) / 1e3);
}

json_t* facts_json(const run_t* run, const verdict_t* v, const facts_t* f,
                   const char* error) {
  json_t* times = json_pack(
      "{s:o, s:o, s:o, s:o, s:o}", "connect", ms_json(f->ms[CONNECT]),
      "greeting", ms_json(f->ms[GREETING]), "hello", ms_json(f->ms[HELLO]),
      "tls", ms_json(f->ms[SHAKE]), "auth", ms_json(f->ms[LOGIN]));
  return json_pack(
      "{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, "
      "s:o, s:o, s:o}",
      "status", v->status, "error",
      error == NULL ? json_null() : text_json(error, strlen(error)), "stage",
      f->stage == NULL ? json_null() : json_string(f->stage), "reply",
      borrowed(f->reply), "greeting", borrowed(f->greeting), "ehlo",
      borrowed(f->ehlo), "helo", borrowed(f->helo), "esmtp", f->esmtp,
      "extensions",
      f->extensions == NULL ? json_object() : json_incref(f->extensions),
      "address", address_json(f->address[0]), "local",
      address_json(f->local[0]), "attempts", run_attempts_json(run), "ms",
      times, "starttls",
      f->starttls < 0 ? json_null() : json_boolean(f->starttls), "tls",
      borrowed(f->tls), "auth", auth_json(run), "detail", borrowed(f->detail));
}

/* -------------------------------------------------------------- people */

typedef struct gloss_s {
  const char* keyword;
  const char* text;
} gloss_t;

static const gloss_t glosses[] = {
    {"8BITMIME", "octets above 127 in the text"},
    {"ATRN", "hands a queue over, the roles turned"},
    {"AUTH", "log-in by these mechanisms"},
    {"BINARYMIME", "binary text, not divided into lines"},
    {"BURL", "takes the message from an IMAP server"},
    {"CHECKPOINT", "a broken transaction can be resumed"},
    {"CHUNKING", "messages in counted chunks (BDAT)"},
    {"CONNEG", "tells what a recipient can show"},
    {"CONPERM", "conversion of the content, if permitted"},
    {"DELIVERBY", "delivery within a given time"},
    {"DSN", "notices of delivery on request"},
    {"ENHANCEDSTATUSCODES", "replies with codes such as 5.1.1"},
    {"ETRN", "starts the delivery of a waiting queue"},
    {"EXPN", "may tell who is on a list"},
    {"FUTURERELEASE", "holds a message back until a given time"},
    {"HELP", "explains its commands"},
    {"LIMITS", "how much it takes of what"},
    {"MT-PRIORITY", "messages with priorities"},
    {"MTRK", "tells where a message is"},
    {"NO-SOLICITING", "wants no such advertisements"},
    {"PIPELINING", "several commands at a time"},
    {"REQUIRETLS", "messages that must stay encrypted"},
    {"RRVS", "refuses if a mailbox has a new owner"},
    {"SMTPUTF8", "addresses and headers beyond ASCII"},
    {"STARTTLS", "encryption on request"},
    {"SUBMITTER", "who is responsible for the message"},
    {"TURN", "turns the roles"},
    {"VERP", "a sender of its own for each recipient"},
    {"VRFY", "may tell whether a mailbox exists"},
    {"XCLIENT", "lets a proxy tell whom it speaks for"},
    {"XFORWARD", "lets a filter tell where a message is from"},
};

/* What it means, "" for what is not known. */
static void gloss(const char* keyword, const char* params, char* to,
                  size_t cap) {
  size_t i;
  *to = '\0';
  if (strcasecmp(keyword, "SIZE") == 0) {
    char* end;
    unsigned long long n = strtoull(params, &end, 10);
    char octets[32];
    if (end != params && *end == '\0' && n > 0) {
      octets_text(n, octets, sizeof(octets));
      snprintf(to, cap, "messages of up to %s", octets);
    } else {
      snprintf(to, cap, "no fixed limit on the size of messages");
    }
    return;
  }
  for (i = 0; i < sizeof(glosses) / sizeof(glosses[0]); i++)
    if (strcasecmp(keyword, glosses[i].keyword) == 0)
      snprintf(to, cap, "%s", glosses[i].text);
}

static void print_label(const char* label) { printf("  %-11s", label); }

/* Multi-line replies: the first line, which is the server's name for itself
 * where the others are extensions, or all. */
static void print_reply(const char* label, const json_t* reply, int whole) {
  const char* text = json_string_value(json_object_get(reply, "text"));
  if (reply == NULL || text == NULL) return;
  print_label(label);
  printf("%d ", (int)json_integer_value(json_object_get(reply, "code")));
  text_print(stdout, text, whole ? strlen(text) : strcspn(text, "\n"));
  putchar('\n');
}

static void print_extensions(const json_t* extensions) {
  enum { WIDEST = 32 };
  const char* keyword;
  json_t* value;
  void* i;
  size_t width = 0;
  if (extensions == NULL) return;
  putchar('\n');
  for (i = json_object_iter((json_t*)extensions); i != NULL;
       i = json_object_iter_next((json_t*)extensions, i)) {
    size_t params = json_string_length(json_object_iter_value(i));
    size_t len =
        strlen(json_object_iter_key(i)) + (params > 0 ? 1 + params : 0);
    if (len > width && len <= WIDEST) width = len;
  }
  json_object_foreach((json_t*)extensions, keyword, value) {
    const char* params = json_string_value(value);
    size_t len = strlen(keyword);
    char text[80];
    if (params == NULL) params = "";
    gloss(keyword, params, text, sizeof(text));
    fputs("  ", stdout);
    text_print(stdout, keyword, len);
    if (*params != '\0') {
      putchar(' ');
      text_print(stdout, params, strlen(params));
      len += 1 + strlen(params);
    }
    if (*text != '\0')
      printf("%*s  %s", len < width ? (int)(width - len) : 0, "", text);
    putchar('\n');
  }
}

/* One duration, and in brackets the handshake's if it is part of it. */
static void print_time(const char* what, double ms, double tls) {
  if (ms < 0) return;
  printf(", %s %.1f ms", what, ms);
  if (tls >= 0) printf(" (TLS %.1f ms)", tls);
}

static void print_times(const facts_t* f, int lmtp) {
  const char* hello = lmtp ? "LHLO" : f->esmtp ? "EHLO" : "HELO";
  if (f->ms[CONNECT] < 0) return;
  print_label("time");
  printf("connect %.1f ms", f->ms[CONNECT]);
  print_time("greeting", f->ms[GREETING], f->starttls == 1 ? -1 : f->ms[SHAKE]);
  print_time(hello, f->ms[HELLO], f->starttls == 1 ? f->ms[SHAKE] : -1);
  print_time("AUTH", f->ms[LOGIN], -1);
  putchar('\n');
}

static void print_attempts(const run_t* run) {
  char addresses[ATTEMPTS][128];
  size_t width = 0;
  size_t i;
  if (run->nattempts < 2) return;
  for (i = 0; i < run->nattempts; i++) {
    address_text(run, (const struct sockaddr*)&run->attempts[i].address, 1,
                 addresses[i], sizeof(addresses[i]));
    if (strlen(addresses[i]) > width) width = strlen(addresses[i]);
  }
  for (i = 0; i < run->nattempts; i++) {
    const attempt_t* a = &run->attempts[i];
    print_label(i == 0 ? "attempts" : "");
    printf("%-*s  %s after %llu ms\n", (int)width, addresses[i],
           a->status == 0              ? "connected"
           : a->status == UV_ECANCELED ? "another one was faster"
                                       : uvsmtp_strerror(a->status),
           (unsigned long long)a->ms);
  }
}

static void print_tls(const run_t* run, const facts_t* f,
                      const uvsmtp_tls_info_t* info) {
  char text[1024];
  if (info != NULL)
    tls_text(info, text, sizeof(text));
  else if (f->starttls == 0 && settings_policy(&run->o) != UVSMTP_TLS_NONE)
    snprintf(text, sizeof(text), "none, STARTTLS is not offered");
  else
    return;
  print_label("TLS");
  text_print(stdout, text, strlen(text));
  putchar('\n');
}

static void print_login(const run_t* run) {
  if (run->auth == NULL) return;
  print_label("login");
  auth_print(run, stdout);
}

void facts_print(const run_t* run, const facts_t* f,
                 const uvsmtp_tls_info_t* info) {
  int lmtp = run->o.server.lmtp;
  if (f->address[1][0] == '\0') return;
  text_print(stdout, run->where, strlen(run->where));
  if (f->esmtp || f->helo != NULL)
    printf(" speaks %s", lmtp       ? "LMTP"
                         : f->esmtp ? "ESMTP"
                                    : "SMTP without extensions");
  putchar('\n');
  print_label("address");
  text_print(stdout, f->address[1], strlen(f->address[1]));
  if (f->local[1][0] != '\0') printf(", from %s", f->local[1]);
  putchar('\n');
  print_attempts(run);
  print_times(f, lmtp);
  print_tls(run, f, info);
  print_login(run);
  print_reply("greeting", f->greeting, 1);
  print_reply(lmtp ? "LHLO" : "EHLO", f->ehlo, !f->esmtp);
  print_reply("HELO", f->helo, 1);
  print_extensions(f->extensions);
  tls_print_certificate(info);
}
