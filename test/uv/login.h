/* SPDX-License-Identifier: MIT */
/* login.h: what the tests of AUTH share: credentials, sessions that may use
 * them, a mechanism of the tests' own, and what servers say. */
#ifndef UVSMTP_TEST_LOGIN_H
#define UVSMTP_TEST_LOGIN_H

#include "fixture.h"

#define GREETED "S 220 peer\n"
#define HELLO "C EHLO client.example\n S 250 peer\n"
/* EHLO, and the mechanisms that the server has. */
#define OFFERS(mechs) \
  "C EHLO client.example\n S 250-peer\n S 250 AUTH " mechs "\n"
#define OFFERS_TLS(mechs) \
  "C EHLO client.example\n S 250-peer\n S 250-STARTTLS\n S 250 AUTH " mechs "\n"
#define STARTTLS "C STARTTLS\n S 220 go\n TLS\n"
/* joe, whose password is sesame. */
#define AUTH_PLAIN "L AUTH PLAIN AGpvZQBzZXNhbWU=\n"
#define WELCOME "S 235 welcome\n"
#define WRONG "S 535 wrong\n"
#define SENT                                                             \
  "C MAIL FROM:<a@example.org>\n S 250 ok\n C RCPT TO:<b@example.net>\n" \
  "S 250 ok\n C DATA\n S 354 go\n T\n S 250 2.0.0 taken\n"
#define QUIT "C QUIT\n S 221 bye\n EOF\n"

/* Each test has a loop and an environment, and leaves nothing behind. */
#define LOGIN_TEST(name) \
  cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)

/* joe's, of the fixture's memory: what is not given back is noticed. mechs may
 * be NULL. */
uvsmtp_credentials_t* joe(fixture_t* f, const char* password, const char* mechs,
                          unsigned int flags);
/* With his password, and no need of TLS. */
uvsmtp_credentials_t* joe_anywhere(fixture_t* f);
/* The same of a configuration, but for its memory. */
uvsmtp_credentials_t* someone(fixture_t* f,
                              const uvsmtp_credentials_config_t* config);

/* A session to a peer; settings that trust it, credentials: or NULL. */
uvsmtp_session_t* session_for(fixture_t* f, const peer_t* peer, int policy,
                              uvsmtp_tls_t* tls,
                              uvsmtp_credentials_t* credentials);
/* In clear text, with no credentials, connected. */
uvsmtp_session_t* clear_session(fixture_t* f, const peer_t* peer);

/* Each makes its call and waits for what it came to. connect_to asserts that it
 * went well. */
void connect_to(fixture_t* f, uvsmtp_session_t* s);
call_t log_in(fixture_t* f, uvsmtp_session_t* s, uvsmtp_credentials_t* who);
call_t log_in_by(fixture_t* f, uvsmtp_session_t* s, const uvsmtp_mech_t* mech,
                 uvsmtp_credentials_t* who, unsigned int flags);
call_t deliver(fixture_t* f, uvsmtp_session_t* s);
call_t quit(fixture_t* f, uvsmtp_session_t* s);

/* Closes it; the peer has played all of its script. */
void part(fixture_t* f, uvsmtp_session_t* s, peer_t* peer);

/* The other end of a socketpair speaks; and hears, when something comes. */
void pair_say(int fd, const char* text);
size_t pair_hear(fixture_t* f, int fd, char* to, size_t cap);

/* A mechanism of the tests' own, "X-OWN", for as many runs as there are: says
 * ping, and ping again to each challenge. */
typedef struct own_s {
  uvsmtp_mech_t mech; /* first */
  int wait;           /* says WAIT so many times in each step ... */
  int again;          /* ... and AGAIN */
  int error;          /* or what step returns, if not 0, ... */
  int error_at;       /* in the step with this number, from 1; 0: in all */
  int retry;          /* what refused returns */
  void (*hook)(struct own_s* own); /* called within all functions */
  void* arg;
  /* what happened */
  uvsmtp_exchange_t* exchange; /* of the run that is on, else NULL */
  int steps;                   /* calls of step */
  int waits;
  int agains;
  int refused;
  int begun;     /* runs */
  int finished;  /* calls of finish */
  char last[64]; /* challenge, decoded */
} own_t;
void own_init(own_t* own, unsigned int flags);

/* Counts the turns of a loop. */
typedef struct turns_s {
  uv_prepare_t prepare;
  int n;
} turns_t;
void turns_start(turns_t* turns, fixture_t* f);
void turns_stop(turns_t* turns);

/* Calls cb(arg) in some milliseconds, unless the loop has ended by then. */
void later(fixture_t* f, uint64_t ms, void (*cb)(void* arg), void* arg);

#endif
