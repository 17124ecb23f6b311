#include "environments/build/rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "environments/requirements.h"

namespace casemate {
namespace {

bool Matches(std::string_view pattern, std::string_view name) {
  if (pattern.ends_with('*')) return name.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern == name;
}

std::string_view TakeWord(std::string_view& line) {
  const std::size_t start = std::min(line.find_first_not_of(" \t\r"), line.size());
  line.remove_prefix(start);
  const std::size_t end = std::min(line.find_first_of(" \t\r"), line.size());
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(end);
  return word;
}

}  // namespace

Expected<PackageRules> PackageRules::Parse(std::string_view text, std::string_view name) {
  PackageRules rules;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t newline = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(std::min(newline + 1, text.size()));
    line = line.substr(0, line.find('#'));
    const std::string_view verb = TakeWord(line);
    if (verb.empty()) continue;
    const std::string_view pattern = TakeWord(line);
    if (pattern.empty() || !TakeWord(line).empty() || (verb != "allow" && verb != "deny")) {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("{}:{} is no rule: write allow NAME or deny NAME", name, number));
    }
    verb == "allow" ? rules.Allow(pattern) : rules.Deny(pattern);
  }
  return rules;
}

void PackageRules::Allow(std::string_view pattern) { allowed_.push_back(NormalizedName(pattern)); }
void PackageRules::Deny(std::string_view pattern) { denied_.push_back(NormalizedName(pattern)); }

Expected<void> PackageRules::Check(std::string_view package) const {
  const auto matches = [package](const std::string& pattern) { return Matches(pattern, package); };
  if (const auto denied = std::ranges::find_if(denied_, matches); denied != denied_.end()) {
    return Fail(
        ErrorCode::kInvalidRequest,
        fmt::format("the package {} is denied here, by the rule \"deny {}\": leave it out, or ask whoever "
                    "keeps the rules",
                    package, *denied));
  }
  if (!allowed_.empty() && std::ranges::none_of(allowed_, matches)) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("the package {} is not among those that are allowed here: leave it out, or ask "
                            "whoever keeps the rules for \"allow {}\"",
                            package, package));
  }
  return {};
}

}  // namespace casemate
