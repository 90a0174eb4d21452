/* SPDX-License-Identifier: MIT */
/* tls_figures.c: what is compared with what. The two sides take turns, so that
 * what the machine does beside concerns both; ratios are those of pairs. */
#include <stdlib.h>
#include <string.h>

#include "tls_bench.h"

static const char* const kinds[] = {"ec", "rsa"};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static const char* version_name(int version) {
  return version == MBED_TLS_1_3 ? "1.3" : "1.2";
}

static const char* way_name(enum way way) {
  return way == WAY_STARTTLS ? "STARTTLS" : "implicit";
}

static void start_sink(const bench_t* b, server_t* s, const char* kind) {
  char cert[512];
  char key[512];
  const char* argv[] = {
      b->sink,       "--listen",   "127.0.0.1:0", "--smtps-listen",
      "127.0.0.1:0", "--tls-cert", cert,          "--tls-key",
      key,           NULL};
  snprintf(cert, sizeof(cert), "%s/%s.pem", b->certs, kind);
  snprintf(key, sizeof(key), "%s/%s.key", b->certs, kind);
  server_start(s, argv);
}

static job_t make_job(const bench_t* b, const server_t* s, enum way way,
                      int version) {
  job_t job;
  memset(&job, 0, sizeof(job));
  job.way = way;
  job.port = way == WAY_IMPLICIT ? s->smtps : s->smtp;
  job.ca = b->ca;
  job.version = version;
  job.curves = MBED_CURVES_FAST;
  return job;
}

/* Fills the spreads of a row from pairs of values. */
static void set_pairs(row_t* row, const double* own, const double* floor,
                      int n) {
  double ratios[ROUNDS_MAX];
  int i;
  for (i = 0; i < n; i++) ratios[i] = own[i] / floor[i];
  row->own = spread_of(own, n);
  row->floor = spread_of(floor, n);
  row->ratio = spread_of(ratios, n);
}

static double own_cost(own_t* o, int n) {
  double began = cpu_us();
  own_sessions(o, n);
  return (cpu_us() - began) / n;
}

static double bare_cost(bare_t* b, int n) {
  double began = cpu_us();
  bare_sessions(b, n);
  return (cpu_us() - began) / n;
}

/* Mbed TLS writes TLS1-3-AES-... for what is registered as TLS_AES_... */
static bool same_suite(const char* registered, const char* mbed) {
  for (; *registered != '\0'; registered++, mbed++) {
    if (strncmp(mbed, "1-3-", 4) == 0 && *registered == '_') mbed += 3;
    if (*registered != (*mbed == '-' ? '_' : *mbed)) return false;
  }
  return *mbed == '\0';
}

/* Prints how n sessions of a job at a time compare. Many short turns: what else
 * the machine does is then more likely to be the same for both of a pair. */
static void compare(const bench_t* b, const job_t* job, int n, const char* what,
                    double limit) {
  own_t* own = own_new(job);
  bare_t* bare = bare_new(job);
  double a[ROUNDS_MAX];
  double z[ROUNDS_MAX];
  row_t row = {0};
  int rounds = b->quick ? 1 : 3 * b->rounds;
  int i;
  own_sessions(own, 1);
  bare_sessions(bare, 1);
  for (i = 0; i < rounds; i++) {
    a[i] = own_cost(own, n);
    z[i] = bare_cost(bare, n);
  }
  if (!same_suite(own_suite(own), bare_suite(bare)))
    die("%s is compared with %s", own_suite(own), bare_suite(bare));
  if (job->resume && !job->forget &&
      own_resumed(own) < (uint64_t)n * (uint64_t)rounds)
    die("%s: only %d sessions were resumed", what, (int)own_resumed(own));
  row.what = what;
  row.unit = "us";
  row.limit = limit;
  set_pairs(&row, a, z, rounds);
  print_row(&row);
  own_free(own);
  bare_free(bare);
}

/* ----------------------------------------------------------- full handshake */

