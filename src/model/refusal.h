#pragma once

#include "casemate/error.h"
#include "casemate/result.h"

namespace casemate {

// `error`, met before the engine had its say, as the result that the engine would have given: `rejected`,
// `unavailable`, `cancelled` or `failed`, with error.type "casemate.<code>".
ExecutionResult RefusalOf(const Error& error);

}  // namespace casemate
