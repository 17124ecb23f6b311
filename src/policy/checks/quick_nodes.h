#pragma once

#include "policy/checks/quick_parser.h"

namespace casemate {

// The children of a node that is being made, in order.
class QuickParser::Children {
 public:
  Children(QuickParser& parser, Ref parent) : parser_(parser), parent_(parent) {}

  void Add(Ref child, Field field = Field::kNone) {
    if (child == 0) return;
    parser_.made_[child].field = field;
    (last_ == 0 ? parser_.made_[parent_].first : parser_.made_[last_].next) = child;
    last_ = child;
  }
  Ref last() const { return last_; }
  // The parent, which ends where its last child does.
  Ref Done() {
    if (last_ != 0) parser_.made_[parent_].end = parser_.made_[last_].end;
    return parent_;
  }
  Ref DoneAt(std::uint32_t end) {
    parser_.made_[parent_].end = end;
    return parent_;
  }

 private:
  QuickParser& parser_;
  Ref parent_;
  Ref last_ = 0;
};

// What is nested deeper than this is the whole parser's.
class QuickParser::Deeper {
 public:
  explicit Deeper(QuickParser& parser) : parser_(parser) {
    if (++parser_.depth_ > kMost) parser_.Fault();
  }
  ~Deeper() { --parser_.depth_; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;

 private:
  static constexpr int kMost = 300;
  QuickParser& parser_;
};

}  // namespace casemate
