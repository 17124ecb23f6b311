// link: redact redact_rules model base
// A caller's own redaction rules, and behind the first NUL a text that they are used on: rules that are taken
// work, and what they let out does not depend on how the text was cut.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "casemate/redactor.h"
#include "redact/rules/rule_file.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

std::string InPieces(casemate::Redactor& redactor, std::string_view text, std::size_t step) {
  casemate::RedactedBytes out;
  const auto stream = redactor.Stream("stdout");
  for (; !text.empty(); text.remove_prefix(std::min(step, text.size())))
    stream->Feed(text.substr(0, step), out);
  stream->Finish(out);
  return std::move(out).Take();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view toml = input.substr(0, input.find('\0'));
  const std::string_view text = input.substr(std::min(toml.size() + 1, size));
  if (toml.empty()) return 0;  // no rules of one's own
  const auto file = casemate::ReadRuleFile("own", toml);
  if (!file) Require(!file.error().message.empty());
  const auto redactor = casemate::MakeRedactor({"off", {}, std::string(toml), "own"}, {});
  if (!redactor) {
    Require(!redactor.error().message.empty());
    return 0;
  }
  Require(file.has_value());
  (void)casemate::ReadRuleBlock(casemate::JoinRuleBlocks({file->block, file->block}));
  const std::string whole = InPieces(**redactor, text, text.size() + 1);
  Require((*redactor)->Redactions().empty() ? whole == text : true);
  Require(InPieces(**redactor, text, 1) == whole && InPieces(**redactor, text, 7) == whole);
  return 0;
}
