#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "surfaces/http/exchange.h"
#include "surfaces/http/feed.h"
#include "surfaces/http/wire.h"

namespace casemate::http {

// Writes one response to a wire. After a failed write all else is dropped; the connection is then of no more
// use.
class ReplyWriter : public Reply {
 public:
  struct Options {
    bool keep_alive = true;
    bool chunked = true;     // false for HTTP/1.0, whose streams end with the connection
    bool head_only = false;  // HEAD: the fields of the answer without its body
    std::int64_t write_ms = 30'000;
  };
  // Both must outlive it; `unread` is what TakeOver() hands on.
  ReplyWriter(Wire& wire, ReadBuffer& unread, const Options& options)
      : wire_(wire), unread_(unread), options_(options) {}

  void Send(const Answer& answer) override;
  void BeginStream(std::string_view content_type) override;
  void Write(std::string_view bytes, bool flush) override;
  bool WriteAndWait(std::string_view bytes) override;
  void EndStream() override;
  void Break() override { broken_ = true; }
  int hang_up_fd() const override { return wire_.fd(); }
  void AddField(std::string_view name, std::string_view value) override;
  void CloseAfter() override { options_.keep_alive = false; }
  Raw TakeOver() override;

  // Whether the connection can carry another request.
  bool reusable() const { return options_.keep_alive && !broken_ && done_; }

 private:
  void FlushWhatFits();
  void SendAll(std::string_view head, std::string_view body);

  Wire& wire_;
  ReadBuffer& unread_;
  Options options_;
  std::string fields_;
  std::string pending_;  // of a stream; bounded by what the run may write
  bool stalled_ = false;
  bool broken_ = false;
  bool done_ = false;
};

}  // namespace casemate::http
