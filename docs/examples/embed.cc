// SPDX-License-Identifier: MIT
// embed.cc: one message, from a C++17 program:
//
//   embed_cc HOST PORT FROM TO
//
// The interface is C, so a completion is a function and a pointer. A lambda
// that captures nothing is such a function; one that captures is put where the
// pointer can carry it. No exception may leave either: C lies between the two.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <uvsmtp.h>

namespace {

/* begin: letter */
// A message with all that has to live until its completion: the text, which is
// borrowed, and what is to be done then.
struct Letter {
  std::string text;
  uvsmtp_memory_source_t body;
  std::function<void(const uvsmtp_result_t*)> then;
};

// The letter belongs to the call once that has been accepted, and to its
// completion from there on: each accepted call has exactly one.
int send(uvsmtp_session_t* session, const std::string& from,
         const std::string& to, std::string text,
         std::function<void(const uvsmtp_result_t*)> then) {
  auto letter = std::make_unique<Letter>();
  letter->text = std::move(text);
  letter->then = std::move(then);
  uvsmtp_source_memory(&letter->body, letter->text.data(), letter->text.size());
  uvsmtp_rcpt_t rcpt = UVSMTP_RCPT_INIT(to.c_str());
  const uvsmtp_rcpt_t* rcpts[] = {&rcpt};
  uvsmtp_message_t message = UVSMTP_MESSAGE_INIT;
  message.from = from.c_str();
  message.rcpts = rcpts;
  message.nrcpts = 1;
  message.body = &letter->body.source;
  int err = uvsmtp_send(
      session, &message,
      [](uvsmtp_session_t*, const uvsmtp_result_t* result, void* data) {
        std::unique_ptr<Letter> mine(static_cast<Letter*>(data));
        try {
          mine->then(result);
        } catch (const std::exception& e) {
          std::fprintf(stderr, "in a completion: %s\n", e.what());
        }
      },
      letter.get());
  if (err == 0) letter.release();
  return err;
}
/* end */

/* begin: ends */
// A session is not freed but closed, which takes a turn of the loop. So the
// deleter begins the end, QUIT included, and the loop has to run after it.
struct End {
  void operator()(uvsmtp_session_t* session) const {
    uvsmtp_session_end(session, nullptr, nullptr);
  }
};
using Session = std::unique_ptr<uvsmtp_session_t, End>;
/* end */

int deliver(uvsmtp_env_t* env, char** argv, int* status) {
  uvsmtp_target_t server = UVSMTP_TARGET_INIT;
  uvsmtp_session_t* raw = nullptr;
  int err = uvsmtp_session_new(&raw, env, nullptr);
  if (err != 0) return err;
  Session session(raw);
  server.host = argv[1];
  server.port = std::atoi(argv[2]);
  err = uvsmtp_connect(session.get(), &server, nullptr, nullptr);
  if (err != 0) return err;
  return send(session.get(), argv[3], argv[4],
              "Subject: hello\r\n\r\nSent with uvsmtp.\r\n",
              [status](const uvsmtp_result_t* result) {
                int cause = uvsmtp_result_cause(result);
                *status = uvsmtp_result_status(result);
                std::printf("%s: %s\n",
                            uvsmtp_outcome_name(uvsmtp_result_outcome(result)),
                            uvsmtp_strerror(cause != 0 ? cause : *status));
              });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fputs("usage: embed_cc HOST PORT FROM TO\n", stderr);
    return 64;
  }
  uv_loop_t loop;
  uvsmtp_env_t* env = nullptr;
  int status = 0;
  if (uv_loop_init(&loop) != 0) return 71;
  int err = uvsmtp_env_new(&env, &loop, nullptr);
  if (err == 0) {
    err = deliver(env, argv, &status);
    uv_run(&loop, UV_RUN_DEFAULT);
    uvsmtp_env_close(env, nullptr, nullptr);
    uv_run(&loop, UV_RUN_DEFAULT);
  }
  uv_loop_close(&loop);
  if (err != 0) std::fprintf(stderr, "%s\n", uvsmtp_strerror(err));
  return err == 0 && status == 0 ? 0 : 1;
}
