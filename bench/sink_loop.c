/* SPDX-License-Identifier: MIT */
/* uvsmtp-sink: the loop over epoll. All replies to what one read brought leave
 * by one send. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sink.h"

#define EVENTS 512
#define ACCEPTS 256

static void unlink_conn(struct sink_list* l, struct sink_conn* c) {
  if (c->prev != NULL)
    c->prev->next = c->next;
  else
    l->head = c->next;
  if (c->next != NULL)
    c->next->prev = c->prev;
  else
    l->tail = c->prev;
}

static void link_conn(struct sink_list* l, struct sink_conn* c) {
  c->next = NULL;
  c->prev = l->tail;
  if (l->tail != NULL)
    l->tail->next = c;
  else
    l->head = c;
  l->tail = c;
}

static void set_events(struct sink* s, struct sink_watch* w, uint32_t events,
                       int how) {
  struct epoll_event ev;

  memset(&ev, 0, sizeof(ev));
  ev.events = events;
  ev.data.ptr = w;
  if (epoll_ctl(s->epoll, how, w->fd, &ev) != 0) {
    perror("uvsmtp-sink: epoll_ctl");
    exit(71);
  }
}

/* Reading stops in a pause, in a stall, before a handshake, and while too much
 * waits to be sent: the peer then feels it in its own socket. */
static void update(struct sink* s, struct sink_conn* c) {
  bool mute = c->paused || c->starting || c->mode == MODE_STALL ||
              c->mode == MODE_QUIT || c->mode == MODE_DROP ||
              c->out.len > SINK_OUT_LIMIT;
  uint32_t events = 0;

  if (!mute) events |= EPOLLIN;
  /* Only a stalled peer's going away is not seen otherwise. */
  if (c->mode == MODE_STALL) events |= EPOLLRDHUP;
  if (c->out.len > 0 || sink_tls_blocked(c)) events |= EPOLLOUT;
  if (events == c->events) return;
  c->events = events;
  set_events(s, &c->watch, events, EPOLL_CTL_MOD);
}

static struct sink_list* list_of(struct sink* s, const struct sink_conn* c) {
  return c->paused || c->mode == MODE_LINGER ? &s->paused : &s->idle;
}

static void set_accepting(struct sink* s, bool on) {
  s->accept_off = !on;
  for (int i = 0; i < s->nlisteners; i++)
    set_events(s, &s->listeners[i].watch, on ? EPOLLIN : 0, EPOLL_CTL_MOD);
}

