/* SPDX-License-Identifier: MIT */
/* tls.c: a message within TLS, to a server that an authority of one's own has
 * vouched for:
 *
 *   tls CA-FILE HOST PORT FROM TO [PIN]
 *
 * Port 465 is TLS from the first octet, any other one STARTTLS or nothing. With
 * a PIN ("sha256//" and Base64) the server's own certificate has to have this
 * key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uvsmtp.h>

static const char text[] = "Subject: hello\r\n\r\nSent with uvsmtp.\r\n";

/* begin: hook */
/* Called in each full handshake, when the library has made up its mind. What a
 * protocol of your own (DANE, MTA-STS) says about the server is checked here.
 * An error refuses the server; OWN lets the library's verdict stand. Only the
 * first certificate is proven to be the server's: it may send anybody's behind
 * it. */
static int on_chain(void* arg, const uvsmtp_tls_chain_t* chain) {
  const char* wanted = arg;
  char pin[80];
  uvsmtp_slice_t own = uvsmtp_tls_chain_certificate(chain, 0);
  if (uvsmtp_tls_certificate_pin(own, 1, pin, sizeof(pin)) == 0 &&
      strcmp(pin, wanted) == 0)
    return UVSMTP_TLS_VERDICT_OWN;
  return UV_EACCES;
}
/* end */

/* begin: settings */
/* Made once, when the program begins, and shared by all sessions of the loop:
 * they hold the trusted certificates and the sessions that can be resumed. */
static uvsmtp_tls_t* make_settings(const char* ca_file, char* pin) {
  uvsmtp_tls_config_t config = UVSMTP_TLS_CONFIG_INIT;
  uvsmtp_tls_t* tls;
  const char* reason = NULL;
  int err;
  config.ca_file = ca_file;
  if (pin != NULL) {
    config.verify = on_chain;
    config.verify_arg = pin;
  }
  err = uvsmtp_tls_new(&tls, &config, &reason);
  if (err == 0) return tls;
  fprintf(stderr, "%s: %s\n", ca_file,
          reason != NULL ? reason : uvsmtp_strerror(err));
  return NULL;
}
/* end */

/* begin: facts */
/* What came of it: there is something to tell also when the handshake has
 * failed. NULL: there was none. */
static void print_tls(const uvsmtp_tls_info_t* info) {
  if (info == NULL) {
    puts("TLS: none");
  } else if (!uvsmtp_tls_info_established(info)) {
    printf("TLS failed: %s\n", uvsmtp_tls_info_error_text(info));
  } else {
    printf("TLS: %s, %s%s\n", uvsmtp_tls_info_version_name(info),
           uvsmtp_tls_info_cipher(info),
           uvsmtp_tls_info_resumed(info) ? ", resumed" : "");
    if (uvsmtp_tls_info_verified(info))
      printf("it is %s\n", uvsmtp_tls_info_name(info));
  }
}

/* UVSMTP_ETLS: STARTTLS was not to be had (the stage says so), or the handshake
 * has failed. Nothing was sent. */
static void on_sent(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                    void* data) {
  int status = uvsmtp_result_status(result);
  print_tls(uvsmtp_session_tls(session));
  printf("%s: %s (%s)\n", uvsmtp_outcome_name(uvsmtp_result_outcome(result)),
         uvsmtp_strerror(status),
         uvsmtp_state_name(uvsmtp_result_stage(result)));
  *(int*)data = status;
}
/* end */

/* begin: target */
/* The policy belongs to the target. REQUIRED: no word of the message, and no
 * password, before the server has proven who it is. */
static int deliver(uvsmtp_env_t* env, uvsmtp_target_t* server,
                   const uvsmtp_message_t* message, int* status) {
  uvsmtp_session_t* session;
  int err = uvsmtp_session_new(&session, env, NULL);
  if (err != 0) return err;
  server->tls = server->port == UVSMTP_PORT_SMTPS ? UVSMTP_TLS_IMPLICIT
                                                  : UVSMTP_TLS_REQUIRED;
  err = uvsmtp_connect(session, server, NULL, NULL);
  if (err == 0) err = uvsmtp_send(session, message, on_sent, status);
  uvsmtp_session_end(session, NULL, NULL);
  return err;
}
/* end */

int main(int argc, char** argv) {
  uvsmtp_env_config_t config = UVSMTP_ENV_CONFIG_INIT;
  uvsmtp_target_t server = UVSMTP_TARGET_INIT;
  uvsmtp_message_t message = UVSMTP_MESSAGE_INIT;
  uvsmtp_rcpt_t to = UVSMTP_RCPT_INIT(argc > 5 ? argv[5] : "");
  const uvsmtp_rcpt_t* rcpts[] = {&to};
  uvsmtp_memory_source_t body;
  uvsmtp_env_t* env;
  uv_loop_t loop;
  int status = 0;
  int err;

  if (argc < 6 || argc > 7) {
    fputs("usage: tls CA-FILE HOST PORT FROM TO [PIN]\n", stderr);
    return 64;
  }
  config.tls = make_settings(argv[1], argc > 6 ? argv[6] : NULL);
  if (config.tls == NULL) return 66;
  server.host = argv[2];
  server.port = atoi(argv[3]);
  uvsmtp_source_memory(&body, text, strlen(text));
  message.from = argv[4];
  message.rcpts = rcpts;
  message.nrcpts = 1;
  message.body = &body.source;

  if (uv_loop_init(&loop) != 0) return 71;
  err = uvsmtp_env_new(&env, &loop, &config);
  uvsmtp_tls_unref(config.tls); /* the environment counts as one who uses it */
  if (err == 0) {
    err = deliver(env, &server, &message, &status);
    uv_run(&loop, UV_RUN_DEFAULT);
    uvsmtp_env_close(env, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
  }
  uv_loop_close(&loop);
  if (err != 0) fprintf(stderr, "%s\n", uvsmtp_strerror(err));
  return err == 0 && status == 0 ? 0 : 1;
}
