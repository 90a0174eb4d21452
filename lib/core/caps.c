/* SPDX-License-Identifier: MIT */
/* caps.c: the extensions of an EHLO reply. The lines are read twice, to measure
 * and to write, so that an idle session holds one block without slack. */
#include "core/caps.h"

#include <errno.h>
#include <string.h>

#include "core/ascii.h"

/* Servers list about ten mechanisms. What a hostile one lists beyond this many
 * is left out: comparing each with all before it would take quadratic time. */
enum { MECHS_MAX = 64 };

typedef struct line_s {
  const char* keyword;
  size_t keyword_len;
  const char* params;
  size_t params_len;
} line_t;

typedef struct mechs_s {
  uvsmtp_slice_t list[MECHS_MAX];
  size_t count;
} mechs_t;

static int is_auth(const line_t* line) {
  return uvsmtp__same(line->keyword, line->keyword_len, "AUTH", 4);
}

/* Splits one line; 0 when it has no keyword. */
static int split(const char* at, const char* end, line_t* line) {
  line->keyword = at;
  while (at < end &&
         (uvsmtp__is_alnum(*at) || (*at == '-' && at > line->keyword)))
    at++;
  line->keyword_len = (size_t)(at - line->keyword);
  if (line->keyword_len == 0) return 0;

  /* "AUTH=PLAIN" is what servers said before RFC 2554. */
  if (at < end && *at == '=' && is_auth(line))
    at++;
  else if (at < end && !uvsmtp__is_blank(*at))
    return 0;

  while (at < end && uvsmtp__is_blank(*at)) at++;
  while (at < end && uvsmtp__is_blank(end[-1])) end--;
  line->params = at;
  line->params_len = (size_t)(end - at);
  return 1;
}

/* The next line at *at that is an extension; 0 when there is none. */
static int next_line(const char** at, const char* end, line_t* line) {
  while (*at < end) {
    const char* start = *at;
    const char* stop = memchr(start, '\n', (size_t)(end - start));

    if (stop == NULL) stop = end;
    *at = stop < end ? stop + 1 : end;
    if (split(start, stop, line)) return 1;
  }
  return 0;
}

/* Whether a line from `at` on has the same keyword. */
static int given_again(const line_t* line, const char* at, const char* end) {
  line_t other;

  while (next_line(&at, end, &other))
    if (uvsmtp__same(line->keyword, line->keyword_len, other.keyword,
                     other.keyword_len))
      return 1;
  return 0;
}

static void add_mech(mechs_t* mechs, const char* name, size_t len) {
  size_t i;

  for (i = 0; i < mechs->count; i++)
    if (uvsmtp__same(mechs->list[i].base, mechs->list[i].len, name, len))
      return;
  if (mechs->count == MECHS_MAX) return;
  mechs->list[mechs->count].base = name;
  mechs->list[mechs->count].len = len;
  mechs->count++;
}

/* The mechanisms of all lines of AUTH. */
static void find_mechs(const char* at, const char* end, mechs_t* mechs) {
  line_t line;

  mechs->count = 0;
  while (next_line(&at, end, &line)) {
    const char* p = line.params;
    const char* stop = p + line.params_len;

    if (!is_auth(&line)) continue;
    while (p < stop) {
      const char* name = p;

      while (p < stop && !uvsmtp__is_blank(*p)) p++;
      add_mech(mechs, name, (size_t)(p - name));
      while (p < stop && uvsmtp__is_blank(*p)) p++;
    }
  }
}

/* Puts octets at out + at unless out is NULL; where the next ones go. */
static size_t put(char* out, size_t at, const void* data, size_t len) {
  if (out != NULL) memcpy(out + at, data, len);
  return at + len;
}

