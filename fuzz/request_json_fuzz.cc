// link: model base
// A request object, what is asked of a session, and the result and events that a client reads: what is taken
// can be told again, and comes back the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "model/event_json.h"
#include "model/request_json.h"
#include "model/result_json.h"
#include "model/session_json.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

void CheckRequest(std::string_view text) {
  const auto request = casemate::DecodeRequest(text);
  if (!request) {
    Require(request.error().code == casemate::ErrorCode::kInvalidRequest && !request.error().message.empty());
    return;
  }
  for (const casemate::HostMount& mount : request->mounts) {
    Require(mount.host_path.starts_with('/') && mount.inside_path.starts_with('/'));
  }
  Require(!request->workspace || request->workspace->host_path.starts_with('/'));
  const auto encoded = casemate::EncodeRequest(*request);
  Require(encoded.has_value());
  const auto again = casemate::DecodeRequest(*encoded);
  Require(again.has_value() && casemate::EncodeRequest(*again) == *encoded);
  Require(again->code == request->code && again->stdin_bytes == request->stdin_bytes);
  Require(again->input_json == request->input_json && again->files.size() == request->files.size());
}

void CheckResult(std::string_view text) {
  const auto result = casemate::DecodeResult(text);
  if (!result) return;
  const std::string encoded = casemate::EncodeResult(*result);
  const auto again = casemate::DecodeResult(encoded);
  Require(again.has_value() && casemate::EncodeResult(*again) == encoded);
}

// Tells each event again.
class Echo : public casemate::EventSink {
 public:
  void OnEvent(const casemate::Event& event) override {
    std::string line;
    casemate::AppendEventLine(line, event);
    Require(line.find('\n') == line.size() - 1);
    casemate::ExecutionResult finished;
    line.pop_back();
    Require(casemate::ReadEventLine(line, nullptr, finished).has_value());
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckRequest(text);
  CheckResult(text);
  const auto session = casemate::DecodeSessionOptions(text);
  Require(session || session.error().code == casemate::ErrorCode::kInvalidRequest);
  const auto fork = casemate::DecodeForkOptions(text);
  Require(!fork || fork->count > 0);
  (void)casemate::DecodeCheckpointName(text);
  const auto checkpoint = casemate::DecodeRewind(text);
  Require(!checkpoint || !checkpoint->empty());
  Echo echo;
  casemate::ExecutionResult finished;
  (void)casemate::ReadEventLine(text, &echo, finished);
  return 0;
}
