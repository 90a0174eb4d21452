/* SPDX-License-Identifier: MIT */
/* test_scram.c: SCRAM and CRAM-MD5 by the vectors of their RFCs, against
 * servers that say anything else; keys that are shared and kept; and what is
 * left of secrets in memory, which is nothing. Servers that others wrote are in
 * test/server/test_scram.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "alloc.h"
#include "exchange.h"
#include "sasl/scram.h"

#define AUTH(names) \
  { (char*)(uintptr_t) "AUTH\0" names, sizeof("AUTH\0" names), 0, 0 }

/* What a block held when it was given back. */
typedef struct watch_s {
  test_alloc_t alloc; /* first */
  size_t dirty;       /* blocks with something in them */
} watch_t;

static watch_t watch;

static void* watch_alloc(void* data, void* ptr, size_t old_size,
                         size_t new_size) {
  const char* octets = ptr;
  size_t i;
  /* Sentences for people need not be wiped; the exchange itself is no secret,
   * but is not the mechanisms' either. */
  if (old_size >= 5 && memcmp(octets, "SCRAM", 5) != 0 &&
      memcmp(octets, "CRAM-", 5) != 0)
    for (i = 0; i < old_size; i++)
      if (octets[i] != 0) {
        watch.dirty++;
        break;
      }
  return test_alloc(data, ptr, old_size, new_size);
}

static const uvsmtp_mem_t watched = {sizeof(uvsmtp_mem_t), watch_alloc, &watch};

static uvsmtp_credentials_t* credentials(const char* user, const char* password,
                                         const char* authzid) {
  uvsmtp_credentials_config_t c = UVSMTP_CREDENTIALS_CONFIG_INIT;
  uvsmtp_credentials_t* made = NULL;
  c.mem = &watched;
  c.user = user;
  c.password = password;
  c.authzid = authzid;
  assert_int_equal(uvsmtp_credentials_new(&made, &c, NULL), 0);
  return made;
}

static void begin(driven_t* d, uvsmtp_credentials_t* c,
                  const uvsmtp_mech_t* mech) {
  assert_int_equal(driven_new(d, &watch.alloc, c, "", 0), 0);
  d->x->mem.alloc = watch_alloc;
  driven_begin(d, mech, 0);
}

static void end(driven_t* d) {
  driven_end(d);
  d->x->mem.alloc = test_alloc;
  driven_free(d);
}

/* Nothing is left, neither blocks nor secrets in those that were given back. */
static void done(uvsmtp_credentials_t* c) {
  uvsmtp_credentials_unref(c);
  assert_int_equal(watch.alloc.blocks, 0);
  assert_int_equal(watch.dirty, 0);
}

static int setup(void** state) {
  (void)state;
  memset(&watch, 0, sizeof(watch));
  return 0;
}

/* A step and the slices that come of it; how many, in *slices. */
static int told(driven_t* d, const char* text, size_t len, size_t* slices) {
  int rc;
  *slices = 0;
  while ((rc = driven_step(d, text, len)) == UVSMTP_MECH_AGAIN) ++*slices;
  return rc;
}

static int tell(driven_t* d, const char* text) {
  size_t slices;
  return told(d, text, strlen(text), &slices);
}

#define SAID(d, text) assert_int_equal(driven_said(d, text, strlen(text)), 1)

static void explained(const driven_t* d, const char* words) {
  assert_non_null(d->x->detail);
  if (strstr(d->x->detail, words) == NULL)
    fail_msg("\"%s\" is not in \"%s\"", words, d->x->detail);
}

/* ---------------------------------------------------------------- vectors */

typedef struct vector_s {
  const uvsmtp_mech_t* mech;
  int alg;
  const char* nonce;
  const char* first;
  const char* server_first;
  const char* final;
  const char* server_final;
} vector_t;

static const vector_t rfc5802 = {
    &uvsmtp__mech_scram_sha1,
    UVSMTP__SHA1,
    "fyko+d2lbbFgONRv9qkxdawL",
    "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,"
    "p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
};

static const vector_t rfc7677 = {
    &uvsmtp__mech_scram_sha256,
    UVSMTP__SHA256,
    "rOprNGfwEbeRWgbNEkqO",
    "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
};

static const vector_t* const vectors[] = {&rfc5802, &rfc7677};

/* The first message, with the vector's nonce. */
static void begin_vector(driven_t* d, uvsmtp_credentials_t* c,
                         const vector_t* v) {
  begin(d, c, v->mech);
  assert_int_equal(uvsmtp__scram_first(d->x, v->alg, 0, v->nonce),
                   UVSMTP_MECH_CONTINUE);
  SAID(d, v->first);
}

static void test_vectors(void** state) {
  size_t i;
  (void)state;
  for (i = 0; i < 2; i++) {
    const vector_t* v = vectors[i];
    uvsmtp_credentials_t* c = credentials("user", "pencil", NULL);
    driven_t d;
    size_t slices;
    begin_vector(&d, c, v);
    assert_int_equal(
        told(&d, v->server_first, strlen(v->server_first), &slices),
        UVSMTP_MECH_CONTINUE);
    assert_int_equal(slices, 4096 / 64);
    SAID(&d, v->final);
    assert_int_equal(
        told(&d, v->server_final, strlen(v->server_final), &slices),
        UVSMTP_MECH_SEND);
    assert_int_equal(slices, 0);
    SAID(&d, "");
    /* There is no more to be said. */
    assert_int_equal(tell(&d, ""), UVSMTP_EPROTOCOL);
    assert_int_equal(tell(&d, v->server_final), UVSMTP_EPROTOCOL);
    explained(&d, "goes on");
    SAID(&d, "");
    end(&d);
    done(c);
  }
}

/* The names in the list, and what servers and the engine have to know. */
static void test_flags(void** state) {
  static const char* const names[] = {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256",
                                      "SCRAM-SHA-1"};
  size_t i;
  (void)state;
  for (i = 0; i < 3; i++) {
    const uvsmtp_mech_t* m = uvsmtp_mech(names[i]);
    assert_non_null(m);
    assert_string_equal(m->name, names[i]);
    assert_int_equal(m->flags, UVSMTP_MECH_CLIENT_FIRST | UVSMTP_MECH_MUTUAL |
                                   (i == 0 ? UVSMTP_MECH_BINDS : 0));
  }
  assert_int_equal(uvsmtp_mech("CRAM-MD5")->flags, 0);
}

/* ------------------------------------------------------------ client-first */

