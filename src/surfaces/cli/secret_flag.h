#pragma once

#include <string_view>
#include <vector>

#include "casemate/error.h"
#include "casemate/secret.h"

namespace casemate {

// Adds what --secret NAME[:MODE]=REF or NAME@HOST[:PORT][/HEADER][,...]=REF says; the same NAME again adds a
// reference to its chain. Paths become absolute. kInvalidRequest without a word of `value`: it may hold a
// secret by mistake.
Expected<void> AddSecret(std::string_view value, std::vector<SecretRequest>& secrets);

// REF as it means the same in another process.
std::string AbsoluteReference(std::string_view reference);

// Whether any of them is answered by this process alone: its environment, or a command that it starts.
bool NeedThisProcess(const std::vector<SecretRequest>& secrets);

}  // namespace casemate
