/* SPDX-License-Identifier: MIT */
/* uvsmtp/errors.h: error numbers.
 *
 * Every status is 0 or a negative int. Numbers from -5000 down are uvsmtp's own
 * and form a tree: its branches are the exception classes of Python's smtplib,
 * so that "catch SMTPResponseException" is uvsmtp_error_is(status,
 * UVSMTP_ERESPONSE). All other numbers are libuv's (UV_ECONNREFUSED,
 * UV_ETIMEDOUT, UV_ECANCELED, UV_EINVAL ...; on Unix the negative errno),
 * passed through unchanged; the two ranges do not overlap. */
#ifndef UVSMTP_ERRORS_H
#define UVSMTP_ERRORS_H

#include "uvsmtp/version.h"

/* XX(name, value, parent, class in Python's smtplib or NULL, text).
 * Values are part of the ABI: append, never renumber. */
#define UVSMTP_ERROR_MAP(XX)                                                   \
  XX(EGENERIC, -5000, 0, "SMTPException", "SMTP error")                        \
  XX(ENOTSUPPORTED, -5001, -5000, "SMTPNotSupportedError",                     \
     "not supported by the server")                                            \
  XX(EDISCONNECTED, -5002, -5000, "SMTPServerDisconnected",                    \
     "not connected, or the connection was lost")                              \
  XX(ERESPONSE, -5003, -5000, "SMTPResponseException",                         \
     "the server refused the command")                                         \
  XX(ESENDER, -5004, -5003, "SMTPSenderRefused",                               \
     "the server refused the sender")                                          \
  XX(ERECIPIENTS, -5005, -5000, "SMTPRecipientsRefused",                       \
     "the server refused every recipient")                                     \
  XX(EDATA, -5006, -5003, "SMTPDataError", "the server refused the message")   \
  XX(ECONNECT, -5007, -5003, "SMTPConnectError", "no session could be opened") \
  XX(EHELO, -5008, -5003, "SMTPHeloError", "the server refused the greeting")  \
  XX(EAUTH, -5009, -5003, "SMTPAuthenticationError", "authentication failed")  \
  XX(ETLS, -5010, -5000, NULL, "TLS failed")                                   \
  XX(EPROTOCOL, -5011, -5000, NULL, "the server broke the protocol")           \
  XX(EUNKNOWN, -5012, -5000, NULL,                                             \
     "the session ended before the verdict: delivery is unknown")              \
  XX(ESOURCE, -5013, -5000, NULL, "the source of the message failed")          \
  XX(EMESSAGE, -5014, -5000, NULL, "the message's header makes no envelope")

/* The library's own errors. */
enum uvsmtp_error {
#define XX(name, value, parent, class_name, text) UVSMTP_##name = value,
  UVSMTP_ERROR_MAP(XX)
#undef XX
      UVSMTP_ERRNO_END = -5999 /* none of ours is below */
};

#ifdef __cplusplus
extern "C" {
#endif

/* 1 when err is ancestor or descends from it (any int for either; libuv's
 * numbers have no relatives but themselves), else 0. Any thread. */
UVSMTP_EXTERN int uvsmtp_error_is(int err, int ancestor);

/* The symbol without its prefix ("ESENDER"; libuv's name for its own numbers;
 * "OK" for 0), and a sentence for people without a full stop. Static strings,
 * "UNKNOWN" and "unknown error" for what neither knows. Any thread. */
UVSMTP_EXTERN const char* uvsmtp_err_name(int err);
UVSMTP_EXTERN const char* uvsmtp_strerror(int err);

/* The class of Python's smtplib that err stands for, or NULL. A static string.
 * Any thread. */
UVSMTP_EXTERN const char* uvsmtp_err_class(int err);

#ifdef __cplusplus
}
#endif
#endif
