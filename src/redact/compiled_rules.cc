#include "redact/compiled_rules.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>

#include "redact/assignment.h"
#include "redact/finders.h"
#include "redact/rules/keyword_plan.h"
#include "redact/rules/rule_file.h"
#include "redact/text_class.h"
#include "redact/validators.h"

namespace casemate {
namespace embedded {
std::string_view RedactionRules(std::string_view path);
}
namespace {

std::vector<Rule> InSets(std::string_view block, unsigned sets) {
  std::vector<Rule> rules = ReadRuleBlock(block);
  std::erase_if(rules, [sets](const Rule& rule) { return (rule.set & sets) == 0; });
  return rules;
}

std::unique_ptr<re2::RE2> Compile(const Rule& rule) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_encoding(re2::RE2::Options::EncodingLatin1);
  options.set_case_sensitive(!rule.ignore_case);
  options.set_max_mem(std::int64_t{8} << 20);
  return std::make_unique<re2::RE2>(re2::StringPiece(rule.pattern.data(), rule.pattern.size()), options);
}

// A word stands at the beginning of one, a path at its root.
bool MayStand(std::string_view text, std::size_t at) {
  if (text[at] == '/') {
    return at == 0 || (!Is(text[at - 1], kAlnumChars) &&
                       std::string_view("._-/~").find(text[at - 1]) == std::string_view::npos);
  }
  return !Is(text[at], kAlnumChars) || MayBegin(text, at);
}

constexpr std::size_t kShortPrefix = 4;
constexpr std::size_t kDigestLookBack = 48;
constexpr std::size_t kDigestMin = 20;

// A few letters and a mark may come about inside base64: `sha256=qaN-fw_htIg...`, `...AAAhMAAE8U/EAACjQB...`.
bool IsInsideDigest(std::string_view text, std::size_t at) {
  if (at < 2 || !Is(text[at - 2], kAlnumChars)) return false;
  const char before = text[at - 1];
  if (before != '-' && before != '/' && before != '+') return false;
  bool mixed = false;
  std::size_t i = at - 1;
  for (; i > 0 && at - i < kDigestLookBack; --i) {
    const char c = text[i - 1];
    if (!Is(c, kAlnumChars) && c != '_' && c != '-' && c != '+' && c != '/') break;
    mixed = mixed || Is(c, kUpperChar | kDigitChar);
  }
  return mixed && (before == '-' || at - i >= kDigestMin);
}

// Whether an expression has a group that captures.
bool HasGroup(std::string_view pattern) {
  bool in_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\') {
      ++i;
    } else if (in_class) {
      in_class = c != ']';
    } else if (c == '[') {
      in_class = true;
    } else if (c == '(' && !pattern.substr(i + 1).starts_with('?')) {
      return true;
    }
  }
  return false;
}

// How many characters before `end` may be a lead's; one more than its length where there are too many.
std::size_t CountLead(std::string_view text, std::size_t end, const Lead& lead) {
  std::size_t count = 0;
  const auto fits = [&lead](char c) {
    return lead.hex ? Is(c, kHexChar) && !Is(c, kUpperChar) : Is(c, kAlnumChars);
  };
  while (count <= lead.length && count < end && fits(text[end - count - 1])) ++count;
  return count;
}

// Where a match whose keyword stands at `at` begins.
std::size_t BeginOf(const Rule& rule, std::string_view text, std::size_t at) {
  if (rule.lead.length == 0 || CountLead(text, at, rule.lead) != rule.lead.length) return at;
  return at - rule.lead.length + rule.lead.shown;
}

// Whether what a rule takes out may begin in its keyword, or before it.
bool TakesKeyword(const Rule& rule) {
  switch (rule.kind) {
    case RuleKind::kContext:
    case RuleKind::kPassword:
    case RuleKind::kSecret:
    case RuleKind::kUrl:
      return false;
    case RuleKind::kText:
      return !HasGroup(rule.pattern);
    case RuleKind::kToken:
    case RuleKind::kPem:
    case RuleKind::kEmail:
    case RuleKind::kIpv6:
    case RuleKind::kNumber:
    case RuleKind::kIban:
      return true;
  }
  return true;
}

bool IsKeywordExact(const Rule& rule, std::string_view text, std::size_t at, std::string_view keyword) {
  return rule.ignore_case || text.substr(at, keyword.size()) == keyword;
}

}  // namespace

