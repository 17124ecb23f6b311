#include "environments/environment_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/file.h"
#include "base/sha256.h"
#include "base/unique_fd.h"

namespace casemate {
namespace {

constexpr std::string_view kHeader = "casemate-environment 1";
// The last line: "end", and the SHA-256 of all before it, so that a damaged file is no answer.
constexpr std::string_view kTrailer = "end";
constexpr std::size_t kBytesMax = 256 * 1024;

// FNV-1a: only spreads file names; the key itself is compared too.
std::uint64_t HashOf(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return hash;
}

// "0" for what does not exist. The link itself and what it leads to both count.
std::string Stamp(const std::string& path) {
  struct stat link {};
  if (::lstat(path.c_str(), &link) != 0) return "0";
  struct stat file = link;
  if (S_ISLNK(link.st_mode) && ::stat(path.c_str(), &file) != 0) return "0";
  return fmt::format("{:x}:{:x}:{:x}:{:x}.{:x}:{:x}", file.st_dev, file.st_ino, file.st_size,
                     file.st_mtim.tv_sec, file.st_mtim.tv_nsec, link.st_ino);
}

bool IsOurs(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == ::geteuid() &&
         (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

struct Line {
  std::string_view word;
  std::string_view value;
};

std::optional<Line> NextLine(std::string_view& text) {
  const std::size_t newline = text.find('\n');
  if (newline == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, newline);
  text.remove_prefix(newline + 1);
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) return Line{line, {}};
  return Line{line.substr(0, space), line.substr(space + 1)};
}

// "FIRST\tSECOND".
std::optional<std::pair<std::string_view, std::string_view>> Halves(std::string_view value) {
  const std::size_t tab = value.find('\t');
  if (tab == std::string_view::npos) return std::nullopt;
  return std::pair(value.substr(0, tab), value.substr(tab + 1));
}

// False for a line that changes the answer: a stale stamp or a word of no known meaning.
bool TakeLine(const Line& line, EnvironmentView& view) {
  if (line.word == "watch") {
    const auto halves = Halves(line.value);
    return halves && Stamp(std::string(halves->second)) == halves->first;
  }
  if (line.word == "link") {
    const auto halves = Halves(line.value);
    if (halves) view.symlinks.emplace_back(halves->first, halves->second);
    return halves.has_value();
  }
  if (line.word == "bind") {
    view.read_only_paths.emplace_back(line.value);
  } else if (line.word == "path") {
    view.sys_path.emplace_back(line.value);
  } else if (line.word == "python") {
    view.python = line.value;
  } else if (line.word == "prefix") {
    view.python_prefix = line.value;
  } else if (line.word == "version") {
    view.python_version = line.value;
  } else {
    return false;
  }
  return true;
}

std::optional<EnvironmentView> Parse(std::string_view text, std::string_view key) {
  const std::string_view whole = text;
  const auto header = NextLine(text);
  if (!header || fmt::format("{} {}", header->word, header->value) != kHeader) return std::nullopt;
  const auto question = NextLine(text);
  if (!question || question->word != "key" || question->value != key) return std::nullopt;
  EnvironmentView view;
  view.name = "host";
  while (const auto line = NextLine(text)) {
    if (line->word == kTrailer) {
      const std::string_view before = whole.substr(0, whole.rfind(kTrailer));
      if (!text.empty() || view.python.empty() || line->value != Sha256Hex(before)) return std::nullopt;
      return view;
    }
    if (!TakeLine(*line, view)) return std::nullopt;
  }
  return std::nullopt;  // cut short
}

}  // namespace

std::string EnvironmentCachePath(const std::string& state_dir, std::string_view key) {
  return fmt::format("{}/cache/host-{:016x}", state_dir, HashOf(key));
}

std::optional<EnvironmentView> ReadEnvironmentCache(const std::string& path, std::string_view key) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd.valid() || !IsOurs(fd.get())) return std::nullopt;
  const auto text = ReadAll(fd.get(), kBytesMax, path);
  if (!text) return std::nullopt;
  return Parse(*text, key);
}

void WriteEnvironmentCache(const std::string& path, std::string_view key, const EnvironmentView& view,
                           const std::vector<std::string>& watch) {
  std::string text = fmt::format("{}\nkey {}\n", kHeader, key);
  std::size_t lines = 3;
  const auto add = [&](std::string_view word, const std::string& value) {
    text += fmt::format("{} {}\n", word, value);
    ++lines;
  };
  for (const std::string& file : watch) add("watch", Stamp(file) + "\t" + file);
  add("python", view.python);
  add("prefix", view.python_prefix);
  add("version", view.python_version);
  for (const std::string& folder : view.read_only_paths) add("bind", folder);
  for (const auto& [link, target] : view.symlinks) add("link", link + "\t" + target);
  for (const std::string& entry : view.sys_path) add("path", entry);
  text += fmt::format("{} {}\n", kTrailer, Sha256Hex(text));
  // A newline or tab inside a name would shift what follows; such a host goes without a cache.
  const auto count = [&](char c) { return static_cast<std::size_t>(std::ranges::count(text, c)); };
  if (count('\n') != lines || count('\t') != watch.size() + view.symlinks.size()) return;
  if (text.size() > kBytesMax) return;
  const std::string folder = path.substr(0, path.rfind('/'));
  if (!MakeFolders(folder, 0700)) return;
  (void)WriteFileAtomically(path, text, 0600);
}

}  // namespace casemate
