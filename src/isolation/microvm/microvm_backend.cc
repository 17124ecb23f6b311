// Theory of operation: a launch.
//
//   engine                                     walls of the container tier
//   image of the root, template (once) --+
//   QEMU starts -------------------------|---> -incoming: waits for a machine's state on kRequestFd
//   splices the template's file there ---+---> the machine goes on where its init waits
//   BootOrder, filter, the attendant's order > QEMU's stdin is the guest's control port, ...
//   <-- frames of the attendant ------------- ... and its stdout too
//
// QEMU is a program like any other there: its namespaces, its cgroup, its filter and its end are the
// container tier's. What is special is the guest inside, whose attendant is the docker tier's.
#include "isolation/microvm/microvm_backend.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/errno.h"
#include "base/file.h"
#include "base/quiet_pipes.h"
#include "base/sha256.h"
#include "confine/seccomp_filter.h"
#include "confine/seccomp_standalone.h"
#include "isolation/docker/launch_order.h"
#include "isolation/microvm/accelerator.h"
#include "isolation/microvm/admission.h"
#include "isolation/microvm/inside/boot.h"
#include "isolation/microvm/sandbox.h"
#include "isolation/microvm/template.h"

namespace casemate::microvm {
namespace {

constexpr std::int64_t kStartTimeoutMs = 60'000;
// QEMU's own threads, and those that read its disk.
constexpr std::int64_t kQemuThreads = 96;
constexpr std::int64_t kOwnSlackBytes = 256 * kKiB;
constexpr std::int64_t kAttendantFiles = 2048;

// Where QEMU sees its files.
constexpr const char* kKernelInside = "/machine/kernel";
constexpr const char* kInitramfsInside = "/machine/initramfs";
constexpr const char* kRootInside = "/machine/root";

std::string Bytes(const auto& object) { return {reinterpret_cast<const char*>(&object), sizeof(object)}; }

// What the guest's init is told, and the filter behind it.
Expected<std::string> EncodeBootOrder(const LaunchSpec& spec) {
  const Limits& limits = spec.policy.limits;
  const auto network = spec.policy.network.open() ? SandboxNetwork::kLoopback : SandboxNetwork::kNone;
  const std::vector<sock_filter> filter = StandaloneSeccompFilter(ContainerSeccompTables(), network);
  BootOrder order;
  order.raises_loopback = spec.policy.network.open() ? 1 : 0;
  order.filter_length = static_cast<std::uint32_t>(filter.size());
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  order.realtime_s = now.tv_sec;
  order.realtime_ns = now.tv_nsec;
  order.memory_bytes = static_cast<std::uint64_t>(limits.memory_bytes);
  // The attendant is one of them.
  order.processes_max = static_cast<std::uint64_t>(limits.processes_max) + 1;
  order.scratch_bytes = static_cast<std::uint64_t>(limits.tmp_bytes);
  order.scratch_files = static_cast<std::uint64_t>(limits.tmp_files_max);
  std::int64_t own = kOwnSlackBytes;
  for (const RootFile& file : spec.root_files) own += static_cast<std::int64_t>(file.bytes.size()) + 4096;
  for (const ResolvedSecret& secret : spec.secrets)
    own += static_cast<std::int64_t>(secret.value->size()) + 4096;
  order.own_bytes = static_cast<std::uint64_t>(own);
  order.open_files_max = static_cast<std::uint64_t>(std::max(kAttendantFiles, limits.open_files_max));
  if (getrandom(order.entropy, sizeof(order.entropy), 0) != static_cast<ssize_t>(sizeof(order.entropy)))
    return FailErrno(ErrorCode::kInternal, "the host gives no randomness", "getrandom");
  std::string bytes = Bytes(order);
  for (const sock_filter& word : filter) bytes += Bytes(word);
  return bytes;
}

std::unexpected<Error> NotStarted(const docker::Carrier::NotStarted& trouble, const std::string& command,
                                  const std::string& said, const std::string& folder) {
  if (trouble.err != 0) return docker::OrderFailed(trouble, command, "guest");
  return Fail(
      ErrorCode::kUnavailable,
      fmt::format("the guest ended before its program began; if it does so again, remove {}, whose images "
                  "are then made anew",
                  folder),
      said.empty() ? trouble.what : said);
}

class MicrovmBackend : public Backend {
 public:
  MicrovmBackend(std::unique_ptr<Backend> wall, std::string folder)
      : wall_(std::move(wall)), cache_(std::move(folder)) {}

