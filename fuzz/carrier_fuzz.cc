// link: isolation_docker isolation_wire base
// What the first process of a container or of a guest says once it is hostile: while the program runs (up to
// the first 0x1E, and what follows until an exit), and then of the files that are asked for. However it lies,
// reading ends, with no more than was asked for.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "base/utf8.h"
#include "isolation/docker/carrier.h"

namespace {

using casemate::UniqueFd;
using casemate::docker::Carrier;

void Require(bool holds) {
  if (!holds) std::abort();
}

std::pair<UniqueFd, UniqueFd> Pipe() {
  std::array<int, 2> fds{};
  Require(::pipe2(fds.data(), O_CLOEXEC | O_NONBLOCK) == 0);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kPipeBytes = 60'000;  // nobody reads the outputs, so they are to fit
  constexpr std::int64_t kFileBytesMax = 100;
  if (size == 0 || size > kPipeBytes) return -1;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t separator = bytes.find('\x1e');
  const std::string_view later = separator == std::string_view::npos ? "" : bytes.substr(separator + 1);

  std::array<int, 2> stream{};
  Require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, stream.data()) == 0);
  const UniqueFd theirs(stream[1]);
  Require(casemate::WriteAll(theirs.get(), later, "stream").has_value());
  ::shutdown(theirs.get(), SHUT_WR);

  auto [stdin_end, input] = Pipe();
  auto [request_end, request] = Pipe();
  auto [output, stdout_end] = Pipe();
  auto [errors, stderr_end] = Pipe();
  auto [result, result_end] = Pipe();
  input.reset();
  Require(casemate::WriteAll(request.get(), "request", "request").has_value());
  const auto layers = data[0] % 2 == 0 ? casemate::Layers::kBare : casemate::Layers::kDocker;
  Carrier carrier({UniqueFd(stream[0]), UniqueFd(), std::string(bytes.substr(0, separator)), layers},
                  {std::move(stdin_end), std::move(request_end), std::move(stdout_end), std::move(stderr_end),
                   std::move(result_end)},
                  "order", [] { return true; });
  carrier.Start();
  pollfd ended{carrier.exit_fd(), POLLIN, 0};
  constexpr int kPatienceMs = 20'000;
  int ready = -1;
  do {
    ready = ::poll(&ended, 1, kPatienceMs);
  } while (ready < 0 && errno == EINTR);  // by libFuzzer's own timer
  Require(ready == 1);
  const casemate::ExitReport report = carrier.Exit();
  Require(report.exit_code.value_or(0) < 256 && report.signal.value_or(0) < 128);
  (void)carrier.counted();
  const auto files = carrier.Collect([](std::string_view name) { return !name.empty(); }, kFileBytesMax);
  if (!files) {
    Require(!files.error().message.empty());
    return 0;
  }
  std::size_t total = 0;
  for (const casemate::OutputFile& file : *files) {
    Require(casemate::IsValidUtf8(file.name));
    Require(file.truncated ? file.bytes.empty()
                           : file.size_bytes == static_cast<std::int64_t>(file.bytes.size()));
    total += file.bytes.size();
  }
  Require(total <= static_cast<std::size_t>(kFileBytesMax));
  return 0;
}
