#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "casemate/result.h"

namespace casemate {

// Writes one compact JSON value by appending, in order. It places commas and colons; the caller pairs each
// Begin with its End and gives each value of an object its Key.
class JsonWriter {
 public:
  void Reserve(std::size_t bytes) { text_.reserve(bytes); }

  void BeginObject() { Open('{'); }
  void EndObject() { Close('}'); }
  void BeginArray() { Open('['); }
  void EndArray() { Close(']'); }

  void Key(std::string_view name);
  // Bytes that are not UTF-8 become U+FFFD.
  void String(std::string_view value);
  void Int(std::int64_t value);
  // The shortest text that reads back as `value`; null for infinities and NaN, which JSON does not have.
  void Double(double value);
  void Bool(bool value);
  void Null();
  // Already checked text, embedded to the letter.
  void Raw(const JsonText& value);

  // Key and value in one.
  void Field(std::string_view name, std::string_view value) { Key(name), String(value); }
  void Field(std::string_view name, const char* value) { Key(name), String(value); }
  void Field(std::string_view name, std::same_as<bool> auto value) { Key(name), Bool(value); }
  void Field(std::string_view name, std::floating_point auto value) { Key(name), Double(value); }
  template <std::integral T>
  requires(!std::same_as<T, bool>) void Field(std::string_view name, T value) {
    Key(name), Int(static_cast<std::int64_t>(value));
  }
  // An absent value is null.
  template <typename T>
  void Field(std::string_view name, const std::optional<T>& value) {
    if (value) {
      Field(name, *value);
    } else {
      Key(name), Null();
    }
  }

  const std::string& text() const { return text_; }
  std::string Take() && { return std::move(text_); }

 private:
  void Open(char bracket);
  void Close(char bracket);
  void Separate();

  std::string text_;
  bool comma_due_ = false;
};

}  // namespace casemate