  Tier tier() const override { return Tier::kMicrovm; }
  bool only_by_name() const override { return true; }
  bool PlacesRoots() const override { return true; }
  bool CarriesNetwork() const override { return true; }
  std::string why_never_chosen() override {
    const auto host = Find();
    // What is missing is told by Admit().
    if (!host || host->accelerator == Accelerator::kKvm) return "";
    return fmt::format(
        "QEMU would emulate the processor in software, which is slow and no wall that its makers "
        "vouch for ({}); --isolation microvm takes it all the same",
        host->why_emulated);
  }

  Expected<EnforcementReport> Admit(const Policy& policy) override {
    auto host = Find();
    if (!host) return std::unexpected(host.error());
    if (policy.writes_host_folder) {
      return Fail(
          ErrorCode::kUnavailable,
          "a guest cannot write to a folder of the host: use the workspace mode `copy` and collect the "
          "files, or --isolation container");
    }
    Policy around = policy;
    around.require_limits = false;
    around.network = {};
    auto wall = wall_->Admit(around);
    if (!wall) return wall;
    return AdmitGuest(*wall, host->Describe(), policy);
  }

  Expected<std::unique_ptr<Sandbox>> Launch(const LaunchSpec& spec) override {
    auto host = Find();
    if (!host) return std::unexpected(host.error());
    if (auto can = Check(spec); !can) return std::unexpected(can.error());
    std::vector<Timing> timings;
    std::int64_t mark = MonotonicUs();
    const auto step = [&](const char* name) {
      const std::int64_t now = MonotonicUs();
      timings.push_back({name, now - mark});
      mark = now;
    };
    const int processors = static_cast<int>(std::thread::hardware_concurrency());
    const Machine machine = MachineFor(spec.policy.limits, host->accelerator, processors);
    MachineFiles files{host->kernel.image, {}, {}};
    auto initramfs = cache_.Initramfs(host->kernel);
    if (!initramfs) return std::unexpected(initramfs.error());
    files.initramfs = *initramfs;
    auto root = cache_.Root(spec.environment);
    if (!root) return std::unexpected(root.error());
    files.root = *root;
    step("microvm.image");
    auto state = FindTemplate(*host, machine, files);
    if (!state) return std::unexpected(state.error());
    step("microvm.template");
    auto sandbox = std::make_unique<MicrovmSandbox>();
    sandbox->parts().timings = std::move(timings);
    if (auto begun = Begin(spec, *host, machine, files, *state, *sandbox); !begun)
      return std::unexpected(begun.error());
    return sandbox;
  }

 private:
  struct Host {
    Qemu qemu;
    GuestKernel kernel;
    Accelerator accelerator = Accelerator::kTcg;
    std::string why_emulated;

    std::string Describe() const {
      if (accelerator == Accelerator::kKvm) return fmt::format("QEMU {} with KVM", qemu.version);
      return fmt::format("QEMU {}, emulating the processor in software ({})", qemu.version, why_emulated);
    }
  };

  // Once, and only when a run comes.
  Expected<Host> Find() {
    const std::lock_guard lock(mutex_);
    if (host_) return *host_;
    Host host;
    auto qemu = FindQemu();
    if (!qemu) return std::unexpected(qemu.error());
    host.qemu = *std::move(qemu);
    auto kernel = FindGuestKernel();
    if (!kernel) return std::unexpected(kernel.error());
    host.kernel = *std::move(kernel);
    const AcceleratorChoice choice = ChooseAccelerator(cache_.folder(), [&] { return TryKvm(host); });
    host.accelerator = choice.accelerator;
    host.why_emulated = choice.why_not_kvm;
    host_ = std::move(host);
    return *host_;
  }

  Expected<void> TryKvm(const Host& host) const {
    auto initramfs = cache_.Initramfs(host.kernel);
    if (!initramfs) return std::unexpected(initramfs.error());
    const Machine machine = MachineFor(Limits{}, Accelerator::kKvm, 1);
    const std::string console = fmt::format("{}/kvm-{}.part.console", cache_.folder(), getpid());
    auto booted = TryBoot(host.qemu, machine, {host.kernel.image, *initramfs, *initramfs},
                          BootTimeoutMs(machine.accelerator), console);
    unlink(console.c_str());
    return booted;
  }

