// Theory of operation. Boost.JSON's event parser checks the grammar, UTF-8 and nesting; our handler writes
// the compact form as the events come and never looks at a number's value, so that a number keeps its
// text. The compact form of a string is unique, so two keys are equal exactly when their written bytes
// are: at the end of each object its keys are compared in the output itself, sorted rather than hashed,
// because a hostile program can choose keys that collide.
#include "model/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <vector>

#include "base/utf8.h"
#include "model/json_escape.h"

namespace casemate {

class JsonTextMaker {
 public:
  static JsonText Make(std::string text) { return JsonText(std::move(text)); }
};

namespace {

namespace json = boost::json;

// The longest part of a duplicate key that a message repeats, in bytes.
constexpr std::size_t kShownKeyMax = 64;

// Receives Boost's events. Returns false with an error code to stop.
class CompactHandler {
 public:
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }

  bool on_array_begin(json::error_code&) { return Open('['); }
  bool on_array_end(std::size_t, json::error_code&) { return Close(']'); }
  bool on_object_begin(json::error_code&) { return Open('{'); }
  bool on_object_end(std::size_t size, json::error_code& ec) {
    if (!CheckKeys(size)) {
      ec = json::error::test_failure;
      return false;
    }
    return Close('}');
  }

  bool on_string_part(json::string_view part, std::size_t size, json::error_code&) {
    if (part.size() == size) OpenString();
    AppendJsonEscaped(out_, {part.data(), part.size()});
    return true;
  }
  bool on_string(json::string_view part, std::size_t size, json::error_code& ec) {
    on_string_part(part, size, ec);
    out_ += '"';
    return true;
  }
  bool on_key_part(json::string_view part, std::size_t size, json::error_code& ec) {
    if (part.size() == size) key_start_ = out_.size() + (comma_due_ ? 2 : 1);
    return on_string_part(part, size, ec);
  }
  bool on_key(json::string_view part, std::size_t size, json::error_code& ec) {
    on_key_part(part, size, ec);
    keys_.push_back({key_start_, out_.size() - key_start_});
    out_ += "\":";
    comma_due_ = false;
    return true;
  }

  bool on_number_part(json::string_view part, json::error_code&) {
    if (!in_number_) Separate();
    in_number_ = true;
    out_.append(part.data(), part.size());
    return true;
  }
  bool on_int64(std::int64_t, json::string_view part, json::error_code& ec) { return EndNumber(part, ec); }
  bool on_uint64(std::uint64_t, json::string_view part, json::error_code& ec) { return EndNumber(part, ec); }
  bool on_double(double, json::string_view part, json::error_code& ec) { return EndNumber(part, ec); }

  bool on_bool(bool value, json::error_code&) { return Word(value ? "true" : "false"); }
  bool on_null(json::error_code&) { return Word("null"); }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

  std::string& out() { return out_; }
  const std::string& duplicate_key() const { return duplicate_key_; }

 private:
  struct Span {
    std::size_t start;
    std::size_t size;
  };

  std::string_view Text(Span span) const { return std::string_view(out_).substr(span.start, span.size); }

  void Separate() {
    if (comma_due_) out_ += ',';
    comma_due_ = true;
  }
  void OpenString() {
    Separate();
    out_ += '"';
  }
  bool Open(char bracket) {
    Separate();
    out_ += bracket;
    comma_due_ = false;
    return true;
  }
  bool Close(char bracket) {
    out_ += bracket;
    comma_due_ = true;
    return true;
  }
  bool EndNumber(json::string_view part, json::error_code& ec) {
    on_number_part(part, ec);
    in_number_ = false;
    return true;
  }
  bool Word(std::string_view word) {
    Separate();
    out_ += word;
    return true;
  }

  // Of the object that ends now: its keys are the last `count`, as inner objects have taken theirs away.
  bool CheckKeys(std::size_t count) {
    const auto first = keys_.end() - static_cast<std::ptrdiff_t>(count);
    std::sort(first, keys_.end(), [this](Span a, Span b) { return Text(a) < Text(b); });
    const auto twin =
        std::adjacent_find(first, keys_.end(), [this](Span a, Span b) { return Text(a) == Text(b); });
    if (twin != keys_.end()) {
      duplicate_key_ = ReplaceInvalidUtf8(Text(*twin).substr(0, kShownKeyMax));
      return false;
    }
    keys_.erase(first, keys_.end());
    return true;
  }

