/* SPDX-License-Identifier: MIT */
/* peer.c: the server. It holds the client to what it said in its EHLO (RFC 2920
 * groups, RFC 9422 limits, no extension that it did not offer), to the order of
 * RFC 5321 4.1.4, and to the messages that the caller wrote. Where servers
 * differ, a seed has one or the other. */
#include "peer.h"

#include <stdio.h>
#include <string.h>

#include "server.h"

traits_t is;
session_t at;
transaction_t txn;

int peer_is_lmtp(void) { return is.lmtp; }
int peer_has_chunking(void) { return is.chunking; }
int peer_is_done(void) { return at.mood == DONE; }
int peer_is_mute(void) { return at.mood == MUTE; }

int trouble(unsigned int n) { return !is.calm && once_in(n); }

letter_t* letter(void) { return &letters[txn.letter]; }

/* ---------------------------------------------------------------- replies */

int say(int kind, int rcpt, int code, const char* text) {
  said_t said = {0, kind, code, txn.serial, txn.letter, rcpt};

  return wire_say(&said, text);
}

void end_session(int mood) {
  at.mood = mood;
  letters_break(1);
}

void say_goodbye(int kind, int rcpt) {
  (void)say(kind, rcpt, 421, "4.3.2 no more");
  end_session(DONE);
}

void forget(void) {
  txn.open = 0;
  txn.asked = 0;
  txn.ntaken = 0;
  txn.refused_chunk = 0;
  txn.len = 0;
}

/* --------------------------------------------------------------- commands */

static void hello(const char* line) {
  char text[256];
  size_t n;

  if ((*line == 'L') != is.lmtp) wrong("the other hello: %s", line);
  forget();
  at.helloed = 1;
  n = (size_t)sprintf(text, "250-x\r\n");
  if (is.pipelining) n += (size_t)sprintf(text + n, "250-PIPELINING\r\n");
  if (is.chunking) n += (size_t)sprintf(text + n, "250-CHUNKING\r\n");
  if (is.eight) n += (size_t)sprintf(text + n, "250-8BITMIME\r\n");
  if (is.size) n += (size_t)sprintf(text + n, "250-SIZE 1000000\r\n");
  if (is.rcpt_max > 0 || is.mail_max > 0) {
    n += (size_t)sprintf(text + n, "250-LIMITS");
    if (is.rcpt_max > 0)
      n += (size_t)sprintf(text + n, " RCPTMAX=%d", is.rcpt_max);
    if (is.mail_max > 0)
      n += (size_t)sprintf(text + n, " MAILMAX=%d", is.mail_max);
    n += (size_t)sprintf(text + n, "\r\n");
  }
  sprintf(text + n, "250 HELP\r\n");
  wire_lines(text);
}

/* RFC 2920 3.1: these are the last of their group. */
static int ends_group(const char* line) {
  return strncmp(line, "RCPT", 4) != 0 && strncmp(line, "MAIL", 4) != 0 &&
         strncmp(line, "RSET", 4) != 0 && strncmp(line, "BDAT", 4) != 0;
}

/* May the client have more than one command on the way? */
static int is_grouped(const char* line) {
  int of_letter = strncmp(line, "RCPT", 4) == 0 ||
                  strncmp(line, "BDAT", 4) == 0 || strcmp(line, "DATA") == 0;

  if (!is.pipelining || !at.helloed) return 0;
  return !of_letter || txn.serial == 0 ||
         !(letter()->flags & UVSMTP_MESSAGE_NO_PIPELINING);
}

