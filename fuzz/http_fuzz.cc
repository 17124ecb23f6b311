// link: surfaces_http keys audit batch redact policy_checks model base
// What a peer sends on a connection, at once and in small pieces: the server reads all of it, answers, and
// ends.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "surfaces/http/connection.h"

namespace {

class InstantEngine : public casemate::Engine {
 public:
  casemate::ExecutionResult Execute(const casemate::ExecutionRequest& /*request*/, casemate::EventSink* sink,
                                    int /*cancel_fd*/, casemate::CancelWhen /*cancel_when*/) override {
    casemate::ExecutionResult result;
    result.status = casemate::Status::kOk;
    if (sink != nullptr) sink->OnEvent(casemate::FinishedEvent{&result});
    return result;
  }
};

// A socket from which at most `piece` bytes come at once.
class PieceWire : public casemate::http::PlainWire {
 public:
  PieceWire(int fd, std::size_t piece) : PlainWire(fd), piece_(piece) {}
  Io Read(std::span<char> room) override {
    return PlainWire::Read(room.first(std::min(piece_, room.size())));
  }

 private:
  std::size_t piece_;
};

void Serve(const std::uint8_t* data, std::size_t size, std::size_t piece) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) std::abort();
  if (::write(ends[1], data, size) != static_cast<ssize_t>(size)) std::abort();
  ::shutdown(ends[1], SHUT_WR);
  InstantEngine engine;
  casemate::http::Handler handler(engine, "0");
  std::atomic<bool> busy = false;
  // Nobody reads the answers either.
  PieceWire wire(ends[0], piece);
  const casemate::http::PeerInfo peer{"fuzz", (size & 1U) == 0, true};
  casemate::http::ServeConnection(wire, peer, handler, {.body_bytes_max = 10'000, .write_ms = 0}, busy);
  if (busy) std::abort();
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kBytesMax = 100'000;  // what the socket holds while nobody reads
  if (size > kBytesMax) return -1;
  Serve(data, size, kBytesMax);
  Serve(data, size, size % 4 + 1);
  return 0;
}