/* A nonce of its own each time: 32 characters that may stand there. */
static void test_nonce(void** state) {
  uvsmtp_credentials_t* c = credentials("user", "pencil", NULL);
  char seen[2][33];
  int i;
  (void)state;
  for (i = 0; i < 2; i++) {
    const uvsmtp__veil_t* r;
    driven_t d;
    begin(&d, c, &uvsmtp__mech_scram_sha256);
    assert_int_equal(driven_first(&d), UVSMTP_MECH_CONTINUE);
    r = &d.x->response;
    assert_int_equal(r->len, strlen("n,,n=user,r=") + 32);
    assert_memory_equal(r->base, "n,,n=user,r=", 12);
    memcpy(seen[i], r->base + 12, 32);
    seen[i][32] = '\0';
    assert_int_equal(strspn(seen[i],
                            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwx"
                            "yz0123456789+/"),
                     32);
    end(&d);
  }
  assert_string_not_equal(seen[0], seen[1]);
  done(c);
}

static int bind_it(void* arg, void* buf, size_t len) {
  size_t i;
  (void)arg;
  assert_int_equal(len, 32);
  for (i = 0; i < len; i++) ((unsigned char*)buf)[i] = (unsigned char)(i * 3);
  return 0;
}

static int cannot_bind(void* arg, void* buf, size_t len) {
  (void)arg;
  memset(buf, 0x77, len);
  return -ENOTSUP;
}

typedef struct flag_s {
  const uvsmtp_mech_t* mech;
  int alg;
  int binds;
  int (*binding)(void* arg, void* buf, size_t len);
  uvsmtp__caps_t offered;
  const char* first; /* NULL: it can't be */
} flag_t;

/* RFC 5802 6. */
static void test_binding_flag(void** state) {
  static const flag_t rows[] = {
      {&uvsmtp__mech_scram_sha256, UVSMTP__SHA256, 0, NULL,
       AUTH("SCRAM-SHA-256"), "n,,n=user,r=x"},
      {&uvsmtp__mech_scram_sha256, UVSMTP__SHA256, 0, NULL,
       AUTH("SCRAM-SHA-256 SCRAM-SHA-256-PLUS"), "n,,n=user,r=x"},
      {&uvsmtp__mech_scram_sha256, UVSMTP__SHA256, 0, cannot_bind,
       AUTH("SCRAM-SHA-256"), "n,,n=user,r=x"},
      {&uvsmtp__mech_scram_sha256, UVSMTP__SHA256, 0, bind_it,
       AUTH("SCRAM-SHA-256"), "y,,n=user,r=x"},
      {&uvsmtp__mech_scram_sha256, UVSMTP__SHA256, 0, bind_it,
       AUTH("SCRAM-SHA-256-PLUS SCRAM-SHA-256"), "n,,n=user,r=x"},
      {&uvsmtp__mech_scram_sha256, UVSMTP__SHA256, 0, bind_it,
       AUTH("SCRAM-SHA-1-PLUS SCRAM-SHA-256"), "y,,n=user,r=x"},
      {&uvsmtp__mech_scram_sha1, UVSMTP__SHA1, 0, NULL, AUTH("SCRAM-SHA-1"),
       "n,,n=user,r=x"},
      {&uvsmtp__mech_scram_sha1, UVSMTP__SHA1, 0, bind_it, AUTH("SCRAM-SHA-1"),
       "y,,n=user,r=x"},
      {&uvsmtp__mech_scram_sha1, UVSMTP__SHA1, 0, bind_it,
       AUTH("SCRAM-SHA-1 SCRAM-SHA-1-PLUS"), "n,,n=user,r=x"},
      {&uvsmtp__mech_scram_sha1, UVSMTP__SHA1, 0, bind_it,
       AUTH("SCRAM-SHA-1 SCRAM-SHA-256-PLUS"), "n,,n=user,r=x"},
      {&uvsmtp__mech_scram_sha256_plus, UVSMTP__SHA256, 1, bind_it,
       AUTH("SCRAM-SHA-256-PLUS"), "p=tls-exporter,,n=user,r=x"},
      {&uvsmtp__mech_scram_sha256_plus, UVSMTP__SHA256, 1, bind_it,
       AUTH("SCRAM-SHA-256"), NULL},
      {&uvsmtp__mech_scram_sha256_plus, UVSMTP__SHA256, 1, cannot_bind,
       AUTH("SCRAM-SHA-256-PLUS"), NULL},
      {&uvsmtp__mech_scram_sha256_plus, UVSMTP__SHA256, 1, NULL,
       AUTH("SCRAM-SHA-256-PLUS"), NULL},
  };
  uvsmtp_credentials_t* c = credentials("user", "pencil", NULL);
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    const flag_t* row = &rows[i];
    driven_t d;
    int rc;
    begin(&d, c, row->mech);
    d.x->host.binding = row->binding;
    d.x->caps = &row->offered;
    rc = uvsmtp__scram_first(d.x, row->alg, row->binds, "x");
    if (row->first == NULL) {
      assert_int_equal(rc, -ENOTSUP);
      explained(&d, "bound");
      /* The mechanism's own first step says so too. */
      assert_int_equal(driven_first(&d), -ENOTSUP);
      SAID(&d, "");
    } else {
      char start[40];
      size_t n = strlen(row->first) - 1;
      assert_int_equal(rc, UVSMTP_MECH_CONTINUE);
      SAID(&d, row->first);
      /* And so does the mechanism's own, but for its nonce. */
      driven_end(&d);
      driven_begin(&d, row->mech, 0);
      assert_int_equal(driven_first(&d), UVSMTP_MECH_CONTINUE);
      memcpy(start, d.x->response.base, n);
      assert_memory_equal(start, row->first, n);
    }
    end(&d);
  }
  done(c);
}

typedef struct name_s {
  const char* user;
  const char* authzid;
  const char* first;
  const char* c; /* of client-final */
} name_t;

static void test_names(void** state) {
  static const name_t rows[] = {
      {"user", "boss", "n,a=boss,n=user,r=rOprNGfwEbeRWgbNEkqO",
       "c=bixhPWJvc3Ms,"},
      {"a,b=c", NULL, "n,,n=a=2Cb=3Dc,r=rOprNGfwEbeRWgbNEkqO", "c=biws,"},
      {"=2C", ",,=", "n,a==2C=2C=3D,n==3D2C,r=rOprNGfwEbeRWgbNEkqO",
       "c=bixhPT0yQz0yQz0zRCw=,"},
      {"ada lovelace~!", " ", "n,a= ,n=ada lovelace~!,r=rOprNGfwEbeRWgbNEkqO",
       "c=bixhPSAs,"},
  };
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    uvsmtp_credentials_t* c =
        credentials(rows[i].user, "pencil", rows[i].authzid);
    driven_t d;
    begin(&d, c, &uvsmtp__mech_scram_sha256);
    assert_int_equal(uvsmtp__scram_first(d.x, UVSMTP__SHA256, 0, rfc7677.nonce),
                     UVSMTP_MECH_CONTINUE);
    SAID(&d, rows[i].first);
    assert_int_equal(tell(&d, rfc7677.server_first), UVSMTP_MECH_CONTINUE);
    assert_memory_equal(d.x->response.base, rows[i].c, strlen(rows[i].c));
    end(&d);
    done(c);
  }
}

