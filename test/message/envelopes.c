/* SPDX-License-Identifier: MIT */
/* envelopes.c: says what envelope messages have. Standard input is messages,
 * each behind a line with its length; for each, in order, goes out a line of
 * JSON: {"from": TEXT or null, "rcpts": [TEXT...], "end": OCTETS}, or {"error":
 * SENTENCE, "end": OCTETS}. Texts are octets, as if they were Latin-1; "end" is
 * where the header block ends. */
#include <stdio.h>
#include <stdlib.h>

#include "message/message.h"

static void die(const char* why) {
  fprintf(stderr, "envelopes: %s\n", why);
  exit(2);
}

static void print_text(const char* text) {
  putchar('"');
  for (; *text != '\0'; text++) {
    unsigned char c = (unsigned char)*text;

    if (c < 32 || c > 126 || c == '"' || c == '\\')
      printf("\\u%04x", c);
    else
      putchar(c);
  }
  putchar('"');
}

static void print_envelope(const uvsmtp_envelope_t* envelope) {
  const char* const* rcpts;
  size_t n;
  size_t i;

  printf("{\"from\": ");
  if (uvsmtp_envelope_from(envelope) == NULL)
    printf("null");
  else
    print_text(uvsmtp_envelope_from(envelope));
  printf(", \"rcpts\": [");
  rcpts = uvsmtp_envelope_rcpts(envelope, &n);
  for (i = 0; i < n; i++) {
    if (i > 0) printf(", ");
    print_text(rcpts[i]);
  }
  printf("]");
}

static void say(const char* message, size_t len) {
  uvsmtp__fields_t fields = {message, message, message + len};
  uvsmtp__field_t field;
  uvsmtp_envelope_t* envelope;
  const char* reason;
  int status = uvsmtp_envelope_new(&envelope, NULL, message, len, &reason);

  if (status != 0 && status != UVSMTP_EMESSAGE) die("no memory");
  if (status == 0) {
    print_envelope(envelope);
  } else {
    printf("{\"error\": ");
    print_text(reason);
  }
  while (uvsmtp__field_next(&fields, &field)) continue;
  printf(", \"end\": %zu}\n", (size_t)(fields.at - message));
  uvsmtp_envelope_free(status == 0 ? envelope : NULL);
}

int main(void) {
  size_t len;

  while (scanf("%zu", &len) == 1) {
    char* message = malloc(len + 1);

    if (message == NULL) die("no memory");
    if (getchar() != '\n' || fread(message, 1, len, stdin) != len)
      die("no such message");
    say(message, len);
    free(message);
  }
  return 0;
}
