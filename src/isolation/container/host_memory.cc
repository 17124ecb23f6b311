#include "isolation/container/host_memory.h"

#include <cstdlib>
#include <string>
#include <string_view>

#include "base/file.h"

namespace casemate::container {
namespace {

constexpr long long kShare = 20;

}  // namespace

bool HostMemoryIsShort() {
  const std::string text = ReadKernelFile("/proc/meminfo");
  const auto kibibytes = [&text](std::string_view name) {
    const std::size_t at = text.find(name);
    return at == std::string::npos ? 0LL : std::strtoll(text.c_str() + at + name.size(), nullptr, 10);
  };
  const long long total = kibibytes("MemTotal:");
  return total > 0 && kibibytes("MemAvailable:") < total / kShare;
}

}  // namespace casemate::container
