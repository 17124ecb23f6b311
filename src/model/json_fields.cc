#include "model/json_fields.h"

#include <fmt/format.h>

#include <charconv>

namespace casemate {
namespace {

using Kind = JsonTape::Kind;

// The longest part of a key that a message repeats, in bytes.
constexpr std::size_t kShownKeyMax = 64;

std::string_view KindName(Kind kind) {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return "true or false";
    case Kind::kNumber:
      return "a number";
    case Kind::kString:
      return "a string";
    case Kind::kArray:
      return "a list";
    case Kind::kObject:
      return "an object";
  }
  std::unreachable();
}

// The whole of `text` as a T.
template <typename T>
bool Read(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::unexpected<Error> JsonField::Refuse(std::string_view expected) const {
  const std::string subject = name_.empty() ? "the JSON text" : fmt::format("\"{}\"", name_);
  return Fail(ErrorCode::kInvalidRequest,
              fmt::format("{} must be {}, but is {}", subject, expected, KindName(kind())));
}

JsonField JsonField::Child(JsonTape::Index node, const std::string& key) const {
  const std::string_view shown = std::string_view(key).substr(0, kShownKeyMax);
  return {*tape_, node, name_.empty() ? std::string(shown) : fmt::format("{}.{}", name_, shown)};
}

Expected<std::string> JsonField::String() const {
  if (kind() != Kind::kString) return Refuse("a string");
  return tape_->String(node_);
}

Expected<bool> JsonField::Bool() const {
  if (kind() != Kind::kBool) return Refuse("true or false");
  return tape_->raw(node_) == "true";
}

Expected<std::int64_t> JsonField::Int() const {
  if (kind() != Kind::kNumber) return Refuse("a whole number");
  std::int64_t value = 0;
  if (!Read(tape_->raw(node_), value)) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("\"{}\" must be a whole number of at most 63 bits, without an exponent", name_));
  }
  return value;
}

Expected<double> JsonField::Number() const {
  if (kind() != Kind::kNumber) return Refuse("a number");
  double value = 0;
  if (!Read(tape_->raw(node_), value)) {
    return Fail(ErrorCode::kInvalidRequest,
                fmt::format("\"{}\" must be a number that a 64-bit float can hold", name_));
  }
  return value;
}

Expected<std::vector<std::string>> JsonField::Strings() const {
  if (kind() != Kind::kArray) return Refuse("a list of strings");
  std::vector<std::string> strings;
  strings.reserve(tape_->size(node_));
  auto done = ForEachElement([&strings](const JsonField& element) -> Expected<void> {
    auto text = element.String();
    if (!text) return std::unexpected(std::move(text.error()));
    strings.push_back(*std::move(text));
    return {};
  });
  if (!done) return std::unexpected(std::move(done.error()));
  return strings;
}

Expected<std::map<std::string, std::string>> JsonField::StringMap() const {
  if (kind() != Kind::kObject) return Refuse("an object of strings");
  std::map<std::string, std::string> map;
  auto done = ForEachMember([&map](const std::string& key, const JsonField& value) -> Expected<void> {
    auto text = value.String();
    if (!text) return std::unexpected(std::move(text.error()));
    map[key] = *std::move(text);
    return {};
  });
  if (!done) return std::unexpected(std::move(done.error()));
  return map;
}

Expected<void> JsonField::ForEachMember(const Visit& visit) const {
  if (kind() != Kind::kObject) return Refuse("an object");
  for (auto node = tape_->FirstChild(node_); node != tape_->End(node_);) {
    const JsonTape::Index value = tape_->Next(node);
    const std::string key = tape_->String(node);
    if (auto done = visit(key, Child(value, key)); !done) return done;
    node = tape_->Next(value);
  }
  return {};
}

Expected<void> JsonField::ForEachElement(const VisitElement& visit) const {
  if (kind() != Kind::kArray) return Refuse("a list");
  std::size_t index = 0;
  for (auto node = tape_->FirstChild(node_); node != tape_->End(node_); node = tape_->Next(node)) {
    if (auto done = visit(Child(node, std::to_string(index++))); !done) return done;
  }
  return {};
}

}  // namespace casemate
