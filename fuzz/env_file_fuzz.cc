// link: surfaces_cli
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "surfaces/cli/env_file.h"

// Whatever the file holds, a parsed environment has only names and values that execve(2) can take.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const casemate::HostVariable host = [](const std::string& name) -> std::optional<std::string> {
    if (name.size() % 2 == 0) return std::nullopt;
    return "value";
  };
  const auto env = casemate::ParseEnvFile(text, host);
  if (!env) {
    if (env.error().message.empty()) std::abort();
    return 0;
  }
  for (const auto& [name, value] : *env) {
    if (name.empty() || name.find('=') != std::string::npos || name.find('\0') != std::string::npos ||
        value.find('\0') != std::string::npos || value.find('\n') != std::string::npos) {
      std::abort();
    }
  }
  return 0;
}
