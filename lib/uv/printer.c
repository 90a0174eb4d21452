/* SPDX-License-Identifier: MIT */
/* printer.c: the ready-made trace function. A line is put together on the stack
 * and handed over whole, unless it is long, so that those of several sessions
 * don't mix. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "uv/uv_int.h"

/* The printer's state. */
enum {
  IN_LINE = 1, /* a line of text has begun and not ended */
  HELD_CR = 2  /* its last octet was a CR: half a line end, or not */
};

typedef struct line_s {
  uvsmtp_printer_t* printer;
  size_t len;
  char text[1024];
} line_t;

/* ------------------------------------------------------------------ pieces */

/* What standard error does not take is lost: a trace fails nobody's mail. */
static void write_error(const char* text, size_t len) {
  while (len > 0) {
    ssize_t n = write(STDERR_FILENO, text, len);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    text += n;
    len -= (size_t)n;
  }
}

static void hand_over(line_t* l) {
  uvsmtp_printer_t* p = l->printer;
  if (l->len == 0) return;
  if (p->print != NULL)
    p->print(p->arg, l->text, l->len);
  else
    write_error(l->text, l->len);
  l->len = 0;
}

static void put_octet(line_t* l, char c) {
  if (l->len == sizeof(l->text)) hand_over(l);
  l->text[l->len++] = c;
}

static void put(line_t* l, const char* text) {
  while (*text != '\0') put_octet(l, *text++);
}

/* A stranger's octet: no control, and nothing that depends on a charset. */
static void put_escaped(line_t* l, unsigned char c) {
  static const char hex[] = "0123456789ABCDEF";
  if (c >= 32 && c <= 126) {
    put_octet(l, (char)c);
    return;
  }
  put(l, "\\x");
  put_octet(l, hex[c >> 4]);
  put_octet(l, hex[c & 15]);
}

/* With at least so many digits. */
static void put_number(line_t* l, uint64_t n, int digits) {
  char text[24];
  size_t i = sizeof(text) - 1;
  text[i] = '\0';
  while (n > 0 || digits > 0) {
    text[--i] = (char)('0' + n % 10);
    n /= 10;
    digits--;
  }
  put(l, text + i);
}

/* HH:MM:SS.ffffff, as Python prints a time. */
static void put_time(line_t* l) {
  uv_timeval64_t now;
  struct tm tm;
  time_t seconds;
  if (uv_gettimeofday(&now) != 0) return;
  seconds = (time_t)now.tv_sec;
  if (localtime_r(&seconds, &tm) == NULL) return;
  put_number(l, (uint64_t)tm.tm_hour, 2);
  put_octet(l, ':');
  put_number(l, (uint64_t)tm.tm_min, 2);
  put_octet(l, ':');
  put_number(l, (uint64_t)tm.tm_sec, 2);
  put_octet(l, '.');
  put_number(l, (uint64_t)now.tv_usec, 6);
  put_octet(l, ' ');
}

/* ------------------------------------------------------------------- lines */

static void begin_line(line_t* l, const char* mark) {
  if ((l->printer->flags & UVSMTP_PRINT_TIMES) != 0) put_time(l);
  if (l->printer->prefix != NULL) put(l, l->printer->prefix);
  put(l, mark);
}

static void end_line(line_t* l) {
  put_octet(l, '\n');
  hand_over(l);
}

/* A CR at the end belongs to a line end; any other is shown, and so is a LF
 * without one. */
static void put_text(line_t* l, unsigned char c) {
  uvsmtp_printer_t* p = l->printer;
  int held = (p->state & HELD_CR) != 0;
  if ((p->state & IN_LINE) == 0) begin_line(l, "-> | ");
  p->state = IN_LINE;
  if (held && c != '\n') put_escaped(l, '\r');
  if (c == '\r') {
    p->state |= HELD_CR;
  } else if (c != '\n') {
    put_escaped(l, c);
  } else {
    if (!held) put_escaped(l, c);
    end_line(l);
    p->state = 0;
  }
}

/* Ends a line of text that something else comes upon. */
static void break_text(line_t* l) {
  uvsmtp_printer_t* p = l->printer;
  if ((p->state & HELD_CR) != 0) put_escaped(l, '\r');
  if ((p->state & IN_LINE) != 0) end_line(l);
  p->state = 0;
}

static void print_octets(line_t* l) {
  break_text(l);
  if (l->printer->octets == 0) return;
  begin_line(l, "-> (");
  put_number(l, l->printer->octets, 1);
  put(l, " octets of text)");
  end_line(l);
  l->printer->octets = 0;
}

/* ------------------------------------------------------------ public calls */

void uvsmtp_printer_init(uvsmtp_printer_t* p, unsigned int flags,
                         uvsmtp_print_cb print, void* arg) {
  memset(p, 0, sizeof(*p));
  p->size = sizeof(*p);
  p->flags = flags;
  p->print = print;
  p->arg = arg;
}

void uvsmtp_printer_trace(void* printer, int kind, const char* text,
                          size_t len) {
  uvsmtp_printer_t* p = printer;
  line_t l;
  size_t i;
  l.printer = p;
  l.len = 0;
  if (kind == UVSMTP_TRACE_TEXT) {
    p->octets += len;
    if ((p->flags & UVSMTP_PRINT_TEXT) == 0) return;
    for (i = 0; i < len; i++) put_text(&l, (unsigned char)text[i]);
    hand_over(&l);
    return;
  }
  print_octets(&l);
  begin_line(&l, kind == UVSMTP_TRACE_SENT       ? "-> "
                 : kind == UVSMTP_TRACE_RECEIVED ? "<- "
                                                 : "** ");
  for (i = 0; i < len; i++) put_escaped(&l, (unsigned char)text[i]);
  end_line(&l);
}

void uvsmtp_printer_flush(uvsmtp_printer_t* p) {
  line_t l;
  l.printer = p;
  l.len = 0;
  print_octets(&l);
}