static void command(const char* line) {
  if (trouble(400)) {
    say_goodbye(SAID_OTHER, NONE);
    return;
  }
  if (trouble(800)) {
    end_session(MUTE);
    return;
  }
  if (strncmp(line, "EHLO ", 5) == 0 || strncmp(line, "LHLO ", 5) == 0) {
    hello(line);
  } else if (strncmp(line, "MAIL ", 5) == 0) {
    mail(line);
  } else if (strncmp(line, "RCPT ", 5) == 0) {
    rcpt(line);
  } else if (strcmp(line, "DATA") == 0) {
    data();
  } else if (strncmp(line, "BDAT ", 5) == 0) {
    bdat(line);
  } else if (strcmp(line, "RSET") == 0) {
    forget();
    (void)say(SAID_OTHER, NONE, 250, "2.0.0 as new");
  } else if (strcmp(line, "NOOP") == 0) {
    (void)say(SAID_OTHER, NONE, 250, "2.0.0 nothing");
  } else if (strcmp(line, "QUIT") == 0) {
    (void)say(SAID_OTHER, NONE, 221, "2.0.0 goodbye");
    end_session(DONE);
  } else {
    wrong("not a command of the model's: %s", line);
  }
}

/* ---------------------------------------------------------------- the wire */

static void command_line(const char* line, size_t n) {
  char text[1024];
  size_t read = wire_read_before();

  if (n < 2 || n > sizeof(text) || memcmp(line + n - 2, "\r\n", 2) != 0)
    wrong("not a command line: %.*s", (int)n, line);
  memcpy(text, line, n - 2);
  text[n - 2] = '\0';
  show("C: %s\n", text);
  if (read < (is_grouped(text) ? at.floor : wire_said()))
    wrong("%s is sent before what it has to wait for", text);
  wire_skip(n);
  command(text);
  if (ends_group(text)) at.floor = wire_said();
}

/* Some of a chunk: 0 when there is nothing to do for now. */
static int serve_chunk(const char* in, size_t n) {
  if (n > at.left) n = at.left;
  if (n == 0 && at.left > 0) return 0;
  chunk(in, n);
  at.left -= n;
  wire_skip(n);
  if (at.left == 0) chunk_over();
  return 1;
}

void peer_serve(void) {
  for (;;) {
    size_t n;
    const char* in = wire_in(&n);
    const char* end;

    if (at.mood != ALIVE) {
      wire_ignore();
      return;
    }
    if (at.mode == CHUNK) {
      if (!serve_chunk(in, n)) return;
      continue;
    }
    end = memchr(in, '\n', n);
    if (end == NULL) return;
    n = (size_t)(end - in) + 1;
    if (at.mode == COMMANDS) {
      command_line(in, n);
      continue;
    }
    if (at.floor > wire_read_before()) wrong("text before the 354");
    text_line(in, n);
    wire_skip(n);
  }
}

void peer_drain(void) {
  const char* in;
  size_t n;

  peer_serve();
  if (at.mood != ALIVE) letters_break(1);
  in = wire_in(&n);
  if (at.mode != TEXT) return;
  /* What ends a text begins with the CR of its last line. */
  if (n > 0 && *in == '.') n--;
  if (txn.len + n + 1 >= letter()->len) letter()->ended = 1;
}

void peer_open(void) {
  wire_open();
  memset(&at, 0, sizeof(at));
  forget();
  if (trouble(60)) {
    wire_lines("554 not today\r\n");
    end_session(DONE);
    return;
  }
  wire_lines("220 x\r\n");
  at.floor = wire_said();
}

void peer_close(void) {
  show("-- the connection ends\n");
  letters_break(0);
  wire_open();
  memset(&at, 0, sizeof(at));
  forget();
}

void peer_make(void) {
  memset(&is, 0, sizeof(is));
  memset(&at, 0, sizeof(at));
  memset(&txn, 0, sizeof(txn));
  wire_begin();
  is.lmtp = once_in(4);
  is.pipelining = !once_in(3);
  is.chunking = once_in(2);
  is.eight = once_in(2);
  is.size = once_in(2);
  is.rcpt_max = once_in(3) ? 1 + (int)any(5) : 0;
  is.mail_max = once_in(4) ? 1 + (int)any(4) : 0;
  is.room = once_in(2) ? 1 + (int)any(8) : 0;
  is.crowded = (int)any(6);
  is.patience = once_in(8) ? 3 + (int)any(10) : 0;
  is.calm = once_in(4);
  is.keeps_open = once_in(2);
  /* RFC 2033 4.2 forbids it under LMTP. */
  is.goes_anyway = !is.lmtp && once_in(3);
}
