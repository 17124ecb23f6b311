// link: confine base
// A refused system call as the kernel reports it, number and arguments chosen by the program, and the address
// that it may have pointed to: whatever they are, the report is short printable text.
#include <linux/seccomp.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>

#include "confine/seccomp_filter.h"
#include "confine/seccomp_notify.h"

namespace {

void CheckText(std::string_view text) {
  if (text.empty() || text.size() > 1000) std::abort();
  for (const char c : text) {
    if (c < ' ' || c > '~') std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  seccomp_data call = {};
  const std::size_t used = std::min(size, sizeof(call));
  std::memcpy(&call, data, used);
  CheckText(casemate::DescribeSyscall(call));
  const casemate::SyscallRefusal refusal = casemate::ExplainSyscallRefusal(call.nr);
  CheckText(refusal.reason);
  CheckText(refusal.remedy);

  const auto peer = casemate::ReadPeerAddress(std::as_bytes(std::span(data + used, size - used)));
  if (peer.reach != casemate::PeerAddress::Reach::kNetwork) return 0;
  const casemate::Denial denial = casemate::DescribeConnect(peer);
  CheckText(denial.what);
  CheckText(denial.remedy);
  return 0;
}
