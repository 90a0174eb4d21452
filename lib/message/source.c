/* SPDX-License-Identifier: MIT */
/* source.c: a source over another one's message that reads the header on the
 * way and keeps the blind recipients back.
 *
 * A header that lies whole in the first slice, with nothing to keep back, is
 * read where it is, and all goes through by reference. Else the header is
 * gathered in memory, and what is shown is that, then the rest by reference.
 * Short messages are gathered whole: the engine then sees their exact size. */
#include <errno.h>
#include <string.h>

#include "message/message.h"

enum {
  HEADER_MAX = 1024 * 1024,
  WHOLE_MAX = 64 * 1024, /* octets of a message that is gathered whole */
  STEP = 4096,  /* octets gathered at once: the header may end anywhere */
  BEYOND = 4,   /* octets that it may take to see that a header is over */
  SHORT = -4095 /* UV_EOF: inner is over too early */
};

typedef struct filter_s {
  uvsmtp_source_t source; /* first */
  uvsmtp__mem_t mem;
  uvsmtp_source_t* inner;
  uvsmtp_slice_t slice; /* inner's, len 0: none; consumed when all is used */
  size_t off;           /* octets of it that were used */
  uint64_t taken;       /* octets of inner's up to the end of it */
  uint64_t skip;        /* octets of inner's to pass over, after rewinding */
  uint64_t gathered;    /* octets of inner's that went into head or were kept
                           back */
  uint64_t kept;        /* octets of the fields that don't go out */
  uvsmtp__buf_t head;   /* what was gathered; stays, for rewinding */
  size_t shown;         /* octets of it that were consumed */
  uvsmtp__over_t scan;  /* of the header, as far as it has come */
  size_t header;        /* octets of the header */
  size_t max_header;    /* SIZE_MAX / 2 at the most, so that sums are right */
  unsigned int wants;   /* of the envelope */
  uvsmtp_envelope_t* envelope;
  const char* reason;
  int status;             /* of the envelope */
  int error;              /* what peek has failed with: its place is lost */
  unsigned int read : 1;  /* the header was */
  unsigned int ended : 1; /* inner has said that it is over */
} filter_t;

/* The source is the first member. */
static filter_t* filter_of(const uvsmtp_source_t* source) {
  return (filter_t*)(void*)source;
}

/* ------------------------------------------------------------ what comes in */

/* Uses n octets of the slice. Inner hears of it when all of it is used, as it
 * would from the engine. */
static void use(filter_t* f, size_t n) {
  size_t len = f->slice.len;
  f->off += n;
  if (f->off < len) return;
  f->slice.len = 0;
  f->off = 0;
  f->inner->consumed(f->inner, len);
}

/* Takes the next slice. */
static int take(filter_t* f) {
  uvsmtp_source_t* inner = f->inner;
  uvsmtp_slice_t s = {NULL, 0};
  int rc = inner->peek(inner, &s);
  if (rc < 0 || rc == UVSMTP_SOURCE_WAIT) return rc;
  if (inner->length < -1) return -EINVAL; /* it had to say by now */
  if (rc == UVSMTP_SOURCE_EOF) {
    /* The engine sees that a text is too short, unless its length is unknown
     * and it was longer before. */
    if (f->skip > 0) return SHORT;
    f->ended = 1;
    return rc;
  }
  if (s.base == NULL || s.len == 0) return -EINVAL;
  if (inner->length >= 0 && s.len > (uint64_t)inner->length - f->taken)
    return -EINVAL;
  f->slice = s;
  f->taken += s.len;
  return UVSMTP_SOURCE_MORE;
}

/* Sees to it that there are octets in the slice: MORE; or what peek returns.
 * What was gathered is passed over when inner was rewound. */
static int fetch(filter_t* f) {
  while (f->slice.len == 0) {
    size_t n;
    int rc = f->ended ? UVSMTP_SOURCE_EOF : take(f);
    if (rc != UVSMTP_SOURCE_MORE) return rc;
    n = f->slice.len;
    if (n > f->skip) n = (size_t)f->skip;
    f->skip -= n;
    if (n > 0) use(f, n);
  }
  return UVSMTP_SOURCE_MORE;
}

static const char* rest_base(const filter_t* f) {
  return (const char*)f->slice.base + f->off;
}

static size_t rest_len(const filter_t* f) { return f->slice.len - f->off; }

/* Has inner shown its last octet? One that said how many there are need not be
 * asked. */
static int all_shown(const filter_t* f) {
  return f->ended ||
         (f->inner->length >= 0 && f->taken == (uint64_t)f->inner->length);
}

/* ---------------------------------------------------------------- gathering */

static int gather(filter_t* f, size_t n) {
  size_t most = f->max_header + BEYOND + STEP + WHOLE_MAX;
  int rc = uvsmtp__buf_append(&f->mem, &f->head, rest_base(f), n, most);
  if (rc != 0) return rc;
  f->gathered += n;
  use(f, n);
  return 0;
}