/* Ours keeps each session, as it does by itself, and then forgets it. */
static void full_sessions(const bench_t* b, const server_t* s, const char* kind,
                          int version, enum way way) {
  job_t job = make_job(b, s, way, version);
  /* RSA verifies faster. */
  int n = b->quick ? 2 : kind[0] == 'e' ? 8 : 20;
  char what[160];
  job.forget = job.resume = true;
  snprintf(what, sizeof(what), "%s, TLS %s, %s", kind, version_name(version),
           way_name(way));
  compare(b, &job, n, what, 1.05);
}

/* The order of curves that the library has by itself, at both ends. */
static void full_order(const bench_t* b, const char* kind, int version) {
  server_t none = {0};
  job_t job = make_job(b, &none, WAY_IMPLICIT, version);
  int n = b->quick ? 1 : 10;
  double fast[ROUNDS_MAX];
  double slow[ROUNDS_MAX];
  row_t row = {0};
  char what[160];
  int i;
  for (i = 0; i < b->rounds; i++) {
    job.curves = MBED_CURVES_FAST;
    fast[i] = memory_handshake(&job, b->certs, kind, n);
    job.curves = MBED_CURVES_LIBRARY;
    slow[i] = memory_handshake(&job, b->certs, kind, n);
  }
  snprintf(what, sizeof(what), "%s, TLS %s, in memory", kind,
           version_name(version));
  row.what = what;
  row.unit = "us";
  set_pairs(&row, slow, fast, b->rounds);
  print_row(&row);
}

static void figure_full(const bench_t* b) {
  int version;
  int k;
  print_title("### Full handshake: a session of EHLO and QUIT", "uvsmtp",
              "bare");
  for (k = 0; k < KINDS; k++) {
    server_t s;
    start_sink(b, &s, kinds[k]);
    for (version = MBED_TLS_1_2; version <= mbed_latest(); version++) {
      full_sessions(b, &s, kinds[k], version, WAY_STARTTLS);
      full_sessions(b, &s, kinds[k], version, WAY_IMPLICIT);
    }
    server_stop(&s);
  }
  print_title("Mbed TLS alone: its own order of curves, or X25519 first",
              "own order", "X25519 first");
  for (k = 0; k < KINDS; k++)
    for (version = MBED_TLS_1_2; version <= mbed_latest(); version++)
      full_order(b, kinds[k], version);
}

/* --------------------------------------------------------------- resumption */

/* TLS 1.2. What is compared with the handshake in memory is what TLS adds to a
 * session: the same session in clear text is taken off. */
static void resume_1_2(const bench_t* b, const server_t* s, const char* kind) {
  job_t job = make_job(b, s, WAY_IMPLICIT, MBED_TLS_1_2);
  job_t clear = make_job(b, s, WAY_CLEAR, MBED_TLS_1_2);
  own_t* own;
  own_t* own_clear = own_new(&clear);
  int n = b->quick ? 3 : 200;
  double added[ROUNDS_MAX];
  double memory[ROUNDS_MAX];
  row_t row = {0};
  char what[160];
  int i;
  job.resume = true;
  own = own_new(&job);
  own_sessions(own, 1);
  own_sessions(own_clear, 1);
  for (i = 0; i < b->rounds; i++) {
    memory[i] = memory_handshake(&job, b->certs, kind, n);
    added[i] = own_cost(own, n) - own_cost(own_clear, n);
  }
  own_free(own);
  own_free(own_clear);
  snprintf(what, sizeof(what),
           "%s, TLS 1.2: what it adds to a session, beside Mbed TLS in memory",
           kind);
  row.what = what;
  row.unit = "us";
  row.limit = 150.0 / 47.0;
  set_pairs(&row, added, memory, b->rounds);
  print_row(&row);
  snprintf(what, sizeof(what), "%s, TLS 1.2: the whole session", kind);
  compare(b, &job, b->quick ? 3 : 100, what, 0);
}

