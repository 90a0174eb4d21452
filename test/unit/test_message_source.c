/* SPDX-License-Identifier: MIT */
/* The source that keeps Bcc back: whatever pieces a message comes in, the same
 * octets and the same envelope come out of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "alloc.h"
#include "uvsmtp/message.h"

/* ------------------------------------------------- a source that is watched */

/* Shows its text in pieces, each in a block of its own that is spoilt when it
 * is consumed, and only when all of it is. */
typedef struct pieces_s {
  uvsmtp_source_t source; /* first */
  const char* text;
  size_t len;
  size_t step;    /* octets a piece, 0: all that are left ... */
  size_t cut;     /* ... but for this one, where a piece ends in any case */
  int waits;      /* says WAIT before each piece, and before the end */
  int waited;     /* has just */
  int64_t length; /* what it says of it, from its first octet on */
  size_t fail_at; /* octets after which it fails ... */
  int error;      /* ... with this, if any */
  size_t off;
  char* block;
  size_t shown;
  int peeks;
  int releases;
} pieces_t;

static void spoil(pieces_t* p) {
  if (p->block == NULL) return;
  memset(p->block, '#', p->shown);
  free(p->block);
  p->block = NULL;
}

static int pieces_peek(uvsmtp_source_t* s, uvsmtp_slice_t* out) {
  pieces_t* p = (pieces_t*)s;
  size_t n = p->len - p->off;
  assert_int_equal(p->releases, 0);
  p->peeks++;
  if (p->waits && !p->waited) {
    p->waited = 1;
    return UVSMTP_SOURCE_WAIT;
  }
  if (p->error != 0 && p->off == p->fail_at) return p->error;
  s->length = p->length;
  if (n == 0) return UVSMTP_SOURCE_EOF;
  if (p->step != 0 && n > p->step) n = p->step;
  if (p->off < p->cut && n > p->cut - p->off) n = p->cut - p->off;
  if (p->error != 0 && n > p->fail_at - p->off) n = p->fail_at - p->off;
  if (p->block == NULL) {
    p->block = malloc(n);
    assert_non_null(p->block);
    memcpy(p->block, p->text + p->off, n);
    p->shown = n;
  }
  out->base = p->block;
  out->len = p->shown;
  return UVSMTP_SOURCE_MORE;
}

static void pieces_consumed(uvsmtp_source_t* s, size_t n) {
  pieces_t* p = (pieces_t*)s;
  assert_non_null(p->block);
  assert_int_equal(n, p->shown);
  p->off += n;
  p->waited = 0;
  spoil(p);
}

static int pieces_rewind(uvsmtp_source_t* s) {
  pieces_t* p = (pieces_t*)s;
  spoil(p);
  p->off = 0;
  p->waited = 0;
  return 0;
}

static void pieces_release(uvsmtp_source_t* s) {
  pieces_t* p = (pieces_t*)s;
  spoil(p);
  p->releases++;
}

static void pieces_init(pieces_t* p, const char* text, size_t len) {
  uvsmtp_source_t source = UVSMTP_SOURCE_INIT;
  memset(p, 0, sizeof(*p));
  source.length = UVSMTP_LENGTH_LATER;
  source.peek = pieces_peek;
  source.consumed = pieces_consumed;
  source.rewind = pieces_rewind;
  source.release = pieces_release;
  p->source = source;
  p->text = text;
  p->len = len;
  p->length = (int64_t)len;
}

/* ------------------------------------------------------- what comes out of it
 */

/* A message of at most this many octets is gathered whole. */
enum { WHOLE = 64 * 1024 };

typedef struct flow_s {
  test_alloc_t alloc;
  uvsmtp_mem_t mem;
  pieces_t pieces;
  uvsmtp_source_t* source;
  char* out;
  size_t len;
  size_t cap;
  int waits;
  int status; /* the last of peek */
} flow_t;

