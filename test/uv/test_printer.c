/* SPDX-License-Identifier: MIT */
/* test_printer.c: the ready-made trace function: what a line looks like, and
 * that nothing in it can do anything to a terminal. */
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"

/* What was printed, and in how many pieces. */
typedef struct page_s {
  char text[65536];
  size_t len;
  int pieces;
} page_t;

static void on_print(void* arg, const char* text, size_t len) {
  page_t* page = arg;
  assert_true(len > 0 && page->len + len < sizeof(page->text));
  memcpy(page->text + page->len, text, len);
  page->len += len;
  page->text[page->len] = '\0';
  page->pieces++;
}

static void start(uvsmtp_printer_t* p, unsigned int flags, page_t* page) {
  memset(page, 0, sizeof(*page));
  uvsmtp_printer_init(p, flags, on_print, page);
}

static void say(uvsmtp_printer_t* p, int kind, const char* text) {
  uvsmtp_printer_trace(p, kind, text, strlen(text));
}

static void test_lines(void** state) {
  uvsmtp_printer_t p;
  page_t page;
  (void)state;
  start(&p, 0, &page);
  assert_int_equal(sizeof(p), p.size);
  say(&p, UVSMTP_TRACE_INFO, "connecting to x");
  say(&p, UVSMTP_TRACE_RECEIVED, "220 hi");
  say(&p, UVSMTP_TRACE_SENT, "DATA");
  say(&p, UVSMTP_TRACE_TEXT, "12345");
  say(&p, UVSMTP_TRACE_TEXT, "");
  say(&p, UVSMTP_TRACE_TEXT, "67\r\n");
  say(&p, UVSMTP_TRACE_RECEIVED, "250 ok");
  say(&p, UVSMTP_TRACE_SENT, "");
  uvsmtp_printer_flush(&p);
  say(&p, UVSMTP_TRACE_TEXT, "x");
  uvsmtp_printer_flush(&p);
  uvsmtp_printer_flush(&p);
  assert_string_equal(
      "** connecting to x\n<- 220 hi\n-> DATA\n-> (9 octets of text)\n"
      "<- 250 ok\n-> \n-> (1 octets of text)\n",
      page.text);
  assert_int_equal(7, page.pieces); /* a line in one go */
}

static void test_large_numbers(void** state) {
  uvsmtp_printer_t p;
  page_t page;
  (void)state;
  start(&p, 0, &page);
  p.octets = UINT64_MAX;
  uvsmtp_printer_flush(&p);
  assert_string_equal("-> (18446744073709551615 octets of text)\n", page.text);
}

static void test_escapes(void** state) {
  uvsmtp_printer_t p;
  page_t page;
  char all[256];
  char want[2048] = "<- ";
  int i;
  (void)state;
  start(&p, 0, &page);
  for (i = 0; i < 256; i++) {
    size_t at = strlen(want);
    all[i] = (char)i;
    snprintf(want + at, sizeof(want) - at,
             i >= ' ' && i <= '~' ? "%c" : "\\x%02X", i);
  }
  uvsmtp_printer_trace(&p, UVSMTP_TRACE_RECEIVED, all, sizeof(all));
  strcat(want, "\n");
  assert_string_equal(want, page.text);
}

/* Nothing is cut off, at whatever place a piece ends. */
static void test_long_lines(void** state) {
  static char text[5000];
  uvsmtp_printer_t p;
  page_t page;
  size_t len;
  size_t i;
  (void)state;
  for (len = 1000; len < sizeof(text); len += 331) {
    memset(text, '\x01', len);
    start(&p, 0, &page);
    uvsmtp_printer_trace(&p, UVSMTP_TRACE_SENT, text, len);
    assert_int_equal((int)(3 + 4 * len + 1), (int)page.len);
    for (i = 0; i < len; i++)
      assert_memory_equal("\\x01", page.text + 3 + 4 * i, 4);
    assert_int_equal('\n', page.text[page.len - 1]);
  }
}