/* What else there is of a short message. What comes later, comes later. */
static int gather_rest(filter_t* f) {
  if (f->inner->length > WHOLE_MAX) return 0;
  while (f->slice.len != 0 || !all_shown(f)) {
    int rc = fetch(f);
    if (rc != UVSMTP_SOURCE_MORE) return rc < 0 ? rc : 0;
    if (f->head.len > WHOLE_MAX || rest_len(f) > WHOLE_MAX - f->head.len)
      return 0;
    rc = gather(f, rest_len(f));
    if (rc != 0) return rc;
  }
  return 0;
}

/* --------------------------------------------------------------- the header */

/* Is the header, which begins a message that begins with these octets, over? 1:
 * f->header is its length; 0; or an error. The same whatever pieces it came in:
 * what is beyond the most that it may have is not looked at. */
static int header_ends(filter_t* f, const char* base, size_t len, int all) {
  size_t most = f->max_header + BEYOND;
  size_t n = len < most ? len : most;
  if (uvsmtp__header_over(base, base + n, &f->scan)) {
    f->header = f->scan.at;
  } else if (n == most) {
    return -EMSGSIZE;
  } else if (all) {
    uvsmtp__fields_t fields = {base, base, base + n};
    uvsmtp__field_t field;
    while (uvsmtp__field_next(&fields, &field)) continue;
    f->header = (size_t)(fields.at - base);
  } else {
    return 0;
  }
  return f->header <= f->max_header ? 1 : -EMSGSIZE;
}

static void read_envelope(filter_t* f, const char* base) {
  f->status = uvsmtp__envelope_read(&f->envelope, &f->mem, base, f->header,
                                    f->wants, &f->reason);
}

/* Octets of the fields that don't go out. As in what follows, len octets are
 * those of the header and of what there is behind it: where its last lines are
 * but text depends on that. */
static size_t blind_octets(const char* base, size_t len) {
  uvsmtp__fields_t fields = {base, base, base + len};
  uvsmtp__field_t field;
  size_t n = 0;
  while (uvsmtp__field_next(&fields, &field))
    if (uvsmtp__field_is_blind(&field)) n += (size_t)(field.stop - field.start);
  return n;
}

/* Writes a header without those fields to `to`, which may be where it is. */
static void copy_seen(char* to, const char* base, size_t len) {
  uvsmtp__fields_t fields = {base, base, base + len};
  uvsmtp__field_t field;
  const char* run = base; /* behind the last of them */
  const char* first = to;
  while (uvsmtp__field_next(&fields, &field)) {
    size_t n = (size_t)(field.start - run);
    if (!uvsmtp__field_is_blind(&field)) continue;
    memmove(to, run, n);
    to += n;
    run = field.stop;
    /* The CR of a line before it and the LF of an empty one behind it would
     * become one line end, and the text part of the header. */
    if (to > first && to[-1] == '\r' && run < base + len && *run == '\n')
      to[-1] = '\n';
  }
  memmove(to, run, (size_t)(fields.at - run));
}

/* The header is whole in the slice. */
static int header_in_place(filter_t* f) {
  const char* base = rest_base(f);
  size_t seen;
  read_envelope(f, base);
  f->kept = blind_octets(base, rest_len(f));
  if (f->kept == 0) return 0;
  seen = f->header - f->kept;
  if (seen > 0) {
    char* to = uvsmtp__buf_reserve(&f->mem, &f->head, seen, SIZE_MAX);
    if (to == NULL) return -ENOMEM;
    copy_seen(to, base, rest_len(f));
    uvsmtp__buf_commit(&f->head, seen);
  }
  f->gathered = f->header;
  use(f, f->header);
  return gather_rest(f);
}

/* The header is whole in head, and some of the text behind it. */
static int header_gathered(filter_t* f) {
  char* base = uvsmtp__buf_data(&f->head);
  read_envelope(f, base);
  f->kept = blind_octets(base, f->head.len);
  if (f->kept > 0) {
    const char* text = base + f->header;
    size_t n = f->head.len - f->header;
    copy_seen(base, base, f->head.len);
    memmove(base + f->header - f->kept, text, n);
    f->head.len -= f->kept;
  }
  return gather_rest(f);
}

/* 0: the header is read. WAIT, or an error. */
static int read_header(filter_t* f) {
  int rc = fetch(f);
  while (rc == UVSMTP_SOURCE_MORE) {
    int first = f->head.len == 0;
    size_t n = rest_len(f);
    int ends = 0;
    if (first) {
      ends = header_ends(f, rest_base(f), n, all_shown(f));
      if (ends == 1) return header_in_place(f);
      if (ends < 0) return ends;
    }
    if (!first && n > STEP) n = STEP;
    rc = gather(f, n);
    if (rc != 0) return rc;
    if (!first)
      ends = header_ends(f, uvsmtp__buf_data(&f->head), f->head.len,
                         f->slice.len == 0 && all_shown(f));
    if (ends < 0) return ends;
    if (ends == 1) return header_gathered(f);
    rc = fetch(f);
  }
  if (rc != UVSMTP_SOURCE_EOF) return rc;
  if (f->head.len == 0) { /* there is no message */
    read_envelope(f, "");
    return 0;
  }
  rc = header_ends(f, uvsmtp__buf_data(&f->head), f->head.len, 1);
  return rc < 0 ? rc : header_gathered(f);
}

