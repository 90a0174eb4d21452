/* SPDX-License-Identifier: MIT */
/* threads.c: threads that have mail to send, and one loop that sends it:
 *
 *   threads HOST PORT FROM TO [THREADS [MESSAGES]]
 *
 * Nothing of uvsmtp may be called from another thread than the loop's. So a
 * thread puts a letter into a queue and wakes the loop by uv_async_send, the
 * one function of libuv that is safe from everywhere, and waits for the verdict
 * on a condition. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uvsmtp.h>

/* begin: letter */
/* A message on its way from a thread to the loop and back. */
typedef struct letter_s {
  struct letter_s* next;
  const char* from;
  const char* to;
  uvsmtp_memory_source_t body;
  int outcome; /* once it has one */
} letter_t;

/* What the threads and the loop share: all of it is guarded by the mutex, but
 * for the session, which only the loop's thread touches. */
typedef struct post_s {
  uv_async_t wake;
  uv_mutex_t mutex;
  uv_cond_t changed;
  letter_t* first;
  letter_t** last;
  int writers; /* threads that may still post something */
  uvsmtp_session_t* session;
} post_t;
/* end */

/* begin: thread side */
/* On any thread but the loop's: hands a letter over and waits until its outcome
 * is known. The letter may live on the caller's stack. */
static int post_and_wait(post_t* post, letter_t* letter) {
  letter->next = NULL;
  letter->outcome = UVSMTP_OUTCOME_NONE;
  uv_mutex_lock(&post->mutex);
  *post->last = letter;
  post->last = &letter->next;
  uv_async_send(&post->wake);
  while (letter->outcome == UVSMTP_OUTCOME_NONE)
    uv_cond_wait(&post->changed, &post->mutex);
  uv_mutex_unlock(&post->mutex);
  return letter->outcome;
}

/* On any thread: it will post nothing more. The loop may close the handle as
 * soon as it sees that, so the call that wakes it ends before the lock does. */
static void leave(post_t* post) {
  uv_mutex_lock(&post->mutex);
  post->writers--;
  uv_async_send(&post->wake);
  uv_mutex_unlock(&post->mutex);
}
/* end */

/* begin: loop side */
/* On the loop's thread: the verdict goes back to the thread that waits. */
static void settle(post_t* post, letter_t* letter, int outcome) {
  uv_mutex_lock(&post->mutex);
  letter->outcome = outcome;
  uv_cond_broadcast(&post->changed);
  uv_mutex_unlock(&post->mutex);
}

/* Runs for every letter that was taken, whatever happened to it. */
static void on_sent(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                    void* data) {
  settle(uvsmtp_session_data(session), data, uvsmtp_result_outcome(result));
}

/* Connects unless there is a connection, or one being made, and sends. A
 * server that has closed an idle connection is so called again. */
static int submit(post_t* post, letter_t* letter) {
  uvsmtp_rcpt_t to = UVSMTP_RCPT_INIT(letter->to);
  const uvsmtp_rcpt_t* rcpts[] = {&to};
  uvsmtp_message_t message = UVSMTP_MESSAGE_INIT;
  int err = uvsmtp_connect(post->session, NULL, NULL, NULL);
  if (err != 0 && err != UV_EISCONN && err != UV_EALREADY) return err;
  message.from = letter->from;
  message.rcpts = rcpts;
  message.nrcpts = 1;
  message.body = &letter->body.source;
  return uvsmtp_send(post->session, &message, on_sent, letter);
}

/* On the loop's thread, some time after one or many calls of uv_async_send:
 * takes all that has been posted. When nobody can post any more, QUIT. */
static void on_wake(uv_async_t* wake) {
  post_t* post = wake->data;
  letter_t* letter;
  int writers;
  uv_mutex_lock(&post->mutex);
  letter = post->first;
  post->first = NULL;
  post->last = &post->first;
  writers = post->writers;
  uv_mutex_unlock(&post->mutex);
  while (letter != NULL) {
    letter_t* next = letter->next; /* once settled, the letter is gone */
    if (submit(post, letter) != 0)
      settle(post, letter, UVSMTP_OUTCOME_NOT_ATTEMPTED);
    letter = next;
  }
  if (writers == 0 && !uv_is_closing((uv_handle_t*)wake)) {
    uvsmtp_session_end(post->session, NULL, NULL);
    uv_close((uv_handle_t*)wake, NULL);
  }
}
/* end */