std::string_view BuiltInRuleBlock() { return embedded::RedactionRules("rules"); }

std::shared_ptr<const CompiledRules> CompiledRules::BuiltIn(unsigned sets) {
  static std::mutex mutex;
  static std::array<std::shared_ptr<const CompiledRules>, kAllRules + 1> made;
  const std::lock_guard lock(mutex);
  auto& place = made[sets & kAllRules];
  if (!place) place.reset(new CompiledRules("", InSets(BuiltInRuleBlock(), sets)));
  return place;
}

Expected<std::shared_ptr<const CompiledRules>> CompiledRules::Make(std::string block, unsigned sets,
                                                                   const std::vector<std::string>& off) {
  std::vector<Rule> rules = InSets(BuiltInRuleBlock(), sets);
  for (Rule& rule : ReadRuleBlock(block)) rules.push_back(std::move(rule));
  for (const std::string& name : off) {
    const bool known = std::ranges::any_of(ReadRuleBlock(BuiltInRuleBlock()),
                                           [&](const Rule& rule) { return rule.name == name; });
    const auto gone = std::erase_if(rules, [&name](const Rule& rule) { return rule.name == name; });
    if (!known && gone == 0) {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("there is no redaction rule \"{}\"; casemate redact --list names them", name));
    }
  }
  std::vector<std::string_view> names;
  for (const Rule& rule : rules) {
    if (std::ranges::find(names, rule.name) != names.end()) {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("there are two rules \"{}\"; rename yours", rule.name));
    }
    names.push_back(rule.name);
  }
  for (const Rule& rule : ReadRuleBlock(block)) {
    const auto pattern = Compile(rule);
    if (pattern->ok() && pattern->NumberOfCapturingGroups() <= 1) continue;
    return Fail(
        ErrorCode::kInvalidRequest,
        fmt::format("the pattern of \"{}\" must be an RE2 expression with one group at most: {}", rule.name,
                    pattern->ok() ? "it has more groups; write (?:...)" : pattern->error()));
  }
  // The rules are views into the block, whose text stays where it is when the string is moved: it is long.
  return std::shared_ptr<const CompiledRules>(new CompiledRules(std::move(block), rules));
}

CompiledRules::Keywords CompiledRules::KeywordsOf(const std::vector<Rule>& rules) {
  Keywords all;
  std::map<std::string, std::size_t, std::less<>> index;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (rules[i].kind == RuleKind::kNumber || rules[i].kind == RuleKind::kIban) continue;
    for (const Keyword& keyword : rules[i].keywords) {
      std::string key(keyword.text);
      if (rules[i].ignore_case) std::ranges::transform(key, key.begin(), ToLower);
      const auto [place, added] = index.try_emplace(std::move(key), all.texts.size());
      if (added) {
        all.texts.push_back({keyword, IgnoresCase(rules[i])});
        all.rules.emplace_back();
      }
      if (IgnoresCase(rules[i])) all.texts[place->second].any_case = true;
      auto& users = all.rules[place->second];
      if (users.empty() || users.back() != i) users.push_back(static_cast<std::uint16_t>(i));
    }
  }
  return all;
}

CompiledRules::CompiledRules(std::string block, const std::vector<Rule>& rules)
    : CompiledRules(std::move(block), rules, KeywordsOf(rules)) {}

CompiledRules::CompiledRules(std::string block, std::vector<Rule> rules, Keywords keywords)
    : block_(std::move(block)),
      rules_(std::move(rules)),
      keywords_(std::move(keywords.texts)),
      by_keyword_(std::move(keywords.rules)),
      prefilter_(keywords_),
      patterns_(std::make_unique<std::atomic<const re2::RE2*>[]>(rules_.size())) {
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (rules_[i].kind == RuleKind::kNumber) {
      for (const Keyword& shape : rules_[i].keywords) shapes_.Add(shape.text, static_cast<std::uint16_t>(i));
    }
    if (rules_[i].kind == RuleKind::kIban) iban_ = static_cast<std::uint16_t>(i);
    has_email_ = has_email_ || rules_[i].kind == RuleKind::kEmail;
    takes_keyword_.push_back(TakesKeyword(rules_[i]) ? 1 : 0);
    if (rules_[i].lead.length > 0) leads_.push_back(rules_[i].lead);
  }
}

