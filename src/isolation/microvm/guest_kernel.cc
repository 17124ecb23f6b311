#include "isolation/microvm/guest_kernel.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include "base/file.h"
#include "base/state_dir.h"

namespace casemate::microvm {
namespace {

namespace fs = std::filesystem;

// The control port, the disk and its file system. What a kernel has built in has no file.
constexpr std::array kModules = {"virtio_pci", "virtio_console", "virtio_blk", "squashfs"};
constexpr std::size_t kModuleBytesMax = 16 << 20;
constexpr std::string_view kImagePrefix = "vmlinuz-";
constexpr std::string_view kFlavour = "-cloud-";
constexpr const char* kRemedy =
    "run tools/fetch_guest_kernel, or as root: apt-get install linux-image-cloud-amd64";

std::string Underscores(std::string name) {
  std::ranges::replace(name, '-', '_');
  return name;
}

class ModuleOrder {
 public:
  explicit ModuleOrder(const std::string& folder) {
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
      if (entry.path().extension() == ".ko") files_[Underscores(entry.path().stem())] = entry.path();
    }
    error.clear();
    auto text = ReadFile(folder + "/modules.builtin", 1 << 20);
    if (text) builtin_ = *std::move(text);
  }

  Expected<void> Add(const std::string& name) {  // NOLINT(misc-no-recursion): as deep as modules depend
    const auto file = files_.find(name);
    if (file == files_.end()) {
      if (IsBuiltin(name)) return {};
      return Fail(
          ErrorCode::kUnavailable,
          fmt::format("the guest's kernel has no module {} (*.ko, not compressed); {}", name, kRemedy));
    }
    if (std::ranges::find(order_, file->second) != order_.end()) return {};
    auto bytes = ReadFile(file->second, kModuleBytesMax);
    if (!bytes) return std::unexpected(bytes.error());
    for (const std::string& needed : ModuleDependencies(*bytes)) {
      if (auto added = Add(Underscores(needed)); !added) return added;
    }
    order_.push_back(file->second);
    return {};
  }

  std::vector<std::string> Take() { return std::move(order_); }

 private:
  bool IsBuiltin(const std::string& name) const {
    return Underscores(builtin_).find("/" + name + ".ko") != std::string::npos;
  }

  std::map<std::string, std::string> files_;
  std::string builtin_;
  std::vector<std::string> order_;
};

std::vector<std::string> Places() {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing sets variables
  if (const char* wanted = std::getenv("CASEMATE_GUEST_KERNEL"); wanted != nullptr) return {wanted};
  return {HomeFolder() + "/.local/lib/casemate/guest-kernel", "/usr/local/lib/casemate/guest-kernel",
          "/usr/lib/casemate/guest-kernel", "/"};
}

}  // namespace

std::vector<std::string> ModuleDependencies(std::string_view module) {
  constexpr std::string_view kField("\0depends=", 9);
  std::vector<std::string> names;
  const std::size_t at = module.find(kField);
  if (at == std::string_view::npos) return names;
  std::string_view list = module.substr(at + kField.size());
  list = list.substr(0, list.find('\0'));
  while (!list.empty()) {
    const std::string_view name = list.substr(0, list.find(','));
    list.remove_prefix(std::min(name.size() + 1, list.size()));
    if (!name.empty()) names.emplace_back(name);
  }
  return names;
}

Expected<GuestKernel> FindGuestKernelIn(const std::string& folder) {
  GuestKernel kernel;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder + "/boot", error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kImagePrefix) || name.find(kFlavour) == std::string::npos) continue;
    const std::string version = name.substr(kImagePrefix.size());
    if (access(entry.path().c_str(), R_OK) != 0 || strverscmp(version.c_str(), kernel.version.c_str()) <= 0)
      continue;
    kernel.version = version;
    kernel.image = entry.path();
  }
  if (kernel.image.empty()) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("there is no kernel for a guest (vmlinuz-*-cloud-* in {}/boot); {}",
                            folder == "/" ? "" : folder, kRemedy));
  }
  std::string modules = fmt::format("{}/lib/modules/{}", folder, kernel.version);
  if (!FileExists(modules)) modules = fmt::format("{}/usr/lib/modules/{}", folder, kernel.version);
  ModuleOrder order(modules);
  for (const char* name : kModules) {
    if (auto added = order.Add(name); !added) return std::unexpected(added.error());
  }
  kernel.modules = order.Take();
  return kernel;
}

Expected<GuestKernel> FindGuestKernel() {
  Expected<GuestKernel> kernel = Fail(ErrorCode::kUnavailable, "");
  for (const std::string& place : Places()) {
    kernel = FindGuestKernelIn(place);
    if (kernel) return kernel;
  }
  return kernel;
}

}  // namespace casemate::microvm
