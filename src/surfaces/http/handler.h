#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "casemate/engine.h"

namespace casemate::http {

// One request, as some transport has read it. The views are valid while it is handled.
struct Request {
  std::string_view method;
  std::string_view target;
  std::string_view accept;
  std::string_view body;
  std::string_view trace_parent;  // W3C Trace Context
  std::string_view caller;        // who the transport knows the peer to be, "uid:1000"
};

struct Answer {
  int status = 200;
  std::string_view content_type = "application/json";
  std::string_view allow;  // of a 405
  std::string body;
};

// Where a handler answers one request: either Send(), or BeginStream(), any number of Write(), EndStream().
// One thread. A peer that is gone or slow is the transport's business: nothing here fails.
class Reply {
 public:
  virtual ~Reply() = default;
  virtual void Send(const Answer& answer) = 0;
  virtual void BeginStream(std::string_view content_type) = 0;
  // What is not flushed may wait for the next Write(). Does not wait for a slow peer for long.
  virtual void Write(std::string_view bytes, bool flush) = 0;
  virtual void EndStream() = 0;
  // Hangs up (POLLRDHUP) when the peer does; -1 for none.
  virtual int hang_up_fd() const = 0;
};

// The API, whatever carries it:
//
//   POST /v1/run     a request object (model/request_json.h) in, the result object out, with 200 for every
//                    request that has one, `rejected` and `unavailable` included. With
//                    "Accept: application/x-ndjson" the answer is the run's events (model/event_json.h), a
//                    line each, as they happen. A peer that hangs up cancels its run.
//   /v1/sessions     session_routes.h
//   GET /v1/health   what this engine is and does
//   GET /metrics     the same for Prometheus, where metrics are kept
//
// What is no result is {"error": {"code", "message"}}: 400 for a request that cannot be read, 404, 405, 503
// while draining. Thread-safe.
class Handler {
 public:
  // `engine` must outlive it. `metrics` makes the text of /metrics; none: there is no such thing here.
  Handler(Engine& engine, std::string version, std::function<std::string()> metrics = nullptr);

  void Handle(const Request& request, Reply& reply);

  // From now on runs are refused with 503; those that run go on.
  void BeginDrain() { draining_ = true; }
  bool draining() const { return draining_; }
  int running() const { return running_; }

 private:
  void Run(const Request& request, Reply& reply);
  void Health(Reply& reply) const;

  Engine& engine_;
  const std::string version_;
  const std::function<std::string()> metrics_;
  const std::int64_t started_us_;
  std::atomic<bool> draining_ = false;
  std::atomic<int> running_ = 0;
};

// {"error": {"code": ..., "message": ...}}
Answer ErrorAnswer(int status, std::string_view code, std::string_view message);

}  // namespace casemate::http
