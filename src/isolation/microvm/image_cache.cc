#include "isolation/microvm/image_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>

#include "base/command.h"
#include "base/errno.h"
#include "base/file.h"
#include "base/sha256.h"
#include "isolation/docker/image.h"
#include "isolation/docker/image_files.h"
#include "isolation/docker/tar.h"
#include "isolation/microvm/cpio.h"
#include "isolation/microvm/inside/boot.h"

namespace casemate {
namespace embedded {
std::string_view GuestInit(std::string_view path);  // made by tools/embed.py
}  // namespace embedded

namespace microvm {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kModuleBytesMax = 16 << 20;
constexpr std::size_t kDigits = 24;
constexpr const char* kPart = ".part";
constexpr const char* kLock = "lock";
constexpr std::int64_t kSquashTimeoutMs = 600'000;

std::unexpected<Error> CannotWrite(const std::string& folder, const Error& error) {
  return Fail(
      ErrorCode::kUnavailable,
      fmt::format("the images of guests cannot be kept in {}; free space there, or name another folder "
                  "with --state-dir",
                  folder),
      error.ToString());
}

Expected<void> WriteTar(const docker::ImageEntries& entries, int file, const std::string& name) {
  docker::TarWriter tar([&](std::string_view piece) { return WriteAll(file, piece, name); });
  if (auto done = docker::WriteEntries(entries, tar); !done) return done;
  return tar.End();
}

// Not compressed: a guest without KVM would spend its time on that.
Expected<void> MakeSquashfs(const std::string& tar, const std::string& part) {
  const std::string script =
      R"(exec sqfstar -quiet -no-progress -noI -noD -noF -noX -no-xattrs -processors 1 "$1" <"$0")";
  auto made = RunCommand({"/bin/sh", "-c", script, tar, part},
                         {.timeout_ms = kSquashTimeoutMs, .env = {}, .stdin_bytes = {}});
  if (!made) return std::unexpected(made.error());
  if (made->exit_code == 0) return {};
  constexpr int kNoCommand = 127;
  if (made->exit_code == kNoCommand) {
    return Fail(ErrorCode::kUnavailable,
                "sqfstar makes the root of a guest and is not here; as root: apt-get install squashfs-tools");
  }
  return Fail(ErrorCode::kInternal, "sqfstar could not make the image", made->err.substr(0, 500));
}

Expected<void> MakeRoot(const EnvironmentView& environment, const std::string& part) {
  auto entries = docker::ListImageFiles(environment);
  if (!entries) return std::unexpected(entries.error());
  docker::AddAttendant(*entries);
  const std::string tar = part + ".tar";
  auto file = OpenFile(tar, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (!file) return std::unexpected(file.error());
  auto done = WriteTar(*entries, file->get(), tar);
  file->reset();
  if (done) done = MakeSquashfs(tar, part);
  unlink(tar.c_str());
  return done;
}

}  // namespace

Expected<std::string> ImageCache::Find(const std::string& name, const Maker& make) const {
  std::string path = folder_ + "/" + name;
  // Its time says when it was last used.
  if (utimensat(AT_FDCWD, path.c_str(), nullptr, 0) == 0) return path;
  if (auto made = MakeFolders(folder_, 0700); !made) return CannotWrite(folder_, made.error());
  auto lock = OpenFile(folder_ + "/" + kLock, O_RDWR | O_CREAT, 0600);
  if (!lock) return CannotWrite(folder_, lock.error());
  while (flock(lock->get(), LOCK_EX) != 0) {
    if (errno != EINTR) return FailErrno(ErrorCode::kInternal, "cannot lock " + folder_, "flock");
  }
  if (FileExists(path)) return path;
  const std::string part = path + kPart;
  auto made = make(part);
  if (made && (chmod(part.c_str(), 0644) != 0 || rename(part.c_str(), path.c_str()) != 0))
    made = FailErrno(ErrorCode::kInternal, "cannot name " + path, "rename");
  if (made) return path;
  // Its own reason, unless that is the disk; a program that wrote there does not say so.
  std::error_code error;
  const auto space = fs::space(folder_, error);
  constexpr std::uintmax_t kFull = 1 << 20;
  unlink(part.c_str());
  if (error || space.available < kFull || made.error().cause.contains("ENOSPC"))
    return CannotWrite(folder_, made.error());
  return std::unexpected(made.error());
}

Expected<std::string> ImageCache::Initramfs(const GuestKernel& kernel) const {
  CpioWriter archive;
  for (const char* folder : {"dev", "root", "scratch", "cgroup", "modules"}) archive.Folder(folder, 0755);
  archive.File("init", 0755, embedded::GuestInit("guest_init"));
  std::string list;
  for (const std::string& module : kernel.modules) {
    auto bytes = ReadFile(module, kModuleBytesMax);
    if (!bytes) return std::unexpected(bytes.error());
    const std::string name = "modules/" + fs::path(module).filename().string();
    archive.File(name, 0644, *bytes);
    list += "/" + name + "\n";
  }
  archive.File(kModuleList + 1, 0644, list);
  const std::string bytes = std::move(archive).Take();
  return Find(fmt::format("initramfs-{}.cpio", Sha256Hex(bytes).substr(0, kDigits)),
              [&](const std::string& part) { return WriteFileAtomically(part, bytes, 0644); });
}

Expected<std::string> ImageCache::Root(const EnvironmentView& environment) const {
  const std::string image = docker::ImageName(environment);
  return Find(fmt::format("root-{}.sqfs", image.substr(image.rfind(':') + 1)),
              [&](const std::string& part) { return MakeRoot(environment, part); });
}

Garbage CollectMicrovmGarbage(const std::string& folder, int unused_days) {
  Garbage garbage;
  std::error_code error;
  const auto old = fs::file_time_type::clock::now() - std::chrono::hours(24 * unused_days);
  auto lock = OpenFile(folder + "/" + kLock, O_RDWR);
  if (!lock) return garbage;
  const bool alone = flock(lock->get(), LOCK_EX | LOCK_NB) == 0;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string path = entry.path();
    if (entry.path().filename() == kLock) continue;
    const bool unfinished = path.find(kPart) != std::string::npos;
    if (unfinished ? !alone : entry.last_write_time(error) > old) continue;
    (unlink(path.c_str()) == 0 ? garbage.removed : garbage.kept).push_back(path);
  }
  return garbage;
}

}  // namespace microvm
}  // namespace casemate
