#include "isolation/docker/inside/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace casemate::docker {
namespace {

constexpr char kWorkspace[] = "/workspace";
constexpr std::size_t kDepthMax = 64;
constexpr std::size_t kFilesMax = 100'000;
// Of a path that is told; a longer one cannot be opened by any program either.
constexpr std::size_t kPathMax = 4096;

class Lister {
 public:
  std::vector<std::string> Run() {
    Walk(open(kWorkspace, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), "", 0);
    return std::move(paths_);
  }

 private:
  void Walk(int folder, const std::string& prefix, std::size_t depth) {  // NOLINT(misc-no-recursion)
    if (folder < 0) return;
    DIR* listing = fdopendir(folder);
    if (listing == nullptr) {
      close(folder);
      return;
    }
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    for (const dirent* entry = readdir(listing); entry != nullptr; entry = readdir(listing)) {
      const std::string name = entry->d_name;
      if (name == "." || name == ".." || paths_.size() >= kFilesMax) continue;
      struct stat info {};
      if (fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
      const std::string path = prefix + name;
      if (path.size() > kPathMax) continue;
      if (S_ISREG(info.st_mode)) {
        WireChannel::Send(Wire::kListed, std::to_string(info.st_size) + " " + path);
        paths_.push_back(path);
      } else if (S_ISDIR(info.st_mode) && depth < kDepthMax) {
        Walk(openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), path + "/",
             depth + 1);
      }
    }
    closedir(listing);
  }

  std::vector<std::string> paths_;
};

void Fetch(const std::string& path) {
  const UniqueFd file(
      open((std::string(kWorkspace) + "/" + path).c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  std::array<char, kWirePayloadMax> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): read into
  for (;;) {
    const ssize_t count = file.valid() ? read(file.get(), bytes.data(), bytes.size()) : 0;
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    WireChannel::Send(Wire::kContent, {bytes.data(), static_cast<std::size_t>(count)});
  }
  WireChannel::Send(Wire::kContentEnd);
}

}  // namespace

void ServeFiles(WireChannel& channel) {
  std::vector<std::string> paths;
  for (;;) {
    const WireChannel::Frame frame = channel.Wait();
    if (frame.kind == Wire::kList) {
      paths = Lister().Run();
      WireChannel::Send(Wire::kListEnd);
    } else if (frame.kind == Wire::kFetch) {
      const auto place = std::strtoul(frame.payload.c_str(), nullptr, 10);
      if (place < paths.size()) Fetch(paths[place]);
    }
  }
}

}  // namespace casemate::docker
