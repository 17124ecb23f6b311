// Each piece is put behind what was held back. Places where a rule may match are decided one after the other,
// for good, up to the first that cannot be decided without what is still to come; from there on all is looked
// at anew with the next piece. A decision takes only the text into account, never where a piece of it ended.
// What a match could still begin with, or still go on with, is held; all else leaves at once. Of what has
// left, enough is kept to see what a match stands behind.
#include "redact/scanner.h"

#include <algorithm>
#include <iterator>
#include <ranges>

#include "redact/finders.h"

namespace casemate {
namespace {

constexpr std::size_t kPiece = 64 * 1024;
// An address' local part, an escape before a token, a name before its value.
constexpr std::size_t kContext = 128;

}  // namespace

void Scanner::Feed(std::string_view bytes, ScanSink& sink) {
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kPiece);
    bytes.remove_prefix(piece.size());
    buffer_ += piece;
    Advance(false, sink);
  }
}

void Scanner::Finish(ScanSink& sink) { Advance(true, sink); }

void Scanner::Advance(bool final, ScanSink& sink) {
  const KnownText text{buffer_, final};
  if (known_ != nullptr) FindKnown(text);
  if (AdvanceSwallow(text, sink)) {
    const CompiledRules::OpenEnd open =
        final ? CompiledRules::OpenEnd{text.size(), text.size()} : rules_.FindOpenEnd(text.text, scan_from_);
    hold_ = open.hold;
    FindRules(text, open.undecided);
    spans_.clear();
    std::ranges::copy_if(rule_spans_, std::back_inserter(spans_),
                         [this](const Span& span) { return span.end > begin_; });
    MergeKnown();
    HoldBack(text);
    Emit(sink);
    KeepDecided();
  }
  Trim();
}

// False when all that is known still belongs to a match.
bool Scanner::AdvanceSwallow(const KnownText& text, ScanSink& sink) {
  if (swallow_ == Swallow::kNothing) return true;
  const SwallowEnd end = FindSwallowEnd(text, begin_, swallow_);
  if (end.at > begin_) sink.Drop(base_ + begin_, base_ + end.at, -1);
  begin_ = end.at;
  scan_from_ = std::max(scan_from_, begin_);
  if (!end.done) return false;
  swallow_ = Swallow::kNothing;
  return true;
}

// Decides all places before `limit`, up to the first that cannot be decided yet.
void Scanner::FindRules(const KnownText& text, std::size_t limit) {
  hits_.clear();
  numbers_.clear();
  run_ = {};
  rules_.prefilter().Find(text.text, scan_from_, hits_);
  if (rules_.has_numbers()) FindNumbers(text.text, scan_from_, numbers_);
  std::ranges::sort(hits_, [](const Prefilter::Hit& a, const Prefilter::Hit& b) {
    return a.at != b.at ? a.at < b.at : a.keyword < b.keyword;
  });
  scan_from_ = limit;
  auto hit = hits_.begin();
  auto number = numbers_.begin();
  for (bool decided = true; decided && (hit != hits_.end() || number != numbers_.end());) {
    const bool is_number = hit == hits_.end() || (number != numbers_.end() && *number <= hit->at);
    if ((is_number ? *number : hit->at) >= limit) break;
    decided = is_number ? TryNumber(text, *number++) : TryKeyword(text, *hit++);
  }
  // What is behind a place that is not decided may be a match, too; not what is inside one that goes on.
  if (!rule_spans_.empty() && rule_spans_.back().swallow != Swallow::kNothing) return;
  for (; hit != hits_.end(); ++hit) hold_ = std::min(hold_, rules_.FirstOf(text.text, *hit));
  if (number != numbers_.end()) hold_ = std::min(hold_, OpenNumber(text.text.substr(0, *number), begin_));
}

bool Scanner::TryKeyword(const KnownText& text, const Prefilter::Hit& hit) {
  return std::ranges::all_of(rules_.RulesOf(hit.keyword),
                             [&](std::uint16_t rule) { return TryRule(text, hit, rule); });
}

