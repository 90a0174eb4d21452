/* SPDX-License-Identifier: MIT */
/* host.h: the engine with the least of a host around it, and a source that
 * watches the rules. For programs of tests: all is static. */
#ifndef UVSMTP_TEST_HOST_H
#define UVSMTP_TEST_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "alloc.h"
#include "uvsmtp/proto.h"

typedef struct host_s {
  test_alloc_t alloc;
  uvsmtp_mem_t mem;
  uvsmtp_proto_t* p;
  char out[65536];
  size_t len;
} host_t;

static inline void host_open(host_t* h, unsigned int flags) {
  uvsmtp_proto_config_t c = UVSMTP_PROTO_CONFIG_INIT;
  memset(h, 0, sizeof(*h));
  h->mem.size = sizeof(h->mem);
  h->mem.alloc = test_alloc;
  h->mem.data = &h->alloc;
  c.mem = &h->mem;
  c.flags = flags;
  c.local_name = "client.example";
  assert_int_equal(uvsmtp_proto_new(&h->p, &c), 0);
}

static inline void host_close(host_t* h) {
  uvsmtp_proto_free(h->p);
  assert_int_equal(h->alloc.blocks, 0);
  assert_int_equal(h->alloc.octets, 0);
}

/* Takes all output; the last flight is in h->out. */
static inline void drain(host_t* h) {
  uvsmtp_slice_t s[4];
  size_t n;
  h->len = 0;
  while ((n = uvsmtp_proto_peek(h->p, s, 4)) > 0) {
    size_t i;
    size_t all = 0;
    for (i = 0; i < n; i++) {
      assert_true(h->len + s[i].len < sizeof(h->out));
      memcpy(h->out + h->len, s[i].base, s[i].len);
      h->len += s[i].len;
      all += s[i].len;
    }
    uvsmtp_proto_sent(h->p, all);
  }
  h->out[h->len] = '\0';
}

static inline void say(host_t* h, const char* text) {
  uvsmtp_proto_feed(h->p, text, strlen(text));
  drain(h);
}

static inline int submit(host_t* h, int op, const char* text) {
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(0);
  r.op = op;
  r.text = text;
  return uvsmtp_proto_submit(h->p, &r);
}

static inline void expect(host_t* h, int op, int status) {
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  assert_int_equal(uvsmtp_proto_next(h->p, &e), 1);
  assert_int_equal(e.op, op);
  assert_int_equal(uvsmtp_result_status(e.result), status);
}

static inline void greet(host_t* h, const char* extensions) {
  assert_int_equal(submit(h, UVSMTP_OP_CONNECT, NULL), 0);
  assert_int_equal(uvsmtp_proto_wants(h->p), UVSMTP_WANTS_OPEN);
  uvsmtp_proto_up(h->p);
  say(h, "220 mx.example\r\n");
  expect(h, UVSMTP_OP_CONNECT, 0);
  assert_int_equal(submit(h, UVSMTP_OP_HELLO, NULL), 0);
  drain(h);
  assert_string_equal(h->out, "EHLO client.example\r\n");
  say(h, extensions);
  expect(h, UVSMTP_OP_HELLO, 0);
}

/* ------------------------------------------------------------- sources */

typedef struct source_s {
  uvsmtp_memory_source_t memory;
  uvsmtp_source_t source;
  uvsmtp_proto_t* p;
  int busy;
  int released;
  int waits;   /* say WAIT this often first */
  int resumes; /* and resume from within */
  int fails;   /* then this error, if any */
} source_t;

static inline source_t* self_of(uvsmtp_source_t* s) {
  return (source_t*)(void*)((char*)s - offsetof(source_t, source));
}

static inline int source_peek(uvsmtp_source_t* s, uvsmtp_slice_t* out) {
  source_t* self = self_of(s);
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(UVSMTP_OP_NOOP);
  uvsmtp_event_t e = UVSMTP_EVENT_INIT;
  /* The rule for hooks: nothing but resume. */
  if (uvsmtp_proto_submit(self->p, &r) == -EBUSY &&
      uvsmtp_proto_next(self->p, &e) == 0 &&
      uvsmtp_proto_peek(self->p, out, 1) == 0)
    self->busy++;
  if (self->waits > 0) {
    self->waits--;
    if (self->resumes) uvsmtp_proto_resume(self->p);
    return UVSMTP_SOURCE_WAIT;
  }
  if (self->fails != 0) return self->fails;
  return self->memory.source.peek(&self->memory.source, out);
}

static inline void source_consumed(uvsmtp_source_t* s, size_t n) {
  source_t* self = self_of(s);
  self->memory.source.consumed(&self->memory.source, n);
}

static inline void source_release(uvsmtp_source_t* s) {
  self_of(s)->released++;
}

static inline void source_init(source_t* s, host_t* h, const char* text) {
  memset(s, 0, sizeof(*s));
  uvsmtp_source_memory(&s->memory, text, strlen(text));
  s->source.size = sizeof(s->source);
  s->source.length = -1;
  s->source.peek = source_peek;
  s->source.consumed = source_consumed;
  s->source.release = source_release;
  s->p = h->p;
}

static const uvsmtp_rcpt_t one = UVSMTP_RCPT_INIT("b@y.example");
static const uvsmtp_rcpt_t* const one_list[] = {&one};

static inline int submit_message(host_t* h, const uvsmtp_message_t* m) {
  uvsmtp_request_t r = UVSMTP_REQUEST_INIT(UVSMTP_OP_SEND);
  r.message = m;
  return uvsmtp_proto_submit(h->p, &r);
}

static inline void send_body(host_t* h, uvsmtp_source_t* body) {
  uvsmtp_message_t m = UVSMTP_MESSAGE_INIT;
  m.from = "a@x.example";
  m.rcpts = one_list;
  m.nrcpts = 1;
  m.body = body;
  assert_int_equal(submit_message(h, &m), 0);
}

#endif
