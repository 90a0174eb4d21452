/* SPDX-License-Identifier: MIT */
/* printer.c: the ready-made trace function. */
#include "uv/uv_int.h"

void uvsmtp_printer_init(uvsmtp_printer_t* p, unsigned int flags,
                         uvsmtp_print_cb print, void* arg) {
  (void)p;
  (void)flags;
  (void)print;
  (void)arg;
}

void uvsmtp_printer_trace(void* printer, int kind, const char* text,
                          size_t len) {
  (void)printer;
  (void)kind;
  (void)text;
  (void)len;
}

void uvsmtp_printer_flush(uvsmtp_printer_t* p) { (void)p; }
