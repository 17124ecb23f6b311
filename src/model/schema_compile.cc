// Theory of operation. A work list, not recursion: compiling a schema only gives numbers to the schemas it
// holds or refers to, and each place of the text gets one number, so that a circle of references ends. A
// circle that consumes nothing of the value (a schema that is allOf itself) can never be checked; it is
// found afterwards by a walk over the edges that stay at the same value.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "model/json.h"
#include "model/json_pointer.h"
#include "model/schema_program.h"

namespace casemate {
namespace {

using Id = SchemaProgram::Id;
using Index = JsonTape::Index;
using Kind = JsonTape::Kind;

constexpr JsonLimits kSchemaLimits{static_cast<std::size_t>(kMiB), 128};
constexpr std::int64_t kPatternMemoryBytes = 4 * kMiB;
// `multipleOf` is checked exactly in 128-bit arithmetic.
constexpr std::size_t kMultipleOfDigitsMax = 18;

// Keywords of later drafts that change what is valid: ignoring one would let bad values pass.
constexpr std::pair<std::string_view, std::string_view> kLaterKeywords[] = {
    {"prefixItems", "items with a list of schemas"},
    {"unevaluatedItems", "additionalItems"},
    {"unevaluatedProperties", "additionalProperties"},
    {"dependentRequired", "dependencies"},
    {"dependentSchemas", "dependencies"},
    {"minContains", "contains"},
    {"maxContains", "contains"},
    {"$dynamicRef", "$ref"},
    {"$recursiveRef", "$ref"},
};

// What of ECMAScript's pattern syntax is common and only spelled otherwise in RE2: \uXXXX.
std::string ToRe2Syntax(std::string_view pattern) {
  std::string out;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '\\' || i + 1 == pattern.size()) {
      out += pattern[i];
    } else if (pattern[i + 1] == 'u' && i + 5 < pattern.size() &&
               pattern.substr(i + 2, 4).find_first_not_of("0123456789abcdefABCDEF") ==
                   std::string_view::npos) {
      out += fmt::format("\\x{{{}}}", pattern.substr(i + 2, 4));
      i += 5;
    } else {
      out += pattern.substr(i, 2);
      ++i;
    }
  }
  return out;
}

// A URI's fragment without its "#" and percent-encoding.
std::string DecodeFragment(std::string_view fragment) {
  if (fragment.starts_with('#')) fragment.remove_prefix(1);
  std::string decoded;
  for (std::size_t i = 0; i < fragment.size(); ++i) {
    unsigned char byte = 0;
    if (fragment[i] == '%' && i + 2 < fragment.size() &&
        std::from_chars(fragment.data() + i + 1, fragment.data() + i + 3, byte, 16).ptr ==
            fragment.data() + i + 3) {
      decoded += static_cast<char>(byte);
      i += 2;
    } else {
      decoded += fragment[i];
    }
  }
  return decoded;
}

class Compiler {
 public:
  explicit Compiler(const JsonText& text) : tape_(text) {}

  Expected<SchemaProgram> Run() {
    IndexPlaces();
    program_.root = IdOf(JsonTape::kRoot);
    // IdOf() appends to the work list, also while a schema is compiled.
    for (std::size_t done = 0; done < work_.size(); ++done) {
      if (auto compiled = CompileNode(work_[done], static_cast<Id>(done)); !compiled) {
        return std::unexpected(std::move(compiled.error()));
      }
    }
    if (auto sound = RefuseCircles(); !sound) return std::unexpected(std::move(sound.error()));
    return std::move(program_);
  }

 private:
  using Node = SchemaProgram::Node;

  // The number of the schema at `node` of the text.
  Id IdOf(Index node) {
    const auto [entry, fresh] = ids_.try_emplace(node, static_cast<Id>(work_.size()));
    if (fresh) {
      work_.push_back(node);
      program_.nodes.emplace_back();
    }
    return entry->second;
  }

