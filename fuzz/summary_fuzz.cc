// link: surfaces_cli model base
// What people and machines read of a run whose every text is hostile, and of an engine's metrics: no word of
// the program reaches the terminal as a control or begins a line of ours, and the JSON reads back. The first
// byte chooses the status and the terminal; the texts follow, each ended by NUL.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/utf8.h"
#include "model/json.h"
#include "model/result_json.h"
#include "surfaces/cli/summary.h"
#include "surfaces/cli/top_text.h"

namespace {

using casemate::Status;

constexpr std::array kStatuses = {
    Status::kOk,          Status::kError,       Status::kTimeout,       Status::kCpuLimit,
    Status::kMemoryLimit, Status::kOutputLimit, Status::kResultInvalid, Status::kRejected,
    Status::kDenied,      Status::kCancelled,   Status::kUnavailable,   Status::kFailed};

constexpr std::array<std::string_view, 10> kLabels = {"hint",  "denied",  "cut",  "weaker",  "result",
                                                      "wrote", "display", "file", "problem", "casemate:"};

void Require(bool holds) {
  if (!holds) std::abort();
}

// Moves the cursor, breaks the line or reorders text: C0, C1 and Unicode's own controls.
bool IsHarmful(std::uint32_t c) {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x61c || c == 0x200e || c == 0x200f || c == 0xfeff ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

void CheckCharacters(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = casemate::Utf8SequenceLength(text);
    Require(length > 0);
    std::uint32_t c = static_cast<unsigned char>(text[0]) & (length == 1 ? 0x7fU : 0x7fU >> length);
    for (const char byte : text.substr(1, length - 1))
      c = c << 6U | (static_cast<unsigned char>(byte) & 0x3fU);
    Require(c == '\n' || !IsHarmful(c));
    text.remove_prefix(length);
  }
}

std::string Take(std::string_view& input) {
  const std::string text(input.substr(0, input.find('\0')));
  input.remove_prefix(std::min(text.size() + 1, input.size()));
  return text;
}

casemate::ExecutionResult Result(std::uint8_t choice, std::string_view& input) {
  casemate::ExecutionResult result;
  result.status = kStatuses[choice % kStatuses.size()];
  if (choice % 3 == 0) result.signal = choice;
  if (const auto value = casemate::ParseJson(Take(input), {std::size_t{1} << 16U, 32}))
    result.result = *value;
  result.error = casemate::ProgramError{Take(input), Take(input), Take(input), Take(input)};
  result.denials.push_back({Take(input), Take(input), choice, Take(input)});
  result.files.push_back({Take(input), choice, Take(input), choice % 5 == 0});
  result.displays.push_back({{{Take(input), Take(input)}}});
  result.stdout_text = Take(input);
  result.truncated.displays_cut = choice % 7 == 0;
  result.isolation.not_enforced.push_back({"memory", "", "", ""});
  return result;
}

void CheckText(std::string_view text, Status status) {
  CheckCharacters(text);
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    Require(end != std::string_view::npos);
    const std::string_view label = text.substr(0, std::min(text.find(' '), end));
    Require(label == casemate::StatusName(status) || std::ranges::find(kLabels, label) != kLabels.end());
    text.remove_prefix(end + 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  const casemate::ExecutionResult result = Result(data[0], input);
  casemate::WrittenOutput written;
  if (data[0] % 2 == 0) written = {{Take(input)}, {Take(input)}};
  const casemate::Style style{false, std::size_t{data[0]}};
  CheckText(casemate::Summary(result, written, data[0] >= 0x80, style), result.status);
  CheckText(casemate::ErrorLine({casemate::ErrorCode::kInternal, Take(input), {}}, style), result.status);

  constexpr std::int64_t kSecondUs = 1'000'000;
  const casemate::TopSample sample = casemate::ReadMetrics(input, kSecondUs);
  CheckCharacters(casemate::TopText(casemate::ReadMetrics({}, 0), sample, style));

  const std::string shortened = casemate::Shorten(casemate::EscapeForTerminal(result.stdout_text), data[0]);
  Require(casemate::IsValidUtf8(shortened));

  const std::string encoded = casemate::EncodeResult(result);
  const auto read = casemate::ParseJson(encoded, {std::size_t{16} << 20U, 64});
  Require(read && read->text() == encoded);
  return 0;
}
