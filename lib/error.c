/* SPDX-License-Identifier: MIT */
/* error.c: names, texts and kinship of error numbers: uvsmtp's own and, below
 * them, libuv's. */
#include <errno.h>
#include <stddef.h>
#include <uv.h>

#include "uvsmtp/errors.h"

/* The pure layers know no libuv and write its numbers as negative errno values
 * and a constant for the end of file; that holds on Unix and is checked here,
 * where both sides are in view. */
#define SAME(name) \
  _Static_assert(UV_##name == -name, "UV_" #name " is not -" #name)
SAME(EALREADY);
SAME(EBUSY);
SAME(ECANCELED);
SAME(ECONNREFUSED);
SAME(ECONNRESET);
SAME(EINVAL);
SAME(EISCONN);
SAME(ENOBUFS);
SAME(ENOMEM);
SAME(ENOTCONN);
SAME(EPERM);
SAME(ETIMEDOUT);
#undef SAME
_Static_assert(UV_EOF == -4095, "UV_EOF is not -4095");

#define XX(name, value, parent, class_name, text)                          \
  _Static_assert(                                                          \
      (value) <= -5000 && (value) > UVSMTP_ERRNO_END && (parent) >= -5999, \
      "UVSMTP_" #name " is out of range");
UVSMTP_ERROR_MAP(XX)
#undef XX

/* The number above err in the tree, 0 for a root and for what is not ours. */
static int parent_of(int err) {
  switch (err) {
#define XX(name, value, parent, class_name, text) \
  case value:                                     \
    return parent;
    UVSMTP_ERROR_MAP(XX)
#undef XX
    default:
      return 0;
  }
}

int uvsmtp_error_is(int err, int ancestor) {
  while (err != ancestor) {
    err = parent_of(err);
    if (err == 0) return 0;
  }
  return 1;
}

/* libuv's own functions allocate a text for a number that they do not know, so
 * only its list is used. */
const char* uvsmtp_err_name(int err) {
  switch (err) {
    case 0:
      return "OK";
#define XX(name, value, parent, class_name, text) \
  case value:                                     \
    return #name;
      UVSMTP_ERROR_MAP(XX)
#undef XX
#define XX(name, text) \
  case UV_##name:      \
    return #name;
      UV_ERRNO_MAP(XX)
#undef XX
    default:
      return "UNKNOWN";
  }
}

const char* uvsmtp_strerror(int err) {
  switch (err) {
    case 0:
      return "success";
#define XX(name, value, parent, class_name, text) \
  case value:                                     \
    return text;
      UVSMTP_ERROR_MAP(XX)
#undef XX
#define XX(name, text) \
  case UV_##name:      \
    return text;
      UV_ERRNO_MAP(XX)
#undef XX
    default:
      return "unknown error";
  }
}

const char* uvsmtp_err_class(int err) {
  switch (err) {
#define XX(name, value, parent, class_name, text) \
  case value:                                     \
    return class_name;
    UVSMTP_ERROR_MAP(XX)
#undef XX
    default:
      return NULL;
  }
}
