#pragma once

#include <string>

#include "casemate/error.h"

namespace casemate {

struct BuilderOptions {
  std::string state_dir;
  std::string python;     // "" for the usual one
  bool progress = false;  // it may draw on this process's stderr where that is a terminal
};

// Has casemate-env, which is beside this program, build the environment `name`, and returns its id. It takes
// as long as resolving, fetching and unpacking take. Errors are the build's own; kUnavailable when
// casemate-env is not there. May be called from several threads.
Expected<std::string> AskForEnvironment(const std::string& name, const BuilderOptions& options);

// What casemate-env says at its end on stdout, as one line: the id, or the error. Exposed for both sides.
std::string EncodeBuilderAnswer(const Expected<std::string>& id);
Expected<std::string> DecodeBuilderAnswer(const std::string& line);

}  // namespace casemate
