/* SPDX-License-Identifier: MIT */
/* uvsmtp/send.h: messages, with the envelope of their header or without, and
 * the commands of small extensions. Part of uvsmtp.h, whose rules for every
 * call hold. */
#ifndef UVSMTP_SEND_H
#define UVSMTP_SEND_H

#include "uvsmtp.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sends a message: MAIL, RCPTs, DATA or BDAT; RSET after a refusal. The pointed
 * to structs need not outlive the call; message->body is borrowed until its
 * release. See uvsmtp_result_* for what comes back. UVSMTP_ESENDER,
 * UVSMTP_ERECIPIENTS, UVSMTP_EDATA, UVSMTP_EHELO, UVSMTP_ENOTSUPPORTED,
 * UVSMTP_EDISCONNECTED, UVSMTP_EUNKNOWN, UVSMTP_ESOURCE, UVSMTP_EPROTOCOL,
 * UV_ETIMEDOUT, UV_ECANCELED, UV_ENOMEM. A server that says how many messages
 * it takes in a session (LIMITS, MAILMAX) gets no more: QUIT instead, and when
 * the session is over those behind complete, not attempted
 * (UVSMTP_EDISCONNECTED, cause UV_EAGAIN). */
UVSMTP_EXTERN int uvsmtp_send(uvsmtp_session_t* session,
                              const uvsmtp_message_t* message, uvsmtp_cb cb,
                              void* data);

/* As uvsmtp_send, but for a message whose header may say the envelope:
 * smtplib's send_message. message->from NULL: the sender is the header's;
 * rcpts NULL: so are the recipients (a list of none is UV_EINVAL: nobody is not
 * everybody); what is given stands in their place. Bcc and Resent-Bcc do not go
 * out. The body may be any source: the header is read when
 * the message's turn comes, before anything is said of it; at most
 * message->max_header octets. What the header says wrong, or does not say,
 * fails the message with UVSMTP_EMESSAGE, UVSMTP_OUTCOME_REJECTED, and
 * uvsmtp_result_detail says why; so does a header over max_header, with cause
 * UV_EMSGSIZE. The results' addresses are then those of the header. */
UVSMTP_EXTERN int uvsmtp_send_message(uvsmtp_session_t* session,
                                      const uvsmtp_message_t* message,
                                      uvsmtp_cb cb, void* data);

/* ETRN (RFC 1985): asks the server to deliver what it holds for a node: a
 * domain, "@domain" with its subdomains, or "#queue". uvsmtp_result_reply says
 * what it will do. As the next two: EHLO, and what the target's policy wants,
 * first; not within a transaction (UV_EPERM); UVSMTP_ENOTSUPPORTED when it is
 * not offered, UVSMTP_ERESPONSE when it is refused. */
UVSMTP_EXTERN int uvsmtp_etrn(uvsmtp_session_t* session, const char* node,
                              uvsmtp_cb cb, void* data);

/* An attribute of XCLIENT or XFORWARD. */
typedef struct uvsmtp_attribute_s {
  const char* name;  /* "ADDR", "NAME", ... */
  const char* value; /* NULL: "[UNAVAILABLE]" */
} uvsmtp_attribute_t;

/* XFORWARD: tells a content filter whom a message came from; before its MAIL.
 * The server takes only the attributes that it offers: UVSMTP_ENOTSUPPORTED
 * with cause UV_ERANGE, and nothing sent, for others; 16 at most. Values are
 * encoded as xtext (RFC 3461 4). */
UVSMTP_EXTERN int uvsmtp_xforward(uvsmtp_session_t* session,
                                  const uvsmtp_attribute_t* attributes,
                                  size_t n, uvsmtp_cb cb, void* data);

/* XCLIENT: be another client, to a server that lets this one. As XFORWARD;
 * after it the session begins anew: EHLO, and a login, are said again by who
 * needs them. */
UVSMTP_EXTERN int uvsmtp_xclient(uvsmtp_session_t* session,
                                 const uvsmtp_attribute_t* attributes, size_t n,
                                 uvsmtp_cb cb, void* data);

/* BURL (RFC 4468), in the place of a uvsmtp_bdat: the server fetches this piece
 * of the message by an IMAP URL (RFC 4467). Results as uvsmtp_bdat's. Behind a
 * login; UVSMTP_ENOTSUPPORTED when BURL is not offered: until the transaction
 * is over (uvsmtp_rset) no piece goes behind it (UV_EPERM). */
UVSMTP_EXTERN int uvsmtp_burl(uvsmtp_session_t* session, const char* url,
                              int last, uvsmtp_cb cb, void* data);

#ifdef __cplusplus
}
#endif
#endif
