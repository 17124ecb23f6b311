#include "surfaces/cli/try_command.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <climits>
#include <optional>

#include "base/file.h"
#include "surfaces/cli/caller_terminal.h"
#include "surfaces/cli/env_file.h"
#include "surfaces/cli/exit_code.h"
#include "surfaces/cli/forwarder.h"
#include "surfaces/cli/load_request.h"
#include "surfaces/cli/output_folder.h"
#include "surfaces/cli/run_options.h"
#include "surfaces/cli/signals.h"
#include "surfaces/cli/stream_writer.h"
#include "surfaces/cli/summary.h"
#include "surfaces/cli/touched.h"

namespace casemate {
namespace {

constexpr std::string_view kHelp =
    "Usage: casemate try [FLAGS] DIR [ARGS...]\n\n"
    "Tries someone's program without giving it this machine: runs DIR/run.py in a sandbox that has\n\n"
    "  the packages of DIR/requirements.txt, installed without running any of their code\n"
    "  a copy of DIR, which is thrown away; --output-dir OUT keeps the files that it has changed\n"
    "  the variables of DIR/.env, and none of yours\n"
    "  no network but the hosts of --network allow:HOST,...\n"
    "  a terminal with -it; -i alone hands it your stdin as it comes\n\n"
    "and says at the end what it touched: files, hosts, denials. FLAGS are those of casemate run, such as\n"
    "--timeout 5m, --memory 1g, --environment ENV.\n";

constexpr std::size_t kEnvFileMax = 1 << 20;

std::unexpected<Error> Invalid(std::string message) {
  return Fail(ErrorCode::kInvalidRequest, std::move(message));
}

int Refuse(const Error& error, const CliStreams& streams) {
  WritePatiently(streams.err, ErrorLine(error, StyleOf(streams.err, true)), -1);
  return error.code == ErrorCode::kNotFound ? kExitNothing : kExitRefused;
}

// As programs that read such files do it.
std::string WithoutQuotes(const std::string& value) {
  const bool quoted =
      value.size() >= 2 && value.front() == value.back() && (value.front() == '"' || value.front() == '\'');
  return quoted ? value.substr(1, value.size() - 2) : value;
}

Expected<void> AddVariables(const std::string& file, ExecutionRequest& request) {
  if (!FileExists(file)) return {};
  const auto text = ReadFile(file, kEnvFileMax);
  if (!text) return std::unexpected(text.error());
  // A name alone means this host's variable elsewhere; here it means nothing.
  const auto none = [](const std::string&) { return std::optional<std::string>(); };
  auto variables = ParseEnvFile(*text, none);
  if (!variables) return Invalid(fmt::format("{}: {}", file, variables.error().message));
  for (const auto& [name, value] : *variables) request.env.try_emplace(name, WithoutQuotes(value));
  return {};
}

// The words of the command line, as options of a run of the folder.
Expected<RunOptions> ReadOptions(const std::vector<std::string>& words, std::string& folder) {
  auto options = ParseRunOptions(words);
  if (!options) return options;
  if (!options->code || options->code->kind != Source::Kind::kFile || !options->batch.jobs_file.empty()) {
    return Invalid("name the folder that is to be tried: casemate try DIR");
  }
  if (options->request.workspace || !options->request.mounts.empty() || options->json) {
    return Invalid(
        "casemate try gives the folder's copy and nothing else of this host, and tells people: use "
        "casemate run for --workspace, -v and --json");
  }
  std::array<char, PATH_MAX> real{};
  if (::realpath(options->code->value.c_str(), real.data()) == nullptr) {
    return Fail(
        ErrorCode::kNotFound,
        fmt::format("{} is not there: check its spelling and the folder you are in", options->code->value));
  }
  folder = real.data();
  if (!FileExists(folder + "/run.py")) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("{} has no run.py: name the folder that has it, or use casemate run", folder));
  }
  options->code.reset();
  return options;
}

Expected<ExecutionRequest> MakeRequest(RunOptions& options, const std::string& folder,
                                       const CliStreams& streams) {
  ExecutionRequest& wanted = options.request;
  wanted.command = {"python3", "run.py"};
  wanted.workspace = Workspace{folder, WorkspaceMode::kCopy};
  wanted.collect = {"**"};
  if (wanted.environment == "host" && FileExists(folder + "/requirements.txt")) {
    wanted.environment = fmt::format("requirements:{}/requirements.txt", folder);
  }
  if (auto added = AddVariables(folder + "/.env", wanted); !added) return std::unexpected(added.error());
  return LoadRequest(options, streams.in);
}

// Only what the program has changed is worth keeping.
WrittenOutput KeepChanged(ExecutionResult result, const Touched& touched, OutputFolder& folder) {
  std::erase_if(result.files, [&touched](const OutputFile& file) {
    return std::ranges::find(touched.files, file.name, &Touched::File::name) == touched.files.end();
  });
  return WriteOutput(result, folder);
}

int Run(const RunOptions& options, ExecutionRequest request, const std::string& folder,
        const CliServices& services, const CliStreams& streams) {
  const Style style = StyleOf(streams.err, options.color);
  std::optional<OutputFolder> output;
  if (!options.output_dir.empty()) {
    auto opened = OutputFolder::Open(options.output_dir, options.force);
    if (!opened) return Refuse(opened.error(), streams);
    output = *std::move(opened);
  }
  auto engine = services.make_engine(options.engine);
  if (!engine) return Refuse(engine.error(), streams);
  CancelSignals signals;
  StreamWriter writer(signals.fd(), CancelSignals::Cancel);
  Forwarder forwarder(writer, streams);
  std::unique_ptr<CallerTerminal> lent;
  if (auto lending = LendTerminal(options, streams, request, lent); !lending)
    return Refuse(lending.error(), streams);
  ExecutionResult result = (*engine)->Execute(request, &forwarder, signals.fd());
  writer.Finish();
  lent.reset();
  const bool ran = result.status != Status::kRejected && result.status != Status::kUnavailable;
  std::string report;
  WrittenOutput written;
  if (ran) {
    const Touched touched = CompareWithFolder(result.files, folder);
    if (output) written = KeepChanged(result, touched, *output);
    report = TouchedText(touched, result.denials, result.network);
  }
  // Told with all else that it touched.
  result.denials.clear();
  result.files.clear();
  WritePatiently(streams.err, Summary(result, written, options.quiet, style) + report, signals.fd());
  return ExitCodeOf(result, CancelSignals::received());
}

}  // namespace

int TryCommandLine(const std::vector<std::string>& words, const CliServices& services,
                   const CliStreams& streams) {
  if (words.empty() || words[0] == "--help" || words[0] == "-h") {
    return WritePatiently(streams.out, kHelp, -1) == 0 ? kExitOk : kExitFailed;
  }
  std::string folder;
  auto options = ReadOptions(words, folder);
  if (!options) return Refuse(options.error(), streams);
  auto request = MakeRequest(*options, folder, streams);
  if (!request) return Refuse(request.error(), streams);
  return Run(*options, *std::move(request), folder, services, streams);
}

}  // namespace casemate
