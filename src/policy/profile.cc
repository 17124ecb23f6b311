#include "policy/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_HEADER_ONLY 1
// toml++ 3.3 asserts that some malformed texts ("[(") cannot be, and behind the assertion reports them.
#define TOML_ASSERT(expr) static_assert(true)
#include <toml++/toml.h>

#include "policy/age.h"
#include "policy/nearest.h"
#include "policy/resolver.h"
#include "policy/units.h"
#include "policy/validate.h"

namespace casemate {
namespace {

// More than any profile needs; a bound on what the TOML reader is given.
constexpr std::size_t kProfileBytesMax = 256 * 1024;

constexpr std::array<std::string_view, 9> kProfileKeys = {
    "allowed_packages", "audit_keep", "checks",  "complexity",    "description",
    "keep_program",     "limits",     "network", "require_limits"};
constexpr std::array<std::string_view, 2> kLimitKeys = {"value", "reason"};

// Makes errors that say where in which profile.
class Reporter {
 public:
  explicit Reporter(std::string_view profile) : profile_(profile) {}

  std::unexpected<Error> Refuse(const toml::source_region& where, std::string_view what) const {
    return Fail(ErrorCode::kInvalidRequest, fmt::format("Profile \"{}\", line {}, column {}: {}", profile_,
                                                        where.begin.line, where.begin.column, what));
  }
  std::unexpected<Error> UnknownKey(const toml::key& key, std::span<const std::string_view> known) const {
    return Refuse(key.source(),
                  fmt::format("there is no key \"{}\" here{}", key.str(), SuggestName(key.str(), known)));
  }
  // `error` of something that does not know about places.
  std::unexpected<Error> Place(const toml::source_region& where, const Error& error) const {
    return Refuse(where, error.message);
  }

 private:
  std::string_view profile_;
};

Expected<double> ToDouble(const Expected<std::int64_t>& value) {
  if (!value) return std::unexpected(value.error());
  return static_cast<double>(*value);
}

Expected<double> ParseLimitText(const LimitField& field, std::string_view text) {
  switch (field.unit) {
    case LimitUnit::kBytes:
      return ToDouble(ParseBytes(text));
    case LimitUnit::kMilliseconds:
      return ToDouble(ParseDurationMs(text));
    case LimitUnit::kCpus:
      return ParseCpus(text);
    case LimitUnit::kCount:
      break;
  }
  return Fail(ErrorCode::kInvalidRequest,
              fmt::format("{} is a count; write it as a plain number.", field.name));
}

Expected<double> ReadLimit(const Reporter& report, const LimitField& field, const toml::node& node) {
  if (const auto* table = node.as_table()) {
    for (const auto& [key, unused] : *table) {
      if (key != "value" && key != "reason") return report.UnknownKey(key, kLimitKeys);
    }
    const toml::node* value = table->get("value");
    if (value == nullptr || value->is_table()) {
      return report.Refuse(
          node.source(),
          fmt::format("{} has no value; write {{ value = ..., reason = \"...\" }}.", field.name));
    }
    const toml::node* reason = table->get("reason");
    if (reason != nullptr && !reason->is_string()) {
      return report.Refuse(reason->source(), "a reason is a string; put it in quotes.");
    }
    return ReadLimit(report, field, *value);
  }
  if (const auto* integer = node.as_integer()) return static_cast<double>(integer->get());
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* text = node.as_string()) {
    auto parsed = ParseLimitText(field, text->get());
    if (!parsed) return report.Place(node.source(), parsed.error());
    return parsed;
  }
  return report.Refuse(node.source(),
                       fmt::format("{} must be a number or a string with a unit.", field.name));
}

Expected<Limits> ReadLimits(const Reporter& report, const toml::node& node) {
  const auto* table = node.as_table();
  if (table == nullptr) return report.Refuse(node.source(), "limits must be a table; write [limits].");
  Limits limits;
  for (const auto& [key, value] : *table) {
    const LimitField* field = FindLimit(key.str());
    if (field == nullptr) {
      return report.Refuse(
          key.source(), fmt::format("there is no limit named \"{}\"{}", key.str(), SuggestLimit(key.str())));
    }
    const auto number = ReadLimit(report, *field, value);
    if (!number) return std::unexpected(number.error());
    if (const auto valid = ValidateLimit(*field, *number); !valid) {
      return report.Place(value.source(), valid.error());
    }
    SetLimit(limits, *field, *number);
  }
  return limits;
}

Expected<void> ReadChecks(const Reporter& report, std::string_view key, const toml::node& node,
                          ChecksPolicy& checks) {
  if (key == "checks") {
    const auto* name = node.as_string();
    const auto mode = name != nullptr ? ParseChecksMode(name->get()) : std::nullopt;
    if (!mode) return report.Refuse(node.source(), "checks must be \"open\", \"checked\" or \"restricted\".");
    checks.mode = *mode;
    return {};
  }
  if (key == "allowed_packages") {
    const auto* list = node.as_array();
    if (list == nullptr || !(list->empty() || list->is_homogeneous<std::string>()))
      return report.Refuse(node.source(), "allowed_packages must be a list of strings.");
    for (const toml::node& name : *list) checks.allowed_packages.push_back(name.as_string()->get());
    return {};
  }
  const auto* table = node.as_table();
  if (table == nullptr)
    return report.Refuse(node.source(), "complexity must be a table; write [complexity].");
  for (const auto& [name, value] : *table) {
    const auto* most = value.as_integer();
    if (most == nullptr || most->get() < 0)
      return report.Refuse(value.source(), "a limit of complexity is a whole number from 0.");
    checks.complexity[std::string(name.str())] = most->get();
  }
  return {};
}

}  // namespace