/* c=: the header, and behind it the octets of the connection. */
static void test_bound(void** state) {
  static const uvsmtp__caps_t offered = AUTH("SCRAM-SHA-256-PLUS");
  uvsmtp_credentials_t* c = credentials("user", "pencil", "boss");
  char input[64] = "p=tls-exporter,a=boss,";
  char text[128] = "c=";
  size_t n = strlen(input);
  driven_t d;
  (void)state;
  begin(&d, c, &uvsmtp__mech_scram_sha256_plus);
  d.x->host.binding = bind_it;
  d.x->caps = &offered;
  assert_int_equal(uvsmtp__scram_first(d.x, UVSMTP__SHA256, 1, rfc7677.nonce),
                   UVSMTP_MECH_CONTINUE);
  SAID(&d, "p=tls-exporter,a=boss,n=user,r=rOprNGfwEbeRWgbNEkqO");
  assert_int_equal(tell(&d, rfc7677.server_first), UVSMTP_MECH_CONTINUE);
  bind_it(NULL, input + n, 32);
  uvsmtp__base64_encode(text + 2, input, n + 32);
  strcat(text, ",r=");
  assert_memory_equal(d.x->response.base, text, strlen(text));
  end(&d);
  done(c);
}

static void test_unfit(void** state) {
  static const char* const rows[][3] = {
      {"us\303\251r", "pencil", NULL}, {"user", "p\303\251ncil", NULL},
      {"user", "pencil", "b\177ss"},   {"us\tr", "pencil", NULL},
      {"user", "pen\ncil", NULL},      {"user", "pencil", "bo\x1fss"},
  };
  size_t i, k;
  (void)state;
  for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    uvsmtp_credentials_t* c = credentials(rows[i][0], rows[i][1], rows[i][2]);
    for (k = 0; k < 3; k++) {
      driven_t d;
      begin(&d, c, uvsmtp_mech_at(k));
      d.x->host.binding = bind_it;
      assert_int_equal(driven_first(&d), -EINVAL);
      explained(&d, "SCRAM can carry printable ASCII only");
      SAID(&d, "");
      end(&d);
    }
    done(c);
  }
}

/* What is too long for a response at all. */
static void test_too_long(void** state) {
  static char user[9217];
  uvsmtp_credentials_t* c;
  driven_t d;
  (void)state;
  memset(user, 'a', sizeof(user) - 1);
  c = credentials(user, "pencil", NULL);
  begin(&d, c, &uvsmtp__mech_scram_sha256);
  assert_int_equal(driven_first(&d), -EMSGSIZE);
  end(&d);
  done(c);
}

/* ------------------------------------------------------ what a server says */

#define R "r=rOprNGfwEbeRWgbNEkqOserver"
#define S ",s=W22ZaJ0SNY7soEsUEjb6gQ=="
#define I ",i=4096"

typedef struct said_s {
  const char* text;
  int rc;
  const char* words;
} said_t;

