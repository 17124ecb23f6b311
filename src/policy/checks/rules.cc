#include "policy/checks/rules.h"

#include <algorithm>
#include <functional>

namespace casemate {
namespace {

std::span<const RuleName> NamesOf(std::string_view kind) {
  const auto rules = CheckRules();
  const auto index = static_cast<int>(&RuleOfKind(kind) - rules.data());
  const auto range = std::ranges::equal_range(RuleNames(), index, {}, &RuleName::rule);
  return {range.begin(), range.end()};
}

const RuleName* FindExact(std::span<const RuleName> names, std::string_view name) {
  const auto found = std::ranges::lower_bound(names, name, {}, &RuleName::name);
  return found != names.end() && found->name == name ? &*found : nullptr;
}

struct Decoded {
  std::uint32_t code_point;
  std::size_t bytes;
};

// `text` is valid UTF-8 and not empty.
Decoded DecodeFirst(std::string_view text) {
  const auto byte = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  if (byte(0) < 0x80 || text.size() < 2) return {byte(0), 1};
  const std::size_t bytes = byte(0) >= 0xF0 ? 4 : byte(0) >= 0xE0 ? 3 : 2;
  if (text.size() < bytes) return {0xFFFD, text.size()};
  std::uint32_t point = byte(0) & (0xFFU >> (bytes + 1));
  for (std::size_t at = 1; at < bytes; ++at) point = point << 6 | (byte(at) & 0x3FU);
  return {point, bytes};
}

}  // namespace

const CheckRule& RuleOfKind(std::string_view kind) {
  return *std::ranges::find(CheckRules(), kind, &CheckRule::kind);
}

const RuleName* FindModule(std::string_view dotted) {
  static const auto names = NamesOf("module");
  for (std::size_t dot = dotted.find('.');; dot = dotted.find('.', dot + 1)) {
    if (const RuleName* found = FindExact(names, dotted.substr(0, dot))) return found;
    if (dot == std::string_view::npos) return nullptr;
  }
}

const RuleName* FindCallable(std::string_view dotted) {
  static const auto names = NamesOf("callable");
  const auto matches = [dotted](const RuleName& row) {
    return row.name.ends_with('*') ? dotted.starts_with(row.name.substr(0, row.name.size() - 1))
                                   : dotted == row.name;
  };
  const auto found = std::ranges::find_if(names, matches);
  return found == names.end() ? nullptr : &*found;
}

const RuleName* FindAttribute(std::string_view name) {
  static const auto names = NamesOf("attribute");
  return FindExact(names, name);
}

const RuleName* FindAssembled(std::string_view name) {
  static const auto names = NamesOf("assembled-name");
  return FindExact(names, name);
}

bool IsForbiddenDunder(std::string_view name) {
  return name.size() > 4 && name.starts_with("__") && name.ends_with("__") &&
         !std::ranges::binary_search(AllowedDunders(), name);
}

bool LeadsToCallable(std::string_view dotted) {
  static const auto names = NamesOf("callable");
  return std::ranges::any_of(names, [dotted](const RuleName& row) {
    return row.name.size() > dotted.size() && row.name.starts_with(dotted) && row.name[dotted.size()] == '.';
  });
}

bool IsStandardModule(std::string_view name) { return std::ranges::binary_search(StandardModules(), name); }

std::string Fill(std::string_view text, std::string_view name) {
  constexpr std::string_view kPlace = "{name}";
  std::string filled;
  for (std::size_t at = text.find(kPlace); at != std::string_view::npos; at = text.find(kPlace)) {
    filled += text.substr(0, at);
    filled += name;
    text.remove_prefix(at + kPlace.size());
  }
  return filled += text;
}

Finding MakeFinding(std::string_view kind, std::string_view name) {
  const CheckRule& rule = RuleOfKind(kind);
  Finding finding;
  finding.rule = rule.id;
  finding.severity = rule.severity;
  finding.reason = Fill(rule.reason, name);
  finding.remedy = Fill(rule.remedy, name);
  return finding;
}

std::string PlainName(std::string_view name) {
  std::string plain;
  while (!name.empty()) {
    const Decoded first = DecodeFirst(name);
    const auto found = std::ranges::lower_bound(Lookalikes(), first.code_point, {}, &Lookalike::code_point);
    if (first.bytes > 1 && found != Lookalikes().end() && found->code_point == first.code_point) {
      plain += found->plain;
    } else {
      plain += name.substr(0, first.bytes);
    }
    name.remove_prefix(first.bytes);
  }
  return plain;
}

}  // namespace casemate
