#include "surfaces/env/env_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <csignal>

#include "base/file.h"
#include "environments/build/upkeep.h"
#include "environments/builder.h"
#include "model/json_writer.h"
#include "policy/units.h"
#include "surfaces/cli/exit_code.h"
#include "surfaces/cli/stream_writer.h"
#include "surfaces/cli/summary.h"
#include "surfaces/env/env_options.h"
#include "surfaces/env/env_text.h"
#include "surfaces/env/terminal_progress.h"

namespace casemate {
namespace {

int Tell(const Error& error, const CliStreams& streams) {
  WritePatiently(streams.err, ErrorLine(error, StyleOf(streams.err, true)), -1);
  return error.code == ErrorCode::kInternal ? kExitFailed : kExitRefused;
}

// One command with what it works on.
class EnvSession {
 public:
  EnvSession(const EnvOptions& options, const CliStreams& streams)
      : options_(options), streams_(streams), paths_(options.build.state_dir) {}

  Expected<int> Run() {
    using Command = Expected<int> (EnvSession::*)();
    struct Entry {
      std::string_view name;
      Command command;
    };
    static constexpr std::array kTable = {
        Entry{"build", &EnvSession::Build},   Entry{"list", &EnvSession::List},
        Entry{"show", &EnvSession::Show},     Entry{"verify", &EnvSession::Verify},
        Entry{"prune", &EnvSession::Prune},   Entry{"lock", &EnvSession::Lock},
        Entry{"export", &EnvSession::Export},
    };
    const auto* const entry = std::ranges::find(kTable, options_.command, &Entry::name);
    return (this->*entry->command)();
  }

  // For another program of ours, which reads the answer from stdout.
  int Answer() {
    auto manifest = BuildNamed();
    const Expected<std::string> id =
        manifest ? Expected<std::string>(manifest->id) : std::unexpected(manifest.error());
    return Print(EncodeBuilderAnswer(id), id ? kExitOk : kExitRefused);
  }

 private:
  int Print(std::string_view text, int exit_code) const {
    return WritePatiently(streams_.out, text, -1) == 0 ? exit_code : kExitFailed;
  }

  Expected<EnvironmentManifest> BuildNamed() {
    auto reference = ParseEnvironmentReference(options_.names.front());
    if (!reference) return std::unexpected(reference.error());
    TerminalProgress progress(streams_.err, options_.quiet);
    return BuildEnvironment(*reference, options_.names.front(), options_.build, progress);
  }

  // The id of an environment that is there, by its hash or by what it was built from.
  Expected<EnvironmentManifest> FindNamed(const std::string& name) {
    return FindEnvironment(paths_, name, options_.build.host);
  }

  Expected<int> Build() {
    auto manifest = BuildNamed();
    if (!manifest) return std::unexpected(manifest.error());
    return Print(options_.json ? EncodeManifest(*manifest) + "\n" : fmt::format("sha256:{}\n", manifest->id),
                 kExitOk);
  }

  Expected<int> List() {
    std::string json;
    std::string text = ManifestHead();
    for (const std::string& id : ListBuilt(paths_)) {
      const auto manifest = ReadManifest(paths_, id);
      if (!manifest) continue;
      json += (json.empty() ? "" : ",") + EncodeManifest(*manifest);
      text += ManifestLine(*manifest);
    }
    return Print(options_.json ? fmt::format("[{}]\n", json) : text, kExitOk);
  }

  Expected<int> Show() {
    auto manifest = FindNamed(options_.names.front());
    if (!manifest) return std::unexpected(manifest.error());
    return Print(options_.json ? EncodeManifest(*manifest) + "\n" : ManifestText(*manifest), kExitOk);
  }