static void test_server_first(void** state) {
  static const said_t rows[] = {
      {R S I, UVSMTP_MECH_CONTINUE, NULL},
      {R S I ",x=optional", UVSMTP_MECH_CONTINUE, NULL},
      {R S I ",x=a=b,Y=\303\251,x=again", UVSMTP_MECH_CONTINUE, NULL},
      {R ",s=YQ==" I, UVSMTP_MECH_CONTINUE, NULL},
      {"r=rOprNGfwEbeRWgbNEkqO!" S I, UVSMTP_MECH_CONTINUE, NULL},
      {R S ",i=100000", UVSMTP_MECH_CONTINUE, NULL},
      /* The nonce. */
      {"r=rOprNGfwEbeRWgbNEkqO" S I, UVSMTP_EPROTOCOL, "nonce"},
      {"r=rOprNGfwEbeRWgbNEkq" S I, UVSMTP_EPROTOCOL, "nonce"},
      {"r=rOprNGfwEbeRWgbNEkqPserver" S I, UVSMTP_EPROTOCOL, "nonce"},
      {"r=XOprNGfwEbeRWgbNEkqOserver" S I, UVSMTP_EPROTOCOL, "nonce"},
      {"r=serverrOprNGfwEbeRWgbNEkqO" S I, UVSMTP_EPROTOCOL, "nonce"},
      {R " " S I, UVSMTP_EPROTOCOL, "nonce"},
      {R "\177" S I, UVSMTP_EPROTOCOL, "nonce"},
      {R "\303\251" S I, UVSMTP_EPROTOCOL, "nonce"},
      {"r=" S I, UVSMTP_EPROTOCOL, "malformed"},
      /* The salt. */
      {R ",s=" I, UVSMTP_EPROTOCOL, "malformed"},
      {R ",s=W22ZaJ0SNY7soEsUEjb6gQ" I, UVSMTP_EPROTOCOL, "salt"},
      {R ",s=W22ZaJ0SNY7soEsUEjb6gR==" I, UVSMTP_EPROTOCOL, "salt"},
      {R ",s=W22Z aJ0" I, UVSMTP_EPROTOCOL, "salt"},
      {R ",s====" I, UVSMTP_EPROTOCOL, "salt"},
      {R ",s=W22*" I, UVSMTP_EPROTOCOL, "salt"},
      /* The count. */
      {R S ",i=4095", UVSMTP_EPROTOCOL, "less than 4096"},
      {R S ",i=1", UVSMTP_EPROTOCOL, "less than 4096"},
      {R S ",i=100001", UVSMTP_EPROTOCOL, "more than 100000"},
      {R S ",i=2147483648", UVSMTP_EPROTOCOL, "more than 100000"},
      {R S ",i=4294971392", UVSMTP_EPROTOCOL, "more than 100000"},
      {R S ",i=18446744073709555712", UVSMTP_EPROTOCOL, "more than 100000"},
      {R S ",i=99999999999999999999999999999999999999999999999999",
       UVSMTP_EPROTOCOL, "more than 100000"},
      {R S ",i=0", UVSMTP_EPROTOCOL, "no number"},
      {R S ",i=04096", UVSMTP_EPROTOCOL, "no number"},
      {R S ",i=+4096", UVSMTP_EPROTOCOL, "no number"},
      {R S ",i=-4096", UVSMTP_EPROTOCOL, "no number"},
      {R S ",i= 4096", UVSMTP_EPROTOCOL, "no number"},
      {R S ",i=4096 ", UVSMTP_EPROTOCOL, "no number"},
      {R S ",i=4096.0", UVSMTP_EPROTOCOL, "no number"},
      {R S ",i=0x1000", UVSMTP_EPROTOCOL, "no number"},
      {R S ",i=999999999x", UVSMTP_EPROTOCOL, "no number"},
      {R S ",i=", UVSMTP_EPROTOCOL, "malformed"},
      /* Order, and what is missing or there twice. */
      {"", UVSMTP_EPROTOCOL, "malformed"},
      {"r", UVSMTP_EPROTOCOL, "malformed"},
      {"r=", UVSMTP_EPROTOCOL, "malformed"},
      {"hello", UVSMTP_EPROTOCOL, "malformed"},
      {R, UVSMTP_EPROTOCOL, "malformed"},
      {R S, UVSMTP_EPROTOCOL, "malformed"},
      {R I S, UVSMTP_EPROTOCOL, "malformed"},
      {"s=W22ZaJ0SNY7soEsUEjb6gQ==," R I, UVSMTP_EPROTOCOL, "malformed"},
      {"x=1," R S I, UVSMTP_EPROTOCOL, "malformed"},
      {R ",x=1" S I, UVSMTP_EPROTOCOL, "malformed"},
      {R S I S, UVSMTP_EPROTOCOL, "malformed"},
      {R S I I, UVSMTP_EPROTOCOL, "malformed"},
      {R S I ",r=x", UVSMTP_EPROTOCOL, "malformed"},
      {R S I ",e=x", UVSMTP_EPROTOCOL, "malformed"},
      {R S I ",", UVSMTP_EPROTOCOL, "malformed"},
      {R S I ",x", UVSMTP_EPROTOCOL, "malformed"},
      {R S I ",x=", UVSMTP_EPROTOCOL, "malformed"},
      {R S I ",x=,y=1", UVSMTP_EPROTOCOL, "malformed"},
      {R S I ",,x=1", UVSMTP_EPROTOCOL, "malformed"},
      {R S I ",1=x", UVSMTP_EPROTOCOL, "malformed"},
      {R S I ",xy=1", UVSMTP_EPROTOCOL, "malformed"},
      {"," R S I, UVSMTP_EPROTOCOL, "malformed"},
      {"R=rOprNGfwEbeRWgbNEkqOserver" S I, UVSMTP_EPROTOCOL, "malformed"},
      /* What must be understood can't be. */
      {"m=ext," R S I, UVSMTP_EPROTOCOL, "extension"},
      {"m=", UVSMTP_EPROTOCOL, "extension"},
      {R S I ",m=ext", UVSMTP_EPROTOCOL, "malformed"},
      {R ",m=ext" S I, UVSMTP_EPROTOCOL, "malformed"},
      {"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", UVSMTP_EPROTOCOL,
       "malformed"},
      /* Some say so at once. */
      {"e=unknown-user", UVSMTP_EAUTH, "the server says unknown-user"},
      {"e=no\033[2J\303\251\177way,x=1", UVSMTP_EAUTH,
       "the server says no?[2J???way"},
      {"e=", UVSMTP_EPROTOCOL, "malformed"},
  };
  uvsmtp_credentials_t* c = credentials("user", "pencil", NULL);
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    driven_t d;
    int rc;
    begin_vector(&d, c, &rfc7677);
    rc = tell(&d, rows[i].text);
    if (rc != rows[i].rc) fail_msg("%s: %d", rows[i].text, rc);
    if (rc < 0) {
      explained(&d, rows[i].words);
      assert_null(strstr(d.x->detail, "x=1"));
      SAID(&d, "");
    }
    end(&d);
  }
  done(c);
}

static void test_server_first_caps(void** state) {
  static char text[4096];
  static const char fits[] = R S I ",x=";
  uvsmtp_credentials_t* c = credentials("user", "pencil", NULL);
  driven_t d;
  size_t slices, n = sizeof(fits) - 1;
  (void)state;
  memset(text, 'y', sizeof(text));
  memcpy(text, fits, n);
  begin_vector(&d, c, &rfc7677);
  assert_int_equal(told(&d, text, 2048, &slices), UVSMTP_MECH_CONTINUE);
  end(&d);
  begin_vector(&d, c, &rfc7677);
  assert_int_equal(told(&d, text, 2049, &slices), UVSMTP_EPROTOCOL);
  explained(&d, "too long");
  end(&d);
  /* A NUL is in no value. */
  text[n + 5] = '\0';
  begin_vector(&d, c, &rfc7677);
  assert_int_equal(told(&d, text, 100, &slices), UVSMTP_EPROTOCOL);
  end(&d);
  /* Salt of 1,024 octets, and of 1,026. */
  n = (size_t)sprintf(text, R ",s=");
  memset(text + n, 'A', 1368);
  strcpy(text + n + 1366, "==" I);
  begin_vector(&d, c, &rfc7677);
  assert_int_equal(tell(&d, text), UVSMTP_MECH_CONTINUE);
  end(&d);
  memset(text + n, 'A', 1368);
  strcpy(text + n + 1368, I);
  begin_vector(&d, c, &rfc7677);
  assert_int_equal(tell(&d, text), UVSMTP_EPROTOCOL);
  explained(&d, "salt");
  end(&d);
  done(c);
}

