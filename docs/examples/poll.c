/* SPDX-License-Identifier: MIT */
/* poll.c: the engine on another loop, here poll(2), without libuv:
 *
 *   poll HOST PORT FROM TO <MESSAGE
 *
 * Sends one message and prints what became of it. All that the engine wants of
 * a host is in turn(): what to write, what was read, one deadline, finished
 * requests. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <uvsmtp/proto.h>

/* libuv's number for the end of a stream, which no errno stands for. */
#define END_OF_FILE (-4095)

typedef struct client_s {
  uvsmtp_proto_t* engine;
  const struct addrinfo* address;
  int fd;              /* -1: not connected */
  int connecting;      /* the socket has yet to say whether it is */
  int phase;           /* of the wait that the deadline belongs to, */
  unsigned int serial; /* and which wait of that kind */
  int64_t due;         /* milliseconds, -1: never */
  int outcome;
} client_t;

/* All memory of the engine. */
static void* allocate(void* data, void* ptr, size_t old_size, size_t new_size) {
  (void)data;
  (void)old_size;
  if (new_size > 0) return realloc(ptr, new_size);
  free(ptr);
  return NULL;
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The whole of standard input, NULL when there is no memory for it. */
static char* read_all(size_t* len) {
  size_t cap = 65536;
  char* text = malloc(cap);
  *len = 0;
  while (text != NULL) {
    size_t n = fread(text + *len, 1, cap - *len, stdin);
    char* more;
    *len += n;
    if (n == 0) break;
    if (*len < cap) continue;
    more = realloc(text, cap *= 2);
    if (more == NULL) free(text);
    text = more;
  }
  return text;
}

/* ---------------------------------------------------------- the transport */

/* The engine wants a connection: begins one. */
static void begin_connect(client_t* c) {
  const struct addrinfo* a = c->address;
  c->fd = socket(a->ai_family, SOCK_STREAM, 0);
  if (c->fd < 0 || fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 ||
      (connect(c->fd, a->ai_addr, a->ai_addrlen) != 0 &&
       errno != EINPROGRESS)) {
    int cause = -errno;
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    uvsmtp_proto_lost(c->engine, cause);
    return;
  }
  c->connecting = 1;
}

/* The transport has gone, or the engine wants it to go: both sides know. */
static void disconnect(client_t* c, int cause) {
  close(c->fd);
  c->fd = -1;
  uvsmtp_proto_lost(c->engine, cause);
}

static void connected(client_t* c) {
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  c->connecting = 0;
  if (error != 0)
    disconnect(c, -error);
  else
    uvsmtp_proto_up(c->engine);
}

/* Writes what the engine has to say, as far as the socket takes it; 1 when it
 * is full. A broken connection shows when it is read from. */
static int flush(client_t* c) {
  uvsmtp_slice_t slice;
  while (uvsmtp_proto_peek(c->engine, &slice, 1) > 0) {
    ssize_t n = send(c->fd, slice.base, slice.len, MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN;
    uvsmtp_proto_sent(c->engine, (size_t)n);
  }
  return 0;
}

static void receive(client_t* c) {
  char buf[4096];
  ssize_t n = recv(c->fd, buf, sizeof(buf), 0);
  if (n > 0)
    uvsmtp_proto_feed(c->engine, buf, (size_t)n);
  else if (n == 0)
    disconnect(c, END_OF_FILE);
  else if (errno != EAGAIN && errno != EINTR)
    disconnect(c, -errno);
}

/* --------------------------------------------------------------- the loop */

static void report(client_t* c, const uvsmtp_result_t* r) {
  const uvsmtp_reply_t* reply = uvsmtp_result_reply(r);
  if (uvsmtp_result_sender(r) == NULL) return; /* not the message */
  c->outcome = uvsmtp_result_outcome(r);
  printf("%s at %s, status %d: %s\n", uvsmtp_outcome_name(c->outcome),
         uvsmtp_state_name(uvsmtp_result_stage(r)), uvsmtp_result_status(r),
         reply != NULL ? uvsmtp_reply_text(reply, NULL) : "no reply");
}

/* The deadline belongs to a wait, however the octets of a reply drip: it is set
 * when another wait begins, here to one minute for each. */
static void watch(client_t* c) {
  unsigned int serial;
  int phase = uvsmtp_proto_wait(c->engine, &serial);
  if (phase == c->phase && serial == c->serial) return;
  c->phase = phase;
  c->serial = serial;
  c->due = phase == UVSMTP_PHASE_NONE ? -1 : now() + 60000;
}

/* Waits for the socket or the deadline. */
static void sleep_until(client_t* c, int full) {
  struct pollfd p = {c->fd, POLLIN, 0};
  int64_t left = c->due < 0 ? -1 : c->due - now();
  if (c->due >= 0 && left < 0) left = 0;
  if (c->connecting || full) p.events |= POLLOUT;
  if (poll(&p, 1, (int)left) == 0) {
    uvsmtp_proto_timeout(c->engine);
  } else if (p.revents != 0 && c->connecting) {
    connected(c);
  } else if ((p.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
    receive(c);
  }
}

/* Once round the loop; 0 when all requests are finished. */
static int turn(client_t* c) {
  uvsmtp_event_t event = UVSMTP_EVENT_INIT;
  int wants = uvsmtp_proto_wants(c->engine);
  int full = 0;
  if ((wants & UVSMTP_WANTS_CLOSE) && c->fd >= 0) {
    disconnect(c, END_OF_FILE);
  } else if ((wants & UVSMTP_WANTS_OPEN) && c->fd < 0) {
    begin_connect(c);
  }
  if (c->fd >= 0 && !c->connecting) full = flush(c);
  while (uvsmtp_proto_next(c->engine, &event)) report(c, event.result);
  if (uvsmtp_proto_pending(c->engine) == 0) return 0;
  watch(c);
  if (c->fd >= 0 && uvsmtp_proto_wants(c->engine) != UVSMTP_WANTS_CLOSE)
    sleep_until(c, full);
  return 1;
}

/* Connect, the message, QUIT: queued at once. */
static int submit(client_t* c, const uvsmtp_message_t* message) {
  static const int ops[] = {UVSMTP_OP_CONNECT, UVSMTP_OP_SEND, UVSMTP_OP_QUIT};
  size_t i;
  for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
    uvsmtp_request_t request = UVSMTP_REQUEST_INIT(ops[i]);
    int err;
    if (ops[i] == UVSMTP_OP_SEND) request.message = message;
    err = uvsmtp_proto_submit(c->engine, &request);
    if (err != 0) return err;
  }
  return 0;
}

static int run(client_t* c, const char* from, const char* to) {
  uvsmtp_mem_t mem = {sizeof(mem), allocate, NULL};
  uvsmtp_proto_config_t config = UVSMTP_PROTO_CONFIG_INIT;
  uvsmtp_message_t message = UVSMTP_MESSAGE_INIT;
  uvsmtp_rcpt_t rcpt = UVSMTP_RCPT_INIT(to);
  const uvsmtp_rcpt_t* rcpts[] = {&rcpt};
  uvsmtp_memory_source_t body;
  size_t len;
  char* text = read_all(&len);
  int err = -ENOMEM;
  uvsmtp_source_memory(&body, text, len);
  message.from = from;
  message.rcpts = rcpts;
  message.nrcpts = 1;
  message.body = &body.source;
  config.mem = &mem;
  config.local_name = "[127.0.0.1]";
  if (text != NULL) err = uvsmtp_proto_new(&c->engine, &config);
  if (err == 0) err = submit(c, &message);
  while (err == 0 && turn(c)) continue;
  if (c->fd >= 0) close(c->fd);
  uvsmtp_proto_free(c->engine);
  free(text);
  return err;
}

int main(int argc, char** argv) {
  struct addrinfo hints = {0};
  struct addrinfo* found;
  client_t client = {0};
  int err;
  if (argc != 5) {
    fputs("usage: poll HOST PORT FROM TO <MESSAGE\n", stderr);
    return 64;
  }
  hints.ai_socktype = SOCK_STREAM;
  err = getaddrinfo(argv[1], argv[2], &hints, &found);
  if (err != 0) {
    fprintf(stderr, "%s: %s\n", argv[1], gai_strerror(err));
    return 68;
  }
  client.fd = -1;
  client.address = found;
  client.phase = -1;
  err = run(&client, argv[3], argv[4]);
  freeaddrinfo(found);
  if (err != 0) fprintf(stderr, "%s\n", strerror(-err));
  return err == 0 && client.outcome == UVSMTP_OUTCOME_ACCEPTED ? 0 : 1;
}
