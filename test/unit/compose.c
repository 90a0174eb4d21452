/* SPDX-License-Identifier: MIT */
/* Writes drafts as messages: for test_compose.py. A line of standard input is a
 * draft: its strings in their order, in hex, "-" for NULL, and its date. A line
 * of standard output is a status and, in hex, the message. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uvsmtp.h>

enum { STRINGS = 7 };

static void die(const char* why) {
  fprintf(stderr, "compose: %s\n", why);
  exit(2);
}

/* In place; the longer hex has room for the NUL. */
static const char* unhex(char* text) {
  char* out = text;
  const char* in = text;
  unsigned int octet;
  if (strcmp(text, "-") == 0) return NULL;
  if (strcmp(text, "''") == 0) return "";
  for (; sscanf(in, "%2x", &octet) == 1; in += 2) *out++ = (char)octet;
  *out = '\0';
  return text;
}

/* With just as much room as it needs, after too little of it. */
static int compose(const uvsmtp_draft_t* draft, char** buf, size_t* len) {
  size_t wanted = 0;
  int rc = uvsmtp_compose(draft, NULL, 0, &wanted);
  if (rc != UV_ENOBUFS) return rc;
  *buf = malloc(wanted);
  if (*buf == NULL) die("no memory");
  if (uvsmtp_compose(draft, *buf, wanted - 1, len) != UV_ENOBUFS ||
      *len != wanted)
    die("one octet too few is enough");
  rc = uvsmtp_compose(draft, *buf, wanted, len);
  if (*len != wanted) die("two lengths");
  return rc;
}

static void one(char* line) {
  const char* strings[STRINGS];
  uvsmtp_draft_t draft = UVSMTP_DRAFT_INIT;
  char* message = NULL;
  char* field = strtok(line, " \n");
  size_t len = 0;
  size_t i;
  int rc;
  for (i = 0; i < STRINGS; i++) {
    if (field == NULL) die("a field is missing");
    strings[i] = unhex(field);
    field = strtok(NULL, " \n");
  }
  if (field == NULL) die("the date is missing");
  draft.from = strings[0];
  draft.to = strings[1];
  draft.cc = strings[2];
  draft.reply_to = strings[3];
  draft.subject = strings[4];
  draft.text = strings[5];
  draft.message_id = strings[6];
  draft.date = strtoll(field, NULL, 10);
  rc = compose(&draft, &message, &len);
  printf("%d ", rc);
  for (i = 0; rc == 0 && i < len; i++)
    printf("%02x", (unsigned char)message[i]);
  putchar('\n');
  free(message);
}

int main(void) {
  char* line = NULL;
  size_t cap = 0;
  while (getline(&line, &cap, stdin) > 0) one(line);
  free(line);
  return 0;
}
