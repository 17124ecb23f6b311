#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "casemate/backend.h"
#include "casemate/error.h"
#include "environments/host_environment.h"
#include "environments/manifest.h"
#include "environments/reference.h"

namespace casemate {

// Where environments that were built are, and how a request finds its own:
//
//   STATE/environments/store/ID/        one environment, complete since it has this name (rename(2))
//     environment.json                  its manifest
//     contents                          each file's hash
//     venv/ or rootfs/                  its files, never changed again
//   STATE/environments/requests/KEY     the id that the inputs with this hash led to
//   STATE/environments/staging/         what is being built; worth nothing after a crash
//   STATE/environments/wheels, trees/   what builds share: wheels by hash, and each one unpacked
//
// Finding one never builds one: that is environments/build, in a program of its own.
struct EnvironmentPaths {
  explicit EnvironmentPaths(std::string_view state_dir);
  std::string root;
  std::string store;
  std::string requests;
  std::string staging;
  std::string wheels;
  std::string trees;
  std::string locks;

  std::string Of(std::string_view id) const;  // the folder of the environment with this id
};

// What a request's environment depends on, before anything is resolved.
struct EnvironmentInputs {
  std::string key;       // the hash of what follows
  std::string file;      // the one that was read first; "" for none
  std::string text;      // requirements and what they include, the lock, the list; for an image its identity
  EnvironmentView host;  // the interpreter that it is for; its `python` is empty where none is needed
};

// Reads the files that `reference` names. kNotFound when one is missing, kInvalidRequest when it is not for
// this.
Expected<EnvironmentInputs> ReadEnvironmentInputs(const EnvironmentReference& reference,
                                                  const HostEnvironmentOptions& host);

// The id that the inputs' key led to; "" when they were never built.
std::string FindBuiltId(const EnvironmentPaths& paths, std::string_view key);

// An environment that is there, and is not removed by prune as long as this lives.
struct BuiltEnvironment {
  EnvironmentManifest manifest;
  EnvironmentView view;
};
// The environment with this id, or the one whose id begins with it. kNotFound when it is not there; then
// nothing is wrong. kUnavailable when the interpreter that it was built for is another by now.
Expected<BuiltEnvironment> OpenBuilt(const EnvironmentPaths& paths, std::string_view id,
                                     const HostEnvironmentOptions& host);

// Ids in the store, sorted.
std::vector<std::string> ListBuilt(const EnvironmentPaths& paths);

Expected<EnvironmentManifest> ReadManifest(const EnvironmentPaths& paths, std::string_view id);

// The rules for names of packages that builds obey: $CASEMATE_PACKAGES, or /etc/casemate/packages where it
// is; "" for none.
std::string PackageRulesFile();

}  // namespace casemate
