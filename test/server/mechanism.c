/* SPDX-License-Identifier: MIT */
/* mechanism.c: one of the library's mechanisms at the end of a pipe.
 *
 * usage: mechanism MECHANISM USER PASSWORD AUTHZID OFFERED BINDING
 *
 * AUTHZID may be empty. OFFERED is what the server offers, separated by blanks;
 * BINDING 32 characters that bind, or empty: nothing does. Reads challenges in
 * base64, a line each, and answers each with a line: "send" or "continue" and
 * the response in base64, or "error", its name and what the mechanism says of
 * it. A mechanism that speaks first does so at once. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/caps.h"
#include "exchange.h"
#include "sasl/sasl.h"
#include "uvsmtp/errors.h"

static int bind_it(void* arg, void* buf, size_t len) {
  if (strlen(arg) != len) return -EINVAL;
  memcpy(buf, arg, len);
  return 0;
}

static void answer(driven_t* d, int rc) {
  uvsmtp__veil_t* r = &d->x->response;
  static char text[12289];
  if (rc < 0) {
    printf("error %s %s\n", uvsmtp_err_name(rc),
           d->x->detail == NULL ? "" : d->x->detail);
  } else {
    size_t n = (r->len + 2) / 3 * 4;
    if (r->len > 0) uvsmtp__base64_encode(text, r->base, r->len);
    printf("%s %.*s\n", rc == UVSMTP_MECH_SEND ? "send" : "continue", (int)n,
           text);
  }
  fflush(stdout);
  uvsmtp__veil_drop(d->x, r);
}

static void step(driven_t* d, const char* challenge, size_t len) {
  int rc;
  while ((rc = driven_step(d, challenge, len)) == UVSMTP_MECH_AGAIN) continue;
  answer(d, rc);
}

static uvsmtp_credentials_t* credentials(char** argv) {
  uvsmtp_credentials_config_t config = UVSMTP_CREDENTIALS_CONFIG_INIT;
  uvsmtp_credentials_t* c = NULL;
  const char* why = NULL;
  config.user = argv[2];
  config.password = argv[3];
  if (argv[4][0] != '\0') config.authzid = argv[4];
  if (uvsmtp_credentials_new(&c, &config, &why) != 0)
    fprintf(stderr, "mechanism: %s\n", why == NULL ? "no memory" : why);
  return c;
}

int main(int argc, char** argv) {
  static char line[12290];
  static char raw[12290];
  char offered[512];
  uvsmtp__caps_t caps = {0};
  test_alloc_t alloc = {0};
  uvsmtp_credentials_t* c;
  const uvsmtp_mech_t* mech;
  driven_t d;
  if (argc != 7 || (mech = uvsmtp_mech(argv[1])) == NULL) return 64;
  if ((c = credentials(argv)) == NULL) return 1;
  if (driven_new(&d, &alloc, c, "", 0) != 0) return 1;
  uvsmtp_credentials_unref(c);
  caps.len =
      (uint32_t)snprintf(offered, sizeof(offered), "AUTH%c%.400s", 0, argv[5]) +
      1;
  caps.text = offered;
  d.x->caps = &caps;
  if (argv[6][0] != '\0') {
    d.x->host.binding = bind_it;
    d.x->host.arg = argv[6];
  }
  driven_begin(&d, mech, 0);
  if (mech->flags & UVSMTP_MECH_CLIENT_FIRST) step(&d, NULL, 0);
  while (fgets(line, sizeof(line), stdin) != NULL) {
    ptrdiff_t n = uvsmtp__base64_decode(raw, line, strcspn(line, "\n"));
    if (n < 0) return 65;
    step(&d, raw, (size_t)n);
  }
  driven_end(&d);
  driven_free(&d);
  return alloc.blocks == 0 ? 0 : 1;
}
