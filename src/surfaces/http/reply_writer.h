#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "surfaces/http/handler.h"

namespace casemate::http {

// Writes one response to a blocking stream socket. After a failed write all else is dropped; the connection
// is then of no more use.
class ReplyWriter : public Reply {
 public:
  struct Options {
    bool keep_alive = true;
    bool chunked = true;     // false for HTTP/1.0, whose streams end with the connection
    bool head_only = false;  // HEAD: the fields of the answer without its body
    std::int64_t write_ms = 30'000;
  };
  // `fd` is not owned.
  ReplyWriter(int fd, const Options& options) : fd_(fd), options_(options) {}

  void Send(const Answer& answer) override;
  void BeginStream(std::string_view content_type) override;
  void Write(std::string_view bytes, bool flush) override;
  void EndStream() override;
  int hang_up_fd() const override { return fd_; }

  // Whether the connection can carry another request.
  bool reusable() const { return options_.keep_alive && !broken_ && done_; }

 private:
  void FlushWhatFits();
  void SendAll(std::string_view head, std::string_view body);

  int fd_;
  Options options_;
  std::string pending_;  // of a stream; bounded by what the run may write
  bool stalled_ = false;
  bool broken_ = false;
  bool done_ = false;
};

}  // namespace casemate::http
