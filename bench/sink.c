/* SPDX-License-Identifier: MIT */
/* uvsmtp-sink: a small, fast ESMTP and LMTP server on the loopback interface,
 * the other end of the demo, the tests and the benchmarks. It takes mail for
 * anybody, delivers nothing, and refuses on request. This file has its options,
 * its start and its summary. */
#include "sink.h"

#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  OPT_LISTEN = 256,
  OPT_UNIX,
  OPT_SMTPS_LISTEN,
  OPT_LMTP_LISTEN,
  OPT_LMTP_UNIX,
  OPT_LMTP,
  OPT_NO_PIPELINING,
  OPT_NO_CHUNKING,
  OPT_NO_SIZE,
  OPT_NO_8BITMIME,
  OPT_NO_SMTPUTF8,
  OPT_NO_ENHANCED,
  OPT_SIZE,
  OPT_GREETING,
  OPT_REJECT_RCPT_AFTER,
  OPT_OFFER,
  OPT_SCRIPT,
  OPT_STORE,
  OPT_TLS_CERT,
  OPT_TLS_KEY,
  OPT_COUNT,
  OPT_HELP
};

static const struct option long_options[] = {
    {"listen", required_argument, NULL, OPT_LISTEN},
    {"unix", required_argument, NULL, OPT_UNIX},
    {"smtps-listen", required_argument, NULL, OPT_SMTPS_LISTEN},
    {"lmtp-listen", required_argument, NULL, OPT_LMTP_LISTEN},
    {"lmtp-unix", required_argument, NULL, OPT_LMTP_UNIX},
    {"lmtp", no_argument, NULL, OPT_LMTP},
    {"no-pipelining", no_argument, NULL, OPT_NO_PIPELINING},
    {"no-chunking", no_argument, NULL, OPT_NO_CHUNKING},
    {"no-size", no_argument, NULL, OPT_NO_SIZE},
    {"no-8bitmime", no_argument, NULL, OPT_NO_8BITMIME},
    {"no-smtputf8", no_argument, NULL, OPT_NO_SMTPUTF8},
    {"no-enhanced", no_argument, NULL, OPT_NO_ENHANCED},
    {"size", required_argument, NULL, OPT_SIZE},
    {"greeting", required_argument, NULL, OPT_GREETING},
    {"reject-rcpt-after", required_argument, NULL, OPT_REJECT_RCPT_AFTER},
    {"offer", required_argument, NULL, OPT_OFFER},
    {"script", required_argument, NULL, OPT_SCRIPT},
    {"store", required_argument, NULL, OPT_STORE},
    {"tls-cert", required_argument, NULL, OPT_TLS_CERT},
    {"tls-key", required_argument, NULL, OPT_TLS_KEY},
    {"count", required_argument, NULL, OPT_COUNT},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0}};

static const char usage[] =
    "usage: uvsmtp-sink [options]\n"
    "An SMTP and LMTP server for tests, on loopback addresses only.\n"
    "\n"
    "  --listen HOST:PORT       SMTP here (127.0.0.1:0 if nothing is given)\n"
    "  --unix PATH              SMTP on a Unix socket\n"
    "  --smtps-listen HOST:PORT SMTP within TLS here\n"
    "  --lmtp-listen HOST:PORT  LMTP here\n"
    "  --lmtp-unix PATH         LMTP on a Unix socket\n"
    "  --lmtp                   LMTP everywhere\n"
    "  --no-pipelining --no-chunking --no-size --no-8bitmime --no-smtputf8\n"
    "  --no-enhanced            don't offer that extension\n"
    "  --size N                 refuse messages of more than N octets\n"
    "  --greeting TEXT          text behind the 220\n"
    "  --reject-rcpt-after N    452 to every recipient after N in a message\n"
    "  --offer LINE             offer that too: \"LIMITS RCPTMAX=2 "
    "MAILMAX=3\",\n"
    "                           DSN, REQUIRETLS, \"DELIVERBY 60\" ...; their\n"
    "                           parameters are taken, and LIMITS holds\n"
    "  --script FILE            lines \"PREFIX REPLY\" that override replies "
    "to\n"
    "                           commands, to GREETING and to DOT; the last\n"
    "                           word may be !close !reset !hang !stall\n"
    "  --store DIR              keep messages as DIR/N.eml and DIR/N.env\n"
    "  --tls-cert FILE          offer STARTTLS, with this certificate in PEM\n"
    "                           and those that it was signed by behind it\n"
    "  --tls-key FILE           and its key\n"
    "  --count N                end after N messages\n"
    "\n"
    "Recipients that refuse: tempfail greylist full nouser policy closing, "
    "and\n"
    "datatemp spam at the end of the message; slow answers after a second.\n"
    "Senders: badsender tempsender. A \"+\" and more may follow the word.\n"
    "Once it listens it prints READY and its ports; SIGTERM or SIGINT makes "
    "it\n"
    "print a summary and end.\n";

