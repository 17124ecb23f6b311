#pragma once

#include <memory>

#include "casemate/backend.h"
#include "isolation/oci/bundle.h"
#include "isolation/oci/sandbox.h"

namespace casemate::oci {

inline constexpr std::int64_t kLaunchTimeoutMs = 30'000;

// Starts the program of `spec` in a container of `runtime`: returns when it has been executed, or with what
// failed, in the runtime's own words where it has any, and nothing left behind. Blocks for as long as the
// runtime takes, at most
// `timeout_ms`.
Expected<std::unique_ptr<OciSandbox>> LaunchOci(const LaunchSpec& spec, const Host& host,
                                                const Runtime& runtime,
                                                std::int64_t timeout_ms = kLaunchTimeoutMs);

}  // namespace casemate::oci
