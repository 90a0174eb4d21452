/* SPDX-License-Identifier: MIT */
/* httpd.c: a server on one loop that sends mail while it serves:
 *
 *   httpd HTTP-PORT SMTP-HOST SMTP-PORT
 *
 *   curl --data-binary @message 'http://127.0.0.1:PORT/mail?from=a@b&to=c@d'
 *
 * The answer comes when the mail has its verdict; until then, and always, the
 * loop goes on with everything else. GET / tells how much was sent. HTTP-PORT 0
 * means any free one. It listens on loopback and asks nobody who they are: an
 * example, not a gateway. SIGINT and SIGTERM let what was begun come to its
 * end; a second one does not wait. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <uvsmtp.h>

enum {
  SENDERS = 2, /* connections to the mail server */
  CLIENT_CAP = 1000,
  HEAD_CAP = 8192,
  BODY_CAP = 1 << 20,
  RCPT_CAP = 50,
  CLIENT_MS = 30000, /* for a request, and again for the answer */
  MAIL_MS = 60000    /* for a message, from here to its verdict */
};

typedef struct server_s server_t;

/* A connection to the mail server, kept open from message to message. */
typedef struct sender_s {
  server_t* server;
  uvsmtp_session_t* session;
  int pending; /* messages it has not yet completed */
} sender_t;

/* An HTTP request. It is freed when both handles are closed, which does not
 * happen before its mail has completed: that borrows its memory. */
typedef struct client_s {
  uv_tcp_t tcp;
  uv_timer_t timer;
  uv_write_t write;
  uv_shutdown_t shutdown;
  server_t* server;
  struct client_s* prev;
  struct client_s* next;
  sender_t* sender; /* while its mail is under way */
  char* in;         /* the request, with a NUL behind it */
  size_t len;
  size_t cap;
  size_t head; /* octets of its head, 0 until that is there */
  size_t length;
  uvsmtp_memory_source_t body;
  char* from;
  char* to[RCPT_CAP];
  size_t nto;
  int again; /* the mail has been sent a second time */
  char* answer;
  int closed; /* handles */
} client_t;

struct server_s {
  uv_loop_t loop;
  uv_tcp_t listener;
  uv_signal_t signals[2];
  uvsmtp_env_t* env;
  sender_t senders[SENDERS];
  int open; /* sessions */
  int stopping;
  client_t* clients;
  int nclients;
  unsigned long accepted;
  unsigned long others;
};

/* ------------------------------------------------------- the end of a client
 */

/* Both handles point here; libuv needs the memory until the second is closed.
 */
static void on_closed(uv_handle_t* handle) {
  client_t* c = handle->data;
  if (++c->closed < 2) return;
  free(c->answer);
  free(c->in);
  free(c);
}

/* Ends a connection, whatever was going on: callbacks that are still due come
 * with UV_ECANCELED, and find it closing. */
static void drop(client_t* c) {
  if (uv_is_closing((uv_handle_t*)&c->tcp)) return;
  if (c->prev != NULL) c->prev->next = c->next;
  if (c->next != NULL) c->next->prev = c->prev;
  if (c->server->clients == c) c->server->clients = c->next;
  c->server->nclients--;
  uv_close((uv_handle_t*)&c->tcp, on_closed);
  uv_close((uv_handle_t*)&c->timer, on_closed);
}

/* Too slow in sending a request, or in taking the answer. */
static void on_timer(uv_timer_t* timer) { drop(timer->data); }

/* Our side is closed. The client's end, or the timer, is the last of it. */
static void on_shutdown(uv_shutdown_t* shutdown, int status) {
  if (status != 0) drop(shutdown->data);
}

/* All is said. What the client may still be sending is read and dropped: to
 * close while it lies there would reset the connection, answer included. */
static void on_written(uv_write_t* write, int status) {
  client_t* c = write->data;
  c->shutdown.data = c;
  if (status != 0 ||
      uv_shutdown(&c->shutdown, (uv_stream_t*)&c->tcp, on_shutdown) != 0)
    drop(c);
}

static void give_room(uv_handle_t* handle, size_t size, uv_buf_t* buf);
static void on_read(uv_stream_t* stream, ssize_t n, const uv_buf_t* buf);