static int set_number(const char* name, const char* text, uint64_t* out) {
  if (sink_number(text, strlen(text), out)) return 0;
  fprintf(stderr, "uvsmtp-sink: --%s: not a number: %s\n", name, text);
  return 64;
}

/* Options that open something are told apart from those that only set. */
static int set_option(struct sink* s, int opt, const char* arg) {
  switch (opt) {
    case OPT_LMTP:
      s->opt.lmtp = true;
      return 0;
    case OPT_NO_PIPELINING:
      s->opt.pipelining = false;
      return 0;
    case OPT_NO_CHUNKING:
      s->opt.chunking = false;
      return 0;
    case OPT_NO_SIZE:
      s->opt.size = false;
      return 0;
    case OPT_NO_8BITMIME:
      s->opt.eightbit = false;
      return 0;
    case OPT_NO_SMTPUTF8:
      s->opt.smtputf8 = false;
      return 0;
    case OPT_NO_ENHANCED:
      s->opt.enhanced = false;
      return 0;
    case OPT_SIZE:
      return set_number("size", arg, &s->opt.size_limit);
    case OPT_REJECT_RCPT_AFTER:
      return set_number("reject-rcpt-after", arg, &s->opt.rcpt_limit);
    case OPT_OFFER:
      return sink_offer(s, arg);
    case OPT_COUNT:
      return set_number("count", arg, &s->opt.count);
    case OPT_GREETING:
      s->opt.greeting = arg;
      return 0;
    case OPT_STORE:
      s->opt.store = arg;
      return 0;
    case OPT_TLS_CERT:
      s->opt.tls_cert = arg;
      return 0;
    case OPT_TLS_KEY:
      s->opt.tls_key = arg;
      return 0;
    case OPT_SCRIPT:
      return sink_script_load(s, arg);
    default:
      return 0;
  }
}

static int listen_tls(struct sink* s, const char* arg) {
  int status;

  if (s->tls == NULL) {
    fputs("uvsmtp-sink: --smtps-listen: no --tls-cert is given\n", stderr);
    return 64;
  }
  status = sink_listen_tcp(s, arg, false);
  if (status == 0) s->listeners[s->nlisteners - 1].implicit = true;
  return status;
}

static int load_tls(struct sink* s) {
  if (s->opt.tls_cert == NULL && s->opt.tls_key == NULL) return 0;
  if (s->opt.tls_cert != NULL && s->opt.tls_key != NULL)
    return sink_tls_load(s);
  fputs("uvsmtp-sink: --tls-cert and --tls-key go together\n", stderr);
  return 64;
}

static int open_option(struct sink* s, int opt, const char* arg) {
  switch (opt) {
    case OPT_LISTEN:
      return sink_listen_tcp(s, arg, false);
    case OPT_UNIX:
      return sink_listen_unix(s, arg, false);
    case OPT_SMTPS_LISTEN:
      return listen_tls(s, arg);
    case OPT_LMTP_LISTEN:
      return sink_listen_tcp(s, arg, true);
    case OPT_LMTP_UNIX:
      return sink_listen_unix(s, arg, true);
    default:
      return 0;
  }
}

