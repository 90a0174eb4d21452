/* SPDX-License-Identifier: MIT */
/* idn.h: domains that are not ASCII, by libidn2 where the library was built
 * with it. The one place that knows of it. */
#ifndef UVSMTP_IDN_H
#define UVSMTP_IDN_H

#include <stddef.h>

/* The A-label form (RFC 5890) of a domain in UTF-8 to out, NUL-terminated: 0,
 * -EINVAL (it has none, or not in cap octets), -ENOTSUP (a build without
 * libidn2), -ENOMEM. Any thread. */
int uvsmtp__to_ascii(const char* domain, size_t len, char* out, size_t cap);

#endif
