#include "redact/number_shapes.h"

#include <algorithm>

#include "redact/text_class.h"

namespace casemate {
namespace {

bool FitsShape(char c, char shape) {
  if (shape == 'D') return Is(c, kDigitChar);
  if (shape == 'A') return Is(c, kUpperChar);
  return c == shape;
}

bool FitsLead(const KnownText& known, std::size_t begin, std::string_view lead) {
  for (std::size_t i = 0; i < lead.size(); ++i) {
    if (!FitsShape(known[begin + i], lead[i])) return false;
  }
  return true;
}

bool MayBegin(const KnownText& known, std::size_t begin) {
  if (begin == 0) return true;
  const char before = known[begin - 1];
  if (Is(before, kAlnumChars)) return false;
  switch (before) {
    case '_':
    case '.':
    case '-':
    case '+':
    case '/':
      return false;
    case ':':
      return begin >= 2 && !Is(known[begin - 2], kDigitChar);
    default:
      return true;
  }
}

// Whether a number ends before `end`: kFound, kNone, or kOpen when more must be seen.
Match::State EndsAt(const KnownText& known, std::size_t end) {
  if (known.Unknown(end)) return Match::State::kOpen;
  const char after = end < known.size() ? known[end] : '\n';
  if (Is(after, kAlnumChars) || after == '_') return Match::State::kNone;
  if (after == '-' || after == '.' || after == '/' || after == ':') {
    if (known.Unknown(end + 1)) return Match::State::kOpen;
    if (end + 1 < known.size() && Is(known[end + 1], kDigitChar)) return Match::State::kNone;
  }
  return Match::State::kFound;
}

}  // namespace

struct NumberShapes::Search {
  const KnownText& known;
  const Judge& judge;
  std::size_t begin = 0;
  Match best;
  std::uint16_t rule = 0;
  bool open = false;
  std::size_t open_from = 0;

  void Open() {
    open_from = open ? std::min(open_from, begin) : begin;
    open = true;
  }
  void Offer(std::uint16_t each, std::size_t end) {
    const std::size_t length = best.end - best.begin;
    if (end - begin < length || (end - begin == length && each >= rule)) return;
    if (!judge.Takes(each, known.text.substr(begin, end - begin))) return;
    best = Match::Found(begin, end);
    rule = each;
  }
};

std::uint32_t NumberShapes::Step(std::uint32_t from, char shape) {
  const auto next = static_cast<std::uint32_t>(nodes_.size());
  Node& node = nodes_[from];
  std::uint32_t* place = nullptr;
  if (shape == 'D') {
    place = &node.digit;
  } else if (shape == 'A') {
    place = &node.capital;
  } else {
    const auto same = std::ranges::find(node.others, shape, &std::pair<char, std::uint32_t>::first);
    place = same != node.others.end() ? &same->second : &node.others.emplace_back(shape, kNone).second;
  }
  if (*place != kNone) return *place;
  *place = next;
  nodes_.emplace_back();
  return next;
}

void NumberShapes::Add(std::string_view shape, std::uint16_t rule) {
  const std::string_view lead = shape.substr(0, shape.find('D'));
  auto tree = std::ranges::find(trees_, lead, &Tree::lead);
  if (tree == trees_.end()) {
    trees_.push_back({std::string(lead), static_cast<std::uint32_t>(nodes_.size())});
    nodes_.emplace_back();
    tree = trees_.end() - 1;
  }
  std::uint32_t node = tree->root;
  for (const char c : shape.substr(lead.size())) node = Step(node, c);
  nodes_[node].rules.push_back(rule);
}

void NumberShapes::Walk(Search& search, std::uint32_t node, std::size_t at) const {
  // Most layouts have one way on, so the loop goes along it; a capital or a literal beside a digit is rare.
  for (; node != kNone; ++at) {
    const Node& here = nodes_[node];
    if (!here.rules.empty()) {
      const Match::State end = EndsAt(search.known, at);
      if (end == Match::State::kOpen) search.Open();
      if (end == Match::State::kFound) {
        for (const std::uint16_t rule : here.rules) search.Offer(rule, at);
      }
    }
    if (here.IsLeaf()) return;
    if (at >= search.known.size()) {
      if (!search.known.final) search.Open();
      return;
    }
    const char c = search.known[at];
    for (const auto& [other, next] : here.others) {
      if (c == other) Walk(search, next, at + 1);
    }
    if (here.capital != kNone && Is(c, kUpperChar)) Walk(search, here.capital, at + 1);
    node = Is(c, kDigitChar) ? here.digit : kNone;
  }
}

Match NumberShapes::Find(const KnownText& known, std::size_t at, const Judge& judge,
                         std::uint16_t& rule) const {
  Search search{known, judge};
  const char before = at > 0 ? known[at - 1] : '\n';
  for (const Tree& tree : trees_) {
    if (!tree.lead.empty() && (at < tree.lead.size() || !FitsShape(before, tree.lead.back()))) continue;
    search.begin = at - tree.lead.size();
    if (!MayBegin(known, search.begin) || !FitsLead(known, search.begin, tree.lead)) continue;
    Walk(search, tree.root, at);
  }
  if (search.open) return Match::Open(search.open_from);
  rule = search.rule;
  return search.best;
}

}  // namespace casemate
