#include "isolation/fake/fake_backend.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace casemate::fake {
namespace {

struct Pipe {
  UniqueFd engine;
  UniqueFd program;
};

Pipe MakePipe(bool program_reads) {
  std::array<int, 2> fds{};
  if (pipe2(fds.data(), O_CLOEXEC) != 0) std::abort();
  Pipe pipe{UniqueFd(fds[program_reads ? 1 : 0]), UniqueFd(fds[program_reads ? 0 : 1])};
  fcntl(pipe.engine.get(), F_SETFL, O_NONBLOCK);
  return pipe;
}

class FakeSandbox : public Sandbox {
 public:
  FakeSandbox(Script script, bool with_stdin, std::shared_ptr<std::string> request_seen)
      : script_(std::move(script)), request_seen_(std::move(request_seen)) {
    constexpr std::array kProgramReads = {true, false, false, true, false};  // by Channel
    std::array<UniqueFd, 5> program;
    for (std::size_t i = 0; i < ends_.size(); ++i) {
      Pipe pipe = MakePipe(kProgramReads[i]);
      ends_[i] = std::move(pipe.engine);
      program[i] = std::move(pipe.program);
    }
    if (!with_stdin) FakeSandbox::CloseChannel(Channel::kStdin);
    exited_.reset(eventfd(0, EFD_CLOEXEC));
    killed_.reset(eventfd(0, EFD_CLOEXEC));
    denial_.reset(eventfd(script_.denials.empty() ? 0 : 1, EFD_CLOEXEC | EFD_NONBLOCK));
    thread_ = std::thread([this, ends = std::move(program)]() mutable { Play(ends); });
  }
  ~FakeSandbox() override {
    FakeSandbox::Kill();
    for (UniqueFd& end : ends_) end.reset();
    thread_.join();
  }
  FakeSandbox(const FakeSandbox&) = delete;
  FakeSandbox& operator=(const FakeSandbox&) = delete;

  int ChannelFd(Channel channel) const override { return ends_[static_cast<std::size_t>(channel)].get(); }
  bool writes_directly() const override { return !script_.carried; }
  void CloseChannel(Channel channel) override { ends_[static_cast<std::size_t>(channel)].reset(); }
  std::int64_t started_at_us() const override { return started_at_us_; }
  int exit_fd() const override { return exited_.get(); }
  ExitReport Exit() override {
    const std::lock_guard lock(mutex_);
    return exit_;
  }
  void Kill() noexcept override { Signal(killed_); }
  ResourceReading Read() override { return script_.reading; }
  int denial_fd() const override { return denials_taken_ ? -1 : denial_.get(); }
  Refusals TakeRefusals() override {
    denials_taken_ = true;
    return {script_.denials, script_.denials_fatal};
  }
  Expected<std::vector<OutputFile>> CollectFiles(const WantedFile& wanted,
                                                 std::int64_t /*bytes_max*/) override {
    std::vector<OutputFile> files;
    for (const OutputFile& file : script_.files) {
      if (wanted(file.name)) files.push_back(file);
    }
    return files;
  }
  std::vector<Timing> StartTimings() const override { return {{"fake", 1}}; }

 private:
  static void Signal(const UniqueFd& event) noexcept {
    const std::uint64_t one = 1;
    (void)!write(event.get(), &one, sizeof(one));
  }

  bool Killed(int timeout_ms) const {
    pollfd killed{killed_.get(), POLLIN, 0};
    return poll(&killed, 1, timeout_ms) == 1;
  }

  // False when it was killed.
  bool Wait(int fd, short events) const {
    std::array<pollfd, 2> fds{pollfd{fd, events, 0}, pollfd{killed_.get(), POLLIN, 0}};
    poll(fds.data(), fds.size(), -1);
    return fds[1].revents == 0;
  }

  bool Write(const UniqueFd& fd, std::string_view bytes) const {
    fcntl(fd.get(), F_SETFL, O_NONBLOCK);
    while (!bytes.empty()) {
      if (!Wait(fd.get(), POLLOUT)) return false;
      const ssize_t count = write(fd.get(), bytes.data(), bytes.size());
      if (count < 0) return errno == EPIPE;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  bool ReadAll(const UniqueFd& fd, std::string& text) const {
    std::array<char, 4096> buffer{};
    while (Wait(fd.get(), POLLIN)) {
      const ssize_t count = read(fd.get(), buffer.data(), buffer.size());
      if (count <= 0) return true;
      text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return false;
  }

  bool PlayThrough(const std::array<UniqueFd, 5>& ends) {
    const auto end = [&ends](Channel channel) -> const UniqueFd& {
      return ends[static_cast<std::size_t>(channel)];
    };
    if (script_.reads_request && !ReadAll(end(Channel::kRequest), *request_seen_)) return false;
    std::string echo;
    if (script_.echoes_stdin && !ReadAll(end(Channel::kStdin), echo)) return false;
    if (!Write(end(Channel::kStdout), echo + script_.stdout_text)) return false;
    if (!Write(end(Channel::kStderr), script_.stderr_text)) return false;
    if (!Write(end(Channel::kResult), script_.result_bytes)) return false;
    return !script_.runs_for_ever || !Killed(-1);
  }

  void Play(std::array<UniqueFd, 5>& ends) {
    sigset_t pipe_only;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_only, nullptr);
    const bool complete = PlayThrough(ends);
    for (UniqueFd& end : ends) end.reset();
    {
      const std::lock_guard lock(mutex_);
      exit_ = complete ? script_.exit : ExitReport{std::nullopt, SIGKILL};
    }
    Signal(exited_);
  }

  Script script_;
  std::shared_ptr<std::string> request_seen_;
  std::array<UniqueFd, 5> ends_;
  UniqueFd exited_;
  UniqueFd killed_;
  UniqueFd denial_;
  bool denials_taken_ = false;
  std::int64_t started_at_us_ = MonotonicUs();
  std::mutex mutex_;
  ExitReport exit_;
  std::thread thread_;
};

}  // namespace

Expected<EnforcementReport> FakeBackend::Admit(const Policy& /*policy*/) {
  if (admit_error) return std::unexpected(*admit_error);
  EnforcementReport report;
  report.tier = tier_;
  report.not_enforced.push_back({"filesystem", "this backend is a fake", "", "use another tier"});
  return report;
}

Expected<std::unique_ptr<Sandbox>> FakeBackend::Launch(const LaunchSpec& spec) {
  if (launch_error) return std::unexpected(*launch_error);
  launched = spec;
  return std::make_unique<FakeSandbox>(script_, spec.stdin_pipe, request_seen);
}

}  // namespace casemate::fake
