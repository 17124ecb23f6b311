#include "surfaces/cli/mcp_command.h"

#include <fmt/format.h>

#include <algorithm>

#include "policy/checks/code_checker.h"
#include "surfaces/cli/exit_code.h"
#include "surfaces/cli/load_request.h"
#include "surfaces/cli/nearest_engine.h"
#include "surfaces/cli/run_options.h"
#include "surfaces/cli/serve_signals.h"
#include "surfaces/cli/stream_writer.h"
#include "surfaces/cli/summary.h"
#include "surfaces/mcp/server.h"

namespace casemate {
namespace {

// Cells that wait for the next call of an engine of our own.
constexpr int kCellsMax = 2;

constexpr std::string_view kHelp =
    "Usage: casemate mcp [FLAGS OF RUN]\n\n"
    "Serves a client of the Model Context Protocol (2025-06-18, 2025-03-26) on stdin and stdout, with the "
    "tools\n"
    "run_python, run_command, check_code, session_start, session_run and session_end. In a client's "
    "configuration:\n\n"
    "  {\"mcpServers\": {\"casemate\": {\"command\": \"casemate\", \"args\": [\"mcp\", \"--memory\", "
    "\"512m\"]}}}\n\n"
    "The flags of \"casemate run\" say what every program gets: --policy, --env, --secret, --file, "
    "--workspace,\n"
    "--volume, --isolation, --require, --engine, ... A limit that is given here (--timeout, --memory) is "
    "also the\n"
    "most that a client may ask for. A client gives programs, data and files, and nothing else.\n";

int Refuse(const Error& error, const CliStreams& streams) {
  WritePatiently(streams.err, ErrorLine(error, StyleOf(streams.err, true)), -1);
  return error.code == ErrorCode::kInternal ? kExitFailed : kExitRefused;
}

// The flags of `casemate run` for a program that is not known yet.
Expected<RunOptions> ParseOptions(const std::vector<std::string>& words) {
  std::vector<std::string> all = {"--code", ""};
  all.insert(all.end(), words.begin(), words.end());
  auto options = ParseRunOptions(all);
  if (!options) return options;
  const auto refuse = [](std::string_view what) {
    return Fail(
        ErrorCode::kInvalidRequest,
        fmt::format("{} has no meaning here, since the client brings its programs: leave it out", what));
  };
  if (!options->request.args.empty()) return refuse(fmt::format("\"{}\"", options->request.args[0]));
  if (!options->code || !options->code->value.empty()) return refuse("--code");
  if (options->input || options->input_schema) return refuse("--input");
  if (options->forward_stdin || !options->stdin_user.empty()) return refuse("what reads stdin");
  if (options->tty) return refuse("--tty");
  if (!options->batch.jobs_file.empty()) return refuse("--batch");
  if (!options->output_dir.empty()) return refuse("--output-dir");
  return options;
}

Expected<CodeChecker> CheckerOf(const ExecutionRequest& base) {
  ChecksPolicy policy;
  policy.allowed_packages = base.allowed_packages;
  policy.complexity = base.complexity;
  return CodeChecker::Make(policy);
}

}  // namespace

int McpCommandLine(const std::vector<std::string>& words, const CliServices& services,
                   const CliStreams& streams) {
  if (std::ranges::find(words, "--help") != words.end() || std::ranges::find(words, "-h") != words.end()) {
    return WritePatiently(streams.out, kHelp, -1) == 0 ? kExitOk : kExitFailed;
  }
  auto options = ParseOptions(words);
  if (!options) return Refuse(options.error(), streams);
  options->engine.warm.enabled = true;
  options->engine.warm.cells_max = kCellsMax;
  auto base = LoadRequest(*options, -1);
  if (!base) return Refuse(base.error(), streams);
  base->code.reset();
  base->keep_streams = true;
  base->origin.surface = "mcp";
  const auto checker = CheckerOf(*base);
  if (!checker) return Refuse(checker.error(), streams);

  const ServeSignals signals;
  NearestEngine engine(*options, services);
  mcp::Server server(engine, *checker, {*std::move(base)}, streams.out);
  const auto served = mcp::Serve(server, streams.in, signals.fd());
  return served ? kExitOk : Refuse(served.error(), streams);
}

}  // namespace casemate
