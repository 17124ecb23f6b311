#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "redact/compiled_rules.h"
#include "redact/known_values.h"
#include "redact/match.h"

namespace casemate {

// What a scanner gives, in the order of the text.
class ScanSink {
 public:
  virtual ~ScanSink() = default;
  virtual void Keep(std::string_view text) = 0;
  // The bytes from `begin` to `end` of the whole text go. `what` is a rule's index, or the count of rules
  // plus a known value's; -1 for bytes that belong to what went just before.
  virtual void Drop(std::uint64_t begin, std::uint64_t end, int what) = 0;
};

// Divides a text that comes in pieces into what stays and what goes. Where the pieces end has no influence:
// what cannot be decided yet is held back, at most kHoldMax bytes of it, and nothing else is. Leftmost first,
// then longest; what overlaps goes as one. Takes time linear in the text. One thread.
class Scanner {
 public:
  // `known` may be null. Both must outlive the scanner.
  Scanner(const CompiledRules& rules, const KnownValues* known) : rules_(rules), known_(known) {}

  void Feed(std::string_view bytes, ScanSink& sink);
  void Finish(ScanSink& sink);

  std::size_t held() const { return buffer_.size() - begin_; }
  // Without known values. With them: their longest form with the longest gaps, too.
  static constexpr std::size_t kHoldMax = 2 * CompiledRules::kTokenMax + 512;

 private:
  struct Span {
    std::size_t begin;
    std::size_t end;
    int what;
    Swallow swallow;   // goes on past what is known
    std::size_t from;  // what it was found by begins here: one without an end is found again by it
  };

  void Advance(bool final, ScanSink& sink);
  bool AdvanceSwallow(const KnownText& text, ScanSink& sink);
  void FindRules(const KnownText& text, std::size_t limit);
  bool TryKeyword(const KnownText& text, const Prefilter::Hit& hit);
  bool TryRule(const KnownText& text, const Prefilter::Hit& hit, std::uint16_t rule);
  bool TryNumber(const KnownText& text, std::size_t at);
  bool Take(const KnownText& text, const Match& match, int what, std::size_t at);
  bool IsInside(std::size_t at) const;
  RuleKind KindOf(int what) const;
  Span United(const Span& one, const Span& later) const;
  void AddSpan(const KnownText& text, const Match& match, int what, std::size_t from);
  void FindKnown(const KnownText& text);
  void MergeKnown();
  void HoldBack(const KnownText& text);
  void Emit(ScanSink& sink);
  void KeepDecided();
  void Trim();

  const CompiledRules& rules_;
  const KnownValues* known_;
  std::string buffer_;      // what has gone and may still matter to its neighbours, then what is held
  std::size_t begin_ = 0;   // of what is held
  std::uint64_t base_ = 0;  // place of buffer_[0] in the whole text
  Swallow swallow_ = Swallow::kNothing;
  std::size_t hold_ = 0;  // nothing from here on may be let out
  std::vector<Prefilter::Hit> hits_;
  std::vector<std::size_t> numbers_;
  std::size_t scan_from_ = 0;     // all before it is decided
  std::vector<Span> rule_spans_;  // decided; those that have not gone out, and their neighbours
  std::vector<Span> spans_;       // those and known values
  CompiledRules::TokenRun run_;
  std::uint32_t known_state_ = 0;
  std::size_t known_at_ = 0;  // scanned for known values up to here
  std::vector<KnownValues::Found> known_found_;
};

}  // namespace casemate