  Expected<int> Verify() {
    std::vector<std::string> ids;
    for (const std::string& name : options_.names) {
      auto manifest = FindNamed(name);
      if (!manifest) return std::unexpected(manifest.error());
      ids.push_back(manifest->id);
    }
    if (options_.names.empty()) ids = ListBuilt(paths_);
    JsonWriter json;
    json.BeginArray();
    std::string text;
    bool intact = true;
    for (const std::string& id : ids) {
      auto fault = VerifyEnvironment(paths_, id);
      if (!fault) return std::unexpected(fault.error());
      intact = intact && fault->empty();
      text += fault->empty() ? fmt::format("{}  intact\n", id.substr(0, 12))
                             : fmt::format("{}  damaged: {}\n", id.substr(0, 12), EscapeForTerminal(*fault));
      json.BeginObject();
      json.Field("id", id);
      json.Field("intact", fault->empty());
      json.Field("fault", *fault);
      json.EndObject();
    }
    json.EndArray();
    return Print(options_.json ? std::move(json).Take() + "\n" : text, intact ? kExitOk : kExitUnhealthy);
  }

  Expected<int> Prune() {
    PruneWish wish;
    wish.all = options_.all;
    wish.older_than_s = options_.older_than_s;
    for (const std::string& name : options_.names) {
      auto manifest = FindNamed(name);
      if (!manifest) return std::unexpected(manifest.error());
      wish.ids.push_back(manifest->id);
    }
    auto pruned = PruneEnvironments(paths_, wish);
    if (!pruned) return std::unexpected(pruned.error());
    const int exit_code = pruned->in_use == 0 ? kExitOk : kExitUnhealthy;
    if (options_.json) {
      return Print(fmt::format(R"({{"removed":{},"in_use":{},"cached_files":{}}})"
                               "\n",
                               pruned->removed, pruned->in_use, pruned->cached),
                   exit_code);
    }
    std::string text =
        fmt::format("removed {} environments and {} cached wheels\n", pruned->removed, pruned->cached);
    if (pruned->in_use > 0) text += fmt::format("{} are in use by programs and stay\n", pruned->in_use);
    return Print(text, exit_code);
  }

  Expected<int> Lock() {
    auto manifest = BuildNamed();
    if (!manifest) return std::unexpected(manifest.error());
    if (manifest->kind != "requirements" && manifest->wheels.empty()) {
      return Fail(ErrorCode::kInvalidRequest, "only an environment of packages has a lock");
    }
    const std::string text = LockFileText(*manifest);
    if (options_.output.empty()) return Print(text, kExitOk);
    auto written = WriteFileAtomically(options_.output, text, 0644);
    if (!written) return std::unexpected(written.error());
    return kExitOk;
  }

  Expected<int> Export() {
    auto manifest = BuildNamed();
    if (!manifest) return std::unexpected(manifest.error());
    if (options_.output.empty()) {
      if (isatty(streams_.out) != 0) {
        return Fail(ErrorCode::kInvalidRequest,
                    "a tar file is nothing for a terminal: write it with -o FILE");
      }
      auto done = ExportEnvironment(paths_, *manifest, streams_.out);
      if (!done) return std::unexpected(done.error());
      return kExitOk;
    }
    auto file = OpenFile(options_.output, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (!file) return std::unexpected(file.error());
    auto done = ExportEnvironment(paths_, *manifest, file->get());
    if (!done) return std::unexpected(done.error());
    return kExitOk;
  }

  const EnvOptions& options_;
  const CliStreams& streams_;
  const EnvironmentPaths paths_;
};

}  // namespace

int EnvMain(const std::vector<std::string>& words, const CliStreams& streams) {
  std::signal(SIGPIPE, SIG_IGN);
  // What is built is read by programs with other user ids; what is private says so itself.
  ::umask(022);
  const auto options = ParseEnvOptions(words);
  if (!options) return Tell(options.error(), streams);
  if (options->command == "help") {
    return WritePatiently(streams.out, EnvHelp(), -1) == 0 ? kExitOk : kExitFailed;
  }
  EnvSession session(*options, streams);
  if (options->machine) return session.Answer();
  const auto code = session.Run();
  return code ? *code : Tell(code.error(), streams);
}

}  // namespace casemate
