#include "environments/image_view.h"

#include <dirent.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <memory>
#include <string_view>

#include "environments/file_view.h"

namespace casemate {
namespace {

// What each sandbox has of its own.
constexpr std::array<std::string_view, 9> kOwn = {".",   "..",  "dev",       "proc",    "sys",
                                                  "tmp", "run", "workspace", "casemate"};

std::string LinkTarget(const std::string& path) {
  std::array<char, PATH_MAX> target{};
  const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
  return length > 0 ? std::string(target.data(), static_cast<std::size_t>(length)) : std::string();
}

}  // namespace

Expected<EnvironmentView> ImageView(const EnvironmentManifest& manifest, const std::string& folder) {
  EnvironmentView view;
  view.python = manifest.python;
  view.python_version = manifest.python_version;
  view.python_prefix = manifest.python_prefix;
  view.sys_path = manifest.sys_path;
  view.variables = manifest.variables;
  for (const std::string& path : manifest.store_paths) view.placed_paths.emplace_back(path, path);
  const std::string root = folder + "/rootfs";
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(root.c_str()), ::closedir);
  if (entries == nullptr) {
    return Fail(ErrorCode::kInternal,
                fmt::format("{} is not there: remove the environment with casemate env prune", root));
  }
  while (const dirent* const entry = ::readdir(entries.get())) {
    const std::string name = entry->d_name;
    const std::string path = fmt::format("{}/{}", root, name);
    struct stat info {};
    if (std::ranges::find(kOwn, name) != kOwn.end() || name == "code" || ::lstat(path.c_str(), &info) != 0) {
      continue;
    }
    if (S_ISLNK(info.st_mode)) {
      view.symlinks.emplace_back("/" + name, LinkTarget(path));
    } else if (S_ISDIR(info.st_mode) || S_ISREG(info.st_mode)) {
      view.placed_paths.emplace_back(path, "/" + name);
    }
  }
  std::ranges::sort(view.placed_paths, {}, &std::pair<std::string, std::string>::second);
  return view;
}

Expected<std::string> ImageIdentity(const EnvironmentReference& reference) {
  // A daemon's image may be another one by now; its id is asked for when it is built.
  if (reference.kind == EnvironmentReference::Kind::kDocker ||
      reference.kind == EnvironmentReference::Kind::kRegistry) {
    return reference.value;
  }
  struct stat info {};
  if (::stat(reference.value.c_str(), &info) != 0) {
    return Fail(
        ErrorCode::kNotFound,
        fmt::format("{} of the environment is not there: check its spelling and the folder you are in",
                    reference.value));
  }
  return fmt::format("{}\n{}:{}:{}:{}.{}\n", RealPath(reference.value), info.st_dev, info.st_ino,
                     S_ISDIR(info.st_mode) ? 0 : info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

}  // namespace casemate
