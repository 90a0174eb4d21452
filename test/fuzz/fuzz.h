/* SPDX-License-Identifier: MIT */
/* fuzz.h: what the fuzzed functions have in common. Each has its own program,
 * which libFuzzer drives, or replay.c with the files of a corpus. */
#ifndef UVSMTP_TEST_FUZZ_H
#define UVSMTP_TEST_FUZZ_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* As assert, whatever the build. */
#define MUST(condition) \
  ((condition) ? (void)0 : must_not(__FILE__, __LINE__, #condition))

static inline void must_not(const char* file, int line, const char* what) {
  fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
  abort();
}

int LLVMFuzzerTestOneInput(const unsigned char* data, size_t size);

#endif