  // Where everything is, for references and messages, and plain-name anchors ($id: "#name").
  void IndexPlaces() {
    std::vector<Index> work{JsonTape::kRoot};
    while (!work.empty()) {
      const Index node = work.back();
      work.pop_back();
      const bool object = tape_.kind(node) == Kind::kObject;
      if (!object && tape_.kind(node) != Kind::kArray) continue;
      std::size_t number = 0;
      for (Index child = tape_.FirstChild(node); child != tape_.End(node); child = tape_.Next(child)) {
        std::string name = object ? tape_.String(child) : std::to_string(number++);
        if (object) child = tape_.Next(child);
        if (name == "$id" && tape_.kind(child) == Kind::kString) NoteId(node, tape_.String(child));
        const auto entry = children_.emplace(std::pair(node, std::move(name)), child).first;
        places_[child] = &entry->first;
        work.push_back(child);
      }
    }
  }

  // The place of `node` as a JSON Pointer.
  std::string Pointer(Index node) const {
    std::string pointer;
    while (node != JsonTape::kRoot) {
      const auto& [parent, name] = *places_.at(node);
      pointer.insert(0, "/" + EscapePointerToken(name));
      node = parent;
    }
    return pointer;
  }

  // What `pointer` leads to; unset when there is nothing.
  std::optional<Index> Follow(std::string_view pointer) const {
    Index node = JsonTape::kRoot;
    while (!pointer.empty()) {
      const std::size_t end = std::min(pointer.find('/', 1), pointer.size());
      const auto child = children_.find(std::pair(node, UnescapePointerToken(pointer.substr(1, end - 1))));
      if (child == children_.end()) return std::nullopt;
      node = child->second;
      pointer.remove_prefix(end);
    }
    return node;
  }

  std::optional<Index> FollowAnchor(const std::string& name) const {
    const auto anchor = anchors_.find(name);
    if (anchor == anchors_.end()) return std::nullopt;
    return anchor->second;
  }

  void NoteId(Index node, std::string id) {
    if (id.starts_with('#')) {
      anchors_.try_emplace(id.substr(1), node);
    } else if (node == JsonTape::kRoot) {
      if (id.ends_with('#')) id.pop_back();
      base_ = std::move(id);
    }
  }

  std::unexpected<Error> Refuse(Index where, std::string_view what) const {
    return Fail(ErrorCode::kInvalidRequest, fmt::format("The schema at \"#{}\" {}.", Pointer(where), what));
  }

  Expected<void> CompileNode(Index at, Id id);
  Expected<void> CompileRef(Index at, Node& node);
  Expected<void> CompileKeyword(std::string_view keyword, Index value, Node& node);
  Expected<void> CompileLimit(std::string_view keyword, Index value, Node& node, bool& known);
  Expected<void> CompileApplicator(std::string_view keyword, Index value, Node& node);
  Expected<void> CompileTypes(Index value, Node& node);
  Expected<void> CompilePattern(Index where, const std::string& text, std::shared_ptr<const re2::RE2>& out);
  Expected<void> CompileDependencies(Index value, Node& node);
  Expected<void> ReadSchema(Index value, Id& out);
  Expected<void> ReadSchemas(Index value, std::vector<Id>& out);
  Expected<void> ReadNames(Index value, std::vector<std::string>& out);
  Expected<void> RefuseCircles() const;

  JsonTape tape_;
  SchemaProgram program_;
  std::vector<Index> work_;
  std::map<Index, Id> ids_;
  std::map<std::pair<Index, std::string>, Index> children_;
  std::map<Index, const std::pair<Index, std::string>*> places_;  // into children_
  std::map<std::string, Index, std::less<>> anchors_;
  std::string base_;
};

Expected<void> Compiler::ReadSchema(Index value, Id& out) {
  if (tape_.kind(value) != Kind::kObject && tape_.kind(value) != Kind::kBool) {
    return Refuse(value, "must be a schema: an object, true or false");
  }
  out = IdOf(value);
  return {};
}

Expected<void> Compiler::ReadSchemas(Index value, std::vector<Id>& out) {
  if (tape_.kind(value) != Kind::kArray || tape_.size(value) == 0) {
    return Refuse(value, "must be a list of one schema or more");
  }
  for (Index item = tape_.FirstChild(value); item != tape_.End(value); item = tape_.Next(item)) {
    if (auto read = ReadSchema(item, out.emplace_back()); !read) return read;
  }
  return {};
}