static int flow_try(flow_t* f, size_t max_header) {
  f->mem.size = sizeof(f->mem);
  f->mem.alloc = test_alloc;
  f->mem.data = &f->alloc;
  return uvsmtp_source_message(&f->source, &f->mem, &f->pieces.source,
                               max_header);
}

static void flow_begin(flow_t* f, const char* text, size_t len) {
  memset(f, 0, sizeof(*f));
  pieces_init(&f->pieces, text, len);
  f->cap = len;
  f->out = malloc(len + 1);
  assert_non_null(f->out);
}

static void flow_open(flow_t* f, const char* text, size_t len) {
  flow_begin(f, text, len);
  assert_int_equal(flow_try(f, 0), 0);
  assert_int_equal(f->source->length, UVSMTP_LENGTH_LATER);
}

static void flow_close(flow_t* f) {
  f->source->release(f->source);
  assert_int_equal(f->pieces.releases, 1);
  assert_int_equal(f->alloc.blocks, 0);
  assert_int_equal(f->alloc.octets, 0);
  free(f->out);
}

/* Peeks, twice where there is something: the second time it is still there. */
static int look(flow_t* f, uvsmtp_slice_t* s) {
  uvsmtp_slice_t again = {NULL, 0};
  f->status = f->source->peek(f->source, s);
  if (f->status == UVSMTP_SOURCE_WAIT) f->waits++;
  if (f->status != UVSMTP_SOURCE_MORE) return f->status;
  assert_non_null(s->base);
  assert_true(s->len > 0);
  assert_int_equal(f->source->peek(f->source, &again), UVSMTP_SOURCE_MORE);
  assert_ptr_equal(again.base, s->base);
  assert_int_equal(again.len, s->len);
  return f->status;
}

/* Takes at most this many octets, in bites (0: slices as they come). */
static void flow_take(flow_t* f, size_t most, size_t bite) {
  uvsmtp_slice_t s;
  while (most > 0) {
    size_t n;
    int rc = look(f, &s);
    if (rc == UVSMTP_SOURCE_WAIT) {
      /* Not more often than inner does. */
      assert_true(f->waits <= f->pieces.peeks);
      continue;
    }
    if (rc != UVSMTP_SOURCE_MORE) return;
    n = s.len < most ? s.len : most;
    if (bite != 0 && n > bite) n = bite;
    assert_true(n <= f->cap - f->len);
    memcpy(f->out + f->len, s.base, n);
    f->len += n;
    most -= n;
    f->source->consumed(f->source, n);
  }
}

static void flow_all(flow_t* f, size_t bite) { flow_take(f, SIZE_MAX, bite); }

#define CAME(f, text, n)                    \
  do {                                      \
    assert_int_equal((f)->len, n);          \
    assert_memory_equal((f)->out, text, n); \
  } while (0)

/* ----------------------------------------------------------------- messages */

typedef struct sample_s {
  const char* in;
  const char* out;
  const char* from;  /* NULL: none */
  const char* rcpts; /* joined with blanks */
} sample_t;

