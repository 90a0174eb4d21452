/* SPDX-License-Identifier: MIT */
/* apart.c: see apart.h. */
#include "apart.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "peer.h"
#include "scram.h"

static void must(int ok, const char* what) {
  if (ok) return;
  perror(what);
  abort();
}

/* 0, or -1 at the end. */
static int get(int fd, void* to, size_t n) {
  char* p = to;
  while (n > 0) {
    ssize_t got = read(fd, p, n);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return -1;
    p += got;
    n -= (size_t)got;
  }
  return 0;
}

static void put(int fd, const void* from, size_t n) {
  must(write(fd, from, n) == (ssize_t)n, "write");
}

/* ------------------------------------------------------- the other process */

/* The script with the secret in its place. */
static char* filled(const char* script) {
  static char text[8192];
  size_t n = 0;
  for (; *script != '\0'; script++) {
    must(n + SECRET_LEN + 1 < sizeof(text), "a script that is too long");
    if (*script == '@') {
      secret_put(text + n);
      n += SECRET_LEN;
    } else {
      text[n++] = *script;
    }
  }
  text[n] = '\0';
  return text;
}

static void derive(apart_t* a, const char* script) {
  const char* at = strstr(script, "SCRAM SHA");
  unsigned char octets[SCRAM_HASH_MAX];
  char hash[16];
  char password[128];
  unsigned int size;
  scram_t s;
  if (at == NULL) return;
  memset(&s, 0, sizeof(s));
  must(sscanf(at, "SCRAM %15s %u %127s", hash, &s.iterations, password) == 3,
       "a script that is wrong");
  s.hash = hash;
  s.password = password;
  size = scram_salted(&s, octets);
  needle_of(&a->salted, "the salted password", octets, size);
  scram_client_key(&s, octets);
  needle_of(&a->key, "SCRAM's client key", octets, size);
}

static void serve(apart_t* a, const char* script, int from, int to) {
  char* text = filled(script);
  peer_t* peer = peer_play(0, text);
  char what;
  int n;
  derive(a, text);
  a->port = peer_port(peer);
  if (peer_certificate(peer) != NULL) {
    snprintf(a->certificate, sizeof(a->certificate), "%s",
             peer_certificate(peer));
  }
  put(to, a, sizeof(*a));
  while (get(from, &what, 1) == 0) {
    if (what == 'g') peer_go(peer);
    if (what != 's') continue;
    n = peer_stalled(peer);
    put(to, &n, sizeof(n));
  }
  _exit(peer_finish(peer, NULL) == NULL ? 0 : 1);
}

/* ----------------------------------------------------------------- this one */

void apart_play(apart_t* a, const char* script) {
  int there[2];
  int back[2];
  pid_t pid;
  memset(a, 0, sizeof(*a));
  must(pipe(there) == 0 && pipe(back) == 0, "pipe");
  (void)fflush(NULL);
  pid = fork();
  must(pid >= 0, "fork");
  if (pid == 0) {
    close(there[1]);
    close(back[0]);
    serve(a, script, there[0], back[1]);
  }
  close(there[0]);
  close(back[1]);
  must(get(back[0], a, sizeof(*a)) == 0, "the server's process");
  a->pid = pid;
  a->to = there[1];
  a->from = back[0];
}

void apart_go(apart_t* a) { put(a->to, "g", 1); }

int apart_stalled(apart_t* a) {
  int n = 0;
  put(a->to, "s", 1);
  must(get(a->from, &n, sizeof(n)) == 0, "the server's process");
  return n;
}

int apart_finish(apart_t* a) {
  int status = -1;
  close(a->to);
  must(waitpid(a->pid, &status, 0) == a->pid, "waitpid");
  close(a->from);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
