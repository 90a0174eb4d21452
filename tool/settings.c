/* SPDX-License-Identifier: MIT */
/* settings.c: how a connection is to be secured: the options, what the library
 * makes of them, and which one it would not take. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tool.h"

/* ------------------------------------------------------------- arguments */

static const struct {
  const char* name;
  int policy;
} policies[] = {
    {"none", UVSMTP_TLS_NONE},
    {"opportunistic", UVSMTP_TLS_OPPORTUNISTIC},
    {"required", UVSMTP_TLS_REQUIRED},
    {"implicit", UVSMTP_TLS_IMPLICIT},
};

enum { NPOLICIES = sizeof(policies) / sizeof(policies[0]) };

const char* parse_policy(const char* text, int* policy) {
  size_t i;
  for (i = 0; i < NPOLICIES; i++) {
    if (strcmp(text, policies[i].name) != 0) continue;
    *policy = policies[i].policy;
    return NULL;
  }
  return "it can be none, opportunistic, required or implicit";
}

static const char* policy_name(int policy) {
  size_t i;
  for (i = 0; i < NPOLICIES - 1 && policies[i].policy != policy; i++) continue;
  return policies[i].name;
}

const char* parse_version(const char* text, int* version) {
  if (strcmp(text, "1.2") == 0)
    *version = UVSMTP_TLS_1_2;
  else if (strcmp(text, "1.3") == 0)
    *version = UVSMTP_TLS_1_3;
  else
    return "it can be 1.2 or 1.3";
  if (*version > uvsmtp_tls_library_version())
    return "the library that does TLS here can't do this version";
  return NULL;
}

static int is_path(const options_t* o) { return o->server.host[0] == '/'; }

/* As include/uvsmtp/tls.h has it: what is asked of a port by its number. */
static int policy_by_port(const options_t* o) {
  if (o->tls.policy != UVSMTP_TLS_DEFAULT) return o->tls.policy;
  if (is_path(o)) return UVSMTP_TLS_NONE;
  if (o->server.port == UVSMTP_PORT_SMTPS) return UVSMTP_TLS_IMPLICIT;
  if (o->server.port == UVSMTP_PORT_SUBMISSION) return UVSMTP_TLS_REQUIRED;
  return UVSMTP_TLS_OPPORTUNISTIC;
}

int settings_raised(const options_t* o) {
  return policy_by_port(o) == UVSMTP_TLS_OPPORTUNISTIC && login_wanted(o) &&
         !o->login.allow_plaintext;
}

int settings_policy(const options_t* o) {
  return settings_raised(o) ? UVSMTP_TLS_REQUIRED : policy_by_port(o);
}

int settings_port(const options_t* o) {
  if (o->server.port != 0 || is_path(o)) return o->server.port;
  if (o->server.lmtp) return UVSMTP_PORT_LMTP;
  return o->tls.policy == UVSMTP_TLS_IMPLICIT ? UVSMTP_PORT_SMTPS
                                              : UVSMTP_PORT_SMTP;
}

/* An option that has no effect without TLS, or NULL. */
static const char* first_given(const tls_options_t* tls) {
  if (tls->pins.n > 0) return "--pin";
  if (tls->ca != NULL) return "--ca";
  if (tls->name != NULL) return "--tls-name";
  if (tls->cert != NULL) return "--cert";
  if (tls->min != 0) return "--tls-min";
  if (tls->max != 0) return "--tls-max";
  if (tls->ciphers != NULL) return "--tls-ciphers";
  return tls->insecure ? "--insecure" : NULL;
}

/* What would be given in vain is refused: whoever pins a key does not want a
 * connection on which nobody looks at it. */
static const char* check_use(const options_t* o) {
  static char text[160];
  const char* option = first_given(&o->tls);
  int policy = settings_policy(o);
  if (policy == UVSMTP_TLS_NONE && option != NULL) {
    snprintf(text, sizeof(text), "%s: %s", option,
             o->tls.policy == UVSMTP_TLS_NONE
                 ? "there is no TLS with --tls none"
                 : "over a Unix socket there is no TLS, unless --tls says so");
    return text;
  }
  if (policy == UVSMTP_TLS_OPPORTUNISTIC && o->tls.pins.n > 0)
    return "--pin: opportunistic TLS may come to none at all, and nobody would "
           "look; give --tls required or implicit";
  if (policy > UVSMTP_TLS_OPPORTUNISTIC && is_path(o) && o->tls.name == NULL &&
      !o->tls.insecure) {
    snprintf(text, sizeof(text),
             "--tls %s: a Unix socket has no name that a certificate could "
             "have; give --tls-name or --insecure",
             policy_name(policy));
    return text;
  }
  return NULL;
}