static const sample_t samples[] = {
    {"", "", NULL, ""},
    {"\r\n", "\r\n", NULL, ""},
    {"\r\ntext\r\n", "\r\ntext\r\n", NULL, ""},
    {"From: a@x\r\nTo: b@y\r\n\r\ntext\r\n",
     "From: a@x\r\nTo: b@y\r\n\r\ntext\r\n", "a@x", "b@y"},
    /* Anywhere, in any case, folded, with any line end. */
    {"Bcc: c@z\r\nFrom: a@x\r\nTo: b@y\r\n\r\ntext\r\n",
     "From: a@x\r\nTo: b@y\r\n\r\ntext\r\n", "a@x", "b@y c@z"},
    {"From: a@x\r\nbCC: c@z,\r\n d@z,\r\n\te@z\r\nTo: b@y\r\n\r\ntext\r\n",
     "From: a@x\r\nTo: b@y\r\n\r\ntext\r\n", "a@x", "b@y c@z d@z e@z"},
    {"From: a@x\nTo: b@y\nBCC: c@z,\n d@z\n\ntext",
     "From: a@x\nTo: b@y\n\ntext", "a@x", "b@y c@z d@z"},
    {"From: a@x\rBcc: c@z,\r d@z\rTo: b@y\r\rtext",
     "From: a@x\rTo: b@y\r\rtext", "a@x", "b@y c@z d@z"},
    /* The empty line stays one. */
    {"From: a@x\rBcc: c@z\n\nX: text\n", "From: a@x\n\nX: text\n", "a@x",
     "c@z"},
    {"From: a@x\rBcc: c@z\r\nBcc: d@z\n\nBcc: text\n",
     "From: a@x\n\nBcc: text\n", "a@x", "c@z d@z"},
    {"From: a@x\r\nBcc:\r\n c@z\r\nBcc \t: d@z\r\nBcc:\r\n\r\n",
     "From: a@x\r\n\r\n", "a@x", "c@z d@z"},
    /* What is almost that. */
    {"From: a@x\r\nX-Bcc: c@z\r\nBccs: d@z\r\n\r\nBcc: e@z\r\n",
     "From: a@x\r\nX-Bcc: c@z\r\nBccs: d@z\r\n\r\nBcc: e@z\r\n", "a@x", ""},
    /* A header that the end of the message ends. */
    {"From: a@x\r\nTo: b@y\r\n", "From: a@x\r\nTo: b@y\r\n", "a@x", "b@y"},
    {"From: a@x\r\nBcc: b@y", "From: a@x\r\n", "a@x", "b@y"},
    {"Bcc: b@y\r\n", "", NULL, "b@y"},
    {"Bcc: b@y\r\n\r\n", "\r\n", NULL, "b@y"},
    {"Bcc: b@y,\n c@z", "", NULL, "b@y c@z"},
    /* Or a line that is no field. */
    {"From: a@x\r\nBcc: b@y\r\nno field\r\nBcc: c@z\r\n",
     "From: a@x\r\nno field\r\nBcc: c@z\r\n", "a@x", "b@y"},
    /* A mbox's line, and lines that belong to no field. */
    {"From me\r\nFrom: a@x\r\nBcc: b@y\r\n\r\nFrom\r\n",
     "From: a@x\r\n\r\nFrom\r\n", "a@x", "b@y"},
    {" x\n y\nTo: b@y\n: z\n z\nFrom: a@x\n\n:\n", "To: b@y\nFrom: a@x\n\n:\n",
     "a@x", "b@y"},
    {"To: b@y\nFrom me\n\ntext", "To: b@y\nFrom me\n\ntext", NULL, "b@y"},
    /* Resent-Bcc goes out as little, whoever it is that counts. */
    {"From: a@x\nBcc: b@y\nResent-Date: now\nResent-From: r@x\nResent-Bcc: "
     "c@z,\n d@z\nResent-To: e@z\n\n.",
     "From: a@x\nResent-Date: now\nResent-From: r@x\nResent-To: e@z\n\n.",
     "r@x", "e@z c@z d@z"},
    {"From: a@x\nTo: b@y\nresent-bcc: c@z\n\n.", "From: a@x\nTo: b@y\n\n.",
     "a@x", "b@y"},
};
enum { SAMPLES = sizeof(samples) / sizeof(*samples) };

static void check_envelope(const flow_t* f, const sample_t* sample) {
  const uvsmtp_envelope_t* e = NULL;
  const char* const* rcpts;
  char joined[256] = "";
  size_t n = 0;
  size_t i;
  assert_int_equal(uvsmtp_source_envelope(f->source, &e, NULL), 0);
  rcpts = uvsmtp_envelope_rcpts(e, &n);
  for (i = 0; i < n; i++) {
    if (i > 0) strcat(joined, " ");
    strcat(joined, rcpts[i]);
  }
  assert_string_equal(joined, sample->rcpts);
  if (sample->from == NULL)
    assert_null(uvsmtp_envelope_from(e));
  else
    assert_string_equal(uvsmtp_envelope_from(e), sample->from);
}

