/* SPDX-License-Identifier: MIT */
/* own.h: mechanisms of a test's own, as session.c is told them; octets as
 * JSON. */
#ifndef UVSMTP_TEST_OWN_H
#define UVSMTP_TEST_OWN_H

#include <jansson.h>

#include "uvsmtp.h"

typedef struct own_s own_t;

/* One that says what {"name": ..., "first": text or null, "answers": [text or
 * null ...]} has: first without a challenge, and none if that is null, then one
 * answer after the other, the last of them again and again; a null fails. It
 * lives as long as the list that *list begins. */
const uvsmtp_mech_t* own_mech(own_t** list, const json_t* from);

/* The challenges that this one has heard, as the call goes on. */
json_t* own_heard(const own_t* own);

void own_clear(own_t* list);

/* Any octets as JSON: each becomes the character of its number. */
json_t* octets_json(const char* text, size_t len);

#endif
