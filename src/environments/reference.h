#pragma once

#include <string>
#include <string_view>

#include "casemate/error.h"

namespace casemate {

// What a request's `environment` names, as a person writes it:
//
//   host                                  the host's interpreter and libraries
//   python=3.12                           the same with another interpreter of the host
//   requirements:FILE                     the packages of a requirements.txt
//   packages:numpy,pandas>=2,<3           the same, given in place
//   pyproject:FILE                        the dependencies of a pyproject.toml (or of the folder it is in)
//   lock:FILE                             a uv.lock, or a requirements file in which every line has its hash
//   image:FILE                            a container image as a tar file (docker save, OCI layout)
//   docker:NAME                           an image of the local Docker daemon, which pulls what it lacks
//   registry:NAME@sha256:DIGITS           an image of a registry, by its digest
//   rootfs:DIR                            a folder that is a file system's root
//   nix:PATH                              the closure of a path of /nix/store
//   sha256:DIGITS                         one that was built, by its hash or the first 12 digits of it
//
// The five in the middle take ",python=3.12" at their end.
struct EnvironmentReference {
  enum class Kind {
    kHost,
    kRequirements,
    kPackages,
    kPyproject,
    kLock,
    kImage,
    kDocker,
    kRegistry,
    kRootfs,
    kNix,
    kBuilt,
  };
  Kind kind = Kind::kHost;
  std::string value;   // what stands behind the colon, without the interpreter
  std::string python;  // "python3.12"; "" for the engine's own
};

// `text` may be hostile: it is checked for form alone, and nothing is opened. kInvalidRequest otherwise.
Expected<EnvironmentReference> ParseEnvironmentReference(std::string_view text);

// `text` with a relative path in it made absolute, so that it means the same in another process.
std::string AbsoluteEnvironment(const std::string& text);

// "requirements", "image" and so on, as written before the colon.
std::string_view EnvironmentKindName(EnvironmentReference::Kind kind);

// Whether the environment is a virtual environment of Python packages on top of the host's interpreter.
bool HasPackages(EnvironmentReference::Kind kind);
bool HasPackages(std::string_view kind_name);

}  // namespace casemate
