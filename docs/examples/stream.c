/* SPDX-License-Identifier: MIT */
/* stream.c: runs a command and mails what it prints, while it prints it:
 *
 *   stream HOST PORT FROM TO COMMAND [ARGUMENT]...
 *
 * The text of the message is not there when the message is sent, and is never
 * in memory as a whole. If the command fails nothing is delivered: half a
 * message must not look like a whole one. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uvsmtp.h>

enum { OUTPUT_CAP = 65536, CHUNK = 16384, MESSAGE_MS = 600000 };

/* What the command has printed and nobody has sent yet. */
typedef struct output_s {
  uv_process_t process;
  uv_pipe_t pipe;
  char octets[OUTPUT_CAP];
  size_t len;
  int ended;  /* the pipe has, */
  int exited; /* and the command has */
  int error;  /* 0, or why the message must fail */
  uvsmtp_session_t* session;
  uvsmtp_callback_source_t body;
  char chunk[CHUNK];
  int failed;
} output_t;

static void give_room(uv_handle_t* handle, size_t size, uv_buf_t* buf);
static void on_read(uv_stream_t* stream, ssize_t n, const uv_buf_t* buf);

/* begin: source */
/* The library asks for octets, here while it writes to the server. There are
 * some, or none yet (WAIT), or no more, or the text is spoilt (an error). */
static int read_output(void* arg, void* buf, size_t cap, size_t* n) {
  output_t* o = arg;
  if (o->len > 0) {
    *n = o->len < cap ? o->len : cap;
    memcpy(buf, o->octets, *n);
    memmove(o->octets, o->octets + *n, o->len -= *n);
    if (!o->ended) /* it was stopped if there had been no room */
      (void)uv_read_start((uv_stream_t*)&o->pipe, give_room, on_read);
    return UVSMTP_SOURCE_MORE;
  }
  if (o->error != 0) return o->error;
  return o->ended && o->exited ? UVSMTP_SOURCE_EOF : UVSMTP_SOURCE_WAIT;
}

/* The command has printed something: whoever waits for it may ask again. When
 * the buffer is full, reading stops, and with it, some time later, the command:
 * a slow server slows it down. */
static void on_read(uv_stream_t* stream, ssize_t n, const uv_buf_t* buf) {
  output_t* o = stream->data;
  (void)buf;
  if (n > 0) o->len += (size_t)n;
  if (o->len == OUTPUT_CAP) uv_read_stop(stream);
  if (n < 0) {
    o->ended = 1;
    if (n != UV_EOF) o->error = (int)n;
    uv_close((uv_handle_t*)stream, NULL);
  }
  if (o->session != NULL) uvsmtp_session_resume(o->session);
}
/* end */

/* Never asked with a full buffer: reading has been stopped then. */
static void give_room(uv_handle_t* handle, size_t size, uv_buf_t* buf) {
  output_t* o = handle->data;
  (void)size;
  *buf = uv_buf_init(o->octets + o->len, (unsigned int)(OUTPUT_CAP - o->len));
}

/* The end of the output alone does not tell whether it is all of it. */
static void on_exit_status(uv_process_t* process, int64_t status, int number) {
  output_t* o = process->data;
  o->exited = 1;
  if (status != 0 || number != 0) o->error = UV_EIO;
  uv_close((uv_handle_t*)process, NULL);
  if (o->session != NULL) uvsmtp_session_resume(o->session);
}

/* begin: progress */
/* Also called from within the library's work: only to show something. */
static void on_progress(void* arg, uint64_t sent, int64_t total) {
  (void)arg;
  if (total >= 0)
    fprintf(stderr, "%llu of %lld octets\n", (unsigned long long)sent,
            (long long)total);
  else
    fprintf(stderr, "%llu octets\n", (unsigned long long)sent);
}
/* end */

/* The message has its verdict. If that came before the end of the output,
 * nobody reads what the command has still to say. */
static void on_sent(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                    void* data) {
  output_t* o = data;
  int cause = uvsmtp_result_cause(result);
  int status = uvsmtp_result_status(result);
  o->failed = status != 0;
  o->session = NULL;
  printf("%s: %s%s%s\n", uvsmtp_outcome_name(uvsmtp_result_outcome(result)),
         uvsmtp_strerror(status), cause != 0 ? ": " : "",
         cause != 0 ? uvsmtp_strerror(cause) : "");
  if (!o->ended) {
    o->ended = 1;
    uv_close((uv_handle_t*)&o->pipe, NULL);
  }
  if (!o->exited) uv_process_kill(&o->process, SIGKILL);
  uvsmtp_session_end(session, NULL, NULL);
}

