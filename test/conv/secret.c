/* SPDX-License-Identifier: MIT */
/* secret.c: what is secret in a dialogue, and where it must not be: in a trace,
 * a result, a block that is given back, or any block at all when nobody logs in
 * any more. And what must not be said after a login that failed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conv.h"

/* --------------------------------------------------------------- scripts */

void base64_add(bytes_t* to, const char* raw, size_t len) {
  static const char digits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  size_t i;

  for (i = 0; i < len; i += 3) {
    unsigned long n = (unsigned long)(unsigned char)raw[i] << 16;
    char four[4] = {0, 0, '=', '='};

    if (i + 1 < len) n |= (unsigned long)(unsigned char)raw[i + 1] << 8;
    if (i + 2 < len) n |= (unsigned char)raw[i + 2];
    four[0] = digits[n >> 18 & 63];
    four[1] = digits[n >> 12 & 63];
    if (i + 1 < len) four[2] = digits[n >> 6 & 63];
    if (i + 2 < len) four[3] = digits[n & 63];
    bytes_add(to, four, 4);
  }
}

static void add(dialogue_t* d, const char* at, size_t len) {
  bytes_t* b;
  size_t i;

  for (i = 0; i < d->nsecrets; i++)
    if (d->secrets[i].len == len && memcmp(d->secrets[i].at, at, len) == 0)
      return;
  d->secrets = keep_more(d->secrets, d->nsecrets, sizeof(*d->secrets));
  b = &d->secrets[d->nsecrets++];
  memset(b, 0, sizeof(*b));
  bytes_add(b, at, len);
}

/* In base64 with 0, 1 and 2 octets before it: those digits that hang on no
 * others. */
void secret_add(dialogue_t* d, const bytes_t* raw) {
  size_t before;

  add(d, raw->at, raw->len);
  for (before = 0; before < 3; before++) {
    bytes_t plain = {NULL, 0, 0};
    bytes_t coded = {NULL, 0, 0};
    size_t first = (before * 8 + 5) / 6;
    size_t end = (before + raw->len) * 8 / 6;

    bytes_add(&plain, "\0\0", before);
    bytes_add(&plain, raw->at, raw->len);
    base64_add(&coded, plain.at, plain.len);
    add(d, coded.at + first, end - first);
  }
}

void secret_wire(dialogue_t* d, const char* line, size_t len) {
  /* What is shorter may stand anywhere by chance. */
  if (len >= 8) add(d, line, len);
}

/* -------------------------------------------------------------- in plays */

static int holds(const char* at, size_t len, const bytes_t* secret) {
  const char* end = at + len;

  while ((size_t)(end - at) >= secret->len) {
    at = memchr(at, secret->at[0], (size_t)(end - at) - secret->len + 1);
    if (at == NULL) return 0;
    if (memcmp(at, secret->at, secret->len) == 0) return 1;
    at++;
  }
  return 0;
}

void secret_text(play_t* p, const char* what, const char* text, size_t len) {
  const dialogue_t* d = p->d;
  size_t i;

  for (i = 0; i < d->nsecrets; i++)
    if (text != NULL && holds(text, len, &d->secrets[i]))
      play_fail(p, "%s holds the secret %s", what, d->secrets[i].at);
}

/* In front of each block, as large as malloc's alignment. */
union heap_u {
  struct {
    heap_t* next;
    heap_t* prev;
    size_t size;
    int own; /* the credentials' */
  } is;
  max_align_t align;
};

static void unlink_block(play_t* p, heap_t* b) {
  if (b->is.next != NULL) b->is.next->is.prev = b->is.prev;
  if (b->is.prev != NULL)
    b->is.prev->is.next = b->is.next;
  else
    p->blocks = b->is.next;
}

static void link_block(play_t* p, heap_t* b) {
  b->is.prev = NULL;
  b->is.next = p->blocks;
  if (p->blocks != NULL) p->blocks->is.prev = b;
  p->blocks = b;
}

static void* allocate(play_t* p, void* ptr, size_t old_size, size_t new_size,
                      int own) {
  heap_t* old = ptr == NULL ? NULL : (heap_t*)ptr - 1;
  heap_t* b;

  if (old != NULL) {
    /* What is resized moves, so that the old one is given back too. */
    if (!p->failed) secret_text(p, "a block that is given back", ptr, old_size);
    unlink_block(p, old);
  }
  b = test_alloc(&p->alloc, old, old == NULL ? 0 : sizeof(*old) + old_size,
                 new_size == 0 ? 0 : sizeof(*b) + new_size);
  if (b == NULL) {
    if (old != NULL && new_size > 0) link_block(p, old);
    return NULL;
  }
  b->is.size = new_size;
  b->is.own = own;
  link_block(p, b);
  return b + 1;
}

void* secret_alloc(void* data, void* ptr, size_t old_size, size_t new_size) {
  return allocate(data, ptr, old_size, new_size, 0);
}

