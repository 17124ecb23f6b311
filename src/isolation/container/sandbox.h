#pragma once

#include <sys/types.h>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "casemate/backend.h"
#include "casemate/session_branches.h"
#include "confine/cgroup.h"
#include "confine/id_pool.h"
#include "confine/seccomp_notify.h"
#include "confine/usage_reader.h"
#include "isolation/container/branch_stock.h"
#include "isolation/container/cell_slot.h"
#include "isolation/container/family_listener.h"

namespace casemate::container {

// A live container. Filled by the launcher step by step; whatever is there when it is destroyed is undone.
class ContainerSandbox : public Sandbox, public BranchControl, private SessionControl {
 public:
  struct Parts;
  // What a session's sandbox needs of its pool to have branches.
  struct Kin {
    bool counts_all = false;                                          // by cgroups: no tree has to be sampled
    std::shared_ptr<BranchStock> stock;                               // what branches are equipped from
    std::function<std::unique_ptr<ContainerSandbox>(Parts&&)> adopt;  // counts it among those that run
  };
  struct Parts {
    Limits limits;
    IdLease ids;
    bool change_ids = true;
    std::optional<Cgroup> cgroup;
    UniqueFd lifeline;     // write end: init dies when it closes
    UniqueFd exit_status;  // read end: the program's wait status
    UniqueFd pidfd;        // of init
    pid_t init = -1;
    UniqueFd user_namespace;
    UniqueFd scratch;    // root of the scratch file system
    UniqueFd workspace;  // /workspace
    UniqueFd egress;     // listens in its network namespace
    std::optional<SeccompListener> listener;
    std::array<UniqueFd, 5> channels;  // by Channel
    std::vector<Timing> timings;
    std::int64_t started_at_us = 0;
    std::shared_ptr<CellSlot> slot;  // of a warm cell
    UniqueFd program;                // pidfd of a session's interpreter
    std::shared_ptr<const Kin> kin;  // of a session's
    // Of a session that has branches, and of those, in the place of `listener`.
    std::shared_ptr<FamilyListener> family;
    std::shared_ptr<FamilyMember> member;
    std::shared_ptr<void> origin;  // of a branch: what it was copied from, which holds its pid namespace
    // Of a warm cell: hung up once its zygote is dead, which takes all of its cells along.
    std::shared_ptr<const UniqueFd> zygote_control;
  };

  // Takes what is left of a warm cell: its processes are being killed and may still live.
  using Burial = std::function<void(Parts&&)>;

  ContainerSandbox() = default;
  ~ContainerSandbox() override;
  ContainerSandbox(const ContainerSandbox&) = delete;
  ContainerSandbox& operator=(const ContainerSandbox&) = delete;

  Parts& parts() { return parts_; }
  // Makes this the sandbox of a warm cell.
  void BecomeWarm(Burial burial) { burial_ = std::move(burial); }
  void set_request_prefix(std::string bytes) { request_prefix_ = std::move(bytes); }
  std::string_view request_prefix() const override { return request_prefix_; }

  int ChannelFd(Channel channel) const override;
  bool writes_directly() const override { return true; }
  void set_undisturbed(bool undisturbed) { undisturbed_ = undisturbed; }
  bool may_be_awaited() const override { return undisturbed_; }
  void CloseChannel(Channel channel) override;
  std::int64_t started_at_us() const override { return parts_.started_at_us; }
  int exit_fd() const override { return parts_.pidfd.get(); }
  ExitReport Exit() override;
  void Kill() noexcept override;
  ResourceReading Read() override;
  int denial_fd() const override;
  Refusals TakeRefusals() override;
  int egress_fd() const override { return parts_.egress.get(); }
  Expected<std::vector<OutputFile>> CollectFiles(const WantedFile& wanted, std::int64_t bytes_max) override;
  std::vector<Timing> StartTimings() const override { return parts_.timings; }
  Expected<std::vector<std::unique_ptr<Sandbox>>> Fork(std::string_view ask, int copies) override;
  SessionControl* session() override { return parts_.program.valid() ? this : nullptr; }

 private:
  void Interrupt() noexcept override;
  int workspace_fd() const override { return parts_.workspace.get(); }
  int user_namespace_fd() const override { return parts_.user_namespace.get(); }
  bool change_ids() const override { return parts_.change_ids; }
  void BeginStep() override;
  std::int64_t CpuTimeUs() override;
  void Rest() override;

  // Waits for init, once; keeps what the kernel says of its tree.
  void Reap();
  bool ZygoteIsDead() const;

  Parts parts_;
  std::string request_prefix_;
  bool undisturbed_ = false;
  Burial burial_;  // empty for a cold sandbox
  bool reaped_ = false;
  bool killed_ = false;
  UsageReader usage_;
  std::int64_t refusals_ = 0;
};

}  // namespace casemate::container
