/* SPDX-License-Identifier: MIT */
/* mech.c: to come. */
#include <errno.h>

#include "sasl/sasl.h"

const uvsmtp_mech_t* uvsmtp_mech_at(size_t i) {
  return i == 0 ? &uvsmtp__mech_plain : NULL;
}
const uvsmtp_mech_t* uvsmtp_mech(const char* name) {
  (void)name;
  return NULL;
}
