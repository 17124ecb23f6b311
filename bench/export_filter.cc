// Writes a seccomp program that denies the system calls named on standard input with EPERM, one a line.
//
//   export_filter < names > program
//
// bubblewrap takes its filter only in this compiled form.

#include <seccomp.h>

#include <cerrno>
#include <iostream>
#include <string>

int main() {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (filter == nullptr) return 1;
  // A tree instead of a chain: the shorter path for the peer that is measured.
  if (seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) != 0) return 1;
  for (std::string name; std::getline(std::cin, name);) {
    const int number = seccomp_syscall_resolve_name(name.c_str());
    if (number == __NR_SCMP_ERROR) continue;  // Newer than this libseccomp: it cannot be named here.
    if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0) != 0) {
      std::cerr << "export_filter: no rule can be made for " << name << "\n";
      return 1;
    }
  }
  const int error = seccomp_export_bpf(filter, 1);
  seccomp_release(filter);
  return error == 0 ? 0 : 1;
}