/* The text line by line, wherever it was cut. */
static void test_text(void** state) {
  static const char text[] =
      "Subject: x\r\n\r\n..dot\r\nbare\nCR\ra\r\r\n\r\nend";
  static const char want[] =
      "-> | Subject: x\n-> | \n-> | ..dot\n-> | bare\\x0A\n"
      "-> | CR\\x0Da\\x0D\n-> | \n-> | end\n-> (38 octets of text)\n";
  size_t len = sizeof(text) - 1;
  size_t a;
  size_t b;
  (void)state;
  for (a = 0; a <= len; a++) {
    for (b = a; b <= len; b++) {
      uvsmtp_printer_t p;
      page_t page;
      start(&p, UVSMTP_PRINT_TEXT, &page);
      uvsmtp_printer_trace(&p, UVSMTP_TRACE_TEXT, text, a);
      uvsmtp_printer_trace(&p, UVSMTP_TRACE_TEXT, text + a, b - a);
      uvsmtp_printer_trace(&p, UVSMTP_TRACE_TEXT, text + b, len - b);
      uvsmtp_printer_flush(&p);
      assert_string_equal(want, page.text);
    }
  }
}

/* A command between two chunks does not get into a line of text. */
static void test_text_interrupted(void** state) {
  uvsmtp_printer_t p;
  page_t page;
  (void)state;
  start(&p, UVSMTP_PRINT_TEXT, &page);
  p.prefix = "[7] ";
  say(&p, UVSMTP_TRACE_SENT, "BDAT 4");
  say(&p, UVSMTP_TRACE_TEXT, "abc\r");
  say(&p, UVSMTP_TRACE_SENT, "BDAT 4 LAST");
  say(&p, UVSMTP_TRACE_TEXT, "\nd\r\n");
  say(&p, UVSMTP_TRACE_RECEIVED, "250 ok");
  assert_string_equal(
      "[7] -> BDAT 4\n[7] -> | abc\\x0D\n[7] -> (4 octets of text)\n"
      "[7] -> BDAT 4 LAST\n[7] -> | \\x0A\n[7] -> | d\n"
      "[7] -> (4 octets of text)\n[7] <- 250 ok\n",
      page.text);
}

/* Until the fraction of a second begins with a zero, to see that one too. */
static void wait_for_zero(void) {
  uv_timeval64_t now;
  do {
    usleep(1000);
    uv_gettimeofday(&now);
  } while (now.tv_usec >= 90000);
}

/* Not by time(), which may be behind by a tick. */
static void clock_text(char* to, size_t cap) {
  uv_timeval64_t now;
  time_t seconds;
  struct tm tm;
  uv_gettimeofday(&now);
  seconds = (time_t)now.tv_sec;
  localtime_r(&seconds, &tm);
  strftime(to, cap, "%H:%M:%S", &tm);
}

/* In the form of Python's time, and not of another time than this. */
static void test_times(void** state) {
  uvsmtp_printer_t p;
  page_t page;
  char before[32];
  char after[32];
  const char* line;
  int lines;
  (void)state;
  setenv("TZ", "XYZ-5:30", 1); /* no zone of full hours */
  tzset();
  start(&p, UVSMTP_PRINT_TIMES | UVSMTP_PRINT_TEXT, &page);
  p.prefix = "> ";
  do {
    wait_for_zero();
    page.len = 0;
    clock_text(before, sizeof(before));
    say(&p, UVSMTP_TRACE_SENT, "NOOP");
    say(&p, UVSMTP_TRACE_TEXT, "x\r\ny\r\n");
    uvsmtp_printer_flush(&p);
    clock_text(after, sizeof(after));
  } while (strcmp(before, after) != 0); /* within one second */
  line = page.text;
  for (lines = 0; *line != '\0'; lines++) {
    int n = 0;
    int micros = -1;
    assert_memory_equal(before, line, 8);
    assert_int_equal(1, sscanf(line + 8, ".%6d > %n", &micros, &n));
    assert_int_equal(10, n);
    assert_in_range(micros, 0, 999999);
    assert_memory_equal(lines == 0   ? "-> NOOP\n"
                        : lines == 1 ? "-> | x\n"
                        : lines == 2 ? "-> | y\n"
                                     : "-> (6 octet",
                        line + 18, 7);
    line = strchr(line, '\n') + 1;
  }
  assert_int_equal(4, lines);
}

/* ------------------------------------------------------- standard error */

static int own_stderr;

static void redirect(int fd) {
  own_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  assert_true(own_stderr > 0 && dup2(fd, STDERR_FILENO) == STDERR_FILENO);
}

static void restore(void) {
  dup2(own_stderr, STDERR_FILENO);
  close(own_stderr);
}

