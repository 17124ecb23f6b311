#include "surfaces/cli/run_flags.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <climits>
#include <cmath>
#include <cstdlib>

#include "base/file.h"
#include "casemate/batch.h"
#include "model/request_json.h"
#include "policy/limit_table.h"
#include "policy/units.h"
#include "policy/validate.h"
#include "surfaces/cli/check_options.h"
#include "surfaces/cli/env_file.h"
#include "surfaces/cli/secret_flag.h"

namespace casemate {
namespace {

using Applied = Expected<void>;

constexpr std::size_t kRedactRulesBytesMax = 1024 * 1024;
constexpr std::size_t kNetworkBytesMax = std::size_t{1} << 20;

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

Expected<void> UseStdin(RunOptions& options, std::string_view user) {
  if (!options.stdin_user.empty()) {
    return Refuse(fmt::format("{} and {} cannot both read stdin: give one of them as a file",
                              options.stdin_user, user));
  }
  options.stdin_user = user;
  return {};
}

// TEXT, @FILE or -.
Expected<Source> TextOrFile(RunOptions& options, std::string_view value, std::string_view user) {
  if (value == "-") {
    if (auto used = UseStdin(options, user); !used) return std::unexpected(used.error());
    return Source{Source::Kind::kStdin, {}};
  }
  if (value.starts_with('@')) return Source{Source::Kind::kFile, std::string(value.substr(1))};
  return Source{Source::Kind::kText, std::string(value)};
}

Applied SetSource(RunOptions& options, std::string_view value, std::string_view user,
                  std::optional<Source>& place) {
  auto source = TextOrFile(options, value, user);
  if (!source) return std::unexpected(source.error());
  place = *std::move(source);
  return {};
}

Expected<double> LimitValue(const LimitField& field, std::string_view text) {
  switch (field.unit) {
    case LimitUnit::kBytes: {
      const auto bytes = ParseBytes(text);
      if (!bytes) return std::unexpected(bytes.error());
      return static_cast<double>(*bytes);
    }
    case LimitUnit::kMilliseconds: {
      const auto ms = ParseDurationMs(text);
      if (!ms) return std::unexpected(ms.error());
      return static_cast<double>(*ms);
    }
    case LimitUnit::kCpus:
      return ParseCpus(text);
    case LimitUnit::kCount: {
      if (text.empty() || text.size() > 15 ||
          text.find_first_not_of("0123456789") != std::string_view::npos) {
        return Refuse(fmt::format("\"{}\" is no whole number", text));
      }
      return static_cast<double>(std::strtoll(std::string(text).c_str(), nullptr, 10));
    }
  }
  return Refuse("unknown unit");
}

Applied SetLimitText(RunOptions& options, std::string_view name, std::string_view text) {
  const LimitField* field = FindLimit(name);
  if (field == nullptr) return Refuse(fmt::format("there is no limit \"{}\"{}", name, SuggestLimit(name)));
  const auto value = LimitValue(*field, text);
  if (!value) return std::unexpected(value.error());
  if (auto valid = ValidateLimit(*field, *value); !valid) return valid;
  options.request.limits[std::string(name)] = *value;
  return {};
}

// The absolute path of what is there now: the engine does not know our working folder.
Expected<std::string> HostPath(std::string_view path) {
  std::array<char, PATH_MAX> real{};
  if (path.empty() || ::realpath(std::string(path).c_str(), real.data()) == nullptr) {
    return Refuse(
        fmt::format("the host path \"{}\" is not there or cannot be reached: check its spelling", path));
  }
  return std::string(real.data());
}

Applied AddWorkspace(RunOptions& options, std::string_view value) {
  Workspace workspace;
  std::string_view folder = value;
  if (const std::size_t colon = value.rfind(':'); colon != std::string_view::npos) {
    const auto mode = ParseWorkspaceMode(value.substr(colon + 1));
    if (!mode) return Refuse("after the folder's name comes :ro, :copy or :rw");
    workspace.mode = *mode;
    folder = value.substr(0, colon);
  }
  auto path = HostPath(folder);
  if (!path) return std::unexpected(path.error());
  workspace.host_path = *std::move(path);
  options.request.workspace = std::move(workspace);
  return {};
}

Applied AddVolume(RunOptions& options, std::string_view value) {
  const std::size_t first = value.find(':');
  if (first == std::string_view::npos) return Refuse("write HOST:INSIDE, HOST:INSIDE:ro or HOST:INSIDE:rw");
  HostMount mount;
  std::string_view inside = value.substr(first + 1);
  if (const std::size_t second = inside.find(':'); second != std::string_view::npos) {
    const std::string_view mode = inside.substr(second + 1);
    if (mode != "ro" && mode != "rw") return Refuse("the only options are ro (the default) and rw");
    mount.writable = mode == "rw";
    inside = inside.substr(0, second);
  }
  if (!inside.starts_with('/')) return Refuse("the path inside must be absolute");
  mount.inside_path = inside;
  auto path = HostPath(value.substr(0, first));
  if (!path) return std::unexpected(path.error());
  mount.host_path = *std::move(path);
  options.request.mounts.push_back(std::move(mount));
  return {};
}

Applied AddFile(RunOptions& options, std::string_view value) {
  const std::size_t equals = value.find('=');
  if (equals == std::string_view::npos || equals == 0) return Refuse("write NAME=PATH or NAME=-");
  std::string name(value.substr(0, equals));
  const std::string_view path = value.substr(equals + 1);
  if (path == "-") {
    if (auto used = UseStdin(options, "--file"); !used) return used;
    options.files.emplace_back(std::move(name), Source{Source::Kind::kStdin, {}});
  } else {
    options.files.emplace_back(std::move(name), Source{Source::Kind::kFile, std::string(path)});
  }
  return {};
}

// Docker's --tmpfs /tmp:size=64m,nr_inodes=1k.
Applied SetTmpfs(RunOptions& options, std::string_view value) {
  const std::size_t colon = value.find(':');
  if (value.substr(0, colon) != "/tmp") return Refuse("the one tmpfs is /tmp; it is always there");
  std::string_view rest = colon == std::string_view::npos ? std::string_view() : value.substr(colon + 1);
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    const std::string_view option = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    Applied set;
    if (option.starts_with("size=")) {
      set = SetLimitText(options, "tmp_bytes", option.substr(5));
    } else if (option.starts_with("nr_inodes=")) {
      set = SetLimitText(options, "tmp_files_max", option.substr(10));
    } else if (option != "rw" && option != "noexec" && option != "nosuid" && option != "nodev") {
      set = Refuse(fmt::format("\"{}\" cannot be chosen: the options are size= and nr_inodes=", option));
    }
    if (!set) return set;
  }
  return {};
}

Applied AddEnv(RunOptions& options, std::string_view value) {
  return AddVariable(
      value,
      [](const std::string& name) -> std::optional<std::string> {
        const char* text = std::getenv(name.c_str());
        return text != nullptr ? std::optional<std::string>(text) : std::nullopt;
      },
      options.request.env);
}

Expected<Tier> TierOf(std::string_view value) {
  const auto tier = ParseTier(value);
  if (!tier) return Refuse("the tiers are process, container, docker, gvisor and microvm");
  return *tier;
}

Applied SetIsolation(RunOptions& options, std::string_view value) {
  options.request.isolation.reset();
  if (value == "auto") return {};
  const auto tier = TierOf(value);
  if (!tier) return std::unexpected(tier.error());
  options.request.isolation = *tier;
  return {};
}

Applied SetRequire(RunOptions& options, std::string_view value) {
  const auto tier = TierOf(value);
  if (!tier) return std::unexpected(tier.error());
  options.request.require = *tier;
  return {};
}

Applied SetChecks(RunOptions& options, std::string_view value) {
  options.request.checks = ParseChecksMode(value);
  if (options.request.checks) return {};
  return Refuse("the ways of checking are open, checked and restricted");
}

Applied AllowPackage(RunOptions& options, std::string_view value) {
  options.request.allowed_packages.emplace_back(value);
  return {};
}

Applied SetCheckLimit(RunOptions& options, std::string_view value) {
  auto limit = ParseCheckLimit(value);
  if (!limit) return std::unexpected(limit.error());
  options.request.complexity.insert_or_assign(std::move(limit->first), limit->second);
  return {};
}

Applied SetLimitFlag(RunOptions& options, std::string_view value) {
  const std::size_t equals = value.find('=');
  if (equals == std::string_view::npos) return Refuse("write NAME=VALUE, for instance open_files_max=256");
  return SetLimitText(options, value.substr(0, equals), value.substr(equals + 1));
}

// A text, an object, or @FILE with an object.
Applied SetRedact(RunOptions& options, std::string_view value) {
  options.request.redact = value;
  return {};
}

Applied ReadRedactRules(RunOptions& options, std::string_view value) {
  auto rules = ReadFile(std::string(value), kRedactRulesBytesMax);
  if (!rules) return std::unexpected(rules.error());
  options.request.redact_rules = *std::move(rules);
  return {};
}

Applied SetNetwork(RunOptions& options, std::string_view value) {
  std::string text(value);
  if (value.starts_with('@')) {
    auto read = ReadFile(text.substr(1), kNetworkBytesMax);
    if (!read) return std::unexpected(read.error());
    text = *std::move(read);
  }
  if (value.starts_with('@') || value.starts_with('{')) {
    auto request = DecodeRequest(fmt::format("{{\"network\":{}}}", text));
    if (!request) return std::unexpected(request.error());
    options.request.network = std::move(request->network);
    return {};
  }
  auto network = ParseNetworkText(value);
  if (!network) return std::unexpected(network.error());
  options.request.network = *std::move(network);
  return {};
}

Applied CheckUser(RunOptions&, std::string_view value) {
  if (value == "1000" || value == "1000:1000") return {};
  return Refuse(
      "a program always runs as user and group 1000, which are nobody on the host: leave --user out");
}

Applied SetBatchText(RunOptions& options, std::string_view flag, std::string_view value,
                     std::string BatchFlags::*place) {
  if (value.empty()) return Refuse("the file's name is empty");
  options.batch.*place = value;
  if (options.batch.first_flag.empty()) options.batch.first_flag = flag;
  return {};
}

Applied SetBatchSwitch(RunOptions& options, std::string_view flag, bool BatchFlags::*place) {
  options.batch.*place = true;
  if (options.batch.first_flag.empty()) options.batch.first_flag = flag;
  return {};
}

Applied SetJobs(RunOptions& options, std::string_view value) {
  int jobs = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), jobs);
  if (error != std::errc() || end != value.data() + value.size() || jobs < 1 || jobs > kBatchJobsMax) {
    return Refuse(fmt::format("\"{}\" is no number from 1 to {}", value, kBatchJobsMax));
  }
  options.batch.jobs = jobs;
  if (options.batch.first_flag.empty()) options.batch.first_flag = "--jobs";
  return {};
}

