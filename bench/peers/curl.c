/* SPDX-License-Identifier: MIT */
/* curl.c: libcurl as a peer: one message to a connection, and the CPU time of
 * each. Not a part of uvsmtp; for its benchmarks only.
 *
 *   uvsmtp-peer-curl PORT MESSAGES OCTETS CA MODE
 *
 * MODE is how libcurl is used: "fresh" with an easy handle for each message,
 * "same" with one for all of them, "share" with a handle for each that share
 * TLS sessions, "multi" with a multi handle that runs them one by one. The
 * version of TLS is 1.2. Prints microseconds of CPU time a message. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct job_s {
  char url[64];
  const char* ca;
  CURLSH* share;
  struct curl_slist* to;
  struct curl_slist* address; /* so that no name is looked up */
  char* text;
  size_t octets;
  size_t sent;
} job_t;

static double cpu_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static size_t read_text(char* to, size_t size, size_t n, void* data) {
  job_t* job = data;
  size_t room = size * n;
  size_t k = job->octets - job->sent;
  if (k > room) k = room;
  memcpy(to, job->text + job->sent, k);
  job->sent += k;
  return k;
}

static size_t drop(char* data, size_t size, size_t n, void* arg) {
  (void)data;
  (void)arg;
  return size * n;
}

static void prepare(CURL* curl, job_t* job) {
  job->sent = 0;
  curl_easy_setopt(curl, CURLOPT_URL, job->url);
  curl_easy_setopt(curl, CURLOPT_RESOLVE, job->address);
  curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL);
  curl_easy_setopt(
      curl, CURLOPT_SSLVERSION,
      (long)CURL_SSLVERSION_TLSv1_2 | (long)CURL_SSLVERSION_MAX_TLSv1_2);
  curl_easy_setopt(curl, CURLOPT_CAINFO, job->ca);
  curl_easy_setopt(curl, CURLOPT_MAIL_FROM, "<a@bench.example>");
  curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, job->to);
  curl_easy_setopt(curl, CURLOPT_READFUNCTION, read_text);
  curl_easy_setopt(curl, CURLOPT_READDATA, job);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
  curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
  /* Each message has a connection of its own. */
  curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
  if (job->share != NULL) curl_easy_setopt(curl, CURLOPT_SHARE, job->share);
}

static int check(CURLcode code) {
  if (code == CURLE_OK) return 0;
  fprintf(stderr, "uvsmtp-peer-curl: %s\n", curl_easy_strerror(code));
  return 1;
}

static int by_easy(job_t* job, int messages, int fresh) {
  CURL* curl = NULL;
  int failed = 0;
  while (failed == 0 && messages-- > 0) {
    if (curl == NULL) curl = curl_easy_init();
    if (curl == NULL) return 1;
    prepare(curl, job);
    failed = check(curl_easy_perform(curl));
    if (!fresh) continue;
    curl_easy_cleanup(curl);
    curl = NULL;
  }
  curl_easy_cleanup(curl);
  return failed;
}

static int by_multi(job_t* job, int messages) {
  CURLM* multi = curl_multi_init();
  int failed = 0;
  if (multi == NULL) return 1;
  while (failed == 0 && messages-- > 0) {
    CURL* curl = curl_easy_init();
    int running = 1;
    CURLMsg* message;
    if (curl == NULL) return 1;
    prepare(curl, job);
    curl_multi_add_handle(multi, curl);
    while (running > 0) {
      curl_multi_perform(multi, &running);
      if (running > 0) curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
    while ((message = curl_multi_info_read(multi, &running)) != NULL)
      if (message->msg == CURLMSG_DONE) failed |= check(message->data.result);
    curl_multi_remove_handle(multi, curl);
    curl_easy_cleanup(curl);
  }
  curl_multi_cleanup(multi);
  return failed;
}

static int run(job_t* job, const char* mode, int messages) {
  if (strcmp(mode, "multi") == 0) return by_multi(job, messages);
  return by_easy(job, messages, strcmp(mode, "same") != 0);
}

int main(int argc, char** argv) {
  job_t job;
  char address[64];
  int messages;
  double began;
  int failed;
  if (argc != 6) {
    fprintf(stderr, "usage: uvsmtp-peer-curl PORT MESSAGES OCTETS CA MODE\n");
    return 64;
  }
  memset(&job, 0, sizeof(job));
  snprintf(job.url, sizeof(job.url), "smtp://localhost:%d/bench.example",
           atoi(argv[1]));
  snprintf(address, sizeof(address), "localhost:%d:127.0.0.1", atoi(argv[1]));
  messages = atoi(argv[2]);
  job.octets = (size_t)atol(argv[3]);
  job.ca = argv[4];
  job.text = malloc(job.octets + 1);
  job.to = curl_slist_append(NULL, "<b@bench.example>");
  job.address = curl_slist_append(NULL, address);
  if (messages < 1 || job.address == NULL || job.text == NULL ||
      job.to == NULL || curl_global_init(CURL_GLOBAL_ALL) != 0)
    return 71;
  memset(job.text, 'x', job.octets);
  for (size_t i = 77; i < job.octets; i += 78)
    memcpy(job.text + i - 1, "\r\n", 2);
  if (strcmp(argv[5], "share") == 0) {
    job.share = curl_share_init();
    curl_share_setopt(job.share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
  }
  /* The first one pays for what is done once. */
  failed = run(&job, argv[5], 1);
  began = cpu_us();
  if (failed == 0) failed = run(&job, argv[5], messages);
  if (failed == 0)
    printf("%.1f %s\n", (cpu_us() - began) / messages, curl_version());
  curl_share_cleanup(job.share);
  curl_slist_free_all(job.to);
  curl_slist_free_all(job.address);
  free(job.text);
  curl_global_cleanup();
  return failed;
}
