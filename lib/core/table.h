/* SPDX-License-Identifier: MIT */
/* table.h: the machine as data: the four .def files expanded into constant
 * tables, and pure functions over them. Nothing here knows of a session. */
#ifndef UVSMTP_CORE_TABLE_H
#define UVSMTP_CORE_TABLE_H

#include <stdint.h>

#include "uvsmtp/proto.h"

/* Short names for the public state numbers. */
enum {
#define XX(name, value, text) S_##name = value,
  UVSMTP_STATE_MAP(XX)
#undef XX
      S_COUNT,
  S_SAME = 62, /* as `next`: no change */
  S_HOME = 63  /* as `next`: READY once a hello has succeeded, else GREETED */
};

/* Inputs: what replies mean, and what happens by itself. */
#define UVSMTP__INPUT_MAP(XX)                                      \
  XX(OK, "the reply hoped for")                                    \
  XX(GO, "354")                                                    \
  XX(NOVERB, "refused, but HELO, or clear text, may do")           \
  XX(TEMP, "4yz")                                                  \
  XX(PERM, "5yz")                                                  \
  XX(GONE, "421")                                                  \
  XX(BAD, "not a reply, or not one to this")                       \
  XX(GO_NONE, "354, or 2yz to a text, with no accepted recipient") \
  XX(GO_STALE, "354, or 2yz to a text, in a refused transaction")  \
  XX(ALL_OK, "every recipient's final reply was 2yz")              \
  XX(SOME_OK, "some recipients' final replies were 2yz")           \
  XX(NONE_OK, "no recipient was accepted")                         \
  XX(GONE_MID, "421 before the last of several final replies")     \
  XX(CHALLENGE, "334 in AUTH")                                     \
  XX(NEXT, "refused, but another mechanism may do")                \
  XX(UNPROVEN, "accepted by who has yet to prove itself")          \
  XX(MECH_BEGIN, "a mechanism can begin")                          \
  XX(MECH_SEND, "it has its response")                             \
  XX(MECH_FAIL, "it can't make sense of the challenge")            \
  XX(MECH_SKIP, "it can't say these credentials")                  \
  XX(UP, "the transport is connected, or secured")                 \
  XX(SENT, "the deciding octet has left")                          \
  XX(SRC_FAIL, "the source failed in mid-text")                    \
  XX(EOF, "the connection ended or broke")                         \
  XX(TIMEOUT, "the deadline passed")                               \
  XX(CANCEL, "the caller closed the session")                      \
  XX(OOM, "no memory to go on")                                    \
  XX(MOOT, "in flight behind a command that got 421")

enum {
#define XX(name, text) I_##name,
  UVSMTP__INPUT_MAP(XX)
#undef XX
      I_COUNT
};

/* Effects. */
enum {
  FX_NOTHING = 0,
  FX_DONE = 1u << 0,
  FX_FAILS = 1u << 1,
  FX_RESETS = 1u << 2,
  FX_CLOSES = 1u << 3,
  FX_NEVER = 1u << 4, /* an X row */
  FX_ROW = 1u << 5    /* set in every row of the data: finds holes */
};

/* Actions of actions.c. */
#define UVSMTP__ACTION_MAP(XX) \
  XX(none)                     \
  XX(learn_extensions)         \
  XX(note_no_ehlo)             \
  XX(forget_extensions)        \
  XX(note_helo)                \
  XX(note_no_tls)              \
  XX(note_tls)                 \
  XX(begin_anew)               \
  XX(begin_auth)               \
  XX(take_challenge)           \
  XX(accept_auth)              \
  XX(refuse_mech)              \
  XX(refuse_auth)              \
  XX(cancel_auth)              \
  XX(skip_mech)                \
  XX(accept_mail)              \
  XX(refuse_mail)              \
  XX(accept_rcpt)              \
  XX(refuse_rcpt)              \
  XX(refuse_chunk)             \
  XX(open_text)                \
  XX(open_void)                \
  XX(end_text)

enum {
#define XX(name) A_##name,
  UVSMTP__ACTION_MAP(XX)
#undef XX
      A_COUNT
};

/* Guards of guards.c. */
#define UVSMTP__GUARD_MAP(XX) \
  XX(alive)                   \
  XX(hello_missing)           \
  XX(ehlo_refused)            \
  XX(tls_at_once)             \
  XX(tls_missing)             \
  XX(tls_due)                 \
  XX(tls_asked)               \
  XX(tls_granted)             \
  XX(login_due)               \
  XX(login_asked)             \
  XX(sender_fits)             \
  XX(rcpt_fits)               \
  XX(more_rcpts)              \
  XX(data_asked)              \
  XX(data_due)                \
  XX(text_awaited)            \
  XX(void_awaited)            \
  XX(chunk_asked)             \
  XX(last_asked)              \
  XX(chunk_due)               \
  XX(keyword_fits)            \
  XX(last_due)

