/* SPDX-License-Identifier: MIT */
/* login.c: who logs in, and with what: the options, where the secret comes
 * from, and which of them the library would not take. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

/* ------------------------------------------------------------- arguments */

static int wants_netrc(const options_t* o) {
  return o->login.netrc || o->login.netrc_file != NULL;
}

/* The name as it was given, or NULL. */
static const char* user_of(const options_t* o) {
  if (o->login.user != NULL) return o->login.user;
  return o->server.user[0] != '\0' ? o->server.user : NULL;
}

int login_wanted(const options_t* o) {
  const login_options_t* l = &o->login;
  return user_of(o) != NULL || wants_netrc(o) || l->password_file != NULL ||
         l->password_fd >= 0 || l->token_file != NULL || l->mechs != NULL ||
         l->authzid != NULL;
}

/* Two of what there can be one of. */
static const char* check_sources(const options_t* o) {
  static char text[100];
  const login_options_t* l = &o->login;
  const struct {
    int given;
    const char* name;
  } sources[] = {
      {l->password_file != NULL, "--password-file"},
      {l->password_fd >= 0, "--password-fd"},
      {l->token_file != NULL, "--token-file"},
      {l->netrc_file != NULL, "--netrc-file"},
      {l->netrc && l->netrc_file == NULL, "--netrc"},
  };
  const char* first = NULL;
  size_t i;
  for (i = 0; i < sizeof(sources) / sizeof(sources[0]); i++) {
    if (!sources[i].given) continue;
    if (first == NULL) {
      first = sources[i].name;
      continue;
    }
    snprintf(text, sizeof(text), "%s: there is %s already", sources[i].name,
             first);
    return text;
  }
  return NULL;
}

/* A list with a name that nobody knows is one with a mistake in it. */
static const char* check_mechs(const char* list) {
  static char text[320];
  size_t at;
  size_t i;
  while (*list != '\0') {
    size_t n = strcspn(list, ", ");
    char name[32];
    snprintf(name, sizeof(name), "%.*s", n < 31 ? (int)n : 31, list);
    if (n > 0 && uvsmtp_mech(name) == NULL) {
      at = (size_t)snprintf(text, sizeof(text), "--auth %s: it is none of",
                            name);
      for (i = 0; uvsmtp_mech_at(i) != NULL && at < sizeof(text); i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s %s",
                               i == 0 ? "" : ",", uvsmtp_mech_at(i)->name);
      return text;
    }
    list += n + (list[n] != '\0');
  }
  return NULL;
}

const char* login_check(options_t* o) {
  const login_options_t* l = &o->login;
  const char* user = user_of(o);
  const char* wrong = check_sources(o);
  if (wrong != NULL) return wrong;
  if (l->user != NULL && o->server.user[0] != '\0' &&
      strcmp(l->user, o->server.user) != 0)
    return "--user: the URL names another user";
  if (user != NULL && strlen(user) >= USER_MAX) return "--user: it is too long";
  if (l->allow_plaintext && !login_wanted(o))
    return "--allow-plaintext-auth: nobody logs in; give --user";
  if ((l->password_file != NULL || l->password_fd >= 0) && user == NULL)
    return l->password_fd >= 0 ? "--password-fd: whose? Give --user"
                               : "--password-file: whose? Give --user";
  return l->mechs == NULL ? NULL : check_mechs(l->mechs);
}

/* -------------------------------------------------------------- the file */

enum { NETRC_MAX = 128 * 1024 };

/* What is known so far. */
typedef struct login_s {
  const options_t* o;
  const char* where;
  const char* user; /* NULL: not known */
  char* who;        /* where a name from a file is kept */
  secret_t secret;
  int is_token;
  char* error;
  size_t cap;
} login_t;

static int fail(login_t* l, int exit_status, const char* option,
                const char* value, const char* wrong) {
  snprintf(l->error, l->cap, "%s%s%.200s: %s", option,
           *option == '\0' || *value == '\0' ? "" : " ", value, wrong);
  return exit_status;
}

/* Of a failed look at something that options name. */
static int exit_of(int err) {
  return err == EINTR    ? EXIT_INTERRUPTED
         : err == ENOMEM ? EXIT_OS
                         : EXIT_NO_INPUT;
}

static int fail_errno(login_t* l, int err, const char* option,
                      const char* value) {
  return fail(l, exit_of(err), option, value,
              uvsmtp_strerror(uv_translate_sys_error(err)));
}

/* The message itself is read from standard input. */
static int takes_stdin(const options_t* o) {
  return o->command == SEND && !input_is_file(o->file) && o->draft.text == NULL;
}

