#include "isolation/docker/container.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "isolation/docker/image.h"

namespace casemate::docker {
namespace {

constexpr std::int64_t kStartTimeoutMs = 60'000;
constexpr std::int64_t kRemoveTimeoutMs = 10'000;
constexpr int kNotFound = 404;

class Maker {
 public:
  Maker(std::shared_ptr<const Api> api, const ContainerOrder& order, std::vector<Timing>& timings)
      : order_(order), timings_(timings), mark_us_(MonotonicUs()) {
    container_.api = std::move(api);
  }

  Expected<Container> Run() {
    for (auto step : {&Maker::Create, &Maker::Attach, &Maker::Start, &Maker::Find}) {
      if (auto done = (this->*step)(); !done) return std::unexpected(done.error());
    }
    return std::move(container_);
  }

 private:
  const Api& api() const { return *container_.api; }
  std::string Target(std::string_view what) const {
    return fmt::format("/containers/{}{}", container_.id, what);
  }

  void Mark(std::string_view step) {
    const std::int64_t now = MonotonicUs();
    timings_.push_back({std::string(step), now - mark_us_});
    mark_us_ = now;
  }

  static std::unexpected<Error> Refused(std::string_view what, const Reply& reply) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("the Docker Engine cannot {}: {}", what, reply.message()),
                fmt::format("status {}", reply.status));
  }

  Expected<void> Create() {
    const std::string target = "/containers/create?name=" + UrlEncode(order_.name);
    auto reply = api().Call("POST", target, order_.config);
    if (reply && reply->status == kNotFound) {
      static std::mutex one_build;
      const std::lock_guard lock(one_build);
      reply = api().Call("POST", target, order_.config);
      if (reply && reply->status == kNotFound) {
        if (auto built = BuildImage(api(), order_.environment, order_.image); !built) return built;
        Mark("docker.image");
        reply = api().Call("POST", target, order_.config);
      }
    }
    if (!reply) return std::unexpected(std::move(reply.error()));
    if (!reply->ok()) return Refused("make a container", *reply);
    container_.id = JsonAt(reply->body, {"Id"});
    Mark("docker.create");
    return {};
  }

  Expected<void> Attach() {
    auto stream = api().Hijack(Target("/attach?stream=1&stdin=1&stdout=1&stderr=1"));
    if (!stream) return std::unexpected(std::move(stream.error()));
    container_.stream = *std::move(stream);
    Mark("docker.attach");
    return {};
  }

  Expected<void> Start() {
    const auto reply = api().Call("POST", Target("/start"), {}, kStartTimeoutMs);
    if (!reply) return std::unexpected(reply.error());
    if (!reply->ok()) return Refused("start the container", *reply);
    Mark("docker.start");
    return {};
  }

  // Its first process, seen from this host.
  Expected<void> Find() {
    if (!api().place().local()) return {};
    const auto reply = api().Call("GET", Target("/json"));
    if (!reply) return std::unexpected(reply.error());
    pid_t pid = 0;
    const std::string text = JsonAt(reply->body, {"State", "Pid"});
    std::from_chars(text.data(), text.data() + text.size(), pid);
    if (pid <= 0) return {};
    UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    container_.counters = Counters::Open(pid, container_.id);
    // Only a process whose cgroup has the container's name is the one that is meant.
    if (container_.counters) container_.pidfd = std::move(pidfd);
    Mark("docker.find");
    return {};
  }

  const ContainerOrder& order_;
  std::vector<Timing>& timings_;
  std::int64_t mark_us_;
  Container container_;
};

}  // namespace

Container::Container(Container&& other) noexcept
    : api(std::move(other.api)),
      id(std::exchange(other.id, {})),
      stream(std::move(other.stream)),
      pidfd(std::move(other.pidfd)),
      counters(std::move(other.counters)) {}

Container& Container::operator=(Container&& other) noexcept {
  std::swap(api, other.api);
  std::swap(id, other.id);
  std::swap(stream, other.stream);
  std::swap(pidfd, other.pidfd);
  std::swap(counters, other.counters);
  return *this;
}

Container::~Container() {
  stream.fd.reset();
  if (!id.empty()) (void)RemoveContainer(*api, id);
}

bool Container::Alive() const {
  pollfd process{pidfd.get(), POLLIN, 0};
  pollfd attached{stream.fd.get(), POLLRDHUP, 0};
  return poll(&process, 1, 0) == 0 && poll(&attached, 1, 0) == 0;
}

Expected<Container> MakeContainer(std::shared_ptr<const Api> api, const ContainerOrder& order,
                                  std::vector<Timing>& timings) {
  return Maker(std::move(api), order, timings).Run();
}

Expected<Reply> RemoveContainer(const Api& api, const std::string& id) {
  const Deadline deadline = Deadline::After(kRemoveTimeoutMs);
  for (;;) {
    auto reply = api.Call("DELETE", "/containers/" + id + "?force=1&v=1", {}, deadline.RemainingMs() + 1);
    // 409: it is being removed already.
    if (!reply || reply->ok() || reply->status == kNotFound || deadline.Passed()) return reply;
    poll(nullptr, 0, 5);
  }
}

}  // namespace casemate::docker
