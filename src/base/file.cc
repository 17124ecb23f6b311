#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>

#include "base/errno.h"

namespace casemate {
namespace {

ErrorCode CodeOfOpen(int err) {
  if (err == ENOENT || err == ENOTDIR) return ErrorCode::kNotFound;
  if (err == EACCES || err == EISDIR || err == ELOOP) return ErrorCode::kInvalidRequest;
  return ErrorCode::kInternal;
}

std::string WhyNotOpen(const std::string& path, int err) {
  if (err == ENOENT || err == ENOTDIR)
    return path + " is not there: check its spelling and the folder you are in";
  if (err == EACCES) return "cannot open " + path + ": this user may not; check its permissions";
  return "cannot open " + path;
}

}  // namespace

Expected<UniqueFd> OpenFile(const std::string& path, int flags, mode_t mode) {
  UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd.valid()) {
    const int err = errno;
    return FailErrno(CodeOfOpen(err), WhyNotOpen(path, err), "open " + path, err);
  }
  return fd;
}

Expected<std::string> ReadAll(int fd, std::size_t bytes_max, std::string_view name) {
  struct stat info {};
  // Room for a regular file and the sight of its end; what tells no size of its own grows from a page.
  std::size_t room = 4096;
  if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size > 0)
    room = std::min(static_cast<std::size_t>(info.st_size), bytes_max) + 1;
  std::string bytes;
  for (;;) {
    const std::size_t used = bytes.size();
    ssize_t count = 0;
    int err = 0;
    // Read where it stays: nothing is zeroed or copied first.
    bytes.resize_and_overwrite(used + room, [&](char* data, std::size_t) {
      count = read(fd, data + used, room);
      err = errno;
      return used + static_cast<std::size_t>(std::max<ssize_t>(count, 0));
    });
    if (count < 0 && err == EINTR) continue;
    if (count < 0) {
      return FailErrno(err == EISDIR ? ErrorCode::kInvalidRequest : ErrorCode::kInternal,
                       "cannot read " + std::string(name), "read " + std::string(name), err);
    }
    if (count == 0) return bytes;
    if (bytes.size() > bytes_max) {
      return Fail(ErrorCode::kInvalidRequest,
                  std::string(name) + " is larger than " + std::to_string(bytes_max) + " bytes");
    }
    room = std::max<std::size_t>(4096, std::min<std::size_t>(bytes.size(), 1 << 20));
  }
}

Expected<std::string> ReadFile(const std::string& path, std::size_t bytes_max) {
  auto fd = OpenFile(path, O_RDONLY);
  if (!fd) return std::unexpected(fd.error());
  return ReadAll(fd->get(), bytes_max, path);
}

Expected<void> WriteAll(int fd, std::string_view bytes, std::string_view name) {
  while (!bytes.empty()) {
    const ssize_t count = write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const std::string file(name);
      const bool full = errno == ENOSPC || errno == EDQUOT;
      const std::string message = full ? "the disk is full while writing " + file + ": free some space there"
                                       : "cannot write " + file;
      return FailErrno(ErrorCode::kInternal, message, "write " + file);
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Expected<void> WriteFileAtomically(const std::string& path, std::string_view bytes, mode_t mode) {
  std::string temporary = path + ".XXXXXX";
  UniqueFd fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.valid()) return FailErrno(ErrorCode::kInternal, "cannot write " + path, "mkostemp " + temporary);
  auto written = WriteAll(fd.get(), bytes, path);
  if (written && (fchmod(fd.get(), mode) != 0 || rename(temporary.c_str(), path.c_str()) != 0)) {
    written = FailErrno(ErrorCode::kInternal, "cannot write " + path, "rename to " + path);
  }
  if (!written) unlink(temporary.c_str());
  return written;
}

Expected<void> MakeFolders(const std::string& path, mode_t mode) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (mkdir(part.c_str(), mode) != 0 && errno != EEXIST) {
      // A parent that is there but not ours to change (EROFS, EACCES) matters only if the next step fails.
      struct stat info {};
      if (stat(part.c_str(), &info) != 0) {
        return FailErrno(ErrorCode::kInternal, "cannot make the folder " + path, "mkdir " + part);
      }
    }
    if (end == std::string::npos) return {};
  }
}

bool FileExists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

std::string ReadKernelFile(const std::string& path) {
  auto text = ReadFile(path, 1 << 20);
  if (!text) return {};
  if (!text->empty() && text->back() == '\n') text->pop_back();
  return *std::move(text);
}

long long ReadKernelNumber(const std::string& path) {
  const std::string text = ReadKernelFile(path);
  long long value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : -1;
}

}  // namespace casemate
