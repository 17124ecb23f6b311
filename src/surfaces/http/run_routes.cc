#include "surfaces/http/run_routes.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "base/sha256.h"
#include "base/unique_fd.h"
#include "model/json_writer.h"
#include "model/request_json.h"
#include "model/result_json.h"
#include "surfaces/http/event_stream.h"
#include "surfaces/http/idempotency.h"
#include "surfaces/http/web_socket_run.h"

namespace casemate::http {
namespace {

// How long a second asking waits for the first to end.
constexpr std::int64_t kOnceWaitMs = 30'000;

// To the run this is its peer hanging up, so that one descriptor tells of both.
Runs::Cancel CancelWith(const Reply& reply, std::atomic<bool>& cancelled) {
  const int fd = reply.hang_up_fd();
  return {fd, CancelWhen::kHungUp, [fd, &cancelled] {
            cancelled = true;
            ::shutdown(fd, SHUT_RD);
          }};
}

void Stream(Runs& runs, ExecutionRequest& request, const Request& asked, StreamForm form, Reply& reply) {
  std::atomic<bool> cancelled = false;
  EventStream stream(reply, form);
  const auto result =
      runs.Execute(request, asked, &stream, CancelWith(reply, cancelled), [&stream] { stream.Begin(); });
  if (!result) return SendRefusal(result.error(), reply);
  if (cancelled) reply.CloseAfter();
  stream.End();
}

// A run that its peer may ask for again: it ends with DELETE alone, since who lost the connection comes back.
void RunOnce(Runs& runs, Idempotency& kept, ExecutionRequest& request, const Request& asked, Reply& reply) {
  const std::string key(asked.field("Idempotency-Key"));
  if (!IsIdempotencyKey(key)) {
    return reply.Send(
        ErrorAnswer(400, "invalid_request", "an Idempotency-Key has 1 to 255 visible ASCII characters"));
  }
  auto verdict = kept.Begin(asked.caller, key, Sha256Hex(asked.body), kOnceWaitMs);
  Answer answer;
  if (auto* first = std::get_if<std::string>(&verdict)) {
    answer.body = std::move(*first);
    reply.AddField("Idempotency-Replayed", "true");
    return reply.Send(answer);
  }
  if (std::holds_alternative<Idempotency::Mismatch>(verdict)) {
    return reply.Send(ErrorAnswer(422, "idempotency_mismatch",
                                  "this Idempotency-Key came with another body before: take a new key"));
  }
  if (std::holds_alternative<Idempotency::Busy>(verdict)) {
    reply.AddField("Retry-After", "1");
    return reply.Send(ErrorAnswer(409, "conflict", "the first request with this key still runs: ask again"));
  }
  const UniqueFd cancel(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const auto end = [&cancel] {
    const std::uint64_t one = 1;
    (void)!::write(cancel.get(), &one, sizeof one);
  };
  const auto result = runs.Execute(request, asked, nullptr, {cancel.get(), CancelWhen::kReadable, end});
  if (!result) {
    kept.Abandon(asked.caller, key);
    return SendRefusal(result.error(), reply);
  }
  answer.body = EncodeResult(*result) + "\n";
  kept.Finish(asked.caller, key, answer.body);
  reply.Send(answer);
}

void Run(Runs& runs, Idempotency& kept, const Request& asked, Reply& reply) {
  auto request = DecodeRequest(asked.body);
  if (!request) return reply.Send(ErrorAnswer(request.error()));
  const auto form = AcceptedForm(asked.accept);
  if (!asked.field("Idempotency-Key").empty()) {
    if (!form) return RunOnce(runs, kept, *request, asked, reply);
    return reply.Send(
        ErrorAnswer(400, "invalid_request",
                    "a stream cannot be answered a second time: leave out the Idempotency-Key, or "
                    "ask for application/json"));
  }
  if (form) return Stream(runs, *request, asked, *form, reply);
  std::atomic<bool> cancelled = false;
  const auto result = runs.Execute(*request, asked, nullptr, CancelWith(reply, cancelled));
  if (!result) return SendRefusal(result.error(), reply);
  if (cancelled) reply.CloseAfter();
  Answer answer;
  answer.body = EncodeResult(*result);
  answer.body += '\n';
  reply.Send(answer);
}

// Whose runs a peer may see and end: its own, or ("") all.
std::string Reach(const Request& asked) { return asked.scopes.Has(Scope::kAdmin) ? "" : asked.caller; }

void List(const Runs& runs, const Request& asked, Reply& reply) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Key("runs");
  writer.BeginArray();
  for (const Runs::Live& run : runs.List(Reach(asked))) {
    writer.BeginObject();
    writer.Field("id", run.id);
    writer.Field("caller", run.caller);
    writer.Field("started_us", run.started_us);
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  Answer answer;
  answer.body = std::move(writer).Take() + "\n";
  reply.Send(answer);
}

void End(Runs& runs, const Request& asked, Reply& reply) {
  if (!runs.End(asked.params[0], Reach(asked))) {
    return reply.Send(ErrorAnswer(404, "not_found",
                                  fmt::format("you have no run \"{}\" that goes on: GET /v1/runs lists them",
                                              asked.params[0].substr(0, 100))));
  }
  Answer answer;
  answer.status = 204;
  reply.Send(answer);
}

}  // namespace

std::vector<Route> RunRoutes(Runs& runs) {
  const auto with = [&runs](auto handle) {
    return [&runs, handle](const Request& asked, Reply& reply) { handle(runs, asked, reply); };
  };
  const auto kept = std::make_shared<Idempotency>();
  return {
      {"POST", "/v1/run", Scope::kRun,
       [&runs, kept](const Request& asked, Reply& reply) { Run(runs, *kept, asked, reply); }},
      {"GET", "/v1/run", Scope::kRun, with(RunOverWebSocket)},
      {"GET", "/v1/runs", Scope::kRun, with(List)},
      {"DELETE", "/v1/runs/{id}", Scope::kRun, with(End)},
  };
}

}  // namespace casemate::http
