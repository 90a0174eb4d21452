/* SPDX-License-Identifier: MIT */
/* command.h: building command lines. All outgoing text that came from the
 * caller passes uvsmtp__check_text, which lets no control character through:
 * command injection ends here (RFC 5321 4.1.1, 4.5.3.1.4). */
#ifndef UVSMTP_CORE_COMMAND_H
#define UVSMTP_CORE_COMMAND_H

#include "core/buf.h"

/* Octets of a command line, CRLF included: RFC 5321 4.5.3.1.4 says 512, and
 * each extension may add to it, DSN 500 and more (RFC 3461 4). */
#define UVSMTP__LINE_MAX 2048u
/* RFC 5321 4.5.3.1.1 to .3: local part, domain, path with its brackets. */
#define UVSMTP__LOCAL_MAX 64u
#define UVSMTP__DOMAIN_MAX 255u
#define UVSMTP__PATH_MAX 256u

enum {
  UVSMTP__PATH_NULL = 1u << 0,      /* the null reverse-path */
  UVSMTP__PATH_UTF8 = 1u << 1,      /* holds an octet above 127 */
  UVSMTP__PATH_UTF8_LOCAL = 1u << 2 /* ... before its domain */
};

/* -EINVAL when an octet is a control (0 to 31, 127), else 0. */
int uvsmtp__check_text(const char* text, size_t len);

/* Octets of the UTF-8 character at text, of which there is at least one octet;
 * 0 when it is none (RFC 3629 4): no overlong form, no surrogate, nothing above
 * U+10FFFF. */
size_t uvsmtp__utf8_octets(const char* text, size_t len);
/* No control, and UTF-8 throughout: 0 or -EINVAL. */
int uvsmtp__check_utf8(const char* text, size_t len);

/* A raw ESMTP parameter: keyword or keyword=value without blank or control
 * (RFC 5321 4.1.2 esmtp-param; octets above 127 allowed in the value). 0 or
 * -EINVAL. */
int uvsmtp__check_param(const char* text);

/* An argument of EHLO or HELO: a domain or an address literal: not empty, no
 * blank, no control, at most UVSMTP__DOMAIN_MAX octets. 0 or -EINVAL. */
int uvsmtp__check_name(const char* text);

/* Finds the mailbox in an address as callers write it: "a@b", "<a@b>", a
 * display name before "<a@b>", "postmaster" or another local part alone; for a
 * sender also "" and "<>". *path gets what goes between the angle brackets.
 * -EINVAL for a control, blank, "<", ">" or other special outside quotes, an
 * unclosed quote, empty local part or domain, source route, text after ">",
 * invalid UTF-8, or a part over its length. As smtplib's quoteaddr where that
 * is right. */
int uvsmtp__parse_path(const char* text, int sender, uvsmtp_slice_t* path,
                       unsigned int* flags);

/* The domain of a path that parse_path has found, or len 0: it has none. */
uvsmtp_slice_t uvsmtp__path_domain(uvsmtp_slice_t path);

/* A whole line: no control, not empty, at most UVSMTP__LINE_MAX with its CRLF.
 * 0 or -EINVAL. */
int uvsmtp__check_line(const char* line);
/* One for uvsmtp_command: not a verb that has a call of its own, either. */
int uvsmtp__check_command(const char* line);

/* Each appends one line with its CRLF to b. 0, -EINVAL when the line would be
 * over UVSMTP__LINE_MAX, -ENOMEM; b is then unchanged. Arguments are checked
 * already. */
int uvsmtp__put_hello(const uvsmtp__mem_t* mem, uvsmtp__buf_t* b,
                      const char* verb, const char* name);
/* prefix "MAIL FROM:" or "RCPT TO:"; options may be NULL. `more` (may be NULL)
 * holds parameters of the library's own, such as " SIZE=10", put first. */
int uvsmtp__put_path(const uvsmtp__mem_t* mem, uvsmtp__buf_t* b,
                     const char* prefix, uvsmtp_slice_t path, const char* more,
                     const char* const* options, size_t noptions,
                     const char* const* options2, size_t noptions2);
int uvsmtp__put_bdat(const uvsmtp__mem_t* mem, uvsmtp__buf_t* b, uint64_t n,
                     int last);
int uvsmtp__put_burl(const uvsmtp__mem_t* mem, uvsmtp__buf_t* b,
                     const char* url, int last);
int uvsmtp__put_line(const uvsmtp__mem_t* mem, uvsmtp__buf_t* b,
                     const char* line);

#endif
