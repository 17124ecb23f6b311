#pragma once

#include <sys/types.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "casemate/backend.h"
#include "confine/cgroup.h"
#include "confine/channels.h"
#include "confine/id_pool.h"
#include "confine/inside_agent.h"
#include "confine/usage_reader.h"
#include "isolation/wire/relay.h"

namespace casemate::oci {

// A live container of an OCI runtime. Filled by the launcher step by step; whatever is there when it is
// destroyed is undone.
class OciSandbox : public Sandbox {
 public:
  struct Parts {
    Limits limits;
    IdLease ids;
    uid_t program_uid = 0;  // in `user_namespace`, or the host's where that is none
    bool change_ids = true;
    bool own_kernel = false;
    bool sampled = false;         // something of its usage is counted by no cgroup
    bool samples_memory = false;  // that is so of its memory
    // What gVisor's kernel has given to programs is a file in memory, and no process's own.
    UniqueFd memory_file;
    UniqueFd user_namespace;  // around the runtime, of an ordinary user's
    std::optional<Cgroup> cgroup;
    EngineEnds ends;   // exit_status: of the runtime, by its guard
    UniqueFd records;  // read end: StartRecords
    UniqueFd egress;   // the program's connections come there; not valid where it has no network
    std::unique_ptr<Relay> relay;
    UniqueFd pidfd;  // of the guard, whose end is the end of all
    pid_t guard = -1;
    std::string root;  // of the container, in the guard's mount namespace
    UniqueFd scratch;
    UniqueFd workspace;
    std::vector<Timing> timings;
    std::int64_t started_at_us = 0;
    CgroupReading before;  // of the runtime, before the program started
    InsideOf inside() const { return {user_namespace.get(), change_ids}; }
    // Takes `before`; an error when the program's memory could not be sampled later.
    Expected<void> TakeBefore();
  };

  OciSandbox() = default;
  ~OciSandbox() override;
  OciSandbox(const OciSandbox&) = delete;
  OciSandbox& operator=(const OciSandbox&) = delete;

  Parts& parts() { return parts_; }

  // Makes a sandbox whose interpreter waits the one of `spec`, from `at_us` (MonotonicUs) on: its program's
  // files below /code are written, and its counters start here. False when that cannot be done, or when it
  // has died meanwhile.
  bool Begin(const LaunchSpec& spec, std::int64_t at_us);

  int ChannelFd(Channel channel) const override;
  // What its connections send is carried; its end is waited for, until which the container's init lets that
  // out.
  bool writes_directly() const override { return parts_.relay == nullptr; }
  void CloseChannel(Channel channel) override;
  std::int64_t started_at_us() const override { return parts_.started_at_us; }
  int exit_fd() const override { return parts_.pidfd.get(); }
  ExitReport Exit() override;
  void Kill() noexcept override;
  ResourceReading Read() override;
  // A runtime's filter answers by itself and tells nobody.
  int denial_fd() const override { return -1; }
  int egress_fd() const override { return parts_.egress.get(); }
  Refusals TakeRefusals() override { return {}; }
  Expected<std::vector<OutputFile>> CollectFiles(const WantedFile& wanted, std::int64_t bytes_max) override;
  std::vector<Timing> StartTimings() const override { return parts_.timings; }

 private:
  void Reap();

  Parts parts_;
  bool reaped_ = false;
  bool killed_ = false;
  UsageReader usage_;
};

}  // namespace casemate::oci
