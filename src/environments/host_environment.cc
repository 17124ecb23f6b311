#include "environments/host_environment.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/file.h"
#include "base/user.h"
#include "environments/environment_cache.h"
#include "environments/file_view.h"
#include "environments/locate.h"
#include "environments/probe.h"

// Find the interpreter, believe the cache or ask the interpreter, turn its answer into folders and links:
//
//   locate -> cache key -> cache hit? --------------------------> view
//                              no -> probe -> file view -> cache -> view

namespace casemate {
namespace {

std::string HomeFolder() {
  if (auto user = FindUser(::geteuid())) return std::move(user->home);
  const char* home = std::getenv("HOME");
  return home != nullptr ? home : "";
}

std::string WorkingFolder() {
  char* folder = ::getcwd(nullptr, 0);
  const std::string copy = folder != nullptr ? folder : "";
  std::free(folder);
  return copy;
}

// A binary is a question by itself. What a script (a version manager's shim) runs depends on its variables
// and on the folder it is run in as well.
std::string KeyOf(const std::string& interpreter, bool script) {
  std::string key = interpreter;
  if (!script) return key;
  key += fmt::format(" in {}", WorkingFolder());
  for (const std::string& name : SelectorVariables()) {
    const char* value = std::getenv(name.c_str());
    if (value != nullptr) key += fmt::format(" {}={}", name, value);
  }
  return key;
}

std::vector<std::string> WatchOf(const std::string& interpreter, bool script, const ProbeReport& report) {
  std::vector<std::string> watch = report.watch;
  watch.push_back(interpreter);
  if (!script) return watch;
  for (const std::string& name : SelectorFiles()) {
    for (std::string folder = WorkingFolder(); !folder.empty();
         folder.erase(std::min(folder.rfind('/'), folder.size()))) {
      watch.push_back(fmt::format("{}/{}", folder, name));
    }
    watch.push_back("/" + name);
    watch.push_back(fmt::format("{}/{}", HomeFolder(), name));
  }
  const char* pyenv = std::getenv("PYENV_ROOT");
  watch.push_back(pyenv != nullptr ? fmt::format("{}/version", pyenv)
                                   : fmt::format("{}/.pyenv/version", HomeFolder()));
  std::ranges::sort(watch);
  watch.erase(std::ranges::unique(watch).begin(), watch.end());
  return watch;
}

Expected<void> BindPrefix(FileView& files, const std::string& prefix, const std::string& interpreter) {
  if (files.Covers(prefix)) return {};
  switch (files.Judge(prefix)) {
    case FileView::Verdict::kFine:
      files.Bind(prefix);
      return {};
    case FileView::Verdict::kExposes:
      return Fail(
          ErrorCode::kUnavailable,
          fmt::format("{} is installed straight into {}, which would show a program all that is there: "
                      "use an interpreter or virtual environment in a folder of its own",
                      interpreter, prefix));
    case FileView::Verdict::kHidden:
      return Fail(ErrorCode::kUnavailable,
                  fmt::format("{} is installed in {}, a place that each sandbox has of its own: use an "
                              "interpreter or virtual environment somewhere else",
                              interpreter, prefix));
  }
  return {};
}

std::string FolderOf(const std::string& path) {
  return path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
}

Expected<EnvironmentView> ViewOf(const ProbeReport& report, const std::string& interpreter) {
  FileView files(HomeFolder());
  files.BindSystem();
  for (const std::string& prefix : report.prefixes) {
    if (auto bound = BindPrefix(files, prefix, interpreter); !bound) return std::unexpected(bound.error());
  }
  // A link farm (Homebrew's bin/) has the real program outside of every prefix.
  for (const std::string& program : report.programs) files.Bind(program);
  EnvironmentView view;
  view.name = "host";
  // A venv is found by the file beside the link that was started. Any other link may lie where the sandbox
  // has something else, and is of no use there.
  const bool venv = FileExists(report.prefix + "/pyvenv.cfg");
  view.python = venv || files.IsBound(report.executable) ? report.executable : RealPath(report.executable);
  view.python_prefix = report.prefix;
  view.python_version = report.version;
  for (const std::string& entry : report.sys_path) {
    // An entry that is a home folder or the like (from a .pth file) is left out: the folder is not the
    // interpreter's to give away.
    if (!files.Covers(entry) && files.Judge(entry) != FileView::Verdict::kFine) continue;
    files.Bind(entry);
    view.sys_path.push_back(entry);
  }
  for (const std::string& library : report.libraries) {
    const std::string folder = FolderOf(library);
    if (files.Covers(library)) continue;
    files.Bind(files.Judge(folder) == FileView::Verdict::kFine ? folder : library);
  }
  for (const std::vector<std::string>* list : {&report.programs, &report.prefixes, &report.sys_path}) {
    for (const std::string& path : *list) files.Link(path);
  }
  files.LinkSystem();
  view.read_only_paths = files.bound();
  view.symlinks = files.links();
  return view;
}

}  // namespace

Expected<EnvironmentView> FindHostEnvironment(const HostEnvironmentOptions& options) {
  const auto interpreter = LocateInterpreter(options.python);
  if (!interpreter) return std::unexpected(interpreter.error());
  const bool script = IsScript(*interpreter);
  const std::string key = KeyOf(*interpreter, script);
  const std::string cache =
      options.state_dir.empty() ? std::string() : EnvironmentCachePath(options.state_dir, key);
  if (!cache.empty()) {
    if (auto view = ReadEnvironmentCache(cache, key)) return *std::move(view);
  }
  const auto report = Probe(*interpreter, options.probe_timeout_ms);
  if (!report) return std::unexpected(report.error());
  auto view = ViewOf(*report, *interpreter);
  if (view && !cache.empty()) {
    WriteEnvironmentCache(cache, key, *view, WatchOf(*interpreter, script, *report));
  }
  return view;
}

Expected<PythonInfo> FindPython(const HostEnvironmentOptions& options) {
  const auto view = FindHostEnvironment(options);
  if (!view) return std::unexpected(view.error());
  return PythonInfo{view->python, view->python_version, view->python_prefix};
}

EnvironmentView BareHostEnvironment() {
  FileView files(HomeFolder());
  files.BindSystem();
  files.LinkSystem();
  EnvironmentView view;
  view.name = "host";
  view.read_only_paths = files.bound();
  view.symlinks = files.links();
  return view;
}

}  // namespace casemate