/* Starts the command with its output in our pipe. */
static int spawn(uv_loop_t* loop, output_t* o, char** argv) {
  uv_process_options_t options;
  uv_stdio_container_t stdio[3];
  int err;
  memset(&options, 0, sizeof(options));
  memset(stdio, 0, sizeof(stdio));
  uv_pipe_init(loop, &o->pipe, 0);
  o->pipe.data = o->process.data = o;
  stdio[0].flags = UV_IGNORE;
  stdio[1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
  stdio[1].data.stream = (uv_stream_t*)&o->pipe;
  stdio[2].flags = UV_INHERIT_FD;
  stdio[2].data.fd = 2;
  options.file = argv[0];
  options.args = argv;
  options.stdio = stdio;
  options.stdio_count = 3;
  options.exit_cb = on_exit_status;
  err = uv_spawn(loop, &o->process, &options);
  if (err == 0)
    err = uv_read_start((uv_stream_t*)&o->pipe, give_room, on_read);
  else
    uv_close((uv_handle_t*)&o->process, NULL);
  if (err != 0) uv_close((uv_handle_t*)&o->pipe, NULL);
  return err;
}

/* begin: send */
/* A text of unknown length (-1), ten minutes for all of it, and a word about
 * how far it is. */
static int send_output(output_t* o, const char* from, const char* to) {
  uvsmtp_message_t message = UVSMTP_MESSAGE_INIT;
  uvsmtp_rcpt_t rcpt = UVSMTP_RCPT_INIT(to);
  const uvsmtp_rcpt_t* rcpts[] = {&rcpt};
  uvsmtp_source_callback(&o->body, read_output, o, o->chunk, sizeof(o->chunk),
                         -1);
  message.from = from;
  message.rcpts = rcpts;
  message.nrcpts = 1;
  message.body = &o->body.source;
  message.timeout = MESSAGE_MS;
  message.progress = on_progress;
  return uvsmtp_send(o->session, &message, on_sent, o);
}
/* end */

/* The command is started last: from then on something is to be waited for. */
static int start(uvsmtp_env_t* env, output_t* o, char** argv) {
  uvsmtp_target_t server = UVSMTP_TARGET_INIT;
  int err = uvsmtp_session_new(&o->session, env, NULL);
  if (err != 0) return err;
  server.host = argv[1];
  server.port = atoi(argv[2]);
  /* Its header comes first, as if the command had printed it. */
  o->len = (size_t)snprintf(o->octets, 1000, "Subject: output of %.900s\n\n",
                            argv[5]);
  err = uvsmtp_connect(o->session, &server, NULL, NULL);
  if (err == 0) err = spawn(uvsmtp_env_loop(env), o, argv + 5);
  if (err == 0) {
    err = send_output(o, argv[3], argv[4]);
    if (err != 0) {
      o->ended = 1;
      uv_close((uv_handle_t*)&o->pipe, NULL);
      uv_process_kill(&o->process, SIGKILL);
    }
  }
  if (err != 0) {
    uvsmtp_session_close(o->session, NULL, NULL);
    o->session = NULL;
  }
  return err;
}

int main(int argc, char** argv) {
  output_t* o;
  uvsmtp_env_t* env;
  uv_loop_t loop;
  int failed;
  int err;

  if (argc < 6 || strpbrk(argv[5], "\r\n") != NULL) {
    fputs("usage: stream HOST PORT FROM TO COMMAND [ARGUMENT]...\n", stderr);
    return 64;
  }
  o = calloc(1, sizeof(*o));
  if (o == NULL || uv_loop_init(&loop) != 0) return 71;
  err = uvsmtp_env_new(&env, &loop, NULL);
  if (err == 0) {
    err = start(env, o, argv);
    uv_run(&loop, UV_RUN_DEFAULT);
    uvsmtp_env_close(env, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
  }
  uv_loop_close(&loop);
  if (err != 0) fprintf(stderr, "%s\n", uvsmtp_strerror(err));
  failed = err != 0 || o->failed;
  free(o);
  return failed;
}
