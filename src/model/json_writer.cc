#include "model/json_writer.h"

#include <charconv>
#include <cmath>

#include "model/json_escape.h"

namespace casemate {

void JsonWriter::Separate() {
  if (comma_due_) text_ += ',';
  comma_due_ = true;
}

void JsonWriter::Open(char bracket) {
  Separate();
  text_ += bracket;
  comma_due_ = false;
}

void JsonWriter::Close(char bracket) {
  text_ += bracket;
  comma_due_ = true;
}

void JsonWriter::Key(std::string_view name) {
  AppendJsonString(text_, name, comma_due_ ? "," : "", ":");
  comma_due_ = false;
}

void JsonWriter::String(std::string_view value) {
  AppendJsonString(text_, value, comma_due_ ? "," : "", "");
  comma_due_ = true;
}

void JsonWriter::Int(std::int64_t value) {
  Separate();
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  text_.append(digits, end);
}

void JsonWriter::Double(double value) {
  if (!std::isfinite(value)) return Null();
  Separate();
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  text_.append(digits, end);
}

void JsonWriter::Bool(bool value) {
  Separate();
  text_ += value ? "true" : "false";
}

void JsonWriter::Null() {
  Separate();
  text_ += "null";
}

void JsonWriter::Raw(const JsonText& value) {
  Separate();
  text_ += value.text();
}

}  // namespace casemate