/* Sends an answer, which it takes over. One request for each connection. */
static void respond(client_t* c, const char* status, char* text, size_t len) {
  static const char head[] =
      "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\n"
      "Connection: close\r\nContent-Length: %zu\r\n\r\n%s";
  size_t cap = sizeof(head) + strlen(status) + 20 + len;
  uv_buf_t buf;
  c->answer = text == NULL ? NULL : malloc(cap);
  if (c->answer == NULL) {
    free(text);
    drop(c);
    return;
  }
  snprintf(c->answer, cap, head, status, len, text);
  free(text);
  buf = uv_buf_init(c->answer, (unsigned int)strlen(c->answer));
  c->write.data = c;
  if (uv_timer_start(&c->timer, on_timer, CLIENT_MS, 0) != 0 ||
      uv_write(&c->write, (uv_stream_t*)&c->tcp, &buf, 1, on_written) != 0) {
    drop(c);
    return;
  }
  (void)uv_read_start((uv_stream_t*)&c->tcp, give_room, on_read);
}

/* The same for a text of ours. */
static void reply(client_t* c, const char* status, const char* text) {
  respond(c, status, strdup(text), strlen(text));
}

/* ----------------------------------------------------------------- the mail */

static void submit(client_t* c);

/* A line for each recipient. What the mail server says may hold anything, and
 * is not to break the line. */
static char* describe(const uvsmtp_result_t* result, size_t* len) {
  char* text = NULL;
  size_t i;
  FILE* out = open_memstream(&text, len);
  if (out == NULL) return NULL;
  for (i = 0; i < uvsmtp_result_rcpt_count(result); i++) {
    const uvsmtp_rcpt_result_t* rcpt = uvsmtp_result_rcpt(result, i);
    const uvsmtp_reply_t* reply = uvsmtp_rcpt_result_reply(rcpt);
    const char* why = reply != NULL
                          ? uvsmtp_reply_text(reply, NULL)
                          : uvsmtp_strerror(uvsmtp_rcpt_result_status(rcpt));
    fprintf(out, "%s %s: ", uvsmtp_rcpt_result_address(rcpt),
            uvsmtp_outcome_name(uvsmtp_rcpt_result_outcome(rcpt)));
    for (; *why != '\0'; why++)
      fputc(*why >= ' ' && *why <= '~' ? *why : '?', out);
    fputc('\n', out);
  }
  if (fclose(out) == 0) return text;
  free(text);
  return NULL;
}

/* An outcome tells a client what it has to know: is it done, may it be sent
 * again? */
static const char* http_status(int outcome) {
  switch (outcome) {
    case UVSMTP_OUTCOME_ACCEPTED:
      return "200 OK";
    case UVSMTP_OUTCOME_REJECTED:
      return "422 Unprocessable Content";
    case UVSMTP_OUTCOME_UNKNOWN:
      return "504 Gateway Timeout"; /* it may have been delivered */
    default:
      return "503 Service Unavailable"; /* it was not: try again */
  }
}

/* begin: completion */
/* A connection that had been idle may be lost at the moment when it is needed.
 * Then nothing was delivered, and one more attempt on a new one is right. After
 * an unknown outcome it would be a second copy. */
static int may_repeat(const client_t* c, const uvsmtp_result_t* result) {
  int outcome = uvsmtp_result_outcome(result);
  return !c->again && !c->server->stopping &&
         uvsmtp_result_status(result) == UVSMTP_EDISCONNECTED &&
         (outcome == UVSMTP_OUTCOME_DEFERRED ||
          outcome == UVSMTP_OUTCOME_NOT_ATTEMPTED);
}

/* The verdict, for which the client has been waiting. */
static void on_sent(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                    void* data) {
  client_t* c = data;
  int outcome = uvsmtp_result_outcome(result);
  size_t len;
  char* text;
  (void)session;
  c->sender->pending--;
  c->sender = NULL;
  if (may_repeat(c, result)) {
    c->again = 1;
    submit(c);
    return;
  }
  if (outcome == UVSMTP_OUTCOME_ACCEPTED)
    c->server->accepted++;
  else
    c->server->others++;
  text = describe(result, &len);
  respond(c, http_status(outcome), text, len);
}
/* end */

