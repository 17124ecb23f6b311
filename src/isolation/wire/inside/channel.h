#pragma once

#include <string>
#include <string_view>

#include "isolation/wire/wire.h"

namespace casemate {

// The attendant's end of the wire: its own stdin and stdout. When the engine is gone, so is the attendant,
// and with it the container.
class WireChannel {
 public:
  struct Frame {
    Wire kind = Wire::kReady;
    std::string payload;
  };

  // Blocks until all is written.
  static void Send(Wire kind, std::string_view payload = {});
  [[noreturn]] static void Fail(int err, std::string_view what);

  // Reads once what has come; blocks when nothing has.
  void Fill();
  // A whole frame that has come, if any.
  bool Next(Frame& frame);
  Frame Wait() {
    Frame frame;
    while (!Next(frame)) Fill();
    return frame;
  }

 private:
  std::string buffer_;
  std::size_t begin_ = 0;
};

}  // namespace casemate
