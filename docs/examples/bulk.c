/* SPDX-License-Identifier: MIT */
/* bulk.c: many messages over many sessions on one loop:
 *
 *   bulk HOST PORT MESSAGES SESSIONS
 *
 * Each session takes the next message when the last one has its verdict. A
 * session that is lost connects again, and sends again what surely was not
 * delivered; what was accepted, or may have been, is never sent twice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uvsmtp.h>

enum { OUTCOMES = UVSMTP_OUTCOME_UNKNOWN + 1, COMPLAINTS = 5 };

typedef struct bulk_s {
  uvsmtp_env_t* env;
  struct worker_s* workers;
  int messages; /* to be sent */
  int sessions;
  int taken;            /* by a worker */
  int counts[OUTCOMES]; /* messages that ended, by uvsmtp_outcome */
  int lost;             /* sessions, over and over */
  int complaints;
  int open; /* workers not yet gone */
  int stopped;
  uint64_t began;  /* uv_hrtime: nanoseconds */
  uv_timer_t tick; /* shows how far we are */
  uv_signal_t interrupt;
  int terminal;
} bulk_t;

/* A session, and the message that it has at hand. */
typedef struct worker_s {
  bulk_t* bulk;
  uvsmtp_session_t* session;
  int number; /* of the message, from 1; 0: none */
  int losses; /* of the session since it last delivered something */
  char text[256];
  uvsmtp_memory_source_t body;
} worker_t;

static int ended(const bulk_t* b) {
  int n = 0;
  int i;
  for (i = 0; i < OUTCOMES; i++) n += b->counts[i];
  return n;
}

static double seconds(const bulk_t* b) {
  return (double)(uv_hrtime() - b->began) / 1e9;
}

/* On a terminal one line, written over and over; else a line each time. */
static void show(const bulk_t* b) {
  int n = ended(b);
  fprintf(stderr, "%s%d of %d messages, %d sessions, %.1f s, %.0f a second%s",
          b->terminal ? "\r" : "", n, b->messages, b->open, seconds(b),
          n / seconds(b), b->terminal ? "  " : "\n");
}

static void on_tick(uv_timer_t* timer) { show(timer->data); }

/* The first few failures are told, the others only counted. result: NULL when
 * the call itself was refused. */
static void complain(bulk_t* b, int number, int err,
                     const uvsmtp_result_t* result) {
  int cause = result == NULL ? 0 : uvsmtp_result_cause(result);
  const uvsmtp_reply_t* reply =
      result == NULL ? NULL : uvsmtp_result_reply(result);
  if (b->complaints++ >= COMPLAINTS) return;
  if (b->terminal) fprintf(stderr, "\r%79s\r", "");
  fprintf(stderr, "message %d: %s", number, uvsmtp_strerror(err));
  if (cause != 0) fprintf(stderr, ": %s", uvsmtp_strerror(cause));
  if (reply != NULL) fprintf(stderr, ": %d", uvsmtp_reply_code(reply));
  fprintf(stderr, "\n");
}

/* ---------------------------------------------------------------- a worker */

/* Nothing is left that the loop has to run for. */
static void all_gone(bulk_t* b) {
  uv_close((uv_handle_t*)&b->tick, NULL);
  uv_close((uv_handle_t*)&b->interrupt, NULL);
  uvsmtp_env_close(b->env, NULL, NULL);
}

/* The session is closed, and the worker with it. */
static void on_gone(uvsmtp_session_t* s, void* data) {
  bulk_t* b = ((worker_t*)data)->bulk;
  if (--b->open == 0) all_gone(b);
}

static void on_sent(uvsmtp_session_t* s, const uvsmtp_result_t* r, void* data);

/* Sends the message at hand, over a new connection if there is none. Both calls
 * are made at once: if connecting fails, so does the message, with the reason.
 * The structs and strings are copied; only the body has to stay. */
static int send_message(worker_t* w) {
  uvsmtp_message_t message = UVSMTP_MESSAGE_INIT;
  uvsmtp_rcpt_t to = UVSMTP_RCPT_INIT(NULL);
  const uvsmtp_rcpt_t* rcpts[] = {&to};
  char address[64];
  int state = uvsmtp_session_state(w->session);
  snprintf(address, sizeof(address), "reader%d@example.net", w->number);
  snprintf(w->text, sizeof(w->text),
           "From: news@example.org\r\nTo: %s\r\nSubject: News\r\n"
           "Message-ID: <bulk.%d@example.org>\r\n\r\nDear reader %d!\r\n",
           address, w->number, w->number);
  uvsmtp_source_memory(&w->body, w->text, strlen(w->text));
  to.address = address;
  message.from = "news@example.org";
  message.rcpts = rcpts;
  message.nrcpts = 1;
  message.body = &w->body.source;
  if (state == UVSMTP_STATE_CONNECT || state == UVSMTP_STATE_CLOSED) {
    int err = uvsmtp_connect(w->session, NULL, NULL, NULL);
    if (err != 0) return err;
  }
  return uvsmtp_send(w->session, &message, on_sent, w);
}

