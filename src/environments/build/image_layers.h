#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "casemate/error.h"

namespace casemate {

// What the JSON files of a saved image say. All of it is hostile text; paths are relative, and checked.
struct ImageLayout {
  std::string config;               // the path of the configuration's file
  std::string config_sha256;        // "" when nothing says it
  std::vector<std::string> layers;  // paths of the layers' files, the lowest first
  std::vector<std::string> hashes;  // the same layers' hashes as files; "" where nothing says it
};
// manifest.json of `docker save`. kInvalidRequest for what is none, or more than one image.
Expected<ImageLayout> ParseDockerManifest(std::string_view text);

// index.json of an OCI image layout, or an image index in it: the path of the manifest or index that is for
// `architecture` ("amd64") and Linux, below blobs/.
Expected<std::string> ParseOciIndex(std::string_view text, std::string_view architecture);
// Whether an OCI document is an index of others.
bool IsOciIndex(std::string_view text);
Expected<ImageLayout> ParseOciManifest(std::string_view text);

struct ImageConfig {
  std::map<std::string, std::string> variables;
  std::vector<std::string> layer_hashes;  // of the layers, uncompressed
};
Expected<ImageConfig> ParseImageConfig(std::string_view text);

}  // namespace casemate
