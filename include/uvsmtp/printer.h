/* SPDX-License-Identifier: MIT */
/* uvsmtp/printer.h: a ready-made trace function. */
#ifndef UVSMTP_PRINTER_H
#define UVSMTP_PRINTER_H

#include "uvsmtp/types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Gets octets to print; a line ends with LF, and comes in one piece unless it
 * is longer than about 1,000 octets or one of message text. Called from within
 * a trace: the rules of a source's functions hold. */
typedef void (*uvsmtp_print_cb)(void* arg, const char* text, size_t len);

enum uvsmtp_print_flags {
  UVSMTP_PRINT_TIMES = 1u << 0, /* the local time before each line, and before
                                   its prefix: smtplib's debug level 2 */
  UVSMTP_PRINT_TEXT = 1u << 1   /* the message text too, not only its length:
                                   "-> | " and a line as it goes out */
};

/* A ready-made trace function: "-> EHLO ...", "<- 250 ...", "** remark", and
 * "-> (123 octets of text)" before what follows a message's text. Controls and
 * octets above 126 are shown as \xNN, since a server may say what a terminal
 * would obey. */
typedef struct uvsmtp_printer_s {
  size_t size;
  unsigned int flags;    /* uvsmtp_print_flags */
  uvsmtp_print_cb print; /* NULL: to standard error, by write(2): errors are
                            ignored, SIGPIPE is the program's own affair */
  void* arg;             /* the first argument of print */
  const char* prefix;    /* before each line, as it is, to tell sessions apart;
                            borrowed; NULL: none */
  uint64_t octets;       /* private from here */
  unsigned int state;
  void* reserved[2];
} uvsmtp_printer_t;

/* Prepares one: flags, print and arg as above, no prefix. One for each session,
 * which must outlive its use as trace. */
UVSMTP_EXTERN void uvsmtp_printer_init(uvsmtp_printer_t* printer,
                                       unsigned int flags,
                                       uvsmtp_print_cb print, void* arg);
/* For a configuration's trace, with the printer as trace_arg. */
UVSMTP_EXTERN void uvsmtp_printer_trace(void* printer, int kind,
                                        const char* text, size_t len);
/* Says how much text has gone by since the last line, if any did: for a session
 * that ended within a text. */
UVSMTP_EXTERN void uvsmtp_printer_flush(uvsmtp_printer_t* printer);

#ifdef __cplusplus
}
#endif
#endif
