/* SPDX-License-Identifier: MIT */
/* caps.c: the extensions of an EHLO reply. The lines are read twice, to measure
 * and to write, so that an idle session holds one block without slack. */
#include "core/caps.h"

#include <errno.h>
#include <string.h>

#include "core/ascii.h"

/* Servers list about ten mechanisms and a dozen extensions. What a hostile one
 * lists beyond this many is left out: comparing each mechanism with all before
 * it would take quadratic time, and keywords are looked up in a table. A reply
 * has no more lines than that unless max_reply_lines was raised. */
enum { MECHS_MAX = 64, KEYS_MAX = 512 };

typedef struct line_s {
  const char* keyword;
  size_t keyword_len;
  const char* params;
  size_t params_len;
} line_t;

/* What there is in a reply: the mechanisms of all lines of AUTH, and the other
 * keywords, each where it stands last. They are in the order of compare(). */
typedef struct survey_s {
  uvsmtp_slice_t mechs[MECHS_MAX];
  uvsmtp_slice_t keys[KEYS_MAX];
  size_t nmechs;
  size_t nkeys;
  int picks; /* some line is not kept */
} survey_t;

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

static void add_mech(survey_t* s, const char* name, size_t len) {
  size_t i;

  for (i = 0; i < s->nmechs; i++)
    if (uvsmtp__same(s->mechs[i].base, s->mechs[i].len, name, len)) return;
  if (s->nmechs == MECHS_MAX) return;
  s->mechs[s->nmechs].base = name;
  s->mechs[s->nmechs].len = len;
  s->nmechs++;
}

static void add_mechs(survey_t* s, const line_t* line) {
  const char* p = line->params;
  const char* stop = p + line->params_len;

  while (p < stop) {
    const char* name = p;

    while (p < stop && !uvsmtp__is_blank(*p)) p++;
    add_mech(s, name, (size_t)(p - name));
    while (p < stop && uvsmtp__is_blank(*p)) p++;
  }
}

/* Which of two keywords comes first: below 0, 0 for the same, above 0. */
static int compare(const uvsmtp_slice_t* key, const line_t* line) {
  const char* a = key->base;
  const char* b = line->keyword;
  size_t i;

  if (key->len != line->keyword_len)
    return key->len < line->keyword_len ? -1 : 1;
  for (i = 0; i < key->len; i++) {
    int difference = uvsmtp__lower(a[i]) - uvsmtp__lower(b[i]);

    if (difference != 0) return difference;
  }
  return 0;
}

