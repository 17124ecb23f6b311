#include "batch/result_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>

#include "base/errno.h"
#include "base/file.h"
#include "batch/job_source.h"
#include "batch/json_members.h"
#include "batch/line_reader.h"
#include "model/result_json.h"

namespace casemate {
namespace {

constexpr std::size_t kLineBytesMax = std::size_t{1} << 31U;

struct FormerResult {
  std::int64_t number = 0;
  std::string_view request_sha256;
  bool interrupted = false;
};

std::optional<FormerResult> ParseResultLine(std::string_view text) {
  const auto members = SplitObject(text);
  if (!members) return std::nullopt;
  FormerResult found;
  std::string_view result;
  for (const auto& [key, value] : *members) {
    if (key == "line") std::from_chars(value.data(), value.data() + value.size(), found.number);
    if (key == "request_sha256") found.request_sha256 = Unquote(value);
    if (key == "result") result = value;
  }
  const std::string_view status = Unquote(FindMember(result, "status"));
  if (found.number < 1 || found.request_sha256.size() != 64 || !ParseStatus(status)) return std::nullopt;
  const std::string_view type = Unquote(FindMember(FindMember(result, "error"), "type"));
  found.interrupted = status == StatusName(Status::kCancelled) || type == kInterruptedType;
  return found;
}

// The part of the file that is whole.
struct Contents {
  std::int64_t bytes = 0;
  bool any_interrupted = false;
};

Expected<Contents> Load(int fd, const std::string& path, Interrupted interrupted, FormerRun& former) {
  LineReader reader(fd, path, kLineBytesMax);
  Contents contents;
  for (;;) {
    const auto line = reader.Next();
    if (!line) return std::unexpected(line.error());
    if (!*line || !(*line)->ended_by_newline) return contents;
    const auto result = ParseResultLine((*line)->text);
    if (!result) {
      return Fail(ErrorCode::kInvalidRequest,
                  fmt::format("line {} of {} is no result of a batch: choose another --output",
                              (*line)->number, path));
    }
    contents.bytes = (*line)->end_offset;
    if (result->interrupted && interrupted == Interrupted::kRunAgain) {
      contents.any_interrupted = true;
      former.Forget(result->number);
    } else {
      former.MarkDone(result->number, result->request_sha256);
    }
  }
}

// Replaces the file by one without the results of interrupted items.
Expected<UniqueFd> LeaveOutInterrupted(int from, const std::string& path) {
  std::string temporary = path + ".XXXXXX";
  UniqueFd to(::mkostemp(temporary.data(), O_CLOEXEC | O_APPEND));
  if (!to.valid()) return FailErrno(ErrorCode::kInternal, "cannot rewrite " + path, "mkostemp " + temporary);
  struct stat info {};
  (void)!::fstat(from, &info);
  (void)!::lseek(from, 0, SEEK_SET);
  LineReader reader(from, path, kLineBytesMax);
  Expected<void> done;
  while (done) {
    const auto line = reader.Next();
    if (!line) done = std::unexpected(line.error());
    if (!line || !*line || !(*line)->ended_by_newline) break;
    const auto result = ParseResultLine((*line)->text);
    if (!result || result->interrupted) continue;
    done = WriteAll(to.get(), std::string((*line)->text) + "\n", path);
  }
  if (done && (::fchmod(to.get(), info.st_mode & 0777U) != 0 || ::fdatasync(to.get()) != 0 ||
               ::rename(temporary.c_str(), path.c_str()) != 0)) {
    done = FailErrno(ErrorCode::kInternal, "cannot rewrite " + path, "rename " + temporary);
  }
  if (done) return to;
  ::unlink(temporary.c_str());
  return std::unexpected(std::move(done.error()));
}

}  // namespace

std::string EncodeResultLine(const BatchItem& item, const ExecutionResult& result) {
  return fmt::format(R"({{"id":{},"line":{},"request_sha256":"{}","result":{}}})", item.id, item.number,
                     item.request_sha256, EncodeResult(result));
}

Expected<UniqueFd> ReopenResultFile(const std::string& path, Interrupted interrupted, FormerRun& former) {
  auto fd = OpenFile(path, O_RDWR | O_APPEND | O_CREAT, 0644);
  if (!fd) return fd;
  const auto contents = Load(fd->get(), path, interrupted, former);
  if (!contents) return std::unexpected(contents.error());
  if (contents->any_interrupted) return LeaveOutInterrupted(fd->get(), path);
  if (::ftruncate(fd->get(), contents->bytes) != 0) {
    return FailErrno(ErrorCode::kInternal, "cannot mend " + path, "ftruncate");
  }
  return fd;
}

}  // namespace casemate