/* begin: reuse */
/* Makes sure that there is a connection, or that one is being made: what is
 * queued behind it waits. After a loss, or after the server has had enough of
 * an idle one, this is where the next begins. */
static int ready(uvsmtp_session_t* session) {
  int err = uvsmtp_connect(session, NULL, NULL, NULL);
  return err == UV_EISCONN || err == UV_EALREADY ? 0 : err;
}
/* end */

/* A session sends one message after the other: the shortest queue is best. */
static sender_t* least_busy(server_t* s) {
  sender_t* best = &s->senders[0];
  int i;
  for (i = 1; i < SENDERS; i++)
    if (s->senders[i].pending < best->pending) best = &s->senders[i];
  return best;
}

/* Queues the mail of a request. The call copies the envelope, and borrows the
 * text until the completion. */
static void submit(client_t* c) {
  sender_t* sender = least_busy(c->server);
  uvsmtp_message_t message = UVSMTP_MESSAGE_INIT;
  uvsmtp_rcpt_t rcpts[RCPT_CAP];
  const uvsmtp_rcpt_t* list[RCPT_CAP];
  size_t i;
  int err;
  for (i = 0; i < c->nto; i++) {
    uvsmtp_rcpt_t rcpt = UVSMTP_RCPT_INIT(c->to[i]);
    rcpts[i] = rcpt;
    list[i] = &rcpts[i];
  }
  uvsmtp_source_memory(&c->body, c->in + c->head, c->length);
  message.from = c->from;
  message.rcpts = list;
  message.nrcpts = c->nto;
  message.body = &c->body.source;
  message.timeout = MAIL_MS;
  err = ready(sender->session);
  if (err == 0) err = uvsmtp_send(sender->session, &message, on_sent, c);
  if (err == 0) {
    c->sender = sender;
    sender->pending++;
  } else if (err == UV_EINVAL) {
    reply(c, "400 Bad Request", "an address that can't be one\n");
  } else {
    reply(c, "503 Service Unavailable", "not now\n");
  }
}

/* -------------------------------------------------------------- the request */

/* The value of a hexadecimal digit, -1 if it is none. */
static int hex(char c) {
  const char* digits = "0123456789abcdef0123456789ABCDEF";
  const char* at = c == '\0' ? NULL : strchr(digits, c);
  return at == NULL ? -1 : (int)(at - digits) % 16;
}

/* "%40" is "@", in place; 0 for what is none of that or hides a NUL. */
static int decode(char* text) {
  char* out = text;
  for (; *text != '\0'; text++) {
    int c = *text == '+' ? ' ' : *text;
    if (c == '%') {
      int high = hex(text[1]);
      int low = high < 0 ? -1 : hex(text[2]);
      if (low < 0 || high + low == 0) return 0;
      c = high * 16 + low;
      text += 2;
    }
    *out++ = (char)c;
  }
  *out = '\0';
  return 1;
}

/* "from=a@b&to=c@d&to=e@f", cut up in place; 0 when it makes no sense. */
static int parse_query(client_t* c, char* query) {
  char* state;
  char* word = strtok_r(query, "&", &state);
  for (; word != NULL; word = strtok_r(NULL, "&", &state)) {
    char* value = strchr(word, '=');
    if (value == NULL || !decode(value + 1)) return 0;
    *value++ = '\0';
    if (strcmp(word, "from") == 0)
      c->from = value;
    else if (strcmp(word, "to") == 0 && c->nto < RCPT_CAP)
      c->to[c->nto++] = value;
    else
      return 0;
  }
  return c->from != NULL && c->nto > 0;
}

/* The whole request is there. */
static void serve(client_t* c) {
  static const char mail[] = "POST /mail?";
  char text[100];
  char* query;
  uv_timer_stop(&c->timer);
  uv_read_stop((uv_stream_t*)&c->tcp);
  if (strncmp(c->in, "GET / ", 6) == 0) {
    snprintf(text, sizeof(text), "%lu accepted, %lu others\n",
             c->server->accepted, c->server->others);
    reply(c, "200 OK", text);
    return;
  }
  if (strncmp(c->in, mail, sizeof(mail) - 1) != 0) {
    reply(c, "404 Not Found", "POST /mail?from=ADDR&to=ADDR\n");
    return;
  }
  query = c->in + sizeof(mail) - 1;
  query[strcspn(query, " \r")] = '\0';
  if (parse_query(c, query))
    submit(c);
  else
    reply(c, "400 Bad Request", "POST /mail?from=ADDR&to=ADDR\n");
}

