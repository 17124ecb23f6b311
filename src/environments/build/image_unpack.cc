#include "environments/build/image_unpack.h"

#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/errno.h"
#include "base/file.h"
#include "base/sha256.h"
#include "environments/build/archive_reader.h"

namespace casemate {
namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr std::size_t kTextMax = 8 << 20;
constexpr std::size_t kBlockBytes = 256 << 10;

#if defined(__x86_64__)
constexpr std::string_view kArchitecture = "amd64";
#elif defined(__aarch64__)
constexpr std::string_view kArchitecture = "arm64";
#else
constexpr std::string_view kArchitecture = "unknown";
#endif

std::unexpected<Error> Hostile(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

Expected<void> WriteAt(int fd, std::string_view bytes, std::int64_t offset, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t count = pwrite(fd, bytes.data(), bytes.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return FailErrno(errno == ENOSPC ? ErrorCode::kUnavailable : ErrorCode::kInternal,
                       fmt::format("{} cannot be written: see that there is room on the disk", path),
                       "pwrite");
    }
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += count;
  }
  return {};
}

Expected<void> CopyEntry(ArchiveReader& reader, const std::string& path, mode_t mode, TreeWriter& tree) {
  auto file = tree.File(path, mode, true);
  if (!file) return std::unexpected(file.error());
  std::int64_t end = 0;
  return reader.Read([&](std::string_view block, std::int64_t offset) -> Expected<void> {
    std::int64_t now = 0;
    if (offset < 0 || __builtin_add_overflow(offset, static_cast<std::int64_t>(block.size()), &now))
      return Hostile(fmt::format("the image has {} with bytes where no file has any", path));
    // Holes count too: what reads the file sees their zeros.
    if (now > end) {
      if (auto counted = tree.Count(now - end, 0); !counted) return counted;
      end = now;
    }
    return WriteAt(file->get(), block, offset, path);
  });
}

// Splits into folder (with its slash) and name.
std::pair<std::string, std::string> Parts(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {"", path};
  return {path.substr(0, slash + 1), path.substr(slash + 1)};
}

Expected<std::string> PathOf(archive_entry* entry) {
  const char* const raw = archive_entry_pathname(entry);
  if (raw == nullptr) return Hostile("the archive has an entry without a name");
  return TreeWriter::CheckPath(raw);
}

// Calls `take` for each entry of a tar file.
template <typename Take>
Expected<void> ForEachEntry(int archive, const Take& take) {
  if (lseek(archive, 0, SEEK_SET) != 0) return FailErrno(ErrorCode::kInternal, "cannot read again", "lseek");
  auto reader = ArchiveReader::Open(archive, ArchiveReader::Format::kTar);
  if (!reader) return std::unexpected(reader.error());
  for (;;) {
    auto entry = reader->Next();
    if (!entry) return std::unexpected(entry.error());
    if (*entry == nullptr) return {};
    auto path = PathOf(*entry);
    if (!path) return std::unexpected(path.error());
    if (path->empty()) continue;  // "./"
    if (auto done = take(*reader, *entry, *path); !done) return done;
  }
}

// libarchive has no target for a link whose target is in no encoding that it knows.
Expected<void> TakeSymlink(archive_entry* entry, const std::string& path, TreeWriter& tree) {
  const char* const target = archive_entry_symlink(entry);
  return tree.Symlink(path, target != nullptr ? target : "");
}

Expected<void> TakeEntry(ArchiveReader& reader, archive_entry* entry, const std::string& path,
                         TreeWriter& tree) {
  if (Parts(path).second.starts_with(kWhiteout)) return {};
  if (const char* const target = archive_entry_hardlink(entry); target != nullptr) {
    auto clean = TreeWriter::CheckPath(target);
    if (!clean) return std::unexpected(clean.error());
    return tree.Hardlink(path, *clean);
  }
  const mode_t mode = archive_entry_perm(entry);
  switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
      return CopyEntry(reader, path, mode, tree);
    case AE_IFDIR:
      return tree.Folder(path, mode);
    case AE_IFLNK:
      return TakeSymlink(entry, path, tree);
    default:
      // Each sandbox has a /dev of its own.
      if (path.starts_with("dev/")) return {};
      return Hostile(fmt::format("the image has {} as a device, pipe or socket: such are refused", path));
  }
}

UniqueFd OpenIn(int root, const std::string& path) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return UniqueFd(static_cast<int>(syscall(SYS_openat2, root, path.c_str(), &how, sizeof how)));
}

Expected<UniqueFd> OpenPart(int outer, const std::string& path) {
  UniqueFd fd = OpenIn(outer, path);
  struct stat info {};
  if (fd.valid() && fstat(fd.get(), &info) == 0 && S_ISREG(info.st_mode)) return fd;
  return Hostile(fmt::format("the image's {} is missing: the file is cut short, or is no saved image", path));
}

