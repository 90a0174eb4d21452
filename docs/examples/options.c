/* SPDX-License-Identifier: MIT */
/* options.c: what a server offers, and parameters that need it:
 *
 *   options HOST PORT FROM TO...
 *
 * Lists the extensions. Where DSN (RFC 3461) is among them, a report is asked
 * for about the first recipient, whatever becomes of the mail, and none about
 * the others; elsewhere the message goes without. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uvsmtp.h>

enum { RCPT_CAP = 100 };

typedef struct job_s {
  const char* from;
  char** to;
  size_t n;
  uvsmtp_memory_source_t body;
  int failed;
} job_t;

static const char text[] = "Subject: options\r\n\r\nSent with uvsmtp.\r\n";

/* begin: extensions */
/* Everything in the reply to EHLO, in its order. The slices are not terminated,
 * and a keyword without parameters has an empty one. */
static void print_extensions(const uvsmtp_session_t* session) {
  uvsmtp_slice_t keyword;
  uvsmtp_slice_t params;
  size_t cursor = 0;
  while (uvsmtp_session_next_extn(session, &cursor, &keyword, &params)) {
    printf("offered: %.*s %.*s\n", (int)keyword.len, (const char*)keyword.base,
           (int)params.len, (const char*)params.base);
  }
}

/* The longest message the server takes (RFC 1870), 0 when there is no limit or
 * it does not say. */
static unsigned long long size_limit(const uvsmtp_session_t* session) {
  const char* size = uvsmtp_session_extn(session, "SIZE");
  return size == NULL ? 0 : strtoull(size, NULL, 10);
}
/* end */

/* The verdicts. What became of the parameters shows in reports, by mail. */
static void on_sent(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                    void* data) {
  job_t* job = data;
  size_t i;
  (void)session;
  if (uvsmtp_result_omitted(result) & UVSMTP_OMITTED_DSN)
    puts("no reports: the server does not offer DSN");
  for (i = 0; i < uvsmtp_result_rcpt_count(result); i++) {
    const uvsmtp_rcpt_result_t* rcpt = uvsmtp_result_rcpt(result, i);
    printf("%s: %s\n", uvsmtp_rcpt_result_address(rcpt),
           uvsmtp_outcome_name(uvsmtp_rcpt_result_outcome(rcpt)));
    if (uvsmtp_rcpt_result_outcome(rcpt) != UVSMTP_OUTCOME_ACCEPTED)
      job->failed = 1;
  }
}

/* begin: options */
/* Strings are given as people write them, and encoded by the library; neither
 * they nor the structs need live longer than the call. Without OPTIONAL a
 * server that does not offer DSN would not get the message. */
static int send_with_params(uvsmtp_session_t* session, job_t* job) {
  uvsmtp_mail_params_t params = UVSMTP_MAIL_PARAMS_INIT;
  uvsmtp_message_t message = UVSMTP_MESSAGE_INIT;
  uvsmtp_rcpt_t rcpts[RCPT_CAP];
  const uvsmtp_rcpt_t* list[RCPT_CAP];
  size_t i;

  for (i = 0; i < job->n; i++) {
    uvsmtp_rcpt_t rcpt = UVSMTP_RCPT_INIT(job->to[i]);
    if (i == 0) {
      rcpt.notify = UVSMTP_DSN_SUCCESS | UVSMTP_DSN_FAILURE | UVSMTP_DSN_DELAY;
      rcpt.orcpt = job->to[i];
    }
    rcpts[i] = rcpt;
    list[i] = &rcpts[i];
  }
  params.flags = UVSMTP_MAIL_OPTIONAL;
  params.ret = UVSMTP_DSN_RET_HDRS;
  params.notify = UVSMTP_DSN_NEVER; /* for those without their own */
  message.params = &params;
  message.from = job->from;
  message.rcpts = list;
  message.nrcpts = job->n;
  uvsmtp_source_memory(&job->body, text, strlen(text));
  message.body = &job->body.source;
  return uvsmtp_send(session, &message, on_sent, job);
}
/* end */

/* The server has introduced itself: now its extensions are known. */
static void on_hello(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                     void* data) {
  job_t* job = data;
  int err = uvsmtp_result_status(result);
  int cause = uvsmtp_result_cause(result);
  if (err == 0) {
    if (!uvsmtp_session_does_esmtp(session)) puts("no extensions: plain SMTP");
    print_extensions(session);
    if (size_limit(session) > 0)
      printf("largest message: %llu\n", size_limit(session));
    err = send_with_params(session, job);
  }
  if (err != 0) {
    fprintf(stderr, "not sent: %s%s%s\n", uvsmtp_strerror(err),
            cause != 0 ? ": " : "", cause != 0 ? uvsmtp_strerror(cause) : "");
    job->failed = 1;
  }
  uvsmtp_session_end(session, NULL, NULL);
}

/* The extensions are shown first, so the message is sent from EHLO's
 * completion. Otherwise it could be queued at once, as elsewhere: its
 * parameters are looked at in its turn. */
static int start(uvsmtp_env_t* env, const uvsmtp_target_t* server, job_t* job) {
  uvsmtp_session_t* session;
  int err = uvsmtp_session_new(&session, env, NULL);
  if (err != 0) return err;
  err = uvsmtp_connect(session, server, NULL, NULL);
  if (err == 0) err = uvsmtp_hello(session, on_hello, job);
  if (err != 0) uvsmtp_session_close(session, NULL, NULL);
  return err;
}

int main(int argc, char** argv) {
  uvsmtp_target_t server = UVSMTP_TARGET_INIT;
  uvsmtp_env_t* env;
  uv_loop_t loop;
  job_t job;
  int err;

  if (argc < 5 || argc - 4 > RCPT_CAP) {
    fputs("usage: options HOST PORT FROM TO...\n", stderr);
    return 64;
  }
  memset(&job, 0, sizeof(job));
  server.host = argv[1];
  server.port = atoi(argv[2]);
  job.from = argv[3];
  job.to = argv + 4;
  job.n = (size_t)argc - 4;
  if (uv_loop_init(&loop) != 0) return 71;
  err = uvsmtp_env_new(&env, &loop, NULL);
  if (err == 0) {
    err = start(env, &server, &job);
    uv_run(&loop, UV_RUN_DEFAULT);
    uvsmtp_env_close(env, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
  }
  uv_loop_close(&loop);
  if (err != 0) fprintf(stderr, "%s\n", uvsmtp_strerror(err));
  return err != 0 || job.failed ? 1 : 0;
}
