#include "isolation/docker/image_files.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>
#include <vector>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "isolation/docker/elf.h"

namespace casemate {
namespace embedded {
std::string_view DockerImage(std::string_view path);  // made by tools/embed.py
}  // namespace embedded

namespace docker {
namespace {

namespace fs = std::filesystem;

struct OwnFile {
  const char* path;
  const char* content;
};
constexpr std::array kOwnFiles = {
    OwnFile{"/etc/passwd",
            "root:x:0:0:root:/tmp:/usr/sbin/nologin\n"
            "sandbox:x:1000:1000:sandbox:/tmp:/bin/sh\n"
            "nobody:x:65534:65534:nobody:/tmp:/usr/sbin/nologin\n"},
    OwnFile{"/etc/group", "root:x:0:\nsandbox:x:1000:\nnogroup:x:65534:\n"},
    OwnFile{"/etc/nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n"},
};
constexpr std::array kOwnFolders = {"/casemate", "/dev", "/etc",       "/proc",    "/run",
                                    "/sys",      "/tmp", "/workspace", "/usr/bin", "/usr/lib"};
struct OwnLink {
  const char* path;
  const char* target;
};
constexpr std::array kOwnLinks = {
    OwnLink{"/code", "casemate/code"}, OwnLink{"/run/secrets", "../casemate/secrets"},
    OwnLink{"/etc/mtab", "/proc/self/mounts"}, OwnLink{"/etc/os-release", "../usr/lib/os-release"}};

// Where the loader looks without being told (ld.so(8)), and what Debian adds.
constexpr std::array kLibraryFolders = {"/lib/x86_64-linux-gnu",
                                        "/usr/lib/x86_64-linux-gnu",
                                        "/lib/aarch64-linux-gnu",
                                        "/usr/lib/aarch64-linux-gnu",
                                        "/lib64",
                                        "/usr/lib64",
                                        "/lib",
                                        "/usr/lib",
                                        "/usr/local/lib"};
// Of glibc: loaded by name when users and characters are looked up, and named by no file.
constexpr std::array kLoadedByName = {"libnss_files.so.2", "libgcc_s.so.1", "libz.so.1"};

class Collector {
 public:
  Collector(const EnvironmentView& environment, std::vector<std::string> left_out)
      : environment_(environment), left_out_(std::move(left_out)) {}

  // The path as it is, each link on its way, and what it leads to. Nothing when it is not there.
  void Add(const std::string& path) { AddTo(path, 0); }

  // Of a root of its own: the tree at `source` as it is, seen at `inside`.
  void Place(const std::string& source, const std::string& inside) {  // NOLINT(misc-no-recursion)
    struct stat info {};
    if (lstat(source.c_str(), &info) != 0) return;
    for (std::size_t slash = inside.find('/', 1); slash != std::string::npos;
         slash = inside.find('/', slash + 1))
      entries_.try_emplace(inside.substr(0, slash), PlainFolder());
    std::error_code ignored;
    if (S_ISLNK(info.st_mode)) {
      entries_[inside] = {ImageEntry::Kind::kSymlink, 0777, "", fs::read_symlink(source, ignored).string()};
    } else if (S_ISREG(info.st_mode)) {
      entries_[inside] = {ImageEntry::Kind::kFile, (info.st_mode & kNoSetuid) | 0444, source, ""};
    } else if (S_ISDIR(info.st_mode)) {
      entries_[inside] = PlainFolder();
      for (const auto& entry : fs::directory_iterator(source, ignored))
        Place(entry.path().string(), inside + "/" + entry.path().filename().string());
    }
  }

  void AddLibraries() {
    for (const char* name : kLoadedByName) AddLibrary(name);
    while (!unseen_.empty()) {
      const std::string path = std::move(unseen_.back());
      unseen_.pop_back();
      const ElfNeeds needs = NeedsOf(path);
      for (const std::string& name : needs.libraries) {
        if (!AddFromRunPath(name, path, needs.run_path)) AddLibrary(name);
      }
    }
  }

  // A root of its own keeps what it has there.
  void AddOwn() {
    const bool placed = !environment_.placed_paths.empty();
    for (const char* folder : kOwnFolders) {
      if (!placed || !entries_.contains(folder)) Own(folder, PlainFolder());
    }
    // The mount takes the mode of what it covers.
    entries_["/tmp"].mode = 01777;
    for (const OwnFile& file : kOwnFiles) {
      if (!placed || !entries_.contains(file.path))
        Own(file.path, {ImageEntry::Kind::kFile, 0644, "", file.content});
    }
    for (const OwnLink& link : kOwnLinks) {
      if (!placed || !entries_.contains(link.path))
        Own(link.path, {ImageEntry::Kind::kSymlink, 0777, "", link.target});
    }
    for (const auto& [path, target] : environment_.symlinks)
      Own(path, {ImageEntry::Kind::kSymlink, 0777, "", target});
  }

  ImageEntries Take() { return std::move(entries_); }

 private:
  static constexpr int kLinksMax = 40;
  static constexpr mode_t kNoSetuid = 0755;
  static ImageEntry PlainFolder() { return {ImageEntry::Kind::kFolder, 0755, "", ""}; }

  void Own(const std::string& path, ImageEntry entry) {
    Parents(path);
    entries_[path] = std::move(entry);
  }