static void resume_1_3(const bench_t* b, const server_t* s, const char* kind) {
  job_t job = make_job(b, s, WAY_IMPLICIT, MBED_TLS_1_3);
  char what[160];
  job.resume = true;
  snprintf(what, sizeof(what), "%s, TLS 1.3: the whole session", kind);
  compare(b, &job, b->quick ? 3 : 20, what, 1.1);
}

static void figure_resume(const bench_t* b) {
  int k;
  print_title("### Resumption: a session of EHLO and QUIT, implicit TLS",
              "uvsmtp", "bare");
  for (k = 0; k < KINDS; k++) {
    server_t s;
    start_sink(b, &s, kinds[k]);
    resume_1_2(b, &s, kinds[k]);
    if (mbed_latest() >= MBED_TLS_1_3) resume_1_3(b, &s, kinds[k]);
    server_stop(&s);
  }
}

/* --------------------------------------------------------------------- heap */

static double own_heap(const bench_t* b, const server_t* s, enum way way,
                       int version, int n) {
  job_t job = make_job(b, s, way, version);
  own_t* own;
  double before;
  double held;
  job.resume = true;
  own = own_new(&job);
  own_sessions(own, 2);
  before = (double)heap_octets();
  own_hold(own, n);
  held = (double)heap_octets() - before;
  own_release(own);
  own_free(own);
  return held / n;
}

static double bare_heap(const bench_t* b, const server_t* s, enum way way,
                        int version, int n) {
  job_t job = make_job(b, s, way, version);
  bare_t* bare = bare_new(&job);
  double before;
  double held;
  bare_sessions(bare, 2);
  before = (double)heap_octets();
  bare_hold(bare, n);
  held = (double)heap_octets() - before;
  bare_release(bare);
  bare_free(bare);
  return held / n;
}

/* The heap does not depend on chance: one round. What the session itself holds
 * is taken off, as it holds that in clear text, too. */
static void figure_heap(const bench_t* b) {
  int n = b->quick ? 5 : 200;
  int version;
  int k;
  print_note(
      "\n### Heap of a session at rest after EHLO, octets\n\n"
      "| | uvsmtp | of it clear text | bare | over bare | limit | |\n"
      "| --- | --: | --: | --: | --: | --: | --- |\n");
  for (k = 0; k < KINDS; k++) {
    server_t s;
    start_sink(b, &s, kinds[k]);
    for (version = MBED_TLS_1_2; version <= mbed_latest(); version++) {
      double clear = own_heap(b, &s, WAY_CLEAR, version, n);
      double own = own_heap(b, &s, WAY_STARTTLS, version, n);
      double bare = bare_heap(b, &s, WAY_STARTTLS, version, n);
      double over = own - clear - bare;
      print_note("| %s, TLS %s | %.0f | %.0f | %.0f | %.0f | ≤ 1024 | %s |\n",
                 kinds[k], version_name(version), own, clear, bare, over,
                 note_limit(over <= 1024));
    }
    server_stop(&s);
  }
}

/* --------------------------------------------------------------------- bulk */

static const suite_t suites_1_2[] = {
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
     "TLS-ECDHE-ECDSA-WITH-CHACHA20-POLY1305-SHA256"},
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
     "TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256"},
    {NULL, NULL}};
static const suite_t suites_1_3[] = {
    {"TLS_CHACHA20_POLY1305_SHA256", "TLS1-3-CHACHA20-POLY1305-SHA256"},
    {"TLS_AES_128_GCM_SHA256", "TLS1-3-AES-128-GCM-SHA256"},
    {NULL, NULL}};