/* As ssh and msmtp ask of such files: what others can read is no secret, and
 * what others own may be changed by them. */
static const char* look_at_netrc(const login_t* l, int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0)
    return uvsmtp_strerror(uv_translate_sys_error(errno));
  if (S_ISDIR(st.st_mode)) return "it is a directory";
  if (takes_stdin(l->o) && secret_is_stdin(fd))
    return "the message comes from standard input already";
  if (st.st_uid != geteuid() && st.st_uid != 0)
    return "it belongs to somebody else";
  if ((st.st_mode & 077) != 0)
    return "others can read or change it; chmod 600 it";
  return NULL;
}

static int take_entry(login_t* l, const netrc_entry_t* e, const char* option,
                      const char* path) {
  char wrong[160] = "";
  const char* text = e->login.base;
  if (l->user == NULL && e->login.len == 0)
    snprintf(wrong, sizeof(wrong), "line %u: no login; give --user", e->line);
  else if (e->password.len == 0)
    snprintf(wrong, sizeof(wrong), "line %u: no password", e->line);
  else if (e->password.len > SECRET_MAX || e->login.len >= USER_MAX)
    snprintf(wrong, sizeof(wrong), "line %u: too long", e->line);
  if (*wrong != '\0') return fail(l, EXIT_NO_INPUT, option, path, wrong);
  if (l->user == NULL) {
    memcpy(l->who, text, e->login.len);
    l->who[e->login.len] = '\0';
    l->user = l->who;
  }
  memcpy(l->secret.text, e->password.base, e->password.len);
  l->secret.len = e->password.len;
  return 0;
}

static int search(login_t* l, char* text, size_t len, const char* option,
                  const char* path) {
  const options_t* o = l->o;
  netrc_query_t q = {o->server.host, settings_port(o), o->server.lmtp, l->user};
  netrc_entry_t e;
  char wrong[400];
  if (netrc_find(text, len, &q, &e)) return take_entry(l, &e, option, path);
  if (e.wrong != NULL)
    snprintf(wrong, sizeof(wrong), "line %u: %s", e.line, e.wrong);
  else
    snprintf(wrong, sizeof(wrong), "nothing for %s%.80s%s%s",
             l->user == NULL ? "" : "user ", l->user == NULL ? "" : l->user,
             l->user == NULL ? "" : " at ", l->where);
  return fail(l, EXIT_NO_INPUT, option, path, wrong);
}

static int read_netrc(login_t* l, int fd, const char* option,
                      const char* path) {
  const char* wrong = look_at_netrc(l, fd);
  char* text;
  size_t len;
  int err;
  int rc;
  if (wrong != NULL) return fail(l, EXIT_NO_INPUT, option, path, wrong);
  text = malloc(NETRC_MAX);
  if (text == NULL) return fail_errno(l, ENOMEM, option, path);
  err = secret_load(fd, text, NETRC_MAX, &len);
  rc = err == 0 ? search(l, text, len, option, path)
                : fail_errno(l, err, option, path);
  explicit_bzero(text, NETRC_MAX);
  free(text);
  return rc;
}

/* Where curl and msmtp look, or else Emacs. As open(2). */
static int open_usual(char* path, size_t cap) {
  static const char* const names[2] = {".netrc", ".authinfo"};
  char home[1000];
  size_t n = sizeof(home);
  size_t i;
  int fd = -1;
  *path = '\0';
  errno = ENAMETOOLONG;
  if (uv_os_homedir(home, &n) != 0) return -1;
  for (i = 0; i < 2; i++) {
    snprintf(path, cap, "%s/%s", home, names[i]);
    fd = secret_open(path);
    if (fd >= 0 || errno != ENOENT) break;
  }
  return fd;
}

static int from_netrc(login_t* l) {
  char path[1024];
  const char* option = "--netrc-file";
  const char* named = l->o->login.netrc_file;
  int fd;
  int rc;
  if (named == NULL) {
    option = "NETRC";
    named = getenv("NETRC");
  }
  if (named != NULL && *named != '\0') {
    snprintf(path, sizeof(path), "%s", named);
    fd = secret_open(named);
  } else {
    fd = open_usual(path, sizeof(path));
    option = *path == '\0' ? "--netrc: the home directory" : "--netrc:";
    if (fd < 0 && errno == ENOENT)
      return fail(l, EXIT_NO_INPUT, "--netrc", "",
                  "there is neither ~/.netrc nor ~/.authinfo");
  }
  if (fd < 0) return fail_errno(l, errno, option, path);
  rc = read_netrc(l, fd, option, path);
  (void)close(fd);
  return rc;
}