static void conn_close(struct sink* s, struct sink_conn* c) {
  if (c->mode == MODE_RESET) {
    struct linger hard = {1, 0};

    setsockopt(c->watch.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  }
  unlink_conn(list_of(s, c), c);
  close(c->watch.fd);
  sink_txn_end(s, c);
  sink_tls_end(c);
  sink_buf_free(&c->in);
  sink_buf_free(&c->out);
  free(c->helo);
  free(c);
  s->nconns--;
  if (s->accept_off && !s->finishing) set_accepting(s, true);
}

/* Moves a connection among those that wait for a time. */
static void start_timer(struct sink* s, struct sink_conn* c) {
  c->due = s->now + SINK_PAUSE_MS;
  link_conn(&s->paused, c);
}

/* Holds a reply back; nothing behind its command is looked at before. */
void sink_pause(struct sink* s, struct sink_conn* c) {
  unlink_conn(&s->idle, c);
  c->paused = true;
  start_timer(s, c);
}

/* A close with input unread would send a RST, and that could take our last
 * reply away from the peer before it has read it. So we end our side, and
 * close when the peer has ended its own, or after a while. */
static void linger(struct sink* s, struct sink_conn* c) {
  sink_tls_bye(c);
  shutdown(c->watch.fd, SHUT_WR);
  unlink_conn(&s->idle, c);
  c->mode = MODE_LINGER;
  start_timer(s, c);
}

/* Sends what is queued, then what this batch has added, and queues what the
 * socket doesn't take. False if the connection is lost. */
static bool flush(struct sink* s, struct sink_conn* c) {
  struct sink_buf* b = c->out.len > 0 ? &c->out : &s->out;
  ssize_t n = 0;

  if (c->out.len > 0) sink_buf_add(&c->out, s->out.base, s->out.len);
  if (s->out.len > 0 && c->fresh) {
    c->fresh = false;
    s->rounds++;
  }
  if (b->len > 0) {
    n = c->tls != NULL
            ? sink_tls_send(c, b->base, b->len)
            : send(c->watch.fd, b->base, b->len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
      s->out.len = 0;
      return false;
    }
    if (n < 0) n = 0;
  }
  if (b == &c->out) {
    sink_buf_drop(b, (size_t)n);
  } else if (b->len > (size_t)n) {
    sink_buf_add(&c->out, b->base + n, b->len - (size_t)n);
  }
  s->out.len = 0;
  if (c->starting && c->out.len == 0) {
    c->starting = false;
    sink_tls_begin(s, c);
  }
  return true;
}

/* Parses input and answers it, over again while replies are what stopped it.
 * The connection may be gone afterwards. */
static void serve(struct sink* s, struct sink_conn* c, const char* p,
                  size_t n) {
  enum sink_step step;
  size_t used;

  do {
    step = sink_parse(s, c, p, n, &used);
    if (used > 0) p += used;
    n -= used;
    if (!flush(s, c)) {
      conn_close(s, c);
      return;
    }
  } while (step == STEP_FULL && c->out.len <= SINK_OUT_LIMIT);
  if (c->mode == MODE_RESET) {
    conn_close(s, c);
    return;
  }
  if ((c->mode == MODE_QUIT || c->mode == MODE_DROP) && c->out.len == 0) {
    /* Within TLS the peer's close_notify is still to come. */
    if (c->mode == MODE_QUIT && n == 0 && c->tls == NULL) {
      conn_close(s, c);
      return;
    }
    linger(s, c);
  }
  /* What nobody will look at is still unread as far as a close goes. */
  if (c->mode == MODE_QUIT && n > 0) c->mode = MODE_DROP;
  if (c->mode < MODE_QUIT) sink_buf_add(&c->in, p, n);
  update(s, c);
}

/* Goes on with input that had to wait. */
static void resume(struct sink* s, struct sink_conn* c) {
  struct sink_buf in = c->in;

  memset(&c->in, 0, sizeof(c->in));
  serve(s, c, in.base, in.len);
  sink_buf_free(&in);
}

/* The handshake of implicit TLS ends in a read; then it is our turn to speak.
 */
static void greet_late(struct sink* s, struct sink_conn* c) {
  if (c->greeting_due && sink_tls_done(c)) {
    c->greeting_due = false;
    sink_greet(s, c);
    serve(s, c, NULL, 0);
  } else {
    update(s, c);
  }
}

static void conn_read(struct sink* s, struct sink_conn* c) {
  char* base = s->read + SINK_LINE_CAP;
  /* Where nothing is looked at, nothing is decrypted. */
  bool tls = c->tls != NULL && c->mode < MODE_QUIT;
  ssize_t got = tls ? sink_tls_recv(s, c, base, SINK_READ_SIZE)
                    : recv(c->watch.fd, base, SINK_READ_SIZE, MSG_DONTWAIT);
  size_t n;

  if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
    if (tls) greet_late(s, c);
    return;
  }
  if (got == 0 && c->out.len > 0) {
    /* It may have ended its side only, and still be reading. */
    c->mode = MODE_QUIT;
    update(s, c);
    return;
  }
  if (got <= 0) {
    conn_close(s, c);
    return;
  }
  if (c->mode >= MODE_QUIT) return;
  n = (size_t)got;
  if (c->in.len > 0) {
    /* The part of a line that the last read left goes in front. */
    base -= c->in.len;
    n += c->in.len;
    memcpy(base, c->in.base, c->in.len);
    sink_buf_free(&c->in);
  }
  c->fresh = true;
  serve(s, c, base, n);
}

