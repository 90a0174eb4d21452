/* SPDX-License-Identifier: MIT */
/* auth.c: a login, and a message behind it if there is one to be sent:
 *
 *   auth CA-FILE HOST PORT USER password FILE [FROM TO]
 *   auth CA-FILE HOST PORT USER token COMMAND [FROM TO]
 *   auth CA-FILE HOST PORT USER code FILE [FROM TO]
 *
 * The password is the first line of FILE; a token is what COMMAND prints; with
 * "code" the second line of FILE is asked for by a mechanism of this program's
 * own. CA-FILE has whom to trust. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uvsmtp.h>

enum { LINE_CAP = 512, TOKEN_CAP = 8192 };

static const char text[] = "Subject: hello\r\n\r\nSent with uvsmtp.\r\n";

/* ------------------------------------------------------------------ result */

/* begin: result */
/* What a server says may hold any octet: it is escaped before it is shown. */
static void print_text(const char* what, const char* said, size_t len) {
  size_t i;
  printf("%s", what);
  for (i = 0; i < len; i++)
    putchar(said[i] < ' ' || said[i] > '~' ? '?' : said[i]);
  putchar('\n');
}

/* UVSMTP_EAUTH: the login failed, and so nothing of a message was sent. Why is
 * in the reply, or, when it was not the server who refused, in the cause; a
 * mechanism may have a sentence about it. */
static void on_done(uvsmtp_session_t* session, const uvsmtp_result_t* result,
                    void* data) {
  int status = uvsmtp_result_status(result);
  int cause = uvsmtp_result_cause(result);
  const uvsmtp_reply_t* reply = uvsmtp_result_reply(result);
  const char* detail = uvsmtp_result_detail(result);
  const char* mech = uvsmtp_session_auth(session);
  if (mech != NULL) printf("logged in by %s\n", mech);
  printf("%s: %s\n", uvsmtp_state_name(uvsmtp_result_stage(result)),
         uvsmtp_strerror(status));
  if (cause != 0) printf("because: %s\n", uvsmtp_strerror(cause));
  if (status != 0 && reply != NULL) {
    size_t len;
    const char* said = uvsmtp_reply_text(reply, &len);
    printf("%d ", uvsmtp_reply_code(reply));
    print_text("", said, len);
  }
  if (detail != NULL) print_text("in detail: ", detail, strlen(detail));
  *(int*)data = status;
}
/* end */

/* ------------------------------------------------------------------- token */

/* begin: token */
/* Tokens come from a command that prints one, such as a helper that has the
 * user's consent. The last one is used until a server refuses it. */
typedef struct tokens_s {
  uv_loop_t* loop;
  char* command;
  char last[TOKEN_CAP];
  size_t len;
} tokens_t;

/* The command at work for one login. */
typedef struct fetch_s {
  uv_process_t process;
  uv_pipe_t pipe;
  tokens_t* tokens;
  uvsmtp_token_query_t* query; /* NULL: nobody waits */
  char printed[TOKEN_CAP];
  size_t len;
  int error;
  int open; /* handles */
} fetch_t;

static int fetch(tokens_t* t, uvsmtp_token_query_t* query);

/* Called at each login. The answer may be given at once or later: the session
 * waits, under its deadline. refresh: the last one was refused, as one is that
 * has expired; this is asked once a login. */
static int on_token_wanted(void* arg, uvsmtp_token_query_t* query) {
  tokens_t* t = arg;
  if (t->len == 0 || uvsmtp_token_query_refresh(query)) return fetch(t, query);
  uvsmtp_token_done(query, 0, t->last, t->len);
  return 0;
}

/* The command has ended, and so has what it printed. Each query is answered
 * once, also when its session has gone in the meantime. */
