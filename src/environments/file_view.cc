#include "environments/file_view.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>
#include <string_view>

namespace casemate {
namespace {

constexpr int kLinksMax = 40;  // as the kernel's own walk

struct Entry {
  std::string_view path;
  std::string_view reason;
};

// The host's configuration that its libraries cannot be used without; everything else in /etc is synthetic.
constexpr std::array kSystemFiles = {
    Entry{"/usr", "programs and libraries"},
    Entry{"/etc/alternatives", "Debian's libblas.so.3 and others in /usr/lib are links through it"},
    Entry{"/etc/ld.so.cache", "without it the loader finds nothing in /usr/local/lib"},
};

// Links into /usr on merged systems, folders of their own on others.
constexpr std::array<std::string_view, 6> kSystemFolders = {"/bin",   "/sbin",  "/lib",
                                                            "/lib32", "/lib64", "/libx32"};

constexpr std::array kExposing = {
    Entry{"/", "the whole host"},
    Entry{"/home", "the users' files"},
    Entry{"/root", "the administrator's files"},
    Entry{"/etc", "the host's configuration and keys"},
    Entry{"/var", "the services' data"},
    Entry{"/run", "the services' sockets"},
    Entry{"/srv", "the services' data"},
    Entry{"/mnt", "other file systems"},
    Entry{"/media", "other file systems"},
    Entry{"/boot", "the kernel's files"},
};

constexpr std::array kPrivate = {
    Entry{"/tmp", "the sandbox's own tmpfs"},        Entry{"/dev", "the sandbox's own devices"},
    Entry{"/proc", "the sandbox's own processes"},   Entry{"/sys", "not there in a sandbox"},
    Entry{"/workspace", "the program's own folder"}, Entry{"/casemate", "the harness"},
    Entry{"/code", "the program's source"},          Entry{"/run", "the secrets of a run"},
};

bool IsInside(std::string_view path, std::string_view folder) {
  if (folder == "/") return true;
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

}  // namespace

std::string RealPath(const std::string& path) {
  std::array<char, PATH_MAX> buffer{};
  return ::realpath(path.c_str(), buffer.data()) != nullptr ? std::string(buffer.data()) : std::string();
}

FileView::Verdict FileView::Judge(const std::string& path) const {
  const std::string real = RealPath(path);
  if (std::ranges::any_of(kExposing, [&](const Entry& entry) { return entry.path == real; })) {
    return Verdict::kExposes;
  }
  // Another user's home, or a folder that has the caller's home in it.
  if (real.starts_with("/home/") && real.find('/', 6) == std::string::npos) return Verdict::kExposes;
  if (const std::string home = RealPath(home_); !home.empty() && home != "/" && IsInside(home, real)) {
    return Verdict::kExposes;
  }
  if (std::ranges::any_of(kPrivate, [&](const Entry& entry) { return IsInside(real, entry.path); })) {
    return Verdict::kHidden;
  }
  return Verdict::kFine;
}

bool FileView::IsBound(const std::string& path) const {
  return std::ranges::any_of(bound_, [&](const std::string& folder) { return IsInside(path, folder); });
}

bool FileView::Covers(const std::string& path) const {
  const std::string real = RealPath(path);
  return !real.empty() && IsBound(real);
}

void FileView::Bind(const std::string& path) {
  std::string real = RealPath(path);
  if (real.empty() || IsBound(real)) return;
  std::erase_if(bound_, [&](const std::string& folder) { return IsInside(folder, real); });
  bound_.push_back(std::move(real));
}

void FileView::BindSystem() {
  for (const Entry& entry : kSystemFiles) Bind(std::string(entry.path));
  for (const std::string_view folder : kSystemFolders) Bind(std::string(folder));
}

void FileView::LinkSystem() {
  for (const std::string_view folder : kSystemFolders) Link(std::string(folder));
}

void FileView::Link(const std::string& path) {
  std::string rest = path;
  std::string at;  // the real path of what was walked so far
  for (int links = 0; !rest.empty();) {
    const std::size_t start = rest.find_first_not_of('/');
    if (start == std::string::npos) return;
    const std::size_t end = std::min(rest.find('/', start), rest.size());
    const std::string name = rest.substr(start, end - start);
    rest.erase(0, end);
    if (name == ".") continue;
    if (name == "..") {
      at.erase(at.rfind('/') == std::string::npos ? 0 : at.rfind('/'));
      continue;
    }
    const std::string next = at + "/" + name;
    std::array<char, PATH_MAX> target{};
    const ssize_t length = ::readlink(next.c_str(), target.data(), target.size());
    if (length <= 0) {
      at = next;
      continue;
    }
    if (++links > kLinksMax) return;
    const std::string_view to(target.data(), static_cast<std::size_t>(length));
    const std::pair<std::string, std::string> link(next, to);
    if (!IsBound(next) && std::ranges::find(links_, link) == links_.end()) links_.push_back(link);
    if (to.starts_with('/')) at.clear();
    rest.insert(0, to);
  }
}

std::vector<std::string> FileView::bound() const {
  std::vector<std::string> sorted = bound_;
  std::ranges::sort(sorted);
  return sorted;
}

}  // namespace casemate
