#include "environments/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

#include "base/file.h"
#include "base/sha256.h"
#include "environments/file_view.h"
#include "environments/image_view.h"
#include "environments/requirements.h"

namespace casemate {
namespace {

using Kind = EnvironmentReference::Kind;

constexpr std::size_t kInputsMax = 16 << 20;
constexpr std::size_t kManifestMax = 16 << 20;
// In the names of folders: enough that nobody finds two inputs with one name.
constexpr std::size_t kNameDigits = 32;
constexpr std::string_view kRequestHeader = "casemate-request 1\nid ";

Expected<std::string> ReadInput(const std::string& path) {
  auto text = ReadFile(path, kInputsMax);
  if (text) return text;
  if (text.error().code == ErrorCode::kNotFound) {
    return Fail(
        ErrorCode::kNotFound,
        fmt::format("{} of the environment is not there: check its spelling and the folder you are in",
                    path));
  }
  return Fail(ErrorCode::kInvalidRequest, fmt::format("{} of the environment cannot be read", path),
              text.error().ToString());
}

// A folder stands for the file in it that has the usual name.
std::string FileOf(const EnvironmentReference& reference) {
  struct stat info {};
  if (stat(reference.value.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) return reference.value;
  const char* const name = reference.kind == Kind::kRequirements ? "requirements.txt"
                           : reference.kind == Kind::kPyproject  ? "pyproject.toml"
                                                                 : "uv.lock";
  return fmt::format("{}/{}", reference.value, name);
}

// All that a requirements file says, its includes with it.
Expected<std::string> RequirementsText(const std::string& path) {
  auto text = ReadInput(path);
  if (!text) return text;
  std::string all = *text;
  const RequirementsReader read = [&all](const std::string& included) {
    auto more = ReadInput(included);
    if (more) all += fmt::format("\n# {}\n{}", included, *more);
    return more;
  };
  if (auto parsed = ParseRequirements(*text, path, read); !parsed) return std::unexpected(parsed.error());
  return all;
}

Expected<std::string> PackagesText(const EnvironmentReference& reference, const std::string& file) {
  if (reference.kind == Kind::kRequirements) return RequirementsText(file);
  if (reference.kind != Kind::kPackages) return ReadInput(file);
  if (auto parsed = ParsePackageList(reference.value); !parsed) return std::unexpected(parsed.error());
  return reference.value;
}

// Of the interpreter, all that decides which wheels fit.
std::string PythonText(const EnvironmentView& host) {
  return fmt::format("{}\n{}\n", RealPath(host.python), host.python_version);
}

bool IsInside(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// The folders where distributions and pip put packages; a built environment has its own in their place.
bool IsSiteFolder(std::string_view path) {
  const std::string_view name = BaseName(path);
  return name == "site-packages" || name == "dist-packages";
}

// What a program sees: the host's interpreter and its standard library, and of packages only the built ones.
Expected<EnvironmentView> PackagesView(const EnvironmentManifest& manifest, const std::string& folder,
                                       const HostEnvironmentOptions& options) {
  HostEnvironmentOptions wanted = options;
  wanted.python = manifest.python;
  auto host = FindHostEnvironment(wanted);
  if (!host) return host;
  if (host->python_version != manifest.python_version) {
    return Fail(
        ErrorCode::kUnavailable,
        fmt::format("the environment was built for Python {} and {} is {} by now: build it again with "
                    "casemate env build",
                    manifest.python_version, manifest.python, host->python_version));
  }
  const std::string venv = folder + "/venv";
  if (FileView("").Judge(venv) == FileView::Verdict::kHidden) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("environments are kept in {}, a place that each sandbox has of its own: name "
                            "another folder with --state-dir or CASEMATE_STATE_DIR",
                            folder));
  }
  EnvironmentView view = *std::move(host);
  view.base_python = view.python;
  view.python = venv + "/bin/python";
  view.python_prefix = venv;
  const std::string_view version = manifest.python_version;
  const std::string site = fmt::format("{}/lib/python{}/site-packages", venv,
                                       version.substr(0, version.find('.', version.find('.') + 1)));
  std::vector<std::string> paths;
  for (const std::string& entry : view.sys_path) {
    const bool library =
        entry.ends_with(".zip") || entry.ends_with("lib-dynload") || BaseName(entry).starts_with("python3.");
    if (IsSiteFolder(entry)) {
      view.hidden_paths.push_back(RealPath(entry));
    } else if (library) {
      paths.push_back(entry);
    }
  }
  paths.push_back(site);
  for (const std::string& entry : manifest.path_entries) paths.push_back(fmt::format("{}/{}", site, entry));
  view.sys_path = std::move(paths);
  std::erase_if(view.hidden_paths, [&view](const std::string& path) {
    return path.empty() || std::ranges::none_of(view.read_only_paths, [&path](const std::string& bound) {
             return IsInside(path, bound);
           });
  });
  const bool seen = std::ranges::any_of(view.read_only_paths,
                                        [&venv](const std::string& bound) { return IsInside(venv, bound); });
  if (!seen) view.read_only_paths.push_back(venv);
  return view;
}

// A shared lock on the folder, which prune takes alone.
Expected<std::shared_ptr<const UniqueFd>> Lease(const std::string& folder) {
  auto fd = std::make_shared<const UniqueFd>(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd->valid() && flock(fd->get(), LOCK_SH | LOCK_NB) == 0) {
    // Its last use, by which prune goes.
    (void)futimens(fd->get(), nullptr);
    return fd;
  }
  return Fail(ErrorCode::kNotFound, fmt::format("the environment {} is not there", BaseName(folder)));
}

}  // namespace

EnvironmentPaths::EnvironmentPaths(std::string_view state_dir)
    : root(fmt::format("{}/environments", state_dir)),
      store(root + "/store"),
      requests(root + "/requests"),
      staging(root + "/staging"),
      wheels(root + "/wheels"),
      trees(root + "/trees"),
      locks(root + "/locks") {}

std::string EnvironmentPaths::Of(std::string_view id) const {
  return fmt::format("{}/{}", store, id.substr(0, kNameDigits));
}

std::string PackageRulesFile() {
  const char* path = std::getenv("CASEMATE_PACKAGES");  // NOLINT(concurrency-mt-unsafe): nothing sets any
  if (path != nullptr && *path != '\0') return path;
  constexpr const char* kSystem = "/etc/casemate/packages";
  return FileExists(kSystem) ? kSystem : "";
}

Expected<EnvironmentInputs> ReadEnvironmentInputs(const EnvironmentReference& reference,
                                                  const HostEnvironmentOptions& host) {
  EnvironmentInputs inputs;
  std::string what = fmt::format("{}\n", EnvironmentKindName(reference.kind));
  if (HasPackages(reference.kind)) {
    HostEnvironmentOptions options = host;
    if (!reference.python.empty()) options.python = reference.python;
    auto view = FindHostEnvironment(options);
    if (!view) return std::unexpected(view.error());
    inputs.host = *std::move(view);
    if (reference.kind != Kind::kPackages) inputs.file = FileOf(reference);
    auto text = PackagesText(reference, inputs.file);
    if (!text) return std::unexpected(text.error());
    inputs.text = *std::move(text);
    what += PythonText(inputs.host);
    // Other rules may refuse what an earlier build was allowed.
    if (const std::string rules = PackageRulesFile(); !rules.empty()) {
      auto bytes = ReadInput(rules);
      if (!bytes) return std::unexpected(bytes.error());
      what += fmt::format("rules {}\n", Sha256Hex(*bytes));
    }
  } else {
    auto identity = ImageIdentity(reference);
    if (!identity) return std::unexpected(identity.error());
    inputs.text = *std::move(identity);
  }
  inputs.key = Sha256Hex(what + inputs.text);
  return inputs;
}

std::string FindBuiltId(const EnvironmentPaths& paths, std::string_view key) {
  const auto text = ReadFile(fmt::format("{}/{}", paths.requests, key), kManifestMax);
  if (!text || !text->starts_with(kRequestHeader)) return {};
  const std::string_view id = std::string_view(*text).substr(kRequestHeader.size());
  return std::string(id.substr(0, id.find('\n')));
}

std::vector<std::string> ListBuilt(const EnvironmentPaths& paths) {
  std::vector<std::string> ids;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(paths.store.c_str()), closedir);
  if (folder == nullptr) return ids;
  while (const dirent* const entry = readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    if (name.size() == kNameDigits) ids.emplace_back(name);
  }
  std::ranges::sort(ids);
  return ids;
}

