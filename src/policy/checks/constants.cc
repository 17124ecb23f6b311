#include "policy/checks/constants.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "model/base64.h"
#include "policy/checks/string_literal.h"

namespace casemate {
namespace {

constexpr std::size_t kTextMax = 4096;
constexpr int kDepthMax = 200;

using Text = std::optional<ConstantText>;

// What FoldFunction and FoldMethod know.
constexpr std::array<std::string_view, 5> kFunctions = {"bytearray", "bytes", "chr", "reversed", "str"};
constexpr std::array<std::string_view, 12> kMethods = {"b64decode", "casefold", "decode",   "encode",
                                                       "format",    "fromhex",  "join",     "lower",
                                                       "replace",   "strip",    "swapcase", "upper"};

template <std::size_t Count>
bool IsOneOf(const std::array<std::string_view, Count>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::string_view Trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\n\f\\");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\n\f\\") - begin + 1);
}

template <typename Function>
Text Mapped(Text text, Function map) {
  if (text) {
    std::ranges::transform(text->text, text->text.begin(), map);
    text->assembled = true;
  }
  return text;
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }
char Upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c & ~0x20) : c; }
char Swapped(char c) { return Lower(c) == c ? Upper(c) : Lower(c); }
char Rotated(char c) {
  if (Lower(c) < 'a' || Lower(c) > 'z') return c;
  return static_cast<char>(c + (Lower(c) < 'n' ? 13 : -13));
}

std::string Replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  if (from.empty()) return std::string(text);
  for (std::size_t at = text.find(from); at != std::string_view::npos; at = text.find(from)) {
    out += text.substr(0, at);
    out += to;
    text.remove_prefix(at + from.size());
  }
  return out += text;
}

class Folder {
 public:
  explicit Folder(const SyntaxTree& tree) : tree_(tree) {}

  Text Fold(NodeId node) {
    if (node == kNoNode || depth_ >= kDepthMax) return std::nullopt;
    ++depth_;
    Text text = FoldKind(node);
    --depth_;
    if (text && text->text.size() > kTextMax) return std::nullopt;
    return text;
  }

 private:
  Text FoldKind(NodeId node) {
    switch (tree_[node].kind) {
      case Kind::kString:
        return FoldString(node);
      case Kind::kConcatenatedString:
        return Joined(ChildrenOf(tree_, node), "");
      case Kind::kParenthesizedExpression: {
        const auto inner = ChildrenOf(tree_, node);
        return inner.size() == 1 ? Fold(inner[0]) : std::nullopt;
      }
      case Kind::kBinaryOperator:
        return FoldBinary(node);
      case Kind::kSubscript:
        return FoldSubscript(node);
      case Kind::kCall:
        return FoldCall(node);
      default:
        return std::nullopt;
    }
  }

  Text FoldString(NodeId node) {
    ConstantText whole;
    bool raw = false;
    for (const NodeId child : ChildrenOf(tree_, node)) {
      const SyntaxNode& part = tree_[child];
      if (part.kind == Kind::kStringStart) {
        raw = tree_.TextOf(child).find_first_of("rR") != std::string_view::npos;
      } else if (part.kind == Kind::kStringContent) {
        if (!AppendContent(child, raw, whole.text)) return std::nullopt;
      } else if (part.kind == Kind::kInterpolation) {
        const auto inner = ChildrenOf(tree_, child);
        const Text value = inner.empty() ? std::nullopt : Fold(inner[0]);
        if (!value) return std::nullopt;
        whole.text += value->text;
        whole.assembled = true;
      }
    }
    return whole;
  }

  // False for an escape whose character is not known here (\N{...}).
  bool AppendContent(NodeId content, bool raw, std::string& text) {
    std::uint32_t at = tree_[content].begin;
    const auto copy_until = [&](std::uint32_t end) {
      text += tree_.text().substr(at, end - at);
      at = end;
    };
    for (NodeId child = tree_[content].first_child; child != kNoNode; child = tree_[child].next) {
      if (tree_[child].kind != Kind::kEscapeSequence) continue;
      copy_until(tree_[child].begin);
      if (raw) continue;
      if (!AppendEscape(tree_.TextOf(child), text)) return false;
      at = tree_[child].end;
    }
    copy_until(tree_[content].end);
    return true;
  }

