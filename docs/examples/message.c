/* SPDX-License-Identifier: MIT */
/* message.c: a message from a file, to whom its header says:
 *
 *   message HOST PORT FILE [TO...]
 *
 * Where a TO is given, it goes to those instead. Bcc is not sent. */
#include <stdio.h>
#include <stdlib.h>
#include <uvsmtp.h>

enum { RCPT_CAP = 100 };

/* begin: on_sent */
/* A header that makes no envelope fails the message before anything is said of
 * it; the detail says why. */
static void on_sent(uvsmtp_session_t* s, const uvsmtp_result_t* r, void* data) {
  const char* sender = uvsmtp_result_sender(r);
  const char* detail = uvsmtp_result_detail(r);
  int cause = uvsmtp_result_cause(r);
  int status = uvsmtp_result_status(r);
  size_t i;
  (void)s;
  *(int*)data = status;
  if (status != 0) {
    fprintf(stderr, "%s\n",
            detail != NULL ? detail : uvsmtp_strerror(cause ? cause : status));
  }
  for (i = 0; i < uvsmtp_result_rcpt_count(r); i++) {
    const uvsmtp_rcpt_result_t* rcpt = uvsmtp_result_rcpt(r, i);
    printf("from %s to %s: %s\n", sender == NULL ? "nobody" : sender,
           uvsmtp_rcpt_result_address(rcpt),
           uvsmtp_outcome_name(uvsmtp_rcpt_result_outcome(rcpt)));
  }
}
/* end */

/* begin: send */
/* from and, unless there are some, rcpts are the header's. */
static int send_file(uvsmtp_session_t* session, const char* path,
                     const uvsmtp_rcpt_t* const* rcpts, size_t n, int* status) {
  uvsmtp_message_t message = UVSMTP_MESSAGE_INIT;
  int err = uvsmtp_source_path(&message.body, session, path);
  if (err != 0) return err;
  message.rcpts = n > 0 ? rcpts : NULL;
  message.nrcpts = n;
  err = uvsmtp_send_message(session, &message, on_sent, status);
  if (err != 0) uvsmtp_source_discard(message.body);
  return err;
}
/* end */

int main(int argc, char** argv) {
  uvsmtp_target_t server = UVSMTP_TARGET_INIT;
  uvsmtp_rcpt_t rcpts[RCPT_CAP];
  const uvsmtp_rcpt_t* list[RCPT_CAP];
  uvsmtp_session_t* session = NULL;
  uvsmtp_env_t* env;
  uv_loop_t loop;
  int status = 0;
  int err;
  int i;

  if (argc < 4 || argc - 4 > RCPT_CAP) {
    fputs("usage: message HOST PORT FILE [TO...]\n", stderr);
    return 64;
  }
  for (i = 4; i < argc; i++) {
    uvsmtp_rcpt_t rcpt = UVSMTP_RCPT_INIT(argv[i]);
    rcpts[i - 4] = rcpt;
    list[i - 4] = &rcpts[i - 4];
  }
  server.host = argv[1];
  server.port = atoi(argv[2]);

  if (uv_loop_init(&loop) != 0 || uvsmtp_env_new(&env, &loop, NULL) != 0)
    return 71;
  err = uvsmtp_session_new(&session, env, NULL);
  if (err == 0) err = uvsmtp_connect(session, &server, NULL, NULL);
  if (err == 0)
    err = send_file(session, argv[3], list, (size_t)argc - 4, &status);
  if (err != 0) fprintf(stderr, "%s\n", uvsmtp_strerror(err));
  if (session != NULL) uvsmtp_session_end(session, NULL, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  uvsmtp_env_close(env, NULL, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  uv_loop_close(&loop);
  return err == 0 && status == 0 ? 0 : 1;
}
