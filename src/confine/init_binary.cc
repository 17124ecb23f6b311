#include "confine/init_binary.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <string_view>

#include "base/errno.h"
#include "base/file.h"

namespace casemate {
namespace embedded {
std::string_view InitBinary(std::string_view path);  // made by tools/embed.py
}  // namespace embedded

namespace {

Expected<UniqueFd> OpenBinary(std::string_view program) {
  constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  UniqueFd fd(memfd_create("casemate-init", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid())
    return FailErrno(ErrorCode::kInternal, "cannot keep the sandbox's init in memory", "memfd_create");
  if (auto written = WriteAll(fd.get(), embedded::InitBinary(program), "the sandbox's init"); !written) {
    return std::unexpected(written.error());
  }
  if (fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) {
    return FailErrno(ErrorCode::kInternal, "cannot seal the sandbox's init", "fcntl F_ADD_SEALS");
  }
  return fd;
}

}  // namespace

Expected<UniqueFd> OpenInitBinary() { return OpenBinary("reaper"); }

Expected<UniqueFd> OpenKeeperBinary() { return OpenBinary("keeper"); }

Expected<UniqueFd> OpenGuardBinary() { return OpenBinary("guard"); }

std::string_view StarterBinary() { return embedded::InitBinary("starter"); }

}  // namespace casemate
