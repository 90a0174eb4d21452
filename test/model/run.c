/* SPDX-License-Identifier: MIT */
/* run.c: seeds, one after the other, and in each one turn after the other of
 * caller, transport and server, up to an end that has to come.
 *
 * usage: test_model SEED COUNT [-v]
 *
 * Runs COUNT seeds from SEED on. What goes wrong is said with its seed:
 * test_model SEED 1 -v shows the dialogue of that one. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <uv.h>

#include "model.h"
#include "peer.h"

enum {
  TURNS = 20000, /* far more than any seed takes */
  QUIET = 40,    /* turns in which nothing moves, before it is called so */
  HANDFUL = 32 * 1024
};

world_t world;
reached_t reached;

static unsigned long seed;
static unsigned long* shared_seed;
static uint64_t number;
static int verbose;

/* What is to happen in this seed. */
static struct {
  int letters; /* to be sent */
  int wild;    /* the caller and the network do what they like */
  int early;   /* the turn in which the engine is freed; or NONE */
} plan;

unsigned int any(unsigned int n) {
  /* xorshift64 */
  number ^= number << 13;
  number ^= number >> 7;
  number ^= number << 17;
  return n == 0 ? 0 : (unsigned int)((number >> 11) % n);
}

int once_in(unsigned int n) { return any(n) == 0; }

void wrong(const char* format, ...) {
  va_list ap;

  printf("seed %lu: ", seed);
  va_start(ap, format);
  vprintf(format, ap);
  va_end(ap);
  printf("\n");
  fflush(stdout);
  exit(1);
}

void show(const char* format, ...) {
  va_list ap;

  if (!verbose) return;
  va_start(ap, format);
  vprintf(format, ap);
  va_end(ap);
}

/* ------------------------------------------------------------- the network */

static int is_over(void) {
  int state = uvsmtp_proto_state(world.proto);

  return state == UVSMTP_STATE_CLOSED || state == UVSMTP_STATE_CONNECT;
}

/* What was sent may reach the server although its answers don't get back. */
static void lose(int cause) {
  peer_drain();
  peer_close();
  uvsmtp_proto_lost(world.proto, cause);
}

static int connection(void) {
  int wants = uvsmtp_proto_wants(world.proto);

  if (wants & UVSMTP_WANTS_OPEN) {
    if (plan.wild && once_in(30)) {
      lose(UV_ECONNREFUSED);
    } else {
      peer_open();
      uvsmtp_proto_up(world.proto);
    }
    return 1;
  }
  if (wants & UVSMTP_WANTS_CLOSE) {
    lose(UV_EOF);
    return 1;
  }
  return 0;
}

static int send_some(void) {
  uvsmtp_slice_t slices[8];
  size_t n = uvsmtp_proto_peek(world.proto, slices, 1 + any(8));
  size_t total = 0;
  size_t left;
  size_t i;

  for (i = 0; i < n; i++) total += slices[i].len;
  if (total == 0) return 0;
  if (once_in(3)) total = 1 + any((unsigned int)total);
  left = total;
  for (i = 0; left > 0; i++) {
    size_t len = slices[i].len < left ? slices[i].len : left;

    if (len > 0) peer_take(slices[i].base, len);
    left -= len;
  }
  uvsmtp_proto_sent(world.proto, total);
  return 1;
}

static int receive_some(void) {
  static char some[HANDFUL];
  size_t n;

  if (is_over()) return 0;
  n = peer_hand(some, sizeof(some));
  if (n > 0) {
    uvsmtp_proto_feed(world.proto, some, n);
    return 1;
  }
  if (!peer_is_done()) return 0;
  lose(UV_EOF);
  return 1;
}

/* The deadline of the phase passes. The host drops an attempt to connect
 * first. */
static void time_out(void) {
  peer_drain();
  letters_break(0);
  if (uvsmtp_proto_wait(world.proto, NULL) == UVSMTP_PHASE_CONNECT)
    lose(UV_ETIMEDOUT);
  else
    uvsmtp_proto_timeout(world.proto);
  reached.timeouts++;
}

/* -------------------------------------------------------------- the caller */

static int take_events(void) {
  uvsmtp_event_t event = UVSMTP_EVENT_INIT;
  int moved = 0;

  /* The engine may have ended the session by itself: out of memory, or since a
   * source failed. */
  if (is_over()) {
    peer_drain();
    letters_break(0);
  }
  while (uvsmtp_proto_next(world.proto, &event)) {
    check_event(&event);
    moved = 1;
    if (nletters < plan.letters && once_in(2)) call_letter();
  }
  if (uvsmtp_proto_pending(world.proto) != world.pending)
    wrong("%zu calls are pending, and not %zu",
          uvsmtp_proto_pending(world.proto), world.pending);
  return moved;
}

static int call_some(void) {
  int moved = 0;

  if (nletters < plan.letters && once_in(10)) {
    call_letter();
    moved = 1;
  }
  if (is_over() && !world.connecting && !world.canceled &&
      (nletters < plan.letters || world.pending > 0) && once_in(3)) {
    call_connect();
    moved = 1;
  }
  return moved | sources_wake();
}

static int overdue(void) {
  uint64_t due = uvsmtp_proto_due(world.proto);

  world.now++;
  if (due == 0 || due > world.now) return 0;
  peer_drain();
  letters_break(0);
  uvsmtp_proto_overdue(world.proto, world.now);
  due = uvsmtp_proto_due(world.proto);
  if (due != 0 && due <= world.now) wrong("what was due still is");
  return 1;
}

