#include "engine/launch_request.h"

#include <fmt/format.h>

#include <sys/random.h>

#include <algorithm>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "base/utf8.h"
#include "engine/run_network.h"
#include "engine/run_secrets.h"
#include "model/json.h"
#include "model/schema.h"
#include "policy/glob.h"
#include "policy/profile.h"
#include "policy/resolver.h"
#include "runtime/python_program.h"

namespace casemate {
namespace {

// A sandbox's root holds the program's source; more than this is data, and belongs into a file.
constexpr std::size_t kCodeBytesMax = 4 * static_cast<std::size_t>(kMiB);
constexpr std::size_t kInputBytesMax = 64 * static_cast<std::size_t>(kMiB);
constexpr std::size_t kWordsMax = 1000;
// execve(2): one argument or variable may have 128 KiB.
constexpr std::size_t kWordBytesMax = 128 * 1024 - 1;

std::unexpected<Error> Invalid(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

Expected<void> CheckProgram(const ExecutionRequest& request) {
  if (request.code.has_value() == !request.command.empty()) {
    return Invalid("give either code or a command, not both and not neither");
  }
  if (request.language != "python" && request.code) {
    return Invalid(
        fmt::format("there is no harness for {}; run it as a command, for instance: casemate run -- {} …",
                    request.language, request.language));
  }
  if (request.code && request.code->size() > kCodeBytesMax) {
    return Invalid(
        fmt::format("the program is larger than {} bytes; put its data into a file", kCodeBytesMax));
  }
  if (request.code && !IsValidUtf8(*request.code))
    return Invalid("the program is not UTF-8 text; convert it first");
  if (!request.command.empty() && request.command.front().empty())
    return Invalid("the command's name is empty");
  if (!request.command.empty() && (request.input_json || request.input_schema || request.result_schema)) {
    return Invalid("a command has no INPUT_DATA and no result; run code, or use stdin, files and stdout");
  }
  return {};
}

Expected<void> CheckWords(const std::vector<std::string>& words, std::string_view what) {
  if (words.size() > kWordsMax) return Invalid(fmt::format("there are more than {} {}", kWordsMax, what));
  for (const std::string& word : words) {
    if (word.size() > kWordBytesMax || word.find('\0') != std::string::npos) {
      return Invalid(
          fmt::format("one of the {} is longer than 128 KiB or has a NUL byte; use a file or stdin", what));
    }
  }
  return {};
}

constexpr const char* kSeed = "CASEMATE_SEED";

bool IsOfPython(const std::pair<const std::string, std::string>& variable) {
  return variable.first.starts_with("PYTHON");
}

// Of a program that has one its interpreter reads PYTHONHASHSEED, and with it whatever else it takes from
// variables.
Expected<std::optional<std::uint32_t>> FindSeed(const ExecutionRequest& request) {
  const auto given = request.env.find(kSeed);
  if (given == request.env.end()) return std::nullopt;
  std::uint32_t seed = 0;
  const char* const last = given->second.data() + given->second.size();
  const auto [end, error] = std::from_chars(given->second.data(), last, seed);
  if (error != std::errc() || end != last)
    return Invalid("CASEMATE_SEED must be a whole number from 0 to 4294967295");
  const auto other = std::ranges::find_if(request.env, IsOfPython);
  if (other == request.env.end()) return seed;
  return Invalid(fmt::format(
      "the variable {} would change the interpreter of a program with a seed: leave one of them out",
      other->first));
}

Expected<void> CheckVariables(const std::map<std::string, std::string>& env) {
  std::vector<std::string> pairs;
  for (const auto& [name, value] : env) {
    if (name.empty() || name.find('=') != std::string::npos) {
      return Invalid(fmt::format("\"{}\" is no name for an environment variable", name));
    }
    pairs.push_back(name + "=" + value);
  }
  return CheckWords(pairs, "environment variables");
}

bool IsPlainRelativePath(std::string_view name) {
  if (name.empty() || name.size() >= PATH_MAX / 2 || name.find('\0') != std::string_view::npos) return false;
  while (true) {
    const std::size_t slash = name.find('/');
    const std::string_view part = name.substr(0, slash);
    if (part.empty() || part == "." || part == ".." || part.size() > NAME_MAX) return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

Expected<void> CheckFiles(const ExecutionRequest& request, const Limits& limits) {
  std::int64_t bytes = 0;
  for (const InputFile& file : request.files) {
    if (!IsPlainRelativePath(file.name)) {
      return Invalid(fmt::format(
          "\"{}\" is no name for a file below /workspace; use a relative path without ..", file.name));
    }
    bytes += static_cast<std::int64_t>(file.bytes.size());
  }
  if (bytes > limits.tmp_bytes) {
    return Invalid(
        fmt::format("the input files have {} bytes and the sandbox {}; give it more with --tmp-size", bytes,
                    limits.tmp_bytes));
  }
  if (!request.files.empty() && request.workspace && request.workspace->mode != WorkspaceMode::kCopy) {
    return Invalid("files can be put into a workspace of the mode `copy` only, or into none");
  }
  for (const std::string& glob : request.collect) {
    if (auto parsed = Glob::Parse(glob); !parsed) return std::unexpected(parsed.error());
  }
  return {};
}

Expected<std::optional<JsonText>> CheckInput(const ExecutionRequest& request) {
  for (const auto* schema : {&request.input_schema, &request.result_schema}) {
    if (!*schema) continue;
    if (auto valid = ValidateSchema(**schema); !valid) return std::unexpected(valid.error());
  }
  if (!request.input_json) {
    if (request.input_schema) return Invalid("there is an input schema but no input; give it with --input");
    return std::nullopt;
  }
  auto parsed = ParseJson(*request.input_json, {kInputBytesMax, kJsonDepthCeiling});
  if (!parsed) return Invalid(fmt::format("the input is not JSON: {}", parsed.error().message));
  if (request.input_schema) {
    if (auto meets = CheckAgainstSchema(*parsed, *request.input_schema); !meets) {
      return Invalid(fmt::format("the input does not meet its schema at \"{}\": {}", meets.error().path,
                                 meets.error().message));
    }
  }
  return std::optional<JsonText>(*std::move(parsed));
}

// The folder as the kernel names it: absolute, without symbolic links, so that what is checked is what is
// mounted.
Expected<std::string> ResolveHostPath(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> resolved(realpath(path.c_str(), nullptr), &std::free);
  if (resolved == nullptr) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("{} cannot be opened; check the path and its permissions", path));
  }
  return std::string(resolved.get());
}

Expected<void> AddHostFolders(const ExecutionRequest& request, LaunchSpec& spec) {
  if (request.workspace) {
    auto path = ResolveHostPath(request.workspace->host_path);
    if (!path) return std::unexpected(path.error());
    std::error_code ignored;
    if (!std::filesystem::is_directory(*path, ignored)) {
      return Invalid(fmt::format("the workspace {} is not a folder; put a file in with --file", *path));
    }
    spec.workspace = Workspace{*path, request.workspace->mode};
  }
  for (const HostMount& mount : request.mounts) {
    auto path = ResolveHostPath(mount.host_path);
    if (!path) return std::unexpected(path.error());
    spec.mounts.push_back({*path, mount.inside_path, mount.writable});
  }
  return {};
}

Expected<void> AddProgram(const ExecutionRequest& request, const CheckedRequest& checked,
                          const std::vector<RootFile>& harness, Launch& launch) {
  if (!request.command.empty()) {
    launch.spec.argv = request.command;
    launch.spec.argv.insert(launch.spec.argv.end(), request.args.begin(), request.args.end());
    return {};
  }
  auto program = MakePythonProgram(request, launch.spec.environment, checked.policy.limits,
                                   checked.input ? &*checked.input : nullptr, harness, checked.policy.checks,
                                   checked.seed);
  if (!program) return std::unexpected(program.error());
  launch.spec.argv = std::move(program->argv);
  launch.spec.root_files = std::move(program->root_files);
  launch.spec.control_channel = true;
  launch.request_bytes = std::move(program->request_bytes);
  return {};
}

// What the request says goes before what the profile says.
void CompleteChecks(const ExecutionRequest& request, ChecksPolicy& checks) {
  if (request.checks) checks.mode = *request.checks;
  checks.allowed_packages.insert(checks.allowed_packages.end(), request.allowed_packages.begin(),
                                 request.allowed_packages.end());
  for (const auto& [name, most] : request.complexity) checks.complexity[name] = most;
}

}  // namespace

Expected<CheckedRequest> CheckRequest(const ExecutionRequest& request) {
  Expected<void> done = CheckProgram(request);
  if (done) done = CheckWords(request.command, "words of the command");
  if (done) done = CheckWords(request.args, "arguments");
  if (done) done = CheckVariables(request.env);
  if (done) done = CheckSecrets(request);
  if (!done) return std::unexpected(done.error());
  auto policy = PolicyResolver().Resolve(request.policy, request.limits, request.require_limits);
  if (!policy) return std::unexpected(policy.error());
  CompleteChecks(request, policy->checks);
  if (request.network) policy->network = *request.network;
  if (auto allow = CheckBrokered(request.secrets, policy->network); !allow)
    return std::unexpected(allow.error());
  policy->shares_host_folder =
      (request.workspace && request.workspace->mode != WorkspaceMode::kCopy) || !request.mounts.empty();
  policy->writes_host_folder =
      (request.workspace && request.workspace->mode == WorkspaceMode::kReadWrite) ||
      std::ranges::any_of(request.mounts, [](const HostMount& mount) { return mount.writable; });
  if (auto files = CheckFiles(request, policy->limits); !files) return std::unexpected(files.error());
  auto input = CheckInput(request);
  if (!input) return std::unexpected(input.error());
  const bool keep_program = KeepsProgram(policy->name);
  auto seed = request.code ? FindSeed(request) : Expected<std::optional<std::uint32_t>>(std::nullopt);
  if (!seed) return std::unexpected(seed.error());
  if (keep_program && request.code && !*seed && std::ranges::none_of(request.env, IsOfPython)) {
    std::uint32_t drawn = 0;
    (void)!getrandom(&drawn, sizeof drawn, 0);
    *seed = drawn;
  }
  return CheckedRequest{*std::move(policy), *std::move(input), keep_program, AuditKeepUs(request.policy),
                        *seed};
}

Expected<Launch> MakeLaunch(const std::string& id, const ExecutionRequest& request,
                            const CheckedRequest& checked, const EnvironmentView& environment,
                            const std::vector<RootFile>& harness) {
  Launch launch;
  launch.spec.id = id;
  launch.spec.policy = checked.policy;
  launch.spec.environment = environment;
  launch.spec.files = request.files;
  launch.spec.terminal = request.terminal;
  launch.spec.stdin_pipe = !request.stdin_bytes.empty() || request.stdin_fd >= 0;
  if (auto added = AddHostFolders(request, launch.spec); !added) return std::unexpected(added.error());
  if (auto added = AddProgram(request, checked, harness, launch); !added)
    return std::unexpected(added.error());
  for (const auto& [name, value] : request.env) launch.spec.env[name] = value;
  if (checked.seed) launch.spec.env["PYTHONHASHSEED"] = fmt::format("{}", *checked.seed);
  if (checked.seed) launch.spec.env[kSeed] = fmt::format("{}", *checked.seed);
  return launch;
}

}  // namespace casemate
