#pragma once

#include <string>

#include "environments/manifest.h"

namespace casemate {

// Tables and requirement files for people; hostile names are escaped.
std::string ManifestHead();
std::string ManifestLine(const EnvironmentManifest& manifest);
std::string ManifestText(const EnvironmentManifest& manifest);

// What pip takes with --require-hashes, and lock:FILE here.
std::string LockFileText(const EnvironmentManifest& manifest);

}  // namespace casemate