#define V "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static void test_server_final(void** state) {
  static const said_t rows[] = {
      {V, UVSMTP_MECH_SEND, NULL},
      {V ",x=optional", UVSMTP_MECH_SEND, NULL},
      {V ",x=1,y=2=", UVSMTP_MECH_SEND, NULL},
      {"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", UVSMTP_EAUTH,
       "did not prove"},
      {"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G8=", UVSMTP_EAUTH,
       "did not prove"},
      {"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl9", UVSMTP_EAUTH,
       "did not prove"},
      {"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4A", UVSMTP_EAUTH,
       "did not prove"},
      {"v=6rri", UVSMTP_EAUTH, "did not prove"},
      {"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4", UVSMTP_EAUTH,
       "did not prove"},
      {"v=!", UVSMTP_EAUTH, "did not prove"},
      {"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", UVSMTP_EAUTH, "did not prove"},
      {"", UVSMTP_EPROTOCOL, "malformed"},
      {"v=", UVSMTP_EPROTOCOL, "malformed"},
      {"v", UVSMTP_EPROTOCOL, "malformed"},
      {"V=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", UVSMTP_EPROTOCOL,
       "malformed"},
      {"x=1," V, UVSMTP_EPROTOCOL, "malformed"},
      {V ",", UVSMTP_EPROTOCOL, "malformed"},
      {V ",m=1", UVSMTP_EPROTOCOL, "malformed"},
      {V ",e=other-error", UVSMTP_EPROTOCOL, "malformed"},
      {V "," V, UVSMTP_EPROTOCOL, "malformed"},
      {V " ", UVSMTP_EAUTH, "did not prove"},
      {" " V, UVSMTP_EPROTOCOL, "malformed"},
      {"e=invalid-proof", UVSMTP_EAUTH, "the server says invalid-proof"},
      {"e=invalid-proof," V, UVSMTP_EAUTH, "the server says invalid-proof"},
      {"e=", UVSMTP_EPROTOCOL, "malformed"},
  };
  uvsmtp_credentials_t* c = credentials("user", "pencil", NULL);
  size_t i;
  (void)state;
  for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    driven_t d;
    int rc;
    begin_vector(&d, c, &rfc7677);
    assert_int_equal(tell(&d, rfc7677.server_first), UVSMTP_MECH_CONTINUE);
    SAID(&d, rfc7677.final);
    rc = tell(&d, rows[i].text);
    if (rc != rows[i].rc) fail_msg("%s: %d", rows[i].text, rc);
    SAID(&d, "");
    if (rc < 0) {
      explained(&d, rows[i].words);
      /* Nothing makes up for it. */
      assert_int_equal(tell(&d, V), UVSMTP_EPROTOCOL);
    }
    end(&d);
  }
  done(c);
}

/* Another password than the server's: it sees that by the proof, we by its
 * signature. */
static void test_wrong_password(void** state) {
  uvsmtp_credentials_t* c = credentials("user", "Pencil", NULL);
  driven_t d;
  (void)state;
  begin_vector(&d, c, &rfc7677);
  assert_int_equal(tell(&d, rfc7677.server_first), UVSMTP_MECH_CONTINUE);
  assert_int_equal(driven_said(&d, rfc7677.final, strlen(rfc7677.final)), 0);
  assert_int_equal(tell(&d, rfc7677.server_final), UVSMTP_EAUTH);
  end(&d);
  done(c);
}

static void explains_long(const char* text, size_t len) {
  uvsmtp_credentials_t* c = credentials("user", "pencil", NULL);
  driven_t d;
  size_t slices;
  begin_vector(&d, c, &rfc7677);
  assert_int_equal(told(&d, text, len, &slices), UVSMTP_EAUTH);
  assert_true(strlen(d.x->detail) <= 128);
  end(&d);
  done(c);
}

static void test_long_error(void** state) {
  static char text[9216];
  (void)state;
  memset(text, 'x', sizeof(text));
  memcpy(text, "e=", 2);
  explains_long(text, sizeof(text));
  explains_long(text, 3);
}

/* --------------------------------------------------------- anything at all */

/* A login whose server says first and then final; 1: we were content. Each
 * message is a block of its own size, so that a sanitizer sees a step too
 * far. */
static int content(uvsmtp_credentials_t* c, const vector_t* v,
                   const char* first, size_t first_len, const char* final,
                   size_t final_len) {
  char* one = malloc(first_len + 1);
  char* two = malloc(final_len + 1);
  driven_t d;
  size_t slices;
  int rc;
  assert_non_null(one);
  assert_non_null(two);
  /* At the end of their blocks; malloc(0) may be NULL. */
  memcpy(one + 1, first, first_len);
  memcpy(two + 1, final, final_len);
  begin_vector(&d, c, v);
  rc = told(&d, one + 1, first_len, &slices);
  if (rc == UVSMTP_MECH_CONTINUE) {
    uvsmtp__veil_drop(d.x, &d.x->response);
    rc = told(&d, two + 1, final_len, &slices);
  }
  end(&d);
  free(one);
  free(two);
  assert_true(rc == UVSMTP_MECH_SEND || rc == UVSMTP_EPROTOCOL ||
              rc == UVSMTP_EAUTH);
  return rc == UVSMTP_MECH_SEND;
}

/* The octet at i replaced, by each of these. */
static size_t mutate(char* text, size_t i, size_t k) {
  static const char other[] = {0, ',', '=', '0', 'A', 'm', (char)0x80, ' '};
  char before = text[i];
  text[i] = k < sizeof(other)        ? other[k]
            : k == sizeof(other)     ? (char)(before ^ 1)
            : k == sizeof(other) + 1 ? (char)(before ^ 0x20)
                                     : (char)(before + 1);
  if (text[i] == before) text[i] = (char)~before;
  return sizeof(other) + 3;
}

static void check_mutants(const vector_t* v) {
  uvsmtp_credentials_t* c = credentials("user", "pencil", NULL);
  char first[256], final[256];
  size_t n = strlen(v->server_first);
  size_t m = strlen(v->server_final);
  size_t i, k, kinds;
  assert_int_equal(content(c, v, v->server_first, n, v->server_final, m), 1);
  for (i = 0; i < n; i++) {
    assert_int_equal(content(c, v, v->server_first, i, v->server_final, m), 0);
    for (k = 0, kinds = 1; k < kinds; k++) {
      memcpy(first, v->server_first, n);
      kinds = mutate(first, i, k);
      assert_int_equal(content(c, v, first, n, v->server_final, m), 0);
    }
  }
  for (i = 0; i < m; i++) {
    assert_int_equal(content(c, v, v->server_first, n, v->server_final, i), 0);
    for (k = 0, kinds = 1; k < kinds; k++) {
      memcpy(final, v->server_final, m);
      kinds = mutate(final, i, k);
      assert_int_equal(content(c, v, v->server_first, n, final, m), 0);
    }
  }
  done(c);
}

static void test_mutants(void** state) {
  (void)state;
  check_mutants(&rfc5802);
  check_mutants(&rfc7677);
}

/* --------------------------------------------------------- keys, made once */

/* server-first with salt number n. */
static const char* salted(size_t n, const char* count) {
  static char text[128];
  char salt[5] = {0};
  unsigned char raw[3] = {0, 0, (unsigned char)n};
  uvsmtp__base64_encode(salt, raw, 3);
  sprintf(text, R ",s=%s,i=%s", salt, count);
  return text;
}

