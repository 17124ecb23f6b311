#pragma once

#include <pthread.h>

#include <csignal>
#include <ctime>

namespace casemate {

// While it lives, a pipe whose reader is gone is an error of write(2) to this thread (EPIPE), and no signal.
class QuietPipes {
 public:
  QuietPipes() {
    sigemptyset(&pipe_only_);
    sigaddset(&pipe_only_, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only_, &before_);
  }
  ~QuietPipes() {
    const timespec none{};
    while (sigtimedwait(&pipe_only_, nullptr, &none) > 0) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  QuietPipes(const QuietPipes&) = delete;
  QuietPipes& operator=(const QuietPipes&) = delete;

 private:
  sigset_t pipe_only_{};
  sigset_t before_{};
};

}  // namespace casemate