typedef struct way_s {
  size_t step;
  size_t cut;
  size_t bite;
  int waits;
  int unknown; /* the length */
} way_t;

static void go(const sample_t* sample, const way_t* way) {
  size_t n = strlen(sample->in);
  size_t wanted = strlen(sample->out);
  const uvsmtp_envelope_t* e;
  flow_t f;
  flow_open(&f, sample->in, n);
  f.pieces.step = way->step;
  f.pieces.cut = way->cut;
  f.pieces.waits = way->waits;
  if (way->unknown) f.pieces.length = -1;
  assert_int_equal(uvsmtp_source_envelope(f.source, &e, NULL), -EAGAIN);
  flow_all(&f, way->bite);
  assert_int_equal(f.status, UVSMTP_SOURCE_EOF);
  assert_int_equal(f.waits > 0, way->waits);
  CAME(&f, sample->out, wanted);
  check_envelope(&f, sample);
  /* Nothing but the length of what was not looked at is unknown. */
  if (!way->unknown || f.source->length != -1)
    assert_int_equal(f.source->length, wanted);
  flow_close(&f);
}

static void test_splits(void** state) {
  size_t i;
  (void)state;
  for (i = 0; i < SAMPLES; i++) {
    const sample_t* sample = &samples[i];
    size_t n = strlen(sample->in);
    int mode;
    for (mode = 0; mode < 8; mode++) {
      way_t way = {0, 0, mode & 4 ? 1 : 0, mode & 1, (mode & 2) != 0};
      for (way.cut = 0; way.cut < n; way.cut++) go(sample, &way);
      way.cut = 0;
      for (way.step = 1; way.step < 8; way.step++) go(sample, &way);
    }
  }
}

/* ------------------------------------------------------------- by reference */

/* Nothing to keep back: it is the caller's own octets that come. */
static void test_untouched(void** state) {
  static const char text[] = "From: a@x\r\nTo: b@y\r\n\r\ntext\r\n";
  uvsmtp_memory_source_t memory;
  test_alloc_t alloc = {0};
  uvsmtp_mem_t mem = {sizeof(mem), test_alloc, &alloc};
  uvsmtp_source_t* s;
  uvsmtp_slice_t out;
  size_t own;
  (void)state;
  uvsmtp_source_memory(&memory, text, sizeof(text) - 1);
  assert_int_equal(uvsmtp_source_message(&s, &mem, &memory.source, 0), 0);
  own = alloc.octets;
  assert_int_equal(s->peek(s, &out), UVSMTP_SOURCE_MORE);
  assert_ptr_equal(out.base, text);
  assert_int_equal(out.len, sizeof(text) - 1);
  assert_int_equal(s->length, sizeof(text) - 1);
  /* The envelope, and nothing of the text. */
  assert_true(alloc.octets - own < 512);
  s->consumed(s, out.len);
  assert_int_equal(s->peek(s, &out), UVSMTP_SOURCE_EOF);
  assert_int_equal(s->rewind(s), 0);
  assert_int_equal(s->peek(s, &out), UVSMTP_SOURCE_MORE);
  assert_ptr_equal(out.base, text);
  s->release(s);
  assert_int_equal(alloc.blocks, 0);
}

/* A short message is one piece, so that its size is seen; of a long one only
 * the header is held. */
static void whole_or_not(size_t body, size_t cut, int unknown, int whole) {
  static const char head[] = "From: a@x\r\nBcc: b@y\r\n\r\n";
  static const char seen[] = "From: a@x\r\n\r\n";
  size_t in = sizeof(head) - 1;
  size_t out = sizeof(seen) - 1;
  char* text = malloc(in + body);
  uvsmtp_slice_t s;
  flow_t f;
  assert_non_null(text);
  memcpy(text, head, in);
  memset(text + in, 'x', body);
  flow_open(&f, text, in + body);
  f.pieces.cut = cut;
  if (unknown) f.pieces.length = -1;
  assert_int_equal(look(&f, &s), UVSMTP_SOURCE_MORE);
  if (whole) assert_int_equal(s.len, out + body);
  if (!whole) assert_true(f.alloc.peak < 8192 + 2 * cut);
  assert_int_equal(f.source->length,
                   unknown && !whole ? -1 : (int64_t)(out + body));
  flow_all(&f, 0);
  assert_int_equal(f.len, out + body);
  assert_memory_equal(f.out, seen, out);
  assert_memory_equal(f.out + out, text + in, body);
  flow_close(&f);
  free(text);
}

