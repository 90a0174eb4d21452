/* SPDX-License-Identifier: MIT */
/* tool.h: what the files of the command line share. */
#ifndef UVSMTP_TOOL_H
#define UVSMTP_TOOL_H

#include <jansson.h>
#include <stdio.h>

#include "uvsmtp.h"

/* Exit statuses: those of sysexits.h, and 130 for an interrupt. */
enum {
  EXIT_SENT = 0,
  EXIT_BAD_USAGE = 64,
  EXIT_NO_INPUT = 66,
  EXIT_NO_USER = 67,
  EXIT_NO_HOST = 68,
  EXIT_UNAVAILABLE = 69,
  EXIT_UNSURE = 70, /* EX_SOFTWARE: it may have been delivered */
  EXIT_OS = 71,
  EXIT_IO = 74,
  EXIT_TRY_LATER = 75,
  EXIT_PROTOCOL = 76,
  EXIT_NO_PERMISSION = 77,
  EXIT_INTERRUPTED = 130
};

/* A growing list of strings of the command line. */
typedef struct strings_s {
  const char** list;
  size_t n;
} strings_t;

typedef struct options_s {
  char host[256]; /* from --server */
  int port;
  int lmtp;
  int named; /* host is a name, neither an address nor a path */
  char bind_host[64];
  int bind_port;
  const char* from;
  strings_t to;
  strings_t mail_options;
  strings_t rcpt_options;
  const char* helo;
  const char* file; /* NULL or "-": standard input */
  int64_t timeout;  /* milliseconds, 0: the library's defaults */
  int64_t connect_timeout;
  int no_pipelining;
  int no_chunking;
  int trace;
  int json;
} options_t;

/* Reads the arguments behind "send". 0, or an exit status with *error set to a
 * sentence (static or in a buffer of its own); -1: help was shown. */
int options_parse(options_t* o, int argc, char** argv, const char** error);
void options_free(options_t* o);
void options_usage(FILE* to);

/* What a run came to: the line for scripts and the line for people. */
typedef struct verdict_s {
  const char* status; /* "ok", "partial" ... */
  int exit_status;
  const char* where; /* what could not be connected to, or NULL */
} verdict_t;

/* The verdict on a result. named: the host is a name that was looked up. */
verdict_t verdict_of(const uvsmtp_result_t* result, int named);

/* A JSON object as documented in the README. connect is the failed connect's
 * result, or NULL; any may be NULL. Returns NULL for no memory. */
json_t* report_json(const verdict_t* v, const uvsmtp_result_t* connect,
                    const uvsmtp_result_t* sent);
/* A short report for people, on out when the message was accepted, else on err.
 */
void report_text(const verdict_t* v, const uvsmtp_result_t* connect,
                 const uvsmtp_result_t* sent, FILE* out, FILE* err);
/* The same two for what failed before there was a result. */
json_t* report_json_local(const verdict_t* v, const char* error);

/* Text of a stranger as a JSON string: what is not UTF-8 becomes U+FFFD, and so
 * does DEL. */
json_t* text_json(const char* text, size_t len);
/* A line with the JSON on standard output, in ASCII without controls; an empty
 * one for NULL. */
void json_print(const json_t* json);
/* Prints text with controls and octets above 126 as \xNN: it may come from a
 * hostile server. */
void text_print(FILE* to, const char* text, size_t len);

/* The exit status once all has been said: status, or EXIT_IO if standard output
 * did not take it all. That is always complained of; settled: whoever tried
 * again might send a message twice, so that the status stands. */
int finish(int status, int settled);

/* uvsmtp send */
int send_main(int argc, char** argv);

#endif
