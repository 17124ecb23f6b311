#include "surfaces/cli/nearest_engine.h"

#include "model/refusal.h"
#include "surfaces/cli/resident.h"

namespace casemate {

ExecutionResult NearestEngine::Execute(const ExecutionRequest& request, EventSink* sink, int cancel_fd,
                                       CancelWhen cancel_when) {
  ExecutionRequest copy = request;
  auto resident = RunResident(options_, copy, sink, cancel_fd);
  if (!resident) return RefusalOf(resident.error());
  if (*resident) return **std::move(resident);
  const auto& own = Own();
  if (!own) return RefusalOf(own.error());
  return (*own)->Execute(request, sink, cancel_fd, cancel_when);
}

Sessions* NearestEngine::sessions() {
  const auto& own = Own();
  return own ? (*own)->sessions() : nullptr;
}

const Expected<std::unique_ptr<Engine>>& NearestEngine::Own() {
  std::call_once(once_, [this] { own_ = services_.make_engine(options_.engine); });
  return own_;
}

}  // namespace casemate
