#pragma once

#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "casemate/error.h"
#include "environments/manifest.h"
#include "environments/store.h"

namespace casemate {

// A folder in which something is built, gone with all that is in it unless it is kept. Folders that killed
// builds left are removed when the next one is made.
class StagingFolder {
 public:
  static Expected<StagingFolder> Make(const EnvironmentPaths& paths);
  StagingFolder(StagingFolder&& other) noexcept = default;
  StagingFolder& operator=(StagingFolder&&) = delete;
  ~StagingFolder();

  const std::string& path() const { return path_; }
  // Gives `part` of it (a folder in it) the name `path`, once all of it is on the disk. False when something
  // has that name already, which is then as good.
  Expected<bool> Keep(const std::string& part, const std::string& path) const;

 private:
  StagingFolder(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  std::string path_;
  UniqueFd lock_;  // held while it is in use
};

// A folder with all that is in it, whatever its rights; nothing when it is not there.
void RemoveTree(const std::string& path);

// The lock of one build by its key; waits for whoever has it. `on_wait` is called when there is somebody.
Expected<UniqueFd> LockBuild(const EnvironmentPaths& paths, const std::string& key, void (*on_wait)(void*),
                             void* context);

// Puts manifest and contents into the staged folder `part`, and keeps it in the store under the manifest's
// id.
Expected<void> KeepEnvironment(const EnvironmentPaths& paths, const StagingFolder& staging,
                               const std::string& part, EnvironmentManifest& manifest,
                               const std::string& contents);

// Notes that the inputs with `key` lead to `manifest`.
Expected<void> NoteRequest(const EnvironmentPaths& paths, const std::string& key,
                           const EnvironmentManifest& manifest);
// The wheels that were noted; empty when nothing was.
std::vector<LockedWheel> NotedWheels(const EnvironmentPaths& paths, const std::string& key);

}  // namespace casemate
