/* SPDX-License-Identifier: MIT */
/* rows.c: the table of options, and --help. */
#include "rows.h"

#include <assert.h>
#include <string.h>

#include "options.h"

enum { BOTH = SEND | PROBE };

typedef struct row_s {
  const char* name; /* one letter: an option of sendmail's */
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
     "sender, instead of the header's; '' is the null\n"
     "sender of a bounce"},
    {"to", required_argument, OPT_TO, SEND, " ADDR",
     "recipient, instead of the header's; repeatable"},
    {"subject", required_argument, OPT_SUBJECT, SEND, " TEXT",
     "write a message with this subject; --from, --to,\n"
     "--cc and --bcc are \"NAME <ADDR>\" then"},
    {"text", required_argument, OPT_TEXT, SEND, " TEXT",
     "its text, instead of what FILE or standard\n"
     "input holds"},
    {"cc", required_argument, OPT_CC, SEND, " ADDR",
     "who gets a copy of it; repeatable"},
    {"bcc", required_argument, OPT_BCC, SEND, " ADDR",
     "who does so unseen; repeatable"},
    {"dsn-notify", required_argument, OPT_DSN_NOTIFY, SEND, " LIST",
     "when a delivery is to be reported: never, or\n"
     "success,failure,delay"},
    {"dsn-ret", required_argument, OPT_DSN_RET, SEND, " WHAT",
     "what the report of a failure holds: full or hdrs"},
    {"envid", required_argument, OPT_ENVID, SEND, " TEXT",
     "what such a report is to call the message"},
    {"require-tls", no_argument, OPT_REQUIRE_TLS, SEND, "",
     "no relay on its way may do without verified TLS"},
    {"smtputf8", no_argument, OPT_SMTPUTF8, SEND, "", "the header is in UTF-8"},
    {"deliver-by", required_argument, OPT_DELIVER_BY, SEND,
     " SECONDS[:notify|:return][:trace]",
     "until when; else the sender hears of it, or gets\n"
     "it back; with a report of each relay"},
    {"hold-for", required_argument, OPT_HOLD_FOR, SEND, " SECONDS",
     "the server is to hold it back for so long"},
    {"hold-until", required_argument, OPT_HOLD_UNTIL, SEND, " TIME",
     "or until 2027-01-31T09:00:00Z"},
    {"priority", required_argument, OPT_PRIORITY, SEND, " N",
     "its urgency, -9 to 9"},
    {"submitter", required_argument, OPT_SUBMITTER, SEND, " ADDR",
     "who handed it in (AUTH=); '' for not known"},
    {"optional-params", no_argument, OPT_OPTIONAL_PARAMS, SEND, "",
     "leave out what it doesn't offer of DSN,\n"
     "DELIVERBY, MT-PRIORITY and AUTH="},
    {"all-or-nothing", no_argument, OPT_ALL_OR_NOTHING, SEND, "",
     "nobody gets it unless everybody can"},
    {"refuse-8bit", no_argument, OPT_REFUSE_8BIT, SEND, "",
     "no octets above 127 to a server without 8BITMIME"},
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
    {"t", no_argument, 't', SEND, "",
     "as sendmail: recipients of the header too"},
    {"i", no_argument, 'i', SEND, "",
     "as sendmail: a lone dot ends nothing (it never\n"
     "does). With -i or any of these, arguments are\n"
     "recipients, and standard input is the message"},
    {"f", required_argument, 'f', SEND, " ADDR", "the sender; also -r"},
    {"F", required_argument, 'F', SEND, " NAME",
     "the sender's name, for a message without From"},
    {"N", required_argument, 'N', SEND, " LIST",
     "--dsn-notify, where it is offered"},
    {"R", required_argument, 'R', SEND, " WHAT", "likewise --dsn-ret"},
    {"V", required_argument, 'V', SEND, " TEXT", "likewise --envid"},
    {"help", no_argument, OPT_HELP, BOTH, "", "this"},
};

enum { NROWS = sizeof(rows) / sizeof(rows[0]), COLUMN = 25 };
static_assert((int)NROWS <= (int)ROWS_MAX, "more options than room for them");

static int is_letter(const row_t* row) { return row->name[1] == '\0'; }

static void print_row(FILE* to, const row_t* row) {
  int column = fprintf(to, "  %s%s%s", is_letter(row) ? "-" : "--", row->name,
                       row->value);
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

void rows_usage(FILE* to, unsigned int command) {
  size_t i;
  if (command == SEND)
    fputs(
        "usage: uvsmtp send [options] [FILE]\n"
        "       uvsmtp send -i [options] [--] ADDR...\n"
        "       uvsmtp send -t [options]\n"
        "Sends one message, from FILE or standard input, by default to\n"
        "smtp://localhost, to those that its header names or --to does.\n\n",
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

void rows_long(unsigned int command, struct option list[ROWS_MAX + 1]) {
  size_t n = 0;
  size_t i;
  memset(list, 0, (ROWS_MAX + 1) * sizeof(*list));
  for (i = 0; i < NROWS; i++)
    if ((rows[i].commands & command) && !is_letter(&rows[i]))
      list[n++] =
          (struct option){rows[i].name, rows[i].has_arg, NULL, rows[i].id};
}

const char* rows_name(int id) {
  static char name[40];
  size_t i;
  *name = '\0';
  if (id < OPT_SERVER) snprintf(name, sizeof(name), "-%c", id);
  for (i = 0; i < NROWS; i++)
    if (rows[i].id == id && !is_letter(&rows[i]))
      snprintf(name, sizeof(name), "--%s", rows[i].name);
  return name;
}

int rows_is_beginning(const char* word) {
  size_t n = strcspn(word, "=");
  size_t i;
  for (i = 0; i < NROWS && n > 2; i++)
    if (!is_letter(&rows[i]) && strncmp(rows[i].name, word + 2, n - 2) == 0)
      return 1;
  return 0;
}

int rows_lacks_dash(const char* word) {
  size_t n = strcspn(word, "=");
  size_t i;
  if (*word != '-') return 0;
  for (i = 0; i < NROWS; i++)
    if (!is_letter(&rows[i]) && strlen(rows[i].name) == n - 1 &&
        strncmp(rows[i].name, word + 1, n - 1) == 0)
      return 1;
  return 0;
}
