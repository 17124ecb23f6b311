// link: secrets_dotenv secrets_provider model base
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "secrets/dotenv/dotenv_parser.h"
#include "secrets/dotenv/git_index.h"

// Whatever a .env file or a git index holds: values are bounded, names are names, and no error repeats what
// it is about.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace secrets = casemate::secrets;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t half = text.find('\n');
  (void)secrets::GitIndexHas(text, text.substr(0, half));
  const auto entries = secrets::ParseDotenv(text);
  if (!entries) {
    if (!entries.error().message.starts_with("line ") && !entries.error().message.contains("zero byte"))
      std::abort();
    return 0;
  }
  const secrets::ProcessVariable variable = [](std::string_view name) -> std::optional<std::string_view> {
    if (name.size() % 2 == 0) return std::nullopt;
    return "value";
  };
  std::size_t asked = 0;
  for (const secrets::DotenvEntry& entry : *entries) {
    if (entry.name.empty() || entry.name.find('=') != std::string_view::npos || entry.line < 1) std::abort();
    if (++asked > 20) continue;
    const auto value = secrets::DotenvValue(*entries, entry.name, variable);
    if (!value && !value.error().message.starts_with("line ")) std::abort();
    if (value && *value && (*value)->size() > casemate::kSecretBytesMax) std::abort();
  }
  return 0;
}
