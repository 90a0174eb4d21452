/* SPDX-License-Identifier: MIT */
/* uvsmtp-sink: what its files share. The sink is a loopback ESMTP and LMTP
 * server, the other end of the demo, the tests and the benchmarks. It shares
 * no code with the library, so that a mistake can't hide by being made on both
 * sides.
 *
 *   sink.c         options, start, summary
 *   sink_loop.c    epoll: accept, read, write, pauses, closing
 *   sink_smtp.c    commands and the state machine (RFC 5321, 2033)
 *   sink_path.c    the arguments of MAIL and RCPT
 *   sink_offer.c   extensions that it offers when told to
 *   sink_body.c    message text: DATA, BDAT (RFC 3030), the verdict at its end
 *   sink_store.c   transactions and what is kept of a message
 *   sink_script.c  scripted replies and the words that refuse
 *   sink_tls.c     TLS, in the place of recv and send
 *   sink_util.c    buffers, numbers, listening sockets
 */
#ifndef UVSMTP_BENCH_SINK_H
#define UVSMTP_BENCH_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

/* The longest command line. It is also the room before the read buffer, where
 * the part of a line that an earlier read left is put back. */
#define SINK_LINE_CAP 8192
#define SINK_READ_SIZE ((size_t)256 * 1024)
/* No more is parsed or read while so much waits to be sent. */
#define SINK_OUT_LIMIT ((size_t)64 * 1024)
/* A "slow" reply and a lingering close wait so long. One length for both
 * keeps the list of pauses in order without sorting. */
#define SINK_PAUSE_MS 1000
#define SINK_RCPT_CAP 100000
#define SINK_LISTENERS 16
#define SINK_OFFERS 8
#define SINK_OFFER_CAP 200
#define SINK_EHLO_CAP (256 + SINK_OFFERS * (SINK_OFFER_CAP + 8))

/* A reply in both forms, with and without its enhanced status code. */
struct sink_reply {
  const char* full;
  const char* plain;
  unsigned short nfull;
  unsigned short nplain;
};

#define SINK_REPLY(code, enhanced, text)                         \
  {                                                              \
    code " " enhanced " " text "\r\n", code " " text "\r\n",     \
        (unsigned short)(sizeof(code enhanced text "\r\n") + 1), \
        (unsigned short)sizeof(code text "\r\n")                 \
  }
/* For a 354, which never has an enhanced code (RFC 2034, 4). */
#define SINK_BARE(code, text)                     \
  {                                               \
    code " " text "\r\n", code " " text "\r\n",   \
        (unsigned short)sizeof(code text "\r\n"), \
        (unsigned short)sizeof(code text "\r\n")  \
  }

struct sink_buf {
  char* base;
  size_t len;
  size_t cap;
};

enum sink_mode {
  MODE_COMMAND,
  MODE_TEXT,  /* after a 354 */
  MODE_CHUNK, /* in the octets of a BDAT */
  MODE_SKIP,  /* in a line that is too long */
  /* From here on nothing is answered any more. */
  MODE_QUIT,   /* close when the replies are out */
  MODE_DROP,   /* the same, but linger */
  MODE_LINGER, /* we have said our last; wait for the peer's end */
  MODE_RESET,  /* send a RST */
  MODE_HANG,   /* read and say nothing */
  MODE_STALL   /* don't even read */
};

/* One line of a script. */
struct sink_rule {
  char* prefix;
  size_t nprefix;
  char* text;
  size_t ntext;
  enum sink_mode action; /* MODE_COMMAND: none */
};

enum sink_kind { KIND_LISTEN, KIND_SIGNAL, KIND_CONN };

/* What an epoll event points to. */
struct sink_watch {
  int fd;
  enum sink_kind kind;
};

struct sink_listener {
  struct sink_watch watch;
  bool lmtp;
  bool implicit;    /* TLS before the greeting */
  const char* path; /* of a Unix socket, else NULL */
  int port;
};

