#pragma once

#include <array>
#include <memory>
#include <vector>

#include "casemate/backend.h"
#include "isolation/docker/carrier.h"

namespace casemate::microvm {

// A guest with one program: QEMU in walls of its own, and the carrier that speaks to the attendant in it. The
// destructor ends both.
class MicrovmSandbox : public Sandbox {
 public:
  struct Parts {
    std::unique_ptr<Sandbox> wall;     // QEMU is its program
    std::array<UniqueFd, 5> channels;  // by Channel
    UniqueFd egress;                   // its connections come there
    std::vector<Timing> timings;
    std::int64_t started_at_us = 0;
    std::int64_t cpu_before_us = 0;            // what QEMU had used when the program started
    std::unique_ptr<docker::Carrier> carrier;  // last: it ends first
  };

  MicrovmSandbox() = default;
  ~MicrovmSandbox() override;
  MicrovmSandbox(const MicrovmSandbox&) = delete;
  MicrovmSandbox& operator=(const MicrovmSandbox&) = delete;

  Parts& parts() { return parts_; }

  int ChannelFd(Channel channel) const override {
    return parts_.channels[static_cast<std::size_t>(channel)].get();
  }
  void CloseChannel(Channel channel) override { parts_.channels[static_cast<std::size_t>(channel)].reset(); }
  std::int64_t started_at_us() const override { return parts_.started_at_us; }
  int exit_fd() const override { return parts_.carrier->exit_fd(); }
  ExitReport Exit() override;
  void Kill() noexcept override;
  ResourceReading Read() override;
  // What QEMU's walls refuse to QEMU is answered and not told: it is no act of the program's.
  int denial_fd() const override { return parts_.wall->denial_fd(); }
  Refusals TakeRefusals() override;
  int egress_fd() const override { return parts_.egress.get(); }
  Expected<std::vector<OutputFile>> CollectFiles(const WantedFile& wanted, std::int64_t bytes_max) override {
    return parts_.carrier->Collect(wanted, bytes_max);
  }
  std::vector<Timing> StartTimings() const override { return parts_.timings; }

 private:
  Parts parts_;
  bool stop_told_ = false;
};

}  // namespace casemate::microvm
