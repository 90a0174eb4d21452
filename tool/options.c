/* SPDX-License-Identifier: MIT */
/* options.c: the arguments of the commands. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"
#include "tool.h"

/* Exits of this program free nothing that the system frees anyway, but a list
 * without memory is an error like any other. */
const char* options_add(strings_t* s, const char* text) {
  const char** list = realloc(s->list, (s->n + 1) * sizeof(*list));
  if (list == NULL) return "no memory";
  s->list = list;
  s->list[s->n++] = text;
  return NULL;
}

void options_free(options_t* o) {
  free(o->words.list);
  free(o->to.list);
  free(o->draft.cc.list);
  free(o->draft.bcc.list);
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

const char* parse_whole(const char* text, long min, long max, long* n) {
  static char range[64];
  const char* digit = *text == '-' && min < 0 ? text + 1 : text;
  char* end;
  errno = 0;
  *n = strtol(text, &end, 10);
  if (*digit < '0' || *digit > '9' || *end != '\0')
    return "it is not a whole number";
  if (errno == 0 && *n >= min && *n <= max) return NULL;
  snprintf(range, sizeof(range), "it is not in %ld..%ld", min, max);
  return range;
}

static const char* parse_keepalive(const char* text, unsigned int* seconds) {
  long n;
  /* Linux takes no more. */
  const char* wrong = parse_whole(text, 1, 32767, &n);
  if (wrong == NULL) *seconds = (unsigned int)n;
  return wrong;
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

static const char* parse_url(options_t* o, const char* name, const char* url) {
  if (o->url != NULL && o->command == PROBE) return "the server is given twice";
  o->url = url;
  o->url_name = name;
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
      return options_add(&tls->pins, arg);
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

/* A message that is written here, and who is to get one. */
static const char* parse_draft(options_t* o, int option, const char* arg) {
  switch (option) {
    case OPT_FROM:
      o->from = arg;
      return NULL;
    case OPT_TO:
      return options_add(&o->to, arg);
    case OPT_CC:
      return options_add(&o->draft.cc, arg);
    case OPT_BCC:
      return options_add(&o->draft.bcc, arg);
    case OPT_SUBJECT:
      o->draft.subject = arg;
      break;
    default:
      o->draft.text = arg;
      break;
  }
  o->draft.wanted = 1;
  return NULL;
}

static const char* parse_one(options_t* o, int option, const char* arg) {
  if (option >= OPT_TLS && option <= OPT_TLS_CIPHERS && option != OPT_INSECURE)
    return parse_tls(o, option, arg);
  if (option >= OPT_USER && option <= OPT_ALLOW_PLAINTEXT_AUTH)
    return parse_login(o, option, arg);
  if (option >= OPT_FROM && option <= OPT_TEXT)
    return parse_draft(o, option, arg);
  if (option >= OPT_DSN_NOTIFY && option <= OPT_REFUSE_8BIT)
    return parse_param(o, option, arg);
  if (option < OPT_SERVER) return sendmail_option(o, option, arg);
  switch (option) {
    case OPT_SERVER:
      return parse_url(o, "--server", arg);
    case OPT_MAIL_OPTION:
      return options_add(&o->mail_options, arg);
    case OPT_RCPT_OPTION:
      return options_add(&o->rcpt_options, arg);
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

const char* options_complain(const char* option, const char* value,
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
  const char* name = rows_name(option);
  char masked[512];
  /* "-bs" is one word. */
  if (option == 'b' || option == 'q') {
    snprintf(masked, sizeof(masked), "%s%.50s", name,
             value == NULL ? "" : value);
    return options_complain(masked, NULL, wrong);
  }
  if (option != OPT_SERVER) return options_complain(name, value, wrong);
  url_masked(value, masked, sizeof(masked));
  return options_complain(name, masked, wrong);
}

/* getopt_long's '?' and ':' . word: the argument that it did not like. */
static const char* complain_unknown(int option, const char* word) {
  char name[64];
  if (option == ':')
    return options_complain(word, NULL, "its argument is missing");
  if (optopt >= OPT_SERVER)
    return options_complain(word, NULL, "it takes no argument");
  if (optopt == 0)
    return options_complain(word, NULL,
                            rows_is_beginning(word)
                                ? "not an option of this command, or "
                                  "the beginning of several"
                                : "there is no such option");
  snprintf(name, sizeof(name), "-%c", optopt);
  return options_complain(name, NULL, "there is no such option");
}

static const char* check_draft(const options_t* o) {
  static const char unused[] =
      "only for a message that is written here, by --subject or --text";
  const draft_options_t* d = &o->draft;
  if (!d->wanted && d->cc.n > 0)
    return options_complain("--cc", d->cc.list[0], unused);
  if (!d->wanted && d->bcc.n > 0)
    return options_complain("--bcc", d->bcc.list[0], unused);
  if (!d->wanted) return NULL;
  if (o->sendmail.wanted)
    return "--subject and --text: sendmail's options are for a message that is "
           "there already";
  if (o->from == NULL) return "no sender: give --from ADDR";
  if (o->to.n + d->cc.n + d->bcc.n == 0) return "no recipient: give --to ADDR";
  if (d->text != NULL && o->words.n > 0)
    return "--text: there is a FILE with the text too";
  return NULL;
}

/* Who configures a program that calls us by the name of sendmail can't always
 * say with which arguments. */
static const char* look_around(options_t* o) {
  const char* url = getenv("UVSMTP_SERVER");
  const char* wrong;
  char masked[512];
  if (o->url != NULL || url == NULL || *url == '\0') return NULL;
  wrong = parse_url(o, "UVSMTP_SERVER", url);
  url_masked(url, masked, sizeof(masked));
  return wrong == NULL ? NULL
                       : options_complain("UVSMTP_SERVER", masked, wrong);
}

static const char* check_send(options_t* o) {
  const strings_t* words = &o->words;
  const char* wrong = look_around(o);
  if (wrong == NULL) wrong = check_draft(o);
  if (wrong == NULL) wrong = params_check(o);
  if (wrong != NULL) return wrong;
  if (o->sendmail.wanted) return sendmail_arguments(o);
  if (words->n > 1)
    return options_complain(words->list[1], NULL,
                            "there is more than one FILE");
  if (words->n > 0) o->file = words->list[0];
  if (o->file != NULL && *o->file == '\0') return "FILE has an empty name";
  return NULL;
}

static const char* check_probe(options_t* o) {
  const strings_t* words = &o->words;
  const char* wrong;
  char masked[512];
  if (words->n > 1 || (words->n > 0 && o->url != NULL))
    return options_complain(words->list[words->n - 1], NULL,
                            "there is more than one server");
  if (words->n == 0) return o->url != NULL ? NULL : "no server: give its URL";
  wrong = parse_url(o, "URL", words->list[0]);
  url_masked(words->list[0], masked, sizeof(masked));
  return wrong == NULL ? NULL : options_complain("URL", masked, wrong);
}

/* A name behind one dash would be taken for letters: "-to" for -t. */
static const char* check_dashes(int argc, char** argv) {
  int i;
  for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
    if (rows_lacks_dash(argv[i]))
      return options_complain(argv[i], NULL, "it lacks a dash");
  return NULL;
}

static void set_defaults(options_t* o, unsigned int command, int by_name) {
  memset(o, 0, sizeof(*o));
  memcpy(o->server.host, "localhost", sizeof("localhost"));
  o->server.named = 1;
  o->command = command;
  o->progress = -1;
  o->login.password_fd = -1;
  o->params = (uvsmtp_mail_params_t)UVSMTP_MAIL_PARAMS_INIT;
  o->sendmail.wanted = o->sendmail.by_name = by_name;
}

/* All that is an option. What is none is kept, and where arguments are
 * recipients the first of them ends the options: no address becomes one. 0, or
 * as options_parse. */
static int read_options(options_t* o, int argc, char** argv,
                        const char** error) {
  struct option list[ROWS_MAX + 1];
  int by_name = o->sendmail.by_name;
  const char* letters = o->command == SEND ? sendmail_letters(by_name) : "-:h";
  int option;
  rows_long(o->command, list);
  while ((option = getopt_long(argc, argv, letters, list, NULL)) != -1) {
    if (option == 1 && o->sendmail.wanted) {
      optind--;
      break;
    }
    if (option == OPT_HELP || (option == 'h' && !by_name)) {
      rows_usage(stdout, o->command);
      return -1;
    }
    if (option == '?' || option == ':') {
      *error = complain_unknown(option, argv[optind - 1]);
      return EXIT_BAD_USAGE;
    }
    if (option == 1) {
      *error = options_add(&o->words, optarg);
    } else {
      *error = parse_one(o, option, optarg);
      if (*error != NULL) *error = complain_of(option, optarg, *error);
    }
    if (*error != NULL) return EXIT_BAD_USAGE;
  }
  for (; optind < argc && *error == NULL; optind++)
    *error = options_add(&o->words, argv[optind]);
  return *error == NULL ? 0 : EXIT_BAD_USAGE;
}

int options_parse(options_t* o, unsigned int command, int by_name, int argc,
                  char** argv, const char** error) {
  int i;
  int rc;
  set_defaults(o, command, by_name);
  /* An unknown option still lets --json say so. */
  for (i = 1; i < argc; i++)
    if (strcmp(argv[i], "--json") == 0) o->json = 1;
  *error = by_name ? NULL : check_dashes(argc, argv);
  if (*error != NULL) return EXIT_BAD_USAGE;
  opterr = 0;
  rc = read_options(o, argc, argv, error);
  if (rc != 0) return rc;
  *error = command == SEND ? check_send(o) : check_probe(o);
  if (*error == NULL) *error = login_check(o);
  if (*error == NULL) *error = settings_check(o);
  return *error == NULL ? 0 : EXIT_BAD_USAGE;
}
