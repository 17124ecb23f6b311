// link: environments base
// The remembered environment, as a damaged or foreign file: the first byte says whether the rest stands as it
// is, or gets the header and the checksum without which nothing is believed. What is believed comes back the
// same after being written again.
#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/file.h"
#include "base/sha256.h"
#include "environments/environment_cache.h"
#include "scratch_folder.h"

namespace {

constexpr std::string_view kKey = "/usr/bin/python3";

std::string Sealed(std::string_view lines) {
  std::string text = "casemate-environment 1\nkey " + std::string(kKey) + "\n" + std::string(lines) + "\n";
  return text + "end " + casemate::Sha256Hex(text) + "\n";
}

void Write(const std::string& path, std::string_view text) {
  const auto file = casemate::OpenFile(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!file || !casemate::WriteAll(file->get(), text, path)) std::abort();
}

bool Same(const casemate::EnvironmentView& a, const casemate::EnvironmentView& b) {
  return a.name == b.name && a.python == b.python && a.read_only_paths == b.read_only_paths &&
         a.symlinks == b.symlinks && a.sys_path == b.sys_path && a.python_prefix == b.python_prefix &&
         a.python_version == b.python_version;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const ScratchFolder folder;
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::string given = folder.path() + "/given";
  const std::string again = folder.path() + "/again";
  Write(given, data[0] == 'r' ? std::string(rest) : Sealed(rest));
  const auto view = casemate::ReadEnvironmentCache(given, kKey);
  if (!view) return 0;
  if (view->python.empty() || view->name != "host") std::abort();
  if (casemate::ReadEnvironmentCache(given, "/usr/bin/other")) std::abort();

  ::unlink(again.c_str());
  casemate::WriteEnvironmentCache(again, kKey, *view, {});
  // A name with a tab cannot be written down, so nothing is.
  if (!casemate::FileExists(again)) {
    if (rest.find('\t') == std::string_view::npos) std::abort();
    return 0;
  }
  const auto read = casemate::ReadEnvironmentCache(again, kKey);
  if (!read || !Same(*read, *view)) std::abort();
  return 0;
}
