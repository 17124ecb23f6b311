#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/error.h"
#include "model/json_tape.h"

namespace casemate {

// A value inside a checked JSON text, and its name for error messages ("limits.cpus"). The tape must outlive
// it. Each read of another type than the value's is kInvalidRequest with one sentence that names the field,
// what it must be and what it is.
class JsonField {
 public:
  JsonField(const JsonTape& tape, JsonTape::Index node, std::string name)
      : tape_(&tape), node_(node), name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  JsonTape::Kind kind() const { return tape_->kind(node_); }
  bool is_null() const { return kind() == JsonTape::Kind::kNull; }
  // Its text, to the letter.
  std::string_view text() const { return tape_->text(node_); }

  Expected<std::string> String() const;
  Expected<bool> Bool() const;
  // A number without fraction or exponent that fits.
  Expected<std::int64_t> Int() const;
  Expected<double> Number() const;
  Expected<std::vector<std::string>> Strings() const;
  Expected<std::map<std::string, std::string>> StringMap() const;

  // In the order of the text; stops at the first error, which it returns.
  using Visit = std::function<Expected<void>(const std::string& key, const JsonField& value)>;
  Expected<void> ForEachMember(const Visit& visit) const;
  using VisitElement = std::function<Expected<void>(const JsonField& value)>;
  Expected<void> ForEachElement(const VisitElement& visit) const;

  // `"NAME" must be EXPECTED, but is a KIND`.
  std::unexpected<Error> Refuse(std::string_view expected) const;

 private:
  JsonField Child(JsonTape::Index node, const std::string& key) const;

  const JsonTape* tape_;
  JsonTape::Index node_;
  std::string name_;
};

}  // namespace casemate
