#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "isolation/wire/wire.h"

namespace casemate {

struct WireFrame {
  Wire kind = Wire::kReady;
  std::string payload;
};

std::string EncodeWire(Wire kind, std::string_view payload = {});

// Whether the attendant's frames come inside of Docker's own, or as they are.
enum class Layers { kDocker, kBare };

// Takes the two layers apart that an attached stream has: Docker's own (stream number, big-endian length; the
// engine's API, "Attach to a container"), and the attendant's frames in its stdout. Any bytes are safe: what
// is neither is told once and ends the reading. Not thread-safe.
class WireReader {
 public:
  explicit WireReader(Layers layers = Layers::kDocker) : layers_(layers) {}

  // Appends the frames that `bytes` completes. False from the first byte that fits neither layer.
  bool Feed(std::string_view bytes, std::vector<WireFrame>& frames);
  // The first kilobyte of the container's stderr: what stops the attendant before it can speak.
  const std::string& complaint() const { return complaint_; }

 private:
  bool TakeFrames(std::vector<WireFrame>& frames);

  Layers layers_;
  std::string header_;
  std::size_t left_ = 0;  // of the piece that header_ began
  bool in_stderr_ = false;
  bool broken_ = false;
  std::string wire_;
  std::string complaint_;
};

}  // namespace casemate
