#include "isolation/container/cell_birth.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/errno.h"
#include "confine/channels.h"
#include "isolation/container/session_program.h"

namespace casemate::container {

bool AttendBirth(Cell& birth, bool counts_all, std::string& error) {
  ContainerSandbox::Parts& parts = birth.parts;
  const auto mark = [&birth, &parts](std::string_view step, std::int64_t at_us) {
    parts.timings.push_back({std::string(step), at_us - birth.step_us});
    birth.step_us = at_us;
  };
  LaunchMessage message{};
  std::array<UniqueFd, 2> fds;
  auto more = ReceiveLaunchMessage(birth.socket.get(), message, fds, MSG_DONTWAIT);
  if (more && !*more) {
    mark("cell.rehearse", MonotonicUs());
    return true;
  }
  if (!more || message.kind == LaunchMessageKind::kFailed) {
    error = more
                ? fmt::format("a cell could not {}: {}", LaunchStepName(message.step), ErrnoName(message.err))
                : more.error().ToString();
    return true;
  }
  switch (message.kind) {
    case LaunchMessageKind::kCloned:
      parts.pidfd = std::move(fds[0]);
      // Where no cgroup counts, the tree below init is sampled.
      if (!counts_all) parts.init = PidOf(parts.pidfd.get());
      break;
    case LaunchMessageKind::kMounted:
      mark("cell.mounts", message.at_us);
      parts.scratch = std::move(fds[0]);
      parts.workspace = std::move(fds[1]);
      break;
    case LaunchMessageKind::kListener:
      mark("cell.drop_privileges", message.at_us);
      parts.listener.emplace(std::move(fds[0]));
      break;
    case LaunchMessageKind::kReady:
    case LaunchMessageKind::kTerminal:
    case LaunchMessageKind::kFailed:
      break;
  }
  return false;
}

}  // namespace casemate::container
