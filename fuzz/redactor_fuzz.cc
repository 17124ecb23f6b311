// link: redact model base
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "casemate/redactor.h"

namespace {

constexpr std::string_view kKnown = "Zx9-fT2q/Lm84+RtYw:7";

std::string InPieces(casemate::Redactor& redactor, std::string_view text, std::size_t step) {
  casemate::RedactedBytes out;
  const auto stream = redactor.Stream("stdout");
  std::size_t length = step;
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, length);
    stream->Feed(piece, out);
    text.remove_prefix(piece.size());
    length = length % 61 + step;  // pieces of many lengths
  }
  stream->Finish(out);
  return std::move(out).Take();
}

std::int64_t Found(const casemate::Redactor& redactor) {
  std::int64_t count = 0;
  for (const casemate::Redaction& each : redactor.Redactions()) count += each.count;
  return count;
}

}  // namespace

// A program's output: however it is cut, the same leaves; a known value never does; bytes are lost only where
// something was found.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static const casemate::KnownSecret known{"KNOWN", kKnown};
  static const auto redactor = casemate::MakeRedactor({"all", {}, "", ""}, {&known, 1});
  if (!redactor) std::abort();
  const std::size_t step = data[0] % 16 + 1U;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::int64_t found_before = Found(**redactor);
  const std::string whole = InPieces(**redactor, text, text.size() + 1);
  if (whole.find(kKnown) != std::string::npos) std::abort();
  if (Found(**redactor) == found_before && whole != text) std::abort();
  if (InPieces(**redactor, text, step) != whole) std::abort();
  return 0;
}
