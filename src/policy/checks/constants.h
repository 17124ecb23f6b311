#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/checks/syntax_tree.h"

namespace casemate {

// A text that an expression always has.
struct ConstantText {
  std::string text;
  bool assembled = false;  // put together out of pieces, not written in one
};

// The text that `node` always has, where that can be told without running it: literals with their escapes, +,
// * and %, slices, f-strings, join, replace, format, lower, chr, bytes, base64, rot13 and the like. nullopt
// for all else, also for texts above 4 KiB. Bytes count as text.
std::optional<ConstantText> FoldText(const SyntaxTree& tree, NodeId node);

// The literal whole number at `node`.
std::optional<std::int64_t> FoldInteger(const SyntaxTree& tree, NodeId node);

// The arguments of a call without names, in order; nullopt when one is a splat (*args).
std::optional<std::vector<NodeId>> PlainArguments(const SyntaxTree& tree, NodeId call);

// The children of `node` that are no comments.
std::vector<NodeId> ChildrenOf(const SyntaxTree& tree, NodeId node);

}  // namespace casemate
