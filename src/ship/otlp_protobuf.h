#pragma once

#include <string>
#include <string_view>

#include "ship/otlp_json.h"

// The same requests as otlp_json.h makes, in protobuf's own bytes, for collectors that take nothing else.

namespace casemate::ship {

// `json` is what EncodeLogs or EncodeSpans has made; a field that the messages do not have is left out.
std::string ProtobufOf(std::string_view json);

// The answer to such a request (ExportLogsServiceResponse, ExportTraceServiceResponse). Hostile bytes are
// harmless.
PartialSuccess ReadPartialSuccessProtobuf(std::string_view body);

}  // namespace casemate::ship
