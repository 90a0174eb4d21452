/* SPDX-License-Identifier: MIT */
/* text.c: words, quotes and escapes of scripts, and the memory that they are
 * kept in. */
#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conv.h"

/* Everything that scripts hold, given back at once. */
typedef struct block_s {
  struct block_s* next;
  max_align_t octets[];
} block_t;

static block_t* blocks;

void script_error(const char* file, int line, const char* format, ...) {
  va_list args;

  va_start(args, format);
  fprintf(stderr, "%s:%d: ", file, line);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  exit(2);
}

int script_named(const char* file, int line, int number, const char* name) {
  if (number == ANY) script_error(file, line, "%s?", name);
  return number;
}

void* keep(size_t n) {
  block_t* b = calloc(1, sizeof(*b) + n);

  if (b == NULL) abort();
  b->next = blocks;
  blocks = b;
  return b->octets;
}

char* keep_text(const char* text, size_t len) {
  char* to = keep(len + 1);

  memcpy(to, text, len);
  return to;
}

void* keep_more(void* list, size_t n, size_t size) {
  void* to;

  /* Room for the next power of two is there already. */
  if (n > 0 && (n & (n - 1)) != 0) return list;
  to = keep((n == 0 ? 1 : n * 2) * size);
  if (n > 0) memcpy(to, list, n * size);
  return to;
}

void script_free(dialogue_t* first) {
  (void)first;
  while (blocks != NULL) {
    block_t* next = blocks->next;

    free(blocks);
    blocks = next;
  }
}

void bytes_add(bytes_t* b, const void* data, size_t len) {
  if (b->len + len + 1 > b->cap) {
    size_t cap = (b->len + len + 1) * 2;
    char* at = keep(cap);

    if (b->len > 0) memcpy(at, b->at, b->len);
    b->at = at;
    b->cap = cap;
  }
  if (len > 0) memcpy(b->at + b->len, data, len);
  b->len += len;
  b->at[b->len] = '\0';
}

static int hex(char c) {
  if (isdigit((unsigned char)c)) return c - '0';
  return tolower((unsigned char)c) - 'a' + 10;
}

/* One octet, escaped or not; where the next one is. */
static const char* one(const char* at, const char* end, bytes_t* out) {
  char c = *at++;

  if (c == '\\' && at < end) {
    c = *at++;
    switch (c) {
      case 'r':
        c = '\r';
        break;
      case 'n':
        c = '\n';
        break;
      case 't':
        c = '\t';
        break;
      case '0':
        c = '\0';
        break;
      case 'x':
        if (end - at < 2) abort();
        c = (char)(hex(at[0]) * 16 + hex(at[1]));
        at += 2;
        break;
      default:
        break;
    }
  }
  bytes_add(out, &c, 1);
  return at;
}

void script_unescape(const char* at, const char* end, bytes_t* out) {
  while (at < end) at = one(at, end, out);
}

int script_word(char** at, bytes_t* word) {
  const char* s = *at;
  const char* end = s + strlen(s);
  int quoted = 0;

  memset(word, 0, sizeof(*word));
  while (*s == ' ' || *s == '\t') s++;
  if (*s == '\0') return 0;
  bytes_add(word, "", 0);
  while (s < end && (quoted || (*s != ' ' && *s != '\t'))) {
    if (*s == '"') {
      quoted = !quoted;
      s++;
    } else {
      s = one(s, end, word);
    }
  }
  *at += s - *at;
  return 1;
}

int script_value(const bytes_t* word, const char* key, const char** value) {
  size_t n = strlen(key);

  if (word->len <= n || word->at[n] != '=' || strncmp(word->at, key, n) != 0)
    return 0;
  *value = word->at + n + 1;
  return 1;
}

unsigned int script_flags(const dialogue_t* d, int line,
                          const flag_name_t* names, const char* value) {
  unsigned int flags = 0;

  while (*value != '\0') {
    size_t n = strcspn(value, ",");
    const flag_name_t* f = names;

    while (f->name != NULL &&
           (strlen(f->name) != n || strncmp(f->name, value, n) != 0))
      f++;
    if (f->name == NULL) script_error(d->file, line, "flag %s?", value);
    flags |= f->flag;
    value += n;
    if (*value == ',') value++;
  }
  return flags;
}
