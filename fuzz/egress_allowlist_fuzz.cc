// link: egress_rules model base
// Allowlists, whose texts come from callers, and the destinations and paths that programs ask them about.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "egress/rules/allowlist.h"
#include "egress/rules/wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace casemate::egress;  // NOLINT(google-build-using-namespace): one function
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t line = text.find('\n');
  const std::string_view list = text.substr(0, line);
  const std::string_view asked = line == std::string_view::npos ? std::string_view() : text.substr(line + 1);
  if (const auto told = DecodeAttempt(text)) {
    const auto again = DecodeAttempt(EncodeAttempt(*told));
    if (!again || EncodeAttempt(*again) != EncodeAttempt(*told)) __builtin_trap();
  }
  if (const auto policy = DecodeNetwork(text)) {
    const std::string encoded = EncodeNetwork(*policy);
    const auto again = DecodeNetwork(encoded);
    if (!again || EncodeNetwork(*again) != encoded) __builtin_trap();
  }
  const auto network = casemate::ParseNetworkText(list);
  if (!network) return 0;
  const auto allow = Allowlist::Make(*network);
  const auto to = ParseAuthority(asked, 443);
  if (to) {
    const auto again = ParseAuthority(to->ToString(), 0);
    if (!again || again->ToString() != to->ToString()) __builtin_trap();
  }
  if (!allow || !to) return 0;
  const Verdict verdict = allow->MayAsk(*to);
  if (!verdict && (verdict.reason.empty() || verdict.remedy.empty())) __builtin_trap();
  // An address is reached by no name but with a rule of its own.
  const auto loopback = Address::Parse("127.0.0.1");
  if (!to->address && allow->MayConnect(*to, *loopback) &&
      list.find_first_of("0123456789[") == std::string_view::npos)
    __builtin_trap();
  (void)allow->MayRequest(*to, "GET", asked);
  return 0;
}
