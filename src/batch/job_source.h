#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "batch/former_run.h"
#include "batch/line_reader.h"
#include "casemate/batch.h"

namespace casemate {

// A request object's text into a request.
using RequestDecoder = std::function<Expected<ExecutionRequest>(std::string_view json)>;

// The longest line of a job file; files travel in it as base64.
inline constexpr std::size_t kJobBytesMax = 128 * static_cast<std::size_t>(kMiB);

// How far into its file a JobSource is. Any thread may ask.
struct JobPlace {
  std::atomic<std::int64_t> lines = 0;
  std::atomic<std::int64_t> bytes = 0;
  std::atomic<std::int64_t> skipped = 0;  // had their result already
};

// A job file: each line is one request object, with an optional "id" (a string or an integer) beside the
// request's own fields. Lines of white space alone are passed over. A line that is no request becomes an item
// whose result, `rejected`, stands already; `id` is JSON text ("null" without one). Of an item that `former`
// holds (FormerRun::Held) the result has its status alone: the rest is in the journal.
class JobSource : public BatchSource {
 public:
  // `fd` is not owned; `name` is for messages. What `former` has a result for is left out; it must outlive
  // this object. Next() fails with kInvalidRequest when the file has changed since `former`.
  JobSource(int fd, std::string name, RequestDecoder decode, const FormerRun& former, int cancel_fd)
      : reader_(fd, name, kJobBytesMax, cancel_fd),
        name_(std::move(name)),
        decode_(std::move(decode)),
        former_(former),
        cancel_fd_(cancel_fd) {}

  Expected<std::optional<BatchItem>> Next() override;
  const JobPlace& place() const { return place_; }

 private:
  Expected<void> CheckEnd() const;

  LineReader reader_;
  const std::string name_;
  const RequestDecoder decode_;
  const FormerRun& former_;
  const int cancel_fd_;
  JobPlace place_;
};

// The error type of a result that tells of a run which an end of Casemate itself interrupted.
inline constexpr std::string_view kInterruptedType = "casemate.interrupted";

}  // namespace casemate