enum {
#define XX(name) G_##name,
  UVSMTP__GUARD_MAP(XX)
#undef XX
      G_COUNT
};

/* Plans; all but the last are the numbers of uvsmtp_op. */
#define UVSMTP__PLAN_MAP(XX) \
  XX(CONNECT, 1)             \
  XX(HELLO, 2)               \
  XX(EHLO, 3)                \
  XX(HELO, 4)                \
  XX(MAIL, 5)                \
  XX(RCPT, 6)                \
  XX(DATA, 7)                \
  XX(BDAT, 8)                \
  XX(RSET, 9)                \
  XX(NOOP, 10)               \
  XX(QUIT, 11)               \
  XX(COMMAND, 12)            \
  XX(SEND, 13)               \
  XX(STARTTLS, 14)           \
  XX(LOGIN, 15)              \
  XX(EXTENSION, 16)          \
  XX(XCLIENT, 17)            \
  XX(BURL, 18)               \
  XX(RESET, 19)

enum {
#define XX(name, value) PLAN_##name = value,
  UVSMTP__PLAN_MAP(XX)
#undef XX
      PLAN_COUNT
};

enum { KIND_NONE, KIND_REST, KIND_CMD, KIND_WAIT };
enum { GROUP_ANY, GROUP_LAST, GROUP_FIRST };
enum { REPLIES_ONE, REPLIES_PER_RCPT };
enum { TIMES_ONCE, TIMES_MANY };
enum { NEEDS_NONE, NEEDS_TLS };

typedef struct uvsmtp__state_row_s {
  char name[12];
  char wire[16];
  uint32_t starts; /* bit n: may start in place n */
  uint8_t kind;
  uint8_t ahead;
  uint8_t group;
  uint8_t replies;
  uint8_t phase;
  uint8_t needs;
} uvsmtp__state_row_t;

typedef struct uvsmtp__row_s {
  int16_t error;
  uint8_t next;
  uint8_t action;
  uint8_t outcome;
  uint8_t effects;
} uvsmtp__row_t;

typedef struct uvsmtp__step_row_s {
  char name[8];
  uint8_t plan;
  uint8_t state;
  uint8_t guard;
  uint8_t times;
} uvsmtp__step_row_t;

/* Words are arrays, not pointers: the tables then need no relocation, stay in
 * read-only pages that processes share, and the library has no data at all. */
extern const uvsmtp__state_row_t uvsmtp__states[S_COUNT];
extern const uvsmtp__row_t uvsmtp__rows[S_COUNT][I_COUNT];
/* The steps of all plans, a plan's together; the end has plan 0. */
extern const uvsmtp__step_row_t uvsmtp__steps[];
extern const char uvsmtp__input_names[I_COUNT][12];
extern const char uvsmtp__input_texts[I_COUNT][64];
extern const char uvsmtp__action_names[A_COUNT][24];
extern const char uvsmtp__guard_names[G_COUNT][16];
extern const char uvsmtp__plan_names[PLAN_COUNT][12];

/* The index in uvsmtp__steps of a plan's first step. */
unsigned int uvsmtp__plan_start(int plan);
/* That of its first step with this state, which it has. */
unsigned int uvsmtp__plan_step(int plan, int state);

/* What the engine knows when a reply comes, beside the state. */
enum {
  FACT_LMTP = 1u << 0,
  FACT_MAIL_REFUSED = 1u << 1, /* the transaction's MAIL was refused */
  FACT_NO_RCPT = 1u << 2,      /* no recipient has been accepted */
  FACT_EARLY = 1u << 3, /* it began before the command it would answer had left
                           whole */
  FACT_CHUNK_REFUSED = 1u << 4, /* a chunk of its text was refused */
  FACT_FOLLOWED = 1u << 5,      /* more octets came in the same piece */
  FACT_OPTIONAL = 1u << 6,      /* a policy asks for TLS that can do without */
  FACT_EXPOSED = 1u << 7,       /* TLS is required, and there is none yet */
  FACT_UNPROVEN = 1u << 8 /* a mechanism has yet to be told that it is right */
};

/* The input that a reply code is to a state (RFC 5321 4.2.1), by codes.def. */
int uvsmtp__classify(int state, int code, unsigned int facts);

#endif
