# SPDX-License-Identifier: MIT
"""Another getaddrinfo instead of the C library's, by LD_PRELOAD."""
import os
import shutil
import subprocess
import tempfile
import unittest

import processes

# It fails as it is told, has the addresses that it is told, or never comes
# back. That it was called is shown by a file.
SOURCE = r"""
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct one {
  struct addrinfo info;
  union {
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
  } address;
};

void freeaddrinfo(struct addrinfo* list) {
  while (list != NULL) {
    struct addrinfo* next = list->ai_next;
    free(list);
    list = next;
  }
}

static void add(struct addrinfo*** end, const char* text) {
  struct one* one = calloc(1, sizeof(*one));
  int six = strchr(text, ':') != NULL;
  one->info.ai_family = six ? AF_INET6 : AF_INET;
  one->info.ai_socktype = SOCK_STREAM;
  one->info.ai_addr = (struct sockaddr*)&one->address;
  one->info.ai_addrlen =
      six ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
  one->info.ai_addr->sa_family = six ? AF_INET6 : AF_INET;
  inet_pton(one->info.ai_family, text,
            six ? (void*)&one->address.in6.sin6_addr
                : (void*)&one->address.in.sin_addr);
  **end = &one->info;
  *end = &one->info.ai_next;
}

int getaddrinfo(const char* name, const char* service,
                const struct addrinfo* hints, struct addrinfo** list) {
  const char* error = getenv("DOUBLE_ERROR");
  const char* addresses = getenv("DOUBLE_ADDRESSES");
  (void)name;
  (void)service;
  (void)hints;
  *list = NULL;
  close(open(getenv("DOUBLE_CALLED"), O_CREAT | O_WRONLY, 0600));
  errno = EIO;
  if (error != NULL) return atoi(error);
  if (addresses != NULL) {
    char copy[1024];
    char* word;
    char* rest;
    strncpy(copy, addresses, sizeof(copy) - 1);
    copy[sizeof(copy) - 1] = 0;
    for (word = strtok_r(copy, " ", &rest); word != NULL;
         word = strtok_r(NULL, " ", &rest))
      add(&list, word);
    return 0;
  }
  for (;;) pause();
}
"""


class Double:
    """The library, compiled."""

    def __init__(self):
        compiler = shutil.which("cc")
        if compiler is None:
            raise unittest.SkipTest("cc is missing (package gcc)")
        self.directory = processes.scratch()
        source = os.path.join(self.directory, "double.c")
        self.library = os.path.join(self.directory, "double.so")
        processes.write(source, SOURCE)
        subprocess.run([compiler, "-shared", "-fPIC", "-o", self.library,
                        source], check=True)
        self.forget()

    def forget(self):
        """It was not called yet."""
        self.called = tempfile.mktemp(dir=self.directory)

    def was_called(self):
        return os.path.exists(self.called)

    def environment(self, **settings):
        """That of a program that gets it: DOUBLE_ERROR, DOUBLE_ADDRESSES."""
        env = dict(os.environ, LD_PRELOAD=self.library,
                   DOUBLE_CALLED=self.called, **settings)
        # A library before its own worries the address sanitizer.
        env["ASAN_OPTIONS"] = ":".join(filter(None, (
            env.get("ASAN_OPTIONS"), "verify_asan_link_order=0")))
        return env