/* Looks through the head for the length of the body and makes room for it; 0
 * when the request has been answered. */
static int parse_head(client_t* c) {
  char* line = strstr(c->in, "\r\n") + 2;
  char* in;
  for (; line[0] != '\r'; line = strstr(line, "\r\n") + 2) {
    if (strncasecmp(line, "Transfer-Encoding:", 18) == 0) {
      reply(c, "501 Not Implemented", "a length is needed\n");
      return 0;
    }
    if (strncasecmp(line, "Content-Length:", 15) == 0) {
      const char* digits = line + 15 + strspn(line + 15, " \t");
      size_t n = strspn(digits, "0123456789");
      c->length = n > 0 && n < 10 ? strtoul(digits, NULL, 10) : BODY_CAP + 1;
      if (c->length > BODY_CAP) {
        reply(c, "413 Content Too Large", "too large\n");
        return 0;
      }
    }
  }
  if (c->head + c->length < c->cap) return 1;
  in = realloc(c->in, c->head + c->length + 1);
  if (in == NULL) {
    reply(c, "503 Service Unavailable", "no memory\n");
    return 0;
  }
  c->in = in;
  c->cap = c->head + c->length + 1;
  return 1;
}

/* Reads to where the request lies already, so that it is in one piece. */
static void give_room(uv_handle_t* handle, size_t size, uv_buf_t* buf) {
  client_t* c = handle->data;
  (void)size;
  if (c->answer != NULL) c->len = 0; /* nothing of it is used any more */
  *buf = uv_buf_init(c->in + c->len, (unsigned int)(c->cap - 1 - c->len));
}

/* More of a request, however it is split. */
static void on_read(uv_stream_t* stream, ssize_t n, const uv_buf_t* buf) {
  client_t* c = stream->data;
  char* end;
  (void)buf;
  if (n < 0) drop(c); /* gone, or done with the answer */
  if (n <= 0 || c->answer != NULL) return;
  c->len += (size_t)n;
  c->in[c->len] = '\0';
  if (c->head == 0) {
    end = strstr(c->in, "\r\n\r\n");
    if (end == NULL && c->len == c->cap - 1) {
      reply(c, "431 Request Header Fields Too Large", "too large\n");
    }
    if (end == NULL) return;
    c->head = (size_t)(end - c->in) + 4;
    if (!parse_head(c)) return;
  }
  if (c->len >= c->head + c->length) serve(c);
}

static void stop(server_t* s);

/* A client. Without memory for it there will be none for its mail either, and
 * libuv waits until it is accepted: then this server has had its day. */
static void on_connection(uv_stream_t* listener, int status) {
  server_t* s = listener->data;
  client_t* c;
  if (status != 0) return;
  c = calloc(1, sizeof(*c));
  if (c == NULL) {
    stop(s);
    return;
  }
  c->server = s;
  c->tcp.data = c->timer.data = c;
  c->next = s->clients;
  if (c->next != NULL) c->next->prev = c;
  s->clients = c;
  s->nclients++;
  c->in = malloc(HEAD_CAP);
  c->cap = c->in == NULL ? 0 : HEAD_CAP;
  uv_tcp_init(&s->loop, &c->tcp);
  uv_timer_init(&s->loop, &c->timer);
  if (uv_accept(listener, (uv_stream_t*)&c->tcp) != 0 || c->in == NULL ||
      s->nclients > CLIENT_CAP ||
      uv_timer_start(&c->timer, on_timer, CLIENT_MS, 0) != 0 ||
      uv_read_start((uv_stream_t*)&c->tcp, give_room, on_read) != 0)
    drop(c);
}

/* --------------------------------------------------------- begin, and the end
 */