/* Two passes: --lmtp counts for listeners that stand before it too. */
static int parse_options(struct sink* s, int argc, char** argv) {
  int status = 0;
  int opt;

  while (status == 0 &&
         (opt = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
    if (opt == OPT_HELP) {
      fputs(usage, stdout);
      return -1;
    }
    status = opt == '?' ? 64 : set_option(s, opt, optarg);
  }
  if (status == 0 && optind < argc) {
    fprintf(stderr, "uvsmtp-sink: what is %s?\n", argv[optind]);
    status = 64;
  }
  if (status == 0) status = load_tls(s);
  optind = 1;
  while (status == 0 &&
         (opt = getopt_long(argc, argv, "", long_options, NULL)) != -1)
    status = open_option(s, opt, optarg);
  if (status == 0 && s->nlisteners == 0)
    status = sink_listen_tcp(s, "127.0.0.1:0", false);
  return status;
}

/* The reply to EHLO is the same for everybody, but that STARTTLS is offered in
 * clear text only (RFC 3207, 4.2). */
static size_t make_ehlo(const struct sink* s, bool starttls, char* to,
                        size_t cap) {
  const struct sink_options* o = &s->opt;
  char lines[8 + SINK_OFFERS][SINK_OFFER_CAP];
  size_t n = 0;
  size_t len = 0;

  snprintf(lines[n++], sizeof(lines[0]), "sink.localhost");
  if (o->pipelining) snprintf(lines[n++], sizeof(lines[0]), "PIPELINING");
  if (o->chunking) snprintf(lines[n++], sizeof(lines[0]), "CHUNKING");
  if (o->size)
    snprintf(lines[n++], sizeof(lines[0]), "SIZE %llu",
             (unsigned long long)o->size_limit);
  if (o->eightbit) snprintf(lines[n++], sizeof(lines[0]), "8BITMIME");
  if (o->smtputf8) snprintf(lines[n++], sizeof(lines[0]), "SMTPUTF8");
  if (o->enhanced)
    snprintf(lines[n++], sizeof(lines[0]), "ENHANCEDSTATUSCODES");
  if (starttls) snprintf(lines[n++], sizeof(lines[0]), "STARTTLS");
  for (size_t i = 0; i < o->noffers; i++)
    snprintf(lines[n++], sizeof(lines[0]), "%s", o->offers[i]);
  for (size_t i = 0; i < n; i++)
    len += (size_t)snprintf(to + len, cap - len, "250%c%s\r\n",
                            i + 1 < n ? '-' : ' ', lines[i]);
  return len;
}

/* Thousands of connections need as many descriptors. Where the hard limit
 * can't be raised, it is what we get. */
static void raise_limit(void) {
  struct rlimit want = {65536, 65536};
  struct rlimit have;

  if (getrlimit(RLIMIT_NOFILE, &have) != 0) return;
  if (have.rlim_max > want.rlim_max) want.rlim_max = have.rlim_max;
  if (have.rlim_cur >= want.rlim_cur) return;
  if (setrlimit(RLIMIT_NOFILE, &want) == 0) return;
  have.rlim_cur = have.rlim_max;
  setrlimit(RLIMIT_NOFILE, &have);
}

static void print_ready(const struct sink* s) {
  fputs("READY", stdout);
  for (int i = 0; i < s->nlisteners; i++) {
    const struct sink_listener* l = &s->listeners[i];
    const char* name = l->lmtp ? "lmtp" : "smtp";
    const char* over = l->implicit ? "s" : "";

    if (l->path != NULL)
      printf(" %s-unix=%s", name, l->path);
    else
      printf(" %s%s=%d", name, over, l->port);
  }
  putchar('\n');
  fflush(stdout);
}

static void print_summary(const struct sink* s) {
  int64_t ms = s->last_at > s->first_at ? s->last_at - s->first_at : 0;

  printf(
      "SUMMARY connections=%llu peak=%llu messages=%llu recipients=%llu "
      "octets=%llu rounds=%llu early=%llu seconds=%lld.%03lld",
      (unsigned long long)s->connections, (unsigned long long)s->peak,
      (unsigned long long)s->messages, (unsigned long long)s->recipients,
      (unsigned long long)s->octets, (unsigned long long)s->rounds,
      (unsigned long long)s->early, (long long)(ms / 1000),
      (long long)(ms % 1000));
  if (s->tls != NULL)
    printf(" secured=%llu resumed=%llu", (unsigned long long)s->secured,
           (unsigned long long)s->resumed);
  putchar('\n');
  fflush(stdout);
}

int main(int argc, char** argv) {
  static struct sink sink;
  struct sink* s = &sink;
  sigset_t set;
  int status;

  s->opt.pipelining = true;
  s->opt.chunking = true;
  s->opt.size = true;
  s->opt.eightbit = true;
  s->opt.smtputf8 = true;
  s->opt.enhanced = true;
  s->opt.greeting = "sink.localhost ESMTP uvsmtp-sink";
  status = parse_options(s, argc, argv);
  if (status == 0 && s->opt.store != NULL && mkdir(s->opt.store, 0777) != 0 &&
      access(s->opt.store, W_OK) != 0) {
    perror(s->opt.store);
    status = 73;
  }
  if (status != 0) {
    sink_tls_unload(s);
    sink_script_free(s);
    return status < 0 ? 0 : status;
  }
  s->nehlo = make_ehlo(s, false, s->ehlo, sizeof(s->ehlo));
  s->nehlo_tls = make_ehlo(s, s->tls != NULL, s->ehlo_tls, sizeof(s->ehlo_tls));
  raise_limit();
  /* Whoever reads our output may go away first. */
  signal(SIGPIPE, SIG_IGN);
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, NULL);
  print_ready(s);
  status = sink_run(s);
  print_summary(s);
  sink_tls_unload(s);
  sink_txn_free_all(s);
  sink_script_free(s);
  return status;
}
