// A value is walked twice: once to count its bytes, then into locked memory of just that size.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "secrets/dotenv/dotenv_parser.h"

namespace casemate::secrets {
namespace {

constexpr int kDepthMax = 32;
// Lines that refer to each other could double the work with each line.
constexpr int kReferencesMax = 10'000;

std::unexpected<Error> Refuse(int line, std::string_view what) {
  return Fail(ErrorCode::kInvalidRequest, fmt::format("line {}: {}", line, what));
}

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsNameChar(char c) { return IsNameStart(c) || (c >= '0' && c <= '9'); }

struct Escape {
  char letter;
  char byte;
};
constexpr std::array kEscapes = {Escape{'n', '\n'}, Escape{'r', '\r'},  Escape{'t', '\t'}, Escape{'f', '\f'},
                                 Escape{'v', '\v'}, Escape{'a', '\a'},  Escape{'b', '\b'}, Escape{'\\', '\\'},
                                 Escape{'"', '"'},  Escape{'\'', '\''}, Escape{'$', '$'},  Escape{'`', '`'}};

// Where a value goes: counted, and kept when there is a place for it.
class Sink {
 public:
  explicit Sink(SecretValue* place) : place_(place) {}
  [[nodiscard]] bool Put(std::string_view bytes) {
    count_ += bytes.size();
    return count_ <= kSecretBytesMax && (place_ == nullptr || place_->Append(bytes));
  }
  std::size_t count() const { return count_; }

 private:
  SecretValue* place_;
  std::size_t count_ = 0;
};

class Expander {
 public:
  Expander(const std::vector<DotenvEntry>& entries, const ProcessVariable& variable, Sink& sink)
      : entries_(entries), variable_(variable), sink_(&sink) {}

  // The value of the entry before `end` that has the name.
  Expected<void> Entry(std::size_t index, int depth) {
    const DotenvEntry& entry = entries_[index];
    if (entry.quote == '`') return Put(entry.raw, entry.line);
    return Text(entry.raw, {index, entry.line, entry.quote, depth});
  }

  std::optional<std::size_t> Find(std::string_view name, std::size_t end) const {
    for (std::size_t i = end; i-- > 0;) {
      if (entries_[i].name == name && entries_[i].has_value) return i;
    }
    return std::nullopt;
  }

 private:
  // The entry whose text is walked.
  struct Where {
    std::size_t index;
    int line;
    char quote;
    int depth;
  };

  Expected<void> Put(std::string_view bytes, int line) {
    if (sink_->Put(bytes)) return {};
    return Refuse(line, fmt::format("the value has more than {} bytes", kSecretBytesMax));
  }

  Expected<void> Text(std::string_view text, const Where& where) {  // NOLINT(misc-no-recursion): kDepthMax
    Expected<void> done;
    while (done && !text.empty()) {
      const std::size_t plain = std::min(text.find_first_of("\\$"), text.size());
      done = Put(text.substr(0, plain), where.line);
      text.remove_prefix(plain);
      if (!done || text.empty()) return done;
      done = text.front() == '\\' ? TakeEscape(text, where) : TakeReference(text, where);
    }
    return done;
  }

  Expected<void> TakeEscape(std::string_view& text, const Where& where) {
    const char next = text.size() > 1 ? text[1] : '\0';
    const auto* const escape = std::ranges::find(kEscapes, next, &Escape::letter);
    bool known = escape != kEscapes.end();
    if (where.quote == '\'') known = next == '\\' || next == '\'';
    if (where.quote == '\0') known = next == '$';
    if (!known) {
      text.remove_prefix(1);
      return Put("\\", where.line);
    }
    text.remove_prefix(2);
    return Put({&escape->byte, 1}, where.line);
  }

