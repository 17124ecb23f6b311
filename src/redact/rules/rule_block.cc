#include "redact/rules/rule_block.h"

#include "redact/rules/rule_file.h"

namespace casemate {
namespace {

// Letters for small numbers, so that a block stays text.
constexpr char kZero = 'A';
constexpr unsigned kNumberBase = 16;

std::string_view TakeField(std::string_view& block) {
  const std::size_t end = block.find(kFieldEnd);
  const std::string_view field = block.substr(0, end);
  block.remove_prefix(end == std::string_view::npos ? block.size() : end + 1);
  return field;
}

}  // namespace

void AppendRule(std::string& block, const Rule& rule) {
  block += rule.name;
  block += kFieldEnd;
  for (const int number :
       {static_cast<int>(rule.set), static_cast<int>(rule.kind), static_cast<int>(rule.validator),
        rule.ignore_case ? 1 : 0, rule.left_open ? 1 : 0, rule.right_open ? 1 : 0}) {
    block += static_cast<char>(kZero + number);
  }
  block += kFieldEnd;
  for (const Keyword& keyword : rule.keywords) {
    block += static_cast<char>(kZero + keyword.offset);
    block += static_cast<char>(kZero + keyword.group);
    block += keyword.text;
    block += kElementEnd;
  }
  block += kFieldEnd;
  block += rule.pattern;
  block += kFieldEnd;
  block += rule.replacement;
  block += kFieldEnd;
  if (rule.lead.length > 0) {
    block += rule.lead.hex ? 'h' : 'a';
    for (const unsigned number : {rule.lead.length, rule.lead.shown}) {
      block += static_cast<char>(kZero + number / kNumberBase);
      block += static_cast<char>(kZero + number % kNumberBase);
    }
  }
  block += kFieldEnd;
}

std::vector<Rule> ReadRuleBlock(std::string_view block) {
  std::vector<Rule> rules;
  rules.reserve(160);
  while (!block.empty()) {
    Rule& rule = rules.emplace_back();
    rule.name = TakeField(block);
    const std::string_view numbers = TakeField(block);
    rule.set = static_cast<RuleSets>(numbers[0] - kZero);
    rule.kind = static_cast<RuleKind>(numbers[1] - kZero);
    rule.validator = static_cast<Validator>(numbers[2] - kZero);
    rule.ignore_case = numbers[3] != kZero;
    rule.left_open = numbers[4] != kZero;
    rule.right_open = numbers[5] != kZero;
    std::string_view keywords = TakeField(block);
    while (!keywords.empty()) {
      const std::size_t end = keywords.find(kElementEnd);
      const auto number = [&keywords](std::size_t i) {
        return static_cast<std::uint8_t>(keywords[i] - kZero);
      };
      rule.keywords.push_back({keywords.substr(2, end - 2), number(0), number(1)});
      keywords.remove_prefix(end + 1);
    }
    rule.pattern = TakeField(block);
    rule.replacement = TakeField(block);
    const std::string_view lead = TakeField(block);
    if (lead.empty()) continue;
    const auto number = [&lead](std::size_t i) {
      return static_cast<std::uint8_t>((lead[i] - kZero) * static_cast<int>(kNumberBase) + lead[i + 1] -
                                       kZero);
    };
    rule.lead = {lead[0] == 'h', number(1), number(3)};
  }
  return rules;
}

}  // namespace casemate
