/* SPDX-License-Identifier: MIT */
/* options.c: the arguments of the commands. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

enum {
  OPT_SERVER = 256,
  OPT_TLS,
  OPT_CA,
  OPT_INSECURE,
  OPT_TLS_NAME,
  OPT_PIN,
  OPT_CERT,
  OPT_KEY,
  OPT_KEY_PASSPHRASE_FILE,
  OPT_TLS_MIN,
  OPT_TLS_MAX,
  OPT_TLS_CIPHERS,
  OPT_USER,
  OPT_PASSWORD_FILE,
  OPT_PASSWORD_FD,
  OPT_TOKEN_FILE,
  OPT_NETRC,
  OPT_NETRC_FILE,
  OPT_AUTH,
  OPT_AUTHZID,
  OPT_ALLOW_PLAINTEXT_AUTH,
  OPT_FROM,
  OPT_TO,
  OPT_MAIL_OPTION,
  OPT_RCPT_OPTION,
  OPT_HELO,
  OPT_BIND,
  OPT_TIMEOUT,
  OPT_CONNECT_TIMEOUT,
  OPT_MESSAGE_TIMEOUT,
  OPT_KEEPALIVE,
  OPT_IN_TURN,
  OPT_NO_PIPELINING,
  OPT_NO_CHUNKING,
  OPT_PROGRESS,
  OPT_NO_PROGRESS,
  OPT_TRACE,
  OPT_JSON,
  OPT_HELP
};

enum { BOTH = SEND | PROBE };

/* Every option: what getopt_long has to know of it, and what --help says. */
typedef struct row_s {
  const char* name;
  int has_arg;
  int id;
  unsigned int commands;
  const char* value; /* as --help calls it */
  const char* help;  /* lines */
} row_t;

