/* SPDX-License-Identifier: MIT */
/* uvsmtp/version.h: the version of these headers, and of the library linked.
 *
 * Versions follow semantic versioning. Before 1.0.0 a minor release may break
 * source and binary compatibility; from 1.0.0 on, the SONAME changes with the
 * major version only. */
#ifndef UVSMTP_VERSION_H
#define UVSMTP_VERSION_H

#if defined(__GNUC__) && __GNUC__ >= 4
#define UVSMTP_EXTERN __attribute__((visibility("default")))
#else
#define UVSMTP_EXTERN
#endif

/* The version of these headers. */
#define UVSMTP_VERSION_MAJOR 0
#define UVSMTP_VERSION_MINOR 1
#define UVSMTP_VERSION_PATCH 0
#define UVSMTP_VERSION_STRING "0.1.0"

/* 0xMMmmpp of the headers, to compare in preprocessor conditions. */
#define UVSMTP_VERSION_HEX                                      \
  ((UVSMTP_VERSION_MAJOR << 16) | (UVSMTP_VERSION_MINOR << 8) | \
   UVSMTP_VERSION_PATCH)

#ifdef __cplusplus
extern "C" {
#endif

/* UVSMTP_VERSION_HEX of the library that was linked. Any thread. */
UVSMTP_EXTERN unsigned int uvsmtp_version(void);

/* Its text, such as "0.1.0". A static string. Any thread. */
UVSMTP_EXTERN const char* uvsmtp_version_string(void);

#ifdef __cplusplus
}
#endif
#endif
