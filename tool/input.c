/* SPDX-License-Identifier: MIT */
/* input.c: where the message comes from, looked at before anything is
 * connected: a server that is kept waiting for a slow or missing message ends
 * the session, and one that can't be read is no reason to call. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

/* More than any server takes. */
enum { INPUT_MAX = 256 << 20 };

/* Reads all that comes, up to the end, and puts a NUL behind it. 0 or an errno.
 */
static int read_all(input_t* in, int fd, const sigset_t* mask) {
  size_t cap = 0;
  for (;;) {
    ssize_t n;
    int rc;
    if (in->len + 1 >= cap) {
      char* more;
      cap = cap == 0 ? 65536 : cap * 2;
      more = realloc(in->text, cap);
      if (more == NULL) return ENOMEM;
      in->text = more;
    }
    rc = signals_await(fd, mask);
    if (rc != 0) return rc;
    n = read(fd, in->text + in->len, cap - 1 - in->len);
    if (n == 0) break;
    if (n < 0 && errno != EINTR && errno != EAGAIN) return errno;
    if (n > 0) in->len += (size_t)n;
    if (in->len > INPUT_MAX) return EFBIG;
  }
  in->text[in->len] = '\0';
  return 0;
}

static int prepare_stdin(input_t* in, int whole) {
  signals_t held;
  struct stat st;
  int flags = fcntl(STDIN_FILENO, F_GETFL);
  int typing = isatty(STDIN_FILENO);
  int rc;
  if (flags < 0) return errno;
  if ((flags & O_ACCMODE) == O_WRONLY) return EBADF;
  if (fstat(STDIN_FILENO, &st) == 0 && S_ISDIR(st.st_mode)) return EISDIR;
  in->whole = whole || typing;
  signals_hold(&held, 0);
  if (typing)
    fputs("uvsmtp: type the message; Ctrl-D on a line of its own ends it\n",
          stderr);
  rc = in->whole ? read_all(in, STDIN_FILENO, &held.before)
                 : signals_await(STDIN_FILENO, &held.before);
  signals_release(&held);
  return rc;
}

/* As one that holds a secret, it may be a FIFO. */
static int read_file(input_t* in) {
  signals_t held;
  int rc;
  int fd = secret_open(in->path);
  if (fd < 0) return errno;
  signals_hold(&held, 0);
  rc = read_all(in, fd, &held.before);
  signals_release(&held);
  (void)close(fd);
  in->whole = 1;
  return rc;
}

int input_look(const char* path) {
  struct stat st;
  int fd;
  if (stat(path, &st) != 0) return errno;
  if (S_ISDIR(st.st_mode)) return EISDIR;
  if (!S_ISREG(st.st_mode)) return access(path, R_OK) == 0 ? 0 : errno;
  fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno;
  (void)close(fd);
  return 0;
}

int input_is_file(const char* file) {
  return file != NULL && strcmp(file, "-") != 0;
}

int input_prepare(input_t* in, const char* file, int whole, char* error,
                  size_t cap) {
  int rc;
  memset(in, 0, sizeof(*in));
  in->name = "standard input";
  if (input_is_file(file)) in->name = in->path = file;
  rc = in->path == NULL ? prepare_stdin(in, whole) : input_look(in->path);
  if (rc == 0 && whole && in->path != NULL) rc = read_file(in);
  if (rc == 0) return 0;
  snprintf(error, cap, "%.200s: %s", in->name,
           rc == EISDIR ? "it is a directory"
                        : uvsmtp_strerror(uv_translate_sys_error(rc)));
  return rc == ENOMEM ? EXIT_OS : EXIT_NO_INPUT;
}

void input_free(input_t* in) {
  free(in->text);
  in->text = NULL;
}
