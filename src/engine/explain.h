#pragma once

#include "casemate/explain.h"
#include "engine/flow.h"

namespace casemate {

Expected<Explanation> ExplainParts(const EngineParts& parts, const ExecutionRequest& request);

}  // namespace casemate
