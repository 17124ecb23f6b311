#include "surfaces/cli/check_command.h"

#include <fmt/format.h>

#include "base/file.h"
#include "policy/checks/source_text.h"
#include "surfaces/cli/check_options.h"
#include "surfaces/cli/check_report.h"
#include "surfaces/cli/exit_code.h"
#include "surfaces/cli/stream_writer.h"
#include "surfaces/cli/summary.h"

namespace casemate {
namespace {

// Larger files are read too, so that the checker itself says that they are too large.
constexpr std::size_t kFileBytesMax = 16 * kSourceBytesMax;

int ExitOf(const Error& error) {
  if (error.code == ErrorCode::kNotFound) return kExitNothing;
  return error.code == ErrorCode::kInvalidRequest ? kExitRefused : kExitFailed;
}

Expected<std::string> Load(const std::string& name, int stdin_fd) {
  auto bytes = name == "-" ? ReadAll(stdin_fd, kFileBytesMax, "stdin") : ReadFile(name, kFileBytesMax);
  if (bytes) return bytes;
  const Error& error = bytes.error();
  if (error.code == ErrorCode::kNotFound) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("{} is not there: check its spelling and the folder you are in", name));
  }
  return Fail(ErrorCode::kInternal,
              fmt::format("{} cannot be read: it must be a file that you may read, of {} MiB at most", name,
                          kFileBytesMax >> 20),
              error.cause.empty() ? error.message : error.cause);
}

Expected<std::vector<CheckedFile>> CheckAll(const CheckOptions& options, int stdin_fd) {
  const auto checker = CodeChecker::Make(options.policy);
  if (!checker) return std::unexpected(checker.error());
  std::vector<CheckedFile> files;
  for (const std::string& name : options.files) {
    const auto source = Load(name, stdin_fd);
    if (!source) return std::unexpected(source.error());
    files.push_back({name == "-" ? "<stdin>" : name, checker->Check(*source)});
  }
  return files;
}

std::string Report(const CheckOptions& options, const std::vector<CheckedFile>& files, const Style& style) {
  switch (options.format) {
    case CheckOptions::Format::kJson:
      return CheckJson(files);
    case CheckOptions::Format::kSarif:
      return CheckSarif(files);
    case CheckOptions::Format::kText:
      break;
  }
  return CheckText(files, style);
}

}  // namespace

int CheckCommandLine(const std::vector<std::string>& words, const CliStreams& streams) {
  const auto options = ParseCheckOptions(words);
  const Style err_style = StyleOf(streams.err, !options || options->color);
  const auto refuse = [&](const Error& error) {
    WritePatiently(streams.err, ErrorLine(error, err_style), -1);
    return ExitOf(error);
  };
  if (!options) return refuse(options.error());
  if (options->help) return WritePatiently(streams.out, CheckHelp(), -1) == 0 ? kExitOk : kExitFailed;
  const auto files = CheckAll(*options, streams.in);
  if (!files) return refuse(files.error());
  int code = kExitOk;
  for (const CheckedFile& file : *files) code = file.report.refused() ? kExitUnhealthy : code;
  const std::string text = Report(*options, *files, StyleOf(streams.out, options->color));
  return WritePatiently(streams.out, text, -1) == 0 ? code : kExitFailed;
}

}  // namespace casemate