/* ----------------------------------------------------------- the secret */

static int from_fd(login_t* l, int fd, const char* option, const char* value) {
  int err;
  const char* wrong = secret_read(&l->secret, fd, takes_stdin(l->o), &err);
  return wrong == NULL ? 0 : fail(l, exit_of(err), option, value, wrong);
}

static int from_file(login_t* l, const char* option, const char* path) {
  int fd = secret_open(path);
  int rc;
  if (fd < 0) return fail_errno(l, errno, option, path);
  rc = from_fd(l, fd, option, path);
  (void)close(fd);
  return rc;
}

static int from_number(login_t* l, int fd) {
  char number[16];
  int rc;
  snprintf(number, sizeof(number), "%d", fd);
  rc = from_fd(l, fd, "--password-fd", number);
  if (fd > STDERR_FILENO) (void)close(fd);
  return rc;
}

static int from_terminal(login_t* l) {
  int err;
  const char* wrong = secret_ask(&l->secret, l->user, l->where, &err);
  if (wrong == NULL) return 0;
  if (err == 0) return fail(l, EXIT_BAD_USAGE, "the password", "", wrong);
  if (err == EINTR) return fail(l, EXIT_INTERRUPTED, "the password", "", wrong);
  return fail(l, EXIT_BAD_USAGE, "--user", l->user,
              "there is no password, and no terminal to ask for it; give "
              "--password-file, --password-fd, --token-file or --netrc");
}

/* ------------------------------------------------------------ credentials */

static int make(login_t* l, const char* text, size_t len,
                uvsmtp_credentials_t** credentials, const char** why) {
  const login_options_t* given = &l->o->login;
  uvsmtp_credentials_config_t config = UVSMTP_CREDENTIALS_CONFIG_INIT;
  config.user = l->user;
  config.authzid = given->authzid;
  config.mechs = given->mechs;
  if (len > 0 && l->is_token) {
    config.token = text;
    config.token_len = len;
  } else if (len > 0) {
    config.password = text;
    config.password_len = len;
  }
  if (given->allow_plaintext) config.flags |= UVSMTP_AUTH_ALLOW_PLAINTEXT;
  *why = NULL;
  return uvsmtp_credentials_new(credentials, &config, why);
}

static int refuse(login_t* l, int rc, const char* why) {
  if (why == NULL) why = uvsmtp_strerror(rc);
  snprintf(l->error, l->cap, "%s%.100s: %s",
           l->o->login.mechs != NULL ? "--auth " : "the login",
           l->o->login.mechs != NULL ? l->o->login.mechs : "", why);
  return rc == UV_EINVAL ? EXIT_BAD_USAGE : EXIT_OS;
}

/* Nobody is asked for a password that nothing can be done with, or that nothing
 * needs: the library says so of one that could be it. */
static int ask(login_t* l) {
  uvsmtp_credentials_t* c;
  const char* why;
  int rc = make(l, NULL, 0, &c, &why);
  if (rc == 0) uvsmtp_credentials_unref(c);
  if (rc == 0 && (l->user == NULL || l->o->login.mechs != NULL)) return 0;
  if (l->user == NULL) return refuse(l, rc, why);
  rc = make(l, "x", 1, &c, &why);
  if (rc != 0) return refuse(l, rc, why);
  uvsmtp_credentials_unref(c);
  return from_terminal(l);
}

static int collect(login_t* l) {
  const login_options_t* given = &l->o->login;
  if (wants_netrc(l->o)) return from_netrc(l);
  if (given->password_file != NULL)
    return from_file(l, "--password-file", given->password_file);
  if (given->password_fd >= 0) return from_number(l, given->password_fd);
  if (given->token_file == NULL) return ask(l);
  l->is_token = 1;
  return from_file(l, "--token-file", given->token_file);
}

int login_make(const options_t* o, const char* where,
               uvsmtp_credentials_t** credentials, char who[USER_MAX],
               char* error, size_t cap) {
  login_t l;
  const char* why;
  int rc;
  *credentials = NULL;
  *who = '\0';
  if (!login_wanted(o)) return 0;
  memset(&l, 0, sizeof(l));
  l.o = o;
  l.where = where;
  l.who = who;
  l.error = error;
  l.cap = cap;
  l.user = user_of(o);
  if (l.user != NULL) snprintf(who, USER_MAX, "%s", l.user);
  rc = collect(&l);
  if (rc == 0) {
    rc = make(&l, l.secret.text, l.secret.len, credentials, &why);
    if (rc != 0) rc = refuse(&l, rc, why);
  }
  secret_wipe(&l.secret);
  return rc;
}
