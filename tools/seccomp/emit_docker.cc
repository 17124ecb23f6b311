#include "emit_docker.h"

#include <algorithm>
#include <cerrno>
#include <set>

namespace casemate::seccomp_tool {
namespace {

std::string Arguments(const std::vector<Condition>& alternative) {
  std::string text;
  for (const Condition& condition : alternative) {
    text += (text.empty() ? "" : ",") + std::string("{\"index\":") + std::to_string(condition.argument) +
            ",\"value\":" + std::to_string(condition.mask) +
            ",\"valueTwo\":" + std::to_string(condition.value) + ",\"op\":\"SCMP_CMP_MASKED_EQ\"}";
  }
  return "\"args\":[" + text + "]";
}

std::string Entry(const std::string& names, const std::string& arguments, Action action, int errno_value) {
  std::string text = "{\"names\":[" + names + "],";
  if (action == Action::kAllow) return text + "\"action\":\"SCMP_ACT_ALLOW\"," + arguments + "}";
  return text + "\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":" + std::to_string(errno_value) + "," +
         arguments + "}";
}

}  // namespace

std::string EmitDockerProfile(const Profile& profile, const Compiled& compiled) {
  const auto here = [&compiled](const std::vector<std::string>& architectures) {
    return std::ranges::count(architectures, compiled.architecture) > 0;
  };
  std::string allowed;  // whatever their arguments
  std::string entries;
  std::set<std::string> named;
  for (const Rule& rule : profile.rules) {
    if (!here(rule.architectures)) continue;
    named.insert(rule.syscall);
    const std::string name = "\"" + rule.syscall + "\"";
    for (const std::vector<Condition>& alternative : rule.alternatives) {
      if (alternative.empty() && rule.action == Action::kAllow) {
        allowed += (allowed.empty() ? "" : ",") + name;
      } else {
        entries += "," + Entry(name, Arguments(alternative), rule.action, rule.errno_value);
      }
    }
  }
  for (const Family& family : profile.families) {
    if (family.answer == EPERM || !here(family.architectures)) continue;
    for (const std::string& syscall : family.syscalls) {
      if (!named.insert(syscall).second) continue;
      entries += "," + Entry("\"" + syscall + "\"", "\"args\":[]", Action::kErrno, family.answer);
    }
  }
  std::string audit = compiled.architecture;
  std::ranges::transform(audit, audit.begin(),
                         [](char letter) { return letter >= 'a' && letter <= 'z' ? letter - 32 : letter; });
  return "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_" + audit +
         "\"],\"syscalls\":[" + Entry(allowed, "\"args\":[]", Action::kAllow, 0) + entries + "]}";
}

}  // namespace casemate::seccomp_tool
