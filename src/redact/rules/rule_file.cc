#include "redact/rules/rule_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_HEADER_ONLY 1
// toml++ 3.3 asserts that some malformed texts ("[(") cannot be, and behind the assertion reports them.
#define TOML_ASSERT(expr) static_assert(true)
#include <toml++/toml.h>

#include "redact/rules/keyword_plan.h"
#include "redact/rules/rule_block.h"

namespace casemate {
namespace {

constexpr std::size_t kFileBytesMax = 1024 * 1024;
constexpr std::size_t kTextBytesMax = 2000;
constexpr std::size_t kKeywordsMax = 200;
constexpr unsigned kLeadMax = 96;  // less than what the scanner keeps of what has gone

constexpr std::array<std::string_view, 13> kKeys = {
    "name",      "set",         "kind",     "keywords", "shapes", "pattern", "replacement",
    "validator", "ignore_case", "boundary", "reason",   "match",  "lead"};

// One rule's table, read piece by piece; the first fault is kept.
class RuleReader {
 public:
  RuleReader(std::string_view file, const toml::table& table) : file_(file), table_(table) {}

  void Refuse(const toml::source_region& where, std::string_view what) {
    if (fault_) return;
    fault_ = Error{ErrorCode::kInvalidRequest,
                   fmt::format("Rules \"{}\", line {}: {}", file_, where.begin.line, what), ""};
  }

  std::string Text(std::string_view key, bool needed) {
    const toml::node* node = table_.get(key);
    if (node == nullptr) {
      if (needed) Refuse(table_.source(), fmt::format("the rule has no \"{}\"; add it", key));
      return {};
    }
    const auto* text = node->as_string();
    if (text == nullptr || text->get().size() > kTextBytesMax || HasControls(text->get())) {
      Refuse(node->source(),
             fmt::format("\"{}\" must be a string of at most {} bytes without control characters", key,
                         kTextBytesMax));
      return {};
    }
    return text->get();
  }

  std::vector<std::string> Texts(std::string_view key, bool needed, bool plain) {
    std::vector<std::string> texts;
    const toml::node* node = table_.get(key);
    if (node == nullptr) {
      if (needed) Refuse(table_.source(), fmt::format("the rule has no \"{}\"; add it", key));
      return texts;
    }
    const auto* array = node->as_array();
    if (array == nullptr || array->size() > kKeywordsMax || (needed && array->empty())) {
      Refuse(node->source(), fmt::format("\"{}\" must be a list of 1 to {} strings", key, kKeywordsMax));
      return texts;
    }
    for (const toml::node& element : *array) {
      const auto* text = element.as_string();
      if (text == nullptr || (plain && (text->get().empty() || HasControls(text->get())))) {
        Refuse(element.source(), fmt::format("\"{}\" must have nothing but strings", key));
        return texts;
      }
      texts.push_back(text->get());
    }
    return texts;
  }

  bool Flag(std::string_view key) {
    const toml::node* node = table_.get(key);
    if (node == nullptr) return false;
    const auto* flag = node->as_boolean();
    if (flag == nullptr) Refuse(node->source(), fmt::format("\"{}\" must be true or false", key));
    return flag != nullptr && flag->get();
  }

  void CheckKeys() {
    for (const auto& [key, node] : table_) {
      if (key.str() != "no_match" && std::ranges::find(kKeys, key.str()) == kKeys.end()) {
        Refuse(key.source(),
               fmt::format("there is no key \"{}\"; known are name, set, kind, keywords, shapes, "
                           "pattern, replacement, validator, ignore_case, boundary, lead, reason, "
                           "match and no_match",
                           key.str()));
      }
    }
  }

  const toml::source_region& place() const { return table_.source(); }
  std::optional<Error>& fault() { return fault_; }

 private:
  static bool HasControls(std::string_view text) {
    return std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  }