/* A transaction: from an accepted MAIL to the end of the message. */
struct sink_txn {
  struct sink_txn* next;  /* in the free list */
  struct sink_buf from;   /* address NUL parameters NUL, if we store */
  struct sink_buf rcpts;  /* the same, for each accepted recipient */
  struct sink_buf finals; /* an octet each: 0, or the word for its verdict */
  FILE* file;             /* text so far, if we store */
  uint64_t octets;
  uint64_t chunks;
  size_t nrcpt;
  unsigned char special; /* the first verdict that is not 0 */
  bool tried;            /* a RCPT was seen, accepted or not */
  bool utf8;
  bool broken; /* storing failed */
};

struct sink_tls;
struct sink_tls_server;

struct sink_conn {
  struct sink_watch watch;
  uint32_t events; /* those epoll waits for */
  enum sink_mode mode;
  bool lmtp;
  bool greeted;
  bool esmtp;
  bool last;         /* the chunk is the last one */
  bool fresh;        /* a read that has not been answered yet */
  bool paused;       /* in the list of pauses, a reply is due */
  bool more;         /* something came behind the line that is looked at */
  bool starting;     /* TLS begins when the replies are out */
  bool greeting_due; /* when the handshake is over */
  char tail[2];      /* the two octets before those that come next */
  uint64_t left;     /* octets of the chunk that are yet to come */
  uint64_t id;
  uint64_t mails; /* that were accepted */
  int64_t due;
  struct sink_txn* txn;
  struct sink_tls* tls;             /* NULL: clear text */
  const struct sink_rule* rule;     /* overrides the reply to what is done */
  const struct sink_reply* verdict; /* on the chunk, or the slow reply */
  char* helo;                       /* if we store */
  struct sink_buf in;
  struct sink_buf out;
  struct sink_conn* prev;
  struct sink_conn* next;
};

struct sink_list {
  struct sink_conn* head;
  struct sink_conn* tail;
};

struct sink_options {
  bool lmtp;
  bool pipelining;
  bool chunking;
  bool size;
  bool eightbit;
  bool smtputf8;
  bool enhanced;
  uint64_t size_limit;
  uint64_t rcpt_limit; /* recipients in a message; 0: none */
  uint64_t mail_limit; /* messages in a session; 0: none */
  const char* offers[SINK_OFFERS];
  size_t noffers;
  uint64_t count;
  const char* greeting;
  const char* store;
  const char* tls_cert;
  const char* tls_key;
};

struct sink {
  struct sink_options opt;
  struct sink_listener listeners[SINK_LISTENERS];
  int nlisteners;
  struct sink_rule* rules;
  size_t nrules;
  int epoll;
  bool stopped;    /* by a signal */
  bool finishing;  /* the count is reached */
  bool accept_off; /* no descriptors are left */
  int64_t now;     /* milliseconds */
  int64_t finish_at;
  struct sink_watch signals;
  struct sink_list idle;
  struct sink_list paused;
  size_t nconns;
  struct sink_txn* spare;
  size_t nspare;
  struct sink_buf out; /* replies of this batch */
  char* read;          /* SINK_LINE_CAP and SINK_READ_SIZE octets */
  char ehlo[SINK_EHLO_CAP];
  size_t nehlo;
  char ehlo_tls[SINK_EHLO_CAP]; /* the same, with STARTTLS */
  size_t nehlo_tls;
  struct sink_tls_server* tls; /* NULL: none is offered */
  uint64_t next_file;
  uint64_t queued; /* number of the message last accepted */
  /* For the summary. */
  uint64_t connections;
  uint64_t peak;
  uint64_t messages;
  uint64_t recipients;
  uint64_t octets;
  uint64_t rounds;
  uint64_t early;
  uint64_t secured; /* handshakes that succeeded */
  uint64_t resumed; /* those that took up an earlier session */
  int64_t first_at;
  int64_t last_at;
};

/* sink_util.c. Running out of memory ends the program with 71. */
void sink_buf_add(struct sink_buf* b, const void* data, size_t n);
void sink_buf_drop(struct sink_buf* b, size_t n);
void sink_buf_free(struct sink_buf* b);
void* sink_alloc(size_t n);
bool sink_number(const char* p, size_t n, uint64_t* out);
size_t sink_digits(uint64_t v, char out[24]);
bool sink_utf8(const char* p, size_t n);
bool sink_is(const char* p, size_t n, const char* word);
int64_t sink_clock(void);
int sink_listen_tcp(struct sink* s, const char* where, bool lmtp);
int sink_listen_unix(struct sink* s, const char* path, bool lmtp);

