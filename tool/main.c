/* SPDX-License-Identifier: MIT */
/* main.c: the command line, uvsmtp. */
#include <string.h>

#include "tool.h"

static void usage(FILE* to) {
  fputs(
      "usage: uvsmtp send [options] [FILE]   send a message by SMTP or LMTP\n"
      "       uvsmtp send --help\n"
      "       uvsmtp --version\n",
      to);
}

int main(int argc, char** argv) {
  if (argc < 2) {
    usage(stderr);
    return EXIT_BAD_USAGE;
  }
  if (strcmp(argv[1], "send") == 0) return send_main(argc - 1, argv + 1);
  if (strcmp(argv[1], "--version") == 0) {
    printf("uvsmtp %s\n", uvsmtp_version_string());
    return 0;
  }
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
    usage(stdout);
    return 0;
  }
  fprintf(stderr, "uvsmtp: no command \"%s\"\n", argv[1]);
  usage(stderr);
  return EXIT_BAD_USAGE;
}