static void test_standard_error(void** state) {
  uvsmtp_printer_t p;
  char got[256];
  int fds[2];
  ssize_t n;
  (void)state;
  assert_int_equal(0, pipe2(fds, O_CLOEXEC));
  uvsmtp_printer_init(&p, 0, NULL, NULL);
  redirect(fds[1]);
  say(&p, UVSMTP_TRACE_SENT, "NOOP");
  say(&p, UVSMTP_TRACE_TEXT, "x");
  uvsmtp_printer_flush(&p);
  restore();
  n = read(fds[0], got, sizeof(got) - 1);
  assert_true(n > 0);
  got[n] = '\0';
  assert_string_equal("-> NOOP\n-> (1 octets of text)\n", got);
  close(fds[0]);
  close(fds[1]);
}

/* One that is closed, full, or whose reader has gone, loses the line only. */
static void test_no_standard_error(void** state) {
  static char text[65536];
  uvsmtp_printer_t p;
  int fds[2];
  int full;
  (void)state;
  memset(text, 'x', sizeof(text));
  uvsmtp_printer_init(&p, 0, NULL, NULL);
  signal(SIGPIPE, SIG_IGN);
  assert_int_equal(0, pipe2(fds, O_CLOEXEC | O_NONBLOCK));
  redirect(fds[1]);
  uvsmtp_printer_trace(&p, UVSMTP_TRACE_SENT, text, sizeof(text));
  uvsmtp_printer_trace(&p, UVSMTP_TRACE_SENT, text, sizeof(text)); /* full */
  close(fds[0]);
  say(&p, UVSMTP_TRACE_SENT, "NOOP");
  restore();
  close(fds[1]);
  full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  assert_true(full >= 0);
  redirect(full);
  say(&p, UVSMTP_TRACE_SENT, "NOOP");
  close(STDERR_FILENO);
  say(&p, UVSMTP_TRACE_SENT, "NOOP");
  restore();
  close(full);
  signal(SIGPIPE, SIG_DFL);
}

/* ------------------------------------------------------------- a session */

/* The trace of a whole message, set in the middle of a session. */
static void test_session(void** state) {
  static const char body[] = "Subject: x\r\n\r\n.dot\r\n";
  fixture_t f;
  page_t page;
  uvsmtp_printer_t p;
  call_t connect, send, quit;
  letter_t letter;
  uvsmtp_session_t* s;
  peer_t* peer = peer_play(
      PEER_UNIX,
      "S 220 hi\n C EHLO\n S 250 peer\n C MAIL\n S 250 ok\n"
      "C RCPT\n S 250 ok\n C DATA\n S 354 go\n T\n S 250 2.0.0 taken\n"
      "C QUIT\n S 221 bye\n EOF");
  (void)state;
  memset(&connect, 0, sizeof(connect));
  memset(&send, 0, sizeof(send));
  memset(&quit, 0, sizeof(quit));
  fixture_start(&f);
  s = open_session(&f, peer, NULL);
  start(&p, UVSMTP_PRINT_TEXT, &page);
  assert_int_equal(
      0, CALL(&connect, &f, uvsmtp_connect(s, NULL, on_call, &connect)));
  wait_for(&connect);
  assert_int_equal(0, uvsmtp_session_set_trace(s, uvsmtp_printer_trace, &p));
  letter_init(&letter, "a@example.com", "b@example.org", body,
              sizeof(body) - 1);
  assert_int_equal(
      0, CALL(&send, &f, uvsmtp_send(s, &letter.message, on_call, &send)));
  assert_int_equal(0, CALL(&quit, &f, uvsmtp_quit(s, on_call, &quit)));
  wait_for(&quit);
  assert_int_equal(0, send.status);
  assert_non_null(strstr(
      page.text,
      "-> MAIL FROM:<a@example.com>\n<- 250 ok\n-> RCPT TO:<b@example.org>\n"
      "<- 250 ok\n-> DATA\n<- 354 go\n-> | Subject: x\n-> | \n-> | ..dot\n"
      "-> | .\n-> (24 octets of text)\n<- 250 2.0.0 taken\n-> QUIT\n"
      "<- 221 bye\n"));
  close_session(&f, s);
  fixture_finish(&f);
  assert_peer_done(peer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_lines),
      TEST(test_large_numbers),
      TEST(test_escapes),
      TEST(test_long_lines),
      TEST(test_text),
      TEST(test_text_interrupted),
      TEST(test_times),
      TEST(test_standard_error),
      TEST(test_no_standard_error),
      TEST(test_session),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
