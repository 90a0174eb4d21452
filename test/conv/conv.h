/* SPDX-License-Identifier: MIT */
/* conv.h: scripted dialogues and how they are played. README.md beside this
 * file has the format of the scripts and what is checked.
 *
 *   text.c    words, quotes and escapes of scripts; their memory
 *   script.c  reads scripts, line by line
 *   side.c    reads what either side says
 *   want.c    reads what is expected of results
 *   call.c    reads what the caller submits
 *   params.c  reads what a message and its recipients ask for beyond that
 *   creds.c   reads credentials; makes them for a play; their tokens
 *   mech.c    mechanisms of the test's own
 *   secret.c  what is secret in a dialogue, and where it must not be
 *   names.c   names of errors, states, phases and outcomes
 *   source.c  the message source of the plays
 *   play.c    plays the steps of a dialogue over the engine in one mode
 *   submit.c  submits a call of a dialogue
 *   hooks.c   the hooks of the engine and of messages, but for sources
 *   end.c     begins and ends a play
 *   snap.c    copies results
 *   judge.c   compares results with what must hold
 *   cut.c     ... of plays that were cut short
 *   run.c     the modes, and the report */
#ifndef CONV_H
#define CONV_H

#include <limits.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc.h"
#include "uvsmtp/auth.h"
#include "uvsmtp/message.h"
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
  STEP_TOKEN,   /* the token hook is answered */
  STEP_WAKE,    /* a mechanism of the test's goes on */
  STEP_AUTH,    /* the mechanism of the login now */
  STEP_OVERDUE, /* it is so late now */
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
  int proof;    /* SECURE: uvsmtp_proof */
  int fresh;    /* TOKEN: a new one must be wanted */
  int late;     /* TOKEN: nobody waits any more */
  int refused;  /* TOKEN: what the answer returns */
  char* text;   /* EXTN: keyword; TOKEN: it; AUTH: the mechanism, or NULL */
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
  long long total; /* as the last progress had it */
  char* text;      /* of the reply; NULL: not mentioned, like the next ones */
  char* rcpt_text; /* of a recipient: of the reply to its RCPT */
  char* address;   /* of a recipient, or the sender's */
  char* detail;    /* "": none; "*": some */
  unsigned int omitted; /* uvsmtp_omitted */
} want_t;

typedef struct names_s {
  const char** list;
  size_t n;
} names_t;

/* Where a fate is decided, in octets of either side; NEVER: not marked. */
typedef struct fate_s {
  size_t begin_at;   /* server octets after which its transaction begins */
  size_t many_at;    /* ... and after which it is one too many in that */
  size_t doubt_from; /* client octets after which it may be unknown */
  size_t doubt_at;   /* ... and after which it must */
  size_t final_at;   /* server octets that end with the final reply */
} fate_t;

typedef struct rcpt_s {
  char* address; /* NULL: the header says it */
  names_t options;
  unsigned int notify; /* uvsmtp_dsn_notify */
  char* orcpt;
  want_t want;
  fate_t fate; /* its own, where it is not that of the whole */
} rcpt_t;

/* A mechanism of the test's own. Response i, from 1, is "i PASSWORD". */
typedef struct own_s {
  char* name;
  unsigned int flags; /* uvsmtp_mech_flags */
  size_t len;         /* octets of each response, with dots behind; 0: as is */
  int empty;          /* ... or none */
  int rounds;         /* responses; another challenge is an error */
  int proves;         /* responses before this one say CONTINUE */
  int waits_at;       /* response before which it says WAIT; 0: none */
  int wakes;          /* ... and wakes itself */
  int agains;         /* AGAIN before each response */
  int fails_at;       /* response instead of which it fails; 0: none */
  int error;          /* ... with this */
  int retries;        /* wants to begin anew when refused */
  char* explains;     /* what it says of its failure, or NULL */
} own_t;

enum token_kind { TOKEN_NONE, TOKEN_NOW, TOKEN_LATER, TOKEN_ERROR };

