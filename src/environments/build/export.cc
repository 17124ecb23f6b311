#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

#include "base/errno.h"
#include "base/file.h"
#include "environments/build/contents.h"
#include "environments/build/upkeep.h"

namespace casemate {
namespace {

constexpr std::size_t kContentsMax = 512 << 20;
constexpr std::size_t kBlockBytes = 256 << 10;

std::unexpected<Error> CannotWrite(archive* writer) {
  const char* const why = archive_error_string(writer);
  return Fail(ErrorCode::kInternal, "the tar file cannot be written: see that there is room",
              why != nullptr ? why : "libarchive");
}

// Nothing of who built it, or when.
class Exporter {
 public:
  explicit Exporter(archive* writer) : writer_(writer), block_(kBlockBytes, '\0') {}

  Expected<void> File(const std::string& source, const std::string& name) {
    const UniqueFd fd(open(source.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    struct stat info {};
    if (!fd.valid() || fstat(fd.get(), &info) != 0) {
      return FailErrno(ErrorCode::kInternal, fmt::format("cannot read {}", source), "open");
    }
    const auto entry = Entry(name, AE_IFREG, info.st_mode & 0777);
    archive_entry_set_size(entry.get(), info.st_size);
    if (archive_write_header(writer_, entry.get()) != ARCHIVE_OK) return CannotWrite(writer_);
    for (;;) {
      const ssize_t count = read(fd.get(), block_.data(), block_.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return FailErrno(ErrorCode::kInternal, fmt::format("cannot read {}", source), "read");
      if (count == 0) return {};
      if (archive_write_data(writer_, block_.data(), static_cast<std::size_t>(count)) < 0)
        return CannotWrite(writer_);
    }
  }

  Expected<void> Symlink(const std::string& source, const std::string& name) {
    std::string target(4096, '\0');
    const ssize_t length = readlink(source.c_str(), target.data(), target.size());
    if (length < 0) return FailErrno(ErrorCode::kInternal, fmt::format("cannot read {}", source), "readlink");
    target.resize(static_cast<std::size_t>(length));
    const auto entry = Entry(name, AE_IFLNK, 0777);
    archive_entry_set_symlink(entry.get(), target.c_str());
    return archive_write_header(writer_, entry.get()) == ARCHIVE_OK ? Expected<void>() : CannotWrite(writer_);
  }

  Expected<void> Folder(const std::string& name, mode_t mode) {
    const auto entry = Entry(name, AE_IFDIR, mode);
    return archive_write_header(writer_, entry.get()) == ARCHIVE_OK ? Expected<void>() : CannotWrite(writer_);
  }

 private:
  static std::shared_ptr<archive_entry> Entry(const std::string& name, unsigned type, mode_t mode) {
    std::shared_ptr<archive_entry> entry(archive_entry_new(), archive_entry_free);
    archive_entry_set_pathname(entry.get(), name.c_str());
    archive_entry_set_filetype(entry.get(), type);
    archive_entry_set_perm(entry.get(), mode);
    archive_entry_set_mtime(entry.get(), 0, 0);
    return entry;
  }

  archive* writer_;
  std::string block_;
};

}  // namespace

Expected<void> ExportEnvironment(const EnvironmentPaths& paths, const EnvironmentManifest& manifest, int fd) {
  const std::string folder = paths.Of(manifest.id);
  const auto text = ReadFile(folder + "/contents", kContentsMax);
  if (!text) return std::unexpected(text.error());
  const std::string part = FileExists(folder + "/venv") ? "venv" : "rootfs";
  const std::unique_ptr<archive, int (*)(archive*)> writer(archive_write_new(), archive_write_free);
  archive_write_set_format_pax_restricted(writer.get());
  archive_write_add_filter_none(writer.get());
  if (archive_write_open_fd(writer.get(), fd) != ARCHIVE_OK) return CannotWrite(writer.get());
  Exporter exporter(writer.get());
  auto done = exporter.File(folder + "/contents", "contents");
  for (const ContentsLine& line : ReadContents(*text)) {
    if (!done) return done;
    const std::string name = fmt::format("{}/{}", part, line.path);
    const std::string source = fmt::format("{}/{}", folder, name);
    if (line.mode == "link") {
      done = exporter.Symlink(source, name);
    } else if (line.size == "-") {
      done = exporter.Folder(name,
                             static_cast<mode_t>(std::strtoul(std::string(line.mode).c_str(), nullptr, 8)));
    } else {
      done = exporter.File(source, name);
    }
  }
  if (!done) return done;
  return archive_write_close(writer.get()) == ARCHIVE_OK ? Expected<void>() : CannotWrite(writer.get());
}

}  // namespace casemate
