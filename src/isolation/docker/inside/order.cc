#include "isolation/docker/inside/order.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/unique_fd.h"
#include "confine/landlock.h"

namespace casemate::docker {
namespace {

void MakeFolder(const std::string& path) {
  for (std::size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    mkdir(path.substr(0, slash).c_str(), 0755);
  }
  if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) WireChannel::Fail(errno, "make the folder " + path);
}

void MakeParents(const std::string& path) {
  if (const std::size_t slash = path.rfind('/'); slash > 0) MakeFolder(path.substr(0, slash));
}

UniqueFd MakeFile(const std::string& payload) {
  constexpr std::size_t kModeDigits = 4;
  const auto mode = static_cast<mode_t>(std::strtoul(payload.substr(0, kModeDigits).c_str(), nullptr, 8));
  const std::string path = payload.substr(kModeDigits);
  MakeParents(path);
  UniqueFd file(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.valid()) WireChannel::Fail(errno, "make the file " + path);
  if (fchmod(file.get(), mode) != 0) WireChannel::Fail(errno, "set the mode of " + path);
  return file;
}

void Append(const UniqueFd& file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(file.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) WireChannel::Fail(errno, "write the input files");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void MakeSymlink(const std::string& payload) {
  const std::size_t end = payload.find('\0');
  if (end == std::string::npos) WireChannel::Fail(EPROTO, "read the engine's words");
  const std::string path = payload.substr(end + 1);
  MakeParents(path);
  if (symlink(payload.c_str(), path.c_str()) != 0) WireChannel::Fail(errno, "make the link " + path);
}

ResourceLimit ParseLimit(const std::string& payload) {
  char* rest = nullptr;
  ResourceLimit limit;
  limit.resource = static_cast<int>(std::strtol(payload.c_str(), &rest, 10));
  limit.value.rlim_cur = std::strtoull(rest, &rest, 10);
  limit.value.rlim_max = std::strtoull(rest, &rest, 10);
  return limit;
}

}  // namespace

Order TakeOrder(WireChannel& channel) {
  Order order;
  UniqueFd file;
  order.landlock.abi = LandlockAbi();
  for (;;) {
    WireChannel::Frame frame = channel.Wait();
    if (frame.kind == Wire::kGo) {
      order.stdin_pipe = frame.payload.contains('s');
      order.control = frame.payload.contains('c');
      return order;
    }
    if (frame.kind == Wire::kWord) {
      order.argv.push_back(std::move(frame.payload));
    } else if (frame.kind == Wire::kCandidate) {
      order.candidates.push_back(std::move(frame.payload));
    } else if (frame.kind == Wire::kVariable) {
      order.env.push_back(std::move(frame.payload));
    } else if (frame.kind == Wire::kWorkingDir) {
      order.working_dir = std::move(frame.payload);
    } else if (frame.kind == Wire::kLimit) {
      order.limits.push_back(ParseLimit(frame.payload));
    } else if (frame.kind == Wire::kWritable) {
      order.landlock.writable.push_back(std::move(frame.payload));
    } else if (frame.kind == Wire::kNetwork) {
      order.connections_max = std::strtoul(frame.payload.c_str(), nullptr, 10);
      order.landlock.connects = true;
    } else if (frame.kind == Wire::kFolder) {
      MakeFolder(frame.payload);
    } else if (frame.kind == Wire::kFile) {
      file = MakeFile(frame.payload);
    } else if (frame.kind == Wire::kData) {
      Append(file, frame.payload);
    } else if (frame.kind == Wire::kSymlink) {
      MakeSymlink(frame.payload);
    } else {
      WireChannel::Fail(EPROTO, "read the engine's words");
    }
  }
}

}  // namespace casemate::docker