  static Expected<void> Check(const LaunchSpec& spec) {
    if (!spec.mounts.empty() || (spec.workspace && spec.workspace->mode == WorkspaceMode::kReadWrite)) {
      return Fail(
          ErrorCode::kUnavailable,
          "a guest sees no folder of the host: use the workspace mode `copy` or `ro`, give files with "
          "--file, or use --isolation container");
    }
    if (!spec.session.empty())
      return Fail(ErrorCode::kUnavailable, "the microvm tier has no sessions; use --isolation container");
    return {};
  }

  Expected<std::string> FindTemplate(const Host& host, const Machine& machine,
                                     const MachineFiles& files) const {
    Sha256 sum;
    for (const std::string& word : MachineWords(host.qemu.identity, machine, files)) sum.Update(word + "\n");
    constexpr std::size_t kDigits = 24;
    return cache_.Find(
        fmt::format("template-{}.state", sum.Hex().substr(0, kDigits)), [&](const std::string& part) {
          const std::string console = part + ".console";
          auto made =
              MakeTemplate(host.qemu, machine, files, BootTimeoutMs(machine.accelerator), console, part);
          unlink(console.c_str());
          return made;
        });
  }

  static LaunchSpec SpecForQemu(const LaunchSpec& spec, const Host& host, const Machine& machine,
                                const MachineFiles& files) {
    LaunchSpec around;
    around.id = spec.id;
    around.policy = spec.policy;
    around.policy.limits.memory_bytes = machine.memory_bytes + QemuMemoryBytes(machine);
    around.policy.limits.processes_max = kQemuThreads;
    around.policy.network = {};
    around.policy.require_limits = false;
    around.environment.name = "qemu";
    around.environment.read_only_paths = {"/usr"};
    for (const char* name : {"bin", "lib", "lib64"})
      around.environment.symlinks.emplace_back(fmt::format("/{}", name), fmt::format("usr/{}", name));
    around.environment.placed_paths = {
        {files.kernel, kKernelInside}, {files.initramfs, kInitramfsInside}, {files.root, kRootInside}};
    if (machine.accelerator == Accelerator::kKvm) around.environment.devices = {"/dev/kvm"};
    around.argv = MachineWords(host.qemu.path, machine, {kKernelInside, kInitramfsInside, kRootInside});
    for (std::string word : {std::string("-serial"), std::string("null"), std::string("-chardev"),
                             std::string("stdio,id=control,signal=off"), std::string("-incoming"),
                             fmt::format("fd:{}", kRequestFd)})
      around.argv.push_back(std::move(word));
    around.stdin_pipe = true;
    around.control_channel = true;
    return around;
  }

  Expected<void> Begin(const LaunchSpec& spec, const Host& host, const Machine& machine,
                       const MachineFiles& files, const std::string& state, MicrovmSandbox& sandbox) {
    MicrovmSandbox::Parts& parts = sandbox.parts();
    std::int64_t mark = MonotonicUs();
    const auto step = [&](const char* name) {
      const std::int64_t now = MonotonicUs();
      parts.timings.push_back({name, now - mark});
      mark = now;
    };
    auto boot = EncodeBootOrder(spec);
    if (!boot) return std::unexpected(boot.error());
    auto order = docker::LaunchOrder(spec, docker::HostFolder::kCopied);
    if (!order) return std::unexpected(order.error());
    auto wall = wall_->Launch(SpecForQemu(spec, host, machine, files));
    if (!wall) return std::unexpected(wall.error());
    parts.wall = *std::move(wall);
    step("microvm.wall");
    if (auto fed = Feed(state, *parts.wall); !fed) return fed;
    step("microvm.restore");
    auto ends = docker::MakePipes(spec, parts.channels, parts.egress);
    if (!ends) return std::unexpected(ends.error());
    docker::Carrier::Line line;
    line.in = UniqueFd(fcntl(parts.wall->ChannelFd(Channel::kStdout), F_DUPFD_CLOEXEC, 0));
    line.out = UniqueFd(fcntl(parts.wall->ChannelFd(Channel::kStdin), F_DUPFD_CLOEXEC, 0));
    line.layers = Layers::kBare;
    line.broken = "the guest broke off";
    parts.wall->CloseChannel(Channel::kStdout);
    parts.wall->CloseChannel(Channel::kStdin);
    parts.carrier = std::make_unique<docker::Carrier>(std::move(line), *std::move(ends), *boot + *order,
                                                      [wall = parts.wall.get()] {
                                                        wall->Kill();
                                                        return true;
                                                      });
    parts.carrier->Start();
    const auto trouble = WaitStarted(parts);
    parts.started_at_us = MonotonicUs();
    parts.cpu_before_us = parts.wall->Read().cpu_time_us;
    step("microvm.program");
    if (trouble) return NotStarted(*trouble, spec.argv.front(), Complaint(*parts.wall), cache_.folder());
    return {};
  }

