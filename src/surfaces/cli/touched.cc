#include "surfaces/cli/touched.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/file.h"
#include "policy/units.h"
#include "surfaces/cli/terminal.h"

namespace casemate {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kComparedMax = std::size_t{256} << 20;
constexpr std::size_t kShownMax = 50;

bool IsCache(std::string_view name) { return name.contains("__pycache__/"); }

// The regular files below `folder`, relative; links are not followed.
std::set<std::string> FilesIn(const std::string& folder) {
  std::set<std::string> names;
  std::error_code failed;
  fs::recursive_directory_iterator at(folder, fs::directory_options::skip_permission_denied, failed);
  while (!failed && at != fs::recursive_directory_iterator()) {
    std::error_code ignored;
    if (at->is_regular_file(ignored) && !at->is_symlink(ignored)) {
      names.insert(at->path().string().substr(folder.size() + 1));
    }
    at.increment(failed);
  }
  return names;
}

bool IsSame(const OutputFile& file, const std::string& path) {
  if (file.truncated) {
    std::error_code failed;
    const auto size = fs::file_size(path, failed);
    return !failed && static_cast<std::int64_t>(size) == file.size_bytes;
  }
  const auto bytes = ReadFile(path, kComparedMax);
  return bytes && *bytes == file.bytes;
}

}  // namespace

Touched CompareWithFolder(const std::vector<OutputFile>& collected, const std::string& folder) {
  Touched touched;
  std::set<std::string> before = FilesIn(folder);
  const auto note = [&touched](const std::string& name, std::string_view what, std::int64_t size) {
    if (IsCache(name)) {
      ++touched.caches;
    } else {
      touched.files.push_back({name, what, size});
    }
  };
  for (const OutputFile& file : collected) {
    const bool known = before.erase(file.name) > 0;
    if (!known) {
      note(file.name, "new", file.size_bytes);
    } else if (!IsSame(file, fmt::format("{}/{}", folder, file.name))) {
      note(file.name, "changed", file.size_bytes);
    }
  }
  for (const std::string& name : before) note(name, "removed", 0);
  std::ranges::sort(touched.files, {}, &Touched::File::name);
  return touched;
}

std::string TouchedText(const Touched& touched, const std::vector<Denial>& denials,
                        const std::vector<NetworkAttempt>& network) {
  std::string text = "what it touched:\n";
  const auto line = [&text](std::string_view what, std::string_view name, std::int64_t count) {
    text += fmt::format("  {:<8} {}{}\n", what, EscapeForTerminal(name),
                        count > 1 ? fmt::format(" ({} times)", count) : "");
  };
  if (touched.files.empty()) text += "  files    none\n";
  for (std::size_t i = 0; i < std::min(touched.files.size(), kShownMax); ++i) {
    const Touched::File& file = touched.files[i];
    text += fmt::format("  {:<8} {}{}\n", file.what, EscapeForTerminal(file.name),
                        file.what == "removed" ? "" : fmt::format(" ({})", FormatBytes(file.size_bytes)));
  }
  if (touched.files.size() > kShownMax) {
    text += fmt::format("  ... and {} more files\n", touched.files.size() - kShownMax);
  }
  bool asked = false;
  for (const NetworkAttempt& attempt : network) {
    if (!attempt.allowed) continue;
    asked = true;
    line("reached", attempt.destination, attempt.count);
  }
  for (const Denial& denial : denials) {
    const bool is_network = denial.kind == "network";
    asked = asked || is_network;
    line(is_network ? "asked" : "denied", denial.what, denial.count);
  }
  if (!asked) text += "  hosts    none asked for\n";
  if (denials.empty()) text += "  denials  none\n";
  return text;
}

}  // namespace casemate