/* ------------------------------------------------------------- the program */

typedef struct writer_s {
  uv_thread_t thread;
  post_t* post;
  const char* from;
  const char* to;
  int number;
  int messages;
  int accepted;
} writer_t;

/* A thread with something to tell. */
static void write_letters(void* arg) {
  writer_t* w = arg;
  int i;
  for (i = 0; i < w->messages; i++) {
    char text[100];
    letter_t letter;
    int len = snprintf(text, sizeof(text), "Subject: %d.%d\n\nHello.\n",
                       w->number, i);
    memset(&letter, 0, sizeof(letter));
    letter.from = w->from;
    letter.to = w->to;
    uvsmtp_source_memory(&letter.body, text, (size_t)len);
    if (post_and_wait(w->post, &letter) == UVSMTP_OUTCOME_ACCEPTED)
      w->accepted++;
  }
  leave(w->post);
}

/* Runs the loop while the threads write. The loop ends when the last of them
 * has left and the session is closed. */
static int run(uv_loop_t* loop, post_t* post, writer_t* writers, int n) {
  int started = 0;
  int i;
  post->writers = n;
  for (; started < n; started++) {
    writers[started].post = post;
    if (uv_thread_create(&writers[started].thread, write_letters,
                         &writers[started]) != 0)
      break;
  }
  for (i = started; i < n; i++) leave(post); /* who never came */
  uv_run(loop, UV_RUN_DEFAULT);
  for (i = 0; i < started; i++) uv_thread_join(&writers[i].thread);
  return started == n ? 0 : UV_EAGAIN;
}

/* Sets up what is shared, and takes it down in the reverse order. */
static int serve(uv_loop_t* loop, uvsmtp_env_t* env,
                 const uvsmtp_target_t* server, writer_t* writers, int n) {
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  post_t post;
  int err;
  memset(&post, 0, sizeof(post));
  post.last = &post.first;
  config.target = server;
  config.data = &post;
  err = uvsmtp_session_new(&post.session, env, &config);
  if (err != 0) return err;
  if (uv_mutex_init(&post.mutex) != 0 || uv_cond_init(&post.changed) != 0)
    abort();
  err = uv_async_init(loop, &post.wake, on_wake);
  if (err == 0) {
    post.wake.data = &post;
    err = run(loop, &post, writers, n);
  } else {
    uvsmtp_session_close(post.session, NULL, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
  }
  uv_cond_destroy(&post.changed);
  uv_mutex_destroy(&post.mutex);
  return err;
}

int main(int argc, char** argv) {
  int n = argc > 5 ? atoi(argv[5]) : 3;
  int messages = argc > 6 ? atoi(argv[6]) : 10;
  uvsmtp_target_t server = UVSMTP_TARGET_INIT;
  writer_t* writers;
  uvsmtp_env_t* env;
  uv_loop_t loop;
  int accepted = 0;
  int err;
  int i;

  if (argc < 5 || n < 1 || messages < 1) {
    fputs("usage: threads HOST PORT FROM TO [THREADS [MESSAGES]]\n", stderr);
    return 64;
  }
  server.host = argv[1];
  server.port = atoi(argv[2]);
  writers = calloc((size_t)n, sizeof(*writers));
  if (writers == NULL || uv_loop_init(&loop) != 0) return 71;
  for (i = 0; i < n; i++) {
    writers[i].from = argv[3];
    writers[i].to = argv[4];
    writers[i].number = i;
    writers[i].messages = messages;
  }
  err = uvsmtp_env_new(&env, &loop, NULL);
  if (err == 0) {
    err = serve(&loop, env, &server, writers, n);
    uvsmtp_env_close(env, NULL, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
  }
  uv_loop_close(&loop);
  for (i = 0; i < n; i++) accepted += writers[i].accepted;
  free(writers);
  if (err != 0) fprintf(stderr, "%s\n", uvsmtp_strerror(err));
  printf("%d of %d accepted\n", accepted, n * messages);
  return err == 0 && accepted == n * messages ? 0 : 1;
}
