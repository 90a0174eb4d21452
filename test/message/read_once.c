/* SPDX-License-Identifier: MIT */
/* read_once.c: reads the envelope of a file once, and looks for its header's
 * end as if it came in pieces; says what came of it. For counting instructions:
 * there is little else that it does. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "message/message.h"

enum { PIECE = 1000 };

int main(int argc, char** argv) {
  uvsmtp_envelope_t* envelope;
  const char* reason;
  const char* text;
  uvsmtp__over_t over;
  struct stat is;
  size_t size;
  size_t have = 0;
  size_t n = 0;
  int over_yet = 0;
  int status;
  int fd;

  if (argc != 2) return 2;
  fd = open(argv[1], O_RDONLY);
  if (fd < 0 || fstat(fd, &is) != 0) return 2;
  size = (size_t)is.st_size;
  text = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (text == MAP_FAILED) return 2;

  memset(&over, 0, sizeof(over));
  while (have < size && !over_yet) {
    have = size - have < PIECE ? size : have + PIECE;
    over_yet = uvsmtp__header_over(text, text + have, &over);
  }
  status = uvsmtp_envelope_new(&envelope, NULL, text, size, &reason);
  if (status == 0) {
    (void)uvsmtp_envelope_rcpts(envelope, &n);
    uvsmtp_envelope_free(envelope);
  }
  printf("%d %zu %zu\n", status, n, over.at);
  return 0;
}
