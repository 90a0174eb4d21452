/* SPDX-License-Identifier: MIT */
/* envelope.c: the envelope that a header says, as smtplib's send_message finds
 * it. */
#include <errno.h>
#include <string.h>

#include "core/ascii.h"
#include "message/message.h"

/* The fields that matter, in the order in which they are read, and where in a
 * header they are. */
enum { SENDER, FROM, TO, BCC, CC, FIELDS };

static const char names[FIELDS][7] = {"Sender", "From", "To", "Bcc", "Cc"};

static const char resent[] = "Resent-";
enum { RESENT = sizeof(resent) - 1 };

typedef struct range_s {
  const char* first; /* NULL: there is none */
  const char* stop;  /* behind the last */
} range_t;

typedef struct found_s {
  const char* base;
  range_t plain[FIELDS];
  range_t resent[FIELDS];
  size_t resent_dates;
} found_t;

struct uvsmtp_envelope_s {
  uvsmtp__mem_t mem;
  uvsmtp__buf_t text; /* the sender, if there is one, and the recipients, each
                         with a NUL */
  int has_sender;
  size_t n;           /* recipients */
  const char** rcpts; /* NULL when there are none */
};

static int is_named(const char* name, size_t len, const char* other) {
  return uvsmtp__same(name, len, other, strlen(other));
}

static void find(found_t* found, const uvsmtp__field_t* field) {
  const char* name = field->name.base;
  size_t len = field->name.len;
  range_t* ranges = found->plain;
  size_t i;

  if (len > RESENT && uvsmtp__same(name, RESENT, resent, RESENT)) {
    name += RESENT;
    len -= RESENT;
    ranges = found->resent;
    if (is_named(name, len, "Date")) found->resent_dates++;
  }
  for (i = 0; i < FIELDS; i++) {
    if (!is_named(name, len, names[i])) continue;
    if (ranges[i].first == NULL) ranges[i].first = field->start;
    ranges[i].stop = field->stop;
  }
}

static int is_sender(int i) { return i == SENDER || i == FROM; }

/* Reads the addresses of all fields of a name; of a sender's the first. */
static int read_range(uvsmtp_envelope_t* e, const found_t* found, int i,
                      const char** reason) {
  const range_t* range =
      found->resent_dates == 0 ? &found->plain[i] : &found->resent[i];
  size_t prefix = found->resent_dates == 0 ? 0 : RESENT;
  uvsmtp__fields_t fields = {found->base, range->first, range->stop};
  uvsmtp__field_t field;
  uvsmtp__mailbox_t mailbox;
  uvsmtp__list_t list;
  int status = 0;

  if (range->first == NULL) return 0;
  while (status == 0 && uvsmtp__field_next(&fields, &field)) {
    const char* name = field.name.base;

    if (field.name.len < prefix ||
        !uvsmtp__same(name, prefix, resent, prefix) ||
        !is_named(name + prefix, field.name.len - prefix, names[i]))
      continue;
    list.at = field.body.base;
    list.end = list.at + field.body.len;
    list.in_group = 0;
    while ((status = uvsmtp__list_next(&list, &mailbox, reason)) == 1) {
      status = uvsmtp__mailbox_put(&e->mem, &e->text, &mailbox, reason);
      if (status != 0) return status;
      if (is_sender(i)) {
        e->has_sender = 1;
        return 0;
      }
      e->n++;
    }
  }
  return status;
}

/* The addresses stay where they are from now on. */
static int point(uvsmtp_envelope_t* e) {
  const char* at = uvsmtp__buf_data(&e->text);
  size_t i;

  if (e->n == 0) return 0;
  e->rcpts = uvsmtp__alloc(&e->mem, e->n * sizeof(*e->rcpts));
  if (e->rcpts == NULL) return -ENOMEM;
  if (e->has_sender) at += strlen(at) + 1;
  for (i = 0; i < e->n; i++) {
    e->rcpts[i] = at;
    at += strlen(at) + 1;
  }
  return 0;
}

static int read_all(uvsmtp_envelope_t* e, const char* message, size_t len,
                    unsigned int wants, const char** reason) {
  found_t found;
  uvsmtp__fields_t fields = {message, message, message + len};
  uvsmtp__field_t field;
  int status = 0;
  int i;

  memset(&found, 0, sizeof(found));
  found.base = message;
  while (uvsmtp__field_next(&fields, &field)) find(&found, &field);
  if (found.resent_dates > 1) {
    *reason = "the header has more than one Resent-Date";
    return UVSMTP_EMESSAGE;
  }
  for (i = 0; i < FIELDS && status == 0; i++) {
    if (!(wants & (is_sender(i) ? UVSMTP__WANT_FROM : UVSMTP__WANT_RCPTS)))
      continue;
    if (i == FROM && e->has_sender) continue;
    status = read_range(e, &found, i, reason);
  }
  return status != 0 ? status : point(e);
}

int uvsmtp_envelope_new(uvsmtp_envelope_t** envelope, const uvsmtp_mem_t* mem,
                        const void* message, size_t len, const char** reason) {
  uvsmtp__mem_t own = {uvsmtp__default_alloc, NULL};
  const char* unused;

  if (reason == NULL) reason = &unused;
  *reason = NULL;
  if (envelope == NULL) return -EINVAL;
  *envelope = NULL;
  if (uvsmtp__mem_set(&own, mem) != 0) return -EINVAL;
  if (message == NULL && len > 0) return -EINVAL;
  return uvsmtp__envelope_read(envelope, &own, message == NULL ? "" : message,
                               len, UVSMTP__WANT_FROM | UVSMTP__WANT_RCPTS,
                               reason);
}

int uvsmtp__envelope_read(uvsmtp_envelope_t** envelope,
                          const uvsmtp__mem_t* mem, const char* message,
                          size_t len, unsigned int wants, const char** reason) {
  uvsmtp_envelope_t* e = uvsmtp__alloc(mem, sizeof(*e));
  int status;

  if (e == NULL) return -ENOMEM;
  memset(e, 0, sizeof(*e));
  e->mem = *mem;
  status = read_all(e, message, len, wants, reason);
  if (status != 0) {
    uvsmtp_envelope_free(e);
    return status;
  }
  *envelope = e;
  return 0;
}

void uvsmtp_envelope_free(uvsmtp_envelope_t* envelope) {
  uvsmtp__mem_t mem;

  if (envelope == NULL) return;
  mem = envelope->mem;
  uvsmtp__free(&mem, envelope->rcpts, envelope->n * sizeof(*envelope->rcpts));
  uvsmtp__buf_free(&mem, &envelope->text);
  uvsmtp__free(&mem, envelope, sizeof(*envelope));
}

const char* uvsmtp_envelope_from(const uvsmtp_envelope_t* envelope) {
  return envelope->has_sender ? uvsmtp__buf_data(&envelope->text) : NULL;
}

const char* const* uvsmtp_envelope_rcpts(const uvsmtp_envelope_t* envelope,
                                         size_t* n) {
  *n = envelope->n;
  return envelope->rcpts;
}
