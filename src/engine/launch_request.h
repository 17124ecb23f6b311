#pragma once

#include <optional>
#include <string>

#include "casemate/backend.h"
#include "casemate/error.h"
#include "casemate/policy.h"
#include "casemate/request.h"
#include "casemate/result.h"

namespace casemate {

// A request that has been found complete and possible; nothing of the host has been touched but its files
// read.
struct CheckedRequest {
  Policy policy;
  std::optional<JsonText> input;
  bool keep_program = false;                  // in the audit log
  std::optional<std::int64_t> audit_keep_us;  // how long its records stay there at least
  // What random, numpy.random and the order of sets follow from: the variable CASEMATE_SEED, or what is drawn
  // for a program that is kept. Such a program starts cold.
  std::optional<std::uint32_t> seed;
};

// Checks everything that can be checked without a sandbox: exactly one of code and command, names of files
// and variables, limits, the input against its schema, the schemas themselves. kInvalidRequest or kNotFound
// with one sentence.
Expected<CheckedRequest> CheckRequest(const ExecutionRequest& request);

// What a backend needs for `request`, and what the harness is told.
struct Launch {
  LaunchSpec spec;
  std::string request_bytes;  // empty for a command
};
Expected<Launch> MakeLaunch(const std::string& id, const ExecutionRequest& request,
                            const CheckedRequest& checked, const EnvironmentView& environment,
                            const std::vector<RootFile>& harness);

}  // namespace casemate
