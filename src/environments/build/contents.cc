#include "environments/build/contents.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <memory>

#include "base/errno.h"
#include "base/sha256.h"
#include "base/unique_fd.h"

namespace casemate {
namespace {

constexpr std::size_t kBlockBytes = 128 << 10;

}  // namespace

std::string EscapeName(std::string_view name) {
  std::string escaped;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || c == '%' || byte == 0x7f) {
      escaped += fmt::format("%{:02X}", byte);
    } else {
      escaped += c;
    }
  }
  return escaped;
}

namespace {

std::string Unescape(std::string_view text) {
  std::string name;
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'A' + 10; };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      name += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    } else {
      name += text[i];
    }
  }
  return name;
}

class Lister {
 public:
  explicit Lister(bool folders) : folders_(folders), block_(kBlockBytes, '\0') {}

  Expected<void> Folder(int parent, const char* name, const std::string& path) {
    const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(fd < 0 ? nullptr : fdopendir(fd), closedir);
    if (entries == nullptr)
      return FailErrno(ErrorCode::kInternal, fmt::format("cannot list {}", path), "open");
    while (const dirent* const entry = readdir(entries.get())) {
      const std::string_view one = entry->d_name;
      if (one == "." || one == "..") continue;
      auto done = Entry(fd, entry->d_name, path.empty() ? std::string(one) : fmt::format("{}/{}", path, one));
      if (!done) return done;
    }
    return {};
  }

  Contents Take() {
    std::ranges::sort(lines_);
    for (const auto& [path, line] : lines_) contents_.text += fmt::format("{} {}\n", line, path);
    return std::move(contents_);
  }

 private:
  Expected<void> Entry(int parent, const char* name, const std::string& path) {
    struct stat info {};
    if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return FailErrno(ErrorCode::kInternal, fmt::format("cannot look at {}", path), "fstatat");
    }
    ++contents_.files;
    if (S_ISDIR(info.st_mode)) {
      if (folders_) lines_.emplace_back(EscapeName(path), fmt::format("{:04o} - -", info.st_mode & 07777));
      return Folder(parent, name, path);
    }
    if (S_ISLNK(info.st_mode)) {
      std::array<char, PATH_MAX> target{};
      const ssize_t length = readlinkat(parent, name, target.data(), target.size());
      if (length < 0)
        return FailErrno(ErrorCode::kInternal, fmt::format("cannot read {}", path), "readlinkat");
      lines_.emplace_back(
          EscapeName(path),
          fmt::format("link - {}", EscapeName({target.data(), static_cast<std::size_t>(length)})));
      return {};
    }
    if (!S_ISREG(info.st_mode)) {
      return Fail(ErrorCode::kInternal, fmt::format("{} is neither a file nor a folder nor a link", path));
    }
    return File(parent, name, path, info);
  }

  Expected<void> File(int parent, const char* name, const std::string& path, const struct stat& info) {
    const UniqueFd fd(openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.valid()) return FailErrno(ErrorCode::kInternal, fmt::format("cannot read {}", path), "openat");
    Sha256 hash;
    for (;;) {
      const ssize_t count = read(fd.get(), block_.data(), block_.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return FailErrno(ErrorCode::kInternal, fmt::format("cannot read {}", path), "read");
      if (count == 0) break;
      hash.Update({block_.data(), static_cast<std::size_t>(count)});
    }
    contents_.bytes += info.st_size;
    lines_.emplace_back(EscapeName(path),
                        fmt::format("{:04o} {} {}", info.st_mode & 07777, info.st_size, hash.Hex()));
    return {};
  }

  bool folders_;
  std::string block_;
  Contents contents_;
  std::vector<std::pair<std::string, std::string>> lines_;  // by escaped path
};

std::string_view TakeWord(std::string_view& line) {
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(std::min(space + 1, line.size()));
  return word;
}

}  // namespace

Expected<Contents> ListContents(const std::string& folder, bool folders) {
  Lister lister(folders);
  const UniqueFd root(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return FailErrno(ErrorCode::kNotFound, fmt::format("{} is not there", folder), "open");
  if (auto done = lister.Folder(root.get(), ".", ""); !done) return std::unexpected(done.error());
  return lister.Take();
}

std::vector<ContentsLine> ReadContents(std::string_view text) {
  std::vector<ContentsLine> lines;
  while (!text.empty()) {
    const std::size_t newline = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, newline);
    text.remove_prefix(std::min(newline + 1, text.size()));
    ContentsLine one;
    one.mode = TakeWord(line);
    one.size = TakeWord(line);
    one.hash = TakeWord(line);
    one.path = Unescape(line);
    if (!one.path.empty()) lines.push_back(std::move(one));
  }
  return lines;
}

std::string FirstDifference(std::string_view expected, std::string_view found) {
  if (expected == found) return {};
  const auto before = ReadContents(expected);
  const auto now = ReadContents(found);
  for (std::size_t i = 0; i < std::max(before.size(), now.size()); ++i) {
    if (i >= now.size() || (i < before.size() && before[i].path < now[i].path))
      return fmt::format("{} is gone", before[i].path);
    if (i >= before.size() || before[i].path > now[i].path) return fmt::format("{} is new", now[i].path);
    if (before[i].hash != now[i].hash || before[i].size != now[i].size || before[i].mode != now[i].mode)
      return fmt::format("{} has changed", now[i].path);
  }
  return "the list of its files has changed";
}

}  // namespace casemate