CompiledRules::~CompiledRules() {
  for (std::size_t i = 0; i < rules_.size(); ++i) delete patterns_[i].load(std::memory_order_relaxed);
}

const re2::RE2& CompiledRules::PatternOf(std::size_t index) const {
  if (const re2::RE2* ready = patterns_[index].load(std::memory_order_acquire)) return *ready;
  std::unique_ptr<re2::RE2> made = Compile(rules_[index]);
  const re2::RE2* expected = nullptr;
  if (patterns_[index].compare_exchange_strong(expected, made.get(), std::memory_order_acq_rel))
    return *made.release();
  return *expected;
}

Match CompiledRules::MatchPattern(const KnownText& known, std::size_t index, std::size_t at, std::size_t end,
                                  bool goes_on) const {
  const Rule& rule = rules_[index];
  const re2::RE2& pattern = PatternOf(index);
  std::array<re2::StringPiece, 2> groups;
  const re2::StringPiece text(known.text.data(), end);  // NOLINT(bugprone-suspicious-stringview-data-usage)
  if (!pattern.Match(text, at, end, re2::RE2::ANCHOR_START, groups.data(), 2)) return Match::None();
  const re2::StringPiece taken = groups[1].data() != nullptr && !groups[1].empty() ? groups[1] : groups[0];
  const auto begin = static_cast<std::size_t>(taken.data() - known.text.data());
  const std::size_t finish = begin + taken.size();
  const std::string_view value(taken.data(), taken.size());
  if (goes_on && finish == end) return Match::Found(begin, finish, Swallow::kToken);
  if (!rule.right_open && finish < known.size() && Is(known[finish], kAlnumChars) &&
      Is(value.back(), kAlnumChars)) {
    return Match::None();
  }
  if (rule.set == kSecretRules && IsPlaceholder(value)) return Match::None();
  return Passes(rule.validator, value) ? Match::Found(begin, finish) : Match::None();
}

Match CompiledRules::MatchToken(const KnownText& known, std::size_t index, std::size_t at,
                                TokenRun& run) const {
  if (at < run.begin || at >= run.end) {
    run = {at, at};
    while (run.end < known.size() && Is(known[run.end], kTokenChar)) ++run.end;
  }
  const std::size_t end = std::min(run.end, at + kTokenMax);
  const Rule& rule = rules_[index];
  const std::size_t begin = BeginOf(rule, known.text, at);
  if (rule.lead.length > 0 && begin == at) return Match::None();
  if (end == known.size() && end < at + kTokenMax && !known.final) return Match::Open(begin);
  Match match = MatchPattern(known, index, at, end, end == at + kTokenMax);
  if (begin < at) match.begin = begin;
  return match;
}

Match CompiledRules::MatchText(const KnownText& known, std::size_t index, std::size_t length,
                               std::size_t at) const {
  const std::string_view line = known.text.substr(at, kTextMax);
  const std::size_t end = std::min(line.find('\n'), line.size());
  const std::size_t first = takes_keyword_[index] != 0 ? at : at + length;
  if (at + end == known.size() && end < kTextMax && !known.final) return Match::Open(first);
  Match match = MatchPattern(known, index, at, at + end, end == kTextMax);
  match.begin = std::max(match.begin, std::min(first, match.end));
  return match;
}

Match CompiledRules::MatchAssignment(const KnownText& known, std::size_t index, std::size_t length,
                                     std::size_t at) const {
  const Rule& rule = rules_[index];
  const bool context = rule.kind == RuleKind::kContext;
  const Assignment found = ReadAssignment(known, at, length, context ? NameRest::kAny : NameRest::kNone);
  if (found.state == Match::State::kOpen) return Match::Open(std::max(at, found.value_begin));
  if (found.state == Match::State::kNone || found.value_end <= found.value_begin) return Match::None();
  const std::string_view value = known.text.substr(found.value_begin, found.value_end - found.value_begin);
  bool taken = false;
  if (context) {
    taken = !found.cut && !IsPlaceholder(value) && (found.quote != '\0' || !LooksLikeCode(value)) &&
            re2::RE2::FullMatch(re2::StringPiece(value.data(), value.size()), PatternOf(index)) &&
            Passes(rule.validator, value);
  } else {
    taken = rule.kind == RuleKind::kPassword ? LooksLikePassword(known.text, found)
                                             : LooksLikeSecret(known.text, found);
  }
  if (!taken) return Match::None();
  Swallow swallow = Swallow::kNothing;
  if (found.cut) {
    swallow = found.quote == '"'    ? Swallow::kDouble
              : found.quote == '\'' ? Swallow::kSingle
              : found.quote == '`'  ? Swallow::kBacktick
                                    : Swallow::kToken;
  }
  return Match::Found(found.value_begin, found.value_end, swallow);
}

