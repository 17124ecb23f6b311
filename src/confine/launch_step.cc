#include "confine/launch_step.h"

namespace casemate {

std::string_view LaunchStepName(LaunchStep step) {
  switch (step) {
    case LaunchStep::kNone:
      return "start";
    case LaunchStep::kParentDeathSignal:
      return "tie the sandbox's life to the engine's";
    case LaunchStep::kUnshareNetwork:
      return "make a network namespace (is user.max_net_namespaces high enough?)";
    case LaunchStep::kEnterCgroup:
      return "enter the cgroup";
    case LaunchStep::kUnshareCgroup:
      return "make a cgroup namespace";
    case LaunchStep::kWaitForIds:
      return "get its user ids";
    case LaunchStep::kSetIds:
      return "take its user ids";
    case LaunchStep::kPrivateMounts:
      return "make its mounts private";
    case LaunchStep::kNewRoot:
      return "mount the new root";
    case LaunchStep::kRootFiles:
      return "write the root's files";
    case LaunchStep::kBindMounts:
      return "bind a host folder";
    case LaunchStep::kScratch:
      return "mount its temporary storage";
    case LaunchStep::kDevices:
      return "bind the devices";
    case LaunchStep::kProc:
      return "mount a private /proc";
    case LaunchStep::kPivot:
      return "change to the new root";
    case LaunchStep::kSealRoot:
      return "make the root read-only";
    case LaunchStep::kHostName:
      return "set the host name";
    case LaunchStep::kWorkingDir:
      return "enter the working folder";
    case LaunchStep::kInputFiles:
      return "write the input files (is --tmp-size large enough?)";
    case LaunchStep::kForkProgram:
      return "fork the program";
    case LaunchStep::kSession:
      return "start a new session and keyring";
    case LaunchStep::kDescriptors:
      return "place the file descriptors";
    case LaunchStep::kResourceLimits:
      return "set the resource limits";
    case LaunchStep::kBoundingSet:
      return "empty the capability bounding set";
    case LaunchStep::kDropIds:
      return "take the program's user id";
    case LaunchStep::kDropCapabilities:
      return "drop all capabilities";
    case LaunchStep::kNoNewPrivileges:
      return "set no_new_privs";
    case LaunchStep::kLandlock:
      return "restrict file access with Landlock";
    case LaunchStep::kVerify:
      return "prove that its privileges are gone";
    case LaunchStep::kSeccomp:
      return "install the system call filter";
    case LaunchStep::kReportListener:
      return "hand over the system call listener";
    case LaunchStep::kExecProgram:
      return "execute the program";
    case LaunchStep::kEnterNamespaces:
      return "enter its prepared namespaces";
    case LaunchStep::kForkCell:
      return "fork from the zygote";
  }
  return "";
}

}  // namespace casemate