void* secret_alloc_own(void* data, void* ptr, size_t old_size,
                       size_t new_size) {
  return allocate(data, ptr, old_size, new_size, 1);
}

void secret_blocks(play_t* p) {
  const heap_t* b;

  if (p->d->nsecrets == 0 || p->proto == NULL) return;
  if (uvsmtp_proto_wait(p->proto, NULL) == UVSMTP_PHASE_AUTH) return;
  for (b = p->blocks; b != NULL; b = b->is.next)
    if (!b->is.own)
      secret_text(p, "memory behind the login", (const char*)(b + 1),
                  b->is.size);
}

/* ---------------------------------------------------------------- traces */

void secret_traced(play_t* p, const char* text, size_t len) {
  int mask =
      (len == 3 && memcmp(text, "***", 3) == 0) || (len == 1 && *text == '*');
  bytes_t* t = &p->traced;

  if (!mask && (len < 5 || memcmp(text, "AUTH ", 5) != 0)) return;
  t->at = realloc(t->at, t->len + len + 1);
  if (t->at == NULL) abort();
  memcpy(t->at + t->len, text, len);
  t->len += len;
  t->at[t->len++] = '\n';
}

int secret_cancelled(const play_t* p) {
  const bytes_t* t = &p->traced;

  return t->len >= 2 && t->at[t->len - 2] == '*' &&
         (t->len == 2 || t->at[t->len - 3] == '\n');
}

void secret_masked(play_t* p) {
  const bytes_t* want = &p->d->masked;
  const bytes_t* got = &p->traced;

  if (p->d->masked_part ||
      (want->len == got->len &&
       (got->len == 0 || memcmp(want->at, got->at, got->len) == 0)))
    return;
  printf("# expected:\n%.*s# got:\n%.*s", (int)want->len,
         want->len > 0 ? want->at : "", (int)got->len,
         got->len > 0 ? got->at : "");
  play_fail(p, "the login is traced differently");
}

/* ------------------------------------------------------- failed logins */

/* 1 when c ends the line, whose text then stands until the next octet. */
static int take_octet(line_t* line, char c) {
  if (c != '\n') {
    if (line->n < sizeof(line->text) - 1) line->text[line->n++] = c;
    return 0;
  }
  line->text[line->n] = '\0';
  line->n = 0;
  return 1;
}

/* Nothing of a message after a login that failed, whoever is wrong about it. */
static void said_line(play_t* p) {
  static const char* const verbs[] = {"MAIL ", "RCPT ", "DATA", "BDAT "};
  watch_t* w = &p->watch;
  size_t i;

  for (i = 0; w->failed && i < sizeof(verbs) / sizeof(verbs[0]); i++)
    if (strncmp(w->said.text, verbs[i], strlen(verbs[i])) == 0)
      play_fail(p, "%s after a failed login", verbs[i]);
  if (strncmp(w->said.text, "AUTH ", 5) == 0) w->asked = 1;
}

void watch_said(play_t* p, const char* at, size_t len) {
  size_t i;

  for (i = 0; i < len; i++)
    if (take_octet(&p->watch.said, at[i])) said_line(p);
}

static void heard_line(watch_t* w) {
  const char* text = w->heard.text;

  if (strlen(text) < 3 || text[3] == '-' || !w->asked) return;
  if (strncmp(text, "334", 3) == 0) return;
  w->asked = 0;
  w->failed = strncmp(text, "235", 3) != 0 && strncmp(text, "503", 3) != 0;
}

void watch_heard(play_t* p, const char* at, size_t len) {
  size_t i;

  for (i = 0; i < len; i++)
    if (take_octet(&p->watch.heard, at[i])) heard_line(&p->watch);
}

static void check_reply(play_t* p, const uvsmtp_reply_t* reply) {
  size_t len;
  const char* text;

  if (reply == NULL) return;
  text = uvsmtp_reply_text(reply, &len);
  secret_text(p, "a reply", text, len);
}

void watch_event(play_t* p, const uvsmtp_event_t* event) {
  const uvsmtp_result_t* r = event->result;
  const char* detail = uvsmtp_result_detail(r);
  size_t i;

  /* A login that failed here, where the server thinks otherwise. */
  if (uvsmtp_result_status(r) == UVSMTP_EAUTH) p->watch.failed = 1;
  check_reply(p, uvsmtp_result_reply(r));
  if (detail != NULL) secret_text(p, "a detail", detail, strlen(detail));
  for (i = 0; i < uvsmtp_result_rcpt_count(r); i++) {
    check_reply(p, uvsmtp_rcpt_result_reply(uvsmtp_result_rcpt(r, i)));
    check_reply(p, uvsmtp_rcpt_result_rcpt_reply(uvsmtp_result_rcpt(r, i)));
  }
}