/* Credentials. Calls with the same words share them. */
typedef struct creds_s {
  int line;
  bytes_t words; /* as they stand in the script */
  bytes_t* user; /* NULL: none */
  bytes_t* password;
  bytes_t* authzid;
  bytes_t* token; /* or what the hook says at once */
  bytes_t* fresh; /* what it says when a new one is wanted */
  char* mechs;
  unsigned int flags;
  int hook; /* token_kind */
  int hook_error;
  char* nonce; /* SCRAM's, instead of one made at random; NULL: that */
  int keeps;   /* they live as long as the dialogue, for all plays */
  own_t* owns;
  size_t nowns;
} creds_t;

typedef struct call_s {
  int line;
  int op;
  int refusal; /* what submit returns */
  char* text;  /* argument; of a message the sender */
  names_t options;
  names_t rcpt_options;
  rcpt_t* rcpts;
  size_t nrcpts;
  size_t nnamed; /* of them, by the caller */
  int envelope;  /* the header may say the envelope */
  size_t max_header;
  int has_params;
  uvsmtp_mail_params_t params;
  char* keyword; /* extension, xclient */
  unsigned int flags;
  unsigned int line_ends;
  unsigned int due;
  int last;
  int tls; /* connect: a uvsmtp_tls_policy */
  int local;
  size_t creds;    /* number of them, from 1; 0: none */
  char* mech;      /* auth: this one */
  own_t* own_mech; /* ... which is the test's own */
  unsigned int auth_flags;
  char* host;    /* what mechanisms are told */
  int port;      /* likewise */
  char* binding; /* ... repeated; NULL: not to be had */
  int has_body;
  bytes_t body;
  long long length; /* as the source declares it */
  size_t* pieces;   /* sizes of its slices, in turn */
  size_t npieces;
  size_t wait_at;        /* says WAIT there until resumed */
  int wakes;             /* ... or, while asked, resumes by itself */
  size_t fails_at;       /* says EIO there */
  size_t again_fails_at; /* ... when rewound */
  int fixed;             /* can't be rewound */
  int rewind_error;      /* ... or fails to */
  int rewind_waits;      /* says WAIT then, until resumed */
  want_t want;
  size_t text_at; /* client octets before the text of DATA or BDAT LAST */
  int divided;    /* into several transactions */
  fate_t fate;
} call_t;

typedef struct dialogue_s {
  struct dialogue_s* next;
  const char* file;
  int line;
  char* title;
  unsigned int flags;
  uint32_t limits[3];
  char* local_name;
  int no_ascii; /* to-ascii: the hook's error; ANY: there is none */
  step_t* steps;
  size_t nsteps;
  size_t nshakes; /* handshakes among them, tokens and wakes */
  call_t* calls;
  size_t ncalls;
  creds_t* creds;
  size_t ncreds;
  bytes_t* secrets; /* in all forms that they may be met in */
  size_t nsecrets;
  bytes_t masked;           /* the lines of AUTH as traces show them, */
  int masked_part;          /* unless some of them never leave whole */
  struct identity_s** kept; /* credentials that live as long as this */
  bytes_t say;              /* all that the client says */
  bytes_t hear;             /* all that the server says */
} dialogue_t;

/* Reads a file; ends the program when it is not well formed. */
dialogue_t* script_read(const char* path);
void script_free(dialogue_t* first);
_Noreturn void script_error(const char* file, int line, const char* format, ...)
    __attribute__((format(printf, 3, 4)));

/* number, which name stands for, unless there is no such name. */
int script_named(const char* file, int line, int number, const char* name);

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

typedef struct reader_s {
  const char* file;
  int line;
  names_t lines; /* of the file so far */
  dialogue_t* first;
  dialogue_t* d;  /* the one being read */
  int challenged; /* the server's last line was a challenge */
} reader_t;

/* A set of flags, "one,two", by their names; the last name is NULL. */
typedef struct flag_name_s {
  const char* name;
  unsigned int flag;
} flag_name_t;
unsigned int script_flags(const dialogue_t* d, int line,
                          const flag_name_t* names, const char* value);

/* script.c: one more step; a call, a recipient of one. */
step_t* script_step(reader_t* r, int kind);
call_t* script_call(reader_t* r, size_t i);
rcpt_t* script_rcpt(reader_t* r, call_t* call, size_t i);
/* "0", "0..2": the first of recipients, and the last; what is behind. */
size_t script_range(char** at, size_t* last);
/* side.c: "S: 220 hello". */
void script_side(reader_t* r, char* at);

