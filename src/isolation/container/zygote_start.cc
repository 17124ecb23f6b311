#include "isolation/container/zygote_start.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <optional>

#include "base/clock.h"
#include "base/errno.h"
#include "isolation/container/launcher.h"
#include "model/json_escape.h"
#include "zygote/zygote_module.h"

namespace casemate::container {
namespace {

constexpr std::int64_t kImportTimeoutMs = 120'000;
constexpr std::size_t kReportMax = 1 << 20;
// Room for the largest packages; what a zygote holds is shared by all of its cells.
constexpr std::int64_t kZygoteMemory = 4 * kGiB;

std::string Quoted(std::string_view text) {
  std::string quoted;
  AppendJsonString(quoted, text);
  return quoted;
}

std::string List(const std::vector<std::string>& words) {
  std::string list = "[";
  for (const std::string& word : words) list += (list.size() > 1 ? "," : "") + Quoted(word);
  return list + "]";
}

// A Python literal, as the harness's options are.
std::string Options(const EnvironmentView& environment, const std::vector<std::string>& preload,
                    const Host& host) {
  const ScratchPlan scratch = PlanScratch(Limits(), true, true);
  std::string views = "[";
  for (const ScratchView& view : scratch.views) {
    views +=
        fmt::format("({},{},{},{}),", Quoted(view.name), Quoted(view.target), view.attributes, view.mode);
  }
  const Limits limits;
  const std::string harness = fmt::format(
      R"({{"filename":"/code/main.py","argv":["main.py"],"sys_path":{},"result_bytes_max":{},"result_depth_max":{},"displays_bytes_max":{}}})",
      List(environment.sys_path), limits.result_bytes_max, limits.result_depth_max,
      limits.displays_bytes_max);
  return fmt::format(
      R"({{"preload":{},"sys_path":{},"scratch":{},"proc":{},"host_name":{},"change_ids":{},"views":{}],"landlock_abi":{},"writable":{},"harness":{}}})",
      List(preload), List(environment.sys_path), Quoted(scratch.options), Quoted(kProcOptions),
      Quoted(kHostName), host.ids.kind == IdSource::Kind::kSingle ? 0 : 1, views, host.landlock_abi,
      List(WritablePaths({})), Quoted(harness));
}

void AppendFrame(std::string& out, char type, std::string_view payload) {
  out += type;
  for (unsigned shift = 0; shift < 32; shift += 8) out += static_cast<char>((payload.size() >> shift) & 0xFF);
  out += payload;
}

LaunchSpec SpecOf(const EnvironmentView& environment, const std::vector<RootFile>& root_files) {
  LaunchSpec spec;
  spec.id = "zygote";
  spec.environment = environment;
  spec.policy.limits.memory_bytes = kZygoteMemory;
  spec.policy.limits.cpus = static_cast<double>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  spec.argv = {
      environment.python,          "-I", "-S", root_files.front().path, fmt::format("{}", kRequestFd),
      fmt::format("{}", kResultFd)};
  spec.root_files = root_files;
  spec.root_files.push_back({std::string(kZygoteModulePath), std::string(ZygoteModuleBytes())});
  spec.control_channel = true;
  return spec;
}

struct Report {
  std::map<std::string, std::string> modules;
  std::optional<std::string> unsafe;
};

std::optional<Report> ParseReport(std::string_view text) {
  boost::json::error_code failed;
  const boost::json::value value = boost::json::parse(text, failed);
  if (failed || !value.is_object()) return std::nullopt;
  Report report;
  const auto* modules = value.as_object().if_contains("modules");
  const auto* unsafe = value.as_object().if_contains("unsafe");
  if (modules == nullptr || !modules->is_object() || unsafe == nullptr) return std::nullopt;
  for (const auto& [name, state] : modules->as_object()) {
    if (!state.is_string()) return std::nullopt;
    report.modules[std::string(name)] = std::string(state.as_string());
  }
  if (unsafe->is_string()) report.unsafe = std::string(unsafe->as_string());
  return report;
}

// What the zygote wrote; its stderr explains an end without a report.
class Listener {
 public:
  explicit Listener(ContainerSandbox& sandbox) : sandbox_(sandbox) {}

