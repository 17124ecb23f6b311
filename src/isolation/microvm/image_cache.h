#pragma once

#include <functional>
#include <string>
#include <vector>

#include "casemate/backend.h"
#include "isolation/microvm/guest_kernel.h"

namespace casemate::microvm {

// Files that guests are made of, in one folder of the user's state, each named by the hash of what went into
// it and never changed. Thread-safe, and safe beside other processes: who makes a file holds a lock, and the
// file appears whole.
class ImageCache {
 public:
  explicit ImageCache(std::string folder) : folder_(std::move(folder)) {}

  const std::string& folder() const { return folder_; }

  // The first root of every guest: our init and the kernel's modules. Milliseconds.
  Expected<std::string> Initramfs(const GuestKernel& kernel) const;
  // The root that programs see, as a squashfs file: the environment's interpreter and packages, and the
  // commands of profiles/docker/image.toml. Seconds for the first time.
  Expected<std::string> Root(const EnvironmentView& environment) const;

  // The path for `name`; when nothing is there, `make` is called with the path to fill, alone among all
  // processes. kUnavailable, with the folder's name, when its disk is full.
  using Maker = std::function<Expected<void>(const std::string& part)>;
  Expected<std::string> Find(const std::string& name, const Maker& make) const;

 private:
  std::string folder_;
};

// What an engine left that was killed while it made a file, and files that no run has used for `unused_days`.
struct Garbage {
  std::vector<std::string> removed;
  std::vector<std::string> kept;
};
Garbage CollectMicrovmGarbage(const std::string& folder, int unused_days = 30);

}  // namespace casemate::microvm
