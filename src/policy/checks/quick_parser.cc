#include "policy/checks/quick_parser.h"

#include "policy/checks/quick_nodes.h"

namespace casemate {

QuickParser::QuickParser(std::string_view text) : lexer_(text) { made_.reserve(text.size() / 5 + 16); }

std::optional<std::vector<SyntaxNode>> QuickParser::Parse() {
  const auto size = static_cast<std::uint32_t>(lexer_.text().size());
  const Ref module = Make(Kind::kModule, 0, size);
  Children statements(*this, module);
  while (!Is(Token::kEnd) && !Is(Token::kFault)) ReadStatement(statements);
  if (Is(Token::kFault)) return std::nullopt;
  return Flatten();
}

QuickParser::Ref QuickParser::Make(Kind kind, std::uint32_t begin, std::uint32_t end) {
  made_.push_back({.begin = begin, .end = end, .kind = kind});
  return static_cast<Ref>(made_.size() - 1);
}

// The token that is there, as a node.
QuickParser::Ref QuickParser::Leaf(Kind kind) {
  const Ref leaf = Make(kind, lexer_.begin(), lexer_.end());
  lexer_.Next();
  return leaf;
}

QuickParser::Ref QuickParser::Around(Kind kind, Ref inner, Field field) {
  const Ref made = Make(kind, made_[inner].begin, made_[inner].end);
  made_[made].first = inner;
  made_[inner].field = field;
  return made;
}

QuickParser::Ref QuickParser::Pair(Kind kind, Ref left, Ref right) {
  const Ref made = Make(kind, made_[left].begin, made_[right].end);
  made_[made].first = left;
  made_[left].next = right;
  return made;
}

bool QuickParser::Take(Token token) {
  if (!Is(token)) return false;
  lexer_.Next();
  return true;
}

bool QuickParser::Expect(Token token) {
  if (Take(token)) return true;
  Fault();
  return false;
}

std::uint32_t QuickParser::ExpectEnd(Token token) {
  const std::uint32_t end = lexer_.end();
  Expect(token);
  return end;
}

std::vector<SyntaxNode> QuickParser::Flatten() const {
  std::vector<SyntaxNode> nodes;
  nodes.reserve(made_.size());
  NodeId parent = kNoNode;
  std::uint32_t depth = 0;
  std::vector<Ref> above;
  Ref at = 0;
  while (true) {
    const Made& made = made_[at];
    const auto id = static_cast<NodeId>(nodes.size());
    nodes.push_back({.kind = made.kind,
                     .field = made.field,
                     .depth = depth,
                     .begin = made.begin,
                     .end = made.end,
                     .parent = parent});
    if (made.first != 0) {
      nodes[id].first_child = id + 1;
      parent = id;
      above.push_back(at);
      ++depth;
      at = made.first;
      continue;
    }
    NodeId done = id;
    while (made_[at].next == 0) {
      if (above.empty()) return nodes;
      at = above.back();
      above.pop_back();
      done = parent;
      parent = nodes[parent].parent;
      --depth;
    }
    if (parent == kNoNode) return nodes;
    nodes[done].next = static_cast<NodeId>(nodes.size());
    at = made_[at].next;
  }
}

}  // namespace casemate
