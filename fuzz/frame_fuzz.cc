// link: runtime model base
//
// The first two bytes choose the total limit and how the stream is cut; the rest is the stream. Whatever the
// cuts, the frames and the error are those of the stream fed at once.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "runtime/frame.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using casemate::Frame;
  using casemate::FrameLimit;
  using casemate::FrameReader;
  using casemate::FrameType;
  constexpr std::array kLimits = {FrameLimit{FrameType::kStarted, 0}, FrameLimit{FrameType::kResult, 64},
                                  FrameLimit{FrameType::kDisplay, 1000}};
  if (size < 2) return 0;
  const std::size_t total_max = std::size_t{data[0]} * 16;
  const std::size_t piece = std::size_t{data[1]} % 17 + 1;
  const std::string_view stream(reinterpret_cast<const char*>(data + 2), size - 2);

  FrameReader whole(kLimits, total_max);
  std::vector<Frame> expected;
  const auto expected_error = whole.Feed(stream, expected);

  FrameReader cut(kLimits, total_max);
  std::vector<Frame> frames;
  for (std::size_t at = 0; at < stream.size(); at += piece) cut.Feed(stream.substr(at, piece), frames);
  const auto error = cut.Finish();
  const auto whole_error = whole.Finish();
  if (frames != expected) std::abort();
  if (error.has_value() != whole_error.has_value()) std::abort();
  if (error && error->kind != whole_error->kind) std::abort();
  if (expected_error && expected_error->kind != whole_error->kind) std::abort();

  std::size_t bytes = 0;
  for (const Frame& frame : frames) {
    const auto limit = std::ranges::find(kLimits, frame.type, &FrameLimit::type);
    if (limit == kLimits.end() || frame.payload.size() > limit->payload_bytes_max) std::abort();
    bytes += frame.payload.size() + 5;
  }
  if (bytes > total_max) std::abort();
  return 0;
}