static const row_t rows[] = {
    {"server", required_argument, OPT_SERVER, BOTH, " URL",
     "smtp://HOST[:PORT], smtps://HOST[:PORT],\n"
     "lmtp://HOST[:PORT], /PATH (LMTP over that Unix\n"
     "socket) or smtp:/PATH"},
    {"tls", required_argument, OPT_TLS, BOTH, " POLICY",
     "none, opportunistic, required (by STARTTLS) or\n"
     "implicit (from the first octet); by default\n"
     "implicit at port 465, required at 587, none over\n"
     "a Unix socket, else opportunistic"},
    {"ca", required_argument, OPT_CA, BOTH, " FILE",
     "whom to trust, instead of the system's: a file\n"
     "of certificates, or a directory of such files"},
    {"insecure", no_argument, OPT_INSECURE, BOTH, "",
     "take whoever answers for the server"},
    {"tls-name", required_argument, OPT_TLS_NAME, BOTH, " NAME",
     "what its certificate is to say, instead of HOST"},
    {"pin", required_argument, OPT_PIN, BOTH, " PIN",
     "its key (sha256//BASE64) or its certificate\n"
     "(sha256:HEX) has to be this one; repeatable"},
    {"cert", required_argument, OPT_CERT, BOTH, " FILE",
     "our own certificate, if the server asks for one"},
    {"key", required_argument, OPT_KEY, BOTH, " FILE",
     "its private key, if not in the same file"},
    {"key-passphrase-file", required_argument, OPT_KEY_PASSPHRASE_FILE, BOTH,
     " FILE", "what the key is encrypted with: the first line"},
    {"tls-min", required_argument, OPT_TLS_MIN, BOTH, " VERSION",
     "1.2 or 1.3: none before this one"},
    {"tls-max", required_argument, OPT_TLS_MAX, BOTH, " VERSION",
     "1.2 or 1.3: none after this one"},
    {"tls-ciphers", required_argument, OPT_TLS_CIPHERS, BOTH, " LIST",
     "names of cipher suites, with colons between them"},
    {"user", required_argument, OPT_USER, BOTH, " NAME",
     "log in as NAME, as smtp://NAME@HOST does; without\n"
     "one of the next five the password is asked for"},
    {"password-file", required_argument, OPT_PASSWORD_FILE, BOTH, " FILE",
     "the password is what FILE holds"},
    {"password-fd", required_argument, OPT_PASSWORD_FD, BOTH, " N",
     "the same of an open file descriptor"},
    {"token-file", required_argument, OPT_TOKEN_FILE, BOTH, " FILE",
     "FILE holds a token of OAuth's instead"},
    {"netrc", no_argument, OPT_NETRC, BOTH, "",
     "name and password are in ~/.netrc or ~/.authinfo"},
    {"netrc-file", required_argument, OPT_NETRC_FILE, BOTH, " FILE",
     "they are in this file of that kind"},
    {"auth", required_argument, OPT_AUTH, BOTH, " MECH[,MECH]...",
     "log in by one of these mechanisms and no other"},
    {"authzid", required_argument, OPT_AUTHZID, BOTH, " NAME",
     "whom to act as, if not oneself"},
    {"allow-plaintext-auth", no_argument, OPT_ALLOW_PLAINTEXT_AUTH, BOTH, "",
     "log in even where others can listen"},
    {"from", required_argument, OPT_FROM, SEND, " ADDR",
     "sender; '' is the null sender of a bounce"},
    {"to", required_argument, OPT_TO, SEND, " ADDR",
     "recipient; may be repeated"},
    {"mail-option", required_argument, OPT_MAIL_OPTION, SEND, " OPT",
     "a parameter of MAIL, as it is; repeatable"},
    {"rcpt-option", required_argument, OPT_RCPT_OPTION, SEND, " OPT",
     "a parameter of every RCPT; repeatable"},
    {"helo", required_argument, OPT_HELO, BOTH, " NAME",
     "how to introduce ourselves"},
    {"bind", required_argument, OPT_BIND, BOTH, " ADDR[:PORT]",
     "the local address to connect from"},
    {"timeout", required_argument, OPT_TIMEOUT, BOTH, " SECONDS",
     "deadline of each wait as a whole"},
    {"connect-timeout", required_argument, OPT_CONNECT_TIMEOUT, BOTH,
     " SECONDS", "that of name lookup and connecting together"},
    {"message-timeout", required_argument, OPT_MESSAGE_TIMEOUT, SEND,
     " SECONDS", "that of everything, up to the verdict"},
    {"keepalive", required_argument, OPT_KEEPALIVE, SEND, " SECONDS",
     "idle time after which TCP asks for the peer"},
    {"in-turn", no_argument, OPT_IN_TURN, BOTH, "",
     "one address of a name after the other, no race"},
    {"no-pipelining", no_argument, OPT_NO_PIPELINING, SEND, "",
     "one command at a time"},
    {"no-chunking", no_argument, OPT_NO_CHUNKING, SEND, "",
     "DATA even where BDAT is offered"},
    {"progress", no_argument, OPT_PROGRESS, SEND, "",
     "how far it is, also with --json and where\n"
     "standard error is no terminal"},
    {"no-progress", no_argument, OPT_NO_PROGRESS, SEND, "",
     "don't show how far it is"},
    {"trace", optional_argument, OPT_TRACE, BOTH, "[=times,text]",
     "the dialogue on standard error; with the time\n"
     "of each line, with the message text"},
    {"json", no_argument, OPT_JSON, BOTH, "", "the result as one JSON object"},
    {"help", no_argument, OPT_HELP, BOTH, "", "this"},
};

enum { NROWS = sizeof(rows) / sizeof(rows[0]), COLUMN = 25 };

