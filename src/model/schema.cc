// Theory of operation. The schema becomes a SchemaProgram, the value a JsonTape, and Checker walks both.
// A value is hostile and may be large, so the walk counts its work and its depth and gives up, as a
// violation, past a bound that no honest pair of schema and value comes near.
#include "model/schema.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.h"
#include "model/json_pointer.h"
#include "model/json_tape.h"
#include "model/schema_program.h"

namespace casemate {
namespace {

using Id = SchemaProgram::Id;
using Index = JsonTape::Index;
using Kind = JsonTape::Kind;

// Each level of the walk takes some 500 bytes of stack.
constexpr std::size_t kDepthMax = 2000;
// One step is one schema applied to one value, or 64 bytes read.
constexpr std::size_t kStepsBase = 1'000'000;
constexpr std::size_t kStepsPerByte = 20;
constexpr std::size_t kBytesPerStep = 64;
// The longest part of a name that a message repeats, in bytes.
constexpr std::size_t kShownMax = 100;

std::string Shown(std::string_view name) {
  const bool cut = name.size() > kShownMax;
  return ReplaceInvalidUtf8(name.substr(0, kShownMax)) + (cut ? "..." : "");
}

class Checker {
 public:
  Checker(const SchemaProgram& program, const JsonText& value)
      : program_(program), tape_(value), steps_left_(kStepsBase + kStepsPerByte * value.text().size()) {}

  std::expected<void, SchemaViolation> Run() {
    if (Check(program_.root, JsonTape::kRoot) && !gave_up_) return {};
    return std::unexpected(std::move(violation_));
  }

 private:
  using Node = SchemaProgram::Node;

  bool Check(Id id, Index value);
  bool CheckHere(const Node& node, Index value);
  bool CheckTypes(const Node& node, Index value);
  bool CheckAllowed(const Node& node, Index value);
  bool CheckNumber(const Node& node, Index value);
  bool CheckString(const Node& node, Index value);
  bool CheckArray(const Node& node, Index value);
  bool CheckUnique(Index value);
  bool CheckObject(const Node& node, Index value);
  bool CheckMember(const Node& node, Index key, const std::string& name);
  bool CheckPresence(const Node& node, Index value);
  bool CheckCombined(const Node& node, Index value);
  bool CheckConditions(const Node& node, Index value);

  // The outcome alone; a failure is not a violation.
  bool Holds(Id id, Index value) {
    ++quiet_;
    const bool holds = Check(id, value);
    --quiet_;
    return holds;
  }
  // `id` on a part of the value that is called `name`.
  bool CheckPart(Id id, Index part, std::string name) {
    path_.push_back(std::move(name));
    const bool good = Check(id, part);
    path_.pop_back();
    return good;
  }

  bool Spend(std::size_t steps) {
    if (gave_up_) return false;
    if (steps <= steps_left_) {
      steps_left_ -= steps;
      return true;
    }
    return GiveUp("takes too much work to check against its schema; make either smaller");
  }
  bool SpendBytes(Index value) { return Spend(1 + tape_.span(value) / kBytesPerStep); }

  bool GiveUp(std::string_view why) {
    quiet_ = 0;
    Violate(why);
    gave_up_ = true;
    return false;
  }
  // Always false, so that a check can end with it.
  bool Violate(std::string_view what) {
    if (quiet_ > 0 || gave_up_) return false;
    std::string path;
    for (const std::string& name : path_) path += "/" + EscapePointerToken(name);
    violation_.message = path.empty() ? fmt::format("The value {}.", what)
                                      : fmt::format("The value at \"{}\" {}.", Shown(path), what);
    violation_.path = std::move(path);
    return false;
  }

