/* SPDX-License-Identifier: MIT */
/* options.c: the arguments of uvsmtp send. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tool.h"

enum {
  OPT_SERVER = 256,
  OPT_TLS,
  OPT_FROM,
  OPT_TO,
  OPT_MAIL_OPTION,
  OPT_RCPT_OPTION,
  OPT_HELO,
  OPT_BIND,
  OPT_TIMEOUT,
  OPT_CONNECT_TIMEOUT,
  OPT_NO_PIPELINING,
  OPT_NO_CHUNKING,
  OPT_TRACE,
  OPT_JSON,
  OPT_HELP
};

static const struct option long_options[] = {
    {"server", required_argument, NULL, OPT_SERVER},
    {"tls", required_argument, NULL, OPT_TLS},
    {"from", required_argument, NULL, OPT_FROM},
    {"to", required_argument, NULL, OPT_TO},
    {"mail-option", required_argument, NULL, OPT_MAIL_OPTION},
    {"rcpt-option", required_argument, NULL, OPT_RCPT_OPTION},
    {"helo", required_argument, NULL, OPT_HELO},
    {"bind", required_argument, NULL, OPT_BIND},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"connect-timeout", required_argument, NULL, OPT_CONNECT_TIMEOUT},
    {"no-pipelining", no_argument, NULL, OPT_NO_PIPELINING},
    {"no-chunking", no_argument, NULL, OPT_NO_CHUNKING},
    {"trace", no_argument, NULL, OPT_TRACE},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0}};

void options_usage(FILE* to) {
  fputs(
      "usage: uvsmtp send [options] [FILE]\n"
      "Sends one message, from FILE or standard input.\n"
      "\n"
      "  --server URL           smtp://HOST[:PORT], lmtp://HOST[:PORT], /PATH\n"
      "                         (LMTP over that Unix socket) or smtp:/PATH;\n"
      "                         default smtp://localhost\n"
      "  --tls none             the only policy of this version\n"
      "  --from ADDR            sender; '' is the null sender of a bounce\n"
      "  --to ADDR              recipient; may be repeated\n"
      "  --mail-option OPT      a parameter of MAIL, as it is; repeatable\n"
      "  --rcpt-option OPT      a parameter of every RCPT; repeatable\n"
      "  --helo NAME            how to introduce ourselves\n"
      "  --bind ADDR[:PORT]     the local address to connect from\n"
      "  --timeout SECONDS      deadline of each wait as a whole\n"
      "  --connect-timeout SECONDS\n"
      "                         that of name lookup and connecting together\n"
      "  --no-pipelining        one command at a time\n"
      "  --no-chunking          DATA even where BDAT is offered\n"
      "  --trace                the dialogue on standard error\n"
      "  --json                 the result as one JSON object\n",
      to);
}

/* Exits of this program free nothing that the system frees anyway, but a list
 * without memory is an error like any other. */
static int add(strings_t* s, const char* text) {
  const char** list = realloc(s->list, (s->n + 1) * sizeof(*list));
  if (list == NULL) return -1;
  s->list = list;
  s->list[s->n++] = text;
  return 0;
}

void options_free(options_t* o) {
  free(o->to.list);
  free(o->mail_options.list);
  free(o->rcpt_options.list);
}

static const char* parse_port(const char* text, int* port) {
  char* end;
  long n;
  if (*text < '0' || *text > '9') return "the port is not a number";
  errno = 0;
  n = strtol(text, &end, 10);
  if (*end != '\0') return "the port is not a number";
  if (errno != 0 || n < 1 || n > 65535) return "the port is not in 1..65535";
  *port = (int)n;
  return NULL;
}

static int is_ipv6(const char* text) {
  unsigned char address[16];
  char bare[64];
  size_t n = strcspn(text, "%"); /* the scope is for the library to know */
  if (n >= sizeof(bare)) return 0;
  memcpy(bare, text, n);
  bare[n] = '\0';
  return uv_inet_pton(AF_INET6, bare, address) == 0;
}

static int is_name(const char* host) {
  unsigned char address[4];
  return host[0] != '[' && !is_ipv6(host) &&
         uv_inet_pton(AF_INET, host, address) != 0;
}

/* HOST, HOST:PORT, [V6], [V6]:PORT, or an IPv6 literal without brackets. */
static const char* parse_host_port(const char* text, char* host, size_t cap,
                                   int* port) {
  const char* colon = strchr(text, ':');
  size_t n = strlen(text);
  if (text[0] == '[') {
    const char* close = strchr(text, ']');
    if (close == NULL) return "the bracket is not closed";
    n = (size_t)(close - text) + 1;
    colon = close[1] == '\0' ? NULL : close + 1;
    if (colon != NULL && *colon != ':') return "text follows the bracket";
  } else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
    n = (size_t)(colon - text);
  } else if (colon != NULL) {
    if (!is_ipv6(text)) return "the colons make no IPv6 address";
    colon = NULL;
  }
  if (n == 0) return "there is no host";
  if (n >= cap) return "the host is too long";
  memcpy(host, text, n);
  host[n] = '\0';
  return colon == NULL ? NULL : parse_port(colon + 1, port);
}

