/* SPDX-License-Identifier: MIT */
/* test_file.c: bodies from files, pipes and FIFOs: what they hold and nothing
 * else, and what becomes of a message whose file fails. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

enum { BLOCK = 65536, MIB = 1024 * 1024 };

/* -------------------------------------------------------------- the files */

/* Text of n octets: lines of many lengths, some of which begin with dots. */
static char* make_text(size_t n) {
  char* text = malloc(n + 1);
  size_t i = 0;
  size_t line = 0;
  assert_non_null(text);
  while (i < n) {
    size_t len = line * 7 % 71 + 2;
    size_t k;
    if (len > n - i || n - i - len < 2) len = n - i;
    for (k = 0; k < len; k++) text[i + k] = (char)('a' + (line + k) % 26);
    if (line % 5 == 0) text[i] = '.';
    if (len >= 2) memcpy(text + i + len - 2, "\r\n", 2);
    i += len;
    line++;
  }
  text[n] = '\0';
  return text;
}

/* What DATA makes of it; *len its length. */
static char* stuffed(const char* text, size_t n, size_t* len) {
  char* out = malloc(n * 2 + 8);
  size_t i;
  size_t at = 0;
  assert_non_null(out);
  for (i = 0; i < n; i++) {
    if (text[i] == '.' && (i == 0 || text[i - 1] == '\n')) out[at++] = '.';
    out[at++] = text[i];
  }
  memcpy(out + at, ".\r\n", 3);
  *len = at + 3;
  return out;
}

/* A file in a directory of its own. */
typedef struct disk_s {
  char dir[32];
  char path[64];
  int fd; /* to read and to write */
} disk_t;

