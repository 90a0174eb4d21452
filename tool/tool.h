/* SPDX-License-Identifier: MIT */
/* tool.h: what the files of the command line share. */
#ifndef UVSMTP_TOOL_H
#define UVSMTP_TOOL_H

#include <jansson.h>
#include <signal.h>
#include <stdio.h>

#include "options.h"

/* Exit statuses: those of sysexits.h, and 130 for an interrupt. */
enum {
  EXIT_SENT = 0,
  EXIT_BAD_USAGE = 64,
  EXIT_BAD_MESSAGE = 65,
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

/* ------------------------------------------------------------------- TLS */

/* Words of the command line. NULL, or what is wrong with them. */
const char* parse_policy(const char* text, int* policy);
const char* parse_version(const char* text, int* version);
/* Options that can't be meant together. NULL, or a sentence (static or in a
 * buffer of its own). Sets what follows from others. */
const char* settings_check(options_t* o);
/* The policy, with the library's choice where none was given, and for who logs
 * in. */
int settings_policy(const options_t* o);
/* Whether it is another one only for who logs in. */
int settings_raised(const options_t* o);
/* The port, with the default where none was given; 0 for a Unix socket. */
int settings_port(const options_t* o);
/* Settings as the options and the environment want them; NULL where the
 * library's own will do, or none can be needed. 0, or an exit status with a
 * sentence in error. */
int settings_make(const options_t* o, uvsmtp_tls_t** tls, char* error,
                  size_t cap);

/* What is known of a connection's TLS, as JSON; null for NULL. */
json_t* tls_json(const uvsmtp_tls_info_t* info);
/* "TLSv1.3, SUITE, verified as NAME", or why it failed. */
void tls_text(const uvsmtp_tls_info_t* info, char* to, size_t cap);
/* The server's certificate, and what to give --pin for it. */
void tls_print_certificate(const uvsmtp_tls_info_t* info);

/* --------------------------------------------------------------- signals */

enum { SIGNALS = 6 };

/* Signals that are held back. */
typedef struct signals_s {
  sigset_t before; /* the mask to wait with */
  struct sigaction actions[SIGNALS];
  size_t n;
} signals_t;

/* From now on signals are noted, and come only in signals_await: SIGINT and
 * SIGTERM, which are noted also when the others are not held any more; asking:
 * and those that concern who has changed a terminal. */
void signals_hold(signals_t* held, int asking);
void signals_release(const signals_t* held);
/* Waits until fd has octets or an end. 0 or an errno: EINTR when a signal has
 * been noted. */
int signals_await(int fd, const sigset_t* mask);
/* One that was noted, or 0. */
int signals_caught(void);
/* SIGINT or SIGTERM came, whatever anybody said meanwhile. */
int signals_stopped(void);
/* Of all others. */
void signals_forget(void);

/* ----------------------------------------------------------------- login */

enum { SECRET_MAX = 8192, USER_MAX = 1024 };

/* A password or a token. */
typedef struct secret_s {
  size_t len;
  char text[SECRET_MAX + 4]; /* room to see that it is longer */
} secret_t;

/* A file to be read with the two below. As open(2). */
int secret_open(const char* path);
/* Reads to the end. 0 or an errno: EFBIG when there is more than fits, EINTR
 * when a signal was noted. */
int secret_load(int fd, char* to, size_t cap, size_t* len);
/* The same for a secret, which is all but a line end at the end. NULL, or what
 * is wrong with it, and an errno if that is the reason. stdin_taken: it may not
 * be standard input. */
const char* secret_read(secret_t* s, int fd, int stdin_taken, int* err);
/* Whether it is standard input, by whatever name. */
int secret_is_stdin(int fd);
/* Asks for a password on the terminal, which does not show it: as
 * secret_read. */
const char* secret_ask(secret_t* s, const char* user, const char* where,
                       int* err);
void secret_wipe(secret_t* s);

/* What is looked for in a netrc file; user: NULL for any. */
typedef struct netrc_query_s {
  const char* host;
  int port; /* 0: none */
  int lmtp;
  const char* user;
} netrc_query_t;

/* What was found there; empty what the entry does not have. */
typedef struct netrc_entry_s {
  uvsmtp_slice_t login;
  uvsmtp_slice_t password;
  unsigned int line;
  const char* wrong; /* with the file, at that line; or NULL */
} netrc_entry_t;

/* Whether there is an entry. text is changed, and found points into it. */
int netrc_find(char* text, size_t len, const netrc_query_t* q,
               netrc_entry_t* found);

/* Whether anybody is to log in. */
int login_wanted(const options_t* o);
/* Options that can't be meant together. NULL, or a sentence (static or in a
 * buffer of its own). */
const char* login_check(options_t* o);
/* Reads or asks for what is needed, and makes credentials; who: the name, "" if
 * there is none. 0, or an exit status with a sentence in error. */
int login_make(const options_t* o, const char* where,
               uvsmtp_credentials_t** credentials, char who[USER_MAX],
               char* error, size_t cap);

/* ----------------------------------------------------------------- input */

/* Whether a file can be read, without waiting for whoever writes a pipe. 0 or
 * an errno, EISDIR for a directory. */
int input_look(const char* path);

/* Where the message comes from. */
typedef struct input_s {
  const char* name; /* for error messages */
  const char* path; /* NULL: standard input */
  int whole;        /* all of it has been read: */
  char* text;       /* a NUL is behind it */
  size_t len;
} input_t;

/* Before anything is connected: looks whether the file can be read, waits for
 * standard input to begin, reads all of what is typed on a terminal, or
 * wherever it comes from (whole). 0, or an exit status with a sentence in
 * error. */
int input_prepare(input_t* in, const char* file, int whole, char* error,
                  size_t cap);
/* Whether that is a file with a name. */
int input_is_file(const char* file);
void input_free(input_t* in);

/* ------------------------------------------------------------------- run */

/* One attempt to connect. */
typedef struct attempt_s {
  struct sockaddr_storage address; /* of no family: the Unix socket */
  int status;
  uint64_t ms;
} attempt_t;

enum { ATTEMPTS = 16 /* the library tries no more addresses of a name */ };

/* What the commands have in common: a loop, a session, and its end. */
typedef struct run_s run_t;
struct run_s {
  options_t o;
  uv_loop_t loop;
  uvsmtp_env_t* env;
  uvsmtp_session_t* session;
  uvsmtp_tls_t* tls;                 /* settings; NULL: the library's */
  uvsmtp_credentials_t* credentials; /* NULL: nobody logs in */
  char who[USER_MAX];                /* their name, or "" */
  json_t* auth;                      /* the login, once there was one */
  char* offered; /* the mechanisms of the server; NULL: not known, "": none */
  uv_signal_t signals[2];
  uv_check_t turn;
  uvsmtp_printer_t printer;
  void (*ended)(run_t* run); /* closes the command's own handles; may be NULL */
  char where[300];           /* the server, for people */
  attempt_t attempts[ATTEMPTS];
  size_t nattempts;
  const char* source; /* what the message is read from, for people */
  int looping;        /* there is a loop */
  int watching;       /* signals are */
  int over;           /* every call has completed */
  int stuck;          /* the system still holds a lookup or a read */
};

/* Makes loop, environment and session. 0, or an exit status, after the error
 * has been said. run->o is set. */
int run_open(run_t* run);
/* Whoever is to log in: where the secret is, or asks for it. Behind all that
 * can be known to be wrong before. 0, or an exit status, after the error has
 * been said. */
int run_log_in(run_t* run);
/* Connects to the server, with those credentials. As uvsmtp_connect. */
int run_connect(run_t* run, uvsmtp_cb cb, void* data);
/* From now on SIGINT and SIGTERM end the session. */
void run_watch(run_t* run);
/* A session that is never connected, for what the library may not take to be
 * offered to. The caller closes it. 0 or an error. */
int run_scratch(run_t* run, uvsmtp_session_t** session);
/* Ends the session at once; what is pending completes. */
void run_end(run_t* run);
/* Runs until every call has completed and the session has gone, or the system
 * holds on to it. Also after a run_open that failed. */
void run_loop(run_t* run);
/* Leaves with the exit status (see finish), without waiting for what the system
 * holds on to. */
int run_exit(run_t* run, int status, int settled);

/* Before anything else is said: what the trace still has to say. */
void run_flush_trace(run_t* run);
/* Remembers by what somebody is logged in, and what the server offers, while it
 * is known. */
void run_keep_login(run_t* run, const uvsmtp_session_t* session);
/* In the completion of a connect: remembers its attempts. */
void run_keep_attempts(run_t* run, const uvsmtp_session_t* session);
/* As JSON: [{"address", "status", "ms"}]. */
json_t* run_attempts_json(const run_t* run);

/* An address as scripts want it (1.2.3.4:25, [::1]:25, /path), or people. */
void address_text(const run_t* run, const struct sockaddr* address, int people,
                  char* to, size_t cap);

/* Says what failed before there was a result, and returns exit_status. */
int run_fail(const run_t* run, const char* status, int exit_status,
             const char* error);
/* The same for a signal that came before there was a loop. */
int run_fail_stopped(const run_t* run);

/* Before anybody types a message: are the arguments any good? 0, or an exit
 * status after the error has been said. */
int check_arguments(run_t* run);

/* -------------------------------------------------------------- progress */

/* A line on standard error that tells how much has been sent. */
typedef struct progress_s {
  uv_timer_t timer;
  int wanted;
  int live; /* on a terminal: the line is written over */
  size_t shown;
  uint64_t sent;
  int64_t total;
  uint64_t begun; /* by uv_hrtime; 0: not yet */
  uint64_t noted; /* when sent last changed */
} progress_t;

/* Whether there is to be one, and its timer. */
int progress_init(progress_t* p, uv_loop_t* loop, const options_t* o);
/* For a message's progress, with the progress_t as argument. */
void progress_note(void* progress, uint64_t sent, int64_t total);
/* Erases the line; no other comes. Idempotent. */
void progress_end(progress_t* p);
/* The line itself, at a time by uv_hrtime. */
void progress_line(const progress_t* p, uint64_t now, char* to, size_t cap);
/* "12.3 MiB" */
void octets_text(uint64_t octets, char* to, size_t cap);

/* ---------------------------------------------------------------- report */

/* What a run came to. */
typedef struct verdict_s {
  const char* status; /* "ok", "partial" ...; NULL: none yet */
  int exit_status;
  int untrusted; /* the server did not prove who it is */
} verdict_t;

/* The verdict on a result. named: the host is a name that was looked up. */
verdict_t verdict_of(const uvsmtp_result_t* result, int named);
/* The command at which it was decided; NULL when none had a part in it. */
const char* stage_name(int stage);
/* The same for people. */
const char* stage_words(int stage);
json_t* stage_json(int stage);

/* What went wrong, as a sentence without the server's words. */
void report_sentence(const run_t* run, const verdict_t* v,
                     const uvsmtp_result_t* r, char* to, size_t cap);
/* {"code", "enhanced", "text"}, or null. */
json_t* reply_json(const uvsmtp_reply_t* reply);
/* ": 250 Ok" */
void reply_print(FILE* to, const uvsmtp_reply_t* reply);
/* The status and the sentence, without the end of the line. */
void report_line(const run_t* run, const verdict_t* v, const uvsmtp_result_t* r,
                 FILE* to);

/* A JSON object as documented in the README: connect is the failed connect's
 * result or NULL, sent the message's or NULL. Returns NULL for no memory. */
json_t* report_json(const run_t* run, const verdict_t* v,
                    const uvsmtp_result_t* connect,
                    const uvsmtp_result_t* sent);
/* The same for what failed before there was a result. */
json_t* report_json_local(const verdict_t* v, const char* error);
/* A short report for people, on standard output when somebody got the message,
 * else on standard error; and what that means for who wants to send again. r is
 * the failed connect's result for the first, or else the message's. */
void report_text(const run_t* run, const verdict_t* v,
                 const uvsmtp_result_t* r);
void report_advice(const run_t* run, const verdict_t* v,
                   const uvsmtp_result_t* r);

/* The login: {"mechanism", "user"}, or null. */
json_t* auth_json(const run_t* run);
/* What a mechanism had to say, or null; as a line, if it had. */
json_t* auth_detail_json(const uvsmtp_result_t* result);
void auth_detail_print(const uvsmtp_result_t* r, FILE* to);
/* Whether this is one of a login's states. */
int auth_is_stage(int stage);
/* Whether the login is what failed, and why, as a sentence without the server's
 * words. */
int auth_failed(const uvsmtp_result_t* r);
void auth_sentence(const run_t* run, const uvsmtp_result_t* r, char* to,
                   size_t cap);
/* What can be done about a failure: "" for nothing, NULL where the login has no
 * part in it. */
const char* auth_advice(const run_t* run, const uvsmtp_result_t* r);
/* "USER by MECHANISM", and a line end. */
void auth_print(const run_t* run, FILE* to);

/* The parts of a probe that are timed. */
enum { CONNECT, GREETING, HELLO, SHAKE, LOGIN, LAPS };

/* What a probe learns. Replies are in JSON from the start, since results end.
 */
typedef struct facts_s {
  json_t* greeting; /* replies, or NULL */
  json_t* ehlo;
  json_t* helo;
  json_t* reply;      /* the deciding one */
  json_t* extensions; /* {KEYWORD: parameters}, in the server's order */
  json_t* tls;
  json_t* detail;
  const char* stage;
  int esmtp;
  int starttls;         /* it was offered; -1: not known */
  double ms[LAPS];      /* how long each took; below 0: not reached */
  char address[2][128]; /* the server's, for scripts and for people */
  char local[2][128];
} facts_t;

/* What nothing is known of yet. */
void facts_init(facts_t* f);
void facts_free(facts_t* f);
json_t* facts_json(const run_t* run, const verdict_t* v, const facts_t* f,
                   const char* error);
/* info: the connection's TLS, or NULL. */
void facts_print(const run_t* run, const facts_t* f,
                 const uvsmtp_tls_info_t* info);

/* ------------------------------------------------------------------ text */

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

/* The commands. */
int send_main(int by_name, int argc, char** argv);
int probe_main(int argc, char** argv);

#endif
