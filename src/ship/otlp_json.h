#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "ship/sink.h"

// Records as OTLP 1.x says it in JSON (opentelemetry-proto, "JSON Protobuf Encoding": ids in hexadecimal,
// 64-bit numbers as texts, enumerations as numbers).

namespace casemate::ship {

// An ExportLogsServiceRequest with a log record for each record, whose body is the record itself. `host` is
// this host's name.
std::string EncodeLogs(std::span<const Record> records, std::string_view host);

// An ExportTraceServiceRequest: of each outcome a span for its run and, below it, one for each of its steps.
// Ids follow from the run's, so that what is sent twice is the same span. "" when no record makes one:
// intents, and runs whose caller's trace context says that it is not sampled.
//
// A run's span ends with its record and is as long as its steps; what the interpreter says of itself
// ("python.run") is laid at the end of the step "run", and never beyond it.
std::string EncodeSpans(std::span<const Record> records, std::string_view host);

// What a collector answers: how much of a request it refused for good, and its reason.
struct PartialSuccess {
  std::int64_t rejected = 0;
  std::string message;
};
PartialSuccess ReadPartialSuccess(std::string_view body);

}  // namespace casemate::ship
