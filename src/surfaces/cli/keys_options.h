#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "casemate/error.h"
#include "keys/key_store.h"

namespace casemate {

// `casemate keys`'s command line.
struct KeysOptions {
  enum class Command { kHelp, kAdd, kList, kRevoke };
  Command command = Command::kHelp;
  std::string name;  // of the key to add; the id or name of the one to revoke
  Scopes scopes{Scope::kRun};
  KeyQuota quota;
  std::int64_t expires_ms = 0;  // from now; 0: never
  std::string state_dir;
  bool json = false;
};

// `words` are those after "keys". kInvalidRequest with one sentence.
Expected<KeysOptions> ParseKeysOptions(const std::vector<std::string>& words);

// The text of `casemate keys --help`.
std::string KeysHelp();

}  // namespace casemate
