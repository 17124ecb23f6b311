#include "surfaces/cli/batch_command.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "base/clock.h"
#include "base/file.h"
#include "batch/job_source.h"
#include "batch/line_reader.h"
#include "model/refusal.h"
#include "model/request_json.h"
#include "surfaces/cli/batch_output.h"
#include "surfaces/cli/batch_progress.h"
#include "surfaces/cli/exit_code.h"
#include "surfaces/cli/load_request.h"
#include "surfaces/cli/nearest_engine.h"
#include "surfaces/cli/signals.h"
#include "surfaces/cli/stream_writer.h"
#include "surfaces/cli/summary.h"

// job lines -> requests -> engine, several at a time -> result lines; progress and summary to stderr

namespace casemate {
namespace {

// A larger job file is not read twice only to know how many items it has.
constexpr std::int64_t kCountedBytesMax = 256 * kMiB;
// Enough of a line to see that it is not blank.
constexpr std::size_t kGlanceBytes = 256;

struct JobFile {
  UniqueFd own;  // none for stdin
  int fd = -1;
  std::string name;
  std::optional<std::int64_t> bytes;
  std::optional<std::int64_t> items;
};

Expected<std::int64_t> CountItems(int fd, const std::string& name) {
  LineReader reader(fd, name, kGlanceBytes);
  for (std::int64_t items = 0;;) {
    const auto line = reader.Next();
    if (!line) return std::unexpected(line.error());
    if (!*line) return items;
    if ((*line)->text.find_first_not_of(" \t\r") != std::string_view::npos) ++items;
  }
}

Expected<JobFile> OpenJobs(const std::string& path, int stdin_fd) {
  JobFile file;
  if (path == "-") {
    file.fd = stdin_fd;
    file.name = "stdin";
    return file;
  }
  auto opened = OpenFile(path, O_RDONLY);
  if (!opened) return std::unexpected(opened.error());
  file.own = *std::move(opened);
  file.fd = file.own.get();
  file.name = path;
  struct stat info {};
  if (::fstat(file.fd, &info) != 0 || !S_ISREG(info.st_mode)) return file;
  file.bytes = info.st_size;
  if (info.st_size > kCountedBytesMax) return file;
  const auto items = CountItems(file.fd, path);
  if (!items) return std::unexpected(items.error());
  file.items = *items;
  (void)!::lseek(file.fd, 0, SEEK_SET);
  return file;
}

// An item's own words win over the command line's.
ExecutionRequest WithDefaults(ExecutionRequest item, const ExecutionRequest& defaults) {
  item.limits.insert(defaults.limits.begin(), defaults.limits.end());
  item.env.insert(defaults.env.begin(), defaults.env.end());
  const ExecutionRequest unset;
  if (item.policy == unset.policy) item.policy = defaults.policy;
  if (item.environment == unset.environment) item.environment = defaults.environment;
  if (!item.isolation) item.isolation = defaults.isolation;
  if (item.runtime.empty()) item.runtime = defaults.runtime;
  if (!item.require) item.require = defaults.require;
  if (!item.network) item.network = defaults.network;
  item.require_limits = item.require_limits || defaults.require_limits;
  return item;
}

RequestDecoder DecoderOf(const ExecutionRequest& defaults) {
  return [&defaults](std::string_view json) -> Expected<ExecutionRequest> {
    auto request = DecodeRequest(json);
    if (!request) return request;
    request->origin.surface = "cli";
    return WithDefaults(*std::move(request), defaults);
  };
}

int Refuse(const Error& error, const CliStreams& streams, const Style& style) {
  WritePatiently(streams.err, ErrorLine(error, style), -1);
  return ExitCodeOf(RefusalOf(error), 0);
}

BatchProgress ProgressOf(const BatchOutput& output, const JobSource& source, const JobFile& file,
                         std::int64_t begin_us) {
  BatchProgress progress;
  progress.totals = output.totals();
  progress.skipped = source.place().skipped;
  progress.items = file.items;
  if (file.bytes && *file.bytes > 0) {
    progress.share_read = static_cast<double>(source.place().bytes) / static_cast<double>(*file.bytes);
  }
  progress.seconds = static_cast<double>(MonotonicUs() - begin_us) / 1e6;
  return progress;
}

Expected<std::unique_ptr<BatchOutput>> OpenOutput(const RunOptions& options, int stdout_fd, int cancel_fd) {
  if (!options.batch.output.empty()) return BatchOutput::OpenFile(options.batch, options.force);
  return std::make_unique<BatchOutput>(stdout_fd, cancel_fd);
}

}  // namespace

int RunBatchCommand(const RunOptions& options, const CliServices& services, const CliStreams& streams,
                    const Style& style) {
  const auto defaults = LoadRequest(options, streams.in);
  if (!defaults) return Refuse(defaults.error(), streams, style);
  const auto file = OpenJobs(options.batch.jobs_file, streams.in);
  if (!file) return Refuse(file.error(), streams, style);
  NearestEngine engine(options, services);
  CancelSignals signals;
  auto output = OpenOutput(options, streams.out, signals.fd());
  if (!output) return Refuse(output.error(), streams, style);

  JobSource source(file->fd, file->name, DecoderOf(*defaults), (*output)->former(), signals.fd());
  const std::int64_t begin_us = MonotonicUs();
  const auto look = [&] { return ProgressOf(**output, source, *file, begin_us); };
  std::optional<ProgressPrinter> printer;
  if (!options.quiet) printer.emplace(streams.err, style, LocaleIsUtf8(), signals.fd(), look);
  const auto order = options.batch.unordered ? BatchOrder::kAsFinished : BatchOrder::kAsGiven;
  const auto totals = RunBatch(engine, source, **output,
                               {.jobs = options.batch.jobs, .order = order, .cancel_fd = signals.fd()});
  const auto finished = (*output)->Finish();
  if (printer) printer->Stop();

  BatchProgress end = look();
  end.totals.cancelled = totals && totals->cancelled;
  if (!options.quiet) WritePatiently(streams.err, BatchSummary(end, style), signals.fd());
  if (const int failed = (*output)->write_errno(); failed == EPIPE) return kExitPipe;
  // A reader that was given up after Ctrl-C is no failure of its own.
  if (CancelSignals::received() != 0) return 128 + CancelSignals::received();
  if (!totals) return Refuse(totals.error(), streams, style);
  return finished ? kExitOk : Refuse(finished.error(), streams, style);
}

}  // namespace casemate
