#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/error.h"
#include "redact/match.h"
#include "redact/number_shapes.h"
#include "redact/prefilter.h"
#include "redact/rules/rule.h"

namespace re2 {
class RE2;
}

namespace casemate {

// A set of rules ready to be looked for. Immutable but for patterns, each of which is compiled when its
// keyword is first seen; any number of threads and runs share one.
class CompiledRules : private NumberShapes::Judge {
 public:
  // The built-in rules of these sets; made once in a process.
  static std::shared_ptr<const CompiledRules> BuiltIn(unsigned sets);
  // The rules of `block` (ReadRuleFile) and the built-in ones of `sets`, without those named in `off`.
  // Errors: kInvalidRequest for a pattern that cannot be compiled, a name that is there twice or one in `off`
  // that is not there.
  static Expected<std::shared_ptr<const CompiledRules>> Make(std::string block, unsigned sets,
                                                             const std::vector<std::string>& off);
  ~CompiledRules() override;
  CompiledRules(const CompiledRules&) = delete;
  CompiledRules& operator=(const CompiledRules&) = delete;

  const std::vector<Rule>& rules() const { return rules_; }
  const Prefilter& prefilter() const { return prefilter_; }
  // The rules of a keyword of the prefilter.
  const std::vector<std::uint16_t>& RulesOf(std::uint32_t keyword) const { return by_keyword_[keyword]; }
  bool has_email() const { return has_email_; }
  bool has_numbers() const { return iban_ || !shapes_.empty(); }

  // A keyword that is not complete at the end of a text: what may be a part of a match begins at `hold`, and
  // nothing from `undecided` on is decided. text.size() where there is none.
  struct OpenEnd {
    std::size_t hold;
    std::size_t undecided;
  };
  OpenEnd FindOpenEnd(std::string_view text, std::size_t from) const;

  // Where a run of characters at the end may turn out to stand before a keyword to which it belongs.
  std::size_t FindOpenLead(std::string_view text) const;
  // The first byte that a match of a keyword may have.
  std::size_t FirstOf(std::string_view text, const Prefilter::Hit& hit) const;

  // Where the run of token characters that was asked for last begins and ends, so that a run with many
  // keywords is gone through once. Of one text.
  struct TokenRun {
    std::size_t begin = 0;
    std::size_t end = 0;
  };
  // Whether rule `index` matches where its keyword, `keyword` of the prefilter, stands at `at`.
  Match MatchKeyword(const KnownText& known, std::size_t index, std::uint32_t keyword, std::size_t at,
                     TokenRun& run) const;
  // The best number or account number whose digits begin at `at`, and its rule.
  Match MatchNumber(const KnownText& known, std::size_t at, std::uint16_t& rule) const;

  static constexpr std::size_t kTokenMax = 1024;  // a longer token is taken out as it goes on
  static constexpr std::size_t kTextMax = 512;

 private:
  struct Keywords {
    std::vector<Prefilter::Entry> texts;
    std::vector<std::vector<std::uint16_t>> rules;
  };
  CompiledRules(std::string block, const std::vector<Rule>& rules);
  static Keywords KeywordsOf(const std::vector<Rule>& rules);
  CompiledRules(std::string block, std::vector<Rule> rules, Keywords keywords);

  bool Takes(std::uint16_t rule, std::string_view digits) const override;
  const re2::RE2& PatternOf(std::size_t index) const;
  Match MatchPattern(const KnownText& known, std::size_t index, std::size_t at, std::size_t end,
                     bool goes_on) const;
  Match MatchToken(const KnownText& known, std::size_t index, std::size_t at, TokenRun& run) const;
  Match MatchText(const KnownText& known, std::size_t index, std::size_t length, std::size_t at) const;
  Match MatchAssignment(const KnownText& known, std::size_t index, std::size_t length, std::size_t at) const;

  std::string block_;
  std::vector<Rule> rules_;
  std::vector<Prefilter::Entry> keywords_;
  std::vector<std::vector<std::uint16_t>> by_keyword_;
  Prefilter prefilter_;
  NumberShapes shapes_;
  std::optional<std::uint16_t> iban_;
  bool has_email_ = false;
  std::vector<std::uint8_t> takes_keyword_;  // of each rule
  std::vector<Lead> leads_;                  // of all rules
  std::unique_ptr<std::atomic<const re2::RE2*>[]> patterns_;
};

// The names and reasons of the built-in rules are in profiles/redaction/.
std::string_view BuiltInRuleBlock();

}  // namespace casemate