static void bulk_message(const bench_t* b, const server_t* s, int version,
                         const suite_t* suite) {
  job_t job = make_job(b, s, WAY_STARTTLS, version);
  own_t* own;
  bare_t* bare;
  double rate[2][ROUNDS_MAX];
  double cpu[2][ROUNDS_MAX];
  double mib;
  row_t row = {0};
  char what[160];
  int i;
  job.suite = suite;
  job.octets = (size_t)(b->quick ? 1 : 100) << 20;
  mib = (double)job.octets / 1048576;
  (void)message_text(job.octets); /* made now, and not while it counts */
  own = own_new(&job);
  bare = bare_new(&job);
  for (i = 0; i < b->rounds; i++) {
    cost_t a = own_message(own);
    cost_t z = bare_message(bare);
    cpu[0][i] = mib / a.cpu * 1e6;
    cpu[1][i] = mib / z.cpu * 1e6;
    rate[0][i] = mib / a.wall * 1e6;
    rate[1][i] = mib / z.wall * 1e6;
  }
  row.what = what;
  row.least = true;
  row.limit = 0.9;
  row.unit = "MiB/s of CPU";
  snprintf(what, sizeof(what), "TLS %s, %s", version_name(version),
           suite->iana + 4);
  set_pairs(&row, cpu[0], cpu[1], b->rounds);
  print_row(&row);
  row.unit = "MiB/s by the wall";
  set_pairs(&row, rate[0], rate[1], b->rounds);
  print_row(&row);
  own_free(own);
  bare_free(bare);
}

static void figure_bulk(const bench_t* b) {
  server_t s;
  const suite_t* suite;
  print_title("### A message of 100 MiB", "uvsmtp", "bare");
  start_sink(b, &s, "ec");
  for (suite = suites_1_2; suite->iana != NULL; suite++)
    bulk_message(b, &s, MBED_TLS_1_2, suite);
  if (mbed_latest() >= MBED_TLS_1_3)
    for (suite = suites_1_3; suite->iana != NULL; suite++)
      bulk_message(b, &s, MBED_TLS_1_3, suite);
  server_stop(&s);
}

/* ------------------------------------------------------ a message at a time */

/* How libcurl is used, and what we call that. The first one counts. */
static const struct {
  const char* mode;
  const char* what;
} peers[] = {
    {"fresh", "libcurl as usual"},
    {"multi", "libcurl's multi interface"},
    {"same", "one handle for all: it resumes"},
    {"share", "its session cache shared: it resumes"},
};

static double curl_cost(const bench_t* b, const job_t* job, int n,
                        const char* mode) {
  char command[2048];
  double us = 0;
  FILE* out;
  snprintf(command, sizeof(command), "'%s' %d %d %zu '%s' %s", b->curl,
           job->port, n, job->octets, job->ca, mode);
  fflush(NULL);
  out = popen(command, "r");
  if (out == NULL || fscanf(out, "%lf", &us) != 1) die("%s failed", command);
  pclose(out);
  return us;
}

static void messages_by(const bench_t* b, const char* kind, size_t peer) {
  server_t s;
  job_t job;
  own_t* own;
  int n = b->quick ? 3 : 200;
  double a[ROUNDS_MAX];
  double z[ROUNDS_MAX];
  row_t row = {0};
  char what[160];
  int i;
  start_sink(b, &s, kind);
  job = make_job(b, &s, WAY_STARTTLS, MBED_TLS_1_2);
  job.resume = true;
  job.octets = 1024;
  own = own_new(&job);
  own_sessions(own, 1);
  for (i = 0; i < b->rounds; i++) {
    a[i] = own_cost(own, n);
    z[i] = curl_cost(b, &job, n, peers[peer].mode);
  }
  snprintf(what, sizeof(what), "%s, %s", kind, peers[peer].what);
  row.what = what;
  row.unit = "us";
  row.limit = peer == 0 ? 0.25 : 0;
  set_pairs(&row, a, z, b->rounds);
  print_row(&row);
  own_free(own);
  server_stop(&s);
}

static void figure_messages(const bench_t* b) {
  size_t peer;
  int k;
  if (b->curl == NULL) {
    print_note("\nlibcurl is not there: no connection per message.\n");
    return;
  }
  print_title("### A connection for each message of 1 KiB, TLS 1.2 resumed",
              "uvsmtp", "libcurl");
  for (k = 0; k < KINDS; k++)
    for (peer = 0; peer < sizeof(peers) / sizeof(peers[0]); peer++)
      messages_by(b, kinds[k], peer);
}

