#pragma once

#include <string>

namespace casemate::docker {

// Who made a container: this boot's id, this process's id and its start time, so that a process that later
// has the same number is another.
std::string OwnerOfThis();
// Whether `owner`, of any process, is certainly no more: it was one of this host, and is gone.
bool OwnerIsGone(const std::string& owner);

// `id` and something that no other container has: runs of a conformance suite, or of two engines, may share
// ids.
std::string UniqueName(const std::string& id);

}  // namespace casemate::docker