Expected<void> Compiler::ReadNames(Index value, std::vector<std::string>& out) {
  if (tape_.kind(value) != Kind::kArray) return Refuse(value, "must be a list of strings");
  for (Index item = tape_.FirstChild(value); item != tape_.End(value); item = tape_.Next(item)) {
    if (tape_.kind(item) != Kind::kString) return Refuse(item, "must be a string");
    out.push_back(tape_.String(item));
  }
  return {};
}

Expected<void> Compiler::CompileNode(Index at, Id id) {
  Node node;
  if (tape_.kind(at) == Kind::kBool) {
    node.refuses_all = tape_.raw(at) == "false";
  } else if (tape_.kind(at) != Kind::kObject) {
    return Refuse(at, "must be a schema: an object, true or false");
  } else if (auto ref = CompileRef(at, node); !ref) {
    return ref;
  } else if (node.ref == SchemaProgram::kNone) {
    Index additional_items = 0;
    bool is_tuple = false;
    for (Index key = tape_.FirstChild(at); key != tape_.End(at); key = tape_.Next(tape_.Next(key))) {
      const std::string keyword = tape_.String(key);
      if (keyword == "items") is_tuple = tape_.kind(tape_.Next(key)) == Kind::kArray;
      // Its meaning depends on `items`, which may come later.
      if (keyword == "additionalItems") {
        additional_items = tape_.Next(key);
      } else if (auto compiled = CompileKeyword(keyword, tape_.Next(key), node); !compiled) {
        return compiled;
      }
    }
    if (additional_items != 0) {
      Id rest = SchemaProgram::kNone;
      if (auto read = ReadSchema(additional_items, rest); !read) return read;
      if (is_tuple) node.items = rest;
    }
  }
  program_.nodes[static_cast<std::size_t>(id)] = std::move(node);
  return {};
}

// In draft-07 a "$ref" stands alone: its siblings do not count.
Expected<void> Compiler::CompileRef(Index at, Node& node) {
  for (Index key = tape_.FirstChild(at); key != tape_.End(at); key = tape_.Next(tape_.Next(key))) {
    if (tape_.raw(key) != "\"$ref\"") continue;
    const Index value = tape_.Next(key);
    if (tape_.kind(value) != Kind::kString) return Refuse(value, "must be a string");
    const std::string text = tape_.String(value);
    std::string_view ref = text;
    if (!base_.empty() && ref.starts_with(base_)) ref.remove_prefix(base_.size());
    if (!ref.empty() && !ref.starts_with('#')) {
      return Refuse(value,
                    fmt::format("refers to \"{}\", and nothing outside the schema is ever fetched; copy it "
                                "below \"definitions\" and refer to \"#/definitions/NAME\"",
                                text));
    }
    const std::string place = DecodeFragment(ref);
    const auto target = place.empty() || place.starts_with('/') ? Follow(place) : FollowAnchor(place);
    if (!target) return Refuse(value, fmt::format("refers to \"{}\", which is not there; correct it", text));
    return ReadSchema(*target, node.ref);
  }
  return {};
}

Expected<void> Compiler::CompileKeyword(std::string_view keyword, Index value, Node& node) {
  for (const auto& [later, instead] : kLaterKeywords) {
    if (keyword == later) {
      return Refuse(value, fmt::format("is a keyword of a later draft than draft-07; use {}", instead));
    }
  }
  bool known = false;
  if (auto limit = CompileLimit(keyword, value, node, known); !limit || known) return limit;
  if (keyword == "type") return CompileTypes(value, node);
  if (keyword == "enum") {
    if (tape_.kind(value) != Kind::kArray) return Refuse(value, "must be a list of values");
    auto& values = node.allowed.emplace_back();
    for (Index item = tape_.FirstChild(value); item != tape_.End(value); item = tape_.Next(item)) {
      values.push_back(tape_.NormalForm(item));
    }
    std::sort(values.begin(), values.end());
    return {};
  }
  if (keyword == "const") {
    node.allowed.push_back({tape_.NormalForm(value)});
    return {};
  }
  if (keyword == "pattern") {
    if (tape_.kind(value) != Kind::kString) return Refuse(value, "must be a string");
    return CompilePattern(value, tape_.String(value), node.pattern);
  }
  if (keyword == "uniqueItems") {
    if (tape_.kind(value) != Kind::kBool) return Refuse(value, "must be true or false");
    node.unique_items = tape_.raw(value) == "true";
    return {};
  }
  if (keyword == "required") return ReadNames(value, node.required);
  if (keyword == "dependencies") return CompileDependencies(value, node);
  return CompileApplicator(keyword, value, node);
}