  Text Joined(const std::vector<NodeId>& parts, std::string_view between) {
    ConstantText whole{"", true};
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const Text part = Fold(parts[i]);
      if (!part || whole.text.size() > kTextMax) return std::nullopt;
      if (i > 0) whole.text += between;
      whole.text += part->text;
    }
    return whole;
  }

  Text FoldBinary(NodeId node) {
    const NodeId left = tree_.Child(node, Field::kLeft);
    const NodeId right = tree_.Child(node, Field::kRight);
    if (left == kNoNode || right == kNoNode) return std::nullopt;
    const std::string_view sign =
        Trimmed(tree_.text().substr(tree_[left].end, tree_[right].begin - tree_[left].end));
    if (sign == "+") return Joined({left, right}, "");
    if (sign == "%") return FoldPercent(left, right);
    if (sign != "*") return std::nullopt;
    const Text text = Fold(left);
    const auto times = FoldInteger(tree_, right);
    if (!text || !times || *times < 0 || *times > 64) return std::nullopt;
    ConstantText whole{"", true};
    for (std::int64_t i = 0; i < *times && whole.text.size() <= kTextMax; ++i) whole.text += text->text;
    return whole;
  }

  Text FoldPercent(NodeId left, NodeId right) {
    Text form = Fold(left);
    if (!form) return std::nullopt;
    const bool several = tree_[right].kind == Kind::kTuple;
    for (const NodeId part : several ? ChildrenOf(tree_, right) : std::vector<NodeId>{right}) {
      const std::size_t at = std::min(form->text.find("%s"), form->text.find("%c"));
      const Text value = Fold(part);
      if (!value || at == std::string::npos) return std::nullopt;
      form->text.replace(at, 2, value->text);
    }
    form->assembled = true;
    return form;
  }

  Text FoldSubscript(NodeId node) {
    Text text = Fold(tree_.Child(node, Field::kValue));
    const NodeId key = tree_.Child(node, Field::kSubscript);
    if (!text || key == kNoNode) return std::nullopt;
    text->assembled = true;
    const auto size = static_cast<std::int64_t>(text->text.size());
    if (tree_[key].kind != Kind::kSlice) {
      const auto index = FoldInteger(tree_, key);
      const std::int64_t at = index && *index < 0 ? size + *index : index.value_or(-1);
      if (at < 0 || at >= size) return std::nullopt;
      text->text = text->text.substr(static_cast<std::size_t>(at), 1);
      return text;
    }
    std::string slice(tree_.TextOf(key));
    std::erase_if(slice, [](char c) { return c == ' ' || c == '\n' || c == '\t'; });
    if (slice == "::-1") {
      std::ranges::reverse(text->text);
      return text;
    }
    return Sliced(*text, slice);
  }

  // "a:b:c" of literal numbers, each optional, with a step above zero.
  static Text Sliced(const ConstantText& text, std::string_view slice) {
    const auto size = static_cast<std::int64_t>(text.text.size());
    std::int64_t bounds[3] = {0, size, 1};
    for (int i = 0; i < 3 && !slice.empty(); ++i) {
      const std::string_view part = slice.substr(0, slice.find(':'));
      slice.remove_prefix(std::min(part.size() + 1, slice.size()));
      if (part.empty()) continue;
      const auto read = std::from_chars(part.data(), part.data() + part.size(), bounds[i]);
      if (read.ec != std::errc() || read.ptr != part.data() + part.size()) return std::nullopt;
      if (i < 2 && bounds[i] < 0) bounds[i] += size;
    }
    if (bounds[2] <= 0) return std::nullopt;
    ConstantText out{"", true};
    for (std::int64_t at = std::max<std::int64_t>(bounds[0], 0); at < std::min(bounds[1], size);
         at += bounds[2]) {
      out.text += text.text[static_cast<std::size_t>(at)];
    }
    return out;
  }

  Text FoldCall(NodeId node) {
    const NodeId function = tree_.Child(node, Field::kFunction);
    if (function == kNoNode) return std::nullopt;
    const bool method = tree_[function].kind == Kind::kAttribute;
    if (!method && tree_[function].kind != Kind::kIdentifier) return std::nullopt;
    const NodeId attribute = method ? tree_.Child(function, Field::kAttribute) : function;
    if (attribute == kNoNode) return std::nullopt;
    const std::string_view name = tree_.TextOf(attribute);
    if (method ? !IsOneOf(kMethods, name) : !IsOneOf(kFunctions, name)) return std::nullopt;
    const auto arguments = PlainArguments(tree_, node);
    if (!arguments) return std::nullopt;
    if (!method) return FoldFunction(name, *arguments);
    return FoldMethod(tree_.Child(function, Field::kObject), name, *arguments);
  }

  Text FoldFunction(std::string_view name, const std::vector<NodeId>& arguments) {
    if (arguments.size() != 1) return std::nullopt;
    if (name == "chr") {
      const auto point = FoldInteger(tree_, arguments[0]);
      if (!point || *point < 0 || *point > 0x7F) return std::nullopt;
      return ConstantText{std::string(1, static_cast<char>(*point)), true};
    }
    if (name == "str") return Fold(arguments[0]);
    if (name == "reversed") {
      Text text = Fold(arguments[0]);
      if (text) std::ranges::reverse(text->text);
      return text;
    }
    if (name == "bytes" || name == "bytearray") return FoldNumbers(arguments[0]);
    return std::nullopt;
  }

  // A list of character numbers.
  Text FoldNumbers(NodeId list) {
    if (tree_[list].kind != Kind::kList && tree_[list].kind != Kind::kTuple) return std::nullopt;
    ConstantText whole{"", true};
    for (const NodeId item : ChildrenOf(tree_, list)) {
      const auto point = FoldInteger(tree_, item);
      if (!point || *point < 0 || *point > 0x7F) return std::nullopt;
      whole.text += static_cast<char>(*point);
    }
    return whole;
  }

  Text FoldMethod(NodeId object, std::string_view method, const std::vector<NodeId>& arguments) {
    if (method == "b64decode" && !arguments.empty()) return FoldBase64(arguments[0]);
    if (method == "fromhex" && arguments.size() == 1) return FoldHex(arguments[0]);
    if (method == "decode" && arguments.size() == 2) {
      const Text codec = Fold(arguments[1]);
      if (codec && (codec->text == "rot13" || codec->text == "rot_13")) {
        return Mapped(Fold(arguments[0]), Rotated);
      }
    }
    if (method == "join" && arguments.size() == 1) return FoldJoin(object, arguments[0]);
    Text text = Fold(object);
    if (!text) return std::nullopt;
    if (method == "lower" || method == "casefold") return Mapped(std::move(text), Lower);
    if (method == "upper") return Mapped(std::move(text), Upper);
    if (method == "swapcase") return Mapped(std::move(text), Swapped);
    if (method == "decode" || method == "encode") return text;
    text->assembled = true;
    if (method == "strip" && arguments.empty()) {
      text->text = Trimmed(text->text);
      return text;
    }
    if (method == "replace" && arguments.size() == 2) {
      const Text from = Fold(arguments[0]);
      const Text to = Fold(arguments[1]);
      if (!from || !to) return std::nullopt;
      text->text = Replaced(text->text, from->text, to->text);
      return text;
    }
    if (method == "format") return FoldFormat(*std::move(text), arguments);
    return std::nullopt;
  }

  Text FoldFormat(ConstantText form, const std::vector<NodeId>& arguments) {
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      const Text value = Fold(arguments[i]);
      if (!value) return std::nullopt;
      form.text = Replaced(form.text, "{" + std::to_string(i) + "}", value->text);
      const std::size_t at = form.text.find("{}");
      if (at != std::string::npos) form.text.replace(at, 2, value->text);
    }
    return form;
  }

  // A sequence of texts, or of numbers that are given to chr.
  Text FoldJoin(NodeId between_node, NodeId list) {
    const Text between = Fold(between_node);
    if (!between) return std::nullopt;
    if (tree_[list].kind == Kind::kList || tree_[list].kind == Kind::kTuple) {
      return Joined(ChildrenOf(tree_, list), between->text);
    }
    if (tree_[list].kind == Kind::kCall && between->text.empty()) {
      const NodeId function = tree_.Child(list, Field::kFunction);
      const auto arguments = PlainArguments(tree_, list);
      if (function != kNoNode && arguments && arguments->size() == 2 && tree_.TextOf(function) == "map" &&
          tree_.TextOf((*arguments)[0]) == "chr") {
        return FoldNumbers((*arguments)[1]);
      }
      return Fold(list);
    }
    if (tree_[list].kind == Kind::kGeneratorExpression || tree_[list].kind == Kind::kListComprehension) {
      return FoldComprehension(list);
    }
    return between->text.empty() ? Fold(list) : std::nullopt;
  }

  // chr(x) for x in [numbers].
  Text FoldComprehension(NodeId node) {
    const auto parts = ChildrenOf(tree_, node);
    if (parts.size() != 2 || tree_[parts[1]].kind != Kind::kForInClause) return std::nullopt;
    const NodeId right = tree_.Child(parts[1], Field::kRight);
    if (right == kNoNode || !tree_.TextOf(parts[0]).starts_with("chr(")) return std::nullopt;
    return FoldNumbers(right);
  }

  Text FoldBase64(NodeId node) {
    const Text text = Fold(node);
    if (!text) return std::nullopt;
    auto bytes = DecodeBase64(text->text);
    if (!bytes) return std::nullopt;
    return ConstantText{*std::move(bytes), true};
  }

  Text FoldHex(NodeId node) {
    const Text text = Fold(node);
    if (!text || text->text.size() % 2 != 0) return std::nullopt;
    ConstantText whole{"", true};
    for (std::size_t at = 0; at < text->text.size(); at += 2) {
      unsigned value = 0;
      const char* begin = text->text.data() + at;
      if (std::from_chars(begin, begin + 2, value, 16).ptr != begin + 2) return std::nullopt;
      whole.text += static_cast<char>(value);
    }
    return whole;
  }

  const SyntaxTree& tree_;
  int depth_ = 0;
};

}  // namespace

