#include "environments/locate.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "base/unique_fd.h"

namespace casemate {
namespace {

constexpr char kDefaultPath[] = "/usr/local/bin:/usr/bin:/bin";

bool IsExecutableFile(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

std::string Absolute(const std::string& path) {
  if (path.starts_with('/')) return path;
  char* folder = ::getcwd(nullptr, 0);
  if (folder == nullptr) return path;
  std::string absolute = fmt::format("{}/{}", folder, path);
  std::free(folder);
  return absolute;
}

std::string SearchPath(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::string_view rest = path != nullptr && *path != '\0' ? path : kDefaultPath;
  while (!rest.empty()) {
    const std::size_t colon = rest.find(':');
    const std::string_view folder = rest.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
    // "." in PATH would let whoever wrote the working folder choose a program that we run unconfined.
    if (!folder.starts_with('/')) continue;
    std::string candidate = fmt::format("{}/{}", folder, name);
    if (IsExecutableFile(candidate)) return candidate;
  }
  return {};
}

}  // namespace

Expected<std::string> LocateInterpreter(const std::string& wanted) {
  const char* variable = std::getenv("CASEMATE_PYTHON");
  std::string name = wanted;
  if (name.empty() && variable != nullptr) name = variable;
  if (name.empty()) {
    std::string found = SearchPath("python3");
    if (!found.empty()) return found;
    return Fail(
        ErrorCode::kNotFound,
        "python3 is not in PATH: install it, or name an interpreter with --python or CASEMATE_PYTHON");
  }
  std::string found = name.find('/') == std::string::npos ? SearchPath(name) : Absolute(name);
  if (!found.empty() && IsExecutableFile(found)) return found;
  return Fail(ErrorCode::kNotFound,
              fmt::format("the interpreter {} is not there or is not an executable file: give the path of a "
                          "python3 with --python or CASEMATE_PYTHON",
                          name));
}

bool IsScript(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  char start[2] = {};
  return fd.valid() && ::read(fd.get(), start, sizeof start) == 2 && start[0] == '#' && start[1] == '!';
}

}  // namespace casemate
