#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "casemate/error.h"

namespace casemate::secrets {

// vault:MOUNT/PATH[?version=N]#FIELD. For the second version of the key-value engine PATH is without "data/",
// as in the command `vault kv get`.
struct VaultPlace {
  std::string path;  // with the mount, no "/" at its ends
  std::string field;
  std::int64_t version = 0;  // 0: the latest
};
inline constexpr std::string_view kVaultForm = "vault:MOUNT/PATH[?version=N]#FIELD";
Expected<VaultPlace> ParseVaultPlace(std::string_view text);
Expected<void> CheckVaultPlace(std::string_view text);

}  // namespace casemate::secrets
