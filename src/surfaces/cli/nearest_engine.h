#pragma once

#include <memory>
#include <mutex>

#include "casemate/engine.h"
#include "surfaces/cli/cli.h"
#include "surfaces/cli/run_options.h"

namespace casemate {

// The resident engine where there is one that takes a request, otherwise one of our own, which is made when
// it is first needed. Thread-safe.
class NearestEngine : public Engine {
 public:
  // Both must outlive it.
  NearestEngine(const RunOptions& options, const CliServices& services)
      : options_(options), services_(services) {}

  ExecutionResult Execute(const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                          CancelWhen cancel_when) override;

  // Those of our own: what is started through it ends with it.
  Sessions* sessions() override;

 private:
  const Expected<std::unique_ptr<Engine>>& Own();

  const RunOptions& options_;
  const CliServices& services_;
  std::once_flag once_;
  Expected<std::unique_ptr<Engine>> own_;
};

}  // namespace casemate
