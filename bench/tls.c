/* SPDX-License-Identifier: MIT */
/* tls.c: what TLS costs a client, beside Mbed TLS alone in the same run.
 *
 *   uvsmtp-tls-bench --sink PROGRAM --certs FOLDER [--curl PROGRAM] [--quick]
 *                    [FIGURE]...
 *
 * Prints tables in Markdown. A figure that misses its limit is marked, and is
 * no failure: what a machine can do is not for a test to say. */
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tls_bench.h"
#include "uvsmtp.h"

static int missed;

void print_note(const char* format, ...) {
  va_list args;
  va_start(args, format);
  vprintf(format, args);
  va_end(args);
  fflush(stdout);
}

const char* note_limit(bool met) {
  if (!met) missed++;
  return met ? "met" : "**missed**";
}

void print_title(const char* title, const char* own, const char* floor) {
  printf(
      "\n%s\n\n| | unit | %s | %s | ratio (min-max) | limit | |\n"
      "| --- | --- | --: | --: | --: | --: | --- |\n",
      title, own, floor);
  fflush(stdout);
}

static void print_value(double value) {
  const char* format = value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f";
  printf(format, value);
}

void print_row(const row_t* row) {
  bool met = row->least ? row->ratio.median >= row->limit
                        : row->ratio.median <= row->limit;
  printf("| %s | %s | ", row->what, row->unit);
  print_value(row->own.median);
  fputs(" | ", stdout);
  print_value(row->floor.median);
  printf(" | %.3f (%.3f-%.3f) | ", row->ratio.median, row->ratio.min,
         row->ratio.max);
  if (row->limit > 0)
    printf("%s %.2f | %s |\n", row->least ? "≥" : "≤", row->limit,
           note_limit(met));
  else
    printf("| |\n");
  fflush(stdout);
}

static const struct option long_options[] = {
    {"sink", required_argument, NULL, 's'},
    {"certs", required_argument, NULL, 'c'},
    {"curl", required_argument, NULL, 'p'},
    {"quick", no_argument, NULL, 'q'},
    {NULL, 0, NULL, 0}};

static int usage(void) {
  const figure_t* f;
  fputs(
      "usage: uvsmtp-tls-bench --sink PROGRAM --certs FOLDER\n"
      "       [--curl PROGRAM] [--quick] [FIGURE]...\nfigures:",
      stderr);
  for (f = figures; f->name != NULL; f++) fprintf(stderr, " %s", f->name);
  fputc('\n', stderr);
  return 64;
}

static const figure_t* find(const char* name) {
  const figure_t* f = figures;
  while (f->name != NULL && strcmp(f->name, name) != 0) f++;
  return f->name == NULL ? NULL : f;
}

static int parse(bench_t* b, int argc, char** argv) {
  int opt;
  int i;
  b->rounds = 9;
  while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
    if (opt == 's') b->sink = optarg;
    if (opt == 'c') b->certs = optarg;
    if (opt == 'p') b->curl = optarg;
    if (opt == 'q') b->quick = true;
    if (opt == '?') return usage();
  }
  if (b->sink == NULL || b->certs == NULL) return usage();
  for (i = optind; i < argc; i++)
    if (find(argv[i]) == NULL) return usage();
  if (b->quick) b->rounds = 1;
  snprintf(b->ca, sizeof(b->ca), "%s/ca.pem", b->certs);
  return 0;
}

int main(int argc, char** argv) {
  static bench_t b;
  const figure_t* f;
  int status = parse(&b, argc, argv);
  int i;
  if (status != 0) return status;
  if (mbed_start() != 0) die("no random numbers");
  print_note(
      "uvsmtp %s, %s: CPU time of the client, medians of rounds in turn\n",
      uvsmtp_version_string(), uvsmtp_tls_library());
  for (i = optind; i < argc; i++) find(argv[i])->run(&b);
  for (f = figures; optind == argc && f->name != NULL; f++) f->run(&b);
  print_note("\n%s\n",
             missed == 0 ? "All limits are met." : "Not all limits are met.");
  mbed_stop();
  return 0;
}
