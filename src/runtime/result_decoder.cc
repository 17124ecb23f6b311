#include "runtime/result_decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "model/json.h"
#include "model/json_value.h"

namespace casemate {
namespace {

// The harness cuts each of the four texts of an error to 64 Ki characters; escaped they are at most six bytes
// each.
constexpr std::size_t kErrorBytesMax = 4 * 6 * 65 * 1024;
constexpr std::size_t kInvalidBytesMax = 64 * 1024;
// restricted.py sends 200 at most, each of some short texts.
constexpr std::size_t kFindingsBytesMax = 1024 * 1024;
constexpr std::size_t kRefusalsMax = 200;
constexpr std::size_t kTimingsBytesMax = 4 * 1024;
constexpr std::size_t kTimingsMax = 32;
// One display costs memory beyond its bytes.
constexpr std::size_t kDisplaysMax = 1024;
constexpr std::size_t kFormsMax = 32;
// A note that a display was left out is taken even when no byte is left for displays.
constexpr std::size_t kNoteBytesMax = 256;
constexpr std::size_t kMimeNameMax = 127;  // RFC 6838, section 4.2
constexpr std::string_view kLeftOut = "application/vnd.casemate.left-out";

constexpr std::array<std::string_view, 7> kReasons = {"type", "nan",       "cycle", "depth",
                                                      "size", "surrogate", "key"};

std::size_t Bytes(std::int64_t limit) { return limit < 0 ? 0 : static_cast<std::size_t>(limit); }

std::vector<FrameLimit> FrameLimits(const Limits& limits, std::size_t token_bytes) {
  return {
      {FrameType::kStarted, 0},
      {FrameType::kDisplay, Bytes(limits.displays_bytes_max) + kNoteBytesMax},
      {FrameType::kResult, Bytes(limits.result_bytes_max)},
      {FrameType::kNotSerialisable, kInvalidBytesMax},
      {FrameType::kError, kErrorBytesMax},
      {FrameType::kTimings, kTimingsBytesMax},
      {FrameType::kEnd, 0},
      {FrameType::kRefused, kFindingsBytesMax},
      {FrameType::kPassed, 0},
      {FrameType::kExit, 1 + token_bytes},
  };
}

std::size_t TotalMax(const Limits& limits) {
  constexpr std::size_t kHeaders = 64 * 1024;
  return Bytes(limits.displays_bytes_max) + Bytes(limits.result_bytes_max) + kErrorBytesMax +
         kInvalidBytesMax + kFindingsBytesMax + kTimingsBytesMax + kHeaders;
}

bool IsAlphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// RFC 6838, section 4.2: restricted names on both sides of one slash.
bool IsRestrictedName(std::string_view name) {
  const auto allowed = [](char c) { return IsAlphanumeric(c) || std::string_view("!#$&-^_.+").contains(c); };
  return !name.empty() && IsAlphanumeric(name.front()) && std::ranges::all_of(name, allowed);
}

bool IsMimeName(std::string_view name) {
  const std::size_t slash = name.find('/');
  return name.size() <= kMimeNameMax && slash != std::string_view::npos &&
         IsRestrictedName(name.substr(0, slash)) && IsRestrictedName(name.substr(slash + 1));
}

// A flat JSON object; nullopt for all else.
std::optional<boost::json::object> ParseFlatObject(const std::string& payload) {
  auto value = ParseBoundedValue(payload, {.bytes_max = payload.size(), .depth_max = 1});
  if (!value || !value->is_object()) return std::nullopt;
  return std::move(value->get_object());
}

std::string StringOf(const boost::json::object& object, std::string_view key) {
  const boost::json::string* text = FindString(object, key);
  return text == nullptr ? std::string() : std::string(text->data(), text->size());
}

ResultInvalid NotJson(const JsonError& error) {
  std::string reason = "json";
  if (error.kind == JsonError::Kind::kDepth) reason = "depth";
  if (error.kind == JsonError::Kind::kSize) reason = "size";
  if (error.kind == JsonError::Kind::kDuplicateKey) reason = "key";
  return {.reason = std::move(reason), .message = error.message, .path = "result"};
}

}  // namespace

ResultDecoder::ResultDecoder(const Limits& limits, std::string end_token)
    : limits_(limits),
      end_token_(std::move(end_token)),
      reader_(FrameLimits(limits, end_token_.size()), TotalMax(limits)),
      display_bytes_left_(Bytes(limits.displays_bytes_max)) {}

void ResultDecoder::Feed(std::string_view bytes) {
  if (report_.protocol_error) return;
  std::vector<Frame> frames;
  const std::optional<FrameError> error = reader_.Feed(bytes, frames);
  for (const Frame& frame : frames) {
    if (report_.protocol_error) return;
    Take(frame);
  }
  if (error && !report_.protocol_error) Break(error->message);
}

bool ResultDecoder::Finish() {
  const std::optional<FrameError> error = reader_.Finish();
  return !error && !report_.protocol_error;
}

void ResultDecoder::Break(std::string sentence) { report_.protocol_error = std::move(sentence); }

void ResultDecoder::Take(const Frame& frame) {
  // A result and the reason for its absence exclude each other.
  const FrameType once = frame.type == FrameType::kNotSerialisable ? FrameType::kResult : frame.type;
  if (once != FrameType::kDisplay) {
    if (seen_.contains(static_cast<char>(once))) {
      return Break(
          fmt::format("A second frame '{}' came through the result channel.", static_cast<char>(once)));
    }
    seen_ += static_cast<char>(once);
  }
  if (frame.type != FrameType::kStarted && !report_.started) {
    return Break("The result channel does not begin with the program's start.");
  }
  switch (frame.type) {
    case FrameType::kStarted:
      report_.started = true;
      return;
    case FrameType::kEnd:
      report_.ended = true;
      return;
    case FrameType::kExit:
      return TakeExit(frame.payload);
    case FrameType::kPassed:
      return;
    case FrameType::kRefused:
      return TakeRefused(frame.payload);
    case FrameType::kDisplay:
      return TakeDisplay(frame.payload);
    case FrameType::kResult:
      return TakeResult(frame.payload);
    case FrameType::kNotSerialisable:
      return TakeInvalid(frame.payload);
    case FrameType::kError:
      return TakeError(frame.payload);
    case FrameType::kTimings:
      return TakeTimings(frame.payload);
    case FrameType::kOptions:
    case FrameType::kCode:
    case FrameType::kInput:
    case FrameType::kGo:
    case FrameType::kCellLimits:
    case FrameType::kCellSettings:
    case FrameType::kBranch:
    case FrameType::kZygoteReport:
      break;  // the reader's limits let none of them through
  }
  Break("A frame that is not of a result came through the result channel.");
}

// The one claim that is acted upon: it ends the program, which gives it no more than exit(2) would.
void ResultDecoder::TakeExit(const std::string& payload) {
  const bool whole =
      payload.size() == 1 + end_token_.size() && std::string_view(payload).substr(1) == end_token_;
  if (!whole || !report_.ended) return Break("The program's end was told in a way that no harness does.");
  report_.exit_code = static_cast<unsigned char>(payload.front());
}

// Only before the program has passed: all that comes later may be its own.
void ResultDecoder::TakeRefused(const std::string& payload) {
  auto value = ParseBoundedValue(payload, {.bytes_max = payload.size(), .depth_max = 2});
  if (seen_.contains(static_cast<char>(FrameType::kPassed)) || !value || !value->is_array() ||
      value->get_array().empty() || value->get_array().size() > kRefusalsMax) {
    return Break("The program's refusal was told in a way that no harness does.");
  }
  for (const auto& element : value->get_array()) {
    if (!element.is_object()) return Break("The program's refusal could not be read.");
    const boost::json::object& object = element.get_object();
    Finding& finding = report_.refusals.emplace_back();
    finding.rule = StringOf(object, "rule");
    finding.line = FindInt(object, "line").value_or(0);
    finding.column = FindInt(object, "column").value_or(0);
    finding.snippet = StringOf(object, "snippet");
    finding.reason = StringOf(object, "reason");
    finding.remedy = StringOf(object, "remedy");
  }
}

void ResultDecoder::TakeDisplay(const std::string& payload) {
  const auto object = ParseFlatObject(payload);
  const bool is_note = object && object->size() == 1 && object->contains(boost::json::string_view(kLeftOut));
  const bool fits = payload.size() <= display_bytes_left_;
  if (!object || is_note || !fits || object->size() > kFormsMax || report_.displays.size() >= kDisplaysMax) {
    report_.displays_truncated = true;
    return;
  }
  display_bytes_left_ -= payload.size();
  Display display;
  for (const auto& [key, value] : *object) {
    const std::string name(key.data(), key.size());
    if (name == kLeftOut || !value.is_string() || !IsMimeName(name)) {
      report_.displays_truncated = true;
      continue;
    }
    display.data.emplace(name, StringOf(*object, name));
  }
  if (!display.data.empty()) report_.displays.push_back(std::move(display));
}

void ResultDecoder::TakeResult(const std::string& payload) {
  auto text = ParseJson(
      payload, {.bytes_max = Bytes(limits_.result_bytes_max), .depth_max = Bytes(limits_.result_depth_max)});
  if (text) {
    report_.result = std::move(*text);
  } else {
    report_.result_invalid = NotJson(text.error());
  }
}

void ResultDecoder::TakeInvalid(const std::string& payload) {
  const auto object = ParseFlatObject(payload);
  if (!object) return Break("The reason for a missing result could not be read.");
  ResultInvalid invalid{StringOf(*object, "reason"), StringOf(*object, "message"), StringOf(*object, "path")};
  if (std::ranges::find(kReasons, invalid.reason) == kReasons.end()) invalid.reason = "type";
  report_.result_invalid = std::move(invalid);
}

void ResultDecoder::TakeError(const std::string& payload) {
  const auto object = ParseFlatObject(payload);
  if (!object) return Break("The program's error could not be read.");
  ProgramFailure failure;
  failure.error.type = StringOf(*object, "type");
  failure.error.message = StringOf(*object, "message");
  failure.error.traceback = StringOf(*object, "traceback");
  failure.errno_value = FindInt(*object, "errno");
  if (FindString(*object, "filename") != nullptr) failure.filename = StringOf(*object, "filename");
  report_.failure = std::move(failure);
}

void ResultDecoder::TakeTimings(const std::string& payload) {
  const auto object = ParseFlatObject(payload);
  if (!object || object->size() > kTimingsMax) return Break("The harness' timings could not be read.");
  for (const auto& [key, value] : *object) {
    if (!value.is_int64() || value.get_int64() < 0) continue;
    report_.timings.push_back({std::string(key.data(), key.size()), value.get_int64()});
  }
}

}  // namespace casemate
