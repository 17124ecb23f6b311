// link: runtime model base
//
// The input is a list of frames in a form that mutates well (type byte, length byte, payload), or, when it
// begins with 0, the raw stream. What comes out is within the limits and of valid UTF-8.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/utf8.h"
#include "model/json.h"
#include "runtime/frame.h"
#include "runtime/result_decoder.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

std::string Stream(std::string_view input) {
  if (!input.empty() && input.front() == '\0') return std::string(input.substr(1));
  std::string stream = casemate::EncodeFrame(casemate::FrameType::kStarted, {});
  while (input.size() >= 2) {
    const auto type = static_cast<casemate::FrameType>(input[0]);
    const std::size_t size = static_cast<unsigned char>(input[1]);
    stream += casemate::EncodeFrame(type, input.substr(2, size));
    input.remove_prefix(std::min(input.size(), size + 2));
  }
  return stream;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  casemate::Limits limits;
  limits.result_bytes_max = 200;
  limits.result_depth_max = 8;
  limits.displays_bytes_max = 500;
  casemate::ResultDecoder decoder(limits);
  decoder.Feed(Stream({reinterpret_cast<const char*>(data), size}));
  const bool whole = decoder.Finish();
  const casemate::HarnessReport report = decoder.TakeReport();
  Require(!whole || !report.protocol_error);
  Require(!(report.result && report.result_invalid));
  if (report.result) {
    Require(report.result->text().size() <= 200);
    const auto again = casemate::ParseJson(report.result->text(), {.bytes_max = 200, .depth_max = 8});
    Require(again && *again == *report.result);
  }
  std::size_t bytes = 0;
  for (const casemate::Display& display : report.displays) {
    Require(!display.data.empty());
    for (const auto& [mime, text] : display.data) {
      Require(mime.size() <= 127 && casemate::IsValidUtf8(text));
      bytes += text.size();
    }
  }
  Require(bytes <= 500);
  if (report.failure) Require(casemate::IsValidUtf8(report.failure->error.message));
  for (const casemate::Timing& timing : report.timings) Require(timing.microseconds >= 0);
  return 0;
}
