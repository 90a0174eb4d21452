/* SPDX-License-Identifier: MIT */
/* token.c: to come. */
#include <errno.h>

#include "sasl/sasl.h"

int uvsmtp_token_query_refresh(const uvsmtp_token_query_t* q) {
  (void)q;
  return 0;
}
int uvsmtp_token_done(uvsmtp_token_query_t* q, int status, const char* token,
                      size_t len) {
  (void)q;
  (void)status;
  (void)token;
  (void)len;
  return -ENOSYS;
}
