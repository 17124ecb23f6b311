#include "isolation/docker/sandbox.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <ctime>
#include <utility>

#include "isolation/docker/image.h"

namespace casemate::docker {
namespace {

constexpr std::int64_t kKillTimeoutMs = 5000;
constexpr int kGoneMs = 2000;
constexpr int kNotFound = 404;
constexpr int kConflict = 409;

}  // namespace

DockerSandbox::~DockerSandbox() {
  if (parts_.carrier) {
    // What still comes has no reader.
    for (UniqueFd& channel : parts_.channels) channel.reset();
    parts_.carrier->Stop();
    parts_.carrier->Close();
  }
  if (!parts_.discard || !parts_.container.pidfd.valid()) return;
  HardKill();
  pollfd gone{parts_.container.pidfd.get(), POLLIN, 0};
  if (poll(&gone, 1, kGoneMs) > 0) parts_.discard(std::move(parts_.container));
}

bool DockerSandbox::HardKill() {
  if (parts_.container.pidfd.valid()) {
    const long killed = syscall(SYS_pidfd_send_signal, parts_.container.pidfd.get(), SIGKILL, nullptr, 0);
    if (killed == 0 || errno == ESRCH) return true;
  }
  if (parts_.container.id.empty()) return true;
  const auto reply = parts_.container.api->Call(
      "POST", "/containers/" + parts_.container.id + "/kill?signal=KILL", {}, kKillTimeoutMs);
  return reply && (reply->ok() || reply->status == kNotFound || reply->status == kConflict);
}

// Repeated by the supervisor until the sandbox is gone; once is enough.
void DockerSandbox::Kill() noexcept {
  if (!stop_told_) parts_.carrier->Stop();
  stop_told_ = true;
}

ExitReport DockerSandbox::Exit() {
  ExitReport report = parts_.carrier->Exit();
  AskEngine();
  // The first process itself was taken for memory: the program's fault, as the count says.
  if (report.init_failed && last_.memory_kills > 0) report.init_failed = false;
  return report;
}

ResourceReading DockerSandbox::Read() {
  if (parts_.container.counters) parts_.container.counters->Read(last_);
  last_.tmp_bytes = parts_.carrier->tmp_bytes();
  last_.tmp_files = parts_.carrier->tmp_files();
  last_.tmp_full = last_.tmp_full || parts_.carrier->tmp_full();
  return last_;
}

// What a host elsewhere counts, once, while the container is still there.
void DockerSandbox::AskEngine() {
  Read();
  if (parts_.container.counters || asked_) return;
  asked_ = true;
  const auto number = [](const std::string& text) {
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  };
  const std::string base = "/containers/" + parts_.container.id;
  if (const auto stats = parts_.container.api->Call("GET", base + "/stats?stream=false&one-shot=true");
      stats && stats->ok()) {
    constexpr std::int64_t kNanosecondsPerMicrosecond = 1000;
    last_.cpu_time_us =
        number(JsonAt(stats->body, {"cpu_stats", "cpu_usage", "total_usage"})) / kNanosecondsPerMicrosecond;
    last_.memory_peak_bytes = number(JsonAt(stats->body, {"memory_stats", "max_usage"}));
    if (last_.memory_peak_bytes == 0)
      last_.memory_peak_bytes = number(JsonAt(stats->body, {"memory_stats", "usage"}));
  }
  const ExitReport report = parts_.carrier->Exit();
  if (report.signal != SIGKILL && report.exit_code != 128 + SIGKILL) return;
  // The engine marks a container only when it has ended; what it was told of a living one is among its
  // events. Until the next second, since the event may be on its way still.
  const std::string filters = fmt::format(R"({{"container":["{}"],"event":["oom"]}})", parts_.container.id);
  const auto events = parts_.container.api->Call(
      "GET", fmt::format("/events?since=1&until={}&filters={}", std::time(nullptr) + 1, UrlEncode(filters)));
  if (events && events->ok() && !events->body.empty()) last_.memory_kills = 1;
}

}  // namespace casemate::docker
