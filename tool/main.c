/* SPDX-License-Identifier: MIT */
/* main.c: the command line, uvsmtp. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static void usage(FILE* to) {
  fputs(
      "usage: uvsmtp send [options] [FILE]   send a message by SMTP or LMTP\n"
      "       sendmail [options] [ADDR]...   the same for other programs\n"
      "       uvsmtp probe [options] URL     show what a server offers\n"
      "       uvsmtp send --help, uvsmtp probe --help\n"
      "       uvsmtp --version\n",
      to);
}

/* What is opened next would take the number of a standard stream that was
 * closed: a report would then go to the server, and libuv aborts on such a
 * number of its own. So /dev/null takes it, opened the wrong way round: reading
 * and writing are to fail as they would have. */
static int fill_streams(void) {
  int fd;
  for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
      return -1;
  }
  return 0;
}

int finish(int status, int settled) {
  errno = 0;
  if (fflush(stdout) == 0 && !ferror(stdout)) return status;
  fprintf(stderr, "uvsmtp: standard output: %s\n",
          strerror(errno != 0 ? errno : EIO));
  return settled ? status : EXIT_IO;
}

/* The last part of the path that we were called by. */
static int is_called(const char* name, const char* path) {
  const char* slash = strrchr(path, '/');
  return strcmp(slash != NULL ? slash + 1 : path, name) == 0;
}

int main(int argc, char** argv) {
  if (fill_streams() != 0) return EXIT_OS;
  /* A reader of ours that has gone must not keep the message from being sent,
   * nor its verdict from being told. */
  (void)signal(SIGPIPE, SIG_IGN);
  /* A line is one write: it does not mix with those of other programs. */
  (void)setvbuf(stderr, NULL, _IOLBF, BUFSIZ);
  if (argc > 0 && is_called("sendmail", argv[0]))
    return send_main(1, argc, argv);
  if (argc < 2) {
    usage(stderr);
    return EXIT_BAD_USAGE;
  }
  if (strcmp(argv[1], "send") == 0) return send_main(0, argc - 1, argv + 1);
  if (strcmp(argv[1], "probe") == 0) return probe_main(argc - 1, argv + 1);
  if (strcmp(argv[1], "--version") == 0) {
    printf("uvsmtp %s, %s\n", uvsmtp_version_string(), uvsmtp_tls_library());
    return finish(0, 0);
  }
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
      strcmp(argv[1], "help") == 0) {
    usage(stdout);
    return finish(0, 0);
  }
  fputs("uvsmtp: no command \"", stderr);
  text_print(stderr, argv[1], strlen(argv[1]));
  fputs("\"\n", stderr);
  usage(stderr);
  return EXIT_BAD_USAGE;
}
