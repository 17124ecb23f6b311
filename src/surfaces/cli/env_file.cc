#include "surfaces/cli/env_file.h"

#include <fmt/format.h>

#include "base/utf8.h"

namespace casemate {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool IsName(std::string_view name) {
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f) return false;
  }
  return !name.empty() && IsValidUtf8(name);
}

}  // namespace

Expected<void> AddVariable(std::string_view text, const HostVariable& host,
                           std::map<std::string, std::string>& env) {
  const std::size_t equals = text.find('=');
  const std::string name(text.substr(0, equals));
  if (!IsName(name)) {
    return Fail(ErrorCode::kInvalidRequest,
                "the name of an environment variable is empty or has a space or control character in it: "
                "write NAME=VALUE");
  }
  if (equals == std::string_view::npos) {
    if (auto value = host(name)) env[name] = *std::move(value);
    return {};
  }
  const std::string_view value = text.substr(equals + 1);
  if (value.find('\0') != std::string_view::npos) {
    return Fail(
        ErrorCode::kInvalidRequest,
        fmt::format("the value of the environment variable {} has a zero byte in it: remove it", name));
  }
  env[name] = value;
  return {};
}

Expected<std::map<std::string, std::string>> ParseEnvFile(std::string_view text, const HostVariable& host) {
  std::map<std::string, std::string> env;
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t newline = text.find('\n');
    std::string_view line = text.substr(0, newline);
    text = newline == std::string_view::npos ? std::string_view() : text.substr(newline + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::size_t start = line.find_first_not_of(" \t");
    if (start == std::string_view::npos || line[start] == '#') continue;
    line.remove_prefix(start);
    if (auto added = AddVariable(line, host, env); !added) {
      return Fail(ErrorCode::kInvalidRequest, fmt::format("line {}: {}", number, added.error().message));
    }
  }
  return env;
}

}  // namespace casemate