static void on_fetched(uv_handle_t* handle) {
  fetch_t* f = handle->data;
  if (--f->open > 0) return;
  if (f->len > 0 && f->printed[f->len - 1] == '\n') f->len--;
  if (f->error == 0 && f->len == 0) f->error = UV_EIO;
  if (f->error == 0) {
    memcpy(f->tokens->last, f->printed, f->len);
    f->tokens->len = f->len;
  }
  if (f->query != NULL)
    uvsmtp_token_done(f->query, f->error, f->printed, f->len);
  explicit_bzero(f, sizeof(*f)); /* the library wipes its copies, not ours */
  free(f);
}
/* end */

static void on_command_exit(uv_process_t* process, int64_t status, int signum) {
  fetch_t* f = process->data;
  if (status != 0 || signum != 0) f->error = UV_EIO;
  uv_close((uv_handle_t*)process, on_fetched);
}

static void give_room(uv_handle_t* handle, size_t suggested, uv_buf_t* buf) {
  fetch_t* f = handle->data;
  (void)suggested;
  *buf = uv_buf_init(f->printed + f->len, (unsigned int)(TOKEN_CAP - f->len));
}

/* UV_ENOBUFS: there is no room left, so it is no token. */
static void on_command_read(uv_stream_t* stream, ssize_t n,
                            const uv_buf_t* buf) {
  fetch_t* f = stream->data;
  (void)buf;
  if (n > 0) f->len += (size_t)n;
  if (n >= 0) return;
  if (n != UV_EOF) f->error = (int)n;
  uv_close((uv_handle_t*)stream, on_fetched);
}

static int fetch(tokens_t* t, uvsmtp_token_query_t* query) {
  uv_process_options_t options;
  uv_stdio_container_t stdio[2];
  char shell[] = "/bin/sh";
  char option[] = "-c";
  char* args[] = {shell, option, t->command, NULL};
  fetch_t* f = calloc(1, sizeof(*f));
  int err;
  if (f == NULL) return UV_ENOMEM;
  f->tokens = t;
  f->open = 2;
  f->process.data = f;
  f->pipe.data = f;
  uv_pipe_init(t->loop, &f->pipe, 0);
  memset(&options, 0, sizeof(options));
  stdio[0].flags = UV_IGNORE;
  stdio[1].flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE;
  stdio[1].data.stream = (uv_stream_t*)&f->pipe;
  options.file = args[0];
  options.args = args;
  options.exit_cb = on_command_exit;
  options.stdio = stdio;
  options.stdio_count = 2;
  err = uv_spawn(t->loop, &f->process, &options);
  if (err != 0) { /* no more is heard of the query */
    uv_close((uv_handle_t*)&f->process, on_fetched);
    uv_close((uv_handle_t*)&f->pipe, on_fetched);
    return err;
  }
  f->query = query;
  err = uv_read_start((uv_stream_t*)&f->pipe, give_room, on_command_read);
  if (err != 0) on_command_read((uv_stream_t*)&f->pipe, err, NULL);
  return 0;
}

/* --------------------------------------------------------------------- own */

/* begin: own */
/* A mechanism of one's own: the name and the password, and then, at the
 * server's challenge, a code. What it needs besides the credentials stands
 * behind it in one struct. */
typedef struct code_s {
  uvsmtp_mech_t mech; /* first, so that self is the struct */
  char code[LINE_CAP];
} code_t;

/* Asked without a challenge first, since the client may speak first, and then
 * with each of the server's. What is put together here is what is sent, in
 * base64. */
static int say_code(const uvsmtp_mech_t* self, uvsmtp_exchange_t* exchange,
                    const uvsmtp_slice_t* challenge) {
  const code_t* c = (const code_t*)self;
  uvsmtp_slice_t user = uvsmtp_exchange_user(exchange);
  uvsmtp_slice_t password = uvsmtp_exchange_password(exchange);
  int err;
  if (challenge != NULL) {
    if (uvsmtp_exchange_data(exchange) != NULL) return UV_EPROTO; /* again? */
    uvsmtp_exchange_set_data(exchange, (void*)self);
    err = uvsmtp_exchange_respond(exchange, c->code, strlen(c->code));
    return err != 0 ? err : UVSMTP_MECH_SEND;
  }
  err = uvsmtp_exchange_respond(exchange, user.base, user.len);
  if (err == 0) err = uvsmtp_exchange_respond(exchange, "\n", 1);
  if (err == 0)
    err = uvsmtp_exchange_respond(exchange, password.base, password.len);
  /* CONTINUE: a server that is content with the password alone is not ours. */
  return err != 0 ? err : UVSMTP_MECH_CONTINUE;
}