/* -------------------------------------------------------------------- stall */

static void print_stall(const char* what, const stall_t* runs, int n) {
  double turn[ROUNDS_MAX];
  double late[ROUNDS_MAX];
  double message[ROUNDS_MAX];
  double handshakes = 0;
  int i;
  for (i = 0; i < n; i++) {
    turn[i] = runs[i].turn / 1000;
    late[i] = runs[i].lateness / 1000;
    message[i] =
        runs[i].cpu / (double)(runs[i].messages > 0 ? runs[i].messages : 1);
    handshakes += (double)runs[i].handshakes / n;
  }
  print_note(
      "| %s | %.2f (%.2f-%.2f) | %.2f | %.2f (%.2f-%.2f) | %.2f | %.0f |"
      "\n",
      what, spread_of(turn, n).median, spread_of(turn, n).min,
      spread_of(turn, n).max, runs[0].typical / 1000, spread_of(late, n).median,
      spread_of(late, n).min, spread_of(late, n).max,
      spread_of(message, n).median, handshakes);
}

static double median_turn(const stall_t* runs, int n) {
  double turn[ROUNDS_MAX];
  int i;
  for (i = 0; i < n; i++) turn[i] = runs[i].turn;
  return spread_of(turn, n).median;
}

static void figure_stall(const bench_t* b) {
  int rounds = b->quick ? 1 : 5;
  server_t busy;
  server_t other;
  stall_t runs[3][ROUNDS_MAX];
  stall_job_t job = {0};
  job_t memory;
  pid_t dripper;
  int drip_port;
  double handshake;
  int i;
  start_sink(b, &busy, "ec");
  start_sink(b, &other, "ec");
  dripper = dripper_start(other.smtps, b->quick ? 10 : 1000, &drip_port);
  job.busy = b->quick ? 20 : 200;
  job.busy_port = busy.smtp;
  job.ca = b->ca;
  job.warm_ms = b->quick ? 50 : 500;
  job.ms = b->quick ? 200 : 4000;
  memory = make_job(b, &other, WAY_IMPLICIT, mbed_latest());
  handshake = memory_handshake(&memory, b->certs, "ec", b->quick ? 1 : 20);
  for (i = 0; i < rounds; i++) {
    job.guests = 0;
    runs[0][i] = stall_run(&job);
    job.guests = 1;
    job.burst_ms = 1000000;
    job.guest_port = drip_port;
    runs[1][i] = stall_run(&job);
    job.guests = b->quick ? 5 : 50;
    job.burst_ms = 1000;
    job.guest_port = other.smtps;
    runs[2][i] = stall_run(&job);
  }
  dripper_stop(dripper);
  server_stop(&other);
  server_stop(&busy);
  print_note(
      "\n### The loop of %d busy sessions in clear text, beside handshakes\n\n"
      "| | longest turn, ms of CPU (min-max) | typical | timer late, ms "
      "(min-max)"
      " | CPU us a message | handshakes |\n"
      "| --- | --: | --: | --: | --: | --: |\n",
      job.busy);
  print_stall("alone", runs[0], rounds);
  print_stall("a handshake that drips", runs[1], rounds);
  print_stall("many at once, each second", runs[2], rounds);
  print_note(
      "\nDripping: %s. Many at once: %s (a whole handshake in memory "
      "takes %.2f ms).\n",
      note_limit(median_turn(runs[1], rounds) <=
                 median_turn(runs[0], rounds) * 1.5 + 500),
      note_limit(median_turn(runs[2], rounds) <=
                 median_turn(runs[0], rounds) + handshake),
      handshake / 1000);
}

const figure_t figures[] = {
    {"full", figure_full},
    {"resume", figure_resume},
    {"heap", figure_heap},
    {"bulk", figure_bulk},
    {"messages", figure_messages},
    {"stall", figure_stall},
    {NULL, NULL},
};