bool Scanner::TryRule(const KnownText& text, const Prefilter::Hit& hit, std::uint16_t rule) {
  // Inside a match, only another one of the same beginning is of interest: a token's own form tells more than
  // the name that it is assigned to.
  if (IsInside(hit.at)) return true;
  return Take(text, rules_.MatchKeyword(text, rule, hit.keyword, hit.at, run_), rule, hit.at);
}

bool Scanner::TryNumber(const KnownText& text, std::size_t at) {
  if (IsInside(at)) return true;
  std::uint16_t rule = 0;
  const Match match = rules_.MatchNumber(text, at, rule);
  return Take(text, match, rule, at);
}

// False when it cannot be decided yet.
bool Scanner::Take(const KnownText& text, const Match& match, int what, std::size_t at) {
  if (match.state == Match::State::kNone) return true;
  if (match.state == Match::State::kOpen) {
    hold_ = std::min(hold_, match.begin);
    scan_from_ = at;
    return false;
  }
  AddSpan(text, match, what, at);
  return rule_spans_.empty() || rule_spans_.back().swallow == Swallow::kNothing;
}

void Scanner::AddSpan(const KnownText& text, const Match& match, int what, std::size_t from) {
  Span span{match.begin, match.end, what, Swallow::kNothing, std::min(from, match.begin)};
  if (match.swallow != Swallow::kNothing) {
    const SwallowEnd end = FindSwallowEnd(text, match.end, match.swallow);
    span.end = end.at;
    if (!end.done) span.swallow = match.swallow;
  }
  // Nor is a word that has gone already part of an address.
  if (span.begin < begin_ && KindOf(what) == RuleKind::kEmail) return;
  auto place = rule_spans_.end();
  while (place != rule_spans_.begin() && (place - 1)->begin >= span.end) --place;
  while (place != rule_spans_.begin() && (place - 1)->end > span.begin) {
    const Span& other = *(place - 1);
    // A word before "@" that has gone already is no part of an address.
    if (span.begin > other.begin && span.end > other.end && KindOf(what) == RuleKind::kEmail) return;
    span = United(other, span);
    place = rule_spans_.erase(place - 1);
  }
  rule_spans_.insert(place, span);
}

RuleKind Scanner::KindOf(int what) const { return rules_.rules()[static_cast<std::size_t>(what)].kind; }

// `later` was found after `one`, which it overlaps.
Scanner::Span Scanner::United(const Span& one, const Span& later) const {
  Span span = one;
  const bool generic = KindOf(one.what) == RuleKind::kPassword || KindOf(one.what) == RuleKind::kSecret;
  if (later.begin < one.begin ||
      (later.begin == one.begin && (later.end > one.end || (later.end == one.end && generic)))) {
    span.what = later.what;
  }
  span.begin = std::min(one.begin, later.begin);
  span.from = std::min(one.from, later.from);
  if (later.end >= one.end) {
    span.end = later.end;
    span.swallow = later.swallow;
  }
  return span;
}

bool Scanner::IsInside(std::size_t at) const {
  const auto span = std::find_if(rule_spans_.rbegin(), rule_spans_.rend(),
                                 [at](const Span& each) { return each.begin < at; });
  return span != rule_spans_.rend() && at < span->end;
}

void Scanner::FindKnown(const KnownText& text) {
  known_state_ = known_->Scan(text.text, known_at_, text.final, known_state_, known_found_);
  known_at_ = text.size();
}