static void test_whole(void** state) {
  int unknown;
  (void)state;
  for (unknown = 0; unknown < 2; unknown++) {
    whole_or_not(100, 0, unknown, 1);
    whole_or_not(100, 10, unknown, 1);
    whole_or_not(100, 30, unknown, 1);
    whole_or_not(WHOLE - 100, 5, unknown, 1);
    whole_or_not(WHOLE - 100, 1000, unknown, 1);
    whole_or_not(WHOLE + 1, 0, unknown, 0);
    whole_or_not(10 * WHOLE, 5, unknown, 0);
  }
  /* What is not there yet is not waited for. */
  {
    static const char text[] = "From: a@x\r\nBcc: b@y\r\n\r\nabc";
    uvsmtp_slice_t s;
    flow_t f;
    flow_open(&f, text, sizeof(text) - 1);
    f.pieces.cut = sizeof(text) - 1 - 3;
    f.pieces.waits = 1;
    assert_int_equal(look(&f, &s), UVSMTP_SOURCE_WAIT);
    assert_int_equal(look(&f, &s), UVSMTP_SOURCE_MORE);
    assert_int_equal(s.len, 13);
    assert_int_equal(f.source->length, 16);
    flow_close(&f);
  }
}

/* ---------------------------------------------------------------- rewinding */

static void rewind_at(const char* text, size_t n, const char* out,
                      size_t wanted, const way_t* way, size_t at) {
  flow_t f;
  flow_open(&f, text, n);
  f.pieces.step = way->step;
  f.pieces.waits = way->waits;
  if (way->unknown) f.pieces.length = -1;
  flow_take(&f, at, way->bite);
  assert_int_equal(f.source->rewind(f.source), 0);
  f.len = 0;
  flow_take(&f, at / 2, 0);
  assert_int_equal(f.source->rewind(f.source), 0);
  f.len = 0;
  flow_all(&f, way->bite);
  assert_int_equal(f.status, UVSMTP_SOURCE_EOF);
  CAME(&f, out, wanted);
  flow_close(&f);
}

static void test_rewind(void** state) {
  size_t i;
  (void)state;
  for (i = 0; i < SAMPLES; i++) {
    const char* text = samples[i].in;
    size_t wanted = strlen(samples[i].out);
    int mode;
    size_t at;
    for (mode = 0; mode < 8; mode++) {
      way_t way = {0, 0, mode & 4 ? 1 : 0, mode & 1, (mode & 2) != 0};
      for (way.step = 0; way.step < 8; way.step += 2)
        for (at = 0; at <= wanted; at++)
          rewind_at(text, strlen(text), samples[i].out, wanted, &way, at);
    }
  }
}

/* In the middle of a header that has not come yet. */
static void test_rewind_early(void** state) {
  const sample_t* sample = &samples[5];
  size_t n = strlen(sample->in);
  size_t peeks;
  uvsmtp_slice_t s;
  (void)state;
  for (peeks = 0; peeks < n; peeks++) {
    size_t i;
    flow_t f;
    flow_open(&f, sample->in, n);
    f.pieces.step = 1;
    f.pieces.waits = 1;
    for (i = 0; i < peeks && look(&f, &s) == UVSMTP_SOURCE_WAIT; i++) continue;
    assert_int_equal(f.source->rewind(f.source), 0);
    flow_all(&f, 0);
    CAME(&f, sample->out, strlen(sample->out));
    check_envelope(&f, sample);
    flow_close(&f);
  }
}