static void print_row(FILE* to, const row_t* row) {
  int column = fprintf(to, "  --%s%s", row->name, row->value);
  const char* line = row->help;
  /* Two spaces at least, or the text begins on a line of its own. */
  if (column > COLUMN - 2) {
    fputc('\n', to);
    column = 0;
  }
  while (line != NULL) {
    const char* end = strchr(line, '\n');
    int n = end == NULL ? (int)strlen(line) : (int)(end - line);
    fprintf(to, "%*s%.*s\n", COLUMN - column, "", n, line);
    line = end == NULL ? NULL : end + 1;
    column = 0;
  }
}

void options_usage(FILE* to, unsigned int command) {
  size_t i;
  if (command == SEND)
    fputs(
        "usage: uvsmtp send [options] [FILE]\n"
        "Sends one message, from FILE or standard input, by default to\n"
        "smtp://localhost.\n\n",
        to);
  else
    fputs(
        "usage: uvsmtp probe [options] URL\n"
        "Connects to a server, shows what it says of itself and what it\n"
        "offers, and leaves. Sends nothing.\n\n",
        to);
  for (i = 0; i < NROWS; i++)
    if (rows[i].commands & command) print_row(to, &rows[i]);
}

/* Exits of this program free nothing that the system frees anyway, but a list
 * without memory is an error like any other. */
static const char* add(strings_t* s, const char* text) {
  const char** list = realloc(s->list, (s->n + 1) * sizeof(*list));
  if (list == NULL) return "no memory";
  s->list = list;
  s->list[s->n++] = text;
  return NULL;
}

