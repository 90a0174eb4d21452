/* SPDX-License-Identifier: MIT */
/* wire.h: the peer's end of the connection: what came in and when, what is said
 * and how far it was read. */
#ifndef TEST_MODEL_WIRE_H
#define TEST_MODEL_WIRE_H

#include "peer.h"

/* The octets that came in and were not taken off: *n of them. */
const char* wire_in(size_t* n);
void wire_skip(size_t n);
/* Forgets all that came in. */
void wire_ignore(void);

/* How many octets of replies had been read when the first of the octets that
 * are there left. */
size_t wire_read_before(void);
/* How many octets were said so far. */
size_t wire_said(void);

/* Says a reply and logs it: its place in the log. `text` is what comes behind
 * the code; a line break in it makes it one of two lines. */
int wire_say(const said_t* said, const char* text);
/* Says lines that are no reply of the log: a greeting, an EHLO's. */
void wire_lines(const char* lines);

/* A new connection; for a new seed, with an empty log. */
void wire_begin(void);
void wire_open(void);

#endif