/* begin: stop */
/* Every session has gone: now the environment can, and with the signals the
 * loop has nothing left to do. */
static void finish(server_t* s) {
  int i;
  if (s->env != NULL) uvsmtp_env_close(s->env, NULL, NULL);
  for (i = 0; i < 2; i++) uv_close((uv_handle_t*)&s->signals[i], NULL);
}

/* A session has gone, and with it what pointed to it. */
static void on_session_closed(uvsmtp_session_t* session, void* data) {
  sender_t* sender = data;
  (void)session;
  sender->session = NULL;
  if (--sender->server->open == 0) finish(sender->server);
}

/* No new requests. Those whose mail is under way get their answer: the sessions
 * end behind what they have to send, each step of which has a deadline. */
static void stop(server_t* s) {
  client_t* c;
  client_t* next;
  int i;
  s->stopping = 1;
  uv_close((uv_handle_t*)&s->listener, NULL);
  for (i = 0; i < SENDERS; i++)
    if (s->senders[i].session != NULL)
      uvsmtp_session_end(s->senders[i].session, on_session_closed,
                         &s->senders[i]);
  for (c = s->clients; c != NULL; c = next) {
    next = c->next;
    if (c->sender == NULL && c->answer == NULL) drop(c);
  }
  if (s->open == 0) finish(s);
}

/* The second time nothing is waited for: every mail completes at once, and says
 * whether it may have been delivered. */
static void on_signal(uv_signal_t* handle, int number) {
  server_t* s = handle->data;
  int i;
  (void)number;
  if (!s->stopping) {
    stop(s);
    return;
  }
  for (i = 0; i < SENDERS; i++)
    if (s->senders[i].session != NULL)
      uvsmtp_session_close(s->senders[i].session, NULL, NULL);
}
/* end */

/* Everything that can fail before the first request. */
static int begin(server_t* s, int port, const uvsmtp_target_t* target) {
  static const int numbers[] = {SIGINT, SIGTERM};
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  struct sockaddr_in address;
  int err;
  int i;
  uv_tcp_init(&s->loop, &s->listener);
  s->listener.data = s;
  for (i = 0; i < 2; i++) {
    uv_signal_init(&s->loop, &s->signals[i]);
    s->signals[i].data = s;
  }
  err = uvsmtp_env_new(&s->env, &s->loop, NULL);
  for (i = 0; i < 2 && err == 0; i++)
    err = uv_signal_start(&s->signals[i], on_signal, numbers[i]);
  config.target = target;
  for (i = 0; i < SENDERS && err == 0; i++) {
    s->senders[i].server = s;
    err = uvsmtp_session_new(&s->senders[i].session, s->env, &config);
    if (err == 0) s->open++;
  }
  if (err == 0) err = uv_ip4_addr("127.0.0.1", port, &address);
  if (err == 0)
    err = uv_tcp_bind(&s->listener, (const struct sockaddr*)&address, 0);
  if (err == 0) err = uv_listen((uv_stream_t*)&s->listener, 128, on_connection);
  return err;
}

/* Says where it listens, which with port 0 only the system knows. */
static void announce(const server_t* s) {
  struct sockaddr_in address;
  int len = sizeof(address);
  if (uv_tcp_getsockname(&s->listener, (struct sockaddr*)&address, &len) != 0)
    return;
  printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
}

int main(int argc, char** argv) {
  static server_t s;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  int err;
  if (argc != 4) {
    fputs("usage: httpd HTTP-PORT SMTP-HOST SMTP-PORT\n", stderr);
    return 64;
  }
  target.host = argv[2];
  target.port = atoi(argv[3]);
  /* A client that has gone is an error of uv_write, not the end of us. The
   * library itself never raises the signal. */
  signal(SIGPIPE, SIG_IGN);
  if (uv_loop_init(&s.loop) != 0) return 71;
  err = begin(&s, atoi(argv[1]), &target);
  if (err == 0) {
    announce(&s);
  } else {
    fprintf(stderr, "httpd: %s\n", uvsmtp_strerror(err));
    stop(&s);
  }
  uv_run(&s.loop, UV_RUN_DEFAULT);
  uv_loop_close(&s.loop);
  return err == 0 ? 0 : 71;
}