Expected<void> Compiler::CompileLimit(std::string_view keyword, Index value, Node& node, bool& known) {
  const std::pair<std::string_view, std::optional<Decimal>*> numbers[] = {
      {"minimum", &node.minimum},
      {"maximum", &node.maximum},
      {"exclusiveMinimum", &node.exclusive_minimum},
      {"exclusiveMaximum", &node.exclusive_maximum},
      {"multipleOf", &node.multiple_of}};
  for (const auto& [name, target] : numbers) {
    if (keyword != name) continue;
    known = true;
    if (tape_.kind(value) != Kind::kNumber) return Refuse(value, "must be a number");
    *target = Decimal::FromJson(tape_.raw(value));
  }
  if (keyword == "multipleOf" &&
      (!node.multiple_of->is_positive() || node.multiple_of->digit_count() > kMultipleOfDigitsMax)) {
    return Refuse(value, "must be above 0 and have 18 digits at most");
  }
  const std::pair<std::string_view, std::optional<std::uint64_t>*> sizes[] = {
      {"minLength", &node.min_length},         {"maxLength", &node.max_length},
      {"minItems", &node.min_items},           {"maxItems", &node.max_items},
      {"minProperties", &node.min_properties}, {"maxProperties", &node.max_properties}};
  for (const auto& [name, target] : sizes) {
    if (keyword != name) continue;
    known = true;
    if (tape_.kind(value) == Kind::kNumber) *target = Decimal::FromJson(tape_.raw(value)).ToSize();
    if (!*target) return Refuse(value, "must be a whole number, 0 or more");
  }
  return {};
}

Expected<void> Compiler::CompileApplicator(std::string_view keyword, Index value, Node& node) {
  if (keyword == "items" && tape_.kind(value) == Kind::kArray) {
    return tape_.size(value) == 0 ? Expected<void>() : ReadSchemas(value, node.tuple);
  }
  const std::pair<std::string_view, Id*> schemas[] = {{"items", &node.items},
                                                      {"contains", &node.contains},
                                                      {"additionalProperties", &node.additional_properties},
                                                      {"propertyNames", &node.property_names},
                                                      {"if", &node.if_schema},
                                                      {"then", &node.then_schema},
                                                      {"else", &node.else_schema},
                                                      {"not", &node.not_schema}};
  for (const auto& [name, target] : schemas) {
    if (keyword == name) return ReadSchema(value, *target);
  }
  const std::pair<std::string_view, std::vector<Id>*> lists[] = {
      {"allOf", &node.all_of}, {"anyOf", &node.any_of}, {"oneOf", &node.one_of}};
  for (const auto& [name, target] : lists) {
    if (keyword == name) return ReadSchemas(value, *target);
  }
  const bool patterns = keyword == "patternProperties",
             definitions = keyword == "definitions" || keyword == "$defs";
  if (!patterns && !definitions && keyword != "properties") return {};  // an annotation, or unknown
  if (tape_.kind(value) != Kind::kObject) return Refuse(value, "must be an object of schemas");
  for (Index key = tape_.FirstChild(value); key != tape_.End(value); key = tape_.Next(tape_.Next(key))) {
    const std::string name = tape_.String(key);
    Id schema = SchemaProgram::kNone;
    if (auto read = ReadSchema(tape_.Next(key), schema); !read) return read;
    if (patterns) {
      auto& [pattern, target] = node.pattern_properties.emplace_back(nullptr, schema);
      if (auto compiled = CompilePattern(tape_.Next(key), name, pattern); !compiled) return compiled;
    } else if (!definitions) {
      node.properties.emplace(name, schema);
    }
  }
  return {};
}