void options_free(options_t* o) {
  free(o->to.list);
  free(o->mail_options.list);
  free(o->rcpt_options.list);
  free(o->tls.pins.list);
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

static const char* parse_keepalive(const char* text, unsigned int* seconds) {
  char* end;
  long n;
  errno = 0;
  n = strtol(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0')
    return "not a whole number of seconds";
  /* Linux takes no more. */
  if (errno != 0 || n < 1 || n > 32767) return "not in 1..32767 seconds";
  *seconds = (unsigned int)n;
  return NULL;
}

static const char* parse_fd(const char* text, int* fd) {
  char* end;
  long n;
  errno = 0;
  n = strtol(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0') return "it is not a number";
  if (errno != 0 || n > INT_MAX || fcntl((int)n, F_GETFD) < 0)
    return "there is no such open file descriptor";
  *fd = (int)n;
  return NULL;
}

static const char* parse_trace(const char* text, options_t* o) {
  o->trace = 1;
  while (text != NULL && *text != '\0') {
    size_t n = strcspn(text, ",");
    if (n == 5 && strncmp(text, "times", n) == 0)
      o->trace_flags |= UVSMTP_PRINT_TIMES;
    else if (n == 4 && strncmp(text, "text", n) == 0)
      o->trace_flags |= UVSMTP_PRINT_TEXT;
    else
      return "it can be =times, =text or =times,text";
    text += n + (text[n] == ',');
  }
  return NULL;
}

static const char* parse_url(options_t* o, const char* url) {
  if (o->url != NULL && o->command == PROBE) return "the server is given twice";
  o->url = url;
  return parse_server(&o->server, url);
}

/* Options that only set something. */
static void set_flag(options_t* o, int option) {
  if (option == OPT_INSECURE) o->tls.insecure = 1;
  if (option == OPT_NETRC) o->login.netrc = 1;
  if (option == OPT_ALLOW_PLAINTEXT_AUTH) o->login.allow_plaintext = 1;
  if (option == OPT_IN_TURN) o->in_turn = 1;
  if (option == OPT_NO_PIPELINING) o->no_pipelining = 1;
  if (option == OPT_NO_CHUNKING) o->no_chunking = 1;
  if (option == OPT_PROGRESS) o->progress = 1;
  if (option == OPT_NO_PROGRESS) o->progress = 0;
  if (option == OPT_JSON) o->json = 1;
}

/* An empty value is a variable of a script that was not set: no default may
 * take its place. */
static const char* keep(const char** to, const char* arg) {
  *to = arg;
  return *arg == '\0' ? "it is empty" : NULL;
}

static const char* parse_tls(options_t* o, int option, const char* arg) {
  tls_options_t* tls = &o->tls;
  switch (option) {
    case OPT_TLS:
      return parse_policy(arg, &tls->policy);
    case OPT_CA:
      return keep(&tls->ca, arg);
    case OPT_TLS_NAME:
      return keep(&tls->name, arg);
    case OPT_PIN:
      return add(&tls->pins, arg);
    case OPT_CERT:
      return keep(&tls->cert, arg);
    case OPT_KEY:
      return keep(&tls->key, arg);
    case OPT_KEY_PASSPHRASE_FILE:
      return keep(&tls->passphrase_file, arg);
    case OPT_TLS_MIN:
      return parse_version(arg, &tls->min);
    case OPT_TLS_MAX:
      return parse_version(arg, &tls->max);
    default:
      return keep(&tls->ciphers, arg);
  }
}

static const char* parse_login(options_t* o, int option, const char* arg) {
  login_options_t* login = &o->login;
  switch (option) {
    case OPT_USER:
      return keep(&login->user, arg);
    case OPT_PASSWORD_FILE:
      return keep(&login->password_file, arg);
    case OPT_PASSWORD_FD:
      return parse_fd(arg, &login->password_fd);
    case OPT_TOKEN_FILE:
      return keep(&login->token_file, arg);
    case OPT_NETRC_FILE:
      return keep(&login->netrc_file, arg);
    case OPT_AUTH:
      return keep(&login->mechs, arg);
    case OPT_AUTHZID:
      return keep(&login->authzid, arg);
    default:
      set_flag(o, option);
      return NULL;
  }
}

static const char* parse_one(options_t* o, int option, const char* arg) {
  if (option >= OPT_TLS && option <= OPT_TLS_CIPHERS && option != OPT_INSECURE)
    return parse_tls(o, option, arg);
  if (option >= OPT_USER && option <= OPT_ALLOW_PLAINTEXT_AUTH)
    return parse_login(o, option, arg);
  switch (option) {
    case OPT_SERVER:
      return parse_url(o, arg);
    case OPT_FROM:
      o->from = arg;
      return NULL;
    case OPT_TO:
      return add(&o->to, arg);
    case OPT_MAIL_OPTION:
      return add(&o->mail_options, arg);
    case OPT_RCPT_OPTION:
      return add(&o->rcpt_options, arg);
    case OPT_HELO:
      o->helo = arg;
      return NULL;
    case OPT_BIND:
      o->bind = arg;
      return parse_host_port(arg, o->bind_host, sizeof(o->bind_host),
                             &o->bind_port);
    case OPT_TIMEOUT:
      return parse_seconds(arg, &o->timeout);
    case OPT_CONNECT_TIMEOUT:
      return parse_seconds(arg, &o->connect_timeout);
    case OPT_MESSAGE_TIMEOUT:
      return parse_seconds(arg, &o->message_timeout);
    case OPT_KEEPALIVE:
      return parse_keepalive(arg, &o->keepalive);
    case OPT_TRACE:
      return parse_trace(arg, o);
    default:
      set_flag(o, option);
      return NULL;
  }
}

/* --------------------------------------------------------------- errors */

/* The sentence that options_parse leaves behind. */
static const char* complain(const char* option, const char* value,
                            const char* wrong) {
  enum { SHOWN = 100 };
  static char text[256];
  const char* quote = value == NULL || *value != '\0' ? "" : "''";
  if (value == NULL) value = "";
  snprintf(text, sizeof(text), "%.60s%s%s%.*s%s: %s", option,
           *value != '\0' || *quote != '\0' ? " " : "", quote, SHOWN, value,
           strlen(value) > SHOWN ? "..." : "", wrong);
  return text;
}

static const char* complain_of(int option, const char* value,
                               const char* wrong) {
  char name[40];
  char masked[512];
  size_t i;
  for (i = 0; i < NROWS - 1 && rows[i].id != option; i++) continue;
  snprintf(name, sizeof(name), "--%s", rows[i].name);
  if (option != OPT_SERVER) return complain(name, value, wrong);
  url_masked(value, masked, sizeof(masked));
  return complain(name, masked, wrong);
}

/* Options may be cut short where that leaves no doubt. */
static int is_beginning(const char* word) {
  size_t n = strcspn(word, "=");
  size_t i;
  for (i = 0; i < NROWS && n > 2; i++)
    if (strncmp(rows[i].name, word + 2, n - 2) == 0) return 1;
  return 0;
}

/* getopt_long's '?' and ':' . word: the argument that it did not like. */
static const char* complain_unknown(int option, const char* word) {
  char name[64];
  if (option == ':') return complain(word, NULL, "its argument is missing");
  if (optopt >= OPT_SERVER) return complain(word, NULL, "it takes no argument");
  if (optopt == 0)
    return complain(word, NULL,
                    is_beginning(word) ? "not an option of this command, or "
                                         "the beginning of several"
                                       : "there is no such option");
  snprintf(name, sizeof(name), "-%c", optopt);
  return complain(name, NULL, "there is no such option");
}

static const char* check_send(options_t* o, int argc, char** argv) {
  if (o->to.n == 0) return "no recipient: give --to ADDR";
  if (o->from == NULL)
    return "no sender: give --from ADDR, or --from '' for the null sender";
  if (argc - optind > 1)
    return complain(argv[optind + 1], NULL, "there is more than one FILE");
  if (optind < argc) o->file = argv[optind];
  if (o->file != NULL && *o->file == '\0') return "FILE has an empty name";
  return NULL;
}

static const char* check_probe(options_t* o, int argc, char** argv) {
  const char* wrong;
  char masked[512];
  if (argc - optind > 1 || (optind < argc && o->url != NULL))
    return complain(argv[argc - 1], NULL, "there is more than one server");
  if (optind == argc) return o->url != NULL ? NULL : "no server: give its URL";
  wrong = parse_url(o, argv[optind]);
  url_masked(argv[optind], masked, sizeof(masked));
  return wrong == NULL ? NULL : complain("URL", masked, wrong);
}

int options_parse(options_t* o, unsigned int command, int argc, char** argv,
                  const char** error) {
  struct option list[NROWS + 1];
  size_t n = 0;
  size_t i;
  int option;
  memset(o, 0, sizeof(*o));
  memset(list, 0, sizeof(list));
  memcpy(o->server.host, "localhost", sizeof("localhost"));
  o->server.named = 1;
  o->command = command;
  o->progress = -1;
  o->login.password_fd = -1;
  for (i = 0; i < NROWS; i++)
    if (rows[i].commands & command)
      list[n++] =
          (struct option){rows[i].name, rows[i].has_arg, NULL, rows[i].id};
  /* An unknown option still lets --json say so. */
  for (option = 1; option < argc; option++)
    if (strcmp(argv[option], "--json") == 0) o->json = 1;
  opterr = 0;
  while ((option = getopt_long(argc, argv, ":h", list, NULL)) != -1) {
    const char* wrong;
    if (option == OPT_HELP || option == 'h') {
      options_usage(stdout, command);
      return -1;
    }
    if (option == '?' || option == ':') {
      *error = complain_unknown(option, argv[optind - 1]);
      return EXIT_BAD_USAGE;
    }
    wrong = parse_one(o, option, optarg);
    if (wrong == NULL) continue;
    *error = complain_of(option, optarg, wrong);
    return EXIT_BAD_USAGE;
  }
  *error =
      command == SEND ? check_send(o, argc, argv) : check_probe(o, argc, argv);
  if (*error == NULL) *error = login_check(o);
  if (*error == NULL) *error = settings_check(o);
  return *error == NULL ? 0 : EXIT_BAD_USAGE;
}