Expected<EnvironmentManifest> ReadManifest(const EnvironmentPaths& paths, std::string_view id) {
  const auto text = ReadFile(paths.Of(id) + "/environment.json", kManifestMax);
  if (!text) return Fail(ErrorCode::kNotFound, fmt::format("there is no environment {}", id));
  return ParseManifest(*text);
}

Expected<BuiltEnvironment> OpenBuilt(const EnvironmentPaths& paths, std::string_view id,
                                     const HostEnvironmentOptions& host) {
  std::string name(id.substr(0, kNameDigits));
  if (name.size() < kNameDigits) {
    std::vector<std::string> all = ListBuilt(paths);
    std::erase_if(all, [&name](const std::string& one) { return !one.starts_with(name); });
    if (all.size() > 1) {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("several environments begin with {}: give more digits", name));
    }
    if (!all.empty()) name = all.front();
  }
  auto lease = Lease(paths.Of(name));
  auto manifest = lease ? ReadManifest(paths, name) : std::unexpected(lease.error());
  if (!manifest) return std::unexpected(manifest.error());
  if (!manifest->id.starts_with(id)) {
    return Fail(ErrorCode::kNotFound, fmt::format("there is no environment {}", id));
  }
  const std::string folder = RealPath(paths.Of(name));
  auto view =
      HasPackages(manifest->kind) ? PackagesView(*manifest, folder, host) : ImageView(*manifest, folder);
  if (!view) return std::unexpected(view.error());
  view->name = "sha256:" + manifest->id;
  view->id = manifest->id;
  view->preload = manifest->preload;
  view->empty_folder = folder + "/empty";
  view->lease = *std::move(lease);
  return BuiltEnvironment{*std::move(manifest), *std::move(view)};
}

}  // namespace casemate
