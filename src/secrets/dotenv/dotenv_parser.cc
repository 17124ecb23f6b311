#include "secrets/dotenv/dotenv_parser.h"

#include <fmt/format.h>

#include <algorithm>

namespace casemate::secrets {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::size_t kEntriesMax = 10'000;

std::unexpected<Error> Refuse(int line, std::string_view what) {
  return Fail(ErrorCode::kInvalidRequest, fmt::format("line {}: {}", line, what));
}

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '-';
}
bool IsBlank(char c) { return c == ' ' || c == '\t'; }

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {
    if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
  }

  Expected<std::vector<DotenvEntry>> Run() {
    if (text_.find('\0') != std::string_view::npos) {
      return Fail(ErrorCode::kInvalidRequest, "it has a zero byte: it must be text");
    }
    while (SkipToEntry()) {
      if (entries_.size() == kEntriesMax) return Refuse(line_, "there are too many variables");
      if (auto done = Entry(); !done) return std::unexpected(done.error());
    }
    return std::move(entries_);
  }

 private:
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\n'; }
  bool AtEnd() const { return at_ >= text_.size(); }
  void SkipBlanks() {
    while (!AtEnd() && IsBlank(text_[at_])) ++at_;
  }
  // The end of a line, with the carriage return of another system.
  bool AtLineEnd() const {
    return AtEnd() || Peek() == '\n' ||
           (Peek() == '\r' && (at_ + 1 == text_.size() || text_[at_ + 1] == '\n'));
  }
  void SkipLine() { at_ = std::min(text_.find('\n', at_), text_.size()); }

  // Past empty lines and comments; false at the end.
  bool SkipToEntry() {
    for (;;) {
      SkipBlanks();
      if (AtEnd()) return false;
      if (Peek() == '#') SkipLine();
      if (AtLineEnd()) {
        SkipLine();
        if (AtEnd()) return false;
        ++at_;
        ++line_;
        continue;
      }
      return true;
    }
  }

  std::string_view Name() {
    const std::size_t begin = at_;
    while (!AtEnd() && IsNameChar(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  Expected<void> Entry() {
    DotenvEntry entry;
    entry.line = line_;
    entry.name = Name();
    if (entry.name == "export" && !AtEnd() && IsBlank(Peek())) {
      SkipBlanks();
      if (Peek() != '=' && !AtLineEnd()) entry.name = Name();
    }
    if (entry.name.empty()) return Refuse(line_, "it has no name: write NAME=value");
    if (entry.name.front() >= '0' && entry.name.front() <= '9') {
      return Refuse(line_, "a name begins with a letter or an underscore");
    }
    SkipBlanks();
    if (AtLineEnd() || Peek() == '#') {
      SkipLine();
    } else if (Peek() != '=') {
      return Refuse(line_, "after a name comes \"=\": write NAME=value");
    } else {
      ++at_;
      entry.has_value = true;
      if (auto read = Value(entry); !read) return read;
    }
    entries_.push_back(entry);
    return {};
  }

  Expected<void> Value(DotenvEntry& entry) {
    const std::size_t before = at_;
    SkipBlanks();
    const char quote = Peek();
    if (!AtEnd() && (quote == '"' || quote == '\'' || quote == '`')) return Quoted(entry, quote);
    // White space and '#' begin a comment, even where a value would begin.
    const bool blank = at_ > before;
    const std::size_t begin = at_;
    while (!AtLineEnd()) {
      if (text_[at_] == '#' && (at_ == begin ? blank : IsBlank(text_[at_ - 1]))) break;
      ++at_;
    }
    std::size_t end = at_;
    while (end > begin && IsBlank(text_[end - 1])) --end;
    entry.raw = text_.substr(begin, end - begin);
    SkipLine();
    return {};
  }

  Expected<void> Quoted(DotenvEntry& entry, char quote) {
    const int first = line_;
    const std::size_t begin = ++at_;
    for (; !AtEnd() && text_[at_] != quote; ++at_) {
      if (text_[at_] == '\\' && quote != '`' && at_ + 1 < text_.size()) ++at_;
      if (text_[at_] == '\n') ++line_;
    }
    if (AtEnd()) return Refuse(first, "the quote that opens there is never closed");
    entry.quote = quote;
    entry.raw = text_.substr(begin, at_ - begin);
    ++at_;
    SkipBlanks();
    if (!AtLineEnd() && Peek() != '#')
      return Refuse(line_, "behind a closing quote comes nothing but a comment");
    SkipLine();
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int line_ = 1;
  std::vector<DotenvEntry> entries_;
};

}  // namespace

Expected<std::vector<DotenvEntry>> ParseDotenv(std::string_view text) { return Parser(text).Run(); }

}  // namespace casemate::secrets
