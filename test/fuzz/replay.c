/* SPDX-License-Identifier: MIT */
/* replay.c: in libFuzzer's place: gives a fuzzed function each file of the
 * directories that are named, as it is, and cut off everywhere in its first
 * octets. */
#include <dirent.h>
#include <string.h>

#include "fuzz.h"

enum { CUTS = 400 };

/* In a block of its own size, so that sanitizers see its end. */
static void give(const unsigned char* data, size_t size) {
  unsigned char* block = malloc(size + (size == 0));

  MUST(block != NULL);
  if (size > 0) memcpy(block, data, size);
  LLVMFuzzerTestOneInput(block, size);
  free(block);
}

static void replay(const char* path) {
  FILE* file = fopen(path, "rb");
  unsigned char* data;
  long size;
  size_t n;

  MUST(file != NULL && fseek(file, 0, SEEK_END) == 0);
  size = ftell(file);
  rewind(file);
  data = malloc((size_t)size + 1);
  MUST(size >= 0 && data != NULL);
  MUST(fread(data, 1, (size_t)size, file) == (size_t)size);
  fclose(file);
  give(data, (size_t)size);
  for (n = 0; n < (size_t)size && n < CUTS; n++) give(data, n);
  free(data);
}

int main(int argc, char** argv) {
  size_t files = 0;
  int i;

  for (i = 1; i < argc; i++) {
    DIR* directory = opendir(argv[i]);
    struct dirent* entry;
    char path[4096];

    MUST(directory != NULL);
    while ((entry = readdir(directory)) != NULL) {
      if (entry->d_name[0] == '.') continue;
      snprintf(path, sizeof(path), "%s/%s", argv[i], entry->d_name);
      replay(path);
      files++;
    }
    closedir(directory);
  }
  printf("%zu files\n", files);
  return files > 0 ? 0 : 1;
}
