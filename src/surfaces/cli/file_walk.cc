#include "surfaces/cli/file_walk.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/clock.h"
#include "surfaces/cli/stream_writer.h"

namespace casemate {
namespace {

constexpr std::int64_t kRedrawUs = 100'000;
constexpr std::string_view kEraseLine = "\r\x1b[K";

}  // namespace

Expected<std::vector<std::string>> FilesOf(const std::vector<std::string>& paths) {
  namespace fs = std::filesystem;
  std::vector<std::string> files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      files.push_back(path);
      continue;
    }
    std::vector<std::string> below;
    fs::recursive_directory_iterator entry(path, error);
    for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
      std::error_code ignored;
      if (entry->is_regular_file(ignored) && !entry->is_symlink(ignored)) below.push_back(entry->path());
    }
    if (error) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("{} cannot be read: {}; name what you may read", path, error.message()));
    }
    std::ranges::sort(below);
    files.insert(files.end(), below.begin(), below.end());
  }
  return files;
}

FileProgress::FileProgress(std::size_t files, const CliStreams& streams)
    : files_(files), streams_(streams), terminal_(::isatty(streams.err) == 1), drawn_us_(MonotonicUs()) {}

FileProgress::~FileProgress() {
  if (drawn_) WritePatiently(streams_.err, kEraseLine, -1);
}

void FileProgress::Next() {
  ++done_;
  if (!terminal_ || MonotonicUs() - drawn_us_ < kRedrawUs) return;
  drawn_us_ = MonotonicUs();
  drawn_ = true;
  const std::string line =
      fmt::format("{}{:3}%  {} of {} files", kEraseLine, 100 * done_ / files_, done_, files_);
  WritePatiently(streams_.err, line, -1);
}

}  // namespace casemate
