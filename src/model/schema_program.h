#pragma once

#include <re2/re2.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "casemate/error.h"
#include "model/decimal.h"
#include "model/json_tape.h"

namespace casemate {

// A JSON Schema (draft-07) made ready for checking: references resolved, patterns compiled, every keyword's
// own value checked. Immutable once made.
struct SchemaProgram {
  using Id = std::int32_t;  // into `nodes`
  static constexpr Id kNone = -1;

  // One bit for each of kSchemaTypeNames.
  using TypeSet = std::uint8_t;

  struct Dependency {
    std::vector<std::string> required;
    Id schema = kNone;
  };

  struct Node {
    bool refuses_all = false;  // the schema `false`
    Id ref = kNone;            // nothing else counts when set
    TypeSet types = 0;         // 0: any
    // From `enum` and `const`: the value's normal form must be in each, which are sorted.
    std::vector<std::vector<std::string>> allowed;
    std::optional<Decimal> minimum, maximum, exclusive_minimum, exclusive_maximum, multiple_of;
    std::optional<std::uint64_t> min_length, max_length, min_items, max_items, min_properties, max_properties;
    std::shared_ptr<const re2::RE2> pattern;
    std::vector<Id> tuple;  // `items` as a list
    Id items = kNone;       // `items` as one schema, or `additionalItems` after a tuple
    Id contains = kNone;
    bool unique_items = false;
    std::vector<std::string> required;
    std::map<std::string, Id, std::less<>> properties;
    std::vector<std::pair<std::shared_ptr<const re2::RE2>, Id>> pattern_properties;
    Id additional_properties = kNone;
    Id property_names = kNone;
    std::map<std::string, Dependency, std::less<>> dependencies;
    Id if_schema = kNone, then_schema = kNone, else_schema = kNone, not_schema = kNone;
    std::vector<Id> all_of, any_of, one_of;
  };

  std::vector<Node> nodes;
  Id root = kNone;
};

// "null", "boolean", "number", "integer", "string", "array", "object": bit 0, 1, ...
inline constexpr std::string_view kSchemaTypeNames[] = {"null",   "boolean", "number", "integer",
                                                        "string", "array",   "object"};

// Errors: kInvalidRequest, with the place in the schema as a JSON Pointer.
Expected<SchemaProgram> CompileSchema(std::string_view schema_text);

}  // namespace casemate
