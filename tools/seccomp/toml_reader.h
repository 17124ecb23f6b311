#pragma once

#include <toml++/toml.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace casemate::seccomp_tool {

// Typed access to a profile's tables that collects every fault with its line instead of stopping at one.
class TomlReader {
 public:
  explicit TomlReader(std::vector<std::string>& errors) : errors_(errors) {}

  void Fault(const std::string& where, const std::string& sentence) {
    errors_.push_back(where + ": " + sentence);
  }
  // "PATH:LINE" of a node.
  static std::string Where(const toml::node& node);

  // Faults for keys that are not in `known`: a misspelt key must not weaken a filter silently.
  void KnownKeys(const toml::table& table, std::initializer_list<std::string_view> known);

  // A non-empty string; a fault when it is missing.
  std::string Text(const toml::table& table, std::string_view key);
  std::optional<std::string> OptionalText(const toml::table& table, std::string_view key);
  // A number from 0 to 2^32 - 1.
  std::optional<std::uint64_t> Number(const toml::node& node);
  std::optional<std::uint64_t> Number(const toml::table& table, std::string_view key);
  std::vector<std::string> Texts(const toml::table& table, std::string_view key);
  // The value of an errno's name; a fault for an unknown one.
  int ErrnoValue(const toml::table& table, std::string_view key, int otherwise);

  // The table at `key`, which must be there.
  const toml::table& Table(const toml::table& table, std::string_view key);

 private:
  std::vector<std::string>& errors_;
  toml::table empty_;
};

}  // namespace casemate::seccomp_tool
