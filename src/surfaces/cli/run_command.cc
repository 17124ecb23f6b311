#include "surfaces/cli/run_command.h"

#include <fmt/format.h>

#include <cerrno>
#include <optional>

#include "base/errno.h"
#include "model/refusal.h"
#include "model/result_json.h"
#include "surfaces/cli/batch_command.h"
#include "surfaces/cli/caller_terminal.h"
#include "surfaces/cli/exit_code.h"
#include "surfaces/cli/forwarder.h"
#include "surfaces/cli/load_request.h"
#include "surfaces/cli/output_folder.h"
#include "surfaces/cli/resident.h"
#include "surfaces/cli/run_options.h"
#include "surfaces/cli/secrets_command.h"
#include "surfaces/cli/signals.h"
#include "surfaces/cli/stream_writer.h"
#include "surfaces/cli/summary.h"

// words -> options -> request -> engine (a resident one, or one made here) -> (stdout and stderr as they
// come) -> files, summary, exit code
//
// Without --json the program's streams are forwarded by a writer thread while it runs, and the summary is
// written once all of them are out. With --json nothing but the result object goes to stdout.

namespace casemate {
namespace {

// What became of writing to our own stdout.
int ExitAfterWrite(int exit_code, int write_errno, const CliStreams& streams, const Style& style) {
  if (write_errno == 0 || write_errno == ECANCELED) return exit_code;
  if (write_errno == EPIPE) return kExitPipe;
  const Error error{ErrorCode::kInternal,
                    "the output cannot be written: free some space or send it elsewhere",
                    "write: " + ErrnoName(write_errno)};
  WritePatiently(streams.err, ErrorLine(error, style), -1);
  return kExitFailed;
}

int Refuse(const Error& error, bool json, const CliStreams& streams, const Style& style) {
  const ExecutionResult result = RefusalOf(error);
  WritePatiently(streams.err, ErrorLine(error, style), -1);
  const int failed = json ? WritePatiently(streams.out, EncodeResult(result) + "\n", -1) : 0;
  return ExitAfterWrite(ExitCodeOf(result, 0), failed, streams, style);
}

// By the resident engine where that can be, otherwise by one that is made for this run.
Expected<ExecutionResult> Execute(const RunOptions& options, ExecutionRequest request,
                                  const CliServices& services, EventSink* sink, int cancel_fd) {
  auto resident = RunResident(options, request, sink, cancel_fd);
  if (!resident) return std::unexpected(std::move(resident.error()));
  if (*resident) return **std::move(resident);
  auto engine = services.make_engine(options.engine);
  if (!engine) return std::unexpected(std::move(engine.error()));
  return (*engine)->Execute(request, sink, cancel_fd);
}

int Run(const RunOptions& options, ExecutionRequest request, const CliServices& services,
        const CliStreams& streams, const Style& style) {
  std::optional<OutputFolder> folder;
  if (!options.output_dir.empty()) {
    auto opened = OutputFolder::Open(options.output_dir, options.force);
    if (!opened) return Refuse(opened.error(), options.json, streams, style);
    folder = *std::move(opened);
  }
  CancelSignals signals;
  StreamWriter writer(signals.fd(), CancelSignals::Cancel);
  Forwarder forwarder(writer, streams);
  std::unique_ptr<CallerTerminal> lent;
  if (auto lending = LendTerminal(options, streams, request, lent); !lending)
    return Refuse(lending.error(), options.json, streams, style);
  const auto executed =
      Execute(options, std::move(request), services, options.json ? nullptr : &forwarder, signals.fd());
  int failed = writer.Finish();
  lent.reset();
  if (!executed) return Refuse(executed.error(), options.json, streams, style);
  const ExecutionResult& result = *executed;

  const WrittenOutput written = folder ? WriteOutput(result, *folder) : WrittenOutput{};
  if (options.json) {
    failed = WritePatiently(streams.out, EncodeResult(result) + "\n", signals.fd());
  }
  // The object tells all else; why nothing ran is said to people as well.
  const std::string summary = Summary(result, written, options.quiet || options.json, style);
  WritePatiently(streams.err, summary, signals.fd());
  const int exit_code = written.failed ? kExitFailed : ExitCodeOf(result, CancelSignals::received());
  return ExitAfterWrite(exit_code, failed, streams, style);
}

}  // namespace

int RunCommandLine(const std::vector<std::string>& words, const CliServices& services,
                   const CliStreams& streams) {
  const auto options = ParseRunOptions(words);
  if (!options) return Refuse(options.error(), AsksForJson(words), streams, StyleOf(streams.err, true));
  const Style style = StyleOf(streams.err, options->color);
  if (options->help) {
    return ExitAfterWrite(kExitOk, WritePatiently(streams.out, RunHelp(), -1), streams, style);
  }
  if (!options->request.secrets.empty() && !options->quiet) {
    std::vector<std::string> references;
    for (const SecretRequest& secret : options->request.secrets)
      references.insert(references.end(), secret.references.begin(), secret.references.end());
    WarnOfSecrets(references, *services.make_secrets(options->engine.secrets), streams);
  }
  if (!options->batch.jobs_file.empty()) return RunBatchCommand(*options, services, streams, style);
  auto request = LoadRequest(*options, streams.in);
  if (!request) return Refuse(request.error(), options->json, streams, style);
  return Run(*options, *std::move(request), services, streams, style);
}

}  // namespace casemate