CompiledRules::OpenEnd CompiledRules::FindOpenEnd(std::string_view text, std::size_t from) const {
  OpenEnd end{text.size(), text.size()};
  std::vector<Prefilter::Hit> open;
  prefilter_.FindOpen(text, from, open);
  for (const Prefilter::Hit& hit : open) {
    for (const std::uint16_t index : by_keyword_[hit.keyword]) {
      const Rule& rule = rules_[index];
      const bool bounded = (rule.kind == RuleKind::kToken || rule.kind == RuleKind::kText) && !rule.left_open;
      if (bounded && !MayStand(text, hit.at)) continue;
      end.undecided = std::min(end.undecided, hit.at);
      if (takes_keyword_[index] != 0) end.hold = std::min(end.hold, BeginOf(rule, text, hit.at));
    }
  }
  end.hold = std::min(end.hold, FindOpenLead(text));
  return end;
}

std::size_t CompiledRules::FindOpenLead(std::string_view text) const {
  std::size_t open = text.size();
  for (const Lead& lead : leads_) {
    const std::size_t count = CountLead(text, text.size(), lead);
    if (count > lead.shown && count <= lead.length) open = std::min(open, text.size() - count + lead.shown);
  }
  return open;
}

std::size_t CompiledRules::FirstOf(std::string_view text, const Prefilter::Hit& hit) const {
  const auto& rules = by_keyword_[hit.keyword];
  if (std::ranges::any_of(rules, [this](auto rule) { return rules_[rule].kind == RuleKind::kEmail; }))
    return OpenEmail(text.substr(0, hit.at), 0);
  std::size_t first = hit.at + keywords_[hit.keyword].keyword.text.size();
  for (const std::uint16_t rule : rules) {
    if (takes_keyword_[rule] != 0) first = std::min(first, BeginOf(rules_[rule], text, hit.at));
  }
  return first;
}

Match CompiledRules::MatchKeyword(const KnownText& known, std::size_t index, std::uint32_t keyword,
                                  std::size_t at, TokenRun& run) const {
  const Rule& rule = rules_[index];
  const std::string_view word = keywords_[keyword].keyword.text;
  if (!IsKeywordExact(rule, known.text, at, word)) return Match::None();
  switch (rule.kind) {
    case RuleKind::kToken:
    case RuleKind::kText:
      if (!rule.left_open && !MayStand(known.text, at)) return Match::None();
      if (word.size() <= kShortPrefix && IsInsideDigest(known.text, at)) return Match::None();
      return rule.kind == RuleKind::kToken ? MatchToken(known, index, at, run)
                                           : MatchText(known, index, word.size(), at);
    case RuleKind::kContext:
    case RuleKind::kPassword:
    case RuleKind::kSecret:
      return MatchAssignment(known, index, word.size(), at);
    case RuleKind::kUrl:
      return FindUrlPassword(known, at);
    case RuleKind::kPem:
      return FindPem(known, at);
    case RuleKind::kEmail:
      return FindEmail(known, at);
    case RuleKind::kIpv6:
      return FindIpv6(known, at);
    case RuleKind::kNumber:
    case RuleKind::kIban:
      break;
  }
  return Match::None();
}

bool CompiledRules::Takes(std::uint16_t rule, std::string_view digits) const {
  return Passes(rules_[rule].validator, digits);
}

Match CompiledRules::MatchNumber(const KnownText& known, std::size_t at, std::uint16_t& rule) const {
  Match best = shapes_.Find(known, at, *this, rule);
  if (!iban_) return best;
  const Match account = FindIban(known, at);
  if (account.state == Match::State::kNone) return best;
  const bool both_open = best.state == Match::State::kOpen && account.state == Match::State::kOpen;
  if (both_open) return Match::Open(std::min(best.begin, account.begin));
  if (best.state == Match::State::kOpen) return best;
  if (account.state == Match::State::kFound && account.end - account.begin <= best.end - best.begin)
    return best;
  rule = *iban_;
  return account;
}

}  // namespace casemate
