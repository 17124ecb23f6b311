#include "confine/seccomp_filter.h"

#include <linux/seccomp.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace casemate {
namespace embedded {
std::string_view OciSeccomp(std::string_view path);  // made by tools/embed.py
}  // namespace embedded

namespace {

// In Linux since 5.19; older headers lack it.
constexpr unsigned kWaitKillableRecv = 1U << 5;

int Install(unsigned flags, const sock_fprog& program) {
  const long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  return result < 0 ? -errno : static_cast<int>(result);
}

}  // namespace

const SeccompTables& ContainerSeccompTables() {
#if defined(__x86_64__)
  return ContainerSeccompX8664();
#elif defined(__aarch64__)
  return ContainerSeccompAarch64();
#else
#error "profiles/seccomp/container.toml has no filter for this architecture"
#endif
}

std::span<const sock_filter> ContainerSeccompFilter() { return ContainerSeccompTables().program; }

std::string_view ContainerSeccompOci() { return embedded::OciSeccomp("seccomp_container.json"); }

std::string_view SyscallName(int nr) {
  const SeccompTables& tables = ContainerSeccompTables();
  const auto index = static_cast<std::size_t>(nr);
  if (nr < 0 || index >= tables.name_offsets.size()) return {};
  return tables.names + tables.name_offsets[index];
}

SyscallRefusal ExplainSyscallRefusal(int nr, const SeccompTables& tables) {
  const auto index = static_cast<std::size_t>(nr);
  const bool known = nr >= 0 && index < tables.family_of.size();
  const SeccompFamily& family = tables.families[known ? tables.family_of[index] : 0];
  return {family.reason, family.remedy};
}

// SECCOMP_FILTER_FLAG_SPEC_ALLOW is left out: where a kernel's policy mitigates speculation for filtered
// processes (the default before 5.16), these are the processes it means. TSYNC is left out: there is one
// thread.
int InstallSeccompFilter(std::span<const sock_filter> program, bool with_listener) {
  // The kernel does not write to the instructions; the interface predates const.
  const sock_fprog fprog = {static_cast<unsigned short>(program.size()),
                            const_cast<sock_filter*>(program.data())};
  if (!with_listener) return Install(0, fprog);
  // Without it a signal restarts a call that the supervisor has already taken, and it is reported twice.
  const int listener = Install(SECCOMP_FILTER_FLAG_NEW_LISTENER | kWaitKillableRecv, fprog);
  return listener != -EINVAL ? listener : Install(SECCOMP_FILTER_FLAG_NEW_LISTENER, fprog);
}

}  // namespace casemate
