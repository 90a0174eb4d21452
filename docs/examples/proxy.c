/* SPDX-License-Identifier: MIT */
/* proxy.c: a message through an HTTP proxy, by CONNECT (RFC 9110 9.3.6):
 *
 *   proxy PROXY-HOST PROXY-PORT HOST PORT FROM TO
 *
 * The library knows nothing of proxies. It takes over a connection that is up,
 * together with what came on it already, and goes on from the greeting. SOCKS
 * would be done in the same way. */
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uvsmtp.h>

enum { ANSWER_CAP = 4096, PROXY_MS = 30000 };

static const char text[] = "Subject: hello\r\n\r\nSent through a proxy.\r\n";

/* The way to the proxy and through it. Its handles belong to the program. */
typedef struct tunnel_s {
  uv_tcp_t tcp;
  uv_timer_t timer; /* one deadline for all of it */
  uv_getaddrinfo_t lookup;
  uv_connect_t connect;
  uv_write_t write;
  char request[1200];
  char answer[ANSWER_CAP];
  size_t len;
  int over;
  uvsmtp_session_t* session;
  const char* from;
  const char* to;
  uvsmtp_memory_source_t body;
  int status; /* of the message */
} tunnel_t;

/* The proxy's part is over, well (0) or not: its handles go, and without a
 * connection so does the session. */
static void finish(tunnel_t* t, int err) {
  if (t->over) return;
  t->over = 1;
  uv_cancel((uv_req_t*)&t->lookup);
  uv_close((uv_handle_t*)&t->tcp, NULL);
  uv_close((uv_handle_t*)&t->timer, NULL);
  if (err == 0) return;
  t->status = err;
  fprintf(stderr, "no way through the proxy: %s\n", uvsmtp_strerror(err));
  uvsmtp_session_close(t->session, NULL, NULL);
}

/* The message has its verdict, or there was no session to send it in. */
static void on_sent(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                    void* data) {
  tunnel_t* t = data;
  int cause = uvsmtp_result_cause(result);
  (void)session;
  t->status = uvsmtp_result_status(result);
  printf("%s: %s%s%s\n", uvsmtp_outcome_name(uvsmtp_result_outcome(result)),
         uvsmtp_strerror(t->status), cause != 0 ? ": " : "",
         cause != 0 ? uvsmtp_strerror(cause) : "");
}

/* begin: hand over */
/* Behind the proxy's answer the connection is one to the server. What it has
 * already said, n octets at early, came with the answer and goes along. The
 * session works on a descriptor of its own, so the handle is ours to close. */
static int hand_over(tunnel_t* t, const char* early, size_t n) {
  uvsmtp_connection_t connection = UVSMTP_CONNECTION_INIT;
  uvsmtp_message_t message = UVSMTP_MESSAGE_INIT;
  uvsmtp_rcpt_t to = UVSMTP_RCPT_INIT(t->to);
  const uvsmtp_rcpt_t* rcpts[] = {&to};
  int err;
  uv_read_stop((uv_stream_t*)&t->tcp);
  connection.stream = (uv_stream_t*)&t->tcp;
  connection.early.base = early;
  connection.early.len = n;
  err = uvsmtp_open(t->session, &connection, NULL, NULL);
  if (err != 0) return err;
  uvsmtp_source_memory(&t->body, text, strlen(text));
  message.from = t->from;
  message.rcpts = rcpts;
  message.nrcpts = 1;
  message.body = &t->body.source;
  err = uvsmtp_send(t->session, &message, on_sent, t);
  if (err != 0) return err;
  return uvsmtp_session_end(t->session, NULL, NULL);
}
/* end */

/* "HTTP/1.1 200 ..." to the empty line: whatever follows is the server's. */
static void judge(tunnel_t* t) {
  char* end;
  t->answer[t->len] = '\0';
  end = strstr(t->answer, "\r\n\r\n");
  if (end == NULL) {
    if (t->len == ANSWER_CAP - 1) finish(t, UV_EMSGSIZE);
    return;
  }
  end += 4;
  if (strncmp(t->answer, "HTTP/1.", 7) != 0 || !isdigit(t->answer[7] & 127) ||
      strncmp(t->answer + 8, " 2", 2) != 0) {
    fprintf(stderr, "the proxy refused: %.12s\n", t->answer);
    finish(t, UV_ECONNREFUSED);
  } else {
    finish(t, hand_over(t, end, t->len - (size_t)(end - t->answer)));
  }
}

/* Reads no further than the buffer goes: there is no second one. */
static void give_room(uv_handle_t* handle, size_t size, uv_buf_t* buf) {
  tunnel_t* t = handle->data;
  (void)size;
  *buf =
      uv_buf_init(t->answer + t->len, (unsigned int)(ANSWER_CAP - 1 - t->len));
}