/* A login's work with this: how many slices. */
static size_t work(uvsmtp_credentials_t* c, const vector_t* v,
                   const char* first) {
  char text[128];
  driven_t d;
  size_t slices;
  begin(&d, c, v->mech);
  assert_int_equal(uvsmtp__scram_first(d.x, v->alg, 0, rfc7677.nonce),
                   UVSMTP_MECH_CONTINUE);
  uvsmtp__veil_drop(d.x, &d.x->response);
  strcpy(text, first);
  assert_int_equal(told(&d, text, strlen(text), &slices), UVSMTP_MECH_CONTINUE);
  assert_true(d.x->response.len > 0);
  end(&d);
  return slices;
}

static size_t kept(uvsmtp_credentials_t* c) {
  const uvsmtp__link_t* head = &((uvsmtp__sasl_t*)c)->derived;
  const uvsmtp__link_t* link;
  size_t n = 0;
  for (link = head->next; link != head; link = link->next) n++;
  return n;
}

static void test_kept(void** state) {
  uvsmtp_credentials_t* c = credentials("user", "pencil", NULL);
  uvsmtp_credentials_t* other = credentials("user", "pencil", NULL);
  size_t i;
  (void)state;
  /* By salt, count and hash, and for these credentials. */
  assert_int_equal(work(c, &rfc7677, salted(1, "4096")), 64);
  assert_int_equal(work(c, &rfc7677, salted(1, "4096")), 0);
  assert_int_equal(work(c, &rfc7677, salted(2, "4096")), 64);
  assert_int_equal(work(c, &rfc7677, salted(1, "4097")), 64);
  assert_int_equal(work(c, &rfc7677, salted(1, "4098")), 65);
  assert_int_equal(work(c, &rfc5802, salted(1, "4096")), 64);
  assert_int_equal(work(c, &rfc7677, R ",s=AAABAA==,i=4096"), 64);
  assert_int_equal(work(other, &rfc7677, salted(1, "4096")), 64);
  assert_int_equal(work(c, &rfc7677, salted(1, "4096")), 0);
  assert_int_equal(kept(c), 6);
  uvsmtp_credentials_unref(other);
  /* Eight, of which the one that was used longest ago goes. */
  for (i = 10; i < 18; i++)
    assert_int_equal(work(c, &rfc7677, salted(i, "4096")), 64);
  assert_int_equal(kept(c), 8);
  for (i = 10; i < 18; i++)
    assert_int_equal(work(c, &rfc7677, salted(i, "4096")), 0);
  assert_int_equal(work(c, &rfc7677, salted(10, "4096")), 0);
  assert_int_equal(work(c, &rfc7677, salted(18, "4096")), 64);
  assert_int_equal(kept(c), 8);
  assert_int_equal(work(c, &rfc7677, salted(10, "4096")), 0);
  assert_int_equal(work(c, &rfc7677, salted(12, "4096")), 0);
  assert_int_equal(work(c, &rfc7677, salted(11, "4096")), 64);
  assert_int_equal(work(c, &rfc7677, salted(13, "4096")), 64);
  assert_int_equal(kept(c), 8);
  done(c);
}

/* Sessions at the same keys at the same time do the work of one, in turn. */
static void test_shared(void** state) {
  uvsmtp_credentials_t* c = credentials("user", "pencil", NULL);
  driven_t d[3];
  size_t i, slices = 0, open = 3;
  int over[3] = {0};
  (void)state;
  for (i = 0; i < 3; i++) begin_vector(&d[i], c, &rfc7677);
  while (open > 0) {
    for (i = 0; i < 3; i++) {
      int rc;
      if (over[i]) continue;
      rc = driven_told(&d[i], rfc7677.server_first);
      if (rc == UVSMTP_MECH_AGAIN) {
        slices++;
        continue;
      }
      assert_int_equal(rc, UVSMTP_MECH_CONTINUE);
      over[i] = 1;
      open--;
    }
  }
  assert_int_equal(slices, 64);
  assert_int_equal(kept(c), 1);
  for (i = 0; i < 3; i++) {
    SAID(&d[i], rfc7677.final);
    assert_int_equal(tell(&d[i], rfc7677.server_final), UVSMTP_MECH_SEND);
    end(&d[i]);
  }
  done(c);
}

/* Who began goes away, another goes on; when nobody is left, what is not
 * finished goes too. */
static void test_left_alone(void** state) {
  uvsmtp_credentials_t* c = credentials("user", "pencil", NULL);
  driven_t d[2];
  size_t i, slices;
  (void)state;
  begin_vector(&d[0], c, &rfc7677);
  begin_vector(&d[1], c, &rfc7677);
  for (i = 0; i < 40; i++)
    assert_int_equal(driven_told(&d[0], rfc7677.server_first),
                     UVSMTP_MECH_AGAIN);
  assert_int_equal(driven_told(&d[1], rfc7677.server_first), UVSMTP_MECH_AGAIN);
  end(&d[0]);
  assert_int_equal(kept(c), 1);
  assert_int_equal(
      told(&d[1], rfc7677.server_first, strlen(rfc7677.server_first), &slices),
      UVSMTP_MECH_CONTINUE);
  assert_int_equal(slices, 23);
  SAID(&d[1], rfc7677.final);
  end(&d[1]);
  assert_int_equal(kept(c), 1);
  begin_vector(&d[0], c, &rfc5802);
  assert_int_equal(driven_told(&d[0], rfc5802.server_first), UVSMTP_MECH_AGAIN);
  assert_int_equal(kept(c), 2);
  end(&d[0]);
  assert_int_equal(kept(c), 1);
  done(c);
}

/* What is in use stays, however much that is. */
static void test_in_use(void** state) {
  enum { MANY = 12 };
  uvsmtp_credentials_t* c = credentials("user", "pencil", NULL);
  driven_t d[MANY];
  size_t i;
  (void)state;
  assert_int_equal(work(c, &rfc7677, salted(200, "4096")), 64);
  for (i = 0; i < MANY; i++) {
    begin_vector(&d[i], c, &rfc7677);
    assert_int_equal(driven_told(&d[i], salted(i, "4096")), UVSMTP_MECH_AGAIN);
  }
  assert_int_equal(kept(c), MANY);
  for (i = 0; i < MANY; i++)
    assert_int_equal(tell(&d[i], ""), UVSMTP_MECH_CONTINUE);
  for (i = 0; i < MANY; i++) end(&d[i]);
  assert_int_equal(kept(c), 8);
  for (i = MANY - 8; i < MANY; i++)
    assert_int_equal(work(c, &rfc7677, salted(i, "4096")), 0);
  done(c);
}

/* ----------------------------------------------------------------- memory */

