/* SPDX-License-Identifier: MIT */
/* lmtp.c: hands a message to a mailbox server such as Dovecot, over its Unix
 * socket:
 *
 *   lmtp SOCKET FROM TO... <MESSAGE
 *
 * Under LMTP (RFC 2033) every recipient has a verdict of its own at the end of
 * the message. Prints one line for each; the exit status is that of a delivery
 * program: 0 when all took it, 75 when somebody may take it later, else 69. */
#include <stdio.h>
#include <stdlib.h>
#include <uvsmtp.h>

enum { ALL_ACCEPTED = 0, REFUSED = 69, NO_MEMORY = 71, CALL_AGAIN = 75 };

/* The status that tells most: a mail system that sees CALL_AGAIN keeps the
 * message and calls again. */
static void note(int* status, int outcome) {
  switch (outcome) {
    case UVSMTP_OUTCOME_ACCEPTED:
      break;
    case UVSMTP_OUTCOME_REJECTED:
      if (*status == ALL_ACCEPTED) *status = REFUSED;
      break;
    default:
      /* Later, not tried at all, or unknown: for a mailbox a second copy is a
       * smaller evil than none. */
      *status = CALL_AGAIN;
  }
}

/* begin: by recipient */
/* Each recipient's own reply: of its RCPT if that was refused, else the one at
 * the end of the message. */
static void on_sent(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                    void* data) {
  size_t i;
  (void)session;
  for (i = 0; i < uvsmtp_result_rcpt_count(result); i++) {
    const uvsmtp_rcpt_result_t* rcpt = uvsmtp_result_rcpt(result, i);
    const uvsmtp_reply_t* reply = uvsmtp_rcpt_result_reply(rcpt);
    int outcome = uvsmtp_rcpt_result_outcome(rcpt);
    printf("%s: %s at %s, %d\n", uvsmtp_rcpt_result_address(rcpt),
           uvsmtp_outcome_name(outcome),
           uvsmtp_state_name(uvsmtp_rcpt_result_stage(rcpt)),
           reply != NULL ? uvsmtp_reply_code(reply) : 0);
    note(data, outcome);
  }
  if (uvsmtp_result_status(result) != 0) {
    fprintf(stderr, "%s (%s)\n", uvsmtp_strerror(uvsmtp_result_status(result)),
            uvsmtp_err_name(uvsmtp_result_cause(result)));
  }
}
/* end */

/* begin: from a file */
/* Standard input as the text of the message: a file, or a pipe whose end is not
 * known yet. The library reads it in the background, and frees the source once
 * the message is done with. */
static int send_input(uvsmtp_session_t* session, uvsmtp_message_t* message,
                      int* status) {
  uvsmtp_source_t* body;
  int err = uvsmtp_source_fd(&body, session, 0);
  if (err != 0) return err;
  message->body = body;
  err = uvsmtp_send(session, message, on_sent, status);
  if (err != 0) uvsmtp_source_discard(body); /* nobody took it */
  return err;
}
/* end */

/* Connects, sends and quits: all three are queued at once. A connect that fails
 * fails the message too, with the same status and cause. */
static int deliver(uvsmtp_session_t* session, const char* path,
                   uvsmtp_message_t* message, int* status) {
  uvsmtp_target_t server = UVSMTP_TARGET_INIT;
  int err;
  server.host = path; /* what begins with a slash is a Unix socket */
  err = uvsmtp_connect(session, &server, NULL, NULL);
  if (err == 0) err = send_input(session, message, status);
  uvsmtp_session_end(session, NULL, NULL);
  return err;
}

/* Recipients from the command line. The strings and structs need to live until
 * the call that sends the message returns, no longer. */
static const uvsmtp_rcpt_t** recipients(char** addresses, size_t n) {
  const uvsmtp_rcpt_t** list = calloc(n, sizeof(*list));
  uvsmtp_rcpt_t* rcpts = calloc(n, sizeof(*rcpts));
  size_t i;
  if (list == NULL || rcpts == NULL) {
    free(list);
    free(rcpts);
    return NULL;
  }
  for (i = 0; i < n; i++) {
    uvsmtp_rcpt_t rcpt = UVSMTP_RCPT_INIT(addresses[i]);
    rcpts[i] = rcpt;
    list[i] = &rcpts[i];
  }
  return list; /* list[0] is the block of all of them */
}

int main(int argc, char** argv) {
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_message_t message = UVSMTP_MESSAGE_INIT;
  const uvsmtp_rcpt_t** rcpts;
  uvsmtp_session_t* session;
  uvsmtp_env_t* env;
  uv_loop_t loop;
  int status = ALL_ACCEPTED;
  int err;

  if (argc < 4 || argv[1][0] != '/') {
    fputs("usage: lmtp SOCKET FROM TO... <MESSAGE\n", stderr);
    return 64;
  }
  message.nrcpts = (size_t)argc - 3;
  rcpts = recipients(argv + 3, message.nrcpts);
  if (rcpts == NULL || uv_loop_init(&loop) != 0) return NO_MEMORY;
  message.from = argv[2];
  message.rcpts = rcpts;
  config.flags = UVSMTP_SESSION_LMTP;
  err = uvsmtp_env_new(&env, &loop, NULL);
  if (err == 0) {
    err = uvsmtp_session_new(&session, env, &config);
    if (err == 0) err = deliver(session, argv[1], &message, &status);
    uv_run(&loop, UV_RUN_DEFAULT);
    uvsmtp_env_close(env, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
  }
  uv_loop_close(&loop);
  free((void*)rcpts[0]);
  free((void*)rcpts);
  if (err == 0) return status;
  fprintf(stderr, "not sent: %s\n", uvsmtp_strerror(err));
  return err == UV_ENOMEM ? NO_MEMORY : REFUSED;
}
