/* SPDX-License-Identifier: MIT */
/* credentials.c: to come. */
#include <errno.h>

#include "sasl/sasl.h"

int uvsmtp_credentials_new(uvsmtp_credentials_t** c,
                           const uvsmtp_credentials_config_t* config,
                           const char** why) {
  (void)c;
  (void)config;
  (void)why;
  return -ENOSYS;
}
uvsmtp_credentials_t* uvsmtp_credentials_ref(uvsmtp_credentials_t* c) {
  return c;
}
void uvsmtp_credentials_unref(uvsmtp_credentials_t* c) { (void)c; }