/* One whole login; 0: content, else the error. */
static int login(uvsmtp_credentials_t* c, const vector_t* v) {
  driven_t d;
  int rc;
  begin(&d, c, v->mech);
  rc = uvsmtp__scram_first(d.x, v->alg, 0, v->nonce);
  uvsmtp__veil_drop(d.x, &d.x->response);
  if (rc == UVSMTP_MECH_CONTINUE) rc = tell(&d, v->server_first);
  uvsmtp__veil_drop(d.x, &d.x->response);
  if (rc == UVSMTP_MECH_CONTINUE) rc = tell(&d, v->server_final);
  end(&d);
  return rc;
}

static void test_no_memory(void** state) {
  size_t i, k, begun = 0;
  int rc = 0;
  (void)state;
  for (k = 0; k < 2; k++) {
    for (i = 1; i < 100; i++) {
      uvsmtp_credentials_t* c = credentials("user", "pencil", NULL);
      /* Not the exchange's own block. */
      watch.alloc.fail_at = watch.alloc.requests + 1 + i;
      rc = login(c, vectors[k]);
      begun = watch.alloc.failed;
      watch.alloc.fail_at = 0;
      watch.alloc.failed = 0;
      if (begun == 0) {
        assert_int_equal(rc, UVSMTP_MECH_SEND);
        uvsmtp_credentials_unref(c);
        break;
      }
      assert_int_equal(rc, -ENOMEM);
      /* Nothing broken is kept. */
      assert_int_equal(login(c, vectors[k]), UVSMTP_MECH_SEND);
      uvsmtp_credentials_unref(c);
      assert_int_equal(watch.alloc.blocks, 0);
    }
    assert_in_range(i, 8, 99);
  }
  assert_int_equal(watch.dirty, 0);
}

/* The last slice has no memory: who shares it fails likewise, who comes later
 * begins anew. */
static void test_no_memory_shared(void** state) {
  uvsmtp_credentials_t* c = credentials("user", "pencil", NULL);
  driven_t d[2];
  size_t i;
  (void)state;
  begin_vector(&d[0], c, &rfc7677);
  begin_vector(&d[1], c, &rfc7677);
  for (i = 0; i < 63; i++)
    assert_int_equal(driven_told(&d[i % 2], rfc7677.server_first),
                     UVSMTP_MECH_AGAIN);
  watch.alloc.fail_at = watch.alloc.requests + 1;
  assert_int_equal(driven_told(&d[0], rfc7677.server_first), -ENOMEM);
  assert_int_equal(driven_told(&d[1], rfc7677.server_first), -ENOMEM);
  assert_int_equal(kept(c), 0);
  assert_int_equal(login(c, &rfc7677), UVSMTP_MECH_SEND);
  end(&d[0]);
  end(&d[1]);
  assert_int_equal(kept(c), 1);
  done(c);
}

/* Closed at every place of a login. */
static void test_cut(void** state) {
  size_t stop;
  (void)state;
  for (stop = 0; stop < 4; stop++) {
    uvsmtp_credentials_t* c = credentials("user", "pencil", NULL);
    driven_t d;
    begin(&d, c, rfc7677.mech);
    if (stop > 0)
      assert_int_equal(
          uvsmtp__scram_first(d.x, UVSMTP__SHA256, 0, rfc7677.nonce),
          UVSMTP_MECH_CONTINUE);
    if (stop > 1)
      assert_int_equal(driven_told(&d, rfc7677.server_first),
                       UVSMTP_MECH_AGAIN);
    if (stop > 2) {
      uvsmtp__veil_drop(d.x, &d.x->response);
      assert_int_equal(tell(&d, rfc7677.server_first), UVSMTP_MECH_CONTINUE);
    }
    end(&d);
    done(c);
  }
}

/* --------------------------------------------------------------- the stack */

enum { STACK = 256 * 1024 };

/* Only the calls that are looked at: what this test itself says or compares
 * stays off that stack. */
static driven_t walker;
static int walked[3];

static void* walk(void* arg) {
  (void)arg;
  walked[0] = driven_first(&walker);
  return NULL;
}

static void* walk_on(void* arg) {
  walked[1] = tell(&walker, arg);
  return NULL;
}

