#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "casemate/error.h"
#include "casemate/secret.h"

namespace casemate::secrets {

struct SecretFileRules {
  bool any_mode = false;  // may be readable by group and others, and belong to another user
  bool follow = false;    // may be reached through a symbolic link
  std::size_t bytes_max = kSecretBytesMax;
};

// The whole of a regular file, read straight into locked memory; nullopt when it is not there. The rules are
// checked on the open file, so that it cannot be another one afterwards. kInvalidRequest with the remedy for
// what is no regular file, is larger, or breaks a rule.
Expected<std::optional<SecretValue>> ReadSecretFile(const std::string& path, const SecretFileRules& rules);

// `path` with ~ expanded. kInvalidRequest when it is relative: an engine has no folder of its own.
Expected<std::string> ExpandPath(std::string_view path);

}  // namespace casemate::secrets
