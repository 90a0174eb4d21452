/* SPDX-License-Identifier: MIT */
/* conv.h: scripted dialogues and how they are played. README.md beside this
 * file has the format of the scripts and what is checked.
 *
 *   text.c    words, quotes and escapes of scripts; their memory
 *   script.c  reads scripts: lines, octets, expectations
 *   call.c    reads what the caller submits
 *   names.c   names of errors, states, phases and outcomes
 *   source.c  the message source of the plays
 *   play.c    plays the steps of a dialogue over the engine in one mode
 *   end.c     begins and ends a play
 *   judge.c   compares results with what must hold
 *   run.c     the modes, and the report */
#ifndef CONV_H
#define CONV_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc.h"
#include "uvsmtp/proto.h"

/* ------------------------------------------------------------- the script */

typedef struct bytes_s {
  char* at;
  size_t len;
  size_t cap;
} bytes_t;

/* An offset that is never reached. */
#define NEVER SIZE_MAX
/* A number that the script does not mention. */
#define ANY INT_MIN

enum step_kind {
  STEP_CALL,    /* the caller submits */
  STEP_SAY,     /* C: the client's octets */
  STEP_HEAR,    /* S: the server's */
  STEP_OPEN,    /* no-open: the transport fails to connect */
  STEP_LOST,    /* close, lost: the connection ends */
  STEP_DROP,    /* the engine wants it closed: do so */
  STEP_TIMEOUT, /* the deadline of the phase passes */
  STEP_CANCEL,
  STEP_RESUME,  /* a source that waits goes on */
  STEP_BLOCKED, /* the transport takes no more for now */
  STEP_SECURE,  /* the handshake succeeds */
  STEP_NO_TLS,  /* ... or fails */
  STEP_STATE,   /* the resting place now */
  STEP_PHASE,   /* the phase now */
  STEP_EXTN     /* an extension as known now */
};

typedef struct step_s {
  int kind;
  int line;
  int early;    /* S!: the client may have more to say when this comes */
  int burst;    /* S&: nothing leaves while this arrives */
  int number;   /* call's index, error, state, phase, wants */
  char* text;   /* EXTN: keyword */
  char* params; /* EXTN: parameters, NULL: not offered */
  bytes_t octets;
  size_t begin; /* of octets in the stream of its side */
  size_t end;
  size_t one_from; /* S+: from here to there it is one read */
  size_t one_to;
} step_t;

/* What a result or a recipient's is expected to be. */
typedef struct want_s {
  int line; /* 0: not mentioned */
  int status;
  int cause;
  int stage;
  int outcome;
  int code;      /* 0: no reply */
  int rcpt_code; /* of a recipient: that of the reply to its RCPT */
  int enhanced;  /* -1: none; else class * 1000000 + subject * 1000 + detail */
  int lines;
  long long octets;
  bytes_t text;
  int has_text;
} want_t;

typedef struct names_s {
  const char** list;
  size_t n;
} names_t;

typedef struct rcpt_s {
  char* address;
  names_t options;
  want_t want;
  size_t final_at; /* server octets that end with its own final reply */
} rcpt_t;

typedef struct call_s {
  int line;
  int op;
  int refusal; /* what submit returns */
  char* text;  /* argument; of a message the sender */
  names_t options;
  names_t rcpt_options;
  rcpt_t* rcpts;
  size_t nrcpts;
  unsigned int flags;
  unsigned int line_ends;
  int last;
  int tls; /* connect: a uvsmtp_tls_policy */
  int has_body;
  bytes_t body;
  long long length; /* as the source declares it */
  size_t* pieces;   /* sizes of its slices, in turn */
  size_t npieces;
  size_t wait_at;  /* says WAIT there until resumed */
  int wakes;       /* ... or, while asked, resumes by itself */
  size_t fails_at; /* says EIO there */
  want_t want;
  size_t text_at;    /* client octets before the text of DATA or BDAT LAST */
  size_t doubt_from; /* client octets after which it may be unknown */
  size_t doubt_at;   /* ... and after which it must */
  size_t final_at;   /* server octets that end with the final reply */
} call_t;

typedef struct dialogue_s {
  struct dialogue_s* next;
  const char* file;
  int line;
  char* title;
  unsigned int flags;
  uint32_t limits[3];
  char* local_name;
  step_t* steps;
  size_t nsteps;
  size_t nshakes; /* handshakes among them */
  call_t* calls;
  size_t ncalls;
  bytes_t say;  /* all that the client says */
  bytes_t hear; /* all that the server says */
} dialogue_t;

