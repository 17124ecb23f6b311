#include "surfaces/env/env_text.h"

#include <fmt/format.h>

#include "policy/units.h"
#include "surfaces/cli/terminal.h"

namespace casemate {

std::string ManifestHead() {
  return fmt::format("{:<12}  {:<12}  {:<20}  {:>8}  {:>9}  {}\n", "HASH", "KIND", "CREATED", "PACKAGES",
                     "SIZE", "NAME");
}

std::string ManifestLine(const EnvironmentManifest& manifest) {
  return fmt::format("{:<12}  {:<12}  {:<20}  {:>8}  {:>9}  {}\n", manifest.id.substr(0, 12), manifest.kind,
                     manifest.created, manifest.wheels.size(), FormatBytes(manifest.bytes),
                     EscapeForTerminal(manifest.name));
}

std::string ManifestText(const EnvironmentManifest& manifest) {
  std::string text = fmt::format("hash      sha256:{}\nname      {}\ncreated   {}\n", manifest.id,
                                 EscapeForTerminal(manifest.name), manifest.created);
  if (!manifest.python.empty()) {
    text += fmt::format("python    {} {}\n", manifest.python_version, EscapeForTerminal(manifest.python));
  }
  text += fmt::format("files     {}, {}\n", manifest.files, FormatBytes(manifest.bytes));
  for (const std::string& module : manifest.preload) text += fmt::format("preload   {}\n", module);
  for (const LockedWheel& wheel : manifest.wheels) {
    text += fmt::format("package   {} {}  sha256:{}\n", EscapeForTerminal(wheel.name),
                        EscapeForTerminal(wheel.version), wheel.sha256);
  }
  for (const std::string& path : manifest.store_paths) {
    text += fmt::format("path      {}\n", EscapeForTerminal(path));
  }
  return text;
}

std::string LockFileText(const EnvironmentManifest& manifest) {
  std::string text = fmt::format("# casemate env lock: Python {}, {}; sha256:{}\n", manifest.python_version,
                                 manifest.python_abi, manifest.id);
  for (const LockedWheel& wheel : manifest.wheels) {
    text += fmt::format("{}=={} \\\n    --hash=sha256:{}\n", wheel.name, wheel.version, wheel.sha256);
  }
  return text;
}

}  // namespace casemate