  Expected<Report> Await(const Deadline& deadline) {
    while (!Complete()) {
      std::array<pollfd, 3> entries = {pollfd{sandbox_.ChannelFd(Channel::kResult), POLLIN, 0},
                                       pollfd{sandbox_.ChannelFd(Channel::kStdout), POLLIN, 0},
                                       pollfd{sandbox_.ChannelFd(Channel::kStderr), POLLIN, 0}};
      const int ready = poll(entries.data(), entries.size(), static_cast<int>(deadline.RemainingMs()));
      if (ready < 0 && errno == EINTR) continue;
      if (ready <= 0)
        return Fail(ErrorCode::kUnavailable, "the packages to preload did not load within two minutes");
      if (entries[1].revents != 0) Read(Channel::kStdout, ignored_);
      if (entries[2].revents != 0) Read(Channel::kStderr, errors_);
      if (entries[0].revents != 0 && !Read(Channel::kResult, report_) && !Complete()) return Dead();
    }
    auto report = ParseReport(std::string_view(report_).substr(5));
    if (!report) return Fail(ErrorCode::kInternal, "the zygote's report was garbled", report_.substr(0, 200));
    return *std::move(report);
  }

 private:
  bool Complete() const {
    if (report_.size() < 5) return false;
    std::size_t size = 0;
    for (std::size_t i = 4; i > 0; --i) size = size << 8 | static_cast<unsigned char>(report_[i]);
    return report_.size() >= 5 + size;
  }
  bool Read(Channel channel, std::string& into) {
    std::array<char, 65536> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init)
    const ssize_t count = read(sandbox_.ChannelFd(channel), buffer.data(), buffer.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return true;
    if (count <= 0) {
      sandbox_.CloseChannel(channel);
      return false;
    }
    if (into.size() < kReportMax) into.append(buffer.data(), static_cast<std::size_t>(count));
    return true;
  }
  std::unexpected<Error> Dead() {
    if (sandbox_.ChannelFd(Channel::kStderr) >= 0) Read(Channel::kStderr, errors_);
    return Fail(ErrorCode::kUnavailable, "the interpreter for warm cells could not start",
                errors_.substr(errors_.size() > 1000 ? errors_.size() - 1000 : 0));
  }

  ContainerSandbox& sandbox_;
  std::string report_;
  std::string errors_;
  std::string ignored_;
};

Expected<void> Tell(ContainerSandbox& sandbox, const std::string& options) {
  std::string request;
  AppendFrame(request, 'o', options);
  AppendFrame(request, 'g', {});
  // The pipe takes 64 KiB at once; a longer list of modules is none that anybody wants.
  const ssize_t written = write(sandbox.ChannelFd(Channel::kRequest), request.data(), request.size());
  if (written != static_cast<ssize_t>(request.size())) {
    return Fail(ErrorCode::kInvalidRequest, "the list of modules to preload is too long");
  }
  sandbox.CloseChannel(Channel::kRequest);
  return {};
}

}  // namespace

Expected<RunningZygote> StartRunningZygote(const Host& host, const EnvironmentView& environment,
                                           const std::vector<RootFile>& root_files,
                                           const std::vector<std::string>& preload) {
  const Deadline deadline = Deadline::After(kImportTimeoutMs);
  std::vector<std::string> modules = preload;
  std::map<std::string, std::string> unsafe;
  for (;;) {
    RunningZygote zygote;
    std::array<int, 2> ends{};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      return FailErrno(ErrorCode::kInternal, "out of file descriptors; raise the limit with ulimit -n",
                       "socketpair");
    }
    zygote.control = std::make_shared<const UniqueFd>(ends[0]);
    const UniqueFd theirs(ends[1]);
    zygote.single_id = host.ids.kind == IdSource::Kind::kSingle;
    auto sandbox = LaunchZygote(SpecOf(environment, root_files), host,
                                {theirs.get(), zygote.single_id ? 1 : kZygoteIdPairs});
    if (!sandbox) return std::unexpected(sandbox.error());
    zygote.sandbox = *std::move(sandbox);
    if (auto told = Tell(*zygote.sandbox, Options(environment, modules, host)); !told) {
      return std::unexpected(told.error());
    }
    auto report = Listener(*zygote.sandbox).Await(deadline);
    if (!report) return std::unexpected(report.error());
    zygote.modules = std::move(report->modules);
    if (!report->unsafe) {
      zygote.modules.insert(unsafe.begin(), unsafe.end());
      return zygote;
    }
    unsafe[*report->unsafe] = zygote.modules[*report->unsafe];
    std::erase(modules, *report->unsafe);
  }
}

}  // namespace casemate::container