  std::string_view file_;
  const toml::table& table_;
  std::optional<Error> fault_;
};

template <typename Enum>
std::optional<Enum> FindName(std::string_view name, int count, std::string_view (*name_of)(Enum)) {
  for (int i = 0; i < count; ++i) {
    if (name_of(static_cast<Enum>(i)) == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

bool NeedsPattern(RuleKind kind) {
  return kind == RuleKind::kToken || kind == RuleKind::kText || kind == RuleKind::kContext;
}

// What the scanner relies on.
void CheckKeywords(RuleReader& reader, RuleKind kind, const std::vector<std::string>& keywords) {
  const bool shapes = kind == RuleKind::kNumber;
  for (const std::string& keyword : keywords) {
    if (keyword.size() > 32) reader.Refuse(reader.place(), "a keyword or shape has at most 32 characters");
    if (shapes && std::ranges::count(keyword, 'D') < 8) {
      reader.Refuse(reader.place(), "a shape has 8 digits (D) or more");
    }
    if (std::ranges::any_of(keyword, [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) {
      reader.Refuse(reader.place(), "keywords and shapes are ASCII");
    }
    const bool open = kind == RuleKind::kEmail || kind == RuleKind::kIpv6;
    if (!open && !shapes && keyword.size() < 2) {
      reader.Refuse(reader.place(), "a keyword has two characters or more; longer ones are found faster");
    }
  }
}

// "hex:32:3": small hexadecimal digits, or letters and digits ("alnum"), that stand before the keyword: how
// many, and how many of them stay.
Lead ReadLead(RuleReader& reader, RuleKind kind) {
  const std::string text = reader.Text("lead", true);
  const std::size_t colon = text.find(':');
  const std::string kinds = text.substr(0, colon);
  unsigned length = 0;
  unsigned shown = 0;
  const char* const end = text.data() + text.size();
  const auto first = colon == text.npos ? std::from_chars_result{text.data(), std::errc::invalid_argument}
                                        : std::from_chars(text.data() + colon + 1, end, length);
  const bool two = first.ec == std::errc() && first.ptr != end && *first.ptr == ':';
  const bool read = two && std::from_chars(first.ptr + 1, end, shown).ptr == end;
  if (!read || (kinds != "hex" && kinds != "alnum") || length > kLeadMax || shown >= length ||
      kind != RuleKind::kToken) {
    reader.Refuse(reader.place(),
                  "a lead is \"hex:32:3\" or \"alnum:76:24\" of a token: what stands before its "
                  "keyword, how many characters (96 at most), and how many of them stay");
    return {};
  }
  return {kinds == "hex", static_cast<std::uint8_t>(length), static_cast<std::uint8_t>(shown)};
}

struct OneRule {
  std::string block;
  RuleExamples examples;
};

Expected<OneRule> ReadRule(std::string_view file, const toml::table& table) {
  RuleReader reader(file, table);
  reader.CheckKeys();
  const std::string name = reader.Text("name", true);
  if (!IsName(name)) reader.Refuse(reader.place(), "a name has 1 to 64 of a-z, 0-9 and _");
  const std::string set_text = reader.Text("set", true);
  RuleSets set = kNoRules;
  for (const RuleSets each : {kSecretRules, kPiiRules, kInternalRules}) {
    if (SetName(each) == set_text) set = each;
  }
  if (set == kNoRules) reader.Refuse(reader.place(), "a set is \"secrets\", \"pii\" or \"internal\"");
  const auto kind = FindName<RuleKind>(reader.Text("kind", true), kRuleKinds, KindName);
  if (!kind)
    reader.Refuse(reader.place(),
                  "a kind is token, text, context, password, secret, url, pem, email, "
                  "ipv6, number or iban");
  const auto validator = FindName<Validator>(reader.Text("validator", false), kValidators, ValidatorName);
  if (!validator) reader.Refuse(reader.place(), "there is no such validator");
  if (reader.fault()) return std::unexpected(*reader.fault());

  std::vector<std::string> keywords;
  if (*kind == RuleKind::kNumber) {
    keywords = reader.Texts("shapes", true, true);
  } else if (*kind != RuleKind::kIban) {
    keywords = reader.Texts("keywords", true, true);
  }
  CheckKeywords(reader, *kind, keywords);
  const std::string pattern = reader.Text("pattern", NeedsPattern(*kind));
  const std::string replacement = reader.Text("replacement", true);
  if (!replacement.starts_with("[REDACTED") || !replacement.ends_with(']')) {
    reader.Refuse(reader.place(), "a replacement is \"[REDACTED_...]\"");
  }
  if (reader.Text("reason", true).empty()) reader.Refuse(reader.place(), "a reason says something");
  const std::string boundary = table.contains("boundary") ? reader.Text("boundary", true) : "both";
  if (boundary != "both" && boundary != "left" && boundary != "right" && boundary != "none") {
    reader.Refuse(reader.place(), "a boundary is \"both\", \"left\", \"right\" or \"none\"");
  }
  Rule rule{name,
            set,
            *kind,
            {},
            pattern,
            replacement,
            *validator,
            reader.Flag("ignore_case"),
            boundary == "right" || boundary == "none",
            boundary == "left" || boundary == "none",
            table.contains("lead") ? ReadLead(reader, *kind) : Lead{}};
  for (const std::string& keyword : keywords) rule.keywords.push_back({keyword});
  OneRule one;
  AppendRule(one.block, rule);
  one.examples = {name, reader.Texts("match", true, false), reader.Texts("no_match", false, false)};
  if (reader.fault()) return std::unexpected(*reader.fault());
  return one;
}

}  // namespace

Expected<RuleFile> ReadRuleFile(std::string_view name, std::string_view toml) {
  if (toml.size() > kFileBytesMax) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("Rules \"{}\" have {} bytes; a file of rules has at most {}", name, toml.size(),
                            kFileBytesMax));
  }
  // toml++ 3.3 has undefined behaviour on some characters outside ASCII between values.
  if (std::ranges::any_of(toml, [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("Rules \"{}\" must be ASCII text; write other characters as \\uXXXX", name));
  }
  const toml::parse_result parsed = toml::parse(toml);
  if (!parsed) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("Rules \"{}\", line {}: the text is not TOML: {}", name,
                            parsed.error().source().begin.line, parsed.error().description()));
  }
  RuleFile file;
  std::set<std::string> names;
  const auto* rules = parsed.table().get_as<toml::array>("rule");
  if (rules == nullptr || parsed.table().size() != 1) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("Rules \"{}\" must have [[rule]] tables and nothing else", name));
  }
  for (const toml::node& node : *rules) {
    const auto* table = node.as_table();
    if (table == nullptr) {
      return Fail(ErrorCode::kInvalidRequest, fmt::format("Rules \"{}\": write [[rule]]", name));
    }
    auto one = ReadRule(name, *table);
    if (!one) return std::unexpected(std::move(one.error()));
    if (!names.insert(one->examples.rule).second) {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("Rules \"{}\" have \"{}\" twice; rename one", name, one->examples.rule));
    }
    file.block += one->block;
    file.examples.push_back(std::move(one->examples));
  }
  file.block = JoinRuleBlocks({file.block});
  return file;
}

std::string JoinRuleBlocks(const std::vector<std::string>& blocks) {
  std::vector<Rule> rules;
  for (const std::string& block : blocks) {
    for (Rule& rule : ReadRuleBlock(block)) rules.push_back(std::move(rule));
  }
  PlanKeywords(rules);
  std::string joined;
  for (const Rule& rule : rules) AppendRule(joined, rule);
  return joined;
}

}  // namespace casemate