// What was found of known values takes its place among the spans; what overlaps becomes one.
void Scanner::MergeKnown() {
  if (known_found_.empty()) return;
  const auto rules = static_cast<int>(rules_.rules().size());
  for (const KnownValues::Found& found : known_found_) {
    if (found.end <= begin_) continue;
    const std::size_t begin = std::max(found.begin, begin_);
    // One that began in what has gone as part of a match is the rest of that match.
    const int what = found.begin < begin_ ? -1 : rules + static_cast<int>(found.value);
    spans_.push_back({begin, found.end, what, Swallow::kNothing, begin});
  }
  if (spans_.empty()) return;
  std::ranges::sort(spans_, [](const Span& a, const Span& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end != b.end ? a.end > b.end : a.what > b.what;
  });
  std::size_t kept = 0;
  for (std::size_t i = 1; i < spans_.size(); ++i) {
    if (spans_[i].begin >= spans_[kept].end) {
      spans_[++kept] = spans_[i];
      continue;
    }
    if (spans_[i].end >= spans_[kept].end && spans_[i].swallow != Swallow::kNothing)
      spans_[kept].swallow = spans_[i].swallow;
    spans_[kept].end = std::max(spans_[kept].end, spans_[i].end);
    spans_[kept].from = std::min(spans_[kept].from, spans_[i].from);
  }
  spans_.resize(kept + 1);
}

void Scanner::HoldBack(const KnownText& text) {
  if (text.final) {
    hold_ = text.size();
    return;
  }
  if (rules_.has_email()) hold_ = std::min(hold_, OpenEmail(text.text, begin_));
  if (rules_.has_numbers()) hold_ = std::min(hold_, OpenNumber(text.text, begin_));
  if (known_ != nullptr) hold_ = std::min(hold_, known_->OpenAt(text.text, known_state_));
  hold_ = std::max(hold_, begin_);
  // A match goes out whole, and only when nothing that may still come can change it. One that goes on past
  // what is known goes out as far as it is known, or is found again by what it was found by. From the last to
  // the first: those behind one that stays whole are not touched by its staying.
  for (const Span& span : std::views::reverse(spans_)) {
    if (span.swallow != Swallow::kNothing) {
      hold_ = span.begin < hold_ ? span.end : std::min(hold_, span.from);
    } else if (span.end > hold_) {
      hold_ = std::min(hold_, span.begin);
    }
  }
  hold_ = std::max(hold_, begin_);
}

// Of the rules' matches those that have not gone out, or that a place which is not decided may be inside of;
// but not one without an end: more text may change it.
void Scanner::KeepDecided() {
  const std::size_t done = std::min(begin_, scan_from_);
  std::erase_if(rule_spans_, [done](const Span& span) { return span.end <= done; });
  if (rule_spans_.empty() || rule_spans_.back().swallow == Swallow::kNothing) return;
  scan_from_ = rule_spans_.back().from;
  rule_spans_.pop_back();
}

void Scanner::Emit(ScanSink& sink) {
  const std::string_view text = buffer_;
  for (const Span& span : spans_) {
    if (span.end > hold_) break;
    if (span.begin > begin_) sink.Keep(text.substr(begin_, span.begin - begin_));
    sink.Drop(base_ + span.begin, base_ + span.end, span.what);
    begin_ = span.end;
    if (span.swallow == Swallow::kNothing) continue;
    scan_from_ = begin_;
    swallow_ = span.swallow;
    return;
  }
  if (hold_ > begin_) sink.Keep(text.substr(begin_, hold_ - begin_));
  begin_ = hold_;
}

void Scanner::Trim() {
  const std::size_t needed = std::min(begin_, scan_from_);
  if (needed > kContext) {
    const std::size_t gone = needed - kContext;
    buffer_.erase(0, gone);
    base_ += gone;
    begin_ -= gone;
    known_at_ -= gone;
    scan_from_ -= gone;
    for (Span& span : rule_spans_) {
      span.begin -= std::min(span.begin, gone);
      span.end -= gone;
      span.from -= std::min(span.from, gone);
    }
    std::erase_if(known_found_,
                  [gone, this](const KnownValues::Found& found) { return found.end <= begin_ + gone; });
    for (KnownValues::Found& found : known_found_) {
      found.begin -= std::min(found.begin, gone);
      found.end -= gone;
    }
  }
}

}  // namespace casemate
