#include "surfaces/cli/check_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "policy/checks/measure_complexity.h"
#include "policy/nearest.h"

namespace casemate {
namespace {

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

struct CheckFlag {
  std::string_view name;
  std::string_view argument;  // "" when it takes none
  std::string_view help;
};
constexpr std::array kFlags = {
    CheckFlag{"--allow-package", "NAME", "a module that may be imported although the rules forbid it"},
    CheckFlag{"--check-limit", "NAME=COUNT", "report a program that has more; the names are below"},
    CheckFlag{"--json", "", "one JSON object with the findings and the complexity of each file"},
    CheckFlag{"--sarif", "", "a SARIF 2.1.0 log, for code hosts and editors"},
    CheckFlag{"--no-color", "", "no colours, as with NO_COLOR set"},
    CheckFlag{"--help", "", "this text"},
};

Expected<void> Apply(std::string_view flag, std::string_view value, CheckOptions& options) {
  if (flag == "--allow-package") {
    options.policy.allowed_packages.emplace_back(value);
  } else if (flag == "--check-limit") {
    auto limit = ParseCheckLimit(value);
    if (!limit) return std::unexpected(limit.error());
    options.policy.complexity.insert_or_assign(std::move(limit->first), limit->second);
  } else if (flag == "--no-color") {
    options.color = false;
  } else if (flag == "--help") {
    options.help = true;
  } else {
    const auto format = flag == "--json" ? CheckOptions::Format::kJson : CheckOptions::Format::kSarif;
    if (options.format != CheckOptions::Format::kText && options.format != format) {
      return Refuse("--json and --sarif are two forms of one answer: leave one of them out");
    }
    options.format = format;
  }
  return {};
}

std::unexpected<Error> UnknownFlag(std::string_view name) {
  std::vector<std::string_view> known;
  for (const CheckFlag& flag : kFlags) known.push_back(flag.name);
  return Refuse(fmt::format("casemate check has no flag \"{}\"{}", name, SuggestName(name, known)));
}

}  // namespace

Expected<CheckOptions> ParseCheckOptions(const std::vector<std::string>& words) {
  CheckOptions options;
  bool flags_over = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (flags_over || word == "-" || !word.starts_with('-')) {
      if (word.empty()) return Refuse("a file's name is empty");
      options.files.emplace_back(word);
      continue;
    }
    if (word == "--") {
      flags_over = true;
      continue;
    }
    const std::size_t equals = word.find('=');
    const std::string_view name = word == "-h" ? "--help" : word.substr(0, equals);
    const auto* flag = std::ranges::find(kFlags, name, &CheckFlag::name);
    if (flag == kFlags.end()) return UnknownFlag(name);
    const bool takes = !flag->argument.empty();
    if (!takes && equals != std::string_view::npos) return Refuse(fmt::format("{} takes no value", name));
    if (takes && equals == std::string_view::npos && i + 1 == words.size()) {
      return Refuse(fmt::format("{} needs a value: write {} {}", name, name, flag->argument));
    }
    const std::string_view value = !takes                             ? std::string_view()
                                   : equals == std::string_view::npos ? words[++i]
                                                                      : word.substr(equals + 1);
    if (auto applied = Apply(name, value, options); !applied) return std::unexpected(applied.error());
  }
  if (options.help) return options;
  if (options.files.empty()) {
    return Fail(ErrorCode::kNotFound, "there is nothing to check: name Python files, or \"-\" for stdin");
  }
  if (std::ranges::count(options.files, "-") > 1) return Refuse("stdin can be checked once only");
  return options;
}

Expected<std::pair<std::string, std::int64_t>> ParseCheckLimit(std::string_view text) {
  const std::size_t equals = text.find('=');
  std::int64_t most = 0;
  const std::string_view digits = equals == std::string_view::npos ? "" : text.substr(equals + 1);
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), most);
  if (digits.empty() || read.ec != std::errc() || read.ptr != digits.data() + digits.size() || most < 0) {
    return Refuse(fmt::format("\"{}\" is no limit: write NAME=COUNT, for instance loops=5", text));
  }
  return std::pair(std::string(text.substr(0, equals)), most);
}

std::string CheckHelp() {
  std::string text =
      "Usage: casemate check [FLAGS] FILE|-...\n\n"
      "Reads Python files and says, without running them, what \"casemate run --checks checked\" would "
      "refuse.\n"
      "It is a filter for mistakes and no boundary: what gets past it is held by the sandbox.\n\n"
      "Flags:\n";
  for (const CheckFlag& flag : kFlags) {
    text += fmt::format("  {:<28}  {}\n", fmt::format("{} {}", flag.name, flag.argument), flag.help);
  }
  text += "\nLimits:";
  for (const ComplexityField& field : kComplexityFields) text += fmt::format(" {}", field.name);
  return text +
         "\n\nExit codes: 0 nothing is refused, 1 something is, 125 a file cannot be read, 126 the command "
         "line "
         "is wrong,\n127 no file is named or one is not there.\n";
}

}  // namespace casemate