/* What nobody expects. */
static int surprise(void) {
  if (!plan.wild || !once_in(100)) return 0;
  switch (any(6)) {
    case 0:
    case 1:
      if (!is_over()) lose(once_in(2) ? UV_ECONNRESET : UV_EOF);
      break;
    case 2:
      if (uvsmtp_proto_wait(world.proto, NULL) != UVSMTP_PHASE_NONE) time_out();
      break;
    case 3:
      if (!once_in(4)) break;
      peer_drain();
      letters_break(0);
      uvsmtp_proto_cancel(world.proto);
      world.canceled = 1;
      plan.letters = nletters;
      break;
    default:
      call_other();
      break;
  }
  return 1;
}

/* --------------------------------------------------------------- one seed */

/* Nothing moves: 1 when that is the end, and not a hang. */
static int rest(void) {
  if (world.pending == 0) {
    if (nletters == plan.letters) return 1;
    call_letter();
    return 0;
  }
  if (uvsmtp_proto_wait(world.proto, NULL) == UVSMTP_PHASE_NONE)
    wrong("no deadline runs, and %zu calls are pending", world.pending);
  if (!peer_is_mute())
    wrong("all is answered, and the engine waits: phase %d",
          uvsmtp_proto_wait(world.proto, NULL));
  time_out();
  return 0;
}

static int turn(void) {
  int moved = take_events();

  moved |= connection();
  moved |= send_some();
  if (once_in(2)) peer_serve();
  moved |= receive_some();
  moved |= call_some();
  moved |= overdue();
  moved |= surprise();
  return moved;
}

static void live(void) {
  int quiet = 0;
  int i;

  for (i = 0; i < TURNS; i++) {
    if (i == plan.early) return;
    if (turn() || peer_busy() || sources_busy()) {
      quiet = 0;
    } else if (++quiet == QUIET) {
      if (rest()) return;
      quiet = 0;
    }
  }
  wrong("there is no end, in phase %d", uvsmtp_proto_wait(world.proto, NULL));
}

static void begin(void) {
  uvsmtp_proto_config_t config = UVSMTP_PROTO_CONFIG_INIT;
  int i;

  number = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
  for (i = 0; i < 10; i++) (void)any(2);
  memset(&world, 0, sizeof(world));
  world.mem.size = sizeof(world.mem);
  world.mem.alloc = test_alloc;
  world.mem.data = &world.alloc;
  nletters = 0;
  peer_make();
  calls_begin();
  plan.letters = 1 + (int)any(LETTERS);
  plan.wild = once_in(3);
  plan.early = once_in(30) ? (int)any(200) : NONE;

  config.mem = &world.mem;
  if (peer_is_lmtp()) config.flags |= UVSMTP_SESSION_LMTP;
  if (uvsmtp_proto_new(&world.proto, &config) != 0) wrong("no engine");
  call_connect();
  if (once_in(5)) world.alloc.fail_at = world.alloc.requests + 1 + any(200);
  for (i = plan.letters; i > 0; i--)
    if (!once_in(3)) call_letter();
}

static void run(void) {
  show("-- seed %lu\n", seed);
  begin();
  live();
  uvsmtp_proto_free(world.proto);
  calls_end(plan.early != NONE);
  check_end();
  if (world.alloc.failed > 0) reached.no_memory++;
}

/* So many seeds reach all of it, or the model has lost its point. */
static int check_reached(unsigned long count) {
  const reached_t* r = &reached;
  int all = 1;
  int i;

  printf(
      "%lu seeds: %ld texts, %ld by hand; %ld headers, %ld further "
      "transactions, %ld too many; %ld timeouts, %ld without memory\n",
      count, r->delivered, r->by_hand, r->headed, r->further, r->crowded,
      r->timeouts, r->no_memory);
  for (i = 1; i <= UVSMTP_OUTCOME_UNKNOWN; i++) {
    printf("%s %ld\n", uvsmtp_outcome_name(i), r->outcomes[i]);
    all = all && r->outcomes[i] > 0;
  }
  all = all && r->by_hand > 0 && r->headed > 0 && r->further > 0 &&
        r->crowded > 0 && r->timeouts > 0 && r->no_memory > 0;
  return count < 1000 || all ? 0 : 1;
}

static int run_all(unsigned long first, unsigned long count) {
  for (seed = first; seed < first + count; seed++) {
    *shared_seed = seed;
    run();
  }
  return check_reached(count);
}

/* The seeds run in a child, so that one that crashes has a name, too. */
static int watch(unsigned long first, unsigned long count) {
  int status = 0;
  pid_t child;

  shared_seed = mmap(NULL, sizeof(*shared_seed), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared_seed == MAP_FAILED) return 2;
  child = fork();
  if (child == 0) exit(run_all(first, count));
  if (child < 0 || waitpid(child, &status, 0) != child) return 2;
  if (status == 0) return 0;
  printf("ended by seed %lu; the dialogue: test_model %lu 1 -v\n", *shared_seed,
         *shared_seed);
  return 1;
}

int main(int argc, char** argv) {
  unsigned long count;
  unsigned long first;

  if (argc < 3) {
    fprintf(stderr, "usage: test_model SEED COUNT [-v]\n");
    return 2;
  }
  first = strtoul(argv[1], NULL, 10);
  count = strtoul(argv[2], NULL, 10);
  verbose = argc > 3 && strcmp(argv[3], "-v") == 0;
  return watch(first, count);
}
