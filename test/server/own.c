/* SPDX-License-Identifier: MIT */
#include "own.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_CAP = 32 };

struct own_s {
  uvsmtp_mech_t mech; /* first */
  char name[NAME_CAP];
  json_t* said;
  json_t* heard;
  size_t next; /* answer */
  own_t* older;
};

json_t* octets_json(const char* text, size_t len) {
  char* copy = malloc(len * 2 + 1);
  size_t at = 0;
  size_t i;
  json_t* out;
  if (copy == NULL) abort();
  for (i = 0; i < len; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c >= 0x80) copy[at++] = (char)(0xC0 | c >> 6);
    copy[at++] = (char)(c >= 0x80 ? 0x80 | (c & 0x3F) : c);
  }
  out = json_stringn(copy, at);
  free(copy);
  return out;
}

static int step(const uvsmtp_mech_t* self, uvsmtp_exchange_t* exchange,
                const uvsmtp_slice_t* challenge) {
  own_t* own = (own_t*)self;
  const json_t* answers = json_object_get(own->said, "answers");
  const json_t* answer = json_object_get(own->said, "first");
  if (challenge != NULL) {
    json_array_append_new(own->heard,
                          octets_json(challenge->base, challenge->len));
    answer = json_array_get(answers, own->next);
    if (own->next + 1 < json_array_size(answers)) own->next++;
  }
  if (!json_is_string(answer)) return UV_EINVAL;
  return uvsmtp_exchange_respond(exchange, json_string_value(answer),
                                 json_string_length(answer));
}

const uvsmtp_mech_t* own_mech(own_t** list, const json_t* from) {
  const char* name = json_string_value(json_object_get(from, "name"));
  unsigned int flags = 0;
  own_t* own;
  if (name == NULL || strlen(name) >= NAME_CAP) return NULL;
  own = calloc(1, sizeof(*own));
  if (own == NULL) return NULL;
  strcpy(own->name, name);
  if (json_is_string(json_object_get(from, "first")))
    flags |= UVSMTP_MECH_CLIENT_FIRST;
  own->mech = (uvsmtp_mech_t)UVSMTP_MECH_INIT(own->name, flags, step);
  own->said = json_deep_copy(from);
  own->heard = json_array();
  own->older = *list;
  *list = own;
  return &own->mech;
}

json_t* own_heard(const own_t* own) { return json_incref(own->heard); }

void own_clear(own_t* list) {
  while (list != NULL) {
    own_t* older = list->older;
    json_decref(list->said);
    json_decref(list->heard);
    free(list);
    list = older;
  }
}
