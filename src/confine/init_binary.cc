#include "confine/init_binary.h"

#include <string_view>

#include "base/helper_program.h"

namespace casemate {
namespace embedded {
std::string_view InitBinary(std::string_view path);  // made by tools/embed.py
}  // namespace embedded

namespace {

Expected<UniqueFd> OpenBinary(std::string_view program) {
  return SealedFile("casemate-init", embedded::InitBinary(program));
}

}  // namespace

Expected<UniqueFd> OpenInitBinary() { return OpenBinary("reaper"); }

Expected<UniqueFd> OpenKeeperBinary() { return OpenBinary("keeper"); }

Expected<UniqueFd> OpenGuardBinary() { return OpenBinary("guard"); }

std::string_view StarterBinary() { return embedded::InitBinary("starter"); }

}  // namespace casemate