static void on_stack(char* stack, void* (*run)(void*), void* arg) {
  pthread_attr_t attr;
  pthread_t thread;
  assert_int_equal(pthread_attr_init(&attr), 0);
  assert_int_equal(pthread_attr_setstack(&attr, stack, STACK), 0);
  assert_int_equal(pthread_create(&thread, &attr, run, arg), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  pthread_attr_destroy(&attr);
}

static int holds(const char* in, size_t n, const void* what, size_t len) {
  size_t i;
  for (i = 0; i + len <= n; i++)
    if (memcmp(in + i, what, len) == 0) return 1;
  return 0;
}

/* What the password becomes on the way, as its owner can compute it. */
static void compute(unsigned char keys[5][32]) {
  uvsmtp__mem_t mem = {test_alloc, &watch.alloc};
  uvsmtp__hmac_t* hmac;
  unsigned char u[32];
  char salt[32];
  uvsmtp_slice_t part = {salt, 20};
  int i, k;
  assert_int_equal(uvsmtp__base64_decode(salt, "W22ZaJ0SNY7soEsUEjb6gQ==", 24),
                   16);
  memcpy(salt + 16, "\0\0\0\1", 4);
  memset(keys, 0, 5 * 32);
  assert_int_equal(uvsmtp__hmac_new(&hmac, &mem, UVSMTP__SHA256, "pencil", 6),
                   0);
  for (i = 0; i < 4096; i++) {
    assert_int_equal(uvsmtp__hmac(hmac, &part, 1, u), 0);
    for (k = 0; k < 32; k++) keys[0][k] ^= u[k];
    part.base = u;
    part.len = 32;
  }
  memcpy(keys[4], u, 32);
  uvsmtp__hmac_free(hmac);
  assert_int_equal(uvsmtp__hmac_new(&hmac, &mem, UVSMTP__SHA256, keys[0], 32),
                   0);
  part.base = "Client Key";
  part.len = 10;
  assert_int_equal(uvsmtp__hmac(hmac, &part, 1, keys[1]), 0);
  part.base = "Server Key";
  assert_int_equal(uvsmtp__hmac(hmac, &part, 1, keys[2]), 0);
  uvsmtp__hmac_free(hmac);
  assert_int_equal(uvsmtp__hash(UVSMTP__SHA256, keys[1], 32, keys[3]), 0);
}

/* How many blocks in use have the octets in them. */
static size_t holding(const unsigned char* octets) {
  static const char* secrets[2];
  char text[9] = {0};
  size_t at, n;
  /* Without a NUL: some eight of them. */
  for (at = 0; memchr(octets + at, 0, 8) != NULL; at++) assert_true(at < 24);
  memcpy(text, octets + at, 8);
  secrets[0] = text;
  watch.alloc.secrets = secrets;
  n = test_alloc_holding(&watch.alloc);
  watch.alloc.secrets = NULL;
  return n;
}

/* Neither the salted password nor a key is on the stack, or in any block but
 * where the keys are kept. */
static void test_stack(void** state) {
  static const char* const names[] = {"SaltedPassword", "ClientKey",
                                      "ServerKey", "StoredKey", "U"};
  uvsmtp_credentials_t* c = credentials("user", "pencil", NULL);
  unsigned char keys[5][32];
  char text[256];
  char* stack = NULL;
  size_t i, at;
  (void)state;
  compute(keys);
  assert_int_equal(posix_memalign((void**)&stack, 4096, STACK), 0);
  memset(stack, 0, STACK);
  begin(&walker, c, rfc7677.mech);
  on_stack(stack, walk, NULL);
  assert_int_equal(walked[0], UVSMTP_MECH_CONTINUE);
  /* Our nonce, and the rest of the vector. */
  at = (size_t)sprintf(text, "r=%.32s!", (char*)walker.x->response.base + 12);
  strcpy(text + at, ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
  uvsmtp__veil_drop(walker.x, &walker.x->response);
  on_stack(stack, walk_on, text);
  assert_int_equal(walked[1], UVSMTP_MECH_CONTINUE);
  for (i = 0; i < 5; i++)
    for (at = 0; at + 8 <= 32; at += 8)
      if (holds(stack, STACK, keys[i] + at, 8))
        fail_msg("%s is on the stack", names[i]);
  assert_int_equal(holds((const char*)keys, sizeof(keys), keys[2] + 8, 8), 1);
  assert_int_equal(holding(keys[0]), 0);
  assert_int_equal(holding(keys[1]), 1);
  assert_int_equal(holding(keys[2]), 1);
  assert_int_equal(holding(keys[3]), 0);
  assert_int_equal(holding(keys[4]), 0);
  end(&walker);
  free(stack);
  done(c);
}

/* --------------------------------------------------------------- CRAM-MD5 */

static void test_cram_md5(void** state) {
  uvsmtp_credentials_t* c = credentials("tim", "tanstaaftanstaaf", NULL);
  driven_t d;
  (void)state;
  begin(&d, c, &uvsmtp__mech_cram_md5);
  assert_int_equal(
      driven_told(&d, "<1896.697170952@postoffice.reston.mci.net>"),
      UVSMTP_MECH_SEND);
  SAID(&d, "tim b913a602c7eda7a495b4e6e7334d3890");
  /* One challenge is all there is. */
  assert_int_equal(
      driven_told(&d, "<1897.697170952@postoffice.reston.mci.net>"),
      UVSMTP_EPROTOCOL);
  explained(&d, "second");
  SAID(&d, "");
  /* A new run is a new one. */
  driven_end(&d);
  driven_begin(&d, &uvsmtp__mech_cram_md5, 0);
  assert_int_equal(
      driven_told(&d, "<1896.697170952@postoffice.reston.mci.net>"),
      UVSMTP_MECH_SEND);
  end(&d);
  done(c);
}

/* A password longer than a block is its hash; a name may have blanks. */
static void test_cram_md5_long(void** state) {
  uvsmtp_credentials_t* c = credentials(
      "ada l\303\266velace",
      "0123456789012345678901234567890123456789012345678901234567890123456789",
      NULL);
  static const char octets[] = "\0\377<x>\r\n";
  driven_t d;
  (void)state;
  begin(&d, c, &uvsmtp__mech_cram_md5);
  assert_int_equal(driven_step(&d, octets, 7), UVSMTP_MECH_SEND);
  SAID(&d, "ada l\303\266velace 218b5d8ae8e00c6ce3b871a668c8eb5a");
  end(&d);
  done(c);
}

static void test_cram_md5_bad(void** state) {
  uvsmtp_credentials_t* c = credentials("tim", "tanstaaf", NULL);
  uvsmtp_credentials_t* no = credentials("tim", "tanstaaf", "boss");
  driven_t d;
  size_t i;
  (void)state;
  begin(&d, c, &uvsmtp__mech_cram_md5);
  assert_int_equal(driven_told(&d, ""), UVSMTP_EPROTOCOL);
  explained(&d, "empty");
  SAID(&d, "");
  end(&d);
  begin(&d, no, &uvsmtp__mech_cram_md5);
  assert_int_equal(driven_told(&d, "<1@x>"), -EINVAL);
  explained(&d, "authzid");
  SAID(&d, "");
  end(&d);
  for (i = 1; i <= 2; i++) {
    begin(&d, c, &uvsmtp__mech_cram_md5);
    watch.alloc.fail_at = watch.alloc.requests + i;
    assert_int_equal(driven_told(&d, "<1@x>"), -ENOMEM);
    end(&d);
  }
  uvsmtp_credentials_unref(no);
  done(c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(test_vectors, setup),
      cmocka_unit_test_setup(test_flags, setup),
      cmocka_unit_test_setup(test_nonce, setup),
      cmocka_unit_test_setup(test_binding_flag, setup),
      cmocka_unit_test_setup(test_names, setup),
      cmocka_unit_test_setup(test_bound, setup),
      cmocka_unit_test_setup(test_unfit, setup),
      cmocka_unit_test_setup(test_too_long, setup),
      cmocka_unit_test_setup(test_server_first, setup),
      cmocka_unit_test_setup(test_server_first_caps, setup),
      cmocka_unit_test_setup(test_server_final, setup),
      cmocka_unit_test_setup(test_wrong_password, setup),
      cmocka_unit_test_setup(test_long_error, setup),
      cmocka_unit_test_setup(test_mutants, setup),
      cmocka_unit_test_setup(test_kept, setup),
      cmocka_unit_test_setup(test_shared, setup),
      cmocka_unit_test_setup(test_left_alone, setup),
      cmocka_unit_test_setup(test_in_use, setup),
      cmocka_unit_test_setup(test_no_memory, setup),
      cmocka_unit_test_setup(test_no_memory_shared, setup),
      cmocka_unit_test_setup(test_cut, setup),
      cmocka_unit_test_setup(test_stack, setup),
      cmocka_unit_test_setup(test_cram_md5, setup),
      cmocka_unit_test_setup(test_cram_md5_long, setup),
      cmocka_unit_test_setup(test_cram_md5_bad, setup),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