Expected<void> Compiler::CompileTypes(Index value, Node& node) {
  std::vector<std::string> names;
  if (tape_.kind(value) == Kind::kString) {
    names.push_back(tape_.String(value));
  } else if (auto read = ReadNames(value, names); !read) {
    return read;
  }
  if (names.empty()) return Refuse(value, "must name one type or more");
  for (const std::string& name : names) {
    const auto* found = std::find(std::begin(kSchemaTypeNames), std::end(kSchemaTypeNames), name);
    if (found == std::end(kSchemaTypeNames)) {
      return Refuse(
          value, fmt::format("names the type \"{}\"; known are {}", name, fmt::join(kSchemaTypeNames, ", ")));
    }
    node.types =
        static_cast<SchemaProgram::TypeSet>(node.types | 1 << (found - std::begin(kSchemaTypeNames)));
  }
  return {};
}

Expected<void> Compiler::CompilePattern(Index where, const std::string& text,
                                        std::shared_ptr<const re2::RE2>& out) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kPatternMemoryBytes);
  options.set_never_capture(true);
  auto pattern = std::make_shared<const re2::RE2>(ToRe2Syntax(text), options);
  if (!pattern->ok()) {
    return Refuse(where, fmt::format("has a pattern that RE2 does not take ({}); leave out look-around and "
                                     "back-references",
                                     pattern->error()));
  }
  out = std::move(pattern);
  return {};
}

Expected<void> Compiler::CompileDependencies(Index value, Node& node) {
  if (tape_.kind(value) != Kind::kObject) return Refuse(value, "must be an object");
  for (Index key = tape_.FirstChild(value); key != tape_.End(value); key = tape_.Next(tape_.Next(key))) {
    SchemaProgram::Dependency& dependency = node.dependencies[tape_.String(key)];
    const Index needed = tape_.Next(key);
    auto read = tape_.kind(needed) == Kind::kArray ? ReadNames(needed, dependency.required)
                                                   : ReadSchema(needed, dependency.schema);
    if (!read) return read;
  }
  return {};
}

// The schemas that `node` applies to the same value.
std::vector<Id> SameValueEdges(const SchemaProgram::Node& node) {
  std::vector<Id> edges = {node.ref, node.if_schema, node.then_schema, node.else_schema, node.not_schema};
  for (const auto* list : {&node.all_of, &node.any_of, &node.one_of}) {
    edges.insert(edges.end(), list->begin(), list->end());
  }
  for (const auto& [name, dependency] : node.dependencies) edges.push_back(dependency.schema);
  std::erase(edges, SchemaProgram::kNone);
  return edges;
}

Expected<void> Compiler::RefuseCircles() const {
  enum class Mark : std::uint8_t { kNew, kOpen, kDone };
  struct Frame {
    Id id;
    std::vector<Id> edges;
  };
  std::vector<Mark> marks(program_.nodes.size(), Mark::kNew);
  for (std::size_t start = 0; start < marks.size(); ++start) {
    if (marks[start] != Mark::kNew) continue;
    std::vector<Frame> path;
    const auto enter = [&](Id id) {
      marks[static_cast<std::size_t>(id)] = Mark::kOpen;
      path.push_back({id, SameValueEdges(program_.nodes[static_cast<std::size_t>(id)])});
    };
    enter(static_cast<Id>(start));
    while (!path.empty()) {
      if (path.back().edges.empty()) {
        marks[static_cast<std::size_t>(path.back().id)] = Mark::kDone;
        path.pop_back();
        continue;
      }
      const Id next = path.back().edges.back();
      path.back().edges.pop_back();
      const Mark mark = marks[static_cast<std::size_t>(next)];
      if (mark == Mark::kOpen) {
        return Refuse(work_[static_cast<std::size_t>(next)],
                      "applies itself to the same value without end; break the circle of references");
      }
      if (mark == Mark::kNew) enter(next);
    }
  }
  return {};
}

}  // namespace

Expected<SchemaProgram> CompileSchema(std::string_view schema_text) {
  const auto json = ParseJson(schema_text, kSchemaLimits);
  if (!json)
    return Fail(ErrorCode::kInvalidRequest, "The schema is not JSON; correct it.", json.error().message);
  return Compiler(*json).Run();
}

}  // namespace casemate
