#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "isolation/docker/carrier.h"
#include "isolation/docker/container.h"

namespace casemate::docker {

// A container with one program. Filled by the launcher step by step; whatever is there when it is destroyed
// is undone.
class DockerSandbox : public Sandbox {
 public:
  struct Parts {
    Limits limits;
    Container container;
    // Takes the container to be removed while nobody waits, once nothing runs in it; may be empty.
    std::function<void(Container)> discard;
    std::array<UniqueFd, 5> channels;  // by Channel
    UniqueFd egress;                   // its connections come there
    std::vector<Timing> timings;
    std::int64_t started_at_us = 0;
    std::unique_ptr<Carrier> carrier;  // last: it ends first
  };

  DockerSandbox() = default;
  ~DockerSandbox() override;
  DockerSandbox(const DockerSandbox&) = delete;
  DockerSandbox& operator=(const DockerSandbox&) = delete;

  Parts& parts() { return parts_; }
  // The container's processes end, if need be by the kernel alone; true when that is certain.
  bool HardKill();

  int ChannelFd(Channel channel) const override {
    return parts_.channels[static_cast<std::size_t>(channel)].get();
  }
  void CloseChannel(Channel channel) override { parts_.channels[static_cast<std::size_t>(channel)].reset(); }
  std::int64_t started_at_us() const override { return parts_.started_at_us; }
  int exit_fd() const override { return parts_.carrier->exit_fd(); }
  ExitReport Exit() override;
  void Kill() noexcept override;
  ResourceReading Read() override;
  // Docker has no way to tell what its filter refuses.
  int denial_fd() const override { return -1; }
  Refusals TakeRefusals() override { return {}; }
  int egress_fd() const override { return parts_.egress.get(); }
  Expected<std::vector<OutputFile>> CollectFiles(const WantedFile& wanted, std::int64_t bytes_max) override {
    return parts_.carrier->Collect(wanted, bytes_max);
  }
  std::vector<Timing> StartTimings() const override { return parts_.timings; }

 private:
  void AskEngine();

  Parts parts_;
  ResourceReading last_;
  bool stop_told_ = false;
  bool asked_ = false;
};

}  // namespace casemate::docker