  // Answers what QEMU is refused meanwhile, since it waits for that.
  static std::optional<docker::Carrier::NotStarted> WaitStarted(MicrovmSandbox::Parts& parts) {
    constexpr std::int64_t kTurnMs = 20;
    const Deadline deadline = Deadline::After(kStartTimeoutMs);
    for (;;) {
      (void)parts.wall->TakeRefusals();
      auto trouble = parts.carrier->WaitStarted(Deadline::After(kTurnMs));
      if (!trouble || trouble->err != ETIMEDOUT || deadline.Passed()) return trouble;
    }
  }

  // The template's bytes go from the page cache into the pipe that QEMU reads.
  static Expected<void> Feed(const std::string& state, Sandbox& wall) {
    const QuietPipes quiet;
    auto file = OpenFile(state, O_RDONLY);
    if (!file) return std::unexpected(file.error());
    const Deadline deadline = Deadline::After(kStartTimeoutMs);
    constexpr int kPipeBytes = 1 << 20;
    (void)fcntl(wall.ChannelFd(Channel::kRequest), F_SETPIPE_SZ, kPipeBytes);
    for (;;) {
      const ssize_t count = splice(file->get(), nullptr, wall.ChannelFd(Channel::kRequest), nullptr,
                                   kPipeBytes, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
      if (count == 0) break;
      if (count > 0 || errno == EINTR) continue;
      // QEMU reads what it needs and no description behind it. Where it has died, the control port tells so.
      if (errno == EPIPE) break;
      if (errno != EAGAIN) return Broken(state, wall, "splice");
      std::array<pollfd, 3> entries{{{wall.ChannelFd(Channel::kRequest), POLLOUT, 0},
                                     {wall.denial_fd(), POLLIN, 0},
                                     {wall.exit_fd(), POLLIN, 0}}};
      if (poll(entries.data(), entries.size(), static_cast<int>(deadline.RemainingMs())) == 0)
        return Broken(state, wall, "the time is over");
      if (entries[1].revents != 0) (void)wall.TakeRefusals();
      if (entries[2].revents != 0) return Broken(state, wall, "QEMU ended");
    }
    wall.CloseChannel(Channel::kRequest);
    return {};
  }

  static std::string Complaint(Sandbox& wall) {
    constexpr std::size_t kComplaintBytes = 1024;
    std::string said(kComplaintBytes, '\0');
    const ssize_t count = read(wall.ChannelFd(Channel::kStderr), said.data(), said.size());
    said.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    std::ranges::replace(said, '\n', ' ');
    return said;
  }

  static std::unexpected<Error> Broken(const std::string& state, Sandbox& wall, const char* what) {
    return Fail(
        ErrorCode::kUnavailable,
        fmt::format("QEMU did not take a guest's saved state; remove {}, which is then made anew", state),
        fmt::format("{}: {}", what, Complaint(wall)));
  }

  std::unique_ptr<Backend> wall_;
  ImageCache cache_;
  std::mutex mutex_;
  std::optional<Host> host_;
};

}  // namespace

std::string ImageFolder(const std::string& state_dir) { return state_dir + "/microvm"; }

std::unique_ptr<Backend> MakeMicrovmBackend(std::unique_ptr<Backend> wall, std::string folder) {
  return std::make_unique<MicrovmBackend>(std::move(wall), std::move(folder));
}

}  // namespace casemate::microvm
