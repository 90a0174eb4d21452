/* SPDX-License-Identifier: MIT */
/* letter.c: a notice that a program sends, with nothing but this library:
 *
 *   letter HOST PORT FROM TO SUBJECT < TEXT
 *
 * FROM and TO are written as in a message: "Zoe <zoe@a.example>", and several,
 * separated by commas. All is UTF-8. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uvsmtp.h>

enum { TEXT_CAP = 64 * 1024 };

typedef struct letter_s {
  char* message;
  uvsmtp_memory_source_t body; /* over it */
  int status;
} letter_t;

/* begin: compose */
/* The message in memory of its own, or NULL. The first call says how much it
 * takes. */
static char* compose(const uvsmtp_draft_t* draft, size_t* len, int* err) {
  char* message;
  *err = uvsmtp_compose(draft, NULL, 0, len);
  if (*err != UV_ENOBUFS) return NULL;
  message = malloc(*len);
  *err =
      message == NULL ? UV_ENOMEM : uvsmtp_compose(draft, message, *len, len);
  if (*err == 0) return message;
  free(message);
  return NULL;
}
/* end */

/* The verdict on each recipient. */
static void on_sent(uvsmtp_session_t* s, const uvsmtp_result_t* r, void* data) {
  letter_t* letter = data;
  size_t i;
  (void)s;
  letter->status = uvsmtp_result_status(r);
  if (letter->status != 0)
    fprintf(stderr, "%s\n", uvsmtp_strerror(letter->status));
  for (i = 0; i < uvsmtp_result_rcpt_count(r); i++) {
    const uvsmtp_rcpt_result_t* rcpt = uvsmtp_result_rcpt(r, i);
    printf("%s: %s\n", uvsmtp_rcpt_result_address(rcpt),
           uvsmtp_outcome_name(uvsmtp_rcpt_result_outcome(rcpt)));
  }
}

/* begin: send */
/* Who sends it and who gets it says its own header. */
static int send_letter(uvsmtp_session_t* session, const uvsmtp_draft_t* draft,
                       letter_t* letter) {
  uvsmtp_message_t message = UVSMTP_MESSAGE_INIT;
  size_t len;
  int err;
  letter->message = compose(draft, &len, &err);
  if (letter->message == NULL) return err;
  uvsmtp_source_memory(&letter->body, letter->message, len);
  message.body = &letter->body.source;
  return uvsmtp_send_message(session, &message, on_sent, letter);
}
/* end */

static int deliver(uvsmtp_env_t* env, const uvsmtp_target_t* server,
                   const uvsmtp_draft_t* draft, letter_t* letter) {
  uvsmtp_session_t* session;
  int err = uvsmtp_session_new(&session, env, NULL);
  if (err != 0) return err;
  err = uvsmtp_connect(session, server, NULL, NULL);
  if (err == 0) err = send_letter(session, draft, letter);
  if (err == 0)
    uvsmtp_session_end(session, NULL, NULL);
  else
    uvsmtp_session_close(session, NULL, NULL);
  return err;
}

int main(int argc, char** argv) {
  static char text[TEXT_CAP + 1];
  uvsmtp_target_t server = UVSMTP_TARGET_INIT;
  uvsmtp_draft_t draft = UVSMTP_DRAFT_INIT;
  letter_t letter = {0};
  uvsmtp_env_t* env;
  uv_loop_t loop;
  size_t n;
  int err;

  if (argc != 6) {
    fputs("usage: letter HOST PORT FROM TO SUBJECT < TEXT\n", stderr);
    return 64;
  }
  n = fread(text, 1, TEXT_CAP, stdin);
  if (n == TEXT_CAP || strlen(text) != n) {
    fputs("this is too much, or no text\n", stderr);
    return 65;
  }
  server.host = argv[1];
  server.port = atoi(argv[2]);
  draft.from = argv[3];
  draft.to = argv[4];
  draft.subject = argv[5];
  draft.text = text;

  if (uv_loop_init(&loop) != 0 || uvsmtp_env_new(&env, &loop, NULL) != 0)
    return 71;
  err = deliver(env, &server, &draft, &letter);
  if (err != 0) fprintf(stderr, "%s\n", uvsmtp_strerror(err));
  uv_run(&loop, UV_RUN_DEFAULT);
  uvsmtp_env_close(env, NULL, NULL);
  uv_run(&loop, UV_RUN_DEFAULT);
  uv_loop_close(&loop);
  free(letter.message);
  return err == 0 && letter.status == 0 ? 0 : 1;
}
