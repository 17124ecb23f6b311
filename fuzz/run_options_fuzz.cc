// link: surfaces_cli surfaces_audit surfaces_http keys log batch audit redact policy_checks policy model base
// A command line, one word a line: what `run` takes runs exactly one thing, under limits that the engine
// takes; the other commands take it or say why not.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "policy/validate.h"
#include "surfaces/audit/audit_options.h"
#include "surfaces/cli/bench_options.h"
#include "surfaces/cli/check_options.h"
#include "surfaces/cli/keys_options.h"
#include "surfaces/cli/run_options.h"
#include "surfaces/cli/serve_options.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

std::vector<std::string> Lines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

void CheckRequest(const casemate::ExecutionRequest& request) {
  for (const auto& [name, value] : request.limits) {
    const casemate::LimitField* field = casemate::FindLimit(name);
    Require(field != nullptr && casemate::ValidateLimit(*field, value));
  }
  for (const auto& [name, value] : request.env) {
    Require(!name.empty() && name.find('=') == std::string::npos);
  }
  for (const casemate::HostMount& mount : request.mounts) {
    Require(mount.host_path.starts_with('/') && mount.inside_path.starts_with('/'));
  }
  Require(!request.workspace || request.workspace->host_path.starts_with('/'));
  Require(request.code_name.find('/') == std::string::npos);
}

template <typename Options>
void CheckAnswer(const casemate::Expected<Options>& options) {
  Require(options.has_value() || !options.error().message.empty());
}

void CheckOtherCommands(const std::vector<std::string>& words, std::string_view text) {
  constexpr std::int64_t kNowUs = 1'700'000'000'000'000;
  CheckAnswer(casemate::ParseBenchOptions(words));
  CheckAnswer(casemate::ParseCheckOptions(words));
  CheckAnswer(casemate::ParseCheckLimit(text));
  CheckAnswer(casemate::ParseKeysOptions(words));
  CheckAnswer(casemate::ParseServeOptions(words));
  CheckAnswer(casemate::ParseAuditOptions(words, kNowUs));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.find('\0') != std::string_view::npos) return -1;  // execve(2) cannot pass it on
  const std::vector<std::string> words = Lines(text);
  CheckOtherCommands(words, text);
  const auto options = casemate::ParseRunOptions(words);
  if (!options) {
    Require(!options.error().message.empty());
    Require(options.error().code == casemate::ErrorCode::kInvalidRequest ||
            options.error().code == casemate::ErrorCode::kNotFound);
    return 0;
  }
  Require(options->help || options->code.has_value() == options->request.command.empty());
  CheckRequest(options->request);
  return 0;
}
