#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "casemate/backend.h"
#include "confine/cgroup.h"
#include "confine/channels.h"
#include "confine/id_pool.h"
#include "confine/seccomp_notify.h"
#include "confine/usage_reader.h"
#include "isolation/process/run_folder.h"

namespace casemate::process {

// A live process sandbox. Filled by the launcher step by step; whatever is there when it is destroyed is
// undone.
class ProcessSandbox : public Sandbox {
 public:
  struct Parts {
    Limits limits;
    IdLease ids;
    uid_t program_uid = 0;
    bool own_ids = false;
    RunFolder folder;
    std::optional<Cgroup> cgroup;
    EngineEnds ends;
    UniqueFd pidfd;  // of the keeper, whose end is the end of all
    pid_t keeper = -1;
    UniqueFd workspace;  // the program's own, or the host folder that it was given
    std::optional<SeccompListener> listener;
    std::vector<Timing> timings;
    std::int64_t started_at_us = 0;
    // Tells the harness where its paths are (runtime/python/harness.py, frame 'p').
    std::string request_prefix;
  };

  ProcessSandbox() = default;
  ~ProcessSandbox() override;
  ProcessSandbox(const ProcessSandbox&) = delete;
  ProcessSandbox& operator=(const ProcessSandbox&) = delete;

  Parts& parts() { return parts_; }

  std::string_view request_prefix() const override { return parts_.request_prefix; }
  int ChannelFd(Channel channel) const override;
  bool writes_directly() const override { return true; }
  void CloseChannel(Channel channel) override;
  std::int64_t started_at_us() const override { return parts_.started_at_us; }
  int exit_fd() const override { return parts_.pidfd.get(); }
  ExitReport Exit() override;
  void Kill() noexcept override;
  ResourceReading Read() override;
  ResourceReading ReadAtEnd() override;
  int denial_fd() const override;
  Refusals TakeRefusals() override;
  Expected<std::vector<OutputFile>> CollectFiles(const WantedFile& wanted, std::int64_t bytes_max) override;
  std::vector<Timing> StartTimings() const override { return parts_.timings; }

 private:
  // Waits for the keeper, once.
  void Reap();
  void MeasureDisk();

  Parts parts_;
  bool reaped_ = false;
  bool killed_ = false;
  UsageReader usage_;
  std::int64_t next_measure_us_ = 0;
  std::int64_t tmp_bytes_ = 0;
  std::int64_t tmp_files_ = 0;
  bool tmp_full_ = false;
  bool disk_over_ = false;
  std::int64_t refusals_ = 0;
};

}  // namespace casemate::process
