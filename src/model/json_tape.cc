#include "model/json_tape.h"

#include <algorithm>

#include "model/decimal.h"

namespace casemate {
namespace {

using Kind = JsonTape::Kind;

Kind KindOf(char first) {
  switch (first) {
    case 'n':
      return Kind::kNull;
    case 't':
    case 'f':
      return Kind::kBool;
    case '"':
      return Kind::kString;
    case '[':
      return Kind::kArray;
    case '{':
      return Kind::kObject;
    default:
      return Kind::kNumber;
  }
}

// Where the scalar that starts at `start` ends. The text is known to be good.
std::size_t ScalarEnd(std::string_view text, std::size_t start) {
  if (text[start] != '"') return std::min(text.find_first_of(",]}", start), text.size());
  std::size_t at = start + 1;
  while (text[at] != '"') at += text[at] == '\\' ? 2U : 1U;
  return at + 1;
}

char Unescape(char c) {
  constexpr std::string_view kNames = "bfnrt", kValues = "\b\f\n\r\t";
  const auto at = kNames.find(c);
  return at == std::string_view::npos ? c : kValues[at];
}

int HexDigit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

}  // namespace

JsonTape::JsonTape(const JsonText& json) : text_(json.text()) {
  std::vector<Index> open;
  for (std::size_t at = 0; at < text_.size();) {
    const char c = text_[at];
    if (c == ',' || c == ':') {
      ++at;
      continue;
    }
    if (c == ']' || c == '}') {
      Node& closed = nodes_[open.back()];
      closed.next = static_cast<Index>(nodes_.size());
      if (closed.kind == Kind::kObject) closed.size /= 2;
      open.pop_back();
      ++at;
      continue;
    }
    if (!open.empty()) ++nodes_[open.back()].size;
    const auto self = static_cast<Index>(nodes_.size());
    nodes_.push_back({at, self + 1, 0, KindOf(c)});
    if (c == '[' || c == '{') {
      open.push_back(self);
      ++at;
    } else {
      at = ScalarEnd(text_, at);
    }
  }
}

std::string_view JsonTape::raw(Index node) const {
  const std::size_t start = nodes_[node].start;
  return text_.substr(start, ScalarEnd(text_, start) - start);
}

std::string_view JsonTape::text(Index node) const {
  if (kind(node) != Kind::kArray && kind(node) != Kind::kObject) return raw(node);
  const std::size_t start = nodes_[node].start;
  std::size_t depth = 0;
  for (std::size_t at = start;; ++at) {
    switch (text_[at]) {
      case '"':
        at = ScalarEnd(text_, at) - 1;
        break;
      case '[':
      case '{':
        ++depth;
        break;
      case ']':
      case '}':
        if (--depth == 0) return text_.substr(start, at + 1 - start);
        break;
      default:
        break;
    }
  }
}

std::size_t JsonTape::span(Index node) const {
  const Index next = nodes_[node].next;
  return (next < nodes_.size() ? nodes_[next].start : text_.size()) - nodes_[node].start;
}

std::string JsonTape::String(Index node) const {
  std::string_view content = raw(node);
  content = content.substr(1, content.size() - 2);
  std::string string;
  string.reserve(content.size());
  for (std::size_t i = 0; i < content.size(); ++i) {
    if (content[i] != '\\') {
      string += content[i];
    } else if (content[++i] == 'u') {
      // The compact form escapes nothing above 0x1f in this way.
      string += static_cast<char>(HexDigit(content[i + 3]) * 16 + HexDigit(content[i + 4]));
      i += 4;
    } else {
      string += Unescape(content[i]);
    }
  }
  return string;
}

std::string JsonTape::NormalForm(Index node) const {
  std::string out;
  AppendNormalForm(out, node);
  return out;
}

void JsonTape::AppendNormalForm(std::string& out, Index node) const {
  switch (kind(node)) {
    case Kind::kNull:
    case Kind::kBool:
    case Kind::kString:
      out += raw(node);
      return;
    case Kind::kNumber:
      out += Decimal::FromJson(raw(node)).NormalText();
      return;
    case Kind::kArray:
      out += '[';
      for (Index item = FirstChild(node); item != End(node); item = Next(item)) {
        AppendNormalForm(out, item);
        out += ',';
      }
      out += ']';
      return;
    case Kind::kObject: {
      std::vector<Index> keys;
      for (Index key = FirstChild(node); key != End(node); key = Next(Next(key))) keys.push_back(key);
      std::sort(keys.begin(), keys.end(), [this](Index a, Index b) { return raw(a) < raw(b); });
      out += '{';
      for (const Index key : keys) {
        out += raw(key);
        out += ':';
        AppendNormalForm(out, Next(key));
        out += ',';
      }
      out += '}';
      return;
    }
  }
}

}  // namespace casemate