/* sink_tls.c */
int sink_tls_load(struct sink* s);
void sink_tls_unload(struct sink* s);
void sink_tls_begin(struct sink* s, struct sink_conn* c);
void sink_tls_bye(struct sink_conn* c);
void sink_tls_end(struct sink_conn* c);
/* The handshake is over, or there is none to come. */
bool sink_tls_done(const struct sink_conn* c);
/* The socket has to take more before anything else. */
bool sink_tls_blocked(const struct sink_conn* c);
const char* sink_tls_version(const struct sink_conn* c);
ssize_t sink_tls_recv(struct sink* s, struct sink_conn* c, void* buf,
                      size_t cap);
ssize_t sink_tls_send(struct sink_conn* c, const void* buf, size_t n);

/* sink_loop.c */
int sink_run(struct sink* s);
void sink_pause(struct sink* s, struct sink_conn* c);

/* sink_smtp.c */
enum sink_step { STEP_MORE, STEP_FULL, STEP_HOLD };
void sink_greet(struct sink* s, struct sink_conn* c);
enum sink_step sink_parse(struct sink* s, struct sink_conn* c, const char* p,
                          size_t n, size_t* used);
void sink_say(struct sink* s, struct sink_conn* c, const struct sink_reply* r);
void sink_put(struct sink* s, struct sink_conn* c, const char* text, size_t n);

/* sink_path.c */
struct sink_path {
  const char* address;
  size_t naddress;
  size_t nlocal;
  const char* params;
  size_t nparams;
  bool utf8; /* not only ASCII */
};
bool sink_path_parse(const char* p, size_t n, const char* keyword,
                     struct sink_path* out);
const struct sink_reply* sink_params(const struct sink* s,
                                     const struct sink_conn* c,
                                     const struct sink_path* path, bool rcpt,
                                     bool* utf8);

/* sink_offer.c */
int sink_offer(struct sink* s, const char* line);
bool sink_offer_has(const struct sink* s, bool rcpt, const char* p, size_t n);

/* sink_body.c */
void sink_text_begin(struct sink_conn* c);
size_t sink_text(struct sink* s, struct sink_conn* c, const char* p, size_t n);
size_t sink_chunk(struct sink* s, struct sink_conn* c, const char* p, size_t n);
void sink_bdat(struct sink* s, struct sink_conn* c, const char* arg, size_t n);

/* sink_store.c */
struct sink_txn* sink_txn_new(struct sink* s);
void sink_txn_end(struct sink* s, struct sink_conn* c);
void sink_txn_free_all(struct sink* s);
void sink_txn_from(struct sink* s, struct sink_txn* t,
                   const struct sink_path* path);
void sink_txn_rcpt(struct sink* s, struct sink_txn* t,
                   const struct sink_path* path, unsigned char final);
void sink_txn_text(struct sink* s, struct sink_conn* c, const char* p,
                   size_t n);
bool sink_txn_keep(struct sink* s, struct sink_conn* c, bool all);

/* sink_script.c */
int sink_script_load(struct sink* s, const char* path);
void sink_script_free(struct sink* s);
const struct sink_rule* sink_script_find(const struct sink* s, const char* line,
                                         size_t n);
/* True if the scripted reply is of the 2yz or 3yz kind, so that the command
 * takes effect. */
bool sink_rule_positive(const struct sink_rule* r);

enum sink_effect { WORD_REFUSE, WORD_CLOSE, WORD_FINAL, WORD_SLOW };
struct sink_word {
  const char* name;
  enum sink_effect effect;
  struct sink_reply reply;
};
/* Words are numbered from 1; 0 is none. */
unsigned char sink_word_find(const char* local, size_t n, bool sender);
const struct sink_word* sink_word(unsigned char number);

#endif
