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
  std::call_once(once_, [this] { own_ = services_.make_engine(options_.engine); });
  if (!own_) return RefusalOf(own_.error());
  return (*own_)->Execute(request, sink, cancel_fd, cancel_when);
}

}  // namespace casemate
