#include "toml_reader.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

namespace casemate::seccomp_tool {
namespace {

// The answers that a profile may give.
constexpr std::pair<std::string_view, int> kErrnos[] = {
    {"EPERM", EPERM},
    {"EACCES", EACCES},
    {"EINVAL", EINVAL},
    {"ENOSYS", ENOSYS},
    {"ENOTTY", ENOTTY},
    {"EAFNOSUPPORT", EAFNOSUPPORT},
    {"EPROTONOSUPPORT", EPROTONOSUPPORT},
    {"EOPNOTSUPP", EOPNOTSUPP},
};

}  // namespace

std::string TomlReader::Where(const toml::node& node) {
  const toml::source_region& source = node.source();
  return (source.path ? *source.path : "profile") + ":" + std::to_string(source.begin.line);
}

void TomlReader::KnownKeys(const toml::table& table, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : table) {
    if (std::find(known.begin(), known.end(), key.str()) == known.end()) {
      Fault(Where(value),
            "the key `" + std::string(key.str()) + "` means nothing here; remove it or correct it.");
    }
  }
}

std::optional<std::string> TomlReader::OptionalText(const toml::table& table, std::string_view key) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return std::nullopt;
  auto text = node->value<std::string>();
  if (!text || text->empty()) {
    Fault(Where(*node), "`" + std::string(key) + "` must be a text that is not empty.");
    return std::nullopt;
  }
  return text;
}

std::string TomlReader::Text(const toml::table& table, std::string_view key) {
  if (table.get(key) == nullptr) {
    Fault(Where(table), "`" + std::string(key) + "` is missing; add it.");
    return {};
  }
  return OptionalText(table, key).value_or("");
}

std::optional<std::uint64_t> TomlReader::Number(const toml::node& node) {
  const auto number = node.value_exact<std::int64_t>();
  if (!number || *number < 0 || *number > std::numeric_limits<std::uint32_t>::max()) {
    Fault(Where(node), "a number from 0 to 0xffffffff belongs here.");
    return std::nullopt;
  }
  return static_cast<std::uint64_t>(*number);
}

std::optional<std::uint64_t> TomlReader::Number(const toml::table& table, std::string_view key) {
  const toml::node* node = table.get(key);
  return node == nullptr ? std::nullopt : Number(*node);
}

std::vector<std::string> TomlReader::Texts(const toml::table& table, std::string_view key) {
  std::vector<std::string> texts;
  const toml::node* node = table.get(key);
  if (node == nullptr) return texts;
  const toml::array* array = node->as_array();
  if (array == nullptr || array->empty()) {
    Fault(Where(*node), "`" + std::string(key) + "` must be a list of texts that is not empty.");
    return texts;
  }
  for (const toml::node& element : *array) {
    if (auto text = element.value<std::string>()) {
      texts.push_back(*text);
    } else {
      Fault(Where(element), "`" + std::string(key) + "` must hold texts only.");
    }
  }
  return texts;
}

int TomlReader::ErrnoValue(const toml::table& table, std::string_view key, int otherwise) {
  const auto name = OptionalText(table, key);
  if (!name) return otherwise;
  for (const auto& [known, value] : kErrnos) {
    if (known == *name) return value;
  }
  Fault(Where(*table.get(key)),
        "`" + *name + "` is not an errno that a profile may answer; see toml_reader.cc.");
  return otherwise;
}

const toml::table& TomlReader::Table(const toml::table& table, std::string_view key) {
  const toml::node* node = table.get(key);
  if (node != nullptr && node->as_table() != nullptr) return *node->as_table();
  Fault(node != nullptr ? Where(*node) : Where(table),
        "the table [" + std::string(key) + "] is missing; add it.");
  return empty_;
}

}  // namespace casemate::seccomp_tool
