// link: model base
// ParseJson on hostile bytes: whatever it takes is in its own compact form afterwards, and small values
// survive being embedded in a result.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/utf8.h"
#include "model/json.h"
#include "model/json_tape.h"
#include "model/json_value.h"
#include "model/result_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string replaced = casemate::ReplaceInvalidUtf8(text);
  if (!casemate::IsValidUtf8(replaced) || casemate::IsValidUtf8(text) != (replaced == text)) std::abort();
  constexpr casemate::JsonLimits kLimits{std::size_t{1} << 20, 32};
  const auto parsed = casemate::ParseJson(text, kLimits);
  const auto value = casemate::ParseBoundedValue(text, kLimits);
  if (parsed.has_value() != value.has_value()) std::abort();
  if (!parsed) {
    if (parsed.error().message.empty() || parsed.error().offset > size) std::abort();
    if (!casemate::IsValidUtf8(parsed.error().message)) std::abort();
    return 0;
  }
  if (parsed->text().size() > size || !casemate::IsValidUtf8(parsed->text())) std::abort();
  const auto again = casemate::ParseJson(parsed->text(), kLimits);
  if (!again || *again != *parsed) std::abort();

  const casemate::JsonTape tape(*parsed);
  if (tape.End(casemate::JsonTape::kRoot) == 0) std::abort();
  if (tape.NormalForm(casemate::JsonTape::kRoot).empty()) std::abort();

  casemate::ExecutionResult result;
  result.result = *parsed;
  result.stdout_text = text;
  const std::string encoded = casemate::EncodeResult(result);
  const auto read = casemate::ParseJson(encoded, {std::size_t{16} << 20, 64});
  if (!read || read->text() != encoded) std::abort();
  return 0;
}