/* Long ones, which are not held, and one that is shorter when it is read again:
 * then it is not to look whole. */
static void test_rewind_long(void** state) {
  static const char head[] = "Bcc: b@y\r\nFrom: a@x\r\n\r\n";
  size_t n = 3 * WHOLE;
  char* text = malloc(n);
  size_t at;
  flow_t f;
  (void)state;
  assert_non_null(text);
  memset(text, 'x', n);
  memcpy(text, head, sizeof(head) - 1);
  for (at = 0; at < n; at += at < 40 ? 1 : n / 7) {
    way_t way = {10000, 0, 0, 1, 0};
    rewind_at(text, n, text + 10, n - 10, &way, at);
    way.step = 15;
    way.waits = 0;
    rewind_at(text, n, text + 10, n - 10, &way, at);
  }
  flow_open(&f, text, n);
  f.pieces.length = -1;
  flow_take(&f, 50, 0);
  assert_int_equal(f.source->rewind(f.source), 0);
  f.pieces.len = 15;
  flow_all(&f, 0);
  assert_int_equal(f.status, -4095);
  flow_close(&f);
  free(text);
}

static int no_rewind(uvsmtp_source_t* s) {
  (void)s;
  return -EIO;
}

static void test_rewind_refused(void** state) {
  flow_t f;
  (void)state;
  flow_begin(&f, "a: b\n\n", 6);
  f.pieces.source.rewind = NULL;
  assert_int_equal(flow_try(&f, 0), 0);
  assert_null(f.source->rewind);
  flow_close(&f);
  flow_open(&f, "a: b\n\n", 6);
  f.pieces.source.rewind = NULL; /* it turns out to be a pipe */
  flow_take(&f, 3, 0);
  assert_null(f.source->rewind);
  flow_close(&f);
  flow_open(&f, "a: b\n\n", 6);
  f.pieces.source.rewind = no_rewind;
  flow_take(&f, 3, 0);
  assert_int_equal(f.source->rewind(f.source), -EIO);
  flow_close(&f);
}

/* ------------------------------------------------------------------- errors */

static const char four[] = "From: a@x\nBcc: b@y,\n c@z\nTo: d@w\n\ntext\n";
static const char four_seen[] = "From: a@x\nTo: d@w\n\ntext\n";
enum { FOUR = sizeof(four) - 1, FOUR_SEEN = sizeof(four_seen) - 1 };

/* Inner's are its own, at whatever place. */
static void test_inner_fails(void** state) {
  const uvsmtp_envelope_t* e;
  size_t at;
  (void)state;
  for (at = 0; at <= FOUR; at++) {
    size_t step;
    for (step = 0; step < 6; step++) {
      uvsmtp_slice_t s;
      flow_t f;
      flow_open(&f, four, FOUR);
      f.pieces.step = step;
      f.pieces.fail_at = at;
      f.pieces.error = -EIO;
      flow_all(&f, 0);
      assert_int_equal(f.status, -EIO);
      assert_true(f.len <= FOUR_SEEN);
      assert_memory_equal(f.out, four_seen, f.len);
      f.pieces.error = 0; /* and there is no way back */
      assert_int_equal(look(&f, &s), -EIO);
      if (at < FOUR - 5)
        assert_int_equal(uvsmtp_source_envelope(f.source, &e, NULL), -EIO);
      flow_close(&f);
    }
  }
}

/* Lengths that are not true are seen here, or by the engine: what comes out is
 * never as long as the source says. */
static void test_lengths(void** state) {
  size_t step;
  (void)state;
  for (step = 0; step < 10; step++) {
    int64_t length;
    for (length = UVSMTP_LENGTH_LATER; length < FOUR + 5; length++) {
      flow_t f;
      if (length == -1 || length == FOUR) continue;
      flow_open(&f, four, FOUR);
      f.pieces.step = step;
      f.pieces.length = length;
      flow_all(&f, 0);
      if (length < FOUR) {
        assert_int_equal(f.status, -EINVAL);
      } else {
        assert_int_equal(f.status, UVSMTP_SOURCE_EOF);
        assert_true(f.source->length >= 0);
        assert_true(f.len < (size_t)f.source->length);
      }
      flow_close(&f);
    }
  }
}

