// link: surfaces_mcp policy_checks batch model base
// Lines of a client of the Model Context Protocol: each request is answered once, on one line that is JSON.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "model/json.h"
#include "surfaces/mcp/server.h"

namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

class InstantEngine : public casemate::Engine {
 public:
  casemate::ExecutionResult Execute(const casemate::ExecutionRequest& request, casemate::EventSink* sink,
                                    int /*cancel_fd*/, casemate::CancelWhen /*cancel_when*/) override {
    Require(request.code.has_value() || !request.command.empty());
    Require(request.secrets.empty() && request.mounts.empty() && !request.workspace);
    casemate::ExecutionResult result;
    result.id = "r";
    result.status = casemate::Status::kOk;
    result.stdout_text = request.stdin_bytes;
    if (sink != nullptr) sink->OnEvent(casemate::StdoutEvent{request.stdin_bytes});
    return result;
  }
};

std::string TextOf(int fd) {
  std::string text(static_cast<std::size_t>(::lseek(fd, 0, SEEK_END)), '\0');
  Require(::pread(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const casemate::CodeChecker checker = casemate::CodeChecker::Make({}).value();
  InstantEngine engine;
  const int out = ::memfd_create("out", MFD_CLOEXEC);
  {
    casemate::mcp::Server server(engine, checker, {}, out);
    std::string_view text(reinterpret_cast<const char*>(data), size);
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      server.Handle(text.substr(0, end));
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
  }
  const std::string answers = TextOf(out);
  ::close(out);
  std::string_view rest(answers);
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    Require(end != std::string_view::npos);
    const std::string_view line = rest.substr(0, end);
    Require(casemate::ParseJson(line, {line.size(), casemate::kJsonDepthCeiling}).has_value());
    rest.remove_prefix(end + 1);
  }
  return 0;
}
