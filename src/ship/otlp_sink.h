#pragma once

#include <memory>
#include <string>

#include "secrets/http/client.h"
#include "ship/sink.h"

namespace casemate::ship {

enum class OtlpSignal { kLogs, kTraces };
struct CollectorOptions;

// Posts to a collector at `url`, the signal's whole address. What it asks to send again is sent again; what
// it refuses for good (400, 413, 422) is sent in smaller parts until the single records that it refuses are
// known, and those are lost. `client` must outlive it.
std::unique_ptr<Sink> MakeOtlpSink(std::string url, OtlpSignal signal, const CollectorOptions& options,
                                   secrets::HttpClient& client);

}  // namespace casemate::ship
