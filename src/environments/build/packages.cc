#include "environments/build/packages.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <map>

#include "base/command.h"
#include "base/errno.h"
#include "base/file.h"
#include "base/sha256.h"
#include "environments/build/contents.h"
#include "environments/build/resolve.h"
#include "environments/build/wheel_trees.h"
#include "environments/file_view.h"

// requirements -> wheels with their hashes (noted, or asked of pip) -> rules -> a tree for each wheel -> one
// virtual environment of links to their files -> the store

namespace casemate {
namespace {

constexpr std::size_t kContentsMax = 256 << 20;
constexpr std::size_t kPathFileMax = 64 << 10;
constexpr char kAskAbi[] =  // NOLINT(modernize-avoid-c-arrays): a script
    "import sys, sysconfig\n"
    "print(sysconfig.get_config_var('SOABI') or sys.implementation.cache_tag)";

struct PythonKind {
  std::string binary;  // the host's, with no link in its path
  std::string abi;     // "cpython-311-x86_64-linux-gnu"
};
Expected<PythonKind> AskPython(const EnvironmentView& host) {
  PythonKind kind;
  kind.binary = RealPath(host.python);
  auto answer = RunCommand({kind.binary, "-I", "-S", "-c", kAskAbi});
  if (!answer) return std::unexpected(answer.error());
  kind.abi = answer->out.substr(0, answer->out.find('\n'));
  const bool plain = !kind.abi.empty() && std::ranges::all_of(kind.abi, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
  if (answer->exit_code == 0 && plain) return kind;
  return Fail(ErrorCode::kUnavailable,
              fmt::format("{} does not say for which wheels it is: name another with --python", kind.binary),
              answer->err.substr(0, 200));
}

// One virtual environment in the making: which path has which line in the list of contents.
class Venv {
 public:
  Venv(std::string folder, std::string site) : folder_(std::move(folder)), site_(std::move(site)) {}

  Expected<void> Begin(const PythonKind& python, std::string_view version) {
    const std::string home = python.binary.substr(0, python.binary.rfind('/'));
    auto done = Folder("bin");
    if (done) done = Folder(site_);
    if (done) done = Link("bin/python", python.binary);
    if (done) done = Link("bin/python3", "python");
    if (!done) return done;
    const std::string text =
        fmt::format("home = {}\ninclude-system-site-packages = false\nversion = {}\n", home, version);
    if (auto written = WriteFileAtomically(At("pyvenv.cfg"), text, 0444); !written) return written;
    lines_["pyvenv.cfg"] = fmt::format("0444 {} {}", text.size(), Sha256Hex(text));
    return {};
  }

  // The files of one wheel's tree. Of two wheels with one file, the later by name has it.
  Expected<void> Add(const std::string& tree, std::string_view contents) {
    for (const ContentsLine& line : ReadContents(contents)) {
      const std::string place = PlaceOf(line.path);
      if (place.empty()) continue;
      const std::string escaped = EscapeName(place);
      const std::string text = fmt::format("{} {} {}", line.mode, line.size, line.hash);
      if (const auto known = lines_.find(escaped); known != lines_.end()) {
        if (known->second == text) continue;
        if (!place.starts_with(site_)) continue;
        ++overlaps_;
        ::unlink(At(place).c_str());
        bytes_ -= SizeOf(known->second);
      }
      if (auto made = Folder(place.substr(0, place.rfind('/'))); !made) return made;
      const std::string source = fmt::format("{}/files/{}", tree, line.path);
      if (::link(source.c_str(), At(place).c_str()) != 0) {
        return FailErrno(ErrorCode::kInternal, fmt::format("cannot put {} into the environment", place),
                         "link");
      }
      lines_[escaped] = text;
      bytes_ += SizeOf(text);
    }
    return {};
  }

  // Folders that .pth files add to the path; their lines that are code are for no program here.
  std::vector<std::string> PathEntries() const {
    std::vector<std::string> entries;
    for (const auto& one : lines_) {
      const std::string& path = one.first;
      if (!path.ends_with(".pth") || path.rfind('/') != site_.size() || !path.starts_with(site_)) continue;
      const auto text = ReadFile(At(path), kPathFileMax);
      std::string_view rest = text ? std::string_view(*text) : std::string_view();
      while (!rest.empty()) {
        const std::size_t newline = std::min(rest.find('\n'), rest.size());
        std::string line(rest.substr(0, newline));
        rest.remove_prefix(std::min(newline + 1, rest.size()));
        while (!line.empty() && static_cast<unsigned char>(line.back()) <= ' ') line.pop_back();
        if (line.empty() || line.starts_with('#') || line.starts_with("import")) continue;
        auto clean = TreeWriter::CheckPath(line);
        if (clean && !clean->empty() && FileExists(At(fmt::format("{}/{}", site_, *clean)))) {
          entries.push_back(*std::move(clean));
        }
      }
    }
    return entries;
  }

  std::string Contents() const {
    std::string text;
    for (const auto& [path, line] : lines_) text += fmt::format("{} {}\n", line, path);
    return text;
  }
  std::int64_t bytes() const { return bytes_; }
  std::int64_t files() const { return static_cast<std::int64_t>(lines_.size()); }
  std::int64_t overlaps() const { return overlaps_; }

 private:
  std::string At(const std::string& path) const { return fmt::format("{}/{}", folder_, path); }

  static std::int64_t SizeOf(std::string_view line) {
    const std::size_t space = line.find(' ');
    return std::strtoll(std::string(line.substr(space + 1)).c_str(), nullptr, 10);
  }

  // Where a file of a tree goes; "" for what would take the place of the interpreter or its settings.
  std::string PlaceOf(const std::string& path) const {
    constexpr std::string_view kSite = "site/";
    constexpr std::string_view kData = "data/";
    if (path.starts_with(kSite)) return fmt::format("{}/{}", site_, path.substr(kSite.size()));
    const std::string place = path.starts_with(kData) ? path.substr(kData.size()) : path;
    return place == "pyvenv.cfg" || place.starts_with("bin/python") ? std::string() : place;
  }

  Expected<void> Folder(const std::string& path) {
    if (folders_.contains(path)) return {};
    std::string part = folder_;
    for (std::size_t start = 0; start < path.size();) {
      const std::size_t end = std::min(path.find('/', start), path.size());
      part += "/" + path.substr(start, end - start);
      if (::mkdir(part.c_str(), 0755) == 0) {
        (void)::chmod(part.c_str(), 0755);  // whatever the umask is
      } else if (errno != EEXIST) {
        return FailErrno(ErrorCode::kInternal, fmt::format("cannot make {}", part), "mkdir");
      }
      start = end + 1;
    }
    folders_[path] = true;
    return {};
  }

  Expected<void> Link(const std::string& path, const std::string& target) {
    if (::symlink(target.c_str(), At(path).c_str()) != 0) {
      return FailErrno(ErrorCode::kInternal, fmt::format("cannot make {}", path), "symlink");
    }
    lines_[path] = fmt::format("link - {}", EscapeName(target));
    return {};
  }

  const std::string folder_;
  const std::string site_;
  std::map<std::string, std::string> lines_;  // by escaped path
  std::map<std::string, bool> folders_;
  std::int64_t bytes_ = 0;
  std::int64_t overlaps_ = 0;
};

Expected<PackageRules> AllRules(const BuildOptions& options) {
  const std::string file = PackageRulesFile();
  if (file.empty()) return options.rules;
  const auto text = ReadFile(file, kPathFileMax);
  if (!text) return std::unexpected(text.error());
  return PackageRules::Parse(*text, file);
}

Expected<void> CheckRules(const std::vector<std::string>& names, const BuildOptions& options) {
  auto rules = AllRules(options);
  if (!rules) return std::unexpected(rules.error());
  for (const std::string& name : names) {
    for (const PackageRules* const one : std::array<const PackageRules*, 2>{&*rules, &options.rules}) {
      if (auto fine = one->Check(name); !fine) return fine;
    }
  }
  return {};
}

std::vector<std::string> NamesOf(const std::vector<LockedWheel>& wheels) {
  std::vector<std::string> names;
  for (const LockedWheel& wheel : wheels) names.push_back(wheel.name);
  return names;
}

// What was resolved for these inputs before, while its files are here; otherwise pip is asked.
Expected<std::vector<LockedWheel>> FindWheels(const EnvironmentReference& reference,
                                              const EnvironmentInputs& inputs, const BuildOptions& options,
                                              const PythonKind& python, const EnvironmentPaths& paths,
                                              const StagingFolder& staging, BuildProgress& progress) {
  std::vector<LockedWheel> wheels;
  if (!options.again) wheels = NotedWheels(paths, inputs.key);
  if (auto fine = CheckRules(options.from_source, options); !fine) return std::unexpected(fine.error());
  const bool here = !wheels.empty() && std::ranges::all_of(wheels, [&](const LockedWheel& wheel) {
    return HasWheel(paths, wheel, python.abi);
  });
  if (here) return wheels;
  auto requirements = RequirementsOf(reference, inputs);
  if (!requirements) return std::unexpected(requirements.error());
  if (requirements->lines.empty()) return std::vector<LockedWheel>();
  if (!wheels.empty() && options.from_source.empty()) {
    // Some of their files are gone: the same ones again.
    *requirements = Requirements{.hashed = true};
    for (const LockedWheel& wheel : wheels) {
      requirements->lines.push_back(
          fmt::format("{}=={} --hash=sha256:{}", wheel.name, wheel.version, wheel.sha256));
    }
  }
  progress.Step("resolving", "", 0, 0);
  const std::string folder = staging.path() + "/resolve";
  if (auto made = MakeFolders(folder, 0700); !made) return std::unexpected(made.error());
  auto resolved =
      Resolve(*requirements,
              {python.binary, options.index_url, folder, options.from_source, options.build_hosts}, progress);
  if (!resolved) return resolved;
  if (auto fine = CheckRules(NamesOf(*resolved), options); !fine) return std::unexpected(fine.error());
  if (auto taken = TakeWheels(paths, folder + "/wheels", *resolved); !taken)
    return std::unexpected(taken.error());
  return resolved;
}

Expected<void> Assemble(const EnvironmentPaths& paths, const std::string& folder, const PythonKind& python,
                        EnvironmentManifest& manifest, std::string& contents, BuildProgress& progress) {
  const std::string& version = manifest.python_version;
  const std::string minor = version.substr(0, version.find('.', version.find('.') + 1));
  if (auto made = MakeFolders(folder + "/venv", 0755); !made) return made;
  (void)::chmod((folder + "/venv").c_str(), 0755);
  Venv venv(folder + "/venv", fmt::format("lib/python{}/site-packages", minor));
  if (auto begun = venv.Begin(python, version); !begun) return begun;
  std::int64_t done = 0;
  for (const LockedWheel& wheel : manifest.wheels) {
    progress.Step("assembling", wheel.file, done++, static_cast<std::int64_t>(manifest.wheels.size()));
    const std::string tree = TreePath(paths, wheel, manifest.python_abi);
    const auto text = ReadFile(tree + "/contents", kContentsMax);
    if (!text) return std::unexpected(text.error());
    if (auto added = venv.Add(tree, *text); !added) return added;
  }
  if (venv.overlaps() > 0) {
    progress.Note(fmt::format("{} files are in more than one package; the later one by name has them",
                              venv.overlaps()));
  }
  manifest.path_entries = venv.PathEntries();
  manifest.bytes = venv.bytes();
  manifest.files = venv.files();
  contents = venv.Contents();
  return {};
}

}  // namespace

Expected<EnvironmentManifest> BuildPackages(const EnvironmentReference& reference, const std::string& name,
                                            const EnvironmentInputs& inputs, const BuildOptions& options,
                                            BuildProgress& progress) {
  const EnvironmentPaths paths(options.state_dir);
  auto python = AskPython(inputs.host);
  if (!python) return std::unexpected(python.error());
  auto staging = StagingFolder::Make(paths);
  if (!staging) return std::unexpected(staging.error());
  auto wheels = FindWheels(reference, inputs, options, *python, paths, *staging, progress);
  if (!wheels) return std::unexpected(wheels.error());
  // Noted ones were resolved under other rules, perhaps.
  if (auto fine = CheckRules(NamesOf(*wheels), options); !fine) return std::unexpected(fine.error());

  EnvironmentManifest manifest;
  manifest.kind = EnvironmentKindName(reference.kind);
  manifest.name = name;
  manifest.python = python->binary;
  manifest.python_version = inputs.host.python_version;
  manifest.python_abi = python->abi;
  manifest.preload = options.preload;
  manifest.wheels = *std::move(wheels);
  manifest.id = Sha256Hex(LockText(manifest));
  auto known = ReadManifest(paths, manifest.id);
  if (known) {
    if (auto noted = NoteRequest(paths, inputs.key, *known); !noted) return std::unexpected(noted.error());
    return known;
  }
  auto made = MakeTrees(paths, *staging, manifest.wheels, python->binary, manifest.python_abi, options.limits,
                        progress);
  if (!made) return std::unexpected(made.error());
  std::string contents;
  auto done = Assemble(paths, staging->path() + "/environment", *python, manifest, contents, progress);
  if (done) done = KeepEnvironment(paths, *staging, "environment", manifest, contents);
  if (done) done = NoteRequest(paths, inputs.key, manifest);
  if (!done) return std::unexpected(done.error());
  return manifest;
}

}  // namespace casemate
