/* SPDX-License-Identifier: MIT */
/* parcel.h: messages, and attributes of a client, as session.c is told them. */
#ifndef UVSMTP_TEST_PARCEL_H
#define UVSMTP_TEST_PARCEL_H

#include <jansson.h>

#include "uvsmtp.h"

/* Members of an object; NULL or 0 where there is none. */
const char* string_of(const json_t* object, const char* key);
int64_t number_of(const json_t* object, const char* key);

/* What a call borrows. The JSON that it was made of must outlive it. */
typedef struct parcel_s {
  uvsmtp_message_t message;
  uvsmtp_mail_params_t params;
  uvsmtp_rcpt_t* rcpts;
  const uvsmtp_rcpt_t** list;
  uvsmtp_memory_source_t body;
  char* octets; /* of the text, where JSON has them as characters */
} parcel_t;

/* Makes a message of an object: from, to, text, mail_options, rcpt_options,
 * flags, line_ends, max_header and params are members of uvsmtp_message_t; to's
 * are addresses, or objects that have address, options, notify and orcpt. What
 * is absent or null is as it is where nothing is said. octets: the text's
 * characters are octets of these numbers, as octets_json writes them. */
void parcel_read(parcel_t* parcel, const json_t* from);

/* After the call's completion. */
void parcel_clear(parcel_t* parcel);

/* The attributes of [[name, value or null], ...], *n of them. To be freed, but
 * for their strings. */
uvsmtp_attribute_t* attributes_of(const json_t* array, size_t* n);

#endif
