#include "batch/json_members.h"

namespace casemate {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool Take(char wanted) {
    SkipSpaces();
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  bool AtEnd() {
    SkipSpaces();
    return at_ == text_.size();
  }

  // What is between the quotes of the string that comes next.
  std::optional<std::string_view> TakeString() {
    SkipSpaces();
    const std::size_t begin = at_;
    if (!SkipString()) return std::nullopt;
    return text_.substr(begin + 1, at_ - begin - 2);
  }

  std::optional<std::string_view> TakeValue() {
    SkipSpaces();
    const std::size_t begin = at_;
    std::size_t depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"') {
        if (!SkipString()) return std::nullopt;
      } else if (c == '{' || c == '[') {
        ++depth, ++at_;
      } else if (depth > 0 && (c == '}' || c == ']')) {
        --depth, ++at_;
      } else if (depth == 0 && (c == ',' || c == '}' || kSpaces.contains(c))) {
        break;
      } else {
        ++at_;
      }
    }
    if (at_ == begin || at_ == text_.size() || depth != 0) return std::nullopt;
    return text_.substr(begin, at_ - begin);
  }

 private:
  void SkipSpaces() {
    while (at_ < text_.size() && kSpaces.contains(text_[at_])) ++at_;
  }
  bool SkipString() {
    if (at_ >= text_.size() || text_[at_] != '"') return false;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] == '\\') {
        ++at_;
      } else if (text_[at_] == '"') {
        ++at_;
        return true;
      }
    }
    return false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

std::optional<std::vector<std::pair<std::string_view, std::string_view>>> SplitObject(std::string_view text) {
  std::vector<std::pair<std::string_view, std::string_view>> members;
  Scanner scanner(text);
  if (!scanner.Take('{')) return std::nullopt;
  if (scanner.Take('}')) return scanner.AtEnd() ? std::optional(members) : std::nullopt;
  do {
    const auto key = scanner.TakeString();
    if (!key || !scanner.Take(':')) return std::nullopt;
    const auto value = scanner.TakeValue();
    if (!value) return std::nullopt;
    members.emplace_back(*key, *value);
  } while (scanner.Take(','));
  if (!scanner.Take('}') || !scanner.AtEnd()) return std::nullopt;
  return members;
}

std::string_view FindMember(std::string_view text, std::string_view key) {
  const auto members = SplitObject(text);
  if (!members) return {};
  for (const auto& [name, value] : *members) {
    if (name == key) return value;
  }
  return {};
}

std::string_view Unquote(std::string_view value) {
  return value.size() >= 2 && value.front() == '"' ? value.substr(1, value.size() - 2) : std::string_view();
}

}  // namespace casemate