static int hollow_peek(uvsmtp_source_t* s, uvsmtp_slice_t* out) {
  s->length = -1;
  out->base = "x";
  out->len = 0;
  return UVSMTP_SOURCE_MORE;
}

static void test_hollow(void** state) {
  uvsmtp_slice_t s;
  flow_t f;
  (void)state;
  flow_open(&f, "", 0);
  f.pieces.source.peek = hollow_peek;
  assert_int_equal(look(&f, &s), -EINVAL);
  flow_close(&f);
}

/* The cap is the same for all pieces; a header of just as many octets is none
 * too long. */
static void test_max_header(void** state) {
  size_t header = strlen("From: a@x\nBcc: b@y,\n c@z\nTo: d@w\n");
  size_t step;
  (void)state;
  for (step = 0; step < FOUR; step++) {
    size_t max;
    for (max = 1; max < header + 4; max++) {
      const uvsmtp_envelope_t* e;
      int fits = max >= header;
      flow_t f;
      flow_begin(&f, four, FOUR);
      f.pieces.step = step;
      assert_int_equal(flow_try(&f, max), 0);
      flow_all(&f, 0);
      assert_int_equal(f.status, fits ? UVSMTP_SOURCE_EOF : -EMSGSIZE);
      CAME(&f, four_seen, fits ? FOUR_SEEN : 0);
      assert_int_equal(uvsmtp_source_envelope(f.source, &e, NULL),
                       fits ? 0 : -EMSGSIZE);
      flow_close(&f);
    }
  }
}

/* One that never ends is not gathered for ever, and each octet of it is looked
 * at once: else this would not end. */
static void test_endless(void** state) {
  size_t n = 1024 * 1024 + 100;
  char* text = malloc(n);
  int mode;
  (void)state;
  assert_non_null(text);
  for (mode = 0; mode < 3; mode++) {
    flow_t f;
    size_t i;
    for (i = 0; i < n; i++) text[i] = mode == 0 ? 'a' : "a: b\n c\n"[i % 8];
    if (mode == 2) memcpy(text, "Bcc: b@y", 8);
    flow_open(&f, text, n);
    f.pieces.step = 1;
    f.pieces.length = -1;
    flow_all(&f, 0);
    assert_int_equal(f.status, -EMSGSIZE);
    assert_true(f.alloc.peak <= 2 * 1024 * 1024 + 5 * WHOLE);
    flow_close(&f);
  }
  free(text);
}

/* An envelope that makes no sense is not the text's fault. */
static void test_no_envelope(void** state) {
  static const char text[] =
      "Resent-Date: 1\nResent-Bcc: b@y\nResent-Date: 2\n\ntext";
  static const char seen[] = "Resent-Date: 1\nResent-Date: 2\n\ntext";
  size_t step;
  (void)state;
  for (step = 0; step < 9; step++) {
    const uvsmtp_envelope_t* e = NULL;
    const char* reason = NULL;
    flow_t f;
    flow_open(&f, text, sizeof(text) - 1);
    f.pieces.step = step;
    flow_all(&f, 0);
    assert_int_equal(f.status, UVSMTP_SOURCE_EOF);
    CAME(&f, seen, sizeof(seen) - 1);
    assert_int_equal(uvsmtp_source_envelope(f.source, &e, &reason),
                     UVSMTP_EMESSAGE);
    assert_null(e);
    assert_non_null(reason);
    flow_close(&f);
  }
}