static void make_code(code_t* c) {
  const uvsmtp_mech_t mech =
      UVSMTP_MECH_INIT("X-CODE", UVSMTP_MECH_CLIENT_FIRST, say_code);
  c->mech = mech;
}
/* end */

/* ------------------------------------------------------------------- calls */

/* begin: credentials */
/* Made once, and shared by all sessions of the loop that log in as this user.
 * What is given is copied, so that the caller's own copy can be wiped. */
static int make_credentials(uvsmtp_credentials_t** credentials,
                            const char* user, char* password, tokens_t* tokens,
                            const uvsmtp_mech_t* own) {
  uvsmtp_credentials_config_t config = UVSMTP_CREDENTIALS_CONFIG_INIT;
  const char* why = NULL;
  int err;
  config.user = user;
  if (tokens->command != NULL) {
    config.token_cb = on_token_wanted;
    config.token_arg = tokens;
  } else {
    config.password = password;
  }
  if (own != NULL) { /* tried before all others, or, being named, alone */
    config.own = &own;
    config.nown = 1;
    config.mechs = own->name;
  }
  err = uvsmtp_credentials_new(credentials, &config, &why);
  explicit_bzero(password, strlen(password));
  if (err != 0 && why != NULL) fprintf(stderr, "auth: %s\n", why);
  return err;
}
/* end */

/* begin: send */
/* Credentials in the target: whatever is sent is sent after a login. The policy
 * of TLS then is REQUIRED, or IMPLICIT at port 465, without another word. */
static int deliver(uvsmtp_session_t* session, uvsmtp_target_t* server,
                   uvsmtp_credentials_t* credentials,
                   const uvsmtp_message_t* message, int* status) {
  int err;
  server->credentials = credentials;
  err = uvsmtp_connect(session, server, NULL, NULL);
  if (err == 0) err = uvsmtp_send(session, message, on_done, status);
  return err;
}
/* end */

/* begin: login */
/* The login as a call of its own, by the strongest mechanism or by the one
 * given. Nothing is said before the server has proven who it is. */
static int log_in(uvsmtp_session_t* session, uvsmtp_target_t* server,
                  uvsmtp_credentials_t* credentials, const uvsmtp_mech_t* mech,
                  int* status) {
  int err;
  server->tls = server->port == UVSMTP_PORT_SMTPS ? UVSMTP_TLS_IMPLICIT
                                                  : UVSMTP_TLS_REQUIRED;
  err = uvsmtp_connect(session, server, NULL, NULL);
  if (err != 0) return err;
  if (mech == NULL) return uvsmtp_login(session, credentials, on_done, status);
  return uvsmtp_auth(session, mech, credentials, 0, on_done, status);
}
/* end */

/* -------------------------------------------------------------------- main */

/* What the command line asks for. */
typedef struct job_s {
  const char* ca_file;
  uvsmtp_target_t server;
  const char* from; /* NULL: no message */
  const char* to;
  uvsmtp_credentials_t* credentials;
  const uvsmtp_mech_t* mech; /* NULL: the strongest */
} job_t;

/* A line without its end; 0 when there is none, or it is too long. */
static int read_line(FILE* file, char* line) {
  size_t n;
  if (fgets(line, LINE_CAP, file) == NULL) return 0;
  n = strcspn(line, "\r\n");
  if (line[n] == '\0' && !feof(file)) return 0;
  line[n] = '\0';
  return 1;
}

static int read_secrets(const char* path, char* password, code_t* code) {
  FILE* file = fopen(path, "r");
  int ok;
  if (file == NULL) return 0;
  setvbuf(file, NULL, _IONBF, 0); /* no copy that nobody wipes */
  ok = read_line(file, password) &&
       (code == NULL || read_line(file, code->code));
  fclose(file);
  return ok;
}

