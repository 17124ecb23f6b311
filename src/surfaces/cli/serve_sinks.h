#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "casemate/error.h"

namespace casemate {

// casemate-ship, which carries the audit log to sinks as long as the engine serves: a process of its own, so
// that neither a sink's slowness nor its answers reach the engine. It is started again when it ends, after a
// pause that grows to half a minute, and has kDrainMs to send the rest at the end.
class SinkProcess {
 public:
  static constexpr int kDrainMs = 5'000;
  // A sentence for people: it could not be started, or ended.
  using Tell = std::function<void(const std::string& sentence)>;

  // `words` are those of `casemate audit ship` but --lifeline. kNotFound when there is no casemate-ship
  // beside this program.
  static Expected<std::unique_ptr<SinkProcess>> Start(std::vector<std::string> words, Tell tell);
  ~SinkProcess();
  SinkProcess(const SinkProcess&) = delete;
  SinkProcess& operator=(const SinkProcess&) = delete;

 private:
  SinkProcess(std::string program, std::vector<std::string> words, Tell tell, UniqueFd stop);
  void Watch();
  // Runs it once; false when it is time to end.
  bool RunOnce();

  const std::string program_;
  const std::vector<std::string> words_;
  const Tell tell_;
  const UniqueFd stop_;
  std::thread thread_;
};

}  // namespace casemate