static void disk_make(disk_t* d, const char* text, size_t n) {
  strcpy(d->dir, "/tmp/uvsmtp-file-XXXXXX");
  assert_non_null(mkdtemp(d->dir));
  snprintf(d->path, sizeof(d->path), "%s/body", d->dir);
  d->fd = open(d->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  assert_true(d->fd >= 0);
  assert_int_equal((int)n, (int)write(d->fd, text, n));
}

static void disk_fifo(disk_t* d) {
  disk_make(d, "", 0);
  close(d->fd);
  assert_int_equal(0, unlink(d->path));
  assert_int_equal(0, mkfifo(d->path, 0600));
  d->fd = -1;
}

static void disk_drop(disk_t* d) {
  if (d->fd >= 0) close(d->fd);
  unlink(d->path);
  rmdir(d->dir);
}

static void write_all(int fd, const char* text, size_t n) {
  assert_int_equal((int)n, (int)write(fd, text, n));
}

/* ----------------------------------------------------- driven by hand */

/* Asks until there is something else to say than WAIT. */
static int peek(fixture_t* f, uvsmtp_source_t* s, uvsmtp_slice_t* out) {
  int rc;
  while ((rc = s->peek(s, out)) == UVSMTP_SOURCE_WAIT)
    assert_int_not_equal(0, uv_run(&f->loop, UV_RUN_ONCE));
  return rc;
}

/* Reads up to n octets, at most step at a time. */
static size_t take(fixture_t* f, uvsmtp_source_t* s, char* to, size_t n,
                   size_t step, int* status) {
  size_t have = 0;
  uvsmtp_slice_t slice = {NULL, 0};
  *status = UVSMTP_SOURCE_MORE;
  while (have < n) {
    size_t k;
    *status = peek(f, s, &slice);
    if (*status != UVSMTP_SOURCE_MORE) break;
    k = slice.len < step ? slice.len : step;
    if (k > n - have) k = n - have;
    memcpy(to + have, slice.base, k);
    s->consumed(s, k);
    have += k;
  }
  return have;
}

static const size_t sizes[] = {0,
                               1,
                               2,
                               BLOCK - 1,
                               BLOCK,
                               BLOCK + 1,
                               2 * BLOCK,
                               2 * BLOCK + 1,
                               3 * BLOCK,
                               3 * BLOCK + 17,
                               5 * BLOCK - 1};
enum { SIZES = sizeof(sizes) / sizeof(sizes[0]) };

static void read_whole(size_t size, size_t offset, int by_fd, size_t step) {
  fixture_t f;
  disk_t d;
  uvsmtp_session_t* s;
  uvsmtp_source_t* source = NULL;
  char* text = make_text(size + offset);
  char* got = malloc(size + 2);
  int status;
  size_t octets;
  disk_make(&d, text, size + offset);
  fixture_start(&f);
  s = open_session(&f, NULL, NULL);
  octets = f.heap.peak = f.heap.octets;
  if (by_fd) {
    assert_int_equal((int)offset, (int)lseek(d.fd, (off_t)offset, SEEK_SET));
    assert_int_equal(0, uvsmtp_source_fd(&source, s, d.fd));
  } else {
    assert_int_equal(0, uvsmtp_source_path(&source, s, d.path));
  }
  assert_int_equal(UVSMTP_LENGTH_LATER, source->length);
  assert_int_equal((int)size,
                   (int)take(&f, source, got, size + 1, step, &status));
  assert_int_equal(UVSMTP_SOURCE_EOF, status);
  assert_int_equal((int)size, (int)source->length);
  assert_memory_equal(text + offset, got, size);
  if (by_fd) assert_int_equal((int)offset, (int)lseek(d.fd, 0, SEEK_CUR));
  /* As much as it needs, and never more than two blocks. */
  assert_true(f.heap.peak - octets <= (size == 0 ? BLOCK /* or so it seems */
                                       : size <= BLOCK ? size + size / 4
                                                       : 2 * BLOCK) +
                                          2048);
  uvsmtp_source_discard(source);
  close_session(&f, s);
  fixture_finish(&f);
  disk_drop(&d);
  free(text);
  free(got);
}

static void test_sizes(void** state) {
  size_t i;
  (void)state;
  for (i = 0; i < SIZES; i++) {
    read_whole(sizes[i], 0, 0, SIZE_MAX);
    read_whole(sizes[i], 0, 0, 1000);
    read_whole(sizes[i], 0, 1, SIZE_MAX);
    read_whole(sizes[i], 70001, 1, SIZE_MAX);
  }
}

/* Back to the first octet from everywhere, while a block is being read too. */
static void test_rewind(void** state) {
  enum { SIZE = 3 * BLOCK + 5 };
  fixture_t f;
  disk_t d;
  uvsmtp_session_t* s;
  uvsmtp_source_t* source = NULL;
  char* text = make_text(SIZE);
  char* got = malloc(SIZE + 1);
  size_t from;
  int status;
  (void)state;
  disk_make(&d, text, SIZE);
  fixture_start(&f);
  s = open_session(&f, NULL, NULL);
  assert_int_equal(0, uvsmtp_source_path(&source, s, d.path));
  assert_int_equal(0, source->rewind(source)); /* not even open */
  for (from = 0; from <= SIZE; from += 10923) {
    uvsmtp_slice_t slice;
    take(&f, source, got, from, SIZE_MAX, &status);
    (void)source->peek(source, &slice);
    assert_int_equal(0, source->rewind(source));
    memset(got, 0, SIZE);
    assert_int_equal(SIZE, (int)take(&f, source, got, SIZE + 1, 7001, &status));
    assert_int_equal(UVSMTP_SOURCE_EOF, status);
    assert_memory_equal(text, got, SIZE);
    assert_int_equal(0, source->rewind(source));
  }
  uvsmtp_source_discard(source);
  close_session(&f, s);
  fixture_finish(&f);
  disk_drop(&d);
  free(text);
  free(got);
}

static void empty_it(void* fd) { assert_int_equal(0, ftruncate(*(int*)fd, 0)); }

/* Emptied between the look at its length and the first read, for which the
 * buffer is allocated: it keeps its length, which the engine will miss. */
static void test_emptied(void** state) {
  fixture_t f;
  disk_t d;
  uvsmtp_session_t* s;
  uvsmtp_source_t* source = NULL;
  uvsmtp_slice_t slice;
  (void)state;
  disk_make(&d, "text\r\n", 6);
  fixture_start(&f);
  s = open_session(&f, NULL, NULL);
  assert_int_equal(0, uvsmtp_source_path(&source, s, d.path));
  f.heap.hook = empty_it;
  f.heap.hook_arg = &d.fd;
  assert_int_equal(UVSMTP_SOURCE_EOF, peek(&f, source, &slice));
  f.heap.hook = NULL;
  assert_int_equal(6, source->length);
  uvsmtp_source_discard(source);
  close_session(&f, s);
  fixture_finish(&f);
  disk_drop(&d);
}

/* What says that it is empty may have something to say, and what can't be
 * polled may be read. */
static void read_odd(const char* path, int want, int has_length) {
  fixture_t f;
  uvsmtp_session_t* s;
  uvsmtp_source_t* source = NULL;
  char got[4 * BLOCK];
  int status;
  fixture_start(&f);
  s = open_session(&f, NULL, NULL);
  assert_int_equal(0, uvsmtp_source_path(&source, s, path));
  if (take(&f, source, got, sizeof(got), SIZE_MAX, &status) > 0) status = 0;
  assert_int_equal(want, status);
  if (want >= 0) assert_int_equal(has_length ? 0 : -1, source->length);
  uvsmtp_source_discard(source);
  close_session(&f, s);
  fixture_finish(&f);
}

static void test_odd_files(void** state) {
  (void)state;
  read_odd("/proc/self/status", UVSMTP_SOURCE_MORE, 0);
  read_odd("/dev/zero", UVSMTP_SOURCE_MORE, 0);
  read_odd("/dev/null", UVSMTP_SOURCE_EOF, 1);
  read_odd("/proc/self/mem", UV_EIO, 0);
  read_odd("/proc", UV_EISDIR, 0);
  read_odd("/nonexistent/file", UV_ENOENT, 0);
  read_odd("/dev/null/file", UV_ENOTDIR, 0);
  read_odd("", UV_ENOENT, 0);
}

/* ------------------------------------------------------------ on the wire */

static const char hello[] = "S 220 hi\n C EHLO\n S 250-peer\n S 250 SIZE\n";
static const char take_one[] =
    "C MAIL\n S 250 ok\n C RCPT\n S 250 ok\n C DATA\n S 354 go\n T\n"
    "S 250 2.0.0 taken\n";

typedef struct scene_s {
  fixture_t f;
  peer_t* peer;
  peer_record_t record;
  uvsmtp_session_t* s;
  uvsmtp_timeouts_t timeouts;
  letter_t letters[2];
  call_t connect;
  call_t sends[2];
  call_t noop;
} scene_t;

static void scene_start(scene_t* c, const char* steps) {
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_timeouts_t timeouts = UVSMTP_TIMEOUTS_INIT;
  char script[2048];
  memset(c, 0, sizeof(*c));
  snprintf(script, sizeof(script), "%s%s", hello, steps);
  c->peer = peer_play(PEER_UNIX, script);
  peer_keep(c->peer, &c->record);
  fixture_start(&c->f);
  c->timeouts = timeouts;
  config.timeouts = &c->timeouts;
  c->s = open_session(&c->f, c->peer, &config);
  assert_int_equal(0, CALL(&c->connect, &c->f,
                           uvsmtp_connect(c->s, NULL, on_call, &c->connect)));
}

static void scene_send(scene_t* c, int i, uvsmtp_source_t* source) {
  letter_init(&c->letters[i], "a@example.com", "b@example.org", "", 0);
  c->letters[i].message.body = source;
  assert_int_equal(0, CALL(&c->sends[i], &c->f,
                           uvsmtp_send(c->s, &c->letters[i].message, on_call,
                                       &c->sends[i])));
}

static void scene_noop(scene_t* c) {
  assert_int_equal(0,
                   CALL(&c->noop, &c->f, uvsmtp_noop(c->s, on_call, &c->noop)));
  wait_for(&c->noop);
}

/* script: whether the peer's script must have come to its end. */
static void scene_end(scene_t* c, int script) {
  close_session(&c->f, c->s);
  fixture_finish(&c->f);
  if (script) {
    assert_peer_done(c->peer);
  } else {
    peer_finish(c->peer, NULL);
  }
  free(c->record.text);
}

static void assert_sent(const scene_t* c, int i) {
  assert_int_equal(0, c->sends[i].status);
  assert_int_equal(UVSMTP_OUTCOME_ACCEPTED, c->sends[i].outcome);
}

/* scenario: stored equals sent, many blocks, by DATA */
static void test_data_on_the_wire(void** state) {
  enum { SIZE = 12 * MIB, OFFSET = 1000 };
  scene_t c;
  disk_t d;
  uvsmtp_source_t* source = NULL;
  char* text = make_text(SIZE);
  char* want;
  size_t len;
  int by_fd;
  (void)state;
  disk_make(&d, text, SIZE);
  for (by_fd = 0; by_fd < 2; by_fd++) {
    scene_start(&c, take_one);
    wait_for(&c.connect);
    if (by_fd) {
      lseek(d.fd, OFFSET, SEEK_SET);
      assert_int_equal(0, uvsmtp_source_fd(&source, c.s, d.fd));
    } else {
      assert_int_equal(0, uvsmtp_source_path(&source, c.s, d.path));
    }
    scene_send(&c, 0, source);
    wait_for(&c.sends[0]);
    assert_sent(&c, 0);
    close_session(&c.f, c.s);
    fixture_finish(&c.f);
    assert_peer_done(c.peer);
    want = stuffed(text + by_fd * OFFSET, SIZE - (size_t)by_fd * OFFSET, &len);
    assert_int_equal((int)len, (int)c.record.len);
    assert_memory_equal(want, c.record.text, len);
    free(want);
    free(c.record.text);
  }
  disk_drop(&d);
  free(text);
}

/* By BDAT: the length is in MAIL, and every block is a chunk. */
static void test_bdat_on_the_wire(void** state) {
  enum { SIZE = 3 * BLOCK + 100 };
  scene_t c;
  disk_t d;
  uvsmtp_source_t* source = NULL;
  char* text = make_text(SIZE);
  (void)state;
  disk_make(&d, text, SIZE);
  memset(&c, 0, sizeof(c));
  c.peer = peer_play(
      0,
      "S 220 hi\n C EHLO\n S 250-peer\n S 250-SIZE\n S 250 CHUNKING\n"
      "C MAIL FROM:<a@example.com> SIZE=196708\n S 250 ok\n"
      "C RCPT\n S 250 ok\n"
      "C BDAT 65536\n B 65536\n S 250 ok\n C BDAT 65536\n B 65536\n S 250 ok\n"
      "C BDAT 65536\n B 65536\n S 250 ok\n C BDAT 100 LAST\n B 100\n"
      "S 250 2.0.0 taken\n");
  peer_keep(c.peer, &c.record);
  fixture_start(&c.f);
  c.s = open_session(&c.f, c.peer, NULL);
  assert_int_equal(0, CALL(&c.connect, &c.f,
                           uvsmtp_connect(c.s, NULL, on_call, &c.connect)));
  assert_int_equal(0, uvsmtp_source_path(&source, c.s, d.path));
  scene_send(&c, 0, source);
  wait_for(&c.sends[0]);
  assert_sent(&c, 0);
  close_session(&c.f, c.s);
  fixture_finish(&c.f);
  assert_peer_done(c.peer);
  assert_int_equal(SIZE, (int)c.record.len);
  assert_memory_equal(text, c.record.text, SIZE);
  free(c.record.text);
  disk_drop(&d);
  free(text);
}

/* Two sources over one descriptor, queued at once. */
static void test_two_messages(void** state) {
  static const char twice[] =
      "C MAIL\n S 250 ok\n C RCPT\n S 250 ok\n C DATA\n S 354 go\n T\n"
      "S 250 ok\n"
      "C MAIL\n S 250 ok\n C RCPT\n S 250 ok\n C DATA\n S 354 go\n T\n"
      "S 250 ok\n";
  scene_t c;
  disk_t d;
  uvsmtp_source_t* source[2];
  int i;
  (void)state;
  disk_make(&d, "one\r\ntwo\r\n", 10);
  scene_start(&c, twice);
  for (i = 0; i < 2; i++) {
    lseek(d.fd, i * 5, SEEK_SET);
    assert_int_equal(0, uvsmtp_source_fd(&source[i], c.s, d.fd));
    scene_send(&c, i, source[i]);
  }
  close(d.fd); /* they have duplicates */
  d.fd = -1;
  wait_for(&c.sends[1]);
  assert_sent(&c, 0);
  assert_sent(&c, 1);
  assert_int_equal(21, (int)c.record.len);
  assert_memory_equal("one\r\ntwo\r\n.\r\ntwo\r\n.\r\n", c.record.text, 21);
  scene_end(&c, 1);
  disk_drop(&d);
}

/* ---------------------------------------------------- pipes and the like */

/* Nothing is said before the first octet is there, nothing is lost, and the
 * writer's end and the caller's stay as they were. */
static void fed_slowly(int kind) {
  scene_t c;
  uvsmtp_source_t* source = NULL;
  int fds[2];
  int i;
  if (kind == 0) {
    assert_int_equal(0, pipe2(fds, O_CLOEXEC));
  } else {
    assert_int_equal(0,
                     socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
  }
  scene_start(&c, take_one);
  assert_int_equal(0, uvsmtp_source_fd(&source, c.s, fds[0]));
  scene_send(&c, 0, source);
  assert_only_hello(&c.f, c.s);
  for (i = 0; i < 5; i++) {
    write_all(fds[1], "line\r", 5);
    run_for(&c.f, 3);
    write_all(fds[1], "\n.\r\n", 4);
    run_for(&c.f, 3);
    assert_int_equal(0, fcntl(fds[0], F_GETFL) & O_NONBLOCK);
  }
  assert_int_equal(0, c.sends[0].times);
  close(fds[1]);
  wait_for(&c.sends[0]);
  assert_sent(&c, 0);
  assert_int_equal(53, (int)c.record.len);
  assert_memory_equal("line\r\n..\r\nline\r\n", c.record.text, 16);
  assert_int_equal(0, fcntl(fds[0], F_GETFL) & O_NONBLOCK);
  close(fds[0]);
  scene_end(&c, 1);
}

static void test_pipe(void** state) {
  (void)state;
  fed_slowly(0);
  fed_slowly(1);
}

/* A terminal: line by line, until its user says that it is the end. */
static void test_terminal(void** state) {
  scene_t c;
  uvsmtp_source_t* source = NULL;
  char name[64];
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  int slave;
  (void)state;
  assert_true(master >= 0);
  assert_int_equal(0, grantpt(master));
  assert_int_equal(0, unlockpt(master));
  assert_int_equal(0, ptsname_r(master, name, sizeof(name)));
  slave = open(name, O_RDONLY | O_NOCTTY | O_CLOEXEC);
  assert_true(slave >= 0);
  scene_start(&c, take_one);
  assert_int_equal(0, uvsmtp_source_fd(&source, c.s, slave));
  scene_send(&c, 0, source);
  write_all(master, "no line yet", 11);
  assert_only_hello(&c.f, c.s);
  write_all(master, "\n", 1);
  run_for(&c.f, 5);
  assert_int_equal(0, fcntl(slave, F_GETFL) & O_NONBLOCK);
  write_all(master, "\x04", 1); /* Ctrl-D */
  wait_for(&c.sends[0]);
  assert_sent(&c, 0);
  assert_int_equal(16, (int)c.record.len);
  assert_memory_equal("no line yet\r\n.\r\n", c.record.text, 16);
  close(slave);
  close(master);
  scene_end(&c, 1);
}

/* An empty pipe that ends is an empty message. */
static void test_empty_pipe(void** state) {
  scene_t c;
  uvsmtp_source_t* source = NULL;
  int fds[2];
  (void)state;
  assert_int_equal(0, pipe2(fds, O_CLOEXEC));
  close(fds[1]);
  scene_start(&c, take_one);
  assert_int_equal(0, uvsmtp_source_fd(&source, c.s, fds[0]));
  scene_send(&c, 0, source);
  wait_for(&c.sends[0]);
  assert_sent(&c, 0);
  assert_int_equal(3, (int)c.record.len);
  close(fds[0]);
  scene_end(&c, 1);
}

/* A FIFO to which nobody has written yet is not at its end. */
static void test_fifo(void** state) {
  scene_t c;
  disk_t d;
  uvsmtp_source_t* source = NULL;
  int fd;
  int i;
  (void)state;
  disk_fifo(&d);
  scene_start(&c, take_one);
  assert_int_equal(0, uvsmtp_source_path(&source, c.s, d.path));
  scene_send(&c, 0, source);
  wait_for(&c.connect);
  run_for(&c.f, 20);
  assert_int_equal(0, c.sends[0].times);
  /* Refused with ENXIO until the source has opened its end. */
  for (i = 0; (fd = open(d.path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0; i++) {
    assert_true(i < 10000);
    run_for(&c.f, 1);
  }
  run_for(&c.f, 5);
  write_all(fd, "late\r\n", 6);
  run_for(&c.f, 5);
  close(fd);
  wait_for(&c.sends[0]);
  assert_sent(&c, 0);
  assert_int_equal(9, (int)c.record.len);
  scene_end(&c, 1);
  disk_drop(&d);
}

/* One that stays silent costs its own message only, after its deadline. */
static void test_silent_fifo(void** state) {
  scene_t c;
  disk_t d;
  uvsmtp_source_t* source = NULL;
  (void)state;
  disk_fifo(&d);
  scene_start(&c, "C NOOP\n S 250 ok\n");
  c.timeouts.text = 30;
  assert_int_equal(0, uvsmtp_session_set_timeouts(c.s, &c.timeouts));
  assert_int_equal(0, uvsmtp_source_path(&source, c.s, d.path));
  scene_send(&c, 0, source);
  wait_for(&c.sends[0]);
  assert_int_equal(UV_ETIMEDOUT, c.sends[0].status);
  assert_int_equal(UVSMTP_OUTCOME_DEFERRED, c.sends[0].outcome);
  scene_noop(&c);
  assert_int_equal(0, c.noop.status);
  scene_end(&c, 1);
  disk_drop(&d);
}

/* ------------------------------------------------------------- failures */

/* What can't be read at all fails before anything is said of it, and the
 * session goes on. */
static void fails_early(const char* path, int fd, int cause) {
  scene_t c;
  uvsmtp_source_t* source = NULL;
  scene_start(&c, "C NOOP\n S 250 ok\n");
  if (path != NULL) {
    assert_int_equal(0, uvsmtp_source_path(&source, c.s, path));
  } else {
    assert_int_equal(0, uvsmtp_source_fd(&source, c.s, fd));
  }
  scene_send(&c, 0, source);
  scene_noop(&c);
  assert_int_equal(1, c.sends[0].times);
  assert_int_equal(UVSMTP_ESOURCE, c.sends[0].status);
  assert_int_equal(cause, c.sends[0].cause);
  assert_int_equal(UVSMTP_OUTCOME_DEFERRED, c.sends[0].outcome);
  assert_int_equal(UVSMTP_STATE_MAIL, c.sends[0].stage);
  assert_int_equal(0, c.noop.status);
  scene_end(&c, 1);
}

static void test_unreadable(void** state) {
  disk_t d;
  int ends[2];
  int fd;
  (void)state;
  fails_early("/nonexistent/file", -1, UV_ENOENT);
  fails_early("/", -1, UV_EISDIR);
  fails_early("/proc/self/mem", -1, UV_EIO);
  fd = open("/", O_RDONLY | O_CLOEXEC);
  fails_early(NULL, fd, UV_EISDIR);
  close(fd);
  disk_make(&d, "x\r\n", 3);
  fd = open(d.path, O_WRONLY | O_CLOEXEC);
  fails_early(NULL, fd, UV_EBADF);
  close(fd);
  /* The end of a pipe that is for writing would be silent for ever. */
  assert_int_equal(0, pipe(ends));
  fails_early(NULL, ends[1], UV_EBADF);
  close(ends[0]);
  close(ends[1]);
  if (geteuid() != 0) { /* root may read it */
    assert_int_equal(0, chmod(d.path, 0));
    fails_early(d.path, -1, UV_EACCES);
  }
  disk_drop(&d);
}

/* scenario: 98 */
static void assert_cut(scene_t* c, int cause) {
  assert_int_equal(UVSMTP_ESOURCE, c->sends[0].status);
  assert_int_equal(cause, c->sends[0].cause);
  assert_int_equal(UVSMTP_OUTCOME_DEFERRED, c->sends[0].outcome);
  assert_int_equal(UVSMTP_STATE_CLOSED, uvsmtp_session_state(c->s));
  close_session(&c->f, c->s);
  fixture_finish(&c->f);
  assert_peer_done(c->peer);
  assert_true(c->record.len > 0);
  assert_null(memmem(c->record.text, c->record.len, "\r\n.\r\n", 5));
}

static const char stalled[] =
    "C MAIL\n S 250 ok\n C RCPT\n S 250 ok\n C DATA\n S 354 go\n STALL\n EOF";
static const char stalled_taken[] =
    "C MAIL\n S 250 ok\n C RCPT\n S 250 ok\n C DATA\n S 354 go\n STALL\n T\n"
    "S 250 ok\n";

/* A file that changes while it is being sent: by then its length was taken, the
 * socket is full, and most of it has not been read. */
static void changed(off_t size) {
  enum { SIZE = 8 * MIB + 1000 };
  scene_t c;
  disk_t d;
  uvsmtp_source_t* source = NULL;
  char* text = make_text(SIZE);
  char* want;
  size_t len;
  disk_make(&d, text, SIZE);
  scene_start(&c, size < SIZE ? stalled : stalled_taken);
  assert_int_equal(0, uvsmtp_source_path(&source, c.s, d.path));
  scene_send(&c, 0, source);
  run_to_stall(&c.f, c.peer, 1);
  assert_int_equal(0, ftruncate(d.fd, size));
  peer_go(c.peer);
  wait_for(&c.sends[0]);
  if (size < SIZE) {
    assert_cut(&c, UV_EOF);
  } else {
    assert_sent(&c, 0);
    close_session(&c.f, c.s);
    fixture_finish(&c.f);
    assert_peer_done(c.peer);
    want = stuffed(text, SIZE, &len);
    assert_int_equal((int)len, (int)c.record.len);
    assert_memory_equal(want, c.record.text, len);
    free(want);
  }
  free(c.record.text);
  disk_drop(&d);
  free(text);
}

static void test_truncated(void** state) {
  (void)state;
  changed(5 * MIB);
  changed(0);
}

static void test_grown(void** state) {
  (void)state;
  changed(9 * MIB);
}

/* Of memory, of which the end is gone, reads fail behind it. */
static void test_error_midway(void** state) {
  scene_t c;
  uvsmtp_source_t* source = NULL;
  size_t size = 3 * BLOCK;
  char* map = mmap(NULL, size + BLOCK, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  size_t i;
  (void)state;
  assert_true(map != MAP_FAILED && fd >= 0);
  for (i = 0; i + 8 <= size; i += 8) memcpy(map + i, "a line\r\n", 8);
  assert_int_equal(0, munmap(map + size, BLOCK));
  assert_true(lseek(fd, (off_t)(uintptr_t)map, SEEK_SET) > 0);
  scene_start(
      &c, "C MAIL\n S 250 ok\n C RCPT\n S 250 ok\n C DATA\n S 354 go\n EOF");
  assert_int_equal(0, uvsmtp_source_fd(&source, c.s, fd));
  scene_send(&c, 0, source);
  wait_for(&c.sends[0]);
  assert_cut(&c, UV_EIO);
  free(c.record.text);
  close(fd);
  munmap(map, size);
}

/* ------------------------------------------------------------------ ends */

enum { SMALL, LARGE, PIPE, FIFO, MISSING, KINDS };

/* The session is closed after some turns of the loop: while the file is being
 * opened, examined, read, waited for, or sent. */
static void close_after(int kind, int turns) {
  enum { SIZE = 20 * BLOCK };
  fixture_t f;
  disk_t d;
  letter_t letter;
  call_t connect, send;
  uvsmtp_session_t* s;
  uvsmtp_source_t* source = NULL;
  peer_t* peer = peer_answer(PEER_UNIX);
  char* text = make_text(SIZE);
  int fds[2] = {-1, -1};
  memset(&connect, 0, sizeof(connect));
  memset(&send, 0, sizeof(send));
  if (kind == FIFO) {
    disk_fifo(&d);
  } else {
    disk_make(&d, text, kind == SMALL ? 1000 : SIZE);
  }
  if (kind == MISSING) unlink(d.path);
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  if (kind == PIPE) {
    assert_int_equal(0, pipe2(fds, O_CLOEXEC));
    write_all(fds[1], "x\r\n", 3);
    assert_int_equal(0, uvsmtp_source_fd(&source, s, fds[0]));
  } else {
    assert_int_equal(0, uvsmtp_source_path(&source, s, d.path));
  }
  assert_int_equal(
      0, CALL(&connect, &f, uvsmtp_connect(s, NULL, on_call, &connect)));
  letter_init(&letter, "a@example.com", "b@example.org", "", 0);
  letter.message.body = source;
  assert_int_equal(
      0, CALL(&send, &f, uvsmtp_send(s, &letter.message, on_call, &send)));
  if (turns >= 20) wait_for(&connect);
  for (turns %= 20; turns > 0; turns--) uv_run(&f.loop, UV_RUN_NOWAIT);
  close_session(&f, s);
  assert_int_equal(1, send.times);
  fixture_finish(&f);
  peer_finish(peer, NULL);
  if (kind == PIPE) {
    close(fds[0]);
    close(fds[1]);
  }
  disk_drop(&d);
  free(text);
}

static void test_close(void** state) {
  int kind;
  int turns;
  (void)state;
  for (kind = 0; kind < KINDS; kind++) {
    for (turns = 0; turns < 40; turns++) close_after(kind, turns);
  }
}

/* All threads of libuv's pool, held until they are let go. */
typedef struct clog_s {
  uv_work_t work[16];
  uv_sem_t held;
  uv_sem_t free;
} clog_t;

static void hold(uv_work_t* work) {
  clog_t* clog = work->data;
  uv_sem_post(&clog->held);
  uv_sem_wait(&clog->free);
}

static void held(uv_work_t* work, int status) {
  (void)work;
  (void)status;
}

/* The pool has no time for the file: nothing of the session waits for it. */
static void test_close_while_queued(void** state) {
  enum { THREADS = 4 }; /* libuv's default */
  fixture_t f;
  clog_t clog;
  uvsmtp_session_t* s;
  uvsmtp_source_t* source = NULL;
  uvsmtp_slice_t slice;
  int i;
  (void)state;
  fixture_start(&f);
  assert_int_equal(0, uv_sem_init(&clog.held, 0));
  assert_int_equal(0, uv_sem_init(&clog.free, 0));
  for (i = 0; i < THREADS; i++) {
    clog.work[i].data = &clog;
    uv_queue_work(&f.loop, &clog.work[i], hold, held);
  }
  for (i = 0; i < THREADS; i++) uv_sem_wait(&clog.held);
  s = open_session(&f, NULL, NULL);
  assert_int_equal(0, uvsmtp_source_path(&source, s, "/dev/zero"));
  assert_int_equal(UVSMTP_SOURCE_WAIT, source->peek(source, &slice));
  close_session(&f, s);
  uvsmtp_source_discard(source);
  for (i = 0; i < THREADS; i++) uv_sem_post(&clog.free);
  fixture_finish(&f);
  uv_sem_destroy(&clog.held);
  uv_sem_destroy(&clog.free);
}

/* A source that nobody used lives until it is discarded, longer than its
 * session if need be, and the environment waits for that. */
static void test_discard(void** state) {
  fixture_t f;
  uvsmtp_session_t* s;
  uvsmtp_source_t* source[3];
  int fds[2];
  (void)state;
  assert_int_equal(0, pipe2(fds, O_CLOEXEC));
  fixture_start(&f);
  s = open_session(&f, NULL, NULL);
  uvsmtp_source_discard(NULL);
  assert_int_equal(0, uvsmtp_source_path(&source[0], s, "/dev/null"));
  assert_int_equal(0, uvsmtp_source_path(&source[1], s, "/dev/null"));
  assert_int_equal(0, uvsmtp_source_fd(&source[2], s, fds[0]));
  uvsmtp_source_discard(source[0]);
  close_session(&f, s);
  assert_int_equal(UV_EBUSY, uvsmtp_env_close(f.env, NULL, NULL));
  uvsmtp_source_discard(source[1]);
  assert_int_equal(UV_EBUSY, uvsmtp_env_close(f.env, NULL, NULL));
  uvsmtp_source_discard(source[2]);
  fixture_finish(&f);
  close(fds[0]);
  close(fds[1]);
}

typedef struct intruder_s {
  uvsmtp_session_t* session;
  int calls;
} intruder_t;

static void intrude(void* arg, int kind, const char* text, size_t len) {
  intruder_t* in = arg;
  uvsmtp_source_t* source = NULL;
  (void)kind;
  (void)text;
  (void)len;
  in->calls++;
  assert_int_equal(UV_EBUSY, uvsmtp_source_path(&source, in->session, "/"));
  assert_int_equal(UV_EBUSY, uvsmtp_source_fd(&source, in->session, 0));
}

/* One source, one call, its own session. */
static void test_misuse(void** state) {
  scene_t c;
  intruder_t in = {NULL, 0};
  uvsmtp_session_t* other;
  uvsmtp_source_t* source = NULL;
  uvsmtp_message_t m;
  call_t extra;
  (void)state;
  scene_start(&c, take_one);
  in.session = c.s;
  assert_int_equal(0, uvsmtp_session_set_trace(c.s, intrude, &in));
  other = open_session(&c.f, NULL, NULL);
  assert_int_equal(UV_EINVAL, uvsmtp_source_path(NULL, c.s, "/"));
  assert_int_equal(UV_EINVAL, uvsmtp_source_path(&source, c.s, NULL));
  assert_int_equal(UV_EINVAL, uvsmtp_source_fd(NULL, c.s, 0));
  assert_int_equal(UV_EBADF, uvsmtp_source_fd(&source, c.s, -1));
  assert_int_equal(0, uvsmtp_source_path(&source, c.s, "/dev/null"));
  memset(&extra, 0, sizeof(extra));
  assert_int_equal(UV_EINVAL, uvsmtp_data(other, source, 0, on_call, &extra));
  /* A refused call has not taken it. */
  assert_int_equal(UV_EINVAL, uvsmtp_data(c.s, source, 99, on_call, &extra));
  scene_send(&c, 0, source);
  m = c.letters[0].message;
  assert_int_equal(UV_EINVAL, uvsmtp_send(c.s, &m, on_call, &extra));
  assert_int_equal(UV_EINVAL, uvsmtp_bdat(c.s, source, 1, on_call, &extra));
  uvsmtp_source_discard(source); /* a call has it */
  wait_for(&c.sends[0]);
  assert_sent(&c, 0);
  assert_true(in.calls > 0);
  close_session(&c.f, other);
  assert_int_equal(0, uvsmtp_session_close(c.s, on_session_closed, &c.f));
  assert_int_equal(UV_ECANCELED, uvsmtp_source_path(&source, c.s, "/"));
  assert_int_equal(UV_ECANCELED, uvsmtp_source_fd(&source, c.s, 0));
  run_until(&c.f, &c.f.closed, 2);
  fixture_finish(&c.f);
  assert_peer_done(c.peer);
  free(c.record.text);
}

/* --------------------------------------------------------- out of memory */

typedef struct life_s {
  uv_loop_t loop;
  heap_t heap;
  uvsmtp_mem_t mem;
  uvsmtp_env_t* env;
  uvsmtp_session_t* session;
  int accepted;
  int times;
  int status;
  int closed;
} life_t;

static void on_life(uvsmtp_session_t* s, const uvsmtp_result_t* result,
                    void* arg) {
  life_t* l = arg;
  (void)s;
  l->times++;
  l->status = uvsmtp_result_status(result);
}

static void on_life_closed(uvsmtp_session_t* s, void* arg) {
  (void)s;
  ((life_t*)arg)->closed = 1;
}

static void send_something(life_t* l, const char* path, int fd) {
  uvsmtp_source_t* source = NULL;
  letter_t letter;
  int err = fd >= 0 ? uvsmtp_source_fd(&source, l->session, fd)
                    : uvsmtp_source_path(&source, l->session, path);
  if (err == 0) {
    letter_init(&letter, "a@example.com", "b@example.org", "", 0);
    letter.message.body = source;
    err = uvsmtp_send(l->session, &letter.message, on_life, l);
    if (err != 0) uvsmtp_source_discard(source);
  }
  assert_true(err == 0 || err == UV_ENOMEM);
  l->accepted = err == 0;
}

/* One life in which allocation n fails, or all from there on. 0 when there is
 * no such. */
static int live(long n, int all, const char* path, int fd) {
  life_t l;
  uvsmtp_env_config_t env_config = UVSMTP_ENV_CONFIG_INIT;
  uvsmtp_session_config_t config = UVSMTP_SESSION_CONFIG_INIT;
  uvsmtp_target_t target = UVSMTP_TARGET_INIT;
  peer_t* peer = peer_answer(PEER_UNIX);
  int messages = 0;
  memset(&l, 0, sizeof(l));
  l.heap.fail_at = n;
  l.heap.fail_all = all;
  l.mem.size = sizeof(l.mem);
  l.mem.alloc = heap_alloc;
  l.mem.data = &l.heap;
  env_config.mem = &l.mem;
  target.host = peer_host(peer);
  config.target = &target;
  assert_int_equal(0, uv_loop_init(&l.loop));
  if (uvsmtp_env_new(&l.env, &l.loop, &env_config) == 0) {
    if (uvsmtp_session_new(&l.session, l.env, &config) == 0) {
      if (uvsmtp_connect(l.session, NULL, NULL, NULL) == 0)
        send_something(&l, path, fd);
      while (l.times < l.accepted) {
        int alive = uv_run(&l.loop, UV_RUN_ONCE);
        assert_true(alive || l.times == l.accepted);
      }
      assert_int_equal(0, uvsmtp_session_close(l.session, on_life_closed, &l));
      while (!l.closed) uv_run(&l.loop, UV_RUN_ONCE);
    }
    assert_int_equal(0, uvsmtp_env_close(l.env, NULL, NULL));
    uv_run(&l.loop, UV_RUN_DEFAULT);
  }
  assert_int_equal(0, uv_loop_close(&l.loop));
  assert_int_equal(0, l.heap.blocks);
  assert_int_equal(l.accepted, l.times);
  assert_null(peer_finish(peer, &messages));
  assert_int_equal(messages, l.accepted && l.status == 0);
  if (l.heap.calls < n) assert_int_equal(1, messages);
  return l.heap.calls >= n;
}

static void each_fails(int all) {
  disk_t d;
  char* text = make_text(3 * BLOCK);
  long n;
  int fds[2];
  disk_make(&d, text, 3 * BLOCK);
  for (n = 1; live(n, all, d.path, -1); n++) continue;
  assert_true(n > 10);
  for (n = 1;; n++) {
    int more;
    assert_int_equal(0, pipe2(fds, O_CLOEXEC));
    write_all(fds[1], "x\r\n", 3);
    close(fds[1]);
    more = live(n, all, NULL, fds[0]);
    close(fds[0]);
    if (!more) break;
  }
  assert_true(n > 10);
  disk_drop(&d);
  free(text);
}

static void test_out_of_memory(void** state) {
  (void)state;
  each_fails(0);
  each_fails(1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_sizes),
      TEST(test_rewind),
      TEST(test_emptied),
      TEST(test_odd_files),
      TEST(test_data_on_the_wire),
      TEST(test_bdat_on_the_wire),
      TEST(test_two_messages),
      TEST(test_pipe),
      TEST(test_terminal),
      TEST(test_empty_pipe),
      TEST(test_fifo),
      TEST(test_silent_fifo),
      TEST(test_unreadable),
      TEST(test_truncated),
      TEST(test_grown),
      TEST(test_error_midway),
      TEST(test_close),
      TEST(test_close_while_queued),
      TEST(test_discard),
      TEST(test_misuse),
      TEST(test_out_of_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
