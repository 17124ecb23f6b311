#pragma once

#include <span>
#include <vector>

#include "casemate/error.h"
#include "casemate/secret.h"

namespace casemate {

// "NAME=value" of each secret that is a variable, as execve(2) takes it, in locked memory.
Expected<std::vector<SecretValue>> SecretVariables(std::span<const ResolvedSecret> secrets);

}  // namespace casemate
