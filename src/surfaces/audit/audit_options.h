#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "casemate/audit.h"
#include "casemate/error.h"

namespace casemate {

// `casemate audit`'s command line.
struct AuditOptions {
  std::string command;  // "list", "show", ...; "help"
  std::string id;       // of show and replay
  std::string state_dir;
  AuditFilter filter;
  AuditVerifyOptions verify;
  std::string format = "jsonl";               // of export
  std::optional<std::int64_t> older_than_us;  // of prune
  std::optional<std::int64_t> keep_bytes;     // of prune
  std::int64_t lines = 10;                    // of tail
  bool follow = false;
  std::map<std::string, std::string> env;  // of replay
  bool json = false;
};

// `words` are those after "audit"; `now_us` is what "1h" ago is counted from. kInvalidRequest with one
// sentence.
Expected<AuditOptions> ParseAuditOptions(const std::vector<std::string>& words, std::int64_t now_us);

// The text of `casemate audit --help`.
std::string AuditHelp();

}  // namespace casemate