const char* settings_check(options_t* o) {
  tls_options_t* tls = &o->tls;
  static char text[160];
  if (o->server.implicit) {
    if (tls->policy != UVSMTP_TLS_DEFAULT &&
        tls->policy != UVSMTP_TLS_IMPLICIT) {
      snprintf(text, sizeof(text),
               "--tls %s: contradicts smtps://, which is TLS from the first "
               "octet",
               policy_name(tls->policy));
      return text;
    }
    tls->policy = UVSMTP_TLS_IMPLICIT;
  }
  if (tls->cert == NULL && tls->key != NULL)
    return "--key: without --cert there is nothing that it is the key of";
  if (tls->cert == NULL && tls->passphrase_file != NULL)
    return "--key-passphrase-file: there is neither --cert nor --key";
  if (tls->min != 0 && tls->max != 0 && tls->min > tls->max)
    return "--tls-min: it is above --tls-max";
  return check_use(o);
}

/* -------------------------------------------------------------- settings */

enum { PASSPHRASE_MAX = 1024 };

/* What the settings are made of, for the library and for complaints. */
typedef struct source_s {
  const options_t* o;
  const char* ca[2];      /* a file, a directory; NULL: none */
  const char* ca_name[2]; /* the option or variable that said so */
  char passphrase[PASSPHRASE_MAX];
  size_t passphrase_len;
} source_t;

static int give_passphrase(void* arg, char* buf, size_t cap) {
  const source_t* s = arg;
  if (s->passphrase_len > cap) return UV_ENOBUFS;
  memcpy(buf, s->passphrase, s->passphrase_len);
  return (int)s->passphrase_len;
}

/* Its first line, without the end of that; setvbuf: no copy of it stays in a
 * buffer of stdio's. 0 or an errno. */
static int read_passphrase(source_t* s, const char* path) {
  FILE* f = fopen(path, "rbe");
  int rc = 0;
  int c;
  if (f == NULL) return errno;
  (void)setvbuf(f, NULL, _IONBF, 0);
  errno = 0;
  while ((c = fgetc(f)) != EOF && c != '\n') {
    if (s->passphrase_len == sizeof(s->passphrase)) rc = EFBIG;
    if (rc != 0) break;
    s->passphrase[s->passphrase_len++] = (char)c;
  }
  if (ferror(f)) rc = errno != 0 ? errno : EIO;
  (void)fclose(f);
  if (c == '\n' && s->passphrase_len > 0 &&
      s->passphrase[s->passphrase_len - 1] == '\r')
    s->passphrase_len--;
  return rc;
}

static int is_directory(const char* path) {
  struct stat st;
  return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The variables of OpenSSL, which many programs know: the library itself reads
 * no environment. */
static void find_trust(source_t* s) {
  static const char* const variables[2] = {"SSL_CERT_FILE", "SSL_CERT_DIR"};
  const char* ca = s->o->tls.ca;
  size_t i;
  if (ca != NULL) {
    i = is_directory(ca) ? 1 : 0;
    s->ca[i] = ca;
    s->ca_name[i] = "--ca";
    return;
  }
  for (i = 0; i < 2; i++) {
    const char* value = getenv(variables[i]);
    if (value == NULL || *value == '\0') continue;
    s->ca[i] = value;
    s->ca_name[i] = variables[i];
  }
}

enum { PART_TRUST, PART_SELF, PART_CIPHERS, PART_VERSIONS, PART_NAME, PARTS };
enum { ALL = (1u << PARTS) - 1 };

static void fill(const source_t* s, unsigned int parts,
                 uvsmtp_tls_config_t* config) {
  const tls_options_t* tls = &s->o->tls;
  if (tls->insecure) config->flags |= UVSMTP_TLS_INSECURE;
  if (parts & 1u << PART_TRUST) {
    config->ca_file = s->ca[0];
    config->ca_dir = s->ca[1];
  }
  if (parts & 1u << PART_SELF) {
    config->cert_file = tls->cert;
    config->key_file = tls->key;
    if (tls->passphrase_file != NULL) config->passphrase = give_passphrase;
    config->passphrase_arg = (void*)s;
  }
  if (parts & 1u << PART_CIPHERS) config->ciphers = tls->ciphers;
  if (parts & 1u << PART_VERSIONS) {
    config->min_version = tls->min;
    config->max_version = tls->max;
  }
  if (parts & 1u << PART_NAME) config->name = tls->name;
}

/* ---------------------------------------------------------------- errors */

/* Files that can't be read at all. NULL, or the option that names one, with its
 * value and an errno. */
static const char* unreadable(source_t* s, const char** value, int* err) {
  const tls_options_t* tls = &s->o->tls;
  const char* const files[][2] = {{s->ca_name[0], s->ca[0]},
                                  {"--cert", tls->cert},
                                  {"--key", tls->key},
                                  {s->ca_name[1], s->ca[1]}};
  size_t i;
  for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
    *value = files[i][1];
    if (*value == NULL) continue;
    *err = input_look(*value);
    /* The last one is a directory. */
    if (i == 3) *err = *err == EISDIR ? 0 : *err != 0 ? *err : ENOTDIR;
    if (*err != 0) return files[i][0];
  }
  *value = tls->passphrase_file;
  if (*value == NULL) return NULL;
  *err = read_passphrase(s, *value);
  return *err == 0 ? NULL : "--key-passphrase-file";
}

