#include "isolation/docker/image.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/sha256.h"

namespace casemate {
namespace embedded {
std::string_view DockerImage(std::string_view path);  // made by tools/embed.py
std::string_view DockerImageDigest();
}  // namespace embedded

namespace docker {
namespace {

constexpr const char* kRepository = "casemate/sandbox";
constexpr std::int64_t kBuildTimeoutMs = 600'000;
// The host's own packages and libraries: their lists change with them.
constexpr const char* kHostLists[] = {"/var/lib/dpkg/status",
                                      "/etc/ld.so.cache"};  // NOLINT(modernize-avoid-c-arrays)

void StampOf(const std::string& path, Sha256& sum) {
  struct stat info {};
  sum.Update(path);
  if (stat(path.c_str(), &info) != 0) return;
  sum.Update(
      fmt::format(" {} {} {}.{}\n", info.st_ino, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec));
}

// The last "error" of a stream of progress records, one JSON object a line.
std::string LastError(std::string_view lines) {
  std::string error;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    if (lines.substr(0, end).find("\"error\"") != std::string_view::npos)
      error = JsonAt(lines.substr(0, end), {"error"});
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return error;
}

}  // namespace

std::string_view AttendantBinary() { return embedded::DockerImage("attendant"); }

Expected<void> WriteEntries(const ImageEntries& entries, TarWriter& tar) {
  for (const auto& [path, entry] : entries) {
    const std::string_view name = std::string_view(path).substr(1);
    Expected<void> done;
    switch (entry.kind) {
      case ImageEntry::Kind::kFolder:
        done = tar.Folder(name, entry.mode);
        break;
      case ImageEntry::Kind::kSymlink:
        done = tar.Symlink(name, entry.content);
        break;
      case ImageEntry::Kind::kFile:
        done = entry.host_path.empty() ? tar.File(name, entry.mode, entry.content)
                                       : tar.FileFrom(name, entry.mode, entry.host_path);
        break;
    }
    if (!done) return done;
  }
  return {};
}

void AddAttendant(ImageEntries& entries) {
  entries.try_emplace("/usr/libexec", ImageEntry{ImageEntry::Kind::kFolder, 0755, "", ""});
  entries[kAttendantPath] = {ImageEntry::Kind::kFile, 0555, "", std::string(AttendantBinary())};
}

std::string UrlEncode(std::string_view text) {
  std::string encoded;
  for (const char byte : text) {
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' ||
                       byte == '~';
    encoded += plain ? std::string(1, byte) : fmt::format("%{:02X}", static_cast<unsigned char>(byte));
  }
  return encoded;
}

std::string ImageName(const EnvironmentView& environment) {
  Sha256 sum;
  sum.Update(embedded::DockerImageDigest());
  sum.Update(environment.id + "\n");
  sum.Update(environment.name + "\n" + environment.python_version + "\n" + environment.python_prefix + "\n");
  StampOf(environment.python, sum);
  for (const std::string& path : environment.sys_path) StampOf(path, sum);
  for (const auto& [path, target] : environment.symlinks) sum.Update(path + " " + target + "\n");
  for (const char* path : kHostLists) StampOf(path, sum);
  return fmt::format("{}:{}", kRepository, sum.Hex().substr(0, 24));
}

Expected<void> BuildImage(const Api& api, const EnvironmentView& environment, const std::string& name) {
  auto entries = ListImageFiles(environment);
  if (!entries) return std::unexpected(entries.error());
  AddAttendant(*entries);
  const std::size_t colon = name.rfind(':');
  const std::string target =
      fmt::format("/images/create?fromSrc=-&repo={}&tag={}&changes={}", UrlEncode(name.substr(0, colon)),
                  name.substr(colon + 1), UrlEncode("LABEL casemate.image=" + environment.name));
  auto reply = api.Upload(
      target,
      [&entries](const Api::Sink& sink) -> Expected<void> {
        TarWriter tar(sink);
        if (auto done = WriteEntries(*entries, tar); !done) return done;
        return tar.End();
      },
      kBuildTimeoutMs);
  if (!reply) return std::unexpected(std::move(reply.error()));
  const std::string error = reply->ok() ? LastError(reply->body) : reply->message();
  if (error.empty()) return {};
  return Fail(
      ErrorCode::kUnavailable,
      fmt::format("the Docker Engine does not take the image of the environment {}: {}; free space below its "
                  "data folder (docker system df)",
                  environment.name, error));
}

}  // namespace docker
}  // namespace casemate