/* Goes on: with the message at hand, else with the next one, else home. */
static void go_on(worker_t* w) {
  bulk_t* b = w->bulk;
  int err;
  if (w->losses < 2 && w->number == 0 && b->taken < b->messages)
    w->number = ++b->taken;
  if (w->number == 0 || b->stopped) {
    /* QUIT and close; just the latter where there is no connection. */
    uvsmtp_session_end(w->session, on_gone, w);
    return;
  }
  err = send_message(w);
  if (err == 0) return;
  /* Refused, out of memory say: nothing was taken, no completion follows. */
  complain(b, w->number, err, NULL);
  b->counts[UVSMTP_OUTCOME_NOT_ATTEMPTED]++;
  uvsmtp_session_close(w->session, on_gone, w);
}

/* The message has its verdict. */
static void on_sent(uvsmtp_session_t* s, const uvsmtp_result_t* r, void* data) {
  worker_t* w = data;
  bulk_t* b = w->bulk;
  int outcome = uvsmtp_result_outcome(r);
  /* By now the session is ready for another message, or over. */
  int lost = uvsmtp_session_state(s) == UVSMTP_STATE_CLOSED;
  if (outcome == UVSMTP_OUTCOME_ACCEPTED) w->losses = 0;
  if (lost) {
    w->losses++;
    b->lost++;
  }
  /* Nothing was delivered, and it was the connection that failed: the message
   * stays at hand. A refusal for now (4yz) is for later, longer than we want to
   * wait. */
  if (!lost || w->losses == 2 || b->stopped ||
      (outcome != UVSMTP_OUTCOME_DEFERRED &&
       outcome != UVSMTP_OUTCOME_NOT_ATTEMPTED)) {
    if (outcome != UVSMTP_OUTCOME_ACCEPTED)
      complain(b, w->number, uvsmtp_result_status(r), r);
    b->counts[outcome]++;
    w->number = 0;
  }
  go_on(w);
}

/* ------------------------------------------------------------- all of them */

/* The first interrupt lets each session finish the message that it has at hand,
 * so that no verdict is lost; a second one ends the program as usual. */
static void on_interrupt(uv_signal_t* signal, int signum) {
  ((bulk_t*)signal->data)->stopped = 1;
}

static void start(bulk_t* b, const uvsmtp_target_t* server) {
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
  uv_loop_t* loop = uvsmtp_env_loop(b->env);
  int i;
  uvsmtp_timeouts_all(&timeouts, 60000);
  config.timeouts = &timeouts;
  config.target = server;
  uv_timer_init(loop, &b->tick);
  uv_signal_init(loop, &b->interrupt);
  b->tick.data = b->interrupt.data = b;
  b->terminal = uv_guess_handle(fileno(stderr)) == UV_TTY;
  uv_timer_start(&b->tick, on_tick, 20, b->terminal ? 20 : 1000);
  uv_signal_start_oneshot(&b->interrupt, on_interrupt, SIGINT);
  b->began = uv_hrtime();
  for (i = 0; i < b->sessions; i++) {
    worker_t* w = &b->workers[i];
    int err = uvsmtp_session_new(&w->session, b->env, &config);
    if (err != 0) {
      complain(b, 0, err, NULL);
      break;
    }
    w->bulk = b;
    b->open++;
    go_on(w);
  }
  if (b->open == 0) all_gone(b);
}

static int report(bulk_t* b) {
  double time = seconds(b);
  int i;
  /* What nobody took, because no session was left. */
  b->counts[UVSMTP_OUTCOME_NOT_ATTEMPTED] += b->messages - ended(b);
  if (b->terminal) fprintf(stderr, "\r%79s\r", "");
  printf("%d messages in %.2f s, %.0f a second; %d connections lost\n",
         b->messages, time, b->messages / time, b->lost);
  for (i = UVSMTP_OUTCOME_NONE + 1; i < OUTCOMES; i++)
    printf("%s %d%s", uvsmtp_outcome_name(i), b->counts[i],
           i + 1 < OUTCOMES ? ", " : "\n");
  return b->counts[UVSMTP_OUTCOME_ACCEPTED] == b->messages ? 0 : 1;
}

/* A number from 1 to max, or 0. */
static int number(const char* text, long max) {
  char* end;
  long n = strtol(text, &end, 10);
  return *text == '\0' || *end != '\0' || n < 1 || n > max ? 0 : (int)n;
}

int main(int argc, char** argv) {
  uvsmtp_target_t server = UVSMTP_TARGET_INIT;
  bulk_t b = {0};
  uv_loop_t loop;
  int status;
  if (argc == 5) {
    server.host = argv[1];
    server.port = number(argv[2], 65535);
    b.messages = number(argv[3], 100000000);
    b.sessions = number(argv[4], 100000);
  }
  if (server.port == 0 || b.messages == 0 || b.sessions == 0) {
    fprintf(stderr, "usage: bulk HOST PORT MESSAGES SESSIONS\n");
    return 64;
  }
  b.workers = calloc((size_t)b.sessions, sizeof(*b.workers));
  if (b.workers == NULL || uv_loop_init(&loop) != 0 ||
      uvsmtp_env_new(&b.env, &loop, NULL) != 0)
    return 71;
  start(&b, &server);
  uv_run(&loop, UV_RUN_DEFAULT);
  uv_loop_close(&loop);
  status = report(&b);
  free(b.workers);
  return status;
}
