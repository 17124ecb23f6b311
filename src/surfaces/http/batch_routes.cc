// Theory of operation: the body, as lines, goes through a file in memory to the reader that `casemate run
// --batch` has; each item goes through Runs, so that it needs and takes what a single run does.
#include "surfaces/http/batch_routes.h"

#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>

#include "base/file.h"
#include "base/unique_fd.h"
#include "batch/job_source.h"
#include "batch/result_file.h"
#include "model/json.h"
#include "model/json_fields.h"
#include "model/refusal.h"
#include "model/request_json.h"
#include "surfaces/http/event_stream.h"

namespace casemate::http {
namespace {

struct Plan {
  std::string lines;
  BatchOptions options{.jobs = 4};
};

// White space between JSON's tokens may hold line ends; its strings cannot.
void AppendLine(std::string& lines, std::string_view value) {
  const std::size_t start = lines.size();
  lines += value;
  for (std::size_t i = start; i < lines.size(); ++i) {
    if (lines[i] == '\n' || lines[i] == '\r') lines[i] = ' ';
  }
  lines += '\n';
}

Expected<void> ReadMember(Plan& plan, bool& given, const std::string& name, const JsonField& value) {
  if (name == "requests") {
    given = true;
    return value.ForEachElement([&plan](const JsonField& element) -> Expected<void> {
      AppendLine(plan.lines, element.text());
      return {};
    });
  }
  if (name == "jobs") {
    const auto jobs = value.Int();
    if (!jobs) return std::unexpected(jobs.error());
    if (*jobs < 1 || *jobs > kBatchJobsMax) return value.Refuse("a number from 1 to 1024");
    plan.options.jobs = static_cast<int>(*jobs);
    return {};
  }
  if (name == "order") {
    const auto order = value.String();
    if (!order) return std::unexpected(order.error());
    if (*order != "given" && *order != "finished") return value.Refuse("\"given\" or \"finished\"");
    plan.options.order = *order == "given" ? BatchOrder::kAsGiven : BatchOrder::kAsFinished;
    return {};
  }
  return Fail(ErrorCode::kInvalidRequest, "a batch has \"requests\", \"jobs\" and \"order\" alone");
}

Expected<Plan> ReadPlan(const Request& asked) {
  Plan plan;
  if (asked.field("Content-Type").find("application/x-ndjson") != std::string_view::npos) {
    plan.lines = asked.body;
    return plan;
  }
  const auto json = ParseJson(asked.body, {.bytes_max = kRequestBytesMax});
  if (!json) return Fail(ErrorCode::kInvalidRequest, "the request is not JSON: " + json.error().message);
  const JsonTape tape(*json);
  bool given = false;
  auto read = JsonField(tape, JsonTape::kRoot, "request")
                  .ForEachMember([&](const std::string& name, const JsonField& value) {
                    return ReadMember(plan, given, name, value);
                  });
  if (!read) return std::unexpected(read.error());
  if (!given) return Fail(ErrorCode::kInvalidRequest, R"("requests" is missing: give a list of requests)");
  return plan;
}

// What a peer may do through Runs, as an engine for RunBatch.
class PeerEngine : public Engine {
 public:
  // The end of one item is that of its batch, as when the peer at `connection` hangs up.
  PeerEngine(Runs& runs, const Request& asked, int connection)
      : runs_(runs), asked_(asked), connection_(connection) {}
  ExecutionResult Execute(const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                          CancelWhen cancel_when) override {
    ExecutionRequest own = request;
    auto result = runs_.Execute(own, asked_, sink,
                                {cancel_fd, cancel_when, [this] { ::shutdown(connection_, SHUT_RD); }});
    if (result) return *std::move(result);
    const Refusal& refusal = result.error();
    const bool later = refusal.retry_after_s > 0;
    return RefusalOf({later ? ErrorCode::kUnavailable : ErrorCode::kInvalidRequest, refusal.message, ""});
  }

 private:
  using Refusal = Runs::Refusal;
  Runs& runs_;
  const Request& asked_;
  const int connection_;
};

// Result lines for a peer, within an array or one a line.
class ReplySink : public BatchSink {
 public:
  ReplySink(Reply& reply, bool lines) : reply_(reply), lines_(lines) {}
  void Begin() {
    reply_.BeginStream(lines_ ? ContentTypeOf(StreamForm::kLines) : "application/json");
    if (!lines_) reply_.Write(R"({"results":[)", false);
  }
  Expected<void> OnResult(const BatchItem& item, const ExecutionResult& result) override {
    std::string text = lines_ || first_ ? "" : ",";
    first_ = false;
    text += EncodeResultLine(item, result);
    if (lines_) text += '\n';
    if (!reply_.WriteAndWait(text)) return Fail(ErrorCode::kCancelled, "the peer is gone");
    return {};
  }
  void End() {
    if (!lines_) reply_.Write("]}\n", false);
    reply_.EndStream();
  }

 private:
  Reply& reply_;
  const bool lines_;
  bool first_ = true;
};

// Readable when the peer of `fd` hangs up, and not when it sends more.
UniqueFd HangUpOf(int fd) {
  UniqueFd watch(::epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLRDHUP;
  if (fd >= 0) ::epoll_ctl(watch.get(), EPOLL_CTL_ADD, fd, &event);
  return watch;
}

void Batch(Runs& runs, const Request& asked, Reply& reply) {
  if (runs.draining()) return reply.Send(ErrorAnswer(503, "unavailable", "this engine is about to end"));
  auto plan = ReadPlan(asked);
  if (!plan) return reply.Send(ErrorAnswer(plan.error()));
  const UniqueFd file(::memfd_create("batch", MFD_CLOEXEC));
  auto written = WriteAll(file.get(), plan->lines, "the batch");
  if (!written) return reply.Send(ErrorAnswer(written.error()));
  ::lseek(file.get(), 0, SEEK_SET);
  plan->lines = std::string();
  const UniqueFd hang_up = HangUpOf(reply.hang_up_fd());
  plan->options.cancel_fd = hang_up.get();
  const FormerRun none{};
  const auto decode = [](std::string_view json) { return DecodeRequest(json); };
  JobSource source(file.get(), "the batch", decode, none, hang_up.get());
  PeerEngine engine(runs, asked, reply.hang_up_fd());
  ReplySink sink(reply, AcceptedForm(asked.accept) == StreamForm::kLines);
  sink.Begin();
  // A failure is the peer's going away, or its file's, which has been read in before.
  const auto done = RunBatch(engine, source, sink, plan->options);
  if (!done || done->cancelled) return reply.Break();
  sink.End();
}

}  // namespace

std::vector<Route> BatchRoutes(Runs& runs) {
  return {{"POST", "/v1/batch", Scope::kBatch,
           [&runs](const Request& asked, Reply& reply) { Batch(runs, asked, reply); }}};
}

}  // namespace casemate::http