  std::string out_;
  std::vector<Span> keys_;  // of all open objects, the innermost last
  std::string duplicate_key_;
  std::size_t key_start_ = 0;
  bool comma_due_ = false;
  bool in_number_ = false;
};

JsonError MakeError(JsonError::Kind kind, std::string_view text, std::size_t offset, std::string_view what) {
  offset = std::min(offset, text.size());
  const auto before = text.substr(0, offset);
  const auto line = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
  return {kind, fmt::format("{} at byte {} (line {}).", what, offset, line), offset, line};
}

// Boost reports malformed UTF-8 as plain syntax, at or up to three bytes after the sequence's start.
bool BadUtf8Near(std::string_view text, std::size_t offset) {
  std::size_t start = std::min(offset, text.size());
  for (int back = 0; back < 3 && start > 0 && (static_cast<unsigned char>(text[start - 1]) & 0x80) != 0;
       ++back) {
    --start;
  }
  while (start <= offset && start < text.size()) {
    const std::size_t length = Utf8SequenceLength(text.substr(start));
    if (length == 0) return true;
    start += length;
  }
  return false;
}

// Boost reports a leading surrogate that no second escape follows as plain syntax, just after it.
bool LoneSurrogateBefore(std::string_view text, std::size_t offset) {
  constexpr std::size_t kEscapeSize = 6;  // "\\ud8ab"
  text = text.substr(0, std::min(offset, text.size()));
  if (text.ends_with('\\')) text.remove_suffix(1);
  if (text.size() < kEscapeSize) return false;
  const std::string_view escape = text.substr(text.size() - kEscapeSize);
  if (!escape.starts_with("\\u") || (escape[2] | 0x20) != 'd' ||
      !std::string_view("89abAB").contains(escape[3])) {
    return false;
  }
  // The backslash must not itself be escaped.
  text.remove_suffix(kEscapeSize);
  const std::size_t other = text.find_last_not_of('\\');
  const std::size_t backslashes = other == std::string_view::npos ? text.size() : text.size() - other - 1;
  return backslashes % 2 == 0;
}

JsonError Explain(json::error_code ec, const CompactHandler& handler, std::string_view text,
                  std::size_t offset, const JsonLimits& limits) {
  using Kind = JsonError::Kind;
  if (ec == json::error::test_failure) {
    return MakeError(Kind::kDuplicateKey, text, offset,
                     fmt::format("An object has the key \"{}\" twice, seen", handler.duplicate_key()));
  }
  if (ec == json::error::too_deep) {
    return MakeError(Kind::kDepth, text, offset,
                     fmt::format("Arrays and objects are nested deeper than {} levels", limits.depth_max));
  }
  if (ec == json::error::illegal_leading_surrogate || ec == json::error::illegal_trailing_surrogate ||
      (ec == json::error::syntax && LoneSurrogateBefore(text, offset))) {
    return MakeError(Kind::kSurrogate, text, offset,
                     "A string escapes one half of a surrogate pair, which is not a character,");
  }
  if (ec == json::error::exponent_overflow) {
    return MakeError(Kind::kNumber, text, offset, "A number's exponent is beyond 2147483647");
  }
  if (BadUtf8Near(text, offset)) {
    return MakeError(Kind::kUtf8, text, offset, "The text is not UTF-8");
  }
  if (ec == json::error::incomplete) {
    return MakeError(Kind::kSyntax, text, text.size(), "The JSON text ends before its value does,");
  }
  if (ec == json::error::extra_data) {
    return MakeError(Kind::kSyntax, text, offset, "There is more text after the JSON value,");
  }
  return MakeError(Kind::kSyntax, text, offset, "The text is not JSON (RFC 8259)");
}

}  // namespace

std::string_view JsonErrorKindName(JsonError::Kind kind) {
  switch (kind) {
    case JsonError::Kind::kSyntax:
      return "syntax";
    case JsonError::Kind::kSize:
      return "size";
    case JsonError::Kind::kDepth:
      return "depth";
    case JsonError::Kind::kDuplicateKey:
      return "duplicate_key";
    case JsonError::Kind::kUtf8:
      return "utf8";
    case JsonError::Kind::kSurrogate:
      return "surrogate";
    case JsonError::Kind::kNumber:
      return "number";
  }
  std::unreachable();
}

std::expected<JsonText, JsonError> ParseJson(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes_max) {
    return std::unexpected(JsonError{
        JsonError::Kind::kSize,
        fmt::format("The JSON text has {} bytes, more than the {} allowed.", text.size(), limits.bytes_max),
        limits.bytes_max, 1});
  }
  JsonLimits effective = limits;
  effective.depth_max = std::min(limits.depth_max, kJsonDepthCeiling);
  json::parse_options options;
  options.max_depth = effective.depth_max;
  json::basic_parser<CompactHandler> parser(options);
  parser.handler().out().reserve(text.size());
  json::error_code ec;
  const std::size_t used = parser.write_some(false, text.data(), text.size(), ec);
  if (!ec && used < text.size()) ec = json::error::extra_data;
  if (ec) return std::unexpected(Explain(ec, parser.handler(), text, used, effective));
  return JsonTextMaker::Make(std::move(parser.handler().out()));
}

}  // namespace casemate