  const SchemaProgram& program_;
  JsonTape tape_;
  std::size_t steps_left_;
  std::size_t depth_ = 0;
  std::size_t quiet_ = 0;
  bool gave_up_ = false;
  std::vector<std::string> path_;
  SchemaViolation violation_;
};

bool Checker::Check(Id id, Index value) {
  if (!Spend(1)) return false;
  if (depth_ >= kDepthMax)
    return GiveUp("is nested too deeply to check against its schema; make either flatter");
  ++depth_;
  const Node& node = program_.nodes[static_cast<std::size_t>(id)];
  const bool good = node.ref != SchemaProgram::kNone ? Check(node.ref, value) : CheckHere(node, value);
  --depth_;
  return good && !gave_up_;
}

bool Checker::CheckHere(const Node& node, Index value) {
  if (node.refuses_all) return Violate("must not be there");
  if (!CheckTypes(node, value) || !CheckAllowed(node, value)) return false;
  switch (tape_.kind(value)) {
    case Kind::kNull:
    case Kind::kBool:
      break;
    case Kind::kNumber:
      if (!CheckNumber(node, value)) return false;
      break;
    case Kind::kString:
      if (!CheckString(node, value)) return false;
      break;
    case Kind::kArray:
      if (!CheckArray(node, value)) return false;
      break;
    case Kind::kObject:
      if (!CheckObject(node, value)) return false;
      break;
  }
  return CheckCombined(node, value) && CheckConditions(node, value);
}

// The bits of kSchemaTypeNames.
constexpr unsigned kNullBit = 1, kBoolBit = 2, kNumberBit = 4, kIntegerBit = 8, kStringBit = 16,
                   kArrayBit = 32, kObjectBit = 64;

unsigned TypeBit(Kind kind) {
  switch (kind) {
    case Kind::kNull:
      return kNullBit;
    case Kind::kBool:
      return kBoolBit;
    case Kind::kNumber:
      return kNumberBit;
    case Kind::kString:
      return kStringBit;
    case Kind::kArray:
      return kArrayBit;
    case Kind::kObject:
      return kObjectBit;
  }
  std::unreachable();
}

std::string TypeNames(unsigned types) {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < std::size(kSchemaTypeNames); ++i) {
    if ((types >> i & 1) != 0) names.push_back(kSchemaTypeNames[i]);
  }
  return fmt::format("{}", fmt::join(names, " or "));
}

bool Checker::CheckTypes(const Node& node, Index value) {
  if (node.types == 0) return true;
  const unsigned type = TypeBit(tape_.kind(value));
  if ((node.types & type) != 0) return true;
  if (type == kNumberBit && (node.types & kIntegerBit) != 0 && SpendBytes(value) &&
      Decimal::FromJson(tape_.raw(value)).is_integer()) {
    return true;
  }
  return Violate(fmt::format("must be of type {}, not {}", TypeNames(node.types), TypeNames(type)));
}

bool Checker::CheckAllowed(const Node& node, Index value) {
  for (const auto& allowed : node.allowed) {
    if (!SpendBytes(value)) return false;
    const std::string form = tape_.NormalForm(value);
    if (std::binary_search(allowed.begin(), allowed.end(), form)) continue;
    return Violate(allowed.size() == 1 ? "is not the one value that is allowed"
                                       : "is not one of the allowed values");
  }
  return true;
}

bool Checker::CheckNumber(const Node& node, Index value) {
  if (!node.minimum && !node.maximum && !node.exclusive_minimum && !node.exclusive_maximum &&
      !node.multiple_of) {
    return true;
  }
  if (!SpendBytes(value)) return false;
  const Decimal number = Decimal::FromJson(tape_.raw(value));
  const auto refuse = [&](std::string_view rule, const Decimal& bound) {
    return Violate(fmt::format("is {}, but must be {} {}", Shown(tape_.raw(value)), rule, bound.ToText()));
  };
  if (node.minimum && number < *node.minimum) return refuse("at least", *node.minimum);
  if (node.maximum && number > *node.maximum) return refuse("at most", *node.maximum);
  if (node.exclusive_minimum && number <= *node.exclusive_minimum)
    return refuse("above", *node.exclusive_minimum);
  if (node.exclusive_maximum && number >= *node.exclusive_maximum)
    return refuse("below", *node.exclusive_maximum);
  if (node.multiple_of && !number.IsMultipleOf(*node.multiple_of))
    return refuse("a multiple of", *node.multiple_of);
  return true;
}

bool Checker::CheckString(const Node& node, Index value) {
  if (!node.min_length && !node.max_length && !node.pattern) return true;
  if (!SpendBytes(value)) return false;
  const std::string text = tape_.String(value);
  const auto length = static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
  if (node.min_length && length < *node.min_length) {
    return Violate(fmt::format("has {} characters, but must have {} or more", length, *node.min_length));
  }
  if (node.max_length && length > *node.max_length) {
    return Violate(fmt::format("has {} characters, but must have {} or fewer", length, *node.max_length));
  }
  if (node.pattern && !re2::RE2::PartialMatch(text, *node.pattern)) {
    return Violate(fmt::format("does not match the pattern \"{}\"", Shown(node.pattern->pattern())));
  }
  return true;
}

bool Checker::CheckArray(const Node& node, Index value) {
  const std::size_t size = tape_.size(value);
  if (node.min_items && size < *node.min_items) {
    return Violate(fmt::format("has {} items, but must have {} or more", size, *node.min_items));
  }
  if (node.max_items && size > *node.max_items) {
    return Violate(fmt::format("has {} items, but must have {} or fewer", size, *node.max_items));
  }
  if (node.unique_items && !CheckUnique(value)) return false;
  bool contained = false;
  std::size_t number = 0;
  for (Index item = tape_.FirstChild(value); item != tape_.End(value); item = tape_.Next(item), ++number) {
    const Id schema = number < node.tuple.size() ? node.tuple[number] : node.items;
    if (schema != SchemaProgram::kNone && !CheckPart(schema, item, std::to_string(number))) return false;
    if (node.contains != SchemaProgram::kNone && !contained) contained = Holds(node.contains, item);
  }
  if (node.contains != SchemaProgram::kNone && !contained) {
    return Violate("has no item that meets the schema of \"contains\"");
  }
  return true;
}

bool Checker::CheckUnique(Index value) {
  if (!SpendBytes(value)) return false;
  std::vector<std::string> forms;
  forms.reserve(tape_.size(value));
  for (Index item = tape_.FirstChild(value); item != tape_.End(value); item = tape_.Next(item)) {
    forms.push_back(tape_.NormalForm(item));
  }
  std::sort(forms.begin(), forms.end());
  if (std::adjacent_find(forms.begin(), forms.end()) == forms.end()) return true;
  return Violate("has an item twice, but its items must be unique");
}

bool Checker::CheckObject(const Node& node, Index value) {
  const std::size_t size = tape_.size(value);
  if (node.min_properties && size < *node.min_properties) {
    return Violate(fmt::format("has {} properties, but must have {} or more", size, *node.min_properties));
  }
  if (node.max_properties && size > *node.max_properties) {
    return Violate(fmt::format("has {} properties, but must have {} or fewer", size, *node.max_properties));
  }
  if (!CheckPresence(node, value)) return false;
  if (node.properties.empty() && node.pattern_properties.empty() && node.additional_properties < 0 &&
      node.property_names < 0) {
    return true;
  }
  for (Index key = tape_.FirstChild(value); key != tape_.End(value); key = tape_.Next(tape_.Next(key))) {
    if (!SpendBytes(key)) return false;
    if (!CheckMember(node, key, tape_.String(key))) return false;
  }
  return true;
}

bool Checker::CheckMember(const Node& node, Index key, const std::string& name) {
  const Index value = tape_.Next(key);
  if (node.property_names != SchemaProgram::kNone && !Holds(node.property_names, key)) {
    return Violate(
        fmt::format("has the property \"{}\", a name that its schema does not allow", Shown(name)));
  }
  bool additional = true;
  if (const auto property = node.properties.find(name); property != node.properties.end()) {
    additional = false;
    if (!CheckPart(property->second, value, name)) return false;
  }
  for (const auto& [pattern, schema] : node.pattern_properties) {
    if (!Spend(1 + name.size() / kBytesPerStep)) return false;
    if (!re2::RE2::PartialMatch(name, *pattern)) continue;
    additional = false;
    if (!CheckPart(schema, value, name)) return false;
  }
  if (!additional || node.additional_properties == SchemaProgram::kNone) return true;
  if (program_.nodes[static_cast<std::size_t>(node.additional_properties)].refuses_all) {
    return Violate(fmt::format("has the property \"{}\", which its schema does not know", Shown(name)));
  }
  return CheckPart(node.additional_properties, value, name);
}

// `required` and `dependencies`.
bool Checker::CheckPresence(const Node& node, Index value) {
  if (node.required.empty() && node.dependencies.empty()) return true;
  if (!Spend(1 + tape_.size(value) + node.required.size())) return false;
  std::vector<std::string> names;
  for (Index key = tape_.FirstChild(value); key != tape_.End(value); key = tape_.Next(tape_.Next(key))) {
    names.push_back(tape_.String(key));
  }
  std::sort(names.begin(), names.end());
  const auto has = [&](const std::string& name) {
    return std::binary_search(names.begin(), names.end(), name);
  };
  for (const std::string& name : node.required) {
    if (!has(name)) return Violate(fmt::format("lacks the required property \"{}\"", Shown(name)));
  }
  for (const auto& [name, dependency] : node.dependencies) {
    if (!has(name)) continue;
    for (const std::string& other : dependency.required) {
      if (!has(other)) {
        return Violate(
            fmt::format("has the property \"{}\" and so must have \"{}\"", Shown(name), Shown(other)));
      }
    }
    if (dependency.schema != SchemaProgram::kNone && !Check(dependency.schema, value)) return false;
  }
  return true;
}

bool Checker::CheckCombined(const Node& node, Index value) {
  for (const Id schema : node.all_of) {
    if (!Check(schema, value)) return false;
  }
  const auto holds = [&](Id schema) { return Holds(schema, value); };
  if (!node.any_of.empty() && std::none_of(node.any_of.begin(), node.any_of.end(), holds)) {
    // With one alternative its own violation says more.
    if (node.any_of.size() == 1) return Check(node.any_of.front(), value);
    return Violate(fmt::format("meets none of the {} schemas of \"anyOf\"", node.any_of.size()));
  }
  if (!node.one_of.empty()) {
    const auto count = std::count_if(node.one_of.begin(), node.one_of.end(), holds);
    if (count != 1) {
      return Violate(fmt::format("meets {} of the {} schemas of \"oneOf\", but must meet exactly one", count,
                                 node.one_of.size()));
    }
  }
  return true;
}

bool Checker::CheckConditions(const Node& node, Index value) {
  if (node.not_schema != SchemaProgram::kNone && Holds(node.not_schema, value)) {
    return Violate("meets the schema of \"not\", but must not");
  }
  if (node.if_schema == SchemaProgram::kNone) return true;
  const Id then = Holds(node.if_schema, value) ? node.then_schema : node.else_schema;
  return then == SchemaProgram::kNone || Check(then, value);
}

}  // namespace

Expected<void> ValidateSchema(std::string_view schema_text) {
  auto program = CompileSchema(schema_text);
  if (!program) return std::unexpected(std::move(program.error()));
  return {};
}

std::expected<void, SchemaViolation> CheckAgainstSchema(const JsonText& value, std::string_view schema_text) {
  const auto program = CompileSchema(schema_text);
  if (!program) return std::unexpected(SchemaViolation{"", program.error().ToString()});
  return Checker(*program, value).Run();
}

}  // namespace casemate