/* params.c: takes a word of a message's parameters: 1; 0: it is none. */
int params_word(const dialogue_t* d, call_t* call, int line,
                const bytes_t* word);
/* call.c: one more name, which is copied; a recipient more, by that address. */
void add_name(names_t* names, const char* text);
rcpt_t* call_rcpt(call_t* call, char* address);
/* "send from=..." */
void call_read(dialogue_t* d, call_t* call, int line, char* text);

/* want.c: "status=OK ..." */
void want_read(const dialogue_t* d, int line, want_t* w, char* at, int outcome);

/* creds.c: takes a word of a call's credentials: 1; 0: it is none. */
int creds_word(dialogue_t* d, creds_t* c, int line, const bytes_t* word);
/* Those of the dialogue that are the same, or these: the number, from 1. */
size_t creds_find(dialogue_t* d, const creds_t* c);
unsigned int creds_flags(const dialogue_t* d, int line, const char* value);
/* mech.c: "X-TEST,rounds=2,..." */
void own_read(const dialogue_t* d, int line, own_t* own, const char* text);

/* secret.c */
void base64_add(bytes_t* to, const char* raw, size_t len);
/* Raw, and in base64 wherever in a response it may stand. */
void secret_add(dialogue_t* d, const bytes_t* raw);
/* As it stands on the wire. */
void secret_wire(dialogue_t* d, const char* line, size_t len);

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
  MODE_SHAKE,  /* ends within handshake or wait number `at` */
  MODE_WORK,   /* ends before piece of work number `at` */
  MODE_OOM     /* allocation number `at` fails */
};

enum ending { END_EOF, END_TIMEOUT, END_CANCEL, END_FREE };

typedef struct rcpt_snap_s {
  int status;
  int stage;
  int outcome;
  int code;
  int rcpt_code;
  char* address;
  char* text; /* of replies; "": none */
  char* rcpt_text;
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
  char* text; /* of the reply; "": none, like the next ones */
  char* sender;
  char* detail;
  unsigned int omitted;
  rcpt_snap_t* rcpts;
  size_t nrcpts;
  size_t fed; /* octets of the server that had been fed when it came */
} snap_t;

typedef struct play_s play_t;

typedef struct source_s {
  uvsmtp_source_t source;
  play_t* play;
  const call_t* call;
  uvsmtp_source_t* header; /* around it, where the header says the envelope */
  size_t off;              /* octets consumed */
  size_t piece;            /* which slice this is */
  char* slice;             /* in a block of its own, gone when it is consumed */
  size_t len;              /* of slice */
  size_t skip;             /* octets of it that are consumed */
  size_t wait_at;
  size_t fails_at;
  int resumed;
  int released;
  unsigned long long sent; /* as the last progress had it */
  long long total;
} source_t;

/* A mechanism of the test's in a play. */
typedef struct own_mech_s {
  uvsmtp_mech_t mech;
  const own_t* own;
  play_t** play;            /* of its identity */
  uvsmtp_exchange_t* waits; /* its run has said WAIT and was not woken */
} own_mech_t;

/* A SCRAM of the library's, with a nonce that is given. */
enum { SCRAMS = 3 };
typedef struct scram_s {
  uvsmtp_mech_t mech;
  const char* nonce;
  play_t** play;
} scram_t;

/* Credentials in a play. */
typedef struct identity_s {
  const creds_t* creds;
  play_t* play;
  uvsmtp_credentials_t* it;
  own_mech_t* mechs;
  scram_t scrams[SCRAMS];
  const uvsmtp_mech_t** list;  /* of them */
  uvsmtp_token_query_t* query; /* that waits for its answer */
} identity_t;

/* What mechanisms are told of the host, by one call. */
typedef struct told_s {
  play_t* play;
  const call_t* call;
  own_mech_t mech; /* its own */
} told_t;

/* The beginning of a line that is being said. */
typedef struct line_s {
  char text[64];
  size_t n;
} line_t;

/* What has been seen on the wire of the login of this session. */
typedef struct watch_s {
  line_t said;
  line_t heard;
  int asked;  /* AUTH or a response to it is not answered yet */
  int failed; /* the last login did */
} watch_t;

