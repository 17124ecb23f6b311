#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "casemate/error.h"
#include "casemate/policy.h"

namespace casemate {

// Reads a profile's TOML text, which is ASCII:
//
//   description = "For grading small exercises."   # optional
//   require_limits = true                          # optional
//   keep_program = true                            # optional; in the audit log
//   audit_keep = "90d"                             # optional; records stay so long at least
//   network = "none"                               # optional; or "allow:HOST[:PORT],..."
//   checks = "checked"                             # optional: open, checked or restricted
//   allowed_packages = ["os.path"]                 # optional
//   [complexity]                                   # optional; whole numbers
//   loops = 10
//   [limits]                                       # optional; what is absent has its default
//   wall_time_ms = 5000
//   memory_bytes = "64m"                           # strings take the units of the command line
//   cpus = { value = 0.5, reason = "shared host" }
//
// `name` becomes Policy::name and appears in errors, which say line and column. Errors: kInvalidRequest.
Expected<Policy> ParseProfile(std::string_view name, std::string_view toml_text);

// Whether the built-in profile of that name asks for its programs to be kept in the audit log.
bool KeepsProgram(std::string_view profile);

// How long that profile asks for the records of its runs to stay in the audit log at least; nothing when it
// leaves that to the log.
std::optional<std::int64_t> AuditKeepUs(std::string_view profile);

}  // namespace casemate
