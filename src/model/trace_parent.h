#pragma once

#include <string_view>

namespace casemate {

// Whether `text` is a trace context as W3C Trace Context's "traceparent" has it: "00-<32 hex>-<16 hex>-<2
// hex>".
bool IsTraceParent(std::string_view text);

}  // namespace casemate
