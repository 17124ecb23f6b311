#include "policy/checks/measure_complexity.h"

#include <algorithm>
#include <string>

namespace casemate {
namespace {

struct Open {
  NodeId node;
  std::size_t measure;  // the index of the function's numbers
};

bool IsLoop(Kind kind) {
  return kind == Kind::kForStatement || kind == Kind::kWhileStatement || kind == Kind::kForInClause;
}

bool IsDecision(Kind kind) {
  switch (kind) {
    case Kind::kIfStatement:
    case Kind::kElifClause:
    case Kind::kConditionalExpression:
    case Kind::kBooleanOperator:
    case Kind::kExceptClause:
    case Kind::kExceptGroupClause:
    case Kind::kCaseClause:
    case Kind::kIfClause:
      return true;
    default:
      return IsLoop(kind);
  }
}

bool IsBlock(Kind kind) {
  switch (kind) {
    case Kind::kIfStatement:
    case Kind::kForStatement:
    case Kind::kWhileStatement:
    case Kind::kTryStatement:
    case Kind::kWithStatement:
    case Kind::kMatchStatement:
    case Kind::kFunctionDefinition:
    case Kind::kClassDefinition:
      return true;
    default:
      return false;
  }
}

std::int64_t LinesOf(std::string_view text) {
  return std::ranges::count(text, '\n') + (text.empty() || text.back() == '\n' ? 0 : 1);
}

// The levels around a node, kept along the walk.
struct Around {
  NodeId node;
  std::int64_t blocks;
  std::int64_t loops;
};

class Meter {
 public:
  explicit Meter(const SyntaxTree& tree) : tree_(tree) {}

  std::vector<Complexity> Measure() {
    all_.emplace_back().lines = LinesOf(tree_.text());
    open_.push_back({0, 0});
    levels_.push_back({0, 0, 0});
    for (NodeId id = 1; id < tree_.nodes().size(); ++id) Take(id);
    return std::move(all_);
  }

 private:
  void Take(NodeId id) {
    const SyntaxNode& node = tree_[id];
    while (levels_.size() > 1 && tree_[levels_.back().node].end <= node.begin) levels_.pop_back();
    while (open_.size() > 1 && tree_[open_.back().node].end <= node.begin) open_.pop_back();
    const bool block = IsBlock(node.kind);
    const bool loop = IsLoop(node.kind);
    const bool function = node.kind == Kind::kFunctionDefinition;
    if (block || loop) {
      // The clauses of one comprehension stand beside each other, and nest all the same.
      const NodeId owner = node.kind == Kind::kForInClause ? node.parent : id;
      levels_.push_back(
          {owner, levels_.back().blocks + (block ? 1 : 0), levels_.back().loops + (loop ? 1 : 0)});
    }
    const Around around = levels_.back();
    if (function || node.kind == Kind::kLambda) {
      for (const Open& open : open_) ++all_[open.measure].functions;
    }
    if (function) Begin(id);
    for (const Open& open : open_) {
      Complexity& measure = all_[open.measure];
      if (IsDecision(node.kind)) ++measure.cyclomatic;
      if (node.kind == Kind::kCall) ++measure.calls;
      if (!block && !loop) continue;
      if (loop) ++measure.loops;
      const Around& base = bases_.empty() || open.measure == 0 ? kTop : bases_[open.measure - 1];
      measure.nesting = std::max(measure.nesting, around.blocks - base.blocks);
      measure.loop_depth = std::max(measure.loop_depth, around.loops - base.loops);
    }
  }

  void Begin(NodeId id) {
    std::string name;
    for (NodeId at = id; at != kNoNode; at = tree_[at].parent) {
      if (tree_[at].kind != Kind::kFunctionDefinition && tree_[at].kind != Kind::kClassDefinition) continue;
      const NodeId own = tree_.Child(at, Field::kName);
      if (own == kNoNode || name.size() > 200) continue;
      name = std::string(tree_.TextOf(own)) + (name.empty() ? "" : ".") + name;
    }
    Complexity measure;
    measure.name = std::move(name);
    const std::uint32_t begin = tree_[id].begin;
    line_ += std::ranges::count(tree_.text().substr(counted_, begin - counted_), '\n');
    counted_ = begin;
    measure.line = line_;
    measure.lines = LinesOf(tree_.TextOf(id));
    open_.push_back({id, all_.size()});
    bases_.push_back(levels_.back());
    all_.push_back(std::move(measure));
  }

  static constexpr Around kTop{0, 0, 0};

  const SyntaxTree& tree_;
  std::vector<Complexity> all_;
  std::vector<Around> bases_;  // by function: what is around it, itself with it
  std::vector<Open> open_;
  std::vector<Around> levels_;
  std::int64_t line_ = 1;
  std::uint32_t counted_ = 0;
};

}  // namespace

const ComplexityField* FindComplexity(std::string_view name) {
  const auto* found = std::ranges::find(kComplexityFields, name, &ComplexityField::name);
  return found == kComplexityFields.end() ? nullptr : found;
}

std::vector<Complexity> MeasureComplexity(const SyntaxTree& tree) { return Meter(tree).Measure(); }

}  // namespace casemate