  Expected<void> TakeReference(std::string_view& text, const Where& where) {  // NOLINT(misc-no-recursion)
    const bool braced = text.size() > 1 && text[1] == '{';
    const std::size_t begin = braced ? 2 : 1;
    std::size_t end = begin;
    if (end < text.size() && IsNameStart(text[end])) {
      while (end < text.size() && IsNameChar(text[end])) ++end;
    }
    if (where.quote == '\'' || (!braced && end == begin)) {
      text.remove_prefix(1);
      return Put("$", where.line);
    }
    const std::string_view name = text.substr(begin, end - begin);
    if (!braced) {
      text.remove_prefix(end);
      return Replace(name, "", where);
    }
    const std::size_t close = FindClose(text, end);
    if (end == begin || close == std::string_view::npos) {
      return Refuse(where.line, "a \"${\" is not closed, or has no name: write \"\\$\" for a plain dollar");
    }
    const std::string_view rest = text.substr(end, close - end);
    text.remove_prefix(close + 1);
    return Replace(name, rest, where);
  }

  // The brace that closes the one before `at`; those of words within are passed over.
  static std::size_t FindClose(std::string_view text, std::size_t at) {
    int open = 1;
    for (; at < text.size(); ++at) {
      if (text[at] == '\\') {
        ++at;
      } else if (text[at] == '{' && text[at - 1] == '$') {
        ++open;
      } else if (text[at] == '}' && --open == 0) {
        return at;
      }
    }
    return std::string_view::npos;
  }

  // `rest` is what stands behind the name in the braces: an operator and its word, or nothing.
  Expected<void> Replace(std::string_view name, std::string_view rest,  // NOLINT(misc-no-recursion)
                         const Where& where) {
    if (++references_ > kReferencesMax || where.depth >= kDepthMax) {
      return Refuse(where.line, "it refers to too many other lines");
    }
    const bool or_empty = rest.starts_with(':');
    if (or_empty) rest.remove_prefix(1);
    const char op = rest.empty() ? '\0' : rest.front();
    if ((or_empty && op == '\0') || (op != '\0' && op != '-' && op != '+' && op != '?')) {
      return Refuse(
          where.line,
          "in ${NAME...} stands :-, -, :+, +, :? or ? and a word: write \"\\$\" for a plain dollar");
    }
    const std::string_view word = rest.empty() ? rest : rest.substr(1);
    const std::optional<std::size_t> found = Find(name, where.index);
    const std::optional<std::string_view> outer = found ? std::nullopt : variable_(name);
    bool given = found || outer;
    if (given && or_empty) {
      auto size = Measure(found, outer, where);
      if (!size) return std::unexpected(size.error());
      given = *size > 0;
    }
    const Where inner{where.index, where.line, where.quote, where.depth + 1};
    if (op == '+') return given ? Text(word, inner) : Expected<void>();
    if (given) return found ? Entry(*found, where.depth + 1) : Put(*outer, where.line);
    if (op == '-') return Text(word, inner);
    // Neither name nor word is repeated: a plain dollar in a password looks like a reference.
    return Refuse(where.line,
                  "it refers to a variable that is not set: set it, or write \"\\$\" for a plain dollar");
  }

  Expected<std::size_t> Measure(std::optional<std::size_t> found,  // NOLINT(misc-no-recursion)
                                std::optional<std::string_view> outer, const Where& where) {
    if (outer) return outer->size();
    Sink counter(nullptr);
    Sink* const before = std::exchange(sink_, &counter);
    auto walked = Entry(*found, where.depth + 1);
    sink_ = before;
    if (!walked) return std::unexpected(walked.error());
    return counter.count();
  }

  const std::vector<DotenvEntry>& entries_;
  const ProcessVariable& variable_;
  Sink* sink_;
  int references_ = 0;
};

}  // namespace

Expected<std::optional<SecretValue>> DotenvValue(const std::vector<DotenvEntry>& entries,
                                                 std::string_view name, const ProcessVariable& variable) {
  Sink counter(nullptr);
  Expander first(entries, variable, counter);
  const auto found = first.Find(name, entries.size());
  if (!found) return std::nullopt;
  if (auto counted = first.Entry(*found, 0); !counted) return std::unexpected(counted.error());
  auto value = SecretValue::WithRoom(counter.count());
  if (!value) return std::unexpected(value.error());
  Sink sink(&*value);
  if (auto filled = Expander(entries, variable, sink).Entry(*found, 0); !filled) {
    return std::unexpected(filled.error());
  }
  return *std::move(value);
}

}  // namespace casemate::secrets
