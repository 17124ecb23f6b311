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
#include "model/json_writer.h"
#include "runtime/frame.h"
#include "runtime/python_program.h"
#include "zygote/zygote_module.h"

namespace casemate::container {
namespace {

constexpr std::int64_t kImportTimeoutMs = 120'000;
constexpr std::size_t kReportMax = 4 << 20;
constexpr std::array kReportLimits = {FrameLimit{FrameType::kZygoteReport, kReportMax}};
constexpr std::size_t kErrorsMax = 1 << 16;
// Room for the largest packages; what a zygote holds is shared by all of its cells.
constexpr std::int64_t kZygoteMemory = 4 * kGiB;

void WriteTexts(JsonWriter& writer, std::string_view name, const std::vector<std::string>& texts) {
  writer.Key(name);
  writer.BeginArray();
  for (const std::string& text : texts) writer.String(text);
  writer.EndArray();
}

// A Python literal, as the harness's options are.
std::string Options(const EnvironmentView& environment, const std::vector<std::string>& preload,
                    const Host& host) {
  const ScratchPlan scratch = PlanScratch(Limits(), true, true);
  JsonWriter options;
  options.BeginObject();
  WriteTexts(options, "preload", preload);
  WriteTexts(options, "sys_path", environment.sys_path);
  if (!environment.base_python.empty()) options.Field("prefix", environment.python_prefix);
  WriteTexts(options, "writable", WritablePaths({}));
  options.Field("scratch", scratch.options);
  options.Field("proc", kProcOptions);
  options.Field("host_name", kSandboxHostName);
  options.Field("change_ids", host.ids.kind == IdSource::Kind::kSingle ? 0 : 1);
  options.Field("landlock_abi", host.landlock_abi);
  options.Field("harness", HarnessOptions("main.py", {}, environment, Limits()));
  options.Key("views");
  options.BeginArray();
  for (const ScratchView& view : scratch.views) {
    options.BeginArray();
    options.String(view.name);
    options.String(view.target);
    options.Int(static_cast<std::int64_t>(view.attributes));
    options.Int(view.mode);
    options.EndArray();
  }
  options.EndArray();
  options.EndObject();
  return std::move(options).Take();
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
  std::vector<std::string> files;
  std::optional<std::string> unsafe;
};

std::optional<Report> ParseReport(std::string_view text) {
  boost::json::error_code failed;
  const boost::json::value value = boost::json::parse(text, failed);
  if (failed || !value.is_object()) return std::nullopt;
  Report report;
  const auto* modules = value.as_object().if_contains("modules");
  const auto* files = value.as_object().if_contains("files");
  const auto* unsafe = value.as_object().if_contains("unsafe");
  if (modules == nullptr || !modules->is_object() || files == nullptr || !files->is_array() ||
      unsafe == nullptr) {
    return std::nullopt;
  }
  for (const auto& [name, state] : modules->as_object()) {
    if (!state.is_string()) return std::nullopt;
    report.modules[std::string(name)] = std::string(state.as_string());
  }
  for (const auto& file : files->as_array()) {
    if (!file.is_string()) return std::nullopt;
    report.files.emplace_back(file.as_string());
  }
  if (unsafe->is_string()) report.unsafe = std::string(unsafe->as_string());
  return report;
}

// What the zygote wrote; its stderr explains an end without a report.
class Listener {
 public:
  explicit Listener(ContainerSandbox& sandbox) : sandbox_(sandbox) {}

  Expected<Report> Await(const Deadline& deadline) {
    std::vector<Frame> frames;
    while (frames.empty()) {
      std::array<pollfd, 3> entries = {pollfd{sandbox_.ChannelFd(Channel::kResult), POLLIN, 0},
                                       pollfd{sandbox_.ChannelFd(Channel::kStdout), POLLIN, 0},
                                       pollfd{sandbox_.ChannelFd(Channel::kStderr), POLLIN, 0}};
      const int ready = poll(entries.data(), entries.size(), static_cast<int>(deadline.RemainingMs()));
      if (ready < 0 && errno == EINTR) continue;
      if (ready <= 0)
        return Fail(ErrorCode::kUnavailable, "the packages to preload did not load within two minutes");
      if (entries[1].revents != 0) (void)Read(Channel::kStdout);
      if (entries[2].revents != 0) errors_ += Read(Channel::kStderr).substr(0, kErrorsMax - errors_.size());
      if (entries[0].revents == 0) continue;
      const std::string bytes = Read(Channel::kResult);
      if (auto failed = reader_.Feed(bytes, frames)) return Garbled(failed->message);
      if (sandbox_.ChannelFd(Channel::kResult) < 0 && frames.empty()) return Dead();
    }
    auto report = ParseReport(frames.front().payload);
    if (!report) return Garbled(frames.front().payload.substr(0, 200));
    return *std::move(report);
  }

 private:
  // What is there; at the end of the stream the channel is closed.
  std::string Read(Channel channel) {
    std::string bytes(1 << 16, '\0');
    const ssize_t count = read(sandbox_.ChannelFd(channel), bytes.data(), bytes.size());
    if (count < 0 && (errno == EINTR || errno == EAGAIN)) return {};
    if (count <= 0) sandbox_.CloseChannel(channel);
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return bytes;
  }
  std::unexpected<Error> Dead() {
    if (sandbox_.ChannelFd(Channel::kStderr) >= 0) errors_ += Read(Channel::kStderr);
    return Fail(ErrorCode::kUnavailable, "the interpreter for warm cells could not start",
                errors_.substr(errors_.size() > 1000 ? errors_.size() - 1000 : 0));
  }
  static std::unexpected<Error> Garbled(std::string what) {
    return Fail(ErrorCode::kInternal, "the zygote's report was garbled", std::move(what));
  }

  ContainerSandbox& sandbox_;
  FrameReader reader_{kReportLimits, kReportMax};
  std::string errors_;
};

Expected<void> Tell(ContainerSandbox& sandbox, const std::string& options) {
  const std::string request = EncodeFrame(FrameType::kOptions, options) + EncodeFrame(FrameType::kGo, {});
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
      zygote.files = LoadedFiles(report->files);
      // It has turned to /dev/null.
      for (const Channel channel : {Channel::kStdin, Channel::kStdout, Channel::kStderr, Channel::kResult}) {
        zygote.sandbox->CloseChannel(channel);
      }
      return zygote;
    }
    unsafe[*report->unsafe] = zygote.modules[*report->unsafe];
    std::erase(modules, *report->unsafe);
  }
}

}  // namespace casemate::container
