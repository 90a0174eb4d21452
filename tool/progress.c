/* SPDX-License-Identifier: MIT */
/* progress.c: a line that tells how far a long message is. */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tool.h"

enum {
  AFTER = 1000,     /* milliseconds: shorter ones need no line */
  LIVE_EVERY = 200, /* written over on a terminal */
  LOG_EVERY = 5000, /* or a line of its own */
  STALLED = 5       /* seconds without an octet */
};

static const uint64_t second = 1000000000;

static size_t columns(void) {
  struct winsize size;
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 2)
    return 80;
  return size.ws_col;
}

/* Writes over what is there; text "" erases. The last column stays free, where
 * terminals begin a new line. */
static void show(progress_t* p, const char* text) {
  size_t len = strlen(text);
  size_t width = columns() - 1;
  if (!p->live) {
    if (len > 0) fprintf(stderr, "uvsmtp: %s\n", text);
    return;
  }
  if (len > width) len = width;
  fprintf(stderr, "\r%.*s%*s", (int)len, text,
          p->shown > len ? (int)(p->shown - len) : 0, "");
  if (len == 0) fputc('\r', stderr);
  (void)fflush(stderr);
  p->shown = len;
}

static void tick(uv_timer_t* timer) {
  progress_t* p = timer->data;
  char line[160];
  progress_line(p, uv_hrtime(), line, sizeof(line));
  show(p, line);
}

int progress_init(progress_t* p, uv_loop_t* loop, const options_t* o) {
  int terminal = isatty(STDERR_FILENO);
  memset(p, 0, sizeof(*p));
  p->total = -1;
  /* The dialogue tells how far it is, and would be torn by the line. */
  if (o->trace || o->progress == 0) return 0;
  if (o->progress < 0 && (!terminal || o->json)) return 0;
  p->wanted = 1;
  p->live = terminal;
  p->timer.data = p;
  return uv_timer_init(loop, &p->timer);
}

void progress_note(void* progress, uint64_t sent, int64_t total) {
  progress_t* p = progress;
  if (!p->wanted) return;
  p->total = total;
  if (sent > p->sent || p->begun == 0) p->noted = uv_hrtime();
  p->sent = sent;
  if (p->begun != 0) return;
  p->begun = p->noted;
  (void)uv_timer_start(&p->timer, tick, AFTER,
                       p->live ? LIVE_EVERY : LOG_EVERY);
  uv_unref((uv_handle_t*)&p->timer);
}

void progress_end(progress_t* p) {
  if (!p->wanted) return;
  p->wanted = 0;
  if (p->shown > 0) show(p, "");
  uv_close((uv_handle_t*)&p->timer, NULL);
}

void octets_text(uint64_t octets, char* to, size_t cap) {
  static const char* const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  double n = (double)octets;
  size_t i = 0;
  while (n >= 1024 && i + 1 < sizeof(units) / sizeof(units[0])) {
    n /= 1024;
    i++;
  }
  snprintf(to, cap, i == 0 || n == (double)(uint64_t)n ? "%.0f %s" : "%.1f %s",
           n, units[i]);
}

/* What is left at this rate. Minutes and more are enough to plan with. */
static void left_text(double seconds, char* to, size_t cap) {
  if (seconds < 100)
    snprintf(to, cap, "%.0f s left", seconds + 0.5);
  else if (seconds < 100 * 60)
    snprintf(to, cap, "%.0f min left", seconds / 60);
  else
    snprintf(to, cap, "%.0f h left", seconds / 3600);
}

void progress_line(const progress_t* p, uint64_t now, char* to, size_t cap) {
  double elapsed = (double)(now - p->begun) / (double)second;
  double rate = elapsed > 0 ? (double)p->sent / elapsed : 0;
  uint64_t total = p->total > 0 ? (uint64_t)p->total : 0;
  uint64_t idle = now - p->noted;
  char sent[32];
  char all[32];
  char speed[32];
  char left[32] = "";
  octets_text(p->sent, sent, sizeof(sent));
  octets_text(total, all, sizeof(all));
  octets_text((uint64_t)rate, speed, sizeof(speed));
  if (total > 0 && p->sent >= total) {
    /* The total may have been a lower bound: line ends are made whole. */
    snprintf(to, cap, "%s sent%s", sent,
             idle > second ? ", waiting for the verdict" : "");
  } else if (total > 0) {
    if (idle > STALLED * second)
      snprintf(left, sizeof(left), "stalled");
    else if (rate >= 1)
      left_text((double)(total - p->sent) / rate, left, sizeof(left));
    snprintf(to, cap, "%3d%%  %s of %s  %s/s  %s",
             (int)((double)p->sent * 100 / (double)total), sent, all, speed,
             left);
  } else {
    snprintf(to, cap, "%s sent  %s/s%s", sent, speed,
             idle > STALLED * second ? "  stalled" : "");
  }
}
