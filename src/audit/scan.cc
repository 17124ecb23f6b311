#include "audit/scan.h"

namespace casemate::audit {

std::size_t FollowChain(std::string_view bytes, Link& last) {
  std::size_t taken = 0;
  for (;;) {
    const std::size_t end = bytes.find('\n', taken);
    if (end == std::string_view::npos) return taken;
    const auto seal = ReadSeal(bytes.substr(taken, end - taken));
    if (!seal || seal->seq != last.seq + 1 || seal->prev != last.hash || !IsIntact(*seal)) return taken;
    last = {seal->seq, std::string(seal->hash)};
    taken = end + 1;
  }
}

Link LastIntact(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.rfind('\n');
    if (end == std::string_view::npos) break;
    bytes = bytes.substr(0, end);
    const std::size_t before = bytes.rfind('\n');
    const std::string_view line = before == std::string_view::npos ? bytes : bytes.substr(before + 1);
    const auto seal = ReadSeal(line);
    if (seal && IsIntact(*seal)) return {seal->seq, std::string(seal->hash)};
  }
  return {};
}

}  // namespace casemate::audit