/* Reads a file; ends the program when it is not well formed. */
dialogue_t* script_read(const char* path);
void script_free(dialogue_t* first);
_Noreturn void script_error(const char* file, int line, const char* format, ...)
    __attribute__((format(printf, 3, 4)));

/* Memory that script_free gives back. Zeroed. */
void* keep(size_t n);
char* keep_text(const char* text, size_t len);
/* Makes room in an array of n for one more; moves it. */
void* keep_more(void* list, size_t n, size_t size);
void bytes_add(bytes_t* b, const void* data, size_t len);

/* The next word at *at: quotes and escapes undone; 0 when there is none. */
int script_word(char** at, bytes_t* word);
/* Undoes the escapes of at..end. */
void script_unescape(const char* at, const char* end, bytes_t* out);
/* "key=value": 1 and *value set when word has this key. */
int script_value(const bytes_t* word, const char* key, const char** value);

/* call.c: "send from=..." */
void call_read(call_t* call, const char* file, int line, char* text);

/* names.c: the number of a name, or ANY. */
int error_number(const char* name);
int state_number(const char* name);
int phase_number(const char* name);
int outcome_number(const char* name);
const char* error_name(int error);
const char* phase_name(int phase);

/* --------------------------------------------------------------- the play */

enum mode {
  MODE_WHOLE,  /* each piece of the server's in one feed */
  MODE_OCTETS, /* one octet at a time, both ways */
  MODE_SPLIT,  /* the server's octets in two at `at` */
  MODE_CUT,    /* ends after `at` of the server's octets */
  MODE_STOP,   /* ends when `at` of the client's octets have left */
  MODE_SHAKE,  /* ends within handshake number `at` */
  MODE_OOM     /* allocation number `at` fails */
};

enum ending { END_EOF, END_TIMEOUT, END_CANCEL, END_FREE };

typedef struct rcpt_snap_s {
  int status;
  int stage;
  int outcome;
  int code;
  int rcpt_code;
} rcpt_snap_t;

/* A result, copied. */
typedef struct snap_s {
  int taken; /* its event has come */
  int status;
  int cause;
  int stage;
  int outcome;
  int code;
  int enhanced;
  int lines;
  long long octets;
  bytes_t text;
  rcpt_snap_t* rcpts;
  size_t nrcpts;
  size_t fed; /* octets of the server that had been fed when it came */
} snap_t;

typedef struct play_s play_t;

typedef struct source_s {
  uvsmtp_source_t source;
  play_t* play;
  const call_t* call;
  size_t off;   /* octets consumed */
  size_t piece; /* which slice this is */
  char* slice;  /* in a block of its own, gone when it is consumed */
  size_t len;   /* of slice */
  int resumed;
  int released;
} source_t;

struct play_s {
  const dialogue_t* d;
  const char* label; /* of the mode */
  int mode;
  int ending;
  size_t at;
  int oom_on;           /* all allocations from `at` on fail */
  const snap_t* refs;   /* results of the play that went well, or NULL */
  snap_t* snaps;        /* one for each call */
  unsigned char* taken; /* 1: submit returned 0 */
  source_t* sources;
  test_alloc_t alloc;
  uvsmtp_proto_t* proto;
  size_t fed;
  size_t said;
  size_t next;   /* call whose event comes next */
  size_t shakes; /* handshakes begun */
  int cut;       /* the end that the mode is about has come */
  int blocked;   /* the script says that the transport takes nothing */
  int line;      /* of the script */
  int phase;
  unsigned int serial;
  int looked;
  jmp_buf over;
};

/* play.c */
void play_step(play_t* p, size_t i);
/* Takes what the client says now, which must be what the script says up to
 * `limit`. More is an error unless `soft`. */
void play_drain(play_t* p, size_t limit, int soft);
/* Takes events; looks at what must hold after each call. */
void play_collect(play_t* p);
void play_trace(void* arg, int kind, const char* text, size_t len);

/* end.c. Plays d. 1 when all was as it must be; 0 after a message. */
int play_run(play_t* p);
void play_free(play_t* p);
_Noreturn void play_fail(play_t* p, const char* format, ...)
    __attribute__((format(printf, 2, 3)));

void source_begin(source_t* s, play_t* p, const call_t* call);
void source_free(source_t* s);
/* Within a hook the engine must take nothing. */
void check_hook(play_t* p);

/* judge.c */
void snap_take(snap_t* to, const uvsmtp_event_t* event);
void snap_free(snap_t* s);
/* What holds for every result. */
void judge_shape(play_t* p, size_t i);
/* Against the script, and in other modes against the first play. */
void judge_wanted(play_t* p, size_t i);
void judge_same(play_t* p, size_t i);
/* After a play that was cut short, or had no memory. */
void judge_cut(play_t* p, size_t i);

#endif
