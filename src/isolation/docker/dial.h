#pragma once

#include <cstdint>

#include "base/unique_fd.h"
#include "casemate/error.h"
#include "isolation/docker/place.h"

namespace casemate::docker {

// A connection over TCP, with TLS where `place` has certificates, by a process of its own (dialer/main.cc):
// no other run pays for libcurl. The descriptor does not block, and its end is the other side's.
Expected<UniqueFd> Dial(const Place& place, std::int64_t timeout_ms);

}  // namespace casemate::docker
