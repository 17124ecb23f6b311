#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/error.h"

namespace casemate {

// One wheel of an environment, as it was resolved.
struct LockedWheel {
  std::string name;     // normalized
  std::string version;  // as the wheel's file name has it
  std::string file;     // its file name
  std::string sha256;   // of the file
};

// What a built environment is: the file environment.json beside its files.
struct EnvironmentManifest {
  std::string id;       // 64 hexadecimal digits: the hash of all that went in
  std::string kind;     // "requirements", "image", ...
  std::string name;     // as it was asked for when it was built first
  std::string created;  // "2026-11-21T14:00:00Z"
  std::string python;   // the interpreter: a path of the host, or inside of an image
  std::string python_version;
  std::string python_abi;                        // "cpython-311-x86_64-linux-gnu"
  std::string python_prefix;                     // inside of an image
  std::vector<std::string> sys_path;             // inside of an image
  std::vector<std::string> path_entries;         // folders of .pth files, below the packages' own
  std::vector<std::string> preload;              // modules that warm cells import besides the engine's own
  std::vector<LockedWheel> wheels;               // by name
  std::vector<std::string> store_paths;          // of a Nix closure
  std::map<std::string, std::string> variables;  // of an image's configuration
  std::int64_t bytes = 0;
  std::int64_t files = 0;
  std::string contents_sha256;  // of the file `contents`, which has each file's own hash
};

std::string EncodeManifest(const EnvironmentManifest& manifest);
// kInternal for what is none.
Expected<EnvironmentManifest> ParseManifest(std::string_view text);

// The text whose hash is the id of an environment of packages.
std::string LockText(const EnvironmentManifest& manifest);

}  // namespace casemate
