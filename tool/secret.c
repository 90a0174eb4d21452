/* SPDX-License-Identifier: MIT */
/* secret.c: a password or a token, from a file, from a descriptor or typed.
 * Never by stdio, whose buffers nobody wipes. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "tool.h"

int secret_open(const char* path) {
  /* Nobody may have written to a FIFO yet: it is waited for below. */
  return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

int secret_load(int fd, char* to, size_t cap, size_t* len) {
  signals_t held;
  int rc = 0;
  *len = 0;
  signals_hold(&held, 0);
  for (;;) {
    ssize_t n;
    rc = signals_await(fd, &held.before);
    if (rc != 0) break;
    n = read(fd, to + *len, cap - *len);
    if (n == 0) break;
    if (n < 0 && errno != EINTR && errno != EAGAIN) rc = errno;
    if (n > 0) *len += (size_t)n;
    if (*len == cap) rc = EFBIG;
    if (rc != 0) break;
  }
  signals_release(&held);
  return rc;
}

/* What is wrong with what was read, for which *err may be an errno. */
static const char* judge(secret_t* s, int* err) {
  static const char too_long[] = "it is too long for a password or token";
  int longer = *err == EFBIG;
  if (longer) *err = 0;
  if (*err != 0) return uvsmtp_strerror(uv_translate_sys_error(*err));
  /* One line end at the end is that of the file. */
  if (s->len > 0 && s->text[s->len - 1] == '\n') s->len--;
  if (s->len > 0 && s->text[s->len - 1] == '\r') s->len--;
  if (longer || s->len > SECRET_MAX) return too_long;
  if (s->len == 0) return "it is empty";
  if (memchr(s->text, '\0', s->len) != NULL) return "there is a NUL in it";
  if (memchr(s->text, '\n', s->len) != NULL ||
      memchr(s->text, '\r', s->len) != NULL)
    return "there is more than one line in it";
  return NULL;
}

/* Both can't have what it brings. */
int secret_is_stdin(int fd) {
  struct stat st;
  struct stat in;
  return fstat(fd, &st) == 0 && fstat(STDIN_FILENO, &in) == 0 &&
         in.st_dev == st.st_dev && in.st_ino == st.st_ino;
}

const char* secret_read(secret_t* s, int fd, int stdin_taken, int* err) {
  struct stat st;
  *err = 0;
  if (fstat(fd, &st) != 0)
    *err = errno;
  else if (S_ISDIR(st.st_mode))
    return "it is a directory";
  else if (isatty(fd))
    return "it is a terminal, which would show it; left out, it is asked for";
  else if (stdin_taken && secret_is_stdin(fd))
    return "the message comes from standard input already";
  else
    *err = secret_load(fd, s->text, sizeof(s->text), &s->len);
  return judge(s, err);
}

void secret_wipe(secret_t* s) { explicit_bzero(s, sizeof(*s)); }

/* -------------------------------------------------------------- terminal */

static void say(int tty, const char* text, size_t len) {
  while (len > 0) {
    ssize_t n = write(tty, text, len);
    if (n < 0 && errno != EINTR) return;
    if (n <= 0) continue;
    text += n;
    len -= (size_t)n;
  }
}

static void ask(int tty, const char* user, const char* where) {
  const char* const parts[2] = {user, where};
  size_t i;
  say(tty, "Password for ", 13);
  for (i = 0; i < 2; i++) {
    const char* c;
    if (i == 1) say(tty, " at ", 4);
    for (c = parts[i]; *c != '\0'; c++)
      say(tty, (unsigned char)*c < 32 || *c == 0x7F ? "?" : c, 1);
  }
  say(tty, ": ", 2);
}

/* From the background this stops us until we are in the foreground. */
static int set(int tty, int when, const struct termios* to) {
  int rc;
  do rc = tcsetattr(tty, when, to);
  while (rc != 0 && errno == EINTR);
  return rc == 0 ? 0 : errno;
}

/* A line, without the line end. 0 or an errno. */
static int read_line(int tty, secret_t* s, const sigset_t* mask) {
  s->len = 0;
  for (;;) {
    ssize_t n;
    int rc = signals_await(tty, mask);
    if (rc != 0) return rc;
    if (s->len == sizeof(s->text)) return EFBIG;
    n = read(tty, s->text + s->len, sizeof(s->text) - s->len);
    if (n < 0 && errno != EINTR && errno != EAGAIN) return errno;
    if (n == 0) return 0;
    if (n > 0) s->len += (size_t)n;
    if (n > 0 && s->text[s->len - 1] == '\n') return 0;
  }
}

/* Asks once, with nothing shown of what is typed. 0 or an errno. */
static int ask_once(int tty, secret_t* s, const char* user, const char* where,
                    const sigset_t* mask) {
  struct termios shown;
  struct termios hidden;
  int rc;
  if (tcgetattr(tty, &shown) != 0) return errno;
  hidden = shown;
  hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
  hidden.c_lflag |= ICANON | ISIG;
  rc = set(tty, TCSAFLUSH, &hidden);
  if (rc != 0) return rc;
  ask(tty, user, where);
  rc = read_line(tty, s, mask);
  /* Half of a password is not for whoever reads the terminal next. What was
   * typed behind a whole one may be the message. */
  (void)set(tty, rc == 0 ? TCSANOW : TCSAFLUSH, &shown);
  say(tty, "\n", 1);
  return rc;
}

/* What was caught does to us what it would have done, now that the terminal is
 * as it was. */
static void suffer(int signum) {
  sigset_t set;
  sigemptyset(&set);
  (void)sigaddset(&set, signum);
  (void)signal(signum, SIG_DFL);
  (void)raise(signum);
  (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

const char* secret_ask(secret_t* s, const char* user, const char* where,
                       int* err) {
  int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  int signum;
  *err = tty < 0 ? errno : 0;
  if (tty < 0) return "no password, and there is no terminal to ask for it";
  do {
    signals_t held;
    signals_hold(&held, 1);
    *err = ask_once(tty, s, user, where, &held.before);
    signum = signals_caught();
    if (*err == EINTR || signum != 0) secret_wipe(s);
    if (*err == EINTR && !signals_stopped() && signum != SIGCONT)
      suffer(signum);
    signals_forget();
    signals_release(&held);
  } while (*err == EINTR && !signals_stopped());
  (void)close(tty);
  if (signals_stopped()) *err = EINTR;
  return judge(s, err);
}