std::optional<ConstantText> FoldText(const SyntaxTree& tree, NodeId node) { return Folder(tree).Fold(node); }

std::optional<std::int64_t> FoldInteger(const SyntaxTree& tree, NodeId node) {
  std::string text(tree.TextOf(node));
  std::erase_if(text, [](char c) { return c == '_' || c == ' '; });
  std::string_view digits = text;
  const bool negative = digits.starts_with('-');
  if (negative) digits.remove_prefix(1);
  int base = 10;
  if (digits.size() > 2 && digits[0] == '0') {
    const char mark = Lower(digits[1]);
    base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
    if (base != 10) digits.remove_prefix(2);
  }
  std::int64_t value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (digits.empty() || read.ec != std::errc() || read.ptr != digits.data() + digits.size())
    return std::nullopt;
  return negative ? -value : value;
}

std::optional<std::vector<NodeId>> PlainArguments(const SyntaxTree& tree, NodeId call) {
  std::vector<NodeId> plain;
  const NodeId arguments = tree.Child(call, Field::kArguments);
  if (arguments == kNoNode) return plain;
  // f(x for x in y) has its comprehension in the place of the arguments.
  if (tree[arguments].kind == Kind::kGeneratorExpression) return std::vector<NodeId>{arguments};
  for (const NodeId child : ChildrenOf(tree, arguments)) {
    if (tree[child].kind == Kind::kListSplat || tree[child].kind == Kind::kDictionarySplat)
      return std::nullopt;
    if (tree[child].kind != Kind::kKeywordArgument) plain.push_back(child);
  }
  return plain;
}

std::vector<NodeId> ChildrenOf(const SyntaxTree& tree, NodeId node) {
  std::vector<NodeId> children;
  for (NodeId child = tree[node].first_child; child != kNoNode; child = tree[child].next) {
    if (tree[child].kind != Kind::kComment) children.push_back(child);
  }
  return children;
}

}  // namespace casemate
