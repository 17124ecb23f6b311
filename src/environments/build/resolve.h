#pragma once

#include <string>
#include <vector>

#include "casemate/error.h"
#include "environments/build/progress.h"
#include "environments/manifest.h"
#include "environments/reference.h"
#include "environments/requirements.h"
#include "environments/store.h"

namespace casemate {

struct ResolveOptions {
  std::string python;     // the interpreter whose pip is asked, and for which the wheels are
  std::string index_url;  // "" for what pip is set up to ask
  std::string folder;     // an empty one, for the wheels and for pip's own files
  // Packages that may be built from source, in a sandbox (source_build.h), by their normalized names; and
  // hosts, besides the index's, that their builds may reach.
  std::vector<std::string> from_source;
  std::vector<std::string> build_hosts;
};

// Asks pip which wheels meet `requirements`, and has it fetch them into folder/wheels. No code of a package
// runs on the host: only wheels are taken, and the process that pip runs in cannot start a program. pip
// checks each file against the index's hash, and against those of the requirements where they have any.
// kUnavailable where there is no pip, kInvalidRequest in the resolver's own words for what cannot be met.
Expected<std::vector<LockedWheel>> Resolve(const Requirements& requirements, const ResolveOptions& options,
                                           BuildProgress& progress);

// The requirements of `reference`, whose inputs have been read: parsed here, except that uv is asked what a
// uv.lock means.
Expected<Requirements> RequirementsOf(const EnvironmentReference& reference, const EnvironmentInputs& inputs);

// pip's own words about why it failed, without its noise.
std::string CleanResolverMessage(std::string_view out, std::string_view err);

}  // namespace casemate