/* What is known of the length, now that the header is read. */
static int64_t length_of(const filter_t* f) {
  if (f->inner->length >= 0) return f->inner->length - (int64_t)f->kept;
  return f->ended ? (int64_t)f->head.len : -1;
}

/* --------------------------------------------------------------- the source */

static int filter_peek(uvsmtp_source_t* source, uvsmtp_slice_t* out) {
  filter_t* f = filter_of(source);
  int rc = f->error;
  if (rc == 0 && !f->read) {
    rc = read_header(f);
    if (rc == 0) {
      f->read = 1;
      source->length = length_of(f);
      /* Inner may have found out, when it was opened, that it can't. */
      if (f->inner->rewind == NULL) source->rewind = NULL;
    }
  }
  if (rc == 0 && f->shown < f->head.len) {
    out->base = uvsmtp__buf_data(&f->head) + f->shown;
    out->len = f->head.len - f->shown;
    return UVSMTP_SOURCE_MORE;
  }
  if (rc == 0) rc = fetch(f);
  if (rc == UVSMTP_SOURCE_MORE) {
    out->base = rest_base(f);
    out->len = rest_len(f);
  }
  if (rc < 0) f->error = rc;
  return rc;
}

static void filter_consumed(uvsmtp_source_t* source, size_t n) {
  filter_t* f = filter_of(source);
  if (n == 0) return;
  if (f->shown < f->head.len)
    f->shown += n;
  else
    use(f, n);
}

/* Forgets what was read. */
static void forget(filter_t* f) {
  uvsmtp_envelope_free(f->envelope);
  uvsmtp__buf_free(&f->mem, &f->head);
  memset(&f->scan, 0, sizeof(f->scan));
  f->envelope = NULL;
  f->reason = NULL;
  f->gathered = f->kept = 0;
}

/* What was gathered is shown again from memory, and passed over when inner
 * shows it. */
static int filter_rewind(uvsmtp_source_t* source) {
  filter_t* f = filter_of(source);
  int rc = f->inner->rewind(f->inner);
  if (rc != 0) return rc;
  if (!f->read) forget(f);
  f->slice.len = 0;
  f->off = 0;
  f->taken = 0;
  f->skip = f->gathered;
  f->shown = 0;
  f->error = 0;
  f->ended = 0;
  return 0;
}

static void filter_free(filter_t* f) {
  uvsmtp__mem_t mem = f->mem;
  forget(f);
  uvsmtp__free(&mem, f, sizeof(*f));
}

static void filter_release(uvsmtp_source_t* source) {
  filter_t* f = filter_of(source);
  if (f->inner->release != NULL) f->inner->release(f->inner);
  filter_free(f);
}

/* ------------------------------------------------------------- public calls */

int uvsmtp_source_message(uvsmtp_source_t** source, const uvsmtp_mem_t* given,
                          uvsmtp_source_t* inner, size_t max_header) {
  uvsmtp__mem_t mem = {uvsmtp__default_alloc, NULL};
  filter_t* f;
  /* The engine sees only the one over it. */
  if (source == NULL || uvsmtp__check_source(inner) != 0) return -EINVAL;
  if (uvsmtp__mem_set(&mem, given) != 0) return -EINVAL;
  f = uvsmtp__alloc(&mem, sizeof(*f));
  if (f == NULL) return -ENOMEM;
  memset(f, 0, sizeof(*f));
  f->source.size = sizeof(f->source);
  f->source.length = UVSMTP_LENGTH_LATER;
  f->source.peek = filter_peek;
  f->source.consumed = filter_consumed;
  if (inner->rewind != NULL) f->source.rewind = filter_rewind;
  f->source.release = filter_release;
  f->mem = mem;
  f->inner = inner;
  f->wants = UVSMTP__WANT_FROM | UVSMTP__WANT_RCPTS;
  f->max_header = max_header == 0 ? HEADER_MAX : max_header;
  if (f->max_header > SIZE_MAX / 2) f->max_header = SIZE_MAX / 2;
  *source = &f->source;
  return 0;
}

void uvsmtp__source_want(uvsmtp_source_t* source, unsigned int wants) {
  filter_of(source)->wants = wants;
}

int uvsmtp_source_envelope(const uvsmtp_source_t* source,
                           const uvsmtp_envelope_t** envelope,
                           const char** reason) {
  const filter_t* f;
  if (source == NULL || envelope == NULL || source->peek != filter_peek)
    return -EINVAL;
  f = filter_of(source);
  if (!f->read) return f->error != 0 ? f->error : -EAGAIN;
  if (f->status == 0) *envelope = f->envelope;
  if (reason != NULL) *reason = f->reason;
  return f->status;
}

void uvsmtp_source_message_free(uvsmtp_source_t* source) {
  if (source == NULL || source->peek != filter_peek) return;
  filter_free(filter_of(source));
}