/* Where in the table a keyword is; 0: where it would have to be. */
static int find_key(const survey_t* s, const line_t* line, size_t* at) {
  size_t low = 0;
  size_t high = s->nkeys;

  while (low < high) {
    size_t middle = (low + high) / 2;
    int order = compare(&s->keys[middle], line);

    if (order == 0) {
      *at = middle;
      return 1;
    }
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  *at = low;
  return 0;
}

static void add_key(survey_t* s, const line_t* line) {
  size_t at;

  if (find_key(s, line, &at)) {
    s->picks = 1;
  } else if (s->nkeys == KEYS_MAX) {
    s->picks = 1;
    return;
  } else {
    memmove(&s->keys[at + 1], &s->keys[at],
            (s->nkeys - at) * sizeof(s->keys[0]));
    s->nkeys++;
  }
  s->keys[at].base = line->keyword;
  s->keys[at].len = line->keyword_len;
}

static void look_over(const char* at, const char* end, survey_t* s) {
  line_t line;

  s->nmechs = 0;
  s->nkeys = 0;
  s->picks = 0;
  while (next_line(&at, end, &line)) {
    if (is_auth(&line))
      add_mechs(s, &line);
    else
      add_key(s, &line);
  }
}

/* Is this the last line with its keyword? */
static int is_kept(const survey_t* s, const line_t* line) {
  size_t at;

  return !s->picks ||
         (find_key(s, line, &at) && s->keys[at].base == line->keyword);
}

/* Puts octets at out + at unless out is NULL; where the next ones go. */
static size_t put(char* out, size_t at, const void* data, size_t len) {
  if (out != NULL) memcpy(out + at, data, len);
  return at + len;
}

/* The whole store, or only its length when out is NULL. */
static size_t build(const char* at, const char* end, const survey_t* s,
                    char* out) {
  int auth_done = 0;
  size_t n = 0;
  line_t line;
  size_t i;

  while (next_line(&at, end, &line)) {
    int auth = is_auth(&line);

    if (auth ? auth_done : !is_kept(s, &line)) continue;
    n = put(out, n, line.keyword, line.keyword_len);
    n = put(out, n, "", 1);
    if (auth) {
      auth_done = 1;
      for (i = 0; i < s->nmechs; i++) {
        if (i > 0) n = put(out, n, " ", 1);
        n = put(out, n, s->mechs[i].base, s->mechs[i].len);
      }
    } else {
      n = put(out, n, line.params, line.params_len);
    }
    n = put(out, n, "", 1);
  }
  return n;
}

/* The number that ends at a blank or at the end; 0 for what is none. */
static uint64_t number(const char* text, uint64_t max) {
  uint64_t n = 0;

  for (; uvsmtp__is_digit(*text); text++) {
    uint64_t digit = (uint64_t)(*text - '0');

    n = n > (max - digit) / 10 ? max : n * 10 + digit;
  }
  return *text == '\0' || uvsmtp__is_blank(*text) ? n : 0;
}

/* A limit among others. Of one that is given twice the lower one holds, which
 * can't be wrong. */
static void set_limit(const char* text, size_t len, const char* name,
                      uint32_t* limit) {
  size_t name_len = strlen(name);
  uint32_t n;

  if (len <= name_len || text[name_len] != '=' ||
      !uvsmtp__same(text, name_len, name, name_len))
    return;
  n = (uint32_t)number(text + name_len + 1, UINT32_MAX);
  if (n != 0 && (*limit == 0 || n < *limit)) *limit = n;
}

/* RFC 9422 3: words NAME or NAME=value. Unknown ones, and values that are none,
 * say nothing. */
static void set_limits(uvsmtp__caps_t* caps, const char* params) {
  while (*params != '\0') {
    size_t len = strcspn(params, " \t");

    set_limit(params, len, "RCPTMAX", &caps->rcpt_max);
    set_limit(params, len, "MAILMAX", &caps->mail_max);
    params += len;
    params += strspn(params, " \t");
  }
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
      {"LIMITS", UVSMTP__CAP_LIMITS},
  };
  size_t i;

  for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
    const char* params = uvsmtp__caps_find(caps, known[i].keyword);

    if (params == NULL) continue;
    caps->bits |= known[i].bit;
    /* RFC 1870 3 */
    if (known[i].bit == UVSMTP__CAP_SIZE)
      caps->size_limit = number(params, UINT64_MAX);
    if (known[i].bit == UVSMTP__CAP_LIMITS) set_limits(caps, params);
  }
}

int uvsmtp__caps_parse(uvsmtp__caps_t* caps, const uvsmtp__mem_t* mem,
                       const uvsmtp_reply_t* reply) {
  size_t len;
  const char* text = uvsmtp__reply_text(reply, &len);
  const char* end = text + len;
  const char* at = memchr(text, '\n', len);
  survey_t survey;

  uvsmtp__caps_clear(caps, mem);
  if (at == NULL) return 0;
  at++;

  look_over(at, end, &survey);
  len = build(at, end, &survey, NULL);
  if (len == 0) return 0;
  caps->text = uvsmtp__alloc(mem, len);
  if (caps->text == NULL) return -ENOMEM;
  caps->len = (uint32_t)build(at, end, &survey, caps->text);
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
