#pragma once

#include <string_view>

namespace casemate {

// Whether `text` is a trace context as W3C Trace Context's "traceparent" has it: "00-<32 hex>-<16 hex>-<2
// hex>".
bool IsTraceParent(std::string_view text);

// Whether `text` may be carried on as its "tracestate": a list of KEY=VALUE, at most 512 printable characters
// and 32 entries. What only tracing systems read is not looked at further.
bool IsTraceState(std::string_view text);

}  // namespace casemate
