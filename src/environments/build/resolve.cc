#include "environments/build/resolve.h"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "base/file.h"
#include "base/sha256.h"
#include "environments/build/confined.h"
#include "environments/build/source_build.h"
#include "environments/build/wheel.h"

namespace casemate {
namespace {

constexpr std::int64_t kTimeoutMs = 30 * 60'000;
constexpr std::size_t kWheelMax = std::size_t{8} << 30;
constexpr std::size_t kMessageMax = 2000;

// All of the caller's variables (proxies, certificates, pip's settings) but those that change what the
// interpreter itself does.
std::map<std::string, std::string> Variables(const std::string& folder) {
  std::map<std::string, std::string> all;
  for (char** pair = environ; *pair != nullptr; ++pair) {
    const std::string_view text = *pair;
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || text.starts_with("PYTHON") || text.starts_with("LD_")) continue;
    all[std::string(text.substr(0, equals))] = text.substr(equals + 1);
  }
  all["TMPDIR"] = folder;
  all["LANG"] = "C.UTF-8";
  all["PIP_NO_INPUT"] = "1";
  all["PIP_DISABLE_PIP_VERSION_CHECK"] = "1";
  all.erase("PIP_TARGET");
  all.erase("PIP_PREFIX");
  return all;
}

std::string Lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

// The wheels in `folder`, with the hashes of what is there.
Expected<std::vector<LockedWheel>> Collect(const std::string& folder) {
  std::vector<LockedWheel> wheels;
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(folder.c_str()), closedir);
  if (entries == nullptr) return Fail(ErrorCode::kInternal, fmt::format("{} is gone", folder));
  while (const dirent* const entry = readdir(entries.get())) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (!name.ends_with(".whl")) {
      return Fail(
          ErrorCode::kInvalidRequest,
          fmt::format("{} is no wheel: to install from source runs its code, which is refused; name a "
                      "version that has a wheel",
                      name));
    }
    auto wheel = ParseWheelName(name);
    if (!wheel) return std::unexpected(wheel.error());
    auto bytes = ReadFile(fmt::format("{}/{}", folder, name), kWheelMax);
    if (!bytes) return std::unexpected(bytes.error());
    wheel->sha256 = Sha256Hex(*bytes);
    wheels.push_back(*std::move(wheel));
  }
  std::ranges::sort(wheels, {}, &LockedWheel::name);
  return wheels;
}

// pip names a requirement by its line in a file that nobody but us has seen.
std::string WithoutPlaces(std::string message, const std::string& file,
                          const std::vector<std::string>& lines) {
  const std::string place = fmt::format("-r {} (line ", file);
  for (std::size_t at = message.find(place); at != std::string::npos; at = message.find(place, at)) {
    const std::size_t end = message.find(')', at);
    const std::size_t number = std::strtoul(message.c_str() + at + place.size(), nullptr, 10);
    if (end == std::string::npos || number == 0 || number > lines.size()) return message;
    const std::string& line = lines[number - 1];
    message.replace(at, end + 1 - at, line.substr(0, line.find(" --hash")));
  }
  return message;
}

std::unexpected<Error> WhyNot(const ConfinedResult& done, const std::string& file,
                              const Requirements& requirements) {
  constexpr std::string_view kOnlyWheels =
      "only wheels count, since a package that comes as source alone would run its code to be installed; "
      "casemate env build --build NAME has it built in a sandbox";
  std::string message = CleanResolverMessage(done.out, done.err);
  // It wanted to start a program, and the only reason to is to build a package.
  if (done.err.contains("PermissionError: [Errno 1]")) {
    return Fail(ErrorCode::kInvalidRequest, fmt::format("the packages cannot be had: {}", kOnlyWheels));
  }
  if (message.empty()) {
    return Fail(ErrorCode::kInvalidRequest, fmt::format("pip ended with exit code {}", done.exit_code),
                done.err.substr(done.err.size() > 500 ? done.err.size() - 500 : 0));
  }
  message = WithoutPlaces(std::move(message), file, requirements.lines);
  if (message.contains("from versions: none")) message += fmt::format("; {}", kOnlyWheels);
  return Fail(ErrorCode::kInvalidRequest, "the packages cannot be had: " + message);
}

