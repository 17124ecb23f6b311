#include "secrets/remote/helper_binary.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <string_view>

#include "base/errno.h"
#include "base/file.h"

namespace casemate {
namespace embedded {
std::string_view SecretsHelper(std::string_view path);  // made by tools/embed.py
}  // namespace embedded

namespace secrets {

Expected<UniqueFd> OpenHelperBinary() {
  constexpr int kSeals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
  constexpr const char* kName = "the helper that asks remote secret stores";
  UniqueFd fd(memfd_create("casemate-secrets", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return FailErrno(ErrorCode::kInternal, "there is no memory for a helper", "memfd_create");
  if (auto written = WriteAll(fd.get(), embedded::SecretsHelper("secrets_helper"), kName); !written) {
    return std::unexpected(written.error());
  }
  if (fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) {
    return FailErrno(ErrorCode::kInternal, "cannot seal a helper", "fcntl F_ADD_SEALS");
  }
  return fd;
}

}  // namespace secrets
}  // namespace casemate