namespace {

// toml++ 3.3 has undefined behaviour on some characters outside ASCII between values.
Expected<void> RefuseNonAscii(std::string_view name, std::string_view text) {
  const auto* at =
      std::find_if(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
  if (at == text.end()) return {};
  return Fail(
      ErrorCode::kInvalidRequest,
      fmt::format("Profile \"{}\", line {}: a profile is ASCII text; write other characters as \\uXXXX in a "
                  "string, and none in comments.",
                  name, 1 + std::count(text.begin(), at, '\n')));
}

}  // namespace

Expected<Policy> ParseProfile(std::string_view name, std::string_view toml_text) {
  const Reporter report(name);
  if (toml_text.size() > kProfileBytesMax) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("Profile \"{}\" has {} bytes; a profile has at most {}.", name, toml_text.size(),
                            kProfileBytesMax));
  }
  if (auto ascii = RefuseNonAscii(name, toml_text); !ascii) return std::unexpected(std::move(ascii.error()));
  const toml::parse_result parsed = toml::parse(toml_text);
  if (!parsed) {
    return report.Refuse(parsed.error().source(),
                         fmt::format("the text is not TOML: {}.", parsed.error().description()));
  }
  Policy policy;
  policy.name = name;
  for (const auto& [key, node] : parsed.table()) {
    if (key == "description") {
      if (!node.is_string())
        return report.Refuse(node.source(), "description must be a string; put it in quotes.");
    } else if (key == "require_limits") {
      const auto* flag = node.as_boolean();
      if (flag == nullptr) return report.Refuse(node.source(), "require_limits must be true or false.");
      policy.require_limits = flag->get();
    } else if (key == "keep_program") {
      const auto* flag = node.as_boolean();
      if (flag == nullptr) return report.Refuse(node.source(), "keep_program must be true or false.");
    } else if (key == "audit_keep") {
      const auto* text = node.as_string();
      const auto age = text != nullptr ? ParseAgeUs(text->get()) : Expected<std::int64_t>(0);
      if (text == nullptr)
        return report.Refuse(node.source(), "audit_keep must be a string such as \"90d\".");
      if (!age) return report.Place(node.source(), age.error());
    } else if (key == "network") {
      const auto* text = node.as_string();
      if (text == nullptr) return report.Refuse(node.source(), "network must be a string; put it in quotes.");
      auto network = ParseNetworkText(text->get());
      if (!network) return report.Place(node.source(), network.error());
      policy.network = *std::move(network);
    } else if (key == "limits") {
      auto limits = ReadLimits(report, node);
      if (!limits) return std::unexpected(std::move(limits.error()));
      policy.limits = *limits;
    } else if (key == "checks" || key == "allowed_packages" || key == "complexity") {
      auto read = ReadChecks(report, key.str(), node, policy.checks);
      if (!read) return std::unexpected(std::move(read.error()));
    } else {
      return report.UnknownKey(key, kProfileKeys);
    }
  }
  return policy;
}

bool KeepsProgram(std::string_view profile) {
  // The usual run parses nothing.
  if (profile == "default") return false;
  const toml::parse_result parsed = toml::parse(PolicyResolver::ProfileText(profile));
  return parsed && parsed.table()["keep_program"].value_or(false);
}

std::optional<std::int64_t> AuditKeepUs(std::string_view profile) {
  if (profile == "default") return std::nullopt;
  const toml::parse_result parsed = toml::parse(PolicyResolver::ProfileText(profile));
  const auto text = parsed ? parsed.table()["audit_keep"].value<std::string_view>() : std::nullopt;
  const auto age = text ? ParseAgeUs(*text) : Fail(ErrorCode::kNotFound, "");
  return age ? std::optional(*age) : std::nullopt;
}

}  // namespace casemate