constexpr std::array kFlags = {
    RunFlag{"code", 'c', "CODE", "",
            [](RunOptions& o, std::string_view v) -> Applied {
              o.code = Source{Source::Kind::kText, std::string(v)};
              return {};
            },
            "the program itself, instead of a file"},
    RunFlag{"input", '\0', "JSON|@FILE|-", "",
            [](RunOptions& o, std::string_view v) { return SetSource(o, v, "--input", o.input); },
            "what the program sees as INPUT_DATA"},
    RunFlag{"input-schema", '\0', "JSON|@FILE", "",
            [](RunOptions& o, std::string_view v) { return SetSource(o, v, "--input-schema", o.input_schema); },
            "a JSON Schema that the input must meet"},
    RunFlag{"result-schema", '\0', "JSON|@FILE", "",
            [](RunOptions& o, std::string_view v) { return SetSource(o, v, "--result-schema", o.result_schema); },
            "a JSON Schema that `result` must meet"},
    RunFlag{"stdin", 'i', "", "",
            [](RunOptions& o, std::string_view) {
              o.forward_stdin = true;
              return UseStdin(o, "--stdin");
            },
            "hand our stdin to the program as it comes"},
    RunFlag{"tty", 't', "", "",
            [](RunOptions& o, std::string_view) -> Applied {
              o.tty = true;
              return {};
            },
            "a terminal for the program; -it for one to type into, where --timeout is 1h if not said"},
    RunFlag{"env", 'e', "NAME[=VALUE]", "", AddEnv, "a variable for the program; without a value, the host's"},
    RunFlag{"env-file", '\0', "FILE", "",
            [](RunOptions& o, std::string_view v) -> Applied {
              o.env_files.emplace_back(v);
              return {};
            },
            "variables, one NAME=VALUE a line"},
    RunFlag{"secret", '\0', "NAME[:file|@HOST]=REF", "",
            [](RunOptions& o, std::string_view v) { return AddSecret(v, o.request.secrets); },
            "a secret from where it is (env:NAME, file:PATH; casemate secrets --help); @HOST: the proxy has it"},
    RunFlag{"workspace", 'w', "DIR[:ro|copy|rw]", "", AddWorkspace, "a host folder as /workspace; ro if not said"},
    RunFlag{"volume", 'v', "HOST:INSIDE[:ro|rw]", "", AddVolume, "a host folder or file; ro if not said"},
    RunFlag{"file", '\0', "NAME=PATH|NAME=-", "", AddFile, "a file put into /workspace"},
    RunFlag{"collect", '\0', "GLOB", "",
            [](RunOptions& o, std::string_view v) -> Applied {
              o.request.collect.emplace_back(v);
              return {};
            },
            "workspace files to hand back; '**' for all"},
    RunFlag{"output-dir", '\0', "DIR", "",
            [](RunOptions& o, std::string_view v) -> Applied {
              if (v.empty()) return Refuse("the folder's name is empty");
              o.output_dir = v;
              return {};
            },
            "where collected files and displays are written"},
    RunFlag{"force", '\0', "", "",
            [](RunOptions& o, std::string_view) -> Applied {
              o.force = true;
              return {};
            },
            "replace files that are in the output folder already"},
    RunFlag{"memory", 'm', "SIZE", "memory_bytes", nullptr, "memory of all kinds (256m)"},
    RunFlag{"cpus", '\0', "NUMBER", "cpus", nullptr, "share of the processors (1)"},
    RunFlag{"pids-limit", '\0', "COUNT", "processes_max", nullptr, "processes and threads (64)"},
    RunFlag{"timeout", '\0', "TIME", "wall_time_ms", nullptr, "wall time (30s)"},
    RunFlag{"cpu-time", '\0', "TIME", "cpu_time_ms", nullptr, "CPU time of all processes together"},
    RunFlag{"tmp-size", '\0', "SIZE", "tmp_bytes", nullptr, "/tmp, /dev/shm and a copied workspace (64m)"},
    RunFlag{"tmpfs", '\0', "/tmp[:size=SIZE]", "", SetTmpfs, "Docker's way to say --tmp-size"},
    RunFlag{"tmp-files", '\0', "COUNT", "tmp_files_max", nullptr, "files and folders there (16384)"},
    RunFlag{"file-size", '\0', "SIZE", "file_bytes_max", nullptr, "the largest single file"},
    RunFlag{"stdout-limit", '\0', "SIZE", "stdout_bytes_max", nullptr, "stdout (1m)"},
    RunFlag{"stderr-limit", '\0', "SIZE", "stderr_bytes_max", nullptr, "stderr (1m)"},
    RunFlag{"result-limit", '\0', "SIZE", "result_bytes_max", nullptr, "the text of `result` (1m)"},
    RunFlag{"limit", '\0', "NAME=VALUE", "", SetLimitFlag, "any limit by the name it has in the contract"},
    RunFlag{"require-limits", '\0', "", "",
            [](RunOptions& o, std::string_view) -> Applied {
              o.request.require_limits = true;
              return {};
            },
            "refuse to run where a guarantee rests on less than it should"},
    RunFlag{"isolation", '\0', "auto|TIER", "", SetIsolation, "the tier to run in"},
    RunFlag{"runtime", '\0', "NAME",  "",
            [](RunOptions& o, std::string_view value) -> Applied {
              o.request.runtime = value;
              return {};
            },
            "an OCI runtime of this host instead of the tier's own: crun, runc, runsc or kata"},
    RunFlag{"require", '\0', "TIER", "", SetRequire, "the weakest tier that auto may take (container)"},
    RunFlag{"checks", '\0', "MODE", "", SetChecks,
            "look at the code before it runs: open (no), checked or restricted; \"casemate check\" tells more"},
    RunFlag{"allow-package", '\0', "NAME", "", AllowPackage,
            "with --checks: a module that may be imported although the rules forbid it"},
    RunFlag{"check-limit", '\0', "NAME=COUNT", "", SetCheckLimit,
            "with --checks: refuse a program that has more (loops=5, function_lines=60)"},
    RunFlag{"policy", '\0', "NAME", "",
            [](RunOptions& o, std::string_view v) -> Applied {
              o.request.policy = v;
              return {};
            },
            "a policy profile (default)"},
    RunFlag{"redact", '\0', "SETS|off", "", SetRedact,
            "what is taken out of the output: secrets, pii, internal, all (secrets)"},
    RunFlag{"redact-set", '\0', "SETS|off", "", SetRedact, "the same as --redact"},
    RunFlag{"redact-off", '\0', "RULE", "",
            [](RunOptions& o, std::string_view v) -> Applied {
              o.request.redact_off.emplace_back(v);
              return {};
            },
            "leave a rule of those sets out; may be repeated (\"casemate redact --list\" names them)"},
    RunFlag{"redact-rules", '\0', "FILE", "", ReadRedactRules,
            "further rules, in the form of profiles/redaction/*.toml"},
    RunFlag{"redact-files", '\0', "", "",
            [](RunOptions& o, std::string_view) -> Applied {
              o.request.redact_files = true;
              return {};
            },
            "take it out of collected files too"},
    RunFlag{"network", '\0', "none|allow:HOST[:PORT],…|JSON|@FILE", "", SetNetwork,
            "what it may reach, by a proxy: names, *.suffix, addresses, ranges (none)"},
    RunFlag{"read-only", '\0', "", "", [](RunOptions&, std::string_view) -> Applied { return {}; },
            "always so: only /tmp and /workspace can be written to"},
    RunFlag{"user", '\0', "1000", "", CheckUser, "always 1000"},
    RunFlag{"environment", '\0', "NAME", "",
            [](RunOptions& o, std::string_view v) -> Applied {
              o.request.environment = v;
              return {};
            },
            "the sandbox's programs and libraries: host, requirements:FILE, ...; \"casemate env --help\" (host)"},
    RunFlag{"python", '\0', "PATH", "",
            [](RunOptions& o, std::string_view v) -> Applied {
              o.engine.python = v;
              return {};
            },
            "the host's interpreter (python3 in PATH)"},
    RunFlag{"state-dir", '\0', "DIR", "",
            [](RunOptions& o, std::string_view v) -> Applied {
              o.engine.state_dir = v;
              return {};
            },
            "where what was learnt of the host is kept"},
    RunFlag{"engine", '\0', "SOCKET", "",
            [](RunOptions& o, std::string_view v) -> Applied {
              if (v.empty()) return Refuse("the socket's path is empty");
              o.engine_socket = v;
              o.no_engine = false;
              return {};
            },
            "the resident engine that must run it (whichever answers)"},
    RunFlag{"no-engine", '\0', "", "",
            [](RunOptions& o, std::string_view) -> Applied {
              o.engine_socket.clear();
              o.no_engine = true;
              return {};
            },
            "run it here, resident engine or not"},
    RunFlag{"batch", '\0', "FILE|-", "",
            [](RunOptions& o, std::string_view v) {
              return SetBatchText(o, "--batch", v, &BatchFlags::jobs_file);
            },
            "run many programs: one request object a line; a result line for each"},
    RunFlag{"output", '\0', "FILE", "",
            [](RunOptions& o, std::string_view v) {
              return SetBatchText(o, "--output", v, &BatchFlags::output);
            },
            "where a batch's result lines go, instead of stdout"},
    RunFlag{"jobs", 'j', "COUNT", "", SetJobs, "programs of a batch at one time (one a processor)"},
    RunFlag{"unordered", '\0', "", "",
            [](RunOptions& o, std::string_view) {
              return SetBatchSwitch(o, "--unordered", &BatchFlags::unordered);
            },
            "a batch's results as they come, not in the order of its file"},
    RunFlag{"resume", '\0', "", "",
            [](RunOptions& o, std::string_view) {
              return SetBatchSwitch(o, "--resume", &BatchFlags::resume);
            },
            "go on with the batch whose results so far are in --output; nothing runs twice"},
    RunFlag{"retry-interrupted", '\0', "", "",
            [](RunOptions& o, std::string_view) {
              return SetBatchSwitch(o, "--retry-interrupted", &BatchFlags::retry_interrupted);
            },
            "with --resume: run those again that were cut off while they ran"},
    RunFlag{"json", '\0', "", "",
            [](RunOptions& o, std::string_view) -> Applied {
              o.json = true;
              return {};
            },
            "print one JSON object with all that came of the run"},
    RunFlag{"quiet", 'q', "", "",
            [](RunOptions& o, std::string_view) -> Applied {
              o.quiet = true;
              return {};
            },
            "no summary on stderr unless the program did not run"},
    RunFlag{"no-color", '\0', "", "",
            [](RunOptions& o, std::string_view) -> Applied {
              o.color = false;
              return {};
            },
            "no colours, as with NO_COLOR set"},
    RunFlag{"help", 'h', "", "",
            [](RunOptions& o, std::string_view) -> Applied {
              o.help = true;
              return {};
            },
            "this text"},
};

}  // namespace

std::span<const RunFlag> RunFlags() { return kFlags; }

Expected<void> ApplyFlag(const RunFlag& flag, std::string_view value, RunOptions& options) {
  auto applied = flag.limit.empty() ? flag.apply(options, value) : SetLimitText(options, flag.limit, value);
  if (applied) return applied;
  Error error = std::move(applied.error());
  error.message = fmt::format("--{}: {}", flag.name, error.message);
  return std::unexpected(std::move(error));
}

}  // namespace casemate
