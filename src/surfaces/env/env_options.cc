#include "surfaces/env/env_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <string_view>

#include "base/state_dir.h"
#include "environments/reference.h"
#include "environments/requirements.h"
#include "policy/nearest.h"
#include "policy/units.h"

namespace casemate {
namespace {

using Applied = Expected<void>;

std::unexpected<Error> Refuse(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

// Each of "a,b,c".
void Split(std::string_view list, const std::function<void(std::string_view)>& take) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (comma > 0) take(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

Applied SetOlderThan(EnvOptions& options, std::string_view value) {
  constexpr std::int64_t kDayS = 86'400;
  std::int64_t days = 0;
  if (value.ends_with('d')) {
    const auto parsed = std::from_chars(value.data(), value.data() + value.size() - 1, days);
    if (parsed.ec == std::errc() && parsed.ptr == value.data() + value.size() - 1 && days >= 0 &&
        days < 36'500) {
      return options.older_than_s = days * kDayS, Applied();
    }
    return Refuse(fmt::format("\"{}\" is no number of days; write 30d", value));
  }
  const auto ms = ParseDurationMs(value);
  if (!ms) return std::unexpected(ms.error());
  return options.older_than_s = *ms / 1000, Applied();
}

Applied SetPreload(EnvOptions& options, std::string_view value) {
  Split(value, [&options](std::string_view name) { options.build.preload.emplace_back(name); });
  const bool plain = std::ranges::all_of(options.build.preload, [](const std::string& name) {
    return std::ranges::all_of(name, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
             c == '.';
    });
  });
  return plain ? Applied() : Refuse("it takes names of modules, as in numpy,pandas");
}

Applied SetFromSource(EnvOptions& options, std::string_view value) {
  const auto usual = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  bool plain = true;
  Split(value, [&](std::string_view name) {
    options.build.from_source.push_back(NormalizedName(name));
    plain = plain && name.front() != '-' && std::ranges::all_of(options.build.from_source.back(), usual);
  });
  return plain ? Applied() : Refuse("it takes names of packages, as in lxml,pyyaml");
}

Applied SetBytesMax(EnvOptions& options, std::string_view value) {
  const auto bytes = ParseBytes(value);
  if (!bytes) return std::unexpected(bytes.error());
  return options.build.limits.bytes_max = *bytes, Applied();
}

Applied SetFilesMax(EnvOptions& options, std::string_view value) {
  std::int64_t files = 0;
  const auto parsed = std::from_chars(value.data(), value.data() + value.size(), files);
  if (parsed.ec != std::errc() || parsed.ptr != value.data() + value.size() || files < 1) {
    return Refuse(fmt::format("\"{}\" is no number of files", value));
  }
  return options.build.limits.files_max = files, Applied();
}

struct EnvFlag {
  std::string_view name;      // without "--"
  std::string_view argument;  // its name in the help; "" when the flag takes none
  std::string_view commands;  // which take it, between spaces; "" for all
  Applied (*apply)(EnvOptions&, std::string_view);
  std::string_view help;  // "" for what no person needs
};

constexpr std::string_view kBuilds = " build lock export ";

constexpr std::array kFlags = {
    EnvFlag{"index-url", "URL", kBuilds,
            [](EnvOptions& o, std::string_view v) { return o.build.index_url = v, Applied(); },
            "the package index to ask (what pip is set up to ask)"},
    EnvFlag{"python", "PATH", "",
            [](EnvOptions& o, std::string_view v) { return o.build.host.python = v, Applied(); },
            "the host's interpreter (python3 in PATH)"},
    EnvFlag{"preload", "NAME,...", kBuilds, SetPreload, "modules that warm cells of it import"},
    EnvFlag{"allow", "NAME,...", kBuilds,
            [](EnvOptions& o, std::string_view v) {
              return Split(v, [&o](std::string_view name) { o.build.rules.Allow(name); }), Applied();
            },
            "packages that it may have, and no other; \"*\" at the end for all that begin so"},
    EnvFlag{"deny", "NAME,...", kBuilds,
            [](EnvOptions& o, std::string_view v) {
              return Split(v, [&o](std::string_view name) { o.build.rules.Deny(name); }), Applied();
            },
            "packages that it may not have"},
    EnvFlag{"build", "NAME,...", kBuilds, SetFromSource,
            "packages without a wheel, to be built in a sandbox that reaches the index alone"},
    EnvFlag{"build-host", "HOST,...", kBuilds,
            [](EnvOptions& o, std::string_view v) {
              return Split(v, [&o](std::string_view host) { o.build.build_hosts.emplace_back(host); }),
                     Applied();
            },
            "what such builds may reach as well, as in casemate run --network allow:HOST"},
    EnvFlag{"max-bytes", "SIZE", kBuilds, SetBytesMax, "what one archive may unpack to (8g)"},
    EnvFlag{"max-files", "N", kBuilds, SetFilesMax, "how many files (1000000)"},
    EnvFlag{"again", "", kBuilds,
            [](EnvOptions& o, std::string_view) { return o.build.again = true, Applied(); },
            "look for newer packages, or read the image again"},
    EnvFlag{"output", "FILE", " lock export ",
            [](EnvOptions& o, std::string_view v) { return o.output = v, Applied(); },
            "where it is written (stdout)"},
    EnvFlag{"older-than", "TIME", " prune ", SetOlderThan, "what was not used for so long: 30d, 12h"},
    EnvFlag{"all", "", " prune ", [](EnvOptions& o, std::string_view) { return o.all = true, Applied(); },
            "everything that no program uses now"},
    EnvFlag{"json", "", " build list show verify prune ",
            [](EnvOptions& o, std::string_view) { return o.json = true, Applied(); }, "one JSON value"},
    EnvFlag{"quiet", "", "", [](EnvOptions& o, std::string_view) { return o.quiet = true, Applied(); },
            "no progress"},
    EnvFlag{"state-dir", "DIR", "",
            [](EnvOptions& o, std::string_view v) { return o.build.state_dir = v, Applied(); },
            "where environments are kept"},
    EnvFlag{"machine", "", " build ",
            [](EnvOptions& o, std::string_view) { return o.machine = true, Applied(); }, ""},
};

struct EnvCommand {
  std::string_view name;
  std::string_view argument;
  std::string_view help;
  std::size_t least;  // names
  std::size_t most;
};
constexpr std::size_t kAny = 1000;
constexpr std::array kCommands = {
    EnvCommand{"build", "ENV", "make it ready, and print its hash", 1, 1},
    EnvCommand{"list", "", "what is there", 0, 0},
    EnvCommand{"show", "ENV", "its packages, with their versions and hashes", 1, 1},
    EnvCommand{"verify", "[ENV...]", "read every file again; exit code 1 when one has changed", 0, kAny},
    EnvCommand{"prune", "[ENV...]", "remove the named ones, or those that --older-than or --all says", 0,
               kAny},
    EnvCommand{"lock", "ENV", "a requirements file with each version and hash", 1, 1},
    EnvCommand{"export", "ENV", "all of its files as a tar file", 1, 1},
};

Expected<void> ApplyWord(EnvOptions& options, const std::vector<std::string>& words, std::size_t& i) {
  std::string_view word = words[i];
  if (word == "-o") word = "--output";
  if (word == "-q") word = "--quiet";
  if (!word.starts_with("--")) {
    options.names.push_back(AbsoluteEnvironment(words[i]));
    return {};
  }
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(2, equals == std::string_view::npos ? equals : equals - 2);
  const auto* const flag = std::ranges::find(kFlags, name, &EnvFlag::name);
  const bool takes = flag != kFlags.end() && (flag->commands.empty() ||
                                              flag->commands.contains(fmt::format(" {} ", options.command)));
  if (!takes) {
    return Refuse(fmt::format("casemate env {} has no \"--{}\": \"casemate env --help\" lists its flags",
                              options.command, name));
  }
  std::string_view value;
  if (!flag->argument.empty()) {
    if (equals == std::string_view::npos && i + 1 == words.size()) {
      return Refuse(fmt::format("--{} needs a value: write --{} {}", name, name, flag->argument));
    }
    value = equals == std::string_view::npos ? std::string_view(words[++i]) : word.substr(equals + 1);
  } else if (equals != std::string_view::npos) {
    return Refuse(fmt::format("--{} takes no value", name));
  }
  auto applied = flag->apply(options, value);
  if (!applied) return Refuse(fmt::format("--{}: {}", name, applied.error().message));
  return {};
}

}  // namespace

Expected<EnvOptions> ParseEnvOptions(const std::vector<std::string>& words) {
  EnvOptions options;
  const bool help = words.empty() || std::ranges::any_of(words, [](const std::string& word) {
                      return word == "--help" || word == "-h" || word == "help";
                    });
  if (help) {
    options.command = "help";
    return options;
  }
  options.command = words[0];
  const auto* const command = std::ranges::find(kCommands, options.command, &EnvCommand::name);
  if (command == kCommands.end()) {
    std::vector<std::string_view> names;
    for (const EnvCommand& one : kCommands) names.push_back(one.name);
    return Refuse(fmt::format("there is no \"casemate env {}\"{}", options.command,
                              SuggestName(options.command, names)));
  }
  for (std::size_t i = 1; i < words.size(); ++i) {
    if (auto applied = ApplyWord(options, words, i); !applied) return std::unexpected(applied.error());
  }
  if (options.names.size() < command->least || options.names.size() > command->most) {
    return Refuse(fmt::format("write casemate env {} {}, as in casemate env {} requirements:requirements.txt",
                              command->name, command->argument, command->name));
  }
  if (options.command == "prune" && options.names.empty() && !options.all && !options.older_than_s) {
    return Refuse("say what to remove: --older-than 30d, --all, or environments by name or hash");
  }
  options.build.state_dir = FindStateDir(options.build.state_dir);
  options.build.host.state_dir = options.build.state_dir;
  return options;
}

std::string EnvHelp() {
  std::string text =
      "Usage: casemate env COMMAND [FLAGS] [ENV]\n\n"
      "What programs run with: packages and images, each made once, checked by hash, never changed, and "
      "shared by "
      "all\nruns. No code of a package runs on the host.\n\n";
  for (const EnvCommand& command : kCommands) {
    text += fmt::format("  {:<18}  {}\n", fmt::format("{} {}", command.name, command.argument), command.help);
  }
  text += "\nFlags:\n";
  for (const EnvFlag& flag : kFlags) {
    if (flag.help.empty()) continue;
    const std::string_view takers =
        flag.commands.empty() ? "all" : flag.commands.substr(1, flag.commands.size() - 2);
    text += fmt::format("  {:<18} {:<30}  {}\n", fmt::format("--{} {}", flag.name, flag.argument), takers,
                        flag.help);
  }
  return text +
         "\nENV, here and as casemate run --environment ENV:\n"
         "  requirements:FILE     a requirements.txt\n"
         "  packages:NAME,...     packages:numpy,pandas>=2,<3\n"
         "  pyproject:FILE        the dependencies of a pyproject.toml\n"
         "  lock:FILE             a uv.lock, or a requirements file with all hashes\n"
         "  image:FILE            a container image as a tar file (docker save, OCI layout)\n"
         "  docker:NAME           an image of the local Docker daemon, which pulls what it lacks\n"
         "  registry:NAME@sha256:DIGEST\n"
         "                        an image of a registry, without a daemon\n"
         "  rootfs:DIR            a folder that is a file system's root\n"
         "  nix:PATH              the closure of a path of /nix/store\n"
         "  sha256:HASH           one that was built\n"
         "  host, python=3.X      the host's own, which need no build\n"
         "The first four take \",python=3.X\" at their end.\n\n"
         "Rules for packages: \"allow NAME\" and \"deny NAME\" lines in /etc/casemate/packages, or the file "
         "that\n"
         "$CASEMATE_PACKAGES names.\n";
}

}  // namespace casemate
