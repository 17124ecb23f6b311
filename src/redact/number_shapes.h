#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "redact/match.h"

namespace casemate {

// The layouts of numbers of many rules (D digit, A capital, all else itself), all looked for at once: one
// tree for each text that comes before a layout's first digit. Immutable once filled; any number of threads.
class NumberShapes {
 public:
  void Add(std::string_view shape, std::uint16_t rule);
  bool empty() const { return trees_.empty(); }

  // What is asked of each layout that fits: whether its rule takes these digits.
  class Judge {
   public:
    virtual ~Judge() = default;
    virtual bool Takes(std::uint16_t rule, std::string_view digits) const = 0;
  };
  // The longest number whose first digit is at `at`, whole, that its rule takes; of equally long ones the one
  // of the first rule. kOpen where a longer text could still change that.
  Match Find(const KnownText& known, std::size_t at, const Judge& judge, std::uint16_t& rule) const;

 private:
  static constexpr std::uint32_t kNone = 0;
  struct Node {
    std::uint32_t digit = kNone;
    std::uint32_t capital = kNone;
    std::vector<std::pair<char, std::uint32_t>> others;
    std::vector<std::uint16_t> rules;  // of the layouts that end here
    bool IsLeaf() const { return digit == kNone && capital == kNone && others.empty(); }
  };
  struct Tree {
    std::string lead;
    std::uint32_t root;
  };
  struct Search;
  std::uint32_t Step(std::uint32_t from, char shape);
  void Walk(Search& search, std::uint32_t node, std::size_t at) const;

  std::vector<Tree> trees_;
  std::vector<Node> nodes_{1};  // the first is no node: kNone
};

}  // namespace casemate