static void conn_event(struct sink* s, struct sink_conn* c, uint32_t events) {
  if (!sink_tls_done(c)) {
    conn_read(s, c);
    return;
  }
  if ((events & EPOLLOUT) != 0) {
    /* Input that waited because of the replies comes next; where none waited
     * this only sends. */
    if (c->out.len > 0 && !flush(s, c)) {
      conn_close(s, c);
      return;
    }
    if (c->paused || c->out.len > SINK_OUT_LIMIT)
      update(s, c);
    else
      resume(s, c);
    return;
  }
  if ((c->events & EPOLLIN) != 0)
    conn_read(s, c);
  else if ((events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0)
    conn_close(s, c);
}

static void conn_new(struct sink* s, int fd, const struct sink_listener* l) {
  struct sink_conn* c = sink_alloc(sizeof(*c));

  memset(c, 0, sizeof(*c));
  c->watch.fd = fd;
  c->watch.kind = KIND_CONN;
  c->lmtp = l->lmtp;
  c->id = ++s->connections;
  if (s->first_at == 0) s->first_at = s->now;
  if (++s->nconns > s->peak) s->peak = s->nconns;
  link_conn(&s->idle, c);
  c->events = EPOLLIN;
  set_events(s, &c->watch, c->events, EPOLL_CTL_ADD);
  if (l->implicit) {
    sink_tls_begin(s, c);
    c->greeting_due = true;
    return;
  }
  sink_greet(s, c);
  serve(s, c, NULL, 0);
}

static void accept_some(struct sink* s, const struct sink_listener* l) {
  for (int i = 0; i < ACCEPTS; i++) {
    int fd = accept4(l->watch.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
      conn_new(s, fd, l);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
               errno == ENOBUFS) {
      /* The listener would wake us for ever: wait for a close. */
      if (s->nconns > 0) set_accepting(s, false);
      return;
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;
    }
  }
}

static void run_timers(struct sink* s) {
  struct sink_conn* c;

  while ((c = s->paused.head) != NULL && c->due <= s->now) {
    if (c->mode == MODE_LINGER) {
      conn_close(s, c);
      continue;
    }
    unlink_conn(&s->paused, c);
    c->paused = false;
    link_conn(&s->idle, c);
    sink_say(s, c, c->verdict);
    c->verdict = NULL;
    resume(s, c);
  }
}

/* Once the count is reached nobody new is let in, and those who are here get
 * the time of a pause after the last sign of life. */
static bool is_finished(struct sink* s, int events) {
  if (s->opt.count == 0 || s->messages < s->opt.count) return false;
  if (!s->finishing) {
    s->finishing = true;
    set_accepting(s, false);
  }
  if (events > 0) s->finish_at = s->now + SINK_PAUSE_MS;
  return s->nconns == 0 || s->now >= s->finish_at;
}

static int wait_time(const struct sink* s) {
  int64_t until = -1;

  if (s->paused.head != NULL) until = s->paused.head->due;
  if (s->finishing && (until < 0 || s->finish_at < until)) until = s->finish_at;
  if (until < 0) return -1;
  return until > s->now ? (int)(until - s->now) : 0;
}

static void dispatch(struct sink* s, const struct epoll_event* ev) {
  struct sink_watch* w = ev->data.ptr;

  if (w->kind == KIND_CONN)
    conn_event(s, (struct sink_conn*)(void*)w, ev->events);
  else if (w->kind == KIND_LISTEN)
    accept_some(s, (struct sink_listener*)(void*)w);
  else
    s->stopped = true;
}

static void loop_free(struct sink* s) {
  while (s->idle.head != NULL) conn_close(s, s->idle.head);
  while (s->paused.head != NULL) conn_close(s, s->paused.head);
  for (int i = 0; i < s->nlisteners; i++) {
    close(s->listeners[i].watch.fd);
    if (s->listeners[i].path != NULL) unlink(s->listeners[i].path);
  }
  close(s->signals.fd);
  close(s->epoll);
  sink_buf_free(&s->out);
  free(s->read);
}

/* Runs until a signal, or the count of messages, ends it. SIGTERM and SIGINT
 * have to be blocked. */
int sink_run(struct sink* s) {
  struct epoll_event* events = sink_alloc(EVENTS * sizeof(*events));
  sigset_t set;
  int n;

  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  s->read = sink_alloc(SINK_LINE_CAP + SINK_READ_SIZE);
  s->epoll = epoll_create1(EPOLL_CLOEXEC);
  s->signals.kind = KIND_SIGNAL;
  s->signals.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (s->epoll < 0 || s->signals.fd < 0) {
    perror("uvsmtp-sink");
    exit(71);
  }
  set_events(s, &s->signals, EPOLLIN, EPOLL_CTL_ADD);
  for (int i = 0; i < s->nlisteners; i++)
    set_events(s, &s->listeners[i].watch, EPOLLIN, EPOLL_CTL_ADD);
  s->now = sink_clock();
  do {
    n = epoll_wait(s->epoll, events, EVENTS, wait_time(s));
    s->now = sink_clock();
    for (int i = 0; i < n; i++) dispatch(s, &events[i]);
    run_timers(s);
  } while (!s->stopped && !is_finished(s, n));
  free(events);
  loop_free(s);
  return 0;
}