/* A proxy that leaves before its answer is whole has failed. */
static void on_read(uv_stream_t* stream, ssize_t n, const uv_buf_t* buf) {
  tunnel_t* t = stream->data;
  (void)buf;
  if (n < 0) {
    finish(t, (int)n);
  } else if (n > 0) {
    t->len += (size_t)n;
    judge(t);
  }
}

/* That the request is written means nothing; that it is not does. */
static void on_written(uv_write_t* write, int status) {
  tunnel_t* t = write->data;
  if (status != 0) finish(t, status);
}

/* The proxy is there: asks it for the server. */
static void on_connect(uv_connect_t* connect, int status) {
  tunnel_t* t = connect->data;
  uv_buf_t buf = uv_buf_init(t->request, (unsigned int)strlen(t->request));
  t->write.data = t;
  if (status == 0)
    status = uv_read_start((uv_stream_t*)&t->tcp, give_room, on_read);
  if (status == 0)
    status = uv_write(&t->write, (uv_stream_t*)&t->tcp, &buf, 1, on_written);
  if (status != 0) finish(t, status);
}

/* Tries one address, the first. For more there is uvsmtp_connect, but a proxy
 * is usually near. */
static void on_lookup(uv_getaddrinfo_t* lookup, int status,
                      struct addrinfo* found) {
  tunnel_t* t = lookup->data;
  t->connect.data = t;
  if (status == 0 && !t->over)
    status = uv_tcp_connect(&t->connect, &t->tcp, found->ai_addr, on_connect);
  uv_freeaddrinfo(found);
  if (status != 0) finish(t, status);
}

/* However slow each step: that is enough. */
static void on_timer(uv_timer_t* timer) { finish(timer->data, UV_ETIMEDOUT); }

/* Writes the request; 0 when a name is too long or would break out of it. */
static int compose(tunnel_t* t, const char* host, const char* port) {
  const char* v6 = strchr(host, ':');
  const char* p;
  int n;
  for (p = host; *p != '\0'; p++)
    if (!isalnum(*p & 127) && strchr("-._:", *p) == NULL) return 0;
  if (atoi(port) < 1 || atoi(port) > 65535) return 0;
  n = snprintf(t->request, sizeof(t->request),
               "CONNECT %s%s%s:%d HTTP/1.1\r\nHost: %s%s%s:%d\r\n\r\n",
               v6 ? "[" : "", host, v6 ? "]" : "", atoi(port), v6 ? "[" : "",
               host, v6 ? "]" : "", atoi(port));
  return n > 0 && (size_t)n < sizeof(t->request);
}

/* Begins with the proxy's name; whatever happens ends in finish(). */
static void start(uv_loop_t* loop, tunnel_t* t, const char* host,
                  const char* port) {
  struct addrinfo hints;
  int err;
  memset(&hints, 0, sizeof(hints));
  hints.ai_socktype = SOCK_STREAM;
  uv_tcp_init(loop, &t->tcp);
  uv_timer_init(loop, &t->timer);
  t->tcp.data = t->timer.data = t->lookup.data = t;
  err = uv_timer_start(&t->timer, on_timer, PROXY_MS, 0);
  if (err == 0)
    err = uv_getaddrinfo(loop, &t->lookup, on_lookup, host, port, &hints);
  if (err != 0) finish(t, err);
}

int main(int argc, char** argv) {
  tunnel_t t;
  uvsmtp_env_t* env;
  uv_loop_t loop;
  int err;

  memset(&t, 0, sizeof(t));
  if (argc != 7 || !compose(&t, argv[3], argv[4])) {
    fputs("usage: proxy PROXY-HOST PROXY-PORT HOST PORT FROM TO\n", stderr);
    return 64;
  }
  t.from = argv[5];
  t.to = argv[6];
  t.status = UV_ECANCELED;
  /* Writing to a proxy that has gone is an error here, not the end of the
   * program: libuv writes without MSG_NOSIGNAL. The library needs none of it.
   */
  signal(SIGPIPE, SIG_IGN);
  if (uv_loop_init(&loop) != 0) return 71;
  err = uvsmtp_env_new(&env, &loop, NULL);
  if (err == 0) {
    err = uvsmtp_session_new(&t.session, env, NULL);
    if (err == 0) start(&loop, &t, argv[1], argv[2]);
    uv_run(&loop, UV_RUN_DEFAULT);
    uvsmtp_env_close(env, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
  }
  uv_loop_close(&loop);
  return err == 0 && t.status == 0 ? 0 : 1;
}
