#include "secrets/provider/secret_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/errno.h"
#include "base/unique_fd.h"
#include "base/user.h"

namespace casemate::secrets {
namespace {

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

std::unexpected<Error> OpenError(const std::string& path, int err) {
  switch (err) {
    case ELOOP:
      return Refuse(
          fmt::format("{} is a symbolic link: name the file that it leads to, or add #follow", path));
    case EACCES:
      return Refuse(fmt::format("{} may not be read by user {}: chown it", path, geteuid()));
    case ENXIO:
      return Refuse(fmt::format("{} is no regular file: put the secret into one", path));
    default:
      return FailErrno(ErrorCode::kInvalidRequest, fmt::format("{} cannot be opened", path), "open", err);
  }
}

Expected<void> CheckFile(const std::string& path, const struct stat& info, const SecretFileRules& rules) {
  if (S_ISDIR(info.st_mode)) return Refuse(fmt::format("{} is a folder: name a file in it", path));
  if (!S_ISREG(info.st_mode)) {
    return Refuse(fmt::format("{} is no regular file: put the secret into one", path));
  }
  if (!rules.any_mode && info.st_uid != geteuid() && info.st_uid != 0) {
    return Refuse(fmt::format("{} belongs to another user, {}: chown {} {}, or add #any-mode", path,
                              info.st_uid, geteuid(), path));
  }
  if (!rules.any_mode && (info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Refuse(fmt::format("{} can be read by other users: chmod 600 {}, or add #any-mode", path, path));
  }
  if (info.st_size > static_cast<off_t>(rules.bytes_max)) {
    return Refuse(fmt::format("{} has more than {} bytes: is it the right file?", path, rules.bytes_max));
  }
  return {};
}

// One byte more than the file has, to see that it has no more.
Expected<SecretValue> ReadInto(int fd, const std::string& path, std::size_t size) {
  auto value = SecretValue::WithRoom(size + 1);
  if (!value) return value;
  std::size_t filled = 0;
  while (filled < value->capacity()) {
    const ssize_t count = read(fd, value->data() + filled, value->capacity() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return FailErrno(ErrorCode::kInvalidRequest, fmt::format("{} cannot be read", path), "read");
    }
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  if (filled > size) return Refuse(fmt::format("{} grows while it is read: try again", path));
  value->Resize(filled);
  return value;
}

}  // namespace

Expected<std::optional<SecretValue>> ReadSecretFile(const std::string& path, const SecretFileRules& rules) {
  // Without O_NONBLOCK a FIFO would wait for its writer.
  const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (rules.follow ? 0 : O_NOFOLLOW);
  const UniqueFd fd(open(path.c_str(), flags));
  if (!fd.valid()) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    return OpenError(path, errno);
  }
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) {
    return FailErrno(ErrorCode::kInvalidRequest, fmt::format("{} cannot be read", path), "fstat");
  }
  if (auto checked = CheckFile(path, info, rules); !checked) return std::unexpected(checked.error());
  auto value = ReadInto(fd.get(), path, static_cast<std::size_t>(info.st_size));
  if (!value) return std::unexpected(value.error());
  return *std::move(value);
}

Expected<std::string> ExpandPath(std::string_view path) {
  if (path.starts_with('/')) return std::string(path);
  if (!path.starts_with("~/")) return Refuse("the path of a secret's file must begin with / or ~/");
  const char* home = std::getenv("HOME");  // NOLINT(concurrency-mt-unsafe): nothing here sets variables
  std::string folder = home != nullptr ? home : "";
  if (folder.empty()) {
    const auto user = FindUser(geteuid());
    if (user) folder = user->home;
  }
  if (!folder.starts_with('/')) return Refuse("there is no home folder for ~: set HOME");
  return folder + std::string(path.substr(1));
}

}  // namespace casemate::secrets
