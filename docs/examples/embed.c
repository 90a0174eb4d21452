/* SPDX-License-Identifier: MIT */
/* embed.c: one message, from a program with a loop of its own:
 *
 *   embed HOST PORT FROM TO
 *
 * The README shows what stands between the two marks; a test compares them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uvsmtp.h>

/* begin: all */
/* The verdict: what became of the message, and why. */
static void on_sent(uvsmtp_session_t* s, const uvsmtp_result_t* r, void* data) {
  int status = uvsmtp_result_status(r);
  int cause = uvsmtp_result_cause(r);
  printf("%s: %s\n", uvsmtp_outcome_name(uvsmtp_result_outcome(r)),
         uvsmtp_strerror(cause != 0 ? cause : status));
  *(int*)data = status;
}

/* Three calls at once: they are queued, and complete in order. */
static int deliver(uvsmtp_env_t* env, const uvsmtp_target_t* server,
                   const uvsmtp_message_t* message, int* status) {
  uvsmtp_session_t* session;
  int err = uvsmtp_session_new(&session, env, NULL);
  if (err != 0) return err;
  err = uvsmtp_connect(session, server, NULL, NULL);
  if (err == 0) err = uvsmtp_send(session, message, on_sent, status);
  uvsmtp_session_end(session, NULL, NULL); /* QUIT, and the session's end */
  return err;
}
/* end */

int main(int argc, char** argv) {
  static const char text[] = "Subject: hello\r\n\r\nSent with uvsmtp.\r\n";
  uvsmtp_target_t server = UVSMTP_TARGET_INIT;
  uvsmtp_rcpt_t to = UVSMTP_RCPT_INIT(argc == 5 ? argv[4] : NULL);
  const uvsmtp_rcpt_t* rcpts[] = {&to};
  uvsmtp_message_t message = UVSMTP_MESSAGE_INIT;
  uvsmtp_memory_source_t body;
  uvsmtp_env_t* env;
  uv_loop_t loop;
  int status = 0;
  int err;

  if (argc != 5) {
    fprintf(stderr, "usage: embed HOST PORT FROM TO\n");
    return 64;
  }
  server.host = argv[1];
  server.port = atoi(argv[2]);
  uvsmtp_source_memory(&body, text, strlen(text));
  message.from = argv[3];
  message.rcpts = rcpts;
  message.nrcpts = 1;
  message.body = &body.source;

  if (uv_loop_init(&loop) != 0 || uvsmtp_env_new(&env, &loop, NULL) != 0)
    return 71;
  err = deliver(env, &server, &message, &status);
  if (err != 0) fprintf(stderr, "%s\n", uvsmtp_strerror(err));
  uv_run(&loop, UV_RUN_DEFAULT);
  uvsmtp_env_close(env, NULL, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  uv_loop_close(&loop);
  return err == 0 && status == 0 ? 0 : 1;
}