/* The whole store, or only its length when out is NULL. */
static size_t build(const char* at, const char* end, const mechs_t* mechs,
                    char* out) {
  int auth_done = 0;
  size_t n = 0;
  line_t line;
  size_t i;

  while (next_line(&at, end, &line)) {
    int auth = is_auth(&line);

    if (auth ? auth_done : given_again(&line, at, end)) continue;
    n = put(out, n, line.keyword, line.keyword_len);
    n = put(out, n, "", 1);
    if (auth) {
      auth_done = 1;
      for (i = 0; i < mechs->count; i++) {
        if (i > 0) n = put(out, n, " ", 1);
        n = put(out, n, mechs->list[i].base, mechs->list[i].len);
      }
    } else {
      n = put(out, n, line.params, line.params_len);
    }
    n = put(out, n, "", 1);
  }
  return n;
}

/* The first parameter of SIZE (RFC 1870 3). */
static uint64_t size_of(const char* params) {
  uint64_t n = 0;

  for (; uvsmtp__is_digit(*params); params++) {
    uint64_t digit = (uint64_t)(*params - '0');

    n = n > (UINT64_MAX - digit) / 10 ? UINT64_MAX : n * 10 + digit;
  }
  return *params == '\0' || uvsmtp__is_blank(*params) ? n : 0;
}

static void set_bits(uvsmtp__caps_t* caps) {
  static const struct {
    char keyword[20];
    uint32_t bit;
  } known[] = {
      {"PIPELINING", UVSMTP__CAP_PIPELINING},
      {"CHUNKING", UVSMTP__CAP_CHUNKING},
      {"SIZE", UVSMTP__CAP_SIZE},
      {"8BITMIME", UVSMTP__CAP_8BITMIME},
      {"SMTPUTF8", UVSMTP__CAP_SMTPUTF8},
      {"BINARYMIME", UVSMTP__CAP_BINARYMIME},
      {"ENHANCEDSTATUSCODES", UVSMTP__CAP_ENHANCED},
      {"DSN", UVSMTP__CAP_DSN},
      {"STARTTLS", UVSMTP__CAP_STARTTLS},
  };
  size_t i;

  for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
    const char* params = uvsmtp__caps_find(caps, known[i].keyword);

    if (params == NULL) continue;
    caps->bits |= known[i].bit;
    if (known[i].bit == UVSMTP__CAP_SIZE) caps->size_limit = size_of(params);
  }
}

int uvsmtp__caps_parse(uvsmtp__caps_t* caps, const uvsmtp__mem_t* mem,
                       const uvsmtp_reply_t* reply) {
  size_t len;
  const char* text = uvsmtp__reply_text(reply, &len);
  const char* end = text + len;
  const char* at = memchr(text, '\n', len);
  mechs_t mechs;

  uvsmtp__caps_clear(caps, mem);
  if (at == NULL) return 0;
  at++;

  find_mechs(at, end, &mechs);
  len = build(at, end, &mechs, NULL);
  if (len == 0) return 0;
  caps->text = uvsmtp__alloc(mem, len);
  if (caps->text == NULL) return -ENOMEM;
  caps->len = build(at, end, &mechs, caps->text);
  set_bits(caps);
  return 0;
}

void uvsmtp__caps_clear(uvsmtp__caps_t* caps, const uvsmtp__mem_t* mem) {
  uvsmtp__free(mem, caps->text, caps->len);
  memset(caps, 0, sizeof(*caps));
}

const char* uvsmtp__caps_find(const uvsmtp__caps_t* caps, const char* keyword) {
  size_t len = strlen(keyword);
  uvsmtp_slice_t key;
  uvsmtp_slice_t params;
  size_t cursor = 0;

  while (uvsmtp__caps_next(caps, &cursor, &key, &params))
    if (uvsmtp__same(key.base, key.len, keyword, len)) return params.base;
  return NULL;
}

int uvsmtp__caps_next(const uvsmtp__caps_t* caps, size_t* cursor,
                      uvsmtp_slice_t* keyword, uvsmtp_slice_t* params) {
  if (*cursor >= caps->len) return 0;
  keyword->base = caps->text + *cursor;
  keyword->len = strlen(keyword->base);
  *cursor += keyword->len + 1;
  params->base = caps->text + *cursor;
  params->len = strlen(params->base);
  *cursor += params->len + 1;
  return 1;
}
