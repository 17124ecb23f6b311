#include "batch/job_source.h"

#include <fmt/format.h>
#include <poll.h>

#include "base/sha256.h"
#include "batch/json_members.h"
#include "model/json.h"
#include "model/refusal.h"

namespace casemate {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";

struct Job {
  std::string id = "null";
  std::string request;
};

bool IsId(std::string_view value) {
  if (value.starts_with('"')) return true;
  const std::string_view digits = value.starts_with('-') ? value.substr(1) : value;
  return !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
}

// Takes the id out of a line: the request's own decoder knows no such field.
Expected<Job> SplitJob(const Line& line) {
  if (!line.whole) {
    return Fail(
        ErrorCode::kInvalidRequest,
        fmt::format("the line is longer than {} bytes: hand large files in by a workspace", kJobBytesMax));
  }
  const auto json = ParseJson(line.text, {.bytes_max = kJobBytesMax, .depth_max = kJsonDepthCeiling});
  if (!json) {
    return Fail(ErrorCode::kInvalidRequest, fmt::format("the line is not JSON: {}", json.error().message));
  }
  const auto members = SplitObject(json->text());
  if (!members) {
    return Fail(ErrorCode::kInvalidRequest,
                R"(the line is not a request object: write {"code": "..."} on one line)");
  }
  Job job;
  for (const auto& [key, value] : *members) {
    if (key != "id") {
      job.request += fmt::format("{}\"{}\":{}", job.request.empty() ? "{" : ",", key, value);
    } else if (IsId(value)) {
      job.id = value;
    } else {
      return Fail(ErrorCode::kInvalidRequest, R"("id" must be a string or an integer)");
    }
  }
  job.request += job.request.empty() ? "{}" : "}";
  return job;
}

ExecutionResult Interrupted() {
  ExecutionResult result;
  result.status = Status::kFailed;
  result.error =
      ProgramError{std::string(kInterruptedType),
                   "the batch was interrupted while this item was running: it may have run, in whole "
                   "or in part, and its result is lost",
                   "", "--retry-interrupted runs such items again"};
  return result;
}

bool Readable(int fd) {
  pollfd poll_fd{fd, POLLIN, 0};
  return fd >= 0 && ::poll(&poll_fd, 1, 0) > 0;
}

}  // namespace

Expected<void> JobSource::CheckEnd() const {
  if (former_.last_number() <= place_.lines || Readable(cancel_fd_)) return {};
  return Fail(
      ErrorCode::kInvalidRequest,
      fmt::format("{} has {} lines, but line {} of it has been run before: restore the file, or start "
                  "afresh with another --output",
                  name_, place_.lines.load(), former_.last_number()));
}

Expected<std::optional<BatchItem>> JobSource::Next() {
  for (;;) {
    const auto line = reader_.Next();
    if (!line) return std::unexpected(line.error());
    if (!*line) {
      if (auto checked = CheckEnd(); !checked) return std::unexpected(checked.error());
      return std::nullopt;
    }
    const Line& text = **line;
    place_.lines = text.number;
    place_.bytes = text.end_offset;
    if (text.text.find_first_not_of(kSpaces) == std::string_view::npos) continue;

    BatchItem item;
    item.number = text.number;
    item.request_sha256 = Sha256Hex(text.text);
    const auto state = former_.StateOf(item.number, item.request_sha256);
    if (!state) {
      return Fail(state.error().code, fmt::format("{}: {}", name_, state.error().message));
    }
    if (*state == FormerState::kDone) {
      ++place_.skipped;
      continue;
    }
    auto job = SplitJob(text);
    item.id = job ? job->id : "null";
    if (*state == FormerState::kHeld) {
      ExecutionResult held;
      held.status = former_.Held(item.number).value_or(HeldLine{}).status;
      item.work = std::move(held);
      return item;
    }
    if (*state == FormerState::kBegun) {
      item.work = Interrupted();
      return item;
    }
    auto request = job ? decode_(job->request) : std::unexpected(job.error());
    if (request) {
      item.work = *std::move(request);
    } else {
      item.work = RefusalOf(request.error());
    }
    return item;
  }
}

}  // namespace casemate