Expected<std::string> HashOf(int fd) {
  Sha256 hash;
  std::string block(kBlockBytes, '\0');
  for (off_t offset = 0;;) {
    const ssize_t count = pread(fd, block.data(), block.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return FailErrno(ErrorCode::kInternal, "cannot read a layer", "pread");
    if (count == 0) return hash.Hex();
    hash.Update({block.data(), static_cast<std::size_t>(count)});
    offset += count;
  }
}

bool IsCompressed(int fd) {
  std::array<unsigned char, 4> magic{};
  if (pread(fd, magic.data(), magic.size(), 0) != static_cast<ssize_t>(magic.size())) return false;
  return (magic[0] == 0x1f && magic[1] == 0x8b) || (magic[0] == 0x28 && magic[1] == 0xb5) ||
         (magic[0] == 0xfd && magic[1] == '7') || (magic[0] == 'B' && magic[1] == 'Z');
}

Expected<std::string> ReadPart(int outer, const std::string& path, const std::string& sha256) {
  auto fd = OpenPart(outer, path);
  if (!fd) return std::unexpected(fd.error());
  auto text = ReadAll(fd->get(), kTextMax, path);
  if (!text) return text;
  if (!sha256.empty() && Sha256Hex(*text) != sha256) {
    return Hostile(fmt::format("the image's {} has another hash than its name says: save it again", path));
  }
  return text;
}

std::string BlobHash(const std::string& path) { return path.substr(path.rfind('/') + 1); }

Expected<ImageLayout> FindLayout(int outer) {
  if (OpenIn(outer, "manifest.json").valid()) {
    auto text = ReadPart(outer, "manifest.json", "");
    if (!text) return std::unexpected(text.error());
    return ParseDockerManifest(*text);
  }
  std::string path = "index.json";
  auto text = ReadPart(outer, path, "");
  // An index may lead to another one, and that is all that the format's tools make.
  for (int depth = 0; text && IsOciIndex(*text) && depth < 4; ++depth) {
    auto next = ParseOciIndex(*text, kArchitecture);
    if (!next) return std::unexpected(next.error());
    path = *std::move(next);
    text = ReadPart(outer, path, BlobHash(path));
  }
  if (!text) return std::unexpected(text.error());
  return ParseOciManifest(*text);
}

Expected<void> CheckLayer(int fd, const ImageLayout& layout, const ImageConfig& config, std::size_t i) {
  const std::string& named = layout.hashes[i];
  const bool known = i < config.layer_hashes.size() && !IsCompressed(fd);
  if (named.empty() && !known) return {};
  auto hash = HashOf(fd);
  if (!hash) return std::unexpected(hash.error());
  if ((named.empty() || *hash == named) && (!known || *hash == config.layer_hashes[i])) return {};
  return Hostile(fmt::format("layer {} of the image has another hash than it should: save it again", i + 1));
}

}  // namespace

Expected<void> ApplyLayer(int layer, TreeWriter& tree) {
  // What a layer deletes is of those below it, wherever in it the whiteout stands.
  auto done = ForEachEntry(layer, [&tree](ArchiveReader&, archive_entry*, const std::string& path) {
    const auto [folder, name] = Parts(path);
    if (name == kOpaque) return tree.Empty(folder.substr(0, folder.size() - (folder.empty() ? 0 : 1)));
    if (!name.starts_with(kWhiteout)) return Expected<void>();
    auto target = TreeWriter::CheckPath(folder + name.substr(kWhiteout.size()));
    if (!target) return Expected<void>(std::unexpected(target.error()));
    if (*target + "/" == folder || target->empty()) return Expected<void>();
    return tree.Remove(*target);
  });
  if (!done) return done;
  return ForEachEntry(layer, [&tree](ArchiveReader& reader, archive_entry* entry, const std::string& path) {
    return TakeEntry(reader, entry, path, tree);
  });
}

Expected<ImageConfig> UnpackImage(int archive, int outer, int root, const TreeLimits& limits) {
  TreeWriter files(outer, TreeLinks::kInRoot, limits);
  auto done = ForEachEntry(
      archive,
      [&files](ArchiveReader& reader, archive_entry* entry, const std::string& path) -> Expected<void> {
        const auto type = archive_entry_filetype(entry);
        if (archive_entry_hardlink(entry) == nullptr && type == AE_IFREG)
          return CopyEntry(reader, path, 0600, files);
        if (archive_entry_hardlink(entry) == nullptr && type == AE_IFDIR) return files.Folder(path, 0700);
        // Older formats have a layer that is there twice as a link.
        if (type == AE_IFLNK) return TakeSymlink(entry, path, files);
        return Hostile(
            fmt::format("the file has {} as a hard link or device, which no saved image has", path));
      });
  if (!done) return std::unexpected(done.error());
  auto layout = FindLayout(outer);
  if (!layout) return std::unexpected(layout.error());
  auto text = ReadPart(outer, layout->config, layout->config_sha256);
  auto config = text ? ParseImageConfig(*text) : std::unexpected(text.error());
  if (!config) return config;
  TreeWriter tree(root, TreeLinks::kInRoot, limits);
  for (std::size_t i = 0; i < layout->layers.size(); ++i) {
    auto layer = OpenPart(outer, layout->layers[i]);
    if (!layer) return std::unexpected(layer.error());
    if (auto fine = CheckLayer(layer->get(), *layout, *config, i); !fine)
      return std::unexpected(fine.error());
    if (auto applied = ApplyLayer(layer->get(), tree); !applied) return std::unexpected(applied.error());
  }
  return config;
}

}  // namespace casemate