static int start(uvsmtp_env_t* env, job_t* job, const uvsmtp_message_t* message,
                 int* status) {
  uvsmtp_session_t* session;
  int err = uvsmtp_session_new(&session, env, NULL);
  if (err != 0) return err;
  if (message != NULL)
    err = deliver(session, &job->server, job->credentials, message, status);
  else
    err = log_in(session, &job->server, job->credentials, job->mech, status);
  uvsmtp_session_end(session, NULL, NULL);
  return err;
}

/* Runs the loop until all is done; the exit status. */
static int run(uv_loop_t* loop, job_t* job) {
  uvsmtp_env_config_t config = UVSMTP_ENV_CONFIG_INIT;
  uvsmtp_tls_config_t trust = UVSMTP_TLS_CONFIG_INIT;
  uvsmtp_message_t message = UVSMTP_MESSAGE_INIT;
  uvsmtp_rcpt_t to = UVSMTP_RCPT_INIT(job->to);
  const uvsmtp_rcpt_t* rcpts[] = {&to};
  uvsmtp_memory_source_t body;
  const char* why = NULL;
  uvsmtp_env_t* env;
  int status = 0;
  int err;
  trust.ca_file = job->ca_file;
  err = uvsmtp_tls_new(&config.tls, &trust, &why);
  if (err == 0) err = uvsmtp_env_new(&env, loop, &config);
  uvsmtp_tls_unref(config.tls); /* the environment counts as one who uses it */
  if (err == 0) {
    uvsmtp_source_memory(&body, text, strlen(text));
    message.from = job->from;
    message.rcpts = rcpts;
    message.nrcpts = 1;
    message.body = &body.source;
    err = start(env, job, job->from != NULL ? &message : NULL, &status);
    uv_run(loop, UV_RUN_DEFAULT);
    uvsmtp_env_close(env, NULL, NULL);
  }
  if (err != 0)
    fprintf(stderr, "auth: %s\n", why != NULL ? why : uvsmtp_strerror(err));
  uv_run(loop, UV_RUN_DEFAULT);
  return err != 0 || status != 0;
}

int main(int argc, char** argv) {
  static tokens_t tokens;
  static code_t code;
  static char password[LINE_CAP];
  const char* how = argc > 5 ? argv[5] : "";
  job_t job = {NULL, UVSMTP_TARGET_INIT, NULL, "", NULL, NULL};
  uv_loop_t loop;
  int status = 71;
  if ((argc != 7 && argc != 9) ||
      (strcmp(how, "password") != 0 && strcmp(how, "token") != 0 &&
       strcmp(how, "code") != 0)) {
    fputs(
        "usage: auth CA-FILE HOST PORT USER password|token|code WHAT "
        "[FROM TO]\n",
        stderr);
    return 64;
  }
  job.ca_file = argv[1];
  job.server.host = argv[2];
  job.server.port = atoi(argv[3]);
  if (argc == 9) {
    job.from = argv[7];
    job.to = argv[8];
  }
  make_code(&code);
  if (strcmp(how, "code") == 0) job.mech = &code.mech;
  tokens.loop = &loop;
  if (strcmp(how, "token") == 0) {
    tokens.command = argv[6];
  } else if (!read_secrets(argv[6], password,
                           job.mech != NULL ? &code : NULL)) {
    fprintf(stderr, "auth: nothing to log in with in %s\n", argv[6]);
    return 66;
  }
  if (uv_loop_init(&loop) != 0) return 71;
  if (make_credentials(&job.credentials, argv[4], password, &tokens,
                       job.mech) == 0) {
    status = run(&loop, &job);
    uvsmtp_credentials_unref(job.credentials);
  }
  uv_loop_close(&loop);
  explicit_bzero(&tokens, sizeof(tokens));
  explicit_bzero(&code, sizeof(code));
  return status;
}
