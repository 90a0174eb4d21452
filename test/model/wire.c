/* SPDX-License-Identifier: MIT */
/* wire.c: see wire.h. Octets said and read are counted over all sessions, so
 * that whether a reply was read is a comparison. */
#include "wire.h"

#include <stdio.h>
#include <string.h>

#include "model.h"

enum {
  IN_MAX = 1024 * 1024,
  OUT_MAX = 64 * 1024,
  PIECES_MAX = 8192,
  LOG_MAX = 16384
};

/* Octets that came in at once. */
typedef struct piece_s {
  size_t at;   /* octets that had come in before it */
  size_t read; /* octets of replies that the client had read by then */
} piece_t;

static struct {
  char in[IN_MAX];
  size_t in_len;
  size_t in_off;
  size_t came; /* octets that came in */
  piece_t pieces[PIECES_MAX];
  size_t npieces;
  size_t piece; /* of the first octet that is there */
  char out[OUT_MAX];
  size_t out_len;
  size_t said; /* octets */
  size_t read; /* octets */
  said_t log[LOG_MAX];
  int nlog;
} wire;

void wire_open(void) {
  int i;

  wire_ignore();
  wire.out_len = 0;
  /* What was said and not read by now will never be. */
  for (i = wire.nlog; i > 0 && wire.log[i - 1].end > wire.read; i--)
    wire.log[i - 1].end = SIZE_MAX;
  wire.said = wire.read;
}

void wire_begin(void) {
  wire.nlog = 0;
  wire.said = 0;
  wire.read = 0;
  wire.came = 0;
  wire_open();
}

/* ------------------------------------------------------------- coming in */

void peer_take(const void* data, size_t n) {
  piece_t piece = {wire.came, wire.read};

  if (wire.in_len + n > IN_MAX || wire.npieces == PIECES_MAX)
    wrong("the model has no room for what is sent");
  memcpy(wire.in + wire.in_len, data, n);
  wire.in_len += n;
  wire.came += n;
  wire.pieces[wire.npieces++] = piece;
}

const char* wire_in(size_t* n) {
  *n = wire.in_len - wire.in_off;
  return wire.in + wire.in_off;
}

void wire_skip(size_t n) {
  wire.in_off += n;
  if (wire.in_off == wire.in_len) wire_ignore();
}

void wire_ignore(void) {
  wire.in_off = 0;
  wire.in_len = 0;
  wire.npieces = 0;
  wire.piece = 0;
}

size_t wire_read_before(void) {
  size_t at = wire.came - (wire.in_len - wire.in_off);

  while (wire.piece + 1 < wire.npieces && wire.pieces[wire.piece + 1].at <= at)
    wire.piece++;
  return wire.pieces[wire.piece].read;
}

/* ------------------------------------------------------------- going out */

size_t wire_said(void) { return wire.said; }

void wire_lines(const char* lines) {
  size_t n = strlen(lines);

  if (wire.out_len + n > OUT_MAX) wrong("the model has no room for replies");
  memcpy(wire.out + wire.out_len, lines, n);
  wire.out_len += n;
  wire.said += n;
  show("S: %s", lines);
}

int wire_say(const said_t* said, const char* text) {
  char lines[256];
  size_t first = strcspn(text, "\n");
  int i = wire.nlog;

  if (i == LOG_MAX) wrong("the model has no room for its log");
  if (text[first] == '\n')
    snprintf(lines, sizeof(lines), "%d-%.*s\r\n%d %s #%d\r\n", said->code,
             (int)first, text, said->code, text + first + 1, i);
  else
    snprintf(lines, sizeof(lines), "%d %s #%d\r\n", said->code, text, i);
  wire_lines(lines);
  wire.log[i] = *said;
  wire.log[i].end = wire.said;
  wire.nlog++;
  return i;
}

size_t peer_hand(char* buf, size_t cap) {
  size_t n = wire.out_len;

  if (n > 1 && once_in(3)) n = 1 + any((unsigned int)n);
  if (n > cap) n = cap;
  memcpy(buf, wire.out, n);
  memmove(wire.out, wire.out + n, wire.out_len - n);
  wire.out_len -= n;
  wire.read += n;
  return n;
}

int peer_busy(void) { return wire.out_len > 0 || wire.in_len > 0; }

const said_t* peer_said(int i) { return &wire.log[i]; }

int peer_heard(int i) { return i >= 0 && wire.log[i].end <= wire.read; }

int peer_count(void) { return wire.nlog; }