  // Folders above; up to the first link where the host has one there (/lib -> usr/lib), which leads
  // elsewhere.
  void Parents(const std::string& path) {  // NOLINT(misc-no-recursion)
    for (std::size_t slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      const std::string folder = path.substr(0, slash);
      struct stat info {};
      if (lstat(folder.c_str(), &info) == 0 && S_ISLNK(info.st_mode)) {
        AddTo(folder, 1, false);
        return;
      }
      entries_.try_emplace(folder, PlainFolder());
    }
  }

  void AddTo(const std::string& path, int links, bool content = true) {  // NOLINT(misc-no-recursion)
    struct stat info {};
    if (links > kLinksMax || lstat(path.c_str(), &info) != 0) return;
    std::error_code ignored;
    const std::string place = fs::path(path).lexically_normal().string();
    const fs::path folder = fs::weakly_canonical(fs::path(place).parent_path(), ignored);
    const std::string real = (folder / fs::path(place).filename()).string();
    Parents(place);
    if (real != place) {
      AddTo(real, links + 1, content);
      return;
    }
    if (S_ISLNK(info.st_mode)) {
      const std::string target = fs::read_symlink(real, ignored).string();
      const bool known = entries_.contains(real);
      entries_[real] = {ImageEntry::Kind::kSymlink, 0777, "", target};
      if (!known || content) AddTo((folder / target).lexically_normal().string(), links + 1, content);
    } else if (S_ISREG(info.st_mode)) {
      AddFile(real, info);
    } else if (S_ISDIR(info.st_mode)) {
      entries_.try_emplace(real, PlainFolder());
      const auto& hidden_paths = environment_.hidden_paths;
      const bool hidden = std::ranges::find(hidden_paths, real) != hidden_paths.end();
      if (content && !hidden) AddFolder(real);
    }
  }

  void AddFile(const std::string& path, const struct stat& info) {
    if (access(path.c_str(), R_OK) != 0 || entries_.contains(path)) return;
    entries_[path] = {ImageEntry::Kind::kFile, (info.st_mode & kNoSetuid) | 0444, path, ""};
    unseen_.push_back(path);
  }

  void AddFolder(const std::string& path) {  // NOLINT(misc-no-recursion)
    if (!folders_.insert(path).second) return;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(path, ignored)) {
      const std::string name = entry.path().filename().string();
      const bool out = std::ranges::any_of(left_out_, [&name](const std::string& pattern) {
        return fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
      });
      if (!out) AddTo(entry.path().string(), 0);
    }
  }

  // As ld.so(8) does for the file that asks, before it looks anywhere else.
  bool AddFromRunPath(const std::string& name, const std::string& asking,
                      const std::vector<std::string>& run_path) {
    for (std::string folder : run_path) {
      for (const std::string_view origin : {"$ORIGIN", "${ORIGIN}"}) {
        if (folder.starts_with(origin))
          folder.replace(0, origin.size(), fs::path(asking).parent_path().string());
      }
      const std::string path = folder + "/" + name;
      if (!folder.starts_with('/') || access(path.c_str(), R_OK) != 0) continue;
      Add(path);
      return true;
    }
    return false;
  }

  void AddLibrary(const std::string& name) {
    if (!libraries_.insert(name).second) return;
    if (name.starts_with('/')) return Add(name);
    for (const char* folder : kLibraryFolders) {
      const std::string path = std::string(folder) + "/" + name;
      if (access(path.c_str(), R_OK) == 0) return Add(path);
    }
  }

  const EnvironmentView& environment_;
  std::vector<std::string> left_out_;
  ImageEntries entries_;
  std::set<std::string> folders_;
  std::set<std::string> libraries_;
  std::vector<std::string> unseen_;
};

}  // namespace

Expected<ImageEntries> ListImageFiles(const EnvironmentView& environment) {
  const toml::parse_result parsed = toml::parse(embedded::DockerImage("profiles/docker/image.toml"));
  if (!parsed || !parsed["files"].is_table() || !parsed["commands"]["names"].is_array() ||
      !parsed["left_out"].is_table()) {
    return Fail(ErrorCode::kInternal, "profiles/docker/image.toml of this build is not as it must be");
  }
  const toml::table& table = parsed.table();
  std::vector<std::string> left_out;
  for (const auto& [name, reason] : *table["left_out"].as_table()) left_out.emplace_back(name.str());
  Collector collector(environment, std::move(left_out));
  if (!environment.placed_paths.empty()) {
    for (const auto& [source, inside] : environment.placed_paths) collector.Place(source, inside);
    collector.AddOwn();
    return collector.Take();
  }
  for (const auto& [path, reason] : *table["files"].as_table()) collector.Add(std::string(path.str()));
  for (const auto& name : *table["commands"]["names"].as_array())
    collector.Add("/usr/bin/" + name.value_or(std::string()));
  if (!environment.python.empty()) {
    collector.Add(environment.python);
    // pyvenv.cfg beside the interpreter of a virtual environment.
    collector.Add(environment.python_prefix + "/pyvenv.cfg");
    for (const std::string& path : environment.sys_path) collector.Add(path);
  }
  collector.AddLibraries();
  collector.AddOwn();
  return collector.Take();
}

}  // namespace docker
}  // namespace casemate