/* Each allocation refused in turn: the text is whole, or there is an error. */
static void test_no_memory(void** state) {
  size_t step;
  (void)state;
  for (step = 0; step < 7; step += 3) {
    int refused = 1;
    size_t fail_at;
    for (fail_at = 1; refused; fail_at++) {
      const uvsmtp_envelope_t* e;
      flow_t f;
      flow_begin(&f, four, FOUR);
      f.pieces.step = step;
      f.alloc.fail_at = fail_at;
      if (flow_try(&f, 0) != 0) {
        assert_int_equal(fail_at, 1);
        assert_int_equal(f.alloc.blocks, 0);
        assert_int_equal(f.pieces.releases, 0);
        free(f.out);
        continue;
      }
      flow_all(&f, 0);
      refused = f.alloc.failed != 0;
      if (f.status == UVSMTP_SOURCE_EOF) {
        CAME(&f, four_seen, FOUR_SEEN);
        assert_int_equal(uvsmtp_source_envelope(f.source, &e, NULL),
                         refused ? -ENOMEM : 0);
      } else {
        assert_int_equal(f.status, -ENOMEM);
        /* It may be had when it is asked for again. */
        assert_int_equal(f.source->rewind(f.source), 0);
        f.len = 0;
        flow_all(&f, 0);
        assert_int_equal(f.status, UVSMTP_SOURCE_EOF);
        CAME(&f, four_seen, FOUR_SEEN);
      }
      flow_close(&f);
    }
    assert_true(fail_at > 3);
  }
}

static void test_refused(void** state) {
  static const uvsmtp_source_t none = UVSMTP_SOURCE_INIT;
  uvsmtp_mem_t hollow = {sizeof(hollow), NULL, NULL};
  uvsmtp_mem_t small = {0, test_alloc, NULL};
  uvsmtp_source_t* s = NULL;
  uvsmtp_source_t inner = none;
  const uvsmtp_envelope_t* e;
  uvsmtp_memory_source_t memory;
  flow_t f;
  (void)state;
  uvsmtp_source_memory(&memory, "x", 1);
  assert_int_equal(uvsmtp_source_message(NULL, NULL, &memory.source, 0),
                   -EINVAL);
  assert_int_equal(uvsmtp_source_message(&s, NULL, NULL, 0), -EINVAL);
  assert_int_equal(uvsmtp_source_message(&s, NULL, &inner, 0), -EINVAL);
  inner = memory.source;
  inner.length = UVSMTP_LENGTH_LATER - 1;
  assert_int_equal(uvsmtp_source_message(&s, NULL, &inner, 0), -EINVAL);
  inner = memory.source;
  inner.reserved[3] = &inner;
  assert_int_equal(uvsmtp_source_message(&s, NULL, &inner, 0), -EINVAL);
  assert_int_equal(uvsmtp_source_message(&s, &hollow, &memory.source, 0),
                   -EINVAL);
  assert_int_equal(uvsmtp_source_message(&s, &small, &memory.source, 0),
                   -EINVAL);
  assert_null(s);
  assert_int_equal(uvsmtp_source_envelope(NULL, &e, NULL), -EINVAL);
  assert_int_equal(uvsmtp_source_envelope(&memory.source, &e, NULL), -EINVAL);
  /* One that was never handed over leaves inner alone. */
  flow_open(&f, "x", 1);
  uvsmtp_source_message_free(f.source);
  assert_int_equal(f.pieces.releases, 0);
  assert_int_equal(f.alloc.blocks, 0);
  free(f.out);
  uvsmtp_source_message_free(NULL);
  /* malloc's memory, and an inner that has nothing to release. */
  assert_int_equal(uvsmtp_source_message(&s, NULL, &memory.source, 0), 0);
  s->release(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_splits),         cmocka_unit_test(test_untouched),
      cmocka_unit_test(test_whole),          cmocka_unit_test(test_rewind),
      cmocka_unit_test(test_rewind_early),   cmocka_unit_test(test_rewind_long),
      cmocka_unit_test(test_rewind_refused), cmocka_unit_test(test_inner_fails),
      cmocka_unit_test(test_lengths),        cmocka_unit_test(test_hollow),
      cmocka_unit_test(test_max_header),     cmocka_unit_test(test_endless),
      cmocka_unit_test(test_no_envelope),    cmocka_unit_test(test_no_memory),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
