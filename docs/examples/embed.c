/* SPDX-License-Identifier: MIT */
/* embed.c: one message, from a program with a loop of its own:
 *
 *   embed HOST PORT FROM TO
 *
 * The README shows what stands between the two marks; a test compares them. */
/* begin */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uvsmtp.h>

static const char text[] = "Subject: hello\r\n\r\nSent with uvsmtp.\r\n";

static void on_sent(uvsmtp_session_t* s, const uvsmtp_result_t* r, void* data) {
  const uvsmtp_reply_t* reply = uvsmtp_result_reply(r);
  (void)s;
  *(int*)data = uvsmtp_result_status(r);
  printf("%s: %s\n", uvsmtp_outcome_name(uvsmtp_result_outcome(r)),
         reply != NULL ? uvsmtp_reply_text(reply, NULL)
                       : uvsmtp_strerror(uvsmtp_result_status(r)));
}

static void on_quit(uvsmtp_session_t* s, const uvsmtp_result_t* r, void* data) {
  (void)r;
  (void)data;
  uvsmtp_session_close(s, NULL, NULL); /* every session needs its close */
}

int main(int argc, char** argv) {
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  uvsmtp_rcpt_t to = UVSMTP_RCPT_INIT(argc == 5 ? argv[4] : NULL);
  const uvsmtp_rcpt_t* rcpts[] = {&to};
  uvsmtp_message_t message = UVSMTP_MESSAGE_INIT;
  uvsmtp_memory_source_t body;
  uvsmtp_session_t* session;
  uvsmtp_env_t* env;
  uv_loop_t loop;
  int status = 0;

  if (argc != 5) return 64;
  target.host = argv[1];
  target.port = atoi(argv[2]);
  uvsmtp_source_memory(&body, text, strlen(text));
  message.from = argv[3];
  message.rcpts = rcpts;
  message.nrcpts = 1;
  message.body = &body.source;

  if (uv_loop_init(&loop) != 0 || uvsmtp_env_new(&env, &loop, NULL) != 0 ||
      uvsmtp_session_new(&session, env, NULL) != 0)
    return 71;
  /* Three calls at once: they are queued, and complete in order. */
  if ((status = uvsmtp_connect(session, &target, NULL, NULL)) != 0 ||
      (status = uvsmtp_send(session, &message, on_sent, &status)) != 0 ||
      (status = uvsmtp_quit(session, on_quit, NULL)) != 0)
    uvsmtp_session_close(session, NULL, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  uvsmtp_env_close(env, NULL, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  uv_loop_close(&loop);
  return status == 0 ? 0 : 1;
}
/* end */