static int exit_of(int rc) {
  switch (rc) {
    case UV_EINVAL:
    case UV_ENOTSUP:
      return EXIT_BAD_USAGE;
    case UV_ENOMEM:
      return EXIT_OS;
    default:
      return EXIT_NO_INPUT;
  }
}

/* Whether the library takes this much of the settings. */
static int try_part(const source_t* s, unsigned int parts, const char* pin,
                    const char** reason) {
  uvsmtp_tls_config_t config = UVSMTP_TLS_CONFIG_INIT;
  uvsmtp_tls_t* tls;
  int rc;
  fill(s, parts, &config);
  if (pin != NULL) {
    config.pins = &pin;
    config.npins = 1;
  }
  rc = uvsmtp_tls_new(&tls, &config, reason);
  if (rc == 0) uvsmtp_tls_unref(tls);
  return rc;
}

/* "--ca FILE", the option of a part as it was given. */
static void put_part(const source_t* s, int part, char* to, size_t cap) {
  const tls_options_t* tls = &s->o->tls;
  size_t i = s->ca[0] != NULL ? 0 : 1;
  *to = '\0';
  if (part == PART_TRUST && s->ca[i] != NULL)
    snprintf(to, cap, "%s %.100s", s->ca_name[i], s->ca[i]);
  else if (part == PART_SELF && tls->key != NULL)
    snprintf(to, cap, "--cert %.80s --key %.80s", tls->cert, tls->key);
  else if (part == PART_SELF && tls->cert != NULL)
    snprintf(to, cap, "--cert %.100s", tls->cert);
  else if (part == PART_CIPHERS && tls->ciphers != NULL)
    snprintf(to, cap, "--tls-ciphers %.100s", tls->ciphers);
  else if (part == PART_VERSIONS)
    snprintf(to, cap, "%s", tls->min != 0 ? "--tls-min" : "--tls-max");
  else if (part == PART_NAME && tls->name != NULL)
    snprintf(to, cap, "--tls-name %.100s", tls->name);
}

/* Which of the options the library would not take: they are offered to it one
 * after the other. */
static void culprit(const source_t* s, int rc, const char* reason, char* to,
                    size_t cap) {
  const strings_t* pins = &s->o->tls.pins;
  char option[256] = "";
  const char* why = NULL;
  size_t i;
  for (i = 0; i < pins->n && why == NULL; i++) {
    if (try_part(s, 0, pins->list[i], &why) != rc) why = NULL;
    if (why != NULL)
      snprintf(option, sizeof(option), "--pin %.100s",
               *pins->list[i] == '\0' ? "''" : pins->list[i]);
  }
  for (i = 0; i < PARTS && why == NULL; i++) {
    if (try_part(s, 1u << i, NULL, &why) != rc) why = NULL;
    if (why != NULL) put_part(s, (int)i, option, sizeof(option));
  }
  if (why == NULL) why = reason;
  if (why == NULL) why = uvsmtp_strerror(rc);
  snprintf(to, cap, "%s: %s", *option == '\0' ? "TLS" : option, why);
}

static int make(source_t* s, uvsmtp_tls_t** tls, char* error, size_t cap) {
  uvsmtp_tls_config_t config = UVSMTP_TLS_CONFIG_INIT;
  const char* reason = NULL;
  const char* value;
  int err;
  int rc;
  const char* option = unreadable(s, &value, &err);
  if (option != NULL) {
    snprintf(error, cap, "%s %.150s: %s", option, value,
             err == EISDIR ? "it is a directory"
                           : uvsmtp_strerror(uv_translate_sys_error(err)));
    return err == ENOMEM ? EXIT_OS : EXIT_NO_INPUT;
  }
  fill(s, ALL, &config);
  config.pins = s->o->tls.pins.list;
  config.npins = s->o->tls.pins.n;
  rc = uvsmtp_tls_new(tls, &config, &reason);
  if (rc == 0) return 0;
  culprit(s, rc, reason, error, cap);
  return exit_of(rc);
}

int settings_make(const options_t* o, uvsmtp_tls_t** tls, char* error,
                  size_t cap) {
  source_t s;
  int rc;
  *tls = NULL;
  if (settings_policy(o) == UVSMTP_TLS_NONE) return 0;
  memset(&s, 0, sizeof(s));
  s.o = o;
  find_trust(&s);
  if (s.ca[0] == NULL && s.ca[1] == NULL && first_given(&o->tls) == NULL)
    return 0;
  rc = make(&s, tls, error, cap);
  explicit_bzero(s.passphrase, sizeof(s.passphrase));
  return rc;
}