std::unexpected<Error> NoPip(const std::string& python) {
  return Fail(
      ErrorCode::kUnavailable,
      fmt::format("{} has no pip, which finds and fetches packages: install it with \"apt-get install "
                  "python3-pip\", or with \"{} -m ensurepip\" where that Python is not Debian's",
                  python, python));
}

}  // namespace

std::string CleanResolverMessage(std::string_view out, std::string_view err) {
  std::string message;
  bool conflict = false;
  for (std::string_view text : {err, out}) {
    while (!text.empty()) {
      const std::size_t newline = std::min(text.find('\n'), text.size());
      std::string_view line = text.substr(0, newline);
      text.remove_prefix(std::min(newline + 1, text.size()));
      constexpr std::string_view kError = "ERROR: ";
      const bool error = line.starts_with(kError);
      if (error) line.remove_prefix(kError.size());
      if (line.starts_with("The conflict is caused by") || line.starts_with("THESE PACKAGES"))
        conflict = true;
      const bool detail = conflict && (line.starts_with("    ") || line.starts_with("The conflict"));
      if (conflict && line.starts_with("To fix this")) conflict = false;
      if ((!error && !detail) || line.contains("pypa.io") || line.starts_with("ResolutionImpossible"))
        continue;
      line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
      if (!message.empty()) message += message.ends_with(':') ? " " : "; ";
      message += line;
      if (message.size() > kMessageMax) return message.substr(0, kMessageMax);
    }
  }
  while (message.ends_with('.')) message.pop_back();
  return message;
}

Expected<std::vector<LockedWheel>> Resolve(const Requirements& requirements, const ResolveOptions& options,
                                           BuildProgress& progress) {
  const std::string wheels = options.folder + "/wheels";
  const std::string built = options.folder + "/built";
  for (const std::string& path : {wheels, built}) {
    if (auto made = MakeFolders(path, 0700); !made) return std::unexpected(made.error());
  }
  std::vector<std::string> pins = requirements.constraints;
  if (!options.from_source.empty()) {
    if (auto done = BuildFromSource(requirements, options, built, progress); !done)
      return std::unexpected(done.error());
    auto made = Collect(built);
    if (!made) return made;
    // Not what the index has of the same version.
    for (const LockedWheel& wheel : *made)
      pins.push_back(fmt::format("{} @ file://{}/{}", wheel.name, built, wheel.file));
  }
  const std::string file = options.folder + "/requirements.txt";
  if (auto written = WriteFileAtomically(file, Lines(requirements.lines), 0600); !written)
    return std::unexpected(written.error());
  ConfinedCommand command;
  command.argv = {options.python,
                  "-I",
                  "-u",
                  "-m",
                  "pip",
                  "download",
                  "--only-binary",
                  ":all:",
                  "--no-input",
                  "--progress-bar",
                  "off",
                  "--retries",
                  "2",
                  "--dest",
                  wheels,
                  "-r",
                  file};
  if (requirements.hashed) command.argv.emplace_back("--require-hashes");
  for (const std::string& option : requirements.options) command.argv.push_back(option);
  if (!pins.empty()) {
    const std::string constraints = options.folder + "/constraints.txt";
    if (auto written = WriteFileAtomically(constraints, Lines(pins), 0600); !written)
      return std::unexpected(written.error());
    command.argv.insert(command.argv.end(), {"-c", constraints});
  }
  if (!options.index_url.empty()) command.argv.insert(command.argv.end(), {"--index-url", options.index_url});
  command.env = Variables(options.folder);
  command.working_dir = wheels;
  command.timeout_ms = kTimeoutMs;
  std::int64_t found = 0;
  command.on_line = [&progress, &found](std::string_view line) {
    constexpr std::string_view kCollecting = "Collecting ";
    constexpr std::string_view kDownloading = "Downloading ";
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    if (line.starts_with(kCollecting)) {
      line = line.substr(kCollecting.size());
      progress.Step("resolving", line.substr(0, line.find(" (from ")), ++found, 0);
    } else if (line.starts_with(kDownloading)) {
      progress.Step("downloading", line.substr(std::min(line.rfind('/') + 1, line.size())), found, 0);
    }
  };
  auto done = RunConfinedCommand({.network = true}, command);
  if (!done) return std::unexpected(done.error());
  if (done->exit_code == 0) return Collect(wheels);
  if (done->err.contains("No module named pip")) return NoPip(options.python);
  return WhyNot(*done, file, requirements);
}

}  // namespace casemate
