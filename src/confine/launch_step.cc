#include "confine/launch_step.h"

#include <algorithm>
#include <array>

namespace casemate {
namespace {

struct StepName {
  LaunchStep step;
  std::string_view name;
};
constexpr std::array kNames = {
    StepName{LaunchStep::kNone, "start"},
    StepName{LaunchStep::kParentDeathSignal, "tie the sandbox's life to the engine's"},
    StepName{LaunchStep::kUnshareNetwork,
             "make a network namespace (is user.max_net_namespaces high enough?)"},
    StepName{LaunchStep::kEnterCgroup, "enter the cgroup"},
    StepName{LaunchStep::kUnshareCgroup, "make a cgroup namespace"},
    StepName{LaunchStep::kWaitForIds, "get its user ids"},
    StepName{LaunchStep::kSetIds, "take its user ids"},
    StepName{LaunchStep::kPrivateMounts, "make its mounts private"},
    StepName{LaunchStep::kNewRoot, "mount the new root"},
    StepName{LaunchStep::kRootFiles, "write the root's files"},
    StepName{LaunchStep::kBindMounts, "bind a host folder"},
    StepName{LaunchStep::kScratch, "mount its temporary storage"},
    StepName{LaunchStep::kDevices, "bind the devices"},
    StepName{LaunchStep::kProc, "mount a private /proc"},
    StepName{LaunchStep::kPivot, "change to the new root"},
    StepName{LaunchStep::kSealRoot, "make the root read-only"},
    StepName{LaunchStep::kHostName, "set the host name"},
    StepName{LaunchStep::kWorkingDir, "enter the working folder"},
    StepName{LaunchStep::kInputFiles, "write the input files (is --tmp-size large enough?)"},
    StepName{LaunchStep::kForkProgram, "fork the program"},
    StepName{LaunchStep::kSession, "start a new session and keyring"},
    StepName{LaunchStep::kDescriptors, "place the file descriptors"},
    StepName{LaunchStep::kResourceLimits, "set the resource limits"},
    StepName{LaunchStep::kBoundingSet, "empty the capability bounding set"},
    StepName{LaunchStep::kDropIds, "take the program's user id"},
    StepName{LaunchStep::kDropCapabilities, "drop all capabilities"},
    StepName{LaunchStep::kNoNewPrivileges, "set no_new_privs"},
    StepName{LaunchStep::kLandlock, "restrict file access with Landlock"},
    StepName{LaunchStep::kVerify, "prove that its privileges are gone"},
    StepName{LaunchStep::kSeccomp, "install the system call filter"},
    StepName{
        LaunchStep::kReportListener,
        "hand over the system call listener (do other programs of this user keep descriptors on their way "
        "through sockets?)"},
    StepName{LaunchStep::kExecProgram, "execute the program"},
    StepName{LaunchStep::kEnterNamespaces, "enter its prepared namespaces"},
    StepName{LaunchStep::kForkCell, "fork from the zygote"},
    StepName{LaunchStep::kSubreaper, "become the parent of orphans"},
    StepName{LaunchStep::kListChildren,
             "list its children (is /proc mounted, with /proc/thread-self/children?)"},
    StepName{LaunchStep::kCountProcesses, "count the processes of its user"},
    StepName{LaunchStep::kEgress, "open its way to the egress proxy"},
    StepName{LaunchStep::kTerminal, "make its terminal (is devpts in this kernel?)"},
    StepName{LaunchStep::kSecrets, "put the secrets into /run/secrets"},
};

}  // namespace

std::string_view LaunchStepName(LaunchStep step) {
  const auto* const found = std::ranges::find(kNames, step, &StepName::step);
  return found != kNames.end() ? found->name : std::string_view();
}

}  // namespace casemate
