/* SPDX-License-Identifier: MIT */
/* double.c: see double.h. */
#include "double.h"

#include "net.h"

static void answer(const double_t* d, uvsmtp_query_t* query) {
  struct sockaddr_storage addrs[24];
  const struct sockaddr* list[24];
  size_t i;
  for (i = 0; i < d->n; i++) {
    list[i] = (struct sockaddr*)&addrs[i];
    memset(&addrs[i], 0, sizeof(addrs[i]));
    if (d->addresses[i] == NULL) {
      list[i] = NULL;
    } else if (d->addresses[i][0] == '/') {
      addrs[i].ss_family = AF_UNIX;
    } else {
      net_address(&addrs[i], d->addresses[i], 7); /* the port doesn't count */
    }
  }
  uvsmtp_query_done(query, d->status, list, d->n);
  memset(addrs, 0xff, sizeof(addrs)); /* they were copied */
}

void double_answer(double_t* d, int i) {
  uvsmtp_query_t* query = d->queries[i];
  assert_non_null(query);
  /* Only the last one's is known. */
  if (d->queries[d->asked - 1] == query) {
    assert_string_equal(d->host, d->borrowed);
  }
  d->queries[i] = NULL;
  d->waiting--;
  answer(d, query);
}

static int resolve(uvsmtp_resolver_t* self, uv_loop_t* loop, const char* host,
                   uvsmtp_query_t* query) {
  double_t* d = (double_t*)self;
  assert_non_null(loop);
  snprintf(d->host, sizeof(d->host), "%s", host);
  d->borrowed = host;
  if (d->hook != NULL) d->hook(d);
  if (d->refuse != 0) {
    d->asked++;
    return d->refuse;
  }
  if (d->mode == DOUBLE_AT_ONCE) {
    d->asked++;
    answer(d, query);
    return 0;
  }
  assert_true(d->asked < 64);
  d->queries[d->asked++] = query;
  d->waiting++;
  return 0;
}

static void cancel(uvsmtp_resolver_t* self, uvsmtp_query_t* query) {
  double_t* d = (double_t*)self;
  int i;
  d->canceled++;
  if (d->hook != NULL) d->hook(d);
  for (i = 0; i < d->asked && d->queries[i] != query; i++) continue;
  assert_true(i < d->asked); /* not one that is over */
  if (d->answer_in_cancel) double_answer(d, i);
}

void double_init(double_t* d, ...) {
  uvsmtp_resolver_t resolver = UVSMTP_RESOLVER_INIT(resolve);
  va_list list;
  const char* address;
  memset(d, 0, sizeof(*d));
  d->resolver = resolver;
  d->resolver.cancel = cancel;
  d->mode = DOUBLE_AT_ONCE;
  va_start(list, d);
  while ((address = va_arg(list, const char*)) != NULL) {
    d->addresses[d->n++] = address;
  }
  va_end(list);
}
