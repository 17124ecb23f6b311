#include "environments/build/source_build.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>
#include <string_view>

#include "base/command.h"
#include "base/file.h"
#include "model/result_json.h"

namespace casemate {
namespace {

constexpr std::int64_t kTimeoutMs = 31 * 60'000;  // later than the sandbox's own
constexpr std::size_t kMessageMax = 2000;
constexpr std::size_t kAnswerMax = std::size_t{64} << 20;
// What a compiler needs; all of it is the sandbox's own and gone with it.
constexpr std::array kLimits = {"--timeout",    "30m",    "--memory",    "2g",
                                "--pids-limit", "512",    "--tmp-size",  "4g",
                                "--cpus",       "2",      "--file-size", "2g",
                                "--tmp-files",  "200000", "--limit",     "files_bytes_max=2147483648"};

// pip's own index, and where that one keeps its files, where nothing names another.
constexpr const char* kDefaultIndex =
    "from pip._internal.models.index import PyPI; print(PyPI.simple_url, PyPI.file_storage_domain)";

std::string Beside(std::string_view program) {
  std::array<char, PATH_MAX> own{};
  const ssize_t size = ::readlink("/proc/self/exe", own.data(), own.size());
  const std::string path(own.data(), static_cast<std::size_t>(size > 0 ? size : 0));
  return path.substr(0, path.rfind('/') + 1) + std::string(program);
}

std::string Variable(const char* name) {
  const char* const value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nothing sets any
  return value == nullptr ? "" : value;
}

std::string FirstLine(std::string_view text) { return std::string(text.substr(0, text.find('\n'))); }

struct Index {
  std::string url;
  std::string files_host;  // "" when it is the index's own
};

Expected<Index> FindIndex(const ResolveOptions& options) {
  if (!options.index_url.empty()) return Index{options.index_url, ""};
  if (const std::string url = Variable("PIP_INDEX_URL"); !url.empty()) return Index{url, ""};
  CommandOptions command;
  for (const char* name : {"HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "PIP_CONFIG_FILE"})
    command.env[name] = Variable(name);
  std::erase_if(command.env, [](const auto& pair) { return pair.second.empty(); });
  const std::vector<std::string> python = {options.python, "-I"};
  std::vector<std::string> words = python;
  words.insert(words.end(), {"-m", "pip", "config", "get", "global.index-url"});
  auto said = RunCommand(words, command);
  if (!said) return std::unexpected(said.error());
  if (said->exit_code == 0 && !said->out.empty()) return Index{FirstLine(said->out), ""};
  words = python;
  words.insert(words.end(), {"-c", kDefaultIndex});
  said = RunCommand(words, command);
  if (!said) return std::unexpected(said.error());
  const std::string line = FirstLine(said->out);
  const std::size_t space = line.find(' ');
  if (said->exit_code != 0 || space == std::string::npos) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("{} has no pip that says which package index it asks: name one with --index-url",
                            options.python),
                said->err.substr(0, kMessageMax));
  }
  return Index{line.substr(0, space), line.substr(space + 1)};
}

// "index.example:8080" of the address, as an allowlist has it.
Expected<std::string> HostOf(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::size_t start = scheme == std::string::npos ? std::string::npos : scheme + 3;
  std::string host =
      start == std::string::npos ? "" : url.substr(start, url.find_first_of("/?#", start) - start);
  if (host.empty() || (!url.starts_with("https://") && !url.starts_with("http://")))
    return Fail(ErrorCode::kInvalidRequest,
                "the package index's address is no http or https URL; see --index-url");
  if (host.contains('@')) {
    return Fail(ErrorCode::kInvalidRequest,
                "the package index's address has a password in it, which the code of packages that are built "
                "would see: build them from an index that needs none");
  }
  return host;
}

// The lines that ask for packages that are built, or the bare names of those that only others need.
Expected<std::vector<std::string>> Wanted(const Requirements& requirements,
                                          const std::vector<std::string>& names) {
  std::vector<std::string> wanted;
  for (const std::string& name : names) {
    bool found = false;
    for (const std::string& line : requirements.lines) {
      if (RequirementName(line) != name) continue;
      if (line.contains(" --hash=")) {
        return Fail(
            ErrorCode::kInvalidRequest,
            fmt::format("{} has a hash of what the index has, and what is built from it has another: leave "
                        "it out of --build, or its hash out of the requirements",
                        name));
      }
      wanted.push_back(line);
      found = true;
    }
    if (!found) wanted.push_back(name);
  }
  return wanted;
}

std::string Joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

Expected<std::vector<std::string>> Words(const Requirements& requirements, const ResolveOptions& options,
                                         const std::string& folder) {
  auto index = FindIndex(options);
  if (!index) return std::unexpected(index.error());
  auto host = HostOf(index->url);
  if (!host) return std::unexpected(host.error());
  auto wanted = Wanted(requirements, options.from_source);
  if (!wanted) return std::unexpected(wanted.error());
  std::string hosts = *host;
  if (!index->files_host.empty()) hosts += "," + index->files_host;
  std::string names;
  for (const std::string& more : options.build_hosts) hosts += "," + more;
  for (const std::string& name : options.from_source) names += (names.empty() ? "" : ",") + name;
  std::vector<std::string> words = {Beside("casemate"), "run",       "--no-engine", "--json",
                                    "--isolation",      "container", "--python",    options.python,
                                    "--redact",         "off",       "--network",   "allow:" + hosts};
  words.insert(words.end(), kLimits.begin(), kLimits.end());
  const std::array<std::pair<const char*, const std::vector<std::string>*>, 2> files = {
      {{"requirements.txt", &*wanted}, {"constraints.txt", &requirements.constraints}}};
  for (const auto& [name, lines] : files) {
    const std::string path = fmt::format("{}/{}", options.folder, name);
    if (auto written = WriteFileAtomically(path, Joined(*lines), 0600); !written)
      return std::unexpected(written.error());
    words.insert(words.end(), {"--file", fmt::format("{}={}", name, path)});
  }
  words.insert(words.end(), {"--collect",
                             "*.whl",
                             "--output-dir",
                             folder,
                             "--",
                             options.python,
                             "-I",
                             "-m",
                             "pip",
                             "wheel",
                             "--no-deps",
                             "--no-cache-dir",
                             "--no-input",
                             "--progress-bar",
                             "off",
                             "--disable-pip-version-check",
                             "--only-binary",
                             ":all:",
                             "--no-binary",
                             names,
                             "--index-url",
                             index->url,
                             "-c",
                             "constraints.txt",
                             "-r",
                             "requirements.txt",
                             "-w",
                             "."});
  for (const std::string& option : requirements.options) words.push_back(option);
  return words;
}

std::unexpected<Error> WhyNot(const ExecutionResult& result) {
  std::string why = CleanResolverMessage(result.stdout_text, result.stderr_text);
  if (why.empty() && result.error) why = result.error->message;
  if (why.empty()) why = StatusName(result.status);
  for (const Denial& denial : result.denials) {
    if (denial.kind == "network") {
      why += fmt::format("; it wanted {}: {} (--build-host is that list here)", denial.what, denial.remedy);
      break;
    }
  }
  const std::string& err = result.stderr_text;
  return Fail(ErrorCode::kInvalidRequest, "the packages cannot be built in a sandbox: " + why,
              err.substr(err.size() > kMessageMax ? err.size() - kMessageMax : 0));
}

}  // namespace

Expected<void> BuildFromSource(const Requirements& requirements, const ResolveOptions& options,
                               const std::string& folder, BuildProgress& progress) {
  auto words = Words(requirements, options, folder);
  if (!words) return std::unexpected(words.error());
  std::string names;
  for (const std::string& name : options.from_source) names += (names.empty() ? "" : ", ") + name;
  progress.Step("building in a sandbox", names, 0, 0);
  CommandOptions command;
  command.timeout_ms = kTimeoutMs;
  command.bytes_max = kAnswerMax;
  command.in_our_group = true;
  for (const char* name :
       {"HOME", "CASEMATE_STATE_DIR", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "SSL_CERT_FILE", "SSL_CERT_DIR"}) {
    if (const std::string value = Variable(name); !value.empty()) command.env[name] = value;
  }
  auto done = RunCommand(*words, command);
  if (!done) return std::unexpected(done.error());
  auto result = DecodeResult(done->out);
  if (!result) {
    return Fail(ErrorCode::kUnavailable,
                "packages are built in a sandbox, and none could be started: run \"casemate doctor\"",
                done->err.substr(0, kMessageMax));
  }
  if (result->status == Status::kUnavailable || result->status == Status::kRejected) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("packages are built in a sandbox, and none could be started: {}",
                            result->error ? result->error->message : "run \"casemate doctor\""));
  }
  if (result->status != Status::kOk) return WhyNot(*result);
  if (result->truncated.files_cut)
    return Fail(ErrorCode::kInvalidRequest,
                "the wheels that were built are larger than 2 GiB; build fewer at once");
  return {};
}

}  // namespace casemate
