#include "isolation/microvm/sandbox.h"

#include <algorithm>

namespace casemate::microvm {

MicrovmSandbox::~MicrovmSandbox() {
  // What still comes has no reader.
  for (UniqueFd& channel : parts_.channels) channel.reset();
  // Its thread may be the one that kills; what is left of QEMU dies with the wall.
  parts_.carrier.reset();
}

ExitReport MicrovmSandbox::Exit() {
  ExitReport report = parts_.carrier->Exit();
  if (!report.init_failed) return report;
  // QEMU itself was taken for memory: the program's fault, as the count says.
  const ResourceReading reading = Read();
  report.init_failed = reading.memory_kills == 0;
  return report;
}

// Repeated by the supervisor until the sandbox is gone; once is enough.
void MicrovmSandbox::Kill() noexcept {
  if (!stop_told_) parts_.carrier->Stop();
  stop_told_ = true;
}

// Time is what the host has spent on the guest since the program started, whatever the guest says of itself.
ResourceReading MicrovmSandbox::Read() {
  const ResourceReading outside = parts_.wall->Read();
  const docker::Carrier::Counted inside = parts_.carrier->counted();
  ResourceReading reading;
  reading.cpu_time_us = std::max<std::int64_t>(0, outside.cpu_time_us - parts_.cpu_before_us);
  reading.memory_peak_bytes = inside.memory_peak_bytes;
  reading.memory_kills = inside.memory_kills + outside.memory_kills;
  reading.memory_over = outside.memory_over;
  reading.process_refusals = inside.process_refusals;
  reading.processes_peak = inside.processes_peak;
  reading.tmp_bytes = parts_.carrier->tmp_bytes();
  reading.tmp_files = parts_.carrier->tmp_files();
  reading.tmp_full = parts_.carrier->tmp_full();
  return reading;
}

Sandbox::Refusals MicrovmSandbox::TakeRefusals() {
  Refusals refusals = parts_.wall->TakeRefusals();
  refusals.denials.clear();
  return refusals;
}

}  // namespace casemate::microvm
