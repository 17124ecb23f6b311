// The way out of a container of an OCI runtime: takes connections on its loopback and carries them over two
// pipes to the engine, which hands each to the run's egress proxy. Started by the container's init
// (src/confine/init/starter.c) before the program, with the program's user id and system calls. What may be
// reached is decided at the other end alone: with all that this process has, the program would reach the
// proxy, as it does anyway. It can end this process (SIGKILL), and has no network then.
//
// Argument: "CONNECTIONS,MS": how many there may be at one time, and for how long none may have anything to
// say before all was said, once the program has ended. Descriptors:
//   0  from the engine   1  to the engine   3  listens   4  readable when the program has ended
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>
#include <vector>

#include "isolation/wire/inside/channel.h"
#include "isolation/wire/inside/egress_listener.h"

namespace casemate {
namespace {

constexpr int kListenerFd = 3;
constexpr int kEndFd = 4;
constexpr int kTroubled = 1;

// Until the program has ended.
void Serve(WireChannel& channel, EgressListener& egress) {
  for (;;) {
    std::vector<pollfd> entries = {{STDIN_FILENO, POLLIN, 0}, {kEndFd, POLLIN, 0}};
    const std::size_t own = entries.size();
    egress.Watch(entries);
    if (poll(entries.data(), entries.size(), -1) < 0) {
      if (errno == EINTR) continue;
      _exit(kTroubled);
    }
    if (entries[0].revents != 0) {
      channel.Fill();
      WireChannel::Frame frame;
      while (channel.Next(frame)) {
        if (!egress.Hear(frame.kind, frame.payload)) _exit(kTroubled);
      }
    }
    egress.Serve(entries.data() + own);
    if (entries[1].revents != 0) return;
  }
}

}  // namespace
}  // namespace casemate

int main(int argc, char** argv) {
  // Its descriptors under /proc and its memory are closed to the program then.
  if (argc != 2 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return casemate::kTroubled;
  casemate::WireChannel channel;
  char* rest = argv[1];
  const unsigned long connections_max = strtoul(rest, &rest, 10);
  const int quiet_ms = *rest == ',' ? static_cast<int>(strtoul(rest + 1, nullptr, 10)) : 0;
  casemate::EgressListener egress(casemate::UniqueFd(casemate::kListenerFd), connections_max);
  casemate::Serve(channel, egress);
  egress.Drain(quiet_ms);
  return 0;
}
