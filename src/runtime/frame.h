#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace casemate {

// The protocol between the engine and the harness: a type byte, a little-endian 32-bit payload length, the
// payload. What travels in which direction, and when, is told in runtime/python/harness.py.
enum class FrameType : char {
  kOptions = 'o',
  kCode = 'c',
  kInput = 'i',
  kGo = 'g',
  kCellLimits = 'r',    // to a warm cell, before the request
  kCellSettings = 'l',  // to one whose program differs in more than its limits
  kBranch = 'b',        // to a session: how many branches of it there are to be
  kStarted = 'S',
  kDisplay = 'D',
  kResult = 'R',
  kNotSerialisable = 'X',
  kError = 'E',
  kTimings = 'T',
  kEnd = 'Z',
  kRefused = 'K',       // the findings for which a restricted program is refused; it has not run
  kPassed = 'P',        // a restricted program has passed its check, and runs from here on
  kExit = 'Q',          // the program has ended with this code, and may be killed
  kZygoteReport = 'Y',  // of a zygote, once
};

struct Frame {
  FrameType type;
  std::string payload;
  friend bool operator==(const Frame&, const Frame&) = default;
};

// Payloads are at most 4 GiB - 1 (the caller's limits are far below).
std::string EncodeFrame(FrameType type, std::string_view payload);

// A type that a reader takes, and its longest payload.
struct FrameLimit {
  FrameType type;
  std::size_t payload_bytes_max;
};

struct FrameError {
  enum class Kind {
    kUnknownType,  // a type that is not among the limits
    kTooLarge,     // one payload over its type's limit
    kTooMuch,      // all frames together over the total
    kCutShort,     // the stream ended inside a frame
  };
  Kind kind;
  std::string message;  // one sentence
};

// Splits a stream of hostile bytes into frames. Holds at most one payload of its type's limit. Not
// thread-safe.
class FrameReader {
 public:
  FrameReader(std::span<const FrameLimit> limits, std::size_t total_bytes_max);

  // Appends the frames that `bytes` completes. After an error nothing more is read, and each call returns
  // the same error; frames before it have been delivered.
  std::optional<FrameError> Feed(std::string_view bytes, std::vector<Frame>& frames);

  // To be called at the end of the stream.
  std::optional<FrameError> Finish();

 private:
  static constexpr std::size_t kHeaderBytes = 5;

  std::optional<FrameError> ReadHeader();

  std::vector<FrameLimit> limits_;
  std::size_t total_left_;
  std::string header_;  // until it is complete
  bool in_payload_ = false;
  Frame current_{FrameType::kEnd, {}};
  std::size_t payload_left_ = 0;
  std::optional<FrameError> error_;
};

}  // namespace casemate
