#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/error.h"

namespace casemate {

// A requirements file, with what it includes, as lines for a resolver. The text may be a stranger's: only
// names with versions, extras, markers and hashes are taken. What would make the resolver run a package's own
// code (an editable install, a folder, a version control address, an archive by its address) or ask another
// server than the caller's is refused with its line.
struct Requirements {
  std::vector<std::string> lines;        // "pandas>=2,<3 ; python_version > \"3.8\" --hash=sha256:…"
  std::vector<std::string> constraints;  // of -c, likewise
  std::vector<std::string> options;      // "--pre", "--prefer-binary"
  bool hashed = false;                   // every line has a hash, and pins one version
};

// Reads an included file; a relative `path` is one beside the file that includes it.
using RequirementsReader = std::function<Expected<std::string>(const std::string& path)>;

// `text` is the file called `name`. kInvalidRequest with NAME:LINE.
Expected<Requirements> ParseRequirements(std::string_view text, const std::string& name,
                                         const RequirementsReader& read);

// The items of "numpy,pandas>=2,<3" as lines: a comma before a comparison belongs to the item.
Expected<Requirements> ParsePackageList(std::string_view list);

// As PEP 503 has it: "Foo._Bar" is foo-bar.
std::string NormalizedName(std::string_view name);

// Of a line of Requirements, normalized: "requests" of "requests[socks]>=2".
std::string RequirementName(std::string_view line);

}  // namespace casemate
