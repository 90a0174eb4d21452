/* SPDX-License-Identifier: MIT */
/* options.h: what was asked for: the arguments of the command line. */
#ifndef UVSMTP_TOOL_OPTIONS_H
#define UVSMTP_TOOL_OPTIONS_H

#include <stdio.h>

#include "uvsmtp.h"

/* Whom --server means. */
typedef struct server_s {
  char host[256];
  int port; /* 0: the default */
  int lmtp;
  int implicit;   /* smtps: TLS from the first octet */
  int named;      /* host is a name, neither an address nor a path */
  char user[256]; /* decoded; "": none */
} server_t;

/* Reads what names a server. NULL, or what is wrong with it. */
const char* parse_server(server_t* s, const char* url);
/* HOST, HOST:PORT, [V6], [V6]:PORT, or an IPv6 literal without brackets. NULL,
 * or what is wrong. *port stays where none is given. */
const char* parse_host_port(const char* text, char* host, size_t cap,
                            int* port);
/* The URL for an error message: without a user and password in it. */
void url_masked(const char* url, char* to, size_t cap);

enum command { SEND = 1u << 0, PROBE = 1u << 1 };

/* A growing list of strings of the command line. */
typedef struct strings_s {
  const char** list;
  size_t n;
} strings_t;

/* How a connection is to be secured; strings as they were given, or NULL. */
typedef struct tls_options_s {
  int policy;   /* uvsmtp_tls_policy */
  int insecure; /* whoever answers is taken for the server */
  const char* ca;
  const char* name;
  strings_t pins;
  const char* cert;
  const char* key;
  const char* passphrase_file;
  const char* ciphers;
  int min; /* uvsmtp_tls_version, 0: the library's */
  int max;
} tls_options_t;

/* Who is to log in, and where the secret is; strings as they were given, or
 * NULL. */
typedef struct login_options_s {
  const char* user;
  const char* password_file;
  int password_fd; /* -1: none */
  const char* token_file;
  const char* mechs;
  const char* authzid;
  int netrc;              /* look into the usual file */
  const char* netrc_file; /* or into this one */
  int allow_plaintext;
} login_options_t;

/* A message that is written here. */
typedef struct draft_options_s {
  int wanted;          /* there is one */
  const char* subject; /* or NULL */
  const char* text;    /* NULL: what FILE or standard input holds */
  strings_t cc;
  strings_t bcc;
} draft_options_t;

/* What is called like sendmail(8): arguments are recipients, and standard input
 * is the message. */
typedef struct sendmail_options_s {
  int wanted;            /* by one of its options, or by its name */
  int by_name;           /* the program was called sendmail */
  int header;            /* -t: the recipients of the header too */
  const char* full_name; /* -F, or NULL */
} sendmail_options_t;

typedef struct options_s {
  unsigned int command;
  strings_t words;      /* what is no option */
  const char* url;      /* as it was given; NULL: none */
  const char* url_name; /* what it was given by: "--server" ... */
  server_t server;
  const char* bind; /* as it was given; NULL: none */
  char bind_host[64];
  int bind_port;
  tls_options_t tls;
  login_options_t login;
  const char* from; /* NULL: the header's */
  strings_t to;     /* none: the header's */
  strings_t mail_options;
  strings_t rcpt_options;
  const char* helo;
  const char* file; /* NULL or "-": standard input */
  uvsmtp_mail_params_t params;
  unsigned int message_flags; /* uvsmtp_message_flags */
  draft_options_t draft;
  sendmail_options_t sendmail;
  int64_t timeout; /* milliseconds, 0: the library's defaults */
  int64_t connect_timeout;
  int64_t message_timeout;
  unsigned int keepalive; /* seconds, 0: none */
  int in_turn;
  int no_pipelining;
  int no_chunking;
  int trace;
  unsigned int trace_flags; /* uvsmtp_print_flags */
  int progress;             /* 1, 0, or -1: on a terminal */
  int json;
} options_t;

/* Reads the arguments behind the command's name, or behind that of sendmail
 * (by_name). 0, or an exit status with *error set to a sentence (static or in a
 * buffer of its own); -1: help was shown. */
int options_parse(options_t* o, unsigned int command, int by_name, int argc,
                  char** argv, const char** error);
void options_free(options_t* o);

/* What follows is shared by the files that read arguments; functions return
 * NULL, or what is wrong. */

/* Remembers one more; the list is freed by options_free. */
const char* options_add(strings_t* s, const char* text);
/* "OPTION VALUE: wrong", in a buffer that the next call uses again. value may
 * be NULL. */
const char* options_complain(const char* option, const char* value,
                             const char* wrong);
/* A whole number of the range. */
const char* parse_whole(const char* text, long min, long max, long* n);

/* One of the options from OPT_DSN_NOTIFY to OPT_REFUSE_8BIT, or -N, -R, -V. */
const char* parse_param(options_t* o, int option, const char* arg);
/* Parameters that can't be meant together. */
const char* params_check(const options_t* o);

/* The letters that sendmail has as options, as getopt wants them. */
const char* sendmail_letters(int by_name);
/* One of these. */
const char* sendmail_option(options_t* o, int letter, const char* arg);
/* What the words are that are no options. */
const char* sendmail_arguments(options_t* o);

#endif
