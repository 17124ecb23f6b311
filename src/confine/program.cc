#include "confine/program.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

#include "confine/landlock.h"
#include "confine/launch_step.h"
#include "confine/privileges.h"
#include "confine/sandbox_terminal.h"
#include "confine/seccomp_filter.h"
#include "confine/steps.h"

namespace casemate {
namespace {

[[noreturn]] void Exec(const ConfinementPlan& plan, ExecWords& words, int socket) {
  int err = ENOENT;
  for (const std::string& path : plan.exec_candidates) {
    execve(path.c_str(), words.argv.data(), words.env.data());
    if (errno != ENOENT && errno != ENOTDIR) err = errno;
  }
  GiveUp(socket, LaunchStep::kExecProgram, err);
}

void DropPower(const ConfinementPlan& plan, int socket) {
  if (!plan.ids.keeps_bounding_set) Require(socket, LaunchStep::kBoundingSet, DropBoundingSet());
  if (plan.ids.change_ids) {
    Require(socket, LaunchStep::kDropIds, TakeIds(plan.ids.program_uid, plan.ids.clear_groups));
  }
  Require(socket, LaunchStep::kDropCapabilities, DropCapabilities());
  Require(socket, LaunchStep::kNoNewPrivileges, SetNoNewPrivileges());
  Require(socket, LaunchStep::kLandlock, RestrictWithLandlock(plan.landlock));
  const gid_t gid = plan.ids.change_ids ? plan.ids.program_uid : plan.ids.program_gid;
  const KeptPrivileges kept{plan.ids.keeps_bounding_set, !plan.ids.change_ids && plan.ids.program_uid == 0};
  Require(socket, LaunchStep::kVerify, VerifyPrivilegesGone(plan.ids.program_uid, gid, kept));
}

// A descriptor that is sent counts against its user's, not its process's, until it has been received, and the
// sender's own soft limit says how many may be on their way (unix(7), ETOOMANYREFS). Another program with
// this id may have sent many, so the limit stands wide until the listener has been handed over.
int WidenDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return -errno;
  limit.rlim_cur = limit.rlim_max;
  return ErrnoUnlessZero(setrlimit(RLIMIT_NOFILE, &limit));
}

enum class Limited { kDescriptors, kTheRest };

int SetLimits(const ConfinementPlan& plan, Limited what) {
  for (const ResourceLimit& limit : plan.resource_limits) {
    if ((limit.resource == RLIMIT_NOFILE) != (what == Limited::kDescriptors)) continue;
    if (const int failed = SetResourceLimits({&limit, 1}); failed != 0) return failed;
  }
  return 0;
}

[[noreturn]] void LimitDescriptorsAndExec(const ConfinementPlan& plan, ExecWords& words, int socket) {
  Require(socket, LaunchStep::kResourceLimits, SetLimits(plan, Limited::kDescriptors));
  Exec(plan, words, socket);
}

}  // namespace

int ExecWords::Fill(ConfinementPlan& plan) {
  if (plan.argv.size() > kWordsMax || plan.env.size() + plan.secret_env.size() > kWordsMax) return -E2BIG;
  for (std::size_t i = 0; i < plan.argv.size(); ++i) argv[i] = plan.argv[i].data();
  for (std::size_t i = 0; i < plan.env.size(); ++i) env[i] = plan.env[i].data();
  for (std::size_t i = 0; i < plan.secret_env.size(); ++i) env[plan.env.size() + i] = plan.secret_env[i];
  return 0;
}

void RunProgram(const ConfinementPlan& plan, ExecWords& words) {
  int socket = plan.socket;
  Require(socket, LaunchStep::kSession, NewSession());
  Require(socket, LaunchStep::kDescriptors, PlaceDescriptors(plan.descriptors, socket));
  if (plan.terminal) Require(socket, LaunchStep::kTerminal, TakeTerminal());
  Require(socket, LaunchStep::kResourceLimits, SetLimits(plan, Limited::kTheRest));
  Require(socket, LaunchStep::kResourceLimits, WidenDescriptorLimit());
  DropPower(plan, socket);
  // After the change of ids, which clears it (prctl(2)).
  if (plan.ids.dies_with_parent) {
    Require(socket, LaunchStep::kParentDeathSignal,
            ErrnoUnlessZero(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)));
  }
  if (plan.seccomp.empty()) {
    Require(socket, LaunchStep::kReportListener, Send(socket, LaunchMessageKind::kListener, {}, nullptr, 0));
    LimitDescriptorsAndExec(plan, words, socket);
  }
  const int listener = InstallSeccompFilter(plan.seccomp, true);
  Require(socket, LaunchStep::kSeccomp, listener);
  Require(socket, LaunchStep::kReportListener, Send(socket, LaunchMessageKind::kListener, {}, &listener, 1));
  close(listener);
  LimitDescriptorsAndExec(plan, words, socket);
}

}  // namespace casemate