/* A block of the engine's, or of credentials. */
typedef union heap_u heap_t;

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
  identity_t** identities; /* one for each of the dialogue's creds */
  told_t* told;            /* one for each call */
  heap_t* blocks;          /* in use */
  watch_t watch;
  bytes_t traced; /* lines of AUTH; grown by realloc */
  int woken;      /* a mechanism can go on */
  int runs;       /* of mechanisms of the test's, begun */
  int finished;   /* ... and finished */
  size_t works;   /* pieces of work done */
  int winding;    /* the script is over */
  int failed;     /* nothing is checked any more */
  int freed;      /* the engine is, or is being */
  size_t fed;
  size_t said;
  size_t next;   /* call whose event comes next */
  size_t shakes; /* handshakes begun, and waits ended */
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
/* What the script says happens within a wait: 1 when the play ends there. */
int play_pauses(play_t* p);
/* With no memory the engine may be elsewhere: 1, and the play ends. */
int play_lacks(play_t* p);

/* submit.c */
void play_submit(play_t* p, size_t i);

/* end.c. Plays d. 1 when all was as it must be; 0 after a message. */
int play_run(play_t* p);
void play_free(play_t* p);
_Noreturn void play_fail(play_t* p, const char* format, ...)
    __attribute__((format(printf, 2, 3)));

void source_begin(source_t* s, play_t* p, const call_t* call);
void source_free(source_t* s);

/* hooks.c */
int hook_to_ascii(const char* domain, size_t len, char* out, size_t cap);
int hook_envelope(uvsmtp_source_t* body, const char** from,
                  const char* const** rcpts, size_t* nrcpts,
                  const char** reason);
void hook_progress(void* arg, uint64_t sent, int64_t total);
/* The play whose engine may ask for an A-label: that hook is told of none. */
void hook_begin(play_t* p);
/* Within a hook the engine must take nothing. */
void check_hook(play_t* p);

/* creds.c. 0 or -ENOMEM. */
int creds_begin(play_t* p);
/* References, runs and queries that are left at the end. */
void creds_end(play_t* p);
void creds_free(play_t* p);
/* Credentials that lived as long as a dialogue. */
void creds_drop(dialogue_t* d);
void creds_token(play_t* p, const step_t* s);

/* mech.c */
void own_begin(own_mech_t* m, play_t** play, const own_t* own);
void own_wake(play_t* p);
void scram_begin(scram_t* m, int which, play_t** play, const char* nonce);

/* secret.c: the memory functions of a play, which is their data: the engine's,
 * and those of credentials. */
void* secret_alloc(void* data, void* ptr, size_t old_size, size_t new_size);
void* secret_alloc_own(void* data, void* ptr, size_t old_size, size_t new_size);
/* No block but credentials' holds a secret. */
void secret_blocks(play_t* p);
/* No secret is in there. */
void secret_text(play_t* p, const char* what, const char* text, size_t len);
/* "*" was the last line of AUTH. */
int secret_cancelled(const play_t* p);
/* A line is traced. In the end those of AUTH must be the script's, masked. */
void secret_traced(play_t* p, const char* text, size_t len);
void secret_masked(play_t* p);
/* What has been said, heard, completed. */
void watch_said(play_t* p, const char* at, size_t len);
void watch_heard(play_t* p, const char* at, size_t len);
void watch_event(play_t* p, const uvsmtp_event_t* event);

/* snap.c */
void snap_take(snap_t* to, const uvsmtp_event_t* event);
void snap_free(snap_t* s);

/* judge.c. 1 when a call carries a message, or a piece of one. */
int judge_carries(const call_t* call);
void judge_number(play_t* p, const char* what, long long want, long long got);
void judge_outcome(play_t* p, const char* what, int want, int got);
/* What holds for every result. */
void judge_shape(play_t* p, size_t i);
/* Against the script, and in other modes against the first play. */
void judge_wanted(play_t* p, size_t i);
void judge_same(play_t* p, size_t i);
/* cut.c: after a play that was cut short, or had no memory. */
void judge_cut(play_t* p, size_t i);

#endif
