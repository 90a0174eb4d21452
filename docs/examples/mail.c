/* SPDX-License-Identifier: MIT */
/* mail.c: the interactive program of smtplib's documentation: asks for the
 * sender, the recipients and a message, and sends it.
 *
 *   mail [HOST [PORT]]
 *
 * The dialogue with the server goes to standard error, as after smtplib's
 * set_debuglevel(1). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uvsmtp.h>

enum { LINE_CAP = 1000, RCPT_CAP = 100 };

/* Asks a question; 0 when nobody answers, or at too great length. Reading from
 * a terminal blocks, which is fine before there is a loop to keep waiting. */
static int ask(const char* question, char* line, size_t cap) {
  size_t len;
  fputs(question, stdout);
  fflush(stdout);
  if (fgets(line, (int)cap, stdin) == NULL) return 0;
  len = strcspn(line, "\r\n");
  if (line[len] == '\0' && !feof(stdin)) return 0;
  line[len] = '\0';
  return 1;
}

/* The message: headers from the answers, then standard input to its end. Its
 * line ends may be those of this system: what is sent has CRLF. Freed by the
 * caller; NULL when there is no memory or reading fails. */
static char* compose(const char* from, const char* to, size_t* len) {
  char part[4096];
  char* text = NULL;
  size_t n;
  FILE* all = open_memstream(&text, len);
  if (all == NULL) return NULL;
  fprintf(all, "From: %s\nTo: %s\n\n", from, to);
  while ((n = fread(part, 1, sizeof(part), stdin)) > 0) fwrite(part, 1, n, all);
  if ((fclose(all) != 0 || ferror(stdin)) && text != NULL) {
    free(text);
    text = NULL;
  }
  return text;
}

/* "a@b c@d, e@f": cuts the line up into recipients; how many. */
static size_t split(char* line, uvsmtp_rcpt_t* rcpts, size_t cap) {
  size_t n = 0;
  char* word = strtok(line, " \t,");
  for (; word != NULL && n < cap; word = strtok(NULL, " \t,")) {
    uvsmtp_rcpt_t rcpt = UVSMTP_RCPT_INIT(word);
    rcpts[n++] = rcpt;
  }
  return n;
}

/* begin: verdicts */
/* What a server says may hold anything, also what a terminal would obey. */
static void print_reply(const uvsmtp_reply_t* reply) {
  const char* p = uvsmtp_reply_text(reply, NULL);
  printf(": %d ", uvsmtp_reply_code(reply));
  for (; *p != '\0'; p++) putchar(*p >= ' ' && *p <= '~' ? *p : '?');
}

/* A verdict for each recipient. Status 0 means that somebody gets the message:
 * those who don't are to be looked for. */
static void on_sent(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                    void* data) {
  int* refused = data;
  size_t i;
  (void)session;
  for (i = 0; i < uvsmtp_result_rcpt_count(result); i++) {
    const uvsmtp_rcpt_result_t* rcpt = uvsmtp_result_rcpt(result, i);
    const uvsmtp_reply_t* reply = uvsmtp_rcpt_result_reply(rcpt);
    int outcome = uvsmtp_rcpt_result_outcome(rcpt);
    if (outcome != UVSMTP_OUTCOME_ACCEPTED) *refused = 1;
    printf("%s %s", uvsmtp_rcpt_result_address(rcpt),
           uvsmtp_outcome_name(outcome));
    if (reply != NULL)
      print_reply(reply);
    else
      printf(": %s", uvsmtp_strerror(uvsmtp_rcpt_result_status(rcpt)));
    putchar('\n');
  }
}
/* end */

/* Says why there is no session. What waits behind the connect completes with
 * an error too, and says that it was not sent. */
static void on_connected(uvsmtp_session_t* session,
                         const uvsmtp_result_t* result, void* data) {
  int status = uvsmtp_result_status(result);
  int cause = uvsmtp_result_cause(result);
  (void)session;
  (void)data;
  if (status == 0) return;
  fprintf(stderr, "%s%s%s\n", uvsmtp_strerror(status), cause != 0 ? ": " : "",
          cause != 0 ? uvsmtp_strerror(cause) : "");
}

/* Sends the message and runs the loop until all is over; an exit status. */
static int deliver(const uvsmtp_target_t* server,
                   const uvsmtp_message_t* message) {
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_printer_t printer;
  uvsmtp_session_t* session;
  uvsmtp_env_t* env;
  uv_loop_t loop;
  int refused = 0;
  int err;
  uvsmtp_printer_init(&printer, 0, NULL, NULL);
  config.target = server;
  config.trace = uvsmtp_printer_trace;
  config.trace_arg = &printer;
  if (uv_loop_init(&loop) != 0) return 71;
  err = uvsmtp_env_new(&env, &loop, NULL);
  if (err == 0) {
    err = uvsmtp_session_new(&session, env, &config);
    if (err == 0) {
      err = uvsmtp_connect(session, NULL, on_connected, NULL);
      if (err == 0) err = uvsmtp_send(session, message, on_sent, &refused);
      uvsmtp_session_end(session, NULL, NULL); /* QUIT, then close */
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    uvsmtp_env_close(env, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
  }
  uv_loop_close(&loop);
  if (err != 0) fprintf(stderr, "not sent: %s\n", uvsmtp_strerror(err));
  return err != 0 || refused ? 1 : 0;
}

int main(int argc, char** argv) {
  char from[LINE_CAP];
  char to[LINE_CAP];
  char names[LINE_CAP];
  uvsmtp_rcpt_t rcpts[RCPT_CAP];
  const uvsmtp_rcpt_t* list[RCPT_CAP];
  uvsmtp_target_t server = UVSMTP_TARGET_INIT;
  uvsmtp_message_t message = UVSMTP_MESSAGE_INIT;
  uvsmtp_memory_source_t body;
  char* text;
  size_t len;
  size_t i;
  int status;

  if (argc > 1) server.host = argv[1]; /* else localhost */
  if (argc > 2) server.port = atoi(argv[2]);
  if (!ask("From: ", from, sizeof(from)) || !ask("To: ", to, sizeof(to)))
    return 64;
  puts("Enter message, end with ^D:");
  text = compose(from, to, &len);
  if (text == NULL) {
    perror("the message");
    return 74;
  }
  printf("Message length is %zu\n", len);

  strcpy(names, to);
  message.from = from;
  message.rcpts = list;
  message.nrcpts = split(names, rcpts, RCPT_CAP);
  for (i = 0; i < message.nrcpts; i++) list[i] = &rcpts[i];
  uvsmtp_source_memory(&body, text, len);
  message.body = &body.source;
  status = deliver(&server, &message);
  free(text);
  return status;
}
