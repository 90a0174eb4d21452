/* SPDX-License-Identifier: MIT */
/* rows.h: the options, each once: what getopt_long has to know of it, and what
 * --help says. */
#ifndef UVSMTP_TOOL_ROWS_H
#define UVSMTP_TOOL_ROWS_H

#include <getopt.h>
#include <stdio.h>

/* Of those with one letter it is the letter. The order counts: options.c knows
 * options of a kind by the first and the last of them. */
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
  OPT_CC,
  OPT_BCC,
  OPT_SUBJECT,
  OPT_TEXT,
  OPT_DSN_NOTIFY,
  OPT_DSN_RET,
  OPT_ENVID,
  OPT_REQUIRE_TLS,
  OPT_SMTPUTF8,
  OPT_DELIVER_BY,
  OPT_HOLD_FOR,
  OPT_HOLD_UNTIL,
  OPT_PRIORITY,
  OPT_SUBMITTER,
  OPT_OPTIONAL_PARAMS,
  OPT_ALL_OR_NOTHING,
  OPT_REFUSE_8BIT,
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

enum { ROWS_MAX = 80 };

/* The long options of a command, ended by one of zeros. */
void rows_long(unsigned int command, struct option list[ROWS_MAX + 1]);
/* "--to", "-t", "" for none. In a buffer that the next call uses again. */
const char* rows_name(int id);
/* Options may be cut short where that leaves no doubt: could this word be one
 * that was cut too short? */
int rows_is_beginning(const char* word);
/* Is this the name of a long option behind a single dash? */
int rows_lacks_dash(const char* word);
void rows_usage(FILE* to, unsigned int command);

#endif
