#include "compile.h"

#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace casemate::seccomp_tool {
namespace {

// Above all numbers that libseccomp knows; the loop over them ends here.
constexpr int kNumbersEnd = 1024;

// The level of user notification. Set, not probed: the program must not depend on the kernel that builds it.
constexpr unsigned kApiLevel = 6;

// For faults that no entry of the profile is at.
constexpr char kNowhere[] = "profile";

struct ContextDeleter {
  void operator()(void* context) const { seccomp_release(context); }
};
using Context = std::unique_ptr<void, ContextDeleter>;

class Compiler {
 public:
  Compiler(const Profile& profile, std::string architecture, std::vector<std::string>& errors)
      : profile_(profile), errors_(errors) {
    compiled_.architecture = std::move(architecture);
    token_ = seccomp_arch_resolve_name(compiled_.architecture.c_str());
    compiled_.audit_architecture = token_;
  }

  Compiled Run() {
    if (token_ == 0) {
      Fault(kNowhere,
            "libseccomp does not know the architecture `" + compiled_.architecture + "`; remove it.");
      return {};
    }
    FillNames();
    FillFamilies();
    BuildProgram();
    compiled_.connect_number = SupervisedNumber("connect");
    compiled_.socket_number = SupervisedNumber("socket");
    return std::move(compiled_);
  }

 private:
  void Fault(const std::string& where, const std::string& sentence) {
    errors_.push_back(where + ": " + sentence);
  }

  int SupervisedNumber(const char* syscall) const {
    return profile_.supervises_sockets ? seccomp_syscall_resolve_name_arch(token_, syscall) : -1;
  }

  bool Listed(const std::vector<std::string>& architectures) const {
    return std::ranges::count(architectures, compiled_.architecture) > 0;
  }

  // Whether `syscall` exists here; a fault where the entry's `arch` says otherwise.
  bool Exists(const std::string& syscall, const std::vector<std::string>& architectures,
              const std::string& where) {
    if (seccomp_syscall_resolve_name(syscall.c_str()) == __NR_SCMP_ERROR) {
      Fault(where, "libseccomp does not know a system call `" + syscall + "`; correct the name.");
      return false;
    }
    const bool here = seccomp_syscall_resolve_name_arch(token_, syscall.c_str()) >= 0;
    if (here != Listed(architectures)) {
      Fault(where, "`" + syscall + (here ? "` exists" : "` does not exist") + " on " +
                       compiled_.architecture + "; correct the entry's `arch`.");
    }
    return here;
  }

  void FillNames() {
    for (int number = 0; number < kNumbersEnd; ++number) {
      char* name = seccomp_syscall_resolve_num_arch(token_, number);
      if (name == nullptr) continue;
      compiled_.names.resize(static_cast<std::size_t>(number) + 1);
      compiled_.names.back() = name;
      std::free(name);
    }
  }

  void FillFamilies() {
    compiled_.families = profile_.families;
    compiled_.family_of.assign(compiled_.names.size(), 0);
    for (std::size_t index = 1; index < profile_.families.size(); ++index) {
      const Family& family = profile_.families[index];
      for (const std::string& syscall : family.syscalls) {
        if (!Exists(syscall, family.architectures, family.where)) continue;
        const int number = seccomp_syscall_resolve_name_arch(token_, syscall.c_str());
        compiled_.family_of[static_cast<std::size_t>(number)] = static_cast<std::uint8_t>(index);
      }
    }
    for (const NewerCall& call : profile_.newer) {
      const auto number = static_cast<std::size_t>(call.number);
      if (number < compiled_.names.size() && !compiled_.names[number].empty()) {
        Fault(call.where,
              "libseccomp knows the number of `" + call.name + "` by now; move it out of [newer].");
        continue;
      }
      if (number >= compiled_.names.size()) {
        compiled_.names.resize(number + 1);
        compiled_.family_of.resize(number + 1, 0);
      }
      Family family = profile_.families.at(0);
      family.name = call.report ? call.name : "";
      family.reason = call.reason + "; answered as a kernel without this call would.";
      family.answer = ENOSYS;
      compiled_.names[number] = call.name;
      compiled_.family_of[number] = static_cast<std::uint8_t>(compiled_.families.size());
      compiled_.families.push_back(std::move(family));
    }
    if (compiled_.families.size() > 255) Fault(kNowhere, "more than 255 families; merge some.");
  }

  void BuildProgram() {
    seccomp_api_set(kApiLevel);
    const Context context(seccomp_init(SCMP_ACT_NOTIFY));
    int failed = context == nullptr ? -ENOMEM : 0;
    if (failed == 0 && token_ != seccomp_arch_native()) {
      failed = seccomp_arch_remove(context.get(), SCMP_ARCH_NATIVE);
      if (failed == 0) failed = seccomp_arch_add(context.get(), token_);
    }
    // A binary tree of numbers instead of a list: fewer steps a call, and less to run at installation.
    if (failed == 0) failed = seccomp_attr_set(context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (failed == 0) failed = seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (failed != 0)
      return Fault(kNowhere, std::string("libseccomp cannot begin a filter: ") + std::strerror(-failed));
    for (const Rule& rule : profile_.rules) {
      if (Exists(rule.syscall, rule.architectures, rule.where)) AddRule(context.get(), rule);
    }
    Export(context.get());
  }

  void AddRule(scmp_filter_ctx context, const Rule& rule) {
    const std::uint32_t action = rule.action == Action::kAllow
                                     ? SCMP_ACT_ALLOW
                                     : SCMP_ACT_ERRNO(static_cast<unsigned>(rule.errno_value));
    // The build host's number, which libseccomp translates; negative for a call that only the target has.
    const int number = seccomp_syscall_resolve_name(rule.syscall.c_str());
    for (const std::vector<Condition>& alternative : rule.alternatives) {
      std::vector<scmp_arg_cmp> comparisons;
      for (const Condition& condition : alternative) {
        comparisons.push_back({condition.argument, SCMP_CMP_MASKED_EQ, condition.mask, condition.value});
      }
      const int failed = seccomp_rule_add_exact_array(
          context, action, number, static_cast<unsigned>(comparisons.size()), comparisons.data());
      if (failed != 0) {
        Fault(rule.where,
              "libseccomp refuses the rule for `" + rule.syscall + "`: " + std::strerror(-failed));
        return;
      }
    }
  }

  void Export(scmp_filter_ctx context) {
    const int file = memfd_create("seccomp", MFD_CLOEXEC);
    if (file < 0 || seccomp_export_bpf(context, file) != 0) {
      if (file >= 0) close(file);
      return Fault(kNowhere, "libseccomp cannot export the program.");
    }
    const off_t bytes = lseek(file, 0, SEEK_END);
    compiled_.program.resize(static_cast<std::size_t>(bytes) / sizeof(sock_filter));
    const ssize_t got =
        pread(file, compiled_.program.data(), compiled_.program.size() * sizeof(sock_filter), 0);
    close(file);
    if (got != bytes || bytes == 0) return Fault(kNowhere, "the exported program cannot be read back.");
    if (compiled_.program.size() > BPF_MAXINSNS)
      Fault(kNowhere, "the program is longer than the kernel takes.");
  }

  const Profile& profile_;
  std::vector<std::string>& errors_;
  std::uint32_t token_ = 0;
  Compiled compiled_;
};

}  // namespace

Compiled Compile(const Profile& profile, const std::string& architecture, std::vector<std::string>& errors) {
  return Compiler(profile, architecture, errors).Run();
}

}  // namespace casemate::seccomp_tool
