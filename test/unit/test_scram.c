/* SPDX-License-Identifier: MIT */
/* test_scram.c: SCRAM by the vectors of its RFCs, and against servers that say
 * anything else. Servers that others wrote are in test/server/test_scram.py. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "watched.h"

#define AUTH(names) \
  { (char*)(uintptr_t) "AUTH\0" names, sizeof("AUTH\0" names), 0, 0, 0, 0 }

static void test_vectors(void** state) {
  size_t i;
  (void)state;
  for (i = 0; i < 2; i++) {
    const vector_t* v = vectors[i];
    uvsmtp_credentials_t* c = user_credentials();
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
  uvsmtp_credentials_t* c = *state;
  char seen[2][33];
  int i;
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
      /* Forced: the server may not say what it can do. */
      {&uvsmtp__mech_scram_sha256_plus, UVSMTP__SHA256, 1, bind_it,
       AUTH("SCRAM-SHA-256"), "p=tls-exporter,,n=user,r=x"},
      {&uvsmtp__mech_scram_sha256_plus, UVSMTP__SHA256, 1, cannot_bind,
       AUTH("SCRAM-SHA-256-PLUS"), NULL},
      {&uvsmtp__mech_scram_sha256_plus, UVSMTP__SHA256, 1, NULL,
       AUTH("SCRAM-SHA-256-PLUS"), NULL},
  };
  uvsmtp_credentials_t* c = *state;
  size_t i;
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

#define R NONCE
#define S ",s=W22ZaJ0SNY7soEsUEjb6gQ=="
#define I ",i=4096"

typedef struct said_s {
  const char* text;
  int rc;
  const char* words;
} said_t;

/* A login whose server says this first: what that comes to, and the words with
 * which an error is explained. */
static void hear_first(uvsmtp_credentials_t* c, const char* text, size_t len,
                       int rc, const char* words) {
  driven_t d;
  size_t slices;
  int got;
  begin_vector(&d, c, &rfc7677);
  got = told(&d, text, len, &slices);
  if (got != rc) fail_msg("%.*s: %d", (int)len, text, got);
  if (got < 0) {
    explained(&d, words);
    assert_null(strstr(d.x->detail, "x=1"));
    assert_true(strlen(d.x->detail) <= 128);
    SAID(&d, "");
  }
  end(&d);
}

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
  size_t i;
  for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
    hear_first(*state, rows[i].text, strlen(rows[i].text), rows[i].rc,
               rows[i].words);
}

static void test_server_first_caps(void** state) {
  static char text[4096];
  static const char fits[] = R S I ",x=";
  size_t n = sizeof(fits) - 1;
  memset(text, 'y', sizeof(text));
  memcpy(text, fits, n);
  hear_first(*state, text, 2048, UVSMTP_MECH_CONTINUE, NULL);
  hear_first(*state, text, 2049, UVSMTP_EPROTOCOL, "too long");
  /* A NUL is in no value. */
  text[n + 5] = '\0';
  hear_first(*state, text, 100, UVSMTP_EPROTOCOL, "malformed");
  /* Salt of 1,024 octets, and of 1,026. */
  n = (size_t)sprintf(text, R ",s=");
  memset(text + n, 'A', 1368);
  strcpy(text + n + 1366, "==" I);
  hear_first(*state, text, strlen(text), UVSMTP_MECH_CONTINUE, NULL);
  memset(text + n, 'A', 1368);
  strcpy(text + n + 1368, I);
  hear_first(*state, text, strlen(text), UVSMTP_EPROTOCOL, "salt");
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
  uvsmtp_credentials_t* c = *state;
  size_t i;
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

static void test_long_error(void** state) {
  static char text[9216];
  memset(text, 'x', sizeof(text));
  memcpy(text, "e=", 2);
  hear_first(*state, text, sizeof(text), UVSMTP_EAUTH, "the server says xx");
  hear_first(*state, text, 3, UVSMTP_EAUTH, "the server says x");
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

static void check_mutants(uvsmtp_credentials_t* c, const vector_t* v) {
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
}

static void test_mutants(void** state) {
  check_mutants(*state, &rfc5802);
  check_mutants(*state, &rfc7677);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      WATCHED_TEST(test_vectors),   WATCHED_TEST(test_flags),
      USER_TEST(test_nonce),        USER_TEST(test_binding_flag),
      WATCHED_TEST(test_names),     WATCHED_TEST(test_bound),
      WATCHED_TEST(test_unfit),     WATCHED_TEST(test_too_long),
      USER_TEST(test_server_first), USER_TEST(test_server_first_caps),
      USER_TEST(test_server_final), WATCHED_TEST(test_wrong_password),
      USER_TEST(test_long_error),   USER_TEST(test_mutants),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