static const char* parse_path(options_t* o, const char* path, int lmtp) {
  o->lmtp = lmtp;
  o->named = 0;
  o->port = 0;
  if (strlen(path) >= sizeof(o->host)) return "the path is too long";
  memcpy(o->host, path, strlen(path) + 1);
  return NULL;
}

/* Schemes are compared without regard to case (RFC 3986 3.1). */
static int begins(const char* url, const char* scheme) {
  return strncasecmp(url, scheme, strlen(scheme)) == 0;
}

static const char* parse_server(options_t* o, const char* url) {
  const char* rest = strstr(url, "://");
  const char* wrong;
  char authority[300];
  size_t n;
  if (url[0] == '/') return parse_path(o, url, 1);
  if (begins(url, "smtp:/") && url[6] != '/') return parse_path(o, url + 5, 0);
  o->lmtp = 0;
  o->port = 0;
  if (rest != NULL) {
    if (begins(url, "smtps://"))
      return "smtps needs TLS, which this version does not have";
    if (begins(url, "lmtp://"))
      o->lmtp = 1;
    else if (!begins(url, "smtp://"))
      return "the scheme is not smtp or lmtp";
    url = rest + 3;
  }
  n = strcspn(url, "/");
  if (url[n] == '/' && url[n + 1] != '\0') return "a path follows the host";
  if (n >= sizeof(authority)) return "the host is too long";
  memcpy(authority, url, n);
  authority[n] = '\0';
  if (strchr(authority, '@') != NULL)
    return "a user needs AUTH, which this version does not have";
  wrong = parse_host_port(authority, o->host, sizeof(o->host), &o->port);
  o->named = wrong == NULL && is_name(o->host);
  return wrong;
}

/* Seconds with a fraction, as milliseconds; at least one. */
static const char* parse_seconds(const char* text, int64_t* ms) {
  char* end;
  double s = strtod(text, &end);
  if (end == text || *end != '\0') return "the time is not a number";
  if (!(s > 0) || s > 1e9) return "the time is not above 0";
  *ms = (int64_t)(s * 1000);
  if (*ms < 1) *ms = 1;
  return NULL;
}

static const char* parse_one(options_t* o, int option, const char* arg) {
  switch (option) {
    case OPT_SERVER:
      return parse_server(o, arg);
    case OPT_TLS:
      if (strcmp(arg, "none") == 0) return NULL;
      return "only --tls none: this version has no TLS";
    case OPT_FROM:
      o->from = arg;
      return NULL;
    case OPT_TO:
      return add(&o->to, arg) == 0 ? NULL : "no memory";
    case OPT_MAIL_OPTION:
      return add(&o->mail_options, arg) == 0 ? NULL : "no memory";
    case OPT_RCPT_OPTION:
      return add(&o->rcpt_options, arg) == 0 ? NULL : "no memory";
    case OPT_HELO:
      o->helo = arg;
      return NULL;
    case OPT_BIND:
      return parse_host_port(arg, o->bind_host, sizeof(o->bind_host),
                             &o->bind_port);
    case OPT_TIMEOUT:
      return parse_seconds(arg, &o->timeout);
    case OPT_CONNECT_TIMEOUT:
      return parse_seconds(arg, &o->connect_timeout);
    case OPT_NO_PIPELINING:
      o->no_pipelining = 1;
      return NULL;
    case OPT_NO_CHUNKING:
      o->no_chunking = 1;
      return NULL;
    case OPT_TRACE:
      o->trace = 1;
      return NULL;
    case OPT_JSON:
      o->json = 1;
      return NULL;
    default:
      return "unknown option";
  }
}

int options_parse(options_t* o, int argc, char** argv, const char** error) {
  static char text[160];
  int index = 0;
  int option;
  memset(o, 0, sizeof(*o));
  memcpy(o->host, "localhost", sizeof("localhost"));
  o->named = 1;
  /* An unknown option still lets --json say so. */
  for (option = 1; option < argc; option++)
    if (strcmp(argv[option], "--json") == 0) o->json = 1;
  opterr = 0;
  while ((option = getopt_long(argc, argv, "", long_options, &index)) != -1) {
    const char* wrong;
    if (option == OPT_HELP) {
      options_usage(stdout);
      return -1;
    }
    if (option == '?') {
      snprintf(text, sizeof(text), "%.100s: unknown option, or no argument",
               argv[optind - 1]);
      *error = text;
      return EXIT_BAD_USAGE;
    }
    wrong = parse_one(o, option, optarg);
    if (wrong == NULL) continue;
    snprintf(text, sizeof(text), "--%s: %s", long_options[index].name, wrong);
    *error = text;
    return EXIT_BAD_USAGE;
  }
  *error = NULL;
  if (o->to.n == 0) *error = "no recipient: give --to ADDR";
  if (o->from == NULL)
    *error = "no sender: give --from ADDR, or --from '' for the null sender";
  if (argc - optind > 1) *error = "more than one FILE";
  if (optind < argc) o->file = argv[optind];
  return *error == NULL ? 0 : EXIT_BAD_USAGE;
}
